//! What a worker does with what other threads posted to it.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sip_core::message::HeaderIndex;

use super::{Core, Letter, View};

impl Core {
    /// The letters that wait, taken into `letters` and opened one by one; breaks at [`Letter::Stop`]. `after` is called behind each, to
    /// send what has gathered. What a panic left in `letters` comes first.
    pub(crate) fn open_letters(
        &mut self,
        letters: &mut Vec<Letter>,
        index: &mut HeaderIndex,
        view: &View,
        mut after: impl FnMut(&mut Self),
    ) -> ControlFlow<()> {
        let mut collected = false;
        // The letters may tell of a table that is newer than this turn's view.
        let fresh = View {
            policy: Arc::clone(&view.policy),
            table: self.shared.table.load_full(),
        };
        let mut flow = ControlFlow::Continue(());
        loop {
            // The last is the next.
            let Some(letter) = letters.pop() else {
                if std::mem::replace(&mut collected, true) {
                    return flow;
                }
                self.shared.workers[self.index].mailbox.collect(letters);
                letters.reverse();
                continue;
            };
            if self.on_letter(letter, index, &fresh).is_break() {
                flow = ControlFlow::Break(());
            }
            after(self);
        }
    }

    fn on_letter(
        &mut self,
        letter: Letter,
        index: &mut HeaderIndex,
        view: &View,
    ) -> ControlFlow<()> {
        match letter {
            Letter::Datagram {
                bytes,
                source,
                socket,
            } => self.on_datagram(&bytes, index, source, socket, true, view),
            Letter::CallOutcome {
                line,
                address,
                outcome,
            } => self.on_call_outcome(line, address, outcome, view),
            Letter::Undelivered(report) => self.on_undelivered(&report, view),
            Letter::Seen { line, address } => self.on_seen(line, address),
            Letter::Doubt { line, address } => self.on_doubt(line, address, view),
            Letter::AskLines(lines) => self.ask_lines(&lines, view),
            Letter::LinesChanged(lines) => self.on_lines_changed(lines.as_deref(), view),
            Letter::Stored => {
                let seq = self.shared.stored_seq.load(Ordering::Acquire);
                self.on_stored(seq);
            }
            Letter::Bindings(rows) => self.restore_bindings(rows, view),
            Letter::Verdicts(rows) => self.restore_verdicts(&rows, view),
            Letter::Registrations(rows) => self.on_registrations(&rows, view),
            Letter::Question(question) => self.on_question(question, view),
            Letter::Stop => return ControlFlow::Break(()),
            #[cfg(test)]
            Letter::Panic => panic!("as a test wants it"),
        }
        ControlFlow::Continue(())
    }
}
