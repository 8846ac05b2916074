//! The box on a virtual clock: its figures, its rows of decisions, its order.
// Whole milliseconds and settings that were set are exact in f64.
#![allow(clippy::float_cmp)]

use crate::control::{Wire, obey};
use crate::lane::{Lane, MOST_WAITING};

const MS: u64 = 1_000_000;
const SEED: u64 = 7;
const MANY: u64 = 20_000;

/// An IPv4 frame of `length` bytes that carries a number.
fn frame(number: u64, length: usize) -> Vec<u8> {
    let mut frame = vec![0; length.max(22)];
    frame[12..14].copy_from_slice(&[0x08, 0x00]);
    frame[14..22].copy_from_slice(&number.to_be_bytes());
    frame
}

fn number(frame: &[u8]) -> u64 {
    frame[14..22]
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn lane(settings: &[(&str, f64)]) -> Lane {
    let mut lane = Lane::new(SEED);
    for (name, value) in settings {
        lane.settings.set(name, *value).expect("a setting");
    }
    lane
}

/// Send `count` frames every `step` and return who left when, as (number, milliseconds on the way).
fn run(lane: &mut Lane, count: u64, step: u64) -> Vec<(u64, f64)> {
    let mut left = Vec::new();
    let mut take = |lane: &mut Lane, until: u64| {
        while let Some(due) = lane.next_due().filter(|due| *due <= until) {
            let frame = lane.poll_frame(due).expect("it is due");
            let sent = number(&frame) * step;
            left.push((number(&frame), (due - sent) as f64 / MS as f64));
        }
    };
    for n in 0..count {
        take(lane, n * step);
        lane.handle_frame(&frame(n, 500), n * step);
    }
    take(lane, u64::MAX);
    left
}

fn numbers(left: &[(u64, f64)]) -> Vec<u64> {
    left.iter().map(|(number, _)| *number).collect()
}

/// A share of `percent` of `count` within four standard deviations.
fn assert_share(found: u64, percent: f64, count: u64) {
    let (share, count) = (percent / 100.0, count as f64);
    let bound = 4.0 * (count * share * (1.0 - share)).sqrt();
    assert!(
        (found as f64 - count * share).abs() <= bound,
        "{found} of {count}, not {percent} %"
    );
}

#[test]
fn a_lane_without_settings_passes_everything_at_once_and_in_order() {
    let left = run(&mut lane(&[]), 1000, MS);
    assert_eq!(numbers(&left), (0..1000).collect::<Vec<_>>());
    assert!(left.iter().all(|(_, ms)| *ms == 0.0));
}

#[test]
fn loss_duplicates_and_corruption_have_their_nominal_share() {
    for percent in [0.0, 0.5, 5.0, 20.0, 50.0, 100.0] {
        let mut lane = lane(&[("loss", percent)]);
        let left = run(&mut lane, MANY, MS);
        assert_share(lane.counts.lost, percent, MANY);
        assert_eq!(left.len() as u64 + lane.counts.lost, MANY);
    }
    let mut lane = lane(&[("duplicate", 20.0), ("reorder", 30.0)]);
    let left = run(&mut lane, MANY, MS);
    assert_share(lane.counts.duplicated, 20.0, MANY);
    assert_share(lane.counts.reordered, 30.0, MANY);
    assert_eq!(left.len() as u64, MANY + lane.counts.duplicated);
}

#[test]
fn losses_come_without_memory() {
    let mut lane = lane(&[("loss", 20.0)]);
    let there = numbers(&run(&mut lane, MANY, MS));
    let lost: Vec<bool> = (0..MANY)
        .map(|n| there.binary_search(&n).is_err())
        .collect();
    let pairs = lost.windows(2).filter(|pair| pair[0] && pair[1]).count() as u64;
    assert_share(pairs, 4.0, MANY);
}

#[test]
fn the_seed_decides_and_settings_do_not_move_each_others_decisions() {
    let once = numbers(&run(&mut lane(&[("loss", 20.0)]), MANY, MS));
    assert_eq!(
        once,
        numbers(&run(&mut lane(&[("loss", 20.0)]), MANY, 3 * MS)),
        "time decides nothing"
    );
    let more = [
        ("loss", 20.0),
        ("jitter_ms", 5.0),
        ("delay_ms", 9.0),
        ("duplicate", 10.0),
    ];
    let mut more = numbers(&run(&mut lane(&more), MANY, MS));
    more.dedup();
    assert_eq!(more, once);
    let mut heavier = numbers(&run(&mut lane(&[("loss", 21.0)]), MANY, MS));
    heavier.retain(|number| once.binary_search(number).is_err());
    assert!(heavier.is_empty(), "what 20 % loses, 21 % loses too");

    let mut other = lane(&[("loss", 20.0)]);
    other.reseed(SEED + 1);
    assert_ne!(numbers(&run(&mut other, MANY, MS)), once);
    other.reseed(SEED);
    assert_eq!(
        numbers(&run(&mut other, MANY, MS)),
        once,
        "a seed begins the row again"
    );
}

#[test]
fn other_protocols_shift_no_decision() {
    let plain = numbers(&run(&mut lane(&[("loss", 20.0)]), 1000, MS));
    let mut noisy = lane(&[("loss", 20.0)]);
    let mut arp = frame(0, 60);
    arp[13] = 0x06;
    for n in 0..1000 {
        noisy.handle_frame(&arp, n * MS);
        while noisy.poll_frame(u64::MAX).is_some() {}
        noisy.handle_frame(&frame(n, 500), n * MS);
        let there = noisy.poll_frame(u64::MAX).is_some();
        assert_eq!(there, plain.binary_search(&n).is_ok());
    }
    assert_eq!((noisy.counts.other, noisy.counts.received), (1000, 1000));
}

#[test]
fn jitter_fills_its_range_with_its_shape_and_keeps_the_order() {
    for (normal, deviation) in [(0.0, 20.0 / 3.0_f64.sqrt()), (1.0, 10.0 * 0.8796)] {
        // Packets far apart, so that keeping the order changes nothing.
        let mut one = lane(&[("delay_ms", 200.0), ("jitter_ms", 20.0), ("normal", normal)]);
        let delays: Vec<f64> = run(&mut one, MANY, 50 * MS)
            .iter()
            .map(|(_, ms)| *ms)
            .collect();
        let mean = delays.iter().sum::<f64>() / delays.len() as f64;
        let spread =
            (delays.iter().map(|ms| (ms - mean).powi(2)).sum::<f64>() / delays.len() as f64).sqrt();
        assert!((mean - 200.0).abs() < 0.5, "mean {mean}");
        assert!(
            (spread - deviation).abs() < 0.3,
            "deviation {spread}, not {deviation}"
        );
        assert!(delays.iter().all(|ms| (180.0..=220.0).contains(ms)));

        let mut dense = lane(&[("delay_ms", 200.0), ("jitter_ms", 20.0), ("normal", normal)]);
        assert_eq!(
            numbers(&run(&mut dense, MANY, MS)),
            (0..MANY).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_delay_smaller_than_its_jitter_is_never_negative() {
    let delays = run(
        &mut lane(&[("delay_ms", 5.0), ("jitter_ms", 20.0)]),
        MANY,
        50 * MS,
    );
    assert!(delays.iter().all(|(_, ms)| (0.0..=25.0).contains(ms)));
}

#[test]
fn packets_held_back_are_overtaken_and_others_keep_their_order() {
    let mut one = lane(&[("delay_ms", 10.0), ("reorder", 10.0), ("reorder_ms", 5.5)]);
    let left = run(&mut one, MANY, MS);
    let mut late: Vec<u64> = left
        .iter()
        .filter(|(_, ms)| *ms > 10.0)
        .map(|(number, _)| *number)
        .collect();
    assert_eq!(late.len() as u64, one.counts.reordered);
    late.sort_unstable();
    let prompt: Vec<u64> = left
        .iter()
        .filter(|(_, ms)| *ms == 10.0)
        .map(|(number, _)| *number)
        .collect();
    assert!(prompt.is_sorted());
    assert_eq!(prompt.len() as u64, MANY - one.counts.reordered);
    let mut expected: Vec<u64> = (0..MANY).collect();
    expected.sort_by_key(|number| {
        10 * number
            + if late.binary_search(number).is_ok() {
                55
            } else {
                0
            }
    });
    assert_eq!(
        numbers(&left),
        expected,
        "five packets, one each millisecond, overtake it"
    );
}

#[test]
fn the_rate_spaces_packets_and_a_full_queue_loses_them() {
    // 500 bytes at 400 kbit/s take 10 ms; one comes each 5 ms, a queue of 100 ms fills.
    let mut one = lane(&[("rate_bps", 400_000.0), ("queue_ms", 100.0)]);
    let left = run(&mut one, 1000, 5 * MS);
    assert_eq!(left.len() as u64 + one.counts.overflowed, 1000);
    assert!(
        (left.len() as f64 - 510.0).abs() < 5.0,
        "{} passed",
        left.len()
    );
    assert!(left.iter().all(|(_, ms)| (10.0..=110.0).contains(ms)));
    let steady: Vec<f64> = left[100..]
        .iter()
        .map(|(number, ms)| *number as f64 * 5.0 + ms)
        .collect();
    assert!(
        steady
            .windows(2)
            .all(|pair| (pair[1] - pair[0] - 10.0).abs() < 0.001)
    );
}

#[test]
fn memory_is_bounded() {
    let mut one = lane(&[("delay_ms", 600_000.0)]);
    for n in 0..MOST_WAITING as u64 + 10 {
        one.handle_frame(&frame(n, 60), n);
    }
    assert_eq!(one.waiting(), MOST_WAITING);
    assert_eq!(one.counts.overflowed, 10);
}

#[test]
fn corruption_turns_one_bit_behind_the_ethernet_header() {
    let mut one = lane(&[("corrupt", 100.0)]);
    for n in 0..1000 {
        let before = frame(n, 100);
        one.handle_frame(&before, 0);
        let after = one.poll_frame(0).expect("it passes");
        let turned: u32 = before
            .iter()
            .zip(&after)
            .map(|(x, y)| (x ^ y).count_ones())
            .sum();
        assert_eq!((turned, &before[..14]), (1, &after[..14]));
    }
}

#[test]
fn commands_are_obeyed_whole_or_not_at_all() {
    let mut wires = [Wire::new("line", SEED, 0), Wire::new("fleet", SEED, 1)];
    assert_eq!(
        obey("set line up loss=5 delay_ms=200.0\n", &mut wires),
        "{}"
    );
    assert_eq!(
        (
            wires[0].lanes[1].settings.loss,
            wires[0].lanes[1].settings.delay_ms
        ),
        (5.0, 200.0)
    );
    assert_eq!(wires[0].lanes[0].settings.loss, 0.0);
    for wrong in [
        "",
        "dance",
        "set",
        "set nowhere up loss=1",
        "set line sideways loss=1",
        "set line up loss",
        "set line up loss=much",
        "set line up loss=7 delay_ms=-1",
        "set line up loss=101",
        "set line up loss=NaN",
        "set line up delay_ms=inf",
        "set line up \"quoted\"=1",
        "seed 1.5",
    ] {
        let answer = obey(wrong, &mut wires);
        assert!(
            answer.starts_with("{\"error\": \"") && answer.matches('"').count() == 4,
            "{wrong}: {answer}"
        );
        assert_eq!(wires[0].lanes[1].settings.loss, 5.0, "{wrong}");
    }
    wires[0].lanes[0].handle_frame(&frame(1, 60), 0);
    let stats = obey("stats", &mut wires);
    assert!(
        stats.starts_with("{\"line\": {\"down\": {\"received\": 1, "),
        "{stats}"
    );
    assert!(stats.ends_with("\"waiting\": 0}}}"), "{stats}");
}

#[test]
fn wires_and_directions_have_rows_of_their_own() {
    let mut wires = [Wire::new("line", SEED, 0), Wire::new("fleet", SEED, 1)];
    let mut rows = Vec::new();
    for wire in &mut wires {
        for lane in &mut wire.lanes {
            lane.settings.set("loss", 50.0).expect("a setting");
            rows.push(numbers(&run(lane, 200, MS)));
        }
    }
    rows.sort();
    rows.dedup();
    assert_eq!(rows.len(), 4);
}
