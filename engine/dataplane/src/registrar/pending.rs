//! The 200s that wait for the store.
//!
//! Rules: waits are numbered from 0 upward and stand in the order of their event sequence numbers, so the store's progress
//! releases them from the front; a timer takes one out of the middle and leaves a hole, which goes when it comes to the front.

use std::collections::VecDeque;

use crate::transactions::ServerId;

/// Answers that wait at most: at 1 kB each 64 MB, 650,000 registrations a second with a wait of 100 ms.
const MAX_WAITING: usize = 1 << 16;

struct Waiting {
    seq: u64,
    server: ServerId,
    response: Vec<u8>,
}

pub(super) struct Pending {
    waiting: VecDeque<Option<Waiting>>,
    /// Number of the wait in front.
    first: u64,
}

impl Pending {
    pub(super) const fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            first: 0,
        }
    }

    /// Whether any answer waits.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.iter().any(Option::is_some)
    }

    /// Wait for `seq`, which is not lower than any before; returns the wait's number, or the response if too many wait.
    pub(super) fn push(
        &mut self,
        seq: u64,
        server: ServerId,
        response: Vec<u8>,
    ) -> Result<u64, Vec<u8>> {
        if self.waiting.len() >= MAX_WAITING {
            return Err(response);
        }
        let id = self.first + self.waiting.len() as u64;
        self.waiting.push_back(Some(Waiting {
            seq,
            server,
            response,
        }));
        Ok(id)
    }

    /// The next answer whose event is stored, with all events up to `seq`.
    pub(super) fn pop_stored(&mut self, seq: u64) -> Option<(ServerId, Vec<u8>)> {
        loop {
            if self
                .waiting
                .front()?
                .as_ref()
                .is_some_and(|waiting| waiting.seq > seq)
            {
                return None;
            }
            self.first += 1;
            if let Some(waiting) = self.waiting.pop_front()? {
                return Some((waiting.server, waiting.response));
            }
        }
    }

    /// The answer with this number, if it still waits.
    pub(super) fn take(&mut self, id: u64) -> Option<(ServerId, Vec<u8>)> {
        let index = usize::try_from(id.checked_sub(self.first)?).ok()?;
        let waiting = self.waiting.get_mut(index)?.take()?;
        while let Some(None) = self.waiting.front() {
            self.waiting.pop_front();
            self.first += 1;
        }
        Some((waiting.server, waiting.response))
    }
}
