//! What a user would pick instead of Terrace, in the same harness: see README.md.

mod book;
mod engines;
mod population;
mod race;
mod report;
mod rings;

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use terrace::command::MarginMode;

/// Terrace beside what a user would pick instead: the same accounts, marks and machine, in turn.
#[derive(Parser)]
struct Args {
    /// A tenth of the accounts, and few rounds: half a minute
    #[arg(long)]
    quick: bool,

    /// Accounts; by default 1 000 000, with --quick 100 000
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(200..=10_000_000))]
    accounts: Option<u64>,

    /// Rounds; medians are taken over them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000))]
    rounds: Option<u64>,

    /// One part alone: `cross` or `isolated` accounts, or `rings`
    #[arg(long, value_name = "WHAT", value_parser = ["cross", "isolated", "rings"])]
    only: Option<String>,

    /// Write the rows as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Rounds of the rings for one of the engines, and what is in each.
const RING_ROUNDS: usize = 5;
const TRIPS: u64 = 20_000;
const ITEMS: u64 = 200_000;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(path) = &args.json {
        // Before the work, not after it.
        if let Err(error) = std::fs::write(path, "[]\n") {
            eprintln!("{}: cannot be written: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    let accounts = args.accounts.unwrap_or(if args.quick { 100_000 } else { 1_000_000 }) / 2 * 2;
    let rounds = args.rounds.map_or(if args.quick { 3 } else { 7 }, |rounds| rounds as usize);
    let wants = |what: &str| args.only.as_deref().is_none_or(|only| only == what);
    let mut rows = Vec::new();
    for (what, mode) in [("cross", MarginMode::Cross), ("isolated", MarginMode::Isolated)] {
        if wants(what) {
            let own = race::race(accounts, mode, rounds);
            report::print(&format!("{accounts} accounts × 3 positions, {what}; ratios are to Terrace"), &own);
            rows.extend(own);
        }
    }
    if wants("rings") {
        // Many short rounds: the machine's moods last longer than one.
        let own = rings::race(rounds * RING_ROUNDS, TRIPS, ITEMS);
        report::print("Rings, 56 bytes, two pinned threads; ratios are to Terrace", &own);
        rows.extend(own);
    }
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&rows).expect("rows are plain") + "\n";
        if let Err(error) = std::fs::write(path, text) {
            eprintln!("{}: cannot be written: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
