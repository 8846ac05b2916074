//! One target under observation: its verdict machine, the probes under way, and when the next is due.

use route_core::{Cause, Health, LineSlot, Profile, TargetHealth};
use sip_core::time::Timestamp;
use sip_core::transaction::key::ClientKey;

use super::pace;

/// At the shortest useful intervals, more would be under way than anybody can tell apart.
const UNDER_WAY_LIMIT: usize = 16;

/// A probe under way.
#[derive(Clone, Copy)]
pub(super) struct UnderWay {
    pub(super) key: ClientKey,
    pub(super) sent: Timestamp,
    /// When it counts as lost.
    pub(super) lost: Timestamp,
    /// Said to be undelivered, and counted so. An answer in time is worth more.
    pub(super) reported: bool,
}

pub(super) struct Watch {
    pub(super) health: TargetHealth,
    /// Names the flow: a new address or contact gets a new watch, and answers to the old one's probes count for nothing.
    pub(super) id: u32,
    /// The probes under way, in the order in which they were sent.
    pub(super) probes: Vec<UnderWay>,
    /// The next probe; `MAX` if the profile wants none.
    pub(super) due: Timestamp,
    /// No probe before this: spreads what a reload brought forward.
    pub(super) not_before: Timestamp,
    /// The first probe, as it was planned.
    first: Timestamp,
    last_sent: Option<Timestamp>,
    sent: u32,
}

impl Watch {
    pub(super) fn new(id: u32, now: Timestamp, first: Timestamp) -> Self {
        Self {
            health: TargetHealth::new(now, first),
            id,
            probes: Vec::new(),
            due: Timestamp::MAX,
            not_before: Timestamp::ZERO,
            first,
            last_sent: None,
            sent: 0,
        }
    }

    /// Compute `due` anew, after any input to the machine or a change of the profile.
    pub(super) fn plan(&mut self, line: LineSlot, profile: &Profile, now: Timestamp) {
        let profile = profile.sane();
        let down = self.health.health() == Health::Down;
        let interval = self.health.interval(&profile);
        self.due = self
            .health
            .next_probe_at(&profile)
            .map_or(Timestamp::MAX, |base| {
                let due = match self.last_sent {
                    // At its normal pace; what the machine brings forward in doubt is not put off.
                    Some(sent) if base >= sent + interval && !down => {
                        sent + pace::beat(line, self.sent, interval)
                    }
                    _ => base,
                };
                // A hold-down may last longer than the interval.
                let latest =
                    (now + profile.interval + profile.interval / 10).max(self.health.held_until());
                due.max(self.not_before).min(latest)
            });
    }

    /// Take over a verdict that was kept over a restart. In doubt, the first probe is due by `soon`.
    pub(super) fn restore(
        &mut self,
        health: Health,
        since: Timestamp,
        cause: Cause,
        profile: &Profile,
        soon: Timestamp,
    ) {
        let first = if health == Health::Up {
            self.first
        } else {
            self.first.min(soon)
        };
        self.health = TargetHealth::restored(health, since, cause, profile, first);
    }

    /// Nothing is known of this target any more.
    pub(super) fn forget(&mut self, now: Timestamp) {
        self.health = TargetHealth::new(now, self.first);
    }

    /// A probe went out.
    pub(super) fn probe_sent(
        &mut self,
        line: LineSlot,
        key: ClientKey,
        profile: &Profile,
        now: Timestamp,
    ) {
        self.probes.push(UnderWay {
            key,
            sent: now,
            lost: now + self.health.timeout(profile),
            reported: false,
        });
        self.health.handle_probe_sent(profile, now);
        self.last_sent = Some(now);
        self.sent = self.sent.saturating_add(1);
        self.plan(line, profile, now);
    }

    /// Take out a probe that is under way.
    pub(super) fn take(&mut self, key: ClientKey) -> Option<UnderWay> {
        let position = self.probes.iter().position(|probe| probe.key == key)?;
        Some(self.probes.remove(position))
    }

    /// When the probe under way was sent that a report is about (`None`: the last), unless there was one about it before.
    pub(super) fn report(&mut self, key: Option<ClientKey>) -> Option<Timestamp> {
        let probe = match key {
            Some(key) => self.probes.iter_mut().find(|probe| probe.key == key),
            None => self.probes.last_mut(),
        }?;
        (!std::mem::replace(&mut probe.reported, true)).then_some(probe.sent)
    }

    /// Take out a probe that counts as lost by now, the oldest first.
    pub(super) fn take_lost(&mut self, now: Timestamp) -> Option<UnderWay> {
        let position = self.probes.iter().position(|probe| probe.lost <= now)?;
        Some(self.probes.remove(position))
    }

    /// Whether no more probes may be sent before one is decided.
    pub(super) fn is_full(&self) -> bool {
        self.probes.len() >= UNDER_WAY_LIMIT
    }

    /// Whether a call tells of it what OPTIONS may not.
    pub(super) fn wants_trial(&self) -> bool {
        self.health.needs_trial() || self.health.health() == Health::Unknown
    }

    /// Whether it is asked at a short interval.
    pub(super) fn in_doubt(&self) -> bool {
        matches!(self.health.health(), Health::Suspect | Health::Down)
    }

    /// When this target wants attention.
    pub(super) fn deadline(&self) -> Timestamp {
        let lost = self.probes.iter().map(|probe| probe.lost).min();
        match lost {
            Some(lost) if self.is_full() => lost,
            Some(lost) => lost.min(self.due),
            None => self.due,
        }
    }
}
