use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::*;
use crate::error::PeerError;
use crate::header::HeaderName;
use crate::message::{HeaderIndex, Message};

const INVITE: &str = "INVITE sip:+493023125042@example.com SIP/2.0\r\n\
    v: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKa , SIP/2.0/TCP b.example;branch=z9hG4bKb\r\n\
    Via: SIP/2.0/UDP c.example\r\n\
    Route: <sip:one.example;lr>, <sip:two.example;lr>\r\n\
    f: \"A\" <sip:a@example.com>;tag=1\r\n\
    To:\r\n <sip:b@example.com>\r\n\
    Call-ID: x@y\r\n\
    CSeq: 7 INVITE\r\n\
    Timestamp: 54\r\n\
    Max-Forwards: 70\r\n\
    X-Kept:  as  is \r\n\
    Content-Length: 2\r\n\r\nhi";

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn with(text: &str, act: impl FnOnce(&Message<'_>, &mut Vec<u8>)) -> String {
    let mut index = HeaderIndex::new();
    let message = Message::parse(text.as_bytes(), &mut index).expect("the message parses");
    let mut out = Vec::new();
    act(&message, &mut out);
    String::from_utf8(out).expect("the output is text")
}

#[test]
fn a_response_copies_what_section_8_2_6_names() {
    let written = with(INVITE, |invite, out| {
        let source = Some(address("192.0.2.1:40000"));
        ResponseWriter::new(out, invite, 302, "Moved Temporarily", Some(b"t9"), source)
            .header("Contact", b"<sip:c@example.com>")
            .header_with("Reason", |out| out.extend_from_slice(b"Q.850;cause=27"))
            .finish(None);
    });
    let expected = "SIP/2.0 302 Moved Temporarily\r\n\
        Via: SIP/2.0/UDP 192.0.2.1:5060;rport=40000;branch=z9hG4bKa;received=192.0.2.1 , \
        SIP/2.0/TCP b.example;branch=z9hG4bKb\r\n\
        Via: SIP/2.0/UDP c.example\r\n\
        f: \"A\" <sip:a@example.com>;tag=1\r\n\
        To: <sip:b@example.com>;tag=t9\r\n\
        Call-ID: x@y\r\n\
        CSeq: 7 INVITE\r\n\
        Contact: <sip:c@example.com>\r\n\
        Reason: Q.850;cause=27\r\n\
        Content-Length: 0\r\n\r\n";
    assert_eq!(expected, written);
}

#[test]
fn a_100_has_the_timestamp_and_no_tag() {
    let written = with(INVITE, |invite, out| {
        ResponseWriter::new(out, invite, 100, "Trying", None, None)
            .finish(Some(("text/plain", b"ok")));
    });
    assert!(written.contains("\r\nTimestamp: 54\r\n"), "{written}");
    assert!(
        written.contains("\r\nTo:\r\n <sip:b@example.com>\r\n"),
        "{written}"
    );
    assert!(
        written.contains("Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"),
        "{written}"
    );
}

#[test]
fn the_top_via_tells_where_the_request_came_from() {
    let table = [
        (
            "SIP/2.0/UDP 192.0.2.1",
            "192.0.2.1:9",
            "SIP/2.0/UDP 192.0.2.1",
        ),
        (
            "SIP/2.0/UDP 192.0.2.2",
            "192.0.2.1:9",
            "SIP/2.0/UDP 192.0.2.2;received=192.0.2.1",
        ),
        (
            "SIP/2.0/UDP a.example;x",
            "192.0.2.1:9",
            "SIP/2.0/UDP a.example;x;received=192.0.2.1",
        ),
        (
            "SIP/2.0/UDP 192.0.2.1;rport",
            "192.0.2.1:9",
            "SIP/2.0/UDP 192.0.2.1;rport=9;received=192.0.2.1",
        ),
        (
            "SIP/2.0/UDP a;received=10.0.0.1 ;rport = 1; x=\";rport\"",
            "[2001:db8::1]:9",
            "SIP/2.0/UDP a ;rport=9; x=\";rport\";received=2001:db8::1",
        ),
        (
            "SIP/2.0/UDP [::ffff:192.0.2.1]",
            "[::ffff:192.0.2.1]:9",
            "SIP/2.0/UDP [::ffff:192.0.2.1]",
        ),
        (
            "SIP/2.0/UDP ;;broken",
            "192.0.2.1:9",
            "SIP/2.0/UDP ;;broken",
        ),
    ];
    for (value, source, expected) in table {
        let mut out = Vec::new();
        push_top_via_value(&mut out, value.as_bytes(), address(source));
        assert_eq!(expected.as_bytes(), out, "{value}");
    }
}

#[test]
fn a_forwarded_request_differs_only_where_asked() {
    let written = with(INVITE, |invite, out| {
        RequestForward {
            request_uri: Some(b"sip:b@192.0.2.50"),
            via: b"SIP/2.0/UDP p.example;branch=z9hG4bKp",
            received: Some(address("192.0.2.1:40000")),
            record_route: Some(b"<sip:p.example;lr>"),
            pop_routes: 1,
            max_forwards: 69,
            extra: &[("X-New", b"1")],
            remove: &[HeaderName::Timestamp],
            ..RequestForward::default()
        }
        .write(invite, out);
    });
    let expected = "INVITE sip:b@192.0.2.50 SIP/2.0\r\n\
        Via: SIP/2.0/UDP p.example;branch=z9hG4bKp\r\n\
        Record-Route: <sip:p.example;lr>\r\n\
        Via: SIP/2.0/UDP 192.0.2.1:5060;rport=40000;branch=z9hG4bKa;received=192.0.2.1 , \
        SIP/2.0/TCP b.example;branch=z9hG4bKb\r\n\
        Via: SIP/2.0/UDP c.example\r\n\
        Route: <sip:two.example;lr>\r\n\
        f: \"A\" <sip:a@example.com>;tag=1\r\n\
        To:\r\n <sip:b@example.com>\r\n\
        Call-ID: x@y\r\n\
        CSeq: 7 INVITE\r\n\
        Max-Forwards: 69\r\n\
        X-Kept:  as  is \r\n\
        Content-Length: 2\r\n\
        X-New: 1\r\n\r\nhi";
    assert_eq!(expected, written);
}

#[test]
fn mandatory_numbers_are_added_where_an_old_element_left_them_out() {
    let old = "BYE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nFrom: <sip:a@a>\r\nTo: <sip:b@b>\r\n\
        Call-ID: 1\r\nCSeq: 1 BYE\r\n\r\nrest";
    let written = with(old, |bye, out| {
        let forward = RequestForward {
            via: b"SIP/2.0/UDP p",
            max_forwards: 70,
            ..RequestForward::default()
        };
        forward.write(bye, out);
    });
    assert!(
        written.ends_with("CSeq: 1 BYE\r\nMax-Forwards: 70\r\nContent-Length: 4\r\n\r\nrest"),
        "{written}"
    );
}

#[test]
fn a_forwarded_response_loses_the_top_via_value_alone() {
    let response = INVITE.replacen(
        "INVITE sip:+493023125042@example.com SIP/2.0",
        "SIP/2.0 180 Ringing",
        1,
    );
    let written = with(&response, |response, out| {
        assert!(write_forwarded_response(response, out));
    });
    let top = "v: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKa , SIP/2.0/TCP";
    assert_eq!(response.replacen(top, "Via: SIP/2.0/TCP", 1), written);
    let again = with(&written, |response, out| {
        assert!(write_forwarded_response(response, out));
    });
    assert_eq!(
        written.replacen("Via: SIP/2.0/TCP b.example;branch=z9hG4bKb\r\n", "", 1),
        again
    );
    let ours = with(&again, |response, out| {
        assert!(!write_forwarded_response(response, out));
    });
    assert_eq!("", ours, "the last Via was ours");
}

#[test]
fn responses_go_where_the_via_says() {
    let table = [
        ("SIP/2.0/UDP 192.0.2.1", Some("192.0.2.1:5060")),
        ("SIP/2.0/TLS 192.0.2.1", Some("192.0.2.1:5061")),
        (
            "SIP/2.0/UDP a.example:5070;received=192.0.2.9",
            Some("192.0.2.9:5070"),
        ),
        (
            "SIP/2.0/UDP a.example:5070;received=192.0.2.9;rport=4",
            Some("192.0.2.9:4"),
        ),
        (
            "SIP/2.0/UDP [2001:db8::1];received=[2001:db8::2]",
            Some("[2001:db8::2]:5060"),
        ),
        (
            "SIP/2.0/UDP [2001:db8::1];received=2001:db8::2",
            Some("[2001:db8::2]:5060"),
        ),
        (
            "SIP/2.0/UDP 192.0.2.1;maddr=192.0.2.7;received=192.0.2.9",
            Some("192.0.2.7:5060"),
        ),
        ("SIP/2.0/UDP 192.0.2.1;maddr=239.1.1.1", None),
        ("SIP/2.0/UDP 255.255.255.255", None),
        ("SIP/2.0/UDP 0.0.0.0", None),
        ("SIP/2.0/UDP 192.0.2.1:0", None),
        ("SIP/2.0/UDP a.example", None),
    ];
    for (value, expected) in table {
        let via = Via::parse(value.as_bytes()).expect("the row parses");
        assert_eq!(expected.map(address), response_destination(&via), "{value}");
    }
}

#[test]
fn ack_and_cancel_belong_to_the_invites_hop() {
    let busy = "SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP 192.0.2.1\r\nf: <sip:a@example.com>;tag=1\r\n\
        To: <sip:b@example.com>;tag=2\r\nCall-ID: x@y\r\nCSeq: 7 INVITE\r\n\r\n";
    let mut index = HeaderIndex::new();
    let response = Message::parse(busy.as_bytes(), &mut index).expect("the response parses");
    let ack = with(INVITE, |invite, out| {
        ack_for_non_2xx(invite, &response, out);
    });
    let expected = "ACK sip:+493023125042@example.com SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKa\r\n\
        From: \"A\" <sip:a@example.com>;tag=1\r\n\
        To: <sip:b@example.com>;tag=2\r\n\
        Call-ID: x@y\r\n\
        CSeq: 7 ACK\r\n\
        Route: <sip:one.example;lr>, <sip:two.example;lr>\r\n\
        Max-Forwards: 70\r\n\
        Content-Length: 0\r\n\r\n";
    assert_eq!(expected, ack);
    let cancel = with(INVITE, cancel_for);
    let to_without_tag = expected.replace("ACK", "CANCEL").replace(";tag=2", "");
    assert_eq!(to_without_tag, cancel);
}

#[test]
fn faults_are_answered_leniently_or_not_at_all() {
    let source = address("192.0.2.8:5060");
    let fault = PeerError::Missing(HeaderName::CallId);
    let request = "\r\nBYE sip:b@b SIP/2.0\nVIA : SIP/2.0/UDP a;rport\nTo: <sip:b@b>\n ;x=1\r\nX: 1\r\n\r\nVia: x";
    let mut out = Vec::new();
    assert!(error_response(request.as_bytes(), &fault, source, &mut out));
    let text = String::from_utf8(out).expect("the output is text");
    let start = "SIP/2.0 400 Missing Call-ID Header Field\r\n\
        Via: SIP/2.0/UDP a;rport=5060;received=192.0.2.8\r\nTo: <sip:b@b>  ;x=1;tag=";
    assert!(text.starts_with(start), "{text}");
    assert!(text.ends_with("\r\nContent-Length: 0\r\n\r\n"), "{text}");

    for silent in [
        "",
        "\r\n\r\n",
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a\r\n\r\n",
        "ACK sip:b SIP/2.0\r\nVia: x\r\n\r\n",
        "BYE sip:b@b SIP/2.0\r\nTo: x\r\n\r\n",
        "\0\u{1}rubbish",
        "Via: SIP/2.0/UDP a\r\n\r\n",
    ] {
        let mut out = Vec::new();
        assert!(
            !error_response(silent.as_bytes(), &fault, source, &mut out),
            "{silent:?}"
        );
        assert!(out.is_empty());
    }
}

#[test]
fn numbers_and_addresses_are_written_as_the_grammar_has_them() {
    let mut out = Vec::new();
    for number in [0, 9, 10, 4_294_967_295] {
        push_decimal(&mut out, number);
        out.push(b' ');
    }
    push_socket_address(&mut out, address("[2001:db8::1]:5060"));
    out.push(b' ');
    push_socket_address(&mut out, address("192.0.2.10:65535"));
    assert_eq!(
        &b"0 9 10 4294967295 [2001:db8::1]:5060 192.0.2.10:65535"[..],
        out
    );
}
