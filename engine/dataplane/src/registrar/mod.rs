//! The registrar of RFC 3261 §10: binds an address-of-record's contacts to the line that owns it.
//!
//! A REGISTER passes the steps of §10.3 in their order: Require, authentication, authorisation, the address-of-record,
//! the contacts. All contacts are taken or none. A 200 that changed bindings waits for the store, but not for ever.
//!
//! Refusals before the credentials are stateless (§8.2.7). From there on a server transaction absorbs retransmissions: their
//! nonce count is used up and their CSeq no longer new, so judged again they would fail.
//!
//! Calls to a contact go where its REGISTER came from, not where its URI points: most phones are behind a NAT and write their
//! private address into Contact. The URI is kept as it came and is the Request-URI of the calls; its headers are never applied.

mod aor;
mod contacts;
mod date;
mod digest;
mod pending;
#[cfg(test)]
mod tests;

pub(crate) use aor::line_of;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use route_core::{Line, LineKind};
use sip_core::build::{ResponseWriter, push_decimal};
use sip_core::digest::{NonceKey, ReplayWindow};
use sip_core::header::HeaderName;
use sip_core::time::Timestamp;

use crate::secret::{Secrets, random_u64};
use crate::slots::{Slot, Targets};
use crate::transactions::ServerId;
use crate::worker::{Core, Incoming, Token, View};
use aor::AddressOfRecord;
use contacts::{Change, Fault, Registration};
use pending::Pending;

/// Nonces whose counts are remembered per worker: some 40 MB at worst, an hour's worth at 290 registrations a second.
const NONCES_REMEMBERED: usize = 1 << 20;

/// What a worker's registrar remembers between two requests; the bindings themselves are in the slots.
pub(crate) struct Registrar {
    nonces: NonceKey,
    replays: ReplayWindow,
    /// Makes nonces of one second differ.
    salt: u64,
    pending: Pending,
}

impl Registrar {
    pub(crate) fn new(secrets: &Secrets) -> Self {
        Self {
            nonces: NonceKey::new(&secrets.nonce),
            replays: ReplayWindow::new(NONCES_REMEMBERED),
            salt: random_u64(),
            pending: Pending::new(),
        }
    }
}

/// How a REGISTER is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refused {
    status: u16,
    reason: &'static str,
}

impl Refused {
    const fn new(status: u16, reason: &'static str) -> Self {
        Self { status, reason }
    }
}

/// Whether an answer may be computed again for a retransmission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    /// Nothing was used up.
    Again,
    /// The nonce count was.
    Once,
}

impl Core {
    /// A new REGISTER for a domain of ours, at the worker that owns its line.
    pub(crate) fn on_register(&mut self, request: &Incoming<'_>, view: &View) {
        let message = &request.message;
        if message.has(HeaderName::Require) {
            // §10.3 item 2, §8.2.2.3: no extension of registration is understood.
            self.counters.registrations_refused.increment();
            return self.answer_stateless(request, view, 420, "Bad Extension", |response| {
                response.header_with("Unsupported", |out| {
                    for (position, tag) in message.option_tags(HeaderName::Require).enumerate() {
                        out.extend_from_slice(if position > 0 { b", " } else { b"" });
                        out.extend_from_slice(tag);
                    }
                })
            });
        }
        let aor = match AddressOfRecord::of(self, message, view) {
            Ok(aor) => aor,
            Err(refused) => return self.refuse(request, view, Judged::Again, refused),
        };
        let line = aor.line.and_then(|slot| view.table.line(slot)).map(Arc::as_ref);
        let judged = match self.authorise(request, line, view) {
            Ok(judged) => judged,
            Err(()) => return,
        };
        let Some(line) = line else {
            // §10.3 item 5; with digest only who answered the challenge learns it.
            return self.refuse(request, view, judged, Refused::new(404, "Not Found"));
        };
        self.register(request, line, &aor, judged, view);
    }

    /// §10.3 items 3 and 4. `Err` when the request has been answered.
    fn authorise(&mut self, request: &Incoming<'_>, line: Option<&Line>, view: &View) -> Result<Judged, ()> {
        let open = view.policy.settings.registrar.open;
        let forbidden = line.is_some_and(|line| {
            line.kind == LineKind::Static || (!open && line.credentials.is_empty())
        });
        if forbidden {
            self.refuse(request, view, Judged::Again, Refused::new(403, "Forbidden"));
            return Err(());
        }
        if open { Ok(Judged::Again) } else { self.authenticate(request, line, view) }
    }

    /// §10.3 items 6 to 8.
    fn register(
        &mut self,
        request: &Incoming<'_>,
        line: &Line,
        aor: &AddressOfRecord<'_>,
        judged: Judged,
        view: &View,
    ) {
        let current = self.shared.slots.read(line.slot).and_then(Slot::targets);
        let current: &Targets = current.as_deref().unwrap_or(const { &Vec::new() });
        let registration = Registration {
            request,
            user: &aor.user,
            current,
            now: self.now,
            settings: &view.policy.settings.registrar,
        };
        let Change { targets, changes } = match registration.change() {
            Ok(Some(change)) => change,
            Ok(None) => {
                // A query changes nothing.
                self.counters.registrations_accepted.increment();
                let response = self.ok(request, current, aor, view);
                return self.reply(request, judged, 200, response);
            }
            Err(Fault::TooBrief) => {
                self.counters.registrations_refused.increment();
                let min_expires = view.policy.settings.registrar.min_expires_s;
                let response = self.response(request, view, 423, "Interval Too Brief", |response| {
                    response.header_with("Min-Expires", |out| push_decimal(out, min_expires))
                });
                return self.reply(request, judged, 423, response);
            }
            Err(Fault::Refused(refused)) => return self.refuse(request, view, judged, refused),
        };
        self.counters.registrations_accepted.increment();
        let response = self.ok(request, &targets, aor, view);
        let server = self.open_register(request);
        let seq = if changes.is_empty() { 0 } else { self.change_bindings(line.slot, targets, &changes, view) };
        self.answer_when_stored(server, response, seq, view);
    }

    /// The 200 with all bindings of the address-of-record (§10.3 item 8).
    fn ok(&self, request: &Incoming<'_>, targets: &Targets, aor: &AddressOfRecord<'_>, view: &View) -> Vec<u8> {
        let now = self.now;
        let unix_s = self.unix_s();
        self.response(request, view, 200, "OK", |mut response| {
            for target in contacts::bindings_of(targets, &aor.user) {
                let remaining = target.binding.as_ref().map_or(0, |binding| seconds_left(binding.expires, now));
                if remaining > 0 {
                    response = response.header_with("Contact", |out| contacts::write(target, remaining, out));
                }
            }
            response.header_with("Date", |out| date::write(unix_s, out))
        })
    }

    /// Hold `response` until the store has `seq`, at most as long as the settings say.
    fn answer_when_stored(&mut self, server: ServerId, response: Vec<u8>, seq: u64, view: &View) {
        let wait = Duration::try_from_secs_f64(view.policy.settings.registrar.store_wait_s).unwrap_or_default();
        if seq == 0 || wait.is_zero() || self.shared.stored_seq.load(Ordering::Acquire) >= seq {
            return self.release(server, response);
        }
        match self.registrar.pending.push(seq, server, response) {
            Ok(id) => self.wheel.insert(self.now + wait, Token::StoreWait(id)),
            Err(response) => {
                self.counters.registrations_unsaved.increment();
                self.release(server, response);
            }
        }
    }

    /// The store has all binding events up to `seq`.
    pub(crate) fn on_stored(&mut self, seq: u64) {
        while let Some((server, response)) = self.registrar.pending.pop_stored(seq) {
            self.release(server, response);
        }
    }

    /// A 200 waited long enough: the binding is in memory, and the phone repeats its REGISTER if nobody answers.
    pub(crate) fn on_store_wait(&mut self, wait: u64) {
        if let Some((server, response)) = self.registrar.pending.take(wait) {
            self.counters.registrations_unsaved.increment();
            self.release(server, response);
        }
    }

    fn release(&mut self, server: ServerId, response: Vec<u8>) {
        let (transactions, mut io) = self.transactions_io();
        transactions.respond(server, 200, response, &mut io);
    }

    fn refuse(&mut self, request: &Incoming<'_>, view: &View, judged: Judged, refused: Refused) {
        self.counters.registrations_refused.increment();
        let response = self.response(request, view, refused.status, refused.reason, |response| response);
        self.reply(request, judged, refused.status, response);
    }

    fn reply(&mut self, request: &Incoming<'_>, judged: Judged, status: u16, response: Vec<u8>) {
        match judged {
            Judged::Again => self.outbox.push(request.socket, request.answer_to, &response),
            Judged::Once => {
                let server = self.open_register(request);
                let (transactions, mut io) = self.transactions_io();
                transactions.respond(server, status, response, &mut io);
            }
        }
    }

    fn open_register(&mut self, request: &Incoming<'_>) -> ServerId {
        let key = self.shared.secrets.transaction.request_key(&request.identity);
        let (transactions, mut io) = self.transactions_io();
        transactions.open_server(key, false, request.answer_to, request.socket, &mut io)
    }

    fn response(
        &self,
        request: &Incoming<'_>,
        view: &View,
        status: u16,
        reason: &str,
        extra: impl for<'o> FnOnce(ResponseWriter<'o>) -> ResponseWriter<'o>,
    ) -> Vec<u8> {
        let tag = request.stateless_tag(&self.shared.secrets.tag);
        let server = view.policy.settings.server_header.as_bytes();
        let mut out = Vec::new();
        let response =
            ResponseWriter::new(&mut out, &request.message, status, reason, Some(&tag), Some(request.source));
        let response = extra(response);
        let response = if server.is_empty() { response } else { response.header("Server", server) };
        response.finish(None);
        out
    }

    /// The wall clock, for nonces and Date.
    fn unix_s(&self) -> u32 {
        u32::try_from(self.shared.clock.unix_ms(self.now) / 1000).unwrap_or(u32::MAX)
    }
}

/// Whole seconds, rounded up: a binding made now lives as long as it was asked for.
fn seconds_left(expires: Timestamp, now: Timestamp) -> u32 {
    let left = expires.saturating_duration_since(now).as_micros().div_ceil(1_000_000);
    u32::try_from(left).unwrap_or(u32::MAX)
}
