//! Worlds, workloads and what is told of them. Times are never asserted.

use std::process::Command as Program;
use std::time::Duration;
use terrace::bench::{RaceSettings, Rival, Workload, World, WorldSettings, october, race};
use terrace::event::Event;
use terrace::market::{FundId, InstrumentId};
use terrace::{Command, Strategy};

fn settings(accounts: u64) -> WorldSettings {
    WorldSettings { accounts, instruments: 40, ..WorldSettings::default() }
}

fn build(settings: &WorldSettings) -> World {
    World::build(settings, &mut |_, _| {}).unwrap()
}

#[test]
fn a_world_is_balanced_and_nobody_is_in_breach() {
    let mut world = build(&settings(2_000));
    let kernel = &world.kernel;
    for (totals, index) in kernel.instrument_totals().iter().zip(0..) {
        assert_eq!(totals.long, totals.short, "instrument {index}");
    }
    assert!(kernel.asset_totals().iter().all(|totals| totals.difference() == 0));
    assert_eq!(kernel.overview().audit(0, kernel.pools()), 0);
    assert_eq!(kernel.overview().health().locked, 0);
    let totals = world.outline.totals;
    assert_eq!(kernel.positions() as u64, totals.positions);
    // Three to four positions in the mean, a quarter of the accounts in the head, some margins tight and some wide.
    assert!((3.0..4.5).contains(&(totals.positions as f64 / 2_000.0)), "{totals:?}");
    assert!((0.15..0.45).contains(&(totals.head as f64 / 2_000.0)), "{totals:?}");
    assert!(totals.orders > 50 && totals.isolated > 500, "{totals:?}");
    let (head, mark) = (InstrumentId(0), world.outline.marks[0]);
    let mut started = |price| {
        world.kernel.apply(&Command::Mark { instrument: head, price }).unwrap();
        let begins = |event: &&Event| matches!(event, Event::LiquidationStarted { .. });
        world.kernel.events().iter().filter(begins).count()
    };
    let falls = [1, 100, 2_000].map(|basis_points| started(mark - mark * basis_points / 10_000));
    assert!(falls[0] <= 2 && falls[1] > 0 && falls[2] > 100, "{falls:?}");
}

#[test]
fn a_world_follows_from_its_settings_alone() {
    let shown = |settings: &WorldSettings| {
        let World { kernel, outline } = build(settings);
        let accounts: Vec<_> = (1..=settings.accounts).map(|account| kernel.account(account).unwrap()).collect();
        (format!("{accounts:?}"), outline.marks, outline.totals)
    };
    let one = shown(&settings(300));
    assert_eq!(one, shown(&settings(300)));
    assert_eq!(one, shown(&WorldSettings { shards: 3, strategy: Strategy::Dense, ..settings(300) }));
    assert_ne!(one.0, shown(&WorldSettings { seed: 2, ..settings(300) }).0);
}

#[test]
fn a_fund_has_at_most_what_a_balance_may_be() {
    let World { kernel, outline } = build(&WorldSettings { fund_ppm: 1_000_000_000_000, ..settings(300) });
    assert!(outline.totals.open_interest * 1_000_000 > 1 << 62);
    assert_eq!(kernel.fund(FundId(0)).unwrap().balance, 1 << 61);
}

#[test]
fn bad_settings_are_named() {
    let error = |settings: WorldSettings| World::build(&settings, &mut |_, _| {}).unwrap_err().to_string();
    assert_eq!(error(settings(1)), "1 accounts: expected from 2 to 50000000");
    assert_eq!(error(WorldSettings { shards: 0, ..settings(10) }), "0 shards: expected at least 1");
    let none = WorldSettings { instruments: 0, ..settings(10) };
    assert_eq!(error(none), "0 instruments: expected from 1 to 4096");
}

#[test]
fn every_strategy_says_the_same_on_every_workload() {
    let workloads = [
        Workload::Calm { ticks: 9_000 },
        Workload::Embedded,
        Workload::Mixed { inputs: 3_000, percent: 10 },
        Workload::Mixed { inputs: 3_000, percent: 50 },
        Workload::Burst,
        Workload::Gap,
        Workload::Crash { steps: 20 },
    ];
    for workload in workloads {
        let settings = RaceSettings {
            world: settings(1_500),
            workload,
            strategies: Strategy::ALL.to_vec(),
            clairvoyant: true,
            repeats: 1,
            budget: Duration::MAX,
        };
        // Equal events are looked at by the race itself; here that it came to the end, and that something happened.
        let race = race(&settings, &mut |_| {}).unwrap();
        assert_eq!(race.entries.len(), 5);
        let bands = race.entry(Rival::Strategy(Strategy::Bands)).unwrap().run();
        for entry in &race.entries {
            let run = entry.run();
            assert_eq!((run.inputs, run.end().hash, run.counts), (run.of, bands.end().hash, bands.counts));
            assert_eq!(run.checkpoints.iter().map(|at| at.hash).collect::<Vec<_>>(), {
                bands.checkpoints.iter().map(|at| at.hash).collect::<Vec<_>>()
            });
        }
        assert!(bands.audits > 0);
        let liquidates = matches!(workload, Workload::Burst | Workload::Gap | Workload::Crash { .. });
        assert!(!liquidates || bands.counts.liquidations > 20, "{workload}: {:?}", bands.counts);
        assert!(!liquidates || bands.orders.is_some_and(|times| times.first_ns <= times.last_ns));
        let dense = race.entry(Rival::Strategy(Strategy::Dense)).unwrap().run();
        assert!(dense.work.evaluations >= bands.counts.liquidations);
    }
}

#[test]
fn workloads_follow_from_the_seed() {
    let world = build(&settings(500));
    let outline = &world.outline;
    for workload in Workload::ALL {
        let commands = || workload.commands(outline).unwrap().take(2_000).collect::<Vec<_>>();
        assert_eq!(commands(), commands());
        assert_eq!(Workload::named(&workload.name()), Some(workload));
    }
    let mixed = Workload::Mixed { inputs: 10_000, percent: 50 }.commands(outline).unwrap();
    let ticks = mixed.filter(|command| matches!(command, Command::Mark { .. })).count();
    assert!((4_700..5_300).contains(&ticks), "{ticks}");
    let fallen: Vec<_> = Workload::Crash { steps: 10 }.commands(outline).unwrap().collect();
    assert_eq!(fallen.len(), 10 * outline.marks.len());
    let last = Command::Mark { instrument: InstrumentId(0), price: outline.marks[0] * 85 / 100 };
    assert!(fallen.contains(&last));
}

#[test]
fn october_has_the_outline_that_was_published() {
    let script = october::generate(&october::world(6_000, 24, 1)).unwrap();
    let plays = Strategy::ALL.map(|strategy| october::play(&script, strategy).unwrap());
    let expected = october::expected(6_000);
    for played in &plays {
        assert_eq!(played.hash, plays[0].hash);
        // The counts by second are those of all events.
        let sum = |of: fn(&october::Fills) -> u64| played.fills.iter().map(of).sum::<u64>();
        assert_eq!(sum(|fills| fills.liquidation), played.counts.fills);
        assert_eq!(sum(|fills| fills.adl), played.counts.deleveraged);
        let worst = played.fills[played.worst()];
        for (found, expected) in [
            (worst.liquidation, expected.worst.liquidation),
            (worst.adl, expected.worst.adl),
            (played.counts.fills, expected.whole.liquidation),
            (played.counts.deleveraged, expected.whole.adl),
        ] {
            assert!(found.abs_diff(expected) <= expected / 5 + 10, "{found} for {expected}");
        }
    }
}

fn terrace(arguments: &[&str]) -> (bool, String, String) {
    let output = Program::new(env!("CARGO_BIN_EXE_terrace")).arg("bench").args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_program_writes_rows_with_all_fields() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("figures.json");
    let (fine, shown, said) = terrace(&["--quick", "--accounts", "1500", "--json", path.to_str().unwrap()]);
    assert!(fine, "{said}");
    for title in ["MACHINE", "SCALE", "STRATEGIES", "OCTOBER", "clairvoyant", "adaptive", "targets are met"] {
        assert!(shown.contains(title), "{title} is missing:\n{shown}");
    }
    let rows: Vec<serde_json::Value> = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let fields = ["figure", "met", "ratio", "reference", "spread", "target", "unit", "value", "what"];
    for row in &rows {
        let mut names: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, fields);
        assert!(row["value"].is_f64() && row["spread"].as_array().unwrap().len() == 2, "{row}");
        assert_eq!(row["target"].is_null(), row["met"].is_null(), "{row}");
    }
    for figure in ["2", "3", "4", "5", "10"] {
        assert!(rows.iter().any(|row| row["figure"] == figure), "figure {figure} is missing");
    }
    let samples = std::fs::read_to_string(directory.path().join("figures.json.samples")).unwrap();
    let samples: serde_json::Value = serde_json::from_str(&samples).unwrap();
    assert_eq!(samples["races"].as_array().unwrap().len(), Workload::ALL.len());
}

#[test]
fn bad_options_are_named() {
    for (arguments, expected) in [
        (&["--accounts", "1"][..], "1 is not in 2..=50000000"),
        (&["--workload", "quiet"], "expected one of calm, embedded, mixed10, mixed50, burst, gap, crash"),
        (&["--only", "november"], "expected one of scale, strategies, october"),
        (&["--quick", "--full"], "cannot be used with"),
        (&["--json", "/nowhere/at/all.json", "--workload", "gap"], "/nowhere/at/all.json: cannot be written"),
    ] {
        let (fine, shown, said) = terrace(arguments);
        assert!(!fine && shown.is_empty() && said.contains(expected), "{arguments:?}: {said}");
    }
}
