//! CANCEL: the caller's (RFC 3261 §16.10) and ours for branches that are given up (§9.1).

use std::time::Duration;

use sip_core::build::cancel_for;
use sip_core::message::{HeaderIndex, Message};
use sip_core::time::Timestamp;
use sip_core::transaction::Event;

use super::{ContextId, Fate, Heard};
use crate::calls::Step;
use crate::transactions::{ClientUser, Signals};
use crate::worker::{Core, Incoming, View};

/// 64·T1: how long a cancelled branch may take for its final response (RFC 3261 §9.1).
const AFTER_CANCEL: Duration = Duration::from_secs(32);

impl Core {
    pub(crate) fn on_cancel(&mut self, request: &Incoming<'_>, view: &View) {
        let context = self
            .transactions
            .find_server(request.key)
            .and_then(|server| self.transactions.server(server)?.context);
        let Some(id) = context else {
            // A stateless answer has been given: the CANCEL came too late, which is no error (§9.2).
            let (status, reason) = if self.memo.recall(request.key.0, self.now).is_some() {
                (200, "OK")
            } else {
                (481, "Call/Transaction Does Not Exist")
            };
            return self.answer_stateless(request, view, status, reason, |response| response);
        };
        self.answer_stateless(request, view, 200, "OK", |response| response);
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        if context.answered != 0 || context.cancelled || !context.is_invite {
            return;
        }
        context.cancelled = true;
        context.queue.clear();
        if let Some(call) = context.call {
            self.counters.calls_cancelled.increment();
            self.calls
                .step(call.record, self.now, Step::CallerCancelled);
        }
        // The branch under way stays `Running`: its 487 is the caller's final response. One that has said nothing may not be
        // sent a CANCEL and may never answer, so the caller gets his 487 at once, and the CANCEL is kept pending.
        let running = context
            .branches
            .iter()
            .position(|branch| branch.fate == Fate::Running);
        match running.filter(|position| context.branches[*position].heard > Heard::Nothing) {
            Some(position) => {
                self.send_cancel(id, position);
                self.schedule_context(id);
            }
            None => self.answer_context(id, 487, "Request Terminated", |_, response| response),
        }
    }

    /// Give up all running branches but `keep`.
    pub(super) fn abandon_branches(&mut self, id: ContextId, keep: Option<usize>) {
        let count = self
            .contexts
            .get(id)
            .map_or(0, |context| context.branches.len());
        for position in (0..count).filter(|position| Some(*position) != keep) {
            self.abandon_branch(id, position);
        }
    }

    /// Give up a branch: CANCEL now if it has answered provisionally, else as soon as it does.
    pub(super) fn abandon_branch(&mut self, id: ContextId, position: usize) {
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        let is_invite = context.is_invite;
        let Some(branch) = context
            .branches
            .get_mut(position)
            .filter(|branch| branch.fate == Fate::Running)
        else {
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
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        let record = context.call.map(|call| call.record);
        let Some(branch) = context.branches.get_mut(position) else {
            return;
        };
        branch.ends = self.now + AFTER_CANCEL;
        let Some(client) = self.transactions.client(branch.client) else {
            return;
        };
        let (socket, destination) = (client.socket, client.destination);
        let mut index = HeaderIndex::new();
        let Ok(invite) = Message::parse(client.request(), &mut index) else {
            return;
        };
        let mut bytes = Vec::new();
        cancel_for(&invite, &mut bytes);
        let own_branch = invite
            .top_via()
            .ok()
            .and_then(|via| via.branch)
            .unwrap_or_default();
        let key = self
            .shared
            .secrets
            .transaction
            .client_key(own_branch, b"CANCEL");
        if let Some(record) = record {
            self.calls.step(record, self.now, Step::Cancel);
        }
        // A branch that the caller cancelled may be given up as well: it has its CANCEL already.
        if self.transactions.find_client(key).is_none() {
            let (transactions, mut io) = self.transactions_io();
            let to = (socket, destination);
            transactions.open_client(
                key,
                false,
                bytes.into_boxed_slice(),
                to,
                ClientUser::Nobody,
                &mut io,
            );
        }
    }

    /// An answer on a branch that was given up.
    pub(super) fn on_abandoned_response(
        &mut self,
        id: ContextId,
        position: usize,
        response: &Message<'_>,
    ) {
        self.report_sign_of_life(id, position);
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        let taken = context.answered == 0 || (200..300).contains(&context.answered);
        let Some(branch) = context.branches.get_mut(position) else {
            return;
        };
        match response.status().unwrap_or_default() {
            ..=199 => {
                branch.heard = branch.heard.max(Heard::Trying);
                if branch.fate == Fate::CancelPending {
                    branch.fate = Fate::Cancelled;
                    self.send_cancel(id, position);
                    self.schedule_context(id);
                }
            }
            200..=299 => {
                // The client transaction ends by itself now (Timer M), and until then takes the repetitions.
                branch.ends = Timestamp::MAX;
                if taken {
                    // The caller still waits, or has a 2xx of another fork (§16.7 item 5): he gets this one.
                    self.on_success(id, position, response);
                } else {
                    self.close_late_answer(id, position, response);
                }
            }
            _ => {
                branch.fate = Fate::Finished;
                branch.ends = Timestamp::MAX;
            }
        }
    }

    /// 64·T1 after CANCEL without a final response: the branch counts as ended (RFC 3261 §9.1).
    pub(super) fn end_branch(&mut self, id: ContextId, position: usize) {
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        let cancelled = context.cancelled && context.answered == 0;
        let Some(branch) = context.branches.get_mut(position) else {
            return;
        };
        branch.ends = Timestamp::MAX;
        branch.fate = Fate::Finished;
        branch.gone = true;
        let client = branch.client;
        let (transactions, mut io) = self.transactions_io();
        transactions.client_event(client, Event::Abandon, &mut io);
        self.transactions.bury_client(client);
        if cancelled {
            self.answer_context(id, 487, "Request Terminated", |_, response| response);
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
