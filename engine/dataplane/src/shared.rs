//! What all workers and the Python side share. Read without locks on the path of a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use arc_swap::ArcSwap;
use route_core::{LineSlot, RouteTable};

use crate::clock::Clock;
use crate::counters::{Counters, Histogram};
use crate::events::EventQueue;
use crate::mailbox::Mailbox;
use crate::secret::Secrets;
use crate::settings::Policy;
use crate::slots::Slots;
use crate::worker::Letter;

pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) policy: ArcSwap<Policy>,
    pub(crate) table: ArcSwap<RouteTable>,
    pub(crate) slots: Slots,
    pub(crate) events: EventQueue,
    pub(crate) workers: Box<[Desk]>,
    pub(crate) secrets: Secrets,
    /// New INVITEs and OPTIONS get 503.
    pub(crate) draining: AtomicBool,
    /// Binding events up to here are on disk.
    pub(crate) stored_seq: AtomicU64,
}

/// Where one worker is reached and seen.
pub(crate) struct Desk {
    pub(crate) mailbox: Mailbox<Letter>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) probe_round_trip: Histogram,
}

impl Shared {
    /// Post a letter to the owner of `line`.
    pub(crate) fn post_to_owner(&self, line: LineSlot, letter: Letter) -> bool {
        self.workers[crate::slots::owner(line, self.workers.len())]
            .mailbox
            .post(letter)
    }
}
