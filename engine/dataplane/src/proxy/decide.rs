//! An INVITE that begins a call: who sent it, what it gets, and the answers that need no state.

use std::io::Write as _;

use route_core::{
    AnswerTimer, Cause, Decision, Digits, InterconnectFlags, LineSlot, LineView, NoTrace, NotFound, NumberFault,
    RuleSlot, decide, reason_for,
};
use sip_core::header::HeaderName;
use sip_core::transaction::key::TransactionKey;
use sip_core::uri::Uri;

use super::Call;
use crate::calls::{Opening, Verb};
use crate::redirect::Diversion;
use crate::settings::Interconnect;
use crate::worker::{Core, Incoming, View};

/// 64·T1: as long as a caller may repeat an INVITE.
const RETRANSMISSION_WINDOW_US: u64 = 33_000_000;

impl Core {
    pub(crate) fn on_invite(&mut self, request: &Incoming<'_>, key: TransactionKey, uri: &Uri<'_>, view: &View) {
        let Some(interconnect) = view.policy.interconnect_of(request.source) else {
            self.counters.requests_forbidden.increment();
            return self.answer_stateless(request, view, 403, "Forbidden", |response| response);
        };
        if self.is_draining() {
            self.counters.requests_drained.increment();
            return self.answer_stateless(request, view, 503, "Service Unavailable", |response| response);
        }
        if has_foreign_route(self, request, view) {
            self.counters.requests_forbidden.increment();
            return self.answer_stateless(request, view, 403, "Route Not Allowed", |response| response);
        }
        let called = match interconnect.plan.canonical(uri.user.unwrap_or_default()) {
            Ok(called) => called,
            Err(fault) => return self.answer_bad_number(request, fault, interconnect, view),
        };
        let flags = InterconnectFlags { redirect_only: interconnect.redirect_only };
        let decision = decide(called, &view.table, |line| self.line_view(line, view), flags, &mut NoTrace);
        match decision {
            Decision::Redirect { line, rule, cause } => {
                self.redirect(request, key, interconnect, called, line, rule, cause, view);
            }
            Decision::Proxy { line, timer, rescue, last_try, trial, by_redirect } => {
                if let Some(rule) = rescue {
                    if self.was_redirected(line, key, view) {
                        let cause = self.line_view(line, view).cause;
                        return self.redirect(request, key, interconnect, called, line, rule, cause, view);
                    }
                }
                if trial && !self.take_trial(line) {
                    if let Some(rule) = rescue {
                        let cause = self.line_view(line, view).cause;
                        return self.redirect(request, key, interconnect, called, line, rule, cause, view);
                    }
                }
                let opening = self.opening(request, Some(called), Some(line), rescue, Verb::Proxy, 0);
                if by_redirect {
                    return self.redirect_to_contact(request, line, opening, view);
                }
                let Some(timers) = view.table.line(line).map(|line| view.policy.call_timers(&line.profile)) else {
                    return self.answer_not_found(request, interconnect, opening, view);
                };
                let silence_us = match timer {
                    AnswerTimer::Normal => timers.answer_us,
                    AnswerTimer::Suspect => timers.suspect_us,
                };
                let record = self.calls.open(opening);
                let call = Call { called, line, rescue, timers, silence_us, last_try, record, reported: false };
                self.proxy_call(request, key, call, view);
            }
            Decision::NotFound { reason } => {
                let line = (reason == NotFound::NotLive).then(|| view.table.find(called)).flatten();
                let line = line.map(|found| found.entry.line);
                let opening = self.opening(
                    request,
                    Some(called),
                    line,
                    None,
                    Verb::NotFound,
                    interconnect.unknown_number_status,
                );
                self.answer_not_found(request, interconnect, opening, view);
            }
            Decision::Unavailable { line, cause } => {
                self.counters.calls_unavailable.increment();
                let opening = self.opening(request, Some(called), Some(line), None, Verb::Unavailable, 480);
                self.calls.answered(opening);
                self.answer_stateless(request, view, 480, "Temporarily Unavailable", |response| {
                    response.header_with("Reason", |out| write_reason(cause, out))
                });
            }
        }
    }

    /// The line as decisions see it.
    pub(crate) fn line_view(&self, line: LineSlot, view: &View) -> LineView {
        let wish = view.table.line(line).map(|line| line.wish).unwrap_or_default();
        self.shared
            .slots
            .read(line)
            .map_or(LineView { wish, bound: false, ..LineView::UNKNOWN }, |slot| slot.view(wish))
    }

    fn take_trial(&self, line: LineSlot) -> bool {
        self.shared.slots.read(line).is_some_and(crate::slots::Slot::take_trial)
    }

    /// Whether this INVITE repeats one that was answered 302 before its line came back.
    fn was_redirected(&self, line: LineSlot, key: TransactionKey, _view: &View) -> bool {
        let flipped = self.shared.slots.read(line).map(crate::slots::Slot::since).unwrap_or_default();
        let recent = self.now.as_micros().saturating_sub(flipped.as_micros()) < RETRANSMISSION_WINDOW_US;
        recent && self.memo.contains(key.0, self.now)
    }

    #[allow(clippy::too_many_arguments, reason = "the inputs of one pure answer")]
    fn redirect(
        &mut self,
        request: &Incoming<'_>,
        key: TransactionKey,
        interconnect: &Interconnect,
        called: Digits,
        line_slot: LineSlot,
        rule_slot: RuleSlot,
        cause: Cause,
        view: &View,
    ) {
        let (Some(line), Some(rule)) = (view.table.line(line_slot), view.table.rule(rule_slot)) else { return };
        let local = self.locals[request.socket];
        let diversion = Diversion { called, line, rule, cause, interconnect, local };
        let (targets, count) = diversion.targets(&view.table, |line| self.line_view(line, view));
        self.memo.remember(key.0, self.now);
        self.counters.calls_redirected.increment();
        let opening =
            self.opening(request, Some(called), Some(line_slot), Some(rule_slot), Verb::Redirect, 302);
        self.calls.answered(opening);
        self.answer_stateless(request, view, 302, "Moved Temporarily", |response| {
            diversion.write(&request.message, &targets[..count], response)
        });
    }

    /// Redirect-only networks: 302 to where the line is, without a diversion.
    fn redirect_to_contact(&mut self, request: &Incoming<'_>, line: LineSlot, mut opening: Opening, view: &View) {
        let targets = self.call_targets(line);
        opening.verb = Verb::Redirect;
        opening.status = if targets.is_empty() { 480 } else { 302 };
        self.calls.answered(opening);
        if targets.is_empty() {
            self.counters.calls_unavailable.increment();
            return self.answer_stateless(request, view, 480, "Temporarily Unavailable", |response| response);
        }
        self.counters.calls_redirected.increment();
        self.answer_stateless(request, view, 302, "Moved Temporarily", |response| {
            response.header_with("Contact", |out| {
                for (position, target) in targets.iter().enumerate() {
                    let comma = if position > 0 { ", " } else { "" };
                    let _ = write!(out, "{comma}<");
                    out.extend_from_slice(&target.uri);
                    out.push(b'>');
                }
            })
        });
    }

    fn answer_bad_number(
        &mut self,
        request: &Incoming<'_>,
        fault: NumberFault,
        interconnect: &Interconnect,
        view: &View,
    ) {
        let opening =
            self.opening(request, None, None, None, Verb::NotFound, interconnect.unknown_number_status);
        if fault == NumberFault::Local {
            self.counters.calls_not_found.increment();
            self.calls.answered(Opening { status: 484, ..opening });
            return self.answer_stateless(request, view, 484, "Address Incomplete", |response| response);
        }
        self.answer_not_found(request, interconnect, opening, view);
    }

    fn answer_not_found(
        &mut self,
        request: &Incoming<'_>,
        interconnect: &Interconnect,
        opening: Opening,
        view: &View,
    ) {
        self.counters.calls_not_found.increment();
        self.calls.answered(opening);
        let status = interconnect.unknown_number_status;
        let reason = match status {
            404 => "Not Found",
            480 => "Temporarily Unavailable",
            604 => "Does Not Exist Anywhere",
            _ => "Not Available",
        };
        self.answer_stateless(request, view, status, reason, |response| {
            // Q.850 cause 1: unallocated number.
            response.header("Reason", b"Q.850;cause=1;text=\"Unallocated number\"")
        });
    }

    fn opening(
        &self,
        request: &Incoming<'_>,
        number: Option<Digits>,
        line: Option<LineSlot>,
        rule: Option<RuleSlot>,
        verb: Verb,
        status: u16,
    ) -> Opening {
        let call_hash = self.shared.call_hash(request.message.call_id());
        Opening { call_hash, at: self.now, number, line, rule, verb, status }
    }
}

/// `Reason` of a call that finds nobody (RFC 6432: in responses too).
pub(super) fn write_reason(cause: Cause, out: &mut Vec<u8>) {
    let reason = reason_for(cause);
    let _ = write!(out, "Q.850;cause={};text=\"{}\"", reason.q850, reason.q850_text);
}

/// Whether there is a Route value that is not ours: an initial INVITE is routed by its number only.
fn has_foreign_route(core: &Core, request: &Incoming<'_>, view: &View) -> bool {
    request.message.has(HeaderName::Route)
        && request.message.routes().any(|route| match route.and_then(|route| route.uri()) {
            Ok(uri) => !core.is_own_host(&uri.host, uri.port, view),
            Err(_) => true,
        })
}
