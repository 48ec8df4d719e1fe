//! Scores at the present marks, estimated from above: what exact scores are looked for by.
//!
//! An exact score is truncated three times, each time in whole numbers of 128 bits or more; nearly all of them are taken only
//! to find the few that are highest. An estimate is the same quotient in floats, rounded up by more than floats can err: never
//! below the score, and hardly ever above it by what tells two positions apart.

use super::deleverage::{grade, signed_grade};
use super::{Grade, Margin, Shard};
use crate::contract::Valuation;
use crate::market::{AdlRank, Market};
use fixed::types::I64F64;

/// More than all roundings of an estimate together, each of 2^-53.
const ERROR: f64 = 1.0 / (1u64 << 46) as f64;

/// So many bits has a grade for the leading bits of a score, one more than a float.
const KEPT: u32 = 54;

/// Most amounts fit into 64 bits, and go faster so.
#[inline]
pub(super) fn real(amount: i128) -> f64 {
    i64::try_from(amount).map_or(amount as f64, |amount| amount as f64)
}

/// The grade of the highest score that is not above a number of at least zero.
#[inline]
fn grade_of_most(profitable: bool, score: f64) -> Grade {
    let bits = (score * 2f64.powi(I64F64::FRAC_NBITS as i32)).to_bits();
    let exponent = (bits >> (f64::MANTISSA_DIGITS - 1)) as i64 - 1023;
    if exponent < 0 {
        return grade(profitable, I64F64::ZERO);
    }
    if exponent >= 127 {
        return grade(profitable, I64F64::MAX);
    }
    let leading = (bits << 1 & ((1 << (KEPT - 1)) - 1)) | 1 << (KEPT - 1);
    signed_grade(profitable, ((exponent + 1) << KEPT) | leading as i64)
}

/// About the score that a grade is of, if it is of a profitable position.
pub(super) fn profitable_score(of: Grade) -> Option<f64> {
    if of <= 0 {
        return None;
    }
    let graded = of - signed_grade(true, 0);
    let leading = (graded & ((1 << KEPT) - 1)) as f64;
    Some(leading * 2f64.powi((graded >> KEPT) as i32 - KEPT as i32 - I64F64::FRAC_NBITS as i32))
}

impl Shard {
    /// A grade that a position's score at the present marks does not exceed, and nearly meets.
    pub(crate) fn estimate(&self, market: &Market, at: u32) -> Grade {
        let own = &self.holdings[at as usize];
        let collateral = self.pools[own.pool as usize].collateral;
        let (mut margin, mut of_own) = (Margin::of(collateral), (Valuation::default(), 0));
        for other in self.holdings_of(own.pool) {
            let holding = &self.holdings[other as usize];
            if holding.position.quantity != 0 {
                let of = self.add_position(market, holding, &mut margin);
                if other == at {
                    of_own = of;
                }
            }
        }
        let (Valuation { value, notional }, part) = of_own;
        let position = &own.position;
        let unrealised = value - position.cost;
        let instrument = market.instrument(own.instrument);
        let rank = instrument.spec.adl.rank;
        if unrealised <= 0 && rank != AdlRank::ProfitNotional {
            return grade(false, self.score(market, own, &margin, of_own));
        }
        let equity = real(margin.equity.max(1));
        let score = match rank {
            AdlRank::PnlLeverage | AdlRank::ProRata => {
                // What it is divided by is rounded down to a whole quantum.
                let share =
                    if margin.maintenance == 0 { equity } else { equity * real(part) / real(margin.maintenance) };
                let least = (share * (1.0 - ERROR) - 1.0).max(1.0);
                real(unrealised) / real(position.cost.abs().max(1)) * (real(notional) / least)
            }
            AdlRank::PnlMarginRatio => {
                let whole_unit = 10i128.pow(market.asset(instrument.spec.settle).decimals);
                real(unrealised) / real(collateral.max(whole_unit)) * (real(margin.maintenance) / equity)
            }
            AdlRank::ProfitNotional => {
                let by_value = (position.quantity > 0) != instrument.spec.unit.is_inverse();
                let (gained, given) = if by_value { (value, position.cost) } else { (position.cost, value) };
                real(gained.abs()) / real(given.abs().max(1)) * (real(notional) / equity)
            }
        };
        grade_of_most(unrealised > 0, score * (1.0 + ERROR))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grades_of_floats_are_those_of_the_scores_that_they_are() {
        let exact = [0, 1, 2, 3, 5, 1 << 20, (1 << 53) - 1, 1 << 64, 3 << 64, ((1 << 53) - 1) << 70, 1 << 126];
        for bits in exact {
            let score = I64F64::from_bits(bits);
            for profitable in [false, true] {
                let graded = grade_of_most(profitable, score.to_num::<f64>());
                assert_eq!(graded, grade(profitable, score), "{bits}");
                let shown = profitable_score(graded);
                assert_eq!(shown, profitable.then(|| score.to_num::<f64>()), "{bits}");
            }
        }
        assert_eq!(grade_of_most(true, 1e300), grade(true, I64F64::MAX));
        assert_eq!(grade_of_most(true, 1e-30), grade(true, I64F64::ZERO));
        assert!(grade_of_most(true, 0.1) > grade_of_most(true, 0.1 - 1e-15));
    }
}
