//! Known header field names with their compact forms (RFC 3261 §7.3.3, §20).
//!
//! A name is found by one multiplication and one comparison: length, first, middle and last octet
//! make a key, and a multiplier that gives each known name a slot of its own is searched at compile
//! time. Names are compared without regard to case (RFC 3261 §7.3.1).

/// Reason phrases about one header field, so that a fault needs no formatting.
pub(crate) struct Reasons {
    pub(crate) missing: &'static str,
    pub(crate) repeated: &'static str,
    pub(crate) malformed: &'static str,
    pub(crate) out_of_range: &'static str,
}

macro_rules! header_names {
    ($($variant:ident $text:literal $(/ $compact:literal)?),+ $(,)?) => {
        /// A header field name this crate knows, or `Other`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum HeaderName {
            $(#[doc = concat!("`", $text, "`")] $variant,)+
            /// Any other name: look it up with `Message::header_named`.
            Other,
        }

        const KNOWN: &[HeaderName] = &[$(HeaderName::$variant),+];
        const TEXT: &[&str] = &[$($text),+];
        const REASONS: &[Reasons] = &[$(Reasons {
            missing: concat!("Missing ", $text, " Header Field"),
            repeated: concat!("Repeated ", $text, " Header Field"),
            malformed: concat!("Malformed ", $text, " Header Field"),
            out_of_range: concat!($text, " Out of Range"),
        },)+ Reasons {
            missing: "Missing Header Field",
            repeated: "Repeated Header Field",
            malformed: "Malformed Header Field",
            out_of_range: "Value Out of Range",
        }];
        const COMPACT: [HeaderName; 26] = {
            let mut table = [HeaderName::Other; 26];
            $($(table[($compact - b'a') as usize] = HeaderName::$variant;)?)+
            table
        };
    };
}

header_names! {
    Via "Via" / b'v',
    From "From" / b'f',
    To "To" / b't',
    CallId "Call-ID" / b'i',
    CSeq "CSeq",
    MaxForwards "Max-Forwards",
    Contact "Contact" / b'm',
    ContentLength "Content-Length" / b'l',
    ContentType "Content-Type" / b'c',
    ContentEncoding "Content-Encoding" / b'e',
    ContentDisposition "Content-Disposition",
    Route "Route",
    RecordRoute "Record-Route",
    Path "Path",
    ServiceRoute "Service-Route",
    Expires "Expires",
    MinExpires "Min-Expires",
    Require "Require",
    ProxyRequire "Proxy-Require",
    Supported "Supported" / b'k',
    Unsupported "Unsupported",
    Allow "Allow",
    AllowEvents "Allow-Events" / b'u',
    Accept "Accept",
    AcceptEncoding "Accept-Encoding",
    AcceptLanguage "Accept-Language",
    AcceptContact "Accept-Contact" / b'a',
    RejectContact "Reject-Contact" / b'j',
    RequestDisposition "Request-Disposition" / b'd',
    Authorization "Authorization",
    ProxyAuthorization "Proxy-Authorization",
    WwwAuthenticate "WWW-Authenticate",
    ProxyAuthenticate "Proxy-Authenticate",
    AuthenticationInfo "Authentication-Info",
    Diversion "Diversion",
    HistoryInfo "History-Info",
    Reason "Reason",
    PAssertedIdentity "P-Asserted-Identity",
    PPreferredIdentity "P-Preferred-Identity",
    PCalledPartyId "P-Called-Party-ID",
    PAccessNetworkInfo "P-Access-Network-Info",
    PChargingVector "P-Charging-Vector",
    PEarlyMedia "P-Early-Media",
    Privacy "Privacy",
    RemotePartyId "Remote-Party-ID",
    UserAgent "User-Agent",
    Server "Server",
    Date "Date",
    Timestamp "Timestamp",
    Event "Event" / b'o',
    SubscriptionState "Subscription-State",
    RetryAfter "Retry-After",
    Subject "Subject" / b's',
    Organization "Organization",
    Priority "Priority",
    ReplyTo "Reply-To",
    ReferTo "Refer-To" / b'r',
    ReferredBy "Referred-By" / b'b',
    Replaces "Replaces",
    Join "Join",
    SessionExpires "Session-Expires" / b'x',
    MinSe "Min-SE",
    RAck "RAck",
    RSeq "RSeq",
    Warning "Warning",
    AlertInfo "Alert-Info",
    CallInfo "Call-Info",
    ErrorInfo "Error-Info",
    InReplyTo "In-Reply-To",
    MimeVersion "MIME-Version",
    Identity "Identity" / b'y',
    IdentityInfo "Identity-Info" / b'n',
    SipEtag "SIP-ETag",
    SipIfMatch "SIP-If-Match",
    UserToUser "User-to-User",
    SessionId "Session-ID",
}

const SLOT_BITS: u32 = 10;
const EMPTY: u8 = u8::MAX;

const fn key(name: &[u8]) -> u32 {
    let last = name.len() - 1;
    (name[0] as u32 | 0x20)
        | (name[name.len() / 2] as u32 | 0x20) << 8
        | (name[last] as u32 | 0x20) << 16
        | (name.len() as u32 & 0xff) << 24
}

const fn slot(name: &[u8], multiplier: u32) -> usize {
    (key(name).wrapping_mul(multiplier) >> (u32::BITS - SLOT_BITS)) as usize
}

const fn slots(multiplier: u32) -> Option<[u8; 1 << SLOT_BITS]> {
    let mut table = [EMPTY; 1 << SLOT_BITS];
    let mut i = 0;
    while i < TEXT.len() {
        let at = slot(TEXT[i].as_bytes(), multiplier);
        if table[at] != EMPTY {
            return None;
        }
        table[at] = i as u8;
        i += 1;
    }
    Some(table)
}

const PERFECT: (u32, [u8; 1 << SLOT_BITS]) = {
    let mut multiplier: u32 = 0x9E37_79B1;
    loop {
        if let Some(table) = slots(multiplier) {
            break (multiplier, table);
        }
        multiplier = multiplier.wrapping_add(0x0101_6B5E);
    }
};
static SLOTS: [u8; 1 << SLOT_BITS] = PERFECT.1;

impl HeaderName {
    /// Known names and `Other`: the size of a table indexed by name.
    pub(crate) const COUNT: usize = KNOWN.len() + 1;

    /// The name of a header field line, long or compact, in any case.
    #[inline]
    pub fn from_bytes(name: &[u8]) -> Self {
        match name {
            [] => Self::Other,
            [letter] => {
                let at = (letter | 0x20).wrapping_sub(b'a') as usize;
                if letter.is_ascii_alphabetic() {
                    COMPACT[at]
                } else {
                    Self::Other
                }
            }
            _ => {
                let found = SLOTS[slot(name, PERFECT.0)] as usize;
                match TEXT.get(found) {
                    Some(text)
                        if text.as_bytes() == name
                            || text.as_bytes().eq_ignore_ascii_case(name) =>
                    {
                        KNOWN[found]
                    }
                    _ => Self::Other,
                }
            }
        }
    }

    /// The long form, as the RFC writes it; empty for `Other`.
    pub fn as_str(self) -> &'static str {
        TEXT.get(self as usize).copied().unwrap_or("")
    }

    pub(crate) fn reasons(self) -> &'static Reasons {
        &REASONS[(self as usize).min(KNOWN.len())]
    }

    /// Whether a second line is a fault. Only the fields whose meaning a proxy depends on: picking
    /// one of two would let two elements see two different messages (RFC 4475 §3.3.8, §3.3.9).
    pub(crate) fn is_singleton(self) -> bool {
        matches!(
            self,
            Self::From
                | Self::To
                | Self::CallId
                | Self::CSeq
                | Self::MaxForwards
                | Self::ContentLength
                | Self::ContentType
                | Self::Expires
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case() {
        for (&text, &name) in TEXT.iter().zip(KNOWN) {
            assert_eq!(name, HeaderName::from_bytes(text.as_bytes()), "{text}");
            assert_eq!(
                name,
                HeaderName::from_bytes(text.to_ascii_uppercase().as_bytes())
            );
            assert_eq!(
                name,
                HeaderName::from_bytes(text.to_ascii_lowercase().as_bytes())
            );
            assert_eq!(text, name.as_str());
        }
    }

    #[test]
    fn compact_forms_are_those_of_the_registry() {
        let table: [(&[u8], HeaderName); 8] = [
            (b"v", HeaderName::Via),
            (b"F", HeaderName::From),
            (b"t", HeaderName::To),
            (b"i", HeaderName::CallId),
            (b"L", HeaderName::ContentLength),
            (b"m", HeaderName::Contact),
            (b"z", HeaderName::Other),
            (b"!", HeaderName::Other),
        ];
        for (name, expected) in table {
            assert_eq!(expected, HeaderName::from_bytes(name));
        }
    }

    #[test]
    fn near_misses_are_other() {
        for name in [&b"Viaa"[..], b"Vi", b"C%6Fntact", b"Con-tact", b"", b"vIb"] {
            assert_eq!(HeaderName::Other, HeaderName::from_bytes(name));
        }
    }
}
