//! What one redirected INVITE costs in this crate: `cargo run --release -p sip-core --example parse_cost`.
//!
//! Each step is timed in rounds, and the best round is reported: the others were interrupted.
#![allow(clippy::disallowed_methods, reason = "an example may read the clock")]

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sip_core::build::{RequestForward, ResponseWriter};
use sip_core::header::HeaderName;
use sip_core::message::{HeaderIndex, Message};

const ROUNDS: usize = 200;
const CALLS: u32 = 2_000;

const SDP: &str = "v=0\r\no=- 3845 3845 IN IP4 192.0.2.17\r\ns=-\r\nc=IN IP4 192.0.2.17\r\nt=0 0\r\n\
    m=audio 16384 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n";

fn invite() -> Vec<u8> {
    format!(
        "INVITE sip:+493023125042@192.0.2.1:5060;user=phone SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.17:5060;branch=z9hG4bK-524287-1---8f3a6c1d2b7e4f90;rport\r\n\
         Max-Forwards: 69\r\n\
         Contact: <sip:+496990009017@192.0.2.17:5060;transport=udp>\r\n\
         To: <sip:+493023125042@192.0.2.1;user=phone>\r\n\
         From: \"+496990009017\" <sip:+496990009017@192.0.2.17;user=phone>;tag=a73kszlfl\r\n\
         Call-ID: 1j9FpLxk3uxtm8tn@192.0.2.17\r\n\
         CSeq: 1 INVITE\r\n\
         Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK\r\n\
         Supported: 100rel, timer, histinfo\r\n\
         Content-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{SDP}",
        SDP.len()
    )
    .into_bytes()
}

fn best(mut step: impl FnMut()) -> f64 {
    let round = |step: &mut dyn FnMut()| {
        let start = Instant::now();
        for _ in 0..CALLS {
            step();
        }
        start.elapsed()
    };
    let shortest = (0..ROUNDS)
        .map(|_| round(&mut step))
        .min()
        .unwrap_or(Duration::ZERO);
    shortest.as_secs_f64() * 1e9 / f64::from(CALLS)
}

fn main() {
    let octets = invite();
    let source: SocketAddr = "192.0.2.17:5060".parse().expect("an address");
    let mut index = HeaderIndex::new();
    let mut out = Vec::with_capacity(4096);
    println!(
        "INVITE of {} octets, {} of them SDP; best of {ROUNDS} rounds",
        octets.len(),
        SDP.len()
    );

    let parse = best(|| {
        let message = Message::parse(black_box(&octets), &mut index).expect("the message parses");
        black_box(message.body());
    });
    println!("parse and index                     {parse:7.1} ns");

    let read = best(|| {
        let message = Message::parse(black_box(&octets), &mut index).expect("the message parses");
        let via = message.top_via().expect("its Via parses");
        black_box((
            via.branch,
            via.rport,
            message.from_tag(),
            message.to_tag(),
            message.call_id(),
        ));
    });
    println!("… and top Via, tags, Call-ID         {read:7.1} ns");

    let decide = best(|| {
        let message = Message::parse(black_box(&octets), &mut index).expect("the message parses");
        let via = message.top_via().expect("its Via parses");
        let uri = message.uri().expect("its Request-URI parses");
        black_box((
            via.branch,
            uri.subscriber(),
            message.has_option(HeaderName::Supported, "histinfo"),
        ));
    });
    println!("… and Request-URI, Supported         {decide:7.1} ns");

    let redirect = best(|| {
        let message = Message::parse(black_box(&octets), &mut index).expect("the message parses");
        let via = message.top_via().expect("its Via parses");
        black_box(via.branch);
        out.clear();
        ResponseWriter::new(
            &mut out,
            &message,
            302,
            "Moved Temporarily",
            Some(b"7f3a6c1d2b7e4f90"),
            Some(source),
        )
        .header(
            "Contact",
            b"<sip:+4917139200017@192.0.2.1;user=phone;cause=404>;q=1.0",
        )
        .header(
            "Diversion",
            b"<sip:+493023125042@192.0.2.1;user=phone>;reason=out-of-service;counter=1",
        )
        .header(
            "Reason",
            b"Q.850;cause=27;text=\"Destination out of order\"",
        )
        .finish(None);
        black_box(&out);
    });
    println!(
        "parse, top Via and a whole 302       {redirect:7.1} ns ({} octets)",
        out.len()
    );

    let forward = best(|| {
        let message = Message::parse(black_box(&octets), &mut index).expect("the message parses");
        out.clear();
        RequestForward {
            request_uri: Some(b"sip:+493023125042@198.51.100.7:5060"),
            via: b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK7f3a6c1d2b7e4f90",
            received: Some(source),
            record_route: Some(b"<sip:192.0.2.1;lr>"),
            max_forwards: 68,
            ..RequestForward::default()
        }
        .write(&message, &mut out);
        black_box(&out);
    });
    println!(
        "parse and a forwarded INVITE         {forward:7.1} ns ({} octets)",
        out.len()
    );
}
