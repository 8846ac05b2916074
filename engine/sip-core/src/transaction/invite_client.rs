//! The INVITE client transaction: RFC 3261 §17.1.1, figure 5, as replaced by RFC 6026 §7.2.
//!
//! - Calling: the INVITE is repeated at Timer A (doubling, unreliable transports) until any response; Timer B gives up.
//! - A provisional response ends retransmission. From then on only a final response or the TU ends the transaction:
//!   Timer C (§16.6 step 11) and the 64·T1 after CANCEL (§9.1) are the TU's, which says [`Event::Abandon`].
//! - One departure: the TU may have the INVITE sent out of turn, also in Proceeding ([`Event::Repeat`]), where §17.1.1.2 says SHOULD NOT. A
//!   provisional response over UDP is sent once; the repeated INVITE is what makes the other side send its latest again (§17.2.1),
//!   and without it a lost 180 looks like a phone system that hangs.
//! - 300–699: up once, ACK here, and the same ACK again for each repetition until Timer D.
//! - 2xx: up each time, also repetitions and those of other forks, until Timer M (RFC 6026 §7.2); their ACK is the TU's.
//! - A transport error counts where something of ours was sent last: the INVITE (Calling) or the ACK (Completed). In
//!   Proceeding and Accepted nothing of this transaction is under way, so a late ICMP error there is no news.
//!
//! Not taken: a 2xx after a 300–699, and a 300–699 or provisional after a 2xx; the figure has no arrow for them.

use super::machine::{Action, Event, Machine, State, Timer, Transition, row};
use Action::{
    InformTimeout, InformTransportError, PassToUser, ResendRequest, SendAck, SendRequest, Start,
    Stop, Terminate,
};
use Event::{Abandon, Failure, Provisional, Repeat, Success, TransportError};
use State::{Accepted, Calling, Completed, Proceeding, Terminated};
use Timer::{A, B, D, M};

pub(super) static MACHINE: Machine =
    Machine::new(Calling, &[SendRequest, Start(A), Start(B)], TABLE);

const TABLE: &[Transition] = &[
    row(
        Calling,
        Event::Timer(A),
        Calling,
        &[ResendRequest, Start(A)],
    ),
    row(Calling, Repeat, Calling, &[ResendRequest]),
    row(
        Calling,
        Event::Timer(B),
        Terminated,
        &[Stop(A), InformTimeout, Terminate],
    ),
    row(
        Calling,
        TransportError,
        Terminated,
        &[Stop(A), Stop(B), InformTransportError, Terminate],
    ),
    row(
        Calling,
        Provisional,
        Proceeding,
        &[Stop(A), Stop(B), PassToUser],
    ),
    row(
        Calling,
        Success,
        Accepted,
        &[Stop(A), Stop(B), PassToUser, Start(M)],
    ),
    row(
        Calling,
        Failure,
        Completed,
        &[Stop(A), Stop(B), SendAck, PassToUser, Start(D)],
    ),
    row(Calling, Abandon, Terminated, &[Stop(A), Stop(B), Terminate]),
    row(Proceeding, Provisional, Proceeding, &[PassToUser]),
    row(Proceeding, Success, Accepted, &[PassToUser, Start(M)]),
    row(
        Proceeding,
        Failure,
        Completed,
        &[SendAck, PassToUser, Start(D)],
    ),
    row(Proceeding, Repeat, Proceeding, &[ResendRequest]),
    row(Proceeding, Abandon, Terminated, &[Terminate]),
    row(Completed, Failure, Completed, &[SendAck]),
    row(
        Completed,
        TransportError,
        Terminated,
        &[Stop(D), InformTransportError, Terminate],
    ),
    row(Completed, Event::Timer(D), Terminated, &[Terminate]),
    row(Completed, Abandon, Terminated, &[Stop(D), Terminate]),
    row(Accepted, Success, Accepted, &[PassToUser]),
    row(Accepted, Event::Timer(M), Terminated, &[Terminate]),
    row(Accepted, Abandon, Terminated, &[Stop(M), Terminate]),
];
