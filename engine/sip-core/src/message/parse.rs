//! Finding the lines of a message (RFC 3261 §7) and the checks every element makes (§8.2, §16.3, §18.3).

use super::index::{First, HeaderIndex, NONE, Span};
use super::{Layout, Message, Part};
use crate::chars::{decimal, offset, skip_lws, skip_token, trim};
use crate::error::PeerError;
use crate::header::{HeaderName, NameAddr};
use crate::limits::{CSEQ_END, MAX_HEADERS, MAX_MESSAGE, MAX_VIA};
use crate::uri::Uri;

impl<'a> Message<'a> {
    /// Parse one datagram, or one message cut out of a stream.
    ///
    /// Checked: start line, Request-URI, form of every header field line, presence of Via, From, To, Call-ID
    /// and `CSeq`, no empty Via, no second one of a field that may stand once, `CSeq` number and method, `Max-Forwards`,
    /// `Content-Length` against the body (octets after it are cut off, §18.3), From and To.
    /// CRLFs before the start line are skipped (§7.5).
    pub fn parse(datagram: &'a [u8], index: &'a mut HeaderIndex) -> Result<Self, PeerError> {
        let bytes = without_leading_line_ends(datagram)?;
        let (mut layout, uri, first_line) = start_line(bytes)?;
        layout.headers = first_line as u16;
        let (count, body) = header_lines(bytes, first_line, index)?;
        layout.body = body as u16;
        let index: &'a HeaderIndex = index;
        let mut message = Self {
            bytes,
            spans: index.spans.get(..count).unwrap_or_default(),
            first: &index.first,
            layout,
            uri,
        };
        message.check()?;
        Ok(message)
    }

    fn mandatory(&self, name: HeaderName) -> Result<&'a [u8], PeerError> {
        match self.header(name) {
            Some([]) => Err(PeerError::Malformed(name)),
            Some(value) => Ok(value),
            None => Err(PeerError::Missing(name)),
        }
    }

    fn check(&mut self) -> Result<(), PeerError> {
        self.mandatory(HeaderName::Via)?;
        let from = self.mandatory(HeaderName::From)?;
        self.layout.from_tag = self.tag(HeaderName::From, from)?;
        let to = self.mandatory(HeaderName::To)?;
        self.layout.to_tag = self.tag(HeaderName::To, to)?;
        if !self
            .mandatory(HeaderName::CallId)?
            .iter()
            .all(|octet| *octet > b' ')
        {
            return Err(PeerError::Malformed(HeaderName::CallId));
        }
        let cseq = self.mandatory(HeaderName::CSeq)?;
        self.check_cseq(cseq)?;
        if let Some(value) = self.header(HeaderName::MaxForwards) {
            let hops = number(HeaderName::MaxForwards, value)?;
            let hops =
                u8::try_from(hops).map_err(|_| PeerError::OutOfRange(HeaderName::MaxForwards))?;
            self.layout.max_forwards = Some(hops);
        }
        if let Some(value) = self.header(HeaderName::ContentLength) {
            let length = number(HeaderName::ContentLength, value)? as usize;
            let body = usize::from(self.layout.body);
            let end = body.checked_add(length).ok_or(PeerError::BodyTruncated)?;
            self.bytes = self.bytes.get(..end).ok_or(PeerError::BodyTruncated)?;
        }
        Ok(())
    }

    fn tag(&self, name: HeaderName, value: &'a [u8]) -> Result<Part, PeerError> {
        let address = NameAddr::scan(value).ok_or(PeerError::Malformed(name))?;
        Ok(address.tag().map_or(Part::default(), |tag| {
            let start = offset(self.bytes, tag);
            Part::of(start, start + tag.len())
        }))
    }

    // CSeq = "CSeq" HCOLON 1*DIGIT LWS Method
    fn check_cseq(&mut self, value: &'a [u8]) -> Result<(), PeerError> {
        const MALFORMED: PeerError = PeerError::Malformed(HeaderName::CSeq);
        let digits = value
            .iter()
            .take_while(|octet| octet.is_ascii_digit())
            .count();
        let sequence = number(HeaderName::CSeq, &value[..digits])?;
        if sequence >= CSEQ_END {
            return Err(PeerError::OutOfRange(HeaderName::CSeq));
        }
        let method = skip_lws(value, digits);
        if method == digits || method == value.len() || skip_token(value, method) != value.len() {
            return Err(MALFORMED);
        }
        let token = &value[method..];
        if self.layout.status == 0 && token != self.layout.method.get(self.bytes) {
            return Err(PeerError::CSeqMethod);
        }
        let start = offset(self.bytes, token);
        self.layout.cseq_number = sequence;
        self.layout.cseq_method = Part::of(start, start + token.len());
        Ok(())
    }
}

fn number(name: HeaderName, value: &[u8]) -> Result<u32, PeerError> {
    decimal(value).map_err(|too_large| {
        if too_large {
            PeerError::OutOfRange(name)
        } else {
            PeerError::Malformed(name)
        }
    })
}

/// Without CRLFs in front; zero octets are what some NAT keep-alives are made of.
fn without_leading_line_ends(datagram: &[u8]) -> Result<&[u8], PeerError> {
    if datagram.len() > MAX_MESSAGE {
        return Err(PeerError::MessageTooLarge);
    }
    let start = datagram
        .iter()
        .position(|octet| !matches!(octet, b'\r' | b'\n' | 0))
        .ok_or(PeerError::KeepAlive)?;
    Ok(&datagram[start..])
}

/// Index of the CRLF that ends the line `at` stands in. CR or LF alone is refused: an element that took it
/// for a line end would see other header fields than we do.
#[inline]
fn line_end(bytes: &[u8], at: usize) -> Result<usize, PeerError> {
    let rest = bytes.get(at..).unwrap_or_default();
    let found = memchr::memchr2(b'\r', b'\n', rest).ok_or(PeerError::HeadersUnterminated)?;
    match rest.get(found..found + 2) {
        Some(b"\r\n") => Ok(at + found),
        None if rest[found] == b'\r' => Err(PeerError::HeadersUnterminated),
        _ => Err(PeerError::LineEnd),
    }
}

/// The start line, the Request-URI of a request, and the index of the line after it.
fn start_line(bytes: &[u8]) -> Result<(Layout, Option<Uri<'_>>, usize), PeerError> {
    let end = line_end(bytes, 0)?;
    let line = &bytes[..end];
    let mut layout = Layout {
        method: Part::default(),
        target: Part::default(),
        status: 0,
        headers: 0,
        body: 0,
        cseq_number: 0,
        cseq_method: Part::default(),
        from_tag: Part::default(),
        to_tag: Part::default(),
        max_forwards: None,
    };
    let mut uri = None;
    if is_status_line(line) {
        (layout.status, layout.target) = status_line(line)?;
    } else {
        let read;
        (layout.method, layout.target, read) = request_line(line)?;
        uri = Some(read);
    }
    Ok((layout, uri, end + 2))
}

/// Whether a start line is a Status-Line: `/` is no character of a method.
pub(crate) fn is_status_line(line: &[u8]) -> bool {
    line.get(..4)
        .is_some_and(|name| name.eq_ignore_ascii_case(b"SIP/"))
}

// Status-Line = SIP-Version SP Status-Code SP Reason-Phrase CRLF
fn status_line(line: &[u8]) -> Result<(u16, Part), PeerError> {
    if line.get(4..8) != Some(b"2.0 ") {
        return Err(PeerError::Version);
    }
    let digits = line[8..]
        .iter()
        .take_while(|octet| octet.is_ascii_digit())
        .count();
    let status = match &line[8..8 + digits] {
        &[a @ b'1'..=b'6', b, c] => {
            u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0')
        }
        _ => return Err(PeerError::StatusCode),
    };
    match line.get(11) {
        Some(b' ') => Ok((status, Part::of(12, line.len()))),
        None => Ok((status, Part::default())), // without the SP; harmless, and seen in the field
        Some(_) => Err(PeerError::StatusCode),
    }
}

// Request-Line = Method SP Request-URI SP SIP-Version CRLF
fn request_line(line: &[u8]) -> Result<(Part, Part, Uri<'_>), PeerError> {
    let method_end = skip_token(line, 0);
    if method_end == 0 || line.get(method_end) != Some(&b' ') {
        return Err(PeerError::StartLine);
    }
    let uri_start = method_end + 1;
    let rest = &line[uri_start..];
    let uri_length = memchr::memchr(b' ', rest).ok_or(PeerError::StartLine)?;
    let version = &rest[uri_length + 1..];
    if version != b"SIP/2.0" && !version.eq_ignore_ascii_case(b"SIP/2.0") {
        let other = version
            .get(..4)
            .is_some_and(|name| name.eq_ignore_ascii_case(b"SIP/"))
            && version[4..]
                .iter()
                .all(|octet| octet.is_ascii_digit() || *octet == b'.');
        return Err(if other {
            PeerError::Version
        } else {
            PeerError::StartLine
        });
    }
    let uri = Uri::scan(&rest[..uri_length]).ok_or(PeerError::RequestUri)?;
    if uri.headers.is_some() {
        return Err(PeerError::RequestUriHeaders);
    }
    Ok((
        Part::of(0, method_end),
        Part::of(uri_start, uri_start + uri_length),
        uri,
    ))
}

/// Fill the index from the line at `at` to the empty line; the number of lines, and where the body starts.
fn header_lines(
    bytes: &[u8],
    mut at: usize,
    index: &mut HeaderIndex,
) -> Result<(usize, usize), PeerError> {
    let first: &mut First = &mut index.first;
    *first = [NONE; HeaderName::COUNT];
    let mut count = 0;
    let mut hops = 0;
    loop {
        let name_end = skip_token(bytes, at);
        if name_end == at {
            return match bytes.get(at..at + 2) {
                Some(b"\r\n") => Ok((count, at + 2)),
                None => Err(PeerError::HeadersUnterminated),
                Some(_) => Err(PeerError::HeaderLine),
            };
        }
        let colon = colon_after(bytes, name_end)?;
        let mut end = line_end(bytes, colon + 1)?;
        // A line that starts with white space continues the one before it (§7.3.1).
        while let Some(b' ' | b'\t') = bytes.get(end + 2) {
            end = line_end(bytes, end + 2)?;
        }
        let name = HeaderName::from_bytes(&bytes[at..name_end]);
        let value = trim(&bytes[colon + 1..end]);
        let value_start = offset(bytes, value);
        let slot = index
            .spans
            .get_mut(count)
            .ok_or(PeerError::TooManyHeaders)?;
        *slot = Span {
            line_start: at as u16,
            name_end: name_end as u16,
            value_start: value_start as u16,
            value_end: (value_start + value.len()) as u16,
            line_end: (end + 2) as u16,
            name,
        };
        let seen = &mut first[name as usize];
        if *seen == NONE {
            *seen = count as u16;
        } else if name.is_singleton() {
            return Err(PeerError::Repeated(name));
        }
        if name == HeaderName::Via {
            // A lower hop is no concern of ours (§16.3 item 1), but with an empty line nobody could tell which hop is next.
            if value.is_empty() {
                return Err(PeerError::Malformed(HeaderName::Via));
            }
            hops += 1;
            if hops > MAX_VIA {
                return Err(PeerError::TooManyHops);
            }
        }
        count += 1;
        at = end + 2;
    }
}

// HCOLON = *( SP / HTAB ) ":" SWS
#[inline]
fn colon_after(bytes: &[u8], name_end: usize) -> Result<usize, PeerError> {
    let mut at = name_end;
    while let Some(b' ' | b'\t') = bytes.get(at) {
        at += 1;
    }
    match bytes.get(at) {
        Some(b':') => Ok(at),
        None => Err(PeerError::HeadersUnterminated),
        Some(_) => Err(PeerError::HeaderLine),
    }
}

const _: () = assert!(MAX_HEADERS < NONE as usize && MAX_MESSAGE <= u16::MAX as usize);
