//! A rule: where calls go while the line is down, if the customer has armed it.
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::delta::DeltaError;
use crate::digits::Digits;
use crate::verdict::FaultPlace;

/// The small integer by which a rule is named; never used again for another rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleSlot(pub u32);

/// One place to divert to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The number, or the base.
    pub digits: Digits,
    /// For a block that keeps the extension: append the called number's digits after this many.
    pub keep_after: Option<u8>,
}

/// A rule as the table keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its slot.
    pub slot: RuleSlot,
    /// Name in the store.
    pub rule_id: Box<str>,
    /// What it is for, in words.
    pub label: Box<str>,
    /// The customer switched it on; nothing is said about whether calls are diverted now.
    pub armed: bool,
    /// Why it does not count now although it is armed, as half a sentence; empty: it counts. Its time or its plan, as Python judges.
    pub rests: Box<str>,
    /// In order of preference.
    pub targets: Box<[Target]>,
    /// Instead of those when only the phone system is out; empty: it makes no difference.
    pub phone_system_targets: Box<[Target]>,
}

/// One of the two lists of a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetList {
    /// `targets`.
    #[default]
    Usual,
    /// `phone_system_targets`.
    PhoneSystem,
}

/// A rule as it comes (`RuleSpec` of the boundary).
#[derive(Clone, Debug, Default)]
#[allow(
    missing_docs,
    reason = "field by field the RuleSpec of sipproxy/_engine.pyi, documented there"
)]
pub struct RuleSpec {
    pub slot: u32,
    pub rule_id: String,
    pub label: String,
    pub armed: bool,
    pub rests: String,
    pub targets: Vec<TargetSpec>,
    pub phone_system_targets: Vec<TargetSpec>,
}

/// A target as it comes (`TargetSpec` of the boundary).
#[derive(Clone, Debug, Default)]
#[allow(
    missing_docs,
    reason = "field by field the TargetSpec of sipproxy/_engine.pyi, documented there"
)]
pub struct TargetSpec {
    pub digits: String,
    pub keep_after: Option<u32>,
}

impl Rule {
    /// Most targets of a list: each is a Contact of the 302, which has to fit a datagram.
    pub const MAX_TARGETS: usize = 10;

    /// Check and convert; `place` is where the specification stands, e.g. `rules[3]`.
    pub fn read(spec: RuleSpec, place: &str) -> Result<Self, DeltaError> {
        if spec.targets.is_empty() && spec.phone_system_targets.is_empty() {
            return Err(DeltaError {
                where_: format!("{place}.targets"),
                what: format!("0 targets, must be 1 to {}", Self::MAX_TARGETS),
            });
        }
        Ok(Self {
            slot: RuleSlot(spec.slot),
            targets: read_list(&spec.targets, &format!("{place}.targets"))?,
            phone_system_targets: read_list(
                &spec.phone_system_targets,
                &format!("{place}.phone_system_targets"),
            )?,
            rule_id: spec.rule_id.into(),
            label: spec.label.into(),
            armed: spec.armed,
            rests: spec.rests.into(),
        })
    }

    /// Whether it diverts: it is armed, and neither its time nor its plan keeps it from it.
    pub fn in_force(&self) -> bool {
        self.armed && self.rests.is_empty()
    }

    /// The list for a fault at `place`.
    pub fn list_for(&self, place: FaultPlace) -> TargetList {
        if place == FaultPlace::PhoneSystem && !self.phone_system_targets.is_empty() {
            TargetList::PhoneSystem
        } else {
            TargetList::Usual
        }
    }

    /// The numbers of a list to divert a call for `called` to, in order. A target that would become longer than E.164 allows is left
    /// out.
    pub fn targets(&self, list: TargetList, called: Digits) -> impl Iterator<Item = Digits> {
        let targets = match list {
            TargetList::Usual => &self.targets,
            TargetList::PhoneSystem => &self.phone_system_targets,
        };
        targets
            .iter()
            .filter_map(move |target| match target.keep_after {
                None => Some(target.digits),
                Some(after) => target.digits.join(called.iter().skip(usize::from(after))),
            })
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.rule_id.len()
            + self.label.len()
            + self.rests.len()
            + size_of_val(&*self.targets)
            + size_of_val(&*self.phone_system_targets)
    }
}

fn read_list(specs: &[TargetSpec], place: &str) -> Result<Box<[Target]>, DeltaError> {
    if specs.len() > Rule::MAX_TARGETS {
        return Err(DeltaError {
            where_: place.to_string(),
            what: format!(
                "{} targets, must be 1 to {}",
                specs.len(),
                Rule::MAX_TARGETS
            ),
        });
    }
    let mut targets = Vec::with_capacity(specs.len());
    for (at, target) in specs.iter().enumerate() {
        let fault = |what: String| DeltaError {
            where_: format!("{place}[{at}]"),
            what,
        };
        let digits =
            Digits::parse(target.digits.as_bytes()).map_err(|why| fault(why.to_string()))?;
        let keep_after = match target.keep_after {
            None => None,
            Some(after @ 1..=15) => Some(after as u8),
            Some(after) => {
                return Err(fault(format!("keep_after is {after}, must be 1 to 15")));
            }
        };
        targets.push(Target { digits, keep_after });
    }
    Ok(targets.into())
}
