//! CANCEL: the caller's (RFC 3261 §16.10) and ours for branches that are given up (§9.1).

use std::time::Duration;

use sip_core::build::cancel_for;
use sip_core::message::{HeaderIndex, Message};
use sip_core::transaction::Event;
use sip_core::transaction::key::TransactionKey;

use super::{ContextId, Fate, Heard};
use crate::calls::Step;
use crate::transactions::{ClientUser, Signals};
use crate::worker::{Core, Incoming, View};

/// 64·T1: how long a cancelled branch may take for its final response (RFC 3261 §9.1).
const AFTER_CANCEL: Duration = Duration::from_secs(32);

impl Core {
    /// `key` is that of the INVITE to be cancelled.
    pub(crate) fn on_cancel(&mut self, request: &Incoming<'_>, key: TransactionKey, view: &View) {
        let context =
            self.transactions.find_server(key).and_then(|server| self.transactions.server(server)?.context);
        let Some(id) = context else {
            // A stateless answer has been given: the CANCEL came too late, which is no error (§9.2).
            let (status, reason) = if self.memo.contains(key.0, self.now) {
                (200, "OK")
            } else {
                (481, "Call/Transaction Does Not Exist")
            };
            return self.answer_stateless(request, view, status, reason, |response| response);
        };
        self.answer_stateless(request, view, 200, "OK", |response| response);
        let Some(context) = self.contexts.get_mut(id) else { return };
        if context.answered != 0 || context.cancelled || !context.is_invite {
            return;
        }
        context.cancelled = true;
        context.queue.clear();
        if let Some(call) = context.call {
            self.counters.calls_cancelled.increment();
            self.calls.step(call.record, self.now, Step::CallerCancelled);
        }
        // The branches go on as `Running`: their 487 is the caller's final response. A branch that has said nothing may not be
        // sent a CANCEL and may never answer, so the caller gets his 487 at once.
        let silent = context.branches.iter().all(|branch| branch.heard == Heard::Nothing);
        if silent {
            return self.answer_context(id, 487, "Request Terminated", |response| response);
        }
        let running: Vec<usize> = context
            .branches
            .iter()
            .enumerate()
            .filter(|(_, branch)| branch.fate == Fate::Running && branch.heard > Heard::Nothing)
            .map(|(position, _)| position)
            .collect();
        for position in running {
            self.send_cancel(id, position);
        }
        self.schedule_context(id);
    }

    /// Give up all running branches but `keep`.
    pub(super) fn abandon_branches(&mut self, id: ContextId, keep: Option<usize>) {
        let count = self.contexts.get(id).map_or(0, |context| context.branches.len());
        for position in (0..count).filter(|position| Some(*position) != keep) {
            self.abandon_branch(id, position);
        }
    }

    /// Give up a branch: CANCEL now if it has answered provisionally, else as soon as it does.
    pub(super) fn abandon_branch(&mut self, id: ContextId, position: usize) {
        let Some(context) = self.contexts.get_mut(id) else { return };
        let is_invite = context.is_invite;
        let Some(branch) = context.branches.get_mut(position).filter(|branch| branch.fate == Fate::Running) else {
            return;
        };
        if !is_invite {
            // CANCEL makes no sense for other requests (§9.1).
            branch.fate = Fate::Finished;
        } else if branch.heard == Heard::Nothing {
            branch.fate = Fate::CancelPending;
        } else {
            branch.fate = Fate::Cancelled;
            self.send_cancel(id, position);
        }
        self.schedule_context(id);
    }

    /// Send CANCEL on a branch, and wait 64·T1 for its final response.
    pub(super) fn send_cancel(&mut self, id: ContextId, position: usize) {
        let Some(context) = self.contexts.get_mut(id) else { return };
        let record = context.call.map(|call| call.record);
        let Some(branch) = context.branches.get_mut(position) else { return };
        branch.ends = self.now + AFTER_CANCEL;
        let Some(client) = self.transactions.client(branch.client) else { return };
        let (socket, destination) = (client.socket, client.destination);
        let mut index = HeaderIndex::new();
        let Ok(invite) = Message::parse(client.request(), &mut index) else { return };
        let mut bytes = Vec::new();
        cancel_for(&invite, &mut bytes);
        let own_branch = invite.top_via().ok().and_then(|via| via.branch).unwrap_or_default();
        let key = self.shared.secrets.transaction.client_key(own_branch, b"CANCEL");
        if let Some(record) = record {
            self.calls.step(record, self.now, Step::Cancel);
        }
        if self.transactions.find_client(key).is_none() {
            let (transactions, mut io) = self.transactions_io();
            let to = (socket, destination);
            transactions.open_client(key, false, bytes.into_boxed_slice(), to, ClientUser::Nobody, &mut io);
        }
    }

    /// An answer on a branch that was given up.
    pub(super) fn on_abandoned_response(&mut self, id: ContextId, position: usize, response: &Message<'_>) {
        let Some(context) = self.contexts.get_mut(id) else { return };
        let answered = context.answered;
        let Some(branch) = context.branches.get_mut(position) else { return };
        match response.status().unwrap_or_default() {
            ..=199 => {
                branch.heard = branch.heard.max(Heard::Trying);
                if branch.fate == Fate::CancelPending {
                    branch.fate = Fate::Cancelled;
                    self.send_cancel(id, position);
                    self.schedule_context(id);
                }
            }
            200..=299 if (200..300).contains(&answered) => self.forward_response(id, response),
            200..=299 => self.close_late_answer(id, position, response),
            _ => branch.fate = Fate::Finished,
        }
    }

    /// 64·T1 after CANCEL without a final response: the branch counts as ended (RFC 3261 §9.1).
    pub(super) fn end_branch(&mut self, id: ContextId, position: usize) {
        let Some(context) = self.contexts.get_mut(id) else { return };
        let cancelled = context.cancelled && context.answered == 0;
        let Some(branch) = context.branches.get_mut(position) else { return };
        branch.ends = sip_core::time::Timestamp::MAX;
        branch.fate = Fate::Finished;
        branch.gone = true;
        let client = branch.client;
        let (transactions, mut io) = self.transactions_io();
        transactions.client_event(client, Event::Abandon, &mut io);
        self.transactions.bury_client(client);
        if cancelled {
            self.answer_context(id, 487, "Request Terminated", |response| response);
        }
        self.bury_context(id);
    }

    /// What follows from an event of a context's server transaction.
    pub(super) fn after_server_event(&mut self, context: Option<ContextId>, signals: Signals) {
        if let (Some(id), true) = (context, signals.terminated) {
            if let Some(context) = self.contexts.get_mut(id) {
                context.server_gone = true;
            }
            self.bury_context(id);
        }
    }
}
