//! Random scripts through the kernel and through the reference: the same events, the same answers, after every line.

mod reference;
mod script;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use reference::Reference;
use script::coverage::{Before, Coverage};
use script::{BUILT, Features, Writer};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::fs;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;
use terrace::protocol::Session;
use terrace::{Kernel, RuleVersion, Settings, Strategy as Finding};

/// The kernels that must all say the same bytes: every number of shards, and every strategy.
const SETTINGS: [(u32, Finding); 4] =
    [(1, Finding::Adaptive), (2, Finding::Dense), (3, Finding::Sweep), (8, Finding::Bands)];

/// What a run of scripts must have led to, or it has tested nothing.
const EXPECTED: &[&str] = &[
    "adl ",
    "adl of inventory",
    "adl: at mark",
    "adl: close fee",
    "adl: inverse",
    "adl: linear tiers",
    "adl: paced",
    "adl: pnl_margin_ratio",
    "adl: pro_rata",
    "adl: profit_notional",
    "adl: step",
    "adl_report ",
    "adl_report of none",
    "airlock accepted",
    "airlock confirmed",
    "airlock discarded",
    "airlock held",
    "airlock timeout",
    "airlock withdrawn",
    "cancel_requested ",
    "cancelled by a fill",
    "cancelled by an acknowledgement",
    "corrected by adjust",
    "corrected by bust",
    "corrected by compensate",
    "corrected by reprice",
    "crossed book refused",
    "crossed book taken",
    "dry_run ",
    "dry_run of mode finds somebody",
    "dry_run of set finds somebody",
    "fill beyond the rest",
    "fund adl",
    "fund adl_residue",
    "fund compensation",
    "fund deficit",
    "fund deposit",
    "fund fee",
    "fund funding",
    "fund netting",
    "fund rounding",
    "fund socialised",
    "fund unwind",
    "fund_deficit ",
    "fund_drawdown begins",
    "fund_drawdown ends",
    "funding ",
    "funding by itself",
    "health active",
    "health cancel_acknowledged",
    "health cancel_requested",
    "health gone",
    "health order_out",
    "health overdue",
    "health unknown",
    "index_frozen ",
    "late fill of a claimed order",
    "late fill of an account's order, for the account",
    "late fill of an account's order, for the fund",
    "late fill of an unwind order",
    "liquidation_ended closed",
    "liquidation_ended cured",
    "liquidation_fill ",
    "liquidation_fill: inverse",
    "liquidation_fill: paced",
    "liquidation_order all",
    "liquidation_order fraction",
    "liquidation_order tier",
    "liquidation_order unwind",
    "liquidation_order: paced",
    "liquidation_started ",
    "liquidation_started by mode",
    "liquidation_started by set",
    "liquidation_started of a leg",
    "liquidation_suppressed ",
    "margin_call ",
    "mark ",
    "mark_frozen ",
    "mark_frozen by a mode",
    "mark_live ",
    "mode adl_paused",
    "mode cancel_only",
    "mode halted",
    "mode liquidation_paused",
    "mode normal",
    "mode of account",
    "mode of everything",
    "mode of fund",
    "mode of symbol",
    "mode reduce_only",
    "offset ",
    "ok ",
    "ok again",
    "order_cut ",
    "order_mismatch ",
    "orders_cancelled ",
    "rejected again",
    "rejected bad_tiers",
    "rejected bad_value",
    "rejected duplicate",
    "rejected gap",
    "rejected halted",
    "rejected insufficient_margin",
    "rejected limit of a group",
    "rejected limit of collar",
    "rejected limit of open_interest",
    "rejected limit of position",
    "rejected locked",
    "rejected malformed",
    "rejected off_grid",
    "rejected overflow",
    "rejected reduce_only",
    "rejected time_reversed",
    "rejected unknown_account",
    "rejected unknown_field",
    "rejected unknown_liquidation",
    "rejected unknown_order",
    "settled ",
    "socialised ",
    "socialised: inverse",
    "takeover ",
    "takeover without a price",
    "takeover: close fee",
    "takeover: inverse",
    "takeover: linear tiers",
];

/// So many scripts must lead to everything that is expected.
const ENOUGH: u32 = 1_000;

/// How many scripts a run draws; `TERRACE_SCRIPTS` asks for more.
fn scripts() -> u32 {
    std::env::var("TERRACE_SCRIPTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000)
}

/// How long a failing script is made shorter; `TERRACE_SHRINK` says otherwise.
fn shrinking() -> u32 {
    std::env::var("TERRACE_SHRINK").ok().and_then(|text| text.parse().ok()).unwrap_or(4_000)
}

/// What scripts make no use of: `TERRACE_WITHOUT`.
fn left_out() -> String {
    std::env::var("TERRACE_WITHOUT").unwrap_or_default()
}

/// So many threads draw a part of the scripts each.
const PARTS: u32 = 2;

/// What the scripts of a part are drawn from: the same in every run, so that a run tells of the code and not of luck;
/// `TERRACE_SEED` asks for others, as `scripts/soak` does.
fn rng(part: u32) -> TestRng {
    let seed: u64 = std::env::var("TERRACE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    println!("TERRACE_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..12].copy_from_slice(&part.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

/// The kernels under test beside the reference, a script long; without any, the reference is tested by itself.
struct Bench {
    reference: Reference,
    sessions: Vec<Session>,
    log: Vec<String>,
    /// What the reference said of the last line.
    last: Vec<Value>,
    seen: Coverage,
}

impl Bench {
    fn new(settings: &[(u32, Finding)]) -> Self {
        Self::under(RuleVersion::NEWEST, settings)
    }

    /// As everything is that begins under these rules.
    fn under(rules: RuleVersion, settings: &[(u32, Finding)]) -> Self {
        let session = |&(shards, strategy): &(u32, Finding)| {
            Session::over(Kernel::new(Settings { shards, strategy, ..Settings::default() }).under(rules))
        };
        Self {
            reference: Reference::under(rules.number().into()),
            sessions: settings.iter().map(session).collect(),
            log: Vec::new(),
            last: Vec::new(),
            seen: Coverage::default(),
        }
    }

    /// Carries a line out everywhere and compares what is said.
    fn line(&mut self, line: &str) -> Result<(), TestCaseError> {
        self.log.push(line.to_owned());
        let before = Before::of(&self.reference, line);
        let said = self.reference.line(line);
        self.seen.count(&before, self.reference.seq(), &said);
        self.last = said.into_iter().map(without_reason).collect();
        if self.sessions.is_empty() {
            return Ok(());
        }
        let mut first = String::new();
        let _ = self.sessions[0].line(line.as_bytes(), &mut first);
        let said: Vec<Value> =
            first.lines().map(|line| without_reason(serde_json::from_str(line).expect("every line is JSON"))).collect();
        if said != self.last {
            return Err(self.fail(&format!("kernel:\n{}\nreference:\n{}", lines(&said), lines(&self.last))));
        }
        for (session, settings) in self.sessions.iter_mut().zip(SETTINGS).skip(1) {
            let mut other = String::new();
            let _ = session.line(line.as_bytes(), &mut other);
            if other != first {
                return Err(self.fail(&format!("{:?}:\n{first}{settings:?}:\n{other}", SETTINGS[0])));
            }
        }
        Ok(())
    }

    /// Asks everything there is, and checks the invariants by the reference and by the kernel's own audit.
    fn check(&mut self, writer: &Writer) -> Result<(), TestCaseError> {
        for question in writer.questions() {
            self.line(&question)?;
            self.log.pop();
        }
        if let Err(broken) = self.reference.check() {
            return Err(self.fail(&format!("the reference's invariant is broken: {broken}")));
        }
        for session in &self.sessions {
            let kernel = session.kernel();
            prop_assert_eq!(kernel.audit(0, kernel.pools()), 0, "a pool is in breach and not in liquidation");
            prop_assert!(kernel.asset_totals().iter().all(|totals| totals.difference() == 0));
            prop_assert!(kernel.instrument_totals().iter().all(|totals| totals.long == totals.short));
        }
        Ok(())
    }

    fn fail(&self, what: &str) -> TestCaseError {
        TestCaseError::fail(format!("after the script\n{}\n{what}", self.log.join("\n")))
    }
}

/// The reason of a rejection is prose: only its code is compared.
fn without_reason(mut event: Value) -> Value {
    if event["ev"] == "rejected" {
        assert!(event["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
        event["reason"] = Value::Null;
    }
    event
}

fn lines(events: &[Value]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

/// Plays one script to its end.
fn play(settings: &[(u32, Finding)], features: Features, world: u64, choices: &[u64]) -> Result<Bench, TestCaseError> {
    let mut writer = Writer::new(world, features);
    let rules = if world.is_multiple_of(2) { RuleVersion::NEWEST } else { RuleVersion::OLDEST };
    let mut bench = Bench::under(rules, settings);
    while writer.prologue_left() > 0 {
        let line = writer.next(0, &bench.reference);
        bench.line(&line)?;
    }
    for &choice in choices {
        let line = writer.next(choice, &bench.reference);
        bench.line(&line)?;
        bench.check(&writer)?;
    }
    Ok(bench)
}

/// Plays as many random scripts, which must lead to everything that is expected of them.
fn play_all(settings: &[(u32, Finding)], features: Features, cases: u32) {
    let parts: Vec<(u64, Coverage)> = thread::scope(|scope| {
        let play = |part| play_part(settings, features, (part, cases.div_ceil(PARTS)));
        let parts: Vec<_> = (0..PARTS).map(|part| scope.spawn(move || play(part))).collect();
        parts.into_iter().map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    let (mut checks, mut seen) = (0, Coverage::default());
    for (part_checks, part_seen) in parts {
        checks += part_checks;
        seen.add(part_seen);
    }
    println!("{cases} scripts, {checks} pool checks by the reference");
    if cases >= ENOUGH {
        seen.demand(EXPECTED);
    }
}

/// Plays the scripts of a part; how many pools the reference checked, and what happened.
fn play_part(settings: &[(u32, Finding)], features: Features, (part, cases): (u32, u32)) -> (u64, Coverage) {
    let (checks, seen) = (Cell::new(0u64), RefCell::new(Coverage::default()));
    let config = Config { cases, max_shrink_iters: shrinking(), failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng(part));
    let script = (any::<u64>().no_shrink(), prop::collection::vec(any::<u64>().no_shrink(), 20..140));
    let outcome = runner.run(&script, |(world, choices)| {
        let bench = play(settings, features, world, &choices)?;
        checks.set(checks.get() + bench.reference.pool_checks());
        seen.borrow_mut().add(bench.seen);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    (checks.get(), seen.into_inner())
}

#[test]
fn random_scripts_give_the_same_events_and_states() {
    play_all(&SETTINGS, BUILT.without(&left_out()), scripts());
}

/// Sixteen ended orders of an account, and of the inventory of an instrument, may have late fills; the seventeenth from
/// the end is forgotten.
#[test]
fn the_last_sixteen_ended_orders_are_known() {
    let mark = |price: &str| json!({"op":"mark","symbol":"P","price":price}).to_string();
    let expire = |id: u64| json!({"op":"liq_expire","liquidation":id}).to_string();
    let fill = |id: u64| json!({"op":"liq_fill","liquidation":id,"qty":"1","price":"92"}).to_string();
    let mut lines = vec![
        json!({"op":"asset","asset":"USDT","decimals":2}).to_string(),
        json!({"op":"instrument","symbol":"P","kind":"linear_perp","underlying":"P","settle":"USDT","tick":"1","lot":"1",
            "tiers":[{"cap":"1000000","mmr":"0.05","max_leverage":10}]})
        .to_string(),
        json!({"op":"venue","mode":"manual"}).to_string(),
        json!({"op":"deposit","account":1,"asset":"USDT","amount":"600"}).to_string(),
        json!({"op":"fill","account":1,"symbol":"P","side":"buy","qty":"50","price":"100"}).to_string(),
    ];
    // Cured each time before the lots are claimed: 18 orders end, of which the first two are forgotten.
    for id in 1..=18 {
        lines.extend([mark("92"), mark("100"), expire(id)]);
    }
    lines.extend([1, 2, 3, 18].map(fill));
    // The nineteenth is claimed, the third forgotten; the fund unwinds what it took over, once a mark.
    lines.extend([mark("92"), expire(19)]);
    for id in 20..=37 {
        lines.extend([expire(id), mark("92")]);
    }
    lines.extend([20, 21, 22, 37, 3, 4].map(fill));

    let mut bench = Bench::new(&SETTINGS);
    let mut codes = Vec::new();
    for line in &lines {
        bench.line(line).expect("the kernel says what the reference says");
        let refused = bench.last.iter().find(|event| event["ev"] == "rejected");
        if line.contains("liq_fill") {
            codes.push(refused.map_or("", |event| event["code"].as_str().expect("a code")).to_owned());
        } else {
            assert_eq!(refused, None, "{line}");
        }
    }
    let unknown = "unknown_liquidation";
    assert_eq!(codes, [unknown, unknown, "", "", unknown, unknown, "", "", unknown, ""]);
}

/// The last 65 536 answers of a source are kept.
#[test]
fn old_answers_expire() {
    let line = |number: u64| json!({"op":"time","ts":5,"source":"desk","client_seq":number,"ack":true}).to_string();
    let mut bench = Bench::new(&SETTINGS);
    for number in 1..=65_537 {
        bench.line(&line(number)).expect("the kernel says what the reference says");
    }
    let mut again = |number: u64| {
        bench.line(&line(number)).expect("the kernel says what the reference says");
        bench.last[0].clone()
    };
    assert_eq!(again(1)["code"], "expired");
    assert_eq!(again(2), json!({"ev":"ok","seq":2,"source":"desk","client_seq":2}));
    assert_eq!(again(65_539)["code"], "gap");
    assert_eq!(again(65_538)["seq"], 65_541, "neither has used up the number");
    assert_eq!(again(2)["code"], "expired");
}

/// The scripts of `exec` as they were worked out by hand: the reference must not be wrong in the same way as the kernel.
#[test]
fn the_reference_says_what_was_worked_out_by_hand() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exec");
    let mut scripts = 0;
    for entry in fs::read_dir(folder).expect("the folder of scripts") {
        let script = entry.expect("an entry").path();
        if script.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        let name = script.display();
        let mut reference = Reference::new();
        let said = fs::read_to_string(&script).expect("a script");
        let said: Vec<Value> = said.lines().flat_map(|line| reference.line(line)).map(without_reason).collect();
        let expected = fs::read_to_string(script.with_extension("expected")).expect("an expectation beside it");
        let expected: Vec<Value> =
            expected.lines().map(|line| without_reason(serde_json::from_str(line).expect("JSON"))).collect();
        for (is, should) in said.iter().zip(&expected) {
            assert_eq!(is, should, "{name}");
        }
        assert_eq!(said.len(), expected.len(), "{name}");
        assert_eq!(reference.check(), Ok(()), "{name}");
        scripts += 1;
    }
    assert!(scripts > 0);
}

/// The reference's own invariants, and that the scripts are worth their time.
#[test]
fn the_reference_is_sound_by_itself() {
    play_all(&[], BUILT, scripts().min(500));
}
