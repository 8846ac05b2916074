//! The last things that were seen of a target, for people who ask why.

use core::fmt;

use super::{CallOutcome, Unreachable};
use sip_core::time::Timestamp;

/// One thing that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// OPTIONS was answered in time, after a round trip of so many microseconds.
    Answered(u32),
    /// OPTIONS was answered, but after its time-out.
    Late(u32),
    /// OPTIONS was not answered in time.
    Lost,
    /// OPTIONS was not answered in time, but other packets came.
    Forgiven,
    /// OPTIONS was answered with a fault code.
    Code(u16),
    /// OPTIONS was answered with 503 and a Retry-After of so many seconds.
    RetryAfter(u32),
    /// OPTIONS could not be delivered.
    Unreachable(Unreachable),
    /// A REGISTER was accepted.
    Registered,
    /// A call.
    Call(CallOutcome),
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |us: u32| f64::from(us) / 1000.0;
        match self {
            Self::Answered(us) => write!(f, "OPTIONS answered in {:.1} ms", millis(*us)),
            Self::Late(us) => write!(f, "OPTIONS answered late, in {:.0} ms", millis(*us)),
            Self::Lost => f.write_str("OPTIONS lost"),
            Self::Forgiven => f.write_str("OPTIONS lost, but other packets came"),
            Self::Code(code) => write!(f, "OPTIONS answered {code}"),
            Self::RetryAfter(seconds) => write!(f, "OPTIONS answered 503, back in {seconds} s"),
            Self::Unreachable(kind) => write!(f, "OPTIONS: {}", kind.text()),
            Self::Registered => f.write_str("REGISTER accepted"),
            Self::Call(CallOutcome::Answered) => f.write_str("call answered"),
            Self::Call(CallOutcome::Fault { code }) => write!(f, "call failed with {code}"),
            Self::Call(CallOutcome::Silent) => f.write_str("call without answer"),
            Self::Call(CallOutcome::Unreachable { kind, .. }) => write!(f, "call: {}", kind.text()),
        }
    }
}

/// The last observations, oldest first. Of answers in a row only the last is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    seen: [Option<(Timestamp, Observation)>; LENGTH],
}

const LENGTH: usize = 6;

impl Recent {
    pub(super) fn push(&mut self, now: Timestamp, what: Observation) {
        let answered = |what: &Observation| matches!(what, Observation::Answered(_));
        let again =
            self.seen[LENGTH - 1].is_some_and(|(_, last)| answered(&last) && answered(&what));
        if !again {
            self.seen.rotate_left(1);
        }
        self.seen[LENGTH - 1] = Some((now, what));
    }

    /// When, and what.
    pub fn iter(&self) -> impl Iterator<Item = (Timestamp, Observation)> {
        self.seen.iter().copied().flatten()
    }
}
