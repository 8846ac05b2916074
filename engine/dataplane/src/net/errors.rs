//! What the network and the kernel say about datagrams that did not get there.
//!
//! Rules: destination unreachable (RFC 792, RFC 1812 §5.2.7.1, RFC 4443 §3.1) counts, time exceeded and the need of fragments
//! do not (RFC 3261 §18.4); a send that the kernel refuses for want of a route is one of our own errors.

use std::io;
use std::net::SocketAddr;

use route_core::Unreachable;

use super::sys::RawError;

/// An ICMP error about a datagram of ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NetworkError<'q> {
    pub(crate) kind: Unreachable,
    /// The report came from the very address that we sent to, not from a router.
    pub(crate) by_target: bool,
    /// Where the datagram went.
    pub(crate) destination: SocketAddr,
    /// What was quoted of it; routers may quote nothing behind the UDP header.
    pub(crate) quote: &'q [u8],
}

impl<'q> NetworkError<'q> {
    /// `None` if the error says nothing about whether the destination can be reached.
    pub(super) fn read(error: &RawError, quote: &'q [u8]) -> Option<Self> {
        Some(Self {
            kind: kind_of(error)?,
            by_target: error.offender == Some(error.destination.ip()),
            destination: error.destination,
            quote,
        })
    }
}

fn kind_of(error: &RawError) -> Option<Unreachable> {
    match (error.origin, error.kind, error.code) {
        // RFC 792, RFC 1812 §5.2.7.1. Protocol and port unreachable are the host's own words.
        (libc::SO_EE_ORIGIN_ICMP, 3, code) => match code {
            0 | 6 | 8 | 11 => Some(Unreachable::Network),
            1 | 5 | 7 | 12 => Some(Unreachable::Host),
            2 | 3 => Some(Unreachable::Port),
            9 | 10 | 13..=15 => Some(Unreachable::Prohibited),
            _ => None,
        },
        // RFC 4443 §3.1.
        (libc::SO_EE_ORIGIN_ICMP6, 1, code) => match code {
            0 | 2 => Some(Unreachable::Network),
            1 | 5 | 6 => Some(Unreachable::Prohibited),
            3 => Some(Unreachable::Host),
            4 => Some(Unreachable::Port),
            _ => None,
        },
        _ => None,
    }
}

/// Why the kernel did not take a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendFault {
    /// It has no way there: no route, or a rule of ours forbids it.
    NoRoute,
    /// It had no room, or could not carry this one; that says nothing about the destination.
    Void,
}

impl SendFault {
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM | libc::EMSGSIZE | libc::EBADF) => {
                Self::Void
            }
            _ => Self::NoRoute,
        }
    }
}

/// How often a send or receive is repeated because of this error; 0: it is about this very datagram.
///
/// With the error queue on, a socket tells of an ICMP error a second time: the next system call fails with it, and does nothing.
/// Some of these errors never have another reason; others may mean this datagram, and do when they come again and again.
pub(super) fn repetitions(error: &io::Error) -> usize {
    match error.raw_os_error() {
        Some(
            libc::ECONNREFUSED | libc::EPROTO | libc::ENOPROTOOPT | libc::EHOSTDOWN | libc::ENONET,
        ) => 1_000,
        Some(
            libc::EHOSTUNREACH
            | libc::ENETUNREACH
            | libc::EACCES
            | libc::EOPNOTSUPP
            | libc::EMSGSIZE,
        ) => 3,
        Some(libc::EINTR) => 10,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn icmp_is_read_by_its_rfc() {
        use Unreachable::{Host, Network, Port, Prohibited};
        let rows = [
            (libc::SO_EE_ORIGIN_ICMP, 3, 0, Some(Network)),
            (libc::SO_EE_ORIGIN_ICMP, 3, 1, Some(Host)),
            (libc::SO_EE_ORIGIN_ICMP, 3, 2, Some(Port)),
            (libc::SO_EE_ORIGIN_ICMP, 3, 3, Some(Port)),
            // Fragmentation needed.
            (libc::SO_EE_ORIGIN_ICMP, 3, 4, None),
            (libc::SO_EE_ORIGIN_ICMP, 3, 13, Some(Prohibited)),
            // Time exceeded, source quench.
            (libc::SO_EE_ORIGIN_ICMP, 11, 0, None),
            (libc::SO_EE_ORIGIN_ICMP, 4, 0, None),
            (libc::SO_EE_ORIGIN_ICMP6, 1, 0, Some(Network)),
            (libc::SO_EE_ORIGIN_ICMP6, 1, 1, Some(Prohibited)),
            (libc::SO_EE_ORIGIN_ICMP6, 1, 3, Some(Host)),
            (libc::SO_EE_ORIGIN_ICMP6, 1, 4, Some(Port)),
            // Packet too big, time exceeded.
            (libc::SO_EE_ORIGIN_ICMP6, 2, 0, None),
            (libc::SO_EE_ORIGIN_ICMP6, 3, 0, None),
            (libc::SO_EE_ORIGIN_LOCAL, 0, 0, None),
        ];
        for (origin, kind, code, expected) in rows {
            let error = RawError {
                origin,
                kind,
                code,
                offender: None,
                destination: ([192, 0, 2, 1], 5060).into(),
            };
            assert_eq!(expected, kind_of(&error), "{error:?}");
        }
    }
}
