//! What happens when, in milliseconds, with the RFC's default timers.

use super::super::{Action, Event, Kind, State, Timer, Transaction};
use super::{Duration, Run, TIMERS, Timestamp, Vec, std};
use Action::{
    InformTimeout, InformTransportError, PassToUser, ResendRequest, ResendResponse, SendAck,
    SendResponse, Terminate,
};
use Event::{Abandon, Ack, Failure, Provisional, Repeat, Request, Success, TransportError};

const HOUR: u64 = 3_600_000;

#[test]
fn timer_a_doubles_until_timer_b() {
    let mut run = Run::new(Kind::InviteClient, false);
    run.until(HOUR);
    assert_eq!(
        std::vec![500, 1_500, 3_500, 7_500, 15_500, 31_500],
        run.times(ResendRequest)
    );
    assert_eq!(std::vec![32_000], run.times(InformTimeout));
    assert_eq!(State::Terminated, run.state());
}

#[test]
fn timer_e_doubles_up_to_t2_until_timer_f() {
    let mut run = Run::new(Kind::NonInviteClient, false);
    run.until(HOUR);
    let expected: Vec<u64> = [500, 1_500, 3_500]
        .into_iter()
        .chain((7_500..32_000).step_by(4_000))
        .collect();
    assert_eq!(expected, run.times(ResendRequest));
    assert_eq!(std::vec![32_000], run.times(InformTimeout));
}

#[test]
fn timer_e_is_t2_after_a_provisional_response() {
    let mut run = Run::new(Kind::NonInviteClient, false);
    run.at(600, Provisional).until(HOUR);
    // The running interval ends as it began; the next ones are T2 (RFC 3261 §17.1.2.2).
    let expected: Vec<u64> = [500]
        .into_iter()
        .chain((1_500..32_000).step_by(4_000))
        .collect();
    assert_eq!(expected, run.times(ResendRequest));
    assert_eq!(
        std::vec![32_000],
        run.times(InformTimeout),
        "Timer F goes on"
    );
}

#[test]
fn timer_g_doubles_up_to_t2_until_timer_h() {
    let mut run = Run::new(Kind::InviteServer, false);
    run.at(1_000, Failure).until(HOUR);
    let expected: Vec<u64> = [1_500, 2_500, 4_500]
        .into_iter()
        .chain((8_500..33_000).step_by(4_000))
        .collect();
    assert_eq!(expected, run.times(ResendResponse));
    assert_eq!(
        std::vec![33_000],
        run.times(InformTimeout),
        "no ACK is told to the TU"
    );
}

/// Kind, reliable, events at milliseconds, when it ends, which timer ended it.
type Ending<'a> = (Kind, bool, &'a [(u64, Event)], u64, Timer);

#[test]
fn last_states_end_with_their_timers() {
    let cases: &[Ending<'_>] = &[
        (
            Kind::InviteClient,
            false,
            &[(100, Failure)],
            32_100,
            Timer::D,
        ),
        (Kind::InviteClient, true, &[(100, Failure)], 100, Timer::D),
        (
            Kind::InviteClient,
            false,
            &[(100, Success)],
            32_100,
            Timer::M,
        ),
        (
            Kind::InviteClient,
            true,
            &[(100, Provisional), (200, Success)],
            32_200,
            Timer::M,
        ),
        (
            Kind::NonInviteClient,
            false,
            &[(100, Success)],
            5_100,
            Timer::K,
        ),
        (
            Kind::NonInviteClient,
            true,
            &[(100, Failure)],
            100,
            Timer::K,
        ),
        (
            Kind::InviteServer,
            false,
            &[(100, Failure), (200, Ack)],
            5_200,
            Timer::I,
        ),
        (
            Kind::InviteServer,
            true,
            &[(100, Failure), (200, Ack)],
            200,
            Timer::I,
        ),
        (
            Kind::InviteServer,
            true,
            &[(100, Failure)],
            32_100,
            Timer::H,
        ),
        (
            Kind::InviteServer,
            false,
            &[(100, Success)],
            32_100,
            Timer::L,
        ),
        (
            Kind::InviteServer,
            true,
            &[(100, Success)],
            32_100,
            Timer::L,
        ),
        (
            Kind::NonInviteServer,
            false,
            &[(100, Success)],
            32_100,
            Timer::J,
        ),
        (
            Kind::NonInviteServer,
            true,
            &[(100, Failure)],
            100,
            Timer::J,
        ),
    ];
    for (kind, reliable, events, end, timer) in cases {
        let mut run = Run::new(*kind, *reliable);
        for (at, event) in *events {
            run.at(*at, *event);
        }
        run.until(HOUR);
        assert_eq!(
            std::vec![*end],
            run.times(Terminate),
            "{kind:?} reliable: {reliable}, Timer {timer:?}"
        );
    }
}

#[test]
fn reliable_transports_repeat_nothing() {
    for (kind, event) in [
        (Kind::InviteClient, None),
        (Kind::NonInviteClient, None),
        (Kind::NonInviteClient, Some(Provisional)),
        (Kind::InviteServer, Some(Failure)),
    ] {
        let mut run = Run::new(kind, true);
        if let Some(event) = event {
            run.at(100, event);
        }
        run.until(HOUR);
        assert!(
            run.times(ResendRequest).is_empty() && run.times(ResendResponse).is_empty(),
            "{kind:?}"
        );
        assert_eq!(
            1,
            run.times(InformTimeout).len(),
            "{kind:?} gives up all the same"
        );
    }
}

#[test]
fn a_provisional_response_stops_timers_a_and_b() {
    let mut run = Run::new(Kind::InviteClient, false);
    run.at(700, Provisional).until(HOUR);
    assert_eq!(std::vec![500], run.times(ResendRequest));
    assert_eq!(
        (State::Proceeding, None),
        (run.state(), run.transaction.poll_timeout()),
        "only the TU can end it"
    );
    run.at(HOUR + 1, Abandon);
    assert_eq!(State::Terminated, run.state());
}

#[test]
fn each_repeated_failure_is_acked_and_one_goes_up() {
    let mut run = Run::new(Kind::InviteClient, false);
    run.at(100, Failure)
        .at(600, Failure)
        .at(1_600, Failure)
        .at(1_700, Success)
        .at(1_800, Provisional)
        .until(HOUR);
    assert_eq!(std::vec![100, 600, 1_600], run.times(SendAck));
    assert_eq!(std::vec![100], run.times(PassToUser));
}

#[test]
fn every_2xx_goes_up_while_accepted() {
    let mut run = Run::new(Kind::InviteClient, false);
    run.at(100, Provisional)
        .at(200, Success)
        .at(700, Success)
        .at(1_700, Success)
        .at(1_800, Failure)
        .at(40_000, Success);
    assert_eq!(std::vec![100, 200, 700, 1_700], run.times(PassToUser));
    assert!(
        run.times(SendAck).is_empty(),
        "the ACK to a 2xx is the TU's"
    );
}

#[test]
fn server_repeats_its_latest_response() {
    let mut run = Run::new(Kind::InviteServer, false);
    run.at(100, Request)
        .at(200, Provisional)
        .at(600, Request)
        .at(700, Failure)
        .at(800, Request)
        .at(900, Ack);
    run.at(1_000, Request).at(1_100, Ack).until(HOUR);
    assert_eq!(std::vec![200, 700], run.times(SendResponse));
    assert_eq!(
        std::vec![100, 600, 800],
        run.times(ResendResponse),
        "and nothing after the ACK"
    );
    assert!(run.times(InformTimeout).is_empty());
}

#[test]
fn invite_server_absorbs_invites_after_2xx_and_sends_what_the_tu_repeats() {
    let mut run = Run::new(Kind::InviteServer, false);
    run.at(100, Success)
        .at(500, Request)
        .at(600, Success)
        .at(1_600, Success)
        .at(1_700, Ack)
        .at(1_800, Failure);
    assert_eq!(std::vec![100, 600, 1_600], run.times(SendResponse));
    assert!(run.times(ResendResponse).is_empty());
    assert_eq!(
        std::vec![1_700],
        run.times(PassToUser),
        "RFC 6026 §7.1: ACKs go up"
    );
}

#[test]
fn non_invite_server_discards_until_it_answered() {
    let mut run = Run::new(Kind::NonInviteServer, false);
    run.at(100, Request)
        .at(200, Provisional)
        .at(300, Request)
        .at(400, Success)
        .at(500, Request)
        .at(600, Failure);
    assert_eq!(
        std::vec![200, 400],
        run.times(SendResponse),
        "the second final response is discarded"
    );
    assert_eq!(std::vec![300, 500], run.times(ResendResponse));
}

#[test]
fn transport_errors() {
    for (kind, events, informed, after) in [
        (Kind::InviteClient, &[][..], 1, State::Terminated),
        (Kind::InviteClient, &[Provisional], 0, State::Proceeding),
        (Kind::InviteClient, &[Failure], 1, State::Terminated),
        (Kind::InviteClient, &[Success], 0, State::Accepted),
        (Kind::NonInviteClient, &[], 1, State::Terminated),
        (Kind::NonInviteClient, &[Provisional], 1, State::Terminated),
        (Kind::NonInviteClient, &[Success], 0, State::Completed),
        (Kind::InviteServer, &[Provisional], 1, State::Proceeding),
        (Kind::InviteServer, &[Failure], 1, State::Completed),
        (Kind::InviteServer, &[Success], 1, State::Accepted),
        (Kind::NonInviteServer, &[Success], 1, State::Completed),
    ] {
        let mut run = Run::new(kind, false);
        for event in events {
            run.at(100, *event);
        }
        run.at(200, TransportError);
        assert_eq!(
            (informed, after),
            (run.times(InformTransportError).len(), run.state()),
            "{kind:?} {events:?}"
        );
    }
}

#[test]
fn a_late_driver_gets_no_burst() {
    let mut run = Run::new(Kind::InviteClient, false);
    run.now = Timestamp::from_millis(10_000);
    let fired = run.transaction.handle_timeout(&TIMERS, run.now);
    assert!(fired.is_some_and(|actions| actions.contains(&ResendRequest)));
    assert_eq!(
        None,
        run.transaction.handle_timeout(&TIMERS, run.now),
        "once, although three were missed"
    );
    assert_eq!(
        Some(Timestamp::from_millis(11_000)),
        run.transaction.poll_timeout()
    );
}

#[test]
fn a_timer_that_does_not_run_cannot_fire() {
    let mut run = Run::new(Kind::InviteClient, true);
    assert!(
        run.transaction
            .handle(Event::Timer(Timer::A), &TIMERS, run.now)
            .is_empty(),
        "no Timer A when reliable"
    );
    assert!(
        run.transaction
            .handle(Event::Timer(Timer::D), &TIMERS, run.now)
            .is_empty()
    );
    assert_eq!(State::Calling, run.state());
}

#[test]
fn a_quick_first_repetition_doubles_as_ever_and_timer_b_keeps_its_length() {
    let mut run = Run::new(Kind::InviteClient, false);
    run.transaction = run
        .transaction
        .clone()
        .repeating_after(Duration::from_millis(80), Timestamp::ZERO);
    run.until(HOUR);
    assert_eq!(
        std::vec![80, 240, 560, 1_200, 2_480, 5_040, 10_160, 20_400],
        run.times(ResendRequest)
    );
    assert_eq!(std::vec![32_000], run.times(InformTimeout));
}

#[test]
fn a_quick_repetition_repeats_nothing_on_a_reliable_transport() {
    let transaction = Transaction::new(Kind::InviteClient, true, &TIMERS, Timestamp::ZERO)
        .repeating_after(Duration::from_millis(80), Timestamp::ZERO);
    assert_eq!(
        Some(Timestamp::from_millis(32_000)),
        transaction.poll_timeout()
    );
}

#[test]
fn an_invite_is_repeated_out_of_turn_when_the_user_asks_for_it() {
    let mut run = Run::new(Kind::InviteClient, false);
    run.at(100, Repeat).at(200, Provisional);
    run.at(2_000, Repeat).at(2_100, Success).at(2_200, Repeat);
    run.until(HOUR);
    assert_eq!(std::vec![100, 2_000], run.times(ResendRequest));
}
