//! Tier tables: maintenance and initial margin by notional.
//!
//! `marginal` is the rule of Binance, Bybit and Hyperliquid (each row's rate applies to its own slice of the notional,
//! written with a deduction per row), `step` that of OKX and `BitMEX` (the row's rate applies to all of it), `linear` that of
//! Deribit (the rate rises with the size: [`Slope`]).

use crate::number::{LEVERAGE_ONE, LIMIT, PPB, mul_div_ceil, ppb_ceil};
use crate::slope::Slope;

/// How a row's rate is applied to the notional.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum TierRule {
    /// `MM = ceil(N · mmr_n) − D_n`: continuous at the caps, up to rounding.
    #[default]
    Marginal,
    /// `MM = ceil(N · mmr_n)`: jumps at the caps, so a favourable move can put a long position in breach.
    Step,
    /// `MM = ceil(N · (base + slope · size))`: no rows.
    Linear,
}

/// A row as it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierRow {
    /// The largest notional of the row, in quanta of the settlement asset.
    pub cap: i128,
    /// Maintenance margin rate, in parts per billion.
    pub mmr_ppb: u64,
    /// In hundredths.
    pub max_leverage: u32,
    /// The deduction that the table brought, in quanta.
    pub deduction: Option<i128>,
}

/// One row, ready to compute with.
#[derive(Clone, Copy, Debug)]
struct Row {
    cap: u64,
    mmr_ppb: u64,
    /// `D_n`, rounded down: the margin rounds up against the account.
    deduction: u64,
    max_leverage: u32,
}

/// What is wrong with a tier table; rows count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TierError {
    /// No row at all.
    #[error("the table has no row")]
    Empty,
    /// A cap that is not positive, does not rise, or is 2^62 quanta or more.
    #[error("row {row}: caps must be positive, rise strictly and stay below 2^62 quanta")]
    Cap {
        /// The row, from 1.
        row: usize,
    },
    /// A rate outside `0 < mmr < 1`, or one that falls.
    #[error("row {row}: the maintenance margin rate must be above 0, below 1 and not fall")]
    Rate {
        /// The row, from 1.
        row: usize,
    },
    /// A maximum leverage below 1, or one that rises.
    #[error("row {row}: the maximum leverage must be at least 1 and not rise")]
    Leverage {
        /// The row, from 1.
        row: usize,
    },
    /// `mmr · max_leverage ≥ 1`: a position would be in breach when it opens.
    #[error("row {row}: the maintenance margin rate times the maximum leverage must be below 1")]
    RateTimesLeverage {
        /// The row, from 1.
        row: usize,
    },
    /// Rates of the rule `linear` out of range.
    #[error("base must be above 0 and below im_base, im_base at most 1, slope at least 0 and below 1")]
    Slope,
    /// Rows under `linear`, or its rates under another rule.
    #[error("base, slope and im_base belong to the tier rule \"linear\", and rows to the others")]
    RowsOrSlope,
    /// The maintenance margin rate and the fee in it take all of the notional.
    #[error("row {row}: the maintenance margin rate and the taker fee in it must be below 1")]
    CloseFee {
        /// The row, from 1.
        row: usize,
    },
    /// A deduction in a `step` table, a missing one, or a first one that is not zero.
    #[error("row {row}: deductions belong to every row of a marginal table but the first, where they are 0")]
    Deduction {
        /// The row, from 1.
        row: usize,
    },
    /// The given deductions make the maintenance margin jump where the row begins.
    #[error("row {row}: with the given deduction the maintenance margin jumps by {jump} quanta at the cap before it")]
    Jump {
        /// The row, from 1.
        row: usize,
        /// By how much, in quanta.
        jump: i128,
    },
}

/// A checked tier table.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "journal", derive(serde::Deserialize), serde(try_from = "crate::journal::StoredTiers"))]
pub struct TierTable {
    rule: TierRule,
    /// Under `linear` one, without a cap, for what is asked by row.
    rows: Box<[Row]>,
    slope: Option<Slope>,
}

impl TierTable {
    /// Checks `rows` and computes the deductions.
    ///
    /// Deductions that the rows bring are only compared with the computed ones, which are then used.
    ///
    /// # Errors
    ///
    /// The first [`TierError`], from the first row on.
    pub fn new(rule: TierRule, rows: &[TierRow]) -> Result<Self, TierError> {
        if rule == TierRule::Linear {
            return Err(TierError::RowsOrSlope);
        }
        if rows.is_empty() {
            return Err(TierError::Empty);
        }
        let mut previous: Option<TierRow> = None;
        for (index, row) in rows.iter().enumerate() {
            check_row(index + 1, row, previous.as_ref())?;
            previous = Some(*row);
        }
        check_deductions(rule, rows)?;
        let mut exact_ppb: i128 = 0; // D*_n · 10^9
        let mut checked = Vec::with_capacity(rows.len());
        for (index, row) in rows.iter().enumerate() {
            if index > 0 && rule == TierRule::Marginal {
                let before = rows[index - 1];
                exact_ppb += before.cap * i128::from(row.mmr_ppb - before.mmr_ppb);
            }
            checked.push(Row {
                cap: row.cap as u64,
                mmr_ppb: row.mmr_ppb,
                deduction: (exact_ppb / i128::from(PPB)) as u64, // rounds down: never negative
                max_leverage: row.max_leverage,
            });
        }
        Ok(Self { rule, rows: checked.into(), slope: None })
    }

    /// The rule `linear`, which has no rows.
    ///
    /// # Errors
    ///
    /// [`TierError::Slope`].
    pub fn linear(slope: Slope) -> Result<Self, TierError> {
        slope.check()?;
        let (cap, mmr_ppb, max_leverage) = ((LIMIT - 1) as u64, slope.base_ppb, slope.max_leverage(0));
        let rows = [Row { cap, mmr_ppb, deduction: 0, max_leverage }].into();
        Ok(Self { rule: TierRule::Linear, rows, slope: Some(slope) })
    }

    /// Checks that the margin stays below the notional with a fee in it, in parts per billion.
    ///
    /// # Errors
    ///
    /// [`TierError::CloseFee`].
    pub(crate) fn check_close_fee(&self, fee_ppb: u64) -> Result<(), TierError> {
        let all = |row: &Row| row.mmr_ppb.saturating_add(fee_ppb) >= PPB;
        self.rows.iter().position(all).map_or(Ok(()), |at| Err(TierError::CloseFee { row: at + 1 }))
    }

    /// The rates of the rule `linear`.
    #[must_use]
    #[inline]
    pub fn slope(&self) -> Option<&Slope> {
        self.slope.as_ref()
    }

    /// The rule of the table.
    #[must_use]
    pub fn rule(&self) -> TierRule {
        self.rule
    }

    /// The rows with the computed deductions.
    pub fn rows(&self) -> impl Iterator<Item = TierRow> + '_ {
        self.rows.iter().map(|row| TierRow {
            cap: i128::from(row.cap),
            mmr_ppb: row.mmr_ppb,
            max_leverage: row.max_leverage,
            deduction: Some(i128::from(row.deduction)),
        })
    }

    /// The index, from 0, of the first row whose cap is not below `notional`; above the last cap the last row.
    #[must_use]
    #[inline]
    pub fn tier(&self, notional: i128) -> usize {
        let last = self.rows.len() - 1;
        self.rows[..last].iter().position(|row| notional <= i128::from(row.cap)).unwrap_or(last)
    }

    /// The largest notional, in quanta, of the row before `tier`; 0 for the first.
    #[must_use]
    pub fn floor(&self, tier: usize) -> i128 {
        if tier == 0 { 0 } else { i128::from(self.rows[tier - 1].cap) }
    }

    /// The largest notional of `tier`, in quanta; none for the last row, which holds beyond its cap.
    #[must_use]
    pub fn ceiling(&self, tier: usize) -> Option<i128> {
        (tier + 1 < self.rows.len()).then(|| i128::from(self.rows[tier].cap))
    }

    /// Number of rows.
    #[must_use]
    pub fn tiers(&self) -> usize {
        self.rows.len()
    }

    /// The cap of the last row, beyond which no order may take a position.
    #[must_use]
    pub fn last_cap(&self) -> i128 {
        i128::from(self.rows[self.rows.len() - 1].cap)
    }

    /// The maintenance margin rate of `tier`, in parts per billion.
    #[must_use]
    pub fn mmr_ppb(&self, tier: usize) -> u64 {
        self.rows[tier].mmr_ppb
    }

    /// The deduction of `tier`, in quanta.
    #[must_use]
    pub fn deduction(&self, tier: usize) -> i128 {
        i128::from(self.rows[tier].deduction)
    }

    /// The maximum leverage of `tier`, in hundredths.
    #[must_use]
    pub fn max_leverage(&self, tier: usize) -> u32 {
        self.rows[tier].max_leverage
    }

    /// Maintenance margin of a notional in quanta by its row, rounded up: at least 1 for a notional of at least 1.
    #[must_use]
    #[inline]
    pub fn maintenance_margin(&self, notional: i128) -> i128 {
        if notional == 0 {
            return 0;
        }
        let row = &self.rows[self.tier(notional)];
        let requirement = match u64::try_from(notional) {
            Ok(notional) => i128::from(ppb_ceil(notional, row.mmr_ppb)),
            Err(_) => mul_div_ceil(notional, i128::from(row.mmr_ppb), i128::from(PPB)),
        };
        requirement - i128::from(row.deduction)
    }

    /// Initial margin of a notional in quanta by its row, at a leverage in hundredths, rounded up.
    #[must_use]
    pub fn initial_margin(&self, notional: i128, leverage: u32) -> i128 {
        let leverage = leverage.min(self.max_leverage(self.tier(notional)));
        mul_div_ceil(notional, i128::from(LEVERAGE_ONE), i128::from(leverage))
    }
}

fn check_row(number: usize, row: &TierRow, previous: Option<&TierRow>) -> Result<(), TierError> {
    if row.cap <= previous.map_or(0, |p| p.cap) || row.cap >= LIMIT {
        return Err(TierError::Cap { row: number });
    }
    if row.mmr_ppb == 0 || row.mmr_ppb >= PPB || previous.is_some_and(|p| row.mmr_ppb < p.mmr_ppb) {
        return Err(TierError::Rate { row: number });
    }
    if row.max_leverage < LEVERAGE_ONE || previous.is_some_and(|p| row.max_leverage > p.max_leverage) {
        return Err(TierError::Leverage { row: number });
    }
    let product = u128::from(row.mmr_ppb) * u128::from(row.max_leverage);
    if product >= u128::from(PPB) * u128::from(LEVERAGE_ONE) {
        return Err(TierError::RateTimesLeverage { row: number });
    }
    Ok(())
}

/// Compares the margin on both sides of each cap, with the deductions as they were given.
fn check_deductions(rule: TierRule, rows: &[TierRow]) -> Result<(), TierError> {
    let any = rows.iter().any(|row| row.deduction.is_some());
    if !any {
        return Ok(());
    }
    if rule != TierRule::Marginal {
        let row = rows.iter().position(|row| row.deduction.is_some()).unwrap_or(0) + 1;
        return Err(TierError::Deduction { row });
    }
    if rows[0].deduction.unwrap_or(0) != 0 {
        return Err(TierError::Deduction { row: 1 });
    }
    for (index, pair) in rows.windows(2).enumerate() {
        let row = index + 2;
        let Some(deduction) = pair[1].deduction else {
            return Err(TierError::Deduction { row });
        };
        let margin = |mmr_ppb: u64| mul_div_ceil(pair[0].cap, i128::from(mmr_ppb), i128::from(PPB));
        let below = margin(pair[0].mmr_ppb) - pair[0].deduction.unwrap_or(0);
        let jump = margin(pair[1].mmr_ppb) - deduction - below;
        if jump.abs() > 1 {
            return Err(TierError::Jump { row, jump });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cap: i128, mmr_ppb: u64, max_leverage: u32) -> TierRow {
        TierRow { cap, mmr_ppb, max_leverage: max_leverage * LEVERAGE_ONE, deduction: None }
    }

    #[test]
    fn margin_is_continuous_under_marginal_and_jumps_under_step() {
        let rows = [row(1_000, 4_000_000, 125), row(10_000, 10_000_000, 50)];
        let marginal = TierTable::new(TierRule::Marginal, &rows).unwrap();
        assert_eq!(marginal.deduction(1), 6);
        assert_eq!((marginal.maintenance_margin(1_000), marginal.maintenance_margin(1_001)), (4, 5));
        let step = TierTable::new(TierRule::Step, &rows).unwrap();
        assert_eq!((step.maintenance_margin(1_000), step.maintenance_margin(1_001)), (4, 11));
        assert_eq!(marginal.initial_margin(1_001, 10_000), 21, "the row's maximum bounds the leverage");
    }

    #[test]
    fn names_the_row_that_is_wrong() {
        let table = |rows: &[TierRow]| TierTable::new(TierRule::Marginal, rows).unwrap_err();
        assert_eq!(table(&[]), TierError::Empty);
        assert_eq!(table(&[row(10, 1, 1), row(10, 1, 1)]), TierError::Cap { row: 2 });
        assert_eq!(table(&[row(10, 5, 1), row(20, 4, 1)]), TierError::Rate { row: 2 });
        assert_eq!(table(&[row(10, 5, 2), row(20, 5, 3)]), TierError::Leverage { row: 2 });
        assert_eq!(table(&[row(10, 8_000_000, 125)]), TierError::RateTimesLeverage { row: 1 });
        let mut bad = row(20_000_000, 10_000_000, 50);
        bad.deduction = Some(5);
        assert_eq!(table(&[row(1_000_000, 4_000_000, 125), bad]), TierError::Jump { row: 2, jump: 5_995 });
        assert_eq!(table(&[row(10, 0, 1)]), TierError::Rate { row: 1 });
        assert_eq!(table(&[row(10, PPB, 1)]), TierError::Rate { row: 1 });
        let step = |rows: &[TierRow]| TierTable::new(TierRule::Step, rows).unwrap_err();
        assert_eq!(step(&[row(1_000_000, 4_000_000, 125), bad]), TierError::Deduction { row: 2 });
        for (deduction, expected) in [(5_998, Err(2)), (5_999, Ok(())), (6_001, Ok(())), (6_002, Err(-2))] {
            bad.deduction = Some(deduction);
            let made = TierTable::new(TierRule::Marginal, &[row(1_000_000, 4_000_000, 125), bad]).map(|_| ());
            assert_eq!(made, expected.map_err(|jump| TierError::Jump { row: 2, jump }), "{deduction}");
        }
        let two = TierTable::new(TierRule::Step, &[row(10, 300_000_000, 2), row(20, 400_000_000, 1)]).unwrap();
        assert_eq!(two.check_close_fee(599_999_999), Ok(()));
        assert_eq!(two.check_close_fee(600_000_000), Err(TierError::CloseFee { row: 2 }));
    }
}
