//! Booking: what fills, fees and payments do to positions and collateral.

use super::Shard;
use super::edges::ABSENT;
use super::store::leverage_of;
use super::store::{UNCERTIFIED, slack_of};
use crate::command::{MarginMode, PositionSide};
use crate::event::Events;
use crate::market::{InstrumentId, Market};
use crate::number::{Price, Quantity, mul_div_floor};
use crate::position::Position;

/// One side of a fill, as the account on it sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FillSide {
    pub(crate) order: Option<u64>,
    pub(crate) instrument: InstrumentId,
    /// Which leg, in hedge mode.
    pub(crate) position_side: Option<PositionSide>,
    /// Signed lots.
    pub(crate) quantity: Quantity,
    pub(crate) price: Price,
    /// In quanta; negative is a rebate.
    pub(crate) fee: i128,
    /// Whether it is an execution of the venue's: a fill that a correction books is none.
    pub(crate) executed: bool,
}

impl Shard {
    /// Books a side of a fill: uses the named order, closes, opens, charges, cuts reduce-only orders.
    ///
    /// In hedge mode it closes at most its leg: what goes beyond opens the other one.
    pub(crate) fn book_fill(&mut self, market: &Market, holding: u32, fill: &FillSide, events: &mut Events) {
        let account = self.holdings[holding as usize].account;
        let cross = self.cross_pool_of(market, holding);
        let floor = self.keep_floor(market, cross, holding);
        if let Some(order) = fill.order {
            self.use_order(market, account, holding, order, fill.quantity, events);
        }
        let (closing, opening) = self.holdings[holding as usize].position.split(fill.quantity);
        if closing > 0 {
            self.reduce(market, holding, closing, fill.price);
        }
        if opening != 0 {
            let opens = self.leg_on(holding, opening);
            self.increase(market, opens, opening, fill.price);
        }
        self.credit(cross, -fill.fee);
        self.cut_reduce_only(market, holding, events);
        self.put_floor(market, floor, holding);
        self.cut_standing_order(holding);
        if fill.executed {
            self.accounts[account as usize].executions += 1;
            self.complete_cancellations(market, account, events);
        }
    }

    /// What rounding will take from a side of a fill, in quanta.
    pub(crate) fn rounding_of(&self, market: &Market, holding: u32, fill: &FillSide) -> i128 {
        let position = &self.holdings[holding as usize].position;
        position.rounding(fill.quantity, fill.price, market.instrument(fill.instrument))
    }

    /// The holding of the same account and instrument that signed lots open: a position has any side, a leg its own.
    fn leg_on(&self, holding: u32, quantity: Quantity) -> u32 {
        match self.holdings[holding as usize].side {
            Some(side) if side.opening().signed(1) != quantity.signum() => self.other_leg(holding).unwrap_or(holding),
            _ => holding,
        }
    }

    /// Opens or adds to a position; an isolated one takes its margin from what balance there is.
    fn increase(&mut self, market: &Market, holding: u32, quantity: Quantity, price: Price) {
        let instrument = market.instrument(self.holdings[holding as usize].instrument);
        self.reposition(market, holding, |position| position.add(quantity, instrument.cost(quantity, price)));
        if self.mode(holding) == MarginMode::Cross {
            return;
        }
        let record = &self.holdings[holding as usize];
        let pool = record.pool;
        let held = record.position.quantity;
        let whole = (held, instrument.notional(held, price));
        let leverage = leverage_of(market, record);
        let wanted = instrument.opening_margin(whole, instrument.notional(quantity, price), leverage);
        let cross = self.cross_pool(self.pools[pool as usize].account, instrument.spec.settle);
        let source = &self.pools[cross as usize];
        let taken = if source.is_locked() { 0 } else { wanted.min(source.collateral.max(0)) };
        self.credit(cross, -taken);
        self.credit(pool, taken);
    }

    /// Closes `lots` of a position at `price` and returns what that realised.
    ///
    /// A cross position's result goes to the balance. An isolated one releases its part of the margin, rounded down:
    /// with the result, if positive, to the balance; a shortfall stays on the margin until the position is closed.
    /// While its pool is locked it releases nothing.
    pub(super) fn reduce(&mut self, market: &Market, holding: u32, lots: Quantity, price: impl Into<i128>) -> i128 {
        let record = &self.holdings[holding as usize];
        let (pool, held) = (record.pool, record.position.quantity.abs());
        let instrument = market.instrument(record.instrument);
        let realised = self.reposition(market, holding, |position| position.close(lots, price, instrument));
        if self.mode(holding) == MarginMode::Cross || self.pools[pool as usize].is_locked() {
            self.credit(pool, realised);
            return realised;
        }
        let released = mul_div_floor(self.pools[pool as usize].collateral, i128::from(lots), i128::from(held));
        let result = released + realised;
        self.credit(pool, -released);
        if result > 0 || lots == held {
            let cross = self.cross_pool(self.pools[pool as usize].account, instrument.spec.settle);
            self.credit(cross, result);
        } else {
            self.credit(pool, result);
        }
        realised
    }

    /// Adds to a pool's collateral, and so to its certificate.
    pub(super) fn credit(&mut self, pool: u32, amount: i128) {
        let record = &mut self.pools[pool as usize];
        let before = record.collateral;
        record.collateral += amount;
        if record.slack >= 0 {
            record.slack = slack_of(i128::from(record.slack) + amount);
        }
        self.note_collateral(pool, before);
        self.pay_into_sweep(pool, amount);
        self.spend_slack(pool);
        self.touch(pool);
        self.note_change(pool);
    }

    /// Changes a position, and with it the holders of its instrument and the certificate of its pool.
    pub(super) fn reposition<T>(
        &mut self,
        market: &Market,
        holding: u32,
        change: impl FnOnce(&mut Position) -> T,
    ) -> T {
        let record = &self.holdings[holding as usize];
        let (id, pool, before) = (record.instrument, record.pool, record.position);
        let instrument = self.rules(market, record);
        let result = change(&mut self.holdings[holding as usize].position);
        let after = self.holdings[holding as usize].position;
        self.note_position(holding, &before);
        self.long_lots[id.index()] += after.quantity.max(0) - before.quantity.max(0);
        match (before.quantity, after.quantity) {
            (0, 0) => {}
            (0, _) => {
                self.enter_holders(holding, id);
                self.watch_levels(pool, instrument);
            }
            (_, 0) => self.leave_holders(holding, id),
            _ => {}
        }
        let slack = self.pools[pool as usize].slack;
        if slack >= 0 {
            let change = self.corner_change(instrument, holding, &before, &after);
            let left = change.map_or(UNCERTIFIED, |change| slack_of(i128::from(slack) + change));
            self.pools[pool as usize].slack = left;
        }
        self.void_lines(pool);
        self.drop_floor(market, holding);
        self.spend_slack(pool);
        self.touch(pool);
        self.note_change(pool);
        result
    }

    pub(super) fn enter_holders(&mut self, holding: u32, instrument: InstrumentId) {
        let holders = &mut self.holders[instrument.index()];
        self.holdings[holding as usize].holder = holders.len() as u32;
        if holders.len() == holders.capacity() {
            holders.reserve_exact(spare(holders.len()));
        }
        holders.push(holding);
        let holders = holders.len();
        if self.finder.sweeps() {
            self.sweep.reserve(instrument, holders / self.finder.swept_part());
            reserve(&mut self.below, holders);
        }
    }

    /// Enters all holdings with a position among the holders, where none is yet.
    #[cfg(feature = "journal")]
    pub(super) fn enter_all_holders(&mut self) {
        let mut counts = vec![0; self.holders.len()];
        self.for_each_position(|instrument, _| counts[instrument.index()] += 1);
        for (holders, count) in self.holders.iter_mut().zip(counts) {
            holders.reserve_exact(count + spare(count));
        }
        for at in 0..self.holdings.len() {
            if self.holdings[at].position.quantity != 0 {
                self.enter_holders(at as u32, self.holdings[at].instrument);
            }
        }
    }

    fn leave_holders(&mut self, holding: u32, instrument: InstrumentId) {
        let holders = &mut self.holders[instrument.index()];
        let place = std::mem::replace(&mut self.holdings[holding as usize].holder, ABSENT);
        holders.swap_remove(place as usize);
        if let Some(&moved) = holders.get(place as usize) {
            self.holdings[moved as usize].holder = place;
        }
    }
}

/// By how many a list of so many holders grows: by few, since there is one for each instrument.
fn spare(holders: usize) -> usize {
    holders / 8 + 8
}

/// Makes room for so many in all.
fn reserve(list: &mut Vec<u32>, entries: usize) {
    list.reserve(entries.saturating_sub(list.len()));
}
