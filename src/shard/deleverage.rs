//! Auto-deleveraging, as far as it concerns one shard: who stands on the other side, at what score, and their trades.

use super::Shard;
use super::margin::maintenance;
use crate::event::Events;
use crate::market::{InstrumentId, Market};
use crate::number::{Quantity, mul_div_floor};
use fixed::types::I64F64;
use std::cmp::Reverse;

/// Fractional bits of the two factors of a score.
const FACTOR_BITS: u32 = 32;

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

    /// From now on notes which pools change: what is known of the others stays true as long as no mark moves.
    pub(crate) fn note_changes(&mut self) {
        self.notes_changes = true;
    }

    /// Forgets what was noted: the decision ends.
    pub(crate) fn forget_changes(&mut self) {
        while let Some(pool) = self.changed.pop() {
            self.pools[pool as usize].changed = false;
        }
        self.notes_changes = false;
        self.changes_seen = 0;
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
        self.changes_seen = self.changed.len();
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

    /// Whether the pool of a position has changed: what was known of it may no longer hold.
    pub(crate) fn has_changed(&self, at: u32) -> bool {
        self.pools[self.holdings[at as usize].pool as usize].changed
    }

    fn candidate(&self, market: &Market, at: u32) -> Candidate {
        let holding = &self.holdings[at as usize];
        let instrument = market.instrument(holding.instrument);
        let position = &holding.position;
        let margin = self.evaluate(market, holding.pool);
        let share = margin.share(maintenance(instrument, position));
        let unrealised = position.unrealised(instrument);
        let notional = position.value(instrument).abs();
        Candidate {
            score: pnl_leverage(unrealised, position.cost, notional, share),
            profitable: unrealised > 0,
            account: self.accounts[self.pools[holding.pool as usize].account as usize].id,
            shard: self.number,
            holding: at,
            quantity: position.quantity.abs(),
        }
    }

    /// Whether a position may be made to close `lots` at `price`: its pool is neither locked nor in breach, and the
    /// trade leaves it no negative equity.
    pub(crate) fn may_deleverage(&self, market: &Market, at: u32, lots: Quantity, price: i128) -> bool {
        let holding = &self.holdings[at as usize];
        if self.pools[holding.pool as usize].is_locked() {
            return false;
        }
        let margin = self.evaluate(market, holding.pool);
        let instrument = market.instrument(holding.instrument);
        let Some(mark) = instrument.mark else { return false };
        let closed = lots * holding.position.quantity.signum();
        let after = margin.equity + instrument.value(closed, price) - instrument.value(closed, mark);
        !margin.in_breach() && after >= 0
    }

    /// Closes `lots` of a position at `price`, as an ordinary reduction without fee; returns what that realised.
    pub(crate) fn deleverage(&mut self, market: &Market, at: u32, lots: Quantity, price: i128) -> i128 {
        self.reduce(market, at, lots, price)
    }

    /// Cuts the reduce-only orders of a position that was deleveraged.
    pub(crate) fn cut_after_deleveraging(&mut self, market: &Market, at: u32, events: &mut Events) {
        self.cut_reduce_only(market, at, events);
    }
}

/// The ranking of `BitMEX` and Bybit: return times effective leverage, or return divided by it for a loss.
///
/// `pnl = uPnL / max(|C|, 1)` and `lev = N / max(E_i, 1)`, each truncated toward zero to 32 fractional bits; a `lev` of 0
/// counts as 2^-32 in the quotient. The product is exact, the quotient truncated; both saturate.
pub(crate) fn pnl_leverage(unrealised: i128, cost: i128, notional: i128, share: i128) -> I64F64 {
    let one = 1i128 << FACTOR_BITS;
    let ratio = |a: i128, b: i128| {
        let size = mul_div_floor(a.abs(), one, b);
        I64F64::saturating_from_num(fixed::FixedI128::<fixed::types::extra::U32>::from_bits(if a < 0 {
            -size
        } else {
            size
        }))
    };
    let pnl = ratio(unrealised, cost.abs().max(1));
    let leverage = ratio(notional, share.max(1));
    if unrealised > 0 {
        pnl.saturating_mul(leverage)
    } else {
        let smallest = I64F64::from_bits(one);
        pnl.saturating_div(leverage.max(smallest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigInt;

    /// The definition in unbounded integers: bits of the score.
    fn plain(unrealised: i128, cost: i128, notional: i128, share: i128) -> i128 {
        let big = |value: i128| BigInt::from(value);
        let pnl = (big(unrealised) << 32u32) / big(cost.abs().max(1)); // BigInt division truncates
        let lev = (big(notional) << 32u32) / big(share.max(1));
        let score: BigInt = if unrealised > 0 {
            pnl * lev
        } else {
            let lev = if lev == BigInt::ZERO { big(1) } else { lev };
            (pnl << 64u32) / lev
        };
        i128::try_from(score.clamp(big(i128::MIN), big(i128::MAX))).unwrap()
    }

    #[test]
    fn the_score_is_the_definition_in_fixed_point() {
        let values = [0i128, 1, 2, 3, 10, 1_000_003, 1 << 31, (1 << 40) + 7, (1 << 61) + 12_345];
        let mut saturated = 0;
        for &unrealised in &values {
            for &cost in &values {
                for &notional in &values {
                    for &share in &values {
                        for sign in [1, -1] {
                            let bits = pnl_leverage(sign * unrealised, cost, notional, sign * share).to_bits();
                            assert_eq!(bits, plain(sign * unrealised, cost, notional, sign * share));
                            saturated += u32::from(bits == i128::MAX || bits == i128::MIN);
                        }
                    }
                }
            }
        }
        assert!(saturated > 0);
    }
}
