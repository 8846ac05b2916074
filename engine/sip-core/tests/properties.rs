//! Invariants of parsing and writing, on generated, mutated and arbitrary octets.

mod strategies;

use std::net::SocketAddr;
use std::path::Path;

use proptest::prelude::*;
use sip_core::build::{
    RequestForward, ResponseWriter, ack_for_non_2xx, cancel_for, error_response,
    response_destination, write_forwarded_response,
};
use sip_core::error::PeerError;
use sip_core::header::{HeaderName, NameAddr, Params, Values, Via};
use sip_core::message::{HeaderIndex, Message, OwnedMessage};
use sip_core::uri::Uri;
use strategies::{mutated, request};

const OWN_VIA: &[u8] = b"SIP/2.0/UDP 192.0.2.200:5060;branch=z9hG4bKown";

fn source() -> SocketAddr {
    "192.0.2.77:40001".parse().expect("an address")
}

fn torture() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/torture");
    ["rfc4475/wire", "rfc5118/wire"]
        .iter()
        .flat_map(|part| std::fs::read_dir(folder.join(part)).expect("the vectors are there"))
        .map(|entry| std::fs::read(entry.expect("a file").path()).expect("the vector is readable"))
        .collect()
}

fn parse_all(octets: &[u8]) -> Result<OwnedMessage, PeerError> {
    OwnedMessage::parse(octets)
}

/// Field lines but those of the names a proxy edits.
fn untouched(message: &Message<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    use HeaderName::{ContentLength, MaxForwards, Via};
    message
        .lines()
        .filter(|line| ![Via, MaxForwards, ContentLength].contains(&line.name))
        .map(|line| (line.field_name.to_vec(), line.value.to_vec()))
        .collect()
}

/// Read everything there is to read; nothing may panic, and what is written must parse again.
#[allow(
    clippy::too_many_lines,
    reason = "a list of everything there is to read"
)]
fn exercise(octets: &[u8]) {
    for fault in [
        PeerError::StartLine,
        PeerError::Version,
        PeerError::KeepAlive,
    ] {
        let mut out = Vec::new();
        assert_eq!(
            error_response(octets, &fault, source(), &mut out),
            !out.is_empty()
        );
    }
    let _ = (
        Via::parse(octets),
        NameAddr::parse(octets),
        Uri::parse(octets),
    );
    let _ = (Params::new(octets).count(), Values::new(octets).count());
    let Ok(owned) = parse_all(octets) else {
        return;
    };
    let message = owned.view();
    let _ = (
        message.start_line(),
        message.cseq(),
        message.expires(),
        message.contact_is_star(),
    );
    let _ = (
        message.from().map(|a| a.uri()),
        message.to().map(|a| (a.q(), a.expires())),
    );
    for name in [
        HeaderName::Contact,
        HeaderName::Route,
        HeaderName::RecordRoute,
        HeaderName::Path,
    ] {
        for address in message.addresses(name).flatten() {
            if let Ok(uri) = address.uri() {
                assert!(uri.equivalent(&uri), "{}", address.uri.escape_ascii());
                let _ = (
                    uri.subscriber(),
                    uri.user_params().count(),
                    uri.port_or_default(),
                );
            }
        }
    }
    for via in message.vias().flatten() {
        let _ = response_destination(&via);
    }
    let mut out = Vec::new();
    if message.is_response() {
        if write_forwarded_response(&message, &mut out) {
            let copy = parse_all(&out).expect("a forwarded response parses");
            let left: Vec<_> = message.values(HeaderName::Via).skip(1).collect();
            assert_eq!(
                left,
                copy.view().values(HeaderName::Via).collect::<Vec<_>>()
            );
            assert_eq!(untouched(&message), untouched(&copy.view()));
            assert_eq!(message.body(), copy.view().body());
        }
        return;
    }
    RequestForward {
        via: OWN_VIA,
        max_forwards: 9,
        ..RequestForward::default()
    }
    .write(&message, &mut out);
    match parse_all(&out) {
        Ok(copy) => {
            let copy = copy.view();
            assert_eq!(message.request_uri(), copy.request_uri());
            assert_eq!(message.cseq(), copy.cseq());
            assert_eq!(Some(9), copy.max_forwards());
            assert_eq!(untouched(&message), untouched(&copy));
            assert_eq!(message.body(), copy.body());
            let vias: Vec<_> = copy.values(HeaderName::Via).skip(1).collect();
            assert_eq!(message.values(HeaderName::Via).collect::<Vec<_>>(), vias);
        }
        Err(fault) => {
            assert!(
                matches!(fault, PeerError::TooManyHops | PeerError::TooManyHeaders),
                "{fault:?}"
            );
        }
    }
    out.clear();
    ResponseWriter::new(
        &mut out,
        &message,
        302,
        "Moved Temporarily",
        Some(b"x7"),
        Some(source()),
    )
    .finish(None);
    let response = parse_all(&out).expect("a response parses");
    let response = response.view();
    assert_eq!(Some(302), response.status());
    assert_eq!(message.cseq(), response.cseq());
    assert_eq!(message.call_id(), response.call_id());
    assert_eq!(message.from_tag(), response.from_tag());
    assert_eq!(message.to_tag().or(Some(b"x7")), response.to_tag());
    assert_eq!(
        message.values(HeaderName::Via).count(),
        response.values(HeaderName::Via).count()
    );
    if let Ok(via) = message.top_via() {
        let answered = response.top_via().expect("the fixed Via parses");
        assert_eq!(
            (via.branch, via.sent_by),
            (answered.branch, answered.sent_by)
        );
    }
    for octets in [
        {
            let mut out = Vec::new();
            ack_for_non_2xx(&message, &response, &mut out);
            out
        },
        {
            let mut out = Vec::new();
            cancel_for(&message, &mut out);
            out
        },
    ] {
        let request = parse_all(&octets).expect("ACK and CANCEL parse");
        assert_eq!(message.cseq().number, request.view().cseq().number);
        assert_eq!(1, request.view().values(HeaderName::Via).count());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_generated_request_is_read_as_it_was_meant(made in request()) {
        let owned = parse_all(&made.octets);
        prop_assert!(owned.is_ok(), "{:?} {}", owned.err(), made.octets.escape_ascii());
        let owned = owned.expect("checked above");
        let message = owned.view();
        prop_assert_eq!(made.method.as_bytes(), message.method().as_bytes());
        prop_assert_eq!(made.request_uri.as_bytes(), message.request_uri());
        prop_assert_eq!(Some(made.from_tag.as_bytes()), message.from_tag());
        prop_assert_eq!(made.to_tag.as_ref().map(String::as_bytes), message.to_tag());
        prop_assert_eq!(made.call_id.as_bytes(), message.call_id());
        prop_assert_eq!(made.cseq, message.cseq().number);
        prop_assert_eq!(made.max_forwards, message.max_forwards());
        prop_assert_eq!(&made.body[..], message.body());
        let branches: Vec<_> = message.vias().map(|v| v.expect("each Via parses").branch).collect();
        prop_assert_eq!(made.branches.iter().map(|b| Some(b.as_bytes())).collect::<Vec<_>>(), branches);
        let routes: Vec<_> = message.routes().map(|r| r.expect("each Route parses").uri).collect();
        prop_assert_eq!(made.routes.iter().map(String::as_bytes).collect::<Vec<_>>(), routes);
        exercise(&made.octets);
    }

    #[test]
    fn a_truncated_request_is_refused(made in request(), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(made.octets.len());
        let mut index = HeaderIndex::new();
        prop_assert!(Message::parse(&made.octets[..cut], &mut index).is_err());
    }

    #[test]
    fn routes_are_popped_from_the_front(made in request(), pops in 0_usize..5) {
        let owned = parse_all(&made.octets).expect("generated requests parse");
        let mut out = Vec::new();
        let forward = RequestForward {
            via: OWN_VIA,
            received: Some(source()),
            record_route: Some(b"<sip:192.0.2.200;lr>"),
            pop_routes: pops,
            push_route: Some(b"<sip:front.example;lr>"),
            append_route: Some(b"<sip:last@strict.example>"),
            max_forwards: 1,
            extra: &[("X-Added", b"1")],
            ..RequestForward::default()
        };
        forward.write(&owned.view(), &mut out);
        let copy = parse_all(&out);
        prop_assert!(copy.is_ok(), "{:?} {}", copy.err(), out.escape_ascii());
        let copy = copy.expect("checked above");
        let routes: Vec<_> =
            copy.view().routes().map(|r| r.expect("each Route parses").uri.to_vec()).collect();
        let mut expected = vec![b"sip:front.example;lr".to_vec()];
        expected.extend(made.routes.iter().skip(pops).map(|uri| uri.as_bytes().to_vec()));
        expected.push(b"sip:last@strict.example".to_vec());
        prop_assert_eq!(expected, routes);
        let previous = copy.view().vias().nth(1).expect("there is a hop before us");
        let previous = previous.expect("it parses");
        prop_assert_eq!(Some(source()), response_destination(&previous));
        prop_assert_eq!(Some(&b"1"[..]), copy.view().header_named(b"x-added"));
    }

    #[test]
    fn mutated_messages_never_panic_and_stay_stable(octets in mutated(torture())) {
        exercise(&octets);
    }

    #[test]
    fn arbitrary_octets_never_panic(octets in prop::collection::vec(any::<u8>(), 0..512)) {
        exercise(&octets);
    }

    #[test]
    fn a_used_index_leaves_no_trace(first in request(), second in request()) {
        let mut index = HeaderIndex::new();
        let _ = Message::parse(&first.octets, &mut index).map(|m| m.call_id().len());
        let message = Message::parse(&second.octets, &mut index).expect("generated requests parse");
        let fresh = parse_all(&second.octets).expect("generated requests parse");
        prop_assert_eq!(untouched(&fresh.view()), untouched(&message));
        prop_assert_eq!(fresh.view().has(HeaderName::Route), message.has(HeaderName::Route));
    }
}

#[test]
fn every_torture_message_survives_the_exercise() {
    for octets in &torture() {
        exercise(octets);
    }
}
