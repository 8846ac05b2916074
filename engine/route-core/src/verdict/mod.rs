//! The verdict on a line: what was observed, kept apart from what the operator wants and from what routing does.
mod diagram;
mod line;
mod profile;
mod target;

use core::fmt;

pub use diagram::mermaid;
pub use line::{Change, LineVerdict, Registration};
pub use profile::{
    Profile, counts_as_alive, counts_as_call_fault, worst_case_detection, worst_case_recovery,
};
pub use target::{CallOutcome, Evidence, TargetHealth};

/// What the evidence says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Health {
    /// No evidence yet. Calls are tried with the short answer timer, as on a suspect line.
    #[default]
    Unknown,
    /// Answers.
    Up,
    /// Missed something; asked again at short intervals.
    Suspect,
    /// Does not answer.
    Down,
}

/// What the operator wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Wish {
    /// Routing follows the evidence.
    #[default]
    Enabled,
    /// No new calls, as far as the customer has told where else they go; running ones end by themselves.
    Drained,
    /// No calls at all.
    ForcedDown,
    /// As if the line had failed, for numbers with an armed rule; the others must not notice.
    Drill,
}

/// What evidence is worth: a line comes back only by evidence of the class that took it down, or of a higher one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Class {
    /// Any packet on the line's own flow: postpones silence, proves nothing.
    Packet = 1,
    /// OPTIONS answers and REGISTER.
    #[default]
    Signalling = 2,
    /// Outcome of real calls.
    Call = 3,
}

/// What brought a state about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Nothing observed yet.
    #[default]
    Start,
    /// OPTIONS without an answer.
    OptionsTimeout,
    /// OPTIONS answered with a code that does not count as alive.
    OptionsCode(u16),
    /// Nobody registered the line.
    NotRegistered,
    /// The registration ran out.
    Expired,
    /// The registration was removed (RFC 3261 §10.2.2).
    Removed,
    /// Calls were answered with a code that counts as a fault.
    CallFailed(u16),
    /// Calls found no answer at all.
    CallSilent,
    /// Calls met ICMP errors, refused or broken connections.
    Icmp,
    /// The operator's wish, not the evidence.
    Wish,
    /// OPTIONS was answered.
    OptionsAnswered,
    /// A REGISTER came.
    Registered,
    /// A call was answered, whatever the answer.
    CallAnswered,
}

impl Cause {
    /// Slug and code (0 = none), as stored and as shown at the Python boundary (`VerdictRow.cause`).
    pub fn slug(self) -> (&'static str, u16) {
        match self {
            Self::Start => ("start", 0),
            Self::OptionsTimeout => ("options_timeout", 0),
            Self::OptionsCode(code) => ("options_code", code),
            Self::NotRegistered => ("not_registered", 0),
            Self::Expired => ("expired", 0),
            Self::Removed => ("removed", 0),
            Self::CallFailed(code) => ("call_failed", code),
            Self::CallSilent => ("call_silent", 0),
            Self::Icmp => ("icmp", 0),
            Self::Wish => ("wish", 0),
            Self::OptionsAnswered => ("options_answered", 0),
            Self::Registered => ("registered", 0),
            Self::CallAnswered => ("call_answered", 0),
        }
    }

    /// The cause of a slug; the code, which rows from the store lack, is then 0.
    pub fn from_slug(slug: &str) -> Option<Self> {
        let all = [
            Self::Start,
            Self::OptionsTimeout,
            Self::OptionsCode(0),
            Self::NotRegistered,
            Self::Expired,
            Self::Removed,
            Self::CallFailed(0),
            Self::CallSilent,
            Self::Icmp,
            Self::Wish,
            Self::OptionsAnswered,
            Self::Registered,
            Self::CallAnswered,
        ];
        all.into_iter().find(|cause| cause.slug().0 == slug)
    }

    /// The class of the evidence behind it.
    pub fn class(self) -> Class {
        match self {
            Self::CallFailed(_) | Self::CallSilent | Self::Icmp | Self::CallAnswered => Class::Call,
            _ => Class::Signalling,
        }
    }

    /// Whether it came from OPTIONS: then the target is known to answer them when it is well.
    pub fn is_options(self) -> bool {
        matches!(
            self,
            Self::OptionsTimeout | Self::OptionsCode(_) | Self::OptionsAnswered
        )
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("nothing was observed yet"),
            Self::OptionsTimeout => f.write_str("OPTIONS found no answer"),
            Self::OptionsCode(0) => f.write_str("OPTIONS was answered with a fault code"),
            Self::OptionsCode(code) => write!(f, "OPTIONS was answered with {code}"),
            Self::NotRegistered => f.write_str("it is not registered"),
            Self::Expired => f.write_str("its registration ran out"),
            Self::Removed => f.write_str("its registration was removed"),
            Self::CallFailed(0) => f.write_str("calls were answered with a fault code"),
            Self::CallFailed(code) => write!(f, "calls were answered with {code}"),
            Self::CallSilent => f.write_str("calls found no answer"),
            Self::Icmp => f.write_str("the network reports it unreachable"),
            Self::Wish => f.write_str("the operator wants it so"),
            Self::OptionsAnswered => f.write_str("OPTIONS was answered"),
            Self::Registered => f.write_str("it registered"),
            Self::CallAnswered => f.write_str("a call was answered"),
        }
    }
}

impl Health {
    /// The word for it in the store, at the Python boundary and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Suspect => "suspect",
            Self::Down => "down",
        }
    }
}

impl Wish {
    /// The word for it in the store and at the Python boundary.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Drained => "drained",
            Self::ForcedDown => "forced_down",
            Self::Drill => "drill",
        }
    }
}

impl core::str::FromStr for Health {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        [Self::Unknown, Self::Up, Self::Suspect, Self::Down]
            .into_iter()
            .find(|health| health.name() == name)
            .ok_or(())
    }
}

impl core::str::FromStr for Wish {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        [Self::Enabled, Self::Drained, Self::ForcedDown, Self::Drill]
            .into_iter()
            .find(|wish| wish.name() == name)
            .ok_or(())
    }
}

/// What routing goes by: any wish but `enabled` takes the line out, the evidence is not touched by it.
pub fn effective(wish: Wish, health: Health) -> Health {
    match wish {
        Wish::Enabled => health,
        Wish::Drained | Wish::ForcedDown | Wish::Drill => Health::Down,
    }
}
