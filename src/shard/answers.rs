//! The venue's answers to a pool in liquidation: cancellations, fills, expiries; in any order, late, twice, or never.
//!
//! An order that was sent for so many lots may be filled for so many, whenever the venue says so: that is a fact. What
//! the account no longer holds of them, because the position shrank or the lots were taken over meanwhile, is the
//! fund's.

use super::Shard;
use super::ended::Ended;
use super::liquidation::{Cancelling, Standing, Unfilled};
use super::reports::OrderFill;
use crate::checks;
use crate::command::{OffGrid, OrderName, Side};
use crate::event::{Events, PoolName};
use crate::market::{InstrumentId, Market};
use crate::number::{Price, Quantity, charge};
use crate::refusal::Refusal;

/// A fill of an order that was booked.
pub(super) struct BookedFill {
    pub(super) told: OrderFill,
    /// The holding whose reduce-only orders it may have made too large.
    pub(super) to_cut: Option<u32>,
}

/// Where an order of an account is.
enum Place {
    Standing { pool: u32 },
    Ended { at: u32 },
}

/// What a fill of an order would do.
pub(crate) struct FillPlan {
    place: Place,
    pub(crate) holding: u32,
    pub(crate) side: Side,
    /// The account's part.
    pub(crate) lots: Quantity,
    /// The fund's part.
    pub(crate) fund_lots: Quantity,
}

impl Shard {
    /// What a fill of the account's order would do.
    ///
    /// # Errors
    ///
    /// Unknown order, bad value, off grid, overflow.
    pub(crate) fn plan_fill(
        &self,
        market: &Market,
        account: u32,
        (order, instrument): (OrderName, InstrumentId),
        (lots, price): (Quantity, Price),
        off_grid: OffGrid,
    ) -> Result<FillPlan, Refusal> {
        let place = self.place_of(account, order)?;
        let (holding, side, limit, open) = match place {
            Place::Standing { pool } => {
                let Some(Standing { holding, side, limit, open, .. }) = self.standing(pool) else {
                    return Err(Refusal::UnknownLiquidation(order));
                };
                (holding, side, limit, open)
            }
            Place::Ended { at } => {
                let ended = &self.ended[at];
                (ended.holding, ended.side, ended.limit, ended.open)
            }
        };
        if self.holdings[holding as usize].instrument != instrument {
            return Err(Refusal::UnknownLiquidation(order));
        }
        checks::order_fill(order, (lots, price), off_grid, (side, open, limit))?;
        let instrument = market.instrument(instrument);
        instrument.admitted_value(lots, price).ok_or(Refusal::Overflow { what: "qty · price · unit" })?;
        let held = self.holdings[holding as usize].position.quantity;
        let closable = if side == Side::closing(held) { held.abs() } else { 0 };
        let own = match place {
            Place::Standing { pool } => self.standing(pool).map_or(0, |standing| standing.rest),
            Place::Ended { at } if self.ended[at].claimed => 0,
            Place::Ended { .. } => closable,
        };
        let own = own.min(lots);
        Ok(FillPlan { place, holding, side, lots: own, fund_lots: lots - own })
    }

    /// Books a fill of the account's order, as far as it is the account's. The fee is at most the pool's equity after it.
    pub(super) fn fill_order(
        &mut self,
        market: &Market,
        account: u32,
        (order, instrument): (OrderName, InstrumentId),
        (lots, price): (Quantity, Price),
        off_grid: OffGrid,
    ) -> Result<BookedFill, Refusal> {
        let plan = self.plan_fill(market, account, (order, instrument), (lots, price), off_grid)?;
        let (realised, fee) = match plan.place {
            Place::Standing { pool } => self.fill_standing(market, pool, lots, price),
            Place::Ended { at } => {
                self.fill_ended(account, at, lots, plan.lots);
                self.book_order_lots(market, plan.holding, plan.lots, price)
            }
        };
        let told = OrderFill {
            order,
            instrument,
            side: plan.side,
            price,
            lots: plan.lots,
            realised,
            fee,
            fund_lots: plan.fund_lots,
        };
        let late = matches!(plan.place, Place::Ended { .. }) && plan.lots > 0;
        Ok(BookedFill { told, to_cut: late.then_some(plan.holding) })
    }

    /// Books a fill of the order for which a pool waits: what it realised, and its fee.
    pub(crate) fn fill_standing(&mut self, market: &Market, pool: u32, lots: Quantity, price: Price) -> (i128, i128) {
        let Some(before) = self.standing(pool) else { return (0, 0) };
        let own = lots.min(before.rest);
        // The order first: the position's shrinking must not cut it twice.
        let after = Standing { rest: before.rest - own, open: before.open - lots, ..before };
        self.set_standing(pool, (after.rest > 0).then_some(after));
        let booked = self.book_order_lots(market, before.holding, own, price);
        if after.rest == 0 {
            self.remember(pool, after);
        }
        booked
    }

    /// Reduces a position by what the venue filled of its liquidation order: what it realised, and the fee.
    fn book_order_lots(&mut self, market: &Market, holding: u32, lots: Quantity, price: Price) -> (i128, i128) {
        if lots == 0 {
            return (0, 0);
        }
        let (pool, instrument) = (self.holdings[holding as usize].pool, self.holdings[holding as usize].instrument);
        let instrument = market.instrument(instrument);
        let realised = self.reduce(market, holding, lots, price);
        let fee = charge(instrument.notional(lots, price), instrument.spec.liquidation_fee_ppb);
        let fee = fee.min(self.evaluate(market, pool).equity.max(0));
        self.credit(pool, -fee);
        self.cut_standing_order(holding);
        (realised, fee)
    }

    fn fill_ended(&mut self, account: u32, at: u32, lots: Quantity, own: Quantity) {
        let ended = &mut self.ended[at];
        ended.open -= lots;
        let Ended { nth, holding, open, .. } = *ended;
        if open == 0 {
            self.ended.remove(account, at);
        }
        // Its rest may still wait to be claimed: the late fill has used it up.
        let pool = self.holdings[holding as usize].pool;
        if self.pools[pool as usize].is_locked() {
            let liquidation = self.liquidation_mut(pool);
            if let Some(unfilled) = liquidation.unfilled.as_mut().filter(|unfilled| unfilled.nth == nth) {
                unfilled.lots -= own;
            }
        }
    }

    /// The venue will fill no more of an order: what is left of it is to be taken over.
    pub(super) fn expire_order(&mut self, account: u32, order: OrderName) -> Result<(), Refusal> {
        match self.place_of(account, order)? {
            Place::Standing { pool } => {
                self.expire_standing(pool);
                Ok(())
            }
            Place::Ended { .. } => Err(Refusal::UnknownLiquidation(order)),
        }
    }

    /// The order for which a pool waits has expired.
    pub(crate) fn expire_standing(&mut self, pool: u32) {
        if let Some(standing) = self.set_standing(pool, None) {
            let Standing { nth, holding, rest: lots, .. } = standing;
            self.liquidation_mut(pool).unfilled = Some(Unfilled { nth, holding, lots });
            self.remember(pool, standing);
        }
        self.touch(pool);
    }

    /// The venue does not know what became of an order.
    pub(super) fn order_unknown(&mut self, account: u32, order: OrderName) -> Result<(), Refusal> {
        let Place::Standing { pool } = self.place_of(account, order)? else {
            return Err(Refusal::UnknownLiquidation(order));
        };
        if let Some(standing) = self.liquidation_mut(pool).standing.as_mut() {
            standing.unknown = true;
        }
        Ok(())
    }

    /// The venue has cancelled a pool's orders; it goes on when all executions before that are booked.
    pub(super) fn acknowledge_cancel(
        &mut self,
        market: &Market,
        account: u32,
        name: PoolName,
        execution: u64,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let waits =
            |pool: &u32| self.pools[*pool as usize].is_locked() && self.cancelling(*pool) == Cancelling::Requested;
        let not_waiting = Refusal::NotCancelling { account: self.accounts[account as usize].id };
        let pool = self.find_pool(account, name).filter(waits).ok_or(not_waiting)?;
        self.liquidation_mut(pool).cancelling = Cancelling::Acknowledged { execution };
        self.awaiting_executions += 1;
        self.complete_cancellations(market, account, events);
        Ok(())
    }

    /// Cancels the orders of those pools of an account whose executions up to the cancellation are all booked.
    pub(super) fn complete_cancellations(&mut self, market: &Market, account: u32, events: &mut Events) {
        if self.awaiting_executions == 0 {
            return;
        }
        let booked = self.accounts[account as usize].executions;
        let mut at = self.accounts[account as usize].first_pool;
        while let Some(pool) = self.pools.get(at as usize) {
            let (index, next) = (at, pool.next);
            at = next;
            if !pool.is_locked() {
                continue;
            }
            match self.cancelling(index) {
                Cancelling::Acknowledged { execution } if execution <= booked => {
                    self.awaiting_executions -= 1;
                    self.liquidation_mut(index).cancelling = Cancelling::Done;
                    self.cancel_orders_of_pool(market, index, events);
                    self.touch(index);
                }
                _ => {}
            }
        }
    }

    /// Whether fills of an order can still be booked.
    pub(crate) fn knows_order(&self, account: u64, nth: u32) -> bool {
        let owner = crate::command::OrderOwner::Account(account);
        self.find(account).is_some_and(|index| self.place_of(index, OrderName { owner, nth }).is_ok())
    }

    fn place_of(&self, account: u32, order: OrderName) -> Result<Place, Refusal> {
        let stands = |&pool: &u32| self.standing(pool).is_some_and(|standing| standing.nth == order.nth);
        if let Some(pool) = self.pools_of(account).find(stands) {
            return Ok(Place::Standing { pool });
        }
        self.ended.find(account, order.nth).map(|at| Place::Ended { at }).ok_or(Refusal::UnknownLiquidation(order))
    }

    /// Remembers an order that ends with lots that the venue may have filled. The simulated venue is never late.
    pub(super) fn remember(&mut self, pool: u32, order: Standing) {
        if order.open == 0 || !order.manual {
            return;
        }
        let Standing { nth, holding, side, limit, open, .. } = order;
        let account = self.pools[pool as usize].account;
        self.ended.push(account, Ended { nth, holding, side, limit, open, claimed: false });
    }

    /// Somebody else takes the unfilled lots of an order over: what the venue fills of them late is the fund's.
    pub(super) fn note_claimed(&mut self, account: u32, nth: u32) {
        if let Some(at) = self.ended.find(account, nth) {
            self.ended[at].claimed = true;
        }
    }
}
