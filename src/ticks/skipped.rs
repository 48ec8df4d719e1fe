//! What was skipped, and why.

use std::collections::BTreeMap;

use super::error::{BadLine, Reason};

/// How many places are kept as examples of each reason.
const EXAMPLES: usize = 3;

/// The bad lines that were skipped, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    tallies: BTreeMap<Reason, Tally>,
}

/// The skipped lines of one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many lines.
    pub count: u64,
    /// The first few of them, in the order in which they were read.
    pub examples: Vec<BadLine>,
}

impl Skipped {
    /// How many lines were skipped in all. A truncated file counts as one.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.tallies.values().map(|tally| tally.count).sum()
    }

    /// The reasons that occurred, each with its lines.
    pub fn by_reason(&self) -> impl Iterator<Item = (Reason, &Tally)> {
        self.tallies.iter().map(|(reason, tally)| (*reason, tally))
    }

    pub(super) fn add(&mut self, line: BadLine) {
        let tally = self.tallies.entry(line.reason).or_default();
        tally.count += 1;
        if tally.examples.len() < EXAMPLES {
            tally.examples.push(line);
        }
    }
}
