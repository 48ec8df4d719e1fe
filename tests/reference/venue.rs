//! Where liquidation and unwind orders go (model section 5, "Venue modes"),
//! and the manual venue's answers.

use super::input::{Refusal, refuse};
use super::number::{Int, Rat, ceil_div, ppb, rat, show_exact, zero};
use super::state::{Owner, PoolId, Side, Standing, State, need, need_below_limit, need_positive};
use num_traits::{Signed, Zero};
use serde_json::{Value, json};

impl State {
    /// Sends an order. The answer is what is left unfilled, or none where the
    /// order stands at the manual venue.
    pub fn send(&mut self, owner: Owner, i: usize, side: Side, qty: &Int, limit: &Int, step: &str) -> Option<Int> {
        self.liquidations += 1;
        let id = self.liquidations;
        let fields = json!({
            "liquidation": id,
            "account": owner_name(owner),
            "symbol": self.instruments[i].symbol,
            "side": side.word(),
            "qty": self.show_qty(i, qty),
            "limit": self.show_price(i, limit),
            "step": step,
        });
        self.emit("liquidation_order", fields);
        let order = Standing { id, owner, instrument: i, side, rest: qty.clone(), limit: limit.clone() };
        match self.venue_mode.as_str() {
            "mark" => Some(self.fill_at_mark(&order)),
            "bankruptcy" => {
                self.book_liquidation_fill(&order, qty, limit);
                Some(zero())
            }
            "book" => Some(self.fill_from_depth(order)),
            "none" => Some(qty.clone()),
            _ => {
                self.standing.push(order);
                None
            }
        }
    }

    /// In full at mark if the limit allows it, else not at all.
    fn fill_at_mark(&mut self, order: &Standing) -> Int {
        let mark = self.instruments[order.instrument].mark.clone().expect("a mark is needed");
        if !within_limit(order.side, &mark, &order.limit) {
            return order.rest.clone();
        }
        self.book_liquidation_fill(order, &order.rest, &mark);
        zero()
    }

    /// Best price first down to the limit; what is filled is consumed.
    fn fill_from_depth(&mut self, mut order: Standing) -> Int {
        while order.rest.is_positive() {
            let Some((price, qty)) = self.best_level(order.instrument, order.side) else {
                break;
            };
            if !within_limit(order.side, &price, &order.limit) {
                break;
            }
            let filled = qty.min(order.rest.clone());
            self.consume(order.instrument, order.side, &filled);
            self.book_liquidation_fill(&order, &filled, &price);
            order.rest -= filled;
        }
        order.rest
    }

    /// A sell order meets bids, a buy order asks.
    fn best_level(&self, i: usize, side: Side) -> Option<(Int, Int)> {
        match side {
            Side::Sell => self.instruments[i].bids.first().cloned(),
            Side::Buy => self.instruments[i].asks.first().cloned(),
        }
    }

    /// Takes `qty` off the best level; sets `last`, and bid or ask to the best
    /// level that is left.
    fn consume(&mut self, i: usize, side: Side, qty: &Int) {
        let instrument = &mut self.instruments[i];
        let (levels, best) = match side {
            Side::Sell => (&mut instrument.bids, &mut instrument.bid),
            Side::Buy => (&mut instrument.asks, &mut instrument.ask),
        };
        instrument.last = Some(levels[0].0.clone());
        levels[0].1 -= qty;
        if levels[0].1.is_zero() {
            levels.remove(0);
        }
        *best = levels.first().map(|(price, _)| price.clone());
    }

    /// Books a fill of a liquidation or unwind order; the external venue takes
    /// the other side.
    fn book_liquidation_fill(&mut self, order: &Standing, qty: &Int, price: &Int) {
        let i = order.instrument;
        self.book_venue_fill(i, order.side.other(), qty, price);
        let value = self.value_at(i, &order.side.other().signed(qty), price);
        match order.owner {
            Owner::Pool(pool) => self.book_pool_fill(order, pool, qty, price, &value),
            Owner::Fund => {
                let realised = self.reduce_inventory(i, qty, &value);
                self.report_fill(order, qty, price, &zero(), &realised);
                let fund = self.instruments[i].fund;
                self.change_fund(fund, &realised, "unwind");
            }
        }
        self.cut_standing(i);
    }

    /// The fee is `ceil(N · liquidation_fee)`, no more than the pool's equity
    /// after the fill.
    fn book_pool_fill(&mut self, order: &Standing, pool: PoolId, qty: &Int, price: &Int, value: &Int) {
        let i = order.instrument;
        let realised = self.reduce(pool.account, i, qty, value);
        let rate = &self.instruments[i].liquidation_fee;
        let full = ceil_div(&(value.abs() * rate), &ppb());
        let fee = full.min(self.equity(pool).max(zero()));
        *self.pool_money_mut(pool) -= &fee;
        self.report_fill(order, qty, price, &fee, &realised);
        let fund = self.instruments[i].fund;
        self.change_fund(fund, &fee, "fee");
        self.cut_reduce_only(pool.account, i);
    }

    fn report_fill(&mut self, order: &Standing, qty: &Int, price: &Int, fee: &Int, realised: &Int) {
        let i = order.instrument;
        let asset = self.settle_of(i);
        let fields = json!({
            "liquidation": order.id,
            "account": owner_name(order.owner),
            "symbol": self.instruments[i].symbol,
            "side": order.side.word(),
            "qty": self.show_qty(i, qty),
            "price": self.show_price(i, price),
            "fee": self.show_money(asset, fee),
            "realised": self.show_money(asset, realised),
        });
        self.emit("liquidation_fill", fields);
    }

    fn standing_at(&self, id: u64) -> Result<usize, Refusal> {
        match self.standing.iter().position(|order| order.id == id) {
            Some(at) => Ok(at),
            None => refuse("unknown_liquidation", format!("liquidation {id} is not open")),
        }
    }

    pub fn do_liq_fill(&mut self, id: u64, qty: &Rat, price: &Rat) -> Result<(), Refusal> {
        let at = self.standing_at(id)?;
        let order = &self.standing[at];
        let i = order.instrument;
        need_positive("qty", qty)?;
        need_positive("price", price)?;
        let rest = rat(&order.rest) * &self.instruments[i].lot;
        let limit = rat(&order.limit) * &self.instruments[i].tick;
        need(*qty <= rest, "bad_value", format!("qty {} is beyond the rest", show_exact(qty)))?;
        let allowed = match order.side {
            Side::Sell => *price >= limit,
            Side::Buy => *price <= limit,
        };
        need(allowed, "bad_value", format!("price {} is beyond the limit", show_exact(price)))?;
        let price = self.ticks(i, price)?;
        let qty = self.lots(i, qty)?;
        need_below_limit("price", &price)?;
        need_below_limit("qty", &qty)?;
        need_below_limit("qty · price · unit", &self.value_at(i, &qty, &price))?;
        let mut order = self.standing.remove(at);
        self.book_liquidation_fill(&order, &qty, &price);
        order.rest -= qty;
        if order.rest.is_positive() {
            self.standing.insert(at, order);
        }
        Ok(())
    }

    /// A pool's rest waits for step 4; an unwind order's is dropped.
    pub fn do_liq_expire(&mut self, id: u64) -> Result<(), Refusal> {
        let at = self.standing_at(id)?;
        let order = self.standing.remove(at);
        if let Owner::Pool(pool) = order.owner {
            self.lock_mut(pool).unfilled = Some((order.instrument, order.rest));
        }
        Ok(())
    }
}

fn within_limit(side: Side, price: &Int, limit: &Int) -> bool {
    match side {
        Side::Sell => price >= limit,
        Side::Buy => price <= limit,
    }
}

/// An account number, or `"fund"`.
fn owner_name(owner: Owner) -> Value {
    match owner {
        Owner::Pool(pool) => json!(pool.account),
        Owner::Fund => json!("fund"),
    }
}
