//! `sip-load`: an independent judge of SIP servers. It sends calls, checks every answer and reports what it saw as JSON.
//!
//! Non-goals: it is no SIP stack. It reads only what servers answer to its own requests, over UDP, on one thread, and it
//! shares no code with the engine that it measures, so that a common mistake cannot hide.

mod answer;
mod args;
mod call;
mod digest;
mod driver;
mod expect;
mod floor;
mod histogram;
mod lines;
mod message;
mod net;
mod proxy;
mod redirect;
mod register;
mod report;
mod template;
mod uas;
mod watch;

use args::Args;
use std::process::ExitCode;

const USAGE: &str = "\
usage: sip-load MODE [options]        (JSON on stdout; exit 0 = all answers right, 1 = some wrong, 2 = cannot run)

  redirect --target A:P   INVITE, 302, ACK
  proxy    --target A:P   INVITE, 180, 200, ACK, BYE, 200, through a proxy that reaches `sip-load uas`
  register --target A:P   REGISTER, 200
  uas      --listen A:P   answers INVITE with 180 and 200, BYE and OPTIONS with 200; until SIGINT or SIGTERM
  lines    --port P       answers OPTIONS at every IPv4 address of this host, from that address, and counts them; until SIGINT or SIGTERM
  watch    --target A:P --number +49…   calls one number without pause, prints the time of each change of its target
  floor    --listen A:P   sends back as many packets of the same size as a redirect server would, and parses nothing

generators: --local A:P (127.0.0.1:0)  --unconnected  --core N  --first +493021000000  --numbers 10000  --seconds 4
            --window 64 (calls under way)  --rate N (calls a second, open loop; 0 = as fast as the window allows)
            --calls N (stop after so many)  --block (sleep in the kernel while waiting instead of polling)  --drain 5
            --single (hand each packet to the kernel by itself, not in trains of equal ones)
redirect:   --expect SUFFIX=TARGET (repeatable; `*` = all others; {last:N} = last N digits of the called number)
            --require diversion,reason,history-info   --histinfo (offer it)   --show (print the first answer to stderr)
register:   --contacts keep|new (refresh one binding per user, or a new one each time)  --expires 3600
            --password P (digest MD5; user name = user part)  --domain 127.0.0.1
floor:      --expect as above";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let mode = words.next().unwrap_or_default();
    let outcome = Args::parse(words).and_then(|args| match mode.as_str() {
        "redirect" => redirect::run(args),
        "proxy" => proxy::run(args),
        "register" => register::run(args),
        "uas" => uas::run(args),
        "lines" => lines::run(args),
        "watch" => watch::run(args),
        "floor" => floor::run(args),
        _ => Err(USAGE.to_owned()),
    });
    match outcome {
        Ok(all_right) => ExitCode::from(u8::from(!all_right)),
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}
