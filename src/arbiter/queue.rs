//! The queue of deleveraging: one side of an instrument, ranked as far as it is asked.
//!
//! To score everybody costs milliseconds, and a crash asks for every bankrupt pool. No mark moves in a decision, so a score
//! changes only with its pool: the first to ask in a decision scores all, each later one only what has changed since
//! the last.

use super::rescored::Rescored;
use crate::market::{InstrumentId, Market};
use crate::shard::{Candidate, Shard};

/// Candidates that are put in order at first; each further stretch doubles what is in order.
const FIRST_STRETCH: usize = 64;

/// A queue, kept through a decision.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The decision in which everybody was scored, from 1.
    scored_in: u64,
    /// Everybody; in order up to `in_order`.
    scored: Vec<Candidate>,
    in_order: usize,
    /// Those whose pool has changed since, as of the last time that somebody asked.
    rescored: Rescored,
    /// By shard: how many of its changes are taken in.
    seen: Vec<usize>,
    next_scored: usize,
    rank: u32,
}

impl Queue {
    /// Begins a pass from the head of the queue of one side of an instrument.
    pub(super) fn begin(
        &mut self,
        market: &Market,
        shards: &mut [Box<Shard>],
        side: (InstrumentId, bool),
        decision: u64,
    ) {
        if self.scored_in != decision {
            self.scored_in = decision;
            self.score_all(market, shards, side);
        }
        self.score_changed(market, shards, side);
        self.rescored.rewind();
        (self.next_scored, self.rank) = (0, 0);
    }

    /// Scores those anew whose pool has changed since the last pass.
    fn score_changed(&mut self, market: &Market, shards: &mut [Box<Shard>], (instrument, long): (InstrumentId, bool)) {
        let Self { rescored, seen, .. } = self;
        for (shard, seen) in shards.iter_mut().zip(seen) {
            *seen = shard.for_each_changed(*seen, instrument, |shard, holding| {
                rescored.put((shard.number(), holding), shard.candidate_on(market, holding, long));
            });
        }
    }

    fn score_all(&mut self, market: &Market, shards: &mut [Box<Shard>], (instrument, long): (InstrumentId, bool)) {
        self.scored.clear();
        self.rescored.clear();
        self.seen.clear();
        self.in_order = 0;
        // Room for everybody at once, and in powers of two, so that hardly any pass after the first allocates.
        let holders: usize = shards.iter().map(|shard| shard.count_holders(instrument)).sum();
        self.scored.reserve(holders.next_power_of_two());
        self.rescored.reserve(holders);
        for shard in shards {
            shard.note_changes();
            self.seen.push(0); // also those that another queue saw change in this decision are taken from the rescored
            shard.collect_queue(market, instrument, long, &mut self.scored);
        }
    }

    /// The next candidate by rank, and its rank from 1.
    pub(super) fn next(&mut self, shards: &[Box<Shard>]) -> Option<(Candidate, u32)> {
        let scored = self.peek_scored(shards);
        let rescored = self.rescored.peek();
        self.rank += 1;
        match (scored, rescored) {
            (scored, Some(first)) if scored.is_none_or(|scored| first.rank_key() < scored.rank_key()) => {
                self.rescored.advance(&first);
                Some((first, self.rank))
            }
            (scored, _) => {
                self.next_scored += 1;
                scored.map(|candidate| (candidate, self.rank))
            }
        }
    }

    /// The next candidate whose score still holds.
    fn peek_scored(&mut self, shards: &[Box<Shard>]) -> Option<Candidate> {
        loop {
            if self.next_scored == self.in_order {
                self.put_stretch_in_order();
            }
            let candidate = *self.scored.get(self.next_scored)?;
            if !shards[candidate.shard as usize].has_changed(candidate.holding) {
                return Some(candidate);
            }
            self.next_scored += 1;
        }
    }

    /// Few of a long queue are ever asked: to sort them all would cost more than to choose the first.
    fn put_stretch_in_order(&mut self) {
        let rest = &mut self.scored[self.in_order..];
        let stretch = self.in_order.max(FIRST_STRETCH).min(rest.len());
        if stretch < rest.len() {
            rest.select_nth_unstable_by_key(stretch, Candidate::rank_key);
        }
        rest[..stretch].sort_unstable_by_key(Candidate::rank_key);
        self.in_order += stretch;
    }
}

/// The whole queue of one side of an instrument, first to be deleveraged first.
pub(crate) fn rank(market: &Market, shards: &[Box<Shard>], instrument: InstrumentId, long: bool) -> Vec<Candidate> {
    let mut queue = Vec::new();
    for shard in shards {
        shard.collect_queue(market, instrument, long, &mut queue);
    }
    queue.sort_unstable_by_key(Candidate::rank_key);
    queue
}
