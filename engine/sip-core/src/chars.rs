//! Character classes of RFC 3261 §25.1 and the scanners built on them.

const TOKEN: u8 = 1;
const USER: u8 = 2;
const PARAM: u8 = 4;
const HOST: u8 = 8;
const HEADER: u8 = 16;
const PASSWORD: u8 = 32;
const PLAIN: u8 = 64;

static CLASS: [u8; 256] = {
    let mut table = [0_u8; 256];
    let mut i = 0;
    while i < 256 {
        let octet = i as u8;
        if octet.is_ascii_alphanumeric() {
            table[i] |= TOKEN | USER | PARAM | HOST | HEADER | PASSWORD;
        }
        if octet > b' ' && octet != 0x7f {
            table[i] |= PLAIN;
        }
        i += 1;
    }
    mark(&mut table, b"-.!%*_+`'~", TOKEN);
    // mark / user-unreserved; '%' is checked apart. '#' must be escaped (RFC 3261 §19.1.2), but star codes
    // are dialled raw by so many telephones that refusing them would refuse real calls.
    mark(&mut table, b"-_.!~*'()&=+$,;?/%#", USER);
    mark(&mut table, b"-_.!~*'()&=+$,%", PASSWORD);
    mark(&mut table, b"-_.!~*'()[]/:&+$%", PARAM);
    mark(&mut table, b"-_.!~*'()[]/?:+$%&=", HEADER);
    // '_' is no host character of the RFC, but stands in names of real networks.
    mark(&mut table, b"-._", HOST);
    unmark(&mut table, b";,\"<>", PLAIN);
    table
};

const fn mark(table: &mut [u8; 256], octets: &[u8], class: u8) {
    let mut i = 0;
    while i < octets.len() {
        table[octets[i] as usize] |= class;
        i += 1;
    }
}

const fn unmark(table: &mut [u8; 256], octets: &[u8], class: u8) {
    let mut i = 0;
    while i < octets.len() {
        table[octets[i] as usize] &= !class;
        i += 1;
    }
}

#[inline]
pub(crate) fn is_token(octet: u8) -> bool {
    CLASS[octet as usize] & TOKEN != 0
}

#[inline]
pub(crate) fn is_host(octet: u8) -> bool {
    CLASS[octet as usize] & HOST != 0
}

/// Anything a parameter value may hold outside quotes: visible, and no delimiter of a list.
#[inline]
pub(crate) fn is_plain(octet: u8) -> bool {
    CLASS[octet as usize] & PLAIN != 0
}

/// Whether `text` is made of user characters, with whole escapes.
pub(crate) fn is_user(text: &[u8]) -> bool {
    all(text, USER)
}

/// Whether `text` is made of password characters, with whole escapes.
pub(crate) fn is_password(text: &[u8]) -> bool {
    all(text, PASSWORD)
}

/// Whether `text` is made of `;` separated URI parameters.
pub(crate) fn is_uri_params(text: &[u8]) -> bool {
    let mut escapes = false;
    for &octet in text {
        if CLASS[octet as usize] & PARAM == 0 && octet != b';' && octet != b'=' {
            return false;
        }
        escapes |= octet == b'%';
    }
    !escapes || escapes_are_whole(text)
}

/// Whether `text` is made of URI headers (`hname=hvalue&…`).
pub(crate) fn is_uri_headers(text: &[u8]) -> bool {
    all(text, HEADER)
}

fn all(text: &[u8], class: u8) -> bool {
    let mut escapes = false;
    for &octet in text {
        if CLASS[octet as usize] & class == 0 {
            return false;
        }
        escapes |= octet == b'%';
    }
    !escapes || escapes_are_whole(text)
}

fn escapes_are_whole(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'%', rest) {
        match rest.get(at + 1..at + 3) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => rest = &rest[at + 3..],
            _ => return false,
        }
    }
    true
}

/// LWS: within a header field's value CR and LF stand in folds only, the parser has seen to that.
#[inline]
pub(crate) fn is_lws(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// Index of the first octet at or after `at` that is no LWS; never beyond the end.
#[inline]
pub(crate) fn skip_lws(text: &[u8], at: usize) -> usize {
    let mut at = at.min(text.len());
    while text.get(at).copied().is_some_and(is_lws) {
        at += 1;
    }
    at
}

/// Index after the token that starts at `at`; never beyond the end.
#[inline]
pub(crate) fn skip_token(text: &[u8], at: usize) -> usize {
    let mut at = at.min(text.len());
    while text.get(at).copied().is_some_and(is_token) {
        at += 1;
    }
    at
}

/// Index after the quoted string whose opening quote stands at `at`; `None` if it never ends.
pub(crate) fn skip_quoted(text: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        let found = at + memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        at = found + if text[found] == b'"' { 1 } else { 2 };
        if text[found] == b'"' {
            return Some(at);
        }
    }
}

/// `text` without LWS at both ends.
#[inline]
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    let start = skip_lws(text, 0);
    let mut end = text.len();
    while end > start && is_lws(text[end - 1]) {
        end -= 1;
    }
    &text[start..end]
}

/// A decimal number of digits only; `Err(true)` if it is a number, but larger than `u32` holds.
pub(crate) fn decimal(text: &[u8]) -> Result<u32, bool> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Err(false);
    }
    text.iter()
        .try_fold(0_u32, |sum, digit| {
            sum.checked_mul(10)?.checked_add(u32::from(digit - b'0'))
        })
        .ok_or(true)
}

/// Where `part`, a slice of `whole`, starts in it.
#[inline]
pub(crate) fn offset(whole: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize)
        .saturating_sub(whole.as_ptr() as usize)
        .min(whole.len())
}
