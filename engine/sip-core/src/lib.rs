//! SIP without I/O: messages, URIs and headers by offset into the received buffer.
//!
//! No clock, no randomness, no sockets, no logging: what changes from call to call is an argument.
//! Parsing and reading a [`message::Message`] never allocates; writing appends to a caller's `Vec<u8>`.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod build;
pub mod digest;
pub mod error;
pub mod header;
pub mod limits;
pub mod message;
pub mod method;
pub mod time;
pub mod transaction;
pub mod uri;

mod chars;
