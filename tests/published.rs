//! Worked numbers that venues publish, each reproduced through the protocol.
//!
//! `published/examples.jsonl` holds them as they were found, with their sources. A shape of example is one function
//! here, and a table names the function of each; a record without one, or one without a record, fails. What the
//! kernel shows is compared with what the venue printed, within the tolerance of the record, in exact decimals. A
//! published liquidation price is a real number and the kernel shows the first tick that breaches: ticks are finer
//! than the tolerances, so that no allowance is made for them.
//!
//! What the model cannot give is not bent to: see [`NOT_REPRODUCED`].

#[path = "published/decimal.rs"]
mod decimal;
#[path = "published/desk.rs"]
mod desk;

use decimal::Decimal;
use desk::{Desk, Row, flat, tier, with_deduction};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const FILE: &str = include_str!("published/examples.jsonl");

/// What reproduces an example.
type Shape = fn(&mut Example);

/// The function of every example.
const SHAPES: &[(&str, Shape)] = &[
    ("binance-usdm-lp-001", liquidation_price_beside_another),
    ("binance-usdm-lp-002", liquidation_price_beside_another),
    ("binance-usdm-lp-003", liquidation_price_of_a_wallet),
    ("binance-usdm-lp-004", liquidation_price_of_a_wallet),
    ("binance-usdm-mm-005", maintenance_margin),
    ("binance-usdm-mm-006", maintenance_margin),
    ("binance-tiers-015", tier_table),
    ("binance-tiers-016", tier_table),
    ("binance-tiers-017", tier_table),
    ("coincall-tiers-018", inconsistent_tier_table),
    ("binance-coinm-cum-022", one_deduction),
    ("binance-coinm-cum-023", tier_of_a_position),
    ("binance-index-029", outlier_of_an_index),
    ("binance-index-030", outlier_of_an_index),
    ("deribit-fund-076", damped_funding),
    ("deribit-fund-077", damped_funding),
    ("deribit-fund-078", damped_funding),
    ("bybit-uta-iso-044", liquidation_price_with_extra_margin),
    ("bybit-bankr-046", bankruptcy_price_at_leverage),
    ("bybit-bankr-047", bankruptcy_price_at_leverage),
    ("bybit-bankr-048", bankruptcy_price_in_cross),
    ("bybit-if-056", sign_of_the_funds_result),
    ("bybit-if-057", sign_of_the_funds_result),
    ("bybit-order-im-059", initial_margin_of_orders),
    ("bitmex-adl-rank-060", ranks_and_lights),
    ("bitmex-adl-alloc-061", deleveraging_in_part),
    ("bitmex-liq-064", both_prices_at_leverage),
    ("okx-margin-069", margin_of_an_isolated_position),
    ("gate-if-083", amount_of_the_funds_result),
    ("gate-if-084", amount_of_the_funds_result),
    ("hyperliquid-tier-085", tier_table_of_pairs),
    ("generic-liq-087", both_prices_of_a_margin),
    ("torchtrade-cross-088", liquidation_price_beside_a_requirement),
    ("dydx-liq-145", liquidation_price_of_an_equity),
    ("dydx-liq-146", liquidation_price_beside_strk),
    ("dydx-bankr-147", bankruptcy_price_and_requirement),
    ("bybit-uta-mm-045", margin_with_the_closing_fee),
    ("bybit-bankr-inv-049", inverse_bankruptcy_price_in_cross),
    ("bybit-liq-inv-050", inverse_liquidation_price_in_cross),
    ("bybit-bankr-inv-051", inverse_bankruptcy_price_at_leverage),
    ("bybit-inv-learn-052", inverse_prices_at_leverage),
    ("bybit-inv-iso-053", inverse_margins),
    ("bybit-inv-iso-054", inverse_liquidation_prices_of_both_sides),
    ("bitmex-pnl-inv-063", inverse_result_with_funding),
    ("bitmex-order-margin-065", margin_of_bids_and_offers),
    ("okx-partial-068", reduction_to_the_first_tier),
    ("whitebit-im-089", initial_margin_of_brackets),
    ("binance-open-cost-024", cost_of_an_order),
    ("binance-open-cost-025", cost_of_an_order),
    ("binance-open-cost-026", price_that_an_order_reserves_at),
    ("deribit-lin-070", margin_that_rises_with_the_size),
    ("deribit-lin-071", margin_that_rises_with_the_size),
    ("deribit-lin-072", margin_that_rises_with_the_size),
    ("deribit-lin-073", margin_that_rises_with_the_size),
    ("deribit-lin-074", margin_that_rises_with_the_size),
    ("deribit-lin-075", margin_that_rises_with_the_size),
];

/// The examples whose rule the model does not have, and which rule that is.
const NOT_REPRODUCED: &[(&str, &str)] = &[
    ("bybit-uta-iso-044", "the source divides extra margin by (1 − taker fee); in the model margin is margin"),
    ("bitmex-liq-064", "the source takes the maintenance margin on the entry value, the model on the value at mark"),
    (
        "bybit-bankr-inv-049",
        "the source adds the closing fee to the bankruptcy price; in the model closing at it costs the share, without fee",
    ),
    (
        "bybit-liq-inv-050",
        "the source takes the maintenance margin on the entry value and the fee at the bankruptcy price, the model both on the value at mark",
    ),
    (
        "bybit-inv-learn-052",
        "the source takes the maintenance margin on the entry value, the model on the value at mark",
    ),
    ("bybit-inv-iso-054", "the source takes the maintenance margin on the entry value, the model on the value at mark"),
    ("bybit-uta-mm-045", "the source takes the closing fee at the bankruptcy price, the model on the notional at mark"),
    (
        "bitmex-order-margin-065",
        "the source charges what of the bids the offers do not cover as well; in the model the larger side alone counts",
    ),
    (
        "whitebit-im-089",
        "the source takes the initial margin slice by slice, the model at the leverage of the whole position's tier",
    ),
    (
        "binance-open-cost-025",
        "the source adds the loss of an order that crosses the mark; in the model an order reserves at its limit",
    ),
    (
        "binance-open-cost-026",
        "the source margins an order at the worst of last, mark and limit; in the model an order reserves at its limit",
    ),
];

/// What the model gives in place of what the source says, by the key of `expected`.
const INSTEAD: &[(&str, &str, &str)] = &[
    ("bybit-uta-iso-044", "liq_price", "36381.909"), // (40000 − 800 − 3000) / 0.995 = 36381.9095…
    ("bitmex-liq-064", "liquidation", "99.497"),     // 99 / 0.995 = 99.4974…
    ("bybit-bankr-inv-049", "bankruptcy_price", "5714.286"), // 10000 / 1.75, up
    ("bybit-liq-inv-050", "liq_price", "5747.142"),  // 10000 · 1.00575 / 1.75 = 5747.1428…
    ("bybit-inv-learn-052", "liq_price", "10400.379"), // 11383.5 · 1.005 / 1.1 = 10400.3795…
    ("bybit-inv-iso-054", "liq_long", "45681.818"),  // 60000 · 1.005 / 1.32 = 45681.8181…
    ("bybit-inv-iso-054", "liq_short", "55277.778"), // 60000 · 0.995 / 1.08 = 55277.7777…, up
    ("bybit-uta-mm-045", "mm", "222"),               // 40000 · 0.5 % + 22
    ("bybit-uta-mm-045", "close_fee", "22"),         // 40000 · 0.055 %
    ("bitmex-order-margin-065", "charged_bids", "0"), // 2000 of bids are within 2250 of offers
    ("whitebit-im-089", "margin", "20000"),          // 200000 / 10
    ("binance-open-cost-025", "open_loss", "0"),     // 9253.3 / 20 is all that is reserved
    ("binance-open-cost-025", "cost", "462.665"),    // as above
    ("binance-open-cost-026", "assuming_price", "9253.3"), // the limit
];

/// A record, and what was compared with it.
struct Example {
    record: Value,
    comparisons: Vec<Comparison>,
}

struct Comparison {
    key: String,
    shown: String,
    agrees: bool,
}

impl Example {
    fn input(&self, name: &str) -> Decimal {
        Decimal::of(&self.record["inputs"][name])
    }

    /// `1` for a long, `-1` for a short, however the record says it.
    fn side(&self) -> Decimal {
        match &self.record["inputs"]["side"] {
            Value::String(side) if side == "long" => Decimal::whole(1),
            Value::String(side) if side == "short" => Decimal::whole(-1),
            number => Decimal::of(number),
        }
    }

    /// Compares what the kernel shows with `expected`, within the record's tolerance.
    fn compare(&mut self, key: &str, shown: Decimal) {
        let agrees =
            (shown - Decimal::of(&self.record["expected"][key])).abs() <= Decimal::of(&self.record["tolerance"]);
        self.note(key, shown.to_string(), agrees);
    }

    fn compare_list(&mut self, key: &str, shown: &[Decimal]) {
        let tolerance = Decimal::of(&self.record["tolerance"]);
        let expected = decimals(&self.record["expected"][key]);
        let agree = |(a, b): (&Decimal, &Decimal)| (*a - *b).abs() <= tolerance;
        let agrees = shown.len() == expected.len() && shown.iter().zip(&expected).all(agree);
        let shown: Vec<String> = shown.iter().map(Decimal::to_string).collect();
        self.note(key, shown.join(" "), agrees);
    }

    fn note(&mut self, key: &str, shown: String, agrees: bool) {
        self.comparisons.push(Comparison { key: key.to_owned(), shown, agrees });
    }

    fn disagreements(&self) -> Vec<String> {
        let wrong = self.comparisons.iter().filter(|comparison| !comparison.agrees);
        let expected = &self.record["expected"];
        wrong.map(|c| format!("{}: the kernel shows {}, published {}", c.key, c.shown, expected[&c.key])).collect()
    }
}

fn records() -> Vec<Value> {
    FILE.lines().map(|line| serde_json::from_str(line).expect("a record a line")).collect()
}

fn record(id: &str) -> Value {
    records().into_iter().find(|record| record["id"] == id).unwrap_or_else(|| panic!("no record {id}"))
}

fn decimals(list: &Value) -> Vec<Decimal> {
    list.as_array().expect("a list").iter().map(Decimal::of).collect()
}

/// Runs the function of an example. Every key of `expected` must have been compared, or it has shown nothing.
fn reproduce(id: &str, shape: Shape) -> Example {
    let mut example = Example { record: record(id), comparisons: Vec::new() };
    shape(&mut example);
    let compared: BTreeSet<&str> = example.comparisons.iter().map(|comparison| comparison.key.as_str()).collect();
    let expected: BTreeSet<&str> =
        example.record["expected"].as_object().expect("expected").keys().map(String::as_str).collect();
    assert_eq!(compared, expected, "{id}: what is compared is what is expected");
    example
}

#[test]
fn every_example_has_a_function() {
    let records = records();
    let in_file: BTreeSet<&str> = records.iter().filter_map(|record| record["id"].as_str()).collect();
    let in_table: BTreeSet<&str> = SHAPES.iter().map(|&(id, _)| id).collect();
    assert_eq!(in_file, in_table);
    assert_eq!((in_file.len(), in_table.len()), (records.len(), SHAPES.len()), "an id stands once");
    for record in &records {
        let exempt = NOT_REPRODUCED.iter().any(|&(id, _)| record["id"] == id);
        assert_eq!(record["model"].is_string(), exempt, "{}: the record says so where the model differs", record["id"]);
        assert!(!record["source"].as_str().expect("a source").is_empty());
    }
}

#[test]
fn published_numbers_are_reproduced() {
    let mut reproduced = 0;
    let mut wrong = Vec::new();
    for &(id, shape) in SHAPES {
        let disagreements = reproduce(id, shape).disagreements();
        match NOT_REPRODUCED.iter().find(|&&(exempt, _)| exempt == id) {
            Some((_, reason)) => {
                assert!(!disagreements.is_empty(), "{id} is reproduced: take it off the list");
                println!("{id}: not reproduced: {reason} ({})", disagreements.join("; "));
            }
            None if disagreements.is_empty() => reproduced += 1,
            None => wrong.push(format!("{id}: {}", disagreements.join("; "))),
        }
    }
    println!("{reproduced} of {} published examples reproduced, {} not", SHAPES.len(), NOT_REPRODUCED.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(reproduced + NOT_REPRODUCED.len(), SHAPES.len());
}

#[test]
fn what_the_model_gives_instead() {
    for &(id, _) in NOT_REPRODUCED {
        let (_, shape) = SHAPES.iter().find(|&&(at, _)| at == id).expect("a function");
        let example = reproduce(id, *shape);
        let differing = example.comparisons.iter().filter(|comparison| !comparison.agrees);
        let shown: BTreeSet<(&str, &str)> = differing.map(|c| (c.key.as_str(), c.shown.as_str())).collect();
        let listed: BTreeSet<(&str, &str)> =
            INSTEAD.iter().filter(|row| row.0 == id).map(|&(_, key, value)| (key, value)).collect();
        assert_eq!(shown, listed, "{id}");
    }
    let exempt = |id| NOT_REPRODUCED.iter().any(|&(of, _)| of == id);
    assert!(INSTEAD.iter().all(|row| exempt(row.0)), "an example that is reproduced has no other figure");
}

// Prices.

/// Two venues at the median and the one that is off: an index that weighs this one alone shows what it counts as.
fn outlier_of_an_index(example: &mut Example) {
    let (median, source, cap) = (example.input("median"), example.input("source"), example.input("cap"));
    let mut desk = Desk::new("USDT");
    let mut line = desk.listing("X", vec![tier((Decimal::whole(1_000_000), Decimal::parse("0.05")))]);
    // The weight of the two others rounds away.
    let venues = [("a", "0.000000001"), ("b", "0.000000001"), ("off", "1000000")];
    let venues = venues.map(|(venue, weight)| json!({"venue": venue, "weight": weight}));
    line["index"] = json!({"venues": venues, "max_deviation": cap.to_string()});
    desk.say(line);
    for (venue, price) in [("a", median), ("b", median), ("off", source)] {
        desk.say(json!({"op": "index", "symbol": "X", "venue": venue, "price": price.to_string()}));
    }
    let shown = desk.ask(json!({"op": "get", "what": "instrument", "symbol": "X"}));
    example.compare("capped", Decimal::of(&shown["index"]));
}

/// A damper is a clamp without interest: one sample of the premium, against an index of 1000.
fn damped_funding(example: &mut Example) {
    let (premium, damper) = (example.input("premium_rate"), example.input("damper"));
    let mut desk = Desk::new("USD");
    let mut line = desk.listing("X", vec![tier((Decimal::whole(1_000_000), Decimal::parse("0.05")))]);
    line["funding"] = json!({"clamp": damper.to_string(), "sample_every": 10});
    desk.say(line);
    let price = (Decimal::whole(1_000) + premium * Decimal::whole(1_000)).to_string();
    desk.say(json!({"op": "index", "symbol": "X", "price": "1000", "ts": 1}));
    desk.say(json!({"op": "book", "symbol": "X", "impact_bid": price, "impact_ask": price}));
    let shown = desk.ask(json!({"op": "get", "what": "instrument", "symbol": "X", "ts": 10}));
    example.compare("funding", Decimal::of(&shown["funding_rate"]));
}

// Liquidation and bankruptcy prices.

/// A cross pool with a second position, which stands as `BTCUSDT long 109.488 @32481.98 mark 31967.27 mmr 2.5% cum 16300`.
fn liquidation_price_beside_another(example: &mut Example) {
    let text = example.record["inputs"]["other"].as_str().expect("the other position").to_owned();
    let words: Vec<&str> = text.split_whitespace().collect();
    let [other, "long", quantity, entry, "mark", mark, "mmr", percent, "cum", cum] = words[..] else {
        panic!("{text}: another form");
    };
    let percent = Decimal::parse(percent.trim_end_matches('%'));
    let mut desk = Desk::new("USDT");
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
fn liquidation_price_of_a_wallet(example: &mut Example) {
    let mut desk = Desk::new("USDT");
    desk.list("OWN", &with_deduction(example.input("mmr"), example.input("cum")));
    let quantity = example.side() * example.input("position");
    let position = desk.open_isolated("OWN", quantity, example.input("entry"), example.input("WB"));
    example.compare("liq_price", Decimal::of(&position["liq_price"]));
}

/// Isolated at a leverage, with margin added.
fn liquidation_price_with_extra_margin(example: &mut Example) {
    let mut desk = Desk::new("USDT");
    desk.list("OWN", &with_deduction(example.input("mmr"), example.input("mm_deduction")));
    desk.leverage_of_new("OWN", example.input("leverage"));
    let initial = (example.input("entry") * example.input("qty")).exactly_by(example.input("leverage"));
    let margin = initial + example.input("extra_margin");
    let position = desk.open_isolated("OWN", example.side() * example.input("qty"), example.input("entry"), margin);
    example.compare("liq_price", Decimal::of(&position["liq_price"]));
}

fn bankruptcy_price_at_leverage(example: &mut Example) {
    let position = at_leverage(example.side(), example.input("entry"), example.input("leverage"));
    example.compare("bankruptcy_price", Decimal::of(&position["bankruptcy_price"]));
}

/// One unit, isolated, with what the leverage takes as its only margin.
fn at_leverage(side: Decimal, entry: Decimal, leverage: Decimal) -> Value {
    let mut desk = Desk::new("USDT");
    desk.list("OWN", &flat(Decimal::parse("0.005")));
    desk.leverage_of_new("OWN", leverage);
    desk.open_isolated("OWN", side, entry, entry.exactly_by(leverage))
}

/// `PosMargin + WB` is what the cross pool holds; at the leverage of the example it splits as published.
fn bankruptcy_price_in_cross(example: &mut Example) {
    let (margin, free) = (example.input("position_margin"), example.input("available_balance"));
    let value = example.input("entry") * example.input("qty");
    let mut desk = Desk::new("USDT");
    desk.list("OWN", &flat(Decimal::parse("0.005")));
    desk.deposit(1, margin + free);
    desk.leverage(1, "OWN", value.exactly_by(margin));
    let position = desk.open_cross("OWN", example.side() * example.input("qty"), example.input("entry"));
    let pool = desk.account(1)["pools"][0].clone();
    assert_eq!((Decimal::of(&pool["im"]), Decimal::of(&pool["available"])), (margin, free), "{pool}");
    example.compare("bankruptcy_price", Decimal::of(&position["bankruptcy_price"]));
}

/// The initial margin rate is 1 / leverage; the maintenance rate 0.5 % is that of [`at_leverage`].
fn both_prices_at_leverage(example: &mut Example) {
    assert_eq!(example.input("mm"), Decimal::parse("0.005"));
    let leverage = Decimal::whole(1).exactly_by(example.input("im"));
    let position = at_leverage(example.side(), example.input("entry"), leverage);
    example.compare("bankruptcy", Decimal::of(&position["bankruptcy_price"]));
    example.compare("liquidation", Decimal::of(&position["liq_price"]));
}

fn both_prices_of_a_margin(example: &mut Example) {
    let mut desk = Desk::new("USDT");
    desk.list("OWN", &flat(example.input("mmr")));
    let margin = example.input("entry") * example.input("qty") * example.input("imr");
    let position = desk.open_isolated("OWN", example.side() * example.input("qty"), example.input("entry"), margin);
    example.compare("bankruptcy", Decimal::of(&position["bankruptcy_price"]));
    example.compare("liquidation", Decimal::of(&position["liq_price"]));
}

/// The other positions are one whose requirement is as published and whose result is zero.
fn liquidation_price_beside_a_requirement(example: &mut Example) {
    let mmr = example.input("mmr");
    let mut desk = Desk::new("USDT");
    desk.list("OWN", &flat(mmr));
    desk.list("OTHER", &flat(mmr));
    desk.deposit(1, example.input("wallet"));
    let other = desk.open_cross("OTHER", Decimal::whole(1), example.input("other_mm").exactly_by(mmr));
    assert_eq!(Decimal::of(&other["mm"]), example.input("other_mm"));
    let own = desk.open_cross("OWN", example.input("qty"), example.input("entry"));
    example.compare("liq_price", Decimal::of(&own["liq_price"]));
}

/// dYdX gives the equity at the present price: a margin of that much at an entry price that is the mark.
fn liquidation_price_of_an_equity(example: &mut Example) {
    let mut desk = Desk::new("USDC");
    desk.list("OWN", &flat(example.input("mmf")));
    let position = desk.open_isolated("OWN", example.input("size"), example.input("price"), example.input("equity"));
    example.compare("liq_price", Decimal::of(&position["liq_price"]));
}

/// Beside 1000 STRK at 1.75 with 10 %.
fn liquidation_price_beside_strk(example: &mut Example) {
    assert_eq!(example.record["inputs"]["other"], "1000 STRK @1.75 MMF 10%");
    let mut desk = Desk::new("USDC");
    desk.list("OWN", &flat(example.input("mmf")));
    desk.list("STRK", &flat(Decimal::parse("0.1")));
    desk.deposit(1, example.input("equity"));
    let other = desk.open_cross("STRK", Decimal::whole(1000), Decimal::parse("1.75"));
    assert_eq!(Decimal::of(&other["mm"]), example.input("other_mmr"));
    let own = desk.open_cross("OWN", example.input("size"), example.input("price"));
    example.compare("liq_price", Decimal::of(&own["liq_price"]));
}

fn bankruptcy_price_and_requirement(example: &mut Example) {
    let mut desk = Desk::new("USDC");
    desk.list("OWN", &flat(Decimal::parse("0.03")));
    let position =
        desk.open_isolated("OWN", example.input("size"), example.input("entry"), example.input("collateral"));
    example.compare("bankruptcy", Decimal::of(&position["bankruptcy_price"]));
    example.compare("mmr_usd", Decimal::of(&position["mm"]));
}

// Requirements and tier tables.

/// One unit at a price that is the notional.
fn maintenance_margin(example: &mut Example) {
    let notional = example.input("notional");
    let mut desk = Desk::new("USDT");
    desk.list("OWN", &with_deduction(example.input("mmr"), example.input("cum")));
    desk.deposit(1, notional);
    let position = desk.open_cross("OWN", Decimal::whole(1), notional);
    assert_eq!(Decimal::of(&position["notional"]), notional);
    example.compare("maintenance_margin", Decimal::of(&position["mm"]));
}

fn margin_of_an_isolated_position(example: &mut Example) {
    let (value, quantity) = (example.input("value"), example.input("qty"));
    let mut desk = Desk::new("USDT");
    desk.list("OWN", &flat(Decimal::parse("0.005")));
    desk.leverage_of_new("OWN", example.input("leverage"));
    desk.deposit(1, value); // more than it may take
    desk.say(json!({"op": "margin_mode", "account": 1, "symbol": "OWN", "mode": "isolated"}));
    let position = desk.open_cross("OWN", quantity, value.exactly_by(quantity));
    example.compare("margin", Decimal::of(&position["margin"]));
}

/// Rows as `{floor, mmr}`: a row's cap is the next one's floor, the last one's far above.
fn rows(tiers: &[(Decimal, Decimal)]) -> Vec<Row> {
    let caps = tiers.iter().skip(1).map(|&(floor, _)| floor).chain([Decimal::whole(10_000_000_000)]);
    caps.zip(tiers).map(|(cap, &(_, mmr))| (cap, mmr)).collect()
}

fn floors_and_rates(example: &Example) -> Vec<(Decimal, Decimal)> {
    let tiers = example.record["inputs"]["tiers"].as_array().expect("tiers");
    tiers.iter().map(|row| (Decimal::of(&row["floor"]), Decimal::of(&row["mmr"]))).collect()
}

fn tier_table(example: &mut Example) {
    let mut desk = Desk::new("USDT");
    desk.list("OWN", &rows(&floors_and_rates(example)));
    example.compare_list("cum", &desk.deductions("OWN"));
}

fn tier_table_of_pairs(example: &mut Example) {
    let pairs = example.record["inputs"]["tiers"].as_array().expect("tiers");
    let tiers: Vec<(Decimal, Decimal)> =
        pairs.iter().map(|pair| (Decimal::of(&pair[0]), Decimal::of(&pair[1]))).collect();
    let mut desk = Desk::new("USDC");
    desk.list("OWN", &rows(&tiers));
    example.compare_list("deduction", &desk.deductions("OWN"));
}

/// A row before the two of the example gives the first of them its published deduction.
fn one_deduction(example: &mut Example) {
    let before = with_deduction(example.input("mmr_prev"), example.input("cum_prev"))[0];
    let tiers =
        [before, (example.input("floor_n"), example.input("mmr_prev")), (Decimal::whole(100), example.input("mmr_n"))];
    let mut desk = Desk::new("BTC");
    desk.list("OWN", &tiers);
    let deductions = desk.deductions("OWN");
    assert_eq!(deductions[1], example.input("cum_prev"));
    example.compare("cum_n", deductions[2]);
}

/// The chain goes on from the row that begins at 50 BTC, at 5 % and with the deduction of `binance-coinm-cum-022`.
fn tier_of_a_position(example: &mut Example) {
    let five_percent = Decimal::parse("0.05");
    let mut tiers = vec![(Decimal::ZERO, five_percent * Decimal::parse("0.5"))];
    let first = with_deduction(five_percent, example.input("cum_at_50"))[0];
    tiers.push((first.0, five_percent));
    for pair in example.record["inputs"]["tiers"].as_array().expect("tiers") {
        tiers.push((Decimal::of(&pair[0]), Decimal::of(&pair[1])));
    }
    let mut desk = Desk::new("BTC");
    desk.list("OWN", &rows(&tiers));
    desk.deposit(1, example.input("position_btc"));
    let position = desk.open_cross("OWN", example.input("position_btc"), Decimal::whole(1));
    let view = desk.ask(json!({"op": "get", "what": "instrument", "symbol": "OWN"}));
    let row = &view["tiers"][position["tier"].as_u64().expect("a tier") as usize - 1];
    example.compare("mmr", Decimal::of(&row["mmr"]));
    example.compare("cum", Decimal::of(&row["deduction"]));
    let margin = example.input("position_btc") * Decimal::of(&row["mmr"]) - Decimal::of(&row["deduction"]);
    assert_eq!(Decimal::of(&position["mm"]), margin);
}

/// A table that jumps is refused, naming row and jump; with the jumps smoothed away it is taken.
fn inconsistent_tier_table(example: &mut Example) {
    let floors = floors_and_rates(example);
    let published = example.record["inputs"]["tiers"].as_array().expect("tiers");
    let mut deductions: Vec<Decimal> = published.iter().map(|row| Decimal::of(&row["published_cum"])).collect();
    let mut desk = Desk::new("USD");
    let mut jumps = Vec::new();
    for _ in &floors {
        let row = |(row, deduction): (Row, &Decimal)| {
            let mut row = tier(row);
            row["deduction"] = json!(deduction.to_string());
            row
        };
        let listing = desk.listing("OWN", rows(&floors).into_iter().zip(&deductions).map(row).collect());
        let Err(refusal) = desk.attempt(&listing) else { break };
        let (bad_row, jump) = row_and_jump(&refusal);
        jumps.push((floors[bad_row - 1].0, jump));
        deductions[bad_row - 1..].iter_mut().for_each(|deduction| *deduction = *deduction + jump); // later rows build on it
    }
    assert_eq!(desk.deductions("OWN"), deductions, "what was smoothed is taken as it is given");
    let (first_bad_floor, jump) = *jumps.first().expect("the published table is refused");
    let at = floors.iter().position(|&(floor, _)| floor == first_bad_floor).expect("a row");
    example.compare("first_bad_floor", first_bad_floor);
    example.compare("mm_jump", jump);
    example.compare("n_bad", Decimal::whole(jumps.len() as i128));
    example.compare("consistent_cum", deductions[at]);
}

/// What `row 5: … jumps by 42 quanta …` names; a quantum is 10^-8.
fn row_and_jump(refusal: &Value) -> (usize, Decimal) {
    assert_eq!(refusal["code"], "bad_tiers");
    let reason = refusal["reason"].as_str().expect("a reason");
    let words: Vec<&str> = reason.split([' ', ':']).collect();
    let after =
        |word: &str| words.iter().skip_while(|&&at| at != word).nth(1).copied().expect("a number in the reason");
    (after("row").parse().expect("a number"), Decimal::parse(after("by")) * Decimal::parse("0.00000001"))
}

/// A buy order, and sell orders added until their requirement is each of the steps.
fn initial_margin_of_orders(example: &mut Example) {
    let leverage = Decimal::whole(10);
    let mut desk = Desk::new("USDT");
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

// The fund.

/// What the fund's balance gains by a liquidated position of one unit that it unwinds at `fill`.
///
/// At the venues the engine closes at `fill` what it took at the bankruptcy price, and the fund has the difference. In
/// the model so too, once the position has passed to the fund: it does so at its bankruptcy value and without cash, and
/// unwinding it realises the difference. (A better fill of the account's own liquidation order stays the account's.)
fn funds_result(side: Decimal, bankruptcy: Decimal, fill: Decimal) -> Decimal {
    let mut desk = Desk::new("USDT");
    desk.list("OWN", &flat(Decimal::parse("0.005")));
    desk.say(json!({"op": "venue", "mode": "manual"}));
    desk.say(json!({"op": "fund_deposit", "fund": "USDT", "amount": 1000}));
    let margin = Decimal::whole(100);
    desk.deposit(1, margin);
    desk.open_cross("OWN", side, bankruptcy + side * margin);
    let events = desk.mark("OWN", bankruptcy + side * Decimal::whole(10)); // solvent by 10, and below the requirement
    assert_eq!(order_of(&events, "all").1, bankruptcy, "the order is limited at the bankruptcy price");
    let events = desk.say(json!({"op": "liq_expire", "liquidation": order_of(&events, "all").0}));
    let takeover = events.iter().find(|event| event["ev"] == "takeover").expect("the fund takes over");
    assert_eq!(Decimal::of(&takeover["price"]), bankruptcy);
    desk.say(json!({"op": "liq_expire", "liquidation": order_of(&events, "unwind").0}));
    let events = desk.mark("OWN", fill); // the fund asks for the mark
    let (unwinding, limit) = order_of(&events, "unwind");
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

/// Id and limit of the liquidation order of this step.
fn order_of(events: &[Value], step: &str) -> (u64, Decimal) {
    let order = events.iter().find(|event| event["ev"] == "liquidation_order" && event["step"] == step);
    let order = order.unwrap_or_else(|| panic!("no order of step {step}: {events:?}"));
    (order["liquidation"].as_u64().expect("an id"), Decimal::of(&order["limit"]))
}

/// One bankruptcy price and several fills, or the other way round.
fn sign_of_the_funds_result(example: &mut Example) {
    let inputs = &example.record["inputs"];
    let pairs: Vec<(Decimal, Decimal)> = match inputs.get("fills") {
        Some(fills) => decimals(fills).into_iter().map(|fill| (example.input("bankruptcy"), fill)).collect(),
        None => decimals(&inputs["bankruptcies"]).into_iter().map(|price| (price, example.input("fill"))).collect(),
    };
    let side = example.side();
    let signs: Vec<Decimal> = pairs.iter().map(|&(price, fill)| funds_result(side, price, fill).signum()).collect();
    example.compare_list("sign", &signs);
}

fn amount_of_the_funds_result(example: &mut Example) {
    let result = funds_result(example.side(), example.input("bankruptcy"), example.input("fill"));
    example.compare("delta_per_unit", result);
}

// Auto-deleveraging.

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

fn ranks_and_lights(example: &mut Example) {
    let accounts = example.record["inputs"]["accounts"].clone();
    let mut desk = Desk::new("USDT");
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
fn deleveraging_in_part(example: &mut Example) {
    let (size, bankruptcy) = (example.input("size"), example.input("bankruptcy"));
    let mut desk = Desk::new("USDT");
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

// Inverse contracts: a lot is a dollar.

/// A desk with an inverse contract.
fn inverse_desk(rows: &[Row], more: Value) -> Desk {
    let mut desk = Desk::new("BTC");
    desk.list_with("INV", rows, more);
    desk
}

fn inverse() -> Value {
    json!({"kind": "inverse_perp", "lot": "0.01"})
}

fn inverse_bankruptcy_price_in_cross(example: &mut Example) {
    let mut desk = inverse_desk(&flat(Decimal::parse("0.005")), inverse());
    desk.deposit(1, example.input("balance_btc"));
    let position = desk.open_cross("INV", example.side() * example.input("qty_usd"), example.input("entry"));
    example.compare("bankruptcy_price", Decimal::of(&position["bankruptcy_price"]));
}

/// With the fee of closing in the maintenance margin.
fn inverse_liquidation_price_in_cross(example: &mut Example) {
    let fee = example.input("fee").to_string();
    let more = json!({"kind": "inverse_perp", "lot": "0.01", "taker_fee": fee, "close_fee_in_mm": true});
    let mut desk = inverse_desk(&flat(example.input("mmr")), more);
    desk.deposit(1, example.input("balance_btc"));
    let position = desk.open_cross("INV", example.side() * example.input("qty_usd"), example.input("entry"));
    example.compare("liq_price", Decimal::of(&position["liq_price"]));
}

/// On a fine grid, and on one of half a dollar, where two fills make the entry price: lots of 0.42 · 7890 and
/// 0.08 · 7890.5 have the harmonic mean 7890.08.
fn inverse_bankruptcy_price_at_leverage(example: &mut Example) {
    let (leverage, entry) = (example.input("leverage"), example.input("entry"));
    let open = |tick: &str, fills: &[(Decimal, Decimal)]| {
        let more = json!({"kind": "inverse_perp", "lot": "0.01", "tick": tick});
        let mut desk = inverse_desk(&flat(Decimal::parse("0.005")), more);
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
    example.compare("bankruptcy_price", one);
    let parse = Decimal::parse;
    let halves = open("0.5", &[(parse("3313.8"), parse("7890")), (parse("631.24"), parse("7890.5"))]);
    example.compare("rounded_up_half_tick", halves);
}

/// A position worth one coin.
fn inverse_prices_at_leverage(example: &mut Example) {
    let mut desk = inverse_desk(&flat(example.input("mmr")), inverse());
    let (entry, leverage) = (example.input("entry"), example.input("leverage"));
    desk.leverage_of_new("INV", leverage);
    let position = desk.open_isolated("INV", example.side() * entry, entry, Decimal::whole(1).exactly_by(leverage));
    example.compare("bankruptcy_price", Decimal::of(&position["bankruptcy_price"]));
    example.compare("liq_price", Decimal::of(&position["liq_price"]));
}

fn inverse_margins(example: &mut Example) {
    let mut desk = inverse_desk(&flat(example.input("mmr")), inverse());
    desk.deposit(1, Decimal::whole(1));
    desk.leverage(1, "INV", example.input("leverage"));
    let position = desk.open_cross("INV", example.input("qty_usd"), example.input("entry"));
    example.compare("position_value_btc", Decimal::of(&position["notional"]));
    example.compare("im_btc", Decimal::of(&position["im"]));
    example.compare("mm_btc", Decimal::of(&position["mm"]));
}

/// At an entry price of 60000 / 1.2.
fn inverse_liquidation_prices_of_both_sides(example: &mut Example) {
    let (quantity, value, margin) = (example.input("qty_usd"), example.input("PV"), example.input("IM"));
    let mmr = example.input("MM").exactly_by(value);
    for (key, side) in [("liq_long", 1), ("liq_short", -1)] {
        let mut desk = inverse_desk(&flat(mmr), inverse());
        desk.leverage_of_new("INV", value.exactly_by(margin));
        let position = desk.open_isolated("INV", Decimal::whole(side) * quantity, quantity.exactly_by(value), margin);
        assert_eq!(Decimal::of(&position["mm"]), example.input("MM"));
        example.compare(key, Decimal::of(&position["liq_price"]));
    }
}

/// Bought at a mark that is the entry price, funding paid there, and sold at the exit.
fn inverse_result_with_funding(example: &mut Example) {
    let mut desk = inverse_desk(&flat(Decimal::parse("0.005")), inverse());
    let (quantity, exit) = (example.side() * example.input("qty"), example.input("exit"));
    let start = Decimal::whole(100);
    desk.deposit(1, start);
    let position = desk.open_cross("INV", quantity, example.input("entry"));
    example.compare("entry_value_xbt", Decimal::of(&position["notional"]));
    let balance = |desk: &mut Desk| Decimal::of(&desk.account(1)["balances"]["BTC"]);
    desk.say(json!({"op": "funding", "symbol": "INV", "rate": example.input("funding_rate").to_string()}));
    let paid = start - balance(&mut desk);
    example.compare("funding_paid_xbt", paid);
    desk.mark("INV", exit);
    desk.fill(1, "INV", Decimal::ZERO - quantity, exit);
    let net = balance(&mut desk) - start;
    example.compare("gross_pnl_xbt", net + paid);
    example.compare("net_xbt", net);
}

// Margins of further rules.

fn margin_with_the_closing_fee(example: &mut Example) {
    let mut desk = Desk::new("USDT");
    let (taker, value) = (example.input("taker").to_string(), example.input("qty") * example.input("entry"));
    desk.list_with("OWN", &flat(example.input("mmr")), json!({"taker_fee": taker, "close_fee_in_mm": true}));
    let margin = value.exactly_by(example.input("leverage"));
    desk.leverage_of_new("OWN", example.input("leverage"));
    let position = desk.open_isolated("OWN", example.side() * example.input("qty"), example.input("entry"), margin);
    let mm = Decimal::of(&position["mm"]);
    example.compare("mm", mm);
    example.compare("close_fee", mm - value * example.input("mmr") + example.input("mm_deduction"));
}

/// The other rate of the venue, of which the example says nothing, is half or twice the one that it asks for.
fn margin_that_rises_with_the_size(example: &mut Example) {
    let percent = Decimal::parse("0.01");
    let (rate, slope) = (example.input("base_pct") * percent, example.input("slope_pct_per_coin") * percent);
    let initial = example.record["inputs"]["kind"] == "IM";
    let (base, im_base) = if initial { (rate * Decimal::parse("0.5"), rate) } else { (rate, rate * Decimal::whole(2)) };
    let (base, slope, im_base) = (base.to_string(), slope.to_string(), im_base.to_string());
    let mut desk = Desk::new("USDC");
    let mut listing = desk.listing("PERP", Vec::new());
    let fields = listing.as_object_mut().expect("an object");
    fields.remove("tiers");
    for (name, value) in [("tier_rule", "linear"), ("base", &base), ("slope", &slope), ("im_base", &im_base)] {
        fields.insert(name.to_owned(), json!(value));
    }
    desk.say(listing);
    let value = example.input("size") * example.input("price");
    desk.deposit(1, value);
    let position = desk.open_cross("PERP", example.input("size"), example.input("price"));
    let margin = Decimal::of(&position[if initial { "im" } else { "mm" }]);
    example.compare("usdc", margin);
    example.compare("pct", (margin * Decimal::whole(100)).exactly_by(value));
}

/// The kernel goes one row at a time: from the third tier to the cap of the second, and, since that does not cure it, on
/// to the cap of the first. A contract is worth one unit.
fn reduction_to_the_first_tier(example: &mut Example) {
    let (contracts, first) = (example.input("contracts"), example.input("tier1_max"));
    let row = |cap, percent: &str| (cap, Decimal::parse(percent) * Decimal::parse("0.01"));
    let rows = [row(first, "1"), row(Decimal::whole(5_000), "3"), row(Decimal::whole(20_000), "10")];
    assert_eq!(example.input("tier"), Decimal::whole(3));
    let mut desk = Desk::new("USDT");
    desk.list_with("OWN", &rows, json!({"tier_rule": "step"}));
    desk.deposit(1, Decimal::whole(100)); // more than 1 % of 2000, less than 3 % of 5000
    desk.mark("OWN", Decimal::whole(1));
    desk.fill(1, "OWN", contracts, Decimal::whole(1));
    let left = desk.position(1, "OWN");
    example.compare("to_close", contracts - Decimal::of(&left["qty"]));
}

fn initial_margin_of_brackets(example: &mut Example) {
    let brackets = example.record["inputs"]["brackets"].clone();
    let row = |cap: Value, leverage: &Value| json!({"cap": cap, "mmr": "0.001", "max_leverage": leverage.to_string()});
    let caps = [json!(brackets[0][0].to_string()), json!("10000000")];
    let tiers = (0..2).map(|at| row(caps[at].clone(), &brackets[at][1])).collect();
    let mut desk = Desk::new("USDT");
    let listing = desk.listing("OWN", tiers);
    desk.say(listing);
    desk.deposit(1, example.input("notional"));
    let position = desk.open_cross("OWN", example.input("notional"), Decimal::whole(1));
    example.compare("margin", Decimal::of(&position["im"]));
}

/// Without leverage, the notional of what an order reserves is its initial margin.
fn margin_of_bids_and_offers(example: &mut Example) {
    let sides = |name: &str| decimals(&example.record["inputs"][name]);
    let (bids, offers) = (sides("bids"), sides("offers"));
    let mut desk = Desk::new("USDT");
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

fn cost_of_an_order(example: &mut Example) {
    let mut desk = Desk::new("USDT");
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

fn price_that_an_order_reserves_at(example: &mut Example) {
    let mut desk = Desk::new("USDT");
    desk.list("OWN", &flat(Decimal::parse("0.005")));
    desk.deposit(1, Decimal::whole(100_000));
    desk.leverage(1, "OWN", Decimal::whole(1));
    desk.mark("OWN", example.input("mark"));
    desk.say(json!({"op": "last", "symbol": "OWN", "price": example.input("last").to_string()}));
    desk.order(1, 1, "OWN", example.side(), example.input("order"));
    example.compare("assuming_price", Decimal::of(&desk.account(1)["pools"][0]["im"]));
}
