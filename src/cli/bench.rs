//! `terrace bench`: what was typed, and where the figures go.

use indicatif::ProgressBar;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use terrace::bench::{self, BenchSettings, Extent, MAX_ACCOUNTS, Part, Workload};

/// What is measured.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Accounts of the worlds that are raced; by default 100 000, with --quick 20 000, with --full 1 000 000
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=MAX_ACCOUNTS))]
    accounts: Option<u64>,

    /// Only these workloads: calm, embedded, mixed10, mixed50, burst, gap, crash; else all, and the other figures too
    #[arg(long, value_name = "NAME", num_args = 1.., value_parser = workload)]
    workload: Vec<Workload>,

    /// Only this part: scale, strategies or october; october alone has the published size, unless --accounts says otherwise
    #[arg(long, value_name = "PART", value_parser = part, conflicts_with = "workload")]
    only: Option<Part>,

    /// Seed of worlds and workloads
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// In twenty seconds at most
    #[arg(long, conflicts_with = "full")]
    quick: bool,

    /// All figures, up to ten million accounts: a quarter of an hour, and 8 GB of memory
    #[arg(long)]
    full: bool,

    /// Write every figure beside its reference as JSON, and raw samples into FILE.samples beside it
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Print what worlds are drawn from, and do nothing else
    #[arg(long)]
    describe_world: bool,
}

fn workload(name: &str) -> Result<Workload, String> {
    Workload::named(name).ok_or_else(|| {
        let names: Vec<String> = Workload::ALL.into_iter().map(Workload::name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

fn part(name: &str) -> Result<Part, String> {
    match name {
        "scale" => Ok(Part::Scale),
        "strategies" => Ok(Part::Strategies),
        "october" => Ok(Part::October),
        _ => Err("expected one of scale, strategies, october".to_owned()),
    }
}

/// Measures, and prints a table.
///
/// # Errors
///
/// A message for people.
pub fn run(args: &Args) -> Result<(), String> {
    if args.describe_world {
        return super::print(&bench::describe());
    }
    if let Some(path) = &args.json {
        write(path, "")?; // before the work, not after it
    }
    let extent = match (args.quick, args.full) {
        (true, _) => Extent::Quick,
        (false, true) => Extent::Full,
        (false, false) => Extent::Usual,
    };
    let settings = BenchSettings {
        extent,
        accounts: args.accounts,
        seed: args.seed,
        workloads: args.workload.clone(),
        only: args.only,
    };
    let bar = ProgressBar::new_spinner(); // draws nothing where standard error is no terminal
    bar.enable_steady_tick(Duration::from_secs(1));
    let report = bench::run(&settings, &mut |what| bar.set_message(what.to_owned()));
    bar.finish_and_clear();
    let report = report.map_err(|error| error.to_string())?;
    if let Some(path) = &args.json {
        write(path, &report.rows_json())?;
        let mut beside = path.clone().into_os_string();
        beside.push(".samples");
        write(Path::new(&beside), &report.samples_json())?;
    }
    super::print(&report.to_string())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: cannot be written: {error}", path.display()))
}
