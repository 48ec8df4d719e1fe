//! `terrace simulate`: the whole system from a seed, with everything going wrong that may.

use indicatif::ProgressBar;
use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use terrace::simulate::{self, Kind, Report, STEPS, Settings, Shown};

/// What is simulated.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// From this seed.
    #[arg(long, value_name = "N", required_unless_present = "seeds", conflicts_with = "seeds")]
    seed: Option<u64>,

    /// From each of these seeds, without the last.
    #[arg(long, value_name = "A..B", value_parser = range)]
    seeds: Option<Range<u64>>,

    /// The inputs of these lines, as a matching engine streams them, through an engine with a journal.
    #[arg(long, conflicts_with = "script")]
    streams: bool,

    /// Things that happen in each.
    #[arg(long, value_name = "K", default_value_t = STEPS, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,

    /// Write the lines that took effect, as a script for `terrace exec`.
    #[arg(long, value_name = "FILE", conflicts_with = "seeds")]
    script: Option<PathBuf>,

    /// Write what it came to as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let expected = || format!("expected A..B with A below B, as 1..100; not {text:?}");
    let (from, to) = text.split_once("..").ok_or_else(expected)?;
    let (from, to) = (from.parse().map_err(|_| expected())?, to.parse().map_err(|_| expected())?);
    if from < to { Ok(from..to) } else { Err(expected()) }
}

/// Simulates, and prints what it came to; what was violated goes to standard error, each with the command that shows it again.
pub(super) fn run(args: &Args) -> Result<(), String> {
    let seeds = match (&args.seeds, args.seed) {
        (Some(seeds), _) => seeds.clone(),
        (None, Some(u64::MAX)) => return Err(format!("seeds are less than {}", u64::MAX)),
        (None, Some(seed)) => seed..seed + 1,
        (None, None) => return Err("either --seed or --seeds is needed".to_owned()),
    };
    let write = |path: &Option<PathBuf>, text: &str| {
        let Some(path) = path else { return Ok(()) };
        fs::write(path, text).map_err(|error| format!("{}: cannot be written: {error}", path.display()))
    };
    write(&args.json, "")?; // before the work, not after it
    write(&args.script, "")?;
    let bar = ProgressBar::new(seeds.end - seeds.start); // draws nothing where standard error is no terminal
    let (mut report, mut script) = (Report::default(), Vec::new());
    for seed in seeds {
        let kind = if args.streams { Kind::Stream } else { Kind::Lines };
        let settings = Settings { kind, steps: args.steps, ..Settings::of_seed(seed) };
        let one = simulate::run(settings, &mut |shown| {
            match shown {
                Shown::Line(line, _) if args.script.is_some() => script.push(format!("{line}\n")),
                Shown::Line(..) => {}
                Shown::Left(lines) => script.truncate(lines),
            }
            Ok(())
        });
        bar.suspend(|| one.violations.iter().for_each(|violation| eprintln!("{violation}")));
        report.add(one);
        bar.inc(1);
    }
    bar.finish_and_clear();
    write(&args.json, &report.json())?;
    write(&args.script, &script.concat())?;
    super::print(&report.to_string())?;
    if let (Some(file), Some(seed)) = (&args.script, args.seed) {
        let (rules, preset) = Settings::of_seed(seed).begins_with();
        let preset = preset.map_or_else(String::new, |name| format!(" --preset {name}"));
        super::print(&format!("script        terrace exec --rules {rules}{preset} {}\n", file.display()))?;
    }
    match report.violations.len() {
        0 => Ok(()),
        violations => Err(format!("{violations} of {} simulations went wrong", report.seeds)),
    }
}
