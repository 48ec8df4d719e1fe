//! The first look at the market data: which symbols there are, and at which price each begins.

use super::error::ReplayError;
use super::settings::Data;
use crate::ticks::{Options, Skipped, Source, Tick, TickError};

/// How many ticks of own files are looked at. A symbol that comes later is unknown.
pub const SURVEYED_TICKS: usize = 200_000;

/// Ticks in the embedded data.
pub(super) const EMBEDDED_TICKS: u64 = 50_000;

/// Symbols of the embedded data.
pub(super) const EMBEDDED_SYMBOLS: usize = 3;

/// What the first ticks tell.
#[derive(Debug)]
pub(super) struct Survey {
    /// By number of the symbol: its name and its first tick.
    pub(super) symbols: Vec<(String, Option<Tick>)>,
    /// The time of the first tick, in nanoseconds since the epoch.
    pub(super) first_ns: u64,
}

/// Looks at the beginning of the data; `accepted` are the only symbols that may occur, or none if any may.
///
/// # Errors
///
/// What is wrong with the data there, or that it holds nothing.
pub(super) fn survey(data: &Data, accepted: Option<Vec<String>>, skip_bad: bool) -> Result<Survey, ReplayError> {
    let any = accepted.is_none();
    let mut source = open(data, accepted, skip_bad)?;
    let mut first: Vec<Option<Tick>> = Vec::new();
    let mut first_ns = None;
    let enough = |first: &[Option<Tick>]| *data == Data::Embedded && first.iter().flatten().count() == EMBEDDED_SYMBOLS;
    for number in 0usize.. {
        // A file may begin later than another one: where its name tells its symbol, that one is waited for.
        let all_seen = first.iter().flatten().count() == source.symbols().len();
        if number >= SURVEYED_TICKS && (all_seen || !any) {
            break;
        }
        let Some(tick) = source.next().transpose()? else { break };
        first_ns.get_or_insert(tick.ts_ns);
        let at = usize::from(tick.symbol);
        if first.len() <= at {
            first.resize(at + 1, None);
        }
        first[at].get_or_insert(tick);
        if enough(&first) {
            break;
        }
    }
    let first_ns = first_ns.ok_or_else(|| nothing(source.skipped()))?;
    first.resize(source.symbols().len(), None);
    Ok(Survey { symbols: source.symbols().iter().cloned().zip(first).collect(), first_ns })
}

/// Opens the data.
///
/// # Errors
///
/// What is wrong with a file as a whole, or with a line before its first tick.
pub(super) fn open(data: &Data, accepted: Option<Vec<String>>, skip_bad: bool) -> Result<Source, TickError> {
    let options = Options { skip_bad, symbols: accepted };
    match data {
        Data::Embedded => Source::embedded(options),
        Data::Files(inputs) => Source::open(inputs, options),
    }
}

/// Nothing but bad lines: the first of them says more than that there is no price.
fn nothing(skipped: &Skipped) -> ReplayError {
    let example = skipped.by_reason().find_map(|(_, tally)| tally.examples.first());
    example.map_or(ReplayError::NoPrice, |line| ReplayError::Ticks(TickError::Line(line.clone())))
}
