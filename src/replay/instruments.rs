//! The contracts of a replay that brings no instruments of its own: linear perpetuals settled in USDT, and, where asked
//! for, inverse ones settled in the coin that the symbol is about.
//!
//! The three symbols of the embedded data have the grids and margin tables of large venues; any other symbol gets
//! grids by its first price, and the table of ETHUSDT. An inverse contract is a lot of 100 USD of BTC, of 10 USD of
//! anything else, and its margin table counts the coin.

use super::error::ReplayError;
use crate::contract::Unit;
use crate::decimal::{Decimal, Grid};
use crate::kernel::Kernel;
use crate::market::{AdlPolicy, AssetId, FundingRules, InstrumentId, InstrumentSpec, ReducePolicy};
use crate::number::LEVERAGE_ONE;
use crate::prices::{MarkRule, MarkRules, PriceRules, RateRules};
use crate::tiers::{TierRow, TierRule, TierTable};

/// What linear contracts settle in, and what every symbol is quoted in.
const QUOTE: &str = "USDT";

/// Its decimals, and those of most coins: one quantum is 10^-8 USDT.
const DECIMALS: u32 = 8;

/// One unit of the quote currency, in quanta.
pub(super) const ONE: i128 = 100_000_000;

/// 0.02 %.
const MAKER_FEE_PPB: i64 = 200_000;
/// 0.05 %.
const TAKER_FEE_PPB: i64 = 500_000;
/// 1.25 %.
const LIQUIDATION_FEE_PPB: i64 = 12_500_000;

/// A margin table: cap, maintenance margin rate in parts per million, maximum leverage. Caps of linear contracts are in
/// USDT.
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

/// In the manner of Binance COIN-M, BTCUSD perpetual: caps in BTC.
const BTC_COIN_TIERS: Table = &[
    (5, 4_000, 125),
    (10, 5_000, 100),
    (20, 10_000, 50),
    (50, 25_000, 20),
    (100, 50_000, 10),
    (200, 100_000, 5),
    (400, 125_000, 4),
    (1_000, 150_000, 3),
    (1_500, 250_000, 2),
    (3_000, 500_000, 1),
];

/// In the same manner for any other coin: caps in the power of ten of it that is worth from 1 to 10 USD.
const COIN_TIERS: Table = &[
    (50_000, 5_000, 100),
    (100_000, 6_500, 75),
    (250_000, 10_000, 50),
    (1_000_000, 25_000, 20),
    (2_000_000, 50_000, 10),
    (5_000_000, 100_000, 5),
    (10_000_000, 125_000, 4),
    (20_000_000, 150_000, 3),
    (40_000_000, 250_000, 2),
    (80_000_000, 500_000, 1),
];

/// What a known symbol is traded in: tick and lot as powers of ten, and its margin table.
const KNOWN: [(&str, (u32, u32), Table); 3] =
    [("BTCUSDT", (1, 3), BTC_TIERS), ("ETHUSDT", (2, 3), ETH_TIERS), ("SOLUSDT", (2, 0), SOL_TIERS)];

/// Marks in the manner of Binance: 30 samples of the basis, 5 s apart, and a rate every 8 hours.
fn computed_prices() -> PriceRules {
    let mark = MarkRules::new(MarkRule::Median);
    PriceRules { mark, funding: Some(RateRules::default()), ..PriceRules::default() }
}

/// What is asked of the contracts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Terms {
    /// Whether it is an inverse one.
    pub(crate) inverse: bool,
    /// Whether the kernel computes its mark.
    pub(crate) computed_mark: bool,
    /// Accounts that a settlement books at a time; none: the default.
    pub(crate) chunk: Option<u32>,
}

/// A contract that was declared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contract {
    pub(crate) id: InstrumentId,
    /// What a lot of an inverse one is worth at any price, in 10^-8 of the quote currency; none of a linear one.
    pub(crate) face: Option<i128>,
}

/// Declares the contract of `symbol`, whose first price is `price` USDT, and what it settles in unless that is there.
///
/// # Errors
///
/// A price level for which there is no sensible grid or no sensible coin, or a symbol that is taken.
pub(crate) fn declare(
    kernel: &mut Kernel,
    symbol: &str,
    price: Decimal,
    terms: Terms,
) -> Result<Contract, ReplayError> {
    let level = || ReplayError::PriceLevel { symbol: symbol.to_owned(), price: price.to_string() };
    let known = KNOWN.iter().find(|(name, ..)| *name == symbol);
    let (tick, lot, table) = if let Some((_, (tick, lot), table)) = known {
        (power(-i64::from(*tick)), power(-i64::from(*lot)), *table)
    } else {
        let exponent = exponent(price).ok_or_else(level)?;
        (power(exponent - 5), power(-exponent - 1), ETH_TIERS)
    };
    let (tick, lot) = (tick.ok_or_else(level)?, lot.ok_or_else(level)?);
    let underlying = underlying(symbol);
    let bad_table = |error| ReplayError::Setting(format!("the margin table of {symbol}: {error}"));
    let (settle, lot, unit, tiers, face) = if terms.inverse {
        let no_coin = || ReplayError::CoinPrice { symbol: symbol.to_owned(), price: price.to_string() };
        let exponent = exponent(price).ok_or_else(no_coin)?;
        let decimals = coin_decimals(exponent).ok_or_else(no_coin)?;
        if underlying == QUOTE {
            return Err(ReplayError::Setting(format!(
                "--inverse: {symbol}: expected a coin to settle in, found {QUOTE}, in which linear contracts settle"
            )));
        }
        let settle = asset(kernel, underlying, decimals)?;
        let decimals = kernel.market().asset(settle).decimals;
        let (face, caps, table) =
            if underlying == "BTC" { (100, 0, BTC_COIN_TIERS) } else { (10, -exponent, COIN_TIERS) };
        let lot = Grid::decimals(0);
        let multiplier = Grid::new(Decimal::new(face, 0)).ok_or_else(no_coin)?;
        let unit = Unit::inverse(tick, lot, multiplier, decimals).ok_or_else(no_coin)?;
        let cap_one = u32::try_from(i64::from(decimals) + caps).map_err(|_| no_coin())?;
        (settle, lot, unit, tiers(table, 10i128.pow(cap_one)).map_err(bad_table)?, Some(face * ONE))
    } else {
        let settle = asset(kernel, QUOTE, DECIMALS)?;
        let unit = Unit::linear(tick, lot, Grid::decimals(0), DECIMALS).ok_or_else(level)?;
        (settle, lot, unit, tiers(table, ONE).map_err(bad_table)?, None)
    };
    let refused = |refusal| ReplayError::Refused { what: format!("the instrument {symbol}"), refusal };
    let spec = InstrumentSpec {
        symbol: symbol.to_owned(),
        underlying: underlying.to_owned(),
        settle,
        tick,
        lot,
        unit,
        tiers,
        maker_fee_ppb: MAKER_FEE_PPB,
        taker_fee_ppb: TAKER_FEE_PPB,
        liquidation_fee_ppb: LIQUIDATION_FEE_PPB,
        close_fee_in_mm: false,
        reduce: ReducePolicy::default(),
        adl: AdlPolicy::default(),
        fund: kernel.market().asset(settle).fund,
        prices: if terms.computed_mark { computed_prices() } else { PriceRules::default() },
        funding: terms.chunk.map_or_else(FundingRules::default, |chunk| FundingRules { chunk }),
        controls: crate::controls::Controls::default(),
    };
    Ok(Contract { id: kernel.declare_instrument(None, spec).map_err(refused)?, face })
}

/// What a symbol is about: its name without the quote currency.
fn underlying(symbol: &str) -> &str {
    symbol.strip_suffix(QUOTE).filter(|name| !name.is_empty()).unwrap_or(symbol)
}

/// The asset of that name, declared if it is not yet there.
fn asset(kernel: &mut Kernel, name: &str, decimals: u32) -> Result<AssetId, ReplayError> {
    if let Some(at) = kernel.market().assets.iter().position(|asset| asset.name == name) {
        return Ok(AssetId(at as u32));
    }
    let refused = |refusal| ReplayError::Refused { what: format!("the settlement asset {name}"), refusal };
    kernel.declare_asset(None, name, decimals).map_err(refused)
}

/// Decimals of a coin whose price is of the order of `10^exponent`: 8, but fewer for a cheap coin, of which there are so
/// many that they would not fit, and more for a dear one, of which a quantum would be too much. None at prices where
/// neither helps.
fn coin_decimals(exponent: i64) -> Option<u32> {
    let decimals = match exponent {
        -8..=-1 => i64::from(DECIMALS) + exponent,
        0..=5 => i64::from(DECIMALS),
        6..=9 => exponent + 3,
        _ => return None,
    };
    u32::try_from(decimals).ok()
}

/// The table, its caps in so many quanta.
fn tiers(table: Table, one: i128) -> Result<TierTable, crate::tiers::TierError> {
    let row = |&(cap, mmr_ppm, max_leverage): &(i64, u64, u32)| TierRow {
        cap: i128::from(cap) * one,
        mmr_ppb: mmr_ppm * 1_000,
        max_leverage: max_leverage * LEVERAGE_ONE,
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

    fn grids(symbol: &str, price: &str, inverse: bool) -> Result<(String, String, Unit), ReplayError> {
        let mut kernel = Kernel::new(Settings::default());
        let terms = Terms { inverse, ..Terms::default() };
        let contract = declare(&mut kernel, symbol, price.parse().unwrap(), terms)?;
        assert_eq!(contract.face.is_some(), inverse);
        let spec = &kernel.market().instrument(contract.id).spec;
        Ok((spec.tick.step().to_string(), spec.lot.step().to_string(), spec.unit))
    }

    #[test]
    fn grids_follow_the_price() {
        let written = |symbol, price| grids(symbol, price, false).unwrap();
        let grid = |tick: &str, lot: &str, unit| (tick.to_owned(), lot.to_owned(), Unit::Linear(unit));
        assert_eq!(written("BTCUSDT", "87232"), grid("0.1", "0.001", 10_000));
        assert_eq!(written("SOLUSDT", "143.5"), grid("0.01", "1", 1_000_000));
        assert_eq!(written("XBTUSD", "87232.5"), grid("0.1", "0.00001", 100));
        assert_eq!(written("X", "1"), grid("0.00001", "0.1", 100));
        assert_eq!(written("X", "9.99"), grid("0.00001", "0.1", 100));
        assert_eq!(written("PEPE", "0.00000712"), grid("0.00000000001", "100000", 100));
        assert_eq!(written("X", "1000000000000"), grid("10000000", "0.0000000000001", 100));
        assert!(grids("X", "10000000000000", false).is_err());
        assert!(grids("X", "0.0000000000001", false).is_err());
    }

    #[test]
    fn inverse_contracts_are_worth_100_usd_of_btc_and_10_of_others() {
        let written = |symbol, price| grids(symbol, price, true).unwrap();
        let grid =
            |tick: &str, numerator| (tick.to_owned(), "1".to_owned(), Unit::Inverse { numerator, denominator: 1 });
        // USD a contract, over the tick, in quanta of the coin.
        assert_eq!(written("BTCUSDT", "87232"), grid("0.1", 100_000_000_000));
        assert_eq!(written("SOLUSDT", "143.5"), grid("0.01", 100_000_000_000));
        assert_eq!(written("X", "1"), grid("0.00001", 100_000_000_000_000));
        assert_eq!(written("PEPEUSDT", "0.00000712"), grid("0.00000000001", 100_000_000_000_000));
        assert_eq!(written("X", "9999999999"), grid("10000", 1_000_000_000));
        for (symbol, price) in [("X", "10000000000"), ("X", "0.000000009"), ("USDTUSDT", "1"), ("USDT", "1")] {
            assert!(grids(symbol, price, true).is_err(), "{symbol} at {price}");
        }
    }

    #[test]
    fn each_contract_settles_in_its_own_coin() {
        let mut kernel = Kernel::new(Settings::default());
        let terms = |inverse| Terms { inverse, ..Terms::default() };
        for (symbol, price, inverse) in [
            ("ETHUSDT", "2059.1", false),
            ("BTCUSDT", "87232", true),
            ("SOLUSDT", "143.5", false),
            ("PEPEUSDT", "0.00000712", true),
        ] {
            declare(&mut kernel, symbol, price.parse().unwrap(), terms(inverse)).unwrap();
        }
        let market = kernel.market();
        let assets: Vec<_> = market.assets.iter().map(|asset| (asset.name.as_str(), asset.decimals)).collect();
        assert_eq!(assets, [("USDT", 8), ("BTC", 8), ("PEPE", 2)]);
        let settles: Vec<_> = market.instruments.iter().map(|instrument| instrument.spec.settle.index()).collect();
        assert_eq!(settles, [0, 1, 0, 2]);
        let funds: Vec<_> = market.instruments.iter().map(|at| market.fund(at.spec.fund).name.as_str()).collect();
        assert_eq!(funds, ["USDT", "BTC", "USDT", "PEPE"]);
        // Caps in whole BTC, and in millions of PEPE, of which one is worth 7 USD.
        assert_eq!(market.instruments[1].spec.tiers.last_cap(), 3_000 * 100_000_000);
        assert_eq!(market.instruments[3].spec.tiers.last_cap(), 80_000_000 * 1_000_000 * 100);
    }
}
