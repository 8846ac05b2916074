//! The registrar on a virtual clock, from datagram to datagram.

mod authentication;
mod phone;
