//! Which INVITEs were answered at once, so that a verdict's flip cannot give one call two answers.
//!
//! A stateless answer (RFC 3261 §8.2.7) is computed anew for each retransmission of the INVITE. If the line came back in
//! between, the retransmission would be proxied: one transaction, two finals, and a phone that rings for nobody. So the
//! first answer is remembered here, with 48 bits of the transaction's key, for as long as the caller may retransmit
//! (64·T1). A write for each answer; a look-up for an INVITE that would be sent on now, and so that a repeated one is not
//! counted as another call.

use route_core::{Cause, TargetList};
use sip_core::time::Timestamp;

use crate::slots::{cause_code, cause_of};

/// Slots per bucket: one cache line of eight octets each.
const WAYS: usize = 8;

/// A set-associative table; a full bucket forgets its oldest.
pub(crate) struct AnswerMemo {
    buckets: Box<[[u64; WAYS]]>,
    /// Bucket and entry of the latest answers, not yet in their buckets.
    fresh: Vec<(usize, u64)>,
}

/// So many entries go into their buckets together: each bucket is a cache miss, and misses in a row overlap.
const FRESH: usize = 16;

/// What an INVITE was answered without a transaction. Status codes within a cause are not kept: no header shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 302 to the targets in a list of a rule.
    Redirect(Cause, TargetList),
    /// 480.
    Unavailable(Cause),
    /// 404, or as the interconnect is set.
    NotFound,
}

/// An entry is 48 bits of the key, 8 bits of the answer, 8 bits of the time in units of 2²⁰ µs.
const AGE_MASK: u64 = 0xff;
const ANSWER_SHIFT: u32 = 8;
const TAG_MASK: u64 = !0xffff;
/// 64·T1 = 32 s in those units, rounded up, plus one for the unit under way.
const LIFETIME: u64 = 32;

impl AnswerMemo {
    /// `capacity`: answers remembered at the same time, rounded up to a power of two.
    pub(crate) fn new(capacity: usize) -> Self {
        let buckets = (capacity / WAYS).next_power_of_two().max(1);
        Self {
            buckets: vec![[0; WAYS]; buckets].into_boxed_slice(),
            fresh: Vec::with_capacity(FRESH),
        }
    }

    pub(crate) fn remember(&mut self, key: u128, answer: Answer, now: Timestamp) {
        let (bucket, tag) = self.place(key);
        let entry = tag | u64::from(answer.encode()) << ANSWER_SHIFT | unit(now) & AGE_MASK;
        self.fresh.push((bucket, entry));
        if self.fresh.len() == FRESH {
            self.settle();
        }
    }

    /// The answer that this transaction was given lately.
    pub(crate) fn recall(&self, key: u128, now: Timestamp) -> Option<Answer> {
        let (bucket, tag) = self.place(key);
        let fresh = self
            .fresh
            .iter()
            .rev()
            .filter(|(place, _)| *place == bucket)
            .map(|(_, entry)| entry);
        let entry = fresh
            .chain(&self.buckets[bucket])
            .find(|entry| **entry & TAG_MASK == tag)?;
        let age = unit(now).wrapping_sub(*entry) & AGE_MASK;
        (age <= LIFETIME).then(|| Answer::decode((*entry >> ANSWER_SHIFT) as u8))
    }

    /// Put the fresh entries into their buckets, each in place of the same transaction's, of none, or of the oldest.
    fn settle(&mut self) {
        for (bucket, entry) in self.fresh.drain(..) {
            let ways = &mut self.buckets[bucket];
            let age_of = |way: u64| entry.wrapping_sub(way) & AGE_MASK;
            let mut place = 0;
            for way in 0..WAYS {
                if ways[way] == 0 || ways[way] & TAG_MASK == entry & TAG_MASK {
                    place = way;
                    break;
                }
                if age_of(ways[way]) > age_of(ways[place]) {
                    place = way;
                }
            }
            ways[place] = entry;
        }
    }

    fn place(&self, key: u128) -> (usize, u64) {
        let bucket = key as usize & (self.buckets.len() - 1);
        let tag = (key >> 64) as u64 & TAG_MASK;
        // Tag 0 would look like an empty way.
        (bucket, if tag == 0 { 1 << 16 } else { tag })
    }
}

const fn unit(now: Timestamp) -> u64 {
    now.as_micros() >> 20
}

impl Answer {
    const fn encode(self) -> u8 {
        match self {
            Self::Redirect(cause, TargetList::Usual) => cause_code(cause) as u8,
            Self::Redirect(cause, TargetList::PhoneSystem) => cause_code(cause) as u8 | 0x20,
            Self::Unavailable(cause) => cause_code(cause) as u8 | 0x40,
            Self::NotFound => 0x80,
        }
    }

    const fn decode(code: u8) -> Self {
        let cause = cause_of(code as u32 & 0x1f);
        match code & 0xe0 {
            0 => Self::Redirect(cause, TargetList::Usual),
            0x20 => Self::Redirect(cause, TargetList::PhoneSystem),
            0x40 => Self::Unavailable(cause),
            _ => Self::NotFound,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    const DOWN: Answer = Answer::Redirect(Cause::OptionsTimeout, TargetList::Usual);

    #[test]
    fn remembers_for_the_time_a_caller_retransmits_and_forgets_after() {
        let mut memo = AnswerMemo::new(1024);
        let key = 0x1234_5678_9abc_def0_1111_2222_3333_4444;
        memo.remember(key, DOWN, at(100));
        assert_eq!(Some(DOWN), memo.recall(key, at(100)));
        assert_eq!(Some(DOWN), memo.recall(key, at(132)));
        assert_eq!(None, memo.recall(key, at(140)));
        assert_eq!(None, memo.recall(key ^ (1 << 100), at(100)));
    }

    #[test]
    fn a_full_bucket_forgets_its_oldest() {
        let mut memo = AnswerMemo::new(8);
        let key = |i: u64| u128::from(i + 1) << 90;
        for i in 0..9 {
            memo.remember(key(i), DOWN, at(100 + 2 * i));
            memo.settle();
        }
        assert_eq!(None, memo.recall(key(0), at(118)));
        for i in 1..9 {
            assert_eq!(Some(DOWN), memo.recall(key(i), at(118)), "{i}");
        }
    }

    #[test]
    fn each_answer_is_read_back_as_it_was_given() {
        let causes = [
            Cause::Start,
            Cause::Expired,
            Cause::CallSilent,
            Cause::Wish,
            Cause::CallFailed(0),
        ];
        let of_causes = causes.into_iter().flat_map(|cause| {
            [
                Answer::Redirect(cause, TargetList::Usual),
                Answer::Redirect(cause, TargetList::PhoneSystem),
                Answer::Unavailable(cause),
            ]
        });
        for answer in of_causes.chain([Answer::NotFound]) {
            let mut memo = AnswerMemo::new(8);
            memo.remember(7, answer, at(1));
            assert_eq!(Some(answer), memo.recall(7, at(2)));
            memo.settle();
            assert_eq!(Some(answer), memo.recall(7, at(2)));
        }
    }
}
