//! Insurance funds (model section 6): takeover and netting, deficits,
//! unwinding, and deleveraging of what inventory is left.

use super::number::{Int, ceil_div, floor_div, zero};
use super::state::{At, Leg, Owner, Position, Side, State, sum};
use num_traits::{Signed, Zero};
use serde_json::json;

/// What passes from a bankrupt position (model section 5, step 4).
pub struct Passing {
    /// `V(k, mark)`, signed.
    pub value: Int,
    /// `E_k = floor(E_i · k / |q|)`
    pub share: Int,
    /// The bankruptcy price, from the share of the whole position.
    pub price: Option<Int>,
}

impl State {
    /// The inventory of an instrument lies in the instrument's fund.
    pub fn inventory(&self, i: usize) -> Position {
        self.funds[self.instruments[i].fund].inventory.get(&i).cloned().unwrap_or_default()
    }

    fn set_inventory(&mut self, i: usize, position: Position) {
        let fund = self.instruments[i].fund;
        self.funds[fund].inventory.insert(i, position);
        self.instruments[i].unwind_due = true;
        self.cut_standing(i);
    }

    /// `balance + Σ uPnL(inventory)`
    pub fn fund_equity(&self, fund: usize) -> Int {
        let fund = &self.funds[fund];
        &fund.balance + sum(fund.inventory.iter().map(|(&i, position)| self.upnl(i, position)))
    }

    pub fn passing(&self, account: u64, at: At, k: &Int) -> Passing {
        let (i, position) = (at.i, self.position(account, at));
        let mark = self.instruments[i].mark.clone().expect("only positions with a mark");
        Passing {
            value: self.value_at(i, &position.part(k), &mark),
            share: floor_div(&(self.share(account, at) * k), &position.size()),
            price: self.bankruptcy_price(account, at),
        }
    }

    /// `fund equity + E_k ≥ floor`
    pub fn fund_can_bear(&self, account: u64, at: At, k: &Int) -> bool {
        let fund = self.instruments[at.i].fund;
        let share = self.passing(account, at, k).share;
        self.fund_equity(fund) + share >= self.funds[fund].floor && !self.in_drawdown(fund)
    }

    /// Step 4: at `X = V(k, mark) − E_k` the pool realises `X − C_k`, the
    /// inventory gains `k` lots at cost `X`. No cash passes.
    pub fn take_over(&mut self, account: u64, at: At, k: &Int) {
        let passing = self.passing(account, at, k);
        let q = self.position(account, at).part(k);
        let x = &passing.value - &passing.share;
        self.reduce(account, at, k, &x);
        self.enter_inventory(account, at, &q, &x, &passing.share, &passing.price);
    }

    /// The fund takes `q` lots (signed) at cost `x`; an opposite inventory nets.
    pub fn enter_inventory(&mut self, account: u64, at: At, q: &Int, x: &Int, passed: &Int, price: &Option<Int>) {
        let i = at.i;
        let fields = json!({
            "account": account,
            "symbol": self.instruments[i].symbol,
            "side": Position { q: q.clone(), cost: zero() }.word(),
            "qty": self.show_qty(i, &q.abs()),
            "price": self.show_maybe_price(i, price),
            "passed": self.show_money(self.settle_of(i), passed),
        });
        self.emit("takeover", fields);
        let fund = self.instruments[i].fund;
        let realised = self.net(i, q, x);
        self.change_fund(fund, &realised, "netting");
        self.report_fund_deficit(fund);
        self.look_in_rounds(fund);
        self.cut_reduce_only(account, at);
        self.cut_standing(i);
    }

    /// Closing `n` of the `k` incoming lots realises `−ceil(X · n / k) − C_n`;
    /// the rest opens at what is left of `X`.
    fn net(&mut self, i: usize, q: &Int, x: &Int) -> Int {
        let mut inventory = self.inventory(i);
        let k = q.abs();
        let opposite = (&inventory.q * q).is_negative();
        let n = if opposite { inventory.size().min(k.clone()) } else { zero() };
        let mut realised = zero();
        let mut left = x.clone();
        if n.is_positive() {
            let x_n = ceil_div(&(x * &n), &k);
            realised = -&x_n - inventory.remove(&n);
            left -= x_n;
        }
        if n < k {
            inventory.add(&(q - q.signum() * n), &left);
        } else {
            assert!(left.is_zero());
        }
        self.set_inventory(i, inventory);
        realised
    }

    /// An ordinary reduction of the inventory; returns what is realised, which
    /// the caller books with `change_fund`.
    pub fn reduce_inventory(&mut self, i: usize, k: &Int, value: &Int) -> Int {
        let mut inventory = self.inventory(i);
        let realised = value - inventory.remove(k);
        self.set_inventory(i, inventory);
        realised
    }

    /// A trade at a price closes first, then opens; returns what closing realised,
    /// which the caller books with `change_fund`, and the value at which it was
    /// booked.
    pub fn trade_inventory(&mut self, i: usize, side: Side, qty: &Int, price: &Int) -> (Int, Int) {
        let mut inventory = self.inventory(i);
        let closed = inventory.closed_by(side, qty);
        let opened = qty - &closed;
        let (mut realised, mut booked) = (zero(), zero());
        if closed.is_positive() {
            let value = self.value_at(i, &inventory.part(&closed), price);
            realised = &value - inventory.remove(&closed);
            booked += value;
        }
        if opened.is_positive() {
            let q = side.signed(&opened);
            let cost = self.cost_at(i, &q, price);
            inventory.add(&q, &cost);
            booked -= cost;
        }
        self.set_inventory(i, inventory);
        (realised, booked)
    }

    /// Said whenever a takeover, residue or deficit leaves a fund below zero.
    pub fn report_fund_deficit(&mut self, fund: usize) {
        let equity = self.fund_equity(fund);
        if !equity.is_negative() {
            return;
        }
        let asset = self.funds[fund].asset;
        let fields = json!({
            "fund": self.funds[fund].name,
            "equity": self.show_money(asset, &equity),
            "deficit": self.show_money(asset, &-&equity),
        });
        self.emit("fund_deficit", fields);
    }

    /// Phase (d), first part: one unwind order at the mark for all of an
    /// inventory that is due, has none in flight and had none in this input.
    pub fn unwind_inventories(&mut self) {
        for i in 0..self.instruments.len() {
            let inventory = self.inventory(i);
            let in_flight = self.standing.iter().any(|o| o.owner == Owner::Fund && o.at.i == i);
            let due = self.instruments[i].unwind_due && !self.unwound.contains(&i);
            if inventory.q.is_zero() || in_flight || !due || !self.lives(i) {
                continue;
            }
            let interval = self.funds[self.instruments[i].fund].unwind_interval;
            if self.instruments[i].unwound_at.is_some_and(|last| self.now - last < interval) {
                continue;
            }
            let mark = self.instruments[i].mark.clone().expect("it lives");
            self.instruments[i].unwound_at = Some(self.now);
            self.instruments[i].unwind_due = false;
            self.unwound.insert(i);
            let side = Side::closing(&inventory.q);
            let at = At { i, leg: Leg::Net };
            self.send(Owner::Fund, at, side, &inventory.size(), &mark, "unwind");
        }
    }

    /// Phase (d), second part: where a fund's equity is below its floor, what
    /// inventory is left is deleveraged at the mark. True: something was.
    pub fn deleverage_inventories(&mut self) -> bool {
        let mut any = false;
        for i in 0..self.instruments.len() {
            let fund = self.instruments[i].fund;
            let inventory = self.inventory(i);
            let low = self.fund_equity(fund) < self.funds[fund].floor || self.in_drawdown(fund);
            if inventory.q.is_zero() || !low || self.inventory_adl_paused(i) || !self.lives(i) {
                continue;
            }
            let mark = self.instruments[i].mark.clone().expect("it lives");
            let (traded, booked) = self.trade_with_counters(&json!("fund"), i, &inventory.q, &mark);
            if traded.is_positive() {
                let value = self.value_at(i, &inventory.part(&traded), &mark);
                let realised = self.reduce_inventory(i, &traded, &value);
                self.change_fund(fund, &realised, "adl");
                let booked = value + booked;
                self.book_rounding(i, &booked);
                self.look_after_changes(fund, &[realised, booked]);
                any = true;
            }
        }
        any
    }
}
