//! The own-fault guard: when many lines fall together, are they out, or are we?

mod rows;

pub use rows::{GroupRow, GuardRow, GuardState, PastFreeze};
