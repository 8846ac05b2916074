//! Requests within dialogs, ACK end to end, and other requests of the core for a number (RFC 3261 §16.4–§16.6).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use route_core::{Decision, InterconnectFlags, NoTrace, decide};
use sip_core::build::RequestForward;
use sip_core::header::HeaderName;
use sip_core::uri::{Host, Uri};

use super::forward::{Copy, request_uri_for, via_value};
use crate::slots::Target;
use crate::token::Ends;
use crate::worker::{Core, Incoming, View};

/// Where a request within a dialog goes.
struct NextHop {
    destination: SocketAddr,
    socket: usize,
    pop_routes: usize,
}

impl Core {
    /// A request with a To tag: it follows the Route that we put into its dialog.
    pub(crate) fn on_in_dialog(&mut self, request: &Incoming<'_>, view: &View) {
        let hop = self.next_hop(request, view);
        let Some(hop) = hop.filter(|hop| self.socket_for(hop.destination, hop.socket).is_some())
        else {
            self.counters.requests_forbidden.increment();
            return self.answer_stateless(
                request,
                view,
                481,
                "Call/Transaction Does Not Exist",
                |response| response,
            );
        };
        self.counters.requests_proxied.increment();
        let id = self.open_context(request, None, VecDeque::new());
        let copy = Copy {
            request_uri: None,
            destination: hop.destination,
            socket: hop.socket,
            pop_routes: hop.pop_routes,
            ends: None,
            target: None,
            path: None,
        };
        self.send_copy(id, &copy);
    }

    /// An ACK to a 2xx has no transaction: it is sent on as it is (RFC 3261 §16.11, §17.1).
    pub(crate) fn on_end_to_end_ack(&mut self, request: &Incoming<'_>, view: &View) {
        let hop = self.next_hop(request, view);
        let hop = hop.filter(|_| request.message.max_forwards() != Some(0));
        let Some((hop, socket)) = hop.and_then(|hop| {
            let socket = self.socket_for(hop.destination, hop.socket)?;
            Some((hop, socket))
        }) else {
            self.counters.stray_dropped.increment();
            return;
        };
        let via = via_value(self.locals[socket], &self.branches.next_branch());
        let forward = RequestForward {
            via: &via,
            received: Some(request.source),
            pop_routes: hop.pop_routes,
            max_forwards: request
                .message
                .max_forwards()
                .unwrap_or(71)
                .saturating_sub(1),
            ..RequestForward::default()
        };
        self.outbox.push_with(socket, hop.destination, |out| {
            forward.write(request.message, out);
        });
    }

    /// §16.4: our own Route values are taken off; the token in them says which two ends this dialog joins, and whoever is not the
    /// line's end talks to it.
    fn next_hop(&self, request: &Incoming<'_>, view: &View) -> Option<NextHop> {
        let mut pop_routes = 0;
        let mut socket = request.socket;
        let mut ends = None;
        let mut next_route = None;
        for value in request.message.routes() {
            let Ok(uri) = value.and_then(|route| route.uri()) else {
                return None;
            };
            if next_route.is_none() && self.is_own_host(&uri.host, uri.port, view) {
                pop_routes += 1;
                // The last of our values is that of the side where the request leaves (RFC 5658).
                socket = self.socket_of(&uri).unwrap_or(socket);
                ends = ends.or_else(|| Ends::read(uri.user?, &self.shared.secrets.route));
            } else if next_route.is_none() {
                next_route = Some(uri);
            }
        }
        let ends = ends?;
        let from_line = request.source == ends.line
            || (view.policy.interconnect_of(request.source).is_none()
                && request.source != ends.core);
        let wanted = match &next_route {
            Some(route) => address_of(route),
            None => address_of(&request.message.uri().ok()?),
        };
        let destination = if from_line {
            // A line reaches core peers only, or a stolen token would make us an open relay. A name cannot be resolved here; the
            // core takes its dialogs where it sent the INVITE from.
            wanted
                .filter(|address| view.policy.interconnect_of_ip(address.ip()))
                .unwrap_or(ends.core)
        } else {
            // The phone's own Contact may be behind a NAT; elements that it put between us may not.
            next_route.as_ref().and(wanted).unwrap_or(ends.line)
        };
        Some(NextHop {
            destination,
            socket,
            pop_routes,
        })
    }

    /// The socket that a URI of our own names by its address.
    fn socket_of(&self, uri: &Uri<'_>) -> Option<usize> {
        let address = address_of(uri)?;
        self.locals.iter().position(|local| *local == address)
    }

    /// MESSAGE, SUBSCRIBE, OPTIONS for a number, unknown methods: as a call, without its rescue.
    pub(crate) fn on_other(&mut self, request: &Incoming<'_>, uri: &Uri<'_>, view: &View) {
        let Some(interconnect) = view.policy.interconnect_of(request.source) else {
            self.counters.requests_forbidden.increment();
            return self.answer_stateless(request, view, 403, "Forbidden", |response| response);
        };
        if self.has_foreign_route(request, view) {
            self.counters.requests_forbidden.increment();
            return self
                .answer_stateless(request, view, 403, "Route Not Allowed", |response| response);
        }
        let flags = InterconnectFlags::default();
        let called = interconnect
            .plan
            .canonical(uri.dialled().unwrap_or_default())
            .ok();
        let decision = called.map(|called| {
            decide(
                called,
                &view.table,
                |line| self.line_view(line, view),
                flags,
                &mut NoTrace,
            )
        });
        let (line, called) = match (decision, called) {
            (Some(Decision::Proxy { line, .. }), Some(called)) => (line, called),
            (Some(Decision::Redirect { .. } | Decision::Unavailable { .. }), _) => {
                return self.answer_stateless(
                    request,
                    view,
                    480,
                    "Temporarily Unavailable",
                    |response| response,
                );
            }
            _ => {
                return self.answer_stateless(request, view, 404, "Not Found", |response| response);
            }
        };
        let reachable =
            |target: &Arc<Target>| self.socket_for(target.address, target.socket).is_some();
        let Some(target) = self.call_targets(line).into_iter().find(reachable) else {
            return self.answer_stateless(
                request,
                view,
                480,
                "Temporarily Unavailable",
                |response| response,
            );
        };
        self.counters.requests_proxied.increment();
        let id = self.open_context(request, None, VecDeque::new());
        let copy = Copy {
            request_uri: Some(&request_uri_for(&target, line, called, view)),
            destination: target.address,
            socket: target.socket,
            pop_routes: request.message.values(HeaderName::Route).count(),
            ends: Some(Ends {
                line: target.address,
                core: request.source,
            }),
            target: None,
            path: None,
        };
        self.send_copy(id, &copy);
    }
}

/// The address in a URI that needs no resolution.
fn address_of(uri: &Uri<'_>) -> Option<SocketAddr> {
    let port = uri.port.unwrap_or(5060);
    match uri.host {
        Host::V4(ip) => Some(SocketAddr::new(ip.into(), port)),
        Host::V6(ip) => Some(SocketAddr::new(ip.into(), port)),
        _ => None,
    }
}
