//! One direction of a wire, without clock and sockets: packets in, packets out when they are due.
//!
//! Rules, in this order: a packet is lost or not; it waits for the rate, or overflows the queue; it is delayed, but leaves after
//! those before it, unless it is one that is held back; a bit is turned; it leaves once or twice.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::random::Random;
use crate::settings::Settings;

/// Most packets that wait in one direction; more overflow.
pub(crate) const MOST_WAITING: usize = 100_000;
const ETHERNET_HEADER: usize = 14;
/// Largest frame of a wire: 1500 bytes, the header, a VLAN tag.
const LARGEST_FRAME: usize = 1518;
const LATE_NS: u64 = 1_000_000;
const NS_PER_MS: f64 = 1e6;

/// What happened so far. Packets are those of IP; others count in `other` only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Packets that came in.
    pub(crate) received: u64,
    /// Frames of other protocols that came in.
    pub(crate) other: u64,
    /// Lost by decision.
    pub(crate) lost: u64,
    /// Lost because the queue was full.
    pub(crate) overflowed: u64,
    /// Sent twice.
    pub(crate) duplicated: u64,
    /// Held back.
    pub(crate) reordered: u64,
    /// With a wrong bit.
    pub(crate) corrupted: u64,
    /// Handed to the port, copies included, all protocols.
    pub(crate) sent: u64,
    /// Refused by the port.
    pub(crate) refused: u64,
    /// Larger than a wire's frames.
    pub(crate) oversize: u64,
    /// Dropped before we saw them, because we were too slow.
    pub(crate) missed: u64,
    /// Handed out more than a millisecond after they were due.
    pub(crate) late: u64,
    /// The longest that one was handed out after it was due.
    pub(crate) latest_ns: u64,
}

/// One direction.
#[derive(Debug)]
pub(crate) struct Lane {
    /// What it does.
    pub(crate) settings: Settings,
    /// What it did.
    pub(crate) counts: Counts,
    seed: u64,
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// Number of the next packet, IP and others.
    next: [u64; 2],
    order: u64,
    /// When the packet before leaves: none that keeps the order is earlier.
    last_due: u64,
    /// When the rate lets the next one begin.
    free_at: u64,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    due: u64,
    order: u64,
    frame: Vec<u8>,
}

impl Lane {
    /// A short cable whose decisions come from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            settings: Settings::default(),
            counts: Counts::default(),
            seed,
            waiting: BinaryHeap::new(),
            next: [0; 2],
            order: 0,
            last_due: 0,
            free_at: 0,
        }
    }

    /// Begin the row of decisions again; what waits keeps its time.
    pub(crate) fn reseed(&mut self, seed: u64) {
        self.seed = seed;
        self.next = [0; 2];
    }

    /// A frame comes in at `now`, in nanoseconds of a clock that never goes back.
    pub(crate) fn handle_frame(&mut self, frame: &[u8], now: u64) {
        let ip = is_ip(frame);
        let number = self.next[usize::from(!ip)];
        self.next[usize::from(!ip)] += 1;
        let counted = u64::from(ip);
        self.counts.received += counted;
        self.counts.other += 1 - counted;
        self.counts.oversize += u64::from(frame.len() > LARGEST_FRAME);

        // All coins are thrown, whatever the settings: a setting moves no other decision of the packet.
        let seed = if ip { self.seed } else { !self.seed };
        let mut random = Random::of_packet(seed, number);
        let settings = &self.settings;
        let lost = random.percent(settings.loss);
        let held_back = random.percent(settings.reorder);
        let twice = random.percent(settings.duplicate);
        let corrupt = random.percent(settings.corrupt);
        let bit = random.bits();
        let spread = if settings.normal {
            random.cut_normal() / 2.0
        } else {
            2.0 * random.uniform() - 1.0
        };
        let delay_ms = (settings.delay_ms + spread * settings.jitter_ms).max(0.0);
        let reorder_ms = settings.reorder_ms;

        if lost {
            self.counts.lost += counted;
            return;
        }
        let Some(through) = self.pass_rate(frame.len(), now) else {
            self.counts.overflowed += counted;
            return;
        };
        let mut due = (through + nanoseconds(delay_ms)).max(self.last_due);
        if held_back {
            self.counts.reordered += counted;
            due += nanoseconds(reorder_ms);
        } else {
            self.last_due = due;
        }
        let mut frame = frame.to_vec();
        if corrupt && frame.len() > ETHERNET_HEADER {
            self.counts.corrupted += counted;
            let place = bit % ((frame.len() - ETHERNET_HEADER) as u64 * 8);
            frame[ETHERNET_HEADER + (place / 8) as usize] ^= 1 << (place % 8);
        }
        if twice {
            self.counts.duplicated += counted;
            self.wait(due, frame.clone());
        }
        self.wait(due, frame);
    }

    /// When the next packet is due.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.waiting.peek().map(|Reverse(first)| first.due)
    }

    /// A packet that is due at `now`; call until there is none.
    pub(crate) fn poll_frame(&mut self, now: u64) -> Option<Vec<u8>> {
        if self.next_due()? > now {
            return None;
        }
        let Reverse(first) = self.waiting.pop()?;
        let lateness = now - first.due;
        self.counts.late += u64::from(lateness > LATE_NS);
        self.counts.latest_ns = self.counts.latest_ns.max(lateness);
        Some(first.frame)
    }

    /// How many packets wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// When a frame that comes now has passed the rate limit; `None` when the queue or the memory for it is full.
    fn pass_rate(&mut self, length: usize, now: u64) -> Option<u64> {
        if self.waiting.len() >= MOST_WAITING {
            return None;
        }
        if self.settings.rate_bps <= 0.0 {
            return Some(now);
        }
        let begins = self.free_at.max(now);
        if begins - now > nanoseconds(self.settings.queue_ms) {
            return None;
        }
        self.free_at = begins + (length as f64 * 8.0 * 1e9 / self.settings.rate_bps) as u64;
        Some(self.free_at)
    }

    fn wait(&mut self, due: u64, frame: Vec<u8>) {
        self.order += 1;
        self.waiting.push(Reverse(Waiting {
            due,
            order: self.order,
            frame,
        }));
    }
}

fn nanoseconds(ms: f64) -> u64 {
    (ms * NS_PER_MS) as u64
}

fn is_ip(frame: &[u8]) -> bool {
    matches!(
        frame.get(12..ETHERNET_HEADER),
        Some([0x08, 0x00] | [0x86, 0xDD])
    )
}
