//! What the table costs: nanoseconds per look-up and decision, bytes per number, time to load and to change.
//!
//! `cargo run --release -p route-core --example table_cost [NUMBERS…]`, by default 10,000 and 1,000,000. Each number's line is
//! looked up in random order; a quarter of the numbers is reached through block prefixes as well.
#![allow(clippy::disallowed_methods, reason = "a stopwatch needs the clock")]
#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a report for people"
)]
use std::hint::black_box;
use std::time::Instant;

use route_core::{
    Cause, Decision, Delta, Digits, Entry, Health, InterconnectFlags, LineSlot, LineSpec, LineView,
    NoTrace, RouteTable, RuleSlot, RuleSpec, TargetSpec, decide,
};

const FIRST: u64 = 493_021_000_000;

fn digits(number: u64) -> Digits {
    Digits::parse(number.to_string().as_bytes()).expect("twelve digits")
}

fn basis() -> Result<RouteTable, Box<dyn std::error::Error>> {
    let mut delta = Delta::default();
    let registered = |slot: u32| LineSpec {
        slot,
        line_id: format!("line-{slot}"),
        kind: "registered".into(),
        request_uri: "number".into(),
        wish: "enabled".into(),
        users: vec![format!("user-{slot}")],
        ..LineSpec::default()
    };
    for slot in 0..1000 {
        delta.push_line(registered(slot))?;
        let targets = vec![TargetSpec {
            digits: "4917139200099".into(),
            keep_after: None,
        }];
        delta.push_rule(RuleSpec {
            slot,
            rule_id: format!("rule-{slot}"),
            label: "a number".into(),
            armed: true,
            targets,
            ..RuleSpec::default()
        })?;
    }
    let mut table = RouteTable::new(0x5eed);
    table.load(delta)?;
    Ok(table)
}

fn per_item(what: &str, items: usize, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    println!(
        "  {what:<34} {:>9.1} ns",
        start.elapsed().as_nanos() as f64 / items as f64
    );
}

fn entry(n: u64) -> Entry {
    let slot = (n % 1000) as u32;
    Entry {
        line: LineSlot(slot),
        rule: Some(RuleSlot(slot)),
        flags: 0,
    }
}

/// The numbers, and a quarter as many in blocks of a hundred behind them.
fn loaded(numbers: u64) -> Result<RouteTable, Box<dyn std::error::Error>> {
    let mut table = basis()?;
    let before = table.counts().bytes;
    let start = Instant::now();
    let mut first = 0;
    while first < numbers {
        let exact = (first..numbers.min(first + 100_000))
            .map(|n| (digits(FIRST + n), entry(n)))
            .collect();
        table.load(Delta {
            exact,
            ..Delta::default()
        })?;
        first += 100_000;
    }
    let blocks = numbers / 4 / 100;
    for block in 0..blocks {
        let prefix = digits((FIRST + numbers) / 100 + 1 + block);
        let window = route_core::PrefixEntry {
            digits: prefix,
            min_len: 12,
            max_len: 13,
            entry: entry(block),
        };
        table.load(Delta {
            prefixes: vec![window],
            ..Delta::default()
        })?;
    }
    println!(
        "{numbers} numbers, {blocks} blocks: loaded in {:?}",
        start.elapsed()
    );
    println!(
        "  bytes per number {:>30.1}",
        (table.counts().bytes - before) as f64 / numbers as f64
    );
    Ok(table)
}

fn measure(numbers: u64) -> Result<(), Box<dyn std::error::Error>> {
    let table = loaded(numbers)?;
    let blocks = numbers / 4 / 100;
    let mut state = 1_u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let own: Vec<Digits> = (0..1_000_000)
        .map(|_| digits(FIRST + random() % numbers))
        .collect();
    let in_block =
        |n: u64| digits(((FIRST + numbers) / 100 + 1 + n % blocks.max(1)) * 1000 + n % 1000);
    let blocked: Vec<Digits> = (0..1_000_000).map(|_| in_block(random())).collect();
    let unknown: Vec<Digits> = (0..1_000_000)
        .map(|_| digits(498_000_000_000 + random() % 1_000_000))
        .collect();
    let view = |health| LineView {
        health,
        cause: Cause::OptionsTimeout,
        ..LineView::UNKNOWN
    };
    let flags = InterconnectFlags::default();
    assert!(
        own.iter().all(|number| table.find(*number).is_some())
            && unknown.iter().all(|number| table.find(*number).is_none())
    );
    for (what, queries) in [
        ("number", &own),
        ("number in a block", &blocked),
        ("unknown number", &unknown),
    ] {
        per_item(&format!("find: {what}"), queries.len(), || {
            for called in queries {
                black_box(table.find(*called));
            }
        });
        for health in [Health::Up, Health::Down] {
            per_item(
                &format!("decide, line {}: {what}", health.name()),
                queries.len(),
                || {
                    for called in queries {
                        let decision =
                            decide(*called, &table, |_| view(health), flags, &mut NoTrace);
                        black_box(matches!(decision, Decision::Redirect { .. }));
                    }
                },
            );
        }
    }
    let mut current = table.clone();
    per_item("apply: one number, old copy kept", 1000, || {
        for number in own.iter().take(1000) {
            let exact = vec![(*number, entry(random()))];
            current = table
                .apply(Delta {
                    exact,
                    ..Delta::default()
                })
                .expect("a number of a line that is there");
        }
    });
    black_box(current);
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut sizes: Vec<u64> = Vec::new();
    for argument in std::env::args().skip(1) {
        sizes.push(argument.parse()?);
    }
    if sizes.is_empty() {
        sizes = vec![10_000, 1_000_000];
    }
    sizes.into_iter().try_for_each(measure)
}
