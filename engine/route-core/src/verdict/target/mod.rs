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
//! * Calls that failed before the last good evidence count beside other calls only; those that could not be delivered, not at all.
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
mod judge;
mod probes;

use core::time::Duration;

use super::flap::Flap;
use super::learnt::{Loss, RoundTrip};
use super::observed::Recent;
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

/// What was answered with a code that is a fault, since the last good answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Refused {
    options: bool,
    call: bool,
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
    refused: Refused,
    /// Calls of the row that could not be delivered.
    undelivered: u16,
    /// Calls of the row that failed before the last good evidence: they count beside other calls only.
    old_calls: u16,
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
            refused: Refused::default(),
            undelivered: 0,
            old_calls: 0,
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

    /// Whether the target, though down, has given good evidence since its last fault, of a class that can bring it back.
    pub fn answers_again(&self) -> bool {
        self.health == Health::Down && self.evidence.good > 0
    }

    /// Whether it takes a call to bring the target back.
    pub fn needs_trial(&self) -> bool {
        self.health == Health::Down && (self.class == Class::Call || !self.answers_options)
    }

    /// Whether a call may be sent as a trial, with the short answer timer, although the target's line is down. So may one to a target of
    /// which nothing is known: it may have come in the place of the one that failed, and answer no OPTIONS.
    pub fn trial_due(&self, profile: &Profile, now: Timestamp) -> bool {
        let fast = profile.sane().fast_interval;
        let alone = self.last_trial.is_none_or(|last| now >= last + fast);
        let wanted = self.needs_trial() || self.health == Health::Unknown;
        wanted && now >= self.held_until && alone
    }

    /// A trial call went out: none other for `fast_interval`.
    pub fn handle_trial_sent(&mut self, now: Timestamp) {
        self.last_trial = Some(now);
    }
}
