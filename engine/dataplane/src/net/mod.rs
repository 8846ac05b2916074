//! The operating system's side: datagram sockets in batches, readiness and wake-ups.
//!
//! `sys` is the only module of the engine that may use `unsafe`: the batch system calls have no safe wrapper.

mod poll;
#[allow(unsafe_code)]
mod sys;
mod udp;

pub(crate) use poll::{Poller, Waker};
pub(crate) use udp::{Outbox, RECEIVE_BATCH, UdpSocket};
