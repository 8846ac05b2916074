//! Requests that the network could not deliver (RFC 3261 §8.1.3.1, §16.9, §18.4).
//!
//! Rules:
//! - A call that has heard no more than 100 goes at once to its next target, or is diverted; the branch lives on to Timer B in silence,
//!   for the report may be spurious, and late answers are treated as always.
//! - A call with nobody else to try and nothing to divert to waits for its repeated INVITEs; reports that go on for
//!   [`INSISTED`] end it with 480. One to a line that was down ends at the first.
//! - Any other request ends as if 503 had come, which is 500 to its sender (§16.7 item 6).
//! - After 100 only a quoted branch counts: whoever knows no more than our addresses could end calls.

use std::time::Duration;

use route_core::{CallOutcome, Cause, FaultPlace, Unreachable};
use sip_core::transaction::Event;

use super::answers::write_reason;
use super::{ContextId, Fate, Heard};
use crate::calls::Step;
use crate::transactions::{ClientId, ClientUser};
use crate::worker::{Core, Undelivered, View};

/// A fault of routing that heals by itself is over by then, and the INVITE was repeated at least once more.
const INSISTED: Duration = Duration::from_secs(1);

impl Core {
    /// A request of a client transaction was not delivered, or so it is said.
    pub(crate) fn on_client_unreachable(
        &mut self,
        id: ClientId,
        report: &Undelivered,
        view: &View,
    ) {
        let Some(client) = self
            .transactions
            .client(id)
            .filter(|client| client.destination == report.destination)
        else {
            return;
        };
        let ClientUser::Branch(context_id, branch) = client.user else {
            return;
        };
        let branch = usize::from(branch);
        let Some(context) = self.contexts.get(context_id) else {
            return;
        };
        let most = if context.call.is_some() && report.request.is_some() {
            Heard::Trying
        } else {
            Heard::Nothing
        };
        let waits = context
            .branches
            .get(branch)
            .is_some_and(|branch| branch.fate == Fate::Running && branch.heard <= most);
        if !waits || context.answered != 0 {
            return;
        }
        self.counters.unreachables_taken.increment();
        if context.call.is_some() {
            self.on_branch_unreachable(context_id, branch, report.kind, report.by_target, view);
        } else {
            self.end_undelivered(id, context_id, view);
        }
    }

    /// A call's branch cannot reach its target.
    pub(crate) fn on_branch_unreachable(
        &mut self,
        id: ContextId,
        position: usize,
        kind: Unreachable,
        by_target: bool,
        view: &View,
    ) {
        let outcome = CallOutcome::Unreachable { kind, by_target };
        self.report_outcome(id, position, outcome, view);
        let now = self.now;
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        let (Some(call), Some(branch)) = (context.call, context.branches.get_mut(position)) else {
            return;
        };
        let first = branch.unreachable_since.is_none();
        let since = *branch.unreachable_since.get_or_insert(now);
        if first {
            self.calls.step(call.record, now, Step::Unreachable(kind));
        }
        if context.cancelled {
            return self.answer_context(id, 487, "Request Terminated", |_, response| response);
        }
        if self.try_next_target(id, view) {
            return self.abandon_branch(id, position);
        }
        let cause = Cause::Unreachable(kind);
        if self.divert_context(id, cause, FaultPlace::of(cause, by_target), view) {
            return;
        }
        if call.last_try || now >= since + INSISTED {
            self.counters.calls_unavailable.increment();
            self.answer_context(id, 480, "Temporarily Unavailable", |_, response| {
                response.header_with("Reason", |out| write_reason(cause, out))
            });
        }
    }

    /// §17.1.4: the transaction ends, and its user is told.
    fn end_undelivered(&mut self, client: ClientId, context: ContextId, view: &View) {
        self.answer_context(context, 500, "Server Internal Error", |_, response| {
            response
        });
        let (transactions, mut io) = self.transactions_io();
        let signals = transactions.client_event(client, Event::TransportError, &mut io);
        self.after_client_event(client, signals, None, view);
    }
}
