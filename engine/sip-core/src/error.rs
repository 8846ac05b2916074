//! The peer's faults: bytes that are not a SIP message we may act on.

use crate::header::HeaderName;

/// What is wrong with the peer's bytes, and the status that says so.
///
/// A fault in a *response* is never answered; [`crate::build::error_response`] sees to that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerError {
    /// Nothing but line ends: a keep-alive (RFC 5626 §3.5.1), or an empty datagram.
    KeepAlive,
    /// More than [`crate::limits::MAX_MESSAGE`] octets.
    MessageTooLarge,
    /// Neither a Request-Line nor a Status-Line (RFC 3261 §7.1, §7.2).
    StartLine,
    /// A protocol version that is not `SIP/2.0`.
    Version,
    /// A status code outside 100…699.
    StatusCode,
    /// The Request-URI is not a URI.
    RequestUri,
    /// The Request-URI carries headers, which RFC 3261 §19.1.1 forbids; they are never honoured.
    RequestUriHeaders,
    /// A header field without a colon, or with a name that is no token.
    HeaderLine,
    /// CR or LF alone: another element might see another message here.
    LineEnd,
    /// The empty line after the header fields is missing.
    HeadersUnterminated,
    /// More than [`crate::limits::MAX_HEADERS`] header fields.
    TooManyHeaders,
    /// More than [`crate::limits::MAX_VIA`] hops.
    TooManyHops,
    /// A mandatory header field is missing.
    Missing(HeaderName),
    /// A header field that may stand once stands twice (RFC 4475 §3.3.8).
    Repeated(HeaderName),
    /// A header field's value is not what its grammar says.
    Malformed(HeaderName),
    /// A number is larger than its header field allows.
    OutOfRange(HeaderName),
    /// Method of `CSeq` and of the Request-Line differ.
    CSeqMethod,
    /// `Content-Length` is larger than what follows the header fields.
    BodyTruncated,
    /// A URI that does not follow RFC 3261 §19.1 or RFC 3966.
    Uri,
}

impl PeerError {
    /// The status to answer a request with; `None` means stay silent.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::KeepAlive | Self::StatusCode => None,
            Self::Version => Some(505),
            Self::MessageTooLarge => Some(513),
            Self::TooManyHops => Some(483),
            _ => Some(400),
        }
    }

    /// The reason phrase: what is wrong, in the words of the RFC.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::KeepAlive => "Keep-Alive",
            Self::MessageTooLarge => "Message Too Large",
            Self::StartLine => "Malformed Request-Line",
            Self::Version => "Version Not Supported",
            Self::StatusCode => "Malformed Status-Code",
            Self::RequestUri => "Malformed Request-URI",
            Self::RequestUriHeaders => "Headers in Request-URI",
            Self::HeaderLine => "Malformed Header Field",
            Self::LineEnd => "CR or LF Alone",
            Self::HeadersUnterminated => "Header Fields Not Terminated",
            Self::TooManyHeaders => "Too Many Header Fields",
            Self::TooManyHops => "Too Many Hops",
            Self::Missing(name) => name.reasons().missing,
            Self::Repeated(name) => name.reasons().repeated,
            Self::Malformed(name) => name.reasons().malformed,
            Self::OutOfRange(name) => name.reasons().out_of_range,
            Self::CSeqMethod => "CSeq Method Differs from Request-Line",
            Self::BodyTruncated => "Content-Length Larger than Message",
            Self::Uri => "Malformed URI",
        }
    }
}

impl core::fmt::Display for PeerError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for PeerError {}
