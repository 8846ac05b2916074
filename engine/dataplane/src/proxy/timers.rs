//! The clock of response contexts and server transactions.

use sip_core::time::Timestamp;

use super::ContextId;
use crate::transactions::ServerId;
use crate::worker::{Core, Token, View};

impl Core {
    pub(crate) fn on_server_timer(&mut self, id: ServerId) {
        let context = self
            .transactions
            .server(id)
            .and_then(|server| server.context);
        let (transactions, mut io) = self.transactions_io();
        let signals = transactions.server_timeout(id, &mut io);
        self.after_server_event(context, signals);
    }

    pub(crate) fn on_context_timer(&mut self, id: ContextId, view: &View) {
        let now = self.now;
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        context.scheduled = Timestamp::MAX;
        let patience_ends = context.patience <= now;
        let nudge = context.nudge <= now;
        if patience_ends {
            context.nudge = Timestamp::MAX;
        }
        let ended: Vec<usize> = context
            .branches
            .iter()
            .enumerate()
            .filter(|(_, branch)| branch.ends <= now)
            .map(|(position, _)| position)
            .collect();
        for position in ended {
            self.end_branch(id, position);
        }
        if patience_ends {
            self.on_patience_end(id, view);
        } else if nudge {
            self.on_nudge(id, view);
        }
        self.schedule_context(id);
    }

    /// Wake this context at its earliest deadline.
    pub(super) fn schedule_context(&mut self, id: ContextId) {
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        let deadline = context.deadline();
        if deadline < context.scheduled {
            context.scheduled = deadline;
            self.wheel.insert(deadline, Token::Context(id));
        }
    }
}
