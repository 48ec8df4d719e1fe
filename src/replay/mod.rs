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
mod depth;
mod engine;
mod error;
mod funds;
mod import;
mod instruments;
mod json;
mod latency;
mod log;
mod outcome;
mod pace;
pub mod population;
mod prices;
mod random;
mod settings;
mod shock;
mod start;
mod summary;
mod survey;
mod tally;

pub use audit::Audit;
pub use depth::{LEVEL_PPB, MADE_LEVELS, REFILL_NS, SPACING_PPB};
pub use error::ReplayError;
pub use funds::{FundPoint, FundTrack};
pub use latency::{Latency, QUANTILES};
pub use outcome::{InputReport, Outcome, PopulationReport, PriceRange, SymbolReport};
pub use settings::{BadSpeed, Data, Population, Settings, Speed, Venue};
pub use shock::{BadShock, Shock, UNSHOCKED_PPB};
pub use tally::{Money, Tally};

use crate::market::InstrumentId;
use crate::ticks::{Tick, TickKind};
use engine::{Engine, Stop};
use latency::Latency as Times;
use log::EventLog;
use pace::Pace;
use prices::SymbolPrices;
use start::Start;
use std::io::Write;
use std::time::Instant;

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
    let setting = |what: String| ReplayError::Setting(what);
    let began = Instant::now();
    let Start { kernel, names, population } = start::start(settings, progress)?;
    let loading = began.elapsed();
    let latency = Times::new().map_err(|error| setting(format!("the histograms: {error}")))?;
    let evaluations = kernel.evaluations();
    let prices = symbol_prices(&kernel, &settings.shocks);
    let engine = Engine::new(kernel, settings.venue, EventLog::new(events), latency);
    let input = InputReport { symbols: vec![SymbolReport::default(); names.len()], ..InputReport::default() };
    let mut run = Run { settings, engine, prices, input };
    let began = Instant::now();
    run.ticks(names, progress)?;
    run.engine.audit.all(&run.engine.kernel);
    let replaying = began.elapsed();
    let Run { engine, input, .. } = run;
    let Engine { kernel, log, tally, latency, funds, audit, inputs, .. } = engine;
    let (hash, event_lines) = log.finish().map_err(ReplayError::Write)?;
    Ok(Outcome {
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
        evaluations: kernel.evaluations() - evaluations,
        inputs,
        event_lines,
        hash,
        loading,
        replaying,
    })
}

/// By instrument: its grids and shocks.
fn symbol_prices(kernel: &crate::Kernel, shocks: &[Shock]) -> Vec<SymbolPrices> {
    let prices = |instrument: &crate::market::Instrument| {
        let spec = &instrument.spec;
        let own = shocks.iter().filter(|shock| shock.symbol == spec.symbol).cloned().collect();
        SymbolPrices::new(spec.tick, spec.lot, own)
    };
    kernel.market().instruments.iter().map(prices).collect()
}

/// A replay under way.
struct Run<'s, 'e> {
    settings: &'s Settings,
    engine: Engine<'e>,
    /// By instrument, which is by number of the symbol.
    prices: Vec<SymbolPrices>,
    input: InputReport,
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
            pace.wait(elapsed_ns);
            self.tick(&tick, elapsed_ns)?;
            if self.input.ticks.is_multiple_of(PROGRESS_EVERY) {
                progress(Progress::Replaying { done: self.input.ticks, total });
            }
        }
        progress(Progress::Replaying { done: self.input.ticks, total: Some(self.input.ticks) });
        self.input.skipped = source.skipped().clone();
        if self.input.ticks == 0 { Err(ReplayError::NoPrice) } else { Ok(()) }
    }

    fn tick(&mut self, tick: &Tick, elapsed_ns: u64) -> Result<(), ReplayError> {
        let at = usize::from(tick.symbol);
        let event_lines = self.engine.log.lines();
        let carried_out = match self.prices[at].change(tick, elapsed_ns) {
            Some(change) => {
                let done = self.engine.carry_out(tick.ts_ns, InstrumentId(u32::from(tick.symbol)), &change);
                done.map(|()| self.count(tick, &change, at))
            }
            None => Err(Stop::Refused(crate::Refusal::Overflow { what: "the price" })),
        };
        match carried_out {
            Ok(()) => {}
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Refused(refusal)) => self.refused(tick, refusal)?,
        }
        let eventful = self.engine.log.lines() != event_lines;
        self.engine.funds.look(&self.engine.kernel, elapsed_ns, eventful);
        self.engine.audit.after_tick(&self.engine.kernel, self.input.ticks);
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
        }
    }

    /// A tick that the kernel refuses is a bad line like any other, but only its time and symbol are known here.
    fn refused(&mut self, tick: &Tick, refusal: crate::Refusal) -> Result<(), ReplayError> {
        let symbol = &self.engine.kernel.market().instruments[usize::from(tick.symbol)].spec.symbol;
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
