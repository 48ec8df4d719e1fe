//! Liquidation and bankruptcy prices, and how far a position is reduced.

use crate::decimal::Decimal;
use crate::desk::{flat, with_deduction};
use crate::example::Example;
use serde_json::Value;

/// A cross pool with a second position, which stands as `BTCUSDT long 109.488 @32481.98 mark 31967.27 mmr 2.5% cum 16300`.
pub fn liquidation_price_beside_another(example: &mut Example) {
    let text = example.record["inputs"]["other"].as_str().expect("the other position").to_owned();
    let words: Vec<&str> = text.split_whitespace().collect();
    let [other, "long", quantity, entry, "mark", mark, "mmr", percent, "cum", cum] = words[..] else {
        panic!("{text}: another form");
    };
    let percent = Decimal::parse(percent.trim_end_matches('%'));
    let mut desk = example.desk("USDT");
    desk.list("OWN", &with_deduction(example.input("mmr"), example.input("cum")));
    desk.list(other, &with_deduction(percent * Decimal::parse("0.01"), Decimal::parse(cum)));
    desk.deposit(1, example.input("WB"));
    desk.open_cross(other, Decimal::parse(quantity), Decimal::parse(entry.trim_start_matches('@')));
    desk.mark(other, Decimal::parse(mark));
    let own = desk.open_cross("OWN", example.side() * example.input("position"), example.input("entry"));
    let beside = desk.position(1, other);
    let cent = Decimal::parse("0.01");
    assert!((Decimal::of(&beside["mm"]) - example.input("TMM1")).abs() <= cent, "{beside}");
    assert!((Decimal::of(&beside["upnl"]) - example.input("UPNL1")).abs() <= cent, "{beside}");
    example.compare("liq_price", Decimal::of(&own["liq_price"]));
}

/// An isolated position whose margin is the whole wallet.
pub fn liquidation_price_of_a_wallet(example: &mut Example) {
    let mut desk = example.desk("USDT");
    desk.list("OWN", &with_deduction(example.input("mmr"), example.input("cum")));
    let quantity = example.side() * example.input("position");
    let position = desk.open_isolated("OWN", quantity, example.input("entry"), example.input("WB"));
    example.compare("liq_price", Decimal::of(&position["liq_price"]));
}

/// Isolated at a leverage, with margin added.
pub fn liquidation_price_with_extra_margin(example: &mut Example) {
    let mut desk = example.desk("USDT");
    desk.list("OWN", &with_deduction(example.input("mmr"), example.input("mm_deduction")));
    desk.leverage_of_new("OWN", example.input("leverage"));
    let initial = (example.input("entry") * example.input("qty")).exactly_by(example.input("leverage"));
    let margin = initial + example.input("extra_margin");
    let position = desk.open_isolated("OWN", example.side() * example.input("qty"), example.input("entry"), margin);
    example.compare("liq_price", Decimal::of(&position["liq_price"]));
}

pub fn bankruptcy_price_at_leverage(example: &mut Example) {
    let position = at_leverage(example, example.input("leverage"));
    example.compare("bankruptcy_price", Decimal::of(&position["bankruptcy_price"]));
}

/// One unit, isolated, with what the leverage takes as its only margin.
fn at_leverage(example: &Example, leverage: Decimal) -> Value {
    let mut desk = example.desk("USDT");
    desk.list("OWN", &flat(Decimal::parse("0.005")));
    desk.leverage_of_new("OWN", leverage);
    desk.open_isolated("OWN", example.side(), example.input("entry"), example.input("entry").exactly_by(leverage))
}

/// `PosMargin + WB` is what the cross pool holds; at the leverage of the example it splits as published.
pub fn bankruptcy_price_in_cross(example: &mut Example) {
    let (margin, free) = (example.input("position_margin"), example.input("available_balance"));
    let value = example.input("entry") * example.input("qty");
    let mut desk = example.desk("USDT");
    desk.list("OWN", &flat(Decimal::parse("0.005")));
    desk.deposit(1, margin + free);
    desk.leverage(1, "OWN", value.exactly_by(margin));
    let position = desk.open_cross("OWN", example.side() * example.input("qty"), example.input("entry"));
    let pool = desk.account(1)["pools"][0].clone();
    assert_eq!((Decimal::of(&pool["im"]), Decimal::of(&pool["available"])), (margin, free), "{pool}");
    example.compare("bankruptcy_price", Decimal::of(&position["bankruptcy_price"]));
}

/// The initial margin rate is 1 / leverage; the maintenance rate 0.5 % is that of [`at_leverage`].
pub fn both_prices_at_leverage(example: &mut Example) {
    assert_eq!(example.input("mm"), Decimal::parse("0.005"));
    let leverage = Decimal::whole(1).exactly_by(example.input("im"));
    let position = at_leverage(example, leverage);
    example.compare("bankruptcy", Decimal::of(&position["bankruptcy_price"]));
    example.compare("liquidation", Decimal::of(&position["liq_price"]));
}

pub fn both_prices_of_a_margin(example: &mut Example) {
    let mut desk = example.desk("USDT");
    desk.list("OWN", &flat(example.input("mmr")));
    let margin = example.input("entry") * example.input("qty") * example.input("imr");
    let position = desk.open_isolated("OWN", example.side() * example.input("qty"), example.input("entry"), margin);
    example.compare("bankruptcy", Decimal::of(&position["bankruptcy_price"]));
    example.compare("liquidation", Decimal::of(&position["liq_price"]));
}

/// The other positions are one whose requirement is as published and whose result is zero.
pub fn liquidation_price_beside_a_requirement(example: &mut Example) {
    let mmr = example.input("mmr");
    let mut desk = example.desk("USDT");
    desk.list("OWN", &flat(mmr));
    desk.list("OTHER", &flat(mmr));
    desk.deposit(1, example.input("wallet"));
    let other = desk.open_cross("OTHER", Decimal::whole(1), example.input("other_mm").exactly_by(mmr));
    assert_eq!(Decimal::of(&other["mm"]), example.input("other_mm"));
    let own = desk.open_cross("OWN", example.input("qty"), example.input("entry"));
    example.compare("liq_price", Decimal::of(&own["liq_price"]));
}

/// dYdX gives the equity at the present price: a margin of that much at an entry price that is the mark.
pub fn liquidation_price_of_an_equity(example: &mut Example) {
    let mut desk = example.desk("USDC");
    desk.list("OWN", &flat(example.input("mmf")));
    let position = desk.open_isolated("OWN", example.input("size"), example.input("price"), example.input("equity"));
    example.compare("liq_price", Decimal::of(&position["liq_price"]));
}

/// Beside 1000 STRK at 1.75 with 10 %.
pub fn liquidation_price_beside_strk(example: &mut Example) {
    assert_eq!(example.record["inputs"]["other"], "1000 STRK @1.75 MMF 10%");
    let mut desk = example.desk("USDC");
    desk.list("OWN", &flat(example.input("mmf")));
    desk.list("STRK", &flat(Decimal::parse("0.1")));
    desk.deposit(1, example.input("equity"));
    let other = desk.open_cross("STRK", Decimal::whole(1000), Decimal::parse("1.75"));
    assert_eq!(Decimal::of(&other["mm"]), example.input("other_mmr"));
    let own = desk.open_cross("OWN", example.input("size"), example.input("price"));
    example.compare("liq_price", Decimal::of(&own["liq_price"]));
}

pub fn bankruptcy_price_and_requirement(example: &mut Example) {
    let mut desk = example.desk("USDC");
    desk.list("OWN", &flat(Decimal::parse("0.03")));
    let position =
        desk.open_isolated("OWN", example.input("size"), example.input("entry"), example.input("collateral"));
    example.compare("bankruptcy", Decimal::of(&position["bankruptcy_price"]));
    example.compare("mmr_usd", Decimal::of(&position["mm"]));
}

/// The kernel goes one row at a time: from the third tier to the cap of the second, and, since that does not cure it, on
/// to the cap of the first. A contract is worth one unit.
pub fn reduction_to_the_first_tier(example: &mut Example) {
    let (contracts, first) = (example.input("contracts"), example.input("tier1_max"));
    let row = |cap, percent: &str| (cap, Decimal::parse(percent) * Decimal::parse("0.01"));
    let rows = [row(first, "1"), row(Decimal::whole(5_000), "3"), row(Decimal::whole(20_000), "10")];
    assert_eq!(example.input("tier"), Decimal::whole(3));
    let mut desk = example.desk("USDT");
    desk.list("OWN", &rows);
    desk.deposit(1, Decimal::whole(100)); // more than 1 % of 2000, less than 3 % of 5000
    desk.mark("OWN", Decimal::whole(1));
    desk.fill(1, "OWN", contracts, Decimal::whole(1));
    let left = desk.position(1, "OWN");
    example.compare("to_close", contracts - Decimal::of(&left["qty"]));
}
