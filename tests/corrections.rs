//! Corrections with figures worked out by hand, in every driver at once; refusals; streams against their record.
//!
//! `P`: linear, tick 1, lot 1, USDT of 2 decimals; margin 1 %, leverage 10. `I`: inverse, tick 1, lot 1, a coin of 1 decimal, so
//! that a lot is worth 10 quanta over the price: 3.33 at 3.

#[path = "script/dice.rs"]
mod dice;

use dice::Dice;
use serde_json::Value;
use terrace::command::{Command, Fill, Side};
use terrace::contract::Unit;
use terrace::correction::{Correction, Remedy, Trade};
use terrace::decimal::Grid;
use terrace::engine::{Engine, EngineSettings, Entry, Finished, Layout, Output, Pinning, SubmitError, replay};
use terrace::market::{AssetId, FundId, InstrumentId, InstrumentSpec};
use terrace::protocol::Session;
use terrace::tiers::{TierRow, TierRule, TierTable};
use terrace::venue::{VenueMode, VenueRequest};
use terrace::{Event, Kernel, OffGrid, OrderName, Settings, Strategy, Wait};

fn layout(workers: u32, apart: bool) -> Layout {
    Layout { workers: Some(workers), apart: Some(apart), wait: Some(Wait::Yield), pinning: Pinning::Off }
}

/// One script in several drivers, which must say the same; after every line the books must balance.
struct Venue {
    inline: Vec<Session>,
    threads: Session<Engine>,
    line: u64,
}

const DECLARED: &[&str] = &[
    r#"{"op":"asset","asset":"USDT","decimals":2}"#,
    r#"{"op":"asset","asset":"C","decimals":1}"#,
    r#"{"op":"instrument","symbol":"P","kind":"linear_perp","underlying":"X","settle":"USDT","tick":"1","lot":"1","tiers":[{"cap":"1000000","mmr":"0.01","max_leverage":10}],"maker_fee":"-0.0005","taker_fee":"0.001"}"#,
    r#"{"op":"instrument","symbol":"I","kind":"inverse_perp","underlying":"X","settle":"C","tick":"1","lot":"1","tiers":[{"cap":"1000000","mmr":"0.01","max_leverage":10}]}"#,
    r#"{"op":"account","account":9,"positions":"hedge","group":7}"#,
    r#"{"op":"account","account":3,"group":7}"#,
    r#"{"op":"mark","symbol":"P","price":"100"}"#,
];

impl Venue {
    fn new() -> Self {
        let settings = |shards, strategy| Settings { shards, strategy, ..Settings::default() };
        let kernel = Kernel::new(settings(2, Strategy::Bands));
        let engine = EngineSettings { layout: layout(2, false), ring: 2, ..EngineSettings::default() };
        let mut venue = Self {
            inline: vec![Session::new(settings(1, Strategy::Bands)), Session::new(settings(3, Strategy::Dense))],
            threads: Session::over(Engine::start(kernel, &engine).expect("the engine starts")),
            line: 0,
        };
        DECLARED.iter().for_each(|line| assert!(venue.say(line).is_empty(), "{line}"));
        for account in [1, 2, 3, 9] {
            venue.deposit(account, "USDT", "1000");
        }
        venue
    }

    /// Carries a line out everywhere; the events, without `seq`.
    fn say(&mut self, line: &str) -> Vec<Value> {
        let out = self.in_all(line);
        let totals: Value = serde_json::from_str(&self.in_all(r#"{"op":"get","what":"totals"}"#)).expect("JSON");
        for books in [&totals["assets"], &totals["symbols"]] {
            for (name, book) in books.as_object().expect("books by name") {
                assert_eq!(book["difference"], "0", "{name} after {line}");
            }
        }
        let read = |text: &str| {
            let mut event: Value = serde_json::from_str(text).expect("JSON");
            event.as_object_mut().expect("an object").remove("seq");
            event
        };
        out.lines().map(read).collect()
    }

    fn in_all(&mut self, line: &str) -> String {
        self.line += 1;
        let mut first = String::new();
        let _ = self.inline[0].line(line.as_bytes(), &mut first); // a refusal is a line too
        for session in &mut self.inline[1..] {
            let mut out = String::new();
            let _ = session.line(line.as_bytes(), &mut out);
            assert_eq!(out, first, "{line}");
        }
        let mut out = String::new();
        let _ = self.threads.line(line.as_bytes(), &mut out);
        assert_eq!(out, first, "on threads: {line}");
        first
    }

    /// Carries out a correction of line 1 and returns what follows its event.
    fn correct(&mut self, op: &str, fields: &str) -> Vec<Value> {
        let line =
            format!(r#"{{"op":"{op}","corrects":1,"reason":"an error","principal":"desk of operations",{fields}}}"#);
        let mut events = self.say(&line);
        assert_eq!(events[0]["ev"], "corrected", "{line}: {}", events[0]);
        assert_eq!(events[0]["op"], op);
        events.remove(0);
        events
    }

    fn quiet(&mut self, line: &str) {
        assert_eq!(self.say(line), Vec::<Value>::new(), "{line}");
    }

    fn deposit(&mut self, account: u64, asset: &str, amount: &str) {
        self.quiet(&format!(r#"{{"op":"deposit","account":{account},"asset":"{asset}","amount":"{amount}"}}"#));
    }

    /// A fill of `P`, or, with a coin in hand, of `I`.
    fn fill(&mut self, fields: &str) -> Vec<Value> {
        self.say(&format!(r#"{{"op":"fill",{fields}}}"#))
    }

    fn account(&mut self, account: u64) -> Value {
        self.say(&format!(r#"{{"op":"get","what":"account","account":{account}}}"#)).remove(0)
    }

    fn balance(&mut self, account: u64, asset: &str) -> String {
        self.account(account)["balances"][asset].as_str().expect("a balance").to_owned()
    }

    /// Side, size and entry price of each position.
    fn positions(&mut self, account: u64) -> Vec<(String, String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
        let account = self.account(account);
        let positions = account["positions"].as_array().expect("a list");
        positions.iter().map(|at| (text(&at["side"]), text(&at["qty"]), text(&at["entry"]))).collect()
    }

    fn totals(&mut self, asset: &str, key: &str) -> String {
        let totals = self.say(r#"{"op":"get","what":"totals"}"#).remove(0);
        totals["assets"][asset][key].as_str().expect("an amount").to_owned()
    }

    fn refusal(&mut self, line: &str) -> (String, String) {
        let events = self.say(line);
        assert_eq!(events.len(), 1, "{line}: {events:?}");
        assert_eq!(events[0]["ev"], "rejected", "{line}");
        let text = |key: &str| events[0][key].as_str().expect("a text").to_owned();
        (text("code"), text("reason"))
    }
}

fn position(side: &str, quantity: &str, entry: &str) -> (String, String, String) {
    (side.to_owned(), quantity.to_owned(), entry.to_owned())
}

const BOUGHT: &str = r#""account":1,"symbol":"P","side":"buy","qty":"2","price":"100","counterparty":2"#;

#[test]
fn the_event_tells_what_was_corrected_by_whom_and_why() {
    let mut venue = Venue::new();
    venue.fill(BOUGHT);
    let told =
        venue.say(&format!(r#"{{"op":"bust","corrects":7,"reason":"fat \"finger\"\n","principal":"é",{BOUGHT}}}"#));
    let expected: Value = serde_json::from_str(
        r#"{"ev":"corrected","op":"bust","corrects":7,"account":1,"reason":"fat \"finger\"\n","principal":"é","symbol":"P","side":"buy","qty":"2","price":"100"}"#,
    )
    .expect("JSON");
    assert_eq!(told, [expected]);
    let told =
        venue.say(&format!(r#"{{"op":"reprice","corrects":1,"reason":"r","principal":"p","to":"90",{BOUGHT}}}"#));
    assert_eq!((&told[0]["to"], &told[0]["price"], &told[0]["op"]), (&"90".into(), &"100".into(), &"reprice".into()));
    let told = venue
        .say(r#"{"op":"adjust","corrects":1,"reason":"r","principal":"p","account":1,"asset":"USDT","amount":"-0.5"}"#);
    assert_eq!(
        (&told[0]["asset"], &told[0]["amount"], &told[0]["symbol"]),
        (&"USDT".into(), &"-0.5".into(), &Value::Null)
    );
}

#[test]
fn a_bust_gives_back_position_and_fees() {
    let mut venue = Venue::new();
    // The taker pays 200 · 0.001 = 0.2, the maker gets 200 · 0.0005 = 0.1.
    venue.fill(&format!(r#"{BOUGHT},"liquidity":"taker""#));
    assert_eq!((venue.balance(1, "USDT"), venue.balance(2, "USDT")), ("999.8".into(), "1000.1".into()));
    assert_eq!(venue.totals("USDT", "fees"), "0.1");
    venue.quiet(r#"{"op":"mark","symbol":"P","price":"120"}"#);
    assert!(venue.correct("bust", &format!(r#"{BOUGHT},"fee":"0.2","counter_fee":"-0.1""#)).is_empty());
    for account in [1, 2] {
        assert_eq!((venue.balance(account, "USDT"), venue.positions(account)), ("1000".into(), vec![]));
    }
    assert_eq!(venue.totals("USDT", "fees"), "0");
}

#[test]
fn a_bust_of_what_was_reduced_or_flipped_since_opens_the_other_side() {
    let mut venue = Venue::new();
    venue.fill(BOUGHT);
    // One of the two is sold at 110: 10 realised. The bust sells two at 100: one closes (100 − 100), one opens.
    venue.fill(r#""account":1,"symbol":"P","side":"sell","qty":"1","price":"110","counterparty":3"#);
    venue.correct("bust", BOUGHT);
    assert_eq!((venue.balance(1, "USDT"), venue.positions(1)), ("1010".into(), vec![position("short", "1", "100")]));
    assert_eq!((venue.balance(2, "USDT"), venue.positions(2)), ("1000".into(), vec![]));
    assert_eq!(venue.positions(3), [position("long", "1", "110")]);

    let mut venue = Venue::new();
    venue.fill(BOUGHT);
    // Five sold at 105: two close (+10), three open at 105. The bust adds two at 100: (315 + 200) / 5 = 103.
    venue.fill(r#""account":1,"symbol":"P","side":"sell","qty":"5","price":"105","counterparty":3"#);
    venue.correct("bust", BOUGHT);
    assert_eq!((venue.balance(1, "USDT"), venue.positions(1)), ("1010".into(), vec![position("short", "5", "103")]));

    // Against the external venue account, which takes its side back: it is the other side of three shorts at 100.
    let mut venue = Venue::new();
    let sold = r#""account":1,"symbol":"P","side":"sell","qty":"3","price":"100""#;
    venue.fill(sold);
    assert_eq!(venue.totals("USDT", "open_cost"), "0");
    venue.correct("bust", sold);
    assert_eq!((venue.positions(1), venue.totals("USDT", "venue")), (vec![], "0".into()));
}

#[test]
fn a_bust_of_an_isolated_position_returns_its_margin_or_takes_one() {
    let mut venue = Venue::new();
    venue.quiet(r#"{"op":"margin_mode","account":1,"symbol":"P","mode":"isolated"}"#);
    // 200 at 10x takes 20.
    venue.fill(BOUGHT);
    assert_eq!((venue.balance(1, "USDT"), venue.totals("USDT", "isolated")), ("980".into(), "20".into()));
    venue.correct("bust", BOUGHT);
    assert_eq!((venue.balance(1, "USDT"), venue.totals("USDT", "isolated")), ("1000".into(), "0".into()));
    // Reduced to one (10 of the margin return), then busted: the other 10 return, and one short at 100 takes 10.
    venue.fill(BOUGHT);
    venue.fill(r#""account":1,"symbol":"P","side":"sell","qty":"1","price":"100","counterparty":3"#);
    assert_eq!(venue.balance(1, "USDT"), "990");
    venue.correct("bust", BOUGHT);
    assert_eq!((venue.balance(1, "USDT"), venue.totals("USDT", "isolated")), ("990".into(), "10".into()));
    assert_eq!(venue.positions(1), [position("short", "1", "100")]);
}

#[test]
fn a_bust_in_hedge_mode_is_booked_against_the_leg_it_names() {
    let mut venue = Venue::new();
    let leg = |side: &str, quantity: u32, leg: &str| {
        format!(
            r#""account":9,"symbol":"P","side":"{side}","qty":"{quantity}","price":"100","counterparty":2,"position_side":"{leg}""#
        )
    };
    venue.fill(&leg("buy", 3, "long"));
    venue.fill(&leg("sell", 1, "short"));
    // All three are still there: the short leg is left alone.
    venue.correct("bust", &leg("buy", 3, "long"));
    assert_eq!(venue.positions(9), [position("short", "1", "100")]);
    // Two of three were sold: one closes, two open the short leg beside the one that it has.
    venue.fill(&leg("buy", 3, "long"));
    venue.fill(&leg("sell", 2, "long"));
    venue.correct("bust", &leg("buy", 3, "long"));
    assert_eq!(venue.positions(9), [position("short", "3", "100")]);
    // The bought leg of a counterparty in hedge mode.
    let sold = r#""account":1,"symbol":"P","side":"sell","qty":"2","price":"100","counterparty":9,"counter_position_side":"long""#;
    venue.fill(sold);
    venue.correct("bust", sold);
    assert_eq!((venue.positions(9), venue.positions(1)), (vec![position("short", "3", "100")], vec![]));
}

#[test]
fn what_inverse_fills_round_is_the_funds_both_ways() {
    let mut venue = Venue::new();
    venue.deposit(1, "C", "100");
    venue.deposit(2, "C", "100");
    let bought = r#""account":1,"symbol":"I","side":"buy","qty":"1","price":"3","counterparty":2"#;
    let rounding = |events: &[Value]| -> Vec<(String, String)> {
        let of = |event: &Value| {
            (event["reason"].as_str().unwrap_or("").to_owned(), event["delta"].as_str().unwrap_or("").to_owned())
        };
        events.iter().map(of).collect()
    };
    // 3.33 quanta: the long costs −3, the short 4. The books gain −(−3) − 4 = −1, which the fund gets: 0.1.
    let one = vec![("rounding".to_owned(), "0.1".to_owned())];
    let events = venue.fill(bought);
    assert_eq!(rounding(&events), one);
    // Undone: the long closes at −4, realising −4 + 3 = −1; the short at 3, realising 3 − 4 = −1. Of the two the fund has one
    // already, and gets the other.
    let events = venue.correct("bust", bought);
    assert_eq!(rounding(&events), one);
    assert_eq!((venue.balance(1, "C"), venue.balance(2, "C")), ("99.9".into(), "99.9".into()));
    assert_eq!(venue.totals("C", "funds"), "0.2");
    // From 3 to 5, where a lot is 2 exactly: the long gets −3 − (−2) = −1, the short 4 − 2 = 2; the fund pays 1.
    venue.fill(bought);
    let events = venue.correct("reprice", &format!(r#"{bought},"to":"5""#));
    assert_eq!(rounding(&events), [("rounding".to_owned(), "-0.1".to_owned())]);
    assert_eq!((venue.balance(1, "C"), venue.balance(2, "C")), ("99.8".into(), "100.1".into()));
    assert_eq!(venue.positions(1)[0].1, "1");
    // And back, of a fill at the external venue account: that gets −2, the account 1, the fund 1.
    let bought = r#""account":1,"symbol":"I","side":"buy","qty":"1","price":"5""#;
    let events = venue.correct("reprice", &format!(r#"{bought},"to":"3""#));
    assert_eq!(rounding(&events), one);
    assert_eq!((venue.balance(1, "C"), venue.totals("C", "venue")), ("99.9".into(), "-0.2".into()));
}

#[test]
fn a_repricing_passes_the_difference_and_leaves_positions_alone() {
    let mut venue = Venue::new();
    venue.fill(BOUGHT);
    // Bought two too dear by 10: 20 come back. Then too cheap by 15: 30 are paid.
    venue.correct("reprice", &format!(r#"{BOUGHT},"to":"90""#));
    assert_eq!((venue.balance(1, "USDT"), venue.balance(2, "USDT")), ("1020".into(), "980".into()));
    venue.correct("reprice", &format!(r#"{BOUGHT},"to":"115""#));
    assert_eq!((venue.balance(1, "USDT"), venue.balance(2, "USDT")), ("990".into(), "1010".into()));
    assert_eq!(venue.positions(1), [position("long", "2", "100")]);
    // Isolated and open: on the margin, whose position is another since.
    venue.quiet(r#"{"op":"margin_mode","account":3,"symbol":"P","mode":"isolated"}"#);
    let sold = r#""account":3,"symbol":"P","side":"sell","qty":"3","price":"100""#;
    venue.fill(sold);
    venue.fill(r#""account":3,"symbol":"P","side":"buy","qty":"1","price":"100""#);
    assert_eq!((venue.balance(3, "USDT"), venue.totals("USDT", "isolated")), ("980".into(), "20".into()));
    // Three sold too cheap by 2: the seller gets 6, the external venue account pays.
    venue.correct("reprice", &format!(r#"{sold},"to":"102""#));
    assert_eq!((venue.balance(3, "USDT"), venue.totals("USDT", "isolated")), ("980".into(), "26".into()));
    assert_eq!(venue.totals("USDT", "venue"), "-6");
    // Closed: on the balance, with what is left of the margin.
    venue.fill(r#""account":3,"symbol":"P","side":"buy","qty":"2","price":"100""#);
    assert_eq!(venue.balance(3, "USDT"), "1006");
    venue.correct("reprice", &format!(r#"{sold},"to":"99""#));
    assert_eq!((venue.balance(3, "USDT"), venue.totals("USDT", "isolated")), ("1003".into(), "0".into()));
    // An isolated leg in hedge mode.
    venue.quiet(r#"{"op":"margin_mode","account":9,"symbol":"P","mode":"isolated"}"#);
    let bought = r#""account":9,"symbol":"P","side":"buy","qty":"1","price":"100","position_side":"long""#;
    venue.fill(bought);
    venue.correct("reprice", &format!(r#"{bought},"to":"99""#));
    assert_eq!((venue.balance(9, "USDT"), venue.totals("USDT", "isolated")), ("990".into(), "11".into()));
}

#[test]
fn an_adjustment_counts_as_deposited_and_may_go_below_zero() {
    let mut venue = Venue::new();
    venue.correct("adjust", r#""account":1,"asset":"USDT","amount":"-1000.5""#);
    assert_eq!((venue.balance(1, "USDT"), venue.totals("USDT", "deposits")), ("-0.5".into(), "2999.5".into()));
    let (code, _) = venue.refusal(r#"{"op":"withdraw","account":1,"asset":"USDT","amount":"1"}"#);
    assert_eq!(code, "insufficient_margin");
    venue.correct("adjust", r#""account":1,"asset":"USDT","amount":"0.75""#);
    assert_eq!((venue.balance(1, "USDT"), venue.totals("USDT", "deposits")), ("0.25".into(), "3000.25".into()));
    // An account without a pool in the asset gets one.
    venue.correct("adjust", r#""account":1,"asset":"C","amount":"2""#);
    assert_eq!(venue.balance(1, "C"), "2");
}

/// Two lots at 100 require 2; with 1001 taken away, −1 is left of 1000 — and 2.01 left would not be in breach.
#[test]
fn a_correction_that_leads_to_a_breach_is_its_cause() {
    let mut venue = Venue::new();
    venue.fill(BOUGHT);
    assert!(venue.correct("adjust", r#""account":1,"asset":"USDT","amount":"-997.99""#).is_empty());
    let events = venue.correct("adjust", r#""account":1,"asset":"USDT","amount":"-0.01""#);
    assert_eq!((&events[0]["ev"], &events[0]["cause"]), (&"liquidation_started".into(), &"adjust".into()));
    assert_eq!((&events[0]["equity"], &events[0]["mm"]), (&"2".into(), &"2".into()));
    assert_eq!(events.last().expect("it ends")["outcome"], "closed");
    // Somebody's mistake: the fund makes good what it cost.
    venue.quiet(r#"{"op":"mark","symbol":"P","price":"100"}"#);
    venue.say(r#"{"op":"fund_deposit","fund":"USDT","amount":"1000"}"#);
    let fund = |venue: &mut Venue| venue.say(r#"{"op":"get","what":"fund","fund":"USDT"}"#).remove(0);
    assert_eq!(fund(&mut venue)["balance"], "1000");
    let events = venue.correct("compensate", r#""account":1,"asset":"USDT","amount":"998""#);
    let paid: Value =
        serde_json::from_str(r#"{"ev":"fund","fund":"USDT","delta":"-998","balance":"2","reason":"compensation"}"#)
            .expect("JSON");
    assert_eq!(events, [paid]);
    assert_eq!(venue.balance(1, "USDT"), "1000");
    // No more than it has, and nothing below its floor.
    let compensate = |amount: &str, more: &str| {
        format!(
            r#"{{"op":"compensate","corrects":1,"reason":"r","principal":"p","account":1,"asset":"USDT","amount":"{amount}"{more}}}"#
        )
    };
    let (code, reason) = venue.refusal(&compensate("2.01", ""));
    assert_eq!(code, "insufficient_margin");
    assert!(reason.contains("fund USDT") && reason.contains("-0.01"), "{reason}");
    venue.quiet(r#"{"op":"fund","fund":"second","asset":"USDT","floor":"30"}"#);
    venue.say(r#"{"op":"fund_deposit","fund":"second","amount":"50"}"#);
    let (code, reason) = venue.refusal(&compensate("20.01", r#","fund":"second""#));
    assert_eq!(code, "insufficient_margin");
    assert!(reason.contains("fund second") && reason.contains("29.99") && reason.contains("30"), "{reason}");
    venue.correct("compensate", r#""account":1,"asset":"USDT","amount":"20","fund":"second""#);
    assert_eq!(venue.balance(1, "USDT"), "1020");
    let (code, _) = venue.refusal(&compensate("1", r#","fund":"C""#));
    assert_eq!(code, "bad_value");
}

#[test]
fn a_bust_and_a_repricing_can_lead_to_a_breach_too() {
    let mut venue = Venue::new();
    venue.deposit(5, "USDT", "10");
    // Ten bought at 100 and closed at 99 from 10: nothing is left. Busted, ten are short at 100, which require 10.
    let bought = r#""account":5,"symbol":"P","side":"buy","qty":"10","price":"100","counterparty":1"#;
    venue.fill(r#""account":5,"symbol":"P","side":"buy","qty":"1","price":"100","counterparty":1"#);
    venue.correct("adjust", r#""account":5,"asset":"USDT","amount":"1""#);
    let events = venue.correct("bust", bought);
    // Long one, and ten sold: nine short at 100 require 9, of 11.
    assert!(events.is_empty(), "{events:?}");
    assert_eq!(venue.positions(5), [position("short", "9", "100")]);
    let events = venue.correct("reprice", &format!(r#"{bought},"to":"101""#));
    // Ten bought too cheap by 1: 1 is left, and 9 are required.
    assert_eq!((&events[0]["ev"], &events[0]["cause"]), (&"liquidation_started".into(), &"reprice".into()));
    assert_eq!((&events[0]["equity"], &events[0]["mm"]), (&"1".into(), &"9".into()));
    let mut venue = Venue::new();
    venue.deposit(5, "USDT", "9");
    venue.correct("adjust", r#""account":5,"asset":"USDT","amount":"0.99""#);
    let events = venue.correct("bust", bought);
    assert_eq!((&events[0]["ev"], &events[0]["cause"]), (&"liquidation_started".into(), &"bust".into()));
}

#[test]
fn a_locked_pool_is_corrected_too_and_its_orders_are_cut() {
    let mut venue = Venue::new();
    venue.deposit(5, "USDT", "10");
    venue.quiet(r#"{"op":"venue","mode":"manual"}"#);
    let bought = r#""account":5,"symbol":"P","side":"buy","qty":"5","price":"100","counterparty":1"#;
    venue.fill(bought);
    let events = venue.say(r#"{"op":"mark","symbol":"P","price":"98"}"#);
    let order = events.iter().find(|event| event["ev"] == "liquidation_order").expect("an order goes out");
    assert_eq!((&order["qty"], &order["side"]), (&"5".into(), &"sell".into()));
    // The money comes back, but the order stands, and the pool waits for its answer.
    assert!(venue.correct("adjust", r#""account":5,"asset":"USDT","amount":"100""#).is_empty());
    assert_eq!(venue.account(5)["pools"][0]["locked"], true);
    // The fill never was: nothing is left to liquidate.
    let events = venue.correct("bust", bought);
    assert_eq!((&events[0]["ev"], &events[0]["outcome"]), (&"liquidation_ended".into(), &"closed".into()));
    assert_eq!((venue.balance(5, "USDT"), venue.positions(5)), ("110".into(), vec![]));
    // Reduce-only orders shrink with the position, as by a fill.
    venue.quiet(r#"{"op":"mark","symbol":"P","price":"100"}"#);
    venue.fill(bought);
    venue.quiet(
        r#"{"op":"order","account":5,"order":7,"symbol":"P","side":"sell","qty":"5","price":"110","reduce_only":true}"#,
    );
    let events = venue.correct("bust", &bought.replace(r#""qty":"5""#, r#""qty":"2""#));
    assert_eq!((&events[0]["ev"], &events[0]["qty"]), (&"order_cut".into(), &"3".into()));
}

/// What `cancel_ack` counts are the venue's executions: a bust is none of them.
#[test]
fn a_bust_is_no_execution() {
    let mut venue = Venue::new();
    venue.deposit(5, "USDT", "10");
    venue.quiet(r#"{"op":"venue","mode":"manual","cancel_ack":true}"#);
    let bought = r#""account":5,"symbol":"P","side":"buy","qty":"5","price":"100","counterparty":1"#;
    venue.fill(bought);
    venue.quiet(r#"{"op":"order","account":5,"order":1,"symbol":"P","side":"sell","qty":"1","price":"110"}"#);
    venue.say(r#"{"op":"mark","symbol":"P","price":"98"}"#);
    venue.quiet(r#"{"op":"cancel_ack","account":5,"pool":"cross:USDT","execution":2}"#);
    assert!(venue.correct("bust", &bought.replace(r#""qty":"5""#, r#""qty":"1""#)).is_empty());
    let events = venue.fill(r#""account":5,"symbol":"P","side":"sell","qty":"1","price":"98","counterparty":1"#);
    assert_eq!(events[0]["ev"], "orders_cancelled");
}

#[test]
fn refusals_name_what_is_wrong_in_the_order_of_the_protocol() {
    let mut venue = Venue::new();
    let long = "x".repeat(129);
    let line = |op: &str, head: &str, fields: &str| format!(r#"{{"op":"{op}",{head},{fields}}}"#);
    let head = r#""corrects":1,"reason":"r","principal":"p""#;
    let trade = |change: (&str, &str)| BOUGHT.replace(change.0, change.1);
    let money = r#""account":1,"asset":"USDT","amount":"1""#;
    let huge = "60000000000000000"; // 6 · 10^18 quanta: above 2^62
    let cases = [
        (line("bust", r#""corrects":1,"reason":"r""#, BOUGHT), "malformed", "principal"),
        (line("bust", r#""corrects":-1,"reason":"r","principal":"p""#, BOUGHT), "malformed", "corrects"),
        (line("bust", r#""corrects":1,"reason":5,"principal":"p""#, BOUGHT), "malformed", "reason"),
        (line("bust", head, &format!(r#"{BOUGHT},"to":"1""#)), "unknown_field", "to"),
        (line("reprice", head, BOUGHT), "malformed", "to"),
        (line("reprice", head, &format!(r#"{BOUGHT},"to":"1","fee":"1""#)), "unknown_field", "fee"),
        (line("adjust", head, &format!(r#"{money},"fund":"USDT""#)), "unknown_field", "fund"),
        (line("bust", head, &trade((r#","counterparty":2"#, r#","counter_fee":"0""#))), "malformed", "counterparty"),
        (
            line("bust", head, &trade((r#","counterparty":2"#, r#","counter_position_side":"long""#))),
            "malformed",
            "counterparty",
        ),
        (line("bust", head, &trade((r#""P""#, r#""Q""#))), "unknown_symbol", "Q"),
        (line("adjust", head, &money.replace("USDT", "USDC")), "unknown_asset", "USDC"),
        (line("compensate", head, &format!(r#"{money},"fund":"none""#)), "unknown_fund", "none"),
        (line("bust", head, &trade((r#""account":1"#, r#""account":77"#))), "unknown_account", "77"),
        (line("bust", r#""corrects":0,"reason":"","principal":"""#, &trade((":2", ":78"))), "unknown_account", "78"),
        (line("adjust", head, &money.replace(":1,", ":77,")), "unknown_account", "77"),
        (line("compensate", head, &money.replace(":1,", ":77,")), "unknown_account", "77"),
        (line("adjust", r#""corrects":0,"reason":"r","principal":"p""#, money), "bad_value", "corrects"),
        (line("adjust", r#""corrects":99999,"reason":"r","principal":"p""#, money), "bad_value", "99999"),
        (line("adjust", r#""corrects":1,"reason":"","principal":"p""#, money), "bad_value", "reason"),
        (line("adjust", &format!(r#""corrects":1,"reason":"r","principal":"{long}""#), money), "bad_value", "129"),
        (line("bust", head, &trade((":2", ":1"))), "bad_value", "itself"),
        (line("reprice", head, &format!(r#"{},"to":"1""#, trade((":2", ":1")))), "bad_value", "itself"),
        (line("bust", head, &format!(r#"{BOUGHT},"position_side":"long""#)), "bad_value", "one-way"),
        (line("bust", head, &trade((":2", ":9"))), "bad_value", "hedge"),
        (line("bust", head, &trade((r#""qty":"2""#, r#""qty":"0""#))), "bad_value", "qty"),
        (line("bust", head, &trade((r#""100""#, r#""-1""#))), "bad_value", "price"),
        (line("reprice", head, &format!(r#"{BOUGHT},"to":"0""#)), "bad_value", "to"),
        (line("adjust", head, &money.replace(r#""1""#, r#""0""#)), "bad_value", "amount"),
        (line("compensate", head, &money.replace(r#""1""#, r#""-1""#)), "bad_value", "amount"),
        (line("bust", head, &format!(r#"{},"fee":"0.001""#, trade((r#""100""#, r#""-1""#)))), "bad_value", "price"),
        (line("bust", head, &trade((r#""qty":"2""#, r#""qty":"2.5""#))), "off_grid", "qty 2.5"),
        (line("bust", head, &format!(r#"{BOUGHT},"fee":"0.001""#)), "off_grid", "fee 0.001"),
        (line("bust", head, &format!(r#"{BOUGHT},"counter_fee":"-0.001""#)), "off_grid", "counter_fee -0.001"),
        (line("reprice", head, &format!(r#"{BOUGHT},"to":"0.5""#)), "off_grid", "to 0.5"),
        (line("adjust", head, &money.replace(r#""1""#, r#""0.001""#)), "off_grid", "amount 0.001"),
        (line("compensate", head, &money.replace(r#""1""#, r#""0.001""#)), "off_grid", "amount 0.001"),
        (line("bust", head, &format!(r#"{BOUGHT},"fee":"-{huge}""#)), "overflow", "fee"),
        (line("bust", head, &trade((r#""qty":"2""#, &format!(r#""qty":"{huge}""#)))), "overflow", "quantity"),
        (line("reprice", head, &format!(r#"{BOUGHT},"to":"{huge}""#)), "overflow", "quantity"),
        (line("adjust", head, &money.replace(r#""1""#, &format!(r#""-{huge}""#))), "overflow", "amount"),
        (line("adjust", head, &money.replace(r#""1""#, r#""46116860184273879""#)), "overflow", "balance"),
        (line("compensate", head, &money.replace(r#""1""#, r#""46116860184273879""#)), "overflow", "balance"),
        (line("compensate", head, money), "insufficient_margin", "fund USDT"),
    ];
    let before: Vec<Value> = [1, 2, 9].map(|account| venue.account(account)).into();
    for (line, code, named) in &cases {
        let (found, reason) = venue.refusal(line);
        assert_eq!(found, *code, "{line}: {reason}");
        assert!(reason.contains(named), "{line}: {reason}");
    }
    let after: Vec<Value> = [1, 2, 9].map(|account| venue.account(account)).into();
    assert_eq!(before, after);
    // The line before this one is the last that can be corrected.
    let at = venue.line + 1;
    let (code, _) = venue.refusal(&line("adjust", &format!(r#""corrects":{at},"reason":"r","principal":"p""#), money));
    assert_eq!(code, "bad_value");
    let last = venue.line;
    assert_eq!(
        venue.say(&line("adjust", &format!(r#""corrects":{last},"reason":"r","principal":"p""#), money)).len(),
        1
    );
}

// Streams.

const ID: InstrumentId = InstrumentId(0);
const INVERSE: InstrumentId = InstrumentId(1);
const ACCOUNTS: u64 = 60;

/// Accounts with little, a linear contract at 1000 and an inverse one at 30, both settled in the same asset.
fn world(shards: u32) -> Kernel {
    let mut kernel = Kernel::new(Settings { shards, ..Settings::default() });
    let asset = kernel.declare_asset(None, "USDT", 2).unwrap();
    let grid = Grid::decimals(0);
    let row = TierRow { cap: 1 << 60, mmr_ppb: 20_000_000, max_leverage: 2_000, deduction: None };
    for (symbol, unit) in [("P", Unit::Linear(100)), ("I", Unit::Inverse { numerator: 1_000_000, denominator: 1 })] {
        let tiers = TierTable::new(TierRule::Marginal, &[row]).unwrap();
        let mut spec = InstrumentSpec::new(symbol, asset, FundId(0), (grid, grid), unit, tiers);
        spec.funding.chunk = 5;
        kernel.declare_instrument(None, spec).unwrap();
    }
    kernel.set_venue(None, VenueMode::Manual).unwrap();
    kernel.apply(&Command::FundDeposit { fund: FundId(0), amount: 900_000 }).unwrap();
    kernel.apply(&Command::Mark { instrument: ID, price: 1_000 }).unwrap();
    kernel.apply(&Command::Mark { instrument: INVERSE, price: 30 }).unwrap();
    let mut dice = Dice(9);
    for account in 1..=ACCOUNTS {
        let amount = 60_000 + dice.below(400_000) as i64;
        kernel.apply(&Command::Deposit { account, asset, amount }).unwrap();
    }
    kernel
}

fn trade(dice: &mut Dice, marks: [i64; 2]) -> Trade {
    let account = 1 + dice.below(ACCOUNTS);
    let other = 1 + (account + dice.below(ACCOUNTS - 1)) % ACCOUNTS;
    let inverse = dice.below(3) == 0;
    Trade {
        account,
        counterparty: (dice.below(4) > 0).then_some(other),
        instrument: if inverse { INVERSE } else { ID },
        side: if dice.below(2) == 0 { Side::Buy } else { Side::Sell },
        quantity: 1 + dice.below(3) as i64,
        price: marks[usize::from(inverse)],
        position_side: None,
        counter_position_side: None,
    }
}

fn fill(trade: &Trade) -> Command {
    Command::Fill(Fill { side: trade.side, ..trade.undone() })
}

fn correction(dice: &mut Dice, seq: u64, marks: [i64; 2], trades: &[Trade]) -> Correction {
    let trade = trades[dice.below(trades.len() as u64) as usize];
    let (account, asset) = (1 + dice.below(ACCOUNTS), AssetId(0));
    let remedy = match dice.below(6) {
        0 | 1 => Remedy::Bust { trade, fee: dice.below(100) as i64 - 50, counter_fee: 0 },
        2 => Remedy::Reprice { trade, to: marks[usize::from(trade.instrument == INVERSE)] + dice.below(5) as i64 },
        3 => Remedy::Adjust { account, asset, amount: -1 - dice.below(200_000) as i64 },
        4 => Remedy::Adjust { account, asset, amount: 1 + dice.below(100_000) as i64 },
        _ => Remedy::Compensate { account, asset, amount: 1 + dice.below(60_000) as i64, fund: FundId(0) },
    };
    Correction {
        corrects: 1 + dice.below(seq),
        reason: format!("reason {}", dice.below(1_000)),
        principal: "desk".to_owned(),
        remedy,
    }
}

/// A stream of marks, fills, settlements and corrections, beside a venue that answers late; what it came to, and the orders that
/// the venue was asked for.
fn stream(workers: u32, apart: bool, seed: u64) -> (Finished, Vec<Output>, Vec<OrderName>) {
    let settings =
        EngineSettings { layout: layout(workers, apart), record: true, ring: 64, ..EngineSettings::default() };
    let mut engine = Engine::start(world(workers), &settings).expect("the engine starts");
    let (mut log, mut asked, mut dice) = (Vec::new(), Vec::new(), Dice(seed));
    let (mut marks, mut trades, mut answered) = ([1_000i64, 30], Vec::new(), 0);
    let mut seq = 0;
    for step in 0..2_000u64 {
        let submitted = match dice.below(8) {
            _ if step % 90 == 89 => engine.submit(&Command::Funding { instrument: ID, rate_ppb: 3_000_000 }),
            0 => {
                marks[0] = (marks[0] + dice.below(31) as i64 - 15).clamp(800, 1_250);
                engine.submit(&Command::Mark { instrument: ID, price: marks[0] })
            }
            1 => {
                marks[1] = (marks[1] + dice.below(3) as i64 - 1).clamp(25, 36);
                engine.submit(&Command::Mark { instrument: INVERSE, price: marks[1] })
            }
            2..=4 => {
                let trade = trade(&mut dice, marks);
                trades.push(trade);
                engine.submit(&fill(&trade))
            }
            5 if answered < asked.len() => {
                let order: OrderName = asked[answered];
                answered += 1;
                engine.submit(&Command::LiquidationExpire { order })
            }
            _ if trades.is_empty() => continue,
            _ => engine.submit_correction(None, &correction(&mut dice, seq.max(1), marks, &trades)),
        };
        match submitted {
            Ok(number) => seq = number,
            Err(SubmitError::Full | SubmitError::Refused(_)) => {}
            Err(SubmitError::Stopped) => panic!("{:?}", engine.failure()),
            Err(error) => panic!("{error}"),
        }
        loop {
            engine.poll(
                |message| {
                    if let VenueRequest::Order { order, .. } = message.request {
                        asked.push(order);
                    }
                },
                |output| log.push(*output),
            );
            if engine.metrics().lag <= 3 || engine.failure().is_some() {
                break;
            }
            std::thread::yield_now();
        }
    }
    let mut finished = engine.stop();
    log.append(&mut finished.log);
    for message in &finished.requests {
        if let VenueRequest::Order { order, .. } = message.request {
            asked.push(order);
        }
    }
    (finished, log, asked)
}

#[test]
fn a_stream_with_corrections_is_told_as_its_record_tells_it() {
    let (mut corrected, mut refused, mut caused, mut between) = (0, 0, 0, 0);
    for (seed, workers, apart) in [(1, 1, false), (2, 2, false), (3, 3, false), (4, 2, true), (5, 1, true)] {
        let (finished, log, asked) = stream(workers, apart, seed);
        assert_eq!(finished.failure, None);
        let record = finished.record.expect("it was recorded");
        let mut again = world(if workers == 1 { 4 } else { 1 });
        let mut told = Vec::new();
        replay(&mut again, &record, |output| told.push(output)).expect("the record is followed");
        let first = log.iter().zip(&told).position(|(a, b)| a != b);
        assert_eq!(first.map(|at| (&log[at], &told[at])), None, "{workers} workers");
        assert_eq!(log.len(), told.len());
        let threaded = finished.kernel.expect("all threads ended");
        for kernel in [&threaded, &again] {
            assert_eq!(kernel.audit(0, kernel.pools()), 0, "a pool is in breach and not in liquidation");
            assert!(kernel.asset_totals().iter().all(|totals| totals.difference() == 0));
            assert!(kernel.instrument_totals().iter().all(|totals| totals.long == totals.short));
        }
        let accounts = |kernel: &Kernel| -> Vec<_> {
            kernel.accounts().into_iter().map(|account| kernel.account(account).unwrap()).collect()
        };
        assert_eq!(accounts(&threaded), accounts(&again));
        // Every order that the log tells was asked for, once: by a worker, or at a correction by the arbiter.
        let mut announced: Vec<_> = log
            .iter()
            .filter_map(|output| match output {
                Output::Event { event, .. } => event.order_name(),
                _ => None,
            })
            .collect();
        let mut asked = asked;
        announced.sort_unstable();
        asked.sort_unstable();
        assert_eq!(announced, asked);
        for output in &log {
            match output {
                Output::Event { event: Event::Corrected { remark, .. }, .. } => {
                    corrected += 1;
                    let said = [&threaded, &again].map(|kernel| kernel.market().remark(*remark).cloned());
                    assert!(said[0].is_some() && said[0] == said[1]);
                }
                Output::Event { event: Event::LiquidationStarted { cause, .. }, .. } => {
                    let by = |op| *cause == terrace::event::Cause::Op(op);
                    caused += u32::from(["bust", "reprice", "adjust", "compensate"].into_iter().any(by));
                }
                Output::Refused { refusal, .. } => {
                    refused += u32::from(matches!(refusal, terrace::Refusal::InsufficientFund { .. }));
                }
                _ => {}
            }
        }
        between += record
            .windows(2)
            .filter(|pair| matches!(pair[0], Entry::Correct { .. }) && !matches!(pair[1], Entry::Decide { .. }))
            .count();
    }
    println!(
        "{corrected} corrections, {caused} led to liquidations, {refused} refused, {between} without a decision after"
    );
    assert!(corrected > 500 && caused > 50 && refused > 20 && between > 100);
}

/// The arbiter books what the sequencer admits: near the limit of open interest its bound is made exact for a bust too.
#[test]
fn the_open_interest_after_a_bust_is_bounded() {
    let mut kernel = world(2);
    let most = (1i64 << 62) / 100 / 1_000 - 10;
    let opened = |quantity, side| Trade {
        account: 1,
        counterparty: Some(2),
        instrument: ID,
        side,
        quantity,
        price: 1_000,
        position_side: None,
        counter_position_side: None,
    };
    let bust = |quantity, side| Correction {
        corrects: 1,
        reason: "r".to_owned(),
        principal: "p".to_owned(),
        remedy: Remedy::Bust { trade: opened(quantity, side), fee: 0, counter_fee: 0 },
    };
    kernel
        .apply_at(
            None,
            &Command::Mode { scope: terrace::controls::Scope::All, mode: terrace::controls::Mode::LiquidationPaused },
            OffGrid::NONE,
        )
        .unwrap();
    let settings = EngineSettings { layout: layout(2, false), ring: 64, ..EngineSettings::default() };
    let mut engine = Engine::start(kernel, &settings).expect("the engine starts");
    engine.submit(&fill(&opened(most, Side::Buy))).expect("within the limit");
    // Undone and done again, over and over: no larger than before.
    for _ in 0..4 {
        engine.submit_correction(None, &bust(most, Side::Buy)).expect("the position closes");
        engine.submit_correction(None, &bust(most, Side::Sell)).expect("and opens again");
    }
    let refused = engine.submit_correction(None, &bust(20, Side::Sell));
    assert!(matches!(refused, Err(SubmitError::Refused(terrace::Refusal::Overflow { .. }))), "{refused:?}");
    engine.submit_correction(None, &bust(5, Side::Sell)).expect("within the limit");
    let finished = engine.stop();
    assert_eq!(finished.failure, None);
    let kernel = finished.kernel.expect("all threads ended");
    assert!(kernel.asset_totals().iter().all(|totals| totals.difference() == 0));
}
