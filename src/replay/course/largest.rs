//! The largest steps of liquidation, a bounded number of them.

use crate::event::Step;
use crate::number::{Price, Quantity};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The most of an instrument that are kept.
const MOST: usize = 80;

/// A step by which a pool's position was reduced or taken over. Ordered by notional, then by what was earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marked {
    /// In quanta, at the mark.
    pub(crate) notional: i128,
    /// Nanoseconds after the first tick.
    pub(crate) elapsed_ns: u64,
    pub(crate) account: u64,
    /// Whether the position was long.
    pub(crate) long: bool,
    /// Unsigned, in lots.
    pub(crate) quantity: Quantity,
    /// In ticks.
    pub(crate) mark: Price,
    /// The order's; none: the fund took the position over.
    pub(crate) step: Option<Step>,
}

/// The largest of all that were told of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Largest {
    kept: BinaryHeap<Reverse<ByNotional>>,
    /// How many were told of.
    pub(crate) count: u64,
}

#[derive(Clone, Copy, Debug)]
struct ByNotional(Marked, u64);

impl ByNotional {
    fn key(&self) -> (i128, Reverse<u64>) {
        (self.0.notional, Reverse(self.1))
    }
}

impl PartialEq for ByNotional {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for ByNotional {}

impl PartialOrd for ByNotional {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByNotional {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Largest {
    /// Tells of one more.
    pub(crate) fn add(&mut self, marked: Marked) {
        self.kept.push(Reverse(ByNotional(marked, self.count)));
        self.count += 1;
        if self.kept.len() > MOST {
            self.kept.pop(); // the smallest
        }
    }

    /// The largest first.
    pub(crate) fn sorted(&self) -> Vec<Marked> {
        let mut kept: Vec<&Reverse<ByNotional>> = self.kept.iter().collect();
        kept.sort_unstable();
        kept.iter().map(|Reverse(kept)| kept.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_stay_and_all_are_counted() {
        let mut largest = Largest::default();
        for number in 0..1_000i128 {
            let (notional, account) = (number * 7 % 1_000, number as u64);
            largest.add(Marked { notional, elapsed_ns: 0, account, long: true, quantity: 1, mark: 1, step: None });
        }
        let notionals: Vec<i128> = largest.sorted().iter().map(|marked| marked.notional).collect();
        assert_eq!(notionals, (1_000 - MOST as i128..1_000).rev().collect::<Vec<_>>());
        assert_eq!(largest.count, 1_000);
    }
}
