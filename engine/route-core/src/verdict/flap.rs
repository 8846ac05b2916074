//! The penalty for falling again and again.

use core::time::Duration;

use super::Profile;
use sip_core::time::Timestamp;

/// One point for each fall; half of them are forgotten in each `flap_half_life`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flap {
    /// In 1/65536 points, as of `at`.
    points: u32,
    at: Timestamp,
}

const POINT: u32 = 1 << 16;

impl Flap {
    /// It fell: how long it stays down at least. `hold` for the first fall, twice that for each point more, at most `hold_max`.
    /// `profile` is sane.
    pub(super) fn fell(&mut self, profile: &Profile, now: Timestamp) -> Duration {
        let half_life = profile.flap_half_life.as_micros().max(1);
        let elapsed = (now - self.at).as_micros();
        let halvings = u32::try_from(elapsed / half_life).unwrap_or(32).min(32);
        let rest = ((elapsed % half_life) << 16) / half_life;
        // Between two halvings the curve is taken for straight.
        let kept =
            u64::from(self.points) * (2 * u64::from(POINT) - rest as u64) / (2 * u64::from(POINT));
        self.points = ((kept >> halvings) as u32).saturating_add(POINT);
        self.at = now;
        let (whole, part) = ((self.points / POINT - 1).min(31), self.points % POINT);
        let micros = profile.hold.as_micros() * u128::from(POINT + part);
        let hold =
            Duration::from_micros(u64::try_from((micros << whole) >> 16).unwrap_or(u64::MAX));
        hold.clamp(profile.hold, profile.hold_max)
    }
}
