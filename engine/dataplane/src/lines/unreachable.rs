//! Probes that were not delivered.

use route_core::{LineSlot, Unreachable};
use sip_core::transaction::key::ClientKey;

use super::profile_of;
use crate::slots::owner;
use crate::worker::{Core, Undelivered, View};

impl Core {
    /// The probe of `key` was not delivered, or so it is said. Not a probe under way: nothing.
    pub(crate) fn on_probe_unreachable(
        &mut self,
        key: ClientKey,
        report: &Undelivered,
        view: &View,
    ) {
        let Some(line) = self.lines.probes.line_of(key) else {
            return;
        };
        if report.kind == Unreachable::NoRoute {
            // Our own stack says so: that is no evidence about the line.
            return self.on_probe_void(key, view);
        }
        self.take_report(line, report, view);
    }

    /// Somebody's packet to an address was not delivered, and nothing more is known: every target of ours there with a probe
    /// under way is meant.
    pub(crate) fn on_target_unreachable(&mut self, report: &Undelivered, view: &View) {
        let mut lines = std::mem::take(&mut self.neighbours);
        self.shared
            .addresses
            .lines_at(report.destination, &mut lines);
        for line in lines.drain(..) {
            if owner(line, self.workers()) == self.index {
                self.take_report(line, report, view);
            }
        }
        self.neighbours = lines;
    }

    fn take_report(&mut self, line: LineSlot, report: &Undelivered, view: &View) {
        let profile = profile_of(line, view);
        let targets = self.targets_of(line);
        let Some(owned) = self.lines.owned.get_mut(&line) else {
            return;
        };
        let mut taken = false;
        for (watch, target) in owned.watches.iter_mut().zip(targets.iter()) {
            if target.address != report.destination {
                continue;
            }
            // The probe stays under way: whoever knows our addresses can write such a report, but not stop the answer.
            let Some(sent) = watch.report(report.request) else {
                continue;
            };
            watch.health.handle_probe_unreachable(
                report.kind,
                report.by_target,
                sent,
                &profile.verdict,
                self.now,
            );
            taken = true;
        }
        if taken {
            self.counters.unreachables_taken.increment();
            self.settle(line, view);
        }
    }

    /// The probe of `key` never left us: it proves nothing.
    pub(crate) fn on_probe_void(&mut self, key: ClientKey, view: &View) {
        let Some(line) = self.lines.probes.line_of(key) else {
            return;
        };
        let profile = profile_of(line, view);
        let Some(owned) = self.lines.owned.get_mut(&line) else {
            return;
        };
        let Some(watch) = owned
            .watches
            .iter_mut()
            .find_map(|watch| watch.take(key).map(|_| watch))
        else {
            return;
        };
        watch.not_before = self.now + profile.verdict.sane().fast_interval;
        watch.health.handle_probe_void(self.now);
        self.lines.probes.forget(key);
        self.counters.probes_void.increment();
        self.settle(line, view);
    }
}
