//! The answers to an INVITE that need no state (RFC 3261 §8.2.7); what they were is remembered for its repetitions.

use std::io::Write as _;
use std::sync::Arc;

use route_core::{Cause, Digits, LineSlot, NumberFault, RuleSlot, TargetList, Wish, reason_for};

use crate::calls::{Opening, Verb, call_hash};
use crate::chain::Chain;
use crate::memo::Answer;
use crate::redirect::{Diversion, write_q850};
use crate::rows::{DivertedHow, DivertedRow};
use crate::settings::Interconnect;
use crate::worker::{Core, Incoming, View};

/// A diversion at once.
#[derive(Clone, Copy)]
pub(super) struct Redirect {
    pub(super) called: Digits,
    pub(super) line: LineSlot,
    pub(super) rule: RuleSlot,
    pub(super) list: TargetList,
    pub(super) cause: Cause,
}

impl Core {
    pub(super) fn redirect(
        &mut self,
        request: &Incoming<'_>,
        interconnect: &Interconnect,
        to: Redirect,
        chain: &Chain,
        view: &View,
    ) {
        let Redirect {
            called,
            line: line_slot,
            rule: rule_slot,
            list,
            cause,
        } = to;
        let (Some(line), Some(rule)) = (view.table.line(line_slot), view.table.rule(rule_slot))
        else {
            return self.answer_unavailable(request, called, line_slot, cause, view);
        };
        let local = Arc::clone(&self.hosts[request.socket]);
        let diversion = Diversion {
            called,
            line,
            rule,
            list,
            cause,
            interconnect,
            local: &local,
            chain,
        };
        let (targets, count) = diversion.targets(&view.table, |line| self.line_view(line, view));
        if count == 0 {
            // The last usable target went down since the decision, or since the first answer to this INVITE.
            return self.answer_unavailable(request, called, line_slot, cause, view);
        }
        let repeated = self.memo.recall(request.key.0, self.now).is_some();
        self.memo
            .remember(request.key.0, Answer::Redirect(cause, list), self.now);
        self.counters.calls_redirected.increment();
        if !repeated {
            self.tally.count(line_slot, |counts| {
                counts.offered += 1;
                counts.diverted += 1;
            });
            self.tell_diverted(|| DivertedRow {
                line: line_slot,
                rule: rule_slot,
                number: called,
                target: targets[0],
                how: DivertedHow::Redirect,
                cause,
                drill: line.wish == Wish::Drill,
            });
        }
        let opening = self.opening(
            request,
            Some(called),
            Some(line_slot),
            Some(rule_slot),
            Verb::Redirect,
            302,
        );
        self.calls.answered(opening);
        self.answer_stateless(request, view, 302, "Moved Temporarily", |response| {
            diversion.write(request.message, &targets[..count], response)
        });
    }

    pub(super) fn answer_unavailable(
        &mut self,
        request: &Incoming<'_>,
        called: Digits,
        line: LineSlot,
        cause: Cause,
        view: &View,
    ) {
        if self.memo.recall(request.key.0, self.now).is_none() {
            self.tally.count(line, |counts| {
                counts.offered += 1;
                counts.failed += 1;
            });
        }
        self.memo
            .remember(request.key.0, Answer::Unavailable(cause), self.now);
        self.counters.calls_unavailable.increment();
        let opening = self.opening(
            request,
            Some(called),
            Some(line),
            None,
            Verb::Unavailable,
            480,
        );
        self.calls.answered(opening);
        self.answer_stateless(request, view, 480, "Temporarily Unavailable", |response| {
            response.header_with("Reason", |out| write_reason(cause, out))
        });
    }

    /// Redirect-only networks: 302 to where the line is, without a diversion.
    pub(super) fn redirect_to_contact(
        &mut self,
        request: &Incoming<'_>,
        line: LineSlot,
        mut opening: Opening,
        view: &View,
    ) {
        let targets = self.call_targets(line);
        opening.verb = Verb::Redirect;
        opening.status = if targets.is_empty() { 480 } else { 302 };
        self.calls.answered(opening);
        if targets.is_empty() {
            self.counters.calls_unavailable.increment();
            return self.answer_stateless(
                request,
                view,
                480,
                "Temporarily Unavailable",
                |response| response,
            );
        }
        self.counters.calls_redirected.increment();
        self.tally.count(line, |counts| {
            counts.offered += 1;
            counts.completed += 1;
        });
        self.answer_stateless(request, view, 302, "Moved Temporarily", |response| {
            response.header_with("Contact", |out| {
                for (position, target) in targets.iter().enumerate() {
                    let comma = if position > 0 { ", " } else { "" };
                    let _ = write!(out, "{comma}<");
                    out.extend_from_slice(&target.uri);
                    out.push(b'>');
                }
            })
        });
    }

    pub(super) fn answer_bad_number(
        &mut self,
        request: &Incoming<'_>,
        fault: NumberFault,
        interconnect: &Interconnect,
        view: &View,
    ) {
        let opening = self.opening(
            request,
            None,
            None,
            None,
            Verb::NotFound,
            interconnect.unknown_number_status,
        );
        if fault == NumberFault::Local {
            self.counters.calls_not_found.increment();
            self.calls.answered(Opening {
                status: 484,
                ..opening
            });
            return self.answer_stateless(request, view, 484, "Address Incomplete", |response| {
                response
            });
        }
        self.answer_not_found(request, interconnect, opening, view);
    }

    pub(super) fn answer_not_found(
        &mut self,
        request: &Incoming<'_>,
        interconnect: &Interconnect,
        opening: Opening,
        view: &View,
    ) {
        self.memo
            .remember(request.key.0, Answer::NotFound, self.now);
        self.counters.calls_not_found.increment();
        self.calls.answered(opening);
        let status = interconnect.unknown_number_status;
        let reason = match status {
            404 => "Not Found",
            480 => "Temporarily Unavailable",
            604 => "Does Not Exist Anywhere",
            _ => "Not Available",
        };
        self.answer_stateless(request, view, status, reason, |response| {
            // Q.850 cause 1: unallocated number.
            response.header("Reason", b"Q.850;cause=1;text=\"Unallocated number\"")
        });
    }

    pub(super) fn opening(
        &self,
        request: &Incoming<'_>,
        number: Option<Digits>,
        line: Option<LineSlot>,
        rule: Option<RuleSlot>,
        verb: Verb,
        status: u16,
    ) -> Opening {
        let call_hash = call_hash(request.message.call_id());
        Opening {
            call_hash,
            at: self.now,
            number,
            line,
            rule,
            verb,
            status,
        }
    }
}

/// `Reason` of a call that finds nobody (RFC 6432: in responses too).
pub(super) fn write_reason(cause: Cause, out: &mut Vec<u8>) {
    write_q850(&reason_for(cause), out);
}
