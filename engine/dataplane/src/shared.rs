//! What all workers and the Python side share. Read without locks on the path of a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

use arc_swap::ArcSwap;
use route_core::{LineSlot, RouteTable};
use sip_core::time::Timestamp;

use crate::addresses::Addresses;
use crate::clock::Clock;
use crate::counters::{Counters, Histogram};
use crate::events::{EventBody, EventQueue};
use crate::guard::{Guard, GuardRow};
use crate::mailbox::Mailbox;
use crate::policy::Policy;
use crate::secret::Secrets;
use crate::secret::random_u64;
use crate::settings::SettingsError;
use crate::slots::Slots;
use crate::worker::Letter;

pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) policy: ArcSwap<Policy>,
    pub(crate) table: ArcSwap<RouteTable>,
    pub(crate) slots: Slots,
    pub(crate) addresses: Addresses,
    pub(crate) events: EventQueue,
    pub(crate) guard: Guard,
    pub(crate) workers: Box<[Desk]>,
    pub(crate) secrets: Secrets,
    /// Workers that have read what was posted before the start.
    pub(crate) opened: AtomicUsize,
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
    /// The end of the worker's last stall in microseconds of our clock; 0: none yet.
    pub(crate) stalled_until: AtomicU64,
}

/// Letters a mailbox holds: some 100 ms of full load.
const MAILBOX_LIMIT: usize = 16_384;

impl Shared {
    /// With empty tables, and a desk for each worker.
    pub(crate) fn new(policy: &Arc<Policy>, clock: Clock) -> Result<Self, SettingsError> {
        let settings = &policy.settings;
        let desk = |_| {
            Ok(Desk {
                mailbox: Mailbox::new(MAILBOX_LIMIT)?,
                counters: Arc::new(Counters::default()),
                probe_round_trip: Histogram::default(),
                stalled_until: AtomicU64::new(0),
            })
        };
        let workers: std::io::Result<Vec<Desk>> = (0..settings.workers).map(desk).collect();
        let events = EventQueue::new(settings.event_queue);
        Ok(Self {
            clock,
            table: ArcSwap::from_pointee(RouteTable::new(random_u64())),
            slots: Slots::new(),
            addresses: Addresses::new(),
            guard: Guard::default(),
            events: events.map_err(|error| SettingsError::io("event_queue", &error))?,
            workers: workers
                .map_err(|error| SettingsError::io("workers", &error))?
                .into(),
            secrets: Secrets::new(&settings.secret),
            opened: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            stored_seq: AtomicU64::new(0),
            policy: ArcSwap::new(Arc::clone(policy)),
        })
    }

    /// Tell of a freeze that began or ended.
    pub(crate) fn tell_guard(&self, row: Option<GuardRow>, now: Timestamp) {
        if let Some(row) = row {
            self.events
                .push(self.clock.unix_ms(now), EventBody::Guard(Box::new(row)));
        }
    }

    /// Post a letter to the owner of `line`.
    pub(crate) fn post_to_owner(&self, line: LineSlot, letter: Letter) -> bool {
        self.workers[crate::slots::owner(line, self.workers.len())]
            .mailbox
            .post(letter)
    }
}
