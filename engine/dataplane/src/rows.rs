//! Bindings, verdicts and states as the outside sees them.

use std::net::SocketAddr;

use route_core::{Health, LineSlot};

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
    pub rule: Option<route_core::RuleSlot>,
    /// "redirect", "proxy", …
    pub decision: &'static str,
    /// Milliseconds since `at` and what happened.
    pub steps: Vec<(u32, String)>,
}
