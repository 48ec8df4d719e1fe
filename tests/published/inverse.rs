//! Inverse contracts: a lot is a hundredth of a dollar.

use crate::decimal::Decimal;
use crate::desk::{Desk, Row, flat};
use crate::example::Example;
use serde_json::{Value, json};

/// A desk with an inverse contract.
fn inverse_desk(example: &Example, rows: &[Row], more: Value) -> Desk {
    let mut desk = example.desk(if example.record["system"] == "BitMEX" { "XBT" } else { "BTC" });
    desk.list_with("INV", rows, more);
    desk
}

fn inverse() -> Value {
    json!({"kind": "inverse_perp", "lot": "0.01"})
}

/// Of a page whose formulas have no fee of closing.
fn without_closing_fee() -> Value {
    json!({"kind": "inverse_perp", "lot": "0.01", "close_fee_in_mm": false})
}

pub fn inverse_bankruptcy_price_in_cross(example: &mut Example) {
    let mut desk = inverse_desk(example, &flat(Decimal::parse("0.005")), inverse());
    desk.deposit(1, example.input("balance_btc"));
    let position = desk.open_cross("INV", example.side() * example.input("qty_usd"), example.input("entry"));
    example.compare("bankruptcy_price", Decimal::of(&position["bankruptcy_price"]));
}

/// With the fee of closing in the maintenance margin, as the preset has it, at the fee that the page states.
pub fn inverse_liquidation_price_in_cross(example: &mut Example) {
    let fee = example.input("fee").to_string();
    let more = json!({"kind": "inverse_perp", "lot": "0.01", "taker_fee": fee});
    let mut desk = inverse_desk(example, &flat(example.input("mmr")), more);
    desk.deposit(1, example.input("balance_btc"));
    let position = desk.open_cross("INV", example.side() * example.input("qty_usd"), example.input("entry"));
    example.compare("liq_price", Decimal::of(&position["liq_price"]));
}

/// On a fine grid, and on one of half a dollar, where two fills make the entry price: lots of 0.42 · 7890 and
/// 0.08 · 7890.5 have the harmonic mean 7890.08.
pub fn inverse_bankruptcy_price_at_leverage(example: &mut Example) {
    let (leverage, entry) = (example.input("leverage"), example.input("entry"));
    let open = |tick: &str, fills: &[(Decimal, Decimal)]| {
        let more = json!({"kind": "inverse_perp", "lot": "0.01", "tick": tick});
        let mut desk = inverse_desk(example, &flat(Decimal::parse("0.005")), more);
        desk.leverage_of_new("INV", leverage);
        desk.deposit(1, Decimal::whole(10_000));
        desk.say(json!({"op": "margin_mode", "account": 1, "symbol": "INV", "mode": "isolated"}));
        desk.mark("INV", fills[0].1);
        for &(quantity, price) in fills {
            desk.fill(1, "INV", quantity, price);
        }
        Decimal::of(&desk.position(1, "INV")["bankruptcy_price"])
    };
    let one = open("0.000001", &[(Decimal::whole(789_008), entry)]);
    let parse = Decimal::parse;
    let halves = open("0.5", &[(parse("3313.8"), parse("7890")), (parse("631.24"), parse("7890.5"))]);
    example.compare("bankruptcy_price", one);
    example.compare("rounded_up_half_tick", halves);
}

/// A position worth one coin.
pub fn inverse_prices_at_leverage(example: &mut Example) {
    let mut desk = inverse_desk(example, &flat(example.input("mmr")), inverse());
    let (entry, leverage) = (example.input("entry"), example.input("leverage"));
    desk.leverage_of_new("INV", leverage);
    let position = desk.open_isolated("INV", example.side() * entry, entry, Decimal::whole(1).exactly_by(leverage));
    example.compare("bankruptcy_price", Decimal::of(&position["bankruptcy_price"]));
    example.compare("liq_price", Decimal::of(&position["liq_price"]));
}

pub fn inverse_margins(example: &mut Example) {
    let mut desk = inverse_desk(example, &flat(example.input("mmr")), without_closing_fee());
    desk.deposit(1, Decimal::whole(1));
    desk.leverage(1, "INV", example.input("leverage"));
    let position = desk.open_cross("INV", example.input("qty_usd"), example.input("entry"));
    example.compare("position_value_btc", Decimal::of(&position["notional"]));
    example.compare("im_btc", Decimal::of(&position["im"]));
    example.compare("mm_btc", Decimal::of(&position["mm"]));
}

/// At an entry price of 60000 / 1.2.
pub fn inverse_liquidation_prices_of_both_sides(example: &mut Example) {
    let (quantity, value, margin) = (example.input("qty_usd"), example.input("PV"), example.input("IM"));
    let mmr = example.input("MM").exactly_by(value);
    for (key, side) in [("liq_long", 1), ("liq_short", -1)] {
        let mut desk = inverse_desk(example, &flat(mmr), without_closing_fee());
        desk.leverage_of_new("INV", value.exactly_by(margin));
        let position = desk.open_isolated("INV", Decimal::whole(side) * quantity, quantity.exactly_by(value), margin);
        assert_eq!(Decimal::of(&position["mm"]), example.input("MM"));
        example.compare(key, Decimal::of(&position["liq_price"]));
    }
}

/// Bought at a mark that is the entry price, funding paid there, and sold at the exit: the mark has no part in that.
pub fn inverse_result_with_funding(example: &mut Example) {
    let mut desk = inverse_desk(example, &flat(Decimal::parse("0.005")), inverse());
    let (quantity, exit) = (example.side() * example.input("qty"), example.input("exit"));
    let start = Decimal::whole(100);
    desk.deposit(1, start);
    let position = desk.open_cross("INV", quantity, example.input("entry"));
    example.compare("entry_value_xbt", Decimal::of(&position["notional"]));
    let balance = |desk: &mut Desk| Decimal::of(&desk.account(1)["balances"]["XBT"]);
    desk.say(json!({"op": "funding", "symbol": "INV", "rate": example.input("funding_rate").to_string()}));
    let paid = start - balance(&mut desk);
    example.compare("funding_paid_xbt", paid);
    desk.fill(1, "INV", Decimal::ZERO - quantity, exit);
    let net = balance(&mut desk) - start;
    example.compare("gross_pnl_xbt", net + paid);
    example.compare("net_xbt", net);
}
