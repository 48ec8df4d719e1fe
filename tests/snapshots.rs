//! Snapshots: a kernel made from the saved state of another goes on as that does, whatever its shards and its strategy; what is
//! saved is the same bytes for the same state; what cannot be a state is refused.

mod exec_scripts;
mod reference;
mod script;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use reference::Reference;
use script::{BUILT, Writer};
use std::fs;
use std::path::Path;
use terrace::kernel::Loading;
use terrace::protocol::Session;
use terrace::snapshot::{Form, Part, Unfit};
use terrace::{Kernel, Settings, Strategy as Finding};

/// Every number of shards, and every strategy.
const SETTINGS: [(u32, Finding); 5] =
    [(1, Finding::Adaptive), (2, Finding::Dense), (3, Finding::Sweep), (8, Finding::Bands), (1, Finding::Sweep)];

type Parts = Vec<(Part, Vec<u8>)>;

fn settings(at: usize) -> Settings {
    let (shards, strategy) = SETTINGS[at % SETTINGS.len()];
    Settings { shards, strategy, ..Settings::default() }
}

fn save(kernel: &Kernel) -> Option<Parts> {
    let mut parts = Vec::new();
    let resting = kernel.at_rest()?;
    let saved: Result<(), ()> = resting.save(&mut |part, bytes| {
        parts.push((part, bytes.to_owned()));
        Ok(())
    });
    saved.unwrap();
    Some(parts)
}

fn load(parts: &Parts, settings: Settings) -> Result<Kernel, Unfit> {
    let bytes = parts.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    let mut loading = Loading::new(settings, bytes);
    for (part, bytes) in parts {
        loading.part(*part, bytes)?;
    }
    loading.finish()
}

/// The kernel that is made of the state as text, as an export holds it.
fn load_text(kernel: &Kernel, settings: Settings) -> Result<Kernel, Unfit> {
    let mut loading = Loading::of_unknown_length(settings);
    let resting = kernel.at_rest().expect("at rest");
    resting.save_as(Form::Text, &mut |part, text| loading.part_as(Form::Text, part, text))?;
    loading.finish()
}

/// A script through a session that is never interrupted, and through others whose kernels are saved and loaded again.
struct Carried {
    straight: Session,
    carried: Vec<Session>,
    log: Vec<String>,
    loads: usize,
    /// How often nothing could be saved.
    restless: usize,
}

impl Carried {
    fn new() -> Self {
        let session = |at: usize| Session::new(settings(at));
        let mut straight = session(0);
        straight.kernel_mut().keep_state_hash();
        Self { straight, carried: (1..3).map(session).collect(), log: Vec::new(), loads: 0, restless: 0 }
    }

    fn line(&mut self, line: &str) -> Result<(), TestCaseError> {
        self.log.push(line.to_owned());
        let mut expected = String::new();
        let _ = self.straight.line(line.as_bytes(), &mut expected);
        for session in &mut self.carried {
            let mut said = String::new();
            let _ = session.line(line.as_bytes(), &mut said);
            if said != expected {
                return Err(fail(&self.log, &format!("uninterrupted:\n{expected}\nloaded:\n{said}")));
            }
        }
        Ok(())
    }

    /// Saves all kernels, which must come to the same bytes, and goes on with others that are made of them.
    fn carry_over(&mut self) -> Result<(), TestCaseError> {
        let Some(expected) = save(self.straight.kernel()) else {
            prop_assert!(self.carried.iter().all(|session| session.kernel().at_rest().is_none()));
            self.restless += 1;
            return Ok(()); // what a refused line left is to be decided yet
        };
        for (at, session) in self.carried.iter_mut().enumerate() {
            let saved = save(session.kernel()).expect("at rest as the other is");
            if let Some(part) = differing(&expected, &saved) {
                return Err(fail(&self.log, &format!("the saved bytes of {part} are others")));
            }
            self.loads += 1;
            let settings = settings(self.loads + at);
            let loaded = if self.loads.is_multiple_of(3) {
                load_text(session.kernel(), settings)
            } else {
                load(&saved, settings)
            };
            let loaded = loaded.map_err(|unfit| fail(&self.log, &format!("what was saved is refused: {unfit}")))?;
            if let Some(part) = differing(&saved, &save(&loaded).expect("at rest")) {
                return Err(fail(&self.log, &format!("saved again, the bytes of {part} are others")));
            }
            // Made anew of what was saved: nothing was left out while it changed.
            let hash = self.straight.kernel().state_hash();
            prop_assert_eq!(session.kernel().state_hash(), hash, "the state comes to something else");
            prop_assert_eq!(loaded.state_hash(), hash, "counted anew, the state comes to something else");
            prop_assert_eq!(loaded.audit(0, loaded.pools()), 0, "a pool is in breach and not in liquidation");
            *session.kernel_mut() = loaded;
            if self.loads.is_multiple_of(2) {
                session.kernel_mut().keep_state_hash();
            }
        }
        Ok(())
    }
}

fn differing(one: &Parts, other: &Parts) -> Option<String> {
    if one.len() != other.len() {
        return Some(format!("{} and {} parts", one.len(), other.len()));
    }
    let at = one.iter().zip(other).find(|(one, other)| one != other)?;
    let ((part, one), (_, other)) = at;
    let from = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    Some(format!("{part} from {from} on, {:?} and {:?},", &one[from.min(one.len())..], &other[from.min(other.len())..]))
}

fn fail(log: &[String], what: &str) -> TestCaseError {
    TestCaseError::fail(format!("after the script\n{}\n{what}", log.join("\n")))
}

#[test]
fn every_place_of_every_script_can_be_gone_on_from() {
    for script in exec_scripts::scripts() {
        let mut carried = Carried::new();
        for line in fs::read_to_string(&script).unwrap().lines() {
            let done = carried.line(line).and_then(|()| carried.carry_over());
            done.unwrap_or_else(|failure| panic!("{}: {failure}", script.display()));
        }
        assert!(carried.restless * 10 < carried.loads, "{}: hardly ever at rest", script.display());
    }
}

#[test]
fn what_a_state_comes_to_is_the_same_for_all() {
    let mut all = Vec::new();
    for script in exec_scripts::scripts() {
        let text = fs::read_to_string(&script).unwrap();
        let hash = |(shards, strategy)| {
            let mut session = Session::new(Settings { shards, strategy, ..Settings::default() });
            if shards > 1 {
                session.kernel_mut().keep_state_hash(); // of one it is counted
            }
            for line in text.lines() {
                let _ = session.line(line.as_bytes(), &mut String::new());
            }
            session.kernel().state_hash()
        };
        let first = hash((1, Finding::Bands));
        for strategy in Finding::ALL {
            for shards in [1, 2, 3, 8] {
                assert_eq!(hash((shards, strategy)), first, "{}: {shards} shards, {strategy:?}", script.display());
            }
        }
        all.push(first);
    }
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), exec_scripts::scripts().len(), "each script comes to something of its own");
}

/// What tells no event shows in what the state comes to; how it came about does not.
#[test]
fn a_quantum_shows_in_what_a_state_comes_to() {
    let state = |lines: &[&str]| {
        let mut session = Session::new(settings(0));
        for line in lines {
            let mut said = String::new();
            session.line(line.as_bytes(), &mut said).unwrap_or_else(|rejection| panic!("{line}: {}", rejection.reason));
            assert_eq!(said, "", "{line}");
        }
        session.kernel().state_hash()
    };
    let asset = r#"{"op":"asset","asset":"USDT","decimals":2}"#;
    let deposit = r#"{"op":"deposit","account":1,"asset":"USDT","amount":"0.05"}"#;
    let more = r#"{"op":"deposit","account":1,"asset":"USDT","amount":"0.06"}"#;
    let back = r#"{"op":"withdraw","account":1,"asset":"USDT","amount":"0.01"}"#;
    let other = r#"{"op":"deposit","account":2,"asset":"USDT","amount":"0.05"}"#;
    let hold = r#"{"op":"hold","account":1,"hold":7,"asset":"USDT","amount":"0.01"}"#;
    let release = r#"{"op":"release","account":1,"hold":7}"#;
    let commit = r#"{"op":"commit","account":1,"hold":7}"#;
    let empty = state(&[]);
    assert_eq!(empty, 0);
    assert_eq!(state(&[asset]), empty, "a name is not money");
    let five = state(&[asset, deposit]);
    assert_ne!(state(&[asset, more]), five);
    assert_eq!(state(&[asset, more, back]), five, "made up for again");
    assert_ne!(state(&[asset, other]), five, "it is another's");
    assert_eq!(state(&[asset, deposit, other]), state(&[asset, other, deposit]), "in any order");
    let held = state(&[asset, more, hold]);
    assert!(held != five && held != state(&[asset, more]), "what is put aside is neither had nor gone");
    assert_eq!(state(&[asset, more, hold, release]), state(&[asset, more]));
    assert_eq!(state(&[asset, more, hold, commit]), five);
}

/// How many random scripts a run draws; `TERRACE_SCRIPTS` asks for more.
fn scripts() -> u32 {
    std::env::var("TERRACE_SCRIPTS").ok().and_then(|text| text.parse().ok()).unwrap_or(150)
}

fn rng() -> TestRng {
    let seed: u64 = std::env::var("TERRACE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    println!("TERRACE_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8] = 1; // other scripts than the differential test draws
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

#[test]
fn random_scripts_go_on_from_their_snapshots() {
    let shrink = std::env::var("TERRACE_SHRINK").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000);
    let config = Config { cases: scripts(), max_shrink_iters: shrink, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng());
    let drawn = (any::<u64>(), prop::collection::vec(any::<u64>(), 1..120));
    let done = runner.run(&drawn, |(world, choices)| {
        let mut carried = Carried::new();
        let mut reference = Reference::new();
        let mut writer = Writer::new(world, BUILT);
        while writer.prologue_left() > 0 {
            let line = writer.next(0, &reference);
            carried.line(&line)?;
            reference.line(&line);
        }
        for choice in choices {
            let line = writer.next(choice, &reference);
            carried.line(&line)?;
            reference.line(&line);
            if choice % 3 == 0 {
                carried.carry_over()?;
                for question in writer.questions() {
                    carried.line(&question)?;
                    carried.log.pop();
                    reference.line(&question);
                }
            }
        }
        carried.carry_over()
    });
    done.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Whatever single byte of what was saved is another, and however it is cut: it is refused or loaded, and never a panic.
#[test]
fn what_cannot_be_a_state_is_refused() {
    let (mut refused, mut tried) = (0, 0);
    for name in ["pacing", "late", "set_rules", "hedge", "holds", "airlock", "loss_limit", "groups"] {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/exec/{name}.jsonl"));
        let mut session = Session::new(settings(0));
        let text = fs::read_to_string(script).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let mut out = String::new();
        for (n, line) in lines.iter().enumerate() {
            let _ = session.line(line.as_bytes(), &mut out);
            if n % 13 != 12 && n + 1 != lines.len() {
                continue;
            }
            let Some(saved) = save(session.kernel()) else { continue };
            for part in 0..saved.len() {
                for byte in 0..saved[part].1.len() {
                    let mut other = saved.clone();
                    other[part].1[byte] ^= 1 << ((byte + n) % 8);
                    tried += 1;
                    refused += u32::from(load(&other, settings(byte)).is_err());
                    if byte % 5 == 0 {
                        other[part].1.truncate(byte);
                        assert!(load(&other, settings(byte)).is_err(), "{name}: a part that was cut is taken");
                    }
                }
                let mut missing = saved.clone();
                missing.remove(part);
                assert!(load(&missing, settings(0)).is_err(), "{name}: a missing part is not missed");
            }
        }
    }
    println!("{refused} of {tried} are refused");
    assert!(tried > 5_000 && refused * 3 > tried, "{refused} of {tried}");
}
