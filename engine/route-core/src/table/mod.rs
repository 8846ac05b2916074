//! The route table: an immutable snapshot of lines, rules and numbers, cheap to copy with a change.
mod check;
mod delta;
mod line;
mod rule;
mod sharded;
mod slots;

use alloc::sync::Arc;

pub use delta::{Delta, DeltaError};
pub use line::{
    Credential, DigestAlgorithm, Elsewhere, Line, LineKind, LineSlot, LineSpec, Peer, RequestUri,
};
pub use rule::{Rule, RuleSlot, RuleSpec, Target, TargetList, TargetSpec};

use crate::digits::Digits;
use sharded::{Record, Sharded};
use slots::Slots;

/// Number flag: the order is not yet, or no longer, live.
pub const NOT_LIVE: u32 = 1;

/// All flags a number may have.
pub const KNOWN_FLAGS: u32 = NOT_LIVE;

/// Highest slot: a rule shares its word with four flags.
const MAX_SLOT: u32 = (1 << 28) - 2;

const NO_RULE: u32 = MAX_SLOT + 1;

/// What is known of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where its calls go.
    pub line: LineSlot,
    /// The rule that applies, precedence settled.
    pub rule: Option<RuleSlot>,
    /// [`NOT_LIVE`] or 0.
    pub flags: u32,
}

/// Numbers that begin with `digits` and have `min_len` to `max_len` digits in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixEntry {
    /// The prefix.
    pub digits: Digits,
    /// Fewest digits.
    pub min_len: u8,
    /// Most digits.
    pub max_len: u8,
    /// What is known of them.
    pub entry: Entry,
}

/// What a number matched by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchedBy {
    /// Itself.
    Exact,
    /// Its longest prefix whose window its length fits.
    Prefix {
        /// The prefix.
        digits: Digits,
        /// Fewest digits.
        min_len: u8,
        /// Most digits.
        max_len: u8,
    },
}

/// The answer of [`RouteTable::find`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// What matched.
    pub by: MatchedBy,
    /// What is known.
    pub entry: Entry,
}

/// Sizes of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines.
    pub lines: usize,
    /// Rules.
    pub rules: usize,
    /// Whole numbers.
    pub exact: usize,
    /// Prefixes, each window counted.
    pub prefixes: usize,
    /// Memory, estimated from the sizes of what is allocated.
    pub bytes: usize,
}

#[derive(Clone, Copy, Default)]
struct Packed {
    line: u32,
    rule_flags: u32,
}

impl From<Entry> for Packed {
    fn from(entry: Entry) -> Self {
        Self {
            line: entry.line.0,
            rule_flags: entry.rule.map_or(NO_RULE, |rule| rule.0) | entry.flags << 28,
        }
    }
}

impl From<Packed> for Entry {
    #[inline]
    fn from(packed: Packed) -> Self {
        let rule = packed.rule_flags & ((1 << 28) - 1);
        Self {
            line: LineSlot(packed.line),
            rule: (rule != NO_RULE).then_some(RuleSlot(rule)),
            flags: packed.rule_flags >> 28,
        }
    }
}

#[derive(Clone, Copy, Default)]
struct ExactRecord {
    digits: Digits,
    entry: Packed,
}

#[derive(Clone, Copy, Default)]
struct PrefixRecord {
    digits: Digits,
    entry: Packed,
    min_len: u8,
    max_len: u8,
}

#[derive(Clone, Copy, Default)]
struct UserRecord {
    hash: u64,
    line: u32,
}

impl Record for ExactRecord {
    #[inline]
    fn key(&self) -> u64 {
        self.digits.to_bits()
    }
}

impl Record for PrefixRecord {
    #[inline]
    fn key(&self) -> u64 {
        self.digits.to_bits()
    }
}

impl Record for UserRecord {
    #[inline]
    fn key(&self) -> u64 {
        self.hash
    }
}

/// Lines, rules and numbers. A clone is a few counter increments; a change leaves all clones as they were.
#[derive(Clone)]
pub struct RouteTable {
    exact: Sharded<ExactRecord>,
    prefixes: Sharded<PrefixRecord>,
    /// How many prefixes there are of each length.
    lengths: [u32; 16],
    /// Bit `n`: there is a prefix of `n` digits.
    length_mask: u16,
    users: Sharded<UserRecord>,
    seed: u64,
    lines: Slots<Line>,
    rules: Slots<Rule>,
    heap: usize,
}

impl RouteTable {
    /// An empty table; `seed` is random, so that places in it cannot be guessed.
    pub fn new(seed: u64) -> Self {
        Self {
            exact: Sharded::new(seed),
            prefixes: Sharded::new(seed),
            lengths: [0; 16],
            length_mask: 0,
            users: Sharded::new(seed),
            seed,
            lines: Slots::new(),
            rules: Slots::new(),
            heap: 0,
        }
    }

    /// The entry of a number: its own, else that of its longest prefix whose length window fits. Of several windows of one
    /// prefix the narrowest wins, then the one of shorter numbers.
    #[inline]
    pub fn find(&self, called: Digits) -> Option<Match> {
        if let Some(record) = self.exact.find(called.to_bits()).next() {
            return Some(Match {
                by: MatchedBy::Exact,
                entry: record.entry.into(),
            });
        }
        let len = called.len() as u8;
        // Bits 1…len, the longest first.
        let mut lengths = self.length_mask & ((2_u32 << len) - 1) as u16;
        while lengths != 0 {
            let longest = lengths.ilog2();
            lengths ^= 1 << longest;
            let fits = self
                .prefixes
                .find(called.prefix(longest as usize).to_bits())
                .filter(|record| (record.min_len..=record.max_len).contains(&len))
                .min_by_key(|record| (record.max_len - record.min_len, record.min_len));
            if let Some(record) = fits {
                let by = MatchedBy::Prefix {
                    digits: record.digits,
                    min_len: record.min_len,
                    max_len: record.max_len,
                };
                return Some(Match {
                    by,
                    entry: record.entry.into(),
                });
            }
        }
        None
    }

    /// The line of a slot.
    #[inline]
    pub fn line(&self, slot: LineSlot) -> Option<&Arc<Line>> {
        self.lines.at(slot.0)
    }

    /// The rule of a slot.
    #[inline]
    pub fn rule(&self, slot: RuleSlot) -> Option<&Arc<Rule>> {
        self.rules.at(slot.0)
    }

    /// The line that a REGISTER for this user part is for.
    pub fn line_by_user(&self, user: &[u8]) -> Option<LineSlot> {
        let named = |record: &&UserRecord| {
            self.lines
                .at(record.line)
                .is_some_and(|line| line.users.iter().any(|own| **own == *user))
        };
        self.users
            .find(self.hash_user(user))
            .find(named)
            .map(|record| LineSlot(record.line))
    }

    /// All lines, by slot.
    pub fn lines(&self) -> impl Iterator<Item = &Arc<Line>> {
        self.lines.iter().map(|(_, line)| line)
    }

    /// All rules, by slot.
    pub fn rules(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.rules.iter().map(|(_, rule)| rule)
    }

    /// All whole numbers, in no particular order.
    pub fn exact(&self) -> impl Iterator<Item = (Digits, Entry)> {
        self.exact
            .iter()
            .map(|record| (record.digits, record.entry.into()))
    }

    /// All prefixes, in no particular order.
    pub fn prefixes(&self) -> impl Iterator<Item = PrefixEntry> {
        self.prefixes.iter().map(|record| PrefixEntry {
            digits: record.digits,
            min_len: record.min_len,
            max_len: record.max_len,
            entry: record.entry.into(),
        })
    }

    /// Sizes.
    pub fn counts(&self) -> Counts {
        let shared = [
            self.exact.bytes(),
            self.prefixes.bytes(),
            self.users.bytes(),
            self.lines.bytes(),
            self.rules.bytes(),
        ];
        Counts {
            lines: self.lines.len(),
            rules: self.rules.len(),
            exact: self.exact.len(),
            prefixes: self.prefixes.len(),
            bytes: self.heap + shared.iter().sum::<usize>(),
        }
    }

    /// A copy with the delta applied; this table stays as it is.
    pub fn apply(&self, delta: Delta) -> Result<Self, DeltaError> {
        let mut table = self.clone();
        table.load(delta)?;
        Ok(table)
    }

    /// Apply the delta here: in place where nobody shares the memory, so this is the way to load many numbers. On error the
    /// table is unchanged.
    pub fn load(&mut self, delta: Delta) -> Result<(), DeltaError> {
        check::check(self, &delta)?;
        for slot in delta.lines_removed {
            self.put_line(slot, None);
        }
        for slot in delta.rules_removed {
            self.put_rule(slot, None);
        }
        for digits in delta.exact_removed {
            self.exact.remove(digits.to_bits(), |_| true);
        }
        for digits in delta.prefixes_removed {
            while self.prefixes.remove(digits.to_bits(), |_| true).is_some() {
                self.count_length(digits, false);
            }
        }
        for line in delta.lines {
            self.put_line(line.slot, Some(line));
        }
        for rule in delta.rules {
            self.put_rule(rule.slot, Some(rule));
        }
        for (digits, entry) in delta.exact {
            self.exact.upsert(
                ExactRecord {
                    digits,
                    entry: entry.into(),
                },
                |_| true,
            );
        }
        for PrefixEntry {
            digits,
            min_len,
            max_len,
            entry,
        } in delta.prefixes
        {
            let record = PrefixRecord {
                digits,
                entry: entry.into(),
                min_len,
                max_len,
            };
            if self
                .prefixes
                .upsert(record, |old| {
                    (old.min_len, old.max_len) == (min_len, max_len)
                })
                .is_none()
            {
                self.count_length(digits, true);
            }
        }
        Ok(())
    }

    fn put_line(&mut self, slot: LineSlot, line: Option<Line>) {
        if let Some(old) = self.lines.set(slot.0, None) {
            self.heap -= old.bytes();
            for user in &old.users {
                self.users
                    .remove(self.hash_user(user), |record| record.line == slot.0);
            }
        }
        let Some(line) = line else { return };
        self.heap += line.bytes();
        for user in &line.users {
            let record = UserRecord {
                hash: self.hash_user(user),
                line: slot.0,
            };
            self.users.upsert(record, |old| old.line == slot.0);
        }
        self.lines.set(slot.0, Some(Arc::new(line)));
    }

    fn put_rule(&mut self, slot: RuleSlot, rule: Option<Rule>) {
        self.heap += rule.as_ref().map_or(0, Rule::bytes);
        if let Some(old) = self.rules.set(slot.0, rule.map(Arc::new)) {
            self.heap -= old.bytes();
        }
    }

    fn count_length(&mut self, digits: Digits, more: bool) {
        let count = &mut self.lengths[digits.len()];
        *count = if more { *count + 1 } else { *count - 1 };
        let bit = 1 << digits.len();
        self.length_mask = if *count == 0 {
            self.length_mask & !bit
        } else {
            self.length_mask | bit
        };
    }

    /// Eight bytes at a time, multiply and fold; never zero.
    fn hash_user(&self, user: &[u8]) -> u64 {
        let mut hash = self.seed ^ user.len() as u64;
        for chunk in user.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let product =
                u128::from(hash ^ u64::from_le_bytes(word)) * u128::from(0xd6e8_feb8_6659_fd93_u64);
            hash = (product >> 64) as u64 ^ product as u64;
        }
        hash | 1
    }
}

impl core::fmt::Debug for RouteTable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.counts().fmt(f)
    }
}
