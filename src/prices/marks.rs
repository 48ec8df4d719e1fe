//! A mark from its inputs, by the rule of its instrument.
//!
//! Each candidate is an exact fraction; rounding to the tick keeps the order, so that the median of rounded candidates
//! is the rounded median.

use super::rules::{MarkRule, MarkRules, RateRules};
use crate::number::{PPB, Price};
use ethnum::I256;
use fixed::types::I64F64;

/// What a computed mark was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub enum MarkInputs {
    /// The index in steps of 10^-8, the candidates and the last price in ticks; none: it was missing.
    Median { index: i64, p1: Price, p2: Option<Price>, last: Option<Price> },
    /// The rate in parts per billion.
    FairBasis { index: i64, rate_ppb: i64 },
    /// The smoothed basis in 2^-64 steps of 10^-8, after the band.
    EmaBasis { index: i64, ema: I64F64 },
}

impl MarkInputs {
    /// The rule that they are of.
    #[must_use]
    pub fn rule(&self) -> MarkRule {
        match self {
            Self::Median { .. } => MarkRule::Median,
            Self::FairBasis { .. } => MarkRule::FairBasis,
            Self::EmaBasis { .. } => MarkRule::EmaBasis,
        }
    }
}

/// What a mark is computed from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Basis {
    pub(super) index: i64,
    /// The tick in steps of 10^-8.
    pub(super) tick: i64,
    /// Twice the sum of the sampled bases, and how many they are; none: no mid, or no sample.
    pub(super) window: Option<(i128, u32)>,
    pub(super) last: Option<Price>,
    pub(super) ema: Option<I64F64>,
    /// Of the last funding.
    pub(super) rate_ppb: i64,
}

/// An exact price in steps of 10^-8.
#[derive(Clone, Copy)]
struct Fraction {
    numerator: I256,
    denominator: I256,
}

impl Fraction {
    /// The nearest tick, halves up, at least 1.
    fn ticks(self, tick: i64) -> Price {
        let per_tick = self.denominator * I256::from(tick);
        let nearest = (self.numerator * 2 + per_tick).div_euclid(per_tick * 2);
        nearest.max(I256::ONE).as_i64() // at most one and a half of an index below 2^60
    }

    fn mean(self, other: Self) -> Self {
        Self {
            numerator: self.numerator * other.denominator + other.numerator * self.denominator,
            denominator: self.denominator * other.denominator * 2,
        }
    }
}

/// A mark in ticks, and what it was made of; none under `external`.
pub(super) fn mark(
    rules: &MarkRules,
    funding: Option<&RateRules>,
    basis: &Basis,
    now_ns: u64,
) -> Option<(Price, MarkInputs)> {
    let &Basis { index, tick, last, rate_ppb, .. } = basis;
    match rules.rule {
        MarkRule::External => None,
        MarkRule::Median => {
            let p1 = with_funding(basis, funding, now_ns);
            let p2 = basis.window.map(|(sum, count)| with_mean_basis(index, sum, count));
            let [first, second] = [Some(p1), p2].map(|candidate| candidate.map(|at| at.ticks(tick)));
            let first = first.unwrap_or(1);
            let price = match (p2, second, last) {
                (Some(_), Some(second), Some(last)) => median(first, second, last),
                (Some(p2), _, _) => p1.mean(p2).ticks(tick),
                // Of the two that are left the last price would have half a say, and it is to liquidate nobody alone.
                _ => first,
            };
            Some((price, MarkInputs::Median { index, p1: first, p2: second, last }))
        }
        MarkRule::FairBasis => {
            let price = with_funding(basis, funding, now_ns).ticks(tick);
            Some((price, MarkInputs::FairBasis { index, rate_ppb }))
        }
        MarkRule::EmaBasis => {
            let (price, ema) = with_smoothed_basis(basis, rules.band_ppb);
            Some((price.ticks(tick), MarkInputs::EmaBasis { index, ema }))
        }
    }
}

fn median(a: Price, b: Price, c: Price) -> Price {
    a.min(b).max(a.max(b).min(c))
}

/// `index · (1 + rate · time left / interval)`, the basis at most half of the index.
fn with_funding(basis: &Basis, funding: Option<&RateRules>, now_ns: u64) -> Fraction {
    let index = I256::from(basis.index);
    let Some(funding) = funding else { return Fraction { numerator: index, denominator: I256::ONE } };
    let whole = I256::from(funding.interval_ns) * I256::from(PPB);
    let part = I256::from(basis.rate_ppb) * I256::from(funding.time_left(now_ns));
    // Twice the basis against the whole: a half of the index is the most.
    let twice = (part * 2).clamp(-whole, whole);
    Fraction { numerator: index * (whole * 2 + twice), denominator: whole * 2 }
}

/// `index + mean of the sampled bases`, of which twice the sum is given; at most half of the index.
fn with_mean_basis(index: i64, twice_sum: i128, count: u32) -> Fraction {
    let twice_count = I256::from(2 * u64::from(count));
    let index = I256::from(index);
    let most = index * I256::from(count); // half of the index, times twice the count
    let sum = I256::from(twice_sum).clamp(-most, most);
    Fraction { numerator: index * twice_count + sum, denominator: twice_count }
}

/// `index + smoothed basis`, within the band; and that basis, rounded down where the band cuts it.
fn with_smoothed_basis(basis: &Basis, band_ppb: u64) -> (Fraction, I64F64) {
    let index = I256::from(basis.index);
    let one = I256::ONE << 64u32;
    let bits = I256::from(basis.ema.unwrap_or(I64F64::ZERO).to_bits());
    let band = index * I256::from(band_ppb); // in parts per billion of a step
    let scaled = bits * I256::from(PPB);
    if scaled.abs() <= band << 64u32 {
        let price = Fraction { numerator: (index << 64u32) + bits, denominator: one };
        return (price, basis.ema.unwrap_or(I64F64::ZERO));
    }
    let band = if bits < 0 { -band } else { band };
    let cut = (band << 64u32).div_euclid(I256::from(PPB));
    let price = Fraction { numerator: index * I256::from(PPB) + band, denominator: I256::from(PPB) };
    (price, I64F64::from_bits(cut.as_i128()))
}

/// One more sample of a smoothed basis: `e + floor((x − e) · 2 / (N + 1))`, in 2^-64; the first is the sample itself.
///
/// `twice_basis` is of a basis below 2^60 steps, so no difference reaches 2^127.
pub(super) fn smoothed(ema: Option<I64F64>, twice_basis: i64, smoothing: u64) -> I64F64 {
    let sample = i128::from(twice_basis) << 63;
    let Some(ema) = ema else { return I64F64::from_bits(sample) };
    let step = ((I256::from(sample) - I256::from(ema.to_bits())) * 2).div_euclid(I256::from(smoothing + 1));
    I64F64::from_bits(ema.to_bits() + step.as_i128())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: i64 = 100_000_000;

    /// Or a long time without an input would be sampled to its end.
    #[test]
    fn a_smoothed_basis_comes_to_rest_at_a_sample_that_stays() {
        for (ema_ns, steps) in [(0, 1), (1, 1), (2, 1), (4, 100), (200, 5_000), (20_000, 500_000)] {
            let rules = MarkRules { ema_ns, sample_every_ns: 2, ..MarkRules::new(MarkRule::EmaBasis) };
            for (from, to) in [(0, 1), (1, 0), (-(1 << 60), 1 << 60), (1 << 60, -(1 << 60)), (7, 7)] {
                let mut ema = smoothed(None, from, rules.smoothing());
                for _ in 0..steps {
                    ema = smoothed(Some(ema), to, rules.smoothing());
                }
                assert_eq!(smoothed(Some(ema), to, rules.smoothing()), ema, "{from} to {to} over {ema_ns} ns");
                let sample = i128::from(to) << 63;
                assert!(
                    (0..=i128::from(rules.smoothing())).contains(&(sample - ema.to_bits())),
                    "{from} to {to} over {ema_ns} ns"
                );
            }
        }
    }

    fn basis(index: i64) -> Basis {
        Basis { index: index * STEPS, tick: STEPS / 10, window: None, last: None, ema: None, rate_ppb: 0 }
    }

    fn price(rule: MarkRule, basis: &Basis, funding: &RateRules, now_ns: u64) -> Price {
        mark(&MarkRules::new(rule), Some(funding), basis, now_ns).unwrap().0
    }

    /// Index 10000, tick 0.1. P1 with 0.01 % and a quarter of the interval left: 10000.25, to the nearest tick
    /// 10000.3 (half up); P2 with a mean basis of 3.125: 10003.125.
    #[test]
    fn the_median_of_three_two_or_one() {
        let funding = RateRules { interval_ns: 400, anchor_ns: 0, ..RateRules::default() };
        let p1 = Basis { rate_ppb: 100_000, ..basis(10_000) };
        assert_eq!(price(MarkRule::Median, &p1, &funding, 300), 100_003);
        let both = Basis { window: Some((25 * STEPS as i128, 4)), ..p1 };
        // Without a last price the mean of 10000.25 and 10003.125, exactly 10001.6875.
        assert_eq!(price(MarkRule::Median, &both, &funding, 300), 100_017);
        for (last, found) in [(80_000, 100_003), (100_010, 100_010), (130_000, 100_031)] {
            let all = Basis { last: Some(last), ..both };
            assert_eq!(price(MarkRule::Median, &all, &funding, 300), found, "last {last}");
        }
        let without_basis = Basis { last: Some(80_000), ..p1 };
        assert_eq!(price(MarkRule::Median, &without_basis, &funding, 300), 100_003, "a last price alone says nothing");
    }

    #[test]
    fn the_fair_basis_decays_and_is_bounded() {
        let funding = RateRules { interval_ns: 400, anchor_ns: 0, ..RateRules::default() };
        let at = |rate_ppb, now_ns| price(MarkRule::FairBasis, &Basis { rate_ppb, ..basis(10_000) }, &funding, now_ns);
        assert_eq!([0, 100, 399, 400].map(|now_ns| at(10_000_000, now_ns)), [101_000, 100_750, 100_003, 101_000]);
        assert_eq!([-10_000_000, -900_000_000, 900_000_000].map(|rate| at(rate, 0)), [99_000, 50_000, 150_000]);
    }

    #[test]
    fn the_smoothed_basis_keeps_to_its_band() {
        let rules = MarkRules { band_ppb: 5_000_000, ..MarkRules::new(MarkRule::EmaBasis) };
        let at = |basis_in_steps: i64| {
            let ema = Some(I64F64::from_num(basis_in_steps));
            mark(&rules, None, &Basis { ema, ..basis(10_000) }, 0).unwrap().0
        };
        assert_eq!(
            [0, 20 * STEPS, 50 * STEPS, 51 * STEPS, -80 * STEPS].map(at),
            [100_000, 100_200, 100_500, 100_500, 99_500]
        );
        assert_eq!(mark(&rules, None, &basis(10_000), 0).unwrap().0, 100_000, "no sample yet");
    }

    /// N = 3: the state goes half of the way.
    #[test]
    fn smoothing_by_hand() {
        let mut ema = None;
        let mut shown = Vec::new();
        for twice in [80, 0, 0, 40] {
            let next = smoothed(ema, twice, 3);
            shown.push(next.to_num::<f64>());
            ema = Some(next);
        }
        assert_eq!(shown, [40.0, 20.0, 10.0, 15.0]);
        let third = smoothed(smoothed(None, 0, 2).into(), 2, 2);
        assert_eq!(third.to_bits(), (2i128 << 64) / 3, "rounded down in 2^-64");
        assert_eq!(smoothed(Some(I64F64::ZERO), -2, 2).to_bits(), -((2i128 << 64) / 3) - 1);
    }
}
