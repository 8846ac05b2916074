//! Lines whose phones register at somebody else's registrar: what it tells of them, and when that runs out.
//!
//! Rules: a registration is what its registrar last said of it; where it says nothing any more the registration is untold, which
//! is no reason to divert; the next hops of the registrar's network are watched once, as the static peers of a line of their
//! own. A call that hears nothing at all tells of that hop, not of the phone behind it: the customer is not at fault when the
//! registrar is.

use std::net::SocketAddr;
use std::sync::Arc;

use route_core::{CallOutcome, Cause, Line, LineKind, LineSlot, Registration};
use sip_core::build::push_socket_address;
use sip_core::time::Timestamp;

use super::bindings::First;
use super::{Owned, profile_of};
use crate::rows::{RegistrationRow, RegistrationState};
use crate::slots::{Slot, Target, Targets};
use crate::worker::{Core, View};

/// What the registrar said of a line.
#[derive(Default)]
pub(super) struct Foreign {
    /// One entry a user of whom it spoke; the empty user stands for the whole line.
    told: Vec<Told>,
    /// The last word, for people.
    evidence: Box<str>,
}

struct Told {
    user: Box<str>,
    registration: Registration,
    /// When it runs out; `MAX`: unknown.
    expires: Timestamp,
    contacts: u32,
    since_unix_ms: u64,
    /// Hash of the Call-ID and `CSeq` of the REGISTER that told it.
    order: Option<(u64, u32)>,
}

impl Foreign {
    /// Take one report; false if a newer one is known.
    fn take(&mut self, row: &RegistrationRow, expires: Timestamp) -> bool {
        let told = Told {
            user: row.user.as_str().into(),
            registration: registration(row.state),
            expires,
            contacts: row.contacts,
            since_unix_ms: row.since_unix_ms,
            order: row.order,
        };
        match self.told.iter_mut().find(|known| known.user == told.user) {
            Some(known) if known.since_unix_ms > told.since_unix_ms => return false,
            Some(known) => *known = told,
            None => self.told.push(told),
        }
        self.evidence = row.evidence.as_str().into();
        true
    }

    /// One registered user is enough; else a user of whom nothing is known may be there.
    fn registration(&self) -> Registration {
        let any = |wanted: Registration| self.told.iter().any(|told| told.registration == wanted);
        for wanted in [Registration::Present, Registration::Untold] {
            if any(wanted) {
                return wanted;
            }
        }
        let last = self.told.iter().max_by_key(|told| told.since_unix_ms);
        last.map_or(Registration::Unknown, |told| told.registration)
    }

    /// When the first of the registrations runs out.
    fn deadline(&self) -> Timestamp {
        let present = self
            .told
            .iter()
            .filter(|told| told.registration == Registration::Present);
        present
            .map(|told| told.expires)
            .min()
            .unwrap_or(Timestamp::MAX)
    }

    fn contacts(&self) -> u32 {
        let present = self
            .told
            .iter()
            .filter(|told| told.registration == Registration::Present);
        present.map(|told| told.contacts).sum()
    }
}

const fn registration(state: RegistrationState) -> Registration {
    match state {
        RegistrationState::Present => Registration::Present,
        RegistrationState::Absent => Registration::Absent,
        RegistrationState::Expired => Registration::Expired,
        RegistrationState::Removed => Registration::Removed,
        RegistrationState::Unknown => Registration::Untold,
    }
}

impl Owned {
    /// When something that the registrar told runs out.
    pub(super) fn told_until(&self) -> Timestamp {
        self.foreign
            .as_ref()
            .map_or(Timestamp::MAX, |foreign| foreign.deadline())
    }

    /// Contacts that the registrar told of.
    pub(super) fn told_contacts(&self) -> usize {
        self.foreign
            .as_ref()
            .map_or(0, |foreign| foreign.contacts() as usize)
    }

    /// The registrar's own words, where it is what a verdict rests on.
    pub(super) fn told_evidence(&self, cause: Cause) -> Option<Box<str>> {
        let by_registrar = matches!(
            cause,
            Cause::NotRegistered | Cause::Expired | Cause::Removed | Cause::Registered
        );
        let foreign = self.foreign.as_ref().filter(|_| by_registrar)?;
        (!foreign.evidence.is_empty()).then(|| foreign.evidence.clone())
    }
}

impl Core {
    /// What a registrar elsewhere says of lines. A line of another kind, or one that is gone, is passed over.
    pub(crate) fn on_registrations(&mut self, rows: &[RegistrationRow], view: &View) {
        for row in rows {
            self.adopt_line(row.line, view);
            self.take_registration(row, view);
        }
    }

    fn take_registration(&mut self, row: &RegistrationRow, view: &View) {
        let profile = profile_of(row.line, view);
        let expires = row.expires_unix_ms.map_or(Timestamp::MAX, |at| {
            self.shared.clock.at_unix_ms(at).max(self.now)
        });
        let Some(owned) = self
            .lines
            .owned
            .get_mut(&row.line)
            .filter(|owned| owned.kind == LineKind::Foreign)
        else {
            return;
        };
        if !owned.foreign.get_or_insert_default().take(row, expires) {
            return;
        }
        let before = owned.registration;
        owned.registration = owned
            .foreign
            .as_ref()
            .map_or(Registration::Unknown, |foreign| foreign.registration());
        let lost = matches!(
            before,
            Registration::Absent | Registration::Expired | Registration::Removed
        );
        for watch in &mut owned.watches {
            if row.state == RegistrationState::Present {
                watch.health.handle_registered(&profile.verdict, self.now);
            } else if owned.registration == Registration::Untold && lost {
                // What was known of the phone before it went says nothing of it now.
                watch.forget(self.now);
            }
        }
        self.counters.foreign_reports.increment();
        self.settle(row.line, view);
    }

    /// Whether a REGISTER of the registrar is newer than the last one with its Call-ID.
    pub(crate) fn is_in_order(&self, line: LineSlot, user: &str, order: (u64, u32)) -> bool {
        let foreign = self
            .lines
            .owned
            .get(&line)
            .and_then(|owned| owned.foreign.as_ref());
        let told = foreign.and_then(|foreign| foreign.told.iter().find(|told| *told.user == *user));
        let known = told.and_then(|told| told.order);
        known.is_none_or(|(call_id, cseq)| call_id != order.0 || cseq < order.1)
    }

    /// End what `line`'s registrar told, where its time is over. The caller settles the line.
    pub(super) fn expire_told(&mut self, line: LineSlot) {
        let now = self.now;
        let now_unix_ms = self.shared.clock.unix_ms(now);
        let Some(owned) = self
            .lines
            .owned
            .get_mut(&line)
            .filter(|owned| owned.told_until() <= now)
        else {
            return;
        };
        let Some(foreign) = owned.foreign.as_mut() else {
            return;
        };
        for told in &mut foreign.told {
            if told.registration == Registration::Present && told.expires <= now {
                told.registration = Registration::Expired;
                told.since_unix_ms = now_unix_ms;
                foreign.evidence = "its registration elsewhere ran out and was not renewed".into();
                self.counters.foreign_expired.increment();
            }
        }
        owned.registration = foreign.registration();
    }

    /// The next hops of a foreign line's registrar are its targets; their Request-URI is the line's address-of-record.
    pub(super) fn set_hops(&mut self, line: LineSlot, wanted: &Line, view: &View) {
        let Some(elsewhere) = &wanted.elsewhere else {
            return;
        };
        if let Some(slot) = self.shared.slots.slot(line) {
            slot.set_watch(Some(elsewhere.watch));
        }
        let user = wanted.users.first().map_or(&b""[..], |user| user);
        let domain = view
            .policy
            .foreign_registrar(&elsewhere.registrar)
            .map_or("", |registrar| registrar.domain.as_str());
        let hops: Targets = wanted
            .peers
            .iter()
            .filter_map(|peer| {
                let socket = self.socket_for(peer.address, 0)?;
                let mut uri = b"sip:".to_vec();
                push_user(&mut uri, user);
                uri.push(b'@');
                if domain.is_empty() {
                    push_socket_address(&mut uri, peer.address);
                } else {
                    uri.extend_from_slice(domain.as_bytes());
                }
                let rank = u16::try_from(peer.priority).unwrap_or(u16::MAX);
                Some(Arc::new(Target::new(
                    uri.into(),
                    peer.address,
                    socket,
                    rank,
                    None,
                )))
            })
            .collect();
        let as_key = |target: &Arc<Target>| {
            (
                target.address,
                target.rank,
                target.socket,
                target.uri.clone(),
            )
        };
        let current = self.targets_of(line);
        if current.iter().map(as_key).eq(hops.iter().map(as_key)) {
            return;
        }
        self.set_targets(line, hops, First::Fast, view);
    }

    /// A call of `line` found something out about the next hop it went to; true: about that alone, and nothing about the line.
    ///
    /// `heard`: anything came back, a 100 at least.
    pub(crate) fn tell_hop(
        &mut self,
        line: LineSlot,
        address: SocketAddr,
        heard: bool,
        outcome: CallOutcome,
        view: &View,
    ) -> bool {
        let Some(watch) = self.shared.slots.read(line).and_then(Slot::watch) else {
            return false;
        };
        let answered =
            heard || matches!(outcome, CallOutcome::Answered | CallOutcome::Fault { .. });
        if !answered {
            self.report_call(watch, address, outcome, view);
            return true;
        }
        let doubted = self
            .shared
            .slots
            .read(watch)
            .is_some_and(|slot| slot.health() != route_core::Health::Up);
        if doubted {
            self.report_call(watch, address, CallOutcome::Answered, view);
        }
        false
    }
}

/// Append a user part; what may not stand in one is escaped (RFC 3261 §25.1).
fn push_user(out: &mut Vec<u8>, user: &[u8]) {
    for octet in user {
        if octet.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(octet) {
            out.push(*octet);
        } else {
            out.push(b'%');
            for digit in [octet >> 4, octet & 15] {
                out.push(b"0123456789ABCDEF"[usize::from(digit)]);
            }
        }
    }
}
