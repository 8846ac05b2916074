//! Where a response goes (RFC 3261 §18.2.2, RFC 3581 §4).

use core::net::{IpAddr, SocketAddr};

use crate::header::{Rport, Via};
use crate::uri::address;

/// The address for a response, from the topmost Via after our own was taken off.
///
/// `None` where it names a host to be resolved (RFC 3263 §5, not for this crate), and where the address is
/// broadcast, multicast or unspecified: such a response is dropped (RFC 4475 §3.3.10).
pub fn response_destination(via: &Via<'_>) -> Option<SocketAddr> {
    let default = via.sent_by.port.unwrap_or(via.transport.default_port());
    let (ip, port) = if let Some(maddr) = via.maddr {
        (address(maddr)?, default)
    } else if let Some(received) = via.received {
        let port = match via.rport {
            Rport::Port(port) => port,
            Rport::Flag | Rport::Absent => default,
        };
        (address(received)?, port)
    } else {
        (via.sent_by.host.ip()?, default)
    };
    let unusable = match ip.to_canonical() {
        IpAddr::V4(v4) => v4.is_broadcast() || v4.is_multicast() || v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_multicast() || v6.is_unspecified(),
    };
    (!unusable && port != 0).then(|| SocketAddr::new(ip, port))
}
