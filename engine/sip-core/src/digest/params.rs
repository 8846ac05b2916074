//! `auth-param`s of challenges and credentials (RFC 9110 §11.2, RFC 3261 §25.1).
//!
//! ```abnf
//! digest-params = auth-param *( COMMA auth-param )
//! auth-param    = token EQUAL ( token / quoted-string )
//! ```

use alloc::borrow::Cow;
use alloc::vec::Vec;

/// One parameter: name and value as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Param<'a> {
    pub(super) name: &'a [u8],
    /// Without the quotes, escapes still in it.
    pub(super) value: &'a [u8],
}

/// The text does not follow the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Takes `Digest` and the white space behind it off; `None` for any other scheme.
pub(super) fn strip_scheme(value: &[u8]) -> Option<&[u8]> {
    let value = value.trim_ascii();
    let end = value
        .iter()
        .position(|octet| !is_token(*octet))
        .unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    (scheme.eq_ignore_ascii_case(b"Digest") && rest.first().is_none_or(u8::is_ascii_whitespace))
        .then_some(rest)
}

/// Walks over the parameters; ends after the first error.
pub(super) struct Params<'a> {
    rest: &'a [u8],
    first: bool,
}

impl<'a> Params<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest, first: true }
    }

    fn parse(&mut self) -> Result<Option<Param<'a>>, Malformed> {
        let mut commas = 0;
        // Empty list elements are allowed by RFC 9110 §5.6 and seen from old phones.
        loop {
            self.rest = self.rest.trim_ascii_start();
            match self.rest.split_first() {
                Some((b',', rest)) => {
                    commas += 1;
                    self.rest = rest;
                }
                Some(_) => break,
                None => return Ok(None),
            }
        }
        if !self.first && commas == 0 {
            return Err(Malformed);
        }
        self.first = false;
        let name = self.token()?;
        self.rest = self.rest.trim_ascii_start();
        self.rest = self
            .rest
            .strip_prefix(b"=")
            .ok_or(Malformed)?
            .trim_ascii_start();
        let value = if let Some(quoted) = self.rest.strip_prefix(b"\"") {
            let end = closing_quote(quoted).ok_or(Malformed)?;
            self.rest = &quoted[end + 1..];
            &quoted[..end]
        } else {
            self.token()?
        };
        Ok(Some(Param { name, value }))
    }

    fn token(&mut self) -> Result<&'a [u8], Malformed> {
        let end = self
            .rest
            .iter()
            .position(|octet| !is_token(*octet))
            .unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        if token.is_empty() {
            Err(Malformed)
        } else {
            Ok(token)
        }
    }
}

impl<'a> Iterator for Params<'a> {
    type Item = Result<Param<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.parse().transpose();
        if matches!(item, Some(Err(_))) {
            self.rest = &[];
        }
        item
    }
}

/// Where the quoted string ends; `None` if it does not, or carries control characters.
fn closing_quote(quoted: &[u8]) -> Option<usize> {
    let mut escaped = false;
    for (at, octet) in quoted.iter().enumerate() {
        match octet {
            b'\r' | b'\n' | 0 => return None,
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at),
            _ => {}
        }
    }
    None
}

/// Undoes `\` escapes; borrows when there are none.
pub(super) fn unescaped(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'\\') {
        return Cow::Borrowed(value);
    }
    let mut plain = Vec::with_capacity(value.len());
    let mut octets = value.iter();
    while let Some(octet) = octets.next() {
        plain.push(if *octet == b'\\' {
            *octets.next().unwrap_or(octet)
        } else {
            *octet
        });
    }
    Cow::Owned(plain)
}

/// Writes `, name="value"`, escaping what a quoted string must escape and leaving out what it cannot hold.
pub(super) fn write_quoted(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    for octet in value {
        match octet {
            b'\r' | b'\n' | 0 => continue,
            b'"' | b'\\' => out.push(b'\\'),
            _ => {}
        }
        out.push(*octet);
    }
    out.push(b'"');
}

/// `token` of RFC 3261 §25.1.
fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs<'a> = [(&'a str, &'a str)];

    fn params(text: &str) -> Result<Vec<(&str, &str)>, Malformed> {
        let text_of = |octets| core::str::from_utf8(octets).map_err(|_| Malformed);
        Params::new(text.as_bytes())
            .map(|param| param.and_then(|param| Ok((text_of(param.name)?, text_of(param.value)?))))
            .collect()
    }

    #[test]
    fn lists() {
        let cases: &[(&str, Result<&Pairs<'_>, Malformed>)] = &[
            ("", Ok(&[])),
            (" , ,", Ok(&[])),
            ("a=b", Ok(&[("a", "b")])),
            (" a = b , c=\"d, e\" ", Ok(&[("a", "b"), ("c", "d, e")])),
            ("a=b,,c=d", Ok(&[("a", "b"), ("c", "d")])),
            ("a=\"\"", Ok(&[("a", "")])),
            (r#"a="q\"\\""#, Ok(&[("a", r#"q\"\\"#)])),
            ("a=b\r\n ,c=d", Ok(&[("a", "b"), ("c", "d")])),
            ("a=b c=d", Err(Malformed)),
            ("a=\"b\"c=d", Err(Malformed)),
            ("a", Err(Malformed)),
            ("a=", Err(Malformed)),
            ("=b", Err(Malformed)),
            ("a=\"b", Err(Malformed)),
            ("a=\"b\\\"", Err(Malformed)),
            ("a=\"b\r\nX: y\"", Err(Malformed)),
            ("a=b;c", Err(Malformed)),
        ];
        for (text, expected) in cases {
            assert_eq!(expected.map(<[_]>::to_vec), params(text), "{text:?}");
        }
    }

    #[test]
    fn schemes() {
        assert_eq!(Some(&b" a=b"[..]), strip_scheme(b" Digest a=b"));
        assert_eq!(Some(&b"\ta=b"[..]), strip_scheme(b"dIGEST\ta=b"));
        assert_eq!(Some(&b""[..]), strip_scheme(b"Digest"));
        for other in [
            &b""[..],
            b"Basic QWxhZGRpbg==",
            b"Digests a=b",
            b"Digest=a",
            b"\"Digest\" a=b",
        ] {
            assert_eq!(None, strip_scheme(other), "{other:?}");
        }
    }

    #[test]
    fn escapes_come_and_go() {
        for plain in [&b"plain"[..], br#"a"b"#, br"a\b", br#"\"\"#, b""] {
            let mut out = Vec::new();
            write_quoted(&mut out, "a", plain);
            let parsed = Params::new(&out).next();
            let value = parsed
                .and_then(Result::ok)
                .map(|param| unescaped(param.value).into_owned());
            assert_eq!(Some(plain.to_vec()), value);
        }
    }

    #[test]
    fn a_value_cannot_add_a_header() {
        let mut out = Vec::new();
        write_quoted(&mut out, "a", b"x\r\nEvil: y\0");
        assert_eq!(b"a=\"xEvil: y\"", &out[..]);
    }
}
