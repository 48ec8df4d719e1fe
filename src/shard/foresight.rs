//! Foresight: which pools each mark will put in breach, noted in one run and told to another beforehand.
//!
//! A kernel that is told touches at a mark exactly the pools that the mark puts in breach, or past a level of margin calls:
//! no method can do less, so it is the bound that every other is measured against. It finds nothing by itself, so it is
//! no way to run an exchange: whoever is not on the list is missed.

use super::{Finder, Shard};

/// Pools that marks put in breach, by shard and by number of the mark: see [`Kernel::note_breaches`].
///
/// [`Kernel::note_breaches`]: crate::Kernel::note_breaches
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foresight {
    pub(crate) shards: Vec<Vec<Foreseen>>,
}

impl Foresight {
    /// How many breaches it tells of, and levels of margin calls that are passed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(Vec::len).sum()
    }

    /// Whether it tells of none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A pool that is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Foreseen {
    /// How many marks changed until then, since the list begins.
    changes: u64,
    pool: u32,
}

/// What a shard keeps of breaches, beyond its own findings.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// Changes of marks so far.
    changes: u64,
    /// Whether breaches are noted.
    notes: bool,
    list: Vec<Foreseen>,
    /// The next of the list, where it is followed.
    next: usize,
}

impl Sight {
    /// A mark changed.
    #[inline]
    pub(super) fn pass_mark(&mut self) {
        self.changes += 1;
    }

    /// A pool was found in breach, or past a level.
    #[inline]
    pub(super) fn note(&mut self, pool: u32) {
        if self.notes {
            self.list.push(Foreseen { changes: self.changes, pool });
        }
    }

    /// The next pool that the present change of a mark puts in breach.
    fn take(&mut self) -> Option<u32> {
        while let Some(foreseen) = self.list.get(self.next).filter(|foreseen| foreseen.changes <= self.changes) {
            self.next += 1;
            // What was found after a change at which everybody is looked at, or nobody, was not asked for.
            if foreseen.changes == self.changes {
                return Some(foreseen.pool);
            }
        }
        None
    }
}

impl Shard {
    /// From now on notes whom marks put in breach.
    pub(crate) fn note_breaches(&mut self) {
        self.sight = Sight { notes: true, ..Sight::default() };
    }

    /// What was noted since.
    pub(crate) fn take_foreseen(&mut self) -> Vec<Foreseen> {
        std::mem::take(&mut self.sight).list
    }

    /// From now on looks at nobody else when a mark moves.
    pub(crate) fn foresee(&mut self, list: Vec<Foreseen>) {
        self.sight = Sight { list, ..Sight::default() };
        self.forget_certificates();
        self.finder = Finder::Foresight;
    }

    /// Touches the pools that the present change of a mark puts in breach.
    pub(super) fn follow_foresight(&mut self) {
        while let Some(pool) = self.sight.take() {
            // One that a later fill opened and put in breach is noted with the mark before it: that fill looks at it itself.
            if (pool as usize) < self.pools.len() {
                self.touch(pool);
            }
        }
    }

    /// Takes out every edge: nobody asks for them any more.
    fn forget_certificates(&mut self) {
        for pool in 0..self.pools.len() {
            self.unwatch(pool as u32);
        }
    }
}
