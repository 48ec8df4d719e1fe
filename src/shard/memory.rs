//! What the records of a shard take of memory, by kind: room that was made counts, whether or not it is used.

use super::Shard;
use std::collections::BTreeMap;

/// Bytes by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Accounts, the table of their ids, and their order.
    pub accounts: usize,
    /// Pools, and the list of those to look at.
    pub pools: usize,
    /// Positions, and the table of who has what.
    pub positions: usize,
    /// By instrument: who holds it.
    pub holders: usize,
    /// By instrument and side: edges, and where each position has its own; columns of the sweep.
    pub edges: usize,
    /// Open orders, what they reserve, and the table of their ids.
    pub orders: usize,
    /// Room for those that one input puts in breach.
    pub bursts: usize,
}

impl Memory {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> usize {
        let Self { accounts, pools, positions, holders, edges, orders, bursts } = self;
        accounts + pools + positions + holders + edges + orders + bursts
    }

    /// Each kind by its name.
    #[must_use]
    pub fn kinds(&self) -> [(&'static str, usize); 7] {
        let Self { accounts, pools, positions, holders, edges, orders, bursts } = *self;
        [
            ("accounts", accounts),
            ("pools", pools),
            ("positions", positions),
            ("holders", holders),
            ("edges", edges),
            ("orders", orders),
            ("bursts", bursts),
        ]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.accounts += other.accounts;
        self.pools += other.pools;
        self.positions += other.positions;
        self.holders += other.holders;
        self.edges += other.edges;
        self.orders += other.orders;
        self.bursts += other.bursts;
    }
}

/// Bytes of a column with its spare room.
pub(super) fn room<T>(column: &Vec<T>) -> usize {
    column.capacity() * size_of::<T>()
}

/// Bytes of a tree at most: nodes of up to 11 entries, which are at least half full, and their parents.
pub(super) fn room_of_tree<K, V>(tree: &BTreeMap<K, V>) -> usize {
    let leaf = 11 * size_of::<(K, V)>() + 16;
    let leaves = tree.len().div_ceil(5);
    leaves * leaf + leaves.div_ceil(5) * (leaf + 12 * size_of::<usize>()) * 5 / 4
}

impl Shard {
    /// What its records take.
    pub(crate) fn memory(&self) -> Memory {
        let [accounts, holdings, orders] = self.lookup.sizes();
        Memory {
            accounts: room(&self.accounts) + accounts + self.turns.room(),
            pools: room(&self.pools) + room(&self.touched) + room(&self.changed),
            positions: room(&self.holdings) + holdings,
            holders: room(&self.holders) + self.holders.iter().map(room).sum::<usize>(),
            edges: self.bands.room()
                + self.sweep.room()
                + room(&self.crossed)
                + room(&self.left_behind)
                + room(&self.below),
            orders: room(&self.books) + room(&self.orders) + orders,
            bursts: room(&self.liquidations)
                + room(&self.free_liquidations)
                + self.ended.room()
                + room(&self.undecided)
                + room(&self.held_back)
                + room(&self.found.breached)
                + room(&self.found.ready)
                + room(&self.found.called),
        }
    }
}
