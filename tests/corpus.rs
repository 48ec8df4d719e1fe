//! Goes through what the fuzzer has kept: `tests/fuzz/corpus`, a folder for each target, and the scripts of `exec`. What once
//! broke something is in there too.

mod exec_scripts;
mod program;
mod reference;
#[allow(dead_code, reason = "the differential tests ask more of it")]
mod script;
#[path = "fuzz/src/targets.rs"]
mod targets;

use program::{succeed, terrace};
use script::Dice;
use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

#[test]
fn what_the_fuzzer_has_kept_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    for (name, target) in targets::ALL {
        let files = files(&root.join(name));
        assert!(!files.is_empty(), "{name} has a corpus");
        for file in &files {
            println!("{}", file.display()); // names the one that breaks
            target(&fs::read(file).expect("a file"));
        }
    }
}

/// Briefly what the fuzzer does for long, without its eye for what is new: neighbours of what it has kept. `TERRACE_SEED` draws others,
/// `TERRACE_NEIGHBOURS` more of them for each target.
#[test]
fn what_is_near_the_corpus_holds() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (seed, neighbours) = (number("TERRACE_SEED").unwrap_or(1), number("TERRACE_NEIGHBOURS").unwrap_or(4_000));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    for (name, target) in targets::ALL {
        let kept: Vec<Vec<u8>> = files(&root.join(name)).iter().map(|file| fs::read(file).expect("a file")).collect();
        let mut dice = Dice(seed);
        // Whole scripts beside the reference take a hundred times as long.
        let share = if matches!(name, "scripts") { neighbours.div_ceil(10) } else { neighbours };
        for _ in 0..share {
            let bytes = neighbour(&mut dice, &kept);
            if std::panic::catch_unwind(|| target(&bytes)).is_err() {
                let file = std::env::temp_dir().join(format!("terrace-{name}-{:016x}", dice.roll()));
                fs::write(&file, &bytes).expect("it can be written");
                panic!("{name}: {} breaks it; it belongs into its corpus", file.display());
            }
        }
        println!("{share} neighbours of {name} hold");
    }
}

/// Some bytes of one that was kept are others, missing, there twice, or another's.
fn neighbour(dice: &mut Dice, kept: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = dice.pick(kept).clone();
    for _ in 0..=dice.below(4) {
        let stretch = |dice: &mut Dice, bytes: &[u8]| {
            let from = dice.below(bytes.len() as u64 + 1) as usize;
            from..from + dice.below((bytes.len() - from).min(64) as u64 + 1) as usize
        };
        let at = stretch(dice, &bytes);
        match dice.below(5) {
            0 => drop(bytes.drain(at)),
            1 => bytes[at].iter_mut().for_each(|byte| *byte = dice.roll() as u8),
            2 => {
                let twice = bytes[at.clone()].to_vec();
                bytes.splice(at.end..at.end, twice);
            }
            3 => {
                let other = dice.pick(kept);
                let part = other[stretch(dice, other)].to_vec();
                bytes.splice(at, part);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at.start) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
    }
    bytes
}

#[test]
fn scripts_of_exec_hold() {
    for script in exec_scripts::scripts() {
        println!("{}", script.display());
        targets::protocol(&fs::read(script).expect("a script"));
    }
}

/// What leads to the states that the fuzzer begins with; small, since it cuts what is long.
const STATES: [(&str, &[&str]); 3] = [
    ("fills", &[FILL]),
    ("locked", &[r#"{"op":"venue","mode":"manual"}"#, FILL, r#"{"op":"mark","symbol":"P","price":"92"}"#]),
    ("ordered", &[FILL, r#"{"op":"order","account":2,"order":9,"symbol":"P","side":"buy","qty":"3","price":"90"}"#]),
];

const MARKET: [&str; 5] = [
    r#"{"op":"asset","asset":"U","decimals":2}"#,
    r#"{"op":"instrument","symbol":"P","kind":"linear_perp","underlying":"P","settle":"U","tick":"1","lot":"1","tiers":[{"cap":"1000000","mmr":"0.05","max_leverage":10}]}"#,
    r#"{"op":"mark","symbol":"P","price":"100"}"#,
    r#"{"op":"deposit","account":1,"asset":"U","amount":"60"}"#,
    r#"{"op":"deposit","account":2,"asset":"U","amount":"1000"}"#,
];

const FILL: &str = r#"{"op":"fill","account":1,"counterparty":2,"symbol":"P","side":"buy","qty":"5","price":"100"}"#;

/// The states that the fuzzer begins with are such as this version loads: else it would try nothing but refusals. `TERRACE_BLESS=1` writes them anew.
#[test]
fn states_are_of_this_version() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/states");
    for (name, lines) in STATES {
        let root = tempfile::tempdir().expect("a folder");
        fs::write(root.path().join("script"), [&MARKET[..], lines].concat().join("\n")).expect("a script");
        succeed(&terrace(root.path(), &["exec", "--journal", "journal", "script"]));
        let state = succeed(&terrace(root.path(), &["export", "journal"]));
        // The last line is the target's own to add.
        let (state, end) = state.trim_end().rsplit_once('\n').expect("several lines");
        assert!(end.contains("\"part\":\"end\""), "{end}");
        if std::env::var_os("TERRACE_BLESS").is_some() {
            fs::write(corpus.join(name), format!("{state}\n")).expect("it can be written");
        }
        let kept = fs::read_to_string(corpus.join(name)).unwrap_or_default();
        assert_eq!(kept.trim_end(), state, "{name}: TERRACE_BLESS=1 writes it anew");
    }
}
