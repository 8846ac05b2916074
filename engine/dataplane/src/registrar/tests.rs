//! The registrar on a virtual clock, from datagram to datagram.

mod authentication;
mod bindings;
mod phone;
mod store;
mod torture;
