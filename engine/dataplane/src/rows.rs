//! Bindings, verdicts and states as the outside sees them.

use std::net::SocketAddr;

use route_core::{Cause, Digits, FaultPlace, Health, LineSlot, RuleSlot};

/// A binding as it is stored and restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingRow {
    /// The line.
    pub line: LineSlot,
    /// Contact URI as registered.
    pub contact: String,
    /// Where the REGISTER came from: calls go there (RFC 3581).
    pub received: SocketAddr,
    /// Unix milliseconds.
    pub expires_unix_ms: u64,
    /// Call-ID of the last REGISTER.
    pub call_id: String,
    /// `CSeq` of the last REGISTER.
    pub cseq: u32,
    /// q in thousandths.
    pub q: u16,
    /// User-Agent, cut to 64 octets.
    pub user_agent: String,
    /// User part of the address-of-record.
    pub user: String,
}

/// What a registrar elsewhere says of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationState {
    /// At least one contact.
    Present,
    /// None, and none is known to have been.
    Absent,
    /// The last contact ran out.
    Expired,
    /// The last contact was removed.
    Removed,
    /// It does not tell any more.
    Unknown,
}

impl std::str::FromStr for RegistrationState {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Ok(match name {
            "present" => Self::Present,
            "absent" => Self::Absent,
            "expired" => Self::Expired,
            "removed" => Self::Removed,
            "unknown" => Self::Unknown,
            _ => return Err(()),
        })
    }
}

/// What a registrar elsewhere says of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationRow {
    /// The line.
    pub line: LineSlot,
    /// User part of the address-of-record it speaks of; empty: all of the line.
    pub user: String,
    /// What it says.
    pub state: RegistrationState,
    /// Since when, Unix milliseconds. What is older than the last report on the same user is passed over.
    pub since_unix_ms: u64,
    /// When the last contact runs out, if it told so; acted on to the moment.
    pub expires_unix_ms: Option<u64>,
    /// Contacts alive.
    pub contacts: u32,
    /// Hash of the Call-ID and `CSeq` of the REGISTER that told it, if one did.
    pub order: Option<(u64, u32)>,
    /// One line for people.
    pub evidence: String,
}

/// A verdict as it is stored and restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictRow {
    /// The line.
    pub line: LineSlot,
    /// The verdict.
    pub health: Health,
    /// Since when, Unix milliseconds.
    pub since_unix_ms: u64,
    /// Slug of the cause.
    pub cause: String,
    /// One line for people.
    pub evidence: String,
    /// Where the fault is.
    pub place: FaultPlace,
}

/// One contact or static peer of a line.
#[derive(Clone, Debug)]
pub struct TargetState {
    /// Where calls are sent.
    pub address: SocketAddr,
    /// Its own health.
    pub health: Health,
    /// Last OPTIONS round trip.
    pub rtt_us: Option<u64>,
    /// Last packet of any kind.
    pub last_seen_unix_ms: Option<u64>,
}

/// A line with its state.
#[derive(Clone, Debug)]
pub struct LineState {
    /// The line.
    pub line: LineSlot,
    /// Observed.
    pub verdict: VerdictRow,
    /// Bindings alive.
    pub bindings: usize,
    /// Contacts or peers.
    pub targets: Vec<TargetState>,
}

/// What happened to one call.
#[derive(Clone, Debug)]
pub struct CallRow {
    /// First INVITE.
    pub at_unix_ms: u64,
    /// Called number, unmasked; the binding masks it.
    pub number: String,
    /// Line that owns it.
    pub line: Option<LineSlot>,
    /// Rule that diverted it, or would.
    pub rule: Option<RuleSlot>,
    /// "redirect", "proxy", …
    pub decision: &'static str,
    /// Milliseconds since `at` and what happened.
    pub steps: Vec<(u32, String)>,
}

/// How a call came to be diverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DivertedHow {
    /// At once: the line was down, or taken out by the operator.
    Redirect,
    /// After the line had its chance with this very call.
    Rescue,
}

impl DivertedHow {
    /// The name in the Python API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Redirect => "redirect",
            Self::Rescue => "rescue",
        }
    }
}

/// One diverted call.
#[derive(Clone, Debug)]
pub struct DivertedRow {
    /// The line that did not take it.
    pub line: LineSlot,
    /// The rule that did.
    pub rule: RuleSlot,
    /// Called number, unmasked; the binding masks it.
    pub number: Digits,
    /// The first target the caller was given.
    pub target: Digits,
    /// At once or rescued.
    pub how: DivertedHow,
    /// Why.
    pub cause: Cause,
    /// Diverted on purpose, to prove the rule.
    pub drill: bool,
}

/// What became of a line's calls. A call counts once in `offered`, by its first INVITE, and once in one of the others, when its
/// caller has his final answer; so an interval's sums differ by the calls under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallsRow {
    /// The line.
    pub line: LineSlot,
    /// Over how long they were counted.
    pub interval_ms: u32,
    /// The counts.
    pub counts: CallCounts,
}

/// See [`CallsRow`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCounts {
    /// INVITEs for numbers of the line; repetitions do not count.
    pub offered: u32,
    /// Answered with a 2xx, or 302 to the line itself where the interconnect wants that.
    pub completed: u32,
    /// A living phone said no.
    pub declined: u32,
    /// The caller hung up first.
    pub cancelled: u32,
    /// 302 to the rule's targets at once.
    pub diverted: u32,
    /// 302 to the rule's targets after the line had its chance.
    pub rescued: u32,
    /// Neither the line nor a target: 480, 408, 500.
    pub failed: u32,
}
