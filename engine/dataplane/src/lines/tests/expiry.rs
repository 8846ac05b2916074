//! Expiry by the real clock, threads and wheel: many bindings, each acted on when its time has come.

use crate::engine::Engine;
use crate::events::{BindingChange, EventBody};
use crate::rows::BindingRow;
use crate::worker::testing::{registered_line, settings};
use route_core::{Delta, LineSlot, RouteTable};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const LINES: u32 = 20_000;
/// The bindings run out evenly over this time.
const SPREAD_MS: u64 = 2_000;
/// What is promised, and what a machine that does other things may add.
const PROMISED_MS: u64 = 100;
const MACHINE_MS: u64 = 150;

fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

#[test]
fn every_one_of_many_bindings_ends_when_it_runs_out() {
    let mut settings = settings(2);
    settings.listen = vec!["127.0.0.1:0".parse().unwrap()];
    let engine = Engine::new(settings).unwrap();
    let mut delta = Delta::default();
    for slot in 0..LINES {
        let user = format!("+49302{slot:07}");
        delta.push_line(registered_line(slot, &[&user])).unwrap();
    }
    engine.replace(RouteTable::new(1).apply(delta).unwrap());
    let begin_ms = unix_ms() + 2_000;
    let rows = (0..LINES).map(|slot| BindingRow {
        line: LineSlot(slot),
        contact: format!("sip:a@127.0.0.1:{}", 10_000 + slot),
        received: ([127, 0, 0, 1], 9).into(),
        expires_unix_ms: begin_ms + u64::from(slot) * SPREAD_MS / u64::from(LINES),
        call_id: "a".to_owned(),
        cseq: 1,
        q: 1000,
        user_agent: String::new(),
        user: format!("+49302{slot:07}"),
    });
    engine.restore_bindings(rows.collect());
    engine.start();

    let mut late_ms = Vec::new();
    let patience = Instant::now();
    while late_ms.len() < LINES as usize {
        assert!(
            patience.elapsed() < Duration::from_mins(1),
            "{} ended",
            late_ms.len()
        );
        for event in engine.events(10_000) {
            if let EventBody::Binding {
                change: BindingChange::Expired,
                row,
            } = event.body
            {
                assert!(
                    event.at_unix_ms + 2 > row.expires_unix_ms,
                    "before its time"
                );
                late_ms.push(event.at_unix_ms.saturating_sub(row.expires_unix_ms));
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    engine.stop();
    late_ms.sort_unstable();
    let (p99, last) = (
        late_ms[late_ms.len() * 99 / 100],
        late_ms[late_ms.len() - 1],
    );
    println!("{LINES} bindings: p99 {p99} ms late, the last {last} ms");
    assert!(
        p99 <= PROMISED_MS && last <= PROMISED_MS + MACHINE_MS,
        "p99 {p99} ms, last {last} ms"
    );
}
