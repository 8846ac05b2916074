//! SIP and SIPS URIs (RFC 3261 §19.1), tel URIs (RFC 3966), and any other URI as opaque octets.

mod compare;
mod host;

pub use host::Host;
pub(crate) use host::address;

use crate::chars::{decimal, is_password, is_uri_headers, is_uri_params, is_user};
use crate::error::PeerError;
use crate::header::Params;
use crate::limits::MAX_URI;

/// The scheme of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme<'a> {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
    /// Any other: no fault of syntax, but nothing we route by (416, RFC 3261 §8.2.2.1).
    Other(&'a [u8]),
}

/// A parsed URI; every part is a slice of the received octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    /// The scheme.
    pub scheme: Scheme<'a>,
    /// User part without password; of a tel URI the number; `None` for other schemes.
    pub user: Option<&'a [u8]>,
    /// Password, which RFC 3261 §19.1.1 advises against.
    pub password: Option<&'a [u8]>,
    /// Host; `Absent` in URIs that are not sip or sips.
    pub host: Host<'a>,
    /// Port, if given.
    pub port: Option<u16>,
    /// URI parameters.
    pub params: Params<'a>,
    /// What follows `?`; never to be honoured when it came from outside.
    pub headers: Option<&'a [u8]>,
    /// What follows the scheme, raw.
    pub opaque: &'a [u8],
}

impl<'a> Uri<'a> {
    /// Parse a URI. Unknown schemes are no fault: their rest is kept as `opaque`.
    pub fn parse(text: &'a [u8]) -> Result<Self, PeerError> {
        Self::scan(text).ok_or(PeerError::Uri)
    }

    pub(crate) fn scan(text: &'a [u8]) -> Option<Self> {
        if text.len() > MAX_URI {
            return None;
        }
        if let Some(rest) = text.strip_prefix(b"sip:") {
            return Self::sip(Scheme::Sip, rest);
        }
        let colon = text.iter().position(|&o| !is_scheme(o))?;
        let (name, rest) = (&text[..colon], &text[colon + 1..]);
        if text[colon] != b':' || !name.first()?.is_ascii_alphabetic() {
            return None;
        }
        if name.eq_ignore_ascii_case(b"sip") {
            Self::sip(Scheme::Sip, rest)
        } else if name.eq_ignore_ascii_case(b"sips") {
            Self::sip(Scheme::Sips, rest)
        } else if name.eq_ignore_ascii_case(b"tel") {
            Self::tel(rest)
        } else {
            let visible = rest
                .iter()
                .all(|&o| o > b' ' && o < 0x7f && !b"<>\"".contains(&o));
            (visible && !rest.is_empty()).then(|| Self::bare(Scheme::Other(name), rest))
        }
    }

    fn bare(scheme: Scheme<'a>, opaque: &'a [u8]) -> Self {
        Self {
            scheme,
            user: None,
            password: None,
            host: Host::Absent,
            port: None,
            params: Params::default(),
            headers: None,
            opaque,
        }
    }

    // SIP-URI = "sip:" [ userinfo ] hostport uri-parameters [ headers ]
    fn sip(scheme: Scheme<'a>, opaque: &'a [u8]) -> Option<Self> {
        let mut uri = Self::bare(scheme, opaque);
        let mut rest = opaque;
        // '@' is reserved everywhere else, so the first one ends userinfo and a second one fails below.
        if let Some(at) = memchr::memchr(b'@', rest) {
            let userinfo = &rest[..at];
            rest = &rest[at + 1..];
            let user = match memchr::memchr(b':', userinfo) {
                Some(colon) => {
                    let password = &userinfo[colon + 1..];
                    if !is_password(password) {
                        return None;
                    }
                    uri.password = Some(password);
                    &userinfo[..colon]
                }
                None => userinfo,
            };
            if user.is_empty() || !is_user(user) {
                return None;
            }
            uri.user = Some(user);
        }
        let (host, after) = Host::scan(rest)?;
        uri.host = host;
        rest = &rest[after..];
        if let [b':', tail @ ..] = rest {
            let digits = tail.iter().take_while(|o| o.is_ascii_digit()).count();
            uri.port = Some(u16::try_from(decimal(&tail[..digits]).ok()?).ok()?);
            rest = &tail[digits..];
        }
        if let [b';', ..] = rest {
            let end = memchr::memchr(b'?', rest).unwrap_or(rest.len());
            if !is_uri_params(&rest[..end]) {
                return None;
            }
            uri.params = Params::new(&rest[..end]);
            rest = &rest[end..];
        }
        if let [b'?', headers @ ..] = rest {
            if !is_uri_headers(headers) {
                return None;
            }
            uri.headers = Some(headers);
            rest = &[];
        }
        rest.is_empty().then_some(uri)
    }

    // telephone-uri = "tel:" ( global-number-digits / local-number-digits ) *par
    fn tel(opaque: &'a [u8]) -> Option<Self> {
        let end = memchr::memchr(b';', opaque).unwrap_or(opaque.len());
        let (number, params) = opaque.split_at(end);
        let digits = number.strip_prefix(b"+").unwrap_or(number);
        let phone = |o: &u8| o.is_ascii_hexdigit() || b"*#-.()".contains(o);
        // A number holds a digit; star codes are made of the other dialling keys alone.
        let dialled = digits
            .iter()
            .any(|o| o.is_ascii_hexdigit() || b"*#".contains(o));
        (digits.iter().all(phone) && dialled && is_uri_params(params)).then(|| Self {
            user: Some(number),
            params: Params::new(params),
            ..Self::bare(Scheme::Tel, opaque)
        })
    }

    /// Whether the scheme is sip or sips.
    pub fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// The number-like part of the user, and its own parameters (`;rn=`, `;npdi`, `;phone-context=` …):
    /// tel URIs, and sip URIs whose user part is a telephone-subscriber (RFC 3261 §19.1.6, RFC 4694).
    pub fn subscriber(&self) -> Option<(&'a [u8], Params<'a>)> {
        let user = self.user?;
        if self.scheme == Scheme::Tel {
            return Some((user, self.params));
        }
        let end = memchr::memchr(b';', user).unwrap_or(user.len());
        Some((&user[..end], Params::new(&user[end..])))
    }

    /// What was dialled, as a core network writes it: the user part with its own parameters; of a tel URI all of it, because a
    /// local number is nothing without its `;phone-context=` (RFC 3966 §5.1.5).
    pub fn dialled(&self) -> Option<&'a [u8]> {
        let whole = self.scheme == Scheme::Tel;
        self.user.map(|user| if whole { self.opaque } else { user })
    }

    /// Parameters inside the user part of a sip URI, or those of a tel URI.
    pub fn user_params(&self) -> Params<'a> {
        self.subscriber()
            .map(|(_, params)| params)
            .unwrap_or_default()
    }

    /// Whether the `lr` parameter is there: a loose router (RFC 3261 §16.12).
    pub fn is_loose_router(&self) -> bool {
        self.params.contains(b"lr")
    }

    /// The port to send to when none is named: 5061 for sips or `transport=tls`, else 5060 (§19.1.2).
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or_else(|| {
            let tls = self
                .params
                .value(b"transport")
                .is_some_and(|t| t.eq_ignore_ascii_case(b"tls"));
            if self.scheme == Scheme::Sips || tls {
                5061
            } else {
                5060
            }
        })
    }
}

fn is_scheme(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'-' | b'.')
}

#[cfg(test)]
mod tests;
