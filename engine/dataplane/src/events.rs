//! Events on their way to Python: a bounded queue with a descriptor that wakes its reader.
//!
//! Rules: a worker never waits here; when the queue is full the OLDEST event goes and is counted, and the reader finds a
//! `Lost` event in front, upon which it reads bindings and verdicts anew. Sequence numbers have no gaps but the lost ones.

use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::guard::GuardRow;
use crate::net::Waker;
use crate::rows::{BindingRow, CallsRow, DivertedRow, VerdictRow};
use route_core::Health;

/// What happened to a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingChange {
    /// A new contact.
    Added,
    /// The same contact with a new expiry.
    Refreshed,
    /// The same contact, from another address: a new connection, or a backup over another network.
    Moved,
    /// De-registered, or its line is gone.
    Removed,
    /// Gone because another contact of the same phone, or one too many of the line, took its place.
    Replaced,
    /// Ran out.
    Expired,
}

impl BindingChange {
    /// Whether the binding is no more.
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Removed | Self::Replaced | Self::Expired)
    }

    /// The name in the Python API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Refreshed => "refreshed",
            Self::Moved => "moved",
            Self::Removed => "removed",
            Self::Replaced => "replaced",
            Self::Expired => "expired",
        }
    }
}

/// [`EventBody::Diverted`] of one worker: a mass fault must not fill the queue that brings verdicts.
pub const DIVERTED_PER_SECOND: u32 = 100;

/// What an event tells.
#[derive(Clone, Debug)]
pub enum EventBody {
    /// A binding came, was refreshed or went.
    Binding {
        /// Which.
        change: BindingChange,
        /// The binding after the change.
        row: Box<BindingRow>,
    },
    /// A line's verdict changed.
    Verdict {
        /// Health before.
        previous: Health,
        /// The verdict now.
        row: Box<VerdictRow>,
    },
    /// A call was diverted. At most [`DIVERTED_PER_SECOND`] a second and worker are told one by one, all are counted in `Calls`.
    Diverted(Box<DivertedRow>),
    /// What became of a line's calls at one worker since it last told.
    Calls(CallsRow),
    /// Falls are held back, or are no longer.
    Guard(Box<GuardRow>),
    /// Events were dropped.
    Lost {
        /// How many.
        count: u64,
    },
}

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Counts up by one; order of occurrence for one line.
    pub seq: u64,
    /// When.
    pub at_unix_ms: u64,
    /// What.
    pub body: EventBody,
}

pub(crate) struct EventQueue {
    inner: Mutex<Inner>,
    waker: Waker,
    queued: AtomicU64,
    dropped: AtomicU64,
}

struct Inner {
    events: VecDeque<Event>,
    limit: usize,
    next_seq: u64,
    lost: u64,
}

impl EventQueue {
    pub(crate) fn new(limit: usize) -> io::Result<Self> {
        let inner = Inner {
            events: VecDeque::new(),
            limit: limit.max(1),
            next_seq: 1,
            lost: 0,
        };
        Ok(Self {
            inner: Mutex::new(inner),
            waker: Waker::new()?,
            queued: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        })
    }

    /// Queue an event; returns its sequence number.
    pub(crate) fn push(&self, at_unix_ms: u64, body: EventBody) -> u64 {
        let seq = {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            if inner.events.len() >= inner.limit {
                inner.events.pop_front();
                inner.lost += 1;
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
            let seq = inner.next_seq;
            inner.next_seq += 1;
            inner.events.push_back(Event {
                seq,
                at_unix_ms,
                body,
            });
            seq
        };
        self.queued.fetch_add(1, Ordering::Relaxed);
        self.waker.wake();
        seq
    }

    /// Take up to `limit` events; the descriptor stays readable while more wait.
    pub(crate) fn take(&self, limit: usize, now_unix_ms: u64) -> Vec<Event> {
        self.waker.reset();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Vec::with_capacity(limit.min(inner.events.len()) + 1);
        if inner.lost > 0 {
            let seq = inner
                .events
                .front()
                .map_or(inner.next_seq, |event| event.seq)
                - 1;
            let body = EventBody::Lost {
                count: std::mem::take(&mut inner.lost),
            };
            taken.push(Event {
                seq,
                at_unix_ms: now_unix_ms,
                body,
            });
        }
        let count = limit.min(inner.events.len());
        taken.extend(inner.events.drain(..count));
        if !inner.events.is_empty() {
            drop(inner);
            self.waker.wake();
        }
        taken
    }

    pub(crate) fn raw_fd(&self) -> RawFd {
        self.waker.as_raw_fd()
    }

    /// (queued since start, dropped since start, waiting now)
    pub(crate) fn figures(&self) -> (u64, u64, u64) {
        let waiting = self
            .inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .events
            .len();
        (
            self.queued.load(Ordering::Relaxed),
            self.dropped.load(Ordering::Relaxed),
            waiting as u64,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(count: u64) -> EventBody {
        EventBody::Lost { count }
    }

    #[test]
    fn overflow_drops_the_oldest_and_says_so_first() {
        let queue = EventQueue::new(2).unwrap();
        for i in 0..5 {
            assert_eq!(i + 1, queue.push(0, lost(100 + i)));
        }
        let taken = queue.take(10, 7);
        let seqs: Vec<u64> = taken.iter().map(|e| e.seq).collect();
        assert_eq!(vec![3, 4, 5], seqs);
        assert!(matches!(taken[0].body, EventBody::Lost { count: 3 }));
        assert_eq!((5, 3, 0), queue.figures());
        assert!(queue.take(10, 7).is_empty());
    }
}
