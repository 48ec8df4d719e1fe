//! Simulations: what they find, that they say the same again, and that planted faults are seen.

mod reference;

use reference::Reference;
use serde_json::Value;
use std::process::Command;
use terrace::RuleVersion;
use terrace::journal::Durability;
use terrace::simulate::{Kind, Planted, Report, Settings, Shown, run};

/// So many seeds in every run of the tests: the budget is 20 seconds of a debug build; `TERRACE_SEEDS` asks for more.
const SEEDS: u64 = 400;

fn seeds() -> u64 {
    std::env::var("TERRACE_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS)
}

fn simulate(settings: Settings) -> Report {
    run(settings, &mut |_| Ok(()))
}

/// What the simulations of a run must have met, or they have tested nothing.
const EXPECTED: &[&str] = &[
    "bit: turned in what is kept, refused",
    "bit: turned in a snapshot, passed over",
    "bit: turned in what was never forced",
    "crash: answers given before they were kept",
    "crash: machine",
    "crash: process",
    "crash: while going on",
    "crash: within an operation of the disk",
    "disk: an operation fails",
    "disk: full",
    "feed: late",
    "feed: lying",
    "feed: twice",
    "journal: stalled",
    "network: lost",
    "network: out of order",
    "network: twice",
    "snapshot: not made",
    "stall: process",
    "stop: orderly",
    "tail: torn, cut",
    "venue: an answer twice",
    "venue: no answer",
    "venue: out of order",
    "venue: slow",
    "venue: unknown",
];

#[test]
fn nothing_that_was_answered_is_lost_and_nothing_is_done_twice() {
    let mut all = Report::default();
    for seed in 0..seeds() {
        all.add(simulate(Settings::of_seed(seed)));
    }
    println!("{all}");
    let violations: Vec<String> = all.violations.iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
    assert_eq!(all.lost, 0);
    assert!(all.repeated > 5 * all.seeds && all.crashes > 5 * all.seeds && all.liquidations > 5 * all.seeds, "{all}");
    assert!(all.failovers > all.seeds / 2 && all.fenced > all.seeds / 8, "{all}");
    assert!(all.on_workers > 2 * all.seeds && all.from_snapshots > all.seeds, "{all}");
    for kind in EXPECTED {
        assert!(all.faults.contains_key(kind), "no {kind}:\n{all}");
    }
}

/// The same inputs as a stream, in which decisions fall anywhere.
#[test]
fn a_stream_is_what_its_journal_comes_to() {
    let mut all = Report::default();
    for seed in 0..seeds() / 4 {
        all.add(simulate(Settings { kind: Kind::Stream, ..Settings::of_seed(seed) }));
    }
    println!("{all}");
    let violations: Vec<String> = all.violations.iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
    assert!(all.acknowledged > 100 * all.seeds && all.liquidations > 5 * all.seeds, "{all}");
    assert!(all.crashes > all.seeds && all.on_workers > 2 * all.seeds, "{all}");
    assert!(all.from_snapshots > all.seeds / 2 && all.fenced > all.seeds / 4, "{all}");
    for kind in ["crash: while going on", "stop: orderly", "stream: back-pressure", "tail: torn, cut"] {
        assert!(all.faults.contains_key(kind), "no {kind}:\n{all}");
    }
}

/// The slow model of `tests/reference` says the same of every line that took effect.
#[test]
fn the_reference_comes_to_the_same() {
    let mut acknowledged = 0;
    for seed in 1_000..1_000 + seeds() / 8 {
        let rules = if seed.is_multiple_of(2) { RuleVersion::NEWEST } else { RuleVersion::OLDEST };
        let durability = Some(Durability::Sync);
        let mut reference = Reference::under(rules.number().into());
        let settings =
            Settings { steps: 1_500, presets: false, rules: Some(rules), durability, ..Settings::of_seed(seed) };
        let report = run(settings, &mut |shown| {
            let Shown::Line(line, answer) = shown else { return Err("answers wait for the disk".to_owned()) };
            let expected = reference.line(line).into_iter().map(without_reason);
            let said =
                answer.lines().map(|line| without_reason(serde_json::from_str(line).expect("every line is JSON")));
            let (expected, said): (Vec<Value>, Vec<Value>) = (expected.collect(), said.collect());
            if expected != said {
                return Err(format!("{line}\nkernel:    {said:?}\nreference: {expected:?}"));
            }
            reference.check()
        });
        assert_eq!(report.violations, [], "seed {seed}");
        acknowledged += report.acknowledged;
    }
    assert!(acknowledged > 20 * seeds(), "{acknowledged} lines");
}

/// The reason of a rejection is prose: only its code is compared.
fn without_reason(mut event: Value) -> Value {
    if event["ev"] == "rejected" {
        event["reason"] = Value::Null;
    }
    event
}

#[test]
fn a_seed_says_all() {
    for kind in [Kind::Lines, Kind::Stream] {
        for seed in [3, 4] {
            let settings = Settings { kind, steps: 1_500, ..Settings::of_seed(seed) };
            assert_eq!(simulate(settings), simulate(settings));
            assert_ne!(simulate(settings).digest, simulate(Settings { seed: seed + 10, ..settings }).digest);
        }
    }
}

/// What took effect is a script, whatever crashes undid meanwhile: `exec` answers it in the same way, begun under the same rules.
#[test]
fn what_took_effect_is_a_script() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("script.jsonl");
    let (mut old, mut undone) = (0, 0);
    for seed in 0..24 {
        let settings = Settings { steps: 1_500, ..Settings::of_seed(seed) };
        let mut lines: Vec<(String, String)> = Vec::new();
        let report = run(settings, &mut |shown| {
            match shown {
                Shown::Line(line, answer) => lines.push((line.to_owned(), answer.to_owned())),
                Shown::Left(left) => lines.truncate(left),
            }
            Ok(())
        });
        let (rules, preset) = settings.begins_with();
        old += u32::from(rules < RuleVersion::NEWEST);
        undone += report.undone;
        let script: Vec<&str> = lines.iter().map(|(line, _)| line.as_str()).collect();
        std::fs::write(&file, script.join("\n")).unwrap();
        let preset = preset.map_or_else(Vec::new, |name| vec!["--preset".to_owned(), name.to_owned()]);
        let mut exec = Command::new(env!("CARGO_BIN_EXE_terrace"));
        exec.args(["exec", "--rules", &rules.to_string()]).args(preset).arg(&file);
        let said = String::from_utf8(exec.output().unwrap().stdout).unwrap();
        let expected: String = lines.iter().map(|(_, answer)| answer.as_str()).collect();
        assert!(said == expected, "seed {seed}");
    }
    assert!(old > 0 && undone > 0, "{old} under old rules, {undone} undone");
}

/// A disk that says that it has forced what it has not: nothing helps, but it is seen, and shown again by what is printed.
#[test]
fn a_disk_that_lies_is_seen() {
    let lied = |seed| simulate(Settings { planted: Planted::LyingDisk, ..Settings::of_seed(seed) });
    let reports: Vec<Report> = (0..10).map(lied).collect();
    let of_streams = |seed| Settings { kind: Kind::Stream, planted: Planted::LyingDisk, ..Settings::of_seed(seed) };
    let streams = (0..10).map(|seed| simulate(of_streams(seed)));
    assert!(streams.map(|report| report.lost).sum::<u64>() > 0, "a loss is seen in streams, too");
    let seen = reports.iter().find(|report| report.lost > 0).expect("a loss is seen");
    let violation = &seen.violations[0];
    assert!(violation.to_string().starts_with(&format!("terrace simulate --seed {} --steps ", violation.seed)));
    let settings = Settings { steps: violation.step, planted: Planted::LyingDisk, ..Settings::of_seed(violation.seed) };
    assert_eq!(&simulate(settings), seen, "the steps that are printed show it again");
}

/// A disk that remembers names which are gone: a process that was taken over from does not find out, and that is seen.
#[test]
fn a_process_that_is_not_fenced_is_seen() {
    let stale = |seed| simulate(Settings { planted: Planted::StaleNames, ..Settings::of_seed(seed) });
    let reports: Vec<Report> = (0..10).map(stale).collect();
    let seen = reports.iter().find(|report| report.lost > 0).expect("it is seen");
    assert!(seen.violations[0].what.contains("taken over from"), "{}", seen.violations[0]);
    assert!(reports.iter().all(|report| report.fenced == 0), "nobody is fenced");
    let of_streams = |seed| Settings { kind: Kind::Stream, planted: Planted::StaleNames, ..Settings::of_seed(seed) };
    let streams: Vec<Report> = (0..10).map(|seed| simulate(of_streams(seed))).collect();
    let seen: Vec<&str> = streams.iter().flat_map(|report| &report.violations).map(|seen| &seen.what[..]).collect();
    assert!(seen.iter().any(|what| what.starts_with("taken over from at input")), "{seen:?}");
    assert!(streams.iter().all(|report| report.fenced == 0), "nobody is fenced");
}

fn terrace(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_terrace")).arg("simulate").args(arguments).output();
    let output = output.expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_program_counts_what_it_simulated() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("report.json");
    let file = file.to_str().expect("a path in UTF-8");
    let (code, said, errors) = terrace(&["--seeds", "5..9", "--steps", "800", "--json", file]);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{said}");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(file).expect("a report")).expect("JSON");
    assert_eq!((&report["seeds"], &report["steps"]), (&4.into(), &3_200.into()));
    assert_eq!((&report["lost"], &report["violations"]), (&0.into(), &Value::Array(Vec::new())));
    for name in ["lines", "events", "crashes", "failovers", "acknowledged", "repeated"] {
        assert!(report[name].as_u64().expect(name) > 0, "{name}: {report}");
    }
    assert!(report["faults"].as_object().is_some_and(|faults| !faults.is_empty()));
    assert!(said.contains("violations    0"), "{said}");
    let (_, one, _) = terrace(&["--seed", "5", "--steps", "800"]);
    assert_eq!(terrace(&["--seed", "5", "--steps", "800"]).1, one);
}

#[test]
fn what_was_typed_wrongly_is_told() {
    let all: [(&[&str], &str); 6] = [
        (&[], "--seed"),
        (&["--seed", "1", "--seeds", "1..2"], "cannot be used with"),
        (&["--seeds", "7"], "expected A..B"),
        (&["--seeds", "7..7"], "expected A..B"),
        (&["--seed", "-1"], "-1"),
        (&["--seed", "1", "--steps", "0"], "0"),
    ];
    for (arguments, expected) in all {
        let (code, said, errors) = terrace(arguments);
        assert_eq!((code, said.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
    let (code, _, errors) = terrace(&["--seed", "1", "--json", "/nowhere/report.json"]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("/nowhere/report.json: cannot be written"), "{errors}");
}
