//! One worker thread: its sockets, its transactions, its lines, and the loop that turns packets into actions.
//!
//! Rules: nothing here waits but for the poller; what belongs to another worker is posted to it; the policy and the route
//! table are taken anew at each turn, so that a change takes effect with the next batch.

mod core;
mod intake;
mod letters;
mod orphan;
mod stall;
#[cfg(test)]
pub(crate) mod testing;
mod turn;
mod unreachable;

pub(crate) use self::core::{Core, Incoming, View};
pub(crate) use stall::Stall;
pub(crate) use turn::Worker;
pub(crate) use unreachable::Undelivered;

use std::net::SocketAddr;

use route_core::{CallOutcome, LineSlot, RouteTable};

use crate::calls::Found;
use crate::rows::{BindingRow, LineState, RegistrationRow, VerdictRow};
use crate::transactions::{ClientId, ServerId};

/// What the timer wheel fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A server transaction's timer.
    Server(ServerId),
    /// A client transaction's timer.
    Client(ClientId),
    /// A response context waits long enough.
    Context(crate::proxy::ContextId),
    /// A line's next probe, probe time-out, or expiry.
    Line(LineSlot),
    /// A REGISTER's 200 waited long enough for the store.
    StoreWait(u64),
}

/// What other threads post to a worker.
pub(crate) enum Letter {
    /// A datagram whose transaction this worker owns.
    Datagram {
        bytes: Box<[u8]>,
        source: SocketAddr,
        socket: usize,
    },
    /// Another worker's call found this out about a line of ours.
    CallOutcome {
        line: LineSlot,
        address: SocketAddr,
        outcome: CallOutcome,
    },
    /// A request of this worker was not delivered, says another worker's socket.
    Undelivered(Undelivered),
    /// A packet came from a target of this line.
    Seen { line: LineSlot, address: SocketAddr },
    /// A call waits for a target of this line, in vain so far.
    Doubt { line: LineSlot, address: SocketAddr },
    /// These lines are to be asked soon.
    AskLines(Box<[LineSlot]>),
    /// These lines changed in the route table; `None`: any of them.
    LinesChanged(Option<Box<[LineSlot]>>),
    /// `Shared::stored_seq` moved on.
    Stored,
    /// Bindings from the store, before the first packet.
    Bindings(Vec<BindingRow>),
    /// Verdicts from the store, before the first packet.
    Verdicts(Vec<VerdictRow>),
    /// What registrars elsewhere say of our lines.
    Registrations(Vec<RegistrationRow>),
    /// A question of the Python side.
    Question(Question),
    /// End the thread.
    Stop,
    /// A defect.
    #[cfg(test)]
    Panic,
}

/// Questions are answered through a channel; a worker that stops drops it.
pub(crate) enum Question {
    /// What happened to the calls with this hash of a Call-ID.
    Calls {
        call_hash: u64,
        answer: std::sync::mpsc::SyncSender<Vec<Found>>,
    },
    /// The states of these lines.
    States {
        lines: Vec<LineSlot>,
        answer: std::sync::mpsc::SyncSender<Vec<LineState>>,
    },
    /// The bindings of these lines.
    Bindings {
        lines: Vec<LineSlot>,
        answer: std::sync::mpsc::SyncSender<Vec<BindingRow>>,
    },
}

/// Lines of `table` that worker `index` of `count` owns.
pub(crate) fn owned_lines(
    table: &RouteTable,
    index: usize,
    count: usize,
) -> impl Iterator<Item = LineSlot> + '_ {
    table
        .lines()
        .map(|line| line.slot)
        .filter(move |line| crate::slots::owner(*line, count) == index)
}
