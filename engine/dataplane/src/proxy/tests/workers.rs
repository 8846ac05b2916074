//! Several workers: whichever socket a datagram comes to, its transaction is found.

use super::messages::{Dialog, OFFER, ack_of, cancel_of, invite, reply};
use super::net::{CORE, Net, PHONE, SINGLE, SINGLE_PLAIN, at};
use route_core::{Cause, Health};

impl Net {
    fn give(&mut self, worker: usize, source: &str, datagram: &str) {
        self.stage.receive_at(worker, 0, datagram, at(source));
    }

    fn proxied_by(&self) -> Vec<u64> {
        self.stage
            .cores
            .iter()
            .map(|core| core.counters.calls_proxied.value())
            .collect()
    }
}

#[test]
fn one_peer_with_one_port_loads_all_workers() {
    let mut net = Net::with(2, |_| {});
    for call in 0..40 {
        let call = invite(SINGLE, &format!("call{call}"));
        net.give(0, CORE, &call);
        net.give(0, CORE, &cancel_of(&call));
    }
    assert!(
        net.proxied_by().iter().all(|count| *count >= 8),
        "{:?}",
        net.proxied_by()
    );
    assert_eq!(40, net.count("calls_cancelled"));
}

#[test]
fn an_invite_its_repetition_its_cancel_and_its_ack_meet_at_their_worker() {
    for call in 0..8 {
        let call = invite(SINGLE_PLAIN, &format!("call{call}"));
        let mut net = Net::with(2, |_| {});
        net.give(0, CORE, &call);
        net.give(1, CORE, &call);
        let sent = net.one_to(PHONE, "INVITE ").text;
        net.give(1, PHONE, &reply(&sent, "180 Ringing", "p", ""));
        net.give(0, CORE, &cancel_of(&call));
        net.one_to(PHONE, "CANCEL ");
        net.give(0, PHONE, &reply(&sent, "487 Request Terminated", "p", ""));
        net.one_to(PHONE, "ACK ");
        let answer = net.all_to(CORE).pop().unwrap();
        assert!(answer.text.starts_with("SIP/2.0 487"));
        net.give(1, CORE, &ack_of(&call, &answer.text));
        net.wait_ms(10_000);
        net.nothing_to(CORE);
        assert_eq!(1, net.count("retransmissions_absorbed"));
        assert_eq!(0, net.count("stray_dropped"));
    }
}

#[test]
fn a_repeated_invite_finds_its_first_302_and_the_ack_is_absorbed_anywhere() {
    for call in 0..8 {
        let call = invite(SINGLE, &format!("call{call}"));
        let mut net = Net::with(2, |_| {});
        net.health(Health::Down, Cause::OptionsTimeout);
        net.give(0, CORE, &call);
        let first = net.one_to(CORE, "SIP/2.0 302");
        net.health(Health::Up, Cause::OptionsAnswered);
        net.give(1, CORE, &call);
        assert_eq!(first.text, net.one_to(CORE, "SIP/2.0 302").text);
        for worker in [0, 1] {
            net.give(worker, CORE, &ack_of(&call, &first.text));
            net.give(worker, CORE, &cancel_of(&call));
            net.one_to(CORE, "SIP/2.0 200 OK");
        }
        assert_eq!(2, net.count("acks_absorbed"));
    }
}

#[test]
fn a_dialog_goes_on_at_any_worker() {
    for worker in [0, 1] {
        let mut net = Net::with(2, |_| {});
        let call = invite(SINGLE, "a");
        net.give(worker, CORE, &call);
        let sent = net.one_to(PHONE, "INVITE ").text;
        let ok = reply(&sent, "200 OK", "p", OFFER);
        net.give(1 - worker, PHONE, &ok);
        net.all_to(CORE);
        let dialog = Dialog::of(&call, &ok);
        net.give(1 - worker, CORE, &dialog.by_caller("ACK", 1, ""));
        net.one_to(PHONE, "ACK ");
        net.give(worker, CORE, &dialog.by_caller("BYE", 2, ""));
        let bye = net.one_to(PHONE, "BYE ").text;
        net.give(worker, PHONE, &reply(&bye, "200 OK", "p", ""));
        net.one_to(CORE, "SIP/2.0 200 OK");
    }
}
