//! A 200 waits for the store, but not for ever.

use std::time::Duration;

use super::phone::{Phone, USER, exchange, line, status};
use crate::events::EventBody;
use crate::worker::testing::{Sent, Stage, settings};

const BIND: &str = "Contact: <sip:pbx@10.0.0.7:5062>\r\n";

/// An open registrar whose 200s wait 100 ms.
fn waiting_stage() -> Stage {
    let mut settings = settings(1);
    settings.registrar.open = true;
    let mut stage = Stage::new(settings);
    stage.put_lines([line(0, &[USER], USER)]);
    stage
}

fn statuses(sent: &[Sent]) -> Vec<u16> {
    sent.iter()
        .filter(|one| one.text.starts_with("SIP/2.0 "))
        .map(status)
        .collect()
}

/// Sequence number of the last binding event.
fn last_seq(stage: &Stage) -> u64 {
    let told = stage.events().into_iter();
    let mut bindings = told.filter(|event| matches!(event.body, EventBody::Binding { .. }));
    bindings.next_back().map_or(0, |event| event.seq)
}

#[test]
fn the_store_releases_what_it_has_and_no_more() {
    let (mut stage, mut phone) = (waiting_stage(), Phone::default());
    let first = phone.request(BIND);
    assert!(exchange(&mut stage, &first, phone.source).is_empty());
    let seq = last_seq(&stage);
    let second = phone.request(BIND);
    assert!(exchange(&mut stage, &second, phone.source).is_empty());
    assert!(
        exchange(&mut stage, &first, phone.source).is_empty(),
        "a retransmission waits like the request"
    );
    stage.stored(seq - 1);
    assert_eq!(Vec::<u16>::new(), statuses(&stage.sent()));
    stage.stored(seq);
    let sent = stage.sent();
    assert_eq!(vec![200], statuses(&sent));
    assert_eq!(Some("1 REGISTER"), sent[0].header("CSeq"));
    let again = exchange(&mut stage, &first, phone.source);
    assert_eq!(vec![200], statuses(&again));
    stage.stored(last_seq(&stage));
    assert_eq!(vec![200], statuses(&stage.sent()));
    stage.advance(Duration::from_millis(200));
    assert_eq!(Vec::<u16>::new(), statuses(&stage.sent()));
    assert_eq!(
        (2, 0),
        (
            stage.counter("registrations_accepted"),
            stage.counter("registrations_unsaved")
        )
    );
}

#[test]
fn the_timer_releases_what_the_store_does_not_take() {
    let (mut stage, mut phone) = (waiting_stage(), Phone::default());
    let request = phone.request(BIND);
    exchange(&mut stage, &request, phone.source);
    stage.advance(Duration::from_millis(96));
    assert_eq!(Vec::<u16>::new(), statuses(&stage.sent()));
    stage.advance(Duration::from_millis(8));
    assert_eq!(vec![200], statuses(&stage.sent()));
    assert_eq!(1, stage.counter("registrations_unsaved"));
    stage.stored(last_seq(&stage));
    assert_eq!(Vec::<u16>::new(), statuses(&stage.sent()), "answered once");
}

#[test]
fn a_query_and_a_change_of_nothing_do_not_wait() {
    let (mut stage, mut phone) = (waiting_stage(), Phone::default());
    for headers in [
        "",
        "Contact: <sip:nobody@b>;expires=0\r\n",
        "Contact: *\r\nExpires: 0\r\n",
    ] {
        assert_eq!(200, status(&phone.send(&mut stage, headers)), "{headers}");
    }
    assert_eq!(0, stage.counter("registrations_unsaved"));
}

#[test]
fn a_wait_of_any_number_is_released_in_any_order() {
    let mut stage = waiting_stage();
    let mut phones: Vec<Phone> = (0..20).map(|_| Phone::default()).collect();
    let (mut seqs, mut released) = (Vec::new(), 0);
    for (number, phone) in phones.iter_mut().enumerate() {
        phone.source.set_port(40_000 + number as u16);
        phone.cseq = number as u32;
        let request = phone.request(BIND);
        released += exchange(&mut stage, &request, phone.source).len();
        seqs.push(last_seq(&stage));
        stage.advance(Duration::from_millis(12));
    }
    released += statuses(&stage.sent()).len();
    assert_eq!(12, released, "eight of 12 ms are younger than the wait");
    stage.stored(seqs[15]);
    assert_eq!(4, statuses(&stage.sent()).len());
    stage.stored(seqs[19]);
    assert_eq!(4, statuses(&stage.sent()).len());
    stage.advance(Duration::from_millis(200));
    assert_eq!(
        (0, 12),
        (
            statuses(&stage.sent()).len(),
            stage.counter("registrations_unsaved")
        )
    );
}
