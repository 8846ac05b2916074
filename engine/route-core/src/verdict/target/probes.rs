//! What OPTIONS tell about a target, and when the next is due.
use core::time::Duration;

use super::super::observed::Observation;
use super::{Event, TargetHealth};
use crate::verdict::{Cause, Class, FaultPlace, Health, Profile, Unreachable};
use sip_core::time::Timestamp;

impl TargetHealth {
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
                self.refused.options = true;
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
            let told = self.told.saturating_sub(self.evidence.call_faults);
            if self.health != Health::Down && self.evidence.options_faults > told {
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

    /// When the next OPTIONS is due; `None` only if the profile does not judge by OPTIONS.
    pub fn next_probe_at(&self, profile: &Profile) -> Option<Timestamp> {
        profile.judge_options.then_some(self.next_probe)
    }

    fn measured(&mut self, sent: Timestamp, now: Timestamp) {
        self.last_packet = Some(now);
        self.evidence.rtt = Some(now - sent);
        self.round_trip.measured(now - sent);
    }

    /// Whether a target that answers OPTIONS has not answered the last one yet.
    pub(super) fn is_awaited(&self) -> bool {
        self.answers_options && self.last_sent.is_some_and(|sent| self.in_row(sent))
    }

    /// Whether an OPTIONS of `sent` can still say something: none that was sent after it was answered.
    fn in_row(&self, sent: Timestamp) -> bool {
        self.answered_sent.is_none_or(|answered| sent > answered)
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
            Health::Up | Health::Unknown => self.interval(profile),
        }
    }

    /// The time between two OPTIONS while all is well. `profile` is sane.
    pub fn interval(&self, profile: &Profile) -> Duration {
        if self.loss.is_new() && self.answers_options {
            profile.interval_of_new()
        } else {
            profile.interval
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
