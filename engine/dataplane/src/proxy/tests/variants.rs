//! What interconnects want different.

use route_core::{Cause, Health};

use super::messages::{invite, request, value, values};
use super::net::{ARMED, CORE, Net, PHONE};
use crate::settings::{HistoryInfo, Interconnect, NumberFormat, UriScheme};

type Change<'c> = &'c dyn Fn(&mut Interconnect);

fn answer(change: impl FnOnce(&mut Interconnect)) -> String {
    let mut net = Net::with(1, |settings| change(&mut settings.interconnects[0]));
    net.health(Health::Down, Cause::Expired);
    net.from(CORE, &invite(ARMED, "a"));
    net.one_to(CORE, "SIP/2.0 302").text
}

#[test]
fn numbers_are_written_as_the_core_wants_them() {
    let contact = |change: Change<'_>| value(&answer(change), "Contact").to_owned();
    let rows: [(Change<'_>, &str); 5] = [
        (
            &|_| {},
            "<sip:+491713920001@core.example.net;user=phone;cause=404>;q=1.0",
        ),
        (
            &|core| core.number_format = NumberFormat::InternationalPrefix,
            "<sip:00491713920001@core.example.net;user=phone;cause=404>;q=1.0",
        ),
        (
            &|core| core.number_format = NumberFormat::National,
            "<sip:01713920001@core.example.net;user=phone;cause=404>;q=1.0",
        ),
        (
            &|core| core.uri_scheme = UriScheme::Tel,
            "<tel:+491713920001;cause=404>;q=1.0",
        ),
        (
            &|core| core.domain.clear(),
            "<sip:+491713920001@192.0.2.10:5060;user=phone;cause=404>;q=1.0",
        ),
    ];
    for (change, expected) in rows {
        assert_eq!(expected, contact(change));
    }
}

#[test]
fn diversion_history_and_the_sip_reason_are_settings() {
    let text = answer(|core| {
        core.diversion = false;
        core.history_info = HistoryInfo::Always;
        core.reason_sip = true;
    });
    assert_eq!(Vec::<&str>::new(), values(&text, "Diversion"));
    assert_eq!(1, values(&text, "History-Info").len());
    assert_eq!(
        "Q.850;cause=20;text=\"Subscriber absent\", SIP;cause=404",
        value(&text, "Reason")
    );
}

#[test]
fn a_core_that_only_follows_redirects_gets_the_lines_own_contact() {
    let mut net = Net::with(1, |settings| settings.interconnects[0].redirect_only = true);
    net.from(CORE, &invite(ARMED, "a"));
    let text = net.one_to(CORE, "SIP/2.0 302").text;
    assert_eq!(
        "<sip:203.0.113.5:5060>, <sip:203.0.113.6:5060>",
        value(&text, "Contact")
    );
    assert_eq!(Vec::<&str>::new(), values(&text, "Diversion"));
    net.nothing_to(PHONE);
}

#[test]
fn numbers_are_read_in_every_way_a_core_writes_them() {
    let mut net = Net::new();
    net.health(Health::Down, Cause::OptionsTimeout);
    for (position, number) in [
        "+493023125001",
        "00493023125001",
        "493023125001",
        "03023125001",
    ]
    .iter()
    .enumerate()
    {
        net.from(CORE, &invite(number, &format!("c{position}")));
        net.one_to(CORE, "SIP/2.0 302");
    }
    net.from(
        CORE,
        &invite(ARMED, "tel").replace(
            "sip:+493023125001@192.0.2.10:5060;user=phone",
            "tel:+493023125001",
        ),
    );
    net.one_to(CORE, "SIP/2.0 302");
}

#[test]
fn unknown_local_and_foreign_calls_are_refused_as_they_should() {
    let mut net = Net::new();
    for (number, call, expected) in [
        ("+493023125999", "unknown", "SIP/2.0 404 Not Found"),
        ("23125001", "local", "SIP/2.0 484 Address Incomplete"),
        ("alice", "name", "SIP/2.0 404 Not Found"),
    ] {
        net.from(CORE, &invite(number, call));
        net.one_to(CORE, expected);
    }
    net.from(
        "203.0.113.99:5060",
        &invite(ARMED, "stranger").replace(CORE, "203.0.113.99:5060"),
    );
    net.one_to("203.0.113.99:5060", "SIP/2.0 403 Forbidden");
    let route = |host: &str| format!("Route: <sip:{host};lr>\r\n");
    net.from(
        CORE,
        &request("INVITE", ARMED, "routed", &route("203.0.113.99"), ""),
    );
    net.one_to(CORE, "SIP/2.0 403 Route Not Allowed");
    net.nothing_to(PHONE);
}
