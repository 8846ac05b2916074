//! Writing messages: each function appends to the caller's buffer and allocates nothing else.
//!
//! What is not changed is copied line by line as it was received: folds, compact names and unknown header
//! fields survive (RFC 3261 §16.6 step 2, §16.7 step 9).

mod destination;
mod error_response;
mod forward;
mod hop;
mod number;
mod response;

pub use destination::response_destination;
pub use error_response::error_response;
pub use forward::{RequestForward, has_next_hop, write_forwarded_response};
pub use hop::{ack_for_non_2xx, cancel_for};
pub use number::{push_decimal, push_ip, push_socket_address};
pub use response::ResponseWriter;

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use crate::chars::offset;
use crate::header::{Rport, Via};

/// `Name: value` and CRLF.
pub(crate) fn push_header(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// The value of the topmost Via line with what its source address adds to the first hop.
pub(crate) fn push_top_via_value(out: &mut Vec<u8>, value: &[u8], source: SocketAddr) {
    match Via::parse(value) {
        Ok(via) => {
            push_via_with_source(out, &via, source);
            let rest = offset(value, via.raw) + via.raw.len();
            out.extend_from_slice(value.get(rest..).unwrap_or_default());
        }
        Err(_) => out.extend_from_slice(value),
    }
}

/// A hop with `received` where sent-by is not the source address (RFC 3261 §18.2.1), and with `received` and
/// `rport` filled in where it asked for `rport` (RFC 3581 §4). What the peer itself put there is replaced.
pub fn push_via_with_source(out: &mut Vec<u8>, via: &Via<'_>, source: SocketAddr) {
    let raw = via.raw;
    let address = source.ip().to_canonical();
    let mut copied = 0;
    let mut upto = |out: &mut Vec<u8>, end: usize, next: usize| {
        out.extend_from_slice(raw.get(copied..end).unwrap_or_default());
        copied = next;
    };
    if via.rport == Rport::Flag && via.received.is_none() {
        // What nearly every client sends: a bare `rport`, to be filled in.
        let end = usize::from(via.rport_end);
        upto(out, end, end);
        out.push(b'=');
        push_decimal(out, u32::from(source.port()));
    } else if via.rport != Rport::Absent || via.received.is_some() {
        for (name, value) in via.params {
            let start = offset(raw, name);
            let name_end = start + name.len();
            let end = value.map_or(name_end, |v| offset(raw, v) + v.len());
            if name.eq_ignore_ascii_case(b"rport") {
                upto(out, name_end, end);
                out.push(b'=');
                push_decimal(out, u32::from(source.port()));
            } else if name.eq_ignore_ascii_case(b"received") {
                let semicolon = memchr::memrchr(b';', &raw[..start]).unwrap_or(start);
                upto(out, semicolon, end);
            }
        }
    }
    upto(out, raw.len(), raw.len());
    let sent_by = via.sent_by.host.ip().map(|ip: IpAddr| ip.to_canonical());
    if via.rport != Rport::Absent || sent_by != Some(address) {
        out.extend_from_slice(b";received=");
        push_ip(out, address);
    }
}

#[cfg(test)]
mod tests;
