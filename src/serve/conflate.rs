//! Conflation: which ticks of one price are left of those that wait. The lowest and the highest, in the order in which they came, and
//! the last: at most three.
//!
//! What a pool is worth over its requirement has, as one mark moves and nothing else, no minimum between the ends of its way but at
//! them: linear and inverse contracts are monotone or concave in it, requirements by `marginal` and `linear` tiers convex. So whoever
//! would be in breach at a tick that is left out is in breach at the lowest or at the highest, but for a quantum of rounding. It does not hold for `step` tiers,
//! computed marks and marks that pass an airlock, so [`Plain`](super::plain::Plain) knows none of those. Ticks of other instruments may
//! lie between: of a pool that holds several, what only marks of the same moment would have shown is not seen, as with a slower feed.

use crate::number::Price;

/// The ticks of a run that wait: none is carried out yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    low: Waiting,
    high: Waiting,
    last: Waiting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Waiting {
    /// Under which it waits; rising.
    ticket: u64,
    price: Price,
}

impl Run {
    /// A run of one.
    pub(super) fn begin(ticket: u64, price: Price) -> Self {
        let first = Waiting { ticket, price };
        Self { low: first, high: first, last: first }
    }

    /// Takes in the next tick, and says which of those before need not be carried out any more.
    pub(super) fn push(&mut self, ticket: u64, price: Price) -> impl Iterator<Item = u64> + use<> {
        let before = [self.low, self.high, self.last];
        let tick = Waiting { ticket, price };
        if price < self.low.price {
            self.low = tick;
        } else if price > self.high.price {
            self.high = tick;
        }
        self.last = tick;
        let after = [self.low, self.high];
        let gone = move |(at, waiting): (usize, &Waiting)| {
            let named = before[..at].contains(waiting);
            (!named && !after.contains(waiting)).then_some(waiting.ticket)
        };
        let gone: [Option<u64>; 3] = [0, 1, 2].map(|at| gone((at, &before[at])));
        gone.into_iter().flatten()
    }

    /// A tick of it is carried out now; what is left of the run, if anything waits.
    pub(super) fn take(self, ticket: u64) -> Option<Self> {
        let left = || [self.low, self.high, self.last].into_iter().filter(|waiting| waiting.ticket != ticket);
        // Of equal prices the first that came, as it was the first to be the extreme.
        let by_price = |waiting: &Waiting| (waiting.price, waiting.ticket);
        let low = left().min_by_key(by_price)?;
        let high = left().max_by_key(|waiting| (waiting.price, std::cmp::Reverse(waiting.ticket)))?;
        Some(Self { low, high, last: self.last })
    }

    /// Whether a price is so far from the last that it may be a mistake: at more than twice that or less than half. What the kernel
    /// refuses must not stand for others.
    pub(super) fn is_far(&self, price: Price) -> bool {
        let (last, price) = (i128::from(self.last.price), i128::from(price));
        price > 2 * last || 2 * price < last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// The prices that are carried out where `takes` says after which ticks one is taken.
    fn conflated(prices: &[Price], takes: &[bool]) -> (Vec<Price>, usize) {
        let (mut run, mut waiting, mut done, mut most) = (None::<Run>, BTreeMap::new(), Vec::new(), 0);
        let take = |run: &mut Option<Run>, waiting: &mut BTreeMap<u64, Price>, done: &mut Vec<Price>| {
            if let Some((ticket, price)) = waiting.pop_first() {
                done.push(price);
                *run = run.take().and_then(|run| run.take(ticket));
            }
        };
        for (at, &price) in prices.iter().enumerate() {
            let ticket = at as u64;
            match &mut run {
                None => run = Some(Run::begin(ticket, price)),
                Some(run) => run.push(ticket, price).for_each(|gone| {
                    waiting.remove(&gone).expect("it waits");
                }),
            }
            waiting.insert(ticket, price);
            most = most.max(waiting.len());
            if takes.get(at) == Some(&true) {
                take(&mut run, &mut waiting, &mut done);
            }
        }
        while !waiting.is_empty() {
            take(&mut run, &mut waiting, &mut done);
        }
        assert!(run.is_none());
        (done, most)
    }

    /// Lowest, highest, last, and which of the extremes came first.
    fn shape(prices: &[Price]) -> Option<(Price, Price, Price, bool)> {
        let (low, high) = (*prices.iter().min()?, *prices.iter().max()?);
        let place = |price| prices.iter().position(|&other| other == price);
        Some((low, high, *prices.last()?, place(low) <= place(high)))
    }

    proptest! {
        #[test]
        fn a_run_keeps_its_extremes_their_order_and_its_last(
            prices in prop::collection::vec(1_i64..30, 1..60),
            takes in prop::collection::vec(prop::bool::weighted(0.2), 60),
        ) {
            for takes in [&[][..], &takes] {
                let (done, most) = conflated(&prices, takes);
                prop_assert_eq!(shape(&done), shape(&prices), "{:?} of {:?}", done, prices);
                prop_assert!(most <= 3, "{} wait", most);
            }
        }

        #[test]
        fn what_is_left_out_lies_between_what_is_carried_out(prices in prop::collection::vec(1_i64..9, 1..40)) {
            let (done, _) = conflated(&prices, &[]);
            prop_assert!(done.len() <= 3);
            let mut rest = prices.iter();
            prop_assert!(done.iter().all(|price| rest.any(|other| other == price)), "in their order");
        }
    }

    #[test]
    fn a_fall_and_its_recovery_are_both_seen() {
        assert_eq!(conflated(&[100, 99, 80, 95, 101, 100], &[]).0, [80, 101, 100]);
        assert_eq!(conflated(&[100, 101, 95, 80, 99], &[]).0, [101, 80, 99]);
        assert_eq!(conflated(&[5, 5, 5], &[]).0, [5, 5]);
    }

    #[test]
    fn a_price_that_may_be_a_mistake_is_far() {
        let run = Run::begin(1, 100);
        assert_eq!([49, 50, 200, 201].map(|price| run.is_far(price)), [true, false, false, true]);
        assert!(!run.is_far(100) && run.is_far(i64::MAX));
    }
}
