//! The contracts of a replay that brings no instruments of its own: linear perpetuals settled in USDT.
//!
//! The three symbols of the embedded data have the grids and margin tables of large venues; any other symbol gets
//! grids by its first price, and the table of ETHUSDT.

use super::error::ReplayError;
use crate::contract::Unit;
use crate::decimal::{Decimal, Grid};
use crate::kernel::Kernel;
use crate::market::{AdlPolicy, AssetId, FundingRules, InstrumentId, InstrumentSpec, ReducePolicy};
use crate::prices::{MarkRule, MarkRules, PriceRules, RateRules};
use crate::tiers::{TierRow, TierRule, TierTable};

/// The settlement asset.
pub(super) const ASSET: &str = "USDT";

/// Its decimals: one quantum is 10^-8 USDT.
pub(super) const ASSET_DECIMALS: u32 = 8;

/// One USDT, in quanta.
pub(super) const ONE: i128 = 100_000_000;

/// 0.02 %.
const MAKER_FEE_PPB: i64 = 200_000;
/// 0.05 %.
const TAKER_FEE_PPB: i64 = 500_000;
/// 1.25 %.
const LIQUIDATION_FEE_PPB: i64 = 12_500_000;

/// A margin table: cap in USDT, maintenance margin rate in parts per million, maximum leverage.
type Table = &'static [(i64, u64, u32)];

/// Binance USD-M, BTC/USDT (freqtrade's `binance_leverage_tiers.json`).
const BTC_TIERS: Table = &[
    (50_000, 4_000, 125),
    (600_000, 5_000, 100),
    (3_000_000, 6_500, 75),
    (12_000_000, 10_000, 50),
    (70_000_000, 20_000, 25),
    (100_000_000, 25_000, 20),
    (230_000_000, 50_000, 10),
    (480_000_000, 100_000, 5),
    (600_000_000, 125_000, 4),
    (800_000_000, 150_000, 3),
    (1_200_000_000, 250_000, 2),
    (1_800_000_000, 500_000, 1),
];

/// In the manner of Binance's table for ETH/USDT.
const ETH_TIERS: Table = &[
    (50_000, 5_000, 100),
    (600_000, 6_500, 75),
    (3_000_000, 10_000, 50),
    (12_000_000, 20_000, 25),
    (50_000_000, 25_000, 20),
    (65_000_000, 50_000, 10),
    (150_000_000, 100_000, 5),
    (320_000_000, 125_000, 4),
    (400_000_000, 150_000, 3),
    (530_000_000, 250_000, 2),
    (800_000_000, 500_000, 1),
];

/// In the manner of Binance's table for SOL/USDT.
const SOL_TIERS: Table = &[
    (10_000, 5_000, 100),
    (40_000, 6_500, 75),
    (150_000, 10_000, 50),
    (1_000_000, 20_000, 25),
    (1_500_000, 25_000, 20),
    (7_500_000, 50_000, 10),
    (15_000_000, 100_000, 5),
    (20_000_000, 125_000, 4),
    (30_000_000, 166_700, 3),
    (60_000_000, 250_000, 2),
    (100_000_000, 500_000, 1),
];

/// What a known symbol is traded in: tick and lot as powers of ten, and its margin table.
const KNOWN: [(&str, (u32, u32), Table); 3] =
    [("BTCUSDT", (1, 3), BTC_TIERS), ("ETHUSDT", (2, 3), ETH_TIERS), ("SOLUSDT", (2, 0), SOL_TIERS)];

/// Marks in the manner of Binance: 30 samples of the basis, 5 s apart, and a rate every 8 hours.
fn computed_prices() -> PriceRules {
    let mark = MarkRules::new(MarkRule::Median);
    PriceRules { mark, funding: Some(RateRules::default()), ..PriceRules::default() }
}

/// Declares the contract of `symbol`, whose first price is `price` USDT.
///
/// # Errors
///
/// A price level for which there is no sensible grid, or a symbol that is taken.
pub(super) fn declare(
    kernel: &mut Kernel,
    settle: AssetId,
    symbol: &str,
    price: Decimal,
    computed_mark: bool,
) -> Result<InstrumentId, ReplayError> {
    let level = || ReplayError::PriceLevel { symbol: symbol.to_owned(), price: price.to_string() };
    let known = KNOWN.iter().find(|(name, ..)| *name == symbol);
    let (tick, lot, table) = if let Some((_, (tick, lot), table)) = known {
        (power(-i64::from(*tick)), power(-i64::from(*lot)), *table)
    } else {
        let exponent = exponent(price).ok_or_else(level)?;
        (power(exponent - 5), power(-exponent - 1), ETH_TIERS)
    };
    let (tick, lot) = (tick.ok_or_else(level)?, lot.ok_or_else(level)?);
    let multiplier = Grid::decimals(0);
    let unit = Unit::linear(tick, lot, multiplier, ASSET_DECIMALS).ok_or_else(level)?;
    let refused = |refusal| ReplayError::Refused { what: format!("the instrument {symbol}"), refusal };
    let spec = InstrumentSpec {
        symbol: symbol.to_owned(),
        underlying: symbol.strip_suffix(ASSET).unwrap_or(symbol).to_owned(),
        settle,
        tick,
        lot,
        unit,
        tiers: tiers(table).map_err(|error| ReplayError::Setting(format!("the margin table of {symbol}: {error}")))?,
        maker_fee_ppb: MAKER_FEE_PPB,
        taker_fee_ppb: TAKER_FEE_PPB,
        liquidation_fee_ppb: LIQUIDATION_FEE_PPB,
        close_fee_in_mm: false,
        reduce: ReducePolicy::default(),
        adl: AdlPolicy::default(),
        fund: kernel.market().asset(settle).fund,
        prices: if computed_mark { computed_prices() } else { PriceRules::default() },
        funding: FundingRules::default(),
        controls: crate::controls::Controls::default(),
    };
    kernel.declare_instrument(None, spec).map_err(refused)
}

fn tiers(table: Table) -> Result<TierTable, crate::tiers::TierError> {
    let row = |&(cap, mmr_ppm, max_leverage): &(i64, u64, u32)| TierRow {
        cap: i128::from(cap) * ONE,
        mmr_ppb: mmr_ppm * 1_000,
        max_leverage: max_leverage * crate::number::LEVERAGE_ONE,
        deduction: None,
    };
    TierTable::new(TierRule::Marginal, &table.iter().map(row).collect::<Vec<_>>())
}

/// The `e` with `10^e ≤ price < 10^(e+1)`: with ticks of `10^(e−5)` a price has six digits, and a lot of `10^(−e−1)` is
/// worth 0.1 to 1 USDT.
fn exponent(price: Decimal) -> Option<i64> {
    let digits = i64::from(price.mantissa().checked_ilog10()?);
    Some(digits - i64::from(price.scale())).filter(|exponent| (-12..=12).contains(exponent))
}

/// The grid of `10^exponent`.
fn power(exponent: i64) -> Option<Grid> {
    match u32::try_from(-exponent) {
        Ok(decimals) => Grid::new(Decimal::new(1, decimals)),
        Err(_) => Grid::new(Decimal::new(10i128.checked_pow(u32::try_from(exponent).ok()?)?, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Settings;

    fn grids(symbol: &str, price: &str) -> Result<(String, String, Unit), ReplayError> {
        let mut kernel = Kernel::new(Settings::default());
        let settle = kernel.declare_asset(None, ASSET, ASSET_DECIMALS).unwrap();
        let id = declare(&mut kernel, settle, symbol, price.parse().unwrap(), false)?;
        let spec = &kernel.market().instrument(id).spec;
        Ok((spec.tick.step().to_string(), spec.lot.step().to_string(), spec.unit))
    }

    #[test]
    fn grids_follow_the_price() {
        let written = |symbol, price| grids(symbol, price).unwrap();
        let grid = |tick: &str, lot: &str, unit| (tick.to_owned(), lot.to_owned(), Unit::Linear(unit));
        assert_eq!(written("BTCUSDT", "87232"), grid("0.1", "0.001", 10_000));
        assert_eq!(written("SOLUSDT", "143.5"), grid("0.01", "1", 1_000_000));
        assert_eq!(written("XBTUSD", "87232.5"), grid("0.1", "0.00001", 100));
        assert_eq!(written("X", "1"), grid("0.00001", "0.1", 100));
        assert_eq!(written("X", "9.99"), grid("0.00001", "0.1", 100));
        assert_eq!(written("PEPE", "0.00000712"), grid("0.00000000001", "100000", 100));
        assert_eq!(written("X", "1000000000000"), grid("10000000", "0.0000000000001", 100));
        assert!(grids("X", "10000000000000").is_err());
        assert!(grids("X", "0.0000000000001").is_err());
    }
}
