//! The tier rule `linear`: margin rates that rise with the size of the position, as Deribit has them.
//!
//! `mmr = base + slope · size` and `imr = im_base + slope · size`, where the size is counted in the underlying: lots times
//! their size for a linear contract, the notional in its coin for an inverse one. The rates are exact; only the margin is
//! rounded.

use crate::contract::Unit;
use crate::decimal::Grid;
use crate::number::{LEVERAGE_ONE, LIMIT, PPB, div_ceil};
use crate::tiers::TierError;
use ethnum::I256;

/// No margin is more than this: a rate without bound would make sums of margins overflow.
const MOST: i128 = 1 << 100;

/// The rates, in parts per billion: `slope` for each whole unit of the underlying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct Slope {
    /// Maintenance margin rate of an empty position.
    pub base_ppb: u64,
    /// By how much both rates rise.
    pub slope_ppb: u64,
    /// Initial margin rate of an empty position.
    pub im_base_ppb: u64,
    /// The size, in the underlying, of a lot of a linear contract, or of a quantum of notional of an inverse one.
    pub step: SizeStep,
}

/// A fraction of one unit of the underlying; both parts at least 1 and below 2^62.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct SizeStep {
    /// Over `denominator`.
    pub numerator: i64,
    /// Under `numerator`.
    pub denominator: i64,
}

impl SizeStep {
    /// What the size of a position in a contract is counted in; none if it is not a fraction of 62-bit numbers.
    #[must_use]
    pub fn of(unit: Unit, tick: Grid, decimals: u32) -> Option<Self> {
        let quanta = 10i64.checked_pow(decimals)?;
        let Unit::Linear(unit) = unit else { return Some(Self { numerator: 1, denominator: quanta }) };
        // lot · multiplier = unit / (tick · 10^decimals)
        let tick = tick.step();
        let (mut numerator, mut denominator) = (i128::from(unit), tick.mantissa().checked_mul(i128::from(quanta))?);
        for _ in 0..tick.scale() {
            if denominator % 10 == 0 {
                denominator /= 10;
            } else {
                numerator = numerator.checked_mul(10)?;
            }
        }
        while numerator % 10 == 0 && denominator % 10 == 0 {
            (numerator, denominator) = (numerator / 10, denominator / 10);
        }
        let fits = [numerator, denominator].iter().all(|part| (1..LIMIT).contains(part));
        fits.then_some(Self { numerator: numerator as i64, denominator: denominator as i64 })
    }
}

/// A rate as a fraction of whole numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) numerator: I256,
    pub(crate) denominator: I256,
}

impl Rate {
    /// Of a leverage in hundredths.
    pub(crate) fn of_leverage(leverage: u32) -> Self {
        Self { numerator: I256::from(LEVERAGE_ONE), denominator: I256::from(leverage) }
    }

    /// `ceil(amount · rate)`, at most [`MOST`].
    pub(crate) fn of(self, amount: i128) -> i128 {
        let product = I256::from(amount) * self.numerator;
        let floor = product.div_euclid(self.denominator);
        let up = floor + I256::from(product.rem_euclid(self.denominator) != 0);
        i128::try_from(up).unwrap_or(MOST).min(MOST)
    }

    /// In parts per billion, rounded up, at most `most`.
    pub(crate) fn ppb_up(self, most: u64) -> u64 {
        u64::try_from(self.of(i128::from(PPB))).unwrap_or(u64::MAX).min(most)
    }
}

impl Slope {
    /// Checks the rates.
    ///
    /// # Errors
    ///
    /// Unless `0 < base < im_base ≤ 1` and `0 ≤ slope < 1`, and the step is a fraction of positive numbers.
    pub(crate) fn check(&self) -> Result<(), TierError> {
        let step =
            [self.step.numerator, self.step.denominator].iter().all(|&part| (1..LIMIT).contains(&i128::from(part)));
        let bases = self.base_ppb > 0 && self.base_ppb < self.im_base_ppb && self.im_base_ppb <= PPB;
        if bases && step && self.slope_ppb < PPB { Ok(()) } else { Err(TierError::Slope) }
    }

    fn rate(&self, base_ppb: u64, steps: i128) -> Rate {
        let SizeStep { numerator, denominator } = self.step;
        let rise = I256::from(self.slope_ppb) * I256::from(steps) * I256::from(numerator);
        Rate {
            numerator: I256::from(base_ppb) * I256::from(denominator) + rise,
            denominator: I256::from(PPB) * I256::from(denominator),
        }
    }

    /// The maintenance margin rate of a size in steps.
    pub(crate) fn maintenance_rate(&self, steps: i128) -> Rate {
        self.rate(self.base_ppb, steps)
    }

    /// By how much the margin rises with the notional where that is the size: `base + 2 · slope · size`.
    pub(crate) fn marginal_rate(&self, steps: i128) -> Rate {
        self.rate(self.base_ppb, 2 * steps)
    }

    /// `ceil(N · mmr)`, in quanta.
    #[inline]
    pub(crate) fn maintenance_margin(&self, steps: i128, notional: i128) -> i128 {
        let SizeStep { numerator, denominator } = self.step;
        let fast = || {
            let rise = i128::from(self.slope_ppb).checked_mul(steps)?.checked_mul(i128::from(numerator))?;
            let rate = (i128::from(self.base_ppb) * i128::from(denominator)).checked_add(rise)?;
            let margin = div_ceil(notional.checked_mul(rate)?, i128::from(PPB) * i128::from(denominator));
            Some(margin.min(MOST))
        };
        fast().unwrap_or_else(|| self.maintenance_rate(steps).of(notional))
    }

    /// The initial margin rate of a size in steps, whatever the leverage.
    pub(crate) fn initial_rate(&self, steps: i128) -> Rate {
        self.rate(self.im_base_ppb, steps)
    }

    /// `ceil(N · max(imr, 1 / leverage))`, in quanta; the leverage in hundredths.
    pub(crate) fn initial_margin(&self, steps: i128, notional: i128, leverage: u32) -> i128 {
        let by_leverage = div_ceil(notional * i128::from(LEVERAGE_ONE), i128::from(leverage));
        self.initial_rate(steps).of(notional).max(by_leverage)
    }

    /// `1 / imr` in hundredths, rounded down, at least one.
    pub(crate) fn max_leverage(&self, steps: i128) -> u32 {
        let Rate { numerator, denominator } = self.rate(self.im_base_ppb, steps);
        let inverse = denominator * I256::from(LEVERAGE_ONE) / numerator;
        u32::try_from(inverse).unwrap_or(u32::MAX).max(LEVERAGE_ONE)
    }

    /// The most steps at which a rate that rises by `times` the slope, with `more_ppb` on top, is below one; none: never.
    pub(crate) fn steps_below_one(&self, times: i128, more_ppb: u64) -> Option<i128> {
        let room = i128::from(PPB) - i128::from(self.base_ppb) - i128::from(more_ppb);
        if self.slope_ppb == 0 {
            return (room > 0).then_some(LIMIT);
        }
        let per_step = times * i128::from(self.slope_ppb) * i128::from(self.step.numerator);
        let steps = (room * i128::from(self.step.denominator) - 1).div_euclid(per_step);
        (steps >= 0).then_some(steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(text: &str) -> Grid {
        Grid::new(text.parse().unwrap()).unwrap()
    }

    #[test]
    fn the_step_is_the_size_of_a_lot_or_of_a_quantum() {
        let unit = Unit::linear(grid("0.5"), grid("0.001"), grid("2"), 8).unwrap();
        let step = |numerator, denominator| Some(SizeStep { numerator, denominator });
        assert_eq!(SizeStep::of(unit, grid("0.5"), 8), step(1, 500)); // a lot of 0.002
        let unit = Unit::inverse(grid("0.5"), grid("10"), grid("1"), 8).unwrap();
        assert_eq!(SizeStep::of(unit, grid("0.5"), 8), step(1, 100_000_000));
    }

    #[test]
    fn rates_are_exact_and_margins_round_up_once() {
        let step = SizeStep { numerator: 1, denominator: 10 };
        let slope = Slope { base_ppb: 10_000_000, slope_ppb: 50_000, im_base_ppb: 20_000_000, step };
        slope.check().unwrap();
        // 25 units of the underlying: 1 % and 0.125 %
        assert_eq!(slope.maintenance_margin(250, 1_000_000), 11_250);
        assert_eq!(slope.maintenance_margin(250, 1), 1);
        assert_eq!(slope.initial_margin(250, 1_000_000, 10_000), 21_250);
        assert_eq!(slope.initial_margin(250, 1_000_000, 1_000), 100_000);
        assert_eq!(
            [slope.max_leverage(0), slope.max_leverage(250), slope.max_leverage(i128::from(i64::MAX))],
            [5_000, 4_705, 100]
        );
        let huge = slope.maintenance_rate(1 << 61).of(1 << 61);
        assert_eq!(slope.maintenance_margin(1 << 61, 1 << 61), huge);
        assert_eq!(huge, MOST.min(huge));
        assert_eq!(slope.steps_below_one(1, 0), Some(197_999), "0.99 / 0.00005 = 19 800 units");
        assert_eq!(slope.steps_below_one(2, 0), Some(98_999));
        assert_eq!(slope.steps_below_one(1, 990_000_000), None);
        let flat = Slope { slope_ppb: 0, ..slope };
        let rooms = [989_999_999, 990_000_000].map(|more_ppb| flat.steps_below_one(1, more_ppb));
        assert_eq!(rooms, [Some(LIMIT), None]);
        // 1 % and twice 0.125 %: the margin of one more
        assert_eq!(slope.marginal_rate(250).of(1_000_000), 12_500);
    }

    #[test]
    fn rates_that_cannot_be_are_refused() {
        let step = SizeStep { numerator: 1, denominator: 10 };
        let good = Slope { base_ppb: 1, slope_ppb: PPB - 1, im_base_ppb: PPB, step };
        good.check().unwrap();
        let bad = [
            Slope { base_ppb: 0, ..good },
            Slope { base_ppb: PPB, ..good },
            Slope { im_base_ppb: PPB + 1, ..good },
            Slope { slope_ppb: PPB, ..good },
            Slope { step: SizeStep { numerator: 0, ..step }, ..good },
            Slope { step: SizeStep { denominator: 0, ..step }, ..good },
        ];
        for slope in bad {
            assert_eq!(slope.check(), Err(TierError::Slope), "{slope:?}");
        }
    }
}
