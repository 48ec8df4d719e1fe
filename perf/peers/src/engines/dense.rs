//! Dense scans: every holder of the instrument is evaluated at every tick, exactly.

use super::{Engine, Found};
use crate::book::Book;
use crate::population::UNIT;
use std::marker::PhantomData;

/// What amounts are computed in.
pub trait Width {
    const NAME: &'static str;

    /// Equity less maintenance margin of a pool, as its sign.
    fn in_breach(book: &Book, pool: u32) -> bool;
}

/// 64 bits: exact as long as no sum is beyond them, which the books have been checked for.
pub struct Narrow;

/// 128 bits: never too narrow.
pub struct Wide;

impl Width for Narrow {
    const NAME: &'static str = "dense scan, scaled i64";

    #[inline]
    fn in_breach(book: &Book, pool: u32) -> bool {
        book.excess(pool) <= 0
    }
}

impl Width for Wide {
    const NAME: &'static str = "dense scan, i128";

    #[inline]
    fn in_breach(book: &Book, pool: u32) -> bool {
        const BILLION: i128 = 1_000_000_000;
        let pool = &book.pools[pool as usize];
        let mut excess = i128::from(pool.collateral);
        for at in pool.positions.clone() {
            let position = &book.positions[at as usize];
            let price = i128::from(book.marks[position.instrument as usize]);
            let value = i128::from(position.quantity) * price * i128::from(UNIT);
            let notional = value.abs();
            let tier = book.tiers.iter().rev().find(|tier| notional > i128::from(tier.from)).unwrap_or(&book.tiers[0]);
            // Not below zero, so that this rounds up; an unsigned division by a constant is the quickest there is.
            let margin = (notional * i128::from(tier.mmr_ppb) + BILLION - 1) as u128 / BILLION as u128;
            excess += value - i128::from(position.cost) - (margin as i128 - i128::from(tier.deduction));
        }
        excess <= 0
    }
}

pub struct Dense<W> {
    book: Book,
    holders: Vec<Vec<u32>>,
    locked: Vec<bool>,
    width: PhantomData<W>,
}

impl<W: Width> Dense<W> {
    pub fn new(book: Book) -> Self {
        // Pools, since they are what is evaluated.
        let pools = |positions: Vec<u32>| positions.iter().map(|&at| book.positions[at as usize].pool).collect();
        let holders = book.holders().into_iter().map(pools).collect();
        Self { locked: vec![false; book.pools.len()], holders, book, width: PhantomData }
    }
}

fn lock(book: &Book, locked: &mut [bool], pool: u32, found: &mut Vec<Found>) {
    locked[pool as usize] = true;
    found.push(book.owners[pool as usize]);
}

impl<W: Width> Engine for Dense<W> {
    fn name(&self) -> String {
        W::NAME.into()
    }

    fn is_exact(&self) -> bool {
        true
    }

    fn mark(&mut self, instrument: usize, price: i64, found: &mut Vec<Found>) {
        self.book.marks[instrument] = price;
        for &pool in &self.holders[instrument] {
            if W::in_breach(&self.book, pool) && !self.locked[pool as usize] {
                lock(&self.book, &mut self.locked, pool, found);
            }
        }
    }

    fn fill(&mut self, position: u32, lots: i64, price: i64, found: &mut Vec<Found>) {
        apply(&mut self.book, position, lots, price);
        let pool = self.book.positions[position as usize].pool;
        if W::in_breach(&self.book, pool) && !self.locked[pool as usize] {
            lock(&self.book, &mut self.locked, pool, found);
        }
    }
}

/// A fill in the books: the part of the cost that it opens or closes is at its price or in proportion; the result goes to the
/// collateral.
pub fn apply(book: &mut Book, at: u32, lots: i64, price: i64) {
    let position = &mut book.positions[at as usize];
    let paid = lots * price * UNIT;
    if (lots > 0) == (position.quantity > 0) {
        position.cost += paid;
    } else {
        // Rounded up, as the kernel gives up cost; in 128 bits, since cost times lots is larger than either.
        let (product, size) = (i128::from(position.cost) * i128::from(lots.abs()), i128::from(position.quantity.abs()));
        let released = -((-product).div_euclid(size)) as i64;
        position.cost -= released;
        book.pools[position.pool as usize].collateral += -paid - released;
    }
    position.quantity += lots;
}
