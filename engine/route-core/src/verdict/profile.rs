//! How the lines of a product are judged.
use core::time::Duration;

/// The judging part of `ProfileSettings`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Between OPTIONS while all is well.
    pub interval: Duration,
    /// Between OPTIONS while in doubt, and while down.
    pub fast_interval: Duration,
    /// One OPTIONS without an answer.
    pub timeout: Duration,
    /// Consecutive faults until down, at least 1.
    pub fall: u16,
    /// Consecutive good answers until up, at least 1.
    pub rise: u16,
    /// Shortest stay in down.
    pub hold: Duration,
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
        self.fall = self.fall.max(1);
        self.rise = self.rise.max(1);
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

/// Whether an OPTIONS answer shows a living phone: all do except 408 and 503 (RFC 3261 §11.2 lets a busy one answer as it would an
/// INVITE); codes in `alive_codes` always do.
pub fn counts_as_alive(code: u16, alive_codes: &[u16]) -> bool {
    alive_codes.contains(&code) || !matches!(code, 408 | 503)
}

/// Whether a final answer to an INVITE is a fault of the line: a listed code, before any 18x.
pub fn counts_as_call_fault(code: u16, after_18x: bool, fault_codes: &[u16]) -> bool {
    !after_18x && fault_codes.contains(&code)
}
