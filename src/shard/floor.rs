//! The floor of what an account can dispose of: why the check of an order costs the same with one position or a hundred.
//!
//! Every instrument has a *range* around a mark it had. As long as no mark leaves its range, `available` is at least
//!
//! ```text
//! balance + min(Σ u, 0) − Σ r        u: a position's result at the worst end of the range
//!                                    r: what it requires with its orders at the worst end
//! ```
//!
//! Results are monotone in the mark, and what is required is a monotone function of `|s + b|` and `|s − a|`, where `s` is the
//! position's signed notional, `b` and `a` what its orders buy and sell: so the worst of both is at an end. Of an isolated position only
//! the orders count, `r` is the worst with them less the least without. Profits that are counted only add.
//!
//! A cross pool keeps the two sums. Its balance is not in them, so payments move the floor by themselves; a fill, an
//! order and a cancellation move it by what they change in one holding. All pools' sums are of one *epoch*: a mark that leaves its range
//! has it set around itself and begins the next, in which each pool that is asked makes its sums anew. An order that
//! the floor covers is accepted. Every other is decided, and every refusal told, by the exact computation.

use super::Shard;
use super::margin::requirement_at;
use super::store::{NONE, OrderBook, leverage_of};
use crate::command::MarginMode;
use crate::event::PoolName;
use crate::market::{AssetId, Instrument, InstrumentId, Market};
use crate::number::{LIMIT, Price};
use crate::position::Position;

/// How far a range reaches on either side: a fiftieth of the mark.
const RANGE_DIVISOR: Price = 50;

/// A pool that has no sums.
pub(super) const NO_EPOCH: u32 = 0;

/// The ranges of all instruments.
#[derive(Debug)]
pub(super) struct Ranges {
    /// From 1.
    epoch: u32,
    /// By instrument, both ends inside; empty before its first mark.
    ends: Vec<[Price; 2]>,
}

impl Default for Ranges {
    fn default() -> Self {
        Self { epoch: NO_EPOCH + 1, ends: Vec::new() }
    }
}

impl Ranges {
    pub(super) fn add_instrument(&mut self) {
        self.ends.push([1, 0]);
    }
}

/// What a holding, or the legs of one, takes from what can be disposed of, at worst; in quanta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Worst {
    /// Its result: of cross positions.
    pub(super) unrealised: i128,
    pub(super) required: i128,
}

/// The sums of a cross pool without one holding, while that changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pool: u32,
    without: Worst,
}

impl Shard {
    /// A mark may have changed: a range that it has left is set around it, and no sums hold any more.
    #[inline]
    pub(super) fn note_range(&mut self, market: &Market, id: InstrumentId) {
        let [low, high] = self.ranges.ends[id.index()];
        if let Some(mark) = market.instrument(id).mark
            && !(low..=high).contains(&mark)
        {
            let reach = mark / RANGE_DIVISOR;
            let highest = (LIMIT - 1) as Price;
            self.ranges.ends[id.index()] = [(mark - reach).max(1), mark.saturating_add(reach).min(highest).max(mark)];
            self.begin_epoch();
        }
    }

    /// The range of an instrument, both ends inside.
    #[inline]
    pub(super) fn range(&self, id: InstrumentId) -> [Price; 2] {
        self.ranges.ends[id.index()]
    }

    /// From now on no sums hold that were made before.
    pub(super) fn begin_epoch(&mut self) {
        self.ranges.epoch = self.ranges.epoch.checked_add(1).unwrap_or_else(|| {
            self.pools.iter_mut().for_each(|pool| pool.floor_epoch = NO_EPOCH);
            NO_EPOCH + 1
        });
    }

    /// The floor of what an account can dispose of by the sums of its cross pool, if they hold.
    pub(super) fn floor(&self, cross: u32) -> Option<i128> {
        let pool = &self.pools[cross as usize];
        let sums = (i128::from(pool.floor_unrealised), i128::from(pool.floor_required));
        (pool.floor_epoch == self.ranges.epoch).then(|| pool.collateral + sums.0.min(0) - sums.1)
    }

    /// As [`Shard::floor`]; the sums are made if they do not hold.
    pub(super) fn ensure_floor(&mut self, market: &Market, account: u32, cross: u32) -> Option<i128> {
        if self.pools[cross as usize].floor_epoch != self.ranges.epoch {
            let PoolName::Cross(asset) = self.pools[cross as usize].name else { return None };
            let sums = self.sum_worst(market, account, asset)?;
            self.set_sums(market, cross, Some(sums));
        }
        debug_assert!(self.floor_is_sound(market, cross), "a floor above what is available: a kernel bug");
        self.floor(cross)
    }

    /// The sums of all that reserves on an account's cross pool.
    fn sum_worst(&self, market: &Market, account: u32, asset: AssetId) -> Option<Worst> {
        let mut sums = Worst::default();
        for pool in self.pools_of(account) {
            let mode = match self.pools[pool as usize].name {
                PoolName::Cross(of) if of == asset => MarginMode::Cross,
                PoolName::Isolated(of, _) if market.instrument(of).spec.settle == asset => MarginMode::Isolated,
                _ => continue,
            };
            let mut at = self.pools[pool as usize].first_holding;
            while let Some(holding) = self.holdings.get(at as usize) {
                // The legs of a cross pool stand side by side in its list, the long one first.
                let worst = self.worst_of(market, at, None)?;
                sums.unrealised += worst.unrealised;
                sums.required += worst.required;
                let both = mode == MarginMode::Cross && holding.side.is_some();
                at = if both {
                    self.holdings.get(holding.next as usize).map_or(NONE, |leg| leg.next)
                } else {
                    holding.next
                };
            }
        }
        Some(sums)
    }

    /// What a holding takes at worst, of cross legs both together; with other orders than its own, if given. None where that
    /// depends on more than marks.
    fn worst_of(&self, market: &Market, at: u32, book: Option<&OrderBook>) -> Option<Worst> {
        let holding = &self.holdings[at as usize];
        let instrument = market.instrument(holding.instrument);
        if instrument.spec.controls.limits.oi_im.is_some() {
            return None; // open interest
        }
        let own = self.order_book(at);
        let (leverage, mode) = (leverage_of(market, holding), self.mode(at));
        let worst = self.worst_at_ends(
            instrument,
            holding.instrument,
            &holding.position,
            book.unwrap_or(&own),
            (leverage, mode),
        );
        match self.other_leg(at).filter(|_| mode == MarginMode::Cross) {
            None => Some(worst),
            Some(leg) => {
                let (position, book) = (&self.holdings[leg as usize].position, self.order_book(leg));
                let beside = self.worst_at_ends(instrument, holding.instrument, position, &book, (leverage, mode));
                let unrealised = worst.unrealised + beside.unrealised;
                Some(Worst { unrealised, required: worst.required.max(beside.required) })
            }
        }
    }

    fn worst_at_ends(
        &self,
        instrument: &Instrument,
        id: InstrumentId,
        position: &Position,
        book: &OrderBook,
        (leverage, mode): (u32, MarginMode),
    ) -> Worst {
        let orders = book.buys != 0 || book.sells != 0;
        if !orders && (position.quantity == 0 || mode == MarginMode::Isolated) {
            return Worst::default();
        }
        let at = |end: usize| match instrument.mark {
            Some(_) => instrument.valuation(position.quantity, self.ranges.ends[id.index()][end]),
            None => position.valuation(instrument),
        };
        let [low, high] = [at(0), at(1)];
        let least = requirement_at(instrument, position.quantity, [low.notional, high.notional], book, leverage);
        match mode {
            MarginMode::Cross => Worst { unrealised: low.value.min(high.value) - position.cost, required: least },
            MarginMode::Isolated => {
                let notional = low.notional.min(high.notional);
                let alone = instrument.initial_margin(position.quantity, notional, leverage);
                Worst { unrealised: 0, required: (least - alone).max(0) }
            }
        }
    }

    /// What the orders of a holding, or of one that an account is yet to get, require at worst.
    pub(super) fn worst_with(
        &self,
        market: &Market,
        holding: Option<u32>,
        id: InstrumentId,
        book: &OrderBook,
    ) -> Option<Worst> {
        if let Some(at) = holding {
            return self.worst_of(market, at, Some(book));
        }
        let instrument = market.instrument(id);
        let fresh = (instrument.spec.tiers.max_leverage(0), MarginMode::Cross);
        let watched = instrument.spec.controls.limits.oi_im.is_some();
        (!watched).then(|| self.worst_at_ends(instrument, id, &Position::default(), book, fresh))
    }

    /// The floor with what a holding takes from now on.
    pub(super) fn floor_by(&self, floor: i128, kept: Kept, worst: Worst) -> i128 {
        let pool = &self.pools[kept.pool as usize];
        let before = i128::from(pool.floor_unrealised).min(0) - i128::from(pool.floor_required);
        let sums = (kept.without.unrealised + worst.unrealised, kept.without.required + worst.required);
        floor - before + sums.0.min(0) - sums.1
    }

    /// Takes a holding that is about to change out of the sums of a cross pool; none if they do not hold.
    #[inline]
    pub(super) fn keep_floor(&self, market: &Market, cross: u32, holding: Option<u32>) -> Option<Kept> {
        let pool = &self.pools[cross as usize];
        if pool.floor_epoch != self.ranges.epoch {
            return None;
        }
        // A fill beyond an isolated leg opens the other, which is another part of the sums.
        let alone = |at: u32| self.mode(at) == MarginMode::Cross || self.holdings[at as usize].side.is_none();
        if !holding.is_none_or(alone) {
            return None;
        }
        let own = holding.map_or(Some(Worst::default()), |at| self.worst_of(market, at, None))?;
        let without = Worst {
            unrealised: i128::from(pool.floor_unrealised) - own.unrealised,
            required: i128::from(pool.floor_required) - own.required,
        };
        Some(Kept { pool: cross, without })
    }

    /// Puts a holding that has changed into the sums again.
    #[inline]
    pub(super) fn put_floor(&mut self, market: &Market, kept: Option<Kept>, holding: u32) {
        if let Some(kept) = kept {
            let worst = self.worst_of(market, holding, None);
            self.put_worst(market, kept, worst);
        }
    }

    /// As [`Shard::put_floor`], with what it takes now.
    pub(super) fn put_worst(&mut self, market: &Market, Kept { pool, without }: Kept, worst: Option<Worst>) {
        let sums = worst.map(|worst| Worst {
            unrealised: without.unrealised + worst.unrealised,
            required: without.required + worst.required,
        });
        self.set_sums(market, pool, sums);
    }

    fn set_sums(&mut self, market: &Market, cross: u32, sums: Option<Worst>) {
        let narrow = |sums: Worst| Some((i64::try_from(sums.unrealised).ok()?, i64::try_from(sums.required).ok()?));
        let epoch = self.ranges.epoch;
        let pool = &mut self.pools[cross as usize];
        match sums.and_then(narrow) {
            Some((unrealised, required)) => {
                (pool.floor_unrealised, pool.floor_required) = (unrealised, required);
                pool.floor_epoch = epoch;
            }
            None => pool.floor_epoch = NO_EPOCH,
        }
        debug_assert!(self.floor_is_sound(market, cross), "a floor above what is available: a kernel bug");
    }

    /// A holding changes in a way that nobody accounts for: the sums of its cross pool hold no more.
    #[inline]
    pub(super) fn drop_floor(&mut self, market: &Market, holding: u32) {
        let record = &self.holdings[holding as usize];
        let pool = match self.pools[record.pool as usize].name {
            PoolName::Cross(_) => Some(record.pool),
            PoolName::Isolated(id, _) => {
                self.find_pool(record.account, PoolName::Cross(market.instrument(id).spec.settle))
            }
        };
        if let Some(pool) = pool {
            self.pools[pool as usize].floor_epoch = NO_EPOCH;
        }
    }

    /// Whether every floor is at most what is available now; and how many there are.
    #[cfg(test)]
    pub(crate) fn sound_floors(&self, market: &Market) -> (bool, usize) {
        let pools = 0..self.pools.len() as u32;
        let sound = pools.clone().all(|pool| self.floor_is_sound(market, pool));
        (sound, pools.filter(|&pool| self.floor(pool).is_some()).count())
    }

    /// Whether the floor of a pool, if it has one, is at most what is available now.
    fn floor_is_sound(&self, market: &Market, cross: u32) -> bool {
        let PoolName::Cross(asset) = self.pools[cross as usize].name else { return true };
        let account = self.pools[cross as usize].account;
        self.floor(cross).is_none_or(|floor| floor <= self.disposable(market, account, asset).available)
    }
}
