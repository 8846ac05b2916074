//! From what a core network sends to the canonical number.
//!
//! Rules, first match wins; `CC`, national and international prefix are those of the interconnect:
//!
//! | the user part, without separators and parameters | read as |
//! |---|---|
//! | a porting prefix (`D123`), in front or right after `+CC` | dropped; what follows in front without a prefix is `CC` + it |
//! | a short code alone, or after `+CC`, `0`: 110, 112, 115, 116xyz, 118xy, 1180yy | [`NumberFault::ShortCode`], never a number |
//! | `+…`, or the international prefix | international |
//! | a local number with `;phone-context=+…` (RFC 3966 §5.1.5) | the context's digits, then the number; after `+CC` alone without the national prefix |
//! | the national prefix | `CC` + rest |
//! | `CC…` without any prefix | international, if the plan has a national prefix |
//! | anything else without a prefix | a subscriber number that nobody can complete: [`NumberFault::Local`] |
//!
//! `49…` is ambiguous: it could be the German area 049x dialled without its `0`. Where national numbers carry a prefix, a
//! number without one cannot be national, so it is international. Where they carry none (`national_prefix` is empty), it is
//! national, and the core must send `+`. A number portability `rn` or `npdi` (RFC 4694) changes how to get there, not who is called:
//! parameters other than `phone-context` are ignored.
use alloc::vec::Vec;
use core::fmt;

use crate::digits::Digits;

/// What one core network means by its digits (`InterconnectSettings`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberPlan {
    /// What a national number is completed with, e.g. 49.
    pub country_code: Digits,
    /// Before a national number, e.g. 0; may be empty.
    pub national_prefix: Digits,
    /// Before an international number, e.g. 00; may be empty.
    pub international_prefix: Digits,
    /// What the core puts before a ported number: ASCII letters and digits such as `D123`, compared without case.
    pub porting_prefixes: Vec<Vec<u8>>,
}

/// Why a user part is no number that can be called by E.164.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberFault {
    /// No digits.
    Empty,
    /// A byte that belongs to no number; offset into the user part.
    NotANumber(usize),
    /// More than 15 digits when complete (ITU-T E.164 §6.1).
    TooLong,
    /// `+0…`: no country code begins with zero.
    NoCountry,
    /// A subscriber number without area: cannot be completed.
    Local,
    /// A code that exists only nationally.
    ShortCode {
        /// The code as dialled, e.g. 112.
        code: Digits,
        /// 110 and 112, which are never refused.
        emergency: bool,
    },
}

impl fmt::Display for NumberFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there are no digits in it"),
            Self::NotANumber(at) => write!(f, "the character at offset {at} belongs to no number"),
            Self::TooLong => f.write_str("it has more than 15 digits"),
            Self::NoCountry => f.write_str("no country code begins with 0"),
            Self::Local => f.write_str("it has neither country nor area code"),
            Self::ShortCode {
                code,
                emergency: true,
            } => write!(f, "{code} is an emergency code"),
            Self::ShortCode {
                code,
                emergency: false,
            } => write!(f, "{code} is a short code"),
        }
    }
}

/// Separators and a long international prefix removed, more than this is no number.
const MAX_DIALLED: usize = 24;

impl NumberPlan {
    /// The called number of a user part (of a SIP URI) or of what follows `tel:`; parameters may follow. Nothing is allocated.
    pub fn canonical(&self, user: &[u8]) -> Result<Digits, NumberFault> {
        let end = user
            .iter()
            .position(|&byte| byte == b';')
            .unwrap_or(user.len());
        let (number, parameters) = user.split_at(end);
        let (number, ported) = match self.after_porting_prefix(number) {
            Some(rest) => (rest, true),
            None => (number, false),
        };
        let mut buffer = [0; MAX_DIALLED];
        if let Some(rest) = after_plus(number) {
            let (code, len) = self.country_code.to_ascii();
            if let Some(national) = rest.strip_prefix(&code[..len])
                && let Some(rest) = self.after_porting_prefix(national)
            {
                return self.national(dialled(rest, end, &mut buffer)?);
            }
            return self.international(dialled(rest, end, &mut buffer)?);
        }
        let digits = dialled(number, end, &mut buffer)?;
        if let Some(fault) = short_code(digits) {
            return Err(fault);
        }
        if let Some(rest) = after(digits, self.international_prefix) {
            return self.international(rest);
        }
        if let Some(context) = phone_context(parameters) {
            return match after(digits, self.national_prefix) {
                Some(rest) if context == self.country_code => self.national(rest),
                _ => join(context, digits),
            };
        }
        if let Some(rest) = after(digits, self.national_prefix) {
            return self.national(rest);
        }
        if ported || self.national_prefix.is_empty() {
            return self.national(digits);
        }
        let (code, len) = self.country_code.to_ascii();
        if digits.is_empty() || digits.starts_with(&code[..len]) {
            self.international(digits)
        } else {
            Err(NumberFault::Local)
        }
    }

    /// What follows the first porting prefix that fits.
    fn after_porting_prefix<'a>(&self, number: &'a [u8]) -> Option<&'a [u8]> {
        self.porting_prefixes.iter().find_map(|prefix| {
            let (head, rest) = number.split_at_checked(prefix.len())?;
            (!prefix.is_empty() && head.eq_ignore_ascii_case(prefix)).then_some(rest)
        })
    }

    fn international(&self, digits: &[u8]) -> Result<Digits, NumberFault> {
        if let Some(fault) = after(digits, self.country_code).and_then(short_code) {
            return Err(fault);
        }
        match digits.first() {
            None => Err(NumberFault::Empty),
            Some(b'0') => Err(NumberFault::NoCountry),
            // The country alone is nobody.
            Some(_) if after(digits, self.country_code).is_some_and(<[u8]>::is_empty) => {
                Err(NumberFault::Empty)
            }
            Some(_) => join(Digits::EMPTY, digits),
        }
    }

    fn national(&self, significant: &[u8]) -> Result<Digits, NumberFault> {
        if significant.is_empty() {
            return Err(NumberFault::Empty);
        }
        match short_code(significant) {
            Some(fault) => Err(fault),
            None => join(self.country_code, significant),
        }
    }
}

/// What follows `+`, also when escaped: RFC 3261 §25.1 lets `+` stand in a user part, `%2B` means the same (§19.1.4).
fn after_plus(number: &[u8]) -> Option<&[u8]> {
    number
        .strip_prefix(b"+")
        .or_else(|| number.strip_prefix(b"%2B"))
        .or_else(|| number.strip_prefix(b"%2b"))
}

/// ASCII digits without the visual separators of RFC 3966 §5.1.1, and without the spaces that people type. `text` is the tail
/// of the first `end` bytes of the user part.
fn dialled<'b>(
    text: &[u8],
    end: usize,
    buffer: &'b mut [u8; MAX_DIALLED],
) -> Result<&'b [u8], NumberFault> {
    let mut len = 0;
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                *buffer.get_mut(len).ok_or(NumberFault::TooLong)? = byte;
                len += 1;
            }
            b'-' | b'.' | b'(' | b')' | b' ' => {}
            _ => return Err(NumberFault::NotANumber(end - text.len() + at)),
        }
    }
    Ok(&buffer[..len])
}

/// What follows `prefix`, if there is one and it stands there.
fn after(digits: &[u8], prefix: Digits) -> Option<&[u8]> {
    let (text, len) = prefix.to_ascii();
    if len == 0 {
        None
    } else {
        digits.strip_prefix(&text[..len])
    }
}

fn join(head: Digits, tail: &[u8]) -> Result<Digits, NumberFault> {
    head.join(tail.iter().map(|byte| byte - b'0'))
        .ok_or(NumberFault::TooLong)
}

/// Emergency and short codes of Germany, of which 112 and 116xyz are European (Decision 2007/116/EC). No area code begins with 11.
fn short_code(digits: &[u8]) -> Option<NumberFault> {
    let emergency = matches!(digits, b"110" | b"112");
    let short = matches!(
        digits,
        b"115"
            | [b'1', b'1', b'6', _, _, _]
            | [b'1', b'1', b'8', _, _]
            | [b'1', b'1', b'8', b'0', _, _]
    );
    if !emergency && !short {
        return None;
    }
    let code = Digits::parse(digits).ok()?;
    Some(NumberFault::ShortCode { code, emergency })
}

/// The digits of a global `phone-context` (RFC 3966 §5.1.5); a domain says nothing about digits.
fn phone_context(parameters: &[u8]) -> Option<Digits> {
    parameters
        .split(|&byte| byte == b';')
        .find_map(|parameter| {
            let at = parameter.iter().position(|&byte| byte == b'=')?;
            let (name, value) = (parameter.get(..at)?, parameter.get(at + 1..)?);
            let value =
                after_plus(value).filter(|_| name.eq_ignore_ascii_case(b"phone-context"))?;
            let mut buffer = [0; MAX_DIALLED];
            let digits = dialled(value, value.len(), &mut buffer).ok()?;
            Digits::parse(digits).ok()
        })
}
