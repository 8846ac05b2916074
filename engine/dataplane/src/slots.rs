//! What every worker reads about a line without a lock: its verdict and where its calls go.
//!
//! One worker owns a line (`owner`) and is the only writer of its slot; all read. A slot's memory is never given back
//! while the process lives, so a reader needs no guard for it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use route_core::{Cause, FaultPlace, Health, LineSlot, LineView, Unreachable, Wish};
use sip_core::time::Timestamp;

/// What is assumed of a target before anything was measured: one round trip in four is lost (the prior of route-core's `learnt`).
pub(crate) const LOSS_UNKNOWN: u16 = 250;

/// A contact of a registered line, or a peer of a static one.
pub(crate) struct Target {
    /// The Request-URI of a call to it: the contact URI as registered, or `sip:peer`.
    pub(crate) uri: Box<[u8]>,
    /// Where to send: the source of the REGISTER (RFC 3581), or the peer.
    pub(crate) address: SocketAddr,
    /// Index of the listen socket to send from.
    pub(crate) socket: usize,
    /// Lower goes first: the peer's priority, or 1000 − q in thousandths.
    pub(crate) rank: u16,
    /// What makes it a binding; `None` for a static peer.
    pub(crate) binding: Option<Binding>,
    health: AtomicU8,
    rtt_us: AtomicU32,
    /// Round trips in a thousand that are lost, as far as is known.
    loss_permille: AtomicU16,
    /// Smoothed round trip; 0: none measured.
    srtt_us: AtomicU32,
    last_seen: AtomicU64,
}

/// RFC 3261 §10.3: what a registrar keeps with a contact.
pub(crate) struct Binding {
    pub(crate) user: Box<str>,
    pub(crate) call_id: Box<[u8]>,
    pub(crate) cseq: u32,
    pub(crate) expires: Timestamp,
    pub(crate) user_agent: Box<[u8]>,
}

impl Target {
    pub(crate) fn new(
        uri: Box<[u8]>,
        address: SocketAddr,
        socket: usize,
        rank: u16,
        binding: Option<Binding>,
    ) -> Self {
        Self {
            uri,
            address,
            socket,
            rank,
            binding,
            health: AtomicU8::new(health_code(Health::Unknown)),
            rtt_us: AtomicU32::new(u32::MAX),
            loss_permille: AtomicU16::new(LOSS_UNKNOWN),
            srtt_us: AtomicU32::new(0),
            last_seen: AtomicU64::new(0),
        }
    }

    pub(crate) fn health(&self) -> Health {
        health_of(self.health.load(Ordering::Relaxed))
    }

    pub(crate) fn set_health(&self, health: Health) {
        self.health.store(health_code(health), Ordering::Relaxed);
    }

    /// Round trip of the last OPTIONS in microseconds.
    pub(crate) fn rtt_us(&self) -> Option<u32> {
        Some(self.rtt_us.load(Ordering::Relaxed)).filter(|rtt| *rtt != u32::MAX)
    }

    pub(crate) fn set_rtt_us(&self, rtt: u32) {
        self.rtt_us.store(rtt, Ordering::Relaxed);
    }

    /// Lost round trips in a thousand, as the verdict machine estimates them.
    pub(crate) fn loss_permille(&self) -> u16 {
        self.loss_permille.load(Ordering::Relaxed)
    }

    /// Smoothed round trip in microseconds; 0 before the first.
    pub(crate) fn srtt_us(&self) -> u32 {
        self.srtt_us.load(Ordering::Relaxed)
    }

    /// What the verdict machine has learnt about the way there.
    pub(crate) fn set_quality(&self, loss_permille: u16, srtt_us: u32) {
        self.loss_permille.store(loss_permille, Ordering::Relaxed);
        self.srtt_us.store(srtt_us, Ordering::Relaxed);
    }

    /// When the last packet of any kind came from there.
    pub(crate) fn last_seen(&self) -> Option<Timestamp> {
        Some(self.last_seen.load(Ordering::Relaxed))
            .filter(|at| *at != 0)
            .map(Timestamp::from_micros)
    }

    pub(crate) fn seen(&self, now: Timestamp) {
        self.last_seen.store(now.as_micros(), Ordering::Relaxed);
    }

    /// Whether a packet that came now is the first for `pause`; who is told so tells the line's owner.
    pub(crate) fn claim_seen(&self, now: Timestamp, pause: Duration) -> bool {
        let last = self.last_seen.load(Ordering::Relaxed);
        let now = now.as_micros();
        now >= last.saturating_add(pause.as_micros() as u64)
            && self
                .last_seen
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Keep what is known about the same flow when a binding is refreshed.
    pub(crate) fn inherit(&self, older: &Self) {
        self.health
            .store(older.health.load(Ordering::Relaxed), Ordering::Relaxed);
        self.rtt_us
            .store(older.rtt_us.load(Ordering::Relaxed), Ordering::Relaxed);
        self.set_quality(older.loss_permille(), older.srtt_us());
        self.last_seen
            .store(older.last_seen.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// All targets of a line, best rank first. Replaced as a whole.
pub(crate) type Targets = Vec<Arc<Target>>;

/// The published state of one line.
#[derive(Default)]
pub(crate) struct Slot {
    /// Health in the lowest octet, above it microseconds of the last change.
    verdict: AtomicU64,
    /// Kind of the cause in the lowest octet, place of the fault in the next, status code in the upper half. Written before the verdict.
    cause: AtomicU32,
    /// A call may be tried although calls took the line down.
    trial: AtomicBool,
    /// The line is down, but answers again.
    answering: AtomicBool,
    /// One more than the slot of the line that watches a foreign line's next hops; 0: none.
    watch: AtomicU32,
    /// So many calls still carry the short timer, for the line has just come back.
    returning: AtomicU16,
    targets: ArcSwapOption<Targets>,
}

impl Slot {
    pub(crate) fn health(&self) -> Health {
        health_of(self.verdict.load(Ordering::Acquire) as u8)
    }

    /// When the health last changed.
    pub(crate) fn since(&self) -> Timestamp {
        Timestamp::from_micros(self.verdict.load(Ordering::Acquire) >> 8)
    }

    /// What brought the health about.
    pub(crate) fn cause(&self) -> Cause {
        cause_of(self.cause.load(Ordering::Relaxed))
    }

    /// The line as a decision sees it.
    pub(crate) fn view(&self, wish: Wish) -> LineView {
        let why = self.cause.load(Ordering::Relaxed);
        LineView {
            health: self.health(),
            cause: cause_of(why),
            place: place_of(why),
            wish,
            bound: self.has_targets(),
            trial: self.trial.load(Ordering::Relaxed),
            answering: self.answering.load(Ordering::Relaxed),
        }
    }

    /// The line that watches this foreign line's next hops.
    pub(crate) fn watch(&self) -> Option<LineSlot> {
        self.watch
            .load(Ordering::Relaxed)
            .checked_sub(1)
            .map(LineSlot)
    }

    pub(crate) fn set_watch(&self, watch: Option<LineSlot>) {
        let word = watch.map_or(0, |LineSlot(slot)| slot.saturating_add(1));
        self.watch.store(word, Ordering::Relaxed);
    }

    pub(crate) fn set_answering(&self, answering: bool) {
        self.answering.store(answering, Ordering::Relaxed);
    }

    pub(crate) fn set_trial(&self, due: bool) {
        self.trial.store(due, Ordering::Relaxed);
    }

    /// Whether a trial is due that no call has taken.
    pub(crate) fn trial_offered(&self) -> bool {
        self.trial.load(Ordering::Acquire)
    }

    /// Take the due trial: of many calls at once only one is it.
    pub(crate) fn take_trial(&self) -> bool {
        self.trial.swap(false, Ordering::AcqRel)
    }

    /// The next so many calls are to carry the short timer.
    pub(crate) fn set_returning(&self, calls: u16) {
        self.returning.store(calls, Ordering::Relaxed);
    }

    /// Whether this call is one of those.
    pub(crate) fn take_return(&self) -> bool {
        // Read first: in steady state no call writes here.
        self.returning.load(Ordering::Relaxed) > 0
            && self
                .returning
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(1)
                })
                .is_ok()
    }

    pub(crate) fn publish(
        &self,
        health: Health,
        cause: Cause,
        place: FaultPlace,
        since: Timestamp,
    ) {
        let why = cause_code(cause) | (place as u32) << PLACE_SHIFT;
        self.cause.store(why, Ordering::Relaxed);
        let word = since.as_micros() << 8 | u64::from(health_code(health));
        self.verdict.store(word, Ordering::Release);
    }

    pub(crate) fn targets(&self) -> Option<Arc<Targets>> {
        self.targets.load_full()
    }

    pub(crate) fn has_targets(&self) -> bool {
        self.targets
            .load()
            .as_ref()
            .is_some_and(|targets| !targets.is_empty())
    }

    pub(crate) fn set_targets(&self, targets: Targets) {
        self.targets
            .store((!targets.is_empty()).then(|| Arc::new(targets)));
    }
}

const CHUNK: usize = 1024;
/// 16,384 chunks of 1,024: sixteen million lines.
const CHUNKS: usize = 16_384;

/// The slots of all lines.
pub(crate) struct Slots {
    chunks: Box<[OnceLock<Box<[Slot]>>]>,
}

impl Slots {
    pub(crate) fn new() -> Self {
        Self {
            chunks: (0..CHUNKS).map(|_| OnceLock::new()).collect(),
        }
    }

    /// The slot of `line`; `None` beyond sixteen million lines, or if it was never written.
    pub(crate) fn read(&self, line: LineSlot) -> Option<&Slot> {
        let index = line.0 as usize;
        self.chunks.get(index / CHUNK)?.get()?.get(index % CHUNK)
    }

    /// `line` as a decision sees it. While the next hops of a foreign line's registrar are in doubt, so is the line: its calls are
    /// still tried, with the short answer timer, and divert themselves.
    pub(crate) fn view(&self, line: LineSlot, wish: Wish) -> LineView {
        let Some(slot) = self.read(line) else {
            return LineView {
                wish,
                bound: false,
                ..LineView::UNKNOWN
            };
        };
        let view = slot.view(wish);
        let Some(hops) = slot.watch().and_then(|watch| self.read(watch)) else {
            return view;
        };
        if view.health == Health::Up && matches!(hops.health(), Health::Suspect | Health::Down) {
            return LineView {
                health: Health::Suspect,
                cause: hops.cause(),
                place: FaultPlace::Unclear,
                ..view
            };
        }
        view
    }

    /// Whether the line that watches a foreign line's next hops found this one down.
    pub(crate) fn is_hop_down(&self, line: LineSlot, address: SocketAddr) -> bool {
        let Some(watch) = self.read(line).and_then(Slot::watch) else {
            return false;
        };
        let hops = self.read(watch).and_then(Slot::targets);
        hops.is_some_and(|hops| {
            hops.iter()
                .any(|hop| hop.address == address && hop.health() == Health::Down)
        })
    }

    /// The slot of `line`, made if it is new.
    pub(crate) fn slot(&self, line: LineSlot) -> Option<&Slot> {
        let index = line.0 as usize;
        self.chunks
            .get(index / CHUNK)?
            .get_or_init(|| (0..CHUNK).map(|_| Slot::default()).collect())
            .get(index % CHUNK)
    }
}

/// The worker that owns `line`: its verdict, bindings and probes.
pub(crate) const fn owner(line: LineSlot, workers: usize) -> usize {
    line.0 as usize % workers
}

const fn health_code(health: Health) -> u8 {
    match health {
        Health::Unknown => 0,
        Health::Up => 1,
        Health::Suspect => 2,
        Health::Down => 3,
    }
}

const fn health_of(code: u8) -> Health {
    match code {
        1 => Health::Up,
        2 => Health::Suspect,
        3 => Health::Down,
        _ => Health::Unknown,
    }
}

const PLACE_SHIFT: u32 = 8;

const fn place_of(why: u32) -> FaultPlace {
    match why >> PLACE_SHIFT & 0xff {
        1 => FaultPlace::DataLine,
        2 => FaultPlace::Network,
        3 => FaultPlace::Router,
        4 => FaultPlace::PhoneSystem,
        _ => FaultPlace::Unclear,
    }
}

pub(crate) const fn cause_code(cause: Cause) -> u32 {
    let (kind, code) = match cause {
        Cause::Start => (0, 0),
        Cause::OptionsTimeout => (1, 0),
        Cause::OptionsCode(code) => (2, code),
        Cause::NotRegistered => (3, 0),
        Cause::Expired => (4, 0),
        Cause::Removed => (5, 0),
        Cause::CallFailed(code) => (6, code),
        Cause::CallSilent => (7, 0),
        Cause::Wish => (9, 0),
        Cause::OptionsAnswered => (10, 0),
        Cause::Registered => (11, 0),
        Cause::CallAnswered => (12, 0),
        Cause::Unreachable(Unreachable::Port) => (13, 0),
        Cause::Unreachable(Unreachable::Host) => (14, 0),
        Cause::Unreachable(Unreachable::Network) => (15, 0),
        Cause::Unreachable(Unreachable::Prohibited) => (16, 0),
        Cause::Unreachable(Unreachable::NoRoute) => (17, 0),
        Cause::Unreachable(Unreachable::Name) => (18, 0),
        Cause::Unreachable(Unreachable::Connection) => (19, 0),
    };
    kind | (code as u32) << 16
}

pub(crate) const fn cause_of(code: u32) -> Cause {
    let status = (code >> 16) as u16;
    match code & 0xff {
        1 => Cause::OptionsTimeout,
        2 => Cause::OptionsCode(status),
        3 => Cause::NotRegistered,
        4 => Cause::Expired,
        5 => Cause::Removed,
        6 => Cause::CallFailed(status),
        7 => Cause::CallSilent,
        9 => Cause::Wish,
        10 => Cause::OptionsAnswered,
        11 => Cause::Registered,
        12 => Cause::CallAnswered,
        13 => Cause::Unreachable(Unreachable::Port),
        14 => Cause::Unreachable(Unreachable::Host),
        15 => Cause::Unreachable(Unreachable::Network),
        16 => Cause::Unreachable(Unreachable::Prohibited),
        17 => Cause::Unreachable(Unreachable::NoRoute),
        18 => Cause::Unreachable(Unreachable::Name),
        19 => Cause::Unreachable(Unreachable::Connection),
        _ => Cause::Start,
    }
}
