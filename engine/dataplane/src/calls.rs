//! What happened to recent calls, for `sipproxy call CALL-ID`: two rings per worker, written in place.
//!
//! A redirect's record is one cache line and needs no allocation; a proxied call's record grows with its steps. A ring
//! that is full overwrites its oldest. Call-IDs are kept as hashes: who asks names the Call-ID.

use std::net::SocketAddr;

use route_core::{Cause, Digits, LineSlot, RuleSlot, Unreachable};
use sip_core::time::Timestamp;

/// What a step says; the address is where it went or came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Request(SocketAddr),
    Response(u16),
    Silence,
    Unreachable(Unreachable),
    Repeated,
    Cancel,
    Answer(u16),
    Diverted,
    CallerCancelled,
    LateAnswerClosed,
}

impl Step {
    fn describe(self) -> String {
        match self {
            Self::Request(to) => format!("→ INVITE {to}"),
            Self::Response(code) => format!("← {code} from the line"),
            Self::Silence => "no answer in time".to_owned(),
            Self::Unreachable(kind) => format!("not delivered: {}", Cause::Unreachable(kind)),
            Self::Repeated => "→ INVITE again: a 100 and nothing since".to_owned(),
            Self::Cancel => "→ CANCEL".to_owned(),
            Self::Answer(code) => format!("{code} to the caller"),
            Self::Diverted => "302 to the caller: this call is diverted".to_owned(),
            Self::CallerCancelled => "the caller cancelled".to_owned(),
            Self::LateAnswerClosed => "late 2xx: ACK and BYE to the line".to_owned(),
        }
    }
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Redirect,
    Proxy,
    NotFound,
    Unavailable,
}

impl Verb {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Redirect => "redirect",
            Self::Proxy => "proxy",
            Self::NotFound => "not_found",
            Self::Unavailable => "unavailable",
        }
    }
}

/// The beginning of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    pub(crate) call_hash: u64,
    pub(crate) at: Timestamp,
    pub(crate) number: Option<Digits>,
    pub(crate) line: Option<LineSlot>,
    pub(crate) rule: Option<RuleSlot>,
    pub(crate) verb: Verb,
    /// Final status sent at once; 0: none yet.
    pub(crate) status: u16,
}

/// Names a proxied call's record as long as the ring has not come round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordId(u64);

/// A found record.
pub(crate) struct Found {
    pub(crate) opening: Opening,
    pub(crate) steps: Vec<(u32, String)>,
}

struct Record {
    opening: Opening,
    steps: Vec<(u32, Step)>,
}

/// The hash by which a call's records are found. Without a key: who makes two calls collide sees both of his own.
pub(crate) fn call_hash(call_id: &[u8]) -> u64 {
    call_id.chunks(8).fold(call_id.len() as u64, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (hash ^ u64::from_le_bytes(word))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29)
    })
}

pub(crate) struct CallLog {
    answered: Vec<Opening>,
    next_answered: usize,
    running: Vec<Record>,
    next_running: u64,
    capacity: usize,
}

/// Steps kept per call: a re-INVITE storm must not grow a record without bound.
const MAX_STEPS: usize = 32;

impl CallLog {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            answered: Vec::new(),
            next_answered: 0,
            running: Vec::new(),
            next_running: 0,
            capacity: capacity.max(1),
        }
    }

    /// Record a call that was answered at once.
    pub(crate) fn answered(&mut self, opening: Opening) {
        if self.answered.len() < self.capacity {
            self.answered.push(opening);
        } else {
            self.answered[self.next_answered] = opening;
        }
        self.next_answered = (self.next_answered + 1) % self.capacity;
    }

    /// Begin the record of a call that is sent on.
    pub(crate) fn open(&mut self, opening: Opening) -> RecordId {
        let id = self.next_running;
        self.next_running += 1;
        let record = Record {
            opening,
            steps: Vec::new(),
        };
        let index = (id % self.capacity as u64) as usize;
        if index < self.running.len() {
            self.running[index] = record;
        } else {
            self.running.push(record);
        }
        RecordId(id)
    }

    pub(crate) fn step(&mut self, id: RecordId, now: Timestamp, step: Step) {
        if id.0 + (self.capacity as u64) < self.next_running {
            return;
        }
        let index = (id.0 % self.capacity as u64) as usize;
        if let Some(record) = self.running.get_mut(index)
            && record.steps.len() < MAX_STEPS
        {
            let elapsed = now
                .as_micros()
                .saturating_sub(record.opening.at.as_micros());
            record.steps.push(((elapsed / 1000) as u32, step));
        }
    }

    /// All records of a Call-ID, oldest first.
    pub(crate) fn find(&self, call_hash: u64) -> Vec<Found> {
        let answered = self
            .answered
            .iter()
            .filter(|o| o.call_hash == call_hash)
            .map(|opening| {
                let steps = vec![(0, Step::Answer(opening.status).describe())];
                Found {
                    opening: *opening,
                    steps,
                }
            });
        let running = self
            .running
            .iter()
            .filter(|r| r.opening.call_hash == call_hash)
            .map(|r| {
                let steps = r
                    .steps
                    .iter()
                    .map(|(ms, step)| (*ms, step.describe()))
                    .collect();
                Found {
                    opening: r.opening,
                    steps,
                }
            });
        let mut found: Vec<Found> = answered.chain(running).collect();
        found.sort_by_key(|f| f.opening.at);
        found
    }
}

impl Found {
    pub(crate) const fn decision(&self) -> &'static str {
        self.opening.verb.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(call_hash: u64, at_ms: u64) -> Opening {
        Opening {
            call_hash,
            at: Timestamp::from_micros(at_ms * 1000),
            number: None,
            line: None,
            rule: None,
            verb: Verb::Proxy,
            status: 0,
        }
    }

    #[test]
    fn a_full_ring_overwrites_its_oldest_and_late_steps_do_not_reach_another_call() {
        let mut log = CallLog::new(2);
        let first = log.open(opening(1, 0));
        log.open(opening(2, 0));
        log.open(opening(3, 0));
        log.step(first, Timestamp::from_micros(5_000), Step::Silence);
        assert!(log.find(1).is_empty());
        assert_eq!(0, log.find(3)[0].steps.len());
    }

    #[test]
    fn steps_carry_milliseconds_since_the_invite() {
        let mut log = CallLog::new(4);
        let id = log.open(opening(7, 1_000));
        log.step(id, Timestamp::from_micros(1_250_900), Step::Response(180));
        assert_eq!(
            vec![(250, "← 180 from the line".to_owned())],
            log.find(7)[0].steps
        );
    }
}
