//! Counts of what finding breaches takes.

use super::Shard;
use std::iter::Sum;
use std::ops::Sub;

/// What finding breaches took, counted: the same on every machine, whatever a clock says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Exact evaluations of a pool.
    pub evaluations: u64,
    /// Edges that were set, moved or taken out.
    pub edge_updates: u64,
    /// Entries of swept columns that a mark moved.
    pub swept: u64,
}

impl Sum for Work {
    fn sum<I: Iterator<Item = Self>>(works: I) -> Self {
        works.fold(Self::default(), |sum, one| Self {
            evaluations: sum.evaluations + one.evaluations,
            edge_updates: sum.edge_updates + one.edge_updates,
            swept: sum.swept + one.swept,
        })
    }
}

impl Sub for Work {
    type Output = Self;

    /// What was done since: the counts only rise.
    fn sub(self, earlier: Self) -> Self {
        Self {
            evaluations: self.evaluations - earlier.evaluations,
            edge_updates: self.edge_updates - earlier.edge_updates,
            swept: self.swept - earlier.swept,
        }
    }
}

impl Shard {
    pub(crate) fn work(&self) -> Work {
        Work { evaluations: self.evaluations, edge_updates: self.bands.updates(), swept: self.sweep.swept() }
    }
}
