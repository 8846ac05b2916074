//! What the box is told and answers: words in, JSON out.

use crate::lane::Lane;
use crate::random::Random;

/// A wire and its two directions.
#[derive(Debug)]
pub(crate) struct Wire {
    /// How it is named in commands.
    pub(crate) name: String,
    /// From the first port to the second, and back.
    pub(crate) lanes: [Lane; 2],
}

const DIRECTIONS: [&str; 2] = ["down", "up"];

impl Wire {
    /// Wire number `index` of a box with `seed`.
    pub(crate) fn new(name: &str, seed: u64, index: usize) -> Self {
        let lane = |direction| Lane::new(lane_seed(seed, index, direction));
        Self {
            name: name.to_owned(),
            lanes: [lane(0), lane(1)],
        }
    }
}

/// Do what a line says and return the answer, a line of JSON without its end.
pub(crate) fn obey(line: &str, wires: &mut [Wire]) -> String {
    match run(line, wires) {
        Ok(answer) => answer,
        Err(error) => format!("{{\"error\": \"{}\"}}", error.replace(['"', '\\'], "'")),
    }
}

fn run(command: &str, wires: &mut [Wire]) -> Result<String, String> {
    let mut words = command.split_ascii_whitespace();
    match words.next() {
        Some("set") => {
            let name = words.next().ok_or("which wire?")?;
            let wire = wires
                .iter_mut()
                .find(|wire| wire.name == name)
                .ok_or_else(|| format!("there is no wire {name}"))?;
            let direction = words
                .next()
                .and_then(|word| DIRECTIONS.iter().position(|direction| *direction == word));
            let lane = &mut wire.lanes[direction.ok_or("a direction is down or up")?];
            let mut settings = lane.settings.clone();
            for word in words {
                let (name, value) = word
                    .split_once('=')
                    .ok_or_else(|| format!("{word} is not NAME=VALUE"))?;
                settings.set(
                    name,
                    value.parse().map_err(|_| format!("{value} is no number"))?,
                )?;
            }
            lane.settings = settings;
            Ok("{}".to_owned())
        }
        Some("seed") => {
            let seed = words
                .next()
                .and_then(|word| word.parse().ok())
                .ok_or("a seed is a whole number")?;
            for (index, wire) in wires.iter_mut().enumerate() {
                for (direction, lane) in wire.lanes.iter_mut().enumerate() {
                    lane.reseed(lane_seed(seed, index, direction));
                }
            }
            Ok("{}".to_owned())
        }
        Some("stats") => Ok(stats(wires)),
        _ => Err("set, seed or stats".to_owned()),
    }
}

fn lane_seed(seed: u64, wire: usize, direction: usize) -> u64 {
    Random::lane_seed(seed, (2 * wire + direction) as u64)
}

fn stats(wires: &[Wire]) -> String {
    let each = wires.iter().map(|wire| {
        let ways = DIRECTIONS.iter().zip(&wire.lanes);
        let ways: Vec<_> = ways
            .map(|(way, lane)| format!("\"{way}\": {{{}}}", counts(lane)))
            .collect();
        format!("\"{}\": {{{}}}", wire.name, ways.join(", "))
    });
    format!("{{{}}}", each.collect::<Vec<_>>().join(", "))
}

fn counts(lane: &Lane) -> String {
    let counts = &lane.counts;
    let all = [
        ("received", counts.received),
        ("other", counts.other),
        ("lost", counts.lost),
        ("overflowed", counts.overflowed),
        ("duplicated", counts.duplicated),
        ("reordered", counts.reordered),
        ("corrupted", counts.corrupted),
        ("sent", counts.sent),
        ("refused", counts.refused),
        ("oversize", counts.oversize),
        ("missed", counts.missed),
        ("late", counts.late),
        ("latest_us", counts.latest_ns / 1000),
        ("waiting", lane.waiting() as u64),
    ];
    all.map(|(name, count)| format!("\"{name}\": {count}"))
        .join(", ")
}
