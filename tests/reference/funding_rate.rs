//! Premium and funding rate (model section 4, "Funding").

use super::number::{Int, Rat, int, one, pow10, rat, round_half_even, zero};

/// `P = (max(0, impact_bid − index) − max(0, index − impact_ask)) / index`, exact.
pub fn premium(index: &Rat, impact_bid: &Rat, impact_ask: &Rat) -> Rat {
    let none = rat(&zero());
    let above = (impact_bid - index).max(none.clone());
    let below = (index - impact_ask).max(none);
    (above - below) / index
}

/// Rates in whole ppb.
#[derive(Clone, PartialEq)]
pub struct RateRules {
    pub interest: Int,
    pub clamp: Int,
    pub cap: Option<Int>,
}

/// `rate = avg(P) + clamp(interest − avg(P), ±clamp)`, capped; rounded half-even to ppb.
pub fn funding_rate(rules: &RateRules, average: &Rat) -> Int {
    let ppb = rat(&pow10(9));
    let [interest, clamp] = [&rules.interest, &rules.clamp].map(|x| rat(x) / &ppb);
    let toward = (interest - average).max(-clamp.clone()).min(clamp);
    let mut rate = average + toward;
    if let Some(cap) = &rules.cap {
        let cap = rat(cap) / &ppb;
        rate = rate.max(-cap.clone()).min(cap);
    }
    round_half_even(&(rate * ppb))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(n: i64, d: i64) -> Rat {
        Rat::new(int(n), int(d))
    }

    /// Deribit's damper, as published: `max(0.025 %, P) + min(−0.025 %, P)`.
    #[test]
    fn a_damper_is_a_clamp_without_interest() {
        let rules = RateRules { interest: zero(), clamp: int(250_000), cap: None };
        assert_eq!(funding_rate(&rules, &part(2, 10_000)), zero());
        assert_eq!(funding_rate(&rules, &part(1, 1_000)), int(750_000));
        assert_eq!(funding_rate(&rules, &part(-1, 1_000)), int(-750_000));
    }

    /// 0.03 % − 0.02 % is within ±0.05 %: the rate is the interest.
    #[test]
    fn within_the_clamp_the_rate_is_the_interest_and_a_cap_ends_it() {
        let rules = RateRules { interest: int(100_000), clamp: int(500_000), cap: Some(int(3_750_000)) };
        assert_eq!(funding_rate(&rules, &part(3, 10_000)), int(100_000));
        assert_eq!(funding_rate(&rules, &part(1, 100)), int(3_750_000));
        assert_eq!(funding_rate(&rules, &part(1, 1_000)), int(500_000));
    }

    #[test]
    fn impact_prices_beyond_the_index_are_the_premium() {
        let [index, bid, ask] = [100, 101, 102].map(|n| rat(&int(n)));
        assert_eq!(premium(&index, &bid, &ask), part(1, 100));
        assert_eq!(premium(&bid, &index, &index), -part(1, 101));
        assert_eq!(premium(&bid, &index, &ask), one() - one());
    }
}
