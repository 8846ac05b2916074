//! The verdict machines under any evidence.

use std::time::Duration;

use arbitrary::Arbitrary;
use route_core::{
    CallOutcome, Health, LineVerdict, Profile, Registration, TargetHealth, Unreachable,
};
use sip_core::time::Timestamp;

#[derive(Arbitrary, Debug)]
pub struct Script {
    fall: u8,
    rise: u8,
    hold_ms: u16,
    interval_ms: u16,
    fast_ms: u16,
    timeout_ms: u16,
    judge_options: bool,
    judge_registration: bool,
    steps: Vec<(u16, Step)>,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Step {
    Packet,
    ProbeSent,
    ProbeAnswered { code: u16 },
    ProbeLost,
    ProbeLate,
    ProbeUnreachable,
    HoldDown { seconds: u16 },
    Registered,
    Call(Call),
    Registration(Binding),
    Nothing,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Call {
    Answered,
    Fault { code: u16 },
    Silent,
    Broken,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Binding {
    Unknown,
    Absent,
    Present,
    Expired,
    Removed,
}

pub fn play(script: &Script) {
    let millis = |value: u16| Duration::from_millis(u64::from(value));
    let profile = Profile {
        interval: millis(script.interval_ms),
        fast_interval: millis(script.fast_ms),
        timeout: millis(script.timeout_ms),
        fall: u16::from(script.fall),
        rise: u16::from(script.rise),
        hold: millis(script.hold_ms),
        timeout_max: Duration::from_secs(2),
        fall_max: 14,
        hold_max: Duration::from_mins(2),
        flap_half_life: Duration::from_mins(2),
        hold_down_max: Duration::from_mins(1),
        judge_options: script.judge_options,
        judge_registration: script.judge_registration,
    };
    let sane = profile.sane();
    let mut now = Timestamp::ZERO;
    let mut target = TargetHealth::new(now, now);
    let mut line = LineVerdict::new(now);
    let mut registration = Registration::Unknown;
    for &(wait, step) in &script.steps {
        now += millis(wait);
        let before = target.health();
        let held_until = target.held_until();
        let mut good = false;
        match step {
            Step::Packet => target.handle_packet(now),
            Step::ProbeSent => target.handle_probe_sent(&profile, now),
            Step::ProbeAnswered { code } => {
                good = !matches!(code, 408 | 503);
                target.handle_probe_answer(now, good, code, &profile, now);
            }
            Step::ProbeLost => target.handle_probe_timeout(now, &profile, now),
            Step::ProbeLate => target.handle_probe_late(now, &profile, now),
            Step::ProbeUnreachable => {
                target.handle_probe_unreachable(Unreachable::Host, false, now, &profile, now);
            }
            Step::HoldDown { seconds } => {
                let pause = Duration::from_secs(u64::from(seconds));
                target.handle_hold_down(now, pause, &profile, now);
            }
            Step::Registered => {
                good = true;
                target.handle_registered(&profile, now);
            }
            Step::Call(call) => {
                let outcome = match call {
                    Call::Answered => CallOutcome::Answered,
                    Call::Fault { code } => CallOutcome::Fault { code },
                    Call::Silent => CallOutcome::Silent,
                    Call::Broken => CallOutcome::Unreachable {
                        kind: Unreachable::Port,
                        by_target: false,
                    },
                };
                good = outcome == CallOutcome::Answered;
                target.handle_call(outcome, &profile, now);
            }
            Step::Registration(binding) => {
                registration = match binding {
                    Binding::Unknown => Registration::Unknown,
                    Binding::Absent => Registration::Absent,
                    Binding::Present => Registration::Present,
                    Binding::Expired => Registration::Expired,
                    Binding::Removed => Registration::Removed,
                };
            }
            Step::Nothing => {}
        }
        let after = target.health();
        if after == Health::Up && before != Health::Up {
            assert!(good, "{step:?} brought a target from {before:?} to up");
        }
        if before == Health::Down && after != Health::Down {
            assert!(now >= held_until, "down was left before its hold was over");
            assert_eq!(Health::Up, after, "down is left to up only");
        }
        if let Some(next) = target.next_probe_at(&profile) {
            assert!(
                next <= now + sane.interval.max(sane.hold_down_max),
                "the next probe is further away than the interval"
            );
        }

        let (line_before, line_held) = (line.health(), line.held_until());
        let change = line.fuse(registration, [&target], &profile, now, |_| true);
        match change {
            None => assert_eq!(line_before, line.health(), "a flip was not reported"),
            Some(change) => {
                assert_eq!(
                    (line_before, line.health()),
                    (change.previous, change.health)
                );
                assert_ne!(
                    change.previous, change.health,
                    "no flip was reported as one"
                );
                assert_eq!(now, change.since);
                if line_before == Health::Down {
                    assert!(
                        now >= line_held,
                        "a line left down before its hold was over"
                    );
                }
            }
        }
        assert_eq!(
            None,
            line.fuse(registration, [&target], &profile, now, |_| true),
            "judging twice changes something"
        );
    }
}
