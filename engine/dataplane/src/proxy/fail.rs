//! A call that its line does not take: the next target, the diversion of this very call, or an honest failure.

use std::sync::Arc;

use route_core::{
    CallOutcome, Cause, FaultPlace, Health, Line, LineKind, LineSlot, Unreachable, Wish,
};
use sip_core::build::ResponseWriter;
use sip_core::message::Message;
use sip_core::time::Timestamp;

use super::answers::write_reason;
use super::forward::TIMER_C;
use super::{Branch, Context, ContextId, Fate, Heard};
use crate::calls::Step;
use crate::chain::Chain;
use crate::redirect::Diversion;
use crate::rows::{DivertedHow, DivertedRow};
use crate::worker::{Core, View};

impl Core {
    /// A branch failed with a fault of the line (`status`: what it answered, 408 for silence).
    pub(super) fn on_branch_fault(
        &mut self,
        id: ContextId,
        status: u16,
        response: Option<&Message<'_>>,
        view: &View,
    ) {
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        if context.answered != 0 {
            return;
        }
        if context.cancelled {
            return self.answer_context(id, 487, "Request Terminated", |_, response| response);
        }
        if self.try_next_target(id, view) {
            return;
        }
        self.fail_call(id, status, response, view);
    }

    /// No target is left: divert if a rule is armed, else answer.
    pub(super) fn fail_call(
        &mut self,
        id: ContextId,
        status: u16,
        response: Option<&Message<'_>>,
        view: &View,
    ) {
        let Some(context) = self.contexts.get(id) else {
            return;
        };
        let never_sent = context.branches.is_empty();
        let last_try = context.call.is_some_and(|call| call.last_try);
        let cause = match status {
            _ if never_sent && self.is_static(context.call.map(|call| call.line), view) => {
                // Its peers are named, and none of the names was ever resolved.
                Cause::Unreachable(Unreachable::Name)
            }
            _ if never_sent => Cause::NotRegistered,
            408 if response.is_none() => Cause::CallSilent,
            code => Cause::CallFailed(code),
        };
        if self.divert_context(id, cause, FaultPlace::of(cause, false), view) {
            return;
        }
        if last_try || never_sent {
            self.counters.calls_unavailable.increment();
            return self.answer_context(id, 480, "Temporarily Unavailable", |_, response| {
                response.header_with("Reason", |out| write_reason(cause, out))
            });
        }
        match response {
            // RFC 3261 §16.7 item 6: a 503 would say that WE cannot take calls.
            Some(_) if status == 503 => {
                self.answer_context(id, 500, "Server Internal Error", |_, response| response);
            }
            Some(response) => {
                self.answered_with(id, status);
                self.forward_response(id, response);
            }
            None => self.answer_context(id, 408, "Request Timeout", |_, response| {
                response.header_with("Reason", |out| write_reason(cause, out))
            }),
        }
    }

    fn is_static(&self, line: Option<LineSlot>, view: &View) -> bool {
        let line = line.and_then(|line| Some((line, view.table.line(line)?)));
        line.is_some_and(|(line, row)| {
            let slot = self.shared.slots.read(line);
            row.kind == LineKind::Static && !slot.is_some_and(crate::slots::Slot::has_targets)
        })
    }

    /// Where the fault is that this call met, as far as is known at this moment.
    fn place_met(
        &self,
        context: &Context,
        line: &Line,
        place: FaultPlace,
        view: &View,
    ) -> FaultPlace {
        if line.kind == LineKind::Foreign {
            // What somebody else's network answers says nothing about the phone system.
            return FaultPlace::Unclear;
        }
        if place != FaultPlace::Unclear {
            return place;
        }
        // Who sent 100 is there, and gets nowhere.
        let trying = |branch: &Branch| branch.heard == Heard::Trying;
        if context.branches.last().is_some_and(trying) {
            return FaultPlace::PhoneSystem;
        }
        let seen = self.line_view(line.slot, view);
        match seen.health {
            Health::Down => seen.place,
            _ => FaultPlace::Unclear,
        }
    }

    /// Answer the caller of a call under way with 302 to the rule's targets for a fault at `place`; false if there is no rule or no
    /// target.
    pub(super) fn divert_context(
        &mut self,
        id: ContextId,
        cause: Cause,
        place: FaultPlace,
        view: &View,
    ) -> bool {
        let Some(context) = self.contexts.get(id) else {
            return false;
        };
        let Some(call) = context.call else {
            return false;
        };
        let Some(call_rule) = call.rescue else {
            return false;
        };
        let Some(rule) = view.table.rule(call_rule).filter(|rule| rule.in_force()) else {
            return false;
        };
        let (Some(line), Some(interconnect)) = (
            view.table.line(call.line),
            view.policy.interconnect_of(context.source),
        ) else {
            return false;
        };
        let local = Arc::clone(&self.hosts[context.socket]);
        let place = self.place_met(context, line, place, view);
        let chain = Chain::of(&context.request.view(), call.called, &interconnect.plan);
        let diversion = Diversion {
            called: call.called,
            line,
            rule,
            list: rule.list_for(place),
            cause,
            interconnect,
            local: &local,
            chain: &chain,
        };
        let (targets, count) = diversion.targets(&view.table, |line| self.line_view(line, view));
        if count == 0 {
            return false;
        }
        let row = DivertedRow {
            line: call.line,
            rule: call_rule,
            number: call.called,
            target: targets[0],
            how: DivertedHow::Rescue,
            cause,
            drill: line.wish == Wish::Drill,
        };
        self.tell_diverted(|| row);
        self.counters.calls_rescued.increment();
        self.calls.step(call.record, self.now, Step::Diverted);
        self.answer_context(id, 302, "Moved Temporarily", |request, response| {
            diversion.write(request, &targets[..count], response)
        });
        true
    }

    /// Send a final answer of our own to the caller.
    pub(super) fn answer_context(
        &mut self,
        id: ContextId,
        status: u16,
        reason: &str,
        extra: impl for<'o> FnOnce(&Message<'_>, ResponseWriter<'o>) -> ResponseWriter<'o>,
    ) {
        let Some(context) = self.contexts.get(id) else {
            return;
        };
        let server = context.server;
        let mut bytes = Vec::new();
        let (request, tag) = (context.request.view(), context.tag);
        let response = ResponseWriter::new(
            &mut bytes,
            &request,
            status,
            reason,
            Some(&tag),
            Some(context.source),
        );
        extra(&request, response).finish(None);
        self.answered_with(id, status);
        let (transactions, mut io) = self.transactions_io();
        let signals = transactions.respond(server, status, bytes, &mut io);
        self.after_server_event(Some(id), signals);
    }

    /// The caller has his final answer: what still runs is given up.
    fn answered_with(&mut self, id: ContextId, status: u16) {
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        let first = context.answered == 0;
        context.answered = status;
        context.patience = Timestamp::MAX;
        context.queue.clear();
        if let Some(call) = context.call.filter(|_| first) {
            let rang = context
                .branches
                .iter()
                .any(|branch| branch.fate == Fate::Running && branch.heard == Heard::Ringing);
            let cancelled = context.cancelled;
            self.tally.count(call.line, |counts| match status {
                302 => counts.rescued += 1,
                _ if cancelled => counts.cancelled += 1,
                // Nobody picked up: that is no failure of the line.
                408 if rang => counts.declined += 1,
                _ => counts.failed += 1,
            });
        }
        if let (Some(call), true) = (context.call, status != 302) {
            self.calls.step(call.record, self.now, Step::Answer(status));
        }
        self.abandon_branches(id, None);
    }

    /// The line has had its time (answer, trying or ring timer).
    pub(super) fn on_patience_end(&mut self, id: ContextId, view: &View) {
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        context.patience = Timestamp::MAX;
        if context.answered != 0 {
            return;
        }
        if !context.is_invite {
            return self.answer_trying(id);
        }
        let Some(position) = context
            .branches
            .iter()
            .rposition(|branch| branch.fate == Fate::Running)
        else {
            // Each way a branch ends answers the caller or opens the next; this keeps him from waiting for ever if one does not.
            return self.answer_context(id, 408, "Request Timeout", |_, response| response);
        };
        let heard = context.branches[position].heard;
        let cancelled = context.cancelled;
        if heard == Heard::Ringing || context.last_wait {
            // Timer C (RFC 3261 §16.8): nobody picks up. That is no fault of the line.
            return self.answer_context(id, 408, "Request Timeout", |_, response| response);
        }
        if cancelled {
            return self.answer_context(id, 487, "Request Terminated", |_, response| response);
        }
        if self.extend_patience(id, position) {
            return;
        }
        let Some(call) = self.contexts.get(id).and_then(|context| context.call) else {
            return;
        };
        self.calls.step(call.record, self.now, Step::Silence);
        self.report_outcome(id, position, CallOutcome::Silent, view);
        if self.try_next_target(id, view) {
            return self.abandon_branch(id, position);
        }
        if call.last_try || call.rescue.is_some() {
            self.fail_call(id, 408, None, view);
        } else {
            // Nothing to divert to and nobody else to try: the caller may wait for Timer B, or Timer C after a 100.
            if let Some(context) = self.contexts.get_mut(id) {
                context.last_wait = true;
                context.patience = self.now + TIMER_C;
            }
        }
    }
}
