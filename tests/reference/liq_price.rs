//! The liquidation price (model section 3): the tick price nearest to the
//! present mark at which the position's pool is in breach if no other price
//! moves.
//!
//! Within one row of the tier table `equity − MM` is monotone in the price: a
//! tick more changes a long's equity by `a = |q| · unit` and its MM by at most
//! `a` (the rate is below 1), so the excess never falls; a short's always
//! falls. At caps it may jump. Hence row by row, and inside a row by bisection.

use super::number::{Int, Rat, floor_div, int, round_half_up};
use super::state::{State, sum};
use num_traits::Signed;

/// One position in its pool, all else standing still.
struct Probe<'a> {
    state: &'a State,
    instrument: usize,
    q: Int,
    /// `equity − MM` of the pool without this position's value and MM.
    rest: Int,
}

impl State {
    pub fn liq_price(&self, account: u64, i: usize) -> Option<Int> {
        let probe = self.probe(account, i);
        let start = match &self.instruments[i].mark {
            Some(mark) => mark.clone(),
            None => self.entry_tick(account, i),
        };
        if probe.breach(&start) {
            return Some(start);
        }
        nearest(&start, probe.highest_below(&start), probe.lowest_above(&start))
    }

    fn probe(&self, account: u64, i: usize) -> Probe<'_> {
        let pool = self.own_pool(account, i);
        let others = self.pool_positions(pool).into_iter().filter(|&j| j != i);
        let excess_of_others = sum(others.map(|j| {
            let position = self.holding(account, j).position;
            self.upnl(j, &position) - self.position_mm(j, &position)
        }));
        let position = self.holding(account, i).position;
        let rest = self.pool_money(pool) + excess_of_others - &position.cost;
        Probe { state: self, instrument: i, q: position.q, rest }
    }

    /// In ticks, exact: where uPnL is zero.
    pub fn entry(&self, i: usize, q: &Int, cost: &Int) -> Rat {
        Rat::new(cost.clone(), q * &self.instruments[i].unit)
    }

    /// Never marked: the search starts at the entry price.
    fn entry_tick(&self, account: u64, i: usize) -> Int {
        let position = self.holding(account, i).position;
        round_half_up(&self.entry(i, &position.q, &position.cost)).max(int(1))
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
        let value = self.state.value_at(self.instrument, &self.q, price);
        let mm = self.state.instruments[self.instrument].tiers.mm(&value.abs());
        &self.rest + value - mm <= int(0)
    }

    /// The prices of each row, `[first, last]`; the last row has no last.
    fn rows(&self) -> Vec<(Int, Option<Int>)> {
        let instrument = &self.state.instruments[self.instrument];
        let size_unit = self.q.abs() * &instrument.unit;
        let mut rows = Vec::new();
        let mut first = int(1);
        for (n, row) in instrument.tiers.rows.iter().enumerate() {
            if n + 1 == instrument.tiers.rows.len() {
                rows.push((first.clone(), None));
                break;
            }
            let last = floor_div(&row.cap, &size_unit);
            rows.push((first.clone(), Some(last.clone())));
            first = int(1).max(last + 1);
        }
        rows
    }

    fn highest_below(&self, start: &Int) -> Option<Int> {
        for (low, last) in self.rows().into_iter().rev() {
            let high = match last {
                Some(last) => last.min(start - 1),
                None => start - 1,
            };
            if low > high {
                continue;
            }
            let found =
                if self.q.is_positive() { self.last_breach(low, high) } else { self.breach(&high).then_some(high) };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn lowest_above(&self, start: &Int) -> Option<Int> {
        for (first, last) in self.rows() {
            let low = first.max(start + 1);
            let high = match last {
                Some(last) => last,
                None if self.q.is_positive() => low.clone(),
                None => self.some_breach_from(&low),
            };
            if low > high {
                continue;
            }
            let found =
                if self.q.is_positive() { self.breach(&low).then_some(low) } else { self.first_breach(low, high) };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// A long inside a row breaches up to some price and not beyond it.
    fn last_breach(&self, mut low: Int, mut high: Int) -> Option<Int> {
        if !self.breach(&low) {
            return None;
        }
        while low < high {
            let middle = floor_div(&(&low + &high + 1), &int(2));
            if self.breach(&middle) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Some(low)
    }

    /// A short inside a row breaches from some price on.
    fn first_breach(&self, mut low: Int, mut high: Int) -> Option<Int> {
        if !self.breach(&high) {
            return None;
        }
        while low < high {
            let middle = floor_div(&(&low + &high), &int(2));
            if self.breach(&middle) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Some(low)
    }

    /// A short above the last cap breaches somewhere: its excess falls by at
    /// least `|q| · unit` a tick.
    fn some_breach_from(&self, low: &Int) -> Int {
        let mut price = low.clone();
        while !self.breach(&price) {
            price *= 2;
        }
        price
    }
}
