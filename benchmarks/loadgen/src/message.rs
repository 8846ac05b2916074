//! Reading what a server answers: start line, header fields, body, all as slices. Written apart from the engine's parser on
//! purpose. Folded header lines (deprecated by RFC 7230, allowed by RFC 3261 §7.3.1) are not sent by any server measured here
//! and are refused.

/// A header field that some check looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Name {
    Via,
    From,
    To,
    CallId,
    CSeq,
    Contact,
    RecordRoute,
    ContentLength,
    Diversion,
    HistoryInfo,
    Reason,
    WwwAuthenticate,
    Other,
}

impl Name {
    fn of(text: &[u8]) -> Self {
        let is = |name: &str| text.eq_ignore_ascii_case(name.as_bytes());
        match text.len() {
            1 => match text[0] | 0x20 {
                b'v' => Self::Via,
                b'f' => Self::From,
                b't' => Self::To,
                b'i' => Self::CallId,
                b'm' => Self::Contact,
                b'l' => Self::ContentLength,
                _ => Self::Other,
            },
            2 if is("To") => Self::To,
            3 if is("Via") => Self::Via,
            4 if is("From") => Self::From,
            4 if is("CSeq") => Self::CSeq,
            6 if is("Reason") => Self::Reason,
            7 if is("Call-ID") => Self::CallId,
            7 if is("Contact") => Self::Contact,
            9 if is("Diversion") => Self::Diversion,
            12 if is("Record-Route") => Self::RecordRoute,
            12 if is("History-Info") => Self::HistoryInfo,
            14 if is("Content-Length") => Self::ContentLength,
            16 if is("WWW-Authenticate") => Self::WwwAuthenticate,
            _ => Self::Other,
        }
    }
}

/// A datagram split into its start line and the rest.
#[derive(Clone, Copy)]
pub(crate) struct Message<'a> {
    pub(crate) start: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Message<'a> {
    pub(crate) fn new(datagram: &'a [u8]) -> Option<Self> {
        let (start, rest) = line(datagram)?;
        Some(Self { start, rest })
    }

    /// The status of a response, `None` for a request.
    pub(crate) fn status(&self) -> Option<u16> {
        let code = self.start.strip_prefix(b"SIP/2.0 ")?;
        match code {
            [a @ b'1'..=b'6', b @ b'0'..=b'9', c @ b'0'..=b'9', b' ', ..] => {
                Some(u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0'))
            }
            _ => None,
        }
    }

    /// Method and Request-URI of a request.
    pub(crate) fn request(&self) -> Option<(&'a [u8], &'a [u8])> {
        let line = self.start.strip_suffix(b" SIP/2.0")?;
        let space = memchr::memchr(b' ', line)?;
        Some((&line[..space], &line[space + 1..]))
    }

    pub(crate) fn fields(&self) -> Fields<'a> {
        Fields { rest: self.rest, state: State::Within }
    }

    /// The first value of a field.
    pub(crate) fn first(&self, name: Name) -> Option<&'a [u8]> {
        self.fields().find(|(found, _)| *found == name).map(|(_, value)| value)
    }
}

/// Header fields in order; after the last, `body` is what follows the empty line, or `None` if the message broke off.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
    state: State,
}

#[derive(PartialEq)]
enum State {
    Within,
    Ended,
    Broken,
}

impl<'a> Fields<'a> {
    pub(crate) fn body(&self) -> Option<&'a [u8]> {
        (self.state == State::Ended).then_some(self.rest)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Name, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.state != State::Within {
            return None;
        }
        let Some((text, rest)) = line(self.rest) else {
            self.state = State::Broken;
            return None;
        };
        if text.is_empty() {
            self.rest = rest;
            self.state = State::Ended;
            return None;
        }
        self.rest = rest;
        match memchr::memchr(b':', text) {
            Some(colon) if !matches!(text[0], b' ' | b'\t') => {
                Some((Name::of(text[..colon].trim_ascii_end()), text[colon + 1..].trim_ascii()))
            }
            _ => {
                self.state = State::Broken;
                None
            }
        }
    }
}

fn line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', text)?;
    Some((text[..end].strip_suffix(b"\r")?, &text[end + 1..]))
}

/// The value of a parameter `;name=value` outside `<…>`; `Some(b"")` when it has none.
pub(crate) fn parameter<'a>(value: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let outside = memchr::memrchr(b'>', value).map_or(value, |close| &value[close + 1..]);
    outside.split(|byte| *byte == b';').skip(1).find_map(|text| {
        let text = text.trim_ascii();
        let (found, value) = match memchr::memchr(b'=', text) {
            Some(equals) => (&text[..equals], &text[equals + 1..]),
            None => (text, &text[..0]),
        };
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// The URI of a name-addr or addr-spec.
pub(crate) fn uri(value: &[u8]) -> &[u8] {
    match memchr::memchr(b'<', value) {
        Some(open) => {
            let inside = &value[open + 1..];
            &inside[..memchr::memchr(b'>', inside).unwrap_or(inside.len())]
        }
        None => value.split(|byte| *byte == b';').next().unwrap_or(value).trim_ascii(),
    }
}

/// The digits of the user part of a sip URI, or of a tel URI, without `+`.
pub(crate) fn number(uri: &[u8]) -> Option<u64> {
    let user = uri.strip_prefix(b"sip:").or_else(|| uri.strip_prefix(b"tel:"))?;
    let user = user.strip_prefix(b"+").unwrap_or(user);
    let end = user.iter().position(|byte| matches!(byte, b'@' | b';')).unwrap_or(user.len());
    decimal(&user[..end])
}

/// An unsigned decimal of at most 19 digits.
pub(crate) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    text.iter().try_fold(0, |value: u64, byte| byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"SIP/2.0 302 Moved Temporarily\r\nv: SIP/2.0/UDP 127.0.0.1:1;branch=z9hG4bKx;rport=1\r\n\
        To: \"A;tag=no\" <sip:+4930@x;tag=no>;tag=yes\r\nm: <sip:+49699@x;user=phone>;q=1\r\nL:0\r\n\r\n";

    #[test]
    fn an_answer_is_taken_apart() {
        let message = Message::new(ANSWER).expect("message");
        assert_eq!(Some(302), message.status());
        let mut fields = message.fields();
        let names: Vec<Name> = fields.by_ref().map(|(name, _)| name).collect();
        assert_eq!(vec![Name::Via, Name::To, Name::Contact, Name::ContentLength], names);
        assert_eq!(Some(&b""[..]), fields.body());
        assert_eq!(Some(&b"yes"[..]), parameter(message.first(Name::To).expect("To"), b"tag"));
        assert_eq!(Some(49_699), number(uri(message.first(Name::Contact).expect("Contact"))));
    }

    #[test]
    fn a_message_that_breaks_off_has_no_body() {
        for cut in 1..=2 {
            let message = Message::new(&ANSWER[..ANSWER.len() - cut]).expect("start line");
            let mut fields = message.fields();
            assert_eq!(4, fields.by_ref().count());
            assert_eq!(None, fields.body(), "without the last {cut} bytes");
        }
    }

    #[test]
    fn a_folded_line_is_refused() {
        let message = Message::new(b"SIP/2.0 200 OK\r\nTo: <sip:a>\r\n ;tag=x\r\n\r\n").expect("start line");
        let mut fields = message.fields();
        assert_eq!(1, fields.by_ref().count());
        assert_eq!(None, fields.body());
    }
}
