//! Candidates that were scored anew: kept in order in two runs, a long one and a short one that is merged into it when
//! full. Nothing is allocated once there is room for every holder.

use crate::map::Map;
use crate::shard::Candidate;

/// Candidates in the short run.
const SHORT: usize = 128;

/// A candidate as it was scored at one time; if it was scored or left the queue later, this is stale.
#[derive(Clone, Copy, Debug)]
struct Scored {
    candidate: Candidate,
    version: u32,
}

/// The candidates whose pool has changed, in order.
#[derive(Debug, Default)]
pub(super) struct Rescored {
    long: Vec<Scored>,
    short: Vec<Scored>,
    /// Room for a merge.
    spare: Vec<Scored>,
    /// By shard and holding: the last time, counted.
    versions: Map<(u32, u32), u32>,
    next_long: usize,
    next_short: usize,
}

impl Rescored {
    pub(super) fn clear(&mut self) {
        self.long.clear();
        self.short.clear();
        self.spare.clear();
        self.versions.clear();
    }

    /// Makes room for so many, and in powers of two, so that hardly any decision after the first allocates.
    pub(super) fn reserve(&mut self, holders: usize) {
        let holders = holders.next_power_of_two();
        self.long.reserve(holders);
        self.short.reserve(SHORT);
        self.spare.reserve(holders);
        self.versions.reserve(holders);
    }

    /// What was known of a holding holds no longer; if it is still in the queue, this is its new place.
    pub(super) fn put(&mut self, place: (u32, u32), candidate: Option<Candidate>) {
        let version = self.versions.entry(place).or_default();
        *version += 1;
        if let Some(candidate) = candidate {
            let scored = Scored { candidate, version: *version };
            let at = self.short.partition_point(|other| other.candidate.rank_key() < candidate.rank_key());
            self.short.insert(at, scored);
            if self.short.len() == SHORT {
                self.merge();
            }
        }
    }

    /// Begins at the head.
    pub(super) fn rewind(&mut self) {
        (self.next_long, self.next_short) = (0, 0);
    }

    /// The next candidate in order, without going past it.
    pub(super) fn peek(&mut self) -> Option<Candidate> {
        self.next_long = self.living(&self.long, self.next_long);
        self.next_short = self.living(&self.short, self.next_short);
        let (long, short) = (self.long.get(self.next_long), self.short.get(self.next_short));
        [long, short].into_iter().flatten().map(|scored| scored.candidate).min_by_key(Candidate::rank_key)
    }

    /// Goes past the candidate that was seen last.
    pub(super) fn advance(&mut self, seen: &Candidate) {
        let is_seen =
            |scored: Option<&Scored>| scored.is_some_and(|scored| scored.candidate.rank_key() == seen.rank_key());
        if is_seen(self.long.get(self.next_long)) {
            self.next_long += 1;
        } else if is_seen(self.short.get(self.next_short)) {
            self.next_short += 1;
        }
    }

    fn is_living(&self, scored: &Scored) -> bool {
        self.versions.get(&(scored.candidate.shard, scored.candidate.holding)) == Some(&scored.version)
    }

    fn living(&self, run: &[Scored], from: usize) -> usize {
        run[from..].iter().position(|scored| self.is_living(scored)).map_or(run.len(), |ahead| from + ahead)
    }

    /// The short run goes into the long one, and what is stale goes.
    fn merge(&mut self) {
        let mut spare = std::mem::take(&mut self.spare);
        spare.clear();
        let (mut long, mut short) = (self.long.iter().peekable(), self.short.iter().peekable());
        loop {
            let take_long = match (long.peek(), short.peek()) {
                (Some(a), Some(b)) => a.candidate.rank_key() <= b.candidate.rank_key(),
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => break,
            };
            let next = if take_long { long.next() } else { short.next() };
            spare.extend(next.filter(|scored| self.is_living(scored)).copied());
        }
        self.spare = std::mem::replace(&mut self.long, spare);
        self.short.clear();
    }
}
