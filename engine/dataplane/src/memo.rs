//! Which transactions were answered 302 at once, so that a verdict's flip cannot give one call two answers.
//!
//! A stateless answer (RFC 3261 §8.2.7) is computed anew for each retransmission of the INVITE. If the line came back in
//! between, the retransmission would be proxied: one transaction, two finals. So the first decision is remembered here, as
//! 64 bits of the transaction's key, for as long as the caller may retransmit (64·T1). A write per redirect, a look-up only
//! for a line that flipped within that time.

use sip_core::time::Timestamp;

/// Slots per bucket: one cache line of eight octets each.
const WAYS: usize = 8;

/// A set-associative table; a full bucket forgets its oldest.
pub(crate) struct RedirectMemo {
    buckets: Box<[[u64; WAYS]]>,
}

/// An entry is 48 bits of the key and 16 bits of the time in units of 1.024 s: a forgotten entry is told by its age.
const AGE_BITS: u32 = 16;
const AGE_MASK: u64 = (1 << AGE_BITS) - 1;
/// 64·T1 = 32 s, in units of 1.024 s, rounded up, plus one for the unit under way.
const LIFETIME: u64 = 33;

impl RedirectMemo {
    /// `capacity`: redirects remembered at the same time, rounded up to a power of two.
    pub(crate) fn new(capacity: usize) -> Self {
        let buckets = (capacity / WAYS).next_power_of_two().max(1);
        Self { buckets: vec![[0; WAYS]; buckets].into_boxed_slice() }
    }

    pub(crate) fn remember(&mut self, key: u128, now: Timestamp) {
        let (bucket, entry) = self.place(key, now);
        let ways = &mut self.buckets[bucket];
        if let Some(way) = ways.iter_mut().find(|way| (**way ^ entry) & !AGE_MASK == 0) {
            *way = entry;
            return;
        }
        let age = |way: u64| entry.wrapping_sub(way) & AGE_MASK;
        let mut oldest = 0;
        for way in 0..WAYS {
            if ways[way] == 0 {
                oldest = way;
                break;
            }
            if age(ways[way]) > age(ways[oldest]) {
                oldest = way;
            }
        }
        ways[oldest] = entry;
    }

    pub(crate) fn contains(&self, key: u128, now: Timestamp) -> bool {
        let (bucket, entry) = self.place(key, now);
        self.buckets[bucket].iter().any(|way| {
            *way != 0
                && (*way ^ entry) & !AGE_MASK == 0
                && entry.wrapping_sub(*way) & AGE_MASK <= LIFETIME
        })
    }

    fn place(&self, key: u128, now: Timestamp) -> (usize, u64) {
        let bucket = key as usize & (self.buckets.len() - 1);
        let tag = ((key >> 64) as u64) & !AGE_MASK;
        // Tag 0 would look like an empty way in its first unit of time.
        let tag = if tag == 0 { 1 << AGE_BITS } else { tag };
        (bucket, tag | ((now.as_micros() >> 20) & AGE_MASK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn remembers_for_the_time_a_caller_retransmits_and_forgets_after() {
        let mut memo = RedirectMemo::new(1024);
        let key = 0x1234_5678_9abc_def0_1111_2222_3333_4444;
        memo.remember(key, at(100));
        assert!(memo.contains(key, at(100)));
        assert!(memo.contains(key, at(132)));
        assert!(!memo.contains(key, at(140)));
        assert!(!memo.contains(key ^ (1 << 100), at(100)));
    }

    #[test]
    fn a_full_bucket_forgets_its_oldest() {
        let mut memo = RedirectMemo::new(8);
        let key = |i: u64| u128::from(i + 1) << 90;
        for i in 0..9 {
            memo.remember(key(i), at(100 + 2 * i));
        }
        assert!(!memo.contains(key(0), at(118)));
        for i in 1..9 {
            assert!(memo.contains(key(i), at(118)), "{i}");
        }
    }
}
