//! A worker that was kept from working: by a debugger, a full machine, a suspend, or a turn of its own that took too long.
//!
//! Rules: what lies in the sockets is read before any timer fires, for it may be what a timer waits for; losses of probes that
//! were under way prove nothing; a binding that ran out meanwhile, or is about to, gets the time that its phone needs to repeat
//! the REGISTER that we did not answer.

use std::time::Duration;

use sip_core::time::Timestamp;

use super::{Core, View};

/// A turn that begins this much later than the wheel wanted comes after a stall.
pub(super) const STALL: Duration = Duration::from_millis(300);

/// How long timers wait after a stall for what the other workers hand over: the whole process may have been stopped.
pub(super) const HAND_OVER: Duration = Duration::from_millis(50);

/// Timers E and F (RFC 3261 §17.1.2.2): a request is repeated after at most twice the time that it was not answered, 4 s at most,
/// for 32 s.
const LONGEST_REPEAT: Duration = Duration::from_secs(4);
const GIVEN_UP: Duration = Duration::from_secs(32);
const ON_THE_WAY: Duration = Duration::from_millis(500);

/// The last stall of a worker, as its lines see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stall {
    /// Probes that were sent before this and found no answer prove nothing.
    pub(crate) end: Timestamp,
    /// No binding runs out before this.
    pub(crate) grace_end: Timestamp,
}

impl Stall {
    pub(crate) const NONE: Self = Self {
        end: Timestamp::ZERO,
        grace_end: Timestamp::ZERO,
    };

    /// `restart_grace` is what bindings get after a restart: a phone that has given up tries again as if we had restarted.
    fn new(begin: Timestamp, end: Timestamp, restart_grace: Duration) -> Self {
        let length = end - begin;
        let grace = if length < GIVEN_UP {
            length.min(LONGEST_REPEAT) + ON_THE_WAY
        } else {
            restart_grace
        };
        Self {
            end,
            grace_end: end + grace,
        }
    }
}

impl Core {
    /// This worker did nothing from `begin` until now.
    pub(crate) fn on_stall(&mut self, begin: Timestamp, view: &View) {
        self.counters.worker_stalls.increment();
        self.shared.workers[self.index]
            .stalled_until
            .store(self.now.as_micros(), std::sync::atomic::Ordering::Relaxed);
        let stall = Stall::new(begin, self.now, crate::lines::restart_grace(view));
        self.lines.stall = stall;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_wait_for_the_next_repetition_of_their_refresh() {
        let restart = Duration::from_secs(30);
        let begin = Timestamp::from_micros(1_000_000);
        for (length_ms, grace_ms) in [
            (400, 900),
            (4_000, 4_500),
            (31_000, 4_500),
            (32_000, 30_000),
            (3_600_000, 30_000),
        ] {
            let end = begin + Duration::from_millis(length_ms);
            let stall = Stall::new(begin, end, restart);
            assert_eq!(end + Duration::from_millis(grace_ms), stall.grace_end);
        }
    }
}
