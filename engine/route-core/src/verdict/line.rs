//! The verdict on a line, fused from its registration and its targets.
//!
//! # Rules, first match wins
//!
//! | registration (if judged) | targets | health | cause |
//! |---|---|---|---|
//! | unresolved (always judged) | none | down | its name cannot be resolved |
//! | absent, expired, removed | | down | not registered, expired, removed |
//! | | one up | up | the target's |
//! | | else one suspect | suspect | the target's |
//! | present, untold, resolved | else one unknown | unknown if down for want of a registration, else as before | start, else as before |
//! | | else one unknown, or none | as before | as before |
//! | | all down | down | of the one that fell last |
//!
//! Down is left only when `hold` is over, whatever took the line down; a line that falls again and again is held longer. A fall that is not admitted leaves the line suspect.
use super::flap::Flap;
use super::target::{Evidence, TargetHealth};
use super::{Cause, Health, Profile, Unreachable};
use sip_core::time::Timestamp;

/// State of a line's registration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// Not to be judged: a static line, or too early after a start.
    #[default]
    Unknown,
    /// No binding, and never was since we look.
    Absent,
    /// At least one binding.
    Present,
    /// The last binding ran out.
    Expired,
    /// The last binding was removed by the phone.
    Removed,
    /// Somebody else's registrar keeps it and does not tell: what it said last holds no more.
    Untold,
    /// A static line none of whose peers' names was ever resolved.
    Unresolved,
}

/// A flip, reported once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Health before.
    pub previous: Health,
    /// Health now.
    pub health: Health,
    /// What brought it about.
    pub cause: Cause,
    /// When.
    pub since: Timestamp,
    /// The counters of the target that decided; zeros where the registration did.
    pub evidence: Evidence,
}

/// Verdict on one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineVerdict {
    health: Health,
    since: Timestamp,
    cause: Cause,
    /// Down is not left before this.
    held_until: Timestamp,
    flap: Flap,
    held_back: bool,
    /// When a fall was refused last; `None` once the evidence no longer asks for one.
    refused: Option<Timestamp>,
}

impl LineVerdict {
    /// Unknown until there is evidence.
    pub fn new(now: Timestamp) -> Self {
        Self {
            since: now,
            ..Self::default()
        }
    }

    /// Take over a verdict that was kept over a restart. It stands until fresh evidence.
    pub fn restore(&mut self, health: Health, since: Timestamp, cause: Cause, profile: &Profile) {
        let down = health == Health::Down;
        *self = Self {
            health,
            since,
            cause,
            held_until: if down {
                since + profile.hold
            } else {
                Timestamp::ZERO
            },
            ..Self::default()
        };
    }

    /// Down is not left before this.
    pub fn held_until(&self) -> Timestamp {
        self.held_until
    }

    /// What the evidence says.
    pub fn health(&self) -> Health {
        self.health
    }

    /// Since when.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// What brought it about.
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// Whether the line is down only because its `hold` is not over.
    pub fn held_back(&self) -> bool {
        self.held_back
    }

    /// Judge anew, after any input to a target, a change of the registration, or [`LineVerdict::deadline`]. `targets` are all of the
    /// line's, the preferred first.
    ///
    /// `admit` is asked before the line falls to down. If it refuses, the line stays, or becomes, suspect, and is judged again with
    /// the next input or after `interval`.
    pub fn fuse<'a>(
        &mut self,
        registration: Registration,
        targets: impl IntoIterator<Item = &'a TargetHealth>,
        profile: &Profile,
        now: Timestamp,
        admit: impl FnOnce(&Change) -> bool,
    ) -> Option<Change> {
        let (health, cause, evidence) = match lost(registration)
            .filter(|cause| profile.judge_registration || *cause == NAMELESS)
        {
            Some(cause) => (Health::Down, cause, Evidence::default()),
            None => best(targets).unwrap_or_else(|| {
                let (health, cause) = self.unjudged(registration);
                (health, cause, Evidence::default())
            }),
        };
        let mut change = Change {
            previous: self.health,
            health,
            cause,
            since: now,
            evidence,
        };
        let held = self.health == Health::Down && now < self.held_until;
        self.held_back = held && health != Health::Down;
        self.refused = None;
        if self.held_back {
            return None;
        }
        if health == Health::Down && self.health != Health::Down && !admit(&change) {
            self.refused = Some(now);
            change.health = Health::Suspect;
        }
        if change.health == self.health {
            return None;
        }
        if change.health == Health::Down {
            // A line that was never seen well has not fallen: when it comes it need not prove that it stays.
            self.held_until = match self.health {
                Health::Unknown => now,
                _ => now + self.flap.fell(&profile.sane(), now),
            };
        }
        self.health = change.health;
        (self.since, self.cause) = (now, cause);
        Some(change)
    }

    /// What holds while no target has been heard of. A binding that came from the store, not by REGISTER, ends the want of one
    /// and says nothing more.
    fn unjudged(&self, registration: Registration) -> (Health, Cause) {
        let told_otherwise = matches!(registration, Registration::Present | Registration::Untold);
        let wanted = self.cause.is_registration() && told_otherwise || self.cause == NAMELESS;
        if wanted && self.health == Health::Down {
            return (Health::Unknown, Cause::Start);
        }
        (self.health, self.cause)
    }

    /// When to call [`LineVerdict::fuse`] although nothing happens: the end of `hold`, when the evidence is good already; an
    /// `interval` after a fall was refused.
    pub fn deadline(&self, profile: &Profile) -> Option<Timestamp> {
        let held = self.held_back.then_some(self.held_until);
        held.or_else(|| Some(self.refused? + profile.sane().interval))
    }

    /// Whether the evidence says down, but the fall was refused.
    pub fn is_refused(&self) -> bool {
        self.refused.is_some()
    }
}

/// Why a line is down that has no address to call, because its name has none.
const NAMELESS: Cause = Cause::Unreachable(Unreachable::Name);

fn lost(registration: Registration) -> Option<Cause> {
    match registration {
        Registration::Unresolved => Some(NAMELESS),
        Registration::Absent => Some(Cause::NotRegistered),
        Registration::Expired => Some(Cause::Expired),
        Registration::Removed => Some(Cause::Removed),
        Registration::Present | Registration::Untold | Registration::Unknown => None,
    }
}

/// Health, cause and evidence of the target that speaks for the line; `None` when nothing is known.
fn best<'a>(
    targets: impl IntoIterator<Item = &'a TargetHealth>,
) -> Option<(Health, Cause, Evidence)> {
    let rank = |target: &TargetHealth| match target.health() {
        Health::Up => 3,
        Health::Suspect => 2,
        Health::Unknown => 1,
        Health::Down => 0,
    };
    let speaker = targets.into_iter().reduce(|best, target| {
        let fell_later = target.health() == Health::Down && target.since() > best.since();
        let better = rank(target) > rank(best) || (rank(target) == rank(best) && fell_later);
        if better { target } else { best }
    })?;
    (speaker.health() != Health::Unknown)
        .then(|| (speaker.health(), speaker.cause(), speaker.evidence()))
}
