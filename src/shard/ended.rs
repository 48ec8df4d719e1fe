//! Orders that stand no longer, though the venue may have filled more of them: by account, in the order in which they ended.

use super::memory::room;
use super::store::NONE;
use crate::command::Side;
use crate::map::Map;
use crate::number::{Price, Quantity};
use std::ops::{Index, IndexMut};

/// How many orders that ended with lots to fill are remembered of an account, and of an inventory.
pub(crate) const ENDED_KEPT: usize = 16;

/// An order that stands no longer, though the venue may have filled more of it.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Ended {
    pub(super) nth: u32,
    pub(super) holding: u32,
    pub(super) side: Side,
    pub(super) limit: Price,
    /// What the venue can still have filled.
    pub(super) open: Quantity,
    /// Whether somebody else has taken the unfilled lots over.
    pub(super) claimed: bool,
}

/// A record, used or free.
#[derive(Debug)]
struct Link {
    order: Ended,
    /// Of the same account, ended next; or the next free one.
    next: u32,
}

/// An account's.
#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
    length: usize,
}

/// Lists through one store: what is removed is used anew, and nothing is allocated as long as the room suffices.
#[derive(Debug)]
pub(super) struct EndedOrders {
    links: Vec<Link>,
    free: u32,
    lists: Map<u32, List>,
}

impl EndedOrders {
    /// Bytes, with the spare room.
    pub(super) fn room(&self) -> usize {
        room(&self.links) + self.lists.capacity() * (size_of::<(u32, List)>() + 1)
    }

    /// Room for so many accounts with an order each.
    pub(super) fn with_capacity(accounts: usize) -> Self {
        let mut lists = Map::default();
        lists.reserve(accounts);
        Self { links: Vec::with_capacity(accounts), free: NONE, lists }
    }

    /// Where an order of an account is.
    pub(super) fn find(&self, account: u32, nth: u32) -> Option<u32> {
        let first = self.lists.get(&account).map_or(NONE, |list| list.first);
        self.from(first).find(|&at| self[at].nth == nth)
    }

    /// Those of an account, ended first first.
    #[cfg(feature = "journal")]
    pub(super) fn of(&self, account: u32) -> impl Iterator<Item = &Ended> {
        let first = self.lists.get(&account).map_or(NONE, |list| list.first);
        self.from(first).map(|at| &self[at])
    }

    fn from(&self, first: u32) -> impl Iterator<Item = u32> {
        let exists = |at: u32| (at != NONE).then_some(at);
        std::iter::successors(exists(first), move |&at| exists(self.links[at as usize].next))
    }

    /// Adds an order that ended last, and forgets the one that ended first if there are too many.
    pub(super) fn push(&mut self, account: u32, order: Ended) {
        if let Some(&List { first, length: ENDED_KEPT, .. }) = self.lists.get(&account) {
            self.remove(account, first);
        }
        let link = Link { order, next: NONE };
        let at = if self.free == NONE {
            self.links.push(link);
            self.links.len() as u32 - 1
        } else {
            let at = self.free;
            self.free = std::mem::replace(&mut self.links[at as usize], link).next;
            at
        };
        let list = self.lists.entry(account).or_insert(List { first: NONE, last: NONE, length: 0 });
        if list.first == NONE {
            list.first = at;
        } else {
            self.links[list.last as usize].next = at;
        }
        list.last = at;
        list.length += 1;
    }

    /// Forgets an order of an account.
    pub(super) fn remove(&mut self, account: u32, at: u32) {
        let Some(mut list) = self.lists.get(&account).copied() else { return };
        let next = self.links[at as usize].next;
        let before = self.from(list.first).find(|&before| self.links[before as usize].next == at);
        match before {
            Some(before) => self.links[before as usize].next = next,
            None => list.first = next,
        }
        if list.last == at {
            list.last = before.unwrap_or(NONE);
        }
        list.length -= 1;
        self.lists.insert(account, list);
        self.links[at as usize].next = self.free;
        self.free = at;
    }
}

impl Index<u32> for EndedOrders {
    type Output = Ended;

    fn index(&self, at: u32) -> &Ended {
        &self.links[at as usize].order
    }
}

impl IndexMut<u32> for EndedOrders {
    fn index_mut(&mut self, at: u32) -> &mut Ended {
        &mut self.links[at as usize].order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, VecDeque};

    fn order(nth: u32) -> Ended {
        Ended { nth, holding: nth, side: Side::Buy, limit: 1, open: 1, claimed: false }
    }

    #[test]
    fn the_lists_are_what_queues_of_bounded_length_are() {
        let (mut orders, mut plain) = (EndedOrders::with_capacity(3), BTreeMap::<u32, VecDeque<u32>>::new());
        let mut state = 1u32;
        for nth in 0..5_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let account = (state >> 28) % 3;
            let queue = plain.entry(account).or_default();
            orders.push(account, order(nth));
            if queue.len() == ENDED_KEPT {
                queue.pop_front();
            }
            queue.push_back(nth);
            if (state >> 20).is_multiple_of(3) {
                let gone = queue.remove((state >> 8) as usize % queue.len()).expect("within");
                let at = orders.find(account, gone).expect("it is there");
                orders.remove(account, at);
            }
            for (&account, queue) in &plain {
                let first = orders.lists[&account].first;
                let kept: Vec<u32> = orders.from(first).map(|at| orders[at].nth).collect();
                assert_eq!(kept, queue.iter().copied().collect::<Vec<_>>());
                assert_eq!(orders.lists[&account].length, kept.len());
            }
        }
        assert!(orders.links.len() <= 3 * ENDED_KEPT, "freed records are used anew");
    }
}
