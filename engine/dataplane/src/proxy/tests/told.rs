//! What Python is told about calls: each diverted one up to a rate, and the sums of each line.

use super::messages::{ack_of, cancel_of, invite, reply};
use super::net::{ARMED, CORE, LINE, Net, PHONE, SINGLE, SINGLE_LINE, SINGLE_PLAIN};
use crate::events::{DIVERTED_PER_SECOND, EventBody};
use crate::rows::{CallCounts, DivertedHow, DivertedRow};
use route_core::{Cause, Health, LineSlot};

/// The sums of a line over all that was told since the last call, after the interval is over.
fn sums(net: &mut Net, line: LineSlot) -> (CallCounts, Vec<DivertedRow>) {
    net.wait_ms(5_500);
    let mut sum = CallCounts::default();
    let mut diverted = Vec::new();
    for event in net.stage.events() {
        match event.body {
            EventBody::Calls(row) if row.line == line => {
                sum.offered += row.counts.offered;
                sum.completed += row.counts.completed;
                sum.declined += row.counts.declined;
                sum.cancelled += row.counts.cancelled;
                sum.diverted += row.counts.diverted;
                sum.rescued += row.counts.rescued;
                sum.failed += row.counts.failed;
            }
            EventBody::Diverted(row) => diverted.push(*row),
            _ => {}
        }
    }
    (sum, diverted)
}

#[test]
fn a_call_diverted_at_once_is_told_once_however_often_its_invite_is_repeated() {
    let mut net = Net::new();
    net.health(Health::Down, Cause::OptionsTimeout);
    for _ in 0..3 {
        net.from(CORE, &invite(ARMED, "a"));
        net.wait_ms(500);
    }
    let (sum, diverted) = sums(&mut net, LINE);
    let expected = CallCounts {
        offered: 1,
        diverted: 1,
        ..CallCounts::default()
    };
    assert_eq!(expected, sum);
    assert_eq!(1, diverted.len());
    let row = &diverted[0];
    assert_eq!(
        (LINE, DivertedHow::Redirect, false),
        (row.line, row.how, row.drill)
    );
    assert_eq!(
        ("493023125001", "491713920001"),
        (&*row.number.to_string(), &*row.target.to_string())
    );
    assert_eq!(Cause::OptionsTimeout, row.cause);
}

#[test]
fn a_drill_says_so() {
    let mut net = Net::new();
    net.table(|rows| rows.lines[0].wish = "drill".to_owned());
    net.from(CORE, &invite(ARMED, "a"));
    let (_, diverted) = sums(&mut net, LINE);
    assert!(diverted[0].drill);
}

#[test]
fn each_end_of_a_call_that_was_sent_on_is_counted_once() {
    let mut net = Net::new();
    for (call, answer) in [("ok", "200 OK"), ("no", "486 Busy Here")] {
        net.from(CORE, &invite(SINGLE, call));
        let sent = net.one_to(PHONE, "INVITE ").text;
        net.from(PHONE, &reply(&sent, answer, "p", ""));
        net.from(PHONE, &reply(&sent, answer, "p", ""));
        net.all_to(PHONE);
    }
    let given_up = invite(SINGLE, "gone");
    net.from(CORE, &given_up);
    net.from(CORE, &cancel_of(&given_up));
    net.all_to(PHONE);
    net.from(CORE, &invite(SINGLE, "saved"));
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "503 Service Unavailable", "p", ""));
    net.all_to(PHONE);
    net.from(CORE, &invite(SINGLE_PLAIN, "lost"));
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "503 Service Unavailable", "p", ""));
    let (sum, diverted) = sums(&mut net, SINGLE_LINE);
    let expected = CallCounts {
        offered: 5,
        completed: 1,
        declined: 1,
        cancelled: 1,
        diverted: 0,
        rescued: 1,
        failed: 1,
    };
    assert_eq!(expected, sum);
    assert_eq!(
        vec![(DivertedHow::Rescue, Cause::CallFailed(503))],
        diverted
            .iter()
            .map(|row| (row.how, row.cause))
            .collect::<Vec<_>>()
    );
}

#[test]
fn of_a_mass_of_diverted_calls_some_are_told_and_all_are_counted() {
    let mut net = Net::new();
    net.health(Health::Down, Cause::OptionsTimeout);
    for call in 0..1_000 {
        let call = invite(ARMED, &format!("m{call}"));
        net.from(CORE, &call);
        let answer = net.one_to(CORE, "SIP/2.0 302").text;
        net.from(CORE, &ack_of(&call, &answer));
    }
    let (sum, diverted) = sums(&mut net, LINE);
    assert_eq!((1_000, 1_000), (sum.offered, sum.diverted));
    assert_eq!(DIVERTED_PER_SECOND as usize, diverted.len());
}
