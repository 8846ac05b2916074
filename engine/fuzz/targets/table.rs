//! The route table beside a naive list.

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use route_core::{Delta, Digits, Entry, LineSlot, LineSpec, MatchedBy, PrefixEntry, RouteTable};

/// Lines that numbers may lead to.
const LINES: u32 = 8;

#[derive(Arbitrary, Debug)]
pub struct Script {
    seed: u64,
    deltas: Vec<Vec<Change>>,
    calls: Vec<Number>,
}

#[derive(Arbitrary, Debug)]
enum Change {
    Exact {
        number: Number,
        line: u8,
    },
    ExactRemoved {
        number: Number,
    },
    Prefix {
        number: Number,
        shorter: u8,
        longer: u8,
        line: u8,
    },
    PrefixRemoved {
        number: Number,
    },
}

/// A few digits from a small alphabet, so that numbers meet.
#[derive(Arbitrary, Debug, Clone)]
struct Number {
    digits: [u8; 6],
    len: u8,
}

impl Number {
    fn text(&self) -> String {
        let len = 1 + usize::from(self.len) % self.digits.len();
        self.digits[..len]
            .iter()
            .map(|digit| char::from(b'0' + digit % 3))
            .collect()
    }

    fn digits(&self) -> Digits {
        Digits::parse(self.text().as_bytes()).expect("digits are digits")
    }
}

#[derive(Default, Clone)]
struct Naive {
    exact: BTreeMap<String, u32>,
    /// (digits, min, max) → line.
    prefixes: BTreeMap<(String, u8, u8), u32>,
}

impl Naive {
    /// The longest prefix whose window fits; among equal ones the narrowest, then the one of shorter numbers.
    fn find(&self, called: &str) -> Option<u32> {
        if let Some(line) = self.exact.get(called) {
            return Some(*line);
        }
        let len = u8::try_from(called.len()).expect("short");
        self.prefixes
            .iter()
            .filter(|((digits, min, max), _)| {
                called.starts_with(digits.as_str()) && (*min..=*max).contains(&len)
            })
            .min_by_key(|((digits, min, max), _)| (usize::MAX - digits.len(), max - min, *min))
            .map(|(_, line)| *line)
    }
}

pub fn play(script: &Script) {
    let mut table = RouteTable::new(script.seed);
    let mut naive = Naive::default();
    let mut lines = Delta::default();
    for slot in 0..LINES {
        let spec = LineSpec {
            slot,
            line_id: format!("line-{slot}"),
            kind: "registered".into(),
            request_uri: "number".into(),
            wish: "enabled".into(),
            ..LineSpec::default()
        };
        lines.push_line(spec).expect("a plain line is fine");
    }
    table.load(lines).expect("plain lines are fine");
    for changes in &script.deltas {
        let mut delta = Delta::default();
        let mut next = naive.clone();
        for change in changes {
            push_removal(change, &mut delta, &mut next);
        }
        for change in changes {
            push_upsert(change, &mut delta, &mut next);
        }
        let before = (table.counts().exact, table.counts().prefixes);
        match table.load(delta) {
            Ok(()) => naive = next,
            Err(_) => assert_eq!(
                before,
                (table.counts().exact, table.counts().prefixes),
                "a refused delta left traces"
            ),
        }
        assert_eq!(naive.exact.len(), table.exact().count());
        assert_eq!(naive.prefixes.len(), table.prefixes().count());
        for call in &script.calls {
            let found = table.find(call.digits());
            assert_eq!(
                naive.find(&call.text()),
                found.map(|found| found.entry.line.0),
                "called {}",
                call.text()
            );
            if let Some(MatchedBy::Prefix { digits, .. }) = found.map(|found| found.by) {
                assert!(call.digits().starts_with(digits));
            }
        }
    }
}

fn push_removal(change: &Change, delta: &mut Delta, naive: &mut Naive) {
    match change {
        Change::ExactRemoved { number } => {
            delta.exact_removed.push(number.digits());
            naive.exact.remove(&number.text());
        }
        Change::PrefixRemoved { number } => {
            delta.prefixes_removed.push(number.digits());
            let text = number.text();
            naive.prefixes.retain(|(digits, _, _), _| *digits != text);
        }
        Change::Exact { .. } | Change::Prefix { .. } => {}
    }
}

fn push_upsert(change: &Change, delta: &mut Delta, naive: &mut Naive) {
    match change {
        Change::Exact { number, line } => {
            delta.exact.push((number.digits(), entry(*line)));
            naive.exact.insert(number.text(), slot(*line));
        }
        Change::Prefix {
            number,
            shorter,
            longer,
            line,
        } => {
            let text = number.text();
            let min_len = (text.len() + usize::from(shorter % 4)) as u8;
            let max_len = (min_len + longer % 4).min(15);
            delta.prefixes.push(PrefixEntry {
                digits: number.digits(),
                min_len,
                max_len,
                entry: entry(*line),
            });
            naive.prefixes.insert((text, min_len, max_len), slot(*line));
        }
        Change::ExactRemoved { .. } | Change::PrefixRemoved { .. } => {}
    }
}

fn entry(line: u8) -> Entry {
    Entry {
        line: LineSlot(slot(line)),
        rule: None,
        flags: 0,
    }
}

fn slot(line: u8) -> u32 {
    u32::from(line) % LINES
}
