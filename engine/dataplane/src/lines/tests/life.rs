//! Signs of life, reports of unreachable targets, and stalls of our own.

use route_core::{CallOutcome, Unreachable};

use super::*;
use crate::net::SendFault;

const STRANGER: &str = "203.0.113.99:5060";

impl Stage {
    fn last_seen(&self, line: LineSlot) -> Option<Timestamp> {
        let targets = self.shared.slots.read(line).unwrap().targets().unwrap();
        targets[0].last_seen()
    }

    /// The worker did nothing for this long.
    fn sleep(&mut self, time: Duration) {
        let view = self.view();
        for core in &mut self.cores {
            let begin = core.now;
            core.now = begin + time;
            core.on_stall(begin, &view);
        }
    }
}

/// Requests as a phone sends them of itself, and what is none.
fn packets() -> [(&'static str, String); 5] {
    let request = |method: &str, to: &str| {
        format!(
            "{method} sip:192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{method}\r\nMax-Forwards: 70\r\n\
             From: <sip:a@example.net>;tag=a\r\nTo: <sip:a@example.net>{to}\r\nCall-ID: {method}\r\nCSeq: 1 {method}\r\n\
             Content-Length: 0\r\n\r\n"
        )
    };
    [
        ("a keep-alive of RFC 5626", "\r\n\r\n".to_owned()),
        ("an OPTIONS for us", request("OPTIONS", "")),
        ("a REGISTER that is challenged", request("REGISTER", "")),
        ("a request within a dialog", request("BYE", ";tag=b")),
        ("a call that is not the core's", request("INVITE", "")),
    ]
}

#[test]
fn any_packet_of_a_target_is_a_sign_of_life_at_any_worker() {
    for worker in 0..2 {
        for (what, packet) in packets() {
            let mut stage = Stage::new(settings(2));
            stage.put_lines([static_line(LINE.0, &[PEER])]);
            stage.receive_at(worker, 0, &packet, STRANGER.parse().unwrap());
            assert_eq!(None, stage.last_seen(LINE), "{what} of somebody else");
            stage.receive_at(worker, 0, &packet, peer());
            assert_eq!(Some(stage.now()), stage.last_seen(LINE), "{what}");
        }
    }
}

#[test]
fn a_flood_of_packets_is_told_four_times_a_second() {
    let mut stage = Stage::new(settings(2));
    stage.put_lines([static_line(LINE.0, &[PEER])]);
    let other = 1 - LINE.0 as usize % 2;
    let mut letters = 0;
    for _ in 0..500 {
        stage.advance(Duration::from_millis(4));
        let view = stage.view();
        stage.cores[other].on_sign_of_life(peer(), &view);
        let mut waiting = Vec::new();
        stage.shared.workers[1 - other]
            .mailbox
            .collect(&mut waiting);
        letters += waiting.len();
    }
    assert_eq!(8, letters, "in two seconds");
}

#[test]
fn lines_behind_one_nat_live_together() {
    let mut stage = Stage::new(settings(1));
    stage.put_lines((1..=3).map(|slot| static_line(slot, &[PEER])));
    stage.receive("\r\n\r\n", peer());
    for line in 1..=3 {
        assert_eq!(Some(stage.now()), stage.last_seen(LineSlot(line)));
    }
    // A line that moved away has another address.
    stage.put_lines([static_line(2, &[STRANGER])]);
    stage.advance(seconds(1));
    stage.receive("\r\n\r\n", peer());
    assert_eq!(None, stage.last_seen(LineSlot(2)));
    assert_eq!(Some(stage.now()), stage.last_seen(LineSlot(3)));
}

#[test]
fn a_probe_that_was_not_delivered_is_noticed_at_once_and_only_for_its_target() {
    for quoted in [0, 520] {
        for worker in 0..2 {
            let mut stage = Stage::new(settings(2));
            stage.put_lines([static_line(LINE.0, &[PEER])]);
            let probe = stage.next_probe();
            stage.answer_at_owner(&probe);
            assert_eq!(Health::Up, stage.health(LINE).0);
            let probe = stage.next_probe();
            let quote = &probe.text[..quoted.min(probe.text.len())];
            let stranger = STRANGER.parse().unwrap();
            stage.unreachable_at(worker, Unreachable::Port, stranger, quote);
            assert_eq!(Health::Up, stage.health(LINE).0, "somewhere else");
            stage.unreachable_at(worker, Unreachable::Port, peer(), quote);
            assert_eq!(Health::Suspect, stage.health(LINE).0);
            assert_eq!(1, stage.counter("unreachables_taken"));
            // The same report again, and one without a probe under way.
            stage.unreachable_at(worker, Unreachable::Port, peer(), quote);
            assert_eq!(1, stage.counter("unreachables_taken"));
        }
    }
}

#[test]
fn a_probe_that_never_left_us_proves_nothing() {
    for fault in [SendFault::NoRoute, SendFault::Void] {
        let mut stage = static_stage();
        stage.bring_up();
        let probe = stage.next_probe();
        stage.refuse(fault, peer(), &probe.text);
        stage.advance(seconds(1));
        assert_eq!(Health::Up, stage.health(LINE).0, "{fault:?}");
        assert_eq!(
            (1, 0),
            (stage.counter("probes_void"), stage.counter("probes_lost"))
        );
        stage.next_probe();
    }
}

#[test]
fn a_call_that_never_left_us_proves_nothing_and_asks_for_a_probe() {
    let mut stage = static_stage();
    stage.bring_up();
    let outcome = CallOutcome::Unreachable {
        kind: Unreachable::NoRoute,
        by_target: false,
    };
    for _ in 0..20 {
        let view = stage.view();
        stage.cores[0].on_call_outcome(LINE, peer(), outcome, &view);
        assert_eq!(Health::Up, stage.health(LINE).0);
        let probe = stage.next_probe();
        stage.answer_at_owner(&probe);
    }
}

#[test]
fn a_probe_under_way_in_a_stall_proves_nothing_and_the_next_one_does() {
    let mut stage = static_stage();
    stage.bring_up();
    stage.next_probe();
    stage.sleep(seconds(2));
    stage.advance(TICK);
    assert_eq!(Health::Up, stage.health(LINE).0);
    assert_eq!(1, stage.counter("probes_void"));
    assert_eq!(1, stage.counter("worker_stalls"));
    let probe = stage.next_probe();
    stage.advance(seconds(1));
    assert_eq!(Health::Suspect, stage.health(LINE).0, "{probe:?}");
}

#[test]
fn a_binding_that_ran_out_in_a_stall_waits_for_its_phones_next_try() {
    for (stall_s, grace_ms) in [(2, 2_500), (20, 4_500), (100, 30_000)] {
        let mut stage = Stage::new(settings(1));
        stage.put_lines([registered_line(LINE.0, &["+493023125000"])]);
        let target = contact(&stage, seconds(1));
        stage.register(LINE, &target, BindingChange::Added);
        stage.sleep(seconds(stall_s));
        stage.advance(Duration::from_millis(grace_ms - 10));
        assert_eq!(0, stage.counter("bindings_expired"));
        stage.advance(Duration::from_millis(30));
        assert_eq!(1, stage.counter("bindings_expired"), "{stall_s} s");
    }
}

#[test]
fn reports_about_probes_that_are_answered_all_the_same_take_nothing_down() {
    // Anybody who knows our address and the phone's can write an ICMP message that quotes no more than these.
    let mut stage = static_stage();
    stage.bring_up();
    for _ in 0..20 {
        let probe = stage.next_probe();
        stage.unreachable_at(0, Unreachable::Port, peer(), "");
        stage.advance(Duration::from_millis(20));
        stage.answer(&probe, "200 OK");
        assert_eq!(Health::Up, stage.health(LINE).0);
    }
    // What is not answered either counts as before.
    for _ in 0..3 {
        stage.next_probe();
        stage.unreachable_at(0, Unreachable::Port, peer(), "");
    }
    let (health, cause) = stage.health(LINE);
    assert_eq!(
        (Health::Down, Cause::Unreachable(Unreachable::Port)),
        (health, cause)
    );
}
