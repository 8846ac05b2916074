//! 302 at once: its header fields, and one answer for one call whatever happens to the line.

use route_core::{Cause, FaultPlace, Health};

use super::messages::{ack_of, cancel_of, invite, request, value, values};
use super::net::{ARMED, BACKUP, BLOCK, CORE, Net, PHONE, PLAIN, SEVERAL, SINGLE, SINGLE_LINE};

fn down() -> Net {
    let mut net = Net::new();
    net.health(Health::Down, Cause::OptionsTimeout);
    net
}

#[test]
fn a_call_to_a_failed_line_gets_302_with_each_header_field_as_set() {
    let mut net = down();
    net.from(CORE, &invite(ARMED, "a"));
    let answer = net.one_to(CORE, "SIP/2.0 302 Moved Temporarily\r\n").text;
    let to = value(&answer, "To").to_owned();
    let (name, tag) = to.split_once(";tag=").unwrap();
    assert_eq!(
        ("<sip:+493023125001@core.example.net>", 16),
        (name, tag.len())
    );
    let expected = format!(
        "SIP/2.0 302 Moved Temporarily\r\n\
         Via: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK-a\r\n\
         From: <sip:+494066969000@core.example.net>;tag=caller-a\r\n\
         To: {to}\r\n\
         Call-ID: a@core.example.net\r\n\
         CSeq: 1 INVITE\r\n\
         Contact: <sip:+491713920001@core.example.net;user=phone;cause=503>;q=1.0\r\n\
         Diversion: <sip:+493023125001@core.example.net;user=phone>;reason=out-of-service;counter=1\r\n\
         Reason: Q.850;cause=27;text=\"Destination out of order\"\r\n\
         Content-Length: 0\r\n\r\n"
    );
    let received = answer.replace(";received=198.51.100.1", "");
    assert_eq!(expected, received);
    net.nothing_to(PHONE);
    assert_eq!(
        (1, 0),
        (net.count("calls_redirected"), net.count("calls_proxied"))
    );
}

#[test]
fn a_repeated_invite_gets_the_same_octets_and_its_ack_is_absorbed() {
    let mut net = down();
    let call = invite(ARMED, "a");
    net.from(CORE, &call);
    let first = net.one_to(CORE, "SIP/2.0 302");
    net.wait_ms(500);
    net.from(CORE, &call);
    assert_eq!(first.text, net.one_to(CORE, "SIP/2.0 302").text);
    net.from(CORE, &ack_of(&call, &first.text));
    net.nothing_to(CORE);
    net.nothing_to(PHONE);
    assert_eq!(
        (1, 0),
        (net.count("acks_absorbed"), net.count("stray_dropped"))
    );
}

#[test]
fn a_cancel_after_the_302_came_too_late_and_gets_200() {
    let mut net = down();
    let call = invite(ARMED, "a");
    net.from(CORE, &call);
    let answer = net.one_to(CORE, "SIP/2.0 302");
    net.from(CORE, &cancel_of(&call));
    let cancelled = net.one_to(CORE, "SIP/2.0 200 OK");
    assert_eq!("1 CANCEL", value(&cancelled.text, "CSeq"));
    // RFC 3261 §9.2: its To tag is that of the INVITE's answer.
    assert_eq!(value(&answer.text, "To"), value(&cancelled.text, "To"));
    net.from(CORE, &cancel_of(&invite(ARMED, "unheard-of")));
    net.one_to(CORE, "SIP/2.0 481");
}

#[test]
fn a_line_that_comes_back_between_two_invites_of_one_call_does_not_change_the_answer() {
    let mut net = down();
    let call = invite(ARMED, "a");
    net.from(CORE, &call);
    let first = net.one_to(CORE, "SIP/2.0 302");
    net.wait_ms(400);
    net.health(Health::Up, Cause::OptionsAnswered);
    net.wait_ms(100);
    net.from(CORE, &call);
    assert_eq!(first.text, net.one_to(CORE, "SIP/2.0 302").text);
    net.nothing_to(PHONE);
    net.from(CORE, &invite(ARMED, "b"));
    net.one_to(PHONE, "INVITE ");
    net.from(CORE, &cancel_of(&invite(ARMED, "b")));
}

#[test]
fn an_operator_who_takes_back_his_wish_does_not_change_the_answer() {
    let mut net = Net::new();
    net.table(|rows| rows.lines[1].wish = "forced_down".to_owned());
    let call = invite(SINGLE, "a");
    net.from(CORE, &call);
    let first = net.one_to(CORE, "SIP/2.0 302");
    assert_eq!(
        "Q.850;cause=31;text=\"Normal, unspecified\"",
        value(&first.text, "Reason")
    );
    net.table(|_| {});
    net.from(CORE, &call);
    assert_eq!(first.text, net.one_to(CORE, "SIP/2.0 302").text);
}

#[test]
fn a_line_that_registers_between_two_invites_of_one_call_does_not_ring_after_480() {
    let mut net = Net::new();
    net.targets(SINGLE_LINE, &[]);
    let call = invite(super::net::SINGLE_PLAIN, "a");
    net.from(CORE, &call);
    let first = net.one_to(CORE, "SIP/2.0 480");
    net.targets(SINGLE_LINE, &[(PHONE, Health::Up)]);
    net.from(CORE, &call);
    assert_eq!(first.text, net.one_to(CORE, "SIP/2.0 480").text);
    net.nothing_to(PHONE);
}

#[test]
fn a_line_that_fails_while_a_call_is_under_way_leaves_its_repetitions_absorbed() {
    let mut net = Net::new();
    let call = invite(ARMED, "a");
    net.from(CORE, &call);
    let trying = net.one_to(CORE, "SIP/2.0 100");
    net.one_to(PHONE, "INVITE ");
    net.health(Health::Down, Cause::OptionsTimeout);
    net.from(CORE, &call);
    assert_eq!(trying.text, net.one_to(CORE, "SIP/2.0 100").text);
    net.nothing_to(PHONE);
    net.from(CORE, &cancel_of(&call));
}

#[test]
fn several_targets_come_in_order_of_q_without_the_called_number_itself() {
    let mut net = down();
    net.from(CORE, &invite(SEVERAL, "a"));
    let answer = net.one_to(CORE, "SIP/2.0 302").text;
    assert_eq!(
        "<sip:+491713920001@core.example.net;user=phone;cause=503>;q=1.0, \
         <sip:+49406696903@core.example.net;user=phone;cause=503>;q=0.9",
        value(&answer, "Contact")
    );
}

#[test]
fn a_block_that_keeps_the_extension_diverts_each_number_to_its_own() {
    let mut net = down();
    net.from(CORE, &invite(BLOCK, "a"));
    net.from(CORE, &invite("+493023125599", "b"));
    let answers = net.all_to(CORE);
    let contacts: Vec<&str> = answers
        .iter()
        .map(|answer| value(&answer.text, "Contact"))
        .collect();
    let contact =
        |number: &str| format!("<sip:{number}@core.example.net;user=phone;cause=503>;q=1.0");
    assert_eq!(
        vec![contact("+494066969000"), contact("+494066969099")],
        contacts
    );
}

#[test]
fn history_info_is_written_when_the_request_offers_it_only() {
    let mut net = down();
    net.from(CORE, &invite(ARMED, "a"));
    let answer = net.one_to(CORE, "SIP/2.0 302").text;
    assert_eq!(Vec::<&str>::new(), values(&answer, "History-Info"));
    net.from(
        CORE,
        &request("INVITE", ARMED, "b", "Supported: 100rel, histinfo\r\n", ""),
    );
    let answer = net.one_to(CORE, "SIP/2.0 302").text;
    assert_eq!(
        "<sip:+493023125001@core.example.net;user=phone?Reason=Q.850%3Bcause%3D27>;index=1, \
         <sip:+491713920001@core.example.net;user=phone;cause=503>;index=1.1;mp=1",
        value(&answer, "History-Info")
    );
}

#[test]
fn a_failed_line_without_a_rule_is_tried_all_the_same() {
    let mut net = down();
    net.targets(
        super::net::LINE,
        &[(PHONE, Health::Down), (BACKUP, Health::Down)],
    );
    net.from(CORE, &invite(PLAIN, "a"));
    net.one_to(PHONE, "INVITE ");
    net.one_to(CORE, "SIP/2.0 100");
    net.from(CORE, &cancel_of(&invite(PLAIN, "a")));
}

#[test]
fn the_place_of_the_fault_chooses_the_targets_and_a_repeated_invite_gets_the_same() {
    let mut net = Net::new();
    net.two_lists();
    for (call, place, target) in [
        ("a", FaultPlace::PhoneSystem, "<sip:+492214710000"),
        ("b", FaultPlace::Router, "<sip:+491713920001"),
        ("c", FaultPlace::Unclear, "<sip:+491713920001"),
    ] {
        net.down_at(place);
        net.from(CORE, &invite(SINGLE, call));
        let first = net.one_to(CORE, "SIP/2.0 302").text;
        assert!(value(&first, "Contact").starts_with(target), "{first}");
        net.health(Health::Up, Cause::OptionsAnswered);
        net.from(CORE, &invite(SINGLE, call));
        assert_eq!(first, net.one_to(CORE, "SIP/2.0 302").text);
    }
}
