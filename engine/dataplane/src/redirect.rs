//! The 302 (Moved Temporarily) of a diverted call: Contact, Diversion, History-Info and Reason (RFC 3261 §21.3.3).
//!
//! A pure function of the request, the rule, the cause and the interconnect: computed anew it gives the same octets, which is
//! what makes the stateless answer of RFC 3261 §8.2.7 right. Appends to the output, allocates nothing.

use route_core::{
    Cause, Digits, Line, LineSlot, LineView, Reason, RouteTable, Rule, TargetList, reason_for,
    usable_targets,
};
use sip_core::build::{ResponseWriter, push_decimal};
use sip_core::header::HeaderName;
use sip_core::message::Message;

use crate::chain::Chain;
use crate::settings::{HistoryInfo, Interconnect, NumberFormat, UriScheme};

/// Everything the header fields of one diversion depend on.
#[derive(Clone, Copy)]
pub(crate) struct Diversion<'d> {
    pub(crate) called: Digits,
    pub(crate) line: &'d Line,
    pub(crate) rule: &'d Rule,
    pub(crate) list: TargetList,
    pub(crate) cause: Cause,
    pub(crate) interconnect: &'d Interconnect,
    /// Our address where the request came in, as text: the host of URIs when the interconnect names no domain.
    pub(crate) local: &'d [u8],
    /// How the call came here.
    pub(crate) chain: &'d Chain,
}

/// Contacts a 302 carries at most: a rule has ten targets.
pub(crate) const MAX_CONTACTS: usize = 10;

impl Diversion<'_> {
    /// The targets in order, without those that would lead back to the called number, its line or where the call came from. If none
    /// of those for the phone system is left, those for any fault: better than none.
    pub(crate) fn targets(
        &self,
        table: &RouteTable,
        health_of: impl Fn(LineSlot) -> LineView,
    ) -> ([Digits; MAX_CONTACTS], usize) {
        let mut targets = [Digits::EMPTY; MAX_CONTACTS];
        let mut count = 0;
        let lists: &[TargetList] = match self.list {
            TargetList::Usual => &[TargetList::Usual],
            TargetList::PhoneSystem => &[TargetList::PhoneSystem, TargetList::Usual],
        };
        for list in lists {
            let usable =
                usable_targets(table, self.called, self.line, self.rule, *list, &health_of);
            for target in usable
                .filter(|&target| !self.chain.holds(target))
                .take(MAX_CONTACTS)
            {
                targets[count] = target;
                count += 1;
            }
            if count > 0 {
                break;
            }
        }
        (targets, count)
    }

    /// Append the header fields that `request` is answered with; `targets` as `Self::targets` gave them.
    pub(crate) fn write<'o>(
        &self,
        request: &Message<'_>,
        targets: &[Digits],
        response: ResponseWriter<'o>,
    ) -> ResponseWriter<'o> {
        let reason = reason_for(self.cause);
        let mut response = response.header_with("Contact", |out| {
            for (position, target) in targets.iter().enumerate() {
                if position > 0 {
                    out.extend_from_slice(b", ");
                }
                out.push(b'<');
                self.uri(*target, Some(reason.cause_param), out);
                out.extend_from_slice(b">;q=");
                quality(position, out);
            }
        });
        if self.interconnect.diversion {
            // RFC 5806 §4: who diverted, and why.
            response = response.header_with("Diversion", |out| {
                out.push(b'<');
                self.uri(self.called, None, out);
                out.extend_from_slice(b">;reason=");
                out.extend_from_slice(reason.diversion.as_bytes());
                out.extend_from_slice(b";counter=1");
            });
        }
        if self.wants_history(request) {
            response =
                response.header_with("History-Info", |out| self.history(targets, &reason, out));
        }
        response.header_with("Reason", |out| {
            write_q850(&reason, out);
            if self.interconnect.reason_sip {
                out.extend_from_slice(b", SIP;cause=");
                push_decimal(out, u32::from(reason.cause_param));
            }
        })
    }

    /// RFC 7044 §9: the server adds History-Info if the request shows that the other side understands it.
    fn wants_history(&self, request: &Message<'_>) -> bool {
        match self.interconnect.history_info {
            HistoryInfo::Always => true,
            HistoryInfo::Never => false,
            HistoryInfo::IfOffered => {
                request.has(HeaderName::HistoryInfo)
                    || request.has_option(HeaderName::Supported, "histinfo")
            }
        }
    }

    /// RFC 7044 §10.3: the entry of the called number, then one for each target, whose `mp` names the entry it was mapped from.
    fn history(&self, targets: &[Digits], reason: &Reason, out: &mut Vec<u8>) {
        out.push(b'<');
        self.uri(self.called, None, out);
        if self.interconnect.uri_scheme == UriScheme::Sip {
            out.extend_from_slice(b"?Reason=Q.850%3Bcause%3D");
            push_decimal(out, u32::from(reason.q850));
        }
        out.extend_from_slice(b">;index=1");
        for (position, target) in targets.iter().enumerate() {
            out.extend_from_slice(b", <");
            self.uri(*target, Some(reason.cause_param), out);
            out.extend_from_slice(b">;index=1.");
            push_decimal(out, position as u32 + 1);
            out.extend_from_slice(b";mp=1");
        }
    }

    /// A number as a URI of this interconnect, with the `cause` parameter of RFC 4458 §2 for a target.
    pub(crate) fn uri(&self, number: Digits, cause: Option<u16>, out: &mut Vec<u8>) {
        let scheme: &[u8] = match self.interconnect.uri_scheme {
            UriScheme::Sip => b"sip:",
            UriScheme::Tel => b"tel:",
        };
        out.extend_from_slice(scheme);
        self.number(number, out);
        if self.interconnect.uri_scheme == UriScheme::Sip {
            out.push(b'@');
            if self.interconnect.domain.is_empty() {
                out.extend_from_slice(self.local);
            } else {
                out.extend_from_slice(self.interconnect.domain.as_bytes());
            }
            out.extend_from_slice(b";user=phone");
        }
        if let Some(cause) = cause {
            out.extend_from_slice(b";cause=");
            push_decimal(out, u32::from(cause));
        }
    }

    fn number(&self, number: Digits, out: &mut Vec<u8>) {
        let (digits, length) = number.to_ascii();
        let digits = &digits[..length];
        match self.interconnect.number_format {
            NumberFormat::PlusE164 => out.push(b'+'),
            NumberFormat::InternationalPrefix => {
                out.extend_from_slice(self.interconnect.international_prefix.as_bytes());
            }
            NumberFormat::National => {
                if let Some(national) =
                    digits.strip_prefix(self.interconnect.country_code.as_bytes())
                {
                    out.extend_from_slice(self.interconnect.national_prefix.as_bytes());
                    out.extend_from_slice(national);
                    return;
                }
                out.extend_from_slice(self.interconnect.international_prefix.as_bytes());
            }
        }
        out.extend_from_slice(digits);
    }
}

/// The `Reason` of a diversion, or of a call that finds nobody (RFC 6432: in responses too).
pub(crate) fn write_q850(reason: &Reason, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Q.850;cause=");
    push_decimal(out, u32::from(reason.q850));
    out.extend_from_slice(b";text=\"");
    out.extend_from_slice(reason.q850_text.as_bytes());
    out.push(b'"');
}

/// q of the target at `position`: 1.0, 0.9 … 0.1 (RFC 3261 §20.10).
fn quality(position: usize, out: &mut Vec<u8>) {
    match position {
        0 => out.extend_from_slice(b"1.0"),
        1..=9 => out.extend_from_slice(&[b'0', b'.', b'0' + (10 - position) as u8]),
        _ => out.extend_from_slice(b"0.0"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualities_fall_and_stay_valid() {
        let mut out = Vec::new();
        for position in 0..11 {
            quality(position, &mut out);
            out.push(b' ');
        }
        assert_eq!(
            "1.0 0.9 0.8 0.7 0.6 0.5 0.4 0.3 0.2 0.1 0.0 ",
            String::from_utf8(out).unwrap()
        );
    }
}
