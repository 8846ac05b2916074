//! Probes and what they, and calls, do to a verdict.

use super::*;

#[test]
fn a_probe_is_a_request_that_anybody_can_answer() {
    let mut stage = static_stage();
    let probe = stage.next_probe();
    assert_eq!(peer(), probe.destination);
    assert!(
        probe
            .text
            .starts_with("OPTIONS sip:198.51.100.7:5060 SIP/2.0\r\n"),
        "{}",
        probe.text
    );
    let via = probe.header("Via").unwrap();
    assert!(
        via.starts_with("SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK"),
        "{via}"
    );
    let fields = [
        ("Max-Forwards", "70"),
        ("To", "<sip:198.51.100.7:5060>"),
        ("CSeq", "1 OPTIONS"),
        ("Contact", "<sip:192.0.2.10:5060>"),
        ("Accept", "application/sdp"),
        ("Content-Length", "0"),
    ];
    for (name, value) in fields {
        assert_eq!(Some(value), probe.header(name), "{name}");
    }
    assert!(
        probe
            .header("From")
            .unwrap()
            .starts_with("<sip:probe@example.net>;tag=")
    );
    assert!(probe.text.ends_with("\r\n\r\n"));
}

#[test]
fn a_static_peer_that_answers_is_up() {
    let mut stage = static_stage();
    assert_eq!((Health::Unknown, Cause::Start), stage.health(LINE));
    stage.bring_up();
    let events = stage.verdict_events();
    assert_eq!(1, events.len());
    assert_eq!((Health::Unknown, Health::Up), (events[0].0, events[0].1));
    assert_eq!("options_answered", events[0].2);
    stage.advance(TICK);
    let counted = [
        "probes_sent",
        "probes_answered",
        "probes_lost",
        "lines_up",
        "lines_unknown",
        "probers",
    ];
    assert_eq!([1, 1, 0, 1, 0, 1], counted.map(|name| stage.counter(name)));
}

#[test]
fn a_peer_that_never_answered_options_is_not_judged_by_them() {
    let mut stage = static_stage();
    stage.advance(seconds(60));
    assert!(stage.counter("probes_lost") >= 5);
    assert_eq!((Health::Unknown, Cause::Start), stage.health(LINE));
    assert_eq!(0, stage.counter("probers_missing"));
}

#[test]
fn silence_is_suspect_at_the_first_lost_probe_and_down_within_the_computed_time() {
    let mut stage = static_stage();
    let first = stage.bring_up();
    let probe = stage.next_probe();
    // 80 to 100 % of half the interval after the good one, for nothing is known of it.
    let waited = probe.at - first;
    assert!(
        waited >= seconds(4) && waited <= seconds(5) + TICK,
        "{waited:?}"
    );
    stage.advance(Duration::from_millis(500) + TICK);
    assert_eq!(Health::Suspect, stage.health(LINE).0);
    let mut instants: Vec<Timestamp> = stage.sent().iter().map(|probe| probe.at).collect();
    while stage.health(LINE).0 != Health::Down {
        stage.advance(Duration::from_millis(4));
        instants.extend(stage.sent().iter().map(|probe| probe.at));
    }
    // Nothing is known of the way, so ten are asked for, at half the fast interval.
    assert_eq!(10, instants.len() + 1, "{instants:?}");
    for pair in instants.windows(2) {
        let apart = pair[1] - pair[0];
        assert!(
            apart.abs_diff(Duration::from_millis(500)) <= TICK,
            "{instants:?}"
        );
    }
    let fell = stage.shared.slots.read(LINE).unwrap().since();
    let profile = crate::worker::testing::profile("").verdict;
    let bound = worst_case_detection(&profile, Known::Fresh);
    let ticks = TICK * 11;
    assert!(
        fell - first <= bound + ticks,
        "{:?} of {bound:?}",
        fell - first
    );
    assert_eq!(Cause::OptionsTimeout, stage.health(LINE).1);
    let (_, _, cause, evidence) = stage.verdict_events().pop().unwrap();
    assert_eq!("options_timeout", cause);
    assert!(
        evidence.starts_with("10 OPTIONS without answer, last answer "),
        "{evidence}"
    );
    assert!(
        evidence.ends_with("0.50 s before OPTIONS lost, 0.00 s before OPTIONS lost"),
        "{evidence}"
    );
    assert_eq!(10, stage.counter("probes_lost"));
}

#[test]
fn probes_overlap_and_each_has_its_own_time_out() {
    let mut settings = settings(1);
    settings.profiles[0].verdict.timeout = seconds(3);
    settings.profiles[0].verdict.timeout_max = seconds(3);
    let mut stage = Stage::new(settings);
    stage.put_lines([static_line(LINE.0, &[PEER])]);
    stage.bring_up();
    stage.next_probe();
    stage.advance(seconds(3) + TICK);
    let mut probes = stage.sent();
    while probes.len() < 6 {
        stage.advance(TICK);
        probes.extend(stage.sent());
    }
    assert_eq!(1, stage.counter("probes_lost"), "the others are under way");
    stage.answer(&probes[4], "200 OK");
    assert_eq!(Health::Up, stage.health(LINE).0);
    stage.advance(seconds(3));
    assert_eq!(5, stage.counter("probes_lost"));
    assert_eq!(
        Health::Up,
        stage.health(LINE).0,
        "all older than the answer, or forgiven for it"
    );
}

#[test]
fn a_line_that_is_back_is_up_within_two_short_intervals() {
    let mut stage = static_stage();
    take_down(&mut stage);
    stage.advance(seconds(30));
    stage.sent();
    let back = stage.now();
    while stage.health(LINE).0 == Health::Down {
        stage.advance(TICK);
        for probe in stage.sent() {
            stage.answer(&probe, "200 OK");
        }
    }
    let took = stage.now() - back;
    assert!(took <= seconds(2) + TICK * 2, "{took:?}");
}

#[test]
fn a_register_of_a_line_that_is_down_is_checked_at_once() {
    let mut stage = Stage::new(settings(1));
    stage.put_lines([registered_line(LINE.0, &["+493023125000"])]);
    let target = contact(&stage, seconds(600));
    stage.register(LINE, &target, BindingChange::Added);
    let probe = stage.next_probe();
    stage.answer(&probe, "200 OK");
    while stage.health(LINE).0 != Health::Down {
        stage.advance(TICK);
    }
    stage.advance(seconds(20));
    stage.sent();
    stage.register(LINE, &target, BindingChange::Refreshed);
    assert_eq!(
        Health::Down,
        stage.health(LINE).0,
        "one good answer is too few"
    );
    stage.advance(TICK);
    let probe = stage.sent().pop().expect("asked at once");
    stage.answer(&probe, "200 OK");
    assert_eq!(Health::Up, stage.health(LINE).0);
}

#[test]
fn a_503_with_retry_after_holds_down_and_is_no_fault() {
    let mut stage = static_stage();
    stage.bring_up();
    let probe = stage.next_probe();
    let text = answer(&probe, "503 Busy").replace(
        "Content-Length",
        "Retry-After: 20 (moving)\r\nContent-Length",
    );
    stage.receive(&text, probe.destination);
    assert_eq!((Health::Down, Cause::OptionsCode(503)), stage.health(LINE));
    let from = stage.now();
    let probe = stage.next_probe();
    let waited = probe.at - from;
    assert!(
        waited >= seconds(20) && waited <= seconds(20) + TICK,
        "{waited:?}"
    );
    stage.answer(&probe, "200 OK");
    assert_eq!(Health::Up, stage.health(LINE).0);
}

#[test]
fn a_line_recovers_after_rise_and_hold() {
    let mut stage = static_stage();
    let fell = take_down(&mut stage);
    let mut good = 0;
    while stage.health(LINE).0 == Health::Down {
        let probe = stage.next_probe();
        stage.answer(&probe, "200 OK");
        good += 1;
        assert!(good < 20, "does not recover");
    }
    let stayed = stage.now() - fell;
    assert!(stayed >= seconds(5) && stayed <= seconds(7), "{stayed:?}");
    assert!(good >= 2);
}

#[test]
fn bad_codes_are_faults_and_others_are_life() {
    for (status, expected) in [
        ("503 No", Health::Suspect),
        ("408 No", Health::Suspect),
        ("486 Busy", Health::Up),
        ("404 No", Health::Up),
    ] {
        let mut stage = static_stage();
        stage.bring_up();
        let probe = stage.next_probe();
        stage.answer(&probe, status);
        assert_eq!(expected, stage.health(LINE).0, "{status}");
    }
}

#[test]
fn a_late_answer_is_a_sign_of_life_and_no_more() {
    let mut stage = static_stage();
    take_down(&mut stage);
    let probe = stage.next_probe();
    stage.advance(Duration::from_millis(700));
    let answered = stage.counter("probes_answered");
    stage.answer(&probe, "200 OK");
    assert_eq!(Health::Down, stage.health(LINE).0);
    assert_eq!(answered, stage.counter("probes_answered"));
    assert_eq!(0, stage.counter("stray_dropped"), "it is known");
    stage.answer(&probe, "200 OK");
    assert_eq!(1, stage.counter("stray_dropped"), "but only once");
    let targets = stage.shared.slots.read(LINE).unwrap().targets().unwrap();
    assert_eq!(Some(stage.now()), targets[0].last_seen());
}

#[test]
fn lost_probes_are_not_remembered_for_ever() {
    let mut stage = static_stage();
    stage.bring_up();
    stage.advance(seconds(600));
    let remembered = stage.cores[0].lines.probes.remembered();
    assert!(
        (30..40).contains(&remembered),
        "{remembered} of a probe each second, kept 32 s"
    );
}

#[test]
fn calls_take_a_line_down_and_one_trial_at_a_time_brings_it_back() {
    let mut stage = static_stage();
    stage.bring_up();
    for _ in 0..3 {
        let view = stage.view();
        stage.cores[0].on_call_outcome(LINE, peer(), CallOutcome::Silent, &view);
        stage.advance_answering(seconds(1));
    }
    assert_eq!((Health::Down, Cause::CallSilent), stage.health(LINE));
    stage.advance_answering(seconds(6));
    let shared = Arc::clone(&stage.shared);
    let slot = shared.slots.read(LINE).unwrap();
    assert!(slot.take_trial(), "offered when hold is over");
    stage.advance_answering(Duration::from_millis(500));
    assert!(!slot.trial_offered(), "one at a time");
    stage.advance_answering(seconds(2));
    assert!(
        slot.trial_offered(),
        "the first told nothing, so there is another"
    );
    assert!(slot.take_trial());
    let view = stage.view();
    stage.cores[0].on_call_outcome(LINE, peer(), CallOutcome::Answered, &view);
    assert_eq!((Health::Up, Cause::CallAnswered), stage.health(LINE));
}

#[test]
fn a_thousand_lines_are_asked_evenly() {
    let mut stage = Stage::new(settings(2));
    let from = stage.now();
    stage.replace((0..1000).map(|slot| {
        static_line(
            slot,
            &[&format!(
                "198.51.100.{}:{}",
                slot % 250 + 1,
                5060 + slot / 250
            )],
        )
    }));
    let mut instants: Vec<Timestamp> = Vec::new();
    for _ in 0..500 {
        stage.advance(Duration::from_millis(100));
        for probe in stage.sent() {
            instants.push(probe.at);
            stage.answer_at_owner(&probe);
        }
    }
    assert_eq!(0, stage.counter("probers_missing"));
    assert_eq!(
        [1000, 1000],
        ["probers", "lines_up"].map(|name| stage.counter(name))
    );
    // The first within a beat of 9 s, then 45.5 s on average at a beat of 4.5 s, for they are new.
    assert!(instants.len().abs_diff(10_611) <= 50, "{}", instants.len());
    assert!(instants[0] - from < Duration::from_millis(100));
    let window = Duration::from_millis(100);
    for (i, first) in instants.iter().enumerate() {
        let within = instants[i..]
            .iter()
            .take_while(|at| **at < *first + window)
            .count();
        assert!(
            within <= 40,
            "{within} in the 100 ms after {:?}",
            *first - from
        );
    }
}

#[test]
fn lines_that_something_speaks_against_are_asked_soon_and_not_at_once() {
    let mut stage = Stage::new(settings(1));
    stage.replace(
        (0..200).map(|slot| static_line(slot, &[&format!("198.51.100.{}:5060", slot + 1)])),
    );
    for _ in 0..120 {
        stage.advance(Duration::from_millis(100));
        for probe in stage.sent() {
            stage.answer_at_owner(&probe);
        }
    }
    let view = stage.view();
    let lines: Vec<LineSlot> = (0..200).map(LineSlot).collect();
    stage.cores[0].ask_lines(&lines, &view);
    assert_eq!(Health::Up, stage.health(LineSlot(0)).0, "it is no evidence");
    stage.advance(seconds(1));
    let probes = stage.sent();
    let asked: std::collections::HashSet<SocketAddr> =
        probes.iter().map(|probe| probe.destination).collect();
    assert_eq!(200, asked.len());
    let first = probes.iter().map(|probe| probe.at).min().unwrap();
    let at_once = probes
        .iter()
        .filter(|probe| probe.at - first < Duration::from_millis(100));
    assert!(at_once.count() < 60, "of 200 in a second");
}
