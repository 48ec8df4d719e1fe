//! The liquidation price: the mark nearest to the present one at which a position's pool is in breach.
//!
//! Within one tier row the exact excess is monotone in the notional, and rounding takes it off that by a few quanta at
//! most. So each row yields the prices that surely breach and, around them, those that may: an interval each, by a
//! division. Between the two the prices are tried from the near side. Mostly both are the same, and nothing is tried.

use super::margin::excess_at;
use crate::contract::{Unit, Valuation};
use crate::market::Instrument;
use crate::number::{LIMIT, PPB, Price, div_ceil, div_floor};
use crate::position::Position;
use std::ops::RangeInclusive;

/// Valuations that are tried between the prices that may breach and those that surely do. Only where the maintenance
/// margin takes all but a millionth of the notional could there be more; then the surely breaching price is told.
const MOST_TRIED: u32 = 1 << 20;

/// The tick nearest to `from` at which `rest + V(q, p) − C ≤ MM`: `rest` is what the pool has besides the position.
///
/// Every row is asked, since rounded deductions and, under `step`, the jumps at the caps break monotony across rows. Of
/// two equally near the lower; none if no positive price breaches, of an inverse contract none below 2^62 ticks.
pub(super) fn liquidation_price(instrument: &Instrument, position: &Position, rest: i128, from: Price) -> Option<i128> {
    let tiers = &instrument.spec.tiers;
    let search = Search { instrument, position, rest, from: i128::from(from) };
    let inverse_short = instrument.spec.unit.is_inverse() && position.quantity < 0;
    let mut best = None;
    for tier in 0..tiers.tiers() {
        let base = rest - position.cost + tiers.deduction(tier);
        let row = tiers.floor(tier) + 1..=tiers.ceiling(tier).unwrap_or(i128::MAX);
        let sure = search.breaching(base, tiers.mmr_ppb(tier), row.clone());
        // The value of an inverse short is its notional, or one quantum less.
        let possible = if inverse_short { search.breaching(base - 1, tiers.mmr_ppb(tier), row) } else { sure.clone() };
        best = search.nearer(best, search.nearest(sure, possible));
    }
    best
}

struct Search<'a> {
    instrument: &'a Instrument,
    position: &'a Position,
    rest: i128,
    from: i128,
}

impl Search<'_> {
    /// The prices at which the notional `N` lies in a row and `base ± N − ceil(N · mmr) ≤ 0`.
    fn breaching(&self, base: i128, mmr_ppb: u64, row: RangeInclusive<i128>) -> RangeInclusive<i128> {
        let (ppb, rate) = (i128::from(PPB), i128::from(mmr_ppb));
        let value_rises_with_notional = (self.position.quantity > 0) != self.instrument.spec.unit.is_inverse();
        let (first, last) = if value_rises_with_notional {
            // base + floor(N · (1 − mmr)) ≤ 0
            (*row.start(), div_floor((1 - base) * ppb - 1, ppb - rate).min(*row.end()))
        } else {
            // base − ceil(N · (1 + mmr)) ≤ 0
            ((div_floor((base - 1) * ppb, ppb + rate) + 1).max(*row.start()), *row.end())
        };
        if first > last { RangeInclusive::new(1, 0) } else { self.prices(first, last) }
    }

    /// The prices at which the notional is from `first`, at least 1, to `last`.
    fn prices(&self, first: i128, last: i128) -> RangeInclusive<i128> {
        let lots = i128::from(self.position.quantity.abs());
        match self.instrument.spec.unit {
            Unit::Linear(unit) => {
                let per_tick = lots * i128::from(unit);
                div_ceil(first, per_tick)..=last / per_tick
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

    /// The breaching price of a row nearest to the present one.
    fn nearest(&self, sure: RangeInclusive<i128>, possible: RangeInclusive<i128>) -> Option<i128> {
        if possible.is_empty() {
            return None;
        }
        let start = self.from.clamp(*possible.start(), *possible.end());
        if sure.contains(&start) {
            return Some(start);
        }
        let down = self.first_breach(start, -1, &sure, &possible);
        let up = self.first_breach(start, 1, &sure, &possible);
        self.nearer(down, up)
    }

    /// The first price from `start` on that breaches, up or down, within those that may.
    fn first_breach(
        &self,
        start: i128,
        step: i128,
        sure: &RangeInclusive<i128>,
        possible: &RangeInclusive<i128>,
    ) -> Option<i128> {
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
        let at = |notional: i128| (at_one, notional * i128::from(denominator));
        match (floor == notional, step > 0) {
            (true, _) => price + step,
            (false, true) if floor == 0 => LIMIT,
            (false, true) => {
                let (amount, divisor) = at(floor);
                div_ceil(amount, divisor)
            }
            (false, false) => {
                let (amount, divisor) = at(notional);
                div_floor(amount, divisor)
            }
        }
    }

    /// Of two prices the one nearer to the present, of equally near ones the lower.
    fn nearer(&self, one: Option<i128>, other: Option<i128>) -> Option<i128> {
        let key = |price: &i128| ((price - self.from).abs(), *price);
        one.into_iter().chain(other).min_by_key(key)
    }
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
    use crate::market::{AssetId, FundId, InstrumentSpec};
    use crate::tiers::{TierRow, TierRule, TierTable};

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
                    let (tick, lot) = (crate::decimal::Grid::decimals(0), crate::decimal::Grid::decimals(0));
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
