//! `terrace replay` as a library: determinism, populations, shocks, imports, and what is said of bad input.

use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;
use terrace::Strategy;
use terrace::engine::{Layout, Pinning};
use terrace::replay::{Data, Driver, Outcome, Population, ReplayError, Settings, Shock, Venue, from_journal, run};
use terrace::ticks::Input;

const SECOND: u64 = 1_000_000_000;

/// A short crash on BTCUSDT, early in the embedded data.
fn crash() -> Vec<Shock> {
    vec!["BTCUSDT:-12%@1s/3s".parse().unwrap()]
}

fn small(accounts: u64, seed: u64) -> Settings {
    Settings {
        population: Population::Generated { accounts, seed, hedge_percent: 0, inverse_percent: 0 },
        shocks: crash(),
        ..Settings::default()
    }
}

/// A part of the instruments inverse, a tenth of the accounts in hedge mode, and marks that the kernel computes.
fn mixed(accounts: u64, seed: u64, inverse_percent: u64) -> Settings {
    Settings {
        population: Population::Generated { accounts, seed, hedge_percent: 10, inverse_percent },
        computed_marks: true,
        ..small(accounts, seed)
    }
}

fn replay(settings: &Settings) -> Outcome {
    run(settings, None, &mut |_| {}).unwrap_or_else(|error| panic!("{error}"))
}

fn message(settings: &Settings) -> String {
    match run(settings, None, &mut |_| {}) {
        Ok(_) => panic!("it should have been refused"),
        Err(error) => error.to_string(),
    }
}

/// A directory of files to read.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn add(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, contents).unwrap();
        path
    }

    fn ticks(&self, name: &str, contents: impl AsRef<[u8]>) -> Data {
        Data::Files(vec![Input { path: self.add(name, contents), symbol: None, format: None }])
    }

    /// The embedded symbols, a tick each: for what concerns the population alone.
    fn short(&self) -> Data {
        let rows = "ts_ns,symbol,kind,price|bid,qty|bid_qty,ask,ask_qty\n\
                    1000000000,BTCUSDT,q,87232,2.5,87232.01,2.5\n\
                    1000000001,ETHUSDT,q,2059.1,30,2059.11,3\n\
                    1000000002,SOLUSDT,t,143.5,10\n";
        self.ticks("short.csv", rows)
    }

    /// A message without the directory.
    fn relative(&self, message: &str) -> String {
        message.replace(&format!("{}/", self.0.path().display()), "")
    }
}

/// One worker that yields, pinned nowhere: the tests run beside each other.
fn threaded() -> Driver {
    let layout =
        Layout { workers: Some(1), apart: Some(false), wait: Some(terrace::Wait::Yield), pinning: Pinning::Off };
    Driver::Threaded(layout)
}

#[test]
fn threads_and_their_record_have_one_log_and_the_journal_has_it_too() {
    let files = Files::new();
    let journal = files.0.path().join("journal");
    let settings = Settings { driver: threaded(), journal: Some(journal.clone()), ..small(2_000, 3) };
    let mut written = Vec::new();
    let outcome = run(&settings, Some(&mut written), &mut |_| {}).unwrap();
    let threads = outcome.threads.as_ref().expect("there were threads");
    assert_eq!(threads.hash, outcome.hash);
    assert!(threads.decisions > 0 && threads.order_out.len() > 10);
    assert!(threads.decided.max() <= threads.order_out.max());
    assert_eq!(outcome.audit.misses, 0);
    assert!(outcome.differences.iter().all(|&difference| difference == 0));
    let summary = outcome.to_string();
    assert!(summary.contains("gone through inline: the logs are equal") && summary.contains("order out"), "{summary}");
    for (shards, strategy) in [(1, Strategy::Bands), (3, Strategy::Bands)] {
        let mut again = Vec::new();
        let report = from_journal(&journal, shards, strategy, Some(&mut again)).unwrap();
        assert_eq!((report.hash, report.cut), (outcome.hash, None));
        assert!(report.decisions == threads.decisions && report.differences.iter().all(|&difference| difference == 0));
        assert!(again == written, "the event logs differ");
    }
    // A journal is never overwritten, and one that was changed is found out.
    assert!(message(&settings).contains("there is a journal already"));
    let file = fs::read_dir(&journal).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let error = from_journal(&journal, 1, Strategy::Bands, None).unwrap_err().to_string();
    assert!(error.contains(&file.display().to_string()), "{error}");
    bytes[middle] ^= 1;
    fs::write(&file, &bytes[..bytes.len() - 3]).unwrap();
    assert!(from_journal(&journal, 1, Strategy::Bands, None).unwrap().cut.is_some());
    assert!(from_journal(&files.0.path().join("none"), 1, Strategy::Bands, None).is_err());
}

#[test]
fn the_inline_run_has_a_journal_too() {
    let files = Files::new();
    let journal = files.0.path().join("journal");
    let outcome = replay(&Settings { journal: Some(journal.clone()), ..small(500, 4) });
    let report = from_journal(&journal, 2, Strategy::Bands, None).unwrap();
    assert_eq!(report.hash, outcome.hash);
    assert_eq!(replay(&small(500, 4)).hash, outcome.hash, "to be recorded changes nothing");
}

/// Marks of BTCUSDT, as JSON keeps them: one bar a minute, open and close the same, low and high around.
fn klines(bars: &[(&str, &str, &str)]) -> String {
    let mut text = String::new();
    for (minute, (open, high, low)) in bars.iter().enumerate() {
        let start = 1_742_860_800_000u64 + minute as u64 * 60_000;
        text += &format!("{start},{open},{high},{low},{open},0,{},0,0,0,0,0\n", start + 59_999);
    }
    text
}

const KLINES: &str = "BTCUSDT-markPriceKlines-1m-2025-03-25.csv";

/// Two accounts, long and short of each other, and their instrument.
const BOOK: &str = r#"{"op":"asset","asset":"USDT","decimals":8}
{"op":"instrument","symbol":"BTCUSDT","kind":"linear_perp","underlying":"BTC","settle":"USDT","tick":"0.1","lot":"0.001","tiers":[{"cap":"150000","mmr":"0.004","max_leverage":125},{"cap":"1000000","mmr":"0.005","max_leverage":100}],"liquidation_fee":"0.01"}
{"op":"fund_deposit","fund":"USDT","amount":"1000"}
{"op":"deposit","account":1,"asset":"USDT","amount":"1000"}
{"op":"deposit","account":2,"asset":"USDT","amount":"50000"}
{"op":"fill","account":1,"symbol":"BTCUSDT","side":"buy","qty":"0.1","price":"90000","counterparty":2}
"#;

fn imported(files: &Files, book: &str, data: Data) -> Settings {
    let population = Population::File(files.add("book.jsonl", book));
    Settings { data, population, ..Settings::default() }
}

#[test]
fn shards_and_strategy_never_show() {
    let mut log = Vec::new();
    let reference = run(&small(600, 1), Some(&mut log), &mut |_| {}).unwrap();
    assert!(reference.tally.started > 30 && reference.event_lines > 100, "{:?}", reference.tally);
    assert_eq!(reference.hash, xxhash_rust::xxh3::xxh3_128(&log), "of the lines as they are written");
    assert_eq!(reference.event_lines, log.iter().filter(|&&byte| byte == b'\n').count() as u64);
    for (shards, strategy) in [
        (2, Strategy::Sweep),
        (3, Strategy::Bands),
        (8, Strategy::Adaptive),
        (1, Strategy::Dense),
        (3, Strategy::Dense),
    ] {
        let other = replay(&Settings { shards, strategy, ..small(600, 1) });
        assert_eq!(other.hash, reference.hash, "{shards} shards, {strategy:?}");
        assert_eq!(other.tally, reference.tally);
    }
    assert_ne!(replay(&small(600, 2)).hash, reference.hash, "another seed");
}

/// The number of an asset.
fn asset(outcome: &Outcome, name: &str) -> usize {
    outcome.market.assets.iter().position(|asset| asset.name == name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn inverse_instruments_reach_every_level_and_shards_and_strategy_never_show() {
    let shocks: Vec<Shock> = vec!["BTCUSDT:-12%@30s/20s".parse().unwrap()]; // the bare run's
    let mut to_the_tier_below = 0;
    for settings in [mixed(3_000, 2, 20), Settings { computed_marks: false, ..mixed(1_500, 2, 100) }] {
        let settings = Settings { shocks: shocks.clone(), ..settings };
        let mut log = Vec::new();
        let reference = run(&settings, Some(&mut log), &mut |_| {}).unwrap();
        let log = String::from_utf8(log).unwrap();
        let btc = reference.tally.money[asset(&reference, "BTC")];
        to_the_tier_below += btc.tier;
        assert!(btc.all > 0 && btc.fees > 0, "{btc:?}");
        assert!(btc.taken_over > 0 && btc.deleveraged > btc.deleveraged_inventory, "{btc:?}");
        assert!(btc.deleveraged_inventory > 0, "{btc:?}");
        for pool in ["cross:BTC", "isolated:BTCUSDT", "isolated:BTCUSDT:long"] {
            assert!(log.contains(&format!("\"pool\":\"{pool}\"")), "nothing of {pool}");
        }
        assert!(reference.differences.len() > 1 && reference.differences.iter().all(|&difference| difference == 0));
        assert!(reference.sides.iter().all(|sides| sides.long == sides.short && sides.long > 0));
        assert_eq!(reference.audit.misses, 0);
        assert_eq!(reference.tally.started, reference.tally.cured + reference.tally.closed, "nobody waits");
        for (shards, strategy) in
            [(2, Strategy::Sweep), (3, Strategy::Bands), (1, Strategy::Dense), (3, Strategy::Adaptive)]
        {
            let other = replay(&Settings { shards, strategy, ..settings.clone() });
            assert_eq!(other.hash, reference.hash, "{shards} shards, {strategy:?}");
            assert_eq!(other.tally, reference.tally);
        }
    }
    assert!(to_the_tier_below > 0, "large positions are few");
}

#[test]
fn threads_and_journal_have_the_log_of_inverse_instruments_too() {
    let files = Files::new();
    let journal = files.0.path().join("journal");
    let outcome = replay(&Settings { driver: threaded(), journal: Some(journal.clone()), ..mixed(2_000, 3, 20) });
    assert_eq!(outcome.threads.as_ref().map(|threads| threads.hash), Some(outcome.hash));
    assert_eq!((outcome.audit.misses, &outcome.differences[..]), (0, &[0, 0][..]));
    assert!(outcome.tally.money[asset(&outcome, "BTC")].deleveraged > 0);
    let report = from_journal(&journal, 3, Strategy::Bands, None).unwrap();
    assert_eq!((report.hash, &report.differences[..]), (outcome.hash, &[0, 0][..]));
    assert_eq!(report.tally, outcome.tally);
}

#[test]
fn a_share_of_the_symbols_is_inverse_each_with_a_coin_and_a_fund_of_its_own() {
    let files = Files::new();
    for (percent, coins) in [(0, vec![]), (1, vec!["BTC"]), (34, vec!["BTC", "ETH"]), (100, vec!["BTC", "ETH", "SOL"])]
    {
        for seed in [1, u64::MAX] {
            let settings = Settings { data: files.short(), shocks: Vec::new(), ..mixed(5_000, seed, percent) };
            let outcome = replay(&settings);
            let inverse = outcome.market.instruments.iter().filter(|instrument| instrument.spec.unit.is_inverse());
            let settles = |at: &terrace::market::Instrument| outcome.market.asset(at.spec.settle).name.clone();
            assert_eq!(inverse.map(settles).collect::<Vec<_>>(), coins, "{percent} %");
            assert_eq!(outcome.market.assets.len(), coins.len() + usize::from(percent < 100), "{percent} %");
            assert_eq!(
                (outcome.population.liquidated_at_start, outcome.audit.misses),
                (0, 0),
                "{percent} %, seed {seed}"
            );
            assert!(outcome.differences.iter().all(|&difference| difference == 0));
            for (track, spec) in outcome.funds.iter().zip(&outcome.market.funds) {
                let interest = outcome.population.open_interest[spec.asset.index()];
                let share = interest * 9 / 1_000;
                // What rounding leaves a fund of inverse contracts: at most two quanta a fill.
                assert!((share..share + 50_000).contains(&track.start.balance), "{}: {interest}", track.name);
                assert!(interest > 0, "{}", track.name);
            }
        }
    }
}

#[test]
fn amounts_of_several_assets_are_not_mixed() {
    let outcome = replay(&mixed(300, 1, 100));
    let text = outcome.to_string();
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    for words in
        ["BTCUSDT, margined and settled in BTC", "notional, ETH", "FUND SOL", "SOL         difference 0: balanced"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    let report: Value = serde_json::from_str(&outcome.to_json()).unwrap();
    for (at, coin) in ["BTC", "ETH", "SOL"].into_iter().enumerate() {
        let symbol = ["BTCUSDT", "ETHUSDT", "SOLUSDT"][at];
        assert_eq!(report["input"]["symbols"][symbol]["settle"], coin);
        assert_eq!(report["input"]["symbols"][symbol]["kind"], "inverse_perp");
        assert_eq!(report["difference"][coin], "0");
        assert!(report["money"][coin]["open_interest_at_start"].is_string() && report["fund"][coin]["end"].is_object());
    }
    assert!(report["money"]["USDT"].is_null(), "nothing settles in it");
    assert_eq!(report["settings"]["population"], "300 generated, 10% in hedge mode, 100% of the instruments inverse");
}

#[test]
fn what_cannot_be_inverse_is_refused() {
    let files = Files::new();
    let asked =
        |data, percent| files.relative(&message(&Settings { data, shocks: Vec::new(), ..mixed(20, 1, percent) }));
    assert_eq!(asked(files.short(), 101), "--inverse 101: expected 0 to 100 percent");
    let dear = klines(&[("99999999999", "99999999999", "99999999999")]);
    let said = asked(files.ticks("XUSDT-markPriceKlines-1m-2025-03-25.csv", dear), 100);
    assert!(said.starts_with("--inverse: XUSDT: no coin") && said.contains("99999999999"), "{said}");
    let same = klines(&[("1", "1", "1")]);
    let said = asked(files.ticks("USDTUSDT-markPriceKlines-1m-2025-03-25.csv", same), 100);
    assert!(said.starts_with("--inverse: USDTUSDT: expected a coin"), "{said}");
    for (arguments, reason) in [
        (&["--inverse", "101"][..], "101 is not in 0..=100"),
        (&["--inverse", "-1"], "unexpected argument '-1'"),
        (&["--inverse", "20", "--accounts-file", "book.jsonl"], "cannot be used with '--accounts-file"),
        (&["--inverse", "20", "--from-journal", "journal"], "cannot be used with '--from-journal"),
    ] {
        let program = std::process::Command::new(env!("CARGO_BIN_EXE_terrace")).arg("replay").args(arguments).output();
        let output = program.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(reason), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_book_of_inverse_contracts_is_imported_and_replayed() {
    let files = Files::new();
    let data = files.ticks(KLINES, klines(&[("90000", "90100", "89900"), ("85000", "85100", "80000")]));
    let book = BOOK
        .replace("\"asset\":\"USDT\"", "\"asset\":\"BTC\"")
        .replace("\"fund\":\"USDT\",\"amount\":\"1000\"", "\"fund\":\"BTC\",\"amount\":\"0.01\"")
        .replace("linear_perp", "inverse_perp")
        .replace("\"settle\":\"USDT\"", "\"settle\":\"BTC\"")
        .replace("\"lot\":\"0.001\"", "\"lot\":\"1\",\"multiplier\":\"100\"")
        .replace("150000", "5")
        .replace("1000000", "10")
        .replace("\"amount\":\"1000\"", "\"amount\":\"0.01\"")
        .replace("\"amount\":\"50000\"", "\"amount\":\"1\"")
        .replace("\"qty\":\"0.1\"", "\"qty\":\"90\"");
    let outcome = replay(&imported(&files, &book, data));
    assert_eq!(
        outcome.tally.started, 1,
        "the long has 0.01 BTC for 0.1 BTC of notional, and the mark falls by a ninth"
    );
    assert_eq!((&outcome.differences[..], outcome.audit.misses), (&[0][..], 0));
    assert!(outcome.tally.money[0].liquidated() + outcome.tally.money[0].taken_over > 0);
}

#[test]
fn the_books_balance_and_nothing_is_missed() {
    for venue in [Venue::Book, Venue::Mark] {
        let outcome = replay(&Settings { venue, ..small(1_000, 5) });
        assert_eq!(outcome.differences, [0], "{venue}");
        assert!(outcome.sides.iter().all(|sides| sides.long == sides.short && sides.long > 0), "{venue}");
        assert_eq!(outcome.audit.misses, 0, "{venue}");
        assert!(outcome.audit.checks > 50_000 * 64, "{venue}");
        assert_eq!(outcome.tally.started, outcome.tally.cured + outcome.tally.closed, "{venue}: nobody waits");
        assert_eq!(outcome.input.ticks, 50_000);
    }
}

#[test]
fn nobody_is_in_breach_at_the_start() {
    let files = Files::new();
    for seed in [1, 2, 3, u64::MAX] {
        let settings = Settings { data: files.short(), shocks: Vec::new(), ..small(20_000, seed) };
        let outcome = replay(&settings);
        assert_eq!(outcome.population.liquidated_at_start, 0, "seed {seed}");
        assert_eq!(outcome.population.accounts, 20_000);
        assert!((25_000..45_000).contains(&outcome.population.positions), "{}", outcome.population.positions);
        assert!(outcome.sides.iter().all(|sides| sides.long == sides.short && sides.long > 0));
        assert_eq!(outcome.differences, [0]);
    }
}

#[test]
fn a_shock_is_exact_at_its_start_middle_and_end() {
    let files = Files::new();
    let mut rows = String::from("ts_ns,symbol,kind,price|bid,qty|bid_qty,ask,ask_qty\n");
    for second in 0..=60 {
        rows += &format!("{},BTCUSDT,q,99999.99,2,100000.01,2\n", (1_000 + second) * SECOND);
    }
    let data = files.ticks("flat.csv", rows);
    for (shock, first, low, last) in [
        ("BTCUSDT:-12%@30s/20s", 1_000_000, 880_000, 880_000),
        ("BTCUSDT:-12%@50s/20s", 1_000_000, 940_000, 940_000), // half of it when the data ends
        ("BTCUSDT:-12%@60s/20s", 1_000_000, 1_000_000, 1_000_000), // it only just begins
        ("BTCUSDT:-12%@60s/0s", 1_000_000, 880_000, 880_000),
        ("BTCUSDT:-5%@0s/0s", 950_000, 950_000, 950_000),
    ] {
        let settings = Settings { data: data.clone(), shocks: vec![shock.parse().unwrap()], ..small(50, 1) };
        let symbol = replay(&settings).input.symbols[0];
        assert_eq!((symbol.shocked.first, symbol.shocked.low, symbol.shocked.last), (first, low, last), "{shock}");
        assert_eq!((symbol.real.low, symbol.real.high), (1_000_000, 1_000_000), "{shock}");
    }
    let settings = Settings { data, shocks: vec!["DOGEUSDT:-1%@0s/0s".parse().unwrap()], ..small(50, 1) };
    assert!(matches!(run(&settings, None, &mut |_| {}), Err(ReplayError::ShockSymbol { .. })));
    assert!(message(&settings).contains("BTCUSDT"));
}

#[test]
fn a_book_is_imported_and_replayed() {
    let files = Files::new();
    let data = files.ticks(KLINES, klines(&[("90000", "90100", "89900"), ("85000", "85100", "80000")]));
    let outcome = replay(&imported(&files, BOOK, data));
    assert_eq!((outcome.input.ticks, outcome.input.marks), (8, 8));
    assert_eq!((outcome.population.accounts, outcome.population.positions), (2, 2));
    assert_eq!(outcome.tally.started, 1, "the long has 1 000 USDT for 9 000 of notional, and the mark falls by 10 000");
    assert_eq!(outcome.differences, [0]);
    assert_eq!(outcome.audit.misses, 0);
}

#[test]
fn a_book_that_does_not_fit_is_refused() {
    let files = Files::new();
    let data = || files.ticks(KLINES, klines(&[("90000", "90100", "89900")]));
    let refused = |book: &str, data| files.relative(&message(&imported(&files, book, data)));

    let unbalanced = BOOK.replace(",\"counterparty\":2", "");
    let said = refused(&unbalanced, data());
    assert!(said.starts_with("book.jsonl: the books do not balance: BTCUSDT:") && said.contains("found 0.1"), "{said}");

    let bad = BOOK.replace("\"account\":2,\"asset\":\"USDT\"", "\"account\":2,\"asset\":\"EUR\"");
    let said = refused(&bad, data());
    assert!(said.starts_with("book.jsonl:5: unknown_asset: "), "{said}");

    let said = refused("\n", data());
    assert_eq!(said, "book.jsonl: expected at least one instrument, found none");

    let later = BOOK.to_owned() + "{\"op\":\"time\",\"ts\":1999999999000000000}\n";
    assert!(refused(&later, data()).contains("begin at or after"));

    let other = files.ticks("ETHUSDT-markPriceKlines-1m-2025-03-25.csv", klines(&[("2000", "2001", "1999")]));
    let said = refused(BOOK, other);
    assert!(said.starts_with("ETHUSDT-") && said.contains("expected one of BTCUSDT"), "{said}");
}

#[test]
fn rejected_lines_can_be_skipped() {
    let files = Files::new();
    let data = files.ticks(KLINES, klines(&[("90000", "90100", "89900")]));
    let book = BOOK.to_owned() + "{\"op\":\"deposit\",\"account\":3}\nnonsense\n";
    let outcome = replay(&Settings { skip_bad: true, ..imported(&files, &book, data) });
    assert_eq!(outcome.population.rejected, 2);
    assert!(outcome.population.rejected_examples[0].contains("book.jsonl:7: malformed"), "{:?}", outcome.population);
    assert!(outcome.to_string().contains("2 lines of the accounts file rejected"));
}

#[test]
fn bad_market_data_is_named_by_file_and_line() {
    let files = Files::new();
    let good = klines(&[("90000", "90100", "89900"), ("90000", "90100", "89900")]);
    let said = |contents: String| {
        let data = files.ticks(KLINES, contents);
        files.relative(&message(&Settings { data, shocks: Vec::new(), ..small(20, 1) }))
    };
    let place = |line: u64| format!("{KLINES}:{line}: ");
    assert!(said(good.clone() + "1,2,3\n").starts_with(&place(3)));
    let reversed: Vec<&str> = good.lines().rev().collect();
    let out_of_order = said(reversed.join("\n"));
    assert!(out_of_order.starts_with(&place(2)) && out_of_order.contains("out of order"), "{out_of_order}");
    assert!(said(String::new()).contains("empty"));

    let data = files.ticks(KLINES, good + "1,2,3\n");
    let outcome = replay(&Settings { data, shocks: Vec::new(), skip_bad: true, ..small(20, 1) });
    assert_eq!((outcome.input.ticks, outcome.input.skipped.total()), (8, 1));
    let report: Value = serde_json::from_str(&outcome.to_json()).unwrap();
    assert_eq!(report["input"]["skipped"]["wrong number of columns"], 1);
    assert!(outcome.to_string().contains(&place(3)));
}

#[test]
fn the_json_outcome_has_every_key() {
    let files = Files::new();
    let outcome = replay(&Settings { data: files.short(), shocks: Vec::new(), ..small(300, 1) });
    let report: Value = serde_json::from_str(&outcome.to_json()).unwrap();
    for key in [
        "ticks",
        "ticks_per_second",
        "accounts",
        "positions",
        "liquidations",
        "takeovers",
        "adl",
        "fund",
        "difference",
        "misses",
        "latency_ns",
        "hash",
        "settings",
        "input",
        "money",
        "checks",
    ] {
        assert!(!report[key].is_null(), "{key}");
    }
    for stage in ["book", "trigger", "settle", "tick"] {
        for quantile in ["p50", "p90", "p99", "p99.9", "max"] {
            assert!(report["latency_ns"][stage][quantile].is_u64(), "{stage} {quantile}");
        }
    }
    for step in ["started", "cured", "closed", "tier", "all", "takeover", "adl"] {
        assert!(report["liquidations"][step].is_u64(), "{step}");
    }
    assert_eq!(report["difference"]["USDT"], "0");
    assert_eq!(report["misses"], 0);
    assert_eq!(report["settings"]["seed"], 1);
    assert_eq!(report["hash"].as_str().map(str::len), Some(32));
    assert!(report["fund"]["USDT"]["start"]["balance"].is_string());
}

#[test]
fn a_quiet_market_has_no_shock_in_its_summary() {
    let files = Files::new();
    let outcome = replay(&Settings { data: files.short(), shocks: Vec::new(), ..small(100, 1) });
    let text = outcome.to_string();
    assert!(text.contains("none: all prices are real") && text.contains("difference 0: balanced"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let shocked = replay(&small(100, 1)).to_string();
    assert!(shocked.contains("BTCUSDT:-12%@1s/3s, laid over the real prices"), "{shocked}");
    assert!(shocked.lines().all(|line| line.chars().count() <= 100), "{shocked}");
}
