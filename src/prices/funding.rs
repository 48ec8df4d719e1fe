//! The premium of the book over the index, its mean, and the funding rate that it leads to.

use super::rules::RateRules;
use crate::number::{PPB, div_half_even};
use ethnum::I256;

/// `(max(0, impact bid − index) − max(0, index − impact ask)) / index` in parts per billion, half-even, from −1 to 1.
pub(super) fn premium(index: i64, impact_bid: i128, impact_ask: i128) -> i64 {
    let index = i128::from(index);
    let over = (impact_bid - index).max(0) - (index - impact_ask).max(0);
    let ppb = div_half_even(I256::from(over) * I256::from(PPB), I256::from(index));
    ppb.clamp(-I256::from(PPB), I256::from(PPB)).as_i64()
}

/// `avg(P) + clamp(interest − avg(P), ±clamp)`, capped; the mean rounded half-even, all else whole.
pub(super) fn rate(rules: &RateRules, sum: i128, count: u64) -> i64 {
    let average = div_half_even(I256::from(sum), I256::from(count)).as_i64();
    let toward = (rules.interest_ppb - average).clamp(-rules.clamp_ppb, rules.clamp_ppb);
    let cap = rules.cap_ppb.min(PPB as i64 - 1); // a rate is below 1
    (average + toward).clamp(-cap, cap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_premium_is_what_lies_beyond_the_index() {
        assert_eq!(premium(1_000, 1_001, 1_002), 1_000_000);
        assert_eq!(premium(1_000, 998, 999), -1_000_000);
        assert_eq!(premium(1_000, 999, 1_001), 0);
        assert_eq!(premium(3, 4, 5), 333_333_333);
        assert_eq!(premium(3, 1_000, 1_001), 1_000_000_000, "at most the index itself");
    }

    /// Deribit's damper, as published: `max(0.025 %, P) + min(−0.025 %, P)`.
    #[test]
    fn a_clamp_without_interest_is_a_damper() {
        let damper = RateRules { clamp_ppb: 250_000, ..RateRules::default() };
        let of = |average: i64| rate(&damper, i128::from(average) * 3, 3);
        assert_eq!([200_000, 1_000_000, -1_000_000].map(of), [0, 750_000, -750_000]);
    }

    #[test]
    fn within_the_clamp_the_rate_is_the_interest_and_the_cap_ends_it() {
        let rules = RateRules { interest_ppb: 100_000, cap_ppb: 3_750_000, ..RateRules::default() };
        assert_eq!(rate(&rules, 300_000, 1), 100_000);
        assert_eq!(rate(&rules, 1_000_000, 1), 500_000);
        assert_eq!(rate(&rules, 10_000_000, 1), 3_750_000);
        assert_eq!(rate(&rules, -20_000_000, 2), -3_750_000);
        assert_eq!([rate(&rules, 1_500_001 * 2 + 1, 2), rate(&rules, 1_500_002 * 2 + 1, 2)], [1_000_002, 1_000_002]);
    }
}
