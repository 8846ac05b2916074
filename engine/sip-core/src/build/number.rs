//! Numbers and addresses as text, without the formatting machinery where it would show on the hot path.

use alloc::vec::Vec;
use core::fmt::Write;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A number in decimal digits.
pub fn push_decimal(out: &mut Vec<u8>, number: u32) {
    let mut digits = [0_u8; 10];
    let start = decimal_before(&mut digits, 10, number);
    out.extend_from_slice(&digits[start..]);
}

/// Write `number` so that it ends before `end`; the index of its first digit. `end` must leave room for ten digits or as many as
/// there are.
fn decimal_before(digits: &mut [u8], end: usize, mut number: u32) -> usize {
    let mut at = end;
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return at;
        }
    }
}

/// Write an octet as one to three digits at the start of `out`; how many.
#[inline]
fn octet_at(out: &mut [u8], octet: u8) -> usize {
    let (hundreds, tens, ones) = (octet / 100, octet / 10 % 10, octet % 10);
    if octet >= 100 {
        out[..3].copy_from_slice(&[b'0' + hundreds, b'0' + tens, b'0' + ones]);
        3
    } else if octet >= 10 {
        out[..2].copy_from_slice(&[b'0' + tens, b'0' + ones]);
        2
    } else {
        out[0] = b'0' + ones;
        1
    }
}

/// Longest `255.255.255.255`.
const V4_LENGTH: usize = 15;

fn v4_text(address: Ipv4Addr) -> ([u8; V4_LENGTH], usize) {
    let mut text = [0; V4_LENGTH];
    let mut end = 0;
    for (place, octet) in address.octets().into_iter().enumerate() {
        if place > 0 {
            text[end] = b'.';
            end += 1;
        }
        end += octet_at(&mut text[end..], octet);
    }
    (text, end)
}

struct Append<'o>(&'o mut Vec<u8>);

impl Write for Append<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// An address; IPv6 without brackets, as `received` wants it (RFC 3261 §25.1, `via-received`).
pub fn push_ip(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            let (text, length) = v4_text(v4);
            out.extend_from_slice(&text[..length]);
        }
        IpAddr::V6(v6) => {
            // Appending to a vector does not fail.
            let _ = write!(Append(out), "{v6}");
        }
    }
}

/// `host ":" port` as it stands in sent-by and in a URI: IPv6 in brackets.
pub fn push_socket_address(out: &mut Vec<u8>, address: SocketAddr) {
    let v6 = address.is_ipv6();
    if v6 {
        out.push(b'[');
    }
    push_ip(out, address.ip());
    if v6 {
        out.push(b']');
    }
    out.push(b':');
    push_decimal(out, u32::from(address.port()));
}
