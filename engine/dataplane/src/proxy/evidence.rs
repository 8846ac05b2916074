//! What calls tell the owners of lines, who judge them.

use route_core::CallOutcome;

use super::{ContextId, Heard};
use crate::worker::{Core, View};

impl Core {
    /// Tell the line's owner what this call found out about a target: that it lives once, that it does not once.
    pub(super) fn report_outcome(
        &mut self,
        id: ContextId,
        branch: usize,
        outcome: CallOutcome,
        view: &View,
    ) {
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        let Some(line) = context.call.map(|call| call.line) else {
            return;
        };
        let Some(branch) = context.branches.get_mut(branch) else {
            return;
        };
        let told = match outcome {
            CallOutcome::Answered => &mut branch.told_alive,
            _ => &mut branch.told_fault,
        };
        if !std::mem::replace(told, true) {
            let (address, heard) = (branch.address, branch.heard > Heard::Nothing);
            if self.tell_hop(line, address, heard, outcome, view) {
                return;
            }
            self.report_call(line, address, outcome, view);
        }
    }

    /// A branch that was given up speaks after all: no evidence for calls, but its flow is not dead.
    pub(super) fn report_sign_of_life(&mut self, id: ContextId, branch: usize) {
        let Some(context) = self.contexts.get(id) else {
            return;
        };
        let (Some(call), Some(branch)) = (context.call, context.branches.get(branch)) else {
            return;
        };
        let (line, address) = (call.line, branch.address);
        self.tell_seen(line, address);
    }
}
