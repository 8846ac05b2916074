//! The answers to a REGISTER, and how a 200 waits for the store.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sip_core::build::{ResponseWriter, push_decimal};
use sip_core::time::Timestamp;

use super::aor::AddressOfRecord;
use super::{Judged, Refused, date};
use crate::slots::{Target, Targets};
use crate::transactions::ServerId;
use crate::worker::{Core, Incoming, Token, View};

impl Core {
    /// The 200 with all bindings of the address-of-record (§10.3 item 8).
    pub(super) fn ok(
        &self,
        request: &Incoming<'_>,
        targets: &Targets,
        aor: &AddressOfRecord<'_>,
        view: &View,
    ) -> Vec<u8> {
        let now = self.now;
        let unix_s = self.unix_s();
        Self::response(request, view, 200, "OK", |mut response| {
            for target in bindings_of(targets, &aor.user) {
                let remaining = target
                    .binding
                    .as_ref()
                    .map_or(0, |binding| seconds_left(binding.expires, now));
                if remaining > 0 {
                    response = response
                        .header_with("Contact", |out| write_contact(target, remaining, out));
                }
            }
            response.header_with("Date", |out| date::write(unix_s, out))
        })
    }

    /// Hold `response` until the store has `seq`, at most as long as the settings say.
    pub(super) fn answer_when_stored(
        &mut self,
        server: ServerId,
        response: Vec<u8>,
        seq: u64,
        view: &View,
    ) {
        let wait = Duration::try_from_secs_f64(view.policy.settings.registrar.store_wait_s)
            .unwrap_or_default();
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

    pub(super) fn refuse(
        &mut self,
        request: &Incoming<'_>,
        view: &View,
        judged: Judged,
        refused: Refused,
    ) {
        self.counters.registrations_refused.increment();
        let response = Self::response(request, view, refused.status, refused.reason, |response| {
            response
        });
        self.reply(request, judged, refused.status, response);
    }

    pub(super) fn reply(
        &mut self,
        request: &Incoming<'_>,
        judged: Judged,
        status: u16,
        response: Vec<u8>,
    ) {
        match judged {
            Judged::Again => self
                .outbox
                .push(request.socket, request.answer_to, &response),
            Judged::Once => {
                let server = self.open_register(request);
                let (transactions, mut io) = self.transactions_io();
                transactions.respond(server, status, response, &mut io);
            }
        }
    }

    pub(super) fn open_register(&mut self, request: &Incoming<'_>) -> ServerId {
        let key = self
            .shared
            .secrets
            .transaction
            .request_key(&request.identity);
        let (transactions, mut io) = self.transactions_io();
        transactions.open_server(key, false, request.answer_to, request.socket, &mut io)
    }

    pub(super) fn response(
        request: &Incoming<'_>,
        view: &View,
        status: u16,
        reason: &str,
        extra: impl for<'o> FnOnce(ResponseWriter<'o>) -> ResponseWriter<'o>,
    ) -> Vec<u8> {
        let tag = request.own_tag();
        let server = view.policy.settings.server_header.as_bytes();
        let mut out = Vec::new();
        let response = ResponseWriter::new(
            &mut out,
            request.message,
            status,
            reason,
            Some(&tag),
            Some(request.source),
        );
        let response = extra(response);
        let response = if server.is_empty() {
            response
        } else {
            response.header("Server", server)
        };
        response.finish(None);
        out
    }

    /// The wall clock, for nonces and Date.
    pub(super) fn unix_s(&self) -> u32 {
        u32::try_from(self.shared.clock.unix_ms(self.now) / 1000).unwrap_or(u32::MAX)
    }
}

/// Whole seconds, rounded up: a binding made now lives as long as it was asked for.
fn seconds_left(expires: Timestamp, now: Timestamp) -> u32 {
    let left = expires
        .saturating_duration_since(now)
        .as_micros()
        .div_ceil(1_000_000);
    u32::try_from(left).unwrap_or(u32::MAX)
}

/// The bindings of one address-of-record among a line's targets.
fn bindings_of<'t>(targets: &'t Targets, user: &'t [u8]) -> impl Iterator<Item = &'t Target> {
    targets.iter().map(Arc::as_ref).filter(move |target| {
        target
            .binding
            .as_ref()
            .is_some_and(|binding| binding.user.as_bytes() == user)
    })
}

/// Append one Contact value of a 200: §10.3 item 8 wants `expires`, §10.2.1.2 gives `q` back.
fn write_contact(target: &Target, expires_s: u32, out: &mut Vec<u8>) {
    out.push(b'<');
    out.extend_from_slice(&target.uri);
    out.extend_from_slice(b">;expires=");
    push_decimal(out, expires_s);
    let q = 1000 - target.rank.min(1000);
    out.extend_from_slice(b";q=");
    push_decimal(out, u32::from(q / 1000));
    let thousandths = q % 1000;
    if thousandths > 0 {
        out.push(b'.');
        for (place, rest) in [(100, 1000), (10, 100), (1, 10)] {
            if !thousandths.is_multiple_of(rest) {
                out.push(b'0' + (thousandths % rest / place) as u8);
            }
        }
    }
}
