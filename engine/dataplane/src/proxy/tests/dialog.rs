//! Requests within dialogs: they follow our Record-Route, and nothing else.

use super::messages::{Dialog, OFFER, invite, reply, reply_from, request, value, values};
use super::net::{ARMED, CORE, Net, PHONE, US};

/// A call that is answered by a phone behind NAT: its Contact is private.
fn answered(net: &mut Net) -> Dialog {
    let call = invite(ARMED, "a");
    net.from(CORE, &call);
    let sent = net.one_to(PHONE, "INVITE ").text;
    let ok = reply_from(&sent, "200 OK", "p", "sip:phone@192.168.1.20:5060", OFFER);
    net.from(PHONE, &ok);
    net.all_to(CORE);
    Dialog::of(&call, &ok)
}

#[test]
fn an_ack_goes_end_to_end_without_a_transaction() {
    let mut net = Net::new();
    let dialog = answered(&mut net);
    net.from(CORE, &dialog.by_caller("ACK", 1, ""));
    let ack = net
        .one_to(PHONE, "ACK sip:phone@192.168.1.20:5060 SIP/2.0\r\n")
        .text;
    assert_eq!(2, values(&ack, "Via").len());
    assert_eq!(Vec::<&str>::new(), values(&ack, "Route"));
    assert_eq!("69", value(&ack, "Max-Forwards"));
    net.wait_ms(2_000);
    net.nothing_to(PHONE);
    net.nothing_to(CORE);
}

#[test]
fn bye_and_reinvite_of_the_caller_reach_the_phone_through_its_nat() {
    let mut net = Net::new();
    let dialog = answered(&mut net);
    net.from(CORE, &dialog.by_caller("INVITE", 2, OFFER));
    let sent = net
        .one_to(PHONE, "INVITE sip:phone@192.168.1.20:5060 SIP/2.0\r\n")
        .text;
    assert_eq!(Vec::<&str>::new(), values(&sent, "Record-Route"));
    net.from(PHONE, &reply(&sent, "200 OK", "p", OFFER));
    assert_eq!(
        vec!["SIP/2.0 100 Trying", "SIP/2.0 200 OK"],
        net.starts_to(CORE)
    );
    net.from(CORE, &dialog.by_caller("ACK", 2, ""));
    net.one_to(PHONE, "ACK ");
    net.from(CORE, &dialog.by_caller("BYE", 3, ""));
    let bye = net.one_to(PHONE, "BYE ").text;
    net.from(PHONE, &reply(&bye, "200 OK", "p", ""));
    net.one_to(CORE, "SIP/2.0 200 OK");
}

#[test]
fn bye_and_reinvite_of_the_phone_reach_the_core_and_their_answers_come_back_to_its_flow() {
    let mut net = Net::new();
    let dialog = answered(&mut net);
    for (method, cseq) in [("INVITE", 1), ("BYE", 2)] {
        net.from(
            PHONE,
            &dialog.by_phone(method, cseq, "192.168.1.20:5060", ""),
        );
        let sent = net
            .one_to(
                CORE,
                &format!("{method} sip:caller@198.51.100.1:5060 SIP/2.0\r\n"),
            )
            .text;
        net.from(CORE, &reply(&sent, "200 OK", "x", ""));
        let answers = net.starts_to(PHONE);
        assert_eq!("SIP/2.0 200 OK", answers.last().unwrap());
    }
}

#[test]
fn a_phone_whose_nat_chose_a_new_port_can_still_hang_up() {
    let mut net = Net::new();
    let dialog = answered(&mut net);
    net.from(
        "203.0.113.5:61000",
        &dialog.by_phone("BYE", 1, "192.168.1.20:5060", ""),
    );
    let sent = net.one_to(CORE, "BYE ").text;
    net.from(CORE, &reply(&sent, "200 OK", "x", ""));
    net.one_to("203.0.113.5:61000", "SIP/2.0 200 OK");
}

#[test]
fn a_phone_reaches_core_peers_only() {
    let mut net = Net::new();
    let dialog = answered(&mut net);
    let elsewhere = dialog.by_phone("BYE", 1, "192.168.1.20:5060", "");
    let elsewhere = elsewhere.replace(
        "BYE sip:caller@198.51.100.1:5060",
        "BYE sip:victim@203.0.113.200:5060",
    );
    net.from(PHONE, &elsewhere);
    net.nothing_to("203.0.113.200:5060");
    // It goes to where the INVITE came from: the core knows its dialogs.
    let sent = net.one_to(CORE, "BYE sip:victim@203.0.113.200:5060").text;
    net.from(CORE, &reply(&sent, "481 Unknown", "x", ""));
    let peer = dialog
        .by_phone("BYE", 2, "192.168.1.20:5060", "")
        .replace("caller@198.51.100.1", "caller@198.51.100.2");
    net.from(PHONE, &peer);
    let sent = net.one_to("198.51.100.2:5060", "BYE ").text;
    net.from("198.51.100.2:5060", &reply(&sent, "200 OK", "x", ""));
    let route = elsewhere.replace(
        "\r\nContent-Length",
        "\r\nRoute: <sip:203.0.113.200;lr>\r\nContent-Length",
    );
    net.from(PHONE, &route.replace("-BYE-1", "-BYE-9"));
    net.nothing_to("203.0.113.200:5060");
    let sent = net.one_to(CORE, "BYE ").text;
    net.from(CORE, &reply(&sent, "481 Unknown", "x", ""));
}

#[test]
fn a_request_within_a_dialog_that_is_not_ours_gets_481_and_goes_nowhere() {
    let mut net = Net::new();
    let dialog = answered(&mut net);
    let good = dialog.by_caller("BYE", 2, "");
    let token = value(&good, "Route");
    let forged = token.replace("<sip:04", "<sip:06");
    let unsigned = format!("<sip:{US};lr>");
    let foreign = token.replace("192.0.2.10", "203.0.113.77");
    for (position, route) in [forged, unsigned, foreign].iter().enumerate() {
        let bad = good
            .replace(token, route)
            .replace("-BYE-2", &format!("-BYE-bad{position}"));
        net.from(CORE, &bad);
        net.one_to(CORE, "SIP/2.0 481 Call/Transaction Does Not Exist");
        net.from(CORE, &bad.replace("BYE", "ACK"));
        net.nothing_to(CORE);
    }
    let without = good.replace(&format!("Route: {token}\r\n"), "");
    net.from(CORE, &without);
    net.one_to(CORE, "SIP/2.0 481");
    net.nothing_to(PHONE);
}

#[test]
fn an_element_between_us_and_the_phone_keeps_its_route() {
    let mut net = Net::new();
    let call = invite(ARMED, "a");
    net.from(CORE, &call);
    let sent = net.one_to(PHONE, "INVITE ").text;
    let own = value(&sent, "Record-Route").to_owned();
    let ok = reply(&sent, "200 OK", "p", "");
    let ok = ok.replace(
        &format!("Record-Route: {own}"),
        &format!("Record-Route: <sip:203.0.113.5:5070;lr>\r\nRecord-Route: {own}"),
    );
    net.from(PHONE, &ok);
    let dialog = Dialog::of(&call, &ok);
    net.from(CORE, &dialog.by_caller("BYE", 2, ""));
    let bye = net.one_to("203.0.113.5:5070", "BYE ").text;
    assert_eq!(vec!["<sip:203.0.113.5:5070;lr>"], values(&bye, "Route"));
    net.from("203.0.113.5:5070", &reply(&bye, "200 OK", "p", ""));
}

#[test]
fn two_sides_with_an_address_each_get_a_record_route_each() {
    let mut net = Net::with(1, |settings| {
        settings.listen.push("192.0.2.11:5060".parse().unwrap());
    });
    let call = invite(ARMED, "a");
    net.stage.receive_at(0, 1, &call, super::net::at(CORE));
    let sent = net.one_to(PHONE, "INVITE ").text;
    assert!(value(&sent, "Via").starts_with("SIP/2.0/UDP 192.0.2.10:5060"));
    let hosts = |text: &str| -> Vec<String> {
        value(text, "Record-Route")
            .split(", ")
            .map(|route| route[route.find('@').unwrap()..].to_owned())
            .collect()
    };
    assert_eq!(
        vec!["@192.0.2.10:5060;lr>", "@192.0.2.11:5060;lr>"],
        hosts(&sent)
    );
    let ok = reply(&sent, "200 OK", "p", "");
    net.from(PHONE, &ok);
    let mut routes: Vec<&str> = value(&ok, "Record-Route").split(", ").collect();
    routes.reverse();
    let bye = Dialog::of(&call, &ok)
        .by_caller("BYE", 2, "")
        .replace(value(&ok, "Record-Route"), &routes.join(", "));
    net.stage.receive_at(0, 1, &bye, super::net::at(CORE));
    let bye = net.one_to(PHONE, "BYE ").text;
    assert_eq!(Vec::<&str>::new(), values(&bye, "Route"));
    assert!(
        value(&bye, "Via").starts_with("SIP/2.0/UDP 192.0.2.10:5060"),
        "the flow that the phone's NAT knows"
    );
    net.from(PHONE, &reply(&bye, "200 OK", "p", ""));
}

#[test]
fn max_forwards_ends_a_request_within_a_dialog_too() {
    let mut net = Net::new();
    let dialog = answered(&mut net);
    let bye = dialog
        .by_caller("BYE", 2, "")
        .replace("Max-Forwards: 70", "Max-Forwards: 0");
    net.from(CORE, &bye);
    net.one_to(CORE, "SIP/2.0 483 Too Many Hops");
    net.from(CORE, &bye.replace("BYE", "ACK"));
    net.nothing_to(PHONE);
    net.from(
        CORE,
        &request("INVITE", ARMED, "b", "", "").replace("Max-Forwards: 30", "Max-Forwards: 0"),
    );
    net.one_to(CORE, "SIP/2.0 483 Too Many Hops");
}
