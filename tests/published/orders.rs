//! What orders reserve.

use crate::decimal::Decimal;
use crate::desk::{Desk, flat};
use crate::example::{Example, decimals};
use serde_json::json;

/// A buy order, and sell orders added until their requirement is each of the steps.
pub fn initial_margin_of_orders(example: &mut Example) {
    let leverage = Decimal::whole(10);
    let mut desk = example.desk("USDT");
    desk.list("OWN", &flat(Decimal::parse("0.005")));
    desk.deposit(1, Decimal::whole(1000));
    desk.leverage(1, "OWN", leverage);
    let mut number = 0;
    let mut order = |desk: &mut Desk, side: &str, margin: Decimal| {
        number += 1;
        let price = (margin * leverage).to_string();
        desk.say(json!({"op": "order", "account": 1, "order": number, "symbol": "OWN", "side": side, "qty": 1, "price": price}));
        Decimal::of(&desk.account(1)["pools"][0]["im"])
    };
    assert_eq!(order(&mut desk, "buy", example.input("buy_im")), example.input("buy_im"));
    let mut sold = Decimal::ZERO;
    let mut shown = Vec::new();
    for step in decimals(&example.record["inputs"]["sell_im_steps"]) {
        shown.push(order(&mut desk, "sell", step - sold));
        sold = step;
    }
    example.compare_list("account_im", &shown);
}

/// Without leverage, the notional of what an order reserves is its initial margin.
pub fn margin_of_bids_and_offers(example: &mut Example) {
    let sides = |name: &str| decimals(&example.record["inputs"][name]);
    let (bids, offers) = (sides("bids"), sides("offers"));
    let mut desk = example.desk("USDT");
    desk.list("OWN", &flat(Decimal::parse("0.001")));
    desk.deposit(1, Decimal::whole(1_000_000));
    desk.leverage(1, "OWN", Decimal::whole(1));
    desk.mark("OWN", bids[1]);
    desk.order(1, 1, "OWN", bids[0], bids[1]);
    desk.order(1, 2, "OWN", Decimal::ZERO - offers[0], offers[1]);
    let reserved = Decimal::of(&desk.account(1)["pools"][0]["im"]);
    example.compare("charged_offers", reserved.exactly_by(offers[1]));
    let beyond = reserved - offers[0] * offers[1];
    example.compare("charged_bids", beyond.exactly_by(bids[1]));
}

pub fn cost_of_an_order(example: &mut Example) {
    let mut desk = example.desk("USDT");
    desk.list("OWN", &flat(Decimal::parse("0.005")));
    let start = Decimal::whole(1_000);
    desk.deposit(1, start);
    desk.leverage(1, "OWN", example.input("leverage"));
    desk.mark("OWN", example.input("mark"));
    desk.order(1, 1, "OWN", example.side() * example.input("qty"), example.input("price"));
    let pool = desk.account(1)["pools"][0].clone();
    let (initial, cost) = (Decimal::of(&pool["im"]), start - Decimal::of(&pool["available"]));
    example.compare("initial_margin", initial);
    example.compare("cost", cost);
    example.compare("open_loss", cost - initial);
}

pub fn price_that_an_order_reserves_at(example: &mut Example) {
    let mut desk = example.desk("USDT");
    desk.list("OWN", &flat(Decimal::parse("0.005")));
    desk.deposit(1, Decimal::whole(100_000));
    desk.leverage(1, "OWN", Decimal::whole(1));
    desk.mark("OWN", example.input("mark"));
    desk.say(json!({"op": "last", "symbol": "OWN", "price": example.input("last").to_string()}));
    desk.order(1, 1, "OWN", example.side(), example.input("order"));
    example.compare("assuming_price", Decimal::of(&desk.account(1)["pools"][0]["im"]));
}
