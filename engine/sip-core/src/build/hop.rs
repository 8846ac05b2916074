//! Requests that concern one hop only: ACK for a final response other than 2xx (RFC 3261 §17.1.1.3), and
//! CANCEL (§9.1). Both carry the single Via, the Routes and the Request-URI of the INVITE as we sent it.

use alloc::vec::Vec;

use super::{push_decimal, push_header};
use crate::header::{HeaderName, Values};
use crate::limits::DEFAULT_MAX_FORWARDS;
use crate::message::Message;

/// The ACK of a client transaction: To is that of the response, tag included.
pub fn ack_for_non_2xx(invite: &Message<'_>, response: &Message<'_>, out: &mut Vec<u8>) {
    write(invite, response, b"ACK", out);
}

/// The CANCEL of a client transaction. The caller sees to it that a provisional response has come (§9.1).
pub fn cancel_for(invite: &Message<'_>, out: &mut Vec<u8>) {
    write(invite, invite, b"CANCEL", out);
}

fn write(invite: &Message<'_>, to: &Message<'_>, method: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(method);
    out.push(b' ');
    out.extend_from_slice(invite.request_uri());
    out.extend_from_slice(b" SIP/2.0\r\n");
    let via = Values::new(invite.header(HeaderName::Via).unwrap_or_default()).next();
    push_header(out, "Via", via.unwrap_or_default());
    push_header(
        out,
        "From",
        invite.header(HeaderName::From).unwrap_or_default(),
    );
    push_header(out, "To", to.header(HeaderName::To).unwrap_or_default());
    push_header(out, "Call-ID", invite.call_id());
    out.extend_from_slice(b"CSeq: ");
    push_decimal(out, invite.cseq().number);
    out.push(b' ');
    out.extend_from_slice(method);
    out.extend_from_slice(b"\r\n");
    for span in invite
        .spans()
        .iter()
        .filter(|span| span.name == HeaderName::Route)
    {
        out.extend_from_slice(span.line(invite.bytes()));
    }
    out.extend_from_slice(b"Max-Forwards: ");
    push_decimal(out, u32::from(DEFAULT_MAX_FORWARDS));
    out.extend_from_slice(b"\r\nContent-Length: 0\r\n\r\n");
}
