//! Requests that were not delivered: what ICMP quotes, or what the kernel refused, is brought to the transaction or probe it belongs to.
//!
//! Rules: with `SO_REUSEPORT` an ICMP error may reach another worker's socket than the one that sent the datagram, so it goes
//! where the quoted branch belongs; without a readable quote every worker looks for what it has sent there. An error counts
//! only for a request that waits for its first answer at that very destination, and whose branch is the quoted one: nobody who
//! does not see our packets can know it. Anything else, as an error about a response, is nothing.

use std::net::SocketAddr;

use route_core::Unreachable;
use sip_core::transaction::branch::{LENGTH as BRANCH_LENGTH, worker_of};
use sip_core::transaction::key::ClientKey;

use super::{Core, Letter, View};
use crate::net::{NetworkError, SendFault, Unsent};

/// A report that a request of ours was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undelivered {
    pub(crate) kind: Unreachable,
    /// The target itself says so, not somebody on the way.
    pub(crate) by_target: bool,
    pub(crate) destination: SocketAddr,
    /// Of the request; `None` if it is not known: any that was sent there.
    pub(crate) request: Option<ClientKey>,
}

/// What the beginning of a datagram of ours tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quote<'q> {
    /// A request with a branch of ours.
    Request {
        method: &'q [u8],
        branch: &'q [u8],
        worker: usize,
    },
    /// Cut off before the branch.
    Short,
    /// A response, or something that we never send.
    Other,
}

impl<'q> Quote<'q> {
    fn read(quote: &'q [u8]) -> Self {
        const VIA: &[u8] = b"\r\nVia: ";
        const BRANCH: &[u8] = b";branch=";
        if quote.starts_with(b"SIP/") {
            return Self::Other;
        }
        // All our requests have our Via next to the request line.
        let Some(via) = find(quote, b"\r\n") else {
            return Self::Short;
        };
        let rest = &quote[via..];
        if rest.len() >= VIA.len() && !rest.starts_with(VIA) {
            return Self::Other;
        }
        let line_end = find(&rest[2.min(rest.len())..], b"\r\n").map(|end| end + 2);
        let value = &rest[..line_end.unwrap_or(rest.len())];
        let branch = find(value, BRANCH).and_then(|at| value.get(at + BRANCH.len()..));
        let branch = branch.and_then(|branch| branch.get(..BRANCH_LENGTH));
        let method = quote.split(|octet| *octet == b' ').next();
        match (branch, method) {
            (Some(branch), Some(method)) => {
                worker_of(branch).map_or(Self::Other, |worker| Self::Request {
                    method,
                    branch,
                    worker: usize::from(worker),
                })
            }
            _ if line_end.is_some() => Self::Other,
            _ => Self::Short,
        }
    }
}

fn find(octets: &[u8], wanted: &[u8]) -> Option<usize> {
    octets
        .windows(wanted.len())
        .position(|window| window == wanted)
}

impl Core {
    /// A socket of this worker tells of an ICMP error.
    pub(crate) fn on_network_error(&mut self, error: &NetworkError<'_>, view: &View) {
        self.counters.unreachables.increment();
        let report = Undelivered {
            kind: error.kind,
            by_target: error.by_target,
            destination: error.destination,
            request: None,
        };
        match Quote::read(error.quote) {
            Quote::Other => {}
            Quote::Request {
                method,
                branch,
                worker,
            } => {
                let key = self.shared.secrets.transaction.client_key(branch, method);
                self.deliver_report(
                    worker,
                    Undelivered {
                        request: Some(key),
                        ..report
                    },
                    view,
                );
            }
            Quote::Short => {
                for worker in 0..self.workers() {
                    self.deliver_report(worker, report, view);
                }
            }
        }
    }

    fn deliver_report(&mut self, worker: usize, report: Undelivered, view: &View) {
        if worker == self.index {
            self.on_undelivered(&report, view);
        } else if let Some(desk) = self.shared.workers.get(worker)
            && !desk.mailbox.post(Letter::Undelivered(report))
        {
            self.counters.mailbox_full.increment();
        }
    }

    /// A request of this worker was not delivered.
    pub(crate) fn on_undelivered(&mut self, report: &Undelivered, view: &View) {
        let Some(key) = report.request else {
            for client in self.transactions.recently_sent_to(report.destination) {
                self.on_client_unreachable(client, report, view);
            }
            return self.on_target_unreachable(report, view);
        };
        match self.transactions.find_client(key) {
            Some(client) => self.on_client_unreachable(client, report, view),
            None => self.on_probe_unreachable(key, report, view),
        }
    }

    /// The kernel did not take a request of this worker.
    pub(crate) fn on_unsent(&mut self, unsent: &Unsent, view: &View) {
        if unsent.fault == SendFault::NoRoute {
            let settings = &view.policy.settings.guard;
            let told = self
                .shared
                .guard
                .refused(unsent.destination, settings, self.now);
            self.shared.tell_guard(told, self.now);
        }
        let Quote::Request { method, branch, .. } = Quote::read(&unsent.quote) else {
            return;
        };
        let key = self.shared.secrets.transaction.client_key(branch, method);
        match unsent.fault {
            SendFault::NoRoute => self.on_undelivered(
                &Undelivered {
                    kind: Unreachable::NoRoute,
                    by_target: false,
                    destination: unsent.destination,
                    request: Some(key),
                },
                view,
            ),
            // A transaction repeats its request; a probe has only the one.
            SendFault::Void => self.on_probe_void(key, view),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BRANCH: &str = "z9hG4bK0200112233445566778899aabb";

    #[test]
    fn a_quote_is_read_as_far_as_it_goes() {
        let request = format!(
            "INVITE sip:+493023125001@198.51.100.7;branch=x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;rport;branch={BRANCH}\r\nFrom: a"
        );
        let readable = Quote::Request {
            method: b"INVITE",
            branch: BRANCH.as_bytes(),
            worker: 2,
        };
        let branch_end = request.find(BRANCH).unwrap() + BRANCH.len();
        for end in 0..=request.len() {
            let expected = if end >= branch_end {
                readable
            } else {
                Quote::Short
            };
            assert_eq!(
                expected,
                Quote::read(&request.as_bytes()[..end]),
                "{:?}",
                &request[..end]
            );
        }
    }

    #[test]
    fn other_datagrams_are_nothing() {
        let rows = [
            "SIP/2.0 302 Moved Temporarily\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK0200112233445566778899aabb\r\n",
            "INVITE sip:a SIP/2.0\r\nFrom: a\r\nVia: x;branch=z9hG4bK0200112233445566778899aabb\r\n",
            "INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKforeign\r\nFrom: z9hG4bK0200112233445566778899aabb\r\n",
            "INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKforeign-as-long-as-one-of-ours\r\n",
        ];
        for row in rows {
            assert_eq!(Quote::Other, Quote::read(row.as_bytes()), "{row}");
        }
    }
}
