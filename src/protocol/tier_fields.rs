//! The fields of an instrument's margins: rows by notional, or the rates of the rule `linear`. Anything wrong in their values
//! is `bad_tiers`.

use super::Rejection;
use super::desk::steps;
use super::fields::{Fields, Json};
use crate::decimal::{Decimal, Grid};
use crate::refusal::Code;
use crate::slope::{SizeStep, Slope};
use crate::tiers::{TierError, TierRow, TierRule, TierTable};

/// The largest leverage a table may name: 1 000 000.
const MAX_LEVERAGE_HUNDREDTHS: i64 = 100_000_000;

/// What a line says of margins; none where it names no such field.
#[derive(Default)]
pub(super) struct TierFields {
    pub(super) rule: Option<TierRule>,
    pub(super) rows: Option<Vec<Json>>,
    pub(super) base: Option<Decimal>,
    pub(super) slope: Option<Decimal>,
    pub(super) im_base: Option<Decimal>,
}

impl TierFields {
    /// The table with what is given, and for the rest as it is, if there is one: rows under another rule, rates beside
    /// other rates. None if the size of a lot, `step`, is not a fraction of 62-bit numbers and the rule asks for it.
    pub(super) fn table(
        &self,
        present: Option<&TierTable>,
        step: impl FnOnce() -> Option<SizeStep>,
        decimals: u32,
    ) -> Result<Option<TierTable>, Rejection> {
        let rates_given = [self.base, self.slope, self.im_base].iter().any(Option::is_some);
        if let (Some(present), None, None, false) = (present, self.rule, &self.rows, rates_given) {
            return Ok(Some(present.clone()));
        }
        let rule = self.rule.or(present.map(TierTable::rule)).unwrap_or(TierRule::Marginal);
        match (&self.rows, present) {
            (Some(_), _) if rule == TierRule::Linear => bad_tiers(Err(TierError::RowsOrSlope)),
            (None, _) if rule == TierRule::Linear => self.linear(present, step),
            _ if rates_given => bad_tiers(Err(TierError::RowsOrSlope)),
            (Some(rows), _) => table_of(rule, rows, decimals).map(Some),
            (None, Some(present)) if present.slope().is_none() => {
                let rows: Vec<TierRow> = present.rows().map(|row| TierRow { deduction: None, ..row }).collect();
                bad_tiers(TierTable::new(rule, &rows)).map(Some)
            }
            (None, _) => bad_tiers(Err(TierError::RowsOrSlope)),
        }
    }

    fn linear(
        &self,
        present: Option<&TierTable>,
        step: impl FnOnce() -> Option<SizeStep>,
    ) -> Result<Option<TierTable>, Rejection> {
        let before = present.and_then(TierTable::slope);
        let rate = |name, given: Option<Decimal>, before: Option<u64>| match (given, before) {
            (Some(given), _) => rate_ppb(name, given),
            (None, Some(before)) => Ok(before),
            (None, None) => bad_tiers(Err(TierError::RowsOrSlope)),
        };
        let base_ppb = rate("base", self.base, before.map(|slope| slope.base_ppb))?;
        let slope_ppb = rate("slope", self.slope, before.map(|slope| slope.slope_ppb))?;
        let im_base_ppb = rate("im_base", self.im_base, before.map(|slope| slope.im_base_ppb))?;
        let Some(step) = step() else { return Ok(None) };
        bad_tiers(TierTable::linear(Slope { base_ppb, slope_ppb, im_base_ppb, step })).map(Some)
    }
}

/// What is wrong with a table, as lines tell it.
pub(super) fn bad_tiers<T>(table: Result<T, TierError>) -> Result<T, Rejection> {
    table.map_err(|error| Rejection::new(Code::BadTiers, error.to_string()))
}

/// A rate of the rule `linear`, in parts per billion.
fn rate_ppb(name: &str, rate: Decimal) -> Result<u64, Rejection> {
    let (steps, off) = steps(Grid::ppb(), rate);
    if off {
        let reason = format!("{name} {rate} is finer than {}", Grid::ppb().step());
        return Err(Rejection::new(Code::BadTiers, reason));
    }
    Ok(u64::try_from(steps).unwrap_or(u64::MAX)) // below zero is refused as what is too large is
}

/// Reads a tier table; what is wrong in it names the row.
fn table_of(rule: TierRule, list: &[Json], decimals: u32) -> Result<TierTable, Rejection> {
    let bad = |reason: String| Rejection::new(Code::BadTiers, reason);
    let mut rows = Vec::with_capacity(list.len());
    for (index, row) in list.iter().enumerate() {
        let row =
            tier_row(row, decimals).map_err(|rejection| bad(format!("row {}: {}", index + 1, rejection.reason)))?;
        rows.push(row);
    }
    bad_tiers(TierTable::new(rule, &rows))
}

fn tier_row(row: &Json, decimals: u32) -> Result<TierRow, Rejection> {
    let mut fields = Fields::of(row.clone(), "a tier")?;
    fields.only(&["cap", "mmr", "max_leverage", "deduction"])?;
    let mut exact = |name: &str, grid: Grid| {
        let value = fields.decimal(name)?;
        match steps(grid, value) {
            (steps, false) => Ok(steps),
            _ => Err(Rejection::malformed(format!("{name} {value} is finer than {}", grid.step()))),
        }
    };
    let cap = exact("cap", Grid::decimals(decimals))?;
    let mmr_ppb = exact("mmr", Grid::ppb())?;
    let max_leverage = exact("max_leverage", Grid::decimals(2))?;
    if max_leverage > MAX_LEVERAGE_HUNDREDTHS {
        return Err(Rejection::malformed("max_leverage must be at most 1000000"));
    }
    let deduction = match fields.take("deduction") {
        None => None,
        Some(value) => {
            let mut one = Fields::of(Json::Object(vec![("deduction".to_owned(), value)]), "a deduction")?;
            let value = one.decimal("deduction")?;
            match steps(Grid::decimals(decimals), value) {
                (steps, false) => Some(i128::from(steps)),
                _ => return Err(Rejection::malformed(format!("deduction {value} is finer than a quantum"))),
            }
        }
    };
    Ok(TierRow {
        cap: i128::from(cap),
        mmr_ppb: u64::try_from(mmr_ppb).unwrap_or(0), // what is not above zero is refused with the table
        max_leverage: u32::try_from(max_leverage).unwrap_or(0),
        deduction,
    })
}
