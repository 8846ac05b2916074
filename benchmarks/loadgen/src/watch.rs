//! Calls one number over and over and says when its target changes: one line `NANOSECONDS TARGET` per change, by
//! `CLOCK_MONOTONIC`, so that other processes of this machine can compare times.

use crate::answer::Answer;
use crate::args::Args;
use crate::call::{Call, Naming};
use crate::message::{Message, number, uri};
use crate::net::{self, Inbox, Outbox};
use crate::redirect::{ack, belongs, invite};
use crate::template::Template;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A call without an answer for so long is given up; the next one follows.
const PATIENCE: Duration = Duration::from_millis(500);

pub(crate) fn run(mut args: Args) -> Result<bool, String> {
    let target: SocketAddr = args.need("--target")?;
    let called: String = args.need("--number")?;
    let called = called.strip_prefix('+').unwrap_or(&called);
    let number_called: u64 = called.parse().map_err(|_| format!("--number {called}: not a number"))?;
    let core = args.optional("--core")?;
    args.finish()?;
    if let Some(core) = core {
        net::pin(core)?;
    }
    net::catch_signals();
    let any = if target.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
    let socket = net::open(any.parse().map_err(|_| "local address")?, Some(target))?;
    let local = socket.local_addr().map_err(|error| error.to_string())?;
    let invite = Template::new(&invite(target, local, called.len(), false), called.len());
    let ack = Template::new(&ack(target, local, called.len()), called.len());
    let (naming, mut inbox, mut outbox) = (Naming::new(), Inbox::new(), Outbox::new(false));
    let (mut seq, mut last) = (0, None);
    while !net::stopped() {
        let call = Call { slot: 0, seq, stage: 0 };
        let token = naming.token(call);
        seq += 1;
        invite.write(&token, number_called, outbox.next(&socket, None));
        outbox.flush(&socket);
        let sent = Instant::now();
        let mut answered = false;
        while !answered && sent.elapsed() < PATIENCE && !net::stopped() {
            let got = inbox.receive(&socket, false).unwrap_or(0);
            for index in 0..got {
                let Some(message) = Message::new(inbox.datagram(index).0) else { continue };
                let Ok(answer) = Answer::read(&message) else { continue };
                if answer.status < 200 || belongs(&answer, &token, b"INVITE", 1).is_err() {
                    continue;
                }
                answered = true;
                let seen = answer.contact.and_then(|contact| number(uri(contact))).filter(|_| answer.status == 302);
                if last != Some(seen) {
                    last = Some(seen);
                    let what = seen.map_or_else(|| format!("status-{}", answer.status), |digits| format!("+{digits}"));
                    let mut out = std::io::stdout().lock();
                    let said = writeln!(out, "{} {what}", net::monotonic_nanos()).and_then(|()| out.flush());
                    said.map_err(|error| error.to_string())?;
                }
                let out = outbox.next(&socket, None);
                ack.write(&token, number_called, out);
                out.extend_from_slice(answer.to);
                out.extend_from_slice(b"\r\n\r\n");
            }
        }
    }
    outbox.flush(&socket);
    Ok(seq > 0)
}
