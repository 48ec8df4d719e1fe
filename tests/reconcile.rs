//! Reconciliation: ledgers that agree, and each way in which one may not; digests by range; what is not a ledger is refused with its line.

mod exec_scripts;
mod program;

use program::{succeed, terrace};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fs;
use tempfile::TempDir;
use terrace::protocol::Session;
use terrace::protocol::reconcile::{
    Broken, Digester, LedgerReader, Range, RangeDigest, Reconciliation, Rows, differing, digests, ranges, read_digests,
    reconcile,
};
use terrace::{Overview, Settings};
use xxhash_rust::xxh3::xxh3_64;

/// One-way, hedged and isolated positions, money put aside, an account with nothing, and one under an operator's mode.
const BOOKS: &str = r#"{"op":"asset","asset":"USDT","decimals":8}
{"op":"asset","asset":"BTC","decimals":8}
{"op":"instrument","symbol":"P","kind":"linear_perp","underlying":"BTC","settle":"USDT","tick":"0.1","lot":"0.001","tiers":[{"cap":"150000","mmr":"0.004","max_leverage":125}]}
{"op":"instrument","symbol":"I","kind":"inverse_perp","underlying":"BTC","settle":"BTC","tick":"0.5","lot":"1","multiplier":"100","tiers":[{"cap":"100","mmr":"0.004","max_leverage":100}]}
{"op":"mark","symbol":"P","price":"100000"}
{"op":"mark","symbol":"I","price":"100000"}
{"op":"account","account":20,"positions":"hedge"}
{"op":"deposit","account":3,"asset":"USDT","amount":"1000.5"}
{"op":"deposit","account":100,"asset":"USDT","amount":"5000"}
{"op":"deposit","account":100,"asset":"BTC","amount":"2"}
{"op":"deposit","account":20,"asset":"USDT","amount":"7000"}
{"op":"deposit","account":9,"asset":"USDT","amount":"1"}
{"op":"withdraw","account":9,"asset":"USDT","amount":"1"}
{"op":"deposit","account":18446744073709551615,"asset":"BTC","amount":"0.25"}
{"op":"hold","account":100,"hold":1,"asset":"USDT","amount":"10"}
{"op":"hold","account":100,"hold":2,"asset":"USDT","amount":"2.5"}
{"op":"leverage","account":3,"symbol":"P","leverage":100}
{"op":"margin_mode","account":3,"symbol":"P","mode":"isolated"}
{"op":"fill","account":3,"counterparty":100,"symbol":"P","side":"buy","qty":"0.1","price":"100000"}
{"op":"fill","account":20,"symbol":"P","side":"buy","qty":"0.02","price":"100000","position_side":"long"}
{"op":"fill","account":20,"symbol":"P","side":"sell","qty":"0.005","price":"100000","position_side":"short"}
{"op":"fill","account":100,"symbol":"I","side":"sell","qty":"30","price":"100000"}
{"op":"mode","account":20,"mode":"halted"}
"#;

/// The same by hand, in canonical form.
const ROWS: &str = "3,balance,USDT,,900.5
3,margin,P,long,100
3,position,P,long,0.1
20,balance,USDT,,7000
20,position,P,long,0.02
20,position,P,short,0.005
100,balance,BTC,,2
100,balance,USDT,,4987.5
100,held,USDT,,12.5
100,position,I,short,30
100,position,P,short,0.1
18446744073709551615,balance,BTC,,0.25
";

fn books(shards: u32) -> Session {
    session(BOOKS, shards)
}

fn session(script: &str, shards: u32) -> Session {
    let mut session = Session::new(Settings { shards, ..Settings::default() });
    let mut out = String::new();
    for line in script.lines() {
        let _ = session.line(line.as_bytes(), &mut out);
    }
    session
}

/// What the accounts have, in canonical form.
fn rows(overview: Overview<'_>, costs: bool) -> String {
    let mut text = String::new();
    let Ok(()) = overview.for_each_statement(|statement| {
        Rows::of(overview.market(), statement, costs).text(&mut text);
        Ok::<(), Infallible>(())
    });
    text
}

/// What was found, each break as a line, and the commands that follow.
struct Found {
    all: Reconciliation,
    lines: String,
    modes: String,
}

fn against(overview: Overview<'_>, ledger: &str, count: usize, costs: bool) -> Result<Found, String> {
    let (mut lines, mut modes) = (String::new(), String::new());
    let mut reader = LedgerReader::new("ledger", ledger.as_bytes(), costs);
    let ranges = ranges(&overview.accounts(), count);
    let all = reconcile(overview, &mut reader, (ranges, None), |broken: &Broken<'_>| {
        broken.lines(&mut lines);
        broken.mode_line(&mut modes);
        Ok::<(), Infallible>(())
    });
    all.map(|all| Found { all, lines, modes }).map_err(|error| error.to_string())
}

#[test]
fn rows_are_what_a_ledger_would_write() {
    for shards in [1, 3, 8] {
        assert_eq!(rows(books(shards).kernel().overview(), false), ROWS, "{shards} shards");
    }
    let with_costs = rows(books(1).kernel().overview(), true);
    assert!(with_costs.contains("3,balance,USDT,,900.5\n3,cost,P,long,10000\n3,margin,P,long,100\n"), "{with_costs}");
    assert!(with_costs.contains("100,cost,I,short,0.03\n100,cost,P,short,-10000\n"), "{with_costs}");
    assert_eq!(
        with_costs.lines().filter(|row| !row.contains("cost")).collect::<Vec<_>>(),
        ROWS.lines().collect::<Vec<_>>()
    );
}

/// The digests by hand: over the bytes of the rows, split where the ranges say.
#[test]
fn digests_are_those_of_the_rows() {
    for shards in [1, 2, 5] {
        let session = books(shards);
        let overview = session.kernel().overview();
        let ids = overview.accounts();
        assert_eq!(ids, [3, 9, 20, 100, u64::MAX]);
        for count in [1, 2, 3, 5, 100] {
            let asked = ranges(&ids, count);
            assert_eq!(asked.len(), count.min(5));
            assert_eq!((asked[0].first, asked[asked.len() - 1].last), (0, u64::MAX));
            assert!(asked.windows(2).all(|pair| pair[0].last + 1 == pair[1].first));
            let expected: Vec<RangeDigest> = asked
                .iter()
                .map(|&range| {
                    let account = |row: &str| row.split(',').next().unwrap().parse::<u64>().unwrap();
                    let own: Vec<&str> =
                        ROWS.split_inclusive('\n').filter(|row| range.contains(account(row))).collect();
                    let accounts = own.iter().map(|row| account(row)).collect::<BTreeSet<_>>().len() as u64;
                    RangeDigest { range, accounts, rows: own.len() as u64, digest: xxh3_64(own.concat().as_bytes()) }
                })
                .collect();
            let found = digests(overview, asked, false);
            assert_eq!(found, expected, "{count} ranges");
            let mut text = String::new();
            found.iter().for_each(|digest| digest.line(&mut text));
            assert_eq!(read_digests(&text).unwrap(), found);
        }
    }
    // As anybody can compute it: `printf '' | xxhsum -H3`, and over the rows above.
    let nobody = digests(session("", 1).kernel().overview(), ranges(&[], 7), false);
    assert_eq!(nobody.len(), 1);
    assert_eq!(nobody[0].digest, 0x2d06_8005_38d3_94c2);
}

/// Every script of `exec`: what it comes to agrees with itself, and with a ledger made of the answers to `get account`.
#[test]
fn every_script_agrees_with_its_own_answers() {
    let mut compared = 0;
    for file in exec_scripts::scripts() {
        let script = fs::read_to_string(&file).unwrap();
        let mut session = session(&script, 1);
        let accounts = session.kernel().overview().accounts();
        let text = rows(session.kernel().overview(), true);
        let found = against(session.kernel().overview(), &text, 4, true).unwrap();
        assert_eq!(found.lines, "", "{}", file.display());
        assert!(found.all.ranges.iter().all(|range| range.is_equal()));
        let mut held: BTreeMap<u64, BTreeMap<String, String>> = BTreeMap::new();
        for row in text.lines().map(|row| row.split(',').collect::<Vec<_>>()).filter(|row| row[1] == "held") {
            held.entry(row[0].parse().unwrap()).or_default().insert(row[2].to_owned(), row[4].to_owned());
        }
        let mut ledger = String::new();
        for account in accounts {
            let mut said = String::new();
            let question = format!(r#"{{"op":"get","what":"account","account":{account}}}"#);
            session.line(question.as_bytes(), &mut said).unwrap();
            let said: serde_json::Value = serde_json::from_str(&said).unwrap();
            let positions = said["positions"].as_array().unwrap().iter().map(|at| {
                serde_json::json!({"symbol": at["symbol"], "side": at["side"], "qty": at["qty"], "margin": at["margin"]})
            });
            let positions: Vec<serde_json::Value> = positions.collect();
            compared += positions.len();
            let held = held.remove(&account).unwrap_or_default();
            let line = serde_json::json!({"account": account, "balances": said["balances"], "positions": positions, "held": held});
            ledger += &format!("{line}\n");
        }
        let found = against(session.kernel().overview(), &ledger, 3, false).unwrap();
        assert_eq!(found.lines, "", "{}", file.display());
        assert_eq!((found.all.broken, found.all.breaks), (0, 0));
    }
    assert!(compared > 50, "{compared} positions");
}

/// One thing at a time is other in the ledger.
#[test]
fn each_kind_of_break_is_named() {
    let session = books(2);
    let overview = session.kernel().overview();
    let reduce = |account: u64| format!("{{\"op\":\"mode\",\"account\":{account},\"mode\":\"reduce_only\"}}\n");
    let broken =
        |lines: &[&str]| lines.iter().map(|line| format!("{{\"what\":\"break\",{line}}}\n")).collect::<String>();
    let table: &[(&str, &str, &[&str], &str)] = &[
        (
            "3,balance,USDT,,900.5",
            "3,balance,USDT,,900.50000001",
            &[r#""account":3,"kind":"balance","asset":"USDT","ours":"900.5","theirs":"900.50000001""#],
            &reduce(3),
        ),
        // Finer than a quantum.
        (
            "3,balance,USDT,,900.5",
            "3,balance,USDT,,900.500000001",
            &[r#""account":3,"kind":"balance","asset":"USDT","ours":"900.5","theirs":"900.500000001""#],
            &reduce(3),
        ),
        (
            "3,balance,USDT,,900.5",
            "3,balance,USDT,,-900.5",
            &[r#""account":3,"kind":"balance","asset":"USDT","ours":"900.5","theirs":"-900.5""#],
            &reduce(3),
        ),
        (
            "3,margin,P,long,100\n",
            "",
            &[r#""account":3,"kind":"margin","symbol":"P","side":"long","ours":"100","theirs":null"#],
            &reduce(3),
        ),
        (
            "100,position,P,short",
            "100,position,P,long",
            &[
                r#""account":100,"kind":"position","symbol":"P","side":"long","ours":null,"theirs":"0.1""#,
                r#""account":100,"kind":"position","symbol":"P","side":"short","ours":"0.1","theirs":null"#,
            ],
            &reduce(100),
        ),
        (
            "100,held,USDT,,12.5",
            "100,held,USDT,,10",
            &[r#""account":100,"kind":"held","asset":"USDT","ours":"12.5","theirs":"10""#],
            &reduce(100),
        ),
        // A leg of an account that an operator has halted: it stays so.
        (
            "20,position,P,short,0.005",
            "20,position,P,short,0.006",
            &[r#""account":20,"kind":"position","symbol":"P","side":"short","ours":"0.005","theirs":"0.006""#],
            "",
        ),
        // The ledger does not know an account, knows one more, or something that the kernel does not.
        (
            "18446744073709551615,balance,BTC,,0.25\n",
            "",
            &[r#""account":18446744073709551615,"kind":"balance","asset":"BTC","ours":"0.25","theirs":null"#],
            &reduce(u64::MAX),
        ),
        (
            "20,balance",
            "19,balance,USDT,,5\n20,balance",
            &[r#""account":19,"kind":"balance","asset":"USDT","ours":null,"theirs":"5""#],
            "",
        ),
        (
            "20,balance",
            "9,balance,USDT,,5\n20,balance",
            &[r#""account":9,"kind":"balance","asset":"USDT","ours":null,"theirs":"5""#],
            &reduce(9),
        ),
        (
            "3,balance,USDT",
            "3,balance,DOGE,,7\n3,balance,USDT",
            &[r#""account":3,"kind":"balance","asset":"DOGE","ours":null,"theirs":"7""#],
            &reduce(3),
        ),
        (
            "3,position,P,long,0.1\n",
            "3,position,P,long,0.1\n3,position,Q,short,1\n",
            &[r#""account":3,"kind":"position","symbol":"Q","side":"short","ours":null,"theirs":"1""#],
            &reduce(3),
        ),
        // None of these is any.
        ("3,balance,USDT,,900.5", "3,balance,USDT,,0900.500", &[], ""),
        ("3,balance,USDT,,900.5\n3,margin,P,long,100\n", "3,margin,P,long,100\n\n3,balance,USDT,,900.5\n", &[], ""),
        ("20,balance", "19,balance,USDT,,0\n20,balance", &[], ""),
        ("3,balance,USDT,,900.5", "account,kind,name,side,amount\r\n3,balance,USDT,,900.5\r", &[], ""),
    ];
    for (from, to, lines, modes) in table {
        let ledger = ROWS.replacen(from, to, 1);
        assert_ne!(ledger, ROWS, "{from}");
        let found = against(overview, &ledger, 3, false).unwrap_or_else(|error| panic!("{to}: {error}"));
        assert_eq!(found.lines, broken(lines), "{to}");
        assert_eq!(found.modes, *modes, "{to}");
        assert_eq!(found.all.breaks, lines.len() as u64);
        assert_eq!(found.all.broken, u64::from(!lines.is_empty()));
        let differ = found.all.ranges.iter().filter(|range| !range.is_equal()).count();
        assert_eq!(differ, usize::from(!lines.is_empty()), "{to}: one range differs, if any");
    }
    let found = against(overview, "", 3, false).unwrap();
    assert_eq!((found.all.broken, found.all.breaks), (4, ROWS.lines().count() as u64));
}

/// Costs are compared where that is asked for.
/// Who is in the ledger alone, behind the last account of the kernel.
#[test]
fn a_ledger_may_have_more_accounts_behind_the_last() {
    let books: String =
        BOOKS.lines().filter(|line| !line.contains("18446744073709551615")).map(|line| format!("{line}\n")).collect();
    let session = session(&books, 3);
    let own = rows(session.kernel().overview(), false);
    assert_eq!(against(session.kernel().overview(), &own, 4, false).unwrap().all.breaks, 0);
    let ledger = format!("{own}101,balance,USDT,,5\n7000,balance,BTC,,1\n7000,position,P,long,0.1\n");
    let found = against(session.kernel().overview(), &ledger, 4, false).unwrap();
    assert_eq!((found.all.broken, found.all.breaks), (2, 3), "{}", found.lines);
    let named = |account: u64| found.lines.lines().filter(|line| line.contains(&format!("{account}"))).count();
    assert_eq!((named(101), named(7_000)), (1, 2), "{}", found.lines);
    assert_eq!(found.modes, "", "the kernel does not know them");
}

#[test]
fn costs_are_compared_if_asked_for() {
    let session = books(1);
    let overview = session.kernel().overview();
    let ledger = rows(overview, true);
    assert_eq!(against(overview, &ledger, 2, true).unwrap().lines, "");
    let found = against(overview, &ledger.replace("cost,P,long,10000", "cost,P,long,9999.99"), 2, true).unwrap();
    assert!(
        found
            .lines
            .contains(r#""account":3,"kind":"cost","symbol":"P","side":"long","ours":"10000","theirs":"9999.99""#)
    );
    let refused = against(overview, &ledger, 2, false).err().unwrap();
    assert!(refused.starts_with("ledger:2: what a position cost is compared only where"), "{refused}");
}

/// The commands do what they are for.
#[test]
fn broken_accounts_take_only_orders_that_reduce() {
    let mut session = books(1);
    let found = against(session.kernel().overview(), &ROWS.replace("900.5", "900"), 3, false).unwrap();
    let mut said = String::new();
    for line in found.modes.lines() {
        session.line(line.as_bytes(), &mut said).unwrap();
    }
    assert!(said.contains(r#""mode":"reduce_only""#), "{said}");
    said.clear();
    let order = r#"{"op":"order","account":3,"order":1,"symbol":"P","side":"buy","qty":"0.001","price":"100000"}"#;
    assert!(session.line(order.as_bytes(), &mut said).is_err());
    assert!(said.contains(r#""code":"reduce_only""#), "{said}");
}

/// Whatever rows are other: those are told, and no others; and the ranges that differ are those of their accounts.
#[test]
fn random_ledgers_break_where_they_were_changed() {
    let session = books(3);
    let overview = session.kernel().overview();
    let all: Vec<&str> = ROWS.lines().collect();
    proptest!(ProptestConfig { failure_persistence: None, cases: 300, ..ProptestConfig::default() }, |(
        changes in prop::collection::btree_map(0..all.len(), 0..3u8, 0..5),
        count in 1..8usize,
    )| {
        let mut expected = BTreeSet::new();
        let mut ledger = String::new();
        for (at, row) in all.iter().enumerate() {
            let (key, amount) = row.rsplit_once(',').unwrap();
            let other = match changes.get(&at) {
                None => format!("{row}\n"),
                Some(0) => String::new(),
                Some(1) => format!("{key},{amount}1\n"),
                Some(_) => format!("{key},0\n"),
            };
            if changes.contains_key(&at) {
                expected.insert(key.to_owned());
            }
            ledger += &other;
        }
        let mut found = BTreeSet::new();
        let asked = ranges(&overview.accounts(), count);
        let mut reader = LedgerReader::new("ledger", ledger.as_bytes(), false);
        let result = reconcile(overview, &mut reader, (asked.clone(), None), |broken: &Broken<'_>| {
            for at in &broken.breaks {
                found.insert(format!("{},{},{},{}", broken.account, at.key.kind.as_str(), at.key.name, at.key.side));
            }
            Ok::<(), Infallible>(())
        }).unwrap();
        // An amount of 7000 and one of 70001 are two; one of 0.25 and 0.251 too.
        prop_assert_eq!(&found, &expected);
        let accounts: BTreeSet<u64> = expected.iter().map(|key| key.split(',').next().unwrap().parse().unwrap()).collect();
        for compared in &result.ranges {
            let touched = accounts.iter().any(|&account| compared.ours.range.contains(account));
            prop_assert_eq!(compared.is_equal(), !touched);
        }
        // By digests first: only what lies in ranges that differ is looked at, with the same breaks.
        let theirs: Vec<RangeDigest> = result.ranges.iter().map(|compared| compared.theirs).collect();
        let within: Vec<Range> = differing(&digests(overview, asked.clone(), false), &theirs);
        let cut: String = ledger.split_inclusive('\n').filter(|row| {
            let account = row.split(',').next().unwrap().parse().unwrap();
            within.iter().any(|range| range.contains(account))
        }).collect();
        let mut again = 0;
        let mut reader = LedgerReader::new("ledger", cut.as_bytes(), false);
        reconcile(overview, &mut reader, (asked, Some(&within)), |broken: &Broken<'_>| {
            again += broken.breaks.len();
            Ok::<(), Infallible>(())
        }).unwrap();
        prop_assert_eq!(again, expected.len());
    });
}

#[test]
fn what_is_no_ledger_is_refused_with_its_line() {
    let session = books(1);
    let table = [
        ("3,balance,USDT,,1,2", "ledger:1: a row has the five fields account,kind,name,side,amount, not 6"),
        ("\n\n3,balance,USDT", "ledger:3: a row has the five fields account,kind,name,side,amount, not 3"),
        ("x,balance,USDT,,1", "ledger:1: account must be an unsigned 64-bit integer, not \"x\""),
        ("-3,balance,USDT,,1", "ledger:1: account must be an unsigned 64-bit integer, not \"-3\""),
        (
            "18446744073709551616,balance,USDT,,1",
            "ledger:1: account must be an unsigned 64-bit integer, not \"18446744073709551616\"",
        ),
        ("3,money,USDT,,1", "ledger:1: kind must be one of balance, cost, held, margin, position, not \"money\""),
        ("3,balance,US DT,,1", "ledger:1: a name must be 1 to "),
        ("3,balance,,,1", "ledger:1: a name must be 1 to "),
        ("3,balance,USDT,long,1", "ledger:1: a balance has no side, and not \"long\""),
        ("3,position,P,,1", "ledger:1: the side of a position must be long or short, not \"\""),
        ("3,position,P,long,-1", "ledger:1: the quantity of a position must not be negative, as -1 is"),
        ("3,balance,USDT,,1e3", "ledger:1: the amount must be a decimal in a string"),
        ("3,balance,USDT,,\"1\"", "ledger:1: the amount must be a decimal in a string"),
        ("3,balance,USDT,,1111111111111111111111111111111111111", "ledger:1: the amount must be a decimal in a string"),
        ("3,balance,USDT,,1\n3,balance,USDT,,1", "ledger:2: account 3 has a second balance of USDT"),
        ("3,position,P,long,1\n3,position,P,long,0", "ledger:2: account 3 has a second position of P long"),
        ("3,balance,USDT,,1\n2,balance,USDT,,1", "ledger:2: account 2 comes after 3: ids must rise"),
        ("3,balance,USDT,,1\n4,held,USDT,,1\n3,held,USDT,,1", "ledger:3: account 3 comes after 4: ids must rise"),
        ("3,balance,USDT,,1\n{\"account\":4}", "ledger:2: a row has the five fields"),
        ("{\"account\":4}\n3,balance,USDT,,1", "ledger:2: the line is not JSON"),
        ("{\"account\":4}\n{\"account\":4}", "ledger:2: account 4 comes after 4: ids must rise"),
        ("{\"balances\":{}}", "ledger:1: the field \"account\" is missing"),
        ("{\"account\":1,\"balances\":[]}", "ledger:1: balances must be an object of amounts by asset, not a list"),
        ("{\"account\":1,\"balances\":{\"USDT\":1.5}}", "ledger:1: the amount must be a decimal in a string"),
        (
            "{\"account\":1,\"balances\":{\"A\":1,\"A\":1}}",
            "ledger:1: the line is not JSON: the field \"A\" is given twice",
        ),
        (
            "{\"account\":1,\"orders\":[]}",
            "ledger:1: the field \"orders\" is not one of account, balances, held, positions",
        ),
        ("{\"account\":1,\"positions\":[7]}", "ledger:1: each of positions must be an object, not 7"),
        (
            "{\"account\":1,\"positions\":[{\"symbol\":\"P\",\"side\":\"up\",\"qty\":\"1\"}]}",
            "ledger:1: the side of a position must be long or short, not \"up\"",
        ),
        (
            "{\"account\":1,\"positions\":[{\"symbol\":\"P\",\"side\":\"long\"}]}",
            "ledger:1: the field \"qty\" is missing",
        ),
        (
            "{\"account\":1,\"positions\":[{\"symbol\":\"P\",\"side\":\"long\",\"qty\":\"1\"},{\"symbol\":\"P\",\"side\":\"long\",\"qty\":\"1\"}]}",
            "ledger:1: account 1 has a second position of P long",
        ),
        ("{\"account\":1", "ledger:1: the line is not JSON"),
    ];
    for (ledger, expected) in table {
        let refused = against(session.kernel().overview(), ledger, 2, false).err();
        let refused = refused.unwrap_or_else(|| panic!("{ledger} is taken"));
        assert!(refused.starts_with(expected), "{ledger}: {refused}");
    }
    let mut latin = LedgerReader::new("ledger", &b"3,balance,\xE9,,1"[..], false);
    assert!(latin.account().err().unwrap().to_string().starts_with("ledger:1: the line is not UTF-8"));
    let long = "7".repeat(17 << 20);
    let mut long = LedgerReader::new("ledger", long.as_bytes(), false);
    assert_eq!(long.account().err().unwrap().to_string(), "ledger:1: the line is longer than 16777216 bytes");
    let many: String = (0..=1 << 16).map(|n| format!("3,balance,A{n},,1\n")).collect();
    let mut many = LedgerReader::new("ledger", many.as_bytes(), false);
    assert_eq!(many.account().err().unwrap().to_string(), "ledger:65537: account 3 has more than 65536 rows");
}

#[test]
fn what_are_no_digests_is_refused_with_its_line() {
    let digest = |first: u64, last: u64| {
        format!("{{\"first\":{first},\"last\":{last},\"accounts\":0,\"rows\":0,\"digest\":\"2d06800538d394c2\"}}\n")
    };
    let (all, most) = (digest(0, u64::MAX), u64::MAX);
    assert_eq!(read_digests(&all).unwrap().len(), 1);
    assert_eq!(read_digests(&(digest(0, 4) + "\n" + &digest(5, most))).unwrap().len(), 2);
    let table = [
        (String::new(), 0, "the ranges end before"),
        (digest(0, 4), 1, "the ranges end before"),
        (digest(1, most), 1, "the range from 1 to 18446744073709551615 is not the next: one from 0 on is"),
        (
            digest(0, 4) + &digest(6, most),
            2,
            "the range from 6 to 18446744073709551615 is not the next: one from 5 on is",
        ),
        (digest(0, 4) + &digest(5, 3), 2, "the range from 5 to 3 is not the next"),
        (all.clone() + &digest(0, 1), 2, "the range from 0 to 1 is not the next: no further one is"),
        (all.replace("2d06", "2d0g"), 1, "digest must be 16 hexadecimal digits"),
        (all.replace("2d06", "+d06"), 1, "digest must be 16 hexadecimal digits"),
        (all.replace("\"rows\":0,", ""), 1, "the field \"rows\" is missing"),
        (all.replace("rows", "lines"), 1, "the field \"lines\" is not one of"),
    ];
    for (text, line, what) in table {
        let (at, refused) = read_digests(&text).unwrap_err();
        assert_eq!(at, line, "{text}: {refused}");
        assert!(refused.starts_with(what), "{text}: {refused}");
    }
}

/// Rows that come by accounts fill the ranges that they pass over.
#[test]
fn ranges_without_accounts_have_the_digest_of_nothing() {
    let cut: Vec<Range> =
        [(0, 1), (2, 8), (9, 99), (100, u64::MAX)].map(|(first, last)| Range { first, last }).to_vec();
    let nothing = Digester::new(cut.clone()).finish();
    assert!(nothing.iter().all(|range| range.digest == xxh3_64(b"") && range.rows == 0));
    let session = books(1);
    let found = digests(session.kernel().overview(), cut, false);
    assert_eq!(found.iter().map(|range| range.rows).collect::<Vec<_>>(), [0, 3, 3, 6]);
    assert_eq!(found.iter().map(|range| range.accounts).collect::<Vec<_>>(), [0, 1, 1, 2]);
}

/// The program, from the journal of a primary to the commands that are sent to it.
#[test]
fn the_program_reconciles_a_journal() {
    let home = TempDir::new().unwrap();
    let root = home.path();
    fs::write(root.join("books.jsonl"), BOOKS).unwrap();
    succeed(&terrace(root, &["exec", "books.jsonl", "--journal", "journal"]));
    fs::write(root.join("equal.csv"), succeed(&terrace(root, &["digest", "journal", "--rows"]))).unwrap();
    assert_eq!(fs::read_to_string(root.join("equal.csv")).unwrap(), ROWS);
    let equal = succeed(&terrace(root, &["reconcile", "journal", "--ledger", "equal.csv", "--ranges", "3"]));
    assert_eq!(equal, "ranges      3, 0 of them differ\n");
    let told = succeed(&terrace(root, &["digest", "journal", "--ranges", "2", "--shards", "3"]));
    fs::write(root.join("told.jsonl"), &told).unwrap();
    assert_eq!(told.lines().count(), 2);
    succeed(&terrace(root, &["snapshot", "journal"]));
    succeed(&terrace(root, &["reconcile", "journal", "--digests", "told.jsonl"]));

    fs::write(root.join("other.csv"), ROWS.replace("900.5", "900").replace("100,held,USDT,,12.5\n", "")).unwrap();
    let flags = ["--ledger", "other.csv", "--ranges", "5", "--json", "breaks.jsonl", "--modes", "modes.jsonl"];
    let broken = terrace(root, &[&["reconcile", "journal"][..], &flags].concat());
    assert_eq!(broken.status.code(), Some(1));
    let complaint = String::from_utf8(broken.stderr).unwrap();
    assert!(complaint.ends_with("terrace: 2 accounts differ from the ledger, in 2 rows\n"), "{complaint}");
    let said = String::from_utf8(broken.stdout).unwrap();
    assert!(said.contains("break       account 3: balance USDT: 900.5 here, 900 in the ledger\n"), "{said}");
    assert!(said.contains("break       account 100: held USDT: 12.5 here, none in the ledger\n"), "{said}");
    let lines = fs::read_to_string(root.join("breaks.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().filter(|line| line["what"] == "break").count(), 2);
    assert_eq!(lines.iter().filter(|line| line["what"] == "range").count(), 5);
    assert_eq!(lines.last().unwrap()["breaks"], 2);
    let done = succeed(&terrace(root, &["exec", "modes.jsonl", "--journal", "journal", "--strict"]));
    assert_eq!(done.lines().filter(|line| line.contains("reduce_only")).count(), 2, "{done}");

    // The ledger's digests are of before: one range differs by them, and the rows of that alone are asked for.
    fs::write(root.join("more.jsonl"), r#"{"op":"deposit","account":3,"asset":"USDT","amount":"1"}"#).unwrap();
    succeed(&terrace(root, &["exec", "more.jsonl", "--journal", "journal", "--strict"]));
    let broken = terrace(root, &["reconcile", "journal", "--digests", "told.jsonl"]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&broken.stdout).contains("range       0 to "), "{broken:?}");
    let first: String = ROWS.lines().filter(|row| row.starts_with("3,")).map(|row| format!("{row}\n")).collect();
    fs::write(root.join("first.csv"), first).unwrap();
    let broken = terrace(root, &["reconcile", "journal", "--digests", "told.jsonl", "--ledger", "first.csv"]);
    let said = String::from_utf8(broken.stdout).unwrap();
    assert!(said.contains("break       account 3: balance USDT: 901.5 here, 900.5 in the ledger\n"), "{said}");
    assert_eq!(said.matches("break  ").count(), 1, "{said}");

    for (flags, complaint) in [
        (&["reconcile", "nothing", "--ledger", "equal.csv"][..], "nothing"),
        (&["reconcile", "journal", "--ledger", "missing.csv"], "cannot open missing.csv"),
        (&["reconcile", "journal", "--ledger", "told.jsonl"], "told.jsonl:1: the field \"first\" is not one of"),
        (&["reconcile", "journal", "--digests", "equal.csv"], "equal.csv:1: the line is not JSON"),
        (&["reconcile", "journal", "--ledger", "equal.csv", "--json", "no/where"], "cannot create no/where"),
    ] {
        let refused = terrace(root, flags);
        assert_eq!(refused.status.code(), Some(1), "{flags:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(complaint), "{refused:?}");
    }
    assert_eq!(terrace(root, &["reconcile", "journal"]).status.code(), Some(2), "nothing to compare with");
}
