//! The picture of the target's rules, drawn from the table itself.
use alloc::string::String;
use core::fmt::Write as _;

use super::Health;
use super::target::{Event, next};

/// A Mermaid state diagram of [`super::TargetHealth`].
pub fn mermaid() -> String {
    let mut text = String::from("stateDiagram-v2\n    [*] --> unknown\n");
    for health in [Health::Unknown, Health::Up, Health::Suspect, Health::Down] {
        for (event, label) in [
            (Event::Good, "good answer"),
            (Event::Fault, "fault"),
            (Event::Fall, "enough faults in a row"),
            (Event::HoldDown, "503 with Retry-After"),
            (Event::Rise, "rise good in a row, hold over"),
        ] {
            let to = next(health, event);
            let plain = event == Event::Rise && health != Health::Down;
            if to != health && !plain {
                let _ = writeln!(text, "    {} --> {}: {label}", health.name(), to.name());
            }
        }
    }
    text
}
