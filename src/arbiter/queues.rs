//! All queues of deleveraging, and who stands where in them.
//!
//! A queue lives from the first time that somebody asks it. From then on it must hear of every pool that changes: shards note
//! them, and before any queue is asked, all of them are told.

use super::queue::{Queue, World};
use crate::market::{InstrumentId, Market};
use crate::shard::{Candidate, Portfolios, Shard};

/// Whether a queue was told that a holding changed, and has not looked yet.
const TOLD: u32 = 1 << 31;

/// By shard and holding, and by side, shorts first: its number among the members of its queue, counted from 1, and whether
/// the queue was told of a change.
#[derive(Debug, Default)]
pub(super) struct Places {
    by_shard: Vec<Vec<[u32; 2]>>,
}

impl Places {
    /// Makes room for all holdings.
    fn follow(&mut self, shards: &[Box<Shard>]) {
        self.by_shard.resize_with(shards.len(), Vec::new);
        for (places, shard) in self.by_shard.iter_mut().zip(shards) {
            let (holdings, room) = shard.count_holdings();
            if places.len() < holdings {
                places.reserve(room.saturating_sub(places.len()));
                places.resize(holdings, [0; 2]);
            }
        }
    }

    fn at(&mut self, (shard, holding): (u32, u32), long: bool) -> &mut u32 {
        &mut self.by_shard[shard as usize][holding as usize][usize::from(long)]
    }

    /// The member that a holding is on a side.
    pub(super) fn member(&mut self, holding: (u32, u32), long: bool) -> Option<u32> {
        (*self.at(holding, long) & !TOLD).checked_sub(1)
    }

    pub(super) fn set(&mut self, holding: (u32, u32), long: bool, member: Option<u32>) {
        let place = self.at(holding, long);
        *place = *place & TOLD | member.map_or(0, |member| member + 1);
    }

    /// The queue of a side looks at a holding that it was told of.
    pub(super) fn look(&mut self, holding: (u32, u32), long: bool) {
        *self.at(holding, long) &= !TOLD;
    }
}

/// The queues of all instruments.
#[derive(Debug, Default)]
pub(super) struct Queues {
    /// Of the shorts, and of the longs.
    by_instrument: Vec<[Queue; 2]>,
    places: Places,
    portfolios: Portfolios,
    /// Whether any was ever asked.
    live: bool,
}

/// A pass through a queue.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    queue: &'a mut Queue,
    portfolios: &'a mut Portfolios,
}

impl Pass<'_> {
    /// The next candidate by rank, and its rank from 1.
    pub(super) fn next(&mut self, market: &Market, shards: &[Box<Shard>]) -> Option<(Candidate, u32)> {
        self.queue.next(&mut World { market, shards, portfolios: self.portfolios })
    }
}

impl Queues {
    pub(super) fn add_instrument(&mut self) {
        self.by_instrument.push(Default::default());
    }

    /// Begins a pass from the head of the queue of one side of an instrument, as of now.
    pub(super) fn begin(
        &mut self,
        market: &Market,
        shards: &mut [Box<Shard>],
        side: (InstrumentId, bool),
        decision: u64,
    ) -> Pass<'_> {
        if !self.live {
            self.live = true;
            for shard in shards.iter_mut() {
                shard.watch_changes();
            }
        }
        self.places.follow(shards);
        self.portfolios.follow(market, shards);
        self.tell_changes(market, shards);
        let queue = &mut self.by_instrument[side.0.index()][usize::from(side.1)];
        let mut world = World { market, shards, portfolios: &mut self.portfolios };
        queue.begin(&mut world, side, decision, &mut self.places);
        Pass { queue, portfolios: &mut self.portfolios }
    }

    /// Tells the queues whose pools have changed.
    fn tell_changes(&mut self, market: &Market, shards: &mut [Box<Shard>]) {
        let Self { by_instrument, places, portfolios, .. } = self;
        for shard in shards {
            let number = shard.number();
            shard.take_changes(market, portfolios, |instrument, holding, quantity| {
                for long in [false, true] {
                    let queue = &mut by_instrument[instrument.index()][usize::from(long)];
                    let place = places.at((number, holding), long);
                    let concerned = *place != 0 || (quantity != 0 && (quantity > 0) == long);
                    if concerned && *place & TOLD == 0 && queue.is_live() {
                        *place |= TOLD;
                        queue.tell((number, holding));
                    }
                }
            });
        }
    }
}
