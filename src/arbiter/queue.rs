//! The queue of deleveraging: one side of an instrument, ranked as far as it is asked.
//!
//! To score everybody costs milliseconds, and a crash asks for every bankrupt pool. So of most members a queue knows only the
//! most that their score can be ([`Members`]), each within ranges of the marks as wide as keep it well below those who are
//! asked: who is far from the head is looked at again only when marks have gone far. The few near the head are hot: scored
//! exactly at each decision. Whoever is asked for the next in rank takes the best of these while it is above all bounds, and
//! else heats those with the highest bounds.
//!
//! None of this shows: the order is that of the exact scores as of the beginning of a pass.

use super::members::{Members, Standing};
use super::queues::Places;
use crate::market::{AdlRank, InstrumentId, Market};
use crate::shard::{Candidate, LEVELS, MarkLevels, Shard, fetch};

/// How many are hot at least. Few where the order is checked, so that tests with few accounts go by the bounds too.
const HOT: usize = if cfg!(debug_assertions) { 2 } else { 16 };

/// So many scores are looked at to guess which ones will be asked for first.
const SAMPLE: usize = 2_048;

/// What is scored at once, so that the memory for one is fetched while another is computed.
const BATCH: usize = 16;

/// Queues of so many are checked in builds with debug assertions.
#[cfg(debug_assertions)]
const FEW: usize = 64;

/// A hot member, as it was scored.
#[derive(Clone, Copy, Debug)]
struct Scored {
    candidate: Candidate,
    member: u32,
}

/// A queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// By what it ranks; none: nobody has asked yet.
    rank_by: Option<AdlRank>,
    levels: MarkLevels,
    members: Members,
    /// The decision for which scores are exact, from 1.
    decision: u64,
    /// The hot members, in order, from `start` on: those at the head change with every claim, and go and come without moving
    /// the others.
    scored: Vec<Scored>,
    start: usize,
    /// Where the pass goes on.
    next: usize,
    /// How far passes went lately.
    reach: usize,
    /// Where there are more, some are cooled.
    most_hot: usize,
    /// The candidate that cold ones are kept below.
    cut: Option<Candidate>,
    /// Holdings whose pools have changed since the last pass.
    told: Vec<(u32, u32)>,
    /// Members to bound anew, and candidates to put in order; kept for their room.
    work: Vec<u32>,
    fresh: Vec<Scored>,
    /// What the pass must give, by scoring everybody, where they are few; empty where they are not.
    #[cfg(debug_assertions)]
    expected: Vec<Candidate>,
}

impl Queue {
    /// Whether it was asked before, and must hear of changes.
    pub(super) fn is_live(&self) -> bool {
        self.rank_by.is_some()
    }

    /// The pool of a holding has changed.
    pub(super) fn tell(&mut self, holding: (u32, u32)) {
        self.told.push(holding);
    }

    /// Begins a pass from the head of the queue of one side of an instrument.
    pub(super) fn begin(
        &mut self,
        market: &Market,
        shards: &[Box<Shard>],
        side: (InstrumentId, bool),
        decision: u64,
        places: &mut Places,
    ) {
        let rank_by = market.instrument(side.0).spec.adl.rank;
        let renewed = std::mem::replace(&mut self.decision, decision) != decision;
        self.work.clear();
        let mut culled = false;
        if self.rank_by == Some(rank_by) {
            self.take_changes(shards, side.1, places);
            if renewed {
                culled = self.cool_last();
                self.follow_marks(market, shards);
            }
        } else {
            self.rank_by = Some(rank_by);
            self.build(market, shards, side, places);
            culled = true;
        }
        self.bound_work(market, shards);
        if culled {
            self.most_hot = 2 * self.scored.len().max(self.wanted());
        }
        self.next = self.start;
        #[cfg(debug_assertions)]
        self.score_few(market, shards, side);
    }

    #[cfg(debug_assertions)]
    fn score_few(&mut self, market: &Market, shards: &[Box<Shard>], (instrument, long): (InstrumentId, bool)) {
        self.expected.clear();
        if self.members.len() <= FEW {
            for shard in shards {
                shard.collect_queue(market, instrument, long, &mut self.expected);
            }
            self.expected.sort_unstable_by_key(Candidate::rank_key);
            debug_assert_eq!(self.expected.len(), self.members.len(), "somebody is missing: a kernel bug");
        }
    }

    /// Enters everybody.
    fn build(
        &mut self,
        market: &Market,
        shards: &[Box<Shard>],
        (instrument, long): (InstrumentId, bool),
        places: &mut Places,
    ) {
        for &holding in &self.told {
            places.look(holding, long);
        }
        for holding in self.members.holdings() {
            places.set(holding, long, None);
        }
        self.told.clear();
        self.members.clear();
        self.scored.clear();
        self.start = 0;
        // Room for everybody at once, and in powers of two, so that hardly any pass after the first allocates.
        let room = shards.iter().map(|shard| shard.holders(instrument).len()).sum::<usize>().next_power_of_two();
        #[cfg(debug_assertions)]
        self.expected.reserve(2 * FEW);
        self.members.reserve(room);
        self.told.reserve(room);
        self.work.reserve(room);
        self.scored.reserve(room);
        self.fresh.reserve(room);
        for shard in shards {
            for &at in shard.holders(instrument).iter().filter(|&&at| shard.is_on(at, long)) {
                let holding = (shard.number(), at);
                let member = self.members.add(holding);
                places.set(holding, long, Some(member));
                self.work.push(member);
            }
        }
        let mut exited = [0; LEVELS];
        self.levels.follow(market, &mut exited);
        self.reach = 0;
        self.guess_cut(market, shards);
    }

    /// Guesses from a sample of all members where those end who are asked for.
    fn guess_cut(&mut self, market: &Market, shards: &[Box<Shard>]) {
        let all = self.work.len();
        let stride = all.div_ceil(SAMPLE).max(1);
        self.fresh.clear();
        for &member in self.work.iter().step_by(stride) {
            self.fresh.push(score(&self.members, market, shards, member));
        }
        self.fresh.sort_unstable_by_key(|scored| scored.candidate.rank_key());
        let place = (self.fresh.len() * HOT / all.max(1)).max(1);
        self.cut = self.fresh.get(place).or(self.fresh.last()).map(|scored| scored.candidate);
        self.fresh.clear();
    }

    /// Takes in which pools have changed: who has left, who has come, whose score or bound holds no longer.
    fn take_changes(&mut self, shards: &[Box<Shard>], long: bool, places: &mut Places) {
        let mut stale = 0;
        for &holding in &self.told {
            places.look(holding, long);
            let stands = shards[holding.0 as usize].is_on(holding.1, long);
            let Some(member) = places.member(holding, long) else {
                if stands {
                    let member = self.members.add(holding);
                    places.set(holding, long, Some(member));
                    self.work.push(member);
                }
                continue;
            };
            if self.members.standing(member) == Standing::Hot {
                self.members.set_stale(member);
                stale += 1;
            } else {
                self.members.heat(member);
            }
            if stands {
                self.work.push(member);
            } else {
                places.set(holding, long, None);
                self.fresh.push(Scored { candidate: Candidate::default(), member });
            }
        }
        self.told.clear();
        self.drop_stale(stale);
        for gone in self.fresh.drain(..) {
            self.members.remove(gone.member);
        }
        for &member in &self.work {
            self.members.heat(member);
        }
    }

    /// Takes so many out of the order whose scores hold no longer. Most stand near its head: what comes before the last of them
    /// moves up.
    fn drop_stale(&mut self, count: usize) {
        let Self { scored, members, start, .. } = self;
        let is_stale = |scored: &Scored| members.standing(scored.member) == Standing::Stale;
        let (mut end, mut left) = (*start, count);
        while left > 0 {
            left -= usize::from(is_stale(&scored[end]));
            end += 1;
        }
        let mut to = end;
        for from in (*start..end).rev() {
            if !is_stale(&scored[from]) {
                to -= 1;
                scored[to] = scored[from];
            }
        }
        *start = to;
    }

    /// Where far more are hot than passes need, the last are to be bounded. A pass that went far is forgotten in time, and so
    /// is that many could not be bounded.
    fn cool_last(&mut self) -> bool {
        self.scored.drain(..std::mem::take(&mut self.start));
        self.reach -= self.reach.div_ceil(8);
        self.most_hot -= self.most_hot / 64;
        let wanted = self.wanted();
        let too_many = self.scored.len() > self.most_hot.max(2 * wanted);
        if too_many {
            self.work.extend(self.scored.drain(wanted..).map(|scored| scored.member));
        }
        too_many
    }

    /// Marks may have moved: who is hot is scored anew, and whose bound holds no longer is to be bounded anew.
    fn follow_marks(&mut self, market: &Market, shards: &[Box<Shard>]) {
        let mut exited = [0; LEVELS];
        if self.levels.follow(market, &mut exited) {
            self.members.heat_exited(&exited, &mut self.work);
            for Scored { candidate, .. } in &mut self.scored {
                shards[candidate.shard as usize].score_anew(market, candidate);
            }
            self.scored.sort_unstable_by_key(|scored| scored.candidate.rank_key());
        }
        if let Some(last) = self.scored.get(self.wanted() - 1).or(self.scored.last()) {
            self.cut = Some(last.candidate);
        }
    }

    /// How many are better hot: those whom passes reach, and some more.
    fn wanted(&self) -> usize {
        HOT + 2 * self.reach
    }

    /// Bounds the members of `work` anew, or puts them among the hot ones.
    fn bound_work(&mut self, market: &Market, shards: &[Box<Shard>]) {
        let work = std::mem::take(&mut self.work);
        self.fresh.clear();
        for batch in work.chunks(BATCH) {
            if batch.len() > 1 {
                self.fetch(shards, batch);
            }
            for &member in batch {
                self.place(market, shards, member);
            }
        }
        self.work = work;
        self.fresh.sort_unstable_by_key(|scored| scored.candidate.rank_key());
        if self.fresh.len() <= self.start {
            self.merge_from_head();
        } else {
            self.merge_from_end(self.start);
        }
    }

    /// Has the records of some members fetched from memory, all at once.
    fn fetch(&self, shards: &[Box<Shard>], batch: &[u32]) {
        let mut at = [(0, 0); BATCH];
        for (at, &member) in at.iter_mut().zip(batch) {
            *at = self.members.place(member);
        }
        fetch::<BATCH>(shards, &at[..batch.len()]);
    }

    /// Bounds a hot member below those who are asked for; where it is too near to them, it stays hot.
    fn place(&mut self, market: &Market, shards: &[Box<Shard>], member: u32) {
        let (shard, holding) = self.members.place(member);
        let bounded = self.cut.and_then(|cut| shards[shard as usize].bound_below(market, holding, &cut, &self.levels));
        match bounded {
            Some(bounded) => {
                debug_assert!(
                    bounded.grade >= score(&self.members, market, shards, member).candidate.grade(),
                    "a score beyond its bound: a kernel bug"
                );
                self.members.cool(member, bounded);
            }
            None => self.fresh.push(score(&self.members, market, shards, member)),
        }
    }

    /// The next candidate by rank, and its rank from 1.
    pub(super) fn next(&mut self, market: &Market, shards: &[Box<Shard>]) -> Option<(Candidate, u32)> {
        let next = loop {
            let best = self.scored.get(self.next).map(|scored| scored.candidate);
            let Some(bound) = self.members.highest_bound() else { break best };
            if best.is_some_and(|best| best.grade() > bound) {
                break best; // a tie goes by account
            }
            self.heat_more(market, shards);
        };
        #[cfg(debug_assertions)]
        if let Some(expected) = self.expected.get(self.next - self.start) {
            debug_assert_eq!(next.map(|next| next.rank_key()), Some(expected.rank_key()), "out of order: a kernel bug");
        }
        let candidate = next?;
        self.next += 1;
        let rank = self.next - self.start;
        self.reach = self.reach.max(rank);
        Some((candidate, rank as u32))
    }

    /// Scores those with the highest bounds, and puts them in order with the others.
    fn heat_more(&mut self, market: &Market, shards: &[Box<Shard>]) {
        self.fresh.clear();
        self.work.clear();
        let wanted = (HOT / 2).max(self.scored.len() / 16);
        while self.work.len() < wanted
            && let Some(member) = self.members.heat_highest()
        {
            self.work.push(member);
        }
        for batch in self.work.chunks(BATCH) {
            self.fetch(shards, batch);
            self.fresh.extend(batch.iter().map(|&member| score(&self.members, market, shards, member)));
        }
        self.fresh.sort_unstable_by_key(|scored| scored.candidate.rank_key());
        self.merge_from_end(self.next);
    }

    /// Merges the fresh candidates with the others, into the room before them.
    fn merge_from_head(&mut self) {
        let Self { scored, fresh, start, .. } = self;
        let (mut to, mut after) = (*start - fresh.len(), *start);
        *start = to;
        for next in fresh.drain(..) {
            while scored.get(after).is_some_and(|other| other.candidate.rank_key() < next.candidate.rank_key()) {
                scored[to] = scored[after];
                (to, after) = (to + 1, after + 1);
            }
            scored[to] = next;
            to += 1;
        }
    }

    /// Merges the fresh candidates with those in order from `from` on. What a pass has gone by stays where it is: it comes
    /// before.
    fn merge_from_end(&mut self, from: usize) {
        let Self { scored, fresh, .. } = self;
        let mut before = scored.len();
        scored.extend_from_slice(fresh);
        let mut to = scored.len();
        while let Some(last) = fresh.last() {
            to -= 1;
            if before > from && scored[before - 1].candidate.rank_key() > last.candidate.rank_key() {
                before -= 1;
                scored[to] = scored[before];
            } else {
                scored[to] = *last;
                fresh.pop();
            }
        }
    }
}

/// The exact score of a member.
fn score(members: &Members, market: &Market, shards: &[Box<Shard>], member: u32) -> Scored {
    let (shard, holding) = members.place(member);
    Scored { candidate: shards[shard as usize].candidate(market, holding), member }
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
