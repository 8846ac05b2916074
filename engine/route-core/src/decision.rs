//! What a call gets: one pure function of number, table and health.
//!
//! | effective state of the line | rule | decision |
//! |---|---|---|
//! | up | | proxy; an armed rule rescues this very call if it fails |
//! | suspect, unknown | armed, with a usable target | the same with the short answer timer |
//! | suspect, unknown | else | proxy with the normal answer timer, without rescue |
//! | down | armed, with a usable target | redirect |
//! | down, but it answers again and only rests out its hold | armed, with a usable target | proxy with the short answer timer, rescued by the rule |
//! | down by calls, a trial is due | armed, with a usable target | proxy with the short answer timer, rescued by the rule |
//! | down | else, or the call may not be diverted once more | proxy as a last try, without rescue |
//! | not registered | else | unavailable: there is no address to try |
//! | wish `drained` | | as down |
//! | wish `forced_down` | | as down, but never tried |
//! | wish `forced_up` | | as up, whatever is observed; without an address to try as not registered |
//! | wish `drill` | armed, with a usable target | redirect |
//! | wish `drill` | else | as if it were enabled: nobody who armed nothing may notice a drill |
//! | number unknown, not live, or its line is gone | | not found |
//!
//! A rule that is armed but rests (its plan is not on, or it diverts nothing at this time) is as one that is not armed. A rule may have
//! targets of its own for when only the phone system is out; they count while the evidence says just that.
use alloc::format;
use alloc::string::{String, ToString};

use crate::digits::Digits;
use crate::table::{
    Line, LineKind, LineSlot, Match, MatchedBy, NOT_LIVE, RouteTable, Rule, RuleSlot, TargetList,
};
use crate::targets::usable_list;
use crate::trace::{Step, Trace};
use crate::verdict::{Cause, FaultPlace, Health, Wish, effective};

/// A line as routing sees it at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineView {
    /// What the evidence says.
    pub health: Health,
    /// What brought that about.
    pub cause: Cause,
    /// Where the fault is, as far as the evidence tells.
    pub place: FaultPlace,
    /// What the operator wants.
    pub wish: Wish,
    /// Whether there is an address to send a call to: a binding or a static peer.
    pub bound: bool,
    /// Whether this call may be tried although calls took the line down ([`crate::TargetHealth::trial_due`]).
    pub trial: bool,
    /// Whether a line that is down answers again: it waits for more answers, or for the end of `hold`.
    pub answering: bool,
}

impl LineView {
    /// A line nothing is known of.
    pub const UNKNOWN: Self = Self {
        health: Health::Unknown,
        cause: Cause::Start,
        place: FaultPlace::Unclear,
        wish: Wish::Enabled,
        bound: true,
        trial: false,
        answering: false,
    };
}

/// Why a call is not diverted once more, as its own header fields show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoDiversion {
    /// It was diverted from the called number before: it goes in a circle.
    Circle,
    /// It was diverted from each of the targets before.
    Back,
    /// It was diverted as often as the interconnect allows.
    TooOften,
}

impl NoDiversion {
    /// One sentence for a trace.
    pub fn text(self) -> &'static str {
        match self {
            Self::Circle => {
                "the call was diverted from this number before and came back: it is not diverted in a circle"
            }
            Self::Back => {
                "the call was diverted from each of the targets before: it is not sent back in a circle"
            }
            Self::TooOften => {
                "the call was diverted as often as the interconnect allows: it is not diverted again"
            }
        }
    }
}

/// What interconnect and request say that changes a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterconnectFlags {
    /// A healthy line is answered with 302 to its contact as well.
    pub redirect_only: bool,
    /// No rule may divert this call.
    pub no_diversion: Option<NoDiversion>,
}

/// How long the line may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerTimer {
    /// `answer_timer` of the profile.
    Normal,
    /// `suspect_timer` of the profile.
    Suspect,
}

/// Why there is nowhere to send a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// No entry matches.
    UnknownNumber,
    /// The order is not yet, or no longer, live.
    NotLive,
    /// The entry's line was taken out.
    NoLine,
}

/// What a call gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// 404, or as the interconnect is set.
    NotFound {
        /// Why.
        reason: NotFound,
    },
    /// Send it to the line.
    Proxy {
        /// The line.
        line: LineSlot,
        /// How long it may be silent.
        timer: AnswerTimer,
        /// The armed rule by which to divert this very call if it fails. On a line that is up its targets were not
        /// looked at yet: when it comes to that, [`crate::usable_targets`] may find none.
        rescue: Option<RuleSlot>,
        /// The line is down and nothing is armed: if this fails too, 480 with Reason.
        last_try: bool,
        /// The line is down by calls and this is how it may come back; tell [`crate::TargetHealth::handle_trial_sent`].
        trial: bool,
        /// Answer 302 to the line's contact instead of proxying.
        by_redirect: bool,
    },
    /// 302 to the targets of the rule ([`crate::usable_targets`]).
    Redirect {
        /// The line that is out.
        line: LineSlot,
        /// The armed rule.
        rule: RuleSlot,
        /// Which of its lists.
        list: TargetList,
        /// Why the line is out.
        cause: Cause,
    },
    /// 480 with Reason.
    Unavailable {
        /// The line that is out.
        line: LineSlot,
        /// Why.
        cause: Cause,
    },
}

/// Decide. `health_of` is asked for the called line, and for lines that targets lead to. Allocates only if `trace` keeps sentences.
pub fn decide(
    called: Digits,
    table: &RouteTable,
    health_of: impl Fn(LineSlot) -> LineView,
    interconnect: InterconnectFlags,
    trace: &mut impl Trace,
) -> Decision {
    trace.step(Step::Number, || format!("the called number is +{called}"));
    let Some(found) = table.find(called) else {
        trace.step(Step::Match, || {
            format!("no number and no prefix of the table matches +{called}")
        });
        return not_found(NotFound::UnknownNumber, trace);
    };
    trace.step(Step::Match, || matched(called, found));
    if found.entry.flags & NOT_LIVE != 0 {
        trace.step(Step::Match, || {
            "its order is not live on this day".to_string()
        });
        return not_found(NotFound::NotLive, trace);
    }
    let slot = found.entry.line;
    let Some(line) = table.line(slot) else {
        trace.step(Step::Line, || {
            format!("the line it belongs to ({}) is no longer there", slot.0)
        });
        return not_found(NotFound::NoLine, trace);
    };
    trace.step(Step::Line, || {
        format!("it belongs to line {} ({})", line.line_id, line.product)
    });
    let view = health_of(slot);
    trace.step(Step::Health, || state(view));

    let armed = armed_rule(table, found, interconnect.no_diversion, trace);
    let health = effective(view.wish, view.health);
    let out = health == Health::Down || !view.bound;
    if !out && health == Health::Up {
        let rescue = armed.map(|rule| rule.slot);
        return proxy(slot, AnswerTimer::Normal, rescue, interconnect, trace);
    }
    let place = fault_place(line, view, out);
    let armed = armed.and_then(|rule| {
        let list = usable_list(table, called, line, rule, place, &health_of, trace)?;
        Some((rule, list))
    });
    if !out {
        // Giving up early only helps a call that has somewhere else to go.
        let timer = if armed.is_some() {
            AnswerTimer::Suspect
        } else {
            AnswerTimer::Normal
        };
        return proxy(
            slot,
            timer,
            armed.map(|(rule, _)| rule.slot),
            interconnect,
            trace,
        );
    }
    let cause = match view.wish {
        _ if view.health == Health::Down => view.cause,
        Wish::Enabled | Wish::ForcedUp => Cause::NotRegistered,
        _ => Cause::Wish,
    };
    if let Some((rule, list)) = armed {
        if let Some(decision) = tried_again(slot, view, rule.slot, interconnect, trace) {
            return decision;
        }
        trace.step(Step::Decision, || {
            format!(
                "302 to the targets of the rule for {}, because {cause}",
                rule.label
            )
        });
        return Decision::Redirect {
            line: slot,
            rule: rule.slot,
            list,
            cause,
        };
    }
    if view.wish == Wish::Drill && view.bound && view.health != Health::Down {
        trace.step(Step::Health, || {
            "a drill does not touch numbers that it does not divert".to_string()
        });
        return proxy(slot, AnswerTimer::Normal, None, interconnect, trace);
    }
    if !view.bound || view.wish == Wish::ForcedDown {
        return unavailable(slot, view, cause, trace);
    }
    trace.step(Step::Decision, || {
        "nothing is armed, so the line is tried all the same; if that fails, 480".to_string()
    });
    Decision::Proxy {
        line: slot,
        timer: AnswerTimer::Normal,
        rescue: None,
        last_try: true,
        trial: false,
        by_redirect: false,
    }
}

/// Where the fault of a line is; `None`: there is none, and the call itself may find one.
fn fault_place(line: &Line, view: LineView, out: bool) -> Option<FaultPlace> {
    match view.health {
        // Behind somebody else's registrar nobody sees the site: what that network answers says nothing about the phone system.
        Health::Down if line.kind != LineKind::Foreign => Some(view.place),
        // An operator's wish is no fault of the phone system, nor is a missing registration.
        _ if out => Some(FaultPlace::Unclear),
        _ => None,
    }
}

fn armed_rule<'a>(
    table: &'a RouteTable,
    found: Match,
    no_diversion: Option<NoDiversion>,
    trace: &mut impl Trace,
) -> Option<&'a Rule> {
    let Some(rule) = found.entry.rule.and_then(|slot| table.rule(slot)) else {
        trace.step(Step::Rule, || "no rule applies to it".to_string());
        return None;
    };
    trace.step(Step::Rule, || {
        let label = &rule.label;
        match (rule.armed, &*rule.rests) {
            (false, _) => format!("the rule for {label} applies; it is not armed"),
            (true, "") => format!("the rule for {label} applies; it is armed"),
            (true, why) => {
                format!("the rule for {label} is armed, but does not count now: {why}")
            }
        }
    });
    let armed = rule.in_force().then_some(&**rule)?;
    if let Some(why) = no_diversion {
        trace.step(Step::Rule, || why.text().to_string());
        return None;
    }
    Some(armed)
}

fn proxy(
    line: LineSlot,
    timer: AnswerTimer,
    rescue: Option<RuleSlot>,
    interconnect: InterconnectFlags,
    trace: &mut impl Trace,
) -> Decision {
    trace.step(Step::Decision, || {
        let how = if interconnect.redirect_only {
            "302 to the line's own contact"
        } else {
            "proxied to the line"
        };
        let timer = if timer == AnswerTimer::Normal {
            ""
        } else {
            " with the short answer timer"
        };
        let rescue = if rescue.is_some() {
            "; if it fails, this very call is diverted"
        } else {
            ""
        };
        format!("{how}{timer}{rescue}")
    });
    Decision::Proxy {
        line,
        timer,
        rescue,
        last_try: false,
        trial: false,
        by_redirect: interconnect.redirect_only,
    }
}

/// A call that may go to a line although it is down.
fn tried_again(
    line: LineSlot,
    view: LineView,
    rescue: RuleSlot,
    interconnect: InterconnectFlags,
    trace: &mut impl Trace,
) -> Option<Decision> {
    if !view.bound || view.wish != Wish::Enabled {
        return None;
    }
    if view.answering {
        trace.step(Step::Health, || {
            "it answers again, so calls may try it until it is up for good".to_string()
        });
        let rescue = Some(rescue);
        return Some(proxy(
            line,
            AnswerTimer::Suspect,
            rescue,
            interconnect,
            trace,
        ));
    }
    view.trial.then(|| trial(line, rescue, trace))
}

fn trial(line: LineSlot, rescue: RuleSlot, trace: &mut impl Trace) -> Decision {
    trace.step(Step::Decision, || {
        "sent to the line as a trial with the short answer timer, because calls took it down; \
         if it fails, this very call is diverted"
            .to_string()
    });
    Decision::Proxy {
        line,
        timer: AnswerTimer::Suspect,
        rescue: Some(rescue),
        last_try: false,
        trial: true,
        by_redirect: false,
    }
}

fn unavailable(line: LineSlot, view: LineView, cause: Cause, trace: &mut impl Trace) -> Decision {
    trace.step(Step::Decision, || {
        let why = if view.bound {
            "the operator took the line out"
        } else {
            "there is no address to send the call to"
        };
        format!("480: {why} and nothing is armed")
    });
    Decision::Unavailable { line, cause }
}

fn not_found(reason: NotFound, trace: &mut impl Trace) -> Decision {
    trace.step(Step::Decision, || {
        "not found, answered as the interconnect is set (404 as a rule)".to_string()
    });
    Decision::NotFound { reason }
}

fn matched(called: Digits, found: Match) -> String {
    match found.by {
        MatchedBy::Exact => format!("+{called} has an entry of its own"),
        MatchedBy::Prefix {
            digits,
            min_len,
            max_len,
        } => {
            let lengths = if min_len == max_len {
                format!("{min_len}")
            } else {
                format!("{min_len} to {max_len}")
            };
            format!(
                "+{called} has no entry of its own; it matched by its longest prefix +{digits} ({} digits), which stands for numbers of {lengths} digits",
                digits.len()
            )
        }
    }
}

fn state(view: LineView) -> String {
    let health = match view.health {
        Health::Unknown => "nothing is known of the line yet, it is treated as suspect".to_string(),
        health => format!("the line is {}, because {}", health.name(), view.cause),
    };
    let wish = match view.wish {
        Wish::Enabled => "",
        Wish::Drained => "; the operator drains it",
        Wish::ForcedDown => "; the operator forced it down",
        Wish::ForcedUp => "; the operator forced it up",
        Wish::Drill => "; a drill is on",
    };
    let bound = if view.bound {
        ""
    } else {
        "; it has no address to send a call to"
    };
    let place = if view.health == Health::Down && view.place == FaultPlace::PhoneSystem {
        "; the fault is in the phone system, the site itself is reached"
    } else {
        ""
    };
    format!("{health}{place}{wish}{bound}")
}
