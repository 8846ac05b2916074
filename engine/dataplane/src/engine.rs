//! The engine as its owner sees it: bind, start, replace tables, read events and states, stop.

use std::os::fd::RawFd;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use route_core::{Delta, DeltaError, LineSlot, LineView, RouteTable};

use crate::clock::Clock;
use crate::counters::BOUNDS_US;
use crate::events::Event;
use crate::explain::{Explanation, explain};
use crate::guard::GuardState;
use crate::net::UdpSocket;
use crate::rows::{BindingRow, CallRow, LineState, RegistrationRow, VerdictRow};
use crate::settings::{Interconnect, Policy, Settings, SettingsError};
use crate::shared::Shared;
use crate::worker::{Letter, Question, Worker};

/// How long a question of the Python side may wait for a worker that is busy.
const PATIENCE: Duration = Duration::from_secs(5);

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

    fn lines(&self, offset: usize, limit: usize) -> Vec<LineSlot> {
        self.shared
            .table
            .load()
            .lines()
            .skip(offset)
            .take(limit)
            .map(|line| line.slot)
            .collect()
    }

    fn ask<T>(
        &self,
        lines: Vec<LineSlot>,
        question: impl Fn(Vec<LineSlot>, SyncSender<Vec<T>>) -> Question,
    ) -> Vec<T> {
        let (answer, answers) = sync_channel(self.workers);
        for (share, desk) in self
            .by_owner(lines, |line| *line)
            .into_iter()
            .zip(&self.shared.workers)
        {
            desk.mailbox
                .post(Letter::Question(question(share, answer.clone())));
        }
        drop(answer);
        let mut all = Vec::new();
        while let Ok(mut part) = answers.recv_timeout(PATIENCE) {
            all.append(&mut part);
        }
        all
    }

    /// States of the lines `offset…offset + limit` of the table.
    pub fn line_states(&self, offset: usize, limit: usize) -> Vec<LineState> {
        let mut states = self.ask(self.lines(offset, limit), |lines, answer| {
            Question::States { lines, answer }
        });
        states.sort_by_key(|state| state.line);
        states
    }

    /// Bindings of the lines `offset…offset + limit` of the table.
    pub fn bindings(&self, offset: usize, limit: usize) -> Vec<BindingRow> {
        self.ask(self.lines(offset, limit), |lines, answer| {
            Question::Bindings { lines, answer }
        })
    }

    /// Verdicts of the lines `offset…offset + limit` of the table.
    pub fn verdicts(&self, offset: usize, limit: usize) -> Vec<VerdictRow> {
        self.line_states(offset, limit)
            .into_iter()
            .map(|state| state.verdict)
            .collect()
    }

    /// What happened to the recent calls with this Call-ID.
    pub fn calls(&self, call_id: &[u8]) -> Vec<CallRow> {
        let call_hash = crate::calls::call_hash(call_id);
        let found = self.ask(Vec::new(), |_, answer| Question::Calls {
            call_hash,
            answer,
        });
        let mut rows: Vec<CallRow> = found
            .into_iter()
            .map(|found| CallRow {
                at_unix_ms: self.shared.clock.unix_ms(found.opening.at),
                number: found
                    .opening
                    .number
                    .map(|number| number.to_string())
                    .unwrap_or_default(),
                line: found.opening.line,
                rule: found.opening.rule,
                decision: found.decision(),
                steps: found.steps,
            })
            .collect();
        rows.sort_by_key(|row| row.at_unix_ms);
        rows
    }

    /// What a call of this interconnect to `number` would get now, and why.
    pub fn explain(&self, number: &str, interconnect: &str) -> Result<Explanation, SettingsError> {
        let policy = self.shared.policy.load();
        let interconnect = policy.interconnect(interconnect).ok_or_else(|| {
            let names: Vec<&str> = policy
                .settings
                .interconnects
                .iter()
                .map(|x| x.name.as_str())
                .collect();
            SettingsError::new(
                "interconnect",
                format!("there is no interconnect {interconnect:?}"),
                &format!("use one of: {}", names.join(", ")),
            )
        })?;
        let table = self.shared.table.load();
        let view_of = |line: LineSlot| {
            let wish = table.line(line).map(|line| line.wish).unwrap_or_default();
            self.shared.slots.view(line, wish)
        };
        let hops = |line: LineSlot| {
            let targets = self
                .shared
                .slots
                .read(line)
                .and_then(crate::slots::Slot::targets);
            targets.map_or_else(Vec::new, |targets| {
                targets.iter().map(|target| target.address).collect()
            })
        };
        Ok(explain(
            number,
            interconnect,
            &table,
            view_of,
            hops,
            self.addresses[0],
        ))
    }

    /// Sums over all workers.
    pub fn counters(&self) -> Named<u64> {
        let mut sums: Named<u64> = Vec::new();
        for desk in &self.shared.workers {
            for (position, (name, value)) in desk.counters.read().into_iter().enumerate() {
                match sums.get_mut(position) {
                    Some(sum) => sum.1 += value,
                    None => sums.push((name, value)),
                }
            }
        }
        let (queued, dropped, waiting) = self.shared.events.figures();
        sums.extend([
            ("events_queued", queued),
            ("events_dropped", dropped),
            ("events_waiting", waiting),
        ]);
        sums.extend(self.shared.guard.figures());
        sums
    }

    /// Per worker.
    pub fn worker_counters(&self) -> Vec<Named<u64>> {
        self.shared
            .workers
            .iter()
            .map(|desk| desk.counters.read())
            .collect()
    }

    /// The round trips of probes: upper bounds in seconds, counts with the overflow last, sum in seconds.
    pub fn probe_round_trips(&self) -> (Vec<f64>, Vec<u64>, f64) {
        let mut counts = vec![0; BOUNDS_US.len() + 1];
        let mut sum_us = 0;
        for desk in &self.shared.workers {
            let (own, own_sum) = desk.probe_round_trip.read();
            counts
                .iter_mut()
                .zip(own)
                .for_each(|(count, own)| *count += own);
            sum_us += own_sum;
        }
        #[allow(clippy::cast_precision_loss, reason = "a metric")]
        let seconds = |us: u64| us as f64 / 1e6;
        (
            BOUNDS_US.iter().map(|bound| seconds(*bound)).collect(),
            counts,
            seconds(sum_us),
        )
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

/// What a call would get from `table` if its line were as `view` says, without an engine.
pub fn simulate(
    number: &str,
    interconnect: &Interconnect,
    table: &RouteTable,
    view: LineView,
) -> Explanation {
    let local = std::net::SocketAddr::from(([127, 0, 0, 1], 5060));
    explain(number, interconnect, table, |_| view, |_| Vec::new(), local)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
