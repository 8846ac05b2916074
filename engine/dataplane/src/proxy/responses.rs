//! What comes back on a branch: RFC 3261 §16.7.

use std::net::SocketAddr;
use std::time::Duration;

use route_core::CallOutcome;
use sip_core::build::{ack_for_non_2xx, has_next_hop, write_forwarded_response};
use sip_core::header::HeaderName;
use sip_core::message::{HeaderIndex, Message};
use sip_core::time::Timestamp;
use sip_core::transaction::Event;

use super::forward::TIMER_C;
use super::{ContextId, Fate, Heard};
use crate::calls::Step;
use crate::transactions::{ClientId, ClientUser, Signals};
use crate::worker::{Core, View};

impl Core {
    /// A response that belongs to a client transaction of ours.
    pub(crate) fn on_client_response(
        &mut self,
        id: ClientId,
        response: &Message<'_>,
        _source: SocketAddr,
        view: &View,
    ) {
        let is_branch = self
            .transactions
            .client(id)
            .is_some_and(|client| client.user != ClientUser::Nobody);
        if is_branch && !has_next_hop(response) {
            // RFC 3261 §16.7 item 3: without a Via below ours that can be read it is for nobody behind us.
            self.counters.stray_dropped.increment();
            return;
        }
        let event = match response.status() {
            Some(100..=199) => Event::Provisional,
            Some(200..=299) => Event::Success,
            _ => Event::Failure,
        };
        let (transactions, mut io) = self.transactions_io();
        let signals = transactions.client_event(id, event, &mut io);
        self.after_client_event(id, signals, Some(response), view);
    }

    pub(crate) fn on_client_timer(&mut self, id: ClientId, view: &View) {
        let (transactions, mut io) = self.transactions_io();
        let signals = transactions.client_timeout(id, &mut io);
        self.after_client_event(id, signals, None, view);
    }

    pub(super) fn after_client_event(
        &mut self,
        id: ClientId,
        signals: Signals,
        response: Option<&Message<'_>>,
        view: &View,
    ) {
        let Some(user) = self.transactions.client(id).map(|client| client.user) else {
            return;
        };
        if let (true, Some(response)) = (signals.acknowledge, response) {
            self.acknowledge(id, response);
        }
        if let ClientUser::Branch(context, branch) = user {
            let branch = usize::from(branch);
            if let (true, Some(response)) = (signals.pass, response) {
                self.on_branch_response(context, branch, response, view);
            }
            if signals.timeout {
                self.on_branch_timeout(context, branch, view);
            }
            if signals.terminated {
                self.branch_gone(context, branch);
            }
        }
        if signals.terminated {
            self.transactions.bury_client(id);
        }
    }

    /// The ACK of a 300–699, hop by hop (RFC 3261 §17.1.1.3).
    fn acknowledge(&mut self, id: ClientId, response: &Message<'_>) {
        let Some(client) = self.transactions.client(id) else {
            return;
        };
        let mut index = HeaderIndex::new();
        let Ok(invite) = Message::parse(client.request(), &mut index) else {
            return;
        };
        self.outbox
            .push_with(client.socket, client.destination, |out| {
                ack_for_non_2xx(&invite, response, out);
            });
    }

    fn on_branch_response(
        &mut self,
        id: ContextId,
        branch: usize,
        response: &Message<'_>,
        view: &View,
    ) {
        let status = response.status().unwrap_or_default();
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        let Some(state) = context.branches.get_mut(branch) else {
            return;
        };
        if matches!(state.fate, Fate::CancelPending | Fate::Cancelled) {
            return self.on_abandoned_response(id, branch, response);
        }
        match status {
            100 => {
                let first = state.heard == Heard::Nothing;
                state.heard = state.heard.max(Heard::Trying);
                if let (true, Some(call)) = (first, context.call) {
                    if !context.last_wait {
                        context.patience = self.now + Duration::from_micros(call.timers.trying_us);
                    }
                    self.calls.step(call.record, self.now, Step::Response(100));
                    self.nudge_after_trying(id, branch);
                }
                self.schedule_context(id);
            }
            101..=199 => {
                state.heard = Heard::Ringing;
                if context.is_invite {
                    // RFC 3261 §16.6 item 11: Timer C, set anew by each 101–199.
                    let ring = context
                        .call
                        .map_or(TIMER_C, |call| Duration::from_micros(call.timers.ring_us));
                    context.patience = self.now + ring;
                } else {
                    // The caller's Timer E is slow now; no 100 of ours is due any more (RFC 4320 §4.1).
                    context.patience = Timestamp::MAX;
                }
                self.report_outcome(id, branch, CallOutcome::Answered, view);
                self.record_response(id, status);
                self.schedule_context(id);
                self.forward_response(id, response);
            }
            200..=299 => {
                self.report_outcome(id, branch, CallOutcome::Answered, view);
                if let Some(line) = self.contexts.get(id).and_then(|context| context.registers) {
                    self.on_registered_elsewhere(line, response, view);
                }
                self.on_success(id, branch, response);
            }
            _ => {
                let ringing = state.heard == Heard::Ringing;
                state.fate = Fate::Finished;
                state.ends = Timestamp::MAX;
                let cancelled = context.cancelled;
                // RFC 3261 §21.5.4: it names the time until when it takes no calls.
                let held_down = status == 503 && response.has(HeaderName::RetryAfter);
                let fault = !ringing
                    && context
                        .call
                        .is_some_and(|call| held_down || call.timers.fault_codes.contains(status));
                self.record_response(id, status);
                if fault && !cancelled {
                    self.report_outcome(id, branch, CallOutcome::Fault { code: status }, view);
                    self.on_branch_fault(id, status, Some(response), view);
                } else {
                    if !fault {
                        self.report_outcome(id, branch, CallOutcome::Answered, view);
                    }
                    self.on_decline(id, status, response);
                }
            }
        }
    }

    /// RFC 3261 §16.7 item 5: every 2xx to an INVITE goes up, also a second one of another fork.
    pub(super) fn on_success(&mut self, id: ContextId, branch: usize, response: &Message<'_>) {
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        if let Some(branch) = context.branches.get_mut(branch) {
            branch.fate = Fate::Finished;
            branch.ends = Timestamp::MAX;
        }
        let first = context.answered == 0;
        if !first && !(200..300).contains(&context.answered) {
            // The caller has another final answer already.
            return self.close_late_answer(id, branch, response);
        }
        let status = response.status().unwrap_or(200);
        context.answered = status;
        context.patience = Timestamp::MAX;
        if first {
            if let Some(call) = context.call {
                self.counters.calls_answered.increment();
                self.tally.count(call.line, |counts| counts.completed += 1);
                self.calls.step(call.record, self.now, Step::Answer(status));
            }
            // §16.7 item 10: the other branches are cancelled.
            self.abandon_branches(id, Some(branch));
        }
        self.forward_response(id, response);
    }

    /// A living phone said no: 486, 603, 404 and their like go to the caller as they are.
    fn on_decline(&mut self, id: ContextId, status: u16, response: &Message<'_>) {
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        if context.answered != 0 || (status == 408 && !context.is_invite) {
            // RFC 4320 §4.2: a 408 that is not to an INVITE comes too late for everybody, and is not passed on.
            return;
        }
        context.patience = Timestamp::MAX;
        if let Some(call) = context.call {
            self.counters.calls_declined.increment();
            self.calls.step(call.record, self.now, Step::Answer(status));
        }
        if status == 503 {
            // RFC 3261 §16.7 item 6: a 503 would say that WE cannot take calls.
            return self.answer_context(id, 500, "Server Internal Error", |_, response| response);
        }
        context.answered = status;
        if let Some(call) = context.call {
            let cancelled = context.cancelled;
            self.tally.count(call.line, |counts| {
                if cancelled {
                    counts.cancelled += 1;
                } else {
                    counts.declined += 1;
                }
            });
        }
        self.forward_response(id, response);
    }

    /// Pass a response to the caller without our Via.
    pub(super) fn forward_response(&mut self, id: ContextId, response: &Message<'_>) {
        let Some(context) = self.contexts.get(id) else {
            return;
        };
        let server = context.server;
        let mut bytes = Vec::with_capacity(response.bytes().len());
        if !write_forwarded_response(response, &mut bytes) {
            return;
        }
        let (transactions, mut io) = self.transactions_io();
        let signals =
            transactions.respond(server, response.status().unwrap_or(500), bytes, &mut io);
        self.after_server_event(Some(id), signals);
    }

    /// Timer B or F of a branch.
    fn on_branch_timeout(&mut self, id: ContextId, branch: usize, view: &View) {
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        let Some(state) = context.branches.get_mut(branch) else {
            return;
        };
        let given_up = state.fate != Fate::Running;
        state.fate = Fate::Finished;
        if given_up {
            return;
        }
        self.report_outcome(id, branch, CallOutcome::Silent, view);
        let Some(context) = self.contexts.get(id) else {
            return;
        };
        if context.is_invite {
            // RFC 3261 §16.7: a time-out counts as if 408 had come.
            self.on_branch_fault(id, 408, None, view);
        }
        // RFC 4320 §4.2: other methods get no 408; their server transaction ends in silence.
    }

    fn branch_gone(&mut self, id: ContextId, branch: usize) {
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        if let Some(branch) = context.branches.get_mut(branch) {
            branch.gone = true;
            branch.ends = Timestamp::MAX;
        }
        if !context.is_invite
            && context.answered == 0
            && context.branches.iter().all(|branch| branch.gone)
        {
            let server = context.server;
            let (transactions, mut io) = self.transactions_io();
            let signals = transactions.server_event(server, Event::Abandon, &mut io);
            return self.after_server_event(Some(id), signals);
        }
        self.bury_context(id);
    }

    pub(super) fn bury_context(&mut self, id: ContextId) {
        if self.contexts.get(id).is_some_and(super::Context::is_over) {
            self.contexts.remove(id);
        }
    }

    fn record_response(&mut self, id: ContextId, status: u16) {
        if let Some(call) = self.contexts.get(id).and_then(|context| context.call) {
            self.calls
                .step(call.record, self.now, Step::Response(status));
        }
    }
}
