//! When probes go out, so that many lines never ask at once.
//!
//! Rules: the first probes of lines lie evenly over a beat; the beat of each line is nine tenths of the interval, and each
//! probe is off its beat by at most a twentieth of the interval. So two of them are apart by 80 to 100 % of the interval, never
//! more: the worst case of detection that a profile promises holds. The offsets do not add up to clusters. All of it is a
//! function of the line and a counter: a run can be repeated.

use std::time::Duration;

use route_core::LineSlot;
use sip_core::time::Timestamp;

/// 2⁶⁴ over the golden ratio: multiples of it lie evenly in 0…2⁶⁴, for any run of consecutive factors.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
/// Independent sequences for the offsets: 2⁶⁴ times the fractional parts of √2 and √3. Random offsets would gather in places;
/// these cannot.
const ROOT_2: u64 = 0x6A09_E667_F3BC_C909;
const ROOT_3: u64 = 0xBB67_AE85_84CA_A73B;

/// The beat of an interval: the mean time between two probes.
fn mean(interval: Duration) -> Duration {
    interval * 9 / 10
}

/// Where the first probe of a line's target lies: within one beat, or second probes would meet the last first ones.
pub(super) fn spread(line: LineSlot, target: usize, interval: Duration) -> Duration {
    let place = u64::from(line.0)
        .wrapping_add((target as u64) << 32)
        .wrapping_mul(GOLDEN);
    part(mean(interval), place)
}

/// The time from probe `counter` to the next: `interval` at most.
pub(super) fn beat(line: LineSlot, counter: u32, interval: Duration) -> Duration {
    let swing = interval / 10;
    // Each offset is 0…swing; the first probe has none, as if it were in the middle.
    let offset = |counter: u32| match counter {
        0 | 1 => swing / 2,
        _ => {
            let place = u64::from(line.0).wrapping_mul(ROOT_2);
            part(
                swing,
                place.wrapping_add(u64::from(counter).wrapping_mul(ROOT_3)),
            )
        }
    };
    (mean(interval) + offset(counter + 1)).saturating_sub(offset(counter))
}

/// `whole` · `fraction` / 2⁶⁴.
fn part(whole: Duration, fraction: u64) -> Duration {
    let micros = (whole.as_micros().min(u128::from(u64::MAX)) * u128::from(fraction)) >> 64;
    Duration::from_micros(micros as u64)
}

/// Bounds what a worker spends on targets in doubt: with so many down together that their short interval would cost the calls their time,
/// each is asked less often.
pub(super) struct Budget {
    left: u32,
    /// The part of a second that it is for.
    part: u64,
}

/// OPTIONS a second and worker to targets in doubt: 12,500 targets at the usual half second. That it costs a quarter
/// of a core is estimated, not measured.
const PER_SECOND: u32 = 25_000;
/// The budget is dealt out in so many parts of a second.
const PARTS: u64 = 10;

impl Budget {
    pub(super) const NEW: Self = Self { left: 0, part: 0 };

    /// Whether one more may go now.
    pub(super) fn take(&mut self, now: Timestamp) -> bool {
        let part = now.as_micros() * PARTS / 1_000_000 + 1;
        if part != self.part {
            (self.part, self.left) = (part, PER_SECOND / PARTS as u32);
        }
        let some = self.left > 0;
        self.left -= u32::from(some);
        some
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_never_exceed_the_interval_and_do_not_drift() {
        let interval = Duration::from_secs(10);
        let mean = interval * 9 / 10;
        for line in 0..500 {
            let mut sum = Duration::ZERO;
            for counter in 1..50_u32 {
                let beat = beat(LineSlot(line), counter, interval);
                assert!(beat <= interval && beat >= interval * 8 / 10, "{beat:?}");
                sum += beat;
                assert!(
                    sum.abs_diff(mean * counter) <= interval / 20,
                    "drifted: {sum:?}"
                );
            }
        }
    }
}
