//! The clock and the schedule: what happens when, in one order.

use std::collections::BTreeMap;

/// What is to happen, by simulated time; of what happens at the same time, what was put in first. Nobody else knows a clock.
#[derive(Debug)]
pub(super) struct Agenda<T> {
    now_ns: u64,
    entered: u64,
    waiting: BTreeMap<(u64, u64), T>,
}

impl<T> Agenda<T> {
    /// Begins at a time, in nanoseconds since the epoch.
    pub(super) fn new(now_ns: u64) -> Self {
        Self { now_ns, entered: 0, waiting: BTreeMap::new() }
    }

    pub(super) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Puts something in, so many nanoseconds from now.
    pub(super) fn after(&mut self, delay_ns: u64, what: T) {
        self.entered += 1;
        self.waiting.insert((self.now_ns + delay_ns, self.entered), what);
    }

    /// The next that happens; the clock goes there.
    pub(super) fn next(&mut self) -> Option<T> {
        let ((at_ns, _), what) = self.waiting.pop_first()?;
        self.now_ns = at_ns;
        Some(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_at_the_same_time_keeps_its_order() {
        let mut agenda = Agenda::new(100);
        agenda.after(5, 'c');
        agenda.after(0, 'a');
        agenda.after(5, 'd');
        agenda.after(0, 'b');
        let order: Vec<(char, u64)> = std::iter::from_fn(|| Some((agenda.next()?, agenda.now_ns()))).collect();
        assert_eq!(order, [('a', 100), ('b', 100), ('c', 105), ('d', 105)]);
    }
}
