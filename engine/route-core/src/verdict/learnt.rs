//! What is measured about the way to a target: how much gets lost, and how long a round trip takes.

use core::time::Duration;

use super::Profile;

/// Lost OPTIONS of a target that was alive: each row of them is entered when an answer ends it, so the silence of a dead one is not
/// learnt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Loss {
    lost: u16,
    decided: u16,
}

/// Half of what is known is forgotten at so many decided OPTIONS: about an hour at the usual interval.
const WINDOW: u16 = 400;
/// What an unknown way is taken for: a quarter lost, worth thirty OPTIONS.
const PRIOR_TWICE_LOST: u64 = 15;
const PRIOR_DECIDED: u64 = 30;
/// From so many decided OPTIONS on a way is known well enough to be asked no more often than the profile says.
const KNOWN: u16 = 120;
/// How unlikely a row of lost OPTIONS must be on a living way before it counts as silence: a millionth, as a fraction of 2³².
const UNLIKELY: u64 = (1 << 32) / 1_000_000;

impl Loss {
    pub(super) fn decided(&mut self, lost: u16, answered: u16) {
        self.lost = self.lost.saturating_add(lost);
        self.decided = self.decided.saturating_add(lost).saturating_add(answered);
        while self.decided > WINDOW {
            self.lost /= 2;
            self.decided /= 2;
        }
    }

    /// The estimate, as a fraction of 2³².
    const fn fraction(self) -> u64 {
        ((2 * self.lost as u64 + PRIOR_TWICE_LOST) << 32)
            / (2 * (self.decided as u64 + PRIOR_DECIDED))
    }

    /// The estimate in thousandths.
    pub(super) const fn per_mille(self) -> u16 {
        ((self.fraction() * 1000) >> 32) as u16
    }

    /// Whether little is known of the way yet.
    pub(super) const fn is_new(self) -> bool {
        self.decided < KNOWN
    }

    /// How many OPTIONS in a row must be lost: the smallest number that living ways reach once in a million, within the bounds of the
    /// profile, which is sane. At least as many as go out at half the fast interval in the time of the profile's `fall`: they cost no time.
    pub(super) fn fall(self, profile: &Profile) -> u16 {
        let fraction = self.fraction();
        let (mut row, mut likely) = (1, fraction);
        while likely > UNLIKELY && row < profile.fall_max {
            likely = (likely * fraction) >> 32;
            row += 1;
        }
        let least = profile
            .fall
            .saturating_mul(2)
            .saturating_sub(1)
            .min(profile.fall_max);
        row.clamp(least, profile.fall_max)
    }
}

/// Smoothed round trip and its variation, as RFC 6298 computes them for TCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RoundTrip {
    smoothed_us: u32,
    variation_us: u32,
}

impl RoundTrip {
    pub(super) fn measured(&mut self, time: Duration) {
        let us = u32::try_from(time.as_micros())
            .unwrap_or(u32::MAX / 8)
            .clamp(1, u32::MAX / 8);
        if self.smoothed_us == 0 {
            (self.smoothed_us, self.variation_us) = (us, us / 2);
            return;
        }
        let off = self.smoothed_us.abs_diff(us);
        self.variation_us = self.variation_us - self.variation_us / 4 + off / 4;
        self.smoothed_us = (self.smoothed_us - self.smoothed_us / 8 + us / 8).max(1);
    }

    pub(super) fn smoothed(self) -> Option<Duration> {
        (self.smoothed_us > 0).then(|| Duration::from_micros(u64::from(self.smoothed_us)))
    }

    /// When an answer should be there.
    pub(super) fn expected(self) -> Duration {
        let us = u64::from(self.smoothed_us) + 4 * u64::from(self.variation_us);
        Duration::from_micros(us)
    }

    /// When an OPTIONS counts as lost. `profile` is sane.
    pub(super) fn timeout(self, profile: &Profile) -> Duration {
        self.expected().clamp(profile.timeout, profile.timeout_max)
    }
}
