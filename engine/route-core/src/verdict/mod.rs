//! The verdict on a line: what was observed, kept apart from what the operator wants and from what routing does.
mod cause;
mod diagram;
mod flap;
mod learnt;
mod line;
mod observed;
mod place;
mod profile;
mod target;
mod unreachable;

pub use cause::Cause;
pub use diagram::mermaid;
pub use line::{Change, LineVerdict, Registration};
pub use observed::{Observation, Recent};
pub use place::FaultPlace;
pub use profile::{
    Known, Profile, counts_as_call_fault, worst_case_detection, worst_case_recovery,
};
pub use target::{CallOutcome, Evidence, TargetHealth};
pub use unreachable::Unreachable;

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
    /// Calls are sent to the line whatever is observed; one that fails still rescues itself.
    ForcedUp,
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
            Self::ForcedUp => "forced_up",
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
        [
            Self::Enabled,
            Self::Drained,
            Self::ForcedDown,
            Self::ForcedUp,
            Self::Drill,
        ]
        .into_iter()
        .find(|wish| wish.name() == name)
        .ok_or(())
    }
}

/// What routing goes by. The evidence is not touched by a wish.
pub fn effective(wish: Wish, health: Health) -> Health {
    match wish {
        Wish::Enabled => health,
        Wish::ForcedUp => Health::Up,
        Wish::Drained | Wish::ForcedDown | Wish::Drill => Health::Down,
    }
}
