//! An INVITE that begins a call: who sent it, and what it gets.

use route_core::{
    AnswerTimer, Decision, Digits, InterconnectFlags, Line, LineKind, LineSlot, LineView,
    NoDiversion, NoTrace, NotFound, TargetList, decide,
};
use sip_core::header::HeaderName;
use sip_core::uri::Uri;

use super::Call;
use super::answers::Redirect;
use crate::calls::Verb;
use crate::chain::Chain;
use crate::memo::Answer;
use crate::settings::Interconnect;
use crate::worker::{Core, Incoming, View};

impl Core {
    pub(crate) fn on_invite(&mut self, request: &Incoming<'_>, uri: &Uri<'_>, view: &View) {
        let Some(interconnect) = view.policy.interconnect_of(request.source) else {
            // A line that calls: its calls are not ours, but it lives.
            self.on_sign_of_life(request.source, view);
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
        let called = match interconnect
            .plan
            .canonical(uri.dialled().unwrap_or_default())
        {
            Ok(called) => called,
            Err(fault) => return self.answer_bad_number(request, fault, interconnect, view),
        };
        let chain = Chain::of(request.message, called, &interconnect.plan);
        let flags = InterconnectFlags {
            redirect_only: interconnect.redirect_only,
            no_diversion: chain.no_diversion(called, &view.table, interconnect.max_diversions),
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
        if let Some(why) = flags.no_diversion
            && matches!(
                decision,
                Decision::Unavailable { .. } | Decision::Proxy { last_try: true, .. }
            )
        {
            match why {
                NoDiversion::Circle | NoDiversion::Back => {
                    self.counters.diversions_circular.increment();
                }
                NoDiversion::TooOften => self.counters.diversions_too_many.increment(),
            }
        }
        match self.unless_trial_is_taken(decision, view) {
            Decision::Redirect {
                line,
                rule,
                list,
                cause,
            } => {
                self.redirect(
                    request,
                    interconnect,
                    Redirect {
                        called,
                        line,
                        rule,
                        list,
                        cause,
                    },
                    &chain,
                    view,
                );
            }
            Decision::Proxy { .. } => {
                self.send_to_line(request, interconnect, called, decision, view);
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
                self.answer_unavailable(request, called, line, cause, view);
            }
        }
    }

    /// A trial is one call; those that come beside it are diverted.
    fn unless_trial_is_taken(&self, decision: Decision, view: &View) -> Decision {
        let Decision::Proxy {
            line,
            rescue: Some(rule),
            trial: true,
            ..
        } = decision
        else {
            return decision;
        };
        if self.take_trial(line) {
            return decision;
        }
        let seen = self.line_view(line, view);
        let foreign = |line: &Line| line.kind == LineKind::Foreign;
        let list = match view.table.rule(rule) {
            Some(rule) if !view.table.line(line).is_some_and(|line| foreign(line)) => {
                rule.list_for(seen.place)
            }
            _ => TargetList::Usual,
        };
        Decision::Redirect {
            line,
            rule,
            list,
            cause: seen.cause,
        }
    }

    /// The call goes to its line, or the core is told to send it there.
    fn send_to_line(
        &mut self,
        request: &Incoming<'_>,
        interconnect: &Interconnect,
        called: Digits,
        decision: Decision,
        view: &View,
    ) {
        let Decision::Proxy {
            line,
            timer,
            rescue,
            last_try,
            trial: _,
            by_redirect,
        } = decision
        else {
            return;
        };
        let opening = self.opening(request, Some(called), Some(line), rescue, Verb::Proxy, 0);
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
        let record = self.calls.open(opening);
        let mut call = Call {
            called,
            line,
            rescue,
            timers,
            hurried: timer == AnswerTimer::Suspect,
            last_try,
            record,
        };
        call.hurried |= self.hurries_after_recovery(&call, view);
        self.proxy_call(request, call, view);
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
            Answer::Redirect(cause, list) => Decision::Redirect {
                line: entry.line,
                rule: entry.rule?,
                list,
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
        self.shared.slots.view(line, wish)
    }

    fn take_trial(&self, line: LineSlot) -> bool {
        self.shared
            .slots
            .read(line)
            .is_some_and(crate::slots::Slot::take_trial)
    }

    /// Whether there is a Route value that is not ours: an initial request is routed by its number only.
    pub(crate) fn has_foreign_route(&self, request: &Incoming<'_>, view: &View) -> bool {
        request.message.has(HeaderName::Route)
            && request
                .message
                .routes()
                .any(|route| match route.and_then(|route| route.uri()) {
                    Ok(uri) => !self.is_own_host(&uri.host, uri.port, view),
                    Err(_) => true,
                })
    }
}
