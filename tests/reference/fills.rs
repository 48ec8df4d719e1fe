//! Booking of fills (model sections 2 and 3). A fill is a fact: past the checks
//! of its values nothing refuses it.

use super::command::FillFields;
use super::input::Refusal;
use super::number::{Int, ceil_div, floor_div, int, ppb, zero};
use super::state::{Lock, Order, PoolId, PoolKind, Side, State, need, need_below_limit, need_positive, sum};
use num_traits::{Signed, Zero};
use serde_json::json;

impl State {
    pub fn do_fill(&mut self, f: &FillFields) -> Result<(), Refusal> {
        let i = self.instrument_id(&f.symbol)?;
        self.need_account(f.account)?;
        if let Some(counter) = f.counterparty {
            self.need_account(counter)?;
        }
        let side = Side::read(&f.side);
        need_positive("qty", &f.qty)?;
        need_positive("price", &f.price)?;
        need(f.counterparty != Some(f.account), "bad_value", "a fill with itself")?;
        let price = self.ticks(i, &f.price)?;
        let qty = self.lots(i, &f.qty)?;
        need_below_limit("price", &price)?;
        need_below_limit("qty", &qty)?;
        self.need_bookable(i, f, side, &qty, &price)?;

        let (maker, taker) = (self.instruments[i].maker_fee.clone(), self.instruments[i].taker_fee.clone());
        let (own_rate, counter_rate) = match f.liquidity.as_deref() {
            Some("maker") => (maker, taker),
            Some(_) => (taker, maker),
            None => (zero(), zero()),
        };
        self.book_account_fill(f.account, i, side, &qty, &price, f.order, &own_rate);
        match f.counterparty {
            Some(counter) => {
                let side = side.other();
                let order = f.counter_order;
                self.book_account_fill(counter, i, side, &qty, &price, order, &counter_rate);
            }
            None => self.book_venue_fill(i, side.other(), &qty, &price),
        }
        Ok(())
    }

    /// `max(OI after, qty) · max(price, mark) · unit` stays below 2^62.
    fn need_bookable(&self, i: usize, f: &FillFields, side: Side, qty: &Int, price: &Int) -> Result<(), Refusal> {
        let own = self.holding(f.account, i).position.q;
        let other = match f.counterparty {
            Some(counter) => self.holding(counter, i).position.q,
            None => self.instruments[i].venue.q.clone(),
        };
        let after = self.open_interest_after(i, &[(own, side.signed(qty)), (other, side.other().signed(qty))]);
        let worst = self.value_at(i, &after.max(qty.clone()), self.higher_of_mark_and(i, price));
        need_below_limit("open interest · price · unit", &worst)
    }

    /// One side of a user's fill: order, close, open, fee, cuts; then what waits
    /// for this execution.
    #[allow(clippy::too_many_arguments)]
    fn book_account_fill(
        &mut self,
        account: u64,
        i: usize,
        side: Side,
        qty: &Int,
        price: &Int,
        order: Option<u64>,
        rate: &Int,
    ) {
        let asset = self.settle_of(i);
        self.cross_mut(account, asset);
        if let Some(order) = order {
            self.use_order(account, order, i, side, qty);
        }
        let position = self.holding(account, i).position;
        let closed = position.closed_by(side, qty);
        let opened = qty - &closed;
        if closed.is_positive() {
            let value = self.value_at(i, &position.part(&closed), price);
            self.reduce(account, i, &closed, &value);
        }
        if opened.is_positive() {
            self.open(account, i, side, &opened, price);
        }
        let fee = ceil_div(&(self.value_at(i, qty, price) * rate), &ppb());
        self.cross_mut(account, asset).balance -= &fee;
        self.assets[asset].fees += &fee;
        self.cut_reduce_only(account, i);
        self.cut_standing(i);
        self.count_execution(account);
    }

    /// Uses what rest of the order there is; `order_mismatch` says what it did
    /// not cover. An order of another symbol or side is left alone.
    fn use_order(&mut self, account: u64, id: u64, i: usize, side: Side, qty: &Int) {
        let orders = self.orders_mut(account);
        let found = orders.iter().position(|o| o.id == id && o.instrument == i && o.side == side);
        let mut uncovered = qty.clone();
        if let Some(at) = found {
            let used = qty.min(&orders[at].rest).clone();
            orders[at].rest -= &used;
            uncovered -= used;
            if orders[at].rest.is_zero() {
                orders.remove(at);
            }
        }
        if uncovered.is_positive() {
            let qty = self.show_qty(i, &uncovered);
            self.emit("order_mismatch", json!({"account": account, "order": id, "qty": qty}));
        }
    }

    /// Takes `k` lots of a position out at `value` (signed, of the closed part)
    /// and returns what is realised.
    pub fn reduce(&mut self, account: u64, i: usize, k: &Int, value: &Int) -> Int {
        let asset = self.settle_of(i);
        let holding = self.holding_mut(account, i);
        let size = holding.position.size();
        let realised = value - holding.position.remove(k);
        if !holding.isolated {
            self.cross_mut(account, asset).balance += &realised;
        } else if holding.lock.locked {
            holding.margin += &realised; // during liquidation nothing is released
        } else {
            self.release(account, i, k, &size, &realised);
        }
        realised
    }

    /// A reduction of an isolated position releases `r = floor(margin · k / |q|)`:
    /// `r + realised`, if positive, goes to the balance; a shortfall is taken
    /// from the margin, from the balance only when the position is closed.
    fn release(&mut self, account: u64, i: usize, k: &Int, size: &Int, realised: &Int) {
        let asset = self.settle_of(i);
        let holding = self.holding_mut(account, i);
        let released = floor_div(&(&holding.margin * k), size);
        let result = &released + realised;
        holding.margin -= released;
        if result.is_positive() || holding.position.q.is_zero() {
            self.cross_mut(account, asset).balance += result;
        } else {
            holding.margin += result;
        }
    }

    /// Opens or increases; an isolated position takes margin from the balance.
    fn open(&mut self, account: u64, i: usize, side: Side, k: &Int, price: &Int) {
        let q = side.signed(k);
        let cost = self.value_at(i, &q, price);
        let holding = self.holding_mut(account, i);
        holding.position.add(&q, &cost);
        if holding.isolated {
            self.take_isolated_margin(account, i, k, price);
        }
    }

    /// `min(ceil(N(k, price) / min(leverage, max_leverage)), max(0, balance))`,
    /// the tier being the whole position's at the fill price. A locked cross
    /// pool gives nothing.
    fn take_isolated_margin(&mut self, account: u64, i: usize, k: &Int, price: &Int) {
        let asset = self.settle_of(i);
        let cross = self.cross(account, asset);
        if cross.lock.locked {
            return;
        }
        let whole = self.value_at(i, &self.holding(account, i).position.size(), price);
        let max_leverage = self.instruments[i].tiers.max_leverage(&whole).clone();
        let leverage = self.leverage(account, i).min(max_leverage);
        let wanted = ceil_div(&(self.value_at(i, k, price) * int(100)), &leverage);
        let taken = wanted.min(cross.balance.max(zero()));
        self.cross_mut(account, asset).balance -= &taken;
        self.holding_mut(account, i).margin += &taken;
    }

    /// The external venue account is booked like a one-way account.
    pub fn book_venue_fill(&mut self, i: usize, side: Side, qty: &Int, price: &Int) {
        let asset = self.settle_of(i);
        let mut position = self.instruments[i].venue.clone();
        let closed = position.closed_by(side, qty);
        let opened = qty - &closed;
        if closed.is_positive() {
            let value = self.value_at(i, &position.part(&closed), price);
            self.assets[asset].venue += value - position.remove(&closed);
        }
        if opened.is_positive() {
            let q = side.signed(&opened);
            position.add(&q, &self.value_at(i, &q, price));
        }
        self.instruments[i].venue = position;
    }

    /// Reduce-only orders never exceed the position: the last accepted are cut
    /// first, cut to zero they are cancelled.
    pub fn cut_reduce_only(&mut self, account: u64, i: usize) {
        let q = self.holding(account, i).position.q;
        let of_instrument = |o: &Order| o.instrument == i && o.reduce_only && !o.rest.is_zero();
        for at in (0..self.accounts[&account].orders.len()).rev() {
            let order = &self.accounts[&account].orders[at];
            if !of_instrument(order) {
                continue;
            }
            let closes = !q.is_zero() && order.side == Side::closing(&q);
            let orders = self.accounts[&account].orders[..at].iter();
            let before = sum(orders.filter(|o| of_instrument(o)).map(|o| o.rest.clone()));
            let room = if closes { zero().max(q.abs() - before) } else { zero() };
            if order.rest > room {
                let id = order.id;
                let qty = self.show_qty(i, &room);
                self.orders_mut(account)[at].rest = room;
                self.emit("order_cut", json!({"account": account, "order": id, "qty": qty}));
            }
        }
        self.orders_mut(account).retain(|o| !o.rest.is_zero());
    }

    pub fn lock_mut(&mut self, pool: PoolId) -> &mut Lock {
        match pool.kind {
            PoolKind::Cross(asset) => &mut self.cross_mut(pool.account, asset).lock,
            PoolKind::Isolated(i) => &mut self.holding_mut(pool.account, i).lock,
        }
    }
}
