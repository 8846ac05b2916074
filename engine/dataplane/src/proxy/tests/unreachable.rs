//! What ICMP errors and refused sends do to calls.

use route_core::{Cause, Health, Unreachable};

use super::messages::{Dialog, OFFER, ack_of, cancel_of, invite, reply, value};
use super::net::{ARMED, BACKUP, CORE, Net, PHONE, SINGLE, SINGLE_PLAIN, at};
use crate::net::SendFault;

/// The least that a router quotes behind the UDP header, and what Linux does.
const NOTHING: usize = 0;
const LINUX: usize = 520;

impl Net {
    fn unreachable(&mut self, destination: &str, sent: &str, quoted: usize) {
        let quote = &sent[..quoted.min(sent.len())];
        self.stage
            .unreachable_at(0, Unreachable::Host, at(destination), quote);
    }
}

#[test]
fn a_call_is_diverted_at_the_first_report_and_its_branch_lives_on() {
    for quoted in [NOTHING, LINUX] {
        let mut net = Net::new();
        let call = invite(SINGLE, "a");
        net.from(CORE, &call);
        let sent = net.one_to(PHONE, "INVITE ").text;
        net.one_to(CORE, "SIP/2.0 100");
        net.unreachable(PHONE, &sent, quoted);
        let answer = net.one_to(CORE, "SIP/2.0 302");
        assert_eq!(0, net.elapsed_ms(&answer), "at once");
        assert_eq!(
            "Q.850;cause=27;text=\"Destination out of order\"",
            value(&answer.text, "Reason")
        );
        net.from(CORE, &ack_of(&call, &answer.text));
        net.wait_ms(4_000);
        let repeated = net.starts_to(PHONE);
        assert!(
            repeated.len() > 1 && repeated.iter().all(|line| line.starts_with("INVITE ")),
            "the report may be spurious: {repeated:?}"
        );
        // Reports about the repetitions change nothing, and a late answer is hung up.
        net.unreachable(PHONE, &sent, quoted);
        net.nothing_to(CORE);
        net.from(PHONE, &reply(&sent, "200 OK", "p", OFFER));
        let starts = net.starts_to(PHONE);
        assert!(
            starts[0].starts_with("ACK ") && starts[1].starts_with("BYE "),
            "{starts:?}"
        );
        assert_eq!(1, net.count("calls_rescued"));
        assert_eq!(1, net.count("unreachables_taken"));
    }
}

#[test]
fn the_next_target_is_tried_before_the_call_is_diverted() {
    let mut net = Net::new();
    net.from(CORE, &invite(ARMED, "a"));
    net.one_to(CORE, "SIP/2.0 100");
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.unreachable(PHONE, &sent, LINUX);
    net.nothing_to(CORE);
    let sent = net.one_to(BACKUP, "INVITE ").text;
    net.unreachable(BACKUP, &sent, LINUX);
    let answer = net.one_to(CORE, "SIP/2.0 302");
    assert_eq!(0, net.elapsed_ms(&answer));
}

#[test]
fn a_call_with_nowhere_else_to_go_outlives_a_report_but_not_many() {
    let mut net = Net::new();
    net.from(CORE, &invite(SINGLE_PLAIN, "a"));
    net.one_to(CORE, "SIP/2.0 100");
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.unreachable(PHONE, &sent, LINUX);
    net.wait_ms(500);
    net.unreachable(PHONE, &sent, LINUX);
    net.nothing_to(CORE);
    net.wait_ms(1_000);
    net.unreachable(PHONE, &sent, LINUX);
    let answer = net.one_to(CORE, "SIP/2.0 480").text;
    assert!(value(&answer, "Reason").starts_with("Q.850;cause=27"));

    // The report was spurious.
    let mut net = Net::new();
    net.from(CORE, &invite(SINGLE_PLAIN, "a"));
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.unreachable(PHONE, &sent, LINUX);
    net.wait_ms(600);
    net.from(PHONE, &reply(&sent, "486 Busy Here", "p", ""));
    assert_eq!(
        vec!["SIP/2.0 100 Trying", "SIP/2.0 486 Busy Here"],
        net.starts_to(CORE)
    );
}

#[test]
fn a_line_that_was_down_gets_no_second_chance() {
    let mut net = Net::new();
    net.health(Health::Down, Cause::OptionsTimeout);
    net.from(CORE, &invite(SINGLE_PLAIN, "a"));
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.unreachable(PHONE, &sent, LINUX);
    assert_eq!(
        vec!["SIP/2.0 100 Trying", "SIP/2.0 480 Temporarily Unavailable"],
        net.starts_to(CORE)
    );
}

#[test]
fn a_report_that_does_not_fit_is_nothing() {
    let mut net = Net::new();
    net.from(CORE, &invite(SINGLE, "a"));
    let sent = net.one_to(PHONE, "INVITE ").text;
    let mut forged = sent.clone();
    let branch = forged.find("branch=z9hG4bK").unwrap() + "branch=z9hG4bK".len() + 5;
    let other = if &forged[branch..=branch] == "0" {
        "1"
    } else {
        "0"
    };
    forged.replace_range(branch..=branch, other);
    let reports = [
        ("another destination", BACKUP, sent.clone()),
        (
            "an unquoted one to another destination",
            BACKUP,
            String::new(),
        ),
        ("another branch", PHONE, forged),
        (
            "a response",
            PHONE,
            "SIP/2.0 302 Moved Temporarily\r\n".to_owned(),
        ),
        ("another method", PHONE, sent.replacen("INVITE", "BYE", 1)),
    ];
    net.one_to(CORE, "SIP/2.0 100");
    for (what, destination, quote) in reports {
        net.unreachable(destination, &quote, LINUX);
        assert_eq!(Vec::<String>::new(), net.starts_to(CORE), "{what}");
    }
    assert_eq!(0, net.count("unreachables_taken"));
    assert_eq!(5, net.count("unreachables"));
    net.from(CORE, &cancel_of(&invite(SINGLE, "a")));
}

#[test]
fn after_a_100_the_branch_must_be_quoted_and_after_a_180_nothing_counts() {
    let mut net = Net::new();
    net.from(CORE, &invite(SINGLE, "a"));
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "100 Trying", "", ""));
    net.one_to(CORE, "SIP/2.0 100");
    net.unreachable(PHONE, &sent, NOTHING);
    net.nothing_to(CORE);
    net.unreachable(PHONE, &sent, LINUX);
    net.one_to(CORE, "SIP/2.0 302");
    net.one_to(PHONE, "CANCEL ");

    let mut net = Net::new();
    net.from(CORE, &invite(SINGLE, "a"));
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "180 Ringing", "p", ""));
    net.all_to(CORE);
    net.unreachable(PHONE, &sent, LINUX);
    net.nothing_to(CORE);
    net.from(PHONE, &reply(&sent, "486 Busy Here", "p", ""));
}

#[test]
fn any_workers_socket_may_tell() {
    for call in 0..8 {
        for quoted in [NOTHING, LINUX] {
            for socket in 0..3 {
                let mut net = Net::with(3, |_| {});
                net.from(CORE, &invite(SINGLE, &format!("call{call}")));
                let sent = net.one_to(PHONE, "INVITE ").text;
                let quote = &sent[..quoted.min(sent.len())];
                net.stage
                    .unreachable_at(socket, Unreachable::Port, at(PHONE), quote);
                assert_eq!(
                    vec!["SIP/2.0 100 Trying", "SIP/2.0 302 Moved Temporarily"],
                    net.starts_to(CORE)
                );
            }
        }
    }
}

#[test]
fn a_request_within_a_dialog_ends_as_if_503_had_come() {
    let mut net = Net::new();
    let call = invite(ARMED, "a");
    net.from(CORE, &call);
    let sent = net.one_to(PHONE, "INVITE ").text;
    let ok = reply(&sent, "200 OK", "p", OFFER);
    net.from(PHONE, &ok);
    net.all_to(CORE);
    let dialog = Dialog::of(&call, &ok);
    for (cseq, method) in [(2, "INVITE"), (3, "INFO"), (4, "BYE")] {
        let request = dialog.by_caller(method, cseq, "");
        net.from(CORE, &request);
        let sent = net.one_to(PHONE, method).text;
        net.unreachable(PHONE, &sent, LINUX);
        let answer = net.all_to(CORE).pop().unwrap().text;
        assert!(answer.starts_with("SIP/2.0 500"), "{answer}");
        net.wait_ms(3_000);
        net.nothing_to(PHONE);
        if method == "INVITE" {
            net.from(CORE, &ack_of(&request, &answer));
        }
        net.all_to(CORE);
    }
}

#[test]
fn a_refused_send_diverts_only_if_there_is_no_way() {
    let mut net = Net::new();
    net.from(CORE, &invite(SINGLE, "a"));
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.one_to(CORE, "SIP/2.0 100");
    net.stage.refuse(SendFault::Void, at(PHONE), &sent);
    net.nothing_to(CORE);
    net.stage.refuse(SendFault::NoRoute, at(PHONE), &sent);
    net.one_to(CORE, "SIP/2.0 302");
}
