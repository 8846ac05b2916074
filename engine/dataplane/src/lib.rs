//! The data plane of sipproxy: sockets, worker threads, registrar, prober and proxy.
//!
//! It drives `sip-core` (messages, transactions, digest) and `route-core` (table, verdicts, decision), which do no I/O, and
//! knows nothing of Python or the store: what it is told comes as [`Settings`], tables and deltas, what it tells goes out as
//! [`Event`]s. Nothing on the path of a packet waits for anything but the network.
#![deny(unsafe_code)]

mod addresses;
mod calls;
mod chain;
mod clock;
mod counters;
mod engine;
mod events;
mod explain;
mod guard;
mod lines;
mod mailbox;
mod memo;
mod net;
mod policy;
mod proxy;
mod recent;
mod redirect;
mod registrar;
mod rows;
mod secret;
mod settings;
mod shared;
mod simulate;
mod slab;
mod slots;
mod tally;
mod token;
mod transactions;
mod virtual_engine;
mod wheel;
mod worker;

pub use engine::{Engine, Named};
pub use events::{BindingChange, DIVERTED_PER_SECOND, Event, EventBody};
pub use explain::Explanation;
pub use guard::{GroupRow, GuardRow, GuardState, PastFreeze};
pub use rows::{
    BindingRow, CallCounts, CallRow, CallsRow, DivertedHow, DivertedRow, LineState,
    RegistrationRow, RegistrationState, TargetState, VerdictRow,
};
pub use secret::random_u64;
pub use settings::{
    CallTimers, CorePeer, FaultCodes, ForeignMode, ForeignRegistrar, GuardSettings, HistoryInfo,
    Interconnect, LineProfile, NumberFormat, ProbeSettings, RegistrarSettings, Settings,
    SettingsError, UriScheme,
};
pub use simulate::{Supposed, simulate, survey};
pub use virtual_engine::{Datagram, VirtualEngine};
