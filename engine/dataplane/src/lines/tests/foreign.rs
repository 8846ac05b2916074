//! Lines whose phones register elsewhere: what the registrar tells, its silence, its next hops.

use super::*;
use crate::rows::{RegistrationRow, RegistrationState};
use crate::worker::testing::foreign_line;

const WATCH: LineSlot = LineSlot(3);

/// The line of the registrar's next hop, and a foreign line behind it. Nothing was told yet.
fn foreign_stage() -> Stage {
    let mut stage = Stage::new(settings(1));
    stage.put_lines([
        static_line(WATCH.0, &[PEER]),
        foreign_line(LINE.0, "alice", WATCH.0, &[PEER]),
    ]);
    stage
}

impl Stage {
    fn registrar_says(&mut self, state: RegistrationState, at: u64, expires_unix_ms: Option<u64>) {
        let view = self.view();
        let row = RegistrationRow {
            line: LINE,
            user: String::new(),
            state,
            since_unix_ms: at,
            expires_unix_ms,
            contacts: 1,
            order: None,
            evidence: format!("the registrar says {state:?}"),
        };
        self.cores[0].on_registrations(&[row], &view);
    }

    fn unix_ms(&self) -> u64 {
        self.shared.clock.unix_ms(self.now())
    }
}

#[test]
fn what_the_registrar_tells_moves_the_verdict_and_stands_in_the_evidence() {
    let mut stage = foreign_stage();
    assert_eq!((Health::Unknown, Cause::Start), stage.health(LINE));
    stage.registrar_says(RegistrationState::Present, 1, None);
    assert_eq!((Health::Up, Cause::Registered), stage.health(LINE));
    stage.registrar_says(RegistrationState::Removed, 2, None);
    assert_eq!((Health::Down, Cause::Removed), stage.health(LINE));
    let (_, _, cause, evidence) = stage.verdict_events().pop().unwrap();
    assert_eq!(
        ("removed", "the registrar says Removed"),
        (&*cause, &*evidence)
    );
}

#[test]
fn a_registration_elsewhere_ends_at_its_moment() {
    let mut stage = foreign_stage();
    let ends = stage.unix_ms() + 60_000;
    stage.registrar_says(RegistrationState::Present, 1, Some(ends));
    stage.advance(seconds(60).saturating_sub(TICK));
    assert_eq!(Health::Up, stage.health(LINE).0);
    stage.advance(2 * TICK);
    assert_eq!((Health::Down, Cause::Expired), stage.health(LINE));
}

#[test]
fn a_silent_registrar_is_no_reason_to_divert() {
    let mut stage = foreign_stage();
    stage.registrar_says(RegistrationState::Present, 1, None);
    stage.registrar_says(RegistrationState::Unknown, 2, None);
    assert_eq!(Health::Up, stage.health(LINE).0);
    stage.registrar_says(RegistrationState::Expired, 3, None);
    assert_eq!(Health::Down, stage.health(LINE).0);
    // Nobody knows any more whether the phone is there: its calls are tried again.
    stage.advance(seconds(6));
    stage.registrar_says(RegistrationState::Unknown, 4, None);
    assert_eq!(Health::Unknown, stage.health(LINE).0);
}

#[test]
fn an_older_report_changes_nothing() {
    let mut stage = foreign_stage();
    stage.registrar_says(RegistrationState::Present, 5, None);
    stage.registrar_says(RegistrationState::Removed, 4, None);
    assert_eq!(Health::Up, stage.health(LINE).0);
}

#[test]
fn the_next_hop_is_probed_once_and_its_silence_makes_the_line_doubtful_only() {
    let mut stage = foreign_stage();
    stage.registrar_says(RegistrationState::Present, 1, None);
    let mut probes = 0;
    for _ in 0..300 {
        stage.advance(Duration::from_millis(100));
        for probe in stage.sent() {
            probes += 1;
            stage.answer(&probe, "200 OK");
        }
    }
    assert!((6..=8).contains(&probes), "{probes} probes in 30 s");
    // The hop falls silent: the line is up, but its calls are sent as to one in doubt.
    stage.advance(seconds(30));
    let wish = route_core::Wish::Enabled;
    assert_eq!(Health::Down, stage.health(WATCH).0);
    assert_eq!(Health::Up, stage.health(LINE).0);
    assert_eq!(Health::Suspect, stage.shared.slots.view(LINE, wish).health);
    assert!(stage.shared.slots.is_hop_down(LINE, peer()));
}

#[test]
fn a_call_that_hears_nothing_tells_of_the_hop() {
    let mut stage = foreign_stage();
    stage.registrar_says(RegistrationState::Present, 1, None);
    let view = stage.view();
    for _ in 0..5 {
        assert!(stage.cores[0].tell_hop(LINE, peer(), false, CallOutcome::Silent, &view));
        stage.advance(seconds(2));
    }
    assert_eq!((Health::Down, Cause::CallSilent), stage.health(WATCH));
    assert_eq!(Health::Up, stage.health(LINE).0);
    let fault = CallOutcome::Fault { code: 480 };
    stage.advance(seconds(6));
    assert!(!stage.cores[0].tell_hop(LINE, peer(), false, fault, &view));
    assert_eq!(Health::Up, stage.health(WATCH).0);
}

#[test]
fn no_call_tries_a_phone_that_is_not_registered() {
    // The registrar would answer it with 404 or 480, and its caller would hear that.
    let mut stage = foreign_stage();
    stage.registrar_says(RegistrationState::Present, 1, None);
    let view = stage.view();
    for _ in 0..5 {
        let fault = CallOutcome::Fault { code: 503 };
        stage.cores[0].on_call_outcome(LINE, peer(), fault, &view);
        stage.advance(seconds(2));
    }
    assert_eq!((Health::Down, Cause::CallFailed(503)), stage.health(LINE));
    let shared = Arc::clone(&stage.shared);
    let slot = shared.slots.read(LINE).unwrap();
    stage.advance(seconds(10));
    assert!(slot.trial_offered());
    stage.registrar_says(RegistrationState::Removed, 2, None);
    assert!(!slot.trial_offered());
    stage.advance(seconds(10));
    assert!(!slot.trial_offered());
    stage.registrar_says(RegistrationState::Present, 3, None);
    stage.advance(seconds(2));
    assert!(slot.trial_offered());
}
