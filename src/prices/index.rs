//! The index: what the fresh prices of its venues come to.

use super::rules::{Combine, IndexRules, Outlier};
use crate::number::{PPB, div_half_even};
use ethnum::I256;

/// What a venue said last, in steps of 10^-8; 0: nothing yet.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Quote {
    pub(super) price: i64,
    pub(super) at_ns: u64,
}

/// A price that counts, in half parts per billion of a step, so that a bound around the median is whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    price: i128,
    weight: u64,
}

/// Half parts per billion in one.
const SCALE: i128 = 2 * PPB as i128;

impl Counted {
    pub(super) const NONE: Self = Self { price: 0, weight: 0 };
}

/// The index at a time, in steps of 10^-8; none where too few prices are left. `room` has as many places as there are venues.
pub(super) fn index_of(rules: &IndexRules, quotes: &[Quote], now_ns: u64, room: &mut [Counted]) -> Option<i64> {
    let mut count = 0;
    for (quote, venue) in quotes.iter().zip(&rules.venues) {
        let old = rules.stale_after_ns.is_some_and(|limit| now_ns.saturating_sub(quote.at_ns) > limit);
        if quote.price > 0 && !old {
            // Kept in order of price: few venues, and none of it allocates.
            let counted = Counted { price: i128::from(quote.price) * SCALE, weight: venue.weight_ppb };
            let at = room[..count].partition_point(|other| other.price <= counted.price);
            room.copy_within(at..count, at + 1);
            room[at] = counted;
            count += 1;
        }
    }
    let prices = &mut room[..count];
    let first = bound(rules, prices);
    let prices = &prices[first.0..first.1];
    if prices.is_empty() || (prices.len() as u64) < u64::from(rules.min_venues) {
        return None;
    }
    Some(match rules.combine {
        Combine::Mean => weighted_mean(prices),
        Combine::Median => weighted_median(prices),
    })
}

/// Clamps what is too far from the median, or says which are left.
fn bound(rules: &IndexRules, prices: &mut [Counted]) -> (usize, usize) {
    let all = (0, prices.len());
    let (Some(part), false) = (rules.max_deviation_ppb, prices.is_empty()) else { return all };
    // The median times SCALE is whole in these units only if halved prices are: prices are even multiples.
    let median = i128::midpoint(prices[(prices.len() - 1) / 2].price, prices[prices.len() / 2].price);
    let deviation = median / i128::from(PPB) * i128::from(part);
    let (low, high) = (median - deviation, median + deviation);
    match rules.outlier {
        Outlier::Clamp => {
            for counted in prices.iter_mut() {
                counted.price = counted.price.clamp(low, high);
            }
            all
        }
        Outlier::Drop => {
            let from = prices.partition_point(|counted| counted.price < low);
            (from, prices.partition_point(|counted| counted.price <= high).max(from))
        }
    }
}

fn weighted_mean(prices: &[Counted]) -> i64 {
    let mut sum = I256::ZERO;
    let mut weights = I256::ZERO;
    for counted in prices {
        sum += I256::from(counted.price) * I256::from(counted.weight);
        weights += I256::from(counted.weight);
    }
    div_half_even(sum, weights * I256::from(SCALE)).as_i64()
}

/// The price at which half of the weight is reached; where it is so exactly, the mean of that and the next.
fn weighted_median(prices: &[Counted]) -> i64 {
    let total: u128 = prices.iter().map(|counted| u128::from(counted.weight)).sum();
    let mut reached = 0;
    let mut at = 0;
    for (index, counted) in prices.iter().enumerate() {
        reached += u128::from(counted.weight);
        at = index;
        if reached * 2 >= total {
            break;
        }
    }
    let next = if reached * 2 == total { (at + 1).min(prices.len() - 1) } else { at };
    div_half_even(I256::from(prices[at].price + prices[next].price), I256::from(2 * SCALE)).as_i64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::Venue;

    fn rules(weights: &[u64]) -> IndexRules {
        let venue = |(at, &weight): (usize, &u64)| Venue { name: at.to_string(), weight_ppb: weight * PPB };
        IndexRules { venues: weights.iter().enumerate().map(venue).collect(), ..IndexRules::default() }
    }

    fn index(rules: &IndexRules, prices: &[i64], now_ns: u64) -> Option<i64> {
        let quotes: Vec<Quote> = prices.iter().zip(0..).map(|(&price, at_ns)| Quote { price, at_ns }).collect();
        index_of(rules, &quotes, now_ns, &mut vec![Counted::NONE; prices.len()])
    }

    /// Binance's published numbers: against a median of 20 000, 21 400 counts as 20 600 and 18 800 as 19 400.
    #[test]
    fn an_outlier_counts_as_its_bound_or_not_at_all() {
        let mut rules = IndexRules { max_deviation_ppb: Some(30_000_000), ..rules(&[1, 1, 2]) };
        assert_eq!(index(&rules, &[20_000, 20_000, 21_400], 9), Some(20_300));
        assert_eq!(index(&rules, &[20_000, 20_000, 18_800], 9), Some(19_700));
        rules.outlier = Outlier::Drop;
        assert_eq!(index(&rules, &[20_000, 20_010, 21_400], 9), Some(20_005));
        assert_eq!(index(&rules, &[18_000, 20_010, 20_000], 9), Some(20_003), "(20010 + 2 · 20000) / 3");
        rules.min_venues = 3;
        assert_eq!(index(&rules, &[20_000, 20_010, 21_400], 9), None);
        rules = IndexRules { outlier: Outlier::Drop, max_deviation_ppb: Some(1), ..self::rules(&[1, 1]) };
        assert_eq!(index(&rules, &[10, 20], 9), None, "both are far from their median");
    }

    #[test]
    fn old_prices_are_dropped() {
        let rules = IndexRules { stale_after_ns: Some(10), ..rules(&[1, 1, 1]) };
        assert_eq!(index(&rules, &[30, 60, 90], 10), Some(60));
        assert_eq!(index(&rules, &[30, 60, 90], 11), Some(75));
        assert_eq!(index(&rules, &[30, 60, 90], 12), Some(90));
        assert_eq!(index(&rules, &[30, 60, 90], 13), None);
        assert_eq!(index(&rules, &[0, 0, 0], 0), None);
    }

    #[test]
    fn means_and_medians_are_rounded_once_half_even() {
        assert_eq!(index(&rules(&[1, 1]), &[3, 4], 0), Some(4));
        assert_eq!(index(&rules(&[1, 1]), &[4, 5], 0), Some(4));
        assert_eq!(index(&rules(&[2, 1]), &[3, 5], 0), Some(4));
        let median = |weights: &[u64]| IndexRules { combine: Combine::Median, ..rules(weights) };
        assert_eq!(index(&median(&[1, 1, 1]), &[9, 1, 5], 0), Some(5));
        assert_eq!(index(&median(&[1, 3, 1]), &[9, 1, 5], 0), Some(1));
        assert_eq!(index(&median(&[1, 2, 1]), &[9, 1, 4], 0), Some(2), "half exactly: (1 + 4) / 2");
    }

    #[test]
    fn one_lying_venue_moves_a_clamped_index_by_at_most_its_weight_of_the_bound() {
        let rules = IndexRules { max_deviation_ppb: Some(10_000_000), ..rules(&[1, 1, 1]) };
        for lie in [1, 50_000, 99_000, 101_000, 1 << 59] {
            let index = index(&rules, &[100_000, 100_000, lie], 0).unwrap();
            assert!((99_666..=100_334).contains(&index), "{lie} {index}");
        }
    }
}
