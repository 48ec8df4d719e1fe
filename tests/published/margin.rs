//! Maintenance and initial margin of positions.

use crate::decimal::Decimal;
use crate::desk::{flat, with_deduction};
use crate::example::Example;
use serde_json::{Value, json};

/// One unit at a price that is the notional.
pub fn maintenance_margin(example: &mut Example) {
    let notional = example.input("notional");
    let mut desk = example.desk("USDT");
    desk.list("OWN", &with_deduction(example.input("mmr"), example.input("cum")));
    desk.deposit(1, notional);
    let position = desk.open_cross("OWN", Decimal::whole(1), notional);
    assert_eq!(Decimal::of(&position["notional"]), notional);
    example.compare("maintenance_margin", Decimal::of(&position["mm"]));
}

pub fn margin_of_an_isolated_position(example: &mut Example) {
    let (value, quantity) = (example.input("value"), example.input("qty"));
    let mut desk = example.desk("USDT");
    desk.list("OWN", &flat(Decimal::parse("0.005")));
    desk.leverage_of_new("OWN", example.input("leverage"));
    desk.deposit(1, value); // more than it may take
    desk.say(json!({"op": "margin_mode", "account": 1, "symbol": "OWN", "mode": "isolated"}));
    let position = desk.open_cross("OWN", quantity, value.exactly_by(quantity));
    example.compare("margin", Decimal::of(&position["margin"]));
}

/// The fee is the preset's.
pub fn margin_with_the_closing_fee(example: &mut Example) {
    let mut desk = example.desk("USDT");
    let value = example.input("qty") * example.input("entry");
    desk.list("OWN", &flat(example.input("mmr")));
    let margin = value.exactly_by(example.input("leverage"));
    desk.leverage_of_new("OWN", example.input("leverage"));
    let position = desk.open_isolated("OWN", example.side() * example.input("qty"), example.input("entry"), margin);
    let mm = Decimal::of(&position["mm"]);
    example.compare("mm", mm);
    example.compare("close_fee", mm - value * example.input("mmr") + example.input("mm_deduction"));
}

/// The rates are the preset's for BTC. Those of another coin the example states; the one of which it says nothing is half
/// or twice the other.
pub fn margin_that_rises_with_the_size(example: &mut Example) {
    let percent = Decimal::parse("0.01");
    let (rate, slope) = (example.input("base_pct") * percent, example.input("slope_pct_per_coin") * percent);
    let initial = example.record["inputs"]["kind"] == "IM";
    let (base, im_base) = if initial { (rate * Decimal::parse("0.5"), rate) } else { (rate, rate * Decimal::whole(2)) };
    let mut desk = example.desk("USDC");
    let mut listing = desk.listing("PERP", Vec::new());
    let fields = listing.as_object_mut().expect("an object");
    fields.remove("tiers");
    if example.record["inputs"]["underlying"] != "BTC" {
        for (name, value) in [("base", base), ("slope", slope), ("im_base", im_base)] {
            fields.insert(name.to_owned(), json!(value.to_string()));
        }
    }
    desk.declare(listing);
    let value = example.input("size") * example.input("price");
    desk.deposit(1, value);
    let position = desk.open_cross("PERP", example.input("size"), example.input("price"));
    let margin = Decimal::of(&position[if initial { "im" } else { "mm" }]);
    example.compare("usdc", margin);
    example.compare("pct", (margin * Decimal::whole(100)).exactly_by(value));
}

pub fn initial_margin_of_brackets(example: &mut Example) {
    let brackets = example.record["inputs"]["brackets"].clone();
    let row = |cap: Value, leverage: &Value| json!({"cap": cap, "mmr": "0.001", "max_leverage": leverage.to_string()});
    let caps = [json!(brackets[0][0].to_string()), json!("10000000")];
    let tiers = (0..2).map(|at| row(caps[at].clone(), &brackets[at][1])).collect();
    let mut desk = example.desk("USDT");
    let listing = desk.listing("OWN", tiers);
    desk.declare(listing);
    desk.deposit(1, example.input("notional"));
    let position = desk.open_cross("OWN", example.input("notional"), Decimal::whole(1));
    example.compare("margin", Decimal::of(&position["im"]));
}
