//! REGISTER, 200: is the binding in the answer? One user per number; with a password the 401 in between is answered.

use crate::answer::Answer;
use crate::args::Args;
use crate::call::{Call, Naming, Range, TOKEN};
use crate::digest;
use crate::driver::{self, Plan, Scenario, Verdict};
use crate::message::{Message, Name, parameter, uri};
use std::io::Write as _;
use std::net::SocketAddr;

const CHALLENGED: u8 = 1;

struct Register {
    naming: Naming,
    range: Range,
    local: SocketAddr,
    domain: String,
    expires: u32,
    password: Option<String>,
    /// A new contact and Call-ID with every request, instead of refreshing the user's one binding.
    new_contacts: bool,
    /// The `Authorization` value of the call in a slot.
    authorizations: Vec<String>,
}

pub(crate) fn run(mut args: Args) -> Result<bool, String> {
    let plan = Plan::take(&mut args)?;
    let range = Range::new(&args.or("--first", "+493021000000".to_owned())?, args.or("--numbers", 10_000)?)?;
    let contacts = args.or("--contacts", "keep".to_owned())?;
    if !["keep", "new"].contains(&contacts.as_str()) {
        return Err(format!("--contacts {contacts}: keep or new"));
    }
    let domain = args.or("--domain", "127.0.0.1".to_owned())?;
    let (expires, password) = (args.or("--expires", 3600)?, args.optional("--password")?);
    let show = args.switch("--show");
    args.finish()?;
    let (socket, local) = plan.open()?;
    let naming = Naming::new();
    let scenario = Register {
        naming,
        range,
        local,
        domain,
        expires,
        password,
        new_contacts: contacts == "new",
        authorizations: vec![String::new(); plan.window()],
    };
    Ok(driver::run(&plan, socket, naming, scenario).print("register", show))
}

impl Register {
    /// The Contact URI: of the user, or of this very call.
    fn contact(&self, call: Call, out: &mut Vec<u8>) {
        let number = self.range.in_turn(call.seq);
        let _ = if self.new_contacts {
            write!(out, "sip:+{number}-{:x}@{};transport=udp", call.seq, self.local)
        } else {
            write!(out, "sip:+{number}@{};transport=udp", self.local)
        };
    }

    /// RFC 3261 §10.2.4: one Call-ID per user and a `CSeq` that grows with every REGISTER, challenged ones included.
    fn cseq(&self, call: Call) -> u64 {
        let lap = if self.new_contacts { 0 } else { self.range.lap(call.seq) };
        1 + lap * 2 + u64::from(call.stage)
    }

    fn call_id(&self, call: Call, out: &mut Vec<u8>) {
        let _ = if self.new_contacts {
            write!(out, "{:08x}-{:x}@load.invalid", self.naming.run, call.seq)
        } else {
            write!(out, "{:08x}-{}@load.invalid", self.naming.run, self.range.in_turn(call.seq))
        };
    }

    fn write(&self, call: Call, token: &[u8; TOKEN], out: &mut Vec<u8>) -> std::io::Result<()> {
        let (local, domain, number) = (self.local, &self.domain, self.range.in_turn(call.seq));
        let (token, stage, cseq) = (std::str::from_utf8(token).unwrap_or_default(), call.stage, self.cseq(call));
        write!(out, "REGISTER sip:{domain} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{token}{stage};rport\r\n")?;
        write!(out, "Max-Forwards: 70\r\nFrom: <sip:+{number}@{domain}>;tag={token}\r\nTo: <sip:+{number}@{domain}>\r\n")?;
        out.extend_from_slice(b"Call-ID: ");
        self.call_id(call, out);
        write!(out, "\r\nCSeq: {cseq} REGISTER\r\nContact: <")?;
        self.contact(call, out);
        write!(out, ">\r\nExpires: {}\r\nUser-Agent: sip-load\r\n", self.expires)?;
        if call.stage == CHALLENGED {
            write!(out, "Authorization: {}\r\n", self.authorizations[call.slot])?;
        }
        write!(out, "Content-Length: 0\r\n\r\n")
    }

    fn check(&mut self, call: Call, message: &Message, answer: &Answer) -> Result<Verdict, &'static str> {
        let mut mine = Vec::with_capacity(80);
        self.call_id(call, &mut mine);
        if answer.call_id != mine {
            return Err("call_id");
        }
        if answer.method != b"REGISTER" || answer.cseq != self.cseq(call) {
            return Err("cseq");
        }
        if answer.tag_of_from() != Some(&self.naming.token(call)) {
            return Err("from_tag");
        }
        match (answer.status, &self.password) {
            (100..200, _) => Ok(Verdict::Provisional),
            (401, Some(password)) if call.stage < CHALLENGED => {
                let challenge = message.first(Name::WwwAuthenticate).ok_or("challenge")?;
                let user = format!("+{}", self.range.in_turn(call.seq));
                let uri = format!("sip:{}", self.domain);
                let value = digest::authorization(challenge, &user, password, "REGISTER", &uri).ok_or("challenge")?;
                self.authorizations[call.slot] = value;
                Ok(Verdict::Next)
            }
            (200, _) => {
                mine.clear();
                self.contact(call, &mut mine);
                answer.tag_of_to().ok_or("to_tag")?;
                self.bound(message, &mine).then_some(Verdict::Done).ok_or("binding")
            }
            (500.., _) => Err("status_5xx"),
            _ => Err("status"),
        }
    }

    /// Is our contact among the bindings, with a lifetime? Several may share one header line.
    fn bound(&self, message: &Message, mine: &[u8]) -> bool {
        message.fields().filter(|(name, _)| *name == Name::Contact).any(|(_, value)| {
            value
                .split(|byte| *byte == b',')
                .any(|one| uri(one) == mine && (parameter(one, b"expires").is_some() || self.expires == 0))
        })
    }
}

impl Scenario for Register {
    fn request(&mut self, call: Call, out: &mut Vec<u8>) {
        // Writing to a Vec cannot fail.
        let _ = self.write(call, &self.naming.token(call), out);
    }

    fn judge(&mut self, call: Call, message: &Message, answer: &Answer) -> Verdict {
        self.check(call, message, answer).unwrap_or_else(Verdict::Wrong)
    }

    fn acknowledge(&mut self, _: Call, _: &Message, _: &Answer, _: &mut Vec<u8>) -> bool {
        false
    }
}
