use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::error::PeerError;
use crate::header::HeaderName;
use crate::limits::{MAX_HEADERS, MAX_MESSAGE, MAX_VIA};

const REQUEST: &str = "OPTIONS sip:example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n\
    From: <sip:a@example.com>;tag=1\r\n\
    To: <sip:b@example.com>\r\n\
    Call-ID: x\r\n\
    CSeq: 1 OPTIONS\r\n\r\n";

fn fault(text: &str) -> Option<PeerError> {
    OwnedMessage::parse(text.as_bytes()).err()
}

fn edited(from: &str, to: &str) -> String {
    assert!(REQUEST.contains(from), "{from}");
    REQUEST.replacen(from, to, 1)
}

#[test]
fn a_plain_request_parses() {
    assert_eq!(None, fault(REQUEST));
    assert_eq!(
        None,
        fault(&format!("\r\n\r\n{REQUEST}")),
        "CRLFs in front are skipped (§7.5)"
    );
}

#[test]
fn each_fault_has_its_name() {
    use PeerError::{
        BodyTruncated, CSeqMethod, HeaderLine, HeadersUnterminated, KeepAlive, LineEnd, Malformed,
        Missing, OutOfRange, Repeated, RequestUri, StartLine, StatusCode, Version,
    };
    let response = |line: &str| edited("OPTIONS sip:example.com SIP/2.0", line);
    let with = |line: &str| edited("Call-ID: x\r\n", &format!("Call-ID: x\r\n{line}\r\n"));
    let table = [
        (String::new(), KeepAlive),
        ("\r\n\r\n".to_string(), KeepAlive),
        ("\0\0\0\0".to_string(), KeepAlive),
        ("rubbish".to_string(), HeadersUnterminated),
        ("rubbish\r\n".to_string(), StartLine),
        (edited("OPTIONS sip", "OPT{IONS sip"), StartLine),
        (edited("SIP/2.0\r\n", "HTTP/1.1\r\n"), StartLine),
        (edited("SIP/2.0\r\n", "SIP/3.0\r\n"), Version),
        (edited("sip:example.com", "sip:exa<mple.com"), RequestUri),
        (response("SIP/3.0 200 OK"), Version),
        (response("SIP/2.0 20 OK"), StatusCode),
        (response("SIP/2.0 099 OK"), StatusCode),
        (response("SIP/2.0 700 OK"), StatusCode),
        (response("SIP/2.0 200OK"), StatusCode),
        (with("no colon"), HeaderLine),
        (with(": no name"), HeaderLine),
        (with("X: a\nY: b"), LineEnd),
        (with("X: a\rY: b"), LineEnd),
        (
            edited("OPTIONS\r\n\r\n", "OPTIONS\r\n"),
            HeadersUnterminated,
        ),
        (edited("Call-ID: x\r\n", ""), Missing(HeaderName::CallId)),
        (
            edited("Call-ID: x", "Call-ID: "),
            Malformed(HeaderName::CallId),
        ),
        (
            edited("Call-ID: x", "Call-ID: x y"),
            Malformed(HeaderName::CallId),
        ),
        (with("i: y"), Repeated(HeaderName::CallId)),
        (
            edited("1 OPTIONS", "x OPTIONS"),
            Malformed(HeaderName::CSeq),
        ),
        (edited("1 OPTIONS", "1OPTIONS"), Malformed(HeaderName::CSeq)),
        (
            edited("1 OPTIONS", "1 OPTIONS x"),
            Malformed(HeaderName::CSeq),
        ),
        (
            edited("1 OPTIONS", "2147483648 OPTIONS"),
            OutOfRange(HeaderName::CSeq),
        ),
        (edited("1 OPTIONS", "1 Options"), CSeqMethod),
        (
            with("Max-Forwards: 256"),
            OutOfRange(HeaderName::MaxForwards),
        ),
        (with("Max-Forwards: -1"), Malformed(HeaderName::MaxForwards)),
        (with("Content-Length: 1"), BodyTruncated),
        (
            with("Content-Length: +0"),
            Malformed(HeaderName::ContentLength),
        ),
        (
            with("Content-Length: 4294967296"),
            OutOfRange(HeaderName::ContentLength),
        ),
        (
            edited("<sip:b@example.com>", "<sip:b@example.com"),
            Malformed(HeaderName::To),
        ),
    ];
    for (text, expected) in table {
        assert_eq!(Some(expected), fault(&text), "{text:?}");
        assert!(!expected.reason().is_empty());
    }
}

#[test]
fn limits_hold() {
    let many = |line: &str, count: usize| {
        edited(
            "Call-ID: x\r\n",
            &format!("Call-ID: x\r\n{}", line.repeat(count)),
        )
    };
    assert_eq!(None, fault(&many("X: 1\r\n", MAX_HEADERS - 5)));
    assert_eq!(
        Some(PeerError::TooManyHeaders),
        fault(&many("X: 1\r\n", MAX_HEADERS - 4))
    );
    assert_eq!(None, fault(&many("v: SIP/2.0/UDP a\r\n", MAX_VIA - 1)));
    assert_eq!(
        Some(PeerError::TooManyHops),
        fault(&many("v: SIP/2.0/UDP a\r\n", MAX_VIA))
    );
    let mut large = REQUEST.to_string();
    large.push_str(&"x".repeat(MAX_MESSAGE - REQUEST.len()));
    assert_eq!(None, fault(&large));
    assert_eq!(
        MAX_MESSAGE - REQUEST.len(),
        OwnedMessage::parse(&large)
            .expect("it parses")
            .view()
            .body()
            .len()
    );
    large.push('x');
    assert_eq!(Some(PeerError::MessageTooLarge), fault(&large));
}

#[test]
fn header_fields_are_found_by_name_and_in_order() {
    let text = edited(
        "Call-ID: x\r\n",
        "i: x\r\nSupported: 100rel , timer\r\nX-One: 1\r\nk: histinfo\r\nx-ONE: 2\r\nContact: *\r\nExpires: 99999999999\r\n",
    );
    let owned = OwnedMessage::parse(&text).expect("it parses");
    let message = owned.view();
    assert_eq!(b"x", message.call_id());
    assert_eq!(
        Some(&b"100rel , timer"[..]),
        message.header(HeaderName::Supported)
    );
    let tags: Vec<_> = message.option_tags(HeaderName::Supported).collect();
    assert_eq!([&b"100rel"[..], b"timer", b"histinfo"].to_vec(), tags);
    assert!(message.has_option(HeaderName::Supported, "HistInfo"));
    assert!(!message.has_option(HeaderName::Require, "histinfo"));
    assert_eq!(Some(&b"1"[..]), message.header_named(b"X-ONE"));
    assert_eq!(Some(&b"x"[..]), message.header_named(b"call-id"));
    assert_eq!(None, message.header_named(b"x-two"));
    assert!(message.contact_is_star());
    assert_eq!(Some(u32::MAX), message.expires());
    assert_eq!(2, message.headers(HeaderName::Supported).count());
    assert_eq!(11, message.lines().count());
}
