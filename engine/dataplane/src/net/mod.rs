//! The operating system's side: datagram sockets in batches, their error queues, readiness and wake-ups.
//!
//! `sys` is the only module of the engine that may use `unsafe`: the batch system calls have no safe wrapper.

mod errors;
mod poll;
#[allow(unsafe_code)]
mod sys;
mod udp;

pub(crate) use errors::{NetworkError, SendFault};
pub(crate) use poll::{Poller, Ready, Waker};
pub(crate) use sys::boot_time;
pub(crate) use udp::{Outbox, RECEIVE_BATCH, UdpSocket, Unsent};
