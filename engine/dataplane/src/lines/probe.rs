//! OPTIONS to targets (RFC 3261 §11): sent once, from the socket and to the address that calls use.
//!
//! Rules: while well, one each interval; from the first fault on one each fast interval, whatever is under way; no retransmission, the
//! counters of the verdict are the repetition; each ends by its own time-out, not by Timer F; an answer after that takes its loss
//! back and is a sign of life, no more.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use std::net::SocketAddr;
use std::time::Duration;

use route_core::LineSlot;
use sip_core::build::push_socket_address;
use sip_core::header::HeaderName;
use sip_core::message::Message;
use sip_core::time::Timestamp;
use sip_core::transaction::branch::LENGTH as BRANCH_LENGTH;
use sip_core::transaction::key::ClientKey;

use super::{pace, profile_of};
use crate::settings::ProbeSettings;
use crate::slots::Target;
use crate::transactions::KeyHasher;
use crate::worker::{Core, View};

/// A late answer is known as one for this long: 64·T1, when a transaction's peer has given up as well.
const LATE: Duration = Duration::from_secs(32);

/// Lost probes remembered at once; with more, the oldest are forgotten and their late answers are strays.
const LATE_LIMIT: usize = 1 << 17;

/// Probes under way, and lost ones whose answer may still come.
#[derive(Default)]
pub(super) struct Probes {
    sent: HashMap<ClientKey, Sent, BuildHasherDefault<KeyHasher>>,
    lost: VecDeque<(Timestamp, ClientKey)>,
}

#[derive(Clone, Copy)]
struct Sent {
    line: LineSlot,
    watch: u32,
    at: Timestamp,
}

impl Probes {
    /// Whose probe this is, under way or lost.
    pub(super) fn line_of(&self, key: ClientKey) -> Option<LineSlot> {
        self.sent.get(&key).map(|sent| sent.line)
    }

    /// Nobody waits for the answer any more, but it may come.
    pub(super) fn give_up(&mut self, key: ClientKey, now: Timestamp) {
        self.lost.push_back((now, key));
        while let Some((at, oldest)) = self.lost.front().copied() {
            if now < at + LATE && self.lost.len() <= LATE_LIMIT {
                break;
            }
            self.sent.remove(&oldest);
            self.lost.pop_front();
        }
    }

    /// Its target is gone.
    pub(super) fn forget(&mut self, key: ClientKey) {
        self.sent.remove(&key);
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.sent.len()
    }
}

impl Core {
    /// Count lost probes of `line` and send due ones. The caller settles the line afterwards.
    pub(super) fn work_probes(&mut self, line: LineSlot, view: &View) {
        let profile = profile_of(line, view);
        let targets = self.targets_of(line);
        let Some(owned) = self.lines.owned.get_mut(&line) else {
            return;
        };
        for (watch, target) in owned.watches.iter_mut().zip(targets.iter()) {
            while let Some(probe) = watch.take_lost(self.now) {
                if probe.reported {
                    // It has been counted.
                } else if probe.sent <= self.lines.stall.end {
                    // We may have slept through the answer.
                    let fast = profile.verdict.sane().fast_interval;
                    watch.not_before = self.now + pace::spread(line, 0, fast);
                    watch.health.handle_probe_void(self.now);
                    self.counters.probes_void.increment();
                } else {
                    watch
                        .health
                        .handle_probe_timeout(probe.sent, &profile.verdict, self.now);
                    self.counters.probes_lost.increment();
                }
                watch.plan(line, &profile.verdict, self.now);
                self.lines.probes.give_up(probe.key, self.now);
            }
            if watch.due > self.now || watch.is_full() {
                continue;
            }
            if watch.in_doubt() && !self.lines.budget.take(self.now) {
                watch.not_before = self.now + profile.verdict.sane().fast_interval;
                self.counters.probes_put_off.increment();
                continue;
            }
            let branch = self.branches.next_branch();
            let key = self
                .shared
                .secrets
                .transaction
                .client_key(&branch, b"OPTIONS");
            if let Some(local) = self.locals.get(target.socket).copied() {
                self.outbox.push_with(target.socket, target.address, |out| {
                    write_options(target, &profile.probe, local, &branch, out);
                });
            }
            watch.probe_sent(line, key, &profile.verdict, self.now);
            self.lines.probes.sent.insert(
                key,
                Sent {
                    line,
                    watch: watch.id,
                    at: self.now,
                },
            );
            self.counters.probes_sent.increment();
        }
    }

    /// A response that belongs to no client transaction; false: to no probe either.
    pub(crate) fn on_probe_response(
        &mut self,
        key: ClientKey,
        message: &Message<'_>,
        _source: SocketAddr,
        view: &View,
    ) -> bool {
        let Some(sent) = self.lines.probes.sent.get(&key).copied() else {
            return false;
        };
        let status = message.status().unwrap_or_default();
        let line = sent.line;
        let targets = self.targets_of(line);
        let profile = profile_of(line, view);
        let known = self.lines.owned.get_mut(&line).and_then(|owned| {
            let position = owned
                .watches
                .iter()
                .position(|watch| watch.id == sent.watch)?;
            Some((owned.watches.get_mut(position)?, targets.get(position)?))
        });
        let Some((watch, target)) = known else {
            self.lines.probes.forget(key);
            return true;
        };
        target.seen(self.now);
        if status < 200 {
            watch.health.handle_packet(self.now);
            return true;
        }
        self.lines.probes.forget(key);
        if watch.take(key).is_none() {
            watch
                .health
                .handle_probe_late(sent.at, &profile.verdict, self.now);
            self.settle(line, view);
            return true;
        }
        let rtt_us = u64::try_from((self.now - sent.at).as_micros()).unwrap_or(u64::MAX);
        let ill = profile.probe.ill_codes.contains(status);
        match retry_after(message).filter(|_| ill && status == 503) {
            Some(pause) => {
                watch
                    .health
                    .handle_hold_down(sent.at, pause, &profile.verdict, self.now);
            }
            None => {
                watch
                    .health
                    .handle_probe_answer(sent.at, !ill, status, &profile.verdict, self.now);
            }
        }
        target.set_rtt_us(u32::try_from(rtt_us).unwrap_or(u32::MAX - 1));
        self.counters.probes_answered.increment();
        self.shared.workers[self.index]
            .probe_round_trip
            .record(rtt_us);
        self.settle(line, view);
        true
    }
}

/// How long a target that answers 503 asks not to be troubled (RFC 3261 §20.33); what stands behind the number is for people.
fn retry_after(message: &Message<'_>) -> Option<Duration> {
    let value = message.header(HeaderName::RetryAfter)?;
    let length = value
        .iter()
        .take_while(|octet| octet.is_ascii_digit())
        .count();
    let seconds = str::from_utf8(value.get(..length)?).ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// RFC 3261 §11.1; each probe has a Call-ID of its own, since it stands in no dialog and follows no other.
fn write_options(
    target: &Target,
    probe: &ProbeSettings,
    local: SocketAddr,
    branch: &[u8; BRANCH_LENGTH],
    out: &mut Vec<u8>,
) {
    // Behind the cookie and the worker: unique without them.
    let unique = &branch[BRANCH_LENGTH - 24..];
    // Header fields in a URI have no place in a Request-URI (RFC 3261 §19.1.1).
    let uri = target
        .uri
        .split(|octet| *octet == b'?')
        .next()
        .unwrap_or_default();
    out.extend_from_slice(b"OPTIONS ");
    out.extend_from_slice(uri);
    out.extend_from_slice(b" SIP/2.0\r\nVia: SIP/2.0/UDP ");
    push_socket_address(out, local);
    out.extend_from_slice(b";rport;branch=");
    out.extend_from_slice(branch);
    out.extend_from_slice(b"\r\nMax-Forwards: 70\r\nFrom: <");
    push_uri(&probe.from_uri, local, out);
    out.extend_from_slice(b">;tag=");
    out.extend_from_slice(&unique[..12]);
    out.extend_from_slice(b"\r\nTo: <");
    out.extend_from_slice(uri);
    out.extend_from_slice(b">\r\nCall-ID: ");
    out.extend_from_slice(unique);
    out.extend_from_slice(b"\r\nCSeq: 1 OPTIONS\r\nContact: <");
    push_uri(&probe.contact_uri, local, out);
    out.extend_from_slice(b">\r\nAccept: application/sdp\r\nContent-Length: 0\r\n\r\n");
}

/// `uri`, or our own address where none is set.
fn push_uri(uri: &str, local: SocketAddr, out: &mut Vec<u8>) {
    if uri.is_empty() {
        out.extend_from_slice(b"sip:");
        push_socket_address(out, local);
    } else {
        out.extend_from_slice(uri.as_bytes());
    }
}
