//! How much a kernel does to find breaches, counted; and a kernel that is told beforehand.

use super::Kernel;
use crate::shard::{Foresight, Work};

impl Kernel {
    /// What finding breaches took so far, over all shards: counts, which are the same on every machine.
    #[must_use]
    pub fn work(&self) -> Work {
        self.shards.iter().map(|shard| shard.work()).sum()
    }

    /// From now on notes which pools each change of a mark puts in breach, for [`Kernel::foresee`].
    pub fn note_breaches(&mut self) {
        self.shards.iter_mut().for_each(|shard| shard.note_breaches());
    }

    /// What was noted since [`Kernel::note_breaches`]; nothing is noted from now on.
    pub fn take_foresight(&mut self) -> Foresight {
        Foresight { shards: self.shards.iter_mut().map(|shard| shard.take_foreseen()).collect() }
    }

    /// The clairvoyant, for measurements alone: from now on a mark has only those pools looked at that it puts in breach,
    /// as they were noted. It is the bound for every [`Strategy`]: what it costs, finding and liquidating cost together
    /// at the least.
    ///
    /// It must stand as the other stood at its [`Kernel::note_breaches`], with as many shards, and must be given the same
    /// inputs from here on; the events are the same then. Given others it misses breaches.
    ///
    /// [`Strategy`]: crate::Strategy
    ///
    /// # Panics
    ///
    /// If the foresight is that of another number of shards.
    pub fn foresee(&mut self, foresight: Foresight) {
        let Foresight { shards } = foresight;
        assert_eq!(shards.len(), self.shards.len(), "foresight of another number of shards: the caller's mistake");
        self.shards.iter_mut().zip(shards).for_each(|(shard, list)| shard.foresee(list));
    }
}
