//! Numbers and addresses as text, without the formatting machinery where it would show on the hot path.

use alloc::vec::Vec;
use core::fmt::Write;
use core::net::{IpAddr, SocketAddr};

/// A number in decimal digits.
pub fn push_decimal(out: &mut Vec<u8>, mut number: u32) {
    let mut digits = [0_u8; 10];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
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
            for (place, octet) in v4.octets().into_iter().enumerate() {
                if place > 0 {
                    out.push(b'.');
                }
                push_decimal(out, u32::from(octet));
            }
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
