//! Health of one target: a registered contact or a static peer.
//!
//! # Rules
//!
//! | state | good | fault | `fall` faults in a row | `rise` good in a row and `hold` over |
//! |---|---|---|---|---|
//! | unknown | up | suspect | down | |
//! | up | up | suspect | down | |
//! | suspect | up | suspect | down | |
//! | down | down | down | down | up |
//!
//! * Faults are counted by class, and good evidence ends the row of its class and of lower ones: an answered call clears lost
//!   OPTIONS, an OPTIONS answer does not clear silent calls. The rows together make `fall`.
//! * The class that took the target down is that of OPTIONS if any are lost, else that of calls. It rises by good evidence of that
//!   class or of a higher one; an answered call counts as `rise` at once.
//! * A lost OPTIONS counts only if the target ever answered one; if any packet came since it was sent it is forgiven, at most `fall`
//!   times in a row.
//! * One ICMP error diverts its call; it alone takes nothing down, whatever `fall` is.
//! * Calls that fail together are one fault: the next one counts after `fast_interval`.
//! * A target that calls took down gets a trial call each `fast_interval` once `hold` is over; otherwise, with all its calls diverted, it
//!   could never prove itself.
use core::time::Duration;

use super::{Cause, Class, Health, Profile, Unreachable};
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
}

/// What the table above is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Good evidence.
    Good,
    /// A fault that does not make `fall`.
    Fault,
    /// The fault that makes `fall`.
    Fall,
    /// Good evidence or the passing of time, with `rise` and `hold` fulfilled.
    Rise,
}

/// The table of rules.
pub(super) const fn next(health: Health, event: Event) -> Health {
    match (health, event) {
        (Health::Down, Event::Rise) => Health::Up,
        (Health::Down, _) | (_, Event::Fall) => Health::Down,
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
    answers_options: bool,
    /// Lost OPTIONS forgiven in a row because packets came.
    forgiven: u16,
    last_packet: Option<Timestamp>,
    probe_sent: Option<Timestamp>,
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
            answers_options: false,
            forgiven: 0,
            last_packet: None,
            probe_sent: None,
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
        first_probe: Timestamp,
    ) -> Self {
        let answers_options = cause.is_options();
        Self {
            health,
            since,
            cause,
            class: cause.class(),
            answers_options,
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

    /// Any packet of the target's flow, also an answer that came too late.
    pub fn handle_packet(&mut self, now: Timestamp) {
        self.last_packet = Some(now);
    }

    /// An OPTIONS went out. The next is due after the interval of the state, or when this one is decided.
    pub fn handle_probe_sent(&mut self, profile: &Profile, now: Timestamp) {
        let profile = profile.sane();
        self.probe_sent = Some(now);
        self.next_probe = now + self.interval(&profile).max(profile.timeout);
    }

    /// An OPTIONS was answered; `good` as [`super::counts_as_alive`] says. `rtt` is the round trip.
    pub fn handle_probe_answer(
        &mut self,
        good: bool,
        code: u16,
        rtt: Duration,
        profile: &Profile,
        now: Timestamp,
    ) {
        let profile = profile.sane();
        self.last_packet = Some(now);
        self.evidence.rtt = Some(rtt);
        if profile.judge_options {
            if good {
                self.answers_options = true;
                self.good(Cause::OptionsAnswered, &profile, now);
            } else if self.answers_options {
                self.options_fault(Cause::OptionsCode(code), &profile, now);
            }
        }
        self.schedule(&profile, now);
    }

    /// An OPTIONS found no answer within `timeout`.
    pub fn handle_probe_timeout(&mut self, profile: &Profile, now: Timestamp) {
        let profile = profile.sane();
        if profile.judge_options && self.answers_options {
            let packet_since = matches!((self.last_packet, self.probe_sent), (Some(packet), Some(sent)) if packet >= sent);
            if packet_since && self.forgiven < profile.fall {
                self.forgiven += 1;
            } else {
                self.options_fault(Cause::OptionsTimeout, &profile, now);
            }
        }
        self.schedule(&profile, now);
    }

    /// A REGISTER of this contact was accepted.
    pub fn handle_registered(&mut self, profile: &Profile, now: Timestamp) {
        let profile = profile.sane();
        self.last_packet = Some(now);
        self.good(Cause::Registered, &profile, now);
        self.pull_probe(&profile, now);
    }

    /// A call to the target ended or was given up.
    pub fn handle_call(&mut self, outcome: CallOutcome, profile: &Profile, now: Timestamp) {
        let profile = profile.sane();
        let cause = match outcome {
            CallOutcome::Answered => {
                self.last_packet = Some(now);
                self.good(Cause::CallAnswered, &profile, now);
                return self.pull_probe(&profile, now);
            }
            CallOutcome::Fault { code } => Cause::CallFailed(code),
            CallOutcome::Silent => Cause::CallSilent,
            CallOutcome::Unreachable { kind, .. } => Cause::Unreachable(kind),
        };
        self.evidence.last_fault = Some(now);
        let together = self
            .last_call_fault
            .is_some_and(|last| now < last + profile.fast_interval);
        if !together {
            self.last_call_fault = Some(now);
            self.evidence.call_faults = self.evidence.call_faults.saturating_add(1);
            self.fault(cause, &profile, now);
        }
        self.pull_probe(&profile, now);
    }

    /// When the next OPTIONS is due; `None` only if the profile does not judge by OPTIONS. Never further from the last input
    /// than the profile's interval.
    pub fn next_probe_at(&self, profile: &Profile) -> Option<Timestamp> {
        profile.judge_options.then_some(self.next_probe)
    }

    /// Somebody waits for the target: the next OPTIONS is due by `at`.
    pub fn ask_by(&mut self, at: Timestamp) {
        self.next_probe = self.next_probe.min(at);
    }

    /// Whether a call may be sent as a trial, with the short answer timer, although the target is down.
    pub fn trial_due(&self, profile: &Profile, now: Timestamp) -> bool {
        let profile = profile.sane();
        let rested = now >= self.since + profile.hold;
        let alone = self
            .last_trial
            .is_none_or(|last| now >= last + profile.fast_interval);
        self.health == Health::Down && self.class == Class::Call && rested && alone
    }

    /// A trial call went out: none other for `fast_interval`.
    pub fn handle_trial_sent(&mut self, now: Timestamp) {
        self.last_trial = Some(now);
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
        if class >= self.class {
            let weight = if class == Class::Call {
                profile.rise
            } else {
                1
            };
            self.evidence.good = self.evidence.good.saturating_add(weight);
        }
        let risen = self.evidence.good >= profile.rise && now >= self.since + profile.hold;
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
        let options = self.evidence.options_faults > 0;
        let class = if options {
            Class::Signalling
        } else {
            Class::Call
        };
        if self.health != Health::Down {
            self.class = class;
        }
        let row = self
            .evidence
            .options_faults
            .saturating_add(self.evidence.call_faults);
        let enough = if matches!(cause, Cause::Unreachable(_)) {
            profile.fall.max(2)
        } else {
            profile.fall
        };
        let event = if row >= enough {
            Event::Fall
        } else {
            Event::Fault
        };
        // Cause and class say the same, also after a restart, which keeps the cause only.
        self.enter(event, if options { self.options_cause } else { cause }, now);
    }

    fn enter(&mut self, event: Event, cause: Cause, now: Timestamp) {
        let health = next(self.health, event);
        if health == self.health {
            return;
        }
        if health == Health::Up {
            self.class = Class::Signalling;
        }
        self.health = health;
        self.since = now;
        self.cause = cause;
    }

    fn interval(&self, profile: &Profile) -> Duration {
        let doubt = matches!(self.health, Health::Suspect | Health::Down) || self.forgiven > 0;
        if doubt {
            profile.fast_interval
        } else {
            profile.interval
        }
    }

    /// After a decided probe: one interval after it was sent.
    fn schedule(&mut self, profile: &Profile, now: Timestamp) {
        let sent = self.probe_sent.take().unwrap_or(now);
        self.next_probe = (sent + self.interval(profile)).max(now);
    }

    /// After other evidence: doubt brings the next probe forward, nothing puts it off.
    fn pull_probe(&mut self, profile: &Profile, now: Timestamp) {
        if self.probe_sent.is_none() {
            self.next_probe = self.next_probe.min(now + self.interval(profile));
        }
    }
}
