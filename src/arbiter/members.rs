//! Who stands on one side of an instrument, and the most that each one's score can be.
//!
//! A member is *hot*: scored anew at each decision; or *cold*: it has a bound of its score, which holds while the marks of all
//! instruments of its pool stay in the ranges of its level ([`MarkLevels`]) and nothing else of the pool changes. Bounds lie
//! in a heap, highest first; the members of a level in a list, so that they are found when a mark leaves its range.
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
    Hot,
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
    /// Of its bound: one of an earlier version holds no longer.
    version: u32,
    previous: u32,
    next: u32,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Bound {
    grade: Grade,
    member: u32,
    version: u32,
}

/// The members of a queue.
#[derive(Debug)]
pub(super) struct Members {
    records: Vec<Member>,
    free: Vec<u32>,
    bounds: BinaryHeap<Bound>,
    /// By level: the first of its members.
    heads: [u32; LEVELS],
    cold: usize,
}

impl Default for Members {
    fn default() -> Self {
        Self { records: Vec::new(), free: Vec::new(), bounds: BinaryHeap::new(), heads: [END; LEVELS], cold: 0 }
    }
}

impl Members {
    /// Makes room for so many in all.
    pub(super) fn reserve(&mut self, members: usize) {
        self.records.reserve(members.saturating_sub(self.records.len()));
        self.free.reserve(members.saturating_sub(self.free.len()));
        self.bounds.reserve((2 * members + SLACK + 1).saturating_sub(self.bounds.len()));
    }

    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.free.clear();
        self.bounds.clear();
        (self.heads, self.cold) = ([END; LEVELS], 0);
    }

    /// How many there are.
    #[cfg(debug_assertions)]
    pub(super) fn len(&self) -> usize {
        self.records.len() - self.free.len()
    }

    /// Adds a holding of a shard; it is hot.
    pub(super) fn add(&mut self, (shard, holding): (u32, u32)) -> u32 {
        let new = Member { holds: 0, shard, holding, version: 0, previous: END, next: END, standing: Standing::Hot };
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
        self.heat(at);
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

    /// A member is hot from now on; if it had a bound, it has none any more.
    pub(super) fn heat(&mut self, at: u32) {
        let Member { previous, next, standing, .. } = self.records[at as usize];
        if let Standing::Cold(level) = standing {
            match previous {
                END => self.heads[usize::from(level)] = next,
                previous => self.records[previous as usize].next = next,
            }
            if next != END {
                self.records[next as usize].previous = previous;
            }
            self.records[at as usize].version = self.records[at as usize].version.wrapping_add(1);
            self.cold -= 1;
        }
        self.records[at as usize].standing = Standing::Hot;
    }

    /// A member is cold from now on, and bounded within a level.
    pub(super) fn cool(&mut self, at: u32, Bounded { level, holds, grade }: Bounded) {
        debug_assert!(!matches!(self.standing(at), Standing::Cold(_)), "bounded twice: a kernel bug");
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

    /// The highest bound, in order.
    pub(super) fn highest_bound(&mut self) -> Option<Grade> {
        loop {
            let bound = self.bounds.peek()?;
            if is_living(&self.records, bound) {
                return Some(bound.grade);
            }
            self.bounds.pop();
        }
    }

    /// Heats the member with the highest bound.
    pub(super) fn heat_highest(&mut self) -> Option<u32> {
        self.highest_bound()?;
        let at = self.bounds.pop()?.member;
        self.heat(at);
        Some(at)
    }

    /// Heats those whose bounds hold no longer: of each level who holds any of the instruments whose marks have left their
    /// ranges.
    pub(super) fn heat_exited(&mut self, exited: &[u64; LEVELS], heated: &mut Vec<u32>) {
        for (level, &exited) in exited.iter().enumerate().filter(|(_, exited)| **exited != 0) {
            let mut at = self.heads[level];
            while at != END {
                let Member { next, holds, .. } = self.records[at as usize];
                if holds & exited != 0 {
                    self.heat(at);
                    heated.push(at);
                }
                at = next;
            }
        }
    }
}

fn is_living(records: &[Member], bound: &Bound) -> bool {
    let member = &records[bound.member as usize];
    member.version == bound.version && matches!(member.standing, Standing::Cold(_))
}
