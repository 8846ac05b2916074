//! The floor: what the packets alone cost. For each INVITE an answer of the usual size, ACK swallowed, nothing parsed.
//!
//! The generator's messages all have one layout. It is learnt from the first INVITE (token and number are found in it once);
//! after that an answer is a copy of a template with the same bytes copied from the same places.

use crate::args::Args;
use crate::call::{TOKEN, decimal};
use crate::expect::Expect;
use crate::message::{self, Message, Name};
use crate::net::{self, Inbox, Outbox};
use std::net::SocketAddr;
use std::time::Duration;

struct Layout {
    length: usize,
    answer: Vec<u8>,
    /// (from here in the request, to there in the answer, so many bytes)
    copies: Vec<(usize, usize, usize)>,
    number_at: usize,
    digits: usize,
    contact_at: Option<usize>,
}

pub(crate) fn run(mut args: Args) -> Result<bool, String> {
    let listen: SocketAddr = args.need("--listen")?;
    let core = args.optional("--core")?;
    let expect = Expect::take(&mut args)?;
    args.finish()?;
    if let Some(core) = core {
        net::pin(core)?;
    }
    net::catch_signals();
    let socket = net::open(listen, None)?;
    socket.set_read_timeout(Some(Duration::from_millis(200))).map_err(|error| error.to_string())?;
    println!("ready");
    let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new(true));
    let mut layout: Option<Layout> = None;
    while !net::stopped() {
        let got = inbox.receive(&socket, true).unwrap_or(0);
        for index in 0..got {
            let (request, peer) = inbox.datagram(index);
            if request.first() != Some(&b'I') {
                continue;
            }
            if layout.as_ref().is_none_or(|layout| layout.length != request.len()) {
                layout = learn(request, &expect);
            }
            if let Some(layout) = &layout {
                layout.write(request, &expect, outbox.next(&socket, Some(peer)));
            }
        }
        outbox.flush(&socket);
    }
    Ok(true)
}

impl Layout {
    fn write(&self, request: &[u8], expect: &Expect, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.answer);
        for (from, to, length) in &self.copies {
            out[*to..to + length].copy_from_slice(&request[*from..from + length]);
        }
        if let Some(at) = self.contact_at {
            let called = &request[self.number_at..self.number_at + self.digits];
            let called = called.iter().fold(0, |value, digit| value * 10 + u64::from(digit & 15));
            if let Some(target) = expect.target(called) {
                decimal(target, &mut out[at..at + 12]);
            }
        }
    }
}

fn learn(request: &[u8], expect: &Expect) -> Option<Layout> {
    let message = Message::new(request)?;
    let text = |name| message.first(name).map(|value| String::from_utf8_lossy(value).into_owned());
    let (via, from, to, call_id) = (text(Name::Via)?, text(Name::From)?, text(Name::To)?, text(Name::CallId)?);
    let token = call_id.get(..TOKEN)?.to_owned();
    let number = message::number(message.request()?.1)?.to_string();
    // Twelve digits, as all targets of the benchmark have.
    let target = expect.target(number.parse().ok()?).map(|target| format!("{target:012}"));
    let contact = target.clone().unwrap_or_else(|| number.clone());
    let answer = [
        "SIP/2.0 302 Moved Temporarily",
        &format!("Via: {via}=40000;received=127.0.0.1"),
        &format!("From: {from}"),
        &format!("To: {to};tag={}", "f".repeat(16)),
        &format!("Call-ID: {call_id}"),
        "CSeq: 1 INVITE",
        &format!("Contact: <sip:+{contact}@127.0.0.1:5060;user=phone;cause=404>;q=1.0"),
        &format!("Diversion: <sip:+{number}@127.0.0.1:5060;user=phone>;reason=out-of-service;counter=1"),
        "Reason: Q.850;cause=27;text=\"Destination out of order\"",
        &format!(
            "History-Info: <sip:+{number}@127.0.0.1:5060?Reason=SIP%3Bcause%3D302>;index=1,<sip:x@127.0.0.1>;index=1.1"
        ),
        "Content-Length: 0",
        "",
        "",
    ]
    .join("\r\n");
    let mut copies = Vec::new();
    for mark in [&token, &number] {
        let source = find(request, mark.as_bytes())?;
        copies.extend(answer.match_indices(mark.as_str()).map(|(at, _)| (source, at, mark.len())));
    }
    Some(Layout {
        length: request.len(),
        number_at: find(request, number.as_bytes())?,
        digits: number.len(),
        contact_at: target.and_then(|target| answer.find(&format!("Contact: <sip:+{target}")).map(|at| at + 15)),
        answer: answer.into_bytes(),
        copies,
    })
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, what)
}
