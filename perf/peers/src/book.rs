//! The books that every peer begins with, taken from the kernel: plain columns, in the order of accounts.

use crate::population::{ASSET, UNIT};
use std::ops::Range;
use terrace::Kernel;
use terrace::contract::Unit;
use terrace::event::PoolName;
use terrace::market::InstrumentId;

/// A row of a margin table: from a notional above `from` on the maintenance margin is `N · mmr − deduction`.
#[derive(Clone, Copy)]
pub struct Tier {
    /// In quanta.
    pub from: i64,
    /// In parts per billion.
    pub mmr_ppb: i64,
    /// In quanta.
    pub deduction: i64,
}

#[derive(Clone, Copy)]
pub struct Position {
    pub pool: u32,
    pub instrument: u32,
    /// Signed, in lots.
    pub quantity: i64,
    /// Signed, in quanta.
    pub cost: i64,
}

/// What is margined together: all positions of a cross account, or one isolated one.
#[derive(Clone)]
pub struct Pool {
    /// In quanta.
    pub collateral: i64,
    pub positions: Range<u32>,
}

#[derive(Clone)]
pub struct Book {
    /// By instrument, in ticks.
    pub marks: Vec<i64>,
    /// All instruments have the same table.
    pub tiers: Vec<Tier>,
    pub pools: Vec<Pool>,
    /// By pool: what is told of it. Apart, since it is not looked at before there is something to tell.
    pub owners: Vec<(u64, PoolName)>,
    /// Those of a pool side by side.
    pub positions: Vec<Position>,
}

impl Book {
    /// What the kernel shows. Amounts must fit 64 bits with room for sums, which is checked: the peers rely on it.
    pub fn of(kernel: &Kernel) -> Self {
        let market = kernel.market();
        let table = &market.instrument(InstrumentId(0)).spec.tiers;
        let tier = |at: usize| Tier {
            from: table.floor(at) as i64,
            mmr_ppb: table.mmr_ppb(at) as i64,
            deduction: table.deduction(at) as i64,
        };
        let mut book = Self {
            marks: market.instruments.iter().map(|at| at.mark.expect("a mark")).collect(),
            tiers: (0..table.tiers()).map(tier).collect(),
            pools: Vec::new(),
            owners: Vec::new(),
            positions: Vec::new(),
        };
        assert!(market.instruments.iter().all(|at| at.spec.unit == Unit::Linear(UNIT)), "one unit for all");
        let overview = kernel.overview();
        for account in overview.accounts() {
            book.take(&overview.account(account).expect("it is there"));
        }
        book.arranged()
    }

    /// Pools of one position each lie by instrument: what a tick looks at lies side by side.
    fn arranged(self) -> Self {
        if self.pools.iter().any(|pool| pool.positions.len() != 1) {
            return self;
        }
        let mut order: Vec<usize> = (0..self.pools.len()).collect();
        order.sort_by_key(|&at| self.positions[at].instrument);
        let mut arranged = Self { pools: Vec::new(), owners: Vec::new(), positions: Vec::new(), ..self.clone() };
        for (at, &from) in order.iter().enumerate() {
            let at = at as u32;
            arranged.pools.push(Pool { collateral: self.pools[from].collateral, positions: at..at + 1 });
            arranged.owners.push(self.owners[from]);
            arranged.positions.push(Position { pool: at, ..self.positions[from] });
        }
        arranged
    }

    fn take(&mut self, view: &terrace::AccountView) {
        let (cross, isolated): (Vec<_>, Vec<_>) = view.positions.iter().partition(|at| at.margin.is_none());
        if !cross.is_empty() {
            let collateral = view.balances.iter().map(|(_, balance)| balance).sum();
            self.pool(view.account, PoolName::Cross(ASSET), collateral, &cross);
        }
        for position in isolated {
            let name = PoolName::Isolated(position.instrument, None);
            self.pool(view.account, name, position.margin.unwrap_or(0), &[position]);
        }
    }

    fn pool(&mut self, account: u64, name: PoolName, collateral: i128, of: &[&terrace::PositionView]) {
        let small = |quanta: i128| {
            assert!(quanta.abs() < 1 << 56, "an amount has no room for sums in 64 bits");
            quanta as i64
        };
        let (pool, first) = (self.pools.len() as u32, self.positions.len() as u32);
        for view in of {
            let (quantity, cost) = (view.position.quantity, small(view.position.cost));
            small(view.notional * 4); // marks do not quadruple here
            self.positions.push(Position { pool, instrument: view.instrument.0, quantity, cost });
        }
        let positions = first..self.positions.len() as u32;
        self.pools.push(Pool { collateral: small(collateral), positions });
        self.owners.push((account, name));
    }

    /// By instrument: the positions in it, in order of pools.
    pub fn holders(&self) -> Vec<Vec<u32>> {
        let mut holders = vec![Vec::new(); self.marks.len()];
        for (at, position) in self.positions.iter().enumerate() {
            holders[position.instrument as usize].push(at as u32);
        }
        holders
    }
}

/// The maintenance margin of a notional, in quanta, rounded up: exact while the notional is below 2^63.
#[inline]
pub fn maintenance(tiers: &[Tier], notional: i64) -> i64 {
    let mut tier = tiers[0];
    for &next in &tiers[1..] {
        if notional > next.from {
            tier = next;
        }
    }
    const BILLION: i64 = 1_000_000_000;
    // Without 128 bits: `a · 10^9 + b` times the rate, over 10^9.
    let (whole, part) = (notional / BILLION, notional % BILLION);
    whole * tier.mmr_ppb + (part * tier.mmr_ppb + BILLION - 1) / BILLION - tier.deduction
}

impl Book {
    /// A position's part of its pool's excess at a price: `V − C − MM`, in quanta.
    #[inline]
    pub fn part(&self, position: &Position, price: i64) -> i64 {
        let value = position.quantity * price * UNIT;
        value - position.cost - maintenance(&self.tiers, value.abs())
    }

    /// Equity less maintenance margin of a pool at the present marks, in quanta; in breach where it is not above zero.
    #[inline]
    pub fn excess(&self, pool: u32) -> i64 {
        let pool = &self.pools[pool as usize];
        let mut excess = pool.collateral;
        for at in pool.positions.clone() {
            let position = &self.positions[at as usize];
            excess += self.part(position, self.marks[position.instrument as usize]);
        }
        excess
    }
}
