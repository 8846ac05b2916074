//! What other threads post to a worker: one queue, one wake-up for a burst.

use std::sync::{Mutex, PoisonError};

use crate::net::Waker;

/// Many writers, one reader. The lock is held for a push or a swap only.
pub(crate) struct Mailbox<T> {
    queue: Mutex<Vec<T>>,
    waker: Waker,
    limit: usize,
}

impl<T> Mailbox<T> {
    /// `limit`: letters kept before `post` refuses; what is refused is lost on the way, as UDP may lose it.
    pub(crate) fn new(limit: usize) -> std::io::Result<Self> {
        Ok(Self {
            queue: Mutex::new(Vec::new()),
            waker: Waker::new()?,
            limit,
        })
    }

    /// False when the mailbox is full.
    pub(crate) fn post(&self, letter: T) -> bool {
        {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            if queue.len() >= self.limit {
                return false;
            }
            queue.push(letter);
        }
        self.waker.wake();
        true
    }

    /// Move all letters to `into`, which must be empty; its capacity becomes the queue's.
    pub(crate) fn collect(&self, into: &mut Vec<T>) {
        self.waker.reset();
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *queue, into);
    }

    pub(crate) const fn waker(&self) -> &Waker {
        &self.waker
    }
}
