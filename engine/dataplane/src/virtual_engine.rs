//! The engine without threads and sockets: the same workers, driven by hand, on a clock that moves when its owner says so.
//!
//! It is what simulations and model-based tests run: hours of a line pass in moments, and a run can be repeated. Datagrams go in
//! and come out as bytes; who carries them, and what is lost on the way, is the owner's affair.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use route_core::{Delta, DeltaError, LineSlot, RouteTable, Unreachable};
use sip_core::message::HeaderIndex;
use sip_core::time::Timestamp;

use crate::clock::Clock;
use crate::engine::{Engine, Named};
use crate::events::Event;
use crate::net::NetworkError;
use crate::policy::Policy;
use crate::rows::{BindingRow, LineState, VerdictRow};
use crate::settings::{Settings, SettingsError};
use crate::shared::Shared;
use crate::worker::{Core, Question, View};

/// A datagram that the engine sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Unix time in microseconds.
    pub at_unix_us: u64,
    /// Our address that it went out from.
    pub source: SocketAddr,
    /// Whom it is for.
    pub destination: SocketAddr,
    /// The message.
    pub bytes: Vec<u8>,
}

/// An engine whose time stands still between calls.
pub struct VirtualEngine {
    engine: Engine,
    shared: Arc<Shared>,
    cores: Vec<Core>,
    index: HeaderIndex,
    sent: Vec<Datagram>,
}

impl VirtualEngine {
    /// The settings are those of an [`Engine`]; addresses are taken as they are and bound nowhere.
    pub fn new(settings: Settings, unix_us: u64) -> Result<Self, SettingsError> {
        let policy = Policy::new(settings)?;
        let shared = Arc::new(Shared::new(&policy, Clock::standing_at(unix_us))?);
        let locals = policy.settings.listen.clone();
        let cores = (0..policy.settings.workers)
            .map(|index| Core::new(index, Arc::clone(&shared), locals.clone()))
            .collect();
        Ok(Self {
            engine: Engine::of(Arc::clone(&shared), locals),
            shared,
            cores,
            index: HeaderIndex::new(),
            sent: Vec::new(),
        })
    }

    /// Unix time in microseconds.
    pub fn now(&self) -> u64 {
        self.shared.clock.now().as_micros()
    }

    /// As [`Engine::reconfigure`].
    pub fn reconfigure(&mut self, settings: Settings) -> Result<(), SettingsError> {
        self.engine.reconfigure(settings)?;
        self.deliver();
        Ok(())
    }

    /// As [`Engine::replace`].
    pub fn replace(&mut self, table: RouteTable) {
        self.engine.replace(table);
        self.deliver();
    }

    /// As [`Engine::apply`].
    pub fn apply(&mut self, delta: Delta) -> Result<(), DeltaError> {
        self.engine.apply(delta)?;
        self.deliver();
        Ok(())
    }

    /// As [`Engine::restore_bindings`].
    pub fn restore_bindings(&mut self, rows: Vec<BindingRow>) {
        self.engine.restore_bindings(rows);
        self.deliver();
    }

    /// As [`Engine::restore_verdicts`].
    pub fn restore_verdicts(&mut self, rows: Vec<VerdictRow>) {
        self.engine.restore_verdicts(rows);
        self.deliver();
    }

    /// As [`Engine::stored`].
    pub fn stored(&mut self, seq: u64) {
        self.engine.stored(seq);
        self.deliver();
    }

    /// As [`Engine::events`].
    pub fn events(&self, limit: usize) -> Vec<Event> {
        self.engine.events(limit)
    }

    /// As [`Engine::counters`].
    pub fn counters(&mut self) -> Named<u64> {
        self.cores.iter_mut().for_each(Core::publish_gauges);
        self.engine.counters()
    }

    /// The current table.
    pub fn table(&self) -> Arc<RouteTable> {
        self.engine.table()
    }

    /// States of all lines.
    pub fn line_states(&mut self) -> Vec<LineState> {
        let (answer, answers) = sync_channel(1);
        let mut states = Vec::new();
        self.ask(
            |lines| {
                let answer = answer.clone();
                Question::States { lines, answer }
            },
            || states.extend(answers.try_recv().unwrap_or_default()),
        );
        states.sort_by_key(|state: &LineState| state.line);
        states
    }

    /// Bindings of all lines.
    pub fn bindings(&mut self) -> Vec<BindingRow> {
        let (answer, answers) = sync_channel(1);
        let mut rows = Vec::new();
        self.ask(
            |lines| {
                let answer = answer.clone();
                Question::Bindings { lines, answer }
            },
            || rows.extend(answers.try_recv().unwrap_or_default()),
        );
        rows
    }

    fn ask(&mut self, question: impl Fn(Vec<LineSlot>) -> Question, mut answered: impl FnMut()) {
        let view = self.view();
        for core in &mut self.cores {
            let lines = view.table.lines().map(|line| line.slot).collect();
            core.on_question(question(lines), &view);
            answered();
        }
    }

    /// A datagram comes in for `destination`, to the first worker, as if the kernel had chosen it; false if that is none of our
    /// addresses.
    pub fn receive(&mut self, bytes: &[u8], source: SocketAddr, destination: SocketAddr) -> bool {
        let view = self.view();
        let Some(core) = self.cores.first_mut() else {
            return false;
        };
        let Some(socket) = core.locals.iter().position(|local| *local == destination) else {
            return false;
        };
        core.on_datagram(bytes, &mut self.index, source, socket, false, &view);
        self.deliver();
        true
    }

    /// ICMP says that `quote`, the beginning of a datagram of ours, did not reach `destination`.
    pub fn unreachable(
        &mut self,
        kind: Unreachable,
        by_target: bool,
        destination: SocketAddr,
        quote: &[u8],
    ) {
        let view = self.view();
        if let Some(core) = self.cores.first_mut() {
            let error = NetworkError {
                kind,
                by_target,
                destination,
                quote,
            };
            core.on_network_error(&error, &view);
        }
        self.deliver();
    }

    /// What was sent since the last call; time does not pass.
    pub fn sent(&mut self) -> Vec<Datagram> {
        std::mem::take(&mut self.sent)
    }

    /// Let time pass until something is sent, or until a Unix time in microseconds; returns what was sent. A run that returned
    /// something may not have come to its end: see [`VirtualEngine::now`].
    pub fn run(&mut self, until_unix_us: u64) -> Vec<Datagram> {
        let end = Timestamp::from_micros(until_unix_us);
        while self.sent.is_empty() {
            let now = self.shared.clock.now();
            if now >= end {
                break;
            }
            let next = self
                .cores
                .iter()
                .filter_map(|core| core.wheel.sleep(now))
                .min();
            // A deadline that has just passed fires at the next tick of the wheel.
            let step = next.unwrap_or(end - now).max(Duration::from_micros(1));
            let now = end.min(now + step);
            self.shared.clock.set(now);
            let view = self.view();
            for core in &mut self.cores {
                core.now = now;
                let mut fired = Vec::new();
                core.wheel.advance(now, |token| fired.push(token));
                for token in fired {
                    core.on_timer(token, &view);
                }
            }
            self.deliver();
        }
        self.sent()
    }

    fn view(&self) -> View {
        View {
            policy: self.shared.policy.load_full(),
            table: self.shared.table.load_full(),
        }
    }

    /// Workers read what others posted to them, until nobody posts any more.
    fn deliver(&mut self) {
        let view = self.view();
        let (mut letters, mut opened) = (Vec::new(), true);
        while std::mem::take(&mut opened) {
            for core in &mut self.cores {
                let _ = core.open_letters(&mut letters, &mut self.index, &view, |_| opened = true);
            }
        }
        for core in &mut self.cores {
            let at_unix_us = core.now.as_micros();
            let locals = &core.locals;
            let queued = core.outbox.datagrams();
            self.sent
                .extend(queued.map(|(bytes, socket, destination)| Datagram {
                    at_unix_us,
                    source: locals[socket],
                    destination,
                    bytes: bytes.to_vec(),
                }));
            core.outbox.clear();
        }
    }
}
