//! The queue of deleveraging: one side of an instrument, ranked as far as it is asked.
//!
//! To score everybody costs milliseconds, and a crash asks for every bankrupt pool. So of most members a queue knows only the
//! most that their score can be ([`Members`]), each within ranges of the marks as wide as keep it well below those who are
//! asked: who is far from the head is looked at again only when marks have gone far; and who loses, not before its own mark has come to where it may
//! gain. The few near the head are hot: estimated
//! anew whenever marks have moved. Whoever is asked for the next in rank takes the best of those that are scored exactly while
//! it is above all estimates and bounds, and else scores the one with the highest estimate, or heats those with the highest
//! bounds. While marks stand still, scores stay from claim to claim, but for pools that have changed.
//!
//! None of this shows: the order is that of the exact scores as of the beginning of a pass.

use super::members::{Bound, Highest, Members, Standing};
use super::queues::Places;
use crate::market::{InstrumentId, Market};
use crate::shard::{
    Behind, Candidate, Edge, Grade, LEVELS, MarkLevels, Portfolios, Ranked, Ranking, Shard, is_profitable,
};

/// How many are better hot, at least. Few where the order is checked, so that tests with few accounts go by the bounds too.
const HOT: usize = if cfg!(debug_assertions) { 2 } else { 16 };

/// So many scores are looked at to guess which ones will be asked for first.
const SAMPLE: usize = 2_048;

/// What is scored at once, so that the memory for one is fetched while another is computed.
const BATCH: usize = 16;

/// Queues of so many are checked in builds with debug assertions.
#[cfg(debug_assertions)]
const FEW: usize = 64;

/// All that is ranked.
#[derive(Debug)]
pub(super) struct World<'a> {
    pub(super) market: &'a Market,
    pub(super) shards: &'a [Box<Shard>],
    pub(super) portfolios: &'a mut Portfolios,
}

impl World<'_> {
    /// A position, to be ranked.
    fn rank(&self, (shard, holding): (u32, u32)) -> Ranked {
        self.shards[shard as usize].ranked(holding)
    }

    /// Has the portfolio of a position at hand.
    fn ensure(&mut self, of: Ranked) {
        self.portfolios.ensure(self.market, &self.shards[of.shard as usize], of.pool);
    }
}

/// A member, as it was scored.
#[derive(Clone, Copy, Debug)]
struct Scored {
    candidate: Candidate,
    member: u32,
}

/// A queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// By what it ranks; none: nobody has asked yet.
    ranking: Option<Ranking>,
    levels: MarkLevels,
    /// Its side.
    long: bool,
    members: Members,
    /// The decision of the last pass, from 1.
    decision: u64,
    /// Who was scored since marks have moved last, in order, from `start` on: those at the head change with every claim, and go
    /// without moving the others.
    scored: Vec<Scored>,
    start: usize,
    /// Where the pass goes on.
    next: usize,
    /// How far passes went lately.
    reach: usize,
    /// Where there are more, some are cooled.
    most_hot: usize,
    /// What cold ones are kept below.
    cut: Option<Grade>,
    /// Holdings whose pools have changed since the last pass.
    told: Vec<(u32, u32)>,
    /// Members to bound anew, to estimate anew, and who have gone; kept for their room.
    work: Vec<u32>,
    changed: Vec<u32>,
    gone: Vec<u32>,
    /// What the pass must give, by scoring everybody, where they are few; empty where they are not.
    #[cfg(debug_assertions)]
    expected: Vec<Candidate>,
}

impl Queue {
    /// Whether it was asked before, and must hear of changes.
    pub(super) fn is_live(&self) -> bool {
        self.ranking.is_some()
    }

    /// The pool of a holding has changed.
    pub(super) fn tell(&mut self, holding: (u32, u32)) {
        self.told.push(holding);
    }

    /// Begins a pass from the head of the queue of one side of an instrument.
    pub(super) fn begin(
        &mut self,
        world: &mut World<'_>,
        side: (InstrumentId, bool),
        decision: u64,
        places: &mut Places,
    ) {
        let ranking = Ranking::of(world.market, side.0);
        let renewed = std::mem::replace(&mut self.decision, decision) != decision;
        self.work.clear();
        let mut culled = false;
        if self.ranking == Some(ranking) {
            self.take_changes(world, ranking, side.1, places);
            if renewed {
                culled = self.follow_marks(world, ranking);
            }
        } else {
            self.ranking = Some(ranking);
            self.build(world, ranking, side, places);
            culled = true;
        }
        self.bound_work(world, ranking);
        if culled {
            self.most_hot = 2 * self.members.hot().max(self.wanted());
        }
        self.next = self.start;
        #[cfg(debug_assertions)]
        self.score_few(world, side);
    }

    #[cfg(debug_assertions)]
    fn score_few(&mut self, world: &World<'_>, (instrument, long): (InstrumentId, bool)) {
        self.expected.clear();
        if self.members.len() <= FEW {
            for shard in world.shards {
                shard.collect_queue(world.market, instrument, long, &mut self.expected);
            }
            self.expected.sort_unstable_by_key(Candidate::rank_key);
            debug_assert_eq!(self.expected.len(), self.members.len(), "somebody is missing: a kernel bug");
        }
    }

    /// Enters everybody.
    fn build(
        &mut self,
        world: &mut World<'_>,
        ranking: Ranking,
        (instrument, long): (InstrumentId, bool),
        places: &mut Places,
    ) {
        let World { market, shards, .. } = *world;
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
        self.changed.reserve(room);
        self.gone.reserve(room);
        self.scored.reserve(room);
        for shard in shards {
            for &at in shard.holders(instrument).iter().filter(|&&at| shard.is_on(at, long)) {
                let holding = (shard.number(), at);
                let member = self.members.add(world.rank(holding));
                places.set(holding, long, Some(member));
                self.work.push(member);
            }
        }
        let mut exited = [0; LEVELS];
        self.levels = MarkLevels::new(instrument);
        self.long = long;
        self.levels.follow(market, &mut exited);
        self.reach = 0;
        self.guess_cut(world, ranking);
    }

    /// Guesses from a sample of all members where those end who are asked for.
    fn guess_cut(&mut self, world: &mut World<'_>, ranking: Ranking) {
        let all = self.work.len();
        let mut sample = [0; SAMPLE];
        let mut count = 0;
        for (grade, &member) in sample.iter_mut().zip(self.work.iter().step_by(all.div_ceil(SAMPLE).max(1))) {
            *grade = self.estimate(world, ranking, member);
            count += 1;
        }
        let place = (count * HOT / all.max(1)).max(1).min(count.saturating_sub(1));
        let cut = || *sample[..count].select_nth_unstable_by(place, |a, b| b.cmp(a)).1;
        self.cut = (count > 0).then(cut);
    }

    /// Takes in which pools have changed: who has left, who has come, whose score or bound holds no longer.
    fn take_changes(&mut self, world: &mut World<'_>, ranking: Ranking, long: bool, places: &mut Places) {
        let mut stale = 0;
        for &holding in &self.told {
            places.look(holding, long);
            let stands = world.shards[holding.0 as usize].is_on(holding.1, long);
            let Some(member) = places.member(holding, long) else {
                if stands {
                    let member = self.members.add(world.rank(holding));
                    places.set(holding, long, Some(member));
                    self.work.push(member);
                }
                continue;
            };
            self.members.set_ranked(member, world.rank(holding));
            let standing = self.members.standing(member);
            if standing == Standing::Scored {
                self.members.set_stale(member);
                stale += 1;
            }
            if !stands {
                places.set(holding, long, None);
                self.gone.push(member);
            } else if matches!(standing, Standing::Cold(_) | Standing::Losing) {
                self.members.loosen(member);
                self.work.push(member);
            } else {
                self.changed.push(member); // near the head it stays there, as a rule
            }
        }
        self.told.clear();
        self.drop_stale(stale);
        for member in self.gone.drain(..) {
            self.members.remove(member);
        }
        while let Some(member) = self.changed.pop() {
            self.members.loosen(member);
            let grade = self.estimate(world, ranking, member);
            self.members.heat(member, grade);
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

    /// Marks may have moved: who is hot is estimated anew, and whose bound holds no longer is to be bounded anew. Where far more
    /// are hot than passes need, the last are to be bounded too. A pass that went far is forgotten in time, and so is that many
    /// could not be bounded.
    fn follow_marks(&mut self, world: &mut World<'_>, ranking: Ranking) -> bool {
        self.reach -= self.reach.div_ceil(8);
        self.most_hot -= self.most_hot / 64;
        let mut exited = [0; LEVELS];
        if !self.levels.follow(world.market, &mut exited) {
            return false;
        }
        let mark = self.levels.now()[self.levels.instrument() as usize].low;
        self.members.collect_gaining(Edge::of(self.long, mark), &mut self.work);
        self.members.collect_exited(&exited, &mut self.work);
        let start = std::mem::take(&mut self.start);
        let mut estimates = self.members.take_estimates(self.scored.drain(..).skip(start).map(|scored| scored.member));
        for batch in estimates.chunks_mut(BATCH) {
            self.fetch(world, batch.iter().map(|bound| bound.member));
            for bound in batch {
                bound.grade = self.estimate(world, ranking, bound.member);
            }
        }
        let wanted = self.wanted();
        let too_many = estimates.len() > self.most_hot.max(2 * wanted);
        if wanted < estimates.len() {
            self.cut = Some(estimates.select_nth_unstable_by(wanted - 1, |a, b| b.cmp(a)).1.grade);
        } else if let Some(last) = estimates.iter().min() {
            self.cut = Some(last.grade);
        }
        let cooled = if too_many { wanted } else { estimates.len() };
        let work = estimates.drain(cooled..).map(|bound| bound.member);
        let from = self.work.len();
        self.work.extend(work);
        self.members.put_estimates(estimates);
        for &member in &self.work[from..] {
            self.members.loosen(member);
        }
        too_many
    }

    /// How many are better hot: those whom passes reach, and some more.
    fn wanted(&self) -> usize {
        HOT + 2 * self.reach
    }

    /// Bounds the members of `work` anew, or heats them.
    fn bound_work(&mut self, world: &mut World<'_>, ranking: Ranking) {
        let work = std::mem::take(&mut self.work);
        for batch in work.chunks(BATCH) {
            if batch.len() > 1 {
                self.fetch(world, batch.iter().copied());
            }
            for &member in batch {
                self.place(world, ranking, member);
            }
        }
        self.work = work;
    }

    /// Has what some members are ranked by fetched from memory, all at once.
    fn fetch(&self, world: &World<'_>, batch: impl ExactSizeIterator<Item = u32>) {
        let mut at = [(0, 0); BATCH];
        let count = batch.len();
        for (at, member) in at.iter_mut().zip(batch) {
            let of = self.members.ranked(member);
            *at = (of.shard, of.pool);
        }
        world.portfolios.fetch::<BATCH>(&at[..count]);
    }

    /// Bounds a member below those who are asked for; where it is too near to them, it is hot.
    fn place(&mut self, world: &mut World<'_>, ranking: Ranking, member: u32) {
        if let Some(behind) = self.cut.and_then(|cut| self.behind(world, ranking, member, cut)) {
            debug_assert!(
                {
                    let is = score(&self.members, world, member).candidate;
                    match behind {
                        Behind::Bounded(bounded) => is.grade() <= bounded.grade,
                        Behind::Losing(_) => !is.profitable,
                    }
                },
                "a score beyond its bound: a kernel bug"
            );
            self.members.cool(member, behind);
        } else {
            self.members.loosen(member);
            let grade = self.estimate(world, ranking, member);
            self.members.heat(member, grade);
        }
    }

    /// Why a member is behind those who are asked for, if it is far enough.
    fn behind(&self, world: &mut World<'_>, ranking: Ranking, member: u32, cut: Grade) -> Option<Behind> {
        let (of, level) = (self.members.ranked(member), self.members.level(member));
        if is_profitable(cut)
            && let Some(edge) = world.shards[of.shard as usize].losing(world.market, of.holding)
        {
            return Some(Behind::Losing(edge));
        }
        world.ensure(of);
        world.portfolios.bound_below(of, cut, level, &self.levels, &ranking).map(Behind::Bounded)
    }

    /// What the score of a member does not exceed at the present marks.
    fn estimate(&self, world: &mut World<'_>, ranking: Ranking, member: u32) -> Grade {
        let of = self.members.ranked(member);
        world.ensure(of);
        let most = world.portfolios.most(of, self.levels.now(), &ranking);
        most.unwrap_or_else(|| score(&self.members, world, member).candidate.grade())
    }

    /// The next candidate by rank, and its rank from 1.
    pub(super) fn next(&mut self, world: &mut World<'_>) -> Option<(Candidate, u32)> {
        let next = loop {
            let best = self.scored.get(self.next).map(|scored| scored.candidate);
            let Some(highest) = self.members.highest() else { break best };
            let (Highest::Estimate(bound) | Highest::Bound(bound)) = highest;
            if best.is_some_and(|best| best.grade() > bound) {
                break best; // a tie goes by account
            }
            match highest {
                Highest::Estimate(_) => self.score_highest(world),
                Highest::Bound(_) => self.heat_more(world),
            }
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

    /// Scores the one with the highest estimate, and puts it in order with the others.
    fn score_highest(&mut self, world: &mut World<'_>) {
        let Some(Bound { grade, member, .. }) = self.members.score_highest() else { return };
        let scored = score(&self.members, world, member);
        debug_assert!(scored.candidate.grade() <= grade, "a score beyond its estimate: a kernel bug");
        let key = scored.candidate.rank_key();
        // What the pass has gone by comes before.
        let at = self.next + self.scored[self.next..].partition_point(|other| other.candidate.rank_key() < key);
        if self.start > 0 && at - self.start < self.scored.len() - at {
            self.scored.copy_within(self.start..at, self.start - 1);
            self.scored[at - 1] = scored;
            self.start -= 1;
            self.next -= 1;
        } else {
            self.scored.insert(at, scored);
        }
    }

    /// Estimates those with the highest bounds: ever more, the further a pass goes.
    fn heat_more(&mut self, world: &mut World<'_>) {
        let Some(ranking) = self.ranking else { return };
        self.work.clear();
        let wanted = (HOT / 2).max((self.next - self.start) / 2);
        while self.work.len() < wanted
            && let Some(member) = self.members.loosen_highest()
        {
            self.work.push(member);
        }
        let work = std::mem::take(&mut self.work);
        for batch in work.chunks(BATCH) {
            self.fetch(world, batch.iter().copied());
            for &member in batch {
                let grade = self.estimate(world, ranking, member);
                self.members.heat(member, grade);
            }
        }
        self.work = work;
    }
}

/// The exact score of a member.
fn score(members: &Members, world: &World<'_>, member: u32) -> Scored {
    let of = members.ranked(member);
    Scored { candidate: world.shards[of.shard as usize].candidate(world.market, of.holding), member }
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
