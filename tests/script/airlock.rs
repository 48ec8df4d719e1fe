//! Marks that jump, what confirms or withdraws them, and who decides.

use super::{Dice, Traded, Writer, decimal, ticks_of};
use crate::reference::Reference;
use serde_json::{Value, json};

const SOURCES: &[Option<&str>] = &[None, Some("feed-a"), Some("feed-b")];

impl Writer {
    /// All combinations of rules; at times one that is none.
    pub(super) fn airlock_rule(dice: &mut Dice, lot_value: i128, decimals: u32) -> Value {
        let mut rule = json!({});
        let jumps = dice.chance(70);
        if jumps {
            rule["max_jump"] = json!(*dice.pick(&["0.1", "0.2", "0.05", "0.000000001"]));
        }
        if !jumps || dice.chance(60) {
            rule["preview_jump"] = json!(*dice.pick(&["0.02", "0.04", "0.00000001"]));
            let lots = i128::from(*dice.pick(&[1, 5, 40]));
            rule["max_liquidation"] = json!(decimal((lot_value * lots).max(1), decimals));
        }
        if dice.chance(60) {
            rule["timeout"] = json!(dice.range(1, 900));
        }
        if dice.chance(3) {
            rule.as_object_mut().and_then(|fields| fields.remove("max_liquidation"));
        }
        rule
    }

    /// About something that is held: a decision, a mark near it, near the one in force, or between; else, if nothing is, a
    /// mark that jumps.
    pub(super) fn airlock(&mut self, dice: &mut Dice, reference: &Reference) -> Value {
        let held = reference.held_marks();
        if held.is_empty() || dice.chance(10) {
            if dice.chance(10) {
                let symbol = dice.pick(&self.instruments).symbol.clone();
                return json!({"op":"airlock_release","symbol":symbol,"action":"accept"});
            }
            let index = dice.below(self.instruments.len() as u64) as usize;
            let ticks = self.instruments[index].mark * *dice.pick(&[70, 80, 88, 95, 106, 115, 130]) / 100;
            return self.mark_at(dice, index, ticks);
        }
        let (symbol, price) = dice.pick(&held).clone();
        if dice.chance(20) {
            let action = *dice.pick(&["accept", "discard"]);
            return json!({"op":"airlock_release","symbol":symbol,"action":action});
        }
        if dice.chance(15) {
            self.now += dice.below(600);
            return json!({"op":"time","ts":self.now});
        }
        let index = self.instruments.iter().position(|at| at.symbol == symbol).expect("it was declared");
        let at = &self.instruments[index];
        let price = ticks_of(&price, at.tick_scale).and_then(|ticks| i64::try_from(ticks).ok()).unwrap_or(at.mark);
        let ticks = match dice.below(4) {
            0 => price,
            1 => price + dice.range(-price / 30 - 1, price / 30 + 1),
            2 => i64::midpoint(price, at.mark),
            _ => at.mark + dice.range(-1, 1),
        };
        self.mark_at(dice, index, ticks)
    }

    /// Given, or by a venue of the index from which it is computed. The writer's own idea of the mark stays.
    fn mark_at(&self, dice: &mut Dice, index: usize, ticks: i64) -> Value {
        let at: &Traded = &self.instruments[index];
        let price = Self::price(at, ticks.max(1));
        if at.priced.computed {
            let venue = dice.pick(&at.priced.venues);
            return json!({"op":"index","symbol":at.symbol,"venue":venue,"price":price});
        }
        let mut line = json!({"op":"mark","symbol":at.symbol,"price":price});
        if let Some(source) = dice.pick(SOURCES) {
            line["source"] = json!(source);
        }
        line
    }
}
