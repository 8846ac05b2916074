//! What targets and lines keep under any sequence of inputs and any profile.
mod inputs;
mod prober;

use std::time::Duration;

use inputs::{INPUTS, Input, at, feed};
use prober::Prober;
use proptest::prelude::*;
use route_core::{
    CallOutcome, Cause, Health, Known, LineVerdict, Profile, Registration, TargetHealth,
    worst_case_detection, worst_case_recovery,
};

prop_compose! {
    fn any_profile()(
        interval in 1_u64..60_000, fast in 1_u64..10_000, timeout in 1_u64..5_000,
        fall in 0_u16..6, rise in 0_u16..6, hold in 0_u64..60_000, judge_registration in any::<bool>(),
    ) -> Profile {
        Profile {
            interval: Duration::from_millis(interval), fast_interval: Duration::from_millis(fast),
            timeout: Duration::from_millis(timeout), fall, rise, hold: Duration::from_millis(hold),
            timeout_max: Duration::from_secs(2), fall_max: 14, hold_max: Duration::from_mins(2),
            flap_half_life: Duration::from_mins(2), hold_down_max: Duration::from_mins(1),
            judge_options: true, judge_registration,
        }
    }
}

fn any_steps() -> impl Strategy<Value = Vec<(Input, u64)>> {
    let input = (0..INPUTS.len()).prop_map(|n| INPUTS[n]);
    let step = prop_oneof![0_u64..50, 0_u64..5_000, 0_u64..100_000];
    proptest::collection::vec((input, step), 0..120)
}

proptest! {
    #[test]
    fn a_target_keeps_its_promises(profile in any_profile(), steps in any_steps()) {
        let sane = profile.sane();
        let mut now = at(1_000);
        let mut target = TargetHealth::new(now, now);
        // Faults since the last answered call: no good evidence at all ends more than this row.
        let mut faults = 0_u32;
        // What was refused since any good answer: a call, an OPTIONS.
        let mut refused = [false; 2];
        for (input, step) in steps {
            now += Duration::from_millis(step);
            let (before, held_until) = (target.health(), target.held_until());
            let said = matches!(input, Input::HoldDown);
            match input {
                Input::Answer(false) | Input::Timeout | Input::Refused
                | Input::Call(CallOutcome::Fault { .. } | CallOutcome::Silent | CallOutcome::Unreachable { .. }) => faults += 1,
                Input::Call(CallOutcome::Answered) => faults = 0,
                Input::Packet | Input::Sent | Input::Answer(true) | Input::Registered | Input::Late | Input::Void | Input::HoldDown
                | Input::Doubt => {}
            }
            match input {
                Input::Call(CallOutcome::Fault { .. }) => refused[0] = true,
                Input::Answer(false) => refused[1] = true,
                Input::Answer(true) | Input::Registered | Input::Call(CallOutcome::Answered) => refused = [false; 2],
                _ => {}
            }
            feed(&mut target, input, &profile, now);
            let after = target.health();
            if before != Health::Down && after == Health::Down && !said {
                let both = refused == [true; 2];
                prop_assert!(both || faults >= u32::from(sane.fall), "down after {} faults", faults);
                prop_assert!(target.held_until() - target.since() >= sane.hold, "held too short");
                let row = target.evidence();
                prop_assert!(both || row.options_faults + row.call_faults >= sane.fall);
            }
            if before == Health::Down && after != Health::Down {
                prop_assert_eq!(Health::Up, after);
                prop_assert!(now >= held_until, "up before hold");
            }
            prop_assert!(before == Health::Unknown || after != Health::Unknown);
            let next = target.next_probe_at(&profile);
            prop_assert!(next.is_some_and(|next| next <= now + sane.interval.max(sane.hold_down_max)), "next probe {:?} at {:?}", next, now);
        }

        // From wherever that led: an answered call clears the row, then silence, then answers.
        now = now.max(target.held_until());
        target.handle_call(CallOutcome::Answered, &profile, now);
        prop_assert_eq!(Health::Up, target.health(), "an answered call after hold brings it back");
        target.handle_probe_answer(now, true, 200, &profile, now);
        let mut prober = Prober::new(target, profile, now);
        // Round trips of the past may have stretched the time-out.
        let bound = worst_case_detection(&profile, Known::Bound);
        prop_assert!(prober.until(false, Health::Down, bound).is_some(), "not down within {:?}", bound);
        let longer = (prober.target.held_until() - prober.now).saturating_sub(sane.hold);
        let bound = worst_case_recovery(&profile) + longer;
        prop_assert!(prober.until(true, Health::Up, bound).is_some(), "not up within {:?}", bound);
    }

    #[test]
    fn a_line_keeps_its_promises(
        profile in any_profile(),
        steps in proptest::collection::vec((0_usize..3, 0..INPUTS.len(), 0_u64..20_000, 0_usize..8), 0..120),
    ) {
        let sane = profile.sane();
        let registrations = [Registration::Absent, Registration::Expired, Registration::Removed, Registration::Unknown];
        let mut now = at(1_000);
        let mut targets = [TargetHealth::new(now, now), TargetHealth::new(now, now), TargetHealth::new(now, now)];
        let mut line = LineVerdict::new(now);
        // What each refused since any good answer: a call, an OPTIONS. Both together need no row.
        let mut refused = [[false; 2]; 3];
        for (which, input, step, registration) in steps {
            now += Duration::from_millis(step);
            match INPUTS[input] {
                Input::Call(CallOutcome::Fault { .. }) => refused[which][0] = true,
                Input::Answer(false) => refused[which][1] = true,
                Input::Answer(true) | Input::Registered | Input::Call(CallOutcome::Answered) => refused[which] = [false; 2],
                _ => {}
            }
            feed(&mut targets[which], INPUTS[input], &profile, now);
            let registration = registrations.get(registration).copied().unwrap_or(Registration::Present);
            let (before, held_until) = (line.health(), line.held_until());
            let change = line.fuse(registration, &targets, &profile, now, |_| true);
            prop_assert_eq!(change.is_some(), before != line.health(), "each flip once");
            if let Some(change) = change {
                prop_assert_eq!((before, line.health(), now), (change.previous, change.health, change.since));
                let lost = matches!(change.cause, Cause::NotRegistered | Cause::Expired | Cause::Removed);
                if change.health == Health::Down {
                    let all = targets.iter().all(|target| target.health() == Health::Down);
                    prop_assert!(all || (lost && profile.judge_registration));
                    let both = refused.contains(&[true; 2]);
                    prop_assert!(lost || both || change.cause == Cause::OptionsCode(503) || change.evidence.options_faults + change.evidence.call_faults >= sane.fall);
                }
                prop_assert!(before != Health::Down || now >= held_until, "up before hold");
            }
            if let Some(deadline) = line.deadline(&profile) {
                prop_assert!(deadline > now && line.health() == Health::Down);
            }
        }
        // Never stuck: with a good target and a binding it is up when the deadline comes.
        now = now.max(targets[0].held_until());
        targets[0].handle_call(CallOutcome::Answered, &profile, now);
        line.fuse(Registration::Present, &targets, &profile, now, |_| true);
        let now = line.deadline(&profile).unwrap_or(now);
        line.fuse(Registration::Present, &targets, &profile, now, |_| true);
        prop_assert_eq!(Health::Up, line.health());
    }
}
