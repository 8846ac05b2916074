//! Health of one target: a registered contact or a static peer.
//!
//! # Rules
//!
//! | state | good | fault | enough faults in a row | enough good in a row and `hold` over | 503 with Retry-After |
//! |---|---|---|---|---|---|
//! | unknown | up | suspect | down | | down |
//! | up | up | suspect | down | | down |
//! | suspect | up | suspect | down | | down |
//! | down | down | down | down | up | down |
//!
//! * *Enough faults* is `fall` where somebody said so (a code, a report that it is unreachable, a call that failed). For silence it is what
//!   the measured loss asks for, from `fall` to `fall_max`: a row that a living way would reach once in a million.
//! * Several OPTIONS may be under way. They are judged in the order in which they were sent: one that was sent before the last one that
//!   was answered in time is no fault of the row any more, whenever it is given up.
//! * Faults are counted by class, and good evidence ends the row of its class and of lower ones: an answered call clears lost
//!   OPTIONS, an OPTIONS answer does not clear silent calls.
//! * The class that took the target down is that of OPTIONS if any are lost or anything was unreachable, else that of calls. It rises by
//!   good evidence of that class or of a higher one; an answered call counts as `rise` at once.
//! * An OPTIONS that is not answered when its answer was to be expected is no fault yet, but the next goes out already: when the first
//!   is given up, those that confirm it are under way.
//! * A lost OPTIONS counts only if the target ever answered one; if any packet came since it was sent it is forgiven, at most `fall`
//!   times in a row. An answer that comes late takes its loss back; like any packet it proves nothing more.
//! * An OPTIONS that never left, or whose answer we could not take, is void: it counts neither way.
//! * One report that it is unreachable diverts its call; it alone takes nothing down, whatever `fall` is.
//! * Calls that fail together are one fault: the next one counts after `fast_interval`. Calls without any answer each count where no
//!   packet came for a whole time-out: each has lost several copies of its INVITE.
//! * A target that calls took down, or that answers no OPTIONS, gets a trial call each `fast_interval` once `hold` is over; otherwise, with
//!   all its calls diverted, it could never prove itself.
//! * A 503 with Retry-After is no fault: the target says when it is back, is asked again then, and one good answer is enough.
use core::time::Duration;

use super::flap::Flap;
use super::learnt::{Loss, RoundTrip};
use super::observed::{Observation, Recent};
use super::{Cause, Class, FaultPlace, Health, Profile, Unreachable};
use sip_core::time::Timestamp;

/// How a call to the target went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// A living phone answered, also with 486 or 603, or an 18x came.
    Answered,
    /// A final answer that counts as a fault ([`super::counts_as_call_fault`]).
    Fault {
        /// The status code.
        code: u16,
    },
    /// No answer at all within the answer timer.
    Silent,
    /// It could not be delivered, and somebody said so.
    Unreachable {
        /// Who said it and how.
        kind: Unreachable,
        /// Whether the report came from the target's own address.
        by_target: bool,
    },
}

/// What a state rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// OPTIONS lost or answered badly, in a row.
    pub options_faults: u16,
    /// Calls failed, in a row.
    pub call_faults: u16,
    /// Good evidence in a row of a class that could bring the target back.
    pub good: u16,
    /// The last good evidence of any class.
    pub last_good: Option<Timestamp>,
    /// The last fault.
    pub last_fault: Option<Timestamp>,
    /// The last OPTIONS round trip.
    pub rtt: Option<Duration>,
    /// Where the fault is, as far as the row of faults tells.
    pub place: FaultPlace,
    /// What was seen last.
    pub recent: Recent,
}

/// What the table above is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Good evidence.
    Good,
    /// A fault that does not make enough of them.
    Fault,
    /// The fault that makes enough of them.
    Fall,
    /// Good evidence or the passing of time, with `rise` and `hold` fulfilled.
    Rise,
    /// The target said that it is back later.
    HoldDown,
}

/// The table of rules.
pub(super) const fn next(health: Health, event: Event) -> Health {
    match (health, event) {
        (Health::Down, Event::Rise) => Health::Up,
        (Health::Down, _) | (_, Event::Fall | Event::HoldDown) => Health::Down,
        (_, Event::Good | Event::Rise) => Health::Up,
        (_, Event::Fault) => Health::Suspect,
    }
}

/// Verdict machine of one target. Feed it what happens; it tells when to probe next and what it thinks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetHealth {
    health: Health,
    since: Timestamp,
    cause: Cause,
    /// What took it down or into doubt.
    class: Class,
    /// The last fault of OPTIONS, which stays the cause when a call adds the last fault.
    options_cause: Cause,
    evidence: Evidence,
    /// Faults of the row that somebody told us of: codes, reports of unreachability, failed calls.
    told: u16,
    answers_options: bool,
    /// Down because it said so itself.
    held_down: bool,
    /// Down is not left before this.
    held_until: Timestamp,
    flap: Flap,
    loss: Loss,
    round_trip: RoundTrip,
    /// OPTIONS lost since the last that was answered: learnt once it is known that the target lived.
    unlearnt: u16,
    /// Lost OPTIONS forgiven in a row because packets came.
    forgiven: u16,
    last_packet: Option<Timestamp>,
    last_sent: Option<Timestamp>,
    /// When the latest OPTIONS that was answered in time was sent.
    answered_sent: Option<Timestamp>,
    next_probe: Timestamp,
    last_call_fault: Option<Timestamp>,
    last_trial: Option<Timestamp>,
}

impl TargetHealth {
    /// A target nothing is known of; its first OPTIONS is due at `first_probe` (now, plus what the caller adds as jitter).
    pub fn new(now: Timestamp, first_probe: Timestamp) -> Self {
        Self {
            health: Health::Unknown,
            since: now,
            cause: Cause::Start,
            class: Class::Signalling,
            options_cause: Cause::OptionsTimeout,
            evidence: Evidence::default(),
            told: 0,
            answers_options: false,
            held_down: false,
            held_until: Timestamp::ZERO,
            flap: Flap::default(),
            loss: Loss::default(),
            round_trip: RoundTrip::default(),
            unlearnt: 0,
            forgiven: 0,
            last_packet: None,
            last_sent: None,
            answered_sent: None,
            next_probe: first_probe,
            last_call_fault: None,
            last_trial: None,
        }
    }

    /// A target whose verdict was kept over a restart. It stands until there is fresh evidence; the counters start again, but a
    /// target that was down stays so for the rest of its `hold`.
    pub fn restored(
        health: Health,
        since: Timestamp,
        cause: Cause,
        profile: &Profile,
        first_probe: Timestamp,
    ) -> Self {
        let down = health == Health::Down;
        Self {
            health,
            since,
            cause,
            class: cause.class(),
            answers_options: cause.is_options(),
            held_until: if down {
                since + profile.hold
            } else {
                Timestamp::ZERO
            },
            ..Self::new(since, first_probe)
        }
    }

    /// What the evidence says.
    pub fn health(&self) -> Health {
        self.health
    }

    /// Since when.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// What brought it about.
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// The counters behind it.
    pub fn evidence(&self) -> Evidence {
        self.evidence
    }

    /// Down is not left before this: `hold` after the fall, longer for one that falls again and again.
    pub fn held_until(&self) -> Timestamp {
        self.held_until
    }

    /// Lost round trips in a thousand, as estimated.
    pub fn loss_per_mille(&self) -> u16 {
        self.loss.per_mille()
    }

    /// The smoothed round trip, once there was one.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip.smoothed()
    }

    /// How many OPTIONS in a row must be lost for down.
    pub fn fall(&self, profile: &Profile) -> u16 {
        self.loss.fall(&profile.sane())
    }

    /// How long an OPTIONS that is sent now is waited for.
    pub fn timeout(&self, profile: &Profile) -> Duration {
        self.round_trip.timeout(&profile.sane())
    }

    /// Any packet of the target's flow.
    pub fn handle_packet(&mut self, now: Timestamp) {
        self.last_packet = Some(now);
    }

    /// An OPTIONS went out. The next is due after the interval of the state.
    pub fn handle_probe_sent(&mut self, profile: &Profile, now: Timestamp) {
        self.last_sent = Some(now);
        self.next_probe = now + self.pace(&profile.sane());
    }

    /// The OPTIONS of `sent` was answered in time; `good`: not with one of the profile's `ill_codes`.
    pub fn handle_probe_answer(
        &mut self,
        sent: Timestamp,
        good: bool,
        code: u16,
        profile: &Profile,
        now: Timestamp,
    ) {
        let profile = profile.sane();
        self.measured(sent, now);
        if profile.judge_options {
            self.loss.decided(core::mem::take(&mut self.unlearnt), 1);
            if good {
                self.see(Observation::Answered(micros(now - sent)), now);
                self.answers_options = true;
                self.answered_sent = self.answered_sent.max(Some(sent));
                self.good(Cause::OptionsAnswered, &profile, now);
            } else if self.answers_options && self.in_row(sent) {
                self.see(Observation::Code(code), now);
                self.told = self.told.saturating_add(1);
                self.evidence.place = FaultPlace::PhoneSystem;
                self.options_fault(Cause::OptionsCode(code), &profile, now);
            }
        }
        self.schedule(&profile, now);
    }

    /// The OPTIONS of `sent` was answered 503 with Retry-After: it asks for so long a pause, and gets `hold_down_max` of it at most.
    pub fn handle_hold_down(
        &mut self,
        sent: Timestamp,
        pause: Duration,
        profile: &Profile,
        now: Timestamp,
    ) {
        let profile = profile.sane();
        self.measured(sent, now);
        if !profile.judge_options {
            return self.schedule(&profile, now);
        }
        self.loss.decided(core::mem::take(&mut self.unlearnt), 1);
        self.answers_options = true;
        self.answered_sent = self.answered_sent.max(Some(sent));
        self.see(
            Observation::RetryAfter(u32::try_from(pause.as_secs()).unwrap_or(u32::MAX)),
            now,
        );
        let until = now + pause.min(profile.hold_down_max);
        self.evidence.good = 0;
        self.evidence.place = FaultPlace::PhoneSystem;
        if self.health != Health::Down || self.held_down {
            self.held_down = true;
            self.held_until = until;
            self.class = Class::Signalling;
        }
        self.enter(Event::HoldDown, Cause::OptionsCode(503), now);
        self.next_probe = until
            .max(now + profile.fast_interval)
            .min(now + profile.interval.max(profile.hold_down_max));
    }

    /// The OPTIONS of `sent` found no answer within [`TargetHealth::timeout`].
    pub fn handle_probe_timeout(&mut self, sent: Timestamp, profile: &Profile, now: Timestamp) {
        let profile = profile.sane();
        if profile.judge_options && self.answers_options {
            let in_row = self.in_row(sent);
            if self.health != Health::Down && in_row {
                self.unlearnt = self.unlearnt.saturating_add(1);
            } else if self.health != Health::Down {
                self.loss.decided(1, 0);
            }
            let packet_since = self.last_packet.is_some_and(|packet| packet >= sent);
            if !in_row {
                // Its silence is older than the answer to a later one.
            } else if packet_since && self.forgiven < profile.fall {
                self.see(Observation::Forgiven, now);
                self.forgiven += 1;
            } else {
                self.see(Observation::Lost, now);
                self.options_fault(Cause::OptionsTimeout, &profile, now);
            }
        }
        self.schedule(&profile, now);
    }

    /// The OPTIONS of `sent`, which was given up, is answered after all: its loss is taken back.
    pub fn handle_probe_late(&mut self, sent: Timestamp, profile: &Profile, now: Timestamp) {
        self.measured(sent, now);
        self.see(Observation::Late(micros(now - sent)), now);
        if self.in_row(sent) {
            self.unlearnt = self.unlearnt.saturating_sub(1);
            if self.health != Health::Down && self.evidence.options_faults > self.told {
                self.evidence.options_faults -= 1;
            }
        }
        self.schedule(&profile.sane(), now);
    }

    /// The OPTIONS of `sent` could not be delivered. `by_target`: the report came from the target's own address.
    pub fn handle_probe_unreachable(
        &mut self,
        kind: Unreachable,
        by_target: bool,
        sent: Timestamp,
        profile: &Profile,
        now: Timestamp,
    ) {
        let profile = profile.sane();
        if profile.judge_options && self.answers_options && self.in_row(sent) {
            self.see(Observation::Unreachable(kind), now);
            self.told = self.told.saturating_add(1);
            self.unreachable(kind, by_target);
            self.options_fault(Cause::Unreachable(kind), &profile, now);
        }
        self.schedule(&profile, now);
    }

    /// An OPTIONS never left, or we ourselves were not there to take its answer: it says nothing, and the next goes at once.
    pub fn handle_probe_void(&mut self, now: Timestamp) {
        self.next_probe = self.next_probe.min(now);
    }

    /// Somebody wants to know soon: the next OPTIONS is due by `at`.
    pub fn ask_by(&mut self, at: Timestamp) {
        self.next_probe = self.next_probe.min(at);
    }

    /// Something makes doubt, say a call that is not answered yet: the next OPTIONS goes at once, if none went just now.
    pub fn handle_doubt(&mut self, profile: &Profile, now: Timestamp) {
        let fast = profile.sane().fast_interval;
        let earliest = self.last_sent.map_or(now, |sent| now.max(sent + fast));
        self.next_probe = self.next_probe.min(earliest);
    }

    /// A REGISTER of this contact was accepted. In doubt, it is asked at once.
    pub fn handle_registered(&mut self, profile: &Profile, now: Timestamp) {
        let profile = profile.sane();
        let doubt = self.health != Health::Up;
        self.last_packet = Some(now);
        if doubt {
            self.see(Observation::Registered, now);
        }
        self.good(Cause::Registered, &profile, now);
        if doubt && !self.held_down {
            self.next_probe = self.next_probe.min(now);
        }
    }

    /// A call to the target ended or was given up.
    pub fn handle_call(&mut self, outcome: CallOutcome, profile: &Profile, now: Timestamp) {
        let profile = profile.sane();
        if outcome != CallOutcome::Answered || self.health != Health::Up {
            self.see(Observation::Call(outcome), now);
        }
        let cause = match outcome {
            CallOutcome::Answered => {
                self.last_packet = Some(now);
                return self.good(Cause::CallAnswered, &profile, now);
            }
            CallOutcome::Fault { code } => {
                self.last_packet = Some(now);
                self.evidence.place = FaultPlace::PhoneSystem;
                Cause::CallFailed(code)
            }
            CallOutcome::Silent => {
                // A phone system that answers OPTIONS and not calls is there.
                if self.health != Health::Down
                    && self.answers_options
                    && self.evidence.options_faults == 0
                {
                    self.evidence.place = FaultPlace::PhoneSystem;
                }
                Cause::CallSilent
            }
            CallOutcome::Unreachable { kind, by_target } => {
                self.unreachable(kind, by_target);
                Cause::Unreachable(kind)
            }
        };
        self.evidence.last_fault = Some(now);
        let silent = outcome == CallOutcome::Silent
            && self
                .last_packet
                .is_none_or(|packet| now >= packet + self.round_trip.timeout(&profile));
        let together = !silent
            && self
                .last_call_fault
                .is_some_and(|last| now < last + profile.fast_interval);
        if !together {
            self.last_call_fault = Some(now);
            self.evidence.call_faults = self.evidence.call_faults.saturating_add(1);
            self.told = self.told.saturating_add(1);
            self.fault(cause, &profile, now);
        }
        self.handle_doubt(&profile, now);
    }

    /// When the next OPTIONS is due; `None` only if the profile does not judge by OPTIONS.
    pub fn next_probe_at(&self, profile: &Profile) -> Option<Timestamp> {
        profile.judge_options.then_some(self.next_probe)
    }

    /// Whether the target, though down, has given good evidence since its last fault, of a class that can bring it back.
    pub fn answers_again(&self) -> bool {
        self.health == Health::Down && self.evidence.good > 0
    }

    /// Whether it takes a call to bring the target back.
    pub fn needs_trial(&self) -> bool {
        self.health == Health::Down && (self.class == Class::Call || !self.answers_options)
    }

    /// Whether a call may be sent as a trial, with the short answer timer, although the target is down.
    pub fn trial_due(&self, profile: &Profile, now: Timestamp) -> bool {
        let fast = profile.sane().fast_interval;
        let alone = self.last_trial.is_none_or(|last| now >= last + fast);
        self.needs_trial() && now >= self.held_until && alone
    }

    /// A trial call went out: none other for `fast_interval`.
    pub fn handle_trial_sent(&mut self, now: Timestamp) {
        self.last_trial = Some(now);
    }

    fn see(&mut self, what: Observation, now: Timestamp) {
        self.evidence.recent.push(now, what);
    }

    fn measured(&mut self, sent: Timestamp, now: Timestamp) {
        self.last_packet = Some(now);
        self.evidence.rtt = Some(now - sent);
        self.round_trip.measured(now - sent);
    }

    /// Whether a target that answers OPTIONS has not answered the last one yet.
    fn is_awaited(&self) -> bool {
        self.answers_options && self.last_sent.is_some_and(|sent| self.in_row(sent))
    }

    /// Whether an OPTIONS of `sent` can still say something: none that was sent after it was answered.
    fn in_row(&self, sent: Timestamp) -> bool {
        self.answered_sent.is_none_or(|answered| sent > answered)
    }

    fn unreachable(&mut self, kind: Unreachable, by_target: bool) {
        let place = FaultPlace::of(Cause::Unreachable(kind), by_target);
        if place != FaultPlace::Unclear {
            self.evidence.place = place;
        }
    }

    fn good(&mut self, cause: Cause, profile: &Profile, now: Timestamp) {
        self.evidence.last_good = Some(now);
        self.evidence.options_faults = 0;
        self.forgiven = 0;
        let class = cause.class();
        if class == Class::Call {
            self.evidence.call_faults = 0;
            self.last_call_fault = None;
        }
        self.told = self.evidence.call_faults;
        if class >= self.class {
            let weight = if class == Class::Call {
                profile.rise
            } else {
                1
            };
            self.evidence.good = self.evidence.good.saturating_add(weight);
        }
        let enough = if self.held_down { 1 } else { profile.rise };
        let risen = self.evidence.good >= enough && now >= self.held_until;
        self.enter(if risen { Event::Rise } else { Event::Good }, cause, now);
    }

    fn options_fault(&mut self, cause: Cause, profile: &Profile, now: Timestamp) {
        self.evidence.options_faults = self.evidence.options_faults.saturating_add(1);
        self.options_cause = cause;
        self.fault(cause, profile, now);
    }

    fn fault(&mut self, cause: Cause, profile: &Profile, now: Timestamp) {
        self.evidence.last_fault = Some(now);
        self.evidence.good = 0;
        let unreachable = matches!(cause, Cause::Unreachable(_));
        let options = self.evidence.options_faults > 0;
        if self.health != Health::Down {
            self.class = if options || unreachable {
                Class::Signalling
            } else {
                Class::Call
            };
        }
        let row = self
            .evidence
            .options_faults
            .saturating_add(self.evidence.call_faults);
        let told = if unreachable {
            profile.fall.max(2)
        } else {
            profile.fall
        };
        let event = if self.told >= told || row >= self.loss.fall(profile).max(told) {
            Event::Fall
        } else {
            Event::Fault
        };
        // Cause and class say the same, also after a restart, which keeps the cause only.
        let cause = if options { self.options_cause } else { cause };
        if event == Event::Fall && self.health != Health::Down {
            self.held_down = false;
            self.held_until = now + self.flap.fell(profile, now);
            self.unlearnt = 0;
        }
        self.enter(event, cause, now);
    }

    fn enter(&mut self, event: Event, cause: Cause, now: Timestamp) {
        let health = next(self.health, event);
        if health == self.health {
            return;
        }
        if health == Health::Up {
            self.class = Class::Signalling;
            self.held_down = false;
            self.evidence.place = FaultPlace::Unclear;
        }
        if health == Health::Down {
            self.evidence.good = 0;
        }
        self.health = health;
        self.since = now;
        self.cause = cause;
    }

    /// The time to the next OPTIONS. In doubt, a target that takes many faults is asked twice as often: waiting for them lasts no longer
    /// than for the few of another.
    fn pace(&self, profile: &Profile) -> Duration {
        match self.health {
            Health::Down => profile.fast_interval,
            Health::Suspect => profile.step(self.loss.fall(profile)),
            Health::Up | Health::Unknown if self.forgiven > 0 => profile.fast_interval,
            Health::Up | Health::Unknown if self.is_awaited() => profile
                .step(self.loss.fall(profile))
                .max(self.round_trip.expected()),
            Health::Up | Health::Unknown => profile.interval,
        }
    }

    /// After a decided OPTIONS: one interval of the state after the last was sent; what a hold-down put off stays so.
    fn schedule(&mut self, profile: &Profile, now: Timestamp) {
        if self.held_down && now < self.held_until {
            return;
        }
        let sent = self.last_sent.unwrap_or(now);
        self.next_probe = (sent + self.pace(profile)).max(now);
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}
