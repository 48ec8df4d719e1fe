//! What every line works on: the kernel, and the names that lines know its things by.

use super::fields::{Fields, Json};
use super::{Rejection, TierTables};
use crate::command::MarkSource;
use crate::decimal::{Decimal, Grid, OnGrid};
use crate::driver::Driver;
use crate::map::Map;
use crate::market::{AssetId, FundId, InstrumentId};
use crate::refusal::{Code, Refusal};

/// What a line that was carried out has to say.
pub(super) enum Answer {
    /// The kernel's events.
    Events,
    /// The answer to a `get`, as a whole line.
    Line(String),
}

/// A kernel and its names.
#[derive(Debug)]
pub(super) struct Desk<D> {
    pub(super) kernel: D,
    /// The number of the line at hand, from 1.
    pub(super) seq: u64,
    pub(super) assets: Map<String, AssetId>,
    pub(super) funds: Map<String, FundId>,
    /// The funds that a line declared; an asset's own may be declared once after it exists.
    pub(super) declared_funds: Vec<FundId>,
    pub(super) instruments: Map<String, InstrumentId>,
    /// Margin tables for instruments that bring none.
    pub(super) tier_tables: TierTables,
    /// Fields of instruments that are declared later, where they do not name them.
    pub(super) defaults: Fields,
    /// Who gives the mark of the line at hand, if that is said.
    pub(super) source: Option<MarkSource>,
    /// The latest time that a line may tell, if there is one.
    pub(super) latest_ns: Option<u64>,
}

impl<D: Driver> Desk<D> {
    pub(super) fn new(kernel: D) -> Self {
        Self {
            kernel,
            seq: 0,
            assets: Map::default(),
            funds: Map::default(),
            declared_funds: Vec::new(),
            instruments: Map::default(),
            tier_tables: TierTables::default(),
            defaults: Fields::default(),
            source: None,
            latest_ns: None,
        }
    }

    /// The same over another kernel.
    #[cfg(feature = "journal")]
    pub(super) fn place<E, F>(self, place: impl FnOnce(D) -> Result<E, F>) -> Result<Desk<E>, F> {
        let Self { kernel, seq, assets, funds, declared_funds, instruments, tier_tables, defaults, source, latest_ns } =
            self;
        let kernel = place(kernel)?;
        Ok(Desk { kernel, seq, assets, funds, declared_funds, instruments, tier_tables, defaults, source, latest_ns })
    }

    /// Knows all things of the kernel by their names.
    #[cfg(feature = "journal")]
    pub(super) fn learn_names(&mut self) {
        let market = self.kernel.market();
        let assets = market.assets.iter().enumerate();
        self.assets = assets.map(|(at, asset)| (asset.name.clone(), AssetId(at as u32))).collect();
        let funds = market.funds.iter().enumerate();
        self.funds = funds.map(|(at, fund)| (fund.name.clone(), FundId(at as u32))).collect();
        let instruments = market.instruments.iter().enumerate();
        let named = instruments.map(|(at, instrument)| (instrument.spec.symbol.clone(), InstrumentId(at as u32)));
        self.instruments = named.collect();
    }

    /// The last check of form: time does not run backward.
    pub(super) fn check_time(&self, ts_ns: Option<u64>) -> Result<(), Rejection> {
        match ts_ns {
            Some(given) if given < self.kernel.now_ns() => {
                Err(Refusal::TimeReversed { given, now: self.kernel.now_ns() }.into())
            }
            _ => Ok(()),
        }
    }

    /// Gives an `instrument` line that brings no margin table the one of its symbol, if there is any.
    pub(super) fn complete_tiers(&self, fields: &mut Fields) {
        let rule = fields.peek("tier_rule").unwrap_or("marginal");
        if rule == "linear" {
            return; // it has no rows
        }
        let asset = fields.peek("settle").and_then(|name| self.assets.get(name).copied());
        let (Some(symbol), Some(asset), false) = (fields.peek("symbol"), asset, fields.has("tiers")) else { return };
        let decimals = self.kernel.market().asset(asset).decimals;
        if let Some(rows) = self.tier_tables.rows(symbol, decimals, rule == "marginal") {
            fields.add("tiers", Json::List(rows));
        }
    }

    pub(super) fn asset(&self, name: &str) -> Result<AssetId, Rejection> {
        let unknown = || Rejection::new(Code::UnknownAsset, format!("no asset is called {name:?}"));
        self.assets.get(name).copied().ok_or_else(unknown)
    }

    pub(super) fn fund(&self, name: &str) -> Result<FundId, Rejection> {
        let unknown = || Rejection::new(Code::UnknownFund, format!("no fund is called {name:?}"));
        self.funds.get(name).copied().ok_or_else(unknown)
    }

    pub(super) fn instrument(&self, symbol: &str) -> Result<InstrumentId, Rejection> {
        let unknown = || Rejection::new(Code::UnknownSymbol, format!("no instrument has the symbol {symbol:?}"));
        self.instruments.get(symbol).copied().ok_or_else(unknown)
    }
}

/// The steps of a value on a grid, and whether it lies between two. What is too far out to count is too large for
/// every limit: it saturates.
pub(super) fn steps(grid: Grid, value: Decimal) -> (i64, bool) {
    let far = if value.is_nonpositive() { i64::MIN } else { i64::MAX };
    match grid.place(value) {
        Some(place) => (i64::try_from(place.floor()).unwrap_or(far), matches!(place, OnGrid::Above(_))),
        None => (far, false),
    }
}
