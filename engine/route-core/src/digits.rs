//! An E.164 number (or its prefix) in eight bytes.
use core::fmt;

/// Longest number of ITU-T E.164 §6.1, country code included, international prefix not.
const MAX_DIGITS: usize = 15;

/// Up to 15 decimal digits: digit `i` in the nibble at bit `60 - 4i`, the length in the lowest nibble.
///
/// So a prefix is a mask, equality and hash are those of a `u64`, and the order is that of the digits as text, a prefix before
/// what it begins. Leading zeros count: `01` and `1` differ.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digits(u64);

/// Why bytes are no [`Digits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigitsFault {
    /// No digit at all.
    Empty,
    /// More than 15 digits.
    TooLong,
    /// The byte at this offset is no decimal digit.
    NotADigit(usize),
}

impl fmt::Display for DigitsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no digits"),
            Self::TooLong => f.write_str("more than 15 digits"),
            Self::NotADigit(at) => write!(f, "no decimal digit at offset {at}"),
        }
    }
}

impl Digits {
    /// No digit; a start for [`Digits::push`], never a key of a table.
    pub const EMPTY: Self = Self(0);

    /// Read decimal digits, without `+` and separators.
    pub fn parse(text: &[u8]) -> Result<Self, DigitsFault> {
        let mut digits = Self::EMPTY;
        for (at, &byte) in text.iter().enumerate() {
            if !byte.is_ascii_digit() {
                return Err(DigitsFault::NotADigit(at));
            }
            digits = digits.push(byte - b'0').ok_or(DigitsFault::TooLong)?;
        }
        if digits.is_empty() {
            Err(DigitsFault::Empty)
        } else {
            Ok(digits)
        }
    }

    /// With one more digit (0…9) at the end; `None` when full or when `digit` is none.
    #[inline]
    pub fn push(self, digit: u8) -> Option<Self> {
        let len = self.len();
        if len == MAX_DIGITS || digit > 9 {
            return None;
        }
        Some(Self((self.0 | u64::from(digit) << (60 - 4 * len)) + 1))
    }

    /// With all of `tail` at the end; `None` when that is too long.
    pub fn join(self, tail: impl IntoIterator<Item = u8>) -> Option<Self> {
        tail.into_iter().try_fold(self, Self::push)
    }

    /// How many digits.
    #[inline]
    pub fn len(self) -> usize {
        (self.0 & 0xf) as usize
    }

    /// Whether there is no digit.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The first `n` digits; all when there are fewer.
    #[inline]
    #[must_use]
    pub fn prefix(self, n: usize) -> Self {
        if n >= self.len() {
            return self;
        }
        Self(self.0 & !(u64::MAX >> (4 * n)) | n as u64)
    }

    /// Whether the number begins with `prefix`.
    #[inline]
    pub fn starts_with(self, prefix: Self) -> bool {
        self.len() >= prefix.len() && self.prefix(prefix.len()) == prefix
    }

    /// The digits as numbers 0…9.
    pub fn iter(self) -> impl ExactSizeIterator<Item = u8> {
        (0..self.len()).map(move |at| (self.0 >> (60 - 4 * at) & 0xf) as u8)
    }

    /// The digits as ASCII: buffer and how much of it is used. No allocation.
    pub fn to_ascii(self) -> ([u8; MAX_DIGITS], usize) {
        let mut text = [b'0'; MAX_DIGITS];
        for (place, digit) in text.iter_mut().zip(self.iter()) {
            *place += digit;
        }
        (text, self.len())
    }

    /// Append the digits as ASCII.
    pub fn write(self, out: &mut alloc::vec::Vec<u8>) {
        let (text, len) = self.to_ascii();
        out.extend_from_slice(&text[..len]);
    }

    /// The packed form, zero only for no digits.
    #[inline]
    pub fn to_bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, len) = self.to_ascii();
        f.write_str(core::str::from_utf8(&text[..len]).unwrap_or_default())
    }
}

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digits({self})")
    }
}
