//! Who stands on one side of an instrument, and the most that each one's score can be.
//!
//! A member is *hot*: estimated anew whenever marks have moved; or *cold*: it has a bound of its score, which holds while the
//! marks of all instruments of its pool stay in the ranges of its level ([`MarkLevels`]) and nothing else of the pool changes; or it
//! loses until its mark goes beyond an edge.
//! Estimates and bounds lie in a heap each, highest first; the members of a level in a list ([`LevelLists`]), so that they are
//! found when a mark leaves its range.
//!
//! [`MarkLevels`]: crate::shard::MarkLevels

use super::level_lists::{Entry, LevelLists};
use crate::shard::{Behind, Bits, Bounded, Edge, Grade, LEVELS, Ranked};
use std::collections::BinaryHeap;

/// The level that a bound is looked for from, of whom nothing is known yet.
const MIDDLE: u8 = LEVELS as u8 / 2;

/// No score of a position that loses is of a higher grade.
const HIGHEST_LOSS: Grade = 0;

/// The heap is cleared of bounds that hold no longer when they outnumber the others, and so many more.
const SLACK: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// A record that is free.
    Free,
    /// Neither estimated nor bounded: it is about to be.
    Loose,
    /// Estimated.
    Hot,
    /// Hot, and scored exactly.
    Scored,
    /// Hot, but what was scored of it holds no longer.
    Stale,
    /// Bounded within this level.
    Cold(u8),
    /// Cold, because it loses.
    Losing,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    of: Ranked,
    /// Of its estimate or bound: one of an earlier version holds no longer.
    version: u32,
    /// Its place in the list of its level, while it is cold.
    at: u32,
    /// That it was bounded within last.
    level: u8,
    standing: Standing,
}

/// What a member's score does not exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bound {
    pub(super) grade: Grade,
    pub(super) member: u32,
    version: u32,
}

/// A member that loses until its mark goes beyond an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct AtEdge {
    edge: Edge,
    member: u32,
    version: u32,
}

/// The highest of all bounds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Highest {
    /// An estimate at the present marks.
    Estimate(Grade),
    /// A bound within ranges of the marks.
    Bound(Grade),
}

/// The members of a queue.
#[derive(Debug, Default)]
pub(super) struct Members {
    records: Vec<Member>,
    free: Vec<u32>,
    /// Of the hot ones.
    estimates: BinaryHeap<Bound>,
    hot: usize,
    /// Of the cold ones.
    bounds: BinaryHeap<Bound>,
    by_level: LevelLists,
    cold: usize,
    /// Of those who lose: the one whose mark comes first to where it may gain.
    edges: BinaryHeap<AtEdge>,
    losing: usize,
}

impl Members {
    /// Makes room for so many in all.
    pub(super) fn reserve(&mut self, members: usize) {
        self.records.reserve(members.saturating_sub(self.records.len()));
        self.free.reserve(members.saturating_sub(self.free.len()));
        self.estimates.reserve((2 * members + SLACK + 1).saturating_sub(self.estimates.len()));
        self.by_level.reserve(members);
        self.edges.reserve((2 * members + SLACK + 1).saturating_sub(self.edges.len()));
        self.bounds.reserve((2 * members + SLACK + 1).saturating_sub(self.bounds.len()));
    }

    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.free.clear();
        self.estimates.clear();
        self.bounds.clear();
        self.by_level.clear();
        self.edges.clear();
        (self.cold, self.losing, self.hot) = (0, 0, 0);
    }

    /// How many there are.
    #[cfg(debug_assertions)]
    pub(super) fn len(&self) -> usize {
        self.records.len() - self.free.len()
    }

    /// Adds a position.
    pub(super) fn add(&mut self, of: Ranked) -> u32 {
        let new = Member { of, version: 0, at: 0, level: MIDDLE, standing: Standing::Loose };
        if let Some(at) = self.free.pop() {
            let version = self.records[at as usize].version;
            self.records[at as usize] = Member { version, ..new };
            at
        } else {
            self.records.push(new);
            self.records.len() as u32 - 1
        }
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, at: u32) {
        self.loosen(at);
        self.records[at as usize].standing = Standing::Free;
        self.free.push(at);
    }

    /// The shards and holdings of all.
    pub(super) fn holdings(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let living = self.records.iter().filter(|member| member.standing != Standing::Free);
        living.map(|member| (member.of.shard, member.of.holding))
    }

    /// The position of a member.
    #[inline]
    pub(super) fn ranked(&self, at: u32) -> Ranked {
        self.records[at as usize].of
    }

    /// A member's position is in another pool, maybe.
    pub(super) fn set_ranked(&mut self, at: u32, of: Ranked) {
        self.records[at as usize].of = of;
    }

    /// The level that it was bounded within last.
    #[inline]
    pub(super) fn level(&self, at: u32) -> u8 {
        self.records[at as usize].level
    }

    pub(super) fn standing(&self, at: u32) -> Standing {
        self.records[at as usize].standing
    }

    /// What was scored of a hot one holds no longer.
    pub(super) fn set_stale(&mut self, at: u32) {
        self.records[at as usize].standing = Standing::Stale;
    }

    /// How many are hot and not scored.
    pub(super) fn hot(&self) -> usize {
        self.hot
    }

    /// A member has neither estimate nor bound from now on.
    pub(super) fn loosen(&mut self, at: u32) {
        match self.standing(at) {
            Standing::Cold(level) => {
                let place = self.records[at as usize].at;
                let moved = self.by_level.remove(level, place);
                self.records[moved as usize].at = place;
                self.cold -= 1;
            }
            Standing::Losing => self.losing -= 1,
            Standing::Hot => self.hot -= 1,
            Standing::Free | Standing::Loose | Standing::Scored | Standing::Stale => {}
        }
        let member = &mut self.records[at as usize];
        member.version = member.version.wrapping_add(1);
        member.standing = Standing::Loose;
    }

    /// A loose member is hot from now on, and estimated.
    pub(super) fn heat(&mut self, at: u32, grade: Grade) {
        debug_assert_eq!(self.standing(at), Standing::Loose, "estimated twice: a kernel bug");
        let member = &mut self.records[at as usize];
        member.standing = Standing::Hot;
        let bound = Bound { grade, member: at, version: member.version };
        self.hot += 1;
        if self.estimates.len() > 2 * self.hot + SLACK {
            let records = &self.records;
            self.estimates.retain(|bound| is_living(records, bound));
        }
        self.estimates.push(bound);
    }

    /// The hot member with the highest estimate is scored from now on.
    pub(super) fn score_highest(&mut self) -> Option<Bound> {
        let bound = highest(&mut self.estimates, &self.records)?;
        self.estimates.pop();
        self.records[bound.member as usize].standing = Standing::Scored;
        self.hot -= 1;
        Some(bound)
    }

    /// Hands out all estimates to be made anew, with those that are scored, in no order.
    pub(super) fn take_estimates(&mut self, scored: impl Iterator<Item = u32>) -> Vec<Bound> {
        let mut estimates = std::mem::take(&mut self.estimates).into_vec();
        let records = &mut self.records;
        estimates.retain(|bound| is_living(records, bound));
        estimates.extend(scored.map(|member| {
            let record = &mut records[member as usize];
            record.standing = Standing::Hot;
            Bound { grade: 0, member, version: record.version }
        }));
        self.hot = estimates.len();
        estimates
    }

    /// Takes estimates back.
    pub(super) fn put_estimates(&mut self, estimates: Vec<Bound>) {
        self.estimates = BinaryHeap::from(estimates);
    }

    /// A member that is loose, or cold, is cold from now on.
    pub(super) fn cool(&mut self, at: u32, behind: Behind) {
        match behind {
            Behind::Bounded(bounded) => self.cool_within(at, bounded),
            Behind::Losing(edge) => self.cool_losing(at, edge),
        }
    }

    /// A member is bounded within a level. A bound that was at least as high, of the same level, stays.
    fn cool_within(&mut self, at: u32, Bounded { level, holds, grade }: Bounded) {
        if self.standing(at) == Standing::Cold(level) {
            let entry = self.by_level.entry(self.records[at as usize].at);
            entry.holds = holds;
            if grade <= entry.grade {
                return;
            }
            entry.grade = grade;
            let member = &mut self.records[at as usize];
            member.version = member.version.wrapping_add(1);
        } else {
            self.loosen(at);
            let place = self.by_level.push(level, Entry { holds, grade, member: at });
            let member = &mut self.records[at as usize];
            (member.at, member.level, member.standing) = (place, level, Standing::Cold(level));
            self.cold += 1;
        }
        self.put_bound(at, grade);
    }

    /// A member loses until its mark goes beyond an edge.
    fn cool_losing(&mut self, at: u32, edge: Edge) {
        self.loosen(at);
        let member = &mut self.records[at as usize];
        member.standing = Standing::Losing;
        let version = member.version;
        self.losing += 1;
        if self.edges.len() > 2 * self.losing + SLACK {
            let records = &self.records;
            self.edges.retain(|at| records[at.member as usize].version == at.version);
        }
        self.edges.push(AtEdge { edge, member: at, version });
        self.put_bound(at, HIGHEST_LOSS);
    }

    fn put_bound(&mut self, at: u32, grade: Grade) {
        if self.bounds.len() > 2 * (self.cold + self.losing) + SLACK {
            let records = &self.records;
            self.bounds.retain(|bound| is_living(records, bound));
        }
        self.bounds.push(Bound { grade, member: at, version: self.records[at as usize].version });
    }

    /// The highest of all estimates and bounds.
    pub(super) fn highest(&mut self) -> Option<Highest> {
        let estimate = highest(&mut self.estimates, &self.records).map(|bound| bound.grade);
        let bound = highest(&mut self.bounds, &self.records).map(|bound| bound.grade);
        match (estimate, bound) {
            (Some(estimate), bound) if bound.is_none_or(|bound| bound <= estimate) => Some(Highest::Estimate(estimate)),
            (_, bound) => bound.map(Highest::Bound),
        }
    }

    /// Loosens the member with the highest bound.
    pub(super) fn loosen_highest(&mut self) -> Option<u32> {
        let at = highest(&mut self.bounds, &self.records)?.member;
        self.bounds.pop();
        self.loosen(at);
        Some(at)
    }

    /// Tells who may have begun to gain, since its mark is here now.
    pub(super) fn collect_gaining(&mut self, mark: Edge, members: &mut Vec<u32>) {
        while let Some(&first) = self.edges.peek()
            && first.edge > mark
        {
            self.edges.pop();
            if self.records[first.member as usize].version == first.version {
                self.loosen(first.member);
                members.push(first.member);
            }
        }
    }

    /// Tells who must be bounded anew: of each level who depends on any of the instruments whose marks have left their ranges.
    pub(super) fn collect_exited(&self, exited: &[Bits; LEVELS], members: &mut Vec<u32>) {
        for (level, &exited) in exited.iter().enumerate().filter(|(_, exited)| **exited != 0) {
            let depends = |entry: &&Entry| entry.holds & exited != 0;
            members.extend(self.by_level.of(level).filter(depends).map(|entry| entry.member));
        }
    }
}

/// The highest that still holds.
fn highest(bounds: &mut BinaryHeap<Bound>, records: &[Member]) -> Option<Bound> {
    loop {
        let bound = *bounds.peek()?;
        if is_living(records, &bound) {
            return Some(bound);
        }
        bounds.pop();
    }
}

/// Whoever changes its standing gets another version, but for who is scored: its estimate is taken out.
fn is_living(records: &[Member], bound: &Bound) -> bool {
    records[bound.member as usize].version == bound.version
}
