//! Registered lines.

use super::*;

#[test]
fn a_registered_line_without_a_binding_is_down_once_the_grace_is_over() {
    let mut stage = Stage::new(settings(1));
    stage.put_lines([registered_line(LINE.0, &["+493023125000"])]);
    stage.advance(seconds(29));
    assert_eq!(Health::Unknown, stage.health(LINE).0);
    stage.advance(seconds(1) + TICK);
    assert_eq!((Health::Down, Cause::NotRegistered), stage.health(LINE));
    stage.put_lines([registered_line(8, &["+493023125001"])]);
    assert_eq!(
        (Health::Down, Cause::NotRegistered),
        stage.health(LineSlot(8)),
        "a later one at once"
    );
}

#[test]
fn a_binding_brings_its_line_up_and_its_end_takes_it_down_within_100_ms() {
    let mut stage = Stage::new(settings(1));
    stage.put_lines([registered_line(LINE.0, &["+493023125000"])]);
    let target = contact(&stage, seconds(60));
    let seq = stage.register(LINE, &target, BindingChange::Added);
    assert_eq!((Health::Up, Cause::Registered), stage.health(LINE));
    let events = stage.events();
    assert_eq!(seq, events[0].seq, "the binding comes before the verdict");
    let probe = stage.next_probe();
    assert!(
        probe
            .text
            .starts_with("OPTIONS sip:pbx@198.51.100.7:5060 SIP/2.0\r\n")
    );
    let expires = target.binding.as_ref().unwrap().expires;
    stage.advance((expires - stage.now()).saturating_sub(Duration::from_millis(5)));
    assert_eq!(1, stage.counter("bindings"));
    assert_eq!(Health::Up, stage.health(LINE).0);
    stage.advance(Duration::from_millis(100));
    assert_eq!((Health::Down, Cause::Expired), stage.health(LINE));
    assert_eq!(
        [0, 1, 1],
        ["bindings", "bindings_expired", "lines_down"].map(|name| stage.counter(name))
    );
    assert_eq!(
        vec![(
            BindingChange::Expired,
            "sip:pbx@198.51.100.7:5060".to_owned()
        )],
        stage.binding_events()
    );
    stage.sent();
    stage.advance(seconds(30));
    assert_eq!(
        Vec::<Sent>::new(),
        stage.sent(),
        "nobody is left to be asked"
    );
}

#[test]
fn lost_probes_keep_the_binding() {
    let mut stage = Stage::new(settings(1));
    stage.put_lines([registered_line(LINE.0, &["+493023125000"])]);
    let target = contact(&stage, seconds(600));
    stage.register(LINE, &target, BindingChange::Added);
    let probe = stage.next_probe();
    assert!(stage.now() - probe.at <= TICK);
    stage.answer(&probe, "200 OK");
    stage.advance(seconds(60));
    assert_eq!((Health::Down, Cause::OptionsTimeout), stage.health(LINE));
    assert_eq!(1, stage.counter("bindings"));
    assert_eq!(
        vec![(BindingChange::Added, "sip:pbx@198.51.100.7:5060".to_owned())],
        stage.binding_events()
    );
}

#[test]
fn a_refresh_keeps_what_is_known_and_moves_the_expiry() {
    let mut stage = Stage::new(settings(1));
    stage.put_lines([registered_line(LINE.0, &["+493023125000"])]);
    let target = contact(&stage, seconds(60));
    stage.register(LINE, &target, BindingChange::Added);
    let probe = stage.next_probe();
    let fresh = contact(&stage, seconds(60));
    stage.register(LINE, &fresh, BindingChange::Refreshed);
    stage.answer(&probe, "200 OK");
    assert!(
        fresh.rtt_us().is_some(),
        "the probe of the same flow counts"
    );
    stage.advance(Duration::from_millis(59_992));
    assert_eq!(
        1,
        stage.counter("bindings"),
        "the first expiry no longer counts"
    );
    stage.register(LINE, &fresh, BindingChange::Refreshed);
    assert_eq!(
        vec![
            BindingChange::Added,
            BindingChange::Refreshed,
            BindingChange::Refreshed
        ],
        {
            stage
                .binding_events()
                .into_iter()
                .map(|(change, _)| change)
                .collect::<Vec<_>>()
        }
    );
}

#[test]
fn a_phone_that_signs_off_takes_its_line_down_at_once() {
    let mut stage = Stage::new(settings(1));
    stage.put_lines([registered_line(LINE.0, &["+493023125000"])]);
    let target = contact(&stage, seconds(60));
    stage.register(LINE, &target, BindingChange::Added);
    stage.register(LINE, &target, BindingChange::Removed);
    assert_eq!((Health::Down, Cause::Removed), stage.health(LINE));
}
