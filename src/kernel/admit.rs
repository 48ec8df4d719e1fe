//! Admission: what a command says is checked, in the order of the protocol, and carried out.

use super::{Kernel, Waiter};
use crate::checks;
use crate::command::{Command, Fill, Liquidity, OffGrid, Side};
use crate::event::FundReason;
use crate::market::{AssetId, FundId, InstrumentId};
use crate::number::{LIMIT, Price, Quantity, charge};
use crate::refusal::Refusal;
use crate::shard::FillSide;
use crate::venue::{BookUpdate, Level};

impl Kernel {
    /// Checks a command and carries it out; on refusal nothing has changed.
    pub(super) fn admit(&mut self, command: &Command, off_grid: OffGrid) -> Result<(), Refusal> {
        match *command {
            Command::Mark { instrument, price } => self.admit_mark(instrument, price, off_grid),
            Command::Last { instrument, price } => self.admit_last(instrument, price, off_grid),
            Command::Fill(ref fill) => self.admit_fill(fill, off_grid),
            Command::Order(ref order) => {
                self.check_instrument(order.instrument)?;
                let (shard, account) = self.locate(order.account)?;
                self.shards[shard].place_order(&self.market, account, order, off_grid, self.orders_accepted)?;
                self.orders_accepted += 1;
                Ok(())
            }
            Command::Cancel { account, order } => {
                let (shard, account) = self.locate(account)?;
                self.shards[shard].cancel_order(&self.market, account, order)
            }
            Command::Account { account } => {
                let shard = self.shard_of(account);
                if self.shards[shard].find(account).is_some() {
                    return Err(Refusal::DuplicateAccount(account));
                }
                self.shards[shard].add_account(account);
                Ok(())
            }
            Command::Deposit { account, asset, amount } => {
                self.check_asset(asset)?;
                let shard = self.shard_of(account);
                self.shards[shard].deposit(account, asset, amount, off_grid)?;
                self.arbiter.ledger.deposits[asset.index()] += i128::from(amount);
                Ok(())
            }
            Command::Withdraw { account, asset, amount } => {
                self.check_asset(asset)?;
                let (shard, account) = self.locate(account)?;
                self.shards[shard].withdraw(&self.market, account, asset, amount, off_grid)?;
                self.arbiter.ledger.withdrawals[asset.index()] += i128::from(amount);
                Ok(())
            }
            Command::Leverage { account, instrument, leverage } => {
                self.check_instrument(instrument)?;
                let (shard, account) = self.locate(account)?;
                self.shards[shard].set_leverage(&self.market, account, instrument, leverage, off_grid)
            }
            Command::MarginMode { account, instrument, mode } => {
                self.check_instrument(instrument)?;
                let (shard, account) = self.locate(account)?;
                self.shards[shard].set_margin_mode(&self.market, account, instrument, mode)
            }
            Command::IsolatedMargin { account, instrument, amount } => {
                self.check_instrument(instrument)?;
                let (shard, account) = self.locate(account)?;
                self.shards[shard].move_margin(&self.market, account, instrument, amount, off_grid)
            }
            Command::FundDeposit { fund, amount } => self.admit_fund_deposit(fund, amount, off_grid),
            Command::LiquidationFill { liquidation, quantity, price } => {
                self.admit_liquidation_fill(liquidation, quantity, price, off_grid)
            }
            Command::LiquidationExpire { liquidation } => self.admit_expiry(liquidation),
            Command::Time { .. } => Ok(()),
        }
    }

    fn admit_mark(&mut self, id: InstrumentId, price: Price, off_grid: OffGrid) -> Result<(), Refusal> {
        self.check_instrument(id)?;
        checks::positive("price", price, off_grid.price)?;
        checks::on_grid(off_grid, "qty")?;
        let lots = self.open_interest(id).max(1);
        let instrument = &mut self.market.instruments[id.index()];
        if instrument.admitted_value(lots, price).is_none() {
            return Err(Refusal::Overflow { what: "open interest · mark · unit" });
        }
        let came_to_life = instrument.mark.replace(price).is_none();
        for shard in &mut self.shards {
            shard.on_mark(&self.market, id, came_to_life);
        }
        self.arbiter.on_mark(id);
        Ok(())
    }

    fn admit_last(&mut self, id: InstrumentId, price: Price, off_grid: OffGrid) -> Result<(), Refusal> {
        self.check_instrument(id)?;
        checks::positive("price", price, off_grid.price)?;
        checks::on_grid(off_grid, "qty")?;
        let instrument = &mut self.market.instruments[id.index()];
        instrument.admitted_value(1, price).ok_or(Refusal::Overflow { what: "price · unit" })?;
        instrument.last = Some(price);
        Ok(())
    }

    fn admit_fill(&mut self, fill: &Fill, off_grid: OffGrid) -> Result<(), Refusal> {
        self.check_instrument(fill.instrument)?;
        let own = self.locate(fill.account)?;
        let counter = fill.counterparty.map(|account| self.locate(account)).transpose()?;
        if fill.counterparty == Some(fill.account) {
            return Err(Refusal::SelfFill(fill.account));
        }
        checks::positive("qty", fill.quantity, off_grid.amount)?;
        checks::positive("price", fill.price, off_grid.price)?;
        checks::on_grid(off_grid, "qty")?;
        self.check_fill_size(fill, own, counter)?;
        let instrument = self.market.instrument(fill.instrument);
        let spec = &instrument.spec;
        let notional = instrument.value(fill.quantity, fill.price);
        let (own_rate, counter_rate) = match fill.liquidity {
            Some(Liquidity::Maker) => (spec.maker_fee_ppb, spec.taker_fee_ppb),
            Some(Liquidity::Taker) => (spec.taker_fee_ppb, spec.maker_fee_ppb),
            None => (0, 0),
        };
        let settle = spec.settle;
        let side = |order, side: Side, rate| FillSide {
            order,
            instrument: fill.instrument,
            quantity: side.signed(fill.quantity),
            price: fill.price,
            fee: charge(notional, rate),
        };
        let own_side = side(fill.order, fill.side, own_rate);
        let counter_side = side(fill.counter_order, fill.side.opposite(), counter_rate);
        self.shards[own.0].book_fill(&self.market, own.1, &own_side, &mut self.events);
        self.arbiter.ledger.charge_fee(settle, own_side.fee);
        if let Some((shard, account)) = counter {
            self.shards[shard].book_fill(&self.market, account, &counter_side, &mut self.events);
            self.arbiter.ledger.charge_fee(settle, counter_side.fee);
        } else {
            self.arbiter.ledger.book_venue(&self.market, fill.instrument, fill.side, fill.quantity, fill.price);
        }
        Ok(())
    }

    /// The open interest after a fill, at the higher of its price and the mark, stays below 2^62; so does every position.
    fn check_fill_size(&self, fill: &Fill, own: (usize, u32), counter: Option<(usize, u32)>) -> Result<(), Refusal> {
        let overflow = Refusal::Overflow { what: "quantity · price · unit" };
        let instrument = self.market.instrument(fill.instrument);
        let price = fill.price.max(instrument.mark.unwrap_or(0));
        instrument.admitted_value(fill.quantity, price).ok_or(overflow)?;
        let quantity = |(shard, account): (usize, u32)| self.shards[shard].quantity(account, fill.instrument);
        let venue = self.arbiter.ledger.venue_positions[fill.instrument.index()].quantity;
        let change = fill.side.signed(fill.quantity);
        let longer = |before: Quantity, change: Quantity| (before + change).max(0) - before.max(0);
        let after = self.open_interest(fill.instrument)
            + longer(quantity(own), change)
            + longer(counter.map_or(venue, quantity), -change);
        instrument.admitted_value(after, price).ok_or(overflow)?;
        Ok(())
    }

    fn admit_fund_deposit(&mut self, fund: FundId, amount: i64, off_grid: OffGrid) -> Result<(), Refusal> {
        let spec = self.market.funds.get(fund.index()).ok_or(Refusal::UnknownFund(fund.0))?;
        checks::amount(amount, off_grid)?;
        let amount = i128::from(amount);
        if self.arbiter.balance(fund) + amount >= LIMIT {
            return Err(Refusal::Overflow { what: "the fund's balance" });
        }
        self.arbiter.ledger.deposits[spec.asset.index()] += amount;
        self.arbiter.credit(fund, amount, FundReason::Deposit, &mut self.events);
        Ok(())
    }

    fn admit_liquidation_fill(
        &mut self,
        id: u64,
        lots: Quantity,
        price: Price,
        off_grid: OffGrid,
    ) -> Result<(), Refusal> {
        let open = self.open_order(id)?;
        checks::positive("qty", lots, off_grid.amount)?;
        checks::positive("price", price, off_grid.price)?;
        if lots > open.rest || (off_grid.amount && lots == open.rest) {
            return Err(Refusal::BeyondRest { liquidation: id, rest: open.rest });
        }
        let worse = match open.side {
            Side::Sell => price < open.limit,
            Side::Buy => price > open.limit || (off_grid.price && price == open.limit),
        };
        if worse {
            return Err(Refusal::BeyondLimit { liquidation: id, limit: open.limit });
        }
        checks::on_grid(off_grid, "qty")?;
        let value = self.market.instrument(open.instrument).admitted_value(lots, price);
        value.ok_or(Refusal::Overflow { what: "qty · price · unit" })?;
        match open.waiter {
            Waiter::Pool { shard, pool } => {
                let account = self.shards[shard as usize].account_of(pool);
                self.book_order_fill(account, shard, pool, lots, price);
            }
            Waiter::Fund(instrument) => {
                self.arbiter.book_unwind(&self.market, instrument, lots, price, &mut self.events);
            }
        }
        if lots == open.rest {
            self.waiters.remove(&id);
        }
        Ok(())
    }

    /// The instrument of a liquidation order that the venue has not answered in full.
    ///
    /// # Errors
    ///
    /// [`Refusal::UnknownLiquidation`].
    pub fn liquidation_instrument(&self, id: u64) -> Result<InstrumentId, Refusal> {
        self.open_order(id).map(|open| open.instrument)
    }

    fn admit_expiry(&mut self, id: u64) -> Result<(), Refusal> {
        match self.open_order(id)?.waiter {
            Waiter::Pool { shard, pool } => self.shards[shard as usize].order_expired(pool),
            Waiter::Fund(instrument) => self.arbiter.unwind_expired(instrument),
        }
        self.waiters.remove(&id);
        Ok(())
    }

    /// An order that the venue has not answered in full.
    fn open_order(&self, id: u64) -> Result<OpenLiquidation, Refusal> {
        let unknown = Refusal::UnknownLiquidation(id);
        let waiter = *self.waiters.get(&id).ok_or(unknown)?;
        self.answers_to(id, waiter).ok_or(unknown)
    }

    /// The order `id`, if it is still the one that the waiter waits for.
    pub(super) fn answers_to(&self, id: u64, waiter: Waiter) -> Option<OpenLiquidation> {
        let (instrument, side, rest, limit) = match waiter {
            Waiter::Pool { shard, pool } => {
                let order = self.shards[shard as usize].waiting(pool).filter(|order| order.id == id)?;
                (order.instrument, order.side, order.rest, order.limit)
            }
            Waiter::Fund(instrument) => {
                let order = self.arbiter.unwinding(instrument).filter(|order| order.id == id)?;
                (instrument, order.side, order.rest, order.limit)
            }
        };
        Some(OpenLiquidation { waiter, instrument, side, rest, limit })
    }

    pub(super) fn check_book(&self, id: InstrumentId, update: &BookUpdate<'_>) -> Result<(), Refusal> {
        self.check_instrument(id)?;
        let instrument = self.market.instrument(id);
        let levels = || update.bids.into_iter().chain(update.asks).flatten();
        let prices = || update.bid.into_iter().chain(update.ask).chain(levels().map(|level| level.price));
        if prices().any(|price| price <= 0) {
            return Err(Refusal::NotPositive { what: "every price" });
        }
        if levels().any(|level| level.quantity <= 0) {
            return Err(Refusal::NotPositive { what: "every qty" });
        }
        let fits = levels().all(|level| instrument.admitted_value(level.quantity, level.price).is_some())
            && prices().all(|price| instrument.admitted_value(1, price).is_some());
        if !fits {
            return Err(Refusal::Overflow { what: "qty · price · unit" });
        }
        let ordered = |levels: Option<&[Level]>, in_order: fn(Price, Price) -> bool| {
            levels.is_none_or(|levels| levels.is_sorted_by(|a, b| in_order(a.price, b.price)))
        };
        if !ordered(update.bids, |a, b| a > b) || !ordered(update.asks, |a, b| a < b) {
            return Err(Refusal::BadDeclaration { what: "bids must fall and asks must rise from level to level" });
        }
        Ok(())
    }

    pub(super) fn check_instrument(&self, id: InstrumentId) -> Result<(), Refusal> {
        if id.index() < self.market.instruments.len() { Ok(()) } else { Err(Refusal::UnknownInstrument(id.0)) }
    }

    pub(super) fn check_asset(&self, id: AssetId) -> Result<(), Refusal> {
        if id.index() < self.market.assets.len() { Ok(()) } else { Err(Refusal::UnknownAsset(id.0)) }
    }

    /// The shard of an account and its index there.
    pub(super) fn locate(&self, account: u64) -> Result<(usize, u32), Refusal> {
        let shard = self.shard_of(account);
        let index = self.shards[shard].find(account).ok_or(Refusal::UnknownAccount(account))?;
        Ok((shard, index))
    }
}

/// An order at the venue, and who waits for it.
pub(super) struct OpenLiquidation {
    waiter: Waiter,
    instrument: InstrumentId,
    side: Side,
    rest: Quantity,
    limit: Price,
}
