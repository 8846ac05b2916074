//! The branch of requests that we send: `z9hG4bK`, two hex digits of the worker, four of the process's life, 20 that nobody can guess.
//!
//! A response finds its worker by the two digits, without a shared table; the four tell whether its request is from before a restart.
//! The rest is a keyed hash of a random number drawn at start and a counter: unique as RFC 3261 §8.1.1.7 wants, also across restarts and nodes, and a forger who does not see
//! our packets cannot answer for the peer.

use super::key::{HashKey, MAGIC_COOKIE};
use crate::digest::hex;

/// Octets of a branch of ours.
pub const LENGTH: usize = 33;

const WORKER: usize = MAGIC_COOKIE.len();
const LIFE: usize = WORKER + 2;
const UNIQUE: usize = LIFE + 4;

/// Makes the branches of one worker.
#[derive(Clone, Debug)]
pub struct Branches {
    key: HashKey,
    worker: u8,
    start: u64,
    counter: u64,
}

impl Branches {
    /// `start` is random and drawn anew at each start of the process.
    pub fn new(key: HashKey, worker: u8, start: u64) -> Self {
        Self {
            key,
            worker,
            start,
            counter: 0,
        }
    }

    /// Whether a branch of ours was made in another life of the process.
    pub fn is_foreign(&self, branch: &[u8]) -> bool {
        branch.get(LIFE..UNIQUE) != Some(&life(&self.key, self.start)[..])
    }

    /// A branch that was not used before.
    pub fn next_branch(&mut self) -> [u8; LENGTH] {
        self.counter = self.counter.wrapping_add(1);
        branch(&self.key, self.worker, self.start, self.counter)
    }
}

/// The branch number `counter` of `worker`, in the life of the process that drew `start`.
pub fn branch(key: &HashKey, worker: u8, start: u64, counter: u64) -> [u8; LENGTH] {
    let unique = key
        .digest(&[&[worker], &start.to_le_bytes(), &counter.to_le_bytes()])
        .to_be_bytes();
    let mut branch = [0; LENGTH];
    branch[..WORKER].copy_from_slice(MAGIC_COOKIE);
    hex::encode(&[worker], &mut branch[WORKER..LIFE]);
    branch[LIFE..UNIQUE].copy_from_slice(&life(key, start));
    hex::encode(&unique[..(LENGTH - UNIQUE) / 2], &mut branch[UNIQUE..]);
    branch
}

/// Four hex digits that one life of the process has.
fn life(key: &HashKey, start: u64) -> [u8; UNIQUE - LIFE] {
    let mut digits = [0; UNIQUE - LIFE];
    let digest = key.digest(&[b"life", &start.to_le_bytes()]).to_be_bytes();
    hex::encode(&digest[..(UNIQUE - LIFE) / 2], &mut digits);
    digits
}

/// The worker that a branch of ours names; `None` for anything that we cannot have made.
///
/// A peer may invent one, so the caller checks that such a worker exists; the worst is a look-up that finds nothing.
pub fn worker_of(branch: &[u8]) -> Option<u8> {
    if branch.len() != LENGTH
        || !branch.starts_with(MAGIC_COOKIE)
        || !branch[LIFE..].iter().all(u8::is_ascii_hexdigit)
    {
        return None;
    }
    hex::decode_octet(branch[WORKER], branch[WORKER + 1])
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn worker_is_read_back() {
        for worker in 0..=u8::MAX {
            let mut branches = Branches::new(HashKey::new([1; 16]), worker, 99);
            assert_eq!(Some(worker), worker_of(&branches.next_branch()));
        }
    }

    #[test]
    fn branches_differ_by_counter_worker_start_and_key() {
        let mut seen = BTreeSet::new();
        for (key, worker, start) in [(1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1)] {
            let mut branches = Branches::new(HashKey::new([key; 16]), worker, start);
            for _ in 0..100 {
                let branch = branches.next_branch();
                assert!(crate::transaction::key::is_rfc3261_branch(&branch));
                assert!(seen.insert(branch[UNIQUE..].to_vec()), "repeated");
            }
        }
    }

    #[test]
    fn foreign_branches_name_no_worker() {
        for foreign in [
            &b""[..],
            b"z9hG4bK",
            b"z9hG4bK00",
            b"z9hG4bK00aaaaaaaaaaaaaaaaaaaaaaa",
            b"z9hG4bK00aaaaaaaaaaaaaaaaaaaaaaaaa",
            b"z9hG4bKg0aaaaaaaaaaaaaaaaaaaaaaaa",
            b"z9hG4bK00aaaaaaaaaaaaaaaaaaaaaaa-",
            b"Z9hG4bK00aaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert_eq!(None, worker_of(foreign), "{foreign:?}");
        }
        assert_eq!(Some(0), worker_of(b"z9hG4bK00aaaaaaaaaaaaaaaaaaaaaaaa"));
    }
}
