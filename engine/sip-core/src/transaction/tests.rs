//! The machines on a virtual clock: every cell of the tables, the instants of every timer, losses, any sequence of events.

extern crate std;

mod network;
mod properties;
mod scripts;
mod snapshots;

use core::time::Duration;
use std::string::String;
use std::vec::Vec;

use super::{Action, Event, Kind, State, Transaction};
use crate::time::{TimerValues, Timestamp};

const TIMERS: TimerValues = TimerValues::RFC3261;

/// A transaction with a clock, and what it asked for at which millisecond.
struct Run {
    transaction: Transaction,
    now: Timestamp,
    log: Vec<(u64, Action)>,
}

impl Run {
    fn new(kind: Kind, reliable: bool) -> Self {
        let now = Timestamp::ZERO;
        Self {
            transaction: Transaction::new(kind, reliable, &TIMERS, now),
            now,
            log: Vec::new(),
        }
    }

    fn note(&mut self, actions: &[Action]) {
        let at = self.now.as_micros() / 1_000;
        let visible = actions
            .iter()
            .filter(|action| !matches!(action, Action::Start(_) | Action::Stop(_)));
        self.log.extend(visible.map(|action| (at, *action)));
    }

    /// Lets the timers run up to and including `until_ms`.
    fn until(&mut self, until_ms: u64) -> &mut Self {
        let until = Timestamp::from_millis(until_ms);
        while let Some(deadline) = self
            .transaction
            .poll_timeout()
            .filter(|deadline| *deadline <= until)
        {
            self.now = deadline.max(self.now);
            let actions = self
                .transaction
                .handle_timeout(&TIMERS, self.now)
                .expect("a timer is due");
            self.note(actions);
        }
        self.now = until.max(self.now);
        self
    }

    /// Lets the timers run, then gives it an event.
    fn at(&mut self, at_ms: u64, event: Event) -> &mut Self {
        self.until(at_ms);
        let actions = self.transaction.handle(event, &TIMERS, self.now);
        self.note(actions);
        self
    }

    /// When it asked for `action`, in milliseconds.
    fn times(&self, action: Action) -> Vec<u64> {
        self.log
            .iter()
            .filter(|(_, logged)| *logged == action)
            .map(|(at, _)| *at)
            .collect()
    }

    fn state(&self) -> State {
        self.transaction.state()
    }
}

fn name(actions: &[Action]) -> String {
    let names: Vec<String> = actions
        .iter()
        .map(|action| std::format!("{action:?}"))
        .collect();
    names.join(", ")
}

#[test]
fn a_transaction_is_small() {
    assert!(
        size_of::<Transaction>() <= 24,
        "{} octets",
        size_of::<Transaction>()
    );
}

#[test]
fn shortened_timers_are_used() {
    let timers = TimerValues {
        t1: Duration::from_millis(10),
        ..TIMERS
    };
    let transaction =
        Transaction::new(Kind::InviteClient, true, &timers, Timestamp::from_millis(5));
    assert_eq!(
        Some(Timestamp::from_millis(645)),
        transaction.poll_timeout()
    );
}
