//! The address-of-record of a REGISTER: the URI in To, and the line that owns it (RFC 3261 §10.3 item 5).

use std::borrow::Cow;

use route_core::LineSlot;
use sip_core::message::Message;
use sip_core::uri::{Host, Scheme, Uri};

use super::Refused;
use crate::worker::{Core, View};

/// Whose bindings a REGISTER is about.
pub(super) struct AddressOfRecord<'m> {
    /// User part, unescaped.
    pub(super) user: Cow<'m, [u8]>,
    /// `None`: nobody's.
    pub(super) line: Option<LineSlot>,
}

impl<'m> AddressOfRecord<'m> {
    pub(super) fn of(core: &Core, message: &Message<'m>, view: &View) -> Result<Self, Refused> {
        let uri = message
            .to()
            .and_then(|to| to.uri())
            .map_err(|_| Refused::new(400, "Malformed To Header Field"))?;
        if let Scheme::Other(_) = uri.scheme {
            return Err(Refused::new(400, "Unsupported URI Scheme in To"));
        }
        let line = if uri.host == Host::Absent || core.is_own_domain(&uri.host, view) {
            line_of(&uri, view)
        } else {
            None
        };
        Ok(Self {
            user: unescaped(uri.user.unwrap_or_default()),
            line,
        })
    }
}

/// The line that registers by the user part of `uri`. Escapes are undone for the comparison: `%2B4930…` is `+4930…`.
pub(crate) fn line_of(uri: &Uri<'_>, view: &View) -> Option<LineSlot> {
    view.table.line_by_user(&unescaped(uri.user?))
}

/// The user part with `%HH` undone (§10.3 item 5). All octets may come of it, NUL too, so it is never taken for C text.
pub(super) fn unescaped(user: &[u8]) -> Cow<'_, [u8]> {
    if !user.contains(&b'%') {
        return Cow::Borrowed(user);
    }
    let digit = |at: usize| {
        user.get(at)
            .and_then(|octet| char::from(*octet).to_digit(16))
    };
    let mut out = Vec::with_capacity(user.len());
    let mut at = 0;
    while let Some(octet) = user.get(at) {
        if let (b'%', Some(high), Some(low)) = (octet, digit(at + 1), digit(at + 2)) {
            out.push((high * 16 + low) as u8);
            at += 3;
        } else {
            out.push(*octet);
            at += 1;
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_nothing_else() {
        let table: [(&[u8], &[u8]); 6] = [
            (b"+4930", b"+4930"),
            (b"%2B4930", b"+4930"),
            (b"null-%00-null", b"null-\0-null"),
            (b"%", b"%"),
            (b"%4", b"%4"),
            (b"%zz%41", b"%zzA"),
        ];
        for (user, expected) in table {
            assert_eq!(expected, &*unescaped(user));
        }
    }
}
