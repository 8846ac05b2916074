//! A slab whose ids cannot reach a later tenant of the same place.

use std::fmt;
use std::marker::PhantomData;

/// Names an entry of a `Slab<T>`, also when that is gone.
pub(crate) struct Id<T> {
    index: u32,
    generation: u32,
    kind: PhantomData<fn() -> T>,
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.index, self.generation) == (other.index, other.generation)
    }
}

impl<T> Eq for Id<T> {}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index, self.generation)
    }
}

pub(crate) struct Slab<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
    length: usize,
}

struct Place<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            length: 0,
        }
    }

    pub(crate) fn insert(&mut self, value: T) -> Id<T> {
        self.length += 1;
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place {
                generation: 0,
                value: None,
            });
            (self.places.len() - 1) as u32
        });
        let place = &mut self.places[index as usize];
        place.value = Some(value);
        Id {
            index,
            generation: place.generation,
            kind: PhantomData,
        }
    }

    pub(crate) fn get(&self, id: Id<T>) -> Option<&T> {
        self.places
            .get(id.index as usize)
            .filter(|p| p.generation == id.generation)?
            .value
            .as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        self.places
            .get_mut(id.index as usize)
            .filter(|p| p.generation == id.generation)?
            .value
            .as_mut()
    }

    pub(crate) fn remove(&mut self, id: Id<T>) -> Option<T> {
        let place = self.places.get_mut(id.index as usize)?;
        if place.generation != id.generation {
            return None;
        }
        let value = place.value.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(id.index);
        self.length -= 1;
        Some(value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().filter_map(|place| place.value.as_ref())
    }

    pub(crate) const fn len(&self) -> usize {
        self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_id_does_not_reach_the_next_tenant() {
        let mut slab = Slab::new();
        let first = slab.insert('a');
        assert_eq!(Some('a'), slab.remove(first));
        let second = slab.insert('b');
        assert_eq!((None, Some(&'b')), (slab.get(first), slab.get(second)));
        assert_eq!(None, slab.remove(first));
        assert_eq!(1, slab.len());
    }
}
