//! REGISTERs for lines whose registrar is somebody else's: its own to us, and the phones' on their way to it.

use std::net::SocketAddr;
use std::time::Duration;

use route_core::{Cause, Health, LineSlot};

use super::phone::{exchange, status};
use crate::settings::{ForeignMode, ForeignRegistrar};
use crate::worker::testing::{Sent, Stage, foreign_line, settings, static_line};

const LINE: LineSlot = LineSlot(7);
const WATCH: u32 = 3;
const HOP: &str = "198.51.100.7:5060";
const PHONE: &str = "203.0.113.9:40123";

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

/// A stage with the registrar of this mode and a line of its user `alice`.
fn stage(mode: ForeignMode) -> Stage {
    let mut settings = settings(1);
    settings.foreign_registrars = vec![ForeignRegistrar {
        name: "elsewhere".to_owned(),
        domain: "ims.example.org".to_owned(),
        mode,
        sources: vec![at(HOP).ip()],
    }];
    let mut stage = Stage::new(settings);
    stage.put_lines([
        static_line(WATCH, &[HOP]),
        foreign_line(LINE.0, "alice", WATCH, &[HOP]),
    ]);
    stage
}

fn health(stage: &Stage) -> (Health, Cause) {
    let slot = stage.shared.slots.read(LINE).unwrap();
    (slot.health(), slot.cause())
}

/// A REGISTER for `sip:alice@ims.example.org`; `request_uri` and the rest as given.
fn register(request_uri: &str, branch: &str, call_id: &str, cseq: u32, headers: &str) -> String {
    format!(
        "REGISTER {request_uri} SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.1:5060;rport;branch=z9hG4bK{branch}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:scscf.ims.example.org>;tag=f\r\nTo: <sip:alice@ims.example.org>\r\n\
         Call-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\n{headers}Content-Length: 0\r\n\r\n"
    )
}

fn third_party(stage: &mut Stage, cseq: u32, expires_s: u32, source: &str) -> u16 {
    let headers = format!("Contact: <sip:scscf.ims.example.org>\r\nExpires: {expires_s}\r\n");
    let text = register(
        "sip:192.0.2.10",
        &format!("t{cseq}{expires_s}"),
        "tp",
        cseq,
        &headers,
    );
    let sent = exchange(stage, &text, at(source));
    assert_eq!(1, sent.len());
    status(&sent[0])
}

#[test]
fn a_third_party_register_is_the_registration() {
    let mut stage = stage(ForeignMode::ThirdParty);
    assert_eq!(200, third_party(&mut stage, 1, 600, HOP));
    assert_eq!((Health::Up, Cause::Registered), health(&stage));
    assert_eq!(200, third_party(&mut stage, 2, 0, HOP));
    assert_eq!((Health::Down, Cause::Removed), health(&stage));
}

#[test]
fn a_third_party_registration_ends_by_itself() {
    let mut stage = stage(ForeignMode::ThirdParty);
    assert_eq!(200, third_party(&mut stage, 1, 60, HOP));
    stage.advance(Duration::from_millis(59_900));
    assert_eq!(Health::Up, health(&stage).0);
    stage.advance(Duration::from_millis(200));
    assert_eq!((Health::Down, Cause::Expired), health(&stage));
}

#[test]
fn a_third_party_register_is_taken_from_the_registrar_only_and_in_order() {
    let mut stage = stage(ForeignMode::ThirdParty);
    assert_eq!(403, third_party(&mut stage, 1, 600, PHONE));
    assert_eq!(Health::Unknown, health(&stage).0);
    assert_eq!(200, third_party(&mut stage, 5, 600, HOP));
    assert_eq!(500, third_party(&mut stage, 4, 0, HOP));
    assert_eq!(Health::Up, health(&stage).0);
}

#[test]
fn a_line_whose_registrar_notifies_takes_no_register() {
    let mut stage = stage(ForeignMode::RegEvent);
    assert_eq!(403, third_party(&mut stage, 1, 600, HOP));
}

/// The phone's REGISTER as the registrar gets it.
fn passed(stage: &mut Stage, branch: &str, headers: &str) -> Sent {
    let text = register("sip:ims.example.org", branch, "phone", 1, headers);
    stage.receive(&text, at(PHONE));
    let sent = stage.sent().into_iter();
    let mut passed: Vec<Sent> = sent
        .filter(|sent| sent.text.starts_with("REGISTER "))
        .collect();
    assert_eq!(1, passed.len());
    passed.remove(0)
}

fn answer(stage: &mut Stage, request: &Sent, line: &str, headers: &str) -> Vec<Sent> {
    let vias: Vec<&str> = request
        .text
        .lines()
        .filter(|line| line.starts_with("Via:"))
        .collect();
    let field = |name: &str| format!("{name}: {}\r\n", request.header(name).unwrap());
    let text = format!(
        "SIP/2.0 {line}\r\n{}\r\n{}To: <sip:alice@ims.example.org>;tag=r\r\n{}{}{headers}Content-Length: 0\r\n\r\n",
        vias.join("\r\n"),
        field("From"),
        field("Call-ID"),
        field("CSeq"),
    );
    stage.receive(&text, request.destination);
    stage.sent()
}

/// The URI of our Path in a REGISTER that passed.
fn path_of(request: &Sent) -> &str {
    let value = request.header("Path").unwrap();
    value.trim_start_matches('<').trim_end_matches('>')
}

#[test]
fn a_register_passes_with_our_path_and_its_200_is_what_is_known() {
    let mut stage = stage(ForeignMode::Path);
    let request = passed(
        &mut stage,
        "a",
        "Contact: <sip:alice@10.0.0.1>;expires=600\r\nPath: <sip:edge.example;lr>\r\n",
    );
    assert_eq!(at(HOP), request.destination);
    assert!(
        request
            .text
            .starts_with("REGISTER sip:ims.example.org SIP/2.0\r\n")
    );
    let paths: Vec<&str> = request
        .text
        .lines()
        .filter(|line| line.starts_with("Path:"))
        .collect();
    assert_eq!(2, paths.len());
    assert!(
        paths[0].ends_with("@192.0.2.10:5060;lr>"),
        "ours is the topmost: {paths:?}"
    );
    let challenged = answer(
        &mut stage,
        &request,
        "401 Unauthorized",
        "WWW-Authenticate: Digest realm=\"i\", nonce=\"n\"\r\n",
    );
    assert_eq!(
        (at(PHONE), 401),
        (challenged[0].destination, status(&challenged[0]))
    );
    assert!(challenged[0].text.contains("WWW-Authenticate"));
    assert_eq!(
        Health::Unknown,
        health(&stage).0,
        "a challenge tells nothing"
    );
    let request = passed(
        &mut stage,
        "b",
        "Contact: <sip:alice@10.0.0.1>;expires=60\r\n",
    );
    let accepted = answer(
        &mut stage,
        &request,
        "200 OK",
        "Contact: <sip:alice@10.0.0.1>;expires=60\r\n",
    );
    assert_eq!(
        (at(PHONE), 200),
        (accepted[0].destination, status(&accepted[0]))
    );
    assert_eq!((Health::Up, Cause::Registered), health(&stage));
    stage.advance(Duration::from_secs(62));
    assert_eq!((Health::Down, Cause::Expired), health(&stage));
}

#[test]
fn a_200_without_contacts_is_the_end_of_the_registration() {
    let mut stage = stage(ForeignMode::Path);
    let request = passed(
        &mut stage,
        "a",
        "Contact: <sip:alice@10.0.0.1>;expires=60\r\n",
    );
    answer(
        &mut stage,
        &request,
        "200 OK",
        "Contact: <sip:alice@10.0.0.1>;expires=60\r\n",
    );
    let request = passed(&mut stage, "b", "Contact: *\r\nExpires: 0\r\n");
    answer(&mut stage, &request, "200 OK", "");
    assert_eq!((Health::Down, Cause::Removed), health(&stage));
}

fn invite_by_path(path: &str, branch: &str) -> String {
    format!(
        "INVITE sip:alice@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {HOP};branch=z9hG4bK{branch}\r\nRoute: <{path}>\r\n\
         Max-Forwards: 70\r\nFrom: <sip:b@ims.example.org>;tag=f\r\nTo: <sip:alice@ims.example.org>\r\n\
         Call-ID: {branch}\r\nCSeq: 1 INVITE\r\nContact: <sip:b@{HOP}>\r\nContent-Length: 0\r\n\r\n"
    )
}

#[test]
fn a_call_that_comes_back_by_our_path_goes_to_the_phones_flow() {
    let mut stage = stage(ForeignMode::Path);
    let request = passed(
        &mut stage,
        "a",
        "Contact: <sip:alice@10.0.0.1>;expires=60\r\n",
    );
    let path = path_of(&request).to_owned();
    stage.receive(&invite_by_path(&path, "i1"), at(HOP));
    let sent = stage.sent();
    let invite = sent
        .iter()
        .find(|sent| sent.text.starts_with("INVITE "))
        .unwrap();
    assert_eq!(at(PHONE), invite.destination);
    assert!(
        invite
            .text
            .starts_with("INVITE sip:alice@10.0.0.1 SIP/2.0\r\n")
    );
    assert_eq!(None, invite.header("Route"));
    assert!(invite.header("Record-Route").is_some());
}

#[test]
fn nobody_but_the_registrar_comes_by_our_path_and_no_token_is_forged() {
    let mut stage = stage(ForeignMode::Path);
    let request = passed(
        &mut stage,
        "a",
        "Contact: <sip:alice@10.0.0.1>;expires=60\r\n",
    );
    let path = path_of(&request).to_owned();
    let sent = exchange(
        &mut stage,
        &invite_by_path(&path, "i2"),
        at("203.0.113.66:5060"),
    );
    assert_eq!(vec![403], sent.iter().map(status).collect::<Vec<_>>());
    let digit = if path.as_bytes()[6] == b'0' { "1" } else { "0" };
    let forged = format!("{}{digit}{}", &path[..6], &path[7..]);
    let sent = exchange(&mut stage, &invite_by_path(&forged, "i3"), at(HOP));
    assert_eq!(
        vec![403],
        sent.iter().map(status).collect::<Vec<_>>(),
        "a core peer it is not"
    );
}
