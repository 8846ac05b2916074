//! `( name-addr / addr-spec ) *( SEMI generic-param )`: From, To, Contact, Route, Path, Diversion …
//! (RFC 3261 §20.10, §25.1).

use super::params::{self, Params};
use crate::chars::{is_lws, is_token, skip_lws, skip_quoted, trim};
use crate::error::PeerError;
use crate::limits::MALFORMED_EXPIRES;
use crate::uri::Uri;

/// One value of an address header field. The URI is raw: [`NameAddr::uri`] parses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// Display name; a quoted one keeps its quotes.
    pub display: Option<&'a [u8]>,
    /// The URI, without `<>`.
    pub uri: &'a [u8],
    /// Header field parameters, never those of the URI.
    pub params: Params<'a>,
    tag: Option<&'a [u8]>,
}

impl<'a> NameAddr<'a> {
    /// One value of a list. Quotes and brackets must match and the display name must be tokens or a quoted
    /// string. Without brackets `?` is refused: it would stand for URI and header alike (RFC 3261 §20.10).
    pub fn parse(value: &'a [u8]) -> Result<Self, PeerError> {
        Self::scan(trim(value)).ok_or(PeerError::Uri)
    }

    pub(crate) fn scan(text: &'a [u8]) -> Option<Self> {
        let start = skip_lws(text, 0);
        let (display, uri, params) = if text.get(start) == Some(&b'"') {
            let end = skip_quoted(text, start)?;
            let open = skip_lws(text, end);
            if text.get(open) != Some(&b'<') {
                return None;
            }
            let (uri, after) = bracketed(text, open)?;
            (Some(&text[start..end]), uri, after)
        } else {
            let mut at = start;
            while text
                .get(at)
                .copied()
                .is_some_and(|o| is_token(o) || is_lws(o))
            {
                at += 1;
            }
            match text.get(at)? {
                b'<' => {
                    let name = trim(&text[start..at]);
                    let (uri, after) = bracketed(text, at)?;
                    ((!name.is_empty()).then_some(name), uri, after)
                }
                b':' => {
                    let mut end = at;
                    while let Some(&octet) = text.get(end) {
                        match octet {
                            b';' | b' ' | b'\t' | b'\r' | b'\n' => break,
                            b'?' | b',' | b'<' | b'>' | b'"' => return None,
                            _ => end += 1,
                        }
                    }
                    (None, &text[start..end], end)
                }
                _ => return None,
            }
        };
        if uri.is_empty() {
            return None;
        }
        let mut tag = None;
        let start = skip_lws(text, params);
        let mut at = start;
        while at < text.len() {
            if text[at] != b';' {
                return None;
            }
            let (name, value, next) = params::strict(text, at)?;
            if tag.is_none() && name.eq_ignore_ascii_case(b"tag") {
                // An empty or missing value is no tag one could match a dialog by.
                tag = Some(value?);
            }
            at = next;
        }
        Some(Self {
            display,
            uri,
            params: Params::new(&text[start..]),
            tag,
        })
    }

    /// The URI, parsed.
    pub fn uri(&self) -> Result<Uri<'a>, PeerError> {
        Uri::parse(self.uri)
    }

    /// The `tag` parameter (RFC 3261 §19.3).
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.tag
    }

    /// The value of a header field parameter.
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.params.value(name)
    }

    /// `q` in thousandths, `None` if absent or malformed (RFC 3261 §20.10).
    pub fn q(&self) -> Option<u16> {
        let (whole, fraction) = match self.param(b"q")? {
            [whole] => (*whole, &[][..]),
            [whole, b'.', fraction @ ..] => (*whole, fraction),
            _ => return None,
        };
        if !matches!(whole, b'0' | b'1') || fraction.len() > 3 {
            return None;
        }
        let mut q = u16::from(whole - b'0');
        for place in 0..3 {
            let digit = fraction.get(place).copied().unwrap_or(b'0');
            if !digit.is_ascii_digit() {
                return None;
            }
            q = q * 10 + u16::from(digit - b'0');
        }
        (q <= 1000).then_some(q)
    }

    /// `expires` in seconds; too large is clamped, malformed means 3,600 (RFC 3261 §20.10).
    pub fn expires(&self) -> Option<u32> {
        self.params
            .find(b"expires")
            .map(|value| seconds(value.unwrap_or_default()))
    }
}

/// Index of the `>` that ends what `<` at `open` began, as the URI between them and the index after it.
fn bracketed(text: &[u8], open: usize) -> Option<(&[u8], usize)> {
    let close = open + memchr::memchr(b'>', text.get(open..)?)?;
    Some((&text[open + 1..close], close + 1))
}

/// Delta-seconds: clamped to 2³²−1, malformed means 3,600.
pub(crate) fn seconds(value: &[u8]) -> u32 {
    match crate::chars::decimal(value) {
        Ok(seconds) => seconds,
        Err(true) => u32::MAX,
        Err(false) => MALFORMED_EXPIRES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_display_uri_and_tag() {
        type Row = (
            &'static [u8],
            Option<&'static [u8]>,
            &'static [u8],
            Option<&'static [u8]>,
        );
        let table: [Row; 6] = [
            (b"<sip:a@b;lr>;tag=1", None, b"sip:a@b;lr", Some(b"1")),
            (b"caller<sip:a@b>", Some(b"caller"), b"sip:a@b", None),
            (
                b"A. Bell <sip:a@b> ; tag = x",
                Some(b"A. Bell"),
                b"sip:a@b",
                Some(b"x"),
            ),
            (
                b"\"q\\\" <x>\" <sip:a@b>",
                Some(b"\"q\\\" <x>\""),
                b"sip:a@b",
                None,
            ),
            (b"sip:a@b;tag=9", None, b"sip:a@b", Some(b"9")),
            (b"tel:+49301;x=\"a;tag=2\"", None, b"tel:+49301", None),
        ];
        for (raw, display, uri, tag) in table {
            let value = NameAddr::parse(raw).expect("a row of the table parses");
            assert_eq!((display, uri, tag), (value.display, value.uri, value.tag()));
        }
    }

    #[test]
    fn broken_values_are_refused() {
        let table: [&[u8]; 11] = [
            b"",
            b"\"open <sip:a@b>",
            b"<sip:a@b",
            b"Bell, A <sip:a@b>",
            b"sip:a@b?Route=x",
            b"<sip:a@b>;;x",
            b"<sip:a@b>;",
            b"<>",
            b"\"x\" sip:a@b",
            b"<sip:a@b> x",
            b"<sip:a@b>;tag",
        ];
        for raw in table {
            assert_eq!(
                Err(PeerError::Uri),
                NameAddr::parse(raw),
                "{}",
                raw.escape_ascii()
            );
        }
    }

    #[test]
    fn q_and_expires_follow_the_rfc() {
        let table: [(&[u8], Option<u16>, Option<u32>); 7] = [
            (b"<sip:a@b>", None, None),
            (b"<sip:a@b>;q=0.33;expires=60", Some(330), Some(60)),
            (
                b"<sip:a@b>;q=1;expires=99999999999999",
                Some(1000),
                Some(u32::MAX),
            ),
            (b"<sip:a@b>;q=1.001;expires=-1", None, Some(3600)),
            (b"<sip:a@b>;q=0.1234;expires", None, Some(3600)),
            (b"<sip:a@b>;q=0.", Some(0), None),
            (b"<sip:a@b>;q=x", None, None),
        ];
        for (raw, q, expires) in table {
            let value = NameAddr::parse(raw).expect("a row of the table parses");
            assert_eq!((q, expires), (value.q(), value.expires()));
        }
    }
}
