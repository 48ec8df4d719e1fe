//! How the prices of an instrument come about: its settings.

use crate::decimal::Grid;
use crate::market::is_name;
use crate::number::PPB;
use crate::prices::{INDEX_DECIMALS, INDEX_LIMIT};
use crate::refusal::Refusal;

/// Most venues of an index.
const MAX_VENUES: usize = 64;
/// Most samples of a window.
const MAX_SAMPLES: u32 = 4096;
/// Most samples that an average is smoothed over.
const MAX_SMOOTHING: u64 = 10_000;
/// Longest time between two fundings: 2^56 ns are more than two years.
const MAX_INTERVAL_NS: u64 = 1 << 56;
/// The highest weight of a venue, in parts per billion of one.
const MAX_WEIGHT_PPB: u64 = 1_000_000 * PPB;

const SECOND_NS: u64 = 1_000_000_000;

/// How the prices of an instrument come about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct PriceRules {
    /// The index, from its venues.
    pub index: IndexRules,
    /// The mark.
    pub mark: MarkRules,
    /// The funding rate; none: only as it is given.
    pub funding: Option<RateRules>,
}

/// A venue of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct Venue {
    /// As inputs name it.
    pub name: String,
    /// In parts per billion of one, above 0.
    pub weight_ppb: u64,
}

/// What becomes of a price that is too far from the median.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum Outlier {
    /// It counts as the bound.
    #[default]
    Clamp,
    /// It does not count.
    Drop,
}

/// What is made of the prices that count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum Combine {
    /// Their mean by weight.
    #[default]
    Mean,
    /// Their median by weight.
    Median,
}

/// How an index is made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct IndexRules {
    /// Its venues.
    pub venues: Vec<Venue>,
    /// A price older than this is dropped; none: it never gets too old.
    pub stale_after_ns: Option<u64>,
    /// How far from the median a price may be, in parts per billion of it; none: as far as it likes.
    pub max_deviation_ppb: Option<u64>,
    /// What becomes of one that is farther.
    pub outlier: Outlier,
    /// With fewer prices the index is frozen; at least 1.
    pub min_venues: u32,
    /// What is made of the rest.
    pub combine: Combine,
}

impl Default for IndexRules {
    /// One venue, `index`, whose last price it is.
    fn default() -> Self {
        Self {
            venues: vec![Venue { name: "index".to_owned(), weight_ppb: PPB }],
            stale_after_ns: None,
            max_deviation_ppb: None,
            outlier: Outlier::Clamp,
            min_venues: 1,
            combine: Combine::Mean,
        }
    }
}

/// Where a mark comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum MarkRule {
    /// It is given.
    #[default]
    External,
    /// The median of index with funding, index with mean basis, and last price (Binance).
    Median,
    /// The index with what is left of the funding (`BitMEX`).
    FairBasis,
    /// The index with the smoothed basis, within a band (Deribit).
    EmaBasis,
}

/// How a mark is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct MarkRules {
    /// Where it comes from.
    pub rule: MarkRule,
    /// Samples in the window of the mean basis; at least 1.
    pub samples: u32,
    /// Time between two samples of the basis; at least 1.
    pub sample_every_ns: u64,
    /// Time over which the basis is smoothed; shorter than that between two samples: it is the last sample.
    pub ema_ns: u64,
    /// How far from the index the smoothed basis may lead, in parts per billion of it; at most half.
    pub band_ppb: u64,
    /// `external`: an older mark is frozen. Else: an older mid or last price is missing. None: neither ever is.
    pub stale_after_ns: Option<u64>,
}

impl MarkRules {
    /// The defaults of a rule.
    #[must_use]
    pub fn new(rule: MarkRule) -> Self {
        Self {
            rule,
            samples: 30,
            sample_every_ns: if rule == MarkRule::EmaBasis { SECOND_NS } else { 5 * SECOND_NS },
            ema_ns: 30 * SECOND_NS,
            band_ppb: PPB / 2,
            stale_after_ns: None,
        }
    }

    /// Whether the kernel computes it.
    #[must_use]
    #[inline]
    pub fn is_computed(&self) -> bool {
        self.rule != MarkRule::External
    }

    /// `ema / sample_every`, rounded down, and at least 1: what `N` is in `2 / (N + 1)`. By less than 1 every sample would be overshot,
    /// and none ever arrived at.
    pub(crate) fn smoothing(&self) -> u64 {
        (self.ema_ns / self.sample_every_ns.max(1)).max(1)
    }
}

impl Default for MarkRules {
    fn default() -> Self {
        Self::new(MarkRule::External)
    }
}

/// How a funding rate is made, and when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct RateRules {
    /// From one funding to the next; at least 1.
    pub interval_ns: u64,
    /// Fundings are at this time, and at whole intervals from it.
    pub anchor_ns: u64,
    /// The rate that holds without premium, in parts per billion.
    pub interest_ppb: i64,
    /// How much of it can make up for a premium, in parts per billion.
    pub clamp_ppb: i64,
    /// The highest rate, up or down, in parts per billion; at most 1.
    pub cap_ppb: i64,
    /// Time between two samples of the premium; at least 1.
    pub sample_every_ns: u64,
    /// Whether fundings happen by themselves.
    pub auto: bool,
}

impl Default for RateRules {
    fn default() -> Self {
        Self {
            interval_ns: 8 * 3600 * SECOND_NS,
            anchor_ns: 0,
            interest_ppb: 0,
            clamp_ppb: 500_000,
            cap_ppb: PPB as i64,
            sample_every_ns: 5 * SECOND_NS,
            auto: false,
        }
    }
}

impl PriceRules {
    /// Whether samples of the book are compared with the index, so that the tick must be whole steps of 10^-8.
    #[must_use]
    pub(crate) fn compares_with_index(&self) -> bool {
        self.mark.is_computed() || self.funding.is_some()
    }

    /// Whether anything changes as time goes by, though nothing comes in.
    #[must_use]
    pub(crate) fn age(&self) -> bool {
        self.compares_with_index() || self.index.stale_after_ns.is_some() || self.mark.stale_after_ns.is_some()
    }

    /// Checks that every setting is in its range.
    ///
    /// # Errors
    ///
    /// A sentence that says what is not.
    pub(crate) fn check(&self, tick: Grid) -> Result<(), Refusal> {
        let bad = |what: &'static str| Err(Refusal::BadDeclaration { what });
        let Self { index, mark, funding } = self;
        let venues = &index.venues;
        if !(1..=MAX_VENUES).contains(&venues.len()) {
            return bad("an index needs from 1 to 64 venues");
        }
        if venues.iter().any(|venue| !is_name(&venue.name)) {
            return bad("a venue's name must be 1 to 32 characters of A-Z, a-z, 0-9, _ . : / -");
        }
        if (1..venues.len()).any(|at| venues[..at].iter().any(|venue| venue.name == venues[at].name)) {
            return bad("an index names a venue twice");
        }
        if venues.iter().any(|venue| !(1..=MAX_WEIGHT_PPB).contains(&venue.weight_ppb)) {
            return bad("a venue's weight must be above 0 and at most 1000000");
        }
        if index.max_deviation_ppb.is_some_and(|part| !(1..PPB).contains(&part)) {
            return bad("max_deviation must be above 0 and below 1");
        }
        if index.min_venues == 0 || index.min_venues as usize > venues.len() {
            return bad("min_venues must be at least 1 and at most the number of venues");
        }
        if !(1..=MAX_SAMPLES).contains(&mark.samples) {
            return bad("samples must be from 1 to 4096");
        }
        if mark.sample_every_ns == 0 || funding.is_some_and(|funding| funding.sample_every_ns == 0) {
            return bad("sample_every must be at least one nanosecond");
        }
        if mark.rule == MarkRule::EmaBasis && mark.smoothing() > MAX_SMOOTHING {
            return bad("ema must be at most 10000 times sample_every");
        }
        if !(1..=PPB / 2).contains(&mark.band_ppb) {
            return bad("band must be above 0 and at most 0.5");
        }
        if index.stale_after_ns == Some(0) || mark.stale_after_ns == Some(0) {
            return bad("stale_after must be at least one nanosecond");
        }
        if let Some(funding) = funding {
            funding.check()?;
        }
        if self.compares_with_index() && tick.step().scale() > INDEX_DECIMALS {
            return bad("a tick that is compared with an index must have at most 8 decimals");
        }
        let finest = tick.step().mantissa() * 10i128.pow(INDEX_DECIMALS - tick.step().scale().min(INDEX_DECIMALS));
        if self.compares_with_index() && finest >= i128::from(INDEX_LIMIT) {
            return bad("a tick that is compared with an index must be below 2^60 / 10^8");
        }
        Ok(())
    }
}

impl RateRules {
    fn check(&self) -> Result<(), Refusal> {
        let bad = |what: &'static str| Err(Refusal::BadDeclaration { what });
        if !(1..MAX_INTERVAL_NS).contains(&self.interval_ns) {
            return bad("interval must be at least 1 and below 2^56 nanoseconds");
        }
        if self.interest_ppb.unsigned_abs() >= PPB {
            return bad("interest must be above -1 and below 1");
        }
        if !(0..=PPB as i64).contains(&self.clamp_ppb) || !(0..=PPB as i64).contains(&self.cap_ppb) {
            return bad("clamp and cap must be from 0 to 1");
        }
        Ok(())
    }

    /// From `now` to the next funding: the whole interval where one is due now.
    pub(crate) fn time_left(&self, now_ns: u64) -> u64 {
        // Anchor and time modulo the interval, so that an anchor ahead of the time is as good as one behind it.
        let (now, anchor) = (now_ns % self.interval_ns, self.anchor_ns % self.interval_ns);
        let since = if now >= anchor { now - anchor } else { now + self.interval_ns - anchor };
        self.interval_ns - since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_ends_at_the_anchor_and_begins_anew() {
        let rules = RateRules { interval_ns: 100, anchor_ns: 30, ..RateRules::default() };
        let left: Vec<u64> = [0, 29, 30, 31, 129, 130].iter().map(|&now| rules.time_left(now)).collect();
        assert_eq!(left, [30, 1, 100, 99, 1, 100]);
        let ahead = RateRules { anchor_ns: 1_030, ..rules };
        assert_eq!(ahead.time_left(29), 1);
    }
}
