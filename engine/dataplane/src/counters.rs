//! What each worker counts. One writer a counter, so counting is a load and a store, never a locked instruction.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that one worker writes and anybody reads.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(count),
            Ordering::Relaxed,
        );
    }

    pub(crate) fn increment(&self) {
        self.add(1);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The counters and gauges of one worker; their names are the metric names.
        #[derive(Default)]
        pub(crate) struct Counters {
            $($(#[$doc])* pub(crate) $name: Counter,)*
        }

        impl Counters {
            /// Every counter with its name, in the order of declaration.
            pub(crate) fn read(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.value()),)*]
            }
        }
    };
}

counters! {
    /// Datagrams taken from the sockets.
    received,
    /// Datagrams given to the kernel.
    sent,
    /// Datagrams the kernel did not take.
    send_refused,
    /// Sends repeated because the socket told of an older datagram's ICMP error instead.
    sends_repeated,
    /// ICMP errors that say a destination is unreachable.
    unreachables,
    /// Reports of undelivered requests that somebody waited for: a call, another request, or a probe.
    unreachables_taken,
    /// Datagrams handed to the worker that owns their transaction.
    handed_over,
    /// Letters lost because another worker's mailbox was full.
    mailbox_full,
    /// Requests that do not parse and were answered 400 or 505.
    malformed_answered,
    /// Messages that do not parse and got silence.
    malformed_dropped,
    /// Responses and ACKs that belong to nothing here.
    stray_dropped,
    /// 200s to INVITEs from before a restart, passed on to their callers.
    orphans_forwarded,
    /// Retransmitted requests absorbed or answered again.
    retransmissions_absorbed,
    /// INVITEs answered 302 at once.
    calls_redirected,
    /// INVITEs sent on to a line.
    calls_proxied,
    /// INVITEs sent on to a line, then diverted because it did not answer.
    calls_rescued,
    /// Calls that a rule would have diverted, but that came back to a number they were diverted from.
    diversions_circular,
    /// Calls that a rule would have diverted, but that were diverted too often before.
    diversions_too_many,
    /// Calls answered with a 2xx by the line.
    calls_answered,
    /// Calls ended by another final answer of the line.
    calls_declined,
    /// Calls cancelled by the caller.
    calls_cancelled,
    /// INVITEs answered 480: the line is down and nothing is armed.
    calls_unavailable,
    /// INVITEs for numbers that are unknown or not yet live.
    calls_not_found,
    /// Requests refused: sender unknown.
    requests_forbidden,
    /// Requests refused with 503 while draining.
    requests_drained,
    /// Requests other than INVITE sent on.
    requests_proxied,
    /// 2xx that came after the caller had another answer: acknowledged and hung up.
    late_answers_closed,
    /// ACKs of stateless answers.
    acks_absorbed,
    /// REGISTERs answered 200.
    registrations_accepted,
    /// REGISTERs answered 401 for want of credentials.
    registrations_challenged,
    /// REGISTERs answered 401 for an old nonce.
    registrations_stale,
    /// REGISTERs refused: wrong credentials, unknown user, bad Contact.
    registrations_refused,
    /// REGISTERs answered 200 before the store had confirmed.
    registrations_unsaved,
    /// Reports of registrars elsewhere that were taken.
    foreign_reports,
    /// Registrations elsewhere that ran out without a word.
    foreign_expired,
    /// Bindings alive (gauge).
    bindings,
    /// Bindings that ran out.
    bindings_expired,
    /// OPTIONS for ourselves answered.
    options_answered,
    /// OPTIONS sent to lines.
    probes_sent,
    /// OPTIONS answered in time.
    probes_answered,
    /// OPTIONS without an answer in time.
    probes_lost,
    /// OPTIONS that prove nothing: they never left us, or we slept while their answer was due.
    probes_void,
    /// OPTIONS to targets in doubt that were put off because too many were in doubt together.
    probes_put_off,
    /// Targets with a live prober (gauge).
    probers,
    /// Lines that want a prober and have none (gauge); 0 as long as nothing is broken.
    probers_missing,
    /// Verdicts that changed.
    verdict_flips,
    /// Lines by health (gauges).
    lines_up,
    /// Lines in doubt (gauge).
    lines_suspect,
    /// Lines that are down (gauge).
    lines_down,
    /// Lines without evidence (gauge).
    lines_unknown,
    /// Transactions alive (gauge).
    transactions,
    /// Requests that still wait for their final answer, counted while draining only (gauge).
    unfinished,
    /// Turns of a worker that began, or had its packets read, much later than its timers wanted.
    worker_stalls,
    /// Turns of a worker that ended in a panic: a defect of ours. The worker goes on.
    worker_panics,
    /// Deadlines in the timer wheel (gauge).
    timers,
}

/// A histogram with fixed upper bounds, written by one worker.
pub(crate) struct Histogram {
    buckets: [Counter; BOUNDS_US.len() + 1],
    sum_us: Counter,
}

/// Upper bounds in microseconds: from a LAN's round trip to a probe that is given up.
pub(crate) const BOUNDS_US: [u64; 14] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000,
];

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: std::array::from_fn(|_| Counter::default()),
            sum_us: Counter::default(),
        }
    }
}

impl Histogram {
    pub(crate) fn record(&self, microseconds: u64) {
        let bucket = BOUNDS_US.partition_point(|bound| *bound < microseconds);
        self.buckets[bucket].increment();
        self.sum_us.add(microseconds);
    }

    /// Counts per bucket with the overflow last, and the sum in microseconds.
    pub(crate) fn read(&self) -> ([u64; BOUNDS_US.len() + 1], u64) {
        (
            std::array::from_fn(|i| self.buckets[i].value()),
            self.sum_us.value(),
        )
    }
}
