//! A call that its line does not take is diverted, this very one.

use super::messages::{ack_of, invite, reply, value};
use super::net::{ARMED, BACKUP, CORE, LINE, Net, PHONE, PLAIN, SINGLE, SINGLE_LINE, SINGLE_PLAIN};
use route_core::{Cause, Health};

#[test]
fn silence_is_diverted_after_exactly_the_answer_timer() {
    let mut net = Net::new();
    net.from(CORE, &invite(SINGLE, "a"));
    net.one_to(CORE, "SIP/2.0 100");
    net.wait_ms(1_896);
    net.nothing_to(CORE);
    net.wait_ms(4);
    let answer = net.one_to(CORE, "SIP/2.0 302 Moved Temporarily");
    assert_eq!(1_900, net.elapsed_ms(&answer));
    assert_eq!(
        "<sip:+491713920001@core.example.net;user=phone;cause=408>;q=1.0",
        value(&answer.text, "Contact")
    );
    assert_eq!(
        "Q.850;cause=18;text=\"No user responding\"",
        value(&answer.text, "Reason")
    );
    net.from(CORE, &ack_of(&invite(SINGLE, "a"), &answer.text));
    net.wait_ms(40_000);
    net.nothing_to(CORE);
    assert!(
        net.starts_to(PHONE)
            .iter()
            .all(|line| line.starts_with("INVITE ")),
        "no CANCEL without a provisional"
    );
    assert_eq!(1, net.count("calls_rescued"));
}

#[test]
fn the_302_of_a_rescue_is_repeated_until_it_is_acknowledged_and_given_again_to_a_repeated_invite() {
    let mut net = Net::new();
    let call = invite(SINGLE, "a");
    net.from(CORE, &call);
    net.wait_ms(1_900);
    let answer = net.all_to(CORE).pop().unwrap();
    net.wait_ms(500);
    assert_eq!(answer.text, net.one_to(CORE, "SIP/2.0 302").text);
    net.from(CORE, &call);
    assert_eq!(answer.text, net.one_to(CORE, "SIP/2.0 302").text);
    net.from(CORE, &ack_of(&call, &answer.text));
    net.wait_ms(8_000);
    net.nothing_to(CORE);
}

#[test]
fn a_100_alone_is_diverted_after_the_trying_timer() {
    let mut net = Net::new();
    net.from(CORE, &invite(SINGLE, "a"));
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.wait_ms(1_000);
    net.one_to(PHONE, "INVITE ");
    net.from(PHONE, &reply(&sent, "100 Trying", "", ""));
    net.wait_ms(7_996);
    assert_eq!(vec!["SIP/2.0 100 Trying"], net.starts_to(CORE));
    // Its answer is asked for at a quarter, a half, and three quarters of that time.
    let again = net.all_to(PHONE);
    let times: Vec<u64> = again.iter().map(|sent| net.elapsed_ms(sent)).collect();
    assert_eq!(vec![3_000, 5_000, 7_000], times);
    assert!(again.iter().all(|repeated| repeated.text == sent));
    net.wait_ms(4);
    net.one_to(CORE, "SIP/2.0 302");
    net.one_to(PHONE, "CANCEL ");
}

#[test]
fn a_suspect_line_has_the_short_timer() {
    for health in [Health::Suspect, Health::Unknown] {
        let mut net = Net::new();
        net.health(health, Cause::OptionsTimeout);
        net.from(CORE, &invite(SINGLE, "a"));
        net.wait_ms(1_000);
        let answers = net.all_to(CORE);
        assert_eq!(2, answers.len());
        assert_eq!(800, net.elapsed_ms(&answers[1]));
        assert!(answers[1].text.starts_with("SIP/2.0 302"));
    }
}

#[test]
fn a_fault_before_18x_is_diverted_and_after_it_passed_on() {
    for (status, expected) in [
        ("408 Request Timeout", "SIP/2.0 302 Moved Temporarily"),
        ("503 Service Unavailable", "SIP/2.0 302 Moved Temporarily"),
        ("486 Busy Here", "SIP/2.0 486 Busy Here"),
        ("500 Not Listed", "SIP/2.0 500 Not Listed"),
    ] {
        let mut net = Net::new();
        net.from(CORE, &invite(SINGLE, "a"));
        let sent = net.one_to(PHONE, "INVITE ").text;
        net.from(PHONE, &reply(&sent, "100 Trying", "", ""));
        net.from(PHONE, &reply(&sent, status, "p", ""));
        assert_eq!(vec!["SIP/2.0 100 Trying", expected], net.starts_to(CORE));
        net.one_to(PHONE, "ACK ");
    }
    let mut net = Net::new();
    net.from(CORE, &invite(SINGLE, "a"));
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "183 Progress", "p", ""));
    net.from(PHONE, &reply(&sent, "408 Request Timeout", "p", ""));
    assert_eq!("SIP/2.0 408 Request Timeout", net.starts_to(CORE)[2]);
}

#[test]
fn a_rule_that_was_switched_off_meanwhile_diverts_nothing() {
    let mut net = Net::new();
    net.from(CORE, &invite(SINGLE, "a"));
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.table(|rows| rows.rules[0].armed = false);
    net.from(PHONE, &reply(&sent, "503 Service Unavailable", "p", ""));
    assert_eq!(
        vec!["SIP/2.0 100 Trying", "SIP/2.0 500 Server Internal Error"],
        net.starts_to(CORE)
    );
    net.from(CORE, &invite(SINGLE, "b"));
}

#[test]
fn both_peers_are_tried_before_the_call_is_diverted() {
    let mut net = Net::new();
    net.from(CORE, &invite(ARMED, "a"));
    net.wait_ms(1_144);
    let second = net.one_to(BACKUP, "INVITE ").text;
    net.from(BACKUP, &reply(&second, "503 Service Unavailable", "b", ""));
    assert_eq!(
        vec!["SIP/2.0 100 Trying", "SIP/2.0 302 Moved Temporarily"],
        net.starts_to(CORE)
    );
}

#[test]
fn without_a_rule_the_caller_waits() {
    let mut net = Net::new();
    net.from(CORE, &invite(SINGLE_PLAIN, "a"));
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.wait_ms(5_000);
    // Late, but neither the answer timer nor the trying timer ends a call that has nowhere else to go.
    net.from(PHONE, &reply(&sent, "100 Trying", "", ""));
    net.wait_ms(60_000);
    assert_eq!(vec!["SIP/2.0 100 Trying"], net.starts_to(CORE));
    net.from(PHONE, &reply(&sent, "180 Ringing", "p", ""));
    net.from(PHONE, &reply(&sent, "200 OK", "p", ""));
    assert_eq!(
        vec!["SIP/2.0 180 Ringing", "SIP/2.0 200 OK"],
        net.starts_to(CORE)
    );
}

#[test]
fn without_a_rule_silence_ends_with_timer_b() {
    let mut net = Net::new();
    net.from(CORE, &invite(SINGLE_PLAIN, "a"));
    net.wait_ms(31_900);
    net.one_to(CORE, "SIP/2.0 100");
    net.wait_ms(104);
    let answer = net.one_to(CORE, "SIP/2.0 408 Request Timeout");
    assert_eq!(32_000, net.elapsed_ms(&answer));
}

#[test]
fn a_last_try_that_fails_is_480_with_a_reason() {
    for silent in [false, true] {
        let mut net = Net::new();
        net.health(Health::Down, Cause::OptionsTimeout);
        net.from(CORE, &invite(SINGLE_PLAIN, "a"));
        let sent = net.one_to(PHONE, "INVITE ").text;
        net.one_to(CORE, "SIP/2.0 100");
        if silent {
            net.wait_ms(2_000);
        } else {
            net.from(PHONE, &reply(&sent, "503 Service Unavailable", "p", ""));
        }
        let answer = net.one_to(CORE, "SIP/2.0 480 Temporarily Unavailable").text;
        let cause = if silent {
            "Q.850;cause=18"
        } else {
            "Q.850;cause=41"
        };
        assert!(value(&answer, "Reason").starts_with(cause), "{answer}");
    }
}

#[test]
fn a_last_try_that_is_taken_is_a_call_like_any_other() {
    let mut net = Net::new();
    net.health(Health::Down, Cause::OptionsTimeout);
    net.from(CORE, &invite(PLAIN, "a"));
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "486 Busy Here", "p", ""));
    assert_eq!(
        vec!["SIP/2.0 100 Trying", "SIP/2.0 486 Busy Here"],
        net.starts_to(CORE)
    );
}

#[test]
fn ringing_ends_with_timer_c_and_each_18x_sets_it_anew() {
    let mut net = Net::new();
    net.from(CORE, &invite(SINGLE, "a"));
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "180 Ringing", "p", ""));
    net.wait_ms(100_000);
    net.from(PHONE, &reply(&sent, "180 Ringing", "p", ""));
    net.wait_ms(180_000);
    assert_eq!(
        vec![
            "SIP/2.0 100 Trying",
            "SIP/2.0 180 Ringing",
            "SIP/2.0 180 Ringing"
        ],
        net.starts_to(CORE)
    );
    net.wait_ms(1_004);
    net.one_to(CORE, "SIP/2.0 408 Request Timeout");
    net.one_to(PHONE, "CANCEL ");
    assert_eq!(0, net.count("calls_rescued"));
}

#[test]
fn one_call_alone_tries_a_line_that_calls_took_down() {
    let mut net = Net::new();
    net.health(Health::Down, Cause::CallSilent);
    net.stage
        .shared
        .slots
        .slot(SINGLE_LINE)
        .unwrap()
        .set_trial(true);
    net.from(CORE, &invite(SINGLE, "a"));
    net.one_to(PHONE, "INVITE ");
    net.from(CORE, &invite(SINGLE, "b"));
    net.nothing_to(PHONE);
    net.wait_ms(1_000);
    let starts = net.starts_to(CORE);
    assert_eq!(
        vec![
            "SIP/2.0 100 Trying",
            "SIP/2.0 302 Moved Temporarily",
            "SIP/2.0 302 Moved Temporarily"
        ],
        starts
    );
    assert_eq!(
        (1, 1),
        (net.count("calls_rescued"), net.count("calls_redirected"))
    );
}

#[test]
fn a_line_that_loses_its_last_contact_while_it_is_asked_still_diverts() {
    let mut net = Net::new();
    net.from(CORE, &invite(SINGLE, "a"));
    net.targets(LINE, &[]);
    net.targets(SINGLE_LINE, &[]);
    net.wait_ms(2_000);
    assert_eq!("SIP/2.0 302 Moved Temporarily", net.starts_to(CORE)[1]);
}

fn contact_of(net: &mut Net) -> String {
    let answer = net.one_to(CORE, "SIP/2.0 302 Moved Temporarily");
    value(&answer.text, "Contact")
        .split('@')
        .next()
        .unwrap()
        .to_owned()
}

const USUAL: &str = "<sip:+491713920001";
const ITS_OWN: &str = "<sip:+492214710000";

#[test]
fn a_503_is_the_phone_system() {
    let mut net = Net::new();
    net.two_lists();
    net.from(CORE, &invite(SINGLE, "a"));
    net.one_to(CORE, "SIP/2.0 100");
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "503 Service Unavailable", "p", ""));
    assert_eq!(ITS_OWN, contact_of(&mut net));
}

#[test]
fn silence_may_be_anything() {
    let mut net = Net::new();
    net.two_lists();
    net.from(CORE, &invite(SINGLE, "a"));
    net.one_to(CORE, "SIP/2.0 100");
    net.wait_ms(1_900);
    assert_eq!(USUAL, contact_of(&mut net));
}

#[test]
fn a_100_and_nothing_more_is_the_phone_system() {
    let mut net = Net::new();
    net.two_lists();
    net.from(CORE, &invite(SINGLE, "a"));
    net.one_to(CORE, "SIP/2.0 100");
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "100 Trying", "", ""));
    net.wait_ms(8_000);
    let answer = net.all_to(CORE).into_iter().next().unwrap();
    assert!(
        value(&answer.text, "Contact").starts_with(ITS_OWN),
        "{}",
        answer.text
    );
}

#[test]
fn a_rule_that_came_to_rest_during_the_call_does_not_divert_it() {
    let mut net = Net::new();
    net.from(CORE, &invite(SINGLE, "a"));
    net.one_to(CORE, "SIP/2.0 100");
    net.table(|rows| rows.rules[0].rests = "its plan is not on".to_owned());
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "503 Service Unavailable", "p", ""));
    net.one_to(CORE, "SIP/2.0 500");
}
