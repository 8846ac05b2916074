//! Reading a parsed message.

use super::index::{HeaderLine, HeaderLines, NONE, Span};
use super::{CSeq, Message, StartLine};
use crate::error::PeerError;
use crate::header::{HeaderName, NameAddr, Values, Via};
use crate::method::Method;
use crate::uri::Uri;

impl<'a> Message<'a> {
    /// The message's octets, from the start line to the end of the body.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The start line.
    pub fn start_line(&self) -> StartLine<'a> {
        match self.status() {
            None => StartLine::Request {
                method: self.method(),
                request_uri: self.request_uri(),
            },
            Some(status) => StartLine::Response {
                status,
                reason: self.layout.target.get(self.bytes),
            },
        }
    }

    /// Whether this is a request.
    pub fn is_request(&self) -> bool {
        self.layout.status == 0
    }

    /// Whether this is a response.
    pub fn is_response(&self) -> bool {
        self.layout.status != 0
    }

    /// The method of a request, or of the request a response belongs to.
    pub fn method(&self) -> Method<'a> {
        Method::from_token(self.layout.cseq_method.get(self.bytes))
    }

    /// The Request-URI, raw; empty in a response.
    pub fn request_uri(&self) -> &'a [u8] {
        if self.is_request() {
            self.layout.target.get(self.bytes)
        } else {
            &[]
        }
    }

    /// The Request-URI. It has been checked by `parse`, so this fails for responses only.
    pub fn uri(&self) -> Result<Uri<'a>, PeerError> {
        self.uri
            .or_else(|| Uri::scan(self.request_uri()))
            .ok_or(PeerError::RequestUri)
    }

    /// The status code of a response.
    pub fn status(&self) -> Option<u16> {
        (self.layout.status != 0).then_some(self.layout.status)
    }

    fn span(&self, name: HeaderName) -> Option<&'a Span> {
        match self.first[name as usize] {
            NONE => None,
            at => self.spans.get(usize::from(at)),
        }
    }

    /// The value of the first line of that name: trimmed, may contain folds.
    #[inline]
    pub fn header(&self, name: HeaderName) -> Option<&'a [u8]> {
        self.span(name).map(|span| span.value(self.bytes))
    }

    /// Whether there is a line of that name.
    pub fn has(&self, name: HeaderName) -> bool {
        self.span(name).is_some()
    }

    /// The values of all lines of that name, one item a line.
    pub fn headers(&self, name: HeaderName) -> HeaderLines<'a> {
        let spans = match self.first[name as usize] {
            NONE => &[],
            at => self.spans.get(usize::from(at)..).unwrap_or_default(),
        };
        HeaderLines {
            bytes: self.bytes,
            spans,
            name,
        }
    }

    /// The values of all lines of that name, split at commas outside quotes and `<>`.
    pub fn values(&self, name: HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.headers(name).flat_map(Values::new)
    }

    /// All header field lines, in order.
    pub fn lines(&self) -> impl Iterator<Item = HeaderLine<'a>> + use<'a> {
        let bytes = self.bytes;
        self.spans.iter().map(move |span| HeaderLine {
            name: span.name,
            field_name: span.field_name(bytes),
            value: span.value(bytes),
        })
    }

    /// The value of the first line of that name, known to this crate or not, in any case.
    pub fn header_named(&self, name: &[u8]) -> Option<&'a [u8]> {
        match HeaderName::from_bytes(name) {
            HeaderName::Other => self
                .lines()
                .find(|line| {
                    line.name == HeaderName::Other && line.field_name.eq_ignore_ascii_case(name)
                })
                .map(|line| line.value),
            known => self.header(known),
        }
    }

    /// The topmost hop.
    pub fn top_via(&self) -> Result<Via<'a>, PeerError> {
        Via::parse(
            self.header(HeaderName::Via)
                .ok_or(PeerError::Missing(HeaderName::Via))?,
        )
    }

    /// All hops, topmost first.
    pub fn vias(&self) -> impl Iterator<Item = Result<Via<'a>, PeerError>> + use<'a> {
        self.values(HeaderName::Via).map(Via::parse)
    }

    /// `CSeq`.
    pub fn cseq(&self) -> CSeq<'a> {
        CSeq {
            number: self.layout.cseq_number,
            method: self.method(),
        }
    }

    /// `Call-ID`.
    pub fn call_id(&self) -> &'a [u8] {
        self.header(HeaderName::CallId).unwrap_or_default()
    }

    /// `From`.
    pub fn from(&self) -> Result<NameAddr<'a>, PeerError> {
        self.address(HeaderName::From)
    }

    /// `To`.
    pub fn to(&self) -> Result<NameAddr<'a>, PeerError> {
        self.address(HeaderName::To)
    }

    fn address(&self, name: HeaderName) -> Result<NameAddr<'a>, PeerError> {
        let value = self.header(name).ok_or(PeerError::Missing(name))?;
        NameAddr::scan(value).ok_or(PeerError::Malformed(name))
    }

    /// The tag of From; absent from RFC 2543 elements. Found by `parse`, so this costs nothing.
    pub fn from_tag(&self) -> Option<&'a [u8]> {
        let tag = self.layout.from_tag.get(self.bytes);
        (!tag.is_empty()).then_some(tag)
    }

    /// The tag of To: there inside a dialog. Found by `parse`, so this costs nothing.
    pub fn to_tag(&self) -> Option<&'a [u8]> {
        let tag = self.layout.to_tag.get(self.bytes);
        (!tag.is_empty()).then_some(tag)
    }

    /// `Max-Forwards`, if given.
    pub fn max_forwards(&self) -> Option<u8> {
        self.layout.max_forwards
    }

    /// `Expires` in seconds; too large is clamped to 2³²−1, malformed means 3,600 as in a Contact (§20.10).
    pub fn expires(&self) -> Option<u32> {
        self.header(HeaderName::Expires).map(crate::header::seconds)
    }

    /// Addresses of all values of a header field.
    pub fn addresses(
        &self,
        name: HeaderName,
    ) -> impl Iterator<Item = Result<NameAddr<'a>, PeerError>> + use<'a> {
        self.values(name)
            .map(move |value| NameAddr::scan(value).ok_or(PeerError::Malformed(name)))
    }

    /// `Route`.
    pub fn routes(&self) -> impl Iterator<Item = Result<NameAddr<'a>, PeerError>> + use<'a> {
        self.addresses(HeaderName::Route)
    }

    /// `Record-Route`.
    pub fn record_routes(&self) -> impl Iterator<Item = Result<NameAddr<'a>, PeerError>> + use<'a> {
        self.addresses(HeaderName::RecordRoute)
    }

    /// `Path` (RFC 3327).
    pub fn paths(&self) -> impl Iterator<Item = Result<NameAddr<'a>, PeerError>> + use<'a> {
        self.addresses(HeaderName::Path)
    }

    /// `Contact`. The `*` of RFC 3261 §10.2.2 is no address and comes as an error: ask
    /// [`Message::contact_is_star`] first.
    pub fn contacts(&self) -> impl Iterator<Item = Result<NameAddr<'a>, PeerError>> + use<'a> {
        self.addresses(HeaderName::Contact)
    }

    /// Whether Contact is the single `*` that removes all bindings (RFC 3261 §10.2.2).
    pub fn contact_is_star(&self) -> bool {
        let mut values = self.values(HeaderName::Contact);
        values.next() == Some(b"*") && values.next().is_none()
    }

    /// Option tags of Require, Proxy-Require, Supported or Unsupported.
    pub fn option_tags(&self, name: HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.values(name)
    }

    /// Whether an option tag is listed, e.g. `has_option(HeaderName::Supported, "histinfo")`.
    pub fn has_option(&self, name: HeaderName, tag: &str) -> bool {
        self.option_tags(name)
            .any(|found| found.eq_ignore_ascii_case(tag.as_bytes()))
    }

    /// The body, cut to `Content-Length`.
    pub fn body(&self) -> &'a [u8] {
        self.bytes
            .get(usize::from(self.layout.body)..)
            .unwrap_or_default()
    }

    pub(crate) fn spans(&self) -> &'a [Span] {
        self.spans
    }

    /// Start line and header field lines, without the empty line.
    pub(crate) fn headers_end(&self) -> usize {
        usize::from(self.layout.body).saturating_sub(2)
    }

    /// Index of the first header field line.
    pub(crate) fn headers_start(&self) -> usize {
        usize::from(self.layout.headers)
    }
}
