//! Responses to a request (RFC 3261 §8.2.6).

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::{push_decimal, push_header, push_via_with_source};
use crate::chars::offset;
use crate::header::{HeaderName, Via};
use crate::message::Message;

/// Writes one response: the copied fields first, then what the caller adds, then the body.
///
/// Nothing is complete before [`ResponseWriter::finish`].
#[must_use = "a response is complete after finish"]
#[derive(Debug)]
pub struct ResponseWriter<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> ResponseWriter<'o> {
    /// Start line, all Vias, From, To, Call-ID and `CSeq` of the request; Timestamp in a 100 (§8.2.6.1).
    ///
    /// `to_tag` is added where To has none (§8.2.6.2; pass `None` for a 100). With `source`, the topmost Via
    /// gets `received` and `rport` as RFC 3261 §18.2.1 and RFC 3581 §4 say; without, it stays as it is.
    pub fn new(
        out: &'o mut Vec<u8>,
        request: &Message<'_>,
        status: u16,
        reason: &str,
        to_tag: Option<&[u8]>,
        source: Option<SocketAddr>,
    ) -> Self {
        let via = source.and_then(|_| request.top_via().ok());
        Self::with_top_via(
            out,
            request,
            status,
            reason,
            to_tag,
            via.as_ref().zip(source),
        )
    }

    /// As [`ResponseWriter::new`], for a caller who has parsed the topmost Via already.
    pub fn with_top_via(
        out: &'o mut Vec<u8>,
        request: &Message<'_>,
        status: u16,
        reason: &str,
        to_tag: Option<&[u8]>,
        mut top: Option<(&Via<'_>, SocketAddr)>,
    ) -> Self {
        out.reserve(request.headers_end() + 256);
        out.extend_from_slice(b"SIP/2.0 ");
        push_decimal(out, u32::from(status));
        out.push(b' ');
        out.extend_from_slice(reason.as_bytes());
        out.extend_from_slice(b"\r\n");
        let bytes = request.bytes();
        // Vias keep their order; the other fields stand once each, so one pass copies them all.
        for span in request.spans() {
            match span.name {
                HeaderName::Via => match top.take() {
                    Some((via, source)) => {
                        out.extend_from_slice(b"Via: ");
                        push_via_with_source(out, via, source);
                        // A list in one line: its other values.
                        let value = span.value(bytes);
                        let rest = offset(value, via.raw) + via.raw.len();
                        out.extend_from_slice(value.get(rest..).unwrap_or_default());
                        out.extend_from_slice(b"\r\n");
                    }
                    None => out.extend_from_slice(span.line(bytes)),
                },
                HeaderName::To => match to_tag {
                    Some(tag) if request.to_tag().is_none() => {
                        out.extend_from_slice(b"To: ");
                        out.extend_from_slice(span.value(bytes));
                        out.extend_from_slice(b";tag=");
                        out.extend_from_slice(tag);
                        out.extend_from_slice(b"\r\n");
                    }
                    _ => out.extend_from_slice(span.line(bytes)),
                },
                HeaderName::From | HeaderName::CallId | HeaderName::CSeq => {
                    out.extend_from_slice(span.line(bytes));
                }
                HeaderName::Timestamp if status == 100 => out.extend_from_slice(span.line(bytes)),
                _ => {}
            }
        }
        Self { out }
    }

    /// Add a header field. The caller vouches that the value holds no CR or LF.
    pub fn header(self, name: &str, value: &[u8]) -> Self {
        push_header(self.out, name, value);
        self
    }

    /// Add a header field whose value a closure appends.
    pub fn header_with(self, name: &str, value: impl FnOnce(&mut Vec<u8>)) -> Self {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        value(self.out);
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// Copy all lines of a name from the request: Record-Route into a 2xx (§12.1.1), Path (RFC 3327 §5.3).
    pub fn copy(self, request: &Message<'_>, name: HeaderName) -> Self {
        for span in request.spans().iter().filter(|span| span.name == name) {
            self.out.extend_from_slice(span.line(request.bytes()));
        }
        self
    }

    /// `Content-Length`, the empty line and the body, given as content type and octets.
    pub fn finish(self, body: Option<(&str, &[u8])>) {
        let out = self.out;
        match body {
            None => out.extend_from_slice(b"Content-Length: 0\r\n\r\n"),
            Some((content_type, octets)) => {
                push_header(out, "Content-Type", content_type.as_bytes());
                out.extend_from_slice(b"Content-Length: ");
                push_decimal(out, octets.len() as u32);
                out.extend_from_slice(b"\r\n\r\n");
                out.extend_from_slice(octets);
            }
        }
    }
}
