//! A table of hostile lines, each with its answer: `tests/bad_input/lines.txt`, over what `before.jsonl` sets up. None changes anything.
//!
//! `TERRACE_BLESS=1` writes the answers anew; a line that is accepted belongs elsewhere.

use std::fmt::Write as _;
use std::{env, fs};
use terrace::protocol::Session;
use terrace::{Settings, Strategy};

const BEFORE: &str = include_str!("bad_input/before.jsonl");
const LINES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bad_input/lines.txt");

/// At least so many are promised.
const PROMISED: usize = 150;

/// Commands that go on afterwards: fills, breaches, orders, a funding, repeats.
const AFTER: &str = r#"{"op":"fill","account":1,"symbol":"P","side":"sell","qty":"0.1","price":"101","order":1,"counterparty":2,"ts":2000000000}
{"op":"deposit","account":2,"asset":"U","amount":"1","source":"desk","client_seq":1,"ack":true}
{"op":"deposit","account":2,"asset":"U","amount":"1","source":"desk","client_seq":3,"ack":true}
{"op":"commit","account":2,"hold":9}
{"op":"order","account":2,"order":3,"symbol":"P","side":"buy","qty":"0.5","price":"99"}
{"op":"mark","symbol":"P","price":"55"}
{"op":"liq_expire","liquidation":1}
{"op":"liq_expire","liquidation":2}
{"op":"mark","symbol":"Q","price":"70"}
{"op":"index","symbol":"N","price":"10","venue":"x"}
{"op":"funding","symbol":"P","rate":"0.001"}"#;

/// Says a line; the answer, and whether it was refused.
fn say(session: &mut Session, line: &str) -> (String, bool) {
    let mut said = String::new();
    let refused = session.line(line.as_bytes(), &mut said).is_err();
    (said, refused)
}

fn begun(strategy: Strategy) -> Session {
    let mut session = Session::new(Settings { strategy, ..Settings::default() });
    for line in BEFORE.lines() {
        let (said, refused) = say(&mut session, line);
        assert!(!refused, "{line}: {said}");
    }
    session
}

/// All that can be asked; lines are numbered alike, so that states are equal where the texts are.
fn state(session: &mut Session) -> String {
    let mut questions = Vec::new();
    for account in 1..=6 {
        questions.push(format!(r#"{{"op":"get","what":"account","account":{account}}}"#));
    }
    for symbol in ["P", "Q", "I", "H", "N"] {
        questions.push(format!(r#"{{"op":"get","what":"instrument","symbol":"{symbol}"}}"#));
        questions.push(format!(r#"{{"op":"get","what":"ladder","symbol":"{symbol}"}}"#));
        for side in ["long", "short"] {
            questions.push(format!(r#"{{"op":"get","what":"adl_queue","symbol":"{symbol}","side":"{side}"}}"#));
        }
    }
    for fund in ["U", "V", "F"] {
        questions.push(format!(r#"{{"op":"get","what":"fund","fund":"{fund}"}}"#));
    }
    questions.extend(["totals", "health"].map(|what| format!(r#"{{"op":"get","what":"{what}"}}"#)));
    let mut all = String::new();
    for question in questions {
        session.number_next_line(0);
        let _ = writeln!(all, "{}", say(session, &question).0.trim_end());
    }
    all
}

/// The answer as the table has it: `code: reason`.
fn answer(said: &str) -> String {
    let event: serde_json::Value = serde_json::from_str(said.lines().next().expect("an answer")).expect("JSON");
    assert_eq!(event["ev"], "rejected", "{said}");
    format!("{}: {}", event["code"].as_str().expect("a code"), event["reason"].as_str().expect("a reason"))
}

#[test]
fn every_line_is_refused_for_its_reason_and_changes_nothing() {
    let mut sessions = [Strategy::Bands, Strategy::Dense].map(begun);
    let before = state(&mut sessions[0]);
    let table = fs::read_to_string(LINES).expect("the table");
    let (mut blessed, mut count, mut wrong) = (String::new(), 0, String::new());
    let mut entries = table.lines().peekable();
    while let Some(line) = entries.next() {
        let _ = writeln!(blessed, "{line}");
        if line.is_empty() || line.starts_with("# ") {
            continue;
        }
        let expected = entries.next_if(|next| next.starts_with("  ")).map(str::trim_start);
        count += 1;
        for session in &mut sessions {
            session.number_next_line(1_000);
        }
        let [(said, refused), (also, _)] = sessions.each_mut().map(|session| say(session, line));
        assert!(refused, "accepted: {line}\n{said}");
        assert_eq!(said, also);
        let answer = answer(&said);
        let _ = writeln!(blessed, "  {answer}");
        if expected != Some(&answer) {
            let _ = writeln!(wrong, "{line}\n  is {answer}\n  should be {}", expected.unwrap_or("in the table"));
        }
        assert_eq!(state(&mut sessions[0]), before, "{line} has changed something");
    }
    if env::var_os("TERRACE_BLESS").is_some() {
        fs::write(LINES, blessed).expect("the table can be written");
    } else {
        assert!(wrong.is_empty(), "{wrong}");
    }
    println!("{count} lines");
    assert!(count >= PROMISED);

    // What comes after is what comes to who never saw them.
    let mut spared = begun(Strategy::Bands);
    for (number, line) in (2_000..).zip(AFTER.lines()) {
        spared.number_next_line(number);
        let expected = say(&mut spared, line);
        for session in &mut sessions {
            session.number_next_line(number);
            assert_eq!(say(session, line), expected, "{line}");
        }
    }
    assert_eq!(state(&mut sessions[0]), state(&mut spared));
}
