//! Where the fault is, in the words of the service description.

use super::{Cause, Unreachable};

/// Where the fault of a line is. Honest: where the evidence cannot tell, it is [`FaultPlace::Unclear`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FaultPlace {
    /// The evidence fits several places, or there is no fault.
    #[default]
    Unclear,
    /// The data line.
    DataLine,
    /// The customer's network, behind the router.
    Network,
    /// The customer's IP router.
    Router,
    /// The IP phone system.
    PhoneSystem,
}

impl FaultPlace {
    /// The word for it in the store and at the Python boundary.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unclear => "unclear",
            Self::DataLine => "data_line",
            Self::Network => "network",
            Self::Router => "router",
            Self::PhoneSystem => "phone_system",
        }
    }

    /// What the cause alone tells. `by_target`: the report of unreachability came from the target's own address, which is the
    /// customer's router where the phone system is behind NAT.
    pub fn of(cause: Cause, by_target: bool) -> Self {
        match cause {
            Cause::OptionsCode(_) | Cause::CallFailed(_) | Cause::Removed => Self::PhoneSystem,
            Cause::Unreachable(Unreachable::Port | Unreachable::Connection) if by_target => {
                Self::PhoneSystem
            }
            Cause::Unreachable(Unreachable::Host | Unreachable::Network) if by_target => {
                Self::Network
            }
            Cause::Unreachable(Unreachable::Host | Unreachable::Network) => Self::Router,
            _ => Self::Unclear,
        }
    }
}

impl core::str::FromStr for FaultPlace {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        [
            Self::Unclear,
            Self::DataLine,
            Self::Network,
            Self::Router,
            Self::PhoneSystem,
        ]
        .into_iter()
        .find(|place| place.name() == name)
        .ok_or(())
    }
}
