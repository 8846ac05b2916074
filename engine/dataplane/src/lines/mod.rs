//! What a worker owns about its lines: targets, expiry, probes, verdicts.
//!
//! Rules: one worker owns a line and is the only writer of its [`Slot`]; a lost probe never deletes a
//! binding; the operator's wish is no evidence, so a line is probed under every wish; each line has at most one entry in the
//! timer wheel that counts, for its earliest deadline, and a line that is asked without cause does nothing.

mod bindings;
mod figures;
mod foreign;
mod guarded;
mod hasten;
mod pace;
mod probe;
mod reconcile;
mod restore;
mod states;
mod unreachable;
mod verdicts;
mod watch;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use route_core::{
    CallOutcome, FaultPlace, LineKind, LineSlot, LineVerdict, Registration, Unreachable,
};
use sip_core::time::Timestamp;

use crate::settings::LineProfile;
use crate::slots::{Slot, Targets};
use crate::worker::{Core, Stall, View};
use figures::{Counted, Figures};
use foreign::Foreign;
use guarded::Guarded;
use pace::Budget;
use probe::Probes;
use restore::Aside;
use watch::Watch;

/// The lines of one worker.
pub(crate) struct Lines {
    owned: HashMap<LineSlot, Owned>,
    probes: Probes,
    figures: Figures,
    /// Restored rows of lines that the table does not have yet.
    aside: HashMap<LineSlot, Aside>,
    /// A registered line without a binding is not judged before `restart_grace_s` from here are over.
    started: Timestamp,
    next_watch: u32,
    budget: Budget,
    /// The last stall of the worker.
    pub(crate) stall: Stall,
}

/// One line.
struct Owned {
    kind: LineKind,
    verdict: LineVerdict,
    registration: Registration,
    /// What the registrar of a foreign line told.
    foreign: Option<Box<Foreign>>,
    /// Parallel to the targets in the line's slot.
    watches: Vec<Watch>,
    /// The wheel entry that counts; `MAX`: none.
    scheduled: Timestamp,
    /// What the verdict rests on, for people.
    evidence: Box<str>,
    place: FaultPlace,
    /// The verdict is one that was kept over a restart, and nothing fresh has changed it.
    restored: bool,
    /// The slot's trial flag as we left it.
    trial_offered: bool,
    guarded: Guarded,
    counted: Counted,
}

impl Lines {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            owned: HashMap::new(),
            probes: Probes::default(),
            figures: Figures::default(),
            aside: HashMap::new(),
            started: now,
            next_watch: 0,
            budget: Budget::NEW,
            stall: Stall::NONE,
        }
    }

    /// When the worker began.
    pub(crate) const fn started(&self) -> Timestamp {
        self.started
    }

    /// When a registered line without a binding is down.
    fn grace_end(&self, view: &View) -> Timestamp {
        self.started + restart_grace(view)
    }
}

pub(crate) fn restart_grace(view: &View) -> Duration {
    Duration::try_from_secs_f64(view.policy.settings.registrar.restart_grace_s).unwrap_or_default()
}

/// How `line` is judged.
fn profile_of(line: LineSlot, view: &View) -> &LineProfile {
    view.policy
        .profile(view.table.line(line).map_or("", |line| &line.profile))
}

impl Core {
    /// Where calls to `line` go; what the line's watches are parallel to.
    fn targets_of(&self, line: LineSlot) -> Arc<Targets> {
        self.shared
            .slots
            .read(line)
            .and_then(Slot::targets)
            .unwrap_or_default()
    }

    /// The wheel fired for `line`: expiries, probe time-outs, due probes, the end of hold and of grace.
    pub(crate) fn on_line_timer(&mut self, line: LineSlot, view: &View) {
        let Some(owned) = self
            .lines
            .owned
            .get_mut(&line)
            .filter(|owned| owned.scheduled <= self.now)
        else {
            return;
        };
        owned.scheduled = Timestamp::MAX;
        self.expire_bindings(line, view);
        self.expire_told(line);
        self.work_probes(line, view);
        self.settle(line, view);
    }

    /// A call to a target of ours ended or was given up.
    pub(crate) fn on_call_outcome(
        &mut self,
        line: LineSlot,
        address: SocketAddr,
        outcome: CallOutcome,
        view: &View,
    ) {
        let profile = profile_of(line, view);
        let targets = self.targets_of(line);
        // Before the machines learn how it went, they learn that the trial, if it was one, is under way.
        self.notice_trial(line);
        if let CallOutcome::Unreachable {
            kind: Unreachable::NoRoute,
            ..
        } = outcome
        {
            // Our own stack says so: that is no evidence about the line, neither now nor once there is a route again.
            return self.on_doubt(line, address, view);
        }
        let Some(owned) = self.lines.owned.get_mut(&line) else {
            return;
        };
        for (watch, target) in owned.watches.iter_mut().zip(targets.iter()) {
            if target.address == address {
                watch
                    .health
                    .handle_call(outcome, &profile.verdict, self.now);
                if outcome == CallOutcome::Answered {
                    target.seen(self.now);
                }
            }
        }
        self.settle(line, view);
    }

    /// A call waits for a target of ours, in vain so far: it is asked by OPTIONS at once.
    pub(crate) fn on_doubt(&mut self, line: LineSlot, address: SocketAddr, view: &View) {
        let profile = profile_of(line, view);
        let targets = self.targets_of(line);
        let Some(owned) = self.lines.owned.get_mut(&line) else {
            return;
        };
        for (watch, target) in owned.watches.iter_mut().zip(targets.iter()) {
            if target.address == address {
                watch.health.handle_doubt(&profile.verdict, self.now);
            }
        }
        self.settle(line, view);
    }

    /// A packet came from a target of ours.
    pub(crate) fn on_seen(&mut self, line: LineSlot, address: SocketAddr) {
        let targets = self.targets_of(line);
        let Some(owned) = self.lines.owned.get_mut(&line) else {
            return;
        };
        for (watch, target) in owned.watches.iter_mut().zip(targets.iter()) {
            if target.address == address {
                watch.health.handle_packet(self.now);
                target.seen(self.now);
            }
        }
    }
}
