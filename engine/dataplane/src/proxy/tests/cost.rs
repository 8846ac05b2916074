//! What a redirected call costs in this crate alone: run it under `perf` or `callgrind` after a change on its path.
//!
//! `cargo test -p dataplane --release -- --ignored the_cost_of_a_redirect --nocapture`

use std::time::Instant;

use route_core::{Cause, Health};
use sip_core::message::HeaderIndex;

use super::messages::{ack_of, invite};
use super::net::{ARMED, CORE, Net, at};

const CALLS: u32 = 300_000;

#[test]
#[ignore = "prints a measure and asserts no time"]
fn the_cost_of_a_redirect() {
    let mut net = Net::new();
    net.health(Health::Down, Cause::OptionsTimeout);
    let mut call = invite(ARMED, "00000000").into_bytes();
    net.from(CORE, &invite(ARMED, "00000000"));
    let answer = net.one_to(CORE, "SIP/2.0 302").text;
    let ack = ack_of(&invite(ARMED, "00000000"), &answer);
    assert!(answer.len() > 500 && ack.len() > 200);
    let places: Vec<usize> = call
        .windows(8)
        .enumerate()
        .filter(|(_, w)| *w == b"00000000")
        .map(|(at, _)| at)
        .collect();
    let view = net.stage.view();
    let core = &mut net.stage.cores[0];
    let mut index = HeaderIndex::new();
    let mut answered = 0;
    let start = Instant::now();
    let mut digits = *b"00000000";
    for _ in 0..CALLS {
        for digit in digits.iter_mut().rev() {
            *digit = if *digit == b'9' { b'0' } else { *digit + 1 };
            if *digit != b'0' {
                break;
            }
        }
        for place in &places {
            call[*place..*place + 8].copy_from_slice(&digits);
        }
        core.on_datagram(&call, &mut index, at(CORE), 0, false, &view);
        if core.outbox.len() == 64 {
            answered += core.outbox.len();
            core.outbox.flush(&[]);
        }
    }
    let spent = start.elapsed() / CALLS;
    answered += core.outbox.len();
    assert_eq!(CALLS as usize, answered);
    println!("{spent:?} a redirect");
}
