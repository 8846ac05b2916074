//! The verdict machine on lossy ways, on virtual time: no false alarm, and real cuts noticed within the computed bounds.
mod prober;

use std::time::Duration;

use prober::{PROFILE, Prober, Seeded};
use route_core::{Health, Known, worst_case_detection};
use sip_core::time::Timestamp;

const HOUR: Duration = Duration::from_hours(1);

/// False verdicts of `lines` living lines, each probed over a way that loses so much of all round trips, after `warm` for so long.
fn false_verdicts(lines: u64, loss: f64, warm: Duration, time: Duration) -> u32 {
    let mut falls = 0;
    for line in 0..lines {
        let mut random = Seeded::new(line);
        // Lines are not added at the beats of each other's probes, and the first answer starts the clock.
        let mut prober = Prober::fresh(Timestamp::from_millis(1_000 + line));
        prober.until(true, Health::Up, HOUR);
        prober.run(warm, &mut |_| random.unit() >= loss);
        let end = prober.now + time;
        let mut up = prober.target.health() != Health::Down;
        while prober.step(end, &mut |_| random.unit() >= loss) {
            let is_up = prober.target.health() != Health::Down;
            falls += u32::from(up && !is_up);
            up = is_up;
        }
    }
    falls
}

#[test]
fn a_way_that_loses_5_percent_each_way_raises_no_false_alarm() {
    let round_trip = 1.0 - 0.95_f64 * 0.95;
    assert_eq!(
        0,
        false_verdicts(1_000, round_trip, Duration::ZERO, HOUR / 10),
        "fresh"
    );
    assert_eq!(0, false_verdicts(25, round_trip, HOUR, HOUR * 4), "learnt");
}

#[test]
fn a_way_that_loses_20_percent_each_way_raises_one_in_100_line_hours_at_most() {
    let round_trip = 1.0 - 0.8_f64 * 0.8;
    for (lines, warm, time, what) in [
        (1_000, Duration::ZERO, HOUR / 10, "fresh"),
        (25, HOUR, HOUR * 4, "learnt"),
    ] {
        let falls = false_verdicts(lines, round_trip, warm, time);
        println!("{what}: {falls} false verdicts in 100 line-hours");
        assert!(falls <= 1, "{what}: {falls}");
    }
}

#[test]
#[ignore = "a measurement: cargo nextest run -p route-core --run-ignored only --no-capture rates"]
fn rates() {
    for percent in [1_u32, 5, 10, 20, 30, 50] {
        let way = 1.0 - f64::from(percent) / 100.0;
        let fresh = false_verdicts(20_000, 1.0 - way * way, Duration::ZERO, HOUR / 10);
        let learnt = false_verdicts(100, 1.0 - way * way, HOUR, HOUR * 20);
        println!("{percent} % each way: {fresh} fresh, {learnt} learnt in 2,000 line-hours");
    }
}

#[test]
fn a_cut_is_noticed_within_the_computed_bound() {
    for (known, warm) in [(Known::Fresh, Duration::ZERO), (Known::Clean, HOUR)] {
        let bound = worst_case_detection(&PROFILE, known);
        let mut longest = Duration::ZERO;
        for line in 0..500 {
            let mut random = Seeded::new(line);
            let mut prober = Prober::fresh(Timestamp::from_millis(1_000));
            prober.until(true, Health::Up, HOUR);
            prober.run(
                warm + Duration::from_secs(10).mul_f64(random.unit()),
                &mut |_| true,
            );
            let cut = prober.cut();
            let fell = prober.until(false, Health::Down, bound).expect("in time");
            longest = longest.max(fell - cut);
        }
        assert!(
            longest <= bound && longest > bound.mul_f64(0.9),
            "{longest:?} of {bound:?}"
        );
    }
}

#[test]
fn a_cut_of_a_lossy_way_is_noticed_within_the_bound() {
    let bound = worst_case_detection(&PROFILE, Known::Bound);
    for line in 0..200 {
        let mut random = Seeded::new(line);
        let mut prober = Prober::fresh(Timestamp::from_millis(1_000));
        prober.until(true, Health::Up, HOUR);
        prober.run(HOUR.mul_f64(random.unit()), &mut |_| random.unit() >= 0.36);
        if prober.target.health() != Health::Down {
            prober.cut();
            prober.until(false, Health::Down, bound).expect("in time");
        }
    }
}
