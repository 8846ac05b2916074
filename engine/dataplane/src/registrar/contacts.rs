//! What a REGISTER makes of the bindings (RFC 3261 §10.3 items 6 and 7), as a pure function of both.
//!
//! Rules: an address-of-record's bindings are told apart by contact URI (§19.1.4); a request with the Call-ID of a binding must
//! have a higher `CSeq`; one fault and nothing changes. The limit of contacts is the line's, whoever of its users registers.

use std::sync::Arc;
use std::time::Duration;

use sip_core::header::{HeaderName, NameAddr};
use sip_core::time::Timestamp;
use sip_core::uri::Uri;

use super::Refused;
use crate::events::BindingChange;
use crate::settings::RegistrarSettings;
use crate::slots::{Binding, Target, Targets};
use crate::worker::Incoming;

/// Octets of a contact URI that is kept. RFC 4475 shows 600, phones write less than 200; a binding is kept for long.
const MAX_CONTACT: usize = 1_024;

/// Octets of a Call-ID that is kept. Phones write less than 100.
const MAX_CALL_ID: usize = 256;

/// Octets of a User-Agent that are kept: brand, model and version.
const MAX_USER_AGENT: usize = 64;

/// A REGISTER and what it meets.
pub(super) struct Registration<'r> {
    pub(super) request: &'r Incoming<'r>,
    /// User part of the address-of-record, unescaped.
    pub(super) user: &'r [u8],
    /// All targets of the line.
    pub(super) current: &'r Targets,
    pub(super) now: Timestamp,
    pub(super) settings: &'r RegistrarSettings,
}

/// What comes of it: all targets of the line, best rank first, and the steps to them.
pub(super) struct Change {
    pub(super) targets: Targets,
    pub(super) changes: Vec<(BindingChange, Arc<Target>)>,
}

/// Why nothing comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// 423: a contact wants to be bound for less than the minimum.
    TooBrief,
    /// Another status.
    Refused(Refused),
}

const fn fault(status: u16, reason: &'static str) -> Fault {
    Fault::Refused(Refused::new(status, reason))
}

/// §10.3 item 7: an older request came late, or one came twice.
const OUT_OF_ORDER: Fault = fault(500, "CSeq Out of Order");
const TOO_MANY: Fault = fault(403, "Too Many Contacts");

/// One Contact value, checked.
struct Wanted<'m> {
    raw: &'m [u8],
    uri: Uri<'m>,
    rank: u16,
    expires_s: u32,
}

impl<'r> Registration<'r> {
    /// `Ok(None)`: there is no Contact, so this is a query.
    pub(super) fn change(&self) -> Result<Option<Change>, Fault> {
        let message = &self.request.message;
        if message.contact_is_star() {
            return self.remove_all().map(Some);
        }
        // Counted before anything is looked at; a request may remove as many contacts as it adds.
        let limit = self.settings.max_contacts.saturating_mul(2);
        let count = message
            .values(HeaderName::Contact)
            .take(limit.saturating_add(1))
            .count();
        if count == 0 {
            return Ok(None);
        }
        if count > limit {
            return Err(TOO_MANY);
        }
        if message.call_id().len() > MAX_CALL_ID {
            return Err(fault(400, "Call-ID Too Long"));
        }
        let mut wanted = Vec::with_capacity(count);
        for contact in message.contacts() {
            let contact = contact.map_err(|_| fault(400, "Malformed Contact Header Field"))?;
            wanted.push(self.wanted(&contact)?);
        }
        self.apply(&wanted).map(Some)
    }

    /// §10.2.2: `*` goes with `Expires: 0` only.
    fn remove_all(&self) -> Result<Change, Fault> {
        if self.request.message.expires() != Some(0) {
            return Err(fault(400, "Contact * without Expires 0"));
        }
        let mut change = Change {
            targets: Targets::new(),
            changes: Vec::new(),
        };
        for target in self.current {
            match &target.binding {
                Some(binding) if self.is_of_user(binding) => {
                    self.check_order(binding)?;
                    change
                        .changes
                        .push((BindingChange::Removed, Arc::clone(target)));
                }
                _ => change.targets.push(Arc::clone(target)),
            }
        }
        Ok(change)
    }

    fn wanted(&self, contact: &NameAddr<'r>) -> Result<Wanted<'r>, Fault> {
        let uri = contact
            .uri()
            .map_err(|_| fault(400, "Malformed Contact URI"))?;
        if !uri.is_sip() {
            return Err(fault(400, "Unsupported URI Scheme in Contact"));
        }
        if contact.uri.len() > MAX_CONTACT {
            return Err(fault(400, "Contact URI Too Long"));
        }
        // §10.2.1.1: the parameter, else the header field, else our choice.
        let expires_s = contact
            .expires()
            .or_else(|| self.request.message.expires())
            .unwrap_or(self.settings.default_expires_s)
            .min(self.settings.max_expires_s);
        if expires_s > 0 && expires_s < self.settings.min_expires_s {
            return Err(Fault::TooBrief);
        }
        let rank = 1000 - contact.q().unwrap_or(1000);
        Ok(Wanted {
            raw: contact.uri,
            uri,
            rank,
            expires_s,
        })
    }

    fn apply(&self, wanted: &[Wanted<'_>]) -> Result<Change, Fault> {
        let mut targets = self.current.clone();
        let mut changes = Vec::with_capacity(wanted.len());
        for contact in wanted {
            let found = targets
                .iter()
                .position(|target| self.is_bound(target, contact));
            if let Some(target) = found.and_then(|at| targets.get(at))
                && let Some(binding) = &target.binding
                && self.is_current(target)
            {
                self.check_order(binding)?;
            }
            match (found, contact.expires_s) {
                (None, 0) => {}
                (Some(at), 0) => changes.push((BindingChange::Removed, targets.remove(at))),
                (Some(at), _) => {
                    let target = self.bind(contact);
                    let older = std::mem::replace(&mut targets[at], Arc::clone(&target));
                    if older.uri == target.uri {
                        // The port alone changes whenever a NAT forgets.
                        let moved = older.address.ip() != target.address.ip();
                        let change = if moved {
                            BindingChange::Moved
                        } else {
                            BindingChange::Refreshed
                        };
                        changes.push((change, target));
                    } else {
                        // The same by §19.1.4 in other letters, and the store goes by letters.
                        changes.push((BindingChange::Replaced, older));
                        changes.push((BindingChange::Added, target));
                    }
                }
                (None, _) => {
                    // In front: of equals the newest is the likeliest to be there.
                    let target = self.bind(contact);
                    targets.insert(0, Arc::clone(&target));
                    changes.push((BindingChange::Added, target));
                }
            }
        }
        self.make_room(&mut targets, &mut changes)?;
        targets.sort_by_key(|target| target.rank);
        Ok(Change { targets, changes })
    }

    /// One contact too many replaces the one that expires first, but none of the same request.
    fn make_room(
        &self,
        targets: &mut Targets,
        changes: &mut Vec<(BindingChange, Arc<Target>)>,
    ) -> Result<(), Fault> {
        let added = changes
            .iter()
            .any(|(change, _)| *change == BindingChange::Added);
        while added
            && targets
                .iter()
                .filter(|target| target.binding.is_some())
                .count()
                > self.settings.max_contacts
        {
            let first = targets
                .iter()
                .enumerate()
                .filter(|(_, target)| self.is_current(target))
                .filter_map(|(at, target)| {
                    target.binding.as_ref().map(|binding| (binding.expires, at))
                })
                .min();
            let Some((_, at)) = first else {
                return Err(TOO_MANY);
            };
            changes.push((BindingChange::Replaced, targets.remove(at)));
        }
        Ok(())
    }

    fn bind(&self, contact: &Wanted<'_>) -> Arc<Target> {
        let message = &self.request.message;
        let user_agent = message.header(HeaderName::UserAgent).unwrap_or_default();
        let binding = Binding {
            user: String::from_utf8_lossy(self.user).into(),
            call_id: message.call_id().into(),
            cseq: message.cseq().number,
            expires: self.now + Duration::from_secs(contact.expires_s.into()),
            // It is shown on terminals, which must not take it for commands.
            user_agent: user_agent
                .iter()
                .take(MAX_USER_AGENT)
                .map(|octet| {
                    if octet.is_ascii_control() {
                        b'?'
                    } else {
                        *octet
                    }
                })
                .collect(),
        };
        let Incoming { source, socket, .. } = *self.request;
        let target = Target::new(
            contact.raw.into(),
            source,
            socket,
            contact.rank,
            Some(binding),
        );
        target.seen(self.now);
        Arc::new(target)
    }

    fn is_bound(&self, target: &Target, contact: &Wanted<'_>) -> bool {
        target
            .binding
            .as_ref()
            .is_some_and(|binding| self.is_of_user(binding))
            && (*target.uri == *contact.raw
                || Uri::parse(&target.uri).is_ok_and(|uri| uri.equivalent(&contact.uri)))
    }

    fn is_of_user(&self, binding: &Binding) -> bool {
        binding.user.as_bytes() == self.user
    }

    /// Whether the target was there before this request.
    fn is_current(&self, target: &Arc<Target>) -> bool {
        self.current.iter().any(|old| Arc::ptr_eq(old, target))
    }

    fn check_order(&self, binding: &Binding) -> Result<(), Fault> {
        let message = &self.request.message;
        let late = *binding.call_id == *message.call_id() && message.cseq().number <= binding.cseq;
        if late { Err(OUT_OF_ORDER) } else { Ok(()) }
    }
}
