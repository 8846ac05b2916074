//! Responses without their topmost Via.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{has_next_hop, write_forwarded_response};
use crate::error::PeerError;
use crate::header::HeaderName;
use crate::message::{HeaderIndex, Message};

fn response(vias: &str) -> String {
    [
        "SIP/2.0 200 OK\r\n",
        vias,
        "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n",
    ]
    .concat()
}

/// The Via lines that are left, or `None` if the response is not forwarded.
fn forwarded(vias: &str) -> Option<String> {
    let text = response(vias);
    let mut index = HeaderIndex::new();
    let message = Message::parse(text.as_bytes(), &mut index).expect("the response parses");
    let mut out = Vec::new();
    let written = write_forwarded_response(&message, &mut out);
    assert_eq!(has_next_hop(&message), written);
    if !written {
        assert!(out.is_empty(), "nothing is written");
        return None;
    }
    let mut index = HeaderIndex::new();
    let copy = Message::parse(&out, &mut index).expect("the copy parses");
    assert!(copy.top_via().is_ok(), "the next element can read its hop");
    let text = core::str::from_utf8(&out).expect("the copy is text");
    let end = text.find("From:").expect("the rest follows");
    Some(text["SIP/2.0 200 OK\r\n".len()..end].to_string())
}

#[test]
fn the_topmost_hop_is_taken_off_and_the_rest_is_as_received() {
    let table = [
        (
            "Via: SIP/2.0/UDP us\r\nVia: SIP/2.0/UDP a, SIP/2.0/UDP b\r\n",
            "Via: SIP/2.0/UDP a, SIP/2.0/UDP b\r\n",
        ),
        (
            "v: SIP/2.0/UDP us , SIP/2.0/UDP a\r\nVia: SIP/2.0/UDP b\r\n",
            "Via: SIP/2.0/UDP a\r\nVia: SIP/2.0/UDP b\r\n",
        ),
        (
            "Via: SIP/2.0/UDP us,,\r\n , SIP/2.0/UDP a,\r\n",
            "Via: SIP/2.0/UDP a,\r\n",
        ),
        (
            "Via: SIP/2.0/UDP us,\r\nVia: SIP/2.0/UDP a\r\n",
            "Via: SIP/2.0/UDP a\r\n",
        ),
        (
            "Via: SIP/2.0/UDP us\r\nVia: SIP/2.0/UDP a\r\nVia: what is this\r\n",
            "Via: SIP/2.0/UDP a\r\nVia: what is this\r\n",
        ),
    ];
    for (vias, left) in table {
        assert_eq!(Some(left), forwarded(vias).as_deref(), "{vias}");
    }
}

#[test]
fn a_response_whose_next_hop_cannot_be_read_is_not_forwarded() {
    let table = [
        "Via: SIP/2.0/UDP us\r\n",
        "Via: SIP/2.0/UDP us, \r\n",
        "Via: SIP/2.0/UDP us\r\nVia: SIP/2.0/UDP a;;\r\n",
        "Via: SIP/2.0/UDP us\r\nVia: , SIP/2.0/UDP a\r\n",
        "Via: SIP/2.0/UDP us\r\nVia: ,\r\n",
        "Via: SIP/2.0/UDP us, what is this\r\n",
    ];
    for vias in table {
        assert_eq!(None, forwarded(vias), "{vias}");
    }
}

#[test]
fn an_empty_via_anywhere_is_malformed() {
    for vias in [
        "Via: \r\nVia: SIP/2.0/UDP a\r\n",
        "Via: SIP/2.0/UDP us\r\nVia: \r\n",
        "Via: SIP/2.0/UDP us\r\nVia:\r\n \r\nVia: SIP/2.0/UDP a\r\n",
    ] {
        let text = response(vias);
        let mut index = HeaderIndex::new();
        let error = Message::parse(text.as_bytes(), &mut index).err();
        assert_eq!(Some(PeerError::Malformed(HeaderName::Via)), error, "{vias}");
    }
}
