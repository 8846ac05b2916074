//! The phones of many lines: one port at every address of this host, each address a line's. OPTIONS gets 200 from the address that
//! it was sent to, and is counted by when it came: how evenly a prober asks is seen here, not believed.

use crate::args::Args;
use crate::message::Message;
use crate::net::{self, Everywhere};
use crate::uas::write;
use std::collections::BTreeMap;

/// OPTIONS are counted by windows of this length, of Unix time, by when the kernel took them.
const WINDOW_NANOS: u64 = 100_000_000;

pub(crate) fn run(mut args: Args) -> Result<bool, String> {
    let port: u16 = args.need("--port")?;
    let core = args.optional("--core")?;
    args.finish()?;
    if let Some(core) = core {
        net::pin(core)?;
    }
    net::catch_signals();
    let mut phones = Everywhere::open(port)?;
    println!("ready");
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    let mut out = Vec::new();
    while !net::stopped() {
        let Some((datagram, way)) = phones.receive() else { continue };
        let Some(message) = Message::new(datagram) else { continue };
        let Some((b"OPTIONS", _)) = message.request() else { continue };
        out.clear();
        write(&message, "200 OK", "", "", &mut out);
        phones.answer(way, &out);
        *counts.entry(way.at / WINDOW_NANOS).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(window, count)| format!("\"{window}\": {count}")).collect();
    println!("{{\"window_ms\": {}, \"counts\": {{{}}}}}", WINDOW_NANOS / 1_000_000, counts.join(", "));
    Ok(true)
}
