//! The liquidation price (model section 3): the tick price nearest to the
//! present mark at which the position's pool is in breach if no other price
//! moves.
//!
//! Within one row of the tier table (of each leg) the exact excess, without any rounding, is
//! monotone or has one peak in the price: between two prices it is nowhere
//! lower than at the lower of its ends. The excess that counts differs from it
//! by a few quanta. So an interval whose ends lie well above zero holds no
//! breach; every other one is halved, down to single prices.

use super::number::{Int, Rat, floor_div, int, limit, ppb, rat, round_half_up};
use super::state::{At, State};
use super::tiers::Rule;
use num_traits::{Signed, Zero};

/// How far rounding can move the excess: value, notional, MM, deduction,
/// fee of two legs.
const ROUNDING: i64 = 16;

/// A position in its pool, all other prices standing still; both legs of an
/// instrument in one pool move together.
struct Probe<'a> {
    state: &'a State,
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
        let mut probe = Probe { state: self, i: at.i, legs: Vec::new(), rest: self.pool_money(pool) };
        for other in self.pool_positions(pool) {
            let position = self.position(account, other);
            if other.i == at.i {
                probe.rest -= &position.cost;
                probe.legs.push(position.q);
            } else {
                probe.rest += self.upnl(other.i, &position) - self.position_mm(other.i, &position);
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

    fn breach(&self, price: &Int) -> bool {
        let mut excess = self.rest.clone();
        for (q, (value, notional)) in self.legs.iter().zip(self.worth(price)) {
            excess += value - self.state.mm_of(self.i, &q.abs(), &notional);
        }
        !excess.is_positive()
    }

    /// The excess without rounding, by the rule of a row for each leg.
    fn exact(&self, rows: &[usize], price: &Int) -> Rat {
        let parts = self.legs.iter().zip(rows).map(|(q, &row)| self.exact_part(q, row, price));
        parts.fold(rat(&self.rest), |a, b| a + b)
    }

    fn exact_part(&self, q: &Int, row: usize, price: &Int) -> Rat {
        let instrument = &self.state.instruments[self.i];
        let size_unit = rat(&q.abs()) * &instrument.unit;
        let notional = if instrument.inverse { size_unit / rat(price) } else { size_unit * rat(price) };
        let table = &instrument.tiers;
        let mm = match &table.rule {
            Rule::Linear { base, slope, .. } => {
                let size = self.state.exact_size_of(self.i, &q.abs(), &notional);
                &notional * (base + slope * size)
            }
            _ => &notional * Rat::new(table.rows[row].mmr.clone(), ppb()) - rat(&table.rows[row].deduction),
        };
        let fee = &notional * self.state.close_fee_rate(self.i);
        let negative = q.is_positive() == instrument.inverse;
        let value = if negative { -notional } else { notional };
        value - mm - fee
    }

    /// No price between the two, in one row, breaches; the two themselves do not.
    fn is_safe(&self, rows: &[usize], low: &Int, high: &Int) -> bool {
        if self.worth(low) == self.worth(high) {
            return !self.breach(low);
        }
        let least = rat(&int(ROUNDING));
        self.exact(rows, low) > least && self.exact(rows, high) > least
    }

    /// The prices between two changes of any leg's row, lowest first: the rows,
    /// first and last price; the highest prices have no last.
    fn stretches(&self) -> Vec<(Vec<usize>, Int, Option<Int>)> {
        let mut firsts = vec![int(1)];
        for q in &self.legs {
            firsts.extend(self.first_prices(q));
        }
        firsts.sort();
        firsts.dedup();
        let lasts = firsts.iter().skip(1).map(|next| Some(next - 1)).chain([None]);
        let table = &self.state.instruments[self.i].tiers;
        let rows = |price: &Int| self.worth(price).iter().map(|(_, notional)| table.row_of(notional)).collect();
        firsts.iter().zip(lasts).map(|(first, last)| (rows(first), first.clone(), last)).collect()
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
        for (rows, low, last) in self.stretches().into_iter().rev() {
            let high = last.map_or(start - 1, |last| last.min(start - 1));
            if low <= high
                && let Some(found) = self.last_breach(&rows, &low, &high)
            {
                return Some(found);
            }
        }
        None
    }

    fn lowest_above(&self, start: &Int) -> Option<Int> {
        for (rows, first, last) in self.stretches() {
            let low = first.max(start + 1);
            let high = last.unwrap_or_else(|| self.far_above(&rows, &low));
            if low <= high
                && let Some(found) = self.first_breach(&rows, &low, &high)
            {
                return Some(found);
            }
        }
        None
    }

    fn last_breach(&self, rows: &[usize], low: &Int, high: &Int) -> Option<Int> {
        if self.breach(high) {
            return Some(high.clone());
        }
        if low == high || self.is_safe(rows, low, high) {
            return None;
        }
        let middle = floor_div(&(low + high), &int(2));
        if &middle + 1 < *high
            && let Some(found) = self.last_breach(rows, &(&middle + 1), &(high - 1))
        {
            return Some(found);
        }
        self.last_breach(rows, low, &middle)
    }

    fn first_breach(&self, rows: &[usize], low: &Int, high: &Int) -> Option<Int> {
        if self.breach(low) {
            return Some(low.clone());
        }
        if low == high || self.is_safe(rows, low, high) {
            return None;
        }
        let middle = floor_div(&(low + high), &int(2));
        if low < &middle
            && let Some(found) = self.first_breach(rows, &(low + 1), &middle)
        {
            return Some(found);
        }
        self.first_breach(rows, &(&middle + 1), high)
    }

    /// A price beyond which nothing new happens: a linear position is in breach
    /// there, or so far from it that it only gets better; an inverse one is worth
    /// less than a quantum.
    fn far_above(&self, rows: &[usize], low: &Int) -> Int {
        let instrument = &self.state.instruments[self.i];
        if instrument.inverse {
            let most = self.legs.iter().map(|q| q.abs()).max().expect("the position itself");
            let size_unit = rat(&most) * &instrument.unit;
            return size_unit.ceil().to_integer().max(low.clone()) + 1;
        }
        let rises = |price: &Int| self.exact(rows, &(price * 2)) > self.exact(rows, price);
        let mut price = low.clone();
        let settled = |price: &Int| self.breach(price) || rises(price) && self.exact(rows, price) > rat(&int(ROUNDING));
        while !settled(&price) && price < int(1) << 130 {
            price *= 2;
        }
        price
    }
}
