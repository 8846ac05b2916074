//! What callers and phones send.

use std::fmt::Write as _;

use super::net::{CORE, US};

pub(super) const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";

/// The values of all lines of a header field.
pub(super) fn values<'m>(message: &'m str, name: &str) -> Vec<&'m str> {
    let head = message.split("\r\n\r\n").next().unwrap_or_default();
    let value = |line: &'m str| line.strip_prefix(name)?.strip_prefix(": ");
    head.split("\r\n").filter_map(value).collect()
}

pub(super) fn value<'m>(message: &'m str, name: &str) -> &'m str {
    values(message, name)
        .first()
        .copied()
        .unwrap_or_else(|| panic!("no {name} in {message}"))
}

pub(super) fn with_body(mut head: String, body: &str) -> String {
    if !body.is_empty() {
        head.push_str("Content-Type: application/sdp\r\n");
    }
    write!(head, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    head
}

/// A request of the core outside a dialog; `call` makes its identifiers.
pub(super) fn request(method: &str, number: &str, call: &str, extra: &str, body: &str) -> String {
    let head = format!(
        "{method} sip:{number}@{US};user=phone SIP/2.0\r\n\
         Via: SIP/2.0/UDP {CORE};branch=z9hG4bK-{call}\r\n\
         Max-Forwards: 30\r\n\
         From: <sip:+494066969000@core.example.net>;tag=caller-{call}\r\n\
         To: <sip:{number}@core.example.net>\r\n\
         Call-ID: {call}@core.example.net\r\n\
         CSeq: 1 {method}\r\n\
         Contact: <sip:caller@{CORE}>\r\n\
         {extra}"
    );
    with_body(head, body)
}

pub(super) fn invite(number: &str, call: &str) -> String {
    request("INVITE", number, call, "", OFFER)
}

/// The ACK that a caller's transaction sends to a 300–699.
pub(super) fn ack_of(invite: &str, response: &str) -> String {
    of_transaction("ACK", invite, value(response, "To"))
}

pub(super) fn cancel_of(invite: &str) -> String {
    of_transaction("CANCEL", invite, value(invite, "To"))
}

fn of_transaction(method: &str, invite: &str, to: &str) -> String {
    let uri = invite.split(' ').nth(1).unwrap();
    let head = format!(
        "{method} {uri} SIP/2.0\r\nVia: {}\r\nMax-Forwards: 30\r\nFrom: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: 1 {method}\r\n",
        value(invite, "Via"),
        value(invite, "From"),
        value(invite, "Call-ID"),
    );
    with_body(head, "")
}

/// A response of the phone; `tag` makes its dialog, `contact` is where it says it is.
pub(super) fn reply(request: &str, status: &str, tag: &str, body: &str) -> String {
    reply_from(request, status, tag, "sip:203.0.113.5:5060", body)
}

pub(super) fn reply_from(
    request: &str,
    status: &str,
    tag: &str,
    contact: &str,
    body: &str,
) -> String {
    let mut head = format!("SIP/2.0 {status}\r\n");
    for name in ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"] {
        for value in values(request, name) {
            let tag = if name == "To" && !tag.is_empty() && !value.contains(";tag=") {
                format!(";tag={tag}")
            } else {
                String::new()
            };
            write!(head, "{name}: {value}{tag}\r\n").unwrap();
        }
    }
    write!(head, "Contact: <{contact}>\r\n").unwrap();
    with_body(head, body)
}

/// A request within the dialog that `invite` and its 2xx `response` made, from one of its sides.
pub(super) struct Dialog {
    caller: String,
    callee: String,
    call_id: String,
    routes: Vec<String>,
    caller_contact: String,
    callee_contact: String,
}

impl Dialog {
    pub(super) fn of(invite: &str, response: &str) -> Self {
        let contact = |message: &str| {
            value(message, "Contact")
                .trim_matches(['<', '>'])
                .to_owned()
        };
        Self {
            caller: value(invite, "From").to_owned(),
            callee: value(response, "To").to_owned(),
            call_id: value(invite, "Call-ID").to_owned(),
            routes: values(response, "Record-Route")
                .iter()
                .rev()
                .map(|value| (*value).to_owned())
                .collect(),
            caller_contact: contact(invite),
            callee_contact: contact(response),
        }
    }

    pub(super) fn by_caller(&self, method: &str, cseq: u32, body: &str) -> String {
        self.request(method, cseq, true, CORE, body)
    }

    /// `via` is what the phone believes its address to be.
    pub(super) fn by_phone(&self, method: &str, cseq: u32, via: &str, body: &str) -> String {
        self.request(method, cseq, false, via, body)
    }

    fn request(&self, method: &str, cseq: u32, caller: bool, via: &str, body: &str) -> String {
        let (from, to, contact, target) = if caller {
            (
                &self.caller,
                &self.callee,
                &self.caller_contact,
                &self.callee_contact,
            )
        } else {
            (
                &self.callee,
                &self.caller,
                &self.callee_contact,
                &self.caller_contact,
            )
        };
        let side = if caller { "c" } else { "p" };
        let mut head = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {via};rport;branch=z9hG4bK-{side}-{method}-{cseq}\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\nContact: <{contact}>\r\n",
            self.call_id
        );
        for route in &self.routes {
            write!(head, "Route: {route}\r\n").unwrap();
        }
        with_body(head, body)
    }
}
