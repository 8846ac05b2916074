//! The four machines of RFC 3261 §17 under any sequence of events.

use std::time::Duration;

use arbitrary::Arbitrary;
use sip_core::time::{TimerValues, Timestamp};
use sip_core::transaction::{Event, Kind, Transaction};

#[derive(Arbitrary, Debug)]
pub struct Script {
    kind: u8,
    reliable: bool,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Event(u8),
    Wait { millis: u16 },
}

/// More timer events than any transaction can have before its end.
const MOST_TIMERS: usize = 10_000;

pub fn play(script: &Script) {
    let kind = Kind::ALL[usize::from(script.kind) % Kind::ALL.len()];
    let timers = TimerValues::RFC3261;
    let mut now = Timestamp::ZERO;
    let mut transaction = Transaction::new(kind, script.reliable, &timers, now);
    for step in &script.steps {
        match *step {
            Step::Event(event) => {
                let ended = transaction.is_terminated();
                let before = transaction.clone();
                let actions = transaction.handle(
                    Event::ALL[usize::from(event) % Event::ALL.len()],
                    &timers,
                    now,
                );
                if ended {
                    assert!(actions.is_empty(), "an ended transaction acts");
                    assert_eq!(before, transaction, "an ended transaction changes");
                }
            }
            Step::Wait { millis } => {
                now += Duration::from_millis(u64::from(millis));
                run_due(&mut transaction, &timers, now);
            }
        }
        if transaction.is_terminated() {
            assert_eq!(
                None,
                transaction.poll_timeout(),
                "an ended transaction has a timer"
            );
        }
    }
    // Time alone brings every transaction with a timer to its end, or to a state that waits for its user only.
    for _ in 0..MOST_TIMERS {
        let Some(due) = transaction.poll_timeout() else {
            return;
        };
        assert!(
            due > now || transaction.is_terminated() || due == now,
            "a timer is overdue"
        );
        now = due;
        run_due(&mut transaction, &timers, now);
    }
    panic!("{kind:?} never comes to an end");
}

fn run_due(transaction: &mut Transaction, timers: &TimerValues, now: Timestamp) {
    let mut fired = 0;
    while transaction.handle_timeout(timers, now).is_some() {
        fired += 1;
        assert!(
            fired <= MOST_TIMERS,
            "timers fire without end at one moment"
        );
    }
    if let Some(next) = transaction.poll_timeout() {
        assert!(next > now, "a due timer was left");
    }
}
