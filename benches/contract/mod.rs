//! The instrument of the benches: a linear perpetual contract with three `marginal` rows, up to 125×.

use terrace::contract::Unit;
use terrace::decimal::Grid;
use terrace::market::{AssetId, FundId, InstrumentSpec};
use terrace::tiers::{TierRow, TierRule, TierTable};

pub fn spec(index: u64) -> InstrumentSpec {
    let row = |cap: i128, mmr_ppb, max_leverage| TierRow { cap, mmr_ppb, max_leverage, deduction: None };
    let rows = [row(1 << 42, 4_000_000, 12_500), row(1 << 45, 5_000_000, 10_000), row(1 << 60, 10_000_000, 5_000)];
    InstrumentSpec::new(
        &format!("C{index}"),
        AssetId(0),
        FundId(0),
        (Grid::decimals(1), Grid::decimals(3)),
        Unit::Linear(100),
        TierTable::new(TierRule::Marginal, &rows).unwrap(),
    )
}
