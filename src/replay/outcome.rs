//! All that a replay has to tell, in whole quanta, ticks and lots.

use super::audit::Audit;
use super::course::Course;
use super::funds::FundTrack;
use super::latency::Latency;
use super::settings::Settings;
use super::tally::Tally;
use super::threads::ThreadReport;
use crate::kernel::InstrumentTotals;
use crate::market::Market;
use crate::number::Price;
use crate::ticks::Skipped;
use std::time::Duration;

/// What a replay did.
pub struct Outcome {
    /// What was asked.
    pub settings: Settings,
    /// The assets, funds and instruments, with their last marks.
    pub market: Market,
    /// The market data.
    pub input: InputReport,
    /// The accounts.
    pub population: PopulationReport,
    /// What happened.
    pub tally: Tally,
    /// In order of declaration.
    pub funds: Vec<FundTrack>,
    /// By asset, in quanta: what there is less what should be. Always 0.
    pub differences: Vec<i128>,
    /// By instrument: long and short lots over accounts, funds and venue, which are equal.
    pub sides: Vec<InstrumentTotals>,
    /// Pools recomputed, and how many of them were missed.
    pub audit: Audit,
    /// The kernel's own work.
    pub latency: Latency,
    /// Exact evaluations of a pool by the kernel, since the first tick.
    pub evaluations: u64,
    /// Kernel inputs since the first tick.
    pub inputs: u64,
    /// Lines of the event log.
    pub event_lines: u64,
    /// XXH3, 128 bits, of the event log.
    pub hash: u128,
    /// What the threads did, if there were any; the rest of the outcome is then that of their record, gone through
    /// inline.
    pub threads: Option<ThreadReport>,
    /// What happened when, if it was asked for: [`Settings::keep_course`].
    pub course: Option<Course>,
    /// Making or reading the population.
    pub loading: Duration,
    /// The whole replay, with reading, encoding and audits.
    pub replaying: Duration,
}

/// The market data.
#[derive(Debug, Default)]
pub struct InputReport {
    /// Rows carried out.
    pub ticks: u64,
    /// Of these, quotes.
    pub quotes: u64,
    /// Of these, trades.
    pub trades: u64,
    /// Of these, mark prices.
    pub marks: u64,
    /// The time of the first tick, in nanoseconds since the epoch.
    pub first_ns: u64,
    /// The time of the last one.
    pub last_ns: u64,
    /// By instrument.
    pub symbols: Vec<SymbolReport>,
    /// Bad lines that were passed over.
    pub skipped: Skipped,
    /// Ticks that the kernel refused and that were passed over.
    pub refused: u64,
    /// The first few of these, as messages.
    pub refused_examples: Vec<String>,
}

/// The marks of an instrument: as recorded, and with its shocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SymbolReport {
    /// Ticks of the symbol.
    pub ticks: u64,
    /// As recorded.
    pub real: PriceRange,
    /// With the shocks.
    pub shocked: PriceRange,
}

/// A price over time, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PriceRange {
    /// The first, or 0 if there was none.
    pub first: Price,
    /// The lowest.
    pub low: Price,
    /// The highest.
    pub high: Price,
    /// The last.
    pub last: Price,
}

impl PriceRange {
    pub(super) fn add(&mut self, price: Price) {
        if self.first == 0 {
            *self = Self { first: price, low: price, high: price, last: price };
        }
        self.low = self.low.min(price);
        self.high = self.high.max(price);
        self.last = price;
    }
}

/// The accounts.
#[derive(Debug, Default)]
pub struct PopulationReport {
    /// How many.
    pub accounts: u64,
    /// Their pools, those without a position included.
    pub pools: u64,
    /// Their positions before the first tick.
    pub positions: u64,
    /// Their positions after the last one.
    pub positions_left: u64,
    /// By asset: the notional of all long positions at the first marks, in quanta; those without a mark do not count.
    pub open_interest: Vec<i128>,
    /// Liquidations by the starting prices themselves, before the first tick.
    pub liquidated_at_start: u64,
    /// Lines of the accounts file that were passed over.
    pub rejected: u64,
    /// The first few of these, as messages.
    pub rejected_examples: Vec<String>,
}
