//! From a datagram to the part that acts on it: parsing, ownership, and the checks of RFC 3261 §16.3.

use std::net::SocketAddr;
use std::time::Duration;

use route_core::LineSlot;
use sip_core::build::error_response;
use sip_core::error::PeerError;
use sip_core::header::{HeaderName, Rport, Via};
use sip_core::message::{HeaderIndex, Message};
use sip_core::method::Method;
use sip_core::transaction::Event;
use sip_core::transaction::branch::worker_of;
use sip_core::transaction::key::RequestIdentity;
use sip_core::uri::{Host, Scheme, Uri};

use super::core::Incoming;
use super::{Core, Letter, View};
use crate::slots::Slot;

/// Signs of life that come closer together count as one.
const LIFE_PAUSE: Duration = Duration::from_millis(250);

/// What we understand of RFC 3261 and its extensions, for Allow.
const ALLOW: &[u8] = b"INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, PRACK, UPDATE, INFO, REFER, SUBSCRIBE, NOTIFY, MESSAGE";

impl Core {
    /// One datagram from the network, or from the worker that received it (`handed`).
    pub(crate) fn on_datagram(
        &mut self,
        bytes: &[u8],
        index: &mut HeaderIndex,
        source: SocketAddr,
        socket: usize,
        handed: bool,
        view: &View,
    ) {
        match Message::parse(bytes, index) {
            Ok(message) if message.is_request() => {
                // An INVITE from nobody of the core is noticed where it is refused: the path of a call looks for its peer once.
                if !handed && !matches!(message.method(), Method::Invite | Method::Ack) {
                    self.on_sign_of_life(source, view);
                }
                self.on_request(bytes, &message, source, socket, handed, view);
            }
            Ok(message) => {
                if !handed {
                    self.on_sign_of_life(source, view);
                }
                self.on_response(bytes, &message, source, socket, handed, view);
            }
            // RFC 5626 §4.4.1: a ping has an answer on streams only; here it is a packet like any other.
            Err(PeerError::KeepAlive) => self.on_sign_of_life(source, view),
            Err(error) => self.on_malformed(bytes, error, source, socket),
        }
    }

    /// A packet came from `source`. If that is where lines are reached, their owners are told, one packet in [`LIFE_PAUSE`] each.
    ///
    /// Several lines behind one NAT are one flow: a packet is all of theirs.
    pub(crate) fn on_sign_of_life(&mut self, source: SocketAddr, view: &View) {
        if view.policy.interconnect_of(source).is_some() {
            return;
        }
        let mut lines = std::mem::take(&mut self.neighbours);
        self.shared.addresses.lines_at(source, &mut lines);
        for line in lines.drain(..) {
            let targets = self.shared.slots.read(line).and_then(Slot::targets);
            let mut fresh = false;
            for target in targets.iter().flat_map(|targets| targets.iter()) {
                if target.address == source {
                    fresh |= target.claim_seen(self.now, LIFE_PAUSE);
                }
            }
            if fresh {
                self.tell_seen(line, source);
            }
        }
        self.neighbours = lines;
    }

    /// Tell the owner of `line` that a packet came from its target at `address`.
    pub(crate) fn tell_seen(&mut self, line: LineSlot, address: SocketAddr) {
        if crate::slots::owner(line, self.workers()) == self.index {
            self.on_seen(line, address);
        } else if !self
            .shared
            .post_to_owner(line, Letter::Seen { line, address })
        {
            self.counters.mailbox_full.increment();
        }
    }

    fn on_malformed(&mut self, bytes: &[u8], error: PeerError, source: SocketAddr, socket: usize) {
        let mut answered = false;
        self.outbox.push_with(socket, source, |out| {
            answered = error_response(bytes, &error, source, out);
        });
        if answered {
            self.counters.malformed_answered.increment();
        } else {
            self.counters.malformed_dropped.increment();
        }
    }

    fn hand_over(&mut self, worker: usize, bytes: &[u8], source: SocketAddr, socket: usize) {
        let letter = Letter::Datagram {
            bytes: bytes.into(),
            source,
            socket,
        };
        if self.shared.workers[worker].mailbox.post(letter) {
            self.counters.handed_over.increment();
        } else {
            self.counters.mailbox_full.increment();
        }
    }

    fn on_response(
        &mut self,
        bytes: &[u8],
        message: &Message<'_>,
        source: SocketAddr,
        socket: usize,
        handed: bool,
        view: &View,
    ) {
        // RFC 3261 §18.1.2: a response whose top Via is not ours is dropped.
        let branch = message
            .top_via()
            .ok()
            .and_then(|via| via.branch)
            .unwrap_or_default();
        let Some(worker) = worker_of(branch)
            .map(usize::from)
            .filter(|worker| *worker < self.workers())
        else {
            self.counters.stray_dropped.increment();
            return;
        };
        if worker != self.index && !handed {
            self.hand_over(worker, bytes, source, socket);
            return;
        }
        let key = self
            .shared
            .secrets
            .transaction
            .client_key(branch, message.method().as_bytes());
        if let Some(client) = self.transactions.find_client(key) {
            self.on_client_response(client, message, source, view);
        } else if !self.on_probe_response(key, message, source, view)
            && !self.forward_orphan(branch, message, source, socket, view)
        {
            self.counters.stray_dropped.increment();
        }
    }

    fn on_request(
        &mut self,
        bytes: &[u8],
        message: &Message<'_>,
        source: SocketAddr,
        socket: usize,
        handed: bool,
        view: &View,
    ) {
        let via = match message.top_via() {
            Ok(via) => via,
            Err(error) => return self.on_malformed(bytes, error, source, socket),
        };
        let identity = RequestIdentity {
            method: message.method().as_bytes(),
            branch: via.branch.unwrap_or_default(),
            sent_by_host: via.sent_by.raw,
            sent_by_port: via.sent_by.port,
            via: via.raw,
            request_uri: message.request_uri(),
            to_tag: message.to_tag().unwrap_or_default(),
            from_tag: message.from_tag().unwrap_or_default(),
            call_id: message.call_id(),
            cseq: message.cseq().number,
        };
        // CANCEL has a key of its own but is worked on where its INVITE is (RFC 3261 §9.2).
        let method = message.method();
        let key = if method == Method::Cancel {
            self.shared.secrets.transaction.cancelled_key(&identity)
        } else {
            self.shared.secrets.transaction.request_key(&identity)
        };
        let request = Incoming {
            message,
            source,
            socket,
            answer_to: answer_to(&via, source),
            via,
            identity,
            key,
        };
        if self.workers() > 1 && !handed {
            let worker = self.worker_for(&request, view);
            if worker != self.index {
                self.hand_over(worker, bytes, source, socket);
                return;
            }
        }
        match method {
            Method::Ack => self.on_ack(&request, view),
            Method::Cancel => self.on_cancel(&request, view),
            _ => {
                if let Some(server) = self.transactions.find_server(key) {
                    self.counters.retransmissions_absorbed.increment();
                    let (transactions, mut io) = self.transactions_io();
                    transactions.server_event(server, Event::Request, &mut io);
                } else {
                    self.on_new_request(&request, view);
                }
            }
        }
    }

    /// A REGISTER is worked on by the owner of its line, everything else by the owner of its transaction.
    fn worker_for(&self, request: &Incoming<'_>, view: &View) -> usize {
        let line = (request.message.method() == Method::Register)
            .then(|| crate::registrar::line_of(&request.message.to().ok()?.uri().ok()?, view))
            .flatten();
        match line {
            Some(line) => crate::slots::owner(line, self.workers()),
            None => usize::from(request.key.worker(self.workers() as u8)),
        }
    }

    /// RFC 3261 §16.3: what any request must pass before somebody acts on it.
    fn on_new_request(&mut self, request: &Incoming<'_>, view: &View) {
        let message = &request.message;
        let Ok(uri) = message.uri() else {
            return self.answer_stateless(
                request,
                view,
                400,
                "Malformed Request-URI",
                |response| response,
            );
        };
        if let Scheme::Other(_) = uri.scheme {
            return self.answer_stateless(
                request,
                view,
                416,
                "Unsupported URI Scheme",
                |response| response,
            );
        }
        let method = message.method();
        let for_us = self.is_for_us(&uri, view);
        // RFC 3261 §16.3 item 3; §11.2: an OPTIONS that is for us has arrived.
        if message.max_forwards() == Some(0)
            && !(method == Method::Options && for_us)
            && method != Method::Register
        {
            return self.answer_stateless(request, view, 483, "Too Many Hops", |response| response);
        }
        if message.has(HeaderName::ProxyRequire) {
            return self.refuse_extensions(request, HeaderName::ProxyRequire, view);
        }
        let in_dialog = message.to_tag().is_some();
        match method {
            Method::Register if self.on_foreign_register(request, view) => {}
            Method::Register if self.is_own_domain(&uri.host, view) => {
                self.on_register(request, view);
            }
            _ if in_dialog => self.on_in_dialog(request, view),
            _ if let Some(flow) = self.path_flow(request, view) => {
                self.on_path_request(request, flow, view);
            }
            Method::Options if for_us => self.on_options(request, view),
            Method::Invite => self.on_invite(request, &uri, view),
            _ => self.on_other(request, &uri, view),
        }
    }

    /// Whether the Request-URI names us and nobody behind us.
    fn is_for_us(&self, uri: &Uri<'_>, view: &View) -> bool {
        uri.user.is_none() && self.is_own_domain(&uri.host, view)
    }

    /// Whether a host is a domain of ours: configured, or one of our addresses. Its port says nothing: who asks the registrar of
    /// `sip:192.0.2.10` has found us already.
    pub(crate) fn is_own_domain(&self, host: &Host<'_>, view: &View) -> bool {
        let is_local = |ip| self.locals.iter().any(|local| local.ip() == ip);
        view.policy.is_own_domain(host) || host.ip().is_some_and(is_local)
    }

    /// Whether a Route value is ours: it must lead to this process, so an address counts with its port only.
    pub(crate) fn is_own_host(&self, host: &Host<'_>, port: Option<u16>, view: &View) -> bool {
        let own_address = |ip: std::net::IpAddr| {
            self.locals
                .iter()
                .any(|local| local.ip() == ip && port.unwrap_or(5060) == local.port())
        };
        match host.ip() {
            Some(ip) => own_address(ip),
            None => view.policy.is_own_domain(host),
        }
    }

    /// RFC 3261 §11: what we can do, and whether we take calls.
    fn on_options(&mut self, request: &Incoming<'_>, view: &View) {
        self.counters.options_answered.increment();
        if self.is_draining() {
            self.answer_stateless(request, view, 503, "Service Unavailable", |response| {
                response
            });
            return;
        }
        if request.message.has(HeaderName::Require) {
            return self.refuse_extensions(request, HeaderName::Require, view);
        }
        self.answer_stateless(request, view, 200, "OK", |response| {
            response
                .header("Allow", ALLOW)
                .header("Accept", b"application/sdp")
        });
    }

    /// RFC 3261 §8.2.2.3, §16.3 item 5: we know no extension that may be required of us.
    fn refuse_extensions(&mut self, request: &Incoming<'_>, required: HeaderName, view: &View) {
        self.answer_stateless(request, view, 420, "Bad Extension", |response| {
            response.header_with("Unsupported", |out| {
                for (position, tag) in request.message.option_tags(required).enumerate() {
                    out.extend_from_slice(if position > 0 { b", " } else { b"" });
                    out.extend_from_slice(tag);
                }
            })
        });
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.shared
            .draining
            .load(std::sync::atomic::Ordering::Relaxed)
    }

    /// ACK: to our non-2xx in its transaction, to a stateless answer, or end to end to a 2xx.
    fn on_ack(&mut self, request: &Incoming<'_>, view: &View) {
        if let Some(server) = self.transactions.find_server(request.key) {
            let (transactions, mut io) = self.transactions_io();
            let signals = transactions.server_event(server, Event::Ack, &mut io);
            if signals.pass {
                // A peer that keeps the branch for the ACK of a 2xx (RFC 2543).
                self.on_end_to_end_ack(request, view);
            }
            return;
        }
        if request.message.to_tag() == Some(&request.own_tag()[..]) {
            self.counters.acks_absorbed.increment();
            return;
        }
        self.on_end_to_end_ack(request, view);
    }
}

/// Where the answer to a request goes: RFC 3261 §18.2.2 with the source as `received`, RFC 3581 §4 if `rport` is asked for.
///
/// `maddr` is not followed: it would let a stranger aim our answers at anybody.
fn answer_to(via: &Via<'_>, source: SocketAddr) -> SocketAddr {
    match via.rport {
        Rport::Absent => SocketAddr::new(
            source.ip(),
            via.sent_by
                .port
                .unwrap_or_else(|| via.transport.default_port()),
        ),
        Rport::Flag | Rport::Port(_) => source,
    }
}
