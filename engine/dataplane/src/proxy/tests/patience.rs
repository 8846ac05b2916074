//! How long a call waits, and what it does meanwhile.

use std::collections::BTreeSet;

use super::messages::{OFFER, cancel_of, invite, reply};
use super::net::{
    ARMED, BACKUP, CORE, LINE, Net, PHONE, SINGLE, SINGLE_LINE, SINGLE_PLAIN, first_lines,
};
use crate::worker::testing::{Sent, static_line};
use route_core::{Cause, Health};

fn times(net: &Net, sent: &[Sent]) -> Vec<u64> {
    sent.iter().map(|sent| net.elapsed_ms(sent)).collect()
}

/// What the owner of the line has learnt about the way to the phone.
fn quality(net: &Net, loss_permille: u16, srtt_us: u32) {
    let slot = net.stage.shared.slots.slot(SINGLE_LINE).unwrap();
    slot.targets().unwrap()[0].set_quality(loss_permille, srtt_us);
}

#[test]
fn an_invite_is_repeated_quickly_where_much_is_lost_or_nothing_is_known() {
    for (loss, expected) in [
        (29, vec![0, 500, 1_500]),
        (30, vec![0, 80, 240, 560, 1_200]),
        (crate::slots::LOSS_UNKNOWN, vec![0, 80, 240, 560, 1_200]),
    ] {
        let mut net = Net::new();
        quality(&net, loss, 0);
        net.from(CORE, &invite(SINGLE, "a"));
        net.wait_ms(1_900);
        let sent = net.all_to(PHONE);
        assert_eq!(expected, times(&net, &sent), "{loss}");
        let answers = net.all_to(CORE);
        assert_eq!(1_900, net.elapsed_ms(&answers[1]));
    }
}

#[test]
fn a_suspect_line_has_the_short_timer_and_a_round_trip() {
    let mut net = Net::new();
    net.health(Health::Suspect, Cause::OptionsTimeout);
    quality(&net, 0, 400_000);
    net.from(CORE, &invite(SINGLE, "a"));
    net.wait_ms(3_000);
    let answers = net.all_to(CORE);
    assert_eq!(1_200, net.elapsed_ms(&answers[1]));
}

#[test]
fn two_silent_targets_cost_no_more_than_one() {
    let mut net = Net::new();
    net.from(CORE, &invite(ARMED, "a"));
    net.wait_ms(3_000);
    let second = net.all_to(BACKUP);
    assert_eq!(vec![1_140], times(&net, &second[..1]));
    let answers = net.all_to(CORE);
    assert!(answers[1].text.starts_with("SIP/2.0 302"));
    assert_eq!(1_940, net.elapsed_ms(&answers[1]));
}

#[test]
fn the_targets_that_failed_a_call_stand_behind_the_others() {
    let mut net = Net::new();
    net.targets(LINE, &[(PHONE, Health::Suspect), (BACKUP, Health::Unknown)]);
    net.from(CORE, &invite(ARMED, "a"));
    net.nothing_to(PHONE);
    let sent = net.one_to(BACKUP, "INVITE ").text;
    net.from(BACKUP, &reply(&sent, "486 Busy Here", "b", ""));
    net.targets(LINE, &[(PHONE, Health::Down), (BACKUP, Health::Suspect)]);
    net.from(CORE, &invite(ARMED, "b"));
    net.nothing_to(PHONE);
    let sent = net.all_to(BACKUP).pop().unwrap().text;
    net.from(BACKUP, &reply(&sent, "486 Busy Here", "b", ""));
}

#[test]
fn a_sign_of_life_buys_one_more_second_where_much_is_lost() {
    for (loss, lives, expected) in [
        (360, true, 2_900),
        (360, false, 1_900),
        (crate::slots::LOSS_UNKNOWN, true, 1_900),
    ] {
        let mut net = Net::new();
        quality(&net, loss, 0);
        net.from(CORE, &invite(SINGLE, "a"));
        net.wait_ms(600);
        if lives {
            let slot = net.stage.shared.slots.slot(SINGLE_LINE).unwrap();
            slot.targets().unwrap()[0].seen(net.stage.now());
        }
        net.wait_ms(4_000);
        let answers = net.all_to(CORE);
        assert_eq!(expected, net.elapsed_ms(&answers[1]), "{loss} {lives}");
    }
}

#[test]
fn a_180_that_was_lost_comes_again_and_the_call_goes_on() {
    let mut net = Net::new();
    quality(&net, 100, 0);
    net.from(CORE, &invite(SINGLE, "a"));
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "100 Trying", "", ""));
    net.wait_ms(1_000);
    // The first repetition after an eighth of the trying timer: the phone answers as it did last.
    let again = net.one_to(PHONE, "INVITE ");
    assert_eq!((1_000, &sent), (net.elapsed_ms(&again), &again.text));
    net.from(PHONE, &reply(&sent, "180 Ringing", "p", ""));
    net.wait_ms(60_000);
    net.nothing_to(PHONE);
    net.from(PHONE, &reply(&sent, "200 OK", "p", OFFER));
    assert_eq!(
        vec![
            "SIP/2.0 100 Trying",
            "SIP/2.0 180 Ringing",
            "SIP/2.0 200 OK"
        ],
        net.starts_to(CORE)
    );
}

#[test]
fn a_cancelled_call_repeats_no_invite() {
    let mut net = Net::new();
    let call = invite(SINGLE, "a");
    net.from(CORE, &call);
    let sent = net.one_to(PHONE, "INVITE ").text;
    net.from(PHONE, &reply(&sent, "100 Trying", "", ""));
    net.from(CORE, &cancel_of(&call));
    let cancel = net.one_to(PHONE, "CANCEL ").text;
    net.from(PHONE, &reply(&cancel, "200 OK", "p", ""));
    net.wait_ms(7_000);
    net.nothing_to(PHONE);
    net.from(PHONE, &reply(&sent, "487 Request Terminated", "p", ""));
}

#[test]
fn a_503_that_names_its_end_is_diverted_whatever_the_profile_lists() {
    let mut net = Net::with(1, |settings| {
        settings.profiles[0].calls.fault_codes = crate::settings::FaultCodes::new([408]);
    });
    net.from(CORE, &invite(SINGLE, "a"));
    let sent = net.one_to(PHONE, "INVITE ").text;
    let busy = reply(&sent, "503 Service Unavailable", "p", "");
    let busy = busy.replace("Content-Length", "Retry-After: 30\r\nContent-Length");
    net.from(PHONE, &busy);
    assert_eq!("SIP/2.0 302 Moved Temporarily", net.starts_to(CORE)[1]);
}

#[test]
fn the_first_calls_after_a_recovery_carry_the_short_timer_if_they_can_be_diverted() {
    let mut net = Net::new();
    let slot = net.stage.shared.slots.slot(SINGLE_LINE).unwrap();
    slot.set_returning(1);
    net.from(CORE, &invite(SINGLE_PLAIN, "none armed"));
    net.from(CORE, &invite(SINGLE, "first"));
    net.from(CORE, &invite(SINGLE, "second"));
    net.wait_ms(2_000);
    let answers = net.all_to(CORE);
    let mut seen = BTreeSet::new();
    let diverted: Vec<(u64, String)> = answers
        .iter()
        .filter(|answer| seen.insert(answer.text.clone()))
        .filter(|answer| answer.text.starts_with("SIP/2.0 302"))
        .map(|answer| {
            (
                net.elapsed_ms(answer),
                answer.header("Call-ID").unwrap().to_owned(),
            )
        })
        .collect();
    assert_eq!(
        vec![
            (800, "first@core.example.net".to_owned()),
            (1_900, "second@core.example.net".to_owned())
        ],
        diverted
    );
}

#[test]
fn half_a_second_of_silence_asks_the_target() {
    let mut net = Net::new();
    // The owner learns of the line, asks it, and is content for the next ten seconds.
    net.targets(SINGLE_LINE, &[]);
    net.stage.put_lines([static_line(2, &[PHONE])]);
    let probe = loop {
        net.wait_ms(20);
        if let Some(probe) = net.all_to(PHONE).pop() {
            break probe;
        }
    };
    net.from(PHONE, &reply(&probe.text, "200 OK", "p", ""));
    quality(&net, 0, 0);
    net.from(CORE, &invite(SINGLE, "a"));
    net.one_to(PHONE, "INVITE ");
    net.wait_ms(1_000);
    let asked = net.all_to(PHONE);
    assert_eq!(
        vec!["INVITE", "OPTIONS"],
        first_lines(&asked)
            .iter()
            .map(|line| line.split(' ').next().unwrap())
            .collect::<Vec<_>>()
    );
    // Not sooner than one fast interval after the last one.
    let gap = net.elapsed_ms(&asked[1]) - net.elapsed_ms(&probe);
    assert_eq!(1_000, gap);
    net.stage.replace([]);
}
