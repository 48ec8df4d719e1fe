//! The embedded data as prices alone, for whoever has a population of its own.

use super::error::ReplayError;
use super::prices::{Sizes, SymbolPrices};
use super::settings::Data;
use super::survey;
use crate::market::Market;
use crate::number::Price;

/// What a row of the embedded data sets, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EmbeddedTick {
    /// The symbol's place among the names given.
    pub(crate) symbol: u16,
    pub(crate) last: Option<Price>,
    pub(crate) mark: Option<Price>,
}

/// All rows in order, and how long they took when they were recorded, in nanoseconds. The symbols are the names of the
/// first instruments.
///
/// # Errors
///
/// Symbols of the data that are not among the instruments.
pub(crate) fn embedded(market: &Market) -> Result<(Vec<EmbeddedTick>, u64), ReplayError> {
    let first = &market.instruments[..survey::EMBEDDED_SYMBOLS.min(market.instruments.len())];
    let names = first.iter().map(|instrument| instrument.spec.symbol.clone()).collect();
    let prices = |instrument: &crate::market::Instrument| {
        SymbolPrices::new(instrument.spec.tick, Sizes::Lots(instrument.spec.lot), Vec::new())
    };
    let mut prices: Vec<SymbolPrices> = first.iter().map(prices).collect();
    let mut source = survey::open(&Data::Embedded, Some(names), false)?;
    let (mut ticks, mut first_ns, mut last_ns) = (Vec::new(), None, 0);
    while let Some(tick) = source.next().transpose()? {
        last_ns = tick.ts_ns;
        first_ns.get_or_insert(tick.ts_ns);
        let change = prices[usize::from(tick.symbol)].change(&tick, 0).unwrap_or_default();
        ticks.push(EmbeddedTick { symbol: tick.symbol, last: change.last, mark: change.mark });
    }
    Ok((ticks, last_ns.saturating_sub(first_ns.unwrap_or(last_ns))))
}
