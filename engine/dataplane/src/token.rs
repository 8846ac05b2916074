//! The token in our Record-Route URI: which two addresses a dialog joins, signed.
//!
//! A phone behind NAT puts a private address into its Contact, so in-dialog requests of the core cannot be sent to the
//! Request-URI; they go to the address the token names. The signature keeps us from being an open relay: only a Route that
//! we issued lets a request without a known sender pass.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sip_core::transaction::key::HashKey;

/// The two ends of a dialog, seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    /// Where the line's side receives.
    pub(crate) line: SocketAddr,
    /// Where the core's INVITE came from.
    pub(crate) core: SocketAddr,
}

/// Octets of the signature: 64 bits, checked on line, cannot be guessed in a dialog's life.
const SIGNATURE: usize = 8;

impl Ends {
    /// Append the token, letters and digits only: it stands in the user part of a URI.
    pub(crate) fn write(&self, secret: &HashKey, out: &mut Vec<u8>) {
        let mut plain = [0; 2 * 19];
        let length = self.encode(&mut plain);
        let signature = secret.mac64(&plain[..length]).to_be_bytes();
        for octet in plain[..length].iter().chain(&signature) {
            out.push(HEX[usize::from(octet >> 4)]);
            out.push(HEX[usize::from(octet & 15)]);
        }
    }

    /// Read a token that `write` made with the same secret; `None` for anything else.
    pub(crate) fn read(token: &[u8], secret: &HashKey) -> Option<Self> {
        let mut octets = [0; 2 * 19 + SIGNATURE];
        if !token.len().is_multiple_of(2) || token.len() / 2 > octets.len() {
            return None;
        }
        for (octet, pair) in octets.iter_mut().zip(token.chunks_exact(2)) {
            *octet = unhex(pair[0])? << 4 | unhex(pair[1])?;
        }
        let (plain, signature) = octets[..token.len() / 2]
            .split_at_checked((token.len() / 2).checked_sub(SIGNATURE)?)?;
        let expected = secret.mac64(plain).to_be_bytes();
        // One comparison of two words; a byte-wise early exit would tell how much was right.
        if u64::from_be_bytes(expected) != u64::from_be_bytes(signature.try_into().ok()?) {
            return None;
        }
        let (line, rest) = decode(plain)?;
        let (core, rest) = decode(rest)?;
        rest.is_empty().then_some(Self { line, core })
    }

    fn encode(&self, out: &mut [u8; 38]) -> usize {
        let mut length = 0;
        for address in [self.line, self.core] {
            let mut put = |octets: &[u8]| {
                out[length..length + octets.len()].copy_from_slice(octets);
                length += octets.len();
            };
            match address.ip() {
                IpAddr::V4(ip) => {
                    put(&[4]);
                    put(&ip.octets());
                }
                IpAddr::V6(ip) => {
                    put(&[6]);
                    put(&ip.octets());
                }
            }
            put(&address.port().to_be_bytes());
        }
        length
    }
}

fn decode(octets: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (family, rest) = octets.split_first()?;
    let (ip, rest) = match family {
        4 => rest
            .split_first_chunk::<4>()
            .map(|(ip, r)| (IpAddr::V4(Ipv4Addr::from(*ip)), r))?,
        6 => rest
            .split_first_chunk::<16>()
            .map(|(ip, r)| (IpAddr::V6(Ipv6Addr::from(*ip)), r))?,
        _ => return None,
    };
    let (port, rest) = rest.split_first_chunk::<2>()?;
    Some((SocketAddr::new(ip, u16::from_be_bytes(*port)), rest))
}

const HEX: &[u8; 16] = b"0123456789abcdef";

const fn unhex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote_and_nothing_else() {
        let secret = HashKey::new([7; 16]);
        let pairs = [
            ("192.0.2.7:5060", "198.51.100.1:5080"),
            ("[2001:db8::1]:5060", "198.51.100.1:65535"),
            ("[2001:db8::1]:1", "[2001:db8::ffff]:2"),
        ];
        for (line, core) in pairs {
            let ends = Ends {
                line: line.parse().unwrap(),
                core: core.parse().unwrap(),
            };
            let mut token = Vec::new();
            ends.write(&secret, &mut token);
            assert_eq!(Some(ends), Ends::read(&token, &secret));
            assert_eq!(None, Ends::read(&token, &HashKey::new([8; 16])));
            for i in 0..token.len() {
                let mut forged = token.clone();
                forged[i] = if forged[i] == b'0' { b'1' } else { b'0' };
                assert_eq!(None, Ends::read(&forged, &secret), "octet {i}");
                assert_eq!(None, Ends::read(&token[..i], &secret), "cut at {i}");
            }
        }
    }
}
