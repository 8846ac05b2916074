//! Bindings of a line: taken from the registrar, told to Python, ended when they run out.

use std::sync::Arc;
use std::time::Duration;

use route_core::{LineSlot, Registration};

use super::watch::Watch;
use super::{Owned, pace, profile_of};
use crate::events::{BindingChange, EventBody};
use crate::guard::Standing;
use crate::rows::BindingRow;
use crate::slots::{Target, Targets};
use crate::worker::{Core, View};

/// When a target that is new here is first asked.
#[derive(Clone, Copy)]
pub(super) enum First {
    /// Spread over this time.
    Within(Duration),
    /// At the fast pace: its health is to be known soon.
    Fast,
}

impl Core {
    /// `targets` are all of the line's from now on, `changes` how they differ from before; an added or refreshed one is in
    /// `targets`. Returns the sequence number of the last event, 0 if there was none or the table has no such line.
    pub(crate) fn change_bindings(
        &mut self,
        line: LineSlot,
        targets: Targets,
        changes: &[(BindingChange, Arc<Target>)],
        view: &View,
    ) -> u64 {
        self.adopt_line(line, view);
        self.set_targets(line, targets, First::Fast, view);
        let profile = profile_of(line, view);
        let targets = self.targets_of(line);
        let Some(owned) = self.lines.owned.get_mut(&line) else {
            return 0;
        };
        for (change, target) in changes {
            if change.is_end() {
                continue;
            }
            // One contact may be bound to several users of the line.
            let same = targets.iter().position(|own| Arc::ptr_eq(own, target));
            let position = same.or_else(|| targets.iter().position(|own| same_flow(own, target)));
            if let Some(watch) = position.and_then(|position| owned.watches.get_mut(position)) {
                watch.health.handle_registered(&profile.verdict, self.now);
                target.seen(self.now);
            }
        }
        let bound = targets.iter().any(|target| target.binding.is_some());
        match changes.last() {
            _ if bound => owned.registration = Registration::Present,
            Some((BindingChange::Expired, _)) => owned.registration = Registration::Expired,
            Some(_) => owned.registration = Registration::Removed,
            None => {}
        }
        let mut seq = 0;
        for (change, target) in changes {
            seq = self.push_binding(line, *change, target).unwrap_or(seq);
        }
        self.settle(line, view);
        seq
    }

    pub(super) fn push_binding(
        &self,
        line: LineSlot,
        change: BindingChange,
        target: &Target,
    ) -> Option<u64> {
        let row = Box::new(self.binding_row(line, target)?);
        let at = self.shared.clock.unix_ms(self.now);
        Some(
            self.shared
                .events
                .push(at, EventBody::Binding { change, row }),
        )
    }

    /// `target` as a row; `None` for a static peer.
    pub(super) fn binding_row(&self, line: LineSlot, target: &Target) -> Option<BindingRow> {
        let binding = target.binding.as_ref()?;
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        Some(BindingRow {
            line,
            contact: text(&target.uri),
            received: target.address,
            expires_unix_ms: self.shared.clock.unix_ms(binding.expires),
            call_id: text(&binding.call_id),
            cseq: binding.cseq,
            q: 1000_u16.saturating_sub(target.rank),
            user_agent: text(&binding.user_agent),
            user: binding.user.clone().into(),
        })
    }

    /// Take out bindings of `line` that have run out.
    pub(super) fn expire_bindings(&mut self, line: LineSlot, view: &View) {
        let targets = self.targets_of(line);
        let excused = self.now < self.lines.stall.grace_end;
        let over = |target: &Arc<Target>| {
            target
                .binding
                .as_ref()
                .is_some_and(|b| b.expires <= self.now && !excused)
        };
        if !targets.iter().any(over) {
            return;
        }
        let (gone, kept): (Targets, Targets) = targets.iter().cloned().partition(over);
        let changes: Vec<_> = gone
            .into_iter()
            .map(|target| (BindingChange::Expired, target))
            .collect();
        self.counters.bindings_expired.add(changes.len() as u64);
        self.change_bindings(line, kept, &changes, view);
    }

    /// Publish `targets`, best rank first. A flow that was there before keeps what is known about it.
    pub(super) fn set_targets(
        &mut self,
        line: LineSlot,
        mut targets: Targets,
        first: First,
        view: &View,
    ) {
        targets.sort_by_key(|target| target.rank);
        let old = self.targets_of(line);
        let profile = profile_of(line, view).verdict.sane();
        let Some(slot) = self.shared.slots.slot(line) else {
            return;
        };
        let Some(owned) = self.lines.owned.get_mut(&line) else {
            return;
        };
        let mut before: Vec<Option<Watch>> = owned.watches.drain(..).map(Some).collect();
        for (position, target) in targets.iter().enumerate() {
            let same = old
                .iter()
                .zip(&before)
                .position(|(old, watch)| watch.is_some() && same_flow(old, target));
            let known = same.and_then(|same| {
                if !Arc::ptr_eq(&old[same], target) {
                    target.inherit(&old[same]);
                }
                before[same].take()
            });
            let watch = known.unwrap_or_else(|| {
                let window = match first {
                    First::Within(window) => window,
                    First::Fast => profile.fast_interval,
                };
                let due = self.now + pace::spread(line, position, window);
                self.lines.next_watch = self.lines.next_watch.wrapping_add(1);
                Watch::new(self.lines.next_watch, self.now, due)
            });
            owned.watches.push(watch);
        }
        for probe in before.iter().flatten().flat_map(|watch| &watch.probes) {
            self.lines.probes.forget(probe.key);
        }
        self.shared.addresses.move_line(line, &old, &targets);
        slot.set_targets(targets);
    }

    /// Forget `line` and its bindings: the table has it no more, or as something else.
    pub(super) fn remove_line(&mut self, line: LineSlot, view: &View) {
        if !self.lines.owned.contains_key(&line) {
            return;
        }
        for target in self.targets_of(line).iter() {
            self.push_binding(line, BindingChange::Removed, target);
        }
        self.set_targets(line, Targets::new(), First::Fast, view);
        let Some(Owned { counted, .. }) = self.lines.owned.remove(&line) else {
            return;
        };
        self.lines
            .figures
            .replace(counted, super::Counted::default());
        self.shared
            .guard
            .set(line, Standing::Out, self.now, Vec::new);
        if let Some(slot) = self.shared.slots.read(line) {
            slot.set_trial(false);
            slot.set_watch(None);
            slot.publish(
                route_core::Health::Unknown,
                route_core::Cause::Start,
                route_core::FaultPlace::Unclear,
                self.now,
            );
        }
    }
}

/// Whether both are the same contact or peer, reached the same way.
fn same_flow(a: &Target, b: &Target) -> bool {
    (a.address, a.socket, &a.uri) == (b.address, b.socket, &b.uri)
}
