//! The name of a call on the wire. Everything about a call follows from it, so a late answer can be judged without memory.

/// Hex digits of a token: run (8), slot (4), sequence (10).
pub(crate) const TOKEN: usize = 22;
/// RFC 3261 §8.1.1.7
pub(crate) const COOKIE: &[u8] = b"z9hG4bK";

/// One call: where it is kept (`slot`), which one it is (`seq`), and how far it is (`stage`, one transaction each).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Call {
    pub(crate) slot: usize,
    pub(crate) seq: u64,
    pub(crate) stage: u8,
}

/// Tokens of one run; two runs never share one, so that packets of a run before are not taken for ours.
#[derive(Clone, Copy)]
pub(crate) struct Naming {
    pub(crate) run: u32,
}

impl Naming {
    pub(crate) fn new() -> Self {
        let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self { run: clock.subsec_nanos() ^ (clock.as_secs() as u32).rotate_left(16) ^ std::process::id().rotate_left(8) }
    }

    pub(crate) fn token(self, call: Call) -> [u8; TOKEN] {
        let mut token = [0; TOKEN];
        hex(u64::from(self.run), &mut token[..8]);
        hex(call.slot as u64, &mut token[8..12]);
        hex(call.seq, &mut token[12..]);
        token
    }

    /// The call named by a Via branch `z9hG4bK` token stage; `None` when it is not one of this run.
    pub(crate) fn call(self, branch: &[u8]) -> Option<Call> {
        let name = branch.strip_prefix(COOKIE)?;
        if name.len() != TOKEN + 1 || unhex(&name[..8])? != u64::from(self.run) {
            return None;
        }
        Some(Call {
            slot: unhex(&name[8..12])? as usize,
            seq: unhex(&name[12..TOKEN])?,
            stage: name[TOKEN].checked_sub(b'0').filter(|stage| *stage < 10)?,
        })
    }
}

fn hex(mut value: u64, out: &mut [u8]) {
    for place in out.iter_mut().rev() {
        *place = b"0123456789abcdef"[(value & 15) as usize];
        value >>= 4;
    }
}

fn unhex(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0, |value, byte| match byte {
        b'0'..=b'9' => Some(value << 4 | u64::from(byte - b'0')),
        b'a'..=b'f' => Some(value << 4 | u64::from(byte - b'a' + 10)),
        _ => None,
    })
}

/// The called numbers: `first`, `first + 1`, …, `count` of them, all of `digits` digits.
#[derive(Clone, Copy)]
pub(crate) struct Range {
    first: u64,
    count: u64,
    pub(crate) digits: usize,
}

impl Range {
    pub(crate) fn new(first: &str, count: u64) -> Result<Self, String> {
        let text = first.strip_prefix('+').unwrap_or(first);
        let value: u64 = text.parse().map_err(|_| format!("--first {first}: not a number"))?;
        let last = value.saturating_add(count.saturating_sub(1));
        if count == 0 || last.to_string().len() != text.len() || text.starts_with('0') {
            return Err(format!("--first {first} --numbers {count}: all numbers must have the same length"));
        }
        Ok(Self { first: value, count, digits: text.len() })
    }

    /// The number of the call `seq`, spread over the range without pattern (the mixer of `SplitMix64`).
    pub(crate) fn drawn(&self, seq: u64) -> u64 {
        let mut z = seq.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.first + (z ^ (z >> 31)) % self.count
    }

    /// The number of the call `seq`, one after the other, from the start again after the last.
    pub(crate) fn in_turn(&self, seq: u64) -> u64 {
        self.first + seq % self.count
    }

    /// How often `in_turn` went through the range before `seq`.
    pub(crate) fn lap(&self, seq: u64) -> u64 {
        seq / self.count
    }
}

/// Write `value` with exactly `out.len()` digits.
pub(crate) fn decimal(mut value: u64, out: &mut [u8]) {
    for place in out.iter_mut().rev() {
        *place = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_names_its_call() {
        let naming = Naming { run: 0xdead_beef };
        let call = Call { slot: 0x3ff, seq: 0x12_3456_789a, stage: 2 };
        let mut branch = COOKIE.to_vec();
        branch.extend_from_slice(&naming.token(call));
        branch.push(b'2');
        assert_eq!(Some(call), naming.call(&branch));
        assert_eq!(None, Naming { run: 1 }.call(&branch));
        assert_eq!(None, naming.call(&branch[..branch.len() - 1]));
    }

    #[test]
    fn numbers_stay_in_the_range() {
        let range = Range::new("+493021000000", 7).expect("range");
        let drawn: std::collections::BTreeSet<u64> = (0..1000).map(|seq| range.drawn(seq)).collect();
        assert_eq!((493_021_000_000..493_021_000_007).collect::<std::collections::BTreeSet<u64>>(), drawn);
        assert!(Range::new("+999", 2).is_err());
    }
}
