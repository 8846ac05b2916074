//! Transactions: RFC 3261 §17 as corrected by RFC 6026.
//!
//! Each of the four machines is a table of [`Transition`]s in a file of its own; [`Transaction`] is the small owner that
//! keeps the state and at most two running timers of one of them. It holds no message: the caller stores the bytes, turns
//! what it received into an [`Event`], and does what the returned [`Action`]s say. [`key`] tells which transaction a
//! message belongs to, [`branch`] makes the branch of our own requests.
//!
//! The transaction user (TU of RFC 3261 §5: proxy core, registrar, prober) is the caller's business: 2xx to INVITE and
//! their ACK end to end, CANCEL, Timer C, and the 100 (Trying) that an INVITE server transaction owes within 200 ms.

pub mod branch;
pub mod key;

mod invite_client;
mod invite_server;
mod machine;
mod non_invite_client;
mod non_invite_server;
mod owner;
#[cfg(test)]
mod tests;

pub use machine::{Action, Event, Kind, State, Timer, Transition};
pub use owner::Transaction;
