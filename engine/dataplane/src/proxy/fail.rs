//! A call that its line does not take: the next target, the diversion of this very call, or an honest failure.

use route_core::{CallOutcome, Cause};
use sip_core::build::ResponseWriter;
use sip_core::message::Message;
use sip_core::time::Timestamp;
use sip_core::transaction::key::stateless_tag;

use super::decide::write_reason;
use super::forward::TIMER_C;
use super::{Context, ContextId, Fate, Heard};
use crate::calls::Step;
use crate::redirect::Diversion;
use crate::worker::{Core, View};

impl Core {
    /// A branch failed with a fault of the line (`status`: what it answered, 408 for silence).
    pub(super) fn on_branch_fault(&mut self, id: ContextId, status: u16, response: Option<&Message<'_>>, view: &View) {
        let Some(context) = self.contexts.get_mut(id) else { return };
        if context.answered != 0 {
            return;
        }
        if context.cancelled {
            return self.answer_context(id, 487, "Request Terminated", |response| response);
        }
        if !context.queue.is_empty() && context.call.is_some() {
            self.try_next_target(id, view);
            return;
        }
        if context.branches.iter().any(|branch| branch.fate == Fate::Running) {
            return;
        }
        let saved = context.call.is_some_and(|call| call.rescue.is_some() || call.last_try);
        if saved {
            self.fail_call(id, status, view);
        } else if let (Some(response), false) = (response, status == 503) {
            self.answered_with(id, status);
            self.forward_response(id, response);
        } else {
            self.fail_call(id, status, view);
        }
    }

    /// No target is left: divert if a rule is armed, else answer.
    pub(super) fn fail_call(&mut self, id: ContextId, status: u16, view: &View) {
        let Some(context) = self.contexts.get(id) else { return };
        if context.answered != 0 {
            return;
        }
        let cause = match status {
            408 => Cause::CallSilent,
            480 => Cause::NotRegistered,
            code => Cause::CallFailed(code),
        };
        if self.divert_context(id, cause, view) {
            return;
        }
        let Some(context) = self.contexts.get(id) else { return };
        match context.call {
            Some(call) if call.last_try || status == 480 => {
                self.counters.calls_unavailable.increment();
                self.answer_context(id, 480, "Temporarily Unavailable", |response| {
                    response.header_with("Reason", |out| write_reason(cause, out))
                });
            }
            _ if status == 503 => {
                // RFC 3261 §16.7 item 6.
                self.answer_context(id, 500, "Server Internal Error", |response| response);
            }
            _ => self.answer_context(id, 408, "Request Timeout", |response| {
                response.header_with("Reason", |out| write_reason(cause, out))
            }),
        }
    }

    /// Answer the caller of a call under way with 302 to the rule's targets; false if there is no rule or no target.
    fn divert_context(&mut self, id: ContextId, cause: Cause, view: &View) -> bool {
        let Some(context) = self.contexts.get(id) else { return false };
        let Some(call) = context.call else { return false };
        let Some(rule) = call.rescue.and_then(|rule| view.table.rule(rule)).filter(|rule| rule.armed) else {
            return false;
        };
        let (Some(line), Some(interconnect)) =
            (view.table.line(call.line), view.policy.interconnect_of(context.source))
        else {
            return false;
        };
        let local = self.locals[context.socket];
        let diversion = Diversion { called: call.called, line, rule, cause, interconnect, local };
        let (targets, count) = diversion.targets(&view.table, |line| self.line_view(line, view));
        if count == 0 {
            return false;
        }
        self.counters.calls_rescued.increment();
        self.calls.step(call.record, self.now, Step::Diverted);
        let request = context.request.view();
        // The request outlives the answer: it is copied before the context is borrowed again.
        let owned = sip_core::message::OwnedMessage::from(&request);
        self.answer_context(id, 302, "Moved Temporarily", |response| {
            diversion.write(&owned.view(), &targets[..count], response)
        });
        true
    }

    /// Send a final answer of our own to the caller.
    pub(super) fn answer_context(
        &mut self,
        id: ContextId,
        status: u16,
        reason: &str,
        extra: impl for<'o> FnOnce(ResponseWriter<'o>) -> ResponseWriter<'o>,
    ) {
        let Some(context) = self.contexts.get(id) else { return };
        let server = context.server;
        let mut bytes = Vec::new();
        let tag = context_tag(context, self);
        let view = context.request.view();
        extra(ResponseWriter::new(&mut bytes, &view, status, reason, Some(&tag), Some(context.source))).finish(None);
        self.answered_with(id, status);
        let (transactions, mut io) = self.transactions_io();
        let signals = transactions.respond(server, status, bytes, &mut io);
        self.after_server_event(Some(id), signals);
    }

    /// The caller has his final answer: what still runs is given up.
    fn answered_with(&mut self, id: ContextId, status: u16) {
        let Some(context) = self.contexts.get_mut(id) else { return };
        context.answered = status;
        context.patience = Timestamp::MAX;
        context.queue.clear();
        if let (Some(call), true) = (context.call, status != 302) {
            self.calls.step(call.record, self.now, Step::Answer(status));
        }
        self.abandon_branches(id, None);
    }

    /// The line has had its time (answer, trying or ring timer).
    pub(super) fn on_patience_end(&mut self, id: ContextId, view: &View) {
        let Some(context) = self.contexts.get_mut(id) else { return };
        context.patience = Timestamp::MAX;
        if context.answered != 0 {
            return;
        }
        let Some(position) = context.branches.iter().rposition(|branch| branch.fate == Fate::Running) else {
            return;
        };
        let heard = context.branches[position].heard;
        let cancelled = context.cancelled;
        if heard == Heard::Ringing || context.last_wait {
            // Timer C (RFC 3261 §16.8): nobody picks up. That is no fault of the line.
            return self.answer_context(id, 408, "Request Timeout", |response| response);
        }
        if cancelled {
            return self.answer_context(id, 487, "Request Terminated", |response| response);
        }
        let Some(call) = context.call else { return };
        self.calls.step(call.record, self.now, Step::Silence);
        self.report_outcome(id, position, CallOutcome::Silent, view);
        let Some(context) = self.contexts.get_mut(id) else { return };
        if !context.queue.is_empty() {
            self.abandon_branch(id, position);
            self.try_next_target(id, view);
        } else if call.last_try || call.rescue.is_some() {
            self.fail_call(id, 408, view);
        } else {
            // Nothing to divert to and nobody else to try: the caller may wait for Timer B, or Timer C after a 100.
            context.last_wait = true;
            context.patience = self.now + TIMER_C;
        }
    }
}

/// The To tag of our own answers: the same for all of one transaction.
fn context_tag(context: &Context, core: &Core) -> [u8; 16] {
    let message = context.request.view();
    let via = message.top_via().ok();
    let identity = sip_core::transaction::key::RequestIdentity {
        branch: via.and_then(|via| via.branch).unwrap_or_default(),
        sent_by_host: via.map(|via| via.sent_by.raw).unwrap_or_default(),
        sent_by_port: via.and_then(|via| via.sent_by.port),
        from_tag: message.from_tag().unwrap_or_default(),
        call_id: message.call_id(),
        cseq: message.cseq().number,
        ..Default::default()
    };
    stateless_tag(&core.shared.secrets.tag, &identity)
}
