//! Which targets of a rule a call can be diverted to at this moment, and what keeps it from the others.
use alloc::format;
use alloc::string::ToString;

use crate::decision::LineView;
use crate::digits::Digits;
use crate::table::{Line, LineSlot, RouteTable, Rule, TargetList};
use crate::trace::{Step, Trace};
use crate::verdict::{FaultPlace, Health, effective};

/// The targets in a list of `rule` that a call for `called` on `line` can be diverted to now, in order. Left out are the called number
/// itself, numbers that lead back to the same line, and numbers of a line on the same site that is down as well.
pub fn usable_targets<'a>(
    table: &'a RouteTable,
    called: Digits,
    line: &'a Line,
    rule: &'a Rule,
    list: TargetList,
    health_of: impl Fn(LineSlot) -> LineView + 'a,
) -> impl Iterator<Item = Digits> + 'a {
    judged_targets(table, called, line, rule, list, health_of)
        .filter_map(|(target, obstacle)| obstacle.is_none().then_some(target))
}

/// All targets in a list of `rule` for a call for `called` on `line`, in order, each with what keeps it from being used now.
pub fn judged_targets<'a>(
    table: &'a RouteTable,
    called: Digits,
    line: &'a Line,
    rule: &'a Rule,
    list: TargetList,
    health_of: impl Fn(LineSlot) -> LineView + 'a,
) -> impl Iterator<Item = (Digits, Option<Obstacle>)> + 'a {
    rule.targets(list, called)
        .map(move |target| (target, obstacle(table, called, line, target, &health_of)))
}

/// Why a target cannot be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It is the called number.
    Itself,
    /// It leads back to the same line.
    SameLine,
    /// It leads to a line of the same site, which is down as well.
    SameSite,
}

impl Obstacle {
    /// The word for it at the Python boundary.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Itself => "itself",
            Self::SameLine => "same_line",
            Self::SameSite => "same_site",
        }
    }

    /// Half a sentence.
    pub fn text(self) -> &'static str {
        match self {
            Self::Itself => "it is the called number itself",
            Self::SameLine => "it leads back to the same line",
            Self::SameSite => "it leads to a line of the same site, which is down as well",
        }
    }
}

fn obstacle(
    table: &RouteTable,
    called: Digits,
    line: &Line,
    target: Digits,
    health_of: &impl Fn(LineSlot) -> LineView,
) -> Option<Obstacle> {
    if target == called {
        return Some(Obstacle::Itself);
    }
    let leads_to = table.find(target)?.entry.line;
    if leads_to == line.slot {
        return Some(Obstacle::SameLine);
    }
    if line.site_id.is_empty() || table.line(leads_to)?.site_id != line.site_id {
        return None;
    }
    let view = health_of(leads_to);
    (effective(view.wish, view.health) == Health::Down).then_some(Obstacle::SameSite)
}

/// The list of `rule` that has a usable target for a fault at `place` (`None`: wherever it turns out to be).
pub(crate) fn usable_list<T: Trace>(
    table: &RouteTable,
    called: Digits,
    line: &Line,
    rule: &Rule,
    place: Option<FaultPlace>,
    health_of: &impl Fn(LineSlot) -> LineView,
    trace: &mut T,
) -> Option<TargetList> {
    let (first, second) = match place {
        None if rule.phone_system_targets.is_empty() => (TargetList::Usual, None),
        None => (TargetList::Usual, Some(TargetList::PhoneSystem)),
        Some(place) => match rule.list_for(place) {
            TargetList::Usual => (TargetList::Usual, None),
            // Better those for any fault than none.
            list @ TargetList::PhoneSystem => (list, Some(TargetList::Usual)),
        },
    };
    for list in [Some(first), second].into_iter().flatten() {
        if !rule.phone_system_targets.is_empty() {
            trace.step(Step::Rule, || {
                let when = match list {
                    TargetList::Usual => "its targets for any fault",
                    TargetList::PhoneSystem => "its targets for when only the phone system is out",
                };
                match place {
                    Some(_) => format!("{when} are looked at"),
                    None => format!("{when} are looked at, for the call may need them"),
                }
            });
        }
        if any_usable(table, called, line, rule, list, health_of, trace) {
            return Some(list);
        }
    }
    trace.step(Step::Rule, || {
        "none of its targets can be used now, so it counts as not armed".to_string()
    });
    None
}

fn any_usable<T: Trace>(
    table: &RouteTable,
    called: Digits,
    line: &Line,
    rule: &Rule,
    list: TargetList,
    health_of: &impl Fn(LineSlot) -> LineView,
    trace: &mut T,
) -> bool {
    let mut any = false;
    for target in rule.targets(list, called) {
        match obstacle(table, called, line, target, health_of) {
            None => {
                if !T::KEEPS {
                    return true;
                }
                any = true;
                trace.step(Step::Rule, || format!("it leads to +{target}"));
            }
            Some(why) => trace.step(Step::Rule, || {
                format!("its target +{target} is left out: {}", why.text())
            }),
        }
    }
    any
}
