//! The queue of deleveraging: one side of an instrument, ranked as far as it is asked.
//!
//! To score everybody costs milliseconds, and a crash asks for every bankrupt pool. After its admission an input moves no
//! mark, so a score changes only with its pool: the first to ask in an input scores all, the others only what has
//! changed since.

use crate::market::{InstrumentId, Market};
use crate::shard::{Candidate, Shard};

/// Candidates that are put in order at first; each further stretch doubles what is in order.
const FIRST_STRETCH: usize = 64;

/// A queue, kept through an input.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The input in which everybody was scored, from 1.
    scored_in: u64,
    /// Everybody; in order up to `in_order`.
    scored: Vec<Candidate>,
    in_order: usize,
    /// Those whose pool has changed since, scored at the present pass, in order.
    rescored: Vec<Candidate>,
    next_scored: usize,
    next_rescored: usize,
    rank: u32,
}

impl Queue {
    /// Begins a pass from the head of the queue of one side of an instrument.
    pub(super) fn begin(&mut self, market: &Market, shards: &mut [Shard], side: (InstrumentId, bool), input: u64) {
        let (instrument, long) = side;
        if self.scored_in != input {
            self.scored_in = input;
            self.score_all(market, shards, side);
        }
        self.rescored.clear();
        for shard in shards {
            shard.collect_changed(market, instrument, long, &mut self.rescored);
        }
        self.rescored.sort_unstable_by_key(Candidate::rank_key);
        (self.next_scored, self.next_rescored, self.rank) = (0, 0, 0);
    }

    fn score_all(&mut self, market: &Market, shards: &mut [Shard], (instrument, long): (InstrumentId, bool)) {
        self.scored.clear();
        self.rescored.clear();
        self.in_order = 0;
        // Room for everybody at once, and in powers of two, so that hardly any pass after the first allocates.
        let holders: usize = shards.iter().map(|shard| shard.count_holders(instrument)).sum();
        self.scored.reserve(holders.next_power_of_two());
        self.rescored.reserve(holders.next_power_of_two());
        for shard in shards {
            shard.note_changes();
            shard.collect_queue(market, instrument, long, &mut self.scored);
        }
    }

    /// The next candidate by rank, and its rank from 1.
    pub(super) fn next(&mut self, shards: &[Shard]) -> Option<(Candidate, u32)> {
        let scored = self.peek_scored(shards);
        let rescored = self.rescored.get(self.next_rescored).copied();
        let (candidate, cursor) = match (scored, rescored) {
            (Some(a), Some(b)) if b.rank_key() < a.rank_key() => (b, &mut self.next_rescored),
            (Some(a), _) => (a, &mut self.next_scored),
            (None, Some(b)) => (b, &mut self.next_rescored),
            (None, None) => return None,
        };
        *cursor += 1;
        self.rank += 1;
        Some((candidate, self.rank))
    }

    /// The next candidate whose score still holds.
    fn peek_scored(&mut self, shards: &[Shard]) -> Option<Candidate> {
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
pub(crate) fn rank(market: &Market, shards: &[Shard], instrument: InstrumentId, long: bool) -> Vec<Candidate> {
    let mut queue = Vec::new();
    for shard in shards {
        shard.collect_queue(market, instrument, long, &mut queue);
    }
    queue.sort_unstable_by_key(Candidate::rank_key);
    queue
}
