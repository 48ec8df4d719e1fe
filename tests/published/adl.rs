//! Auto-deleveraging.

use crate::decimal::Decimal;
use crate::desk::{Desk, flat};
use crate::example::{Example, record};
use serde_json::{Value, json};

/// The mark at which the queue stands as published.
const MARK: i128 = 660;

/// What the long positions of the queue cost: at the mark they have gained nine times as much.
const ENTRY: i128 = 66;

/// Six long positions with the published sizes and scores.
///
/// The score is `uPnL / cost · notional / equity`, here `9 · 660 / equity per unit`: the deposit makes it what it is.
fn queue(desk: &mut Desk, accounts: &Value) {
    desk.list("XBTUSD", &flat(Decimal::parse("0.005")));
    desk.mark("XBTUSD", Decimal::whole(ENTRY));
    for at in accounts.as_array().expect("accounts") {
        let (account, quantity) = (at["account"].as_u64().expect("an id"), Decimal::of(&at["qty"]));
        let equity = Decimal::whole((MARK / ENTRY - 1) * MARK).exactly_by(Decimal::of(&at["score"]));
        desk.deposit(account, (equity - Decimal::whole(MARK - ENTRY)) * quantity);
        desk.fill(account, "XBTUSD", quantity, Decimal::whole(ENTRY));
    }
}

pub fn ranks_and_lights(example: &mut Example) {
    let accounts = example.record["inputs"]["accounts"].clone();
    let mut desk = example.desk("USDT");
    queue(&mut desk, &accounts);
    desk.mark("XBTUSD", Decimal::whole(MARK));
    let view = desk.ask(json!({"op": "get", "what": "adl_queue", "symbol": "XBTUSD", "side": "long"}));
    let queue = view["queue"].as_array().expect("a queue");
    for (entry, rank) in queue.iter().zip(1..) {
        let given = accounts.as_array().expect("accounts").iter().find(|at| at["account"] == entry["account"]);
        let given = given.expect("an account of the example");
        assert_eq!(entry["rank"], rank);
        assert_eq!(
            (Decimal::of(&entry["qty"]), Decimal::of(&entry["score"])),
            (Decimal::of(&given["qty"]), Decimal::of(&given["score"]))
        );
    }
    let of = |key: &str| queue.iter().map(|entry| Decimal::of(&entry[key])).collect::<Vec<Decimal>>();
    example.compare_list("order", &of("account"));
    // Five lights are the first 20 %, one light is the last.
    let percentile = |lights: Decimal| (Decimal::whole(6) - lights) * Decimal::whole(20);
    let percentiles: Vec<Decimal> = of("lights").into_iter().map(percentile).collect();
    example.compare_list("percentile", &percentiles);
}

/// Account 7 is short 20, bankrupt at 650, and the fund is empty.
pub fn deleveraging_in_part(example: &mut Example) {
    let (size, bankruptcy) = (example.input("size"), example.input("bankruptcy"));
    let mut desk = example.desk("USDT");
    queue(&mut desk, &record("bitmex-adl-rank-060")["inputs"]["accounts"]);
    let entry = Decimal::whole(600);
    desk.mark("XBTUSD", entry);
    desk.deposit(7, size * (bankruptcy - entry));
    desk.fill(7, "XBTUSD", -size, entry);
    let events = desk.mark("XBTUSD", Decimal::whole(MARK));
    let trades: Vec<&Value> = events.iter().filter(|event| event["ev"] == "adl").collect();
    let closed: Vec<Value> =
        trades.iter().map(|trade| json!([trade["counter"], Decimal::of(&trade["qty"]).to_string()])).collect();
    let expected = example.record["expected"]["closed"].as_array().expect("pairs");
    let expected: Vec<Value> =
        expected.iter().map(|pair| json!([pair[0], Decimal::of(&pair[1]).to_string()])).collect();
    example.note("closed", format!("{closed:?}"), closed == expected);
    for trade in trades {
        assert_eq!((&trade["account"], &trade["side"]), (&json!(7), &json!("sell")));
        example.compare("price", Decimal::of(&trade["price"]));
    }
    example.compare("acct5_left", Decimal::of(&desk.position(5, "XBTUSD")["qty"]));
    assert_eq!(desk.account(7)["positions"], json!([]));
    let fund = desk.ask(json!({"op": "get", "what": "fund", "fund": "USDT"}));
    assert_eq!((&fund["balance"], &fund["inventory"]), (&json!("0"), &json!([])), "the counterparties bore it all");
}

/// One unit at a mark that is as far above its entry price as the example says. Of what the example gives the maintenance
/// margin follows: its ratio times the equity.
pub fn score_by_margin_ratio(example: &mut Example) {
    let (profit, wallet) = (example.input("unrealized_pnl"), example.input("wallet_balance"));
    let margin = example.input("margin_ratio") * (profit + wallet); // 5.967874
    let mark = Decimal::parse("1193.575");
    let mut desk = example.desk("USDT");
    desk.list("OWN", &flat(Decimal::parse("0.005")));
    desk.deposit(1, wallet);
    desk.mark("OWN", mark);
    desk.fill(1, "OWN", Decimal::whole(1), mark - profit);
    let position = desk.position(1, "OWN");
    assert!((Decimal::of(&position["mm"]) - margin).abs() <= Decimal::parse("0.000001"), "{position}");
    let ratio = Decimal::of(&desk.account(1)["pools"][0]["ratio"]);
    let view = desk.ask(json!({"op": "get", "what": "adl_queue", "symbol": "OWN", "side": "long"}));
    let score = Decimal::of(&view["queue"][0]["score"]);
    example.compare("leverage_pnl", score);
    example.compare("pnl_percent", score.about_by(ratio));
}
