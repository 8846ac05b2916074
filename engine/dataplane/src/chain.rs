//! How a call came here: the numbers it was diverted from, by Diversion (RFC 5806) and History-Info (RFC 7044).
//!
//! Two customers who divert to each other would send a call round for ever, also where each rule for itself is right and the
//! other one is in another network. So a call is not diverted again when
//!
//! - the called number is one that it was diverted from before (a circle),
//! - so are all targets of the rule, or
//! - it has been diverted as often as the interconnect allows;
//!
//! and it is never sent to a number that it came from. Both header fields tell of the same diversions, so the larger count
//! holds. Only peers of the core may send INVITEs, so what they say is believed. Nothing is allocated.

use route_core::{Digits, NoDiversion, NumberPlan, RouteTable, Rule, TargetList};
use sip_core::header::{HeaderName, NameAddr};
use sip_core::message::Message;

/// Numbers that are kept; further ones only count.
const KEPT: usize = 16;

/// The diversions that a request names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    numbers: [Digits; KEPT],
    kept: usize,
    diversions: u32,
    /// The last number of History-Info: what the request is for, no number it was diverted from, unless it stands before too.
    latest: Digits,
}

impl Chain {
    /// That of a call that was not diverted before.
    pub(crate) const NONE: Self = Self {
        numbers: [Digits::EMPTY; KEPT],
        kept: 0,
        diversions: 0,
        latest: Digits::EMPTY,
    };

    /// Read a request. What cannot be read as a number (an anonymous URI) counts as a diversion all the same.
    pub(crate) fn of(request: &Message<'_>, called: Digits, plan: &NumberPlan) -> Self {
        let mut chain = Self::NONE;
        if request.has(HeaderName::Diversion) {
            chain.read_diversion(request, plan);
        }
        if request.has(HeaderName::HistoryInfo) {
            chain.read_history(request, called, plan);
        }
        chain
    }

    /// That of a call that was diverted from these numbers, one after the other, as `Diversion` would say it; for simulations.
    pub(crate) fn through(numbers: &[String], plan: &NumberPlan) -> Self {
        let mut chain = Self::NONE;
        for number in numbers {
            chain.diversions = chain.diversions.saturating_add(1);
            if let Ok(number) = plan.canonical(number.as_bytes()) {
                chain.keep(number);
            }
        }
        chain
    }

    /// Whether the call was never diverted, as nearly all.
    fn is_empty(&self) -> bool {
        self.diversions == 0 && self.kept == 0
    }

    /// Why the rule that is in force for a number may not divert this call once more; `None` too where there is no such rule.
    pub(crate) fn no_diversion(
        &self,
        called: Digits,
        table: &RouteTable,
        limit: u32,
    ) -> Option<NoDiversion> {
        if self.is_empty() {
            return None;
        }
        let rule = table.rule(table.find(called)?.entry.rule?)?;
        rule.in_force().then(|| self.refusal(called, rule, limit))?
    }

    /// Why a call to `called` is not diverted by `rule` once more; `limit` counts the diversion that is asked for as well.
    fn refusal(&self, called: Digits, rule: &Rule, limit: u32) -> Option<NoDiversion> {
        let lists = [TargetList::Usual, TargetList::PhoneSystem];
        let mut targets = lists
            .into_iter()
            .flat_map(|list| rule.targets(list, called));
        if self.holds(called) {
            Some(NoDiversion::Circle)
        } else if self.diversions >= limit {
            Some(NoDiversion::TooOften)
        } else {
            targets
                .all(|target| self.holds(target))
                .then_some(NoDiversion::Back)
        }
    }

    /// Whether the call was diverted from this number.
    pub(crate) fn holds(&self, number: Digits) -> bool {
        self.numbers[..self.kept].contains(&number)
    }

    /// RFC 5806 §3: one value for each diversion; `counter` when some were put together.
    fn read_diversion(&mut self, request: &Message<'_>, plan: &NumberPlan) {
        for value in request.addresses(HeaderName::Diversion) {
            let Ok(value) = value else {
                self.diversions += 1;
                continue;
            };
            let counter = value.param(b"counter").and_then(decimal).unwrap_or(1);
            self.diversions = self.diversions.saturating_add(counter.max(1));
            if let Some(number) = number_of(&value, plan) {
                self.keep(number);
            }
        }
    }

    /// RFC 7044 §5: the targets that the request had, in order; the last is the present one. A diversion is a change of the
    /// number; the same number with another host is only the way to it (`rc`).
    fn read_history(&mut self, request: &Message<'_>, called: Digits, plan: &NumberPlan) {
        let mut changes = 0;
        for value in request.addresses(HeaderName::HistoryInfo) {
            let Ok(value) = value else {
                continue;
            };
            let number = number_of(&value, plan);
            // RFC 4458 §2, RFC 8119: `cause` marks the target of a diversion; RFC 7044 §5 `mp` one that was mapped from another.
            let marked = value.params.find(b"mp").is_some()
                || value
                    .uri()
                    .is_ok_and(|uri| uri.params.find(b"cause").is_some());
            match number {
                Some(number) if number == self.latest => {}
                Some(number) => {
                    if !self.latest.is_empty() {
                        changes += 1;
                        self.keep(self.latest);
                    }
                    self.latest = number;
                }
                None if marked => {
                    changes += 1;
                    if !self.latest.is_empty() {
                        self.keep(self.latest);
                    }
                    self.latest = Digits::EMPTY;
                }
                None => {}
            }
        }
        if !self.latest.is_empty() && self.latest != called {
            // Whoever sent it here did not add the present target.
            changes += 1;
            self.keep(self.latest);
        }
        self.diversions = self.diversions.max(changes);
    }

    fn keep(&mut self, number: Digits) {
        if self.kept < KEPT && !self.holds(number) {
            self.numbers[self.kept] = number;
            self.kept += 1;
        }
    }
}

fn number_of(value: &NameAddr<'_>, plan: &NumberPlan) -> Option<Digits> {
    plan.canonical(value.uri().ok()?.dialled()?).ok()
}

/// `counter` has one or two digits (RFC 5806 §3); what is longer is a large number.
fn decimal(text: &[u8]) -> Option<u32> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    digits.then(|| {
        text.iter().fold(0_u32, |value, digit| {
            value
                .saturating_mul(10)
                .saturating_add(u32::from(digit - b'0'))
        })
    })
}
