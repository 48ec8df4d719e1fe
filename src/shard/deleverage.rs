//! Auto-deleveraging, as far as it concerns one shard: who stands on the other side, at what score, and their trades.

use super::scores::{pnl_leverage, pnl_margin_ratio, profit_notional};
use super::store::Holding;
use super::{Margin, Portfolios, Ranked, Shard};
use crate::contract::Valuation;
use crate::event::Events;
use crate::market::{AdlRank, InstrumentId, Market};
use crate::number::Quantity;
use fixed::types::I64F64;
use std::cmp::Reverse;

/// A position in the queue of deleveraging.
#[derive(Clone, Copy, Debug, Default)]
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

    /// Its score, coarsely.
    #[inline]
    pub(crate) fn grade(&self) -> Grade {
        grade(self.profitable, self.score)
    }
}

/// A place in the queue: one for each account, since an account has one position in an instrument.
pub(crate) type RankKey = Reverse<(bool, I64F64, Reverse<u64>)>;

/// A score in 64 bits: of two that differ, the higher is of the higher score, or of a profitable position.
pub(crate) type Grade = i64;

/// The grade of a score: its length in bits, and so many of its bits as fit.
#[inline]
pub(super) fn grade(profitable: bool, score: I64F64) -> Grade {
    const KEPT: u32 = 54;
    let size = score.to_bits().unsigned_abs();
    let length = u128::BITS - size.leading_zeros(); // 128 at most
    let leading = size.unbounded_shl(u128::BITS - length) >> (u128::BITS - KEPT);
    let graded = i64::from(length) << KEPT | leading as i64; // below 2^62
    signed_grade(profitable, if score < 0 { !graded } else { graded })
}

/// Whether a grade is of a profitable position.
#[inline]
pub(crate) fn is_profitable(grade: Grade) -> bool {
    grade > 0
}

/// Whoever gains is before whoever does not.
#[inline]
pub(super) fn signed_grade(profitable: bool, graded: i64) -> Grade {
    if profitable { graded - (i64::MIN >> 1) } else { graded + (i64::MIN >> 1) }
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

    /// The holdings with a position in an instrument.
    pub(crate) fn holders(&self, instrument: InstrumentId) -> &[u32] {
        &self.holders[instrument.index()]
    }

    /// How many holdings there are, and for how many there is room.
    pub(crate) fn count_holdings(&self) -> (usize, usize) {
        (self.holdings.len(), self.holdings.capacity())
    }

    /// Whether a holding has a position on a side.
    pub(crate) fn is_on(&self, at: u32, long: bool) -> bool {
        let quantity = self.holdings[at as usize].position.quantity;
        quantity != 0 && (quantity > 0) == long
    }

    /// From now on notes which pools change: queues of deleveraging must hear of it.
    pub(crate) fn watch_changes(&mut self) {
        self.notes_changes = true;
        self.changed.reserve(self.pools.capacity());
    }

    /// A pool's collateral, positions or rules are others from now on, and with them its scores.
    #[inline]
    pub(super) fn note_change(&mut self, pool: u32) {
        if self.notes_changes && !std::mem::replace(&mut self.pools[pool as usize].changed, true) {
            self.changed.push(pool);
        }
    }

    /// Visits the holdings of all pools that have changed since the last time, with their instruments and signed lots, and makes
    /// their portfolios anew.
    pub(crate) fn take_changes(
        &mut self,
        market: &Market,
        portfolios: &mut Portfolios,
        mut visit: impl FnMut(InstrumentId, u32, Quantity),
    ) {
        while let Some(pool) = self.changed.pop() {
            self.pools[pool as usize].changed = false;
            portfolios.refresh(market, self, pool);
            for at in self.holdings_of(pool) {
                let holding = &self.holdings[at as usize];
                visit(holding.instrument, at, holding.position.quantity);
            }
        }
    }

    /// A position, to be ranked.
    pub(crate) fn ranked(&self, holding: u32) -> Ranked {
        Ranked { shard: self.number, holding, pool: self.holdings[holding as usize].pool }
    }

    /// A position's place in the queue of its side, at the present marks.
    pub(crate) fn candidate(&self, market: &Market, at: u32) -> Candidate {
        let holding = &self.holdings[at as usize];
        let account = self.accounts[self.pools[holding.pool as usize].account as usize].id;
        let quantity = holding.position.quantity.abs();
        let collateral = self.pools[holding.pool as usize].collateral;
        let (mut margin, mut own) = (Margin::of(collateral), (Valuation::default(), 0));
        for other in self.holdings_of(holding.pool) {
            let record = &self.holdings[other as usize];
            if record.position.quantity != 0 {
                let of = self.add_position(market, record, &mut margin);
                if other == at {
                    own = of;
                }
            }
        }
        let score = self.score(market, holding, &margin, own);
        let profitable = own.0.value > holding.position.cost;
        Candidate { score, profitable, account, shard: self.number, holding: at, quantity }
    }

    /// What a position that is worth and requires so much, in a pool of this margin, is ranked by.
    pub(super) fn score(
        &self,
        market: &Market,
        holding: &Holding,
        margin: &Margin,
        (Valuation { value, notional }, required): (Valuation, i128),
    ) -> I64F64 {
        let instrument = market.instrument(holding.instrument);
        let position = &holding.position;
        let unrealised = value - position.cost;
        match instrument.spec.adl.rank {
            AdlRank::PnlLeverage | AdlRank::ProRata => {
                pnl_leverage(unrealised, position.cost, notional, margin.share(required))
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn grades_are_in_the_order_of_scores(
            a in any::<i128>(), b in any::<i128>(), shifts in prop::array::uniform2(0..128u32), gains in any::<[bool; 2]>(),
        ) {
            let scores = [I64F64::from_bits(a >> shifts[0]), I64F64::from_bits(b >> shifts[1])];
            let [a, b] = [(gains[0], scores[0]), (gains[1], scores[1])];
            let [low, high] = if a <= b { [a, b] } else { [b, a] };
            prop_assert!(grade(low.0, low.1) <= grade(high.0, high.1), "{low:?} {high:?}");
        }
    }

    #[test]
    fn grades_tell_all_but_the_nearest_scores_apart() {
        for bits in [0, 1, 2, 3, 1 << 20, 1 << 53, 1 << 64, 1 << 100, i128::MAX - (i128::MAX >> 40)] {
            let next = bits + (bits >> 40).max(1);
            let [a, b] = [bits, next].map(I64F64::from_bits);
            assert!(grade(true, a) < grade(true, b) && grade(false, -b) < grade(false, -a));
            assert!(grade(false, b) < grade(true, -b), "who gains comes first");
        }
        let [least, most] = [I64F64::MIN, I64F64::MAX];
        assert!(grade(false, least) < grade(false, most) && grade(false, most) < grade(true, least));
    }
}
