//! Via (RFC 3261 §20.42; `rport` RFC 3581).
//!
//! ```text
//! via-parm      = sent-protocol LWS sent-by *( SEMI via-params )
//! sent-protocol = "SIP" SLASH "2.0" SLASH transport
//! sent-by       = host [ COLON port ]
//! ```

use super::params::{self, Params};
use crate::chars::{decimal, offset, skip_lws, skip_token};
use crate::error::PeerError;
use crate::header::HeaderName;
use crate::uri::Host;

/// The transport a Via names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport<'a> {
    /// `UDP`
    Udp,
    /// `TCP`
    Tcp,
    /// `TLS`
    Tls,
    /// `SCTP`
    Sctp,
    /// `WS` (RFC 7118)
    Ws,
    /// `WSS` (RFC 7118)
    Wss,
    /// Any other token: not ours to refuse (RFC 4475 §3.1.1.10).
    Other(&'a [u8]),
}

impl<'a> Transport<'a> {
    fn from_token(token: &'a [u8]) -> Self {
        const KNOWN: [(&[u8], Transport<'static>); 6] = [
            (b"UDP", Transport::Udp),
            (b"TCP", Transport::Tcp),
            (b"TLS", Transport::Tls),
            (b"SCTP", Transport::Sctp),
            (b"WS", Transport::Ws),
            (b"WSS", Transport::Wss),
        ];
        let same = |(name, _): &&(&[u8], Transport<'static>)| name.eq_ignore_ascii_case(token);
        KNOWN
            .iter()
            .find(same)
            .map_or(Self::Other(token), |(_, transport)| *transport)
    }

    /// Port to use when sent-by names none (RFC 3261 §18.2.2).
    pub fn default_port(&self) -> u16 {
        match self {
            Self::Tls | Self::Wss => 5061,
            _ => 5060,
        }
    }
}

/// `host [ ":" port ]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostPort<'a> {
    /// Host.
    pub host: Host<'a>,
    /// Port, if given.
    pub port: Option<u16>,
    /// Both as received, LWS included: what a transaction is keyed by (RFC 3261 §17.2.3).
    pub raw: &'a [u8],
}

/// The `rport` parameter (RFC 3581 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rport {
    /// Not there.
    Absent,
    /// Asked for, not filled in.
    Flag,
    /// Filled in.
    Port(u16),
}

/// One via-parm: one hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// The transport named in sent-protocol.
    pub transport: Transport<'a>,
    /// sent-by.
    pub sent_by: HostPort<'a>,
    /// `branch`; absent from RFC 2543 elements.
    pub branch: Option<&'a [u8]>,
    /// `rport`.
    pub rport: Rport,
    /// `received`, raw: IPv6 may stand in brackets or not (RFC 5118 §4.5).
    pub received: Option<&'a [u8]>,
    /// `maddr`, raw.
    pub maddr: Option<&'a [u8]>,
    /// `ttl`.
    pub ttl: Option<u8>,
    /// All parameters.
    pub params: Params<'a>,
    /// The whole via-parm as received.
    pub raw: &'a [u8],
    /// Where in `raw` the name of the first `rport` ends.
    pub(crate) rport_end: u16,
}

impl<'a> Via<'a> {
    /// The first via-parm of a field line's value; the rest of a comma separated list is not looked at.
    pub fn parse(value: &'a [u8]) -> Result<Self, PeerError> {
        Self::scan(value).ok_or(PeerError::Malformed(HeaderName::Via))
    }

    fn scan(text: &'a [u8]) -> Option<Self> {
        let start = skip_lws(text, 0);
        let after_version = if text.get(start..)?.starts_with(b"SIP/2.0/") {
            start + 8
        } else {
            sent_protocol(text, start)?
        };
        let end = skip_token(text, after_version);
        let transport = match &text[after_version..end] {
            b"UDP" => Transport::Udp,
            b"" => return None,
            other => Transport::from_token(other),
        };
        let host_start = skip_lws(text, end);
        if host_start == end {
            return None;
        }
        let (host, length) = Host::scan(&text[host_start..])?;
        let mut host_end = host_start + length;
        let mut at = skip_lws(text, host_end);
        let mut port = None;
        if text.get(at) == Some(&b':') {
            let digits_start = skip_lws(text, at + 1);
            let digits = text[digits_start..]
                .iter()
                .take_while(|o| o.is_ascii_digit())
                .count();
            host_end = digits_start + digits;
            port = Some(u16::try_from(decimal(&text[digits_start..host_end]).ok()?).ok()?);
            at = skip_lws(text, host_end);
        }
        let mut via = Self {
            transport,
            sent_by: HostPort {
                host,
                port,
                raw: &text[host_start..host_end],
            },
            branch: None,
            rport: Rport::Absent,
            received: None,
            maddr: None,
            ttl: None,
            params: Params::default(),
            raw: &[],
            rport_end: 0,
        };
        let params_start = at;
        while text.get(at) == Some(&b';') {
            let (name, value, next) = params::strict(text, at)?;
            let before = via.rport;
            via.param(name, value)?;
            if via.rport != before {
                via.rport_end = (offset(text, name) + name.len() - start) as u16;
            }
            at = next;
        }
        if text.get(at).is_some_and(|o| *o != b',') {
            return None;
        }
        via.params = Params::new(&text[params_start..at]);
        via.raw = crate::chars::trim(&text[start..at]);
        Some(via)
    }

    /// The first of two equal parameters counts. `None` if a value is not what its grammar says.
    fn param(&mut self, name: &[u8], value: Option<&'a [u8]>) -> Option<()> {
        match name.len() {
            6 if name.eq_ignore_ascii_case(b"branch") => {
                let value = value?;
                self.branch = self.branch.or(Some(value));
            }
            5 if name.eq_ignore_ascii_case(b"rport") && self.rport == Rport::Absent => {
                self.rport = match value {
                    None => Rport::Flag,
                    Some(port) => Rport::Port(u16::try_from(decimal(port).ok()?).ok()?),
                };
            }
            8 if name.eq_ignore_ascii_case(b"received") => {
                let value = value?;
                self.received = self.received.or(Some(value));
            }
            5 if name.eq_ignore_ascii_case(b"maddr") => {
                let value = value?;
                self.maddr = self.maddr.or(Some(value));
            }
            3 if name.eq_ignore_ascii_case(b"ttl") => {
                self.ttl = Some(u8::try_from(decimal(value?).ok()?).ok()?);
            }
            _ => {}
        }
        Some(())
    }

    /// Whether the branch is unique as RFC 3261 §8.1.1.7 wants it: the magic cookie and something after it.
    pub fn has_magic_cookie(&self) -> bool {
        self.branch.is_some_and(|b| {
            b.len() > 7
                && b.get(..7)
                    .is_some_and(|cookie| cookie.eq_ignore_ascii_case(b"z9hG4bK"))
        })
    }
}

/// `"SIP" SLASH "2.0" SLASH` with LWS around the slashes; the index where the transport starts.
fn sent_protocol(text: &[u8], start: usize) -> Option<usize> {
    let name_end = skip_token(text, start);
    let slash = skip_lws(text, name_end);
    let version = skip_lws(text, slash + 1);
    let version_end = skip_token(text, version);
    let second = skip_lws(text, version_end);
    let ours = text[start..name_end].eq_ignore_ascii_case(b"SIP")
        && text.get(slash) == Some(&b'/')
        && &text[version..version_end] == b"2.0"
        && text.get(second) == Some(&b'/');
    ours.then(|| skip_lws(text, second + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    #[test]
    fn the_first_hop_has_its_parts() {
        let value = b"SIP / 2.0 / TCP\r\n [2001:db8::9:1] : 5070 ; branch = z9hG4bKa ;rport=7; received=192.0.2.1;\
            maddr=239.1.1.1;ttl=3;x , SIP/2.0/UDP b";
        let via = Via::parse(value).expect("the value parses");
        assert_eq!(Transport::Tcp, via.transport);
        assert_eq!(Some(5070), via.sent_by.port);
        assert_eq!(b"[2001:db8::9:1] : 5070", via.sent_by.raw);
        assert_eq!(Some(&b"z9hG4bKa"[..]), via.branch);
        assert_eq!(Rport::Port(7), via.rport);
        assert_eq!(Some(&b"192.0.2.1"[..]), via.received);
        assert_eq!((Some(&b"239.1.1.1"[..]), Some(3)), (via.maddr, via.ttl));
        assert!(via.params.contains(b"x"));
        assert!(via.raw.ends_with(b";x"));
        assert!(via.has_magic_cookie());
    }

    #[test]
    fn old_and_odd_hops_are_read() {
        let via = Via::parse(b"SIP/2.0/UNKNOWN 192.0.2.1").expect("the value parses");
        assert_eq!(Transport::Other(b"UNKNOWN"), via.transport);
        assert_eq!(Host::V4(Ipv4Addr::new(192, 0, 2, 1)), via.sent_by.host);
        assert_eq!((None, Rport::Absent), (via.branch, via.rport));
        let bare = Via::parse(b"SIP/2.0/UDP a;rport;branch=z9hG4bK").expect("the value parses");
        assert_eq!(Rport::Flag, bare.rport);
        assert!(!bare.has_magic_cookie());
    }

    #[test]
    fn broken_hops_are_refused() {
        let table: [&[u8]; 13] = [
            b"",
            b"SIP/2.0/UDP",
            b"SIP/2.0/UDP ",
            b"SIP/7.0/UDP a",
            b"SIP/2.0/UDP a;;",
            b"SIP/2.0/UDP 192.0.2.15;;,;,,",
            b"SIP/2.0/UDP a:b",
            b"SIP/2.0/UDP a:70000",
            b"SIP/2.0/UDP a;branch",
            b"SIP/2.0/UDP a;rport=x",
            b"UDP a",
            b"SIP/2.0/UDP [::1",
            b"SIP/2.0/UDP a b",
        ];
        for raw in table {
            assert_eq!(
                Err(PeerError::Malformed(HeaderName::Via)),
                Via::parse(raw),
                "{}",
                raw.escape_ascii()
            );
        }
    }
}
