//! Input made to hurt: numbers at and beyond every limit, lines made to be slow. Each has its answer, and none a panic.

use terrace::protocol::Session;
use terrace::{Code, Settings};

/// `2^62 − 1`, the largest amount that is admitted.
const MOST: i64 = (1 << 62) - 1;

struct Script(Session);

impl Script {
    fn new(lines: &[String]) -> Self {
        let mut script = Self(Session::new(Settings::default()));
        for line in lines {
            assert_eq!(script.refusal(line), None, "{line}");
        }
        script
    }

    /// Carries out a line and returns the code of its refusal.
    fn refusal(&mut self, line: &str) -> Option<Code> {
        self.say(line).1
    }

    fn say(&mut self, line: &str) -> (String, Option<Code>) {
        let mut out = String::new();
        let refusal = self.0.line(line.as_bytes(), &mut out).err().map(|rejection| rejection.code);
        (out, refusal)
    }
}

fn asset(decimals: u32) -> String {
    format!(r#"{{"op":"asset","asset":"U","decimals":{decimals}}}"#)
}

fn instrument(symbol: &str, tick: &str, lot: &str) -> String {
    format!(
        r#"{{"op":"instrument","symbol":"{symbol}","kind":"linear_perp","underlying":"X","settle":"U","tick":"{tick}","lot":"{lot}","tiers":[{{"cap":"1000000000","mmr":"0.01","max_leverage":50}}]}}"#
    )
}

fn fill(account: u64, symbol: &str, side: &str, quantity: &str, price: &str, counterparty: &str) -> String {
    format!(
        r#"{{"op":"fill","account":{account},"symbol":"{symbol}","side":"{side}","qty":"{quantity}","price":"{price}"{counterparty}}}"#
    )
}

fn deposit(account: u64) -> String {
    format!(r#"{{"op":"deposit","account":{account},"asset":"U","amount":"1"}}"#)
}

/// A venue once let two accounts trade a contract without a mark back and forth at prices 2^62 apart. Each round moved
/// 2^62 from one to the other; when the loser was liquidated in a coarse contract, its bankruptcy price had no place in
/// 128 bits.
#[test]
fn balances_driven_far_beyond_every_limit_are_still_exact() {
    let (tick, lot) = ("100000000000", "0.00000000001");
    let mut script =
        Script::new(&[asset(0), instrument("A", "1", "1"), instrument("B", tick, lot), deposit(1), deposit(2)]);
    let most = MOST.to_string();
    for _ in 0..400 {
        for (side, price) in [("buy", most.as_str()), ("sell", "1")] {
            assert_eq!(script.refusal(&fill(1, "A", side, "1", price, r#","counterparty":2"#)), None);
        }
    }
    assert_eq!(script.refusal(&format!(r#"{{"op":"mark","symbol":"B","price":"{tick}"}}"#)), None);
    let (events, _) = script.say(&fill(1, "B", "buy", lot, tick, ""));
    assert!(events.contains(r#""ev":"takeover""#), "{events}");
    assert_eq!(script.refusal(&fill(2, "B", "sell", lot, tick, "")), None);
    for question in [
        r#"{"op":"get","what":"account","account":2}"#,
        r#"{"op":"get","what":"ladder","symbol":"B"}"#,
        r#"{"op":"get","what":"adl_queue","symbol":"B","side":"short"}"#,
    ] {
        assert_eq!(script.refusal(question), None, "{question}");
    }
    let (totals, _) = script.say(r#"{"op":"get","what":"totals"}"#);
    assert!(totals.matches(r#""difference":"0""#).count() == 3, "{totals}");
}

#[test]
fn far_out_numbers_are_refused_by_what_is_wrong_with_them() {
    let mut script = Script::new(&[asset(2), instrument("X", "2500", "1"), deposit(1)]);
    let huge = "9".repeat(36);
    let tiny = format!("0.{}1", "0".repeat(34));
    let lines = [
        (format!(r#"{{"op":"mark","symbol":"X","price":"{tiny}"}}"#), Code::OffGrid),
        (format!(r#"{{"op":"mark","symbol":"X","price":"{huge}"}}"#), Code::OffGrid),
        (format!(r#"{{"op":"mark","symbol":"X","price":"{}0000"}}"#, "5".repeat(32)), Code::Overflow),
        (format!(r#"{{"op":"mark","symbol":"X","price":"-{huge}"}}"#), Code::BadValue),
        (format!(r#"{{"op":"mark","symbol":"X","price":"{huge}9"}}"#), Code::Malformed),
        (format!(r#"{{"op":"deposit","account":1,"asset":"U","amount":"{huge}"}}"#), Code::Overflow),
        (format!(r#"{{"op":"deposit","account":1,"asset":"U","amount":"{MOST}"}}"#), Code::Overflow),
        (format!(r#"{{"op":"withdraw","account":1,"asset":"U","amount":"{tiny}"}}"#), Code::OffGrid),
        (format!(r#"{{"op":"leverage","account":1,"symbol":"X","leverage":"{huge}"}}"#), Code::BadValue),
        (format!(r#"{{"op":"leverage","account":1,"symbol":"X","leverage":"{tiny}"}}"#), Code::BadValue),
        (r#"{"op":"book","symbol":"X","bids":[["99999999999999999999975000","1"],["9999999999999999999975000","1"]]}"#.into(), Code::Overflow),
        (r#"{"op":"time","ts":18446744073709551616}"#.into(), Code::Malformed),
        (instrument("Y", "1000000000000", "1"), Code::BadValue),
        (instrument("Y", "0.0000000000001", "1"), Code::BadValue),
        (fill(1, "X", "buy", &MOST.to_string(), "2500", ""), Code::Overflow),
    ];
    for (line, code) in lines {
        assert_eq!(script.refusal(&line), Some(code), "{line}");
    }
    assert_eq!(script.refusal(r#"{"op":"time","ts":18446744073709551615}"#), None);
    assert_eq!(script.refusal(r#"{"op":"time","ts":1}"#), Some(Code::TimeReversed));
}

/// Each of these once took time with the square of its length: minutes to hours where it should be a blink.
#[test]
fn what_one_client_sends_in_bulk_is_carried_out() {
    let keys: Vec<String> = (0..400_000).map(|key| format!(r#""{key}":1"#)).collect();
    let mut script = Script::new(&[asset(2), instrument("X", "1", "1")]);
    assert_eq!(script.refusal(&format!("{{{}}}", keys.join(","))), Some(Code::Malformed));

    let rich = MOST / 1_000;
    for account in [1, 2] {
        let line = format!(r#"{{"op":"deposit","account":{account},"asset":"U","amount":"{rich}"}}"#);
        assert_eq!(script.refusal(&line), None);
    }
    let orders = 40_000;
    assert_eq!(script.refusal(&fill(1, "X", "buy", &orders.to_string(), "1", r#","counterparty":2"#)), None);
    for order in 0..orders * 2 {
        let reduce_only = order < orders;
        let line = format!(
            r#"{{"op":"order","account":1,"order":{order},"symbol":"X","side":"sell","qty":"1","price":"1","reduce_only":{reduce_only}}}"#
        );
        assert_eq!(script.refusal(&line), None, "{line}");
    }
    let (events, _) = script.say(&fill(1, "X", "sell", &orders.to_string(), "1", ""));
    assert_eq!(events.lines().count(), orders, "every reduce-only order is cut");
}

/// What a correction says of itself is any text: it comes out as it went in, and on one line.
#[test]
fn texts_of_corrections_come_out_as_they_went_in() {
    let mut script = Script::new(&[asset(2), deposit(1)]);
    let line = |corrects: &str, reason: &str, principal: &str| {
        let texts = format!(r#""reason":{reason},"principal":{principal}"#);
        format!(r#"{{"op":"adjust","corrects":{corrects},{texts},"account":1,"asset":"U","amount":"1"}}"#)
    };
    let as_json = |text: &str| serde_json::Value::from(text).to_string();
    let texts = [
        "\"},{\"ev\":\"corrected\"".to_owned(),
        "\u{0}\u{1}\u{8}\t\n\r\u{1b}[2J\u{7f}\\".to_owned(),
        "\u{2028}\u{2029}\u{202e}\u{feff}".to_owned(),
        "'; DROP TABLE accounts; --".to_owned(),
        "\u{10ffff}".repeat(32), // 128 bytes
        " ".to_owned(),
        "x".repeat(128),
    ];
    for text in &texts {
        let (said, refusal) = script.say(&line("1", &as_json(text), &as_json(text)));
        assert_eq!(refusal, None, "{text:?}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.trim_end_matches('\n').bytes().all(|byte| byte >= 0x20), "{said:?}");
        let event: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!((event["reason"].as_str(), event["principal"].as_str()), (Some(&**text), Some(&**text)));
    }
    let (r, long, wide) = ("\"r\"", as_json(&"x".repeat(129)), as_json(&format!("{}x", "\u{10ffff}".repeat(32))));
    let endless = as_json(&"x".repeat(10_000_000));
    for (line, code) in [
        (line("1", "\"\"", r), Code::BadValue),
        (line("1", r, "\"\""), Code::BadValue),
        (line("1", &long, r), Code::BadValue),
        (line("1", r, &wide), Code::BadValue),
        (line("1", r, &endless), Code::BadValue),
        (line("1", r, "null"), Code::Malformed),
        (line("1", r, "[\"p\"]"), Code::Malformed),
        (line("1", r, "\"\\ud800\""), Code::Malformed),
        (line("1", r, "\"\n\""), Code::Malformed),
        (line("0", r, r), Code::BadValue),
        (line("-1", r, r), Code::Malformed),
        (line("1.0", r, r), Code::Malformed),
        (line("18446744073709551615", r, r), Code::BadValue),
        (line("18446744073709551616", r, r), Code::Malformed),
    ] {
        let shown = &line[..line.len().min(200)];
        let (said, refusal) = script.say(&line);
        assert_eq!(refusal, Some(code), "{shown}");
        assert!(said.len() < 20_000_000, "{shown}");
    }
    // Of the future: the line itself, and the next.
    let here = script.0.seq() + 1;
    assert_eq!(script.refusal(&line(&here.to_string(), r, r)), Some(Code::BadValue));
    assert_eq!(script.refusal(&line(&(here + 2).to_string(), r, r)), Some(Code::BadValue));
    assert_eq!(script.refusal(&line(&(here + 1).to_string(), r, r)), None);
    let (account, _) = script.say(r#"{"op":"get","what":"account","account":1}"#);
    assert!(account.contains(r#""U":"9""#), "1 deposited, and 8 more: {account}");
}

const LARGEST: &str = r#"{"op":"instrument","symbol":"A","kind":"linear_perp","underlying":"X","settle":"U","tick":"1","lot":"1","tiers":[{"cap":"4611686018427387903","mmr":"0.000000001","max_leverage":1000000}]}"#;

fn order(order: u64, side: &str, quantity: &str, more: &str) -> String {
    format!(
        r#"{{"op":"order","account":1,"order":{order},"symbol":"A","side":"{side}","qty":"{quantity}","price":"1"{more}}}"#
    )
}

const RICH: &str = r#"{"op":"deposit","account":1,"asset":"U","amount":"4611686018427387903"}"#;

const MARK: &str = r#"{"op":"mark","symbol":"A","price":"1"}"#;

const ACCOUNT: &str = r#"{"op":"get","what":"account","account":1}"#;

impl Script {
    /// The books balance, whatever has happened.
    fn balances(&mut self) {
        let (totals, _) = self.say(r#"{"op":"get","what":"totals"}"#);
        let (all, even) = (totals.matches(r#""difference":"#).count(), totals.matches(r#""difference":"0""#).count());
        assert!(all > 1 && all == even, "{totals}");
    }
}

/// A short of 2^62 lots offsets twice as many bids: a third order once had no place in 64 bits, nor had what a position
/// reaches with the two when it turns.
#[test]
fn orders_against_the_largest_position_do_not_count_beyond_numbers() {
    let most = MOST.to_string();
    for (position, side) in [("sell", "buy"), ("buy", "sell")] {
        let mut script = Script::new(&[asset(0), LARGEST.into(), MARK.into(), RICH.into()]);
        assert_eq!(script.refusal(&fill(1, "A", position, &most, "1", "")), None);
        for number in [1, 2] {
            assert_eq!(script.refusal(&order(number, side, &most, "")), None);
        }
        for (number, quantity) in [(3, &*most), (4, &*most), (5, "1")] {
            let refusal = script.refusal(&order(number, side, quantity, ""));
            assert_eq!(refusal, Some(Code::InsufficientMargin), "beyond the last cap: {side} {quantity}");
        }
        for _ in 0..2 {
            assert_eq!(script.refusal(&fill(1, "A", side, &most, "1", "")), None);
            assert_eq!(script.refusal(ACCOUNT), None);
            assert_eq!(script.refusal(&order(6, side, &most, "")), Some(Code::InsufficientMargin));
        }
        script.balances();
    }
}

/// Lots of an inverse contract can be worth next to nothing: any number of orders of 2^62 of them may stand, on each leg.
#[test]
fn any_number_of_orders_for_next_to_nothing_may_stand() {
    let inverse = r#"{"op":"instrument","symbol":"A","kind":"inverse_perp","underlying":"X","settle":"U","tick":"1","lot":"0.000000000000000001","tiers":[{"cap":"1000000","mmr":"0.01","max_leverage":50}]}"#;
    let hedge = r#"{"op":"account","account":1,"positions":"hedge"}"#;
    for legs in [false, true] {
        let mut script = Script::new(&[asset(0), inverse.into(), MARK.into()]);
        if legs {
            assert_eq!(script.refusal(hedge), None);
        }
        assert_eq!(script.refusal(RICH), None);
        for number in 0..50 {
            let (side, leg) = if number % 2 == 0 { ("buy", "long") } else { ("sell", "short") };
            let leg = if legs { format!(r#","position_side":"{leg}""#) } else { String::new() };
            assert_eq!(script.refusal(&order(number, side, "4.611686018427387903", &leg)), None, "{number}");
        }
        let (account, _) = script.say(ACCOUNT);
        assert_eq!(account.matches(r#""qty":"4.611686018427387903""#).count(), 50, "{account}");
    }
}

/// Both legs as large as an instrument may hold, driven 2^62 apart at every fill, then offset and liquidated.
#[test]
fn legs_driven_far_beyond_every_limit_are_still_exact() {
    let hedge = |account: u64| format!(r#"{{"op":"account","account":{account},"positions":"hedge"}}"#);
    let mut script = Script::new(&[asset(0), LARGEST.into(), hedge(1), hedge(2), deposit(1), deposit(2)]);
    let (most, half) = (MOST.to_string(), (MOST / 2).to_string());
    let leg = |own: &str, other: &str| {
        format!(r#","counterparty":2,"position_side":"{own}","counter_position_side":"{other}""#)
    };
    // 1 buys dear and sells cheap, in the leg that it closes and in the one that it opens.
    for _ in 0..300 {
        for (side, price, legs) in [
            ("buy", &*most, leg("long", "short")),
            ("sell", "1", leg("long", "short")),
            ("sell", "1", leg("short", "long")),
            ("buy", &*most, leg("short", "long")),
        ] {
            assert_eq!(script.refusal(&fill(1, "A", side, "1", price, &legs)), None);
        }
    }
    // Both legs of both accounts at once: as many longs as there may be.
    assert_eq!(script.refusal(&fill(1, "A", "buy", &half, "1", &leg("long", "short"))), None);
    assert_eq!(script.refusal(&fill(1, "A", "sell", &half, "1", &leg("short", "long"))), None);
    assert_eq!(script.refusal(&fill(1, "A", "buy", "2", "1", &leg("long", "short"))), Some(Code::Overflow));
    let itself = r#","counterparty":1,"position_side":"long","counter_position_side":"short""#;
    assert_eq!(script.refusal(&fill(1, "A", "buy", "1", "1", itself)), Some(Code::BadValue));
    script.balances();
    let (events, _) = script.say(MARK);
    for told in ["liquidation_started", "offset", "liquidation_ended"] {
        assert!(events.contains(&format!(r#""ev":"{told}""#)), "{told}: {events}");
    }
    script.balances();
    for question in [
        ACCOUNT,
        r#"{"op":"get","what":"account","account":2}"#,
        r#"{"op":"get","what":"ladder","symbol":"A"}"#,
        r#"{"op":"get","what":"adl_queue","symbol":"A","side":"long"}"#,
    ] {
        assert_eq!(script.refusal(question), None, "{question}");
    }
}

/// Margins of legs, and orders against them, at and beyond their limits.
#[test]
fn legs_are_refused_what_goes_beyond_them() {
    let mut script = Script::new(&[
        asset(0),
        LARGEST.into(),
        MARK.into(),
        r#"{"op":"account","account":1,"positions":"hedge"}"#.into(),
        RICH.into(),
        deposit(2),
        r#"{"op":"margin_mode","account":1,"symbol":"A","mode":"isolated"}"#.into(),
    ]);
    let half = (MOST / 2).to_string();
    let long = r#","position_side":"long""#;
    let margin = |amount: &str, leg: &str| {
        format!(r#"{{"op":"isolated_margin","account":1,"symbol":"A","amount":"{amount}"{leg}}}"#)
    };
    assert_eq!(script.refusal(&margin("1", long)), Some(Code::BadValue), "no position yet");
    assert_eq!(script.refusal(&fill(1, "A", "buy", &half, "1", long)), None);
    let most = MOST.to_string();
    for (line, code) in [
        (margin("1", ""), Code::BadValue),
        (margin("1", r#","position_side":"both""#), Code::Malformed),
        (margin("1", r#","position_side":1"#), Code::Malformed),
        (margin("1", r#","position_side":null"#), Code::Malformed),
        (margin("1", r#","position_side":"short""#), Code::BadValue),
        (margin(&most, long), Code::Overflow),
        (margin("-9223372036854775808", long), Code::Overflow),
        (margin(&format!("-{most}"), long), Code::InsufficientMargin),
        // Against its leg an order only reduces, whatever it says; and no more than there is.
        (order(1, "sell", &most, long), Code::BadValue),
        (order(1, "sell", &most, &format!(r#"{long},"reduce_only":false"#)), Code::BadValue),
        (order(1, "buy", "1", &format!(r#"{long},"reduce_only":true"#)), Code::BadValue),
        (order(1, "buy", "1", r#","position_side":"short""#), Code::BadValue),
        (order(1, "buy", "1", ""), Code::BadValue),
        (fill(1, "A", "sell", "1", "1", ""), Code::BadValue),
        (fill(1, "A", "sell", "1", "1", r#","position_side":"long","counter_position_side":"long""#), Code::Malformed),
        (fill(2, "A", "sell", "1", "1", long), Code::BadValue),
        (fill(2, "A", "sell", "1", "1", r#","counterparty":1"#), Code::BadValue),
    ] {
        assert_eq!(script.refusal(&line), Some(code), "{line}");
    }
    assert_eq!(script.refusal(&order(1, "sell", &half, long)), None);
    assert_eq!(script.refusal(&order(2, "sell", "1", long)), Some(Code::BadValue), "all of it is ordered");
    script.balances();
}

/// As `what_one_client_sends_in_bulk_is_carried_out`, with both legs.
#[test]
fn orders_of_both_legs_in_bulk_are_cut_at_once() {
    let mut script = Script::new(&[
        asset(0),
        LARGEST.into(),
        MARK.into(),
        r#"{"op":"account","account":1,"positions":"hedge"}"#.into(),
        RICH.into(),
    ]);
    let count = 20_000;
    for (side, leg) in [("buy", "long"), ("sell", "short")] {
        let leg = format!(r#","position_side":"{leg}""#);
        assert_eq!(script.refusal(&fill(1, "A", side, &count.to_string(), "1", &leg)), None);
    }
    for number in 0..count * 2 {
        let (side, leg) = if number % 2 == 0 { ("sell", "long") } else { ("buy", "short") };
        let line = order(number, side, "1", &format!(r#","position_side":"{leg}""#));
        assert_eq!(script.refusal(&line), None, "{line}");
    }
    for (side, leg) in [("sell", "long"), ("buy", "short")] {
        // One more than there is: the other leg gains one, whose orders stay.
        let leg = format!(r#","position_side":"{leg}""#);
        let (events, _) = script.say(&fill(1, "A", side, &(count + 1).to_string(), "1", &leg));
        assert_eq!(events.matches(r#""ev":"order_cut""#).count() as u64, count, "{side}");
    }
    script.balances();
}

/// Corrections of legs over and over at prices 2^62 apart.
#[test]
fn corrections_far_beyond_every_limit_are_still_exact() {
    let hedge = r#"{"op":"account","account":1,"positions":"hedge"}"#.to_owned();
    let mut script = Script::new(&[asset(0), LARGEST.into(), hedge, deposit(1), deposit(2)]);
    let most = MOST.to_string();
    let correct = |op: &str, side: &str, price: &str, more: &str| {
        format!(
            r#"{{"op":"{op}","corrects":1,"reason":"r","principal":"p","account":1,"symbol":"A","side":"{side}","qty":"1","price":"{price}","position_side":"long","counterparty":2{more}}}"#
        )
    };
    for _ in 0..300 {
        for line in [
            correct("reprice", "buy", "1", &format!(r#","to":"{most}""#)),
            correct("bust", "sell", &most, &format!(r#","fee":"-{most}","counter_fee":"{most}""#)),
            correct("bust", "buy", "1", ""),
        ] {
            let (_, refusal) = script.say(&line);
            assert_eq!(refusal, None, "{line}");
        }
    }
    script.balances();
    assert_eq!(script.refusal(ACCOUNT), None);
    assert_eq!(script.refusal(&format!(r#"{{"op":"mark","symbol":"A","price":"{most}"}}"#)), None);
    script.balances();
    let line = correct("bust", "sell", &most, "").replace(r#""qty":"1""#, &format!(r#""qty":"{most}""#));
    assert_eq!(script.refusal(&line), Some(Code::Overflow));
}
