//! Restore, reload, and changes of the table.

use route_core::Unreachable;

use super::*;

#[test]
fn a_restored_verdict_holds_until_fresh_evidence_whichever_comes_first() {
    for table_first in [false, true] {
        let mut stage = Stage::new(settings(1));
        let row = verdict_row(&stage, Health::Down, "options_timeout");
        if table_first {
            stage.put_lines([static_line(LINE.0, &[PEER])]);
        }
        let view = stage.view();
        stage.cores[0].restore_verdicts(&[row], &view);
        stage.replace([static_line(LINE.0, &[PEER])]);
        assert_eq!((Health::Down, Cause::OptionsTimeout), stage.health(LINE));
        let ago = stage.now() - stage.shared.slots.read(LINE).unwrap().since();
        assert!(ago.abs_diff(seconds(60)) < seconds(1), "{ago:?}");
        stage.advance(seconds(30));
        assert_eq!(Health::Down, stage.health(LINE).0);
        assert!(stage.verdict_events().is_empty());
        stage.sent();
        for _ in 0..2 {
            assert_eq!(Health::Down, stage.health(LINE).0);
            let probe = stage.next_probe();
            stage.answer(&probe, "200 OK");
        }
        assert_eq!(Health::Up, stage.health(LINE).0);
        assert_eq!(1, stage.verdict_events().len());
    }
}

#[test]
fn a_line_restored_as_up_that_died_meanwhile_is_found_out() {
    let mut stage = Stage::new(settings(1));
    let row = verdict_row(&stage, Health::Up, "options_answered");
    let view = stage.view();
    stage.cores[0].restore_verdicts(&[row], &view);
    stage.replace([static_line(LINE.0, &[PEER])]);
    assert_eq!(Health::Up, stage.health(LINE).0);
    stage.advance(seconds(15));
    assert_eq!((Health::Down, Cause::OptionsTimeout), stage.health(LINE));
}

#[test]
fn a_binding_that_ran_out_while_we_were_down_lives_for_the_grace() {
    for table_first in [false, true] {
        let mut stage = Stage::new(settings(1));
        let row = BindingRow {
            line: LINE,
            contact: "sip:pbx@198.51.100.7:5060".to_owned(),
            received: peer(),
            expires_unix_ms: stage.shared.clock.unix_ms(stage.now()) - 5_000,
            call_id: "c".to_owned(),
            cseq: 9,
            q: 500,
            user_agent: "phone".to_owned(),
            user: "+493023125000".to_owned(),
        };
        let lines = [registered_line(LINE.0, &["+493023125000"])];
        if table_first {
            stage.replace(lines.clone());
        }
        let view = stage.view();
        stage.cores[0].restore_bindings(vec![row], &view);
        stage.replace(lines);
        stage.advance(seconds(29));
        assert_eq!(1, stage.counter("bindings"));
        assert!(stage.events().is_empty(), "what the store told is no news");
        stage.advance(seconds(1) + TICK);
        assert_eq!((Health::Down, Cause::Expired), stage.health(LINE));
        assert_eq!(1, stage.binding_events().len());
    }
}

#[test]
fn a_removed_line_leaves_nothing() {
    let mut stage = Stage::new(settings(1));
    stage.put_lines([registered_line(LINE.0, &["+493023125000"])]);
    let target = contact(&stage, seconds(600));
    stage.register(LINE, &target, BindingChange::Added);
    stage.next_probe();
    stage.events();
    stage.apply(Delta {
        lines_removed: vec![LINE],
        ..Delta::default()
    });
    assert_eq!(
        vec![(
            BindingChange::Removed,
            "sip:pbx@198.51.100.7:5060".to_owned()
        )],
        stage.binding_events()
    );
    stage.advance(seconds(700));
    assert_eq!(Vec::<Sent>::new(), stage.sent());
    let gauges = [
        "bindings",
        "probers",
        "lines_up",
        "lines_down",
        "lines_suspect",
        "lines_unknown",
        "timers",
    ];
    assert_eq!([0; 7], gauges.map(|name| stage.counter(name)));
    assert_eq!(0, stage.cores[0].lines.probes.remembered());
    assert!(!stage.shared.slots.read(LINE).unwrap().has_targets());
}

#[test]
fn a_new_table_removes_ghosts_and_keeps_the_rest() {
    let mut stage = static_stage();
    stage.put_lines([static_line(8, &["198.51.100.8:5060"])]);
    let probe = loop {
        let probe = stage.next_probe();
        if probe.destination == peer() {
            break probe;
        }
    };
    stage.answer(&probe, "200 OK");
    stage.replace([static_line(LINE.0, &[PEER])]);
    assert_eq!(Health::Up, stage.health(LINE).0);
    assert!(!stage.shared.slots.read(LineSlot(8)).unwrap().has_targets());
}

#[test]
fn a_reload_changes_the_pace_and_keeps_the_verdict() {
    let mut stage = static_stage();
    stage.bring_up();
    let mut changed = settings(1);
    changed.profiles[0].verdict.interval = seconds(2);
    stage.reconfigure(changed);
    assert_eq!(Health::Up, stage.health(LINE).0);
    let from = stage.now();
    let probe = stage.next_probe();
    assert!(
        probe.at - from <= seconds(2) + TICK,
        "{:?}",
        probe.at - from
    );
    let mut changed = settings(1);
    changed.profiles[0].verdict.judge_options = false;
    stage.reconfigure(changed);
    stage.advance(seconds(60));
    assert_eq!(Vec::<Sent>::new(), stage.sent());
    assert_eq!(
        [0, 0],
        ["probers", "probers_missing"].map(|name| stage.counter(name))
    );
}

#[test]
fn a_reload_that_wants_probes_again_does_not_send_them_all_at_once() {
    let mut stage = Stage::new(settings(1));
    let mut silent = settings(1);
    silent.profiles[0].verdict.judge_options = false;
    stage.reconfigure(silent);
    stage.replace(
        (0..200).map(|slot| static_line(slot, &[&format!("198.51.100.{}:5060", slot + 1)])),
    );
    stage.advance(seconds(60));
    assert_eq!(Vec::<Sent>::new(), stage.sent());
    stage.reconfigure(settings(1));
    for _ in 0..10 {
        stage.advance(seconds(1));
        let sent = stage.sent().len();
        assert!(
            (10..=30).contains(&sent),
            "{sent} in a second instead of 22"
        );
    }
    assert_eq!(
        [200, 0],
        ["probers", "probers_missing"].map(|name| stage.counter(name))
    );
}

#[test]
fn a_second_peer_keeps_the_line_up_and_a_changed_list_keeps_what_is_known() {
    let mut stage = Stage::new(settings(1));
    let backup = "198.51.100.8:5060";
    stage.put_lines([static_line(LINE.0, &[PEER, backup])]);
    stage.advance_answering(seconds(2));
    let view = stage.view();
    for _ in 0..3 {
        stage.cores[0].on_call_outcome(LINE, peer(), CallOutcome::Silent, &view);
        stage.advance_answering(seconds(1));
    }
    let healths = |stage: &Stage| {
        let targets = stage.shared.slots.read(LINE).unwrap().targets().unwrap();
        targets
            .iter()
            .map(|target| (target.address.to_string(), target.health()))
            .collect::<Vec<_>>()
    };
    let down = (PEER.to_owned(), Health::Down);
    let up = (backup.to_owned(), Health::Up);
    assert_eq!(vec![down.clone(), up.clone()], healths(&stage));
    assert_eq!(Health::Up, stage.health(LINE).0);
    stage.put_lines([static_line(LINE.0, &[backup, PEER])]);
    assert_eq!(
        vec![up, down.clone()],
        healths(&stage),
        "the preferred first, each with its health"
    );
    stage.put_lines([static_line(LINE.0, &[PEER])]);
    assert_eq!(vec![down], healths(&stage));
    assert_eq!(
        (Health::Down, Cause::CallSilent),
        stage.health(LINE),
        "the one that is left speaks for the line"
    );
}

#[test]
fn one_contact_of_two_users_is_restored_for_both_and_memory_wins() {
    let mut stage = Stage::new(settings(1));
    stage.put_lines([registered_line(LINE.0, &["+493023125000", "+493023125001"])]);
    let target = contact(&stage, seconds(600));
    stage.register(LINE, &target, BindingChange::Added);
    let row = |user: &str, cseq| BindingRow {
        line: LINE,
        contact: "sip:pbx@198.51.100.7:5060".to_owned(),
        received: peer(),
        expires_unix_ms: stage.shared.clock.unix_ms(stage.now()) + 60_000,
        call_id: "c".to_owned(),
        cseq,
        q: 1000,
        user_agent: String::new(),
        user: user.to_owned(),
    };
    let rows = vec![row("+493023125000", 77), row("+493023125001", 78)];
    let view = stage.view();
    stage.cores[0].restore_bindings(rows, &view);
    let targets = stage.shared.slots.read(LINE).unwrap().targets().unwrap();
    let mut cseqs: Vec<u32> = targets
        .iter()
        .filter_map(|target| Some(target.binding.as_ref()?.cseq))
        .collect();
    cseqs.sort_unstable();
    assert_eq!(vec![1, 78], cseqs);
}

#[test]
fn a_static_line_without_an_address_is_down_until_its_name_is_resolved() {
    let mut stage = Stage::new(settings(1));
    stage.put_lines([static_line(LINE.0, &[])]);
    let nameless = Cause::Unreachable(Unreachable::Name);
    assert_eq!((Health::Down, nameless), stage.health(LINE));
    stage.put_lines([static_line(LINE.0, &[PEER])]);
    assert_eq!((Health::Unknown, Cause::Start), stage.health(LINE));
    stage.bring_up();
    assert_eq!(Health::Up, stage.health(LINE).0);
}

#[test]
fn a_line_that_is_down_tries_the_peer_that_it_got_instead() {
    let mut stage = static_stage();
    take_down(&mut stage);
    // The new one answers calls and no OPTIONS.
    stage.put_lines([static_line(LINE.0, &["198.51.100.8:5060"])]);
    stage.advance(seconds(10));
    let shared = Arc::clone(&stage.shared);
    let slot = shared.slots.read(LINE).unwrap();
    assert_eq!(Health::Down, slot.health(), "nothing is known yet");
    assert!(slot.take_trial(), "a call may try");
    stage.advance(Duration::from_millis(500));
    assert!(!slot.trial_offered(), "one at a time");
    stage.advance(seconds(2));
    assert!(
        slot.trial_offered(),
        "the first told nothing, so there is another"
    );
    let view = stage.view();
    let address = "198.51.100.8:5060".parse().unwrap();
    stage.cores[0].on_call_outcome(LINE, address, CallOutcome::Answered, &view);
    assert_eq!((Health::Up, Cause::CallAnswered), stage.health(LINE));
    stage.advance(TICK);
    assert!(!slot.trial_offered());
}
