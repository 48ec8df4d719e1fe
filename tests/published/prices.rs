//! Index, mark and funding.

use crate::decimal::Decimal;
use crate::desk::{Desk, flat};
use crate::example::Example;
use serde_json::json;

/// Two venues at the median and the one that is off: an index that weighs this one alone shows what it counts as. The
/// bound is the preset's.
pub fn outlier_of_an_index(example: &mut Example) {
    let (median, source) = (example.input("median"), example.input("source"));
    let mut desk = example.desk("USDT");
    // The weight of the two others rounds away.
    let venues = [("a", "0.000000001"), ("b", "0.000000001"), ("off", "1000000")];
    let venues = venues.map(|(venue, weight)| json!({"venue": venue, "weight": weight}));
    desk.list_with("X", &flat(Decimal::parse("0.05")), json!({"index": {"venues": venues}}));
    for (venue, price) in [("a", median), ("b", median), ("off", source)] {
        desk.say(json!({"op": "index", "symbol": "X", "venue": venue, "price": price.to_string()}));
    }
    let shown = desk.ask(json!({"op": "get", "what": "instrument", "symbol": "X"}));
    example.compare("capped", Decimal::of(&shown["index"]));
}

/// A damper is a clamp without interest, both the preset's: one sample of the premium, against an index of 1000.
pub fn damped_funding(example: &mut Example) {
    let mut desk = example.desk("USDC");
    let mut line = desk.listing("X", Vec::new());
    line.as_object_mut().expect("an object").remove("tiers"); // the preset's rates rise with the size
    desk.declare(line);
    let rate = rate_of_one_premium(&mut desk, example.input("premium_rate"));
    example.compare("funding", rate);
}

/// The rate after one sample of this premium, against an index of 1000. (Every preset samples at the full minute.)
fn rate_of_one_premium(desk: &mut Desk, premium: Decimal) -> Decimal {
    let price = (Decimal::whole(1_000) + premium * Decimal::whole(1_000)).to_string();
    desk.say(json!({"op": "index", "symbol": "X", "price": "1000", "ts": 59_999_999_999u64}));
    desk.say(json!({"op": "book", "symbol": "X", "impact_bid": price, "impact_ask": price}));
    let shown = desk.ask(json!({"op": "get", "what": "instrument", "symbol": "X", "ts": 60_000_000_000u64}));
    Decimal::of(&shown["funding_rate"])
}

/// The rate of interest of an interval, from those of two currencies for a day. A premium within the clamp of it leads to
/// it.
pub fn interest_of_an_interval(example: &mut Example) {
    let daily = example.input("quote_rate") - example.input("base_rate");
    let interest = daily.exactly_by(example.input("intervals_per_day"));
    let mut desk = example.desk("USDT");
    desk.list_with("X", &flat(Decimal::parse("0.05")), json!({"funding": {"interest": interest.to_string()}}));
    let rate = rate_of_one_premium(&mut desk, interest - Decimal::parse("0.0001"));
    example.compare("interest", rate);
}

/// The basis is as the example has it for the whole window, then the book and a trade are.
pub fn candidates_of_a_mark(example: &mut Example) {
    let (oracle, basis) = (example.input("oracle"), example.input("ema_basis"));
    let mut desk = example.desk("USDC");
    desk.list("X", &flat(Decimal::parse("0.0125")));
    desk.mark("X", oracle);
    let mid = (oracle + basis).to_string();
    desk.say(json!({"op": "book", "symbol": "X", "bid": mid, "ask": mid}));
    let ts = 150_000_000_000u64;
    let (bid, ask) = (example.input("bid").to_string(), example.input("ask").to_string());
    desk.say(json!({"op": "time", "ts": ts}));
    desk.say(json!({"op": "book", "symbol": "X", "bid": bid, "ask": ask}));
    desk.say(json!({"op": "last", "symbol": "X", "price": ask})); // so that the next one moves the mark
    let events = desk.say(json!({"op": "last", "symbol": "X", "price": example.input("last").to_string()}));
    let mark = events.iter().find(|event| event["ev"] == "mark").expect("the last price is in the middle");
    example.compare("p1", Decimal::of(&mark["inputs"]["p2"]));
    example.compare("p2", Decimal::of(&mark["inputs"]["last"]));
}
