//! The liquidation price (model section 3): the tick price nearest to the
//! present mark at which the position's pool is in breach if no other price
//! moves.
//!
//! Within one row of the tier table (of each leg) the exact excess, without any rounding, is
//! monotone or has one peak in the price: between two prices it is nowhere
//! lower than at the lower of its ends. The excess that counts differs from it
//! by a few quanta. So an interval whose ends lie well above zero holds no
//! breach; every other one is halved, down to single prices.

use super::number::{Int, Rat, floor_div, int, limit, rat, round_half_up};
use super::state::{At, State};
use super::tiers::Rule;
use num_traits::{Signed, Zero};

/// How far rounding can move the excess: value, notional, MM, deduction,
/// fee of one leg.
const ROUNDING: i64 = 6;

/// A position in its pool, all other prices standing still; both legs of an
/// instrument in one pool move together.
struct Probe<'a> {
    state: &'a State,
    account: u64,
    i: usize,
    /// The signed sizes that move.
    legs: Vec<Int>,
    /// `equity − MM` of the pool without the values and MM of these.
    rest: Int,
}

impl State {
    pub fn liq_price(&self, account: u64, at: At) -> Option<Int> {
        let probe = self.probe(account, at);
        let start = match &self.instruments[at.i].mark {
            Some(mark) => mark.clone(),
            None => self.entry_tick(account, at),
        };
        if probe.breach(&start) {
            return Some(start);
        }
        let found = nearest(&start, probe.highest_below(&start), probe.lowest_above(&start));
        found.filter(|price| *price < limit())
    }

    fn probe(&self, account: u64, at: At) -> Probe<'_> {
        let pool = self.own_pool(account, at);
        let mut probe = Probe { state: self, account, i: at.i, legs: Vec::new(), rest: self.pool_money(pool) };
        for other in self.pool_positions(pool) {
            let position = self.position(account, other);
            if other.i == at.i {
                probe.rest -= &position.cost;
                probe.legs.push(position.q);
            } else {
                probe.rest += self.upnl(other.i, &position) - self.position_mm(account, other);
            }
        }
        probe
    }

    /// In ticks, exact: where uPnL is zero. None of an inverse position without
    /// cost.
    pub fn entry(&self, i: usize, q: &Int, cost: &Int) -> Option<Rat> {
        let unit = &self.instruments[i].unit;
        if self.instruments[i].inverse {
            (!cost.is_zero()).then(|| -rat(q) * unit / rat(cost))
        } else {
            Some(rat(cost) / (rat(q) * unit))
        }
    }

    /// Never marked: the search starts at the entry price.
    fn entry_tick(&self, account: u64, at: At) -> Int {
        let position = self.position(account, at);
        let entry = self.entry(at.i, &position.q, &position.cost);
        if self.instruments[at.i].inverse {
            let tick = entry.map_or(limit() - 1, |entry| round_half_up(&entry.abs()));
            return tick.max(int(1)).min(limit() - 1);
        }
        entry.map_or(int(1), |entry| round_half_up(&entry).max(int(1)))
    }
}

/// Of two equally near the lower.
fn nearest(start: &Int, below: Option<Int>, above: Option<Int>) -> Option<Int> {
    match (below, above) {
        (Some(b), Some(a)) if &a - start < start - &b => Some(a),
        (Some(b), _) => Some(b),
        (None, above) => above,
    }
}

impl Probe<'_> {
    /// Value and notional of each leg.
    fn worth(&self, price: &Int) -> Vec<(Int, Int)> {
        let worth = |q: &Int| (self.state.value_at(self.i, q, price), self.state.notional_at(self.i, q, price));
        self.legs.iter().map(worth).collect()
    }

    /// `equity − MM` of the pool.
    fn excess(&self, price: &Int) -> Int {
        self.excess_of(&self.worth(price))
    }

    fn excess_of(&self, worth: &[(Int, Int)]) -> Int {
        let mut excess = self.rest.clone();
        for (q, (value, notional)) in self.legs.iter().zip(worth) {
            excess += value - self.state.mm_of(self.account, self.i, &q.abs(), notional);
        }
        excess
    }

    fn breach(&self, price: &Int) -> bool {
        !self.excess(price).is_positive()
    }

    /// No price between the two, of one stretch, breaches; the two themselves do
    /// not.
    fn is_safe(&self, low: &Int, high: &Int) -> bool {
        let (low, high) = (self.worth(low), self.worth(high));
        low == high || self.least_between(&low, &high).is_positive()
    }

    /// The excess is nowhere lower between the two: of a plain position, because
    /// the excess itself rises or falls all the way; else, because the exact one
    /// does not fall below its lower end.
    fn least_between(&self, low: &[(Int, Int)], high: &[(Int, Int)]) -> Int {
        let instrument = &self.state.instruments[self.i];
        let by_rows = !matches!(instrument.tiers.rule, Rule::Linear { .. });
        let one_ceiling = by_rows && self.state.margin_rules(self.account, self.i).close_fee.is_zero();
        match (self.legs.as_slice(), one_ceiling) {
            ([q], true) if q.is_positive() => self.excess_of(low),
            ([_], true) if !instrument.inverse => self.excess_of(high),
            // The value is the notional, or one less: it never gains from being exact.
            ([_], true) => self.excess_of(&[(&high[0].1 - 1, high[0].1.clone())]),
            _ => self.least_by_exact(low, high).max(self.least_by_parts(low, high)),
        }
    }

    fn least_by_exact(&self, low: &[(Int, Int)], high: &[(Int, Int)]) -> Int {
        self.excess_of(low).min(self.excess_of(high)) - self.slack()
    }

    /// The values at their least, the requirements at their most. Of two legs of
    /// one size the values cancel out but for rounding.
    fn least_by_parts(&self, low: &[(Int, Int)], high: &[(Int, Int)]) -> Int {
        let inverse = self.state.instruments[self.i].inverse;
        let value = |worth: &[(Int, Int)]| worth.iter().fold(int(0), |sum, (value, _)| sum + value);
        let even = self.legs.len() == 2 && (&self.legs[0] + &self.legs[1]).is_zero();
        let values = match (even, inverse) {
            (true, false) => int(0),
            (true, true) => int(-1),
            (false, true) if self.legs.len() == 2 => value(low).min(value(high)) - 4,
            (false, _) => value(low).min(value(high)),
        };
        let required = |worth: &[(Int, Int)]| &self.rest + value(worth) - self.excess_of(worth);
        &self.rest + values - required(low).max(required(high))
    }

    /// How far two excesses can be from what they exactly are, together.
    fn slack(&self) -> Int {
        int(2 * ROUNDING) * Int::from(self.legs.len())
    }

    /// The prices between two changes of any leg's row, lowest first: first and
    /// last; the highest prices have no last.
    fn stretches(&self) -> Vec<(Int, Option<Int>)> {
        let mut firsts = vec![int(1)];
        for q in &self.legs {
            firsts.extend(self.first_prices(q));
        }
        firsts.sort();
        firsts.dedup();
        let lasts = firsts.iter().skip(1).map(|next| Some(next - 1)).chain([None]);
        firsts.iter().cloned().zip(lasts).collect()
    }

    /// Where the row of a leg changes: the first price of each.
    fn first_prices(&self, q: &Int) -> Vec<Int> {
        let instrument = &self.state.instruments[self.i];
        let size_unit = rat(&q.abs()) * &instrument.unit;
        let rows = &instrument.tiers.rows;
        let caps = rows.iter().rev().skip(1).map(|row| rat(&row.cap));
        let first = |cap: Rat| {
            // Linear: the first price above the cap; inverse: the first within it.
            let price =
                if instrument.inverse { (&size_unit / cap).ceil() } else { (cap / &size_unit).floor() + rat(&int(1)) };
            price.to_integer().max(int(1))
        };
        caps.map(first).collect()
    }

    fn highest_below(&self, start: &Int) -> Option<Int> {
        for (low, last) in self.stretches().into_iter().rev() {
            let high = last.map_or(start - 1, |last| last.min(start - 1));
            if low <= high
                && let Some(found) = self.last_breach(&low, &high)
            {
                return Some(found);
            }
        }
        None
    }

    fn lowest_above(&self, start: &Int) -> Option<Int> {
        for (first, last) in self.stretches() {
            let low = first.max(start + 1);
            let high = last.unwrap_or_else(|| self.far_above(&low));
            if low <= high
                && let Some(found) = self.first_breach(&low, &high)
            {
                return Some(found);
            }
        }
        None
    }

    fn last_breach(&self, low: &Int, high: &Int) -> Option<Int> {
        if self.breach(high) {
            return Some(high.clone());
        }
        if low == high || self.is_safe(low, high) {
            return None;
        }
        let middle = floor_div(&(low + high), &int(2));
        if &middle + 1 < *high
            && let Some(found) = self.last_breach(&(&middle + 1), &(high - 1))
        {
            return Some(found);
        }
        self.last_breach(low, &middle)
    }

    fn first_breach(&self, low: &Int, high: &Int) -> Option<Int> {
        if self.breach(low) {
            return Some(low.clone());
        }
        if low == high || self.is_safe(low, high) {
            return None;
        }
        let middle = floor_div(&(low + high), &int(2));
        if low < &middle
            && let Some(found) = self.first_breach(&(low + 1), &middle)
        {
            return Some(found);
        }
        self.first_breach(&(&middle + 1), high)
    }

    /// A price beyond which nothing new happens: a linear position is in breach
    /// there, or so far from it that it only gets better; an inverse one is worth
    /// less than a quantum.
    fn far_above(&self, low: &Int) -> Int {
        let instrument = &self.state.instruments[self.i];
        if instrument.inverse {
            let most = self.legs.iter().map(|q| q.abs()).max().expect("the position itself");
            let size_unit = rat(&most) * &instrument.unit;
            return size_unit.ceil().to_integer().max(low.clone()) + 1;
        }
        let mut price = low.clone();
        let least = self.slack();
        let settled = |price: &Int| {
            let excess = self.excess(price);
            !excess.is_positive() || excess > least && self.excess(&(price * 2)) > excess + &least
        };
        while !settled(&price) && price < int(1) << 130 {
            price *= 2;
        }
        price
    }
}
