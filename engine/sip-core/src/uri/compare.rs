//! When two URIs are the same (RFC 3261 §19.1.4; RFC 3966 §4 for tel).

use super::{Host, Scheme, Uri};
use crate::header::Params;

impl Uri<'_> {
    /// Equality of RFC 3261 §19.1.4: escapes are decoded for comparison, the user part is case-sensitive,
    /// parameters may stand in any order and most of them on one side only.
    pub fn equivalent(&self, other: &Uri<'_>) -> bool {
        // Octet for octet the same: most comparisons end here, and a URI that repeats a parameter, which
        // §19.1.1 forbids, still equals itself.
        if self.scheme == other.scheme && self.opaque == other.opaque {
            return true;
        }
        match (self.scheme, other.scheme) {
            (Scheme::Tel, Scheme::Tel) => {
                let number = |uri: &Self| uri.user.unwrap_or_default();
                digits(number(self)).eq(digits(other.user.unwrap_or_default()))
                    && all_match(self.params, other.params)
                    && all_match(other.params, self.params)
            }
            (Scheme::Other(a), Scheme::Other(b)) => {
                a.eq_ignore_ascii_case(b) && self.opaque == other.opaque
            }
            (Scheme::Sip, Scheme::Sip) | (Scheme::Sips, Scheme::Sips) => {
                same(self.user, other.user, false)
                    && same(self.password, other.password, false)
                    && same_host(self.host, other.host)
                    && self.port == other.port
                    && params_agree(self.params, other.params)
                    && params_agree(other.params, self.params)
                    && headers_agree(self.headers, other.headers)
                    && headers_agree(other.headers, self.headers)
            }
            _ => false,
        }
    }
}

/// The digits of a tel number: visual separators and case do not count (RFC 3966 §4).
fn digits(number: &[u8]) -> impl Iterator<Item = u8> {
    number
        .iter()
        .filter(|o| !b"-.()".contains(o))
        .map(u8::to_ascii_lowercase)
}

fn same_host(a: Host<'_>, b: Host<'_>) -> bool {
    match (a, b) {
        (Host::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
        _ => a == b,
    }
}

fn same(a: Option<&[u8]>, b: Option<&[u8]>, any_case: bool) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => same_text(a, b, any_case),
        _ => false,
    }
}

fn same_text(a: &[u8], b: &[u8], any_case: bool) -> bool {
    let fold = |o: (u8, bool)| {
        if any_case {
            (o.0.to_ascii_lowercase(), o.1)
        } else {
            o
        }
    };
    decoded(a).map(fold).eq(decoded(b).map(fold))
}

/// Octets with escapes decoded; the flag keeps an escaped reserved character apart from a plain one
/// (`%3B` is no `;`).
fn decoded(text: &[u8]) -> impl Iterator<Item = (u8, bool)> + '_ {
    let mut at = 0;
    core::iter::from_fn(move || {
        let octet = *text.get(at)?;
        at += 1;
        if octet != b'%' {
            return Some((octet, false));
        }
        let digit = |i: usize| text.get(i).and_then(|o| char::from(*o).to_digit(16));
        let (Some(high), Some(low)) = (digit(at), digit(at + 1)) else {
            return Some((octet, false));
        };
        at += 2;
        let value = (high * 16 + low) as u8;
        Some((value, b";/?:@&=+$,".contains(&value)))
    })
}

// A parameter of `a` that counts even if `b` has none: user, ttl, method, maddr.
fn params_agree(a: Params<'_>, b: Params<'_>) -> bool {
    const ON_BOTH_SIDES: [&[u8]; 4] = [b"user", b"ttl", b"method", b"maddr"];
    a.into_iter().all(|(name, value)| match find(b, name) {
        Some(other) => same(value, other, true),
        None => !ON_BOTH_SIDES
            .iter()
            .any(|counts| same_text(counts, name, true)),
    })
}

fn all_match(a: Params<'_>, b: Params<'_>) -> bool {
    a.into_iter()
        .all(|(name, value)| find(b, name).is_some_and(|other| same(value, other, true)))
}

#[allow(clippy::option_option)]
fn find<'a>(params: Params<'a>, name: &[u8]) -> Option<Option<&'a [u8]>> {
    params
        .into_iter()
        .find_map(|(found, value)| same_text(found, name, true).then_some(value))
}

fn headers_agree(a: Option<&[u8]>, b: Option<&[u8]>) -> bool {
    fn pairs(headers: Option<&[u8]>) -> impl Iterator<Item = (&[u8], &[u8])> {
        headers
            .unwrap_or_default()
            .split(|o| *o == b'&')
            .filter(|h| !h.is_empty())
            .map(|h| {
                let end = memchr::memchr(b'=', h).unwrap_or(h.len());
                (&h[..end], h.get(end + 1..).unwrap_or_default())
            })
    }
    pairs(a).all(|(name, value)| {
        pairs(b).any(|(n, v)| same_text(n, name, true) && same_text(v, value, false))
    })
}
