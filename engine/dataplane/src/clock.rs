//! The only reader of the operating system's clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use sip_core::time::Timestamp;

/// Monotonic time for deadlines, and its relation to Unix time for what people and the store see.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// Timestamps begin at one hour, so that "an hour ago" is still a timestamp.
    const OFFSET_US: u64 = 3_600_000_000;

    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let elapsed = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX / 2);
        Timestamp::from_micros(Self::OFFSET_US + elapsed)
    }

    /// Unix time of `at` in milliseconds, by the wall clock as it stands now.
    pub(crate) fn unix_ms(&self, at: Timestamp) -> u64 {
        let wall = unix_ms_now();
        let now = self.now();
        if at >= now {
            wall.saturating_add((at.as_micros() - now.as_micros()) / 1000)
        } else {
            wall.saturating_sub((now.as_micros() - at.as_micros()) / 1000)
        }
    }

    /// The monotonic instant of a Unix time in milliseconds.
    pub(crate) fn at_unix_ms(&self, unix_ms: u64) -> Timestamp {
        let wall = unix_ms_now();
        let now = self.now().as_micros();
        if unix_ms >= wall {
            Timestamp::from_micros(now.saturating_add((unix_ms - wall).saturating_mul(1000)))
        } else {
            Timestamp::from_micros(now.saturating_sub((wall - unix_ms).saturating_mul(1000)))
        }
    }
}

pub(crate) fn unix_ms_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| {
            u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
        })
}
