//! The called side behind a proxy: INVITE gets 180 and 200, BYE and OPTIONS get 200, ACK ends the repeating of the 200.

use crate::args::Args;
use crate::message::{Message, Name};
use crate::net::{self, Inbox, Outbox, Peer};
use crate::template::sdp;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A 200 not yet acknowledged. It is repeated by us, whatever the transport (RFC 3261 §13.3.1.4).
struct Open {
    answer: Vec<u8>,
    peer: Peer,
    due: Instant,
    wait: Duration,
}

const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
const SCAN: Duration = Duration::from_millis(100);

pub(crate) fn run(mut args: Args) -> Result<bool, String> {
    let listen: SocketAddr = args.need("--listen")?;
    let core = args.optional("--core")?;
    args.finish()?;
    if let Some(core) = core {
        net::pin(core)?;
    }
    net::catch_signals();
    let socket = net::open(listen, None)?;
    socket.set_read_timeout(Some(SCAN)).map_err(|error| error.to_string())?;
    let listen = socket.local_addr().map_err(|error| error.to_string())?;
    println!("ready");
    let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new(false));
    let tail = format!("Contact: <sip:uas@{listen}>\r\n");
    let offer = sdp(&listen.ip().to_string(), 20_480);
    let mut open: HashMap<Vec<u8>, Open> = HashMap::new();
    let mut last_scan = Instant::now();
    while !net::stopped() {
        let got = inbox.receive(&socket, true).unwrap_or(0);
        for index in 0..got {
            let (datagram, peer) = inbox.datagram(index);
            let Some(message) = Message::new(datagram) else { continue };
            let (Some((method, _)), Some(call_id)) = (message.request(), message.first(Name::CallId)) else { continue };
            match method {
                b"INVITE" => {
                    write(&message, "180 Ringing", &tail, "", outbox.next(&socket, Some(peer)));
                    let out = outbox.next(&socket, Some(peer));
                    write(&message, "200 OK", &tail, &offer, out);
                    let wait = T1;
                    open.insert(call_id.to_vec(), Open { answer: out.clone(), peer, due: Instant::now() + wait, wait });
                }
                b"ACK" => {
                    open.remove(call_id);
                }
                b"BYE" | b"OPTIONS" | b"CANCEL" => write(&message, "200 OK", "", "", outbox.next(&socket, Some(peer))),
                _ => write(&message, "501 Not Implemented", "", "", outbox.next(&socket, Some(peer))),
            }
        }
        if last_scan.elapsed() >= SCAN {
            last_scan = Instant::now();
            open.retain(|_, waiting| waiting.wait <= T1 * 64);
            for waiting in open.values_mut().filter(|waiting| waiting.due <= last_scan) {
                outbox.next(&socket, Some(waiting.peer)).extend_from_slice(&waiting.answer);
                waiting.wait = if waiting.wait < T2 { waiting.wait * 2 } else { T1 * 65 };
                waiting.due = last_scan + waiting.wait.min(T2);
            }
        }
        outbox.flush(&socket);
    }
    Ok(true)
}

/// A response as RFC 3261 §8.2.6.2 builds it; the To tag is a function of the Call-ID, so that repeats agree.
pub(crate) fn write(request: &Message, status: &str, tail: &str, body: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"SIP/2.0 ");
    out.extend_from_slice(status.as_bytes());
    let mut tag = 0xcbf2_9ce4_8422_2325_u64;
    let mut to_has_tag = false;
    for (name, value) in request.fields() {
        let label: &[u8] = match name {
            Name::Via => b"\r\nVia: ",
            Name::RecordRoute => b"\r\nRecord-Route: ",
            Name::From => b"\r\nFrom: ",
            Name::CallId => b"\r\nCall-ID: ",
            Name::CSeq => b"\r\nCSeq: ",
            Name::To => {
                to_has_tag = crate::message::parameter(value, b"tag").is_some();
                continue;
            }
            _ => continue,
        };
        out.extend_from_slice(label);
        out.extend_from_slice(value);
        if name == Name::CallId {
            tag = value.iter().fold(tag, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
        }
    }
    out.extend_from_slice(b"\r\nTo: ");
    out.extend_from_slice(request.first(Name::To).unwrap_or_default());
    if !to_has_tag {
        out.extend_from_slice(format!(";tag={tag:016x}").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(tail.as_bytes());
    if !body.is_empty() {
        out.extend_from_slice(b"Content-Type: application/sdp\r\n");
    }
    out.extend_from_slice(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
}
