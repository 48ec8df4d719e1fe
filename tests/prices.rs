//! Prices that the kernel computes: wicks, dead and lying venues, stale marks, by hand and over the protocol.

use serde_json::{Value, json};
use terrace::Settings;
use terrace::protocol::Session;

/// A session with one asset of two decimals, and what each line led to.
struct Script {
    session: Session,
    ts: u64,
}

impl Script {
    fn new(shards: u32) -> Self {
        let settings = Settings { shards, ..Settings::default() };
        let mut script = Self { session: Session::new(settings), ts: 0 };
        script.run(&json!({"op":"asset","asset":"USD","decimals":2}));
        script.run(&json!({"op":"fund_deposit","fund":"USD","amount":"1000000"}));
        script
    }

    /// An instrument of tick 0.1 and lot 1 with one tier of 5 %, and such rules.
    fn instrument(&mut self, symbol: &str, rules: &Value) {
        let mut line = json!({"op":"instrument","symbol":symbol,"kind":"linear_perp","underlying":symbol,"settle":"USD",
            "tick":"0.1","lot":"1","tiers":[{"cap":"100000000","mmr":"0.05","max_leverage":10}]});
        rules.as_object().unwrap().iter().for_each(|(key, value)| line[key] = value.clone());
        self.run(&line);
    }

    /// The events of a line that is accepted.
    fn run(&mut self, line: &Value) -> Vec<Value> {
        let mut out = String::new();
        let mut line = line.clone();
        if self.ts > 0 {
            line["ts"] = json!(self.ts);
        }
        self.session.line(line.to_string().as_bytes(), &mut out).unwrap_or_else(|error| panic!("{line}: {error:?}"));
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn index(&mut self, venue: &str, price: &str) -> Vec<Value> {
        self.run(&json!({"op":"index","symbol":"BTC","venue":venue,"price":price}))
    }

    fn time(&mut self, ts: u64) -> Vec<Value> {
        self.ts = ts;
        self.run(&json!({"op":"time"}))
    }

    fn long(&mut self, account: u64, deposit: &str, quantity: u64) {
        self.run(&json!({"op":"deposit","account":account,"asset":"USD","amount":deposit}));
        let fill =
            json!({"op":"fill","account":account,"symbol":"BTC","side":"buy","qty":quantity.to_string(),"price":"100"});
        self.run(&fill);
    }

    fn get(&mut self) -> Value {
        self.run(&json!({"op":"get","what":"instrument","symbol":"BTC"})).remove(0)
    }
}

fn count(events: &[Value], name: &str) -> usize {
    events.iter().filter(|event| event["ev"] == name).count()
}

fn on_all_shards(test: impl Fn(Script)) {
    [1, 2, 3, 8].into_iter().for_each(|shards| test(Script::new(shards)));
}

fn three_venues(outlier: &str) -> Value {
    let venues: Vec<Value> = ["a", "b", "c"].map(|venue| json!({"venue":venue})).to_vec();
    json!({"venues":venues,"max_deviation":"0.03","outlier":outlier,"min_venues":2,"stale_after":1000})
}

/// A last price 20 % off for one tick while the index is steady liquidates nobody, with a basis or without.
#[test]
fn a_wick_of_the_last_price_liquidates_nobody() {
    on_all_shards(|mut script| {
        let funding = json!({"interval":100_000,"interest":"0.0001"});
        script.instrument("BTC", &json!({"mark":{"rule":"median","samples":3,"sample_every":10},"funding":funding}));
        script.ts = 1;
        script.index("index", "100");
        for account in 1..=30 {
            script.long(account, &format!("{}", 60 + account), 10); // in breach at some 94 to 99
        }
        for round in 0..2 {
            for wick in ["80", "120", "0.1", "100000"] {
                let events = script.run(&json!({"op":"last","symbol":"BTC","price":wick}));
                assert_eq!(count(&events, "liquidation_started"), 0, "{wick} in round {round}");
                let back = script.run(&json!({"op":"last","symbol":"BTC","price":"100"}));
                assert_eq!(count(&back, "liquidation_started"), 0);
            }
            // In the second round there is a window of samples too.
            script.run(&json!({"op":"book","symbol":"BTC","bid":"99.9","ask":"100.1"}));
            script.time(100);
        }
        // The index itself falls: now they are.
        let events = script.index("index", "95");
        assert!(count(&events, "liquidation_started") > 0);
    });
}

#[test]
fn a_dead_index_freezes_and_all_is_looked_at_when_it_lives() {
    on_all_shards(|mut script| {
        script.instrument("BTC", &json!({"index":three_venues("clamp"),"mark":{"rule":"fair_basis"}}));
        script.ts = 5_000;
        for venue in ["a", "b", "c"] {
            script.index(venue, "100");
        }
        for account in 1..=20 {
            script.long(account, &format!("{}", 100 + 5 * account), 10);
        }
        assert_eq!(script.time(6_000), [] as [Value; 0], "not older than stale_after yet");
        let events = script.time(6_001);
        assert_eq!(events[0], json!({"ev":"index_frozen","seq":events[0]["seq"],"symbol":"BTC","price":"100"}));
        assert_eq!(events[1], json!({"ev":"mark_frozen","seq":events[1]["seq"],"symbol":"BTC","cause":"index"}));
        assert_eq!(events.len(), 2);
        // One venue is too few: nothing moves, whatever it says.
        assert_eq!(script.index("a", "50"), [] as [Value; 0]);
        let shown = script.get();
        assert_eq!([&shown["mark"], &shown["index"]], ["100", "100"]);
        assert_eq!([&shown["index_frozen"], &shown["frozen"]], [&json!(true), &json!(["index"])]);
        let events = script.index("b", "85");
        assert_eq!(events[0]["ev"], "mark_live");
        // Median 67.5: 50 counts as 65.475, 85 as 69.525; the index is 67.5 again.
        assert_eq!([&events[1]["ev"], &events[1]["price"]], ["mark", "67.5"]);
        assert!(count(&events, "liquidation_started") == 20, "all of 200 less 325 or so");
        assert_eq!(script.session.kernel().audit(0, 1_000), 0);
    });
}

#[test]
fn one_lying_venue_moves_the_index_by_at_most_its_clamp() {
    let settings = [("clamp", 10), ("drop", 0)]; // in tenths: a third of 3 % of 100
    for (outlier, most) in settings {
        for lie in ["0.00000001", "50", "97.5", "102.5", "103", "1000", "1000000000"] {
            let mut script = Script::new(2);
            script.instrument("BTC", &json!({"index":three_venues(outlier),"mark":{"rule":"fair_basis"}}));
            for (venue, price) in [("a", "100"), ("b", "100"), ("c", "100"), ("b", lie)] {
                script.index(venue, price);
            }
            let mark: f64 = script.get()["mark"].as_str().unwrap().parse().unwrap();
            let moved = ((mark - 100.0) * 10.0).round().abs() as i64;
            let within = ["97.5", "102.5", "103"].contains(&lie);
            assert!(moved <= most || (within && moved <= 10), "{outlier} {lie}: {mark}");
        }
    }
}

#[test]
fn a_given_mark_grows_old() {
    on_all_shards(|mut script| {
        script.instrument("BTC", &json!({"mark":{"rule":"external","stale_after":100}}));
        script.ts = 1_000;
        let mark = |price: &str| json!({"op":"mark","symbol":"BTC","price":price});
        assert_eq!(script.run(&mark("100")), [] as [Value; 0]);
        script.long(1, "150", 10);
        assert_eq!(script.time(1_100), [] as [Value; 0]);
        assert_eq!(script.time(1_101)[0]["cause"], "stale");
        // A payment that puts it in breach, while nothing lives.
        let fill = json!({"op":"fill","account":1,"symbol":"BTC","side":"buy","qty":"20","price":"100"});
        let events = script.run(&fill);
        assert_eq!(count(&events, "liquidation_suppressed"), 1);
        let events = script.run(&mark("100"));
        assert_eq!([&events[0]["ev"], &events[1]["ev"]], ["mark_live", "liquidation_started"]);
    });
}

/// The whole way to a rate: samples of the premium at multiples of 10 from 20 on, of what stood before each.
#[test]
fn the_funding_rate_follows_the_premium() {
    let mut script = Script::new(1);
    let funding =
        json!({"interval":1000,"anchor":7,"interest":"0.0001","clamp":"0.0005","cap":"0.01","sample_every":10});
    script.instrument("BTC", &json!({"funding":funding}));
    script.ts = 11;
    script.index("index", "1000");
    let shown = script.get();
    assert_eq!([&shown["funding_rate"], &shown["next_funding"]], [&Value::Null, &json!(1007)]);
    let book = |bid: &str, ask: &str| json!({"op":"book","symbol":"BTC","impact_bid":bid,"impact_ask":ask});
    script.run(&book("1002", "1003")); // 0.2 %, at 20 and 30
    script.ts = 35;
    script.run(&book("999", "1001")); // nothing, at 40
    script.ts = 41;
    script.run(&book("990", "995")); // −0.5 %, at 50
    script.ts = 55;
    // The mean of 0.2, 0.2, 0 and −0.5 % is −0.025 %; 0.01 + 0.025 is within ±0.05 %.
    assert_eq!(script.get()["funding_rate"], "0.0001");
    script.ts = 60;
    // One more of −0.5 %: −0.12 %; −0.12 + 0.05.
    assert_eq!(script.get()["funding_rate"], "-0.0007");
    script.time(1_000);
    assert_eq!(script.get()["next_funding"], 1007);
    // 60 to 1000 are 95, so 96 in all: (0.4 − 96 · 0.5) / 99 = −0.48080808…, plus 0.05.
    assert_eq!(script.get()["funding_rate"], "-0.004308081");
}

/// Each rule refuses a mark that is given; what is wrong in rules is named.
#[test]
fn rules_are_checked() {
    let reason = |rules: Value| {
        let mut script = Script::new(1);
        let mut line = json!({"op":"instrument","symbol":"X","kind":"linear_perp","underlying":"X","settle":"USD",
            "tick":"0.1","lot":"1","tiers":[{"cap":"1000","mmr":"0.05","max_leverage":10}]});
        rules.as_object().unwrap().iter().for_each(|(key, value)| line[key] = value.clone());
        let rejection = script.session.line(line.to_string().as_bytes(), &mut String::new()).unwrap_err();
        format!("{}: {}", rejection.code, rejection.reason)
    };
    let venues = json!([{"venue":"a"},{"venue":"b"}]);
    for (rules, expected) in [
        (json!({"index":{"venues":[]}}), "bad_value: an index needs from 1 to 64 venues"),
        (json!({"index":{"venues":[{"venue":"a"},{"venue":"a"}]}}), "bad_value: an index names a venue twice"),
        (
            json!({"index":{"venues":[{"venue":"a","weight":"0"}]}}),
            "bad_value: a venue's weight must be above 0 and at most 1000000",
        ),
        (
            json!({"index":{"venues":[{"venue":"a","weight":"0.0000000001"}]}}),
            "off_grid: a weight is finer than its grid",
        ),
        (
            json!({"index":{"venues":venues,"min_venues":3}}),
            "bad_value: min_venues must be at least 1 and at most the number of venues",
        ),
        (
            json!({"index":{"venues":venues,"max_deviation":"1"}}),
            "bad_value: max_deviation must be above 0 and below 1",
        ),
        (json!({"index":{"venues":venues,"stale_after":0}}), "bad_value: stale_after must be at least one nanosecond"),
        (json!({"mark":{"rule":"median","samples":0}}), "bad_value: samples must be from 1 to 4096"),
        (json!({"mark":{"rule":"ema_basis","band":"0.6"}}), "bad_value: band must be above 0 and at most 0.5"),
        (
            json!({"mark":{"rule":"ema_basis","ema":100,"sample_every":0}}),
            "bad_value: sample_every must be at least one nanosecond",
        ),
        (json!({"funding":{"interval":0}}), "bad_value: interval must be at least 1 and below 2^56 nanoseconds"),
        (json!({"funding":{"cap":"-1"}}), "bad_value: clamp and cap must be from 0 to 1"),
        (
            json!({"mark":{"rule":"median"},"tick":"0.000000001","lot":"10000000"}),
            "bad_value: a tick that is compared with an index must have at most 8 decimals",
        ),
    ] {
        assert_eq!(reason(rules), expected);
    }
}
