//! Skeleton.
#![allow(unused)]
use std::net::SocketAddr;
use std::sync::Arc;
use route_core::{CallOutcome, LineSlot};
use sip_core::message::Message;
use sip_core::transaction::key::ClientKey;
use crate::events::BindingChange;
use crate::rows::{BindingRow, VerdictRow};
use crate::slots::{Target, Targets};
use crate::worker::{Core, Question, View};
pub(crate) struct Lines;
impl Lines { pub(crate) fn new(_: usize, _: usize) -> Self { Self } }
impl Core {
    pub(crate) fn on_lines_changed(&mut self, lines: Option<&[LineSlot]>, view: &View) {}
    pub(crate) fn change_bindings(&mut self, line: LineSlot, targets: Targets, changes: &[(BindingChange, Arc<Target>)], view: &View) -> u64 { 0 }
    pub(crate) fn on_line_timer(&mut self, line: LineSlot, view: &View) {}
    pub(crate) fn on_probe_response(&mut self, key: ClientKey, message: &Message<'_>, source: SocketAddr, view: &View) -> bool { false }
    pub(crate) fn on_call_outcome(&mut self, line: LineSlot, address: SocketAddr, outcome: CallOutcome, view: &View) {}
    pub(crate) fn on_seen(&mut self, line: LineSlot, address: SocketAddr) {}
    pub(crate) fn restore_bindings(&mut self, rows: Vec<BindingRow>, view: &View) {}
    pub(crate) fn restore_verdicts(&mut self, rows: &[VerdictRow], view: &View) {}
    pub(crate) fn publish_gauges(&mut self) {}
    pub(crate) fn on_question(&mut self, question: Question, view: &View) {
        match question {
            Question::Calls { call_hash, answer } => { let _ = answer.try_send(self.calls.find(call_hash)); }
            _ => {}
        }
    }
}
