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
