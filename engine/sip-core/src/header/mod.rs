//! Header field names, and one module for each kind of value.

mod name;
mod name_addr;
mod params;
mod values;
mod via;

pub use name::HeaderName;
pub use name_addr::NameAddr;
pub(crate) use name_addr::seconds;
pub use params::Params;
pub use values::Values;
pub use via::{HostPort, Rport, Transport, Via};
