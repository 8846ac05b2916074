//! How the lines of a product are judged.
use core::time::Duration;

use super::learnt::Loss;

/// The judging part of `ProfileSettings`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Between OPTIONS while all is well.
    pub interval: Duration,
    /// Between OPTIONS while in doubt, and while down.
    pub fast_interval: Duration,
    /// One OPTIONS without an answer, on a line whose round trip is short and steady.
    pub timeout: Duration,
    /// The longest time-out that a long or unsteady round trip may bring about.
    pub timeout_max: Duration,
    /// Consecutive faults until down, at least 1; for silence the time that so many take, in which twice as many are asked.
    pub fall: u16,
    /// The most faults in a row that measured loss may ask for.
    pub fall_max: u16,
    /// Consecutive good answers until up, at least 1.
    pub rise: u16,
    /// Shortest stay in down.
    pub hold: Duration,
    /// The longest that `hold` becomes on a line that falls again and again.
    pub hold_max: Duration,
    /// The time in which half of the penalty for falling is forgotten.
    pub flap_half_life: Duration,
    /// The longest that a 503 with Retry-After holds judgement back.
    pub hold_down_max: Duration,
    /// Whether OPTIONS are sent and judged.
    pub judge_options: bool,
    /// Whether no binding means down.
    pub judge_registration: bool,
}

impl Profile {
    /// What the machines work with: counters at least 1, no interval of zero, neither the fast interval nor the time-out above
    /// the interval. So the next probe is never further away than `interval`, even while one is under way.
    #[must_use]
    pub fn sane(mut self) -> Self {
        self.interval = self.interval.max(Duration::from_millis(10));
        self.fast_interval = self
            .fast_interval
            .clamp(Duration::from_millis(10), self.interval);
        self.timeout = self.timeout.clamp(Duration::from_millis(10), self.interval);
        self.timeout_max = self.timeout_max.max(self.timeout);
        self.fall = self.fall.max(1);
        self.fall_max = self.fall_max.max(self.fall);
        self.rise = self.rise.max(1);
        self.hold_max = self.hold_max.max(self.hold);
        self.flap_half_life = self.flap_half_life.max(Duration::from_millis(10));
        self
    }

    /// The time between two OPTIONS while all is well, to a target of which little is known yet: what is asked for to be sure of its
    /// silence takes longer, so it is asked more often.
    pub(super) fn interval_of_new(&self) -> Duration {
        (self.interval / 2).max(self.fast_interval)
    }

    /// The time between two OPTIONS in doubt, where `fall` lost ones are needed: `fast_interval`. Where more than the profile's `fall`
    /// are, they are sent in the time of those, until there is half of it between two.
    pub(super) fn step(&self, fall: u16) -> Duration {
        let in_time = self.fast_interval * u32::from(self.fall - 1) / u32::from(fall.max(2) - 1);
        in_time.clamp(self.fast_interval / 2, self.fast_interval)
    }
}

/// How well the way to a target is known, for the times that follow from a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Measured: nothing is lost.
    Clean,
    /// Nothing is known yet.
    Fresh,
    /// The worst way that the profile's bounds allow for.
    Bound,
}

/// From the moment a line that answered OPTIONS falls silent (no packet at all) until it is down, at most: a whole interval until the
/// next OPTIONS, the confirming ones, and the time-out of the last. The confirming ones follow the first at once, as long as round trips
/// are shorter than their step; for the bound, where they need not be, they follow when it is given up.
pub fn worst_case_detection(profile: &Profile, known: Known) -> Duration {
    let profile = profile.sane();
    let within = |interval: Duration, fall: u16| {
        interval + profile.step(fall) * u32::from(fall - 1) + profile.timeout
    };
    let given_up_first = |fall: u16, timeout: Duration| {
        let step = profile.step(fall);
        let confirming = fall
            .checked_sub(2)
            .map(|more| timeout.max(step) + step * u32::from(more));
        profile.interval + timeout + confirming.unwrap_or_default()
    };
    match known {
        Known::Clean => within(profile.interval, profile.fall),
        Known::Fresh => within(profile.interval_of_new(), Loss::default().fall(&profile)),
        Known::Bound => (profile.fall..=profile.fall_max)
            .map(|fall| given_up_first(fall, profile.timeout_max))
            .max()
            .unwrap_or_default(),
    }
}

/// From the moment a line that OPTIONS took down answers again until it is up, at most: `rise` answers, or the rest of `hold` if it is
/// its first fall for long and that lasts longer, and the round trip, which a time-out bounds.
pub fn worst_case_recovery(profile: &Profile) -> Duration {
    let profile = profile.sane();
    let proven = profile.fast_interval * u32::from(profile.rise);
    proven.max(profile.hold + profile.fast_interval) + profile.timeout
}

/// Whether a final answer to an INVITE is a fault of the line: a listed code, before any 18x.
pub fn counts_as_call_fault(code: u16, after_18x: bool, fault_codes: &[u16]) -> bool {
    !after_18x && fault_codes.contains(&code)
}
