//! The state of one worker, without its sockets: so a datagram may lie in a socket's buffer while it is worked on.

use std::net::SocketAddr;
use std::sync::Arc;

use route_core::{CallOutcome, LineSlot, RouteTable};
use sip_core::build::ResponseWriter;
use sip_core::header::Via;
use sip_core::message::Message;
use sip_core::time::{TimerValues, Timestamp};
use sip_core::transaction::branch::Branches;
use sip_core::transaction::key::{RequestIdentity, TransactionKey};

use super::{Letter, Token};
use crate::calls::CallLog;
use crate::counters::Counters;
use crate::lines::Lines;
use crate::memo::AnswerMemo;
use crate::net::{Outbox, Unsent};
use crate::policy::Policy;
use crate::proxy::Context;
use crate::registrar::Registrar;
use crate::secret::random_u64;
use crate::shared::Shared;
use crate::slab::Slab;
use crate::tally::Tally;
use crate::transactions::{Io, Transactions};
use crate::wheel::TimerWheel;

/// The policy and the route table of one turn.
pub(crate) struct View {
    pub(crate) policy: Arc<Policy>,
    pub(crate) table: Arc<RouteTable>,
}

pub(crate) struct Core {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) counters: Arc<Counters>,
    /// Our address on each socket.
    pub(crate) locals: Vec<SocketAddr>,
    /// The same as text, for URIs.
    pub(crate) hosts: Vec<Arc<[u8]>>,
    pub(crate) now: Timestamp,
    pub(crate) outbox: Outbox,
    pub(crate) wheel: TimerWheel<Token>,
    pub(crate) memo: AnswerMemo,
    pub(crate) calls: CallLog,
    pub(crate) tally: Tally,
    pub(crate) transactions: Transactions,
    pub(crate) contexts: Slab<Context>,
    pub(crate) branches: Branches,
    pub(crate) lines: Lines,
    /// Requests that the kernel refused since the worker looked last.
    pub(crate) unsent: Vec<Unsent>,
    /// Lines at the address of the packet in hand.
    pub(crate) neighbours: Vec<LineSlot>,
    pub(crate) registrar: Registrar,
}

/// Answers remembered per worker: half a megabyte, which stays in the CPU's cache; 32 s of 2,000 answers a second. Beyond that
/// rate the oldest are forgotten first.
const ANSWERS_REMEMBERED: usize = 1 << 16;

impl Core {
    pub(crate) fn new(index: usize, shared: Arc<Shared>, locals: Vec<SocketAddr>) -> Self {
        let now = shared.clock.now();
        let call_records = shared.policy.load().settings.call_records;
        let counters = Arc::clone(&shared.workers[index].counters);
        let branches = Branches::new(shared.secrets.branch.clone(), index as u8, random_u64());
        let hosts = locals
            .iter()
            .map(|local| local.to_string().into_bytes().into())
            .collect();
        Self {
            hosts,
            index,
            counters,
            locals,
            now,
            outbox: Outbox::new(),
            wheel: TimerWheel::new(now),
            memo: AnswerMemo::new(ANSWERS_REMEMBERED),
            calls: CallLog::new(call_records),
            tally: Tally::new(now),
            transactions: Transactions::new(TimerValues::RFC3261),
            contexts: Slab::new(),
            branches,
            lines: Lines::new(now),
            unsent: Vec::new(),
            neighbours: Vec::new(),
            registrar: Registrar::new(&shared.secrets),
            shared,
        }
    }

    pub(crate) fn workers(&self) -> usize {
        self.shared.workers.len()
    }

    /// The transactions and what they need to act.
    pub(crate) fn transactions_io(&mut self) -> (&mut Transactions, Io<'_>) {
        let io = Io {
            outbox: &mut self.outbox,
            wheel: &mut self.wheel,
            now: self.now,
        };
        (&mut self.transactions, io)
    }

    /// The wheel fired `token`.
    pub(crate) fn on_timer(&mut self, token: Token, view: &View) {
        match token {
            Token::Server(id) => self.on_server_timer(id),
            Token::Client(id) => self.on_client_timer(id, view),
            Token::Context(id) => self.on_context_timer(id, view),
            Token::Line(line) => self.on_line_timer(line, view),
            Token::StoreWait(wait) => self.on_store_wait(wait),
        }
    }

    /// Answer `request` without a transaction (RFC 3261 §8.2.7): computed anew for each retransmission.
    pub(crate) fn answer_stateless(
        &mut self,
        request: &Incoming<'_>,
        view: &View,
        status: u16,
        reason: &str,
        extra: impl for<'o> FnOnce(ResponseWriter<'o>) -> ResponseWriter<'o>,
    ) {
        let tag = request.own_tag();
        let server = view.policy.settings.server_header.as_bytes();
        self.outbox
            .push_with(request.socket, request.answer_to, |out| {
                let response = ResponseWriter::with_top_via(
                    out,
                    request.message,
                    status,
                    reason,
                    Some(&tag),
                    Some((&request.via, request.source)),
                );
                let response = extra(response);
                let response = if server.is_empty() {
                    response
                } else {
                    response.header("Server", server)
                };
                response.finish(None);
            });
    }

    /// Tell the owner of `line` what a call found out about it.
    pub(crate) fn report_call(
        &mut self,
        line: LineSlot,
        address: SocketAddr,
        outcome: CallOutcome,
        view: &View,
    ) {
        if crate::slots::owner(line, self.workers()) == self.index {
            self.on_call_outcome(line, address, outcome, view);
        } else if !self.shared.post_to_owner(
            line,
            Letter::CallOutcome {
                line,
                address,
                outcome,
            },
        ) {
            self.counters.mailbox_full.increment();
        }
    }

    /// The socket that reaches `destination`: the preferred one if its family fits, else the first that fits.
    pub(crate) fn socket_for(&self, destination: SocketAddr, preferred: usize) -> Option<usize> {
        let fits = |socket: &usize| {
            self.locals
                .get(*socket)
                .is_some_and(|local| local.is_ipv4() == destination.is_ipv4())
        };
        Some(preferred)
            .filter(fits)
            .or_else(|| (0..self.locals.len()).find(|socket| fits(socket)))
    }
}

/// A request or response with what was found out on its way in.
#[derive(Clone, Copy)]
pub(crate) struct Incoming<'m> {
    pub(crate) message: &'m Message<'m>,
    pub(crate) source: SocketAddr,
    pub(crate) socket: usize,
    /// Where a response to it goes (RFC 3261 §18.2.2, RFC 3581 §4).
    pub(crate) answer_to: SocketAddr,
    /// Its topmost Via.
    pub(crate) via: Via<'m>,
    pub(crate) identity: RequestIdentity<'m>,
    /// Of its server transaction; for ACK and CANCEL that of their INVITE.
    pub(crate) key: TransactionKey,
}

impl Incoming<'_> {
    /// The To tag of our own answers (RFC 3261 §8.2.7): made of the transaction's key, so it is the same for an INVITE, its
    /// repetitions, its ACK and its CANCEL, on every node that has our secret, and costs no hash of its own.
    pub(crate) fn own_tag(&self) -> [u8; 16] {
        // Folded, so that nobody learns the half by which a hash map or a worker is chosen.
        let folded = (self.key.0 >> 64) as u64 ^ self.key.0 as u64;
        let mut tag = [0; 16];
        for (place, digit) in tag.iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(folded >> (60 - 4 * place)) as usize & 15];
        }
        tag
    }
}
