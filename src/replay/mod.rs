//! Replay: recorded market data over a population of accounts, through the real kernel.
//!
//! ```text
//!  ticks ──► shock ──► whole ticks and lots ──► Kernel ──► events ──► log, hash, tally
//!  (files,   (stated    (prices.rs, depth.rs)   book, last, mark      funds, audit, latency
//!  embedded)  path)
//! ```
//!
//! Everything that reaches the kernel, and the hash of its events, follows from the market data, the population and the
//! settings alone, by integer arithmetic: the same on every machine, for any number of shards and either strategy. Only
//! the times of the kernel's work differ.
//!
//! One row of market data is one tick, whatever it changes. Loading the population and setting the starting prices is
//! not part of the events: these count kernel inputs from 1, from the first tick on.

mod audit;
mod course;
mod depth;
mod embedded;
mod engine;
mod error;
mod figures;
mod funds;
mod import;
pub(crate) mod instruments;
mod journal;
mod json;
mod latency;
mod log;
mod outcome;
mod pace;
pub mod population;
mod prices;
pub(crate) mod random;
mod report;
mod settings;
mod shock;
mod start;
mod summary;
mod survey;
mod tally;
mod threads;

pub use audit::Audit;
pub use course::{Course, Ratios};
pub use depth::{LEVEL_PPB, MADE_LEVELS, REFILL_NS, SPACING_PPB};
pub(crate) use embedded::embedded;
pub use error::ReplayError;
pub use funds::{FundPoint, FundTrack};
pub use journal::{JournalReport, from_journal};
pub use latency::{Latency, QUANTILES};
pub use outcome::{InputReport, Outcome, PopulationReport, PriceRange, SymbolReport};
pub use report::ReportError;
pub use settings::{BadSpeed, Data, Driver, Population, Settings, Speed, Venue};
pub use shock::{BadShock, Shock, UNSHOCKED_PPB};
pub use tally::{Money, Tally};
pub use threads::ThreadReport;

use crate::engine::{EngineSettings, Shape};
use crate::market::InstrumentId;
use crate::ticks::{Tick, TickKind};
use course::RealMarks;
use depth::Books;
use engine::{Engine, Stop};
use journal::Journal;
use latency::Latency as Times;
use log::EventLog;
use pace::Pace;
use prices::{Sizes, SymbolPrices};
use start::Start;
use std::io::Write;
use std::time::Instant;
use threads::Threads;

/// How many refused ticks are kept as examples.
const EXAMPLES: usize = 3;

/// How many ticks pass between two reports of progress.
const PROGRESS_EVERY: u64 = 256;

/// How far a replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Accounts made, or lines of the accounts file read.
    Loading {
        /// So many.
        done: u64,
        /// Of so many, where known.
        total: Option<u64>,
    },
    /// Ticks carried out.
    Replaying {
        /// So many.
        done: u64,
        /// Of so many, where known.
        total: Option<u64>,
    },
}

/// Replays; the event log, as JSON Lines, also goes to `events`, and `progress` hears how far it is now and then.
///
/// # Errors
///
/// Market data or accounts that cannot be read or do not fit, naming file and line; settings that cannot be carried
/// out; an event log that cannot be written.
pub fn run(
    settings: &Settings,
    events: Option<&mut dyn Write>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome, ReplayError> {
    let settings = &match &settings.driver {
        Driver::Inline => settings.clone(),
        // One shard for each worker that there will be.
        Driver::Threaded(layout) => Settings { shards: Shape::choose(layout)?.workers, ..settings.clone() },
    };
    let setting = |what: String| ReplayError::Setting(what);
    let began = Instant::now();
    let start = start::start(settings, progress)?;
    let loading = began.elapsed();
    let latency = || Times::new().map_err(|error| setting(format!("the histograms: {error}")));
    let prices = symbol_prices(&start.kernel, settings);
    let input = InputReport { symbols: vec![SymbolReport::default(); start.names.len()], ..InputReport::default() };
    let observed = |kernel, log| {
        let course = settings.keep_course.then(|| Course::new(&kernel));
        Ok::<_, ReplayError>(Engine::new(kernel, settings.venue, log, latency()?, course))
    };
    let real = settings.keep_course.then(|| RealMarks::new(prices.len()));
    let Start { mut kernel, names, population } = start;
    let mut journal = Journal::begin(settings.journal.as_deref(), &mut kernel)?;
    let evaluated = kernel.work().evaluations;
    let began = Instant::now();
    let (engine, input, real, threads) = match &settings.driver {
        Driver::Inline => {
            let feed = Feed::Inline(Box::new(observed(kernel, EventLog::new(events))?));
            let mut run = Run { settings, feed, prices, input, real, journal: &mut journal };
            run.ticks(names, progress)?;
            let Run { feed: Feed::Inline(mut engine), input, real, .. } = run else {
                return Err(setting("no engine".into()));
            };
            journal.take(&mut engine.kernel)?;
            (*engine, input, real, None)
        }
        Driver::Threaded(layout) => {
            let books = Books::new(&kernel, settings.venue);
            let engine_settings =
                EngineSettings { layout: layout.clone(), record: true, stamps: true, ..EngineSettings::default() };
            let engine = crate::engine::Engine::start(kernel, &engine_settings)?;
            let threads = Threads::new(engine, engine_settings.ring, books, EventLog::new(events));
            let feed = Feed::Threads(Box::new(threads.map_err(|error| setting(format!("the histograms: {error}")))?));
            let mut run = Run { settings, feed, prices, input, real, journal: &mut journal };
            run.ticks(names, progress)?;
            let Run { feed: Feed::Threads(threads), input, real, .. } = run else {
                return Err(setting("no engine".into()));
            };
            let (record, rows, report) = threads.finish()?;
            journal.follow(&record)?;
            let again = start::start(settings, &mut |_| {})?.kernel;
            let mut engine = observed(again, EventLog::new(None))?;
            engine.retrace(&record, input.first_ns, &rows)?;
            (engine, input, real, Some(report))
        }
    };
    journal.finish()?;
    let mut engine = engine;
    engine.audit.all(&engine.kernel);
    let replaying = began.elapsed();
    let Engine { kernel, log, tally, latency, funds, audit, course, inputs, .. } = engine;
    let (hash, event_lines) = log.finish().map_err(ReplayError::Write)?;
    if let Some(report) = threads.as_ref().filter(|report| report.hash != hash) {
        return Err(ReplayError::LogsDiffer { threaded: report.hash, inline: hash });
    }
    Ok(Outcome {
        course: course.map(|course| course.finish(&kernel, real.unwrap_or_default())),
        settings: settings.clone(),
        market: kernel.market().clone(),
        population: PopulationReport { positions_left: kernel.positions() as u64, ..population },
        tally,
        funds: funds.finish(&kernel, input.last_ns.saturating_sub(input.first_ns)),
        differences: kernel.asset_totals().iter().map(crate::kernel::AssetTotals::difference).collect(),
        sides: kernel.instrument_totals(),
        input,
        audit,
        latency,
        evaluations: kernel.work().evaluations - evaluated,
        inputs,
        event_lines,
        hash,
        threads,
        loading,
        replaying,
    })
}

/// By instrument: its grids and shocks. The data of a generated population count the coin, whatever the contract; those
/// that come with an accounts file count what its instruments do.
fn symbol_prices(kernel: &crate::Kernel, settings: &Settings) -> Vec<SymbolPrices> {
    let generated = matches!(settings.population, Population::Generated { .. });
    let prices = |instrument: &crate::market::Instrument| {
        let spec = &instrument.spec;
        let own = settings.shocks.iter().filter(|shock| shock.symbol == spec.symbol).cloned().collect();
        let sizes = if generated && spec.unit.is_inverse() {
            let quantum = kernel.market().quanta(spec.settle);
            Sizes::Coins { quantum, contract: Box::new(instrument.clone()) }
        } else {
            Sizes::Lots(spec.lot)
        };
        SymbolPrices::new(spec.tick, sizes, own)
    };
    kernel.market().instruments.iter().map(prices).collect()
}

/// Where the ticks go.
enum Feed<'e> {
    Inline(Box<Engine<'e>>),
    Threads(Box<Threads<'e>>),
}

/// A replay under way.
struct Run<'s, 'e> {
    settings: &'s Settings,
    feed: Feed<'e>,
    /// By instrument, which is by number of the symbol.
    prices: Vec<SymbolPrices>,
    input: InputReport,
    /// If the course is kept.
    real: Option<RealMarks>,
    journal: &'s mut Journal,
}

impl Run<'_, '_> {
    /// All ticks; `names` are the symbols by instrument.
    fn ticks(&mut self, names: Vec<String>, progress: &mut dyn FnMut(Progress)) -> Result<(), ReplayError> {
        let mut source = survey::open(&self.settings.data, Some(names), self.settings.skip_bad)?;
        let total = (self.settings.data == Data::Embedded).then_some(survey::EMBEDDED_TICKS);
        let pace = Pace::new(self.settings.speed);
        let mut first_ns = None;
        while let Some(tick) = source.next().transpose()? {
            self.input.first_ns = *first_ns.get_or_insert(tick.ts_ns);
            let elapsed_ns = tick.ts_ns.saturating_sub(self.input.first_ns);
            self.wait(&pace, elapsed_ns)?;
            self.tick(&tick, elapsed_ns)?;
            if self.input.ticks.is_multiple_of(PROGRESS_EVERY) {
                match &mut self.feed {
                    Feed::Inline(engine) => self.journal.take(&mut engine.kernel)?,
                    Feed::Threads(threads) => self.journal.follow(threads.record())?,
                }
                progress(Progress::Replaying { done: self.input.ticks, total });
            }
        }
        progress(Progress::Replaying { done: self.input.ticks, total: Some(self.input.ticks) });
        self.input.skipped = source.skipped().clone();
        if self.input.ticks == 0 { Err(ReplayError::NoPrice) } else { Ok(()) }
    }

    /// Until the tick's time; threads are polled meanwhile.
    fn wait(&mut self, pace: &Pace, elapsed_ns: u64) -> Result<(), ReplayError> {
        match &mut self.feed {
            Feed::Inline(_) => pace.wait(elapsed_ns),
            Feed::Threads(threads) => {
                while !pace.left(elapsed_ns).is_zero() {
                    threads.poll()?;
                    std::thread::yield_now();
                }
            }
        }
        Ok(())
    }

    fn tick(&mut self, tick: &Tick, elapsed_ns: u64) -> Result<(), ReplayError> {
        let at = usize::from(tick.symbol);
        let id = InstrumentId(u32::from(tick.symbol));
        let Some(change) = self.prices[at].change(tick, elapsed_ns) else {
            return self.refused(tick, crate::Refusal::Overflow { what: "the price" });
        };
        let carried_out = match &mut self.feed {
            Feed::Inline(engine) => {
                let lines = engine.log.lines();
                let carried_out = engine.carry_out(tick.ts_ns, id, &change);
                engine.after_tick(elapsed_ns, self.input.ticks + 1, engine.log.lines() != lines);
                carried_out
            }
            Feed::Threads(threads) => threads.carry_out(tick.ts_ns, id, &change),
        };
        match carried_out {
            Ok(()) => self.count(tick, &change, at),
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Refused(refusal)) => self.refused(tick, refusal)?,
        }
        Ok(())
    }

    fn count(&mut self, tick: &Tick, change: &prices::Change, at: usize) {
        self.input.ticks += 1;
        self.input.last_ns = tick.ts_ns;
        match tick.kind {
            TickKind::Quote { .. } => self.input.quotes += 1,
            TickKind::Trade { .. } => self.input.trades += 1,
            TickKind::Mark { .. } => self.input.marks += 1,
        }
        let symbol = &mut self.input.symbols[at];
        symbol.ticks += 1;
        if let (Some(mark), Some(real)) = (change.mark, change.real_mark) {
            symbol.real.add(real);
            symbol.shocked.add(mark);
            if let Some(marks) = &mut self.real {
                marks.add(at, tick.ts_ns.saturating_sub(self.input.first_ns), real);
            }
        }
    }

    /// A tick that the kernel refuses is a bad line like any other, but only its time and symbol are known here.
    fn refused(&mut self, tick: &Tick, refusal: crate::Refusal) -> Result<(), ReplayError> {
        let market = match &self.feed {
            Feed::Inline(engine) => engine.kernel.market(),
            Feed::Threads(threads) => threads.market(),
        };
        let symbol = &market.instruments[usize::from(tick.symbol)].spec.symbol;
        let error = ReplayError::Refused { what: format!("the tick of {symbol} at {} ns", tick.ts_ns), refusal };
        if !self.settings.skip_bad {
            return Err(error);
        }
        self.input.refused += 1;
        if self.input.refused_examples.len() < EXAMPLES {
            self.input.refused_examples.push(error.to_string());
        }
        Ok(())
    }
}
