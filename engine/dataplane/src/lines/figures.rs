//! Gauges, kept as sums while lines change, so that publishing them costs the same for one line and a million.

use route_core::Health;

use super::Owned;
use crate::worker::Core;
use sip_core::time::Timestamp;

#[derive(Default)]
pub(super) struct Figures {
    bindings: u64,
    probers: u64,
    missing: u64,
    up: u64,
    suspect: u64,
    down: u64,
    unknown: u64,
}

/// What one line contributes.
#[derive(Clone, Copy, Default)]
pub(super) struct Counted {
    bindings: u32,
    probers: u32,
    missing: u32,
    /// `None` before the first count.
    health: Option<Health>,
}

impl Counted {
    /// `probed`: the profile wants OPTIONS.
    pub(super) fn of(owned: &Owned, bindings: usize, probed: bool) -> Self {
        // A target is looked after if it wants attention at some time, and the line wakes by then.
        let alive = |deadline: Timestamp| deadline < Timestamp::MAX && owned.scheduled <= deadline;
        let probers = owned
            .watches
            .iter()
            .filter(|watch| probed && alive(watch.deadline()))
            .count();
        let wanted = if probed { owned.watches.len() } else { 0 };
        Self {
            bindings: bindings as u32,
            probers: probers as u32,
            missing: (wanted - probers) as u32,
            health: Some(owned.verdict.health()),
        }
    }
}

impl Figures {
    pub(super) fn replace(&mut self, old: Counted, new: Counted) {
        let turn = |sum: &mut u64, old: u32, new: u32| {
            *sum = (*sum + u64::from(new)).saturating_sub(u64::from(old));
        };
        turn(&mut self.bindings, old.bindings, new.bindings);
        turn(&mut self.probers, old.probers, new.probers);
        turn(&mut self.missing, old.missing, new.missing);
        if old.health != new.health {
            if let Some(health) = new.health {
                *self.of(health) += 1;
            }
            if let Some(health) = old.health {
                let sum = self.of(health);
                *sum = sum.saturating_sub(1);
            }
        }
    }

    fn of(&mut self, health: Health) -> &mut u64 {
        match health {
            Health::Up => &mut self.up,
            Health::Suspect => &mut self.suspect,
            Health::Down => &mut self.down,
            Health::Unknown => &mut self.unknown,
        }
    }
}

impl Core {
    /// Publish the gauges; called every turn.
    pub(crate) fn publish_gauges(&mut self) {
        if self.shared.guard.is_due(self.now) {
            let settings = self.shared.policy.load().settings.guard;
            let told = self.shared.guard.tick(&settings, self.now);
            self.shared.tell_guard(told, self.now);
        }
        let (figures, counters) = (&self.lines.figures, &self.counters);
        counters.bindings.set(figures.bindings);
        counters.probers.set(figures.probers);
        counters.probers_missing.set(figures.missing);
        counters.lines_up.set(figures.up);
        counters.lines_suspect.set(figures.suspect);
        counters.lines_down.set(figures.down);
        counters.lines_unknown.set(figures.unknown);
        counters.transactions.set(self.transactions.len() as u64);
        if self.is_draining() {
            let unfinished = self
                .contexts
                .iter()
                .filter(|context| context.is_unfinished())
                .count();
            counters
                .unfinished
                .set(unfinished as u64 + u64::from(self.registrar.is_waiting()));
        }
        counters.timers.set(self.wheel.len() as u64);
    }
}
