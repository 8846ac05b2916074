//! The loop of a worker thread.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sip_core::message::HeaderIndex;
use sip_core::time::Timestamp;

use super::stall::{HAND_OVER, STALL};
use super::{Core, Letter, Token, View};
use crate::net::{Outbox, Poller, RECEIVE_BATCH, Ready, UdpSocket};
use crate::shared::Shared;

/// Poll token of the mailbox; sockets have their index.
const MAILBOX: u64 = u64::MAX;

/// Batches taken from one socket before timers and other sockets get their turn.
const BATCHES_PER_TURN: usize = 8;

/// Batches of ICMP errors taken from one socket in a turn. With more, they wait: a flood of them must not keep calls from us.
const ERROR_BATCHES_PER_TURN: usize = 8;

/// Rounds of a turn in which refused requests lead to others, as the next target of a call.
const UNSENT_ROUNDS: usize = 4;

/// Batches taken from one socket after a stall: as many as the kernel can keep for us.
const BATCHES_AFTER_STALL: usize = 512;

/// Under load a worker pauses this long between turns, so that it takes packets in larger batches: waking up for every few of
/// them would cost more than the packets themselves, as a network card knows that holds back its interrupts.
const PAUSE: Duration = Duration::from_micros(80);

/// A burst is at least this many datagrams in two turns. Measured with steady callers: pauses set in somewhere below 20,000 calls a
/// second; a call that comes alone never waits for one.
const LOAD: usize = 12;

/// A worker is looked after at least this often: gauges, and a second chance for whatever waits.
const LONGEST_SLEEP: Duration = Duration::from_millis(250);

/// One worker thread's body.
pub(crate) struct Worker {
    sockets: Vec<UdpSocket>,
    poller: Poller,
    header_index: HeaderIndex,
    letters: Vec<Letter>,
    fired: VecDeque<Token>,
    /// Datagrams taken in this turn, and in the last one.
    taken: usize,
    taken_before: usize,
    /// No timer fires before this: after a stall, what others hand over comes first.
    hold: Timestamp,
    core: Core,
}

impl Worker {
    pub(crate) fn new(
        index: usize,
        shared: Arc<Shared>,
        sockets: Vec<UdpSocket>,
    ) -> io::Result<Self> {
        let poller = Poller::new()?;
        for (token, socket) in sockets.iter().enumerate() {
            poller.add(socket, token as u64)?;
        }
        poller.add_waker(shared.workers[index].mailbox.waker(), MAILBOX)?;
        let locals: Vec<SocketAddr> = sockets.iter().map(UdpSocket::local).collect();
        Ok(Self {
            sockets,
            poller,
            header_index: HeaderIndex::new(),
            letters: Vec::new(),
            fired: VecDeque::new(),
            taken: 0,
            taken_before: 0,
            hold: Timestamp::ZERO,
            core: Core::new(index, shared, locals),
        })
    }

    /// Work until a `Letter::Stop`.
    pub(crate) fn run(mut self) {
        let mut ready = Vec::new();
        // Packets may wait in the sockets since they were bound. What was restored before the start comes before them.
        self.core.now = self.core.shared.clock.now();
        let view = self.view();
        let opened = catch_unwind(AssertUnwindSafe(|| self.open_letters(&view)));
        // Nobody takes a packet before all have their lines: the first packet of one may be for a line of another.
        self.core.shared.opened.fetch_add(1, Ordering::AcqRel);
        match opened {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => return,
            Err(_) => self.note_panic(),
        }
        while self.core.shared.opened.load(Ordering::Acquire) < self.core.shared.workers.len() {
            std::thread::sleep(Duration::from_millis(1));
        }
        loop {
            // A panic is a defect, but one message must not silence all lines of this worker: the datagrams that the turn had in
            // hand are lost, as UDP may lose them, and the next turn begins.
            match catch_unwind(AssertUnwindSafe(|| self.turn(&mut ready))) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return,
                Err(_) => self.note_panic(),
            }
        }
    }

    /// What was read or fired and not yet worked on is taken up in the next turn.
    fn note_panic(&self) {
        self.core.counters.worker_panics.increment();
        self.core.shared.workers[self.core.index]
            .mailbox
            .waker()
            .wake();
    }

    /// Sleep until there is something to do, and do it.
    fn turn(&mut self, ready: &mut Vec<Ready>) -> ControlFlow<()> {
        let taken = std::mem::take(&mut self.taken);
        if taken + std::mem::replace(&mut self.taken_before, taken) >= LOAD && taken < RECEIVE_BATCH
        {
            std::thread::sleep(PAUSE);
        }
        let due = self.due();
        let sleep = due.saturating_duration_since(self.core.shared.clock.now());
        if self.poller.wait(Some(sleep), ready).is_err() {
            // Only a broken descriptor set gets here; without it this worker can do nothing but not spin.
            std::thread::sleep(LONGEST_SLEEP);
        }
        self.core.now = self.core.shared.clock.now();
        let view = self.view();
        for ready in &*ready {
            let socket = usize::try_from(ready.token)
                .ok()
                .filter(|socket| *socket < self.sockets.len());
            if let Some(socket) = socket {
                // What came first: an answer in the socket's buffer is newer than what made the network complain.
                self.read(socket, BATCHES_PER_TURN, &view);
                if ready.error {
                    self.read_errors(socket, &view);
                }
            } else if self.open_letters(&view).is_break() {
                self.flush();
                return ControlFlow::Break(());
            }
        }
        if self.core.now > due + STALL && self.catch_up(due, &view).is_break() {
            self.flush();
            return ControlFlow::Break(());
        }
        if self.core.now >= self.hold {
            self.fire_timers(&view);
        }
        self.flush();
        self.follow_unsent(&view);
        self.core.publish_gauges();
        self.core.tell_calls();
        ControlFlow::Continue(())
    }

    /// When the next turn is to begin at the latest.
    fn due(&self) -> Timestamp {
        let longest = self.core.now + LONGEST_SLEEP;
        let wheel = self.core.wheel.due().unwrap_or(longest);
        wheel.min(longest).max(self.hold)
    }

    /// The turn is much too late: nothing was done since `due`.
    fn catch_up(&mut self, due: Timestamp, view: &View) -> ControlFlow<()> {
        for socket in 0..self.sockets.len() {
            self.read(socket, BATCHES_AFTER_STALL, view);
        }
        let flow = self.open_letters(view);
        self.core.now = self.core.shared.clock.now();
        self.core.on_stall(due, view);
        let others = self.core.workers() > 1;
        self.hold = self.core.now + if others { HAND_OVER } else { Duration::ZERO };
        flow
    }

    fn view(&self) -> View {
        View {
            policy: self.core.shared.policy.load_full(),
            table: self.core.shared.table.load_full(),
        }
    }

    fn read(&mut self, socket: usize, batches: usize, view: &View) {
        for _ in 0..batches {
            let count = self.sockets[socket].receive().unwrap_or(0);
            for index in 0..count {
                let datagrams = self.sockets[socket].datagrams(index);
                self.core.counters.received.add(datagrams.len() as u64);
                self.taken += datagrams.len();
                for (bytes, source) in datagrams {
                    self.core.on_datagram(
                        bytes,
                        &mut self.header_index,
                        source,
                        socket,
                        false,
                        view,
                    );
                    if self.core.outbox.len() >= Outbox::HIGH_WATER {
                        Self::flush_to(&mut self.core, &self.sockets);
                    }
                }
            }
            self.flush();
            if count < RECEIVE_BATCH {
                return;
            }
            self.core.now = self.core.shared.clock.now();
        }
    }

    fn read_errors(&mut self, socket: usize, view: &View) {
        for _ in 0..ERROR_BATCHES_PER_TURN {
            let count = self.sockets[socket].receive_errors();
            for index in 0..count {
                if let Some(error) = self.sockets[socket].error(index) {
                    self.core.on_network_error(&error, view);
                }
            }
            self.flush();
            if count == 0 {
                return;
            }
        }
    }

    /// Requests that the kernel refused: their calls go on elsewhere.
    fn follow_unsent(&mut self, view: &View) {
        for _ in 0..UNSENT_ROUNDS {
            if self.core.unsent.is_empty() {
                return;
            }
            for unsent in std::mem::take(&mut self.core.unsent) {
                self.core.on_unsent(&unsent, view);
            }
            self.flush();
        }
    }

    fn open_letters(&mut self, view: &View) -> ControlFlow<()> {
        let sockets = &self.sockets;
        self.core
            .open_letters(&mut self.letters, &mut self.header_index, view, |core| {
                if core.outbox.len() >= Outbox::HIGH_WATER {
                    Self::flush_to(core, sockets);
                }
            })
    }

    fn fire_timers(&mut self, view: &View) {
        let fired = &mut self.fired;
        self.core
            .wheel
            .advance(self.core.now, |token| fired.push_back(token));
        while let Some(token) = self.fired.pop_front() {
            self.core.on_timer(token, view);
            if self.core.outbox.len() >= Outbox::HIGH_WATER {
                Self::flush_to(&mut self.core, &self.sockets);
            }
        }
    }

    fn flush(&mut self) {
        Self::flush_to(&mut self.core, &self.sockets);
    }

    fn flush_to(core: &mut Core, sockets: &[UdpSocket]) {
        if core.outbox.len() > 0 {
            let report = core.outbox.flush(sockets);
            core.counters.sent.add(report.sent as u64);
            core.counters.send_refused.add(report.refused as u64);
            core.counters.sends_repeated.add(report.repeated as u64);
            core.unsent.extend(report.unsent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::policy::Policy;
    use crate::worker::testing::settings;

    const ASKED: usize = 20;

    #[test]
    fn nobody_takes_a_packet_before_all_know_their_lines() {
        let policy = Policy::new(settings(2)).unwrap();
        let shared = Arc::new(Shared::new(&policy, Clock::new()).unwrap());
        let worker = |index| {
            let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
            Worker::new(index, Arc::clone(&shared), vec![socket]).unwrap()
        };
        let (first, second) = (worker(0), worker(1));
        let phone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        // Some are the first worker's own, some the other's.
        for branch in 0..ASKED {
            let request = format!(
                "OPTIONS sip:example.net SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK{branch}\r\nMax-Forwards: 70\r\n\
                 From: <sip:a@example.net>;tag=a\r\nTo: <sip:example.net>\r\nCall-ID: {branch}\r\nCSeq: 1 OPTIONS\r\n\
                 Content-Length: 0\r\n\r\n"
            );
            phone
                .send_to(request.as_bytes(), first.sockets[0].local())
                .unwrap();
        }
        // A defect in what the other has to read keeps nobody waiting.
        assert!(shared.workers[1].mailbox.post(Letter::Panic));
        let first = std::thread::spawn(move || first.run());
        let mut answer = [0; 2048];
        phone
            .set_read_timeout(Some(Duration::from_millis(150)))
            .unwrap();
        assert!(phone.recv(&mut answer).is_err(), "the other is not there");
        let second = std::thread::spawn(move || second.run());
        phone
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        for _ in 0..ASKED {
            let length = phone.recv(&mut answer).unwrap();
            assert!(answer[..length].starts_with(b"SIP/2.0 200"));
        }
        for desk in &shared.workers {
            desk.mailbox.post(Letter::Stop);
        }
        first.join().unwrap();
        second.join().unwrap();
        assert_eq!(1, shared.workers[1].counters.worker_panics.value());
    }
}
