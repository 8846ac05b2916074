//! What every answer must be, whatever it says: well framed, and recognisably the answer to one request.

use crate::message::{Message, Name, decimal, parameter};

/// The fields of a response that tie it to its request.
#[derive(Clone, Copy)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) branch: &'a [u8],
    pub(crate) call_id: &'a [u8],
    pub(crate) cseq: u64,
    pub(crate) method: &'a [u8],
    pub(crate) from: &'a [u8],
    pub(crate) to: &'a [u8],
    /// The first Contact.
    pub(crate) contact: Option<&'a [u8]>,
    /// One bit per `Name`.
    seen: u32,
}

impl<'a> Answer<'a> {
    /// Errors name what is wrong, as one word for the report.
    pub(crate) fn read(message: &Message<'a>) -> Result<Self, &'static str> {
        let status = message.status().ok_or("not_an_answer")?;
        let mut fields = message.fields();
        let (mut vias, mut length) = (0, None);
        let mut answer =
            Self { status, branch: b"", call_id: b"", cseq: 0, method: b"", from: b"", to: b"", contact: None, seen: 0 };
        for (name, value) in fields.by_ref() {
            answer.seen |= bit(name);
            match name {
                Name::Via => {
                    if vias == 0 {
                        answer.branch = parameter(value, b"branch").unwrap_or_default();
                    }
                    vias += 1;
                }
                Name::CallId => answer.call_id = value,
                Name::From => answer.from = value,
                Name::To => answer.to = value,
                Name::CSeq => {
                    let space = memchr::memchr(b' ', value).ok_or("cseq")?;
                    answer.cseq = decimal(&value[..space]).ok_or("cseq")?;
                    answer.method = value[space..].trim_ascii();
                }
                Name::Contact => answer.contact = answer.contact.or(Some(value)),
                Name::ContentLength => length = Some(decimal(value).ok_or("framing")?),
                _ => {}
            }
        }
        let body = fields.body().ok_or("framing")?;
        if length.is_some_and(|length| length != body.len() as u64) {
            return Err("framing");
        }
        // RFC 3261 §8.1.3.3: more than one Via means that it was misrouted.
        if vias == 1 { Ok(answer) } else { Err("via_count") }
    }

    pub(crate) fn has(&self, names: u32) -> bool {
        self.seen & names == names
    }

    pub(crate) fn tag_of_to(&self) -> Option<&'a [u8]> {
        parameter(self.to, b"tag").filter(|tag| !tag.is_empty())
    }

    pub(crate) fn tag_of_from(&self) -> Option<&'a [u8]> {
        parameter(self.from, b"tag")
    }
}

/// The bit of a field in `has`.
pub(crate) fn bit(name: Name) -> u32 {
    1 << name as u32
}
