//! A client and a server transaction with a lossy network between them, on one virtual clock.

use core::time::Duration;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::{Action, Event, Kind, Transaction};
use super::{TIMERS, Timestamp, Vec, std};

const DELAY: Duration = Duration::from_millis(40);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Packet {
    Request,
    Ack,
    Response(Event),
}

/// What the two TUs saw.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    requests: usize,
    finals: usize,
    client_timeouts: usize,
    server_timeouts: usize,
}

struct Network {
    now: Timestamp,
    client: Transaction,
    server: Option<Transaction>,
    server_kind: Kind,
    reply: Event,
    latest: Option<Event>,
    in_flight: BTreeMap<(Timestamp, usize), Packet>,
    sent: usize,
    losses: Vec<bool>,
    seen: Outcome,
}

impl Network {
    /// `losses` says for each packet in turn whether it is lost; those after its end arrive.
    fn new(client_kind: Kind, reply: Event, losses: Vec<bool>) -> Self {
        let server_kind = if client_kind == Kind::InviteClient {
            Kind::InviteServer
        } else {
            Kind::NonInviteServer
        };
        let client = Transaction::new(client_kind, false, &TIMERS, Timestamp::ZERO);
        let mut network = Self {
            now: Timestamp::ZERO,
            client,
            server: None,
            server_kind,
            reply,
            latest: None,
            in_flight: BTreeMap::new(),
            sent: 0,
            losses,
            seen: Outcome::default(),
        };
        network.client_does(client_kind.initial_actions(), None);
        network
    }

    fn send(&mut self, packet: Packet) {
        if !self.losses.get(self.sent).copied().unwrap_or(false) {
            self.in_flight.insert((self.now + DELAY, self.sent), packet);
        }
        self.sent += 1;
    }

    fn client_does(&mut self, actions: &[Action], event: Option<Event>) {
        for action in actions {
            match action {
                Action::SendRequest | Action::ResendRequest => self.send(Packet::Request),
                Action::SendAck => self.send(Packet::Ack),
                Action::PassToUser if event != Some(Event::Provisional) => self.seen.finals += 1,
                Action::InformTimeout => self.seen.client_timeouts += 1,
                _ => {}
            }
        }
    }

    fn server_does(&mut self, actions: &[Action], event: Option<Event>) {
        for action in actions {
            match action {
                Action::SendResponse => {
                    self.latest = event;
                    self.resend();
                }
                Action::ResendResponse => self.resend(),
                Action::InformTimeout => self.seen.server_timeouts += 1,
                _ => {}
            }
        }
    }

    fn resend(&mut self) {
        if let Some(response) = self.latest {
            self.send(Packet::Response(response));
        }
    }

    fn server_takes(&mut self, event: Event) {
        let now = self.now;
        let actions = self
            .server
            .as_mut()
            .map_or(&[][..], |server| server.handle(event, &TIMERS, now));
        self.server_does(actions, Some(event));
    }

    fn deliver(&mut self, packet: Packet) {
        match packet {
            Packet::Request if self.server.is_none() => {
                self.server = Some(Transaction::new(self.server_kind, false, &TIMERS, self.now));
                self.seen.requests += 1;
                self.server_takes(Event::Provisional);
                self.server_takes(self.reply);
            }
            Packet::Request => self.server_takes(Event::Request),
            Packet::Ack => self.server_takes(Event::Ack),
            Packet::Response(event) => {
                let actions = self.client.handle(event, &TIMERS, self.now);
                self.client_does(actions, Some(event));
            }
        }
    }

    /// Until nothing is under way and no timer runs.
    fn run(mut self) -> Outcome {
        for _ in 0..10_000 {
            let packet = self.in_flight.keys().next().copied();
            let timer = |transaction: &Transaction| transaction.poll_timeout();
            let client = timer(&self.client);
            let server = self.server.as_ref().and_then(timer);
            let Some(next) = [packet.map(|(at, _)| at), client, server]
                .into_iter()
                .flatten()
                .min()
            else {
                // The TU's Timer C: a provisional response came but never the end.
                let actions = self.client.handle(Event::Abandon, &TIMERS, self.now);
                if !actions.is_empty() {
                    self.seen.client_timeouts += 1;
                }
                assert!(self.client.is_terminated());
                assert!(self.server.is_none_or(|server| server.is_terminated()));
                return self.seen;
            };
            self.now = next;
            if let Some(key) = packet.filter(|(at, _)| *at <= next) {
                let packet = self.in_flight.remove(&key).expect("it is there");
                self.deliver(packet);
            } else if let Some(actions) = self.client.handle_timeout(&TIMERS, next) {
                self.client_does(actions, None);
            } else if let Some(actions) = self
                .server
                .as_mut()
                .and_then(|server| server.handle_timeout(&TIMERS, next))
            {
                self.server_does(actions, None);
            }
        }
        panic!("it goes on for ever");
    }
}

#[test]
fn nothing_lost() {
    for kind in [Kind::InviteClient, Kind::NonInviteClient] {
        let outcome = Network::new(kind, Event::Failure, std::vec![]).run();
        assert_eq!(
            Outcome {
                requests: 1,
                finals: 1,
                ..Outcome::default()
            },
            outcome,
            "{kind:?}"
        );
    }
}

#[test]
fn single_losses_are_repaired() {
    // Order of packets: INVITE, 100, 486, ACK, and what is repeated.
    for kind in [Kind::InviteClient, Kind::NonInviteClient] {
        for lost in 0..5 {
            let losses = (0..=lost).map(|packet| packet == lost).collect();
            let outcome = Network::new(kind, Event::Failure, losses).run();
            assert_eq!(
                Outcome {
                    requests: 1,
                    finals: 1,
                    ..Outcome::default()
                },
                outcome,
                "{kind:?}, packet {lost}"
            );
        }
    }
}

#[test]
fn a_dead_peer_is_a_timeout() {
    for kind in [Kind::InviteClient, Kind::NonInviteClient] {
        let outcome = Network::new(kind, Event::Success, std::vec![true; 1_000]).run();
        assert_eq!(
            Outcome {
                client_timeouts: 1,
                ..Outcome::default()
            },
            outcome,
            "{kind:?}"
        );
    }
}

proptest! {
    #[test]
    fn any_losses(
        kind in prop::sample::select(&[Kind::InviteClient, Kind::NonInviteClient][..]),
        success: bool,
        losses in prop::collection::vec(prop::bool::weighted(0.6), 0..60),
    ) {
        let reply = if success { Event::Success } else { Event::Failure };
        let seen = Network::new(kind, reply, losses).run();
        prop_assert!(seen.requests <= 1, "repetitions do not reach the TU: {seen:?}");
        prop_assert_eq!(1, seen.finals + seen.client_timeouts, "one outcome: {:?}", seen);
        prop_assert!(seen.server_timeouts <= 1);
        prop_assert!(kind == Kind::InviteClient || seen.server_timeouts == 0, "nobody waits for an ACK: {seen:?}");
    }
}
