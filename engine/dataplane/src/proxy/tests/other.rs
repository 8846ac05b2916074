//! Requests that are no calls: OPTIONS, MESSAGE, methods nobody knows.

use super::messages::{reply, request, value};
use super::net::{ARMED, CORE, Net, PHONE, PLAIN, SINGLE, US};
use route_core::{Cause, Health};

#[test]
fn an_unknown_method_for_a_number_goes_to_its_line_and_its_answer_comes_back() {
    for method in ["OPTIONS", "MESSAGE", "SUBSCRIBE", "FROBNICATE"] {
        let mut net = Net::new();
        let asked = request(method, ARMED, "a", "", "");
        net.from(CORE, &asked);
        let sent = net
            .one_to(PHONE, &format!("{method} sip:203.0.113.5:5060"))
            .text;
        net.nothing_to(CORE);
        net.from(CORE, &asked);
        net.nothing_to(PHONE);
        net.from(PHONE, &reply(&sent, "200 OK", "p", ""));
        let answer = net.one_to(CORE, "SIP/2.0 200 OK").text;
        net.from(CORE, &asked);
        assert_eq!(answer, net.one_to(CORE, "SIP/2.0 200 OK").text);
    }
}

#[test]
fn a_silent_phone_gets_no_408_to_the_caller_but_a_100_in_time() {
    let mut net = Net::new();
    net.from(CORE, &request("MESSAGE", SINGLE, "a", "", ""));
    net.wait_ms(60_000);
    let answers = net.all_to(CORE);
    let answers: Vec<(u64, &str)> = answers
        .iter()
        .map(|sent| (net.elapsed_ms(sent), &sent.text[..11]))
        .collect();
    // RFC 4320 §4.1 and §4.2.
    assert_eq!(vec![(3_500, "SIP/2.0 100")], answers);
    assert_eq!(11, net.all_to(PHONE).len());
}

#[test]
fn a_408_of_the_phone_is_not_passed_on_unless_it_is_to_an_invite() {
    let mut net = Net::new();
    net.from(CORE, &request("MESSAGE", SINGLE, "a", "", ""));
    let sent = net.one_to(PHONE, "MESSAGE ").text;
    net.from(PHONE, &reply(&sent, "408 Request Timeout", "p", ""));
    net.nothing_to(CORE);
}

#[test]
fn a_late_answer_after_the_transaction_ended_goes_nowhere() {
    let mut net = Net::new();
    net.from(CORE, &request("MESSAGE", SINGLE, "a", "", ""));
    let sent = net.one_to(PHONE, "MESSAGE ").text;
    net.wait_ms(33_000);
    net.all_to(CORE);
    net.from(PHONE, &reply(&sent, "200 OK", "p", ""));
    net.nothing_to(CORE);
    assert_eq!(1, net.count("stray_dropped"));
}

#[test]
fn a_line_that_is_out_has_nobody_to_ask() {
    let mut net = Net::new();
    net.health(Health::Down, Cause::Expired);
    net.from(CORE, &request("OPTIONS", ARMED, "a", "", ""));
    net.one_to(CORE, "SIP/2.0 480");
    net.from(CORE, &request("OPTIONS", "+493023125999", "b", "", ""));
    net.one_to(CORE, "SIP/2.0 404");
    net.from(PHONE, &request("MESSAGE", ARMED, "c", "", ""));
    net.one_to("203.0.113.5:5060", "SIP/2.0 403");
}

#[test]
fn a_preloaded_route_is_ours_or_refused() {
    let mut net = Net::new();
    net.from(
        CORE,
        &request(
            "MESSAGE",
            SINGLE,
            "a",
            &format!("Route: <sip:{US};lr>\r\n"),
            "",
        ),
    );
    let sent = net.one_to(PHONE, "MESSAGE ").text;
    assert!(!sent.contains("\r\nRoute:"));
    net.from(PHONE, &reply(&sent, "202 Accepted", "p", ""));
    net.one_to(CORE, "SIP/2.0 202");
    net.from(
        CORE,
        &request(
            "MESSAGE",
            SINGLE,
            "b",
            "Route: <sip:203.0.113.200;lr>\r\n",
            "",
        ),
    );
    net.one_to(CORE, "SIP/2.0 403");
}

#[test]
fn what_section_16_3_refuses_is_refused_before_anybody_looks_at_the_number() {
    let mut net = Net::new();
    net.from(
        CORE,
        &request(
            "INVITE",
            PLAIN,
            "a",
            "Proxy-Require: foo\r\nProxy-Require: bar, baz\r\n",
            "",
        ),
    );
    assert_eq!(
        "foo, bar, baz",
        value(
            &net.one_to(CORE, "SIP/2.0 420 Bad Extension").text,
            "Unsupported"
        )
    );
    net.from(
        CORE,
        &request("MESSAGE", PLAIN, "b", "", "").replace("Max-Forwards: 30", "Max-Forwards: 0"),
    );
    net.one_to(CORE, "SIP/2.0 483 Too Many Hops");
    net.from(
        CORE,
        &request("MESSAGE", PLAIN, "c", "", "").replace("MESSAGE sip:", "MESSAGE xyz:"),
    );
    net.one_to(CORE, "SIP/2.0 416 Unsupported URI Scheme");
    let orphan = request("BYE", PLAIN, "d", "", "").replace(
        "core.example.net>\r\nCall-ID",
        "core.example.net>;tag=x\r\nCall-ID",
    );
    net.from(CORE, &orphan);
    net.one_to(CORE, "SIP/2.0 481");
    net.nothing_to(PHONE);
}

#[test]
fn options_for_ourselves_are_answered_also_with_no_hops_left() {
    let mut net = Net::new();
    let asked = request("OPTIONS", PLAIN, "a", "", "").replace(
        "sip:+493023125002@192.0.2.10:5060;user=phone",
        "sip:192.0.2.10",
    );
    net.from(CORE, &asked.replace("Max-Forwards: 30", "Max-Forwards: 0"));
    let answer = net.one_to(CORE, "SIP/2.0 200 OK").text;
    assert!(value(&answer, "Allow").contains("INVITE"));
}
