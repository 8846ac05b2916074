//! A hash table that is cheap to copy with a change: 4096 shards behind shared pointers.
//!
//! A copy shares all shards; a change copies the one shard it touches and the path to it, a few kilobytes at a million
//! numbers, and nothing at all while nobody else holds the table. Within a shard: open addressing with linear probing,
//! one allocation, at most three quarters full, grown by an eighth, so ten million numbers need 22 to 24 bytes each.
//! A key may have several records (length windows of one prefix, users whose hash collides).
use alloc::sync::Arc;

const FAN: usize = 64;
const FAN_BITS: u32 = 6;

/// What a [`Sharded`] holds; all zeros is no record.
pub(super) trait Record: Copy + Default {
    /// The key, zero for no record.
    fn key(&self) -> u64;
}

#[derive(Clone)]
struct Shard<R> {
    records: Arc<[R]>,
    used: u32,
}

type Node<R> = Arc<[Shard<R>]>;

/// The table; a clone shares everything.
#[derive(Clone)]
pub(super) struct Sharded<R> {
    nodes: Arc<[Node<R>]>,
    hasher: Hasher,
    len: usize,
    capacity: usize,
}

#[derive(Clone, Copy)]
struct Hasher {
    seed: u64,
}

impl Hasher {
    /// Multiply and fold: one multiplication spreads each digit over all bits, the seed keeps places from being guessed.
    #[inline]
    fn place(self, key: u64) -> Place {
        let product = u128::from(key ^ self.seed) * u128::from(0x9e37_79b9_7f4a_7c15_u64);
        let hash = (product >> 64) as u64 ^ product as u64;
        Place {
            node: (hash >> (64 - FAN_BITS)) as usize,
            shard: (hash >> (64 - 2 * FAN_BITS)) as usize % FAN,
            rest: (hash >> 8) as u32,
        }
    }
}

/// Where a key lives: node, shard in it, and the hash bits that choose its place there.
#[derive(Clone, Copy)]
struct Place {
    node: usize,
    shard: usize,
    rest: u32,
}

impl<R: Record> Sharded<R> {
    pub(super) fn new(seed: u64) -> Self {
        let shard = Shard {
            records: Arc::from([]),
            used: 0,
        };
        let node: Node<R> = core::iter::repeat_n(shard, FAN).collect();
        Self {
            nodes: core::iter::repeat_n(node, FAN).collect(),
            hasher: Hasher { seed },
            len: 0,
            capacity: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn bytes(&self) -> usize {
        self.capacity * size_of::<R>()
            + FAN * FAN * (size_of::<Shard<R>>() + 16)
            + FAN * (size_of::<Node<R>>() + 16)
    }

    /// All records of `key`, in no particular order.
    #[inline]
    pub(super) fn find(&self, key: u64) -> impl Iterator<Item = &R> {
        let place = self.hasher.place(key);
        let records: &[R] = self
            .nodes
            .get(place.node)
            .and_then(|node| node.get(place.shard))
            .map_or(&[], |shard| &shard.records);
        let home = home(place.rest, records.len());
        let (wrapped, first) = records.split_at(home);
        first
            .iter()
            .chain(wrapped)
            .take_while(|record| record.key() != 0)
            .filter(move |record| record.key() == key)
    }

    /// Put `record` in the place of the first one of its key that `same` accepts, or beside them. Returns what it replaced.
    pub(super) fn upsert(&mut self, record: R, same: impl Fn(&R) -> bool) -> Option<R> {
        let hasher = self.hasher;
        let place = hasher.place(record.key());
        let shard =
            &mut Arc::make_mut(&mut Arc::make_mut(&mut self.nodes)[place.node])[place.shard];
        if (shard.used as usize + 1) * 4 > shard.records.len() * 3 {
            let larger = (shard.records.len() * 9 / 8).max(shard.records.len() + 4);
            self.capacity += larger - shard.records.len();
            let old = core::mem::replace(
                &mut shard.records,
                core::iter::repeat_n(R::default(), larger).collect(),
            );
            // Nobody else can hold what was just made: `make_mut` copies nothing.
            let records = Arc::make_mut(&mut shard.records);
            for record in old.iter().filter(|record| record.key() != 0) {
                insert(records, hasher.place(record.key()).rest, *record);
            }
        }
        let records = Arc::make_mut(&mut shard.records);
        let mut at = home(place.rest, records.len());
        while records[at].key() != 0 {
            if records[at].key() == record.key() && same(&records[at]) {
                return Some(core::mem::replace(&mut records[at], record));
            }
            at = (at + 1) % records.len();
        }
        records[at] = record;
        shard.used += 1;
        self.len += 1;
        None
    }

    /// Take out the first record of `key` that `which` accepts.
    pub(super) fn remove(&mut self, key: u64, which: impl Fn(&R) -> bool) -> Option<R> {
        let found = *self.find(key).find(|record| which(record))?;
        let place = self.hasher.place(key);
        let hasher = self.hasher;
        let shard =
            &mut Arc::make_mut(&mut Arc::make_mut(&mut self.nodes)[place.node])[place.shard];
        let records = Arc::make_mut(&mut shard.records);
        let mut hole = home(place.rest, records.len());
        while records[hole].key() != key || !which(&records[hole]) {
            hole = (hole + 1) % records.len();
        }
        // Close the gap (Knuth, TAOCP 6.4, Algorithm R): move back each record that may stand in the hole.
        let mut at = hole;
        loop {
            at = (at + 1) % records.len();
            if records[at].key() == 0 {
                break;
            }
            let wanted = home(hasher.place(records[at].key()).rest, records.len());
            let distance = |from: usize, to: usize| (to + records.len() - from) % records.len();
            if distance(wanted, at) >= distance(hole, at) {
                records[hole] = records[at];
                hole = at;
            }
        }
        records[hole] = R::default();
        shard.used -= 1;
        self.len -= 1;
        Some(found)
    }

    /// All records.
    pub(super) fn iter(&self) -> impl Iterator<Item = &R> {
        self.nodes
            .iter()
            .flat_map(|node| node.iter())
            .flat_map(|shard| shard.records.iter())
            .filter(|record| record.key() != 0)
    }
}

/// A number below `len` from 32 hash bits, without division.
#[inline]
fn home(rest: u32, len: usize) -> usize {
    ((u64::from(rest) * len as u64) >> 32) as usize
}

fn insert<R: Record>(records: &mut [R], rest: u32, record: R) {
    let mut at = home(rest, records.len());
    while records[at].key() != 0 {
        at = (at + 1) % records.len();
    }
    records[at] = record;
}
