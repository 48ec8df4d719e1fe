//! Auto-deleveraging, as far as it concerns one shard: who stands on the other side, at what score, and their trades.

use super::margin::maintenance;
use super::scores::{pnl_leverage, pnl_margin_ratio, profit_notional};
use super::{Margin, Shard};
use crate::contract::Valuation;
use crate::event::Events;
use crate::market::{AdlRank, InstrumentId, Market};
use crate::number::Quantity;
use fixed::types::I64F64;
use std::cmp::Reverse;

/// A position in the queue of deleveraging.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) score: I64F64,
    pub(crate) profitable: bool,
    pub(crate) account: u64,
    pub(crate) shard: u32,
    pub(crate) holding: u32,
    /// Unsigned, in lots.
    pub(crate) quantity: Quantity,
}

impl Candidate {
    /// Sorts the first to be deleveraged first: profitable before losing, then by score, ties by account.
    pub(crate) fn rank_key(&self) -> RankKey {
        Reverse((self.profitable, self.score, Reverse(self.account)))
    }
}

/// A place in the queue: one for each account, since an account has one position in an instrument.
pub(crate) type RankKey = Reverse<(bool, I64F64, Reverse<u64>)>;

/// A place in a shard's log of changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogPlace {
    /// How many entries came before it.
    pub(crate) entries: usize,
    /// What comes after it is noted as changed before this look, or a later one.
    look: u32,
}

impl Shard {
    /// Adds every position of one side of an instrument to `queue`, with its score.
    pub(crate) fn collect_queue(
        &self,
        market: &Market,
        instrument: InstrumentId,
        long: bool,
        queue: &mut Vec<Candidate>,
    ) {
        for &at in &self.holders[instrument.index()] {
            let quantity = self.holdings[at as usize].position.quantity;
            if (quantity > 0) == long {
                queue.push(self.candidate(market, at));
            }
        }
    }

    /// From now on notes which pools change: what is known of the others stays true as long as marks stay in their ranges.
    pub(crate) fn note_changes(&mut self) -> LogPlace {
        self.notes_changes = true;
        // Room for as many as are noted before the log counts as full, and for every pool once more after that.
        let room = self.longest_log() + self.pools.len();
        self.changed.reserve(room.next_power_of_two() - self.changed.len().min(room));
        self.looks += 1;
        LogPlace { entries: self.changed.len(), look: self.looks }
    }

    /// A pool's collateral, positions or rules are others from now on, and with them its scores.
    #[inline]
    pub(super) fn note_change(&mut self, pool: u32) {
        if self.notes_changes {
            let changed_before = &mut self.pools[pool as usize].changed_before;
            if *changed_before != self.looks {
                *changed_before = self.looks;
                self.changed.push(pool);
            }
        }
    }

    /// Forgets what was noted: everybody is scored anew.
    pub(crate) fn forget_changes(&mut self) {
        while let Some(pool) = self.changed.pop() {
            self.pools[pool as usize].changed_before = 0;
        }
        self.looks = 1;
    }

    /// Whether so much has changed that it is better to score everybody anew.
    pub(crate) fn has_changed_much(&self) -> bool {
        self.changed.len() > self.longest_log() || self.looks > u32::MAX / 2
    }

    fn longest_log(&self) -> usize {
        (4 * self.pools.len()).max(64)
    }

    /// How many positions there are in an instrument.
    pub(crate) fn count_holders(&self, instrument: InstrumentId) -> usize {
        self.holders[instrument.index()].len()
    }

    /// Visits the holdings in an instrument whose pool has changed, from the `from`-th noted change on, some more than
    /// once; returns how many changes are noted.
    pub(crate) fn for_each_changed(
        &mut self,
        from: usize,
        instrument: InstrumentId,
        mut visit: impl FnMut(&Self, u32),
    ) -> usize {
        self.looks += 1;
        for at in self.changed[from..].iter().flat_map(|&pool| self.holdings_of(pool)) {
            if self.holdings[at as usize].instrument == instrument {
                visit(self, at);
            }
        }
        self.changed.len()
    }

    /// A holding's place in the queue of a side, if it has a position there.
    pub(crate) fn candidate_on(&self, market: &Market, at: u32, long: bool) -> Option<Candidate> {
        let quantity = self.holdings[at as usize].position.quantity;
        (quantity != 0 && (quantity > 0) == long).then(|| self.candidate(market, at))
    }

    /// Whether the pool of a position has changed since a place of the log: what was known of it may no longer hold.
    #[inline]
    pub(crate) fn has_changed(&self, at: u32, since: LogPlace) -> bool {
        self.pools[self.holdings[at as usize].pool as usize].changed_before >= since.look
    }

    /// A position's place in the queue of its side.
    pub(crate) fn candidate(&self, market: &Market, at: u32) -> Candidate {
        let holding = &self.holdings[at as usize];
        let position = &holding.position;
        let margin = self.evaluate(market, holding.pool);
        Candidate {
            score: self.score(market, at, &margin),
            profitable: position.unrealised(market.instrument(holding.instrument)) > 0,
            account: self.accounts[self.pools[holding.pool as usize].account as usize].id,
            shard: self.number,
            holding: at,
            quantity: position.quantity.abs(),
        }
    }

    /// What a position in a pool of this margin is ranked by.
    fn score(&self, market: &Market, at: u32, margin: &Margin) -> I64F64 {
        let holding = &self.holdings[at as usize];
        let instrument = self.rules(market, holding);
        let position = &holding.position;
        let unrealised = position.unrealised(instrument);
        let Valuation { value, notional } = position.valuation(instrument);
        match instrument.spec.adl.rank {
            AdlRank::PnlLeverage | AdlRank::ProRata => {
                let share = margin.share(maintenance(instrument, position));
                pnl_leverage(unrealised, position.cost, notional, share)
            }
            AdlRank::PnlMarginRatio => {
                let collateral = self.pools[holding.pool as usize].collateral;
                let whole_unit = 10i128.pow(market.asset(instrument.spec.settle).decimals);
                pnl_margin_ratio(unrealised, (collateral, whole_unit), margin.maintenance, margin.equity)
            }
            AdlRank::ProfitNotional => {
                // Its value and cost are the higher, the further up, or, where they fall with the price, down it is.
                let by_value = (position.quantity > 0) != instrument.spec.unit.is_inverse();
                let (gained, given) = if by_value { (value, position.cost) } else { (position.cost, value) };
                profit_notional(gained, given, notional, margin.equity)
            }
        }
    }

    /// Whether the pool of a position can be deleveraged at all: it is neither locked nor in breach.
    pub(crate) fn is_sound(&self, market: &Market, at: u32) -> bool {
        let pool = self.holdings[at as usize].pool;
        !self.pools[pool as usize].is_locked() && !self.evaluate(market, pool).in_breach()
    }

    /// Whether a position may be made to close `lots` at `price`: its pool is neither locked nor in breach, and the
    /// trade leaves it no negative equity.
    pub(crate) fn may_deleverage(&self, market: &Market, at: u32, lots: Quantity, price: i128) -> bool {
        let holding = &self.holdings[at as usize];
        if self.pools[holding.pool as usize].is_locked() {
            return false;
        }
        let margin = self.evaluate(market, holding.pool);
        let instrument = self.rules(market, holding);
        let Some(mark) = instrument.mark else { return false };
        let held = holding.position.quantity;
        let closed = lots * held.signum();
        let kept = instrument.value(held - closed, mark) - instrument.value(held, mark);
        let after = margin.equity + instrument.value(closed, price) + kept;
        !margin.in_breach() && after >= 0
    }

    /// Closes `lots` of a position at `price`, as an ordinary reduction without fee; returns what that realised.
    pub(crate) fn deleverage(&mut self, market: &Market, at: u32, lots: Quantity, price: i128) -> i128 {
        self.reduce(market, at, lots, price)
    }

    /// What a position gained, in quanta.
    pub(crate) fn unrealised(&self, market: &Market, at: u32) -> i128 {
        let holding = &self.holdings[at as usize];
        holding.position.unrealised(market.instrument(holding.instrument))
    }

    /// Charges a position with a part of a fund's deficit: its margin, or the balance behind it.
    pub(crate) fn charge_gain(&mut self, at: u32, amount: i128) {
        self.credit(self.holdings[at as usize].pool, -amount);
    }

    /// Cuts the reduce-only orders of a position that was deleveraged.
    pub(crate) fn cut_after_deleveraging(&mut self, market: &Market, at: u32, events: &mut Events) {
        self.cut_reduce_only(market, at, events);
    }
}
