//! The verdict machines: every state with every event, and what holds under any sequence.
mod prober;

use std::fmt::Write as _;
use std::time::Duration;

use prober::Prober;
use proptest::prelude::*;
use route_core::{
    CallOutcome, Cause, Change, FaultPlace, Health, Known, LineVerdict, Profile, Registration,
    TargetHealth, Unreachable, mermaid, worst_case_detection, worst_case_recovery,
};
use sip_core::time::Timestamp;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

const PROFILE: Profile = Profile {
    interval: seconds(30),
    fast_interval: seconds(2),
    timeout: seconds(1),
    fall: 3,
    rise: 2,
    hold: seconds(10),
    timeout_max: seconds(2),
    fall_max: 14,
    hold_max: seconds(120),
    flap_half_life: seconds(120),
    hold_down_max: seconds(60),
    judge_options: true,
    judge_registration: true,
};

/// What can happen to a target.
#[derive(Clone, Copy, Debug)]
enum Input {
    Packet,
    Sent,
    Answer(bool),
    Timeout,
    Late,
    Refused,
    HoldDown,
    Void,
    Doubt,
    Registered,
    Call(CallOutcome),
}

const INPUTS: [Input; 15] = [
    Input::Packet,
    Input::Sent,
    Input::Answer(true),
    Input::Answer(false),
    Input::Timeout,
    Input::Late,
    Input::Refused,
    Input::HoldDown,
    Input::Void,
    Input::Doubt,
    Input::Registered,
    Input::Call(CallOutcome::Answered),
    Input::Call(CallOutcome::Fault { code: 503 }),
    Input::Call(CallOutcome::Silent),
    Input::Call(CallOutcome::Unreachable {
        kind: Unreachable::Port,
        by_target: true,
    }),
];

/// What is told of an OPTIONS is told of one sent just so long before that it can be true.
fn feed(target: &mut TargetHealth, input: Input, profile: &Profile, now: Timestamp) {
    let ago = |millis| at((now.as_micros() / 1_000).saturating_sub(millis));
    let timeout = target.timeout(profile).as_millis() as u64;
    match input {
        Input::Packet => target.handle_packet(now),
        Input::Sent => target.handle_probe_sent(profile, now),
        Input::Answer(good) => {
            let code = if good { 200 } else { 503 };
            target.handle_probe_answer(ago(20), good, code, profile, now);
        }
        Input::Timeout => target.handle_probe_timeout(ago(timeout), profile, now),
        Input::Late => target.handle_probe_late(ago(timeout + 200), profile, now),
        Input::Refused => {
            target.handle_probe_unreachable(Unreachable::Host, false, ago(20), profile, now);
        }
        Input::HoldDown => target.handle_hold_down(ago(20), seconds(20), profile, now),
        Input::Void => target.handle_probe_void(now),
        Input::Doubt => target.handle_doubt(profile, now),
        Input::Registered => target.handle_registered(profile, now),
        Input::Call(outcome) => target.handle_call(outcome, profile, now),
    }
}

/// A target brought about by inputs one second apart; the last one at 100 s.
fn brought_about(inputs: &[Input]) -> TargetHealth {
    let start = 100_000 - 3_000 * (inputs.len() as u64 - u64::from(!inputs.is_empty()));
    let mut target = TargetHealth::new(at(start), at(start));
    for (n, input) in inputs.iter().enumerate() {
        feed(&mut target, *input, &PROFILE, at(start + 3_000 * n as u64));
    }
    target
}

#[test]
fn every_state_with_every_event() {
    let good = Input::Answer(true);
    let silent = Input::Call(CallOutcome::Silent);
    let lost = Input::Timeout;
    let states: [(&str, &[Input]); 9] = [
        ("unknown", &[]),
        ("up", &[good]),
        ("suspect by OPTIONS", &[good, lost]),
        ("suspect by a call", &[good, silent]),
        (
            "suspect, one lost OPTIONS from down",
            &[good, lost, lost, lost, lost, lost, lost, lost, lost, lost],
        ),
        (
            "suspect, one report from down",
            &[good, Input::Refused, Input::Refused],
        ),
        (
            "down by OPTIONS",
            &[good, Input::Refused, Input::Refused, Input::Refused],
        ),
        ("down by calls", &[good, silent, silent, silent]),
        ("down as it said itself", &[good, Input::HoldDown]),
    ];
    let mut text = String::new();
    for (name, inputs) in states {
        let before = brought_about(inputs);
        for later in [5, 60] {
            writeln!(text, "{name}, {later} s later").expect("a string takes it");
            for input in INPUTS {
                let mut target = before.clone();
                feed(&mut target, input, &PROFILE, at(100_000 + later * 1_000));
                let probe = target
                    .next_probe_at(&PROFILE)
                    .map(Timestamp::as_micros)
                    .unwrap_or_default()
                    / 1_000_000;
                let (health, cause) = (target.health().name(), target.cause().slug().0);
                writeln!(
                    text,
                    "  {:<38} {health:<8} {cause:<17} next probe at {probe} s",
                    format!("{input:?}")
                )
                .expect("a string takes it");
            }
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn the_documented_diagram_is_the_table() {
    let document = include_str!("../../../docs/verdicts.md");
    let fence = format!("```mermaid\n{}```", mermaid());
    assert!(
        document.contains(&fence),
        "docs/verdicts.md must hold this:\n{fence}"
    );
}

#[test]
fn a_target_that_never_answered_options_is_not_judged_by_them() {
    let mut target = TargetHealth::new(at(0), at(0));
    target.handle_registered(&PROFILE, at(0));
    for second in 1..100 {
        for input in [Input::Timeout, Input::Answer(false), Input::Refused] {
            feed(&mut target, input, &PROFILE, at(second * 1_000));
        }
    }
    assert_eq!(Health::Up, target.health());
}

#[test]
fn a_system_that_answers_options_and_ignores_calls_stays_down_until_a_call_is_answered() {
    let silent = Input::Call(CallOutcome::Silent);
    let mut target = brought_about(&[
        Input::Answer(true),
        silent,
        Input::Answer(true),
        silent,
        Input::Answer(true),
        silent,
    ]);
    assert_eq!(
        (Health::Down, Cause::CallSilent),
        (target.health(), target.cause())
    );
    assert!(!target.trial_due(&PROFILE, at(105_000)), "hold is not over");
    for second in 101..200 {
        feed(
            &mut target,
            Input::Answer(true),
            &PROFILE,
            at(second * 1_000),
        );
        target.handle_registered(&PROFILE, at(second * 1_000));
        assert_eq!(Health::Down, target.health());
    }
    assert!(target.trial_due(&PROFILE, at(200_000)));
    target.handle_trial_sent(at(200_000));
    assert!(
        !target.trial_due(&PROFILE, at(201_000)),
        "one trial at a time"
    );
    assert!(target.trial_due(&PROFILE, at(202_000)));
    target.handle_call(CallOutcome::Answered, &PROFILE, at(203_000));
    assert_eq!(
        (Health::Up, Cause::CallAnswered),
        (target.health(), target.cause())
    );
}

#[test]
fn calls_that_fail_together_are_one_fault() {
    let mut target = brought_about(&[Input::Answer(true)]);
    for millis in 0..100 {
        target.handle_call(
            CallOutcome::Fault { code: 503 },
            &PROFILE,
            at(100_000 + millis),
        );
    }
    assert_eq!(Health::Suspect, target.health());
    assert_eq!(1, target.evidence().call_faults);
}

#[test]
fn one_icmp_error_takes_nothing_down() {
    let strict = Profile { fall: 1, ..PROFILE };
    let icmp = CallOutcome::Unreachable {
        kind: Unreachable::Host,
        by_target: false,
    };
    let mut target = brought_about(&[Input::Answer(true)]);
    target.handle_call(icmp, &strict, at(101_000));
    assert_eq!(Health::Suspect, target.health());
    target.handle_call(icmp, &strict, at(104_000));
    assert_eq!(
        (Health::Down, Cause::Unreachable(Unreachable::Host)),
        (target.health(), target.cause())
    );
}

#[test]
fn packets_postpone_silence_but_not_for_ever() {
    let mut target = brought_about(&[Input::Answer(true)]);
    let lost_with_a_packet = |target: &mut TargetHealth, second: u64| {
        target.handle_packet(at(second * 1_000));
        feed(target, Input::Timeout, &PROFILE, at(second * 1_000 + 2));
    };
    for second in 101..104 {
        lost_with_a_packet(&mut target, second);
        assert_eq!(Health::Up, target.health());
    }
    for second in 104..114 {
        lost_with_a_packet(&mut target, second);
    }
    assert_eq!(
        (Health::Down, Cause::OptionsTimeout),
        (target.health(), target.cause())
    );
}

#[test]
fn an_answer_ends_the_row_of_all_that_were_sent_before_it() {
    let mut target = brought_about(&[Input::Answer(true)]);
    target.handle_probe_timeout(at(100_000), &PROFILE, at(101_000));
    target.handle_probe_answer(at(101_500), true, 200, &PROFILE, at(101_520));
    assert_eq!(Health::Up, target.health());
    target.handle_probe_timeout(at(101_000), &PROFILE, at(102_000));
    assert_eq!(Health::Up, target.health(), "sent before the answered one");
    target.handle_probe_timeout(at(102_000), &PROFILE, at(103_000));
    assert_eq!(Health::Suspect, target.health(), "sent after it");
}

#[test]
fn a_late_answer_takes_its_loss_back() {
    let mut target = brought_about(&[Input::Answer(true)]);
    for second in 101..140 {
        feed(&mut target, Input::Timeout, &PROFILE, at(second * 1_000));
        feed(&mut target, Input::Late, &PROFILE, at(second * 1_000 + 500));
        assert_ne!(Health::Down, target.health());
    }
    assert_eq!(0, target.evidence().options_faults);
    assert_eq!(
        Some(target.timeout(&PROFILE)),
        target
            .round_trip()
            .map(|time| time.max(PROFILE.timeout).min(PROFILE.timeout_max)),
        "and next time it is waited for"
    );
}

#[test]
fn three_reports_are_enough_and_silence_takes_what_the_loss_asks_for() {
    for (input, expected) in [
        (Input::Refused, 3),
        (Input::Answer(false), 3),
        (Input::Timeout, 10),
    ] {
        let mut target = brought_about(&[Input::Answer(true)]);
        let mut faults = 0;
        while target.health() != Health::Down {
            faults += 1;
            feed(&mut target, input, &PROFILE, at(102_000 + 1_000 * faults));
        }
        assert_eq!(expected, faults, "{input:?}");
    }
}

#[test]
fn loss_is_learnt_from_the_living_and_not_from_the_dead() {
    let mut target = brought_about(&[Input::Answer(true)]);
    let fresh = target.fall(&PROFILE);
    let mut now = 200_000;
    let mut feed_next = |target: &mut TargetHealth, input: Input| {
        now += 1_000;
        feed(target, input, &PROFILE, at(now));
    };
    for _ in 0..40 {
        feed_next(&mut target, Input::Timeout);
    }
    assert_eq!((10, Health::Down), (fresh, target.health()));
    for _ in 0..300 {
        feed_next(&mut target, Input::Answer(true));
    }
    assert_eq!(5, target.fall(&PROFILE), "an hour without loss");
    for _ in 0..300 {
        feed_next(&mut target, Input::Timeout);
        feed_next(&mut target, Input::Answer(true));
        feed_next(&mut target, Input::Answer(true));
    }
    assert!(
        target.fall(&PROFILE) >= 11,
        "a third is lost: {}",
        target.fall(&PROFILE)
    );
    assert!(
        (240..360).contains(&target.loss_per_mille()),
        "{}",
        target.loss_per_mille()
    );
}

#[test]
fn each_fall_in_a_row_doubles_the_stay_and_quiet_forgets_it() {
    let mut target = brought_about(&[Input::Answer(true)]);
    let mut now = 100_000;
    let mut fall = |target: &mut TargetHealth, wait: u64| {
        now += wait;
        while target.health() != Health::Down {
            now += 100;
            feed(target, Input::Refused, &PROFILE, at(now));
        }
        let stay = target.held_until() - target.since();
        now += stay.as_millis() as u64;
        while target.health() != Health::Up {
            now += 100;
            feed(target, Input::Answer(true), &PROFILE, at(now));
        }
        stay.as_secs()
    };
    let stays: Vec<u64> = (0..7).map(|_| fall(&mut target, 0)).collect();
    assert_eq!(10, stays[0]);
    assert!((17..20).contains(&stays[1]), "{stays:?}");
    assert!(stays.windows(2).all(|pair| pair[0] <= pair[1]), "{stays:?}");
    assert!(stays.iter().all(|stay| *stay <= 120), "{stays:?}");
    assert_eq!(10, fall(&mut target, 86_400_000), "forgotten");
}

#[test]
fn a_target_that_says_when_it_is_back_is_asked_then_and_one_answer_is_enough() {
    let mut target = brought_about(&[Input::Answer(true)]);
    target.handle_hold_down(at(100_000), seconds(20), &PROFILE, at(100_020));
    assert_eq!(
        (Health::Down, Cause::OptionsCode(503)),
        (target.health(), target.cause())
    );
    assert_eq!(Some(at(120_020)), target.next_probe_at(&PROFILE));
    feed(&mut target, Input::Answer(true), &PROFILE, at(119_000));
    assert_eq!(Health::Down, target.health(), "not before its time");
    feed(&mut target, Input::Answer(true), &PROFILE, at(120_100));
    assert_eq!(Health::Up, target.health());
    target.handle_hold_down(at(130_000), seconds(86_400), &PROFILE, at(130_020));
    assert_eq!(at(190_020), target.held_until(), "a minute at most");
}

#[test]
fn the_place_of_the_fault_is_said_where_it_can_be_known() {
    let reported = |kind, by_target| CallOutcome::Unreachable { kind, by_target };
    let silent = Input::Call(CallOutcome::Silent);
    for (inputs, expected) in [
        (vec![Input::Timeout; 10], FaultPlace::Unclear),
        (vec![silent; 3], FaultPlace::PhoneSystem),
        (vec![Input::Answer(false); 3], FaultPlace::PhoneSystem),
        (vec![Input::Refused; 3], FaultPlace::Router),
        (
            vec![Input::Call(reported(Unreachable::Port, true)); 3],
            FaultPlace::PhoneSystem,
        ),
        (
            vec![Input::Call(reported(Unreachable::Port, false)); 3],
            FaultPlace::Unclear,
        ),
        (
            vec![Input::Call(reported(Unreachable::Host, true)); 3],
            FaultPlace::Network,
        ),
        (
            vec![Input::Call(CallOutcome::Fault { code: 503 }); 3],
            FaultPlace::PhoneSystem,
        ),
    ] {
        let mut target = brought_about(&[Input::Answer(true)]);
        for (n, input) in inputs.iter().enumerate() {
            feed(
                &mut target,
                *input,
                &PROFILE,
                at(103_000 + 3_000 * n as u64),
            );
        }
        assert_eq!(
            (Health::Down, expected),
            (target.health(), target.evidence().place),
            "{inputs:?}"
        );
    }
}

#[test]
fn a_fall_that_is_not_admitted_leaves_the_line_suspect_until_it_is() {
    let mut line = LineVerdict::new(at(0));
    line.fuse(Registration::Present, [&up(at(0))], &PROFILE, at(0), |_| {
        true
    });
    let fallen = down(at(1_000));
    let judge = |line: &mut LineVerdict, millis, admit: bool| {
        line.fuse(
            Registration::Present,
            [&fallen],
            &PROFILE,
            at(millis),
            |_| admit,
        )
    };
    let change = judge(&mut line, 1_000, false).expect("a flip");
    assert_eq!((Health::Suspect, true), (change.health, line.is_refused()));
    assert_eq!(Some(at(31_000)), line.deadline(&PROFILE));
    assert_eq!(None, judge(&mut line, 2_000, false), "reported once");
    let change = judge(&mut line, 3_000, true).expect("a flip");
    assert_eq!(
        (Health::Suspect, Health::Down, false),
        (change.previous, change.health, line.is_refused())
    );
}

#[test]
fn the_times_of_the_default_profile_are_those_of_the_documentation() {
    let profile = Profile {
        interval: seconds(10),
        fast_interval: Duration::from_millis(500),
        hold: seconds(5),
        ..PROFILE
    };
    let millis = |known| worst_case_detection(&profile, known).as_millis();
    assert_eq!(
        [12_000, 8_250, 17_000],
        [Known::Clean, Known::Fresh, Known::Bound].map(millis)
    );
    assert_eq!(6_500, worst_case_recovery(&profile).as_millis());
}

fn up(now: Timestamp) -> TargetHealth {
    let mut target = TargetHealth::new(now, now);
    target.handle_registered(&PROFILE, now);
    target
}

fn down(now: Timestamp) -> TargetHealth {
    TargetHealth::restored(Health::Down, now, Cause::OptionsTimeout, &PROFILE, now)
}

#[test]
fn a_line_is_up_while_one_target_is() {
    let mut line = LineVerdict::new(at(0));
    let change = line
        .fuse(
            Registration::Present,
            [&down(at(0)), &up(at(1))],
            &PROFILE,
            at(1),
            |_| true,
        )
        .expect("a flip");
    assert_eq!(
        (Health::Unknown, Health::Up, Cause::Registered),
        (change.previous, change.health, change.cause)
    );
    assert_eq!(
        None,
        line.fuse(
            Registration::Present,
            [&down(at(0)), &up(at(1))],
            &PROFILE,
            at(2),
            |_| true
        ),
        "reported once"
    );
    let change = line
        .fuse(
            Registration::Present,
            [&down(at(3)), &down(at(4))],
            &PROFILE,
            at(4),
            |_| true,
        )
        .expect("a flip");
    assert_eq!(
        (Health::Down, Cause::OptionsTimeout, at(4)),
        (change.health, change.cause, change.since)
    );
}

#[test]
fn a_line_that_was_never_there_is_up_as_soon_as_it_comes() {
    let mut line = LineVerdict::new(at(0));
    let admit = |_: &Change| true;
    let change = line.fuse(Registration::Absent, [], &PROFILE, at(1_000), admit);
    assert_eq!(Some(Health::Down), change.map(|change| change.health));
    let first = [&up(at(1_100))];
    let change = line.fuse(Registration::Present, first, &PROFILE, at(1_100), admit);
    assert_eq!(Some(Health::Up), change.map(|change| change.health));
    // Its first fall is held as a first fall.
    line.fuse(Registration::Removed, [], &PROFILE, at(60_000), admit);
    assert_eq!(at(60_000) + PROFILE.hold, line.held_until());
}

#[test]
fn a_lost_registration_is_down_at_once_and_comes_back_after_hold() {
    for (lost, cause) in [
        (Registration::Absent, Cause::NotRegistered),
        (Registration::Expired, Cause::Expired),
        (Registration::Removed, Cause::Removed),
    ] {
        let mut line = LineVerdict::new(at(0));
        line.fuse(Registration::Present, [&up(at(0))], &PROFILE, at(0), |_| {
            true
        });
        let change = line
            .fuse(lost, [], &PROFILE, at(1_000), |_| true)
            .expect("a flip");
        assert_eq!((Health::Down, cause), (change.health, change.cause));
        assert_eq!(
            None,
            line.fuse(
                Registration::Present,
                [&up(at(2_000))],
                &PROFILE,
                at(2_000),
                |_| true
            )
        );
        assert_eq!(Some(at(11_000)), line.deadline(&PROFILE));
        assert_eq!(
            None,
            line.fuse(
                Registration::Present,
                [&up(at(2_000))],
                &PROFILE,
                at(10_999),
                |_| true
            )
        );
        let change = line
            .fuse(
                Registration::Present,
                [&up(at(2_000))],
                &PROFILE,
                at(11_000),
                |_| true,
            )
            .expect("a flip");
        assert_eq!((Health::Up, None), (change.health, line.deadline(&PROFILE)));
        let careless = Profile {
            judge_registration: false,
            ..PROFILE
        };
        assert_eq!(
            None,
            line.fuse(lost, [&up(at(0))], &careless, at(12_000), |_| true)
        );
    }
}

#[test]
fn a_restored_verdict_stands_until_fresh_evidence() {
    let mut line = LineVerdict::new(at(0));
    line.restore(Health::Down, at(0), Cause::OptionsTimeout, &PROFILE);
    let fresh = TargetHealth::new(at(60_000), at(60_000));
    assert_eq!(
        None,
        line.fuse(
            Registration::Present,
            [&fresh],
            &PROFILE,
            at(60_000),
            |_| true
        )
    );
    assert_eq!(
        None,
        line.fuse(Registration::Unknown, [], &PROFILE, at(60_000), |_| true)
    );
    assert_eq!(Health::Down, line.health());
    let change = line
        .fuse(
            Registration::Present,
            [&up(at(61_000))],
            &PROFILE,
            at(61_000),
            |_| true,
        )
        .expect("a flip");
    assert_eq!((Health::Down, Health::Up), (change.previous, change.health));
}

#[test]
fn causes_keep_their_slugs() {
    for slug in [
        "start",
        "options_timeout",
        "options_code",
        "not_registered",
        "expired",
        "call_failed",
        "removed",
        "port_unreachable",
        "host_unreachable",
        "network_unreachable",
        "prohibited",
        "no_route",
        "name_unresolved",
        "connection_lost",
        "wish",
    ] {
        assert_eq!(
            Some(slug),
            Cause::from_slug(slug).map(|cause| cause.slug().0)
        );
    }
    assert_eq!(
        Some(Cause::Unreachable(Unreachable::Host)),
        Cause::from_slug("icmp"),
        "as older rows have it"
    );
    assert_eq!(None, Cause::from_slug("rain"));
}

prop_compose! {
    fn any_profile()(
        interval in 1_u64..60_000, fast in 1_u64..10_000, timeout in 1_u64..5_000,
        fall in 0_u16..6, rise in 0_u16..6, hold in 0_u64..60_000, judge_registration in any::<bool>(),
    ) -> Profile {
        Profile {
            interval: Duration::from_millis(interval), fast_interval: Duration::from_millis(fast),
            timeout: Duration::from_millis(timeout), fall, rise, hold: Duration::from_millis(hold),
            timeout_max: Duration::from_secs(2), fall_max: 14, hold_max: Duration::from_mins(2),
            flap_half_life: Duration::from_mins(2), hold_down_max: Duration::from_mins(1),
            judge_options: true, judge_registration,
        }
    }
}

fn any_steps() -> impl Strategy<Value = Vec<(Input, u64)>> {
    let input = (0..INPUTS.len()).prop_map(|n| INPUTS[n]);
    let step = prop_oneof![0_u64..50, 0_u64..5_000, 0_u64..100_000];
    proptest::collection::vec((input, step), 0..120)
}

proptest! {
    #[test]
    fn a_target_keeps_its_promises(profile in any_profile(), steps in any_steps()) {
        let sane = profile.sane();
        let mut now = at(1_000);
        let mut target = TargetHealth::new(now, now);
        // Faults since the last answered call: no good evidence at all ends more than this row.
        let mut faults = 0_u32;
        // What was refused since any good answer: a call, an OPTIONS.
        let mut refused = [false; 2];
        for (input, step) in steps {
            now += Duration::from_millis(step);
            let (before, held_until) = (target.health(), target.held_until());
            let said = matches!(input, Input::HoldDown);
            match input {
                Input::Answer(false) | Input::Timeout | Input::Refused
                | Input::Call(CallOutcome::Fault { .. } | CallOutcome::Silent | CallOutcome::Unreachable { .. }) => faults += 1,
                Input::Call(CallOutcome::Answered) => faults = 0,
                Input::Packet | Input::Sent | Input::Answer(true) | Input::Registered | Input::Late | Input::Void | Input::HoldDown
                | Input::Doubt => {}
            }
            match input {
                Input::Call(CallOutcome::Fault { .. }) => refused[0] = true,
                Input::Answer(false) => refused[1] = true,
                Input::Answer(true) | Input::Registered | Input::Call(CallOutcome::Answered) => refused = [false; 2],
                _ => {}
            }
            feed(&mut target, input, &profile, now);
            let after = target.health();
            if before != Health::Down && after == Health::Down && !said {
                let both = refused == [true; 2];
                prop_assert!(both || faults >= u32::from(sane.fall), "down after {} faults", faults);
                prop_assert!(target.held_until() - target.since() >= sane.hold, "held too short");
                let row = target.evidence();
                prop_assert!(both || row.options_faults + row.call_faults >= sane.fall);
            }
            if before == Health::Down && after != Health::Down {
                prop_assert_eq!(Health::Up, after);
                prop_assert!(now >= held_until, "up before hold");
            }
            prop_assert!(before == Health::Unknown || after != Health::Unknown);
            let next = target.next_probe_at(&profile);
            prop_assert!(next.is_some_and(|next| next <= now + sane.interval.max(sane.hold_down_max)), "next probe {:?} at {:?}", next, now);
        }

        // From wherever that led: an answered call clears the row, then silence, then answers.
        now = now.max(target.held_until());
        target.handle_call(CallOutcome::Answered, &profile, now);
        prop_assert_eq!(Health::Up, target.health(), "an answered call after hold brings it back");
        target.handle_probe_answer(now, true, 200, &profile, now);
        let mut prober = Prober::new(target, profile, now);
        // Round trips of the past may have stretched the time-out.
        let bound = worst_case_detection(&profile, Known::Bound);
        prop_assert!(prober.until(false, Health::Down, bound).is_some(), "not down within {:?}", bound);
        let longer = (prober.target.held_until() - prober.now).saturating_sub(sane.hold);
        let bound = worst_case_recovery(&profile) + longer;
        prop_assert!(prober.until(true, Health::Up, bound).is_some(), "not up within {:?}", bound);
    }

    #[test]
    fn a_line_keeps_its_promises(
        profile in any_profile(),
        steps in proptest::collection::vec((0_usize..3, 0..INPUTS.len(), 0_u64..20_000, 0_usize..8), 0..120),
    ) {
        let sane = profile.sane();
        let registrations = [Registration::Absent, Registration::Expired, Registration::Removed, Registration::Unknown];
        let mut now = at(1_000);
        let mut targets = [TargetHealth::new(now, now), TargetHealth::new(now, now), TargetHealth::new(now, now)];
        let mut line = LineVerdict::new(now);
        for (which, input, step, registration) in steps {
            now += Duration::from_millis(step);
            feed(&mut targets[which], INPUTS[input], &profile, now);
            let registration = registrations.get(registration).copied().unwrap_or(Registration::Present);
            let (before, held_until) = (line.health(), line.held_until());
            let change = line.fuse(registration, &targets, &profile, now, |_| true);
            prop_assert_eq!(change.is_some(), before != line.health(), "each flip once");
            if let Some(change) = change {
                prop_assert_eq!((before, line.health(), now), (change.previous, change.health, change.since));
                let lost = matches!(change.cause, Cause::NotRegistered | Cause::Expired | Cause::Removed);
                if change.health == Health::Down {
                    let all = targets.iter().all(|target| target.health() == Health::Down);
                    prop_assert!(all || (lost && profile.judge_registration));
                    prop_assert!(lost || change.cause == Cause::OptionsCode(503) || change.evidence.options_faults + change.evidence.call_faults >= sane.fall.min(2));
                }
                prop_assert!(before != Health::Down || now >= held_until, "up before hold");
            }
            if let Some(deadline) = line.deadline(&profile) {
                prop_assert!(deadline > now && line.health() == Health::Down);
            }
        }
        // Never stuck: with a good target and a binding it is up when the deadline comes.
        now = now.max(targets[0].held_until());
        targets[0].handle_call(CallOutcome::Answered, &profile, now);
        line.fuse(Registration::Present, &targets, &profile, now, |_| true);
        let now = line.deadline(&profile).unwrap_or(now);
        line.fuse(Registration::Present, &targets, &profile, now, |_| true);
        prop_assert_eq!(Health::Up, line.health());
    }
}

#[test]
fn a_target_that_refuses_calls_and_options_says_itself_that_it_is_out() {
    let call = Input::Call(CallOutcome::Fault { code: 503 });
    let silent = Input::Call(CallOutcome::Silent);
    let (good, ill) = (Input::Answer(true), Input::Answer(false));
    for (inputs, expected) in [
        (vec![good, call, ill], Health::Down),
        (vec![good, ill, call], Health::Down),
        // Busy channels are no outage: OPTIONS are answered.
        (vec![good, call, good, ill], Health::Suspect),
        (vec![good, ill, good, call], Health::Suspect),
        (vec![good, silent, ill], Health::Suspect),
    ] {
        let target = brought_about(&inputs);
        assert_eq!(expected, target.health(), "{inputs:?}");
    }
}

#[test]
fn calls_that_failed_before_the_last_answer_are_no_part_of_a_row_of_options() {
    let silent = Input::Call(CallOutcome::Silent);
    let refused = Input::Call(CallOutcome::Unreachable {
        kind: Unreachable::Host,
        by_target: false,
    });
    let (good, ill) = (Input::Answer(true), Input::Answer(false));
    for (inputs, expected) in [
        // Two calls heard nothing, the target answers again; one bad answer is one fault.
        (vec![good, silent, silent, good, ill], Health::Suspect),
        (vec![good, silent, silent, good, refused], Health::Suspect),
        // What could not be delivered is over when the way is open again.
        (vec![good, refused, refused, good, refused], Health::Suspect),
        (vec![good, refused, refused, good, silent], Health::Suspect),
        // It answers OPTIONS and ignores calls.
        (vec![good, silent, good, silent, good, silent], Health::Down),
        (vec![good, silent, silent, ill], Health::Down),
    ] {
        let target = brought_about(&inputs);
        assert_eq!(expected, target.health(), "{inputs:?}");
    }
    // A clean line, of whose calls two heard nothing hours ago.
    let mut target = brought_about(&[good, silent, silent]);
    for n in 1..300 {
        feed(&mut target, good, &PROFILE, at(100_000 + 30_000 * n));
    }
    assert_eq!(5, target.fall(&PROFILE));
    feed(&mut target, Input::Timeout, &PROFILE, at(10_000_000));
    assert_eq!(Health::Suspect, target.health());
}

#[test]
fn a_silent_call_accuses_the_phone_system_only_if_options_are_answered_meanwhile() {
    for (answered, expected) in [
        (true, FaultPlace::PhoneSystem),
        (false, FaultPlace::Unclear),
    ] {
        let mut target = brought_about(&[Input::Answer(true)]);
        // A call waits in vain, the target is asked, and the call gives up before the OPTIONS is lost.
        for n in 0..3 {
            let now = 103_000 + 1_000 * n;
            target.handle_probe_sent(&PROFILE, at(now));
            if answered {
                target.handle_probe_answer(at(now), true, 200, &PROFILE, at(now + 20));
            }
            feed(
                &mut target,
                Input::Call(CallOutcome::Silent),
                &PROFILE,
                at(now + 900),
            );
        }
        assert_eq!(expected, target.evidence().place);
    }
}
