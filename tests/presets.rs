//! Presets as a user has them: `terrace exec --preset NAME`, over instruments that name what they must and no more.
//!
//! Each preset has a scenario: a position, a mark that moves, a liquidation. Its figures were worked out by hand from the
//! rules that the venue publishes, and the comments show how. *E* is a pool's equity.

use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

/// Files that a test writes for the program.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("written");
        path
    }
}

fn terrace(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_terrace")).args(arguments).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the program writes UTF-8")
}

/// What a script leads to under a preset. Every line must be accepted, and threads say the same.
fn run(preset: &str, script: &[Value]) -> Vec<Value> {
    let lines: String = script.iter().map(|line| format!("{line}\n")).collect();
    let files = Files::new();
    let file = files.write("script.jsonl", &lines);
    let file = file.to_str().expect("UTF-8");
    let inline = terrace(&["exec", "--strict", "--preset", preset, file]);
    assert!(inline.status.success(), "{preset}: {}{}", text(&inline.stdout), text(&inline.stderr));
    let threaded =
        ["exec", "--preset", preset, "--driver", "threaded", "--shards", "2", "--wait", "park", "--cores", "off", file];
    assert_eq!(text(&terrace(&threaded).stdout), text(&inline.stdout), "{preset}");
    text(&inline.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The events of a line are these, in their order, as far as their fields are named.
fn assert_events(events: &[Value], seq: usize, expected: &[Value]) {
    let of_line: Vec<&Value> = events.iter().filter(|event| event["seq"] == seq).collect();
    let agrees = |(is, should): (&&Value, &Value)| {
        should.as_object().expect("an object").iter().all(|(field, value)| is[field] == *value)
    };
    assert!(
        of_line.len() == expected.len() && of_line.iter().zip(expected).all(agrees),
        "line {seq}: {of_line:#?}\nshould be {expected:#?}"
    );
}

/// The position of an account that line `seq` asked for.
fn position(events: &[Value], seq: usize) -> &Value {
    let view = events.iter().find(|event| event["seq"] == seq && event["ev"] == "account");
    &view.unwrap_or_else(|| panic!("line {seq} asks for no account"))["positions"][0]
}

fn tier(cap: &str, mmr: &str, max_leverage: u32) -> Value {
    json!({"cap": cap, "mmr": mmr, "max_leverage": max_leverage})
}

fn instrument(symbol: &str, tick: &str, lot: &str, tiers: &[Value]) -> Value {
    json!({"op": "instrument", "symbol": symbol, "underlying": symbol, "tick": tick, "lot": lot, "tiers": tiers})
}

fn deposit(asset: &str, amount: &str) -> Value {
    json!({"op": "deposit", "account": 1, "asset": asset, "amount": amount})
}

fn buy(symbol: &str, qty: &str, price: &str) -> Value {
    json!({"op": "fill", "account": 1, "symbol": symbol, "side": "buy", "qty": qty, "price": price})
}

fn index(symbol: &str, price: &str) -> Value {
    json!({"op": "index", "symbol": symbol, "price": price})
}

fn account() -> Value {
    json!({"op": "get", "what": "account", "account": 1})
}

/// Isolated, at a leverage.
fn isolated(symbol: &str, leverage: u32) -> [Value; 2] {
    [
        json!({"op": "leverage", "account": 1, "symbol": symbol, "leverage": leverage}),
        json!({"op": "margin_mode", "account": 1, "symbol": symbol, "mode": "isolated"}),
    ]
}

/// Marginal tiers with a maintenance amount, a reduction to the tier below, then all of it; the clearance fee of 1.25 %
/// takes no more than there is, and goes to the fund.
#[test]
fn binance() {
    let tiers = [tier("50000", "0.004", 125), tier("600000", "0.005", 100)];
    let mut open = buy("BTCUSDT", "1", "60000");
    open["liquidity"] = json!("taker"); // 0.05 % of 60000 is 30
    let script = [
        instrument("BTCUSDT", "0.1", "0.001", &tiers),
        deposit("USDT", "1000"),
        index("BTCUSDT", "60000"),
        open,
        account(),
        index("BTCUSDT", "59276.4"),
        index("BTCUSDT", "59276.3"),
    ];
    let events = run("binance", &script);
    // 970 − (60000 − p) = 0.005 p − 50 at p = 58980 / 0.995 = 59276.38…
    assert_eq!(position(&events, 5)["liq_price"], "59276.3");
    assert_eq!(position(&events, 5)["mm"], "250", "60000 · 0.5 % less 50");
    assert_events(&events, 6, &[json!({"ev": "mark", "price": "59276.4", "rule": "median"})]);
    assert_events(
        &events,
        7,
        &[
            json!({"ev": "mark", "price": "59276.3"}),
            json!({"ev": "liquidation_started", "equity": "246.3", "mm": "246.3815"}), // 59276.3 · 0.5 % − 50
            // 50000 / 59276.3 = 0.8435…: 0.843 stay. The price at which all would be spent: 59276.3 − 246.3.
            json!({"ev": "liquidation_order", "step": "tier", "side": "sell", "qty": "0.157", "limit": "59030"}),
            // −0.157 · 723.7; 1.25 % of 9306.3791
            json!({"ev": "liquidation_fill", "price": "59276.3", "realised": "-113.6209", "fee": "116.32973875"}),
            json!({"ev": "fund", "reason": "fee", "delta": "116.32973875"}),
            // E = 129.97026125 ≤ 49969.9209 · 0.4 % = 199.88; 59276.3 − E / 0.843 = 59122.12…, up
            json!({"ev": "liquidation_order", "step": "all", "qty": "0.843", "limit": "59122.2"}),
            // −0.843 · 723.7; 1.25 % of 49969.9209 would be 624.62
            json!({"ev": "liquidation_fill", "realised": "-610.0791", "fee": "129.97026125"}),
            json!({"ev": "fund", "reason": "fee", "delta": "129.97026125", "balance": "246.3"}),
            json!({"ev": "liquidation_ended", "outcome": "closed", "equity": "0"}),
        ],
    );
}

/// An instrument names the venues of its index: one that is off counts as 3 % off the median.
#[test]
fn binance_index() {
    let mut listing = instrument("BTCUSDT", "0.1", "0.001", &[tier("50000", "0.004", 125)]);
    listing["index"] = json!({"venues": [{"venue": "a"}, {"venue": "b"}, {"venue": "c"}]});
    listing["funding"] = json!({"cap": "0.003"}); // that of BTCUSDT; the rest is the preset's
    let of = |venue: &str, price: &str| json!({"op": "index", "symbol": "BTCUSDT", "venue": venue, "price": price});
    let get = json!({"op": "get", "what": "instrument", "symbol": "BTCUSDT", "ts": 5_000_000_000u64});
    let book = json!({"op": "book", "symbol": "BTCUSDT", "impact_bid": "60600", "impact_ask": "60601"});
    let script = [listing, of("a", "60000"), of("b", "60000"), of("c", "70000"), book, get];
    let shown = run("binance", &script).pop().expect("an answer");
    assert_eq!(shown["index"], "60600", "(60000 + 60000 + 61800) / 3");
    // No premium: 0 + clamp(0.01 % − 0, ±0.05 %). The first funding is 8 h after the epoch.
    assert_eq!((&shown["funding_rate"], &shown["next_funding"]), (&json!("0.0001"), &json!(28_800_000_000_000u64)));
}

/// Contracts of 100 dollars, margin in the coin.
#[test]
fn binance_coinm() {
    let [leverage, mode] = isolated("BTCUSD", 10);
    let script = [
        instrument("BTCUSD", "0.1", "1", &[tier("5", "0.004", 125), tier("10", "0.005", 100)]),
        deposit("BTC", "0.2"),
        leverage,
        mode,
        index("BTCUSD", "50000"),
        buy("BTCUSD", "1000", "50000"), // 100 000 dollars are 2 BTC, the margin 0.2
        account(),
        index("BTCUSD", "45636.3"),
    ];
    let events = run("binance-coinm", &script);
    // 2.2 − 100000 / p = 0.4 % · 100000 / p at p = 100400 / 2.2 = 45636.36…; 100000 / 2.2 = 45454.54…, up
    assert_eq!(position(&events, 7)["liq_price"], "45636.3");
    assert_eq!(position(&events, 7)["bankruptcy_price"], "45454.6");
    assert_events(
        &events,
        8,
        &[
            json!({"ev": "mark", "price": "45636.3"}),
            // The value is 100000 / 45636.3 = 2.191238115…, against the account 2.19123812; 0.4 % of it, up.
            json!({"ev": "liquidation_started", "pool": "isolated:BTCUSD", "equity": "0.00876188", "mm": "0.00876496"}),
            json!({"ev": "liquidation_order", "step": "all", "qty": "1000", "limit": "45454.6"}),
            // 1.5 % would be 0.0329 BTC
            json!({"ev": "liquidation_fill", "realised": "-0.19123812", "fee": "0.00876188"}),
            json!({"ev": "fund", "fund": "BTC", "reason": "fee", "balance": "0.00876188"}),
            // Who buys pays 2.19123811: the quantum between the two is the fund's.
            json!({"ev": "fund", "reason": "rounding", "delta": "0.00000001"}),
            json!({"ev": "liquidation_ended", "outcome": "closed", "equity": "0"}),
        ],
    );
}

/// The fee to close is part of the requirement; in its first tier a position is taken over at the bankruptcy price.
#[test]
fn bybit() {
    let [leverage, mode] = isolated("BTCUSDT", 50);
    let script = [
        instrument("BTCUSDT", "0.1", "0.001", &[tier("2000000", "0.005", 100)]),
        deposit("USDT", "1200"),
        leverage,
        mode,
        index("BTCUSDT", "60000"),
        buy("BTCUSDT", "1", "60000"), // the margin is 1200
        account(),
        index("BTCUSDT", "59128.1"),
    ];
    let events = run("bybit", &script);
    // 1200 − (60000 − p) = 0.555 % · p at p = 58800 / 0.99445 = 59128.16…
    assert_eq!(position(&events, 7)["liq_price"], "59128.1");
    assert_eq!(position(&events, 7)["bankruptcy_price"], "58800");
    assert_eq!(position(&events, 7)["mm"], "333", "0.5 % and 0.055 %");
    assert_events(
        &events,
        8,
        &[
            json!({"ev": "mark", "price": "59128.1"}),
            json!({"ev": "liquidation_started", "equity": "328.1", "mm": "328.160955"}), // 59128.1 · 0.555 %
            json!({"ev": "takeover", "qty": "1", "price": "58800", "passed": "328.1"}),
            json!({"ev": "liquidation_ended", "outcome": "closed", "equity": "0"}),
            json!({"ev": "liquidation_order", "account": "fund", "step": "unwind", "qty": "1", "limit": "59128.1"}),
            json!({"ev": "liquidation_fill", "account": "fund", "price": "59128.1", "realised": "328.1"}),
            json!({"ev": "fund", "reason": "unwind", "balance": "328.1"}),
        ],
    );
}

/// Inverse, contracts of a dollar by the hundred; the requirement has the fee to close; a takeover at the bankruptcy price.
#[test]
fn bitmex() {
    let [leverage, mode] = isolated("XBTUSD", 10);
    let listing =
        json!({"op": "instrument", "symbol": "XBTUSD", "underlying": "XBT", "tiers": [tier("200", "0.004", 100)]});
    let script = [
        listing,
        deposit("XBT", "0.2"),
        leverage,
        mode,
        index("XBTUSD", "50000"),
        buy("XBTUSD", "100000", "50000"), // 2 XBT, the margin 0.2
        account(),
        index("XBTUSD", "45659"),
    ];
    let events = run("bitmex", &script);
    // 2.2 − 100000 / p = 0.45 % · 100000 / p at p = 100450 / 2.2 = 45659.09…; 100000 / 2.2 = 45454.54…, up to half a dollar
    assert_eq!(position(&events, 7)["liq_price"], "45659");
    assert_eq!(position(&events, 7)["bankruptcy_price"], "45455");
    assert_events(
        &events,
        8,
        &[
            json!({"ev": "mark", "price": "45659", "rule": "fair_basis"}),
            // 100000 / 45659 = 2.190148711…, up; 0.4 % and 0.05 % of it, each up: 0.0087606 and 0.00109508
            json!({"ev": "liquidation_started", "equity": "0.00985128", "mm": "0.00985568"}),
            json!({"ev": "takeover", "qty": "100000", "price": "45455", "passed": "0.00985128"}),
            json!({"ev": "liquidation_ended", "outcome": "closed", "equity": "0"}),
            json!({"ev": "liquidation_order", "account": "fund", "step": "unwind", "limit": "45659"}),
            json!({"ev": "liquidation_fill", "account": "fund", "price": "45659", "realised": "0.00985128"}),
            json!({"ev": "fund", "fund": "XBT", "reason": "unwind", "balance": "0.00985128"}),
            json!({"ev": "fund", "reason": "rounding", "delta": "0.00000001"}), // who buys pays 2.19014871
        ],
    );
}

/// Rates that rise with the size, and a liquidation in small steps with a fee of 0.75 %.
#[test]
fn deribit() {
    let script = [
        json!({"op": "instrument", "symbol": "BTC-PERPETUAL", "underlying": "BTC"}),
        deposit("BTC", "1"),
        index("BTC-PERPETUAL", "50000"),
        buy("BTC-PERPETUAL", "1000000", "50000"), // 20 BTC
        account(),
        index("BTC-PERPETUAL", "48145"),
        index("BTC-PERPETUAL", "48144.5"),
    ];
    let events = run("deribit", &script);
    let open = position(&events, 5);
    assert_eq!(open["mm"], "0.22", "20 · (1 % + 20 · 0.005 %)");
    assert_eq!(open["im"], "0.42", "20 · (2 % + 20 · 0.005 %)");
    assert_eq!(open["liq_price"], "48144.5");
    assert_events(&events, 6, &[json!({"ev": "mark", "price": "48145", "rule": "ema_basis"})]);
    assert_events(
        &events,
        7,
        &[
            json!({"ev": "mark", "price": "48144.5"}),
            // N = 1000000 / 48144.5, up: 20.77080456; E = 21 − N, MM = N · (1 % + N · 0.005 %). At 48145: 0.22941115, 0.22927676.
            json!({"ev": "liquidation_started", "equity": "0.22919544", "mm": "0.22927937"}),
            // A tenth; 1000000 / 21 = 47619.04…, up to half a dollar.
            json!({"ev": "liquidation_order", "step": "fraction", "qty": "100000", "limit": "47619.5"}),
            // 100000 / 48144.5 = 2.07708046, up, against 2; 0.75 % of it, up
            json!({"ev": "liquidation_fill", "price": "48144.5", "realised": "-0.07708046", "fee": "0.01557811"}),
            json!({"ev": "fund", "reason": "fee", "balance": "0.01557811"}),
            json!({"ev": "fund", "reason": "rounding", "delta": "0.00000001"}), // who buys pays 2.07708045
            // E = 1 − 0.07708046 − 0.01557811 + 18 − 18.69372411; MM is 0.20441001.
            json!({"ev": "liquidation_ended", "outcome": "cured", "equity": "0.21361732"}),
        ],
    );
}

/// The oracle's price is the mark; all of it is closed, for a fee of 1.5 % to the fund.
#[test]
fn dydx() {
    let mark = |price: &str| json!({"op": "mark", "symbol": "ETH-USD", "price": price});
    let script = [
        instrument("ETH-USD", "0.1", "0.001", &[tier("50000000", "0.03", 20)]),
        deposit("USDC", "2000"),
        mark("3000"),
        buy("ETH-USD", "10", "3000"),
        account(),
        mark("2886.5"),
        account(),
    ];
    let events = run("dydx", &script);
    // 2000 − 10 · (3000 − p) = 3 % · 10 p at p = 28000 / 9.7 = 2886.59…
    assert_eq!(position(&events, 5)["liq_price"], "2886.5");
    assert_events(
        &events,
        6,
        &[
            json!({"ev": "liquidation_started", "equity": "865", "mm": "865.95"}),
            json!({"ev": "liquidation_order", "step": "all", "qty": "10", "limit": "2800"}), // 2886.5 − 86.5
            json!({"ev": "liquidation_fill", "realised": "-1135", "fee": "432.975"}),        // 1.5 % of 28865
            json!({"ev": "fund", "reason": "fee", "balance": "432.975"}),
            json!({"ev": "liquidation_ended", "outcome": "closed", "equity": "432.025"}),
        ],
    );
    let after = events.last().expect("an answer");
    assert_eq!(after["balances"]["USDC"], "432.025");
}

/// Down by tiers without a fee, then a takeover at the bankruptcy price.
#[test]
fn gate() {
    let script = [
        instrument("BTC_USDT", "0.1", "0.001", &[tier("100000", "0.005", 100), tier("500000", "0.01", 50)]),
        deposit("USDT", "2500"),
        index("BTC_USDT", "50000"),
        buy("BTC_USDT", "4", "50000"),
        account(),
        index("BTC_USDT", "49747.4"),
        account(),
        index("BTC_USDT", "49252.5"),
    ];
    let events = run("gate", &script);
    assert_eq!(position(&events, 5)["mm"], "1500", "100000 · 0.5 % + 100000 · 1 %");
    // 2500 − 4 · (50000 − p) = 4 p · 1 % − 500 at p = 197000 / 3.96 = 49747.47…
    assert_eq!(position(&events, 5)["liq_price"], "49747.4");
    assert_events(
        &events,
        6,
        &[
            json!({"ev": "mark", "price": "49747.4"}),
            json!({"ev": "liquidation_started", "equity": "1489.6", "mm": "1489.896"}),
            // 100000 / 49747.4 = 2.0101…: 2.010 stay; 49747.4 − 1489.6 / 4 = 49375
            json!({"ev": "liquidation_order", "step": "tier", "qty": "1.99", "limit": "49375"}),
            json!({"ev": "liquidation_fill", "realised": "-502.674", "fee": "0"}), // −1.99 · 252.6
            json!({"ev": "liquidation_ended", "outcome": "cured", "equity": "1489.6"}), // > 99992.274 · 0.5 %
        ],
    );
    // 1997.326 − 2.01 · (50000 − p) = 2.01 p · 0.5 % at p = 98502.674 / 1.99995 = 49252.56…
    assert_eq!(position(&events, 7)["liq_price"], "49252.5");
    assert_events(
        &events,
        8,
        &[
            json!({"ev": "mark", "price": "49252.5"}),
            json!({"ev": "liquidation_started", "equity": "494.851", "mm": "494.987625"}), // 1997.326 − 1502.475
            json!({"ev": "takeover", "qty": "2.01", "price": "49006.4", "passed": "494.851"}), // 50000 − 993.694…, up
            json!({"ev": "liquidation_ended", "outcome": "closed", "equity": "0"}),
            json!({"ev": "liquidation_order", "account": "fund", "step": "unwind", "limit": "49252.5"}),
            json!({"ev": "liquidation_fill", "account": "fund", "realised": "494.851"}),
            json!({"ev": "fund", "reason": "unwind", "balance": "494.851"}),
        ],
    );
}

/// Half of the initial margin at the highest leverage; a market order, no fee, and what is left stays the trader's.
#[test]
fn hyperliquid() {
    let [leverage, mode] = isolated("BTC", 20);
    let script = [
        instrument("BTC", "1", "0.00001", &[tier("150000000", "0.0125", 40), tier("1000000000", "0.025", 20)]),
        deposit("USDC", "5000"),
        leverage,
        mode,
        index("BTC", "100000"),
        buy("BTC", "1", "100000"), // the margin is 5000
        account(),
        index("BTC", "96202"),
        account(),
    ];
    let events = run("hyperliquid", &script);
    // 5000 − (100000 − p) = 1.25 % · p at p = 95000 / 0.9875 = 96202.5…
    assert_eq!(position(&events, 7)["liq_price"], "96202");
    assert_events(
        &events,
        8,
        &[
            json!({"ev": "mark", "price": "96202", "rule": "median"}),
            json!({"ev": "liquidation_started", "equity": "1202", "mm": "1202.525"}),
            json!({"ev": "liquidation_order", "step": "all", "qty": "1", "limit": "95000"}),
            json!({"ev": "liquidation_fill", "price": "96202", "realised": "-3798", "fee": "0"}),
            json!({"ev": "liquidation_ended", "outcome": "closed", "equity": "1202"}),
        ],
    );
    let after = events.last().expect("an answer");
    assert_eq!(after["balances"]["USDC"], "1202");
}

/// The row's rate on the whole position and the fee to close; down a tier; with the fund spent, deleveraging at the mark.
#[test]
fn okx() {
    let mut open = buy("BTC-USDT-SWAP", "3", "50000");
    open["counterparty"] = json!(2);
    let script = [
        instrument("BTC-USDT-SWAP", "0.1", "0.01", &[tier("50000", "0.01", 50), tier("200000", "0.02", 20)]),
        deposit("USDT", "3500"),
        json!({"op": "deposit", "account": 2, "asset": "USDT", "amount": "100000"}),
        index("BTC-USDT-SWAP", "50000"),
        open,
        account(),
        index("BTC-USDT-SWAP", "49855.3"),
        index("BTC-USDT-SWAP", "46000"),
    ];
    let events = run("okx", &script);
    assert_eq!(position(&events, 6)["mm"], "3075", "150000 · 2 % and 0.05 %");
    // 3500 − 3 · (50000 − p) = 2.05 % · 3 p at p = 146500 / 2.9385 = 49855.36…
    assert_eq!(position(&events, 6)["liq_price"], "49855.3");
    assert_events(
        &events,
        7,
        &[
            json!({"ev": "mark", "price": "49855.3", "rule": "ema_basis"}),
            json!({"ev": "liquidation_started", "equity": "3065.9", "mm": "3066.10095"}),
            // 50000 / 49855.3 = 1.0029…: 1 stays; 49855.3 − 3065.9 / 3 = 48833.33…, up
            json!({"ev": "liquidation_order", "step": "tier", "qty": "2", "limit": "48833.4"}),
            json!({"ev": "liquidation_fill", "realised": "-289.4", "fee": "0"}),
            json!({"ev": "liquidation_ended", "outcome": "cured", "equity": "3065.9"}), // > 49855.3 · 1.05 %
        ],
    );
    assert_events(
        &events,
        8,
        &[
            json!({"ev": "mark", "price": "46000"}),
            // 3210.6 − 4000: nothing goes out to the market, and the fund has nothing.
            json!({"ev": "liquidation_started", "equity": "-789.4", "mm": "483"}), // 46000 · 1.05 %
            json!({"ev": "adl", "account": 1, "counter": 2, "side": "buy", "qty": "1", "price": "46000", "realised": "4000"}),
            json!({"ev": "adl_report", "needed": "1", "reduced": "1", "counterparties": 1}),
            json!({"ev": "fund", "reason": "adl_residue", "balance": "-789.4"}),
            json!({"ev": "fund_deficit", "equity": "-789.4"}),
            json!({"ev": "liquidation_ended", "outcome": "closed", "equity": "0"}),
        ],
    );
}

/// Tables as venues and ccxt hand them out, for instruments that bring none.
const CCXT: &str = r#"{"BTC/USDT:USDT":[
    {"minNotional":0.0,"maxNotional":5e4,"maintenanceMarginRate":0.004,"maxLeverage":125.0,"info":{"cum":"0.0"}},
    {"minNotional":50000.0,"maxNotional":600000.0,"maintenanceMarginRate":0.005,"maxLeverage":100.0,"info":{"cum":"50.0"}}]}"#;
const BINANCE: &str = r#"[{"symbol":"ETHUSDT","brackets":[
    {"bracket":1,"initialLeverage":100,"notionalCap":10000,"notionalFloor":0,"maintMarginRatio":0.005,"cum":0.0}]}]"#;

#[test]
fn margin_tables_come_from_files() {
    let files = Files::new();
    let [ccxt, binance] = [files.write("ccxt.json", CCXT), files.write("binance.json", BINANCE)];
    let lines = concat!(
        "{\"op\":\"instrument\",\"symbol\":\"BTCUSDT\",\"underlying\":\"BTC\",\"tick\":\"0.1\",\"lot\":\"0.001\"}\n",
        "{\"op\":\"instrument\",\"symbol\":\"ETHUSDT\",\"underlying\":\"ETH\",\"tick\":\"0.01\",\"lot\":\"0.001\"}\n",
        "{\"op\":\"instrument\",\"symbol\":\"SOLUSDT\",\"underlying\":\"SOL\",\"tick\":\"0.01\",\"lot\":\"0.1\"}\n",
        "{\"op\":\"get\",\"what\":\"instrument\",\"symbol\":\"BTCUSDT\"}\n",
        "{\"op\":\"get\",\"what\":\"instrument\",\"symbol\":\"ETHUSDT\"}\n",
    );
    let script = files.write("script.jsonl", lines);
    let [ccxt, binance, script] = [&ccxt, &binance, &script].map(|path| path.to_str().expect("UTF-8"));
    // Under `step` the deductions of the file mean nothing.
    for (preset, deduction) in [("binance", "50"), ("okx", "0")] {
        let output = terrace(&["exec", "--preset", preset, "--tiers", ccxt, "--tiers", binance, script]);
        let said: Vec<Value> =
            text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(said.len(), 3, "{preset}");
        // The lines of the preset have no numbers.
        assert_eq!((&said[0]["seq"], &said[0]["code"]), (&json!(3), &json!("malformed")));
        assert_eq!(said[0]["reason"], "the field \"tiers\" is missing");
        assert_eq!(said[1]["tiers"][1]["cap"], "600000");
        assert_eq!(said[1]["tiers"][1]["mmr"], "0.005");
        assert_eq!(said[1]["tiers"][1]["max_leverage"], "100");
        assert_eq!(said[1]["tiers"][1]["deduction"], deduction, "{preset}");
        assert_eq!(said[2]["tiers"][0]["cap"], "10000");
    }
    let strict = terrace(&["exec", "--strict", "--preset", "binance", "--tiers", ccxt, "--tiers", binance, script]);
    assert_eq!(strict.status.code(), Some(1));
    assert!(text(&strict.stderr).contains(":3: malformed: the field \"tiers\" is missing"), "{}", text(&strict.stderr));
}

#[test]
fn margin_tables_that_are_none_are_refused() {
    let files = Files::new();
    let script = files.write("script.jsonl", "");
    let script = script.to_str().expect("UTF-8");
    for (name, table, told) in [
        ("empty.json", "[{}]", "empty.json: neither Binance's leverage brackets nor ccxt's"),
        ("gap.json", &CCXT.replace("\"minNotional\":50000.0", "\"minNotional\":60000"), "it begins at 60000"),
    ] {
        let table = files.write(name, table);
        let output = terrace(&["exec", "--tiers", table.to_str().expect("UTF-8"), script]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(told), "{}", text(&output.stderr));
    }
    let table = files.write("twice.json", CCXT);
    let table = table.to_str().expect("UTF-8");
    let output = terrace(&["exec", "--tiers", table, "--tiers", table, script]);
    assert!(text(&output.stderr).contains("BTC/USDT:USDT has two tables"), "{}", text(&output.stderr));
    let output = terrace(&["exec", "--tiers", "nowhere.json", script]);
    assert!(text(&output.stderr).contains("cannot open nowhere.json"), "{}", text(&output.stderr));
}

#[test]
fn a_name_that_is_no_preset_is_a_usage_error_that_lists_them() {
    for arguments in [&["exec", "--preset", "nobody", "-"][..], &["exec", "--preset", "Binance", "-"], &["presets", ""]]
    {
        let output = terrace(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let told = "expected one of binance, binance-coinm, bitmex, bybit, deribit, dydx, gate, hyperliquid, okx";
        assert!(text(&output.stderr).contains(told), "{arguments:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty());
    }
}

/// What `terrace presets` prints of a preset is its head and a script: carried out, that says nothing.
#[test]
fn a_preset_is_printed_with_its_head() {
    let listed = terrace(&["presets"]);
    for line in text(&listed.stdout).lines() {
        let name = line.split_whitespace().next().expect("a name");
        let printed = terrace(&["presets", name]);
        let printed = text(&printed.stdout);
        assert!(printed.contains("\n# Sources: ") && printed.contains("\n# Not followed: "), "{name}");
        let commands: String =
            printed.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
        let files = Files::new();
        let output = terrace(&["exec", "--strict", files.write("preset.jsonl", &commands).to_str().expect("UTF-8")]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), ""), "{name}");
    }
    assert_eq!(text(&listed.stdout).lines().count(), 9);
}

/// What a script names has precedence; an asset that the preset has declared is there already.
#[test]
fn a_script_has_the_last_word() {
    let files = Files::new();
    let lines = concat!(
        "{\"op\":\"asset\",\"asset\":\"USDT\",\"decimals\":6}\n",
        "{\"op\":\"instrument\",\"symbol\":\"P\",\"underlying\":\"P\",\"tick\":\"1\",\"lot\":\"1\",\"taker_fee\":\"0.01\",\"mark\":{\"rule\":\"external\"},\"tiers\":[{\"cap\":\"1000000\",\"mmr\":\"0.05\",\"max_leverage\":10}]}\n",
        "{\"op\":\"deposit\",\"account\":1,\"asset\":\"USDT\",\"amount\":\"1000\"}\n",
        "{\"op\":\"mark\",\"symbol\":\"P\",\"price\":\"100\"}\n",
        "{\"op\":\"fill\",\"account\":1,\"symbol\":\"P\",\"side\":\"buy\",\"qty\":\"10\",\"price\":\"100\",\"liquidity\":\"taker\"}\n",
        "{\"op\":\"get\",\"what\":\"account\",\"account\":1}\n",
    );
    let script = files.write("script.jsonl", lines);
    let output = terrace(&["exec", "--preset", "binance", script.to_str().expect("UTF-8")]);
    let said: Vec<Value> = text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((said.len(), &said[0]["code"], &said[0]["seq"]), (2, &json!("duplicate"), &json!(1)));
    assert_eq!(said[1]["balances"]["USDT"], "990", "1 % of 1000");
}
