//! A 2xx that comes when the caller has another final answer: acknowledged and hung up, so that no phone is left off hook.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;

use sip_core::build::push_socket_address;
use sip_core::header::HeaderName;
use sip_core::message::{HeaderIndex, Message};
use sip_core::transaction::branch::LENGTH as BRANCH_LENGTH;

use super::ContextId;
use crate::calls::Step;
use crate::transactions::ClientUser;
use crate::worker::Core;

/// Dialogs of one branch that are closed: a phone system that forks has some, one that invents tags gets no more.
const MAX_FORKS: usize = 8;

/// How far the BYE's `CSeq` is ahead of the INVITE's: the caller may have used the next ones in the early dialog (PRACK,
/// UPDATE), and a number that was seen is refused (RFC 3261 §12.2.2). Gaps are allowed.
const CSEQ_AHEAD: u32 = 100;

impl Core {
    /// ACK each time it comes (RFC 3261 §13.2.2.4), BYE once for each dialog.
    pub(super) fn close_late_answer(
        &mut self,
        id: ContextId,
        position: usize,
        response: &Message<'_>,
    ) {
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        if !context.is_invite {
            return;
        }
        let record = context.call.map(|call| call.record);
        let Some(branch) = context.branches.get_mut(position) else {
            return;
        };
        let mut hasher = DefaultHasher::new();
        response.to_tag().hash(&mut hasher);
        let dialog = hasher.finish();
        let first = !branch.closed.contains(&dialog);
        if first && branch.closed.len() == MAX_FORKS {
            return;
        }
        if first {
            branch.closed.push(dialog);
        }
        let Some(client) = self.transactions.client(branch.client) else {
            return;
        };
        let (socket, destination) = (client.socket, client.destination);
        let request = client.request().to_vec();
        let mut index = HeaderIndex::new();
        let Ok(invite) = Message::parse(&request, &mut index) else {
            return;
        };
        let local = self.locals[socket];
        let ack_branch = self.branches.next_branch();
        self.outbox.push_with(socket, destination, |out| {
            in_dialog(
                &invite,
                response,
                "ACK",
                invite.cseq().number,
                local,
                &ack_branch,
                out,
            );
        });
        if !first {
            return;
        }
        self.counters.late_answers_closed.increment();
        if let Some(record) = record {
            self.calls.step(record, self.now, Step::LateAnswerClosed);
        }
        let bye_branch = self.branches.next_branch();
        let mut bye = Vec::new();
        in_dialog(
            &invite,
            response,
            "BYE",
            invite
                .cseq()
                .number
                .saturating_add(CSEQ_AHEAD)
                .min(i32::MAX as u32),
            local,
            &bye_branch,
            &mut bye,
        );
        let key = self
            .shared
            .secrets
            .transaction
            .client_key(&bye_branch, b"BYE");
        let (transactions, mut io) = self.transactions_io();
        let to = (socket, destination);
        transactions.open_client(
            key,
            false,
            bye.into_boxed_slice(),
            to,
            ClientUser::Nobody,
            &mut io,
        );
    }
}

/// A request within the dialog that `response` made, in the caller's place (RFC 3261 §12.2.1.1).
fn in_dialog(
    invite: &Message<'_>,
    response: &Message<'_>,
    method: &str,
    cseq: u32,
    local: SocketAddr,
    branch: &[u8; BRANCH_LENGTH],
    out: &mut Vec<u8>,
) {
    let contact = response
        .contacts()
        .next()
        .and_then(Result::ok)
        .map_or(invite.request_uri(), |c| c.uri);
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    out.extend_from_slice(contact);
    out.extend_from_slice(b" SIP/2.0\r\nVia: SIP/2.0/UDP ");
    push_socket_address(out, local);
    out.extend_from_slice(b";rport;branch=");
    out.extend_from_slice(branch);
    out.extend_from_slice(b"\r\n");
    // The route set is what elements BEHIND us recorded: those stand above our own value, in reverse order (§12.1.2).
    let own = invite
        .values(HeaderName::RecordRoute)
        .next()
        .unwrap_or_default();
    let behind: Vec<&[u8]> = response
        .values(HeaderName::RecordRoute)
        .take_while(|value| *value != own)
        .collect();
    for route in behind.iter().rev() {
        field("Route", route, out);
    }
    field("Max-Forwards", b"70", out);
    field(
        "From",
        invite.header(HeaderName::From).unwrap_or_default(),
        out,
    );
    field(
        "To",
        response.header(HeaderName::To).unwrap_or_default(),
        out,
    );
    field("Call-ID", invite.call_id(), out);
    field("CSeq", format!("{cseq} {method}").as_bytes(), out);
    let offer_is_theirs = invite.body().is_empty() && !response.body().is_empty();
    if method == "ACK" && offer_is_theirs {
        let answer = refuse_offer(response.body());
        field("Content-Type", b"application/sdp", out);
        field("Content-Length", answer.len().to_string().as_bytes(), out);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&answer);
    } else {
        if method == "BYE" {
            field("Reason", b"SIP;cause=408;text=\"Answered too late\"", out);
        }
        out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    }
}

fn field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// An answer that takes none of the offered streams: the offer's `t=`, and each `m=` with port 0 (RFC 3264 §6).
fn refuse_offer(offer: &[u8]) -> Vec<u8> {
    let lines = || {
        offer
            .split(|octet| *octet == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
    };
    let mut answer = b"v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nc=IN IP4 0.0.0.0\r\n".to_vec();
    answer.extend_from_slice(
        lines()
            .find(|line| line.starts_with(b"t="))
            .unwrap_or(b"t=0 0"),
    );
    answer.extend_from_slice(b"\r\n");
    for line in lines() {
        let Some(media) = line.strip_prefix(b"m=") else {
            continue;
        };
        let mut parts = media.splitn(3, |octet| *octet == b' ');
        let (Some(kind), Some(_port), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        answer.extend_from_slice(b"m=");
        answer.extend_from_slice(kind);
        answer.extend_from_slice(b" 0 ");
        answer.extend_from_slice(rest);
        answer.extend_from_slice(b"\r\n");
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_refused_stream_by_stream() {
        let offer = b"v=0\r\no=a 1 1 IN IP4 192.0.2.1\r\ns=x\r\nm=audio 4000 RTP/AVP 0 8\r\na=sendrecv\r\nm=video 4002 RTP/AVP 31\r\n";
        let answer = String::from_utf8(refuse_offer(offer)).unwrap();
        let media: Vec<&str> = answer
            .lines()
            .filter(|line| line.starts_with("m="))
            .collect();
        assert_eq!(vec!["m=audio 0 RTP/AVP 0 8", "m=video 0 RTP/AVP 31"], media);
    }
}
