//! A decision with its reasons, for `sipproxy explain` and the portal: the code that decides calls, with the trace kept.

use std::net::SocketAddr;

use route_core::{
    AnswerTimer, Cause, Decision, Digits, InterconnectFlags, LineSlot, LineView, NoDiversion,
    NotFound, NumberFault, Recording, RouteTable, RuleSlot, Step, TargetList, Trace, decide,
    judged_targets, reason_for,
};
use sip_core::build::ResponseWriter;
use sip_core::message::OwnedMessage;

use crate::chain::Chain;
use crate::redirect::{Diversion, write_q850};
use crate::settings::Interconnect;

/// What a call would get, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Canonical digits; `None` when the input is no number.
    pub number: Option<String>,
    /// "proxy", "redirect", "`not_found`", "unavailable", "`bad_number`".
    pub decision: &'static str,
    /// What the caller gets from us; 0 when proxied.
    pub status: u16,
    /// Why there is no number, no line or no diversion: "emergency", "`short_code`", "local", "`no_number`"; "`unknown_number`",
    /// "`not_live`", "`no_line`"; "circle", "back", "`too_often`"; else empty.
    pub reason: &'static str,
    /// The line that owns the number.
    pub line: Option<LineSlot>,
    /// The rule that diverts, or would rescue the call.
    pub rule: Option<RuleSlot>,
    /// The rule that the number has, whether it is in force or not.
    pub found_rule: Option<RuleSlot>,
    /// Whether that rule is armed and counts now.
    pub in_force: bool,
    /// How the line is.
    pub health: Option<route_core::Health>,
    /// How it gets to the line: "normal", "`short_timer`", "`last_try`" (it is down, and nothing is armed), "`own_contact`" (302 to the
    /// line's own contact); empty: not at all.
    pub sent: &'static str,
    /// Contact URIs of the 302, in order.
    pub targets: Vec<String>,
    /// The same as E.164 digits.
    pub numbers: Vec<String>,
    /// Targets of the rule that cannot be used now: digits, slug and half a sentence.
    pub left_out: Vec<(String, &'static str, &'static str)>,
    /// Header fields of the answer that are ours: Contact, Diversion, History-Info, Reason.
    pub headers: Vec<(String, String)>,
    /// Addresses that would be tried, in order.
    pub next_hops: Vec<SocketAddr>,
    /// Step and sentence.
    pub trace: Vec<(&'static str, String)>,
}

/// A call that is asked about.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) number: &'a str,
    pub(crate) interconnect: &'a Interconnect,
    pub(crate) table: &'a RouteTable,
    /// Our address where the request comes in.
    pub(crate) local: SocketAddr,
    /// Numbers that it was diverted from before, in order.
    pub(crate) diverted_from: &'a [String],
    /// It says `Supported: histinfo`.
    pub(crate) offers_history: bool,
}

/// Decide, and say why.
pub(crate) fn explain(
    asked: &Asked<'_>,
    view_of: impl Fn(LineSlot) -> LineView + Copy,
    next_hops: impl Fn(LineSlot) -> Vec<SocketAddr>,
) -> Explanation {
    let mut trace = Recording::default();
    let mut explanation = decided(asked, view_of, &mut trace);
    if !explanation.sent.is_empty() {
        explanation.next_hops = explanation.line.map(next_hops).unwrap_or_default();
    }
    explanation.trace = trace
        .steps
        .into_iter()
        .map(|(step, sentence)| (step.name(), sentence))
        .collect();
    explanation
}

/// Decide; sentences go to `trace`. Header fields are worked out only where sentences are kept.
pub(crate) fn decided<T: Trace>(
    asked: &Asked<'_>,
    view_of: impl Fn(LineSlot) -> LineView + Copy,
    trace: &mut T,
) -> Explanation {
    let (interconnect, table) = (asked.interconnect, asked.table);
    let called = match interconnect.plan.canonical(asked.number.trim().as_bytes()) {
        Ok(called) => called,
        Err(fault) => return no_number(asked, fault, trace),
    };
    let chain = Chain::through(asked.diverted_from, &interconnect.plan);
    let flags = InterconnectFlags {
        redirect_only: interconnect.redirect_only,
        no_diversion: chain.no_diversion(called, table, interconnect.max_diversions),
    };
    let decision = decide(called, table, view_of, flags, trace);
    let mut explanation = Explanation {
        number: Some(called.to_string()),
        reason: match flags.no_diversion {
            None => "",
            Some(NoDiversion::Circle) => "circle",
            Some(NoDiversion::Back) => "back",
            Some(NoDiversion::TooOften) => "too_often",
        },
        ..Explanation::default()
    };
    let found = table.find(called).map(|found| found.entry);
    let mut diverted = None;
    explanation.line = found.map(|entry| entry.line);
    match decision {
        Decision::NotFound { reason } => {
            explanation.decision = "not_found";
            explanation.status = interconnect.unknown_number_status;
            explanation.reason = match reason {
                NotFound::UnknownNumber => "unknown_number",
                NotFound::NotLive => "not_live",
                NotFound::NoLine => "no_line",
            };
        }
        Decision::Proxy {
            rescue,
            by_redirect,
            last_try,
            timer,
            ..
        } => {
            explanation.decision = if by_redirect { "redirect" } else { "proxy" };
            explanation.status = if by_redirect { 302 } else { 0 };
            explanation.rule = rescue;
            explanation.sent = match timer {
                _ if by_redirect => "own_contact",
                _ if last_try => "last_try",
                AnswerTimer::Suspect => "short_timer",
                AnswerTimer::Normal => "normal",
            };
            // Not before the line had its chance; what it was silent to, nobody knows.
            diverted = rescue
                .filter(|_| !by_redirect)
                .map(|rule| (rule, TargetList::Usual, Cause::CallSilent));
        }
        Decision::Redirect {
            rule, list, cause, ..
        } => {
            explanation.decision = "redirect";
            explanation.status = 302;
            explanation.rule = Some(rule);
            diverted = Some((rule, list, cause));
        }
        Decision::Unavailable { cause, .. } => {
            unavailable(&mut explanation, cause);
        }
    }
    explanation.health = explanation.line.map(|line| view_of(line).health);
    explanation.found_rule = found.and_then(|entry| entry.rule);
    let rule = explanation.found_rule.and_then(|slot| table.rule(slot));
    explanation.in_force = rule.is_some_and(|rule| rule.in_force());
    if let Some((rule, list, cause)) = diverted {
        add_targets(
            &mut explanation,
            asked,
            (called, rule, list, cause),
            &chain,
            view_of,
            T::KEEPS,
        );
        if explanation.numbers.is_empty() && explanation.decision == "redirect" {
            // The call came from all targets that could be used.
            unavailable(&mut explanation, cause);
        }
    }
    if explanation.numbers.is_empty() && explanation.in_force {
        add_left_out(&mut explanation, asked, called, &chain, view_of);
    }
    explanation
}

/// 480 with a Reason.
fn unavailable(explanation: &mut Explanation, cause: Cause) {
    let mut reason = Vec::new();
    write_q850(&reason_for(cause), &mut reason);
    explanation.decision = "unavailable";
    explanation.status = 480;
    explanation.rule = None;
    explanation.headers = vec![("Reason".to_string(), text(&reason))];
}

fn no_number<T: Trace>(asked: &Asked<'_>, fault: NumberFault, trace: &mut T) -> Explanation {
    trace.step(Step::Number, || {
        format!(
            "{:?} is no number that can be called: {fault}",
            asked.number
        )
    });
    let local = fault == NumberFault::Local;
    Explanation {
        decision: "bad_number",
        status: if local {
            484
        } else {
            asked.interconnect.unknown_number_status
        },
        reason: match fault {
            NumberFault::Local => "local",
            NumberFault::ShortCode {
                emergency: true, ..
            } => "emergency",
            NumberFault::ShortCode { .. } => "short_code",
            _ => "no_number",
        },
        ..Explanation::default()
    }
}

/// The targets that a 302 has now, and its header fields.
fn add_targets(
    explanation: &mut Explanation,
    asked: &Asked<'_>,
    (called, rule, list, cause): (Digits, RuleSlot, TargetList, Cause),
    chain: &Chain,
    view_of: impl Fn(LineSlot) -> LineView,
    with_headers: bool,
) {
    let table = asked.table;
    let (Some(line), Some(rule)) = (
        explanation.line.and_then(|line| table.line(line)),
        table.rule(rule),
    ) else {
        return;
    };
    let local = asked.local.to_string();
    let diversion = Diversion {
        called,
        line,
        rule,
        list,
        cause,
        interconnect: asked.interconnect,
        local: local.as_bytes(),
        chain,
    };
    let (targets, count) = diversion.targets(table, view_of);
    let targets = &targets[..count];
    explanation.numbers = targets.iter().map(ToString::to_string).collect();
    explanation.targets = targets
        .iter()
        .map(|target| {
            let mut uri = Vec::new();
            diversion.uri(*target, None, &mut uri);
            text(&uri)
        })
        .collect();
    if with_headers && !targets.is_empty() {
        explanation.headers = headers(&diversion, targets, asked.offers_history);
    }
}

/// What the targets of a rule in force lack.
fn add_left_out(
    explanation: &mut Explanation,
    asked: &Asked<'_>,
    called: Digits,
    chain: &Chain,
    view_of: impl Fn(LineSlot) -> LineView + Copy,
) {
    let table = asked.table;
    let (Some(line), Some(rule)) = (
        explanation.line.and_then(|line| table.line(line)),
        explanation.found_rule.and_then(|rule| table.rule(rule)),
    ) else {
        return;
    };
    for list in [TargetList::PhoneSystem, TargetList::Usual] {
        for (target, obstacle) in judged_targets(table, called, line, rule, list, view_of) {
            let why = match obstacle {
                Some(obstacle) => (obstacle.slug(), obstacle.text()),
                None if chain.holds(target) => {
                    ("came_from", "the call was diverted from it before")
                }
                None => continue,
            };
            explanation
                .left_out
                .push((target.to_string(), why.0, why.1));
        }
    }
}

/// The header fields of the 302, written by the code that answers calls.
fn headers(
    diversion: &Diversion<'_>,
    targets: &[Digits],
    offers_history: bool,
) -> Vec<(String, String)> {
    let supported = if offers_history {
        "Supported: histinfo\r\n"
    } else {
        ""
    };
    let request = format!(
        "INVITE sip:simulated SIP/2.0\r\nVia: SIP/2.0/UDP simulated;branch=z9hG4bK0\r\nMax-Forwards: 70\r\nFrom: <sip:simulated>;tag=0\r\n\
         To: <sip:simulated>\r\nCall-ID: simulated\r\nCSeq: 1 INVITE\r\n{supported}Content-Length: 0\r\n\r\n"
    );
    let Ok(request) = OwnedMessage::parse(request) else {
        return Vec::new();
    };
    let request = request.view();
    let mut answer = Vec::new();
    let response = ResponseWriter::new(&mut answer, &request, 302, "Moved Temporarily", None, None);
    diversion.write(&request, targets, response).finish(None);
    text(&answer)
        .lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(name, _)| ["Contact", "Diversion", "History-Info", "Reason"].contains(name))
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
