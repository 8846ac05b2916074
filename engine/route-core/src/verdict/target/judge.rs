//! What REGISTER and calls tell about a target, and what evidence of any kind makes of its health.
use super::super::observed::Observation;
use super::{CallOutcome, Event, Refused, TargetHealth, next};
use crate::verdict::{Cause, Class, FaultPlace, Health, Profile, Unreachable};
use sip_core::time::Timestamp;

impl TargetHealth {
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
                self.refused.call = true;
                self.evidence.place = FaultPlace::PhoneSystem;
                Cause::CallFailed(code)
            }
            CallOutcome::Silent => {
                // A phone system that answers OPTIONS and not calls is there. One whose answer is awaited may be gone with all else.
                if self.health != Health::Down
                    && self.answers_options
                    && self.evidence.options_faults == 0
                    && !self.is_awaited()
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
            if matches!(cause, Cause::Unreachable(_)) {
                self.undelivered = self.undelivered.saturating_add(1);
            }
            self.fault(cause, &profile, now);
        }
        self.handle_doubt(&profile, now);
    }

    pub(super) fn see(&mut self, what: Observation, now: Timestamp) {
        self.evidence.recent.push(now, what);
    }

    pub(super) fn unreachable(&mut self, kind: Unreachable, by_target: bool) {
        let place = FaultPlace::of(Cause::Unreachable(kind), by_target);
        if place != FaultPlace::Unclear {
            self.evidence.place = place;
        }
    }

    pub(super) fn good(&mut self, cause: Cause, profile: &Profile, now: Timestamp) {
        self.evidence.last_good = Some(now);
        self.evidence.options_faults = 0;
        self.forgiven = 0;
        self.refused = Refused::default();
        let class = cause.class();
        if class == Class::Call {
            self.evidence.call_faults = 0;
            self.last_call_fault = None;
        }
        let undelivered = core::mem::take(&mut self.undelivered);
        self.evidence.call_faults = self.evidence.call_faults.saturating_sub(undelivered);
        self.told = self.evidence.call_faults;
        self.old_calls = self.evidence.call_faults;
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

    pub(super) fn options_fault(&mut self, cause: Cause, profile: &Profile, now: Timestamp) {
        self.evidence.options_faults = self.evidence.options_faults.saturating_add(1);
        self.options_cause = cause;
        self.fault(cause, profile, now);
    }

    pub(super) fn fault(&mut self, cause: Cause, profile: &Profile, now: Timestamp) {
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
        let call = cause.class() == Class::Call;
        let old = if call { 0 } else { self.old_calls };
        let row = self
            .evidence
            .options_faults
            .saturating_add(self.evidence.call_faults)
            .saturating_sub(old);
        let told = if unreachable {
            profile.fall.max(2)
        } else {
            profile.fall
        };
        // A phone system that refuses both says of itself that it is out.
        let enough = (self.refused.options && self.refused.call)
            || self.told.saturating_sub(old) >= told
            || row >= self.loss.fall(profile).max(told);
        let event = if enough { Event::Fall } else { Event::Fault };
        // Cause and class say the same, also after a restart, which keeps the cause only.
        let cause = if options { self.options_cause } else { cause };
        if event == Event::Fall && self.health != Health::Down {
            self.held_down = false;
            self.held_until = now + self.flap.fell(profile, now);
            self.unlearnt = 0;
        }
        self.enter(event, cause, now);
    }

    pub(super) fn enter(&mut self, event: Event, cause: Cause, now: Timestamp) {
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
}
