//! Lines on a virtual clock: probes, verdicts, expiry, restore.

mod bindings;
mod expiry;
mod foreign;
mod guard;
mod life;
mod probes;
mod table;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use route_core::{
    CallOutcome, Cause, Delta, FaultPlace, Health, Known, LineSlot, worst_case_detection,
};
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
        let targets: Targets = if gone {
            Vec::new()
        } else {
            vec![Arc::clone(target)]
        };
        self.cores[0].change_bindings(line, targets, &[(change, Arc::clone(target))], &view)
    }

    fn verdict_events(&self) -> Vec<(Health, Health, String, String)> {
        let events = self
            .events()
            .into_iter()
            .filter_map(|event| match event.body {
                EventBody::Verdict { previous, row } => {
                    Some((previous, row.health, row.cause, row.evidence))
                }
                _ => None,
            });
        events.collect()
    }

    fn binding_events(&self) -> Vec<(BindingChange, String)> {
        let events = self
            .events()
            .into_iter()
            .filter_map(|event| match event.body {
                EventBody::Binding { change, row } => Some((change, row.contact)),
                _ => None,
            });
        events.collect()
    }
}

fn answer(probe: &Sent, status: &str) -> String {
    let field = |name: &str| format!("{name}: {}\r\n", probe.header(name).unwrap());
    let fields: String = ["Via", "From", "Call-ID", "CSeq"].map(field).concat();
    format!(
        "SIP/2.0 {status}\r\n{fields}To: {};tag=a\r\nContent-Length: 0\r\n\r\n",
        probe.header("To").unwrap()
    )
}

fn contact(stage: &Stage, life: Duration) -> Arc<Target> {
    let binding = Binding {
        user: "+493023125000".into(),
        call_id: (*b"call").into(),
        cseq: 1,
        expires: stage.now() + life,
        user_agent: (*b"phone").into(),
    };
    Arc::new(Target::new(
        (*b"sip:pbx@198.51.100.7:5060").into(),
        peer(),
        0,
        0,
        Some(binding),
    ))
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

fn verdict_row(stage: &Stage, health: Health, cause: &str) -> VerdictRow {
    let since_unix_ms = stage.shared.clock.unix_ms(stage.now()) - 60_000;
    VerdictRow {
        line: LINE,
        health,
        since_unix_ms,
        cause: cause.to_owned(),
        evidence: "as it was".to_owned(),
        place: FaultPlace::Unclear,
    }
}

impl Stage {
    /// Answer a probe at the worker that sent it.
    fn answer_at_owner(&mut self, probe: &Sent) {
        let view = self.view();
        for core in &mut self.cores {
            let mut index = sip_core::message::HeaderIndex::new();
            let text = answer(probe, "200 OK");
            core.on_datagram(
                text.as_bytes(),
                &mut index,
                probe.destination,
                0,
                true,
                &view,
            );
        }
    }
}
