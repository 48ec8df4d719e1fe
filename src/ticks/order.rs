//! Puts the ticks of a file in order of time, as far as its format allows rows to come late.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::Tick;

/// Holds back a bounded number of ticks, so that a late one can still take its place.
pub(super) struct Window {
    held: BinaryHeap<Held>,
    late: usize,
    pushed: u64,
    released: u64,
}

impl Window {
    /// A window for ticks that come up to `late` ticks late.
    pub fn new(late: usize) -> Self {
        Self { held: BinaryHeap::new(), late, pushed: 0, released: 0 }
    }

    /// The earliest time, in nanoseconds since 1970, that a tick may still have.
    pub fn earliest(&self) -> u64 {
        self.released
    }

    /// Whether it holds enough ticks for one of them to be released.
    pub fn is_full(&self) -> bool {
        self.held.len() > self.late
    }

    /// Adds a tick that is not before [`Self::earliest`].
    pub fn push(&mut self, tick: Tick) {
        self.held.push(Held { serial: self.pushed, tick });
        self.pushed += 1;
    }

    /// Releases the earliest tick; of those at the same time, the one that came first.
    pub fn pop(&mut self) -> Option<Tick> {
        let tick = self.held.pop()?.tick;
        self.released = tick.ts_ns;
        Some(tick)
    }
}

/// A tick that is held back. The greatest one is that which is due first.
struct Held {
    serial: u64,
    tick: Tick,
}

impl Held {
    fn due(&self) -> Reverse<(u64, u64)> {
        Reverse((self.tick.ts_ns, self.serial))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> Ordering {
        self.due().cmp(&other.due())
    }
}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.due() == other.due()
    }
}

impl Eq for Held {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decimal::Decimal;
    use crate::ticks::TickKind;

    #[test]
    fn releases_by_time_and_then_by_arrival() {
        let mut window = Window::new(2);
        let mut released = Vec::new();
        for (symbol, ts_ns) in [(0, 5), (1, 3), (2, 5), (3, 4), (4, 9)] {
            window.push(Tick { ts_ns, symbol, kind: TickKind::Mark { price: Decimal::new(1, 0) } });
            if window.is_full() {
                released.extend(window.pop());
            }
        }
        assert_eq!(window.earliest(), 5);
        released.extend(std::iter::from_fn(|| window.pop()));
        let order: Vec<_> = released.iter().map(|tick| (tick.symbol, tick.ts_ns)).collect();
        assert_eq!(order, [(1, 3), (3, 4), (0, 5), (2, 5), (4, 9)]);
    }
}
