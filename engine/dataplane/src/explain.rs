//! A decision with its reasons, for `sipproxy explain` and the portal: the code that decides calls, with the trace kept.

use std::net::SocketAddr;

use route_core::{
    Decision, InterconnectFlags, LineSlot, LineView, NumberFault, Recording, RouteTable, RuleSlot,
    Step, TargetList, Trace as _, decide,
};

use crate::chain::Chain;
use crate::redirect::Diversion;
use crate::settings::Interconnect;

/// What a call would get, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Canonical digits; `None` when the input is no number.
    pub number: Option<String>,
    /// "proxy", "redirect", "`not_found`", "unavailable", "`bad_number`".
    pub decision: &'static str,
    /// What the caller gets from us; 0 when proxied.
    pub status: u16,
    /// The line that owns the number.
    pub line: Option<LineSlot>,
    /// The rule that diverts, or would rescue the call.
    pub rule: Option<RuleSlot>,
    /// How the line is.
    pub health: Option<route_core::Health>,
    /// Contact URIs of the 302, in order.
    pub targets: Vec<String>,
    /// Addresses that would be tried, in order.
    pub next_hops: Vec<SocketAddr>,
    /// Step and sentence.
    pub trace: Vec<(&'static str, String)>,
}

pub(crate) fn explain(
    number: &str,
    interconnect: &Interconnect,
    table: &RouteTable,
    view_of: impl Fn(LineSlot) -> LineView + Copy,
    next_hops: impl Fn(LineSlot) -> Vec<SocketAddr>,
    local: SocketAddr,
) -> Explanation {
    let mut trace = Recording::default();
    let mut explanation = Explanation {
        number: None,
        decision: "bad_number",
        status: interconnect.unknown_number_status,
        line: None,
        rule: None,
        health: None,
        targets: Vec::new(),
        next_hops: Vec::new(),
        trace: Vec::new(),
    };
    let called = match interconnect.plan.canonical(number.trim().as_bytes()) {
        Ok(called) => called,
        Err(fault) => {
            trace.step(Step::Number, || {
                format!("{number:?} is no number that can be called: {fault}")
            });
            if fault == NumberFault::Local {
                explanation.status = 484;
            }
            explanation.trace = sentences(trace);
            return explanation;
        }
    };
    explanation.number = Some(called.to_string());
    let flags = InterconnectFlags {
        redirect_only: interconnect.redirect_only,
        no_diversion: None,
    };
    let mut list = TargetList::Usual;
    let decision = decide(called, table, view_of, flags, &mut trace);
    match decision {
        Decision::NotFound { .. } => {
            explanation.decision = "not_found";
            explanation.line = table.find(called).map(|found| found.entry.line);
        }
        Decision::Proxy {
            line,
            rescue,
            by_redirect,
            ..
        } => {
            explanation.decision = if by_redirect { "redirect" } else { "proxy" };
            explanation.status = if by_redirect { 302 } else { 0 };
            explanation.line = Some(line);
            explanation.rule = rescue;
            explanation.next_hops = next_hops(line);
        }
        Decision::Redirect {
            line,
            rule,
            list: chosen,
            ..
        } => {
            list = chosen;
            explanation.decision = "redirect";
            explanation.status = 302;
            explanation.line = Some(line);
            explanation.rule = Some(rule);
        }
        Decision::Unavailable { line, .. } => {
            explanation.decision = "unavailable";
            explanation.status = 480;
            explanation.line = Some(line);
        }
    }
    explanation.health = explanation.line.map(|line| view_of(line).health);
    if let (Some(line), Some(rule)) = (
        explanation.line.and_then(|line| table.line(line)),
        explanation.rule.and_then(|rule| table.rule(rule)),
    ) {
        let cause = view_of(line.slot).cause;
        let local = local.to_string();
        let diversion = Diversion {
            called,
            line,
            rule,
            list,
            cause,
            interconnect,
            local: local.as_bytes(),
            chain: &Chain::NONE,
        };
        let (targets, count) = diversion.targets(table, view_of);
        explanation.targets = targets[..count]
            .iter()
            .map(|target| {
                let mut uri = Vec::new();
                diversion.uri(*target, None, &mut uri);
                String::from_utf8_lossy(&uri).into_owned()
            })
            .collect();
    }
    explanation.trace = sentences(trace);
    explanation
}

fn sentences(trace: Recording) -> Vec<(&'static str, String)> {
    trace
        .steps
        .into_iter()
        .map(|(step, sentence)| (step.name(), sentence))
        .collect()
}
