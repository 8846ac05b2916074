//! Virtual time and the values of RFC 3261's timers.
//!
//! Nothing in this crate reads a clock: every input carries `now`. A [`Timestamp`] counts microseconds from a start that
//! the caller chooses, so a test may start at zero and production at boot.

use core::ops::{Add, AddAssign, Sub};
use core::time::Duration;

/// A point in time: microseconds since an arbitrary start. All arithmetic saturates.
///
/// It is monotonic time; the wall clock, which digest nonces need, is a different argument there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The arbitrary start.
    pub const ZERO: Self = Self(0);
    /// Later than everything; stands for "never".
    pub const MAX: Self = Self(u64::MAX);

    /// A point `micros` microseconds after the start.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A point `millis` milliseconds after the start.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since the start.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long `earlier` is ago; zero when it is not earlier.
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

impl AddAssign<Duration> for Timestamp {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub for Timestamp {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The base values from which all transaction timers follow (RFC 3261 §17.1.1.1, §17.1.2.2 and table 4 of annex A).
///
/// Production uses [`TimerValues::RFC3261`]; tests and closed networks may shorten them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerValues {
    /// T1, the estimated round trip: first interval of Timers A, E and G, and a 64th of B, F, H, J, L and M.
    pub t1: Duration,
    /// T2, the longest interval between retransmissions of non-INVITE requests and of INVITE responses.
    pub t2: Duration,
    /// T4, the longest time a message stays in the network: Timers I and K.
    pub t4: Duration,
    /// Timer D on unreliable transports, at least 32 s (§17.1.1.2).
    pub d: Duration,
}

impl TimerValues {
    /// The defaults of RFC 3261: T1 500 ms, T2 4 s, T4 5 s, Timer D 32 s.
    pub const RFC3261: Self = Self {
        t1: Duration::from_millis(500),
        t2: Duration::from_secs(4),
        t4: Duration::from_secs(5),
        d: Duration::from_secs(32),
    };

    /// 64·T1: Timers B, F, H, J, L and M, and the life of a branch after CANCEL (RFC 3261 §9.1).
    pub const fn t1_64(&self) -> Duration {
        self.t1.saturating_mul(64)
    }
}

impl Default for TimerValues {
    fn default() -> Self {
        Self::RFC3261
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let late = Timestamp::from_micros(u64::MAX - 1);
        assert_eq!(Timestamp::MAX, late + Duration::from_secs(1));
        assert_eq!(Timestamp::MAX, Timestamp::ZERO + Duration::MAX);
        assert_eq!(Duration::ZERO, Timestamp::ZERO - late);
        assert_eq!(
            Duration::from_millis(2),
            Timestamp::from_millis(5) - Timestamp::from_millis(3)
        );
    }

    #[test]
    fn defaults_are_those_of_the_rfc() {
        let timers = TimerValues::default();
        assert_eq!(Duration::from_millis(500), timers.t1);
        assert_eq!(Duration::from_secs(32), timers.t1_64());
    }
}
