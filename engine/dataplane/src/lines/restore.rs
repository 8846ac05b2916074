//! What the store kept over a restart. It may come before the table or after it, before the first packet or after it.
//!
//! Rules: what is newer in memory wins; a restored verdict is published at once, without an event, and holds until fresh
//! evidence; a line that came after its rows is judged with them, never before; a binding that ran out while we were down lives `restart_grace_s` more, since its phone could not refresh it.

use std::collections::HashMap;
use std::sync::Arc;

use route_core::{Cause, Health, LineKind, LineSlot, Profile, Registration};
use sip_core::time::Timestamp;

use super::bindings::First;
use super::{Owned, pace, profile_of, restart_grace};
use crate::rows::{BindingRow, VerdictRow};
use crate::slots::{Binding, Target, Targets};
use crate::worker::{Core, View};

/// Rows of a line that the table does not have yet, or has without that we were told; the letter that tells follows.
#[derive(Default)]
pub(super) struct Aside {
    bindings: Vec<BindingRow>,
    verdict: Option<VerdictRow>,
}

impl Core {
    /// Bindings from the store.
    pub(crate) fn restore_bindings(&mut self, rows: Vec<BindingRow>, view: &View) {
        let mut by_line: HashMap<LineSlot, Vec<BindingRow>> = HashMap::new();
        for row in rows {
            by_line.entry(row.line).or_default().push(row);
        }
        for (line, rows) in by_line {
            if self.lines.owned.contains_key(&line) {
                self.take_bindings(line, rows, view);
                self.settle(line, view);
            } else {
                self.lines
                    .aside
                    .entry(line)
                    .or_default()
                    .bindings
                    .extend(rows);
            }
        }
    }

    /// Verdicts from the store.
    pub(crate) fn restore_verdicts(&mut self, rows: &[VerdictRow], view: &View) {
        for row in rows {
            let line = row.line;
            if self.lines.owned.contains_key(&line) {
                self.take_verdict(row, view);
                self.settle(line, view);
            } else {
                self.lines.aside.entry(line).or_default().verdict = Some(row.clone());
            }
        }
    }

    /// `line` is new in the table: give it what was kept for it. The caller settles it.
    pub(super) fn bring_back(&mut self, line: LineSlot, view: &View) {
        let Some(aside) = self.lines.aside.remove(&line) else {
            return;
        };
        if let Some(verdict) = &aside.verdict {
            self.take_verdict(verdict, view);
        }
        if !aside.bindings.is_empty() {
            self.take_bindings(line, aside.bindings, view);
        }
    }

    fn take_bindings(&mut self, line: LineSlot, rows: Vec<BindingRow>, view: &View) {
        let profile = profile_of(line, view);
        let mut targets: Targets = self.targets_of(line).to_vec();
        let before = targets.len();
        let Some(owned) = self
            .lines
            .owned
            .get(&line)
            .filter(|owned| owned.kind == LineKind::Registered)
        else {
            return;
        };
        // The phone itself said since then that it is gone.
        if matches!(
            owned.registration,
            Registration::Removed | Registration::Expired
        ) {
            return;
        }
        let urgent = owned.verdict.health() != Health::Up && owned.verdict.cause() != Cause::Start;
        for row in rows {
            let uri: Box<[u8]> = row.contact.into_bytes().into();
            let Some(socket) = self.socket_for(row.received, 0) else {
                continue;
            };
            let of_user = |target: &Target| {
                target
                    .binding
                    .as_ref()
                    .is_some_and(|binding| *binding.user == *row.user)
            };
            if targets
                .iter()
                .any(|target| target.uri == uri && of_user(target))
            {
                continue;
            }
            let mut expires = self.shared.clock.at_unix_ms(row.expires_unix_ms);
            if expires <= self.now {
                expires = self.now + restart_grace(view);
            }
            let binding = Binding {
                user: row.user.into(),
                call_id: row.call_id.into_bytes().into(),
                cseq: row.cseq,
                expires,
                user_agent: row.user_agent.into_bytes().into(),
            };
            let rank = 1000_u16.saturating_sub(row.q);
            targets.push(Arc::new(Target::new(
                uri,
                row.received,
                socket,
                rank,
                Some(binding),
            )));
        }
        if targets.len() == before {
            return;
        }
        let first = if urgent {
            First::Fast
        } else {
            First::Within(profile.verdict.sane().interval)
        };
        self.set_targets(line, targets, first, view);
        let soon = self.now + pace::spread(line, 0, profile.verdict.sane().fast_interval);
        if let Some(owned) = self.lines.owned.get_mut(&line) {
            owned.registration = Registration::Present;
            owned.recall(&profile.verdict, soon);
        }
    }

    fn take_verdict(&mut self, row: &VerdictRow, view: &View) {
        let profile = profile_of(row.line, view).verdict.sane();
        let soon = self.now + pace::spread(row.line, 0, profile.fast_interval);
        let Some(owned) = self.lines.owned.get_mut(&row.line) else {
            return;
        };
        let judged = owned.verdict.health() != Health::Unknown
            || owned
                .watches
                .iter()
                .any(|watch| watch.health.health() != Health::Unknown);
        if judged || row.health == Health::Unknown {
            return;
        }
        let cause = Cause::from_slug(&row.cause).unwrap_or_default();
        let since = self
            .shared
            .clock
            .at_unix_ms(row.since_unix_ms)
            .min(self.now);
        owned.verdict.restore(row.health, since, cause, &profile);
        owned.restored = true;
        owned.evidence = row.evidence.as_str().into();
        owned.place = row.place;
        owned.recall(&profile, soon);
        if let Some(slot) = self.shared.slots.slot(row.line) {
            slot.publish(row.health, cause, row.place, since);
        }
    }
}

impl Owned {
    /// Give the targets of a restored line what its verdict says about them.
    ///
    /// Down says it of each, up or suspect only of one that is alone. Down for want of a registration says nothing about a
    /// target. One in doubt is asked by `soon`.
    fn recall(&mut self, profile: &Profile, soon: Timestamp) {
        let (health, since, cause) = (
            self.verdict.health(),
            self.verdict.since(),
            self.verdict.cause(),
        );
        let telling = match health {
            Health::Down => !matches!(
                cause,
                Cause::NotRegistered | Cause::Expired | Cause::Removed
            ),
            Health::Up | Health::Suspect => self.watches.len() == 1,
            Health::Unknown => false,
        };
        if !self.restored || !telling {
            return;
        }
        for watch in self
            .watches
            .iter_mut()
            .filter(|watch| watch.health.health() == Health::Unknown)
        {
            watch.restore(health, since, cause, profile, soon);
        }
    }
}
