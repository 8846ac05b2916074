//! The verdict machines: every state with every event, and what holds under any sequence.
use std::fmt::Write as _;
use std::time::Duration;

use proptest::prelude::*;
use route_core::{
    CallOutcome, Cause, Health, LineVerdict, Profile, Registration, TargetHealth, Unreachable,
    mermaid, worst_case_detection, worst_case_recovery,
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
    Registered,
    Call(CallOutcome),
}

const INPUTS: [Input; 10] = [
    Input::Packet,
    Input::Sent,
    Input::Answer(true),
    Input::Answer(false),
    Input::Timeout,
    Input::Registered,
    Input::Call(CallOutcome::Answered),
    Input::Call(CallOutcome::Fault { code: 503 }),
    Input::Call(CallOutcome::Silent),
    Input::Call(CallOutcome::Unreachable {
        kind: Unreachable::Port,
        by_target: true,
    }),
];

fn feed(target: &mut TargetHealth, input: Input, profile: &Profile, now: Timestamp) {
    match input {
        Input::Packet => target.handle_packet(now),
        Input::Sent => target.handle_probe_sent(profile, now),
        Input::Answer(good) => {
            target.handle_probe_answer(
                good,
                if good { 200 } else { 503 },
                Duration::from_millis(20),
                profile,
                now,
            );
        }
        Input::Timeout => target.handle_probe_timeout(profile, now),
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
    let states: [(&str, &[Input]); 7] = [
        ("unknown", &[]),
        ("up", &[good]),
        ("suspect by OPTIONS", &[good, Input::Timeout]),
        ("suspect by a call", &[good, silent]),
        (
            "suspect, one fault from down",
            &[good, Input::Timeout, Input::Timeout],
        ),
        (
            "down by OPTIONS",
            &[good, Input::Timeout, Input::Timeout, Input::Timeout],
        ),
        ("down by calls", &[good, silent, silent, silent]),
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
        target.handle_probe_timeout(&PROFILE, at(second * 1_000));
        target.handle_probe_answer(false, 503, seconds(0), &PROFILE, at(second * 1_000));
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
        target.handle_probe_answer(true, 200, seconds(0), &PROFILE, at(second * 1_000));
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
    for second in 100..103 {
        target.handle_probe_sent(&PROFILE, at(second * 1_000));
        target.handle_packet(at(second * 1_000 + 1));
        target.handle_probe_timeout(&PROFILE, at(second * 1_000 + 2));
        assert_eq!(Health::Up, target.health());
    }
    for second in 103..106 {
        target.handle_probe_sent(&PROFILE, at(second * 1_000));
        target.handle_packet(at(second * 1_000 + 1));
        target.handle_probe_timeout(&PROFILE, at(second * 1_000 + 2));
    }
    assert_eq!(
        (Health::Down, Cause::OptionsTimeout),
        (target.health(), target.cause())
    );
}

fn up(now: Timestamp) -> TargetHealth {
    let mut target = TargetHealth::new(now, now);
    target.handle_registered(&PROFILE, now);
    target
}

fn down(now: Timestamp) -> TargetHealth {
    TargetHealth::restored(Health::Down, now, Cause::OptionsTimeout, now)
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
    line.restore(Health::Down, at(0), Cause::OptionsTimeout);
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

/// A prober as the data path has it, on virtual time: each OPTIONS is answered after 20 ms, or never. Returns when `health` was
/// reached, at most `limit` later.
fn probe_until(
    target: &mut TargetHealth,
    answers: bool,
    health: Health,
    profile: &Profile,
    mut now: Timestamp,
    limit: Duration,
) -> Option<Timestamp> {
    let end = now + limit;
    let wait = profile.sane().timeout.min(Duration::from_millis(20));
    while target.health() != health {
        now = now.max(target.next_probe_at(profile)?);
        target.handle_probe_sent(profile, now);
        if answers {
            now += wait;
            target.handle_probe_answer(true, 200, wait, profile, now);
        } else {
            now += profile.sane().timeout;
            target.handle_probe_timeout(profile, now);
        }
        if now > end {
            return None;
        }
    }
    Some(now)
}

proptest! {
    #[test]
    fn a_target_keeps_its_promises(profile in any_profile(), steps in any_steps()) {
        let sane = profile.sane();
        let mut now = at(1_000);
        let mut target = TargetHealth::new(now, now);
        // Faults since the last answered call: no good evidence at all ends more than this row.
        let mut faults = 0_u32;
        for (input, step) in steps {
            now += Duration::from_millis(step);
            let (before, since) = (target.health(), target.since());
            match input {
                Input::Answer(false) | Input::Timeout
                | Input::Call(CallOutcome::Fault { .. } | CallOutcome::Silent | CallOutcome::Unreachable { .. }) => faults += 1,
                Input::Call(CallOutcome::Answered) => faults = 0,
                Input::Packet | Input::Sent | Input::Answer(true) | Input::Registered => {}
            }
            feed(&mut target, input, &profile, now);
            let after = target.health();
            if before != Health::Down && after == Health::Down {
                prop_assert!(faults >= u32::from(sane.fall), "down after {} faults", faults);
                let row = target.evidence();
                prop_assert!(row.options_faults + row.call_faults >= sane.fall);
            }
            if before == Health::Down && after != Health::Down {
                prop_assert_eq!(Health::Up, after);
                prop_assert!(now >= since + sane.hold, "up before hold");
            }
            prop_assert!(before == Health::Unknown || after != Health::Unknown);
            let next = target.next_probe_at(&profile);
            prop_assert!(next.is_some_and(|next| next <= now + sane.interval), "next probe {:?} at {:?}", next, now);
        }

        // From wherever that led: an answered call clears the row, then silence, then answers.
        now += sane.hold;
        target.handle_call(CallOutcome::Answered, &profile, now);
        prop_assert_eq!(Health::Up, target.health(), "an answered call after hold brings it back");
        target.handle_probe_answer(true, 200, Duration::ZERO, &profile, now);
        let bound = worst_case_detection(&profile);
        let fell = probe_until(&mut target, false, Health::Down, &profile, now, bound);
        prop_assert!(fell.is_some(), "not down within {:?}", bound);
        let fell = fell.unwrap_or(now);
        let bound = worst_case_recovery(&profile);
        prop_assert!(probe_until(&mut target, true, Health::Up, &profile, fell, bound).is_some(), "not up within {:?}", bound);
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
            let (before, since) = (line.health(), line.since());
            let change = line.fuse(registration, &targets, &profile, now, |_| true);
            prop_assert_eq!(change.is_some(), before != line.health(), "each flip once");
            if let Some(change) = change {
                prop_assert_eq!((before, line.health(), now), (change.previous, change.health, change.since));
                let lost = matches!(change.cause, Cause::NotRegistered | Cause::Expired | Cause::Removed);
                if change.health == Health::Down {
                    let all = targets.iter().all(|target| target.health() == Health::Down);
                    prop_assert!(all || (lost && profile.judge_registration));
                    prop_assert!(lost || change.evidence.options_faults + change.evidence.call_faults >= sane.fall);
                }
                prop_assert!(before != Health::Down || now >= since + profile.hold, "up before hold");
            }
            if let Some(deadline) = line.deadline(&profile) {
                prop_assert!(deadline > now && line.health() == Health::Down);
            }
        }
        // Never stuck: with a good target and a binding it is up when the deadline comes.
        now += sane.hold;
        targets[0].handle_call(CallOutcome::Answered, &profile, now);
        line.fuse(Registration::Present, &targets, &profile, now, |_| true);
        let now = line.deadline(&profile).unwrap_or(now);
        line.fuse(Registration::Present, &targets, &profile, now, |_| true);
        prop_assert_eq!(Health::Up, line.health());
    }
}
