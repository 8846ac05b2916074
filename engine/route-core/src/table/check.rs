//! Whether a delta can be applied, before anything of it is.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::line::LineSlot;
use super::rule::RuleSlot;
use super::{Delta, DeltaError, Entry, KNOWN_FLAGS, MAX_SLOT, RouteTable};

/// Which slots will exist when the delta's numbers are put: those put, else those there and not removed.
struct Slots<'a> {
    table: &'a RouteTable,
    lines: Vec<u32>,
    lines_removed: Vec<u32>,
    rules: Vec<u32>,
    rules_removed: Vec<u32>,
}

fn sorted(slots: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut slots: Vec<u32> = slots.collect();
    slots.sort_unstable();
    slots
}

fn holds(slots: &[u32], slot: u32) -> bool {
    !slots.is_empty() && slots.binary_search(&slot).is_ok()
}

impl Slots<'_> {
    fn line(&self, LineSlot(slot): LineSlot) -> bool {
        holds(&self.lines, slot)
            || (self.table.lines.at(slot).is_some() && !holds(&self.lines_removed, slot))
    }

    fn rule(&self, RuleSlot(slot): RuleSlot) -> bool {
        holds(&self.rules, slot)
            || (self.table.rules.at(slot).is_some() && !holds(&self.rules_removed, slot))
    }

    fn entry(&self, entry: Entry, place: impl Fn() -> String) -> Result<(), DeltaError> {
        let fault = |what| {
            Err(DeltaError {
                where_: place(),
                what,
            })
        };
        if !self.line(entry.line) {
            return fault(format!("there is no line {}", entry.line.0));
        }
        if let Some(rule) = entry.rule.filter(|rule| !self.rule(*rule)) {
            return fault(format!("there is no rule {}", rule.0));
        }
        if entry.flags & !KNOWN_FLAGS != 0 {
            return fault(format!("unknown flags {:#x}", entry.flags));
        }
        Ok(())
    }
}

pub(super) fn check(table: &RouteTable, delta: &Delta) -> Result<(), DeltaError> {
    let slots = Slots {
        table,
        lines: sorted(delta.lines.iter().map(|line| line.slot.0)),
        lines_removed: sorted(delta.lines_removed.iter().map(|slot| slot.0)),
        rules: sorted(delta.rules.iter().map(|rule| rule.slot.0)),
        rules_removed: sorted(delta.rules_removed.iter().map(|slot| slot.0)),
    };
    for (name, slots) in [("lines", &slots.lines), ("rules", &slots.rules)] {
        if let Some([twice, _]) = slots.array_windows().find(|[one, next]| one == next) {
            return Err(DeltaError {
                where_: name.to_string(),
                what: format!("slot {twice} stands there twice"),
            });
        }
        if let Some(slot) = slots.last().filter(|slot| **slot > MAX_SLOT) {
            return Err(DeltaError {
                where_: name.to_string(),
                what: format!("slot {slot} is above {MAX_SLOT}"),
            });
        }
    }
    users(&slots, delta)?;
    for (at, (digits, entry)) in delta.exact.iter().enumerate() {
        if digits.is_empty() {
            return Err(DeltaError {
                where_: format!("exact[{at}]"),
                what: "no digits".to_string(),
            });
        }
        slots.entry(*entry, || format!("exact[{at}]"))?;
    }
    for (at, prefix) in delta.prefixes.iter().enumerate() {
        if prefix.digits.is_empty() || prefix.min_len > prefix.max_len || prefix.max_len > 15 {
            return Err(DeltaError {
                where_: format!("prefixes[{at}]"),
                what: "no digits, or no length fits".to_string(),
            });
        }
        slots.entry(prefix.entry, || format!("prefixes[{at}]"))?;
    }
    Ok(())
}

/// No user part may name two lines.
fn users(slots: &Slots<'_>, delta: &Delta) -> Result<(), DeltaError> {
    let mut named: Vec<(&[u8], usize, usize)> = Vec::new();
    for (at, line) in delta.lines.iter().enumerate() {
        for (number, user) in line.users.iter().enumerate() {
            let place = || format!("lines[{at}].users[{number}]");
            if let Some(other) = slots.table.line_by_user(user)
                && other != line.slot
                && !holds(&slots.lines, other.0)
                && !holds(&slots.lines_removed, other.0)
            {
                return Err(DeltaError {
                    where_: place(),
                    what: format!("also names line {}", other.0),
                });
            }
            named.push((user, at, number));
        }
    }
    named.sort_unstable();
    match named.array_windows().find(|[one, next]| one.0 == next.0) {
        None => Ok(()),
        Some(&[(_, first, its), (_, at, number)]) => {
            let what = format!("also stands at lines[{first}].users[{its}]");
            Err(DeltaError {
                where_: format!("lines[{at}].users[{number}]"),
                what,
            })
        }
    }
}
