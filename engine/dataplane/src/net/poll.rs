//! Readiness of a worker's sockets and the wake-up by another thread.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::sys;

/// Wakes one sleeping thread from any other; many wakes before it looks count as one.
pub(crate) struct Waker {
    eventfd: File,
    raised: AtomicBool,
}

impl Waker {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            eventfd: File::from(sys::eventfd()?),
            raised: AtomicBool::new(false),
        })
    }

    /// Make the descriptor readable. One system call for any number of calls before `reset`.
    pub(crate) fn wake(&self) {
        if !self.raised.swap(true, Ordering::AcqRel) {
            // A full counter is readable too, so a failing write has lost nothing.
            let _ = (&self.eventfd).write(&1_u64.to_ne_bytes());
        }
    }

    /// Take note of the wake. Call it BEFORE looking at what was posted, so that a later post wakes again.
    pub(crate) fn reset(&self) {
        let _ = (&self.eventfd).read(&mut [0; 8]);
        self.raised.store(false, Ordering::Release);
    }

    pub(crate) fn as_raw_fd(&self) -> RawFd {
        self.eventfd.as_raw_fd()
    }
}

/// A descriptor that wants attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    /// As it was added.
    pub(crate) token: u64,
    /// Its error queue has something, or an error is pending.
    pub(crate) error: bool,
}

/// The descriptors one worker waits for.
pub(crate) struct Poller {
    epoll: OwnedFd,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: sys::epoll_create()?,
        })
    }

    pub(crate) fn add(&self, source: &impl AsFd, token: u64) -> io::Result<()> {
        sys::epoll_add(self.epoll.as_fd(), source.as_fd(), token)
    }

    pub(crate) fn add_waker(&self, waker: &Waker, token: u64) -> io::Result<()> {
        self.add(&waker.eventfd, token)
    }

    /// Sleep until something is readable or `timeout` has passed; rounds up to whole milliseconds.
    pub(crate) fn wait(&self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        let timeout_ms = timeout.map_or(-1, |timeout| {
            i32::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
        });
        ready.clear();
        sys::epoll_wait(self.epoll.as_fd(), timeout_ms, ready)
    }
}
