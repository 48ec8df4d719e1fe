//! What an account's owner asks for and may be refused: deposits, withdrawals,
//! leverage, margin, orders (model sections 3 and 9).

use super::command::OrderFields;
use super::input::{Refusal, refuse};
use super::number::{Int, Rat, int, pow10, rat, show_exact, zero};
use super::state::{At, Order, PoolId, PoolKind, Side, State, need, need_below_limit, need_positive, on_grid, sum};
use num_traits::{Signed, Zero};

impl State {
    /// An account not declared exists from its first deposit on.
    pub fn do_deposit(&mut self, account: u64, asset: &str, amount: &Rat) -> Result<(), Refusal> {
        let asset = self.asset_id(asset)?;
        need_positive("amount", amount)?;
        let amount = self.quanta(asset, amount)?;
        need_below_limit("amount", &amount)?;
        let pool = self.accounts.get(&account).and_then(|a| a.pools.get(&asset));
        let before = pool.map(|p| p.balance.clone()).unwrap_or_default();
        need_below_limit("the balance", &(before + &amount))?;
        self.accounts.entry(account).or_default();
        self.cross_mut(account, asset).balance += &amount;
        self.assets[asset].deposits += &amount;
        Ok(())
    }

    pub fn do_withdraw(&mut self, account: u64, asset: &str, amount: &Rat) -> Result<(), Refusal> {
        let (asset, amount) = self.withdrawable(account, asset, amount)?;
        self.cross_mut(account, asset).balance -= &amount;
        self.assets[asset].withdrawals += &amount;
        Ok(())
    }

    /// All that may refuse a withdrawal; the asset and the amount in quanta.
    pub fn withdrawable(&self, account: u64, asset: &str, amount: &Rat) -> Result<(usize, Int), Refusal> {
        let asset = self.asset_id(asset)?;
        self.need_account(account)?;
        need_positive("amount", amount)?;
        let amount = self.quanta(asset, amount)?;
        need_below_limit("amount", &amount)?;
        self.need_unlocked(PoolId { account, kind: PoolKind::Cross(asset) })?;
        let before = self.available(account, asset);
        need_available(&before, &(&before - &amount))?;
        Ok((asset, amount))
    }

    pub fn do_leverage(&mut self, account: u64, symbol: &str, leverage: &Rat) -> Result<(), Refusal> {
        let i = self.instrument_id(symbol)?;
        self.need_account(account)?;
        let places = self.places(account, i);
        let most = self.max_leverage(account, i);
        let fits = *leverage >= rat(&int(1)) && *leverage <= Rat::new(most, int(100));
        need(fits, "bad_value", format!("leverage {} is out of range", show_exact(leverage)))?;
        let new = on_grid(leverage, &Rat::new(int(1), pow10(2)), "hundredth")?;
        for at in places {
            self.need_unlocked(self.own_pool(account, at))?;
        }
        self.need_margin_for_leverage(account, i, &new)?;
        let asset = self.settle_of(i);
        self.cross_mut(account, asset);
        self.terms_mut(account, i).leverage = Some(new);
        Ok(())
    }

    /// Sets the new leverage for trial, and takes it back.
    fn need_margin_for_leverage(&mut self, account: u64, i: usize, new: &Int) -> Result<(), Refusal> {
        let asset = self.settle_of(i);
        let old_setting = self.terms(account, i).leverage;
        let lowered = *new < self.leverage(account, i);
        let before = self.available(account, asset);
        self.terms_mut(account, i).leverage = Some(new.clone());
        let after = self.available(account, asset);
        let covered = self.places(account, i).iter().all(|&at| self.isolated_margin_covers(account, at, &zero()));
        self.terms_mut(account, i).leverage = old_setting;
        if self.terms(account, i).isolated && lowered {
            need(covered, "insufficient_margin", "the isolated margin does not cover IM")?;
        }
        need_available(&before, &after)
    }

    /// `margin + change + min(0, uPnL) ≥ IM(|S|)`
    fn isolated_margin_covers(&self, account: u64, at: At, change: &Int) -> bool {
        let holding = self.holding(account, at);
        let loss = self.upnl(at.i, &holding.position).min(zero());
        holding.margin + change + loss >= self.position_im(account, at)
    }

    pub fn do_margin_mode(&mut self, account: u64, symbol: &str, isolated: bool) -> Result<(), Refusal> {
        let i = self.instrument_id(symbol)?;
        self.need_account(account)?;
        let places = self.places(account, i);
        let flat = places.iter().all(|&at| self.position(account, at).q.is_zero());
        let ordered = self.accounts[&account].orders.iter().any(|o| o.at.i == i);
        need(flat && !ordered, "bad_value", format!("{symbol} has a position or orders"))?;
        if self.terms(account, i).isolated {
            for at in places {
                self.need_unlocked(self.own_pool(account, at))?; // it may wait though it is empty
            }
        }
        let asset = self.settle_of(i);
        self.cross_mut(account, asset);
        self.terms_mut(account, i).isolated = isolated;
        Ok(())
    }

    pub fn do_isolated_margin(
        &mut self,
        account: u64,
        symbol: &str,
        amount: &Rat,
        leg: &Option<String>,
    ) -> Result<(), Refusal> {
        let i = self.instrument_id(symbol)?;
        self.need_account(account)?;
        let at = self.place(account, i, leg)?;
        let asset = self.settle_of(i);
        let holding = self.holding(account, at);
        need(!amount.is_zero(), "bad_value", "amount is 0")?;
        need(self.terms(account, i).isolated, "bad_value", format!("{symbol} is not isolated"))?;
        need(!holding.position.q.is_zero(), "bad_value", format!("no position in {symbol}"))?;
        let amount = self.quanta(asset, amount)?;
        need_below_limit("amount", &amount)?;
        need_below_limit("the margin", &(&holding.margin + &amount))?;
        if amount.is_positive() {
            self.need_unlocked(PoolId { account, kind: PoolKind::Cross(asset) })?;
            let before = self.available(account, asset);
            need_available(&before, &(&before - &amount))?;
        } else {
            self.need_unlocked(PoolId { account, kind: PoolKind::Isolated(at) })?;
            let covered = self.isolated_margin_covers(account, at, &amount);
            need(covered, "insufficient_margin", "the isolated margin does not cover IM")?;
        }
        self.cross_mut(account, asset).balance -= &amount;
        self.holding_mut(account, at).margin += &amount;
        Ok(())
    }

    pub fn do_order(&mut self, f: &OrderFields) -> Result<(), Refusal> {
        let i = self.instrument_id(&f.symbol)?;
        self.need_account(f.account)?;
        let at = self.place(f.account, i, &f.position_side)?;
        let side = Side::read(&f.side);
        need_positive("qty", &f.qty)?;
        need_positive("price", &f.price)?;
        // Against its leg an order is reduce-only, whether it says so or not.
        let reduce_only = f.reduce_only || !at.leg.allows(side);
        if reduce_only {
            self.need_reducible(f.account, at, side, &f.qty)?;
        }
        let price = self.ticks(i, &f.price)?;
        let rest = self.lots(i, &f.qty)?;
        need_below_limit("price", &price)?;
        need_below_limit("qty", &rest)?;
        need_below_limit("qty · price · unit", &self.notional_at(i, &rest, &price))?;
        let asset = self.settle_of(i);
        self.need_open(f.account, i, reduce_only)?;
        self.need_unlocked(self.own_pool(f.account, at))?;
        self.need_unlocked(PoolId { account: f.account, kind: PoolKind::Cross(asset) })?;
        let order = Order { id: f.order, at, side, rest, price, reduce_only };
        self.need_within_limits(f.account, &order)?;
        self.add_order(f.account, order)
    }

    /// Adds the order for trial; what refuses it takes it out again.
    fn add_order(&mut self, account: u64, order: Order) -> Result<(), Refusal> {
        let (id, at) = (order.id, order.at);
        let asset = self.settle_of(at.i);
        let taken = self.accounts[&account].orders.iter().any(|o| o.id == id);
        let before = (self.available(account, asset), self.reach_with_orders(account, at));
        self.orders_mut(account).push(order);
        let after = (self.available(account, asset), self.reach_with_orders(account, at));
        // Beyond the last cap, or the last rate, and further than before.
        let (notional, lots, beyond) = &after.1;
        let grows = if self.instruments[at.i].tiers.rows.is_empty() && !self.instruments[at.i].inverse {
            *lots > before.1.1
        } else {
            *notional > before.1.0
        };
        let beyond = *beyond && grows;
        let outcome = need(!beyond, "insufficient_margin", "beyond the last cap")
            .and_then(|()| need_available(&before.0, &after.0))
            .and_then(|()| need(!taken, "duplicate", format!("order {id} is open")));
        if outcome.is_err() {
            self.orders_mut(account).pop();
        } else {
            self.cross_mut(account, asset);
        }
        outcome
    }

    pub fn orders_mut(&mut self, account: u64) -> &mut Vec<Order> {
        &mut self.accounts.get_mut(&account).expect("account was checked").orders
    }

    /// Reduce-only orders close, and together never exceed the position.
    fn need_reducible(&self, account: u64, at: At, side: Side, qty: &Rat) -> Result<(), Refusal> {
        let position = self.position(account, at);
        let closes = !position.q.is_zero() && side == Side::closing(&position.q);
        need(closes, "bad_value", "a reduce-only order without a position on the other side")?;
        let room = position.size() - self.reduce_only_rest(account, at);
        let fits = *qty <= rat(&room) * &self.instruments[at.i].lot;
        need(fits, "bad_value", format!("reduce-only {} is too large", show_exact(qty)))
    }

    pub fn reduce_only_rest(&self, account: u64, at: At) -> Int {
        let orders = self.accounts[&account].orders.iter();
        let counted = orders.filter(|o| o.at == at && o.reduce_only);
        sum(counted.map(|o| o.rest.clone()))
    }

    pub fn do_cancel(&mut self, account: u64, order: u64) -> Result<(), Refusal> {
        self.need_account(account)?;
        let orders = self.orders_mut(account);
        match orders.iter().position(|o| o.id == order) {
            Some(at) => {
                orders.remove(at);
                Ok(())
            }
            None => refuse("unknown_order", format!("order {order} is not open")),
        }
    }

    fn need_unlocked(&self, pool: PoolId) -> Result<(), Refusal> {
        need(!self.is_locked(pool), "locked", format!("{} is locked", self.pool_name(pool)))
    }
}

/// Refused if it leaves `available < 0` and lower than before.
fn need_available(before: &Int, after: &Int) -> Result<(), Refusal> {
    let fits = !after.is_negative() || after >= before;
    need(fits, "insufficient_margin", format!("available would be {after} quanta"))
}
