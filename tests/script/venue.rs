//! The venue's part: where orders go, and its answers in every order in which they may come.

use super::{Dice, Writer, decimal, ticks_of};
use crate::reference::Reference;
use crate::reference::view::SentOrder;
use serde_json::{Value, json};

impl Writer {
    pub(super) fn venue(dice: &mut Dice) -> Value {
        let mode = *dice.pick(&["mark", "bankruptcy", "none", "manual", "manual", "manual", "manual", "book", "book"]);
        let mut line = json!({"op":"venue","mode":mode});
        if dice.chance(60) {
            line["cancel_ack"] = json!(dice.chance(85));
        }
        for timeout in ["cancel_timeout", "order_timeout"] {
            if dice.chance(40) {
                line[timeout] = json!(dice.range(1, 1_500));
            }
        }
        line
    }

    /// What waits is answered, late or never; at times what does not wait.
    pub(super) fn answer_of_venue(&mut self, dice: &mut Dice, reference: &Reference) -> Value {
        let awaited = !reference.awaited_cancels().is_empty();
        if awaited && dice.chance(50) || dice.chance(3) {
            return self.cancel_ack(dice, reference);
        }
        let (standing, ended) = (reference.standing_orders(), reference.ended_orders());
        if standing.is_empty() && ended.is_empty() || dice.chance(5) {
            return Self::answer_to_any(dice, reference);
        }
        if standing.is_empty() || !ended.is_empty() && dice.chance(25) {
            let order = dice.pick(&ended);
            return self.liq_fill(dice, order);
        }
        let cut: Vec<&SentOrder> = standing.iter().filter(|order| order.open != order.rest).collect();
        if !cut.is_empty() && dice.chance(60) {
            let order = *dice.pick(&cut);
            return self.liq_fill(dice, order); // mostly beyond what is left of the position
        }
        let order = dice.pick(&standing);
        match dice.below(20) {
            0..=6 => json!({"op":"liq_expire","liquidation":order.id}),
            7..=8 => json!({"op":"liq_unknown","liquidation":order.id}),
            _ => self.liq_fill(dice, order),
        }
    }

    /// Of any order that there ever was: a duplicate, or too late.
    fn answer_to_any(dice: &mut Dice, reference: &Reference) -> Value {
        let id = dice.below(reference.last_liquidation() + 2);
        match dice.below(3) {
            0 => json!({"op":"liq_fill","liquidation":id,"qty":"1","price":"1"}),
            1 => json!({"op":"liq_expire","liquidation":id}),
            _ => json!({"op":"liq_unknown","liquidation":id}),
        }
    }

    /// In full, as far as the order is wanted, in part; at times beyond what is open, or beyond the limit.
    fn liq_fill(&self, dice: &mut Dice, order: &SentOrder) -> Value {
        let at =
            self.instruments.iter().find(|at| at.symbol == order.symbol).expect("orders are for declared instruments");
        let lots_of = |text: &str| ticks_of(text, at.lot_scale).expect("a whole number of lots") as i64;
        let (rest, open) = (lots_of(&order.rest), lots_of(&order.open));
        let limit = ticks_of(&order.limit, at.tick_scale).expect("a whole number of ticks") as i64;
        let lots = match dice.below(10) {
            0..=2 => open,
            3..=4 if rest > 0 => rest,
            5 => dice.range(1, open + 1),
            _ => dice.range(1, open),
        };
        // At the limit or better, at times one tick worse or far better.
        let better = match dice.below(10) {
            0 => -1,
            1 => dice.range(1, limit / 10 + 2),
            _ => dice.range(0, 3),
        };
        let better = if order.side == "sell" { better } else { -better };
        json!({"op":"liq_fill","liquidation":order.id,"qty":decimal(i128::from(lots), at.lot_scale),
            "price":Self::price(at, (limit + better).max(0))})
    }

    /// With executions that are booked, that are yet to come, that never come; once and again.
    fn cancel_ack(&self, dice: &mut Dice, reference: &Reference) -> Value {
        let awaited = reference.awaited_cancels();
        let new: Vec<_> = awaited.iter().filter(|pool| !pool.acknowledged).collect();
        let pools = if new.is_empty() || dice.chance(10) { awaited.iter().collect() } else { new };
        if pools.is_empty() || dice.chance(5) {
            let at = dice.pick(&self.instruments);
            let pool = match dice.below(4) {
                0 => format!("cross:{}", at.asset),
                1 | 2 => format!("isolated:{}", at.symbol),
                _ => "multi".to_owned(),
            };
            return json!({"op":"cancel_ack","account":self.account(dice),"pool":pool});
        }
        let pool = *dice.pick(&pools);
        let mut line = json!({"op":"cancel_ack","account":pool.account,"pool":pool.pool});
        let execution = match dice.below(10) {
            0..=2 => return line,
            3..=4 => pool.executions,
            5..=7 => pool.executions + 1 + dice.below(2),
            8 => dice.below(pool.executions + 1),
            _ => pool.executions + 3 + dice.below(9),
        };
        line["execution"] = json!(execution);
        line
    }
}
