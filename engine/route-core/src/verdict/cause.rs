//! What brought a state about.
use core::fmt;

use super::{Class, Unreachable};

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
    /// OPTIONS or calls could not be delivered, and somebody said so.
    Unreachable(Unreachable),
    /// The operator's wish, not the evidence.
    Wish,
    /// OPTIONS was answered.
    OptionsAnswered,
    /// A REGISTER came.
    Registered,
    /// A call was answered, whatever the answer.
    CallAnswered,
}

const ALL: [Cause; 19] = [
    Cause::Start,
    Cause::OptionsTimeout,
    Cause::OptionsCode(0),
    Cause::NotRegistered,
    Cause::Expired,
    Cause::Removed,
    Cause::CallFailed(0),
    Cause::CallSilent,
    Cause::Unreachable(Unreachable::Port),
    Cause::Unreachable(Unreachable::Host),
    Cause::Unreachable(Unreachable::Network),
    Cause::Unreachable(Unreachable::Prohibited),
    Cause::Unreachable(Unreachable::NoRoute),
    Cause::Unreachable(Unreachable::Name),
    Cause::Unreachable(Unreachable::Connection),
    Cause::Wish,
    Cause::OptionsAnswered,
    Cause::Registered,
    Cause::CallAnswered,
];

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
            Self::Unreachable(kind) => (kind.slug(), 0),
            Self::Wish => ("wish", 0),
            Self::OptionsAnswered => ("options_answered", 0),
            Self::Registered => ("registered", 0),
            Self::CallAnswered => ("call_answered", 0),
        }
    }

    /// The cause of a slug; the code, which rows from the store lack, is then 0. `icmp`, which older rows have, is an
    /// unreachable host.
    pub fn from_slug(slug: &str) -> Option<Self> {
        if slug == "icmp" {
            return Some(Self::Unreachable(Unreachable::Host));
        }
        ALL.into_iter().find(|cause| cause.slug().0 == slug)
    }

    /// The class of the evidence behind it. What could not be delivered is of the signalling class, whether it was an OPTIONS or a
    /// call: both go the same way, and an OPTIONS that is answered shows that the way is open.
    pub fn class(self) -> Class {
        match self {
            Self::CallFailed(_) | Self::CallSilent | Self::CallAnswered => Class::Call,
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

    /// Whether it is the want of a registration.
    pub fn is_registration(self) -> bool {
        matches!(self, Self::NotRegistered | Self::Expired | Self::Removed)
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
            Self::Unreachable(kind) => f.write_str(kind.text()),
            Self::Wish => f.write_str("the operator wants it so"),
            Self::OptionsAnswered => f.write_str("OPTIONS was answered"),
            Self::Registered => f.write_str("it registered"),
            Self::CallAnswered => f.write_str("a call was answered"),
        }
    }
}
