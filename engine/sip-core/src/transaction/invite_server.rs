//! The INVITE server transaction: RFC 3261 §17.2.1, figure 7, as replaced by RFC 6026 §7.1.
//!
//! - It is born in Proceeding and passes the INVITE up. A 100 (Trying) is due after 200 ms unless the TU answered; the TU
//!   knows whether it will, so the TU sends it, through here as [`Event::Provisional`].
//! - A repeated INVITE gets the latest response again, in Proceeding and Completed.
//! - 300–699: repeated at Timer G (unreliable transports) until the ACK; Timer H gives up waiting for it.
//! - ACK: absorbed until Timer I.
//! - 2xx: sent when and as often as the TU says, which repeats it until the ACK (§13.3.1.4); repeated INVITEs are absorbed
//!   until Timer L and ACKs passed up (RFC 6026 §7.1).
//! - A transport error is told to the TU and changes nothing (RFC 6026 §8.8).

use super::machine::{Action, Event, Machine, State, Timer, Transition, row};
use Action::{
    InformTimeout, InformTransportError, PassToUser, ResendResponse, SendResponse, Start, Stop,
    Terminate,
};
use Event::{Abandon, Ack, Failure, Provisional, Request, Success, TransportError};
use State::{Accepted, Completed, Confirmed, Proceeding, Terminated};
use Timer::{G, H, I, L};

pub(super) static MACHINE: Machine = Machine::new(Proceeding, &[PassToUser], TABLE);

const TABLE: &[Transition] = &[
    row(Proceeding, Request, Proceeding, &[ResendResponse]),
    row(Proceeding, Provisional, Proceeding, &[SendResponse]),
    row(Proceeding, Success, Accepted, &[SendResponse, Start(L)]),
    row(
        Proceeding,
        Failure,
        Completed,
        &[SendResponse, Start(G), Start(H)],
    ),
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
        Event::Timer(G),
        Completed,
        &[ResendResponse, Start(G)],
    ),
    row(Completed, Ack, Confirmed, &[Stop(G), Stop(H), Start(I)]),
    row(
        Completed,
        Event::Timer(H),
        Terminated,
        &[Stop(G), InformTimeout, Terminate],
    ),
    row(
        Completed,
        TransportError,
        Completed,
        &[InformTransportError],
    ),
    row(
        Completed,
        Abandon,
        Terminated,
        &[Stop(G), Stop(H), Terminate],
    ),
    row(Confirmed, Event::Timer(I), Terminated, &[Terminate]),
    row(Confirmed, Abandon, Terminated, &[Stop(I), Terminate]),
    row(Accepted, Success, Accepted, &[SendResponse]),
    row(Accepted, Ack, Accepted, &[PassToUser]),
    row(Accepted, TransportError, Accepted, &[InformTransportError]),
    row(Accepted, Event::Timer(L), Terminated, &[Terminate]),
    row(Accepted, Abandon, Terminated, &[Stop(L), Terminate]),
];
