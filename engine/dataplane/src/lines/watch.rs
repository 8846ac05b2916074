//! One target under observation: its verdict machine, the probe under way, and when the next is due.

use route_core::{Cause, Health, LineSlot, Profile, TargetHealth};
use sip_core::time::Timestamp;
use sip_core::transaction::key::ClientKey;

use super::pace;

pub(super) struct Watch {
    pub(super) health: TargetHealth,
    /// Names the flow: a new address or contact gets a new watch, and answers to the old one's probes count for nothing.
    pub(super) id: u32,
    /// The probe under way, and when it counts as lost.
    pub(super) probe: Option<(ClientKey, Timestamp)>,
    /// The next probe; `MAX` while one is under way, or if the profile wants none.
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
            probe: None,
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
        let wanted = self
            .health
            .next_probe_at(&profile)
            .filter(|_| self.probe.is_none());
        self.due = wanted.map_or(Timestamp::MAX, |base| {
            let due = match self.last_sent {
                // At its normal pace; what the machine brings forward in doubt is not put off.
                Some(sent) if base >= sent + profile.interval => {
                    sent + pace::beat(line, self.sent, profile.interval)
                }
                _ => base,
            };
            let latest = now + profile.interval + profile.interval / 10;
            due.max(self.not_before).min(latest)
        });
    }

    /// A call waits for this target: ask it now, or one fast interval after it was asked last.
    pub(super) fn ask_soon(&mut self, profile: &Profile, now: Timestamp) {
        let pause = profile.sane().fast_interval;
        let at = self.last_sent.map_or(now, |sent| now.max(sent + pause));
        self.health.ask_by(at);
    }

    /// Take over a verdict that was kept over a restart. In doubt, the first probe is due by `soon`.
    pub(super) fn restore(
        &mut self,
        health: Health,
        since: Timestamp,
        cause: Cause,
        soon: Timestamp,
    ) {
        let first = if health == Health::Up {
            self.first
        } else {
            self.first.min(soon)
        };
        self.health = TargetHealth::restored(health, since, cause, first);
    }

    /// Nothing is known of this target any more.
    pub(super) fn forget(&mut self, now: Timestamp) {
        self.health = TargetHealth::new(now, self.first);
    }

    /// A probe went out.
    pub(super) fn probe_sent(&mut self, key: ClientKey, profile: &Profile, now: Timestamp) {
        self.health.handle_probe_sent(profile, now);
        self.probe = Some((key, now + profile.sane().timeout));
        self.last_sent = Some(now);
        self.sent = self.sent.saturating_add(1);
        self.due = Timestamp::MAX;
    }

    /// When this target wants attention.
    pub(super) fn deadline(&self) -> Timestamp {
        self.probe.map_or(self.due, |(_, lost)| lost)
    }
}
