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
//! order and a cancellation move it by what they change in one holding. Sums are of an *epoch*: a mark that leaves its range
//! has it set around itself and begins the next. Which range was left for which is remembered for a while, so that the sums of
//! a pool that is asked later follow by what that changes in the holdings of those instruments; of older ones, and after a change of
//! rules, they are made anew. An order that the floor covers is accepted. Every other is decided, and every refusal told, by the exact
//! computation.

use super::Shard;
use super::margin::requirement_at;
use super::store::{NONE, OrderBook, Pool, leverage_of};
use crate::command::MarginMode;
use crate::event::PoolName;
use crate::market::{AssetId, Instrument, InstrumentId, Market};
use crate::number::{LIMIT, Price, Quantity};
use crate::position::Position;

/// How far a range reaches on either side: a fiftieth of the mark.
const RANGE_DIVISOR: Price = 50;

/// A pool that has no sums.
pub(super) const NO_EPOCH: u32 = 0;

/// Epochs of which it is remembered what they changed. Looking up so many instruments takes about what two holdings take that
/// are summed anew.
const REMEMBERED: usize = 64;

/// Where an instrument's marks may be.
#[derive(Clone, Copy, Debug)]
struct Range {
    /// Both inside.
    ends: [Price; 2],
    /// The epoch that began with it.
    since: u32,
}

/// Before its first mark.
const EMPTY: Range = Range { ends: [1, 0], since: NO_EPOCH };

/// The ranges of all instruments.
#[derive(Debug)]
pub(super) struct Ranges {
    /// From 1.
    epoch: u32,
    /// By instrument.
    present: Vec<Range>,
    /// By epoch, round and round: the range that was left when it began; none: no sums from before it hold.
    left: [Option<(InstrumentId, Range)>; REMEMBERED],
}

impl Default for Ranges {
    fn default() -> Self {
        Self { epoch: NO_EPOCH + 1, present: Vec::new(), left: [None; REMEMBERED] }
    }
}

impl Ranges {
    pub(super) fn add_instrument(&mut self) {
        self.present.push(EMPTY);
    }

    #[inline]
    fn ends(&self, id: InstrumentId) -> [Price; 2] {
        self.present[id.index()].ends
    }

    /// The ranges that sums of an earlier epoch were made with and that were left since, each once; none if some are forgotten.
    fn left_since(&self, epoch: u32) -> Option<impl Iterator<Item = (InstrumentId, [Price; 2])> + '_> {
        let slots = move || (epoch + 1..=self.epoch).map(|epoch| self.left[epoch as usize % REMEMBERED]);
        let remembered = epoch != NO_EPOCH && (self.epoch - epoch) as usize <= REMEMBERED;
        if !remembered || slots().any(|left| left.is_none()) {
            return None;
        }
        let first = move |&(_, range): &(InstrumentId, Range)| range.since <= epoch;
        Some(slots().flatten().filter(first).map(|(id, range)| (id, range.ends)))
    }
}

/// What a holding, or the legs of one, takes from what can be disposed of, at worst; or a sum of that; in quanta. Sums that 64
/// bits cannot hold are none: the exact computation decides then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Worst {
    /// Its result: of cross positions.
    pub(super) unrealised: i64,
    pub(super) required: i64,
}

impl Worst {
    #[inline]
    fn plus(self, worst: Self) -> Option<Self> {
        let without = self;
        Some(Self {
            unrealised: without.unrealised.checked_add(worst.unrealised)?,
            required: without.required.checked_add(worst.required)?,
        })
    }

    #[inline]
    fn minus(self, own: Self) -> Option<Self> {
        let unrealised = self.unrealised.checked_sub(own.unrealised)?;
        Some(Self { unrealised, required: self.required.checked_sub(own.required)? })
    }

    /// What is left of a balance.
    #[inline]
    fn left_of(self, balance: i128) -> i128 {
        balance + i128::from(self.unrealised.min(0)) - i128::from(self.required)
    }
}

/// The sums of a cross pool without one holding, while that changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pool: u32,
    without: Worst,
}

/// A position at the ends of its instrument's range, in quanta.
#[derive(Clone, Copy, Debug, Default)]
struct AtEnds {
    /// Its result at the worse one.
    unrealised: i64,
    /// Its notional, the smaller one first.
    notionals: [i64; 2],
}

impl Shard {
    /// A mark may have changed: a range that it has left is set around it, and sums hold no more without what that changes.
    #[inline]
    pub(super) fn note_range(&mut self, market: &Market, id: InstrumentId) {
        let [low, high] = self.ranges.ends(id);
        if let Some(mark) = market.instrument(id).mark
            && !(low..=high).contains(&mark)
        {
            let reach = mark / RANGE_DIVISOR;
            let highest = (LIMIT - 1) as Price;
            let ends = [(mark - reach).max(1), mark.saturating_add(reach).min(highest).max(mark)];
            self.bands.reaches.clear(id); // it was within the range that is left
            let left = self.ranges.present[id.index()];
            let first = left.ends == EMPTY.ends; // until now its positions were valued otherwise
            self.begin_epoch_with((!first).then_some((id, left)));
            self.ranges.present[id.index()] = Range { ends, since: self.ranges.epoch };
        }
    }

    /// The range of an instrument, both ends inside.
    #[inline]
    pub(super) fn range(&self, id: InstrumentId) -> [Price; 2] {
        self.ranges.ends(id)
    }

    /// From now on no sums hold that were made before.
    pub(super) fn begin_epoch(&mut self) {
        self.begin_epoch_with(None);
    }

    fn begin_epoch_with(&mut self, left: Option<(InstrumentId, Range)>) {
        self.ranges.epoch = self.ranges.epoch.checked_add(1).unwrap_or_else(|| self.begin_epochs_anew());
        self.ranges.left[self.ranges.epoch as usize % REMEMBERED] = left;
    }

    /// Epochs are used up.
    #[cold]
    fn begin_epochs_anew(&mut self) -> u32 {
        self.pools.iter_mut().for_each(|pool| pool.floor_epoch = NO_EPOCH);
        self.ranges.present.iter_mut().for_each(|range| range.since = NO_EPOCH);
        NO_EPOCH + 1
    }

    /// The floor of what an account can dispose of by the sums of its cross pool, if they hold.
    #[inline]
    pub(super) fn floor(&self, cross: u32) -> Option<i128> {
        Some(self.worst_sums(cross)?.left_of(self.pools[cross as usize].collateral))
    }

    /// The sums of a cross pool, if they hold.
    #[inline]
    fn worst_sums(&self, cross: u32) -> Option<Worst> {
        let pool = &self.pools[cross as usize];
        let sums = Worst { unrealised: pool.floor_unrealised, required: pool.floor_required };
        (pool.floor_epoch == self.ranges.epoch).then_some(sums)
    }

    /// As [`Shard::worst_sums`]; they follow, or are made, if they do not hold.
    #[inline]
    pub(super) fn ensure_sums(&mut self, market: &Market, account: u32, cross: u32) -> Option<Worst> {
        if self.pools[cross as usize].floor_epoch != self.ranges.epoch {
            let PoolName::Cross(asset) = self.pools[cross as usize].name else { return None };
            let followed = self.follow_ranges(market, cross);
            let sums = followed.or_else(|| self.sum_worst(market, account, asset))?;
            self.set_sums(market, cross, Some(sums));
        }
        debug_assert!(self.floor_is_sound(market, cross), "a floor above what is available: a kernel bug");
        self.worst_sums(cross)
    }

    /// What the ranges that were left meanwhile make of the sums of a cross pool. Whatever else changes its holdings drops the
    /// sums, so those of the instruments that left a range are as they were summed.
    #[cold]
    fn follow_ranges(&self, market: &Market, cross: u32) -> Option<Worst> {
        let Pool { account, name, floor_epoch, floor_unrealised, floor_required, .. } = self.pools[cross as usize];
        let PoolName::Cross(asset) = name else { return None };
        let mut sums = Worst { unrealised: floor_unrealised, required: floor_required };
        for (id, ends) in self.ranges.left_since(floor_epoch)? {
            if market.instrument(id).spec.settle != asset {
                continue;
            }
            for at in self.legs(account, id) {
                let [before] = self.worst_with(market, at, ends, [self.order_book(at)]);
                sums = sums.minus(before?)?.plus(self.worst_of(market, at)?)?;
                if self.mode(at) == MarginMode::Cross {
                    break; // both legs are one
                }
            }
        }
        let anew = || self.sum_worst(market, account, asset);
        debug_assert!(
            anew().is_none_or(|anew| anew == sums),
            "sums that followed are others than those made anew: a kernel bug"
        );
        Some(sums)
    }

    /// The sums of all that reserves on an account's cross pool.
    #[cold]
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
                sums = sums.plus(self.worst_of(market, at)?)?;
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

    /// What a holding takes at worst, of cross legs both together. None where that depends on more than marks.
    #[inline]
    fn worst_of(&self, market: &Market, at: u32) -> Option<Worst> {
        let ends = self.range(self.holdings[at as usize].instrument);
        let [worst] = self.worst_with(market, at, ends, [self.order_book(at)]);
        worst
    }

    /// As [`Shard::worst_of`], in a range of these ends, with each of these books instead of its own.
    #[inline]
    fn worst_with<const N: usize>(
        &self,
        market: &Market,
        at: u32,
        range: [Price; 2],
        books: [&OrderBook; N],
    ) -> [Option<Worst>; N] {
        let holding = &self.holdings[at as usize];
        let instrument = market.instrument(holding.instrument);
        let margined = (leverage_of(market, holding), self.mode(at));
        let ends = at_ends(instrument, range, &holding.position);
        let Some(ends) = ends.filter(|_| instrument.spec.controls.limits.oi_im.is_none()) else {
            return [None; N]; // open interest
        };
        let worst = books.map(|book| worst_at(instrument, holding.position.quantity, &ends, book, margined));
        match holding.side {
            Some(_) if margined.1 == MarginMode::Cross => {
                worst.map(|worst| self.with_other_leg(market, at, range, (worst?, margined)))
            }
            _ => worst,
        }
    }

    #[cold]
    fn with_other_leg(
        &self,
        market: &Market,
        at: u32,
        range: [Price; 2],
        (own, margined): (Worst, (u32, MarginMode)),
    ) -> Option<Worst> {
        let leg = self.other_leg(at)?;
        let holding = &self.holdings[leg as usize];
        let instrument = market.instrument(holding.instrument);
        let ends = at_ends(instrument, range, &holding.position)?;
        let beside = worst_at(instrument, holding.position.quantity, &ends, self.order_book(leg), margined)?;
        let unrealised = own.unrealised.checked_add(beside.unrealised)?;
        Some(Worst { unrealised, required: own.required.max(beside.required) })
    }

    /// What an order makes of the sums of a cross pool that hold: with its holding, or one that the account is yet to get, as it
    /// will be.
    #[inline]
    pub(super) fn sums_with_order(
        &self,
        market: &Market,
        sums: Worst,
        (holding, id): (Option<u32>, InstrumentId),
        after: &OrderBook,
    ) -> Option<Worst> {
        let [own, worst] = match holding {
            Some(at) if !self.stands_alone(at) => return None,
            Some(at) => self.worst_with(market, at, self.range(id), [self.order_book(at), after]),
            None => {
                let instrument = market.instrument(id);
                let watched = instrument.spec.controls.limits.oi_im.is_some();
                let fresh = (instrument.spec.tiers.max_leverage(0), MarginMode::Cross);
                let worst = worst_at(instrument, 0, &AtEnds::default(), after, fresh);
                [Some(Worst::default()), worst.filter(|_| !watched)]
            }
        };
        sums.minus(own?)?.plus(worst?)
    }

    /// The floor of what is available with other sums of a cross pool.
    #[inline]
    pub(super) fn floor_by(&self, cross: u32, sums: Worst) -> i128 {
        sums.left_of(self.pools[cross as usize].collateral)
    }

    /// Takes a holding that is about to change out of the sums of a cross pool; none if they do not hold, or follow.
    #[inline]
    pub(super) fn keep_floor(&self, market: &Market, cross: u32, holding: u32) -> Option<Kept> {
        if self.pools[cross as usize].floor_epoch == NO_EPOCH || !self.stands_alone(holding) {
            return None;
        }
        let sums = self.worst_sums(cross).or_else(|| self.follow_ranges(market, cross))?;
        Some(Kept { pool: cross, without: sums.minus(self.worst_of(market, holding)?)? })
    }

    /// Whether what happens to a holding changes one part of the sums: a fill beyond an isolated leg opens the other, which is
    /// another part.
    #[inline]
    fn stands_alone(&self, holding: u32) -> bool {
        self.holdings[holding as usize].side.is_none() || self.mode(holding) == MarginMode::Cross
    }

    /// Puts a holding that has changed into the sums again.
    #[inline]
    pub(super) fn put_floor(&mut self, market: &Market, kept: Option<Kept>, holding: u32) {
        if let Some(kept) = kept {
            let sums = self.worst_of(market, holding).and_then(|worst| kept.without.plus(worst));
            self.set_sums(market, kept.pool, sums);
        }
    }

    /// From now on the sums of a cross pool are these; none: they hold no more.
    #[inline]
    pub(super) fn set_sums(&mut self, market: &Market, cross: u32, sums: Option<Worst>) {
        let epoch = self.ranges.epoch;
        let pool = &mut self.pools[cross as usize];
        match sums {
            Some(Worst { unrealised, required }) => {
                (pool.floor_unrealised, pool.floor_required, pool.floor_epoch) = (unrealised, required, epoch);
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

/// A position at the ends of a range. Without a mark it is valued at its cost.
#[inline]
fn at_ends(instrument: &Instrument, range: [Price; 2], position: &Position) -> Option<AtEnds> {
    if position.quantity == 0 {
        return Some(AtEnds::default());
    }
    let [low, high] = range.map(|end| match instrument.mark {
        Some(_) => instrument.valuation(position.quantity, end),
        None => position.valuation(instrument),
    });
    let unrealised = narrow(low.value.min(high.value) - position.cost)?;
    let [one, other] = [narrow(low.notional)?, narrow(high.notional)?];
    Some(AtEnds { unrealised, notionals: [one.min(other), one.max(other)] })
}

/// What a position at the ends of its range takes with these orders, at a leverage and by its mode.
#[inline]
fn worst_at(
    instrument: &Instrument,
    quantity: Quantity,
    ends: &AtEnds,
    book: &OrderBook,
    (leverage, mode): (u32, MarginMode),
) -> Option<Worst> {
    let orders = book.buys != 0 || book.sells != 0;
    if !orders && (quantity == 0 || mode == MarginMode::Isolated) {
        return Some(Worst::default());
    }
    let required = requirement_at(instrument, quantity, ends.notionals, book, leverage)?;
    Some(match mode {
        MarginMode::Cross => Worst { unrealised: ends.unrealised, required },
        MarginMode::Isolated => {
            let alone = instrument.initial_margin(quantity, ends.notionals[0].into(), leverage);
            Worst { unrealised: 0, required: narrow((i128::from(required) - alone).max(0))? }
        }
    })
}

#[inline]
fn narrow(amount: i128) -> Option<i64> {
    i64::try_from(amount).ok()
}
