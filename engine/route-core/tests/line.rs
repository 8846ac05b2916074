//! The verdict of a line: its targets, its registration, and what was kept over a restart.
mod inputs;

use inputs::{PROFILE, at};
use route_core::{Cause, Change, Health, LineVerdict, Profile, Registration, TargetHealth};
use sip_core::time::Timestamp;

fn up(now: Timestamp) -> TargetHealth {
    let mut target = TargetHealth::new(now, now);
    target.handle_registered(&PROFILE, now);
    target
}

fn down(now: Timestamp) -> TargetHealth {
    TargetHealth::restored(Health::Down, now, Cause::OptionsTimeout, &PROFILE, now)
}

#[test]
fn a_line_is_up_while_one_target_is() {
    let mut line = LineVerdict::new(at(0));
    let change = line
        .fuse(
            Registration::Present,
            [&down(at(0)), &up(at(1))],
            &PROFILE,
            at(1),
            |_| true,
        )
        .expect("a flip");
    assert_eq!(
        (Health::Unknown, Health::Up, Cause::Registered),
        (change.previous, change.health, change.cause)
    );
    assert_eq!(
        None,
        line.fuse(
            Registration::Present,
            [&down(at(0)), &up(at(1))],
            &PROFILE,
            at(2),
            |_| true
        ),
        "reported once"
    );
    let change = line
        .fuse(
            Registration::Present,
            [&down(at(3)), &down(at(4))],
            &PROFILE,
            at(4),
            |_| true,
        )
        .expect("a flip");
    assert_eq!(
        (Health::Down, Cause::OptionsTimeout, at(4)),
        (change.health, change.cause, change.since)
    );
}

#[test]
fn a_line_that_was_never_there_is_up_as_soon_as_it_comes() {
    let mut line = LineVerdict::new(at(0));
    let admit = |_: &Change| true;
    let change = line.fuse(Registration::Absent, [], &PROFILE, at(1_000), admit);
    assert_eq!(Some(Health::Down), change.map(|change| change.health));
    let first = [&up(at(1_100))];
    let change = line.fuse(Registration::Present, first, &PROFILE, at(1_100), admit);
    assert_eq!(Some(Health::Up), change.map(|change| change.health));
    // Its first fall is held as a first fall.
    line.fuse(Registration::Removed, [], &PROFILE, at(60_000), admit);
    assert_eq!(at(60_000) + PROFILE.hold, line.held_until());
}

#[test]
fn a_lost_registration_is_down_at_once_and_comes_back_after_hold() {
    for (lost, cause) in [
        (Registration::Absent, Cause::NotRegistered),
        (Registration::Expired, Cause::Expired),
        (Registration::Removed, Cause::Removed),
    ] {
        let mut line = LineVerdict::new(at(0));
        line.fuse(Registration::Present, [&up(at(0))], &PROFILE, at(0), |_| {
            true
        });
        let change = line
            .fuse(lost, [], &PROFILE, at(1_000), |_| true)
            .expect("a flip");
        assert_eq!((Health::Down, cause), (change.health, change.cause));
        assert_eq!(
            None,
            line.fuse(
                Registration::Present,
                [&up(at(2_000))],
                &PROFILE,
                at(2_000),
                |_| true
            )
        );
        assert_eq!(Some(at(11_000)), line.deadline(&PROFILE));
        assert_eq!(
            None,
            line.fuse(
                Registration::Present,
                [&up(at(2_000))],
                &PROFILE,
                at(10_999),
                |_| true
            )
        );
        let change = line
            .fuse(
                Registration::Present,
                [&up(at(2_000))],
                &PROFILE,
                at(11_000),
                |_| true,
            )
            .expect("a flip");
        assert_eq!((Health::Up, None), (change.health, line.deadline(&PROFILE)));
        let careless = Profile {
            judge_registration: false,
            ..PROFILE
        };
        assert_eq!(
            None,
            line.fuse(lost, [&up(at(0))], &careless, at(12_000), |_| true)
        );
    }
}

#[test]
fn a_restored_verdict_stands_until_fresh_evidence() {
    let mut line = LineVerdict::new(at(0));
    line.restore(Health::Down, at(0), Cause::OptionsTimeout, &PROFILE);
    let fresh = TargetHealth::new(at(60_000), at(60_000));
    assert_eq!(
        None,
        line.fuse(
            Registration::Present,
            [&fresh],
            &PROFILE,
            at(60_000),
            |_| true
        )
    );
    assert_eq!(
        None,
        line.fuse(Registration::Unknown, [], &PROFILE, at(60_000), |_| true)
    );
    assert_eq!(Health::Down, line.health());
    let change = line
        .fuse(
            Registration::Present,
            [&up(at(61_000))],
            &PROFILE,
            at(61_000),
            |_| true,
        )
        .expect("a flip");
    assert_eq!((Health::Down, Health::Up), (change.previous, change.health));
}

#[test]
fn a_fall_that_is_not_admitted_leaves_the_line_suspect_until_it_is() {
    let mut line = LineVerdict::new(at(0));
    line.fuse(Registration::Present, [&up(at(0))], &PROFILE, at(0), |_| {
        true
    });
    let fallen = down(at(1_000));
    let judge = |line: &mut LineVerdict, millis, admit: bool| {
        line.fuse(
            Registration::Present,
            [&fallen],
            &PROFILE,
            at(millis),
            |_| admit,
        )
    };
    let change = judge(&mut line, 1_000, false).expect("a flip");
    assert_eq!((Health::Suspect, true), (change.health, line.is_refused()));
    assert_eq!(Some(at(31_000)), line.deadline(&PROFILE));
    assert_eq!(None, judge(&mut line, 2_000, false), "reported once");
    let change = judge(&mut line, 3_000, true).expect("a flip");
    assert_eq!(
        (Health::Suspect, Health::Down, false),
        (change.previous, change.health, line.is_refused())
    );
}
