//! The 200 of a phone that was ringing when this process was killed and started again.
//!
//! RFC 6026 has a response without a transaction dropped, and so it is, but for this: within Timer C of the start, a 2xx to
//! an INVITE of a former life, from an address where a line of ours is reached, goes on without a transaction as long as its next hop is a core peer. The
//! caller waits for it, and his ACK and BYE find their way by our Record-Route.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sip_core::build::write_forwarded_response;
use sip_core::header::{HeaderName, Rport, Via};
use sip_core::message::Message;
use sip_core::method::Method;

use super::{Core, View};

/// Timer C, and 64·T1 for the repetitions of what came at its end.
const WAITED_FOR: Duration = Duration::from_secs(181 + 32);

impl Core {
    /// Whether `response`, which belongs to no transaction, was passed on.
    pub(super) fn forward_orphan(
        &mut self,
        branch: &[u8],
        response: &Message<'_>,
        source: SocketAddr,
        socket: usize,
        view: &View,
    ) -> bool {
        let awaited = response.method() == Method::Invite
            && matches!(response.status(), Some(200..=299))
            && self.branches.is_foreign(branch)
            && self.now < self.lines.started() + WAITED_FOR;
        if !awaited || !self.is_of_a_line(source) {
            return false;
        }
        let next = response.values(HeaderName::Via).nth(1).map(Via::parse);
        let Some(destination) = next.and_then(Result::ok).and_then(|via| answer_to(&via)) else {
            return false;
        };
        if view.policy.interconnect_of(destination).is_none() {
            return false;
        }
        let Some(socket) = self.socket_for(destination, socket) else {
            return false;
        };
        let mut written = false;
        self.outbox.push_with(socket, destination, |out| {
            written = write_forwarded_response(response, out);
        });
        if written {
            self.counters.orphans_forwarded.increment();
        }
        written
    }

    fn is_of_a_line(&mut self, source: SocketAddr) -> bool {
        let mut lines = std::mem::take(&mut self.neighbours);
        self.shared.addresses.lines_at(source, &mut lines);
        let known = !lines.is_empty();
        lines.clear();
        self.neighbours = lines;
        known
    }
}

/// Where a response goes by the Via that it was asked with (RFC 3261 §18.2.2, RFC 3581 §4), if that names an address.
fn answer_to(via: &Via<'_>) -> Option<SocketAddr> {
    let received = via
        .received
        .and_then(|text| std::str::from_utf8(text).ok())
        .and_then(|text| text.trim_matches(['[', ']']).parse::<IpAddr>().ok());
    let port = match via.rport {
        Rport::Port(port) => port,
        Rport::Absent | Rport::Flag => via
            .sent_by
            .port
            .unwrap_or_else(|| via.transport.default_port()),
    };
    Some(SocketAddr::new(
        received.or_else(|| via.sent_by.host.ip())?,
        port,
    ))
}
