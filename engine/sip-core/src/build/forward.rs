//! A proxy's copies of a request (RFC 3261 §16.6) and of a response (§16.7).

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::{push_decimal, push_header, push_top_via_value};
use crate::chars::{offset, trim};
use crate::header::{HeaderName, Values, Via};
use crate::message::Message;

/// What a proxy changes in a request it forwards; everything else is copied as received, body included.
///
/// `max_forwards` is the new value, already decremented.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestForward<'f> {
    /// A new Request-URI (step 2 of §16.6).
    pub request_uri: Option<&'f [u8]>,
    /// Our own Via value (step 8).
    pub via: &'f [u8],
    /// Where the request came from: fixes the hop that is topmost before ours is put on (§18.2.1).
    pub received: Option<SocketAddr>,
    /// Our Record-Route value (step 4).
    pub record_route: Option<&'f [u8]>,
    /// Our Path value, above all others (RFC 3327 §5.2).
    pub path: Option<&'f [u8]>,
    /// Route values to take off the front (§16.4).
    pub pop_routes: usize,
    /// Route value to put in front (step 6).
    pub push_route: Option<&'f [u8]>,
    /// Route value to put at the end: the Request-URI when the next hop is a strict router (step 6).
    pub append_route: Option<&'f [u8]>,
    /// The value to write (step 3).
    pub max_forwards: u8,
    /// Header fields to add at the end. The caller vouches that they hold no CR or LF.
    pub extra: &'f [(&'f str, &'f [u8])],
    /// Header fields to leave out.
    pub remove: &'f [HeaderName],
}

impl RequestForward<'_> {
    /// Append the request to `out`.
    pub fn write(&self, message: &Message<'_>, out: &mut Vec<u8>) {
        let bytes = message.bytes();
        out.reserve(bytes.len() + 512);
        out.extend_from_slice(message.method().as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.request_uri.unwrap_or(message.request_uri()));
        out.extend_from_slice(b" SIP/2.0\r\n");
        push_header(out, "Via", self.via);
        if let Some(value) = self.record_route {
            push_header(out, "Record-Route", value);
        }
        if let Some(value) = self.path {
            push_header(out, "Path", value);
        }
        if let Some(value) = self.push_route {
            push_header(out, "Route", value);
        }
        let mut verbatim = Verbatim {
            bytes,
            from: message.headers_start(),
        };
        let mut pops = self.pop_routes;
        let mut top_via = self.received;
        for span in message.spans() {
            let value = span.value(bytes);
            let edited = match span.name {
                HeaderName::Via => top_via.is_some(),
                HeaderName::Route => pops > 0,
                HeaderName::MaxForwards => true,
                name => self.remove.contains(&name),
            };
            if !edited && !self.remove.contains(&span.name) {
                continue;
            }
            verbatim.flush(out, span.line_start, span.line_end);
            if self.remove.contains(&span.name) {
                continue;
            }
            match span.name {
                HeaderName::Via => {
                    if let Some(source) = top_via.take() {
                        out.extend_from_slice(b"Via: ");
                        push_top_via_value(out, value, source);
                        out.extend_from_slice(b"\r\n");
                    }
                }
                HeaderName::Route => {
                    let mut values = Values::new(value);
                    while pops > 0 && values.next().is_some() {
                        pops -= 1;
                    }
                    push_rest(out, "Route", values.as_bytes());
                }
                HeaderName::MaxForwards => self.push_max_forwards(out),
                _ => {}
            }
        }
        verbatim.flush(
            out,
            message.headers_end() as u16,
            message.headers_end() as u16,
        );
        if !message.has(HeaderName::MaxForwards) || self.remove.contains(&HeaderName::MaxForwards) {
            self.push_max_forwards(out);
        }
        if let Some(value) = self.append_route {
            push_header(out, "Route", value);
        }
        for (name, value) in self.extra {
            push_header(out, name, value);
        }
        if !message.has(HeaderName::ContentLength) {
            // A stream needs it (§18.3), and the next hop may be one.
            out.extend_from_slice(b"Content-Length: ");
            push_decimal(out, message.body().len() as u32);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(message.body());
    }

    fn push_max_forwards(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"Max-Forwards: ");
        push_decimal(out, u32::from(self.max_forwards));
        out.extend_from_slice(b"\r\n");
    }
}

/// Where the octets of a response's next hop are, the one under the topmost.
enum NextHop<'a> {
    /// In the same field line: the rest of its list.
    Rest(&'a [u8]),
    /// In the next Via line.
    Line,
}

/// The next hop of a response: `None` if there is none or it cannot be read.
///
/// The next element takes it for the topmost and drops the response if it cannot read it (RFC 3261 §18.1.2), so there is no
/// use in sending it. Hops further down are not looked at.
fn next_hop<'a>(message: &Message<'a>) -> Option<NextHop<'a>> {
    let mut lines = message.headers(HeaderName::Via);
    let mut first = Values::new(lines.next()?);
    first.next()?;
    let mut rest = first;
    if let Some(hop) = rest.next() {
        Via::parse(hop).ok()?;
        // From the hop on: empty values in front of it would be left on top.
        let all = first.as_bytes();
        return Some(NextHop::Rest(all.get(offset(all, hop)..)?));
    }
    Via::parse(lines.next()?).ok()?;
    Some(NextHop::Line)
}

/// Whether a response has a next hop to go to when its topmost Via is taken off.
pub fn has_next_hop(response: &Message<'_>) -> bool {
    next_hop(response).is_some()
}

/// A proxy's copy of a response: the topmost Via value is taken off, the rest is as received (§16.7 step 3, 9).
///
/// `false`, and nothing is written, if no Via is left, because then the response was for us, or if the next one cannot be
/// read. What is written parses, and so does its topmost Via.
pub fn write_forwarded_response(message: &Message<'_>, out: &mut Vec<u8>) -> bool {
    let bytes = message.bytes();
    let top = message
        .spans()
        .iter()
        .find(|span| span.name == HeaderName::Via);
    let (Some(top), Some(next)) = (top, next_hop(message)) else {
        return false;
    };
    out.reserve(bytes.len());
    let mut verbatim = Verbatim { bytes, from: 0 };
    verbatim.flush(out, top.line_start, top.line_end);
    if let NextHop::Rest(rest) = next {
        push_header(out, "Via", rest);
    }
    out.extend_from_slice(bytes.get(verbatim.from..).unwrap_or_default());
    true
}

/// What is left of a comma separated list, if anything is.
fn push_rest(out: &mut Vec<u8>, name: &str, rest: &[u8]) {
    if Values::new(rest).next().is_some() {
        push_header(out, name, trim(rest));
    }
}

/// Lines that are copied in runs: only an edited line ends a run.
struct Verbatim<'a> {
    bytes: &'a [u8],
    from: usize,
}

impl Verbatim<'_> {
    /// Copy up to `end`, go on at `next`.
    fn flush(&mut self, out: &mut Vec<u8>, end: u16, next: u16) {
        out.extend_from_slice(
            self.bytes
                .get(self.from..usize::from(end))
                .unwrap_or_default(),
        );
        self.from = usize::from(next);
    }
}
