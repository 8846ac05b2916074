//! `*( ";" name [ "=" value ] )`: parameters of header fields and of URIs.

use crate::chars::{is_lws, is_plain, skip_lws, skip_quoted, skip_token, trim};

/// Iterator over `(name, Option<value>)`; a quoted value keeps its quotes. Empty parameters are skipped.
///
/// A view of two words: it stands in other views and is copied to look from the start again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::copy_iterator)]
pub struct Params<'a> {
    rest: &'a [u8],
}

impl<'a> Params<'a> {
    /// Parameters in `raw`, which starts with `;` or with the first name.
    pub fn new(raw: &'a [u8]) -> Self {
        Self { rest: raw }
    }

    /// The octets not yet iterated over.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.rest
    }

    /// The value of the first parameter of that name (in any case): `Some(None)` if it has no value.
    #[allow(clippy::option_option)]
    pub fn find(&self, name: &[u8]) -> Option<Option<&'a [u8]>> {
        self.into_iter()
            .find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value))
    }

    /// The value of the first parameter of that name, if it has one.
    pub fn value(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.find(name).flatten()
    }

    /// Whether there is a parameter of that name, with or without a value.
    pub fn contains(&self, name: &[u8]) -> bool {
        self.find(name).is_some()
    }
}

impl<'a> Iterator for Params<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let start = self.rest.iter().position(|&o| o != b';' && !is_lws(o))?;
            let text = &self.rest[start..];
            let mut equals = None;
            let mut at = 0;
            while let Some(&octet) = text.get(at) {
                match octet {
                    b';' => break,
                    b'=' if equals.is_none() => equals = Some(at),
                    b'"' => {
                        at = skip_quoted(text, at).unwrap_or(text.len());
                        continue;
                    }
                    _ => {}
                }
                at += 1;
            }
            let at = at.min(text.len());
            self.rest = &text[at..];
            let item = match equals {
                Some(e) => (trim(&text[..e]), Some(trim(&text[e + 1..at]))),
                None => (trim(&text[..at]), None),
            };
            if !item.0.is_empty() {
                return Some(item);
            }
        }
    }
}

/// One parameter of a header field, strictly: `SEMI token [ EQUAL ( token / host / quoted-string ) ]`.
///
/// `at` stands on the `;`. Returns name, value and the index after the parameter and the LWS that follows.
#[allow(clippy::type_complexity)]
pub(crate) fn strict(text: &[u8], at: usize) -> Option<(&[u8], Option<&[u8]>, usize)> {
    let start = skip_lws(text, at + 1);
    let end = skip_token(text, start);
    if start == end {
        return None;
    }
    let name = &text[start..end];
    let after = skip_lws(text, end);
    if text.get(after) != Some(&b'=') {
        return Some((name, None, after));
    }
    let start = skip_lws(text, after + 1);
    let mut end = start;
    if text.get(start) == Some(&b'"') {
        end = skip_quoted(text, start)?;
    } else {
        while text.get(end).copied().is_some_and(is_plain) {
            end += 1;
        }
        if start == end {
            return None;
        }
    }
    Some((name, Some(&text[start..end]), skip_lws(text, end)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn parameters_are_split_outside_quotes() {
        #[allow(
            clippy::type_complexity,
            reason = "a row: text, and the parameters in it"
        )]
        let table: [(&[u8], &[(&[u8], Option<&[u8]>)]); 4] = [
            (b";tag=a;lr", &[(b"tag", Some(b"a")), (b"lr", None)]),
            (
                b" ; tag = a ;; x = \"1;2\\\"\" ",
                &[(b"tag", Some(b"a")), (b"x", Some(b"\"1;2\\\"\""))],
            ),
            (b"", &[]),
            (b";=v;a=b=c", &[(b"a", Some(b"b=c"))]),
        ];
        for (raw, expected) in table {
            assert_eq!(expected, Params::new(raw).collect::<Vec<_>>());
        }
    }

    #[test]
    fn names_are_found_in_any_case() {
        let params = Params::new(b";Tag=a;LR");
        assert_eq!(Some(&b"a"[..]), params.value(b"tag"));
        assert!(params.contains(b"lr"));
        assert_eq!(None, params.find(b"ta"));
    }
}
