//! The liquidation price (model section 3): the tick price nearest to the
//! present mark at which the position's pool is in breach if no other price
//! moves.
//!
//! Within one row of the tier table the exact excess, without any rounding, is
//! monotone or has one peak in the price: between two prices it is nowhere
//! lower than at the lower of its ends. The excess that counts differs from it
//! by a few quanta. So an interval whose ends lie well above zero holds no
//! breach; every other one is halved, down to single prices.

use super::number::{Int, Rat, floor_div, int, ppb, rat, round_half_up};
use super::state::{At, State, sum};
use super::tiers::Rule;
use num_traits::{Signed, Zero};

/// How far rounding can move the excess: value, notional, MM, deduction, fee.
const ROUNDING: i64 = 8;

/// One position in its pool, all else standing still.
struct Probe<'a> {
    state: &'a State,
    i: usize,
    q: Int,
    /// `equity − MM` of the pool without this position's value and MM.
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
        nearest(&start, probe.highest_below(&start), probe.lowest_above(&start))
    }

    fn probe(&self, account: u64, at: At) -> Probe<'_> {
        let pool = self.own_pool(account, at);
        let others = self.pool_positions(pool).into_iter().filter(|&other| other != at);
        let excess_of_others = sum(others.map(|other| {
            let position = self.position(account, other);
            self.upnl(other.i, &position) - self.position_mm(other.i, &position)
        }));
        let position = self.position(account, at);
        let rest = self.pool_money(pool) + excess_of_others - &position.cost;
        Probe { state: self, i: at.i, q: position.q, rest }
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
    fn breach(&self, price: &Int) -> bool {
        let value = self.state.value_at(self.i, &self.q, price);
        let notional = self.state.notional_at(self.i, &self.q, price);
        let mm = self.state.mm_of(self.i, &self.q.abs(), &notional);
        &self.rest + value - mm <= int(0)
    }

    /// The excess without rounding, by the rule of a row.
    fn exact(&self, row: usize, price: &Int) -> Rat {
        let instrument = &self.state.instruments[self.i];
        let size_unit = rat(&self.q.abs()) * &instrument.unit;
        let notional = if instrument.inverse { size_unit / rat(price) } else { size_unit * rat(price) };
        let table = &instrument.tiers;
        let mm = match &table.rule {
            Rule::Linear { base, slope, .. } => {
                let size = self.state.exact_size_of(self.i, &self.q.abs(), &notional);
                &notional * (base + slope * size)
            }
            _ => &notional * Rat::new(table.rows[row].mmr.clone(), ppb()) - rat(&table.rows[row].deduction),
        };
        let fee = if instrument.close_fee_in_mm { instrument.taker_fee.clone().max(int(0)) } else { int(0) };
        let fee = &notional * Rat::new(fee, ppb());
        let negative = self.q.is_positive() == instrument.inverse;
        let value = if negative { -notional } else { notional };
        rat(&self.rest) + value - mm - fee
    }

    /// No price between the two, in one row, breaches; the two themselves do not.
    fn is_safe(&self, row: usize, low: &Int, high: &Int) -> bool {
        let worth = |price: &Int| {
            (self.state.value_at(self.i, &self.q, price), self.state.notional_at(self.i, &self.q, price))
        };
        if worth(low) == worth(high) {
            return !self.breach(low);
        }
        let least = rat(&int(ROUNDING));
        self.exact(row, low) > least && self.exact(row, high) > least
    }

    /// The prices of each row with one, lowest first: `(row, first, last)`; the
    /// row of the highest prices has no last.
    fn rows(&self) -> Vec<(usize, Int, Option<Int>)> {
        let instrument = &self.state.instruments[self.i];
        let table = &instrument.tiers;
        if matches!(table.rule, Rule::Linear { .. }) {
            return vec![(0, int(1), None)];
        }
        let size_unit = rat(&self.q.abs()) * &instrument.unit;
        let mut rows = Vec::new();
        if instrument.inverse {
            // The first price at which the notional, rounded up, is within the cap.
            let mut last = None;
            for (n, row) in table.rows.iter().enumerate() {
                let within = (&size_unit / rat(&row.cap)).ceil().to_integer();
                let first = if n + 1 == table.rows.len() { int(1) } else { within.max(int(1)) };
                rows.push((n, first.clone(), last));
                last = Some(first - 1);
            }
            rows.reverse();
        } else {
            let mut first = int(1);
            for (n, row) in table.rows.iter().enumerate() {
                let last = (rat(&row.cap) / &size_unit).floor().to_integer();
                let is_last = n + 1 == table.rows.len();
                rows.push((n, first.clone(), (!is_last).then(|| last.clone())));
                first = int(1).max(last + 1);
            }
        }
        rows.retain(|(_, first, last)| last.as_ref().is_none_or(|last| first <= last));
        rows
    }

    fn highest_below(&self, start: &Int) -> Option<Int> {
        for (row, low, last) in self.rows().into_iter().rev() {
            let high = last.map_or(start - 1, |last| last.min(start - 1));
            if low <= high
                && let Some(found) = self.last_breach(row, &low, &high)
            {
                return Some(found);
            }
        }
        None
    }

    fn lowest_above(&self, start: &Int) -> Option<Int> {
        for (row, first, last) in self.rows() {
            let low = first.max(start + 1);
            let high = last.unwrap_or_else(|| self.far_above(row, &low));
            if low <= high
                && let Some(found) = self.first_breach(row, &low, &high)
            {
                return Some(found);
            }
        }
        None
    }

    fn last_breach(&self, row: usize, low: &Int, high: &Int) -> Option<Int> {
        if self.breach(high) {
            return Some(high.clone());
        }
        if low == high || self.is_safe(row, low, high) {
            return None;
        }
        let middle = floor_div(&(low + high), &int(2));
        if &middle + 1 < *high
            && let Some(found) = self.last_breach(row, &(&middle + 1), &(high - 1))
        {
            return Some(found);
        }
        self.last_breach(row, low, &middle)
    }

    fn first_breach(&self, row: usize, low: &Int, high: &Int) -> Option<Int> {
        if self.breach(low) {
            return Some(low.clone());
        }
        if low == high || self.is_safe(row, low, high) {
            return None;
        }
        let middle = floor_div(&(low + high), &int(2));
        if low < &middle
            && let Some(found) = self.first_breach(row, &(low + 1), &middle)
        {
            return Some(found);
        }
        self.first_breach(row, &(&middle + 1), high)
    }

    /// A price beyond which nothing new happens: a linear position is in breach
    /// there, or so far from it that it only gets better; an inverse one is worth
    /// less than a quantum.
    fn far_above(&self, row: usize, low: &Int) -> Int {
        let instrument = &self.state.instruments[self.i];
        if instrument.inverse {
            let size_unit = rat(&self.q.abs()) * &instrument.unit;
            return size_unit.ceil().to_integer().max(low.clone()) + 1;
        }
        let rises = |price: &Int| self.exact(row, &(price * 2)) > self.exact(row, price);
        let mut price = low.clone();
        while !self.breach(&price)
            && !(rises(&price) && self.exact(row, &price) > rat(&int(ROUNDING)))
            && price < int(1) << 130
        {
            price *= 2;
        }
        price
    }
}
