//! Whether loss and long round trips divert calls whose phone is well: ten thousand calls to one line, on a virtual clock.
//!
//! The phone is an ordinary one: 100 at once, 180 after a second, 200 after four to twelve. An INVITE that comes again gets its
//! latest provisional answer (RFC 3261 §17.2.1); its 200 is repeated from T1 to T2 until the ACK (§13.3.1.4).
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "thousands of calls, thousandths of loss"
)]

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use super::chaos::Dice;
use super::messages::{OFFER, invite, reply};
use super::net::{CORE, Net, PHONE, SINGLE, SINGLE_LINE};
use crate::slots::LOSS_UNKNOWN;

const CALLS: u64 = 10_000;

/// Between two calls; they overlap.
const APART_MS: u64 = 40;

/// What is on its way or to be done, and when.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    ToPhone(String),
    ToUs(String),
    /// The phone's user transaction: call, and what it says now.
    Says(String, u8),
}

/// A call as the phone has it.
struct Ringing {
    invite: String,
    latest: &'static str,
    /// Of the 200: until its next repetition.
    pause_ms: u64,
}

struct Scene {
    net: Net,
    dice: Dice,
    /// Datagrams lost per thousand and direction.
    loss: u64,
    now_ms: u64,
    due: BinaryHeap<Reverse<(u64, u64, Due)>>,
    entries: u64,
    phone: HashMap<String, Ringing>,
    answered: HashSet<String>,
    diverted: HashSet<String>,
}

fn call_id(text: &str) -> String {
    super::messages::value(text, "Call-ID").to_owned()
}

impl Scene {
    fn after(&mut self, ms: u64, due: Due) {
        self.entries += 1;
        self.due
            .push(Reverse((self.now_ms + ms, self.entries, due)));
    }

    /// One way: half of 400 ± 50 ms.
    fn fly(&mut self, due: Due) {
        if self.dice.roll(1_000) >= self.loss {
            let ms = 175 + self.dice.roll(51);
            self.after(ms, due);
        }
    }

    fn say(&mut self, call: &str) {
        let Some(ringing) = self.phone.get(call) else {
            return;
        };
        let response = reply(&ringing.invite, ringing.latest, "p", OFFER);
        self.fly(Due::ToUs(response));
    }

    fn phone_gets(&mut self, text: String) {
        if !text.starts_with("INVITE ") {
            return;
        }
        let call = call_id(&text);
        if let Some(ringing) = self.phone.get(&call) {
            // RFC 6026 §7.1: after a 200 it is absorbed.
            if ringing.latest != "200 OK" {
                self.say(&call);
            }
            return;
        }
        let ringing = Ringing {
            invite: text,
            latest: "100 Trying",
            pause_ms: 500,
        };
        self.phone.insert(call.clone(), ringing);
        self.say(&call);
        let picks_up = 4_000 + self.dice.roll(8_000);
        self.after(1_000, Due::Says(call.clone(), 180));
        self.after(picks_up, Due::Says(call, 200));
    }

    fn phone_says(&mut self, call: &str, status: u8) {
        let Some(ringing) = self.phone.get_mut(call) else {
            return;
        };
        if status == 180 {
            ringing.latest = "180 Ringing";
        } else {
            ringing.latest = "200 OK";
            let pause = ringing.pause_ms;
            ringing.pause_ms = (pause * 2).min(4_000);
            if self.answered.contains(call) || self.diverted.contains(call) || pause > 40_000 {
                return;
            }
            self.after(pause, Due::Says(call.to_owned(), 200));
        }
        self.say(call);
    }

    fn step(&mut self) {
        self.now_ms += 20;
        self.net.wait_ms(20);
        while let Some(Reverse((at, ..))) = self.due.peek()
            && *at <= self.now_ms
            && let Some(Reverse((.., due))) = self.due.pop()
        {
            match due {
                Due::ToPhone(text) => self.phone_gets(text),
                Due::ToUs(text) => self.net.from(PHONE, &text),
                Due::Says(call, status) => self.phone_says(&call, status),
            }
        }
        for sent in self.net.all_to(PHONE) {
            self.fly(Due::ToPhone(sent.text));
        }
        for sent in self.net.all_to(CORE) {
            if sent.text.starts_with("SIP/2.0 200") {
                self.answered.insert(call_id(&sent.text));
            } else if sent.text.starts_with("SIP/2.0 302") {
                self.diverted.insert(call_id(&sent.text));
            }
        }
    }
}

/// Calls diverted and calls answered, of `CALLS`. `learnt`, `srtt_us`: loss in thousandths and round trip as the line's owner believes; `lives`: other packets
/// of the line show that it does.
fn play(loss: u64, learnt: u16, srtt_us: u32, lives: bool) -> (usize, usize) {
    let net = Net::new();
    let target = {
        let slot = net.stage.shared.slots.slot(SINGLE_LINE).unwrap();
        slot.targets().unwrap()[0].clone()
    };
    target.set_quality(learnt, srtt_us);
    let mut scene = Scene {
        net,
        dice: Dice(loss + u64::from(learnt)),
        loss,
        now_ms: 0,
        due: BinaryHeap::new(),
        entries: 0,
        phone: HashMap::new(),
        answered: HashSet::new(),
        diverted: HashSet::new(),
    };
    for call in 0..CALLS {
        scene
            .net
            .from(CORE, &invite(SINGLE, &format!("call{call}")));
        let until = (call + 1) * APART_MS;
        while scene.now_ms < until {
            scene.step();
        }
        if lives {
            target.seen(scene.net.stage.now());
        }
    }
    for _ in 0..30_000 / 20 {
        scene.step();
    }
    (scene.diverted.len(), scene.answered.len())
}

/// Chance that a call hears nothing by the answer timer, with copies at 0, 80, 240, 560 and 1,200 ms: for the first copy that
/// arrives, its answer, the 180 of a second later if that still counts, and the answers to all later copies must be lost.
fn chance_of_silence(loss: f64) -> f64 {
    let there_and_back = (1.0 - loss) * (1.0 - loss);
    let copies = 5;
    let all_lost = loss.powi(copies);
    let by_first = (0..copies).map(|first| {
        let rings_in_time = if first < 3 { loss } else { 1.0 };
        let later = (1.0 - there_and_back).powi(copies - first - 1);
        loss.powi(first) * (1.0 - loss) * loss * rings_in_time * later
    });
    all_lost + by_first.sum::<f64>()
}

/// Chance that the 180 is lost, and its seven repetitions, and the 200 comes too late: half of the phones pick up in time.
fn chance_of_a_100_alone(loss: f64) -> f64 {
    let there_and_back = (1.0 - loss) * (1.0 - loss);
    loss * (1.0 - there_and_back).powi(7) / 2.0
}

#[test]
fn up_to_five_percent_loss_and_a_long_way_divert_none_of_ten_thousand_calls() {
    for (loss, learnt, srtt_us) in [(50, 98, 400_000), (50, LOSS_UNKNOWN, 0), (10, 20, 400_000)] {
        let (diverted, answered) = play(loss, learnt, srtt_us, true);
        assert_eq!((0, CALLS as usize), (diverted, answered), "{loss} {learnt}");
    }
}

#[test]
fn twenty_percent_loss_diverts_what_arithmetic_allows() {
    let expected = CALLS as f64 * (chance_of_silence(0.2) + chance_of_a_100_alone(0.2));
    let (diverted, answered) = play(200, 360, 400_000, false);
    println!("20 %: {diverted} diverted, {answered} answered, {expected:.1} expected");
    let spread = expected.sqrt();
    assert!(
        (diverted as f64 - expected).abs() < 4.0 * spread,
        "{diverted} of {expected}"
    );
    let (alive, _) = play(200, 360, 400_000, true);
    println!("20 % with signs of life: {alive} diverted");
    assert!(alive * 2 < diverted, "{alive} of {diverted}");
}

/// The numbers of docs/verdicts.md, "What loss costs".
#[test]
#[ignore = "prints a table"]
fn what_loss_costs() {
    for loss in [10, 20, 50, 100, 200, 300] {
        let share = loss as f64 / 1000.0;
        let chance = chance_of_silence(share) + chance_of_a_100_alone(share);
        let round_trip = ((1.0 - (1.0 - share) * (1.0 - share)) * 1000.0) as u16;
        let with_t1 = play(loss, 0, 0, false).0;
        let fresh = play(loss, LOSS_UNKNOWN, 0, false).0;
        let learnt = play(loss, round_trip, 400_000, true).0;
        println!(
            "| {} % | {:.1} % | {:.3} | {with_t1} | {fresh} | {learnt} |",
            loss / 10,
            f64::from(round_trip) / 10.0,
            chance * CALLS as f64,
        );
    }
}
