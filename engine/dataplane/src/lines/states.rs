//! Answers to the Python side's questions about lines and bindings.

use route_core::LineSlot;

use crate::rows::{LineState, TargetState, VerdictRow};
use crate::worker::{Core, Question, View};

impl Core {
    /// Answer, unless whoever asked has gone.
    pub(crate) fn on_question(&mut self, question: Question, _view: &View) {
        match question {
            Question::Calls { call_hash, answer } => {
                let _ = answer.try_send(self.calls.find(call_hash));
            }
            Question::States { lines, answer } => {
                let states = lines
                    .into_iter()
                    .filter_map(|line| self.line_state(line))
                    .collect();
                let _ = answer.try_send(states);
            }
            Question::Bindings { lines, answer } => {
                let rows = lines.into_iter().flat_map(|line| {
                    let targets = self.targets_of(line);
                    targets
                        .iter()
                        .filter_map(|target| self.binding_row(line, target))
                        .collect::<Vec<_>>()
                });
                let _ = answer.try_send(rows.collect());
            }
        }
    }

    fn line_state(&self, line: LineSlot) -> Option<LineState> {
        let owned = self.lines.owned.get(&line)?;
        let clock = &self.shared.clock;
        let targets = self.targets_of(line);
        Some(LineState {
            line,
            verdict: VerdictRow {
                line,
                health: owned.verdict.health(),
                since_unix_ms: clock.unix_ms(owned.verdict.since()),
                cause: owned.verdict.cause().slug().0.to_owned(),
                evidence: owned.evidence.clone().into(),
                place: owned.place,
            },
            bindings: owned.told_contacts()
                + targets
                    .iter()
                    .filter(|target| target.binding.is_some())
                    .count(),
            targets: targets
                .iter()
                .map(|target| TargetState {
                    address: target.address,
                    health: target.health(),
                    rtt_us: target.rtt_us().map(u64::from),
                    last_seen_unix_ms: target.last_seen().map(|at| clock.unix_ms(at)),
                })
                .collect(),
        })
    }
}
