//! From tick to order over a world of a million accounts, beside what the machine can do at all: bare exchanges between the
//! same two cores, in the same run, round by round.
//!
//! | case | |
//! |---|---|
//! | `cold` | a tick that puts one pool in breach, after fills of other accounts have pushed it out of the caches |
//! | `warm` | the same without the fills |
//! | `inline` | as `cold`, on one thread through the kernel itself |
//! | `calm` | ticks that cross nothing, as fast as they go through, beside the bare ring |
//! | `checks` | order checks of accounts with one, four and a hundred positions, each right behind ticks and a crossing |
//! | `funding` | ticks while a settlement of the first instrument is booked, beside ticks without one |
//! | `load` | ticks and crossings at planned times, at rates up to the one that collapses |
//! | `stages` | published → taken → decided → queued → order out, and the arbiter: stamped, so slower than it is |
//! | `journal` | calm ticks, tick to order and input to acknowledgement without a journal and with one of each durability |
//!
//! `cargo bench --bench latency [-- CASE...]`; without a name all of them. Settings by environment:
//! `TERRACE_BENCH_ACCOUNTS` (1 000 000), `_ROUNDS` (5), `_SAMPLES` a round (400), `_FILLS` before each crossing (256),
//! `_IDLE_US` between the fills and the crossing (20), `_OUT` where results go (perf/results/DATE). Percentiles are kept as
//! `.hgrm`, rounds as an interval log `.hlog`, both as HdrHistogram reads them.

mod cases;
mod journal;
mod output;

use cases::{Case, Run};
use output::Output;
use std::process::ExitCode;
use terrace::bench::machine::Cores;

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(format!("TERRACE_BENCH_{name}"))
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("TERRACE_BENCH_{name} is not a number: {text}")))
}

fn main() -> ExitCode {
    let Some(cores) = Cores::first_two() else {
        eprintln!("latency: two cores are needed");
        return ExitCode::FAILURE;
    };
    let named: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let cases: Vec<Case> =
        Case::ALL.into_iter().filter(|case| named.is_empty() || named.iter().any(|name| name == case.name())).collect();
    if cases.is_empty() {
        eprintln!("latency: no such case: {named:?}");
        return ExitCode::from(2);
    }
    let done = Run::new(cores).and_then(|run| {
        let mut output = Output::open()?;
        run.all(&cases, &mut output)?;
        output.close()
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("latency: {error}");
            ExitCode::FAILURE
        }
    }
}
