//! The only reader of the operating system's clocks; or a clock that somebody else moves.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sip_core::time::Timestamp;

use crate::net::boot_time;

/// Monotonic time for deadlines, and its relation to Unix time for what people and the store see.
pub(crate) struct Clock(Source);

enum Source {
    /// Time since boot when it was made. Suspended time counts: what was promised for ten minutes is over after them, also if the
    /// machine slept.
    System(Duration),
    /// Unix time in microseconds. Nobody sets this wall clock but by letting time pass.
    Virtual(AtomicU64),
}

impl Clock {
    /// Timestamps begin at some 30 years, so that what was so long before a restart still has its time.
    const OFFSET_US: u64 = 1_000_000_000_000_000;

    pub(crate) fn new() -> Self {
        Self(Source::System(boot_time()))
    }

    /// A clock that stands at a Unix time in microseconds until [`Clock::set`] moves it.
    pub(crate) const fn standing_at(unix_us: u64) -> Self {
        Self(Source::Virtual(AtomicU64::new(unix_us)))
    }

    /// Move a standing clock forward; a running one cannot be moved.
    pub(crate) fn set(&self, now: Timestamp) {
        if let Source::Virtual(time) = &self.0 {
            time.fetch_max(now.as_micros(), Ordering::Relaxed);
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System(start) => {
                let elapsed = boot_time().saturating_sub(*start);
                let elapsed = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX / 2);
                Timestamp::from_micros(Self::OFFSET_US + elapsed)
            }
            Source::Virtual(time) => Timestamp::from_micros(time.load(Ordering::Relaxed)),
        }
    }

    /// Unix time of `at` in milliseconds, by the wall clock as it stands now. Undoes [`Clock::at_unix_ms`] exactly, also in
    /// another process, as long as nobody sets the wall clock in between.
    pub(crate) fn unix_ms(&self, at: Timestamp) -> u64 {
        let (wall, now) = self.both();
        let unix_us = wall.saturating_add(at.as_micros()).saturating_sub(now);
        // To the nearest: two looks at both clocks differ by some microseconds.
        unix_us.saturating_add(500) / 1000
    }

    /// The monotonic instant of a Unix time in milliseconds.
    pub(crate) fn at_unix_ms(&self, unix_ms: u64) -> Timestamp {
        let (wall, now) = self.both();
        Timestamp::from_micros(
            unix_ms
                .saturating_mul(1000)
                .saturating_add(now)
                .saturating_sub(wall),
        )
    }

    /// Microseconds of Unix time and of ours at one moment. A look during which the thread lost the processor is repeated.
    fn both(&self) -> (u64, u64) {
        if let Source::Virtual(time) = &self.0 {
            let now = time.load(Ordering::Relaxed);
            return (now, now);
        }
        let mut best = (u64::MAX, 0, 0);
        for _ in 0..5 {
            let before = self.now().as_micros();
            let wall = unix_us_now();
            let took = self.now().as_micros().saturating_sub(before);
            if took < best.0 {
                best = (took, wall, before + took / 2);
            }
            if took < 50 {
                break;
            }
        }
        (best.1, best.2)
    }
}

fn unix_us_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| {
            u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_times_survive_a_restart_also_old_ones() {
        let (before, after) = (Clock::new(), Clock::new());
        let now = unix_us_now() / 1000;
        let year_ms = 366 * 24 * 3_600_000;
        for unix_ms in [now - year_ms, now - 3_600_001, now - 1, now, now + 600_000] {
            let stored = before.unix_ms(before.at_unix_ms(unix_ms));
            assert_eq!(unix_ms, after.unix_ms(after.at_unix_ms(stored)));
        }
    }
}
