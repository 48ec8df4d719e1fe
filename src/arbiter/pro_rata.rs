//! Deleveraging in shares: every profitable position of the other side gives the same part of its size.

use crate::market::Market;
use crate::number::{Quantity, mul_div_floor};
use crate::shard::{Candidate, Shard};

/// What a position is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allotment {
    pub(super) candidate: Candidate,
    pub(super) rank: u32,
    pub(super) lots: Quantity,
}

/// Divides `needed` lots over the positions asked, which are in order of rank.
///
/// Those whose pool is locked or in breach, or that the trade would leave below zero, fall out, and the shares are taken
/// anew over the others, until none falls out. No trade of one changes the pool of another.
pub(super) fn allot(market: &Market, shards: &[Box<Shard>], needed: Quantity, price: i128, asked: &mut Vec<Allotment>) {
    asked.retain(|of| shards[of.candidate.shard as usize].is_sound(market, of.candidate.holding));
    loop {
        share_out(needed, asked);
        let before = asked.len();
        asked.retain(|of| {
            let Candidate { shard, holding, .. } = of.candidate;
            shards[shard as usize].may_deleverage(market, holding, of.lots, price)
        });
        if asked.len() == before {
            return;
        }
    }
}

/// `floor(needed · size / Σ size)` each, and one lot each of the remainder to the first; all where that does not reach.
fn share_out(needed: Quantity, asked: &mut [Allotment]) {
    let sizes: i128 = asked.iter().map(|of| i128::from(of.candidate.quantity)).sum();
    if sizes <= i128::from(needed) {
        for of in asked {
            of.lots = of.candidate.quantity;
        }
        return;
    }
    let mut left = needed;
    for of in &mut *asked {
        of.lots = mul_div_floor(i128::from(needed), i128::from(of.candidate.quantity), sizes) as Quantity; // at most the size
        left -= of.lots;
    }
    // Each share is below the size, and the remainder smaller than the number of positions: one more fits everywhere.
    for of in asked.iter_mut().take(left as usize) {
        of.lots += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fixed::types::I64F64;

    fn shares(needed: Quantity, sizes: &[Quantity]) -> Vec<Quantity> {
        let asked = |(index, &quantity): (usize, &Quantity)| {
            let account = index as u64;
            let candidate =
                Candidate { score: I64F64::ZERO, profitable: true, account, shard: 0, holding: 0, quantity };
            Allotment { candidate, rank: index as u32 + 1, lots: 0 }
        };
        let mut asked: Vec<Allotment> = sizes.iter().enumerate().map(asked).collect();
        share_out(needed, &mut asked);
        asked.iter().map(|of| of.lots).collect()
    }

    #[test]
    fn the_same_share_of_every_size_and_the_remainder_to_the_first() {
        assert_eq!(shares(10, &[10, 10, 10]), [4, 3, 3]);
        assert_eq!(shares(5, &[1, 2, 7]), [1, 1, 3], "floors 0, 1, 3 and one lot left");
        assert_eq!(shares(7, &[1, 2, 3]), [1, 2, 3], "they do not reach");
        assert_eq!(shares(1, &[5, 5]), [1, 0]);
        let huge = i64::MAX / 4;
        assert_eq!(shares(huge, &[huge, huge, huge]).iter().sum::<Quantity>(), huge);
    }

    #[test]
    fn nobody_gives_more_than_its_size_and_nothing_is_lost() {
        for needed in 0..40 {
            for a in 1..7 {
                for b in 1..7 {
                    for c in 1..12 {
                        let lots = shares(needed, &[a, b, c]);
                        assert_eq!(lots.iter().sum::<Quantity>(), needed.min(a + b + c));
                        assert!(lots.iter().zip([a, b, c]).all(|(&lots, size)| lots <= size));
                    }
                }
            }
        }
    }
}
