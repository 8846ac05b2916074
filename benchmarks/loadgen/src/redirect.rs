//! INVITE, 302, ACK: is every called number diverted to where it must be?

use crate::answer::{Answer, bit};
use crate::args::Args;
use crate::call::{Call, Naming, Range, TOKEN};
use crate::driver::{self, Plan, Scenario, Verdict};
use crate::expect::Expect;
use crate::message::{Message, Name, number, uri};
use crate::template::{TOKEN_MARK, Template, number_mark, sdp};
use std::net::SocketAddr;

/// Calls that must be diverted.
struct Redirect {
    naming: Naming,
    range: Range,
    expect: Expect,
    required: u32,
    invite: Template,
    ack: Template,
}

pub(crate) fn run(mut args: Args) -> Result<bool, String> {
    let plan = Plan::take(&mut args)?;
    let range = Range::new(&args.or("--first", "+493021000000".to_owned())?, args.or("--numbers", 10_000)?)?;
    let expect = Expect::take(&mut args)?;
    let required = required(&args.or("--require", String::new())?)?;
    let histinfo = args.switch("--histinfo");
    let show = args.switch("--show");
    args.finish()?;
    let (socket, local) = plan.open()?;
    let naming = Naming::new();
    let scenario = Redirect {
        naming,
        range,
        expect,
        required,
        invite: Template::new(&invite(plan.target, local, range.digits, histinfo), range.digits),
        ack: Template::new(&ack(plan.target, local, range.digits), range.digits),
    };
    Ok(driver::run(&plan, socket, naming, scenario).print("redirect", show))
}

fn required(list: &str) -> Result<u32, String> {
    list.split(',').filter(|word| !word.is_empty()).try_fold(0, |bits, word| match word {
        "diversion" => Ok(bits | bit(Name::Diversion)),
        "reason" => Ok(bits | bit(Name::Reason)),
        "history-info" => Ok(bits | bit(Name::HistoryInfo)),
        _ => Err(format!("--require {word}: diversion, reason, history-info")),
    })
}

/// An INVITE as a softswitch sends it: about 900 bytes with its offer.
pub(crate) fn invite(target: SocketAddr, local: SocketAddr, digits: usize, histinfo: bool) -> String {
    let called = number_mark(digits);
    let body = sdp(&local.ip().to_string(), 16_384);
    let histinfo = if histinfo { ", histinfo" } else { "" };
    [
        &format!("INVITE sip:+{called}@{target};user=phone SIP/2.0"),
        &format!("Via: SIP/2.0/UDP {local};branch=z9hG4bK{TOKEN_MARK}0;rport"),
        "Max-Forwards: 70",
        &format!("From: \"+496990009123\" <sip:+496990009123@{local};user=phone>;tag={TOKEN_MARK}"),
        &format!("To: <sip:+{called}@{target};user=phone>"),
        &format!("Call-ID: {TOKEN_MARK}@load.invalid"),
        "CSeq: 1 INVITE",
        &format!("Contact: <sip:+496990009123@{local}>"),
        "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK",
        &format!("Supported: 100rel, timer{histinfo}"),
        "Session-Expires: 1800",
        "User-Agent: sip-load",
        "Content-Type: application/sdp",
        &format!("Content-Length: {}", body.len()),
        "",
        &body,
    ]
    .join("\r\n")
}

/// RFC 3261 §17.1.1.3: same Request-URI, same single Via, `CSeq` number of the INVITE; To is the answer's and goes last.
pub(crate) fn ack(target: SocketAddr, local: SocketAddr, digits: usize) -> String {
    let called = number_mark(digits);
    [
        &format!("ACK sip:+{called}@{target};user=phone SIP/2.0"),
        &format!("Via: SIP/2.0/UDP {local};branch=z9hG4bK{TOKEN_MARK}0;rport"),
        "Max-Forwards: 70",
        &format!("From: \"+496990009123\" <sip:+496990009123@{local};user=phone>;tag={TOKEN_MARK}"),
        &format!("Call-ID: {TOKEN_MARK}@load.invalid"),
        "CSeq: 1 ACK",
        "Content-Length: 0",
        "To: ",
    ]
    .join("\r\n")
}

/// Does the answer belong to the request that the token names?
pub(crate) fn belongs(answer: &Answer, token: &[u8; TOKEN], method: &[u8], cseq: u64) -> Result<(), &'static str> {
    if answer.call_id.strip_prefix(token) != Some(b"@load.invalid") {
        return Err("call_id");
    }
    if answer.method != method || answer.cseq != cseq {
        return Err("cseq");
    }
    if answer.tag_of_from() != Some(token) {
        return Err("from_tag");
    }
    Ok(())
}

impl Redirect {
    fn check(&self, call: Call, answer: &Answer) -> Result<(), &'static str> {
        if answer.status != 302 {
            return Err(if answer.status >= 500 { "status_5xx" } else { "status" });
        }
        answer.tag_of_to().ok_or("to_tag")?;
        let contact = answer.contact.and_then(|contact| number(uri(contact))).ok_or("contact")?;
        if self.expect.target(self.range.drawn(call.seq)).is_some_and(|target| target != contact) {
            return Err("target");
        }
        if !answer.has(self.required) {
            return Err("header_missing");
        }
        Ok(())
    }
}

impl Scenario for Redirect {
    fn request(&mut self, call: Call, out: &mut Vec<u8>) {
        self.invite.write(&self.naming.token(call), self.range.drawn(call.seq), out);
    }

    fn judge(&mut self, call: Call, _message: &Message, answer: &Answer) -> Verdict {
        let belongs = belongs(answer, &self.naming.token(call), b"INVITE", 1);
        match belongs.and_then(|()| if answer.status < 200 { Ok(()) } else { self.check(call, answer) }) {
            Err(word) => Verdict::Wrong(word),
            Ok(()) if answer.status < 200 => Verdict::Provisional,
            Ok(()) => Verdict::Done,
        }
    }

    fn acknowledge(&mut self, call: Call, _message: &Message, answer: &Answer, out: &mut Vec<u8>) -> bool {
        self.ack.write(&self.naming.token(call), self.range.drawn(call.seq), out);
        out.extend_from_slice(answer.to);
        out.extend_from_slice(b"\r\n\r\n");
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: &str = "SIP/2.0 302 Moved Temporarily\r\nVia: SIP/2.0/UDP 127.0.0.1:1;branch=z9hG4bKTOKEN0;rport=1\r\n\
        From: <sip:a@b>;tag=TOKEN\r\nTo: <sip:+493021000001@c>;tag=x\r\nCall-ID: TOKEN@load.invalid\r\nCSeq: 1 INVITE\r\n\
        Contact: <sip:+496990009000@c;user=phone>;q=1\r\nDiversion: <sip:+493021000001@c>\r\nReason: Q.850;cause=27\r\n\
        Content-Length: 0\r\n\r\n";

    /// What is said about `RIGHT` with `from` replaced by `to`; `None` when nothing is wrong.
    fn said(from: &str, to: &str) -> Option<&'static str> {
        let words = ["--expect", "*=+496990009000"].map(ToOwned::to_owned);
        let mut args = Args::parse(words.into_iter()).expect("words");
        let address = "127.0.0.1:1".parse().expect("address");
        let mut scenario = Redirect {
            naming: Naming { run: 7 },
            range: Range::new("+493021000001", 1).expect("range"),
            expect: Expect::take(&mut args).expect("rules"),
            required: required("diversion,reason").expect("names"),
            invite: Template::new(&invite(address, address, 12, false), 12),
            ack: Template::new(&ack(address, address, 12), 12),
        };
        let call = Call { slot: 3, seq: 9, stage: 0 };
        let token = scenario.naming.token(call);
        assert!(RIGHT.contains(from), "{from} is not in the answer");
        let text = RIGHT.replacen(from, to, 1).replace("TOKEN", std::str::from_utf8(&token).expect("hex"));
        let message = Message::new(text.as_bytes()).expect("start line");
        let answer = match Answer::read(&message) {
            Ok(answer) => answer,
            Err(word) => return Some(word),
        };
        if scenario.naming.call(answer.branch) != Some(call) {
            return Some("branch");
        }
        match scenario.judge(call, &message, &answer) {
            Verdict::Wrong(word) => Some(word),
            Verdict::Provisional | Verdict::Next => Some("not final"),
            Verdict::Done => None,
        }
    }

    #[test]
    fn every_fault_is_named() {
        let faults = [
            ("302 Moved Temporarily", "200 OK", "status"),
            ("302 Moved Temporarily", "503 Service Unavailable", "status_5xx"),
            ("SIP/2.0 302", "SIP/2.0 3o2", "not_an_answer"),
            ("bKTOKEN0", "bKTOKEN1", "branch"),
            ("bKTOKEN0", "bK", "branch"),
            (";rport=1\r\n", "\r\nVia: SIP/2.0/UDP d;branch=z9hG4bK1\r\n", "via_count"),
            (";tag=TOKEN", ";tag=other", "from_tag"),
            (";tag=x", "", "to_tag"),
            (";tag=x", ";tag=", "to_tag"),
            ("Call-ID: TOKEN", "Call-ID: other", "call_id"),
            ("1 INVITE", "2 INVITE", "cseq"),
            ("1 INVITE", "1 ACK", "cseq"),
            ("+496990009000", "+496990009001", "target"),
            ("Contact:", "X-Contact:", "contact"),
            ("Diversion:", "X-Diversion:", "header_missing"),
            ("Reason:", "X-Reason:", "header_missing"),
            ("Content-Length: 0", "Content-Length: 1", "framing"),
            ("\r\n\r\n", "\r\n", "framing"),
        ];
        for (from, to, word) in faults {
            assert_eq!(Some(word), said(from, to), "{from} → {to}");
        }
    }

    #[test]
    fn a_right_answer_is_right_in_compact_form_too() {
        for (from, to) in
            [("Via", "Via"), ("Contact", "m"), ("Call-ID", "i"), ("Content-Length: 0\r\n", ""), (" 302", " 302")]
        {
            assert_eq!(None, said(from, to), "{from} → {to}");
        }
    }
}
