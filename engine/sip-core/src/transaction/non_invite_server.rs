//! The non-INVITE server transaction: RFC 3261 §17.2.2, figure 8.
//!
//! - It is born in Trying and passes the request up; repetitions are discarded until the TU answers.
//! - A repeated request gets the latest response again, in Proceeding and Completed. Nothing is repeated by itself.
//! - The first final response counts, further ones of the TU are discarded; Timer J absorbs repetitions.
//! - A transport error is told to the TU and changes nothing: RFC 6026 §8.8 rewrites RFC 3261 §17.2.4, which holds for both
//!   kinds of server transaction, although figure 8 still shows the old arrow to Terminated.

use super::machine::{Action, Event, Machine, State, Timer, Transition, row};
use Action::{
    InformTransportError, PassToUser, ResendResponse, SendResponse, Start, Stop, Terminate,
};
use Event::{Abandon, Failure, Provisional, Request, Success, TransportError};
use State::{Completed, Proceeding, Terminated, Trying};
use Timer::J;

pub(super) static MACHINE: Machine = Machine::new(Trying, &[PassToUser], TABLE);

const TABLE: &[Transition] = &[
    row(Trying, Provisional, Proceeding, &[SendResponse]),
    row(Trying, Success, Completed, &[SendResponse, Start(J)]),
    row(Trying, Failure, Completed, &[SendResponse, Start(J)]),
    row(Trying, Abandon, Terminated, &[Terminate]),
    row(Proceeding, Request, Proceeding, &[ResendResponse]),
    row(Proceeding, Provisional, Proceeding, &[SendResponse]),
    row(Proceeding, Success, Completed, &[SendResponse, Start(J)]),
    row(Proceeding, Failure, Completed, &[SendResponse, Start(J)]),
    row(
        Proceeding,
        TransportError,
        Proceeding,
        &[InformTransportError],
    ),
    row(Proceeding, Abandon, Terminated, &[Terminate]),
    row(Completed, Request, Completed, &[ResendResponse]),
    row(
        Completed,
        TransportError,
        Completed,
        &[InformTransportError],
    ),
    row(Completed, Event::Timer(J), Terminated, &[Terminate]),
    row(Completed, Abandon, Terminated, &[Stop(J), Terminate]),
];
