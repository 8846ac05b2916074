//! The engine as its owner sees it: bind, start, replace tables, read events, stop.

mod ask;

use std::os::fd::RawFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use route_core::{Delta, DeltaError, LineSlot, RouteTable};

use crate::clock::Clock;
use crate::events::Event;
use crate::guard::GuardState;
use crate::net::UdpSocket;
use crate::policy::Policy;
use crate::rows::{BindingRow, RegistrationRow, VerdictRow};
use crate::settings::{Settings, SettingsError};
use crate::shared::Shared;
use crate::worker::{Letter, Worker};

/// Worker threads with their sockets. Bound when made, silent until `start`.
pub struct Engine {
    shared: Arc<Shared>,
    addresses: Vec<std::net::SocketAddr>,
    waiting: Mutex<Vec<Worker>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// One change of the table at a time.
    changes: Mutex<()>,
    workers: usize,
}

/// Counters, or a histogram, by name.
pub type Named<T> = Vec<(&'static str, T)>;

impl Engine {
    /// Bind all listen addresses for all workers. Nothing is left bound on an error.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let policy = Policy::new(settings)?;
        let shared = Arc::new(Shared::new(&policy, Clock::new())?);
        let (settings, workers) = (&policy.settings, policy.settings.workers);
        let mut addresses = Vec::new();
        let mut sockets: Vec<Vec<UdpSocket>> = (0..workers).map(|_| Vec::new()).collect();
        for (position, wanted) in settings.listen.iter().enumerate() {
            let mut address = *wanted;
            for own in &mut sockets {
                let socket = UdpSocket::bind(address).map_err(|error| {
                    SettingsError::new(
                        format!("listen[{position}]"),
                        format!("cannot bind {address}: {error}"),
                        "use an address of this host and a port that no other process has",
                    )
                })?;
                // Port 0 is chosen by the first worker's socket; the others share it.
                address = socket.local();
                own.push(socket);
            }
            addresses.push(address);
        }
        let mut waiting = Vec::with_capacity(workers);
        for (index, own) in sockets.into_iter().enumerate() {
            let worker = Worker::new(index, Arc::clone(&shared), own);
            waiting.push(worker.map_err(|error| SettingsError::io("workers", &error))?);
        }
        let engine = Self::of(shared, addresses);
        *lock(&engine.waiting) = waiting;
        Ok(engine)
    }

    /// Without sockets and threads: for workers that somebody drives by hand.
    pub(crate) fn of(shared: Arc<Shared>, addresses: Vec<std::net::SocketAddr>) -> Self {
        Self {
            workers: shared.workers.len(),
            shared,
            addresses,
            waiting: Mutex::new(Vec::new()),
            threads: Mutex::new(Vec::new()),
            changes: Mutex::new(()),
        }
    }

    /// Let packets in. A second call does nothing.
    pub fn start(&self) {
        let workers = std::mem::take(&mut *lock(&self.waiting));
        let mut threads = lock(&self.threads);
        for (index, worker) in workers.into_iter().enumerate() {
            let thread = std::thread::Builder::new().name(format!("sip-{index}"));
            if let Ok(handle) = thread.spawn(move || worker.run()) {
                threads.push(handle);
            } else {
                // The others wait for it no longer than for one that has read its letters.
                self.shared.opened.fetch_add(1, Ordering::AcqRel);
            }
        }
    }

    /// The bound addresses, in the order of the settings.
    pub fn addresses(&self) -> &[std::net::SocketAddr] {
        &self.addresses
    }

    /// Take over what may change while running; all or nothing.
    pub fn reconfigure(&self, settings: Settings) -> Result<(), SettingsError> {
        let policy = Policy::new(settings)?;
        let running = self.shared.policy.load();
        let fixed = [
            ("listen", policy.settings.listen != running.settings.listen),
            (
                "workers",
                policy.settings.workers != running.settings.workers,
            ),
            ("secret", policy.settings.secret != running.settings.secret),
        ];
        if let Some((place, _)) = fixed.iter().find(|(_, changed)| *changed) {
            return Err(SettingsError::new(
                *place,
                "cannot change while running",
                "restart the service to change it",
            ));
        }
        // Profiles that are only added come with the lines that use them; to look at a million others would be a pause.
        let same = policy.judges_like(&running);
        self.shared.policy.store(policy);
        if !same {
            self.tell_all(|| Letter::LinesChanged(None));
        }
        Ok(())
    }

    /// Route by `table` from now on.
    pub fn replace(&self, table: RouteTable) {
        let _one = lock(&self.changes);
        self.shared.table.store(Arc::new(table));
        self.tell_all(|| Letter::LinesChanged(None));
    }

    /// Apply `delta` to the current table; the next packet sees it.
    pub fn apply(&self, delta: Delta) -> Result<(), DeltaError> {
        let _one = lock(&self.changes);
        let touched = delta
            .lines
            .iter()
            .map(|line| line.slot)
            .chain(delta.lines_removed.iter().copied());
        let lines: Vec<LineSlot> = touched.collect();
        let next = self.shared.table.load().apply(delta)?;
        self.shared.table.store(Arc::new(next));
        if !lines.is_empty() {
            let lines: Box<[LineSlot]> = lines.into();
            self.tell_all(|| Letter::LinesChanged(Some(lines.clone())));
        }
        Ok(())
    }

    /// The current table.
    pub fn table(&self) -> Arc<RouteTable> {
        self.shared.table.load_full()
    }

    fn tell_all(&self, letter: impl Fn() -> Letter) {
        for desk in &self.shared.workers {
            // The order of tables must reach every worker: this letter is worth waiting for.
            while !desk.mailbox.post(letter()) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn by_owner<T>(&self, rows: Vec<T>, line: impl Fn(&T) -> LineSlot) -> Vec<Vec<T>> {
        let mut shares: Vec<Vec<T>> = (0..self.workers).map(|_| Vec::new()).collect();
        for row in rows {
            shares[crate::slots::owner(line(&row), self.workers)].push(row);
        }
        shares
    }

    /// Bindings from the store. The workers take them before the first packet if called before `start`.
    pub fn restore_bindings(&self, rows: Vec<BindingRow>) {
        for (share, desk) in self
            .by_owner(rows, |row| row.line)
            .into_iter()
            .zip(&self.shared.workers)
        {
            desk.mailbox.post(Letter::Bindings(share));
        }
    }

    /// Verdicts from the store.
    pub fn restore_verdicts(&self, rows: Vec<VerdictRow>) {
        for (share, desk) in self
            .by_owner(rows, |row| row.line)
            .into_iter()
            .zip(&self.shared.workers)
        {
            desk.mailbox.post(Letter::Verdicts(share));
        }
    }

    /// What registrars elsewhere say of lines. Returns how many rows were on their way; the rest met a full mailbox.
    pub fn report_registrations(&self, rows: Vec<RegistrationRow>) -> usize {
        let mut taken = 0;
        for (share, desk) in self
            .by_owner(rows, |row| row.line)
            .into_iter()
            .zip(&self.shared.workers)
        {
            let count = share.len();
            if count == 0 || desk.mailbox.post(Letter::Registrations(share)) {
                taken += count;
            }
        }
        taken
    }

    /// Readable when events wait.
    pub fn event_fd(&self) -> RawFd {
        self.shared.events.raw_fd()
    }

    /// Take events.
    pub fn events(&self, limit: usize) -> Vec<Event> {
        let clock = &self.shared.clock;
        self.shared.events.take(limit, clock.unix_ms(clock.now()))
    }

    /// All binding events up to `seq` are on disk.
    pub fn stored(&self, seq: u64) {
        self.shared.stored_seq.fetch_max(seq, Ordering::AcqRel);
        for desk in &self.shared.workers {
            desk.mailbox.post(Letter::Stored);
        }
    }

    /// Whether falls are held back, and what the guard sees.
    pub fn guard(&self) -> GuardState {
        let policy = self.shared.policy.load();
        self.shared
            .guard
            .shown(&policy.settings.guard, &self.shared.clock)
    }

    /// Hold falls from now on, for `limit` (zero: until released). False if they were held already.
    pub fn guard_freeze(&self, by: &str, limit: Duration) -> bool {
        let now = self.shared.clock.now();
        let row = self.shared.guard.freeze(by, limit, now);
        let done = row.is_some();
        self.shared.tell_guard(row, now);
        done
    }

    /// End the freeze. False if nothing was frozen.
    pub fn guard_release(&self, by: &str) -> bool {
        let now = self.shared.clock.now();
        let row = self.shared.guard.release(by, now);
        let done = row.is_some();
        self.shared.tell_guard(row, now);
        done
    }

    /// Ask these lines within their fast interval, evenly spread.
    pub fn doubt(&self, lines: Vec<LineSlot>) {
        for (share, desk) in self
            .by_owner(lines, |line| *line)
            .into_iter()
            .zip(&self.shared.workers)
        {
            if !share.is_empty() {
                // Where there is no room, the lines are asked at their usual pace.
                desk.mailbox.post(Letter::AskLines(share.into()));
            }
        }
    }

    /// Refuse what is new with 503, finish what runs.
    pub fn drain(&self) {
        for desk in &self.shared.workers {
            // Until the worker has counted.
            desk.counters.unfinished.set(1);
        }
        self.shared.draining.store(true, Ordering::Release);
    }

    /// Whether every request has its final answer. Repetitions of answers, which transactions wait for up to 64·T1 (RFC 3261 §17),
    /// do not hold this up.
    pub fn drained(&self) -> bool {
        let unfinished: u64 = self
            .shared
            .workers
            .iter()
            .map(|desk| desk.counters.unfinished.value())
            .sum();
        self.shared.draining.load(Ordering::Acquire) && unfinished == 0
    }

    /// Stop the threads and close the sockets. Idempotent.
    pub fn stop(&self) {
        lock(&self.waiting).clear();
        let threads = std::mem::take(&mut *lock(&self.threads));
        if threads.is_empty() {
            return;
        }
        self.tell_all(|| Letter::Stop);
        for thread in threads {
            // A worker that panicked has said so on stderr; the others still end in order.
            let _ = thread.join();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
