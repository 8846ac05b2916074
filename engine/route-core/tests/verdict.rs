//! The verdict machine of a target: every state with every event, and what each input brings about.
mod inputs;

use std::fmt::Write as _;
use std::time::Duration;

use inputs::{INPUTS, Input, PROFILE, at, brought_about, feed, seconds};
use route_core::{
    CallOutcome, Cause, FaultPlace, Health, Known, Profile, TargetHealth, Unreachable, mermaid,
    worst_case_detection, worst_case_recovery,
};
use sip_core::time::Timestamp;

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
