//! Sending a request on: RFC 3261 §16.6.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use route_core::{Digits, Health, LineSlot, RequestUri};
use sip_core::build::{RequestForward, ResponseWriter, push_socket_address};
use sip_core::header::HeaderName;
use sip_core::message::OwnedMessage;
use sip_core::time::{TimerValues, Timestamp};
use sip_core::uri::Uri;

use super::{Branch, Call, Context, ContextId, Fate, Heard, patience};
use crate::calls::Step;
use crate::slots::Target;
use crate::token::Ends;
use crate::transactions::ClientUser;
use crate::worker::{Core, Incoming, View};

/// RFC 3261 §16.6 item 11: more than three minutes.
pub(super) const TIMER_C: Duration = Duration::from_secs(181);

/// When a request that is no INVITE gets a 100: Timer E of its sender has reached T2 (RFC 4320 §4.1).
const SLOW_ANSWER: Duration = Duration::from_millis(3_500);

/// Targets that a call tries at most: the caller does not wait for more.
const MAX_TRIES: usize = 8;

/// How a copy of a request differs from what came.
pub(super) struct Copy<'c> {
    pub(super) request_uri: Option<&'c [u8]>,
    pub(super) destination: SocketAddr,
    pub(super) socket: usize,
    pub(super) pop_routes: usize,
    /// Present: we want to stay in the dialog.
    pub(super) ends: Option<Ends>,
    /// Our Path, on a REGISTER that passes.
    pub(super) path: Option<&'c [u8]>,
    /// Whose loss and round trip are known.
    pub(super) target: Option<Arc<Target>>,
}

impl Core {
    /// Begin a call to its line.
    pub(super) fn proxy_call(&mut self, request: &Incoming<'_>, call: Call, view: &View) {
        let queue = VecDeque::from(self.call_targets(call.line));
        self.counters.calls_proxied.increment();
        self.tally.count(call.line, |counts| counts.offered += 1);
        let id = self.open_context(request, Some(call), queue);
        if !self.try_next_target(id, view) {
            self.fail_call(id, 480, None, view);
        }
    }

    /// The targets of a line in the order in which calls try them: healthy before suspect, by rank, those that are down only if
    /// there are no others. A contact that failed a call is suspect at once, and stands behind the others for the next one.
    pub(crate) fn call_targets(&self, line: LineSlot) -> Vec<Arc<Target>> {
        let Some(all) = self
            .shared
            .slots
            .read(line)
            .and_then(crate::slots::Slot::targets)
        else {
            return Vec::new();
        };
        let mut order: Vec<Arc<Target>> = all
            .iter()
            .filter(|target| target.health() != Health::Down)
            .filter(|target| !self.shared.slots.is_hop_down(line, target.address))
            .cloned()
            .collect();
        if order.is_empty() {
            order.extend(all.iter().cloned());
        }
        // The sort is stable: ranks keep their order within a health.
        order.sort_by_key(|target| target.health() == Health::Suspect);
        order.truncate(MAX_TRIES);
        order
    }

    /// A server transaction and a response context for `request`; an INVITE gets its 100 (§16.2).
    pub(super) fn open_context(
        &mut self,
        request: &Incoming<'_>,
        call: Option<Call>,
        queue: VecDeque<Arc<Target>>,
    ) -> ContextId {
        let is_invite = request.message.method() == sip_core::method::Method::Invite;
        let (transactions, mut io) = self.transactions_io();
        let server = transactions.open_server(
            request.key,
            is_invite,
            request.answer_to,
            request.socket,
            &mut io,
        );
        if is_invite {
            let mut trying = Vec::new();
            ResponseWriter::new(
                &mut trying,
                request.message,
                100,
                "Trying",
                None,
                Some(request.source),
            )
            .finish(None);
            transactions.respond(server, 100, trying, &mut io);
        }
        let id = self.contexts.insert(Context {
            server,
            server_gone: false,
            request: OwnedMessage::from(request.message),
            tag: request.own_tag(),
            source: request.source,
            socket: request.socket,
            is_invite,
            call,
            branches: Vec::new(),
            queue,
            registers: None,
            answered: 0,
            cancelled: false,
            // RFC 3261 §16.6 item 11: an INVITE that is sent on never waits without Timer C.
            patience: self.now + if is_invite { TIMER_C } else { SLOW_ANSWER },
            last_wait: call.is_none(),
            nudge: Timestamp::MAX,
            extended: false,
            began: self.now,
            scheduled: Timestamp::MAX,
        });
        if let Some(server) = self.transactions.server_mut(server) {
            server.context = Some(id);
        }
        id
    }

    /// Send the call to its next target; false when there is none left.
    pub(super) fn try_next_target(&mut self, id: ContextId, view: &View) -> bool {
        loop {
            let Some(context) = self.contexts.get_mut(id) else {
                return false;
            };
            let (Some(call), Some(target)) = (context.call, context.queue.pop_front()) else {
                return false;
            };
            let ends = Ends {
                line: target.address,
                core: context.source,
            };
            let pop_routes = context.request.view().values(HeaderName::Route).count();
            let request_uri = request_uri_for(&target, call.line, call.called, view);
            let copy = Copy {
                request_uri: Some(&request_uri),
                destination: target.address,
                socket: target.socket,
                pop_routes,
                ends: Some(ends),
                target: Some(Arc::clone(&target)),
                path: None,
            };
            let waited = self.now - context.began;
            let patience =
                self.now + patience::silence(&call, &target, waited, context.queue.is_empty());
            if self.send_copy(id, &copy) {
                self.calls
                    .step(call.record, self.now, Step::Request(target.address));
                if let Some(context) = self.contexts.get_mut(id) {
                    context.patience = patience;
                }
                self.nudge_after_send(id);
                self.schedule_context(id);
                return true;
            }
        }
    }

    /// Send a phone's REGISTER on to the registrar of `line` with our Path, and remember whose it is.
    pub(crate) fn pass_register(
        &mut self,
        request: &Incoming<'_>,
        line: LineSlot,
        (destination, socket): (SocketAddr, usize),
        pop_routes: usize,
        path: &[u8],
    ) {
        let id = self.open_context(request, None, VecDeque::new());
        if let Some(context) = self.contexts.get_mut(id) {
            context.registers = Some(line);
        }
        let copy = Copy {
            request_uri: None,
            destination,
            socket,
            pop_routes,
            ends: None,
            path: Some(path),
            target: None,
        };
        self.send_copy(id, &copy);
    }

    /// Send a request that came by our Path to the flow it names; its dialog comes by us again.
    pub(crate) fn pass_to_flow(&mut self, request: &Incoming<'_>, flow: SocketAddr, socket: usize) {
        let id = self.open_context(request, None, VecDeque::new());
        let copy = Copy {
            request_uri: None,
            destination: flow,
            socket,
            pop_routes: 1,
            ends: Some(Ends {
                line: flow,
                core: request.source,
            }),
            path: None,
            target: None,
        };
        self.send_copy(id, &copy);
    }

    /// 100 for a request that is no INVITE and waits for its answer (RFC 4320 §4.1).
    pub(super) fn answer_trying(&mut self, id: ContextId) {
        let Some(context) = self.contexts.get(id) else {
            return;
        };
        let server = context.server;
        let mut trying = Vec::new();
        let request = context.request.view();
        ResponseWriter::new(
            &mut trying,
            &request,
            100,
            "Trying",
            None,
            Some(context.source),
        )
        .finish(None);
        let (transactions, mut io) = self.transactions_io();
        transactions.respond(server, 100, trying, &mut io);
    }

    /// Send one copy of the context's request and open its branch; false if no socket of ours reaches that address.
    pub(super) fn send_copy(&mut self, id: ContextId, copy: &Copy<'_>) -> bool {
        let Some(socket) = self.socket_for(copy.destination, copy.socket) else {
            return false;
        };
        let Some(context) = self.contexts.get(id) else {
            return false;
        };
        let local = self.locals[socket];
        let branch = self.branches.next_branch();
        let record_route = copy
            .ends
            .map(|ends| self.record_route(ends, socket, context.socket));
        let via = via_value(local, &branch);
        let message = context.request.view();
        let forward = RequestForward {
            request_uri: copy.request_uri,
            via: &via,
            received: Some(context.source),
            record_route: record_route.as_deref(),
            path: copy.path,
            pop_routes: copy.pop_routes,
            max_forwards: message.max_forwards().unwrap_or(71).saturating_sub(1),
            ..RequestForward::default()
        };
        let mut bytes = Vec::new();
        forward.write(&message, &mut bytes);
        let key = self
            .shared
            .secrets
            .transaction
            .client_key(&branch, message.method().as_bytes());
        let is_invite = context.is_invite;
        let user = ClientUser::Branch(id, context.branches.len() as u8);
        let target = copy.target.clone();
        let first_repetition = target
            .as_deref()
            .filter(|_| is_invite)
            .map_or(TimerValues::RFC3261.t1, patience::first_repetition);
        let sent = self.now;
        let (transactions, mut io) = self.transactions_io();
        let client = transactions.open_hurried(
            key,
            is_invite,
            bytes.into_boxed_slice(),
            (socket, copy.destination),
            user,
            first_repetition,
            &mut io,
        );
        if let Some(context) = self.contexts.get_mut(id) {
            context.branches.push(Branch {
                client,
                gone: false,
                address: copy.destination,
                target,
                sent,
                heard: Heard::Nothing,
                fate: Fate::Running,
                ends: Timestamp::MAX,
                closed: Vec::new(),
                told_alive: false,
                told_fault: false,
                unreachable_since: None,
            });
        }
        self.schedule_context(id);
        true
    }

    /// Our Record-Route: how we are reached from where the request goes and, if that differs, from where it came
    /// (RFC 5658). The side that reads it first stands above.
    fn record_route(&self, ends: Ends, to: usize, from: usize) -> Vec<u8> {
        let mut value = Vec::with_capacity(192);
        let sides = [to, from];
        for socket in &sides[..if to == from { 1 } else { 2 }] {
            let comma: &[u8] = if value.is_empty() {
                b"<sip:"
            } else {
                b", <sip:"
            };
            value.extend_from_slice(comma);
            ends.write(&self.shared.secrets.route, &mut value);
            value.push(b'@');
            push_socket_address(&mut value, self.locals[*socket]);
            value.extend_from_slice(b";lr>");
        }
        value
    }
}

/// Our Via (RFC 3261 §16.6 item 8), asking for `rport` (RFC 3581 §3).
pub(super) fn via_value(local: SocketAddr, branch: &[u8]) -> Vec<u8> {
    let mut via = Vec::with_capacity(96);
    via.extend_from_slice(b"SIP/2.0/UDP ");
    push_socket_address(&mut via, local);
    via.extend_from_slice(b";rport;branch=");
    via.extend_from_slice(branch);
    via
}

/// The Request-URI for a target: what it registered, or the called number there, as its line wants it.
pub(super) fn request_uri_for<'t>(
    target: &'t Target,
    line: LineSlot,
    called: Digits,
    view: &View,
) -> Cow<'t, [u8]> {
    match view.table.line(line).map(|line| line.request_uri) {
        Some(RequestUri::Number) => number_uri(&target.uri, called).into(),
        _ => Cow::Borrowed(&target.uri),
    }
}

/// The contact's URI with the called number as its user: what a PBX that registered once for all its numbers wants.
fn number_uri(contact: &[u8], called: Digits) -> Vec<u8> {
    let mut out = Vec::with_capacity(contact.len() + 20);
    let (digits, length) = called.to_ascii();
    let Ok(uri) = Uri::parse(contact) else {
        return contact.to_vec();
    };
    let Some(scheme_end) = contact.iter().position(|octet| *octet == b':') else {
        return contact.to_vec();
    };
    // What follows the user part and its `@`; a URI without user starts with its host.
    let rest = match (uri.user, contact.iter().position(|octet| *octet == b'@')) {
        (Some(_), Some(at)) => &contact[at + 1..],
        _ => &contact[scheme_end + 1..],
    };
    out.extend_from_slice(&contact[..=scheme_end]);
    out.push(b'+');
    out.extend_from_slice(&digits[..length]);
    out.push(b'@');
    out.extend_from_slice(rest);
    out
}
