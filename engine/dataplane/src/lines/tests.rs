//! Lines on a virtual clock: probes, verdicts, expiry, restore.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use route_core::{CallOutcome, Cause, Delta, Health, LineSlot};
use sip_core::time::Timestamp;

use crate::events::{BindingChange, EventBody};
use crate::rows::{BindingRow, VerdictRow};
use crate::slots::{Binding, Target, Targets};
use crate::worker::testing::{Sent, Stage, registered_line, settings, static_line};

const LINE: LineSlot = LineSlot(7);
const PEER: &str = "198.51.100.7:5060";
/// What the virtual clock and the timer wheel may add to a deadline.
const TICK: Duration = Duration::from_millis(8);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn peer() -> SocketAddr {
    PEER.parse().unwrap()
}

/// A stage with one static line, and nothing sent yet.
fn static_stage() -> Stage {
    let mut stage = Stage::new(settings(1));
    stage.put_lines([static_line(LINE.0, &[PEER])]);
    stage
}

impl Stage {
    fn health(&self, line: LineSlot) -> (Health, Cause) {
        let slot = self.shared.slots.read(line).unwrap();
        (slot.health(), slot.cause())
    }

    /// Let time pass until a datagram is sent, 30 s at most.
    fn next_probe(&mut self) -> Sent {
        for _ in 0..7_500 {
            self.advance(Duration::from_millis(4));
            let mut sent = self.sent();
            if let Some(probe) = sent.pop() {
                assert!(sent.is_empty(), "more than one at once");
                return probe;
            }
        }
        panic!("no probe within 30 s");
    }

    fn answer(&mut self, probe: &Sent, status: &str) {
        self.receive(&answer(probe, status), probe.destination);
    }

    /// Answer the first probe, so that OPTIONS are judged from now on. Returns when that probe was sent.
    fn bring_up(&mut self) -> Timestamp {
        let probe = self.next_probe();
        self.answer(&probe, "200 OK");
        assert_eq!((Health::Up, Cause::OptionsAnswered), self.health(LINE));
        probe.at
    }

    /// Let time pass while every probe is answered.
    fn advance_answering(&mut self, time: Duration) {
        let end = self.now() + time;
        while self.now() < end {
            self.advance(Duration::from_millis(100));
            for probe in self.sent() {
                self.answer(&probe, "200 OK");
            }
        }
    }

    fn register(&mut self, line: LineSlot, target: &Arc<Target>, change: BindingChange) -> u64 {
        let view = self.view();
        let gone = change == BindingChange::Removed;
        let targets: Targets = if gone { Vec::new() } else { vec![Arc::clone(target)] };
        self.cores[0].change_bindings(line, targets, &[(change, Arc::clone(target))], &view)
    }

    fn verdict_events(&self) -> Vec<(Health, Health, String, String)> {
        let events = self.events().into_iter().filter_map(|event| match event.body {
            EventBody::Verdict { previous, row } => Some((previous, row.health, row.cause, row.evidence)),
            _ => None,
        });
        events.collect()
    }

    fn binding_events(&self) -> Vec<(BindingChange, String)> {
        let events = self.events().into_iter().filter_map(|event| match event.body {
            EventBody::Binding { change, row } => Some((change, row.contact)),
            _ => None,
        });
        events.collect()
    }
}

fn answer(probe: &Sent, status: &str) -> String {
    let field = |name: &str| format!("{name}: {}\r\n", probe.header(name).unwrap());
    let fields: String = ["Via", "From", "Call-ID", "CSeq"].map(field).concat();
    format!("SIP/2.0 {status}\r\n{fields}To: {};tag=a\r\nContent-Length: 0\r\n\r\n", probe.header("To").unwrap())
}

fn contact(stage: &Stage, life: Duration) -> Arc<Target> {
    let binding = Binding {
        user: "+493023125000".into(),
        call_id: (*b"call").into(),
        cseq: 1,
        expires: stage.now() + life,
        user_agent: (*b"phone").into(),
    };
    Arc::new(Target::new((*b"sip:pbx@198.51.100.7:5060").into(), peer(), 0, 0, Some(binding)))
}

#[test]
fn a_probe_is_a_request_that_anybody_can_answer() {
    let mut stage = static_stage();
    let probe = stage.next_probe();
    assert_eq!(peer(), probe.destination);
    assert!(probe.text.starts_with("OPTIONS sip:198.51.100.7:5060 SIP/2.0\r\n"), "{}", probe.text);
    let via = probe.header("Via").unwrap();
    assert!(via.starts_with("SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK"), "{via}");
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
    assert!(probe.header("From").unwrap().starts_with("<sip:probe@example.net>;tag="));
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
    let counted = ["probes_sent", "probes_answered", "probes_lost", "lines_up", "lines_unknown", "probers"];
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
fn silence_is_suspect_at_the_first_lost_probe_and_down_after_fall() {
    let mut stage = static_stage();
    let first = stage.bring_up();
    let mut instants = Vec::new();
    for lost in 1..=3 {
        let probe = stage.next_probe();
        instants.push(probe.at - first);
        stage.advance(Duration::from_millis(500) + TICK);
        let expected = if lost < 3 { Health::Suspect } else { Health::Down };
        assert_eq!(expected, stage.health(LINE).0, "after {lost} lost");
    }
    // One interval ±10 % after the good one, then at the fast interval.
    assert!(instants[0] >= seconds(9) && instants[0] <= seconds(11) + TICK, "{instants:?}");
    for pair in instants.windows(2) {
        let apart = pair[1].saturating_sub(pair[0]);
        assert!(apart >= seconds(1) && apart <= seconds(1) + TICK, "{instants:?}");
    }
    assert_eq!(Cause::OptionsTimeout, stage.health(LINE).1);
    let (_, _, cause, evidence) = stage.verdict_events().pop().unwrap();
    assert_eq!("options_timeout", cause);
    assert!(evidence.starts_with("3 OPTIONS without answer, last answer 1"), "{evidence}");
    assert_eq!(3, stage.counter("probes_lost"));
}

/// From up to down; returns when it fell.
fn take_down(stage: &mut Stage) -> Timestamp {
    stage.bring_up();
    while stage.health(LINE).0 != Health::Down {
        stage.advance(TICK);
    }
    stage.sent();
    stage.shared.slots.read(LINE).unwrap().since()
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
    for (status, expected) in [("503 No", Health::Suspect), ("408 No", Health::Suspect), ("486 Busy", Health::Up), ("404 No", Health::Up)] {
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
    assert!((30..40).contains(&remembered), "{remembered} of a probe each second, kept 32 s");
}

#[test]
fn a_registered_line_without_a_binding_is_down_once_the_grace_is_over() {
    let mut stage = Stage::new(settings(1));
    stage.put_lines([registered_line(LINE.0, &["+493023125000"])]);
    stage.advance(seconds(29));
    assert_eq!(Health::Unknown, stage.health(LINE).0);
    stage.advance(seconds(1) + TICK);
    assert_eq!((Health::Down, Cause::NotRegistered), stage.health(LINE));
    stage.put_lines([registered_line(8, &["+493023125001"])]);
    assert_eq!((Health::Down, Cause::NotRegistered), stage.health(LineSlot(8)), "a later one at once");
}

#[test]
fn a_binding_brings_its_line_up_and_its_end_takes_it_down_within_100_ms() {
    let mut stage = Stage::new(settings(1));
    stage.put_lines([registered_line(LINE.0, &["+493023125000"])]);
    let target = contact(&stage, seconds(60));
    let seq = stage.register(LINE, &target, BindingChange::Added);
    assert_eq!((Health::Up, Cause::Registered), stage.health(LINE));
    let events = stage.events();
    assert_eq!(seq, events[0].seq, "the binding comes before the verdict");
    let probe = stage.next_probe();
    assert!(probe.text.starts_with("OPTIONS sip:pbx@198.51.100.7:5060 SIP/2.0\r\n"));
    let expires = target.binding.as_ref().unwrap().expires;
    stage.advance((expires - stage.now()).saturating_sub(Duration::from_millis(5)));
    assert_eq!(1, stage.counter("bindings"));
    assert_eq!(Health::Up, stage.health(LINE).0);
    stage.advance(Duration::from_millis(100));
    assert_eq!((Health::Down, Cause::Expired), stage.health(LINE));
    assert_eq!([0, 1, 1], ["bindings", "bindings_expired", "lines_down"].map(|name| stage.counter(name)));
    assert_eq!(vec![(BindingChange::Expired, "sip:pbx@198.51.100.7:5060".to_owned())], stage.binding_events());
    stage.sent();
    stage.advance(seconds(30));
    assert_eq!(Vec::<Sent>::new(), stage.sent(), "nobody is left to be asked");
}

#[test]
fn lost_probes_keep_the_binding() {
    let mut stage = Stage::new(settings(1));
    stage.put_lines([registered_line(LINE.0, &["+493023125000"])]);
    let target = contact(&stage, seconds(600));
    stage.register(LINE, &target, BindingChange::Added);
    let probe = stage.next_probe();
    assert!(stage.now() - probe.at <= TICK);
    stage.answer(&probe, "200 OK");
    stage.advance(seconds(60));
    assert_eq!((Health::Down, Cause::OptionsTimeout), stage.health(LINE));
    assert_eq!(1, stage.counter("bindings"));
    assert_eq!(vec![(BindingChange::Added, "sip:pbx@198.51.100.7:5060".to_owned())], stage.binding_events());
}

#[test]
fn a_refresh_keeps_what_is_known_and_moves_the_expiry() {
    let mut stage = Stage::new(settings(1));
    stage.put_lines([registered_line(LINE.0, &["+493023125000"])]);
    let target = contact(&stage, seconds(60));
    stage.register(LINE, &target, BindingChange::Added);
    let probe = stage.next_probe();
    let fresh = contact(&stage, seconds(60));
    stage.register(LINE, &fresh, BindingChange::Refreshed);
    stage.answer(&probe, "200 OK");
    assert!(fresh.rtt_us().is_some(), "the probe of the same flow counts");
    stage.advance(Duration::from_millis(59_992));
    assert_eq!(1, stage.counter("bindings"), "the first expiry no longer counts");
    stage.register(LINE, &fresh, BindingChange::Refreshed);
    assert_eq!(vec![BindingChange::Added, BindingChange::Refreshed, BindingChange::Refreshed], {
        stage.binding_events().into_iter().map(|(change, _)| change).collect::<Vec<_>>()
    });
}

#[test]
fn a_phone_that_signs_off_takes_its_line_down_at_once() {
    let mut stage = Stage::new(settings(1));
    stage.put_lines([registered_line(LINE.0, &["+493023125000"])]);
    let target = contact(&stage, seconds(60));
    stage.register(LINE, &target, BindingChange::Added);
    stage.register(LINE, &target, BindingChange::Removed);
    assert_eq!((Health::Down, Cause::Removed), stage.health(LINE));
}

fn verdict_row(stage: &Stage, health: Health, cause: &str) -> VerdictRow {
    let since_unix_ms = stage.shared.clock.unix_ms(stage.now()) - 60_000;
    VerdictRow { line: LINE, health, since_unix_ms, cause: cause.to_owned(), evidence: "as it was".to_owned() }
}

#[test]
fn a_restored_verdict_holds_until_fresh_evidence_whichever_comes_first() {
    for table_first in [false, true] {
        let mut stage = Stage::new(settings(1));
        let row = verdict_row(&stage, Health::Down, "options_timeout");
        if table_first {
            stage.put_lines([static_line(LINE.0, &[PEER])]);
        }
        let view = stage.view();
        stage.cores[0].restore_verdicts(&[row], &view);
        stage.replace([static_line(LINE.0, &[PEER])]);
        assert_eq!((Health::Down, Cause::OptionsTimeout), stage.health(LINE));
        let ago = stage.now() - stage.shared.slots.read(LINE).unwrap().since();
        assert!(ago.abs_diff(seconds(60)) < seconds(1), "{ago:?}");
        stage.advance(seconds(30));
        assert_eq!(Health::Down, stage.health(LINE).0);
        assert!(stage.verdict_events().is_empty());
        stage.sent();
        for _ in 0..2 {
            assert_eq!(Health::Down, stage.health(LINE).0);
            let probe = stage.next_probe();
            stage.answer(&probe, "200 OK");
        }
        assert_eq!(Health::Up, stage.health(LINE).0);
        assert_eq!(1, stage.verdict_events().len());
    }
}

#[test]
fn a_line_restored_as_up_that_died_meanwhile_is_found_out() {
    let mut stage = Stage::new(settings(1));
    let row = verdict_row(&stage, Health::Up, "options_answered");
    let view = stage.view();
    stage.cores[0].restore_verdicts(&[row], &view);
    stage.replace([static_line(LINE.0, &[PEER])]);
    assert_eq!(Health::Up, stage.health(LINE).0);
    stage.advance(seconds(15));
    assert_eq!((Health::Down, Cause::OptionsTimeout), stage.health(LINE));
}

#[test]
fn a_binding_that_ran_out_while_we_were_down_lives_for_the_grace() {
    for table_first in [false, true] {
        let mut stage = Stage::new(settings(1));
        let row = BindingRow {
            line: LINE,
            contact: "sip:pbx@198.51.100.7:5060".to_owned(),
            received: peer(),
            expires_unix_ms: stage.shared.clock.unix_ms(stage.now()) - 5_000,
            call_id: "c".to_owned(),
            cseq: 9,
            q: 500,
            user_agent: "phone".to_owned(),
            user: "+493023125000".to_owned(),
        };
        let lines = [registered_line(LINE.0, &["+493023125000"])];
        if table_first {
            stage.replace(lines.clone());
        }
        let view = stage.view();
        stage.cores[0].restore_bindings(vec![row], &view);
        stage.replace(lines);
        stage.advance(seconds(29));
        assert_eq!(1, stage.counter("bindings"));
        assert!(stage.events().is_empty(), "what the store told is no news");
        stage.advance(seconds(1) + TICK);
        assert_eq!((Health::Down, Cause::Expired), stage.health(LINE));
        assert_eq!(1, stage.binding_events().len());
    }
}

#[test]
fn a_removed_line_leaves_nothing() {
    let mut stage = Stage::new(settings(1));
    stage.put_lines([registered_line(LINE.0, &["+493023125000"])]);
    let target = contact(&stage, seconds(600));
    stage.register(LINE, &target, BindingChange::Added);
    stage.next_probe();
    stage.events();
    stage.apply(Delta { lines_removed: vec![LINE], ..Delta::default() });
    assert_eq!(vec![(BindingChange::Removed, "sip:pbx@198.51.100.7:5060".to_owned())], stage.binding_events());
    stage.advance(seconds(700));
    assert_eq!(Vec::<Sent>::new(), stage.sent());
    let gauges = ["bindings", "probers", "lines_up", "lines_down", "lines_suspect", "lines_unknown", "timers"];
    assert_eq!([0; 7], gauges.map(|name| stage.counter(name)));
    assert_eq!(0, stage.cores[0].lines.probes.remembered());
    assert!(!stage.shared.slots.read(LINE).unwrap().has_targets());
}

#[test]
fn a_new_table_removes_ghosts_and_keeps_the_rest() {
    let mut stage = static_stage();
    stage.put_lines([static_line(8, &["198.51.100.8:5060"])]);
    let probe = loop {
        let probe = stage.next_probe();
        if probe.destination == peer() {
            break probe;
        }
    };
    stage.answer(&probe, "200 OK");
    stage.replace([static_line(LINE.0, &[PEER])]);
    assert_eq!(Health::Up, stage.health(LINE).0);
    assert!(!stage.shared.slots.read(LineSlot(8)).unwrap().has_targets());
}

#[test]
fn a_reload_changes_the_pace_and_keeps_the_verdict() {
    let mut stage = static_stage();
    stage.bring_up();
    let mut changed = settings(1);
    changed.profiles[0].verdict.interval = seconds(2);
    stage.reconfigure(changed);
    assert_eq!(Health::Up, stage.health(LINE).0);
    let from = stage.now();
    let probe = stage.next_probe();
    assert!(probe.at - from <= Duration::from_millis(2200) + TICK, "{:?}", probe.at - from);
    let mut changed = settings(1);
    changed.profiles[0].verdict.judge_options = false;
    stage.reconfigure(changed);
    stage.advance(seconds(60));
    assert_eq!(Vec::<Sent>::new(), stage.sent());
    assert_eq!([0, 0], ["probers", "probers_missing"].map(|name| stage.counter(name)));
}

#[test]
fn a_reload_that_wants_probes_again_does_not_send_them_all_at_once() {
    let mut stage = Stage::new(settings(1));
    let mut silent = settings(1);
    silent.profiles[0].verdict.judge_options = false;
    stage.reconfigure(silent);
    stage.replace((0..200).map(|slot| static_line(slot, &[&format!("198.51.100.{}:5060", slot + 1)])));
    stage.advance(seconds(60));
    assert_eq!(Vec::<Sent>::new(), stage.sent());
    stage.reconfigure(settings(1));
    for _ in 0..10 {
        stage.advance(seconds(1));
        let sent = stage.sent().len();
        assert!((10..=30).contains(&sent), "{sent} in a second instead of 20");
    }
    assert_eq!([200, 0], ["probers", "probers_missing"].map(|name| stage.counter(name)));
}

#[test]
fn a_second_peer_keeps_the_line_up_and_a_changed_list_keeps_what_is_known() {
    let mut stage = Stage::new(settings(1));
    let backup = "198.51.100.8:5060";
    stage.put_lines([static_line(LINE.0, &[PEER, backup])]);
    stage.advance_answering(seconds(2));
    let view = stage.view();
    for _ in 0..3 {
        stage.cores[0].on_call_outcome(LINE, peer(), CallOutcome::Silent, &view);
        stage.advance_answering(seconds(1));
    }
    let healths = |stage: &Stage| {
        let targets = stage.shared.slots.read(LINE).unwrap().targets().unwrap();
        targets.iter().map(|target| (target.address.to_string(), target.health())).collect::<Vec<_>>()
    };
    let down = (PEER.to_owned(), Health::Down);
    let up = (backup.to_owned(), Health::Up);
    assert_eq!(vec![down.clone(), up.clone()], healths(&stage));
    assert_eq!(Health::Up, stage.health(LINE).0);
    stage.put_lines([static_line(LINE.0, &[backup, PEER])]);
    assert_eq!(vec![up, down.clone()], healths(&stage), "the preferred first, each with its health");
    stage.put_lines([static_line(LINE.0, &[PEER])]);
    assert_eq!(vec![down], healths(&stage));
    assert_eq!((Health::Down, Cause::CallSilent), stage.health(LINE), "the one that is left speaks for the line");
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
    assert!(slot.trial_offered(), "the first told nothing, so there is another");
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
        static_line(slot, &[&format!("198.51.100.{}:{}", slot % 250 + 1, 5060 + slot / 250)])
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
    assert_eq!([1000, 1000], ["probers", "lines_up"].map(|name| stage.counter(name)));
    assert!(instants.len().abs_diff(5000) <= 50, "{}", instants.len());
    assert!(instants[0] - from < Duration::from_millis(100));
    let window = Duration::from_millis(100);
    for (i, first) in instants.iter().enumerate() {
        let within = instants[i..].iter().take_while(|at| **at < *first + window).count();
        assert!(within <= 20, "{within} in the 100 ms after {:?}", *first - from);
    }
}

impl Stage {
    /// Answer a probe at the worker that sent it.
    fn answer_at_owner(&mut self, probe: &Sent) {
        let view = self.view();
        for core in &mut self.cores {
            let mut index = sip_core::message::HeaderIndex::new();
            let text = answer(probe, "200 OK");
            core.on_datagram(text.as_bytes(), &mut index, probe.destination, 0, true, &view);
        }
    }
}
