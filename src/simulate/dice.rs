//! Draws from a seed.

use crate::replay::random::Random;

/// A stream of draws of its own: what one part of the simulation draws changes nothing for the others.
#[derive(Clone, Debug)]
pub(super) struct Dice(Random);

impl Dice {
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        Self(Random::stream(seed, stream))
    }

    /// From 0 to below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// From `low` to `high`, both included.
    pub(super) fn range(&mut self, low: i64, high: i64) -> i64 {
        low + self.0.below((high - low + 1).max(1) as u64) as i64
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.0.below(100) < percent
    }

    /// One of the items, of which there is at least one.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.0.below(items.len() as u64) as usize]
    }

    /// A number for a stream or a disk of its own.
    pub(super) fn roll(&mut self) -> u64 {
        self.0.below(u64::MAX)
    }
}
