//! What a run saw, as JSON.

use crate::histogram::Histogram;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Counts of one run. `errors` empty means: every call got the answer it had to get.
pub(crate) struct Report {
    pub(crate) started: u64,
    /// Calls that ended well.
    pub(crate) calls: u64,
    /// From the first request to the last good end.
    pub(crate) seconds: f64,
    /// Time spent polling an empty socket: what the generator has in reserve.
    pub(crate) idle_seconds: f64,
    /// User and system CPU of the generator.
    pub(crate) cpu: (f64, f64),
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Packets that the kernel did not take.
    pub(crate) refused: u64,
    pub(crate) retransmissions: u64,
    pub(crate) duplicates: u64,
    pub(crate) provisional: u64,
    /// Requests from the server, which are left unanswered.
    pub(crate) requests: u64,
    /// First request to its final answer.
    pub(crate) answer_latency: Histogram,
    /// First request to the end of the call.
    pub(crate) call_latency: Histogram,
    pub(crate) first: Option<Vec<u8>>,
    pub(crate) first_wrong: Option<Vec<u8>>,
    errors: BTreeMap<&'static str, u64>,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self {
            started: 0,
            calls: 0,
            seconds: 0.0,
            idle_seconds: 0.0,
            cpu: (0.0, 0.0),
            sent: 0,
            received: 0,
            refused: 0,
            retransmissions: 0,
            duplicates: 0,
            provisional: 0,
            requests: 0,
            answer_latency: Histogram::new(),
            call_latency: Histogram::new(),
            first: None,
            first_wrong: None,
            errors: BTreeMap::new(),
        }
    }

    pub(crate) fn error(&mut self, word: &'static str) {
        *self.errors.entry(word).or_default() += 1;
    }

    /// Print to stdout; true when there was at least one call and nothing was wrong.
    pub(crate) fn print(&self, mode: &str, show: bool) -> bool {
        let errors: u64 = self.errors.values().sum();
        let rate = if self.seconds > 0.0 { self.calls as f64 / self.seconds } else { 0.0 };
        let mut text = format!("{{\"mode\":\"{mode}\",\"started\":{},\"calls\":{},", self.started, self.calls);
        let _ = write!(text, "\"seconds\":{:.6},\"rate\":{rate:.1},", self.seconds);
        for (name, histogram) in [("answer_us", &self.answer_latency), ("call_us", &self.call_latency)] {
            let us = |share: f64| histogram.quantile(share) as f64 / 1e3;
            let _ = write!(
                text,
                "\"{name}\":{{\"mean\":{:.1},\"p50\":{:.1},\"p90\":{:.1},\"p99\":{:.1},\"p99_9\":{:.1},\"max\":{:.1}}},",
                histogram.mean() / 1e3,
                us(0.5),
                us(0.9),
                us(0.99),
                us(0.999),
                histogram.max() as f64 / 1e3
            );
        }
        let _ = write!(
            text,
            "\"sent\":{},\"received\":{},\"refused\":{},\"retransmissions\":{},\"duplicates\":{},\"provisional\":{},\"requests\":{},",
            self.sent, self.received, self.refused, self.retransmissions, self.duplicates, self.provisional, self.requests
        );
        let _ = write!(
            text,
            "\"idle_seconds\":{:.6},\"cpu_user_seconds\":{:.6},\"cpu_system_seconds\":{:.6},\"error_total\":{errors},",
            self.idle_seconds, self.cpu.0, self.cpu.1
        );
        let words: Vec<String> = self.errors.iter().map(|(word, count)| format!("\"{word}\":{count}")).collect();
        println!("{text}\"errors\":{{{}}}}}", words.join(","));
        let shown = if errors > 0 { self.first_wrong.as_ref() } else { self.first.as_ref().filter(|_| show) };
        if let Some(datagram) = shown {
            eprintln!("{}", String::from_utf8_lossy(datagram));
        }
        errors == 0 && self.calls > 0
    }
}
