//! A core network, a line with two peers, and us between them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use route_core::{
    Cause, Delta, Digits, FaultPlace, Health, LineSlot, LineSpec, NumberPlan, RouteTable, RuleSpec,
    TargetSpec,
};
use sip_core::time::Timestamp;

use crate::settings::{CorePeer, HistoryInfo, Interconnect, NumberFormat, Settings, UriScheme};
use crate::slots::Target;
use crate::worker::testing::{Sent, Stage, settings, static_line};

/// The core network's call server.
pub(super) const CORE: &str = "198.51.100.1:5060";
/// The line's first and second peer.
pub(super) const PHONE: &str = "203.0.113.5:5060";
pub(super) const BACKUP: &str = "203.0.113.6:5060";
/// Ours.
pub(super) const US: &str = "192.0.2.10:5060";

/// Numbers of line 1 (two peers): with an armed rule of one target, and without a rule.
pub(super) const ARMED: &str = "+493023125001";
pub(super) const PLAIN: &str = "+493023125002";
/// Line 1, a rule of three targets, of which the second is the number itself.
pub(super) const SEVERAL: &str = "+493023125003";
/// A block on line 1 whose rule keeps the extension.
pub(super) const BLOCK: &str = "+493023125500";
/// Line 2, which has one peer (`PHONE`): armed, and without a rule.
pub(super) const SINGLE: &str = "+493023125010";
pub(super) const SINGLE_PLAIN: &str = "+493023125011";

pub(super) const LINE: LineSlot = LineSlot(1);
pub(super) const SINGLE_LINE: LineSlot = LineSlot(2);

pub(super) fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

pub(super) fn interconnect() -> Interconnect {
    let digits = |text: &str| Digits::parse(text.as_bytes()).unwrap();
    Interconnect {
        name: "core".to_owned(),
        plan: NumberPlan {
            country_code: digits("49"),
            national_prefix: digits("0"),
            international_prefix: digits("00"),
            porting_prefixes: Vec::new(),
        },
        country_code: "49".to_owned(),
        national_prefix: "0".to_owned(),
        international_prefix: "00".to_owned(),
        domain: "core.example.net".to_owned(),
        number_format: NumberFormat::PlusE164,
        uri_scheme: UriScheme::Sip,
        diversion: true,
        history_info: HistoryInfo::IfOffered,
        max_diversions: 5,
        reason_sip: false,
        unknown_number_status: 404,
        redirect_only: false,
    }
}

/// What is sent, by the one who gets it, and a check at the end that nothing is left of it.
pub(super) struct Net {
    pub(super) stage: Stage,
    inbox: Vec<Sent>,
    start: Timestamp,
}

impl Net {
    /// One worker, both lines up.
    pub(super) fn new() -> Self {
        Self::with(1, |_| {})
    }

    pub(super) fn with(workers: usize, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings(workers);
        settings.core_peers = vec![CorePeer {
            name: "core".to_owned(),
            network: "198.51.100.0".parse().unwrap(),
            prefix_length: 24,
            port: 0,
            interconnect: "core".to_owned(),
        }];
        settings.interconnects = vec![interconnect()];
        change(&mut settings);
        let mut stage = Stage::new(settings);
        // On a tick of the timer wheel, so that a timer of whole ticks fires exactly when it is due.
        let start = Timestamp::from_micros(stage.now().as_micros().next_multiple_of(4_000));
        stage.cores.iter_mut().for_each(|core| core.now = start);
        let mut net = Self {
            stage,
            inbox: Vec::new(),
            start,
        };
        net.table(|_| {});
        net.targets(LINE, &[(PHONE, Health::Up), (BACKUP, Health::Up)]);
        net.targets(SINGLE_LINE, &[(PHONE, Health::Up)]);
        net.health(Health::Up, Cause::OptionsAnswered);
        net
    }

    /// Put the customers' data in place, changed a little. Owners are not told: nobody probes here.
    pub(super) fn table(&mut self, change: impl FnOnce(&mut Rows)) {
        let mut rows = Rows {
            lines: vec![static_line(1, &[PHONE, BACKUP]), static_line(2, &[PHONE])],
            rules: vec![
                rule(1, &[("491713920001", None)]),
                rule(
                    2,
                    &[
                        ("491713920001", None),
                        ("493023125003", None),
                        ("4940669690", Some(11)),
                    ],
                ),
                rule(3, &[("4940669690", Some(10))]),
            ],
        };
        change(&mut rows);
        let mut delta = Delta::default();
        rows.lines
            .into_iter()
            .for_each(|line| delta.push_line(line).unwrap());
        rows.rules
            .into_iter()
            .for_each(|rule| delta.push_rule(rule).unwrap());
        for (number, line, rule) in [
            (ARMED, 1, 1),
            (PLAIN, 1, -1),
            (SEVERAL, 1, 2),
            (SINGLE, 2, 1),
            (SINGLE_PLAIN, 2, -1),
        ] {
            delta.push_exact(&number[1..], line, rule, 0).unwrap();
        }
        delta.push_prefix("4930231255", 12, 12, 1, 3, 0).unwrap();
        self.stage
            .shared
            .table
            .store(Arc::new(RouteTable::new(1).apply(delta).unwrap()));
    }

    /// What the prober and the registrar would publish.
    pub(super) fn health(&mut self, health: Health, cause: Cause) {
        for line in [LINE, SINGLE_LINE] {
            self.stage.shared.slots.slot(line).unwrap().publish(
                health,
                cause,
                FaultPlace::Unclear,
                self.stage.now(),
            );
        }
    }

    /// Both lines are down, with the fault there.
    pub(super) fn down_at(&mut self, place: FaultPlace) {
        for line in [LINE, SINGLE_LINE] {
            let slot = self.stage.shared.slots.slot(line).unwrap();
            slot.publish(
                Health::Down,
                Cause::OptionsCode(503),
                place,
                self.stage.now(),
            );
        }
    }

    /// The rule of two numbers has a list of its own for when only the phone system is out.
    pub(super) fn two_lists(&mut self) {
        self.table(|rows| {
            rows.rules[0].phone_system_targets = vec![TargetSpec {
                digits: "492214710000".to_owned(),
                keep_after: None,
            }];
        });
    }

    pub(super) fn targets(&mut self, line: LineSlot, targets: &[(&str, Health)]) {
        let targets = targets.iter().zip(1..).map(|((address, health), rank)| {
            let target = Target::new(
                format!("sip:{address}").as_bytes().into(),
                at(address),
                0,
                rank,
                None,
            );
            target.set_health(*health);
            target.set_quality(0, 0);
            Arc::new(target)
        });
        self.stage
            .shared
            .slots
            .slot(line)
            .unwrap()
            .set_targets(targets.collect());
    }

    /// Packets of all targets came, of whatever kind.
    pub(super) fn lives(&self) {
        for line in [LINE, SINGLE_LINE] {
            let targets = self.stage.shared.slots.slot(line).unwrap().targets();
            for target in targets.iter().flat_map(|targets| targets.iter()) {
                target.seen(self.stage.now());
            }
        }
    }

    /// A datagram comes from there.
    pub(super) fn from(&mut self, source: &str, datagram: &str) {
        self.stage.receive(datagram, at(source));
    }

    pub(super) fn wait_ms(&mut self, time: u64) {
        self.stage.advance(Duration::from_millis(time));
    }

    /// Milliseconds since the start of the test.
    pub(super) fn elapsed_ms(&self, sent: &Sent) -> u64 {
        (sent.at.as_micros() - self.start.as_micros()) / 1000
    }

    /// All that was sent there since it was last looked for.
    pub(super) fn all_to(&mut self, destination: &str) -> Vec<Sent> {
        self.inbox.append(&mut self.stage.sent());
        let destination = at(destination);
        let (there, others) = std::mem::take(&mut self.inbox)
            .into_iter()
            .partition(|sent| sent.destination == destination);
        self.inbox = others;
        there
    }

    /// The one datagram that was sent there, which begins like this.
    pub(super) fn one_to(&mut self, destination: &str, start: &str) -> Sent {
        let all = self.all_to(destination);
        assert_eq!(
            1,
            all.len(),
            "to {destination}, expected {start}: {:#?}",
            first_lines(&all)
        );
        assert!(
            all[0].text.starts_with(start),
            "expected {start}: {}",
            all[0].text
        );
        all.into_iter().next().unwrap()
    }

    /// The start lines of all that was sent there.
    pub(super) fn starts_to(&mut self, destination: &str) -> Vec<String> {
        first_lines(&self.all_to(destination))
    }

    pub(super) fn nothing_to(&mut self, destination: &str) {
        assert_eq!(Vec::<String>::new(), self.starts_to(destination));
    }

    pub(super) fn count(&self, name: &str) -> u64 {
        self.stage.counter(name)
    }

    /// Five minutes without a packet: every transaction, context and timer is gone.
    fn assert_all_over(&mut self) {
        self.stage
            .advance_by(Duration::from_millis(100), Duration::from_mins(5));
        for core in &self.stage.cores {
            let left = (
                core.transactions.len(),
                core.contexts.len(),
                core.wheel.len(),
            );
            assert_eq!(
                (0, 0, 0),
                left,
                "transactions, contexts, timers left after five minutes"
            );
        }
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_all_over();
        }
    }
}

pub(super) struct Rows {
    pub(super) lines: Vec<LineSpec>,
    pub(super) rules: Vec<RuleSpec>,
}

fn rule(slot: u32, targets: &[(&str, Option<u32>)]) -> RuleSpec {
    let target = |(digits, keep_after): &(&str, Option<u32>)| TargetSpec {
        digits: (*digits).to_owned(),
        keep_after: *keep_after,
    };
    RuleSpec {
        slot,
        rule_id: format!("rule-{slot}"),
        label: "a test".to_owned(),
        armed: true,
        targets: targets.iter().map(target).collect(),
        ..RuleSpec::default()
    }
}

pub(super) fn first_lines(sent: &[Sent]) -> Vec<String> {
    sent.iter()
        .map(|sent| sent.text.lines().next().unwrap_or_default().to_owned())
        .collect()
}
