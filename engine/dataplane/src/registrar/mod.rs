//! The registrar of RFC 3261 §10: binds an address-of-record's contacts to the line that owns it.
//!
//! A REGISTER passes the steps of §10.3 in their order: Require, authentication, authorisation, the address-of-record,
//! the contacts. All contacts are taken or none. A 200 that changed bindings waits for the store, but not for ever.
//!
//! Refusals before the credentials are stateless (§8.2.7). From there on a server transaction absorbs retransmissions: their
//! nonce count is used up and their `CSeq` no longer new, so judged again they would fail.
//!
//! Calls to a contact go where its REGISTER came from, not where its URI points: most phones are behind a NAT and write their
//! private address into Contact. The URI is kept as it came and is the Request-URI of the calls; its headers are never applied.

mod answers;
mod aor;
mod contacts;
mod date;
mod digest;
mod elsewhere;
mod pending;
#[cfg(test)]
mod tests;

pub(crate) use aor::line_of;

use std::sync::Arc;

use route_core::{Line, LineKind};
use sip_core::build::push_decimal;
use sip_core::digest::{NonceKey, ReplayWindow};
use sip_core::header::HeaderName;

use crate::secret::{Secrets, random_u64};
use crate::slots::{Slot, Targets};
use crate::worker::{Core, Incoming, View};
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

    /// Whether a 200 waits for the store.
    pub(crate) fn is_waiting(&self) -> bool {
        self.pending.is_waiting()
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
        let mut required = message.option_tags(HeaderName::Require);
        if required.next().is_some() {
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
        let line = aor
            .line
            .and_then(|slot| view.table.line(slot))
            .map(Arc::as_ref);
        let Ok(judged) = self.authorise(request, line, view) else {
            return;
        };
        let Some(line) = line else {
            // §10.3 item 5; with digest only who answered the challenge learns it.
            return self.refuse(request, view, judged, Refused::new(404, "Not Found"));
        };
        self.register(request, line, &aor, judged, view);
    }

    /// §10.3 items 3 and 4. `Err` when the request has been answered.
    fn authorise(
        &mut self,
        request: &Incoming<'_>,
        line: Option<&Line>,
        view: &View,
    ) -> Result<Judged, ()> {
        let open = view.policy.settings.registrar.open;
        let forbidden = line.is_some_and(|line| {
            line.kind == LineKind::Static || (!open && line.credentials.is_empty())
        });
        if forbidden {
            self.refuse(request, view, Judged::Again, Refused::new(403, "Forbidden"));
            return Err(());
        }
        if open {
            Ok(Judged::Again)
        } else {
            self.authenticate(request, line, view)
        }
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
                let response =
                    Self::response(request, view, 423, "Interval Too Brief", |response| {
                        response.header_with("Min-Expires", |out| push_decimal(out, min_expires))
                    });
                return self.reply(request, judged, 423, response);
            }
            Err(Fault::Refused(refused)) => return self.refuse(request, view, judged, refused),
        };
        self.counters.registrations_accepted.increment();
        let response = self.ok(request, &targets, aor, view);
        let server = self.open_register(request);
        let seq = if changes.is_empty() {
            0
        } else {
            self.change_bindings(line.slot, targets, &changes, view)
        };
        self.answer_when_stored(server, response, seq, view);
    }
}
