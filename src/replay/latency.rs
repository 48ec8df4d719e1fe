//! How long the kernel works, by stage.

use hdrhistogram::Histogram;
use std::time::Instant;

/// The longest time that is told apart, in nanoseconds: a minute.
pub(super) const LONGEST_NS: u64 = 60_000_000_000;

/// Significant digits.
pub(super) const DIGITS: u8 = 3;

/// How often the clock is read to know what a reading costs.
const CLOCK_READINGS: usize = 1_001;

/// The quantiles that are reported, with their names.
pub const QUANTILES: [(&str, f64); 5] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// Times of the kernel's work, in nanoseconds, one reading of the clock included in each. Reading, shocks, encoding and
/// audits are not part of them.
pub struct Latency {
    /// New depth for the simulated venue, and what follows from it: unwinding.
    pub book: Histogram<u64>,
    /// Admission of a mark: compare it with the edges, and find the pools that it could have put in breach.
    pub trigger: Histogram<u64>,
    /// What follows from a mark: exact evaluation of those pools, liquidation, the funds, deleveraging.
    pub settle: Histogram<u64>,
    /// All of the kernel's work for one row of market data.
    pub tick: Histogram<u64>,
    /// The sum of all rows' work.
    pub total_ns: u64,
    /// What a reading of the clock costs: the median.
    pub clock_ns: u64,
}

impl Latency {
    /// Empty histograms, sized once.
    pub(super) fn new() -> Result<Self, hdrhistogram::CreationError> {
        let histogram = || Histogram::new_with_bounds(1, LONGEST_NS, DIGITS);
        Ok(Self {
            book: histogram()?,
            trigger: histogram()?,
            settle: histogram()?,
            tick: histogram()?,
            total_ns: 0,
            clock_ns: clock_ns(),
        })
    }

    /// The stages in order, by name.
    #[must_use]
    pub fn stages(&self) -> [(&'static str, &Histogram<u64>); 4] {
        [("book", &self.book), ("trigger", &self.trigger), ("settle", &self.settle), ("tick", &self.tick)]
    }
}

/// The nanoseconds between two moments.
pub(super) fn nanoseconds(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.duration_since(from).as_nanos()).unwrap_or(u64::MAX)
}

fn clock_ns() -> u64 {
    let mut readings: Vec<u64> = (0..CLOCK_READINGS).map(|_| nanoseconds(Instant::now(), Instant::now())).collect();
    readings.sort_unstable();
    readings.get(CLOCK_READINGS / 2).copied().unwrap_or(0)
}
