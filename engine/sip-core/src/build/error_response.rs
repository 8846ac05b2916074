//! Answers to requests that did not parse: what can be found of Via, From, To, Call-ID and `CSeq` is copied
//! (RFC 3261 §8.2.6.2), without any state.

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::{push_decimal, push_top_via_value};
use crate::chars::{skip_token, trim};
use crate::error::PeerError;
use crate::header::{HeaderName, NameAddr};
use crate::limits::MAX_VIA;
use crate::message::is_status_line;

/// Answer a request that is refused with `error`. Send it to `source`: its Via may be what is broken.
///
/// `false`, and nothing is written: the fault is to be met with silence. So are responses, ACK, and whatever
/// has no Via. The To tag depends on the octets alone, so retransmissions get the same answer (§8.2.7).
pub fn error_response(
    datagram: &[u8],
    error: &PeerError,
    source: SocketAddr,
    out: &mut Vec<u8>,
) -> bool {
    let Some(status) = error.status() else {
        return false;
    };
    let start = datagram
        .iter()
        .position(|o| !matches!(o, b'\r' | b'\n' | 0))
        .unwrap_or(datagram.len());
    let text = &datagram[start..];
    let mut lines = Lines { rest: text };
    let request_line = lines.next().unwrap_or_default();
    let method = &request_line[..skip_token(request_line, 0)];
    let is_request = !method.is_empty() && request_line.get(method.len()) == Some(&b' ');
    if is_status_line(request_line) || !is_request || method == b"ACK" {
        return false;
    }
    let fields = lines;
    if !fields.fields().any(|(name, _)| name == HeaderName::Via) {
        return false;
    }
    out.extend_from_slice(b"SIP/2.0 ");
    push_decimal(out, u32::from(status));
    out.push(b' ');
    out.extend_from_slice(error.reason().as_bytes());
    out.extend_from_slice(b"\r\n");
    let vias = fields
        .fields()
        .filter(|(name, _)| *name == HeaderName::Via)
        .take(MAX_VIA);
    for (hop, (_, value)) in vias.enumerate() {
        out.extend_from_slice(b"Via: ");
        let from = out.len();
        if hop == 0 {
            push_top_via_value(out, value, source);
        } else {
            out.extend_from_slice(value);
        }
        end_line(out, from);
    }
    for name in [
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
        HeaderName::CSeq,
    ] {
        let Some((_, value)) = fields.fields().find(|(found, _)| *found == name) else {
            continue;
        };
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        let from = out.len();
        out.extend_from_slice(value);
        if name == HeaderName::To && NameAddr::scan(value).is_some_and(|to| to.tag().is_none()) {
            out.extend_from_slice(b";tag=");
            push_tag(out, text);
        }
        end_line(out, from);
    }
    out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    true
}

/// Line ends inside a value would end our line too: they become spaces.
fn end_line(out: &mut Vec<u8>, from: usize) {
    for octet in out
        .iter_mut()
        .skip(from)
        .filter(|octet| matches!(octet, b'\r' | b'\n' | 0))
    {
        *octet = b' ';
    }
    out.extend_from_slice(b"\r\n");
}

/// FNV-1a of the request. It need not be hard to guess: no dialog comes of an error.
fn push_tag(out: &mut Vec<u8>, text: &[u8]) {
    let hash = text.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    out.extend(hash.to_be_bytes().iter().flat_map(|octet| {
        let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble & 15)];
        [digit(octet >> 4), digit(*octet)]
    }));
}

/// Lines as leniently as possible: ended by LF, with or without CR, folds included, up to an empty line.
#[derive(Clone, Copy)]
#[allow(clippy::copy_iterator)]
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    fn fields(self) -> impl Iterator<Item = (HeaderName, &'a [u8])> {
        self.filter_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            Some((
                HeaderName::from_bytes(trim(&line[..colon])),
                trim(&line[colon + 1..]),
            ))
        })
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let mut end = 0;
        loop {
            let found = memchr::memchr(b'\n', self.rest.get(end..)?);
            end = found.map_or(self.rest.len(), |at| end + at + 1);
            if found.is_none() || !matches!(self.rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest;
        let line = trim(line);
        (!line.is_empty()).then_some(line)
    }
}
