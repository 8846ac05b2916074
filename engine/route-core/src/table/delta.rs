//! A change of the table, checked where it is read.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::line::{Line, LineSlot, LineSpec};
use super::rule::{Rule, RuleSlot, RuleSpec};
use super::{Entry, KNOWN_FLAGS, MAX_SLOT, PrefixEntry};
use crate::digits::Digits;

/// A change that cannot be right. Nothing was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeltaError {
    /// Where in the delta, e.g. `lines[3].peers[0]`.
    pub where_: String,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for DeltaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.where_, self.what)
    }
}

impl core::error::Error for DeltaError {}

/// Upserts and removals. Applied in this order: all removals, lines, rules, numbers.
#[derive(Clone, Debug, Default)]
pub struct Delta {
    /// Lines to put.
    pub lines: Vec<Line>,
    /// Lines to take out. Numbers that still point there are treated as unknown.
    pub lines_removed: Vec<LineSlot>,
    /// Rules to put.
    pub rules: Vec<Rule>,
    /// Rules to take out. Numbers that still point there have none.
    pub rules_removed: Vec<RuleSlot>,
    /// Whole numbers to put.
    pub exact: Vec<(Digits, Entry)>,
    /// Whole numbers to take out.
    pub exact_removed: Vec<Digits>,
    /// Prefixes to put; one with the same digits and the same window is replaced.
    pub prefixes: Vec<PrefixEntry>,
    /// Prefixes to take out, with all their windows.
    pub prefixes_removed: Vec<Digits>,
}

impl Delta {
    /// Add a line of the boundary.
    pub fn push_line(&mut self, spec: LineSpec) -> Result<(), DeltaError> {
        let place = format!("lines[{}]", self.lines.len());
        slot(spec.slot, &place)?;
        self.lines.push(Line::read(spec, &place)?);
        Ok(())
    }

    /// Add a rule of the boundary.
    pub fn push_rule(&mut self, spec: RuleSpec) -> Result<(), DeltaError> {
        let place = format!("rules[{}]", self.rules.len());
        slot(spec.slot, &place)?;
        self.rules.push(Rule::read(spec, &place)?);
        Ok(())
    }

    /// Add a number of the boundary; `rule` is -1 for none.
    pub fn push_exact(
        &mut self,
        digits: &str,
        line: u32,
        rule: i64,
        flags: u32,
    ) -> Result<(), DeltaError> {
        let at = self.exact.len();
        let key = read_digits(digits, || format!("exact[{at}]"))?;
        let entry = read_entry(line, rule, flags, || format!("exact[{at}]"))?;
        self.exact.push((key, entry));
        Ok(())
    }

    /// Add a whole number to take out.
    pub fn push_exact_removed(&mut self, digits: &str) -> Result<(), DeltaError> {
        let at = self.exact_removed.len();
        self.exact_removed
            .push(read_digits(digits, || format!("exact_removed[{at}]"))?);
        Ok(())
    }

    /// Add a prefix of the boundary: numbers that begin with `digits` and have `min_len` to `max_len` digits in all.
    pub fn push_prefix(
        &mut self,
        digits: &str,
        min_len: u32,
        max_len: u32,
        line: u32,
        rule: i64,
        flags: u32,
    ) -> Result<(), DeltaError> {
        let at = self.prefixes.len();
        let place = || format!("prefixes[{at}]");
        let digits = read_digits(digits, place)?;
        if min_len > max_len || max_len > 15 || (min_len as usize) < digits.len() {
            let what = format!(
                "lengths {min_len} to {max_len} do not fit {} digits of prefix and 15 in all",
                digits.len()
            );
            return Err(DeltaError {
                where_: place(),
                what,
            });
        }
        let entry = read_entry(line, rule, flags, place)?;
        self.prefixes.push(PrefixEntry {
            digits,
            min_len: min_len as u8,
            max_len: max_len as u8,
            entry,
        });
        Ok(())
    }

    /// Add a prefix to take out, with all its windows.
    pub fn push_prefix_removed(&mut self, digits: &str) -> Result<(), DeltaError> {
        let at = self.prefixes_removed.len();
        self.prefixes_removed
            .push(read_digits(digits, || format!("prefixes_removed[{at}]"))?);
        Ok(())
    }
}

fn slot(slot: u32, place: &str) -> Result<(), DeltaError> {
    if slot <= MAX_SLOT {
        return Ok(());
    }
    Err(DeltaError {
        where_: format!("{place}.slot"),
        what: format!("{slot} is above {MAX_SLOT}"),
    })
}

fn read_digits(digits: &str, place: impl Fn() -> String) -> Result<Digits, DeltaError> {
    Digits::parse(digits.as_bytes()).map_err(|why| DeltaError {
        where_: place(),
        what: why.to_string(),
    })
}

fn read_entry(
    line: u32,
    rule: i64,
    flags: u32,
    place: impl Fn() -> String,
) -> Result<Entry, DeltaError> {
    let fault = |what: String| DeltaError {
        where_: place(),
        what,
    };
    let rule = match rule {
        -1 => None,
        rule => match u32::try_from(rule) {
            Ok(slot) if slot <= MAX_SLOT => Some(RuleSlot(slot)),
            _ => return Err(fault(format!("{rule} is no rule slot"))),
        },
    };
    if flags & !KNOWN_FLAGS != 0 {
        return Err(fault(format!("unknown flags {:#x}", flags & !KNOWN_FLAGS)));
    }
    Ok(Entry {
        line: LineSlot(line),
        rule,
        flags,
    })
}
