//! Random scripts through the kernel and through the reference: the same events, the same answers, after every line.

mod reference;
mod script;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use reference::Reference;
use script::Writer;
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use terrace::protocol::Session;
use terrace::{Settings, Strategy as Finding};

/// The kernels that must all say the same bytes: every number of shards, and both strategies.
const SETTINGS: [(u32, Finding); 4] =
    [(1, Finding::Bands), (2, Finding::Scan), (3, Finding::Bands), (8, Finding::Bands)];

/// What a run of scripts must have led to, or it has tested nothing.
const EXPECTED: &[&str] = &[
    "adl ",
    "fund adl",
    "fund adl_residue",
    "fund deficit",
    "fund deposit",
    "fund fee",
    "fund netting",
    "fund unwind",
    "fund_deficit ",
    "liquidation_ended closed",
    "liquidation_ended cured",
    "liquidation_fill ",
    "liquidation_order all",
    "liquidation_order tier",
    "liquidation_order unwind",
    "liquidation_started ",
    "liquidation_suppressed ",
    "order_cut ",
    "order_mismatch ",
    "orders_cancelled ",
    "rejected bad_value",
    "rejected duplicate",
    "rejected insufficient_margin",
    "rejected locked",
    "rejected malformed",
    "rejected off_grid",
    "rejected overflow",
    "rejected unknown_account",
    "rejected unknown_field",
    "rejected unknown_liquidation",
    "rejected unknown_order",
    "takeover ",
];

/// How many scripts a run draws; `TERRACE_SCRIPTS` asks for more.
fn scripts() -> u32 {
    std::env::var("TERRACE_SCRIPTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_500)
}

/// What the scripts are drawn from: the same in every run, so that a run tells of the code and not of luck;
/// `TERRACE_SEED` asks for others, as `scripts/soak` does.
fn rng() -> TestRng {
    let seed: u64 = std::env::var("TERRACE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    println!("TERRACE_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

/// The kernels under test beside the reference, a script long.
struct Bench {
    reference: Reference,
    sessions: Vec<Session>,
    log: Vec<String>,
    /// How often each event, each answer and each refusal was seen.
    seen: BTreeMap<String, u64>,
}

impl Bench {
    fn new() -> Self {
        let session =
            |&(shards, strategy): &(u32, Finding)| Session::new(Settings { shards, strategy, ..Settings::default() });
        Self {
            reference: Reference::new(),
            sessions: SETTINGS.iter().map(session).collect(),
            log: Vec::new(),
            seen: BTreeMap::new(),
        }
    }

    /// Carries a line out everywhere and compares what is said.
    fn line(&mut self, line: &str) -> Result<(), TestCaseError> {
        self.log.push(line.to_owned());
        let expected: Vec<Value> = self.reference.line(line).into_iter().map(without_reason).collect();
        let mut first = String::new();
        let _ = self.sessions[0].line(line.as_bytes(), &mut first);
        let said: Vec<Value> =
            first.lines().map(|line| without_reason(serde_json::from_str(line).expect("every line is JSON"))).collect();
        for event in &said {
            let word = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            let detail = ["code", "reason", "outcome", "step"].map(word).concat();
            *self.seen.entry(format!("{} {detail}", word("ev"))).or_default() += 1;
        }
        if said != expected {
            return Err(self.fail(&format!("kernel:\n{}\nreference:\n{}", lines(&said), lines(&expected))));
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
fn play(world: u64, choices: &[u64]) -> Result<Bench, TestCaseError> {
    let mut writer = Writer::new(world);
    let mut bench = Bench::new();
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

#[test]
fn random_scripts_give_the_same_events_and_states() {
    let cases = scripts();
    let (checks, seen) = (Cell::new(0u64), RefCell::new(BTreeMap::<String, u64>::new()));
    let config = Config { cases, max_shrink_iters: 4_000, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng());
    let script = (any::<u64>().no_shrink(), prop::collection::vec(any::<u64>().no_shrink(), 20..140));
    let outcome = runner.run(&script, |(world, choices)| {
        let bench = play(world, &choices)?;
        checks.set(checks.get() + bench.reference.pool_checks());
        for (kind, count) in bench.seen {
            *seen.borrow_mut().entry(kind).or_default() += count;
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    println!("{cases} scripts, {} pool checks by the reference", checks.get());
    let seen = seen.into_inner();
    for (kind, count) in &seen {
        println!("{count:>9} {kind}");
    }
    for kind in EXPECTED {
        assert!(seen.contains_key(*kind), "no script led to {kind:?}: the generator has gone blind");
    }
}
