//! A message written once, with places that each call fills: always the same length, so filling is copying.

use crate::call::{TOKEN, decimal};

/// Stands for the call's token in the text.
pub(crate) const TOKEN_MARK: &str = "TTTTTTTTTTTTTTTTTTTTTT";

/// Text with places for tokens and for one number.
pub(crate) struct Template {
    bytes: Vec<u8>,
    tokens: Vec<usize>,
    numbers: Vec<usize>,
    digits: usize,
}

impl Template {
    /// `text` holds `TOKEN_MARK` and `number_mark(digits)` wherever they shall be filled.
    pub(crate) fn new(text: &str, digits: usize) -> Self {
        let places = |mark: &str| text.match_indices(mark).map(|(at, _)| at).collect();
        Self { bytes: text.as_bytes().to_vec(), tokens: places(TOKEN_MARK), numbers: places(&number_mark(digits)), digits }
    }

    pub(crate) fn write(&self, token: &[u8; TOKEN], number: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let message = &mut out[start..];
        for at in &self.tokens {
            message[*at..at + TOKEN].copy_from_slice(token);
        }
        if let Some((first, others)) = self.numbers.split_first() {
            decimal(number, &mut message[*first..first + self.digits]);
            for at in others {
                message.copy_within(*first..first + self.digits, *at);
            }
        }
    }
}

/// Stands for the called number in the text.
pub(crate) fn number_mark(digits: usize) -> String {
    "N".repeat(digits)
}

/// An audio offer of the usual size (RFC 4566, RFC 3264), `\r\n` line ends.
pub(crate) fn sdp(address: &str, port: u16) -> String {
    [
        "v=0",
        &format!("o=- 3725487012 3725487012 IN IP4 {address}"),
        "s=-",
        &format!("c=IN IP4 {address}"),
        "t=0 0",
        &format!("m=audio {port} RTP/AVP 8 0 101"),
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20",
        "a=sendrecv",
        "",
    ]
    .join("\r\n")
}
