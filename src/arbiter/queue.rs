//! The queue of deleveraging: one side of an instrument, ranked as far as it is asked.
//!
//! To score everybody costs milliseconds, and a crash asks for every bankrupt pool. So a queue keeps, over many decisions,
//! for everybody the most that the score can be while no mark leaves a range around where it was, in order: whoever is
//! asked for the next in rank scores exactly from the head of that order on, until the best score reaches all bounds that
//! are left. Pools that changed since the bounds were taken are scored exactly, each decision anew; when they have become
//! many, or a mark has left its range, the bounds are taken anew.
//!
//! None of this shows: the order is that of the exact scores as of the beginning of a pass.

use super::rescored::Rescored;
use crate::market::{AdlRank, InstrumentId, Market};
use crate::number::PPB;
use crate::shard::{Candidate, LogPlace, MarkRanges, ScoreBound, Shard};

/// How many are put in order, or scored, at first; each further stretch adds a part of what there is. Few where the order is
/// checked, so that tests with few accounts go by the bounds too.
const FIRST_STRETCH: usize = if cfg!(debug_assertions) { 2 } else { 64 };

/// How far marks can go, in parts per billion, until bounds are taken anew. The further, the more are scored for nothing.
const RANGE_PPB: u64 = PPB / 200;

/// Queues of so many are checked in builds with debug assertions.
#[cfg(debug_assertions)]
const FEW: usize = 64;

/// A queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// What the bounds hold for.
    epoch: u64,
    rank_by: AdlRank,
    marks: MarkRanges,
    /// By shard: where its log of changes stood when they were taken.
    taken: Vec<LogPlace>,
    /// Everybody at that time; highest first up to `in_order`.
    bounds: Vec<ScoreBound>,
    in_order: usize,
    /// Up to here all have changed since.
    first_bound: usize,
    /// How many changes were taken in since.
    effort: usize,

    /// The decision for which scores are exact, from 1.
    decision: u64,
    /// Everybody up to `next_bound` whose pool has not changed, in order.
    scored: Vec<Candidate>,
    next_bound: usize,
    /// Those whose pool has changed, as of the last time that somebody asked.
    rescored: Rescored,
    /// By shard: up to where its log is taken in.
    seen: Vec<usize>,

    next_scored: usize,
    /// Up to here all have changed since they were scored.
    first_scored: usize,
    rank: u32,
    /// Kept for its room.
    spare: Vec<Candidate>,
    /// What the pass must give, by scoring everybody, where they are few; empty where they are not.
    #[cfg(debug_assertions)]
    expected: Vec<Candidate>,
}

impl Queue {
    /// Begins a pass from the head of the queue of one side of an instrument.
    pub(super) fn begin(
        &mut self,
        market: &Market,
        shards: &mut [Box<Shard>],
        side: (InstrumentId, bool),
        decision: u64,
        epoch: &mut u64,
    ) {
        if self.decision != decision || self.epoch != *epoch || changed_much(shards) {
            self.decision = decision;
            self.rescored.clear();
            self.scored.clear();
            self.spare.clear();
            self.renew_bounds(market, shards, side, epoch);
            self.next_bound = self.first_bound;
            self.peek_bound(shards);
            self.first_bound = self.next_bound;
            self.first_scored = 0;
            self.seen.clear();
            self.seen.extend(self.taken.iter().map(|place| place.entries));
        }
        self.score_changed(market, shards, side);
        self.rescored.rewind();
        (self.next_scored, self.rank) = (self.first_scored, 0);
        self.peek_scored(shards);
        self.first_scored = self.next_scored;
        #[cfg(debug_assertions)]
        self.score_few(market, shards, side);
    }

    #[cfg(debug_assertions)]
    fn score_few(&mut self, market: &Market, shards: &[Box<Shard>], (instrument, long): (InstrumentId, bool)) {
        self.expected.clear();
        if self.bounds.len() <= FEW {
            for shard in shards {
                shard.collect_queue(market, instrument, long, &mut self.expected);
            }
            self.expected.sort_unstable_by_key(Candidate::rank_key);
        }
    }

    /// Takes the bounds anew where they no longer hold, or where too much has changed since.
    fn renew_bounds(
        &mut self,
        market: &Market,
        shards: &mut [Box<Shard>],
        side: (InstrumentId, bool),
        epoch: &mut u64,
    ) {
        if changed_much(shards) {
            *epoch += 1;
            for shard in shards.iter_mut() {
                shard.forget_changes();
            }
        }
        let holders: usize = shards.iter().map(|shard| shard.count_holders(side.0)).sum();
        let rank_by = market.instrument(side.0).spec.adl.rank;
        let holds = self.epoch == *epoch && self.rank_by == rank_by && self.effort <= holders;
        if holds && self.marks.cover(market) {
            return;
        }
        (self.epoch, self.rank_by) = (*epoch, rank_by);
        (self.effort, self.in_order, self.first_bound) = (0, 0, 0);
        self.marks.set_around(market, RANGE_PPB);
        // Room for everybody at once, and in powers of two, so that hardly any pass after the first allocates.
        self.taken.clear();
        #[cfg(debug_assertions)]
        self.expected.reserve(2 * FEW);
        self.bounds.clear();
        self.bounds.reserve(holders.next_power_of_two());
        self.scored.reserve(holders.next_power_of_two());
        self.spare.reserve(holders.next_power_of_two());
        self.rescored.reserve(holders);
        for shard in shards {
            self.taken.push(shard.note_changes());
            shard.collect_bounds(market, side, &self.marks, &mut self.bounds);
        }
    }

    /// Scores those anew whose pool has changed since the last pass.
    fn score_changed(&mut self, market: &Market, shards: &mut [Box<Shard>], (instrument, long): (InstrumentId, bool)) {
        let Self { rescored, seen, effort, .. } = self;
        for (shard, seen) in shards.iter_mut().zip(seen) {
            let noted = shard.for_each_changed(*seen, instrument, |shard, holding| {
                rescored.put((shard.number(), holding), shard.candidate_on(market, holding, long));
            });
            *effort += noted - std::mem::replace(seen, noted);
        }
    }

    /// The next candidate by rank, and its rank from 1.
    pub(super) fn next(&mut self, market: &Market, shards: &[Box<Shard>]) -> Option<(Candidate, u32)> {
        let next = loop {
            let (scored, rescored) = (self.peek_scored(shards), self.rescored.peek());
            let best = [scored, rescored].into_iter().flatten().min_by_key(Candidate::rank_key);
            let bound = self.peek_bound(shards);
            let settled = |best: Candidate, bound: ScoreBound| {
                (best.profitable, best.score) > (bound.profitable, bound.score) // a tie goes by account
            };
            if bound.is_none_or(|bound| best.is_some_and(|best| settled(best, bound))) {
                match best {
                    Some(best) if scored.is_none_or(|scored| best.rank_key() != scored.rank_key()) => {
                        self.rescored.advance(&best);
                    }
                    _ => self.next_scored += 1,
                }
                break best;
            }
            self.score_more(market, shards);
        };
        self.rank += 1;
        #[cfg(debug_assertions)]
        if let Some(expected) = self.expected.get(self.rank as usize - 1) {
            debug_assert_eq!(next.map(|next| next.rank_key()), Some(expected.rank_key()), "out of order: a kernel bug");
        }
        next.map(|candidate| (candidate, self.rank))
    }

    /// The next scored candidate whose score still holds.
    fn peek_scored(&mut self, shards: &[Box<Shard>]) -> Option<Candidate> {
        loop {
            let candidate = *self.scored.get(self.next_scored)?;
            if !self.has_changed(shards, (candidate.shard, candidate.holding)) {
                return Some(candidate);
            }
            self.next_scored += 1;
        }
    }

    /// The highest bound of those who are not scored yet.
    fn peek_bound(&mut self, shards: &[Box<Shard>]) -> Option<ScoreBound> {
        loop {
            if self.next_bound == self.in_order {
                self.put_stretch_in_order();
            }
            let bound = *self.bounds.get(self.next_bound)?;
            if !self.has_changed(shards, (bound.shard, bound.holding)) {
                return Some(bound);
            }
            self.next_bound += 1;
        }
    }

    /// Whether the pool of a holding has changed since the bounds were taken.
    fn has_changed(&self, shards: &[Box<Shard>], (shard, holding): (u32, u32)) -> bool {
        shards[shard as usize].has_changed(holding, self.taken[shard as usize])
    }

    /// Scores the next stretch by bound, and puts it in order with the others.
    fn score_more(&mut self, market: &Market, shards: &[Box<Shard>]) {
        let scored = self.scored.len();
        let wanted = scored + FIRST_STRETCH.max(scored / 4);
        while let Some(bound) = self.peek_bound(shards) {
            self.next_bound += 1;
            self.scored.push(shards[bound.shard as usize].candidate(market, bound.holding));
            if self.scored.len() == wanted {
                break;
            }
        }
        self.scored[scored..].sort_unstable_by_key(Candidate::rank_key);
        self.merge(scored);
    }

    /// Merges what is in order up to `middle` with what is in order from there. What the pass has gone by stays where it is: it
    /// comes before, or its score no longer holds.
    fn merge(&mut self, middle: usize) {
        let Self { scored, spare, next_scored, .. } = self;
        spare.clear();
        spare.extend_from_slice(&scored[middle..]);
        let (mut before, mut to) = (middle, scored.len());
        while let Some(last) = spare.last() {
            to -= 1;
            if before > *next_scored && scored[before - 1].rank_key() > last.rank_key() {
                before -= 1;
                scored[to] = scored[before];
            } else {
                scored[to] = *last;
                spare.pop();
            }
        }
    }

    /// Few of a long queue are ever asked: to sort them all would cost more than to choose the first.
    fn put_stretch_in_order(&mut self) {
        let key = |bound: &ScoreBound| std::cmp::Reverse((bound.profitable, bound.score));
        let rest = &mut self.bounds[self.in_order..];
        let stretch = self.in_order.max(FIRST_STRETCH).min(rest.len());
        if stretch < rest.len() {
            rest.select_nth_unstable_by_key(stretch, key);
        }
        rest[..stretch].sort_unstable_by_key(key);
        self.in_order += stretch;
    }
}

/// Whether so much has changed that it is better to score everybody anew.
fn changed_much(shards: &[Box<Shard>]) -> bool {
    shards.iter().any(|shard| shard.has_changed_much())
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
