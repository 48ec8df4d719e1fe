//! What scores depend on, by pool: its positions side by side, in floats.
//!
//! Ranking a side of an instrument asks for whole pools, most of them again and again, and their records lie apart in memory.
//! A portfolio is a copy of what scores need of a pool, in one piece. It is made when somebody first asks for it, and made anew when the pool has
//! changed: whoever changes one notes it ([`Shard::note_change`]).

use super::Shard;
use super::score_rates::{Rates, rate_of_size};
use crate::contract::Unit;
use crate::market::Market;
use crate::number::Quantity;

/// Sizes of portfolios, in powers of two: more positions than the last has no pool.
const SIZES: usize = 32;

/// A position.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Leg {
    /// Its value by the tick of a linear contract, and at one tick of an inverse one, in quanta, signed.
    pub(super) slope: f64,
    /// In quanta, signed.
    pub(super) cost: f64,
    /// What its size adds to its margin rate.
    pub(super) added_rate: f64,
    pub(super) instrument: u32,
    pub(super) holding: u32,
}

/// Where the positions of a pool are.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    /// In quanta.
    collateral: f64,
    first: u32,
    legs: u32,
    /// The size of its place, as a power of two, from 1; 0: there is no copy.
    size: u32,
}

/// The copies of the pools of one shard, by their numbers there.
#[derive(Debug, Default)]
struct Copies {
    heads: Vec<Head>,
    legs: Vec<Leg>,
    /// By size: places that are free.
    free: [Vec<u32>; SIZES],
}

/// The portfolios of all shards.
#[derive(Debug, Default)]
pub(crate) struct Portfolios {
    pub(super) rates: Rates,
    by_shard: Vec<Copies>,
}

/// Most amounts fit into 64 bits, and go faster so.
#[inline]
pub(super) fn real(amount: i128) -> f64 {
    i64::try_from(amount).map_or(amount as f64, |amount| amount as f64)
}

/// Of so many lots: the value by the tick of a linear contract, and at one tick of an inverse one, in quanta, signed.
#[inline]
pub(super) fn slope(unit: Unit, quantity: Quantity) -> f64 {
    match unit {
        Unit::Linear(unit) => quantity as f64 * unit as f64,
        Unit::Inverse { numerator, denominator } => -(quantity as f64) * (numerator as f64 / denominator as f64),
    }
}

impl Copies {
    /// A place for so many positions.
    fn take_place(&mut self, size: u32) -> u32 {
        self.free[size as usize].pop().unwrap_or_else(|| {
            let first = self.legs.len();
            self.legs.resize(first + (1 << (size - 1)), Leg::default());
            first as u32
        })
    }

    /// Copies a pool.
    fn copy(&mut self, market: &Market, shard: &Shard, pool: u32) {
        let positions = || shard.holdings_of(pool).filter(|&at| shard.holdings[at as usize].position.quantity != 0);
        let count = positions().count();
        let size = 1 + count.next_power_of_two().trailing_zeros();
        let head = self.heads[pool as usize];
        if head.size < size {
            if head.size > 0 {
                self.free[head.size as usize].push(head.first);
            }
            let first = self.take_place(size);
            self.heads[pool as usize] = Head { first, size, ..head };
        }
        let head = &mut self.heads[pool as usize];
        head.collateral = real(shard.pools[pool as usize].collateral);
        head.legs = count as u32; // as many as records, which are numbered so
        for (leg, at) in self.legs[head.first as usize..].iter_mut().zip(positions()) {
            let holding = &shard.holdings[at as usize];
            let instrument = shard.rules(market, holding);
            let lots = holding.position.quantity.unsigned_abs() as f64;
            let added_rate =
                if instrument.spec.unit.is_inverse() { 0.0 } else { rate_of_size(&instrument.spec.tiers, lots) };
            let slope = slope(instrument.spec.unit, holding.position.quantity);
            let cost = real(holding.position.cost);
            *leg = Leg { slope, cost, added_rate, instrument: holding.instrument.0, holding: at };
        }
    }
}

impl Portfolios {
    /// Makes room for all pools, and follows changes of rules.
    pub(crate) fn follow(&mut self, market: &Market, shards: &[Box<Shard>]) {
        self.rates.follow(market);
        self.by_shard.resize_with(shards.len(), Copies::default);
        for (copies, shard) in self.by_shard.iter_mut().zip(shards) {
            if copies.heads.len() < shard.pools.len() {
                copies.heads.reserve(shard.pools.capacity().saturating_sub(copies.heads.len()));
                copies.heads.resize(shard.pools.len(), Head::default());
            }
        }
    }

    /// Copies a pool unless that was done.
    pub(crate) fn ensure(&mut self, market: &Market, shard: &Shard, pool: u32) {
        let copies = &mut self.by_shard[shard.number as usize];
        if copies.heads[pool as usize].size == 0 {
            copies.copy(market, shard, pool);
        }
    }

    /// A pool has changed: copies it anew, if anybody ever asked for it.
    pub(super) fn refresh(&mut self, market: &Market, shard: &Shard, pool: u32) {
        let copies = &mut self.by_shard[shard.number as usize];
        if copies.heads[pool as usize].size > 0 {
            copies.copy(market, shard, pool);
        }
    }

    /// A pool's collateral, in quanta, and its positions.
    #[inline]
    pub(super) fn of(&self, (shard, pool): (u32, u32)) -> (f64, &[Leg]) {
        let copies = &self.by_shard[shard as usize];
        let head = copies.heads[pool as usize];
        (head.collateral, &copies.legs[head.first as usize..][..head.legs as usize])
    }

    /// Has some portfolios fetched from memory, all at once.
    pub(crate) fn fetch<const N: usize>(&self, places: &[(u32, u32)]) {
        let mut firsts = [0; N];
        for (first, &(shard, pool)) in firsts.iter_mut().zip(places) {
            *first = self.by_shard[shard as usize].heads[pool as usize].first;
        }
        let mut sum = 0;
        for (&first, &(shard, _)) in firsts.iter().zip(places) {
            // Two to a cache line; of the next ones most pools have none.
            for at in [first, first + 2] {
                sum ^= self.by_shard[shard as usize].legs.get(at as usize).map_or(0, |leg| leg.holding);
            }
        }
        std::hint::black_box(sum);
    }
}
