//! The stateful proxy: response contexts (RFC 3261 §16), and the call that saves itself.
//!
//! Rules of a call that is sent to a line with an armed rule:
//! - Silence for the answer timer, 100 alone for the trying timer, an ICMP error, or a fault code before any 18x: the next target
//!   if there is one, else the caller gets 302 to the rule's targets. He never gets a second answer. `patience.rs` has the times.
//! - The branch that was given up lives on. Before any provisional response no CANCEL may be sent (§9.1), so it is kept
//!   pending and sent on the first 1xx; the branch ends with Timer B, or 64·T1 after the CANCEL.
//! - A 2xx that comes for such a branch is on purpose not forwarded (a departure from §16.7 step 5): it is acknowledged each
//!   time it comes (§13.2.2.4) and its dialog ended with BYE.

mod answers;
mod cancel;
mod decide;
mod dialog;
mod evidence;
mod fail;
mod forward;
mod late;
mod patience;
mod responses;
#[cfg(test)]
mod tests;
mod timers;
mod unreachable;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use route_core::{Digits, LineSlot, RuleSlot};
use sip_core::message::OwnedMessage;
use sip_core::time::Timestamp;

use crate::calls::RecordId;
use crate::settings::CallTimers;
use crate::slab::Id;
use crate::slots::Target;
use crate::transactions::{ClientId, ServerId};

pub(crate) type ContextId = Id<Context>;

/// A response context (RFC 3261 §16.2): one request that came, and the branches it was sent on.
#[allow(
    clippy::struct_excessive_bools,
    reason = "four independent facts about a request"
)]
pub(crate) struct Context {
    server: ServerId,
    /// The server transaction is gone.
    server_gone: bool,
    request: OwnedMessage,
    /// The To tag of our own answers.
    tag: [u8; 16],
    source: SocketAddr,
    socket: usize,
    is_invite: bool,
    /// What makes it a call of ours to save; `None` for requests within dialogs and other methods.
    call: Option<Call>,
    branches: Vec<Branch>,
    /// Targets not tried yet.
    queue: VecDeque<Arc<Target>>,
    /// The line whose registrar elsewhere this REGISTER goes to.
    registers: Option<LineSlot>,
    /// The final status that the caller has; 0: none yet.
    answered: u16,
    /// The caller sent CANCEL.
    cancelled: bool,
    /// The caller has waited long enough for the line by then.
    patience: Timestamp,
    /// There is nobody else to try and nothing to divert to: at the next end of patience the call ends (Timer C).
    last_wait: bool,
    /// When the call asks for its silent target, or repeats an INVITE that got 100 and nothing more.
    nudge: Timestamp,
    /// A silent target got one more second already.
    extended: bool,
    /// When the first target was tried.
    began: Timestamp,
    scheduled: Timestamp,
}

/// The call behind an initial INVITE.
#[derive(Clone, Copy)]
struct Call {
    called: Digits,
    line: LineSlot,
    rescue: Option<RuleSlot>,
    timers: CallTimers,
    /// The short timer counts: the line is in doubt, or back since a moment ago.
    hurried: bool,
    last_try: bool,
    record: RecordId,
}

/// One copy of the request on its way (RFC 3261 §16.6).
struct Branch {
    client: ClientId,
    /// The client transaction is gone.
    gone: bool,
    address: SocketAddr,
    /// Whose branch it is; `None` for requests that follow a Route.
    target: Option<Arc<Target>>,
    sent: Timestamp,
    heard: Heard,
    fate: Fate,
    /// After CANCEL: when to stop waiting for a final response (RFC 3261 §9.1).
    ends: Timestamp,
    /// Hashes of the To tags of late 2xx that got their BYE.
    closed: Vec<u64>,
    /// What the line's owner was told: one call is one piece of evidence of each kind.
    told_alive: bool,
    told_fault: bool,
    /// The first report that the request cannot be delivered.
    unreachable_since: Option<Timestamp>,
}

/// What a branch has heard from its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Heard {
    Nothing,
    /// 100 and nothing more.
    Trying,
    /// 101–199.
    Ringing,
}

/// Whether a branch's answers still count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// They do.
    Running,
    /// Given up; the CANCEL waits for a provisional response.
    CancelPending,
    /// Given up, and CANCEL sent.
    Cancelled,
    /// A final response came.
    Finished,
}

impl Context {
    /// Whether ending the process now would leave somebody without an answer, or a phone ringing for nobody.
    pub(crate) fn is_unfinished(&self) -> bool {
        let abandoned = |branch: &Branch| {
            !branch.gone && matches!(branch.fate, Fate::CancelPending | Fate::Cancelled)
        };
        (self.answered == 0 && !self.server_gone) || self.branches.iter().any(abandoned)
    }

    fn is_over(&self) -> bool {
        self.server_gone && self.branches.iter().all(|branch| branch.gone)
    }

    /// The earliest instant at which `on_context_timer` has something to do.
    fn deadline(&self) -> Timestamp {
        self.branches
            .iter()
            .map(|branch| branch.ends)
            .fold(self.patience.min(self.nudge), Timestamp::min)
    }
}
