//! INVITE, 180, 200, ACK, BYE, 200 through a proxy: does the whole dialog take the route that was recorded?

use crate::answer::Answer;
use crate::args::Args;
use crate::call::{Call, Naming, Range, TOKEN};
use crate::driver::{self, Plan, Scenario, Verdict};
use crate::message::{Message, Name, uri};
use crate::redirect::{ack, belongs, invite};
use crate::template::Template;
use std::net::SocketAddr;

const INVITE: u8 = 0;
const ACK_OF_2XX: char = '2';

/// Calls that must reach `sip-load uas`. All requests go to the proxy's address: it is the first hop of every route set, and a
/// 200 without Record-Route is an error here.
struct Proxied {
    naming: Naming,
    range: Range,
    local: SocketAddr,
    invite: Template,
    ack: Template,
    dialogs: Vec<Dialog>,
}

/// What the 200 to INVITE set up (RFC 3261 §12.1.2).
#[derive(Clone, Default)]
struct Dialog {
    remote_target: Vec<u8>,
    /// `Route:` lines, in order.
    routes: Vec<u8>,
    to: Vec<u8>,
}

pub(crate) fn run(mut args: Args) -> Result<bool, String> {
    let plan = Plan::take(&mut args)?;
    let range = Range::new(&args.or("--first", "+493021000000".to_owned())?, args.or("--numbers", 10_000)?)?;
    let histinfo = args.switch("--histinfo");
    let show = args.switch("--show");
    args.finish()?;
    let (socket, local) = plan.open()?;
    let naming = Naming::new();
    let scenario = Proxied {
        naming,
        range,
        local,
        invite: Template::new(&invite(plan.target, local, range.digits, histinfo), range.digits),
        ack: Template::new(&ack(plan.target, local, range.digits), range.digits),
        dialogs: vec![Dialog::default(); plan.window()],
    };
    Ok(driver::run(&plan, socket, naming, scenario).print("proxy", show))
}

impl Dialog {
    fn read(&mut self, message: &Message, answer: &Answer) -> Result<(), &'static str> {
        self.remote_target.clear();
        self.remote_target.extend_from_slice(uri(answer.contact.ok_or("contact")?));
        self.to.clear();
        self.to.extend_from_slice(answer.to);
        self.routes.clear();
        let mut recorded: [&[u8]; 8] = [b""; 8];
        let mut count = 0;
        for (name, value) in message.fields() {
            if name == Name::RecordRoute {
                for route in value.split(|byte| *byte == b',') {
                    *recorded.get_mut(count).ok_or("record_route")? = route.trim_ascii();
                    count += 1;
                }
            }
        }
        for route in recorded[..count].iter().rev() {
            self.routes.extend_from_slice(b"Route: ");
            self.routes.extend_from_slice(route);
            self.routes.extend_from_slice(b"\r\n");
        }
        if count == 0 { Err("record_route") } else { Ok(()) }
    }
}

impl Proxied {
    /// A request within the dialog, without body.
    fn within(&self, dialog: &Dialog, token: &[u8; TOKEN], method: &str, cseq: u8, stage: char, out: &mut Vec<u8>) {
        let token = std::str::from_utf8(token).unwrap_or_default();
        let local = self.local;
        out.extend_from_slice(method.as_bytes());
        out.push(b' ');
        out.extend_from_slice(&dialog.remote_target);
        let head =
            format!(" SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{token}{stage};rport\r\nMax-Forwards: 70\r\n");
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(&dialog.routes);
        let ends = format!(
            "From: \"+496990009123\" <sip:+496990009123@{local};user=phone>;tag={token}\r\nCall-ID: {token}@load.invalid\r\n\
             CSeq: {cseq} {method}\r\nContent-Length: 0\r\nTo: "
        );
        out.extend_from_slice(ends.as_bytes());
        out.extend_from_slice(&dialog.to);
        out.extend_from_slice(b"\r\n\r\n");
    }
}

impl Scenario for Proxied {
    fn request(&mut self, call: Call, out: &mut Vec<u8>) {
        let token = self.naming.token(call);
        if call.stage == INVITE {
            self.invite.write(&token, self.range.drawn(call.seq), out);
        } else {
            self.within(&self.dialogs[call.slot], &token, "BYE", 2, '1', out);
        }
    }

    fn judge(&mut self, call: Call, message: &Message, answer: &Answer) -> Verdict {
        let (method, cseq): (&[u8], u64) = if call.stage == INVITE { (b"INVITE", 1) } else { (b"BYE", 2) };
        if let Err(word) = belongs(answer, &self.naming.token(call), method, cseq) {
            return Verdict::Wrong(word);
        }
        match (answer.status, call.stage) {
            (100..200, _) => Verdict::Provisional,
            (200, INVITE) if answer.tag_of_to().is_none() => Verdict::Wrong("to_tag"),
            (200, INVITE) => match self.dialogs[call.slot].read(message, answer) {
                Ok(()) => Verdict::Next,
                Err(word) => Verdict::Wrong(word),
            },
            (200, _) => Verdict::Done,
            (500.., _) => Verdict::Wrong("status_5xx"),
            _ => Verdict::Wrong("status"),
        }
    }

    fn acknowledge(&mut self, call: Call, message: &Message, answer: &Answer, out: &mut Vec<u8>) -> bool {
        let token = self.naming.token(call);
        if answer.status < 300 {
            // RFC 3261 §13.2.2.4: a new transaction along the route set, for every 2xx that arrives.
            let mut dialog = Dialog::default();
            let complete = dialog.read(message, answer).is_ok();
            if complete {
                self.within(&dialog, &token, "ACK", 1, ACK_OF_2XX, out);
            }
            return complete;
        }
        self.ack.write(&token, self.range.drawn(call.seq), out);
        out.extend_from_slice(answer.to);
        out.extend_from_slice(b"\r\n\r\n");
        true
    }
}
