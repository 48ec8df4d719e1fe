//! The index of several venues (model section 4), from scratch: which prices
//! are fresh, their median, outliers clamped or dropped, the mean or median of
//! the rest.

use super::number::{Int, Rat, int, rat, zero};
use num_traits::Signed;

#[derive(Clone, PartialEq)]
pub struct IndexRules {
    /// Name and weight.
    pub venues: Vec<(String, Int)>,
    /// In nanoseconds; none: a price never gets stale.
    pub stale_after: Option<u64>,
    /// A part of the median; none: no price is too far.
    pub max_deviation: Option<Rat>,
    /// What is too far is dropped, not clamped.
    pub drop_outliers: bool,
    pub min_venues: u64,
    /// Weighted median, not mean.
    pub by_median: bool,
}

/// What a venue said last.
#[derive(Clone)]
pub struct Quote {
    pub price: Rat,
    pub at: u64,
}

/// The index, exact, or none where it is frozen.
pub fn index_of(rules: &IndexRules, quotes: &[Option<Quote>], now: u64) -> Option<Rat> {
    let fresh = |quote: &Quote| rules.stale_after.is_none_or(|limit| now - quote.at <= limit);
    let mut prices: Vec<(Rat, Int)> = Vec::new();
    for ((_, weight), quote) in rules.venues.iter().zip(quotes) {
        if let Some(quote) = quote.as_ref().filter(|quote| fresh(quote)) {
            prices.push((quote.price.clone(), weight.clone()));
        }
    }
    if prices.is_empty() {
        return None;
    }
    if let Some(deviation) = &rules.max_deviation {
        let median = median(prices.iter().map(|(price, _)| price.clone()).collect());
        let (low, high) = (&median - &median * deviation, &median + &median * deviation);
        if rules.drop_outliers {
            prices.retain(|(price, _)| *price >= low && *price <= high);
        }
        for (price, _) in &mut prices {
            *price = price.clone().max(low.clone()).min(high.clone());
        }
    }
    if (prices.len() as u64) < rules.min_venues || prices.is_empty() {
        return None;
    }
    Some(if rules.by_median { weighted_median(prices) } else { weighted_mean(&prices) })
}

/// Of an even number, the mean of the two in the middle.
pub fn median(mut values: Vec<Rat>) -> Rat {
    values.sort();
    let upper = values.len() / 2;
    let lower = (values.len() - 1) / 2;
    (&values[lower] + &values[upper]) / rat(&int(2))
}

fn weighted_mean(prices: &[(Rat, Int)]) -> Rat {
    let mut sum = rat(&zero());
    let mut weights = zero();
    for (price, weight) in prices {
        sum += price * rat(weight);
        weights += weight;
    }
    assert!(weights.is_positive());
    sum / rat(&weights)
}

/// The price at which half of the weight is reached; where it is reached exactly, the
/// mean of that price and the next.
fn weighted_median(mut prices: Vec<(Rat, Int)>) -> Rat {
    prices.sort();
    let mut total = zero();
    for (_, weight) in &prices {
        total += weight;
    }
    let mut below = zero();
    for n in 0..prices.len() {
        below += &prices[n].1;
        if &below * 2 == total && n + 1 < prices.len() {
            return (&prices[n].0 + &prices[n + 1].0) / rat(&int(2));
        }
        if &below * 2 >= total {
            return prices[n].0.clone();
        }
    }
    unreachable!("the weights sum up to their total")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three(prices: [i64; 3], rules: &IndexRules) -> Option<Rat> {
        let quotes = prices.map(|price| Some(Quote { price: rat(&int(price)), at: 0 }));
        index_of(rules, &quotes, 0)
    }

    fn rules(drop_outliers: bool) -> IndexRules {
        IndexRules {
            venues: [("a", 1), ("b", 1), ("c", 2)].map(|(name, weight)| (name.to_string(), int(weight))).to_vec(),
            stale_after: None,
            max_deviation: Some(Rat::new(int(3), int(100))),
            drop_outliers,
            min_venues: 2,
            by_median: false,
        }
    }

    /// Binance's published numbers: 21 400 and 18 800 against a median of 20 000 count as 20 600 and 19 400.
    #[test]
    fn an_outlier_counts_as_the_bound() {
        assert_eq!(three([20_000, 20_000, 21_400], &rules(false)), Some(Rat::new(int(81_200), int(4))));
        assert_eq!(three([20_000, 20_000, 18_800], &rules(false)), Some(Rat::new(int(78_800), int(4))));
    }

    #[test]
    fn or_is_dropped() {
        assert_eq!(three([20_000, 20_010, 21_400], &rules(true)), Some(Rat::new(int(20_005), int(1))));
        let needs_three = IndexRules { min_venues: 3, ..rules(true) };
        assert_eq!(three([20_000, 20_010, 21_400], &needs_three), None);
    }
}
