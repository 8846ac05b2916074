//! A received message: its octets, and where its parts are.
//!
//! [`Message::parse`] finds the lines and checks what every element must check; everything else is read by
//! an accessor when it is asked for. Nothing here allocates, except [`OwnedMessage`].
//!
//! What `parse` does not look at is refused by the accessor that reads it: Via by [`Message::top_via`],
//! Contact, Route, Path by the iterators' items, URIs of header fields by [`crate::header::NameAddr::uri`].

mod accessors;
mod index;
mod owned;
mod parse;

pub use index::{HeaderIndex, HeaderLine, HeaderLines};
pub use owned::OwnedMessage;
pub(crate) use parse::is_status_line;

use crate::method::Method;
use crate::uri::Uri;
use index::{First, Span};

/// Part of a message by offsets; empty means absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    start: u16,
    end: u16,
}

impl Part {
    fn of(start: usize, end: usize) -> Self {
        Self {
            start: start as u16,
            end: end as u16,
        }
    }

    fn get(self, bytes: &[u8]) -> &[u8] {
        bytes
            .get(usize::from(self.start)..usize::from(self.end))
            .unwrap_or_default()
    }
}

/// What `parse` found besides the header fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Method of a request.
    method: Part,
    /// Request-URI or reason phrase.
    target: Part,
    /// 0 in a request.
    status: u16,
    /// Start of the first header field line.
    headers: u16,
    /// Start of the body.
    body: u16,
    cseq_number: u32,
    cseq_method: Part,
    from_tag: Part,
    to_tag: Part,
    max_forwards: Option<u8>,
}

/// A SIP message: octets and an index, cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
    first: &'a First,
    layout: Layout,
    /// The Request-URI as `parse` read it; a message kept for later reads it anew.
    uri: Option<Uri<'a>>,
}

/// The first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartLine<'a> {
    /// Request-Line (RFC 3261 §7.1).
    Request {
        /// The method.
        method: Method<'a>,
        /// The Request-URI, raw.
        request_uri: &'a [u8],
    },
    /// Status-Line (RFC 3261 §7.2).
    Response {
        /// 100…699.
        status: u16,
        /// Reason phrase, any octets.
        reason: &'a [u8],
    },
}

/// `CSeq` (RFC 3261 §20.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// The sequence number, less than 2³¹.
    pub number: u32,
    /// The method.
    pub method: Method<'a>,
}

#[cfg(test)]
mod tests;
