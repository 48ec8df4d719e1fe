//! What an operator puts right: fills of before, balances.

use super::{Dice, Writer, decimal};
use crate::reference::Reference;
use serde_json::{Value, json};

impl Writer {
    pub(super) fn correction(&self, dice: &mut Dice, reference: &Reference) -> Value {
        let corrects = if dice.chance(97) { 1 + dice.below(reference.seq()) } else { reference.seq() + dice.below(3) };
        let mut line = json!({"corrects":corrects,"reason":"erroneous","principal":"ops"});
        if dice.chance(2) {
            line["reason"] = json!(*dice.pick(&["", "x".repeat(129).as_str()]));
        }
        if self.fills.is_empty() || dice.chance(45) {
            self.payment_put_right(dice, line)
        } else {
            self.fill_put_right(dice, line)
        }
    }

    /// One of the last fills, as it was or nearly so.
    fn fill_put_right(&self, dice: &mut Dice, mut line: Value) -> Value {
        let fill = dice.pick(&self.fills);
        let names =
            ["account", "symbol", "side", "qty", "price", "counterparty", "position_side", "counter_position_side"];
        for name in names.into_iter().filter(|&name| !fill[name].is_null()) {
            line[name] = fill[name].clone();
        }
        let at = self.instruments.iter().find(|at| fill["symbol"] == at.symbol.as_str()).expect("it was declared");
        if dice.chance(40) {
            line["op"] = json!("reprice");
            let to = (at.mark + dice.range(-at.mark / 5 - 1, at.mark / 5 + 1)).max(0);
            line["to"] = json!(Self::price(at, to));
            return line;
        }
        line["op"] = json!("bust");
        if dice.chance(40) {
            let decimals = self.decimals_of(&at.asset);
            let fee = |dice: &mut Dice| json!(decimal(at.lot_value * i128::from(dice.range(-3, 9)) / 100, decimals));
            line["fee"] = fee(dice);
            if !line["counterparty"].is_null() {
                line["counter_fee"] = fee(dice);
            }
        }
        line
    }

    /// A balance, with and without the fund.
    fn payment_put_right(&self, dice: &mut Dice, mut line: Value) -> Value {
        let (asset, decimals) = dice.pick(&self.assets).clone();
        let typical = self.typical(&asset);
        line["account"] = json!(self.account(dice));
        line["asset"] = json!(asset);
        if dice.chance(50) {
            line["op"] = json!("adjust");
            line["amount"] = json!(decimal(typical * i128::from(dice.range(-400, 200)) / 100, decimals));
            return line;
        }
        line["op"] = json!("compensate");
        line["amount"] = json!(decimal((typical * i128::from(dice.range(0, 300)) / 100).max(0), decimals));
        if dice.chance(40) {
            line["fund"] = json!(dice.pick(&self.funds).0);
        }
        line
    }
}
