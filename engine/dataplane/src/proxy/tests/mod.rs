//! The proxy on a virtual clock and without sockets: what a caller and a phone would see of it.

mod call;
mod cancel;
mod chain;
mod chaos;
mod cost;
mod dialog;
mod late;
mod loss;
mod messages;
mod net;
mod other;
mod patience;
mod redirect;
mod rescue;
mod told;
mod unreachable;
mod variants;
mod workers;
