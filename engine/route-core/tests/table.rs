//! The table against a naive oracle, and its promises about copies.
use std::collections::BTreeMap;

use proptest::prelude::*;
use route_core::{
    Delta, Digits, Entry, Line, LineSlot, LineSpec, Match, MatchedBy, NOT_LIVE, PrefixEntry,
    RouteTable, Rule, RuleSlot, RuleSpec, TargetSpec,
};

const SLOTS: u32 = 4;

fn digits(text: &str) -> Digits {
    Digits::parse(text.as_bytes()).expect("digits")
}

fn line(slot: u32, users: &[&str]) -> Line {
    let spec = LineSpec {
        slot,
        line_id: format!("L{slot}"),
        kind: "registered".into(),
        request_uri: "number".into(),
        wish: "enabled".into(),
        users: users.iter().map(ToString::to_string).collect(),
        ..LineSpec::default()
    };
    Line::read(spec, "lines[0]").expect("line")
}

fn rule(slot: u32) -> Rule {
    let target = TargetSpec {
        digits: "493023125999".into(),
        keep_after: None,
    };
    let spec = RuleSpec {
        slot,
        rule_id: format!("R{slot}"),
        targets: vec![target],
        ..RuleSpec::default()
    };
    Rule::read(spec, "rules[0]").expect("rule")
}

fn basis() -> RouteTable {
    let lines = (0..SLOTS).map(|slot| line(slot, &[])).collect();
    let rules = (0..SLOTS).map(rule).collect();
    RouteTable::new(7)
        .apply(Delta {
            lines,
            rules,
            ..Delta::default()
        })
        .expect("basis")
}

/// One change, small enough to name things twice.
#[derive(Clone, Debug)]
enum Change {
    Exact(String, Entry),
    ExactRemoved(String),
    Prefix(String, u8, u8, Entry),
    PrefixRemoved(String),
}

type Windows = BTreeMap<(String, u8, u8), Entry>;

/// The table as the boundary describes it, without any thought for speed.
#[derive(Clone, Debug, Default, PartialEq)]
struct Oracle {
    exact: BTreeMap<String, Entry>,
    prefixes: Windows,
}

impl Oracle {
    fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::ExactRemoved(number) => {
                    self.exact.remove(number);
                }
                Change::PrefixRemoved(prefix) => {
                    self.prefixes.retain(|(digits, ..), _| digits != prefix);
                }
                Change::Exact(..) | Change::Prefix(..) => {}
            }
        }
        for change in changes {
            match change {
                Change::Exact(number, entry) => {
                    self.exact.insert(number.clone(), *entry);
                }
                Change::Prefix(prefix, min, max, entry) => {
                    self.prefixes.insert((prefix.clone(), *min, *max), *entry);
                }
                Change::ExactRemoved(_) | Change::PrefixRemoved(_) => {}
            }
        }
    }

    fn find(&self, number: &str) -> Option<Match> {
        if let Some(&entry) = self.exact.get(number) {
            return Some(Match {
                by: MatchedBy::Exact,
                entry,
            });
        }
        let len = number.len() as u8;
        self.prefixes
            .iter()
            .filter(|((prefix, min, max), _)| {
                number.starts_with(prefix.as_str()) && (*min..=*max).contains(&len)
            })
            .min_by_key(|((prefix, min, max), _)| (usize::MAX - prefix.len(), max - min, *min))
            .map(|((prefix, min, max), &entry)| Match {
                by: MatchedBy::Prefix {
                    digits: digits(prefix),
                    min_len: *min,
                    max_len: *max,
                },
                entry,
            })
    }

    fn fresh(&self) -> RouteTable {
        let exact = self
            .exact
            .iter()
            .map(|(number, &entry)| (digits(number), entry))
            .collect();
        let prefixes = self
            .prefixes
            .iter()
            .map(|((prefix, min_len, max_len), &entry)| PrefixEntry {
                digits: digits(prefix),
                min_len: *min_len,
                max_len: *max_len,
                entry,
            });
        basis()
            .apply(Delta {
                exact,
                prefixes: prefixes.collect(),
                ..Delta::default()
            })
            .expect("fresh")
    }
}

fn delta(changes: &[Change]) -> Delta {
    let mut delta = Delta::default();
    for change in changes {
        match change.clone() {
            Change::Exact(number, entry) => delta.exact.push((digits(&number), entry)),
            Change::ExactRemoved(number) => delta.exact_removed.push(digits(&number)),
            Change::Prefix(prefix, min_len, max_len, entry) => {
                delta.prefixes.push(PrefixEntry {
                    digits: digits(&prefix),
                    min_len,
                    max_len,
                    entry,
                });
            }
            Change::PrefixRemoved(prefix) => delta.prefixes_removed.push(digits(&prefix)),
        }
    }
    delta
}

fn contents(table: &RouteTable) -> Oracle {
    Oracle {
        exact: table
            .exact()
            .map(|(number, entry)| (number.to_string(), entry))
            .collect(),
        prefixes: table
            .prefixes()
            .map(|one| {
                (
                    (one.digits.to_string(), one.min_len, one.max_len),
                    one.entry,
                )
            })
            .collect(),
    }
}

/// Few different digits, so that prefixes nest and numbers meet them.
fn number(longest: usize) -> impl Strategy<Value = String> {
    proptest::collection::vec(prop_oneof![Just('1'), Just('2')], 1..=longest)
        .prop_map(|digits| digits.into_iter().collect())
}

fn entry() -> impl Strategy<Value = Entry> {
    (
        0..SLOTS,
        proptest::option::of(0..SLOTS),
        prop_oneof![Just(0), Just(NOT_LIVE)],
    )
        .prop_map(|(line, rule, flags)| Entry {
            line: LineSlot(line),
            rule: rule.map(RuleSlot),
            flags,
        })
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (number(6), entry()).prop_map(|(number, entry)| Change::Exact(number, entry)),
        number(6).prop_map(Change::ExactRemoved),
        (number(4), 0_u8..3, 0_u8..3, entry()).prop_map(|(prefix, more, width, entry)| {
            let min = prefix.len() as u8 + more;
            Change::Prefix(prefix, min, min + width, entry)
        }),
        number(4).prop_map(Change::PrefixRemoved),
    ]
}

proptest! {
    #[test]
    fn finds_what_the_oracle_finds_after_any_changes(
        batches in proptest::collection::vec(proptest::collection::vec(change(), 0..12), 1..8),
        queries in proptest::collection::vec(number(8), 40),
    ) {
        let mut oracle = Oracle::default();
        let mut table = basis();
        let mut in_place = basis();
        for batch in &batches {
            let (before, old) = (contents(&table), table.clone());
            oracle.apply(batch);
            table = table.apply(delta(batch)).expect("delta");
            in_place.load(delta(batch)).expect("delta");
            prop_assert_eq!(&before, &contents(&old), "an old snapshot changed");
        }
        let fresh = oracle.fresh();
        prop_assert_eq!(&oracle, &contents(&table));
        prop_assert_eq!(fresh.counts().exact, table.counts().exact);
        prop_assert_eq!(fresh.counts().prefixes, table.counts().prefixes);
        for query in &queries {
            let expected = oracle.find(query);
            prop_assert_eq!(expected, table.find(digits(query)), "{}", query);
            prop_assert_eq!(expected, in_place.find(digits(query)), "{} in place", query);
            prop_assert_eq!(expected, fresh.find(digits(query)), "{} fresh", query);
        }
    }
}

#[test]
fn many_numbers_survive_growth_and_removal() {
    let to = Entry {
        line: LineSlot(1),
        rule: None,
        flags: 0,
    };
    let number = |n: u64| digits(&format!("49302{n:07}"));
    let full = basis().apply(Delta {
        exact: (0..50_000).map(|n| (number(n), to)).collect(),
        ..Delta::default()
    });
    let full = full.expect("full");
    let odd = (0..25_000).map(|n| number(2 * n + 1)).collect();
    let half = full
        .apply(Delta {
            exact_removed: odd,
            ..Delta::default()
        })
        .expect("half");
    assert_eq!((50_000, 25_000), (full.counts().exact, half.counts().exact));
    for n in 0..50_000 {
        assert_eq!(
            Some(to),
            full.find(number(n)).map(|found| found.entry),
            "{n}"
        );
        assert_eq!(n % 2 == 0, half.find(number(n)).is_some(), "{n}");
    }
}

#[test]
fn users_lead_to_their_line_until_it_goes() {
    let put = |lines| Delta {
        lines,
        ..Delta::default()
    };
    let one = RouteTable::new(1)
        .apply(put(vec![
            line(3, &["+493023125010", "pbx"]),
            line(900_000, &["alice"]),
        ]))
        .expect("one");
    assert_eq!(Some(LineSlot(3)), one.line_by_user(b"pbx"));
    assert_eq!(Some(LineSlot(900_000)), one.line_by_user(b"alice"));
    assert_eq!(None, one.line_by_user(b"PBX"));
    // The name moves to another line within one delta, whichever comes first.
    let two = one
        .apply(put(vec![
            line(900_000, &["pbx"]),
            line(3, &["+493023125010"]),
        ]))
        .expect("two");
    assert_eq!(Some(LineSlot(900_000)), two.line_by_user(b"pbx"));
    assert_eq!(None, two.line_by_user(b"alice"));
    let three = two
        .apply(Delta {
            lines_removed: vec![LineSlot(900_000)],
            ..Delta::default()
        })
        .expect("three");
    assert_eq!(
        (None, 1),
        (three.line_by_user(b"pbx"), three.counts().lines)
    );
    assert_eq!(
        Some(LineSlot(3)),
        one.line_by_user(b"pbx"),
        "the first snapshot still holds"
    );
}

#[test]
fn memory_is_given_back_in_the_count() {
    let empty = RouteTable::new(1);
    let full = empty
        .apply(Delta {
            lines: vec![line(0, &["a"])],
            rules: vec![rule(0)],
            ..Delta::default()
        })
        .expect("full");
    let gone = Delta {
        lines_removed: vec![LineSlot(0)],
        rules_removed: vec![RuleSlot(0)],
        ..Delta::default()
    };
    let gone = full.apply(gone).expect("gone").counts();
    assert_eq!((0, 0), (gone.lines, gone.rules));
    assert!(
        empty.counts().bytes <= gone.bytes && gone.bytes < full.counts().bytes,
        "{gone:?}"
    );
}

/// Place and matter of the error, and the proof that nothing was applied.
fn refused(delta: Delta) -> (String, String) {
    let table = basis()
        .apply(Delta {
            lines: vec![line(9, &["taken"])],
            ..Delta::default()
        })
        .expect("table");
    let mut in_place = table.clone();
    let error = in_place.load(delta.clone()).expect_err("must be refused");
    assert_eq!(Some(&error), table.apply(delta).as_ref().err());
    assert_eq!(table.counts(), in_place.counts());
    assert_eq!(contents(&table), contents(&in_place));
    (error.where_, error.what)
}

#[test]
fn a_delta_with_one_fault_changes_nothing() {
    let good = (
        digits("493023125010"),
        Entry {
            line: LineSlot(1),
            rule: None,
            flags: 0,
        },
    );
    let to = |line, rule: Option<u32>, flags| {
        (
            digits("49"),
            Entry {
                line: LineSlot(line),
                rule: rule.map(RuleSlot),
                flags,
            },
        )
    };
    let numbers = |bad| Delta {
        exact: vec![good, bad],
        ..Delta::default()
    };
    let mut found = vec![
        refused(numbers(to(77, None, 0))),
        refused(numbers(to(1, Some(77), 0))),
        refused(numbers(to(1, None, 2))),
        refused(Delta {
            lines_removed: vec![LineSlot(1)],
            ..numbers(good)
        }),
        refused(Delta {
            rules_removed: vec![RuleSlot(1)],
            ..numbers(to(1, Some(1), 0))
        }),
        refused(Delta {
            lines: vec![line(20, &[]), line(20, &[])],
            ..numbers(good)
        }),
        refused(Delta {
            lines: vec![line(20, &["taken"])],
            ..numbers(good)
        }),
        refused(Delta {
            lines: vec![line(20, &["x"]), line(21, &["x"])],
            ..numbers(good)
        }),
        refused(Delta {
            lines: vec![line(u32::MAX, &[])],
            ..numbers(good)
        }),
    ];
    let found: Vec<String> = found
        .drain(..)
        .map(|(place, what)| format!("{place}: {what}"))
        .collect();
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
#[allow(clippy::too_many_lines, reason = "one row a field")]
fn lines_of_the_boundary_are_checked_field_by_field() {
    let good = LineSpec {
        line_id: "L1".into(),
        kind: "static".into(),
        request_uri: "number".into(),
        wish: "enabled".into(),
        peers: vec![("127.0.0.1:5060".into(), 2), ("[::1]:5060".into(), 1)],
        groups: vec!["access:AN-7".into(), "region:north".into()],
        ..LineSpec::default()
    };
    let mut delta = Delta::default();
    delta.push_line(good.clone()).expect("good");
    assert_eq!(
        "[::1]:5060",
        delta.lines[0].peers[0].address.to_string(),
        "lowest priority number first"
    );
    let unresolved = LineSpec {
        peers: vec![],
        ..good.clone()
    };
    Delta::default()
        .push_line(unresolved)
        .expect("its peers are named, and no name is resolved yet");
    let bad = [
        LineSpec {
            line_id: String::new(),
            ..good.clone()
        },
        LineSpec {
            kind: "both".into(),
            ..good.clone()
        },
        LineSpec {
            kind: "registered".into(),
            ..good.clone()
        },
        LineSpec {
            peers: vec![("localhost:5060".into(), 1)],
            ..good.clone()
        },
        LineSpec {
            users: vec!["a".into()],
            ..good.clone()
        },
        LineSpec {
            wish: "off".into(),
            ..good.clone()
        },
        LineSpec {
            request_uri: "both".into(),
            ..good.clone()
        },
        LineSpec {
            credentials: vec![("a".into(), "SHA-1".into(), String::new())],
            ..good.clone()
        },
        LineSpec {
            credentials: vec![("a".into(), "MD5".into(), "0".repeat(31))],
            ..good.clone()
        },
        LineSpec {
            groups: vec!["access:AN-7".into(), "north".into()],
            ..good.clone()
        },
        LineSpec {
            groups: vec!["site:S-1".into()],
            ..good.clone()
        },
        LineSpec {
            groups: vec!["region:north".into(), "region:south".into()],
            ..good.clone()
        },
        LineSpec {
            slot: u32::MAX,
            ..good.clone()
        },
        LineSpec {
            registrar: Some(("ims".into(), 0)),
            ..good.clone()
        },
        LineSpec {
            kind: "foreign".into(),
            users: vec!["a".into()],
            ..good.clone()
        },
        LineSpec {
            kind: "foreign".into(),
            registrar: Some(("ims".into(), 0)),
            peers: vec![],
            ..good.clone()
        },
        LineSpec {
            kind: "foreign".into(),
            users: vec!["a".into()],
            registrar: Some(("ims".into(), u32::MAX)),
            ..good
        },
    ];
    let found: Vec<String> = bad
        .into_iter()
        .map(|spec| delta.push_line(spec).expect_err("bad").to_string())
        .collect();
    assert_eq!(1, delta.lines.len(), "nothing of a refused line is kept");
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn rules_and_numbers_of_the_boundary_are_checked() {
    let mut delta = Delta::default();
    let mut found: Vec<String> = Vec::new();
    let target = |digits: &str, keep_after| RuleSpec {
        targets: vec![TargetSpec {
            digits: digits.into(),
            keep_after,
        }],
        ..RuleSpec::default()
    };
    for spec in [
        RuleSpec::default(),
        target("", None),
        target("4930", Some(0)),
        target("+4930", None),
    ] {
        found.push(delta.push_rule(spec).expect_err("bad").to_string());
    }
    let many = TargetSpec {
        digits: "4917139200001".into(),
        keep_after: None,
    };
    for (usual, phone_system) in [(11, 1), (1, 11)] {
        let spec = RuleSpec {
            targets: vec![many.clone(); usual],
            phone_system_targets: vec![many.clone(); phone_system],
            ..RuleSpec::default()
        };
        found.push(delta.push_rule(spec).expect_err("bad").to_string());
    }
    found.push(
        delta
            .push_exact("49x", 0, -1, 0)
            .expect_err("bad")
            .to_string(),
    );
    found.push(
        delta
            .push_exact("49", 0, -2, 0)
            .expect_err("bad")
            .to_string(),
    );
    found.push(
        delta
            .push_exact("49", 0, 0, 4)
            .expect_err("bad")
            .to_string(),
    );
    found.push(
        delta
            .push_prefix("49", 1, 5, 0, -1, 0)
            .expect_err("bad")
            .to_string(),
    );
    found.push(
        delta
            .push_prefix("49", 5, 4, 0, -1, 0)
            .expect_err("bad")
            .to_string(),
    );
    found.push(
        delta
            .push_prefix("49", 5, 16, 0, -1, 0)
            .expect_err("bad")
            .to_string(),
    );
    found.push(delta.push_prefix_removed("").expect_err("bad").to_string());
    let counts = (delta.rules.len(), delta.exact.len(), delta.prefixes.len());
    assert_eq!((0, 0, 0), counts, "nothing of what was refused is kept");
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn a_secret_is_not_printed() {
    let spec = LineSpec {
        line_id: "L1".into(),
        kind: "registered".into(),
        request_uri: "number".into(),
        wish: "enabled".into(),
        credentials: vec![("alice".into(), "MD5".into(), "AB".repeat(16))],
        ..LineSpec::default()
    };
    let line = Line::read(spec, "lines[0]").expect("line");
    assert_eq!("ab".repeat(16), *line.credentials[0].ha1);
    assert!(!format!("{line:?}").contains("abab"));
}
