//! Where the last requests of a worker went: for ICMP errors that quote nothing but addresses (RFC 792 asks for 8 octets only).

use std::net::{IpAddr, SocketAddr};

/// Sends remembered: more than a second's at 4,000 a second, and what ICMP reports is a round trip old. 64 KB.
const REMEMBERED: usize = 4_096;

/// A ring of sends, newest last.
pub(crate) struct Recent<T> {
    ring: Vec<(u64, T)>,
    next: usize,
}

impl<T: Copy + PartialEq> Recent<T> {
    pub(crate) const fn new() -> Self {
        Self {
            ring: Vec::new(),
            next: 0,
        }
    }

    pub(crate) fn note(&mut self, destination: SocketAddr, id: T) {
        let entry = (hash(destination), id);
        if self.ring.len() < REMEMBERED {
            self.ring.push(entry);
        } else {
            self.ring[self.next] = entry;
        }
        self.next = (self.next + 1) % REMEMBERED;
    }

    /// What was sent there, each once. Hashes are compared: the caller looks whether it is true.
    pub(crate) fn to(&self, destination: SocketAddr) -> Vec<T> {
        let wanted = hash(destination);
        let mut found = Vec::new();
        for (_, id) in self.ring.iter().filter(|(hash, _)| *hash == wanted) {
            if !found.contains(id) {
                found.push(*id);
            }
        }
        found
    }
}

fn hash(address: SocketAddr) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let (high, low) = match address.ip() {
        IpAddr::V4(ip) => (4, u64::from(u32::from(ip))),
        IpAddr::V6(ip) => ((u128::from(ip) >> 64) as u64, u128::from(ip) as u64),
    };
    [low, u64::from(address.port())]
        .into_iter()
        .fold(high, |hash, word| {
            (hash ^ word).wrapping_mul(FACTOR).rotate_left(29)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_found_by_their_destination() {
        let to = |port: u16| SocketAddr::from(([192, 0, 2, 1], port));
        let mut recent = Recent::new();
        for id in 0..10_000_u32 {
            recent.note(to((id % 100) as u16), id);
        }
        recent.note(to(7), 9_907);
        let found = recent.to(to(7));
        assert!(found.contains(&9_907) && !found.contains(&5_807));
        assert_eq!(41, found.len(), "each once");
        assert!(recent.to(to(100)).is_empty());
    }
}
