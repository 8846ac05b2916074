//! A hierarchical timer wheel: millions of deadlines, constant cost each, 4 ms resolution.
//!
//! Rules: an entry never fires before its deadline and at most one tick after it, as long as `advance` is called;
//! there is no cancelling: the owner compares a fired token with what it waits for now, and ignores a stale one.

use std::time::Duration;

use sip_core::time::Timestamp;

const TICK_US: u64 = 4_000;
const SLOT_BITS: u32 = 8;
const SLOTS: usize = 1 << SLOT_BITS;
/// 4 ms · 256⁴ is 198 days: longer than any registration.
const LEVELS: usize = 4;

/// Deadlines of tokens `T`.
pub(crate) struct TimerWheel<T> {
    levels: Vec<Vec<Vec<Entry<T>>>>,
    /// The tick that is to be fired next.
    tick: u64,
    length: usize,
    scratch: Vec<Entry<T>>,
}

#[derive(Clone, Copy)]
struct Entry<T> {
    tick: u64,
    token: T,
}

impl<T: Copy> TimerWheel<T> {
    pub(crate) fn new(now: Timestamp) -> Self {
        let levels = (0..LEVELS)
            .map(|_| (0..SLOTS).map(|_| Vec::new()).collect())
            .collect();
        Self {
            levels,
            tick: now.as_micros() / TICK_US,
            length: 0,
            scratch: Vec::new(),
        }
    }

    /// Fire `token` at `deadline`, or at the next `advance` if that has passed.
    pub(crate) fn insert(&mut self, deadline: Timestamp, token: T) {
        let tick = deadline.as_micros().div_ceil(TICK_US).max(self.tick);
        self.length += 1;
        self.place(Entry { tick, token });
    }

    fn place(&mut self, entry: Entry<T>) {
        let distance = entry.tick - self.tick;
        let level = (0..LEVELS - 1)
            .find(|level| distance < 1 << (SLOT_BITS * (*level as u32 + 1)))
            .unwrap_or(LEVELS - 1);
        // A deadline beyond the last level waits in its last slot and is placed anew from there.
        let reach = (1_u64 << (SLOT_BITS * LEVELS as u32)) - 1;
        let tick = entry.tick.min(self.tick + reach);
        let slot = (tick >> (SLOT_BITS * level as u32)) as usize % SLOTS;
        self.levels[level][slot].push(entry);
    }

    /// Fire all that is due at `now`.
    pub(crate) fn advance(&mut self, now: Timestamp, mut fire: impl FnMut(T)) {
        let target = now.as_micros() / TICK_US;
        if self.length == 0 {
            self.tick = self.tick.max(target + 1);
            return;
        }
        while self.tick <= target {
            self.cascade();
            let slot = self.tick as usize % SLOTS;
            let mut due = std::mem::take(&mut self.levels[0][slot]);
            self.length -= due.len();
            self.tick += 1;
            for entry in due.drain(..) {
                fire(entry.token);
            }
            // Keep the slot's capacity for its next turn.
            if self.levels[0][slot].is_empty() {
                self.levels[0][slot] = due;
            }
        }
    }

    /// At the start of a turn, bring down the entries of the levels above that fall into it.
    fn cascade(&mut self) {
        for level in 1..LEVELS {
            let below = SLOT_BITS * level as u32;
            if self.tick & ((1 << below) - 1) != 0 {
                return;
            }
            let slot = (self.tick >> below) as usize % SLOTS;
            let mut entries = std::mem::take(&mut self.scratch);
            entries.append(&mut self.levels[level][slot]);
            for entry in entries.drain(..) {
                self.place(entry);
            }
            self.scratch = entries;
        }
    }

    /// How long the owner may sleep.
    pub(crate) fn sleep(&self, now: Timestamp) -> Option<Duration> {
        let due = self.due()?.as_micros();
        Some(Duration::from_micros(due.saturating_sub(now.as_micros())))
    }

    /// When to call `advance`: at the next occupied slot, at most one turn of the lowest level after the last time.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        if self.length == 0 {
            return None;
        }
        // At the start of a turn its entries may still be in the levels above.
        let turn_end = self.tick.next_multiple_of(SLOTS as u64);
        let next = (self.tick..turn_end)
            .find(|tick| !self.levels[0][*tick as usize % SLOTS].is_empty())
            .unwrap_or(turn_end);
        Some(Timestamp::from_micros(next * TICK_US))
    }

    pub(crate) const fn len(&self) -> usize {
        self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn at(us: u64) -> Timestamp {
        Timestamp::from_micros(us)
    }

    #[test]
    fn fires_within_one_tick_of_each_level() {
        for delay_us in [
            0,
            1,
            3_999,
            4_000,
            1_023_999,
            1_024_001,
            262_000_000,
            68_000_000_000,
        ] {
            let mut wheel = TimerWheel::new(at(5_000_000));
            wheel.insert(at(5_000_000 + delay_us), 1);
            let mut now = 5_000_000;
            let mut fired = None;
            while fired.is_none() {
                wheel.advance(at(now), |_| fired = Some(now));
                let sleep = wheel.sleep(at(now)).unwrap_or_default();
                now += u64::try_from(sleep.as_micros()).unwrap().max(1);
            }
            let late = fired.unwrap() - (5_000_000 + delay_us);
            assert!(late <= 2 * TICK_US, "{delay_us} µs fired {late} µs late");
            assert_eq!(0, wheel.len());
        }
    }

    proptest! {
        /// Whoever sleeps as long as he is told is never late, however the deadlines lie.
        #[test]
        fn nobody_oversleeps(
            start in 0_u64..5_000_000,
            deadlines in prop::collection::vec(0_u64..3_000_000, 1..400),
        ) {
            let mut wheel = TimerWheel::new(at(start));
            for delay in &deadlines {
                wheel.insert(at(start + delay), start + delay);
            }
            let mut now = start;
            while wheel.len() > 0 {
                wheel.advance(at(now), |deadline| assert!(now <= deadline + 2 * TICK_US, "{deadline} fired at {now}"));
                let sleep = wheel.sleep(at(now)).unwrap_or_default();
                now += u64::try_from(sleep.as_micros()).unwrap().max(1);
            }
        }

        /// Every token fires once, never before its deadline, at most two ticks after it.
        #[test]
        fn fires_each_once_and_in_time(
            deadlines in prop::collection::vec(0_u64..400_000_000, 1..200),
            steps in prop::collection::vec(1_u64..3_000_000, 1..50),
        ) {
            let start = 77_000_000;
            let mut wheel = TimerWheel::new(at(start));
            for (token, delay) in deadlines.iter().enumerate() {
                wheel.insert(at(start + delay), token);
            }
            let mut fired = vec![None; deadlines.len()];
            let mut now = start;
            for step in steps.iter().copied().chain([400_000_000]) {
                let before = now;
                now += step;
                wheel.advance(at(now), |token: usize| {
                    assert!(fired[token].replace((before, now)).is_none(), "fired twice");
                });
            }
            for (token, delay) in deadlines.iter().enumerate() {
                let (before, at) = fired[token].expect("fired");
                prop_assert!(at >= start + delay);
                prop_assert!(start + delay + 2 * TICK_US >= before, "late: due {delay}, fired after {before}");
            }
        }
    }
}
