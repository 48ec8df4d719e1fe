//! What the insurance fund gains and loses, and when it has lost too much.

use crate::decimal::Decimal;
use crate::desk::{Desk, flat};
use crate::example::{Example, decimals};
use serde_json::{Value, json};

/// What the fund's balance gains by a liquidated position of one unit that it unwinds at `fill`.
///
/// At the venues the engine closes at `fill` what it took at the bankruptcy price, and the fund has the difference. In
/// the model so too: in its first tier the position passes to the fund at its bankruptcy value and without cash, and
/// unwinding it realises the difference.
fn funds_result(example: &Example, bankruptcy: Decimal, fill: Decimal) -> Decimal {
    let side = example.side();
    let mut desk = example.desk("USDT");
    desk.list("OWN", &flat(Decimal::parse("0.005")));
    desk.say(json!({"op": "venue", "mode": "manual"}));
    desk.say(json!({"op": "fund_deposit", "fund": "USDT", "amount": 1000}));
    let margin = Decimal::whole(100);
    desk.deposit(1, margin);
    desk.open_cross("OWN", side, bankruptcy + side * margin);
    let events = desk.mark("OWN", bankruptcy + side * Decimal::whole(10)); // solvent by 10, and below the requirement
    let takeover = events.iter().find(|event| event["ev"] == "takeover").expect("the fund takes over");
    assert_eq!(Decimal::of(&takeover["price"]), bankruptcy);
    desk.say(json!({"op": "liq_expire", "liquidation": unwinding_in(&events).0}));
    let events = desk.mark("OWN", fill); // the fund asks for the mark
    let (unwinding, limit) = unwinding_in(&events);
    assert_eq!(limit, fill);
    let events = desk.say(json!({"op": "liq_fill", "liquidation": unwinding, "qty": 1, "price": fill.to_string()}));
    let unwound = events.iter().find(|event| event["ev"] == "fund").expect("the fund realises");
    assert_eq!(unwound["reason"], "unwind");
    let fund = desk.ask(json!({"op": "get", "what": "fund", "fund": "USDT"}));
    assert_eq!(fund["inventory"], json!([]));
    let gained = Decimal::of(&fund["balance"]) - Decimal::whole(1000);
    assert_eq!(Decimal::of(&unwound["delta"]), gained, "no cash passed at the takeover");
    gained
}

/// Id and limit of the order by which the fund closes what it took.
fn unwinding_in(events: &[Value]) -> (u64, Decimal) {
    let order = events.iter().find(|event| event["ev"] == "liquidation_order" && event["step"] == "unwind");
    let order = order.unwrap_or_else(|| panic!("nothing is unwound: {events:?}"));
    (order["liquidation"].as_u64().expect("an id"), Decimal::of(&order["limit"]))
}

/// One bankruptcy price and several fills, or the other way round.
pub fn sign_of_the_funds_result(example: &mut Example) {
    let inputs = &example.record["inputs"];
    let pairs: Vec<(Decimal, Decimal)> = match inputs.get("fills") {
        Some(fills) => decimals(fills).into_iter().map(|fill| (example.input("bankruptcy"), fill)).collect(),
        None => decimals(&inputs["bankruptcies"]).into_iter().map(|price| (price, example.input("fill"))).collect(),
    };
    let signs: Vec<Decimal> = pairs.iter().map(|&(price, fill)| funds_result(example, price, fill).signum()).collect();
    example.compare_list("sign", &signs);
}

pub fn amount_of_the_funds_result(example: &mut Example) {
    let result = funds_result(example, example.input("bankruptcy"), example.input("fill"));
    example.compare("delta_per_unit", result);
}

/// A fund of this balance that holds what it took over for nothing: 1000 units, long, at 900, against account 2. The venue
/// fills nothing.
fn fund_with_inventory(example: &Example, balance: Decimal) -> Desk {
    let (units, price) = (Decimal::whole(1_000), Decimal::whole(900));
    let mut desk = example.desk("USDT");
    desk.list("X", &flat(Decimal::parse("0.005")));
    desk.say(json!({"op": "venue", "mode": "none"}));
    desk.say(json!({"op": "fund_deposit", "fund": "USDT", "amount": balance.to_string()}));
    desk.deposit(1, units * Decimal::whole(100));
    desk.deposit(2, Decimal::whole(10_000_000));
    desk.mark("X", Decimal::whole(1_000));
    desk.say(json!({"op": "fill", "account": 1, "symbol": "X", "side": "buy", "qty": units.to_string(), "price": "1000", "counterparty": 2}));
    let events = desk.mark("X", price); // the equity is nothing
    let takeover = events.iter().find(|event| event["ev"] == "takeover").expect("the fund can bear it");
    assert_eq!((&takeover["qty"], &takeover["passed"]), (&json!("1000"), &json!("0")));
    desk
}

/// What a mark leads to: equity and peak where the drawdown begins, and the trades of deleveraging.
fn drawdown_at(desk: &mut Desk, mark: Decimal) -> Option<(Decimal, Decimal, Vec<Value>)> {
    let events = desk.mark("X", mark);
    let trades = events.iter().filter(|event| event["ev"] == "adl").cloned().collect();
    let begun = events.iter().find(|event| event["ev"] == "fund_drawdown")?;
    assert_eq!(begun["active"], true);
    Some((Decimal::of(&begun["equity"]), Decimal::of(&begun["peak"]), trades))
}

/// The contract loses what the example says; the inventory is deleveraged.
pub fn deleveraging_by_a_loss(example: &mut Example) {
    let most = example.input("pool_max_balance_8h");
    assert_eq!(example.input("insurancePnlRatio"), Decimal::parse("-0.3"), "the preset's drawdown begins at 70 %");
    let mark = Decimal::whole(900) - example.input("symbol_loss").exactly_by(Decimal::whole(1_000));
    let mut desk = fund_with_inventory(example, most);
    let (equity, peak, trades) = drawdown_at(&mut desk, mark).expect("the drawdown begins");
    example.compare("pnl_ratio", (equity - peak).exactly_by(peak));
    let deleveraged = !trades.is_empty();
    example.note("adl", deleveraged.to_string(), deleveraged == example.record["expected"]["adl"]);
    // What the counterparties bear: the fund sells to them above the mark.
    let above = |trade: &Value| (Decimal::of(&trade["price"]) - mark) * Decimal::of(&trade["qty"]);
    let subsidy = trades.iter().map(above).fold(Decimal::ZERO, |sum, one| sum + one);
    example.compare("user_subsidy", subsidy);
}

/// The fund's equity is what it was for eight hours; the highest at which deleveraging begins is the threshold.
pub fn deleveraging_below_a_threshold(example: &mut Example) {
    let (before, now) = (example.input("fund_8h_avg"), example.input("balance"));
    let threshold = Decimal::of(&example.record["expected"]["threshold"]);
    let mark_of = |equity: Decimal| Decimal::whole(900) - (before - equity).exactly_by(Decimal::whole(1_000));
    let mut desk = fund_with_inventory(example, before);
    for hour in 1..8u64 {
        desk.say(json!({"op": "time", "ts": hour * 3_600_000_000_000}));
    }
    let step = Decimal::whole(1); // 1000 units in the smallest step of the mark
    assert!(drawdown_at(&mut desk, mark_of(threshold + step)).is_none(), "it begins above the published threshold");
    let begins = drawdown_at(&mut desk, mark_of(threshold)).map(|(equity, ..)| equity);
    example.compare("threshold", begins.unwrap_or(Decimal::ZERO));
    let trades = drawdown_at(&mut fund_with_inventory(example, before), mark_of(now)).map_or(Vec::new(), |at| at.2);
    let deleveraged = !trades.is_empty();
    example.note("adl", deleveraged.to_string(), deleveraged == example.record["expected"]["adl"]);
}
