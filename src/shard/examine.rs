//! Looking at the pools that an input touched: evaluated exactly unless their certificate holds, and certified anew unless they
//! are in breach.

use super::store::NONE;
use super::{Breached, Finder, Findings, Margin, Shard, Strategy};
use crate::market::Market;

/// Pools whose records are asked for together.
const BATCH: usize = 16;

/// From so many on it is worth it.
const MANY: usize = 4;

impl Shard {
    /// Looks at every touched pool: certifies it, or adds it to the findings.
    pub(crate) fn examine(&mut self, market: &Market, findings: &mut Findings) {
        while !self.touched.is_empty() {
            let mut batch = [NONE; BATCH];
            let count = self.touched.len().min(BATCH);
            let rest = self.touched.len() - count;
            batch[..count].copy_from_slice(&self.touched[rest..]);
            self.touched.truncate(rest);
            if count >= MANY {
                self.warm(&batch[..count]);
            }
            for &pool in &batch[..count] {
                self.pools[pool as usize].touched = false;
                self.look_at(market, pool, findings);
            }
        }
    }

    /// Reads what evaluating these pools will read, one stage for all of them after the other. The loads of a stage do not
    /// depend on each other, so that the processor has many under way; walking pool after pool it would wait for each.
    fn warm(&self, batch: &[u32]) {
        let mut at = [NONE; BATCH];
        for (at, &pool) in at.iter_mut().zip(batch) {
            *at = self.pools[pool as usize].first_holding;
        }
        let mut read = 0;
        loop {
            let mut left = false;
            for at in &mut at[..batch.len()] {
                if let Some(holding) = self.holdings.get(*at as usize) {
                    read ^= holding.position.cost as u32;
                    *at = holding.next;
                    left = true;
                }
            }
            if !left {
                break;
            }
        }
        std::hint::black_box(read);
    }

    fn look_at(&mut self, market: &Market, pool: u32, findings: &mut Findings) {
        self.end_suppression(market, pool);
        if self.pools[pool as usize].is_locked() {
            if self.is_ready(pool) {
                findings.ready.push(self.attention(pool));
            }
        } else if let Some(margin) = self.find_breach(market, pool, findings) {
            if self.is_behind(market, pool) && self.has_living_mark(market, pool) {
                self.catch_up_pool(market, pool);
                self.touch(pool); // looked at again, with all that is booked for it
            } else {
                findings.breached.push(Breached { attention: self.attention(pool), margin });
            }
        }
    }

    /// A breach without a living mark is announced anew only after the pool held a living mark, or nothing.
    fn end_suppression(&mut self, market: &Market, pool: u32) {
        if self.pools[pool as usize].suppressed {
            let still = self.evaluate(market, pool).holds_position && !self.has_living_mark(market, pool);
            self.pools[pool as usize].suppressed = still;
        }
    }

    /// Whether it is certain, without a look at its positions, that an unlocked pool is not in breach.
    #[inline]
    fn is_certified(&self, pool: u32) -> bool {
        let record = &self.pools[pool as usize];
        record.slack >= 0 || record.slot().is_some_and(|slot| self.sweep.is_certified(slot))
    }

    /// Evaluates an unlocked pool unless its certificate still holds, and returns its margin if it is in breach; else
    /// certifies it, and notes if it rose past a level of margin calls.
    fn find_breach(&mut self, market: &Market, pool: u32, findings: &mut Findings) -> Option<Margin> {
        if self.is_certified(pool) {
            return None;
        }
        let margin = self.evaluate_legs(market, pool);
        if margin.in_breach() {
            self.sight.note(pool);
            return Some(margin);
        }
        if self.watches_levels(pool) {
            if self.level_changes(market, pool, &margin) {
                self.sight.note(pool);
            }
            findings.called.extend(self.note_level(market, pool, margin));
        }
        if margin.holds_position {
            self.certify_by_strategy(market, pool, &margin);
        } else {
            self.leave_sweep(pool);
        }
        None
    }

    fn certify_by_strategy(&mut self, market: &Market, pool: u32, margin: &Margin) {
        let watches = self.watches_levels(pool) && self.still_watches_levels(market, pool);
        match self.finder {
            Finder::Strategy(Strategy::Sweep | Strategy::Adaptive) if self.has_lines(pool) => {}
            Finder::Strategy(Strategy::Sweep) => {
                self.enter_sweep(market, pool, margin);
            }
            Finder::Strategy(Strategy::Bands | Strategy::Adaptive) => {
                if self.storm && self.has_room_in_sweep() && self.enter_sweep(market, pool, margin) {
                    return;
                }
                self.leave_sweep(pool);
                if watches {
                    self.certify_levels(market, pool, margin);
                } else {
                    self.certify(market, pool, margin.equity - margin.maintenance);
                }
            }
            Finder::Strategy(Strategy::Dense) | Finder::Foresight => {}
        }
    }
}
