//! Which lines are reached at an address: a line's targets, seen from where a packet comes from.
//!
//! Written by the lines' owners, read by every worker; a worker that looks at one address never waits for one that looks at
//! another. Never asked for a core peer's address.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use route_core::LineSlot;

use crate::slots::Target;

const SHARDS: usize = 64;

/// With more lines at one address it is that of an element in front of them, whose packets say nothing about any one line.
const SHARED_BY: usize = 64;

type Shard = RwLock<HashMap<SocketAddr, Lines>>;

/// Most addresses lead to one line.
enum Lines {
    One(LineSlot),
    Several(Vec<LineSlot>),
}

pub(crate) struct Addresses {
    shards: Box<[Shard]>,
    hasher: RandomState,
}

impl Addresses {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            hasher: RandomState::new(),
        }
    }

    fn shard(&self, address: SocketAddr) -> &Shard {
        &self.shards[self.hasher.hash_one(address) as usize % SHARDS]
    }

    /// The targets of `line` were `old` and are `new`.
    pub(crate) fn move_line(&self, line: LineSlot, old: &[Arc<Target>], new: &[Arc<Target>]) {
        let addresses = |targets: &[Arc<Target>]| {
            let mut all: Vec<SocketAddr> = targets.iter().map(|target| target.address).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let (old, new) = (addresses(old), addresses(new));
        for address in new.iter().filter(|address| !old.contains(address)) {
            self.add(*address, line);
        }
        for address in old.iter().filter(|address| !new.contains(address)) {
            self.remove(*address, line);
        }
    }

    /// `line` has a target at `address`. Once for all its targets there.
    fn add(&self, address: SocketAddr, line: LineSlot) {
        let mut shard = self
            .shard(address)
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        match shard.get_mut(&address) {
            None => {
                shard.insert(address, Lines::One(line));
            }
            Some(Lines::Several(lines)) => lines.push(line),
            Some(one) => {
                if let Lines::One(first) = *one {
                    *one = Lines::Several(vec![first, line]);
                }
            }
        }
    }

    /// The last target of `line` at `address` is gone.
    fn remove(&self, address: SocketAddr, line: LineSlot) {
        let mut shard = self
            .shard(address)
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let empty = match shard.get_mut(&address) {
            Some(Lines::One(only)) => *only == line,
            Some(Lines::Several(lines)) => {
                if let Some(place) = lines.iter().position(|own| *own == line) {
                    lines.swap_remove(place);
                }
                lines.is_empty()
            }
            None => false,
        };
        if empty {
            shard.remove(&address);
        }
    }

    /// Put the lines at `address` into `found`, none if more than [`SHARED_BY`] share it.
    pub(crate) fn lines_at(&self, address: SocketAddr, found: &mut Vec<LineSlot>) {
        found.clear();
        let shard = self
            .shard(address)
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        match shard.get(&address) {
            Some(Lines::One(line)) => found.push(*line),
            Some(Lines::Several(lines)) if lines.len() <= SHARED_BY => {
                found.extend_from_slice(lines);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_and_go() {
        let addresses = Addresses::new();
        let (here, there) = (
            SocketAddr::from(([192, 0, 2, 1], 5060)),
            SocketAddr::from(([192, 0, 2, 1], 5061)),
        );
        let lines = |address| {
            let mut found = vec![LineSlot(99)];
            addresses.lines_at(address, &mut found);
            found.sort_by_key(|line| line.0);
            found.iter().map(|line| line.0).collect::<Vec<_>>()
        };
        assert!(lines(here).is_empty());
        for line in 1..=3 {
            addresses.add(here, LineSlot(line));
        }
        assert_eq!((vec![1, 2, 3], vec![]), (lines(here), lines(there)));
        addresses.remove(here, LineSlot(1));
        addresses.remove(here, LineSlot(7));
        assert_eq!(vec![2, 3], lines(here));
        addresses.remove(here, LineSlot(3));
        addresses.remove(here, LineSlot(2));
        addresses.add(here, LineSlot(5));
        assert_eq!(vec![5], lines(here));
        for line in 100..100 + SHARED_BY as u32 {
            addresses.add(here, LineSlot(line));
        }
        assert!(lines(here).is_empty(), "nobody's in particular");
    }
}
