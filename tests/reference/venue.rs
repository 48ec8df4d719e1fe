//! Where liquidation and unwind orders go (model section 5, "Venue modes").

use super::command::VenueRules;
use super::input::Refusal;
use super::number::{Int, zero};
use super::state::{At, Owner, Side, State, VenueOrder, need};
use num_traits::{Signed, Zero};
use serde_json::{Value, json};

impl State {
    /// What is not given is set to its default.
    pub fn do_venue(&mut self, rules: &VenueRules) -> Result<(), Refusal> {
        need(rules.cancel_timeout > 0, "bad_value", "cancel_timeout is below 1")?;
        need(rules.order_timeout > 0, "bad_value", "order_timeout is below 1")?;
        self.venue = rules.clone();
        Ok(())
    }

    /// Sends an order. The answer is what is left unfilled, or none where the
    /// order stands at the manual venue.
    pub fn send(&mut self, owner: Owner, at: At, side: Side, qty: &Int, limit: &Int, step: &str) -> Option<Int> {
        let i = at.i;
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
        let order = VenueOrder {
            id,
            owner,
            at,
            side,
            open: qty.clone(),
            rest: qty.clone(),
            limit: limit.clone(),
            since: self.now,
            unknown: false,
            claimed: false,
        };
        match self.venue.mode.as_str() {
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
    fn fill_at_mark(&mut self, order: &VenueOrder) -> Int {
        let mark = self.instruments[order.at.i].mark.clone().expect("a mark is needed");
        if !within_limit(order.side, &mark, &order.limit) {
            return order.rest.clone();
        }
        self.book_liquidation_fill(order, &order.rest, &mark);
        zero()
    }

    /// Best price first down to the limit; what is filled is consumed.
    fn fill_from_depth(&mut self, mut order: VenueOrder) -> Int {
        while order.rest.is_positive() {
            let Some((price, qty)) = self.best_level(order.at.i, order.side) else {
                break;
            };
            if !within_limit(order.side, &price, &order.limit) {
                break;
            }
            let filled = qty.min(order.rest.clone());
            self.consume(order.at.i, order.side, &filled);
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
        self.moved_by_fills.insert(i);
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
