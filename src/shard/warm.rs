//! What an idle worker does: it touches the records of the pools that are the next to be crossed, so that a crossing finds
//! them in the cache.
//!
//! A shard of a million accounts is many times larger than any cache, and what fills touch pushes the rest out; a pool that
//! is met cold costs a miss for each of its records, one after the other.

use super::Shard;
use crate::market::{InstrumentId, Market};
use std::hint::black_box;

/// A pool with more positions is not warmed: an input may come at any time, and waits.
const MOST: usize = 6;

impl Shard {
    /// Looks at the pool with the nearest edge on one side of an instrument, and changes nothing.
    pub(crate) fn warm(&self, market: &Market, instrument: InstrumentId, upper: bool) {
        let Some(holding) = self.bands.nearest(instrument)[usize::from(upper)] else { return };
        let pool = self.holdings[holding as usize].pool;
        black_box(self.accounts[self.pools[pool as usize].account as usize].orders_sent);
        if self.holdings_of(pool).take(MOST + 1).count() <= MOST {
            black_box(self.evaluate(market, pool));
        }
    }
}
