//! What holds under any sequence of events.

use core::time::Duration;

use proptest::prelude::*;

use super::super::{Action, Event, Kind, State, Transaction};
use super::{TIMERS, Timestamp, Vec};

fn step() -> impl Strategy<Value = (u64, Event)> {
    (0_u64..20_000, prop::sample::select(&Event::ALL[..]))
}

/// Whether `actions` of `event` bring a final response to a client's TU.
fn is_final(event: Event, actions: &[Action]) -> bool {
    matches!(event, Event::Success | Event::Failure) && actions.contains(&Action::PassToUser)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_sequence(
        kind in prop::sample::select(&Kind::ALL[..]),
        reliable: bool,
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let mut now = Timestamp::ZERO;
        let mut transaction = Transaction::new(kind, reliable, &TIMERS, now);
        let mut finals = Vec::new();
        let mut ends = 0;
        let mut messages = 0;
        for (wait_ms, event) in steps {
            let next = now + Duration::from_millis(wait_ms);
            while let Some(deadline) = transaction.poll_timeout().filter(|deadline| *deadline <= next) {
                prop_assert!(deadline >= now, "no deadline in the past");
                now = deadline;
                let fired = transaction.handle_timeout(&TIMERS, now).expect("due");
                prop_assert!(!fired.is_empty(), "a running timer means something in its state");
                ends += fired.iter().filter(|action| **action == Action::Terminate).count();
            }
            now = next;
            let before = transaction.clone();
            let actions = transaction.handle(event, &TIMERS, now);
            if actions.is_empty() {
                prop_assert_eq!(&before, &transaction, "an event without meaning changes nothing");
            }
            if is_final(event, actions) {
                finals.push(event);
            }
            messages += 1;
            ends += actions.iter().filter(|action| **action == Action::Terminate).count();
            prop_assert_eq!(transaction.is_terminated(), ends == 1, "Terminate is said once, and meant");
            prop_assert!(!transaction.is_terminated() || transaction.poll_timeout().is_none(), "no timer after the end");
        }

        if matches!(kind, Kind::InviteClient | Kind::NonInviteClient) {
            let failures = finals.iter().filter(|event| **event == Event::Failure).count();
            prop_assert!(failures <= 1, "one failure at most: {:?}", finals);
            prop_assert!(failures == 0 || finals.len() == 1, "not both outcomes: {:?}", finals);
            prop_assert!(kind == Kind::InviteClient || finals.len() <= 1, "one answer: {:?}", finals);
        }

        // From here on only the clock: it ends within 64·T1, or waits for somebody without any timer.
        let limit = now + TIMERS.t1_64();
        let mut fired = 0;
        while let Some(deadline) = transaction.poll_timeout() {
            prop_assert!(deadline <= limit, "{deadline:?} is after {limit:?}");
            transaction.handle_timeout(&TIMERS, deadline);
            fired += 1;
            prop_assert!(fired < 20, "retransmission is bounded, after {} messages", messages);
        }
        let waits = matches!(
            (kind, transaction.state()),
            (Kind::InviteClient | Kind::InviteServer | Kind::NonInviteServer, State::Proceeding)
                | (Kind::NonInviteServer, State::Trying)
        );
        prop_assert!(transaction.is_terminated() || waits, "{:?} is stuck in {:?}", kind, transaction.state());
        if waits {
            transaction.handle(Event::Abandon, &TIMERS, limit);
            prop_assert!(transaction.is_terminated(), "the TU can always end it");
        }
    }

    /// Whatever the base values, at whatever time: nothing overflows, and no timer stands still.
    #[test]
    fn any_timer_values(t1: u64, t2: u64, start: u64, kind in prop::sample::select(&Kind::ALL[..])) {
        let timers = crate::time::TimerValues {
            t1: Duration::from_micros(t1),
            t2: Duration::from_micros(t2),
            ..TIMERS
        };
        let mut transaction = Transaction::new(kind, false, &timers, Timestamp::from_micros(start));
        transaction.handle(Event::Failure, &timers, Timestamp::from_micros(start));
        for _ in 0..100 {
            let Some(deadline) = transaction.poll_timeout() else { break };
            transaction.handle_timeout(&timers, deadline);
        }
    }
}
