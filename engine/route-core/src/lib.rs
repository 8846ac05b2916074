//! What a call gets, and why: route table, verdicts on lines, and the decision, without I/O.
//!
//! The data path and the Python side run this same code, so a simulated call and a real one cannot differ. Nothing here reads
//! a clock, draws randomness, logs or blocks: `now` and seeds are arguments.
//!
//! * [`NumberPlan`] turns what a core network sends into [`Digits`] (E.164).
//! * [`RouteTable`] finds the line and the rule of a number: exact first, then the longest prefix whose length window fits.
//! * [`TargetHealth`] and [`LineVerdict`] turn evidence into `up, suspect, down, unknown`.
//! * [`decide`] joins the three into a [`Decision`], with a [`Trace`] for people.
//!
//! Non-goals: SIP syntax (`sip-core`), sockets and timers (`dataplane`), precedence of rules and target policy (Python).
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod decision;
mod digits;
mod plan;
mod reason;
mod table;
mod targets;
mod trace;
mod verdict;

pub use decision::{
    AnswerTimer, Decision, InterconnectFlags, LineView, NoDiversion, NotFound, decide,
};
pub use digits::{Digits, DigitsFault};
pub use plan::{NumberFault, NumberPlan};
pub use reason::{Reason, reason_for};
pub use table::{
    Counts, Credential, Delta, DeltaError, DigestAlgorithm, Elsewhere, Entry, KNOWN_FLAGS, Line,
    LineKind, LineSlot, LineSpec, Match, MatchedBy, NOT_LIVE, Peer, PrefixEntry, RequestUri,
    RouteTable, Rule, RuleSlot, RuleSpec, Target, TargetList, TargetSpec,
};
pub use targets::{Obstacle, judged_targets, usable_targets};
pub use trace::{NoTrace, Recording, Step, Trace};
pub use verdict::{
    CallOutcome, Cause, Change, Class, Evidence, FaultPlace, Health, Known, LineVerdict,
    Observation, Profile, Recent, Registration, TargetHealth, Unreachable, Wish,
    counts_as_call_fault, effective, mermaid, worst_case_detection, worst_case_recovery,
};
