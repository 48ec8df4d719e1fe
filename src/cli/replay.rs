//! `terrace replay`: what was typed, the files it names, and the progress bar.

use super::threads::{DriverArg, ThreadArgs};
use super::{StrategyArg, print};
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use terrace::replay::{self, Data, Driver, Population, Progress, Settings, Shock, Speed, Venue, population};
use terrace::serve::Shown;
use terrace::ticks::{Format, Input};

/// The bare run's shock: deep and fast enough that every level of the terrace is seen.
const DEFAULT_SHOCK: &str = "BTCUSDT:-12%@30s/20s";

/// The largest population that is generated: beyond it no machine of today has the memory.
const MAX_ACCOUNTS: u64 = 50_000_000;

/// What to replay.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Market data: files, merged by time, plain or packed (gzip, zstd, zip); by default the embedded three minutes of
    /// BTCUSDT, ETHUSDT and SOLUSDT. SYMBOL=FILE names the symbol where rows do not
    #[arg(long, value_name = "FILE", num_args = 1..)]
    ticks: Vec<String>,

    /// Format of the files given; by default told by header and name
    #[arg(long, requires = "ticks")]
    format: Option<Format>,

    /// Accounts of the generated population
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(..=MAX_ACCOUNTS))]
    accounts: u64,

    /// Seed of the generated population
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// How many percent of the generated accounts are in hedge mode, with both legs in most of their instruments
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=100))]
    hedge: u64,

    /// How many percent of the generated instruments, rounded up, are inverse perpetuals, margined and settled in their
    /// own coin: the first ones by symbol
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=100))]
    inverse: u64,

    /// A population in protocol form, JSON Lines, with its instruments: a venue's book at a point in time
    #[arg(long, value_name = "FILE", conflicts_with_all = ["accounts", "seed", "hedge", "inverse"])]
    accounts_file: Option<PathBuf>,

    /// Where liquidation orders go: `book`, best level real and deeper ones made, or `mark`, filled in full
    #[arg(long, value_enum, default_value_t = VenueArg::Book)]
    venue: VenueArg,

    /// Where marks come from: `given` by the data, or `computed` from it: the median of index with funding, index with
    /// mean basis, and last price, the index being the middle of the best bid and ask
    #[arg(long, value_enum, default_value_t = MarksArg::Given, conflicts_with = "accounts_file")]
    marks: MarksArg,

    /// A price path laid over the real one, SYMBOL:PERCENT%@START/DURATION; may be given several times.
    /// On the embedded data, by default BTCUSDT:-12%@30s/20s: from 30 s after the first tick, over 20 s, to -12 %
    #[arg(long, value_name = "SHOCK", allow_hyphen_values = true)]
    shock: Vec<Shock>,

    /// No shock: real prices only
    #[arg(long, conflicts_with = "shock")]
    no_shock: bool,

    /// Shards of the kernel, of which each is a worker's; by default 1 inline, and threaded one for each core that is left
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    shards: Option<u32>,

    /// How breaches are found; it never shows in an event
    #[arg(long, value_enum, default_value_t = StrategyArg::Adaptive)]
    strategy: StrategyArg,

    /// Who runs the kernel; threads record what they do, and the record is gone through inline, with an equal log
    #[arg(long, value_enum, default_value_t = DriverArg::Threaded)]
    driver: DriverArg,

    #[command(flatten)]
    threads: ThreadArgs,

    /// `max`, `real`, or a factor such as `10x`
    #[arg(long, default_value_t = Speed::Max)]
    speed: Speed,

    /// Skip and count bad lines instead of stopping at the first
    #[arg(long)]
    skip_bad: bool,

    /// Record the sequence in a journal: inputs, decisions, and what the venue answered
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,

    /// Go through a journal inline instead: every outcome is recomputed, and no fill simulated
    #[arg(long, value_name = "DIR", conflicts_with_all = ["ticks", "accounts", "seed", "hedge", "inverse", "accounts_file", "shock", "no_shock", "venue", "marks", "driver", "speed", "skip_bad", "json", "report", "journal"])]
    from_journal: Option<PathBuf>,

    /// Write the outcome as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write a report: one HTML page that needs nothing else, with charts of prices, liquidations, funds, deleveraging,
    /// margin ratios and latency
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Write the event log, JSON Lines
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,

    /// Show progress and events while it runs, for Prometheus: `GET /metrics` is answered there
    #[arg(long, value_name = "IP:PORT", conflicts_with = "from_journal")]
    metrics: Option<SocketAddr>,

    /// Print what the population is drawn from, and do nothing else
    #[arg(long)]
    describe_population: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum MarksArg {
    Given,
    Computed,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum VenueArg {
    Book,
    Mark,
}

/// Replays, and prints the summary.
///
/// # Errors
///
/// A message for people, with file and line where there are any.
pub fn run(args: &Args) -> Result<(), String> {
    if args.describe_population {
        return print(&population::describe());
    }
    let mut events = args.events.as_deref().map(create).transpose()?;
    if let Some(directory) = &args.from_journal {
        let log = events.as_mut().map(|file| file as &mut dyn Write);
        let report = replay::from_journal(directory, args.shards.unwrap_or(1), args.strategy.into(), log);
        return print(&report.map_err(|error| error.to_string())?.to_string());
    }
    let json = args.json.as_deref().map(create).transpose()?; // before the work, not after it
    let report = args.report.as_deref().map(create).transpose()?;
    let mut bar = Bar::default();
    let log = events.as_mut().map(|file| file as &mut dyn Write);
    let shown = args.metrics.map(Shown::at).transpose().map_err(|error| error.to_string())?;
    let outcome = match &shown {
        None => replay::run(&args.settings()?, log, &mut |progress| bar.show(progress)),
        Some(shown) => {
            eprintln!("terrace: metrics at http://{}/metrics", shown.address());
            let mut log = shown.events(log);
            replay::run(&args.settings()?, Some(&mut log), &mut |progress| {
                if let Progress::Replaying { done, total } = progress {
                    shown.rows(done, total);
                }
                bar.show(progress);
            })
        }
    };
    bar.clear();
    let outcome = outcome.map_err(|error| error.to_string())?;
    if let (Some(file), Some(path)) = (json, &args.json) {
        write(file, path, &outcome.to_json())?;
    }
    if let (Some(file), Some(path)) = (report, &args.report) {
        let arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
        let page = outcome.to_html(&super::typed(arguments)).map_err(|error| format!("the report: {error}"))?;
        write(file, path, &page)?;
    }
    print(&outcome.to_string())
}

impl Args {
    /// What the arguments mean.
    fn settings(&self) -> Result<Settings, String> {
        let input = |argument: &String| Input { format: self.format, ..Input::from(argument.as_str()) };
        let data =
            if self.ticks.is_empty() { Data::Embedded } else { Data::Files(self.ticks.iter().map(input).collect()) };
        let default_shock =
            self.shock.is_empty() && !self.no_shock && data == Data::Embedded && self.accounts_file.is_none();
        let shocks = if default_shock {
            vec![DEFAULT_SHOCK.parse().map_err(|error| format!("the default shock: {error}"))?]
        } else {
            self.shock.clone()
        };
        Ok(Settings {
            data,
            population: match &self.accounts_file {
                Some(path) => Population::File(path.clone()),
                None => Population::Generated {
                    accounts: self.accounts,
                    seed: self.seed,
                    hedge_percent: self.hedge,
                    inverse_percent: self.inverse,
                },
            },
            venue: match self.venue {
                VenueArg::Book => Venue::Book,
                VenueArg::Mark => Venue::Mark,
            },
            computed_marks: matches!(self.marks, MarksArg::Computed),
            shocks,
            shards: self.shards.unwrap_or(1),
            strategy: self.strategy.into(),
            speed: self.speed,
            skip_bad: self.skip_bad,
            driver: match self.driver {
                DriverArg::Inline => Driver::Inline,
                DriverArg::Threaded => Driver::Threaded(self.threads.layout(self.shards)),
            },
            journal: self.journal.clone(),
            keep_course: self.report.is_some(),
        })
    }
}

fn create(path: &Path) -> Result<BufWriter<File>, String> {
    let file = File::create(path).map_err(|error| format!("{}: cannot be created: {error}", path.display()))?;
    Ok(BufWriter::new(file))
}

fn write(mut file: BufWriter<File>, path: &Path, text: &str) -> Result<(), String> {
    let written = file.write_all(text.as_bytes()).and_then(|()| file.flush());
    written.map_err(|error| format!("{}: cannot be written: {error}", path.display()))
}

/// A progress bar on standard error; `indicatif` draws none where that is not a terminal.
#[derive(Default)]
struct Bar {
    bar: Option<(ProgressBar, bool)>,
}

impl Bar {
    fn show(&mut self, progress: Progress) {
        let (done, total, replaying) = match progress {
            Progress::Loading { done, total } => (done, total, false),
            Progress::Replaying { done, total } => (done, total, true),
        };
        if self.bar.as_ref().is_none_or(|(_, of)| *of != replaying) {
            self.clear();
            self.bar = Some((new_bar(total, if replaying { "ticks" } else { "accounts" }), replaying));
        }
        if let Some((bar, _)) = &self.bar {
            bar.set_position(done);
        }
    }

    fn clear(&mut self) {
        if let Some((bar, _)) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn new_bar(total: Option<u64>, what: &'static str) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (ProgressBar::new(total), "{wide_bar} {human_pos}/{human_len} {msg}, {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {human_pos} {msg} in {elapsed}"),
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_message(what)
}
