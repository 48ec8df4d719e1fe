//! What a contract is worth: the one place that knows linear from inverse.
//!
//! A linear contract is worth `q · p · unit` quanta, exactly. An inverse one is worth `−(q · u) / p` quanta of its coin,
//! where `u` is a rational, and must be rounded: *down* where it values a position or a closing fill, *up* where it is
//! the cost of an opening fill, and its notional always *up*: against the account each time. Of what two sides of a
//! trade exchange, the seller so gives the ceiling and the buyer gets the floor; the difference is the fund's.

use crate::decimal::{Decimal, Grid};
use crate::market::Instrument;
use crate::number::{LEVERAGE_ONE, LIMIT, Price, Quantity, charge, div_ceil, product};
use crate::slope::Rate;
use ethnum::I256;

/// What one lot is worth at a price of one tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum Unit {
    /// `tick · lot · multiplier`, in quanta of the settlement asset; at least 1. Value rises with the price.
    Linear(i64),
    /// `lot · multiplier / tick`, in quanta of the coin: a fraction, both parts at least 1. Value falls with the price.
    Inverse {
        /// Over `denominator`.
        numerator: i64,
        /// Under `numerator`.
        denominator: i64,
    },
}

impl Unit {
    /// `tick · lot · multiplier` in quanta of an asset with `decimals`; none unless whole and from 1 to below 2^62.
    #[must_use]
    pub fn linear(tick: Grid, lot: Grid, multiplier: Grid, decimals: u32) -> Option<Self> {
        let [tick, lot, multiplier] = [tick.step(), lot.step(), multiplier.step()];
        let mut mantissa = tick.mantissa().checked_mul(lot.mantissa())?.checked_mul(multiplier.mantissa())?;
        let mut scale = tick.scale() + lot.scale() + multiplier.scale();
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        let whole = mantissa.checked_mul(10i128.checked_pow(decimals.checked_sub(scale)?)?)?;
        (1..LIMIT).contains(&whole).then_some(Self::Linear(whole as i64))
    }

    /// `lot · multiplier / tick` in quanta of a coin with `decimals`, in lowest terms; none unless both are below 2^62.
    #[must_use]
    pub fn inverse(tick: Grid, lot: Grid, multiplier: Grid, decimals: u32) -> Option<Self> {
        let [tick, lot, multiplier] = [tick.step(), lot.step(), multiplier.step()];
        // (lot · multiplier) / tick as a fraction of whole numbers, its powers of ten kept apart until all are known.
        let value = Decimal::new(lot.mantissa().checked_mul(multiplier.mantissa())?, 0);
        let exponent = i64::from(decimals) + i64::from(tick.scale()) - i64::from(lot.scale() + multiplier.scale());
        let (mut numerator, mut denominator) = (value.mantissa(), tick.mantissa());
        let common = greatest_common_divisor(numerator, denominator);
        (numerator, denominator) = (numerator / common, denominator / common);
        for _ in 0..exponent.unsigned_abs() {
            // One factor of ten at a time, in lowest terms: what is too large then is too large in the end.
            let (grown, other) =
                if exponent > 0 { (&mut numerator, &mut denominator) } else { (&mut denominator, &mut numerator) };
            let common = greatest_common_divisor(10, *other);
            *other /= common;
            *grown = grown.checked_mul(10 / common)?;
        }
        let fits = [numerator, denominator].iter().all(|part| (1..LIMIT).contains(part));
        fits.then_some(Self::Inverse { numerator: numerator as i64, denominator: denominator as i64 })
    }

    /// Whether every part is at least 1 and below 2^62.
    pub(crate) fn is_valid(self) -> bool {
        let fits = |part: i64| (1..LIMIT).contains(&i128::from(part));
        match self {
            Self::Linear(unit) => fits(unit),
            Self::Inverse { numerator, denominator } => fits(numerator) && fits(denominator),
        }
    }

    /// Whether the contract is an inverse one.
    #[must_use]
    pub fn is_inverse(self) -> bool {
        matches!(self, Self::Inverse { .. })
    }
}

fn greatest_common_divisor(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A position at a price, in quanta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Valuation {
    /// `V(q, p)`, rounded down.
    pub value: i128,
    /// `|V(q, p)|`, rounded up.
    pub notional: i128,
}

/// `lots · numerator / (price · denominator)`, rounded down, and whether that left a rest.
#[inline]
fn quotient(lots: i128, price: i128, numerator: i64, denominator: i64) -> (i128, bool) {
    debug_assert!(lots >= 0 && price > 0, "unsigned lots at a price: a kernel bug");
    let (amount, divisor) = (lots * i128::from(numerator), price * i128::from(denominator));
    if let (Ok(amount), Ok(divisor)) = (u64::try_from(amount), u64::try_from(divisor)) {
        return (i128::from(amount / divisor), amount % divisor != 0);
    }
    (amount / divisor, amount % divisor != 0)
}

impl Instrument {
    /// `V(q, p)` of signed `quantity` lots and its size, in quanta: the value rounded down, the notional up.
    #[must_use]
    #[inline]
    pub fn valuation(&self, quantity: Quantity, price: impl Into<i128>) -> Valuation {
        match self.spec.unit {
            Unit::Linear(unit) => {
                let value = product(quantity, unit, price.into());
                Valuation { value, notional: value.abs() }
            }
            Unit::Inverse { numerator, denominator } => {
                let (floor, rest) = quotient(i128::from(quantity).abs(), price.into(), numerator, denominator);
                let notional = floor + i128::from(rest);
                Valuation { value: if quantity > 0 { -notional } else { floor }, notional }
            }
        }
    }

    /// `V(q, p)` of signed `quantity` lots that are held or closed, in quanta, rounded down.
    #[must_use]
    #[inline]
    pub fn value(&self, quantity: Quantity, price: impl Into<i128>) -> i128 {
        self.valuation(quantity, price).value
    }

    /// `V(q, p)` of signed `quantity` lots that a fill opens, in quanta, rounded up.
    #[must_use]
    #[inline]
    pub fn cost(&self, quantity: Quantity, price: impl Into<i128>) -> i128 {
        -self.value(-quantity, price)
    }

    /// `|V(q, p)|` of `lots`, signed or not, in quanta, rounded up.
    #[must_use]
    #[inline]
    pub fn notional(&self, lots: Quantity, price: impl Into<i128>) -> i128 {
        self.valuation(lots, price).notional
    }

    /// The notional of unsigned numbers that come from outside; none where lots, price or notional are not below 2^62.
    #[must_use]
    #[inline]
    pub fn admitted_value(&self, lots: Quantity, price: Price) -> Option<i128> {
        match self.spec.unit {
            Unit::Linear(unit) => {
                if let Some(value) = lots.checked_mul(price).and_then(|lots_at_price| lots_at_price.checked_mul(unit)) {
                    return Some(i128::from(value)).filter(|&value| value < LIMIT);
                }
                // Too large, or far below zero.
                let value = (i128::from(lots) * i128::from(price)).checked_mul(i128::from(unit));
                value.filter(|&value| value < LIMIT)
            }
            Unit::Inverse { .. } => {
                let sound = i128::from(lots) < LIMIT && (1..LIMIT).contains(&i128::from(price));
                sound.then(|| self.notional(lots, price)).filter(|&notional| notional < LIMIT)
            }
        }
    }

    /// Of two prices the one at which a lot is worth more: what bounds are checked at.
    #[must_use]
    #[inline]
    pub fn dearer(&self, price: Price, other: Option<Price>) -> Price {
        match self.spec.unit {
            Unit::Linear(_) => price.max(other.unwrap_or(price)),
            Unit::Inverse { .. } => price.min(other.unwrap_or(price)),
        }
    }

    /// The most lots, unsigned, whose notional at `price` is at most `cap`.
    #[must_use]
    pub fn lots_within(&self, cap: i128, price: Price) -> Quantity {
        let lots = match self.spec.unit {
            Unit::Linear(unit) => I256::from(cap / (i128::from(price) * i128::from(unit))),
            Unit::Inverse { numerator, denominator } => {
                let per_quantum = i128::from(price) * i128::from(denominator);
                I256::from(cap) * I256::from(per_quantum) / I256::from(numerator)
            }
        };
        Quantity::try_from(lots).unwrap_or(Quantity::MAX)
    }

    /// Maintenance margin of `lots`, signed or not, of a notional, in quanta.
    #[must_use]
    #[inline]
    pub fn maintenance_margin(&self, lots: Quantity, notional: i128) -> i128 {
        let tiers = &self.spec.tiers;
        let own = match tiers.slope() {
            None => tiers.maintenance_margin(notional),
            Some(slope) => slope.maintenance_margin(self.size_steps(lots, notional), notional),
        };
        match self.spec.close_fee_ppb() {
            0 => own,
            fee_ppb => own + charge(notional, fee_ppb as i64),
        }
    }

    /// Initial margin of `lots`, signed or not, of a notional, in quanta, at a leverage in hundredths.
    #[must_use]
    #[inline]
    pub fn initial_margin(&self, lots: impl Into<i128>, notional: i128, leverage: u32) -> i128 {
        let lots = lots.into();
        match self.spec.controls.limits.oi_im {
            None => self.opening_margin((lots, notional), notional, leverage),
            Some(rule) => {
                let at = |base: Rate| rule.rate(base, self.open_interest).of(notional);
                match self.spec.tiers.slope() {
                    None => at(Rate::of_leverage(leverage.min(self.max_leverage(lots, notional)))),
                    Some(slope) => {
                        let by_size = slope.initial_rate(self.size_steps(lots, notional));
                        at(by_size).max(at(Rate::of_leverage(leverage)))
                    }
                }
            }
        }
    }

    /// What opening a `part` of a whole position takes, in quanta: the part's notional at the whole's rate.
    #[must_use]
    #[inline]
    pub fn opening_margin(&self, whole: (impl Into<i128>, i128), part: i128, leverage: u32) -> i128 {
        let (lots, notional) = (whole.0.into(), whole.1);
        if let Some(slope) = self.spec.tiers.slope() {
            return slope.initial_margin(self.size_steps(lots, notional), part, leverage);
        }
        let leverage = leverage.min(self.max_leverage(lots, notional));
        match u64::try_from(part).ok().and_then(|part| part.checked_mul(u64::from(LEVERAGE_ONE))) {
            Some(hundredths) => i128::from(hundredths.div_ceil(u64::from(leverage))),
            None => div_ceil(part * i128::from(LEVERAGE_ONE), i128::from(leverage)),
        }
    }

    /// The maximum leverage of `lots`, signed or not, of a notional, in hundredths.
    #[must_use]
    #[inline]
    pub fn max_leverage(&self, lots: impl Into<i128>, notional: i128) -> u32 {
        let tiers = &self.spec.tiers;
        match tiers.slope() {
            None => tiers.max_leverage(tiers.tier(notional)),
            Some(slope) => slope.max_leverage(self.size_steps(lots, notional)),
        }
    }

    /// The size that the rule `linear` goes by, in the steps that it is counted in.
    pub(crate) fn size_steps(&self, lots: impl Into<i128>, notional: i128) -> i128 {
        if self.spec.unit.is_inverse() { notional } else { lots.into().abs() }
    }

    /// What a fill of signed `parts` at `price` books against its side, beyond the rounded-down size of the whole: the
    /// sum over both sides is what rounding leaves to the fund. Always zero for linear contracts.
    ///
    /// A fill that crosses zero has two parts, the closed and the opened lots, each rounded by itself.
    #[must_use]
    pub fn rounding(&self, parts: [Quantity; 2], price: impl Into<i128>) -> i128 {
        let Unit::Inverse { .. } = self.spec.unit else { return 0 };
        let price = price.into();
        // Closed or opened, a part books the value of the lots that it gives away.
        let booked: i128 = parts.iter().map(|&part| self.value(-part, price)).sum();
        let whole = parts[0] + parts[1];
        let size = self.value(-whole.abs(), price); // a short's value: the size, rounded down
        if whole > 0 { size - booked } else { -size - booked }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{AssetId, FundId, InstrumentSpec};
    use crate::tiers::{TierRow, TierRule, TierTable};

    fn grid(text: &str) -> Grid {
        Grid::new(text.parse().unwrap()).unwrap()
    }

    fn inverse(numerator: i64, denominator: i64) -> Instrument {
        let row = TierRow { cap: 100, mmr_ppb: 10_000_000, max_leverage: 100, deduction: None };
        let tiers = TierTable::new(TierRule::Marginal, &[row]).unwrap();
        let unit = Unit::Inverse { numerator, denominator };
        Instrument::new(InstrumentSpec::new("X", AssetId(0), FundId(0), (grid("1"), grid("1")), unit, tiers))
    }

    #[test]
    fn the_linear_unit_is_whole_or_none() {
        let unit = |tick, lot, multiplier, decimals| Unit::linear(grid(tick), grid(lot), grid(multiplier), decimals);
        assert_eq!(unit("0.1", "0.001", "1", 8), Some(Unit::Linear(10_000)));
        assert_eq!(unit("0.1", "0.001", "1", 4), Some(Unit::Linear(1)));
        assert_eq!(unit("0.1", "0.001", "1", 3), None);
        assert_eq!(unit("0.5", "1", "0.2", 1), Some(Unit::Linear(1)));
        assert_eq!(unit("1000000", "1000000", "1000000", 12), None, "2^62 and more");
    }

    #[test]
    fn the_inverse_unit_is_a_fraction_in_lowest_terms() {
        let unit = |tick, lot, multiplier, decimals| Unit::inverse(grid(tick), grid(lot), grid(multiplier), decimals);
        let fraction = |numerator, denominator| Some(Unit::Inverse { numerator, denominator });
        assert_eq!(unit("0.1", "1", "1", 8), fraction(1_000_000_000, 1));
        assert_eq!(unit("0.5", "1", "100", 8), fraction(20_000_000_000, 1));
        assert_eq!(unit("3", "1", "1", 0), fraction(1, 3));
        assert_eq!(unit("250", "0.004", "1", 0), fraction(1, 62_500));
        assert_eq!(unit("0.000000000000000003", "1", "1", 0), fraction(1_000_000_000_000_000_000, 3));
        assert_eq!(unit("0.000000000000000001", "100", "1", 12), None, "2^62 and more");
    }

    #[test]
    fn inverse_values_round_against_the_account() {
        let instrument = inverse(10, 1);
        assert_eq!(instrument.valuation(1, 3), Valuation { value: -4, notional: 4 });
        assert_eq!(instrument.valuation(-1, 3), Valuation { value: 3, notional: 4 });
        assert_eq!([instrument.cost(1, 3), instrument.cost(-1, 3)], [-3, 4]);
        assert_eq!(instrument.valuation(-1, 5), Valuation { value: 2, notional: 2 });
        assert_eq!([instrument.lots_within(7, 3), instrument.lots_within(6, 3)], [2, 1]); // 2 lots: 20/3, up: 7
        assert_eq!([instrument.notional(2, 3), instrument.notional(3, 3)], [7, 10]);
    }

    /// Over small domains: what both sides of a fill book, whatever they held, and the rounding sum to nothing.
    #[test]
    fn what_two_sides_book_and_the_rounding_cancel_out() {
        use crate::position::Position;
        for (numerator, denominator) in [(1, 1), (10, 1), (7, 3), (1, 5)] {
            let instrument = inverse(numerator, denominator);
            for (held, other) in (-3..=3).flat_map(|held| (-3..=3).map(move |other| (held, other))) {
                for lots in 1..=5 {
                    for price in 1..=7 {
                        let mut sum = 0;
                        for (quantity, held) in [(lots, held), (-lots, other)] {
                            let mut position = Position { quantity: held, cost: i128::from(held) * 3 };
                            let before = position.cost;
                            let (closing, opening) = position.split(quantity);
                            let rounding = instrument.rounding([quantity - opening, opening], price);
                            assert!((0..=2).contains(&rounding), "{held} {quantity} at {price}: {rounding}");
                            assert_eq!(closing, (quantity - opening).abs());
                            let realised = position.fill(quantity, price, &instrument);
                            sum += realised - position.cost + before + rounding;
                        }
                        assert_eq!(sum, 0, "{held} against {other}: {lots} at {price}");
                    }
                }
            }
        }
    }
}
