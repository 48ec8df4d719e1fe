//! The auditor: recomputes pools in full and compares with what the kernel did.

use crate::kernel::Kernel;

/// Pools recomputed after every tick, round robin.
const CHUNK: usize = 64;

/// All pools are recomputed every so many ticks.
const FULL_EVERY: u64 = 1_000;

/// The auditor's results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Pools recomputed.
    pub checks: u64,
    /// Of these, unlocked in breach at a living mark: always 0.
    pub misses: u64,
    next: usize,
}

impl Audit {
    /// Recomputes a chunk of pools after tick number `ticks`, or all of them when it is time.
    pub(super) fn after_tick(&mut self, kernel: &Kernel, ticks: u64) {
        if ticks.is_multiple_of(FULL_EVERY) {
            self.all(kernel);
        } else {
            let count = CHUNK.min(kernel.pools());
            self.check(kernel, self.next, count);
            self.next = self.next.wrapping_add(count) % kernel.pools().max(1);
        }
    }

    /// Recomputes all pools.
    pub(super) fn all(&mut self, kernel: &Kernel) {
        self.check(kernel, 0, kernel.pools());
    }

    fn check(&mut self, kernel: &Kernel, from: usize, count: usize) {
        self.checks += count as u64;
        self.misses += kernel.audit(from, count) as u64;
    }
}
