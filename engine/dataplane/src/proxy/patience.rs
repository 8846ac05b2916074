//! How long a call waits for a target, and what it does meanwhile.
//!
//! - Silence: the answer timer; the suspect timer plus the target's round trip where line or target is in doubt. With further
//!   targets to try, one that is not the last gets six tenths of it, so that two silent ones together cost no more than one.
//! - A copy of the INVITE is lost more often than a line: towards a target that is not proven to be near and clean, Timer A starts
//!   at 80 ms in place of T1. A departure that RFC 3261 §17.1.1.1 knows for closed networks; Timer B keeps its 32 s.
//! - Half a second of silence asks the target by OPTIONS, so that its owner knows by the time the call is diverted.
//! - Where much is lost, a sign of life since the INVITE buys one more second, once, and one more copy.
//! - 100 and nothing more: the INVITE is repeated, for a server transaction then sends its latest provisional again (§17.2.1). A
//!   lost 180 is no fault. §17.1.1.2 says SHOULD NOT: a departure.

use std::time::Duration;

use route_core::Health;
use sip_core::time::{TimerValues, Timestamp};
use sip_core::transaction::Event;

use super::{Call, ContextId, Fate, Heard};
use crate::calls::Step;
use crate::slots::{LOSS_UNKNOWN, Target};
use crate::worker::{Core, Letter, View};

/// Below this, in thousandths, a line's loss is proven to be small.
const CLEAN: u16 = 30;

/// Microseconds of round trip above which the third copy with T1, after 1.5 s, is not answered within the answer timer.
const LONG: u32 = 200_000;

/// Above this so much is lost that four copies may all be. It is what a line is taken for that nothing is known of: one that never
/// lost anything gets no more than the answer timer.
const LOSSY: u16 = LOSS_UNKNOWN;

/// First repetition of the INVITE where the line is not proven clean: five copies within the answer timer.
const HURRY: Duration = Duration::from_millis(80);

/// After this much silence the target is asked.
const ASK_AFTER: Duration = Duration::from_millis(500);

const ONE_MORE_SECOND: Duration = Duration::from_secs(1);

/// No round trip is waited for longer than this.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(1);

/// Timer A's first interval towards `target`.
pub(super) fn first_repetition(target: &Target) -> Duration {
    if target.loss_permille() < CLEAN && target.srtt_us() < LONG {
        TimerValues::RFC3261.t1
    } else {
        HURRY
    }
}

/// How long `target` may be silent. `waited`: what other targets of this call have had; `last`: there is none after it.
pub(super) fn silence(call: &Call, target: &Target, waited: Duration, last: bool) -> Duration {
    let answer = Duration::from_micros(call.timers.answer_us);
    let round_trip = Duration::from_micros(target.srtt_us().into()).min(LONGEST_ROUND_TRIP);
    let short = Duration::from_micros(call.timers.suspect_us) + round_trip;
    if call.hurried || target.health() == Health::Suspect {
        return short;
    }
    let shortest = short.min(answer);
    if last {
        answer.saturating_sub(waited).max(shortest)
    } else {
        (answer * 6 / 10).max(shortest)
    }
}

impl Core {
    /// The call's small clock: half a second of silence, or a while of nothing but 100.
    pub(super) fn on_nudge(&mut self, id: ContextId, view: &View) {
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        context.nudge = Timestamp::MAX;
        if context.answered != 0 || context.cancelled {
            return;
        }
        let running = |branch: &&super::Branch| branch.fate == Fate::Running;
        let (Some(call), Some(branch)) =
            (context.call, context.branches.iter().rev().find(running))
        else {
            return;
        };
        let client = branch.client;
        match branch.heard {
            Heard::Nothing => {
                let address = branch.address;
                if crate::slots::owner(call.line, self.workers()) == self.index {
                    self.on_doubt(call.line, address, view);
                } else if !self.shared.post_to_owner(
                    call.line,
                    Letter::Doubt {
                        line: call.line,
                        address,
                    },
                ) {
                    self.counters.mailbox_full.increment();
                }
            }
            Heard::Trying => {
                context.nudge = self.now + between_repetitions(&call, branch.target.as_deref());
                let (transactions, mut io) = self.transactions_io();
                transactions.client_event(client, Event::Repeat, &mut io);
                self.calls.step(call.record, self.now, Step::Repeated);
            }
            Heard::Ringing => {}
        }
    }

    /// The call was sent to a target: when it asks for it.
    pub(super) fn nudge_after_send(&mut self, id: ContextId) {
        if let Some(context) = self.contexts.get_mut(id) {
            context.nudge = self.now + ASK_AFTER;
        }
    }

    /// A target said 100 for the first time: when the INVITE is repeated.
    pub(super) fn nudge_after_trying(&mut self, id: ContextId, position: usize) {
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        let (Some(call), false, Some(branch)) = (
            context.call,
            context.last_wait,
            context.branches.get(position),
        ) else {
            return;
        };
        context.nudge = self.now + between_repetitions(&call, branch.target.as_deref());
    }

    /// Whether a silent target gets one more second: much is lost on its way, and it has given a sign of life since the INVITE.
    pub(super) fn extend_patience(&mut self, id: ContextId, position: usize) -> bool {
        let Some(context) = self.contexts.get_mut(id).filter(|c| !c.extended) else {
            return false;
        };
        let Some(branch) = context.branches.get(position) else {
            return false;
        };
        let lives = branch.target.as_ref().is_some_and(|target| {
            target.loss_permille() > LOSSY && target.last_seen().is_some_and(|at| at > branch.sent)
        });
        if branch.heard != Heard::Nothing || !lives {
            return false;
        }
        let client = branch.client;
        context.extended = true;
        context.patience = self.now + ONE_MORE_SECOND;
        // Timer A has grown long by now.
        let (transactions, mut io) = self.transactions_io();
        transactions.client_event(client, Event::Repeat, &mut io);
        true
    }

    /// The first so many calls after a recovery carry the short timer, if they have somewhere else to go.
    pub(super) fn hurries_after_recovery(&self, call: &Call, view: &View) -> bool {
        let armed = call
            .rescue
            .and_then(|rule| view.table.rule(rule))
            .is_some_and(|rule| rule.in_force());
        armed
            && self
                .shared
                .slots
                .read(call.line)
                .is_some_and(crate::slots::Slot::take_return)
    }
}

/// A quarter of the trying timer; an eighth where copies are lost more often.
fn between_repetitions(call: &Call, target: Option<&Target>) -> Duration {
    let trying = Duration::from_micros(call.timers.trying_us);
    if target.is_some_and(|target| target.loss_permille() >= CLEAN) {
        trying / 8
    } else {
        trying / 4
    }
}
