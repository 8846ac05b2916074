//! Workers without sockets on a virtual clock: what they send lies in their outboxes, time passes when a test says so.
#![allow(dead_code, reason = "each test module takes what it needs")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use route_core::{Delta, LineSlot, LineSpec, Profile, RouteTable, Unreachable};
use sip_core::message::HeaderIndex;
use sip_core::time::Timestamp;

use super::{Core, View};
use crate::clock::Clock;
use crate::events::Event;
use crate::net::{NetworkError, SendFault, Unsent};
use crate::policy::Policy;
use crate::settings::{
    CallTimers, ForeignMode, ForeignRegistrar, GuardSettings, LineProfile, ProbeSettings,
    RegistrarSettings, Settings,
};
use crate::shared::Shared;

/// Resolution of the virtual clock: that of the timer wheel.
const STEP: Duration = Duration::from_millis(4);

/// A profile with round numbers: OPTIONS each 10 s, in doubt each second, 500 ms time-out, fall 3, rise 2, hold 5 s.
pub(crate) fn profile(name: &str) -> LineProfile {
    LineProfile {
        name: name.to_owned(),
        verdict: Profile {
            interval: Duration::from_secs(10),
            fast_interval: Duration::from_secs(1),
            timeout: Duration::from_millis(500),
            timeout_max: Duration::from_secs(1),
            fall: 3,
            fall_max: 14,
            rise: 2,
            hold: Duration::from_secs(5),
            hold_max: Duration::from_mins(2),
            flap_half_life: Duration::from_mins(2),
            hold_down_max: Duration::from_mins(1),
            judge_options: true,
            judge_registration: true,
        },
        calls: CallTimers::DEFAULT,
        probe: ProbeSettings {
            from_uri: "sip:probe@example.net".to_owned(),
            ..ProbeSettings::default()
        },
    }
}

/// One listen address (192.0.2.10:5060), the domain `example.net`, the profile `standard`, a registrar with digest.
pub(crate) fn settings(workers: usize) -> Settings {
    Settings {
        listen: vec!["192.0.2.10:5060".parse().unwrap()],
        workers,
        domains: vec!["example.net".to_owned()],
        server_header: String::new(),
        core_peers: Vec::new(),
        interconnects: Vec::new(),
        profiles: vec![profile("standard")],
        registrar: RegistrarSettings {
            realm: "example.net".to_owned(),
            open: false,
            min_expires_s: 60,
            default_expires_s: 600,
            max_expires_s: 3600,
            max_contacts: 3,
            nonce_life_s: 300,
            store_wait_s: 0.1,
            restart_grace_s: 30.0,
        },
        guard: GuardSettings::default(),
        foreign_registrars: vec![ForeignRegistrar {
            name: "elsewhere".to_owned(),
            domain: "ims.example.org".to_owned(),
            mode: ForeignMode::RegEvent,
            sources: Vec::new(),
        }],
        event_queue: 100_000,
        call_records: 16,
        secret: [7; 32],
    }
}

/// A static line of the profile `standard` with these peers, by falling priority.
pub(crate) fn static_line(slot: u32, peers: &[&str]) -> LineSpec {
    LineSpec {
        slot,
        line_id: format!("line-{slot}"),
        profile: "standard".to_owned(),
        kind: "static".to_owned(),
        peers: peers
            .iter()
            .zip(1..)
            .map(|(peer, priority)| ((*peer).to_owned(), priority))
            .collect(),
        request_uri: "contact".to_owned(),
        wish: "enabled".to_owned(),
        ..LineSpec::default()
    }
}

/// A registered line of the profile `standard` with these users and no credentials.
pub(crate) fn registered_line(slot: u32, users: &[&str]) -> LineSpec {
    LineSpec {
        kind: "registered".to_owned(),
        users: users.iter().map(|user| (*user).to_owned()).collect(),
        ..static_line(slot, &[])
    }
}

/// A foreign line of the profile `standard`: its user registers elsewhere, calls go to these next hops, which line `watch` has.
pub(crate) fn foreign_line(slot: u32, user: &str, watch: u32, hops: &[&str]) -> LineSpec {
    LineSpec {
        kind: "foreign".to_owned(),
        users: vec![user.to_owned()],
        registrar: Some(("elsewhere".to_owned(), watch)),
        ..static_line(slot, hops)
    }
}

/// A datagram that a worker queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) at: Timestamp,
    pub(crate) text: String,
    pub(crate) destination: SocketAddr,
}

impl Sent {
    /// The value of a header field, as written.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    }
}

/// The workers of a process, driven by hand.
pub(crate) struct Stage {
    pub(crate) shared: Arc<Shared>,
    pub(crate) cores: Vec<Core>,
    sent: Vec<Sent>,
}

impl Stage {
    pub(crate) fn new(settings: Settings) -> Self {
        let policy = Policy::new(settings).unwrap();
        let shared = Arc::new(Shared::new(&policy, Clock::new()).unwrap());
        let locals = policy.settings.listen.clone();
        let now = shared.clock.now();
        let cores = (0..policy.settings.workers).map(|index| {
            let mut core = Core::new(index, Arc::clone(&shared), locals.clone());
            core.now = now;
            core
        });
        Self {
            cores: cores.collect(),
            shared,
            sent: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.cores[0].now
    }

    pub(crate) fn view(&self) -> View {
        View {
            policy: self.shared.policy.load_full(),
            table: self.shared.table.load_full(),
        }
    }

    /// Replace the settings, as a reload does.
    pub(crate) fn reconfigure(&mut self, settings: Settings) {
        self.shared.policy.store(Policy::new(settings).unwrap());
        self.tell(None);
    }

    /// Put lines into the table and tell their owners.
    pub(crate) fn put_lines(&mut self, specs: impl IntoIterator<Item = LineSpec>) {
        let mut delta = Delta::default();
        for spec in specs {
            delta.push_line(spec).unwrap();
        }
        self.apply(delta);
    }

    /// Apply a delta and tell the owners of its lines.
    pub(crate) fn apply(&mut self, delta: Delta) {
        let touched = delta
            .lines
            .iter()
            .map(|line| line.slot)
            .chain(delta.lines_removed.iter().copied());
        let lines: Vec<LineSlot> = touched.collect();
        let next = self.shared.table.load().apply(delta).unwrap();
        self.shared.table.store(Arc::new(next));
        self.tell(Some(&lines));
    }

    /// Route by a table of these lines alone from now on.
    pub(crate) fn replace(&mut self, specs: impl IntoIterator<Item = LineSpec>) {
        let mut delta = Delta::default();
        for spec in specs {
            delta.push_line(spec).unwrap();
        }
        self.shared
            .table
            .store(Arc::new(RouteTable::new(1).apply(delta).unwrap()));
        self.tell(None);
    }

    fn tell(&mut self, lines: Option<&[LineSlot]>) {
        let view = self.view();
        for core in &mut self.cores {
            core.on_lines_changed(lines, &view);
        }
        self.collect();
    }

    /// A datagram comes to the first worker.
    pub(crate) fn receive(&mut self, datagram: &str, source: SocketAddr) {
        self.receive_at(0, 0, datagram, source);
    }

    /// A datagram comes to a socket of a worker; what the workers post to each other is delivered as well.
    pub(crate) fn receive_at(
        &mut self,
        worker: usize,
        socket: usize,
        datagram: &str,
        source: SocketAddr,
    ) {
        let view = self.view();
        let mut index = HeaderIndex::new();
        self.cores[worker].on_datagram(
            datagram.as_bytes(),
            &mut index,
            source,
            socket,
            false,
            &view,
        );
        while self.deliver_letters(&view) {}
        self.collect();
    }

    /// A socket of a worker tells of an ICMP error about `quote`, which went to `destination`.
    pub(crate) fn unreachable_at(
        &mut self,
        worker: usize,
        kind: Unreachable,
        destination: SocketAddr,
        quote: &str,
    ) {
        let view = self.view();
        let error = NetworkError {
            kind,
            by_target: kind == Unreachable::Port,
            destination,
            quote: quote.as_bytes(),
        };
        self.cores[worker].on_network_error(&error, &view);
        while self.deliver_letters(&view) {}
        self.collect();
    }

    /// The kernel did not take `request`.
    pub(crate) fn refuse(&mut self, fault: SendFault, destination: SocketAddr, request: &str) {
        let view = self.view();
        let unsent = Unsent {
            fault,
            destination,
            quote: request.as_bytes().into(),
        };
        self.cores[0].on_unsent(&unsent, &view);
        self.collect();
    }

    fn deliver_letters(&mut self, view: &View) -> bool {
        let mut opened = 0;
        for core in &mut self.cores {
            let mut letters = Vec::new();
            let _ = core.open_letters(&mut letters, &mut HeaderIndex::new(), view, |_| opened += 1);
        }
        opened > 0
    }

    /// Python says that binding events up to `seq` are on disk.
    pub(crate) fn stored(&mut self, seq: u64) {
        self.shared.stored_seq.fetch_max(seq, Ordering::AcqRel);
        for core in &mut self.cores {
            core.on_stored(seq);
        }
        self.collect();
    }

    /// Let `time` pass; timers fire as they do in a worker that is never busy.
    pub(crate) fn advance(&mut self, time: Duration) {
        self.advance_by(STEP, time);
    }

    /// The same in steps of another length.
    pub(crate) fn advance_by(&mut self, step: Duration, time: Duration) {
        let end = self.now() + time;
        let view = self.view();
        while self.now() < end {
            let now = end.min(self.now() + step);
            for core in &mut self.cores {
                core.now = now;
                let mut fired = Vec::new();
                core.wheel.advance(now, |token| fired.push(token));
                for token in fired {
                    core.on_timer(token, &view);
                }
            }
            self.collect();
        }
        for core in &mut self.cores {
            core.publish_gauges();
            core.tell_calls();
        }
    }

    fn collect(&mut self) {
        for core in &mut self.cores {
            let at = core.now;
            self.sent
                .extend(core.outbox.datagrams().map(|(bytes, _, destination)| Sent {
                    at,
                    text: String::from_utf8_lossy(bytes).into_owned(),
                    destination,
                }));
            core.outbox.clear();
        }
    }

    /// What was sent since the last call, in order.
    pub(crate) fn sent(&mut self) -> Vec<Sent> {
        self.collect();
        std::mem::take(&mut self.sent)
    }

    /// Events since the last call.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.shared.events.take(usize::MAX - 1, 0)
    }

    /// The sum of a counter over all workers.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        let all = self
            .shared
            .workers
            .iter()
            .flat_map(|desk| desk.counters.read());
        all.filter(|(own, _)| *own == name)
            .map(|(_, value)| value)
            .sum()
    }
}
