//! Per line what became of its calls, told to Python every few seconds; and single diverted calls, as many as a queue bears.
//!
//! Rules: counting allocates nothing once the table has its size; a mass of lines or of calls never fills the event queue, which
//! brings verdicts as well: lines are told at a bounded rate and go on counting meanwhile.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

use route_core::LineSlot;
use sip_core::time::Timestamp;

use crate::events::{DIVERTED_PER_SECOND, EventBody};
use crate::rows::{CallCounts, CallsRow, DivertedRow};
use crate::worker::Core;

/// A line is told of at most this often.
const INTERVAL: Duration = Duration::from_secs(5);

/// Lines told of per worker and second.
const LINES_PER_SECOND: u32 = 500;

/// Slots are small integers, given one after another.
#[derive(Default)]
struct SlotHasher(u64);

impl Hasher for SlotHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for octet in bytes {
            self.write_u32(u32::from(*octet));
        }
    }

    fn write_u32(&mut self, slot: u32) {
        self.0 = (self.0 ^ u64::from(slot)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // A hash map takes its place from the low bits and its tag from the high ones.
        self.0 ^= self.0 >> 32;
    }
}

/// What one worker counted and has not told.
pub(crate) struct Tally {
    counting: HashMap<LineSlot, CallCounts, BuildHasherDefault<SlotHasher>>,
    /// Counted until `until`, being told.
    telling: Vec<(LineSlot, CallCounts)>,
    telling_ms: u32,
    began: Timestamp,
    lines: Bucket,
    diverted: Bucket,
}

/// Lets `per_second` things through, and as many at once.
struct Bucket {
    per_second: u32,
    /// In millionths.
    tokens: u64,
    filled: Timestamp,
}

impl Bucket {
    const fn new(per_second: u32, now: Timestamp) -> Self {
        Self {
            per_second,
            tokens: per_second as u64 * 1_000_000,
            filled: now,
        }
    }

    fn take(&mut self, now: Timestamp) -> bool {
        let rate = u64::from(self.per_second);
        let passed = now.as_micros().saturating_sub(self.filled.as_micros());
        self.filled = now;
        self.tokens = passed
            .saturating_mul(rate)
            .saturating_add(self.tokens)
            .min(rate * 1_000_000);
        let enough = self.tokens >= 1_000_000;
        if enough {
            self.tokens -= 1_000_000;
        }
        enough
    }
}

impl Tally {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            counting: HashMap::default(),
            telling: Vec::new(),
            telling_ms: 0,
            began: now,
            lines: Bucket::new(LINES_PER_SECOND, now),
            diverted: Bucket::new(DIVERTED_PER_SECOND, now),
        }
    }

    /// Change what is counted for `line`.
    pub(crate) fn count(&mut self, line: LineSlot, change: impl FnOnce(&mut CallCounts)) {
        change(self.counting.entry(line).or_default());
    }

    /// The next line to tell of, if it is time.
    fn next(&mut self, now: Timestamp) -> Option<CallsRow> {
        if self.telling.is_empty() {
            if now < self.began + INTERVAL {
                return None;
            }
            let interval = now - std::mem::replace(&mut self.began, now);
            self.telling_ms = u32::try_from(interval.as_millis()).unwrap_or(u32::MAX);
            self.telling.extend(self.counting.drain());
        }
        if self.telling.is_empty() || !self.lines.take(now) {
            return None;
        }
        let (line, counts) = self.telling.pop()?;
        Some(CallsRow {
            line,
            interval_ms: self.telling_ms,
            counts,
        })
    }
}

impl Core {
    /// Tell what is due; called every turn, at least four times a second.
    pub(crate) fn tell_calls(&mut self) {
        while let Some(row) = self.tally.next(self.now) {
            self.shared
                .events
                .push(self.shared.clock.unix_ms(self.now), EventBody::Calls(row));
        }
    }

    /// Tell of a diverted call, unless too many were told in this second.
    pub(crate) fn tell_diverted(&mut self, row: impl FnOnce() -> DivertedRow) {
        if self.tally.diverted.take(self.now) {
            let body = EventBody::Diverted(Box::new(row()));
            self.shared
                .events
                .push(self.shared.clock.unix_ms(self.now), body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + ms)
    }

    #[test]
    fn a_line_is_told_once_an_interval_and_only_if_it_had_calls() {
        let mut tally = Tally::new(at(0));
        tally.count(LineSlot(7), |counts| counts.offered += 1);
        tally.count(LineSlot(7), |counts| counts.offered += 1);
        assert_eq!(None, tally.next(at(4_999)));
        let row = tally.next(at(5_250)).unwrap();
        assert_eq!(
            (LineSlot(7), 5_250, 2),
            (row.line, row.interval_ms, row.counts.offered)
        );
        assert_eq!(None, tally.next(at(5_250)));
        assert_eq!(None, tally.next(at(60_000)));
    }

    #[test]
    fn many_lines_are_told_at_a_bounded_rate_and_none_is_lost() {
        let mut tally = Tally::new(at(0));
        let mut told = 0;
        let mut most = 0;
        for ms in (0..60_000).step_by(100) {
            if ms < 5_000 {
                for line in 0..100 {
                    tally.count(LineSlot(ms as u32 + line), |counts| counts.diverted += 1);
                }
            }
            let mut now = 0;
            while let Some(row) = tally.next(at(ms)) {
                assert_eq!(1, row.counts.diverted);
                now += 1;
            }
            told += now;
            most = most.max(now);
        }
        assert_eq!((5_000, 500), (told, most));
    }

    #[test]
    fn single_diverted_calls_are_told_up_to_a_rate() {
        let mut bucket = Bucket::new(100, at(0));
        let taken = (0..10_000)
            .filter(|call| bucket.take(at(call / 10)))
            .count();
        assert_eq!(199, taken);
    }
}
