//! The 200 of a phone that was ringing when this process was killed and started again.
//!
//! RFC 6026 has a response without a transaction dropped, and so it is, but for this: within Timer C of the start, a 2xx to
//! an INVITE of a former life goes on without a transaction if its next hop is a core peer and it comes from a line that was up before
//! the restart and is. The caller waits for it, and his ACK and BYE find their way by our Record-Route. Calls of a line that was not up
//! may have been diverted: their caller has an answer, and must not get another.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use route_core::Health;
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
        if !awaited || !self.was_always_up(source) {
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

    /// Whether a line that is reached there has been up since before the start.
    fn was_always_up(&mut self, source: SocketAddr) -> bool {
        let mut lines = std::mem::take(&mut self.neighbours);
        self.shared.addresses.lines_at(source, &mut lines);
        let started = self.lines.started();
        let up = lines.iter().any(|line| {
            let slot = self.shared.slots.read(*line);
            slot.is_some_and(|slot| slot.health() == Health::Up && slot.since() <= started)
        });
        lines.clear();
        self.neighbours = lines;
        up
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
