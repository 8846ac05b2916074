//! Seeded chaos: packets are lost, repeated and overtake each other, phones do as they like, callers hang up at any time.

use std::collections::BTreeSet;

use super::messages::{OFFER, ack_of, cancel_of, invite, reply, request, value};
use super::net::{
    ARMED, BACKUP, CORE, LINE, Net, PHONE, PLAIN, SEVERAL, SINGLE, SINGLE_LINE, SINGLE_PLAIN, at,
};
use route_core::{Cause, Health, Unreachable};

/// `SplitMix64`: a test's own randomness, the same for the same seed everywhere.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    pub(super) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.roll(choices.len() as u64) as usize]
    }
}

/// A datagram under way to us, or from us to somebody.
struct Flying {
    lands_ms: u64,
    from: &'static str,
    to_us: bool,
    text: String,
}

/// What a phone does with an INVITE: a status and when it says so.
const PHONE_SAYS: [&str; 12] = [
    "100 Trying",
    "100 Trying",
    "180 Ringing",
    "183 Progress",
    "200 OK",
    "200 OK",
    "486 Busy Here",
    "503 Unavailable",
    "408 Timeout",
    "302 Moved",
    "487 Request Terminated",
    "603 Decline",
];

struct Scene {
    net: Net,
    dice: Dice,
    now_ms: u64,
    air: Vec<Flying>,
    /// Finals the caller has seen: status and To tag.
    finals: Vec<(String, String)>,
    invite: String,
    /// When the caller repeats his INVITE (Timer A), as long as he has heard nothing.
    repeats_ms: Vec<u64>,
    /// The phones say 100 and nothing more.
    hang: bool,
    /// To tags of 2xx that came after the caller had another final answer and were acknowledged, and of those hung up.
    late: BTreeSet<String>,
    hung_up: BTreeSet<String>,
    /// Phones whose 300–699 came to us: a 2xx after that belongs to nothing (RFC 6026 §7.2).
    refused: BTreeSet<&'static str>,
}

impl Scene {
    fn throw(&mut self, from: &'static str, to_us: bool, text: &str, after_ms: u64) {
        let copies = match self.dice.roll(10) {
            0 | 1 => 0,
            2 => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let lands_ms = self.now_ms + after_ms + self.dice.roll(300);
            self.air.push(Flying {
                lands_ms,
                from,
                to_us,
                text: text.to_owned(),
            });
        }
    }

    fn step(&mut self) {
        self.now_ms += 20;
        self.net.wait_ms(20);
        self.collect();
        if self.repeats_ms.first().is_some_and(|at| *at <= self.now_ms) {
            self.repeats_ms.remove(0);
            let invite = self.invite.clone();
            self.throw(CORE, true, &invite, 0);
        }
        while let Some(position) = self
            .air
            .iter()
            .position(|flying| flying.lands_ms <= self.now_ms)
        {
            let landed = self.air.swap_remove(position);
            if landed.to_us {
                let is_late = !self.refused.contains(landed.from) && self.is_late(&landed.text);
                if landed.text.as_bytes()[8] >= b'3' && value(&landed.text, "CSeq") == "1 INVITE" {
                    self.refused.insert(landed.from);
                }
                let strays = self.net.count("stray_dropped");
                self.net.from(landed.from, &landed.text);
                let acknowledged = self.collect();
                if is_late && strays == self.net.count("stray_dropped") {
                    let tag = value(&landed.text, "To").to_owned();
                    assert!(
                        acknowledged.contains(&tag),
                        "no ACK for {tag}: {}",
                        landed.text
                    );
                    self.late.insert(tag);
                }
            } else if landed.from == CORE {
                self.caller_gets(&landed.text);
            } else {
                self.phone_gets(landed.from, &landed.text);
            }
        }
    }

    /// A 2xx to the INVITE that the caller will not get any more: he has another final answer.
    fn is_late(&self, text: &str) -> bool {
        let refused = self
            .finals
            .first()
            .is_some_and(|(status, _)| !status.starts_with('2'));
        refused && text.starts_with("SIP/2.0 2") && value(text, "CSeq") == "1 INVITE"
    }

    /// The To of the ACKs that we sent on our own.
    fn collect(&mut self) -> BTreeSet<String> {
        let mut acknowledged = BTreeSet::new();
        for party in [CORE, PHONE, BACKUP] {
            for sent in self.net.all_to(party) {
                if party == CORE {
                    self.caller_sees(&sent.text);
                }
                if sent.text.starts_with("ACK ") {
                    acknowledged.insert(value(&sent.text, "To").to_owned());
                } else if sent.text.starts_with("BYE ") {
                    self.hung_up.insert(value(&sent.text, "To").to_owned());
                }
                if party != CORE && self.dice.roll(60) == 0 {
                    // Of a router, truly or not, with much or little of what was sent.
                    let kind = self.dice.one_of(&[Unreachable::Port, Unreachable::Host]);
                    let quoted = self.dice.one_of(&[0, sent.text.len()]);
                    self.net
                        .stage
                        .unreachable_at(0, kind, at(party), &sent.text[..quoted]);
                }
                self.throw(party, false, &sent.text, 0);
            }
        }
        acknowledged
    }

    /// Judged as it is sent: loss must not hide a second answer.
    fn caller_sees(&mut self, text: &str) {
        if !text.starts_with("SIP/2.0 ") || !value(text, "CSeq").ends_with("INVITE") {
            return;
        }
        let status = text[8..11].to_owned();
        if status.as_str() >= "200" {
            self.finals.push((status, value(text, "To").to_owned()));
        } else {
            assert!(
                self.finals.is_empty(),
                "a provisional after a final: {text}"
            );
        }
    }

    fn caller_gets(&mut self, text: &str) {
        self.repeats_ms.clear();
        let is_final = text.starts_with("SIP/2.0 ")
            && &text[8..11] >= "300"
            && value(text, "CSeq") == "1 INVITE";
        if is_final {
            let ack = ack_of(&self.invite, text);
            self.throw(CORE, true, &ack, 0);
        }
    }

    fn phone_gets(&mut self, phone: &'static str, text: &str) {
        let tag = if phone == PHONE { "p" } else { "b" };
        if text.starts_with("INVITE ") {
            for _ in 0..self.dice.roll(4) {
                let status = if self.hang {
                    "100 Trying"
                } else {
                    self.dice.one_of(&PHONE_SAYS)
                };
                let tag = if self.dice.roll(8) == 0 { "fork" } else { tag };
                let after = self.dice.one_of(&[0, 100, 1_900, 5_000, 31_900]) + self.dice.roll(200);
                self.throw(phone, true, &reply(text, status, tag, OFFER), after);
            }
        } else if !text.starts_with("ACK ") && !text.starts_with("SIP/2.0 ") {
            self.throw(phone, true, &reply(text, "200 OK", tag, ""), 0);
        }
    }
}

/// Plays one call; returns how many dialogs were closed late.
fn play(seed: u64) -> usize {
    let mut dice = Dice(seed);
    let number = dice.one_of(&[ARMED, PLAIN, SEVERAL, SINGLE, SINGLE_PLAIN]);
    let health = dice.one_of(&[
        Health::Up,
        Health::Up,
        Health::Suspect,
        Health::Unknown,
        Health::Down,
    ]);
    let mut net = Net::new();
    net.health(health, Cause::CallSilent);
    let body = if dice.roll(3) == 0 { "" } else { OFFER };
    let invite = if body.is_empty() {
        request("INVITE", number, "chaos", "", "")
    } else {
        invite(number, "chaos")
    };
    let hangs_up = (dice.roll(2) == 0).then(|| dice.roll(12_000));
    let flips = (dice.roll(3) == 0).then(|| dice.roll(4_000));
    let hang = dice.roll(6) == 0;
    let loss = dice.one_of(&[0, 100, 360]);
    for line in [LINE, SINGLE_LINE] {
        let slot = net.stage.shared.slots.slot(line).unwrap();
        for target in slot.targets().iter().flat_map(|targets| targets.iter()) {
            target.set_quality(loss, 300_000);
        }
    }
    let lives = dice.roll(2) == 0;
    let repeats_ms = vec![0, 500, 1_500, 3_500, 7_500, 15_500];
    let mut scene = Scene {
        net,
        dice,
        now_ms: 0,
        air: Vec::new(),
        finals: Vec::new(),
        invite: invite.clone(),
        repeats_ms,
        hang,
        late: BTreeSet::new(),
        hung_up: BTreeSet::new(),
        refused: BTreeSet::new(),
    };
    if let Some(at) = hangs_up {
        scene.throw(CORE, true, &cancel_of(&invite), at);
    }
    while scene.now_ms < 45_000 {
        if flips.is_some_and(|at| scene.now_ms / 20 == at / 20) {
            let health = scene.dice.one_of(&[Health::Up, Health::Down]);
            scene.net.health(health, Cause::OptionsTimeout);
        }
        if lives && scene.now_ms.is_multiple_of(500) {
            scene.net.lives();
        }
        scene.step();
    }
    assert!(
        scene.late.is_subset(&scene.hung_up),
        "seed {seed}: a dialog is left open: {:?} {:?}",
        scene.late,
        scene.hung_up
    );
    let classes: BTreeSet<&str> = scene
        .finals
        .iter()
        .map(|(status, _)| &status[..1])
        .collect();
    assert!(classes.len() <= 1, "seed {seed}: {:?}", scene.finals);
    if !classes.contains("2") {
        let different: BTreeSet<_> = scene.finals.iter().collect();
        assert!(different.len() <= 1, "seed {seed}: {different:?}");
    }
    scene.late.len()
}

#[test]
fn the_caller_gets_one_answer_and_nothing_is_left_whatever_happens() {
    let late: usize = (0..1_000).map(play).sum();
    assert!(late > 20, "only {late} late answers in all this");
}
