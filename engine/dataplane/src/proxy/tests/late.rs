//! Answers on branches that were given up: no ghost calls, and never a second answer for the caller.

use super::messages::{OFFER, invite, reply, reply_from, request, value, values};
use super::net::{ARMED, BACKUP, CORE, Net, PHONE, PLAIN, SINGLE, SINGLE_LINE, at};
use route_core::Unreachable;

/// A call that was diverted for silence; the INVITE as the phone has it.
fn diverted(net: &mut Net, body: &str) -> String {
    let call = request("INVITE", SINGLE, "a", "", body);
    net.from(CORE, &call);
    net.wait_ms(2_000);
    let sent = net.all_to(PHONE).remove(0).text;
    assert_eq!("SIP/2.0 302 Moved Temporarily", net.starts_to(CORE)[1]);
    net.from(
        CORE,
        &super::messages::ack_of(&call, &reply(&call, "302 Moved Temporarily", "t", "")),
    );
    sent
}

#[test]
fn the_cancel_is_kept_until_the_first_provisional_answer() {
    let mut net = Net::new();
    let sent = diverted(&mut net, OFFER);
    net.wait_ms(10_000);
    assert!(
        net.starts_to(PHONE)
            .iter()
            .all(|line| line.starts_with("INVITE"))
    );
    net.from(PHONE, &reply(&sent, "100 Trying", "", ""));
    let cancel = net.one_to(PHONE, "CANCEL ").text;
    net.from(PHONE, &reply(&sent, "180 Ringing", "p", ""));
    net.nothing_to(PHONE);
    net.from(PHONE, &reply(&cancel, "200 OK", "p", ""));
    net.from(PHONE, &reply(&sent, "487 Request Terminated", "p", ""));
    net.one_to(PHONE, "ACK ");
    net.nothing_to(CORE);
}

#[test]
fn the_branch_ends_with_timer_b_when_the_phone_never_speaks() {
    let mut net = Net::new();
    let sent = diverted(&mut net, OFFER);
    net.wait_ms(30_000);
    net.all_to(PHONE);
    net.from(PHONE, &reply(&sent, "200 OK", "p", ""));
    net.nothing_to(PHONE);
    assert_eq!(1, net.count("stray_dropped"));
}

#[test]
fn a_late_2xx_is_acknowledged_each_time_and_hung_up_once() {
    let mut net = Net::new();
    let sent = diverted(&mut net, OFFER);
    net.from(PHONE, &reply(&sent, "180 Ringing", "p", ""));
    let cancel = net.one_to(PHONE, "CANCEL ").text;
    net.from(PHONE, &reply(&cancel, "200 OK", "p", ""));
    let ok = reply_from(
        &sent,
        "200 OK",
        "p",
        "sip:phone@192.168.1.20:5060;x=y",
        OFFER,
    );
    net.from(PHONE, &ok);
    let requests = net.all_to(PHONE);
    assert_eq!(2, requests.len());
    let (ack, bye) = (&requests[0].text, &requests[1].text);
    assert!(
        ack.starts_with("ACK sip:phone@192.168.1.20:5060;x=y SIP/2.0\r\n"),
        "{ack}"
    );
    assert!(
        bye.starts_with("BYE sip:phone@192.168.1.20:5060;x=y SIP/2.0\r\n"),
        "{bye}"
    );
    for request in [ack, bye] {
        assert_eq!(value(&ok, "From"), value(request, "From"));
        assert_eq!(value(&ok, "To"), value(request, "To"));
        assert_eq!(value(&ok, "Call-ID"), value(request, "Call-ID"));
        assert_eq!(1, values(request, "Via").len());
        assert_eq!(Vec::<&str>::new(), values(request, "Route"));
        assert!(request.ends_with("Content-Length: 0\r\n\r\n"));
    }
    assert_eq!("1 ACK", value(ack, "CSeq"));
    assert_eq!("101 BYE", value(bye, "CSeq"));
    let branch = |text: &str| value(text, "Via").to_owned();
    assert_ne!(branch(ack), branch(&sent));
    assert_ne!(branch(ack), branch(bye));
    net.from(PHONE, &ok);
    net.one_to(PHONE, "ACK ");
    net.from(PHONE, &reply(bye, "200 OK", "p", ""));
    net.wait_ms(1_000);
    net.from(PHONE, &ok);
    net.one_to(PHONE, "ACK ");
    net.nothing_to(CORE);
    assert_eq!(1, net.count("late_answers_closed"));
}

#[test]
fn a_late_2xx_is_acknowledged_also_when_64_t1_after_the_cancel_have_passed() {
    let mut net = Net::new();
    let sent = diverted(&mut net, OFFER);
    net.from(PHONE, &reply(&sent, "180 Ringing", "p", ""));
    net.wait_ms(31_000);
    net.all_to(PHONE);
    let ok = reply(&sent, "200 OK", "p", OFFER);
    net.from(PHONE, &ok);
    assert_eq!(2, net.all_to(PHONE).len());
    net.wait_ms(4_000);
    net.all_to(PHONE);
    net.from(PHONE, &ok);
    net.one_to(PHONE, "ACK ");
}

#[test]
fn an_offer_in_a_late_2xx_gets_an_answer_that_refuses_each_stream() {
    let mut net = Net::new();
    let sent = diverted(&mut net, "");
    let offer = format!(
        "{}m=video 4002 RTP/AVP 31\r\n",
        OFFER.replace("t=0 0", "t=2873397496 0")
    );
    net.from(PHONE, &reply(&sent, "200 OK", "p", &offer));
    let requests = net.all_to(PHONE);
    let ack = &requests[0].text;
    assert_eq!("application/sdp", value(ack, "Content-Type"));
    let body = ack.split("\r\n\r\n").nth(1).unwrap();
    assert_eq!(value(ack, "Content-Length"), body.len().to_string());
    let kept: Vec<&str> = body
        .lines()
        .filter(|line| line.starts_with(['m', 't']))
        .collect();
    assert_eq!(
        vec![
            "t=2873397496 0",
            "m=audio 0 RTP/AVP 8",
            "m=video 0 RTP/AVP 31"
        ],
        kept
    );
    assert!(requests[1].text.starts_with("BYE "));
}

#[test]
fn ack_and_bye_follow_the_record_routes_behind_us() {
    let mut net = Net::new();
    let sent = diverted(&mut net, OFFER);
    let own = value(&sent, "Record-Route").to_owned();
    let recorded = "<sip:203.0.113.9:5070;lr>, <sip:203.0.113.5:5070;lr>";
    let ok = reply(&sent, "200 OK", "p", OFFER);
    let ok = ok.replace(
        &format!("Record-Route: {own}"),
        &format!("Record-Route: {recorded}, {own}"),
    );
    net.from(PHONE, &ok);
    let requests = net.all_to(PHONE);
    assert_eq!(2, requests.len());
    for request in requests {
        assert_eq!(
            vec!["<sip:203.0.113.5:5070;lr>", "<sip:203.0.113.9:5070;lr>"],
            values(&request.text, "Route")
        );
    }
}

#[test]
fn each_fork_of_a_late_answer_is_closed_up_to_a_limit() {
    let mut net = Net::new();
    let sent = diverted(&mut net, OFFER);
    for fork in 0..20 {
        net.from(
            PHONE,
            &reply(&sent, "200 OK", &format!("fork{fork}"), OFFER),
        );
    }
    let requests = net.starts_to(PHONE);
    assert_eq!(
        8,
        requests
            .iter()
            .filter(|line| line.starts_with("BYE "))
            .count()
    );
    net.nothing_to(CORE);
}

#[test]
fn a_2xx_that_crosses_our_cancel_is_hung_up() {
    let mut net = Net::new();
    net.from(CORE, &invite(SINGLE, "a"));
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "100 Trying", "", ""));
    net.wait_ms(8_000);
    let cancel = net.all_to(PHONE).pop().unwrap().text;
    assert!(cancel.starts_with("CANCEL "), "{cancel}");
    net.all_to(CORE);
    net.from(PHONE, &reply(&sent, "200 OK", "p", OFFER));
    net.from(PHONE, &reply(&cancel, "200 OK", "p", ""));
    let requests = net.starts_to(PHONE);
    assert!(
        requests[0].starts_with("ACK ") && requests[1].starts_with("BYE ") && requests.len() == 2
    );
    net.nothing_to(CORE);
}

#[test]
fn the_first_peers_late_2xx_is_taken_while_the_caller_still_waits_for_the_second() {
    let mut net = Net::new();
    net.from(CORE, &invite(PLAIN, "a"));
    net.wait_ms(1_144);
    let first = net.all_to(PHONE).remove(0).text;
    let second = net.one_to(BACKUP, "INVITE ").text;
    net.from(BACKUP, &reply(&second, "180 Ringing", "b", ""));
    net.all_to(CORE);
    net.from(PHONE, &reply(&first, "200 OK", "p", OFFER));
    net.one_to(CORE, "SIP/2.0 200 OK");
    net.one_to(BACKUP, "CANCEL ");
    net.nothing_to(PHONE);
}

#[test]
fn when_both_peers_answer_the_caller_gets_both_2xx_and_nothing_else() {
    let mut net = Net::new();
    net.from(CORE, &invite(ARMED, "a"));
    net.wait_ms(1_144);
    let first = net.all_to(PHONE).remove(0).text;
    let second = net.one_to(BACKUP, "INVITE ").text;
    net.all_to(CORE);
    net.from(BACKUP, &reply(&second, "200 OK", "b", OFFER));
    net.from(PHONE, &reply(&first, "200 OK", "p", OFFER));
    // RFC 3261 §16.7 item 5: every 2xx goes up, so that the caller can end the dialog he does not want (§13.2.2.4).
    let answers = net.all_to(CORE);
    let tags: Vec<&str> = answers
        .iter()
        .map(|answer| value(&answer.text, "To").rsplit('=').next().unwrap())
        .collect();
    assert_eq!(vec!["b", "p"], tags);
    net.nothing_to(PHONE);
    assert_eq!(
        (1, 0),
        (
            net.count("calls_answered"),
            net.count("late_answers_closed")
        )
    );
}

/// `ACK`, `BYE` or another method, and the To tag, of each request.
fn closing(net: &mut Net, phone: &str) -> Vec<(String, String)> {
    let requests = net.all_to(phone);
    let of = |sent: &crate::worker::testing::Sent| {
        let method = sent.text.split(' ').next().unwrap().to_owned();
        let tag = value(&sent.text, "To").rsplit("tag=").next().unwrap();
        (method, tag.to_owned())
    };
    requests.iter().map(of).collect()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter()
        .map(|(method, tag)| ((*method).to_owned(), (*tag).to_owned()))
        .collect()
}

#[test]
fn a_200_after_an_icmp_error_finds_us() {
    let mut net = Net::new();
    net.from(CORE, &invite(SINGLE, "a"));
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.stage
        .unreachable_at(0, Unreachable::Port, at(PHONE), &sent);
    assert_eq!("SIP/2.0 302 Moved Temporarily", net.starts_to(CORE)[1]);
    let ok = reply(&sent, "200 OK", "p", OFFER);
    net.from(PHONE, &ok);
    assert_eq!(
        pairs(&[("ACK", "p"), ("BYE", "p")]),
        closing(&mut net, PHONE)
    );
    net.from(PHONE, &ok);
    assert_eq!(
        ("ACK".to_owned(), "p".to_owned()),
        closing(&mut net, PHONE)[0]
    );
}

#[test]
fn a_200_within_the_extra_second_is_the_callers_and_after_it_hung_up() {
    for late in [false, true] {
        let mut net = Net::new();
        let slot = net.stage.shared.slots.slot(SINGLE_LINE).unwrap();
        slot.targets().unwrap()[0].set_quality(360, 0);
        net.from(CORE, &invite(SINGLE, "a"));
        net.wait_ms(600);
        net.lives();
        net.wait_ms(if late { 2_400 } else { 2_200 });
        let sent = net.all_to(PHONE).remove(0).text;
        net.from(PHONE, &reply(&sent, "200 OK", "p", OFFER));
        let (answer, closed) = if late {
            (
                "SIP/2.0 302 Moved Temporarily",
                pairs(&[("ACK", "p"), ("BYE", "p")]),
            )
        } else {
            ("SIP/2.0 200 OK", Vec::new())
        };
        assert_eq!(vec!["SIP/2.0 100 Trying", answer], net.starts_to(CORE));
        assert_eq!(closed, closing(&mut net, PHONE));
    }
}

#[test]
fn two_forks_that_both_answer_late_are_both_closed() {
    let mut net = Net::new();
    let sent = diverted(&mut net, OFFER);
    for fork in ["f1", "f2", "f1", "f2"] {
        net.from(PHONE, &reply(&sent, "200 OK", fork, OFFER));
    }
    assert_eq!(
        pairs(&[
            ("ACK", "f1"),
            ("BYE", "f1"),
            ("ACK", "f2"),
            ("BYE", "f2"),
            ("ACK", "f1"),
            ("ACK", "f2")
        ]),
        closing(&mut net, PHONE)
    );
    net.nothing_to(CORE);
}

#[test]
fn both_peers_that_answer_after_the_302_are_both_closed() {
    let mut net = Net::new();
    net.from(CORE, &invite(ARMED, "a"));
    net.wait_ms(1_944);
    assert_eq!("SIP/2.0 302 Moved Temporarily", net.starts_to(CORE)[1]);
    for (phone, tag) in [(PHONE, "p"), (BACKUP, "b")] {
        let sent = net.all_to(phone).remove(0).text;
        net.from(phone, &reply(&sent, "200 OK", tag, OFFER));
        assert_eq!(
            pairs(&[("ACK", tag), ("BYE", tag)]),
            closing(&mut net, phone)
        );
    }
    assert!(
        net.starts_to(CORE)
            .iter()
            .all(|line| line.starts_with("SIP/2.0 302"))
    );
}

#[test]
fn a_200_that_crosses_the_callers_cancel_is_his() {
    let mut net = Net::new();
    let call = invite(SINGLE, "a");
    net.from(CORE, &call);
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "180 Ringing", "p", ""));
    net.from(CORE, &super::messages::cancel_of(&call));
    let cancel = net.one_to(PHONE, "CANCEL ").text;
    net.from(PHONE, &reply(&sent, "200 OK", "p", OFFER));
    net.from(PHONE, &reply(&cancel, "481 Gone", "p", ""));
    // RFC 3261 §9.1: he hangs up himself.
    assert_eq!(
        vec![
            "SIP/2.0 100 Trying",
            "SIP/2.0 180 Ringing",
            "SIP/2.0 200 OK",
            "SIP/2.0 200 OK"
        ],
        net.starts_to(CORE)
    );
    net.nothing_to(PHONE);
}
