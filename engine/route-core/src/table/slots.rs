//! Lines and rules by slot: a radix tree of shared nodes, so that a copy with one change costs three small nodes.
use alloc::sync::Arc;
use alloc::vec::Vec;

const FAN: usize = 64;

type Leaf<T> = Arc<[Option<Arc<T>>]>;
type Node<T> = Arc<[Option<Leaf<T>>]>;

/// Values by small integer; a clone shares everything.
pub(super) struct Slots<T> {
    top: Arc<Vec<Option<Node<T>>>>,
    len: usize,
}

impl<T> Clone for Slots<T> {
    fn clone(&self) -> Self {
        Self {
            top: Arc::clone(&self.top),
            len: self.len,
        }
    }
}

impl<T> Slots<T> {
    pub(super) fn new() -> Self {
        Self {
            top: Arc::new(Vec::new()),
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn bytes(&self) -> usize {
        let leaves: usize = self
            .top
            .iter()
            .flatten()
            .map(|node| node.iter().flatten().count())
            .sum();
        let pointers =
            self.top.len() + (self.top.iter().flatten().count() + leaves * 2) * (FAN + 2);
        pointers * size_of::<usize>()
    }

    #[inline]
    pub(super) fn at(&self, slot: u32) -> Option<&Arc<T>> {
        let slot = slot as usize;
        let leaf = self
            .top
            .get(slot / (FAN * FAN))?
            .as_ref()?
            .get(slot / FAN % FAN)?
            .as_ref()?;
        leaf.get(slot % FAN)?.as_ref()
    }

    /// Put or take a value; returns what was there.
    pub(super) fn set(&mut self, slot: u32, value: Option<Arc<T>>) -> Option<Arc<T>> {
        if value.is_none() && self.at(slot).is_none() {
            return None;
        }
        let slot = slot as usize;
        let top = Arc::make_mut(&mut self.top);
        if top.len() <= slot / (FAN * FAN) {
            top.resize(slot / (FAN * FAN) + 1, None);
        }
        let node = top[slot / (FAN * FAN)]
            .get_or_insert_with(|| core::iter::repeat_n(None, FAN).collect());
        let leaf = Arc::make_mut(node)[slot / FAN % FAN]
            .get_or_insert_with(|| core::iter::repeat_n(None, FAN).collect());
        let adds = usize::from(value.is_some());
        let old = core::mem::replace(&mut Arc::make_mut(leaf)[slot % FAN], value);
        self.len = self.len + adds - usize::from(old.is_some());
        old
    }

    /// All values with their slots, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Arc<T>)> {
        self.top
            .iter()
            .enumerate()
            .filter_map(|(at, node)| Some((at, node.as_ref()?)))
            .flat_map(|(at, node)| {
                let leaves = node
                    .iter()
                    .enumerate()
                    .filter_map(move |(below, leaf)| Some((at * FAN + below, leaf.as_ref()?)));
                leaves.flat_map(|(at, leaf)| {
                    leaf.iter().enumerate().filter_map(move |(below, value)| {
                        Some(((at * FAN + below) as u32, value.as_ref()?))
                    })
                })
            })
    }
}
