//! An INVITE that begins a call: who sent it, what it gets, and the answers that need no state.

use std::io::Write as _;

use route_core::{
    AnswerTimer, Cause, Decision, Digits, InterconnectFlags, LineSlot, LineView, NoTrace, NotFound,
    NumberFault, RuleSlot, decide, reason_for,
};
use sip_core::header::HeaderName;
use sip_core::uri::Uri;

use super::Call;
use crate::calls::{Opening, Verb, call_hash};
use crate::memo::Answer;
use crate::redirect::Diversion;
use crate::settings::Interconnect;
use crate::worker::{Core, Incoming, View};

/// A diversion at once.
struct Redirect {
    called: Digits,
    line: LineSlot,
    rule: RuleSlot,
    cause: Cause,
}

impl Core {
    pub(crate) fn on_invite(&mut self, request: &Incoming<'_>, uri: &Uri<'_>, view: &View) {
        let Some(interconnect) = view.policy.interconnect_of(request.source) else {
            self.counters.requests_forbidden.increment();
            return self.answer_stateless(request, view, 403, "Forbidden", |response| response);
        };
        if self.is_draining() {
            self.counters.requests_drained.increment();
            return self.answer_stateless(request, view, 503, "Service Unavailable", |response| {
                response
            });
        }
        if self.has_foreign_route(request, view) {
            self.counters.requests_forbidden.increment();
            return self
                .answer_stateless(request, view, 403, "Route Not Allowed", |response| response);
        }
        let called = match interconnect.plan.canonical(uri.user.unwrap_or_default()) {
            Ok(called) => called,
            Err(fault) => return self.answer_bad_number(request, fault, interconnect, view),
        };
        let flags = InterconnectFlags {
            redirect_only: interconnect.redirect_only,
        };
        let mut decision = decide(
            called,
            &view.table,
            |line| self.line_view(line, view),
            flags,
            &mut NoTrace,
        );
        if let Decision::Proxy { .. } = decision {
            decision = self
                .first_decision(request, called, view)
                .unwrap_or(decision);
        }
        match decision {
            Decision::Redirect { line, rule, cause } => {
                self.redirect(
                    request,
                    interconnect,
                    Redirect {
                        called,
                        line,
                        rule,
                        cause,
                    },
                    view,
                );
            }
            Decision::Proxy {
                line,
                rescue: Some(rule),
                trial: true,
                ..
            } if !self.take_trial(line) => {
                let cause = self.line_view(line, view).cause;
                self.redirect(
                    request,
                    interconnect,
                    Redirect {
                        called,
                        line,
                        rule,
                        cause,
                    },
                    view,
                );
            }
            Decision::Proxy {
                line,
                timer,
                rescue,
                last_try,
                trial: _,
                by_redirect,
            } => {
                let opening =
                    self.opening(request, Some(called), Some(line), rescue, Verb::Proxy, 0);
                if by_redirect {
                    return self.redirect_to_contact(request, line, opening, view);
                }
                let Some(timers) = view
                    .table
                    .line(line)
                    .map(|line| view.policy.call_timers(&line.profile))
                else {
                    return self.answer_not_found(request, interconnect, opening, view);
                };
                let silence_us = match timer {
                    AnswerTimer::Normal => timers.answer_us,
                    AnswerTimer::Suspect => timers.suspect_us,
                };
                let record = self.calls.open(opening);
                let call = Call {
                    called,
                    line,
                    rescue,
                    timers,
                    silence_us,
                    last_try,
                    record,
                };
                self.proxy_call(request, call, view);
            }
            Decision::NotFound { reason } => {
                let line = (reason == NotFound::NotLive)
                    .then(|| view.table.find(called))
                    .flatten();
                let line = line.map(|found| found.entry.line);
                let status = interconnect.unknown_number_status;
                let opening =
                    self.opening(request, Some(called), line, None, Verb::NotFound, status);
                self.answer_not_found(request, interconnect, opening, view);
            }
            Decision::Unavailable { line, cause } => {
                self.answer_unavailable(request, called, line, cause, view)
            }
        }
    }

    /// What this INVITE was answered before, if it repeats one: a line that came back in between changes nothing for it.
    fn first_decision(
        &self,
        request: &Incoming<'_>,
        called: Digits,
        view: &View,
    ) -> Option<Decision> {
        let answer = self.memo.recall(request.key.0, self.now)?;
        let entry = view.table.find(called)?.entry;
        Some(match answer {
            Answer::Redirect(cause) => Decision::Redirect {
                line: entry.line,
                rule: entry.rule?,
                cause,
            },
            Answer::Unavailable(cause) => Decision::Unavailable {
                line: entry.line,
                cause,
            },
            Answer::NotFound => Decision::NotFound {
                reason: NotFound::UnknownNumber,
            },
        })
    }

    /// The line as decisions see it.
    pub(crate) fn line_view(&self, line: LineSlot, view: &View) -> LineView {
        let wish = view
            .table
            .line(line)
            .map(|line| line.wish)
            .unwrap_or_default();
        self.shared.slots.read(line).map_or(
            LineView {
                wish,
                bound: false,
                ..LineView::UNKNOWN
            },
            |slot| slot.view(wish),
        )
    }

    fn take_trial(&self, line: LineSlot) -> bool {
        self.shared
            .slots
            .read(line)
            .is_some_and(crate::slots::Slot::take_trial)
    }

    fn redirect(
        &mut self,
        request: &Incoming<'_>,
        interconnect: &Interconnect,
        to: Redirect,
        view: &View,
    ) {
        let Redirect {
            called,
            line: line_slot,
            rule: rule_slot,
            cause,
        } = to;
        let (Some(line), Some(rule)) = (view.table.line(line_slot), view.table.rule(rule_slot))
        else {
            return self.answer_unavailable(request, called, line_slot, cause, view);
        };
        let local = self.locals[request.socket];
        let diversion = Diversion {
            called,
            line,
            rule,
            cause,
            interconnect,
            local,
        };
        let (targets, count) = diversion.targets(&view.table, |line| self.line_view(line, view));
        if count == 0 {
            // The last usable target went down since the decision, or since the first answer to this INVITE.
            return self.answer_unavailable(request, called, line_slot, cause, view);
        }
        self.memo
            .remember(request.key.0, Answer::Redirect(cause), self.now);
        self.counters.calls_redirected.increment();
        let opening = self.opening(
            request,
            Some(called),
            Some(line_slot),
            Some(rule_slot),
            Verb::Redirect,
            302,
        );
        self.calls.answered(opening);
        self.answer_stateless(request, view, 302, "Moved Temporarily", |response| {
            diversion.write(&request.message, &targets[..count], response)
        });
    }

    fn answer_unavailable(
        &mut self,
        request: &Incoming<'_>,
        called: Digits,
        line: LineSlot,
        cause: Cause,
        view: &View,
    ) {
        self.memo
            .remember(request.key.0, Answer::Unavailable(cause), self.now);
        self.counters.calls_unavailable.increment();
        let opening = self.opening(
            request,
            Some(called),
            Some(line),
            None,
            Verb::Unavailable,
            480,
        );
        self.calls.answered(opening);
        self.answer_stateless(request, view, 480, "Temporarily Unavailable", |response| {
            response.header_with("Reason", |out| write_reason(cause, out))
        });
    }

    /// Redirect-only networks: 302 to where the line is, without a diversion.
    fn redirect_to_contact(
        &mut self,
        request: &Incoming<'_>,
        line: LineSlot,
        mut opening: Opening,
        view: &View,
    ) {
        let targets = self.call_targets(line);
        opening.verb = Verb::Redirect;
        opening.status = if targets.is_empty() { 480 } else { 302 };
        self.calls.answered(opening);
        if targets.is_empty() {
            self.counters.calls_unavailable.increment();
            return self.answer_stateless(
                request,
                view,
                480,
                "Temporarily Unavailable",
                |response| response,
            );
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
        let opening = self.opening(
            request,
            None,
            None,
            None,
            Verb::NotFound,
            interconnect.unknown_number_status,
        );
        if fault == NumberFault::Local {
            self.counters.calls_not_found.increment();
            self.calls.answered(Opening {
                status: 484,
                ..opening
            });
            return self.answer_stateless(request, view, 484, "Address Incomplete", |response| {
                response
            });
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
        self.memo
            .remember(request.key.0, Answer::NotFound, self.now);
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

    /// Whether there is a Route value that is not ours: an initial request is routed by its number only.
    pub(super) fn has_foreign_route(&self, request: &Incoming<'_>, view: &View) -> bool {
        request.message.has(HeaderName::Route)
            && request
                .message
                .routes()
                .any(|route| match route.and_then(|route| route.uri()) {
                    Ok(uri) => !self.is_own_host(&uri.host, uri.port, view),
                    Err(_) => true,
                })
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
        let call_hash = call_hash(request.message.call_id());
        Opening {
            call_hash,
            at: self.now,
            number,
            line,
            rule,
            verb,
            status,
        }
    }
}

/// `Reason` of a call that finds nobody (RFC 6432: in responses too).
pub(super) fn write_reason(cause: Cause, out: &mut Vec<u8>) {
    let reason = reason_for(cause);
    let _ = write!(
        out,
        "Q.850;cause={};text=\"{}\"",
        reason.q850, reason.q850_text
    );
}
