//! Which prices may be conflated, of which instruments, and on which grid they must lie.

use super::told::{Tick, TickKind};
use crate::decimal::{Grid, OnGrid};
use crate::map::Map;
use crate::market::Market;
use crate::number::{LIMIT, Price};
use crate::tiers::TierRule;

/// The instruments whose marks and last prices may be conflated: marks are given, pass no airlock, and breaches follow from extremes.
#[derive(Debug, Default)]
pub(super) struct Plain {
    grids: Map<String, (u32, Grid)>,
}

/// A price, in ticks, of an instrument that may be conflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) of: (u32, TickKind),
    pub(super) price: Price,
}

impl Plain {
    pub(super) fn of(market: &Market) -> Self {
        let plain = market.instruments.iter().enumerate().filter(|(_, instrument)| {
            let spec = &instrument.spec;
            let moves_by_ticks = spec.controls.airlock.is_none() && !spec.prices.mark.is_computed();
            moves_by_ticks && spec.tiers.rule() != TierRule::Step
        });
        let grids = plain.map(|(at, instrument)| (instrument.spec.symbol.clone(), (at as u32, instrument.spec.tick)));
        Self { grids: grids.collect() }
    }

    #[cfg(test)]
    pub(super) fn named(symbols: &[&str]) -> Self {
        let grids =
            symbols.iter().enumerate().map(|(at, symbol)| ((*symbol).to_owned(), (at as u32, Grid::decimals(1))));
        Self { grids: grids.collect() }
    }

    /// Where a tick lies, if it may be conflated: the kernel would take it, as far as can be told without it.
    pub(super) fn place(&self, symbol: &str, tick: &Tick) -> Option<Placed> {
        let &(instrument, grid) = self.grids.get(symbol)?;
        let Some(OnGrid::Exact(steps)) = grid.place(tick.price) else { return None };
        let price = Price::try_from(steps).ok().filter(|&price| price > 0 && i128::from(price) < LIMIT)?;
        Some(Placed { of: (instrument, tick.kind), price })
    }
}
