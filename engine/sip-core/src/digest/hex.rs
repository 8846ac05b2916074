//! Lower-case hexadecimal, LHEX of RFC 7616 §3.3, into buffers of the caller.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Writes two digits for each octet; `out` holds `2 * octets.len()`, what does not fit is left out.
pub(crate) fn encode(octets: &[u8], out: &mut [u8]) {
    for (octet, pair) in octets.iter().zip(out.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(octet >> 4)];
        pair[1] = DIGITS[usize::from(octet & 15)];
    }
}

/// The octet that two digits stand for, of either case.
pub(crate) fn decode_octet(high: u8, low: u8) -> Option<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16);
    Some((digit(high)? << 4 | digit(low)?) as u8)
}

/// The octets that `digits` stand for; `None` unless they are exactly `2 * N` digits.
pub(crate) fn decode<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    if digits.len() != 2 * N {
        return None;
    }
    let mut octets = [0; N];
    for (octet, pair) in octets.iter_mut().zip(digits.chunks_exact(2)) {
        *octet = decode_octet(pair[0], pair[1])?;
    }
    Some(octets)
}
