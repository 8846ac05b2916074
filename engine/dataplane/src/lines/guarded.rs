//! How a line stands before the own-fault guard.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use route_core::{Change, Class, Health, Line, LineSlot, LineVerdict, Profile};
use sip_core::time::Timestamp;

use super::Owned;
use crate::guard::{Admission, GuardRow, Standing, could_be_ours, groups_of, network_of};
use crate::settings::GuardSettings;
use crate::shared::Shared;
use crate::slots::Target;
use crate::worker::View;

/// A fallen line counts as a fault of its time for this long at most, whatever its interval.
const LONGEST: Duration = Duration::from_mins(1);

/// When a line that answers again, but has not risen yet, is looked at again if nothing happens to it.
const ANSWERING: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Default)]
pub(super) struct Guarded {
    standing: Standing,
    /// What the line shares, as a hash, and its network: when they change it comes into sight anew.
    mark: u64,
    network: Option<IpAddr>,
    /// It was up since it was last down.
    was_up: bool,
    /// It would be down since then.
    waits_since: Option<Timestamp>,
    ask_again: Timestamp,
}

impl Guarded {
    /// Whether a change may happen.
    pub(super) fn admits(
        &mut self,
        line: LineSlot,
        change: &Change,
        heard: Heard,
        shared: &Shared,
        settings: &GuardSettings,
    ) -> (bool, Option<GuardRow>) {
        let now = change.since;
        let waits = self.waits_since.is_some();
        if waits && heard.lately && change.cause.class() == Class::Signalling {
            // It answers again and rises when its hold is over; until then it shall not fall for what was.
            self.ask_again = now + ANSWERING;
            return (false, None);
        }
        let speaks = heard.in_doubt && !waits;
        if speaks || !could_be_ours(change.cause) {
            self.waits_since = None;
            return (true, None);
        }
        if self.waits_since.is_some() && now < self.ask_again {
            return (false, None);
        }
        let since = *self.waits_since.get_or_insert(now);
        let (admission, told) = shared.guard.admit(line, since, settings, now);
        match admission {
            Admission::Pass => self.waits_since = None,
            Admission::Hold(until) => self.ask_again = until,
        }
        (admission == Admission::Pass, told)
    }

    /// When the guard is to be asked again.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.waits_since.map(|_| self.ask_again)
    }
}

/// What came from a line.
#[derive(Clone, Copy)]
pub(super) struct Heard {
    /// A packet since it is in doubt: then its silence is not all there is.
    in_doubt: bool,
    /// A packet since the last probes but one.
    lately: bool,
}

/// What came from a line since it is in doubt.
pub(super) fn heard_in_doubt(
    verdict: &LineVerdict,
    targets: &[Arc<Target>],
    profile: &Profile,
    now: Timestamp,
) -> Heard {
    let back = |time: Duration| {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Timestamp::from_micros(now.as_micros().saturating_sub(micros))
    };
    let doubt = match verdict.health() {
        Health::Suspect => verdict.since(),
        _ => back(profile.timeout),
    };
    let last = targets.iter().filter_map(|target| target.last_seen()).max();
    Heard {
        in_doubt: last.is_some_and(|seen| seen >= doubt),
        lately: last.is_some_and(|seen| {
            seen >= back(profile.timeout + profile.fast_interval.saturating_mul(2))
        }),
    }
}

impl Owned {
    /// How the guard is to see the line. Without OPTIONS nobody hears from it in time, so it counts only when it is in trouble.
    fn standing(
        &self,
        targets: &[Arc<Target>],
        profile: &Profile,
        window: Duration,
        now: Timestamp,
    ) -> Standing {
        let answers =
            profile.judge_options && targets.iter().any(|target| target.rtt_us().is_some());
        let silent = could_be_ours(self.verdict.cause());
        let was = self.guarded.standing;
        match self.verdict.health() {
            Health::Up if answers => Standing::Well,
            Health::Suspect if self.guarded.was_up => {
                if silent && !heard_in_doubt(&self.verdict, targets, profile, now).in_doubt {
                    Standing::Doubtful
                } else if answers {
                    Standing::Well
                } else {
                    Standing::Out
                }
            }
            Health::Down if silent => match was {
                Standing::Out | Standing::Fallen(_) => was,
                Standing::Well | Standing::Doubtful => {
                    Standing::Fallen(now + window.max(profile.interval).min(LONGEST))
                }
            },
            _ => Standing::Out,
        }
    }

    /// Tell the guard how the line stands now.
    pub(super) fn stand(
        &mut self,
        line: LineSlot,
        targets: &[Arc<Target>],
        profile: &Profile,
        shared: &Shared,
        view: &View,
        now: Timestamp,
    ) {
        let (of_table, settings) = (view.table.line(line), &view.policy.settings.guard);
        let was = self.guarded.standing;
        let standing = self.standing(targets, profile, settings.window, now);
        match self.verdict.health() {
            Health::Up => self.guarded.was_up = true,
            Health::Down => self.guarded.was_up = false,
            Health::Suspect | Health::Unknown => {}
        }
        if self.verdict.health() != Health::Suspect {
            self.guarded.waits_since = None;
        }
        if standing == Standing::Out && was == Standing::Out {
            return;
        }
        let network = targets
            .first()
            .map(|target| network_of(target.address.ip()))
            .or(self.guarded.network);
        let mark = of_table.map_or(0, |of_table| mark_of(of_table));
        if was != Standing::Out && (network, mark) != (self.guarded.network, self.guarded.mark) {
            shared.guard.set(line, Standing::Out, now, Vec::new);
        } else if was == standing {
            return;
        }
        (self.guarded.network, self.guarded.mark) = (network, mark);
        self.guarded.standing = standing;
        shared.guard.set(line, standing, now, || {
            of_table.map_or_else(Vec::new, |of_table| groups_of(of_table, network))
        });
    }
}

fn mark_of(line: &Line) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&line.groups, &line.site_id).hash(&mut hasher);
    hasher.finish()
}
