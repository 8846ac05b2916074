//! The caller hangs up before anybody answers (RFC 3261 §9, §16.10).

use super::messages::{ack_of, cancel_of, invite, reply, value};
use super::net::{ARMED, BACKUP, CORE, Net, PHONE, PLAIN, SINGLE};

#[test]
fn a_ringing_call_is_cancelled_at_the_phone_and_its_487_reaches_the_caller() {
    let mut net = Net::new();
    let call = invite(ARMED, "a");
    net.from(CORE, &call);
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "180 Ringing", "p", ""));
    net.all_to(CORE);
    net.from(CORE, &cancel_of(&call));
    net.one_to(CORE, "SIP/2.0 200 OK");
    let cancel = net
        .one_to(PHONE, "CANCEL sip:203.0.113.5:5060 SIP/2.0\r\n")
        .text;
    assert_eq!(value(&sent, "Via"), value(&cancel, "Via"));
    assert_eq!("1 CANCEL", value(&cancel, "CSeq"));
    net.from(PHONE, &reply(&cancel, "200 OK", "p", ""));
    net.nothing_to(CORE);
    net.from(PHONE, &reply(&sent, "487 Request Terminated", "p", ""));
    net.one_to(PHONE, "ACK ");
    let answer = net.one_to(CORE, "SIP/2.0 487").text;
    net.from(CORE, &ack_of(&call, &answer));
    net.from(CORE, &cancel_of(&call));
    net.one_to(CORE, "SIP/2.0 200 OK");
    net.wait_ms(20_000);
    net.nothing_to(PHONE);
    net.nothing_to(CORE);
    assert_eq!(
        (1, 0),
        (net.count("calls_cancelled"), net.count("calls_rescued"))
    );
}

#[test]
fn before_any_provisional_answer_the_caller_has_his_487_and_the_cancel_waits() {
    let mut net = Net::new();
    let call = invite(ARMED, "a");
    net.from(CORE, &call);
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.all_to(CORE);
    net.from(CORE, &cancel_of(&call));
    assert_eq!(
        vec!["SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"],
        net.starts_to(CORE)
    );
    net.nothing_to(PHONE);
    net.wait_ms(700);
    net.one_to(PHONE, "INVITE ");
    net.from(PHONE, &reply(&sent, "180 Ringing", "p", ""));
    let cancel = net.one_to(PHONE, "CANCEL ").text;
    net.from(PHONE, &reply(&cancel, "200 OK", "p", ""));
    net.from(PHONE, &reply(&sent, "487 Request Terminated", "p", ""));
    net.one_to(PHONE, "ACK ");
    assert!(
        !net.starts_to(CORE)
            .iter()
            .any(|line| line.contains("180") || line.contains("302"))
    );
    net.nothing_to(BACKUP);
}

#[test]
fn a_cancelled_call_is_not_diverted_when_its_timers_end() {
    let mut net = Net::new();
    let call = invite(SINGLE, "a");
    net.from(CORE, &call);
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "100 Trying", "", ""));
    net.from(CORE, &cancel_of(&call));
    net.one_to(PHONE, "CANCEL ");
    net.wait_ms(9_000);
    assert!(
        net.starts_to(CORE)
            .contains(&"SIP/2.0 487 Request Terminated".to_owned())
    );
    assert_eq!(0, net.count("calls_rescued"));
    net.from(PHONE, &reply(&sent, "503 Service Unavailable", "p", ""));
    assert!(!net.starts_to(CORE).iter().any(|line| line.contains("302")));
}

#[test]
fn a_2xx_that_crosses_the_cancel_wins() {
    let mut net = Net::new();
    let call = invite(ARMED, "a");
    net.from(CORE, &call);
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "180 Ringing", "p", ""));
    net.from(CORE, &cancel_of(&call));
    net.all_to(CORE);
    net.from(PHONE, &reply(&sent, "200 OK", "p", ""));
    net.one_to(CORE, "SIP/2.0 200 OK");
    net.one_to(PHONE, "CANCEL ");
    assert_eq!(0, net.count("late_answers_closed"));
}

#[test]
fn the_second_peers_silence_does_not_hide_behind_what_the_first_said() {
    let mut net = Net::new();
    let call = invite(PLAIN, "a");
    net.from(CORE, &call);
    let first = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&first, "100 Trying", "", ""));
    net.wait_ms(8_004);
    net.one_to(BACKUP, "INVITE ");
    net.all_to(CORE);
    net.from(CORE, &cancel_of(&call));
    assert_eq!(
        vec!["SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"],
        net.starts_to(CORE)
    );
}

#[test]
fn a_phone_that_ignores_cancel_does_not_hold_the_caller_for_ever() {
    let mut net = Net::new();
    let call = invite(PLAIN, "a");
    net.from(CORE, &call);
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "180 Ringing", "p", ""));
    net.from(CORE, &cancel_of(&call));
    net.all_to(CORE);
    net.wait_ms(31_900);
    net.nothing_to(CORE);
    net.wait_ms(200);
    net.one_to(CORE, "SIP/2.0 487 Request Terminated");
}
