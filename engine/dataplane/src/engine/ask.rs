//! What the engine is asked: states, bindings, calls, decisions, counters.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use route_core::LineSlot;

use super::{Engine, Named};
use crate::counters::BOUNDS_US;
use crate::explain::{Asked, Explanation, explain};
use crate::rows::{BindingRow, CallRow, LineState, VerdictRow};
use crate::settings::SettingsError;
use crate::worker::{Letter, Question};

/// How long a question of the Python side may wait for a worker that is busy.
const PATIENCE: Duration = Duration::from_secs(5);

impl Engine {
    fn lines(&self, offset: usize, limit: usize) -> Vec<LineSlot> {
        self.shared
            .table
            .load()
            .lines()
            .skip(offset)
            .take(limit)
            .map(|line| line.slot)
            .collect()
    }

    fn ask<T>(
        &self,
        lines: Vec<LineSlot>,
        question: impl Fn(Vec<LineSlot>, SyncSender<Vec<T>>) -> Question,
    ) -> Vec<T> {
        let (answer, answers) = sync_channel(self.workers);
        for (share, desk) in self
            .by_owner(lines, |line| *line)
            .into_iter()
            .zip(&self.shared.workers)
        {
            desk.mailbox
                .post(Letter::Question(question(share, answer.clone())));
        }
        drop(answer);
        let mut all = Vec::new();
        while let Ok(mut part) = answers.recv_timeout(PATIENCE) {
            all.append(&mut part);
        }
        all
    }

    /// States of the lines `offset…offset + limit` of the table.
    pub fn line_states(&self, offset: usize, limit: usize) -> Vec<LineState> {
        let mut states = self.ask(self.lines(offset, limit), |lines, answer| {
            Question::States { lines, answer }
        });
        states.sort_by_key(|state| state.line);
        states
    }

    /// Bindings of the lines `offset…offset + limit` of the table.
    pub fn bindings(&self, offset: usize, limit: usize) -> Vec<BindingRow> {
        self.ask(self.lines(offset, limit), |lines, answer| {
            Question::Bindings { lines, answer }
        })
    }

    /// Verdicts of the lines `offset…offset + limit` of the table.
    pub fn verdicts(&self, offset: usize, limit: usize) -> Vec<VerdictRow> {
        self.line_states(offset, limit)
            .into_iter()
            .map(|state| state.verdict)
            .collect()
    }

    /// What happened to the recent calls with this Call-ID.
    pub fn calls(&self, call_id: &[u8]) -> Vec<CallRow> {
        let call_hash = crate::calls::call_hash(call_id);
        let found = self.ask(Vec::new(), |_, answer| Question::Calls {
            call_hash,
            answer,
        });
        let mut rows: Vec<CallRow> = found
            .into_iter()
            .map(|found| CallRow {
                at_unix_ms: self.shared.clock.unix_ms(found.opening.at),
                number: found
                    .opening
                    .number
                    .map(|number| number.to_string())
                    .unwrap_or_default(),
                line: found.opening.line,
                rule: found.opening.rule,
                decision: found.decision(),
                steps: found.steps,
            })
            .collect();
        rows.sort_by_key(|row| row.at_unix_ms);
        rows
    }

    /// What a call of this interconnect to `number` would get now, and why.
    pub fn explain(&self, number: &str, interconnect: &str) -> Result<Explanation, SettingsError> {
        let policy = self.shared.policy.load();
        let interconnect = policy.interconnect(interconnect).ok_or_else(|| {
            let names: Vec<&str> = policy
                .settings
                .interconnects
                .iter()
                .map(|x| x.name.as_str())
                .collect();
            SettingsError::new(
                "interconnect",
                format!("there is no interconnect {interconnect:?}"),
                &format!("use one of: {}", names.join(", ")),
            )
        })?;
        let table = self.shared.table.load();
        let view_of = |line: LineSlot| {
            let wish = table.line(line).map(|line| line.wish).unwrap_or_default();
            self.shared.slots.view(line, wish)
        };
        let hops = |line: LineSlot| {
            let targets = self
                .shared
                .slots
                .read(line)
                .and_then(crate::slots::Slot::targets);
            targets.map_or_else(Vec::new, |targets| {
                targets.iter().map(|target| target.address).collect()
            })
        };
        let asked = Asked {
            number,
            interconnect,
            table: &table,
            local: self.addresses[0],
            diverted_from: &[],
            offers_history: false,
        };
        Ok(explain(&asked, view_of, hops))
    }

    /// Sums over all workers.
    pub fn counters(&self) -> Named<u64> {
        let mut sums: Named<u64> = Vec::new();
        for desk in &self.shared.workers {
            for (position, (name, value)) in desk.counters.read().into_iter().enumerate() {
                match sums.get_mut(position) {
                    Some(sum) => sum.1 += value,
                    None => sums.push((name, value)),
                }
            }
        }
        let (queued, dropped, waiting) = self.shared.events.figures();
        sums.extend([
            ("events_queued", queued),
            ("events_dropped", dropped),
            ("events_waiting", waiting),
        ]);
        sums.extend(self.shared.guard.figures());
        sums
    }

    /// Per worker.
    pub fn worker_counters(&self) -> Vec<Named<u64>> {
        self.shared
            .workers
            .iter()
            .map(|desk| desk.counters.read())
            .collect()
    }

    /// The round trips of probes: upper bounds in seconds, counts with the overflow last, sum in seconds.
    pub fn probe_round_trips(&self) -> (Vec<f64>, Vec<u64>, f64) {
        let mut counts = vec![0; BOUNDS_US.len() + 1];
        let mut sum_us = 0;
        for desk in &self.shared.workers {
            let (own, own_sum) = desk.probe_round_trip.read();
            counts
                .iter_mut()
                .zip(own)
                .for_each(|(count, own)| *count += own);
            sum_us += own_sum;
        }
        #[allow(clippy::cast_precision_loss, reason = "a metric")]
        let seconds = |us: u64| us as f64 / 1e6;
        (
            BOUNDS_US.iter().map(|bound| seconds(*bound)).collect(),
            counts,
            seconds(sum_us),
        )
    }
}
