//! How the lines of a product are judged.
use core::time::Duration;

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
    /// Consecutive faults until down, at least 1, on a line that was measured to lose nothing.
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

    /// The longest time between two probes in doubt: one that gets no answer is waited for.
    fn fast_step(&self) -> Duration {
        self.fast_interval.max(self.timeout)
    }
}

/// From the moment a line that answered OPTIONS falls silent (no packet at all) until it is down, at most: a whole interval until the
/// next probe, its time-out, and the confirming probes.
pub fn worst_case_detection(profile: &Profile) -> Duration {
    let profile = profile.sane();
    profile.interval + profile.timeout + profile.fast_step() * u32::from(profile.fall - 1)
}

/// From the moment a line that is down by OPTIONS answers again until it is up, at most: the lost probe that was under way,
/// `rise` good ones or the rest of `hold`, and the probe that notices.
pub fn worst_case_recovery(profile: &Profile) -> Duration {
    let profile = profile.sane();
    let proven = profile.fast_step() + profile.fast_interval * u32::from(profile.rise - 1);
    profile.hold.max(proven) + profile.fast_step() + profile.timeout
}

/// Whether a final answer to an INVITE is a fault of the line: a listed code, before any 18x.
pub fn counts_as_call_fault(code: u16, after_18x: bool, fault_codes: &[u16]) -> bool {
    !after_18x && fault_codes.contains(&code)
}
