//! The liquidation price: the mark nearest to the present one at which a position's pool is in breach.
//!
//! Within one stretch of notionals (a tier row) the exact excess is monotone in the notional, and rounding takes it off
//! that by a few quanta at most. So each stretch yields the prices that surely breach and, around them, those that may:
//! an interval each, by a division. Between the two the prices are tried from the near side. Mostly both are the same,
//! and nothing is tried.

use super::margin::excess_at;
use crate::contract::{Unit, Valuation};
use crate::market::Instrument;
use crate::number::{LIMIT, PPB, Price, div_ceil, div_floor};
use crate::position::Position;
use crate::slope::{Rate, Slope};
use ethnum::I256;
use std::ops::RangeInclusive;

/// Valuations that are tried between the prices that may breach and those that surely do. Only where the margin takes
/// all but a millionth of what the notional brings could there be more; then the surely breaching price is told.
const MOST_TRIED: u32 = 1 << 20;

type Prices = RangeInclusive<i128>;

/// The tick nearest to `from` at which `rest + V(q, p) − C ≤ MM`: `rest` is what the pool has besides the position.
///
/// Every row is asked, since rounded deductions and, under `step`, the jumps at the caps break monotony across rows. Of
/// two equally near the lower; none if no positive price breaches, of an inverse contract none below 2^62 ticks.
pub(super) fn liquidation_price(instrument: &Instrument, position: &Position, rest: i128, from: Price) -> Option<i128> {
    let search = Search { instrument, position, rest, from: i128::from(from) };
    let tiers = &instrument.spec.tiers;
    let (base, unclear) = (rest - position.cost, search.unclear());
    match tiers.slope() {
        Some(slope) if instrument.spec.unit.is_inverse() => search.on_slope(slope, base),
        Some(slope) => {
            let rate = slope.maintenance_rate(i128::from(position.quantity.abs()));
            search.nearest_of(|base| search.breaching(base, rate, 1..=i128::MAX), base, unclear)
        }
        None => {
            let mut best = None;
            for tier in 0..tiers.tiers() {
                let row = tiers.floor(tier) + 1..=tiers.ceiling(tier).unwrap_or(i128::MAX);
                let rate = Rate { numerator: I256::from(tiers.mmr_ppb(tier)), denominator: I256::from(PPB) };
                let breaching = |base| search.breaching(base, rate, row.clone());
                best = search.nearer(best, search.nearest_of(breaching, base + tiers.deduction(tier), unclear));
            }
            best
        }
    }
}

struct Search<'a> {
    instrument: &'a Instrument,
    position: &'a Position,
    rest: i128,
    from: i128,
}

impl Search<'_> {
    /// By how many quanta, at most, the excess lies below what it is with one rounding of all rates together.
    fn unclear(&self) -> i128 {
        // The value of an inverse short is its notional, or one quantum less; two charges may round up one more than one.
        let inverse_short = self.instrument.spec.unit.is_inverse() && self.position.quantity < 0;
        i128::from(inverse_short) + i128::from(self.instrument.spec.close_fee_ppb() > 0)
    }

    fn value_rises_with_notional(&self) -> bool {
        (self.position.quantity > 0) != self.instrument.spec.unit.is_inverse()
    }

    /// The breaching price of a stretch nearest to the present one. `breaching` tells the prices at which the excess, with
    /// one rounding, is at most zero on a base.
    fn nearest_of(&self, breaching: impl Fn(i128) -> Prices, base: i128, unclear: i128) -> Option<i128> {
        let sure = breaching(base);
        let possible = if unclear == 0 { sure.clone() } else { breaching(base - unclear) };
        self.nearest(&sure, &possible)
    }

    /// The prices at which the notional `N` lies in a row and `base ± N − ceil(N · (mmr + fee)) ≤ 0`.
    fn breaching(&self, base: i128, rate: Rate, row: RangeInclusive<i128>) -> Prices {
        let one = rate.denominator;
        let fee = I256::from(self.instrument.spec.close_fee_ppb()) * one / I256::from(PPB); // PPB divides `one`
        let rate = rate.numerator + fee;
        let (mut first, mut last) = row.into_inner();
        let whole =
            |quotient: I256| i128::try_from(quotient).unwrap_or(if quotient < 0 { i128::MIN } else { i128::MAX });
        if !self.value_rises_with_notional() {
            // base − ceil(N · (1 + rate)) ≤ 0
            first = first.max(whole((I256::from(base - 1) * one).div_euclid(one + rate) + 1));
        } else if rate < one {
            // base + floor(N · (1 − rate)) ≤ 0
            last = last.min(whole((I256::from(1 - base) * one - 1).div_euclid(one - rate)));
        } else if rate > one {
            // base − ceil(N · (rate − 1)) ≤ 0
            first = first.max(whole((I256::from(base - 1) * one).div_euclid(rate - one) + 1));
        } else if base > 0 {
            last = 0;
        }
        if first > last { RangeInclusive::new(1, 0) } else { self.prices(first, last) }
    }

    /// The prices at which the notional is from `first`, at least 1, to `last`.
    fn prices(&self, first: i128, last: i128) -> Prices {
        let lots = i128::from(self.position.quantity.abs());
        match self.instrument.spec.unit {
            Unit::Linear(unit) => {
                let per_tick = lots * i128::from(unit);
                // A first notional near the end of all numbers would overflow when it is rounded up.
                (first - 1) / per_tick + 1..=last / per_tick
            }
            Unit::Inverse { numerator, denominator } => {
                // ceil(x / p) ≤ last, and above first − 1
                let at_one = lots * i128::from(numerator);
                let at = |notional: i128| div_ceil(at_one, notional.saturating_mul(i128::from(denominator)));
                let highest = if first > 1 { at(first - 1) - 1 } else { LIMIT - 1 };
                at(last).max(1)..=highest.min(LIMIT - 1)
            }
        }
    }

    /// An inverse contract under `linear`: its margin is quadratic in the notional, which is its size. A long's excess
    /// falls with the notional; a short's rises as long as the margin rises more slowly than the value, and then falls.
    fn on_slope(&self, slope: &Slope, base: i128) -> Option<i128> {
        let fee_ppb = self.instrument.spec.close_fee_ppb();
        let sign = if self.value_rises_with_notional() { 1 } else { -1 };
        // Whether base ± N − N · (mmr + fee) ≤ 0, exact.
        let at_most_zero = |base: i128, notional: i128| {
            let rate = slope.maintenance_rate(notional);
            let fee = I256::from(fee_ppb) * rate.denominator / I256::from(PPB);
            let value = I256::from(base) + I256::from(sign * notional);
            value * rate.denominator <= I256::from(notional) * (rate.numerator + fee)
        };
        let (lowest, highest) = (1, LIMIT - 1);
        let falling = |base: i128, from: i128| {
            let first = first_where(from, highest, |notional| at_most_zero(base, notional));
            first.map_or(RangeInclusive::new(1, 0), |first| self.prices(first, highest))
        };
        // Every charge rounds up by less than one, and so does the notional above a short's value.
        let unclear = self.unclear() + 1;
        if sign < 0 {
            return self.nearest_of(|base| falling(base, lowest), base, unclear);
        }
        let peak = slope.steps_below_one(2, fee_ppb).unwrap_or(0).min(highest);
        let rising = |base: i128| {
            let beyond = first_where(lowest, peak, |notional| !at_most_zero(base, notional)).unwrap_or(peak + 1);
            if beyond > lowest { self.prices(lowest, beyond - 1) } else { RangeInclusive::new(1, 0) }
        };
        let before = self.nearest_of(rising, base, unclear);
        self.nearer(before, self.nearest_of(|base| falling(base, peak + 1), base, unclear))
    }

    /// The breaching price nearest to the present one, of those that may breach.
    fn nearest(&self, sure: &Prices, possible: &Prices) -> Option<i128> {
        if possible.is_empty() {
            return None;
        }
        let start = self.from.clamp(*possible.start(), *possible.end());
        if sure.contains(&start) {
            return Some(start);
        }
        let down = self.first_breach(start, -1, sure, possible);
        let up = self.first_breach(start, 1, sure, possible);
        self.nearer(down, up)
    }

    /// The first price from `start` on that breaches, up or down, within those that may.
    fn first_breach(&self, start: i128, step: i128, sure: &Prices, possible: &Prices) -> Option<i128> {
        let mut price = start;
        for _ in 0..MOST_TRIED {
            if !possible.contains(&price) {
                return None;
            }
            if self.breaches(price) {
                return Some(price);
            }
            price = self.next_valuation(price, step);
        }
        let edge = if step > 0 { *sure.start() } else { *sure.end() };
        (!sure.is_empty() && (edge - start).signum() == step).then_some(edge)
    }

    fn breaches(&self, price: i128) -> bool {
        Price::try_from(price).is_ok_and(|price| self.rest + excess_at(self.instrument, self.position, price) <= 0)
    }

    /// The nearest price, up or down, at which the position is not valued as at `price`.
    fn next_valuation(&self, price: i128, step: i128) -> i128 {
        let Unit::Inverse { numerator, denominator } = self.instrument.spec.unit else { return price + step };
        let lots = self.position.quantity.abs();
        let Valuation { value: floor, notional } = self.instrument.valuation(-lots, price);
        let at_one = i128::from(lots) * i128::from(numerator);
        let per_quantum = |notional: i128| notional * i128::from(denominator);
        match (floor == notional, step > 0) {
            (true, _) => price + step,
            (false, true) if floor == 0 => LIMIT,
            (false, true) => div_ceil(at_one, per_quantum(floor)),
            (false, false) => div_floor(at_one, per_quantum(notional)),
        }
    }

    /// Of two prices the one nearer to the present, of equally near ones the lower.
    fn nearer(&self, one: Option<i128>, other: Option<i128>) -> Option<i128> {
        let key = |price: &i128| ((price - self.from).abs(), *price);
        one.into_iter().chain(other).min_by_key(key)
    }
}

/// The first number from `from` to `to` at which a condition holds that holds for all above it.
fn first_where(from: i128, to: i128, holds: impl Fn(i128) -> bool) -> Option<i128> {
    if from > to || !holds(to) {
        return None;
    }
    let (mut low, mut high) = (from, to);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(low)
}

/// More than rounding can take the excess of two legs off what it would be without: per leg the value, the notional and
/// two charges are rounded, by less than a quantum each.
const ROUNDED: i128 = 8;

/// Intervals that are halved before one leg's surely breaching price is told. Only where the legs make up for each other
/// almost to the quantum could there be more.
const MOST_HALVED: u32 = 1 << 16;

/// As [`liquidation_price`], of an instrument of which a pool holds both legs: they move with the same mark. `rest` is what
/// the pool has besides the two.
///
/// Where both notionals stay in their rows the exact excess is a line in the price (inverse: in its reciprocal), so it
/// is nowhere below its lower end but for rounding: an interval whose ends are above that holds no breach, any other
/// one is halved, the nearer half first.
pub(super) fn liquidation_price_of_legs(
    instrument: &Instrument,
    legs: [&Position; 2],
    rest: i128,
    from: Price,
) -> Option<i128> {
    let tiers = &instrument.spec.tiers;
    let rows = |position: &Position| -> Vec<RangeInclusive<i128>> {
        let search = Search { instrument, position, rest, from: i128::from(from) };
        let row = |tier| search.prices(tiers.floor(tier) + 1, tiers.ceiling(tier).unwrap_or(i128::MAX));
        (0..tiers.tiers()).map(row).collect()
    };
    let [ours, others] = legs.map(rows);
    let mut search = LegsSearch { instrument, legs, rest, left: MOST_HALVED };
    let from = i128::from(from);
    let mut best: Option<i128> = None;
    for (row, other) in ours.iter().flat_map(|row| others.iter().map(move |other| (row, other))) {
        let (first, last) = (*row.start().max(other.start()), *row.end().min(other.end()).min(&i128::from(Price::MAX)));
        if first > last {
            continue;
        }
        let start = from.clamp(first, last);
        let nearer = [search.first_breach(start, first), search.first_breach(start, last)];
        let key = |price: &i128| ((price - from).abs(), *price);
        best = best.into_iter().chain(nearer.into_iter().flatten()).min_by_key(key);
    }
    best
}

struct LegsSearch<'a> {
    instrument: &'a Instrument,
    legs: [&'a Position; 2],
    rest: i128,
    /// Intervals that may still be halved.
    left: u32,
}

impl LegsSearch<'_> {
    /// The pool's excess at a price.
    fn excess(&self, price: i128) -> i128 {
        let price = price as Price; // within a row's prices, which were bounded
        self.rest + self.legs.iter().map(|position| excess_at(self.instrument, position, price)).sum::<i128>()
    }

    /// The breaching price nearest to `near` between it and `far`.
    fn first_breach(&mut self, near: i128, far: i128) -> Option<i128> {
        let ends = (self.excess(near), self.excess(far));
        self.search((near, far), ends)
    }

    fn search(&mut self, (near, far): (i128, i128), (at_near, at_far): (i128, i128)) -> Option<i128> {
        if at_near <= 0 {
            return Some(near);
        }
        let spare = if self.left > 0 { ROUNDED } else { 0 };
        if at_near.min(at_far) > spare {
            return None;
        }
        if (far - near).abs() <= 1 {
            return (at_far <= 0).then_some(far);
        }
        self.left = self.left.saturating_sub(1);
        let middle = near + (far - near) / 2;
        let at_middle = self.excess(middle);
        self.search((near, middle), (at_near, at_middle)).or_else(|| self.search((middle, far), (at_middle, at_far)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decimal::Grid;
    use crate::market::{AssetId, FundId, InstrumentSpec};
    use crate::slope::SizeStep;
    use crate::tiers::{TierRow, TierRule, TierTable};

    /// The highest price that is searched. Beyond it the tiny positions are worth a quantum at most, or all too much.
    const HIGHEST: Price = 3_000;

    fn tables() -> Vec<TierTable> {
        let row = |cap, mmr_ppb| TierRow { cap, mmr_ppb, max_leverage: 100, deduction: None };
        let mut tables = Vec::new();
        for rule in [TierRule::Marginal, TierRule::Step] {
            for (first, second) in [(10_000_000, 100_000_000), (333_333_333, 500_000_000), (1, 899_000_001)] {
                tables.push(TierTable::new(rule, &[row(7, first), row(40, second)]).unwrap());
            }
        }
        for (base_ppb, slope_ppb) in [(10_000_000, 0), (10_000_000, 20_000_000), (300_000_000, 7_000_001)] {
            let step = SizeStep { numerator: 1, denominator: 2 };
            let slope = Slope { base_ppb, slope_ppb, im_base_ppb: base_ppb + 1, step };
            tables.push(TierTable::linear(slope).unwrap());
        }
        tables
    }

    /// Over small domains the price told is the one that a search over all ticks finds.
    #[test]
    fn it_is_what_a_search_over_all_ticks_finds() {
        let units = [
            Unit::Linear(1),
            Unit::Linear(3),
            Unit::Inverse { numerator: 30, denominator: 1 },
            Unit::Inverse { numerator: 100, denominator: 7 },
            Unit::Inverse { numerator: 420, denominator: 1 },
        ];
        let (mut checked, mut none) = (0, 0);
        for tiers in tables() {
            for (unit, fee) in units.into_iter().flat_map(|unit| [0, 50_000_000].map(move |fee| (unit, fee))) {
                let grid = Grid::decimals(0);
                let mut spec = InstrumentSpec::new("X", AssetId(0), FundId(0), (grid, grid), unit, tiers.clone());
                (spec.close_fee_in_mm, spec.taker_fee_ppb) = (fee > 0, fee);
                let instrument = Instrument::new(spec);
                for quantity in [-3, -1, 1, 2] {
                    for money in [-30, -5, -1, 0, 1, 2, 3, 5, 8, 13, 40, 90] {
                        let position = Position { quantity, cost: 0 };
                        let marks: Vec<Price> = (1..=HIGHEST)
                            .filter(|&mark| money + excess_at(&instrument, &position, mark) <= 0)
                            .collect();
                        for from in [1, 2, 5, 17, 40] {
                            let key = |mark: &&Price| ((**mark - from).abs(), **mark);
                            let found = marks.iter().min_by_key(key).map(|&mark| i128::from(mark));
                            let told = liquidation_price(&instrument, &position, money, from);
                            let told = told.filter(|&price| price <= i128::from(HIGHEST));
                            assert_eq!(told, found, "{:?} {position:?} {money} from {from}", instrument.spec);
                            checked += 1;
                            none += u32::from(found.is_none());
                        }
                    }
                }
            }
        }
        println!("{checked} prices, {none} of them none");
        assert!(checked > 20_000 && none > 1_000);
    }

    /// Every small pair of legs against a search of every price.
    #[test]
    fn both_legs_are_searched_as_one() {
        let (mut found, mut none) = (0, 0);
        let units = [Unit::Linear(1), Unit::Linear(3), Unit::Inverse { numerator: 97, denominator: 1 }];
        for unit in units {
            for rule in [TierRule::Marginal, TierRule::Step] {
                for (low, high) in [(10_000_000, 333_333_333), (200_000_000, 700_000_001)] {
                    let row = |cap, mmr_ppb| TierRow { cap, mmr_ppb, max_leverage: 100, deduction: None };
                    let tiers = TierTable::new(rule, &[row(9, low), row(40, high)]).unwrap();
                    let (tick, lot) = (Grid::decimals(0), Grid::decimals(0));
                    let spec = InstrumentSpec::new("X", AssetId(0), FundId(0), (tick, lot), unit, tiers);
                    let instrument = Instrument::new(spec);
                    for (long, short) in [(1, 1), (1, 3), (5, 2), (7, 6), (2, 9)] {
                        let (one, two) = compare(&instrument, long, short);
                        (found, none) = (found + one, none + two);
                    }
                }
            }
        }
        assert!(found > 1_000 && none > 100, "{found} found, {none} none: the domain is too tame");
    }

    fn compare(instrument: &Instrument, long: i64, short: i64) -> (u32, u32) {
        let (mut found, mut none) = (0, 0);
        let legs = [&Position { quantity: long, cost: 30 }, &Position { quantity: -short, cost: -20 }];
        for rest in [-30, -3, 0, 2, 9, 40, 200] {
            let excess = |price: i64| rest + legs.iter().map(|leg| excess_at(instrument, leg, price)).sum::<i128>();
            for from in [1, 5, 17, 60] {
                let plain = (1..2_000i64).filter(|&price| excess(price) <= 0);
                let plain = plain.min_by_key(|price| ((price - from).abs(), *price)).map(i128::from);
                let fast = liquidation_price_of_legs(instrument, legs, rest, from);
                assert_eq!(fast.filter(|&price| price < 2_000), plain, "{long} {short} {rest} {from}");
                if plain.is_some() { found += 1 } else { none += 1 }
            }
        }
        (found, none)
    }
}
