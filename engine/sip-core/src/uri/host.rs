//! `host = hostname / IPv4address / IPv6reference` (RFC 3261 §25.1, IPv6 as corrected by RFC 5954).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::chars::is_host;

/// A host of a URI or of a Via.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Host<'a> {
    /// The URI's scheme has no host.
    #[default]
    Absent,
    /// A domain name: resolving it is not the job of this crate.
    Name(&'a [u8]),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 reference, without its brackets.
    V6(Ipv6Addr),
}

impl<'a> Host<'a> {
    /// A whole text as host; IPv6 in brackets.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        Self::scan(text).and_then(|(host, end)| (end == text.len()).then_some(host))
    }

    /// The host at the start of `text` and the index after it.
    pub(crate) fn scan(text: &'a [u8]) -> Option<(Self, usize)> {
        if let [b'[', rest @ ..] = text {
            let close = memchr::memchr(b']', rest)?;
            return Some((Self::V6(ipv6(&rest[..close])?), close + 2));
        }
        if let Some((address, end)) = ipv4_prefix(text) {
            return Some((Self::V4(address), end));
        }
        let end = text.iter().position(|&o| !is_host(o)).unwrap_or(text.len());
        let name = &text[..end];
        let last = name.last()?;
        // The last label of a domain name starts with a letter, so digits and dots alone are neither.
        if last.is_ascii_digit() && name.iter().all(|o| o.is_ascii_digit() || *o == b'.') {
            return None;
        }
        (name[0] != b'.' && name[0] != b'-').then_some((Self::Name(name), end))
    }

    /// The address, if the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match *self {
            Self::V4(address) => Some(IpAddr::V4(address)),
            Self::V6(address) => Some(IpAddr::V6(address)),
            Self::Absent | Self::Name(_) => None,
        }
    }
}

/// Dotted decimal, without leading zeros that others would read as octal.
pub(crate) fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    ipv4_prefix(text).and_then(|(address, end)| (end == text.len()).then_some(address))
}

/// The IPv4 address at the start of `text` and the index after it; `None` if more of a host name follows.
fn ipv4_prefix(text: &[u8]) -> Option<(Ipv4Addr, usize)> {
    let mut octets = [0_u8; 4];
    let (mut part, mut digits, mut value) = (0, 0, 0_u16);
    for (at, &octet) in text.iter().enumerate() {
        if octet.is_ascii_digit() {
            if digits == 3 || (digits > 0 && value == 0) {
                return None;
            }
            value = value * 10 + u16::from(octet - b'0');
            digits += 1;
        } else if octet == b'.' {
            if digits == 0 || part == 3 {
                return None;
            }
            octets[part] = u8::try_from(value).ok()?;
            part += 1;
            (digits, value) = (0, 0);
        } else if is_host(octet) {
            return None;
        } else {
            return ipv4_complete(octets, part, digits, value).map(|address| (address, at));
        }
    }
    ipv4_complete(octets, part, digits, value).map(|address| (address, text.len()))
}

fn ipv4_complete(mut octets: [u8; 4], part: usize, digits: u8, value: u16) -> Option<Ipv4Addr> {
    if part != 3 || digits == 0 {
        return None;
    }
    octets[3] = u8::try_from(value).ok()?;
    Some(Ipv4Addr::from(octets))
}

/// The text between the brackets. Three colons, which the grammar of RFC 3261 produced by mistake, are read
/// as two (RFC 5118 §4.10).
pub(crate) fn ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    let parse = |octets: &[u8]| core::str::from_utf8(octets).ok()?.parse().ok();
    if let Some(address) = parse(text) {
        return Some(address);
    }
    let three = text.windows(3).position(|w| w == b":::")?;
    let mut fixed = [0_u8; 48];
    let end = text.len() - 1;
    if end > fixed.len() {
        return None;
    }
    fixed[..three].copy_from_slice(&text[..three]);
    fixed[three..end].copy_from_slice(&text[three + 1..]);
    parse(&fixed[..end])
}

/// An address as it stands in `received` or `maddr`: IPv6 with or without brackets (RFC 5118 §4.5).
pub(crate) fn address(text: &[u8]) -> Option<IpAddr> {
    if let Some(v4) = ipv4(text) {
        return Some(IpAddr::V4(v4));
    }
    let inner = text
        .strip_prefix(b"[")
        .and_then(|t| t.strip_suffix(b"]"))
        .unwrap_or(text);
    ipv6(inner).map(IpAddr::V6)
}
