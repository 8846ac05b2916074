//! Comma separated values of a header field (RFC 3261 §7.3.1).

use crate::chars::{skip_quoted, trim};

/// Iterator over the values of one field line: split at commas outside quoted strings and `<>`.
///
/// Empty values are skipped (RFC 3261 §7.3.1 has none, RFC 9110 §5.6.1 wants them ignored).
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    rest: &'a [u8],
}

impl<'a> Values<'a> {
    /// Values in one field line's value.
    pub fn new(line: &'a [u8]) -> Self {
        Self { rest: line }
    }

    /// The octets after the last value that was returned and its comma.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.rest
    }
}

/// Index of the first comma outside quotes and `<>`, or the length.
pub(crate) fn value_end(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = text
        .get(at..)
        .and_then(|rest| memchr::memchr3(b',', b'"', b'<', rest))
    {
        at += found;
        at = match text[at] {
            b',' => return at,
            b'"' => skip_quoted(text, at).unwrap_or(text.len()),
            _ => memchr::memchr(b'>', &text[at..]).map_or(text.len(), |end| at + end + 1),
        };
    }
    text.len()
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let end = value_end(self.rest);
            let value = trim(&self.rest[..end]);
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            if !value.is_empty() {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn values_are_split_outside_quotes_and_brackets() {
        let table: [(&[u8], &[&[u8]]); 5] = [
            (b"a, b ,c", &[b"a", b"b", b"c"]),
            (
                b"\"x, y\" <sip:a,b@c>;q=1, <sip:d>",
                &[b"\"x, y\" <sip:a,b@c>;q=1", b"<sip:d>"],
            ),
            (b" , a,", &[b"a"]),
            (b"\"open, quote", &[b"\"open, quote"]),
            (b"", &[]),
        ];
        for (line, expected) in table {
            assert_eq!(expected, Values::new(line).collect::<Vec<_>>());
        }
    }
}
