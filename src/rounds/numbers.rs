//! The numbers of liquidation orders, and since when their pools wait.

use crate::command::OrderName;
use crate::event::PoolName;
use crate::map::Map;
use crate::market::InstrumentId;

/// Below this size the table is not cleared out.
const MIN_PRUNED: usize = 1_024;

/// An order that went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Numbered {
    /// From 1, in the order of the log.
    pub(crate) number: u64,
    pub(crate) instrument: InstrumentId,
    /// Input time at which it went out, in nanoseconds.
    pub(crate) since_ns: u64,
}

/// Orders that the venue may still fill, by name and by number.
#[derive(Debug)]
pub(super) struct OrderNumbers {
    sent: u64,
    /// The last one, until another goes out: the simulated venue answers at once, and then no table knows of it.
    last: Option<(OrderName, Numbered)>,
    by_name: Map<OrderName, Numbered>,
    by_number: Map<u64, OrderName>,
    /// The size at which those that cannot be filled any more are cleared out.
    prune_at: usize,
    /// When a pool asked for its cancellation, or got it, in nanoseconds of input time.
    cancelling: Map<(u64, PoolName), u64>,
}

impl OrderNumbers {
    pub(super) fn with_capacity(orders: usize) -> Self {
        let mut numbers = Self {
            sent: 0,
            last: None,
            by_name: Map::default(),
            by_number: Map::default(),
            prune_at: orders.max(MIN_PRUNED),
            cancelling: Map::default(),
        };
        numbers.by_name.reserve(orders);
        numbers.by_number.reserve(orders);
        numbers
    }

    /// How many orders had a number so far.
    #[cfg(feature = "journal")]
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// All orders that are known here.
    #[cfg(feature = "journal")]
    pub(super) fn orders(&self) -> impl Iterator<Item = (OrderName, Numbered)> {
        self.by_name.iter().map(|(&order, &numbered)| (order, numbered)).chain(self.last)
    }

    /// Since when pools wait, or waited, for their cancellation.
    #[cfg(feature = "journal")]
    pub(super) fn cancelling(&self) -> impl Iterator<Item = ((u64, PoolName), u64)> {
        self.cancelling.iter().map(|(&name, &since_ns)| (name, since_ns))
    }

    /// Takes over what was read.
    #[cfg(feature = "journal")]
    pub(super) fn restore(
        &mut self,
        sent: u64,
        orders: Vec<(OrderName, Numbered)>,
        cancelling: Vec<((u64, PoolName), u64)>,
    ) {
        self.sent = sent;
        self.by_number.extend(orders.iter().map(|&(order, numbered)| (numbered.number, order)));
        self.by_name.extend(orders);
        self.cancelling.extend(cancelling);
    }

    /// Gives an order the next number.
    pub(super) fn add(&mut self, order: OrderName, instrument: InstrumentId, since_ns: u64) -> u64 {
        self.sent += 1;
        let numbered = Numbered { number: self.sent, instrument, since_ns };
        if let Some((order, numbered)) = self.last.replace((order, numbered)) {
            self.by_name.insert(order, numbered);
            self.by_number.insert(numbered.number, order);
        }
        self.sent
    }

    pub(super) fn get(&self, order: OrderName) -> Option<Numbered> {
        match self.last {
            Some((last, numbered)) if last == order => Some(numbered),
            _ => self.by_name.get(&order).copied(),
        }
    }

    pub(super) fn number(&self, order: OrderName) -> Option<u64> {
        self.get(order).map(|numbered| numbered.number)
    }

    pub(super) fn name(&self, number: u64) -> Option<OrderName> {
        match self.last {
            Some((last, numbered)) if numbered.number == number => Some(last),
            _ => self.by_number.get(&number).copied(),
        }
    }

    /// Forgets an order that was answered for good.
    pub(super) fn forget(&mut self, order: OrderName) {
        if self.last.is_some_and(|(last, _)| last == order) {
            self.last = None;
        } else if let Some(numbered) = self.by_name.remove(&order) {
            self.by_number.remove(&numbered.number);
        }
    }

    /// Clears out those that nobody knows any more, as the table doubles.
    pub(super) fn prune(&mut self, knows: impl Fn(OrderName) -> bool) {
        if self.by_name.len() < self.prune_at {
            return;
        }
        self.by_name.retain(|&order, _| knows(order));
        let by_name = &self.by_name;
        self.by_number.retain(|_, order| by_name.contains_key(order));
        self.prune_at = (self.by_name.len() * 2).max(self.prune_at);
    }

    pub(super) fn note_cancelling(&mut self, account: u64, pool: PoolName, now_ns: u64) {
        self.cancelling.insert((account, pool), now_ns);
    }

    pub(super) fn cancelling_since(&self, account: u64, pool: PoolName) -> u64 {
        self.cancelling.get(&(account, pool)).copied().unwrap_or(0)
    }
}
