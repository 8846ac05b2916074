//! Calls that were diverted before they came to us: no circles, no endless chains.

use std::fmt::Write as _;

use super::messages::{OFFER, request, values};
use super::net::{ARMED, CORE, LINE, Net, PHONE, PLAIN, SEVERAL, SINGLE};
use route_core::{Cause, Health};

/// Where `ARMED` and `SINGLE` are diverted to.
const TARGET: &str = "+491713920001";
const OTHER: &str = "+4989999980001";

/// What the caller of `number` gets while its line is down; an INVITE that reaches the line is a last try.
fn outcome(number: &str, extra: &str) -> &'static str {
    let mut net = Net::new();
    net.health(Health::Down, Cause::OptionsTimeout);
    net.from(CORE, &request("INVITE", number, "a", extra, OFFER));
    let answers = net.starts_to(CORE);
    let tried = !net.all_to(PHONE).is_empty();
    let circles = net.count("diversions_circular");
    let too_many = net.count("diversions_too_many");
    match (answers[0].as_str(), tried, circles, too_many) {
        ("SIP/2.0 302 Moved Temporarily", false, 0, 0) => "diverted",
        ("SIP/2.0 100 Trying", true, 1, 0) => "circle",
        ("SIP/2.0 100 Trying", true, 0, 1) => "too many",
        ("SIP/2.0 100 Trying", true, 0, 0) => "not armed",
        other => panic!("{extra}: {other:?}"),
    }
}

#[test]
fn a_call_is_not_diverted_from_a_number_that_it_was_diverted_from_before() {
    let ours = SINGLE.trim_start_matches('+');
    let national = format!("0{}", &ours[2..]);
    for (extra, expected) in [
        (String::new(), "diverted"),
        // RFC 5806: by whoever diverted it, in each form that the core may write.
        (
            format!("Diversion: <sip:{SINGLE}@core.example.net>;reason=out-of-service\r\n"),
            "circle",
        ),
        (
            format!("Diversion: <sip:{national}@gw>;reason=unavailable;counter=1;privacy=off\r\n"),
            "circle",
        ),
        (
            format!("Diversion: <tel:{SINGLE}>;reason=no-answer\r\n"),
            "circle",
        ),
        (
            format!("Diversion: \"a, b\" <sip:00{ours};npdi@gw;user=phone>;reason=unknown\r\n"),
            "circle",
        ),
        (
            format!(
                "Diversion: <sip:{OTHER}@gw>;reason=unknown, <sip:{SINGLE}@gw>;reason=unknown\r\n"
            ),
            "circle",
        ),
        (
            format!("Diversion: <sip:{OTHER}@gw>\r\nDiversion: <sip:{SINGLE}@gw>\r\n"),
            "circle",
        ),
        (
            format!("Diversion: <sip:{OTHER}@gw>;reason=user-busy\r\n"),
            "diverted",
        ),
        (
            "Diversion: <sip:anonymous@anonymous.invalid>\r\n".to_owned(),
            "diverted",
        ),
        ("Diversion: nonsense\r\n".to_owned(), "diverted"),
        // RFC 7044: the last entry is the call as it stands.
        (
            format!("History-Info: <sip:{SINGLE}@core>;index=1\r\n"),
            "diverted",
        ),
        (
            format!(
                "History-Info: <sip:{SINGLE}@core>;index=1, <sip:{SINGLE}@us>;index=1.1;rc=1\r\n"
            ),
            "diverted",
        ),
        (
            format!(
                "History-Info: <sip:{OTHER}@core>;index=1, <sip:{SINGLE};cause=302@us>;index=1.1;mp=1\r\n"
            ),
            "diverted",
        ),
        (
            format!("History-Info: <sip:{OTHER}@core>;index=1\r\n"),
            "diverted",
        ),
        (
            format!(
                "History-Info: <sip:{SINGLE}@core>;index=1, <sip:{TARGET}@core;cause=408>;index=1.1;mp=1\r\n"
            ),
            "circle",
        ),
        (
            format!(
                "History-Info: <sip:{SINGLE}@core?Reason=Q.850%3Bcause%3D18>;index=1\r\n\
                 History-Info: <sip:{TARGET}@core;cause=408>;index=1.1;mp=1, <sip:{SINGLE}@core;cause=302>;index=1.1.1;mp=1.1\r\n"
            ),
            "circle",
        ),
        (
            format!(
                "History-Info: <sip:{SINGLE}@core>;index=1, <sip:anonymous@anonymous.invalid;cause=302>;index=1.1;mp=1, <sip:{SINGLE}@us>;index=1.1.1\r\n"
            ),
            "circle",
        ),
    ] {
        assert_eq!(expected, outcome(SINGLE, &extra), "{extra}");
    }
}

#[test]
fn a_call_that_was_diverted_five_times_is_not_diverted_a_sixth_time() {
    let diverted = |count: usize| {
        let mut lines = String::new();
        for n in 0..count {
            write!(
                lines,
                "Diversion: <sip:+4922147100{n:02}@gw>;reason=unconditional\r\n"
            )
            .unwrap();
        }
        lines
    };
    for (extra, expected) in [
        (diverted(4), "diverted"),
        (diverted(5), "too many"),
        (diverted(40), "too many"),
        (
            format!("Diversion: <sip:{OTHER}@gw>;counter=4\r\n"),
            "diverted",
        ),
        (
            format!("Diversion: <sip:{OTHER}@gw>;counter=5\r\n"),
            "too many",
        ),
        (
            format!("Diversion: <sip:{OTHER}@gw>;counter=99999999999\r\n"),
            "too many",
        ),
        (
            format!("Diversion: <sip:{OTHER}@gw>;counter=x\r\n"),
            "diverted",
        ),
        // Both header fields tell of the same diversions: they are not added up.
        (
            format!(
                "Diversion: <sip:{OTHER}@gw>;counter=4\r\nHistory-Info: <sip:{OTHER}@gw>;index=1, <sip:{SINGLE}@gw;cause=302>;index=1.1;mp=1\r\n"
            ),
            "diverted",
        ),
    ] {
        assert_eq!(expected, outcome(SINGLE, &extra), "{extra}");
    }
    let mut history = format!("History-Info: <sip:{OTHER}@gw>;index=1");
    for n in 0..4 {
        write!(
            history,
            ", <sip:+4922147100{n:02}@gw;cause=302>;index=1.{n};mp=1"
        )
        .unwrap();
    }
    let history = format!("{history}, <sip:{SINGLE}@gw;cause=302>;index=1.9;mp=1\r\n");
    assert_eq!("too many", outcome(SINGLE, &history));
}

#[test]
fn a_target_that_the_call_came_from_is_left_out() {
    let from = |number: &str| format!("Diversion: <sip:{number}@gw>;reason=no-answer\r\n");
    assert_eq!("circle", outcome(SINGLE, &from(TARGET)), "none is left");
    let mut net = Net::new();
    net.health(Health::Down, Cause::OptionsTimeout);
    net.from(CORE, &request("INVITE", SEVERAL, "a", &from(TARGET), OFFER));
    let answer = net.one_to(CORE, "SIP/2.0 302").text;
    let contact = values(&answer, "Contact").join(", ");
    assert!(
        contact.contains("sip:+49406696903@") && !contact.contains(TARGET),
        "{contact}"
    );
}

#[test]
fn where_nothing_is_armed_nothing_is_refused() {
    for number in [OTHER, PLAIN] {
        let extra = format!("Diversion: <sip:{number}@gw>;counter=9\r\n");
        assert_eq!("not armed", outcome(PLAIN, &extra));
    }
}

#[test]
fn a_call_in_a_circle_is_not_rescued_either() {
    for extra in [
        String::new(),
        format!("Diversion: <sip:{ARMED}@gw>;reason=out-of-service\r\n"),
    ] {
        let mut net = Net::new();
        net.targets(LINE, &[(PHONE, Health::Up)]);
        net.health(Health::Up, Cause::OptionsAnswered);
        net.from(CORE, &request("INVITE", ARMED, "a", &extra, OFFER));
        net.wait_ms(2_000);
        let answers = net.starts_to(CORE);
        let diverted = answers.iter().any(|line| line.starts_with("SIP/2.0 302"));
        assert_eq!(extra.is_empty(), diverted, "{answers:?}");
        net.all_to(PHONE);
    }
}
