//! The non-INVITE client transaction: RFC 3261 §17.1.2, figure 6.
//!
//! - The request is repeated at Timer E (unreliable transports), T1 doubling up to T2, also after a provisional response,
//!   then every T2; a reliable provisional response does not exist here, so the request must be kept alive.
//! - Timer F ends Trying and Proceeding alike.
//! - One final response goes up; its repetitions are absorbed until Timer K.
//! - A transport error counts while the request is still repeated; in Completed nothing is sent any more.

use super::machine::{Action, Event, Machine, State, Timer, Transition, row};
use Action::{
    InformTimeout, InformTransportError, PassToUser, ResendRequest, SendRequest, Start, Stop,
    Terminate,
};
use Event::{Abandon, Failure, Provisional, Success, TransportError};
use State::{Completed, Proceeding, Terminated, Trying};
use Timer::{E, F, K};

pub(super) static MACHINE: Machine =
    Machine::new(Trying, &[SendRequest, Start(E), Start(F)], TABLE);

const FINAL: &[Action] = &[Stop(E), Stop(F), PassToUser, Start(K)];
const TIMED_OUT: &[Action] = &[Stop(E), InformTimeout, Terminate];
const UNREACHABLE: &[Action] = &[Stop(E), Stop(F), InformTransportError, Terminate];

const TABLE: &[Transition] = &[
    row(Trying, Event::Timer(E), Trying, &[ResendRequest, Start(E)]),
    row(Trying, Event::Timer(F), Terminated, TIMED_OUT),
    row(Trying, TransportError, Terminated, UNREACHABLE),
    row(Trying, Provisional, Proceeding, &[PassToUser]),
    row(Trying, Success, Completed, FINAL),
    row(Trying, Failure, Completed, FINAL),
    row(Trying, Abandon, Terminated, &[Stop(E), Stop(F), Terminate]),
    row(
        Proceeding,
        Event::Timer(E),
        Proceeding,
        &[ResendRequest, Start(E)],
    ),
    row(Proceeding, Event::Timer(F), Terminated, TIMED_OUT),
    row(Proceeding, TransportError, Terminated, UNREACHABLE),
    row(Proceeding, Provisional, Proceeding, &[PassToUser]),
    row(Proceeding, Success, Completed, FINAL),
    row(Proceeding, Failure, Completed, FINAL),
    row(
        Proceeding,
        Abandon,
        Terminated,
        &[Stop(E), Stop(F), Terminate],
    ),
    row(Completed, Event::Timer(K), Terminated, &[Terminate]),
    row(Completed, Abandon, Terminated, &[Stop(K), Terminate]),
];
