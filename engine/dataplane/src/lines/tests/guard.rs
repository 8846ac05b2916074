//! Many lines fall together.

use std::collections::HashSet;

use super::*;
use crate::guard::GuardRow;
use crate::net::SendFault;
use crate::settings::{GuardSettings, Settings};
use route_core::LineSpec;

/// Lines that share nothing but what a test says: each has a network of its own.
struct Fleet {
    stage: Stage,
    lines: u32,
    guard: Vec<(Timestamp, GuardRow)>,
    /// When each line fell.
    fell: Vec<(Timestamp, LineSlot)>,
}

fn address_of(slot: u32) -> String {
    format!("10.{}.{}.1:5060", slot / 250, slot % 250)
}

fn slot_of(address: SocketAddr) -> u32 {
    let SocketAddr::V4(v4) = address else {
        panic!("only such are used")
    };
    let [_, high, low, _] = v4.ip().octets();
    u32::from(high) * 250 + u32::from(low)
}

/// Everybody answers.
fn nobody(_slot: u32) -> bool {
    false
}

fn everybody(_slot: u32) -> bool {
    true
}

impl Fleet {
    fn new(lines: u32, settings: Settings, groups: impl Fn(u32) -> Vec<String>) -> Self {
        let mut stage = Stage::new(settings);
        stage.replace((0..lines).map(|slot| LineSpec {
            groups: groups(slot),
            ..static_line(slot, &[&address_of(slot)])
        }));
        let mut fleet = Self {
            stage,
            lines,
            guard: Vec::new(),
            fell: Vec::new(),
        };
        fleet.run(seconds(22), nobody);
        assert_eq!(lines as usize, fleet.count(Health::Up));
        assert!(fleet.guard.is_empty() && fleet.fell.is_empty());
        fleet
    }

    /// Regions of 1,000 lines each.
    fn of_regions(lines: u32) -> Self {
        Self::new(lines, settings(2), |slot| vec![region(slot)])
    }

    fn unrelated(lines: u32) -> Self {
        Self::new(lines, settings(2), |_| Vec::new())
    }

    /// Let time pass while the lines that are not `dead` answer.
    fn run(&mut self, time: Duration, dead: impl Fn(u32) -> bool) {
        let end = self.stage.now() + time;
        while self.stage.now() < end {
            self.stage.advance(Duration::from_millis(20));
            for probe in self.stage.sent() {
                if !dead(slot_of(probe.destination)) {
                    self.stage.answer_at_owner(&probe);
                }
            }
            let now = self.stage.now();
            for event in self.stage.events() {
                match event.body {
                    EventBody::Guard(row) => self.guard.push((now, *row)),
                    EventBody::Verdict { row, .. } if row.health == Health::Down => {
                        self.fell.push((now, row.line));
                    }
                    _ => {}
                }
            }
        }
    }

    fn count(&self, health: Health) -> usize {
        let slots = 0..self.lines;
        slots
            .filter(|slot| self.stage.health(LineSlot(*slot)).0 == health)
            .count()
    }

    fn told(&self) -> Vec<(bool, &'static str)> {
        let rows = self.guard.iter();
        rows.map(|(_, row)| (row.frozen, row.why)).collect()
    }
}

fn region(slot: u32) -> String {
    format!("region:{}", slot / 1000)
}

#[test]
fn one_line_falls_without_delay_among_many() {
    let mut alone = Fleet::unrelated(1);
    let mut among = Fleet::unrelated(1000);
    let times = [&mut alone, &mut among].map(|fleet| {
        let cut = fleet.stage.now();
        fleet.run(seconds(15), |slot| slot == 0);
        assert_eq!(1, fleet.fell.len());
        fleet.fell[0].0 - cut
    });
    assert_eq!(times[0], times[1]);
}

#[test]
fn a_twentieth_of_unrelated_lines_falls_a_second_late_at_most() {
    let mut fleet = Fleet::unrelated(1000);
    let cut = fleet.stage.now();
    fleet.run(seconds(15), |slot| slot % 20 == 0);
    assert_eq!(50, fleet.count(Health::Down));
    assert!(fleet.told().is_empty(), "{:?}", fleet.told());
    let bound = worst_case_detection(&crate::worker::testing::profile("").verdict, Known::Fresh);
    let latest = fleet.fell.iter().map(|(at, _)| *at - cut).max().unwrap();
    assert!(latest <= bound + seconds(1) + TICK * 3, "{latest:?}");
}

#[test]
fn our_own_uplink_freezes_before_anything_falls_and_every_line_comes_back() {
    let mut fleet = Fleet::unrelated(1000);
    fleet.run(seconds(30), everybody);
    assert_eq!(vec![(true, "many_lines")], fleet.told());
    assert_eq!(
        0,
        fleet.fell.len(),
        "diverted although we were out: {:?} {:?}",
        fleet.fell,
        fleet.guard
    );
    assert_eq!(
        1000,
        fleet.count(Health::Suspect),
        "the short timer for each call"
    );
    assert!(fleet.stage.shared.guard.is_frozen());
    fleet.run(seconds(15), nobody);
    assert_eq!(
        vec![(true, "many_lines"), (false, "answered")],
        fleet.told()
    );
    assert_eq!(1000, fleet.count(Health::Up));
    assert_eq!(0, fleet.fell.len(), "{:?} {:?}", fleet.fell, fleet.guard);
    assert!(!fleet.stage.shared.guard.is_frozen());
}

#[test]
fn a_short_cut_of_ours_takes_no_line_down_although_each_has_to_be_well_for_a_while() {
    for length in [4, 5, 6, 8, 11] {
        let mut fleet = Fleet::unrelated(1000);
        fleet.run(seconds(length), everybody);
        fleet.run(seconds(30), nobody);
        assert_eq!(0, fleet.fell.len(), "after {length} s");
        assert_eq!(1000, fleet.count(Health::Up), "after {length} s");
        // Lines of which nothing is known outlast a cut of less than five seconds by themselves.
        let told = fleet.told();
        assert!(
            length <= 5 && told.is_empty() || told.len() == 2 && told[1] == (false, "answered"),
            "{told:?} after {length} s"
        );
    }
}

#[test]
fn a_freeze_has_a_limit_and_what_it_held_is_let_go_evenly() {
    let mut fleet = Fleet::unrelated(1000);
    fleet.run(seconds(90), everybody);
    assert_eq!(vec![(true, "many_lines"), (false, "limit")], fleet.told());
    let (frozen, released) = (fleet.guard[0].0, fleet.guard[1].0);
    assert!((released - frozen).abs_diff(seconds(60)) < Duration::from_millis(300));
    assert_eq!(1000, fleet.guard[1].1.held);
    assert_eq!(1000, fleet.fell.len());
    let busiest = fleet
        .fell
        .iter()
        .map(|(at, _)| {
            let within = |other: &&(Timestamp, LineSlot)| {
                other.0 >= *at && other.0 < *at + Duration::from_millis(100)
            };
            fleet.fell.iter().filter(within).count()
        })
        .max();
    assert!(
        busiest <= Some(120),
        "{busiest:?} in 100 ms, 50 on the average"
    );
    let last = fleet.fell.iter().map(|(at, _)| *at).max().unwrap();
    assert!(
        last <= released + seconds(2) + TICK * 6,
        "{:?}",
        last - released
    );
}

#[test]
fn an_operator_freezes_and_releases() {
    let mut fleet = Fleet::unrelated(30);
    let now = fleet.stage.now();
    let shared = Arc::clone(&fleet.stage.shared);
    shared.tell_guard(shared.guard.freeze("ada", Duration::ZERO, now), now);
    assert_eq!(None, shared.guard.freeze("bob", Duration::ZERO, now));
    fleet.run(seconds(200), |slot| slot < 3);
    assert_eq!(0, fleet.fell.len(), "also a few are held");
    let now = fleet.stage.now();
    shared.tell_guard(shared.guard.release("ada", now), now);
    fleet.run(seconds(3), |slot| slot < 3);
    assert_eq!(3, fleet.fell.len());
    assert_eq!(vec![(true, "operator"), (false, "operator")], fleet.told());
    assert_eq!("ada", fleet.guard[1].1.by);
    assert_eq!(None, shared.guard.release("ada", now));
}

#[test]
fn a_region_falls_as_fast_as_ever() {
    let mut fleet = Fleet::of_regions(5000);
    let cut = fleet.stage.now();
    fleet.run(seconds(16), |slot| slot / 1000 == 3);
    assert!(fleet.told().is_empty(), "{:?}", fleet.told());
    assert_eq!(1000, fleet.count(Health::Down));
    let bound = worst_case_detection(&crate::worker::testing::profile("").verdict, Known::Fresh);
    let latest = fleet.fell.iter().map(|(at, _)| *at - cut).max().unwrap();
    assert!(latest <= bound + seconds(1) + TICK * 3, "{latest:?}");
}

#[test]
fn two_regions_fall_as_two_regions() {
    let mut fleet = Fleet::of_regions(5000);
    fleet.run(seconds(16), |slot| matches!(slot / 1000, 0 | 2));
    assert!(fleet.told().is_empty(), "{:?}", fleet.told());
    assert_eq!(2000, fleet.count(Health::Down));
}

#[test]
fn a_region_that_is_everything_has_no_witness() {
    let mut fleet = Fleet::new(1000, settings(1), |_| vec![region(0)]);
    fleet.run(seconds(20), everybody);
    assert_eq!(vec![(true, "many_lines")], fleet.told());
    assert_eq!(0, fleet.fell.len());
}

#[test]
fn our_uplink_is_no_fault_of_regions() {
    let mut fleet = Fleet::of_regions(3000);
    fleet.run(seconds(20), everybody);
    assert_eq!(vec![(true, "many_lines")], fleet.told());
    assert_eq!(0, fleet.fell.len());
}

#[test]
fn half_of_our_ways_out_is_ours_as_well() {
    // As when one of two links that traffic is spread over is gone: every group loses every other line.
    let mut fleet = Fleet::of_regions(3000);
    fleet.run(seconds(20), |slot| slot.is_multiple_of(2));
    assert_eq!(vec![(true, "many_lines")], fleet.told());
    assert_eq!(0, fleet.fell.len());
}

#[test]
fn a_site_falls_whose_lines_were_asked_all_at_once() {
    let sites = |slot: u32| vec![format!("access:{}", slot / 100)];
    let mut fleet = Fleet::new(1000, settings(1), sites);
    fleet.run(seconds(16), |slot| slot / 100 == 4);
    assert!(fleet.told().is_empty(), "{:?}", fleet.told());
    assert_eq!(100, fleet.count(Health::Down));
}

#[test]
fn a_system_of_a_few_lines_is_never_frozen() {
    let mut fleet = Fleet::unrelated(3);
    fleet.run(seconds(16), everybody);
    assert!(fleet.told().is_empty());
    assert_eq!(3, fleet.count(Health::Down));
}

#[test]
fn a_guard_that_is_switched_off_holds_nothing_and_lets_go_what_it_held() {
    let off = Settings {
        guard: GuardSettings {
            enabled: false,
            ..GuardSettings::default()
        },
        ..settings(2)
    };
    let mut fleet = Fleet::new(200, off.clone(), |_| Vec::new());
    fleet.run(seconds(16), everybody);
    assert_eq!(200, fleet.count(Health::Down));
    assert!(fleet.told().is_empty());

    let mut fleet = Fleet::unrelated(200);
    fleet.run(seconds(16), everybody);
    assert_eq!(0, fleet.fell.len());
    fleet.stage.reconfigure(off);
    fleet.run(seconds(4), everybody);
    assert_eq!(
        vec![(true, "many_lines"), (false, "disabled")],
        fleet.told()
    );
    assert_eq!(200, fleet.fell.len());
}

#[test]
fn what_a_phone_or_a_far_router_says_is_never_held() {
    let mut fleet = Fleet::unrelated(300);
    fleet.run(seconds(20), |slot| slot >= 10);
    assert!(fleet.stage.shared.guard.is_frozen());
    let view = fleet.stage.view();
    for slot in 0..10 {
        let address: SocketAddr = address_of(slot).parse().unwrap();
        let outcome = if slot < 5 {
            CallOutcome::Fault { code: 503 }
        } else {
            CallOutcome::Unreachable {
                kind: route_core::Unreachable::Port,
                by_target: true,
            }
        };
        for _ in 0..3 {
            let owner = crate::slots::owner(LineSlot(slot), 2);
            fleet.stage.cores[owner].on_call_outcome(LineSlot(slot), address, outcome, &view);
            fleet.run(seconds(1), |slot| slot >= 10);
        }
    }
    let fell: HashSet<u32> = fleet.fell.iter().map(|(_, line)| line.0).collect();
    assert!(fleet.stage.shared.guard.is_frozen());
    assert!(fell.iter().all(|slot| *slot < 10), "{fell:?}");
    assert!(!fell.is_empty());
}

#[test]
fn lines_that_are_gone_leave_nothing_behind() {
    let mut fleet = Fleet::of_regions(2000);
    fleet.stage.replace([]);
    let policy = fleet.stage.shared.policy.load();
    let shown = fleet
        .stage
        .shared
        .guard
        .shown(&policy.settings.guard, &fleet.stage.shared.clock);
    assert_eq!((0, 0, 0), (shown.lines, shown.troubled, shown.groups.len()));
}

#[test]
fn the_gauges_forget_what_is_over() {
    let figure = |fleet: &Fleet, name: &str| {
        let figures = fleet.stage.shared.guard.figures();
        figures.into_iter().find(|(own, _)| *own == name).unwrap().1
    };
    let mut fleet = Fleet::unrelated(40);
    fleet.run(seconds(16), |slot| slot == 7);
    assert_eq!(1, figure(&fleet, "guard_troubled"));
    fleet.run(seconds(40), |slot| slot == 7);
    assert_eq!(0, figure(&fleet, "guard_troubled"), "it fell long ago");
}

#[test]
fn a_line_that_was_held_and_asks_no_more_is_held_no_more() {
    let stage = Stage::new(settings(1));
    let (guard, settings, now) = (&stage.shared.guard, GuardSettings::default(), stage.now());
    guard.freeze("", seconds(1), now);
    guard.admit(LINE, now, &settings, now);
    assert_eq!(("guard_held", 1), guard.figures()[1]);
    // A call was answered: it has no need to fall.
    guard.tick(&settings, now + seconds(2));
    guard.tick(&settings, now + seconds(5));
    assert_eq!(("guard_held", 0), guard.figures()[1]);
    assert!(!guard.is_due(now + seconds(500)));
}

#[test]
fn when_our_own_stack_sends_nothing_the_guard_freezes_and_nobody_falls() {
    // A packet filter of ours says EPERM, a lost route ENETUNREACH; a full queue says ENOBUFS, and proves nothing at all.
    for (code, freezes) in [
        (libc::EPERM, true),
        (libc::ENETUNREACH, true),
        (libc::ENOBUFS, false),
    ] {
        let fault = SendFault::of(&std::io::Error::from_raw_os_error(code));
        let mut fleet = Fleet::new(40, settings(1), |_| Vec::new());
        for _ in 0..1_500 {
            fleet.stage.advance(Duration::from_millis(20));
            for probe in fleet.stage.sent() {
                let destination = probe.destination;
                fleet.stage.refuse(fault, destination, &probe.text);
            }
        }
        assert_eq!(freezes, fleet.stage.shared.guard.is_frozen(), "{code}");
        assert_eq!(40, fleet.count(Health::Up), "{code}");
        fleet.run(seconds(30), nobody);
        let expected: &[_] = if freezes {
            &[(true, "send_refused"), (false, "answered")]
        } else {
            &[]
        };
        assert_eq!(expected, fleet.told(), "{code}");
        assert!(fleet.fell.is_empty());
        assert_eq!(40, fleet.count(Health::Up), "{code}");
    }
}
