//! The own-fault guard: when many lines fall together, are they out, or are we?
//!
//! Rules: a fall to down for want of an answer is asked about here before it happens; what is refused stays suspect, so each call
//! to it rescues itself with the short timer. A fall that rests on an answer (a status, an ICMP error from afar, a
//! de-registration) or on an expired registration is never held: something beyond us said it, or there is no address left to call.
//! A few lines are never held, and never delayed. `judge` says how trouble is told apart, `freeze` what happens then.

mod freeze;
mod judge;
mod rows;
mod sight;

pub(crate) use freeze::Admission;
pub use rows::{GroupRow, GuardRow, GuardState, PastFreeze};
pub(crate) use sight::{Standing, groups_of, network_of};

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use route_core::{Cause, LineSlot, Unreachable};
use sip_core::time::Timestamp;

use crate::clock::Clock;
use crate::settings::GuardSettings;
use freeze::State;

/// Shared by all workers. They come here when a verdict changes, not for calls.
pub(crate) struct Guard {
    state: Mutex<State>,
    /// When time will matter, in microseconds of our clock: at once while something is held or being let go, else when a fallen line gets
    /// out of sight.
    due: AtomicU64,
    frozen: AtomicBool,
    held: AtomicU32,
    troubled: AtomicU32,
    freezes: AtomicU64,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            due: AtomicU64::new(u64::MAX),
            frozen: AtomicBool::default(),
            held: AtomicU32::default(),
            troubled: AtomicU32::default(),
            freezes: AtomicU64::default(),
        }
    }
}

impl Guard {
    /// `line` stands so from now on; `groups` is asked only when it comes into sight.
    pub(crate) fn set(
        &self,
        line: LineSlot,
        standing: Standing,
        now: Timestamp,
        groups: impl FnOnce() -> Vec<String>,
    ) {
        self.with(|state| state.set(line, standing, now, groups));
    }

    /// Whether `line`, which waits since `since`, may fall for want of an answer. The row is to be told as an event.
    pub(crate) fn admit(
        &self,
        line: LineSlot,
        since: Timestamp,
        settings: &GuardSettings,
        now: Timestamp,
    ) -> (Admission, Option<GuardRow>) {
        self.with(|state| state.admit(line, since, settings, now))
    }

    /// Our own stack has no way to `destination`.
    pub(crate) fn refused(
        &self,
        destination: SocketAddr,
        settings: &GuardSettings,
        now: Timestamp,
    ) -> Option<GuardRow> {
        self.with(|state| state.refused(destination, settings, now))
    }

    /// Whether [`Guard::tick`] has something to do.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.due.load(Ordering::Relaxed) <= now.as_micros()
    }

    /// Let time pass.
    pub(crate) fn tick(&self, settings: &GuardSettings, now: Timestamp) -> Option<GuardRow> {
        self.with(|state| state.tick(settings, now))
    }

    /// An operator freezes, for `limit` (zero: until released).
    pub(crate) fn freeze(&self, by: &str, limit: Duration, now: Timestamp) -> Option<GuardRow> {
        self.with(|state| state.freeze_by(by, limit, now))
    }

    /// An operator releases.
    pub(crate) fn release(&self, by: &str, now: Timestamp) -> Option<GuardRow> {
        self.with(|state| state.release_by(by, now))
    }

    /// Whether falls are held: what is lost now counts for nothing.
    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::Relaxed)
    }

    /// For people.
    pub(crate) fn shown(&self, settings: &GuardSettings, clock: &Clock) -> GuardState {
        self.with(|state| state.shown(settings, clock))
    }

    /// Gauges and counters by name.
    pub(crate) fn figures(&self) -> [(&'static str, u64); 4] {
        [
            ("guard_frozen", u64::from(self.is_frozen())),
            ("guard_held", self.held.load(Ordering::Relaxed).into()),
            (
                "guard_troubled",
                self.troubled.load(Ordering::Relaxed).into(),
            ),
            ("guard_freezes", self.freezes.load(Ordering::Relaxed)),
        ]
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state: MutexGuard<'_, State> =
            self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let done = work(&mut state);
        self.due.store(state.due().as_micros(), Ordering::Relaxed);
        self.frozen.store(state.is_frozen(), Ordering::Relaxed);
        self.held.store(state.held(), Ordering::Relaxed);
        self.troubled
            .store(state.sight.all().troubled, Ordering::Relaxed);
        self.freezes.store(state.freezes(), Ordering::Relaxed);
        done
    }
}

/// Whether a fault of ours would look like this: nothing came back, or our own host says so. What an element beyond us says, as the
/// target or a far router with ICMP or the phone with a status, got there and back.
pub(crate) fn could_be_ours(cause: Cause) -> bool {
    match cause {
        Cause::OptionsTimeout | Cause::CallSilent => true,
        // Of the routers, the one that knows no way at all is as a rule the nearest.
        Cause::Unreachable(kind) => matches!(
            kind,
            Unreachable::Network
                | Unreachable::NoRoute
                | Unreachable::Name
                | Unreachable::Connection
        ),
        _ => false,
    }
}
