//! A prober as the data path has it, and seeded chance, for tests of the verdict machine.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::time::Duration;

use route_core::{Health, Profile, TargetHealth};
use sip_core::time::Timestamp;

/// The defaults of the products.
pub(crate) const PROFILE: Profile = Profile {
    interval: Duration::from_secs(10),
    fast_interval: Duration::from_millis(500),
    timeout: Duration::from_secs(1),
    timeout_max: Duration::from_secs(2),
    fall: 3,
    fall_max: 14,
    rise: 2,
    hold: Duration::from_secs(5),
    hold_max: Duration::from_mins(2),
    flap_half_life: Duration::from_mins(2),
    hold_down_max: Duration::from_mins(1),
    judge_options: true,
    judge_registration: true,
};

/// Chance that can be repeated: splitmix64.
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From 0 up to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let high = ((word ^ (word >> 31)) >> 32) as u32;
        f64::from(high) / 2_f64.powi(32)
    }
}

/// A prober as the data path has it, on virtual time: several OPTIONS under way, each answered after `rtt` if `delivered` says so of the
/// instant at which it is sent.
pub(crate) struct Prober {
    pub(crate) target: TargetHealth,
    profile: Profile,
    pub(crate) now: Timestamp,
    /// When each under way was sent, when its answer comes, and when it counts as lost.
    under_way: Vec<(Timestamp, Option<Timestamp>, Timestamp)>,
    rtt: Duration,
}

impl Prober {
    pub(crate) fn new(target: TargetHealth, profile: Profile, now: Timestamp) -> Self {
        Self {
            target,
            profile,
            now,
            under_way: Vec::new(),
            rtt: Duration::from_millis(20).min(profile.sane().timeout),
        }
    }

    /// A target of [`PROFILE`] nothing is known of, whose first OPTIONS goes now.
    pub(crate) fn fresh(now: Timestamp) -> Self {
        Self::new(TargetHealth::new(now, now), PROFILE, now)
    }

    /// Let time pass.
    pub(crate) fn run(&mut self, time: Duration, delivered: &mut impl FnMut(Timestamp) -> bool) {
        let end = self.now + time;
        while self.step(end, delivered) {}
        self.now = end;
    }

    /// From now on nothing comes any more, not even what is on its way.
    pub(crate) fn cut(&mut self) -> Timestamp {
        for (_, answer, _) in &mut self.under_way {
            *answer = None;
        }
        self.now
    }

    /// On to the next thing that happens, if that is not after `end`.
    pub(crate) fn step(
        &mut self,
        end: Timestamp,
        delivered: &mut impl FnMut(Timestamp) -> bool,
    ) -> bool {
        let decided =
            |&(_, answer, lost): &(_, Option<Timestamp>, Timestamp)| answer.unwrap_or(lost);
        let first = (0..self.under_way.len()).min_by_key(|n| decided(&self.under_way[*n]));
        let due = self
            .target
            .next_probe_at(&self.profile)
            .expect("probed")
            .max(self.now);
        if let Some(first) = first
            && decided(&self.under_way[first]) <= due
        {
            if decided(&self.under_way[first]) > end {
                return false;
            }
            let (sent, answer, lost) = self.under_way.remove(first);
            self.now = self.now.max(answer.unwrap_or(lost));
            match answer {
                Some(_) => {
                    self.target
                        .handle_probe_answer(sent, true, 200, &self.profile, self.now);
                }
                None => self
                    .target
                    .handle_probe_timeout(sent, &self.profile, self.now),
            }
            return true;
        }
        if due > end {
            return false;
        }
        self.now = due;
        let answer = delivered(due).then_some(due + self.rtt);
        self.under_way
            .push((due, answer, due + self.target.timeout(&self.profile)));
        self.target.handle_probe_sent(&self.profile, due);
        true
    }

    /// When `health` was reached, at most `limit` later.
    pub(crate) fn until(
        &mut self,
        answers: bool,
        health: Health,
        limit: Duration,
    ) -> Option<Timestamp> {
        let end = self.now + limit;
        while self.target.health() != health {
            if !self.step(end, &mut |_| answers) {
                return None;
            }
        }
        Some(self.now)
    }
}
