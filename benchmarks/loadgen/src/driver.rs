//! Calls under way: starting them (closed loop with a window, or open loop at a rate), repeating lost requests, timing.
//!
//! Rules: a request is repeated after T1, 2·T1, … (RFC 3261 §17.1.1.2) until any answer comes, and given up after 64·T1, so a
//! lost packet neither hangs a run nor passes unseen. In the open loop a call's latency counts from when it was due, not from
//! when there was room for it, so a server that stalls cannot hide behind the generator's waiting.

use crate::answer::Answer;
use crate::args::Args;
use crate::call::{Call, Naming};
use crate::message::Message;
use crate::net::{self, Inbox, Outbox, Peer};
use crate::report::Report;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

const T1: u64 = 500_000_000;
const SCAN_EVERY: u64 = 20_000_000;

/// What a scenario says about an answer.
pub(crate) enum Verdict {
    /// 1xx
    Provisional,
    /// This transaction went well; the call's next one begins.
    Next,
    /// The call went well.
    Done,
    /// The call failed; the word says by what.
    Wrong(&'static str),
}

/// One kind of call.
pub(crate) trait Scenario {
    /// Write the request of the call's stage; the same bytes again when it is repeated.
    fn request(&mut self, call: Call, out: &mut Vec<u8>);

    /// Judge an answer to the request under way.
    fn judge(&mut self, call: Call, message: &Message, answer: &Answer) -> Verdict;

    /// Write the ACK of a final answer to INVITE; false where none is due. Called for repeated answers too.
    fn acknowledge(&mut self, call: Call, message: &Message, answer: &Answer, out: &mut Vec<u8>) -> bool;
}

/// How a run goes.
pub(crate) struct Plan {
    pub(crate) target: SocketAddr,
    local: SocketAddr,
    unconnected: bool,
    window: usize,
    seconds: f64,
    rate: f64,
    calls: u64,
    drain: f64,
    block: bool,
    single: bool,
}

impl Plan {
    pub(crate) fn take(args: &mut Args) -> Result<Self, String> {
        let target: SocketAddr = args.need("--target")?;
        let any = if target.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
        let plan = Self {
            target,
            local: args.or("--local", any.parse().map_err(|_| "local address")?)?,
            unconnected: args.switch("--unconnected"),
            window: args.or("--window", 64)?,
            seconds: args.or("--seconds", 4.0)?,
            rate: args.or("--rate", 0.0)?,
            calls: args.or("--calls", u64::MAX)?,
            drain: args.or("--drain", 5.0)?,
            block: args.switch("--block"),
            single: args.switch("--single"),
        };
        if let Some(core) = args.optional("--core")? {
            net::pin(core)?;
        }
        if plan.window == 0 || plan.window > 0xffff {
            return Err("--window: 1 to 65535".to_owned());
        }
        Ok(plan)
    }

    /// Open the socket; its address goes into Via and Contact.
    pub(crate) fn open(&self) -> Result<(UdpSocket, SocketAddr), String> {
        let socket = net::open(self.local, (!self.unconnected).then_some(self.target))?;
        socket.set_read_timeout(Some(Duration::from_millis(1))).map_err(|error| error.to_string())?;
        let address = socket.local_addr().map_err(|error| error.to_string())?;
        Ok((socket, address))
    }

    pub(crate) fn window(&self) -> usize {
        self.window
    }
}

#[derive(Clone, Copy)]
struct Slot {
    call: Call,
    busy: bool,
    heard: bool,
    started: u64,
    sent: u64,
    interval: u64,
}

/// Run `scenario` as planned. The report is complete; whether all went well is its `errors`.
pub(crate) fn run<S: Scenario>(plan: &Plan, socket: UdpSocket, naming: Naming, scenario: S) -> Report {
    Driver::new(plan, socket, naming, scenario).run()
}

struct Driver<'p, S> {
    plan: &'p Plan,
    socket: UdpSocket,
    to: Option<Peer>,
    naming: Naming,
    scenario: S,
    slots: Vec<Slot>,
    free: Vec<usize>,
    started: u64,
    clock: Instant,
    outbox: Outbox,
    report: Report,
}

impl<'p, S: Scenario> Driver<'p, S> {
    fn new(plan: &'p Plan, socket: UdpSocket, naming: Naming, scenario: S) -> Self {
        let idle =
            Slot { call: Call { slot: 0, seq: 0, stage: 0 }, busy: false, heard: false, started: 0, sent: 0, interval: 0 };
        Self {
            plan,
            socket,
            to: plan.unconnected.then(|| Peer::new(plan.target)),
            naming,
            scenario,
            slots: vec![idle; plan.window],
            free: (0..plan.window).rev().collect(),
            started: 0,
            clock: Instant::now(),
            outbox: Outbox::new(!plan.single),
            report: Report::new(),
        }
    }

    fn now(&self) -> u64 {
        self.clock.elapsed().as_nanos() as u64
    }

    fn run(mut self) -> Report {
        let cpu = net::cpu_seconds();
        let mut inbox = Inbox::new();
        let end = (self.plan.seconds * 1e9) as u64;
        let give_up = end + (self.plan.drain * 1e9) as u64;
        let (mut next_scan, mut last_done, mut idle) = (SCAN_EVERY, 0, 0);
        self.clock = Instant::now();
        let mut now = 0;
        loop {
            let fresh = if now < end && !net::stopped() { self.start_calls(now) } else { 0 };
            self.outbox.flush(&self.socket);
            let over = now >= end || net::stopped() || self.started >= self.plan.calls;
            if over && (self.free.len() == self.slots.len() || now >= give_up || net::stopped()) {
                break;
            }
            let got = inbox.receive(&self.socket, self.plan.block).unwrap_or_else(|_| {
                self.report.error("icmp");
                0
            });
            let then = now;
            now = self.now();
            for index in 0..got {
                let (datagram, _) = inbox.datagram(index);
                if self.take(datagram, now) {
                    last_done = now;
                }
            }
            self.report.received += got as u64;
            if now >= next_scan {
                self.repeat_lost(now);
                next_scan = now + SCAN_EVERY;
            }
            if got == 0 && fresh == 0 {
                idle += now - then;
            }
        }
        let unanswered = self.slots.len() - self.free.len();
        (0..unanswered).for_each(|_| self.report.error("unanswered"));
        let used = net::cpu_seconds();
        self.report.started = self.started;
        self.report.seconds = last_done as f64 / 1e9;
        self.report.idle_seconds = idle as f64 / 1e9;
        self.report.cpu = (used.0 - cpu.0, used.1 - cpu.1);
        self.report.sent = self.outbox.sent;
        self.report.refused = self.outbox.refused;
        self.report
    }

    /// Start what is due; how many were started.
    fn start_calls(&mut self, now: u64) -> u64 {
        let before = self.started;
        while self.started < self.plan.calls {
            let due = if self.plan.rate > 0.0 { (self.started as f64 * 1e9 / self.plan.rate) as u64 } else { now };
            if due > now {
                break;
            }
            let Some(slot) = self.free.pop() else { break };
            let call = Call { slot, seq: self.started, stage: 0 };
            self.started += 1;
            self.slots[slot] = Slot { call, busy: true, heard: false, started: due, sent: now, interval: T1 };
            let out = self.outbox.next(&self.socket, self.to);
            self.scenario.request(call, out);
        }
        self.started - before
    }

    /// Handle one datagram; true when it ended a call well.
    fn take(&mut self, datagram: &[u8], now: u64) -> bool {
        let Some(message) = Message::new(datagram) else {
            self.report.error("framing");
            return false;
        };
        if message.request().is_some() {
            // A server may probe its registered contacts (OPTIONS); that is no answer to anything here.
            self.report.requests += 1;
            return false;
        }
        let answer = match Answer::read(&message) {
            Ok(answer) => answer,
            Err(word) => {
                self.report.error(word);
                return false;
            }
        };
        let Some(call) = self.naming.call(answer.branch).filter(|call| call.slot < self.slots.len()) else {
            self.report.error("branch");
            return false;
        };
        let is_final = answer.status >= 200;
        if is_final && answer.method == b"INVITE" {
            let out = self.outbox.next(&self.socket, self.to);
            if !self.scenario.acknowledge(call, &message, &answer, out) {
                self.outbox.cancel();
            }
        }
        let slot = &mut self.slots[call.slot];
        if !slot.busy || slot.call != call {
            // An answer repeated after its call went on, or the second answer to a request that was repeated.
            self.report.duplicates += 1;
            return false;
        }
        slot.heard = true;
        let verdict = self.scenario.judge(call, &message, &answer);
        if self.report.first.is_none() && is_final {
            self.report.first = Some(datagram.to_vec());
        }
        match verdict {
            Verdict::Provisional => {
                self.report.provisional += 1;
                return false;
            }
            Verdict::Next => {
                if call.stage == 0 {
                    self.report.answer_latency.record(now.saturating_sub(slot.started));
                }
                slot.call.stage += 1;
                (slot.heard, slot.sent, slot.interval) = (false, now, T1);
                let next = slot.call;
                let out = self.outbox.next(&self.socket, self.to);
                self.scenario.request(next, out);
                return false;
            }
            Verdict::Done => {
                let latency = now.saturating_sub(slot.started);
                if call.stage == 0 {
                    self.report.answer_latency.record(latency);
                }
                self.report.call_latency.record(latency);
                self.report.calls += 1;
            }
            Verdict::Wrong(word) => {
                self.report.error(word);
                if self.report.first_wrong.is_none() {
                    self.report.first_wrong = Some(datagram.to_vec());
                }
            }
        }
        slot.busy = false;
        self.free.push(call.slot);
        matches!(verdict, Verdict::Done)
    }

    fn repeat_lost(&mut self, now: u64) {
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            if slot.busy && !slot.heard && now.saturating_sub(slot.sent) >= slot.interval {
                if slot.interval >= 64 * T1 {
                    slot.busy = false;
                    self.free.push(index);
                    self.report.error("timeout");
                    continue;
                }
                slot.sent = now;
                slot.interval *= 2;
                self.report.retransmissions += 1;
                let call = slot.call;
                let out = self.outbox.next(&self.socket, self.to);
                self.scenario.request(call, out);
            }
        }
    }
}
