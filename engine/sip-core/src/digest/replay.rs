//! The nonce counts that were used, so that captured credentials cannot be sent again (RFC 7616 §3.4, `nc`).

use alloc::collections::BTreeMap;

use super::nonce::Nonce;

/// What a nonce count is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceCount {
    /// Higher than all before: recorded.
    Fresh,
    /// Used before, or below one that was.
    Replayed,
    /// This nonce was forgotten to make room, so nobody can tell; to be treated as stale.
    Forgotten,
}

/// The last nonce count of each nonce, for a bounded number of nonces. Nodes do not share it.
///
/// When it is full the oldest nonce is forgotten, and with it all older ones, known or not: nothing replayed slips through,
/// the price is one more challenge. Only counts of verified credentials are recorded, so strangers cannot fill it. A
/// retransmission of a request is no replay; the transaction layer keeps it away from here.
#[derive(Clone, Debug)]
pub struct ReplayWindow {
    last: BTreeMap<Nonce, u32>,
    /// The youngest nonce that was forgotten; it and all older ones are not taken any more.
    forgotten: Option<Nonce>,
    capacity: usize,
}

impl ReplayWindow {
    /// Room for `capacity` nonces, at least one; some 30 octets each.
    pub const fn new(capacity: usize) -> Self {
        Self {
            last: BTreeMap::new(),
            forgotten: None,
            capacity: if capacity == 0 { 1 } else { capacity },
        }
    }

    /// Records `nc` of `nonce` if it is fresh. To be called only for credentials that were verified.
    ///
    /// Counts must rise but may leave gaps: a request with the count between was perhaps lost.
    pub fn record(&mut self, nonce: Nonce, nc: u32) -> NonceCount {
        if let Some(last) = self.last.get_mut(&nonce) {
            if nc <= *last {
                return NonceCount::Replayed;
            }
            *last = nc;
            return NonceCount::Fresh;
        }
        if self.forgotten.is_some_and(|forgotten| nonce <= forgotten) {
            return NonceCount::Forgotten;
        }
        self.last.insert(nonce, nc);
        if self.last.len() > self.capacity
            && let Some((oldest, _)) = self.last.pop_first()
        {
            self.forgotten = Some(oldest);
        }
        NonceCount::Fresh
    }

    /// Forgets nonces issued before `unix_s`, when they are stale anyway. Cheap enough for every second.
    pub fn expire_before(&mut self, unix_s: u32) {
        while let Some(oldest) = self.last.first_entry()
            && oldest.key().issued_s < unix_s
        {
            self.forgotten = Some(*oldest.key());
            oldest.remove();
        }
    }

    /// How many nonces are remembered.
    pub fn len(&self) -> usize {
        self.last.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.last.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce(issued_s: u32, salt: u64) -> Nonce {
        Nonce { issued_s, salt }
    }

    #[test]
    fn counts_rise() {
        let mut window = ReplayWindow::new(10);
        for (nc, expected) in [
            (1, NonceCount::Fresh),
            (1, NonceCount::Replayed),
            (2, NonceCount::Fresh),
            (9, NonceCount::Fresh),
            (5, NonceCount::Replayed),
            (u32::MAX, NonceCount::Fresh),
            (u32::MAX, NonceCount::Replayed),
        ] {
            assert_eq!(expected, window.record(nonce(1, 1), nc), "nc {nc}");
        }
        assert_eq!(
            NonceCount::Fresh,
            window.record(nonce(1, 2), 1),
            "each nonce counts for itself"
        );
    }

    #[test]
    fn a_full_window_forgets_safely() {
        let mut window = ReplayWindow::new(3);
        for issued_s in 1..=5 {
            assert_eq!(NonceCount::Fresh, window.record(nonce(issued_s, 0), 1));
        }
        assert_eq!(3, window.len());
        assert_eq!(
            NonceCount::Forgotten,
            window.record(nonce(1, 0), 1),
            "a replay after eviction"
        );
        assert_eq!(NonceCount::Forgotten, window.record(nonce(2, 0), 2));
        assert_eq!(NonceCount::Replayed, window.record(nonce(3, 0), 1));
        assert_eq!(NonceCount::Fresh, window.record(nonce(5, 0), 2));
    }

    #[test]
    fn old_nonces_expire() {
        let mut window = ReplayWindow::new(100);
        for issued_s in 0..50 {
            window.record(nonce(issued_s, 3), 1);
        }
        window.expire_before(40);
        assert_eq!(10, window.len());
        assert_eq!(NonceCount::Forgotten, window.record(nonce(39, 3), 2));
        assert_eq!(NonceCount::Fresh, window.record(nonce(40, 3), 2));
    }
}
