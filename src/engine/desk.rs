//! What a worker works on, and how it changes hands: by value, so that it has one owner at any time.

use crate::market::{InstrumentId, MarkChange, Market};
use crate::number::Price;
use crate::prices::PriceInput;
use crate::ring::Bell;
use crate::ring::sync::ArrayQueue;
use crate::shard::Shard;
use std::sync::Arc;

/// A shard, and its copy of the market.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) market: Box<Market>,
    pub(super) shard: Box<Shard>,
}

impl Desk {
    /// Takes a mark that concerns nobody here; false if it is not certain that it is one, and nothing was done.
    #[inline]
    pub(super) fn take_quiet_mark(&mut self, instrument: InstrumentId, price: Price, ts_ns: Option<u64>) -> bool {
        let Self { market, shard } = self;
        // The sequencer tells the time with every price.
        let quiet =
            shard.is_quiet_at(instrument, price) && market.move_plain_mark(instrument, price, ts_ns.unwrap_or(0));
        if quiet {
            market.see_time(ts_ns);
            shard.pass_quiet_mark();
        }
        quiet
    }

    /// Takes what came in of an instrument's prices, and finds whom it concerns; whether the mark changed.
    #[inline]
    pub(super) fn reprice(&mut self, instrument: InstrumentId, input: PriceInput, now_ns: u64) -> bool {
        let change = self.market.reprice(instrument, input, now_ns).mark;
        self.shard.on_mark(&self.market, instrument, change);
        change != MarkChange::None
    }

    /// Time has passed; whether any mark changed.
    pub(super) fn reprice_all(&mut self, now_ns: u64) -> bool {
        let mut moved = false;
        for index in 0..self.market.instruments.len() {
            if self.market.instruments[index].spec.prices.age() {
                moved |= self.reprice(InstrumentId(index as u32), PriceInput::Time, now_ns);
            }
        }
        moved
    }
}

/// One direction of a hand-over. It holds one desk at most.
#[derive(Debug)]
pub(super) struct Hatch<T = Desk> {
    desk: Arc<ArrayQueue<T>>,
    /// Of the one who waits on the other side.
    bell: Bell,
}

impl<T> Clone for Hatch<T> {
    fn clone(&self) -> Self {
        Self { desk: Arc::clone(&self.desk), bell: self.bell.clone() }
    }
}

impl<T> Hatch<T> {
    pub(super) fn new(bell: &Bell) -> Self {
        Self { desk: Arc::new(ArrayQueue::new(1)), bell: bell.clone() }
    }

    /// Gives a desk away.
    pub(super) fn give(&self, desk: T) {
        let given = self.desk.push(desk);
        debug_assert!(given.is_ok(), "a desk is handed over twice: a kernel bug");
        self.bell.ring();
    }

    /// Takes the desk, if it is there.
    pub(super) fn take(&self) -> Option<T> {
        self.desk.pop()
    }

    /// Whether a desk is there.
    pub(super) fn is_waiting(&self) -> bool {
        !self.desk.is_empty()
    }
}
