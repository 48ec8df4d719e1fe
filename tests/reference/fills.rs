//! Booking of fills (model sections 2 and 3). A fill is a fact: past the checks
//! of its values nothing refuses it.

use super::command::FillFields;
use super::input::{Refusal, refuse};
use super::number::{Int, ceil_div, floor_div, ppb, rat, zero};
use super::state::{At, Leg, Lock, Order, PoolId, PoolKind, Side, State, need, need_below_limit, need_positive, sum};
use num_traits::{Signed, Zero};
use serde_json::json;

impl State {
    pub fn do_fill(&mut self, f: &FillFields) -> Result<(), Refusal> {
        let i = self.instrument_id(&f.symbol)?;
        self.need_account(f.account)?;
        if let Some(counter) = f.counterparty {
            self.need_account(counter)?;
        }
        let at = self.place(f.account, i, &f.position_side)?;
        let counter = match f.counterparty {
            Some(counter) => Some((counter, self.place(counter, i, &f.counter_position_side)?)),
            None => None,
        };
        let side = Side::read(&f.side);
        need_positive("qty", &f.qty)?;
        need_positive("price", &f.price)?;
        need(f.counterparty != Some(f.account), "bad_value", "a fill with itself")?;
        let price = self.ticks(i, &f.price)?;
        let qty = self.lots(i, &f.qty)?;
        need_below_limit("price", &price)?;
        need_below_limit("qty", &qty)?;
        self.need_bookable((f.account, at), counter, side, &qty, &price)?;

        let (maker, taker) = (self.instruments[i].maker_fee.clone(), self.instruments[i].taker_fee.clone());
        let (own_rate, counter_rate) = match f.liquidity.as_deref() {
            Some("maker") => (maker, taker),
            Some(_) => (taker, maker),
            None => (zero(), zero()),
        };
        let own = self.book_account_fill(f.account, at, side, &qty, &price, f.order, &own_rate);
        self.count_execution(f.account);
        let others = match counter {
            Some((counter, at)) => {
                let order = f.counter_order;
                let booked = self.book_account_fill(counter, at, side.other(), &qty, &price, order, &counter_rate);
                self.count_execution(counter);
                booked
            }
            None => self.book_venue_fill(i, side.other(), &qty, &price),
        };
        self.book_rounding(i, &(own + others));
        Ok(())
    }

    /// The place that a command on the account means: in hedge mode it names the
    /// leg, else it must not.
    pub fn place(&self, account: u64, i: usize, named: &Option<String>) -> Result<At, Refusal> {
        let hedge = self.accounts[&account].hedge;
        match named {
            None if !hedge => Ok(At { i, leg: Leg::Net }),
            Some(word) if hedge => Ok(At { i, leg: Leg::read(word) }),
            None => refuse("bad_value", format!("account {account} needs a position_side")),
            Some(_) => refuse("bad_value", format!("account {account} takes no position_side")),
        }
    }

    /// What the sides of a trade were booked at, summed: the rounding of an
    /// inverse contract is against both, and the fund's.
    pub fn book_rounding(&mut self, i: usize, booked: &Int) {
        assert!(!booked.is_positive(), "a trade has created money");
        let fund = self.instruments[i].fund;
        self.change_fund(fund, &-booked, "rounding");
    }

    /// `max(OI after, qty)` lots at the price or the mark, where they are worth
    /// more, stay below 2^62.
    pub fn need_bookable(
        &self,
        own: (u64, At),
        counter: Option<(u64, At)>,
        side: Side,
        qty: &Int,
        price: &Int,
    ) -> Result<(), Refusal> {
        let i = own.1.i;
        let mut changes = self.changes_by_fill(own, side, qty);
        match counter {
            Some(counter) => changes.extend(self.changes_by_fill(counter, side.other(), qty)),
            None => changes.push((self.instruments[i].venue.q.clone(), side.other().signed(qty))),
        }
        let after = self.open_interest_after(i, &changes);
        let worst = self.notional_at(i, &after.max(qty.clone()), self.dearer_of_mark_and(i, price));
        need_below_limit("open interest · price · unit", &worst)
    }

    /// Signed sizes, each with the change that a fill makes.
    fn changes_by_fill(&self, (account, at): (u64, At), side: Side, qty: &Int) -> Vec<(Int, Int)> {
        let (closed, opened) = self.split(account, at, side, qty);
        let other = At { leg: at.leg.other(), ..at };
        if at.leg.allows(side) {
            vec![(self.position(account, at).q, side.signed(qty))]
        } else {
            vec![
                (self.position(account, at).q, side.signed(&closed)),
                (self.position(account, other).q, side.signed(&opened)),
            ]
        }
    }

    /// How many lots of a fill close, and how many open.
    fn split(&self, account: u64, at: At, side: Side, qty: &Int) -> (Int, Int) {
        let closed = self.position(account, at).closed_by(side, qty);
        let opened = qty - &closed;
        (closed, opened)
    }

    /// One side of a user's fill: order, close, open, fee, cuts. What goes beyond a leg
    /// opens the other one. Returns the value at which it was booked.
    #[allow(clippy::too_many_arguments)]
    pub fn book_account_fill(
        &mut self,
        account: u64,
        at: At,
        side: Side,
        qty: &Int,
        price: &Int,
        order: Option<u64>,
        rate: &Int,
    ) -> Int {
        let i = at.i;
        let asset = self.settle_of(i);
        self.cross_mut(account, asset);
        if let Some(order) = order {
            self.use_order(account, order, at, side, qty);
        }
        let (closed, opened) = self.split(account, at, side, qty);
        let mut booked = zero();
        if closed.is_positive() {
            let value = self.value_at(i, &self.position(account, at).part(&closed), price);
            self.reduce(account, at, &closed, &value);
            booked += value;
        }
        if opened.is_positive() {
            let opening = if at.leg.allows(side) { at } else { At { leg: at.leg.other(), ..at } };
            booked -= self.open(account, opening, side, &opened, price);
        }
        let fee = ceil_div(&(self.notional_at(i, qty, price) * rate), &ppb());
        self.cross_mut(account, asset).balance -= &fee;
        self.assets[asset].fees += &fee;
        self.cut_reduce_only(account, at);
        self.cut_standing(i);
        booked
    }

    /// Uses what rest of the order there is; `order_mismatch` says what it did
    /// not cover. An order of another symbol, leg or side is left alone.
    fn use_order(&mut self, account: u64, id: u64, at: At, side: Side, qty: &Int) {
        let i = at.i;
        let orders = self.orders_mut(account);
        let found = orders.iter().position(|o| o.id == id && o.at == at && o.side == side);
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
    pub fn reduce(&mut self, account: u64, at: At, k: &Int, value: &Int) -> Int {
        let asset = self.settle_of(at.i);
        let isolated = self.terms(account, at.i).isolated;
        let holding = self.holding_mut(account, at);
        let size = holding.position.size();
        let realised = value - holding.position.remove(k);
        if !isolated {
            self.cross_mut(account, asset).balance += &realised;
        } else if holding.lock.locked {
            holding.margin += &realised; // during liquidation nothing is released
        } else {
            self.release(account, at, k, &size, &realised);
        }
        realised
    }

    /// A reduction of an isolated position releases `r = floor(margin · k / |q|)`:
    /// `r + realised`, if positive, goes to the balance; a shortfall is taken
    /// from the margin, from the balance only when the position is closed.
    fn release(&mut self, account: u64, at: At, k: &Int, size: &Int, realised: &Int) {
        let asset = self.settle_of(at.i);
        let holding = self.holding_mut(account, at);
        let released = floor_div(&(&holding.margin * k), size);
        let result = &released + realised;
        holding.margin -= released;
        if result.is_positive() || holding.position.q.is_zero() {
            self.cross_mut(account, asset).balance += result;
        } else {
            holding.margin += result;
        }
    }

    /// Opens or increases, and returns the cost; an isolated position takes
    /// margin from the balance.
    fn open(&mut self, account: u64, at: At, side: Side, k: &Int, price: &Int) -> Int {
        let q = side.signed(k);
        let cost = self.cost_at(at.i, &q, price);
        self.holding_mut(account, at).position.add(&q, &cost);
        if self.terms(account, at.i).isolated {
            self.take_isolated_margin(account, at, k, price);
        }
        cost
    }

    /// `min(ceil(N(k, price) / min(leverage, max_leverage)), max(0, balance))`,
    /// the tier being the whole position's at the fill price. A locked cross
    /// pool gives nothing.
    fn take_isolated_margin(&mut self, account: u64, at: At, k: &Int, price: &Int) {
        let i = at.i;
        let asset = self.settle_of(i);
        let cross = self.cross(account, asset);
        if cross.lock.locked {
            return;
        }
        let lots = self.position(account, at).size();
        let whole = self.notional_at(i, &lots, price);
        let leverage = self.leverage(account, i);
        let size = || self.size_of(i, &lots, &whole);
        let rate = self.instruments[i].tiers.im_rate(&whole, size, &leverage);
        let wanted = (rat(&self.notional_at(i, k, price)) * rate).ceil().to_integer();
        let taken = wanted.min(cross.balance.max(zero()));
        self.cross_mut(account, asset).balance -= &taken;
        self.holding_mut(account, at).margin += &taken;
    }

    /// The external venue account is booked like a one-way account. Returns the
    /// value at which it was booked.
    pub fn book_venue_fill(&mut self, i: usize, side: Side, qty: &Int, price: &Int) -> Int {
        let asset = self.settle_of(i);
        let mut position = self.instruments[i].venue.clone();
        let closed = position.closed_by(side, qty);
        let opened = qty - &closed;
        let mut booked = zero();
        if closed.is_positive() {
            let value = self.value_at(i, &position.part(&closed), price);
            self.assets[asset].venue += &value - position.remove(&closed);
            booked += value;
        }
        if opened.is_positive() {
            let q = side.signed(&opened);
            let cost = self.cost_at(i, &q, price);
            position.add(&q, &cost);
            booked -= cost;
        }
        self.instruments[i].venue = position;
        booked
    }

    /// Reduce-only orders never exceed the position: the last accepted are cut
    /// first, cut to zero they are cancelled.
    pub fn cut_reduce_only(&mut self, account: u64, at: At) {
        let (i, q) = (at.i, self.position(account, at).q);
        let counts = |o: &Order| o.at == at && o.reduce_only && !o.rest.is_zero();
        for n in (0..self.accounts[&account].orders.len()).rev() {
            let order = &self.accounts[&account].orders[n];
            if !counts(order) {
                continue;
            }
            let closes = !q.is_zero() && order.side == Side::closing(&q);
            let orders = self.accounts[&account].orders[..n].iter();
            let before = sum(orders.filter(|o| counts(o)).map(|o| o.rest.clone()));
            let room = if closes { zero().max(q.abs() - before) } else { zero() };
            if order.rest > room {
                let id = order.id;
                let qty = self.show_qty(i, &room);
                self.orders_mut(account)[n].rest = room;
                self.emit("order_cut", json!({"account": account, "order": id, "qty": qty}));
            }
        }
        self.orders_mut(account).retain(|o| !o.rest.is_zero());
    }

    /// A copy.
    pub fn lock(&self, pool: PoolId) -> Lock {
        match pool.kind {
            PoolKind::Cross(asset) => self.cross(pool.account, asset).lock,
            PoolKind::Isolated(at) => self.holding(pool.account, at).lock,
        }
    }

    pub fn lock_mut(&mut self, pool: PoolId) -> &mut Lock {
        match pool.kind {
            PoolKind::Cross(asset) => &mut self.cross_mut(pool.account, asset).lock,
            PoolKind::Isolated(at) => &mut self.holding_mut(pool.account, at).lock,
        }
    }
}
