//! What a call gets: every state of a line with every kind of rule, and the sentences that explain it.
use std::fmt::Write as _;

use route_core::{
    Cause, Decision, Delta, Digits, FaultPlace, Health, InterconnectFlags, LineSlot, LineSpec,
    LineView, NOT_LIVE, NoDiversion, NoTrace, NotFound, Recording, RouteTable, RuleSlot, RuleSpec,
    TargetList, TargetSpec, Wish, decide, reason_for, usable_targets,
};

const FLAGS: InterconnectFlags = InterconnectFlags {
    redirect_only: false,
    no_diversion: None,
};

fn digits(text: &str) -> Digits {
    Digits::parse(text.as_bytes()).expect("digits")
}

fn spec(slot: u32, site: &str) -> LineSpec {
    LineSpec {
        slot,
        line_id: format!("L-{slot}"),
        site_id: site.into(),
        product: "sipTrunk 2.0".into(),
        kind: "registered".into(),
        request_uri: "number".into(),
        wish: "enabled".into(),
        ..LineSpec::default()
    }
}

fn rule(slot: u32, label: &str, armed: bool, targets: &[(&str, Option<u32>)]) -> RuleSpec {
    let targets = targets.iter().map(|(digits, keep_after)| TargetSpec {
        digits: (*digits).into(),
        keep_after: *keep_after,
    });
    RuleSpec {
        slot,
        rule_id: format!("R-{slot}"),
        label: label.into(),
        armed,
        targets: targets.collect(),
        ..RuleSpec::default()
    }
}

/// Line 1 has a block and a number with a rule of its own, lines 2 and 3 are at its site and elsewhere.
fn table() -> RouteTable {
    let mut delta = Delta::default();
    for (slot, site) in [(1, "Berlin"), (2, "Berlin"), (3, "Köln")] {
        delta.push_line(spec(slot, site)).expect("line");
    }
    let rules = [
        rule(
            0,
            "block +49 30 23125 0…",
            true,
            &[("4969900090", Some(10))],
        ),
        rule(
            1,
            "number +49 30 23125 001",
            false,
            &[("4917139200001", None)],
        ),
        rule(
            2,
            "number +49 30 23125 002",
            true,
            &[
                ("493023125002", None),
                ("493023125003", None),
                ("493023125500", None),
            ],
        ),
        rule(
            3,
            "number +49 30 23125 003",
            true,
            &[
                ("493023125500", None),
                ("492214710000", None),
                ("4917139200003", None),
            ],
        ),
    ];
    for rule in rules {
        delta.push_rule(rule).expect("rule");
    }
    delta
        .push_prefix("4930231250", 12, 13, 1, 0, 0)
        .expect("block");
    delta
        .push_prefix("493023125", 12, 12, 1, -1, NOT_LIVE)
        .expect("block that is not live");
    delta.push_exact("493023125001", 1, 1, 0).expect("number");
    delta.push_exact("493023125002", 1, 2, 0).expect("number");
    delta.push_exact("493023125003", 1, 3, 0).expect("number");
    delta.push_exact("493023125004", 1, -1, 0).expect("number");
    delta.push_exact("493023125500", 2, -1, 0).expect("number");
    delta.push_exact("492214710000", 3, -1, 0).expect("number");
    RouteTable::new(3).apply(delta).expect("table")
}

fn view(health: Health, wish: Wish) -> LineView {
    let cause = match health {
        Health::Unknown => Cause::Start,
        Health::Up => Cause::OptionsAnswered,
        Health::Suspect | Health::Down => Cause::OptionsTimeout,
    };
    LineView {
        health,
        cause,
        wish,
        ..LineView::UNKNOWN
    }
}

fn brief(decision: Decision) -> String {
    match decision {
        Decision::NotFound { reason } => format!("not found: {reason:?}"),
        Decision::Redirect { rule, cause, .. } => {
            format!("redirect by rule {}, {}", rule.0, cause.slug().0)
        }
        Decision::Unavailable { cause, .. } => format!("unavailable, {}", cause.slug().0),
        Decision::Proxy {
            timer,
            rescue,
            last_try,
            trial,
            by_redirect,
            ..
        } => {
            let rescue =
                rescue.map_or_else(String::new, |rule| format!(", rescue by rule {}", rule.0));
            let marks = [
                (last_try, ", last try"),
                (trial, ", trial"),
                (by_redirect, ", by redirect"),
            ];
            let marks: String = marks
                .iter()
                .filter(|(on, _)| *on)
                .map(|(_, text)| *text)
                .collect();
            format!("proxy, {timer:?} timer{rescue}{marks}")
        }
    }
}

#[test]
fn every_state_with_every_rule() {
    let table = table();
    let numbers = [
        ("493023125010", "armed"),
        ("493023125001", "not armed"),
        ("493023125004", "no rule"),
        ("493023125002", "useless"),
    ];
    let mut text = String::new();
    for health in [Health::Unknown, Health::Up, Health::Suspect, Health::Down] {
        for wish in [
            Wish::Enabled,
            Wish::Drained,
            Wish::ForcedDown,
            Wish::ForcedUp,
            Wish::Drill,
        ] {
            for (bound, trial, answering, mark) in [
                (true, false, false, ""),
                (false, false, false, ", not bound"),
                (true, true, false, ", trial due"),
                (true, false, true, ", answers again"),
            ] {
                if trial && (health, wish) != (Health::Down, Wish::Enabled)
                    || answering && health != Health::Down
                {
                    continue;
                }
                writeln!(text, "{}, {}{mark}", health.name(), wish.name())
                    .expect("a string takes it");
                for (number, kind) in numbers {
                    // Line 2 shares the site and is down with it.
                    let seen = |slot| match slot {
                        LineSlot(1) => LineView {
                            bound,
                            trial,
                            answering,
                            ..view(health, wish)
                        },
                        _ => view(Health::Down, Wish::Enabled),
                    };
                    let mut recording = Recording::default();
                    let decision = decide(digits(number), &table, seen, FLAGS, &mut recording);
                    assert_eq!(
                        decision,
                        decide(digits(number), &table, seen, FLAGS, &mut NoTrace),
                        "a trace changes nothing"
                    );
                    writeln!(text, "  {kind:<10} {}", brief(decision)).expect("a string takes it");
                }
            }
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn numbers_that_lead_nowhere() {
    let table = table();
    let up = |_| view(Health::Up, Wish::Enabled);
    let found = |table: &RouteTable, number| decide(digits(number), table, up, FLAGS, &mut NoTrace);
    assert_eq!(
        Decision::NotFound {
            reason: NotFound::UnknownNumber
        },
        found(&table, "494066969000")
    );
    assert_eq!(
        Decision::NotFound {
            reason: NotFound::UnknownNumber
        },
        found(&table, "49302312501"),
        "too short for the block"
    );
    assert_eq!(
        Decision::NotFound {
            reason: NotFound::NotLive
        },
        found(&table, "493023125900")
    );
    let gone = table
        .apply(Delta {
            lines_removed: vec![LineSlot(1)],
            ..Delta::default()
        })
        .expect("gone");
    assert_eq!(
        Decision::NotFound {
            reason: NotFound::NoLine
        },
        found(&gone, "493023125010")
    );
    let unruled = table
        .apply(Delta {
            rules_removed: vec![RuleSlot(0)],
            ..Delta::default()
        })
        .expect("unruled");
    assert_eq!(
        "proxy, Normal timer",
        brief(found(&unruled, "493023125010"))
    );
}

#[test]
fn a_healthy_line_of_a_redirect_only_interconnect_gets_its_calls_by_302() {
    let flags = InterconnectFlags {
        redirect_only: true,
        no_diversion: None,
    };
    let decision = decide(
        digits("493023125004"),
        &table(),
        |_| view(Health::Up, Wish::Enabled),
        flags,
        &mut NoTrace,
    );
    assert_eq!("proxy, Normal timer, by redirect", brief(decision));
}

#[test]
fn a_call_that_may_not_be_diverted_again_is_treated_as_if_nothing_were_armed() {
    for why in [NoDiversion::Circle, NoDiversion::TooOften] {
        let flags = InterconnectFlags {
            redirect_only: false,
            no_diversion: Some(why),
        };
        let of = |health, flags| {
            let view = |_| view(health, Wish::Enabled);
            brief(decide(
                digits("493023125010"),
                &table(),
                view,
                flags,
                &mut NoTrace,
            ))
        };
        assert_eq!("proxy, Normal timer", of(Health::Up, flags));
        assert_eq!("proxy, Normal timer", of(Health::Suspect, flags));
        assert_eq!("proxy, Normal timer, last try", of(Health::Down, flags));
        assert!(of(Health::Down, FLAGS).starts_with("redirect"));
        let mut trace = Recording::default();
        let health = |_| view(Health::Down, Wish::Enabled);
        decide(digits("493023125010"), &table(), health, flags, &mut trace);
        assert!(
            trace
                .steps
                .iter()
                .any(|(_, sentence)| sentence == why.text())
        );
    }
}

#[test]
fn a_block_target_keeps_the_extension() {
    let table = table();
    let (line, rule) = (
        table.line(LineSlot(1)).expect("line"),
        table.rule(RuleSlot(0)).expect("rule"),
    );
    let targets = |called| {
        usable_targets(
            &table,
            digits(called),
            line,
            rule,
            TargetList::Usual,
            |_| LineView::UNKNOWN,
        )
        .collect::<Vec<_>>()
    };
    assert_eq!(vec![digits("496990009010")], targets("493023125010"));
    assert_eq!(vec![digits("4969900090123")], targets("4930231250123"));
}

#[test]
fn targets_that_cannot_help_are_left_out() {
    let table = table();
    let (line, rule) = (
        table.line(LineSlot(1)).expect("line"),
        table.rule(RuleSlot(3)).expect("rule"),
    );
    let with = |health| {
        usable_targets(
            &table,
            digits("493023125003"),
            line,
            rule,
            TargetList::Usual,
            move |_| view(health, Wish::Enabled),
        )
        .collect::<Vec<_>>()
    };
    let all = [
        digits("493023125500"),
        digits("492214710000"),
        digits("4917139200003"),
    ];
    assert_eq!(all.to_vec(), with(Health::Up));
    assert_eq!(
        all[1..].to_vec(),
        with(Health::Down),
        "line 2 is down with the site, line 3 stands elsewhere"
    );
}

#[test]
fn the_sentences_explain_the_decision() {
    let table = table();
    let mut text = String::new();
    for (number, health, wish) in [
        ("493023125010", Health::Down, Wish::Enabled),
        ("493023125010", Health::Suspect, Wish::Enabled),
        ("493023125001", Health::Down, Wish::Enabled),
        ("493023125002", Health::Down, Wish::Enabled),
        ("493023125004", Health::Up, Wish::ForcedDown),
        ("493023125004", Health::Unknown, Wish::Drill),
        ("493023125900", Health::Up, Wish::Enabled),
        ("494066969000", Health::Up, Wish::Enabled),
    ] {
        let mut recording = Recording::default();
        decide(
            digits(number),
            &table,
            |_| view(health, wish),
            FLAGS,
            &mut recording,
        );
        writeln!(text, "+{number}, {}, {}", health.name(), wish.name()).expect("a string takes it");
        for (step, sentence) in recording.steps {
            writeln!(text, "  {:<8} {sentence}", step.name()).expect("a string takes it");
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn each_cause_has_its_words_in_the_headers() {
    for (cause, q850, parameter) in [
        (Cause::NotRegistered, 20, 404),
        (Cause::Expired, 20, 404),
        (Cause::OptionsTimeout, 27, 503),
        (Cause::CallSilent, 18, 408),
        (Cause::CallFailed(503), 41, 503),
        (Cause::Wish, 31, 503),
    ] {
        let reason = reason_for(cause);
        assert_eq!(
            ("out-of-service", q850, parameter),
            (reason.diversion, reason.q850, reason.cause_param),
            "{cause}"
        );
    }
}

/// One number with a rule that has a list of its own for the phone system.
fn two_lists(kind: &str, change: impl FnOnce(&mut RuleSpec)) -> RouteTable {
    let mut delta = Delta::default();
    let line = LineSpec {
        kind: kind.into(),
        registrar: (kind == "foreign").then(|| ("elsewhere".into(), 1)),
        users: vec!["user".into()],
        ..spec(1, "Berlin")
    };
    delta.push_line(line).expect("line");
    let mut rule = rule(0, "order A-1", true, &[("4917139200001", None)]);
    rule.phone_system_targets = vec![TargetSpec {
        digits: "492214710000".into(),
        keep_after: None,
    }];
    change(&mut rule);
    delta.push_rule(rule).expect("rule");
    delta.push_exact("493023125004", 1, 0, 0).expect("number");
    RouteTable::new(3).apply(delta).expect("table")
}

fn at_place(table: &RouteTable, health: Health, place: FaultPlace) -> (Decision, Recording) {
    let mut recording = Recording::default();
    let seen = |_| LineView {
        place,
        ..view(health, Wish::Enabled)
    };
    let decision = decide(digits("493023125004"), table, seen, FLAGS, &mut recording);
    let silent = decide(digits("493023125004"), table, seen, FLAGS, &mut NoTrace);
    assert_eq!(decision, silent, "a trace changes nothing");
    (decision, recording)
}

fn list_taken(table: &RouteTable, place: FaultPlace) -> Option<TargetList> {
    match at_place(table, Health::Down, place).0 {
        Decision::Redirect { list, .. } => Some(list),
        _ => None,
    }
}

#[test]
fn the_place_of_the_fault_chooses_the_list() {
    let table = two_lists("registered", |_| {});
    for place in [
        FaultPlace::Unclear,
        FaultPlace::DataLine,
        FaultPlace::Network,
        FaultPlace::Router,
    ] {
        assert_eq!(
            Some(TargetList::Usual),
            list_taken(&table, place),
            "{place:?}"
        );
    }
    let phone_system = FaultPlace::PhoneSystem;
    assert_eq!(
        Some(TargetList::PhoneSystem),
        list_taken(&table, phone_system)
    );
    let plain = two_lists("registered", |rule| rule.phone_system_targets.clear());
    assert_eq!(Some(TargetList::Usual), list_taken(&plain, phone_system));
    let only = two_lists("registered", |rule| rule.targets.clear());
    assert_eq!(None, list_taken(&only, FaultPlace::Unclear));
    assert_eq!(
        Some(TargetList::PhoneSystem),
        list_taken(&only, phone_system)
    );
    let useless = two_lists("registered", |rule| {
        rule.phone_system_targets[0].digits = "493023125004".into();
    });
    assert_eq!(
        Some(TargetList::Usual),
        list_taken(&useless, phone_system),
        "better those for any fault than none"
    );
    let foreign = two_lists("foreign", |_| {});
    assert_eq!(
        Some(TargetList::Usual),
        list_taken(&foreign, phone_system),
        "somebody else's network says nothing about the phone system"
    );
}

#[test]
fn a_wish_is_no_fault_of_the_phone_system() {
    let table = two_lists("registered", |_| {});
    let seen = |_| LineView {
        place: FaultPlace::PhoneSystem,
        ..view(Health::Suspect, Wish::Drill)
    };
    let decision = decide(digits("493023125004"), &table, seen, FLAGS, &mut NoTrace);
    assert!(
        matches!(
            decision,
            Decision::Redirect {
                list: TargetList::Usual,
                ..
            }
        ),
        "{decision:?}"
    );
}

#[test]
fn a_line_in_doubt_hurries_if_either_list_can_help() {
    let rescue =
        |table: &RouteTable| brief(at_place(table, Health::Suspect, FaultPlace::Unclear).0);
    let only = two_lists("registered", |rule| rule.targets.clear());
    assert_eq!("proxy, Suspect timer, rescue by rule 0", rescue(&only));
    let none = two_lists("registered", |rule| {
        rule.targets[0].digits = "493023125004".into();
        rule.phone_system_targets[0].digits = "493023125004".into();
    });
    assert_eq!("proxy, Normal timer", rescue(&none));
}

#[test]
fn a_rule_that_rests_counts_as_not_armed() {
    let resting = two_lists("registered", |rule| {
        rule.rests = "its plan \"night\" is not on".into();
    });
    let table = resting;
    assert!(!table.rule(RuleSlot(0)).expect("rule").in_force());
    for health in [Health::Up, Health::Suspect] {
        let (decision, _) = at_place(&table, health, FaultPlace::Unclear);
        assert_eq!("proxy, Normal timer", brief(decision));
    }
    let (decision, _) = at_place(&table, Health::Down, FaultPlace::PhoneSystem);
    assert_eq!("proxy, Normal timer, last try", brief(decision));
}

#[test]
fn the_sentences_name_the_list_and_why_a_rule_rests() {
    let mut text = String::new();
    let resting = two_lists("registered", |rule| {
        rule.rests = "it diverts nothing in the period \"night\"".into();
    });
    let useless = two_lists("registered", |rule| {
        rule.phone_system_targets[0].digits = "493023125004".into();
    });
    for (what, table, health, place) in [
        (
            "phone system",
            two_lists("registered", |_| {}),
            Health::Down,
            FaultPlace::PhoneSystem,
        ),
        (
            "router",
            two_lists("registered", |_| {}),
            Health::Down,
            FaultPlace::Router,
        ),
        (
            "in doubt",
            two_lists("registered", |_| {}),
            Health::Suspect,
            FaultPlace::Unclear,
        ),
        (
            "useless list",
            useless,
            Health::Down,
            FaultPlace::PhoneSystem,
        ),
        ("resting", resting, Health::Down, FaultPlace::Unclear),
    ] {
        writeln!(text, "{what}").expect("a string takes it");
        for (step, sentence) in at_place(&table, health, place).1.steps {
            writeln!(text, "  {:<8} {sentence}", step.name()).expect("a string takes it");
        }
    }
    insta::assert_snapshot!(text);
}
