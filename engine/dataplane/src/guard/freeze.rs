//! The state of the guard: open, frozen, or letting go what it held.
//!
//! | state | event | then |
//! |---|---|---|
//! | open | the finding is *ourselves*, or sends are refused to as many | frozen |
//! | open | an operator freezes | frozen, until he releases it or his limit |
//! | frozen | half of the troubled lines answer again | letting go, after a moment for the others (`answered`) |
//! | frozen | the finding becomes *outside* | letting go (`explained`) |
//! | frozen | `freeze_limit` | letting go (`limit`) |
//! | frozen | an operator releases, or switches the guard off | letting go (`operator`, `disabled`) |
//! | letting go | its time is over | open |
//!
//! After `limit`, `operator` and `explained` nothing freezes by itself until the trouble that was looked at is out of sight.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use route_core::LineSlot;
use sip_core::time::Timestamp;

use super::judge::{Finding, exceeds, judge};
use super::sight::{Sight, Standing, Tally};
use super::{GuardRow, GuardState, PastFreeze};
use crate::clock::Clock;
use crate::settings::GuardSettings;

/// A finding is good for this long: the judge looks at all groups.
const FINDING_LIFE: Duration = Duration::from_millis(100);
/// How long a fall waits while the finding is unclear.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// When a fall that waits is looked at again.
const AGAIN: Duration = Duration::from_millis(200);
/// When a fall that is held is looked at again, if nothing else happens to the line.
const HELD_AGAIN: Duration = Duration::from_secs(1);
/// What was held is let go over this time, each line at its own instant.
pub(super) const LETTING_GO: Duration = Duration::from_secs(2);
/// When many answer again, the others have this long to do the same.
const MOMENT: Duration = Duration::from_millis(2500);
/// Freezes remembered for people.
const REMEMBERED: usize = 16;
/// Groups named in an event.
const NAMED: usize = 8;

pub(super) const MANY_LINES: &str = "many_lines";
pub(super) const SEND_REFUSED: &str = "send_refused";
pub(super) const OPERATOR: &str = "operator";
const ANSWERED: &str = "answered";

/// What becomes of a fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// The line may fall.
    Pass,
    /// It stays suspect; ask again then.
    Hold(Timestamp),
}

#[derive(Clone, Debug)]
enum Phase {
    Open,
    Frozen(Freeze),
    LettingGo { from: Timestamp, rests: bool },
}

#[derive(Clone, Debug)]
struct Freeze {
    reason: &'static str,
    until: Option<Timestamp>,
}

/// A freeze, past or present.
struct Record {
    reason: &'static str,
    by: String,
    from: Timestamp,
    until: Option<Timestamp>,
    released: &'static str,
    held: u32,
    peak: Tally,
}

pub(super) struct State {
    pub(super) sight: Sight,
    phase: Phase,
    held: HashSet<LineSlot>,
    /// Destinations that our own stack refused to send to, and until when that counts.
    refused: HashMap<SocketAddr, Timestamp>,
    refused_sorted: Timestamp,
    finding: (Timestamp, Finding),
    /// No freeze by itself before this.
    rest_until: Timestamp,
    /// The longest time that a fallen line stays in sight, of those that fell.
    longest: Duration,
    freezes: u64,
    records: VecDeque<Record>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            sight: Sight::default(),
            phase: Phase::Open,
            held: HashSet::new(),
            refused: HashMap::new(),
            refused_sorted: Timestamp::ZERO,
            finding: (Timestamp::ZERO, Finding::Outside),
            rest_until: Timestamp::ZERO,
            longest: Duration::ZERO,
            freezes: 0,
            records: VecDeque::new(),
        }
    }
}

impl State {
    /// A line stands otherwise than before.
    pub(super) fn set(
        &mut self,
        line: LineSlot,
        standing: Standing,
        now: Timestamp,
        groups: impl FnOnce() -> Vec<String>,
    ) {
        if standing != Standing::Doubtful {
            self.held.remove(&line);
        }
        if let Standing::Fallen(until) = standing {
            self.longest = self.longest.max(until - now);
        }
        self.sight.set(line, standing, groups);
    }

    /// `line` is about to fall for want of an answer; it waits since `since`.
    pub(super) fn admit(
        &mut self,
        line: LineSlot,
        since: Timestamp,
        settings: &GuardSettings,
        now: Timestamp,
    ) -> (Admission, Option<GuardRow>) {
        let told = self.tick(settings, now);
        if told.is_some() {
            return (self.admission(line, since, Finding::Outside, now), told);
        }
        let finding = self.finding(settings, now);
        let frozen = if finding == Finding::Ourselves && matches!(self.phase, Phase::Open) {
            Some(self.freeze(MANY_LINES, String::new(), settings.freeze_limit, now))
        } else {
            None
        };
        (self.admission(line, since, finding, now), frozen)
    }

    fn admission(
        &mut self,
        line: LineSlot,
        since: Timestamp,
        finding: Finding,
        now: Timestamp,
    ) -> Admission {
        let patience = since + PATIENCE;
        let admission = match self.phase {
            Phase::Frozen(_) => {
                self.held.insert(line);
                self.note_peak();
                return Admission::Hold(now + HELD_AGAIN);
            }
            Phase::LettingGo { from, .. } if now < from + spread(line) => {
                Admission::Hold(from + spread(line))
            }
            Phase::Open if finding == Finding::Unclear && now < patience => {
                Admission::Hold(patience.min(now + AGAIN))
            }
            Phase::LettingGo { .. } | Phase::Open => Admission::Pass,
        };
        if admission == Admission::Pass {
            self.held.remove(&line);
        }
        admission
    }

    /// Our own stack refused to send to `destination`.
    pub(super) fn refused(
        &mut self,
        destination: SocketAddr,
        settings: &GuardSettings,
        now: Timestamp,
    ) -> Option<GuardRow> {
        let told = self.tick(settings, now);
        self.refused.insert(destination, now + settings.window);
        self.sort_out_refused(now);
        if told.is_some() || !matches!(self.phase, Phase::Open) || !self.may_freeze(settings, now) {
            return told;
        }
        let seen = Tally {
            troubled: u32::try_from(self.refused.len()).unwrap_or(u32::MAX),
            lines: self.sight.all().lines,
        };
        exceeds(seen, settings, 1.0)
            .then(|| self.freeze(SEND_REFUSED, String::new(), settings.freeze_limit, now))
    }

    /// Let time pass: limits, and evidence that came meanwhile.
    pub(super) fn tick(&mut self, settings: &GuardSettings, now: Timestamp) -> Option<GuardRow> {
        self.sight.expire(now);
        match self.phase.clone() {
            Phase::Open => None,
            Phase::LettingGo { from, rests } => {
                if now >= from + LETTING_GO {
                    self.phase = Phase::Open;
                    // Whoever still has to fall has asked by now.
                    self.held.clear();
                    if rests {
                        self.rest_until = now + self.longest;
                    }
                }
                None
            }
            Phase::Frozen(freeze) => {
                self.note_peak();
                let why = self.ends(&freeze, settings, now)?;
                Some(self.release(why, String::new(), now))
            }
        }
    }

    /// What ends the present freeze, if anything does.
    fn ends(
        &mut self,
        freeze: &Freeze,
        settings: &GuardSettings,
        now: Timestamp,
    ) -> Option<&'static str> {
        if freeze.until.is_some_and(|until| now >= until) {
            return Some("limit");
        }
        if freeze.reason == OPERATOR {
            return None;
        }
        if !settings.enabled {
            return Some("disabled");
        }
        if freeze.reason == SEND_REFUSED {
            self.sort_out_refused(now);
            return self.refused.is_empty().then_some(ANSWERED);
        }
        let peak = self
            .records
            .front()
            .map_or(0, |record| record.peak.troubled);
        if self.sight.all().troubled <= peak / 2 {
            return Some(ANSWERED);
        }
        (self.finding(settings, now) == Finding::Outside).then_some("explained")
    }

    /// Forget old refusals, now and then: there may be as many as lines.
    fn sort_out_refused(&mut self, now: Timestamp) {
        if now >= self.refused_sorted + FINDING_LIFE {
            self.refused_sorted = now;
            self.refused.retain(|_, until| *until > now);
        }
    }

    /// An operator freezes; `None` if it was frozen already.
    pub(super) fn freeze_by(
        &mut self,
        by: &str,
        limit: Duration,
        now: Timestamp,
    ) -> Option<GuardRow> {
        (!matches!(self.phase, Phase::Frozen(_)))
            .then(|| self.freeze(OPERATOR, by.to_owned(), limit, now))
    }

    /// An operator releases; `None` if nothing was frozen.
    pub(super) fn release_by(&mut self, by: &str, now: Timestamp) -> Option<GuardRow> {
        matches!(self.phase, Phase::Frozen(_)).then(|| self.release(OPERATOR, by.to_owned(), now))
    }

    fn freeze(
        &mut self,
        reason: &'static str,
        by: String,
        limit: Duration,
        now: Timestamp,
    ) -> GuardRow {
        let until = (limit > Duration::ZERO).then(|| now + limit);
        self.phase = Phase::Frozen(Freeze { reason, until });
        self.freezes += 1;
        self.records.truncate(REMEMBERED - 1);
        let record = Record {
            reason,
            by: by.clone(),
            from: now,
            until: None,
            released: "",
            held: 0,
            peak: self.sight.all(),
        };
        self.records.push_front(record);
        self.row(true, reason, by)
    }

    fn release(&mut self, why: &'static str, by: String, now: Timestamp) -> GuardRow {
        let row = self.row(false, why, by);
        let rests = why != ANSWERED;
        let from = if rests { now } else { now + MOMENT };
        self.phase = Phase::LettingGo { from, rests };
        if let Some(record) = self.records.front_mut() {
            (record.until, record.released) = (Some(now), why);
        }
        row
    }

    fn may_freeze(&self, settings: &GuardSettings, now: Timestamp) -> bool {
        settings.enabled && now >= self.rest_until
    }

    /// What the trouble looks like; looked at anew when it is old.
    fn finding(&mut self, settings: &GuardSettings, now: Timestamp) -> Finding {
        if !self.may_freeze(settings, now) {
            return Finding::Outside;
        }
        let (at, found) = self.finding;
        if now < at + FINDING_LIFE && now >= at && at != Timestamp::ZERO {
            return found;
        }
        let found = judge(&self.sight, settings);
        self.finding = (now, found);
        found
    }

    fn note_peak(&mut self) {
        let (seen, held) = (self.sight.all(), self.held.len());
        if let Some(record) = self.records.front_mut() {
            record.held = record.held.max(u32::try_from(held).unwrap_or(u32::MAX));
            if seen.troubled > record.peak.troubled {
                record.peak = seen;
            }
        }
    }

    fn row(&self, frozen: bool, why: &'static str, by: String) -> GuardRow {
        let Tally { troubled, lines } = self.sight.all();
        GuardRow {
            frozen,
            why,
            by,
            held: self.held(),
            troubled,
            lines,
            groups: self.sight.most_hit(NAMED),
        }
    }

    pub(super) fn held(&self) -> u32 {
        u32::try_from(self.held.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn freezes(&self) -> u64 {
        self.freezes
    }

    pub(super) fn is_frozen(&self) -> bool {
        matches!(self.phase, Phase::Frozen(_))
    }

    /// When [`State::tick`] is to be called.
    pub(super) fn due(&self) -> Timestamp {
        match self.phase {
            Phase::Open => self.sight.next_expiry(),
            Phase::Frozen(_) | Phase::LettingGo { .. } => Timestamp::ZERO,
        }
    }

    /// For people.
    pub(super) fn shown(&self, settings: &GuardSettings, clock: &Clock) -> GuardState {
        let Tally { troubled, lines } = self.sight.all();
        let present = self.records.front().filter(|_| self.is_frozen());
        let until = match &self.phase {
            Phase::Frozen(freeze) => freeze.until,
            _ => None,
        };
        let past = |record: &Record| PastFreeze {
            reason: record.reason,
            by: record.by.clone(),
            from_unix_ms: clock.unix_ms(record.from),
            until_unix_ms: record.until.map(|at| clock.unix_ms(at)),
            released: record.released,
            held: record.held,
            troubled: record.peak.troubled,
            lines: record.peak.lines,
        };
        GuardState {
            enabled: settings.enabled,
            reason: present.map(|record| record.reason),
            by: present.map(|record| record.by.clone()).unwrap_or_default(),
            since_unix_ms: present.map(|record| clock.unix_ms(record.from)),
            until_unix_ms: until.map(|at| clock.unix_ms(at)),
            held: self.held(),
            troubled,
            lines,
            groups: self.sight.most_hit(NAMED),
            freezes: self.freezes,
            last: self.records.iter().map(past).collect(),
        }
    }
}

/// A line's own instant in `LETTING_GO`.
fn spread(line: LineSlot) -> Duration {
    const GOLDEN: u32 = 0x9E37_79B9;
    let place = u64::from(line.0.wrapping_mul(GOLDEN));
    Duration::from_micros((u64::try_from(LETTING_GO.as_micros()).unwrap_or(u64::MAX) * place) >> 32)
}
