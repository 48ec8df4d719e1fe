//! What is declared: the settings of funds, and the rules of instruments.

use super::names::{AssetId, FundId};
use crate::contract::Unit;
use crate::controls::Controls;
use crate::decimal::Grid;
use crate::jobs::DEFAULT_CHUNK;
use crate::number::{PPB, Quantity};
use crate::prices::PriceRules;
use crate::refusal::Refusal;
use crate::tiers::TierTable;

/// When a fund counts as in drawdown: shares of the largest equity of the window, in parts per billion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct DrawdownRule {
    /// It begins at or below.
    pub start_ppb: u64,
    /// It ends above; at least `start_ppb`, below one.
    pub stop_ppb: u64,
    /// In nanoseconds of input time; at least 480.
    pub window_ns: u64,
}

impl DrawdownRule {
    /// Checks the shares and the window.
    ///
    /// # Errors
    ///
    /// Not `0 < start ≤ stop < 1`, or a window of less than 480 nanoseconds.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.start_ppb == 0 || self.stop_ppb < self.start_ppb || self.stop_ppb >= PPB {
            return Err(Refusal::BadDeclaration {
                what: "drawdown: start must be above 0, stop at least start and below 1",
            });
        }
        if self.window_ns < 480 {
            return Err(Refusal::BadDeclaration { what: "drawdown: the window must be at least 480 nanoseconds" });
        }
        Ok(())
    }
}

/// The settings of an insurance fund.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct FundSpec {
    /// Its name; an asset's own fund has the asset's.
    pub name: String,
    /// The asset it is kept in.
    pub asset: AssetId,
    /// The equity below which it takes no position over, in quanta.
    pub floor: i128,
    /// At least so many nanoseconds of input time lie between two unwinding orders of an instrument.
    pub unwind_interval_ns: u64,
    /// When it bears nothing more because of what it has lost; none: never.
    pub drawdown: Option<DrawdownRule>,
    /// Whether positions that gained make good what a deleveraging left it below zero.
    pub socialise: bool,
    /// While it has lost more than this within a minute, in quanta, the liquidation of its instruments is paused; none: never.
    pub max_loss_per_minute: Option<i128>,
}

impl FundSpec {
    /// A fund that has nothing but a name, with floor 0.
    #[must_use]
    pub fn new(name: String, asset: AssetId) -> Self {
        Self {
            name,
            asset,
            floor: 0,
            unwind_interval_ns: 0,
            drawdown: None,
            socialise: false,
            max_loss_per_minute: None,
        }
    }
}

/// Which reductions are tried before a takeover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct ReducePolicy {
    /// Close just enough to reach the tier below.
    pub tier: bool,
    /// Close this part, in parts per billion, of what there is; 0: do not.
    pub fraction_ppb: u64,
    /// Close all.
    pub all: bool,
    /// How much of it may be in flight at once; none: all of it.
    pub pacing: Option<Pacing>,
}

impl Default for ReducePolicy {
    fn default() -> Self {
        Self { tier: true, fraction_ppb: 0, all: true, pacing: None }
    }
}

/// How much liquidation quantity may be in flight at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum Pacing {
    /// So many lots.
    Lots(Quantity),
    /// A share of the visible depth, that of the thinner side, in parts per billion; at least one lot.
    DepthShare(u64),
}

impl Pacing {
    fn check(self) -> Result<(), Refusal> {
        match self {
            Self::Lots(lots) if lots < 1 => Err(Refusal::BadDeclaration { what: "pacing: lots must be at least 1" }),
            Self::DepthShare(share) if !(1..=PPB).contains(&share) => {
                Err(Refusal::BadDeclaration { what: "pacing: depth_share must be above 0 and at most 1" })
            }
            _ => Ok(()),
        }
    }
}

/// By what the other side is ranked for deleveraging; profitable positions always come before losing ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum AdlRank {
    /// Return times effective leverage (`BitMEX`, Bybit).
    #[default]
    PnlLeverage,
    /// Profit by balance or isolated margin, times the margin ratio (Binance).
    PnlMarginRatio,
    /// Mark by entry price, times notional by equity (Hyperliquid).
    ProfitNotional,
    /// Every profitable position gives the same share of its size.
    ProRata,
}

/// The price at which counterparties are deleveraged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum AdlPrice {
    /// Where closing costs the bankrupt pool exactly its equity.
    #[default]
    Bankruptcy,
    /// The mark: what the bankrupt pool has, or lacks, is the fund's.
    Mark,
}

/// How the other side is deleveraged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct AdlPolicy {
    /// In which order, or in which shares.
    pub rank: AdlRank,
    /// At which price.
    pub price: AdlPrice,
}

/// How funding is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct FundingRules {
    /// So many accounts are booked at one place of the sequence, in settlements and in changes of rules; at least 1.
    pub chunk: u32,
}

impl Default for FundingRules {
    fn default() -> Self {
        Self { chunk: DEFAULT_CHUNK }
    }
}

/// The rules of an instrument: a linear or inverse perpetual contract.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct InstrumentSpec {
    /// Its name, such as `BTCUSDT`.
    pub symbol: String,
    /// What its price is the price of, such as `BTC`.
    pub underlying: String,
    /// The asset in which it is margined and settled.
    pub settle: AssetId,
    /// The grid of prices.
    pub tick: Grid,
    /// The grid of quantities.
    pub lot: Grid,
    /// What one lot is worth at a price of one tick, and so what kind of contract it is.
    pub unit: Unit,
    /// Margin by notional.
    pub tiers: TierTable,
    /// In parts per billion; negative is a rebate.
    pub maker_fee_ppb: i64,
    /// In parts per billion; negative is a rebate.
    pub taker_fee_ppb: i64,
    /// Charged on liquidation fills, in parts per billion.
    pub liquidation_fee_ppb: i64,
    /// Whether the taker fee of closing is part of the maintenance margin.
    pub close_fee_in_mm: bool,
    /// How positions are reduced in a liquidation.
    pub reduce: ReducePolicy,
    /// How the other side is deleveraged.
    pub adl: AdlPolicy,
    /// The fund behind it, kept in the settlement asset.
    pub fund: FundId,
    /// How its index, its mark and its funding rate come about.
    pub prices: PriceRules,
    /// How funding is settled.
    pub funding: FundingRules,
    /// What holds it in.
    pub controls: Controls,
}

impl InstrumentSpec {
    /// A contract of `tick` and `lot` with these margins: no fees, all other rules as they are by default.
    #[must_use]
    pub fn new(
        symbol: &str,
        settle: AssetId,
        fund: FundId,
        (tick, lot): (Grid, Grid),
        unit: Unit,
        tiers: TierTable,
    ) -> Self {
        Self {
            symbol: symbol.to_owned(),
            underlying: symbol.to_owned(),
            settle,
            tick,
            lot,
            unit,
            tiers,
            maker_fee_ppb: 0,
            taker_fee_ppb: 0,
            liquidation_fee_ppb: 0,
            close_fee_in_mm: false,
            reduce: ReducePolicy::default(),
            adl: AdlPolicy::default(),
            fund,
            prices: PriceRules::default(),
            funding: FundingRules::default(),
            controls: Controls::default(),
        }
    }

    /// The fee that is part of the maintenance margin, in parts per billion: a rebate lowers none.
    #[must_use]
    #[inline]
    pub fn close_fee_ppb(&self) -> u64 {
        if self.close_fee_in_mm { u64::try_from(self.taker_fee_ppb).unwrap_or(0) } else { 0 }
    }

    /// Checks the numbers that no other type has checked.
    ///
    /// # Errors
    ///
    /// A grid finer or coarser than [`Grid::new`] makes them, a unit with a part below 1 or of 2^62 and more, a trading fee outside
    /// (−1, 1), a liquidation fee outside [0, 1), a fraction above 1, a margin that takes all of the notional with the fee
    /// that is part of it.
    pub fn check(&self) -> Result<(), Refusal> {
        let one = PPB as i64;
        if [self.tick, self.lot].iter().any(|grid| Grid::new(grid.step()).is_none()) {
            return Err(Refusal::BadDeclaration { what: "tick and lot must have at most 12 digits and 18 decimals" });
        }
        if !self.unit.is_valid() {
            return Err(Refusal::BadDeclaration { what: "the unit must be at least 1 and below 2^62 quanta" });
        }
        if [self.maker_fee_ppb, self.taker_fee_ppb].iter().any(|fee| fee.unsigned_abs() >= PPB) {
            return Err(Refusal::BadDeclaration { what: "maker_fee and taker_fee must be above -1 and below 1" });
        }
        if !(0..one).contains(&self.liquidation_fee_ppb) {
            return Err(Refusal::BadDeclaration { what: "liquidation_fee must be at least 0 and below 1" });
        }
        if self.reduce.fraction_ppb > PPB {
            return Err(Refusal::BadDeclaration { what: "fraction must be above 0 and at most 1" });
        }
        if self.tiers.check_close_fee(self.close_fee_ppb()).is_err() {
            return Err(Refusal::BadDeclaration {
                what: "the maintenance margin rate and the taker fee must be below 1",
            });
        }
        if self.funding.chunk == 0 {
            return Err(Refusal::BadDeclaration { what: "chunk must be at least 1" });
        }
        self.reduce.pacing.map_or(Ok(()), Pacing::check)?;
        self.controls.check()?;
        self.prices.check(self.tick)
    }
}
