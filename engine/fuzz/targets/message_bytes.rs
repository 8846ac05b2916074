//! Octets from the network, through everything that reads or answers them.
//!
//! Invariants: nothing panics; what parses can be forwarded, and the forwarded request parses to the same values; a response
//! to a request parses and belongs to it; the answer to what does not parse is itself a message; a response with its top Via
//! taken off keeps the rest.

#![no_main]

use std::net::SocketAddr;

use libfuzzer_sys::fuzz_target;
use sip_core::build::{
    RequestForward, ResponseWriter, ack_for_non_2xx, cancel_for, error_response,
    response_destination, write_forwarded_response,
};
use sip_core::digest::{Authorization, ServerChallenge};
use sip_core::header::{HeaderName, Via};
use sip_core::message::{HeaderIndex, Message, OwnedMessage};

const OUR_VIA: &[u8] = b"SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKfuzz";

fuzz_target!(|bytes: &[u8]| {
    let mut index = HeaderIndex::new();
    let source = SocketAddr::from(([192, 0, 2, 1], 5060));
    match Message::parse(bytes, &mut index) {
        Err(error) => {
            let mut out = Vec::new();
            if error_response(bytes, &error, source, &mut out) {
                assert!(
                    out.starts_with(b"SIP/2.0 "),
                    "an error is answered with a response"
                );
                assert!(out.ends_with(b"\r\n\r\n"), "the answer has an end");
            } else {
                assert!(out.is_empty(), "silence writes nothing");
            }
        }
        Ok(message) => {
            read_everything(&message);
            if message.is_request() {
                forward(&message, source);
                respond(&message, source);
            } else {
                strip(&message);
            }
        }
    }
});

/// Calls each accessor; what is refused is refused with an error, never a panic.
fn read_everything(message: &Message<'_>) {
    let _ = (
        message.uri(),
        message.from(),
        message.to(),
        message.expires(),
        message.contact_is_star(),
    );
    let _ = message
        .top_via()
        .map(|via: Via<'_>| response_destination(&via));
    message.vias().for_each(drop);
    message.routes().for_each(drop);
    message.record_routes().for_each(drop);
    message.paths().for_each(drop);
    for contact in message.contacts().flatten() {
        let _ = contact.uri();
    }
    for name in [
        HeaderName::Require,
        HeaderName::ProxyRequire,
        HeaderName::Supported,
    ] {
        message.option_tags(name).for_each(drop);
    }
    for line in message.lines() {
        let _ = Authorization::parse(line.value);
        let _ = ServerChallenge::parse(line.value);
    }
    assert!(message.body().len() <= message.bytes().len());
}

fn forward(message: &Message<'_>, source: SocketAddr) {
    if message.top_via().is_err() {
        return;
    }
    let mut out = Vec::new();
    RequestForward {
        via: OUR_VIA,
        received: Some(source),
        max_forwards: 69,
        ..RequestForward::default()
    }
    .write(message, &mut out);
    let Ok(owned) = OwnedMessage::parse(&out) else {
        // One Via and one Max-Forwards more may lead beyond a limit; then it is the limit that speaks.
        assert!(
            near_a_limit(message, &out),
            "a forwarded request does not parse: {}",
            String::from_utf8_lossy(&out)
        );
        return;
    };
    let copy = owned.view();
    assert_eq!(message.method().as_bytes(), copy.method().as_bytes());
    assert_eq!(message.request_uri(), copy.request_uri());
    assert_eq!(message.call_id(), copy.call_id());
    assert_eq!(message.cseq(), copy.cseq());
    assert_eq!(message.from_tag(), copy.from_tag());
    assert_eq!(message.to_tag(), copy.to_tag());
    assert_eq!(message.body(), copy.body());
    assert_eq!(Some(69), copy.max_forwards());
    assert_eq!(
        message.vias().count() + 1,
        copy.vias().count(),
        "one hop more"
    );
    assert_eq!(message.routes().count(), copy.routes().count());
    assert_eq!(message.contacts().count(), copy.contacts().count());

    out.clear();
    cancel_for(message, &mut out);
    let cancel = OwnedMessage::parse(&out).expect("the CANCEL of what parsed parses");
    assert_eq!(b"CANCEL", cancel.view().method().as_bytes());
    assert_eq!(message.call_id(), cancel.view().call_id());
}

fn respond(message: &Message<'_>, source: SocketAddr) {
    if message.top_via().is_err() {
        return;
    }
    let mut out = Vec::new();
    ResponseWriter::new(
        &mut out,
        message,
        302,
        "Moved Temporarily",
        Some(b"t"),
        Some(source),
    )
    .header("Contact", b"<sip:+491713920010@192.0.2.1>;q=1.0")
    .finish(None);
    let Ok(owned) = OwnedMessage::parse(&out) else {
        assert!(
            near_a_limit(message, &out),
            "a response does not parse: {}",
            String::from_utf8_lossy(&out)
        );
        return;
    };
    let response = owned.view();
    assert_eq!(Some(302), response.status());
    assert_eq!(message.cseq(), response.cseq());
    assert_eq!(message.call_id(), response.call_id());
    assert_eq!(message.from_tag(), response.from_tag());
    assert!(
        response.to_tag().is_some(),
        "a final response has a To tag (RFC 3261 §8.2.6.2)"
    );
    assert_eq!(message.vias().count(), response.vias().count());

    let mut ack = Vec::new();
    ack_for_non_2xx(message, &response, &mut ack);
    let ack = OwnedMessage::parse(&ack).expect("the ACK of what parsed parses");
    assert_eq!(b"ACK", ack.view().method().as_bytes());
    assert_eq!(response.to_tag(), ack.view().to_tag());
}

fn strip(message: &Message<'_>) {
    let mut out = Vec::new();
    let hops = message.vias().count();
    if write_forwarded_response(message, &mut out) {
        let owned = OwnedMessage::parse(&out).expect("a response without its top Via parses");
        assert_eq!(hops - 1, owned.view().vias().count());
        assert!(
            owned.view().top_via().is_ok(),
            "the next element can read its hop"
        );
        assert_eq!(message.status(), owned.view().status());
        assert_eq!(message.body(), owned.view().body());
    } else {
        assert!(out.is_empty());
        let next = message.vias().nth(1);
        let hidden = message
            .headers(HeaderName::Via)
            .any(|line| line.starts_with(b","));
        assert!(
            next.is_none_or(|hop| hop.is_err()) || hidden,
            "a response with a readable next hop is forwarded"
        );
    }
}

/// Whether what we added may have crossed a bound of `sip_core::limits`.
fn near_a_limit(message: &Message<'_>, out: &[u8]) -> bool {
    out.len() > sip_core::limits::MAX_MESSAGE
        || message.lines().count() + 3 > sip_core::limits::MAX_HEADERS
        || message.vias().count() + 1 > sip_core::limits::MAX_VIA
}
