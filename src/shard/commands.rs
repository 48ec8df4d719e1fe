//! Commands that concern one account: what is checked, in the order of the protocol, and what they do.

use super::Shard;
use super::margin::maintenance;
use super::store::leverage_of;
use super::store::{NONE, OrderBook};
use crate::checks;
use crate::command::{MarginMode, OffGrid, PositionMode, PositionSide};
use crate::event::PoolName;
use crate::market::{AssetId, InstrumentId, Market};
use crate::number::{LEVERAGE_ONE, LIMIT};
use crate::refusal::Refusal;

impl Shard {
    /// Adds to a balance, of an account that is made if it does not exist.
    ///
    /// # Errors
    ///
    /// Bad value, off grid, or a balance of 2^62 and more.
    pub(crate) fn deposit(
        &mut self,
        account: u64,
        asset: AssetId,
        amount: i64,
        off_grid: OffGrid,
    ) -> Result<(), Refusal> {
        checks::amount(amount, off_grid)?;
        let index = self.find(account);
        let balance = index.map_or(0, |index| self.balance(index, asset));
        if balance + i128::from(amount) >= LIMIT {
            return Err(Refusal::Overflow { what: "the balance" });
        }
        let index = index.unwrap_or_else(|| self.add_account(account, PositionMode::OneWay));
        let pool = self.ensure_pool(index, PoolName::Cross(asset));
        self.sums[asset.index()].deposits += i128::from(amount);
        self.credit(pool, i128::from(amount));
        Ok(())
    }

    /// Takes from a balance what is available.
    ///
    /// # Errors
    ///
    /// Bad value, off grid, locked, or not available.
    pub(crate) fn withdraw(
        &mut self,
        market: &Market,
        account: u32,
        asset: AssetId,
        amount: i64,
        off_grid: OffGrid,
    ) -> Result<(), Refusal> {
        let pool = self.check_withdrawal(market, account, asset, amount, off_grid)?;
        self.sums[asset.index()].withdrawals += i128::from(amount);
        self.credit(pool, -i128::from(amount));
        Ok(())
    }

    /// The pool from which an amount may be taken out.
    pub(super) fn check_withdrawal(
        &self,
        market: &Market,
        account: u32,
        asset: AssetId,
        amount: i64,
        off_grid: OffGrid,
    ) -> Result<u32, Refusal> {
        checks::amount(amount, off_grid)?;
        let pool = self.find_pool(account, PoolName::Cross(asset));
        self.check_free(account, pool)?;
        let after = self.disposable(market, account, asset).available - i128::from(amount);
        pool.filter(|_| after >= 0).ok_or(Refusal::InsufficientMargin { after })
    }

    /// Sets the leverage, in hundredths, of an account in an instrument.
    ///
    /// # Errors
    ///
    /// Bad value, off grid, locked, or a margin that does not suffice for the lower leverage.
    pub(crate) fn set_leverage(
        &mut self,
        market: &Market,
        account: u32,
        id: InstrumentId,
        leverage: u32,
        off_grid: OffGrid,
    ) -> Result<(), Refusal> {
        let instrument = market.instrument(id);
        let of = |at: u32| {
            let position = &self.holdings[at as usize].position;
            instrument.max_leverage(position.quantity, position.notional(instrument))
        };
        let maximum = self.legs(account, id).map(of).min().unwrap_or_else(|| instrument.max_leverage(0, 0));
        if leverage < LEVERAGE_ONE || leverage > maximum || (off_grid.amount && leverage == maximum) {
            return Err(Refusal::Leverage { maximum });
        }
        checks::on_grid(off_grid, "leverage")?;
        if self.legs(account, id).is_empty() {
            self.check_free(account, self.find_pool(account, PoolName::Cross(instrument.spec.settle)))?;
        }
        for at in self.legs(account, id) {
            self.check_free(account, Some(self.holdings[at as usize].pool))?;
        }
        self.check_margin_for_leverage(market, account, id, leverage)?;
        self.ensure_holdings(market, account, id);
        for at in self.legs(account, id) {
            self.holdings[at as usize].leverage = leverage;
            self.drop_floor(market, at);
        }
        Ok(())
    }

    fn check_margin_for_leverage(
        &self,
        market: &Market,
        account: u32,
        id: InstrumentId,
        leverage: u32,
    ) -> Result<(), Refusal> {
        let legs = self.legs(account, id);
        let Some(first) = legs.clone().next() else { return Ok(()) };
        let (mode, before) = (self.mode(first), leverage_of(market, &self.holdings[first as usize]));
        let requirement = |leverage| {
            let required = legs.clone().map(|at| self.requirement_of(market, at, leverage));
            match mode {
                MarginMode::Cross => required.max().unwrap_or(0),
                MarginMode::Isolated => required.sum(),
            }
        };
        let rise = requirement(leverage) - requirement(before);
        let after = self.disposable(market, account, market.instrument(id).spec.settle).available - rise;
        if after < 0 && rise > 0 {
            return Err(Refusal::InsufficientMargin { after });
        }
        if mode == MarginMode::Isolated && leverage < before {
            legs.clone().try_for_each(|at| self.check_isolated(market, at, leverage, 0))?;
        }
        Ok(())
    }

    /// An isolated position needs `margin + min(0, uPnL) ≥ IM` after its leverage or its margin is lowered.
    fn check_isolated(&self, market: &Market, at: u32, leverage: u32, change: i128) -> Result<(), Refusal> {
        let holding = &self.holdings[at as usize];
        let instrument = market.instrument(holding.instrument);
        let unrealised = holding.position.unrealised(instrument);
        let margin = self.pools[holding.pool as usize].collateral + change + unrealised.min(0);
        let notional = holding.position.notional(instrument);
        let needed = instrument.initial_margin(holding.position.quantity, notional, leverage);
        if margin < needed { Err(Refusal::InsufficientIsolatedMargin { margin, needed }) } else { Ok(()) }
    }

    /// Sets cross or isolated margin for an account in an instrument.
    ///
    /// # Errors
    ///
    /// Bad value if there is a position or an order; locked.
    pub(crate) fn set_margin_mode(
        &mut self,
        market: &Market,
        account: u32,
        id: InstrumentId,
        mode: MarginMode,
    ) -> Result<(), Refusal> {
        let in_use =
            |at: u32| self.holdings[at as usize].position.quantity != 0 || *self.order_book(at) != OrderBook::EMPTY;
        if self.legs(account, id).any(in_use) {
            return Err(Refusal::ModeInUse { account: self.accounts[account as usize].id });
        }
        for at in self.legs(account, id).filter(|&at| self.mode(at) == MarginMode::Isolated) {
            // Its pool may be locked although it is empty: the venue is still to cancel.
            self.check_free(account, Some(self.holdings[at as usize].pool))?;
        }
        self.ensure_holdings(market, account, id);
        for at in self.legs(account, id) {
            let pool = match mode {
                MarginMode::Cross => PoolName::Cross(market.instrument(id).spec.settle),
                MarginMode::Isolated => PoolName::Isolated(id, self.holdings[at as usize].side),
            };
            let pool = self.ensure_pool(account, pool);
            if self.holdings[at as usize].pool != pool {
                self.move_holding(at, pool);
            }
        }
        Ok(())
    }

    /// Moves `amount` from the balance to an isolated margin, or back if negative.
    ///
    /// # Errors
    ///
    /// Bad value, off grid, overflow, locked, or a margin or balance that does not suffice.
    pub(crate) fn move_margin(
        &mut self,
        market: &Market,
        account: u32,
        (id, side): (InstrumentId, Option<PositionSide>),
        amount: i64,
        off_grid: OffGrid,
    ) -> Result<(), Refusal> {
        checks::position_side(self.accounts[account as usize].id, side, self.hedges(account))?;
        if amount == 0 && !off_grid.amount {
            return Err(Refusal::ZeroAmount);
        }
        let isolated =
            |at: &u32| self.mode(*at) == MarginMode::Isolated && self.holdings[*at as usize].position.quantity != 0;
        let none = Refusal::NoIsolatedPosition { account: self.accounts[account as usize].id };
        let holding = self.holding(account, id, side).filter(isolated).ok_or(none)?;
        checks::on_grid(off_grid, "amount")?;
        let amount = i128::from(amount);
        let pool = self.holdings[holding as usize].pool;
        if amount.abs() >= LIMIT || self.pools[pool as usize].collateral + amount >= LIMIT {
            return Err(Refusal::Overflow { what: "the margin" });
        }
        let settle = market.instrument(id).spec.settle;
        let cross = self.cross_pool(account, settle);
        if amount > 0 {
            self.check_free(account, Some(cross))?;
            let after = self.disposable(market, account, settle).available - amount;
            if after < 0 {
                return Err(Refusal::InsufficientMargin { after });
            }
        } else {
            self.check_free(account, Some(pool))?;
            self.check_isolated(market, holding, leverage_of(market, &self.holdings[holding as usize]), amount)?;
        }
        self.credit(cross, -amount);
        self.credit(pool, amount);
        Ok(())
    }

    pub(super) fn balance(&self, account: u32, asset: AssetId) -> i128 {
        self.find_pool(account, PoolName::Cross(asset)).map_or(0, |pool| self.pools[pool as usize].collateral)
    }

    fn check_free(&self, account: u32, pool: Option<u32>) -> Result<(), Refusal> {
        match pool {
            Some(pool) if self.pools[pool as usize].is_locked() => {
                Err(Refusal::Locked { account: self.accounts[account as usize].id })
            }
            _ => Ok(()),
        }
    }

    /// The maintenance margin of a holding at the present mark.
    pub(super) fn maintenance_of(&self, market: &Market, holding: u32) -> i128 {
        debug_assert_ne!(holding, NONE);
        let holding = &self.holdings[holding as usize];
        maintenance(self.rules(market, holding), &holding.position)
    }
}
