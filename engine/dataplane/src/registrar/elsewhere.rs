//! REGISTERs for lines whose registrar is somebody else's: its own, sent to us for our knowledge, and those of phones that pass
//! through us to it.
//!
//! Rules: a third-party REGISTER (RFC 3261 §10.2, 3GPP TS 24.229) is taken from the registrar's addresses only; its contact is
//! the registrar itself, so what counts is whether it is there and for how long. A phone's REGISTER goes on to the registrar with a
//! Path of ours (RFC 3327 §5.2) whose token names the phone's flow; challenges and refusals pass, and what the 200 lists is what is
//! known. No phone is refused for want of `Supported: path`: few have it, and a registrar that insists says so itself with 420.
//! A request comes back by that Path only from the registrar's addresses, and goes to the flow in the token and nowhere else.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::net::SocketAddr;
use std::sync::Arc;

use route_core::{Line, LineKind, LineSlot};
use sip_core::build::{push_decimal, push_socket_address};
use sip_core::header::HeaderName;
use sip_core::message::Message;
use sip_core::method::Method;
use sip_core::uri::Host;

use super::aor::{line_of, unescaped};
use super::{Judged, Refused};
use crate::rows::{RegistrationRow, RegistrationState};
use crate::settings::{ForeignMode, ForeignRegistrar};
use crate::token::Ends;
use crate::worker::{Core, Incoming, View};

/// Longest time that is believed: a week, as our own registrar's.
const LONGEST_S: u32 = 604_800;

/// Contacts of a 200 that are looked at.
const MAX_CONTACTS: usize = 100;

/// Registrars write whole seconds, and their 200 was on its way.
const ROUNDING_MS: u64 = 1000;

impl Core {
    /// A REGISTER whose To names a foreign line; false: it does not, and nothing was done.
    pub(crate) fn on_foreign_register(&mut self, request: &Incoming<'_>, view: &View) -> bool {
        let Some((line, registrar)) = self.foreign_line_of(request.message, view) else {
            return false;
        };
        let from_registrar = registrar.sources.contains(&request.source.ip());
        match registrar.mode {
            ForeignMode::ThirdParty if from_registrar => {
                self.on_third_party_register(request, &line, registrar, view);
            }
            ForeignMode::Path => self.on_passing_register(request, &line, view),
            _ => self.refuse(request, view, Judged::Again, Refused::new(403, "Forbidden")),
        }
        true
    }

    fn foreign_line_of<'v>(
        &self,
        message: &Message<'_>,
        view: &'v View,
    ) -> Option<(Arc<Line>, &'v ForeignRegistrar)> {
        let uri = message.to().ok()?.uri().ok()?;
        let line = view.table.line(line_of(&uri, view)?)?;
        let name = &line.elsewhere.as_ref()?.registrar;
        let registrar = view.policy.foreign_registrar(name)?;
        let domain = registrar.domain.as_bytes();
        let theirs = match (uri.host, uri.host.ip()) {
            (Host::Absent, _) => true,
            (Host::Name(host), _) => host.eq_ignore_ascii_case(domain),
            (_, Some(ip)) => registrar.domain.trim_matches(['[', ']']).parse() == Ok(ip),
            _ => false,
        };
        let ours = || line.kind == LineKind::Foreign && self.is_own_domain(&uri.host, view);
        (theirs || ours()).then(|| (Arc::clone(line), registrar))
    }

    /// The registrar says that the user is there, or is not.
    fn on_third_party_register(
        &mut self,
        request: &Incoming<'_>,
        line: &Line,
        registrar: &ForeignRegistrar,
        view: &View,
    ) {
        let message = &request.message;
        let contact = if message.contact_is_star() {
            None
        } else {
            match message.contacts().next() {
                Some(Ok(contact)) => Some(contact),
                Some(Err(_)) => {
                    let refused = Refused::new(400, "Malformed Contact Header Field");
                    return self.refuse(request, view, Judged::Again, refused);
                }
                None => None,
            }
        };
        let is_query = contact.is_none() && !message.contact_is_star();
        if is_query {
            let response = Self::response(request, view, 200, "OK", |response| response);
            return self.reply(request, Judged::Again, 200, response);
        }
        let default = view.policy.settings.registrar.default_expires_s;
        let expires_s = contact
            .and_then(|contact| contact.expires())
            .or_else(|| message.expires())
            .unwrap_or(if contact.is_some() { default } else { 0 })
            .min(LONGEST_S);
        let user = Self::user_of(message);
        let order = (call_id_hash(message.call_id()), message.cseq().number);
        if !self.is_in_order(line.slot, &user, order) {
            // RFC 3261 §10.3 item 7.
            let refused = Refused::new(500, "CSeq Out of Order");
            return self.refuse(request, view, Judged::Again, refused);
        }
        let now_unix_ms = self.shared.clock.unix_ms(self.now);
        let present = expires_s > 0;
        let row = RegistrationRow {
            line: line.slot,
            user,
            state: if present {
                RegistrationState::Present
            } else {
                RegistrationState::Removed
            },
            since_unix_ms: now_unix_ms,
            expires_unix_ms: present.then(|| now_unix_ms + u64::from(expires_s) * 1000),
            contacts: u32::from(present),
            evidence: if present {
                format!("{} registered it here", registrar.name)
            } else {
                format!("{} says that it is no longer registered", registrar.name)
            },
            order: Some(order),
        };
        self.counters.registrations_accepted.increment();
        self.on_registrations(&[row], view);
        let response = Self::response(request, view, 200, "OK", |response| match contact {
            Some(contact) if present => response.header_with("Contact", |out| {
                out.push(b'<');
                out.extend_from_slice(contact.uri);
                out.extend_from_slice(b">;expires=");
                push_decimal(out, expires_s);
            }),
            _ => response,
        });
        self.reply(request, Judged::Once, 200, response);
    }

    /// A phone's REGISTER on its way to its registrar.
    fn on_passing_register(&mut self, request: &Incoming<'_>, line: &Line, view: &View) {
        if request.message.max_forwards() == Some(0) {
            return self.answer_stateless(request, view, 483, "Too Many Hops", |response| response);
        }
        if self.has_foreign_route(request, view) {
            self.counters.requests_forbidden.increment();
            return self
                .answer_stateless(request, view, 403, "Route Not Allowed", |response| response);
        }
        let hops = self.call_targets(line.slot);
        let hop = hops
            .iter()
            .find_map(|hop| Some((hop.address, self.socket_for(hop.address, hop.socket)?)));
        let Some((address, socket)) = hop else {
            return self.answer_stateless(
                request,
                view,
                480,
                "Temporarily Unavailable",
                |response| response,
            );
        };
        self.counters.requests_proxied.increment();
        let path = self.path_value(request, address, socket);
        let pop_routes = request.message.values(HeaderName::Route).count();
        self.pass_register(request, line.slot, (address, socket), pop_routes, &path);
    }

    /// Our Path (RFC 3327 §4): how the registrar's network reaches us, with the phone's flow in the user part.
    fn path_value(&self, request: &Incoming<'_>, registrar: SocketAddr, socket: usize) -> Vec<u8> {
        let ends = Ends {
            line: request.source,
            core: registrar,
        };
        let mut value = Vec::with_capacity(96);
        value.extend_from_slice(b"<sip:");
        ends.write(&self.shared.secrets.path, &mut value);
        value.push(b'-');
        push_decimal(&mut value, u32::try_from(request.socket).unwrap_or(0));
        value.push(b'@');
        push_socket_address(&mut value, self.locals[socket]);
        value.extend_from_slice(b";lr>");
        value
    }

    /// The flow that the topmost Route names, if that is a Path of ours: the phone, and the socket that it knows us by.
    pub(crate) fn path_flow(
        &self,
        request: &Incoming<'_>,
        view: &View,
    ) -> Option<(SocketAddr, usize)> {
        if !request.message.has(HeaderName::Route) {
            return None;
        }
        let uri = request.message.routes().next()?.ok()?.uri().ok()?;
        if !self.is_own_host(&uri.host, uri.port, view) {
            return None;
        }
        let user = uri.user?;
        let dash = user.iter().rposition(|octet| *octet == b'-')?;
        let socket = std::str::from_utf8(user.get(dash + 1..)?)
            .ok()?
            .parse()
            .ok()?;
        let ends = Ends::read(user.get(..dash)?, &self.shared.secrets.path)?;
        Some((ends.line, socket))
    }

    /// A request that the registrar's network sends along our Path: to the phone's flow.
    pub(crate) fn on_path_request(
        &mut self,
        request: &Incoming<'_>,
        (flow, socket): (SocketAddr, usize),
        view: &View,
    ) {
        let ip = request.source.ip();
        let mut registrars = view.policy.settings.foreign_registrars.iter();
        let known = registrars.any(|registrar| {
            registrar.mode == ForeignMode::Path && registrar.sources.contains(&ip)
        });
        if !known {
            self.counters.requests_forbidden.increment();
            return self.answer_stateless(request, view, 403, "Forbidden", |response| response);
        }
        if self.is_draining() && request.message.method() == Method::Invite {
            self.counters.requests_drained.increment();
            return self.answer_stateless(request, view, 503, "Service Unavailable", |response| {
                response
            });
        }
        let Some(socket) = self.socket_for(flow, socket) else {
            // RFC 5626 §5.3: the flow is gone.
            return self.answer_stateless(request, view, 430, "Flow Failed", |response| response);
        };
        self.counters.requests_proxied.increment();
        self.pass_to_flow(request, flow, socket);
    }

    /// The registrar accepted a phone's REGISTER: what its 200 lists is what there is (RFC 3261 §10.3 item 8).
    pub(crate) fn on_registered_elsewhere(
        &mut self,
        line: LineSlot,
        response: &Message<'_>,
        view: &View,
    ) {
        let mut contacts = 0;
        let mut longest_s = 0;
        for contact in response.contacts().take(MAX_CONTACTS).flatten() {
            let expires_s = contact
                .expires()
                .or_else(|| response.expires())
                .unwrap_or(view.policy.settings.registrar.default_expires_s)
                .min(LONGEST_S);
            if expires_s > 0 {
                contacts += 1;
                longest_s = longest_s.max(expires_s);
            }
        }
        let now_unix_ms = self.shared.clock.unix_ms(self.now);
        let present = contacts > 0;
        let row = RegistrationRow {
            line,
            user: Self::user_of(response),
            state: if present {
                RegistrationState::Present
            } else {
                RegistrationState::Removed
            },
            since_unix_ms: now_unix_ms,
            expires_unix_ms: present
                .then(|| now_unix_ms + u64::from(longest_s) * 1000 + ROUNDING_MS),
            contacts,
            evidence: if present {
                "its registrar accepted a REGISTER that passed here".to_owned()
            } else {
                "its registrar has no contact after a REGISTER that passed here".to_owned()
            },
            order: None,
        };
        self.on_registrations(&[row], view);
    }

    /// The user part of To, as lines are named by it.
    fn user_of(message: &Message<'_>) -> String {
        let uri = message.to().and_then(|to| to.uri());
        let user = uri.ok().and_then(|uri| uri.user).unwrap_or_default();
        String::from_utf8_lossy(&unescaped(user)).into_owned()
    }
}

fn call_id_hash(call_id: &[u8]) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(call_id)
}
