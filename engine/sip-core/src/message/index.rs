//! Where the header fields are.

use crate::header::HeaderName;
use crate::limits::MAX_HEADERS;

/// One header field line, folds included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) line_start: u16,
    pub(crate) name_end: u16,
    pub(crate) value_start: u16,
    pub(crate) value_end: u16,
    /// After the CRLF.
    pub(crate) line_end: u16,
    pub(crate) name: HeaderName,
}

impl Span {
    const EMPTY: Self = Self {
        line_start: 0,
        name_end: 0,
        value_start: 0,
        value_end: 0,
        line_end: 0,
        name: HeaderName::Other,
    };

    pub(crate) fn value<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes
            .get(usize::from(self.value_start)..usize::from(self.value_end))
            .unwrap_or_default()
    }

    pub(crate) fn field_name<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes
            .get(usize::from(self.line_start)..usize::from(self.name_end))
            .unwrap_or_default()
    }

    pub(crate) fn line<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes
            .get(usize::from(self.line_start)..usize::from(self.line_end))
            .unwrap_or_default()
    }
}

/// Index of the first line of each name; `NONE` where there is none.
pub(crate) type First = [u16; HeaderName::COUNT];
pub(crate) const NONE: u16 = u16::MAX;

/// Scratch space for one message at a time; a worker keeps one and uses it for every message.
#[derive(Clone, Debug)]
pub struct HeaderIndex {
    pub(crate) spans: [Span; MAX_HEADERS],
    pub(crate) first: First,
}

impl HeaderIndex {
    /// An empty index.
    pub const fn new() -> Self {
        Self {
            spans: [Span::EMPTY; MAX_HEADERS],
            first: [NONE; HeaderName::COUNT],
        }
    }
}

impl Default for HeaderIndex {
    fn default() -> Self {
        Self::new()
    }
}

/// One header field line, as [`crate::message::Message::lines`] yields it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderLine<'a> {
    /// The name this crate knows it by.
    pub name: HeaderName,
    /// The name as received: any case, perhaps compact.
    pub field_name: &'a [u8],
    /// The value, trimmed; may contain folds.
    pub value: &'a [u8],
}

/// Iterator over the values of the lines of one name.
#[derive(Clone, Debug)]
pub struct HeaderLines<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) spans: &'a [Span],
    pub(crate) name: HeaderName,
}

impl<'a> Iterator for HeaderLines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let at = self.spans.iter().position(|span| span.name == self.name)?;
        let value = self.spans[at].value(self.bytes);
        self.spans = &self.spans[at + 1..];
        Some(value)
    }
}
