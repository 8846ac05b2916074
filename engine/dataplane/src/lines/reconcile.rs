//! The owned lines as the route table wants them: new ones, changed ones, ghosts.

use std::sync::Arc;

use route_core::{Cause, FaultPlace, Health, Line, LineKind, LineSlot, LineVerdict, Registration};
use sip_core::build::push_socket_address;
use sip_core::time::Timestamp;

use super::bindings::First;
use super::figures::Counted;
use super::guarded::Guarded;
use super::{Owned, pace, profile_of};
use crate::slots::{Target, Targets, owner};
use crate::worker::{Core, View, owned_lines};

impl Core {
    /// These lines changed in the table; `None`: any may have, or their profiles.
    pub(crate) fn on_lines_changed(&mut self, lines: Option<&[LineSlot]>, view: &View) {
        if let Some(lines) = lines {
            // A few lines are asked at once; a thousand lines of one delta are spread as a whole table is.
            let count = u32::try_from(lines.len()).unwrap_or(u32::MAX);
            let (workers, index) = (self.workers(), self.index);
            for line in lines
                .iter()
                .copied()
                .filter(|line| owner(*line, workers) == index)
            {
                self.reconcile(line, Some(count), view);
            }
            return;
        }
        let ghosts = self
            .lines
            .owned
            .keys()
            .copied()
            .filter(|line| view.table.line(*line).is_none());
        for ghost in ghosts.collect::<Vec<_>>() {
            self.remove_line(ghost, view);
        }
        for line in owned_lines(&view.table, self.index, self.workers()) {
            self.reconcile(line, None, view);
        }
    }

    /// Make sure that `line` is known, if the table has it: a REGISTER may come before the letter that tells of its line.
    pub(super) fn adopt_line(&mut self, line: LineSlot, view: &View) {
        if !self.lines.owned.contains_key(&line) {
            self.reconcile(line, Some(1), view);
        }
    }

    fn reconcile(&mut self, line: LineSlot, together: Option<u32>, view: &View) {
        let Some(wanted) = view.table.line(line) else {
            return self.remove_line(line, view);
        };
        if self
            .lines
            .owned
            .get(&line)
            .is_some_and(|owned| owned.kind != wanted.kind)
        {
            self.remove_line(line, view);
        }
        let is_new = !self.lines.owned.contains_key(&line);
        if is_new {
            let owned = Owned {
                kind: wanted.kind,
                verdict: LineVerdict::new(self.now),
                registration: Registration::Unknown,
                foreign: None,
                watches: Vec::new(),
                scheduled: Timestamp::MAX,
                evidence: "nothing observed yet".into(),
                place: FaultPlace::Unclear,
                restored: false,
                trial_offered: false,
                guarded: Guarded::default(),
                counted: Counted::default(),
            };
            self.lines.owned.insert(line, owned);
            if let Some(slot) = self.shared.slots.slot(line) {
                slot.publish(Health::Unknown, Cause::Start, FaultPlace::Unclear, self.now);
            }
        }
        match wanted.kind {
            LineKind::Static => self.set_peers(line, wanted, together, view),
            LineKind::Foreign => self.set_hops(line, wanted, view),
            LineKind::Registered => {}
        }
        if is_new {
            self.bring_back(line, view);
        } else {
            self.respread(line, view);
        }
        self.settle(line, view);
    }

    fn set_peers(&mut self, line: LineSlot, wanted: &Line, together: Option<u32>, view: &View) {
        // Out of reach is a peer of a family that no socket has.
        let places = || {
            wanted.peers.iter().filter_map(|peer| {
                let rank = u16::try_from(peer.priority).unwrap_or(u16::MAX);
                Some((peer.address, rank, self.socket_for(peer.address, 0)?))
            })
        };
        let current = self.targets_of(line);
        if places().eq(current
            .iter()
            .map(|target| (target.address, target.rank, target.socket)))
        {
            return;
        }
        let peers: Targets = places()
            .map(|(address, rank, socket)| {
                let mut uri = b"sip:".to_vec();
                push_socket_address(&mut uri, address);
                Arc::new(Target::new(uri.into(), address, socket, rank, None))
            })
            .collect();
        let profile = profile_of(line, view).verdict.sane();
        let window = together.map_or(profile.interval, |count| {
            profile
                .fast_interval
                .saturating_mul(count)
                .min(profile.interval)
        });
        self.set_targets(line, peers, First::Within(window), view);
    }

    /// A new profile may bring the probes of all its lines forward at once: spread those.
    fn respread(&mut self, line: LineSlot, view: &View) {
        let profile = profile_of(line, view).verdict.sane();
        let Some(owned) = self.lines.owned.get_mut(&line) else {
            return;
        };
        for (position, watch) in owned.watches.iter_mut().enumerate() {
            let before = watch.due;
            watch.plan(line, &profile, self.now);
            if before > self.now && watch.due <= self.now && watch.probes.is_empty() {
                watch.not_before = self.now + pace::spread(line, position, profile.interval);
            }
        }
    }
}
