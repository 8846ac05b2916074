//! The registrar on a virtual clock, from datagram to datagram.

mod authentication;
mod bindings;
mod elsewhere;
mod phone;
mod properties;
mod store;
mod torture;
