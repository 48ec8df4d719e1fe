//! Who stands on one side of an instrument, and the most that each one's score can be.
//!
//! A member is *hot*: estimated anew whenever marks have moved; or *cold*: it has a bound of its score, which holds while the
//! marks of all instruments of its pool stay in the ranges of its level ([`MarkLevels`]) and nothing else of the pool changes.
//! Estimates and bounds lie in a heap each, highest first; the members of a level in a list, so that they are found when a
//! mark leaves its range.
//!
//! [`MarkLevels`]: crate::shard::MarkLevels

use crate::shard::{Bounded, Grade, LEVELS};
use std::collections::BinaryHeap;

/// The end of a list.
const END: u32 = u32::MAX;

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
}

#[derive(Clone, Copy, Debug)]
struct Member {
    /// The bits of the instruments of its pool.
    holds: u64,
    shard: u32,
    holding: u32,
    /// Of its estimate or bound: one of an earlier version holds no longer.
    version: u32,
    previous: u32,
    next: u32,
    standing: Standing,
}

/// What a member's score does not exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bound {
    pub(super) grade: Grade,
    pub(super) member: u32,
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
#[derive(Debug)]
pub(super) struct Members {
    records: Vec<Member>,
    free: Vec<u32>,
    /// Of the hot ones.
    estimates: BinaryHeap<Bound>,
    hot: usize,
    /// Of the cold ones.
    bounds: BinaryHeap<Bound>,
    /// By level: the first of its members.
    heads: [u32; LEVELS],
    cold: usize,
}

impl Default for Members {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            free: Vec::new(),
            estimates: BinaryHeap::new(),
            hot: 0,
            bounds: BinaryHeap::new(),
            heads: [END; LEVELS],
            cold: 0,
        }
    }
}

impl Members {
    /// Makes room for so many in all.
    pub(super) fn reserve(&mut self, members: usize) {
        self.records.reserve(members.saturating_sub(self.records.len()));
        self.free.reserve(members.saturating_sub(self.free.len()));
        self.estimates.reserve((2 * members + SLACK + 1).saturating_sub(self.estimates.len()));
        self.bounds.reserve((2 * members + SLACK + 1).saturating_sub(self.bounds.len()));
    }

    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.free.clear();
        self.estimates.clear();
        self.bounds.clear();
        (self.heads, self.cold, self.hot) = ([END; LEVELS], 0, 0);
    }

    /// How many there are.
    #[cfg(debug_assertions)]
    pub(super) fn len(&self) -> usize {
        self.records.len() - self.free.len()
    }

    /// Adds a holding of a shard.
    pub(super) fn add(&mut self, (shard, holding): (u32, u32)) -> u32 {
        let new = Member { holds: 0, shard, holding, version: 0, previous: END, next: END, standing: Standing::Loose };
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
        living.map(|member| (member.shard, member.holding))
    }

    /// The shard and the holding of a member.
    pub(super) fn place(&self, at: u32) -> (u32, u32) {
        let member = &self.records[at as usize];
        (member.shard, member.holding)
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
        let Member { previous, next, standing, .. } = self.records[at as usize];
        match standing {
            Standing::Cold(level) => {
                match previous {
                    END => self.heads[usize::from(level)] = next,
                    previous => self.records[previous as usize].next = next,
                }
                if next != END {
                    self.records[next as usize].previous = previous;
                }
                self.cold -= 1;
            }
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

    /// A loose member is cold from now on, and bounded within a level.
    pub(super) fn cool(&mut self, at: u32, Bounded { level, holds, grade }: Bounded) {
        debug_assert_eq!(self.standing(at), Standing::Loose, "bounded twice: a kernel bug");
        let first = std::mem::replace(&mut self.heads[usize::from(level)], at);
        if first != END {
            self.records[first as usize].previous = at;
        }
        let member = &mut self.records[at as usize];
        (member.previous, member.next) = (END, first);
        (member.holds, member.standing) = (holds, Standing::Cold(level));
        self.cold += 1;
        if self.bounds.len() > 2 * self.cold + SLACK {
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

    /// Loosens those whose bounds hold no longer: of each level who holds any of the instruments whose marks have left their
    /// ranges.
    pub(super) fn loosen_exited(&mut self, exited: &[u64; LEVELS], loosened: &mut Vec<u32>) {
        for (level, &exited) in exited.iter().enumerate().filter(|(_, exited)| **exited != 0) {
            let mut at = self.heads[level];
            while at != END {
                let Member { next, holds, .. } = self.records[at as usize];
                if holds & exited != 0 {
                    self.loosen(at);
                    loosened.push(at);
                }
                at = next;
            }
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
