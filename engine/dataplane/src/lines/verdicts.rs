//! From evidence to what routing reads: the verdict, its event, the trial flag, the line's next deadline.

use std::fmt::Write as _;
use std::time::Duration;

use route_core::{
    Cause, Change, Evidence, FaultPlace, Health, LineKind, LineSlot, Profile, Registration,
};
use sip_core::time::Timestamp;

use super::figures::Counted;
use super::guarded::heard_in_doubt;
use super::{Owned, profile_of};
use crate::events::EventBody;
use crate::rows::VerdictRow;
use crate::slots::{Slot, Target};
use crate::worker::{Core, Token, View};

impl Core {
    /// Judge `line` anew and make its state consistent: after any input, a change of its targets or profile, or a deadline.
    pub(super) fn settle(&mut self, line: LineSlot, view: &View) {
        let now = self.now;
        let profile = profile_of(line, view);
        let grace_end = self.lines.grace_end(view);
        self.notice_trial(line);
        let Some(slot) = self.shared.slots.slot(line) else {
            return;
        };
        let Some(owned) = self.lines.owned.get_mut(&line) else {
            return;
        };
        let targets = slot.targets().unwrap_or_default();
        for (watch, target) in owned.watches.iter_mut().zip(targets.iter()) {
            // Calls that may try a line again go to the target that answers.
            let health = match watch.health.health() {
                Health::Down if watch.health.answers_again() => Health::Suspect,
                health => health,
            };
            target.set_health(health);
            let srtt_us = watch.health.round_trip().unwrap_or_default().as_micros();
            let srtt_us = u32::try_from(srtt_us).unwrap_or(u32::MAX);
            target.set_quality(watch.health.loss_per_mille(), srtt_us);
            watch.plan(line, &profile.verdict, now);
            if owned.kind == LineKind::Foreign {
                // Its hops are probed once for all lines.
                watch.due = Timestamp::MAX;
            }
        }
        owned.notice_names(&targets);
        let ungraced =
            owned.kind == LineKind::Registered && owned.registration == Registration::Unknown;
        if ungraced && now >= grace_end {
            owned.registration = Registration::Absent;
        }
        let healths = owned.watches.iter().map(|watch| &watch.health);
        let (shared, settings) = (&*self.shared, &view.policy.settings.guard);
        let heard = heard_in_doubt(&owned.verdict, &targets, &profile.verdict, now);
        let mut told = None;
        let admit = |change: &Change| {
            let (admitted, row) = owned.guarded.admits(line, change, heard, shared, settings);
            told = row;
            admitted
        };
        let change = owned
            .verdict
            .fuse(owned.registration, healths, &profile.verdict, now, admit);
        shared.tell_guard(told, now);
        if let Some(change) = change {
            owned.restored = false;
            owned.evidence = owned
                .told_evidence(change.cause)
                .unwrap_or_else(|| evidence_text(&change).into());
            owned.place = place_of(&change);
            slot.publish(change.health, change.cause, owned.place, change.since);
            if change.previous == Health::Down && change.health == Health::Up {
                slot.set_returning(profile.calls.return_calls);
            }
            self.counters.verdict_flips.increment();
            let row = VerdictRow {
                line,
                health: change.health,
                since_unix_ms: self.shared.clock.unix_ms(change.since),
                cause: change.cause.slug().0.to_owned(),
                evidence: owned.evidence.clone().into(),
                place: owned.place,
            };
            let body = EventBody::Verdict {
                previous: change.previous,
                row: Box::new(row),
            };
            self.shared
                .events
                .push(self.shared.clock.unix_ms(now), body);
        }
        owned.stand(line, &targets, &profile.verdict, shared, view, now);
        slot.set_answering(owned.answers_again());
        owned.offer_trial(slot, &profile.verdict, now);
        let grace_end = (owned.kind == LineKind::Registered
            && owned.registration == Registration::Unknown)
            .then_some(grace_end);
        let deadline = owned.deadline(
            &targets,
            grace_end,
            self.lines.stall.grace_end,
            &profile.verdict,
            now,
        );
        if deadline < owned.scheduled {
            owned.scheduled = deadline;
            self.wheel.insert(deadline, Token::Line(line));
        }
        let bindings = targets
            .iter()
            .filter(|target| target.binding.is_some())
            .count();
        let probed = profile.verdict.judge_options && owned.kind != LineKind::Foreign;
        let counted = Counted::of(owned, bindings, probed);
        self.lines
            .figures
            .replace(std::mem::replace(&mut owned.counted, counted), counted);
    }

    /// If a call took the trial that was offered, none other may for a while.
    pub(super) fn notice_trial(&mut self, line: LineSlot) {
        let Some(owned) = self
            .lines
            .owned
            .get_mut(&line)
            .filter(|owned| owned.trial_offered)
        else {
            return;
        };
        if self
            .shared
            .slots
            .read(line)
            .is_some_and(|slot| !slot.trial_offered())
        {
            owned.trial_sent(self.now);
        }
    }
}

impl Owned {
    fn trial_sent(&mut self, now: Timestamp) {
        self.trial_offered = false;
        for watch in self.watches.iter_mut().filter(|watch| watch.wants_trial()) {
            watch.health.handle_trial_sent(now);
        }
    }

    /// Whether the line is down and yet something shows that calls would find it.
    fn answers_again(&self) -> bool {
        let targets = || {
            self.watches
                .iter()
                .any(|watch| watch.health.answers_again())
        };
        self.verdict.health() == Health::Down && (self.verdict.held_back() || targets())
    }

    /// The control plane knows the peers of a static line by name, and may have no address for any of them.
    fn notice_names(&mut self, targets: &[std::sync::Arc<Target>]) {
        if self.kind == LineKind::Static {
            self.registration = if targets.is_empty() {
                Registration::Unresolved
            } else {
                Registration::Unknown
            };
        }
    }

    /// Whether a call may find out that the line, though down, takes calls. One that is not registered does not: whatever a registrar
    /// elsewhere answered would be the caller's answer.
    fn tries_calls(&self, profile: &Profile) -> bool {
        let registered = !matches!(
            self.registration,
            Registration::Absent | Registration::Expired | Registration::Removed
        );
        self.verdict.health() == Health::Down && (registered || !profile.judge_registration)
    }

    /// Keep the slot's trial flag current.
    fn offer_trial(&mut self, slot: &Slot, profile: &Profile, now: Timestamp) {
        let due = self.tries_calls(profile)
            && self
                .watches
                .iter()
                .any(|watch| watch.health.trial_due(profile, now));
        if due && !self.trial_offered {
            slot.set_trial(true);
            self.trial_offered = true;
        } else if !due && self.trial_offered {
            self.trial_offered = false;
            if !slot.take_trial() {
                // A call was faster than the withdrawal.
                self.trial_sent(now);
            }
        }
    }

    /// When this line wants attention; `MAX`: never, unless something comes in.
    fn deadline(
        &self,
        targets: &[std::sync::Arc<Target>],
        grace_end: Option<Timestamp>,
        excused_until: Timestamp,
        profile: &Profile,
        now: Timestamp,
    ) -> Timestamp {
        let probes = self.watches.iter().map(super::watch::Watch::deadline);
        let expiries = targets
            .iter()
            .filter_map(|target| Some(target.binding.as_ref()?.expires.max(excused_until)));
        // A call that took the trial may tell nothing (its caller hung up), so whether one is due is looked at again and again.
        let trials = self
            .watches
            .iter()
            .filter(|watch| self.tries_calls(profile) && watch.wants_trial());
        let fast = profile.sane().fast_interval;
        let trials = trials.map(|watch| watch.health.held_until().max(now + fast));
        probes
            .chain(expiries)
            .chain(trials)
            .chain(grace_end)
            .chain(std::iter::once(self.told_until()))
            .chain(self.verdict.deadline(profile))
            .chain(self.guarded.deadline())
            .min()
            .unwrap_or(Timestamp::MAX)
    }
}

/// Where the fault is; unclear where there is none.
fn place_of(change: &Change) -> FaultPlace {
    if matches!(change.health, Health::Up | Health::Unknown) {
        return FaultPlace::Unclear;
    }
    if change.cause.is_registration() {
        return FaultPlace::of(change.cause, false);
    }
    change.evidence.place
}

/// What a change rests on, in a sentence.
fn evidence_text(change: &Change) -> String {
    let Change {
        cause,
        evidence,
        since: now,
        ..
    } = change;
    let Evidence {
        options_faults,
        call_faults,
        ..
    } = evidence;
    let calls = || {
        if *call_faults == 1 {
            "1 call".to_owned()
        } else {
            format!("{call_faults} calls")
        }
    };
    let mut text = match cause {
        Cause::Start => "nothing observed yet".to_owned(),
        Cause::OptionsTimeout => format!("{options_faults} OPTIONS without answer"),
        Cause::OptionsCode(code) => {
            format!("{options_faults} OPTIONS at fault, last answered {code}")
        }
        Cause::NotRegistered => return "no binding".to_owned(),
        Cause::Expired => return "the last binding ran out".to_owned(),
        Cause::Removed => return "the phone removed its last binding".to_owned(),
        Cause::CallFailed(code) => format!("{} failed, last answered {code}", calls()),
        Cause::CallSilent => format!("{} without answer", calls()),
        Cause::Unreachable(_) if *options_faults > 0 => {
            format!("{options_faults} OPTIONS failed, {cause}")
        }
        Cause::Unreachable(_) => format!("{} failed, {cause}", calls()),
        Cause::Wish => return "the operator wants it so".to_owned(),
        Cause::OptionsAnswered => {
            let mut text = "OPTIONS answered".to_owned();
            if let Some(rtt) = evidence.rtt {
                let _ = write!(text, " in {:.1} ms", rtt.as_secs_f64() * 1000.0);
            }
            return text;
        }
        Cause::Registered => return "REGISTER accepted".to_owned(),
        Cause::CallAnswered => return "a call was answered".to_owned(),
    };
    match evidence.last_good {
        Some(at) => {
            let _ = write!(text, ", last answer {} ago", rounded(*now - at));
        }
        None => text.push_str(", none answered before"),
    }
    for (position, (at, what)) in evidence.recent.iter().enumerate() {
        let mark = if position == 0 { ": " } else { ", " };
        let _ = write!(
            text,
            "{mark}{:.2} s before {what}",
            (*now - at).as_secs_f64()
        );
    }
    text
}

fn rounded(ago: Duration) -> String {
    match ago.as_secs() {
        0 => format!("{} ms", ago.as_millis()),
        seconds @ 1..=119 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}
