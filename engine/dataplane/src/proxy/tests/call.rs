//! A call to a healthy line: forwarded as RFC 3261 §16.6 and §16.7 say, and what its answers mean.

use super::messages::{OFFER, ack_of, invite, reply, request, value, values};
use super::net::{
    ARMED, BACKUP, CORE, LINE, Net, PHONE, PLAIN, SINGLE, SINGLE_LINE, SINGLE_PLAIN, US,
};
use route_core::{Cause, FaultPlace, Health};
use sip_core::time::Timestamp;

#[test]
fn the_invite_is_forwarded_as_section_16_6_says() {
    let mut net = Net::new();
    let call = request("INVITE", ARMED, "a", "X-Unknown: kept\r\n", OFFER)
        .replace(";branch", ";rport;branch");
    net.from("198.51.100.1:9999", &call);
    let sent = net
        .one_to(PHONE, "INVITE sip:203.0.113.5:5060 SIP/2.0\r\n")
        .text;
    let vias = values(&sent, "Via");
    assert_eq!(2, vias.len());
    assert!(
        vias[0].starts_with("SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK00"),
        "{}",
        vias[0]
    );
    assert_eq!(
        "SIP/2.0/UDP 198.51.100.1:5060;rport=9999;branch=z9hG4bK-a;received=198.51.100.1",
        vias[1]
    );
    assert_eq!("29", value(&sent, "Max-Forwards"));
    let routes = values(&sent, "Record-Route");
    assert_eq!(1, routes.len());
    assert!(
        routes[0].starts_with("<sip:04cb") && routes[0].ends_with("@192.0.2.10:5060;lr>"),
        "{}",
        routes[0]
    );
    assert_eq!("kept", value(&sent, "X-Unknown"));
    assert!(sent.ends_with(OFFER));
    let phone = reply(&sent, "486 Busy Here", "p", "");
    net.from(PHONE, &phone);
    // RFC 3581 §4: to the port the request came from.
    assert_eq!(
        vec!["SIP/2.0 100 Trying", "SIP/2.0 486 Busy Here"],
        net.starts_to("198.51.100.1:9999")
    );
}

#[test]
fn provisional_and_final_answers_reach_the_caller_without_our_via() {
    let mut net = Net::new();
    net.from(CORE, &invite(ARMED, "a"));
    let trying = net.one_to(CORE, "SIP/2.0 100 Trying").text;
    assert!(!value(&trying, "To").contains("tag="));
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "100 Trying", "", ""));
    net.nothing_to(CORE);
    for status in ["180 Ringing", "183 Session Progress", "200 OK", "200 OK"] {
        net.from(PHONE, &reply(&sent, status, "p", ""));
        let answer = net.one_to(CORE, &format!("SIP/2.0 {status}")).text;
        assert_eq!(1, values(&answer, "Via").len());
        assert_eq!(1, values(&answer, "Record-Route").len());
    }
    net.nothing_to(PHONE);
    assert_eq!(
        (1, 1),
        (net.count("calls_proxied"), net.count("calls_answered"))
    );
}

#[test]
fn repeated_invites_are_absorbed_and_get_the_latest_answer_again() {
    let mut net = Net::new();
    let call = invite(ARMED, "a");
    net.from(CORE, &call);
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "180 Ringing", "p", ""));
    net.all_to(CORE);
    net.from(CORE, &call);
    net.one_to(CORE, "SIP/2.0 180");
    net.from(PHONE, &reply(&sent, "200 OK", "p", ""));
    net.one_to(CORE, "SIP/2.0 200");
    // RFC 6026 §7.1: after a 2xx they are absorbed without an answer; the phone repeats its 2xx.
    net.from(CORE, &call);
    net.nothing_to(CORE);
    net.nothing_to(PHONE);
}

#[test]
fn our_invite_is_repeated_until_the_phone_says_something() {
    let mut net = Net::new();
    net.from(CORE, &invite(SINGLE_PLAIN, "a"));
    net.wait_ms(1_600);
    let sent = net.all_to(PHONE);
    let times: Vec<u64> = sent.iter().map(|sent| net.elapsed_ms(sent)).collect();
    assert_eq!(vec![0, 500, 1500], times);
    net.from(PHONE, &reply(&sent[0].text, "100 Trying", "", ""));
    net.wait_ms(1_900);
    net.nothing_to(PHONE);
    net.from(PHONE, &reply(&sent[0].text, "480 Gone", "p", ""));
}

#[test]
fn a_living_phones_no_is_passed_on_and_acknowledged_hop_by_hop() {
    for status in [
        "486 Busy Here",
        "603 Decline",
        "404 Not Found",
        "302 Moved Temporarily",
        "500 Oops",
    ] {
        let mut net = Net::new();
        let call = invite(ARMED, "a");
        net.from(CORE, &call);
        let sent = net.one_to(PHONE, "INVITE ").text;
        let no = reply(&sent, status, "p", "");
        net.from(PHONE, &no);
        let ack = net.one_to(PHONE, "ACK sip:203.0.113.5:5060").text;
        assert_eq!(value(&sent, "Via"), value(&ack, "Via"));
        assert_eq!(value(&no, "To"), value(&ack, "To"));
        let answers = net.all_to(CORE);
        assert_eq!(2, answers.len());
        assert!(answers[1].text.starts_with(&format!("SIP/2.0 {status}")));
        // The phone repeats it when our ACK was lost; the caller is not told twice.
        net.from(PHONE, &no);
        net.one_to(PHONE, "ACK ");
        net.nothing_to(CORE);
        // Without the caller's ACK we repeat it (Timer G), with it no more.
        net.wait_ms(600);
        net.one_to(CORE, &format!("SIP/2.0 {status}"));
        net.from(CORE, &ack_of(&call, &answers[1].text));
        net.wait_ms(10_000);
        net.nothing_to(CORE);
        net.nothing_to(BACKUP);
        assert_eq!(1, net.count("calls_declined"));
    }
}

#[test]
fn a_503_after_ringing_becomes_500_for_the_caller() {
    let mut net = Net::new();
    net.from(CORE, &invite(ARMED, "a"));
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "180 Ringing", "p", ""));
    net.from(PHONE, &reply(&sent, "503 Service Unavailable", "p", ""));
    assert_eq!(
        vec![
            "SIP/2.0 100 Trying",
            "SIP/2.0 180 Ringing",
            "SIP/2.0 500 Server Internal Error"
        ],
        net.starts_to(CORE)
    );
    net.nothing_to(BACKUP);
}

#[test]
fn the_second_peer_is_tried_when_the_first_is_faulty_or_silent() {
    for silent in [false, true] {
        let mut net = Net::new();
        net.from(CORE, &invite(PLAIN, "a"));
        let first = net.one_to(PHONE, "INVITE ").text;
        if silent {
            net.wait_ms(1_144);
        } else {
            net.from(PHONE, &reply(&first, "503 Service Unavailable", "p", ""));
        }
        let second = net.one_to(BACKUP, "INVITE sip:203.0.113.6:5060").text;
        assert_ne!(value(&first, "Via"), value(&second, "Via"));
        net.from(BACKUP, &reply(&second, "200 OK", "b", ""));
        assert_eq!(
            vec!["SIP/2.0 100 Trying", "SIP/2.0 200 OK"],
            net.starts_to(CORE)
        );
    }
}

#[test]
fn healthy_peers_go_before_suspect_ones_and_failed_ones_are_left_out() {
    let mut net = Net::new();
    net.targets(LINE, &[(PHONE, Health::Suspect), (BACKUP, Health::Up)]);
    net.from(CORE, &invite(PLAIN, "a"));
    let sent = net.one_to(BACKUP, "INVITE ").text;
    net.from(BACKUP, &reply(&sent, "503 Service Unavailable", "b", ""));
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "486 Busy Here", "p", ""));
    net.targets(LINE, &[(PHONE, Health::Down), (BACKUP, Health::Up)]);
    net.all_to(PHONE);
    net.from(CORE, &invite(PLAIN, "b"));
    net.nothing_to(PHONE);
    let all = net.all_to(BACKUP);
    let sent = &all.last().unwrap().text;
    net.from(BACKUP, &reply(sent, "503 Service Unavailable", "b", ""));
    assert!(
        net.starts_to(CORE)
            .contains(&"SIP/2.0 500 Server Internal Error".to_owned())
    );
}

#[test]
fn the_request_uri_is_the_number_where_the_line_wants_it() {
    let mut net = Net::new();
    net.table(|rows| rows.lines[1].request_uri = "number".to_owned());
    net.from(CORE, &invite(SINGLE, "a"));
    let sent = net
        .one_to(
            PHONE,
            "INVITE sip:+493023125010@203.0.113.5:5060 SIP/2.0\r\n",
        )
        .text;
    net.from(PHONE, &reply(&sent, "486 Busy Here", "p", ""));
}

#[test]
fn a_route_that_the_core_loaded_with_our_address_is_taken_off() {
    let mut net = Net::new();
    net.from(
        CORE,
        &request(
            "INVITE",
            SINGLE,
            "a",
            &format!("Route: <sip:{US};lr>\r\n"),
            OFFER,
        ),
    );
    let sent = net.one_to(PHONE, "INVITE ").text;
    assert_eq!(Vec::<&str>::new(), values(&sent, "Route"));
    net.from(PHONE, &reply(&sent, "486 Busy Here", "p", ""));
}

#[test]
fn a_target_that_no_socket_of_ours_reaches_is_passed_over() {
    let mut net = Net::new();
    net.targets(
        LINE,
        &[("[2001:db8::5]:5060", Health::Up), (BACKUP, Health::Up)],
    );
    net.from(CORE, &invite(ARMED, "a"));
    let sent = net.one_to(BACKUP, "INVITE ").text;
    net.from(BACKUP, &reply(&sent, "486 Busy Here", "b", ""));
    net.targets(LINE, &[("[2001:db8::5]:5060", Health::Up)]);
    net.all_to(CORE);
    net.from(CORE, &invite(ARMED, "b"));
    assert_eq!(
        vec!["SIP/2.0 100 Trying", "SIP/2.0 302 Moved Temporarily"],
        net.starts_to(CORE)
    );
    net.from(CORE, &invite(PLAIN, "c"));
    assert_eq!(
        "SIP/2.0 480 Temporarily Unavailable",
        net.starts_to(CORE)[1]
    );
}

#[test]
fn an_answer_without_a_via_below_ours_is_dropped_and_the_call_goes_on() {
    let mut net = Net::new();
    net.from(CORE, &invite(SINGLE, "a"));
    let sent = net.one_to(PHONE, "INVITE ").text;
    let full = reply(&sent, "200 OK", "p", "");
    let below = values(&full, "Via")[1].to_owned();
    net.from(PHONE, &full.replace(&format!("Via: {below}\r\n"), ""));
    assert_eq!(1, net.count("stray_dropped"));
    net.from(PHONE, &full);
    assert_eq!(
        vec!["SIP/2.0 100 Trying", "SIP/2.0 200 OK"],
        net.starts_to(CORE)
    );
}

#[test]
fn an_answer_to_an_invite_from_before_a_restart_reaches_its_caller() {
    let mut net = Net::new();
    net.from(CORE, &invite(SINGLE, "a"));
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.starts_to(CORE);
    let targets = net.stage.shared.slots.read(SINGLE_LINE).unwrap().targets();
    let addresses = &net.stage.shared.addresses;
    addresses.move_line(SINGLE_LINE, &[], &targets.unwrap());
    let answer = reply(&sent, "200 OK", "p", "");
    let branch = &values(&answer, "Via")[0];
    let life = branch.split("z9hG4bK").nth(1).unwrap()[2..6].to_owned();
    let other = if life == "0000" { "0001" } else { "0000" };
    let orphan = || answer.replacen(&format!("z9hG4bK00{life}"), &format!("z9hG4bK00{other}"), 1);
    net.health(Health::Up, Cause::OptionsAnswered);
    net.from(PHONE, &orphan());
    net.nothing_to(CORE);
    let restored = net.stage.shared.slots.read(SINGLE_LINE).unwrap();
    restored.publish(
        Health::Up,
        Cause::OptionsAnswered,
        FaultPlace::Unclear,
        Timestamp::from_micros(1),
    );
    net.from(PHONE, &orphan());
    assert_eq!(vec!["SIP/2.0 200 OK"], net.starts_to(CORE));
    assert_eq!(
        (1, 1),
        (net.count("orphans_forwarded"), net.count("stray_dropped"))
    );
    // Not from a line, not a 2xx, not for a core peer, not so late: none of ours.
    net.from(BACKUP, &orphan());
    net.from(PHONE, &orphan().replacen("200 OK", "486 Busy Here", 1));
    net.from(
        PHONE,
        &orphan().replace("UDP 198.51.100.1", "UDP 203.0.113.99"),
    );
    net.wait_ms(214_000);
    net.starts_to(CORE);
    net.from(PHONE, &orphan());
    net.nothing_to(CORE);
    assert_eq!(
        (1, 5),
        (net.count("orphans_forwarded"), net.count("stray_dropped"))
    );
}

#[test]
fn answers_that_belong_to_nothing_are_dropped() {
    let mut net = Net::new();
    net.health(Health::Up, Cause::OptionsAnswered);
    let stray = reply(&invite(ARMED, "a"), "200 OK", "p", "");
    net.from(PHONE, &stray);
    net.from(
        PHONE,
        &stray.replace("z9hG4bK-a", "z9hG4bK0012345678901234567890abcd"),
    );
    net.from(
        PHONE,
        &stray.replace("z9hG4bK-a", "z9hG4bK7f12345678901234567890abcd"),
    );
    assert_eq!(3, net.count("stray_dropped"));
    net.nothing_to(CORE);
}
