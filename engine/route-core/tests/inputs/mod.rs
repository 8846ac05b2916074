//! What can happen to a target, for tests of the verdict machines.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::time::Duration;

use route_core::{CallOutcome, Profile, TargetHealth, Unreachable};
use sip_core::time::Timestamp;

pub(crate) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) const PROFILE: Profile = Profile {
    interval: seconds(30),
    fast_interval: seconds(2),
    timeout: seconds(1),
    fall: 3,
    rise: 2,
    hold: seconds(10),
    timeout_max: seconds(2),
    fall_max: 14,
    hold_max: seconds(120),
    flap_half_life: seconds(120),
    hold_down_max: seconds(60),
    judge_options: true,
    judge_registration: true,
};

/// What can happen to a target.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input {
    Packet,
    Sent,
    Answer(bool),
    Timeout,
    Late,
    Refused,
    HoldDown,
    Void,
    Doubt,
    Registered,
    Call(CallOutcome),
}

pub(crate) const INPUTS: [Input; 15] = [
    Input::Packet,
    Input::Sent,
    Input::Answer(true),
    Input::Answer(false),
    Input::Timeout,
    Input::Late,
    Input::Refused,
    Input::HoldDown,
    Input::Void,
    Input::Doubt,
    Input::Registered,
    Input::Call(CallOutcome::Answered),
    Input::Call(CallOutcome::Fault { code: 503 }),
    Input::Call(CallOutcome::Silent),
    Input::Call(CallOutcome::Unreachable {
        kind: Unreachable::Port,
        by_target: true,
    }),
];

/// What is told of an OPTIONS is told of one sent just so long before that it can be true.
pub(crate) fn feed(target: &mut TargetHealth, input: Input, profile: &Profile, now: Timestamp) {
    let ago = |millis| at((now.as_micros() / 1_000).saturating_sub(millis));
    let timeout = target.timeout(profile).as_millis() as u64;
    match input {
        Input::Packet => target.handle_packet(now),
        Input::Sent => target.handle_probe_sent(profile, now),
        Input::Answer(good) => {
            let code = if good { 200 } else { 503 };
            target.handle_probe_answer(ago(20), good, code, profile, now);
        }
        Input::Timeout => target.handle_probe_timeout(ago(timeout), profile, now),
        Input::Late => target.handle_probe_late(ago(timeout + 200), profile, now),
        Input::Refused => {
            target.handle_probe_unreachable(Unreachable::Host, false, ago(20), profile, now);
        }
        Input::HoldDown => target.handle_hold_down(ago(20), seconds(20), profile, now),
        Input::Void => target.handle_probe_void(now),
        Input::Doubt => target.handle_doubt(profile, now),
        Input::Registered => target.handle_registered(profile, now),
        Input::Call(outcome) => target.handle_call(outcome, profile, now),
    }
}

/// A target brought about by inputs one second apart; the last one at 100 s.
pub(crate) fn brought_about(inputs: &[Input]) -> TargetHealth {
    let start = 100_000 - 3_000 * (inputs.len() as u64 - u64::from(!inputs.is_empty()));
    let mut target = TargetHealth::new(at(start), at(start));
    for (n, input) in inputs.iter().enumerate() {
        feed(&mut target, *input, &PROFILE, at(start + 3_000 * n as u64));
    }
    target
}
