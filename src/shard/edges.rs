//! The edges of one instrument on one side, nearest to the mark first: an indexed 4-ary heap.
//!
//! A tick looks at the nearest edge and is done. Moving an edge costs a few comparisons of neighbouring keys.

use super::memory::room;

const ARITY: usize = 4;

/// A heap grows by a part of its size: one in eight, since there are two for each instrument.
const SPARE_DIVISOR: usize = 8;

/// No place in the heap.
pub(super) const ABSENT: u32 = u32::MAX;

/// Where each holding stands in the heap of its instrument: one column for all heaps of a side.
pub(super) type Places = Vec<u32>;

/// A heap of (key, holding), smallest key first.
#[derive(Debug, Default)]
pub(super) struct Edges {
    keys: Vec<i64>,
    holdings: Vec<u32>,
}

impl Edges {
    /// Makes room for `holdings` in all, so that no tick has to.
    pub(super) fn reserve(&mut self, holdings: usize) {
        if self.keys.capacity() < holdings {
            let more = holdings + holdings / SPARE_DIVISOR + 8 - self.keys.len();
            self.keys.reserve_exact(more);
            self.holdings.reserve_exact(more);
        }
    }

    /// Bytes, with the spare room.
    pub(super) fn room(&self) -> usize {
        room(&self.keys) + room(&self.holdings)
    }

    /// Adds every holding whose key is below `key` to `found`; all stay where they are. Looks at one key if there is none, and
    /// else at those found and their children.
    #[inline]
    pub(super) fn below(&self, key: i64, found: &mut Vec<u32>) {
        if self.keys.first().is_some_and(|&first| first < key) {
            self.add_below(key, found);
        }
    }

    /// First as places, whose children are looked at in turn, then as holdings.
    fn add_below(&self, key: i64, found: &mut Vec<u32>) {
        let from = found.len();
        found.push(0);
        let mut at = from;
        while let Some(&place) = found.get(at) {
            let first = place as usize * ARITY + 1;
            let children = first..(first + ARITY).min(self.keys.len());
            found.extend(children.filter(|&child| self.keys[child] < key).map(|child| child as u32));
            at += 1;
        }
        for place in &mut found[from..] {
            *place = self.holdings[*place as usize];
        }
    }

    /// The holding with the smallest key.
    #[cfg(test)]
    fn nearest(&self) -> Option<u32> {
        self.holdings.first().copied()
    }

    /// The key of a holding.
    pub(super) fn key(&self, places: &Places, holding: u32) -> Option<i64> {
        match places[holding as usize] {
            ABSENT => None,
            place => Some(self.keys[place as usize]),
        }
    }

    /// Inserts a holding, or moves it to another key.
    pub(super) fn set(&mut self, places: &mut Places, holding: u32, key: i64) {
        let place = places[holding as usize];
        if place == ABSENT {
            self.keys.push(key);
            self.holdings.push(holding);
            self.rise(places, self.keys.len() - 1);
            return;
        }
        let place = place as usize;
        let before = std::mem::replace(&mut self.keys[place], key);
        if key < before {
            self.rise(places, place);
        } else {
            self.sink(places, place);
        }
    }

    /// Sets the key of a holding, or takes it out; whether that did anything.
    pub(super) fn put_at(&mut self, places: &mut Places, holding: u32, key: Option<i64>) -> bool {
        match key {
            Some(key) => {
                self.set(places, holding, key);
                true
            }
            None => self.remove(places, holding),
        }
    }

    /// Takes a holding out, if it is there; whether it was.
    pub(super) fn remove(&mut self, places: &mut Places, holding: u32) -> bool {
        let place = places[holding as usize];
        if place == ABSENT {
            return false;
        }
        places[holding as usize] = ABSENT;
        let place = place as usize;
        self.keys.swap_remove(place);
        self.holdings.swap_remove(place);
        if place < self.keys.len() {
            self.rise(places, place);
            self.sink(places, places[self.holdings[place] as usize] as usize);
        }
        true
    }

    fn rise(&mut self, places: &mut Places, mut place: usize) {
        let (key, holding) = (self.keys[place], self.holdings[place]);
        while place > 0 {
            let parent = (place - 1) / ARITY;
            if self.keys[parent] <= key {
                break;
            }
            self.put(places, place, self.keys[parent], self.holdings[parent]);
            place = parent;
        }
        self.put(places, place, key, holding);
    }

    fn sink(&mut self, places: &mut Places, mut place: usize) {
        let (key, holding) = (self.keys[place], self.holdings[place]);
        loop {
            let first = place * ARITY + 1;
            let children = first..(first + ARITY).min(self.keys.len());
            let Some(least) = children.min_by_key(|&child| self.keys[child]) else { break };
            if self.keys[least] >= key {
                break;
            }
            self.put(places, place, self.keys[least], self.holdings[least]);
            place = least;
        }
        self.put(places, place, key, holding);
    }

    fn put(&mut self, places: &mut Places, place: usize, key: i64, holding: u32) {
        self.keys[place] = key;
        self.holdings[place] = holding;
        places[holding as usize] = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn behaves_as_an_ordered_set() {
        const HOLDINGS: u64 = 50;
        let (mut edges, mut places) = (Edges::default(), vec![ABSENT; HOLDINGS as usize]);
        let mut model: BTreeSet<(i64, u32)> = BTreeSet::new();
        let mut state = 1u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let holding = ((state >> 33) % HOLDINGS) as u32;
            let key = ((state >> 40) % 97) as i64;
            let before = edges.key(&places, holding);
            assert_eq!(before, model.iter().find(|entry| entry.1 == holding).map(|entry| entry.0));
            if let Some(before) = before {
                model.remove(&(before, holding));
            }
            if state >> 61 == 0 {
                edges.remove(&mut places, holding);
            } else {
                edges.set(&mut places, holding, key);
                model.insert((key, holding));
            }
            assert_eq!(
                edges.nearest().and_then(|nearest| edges.key(&places, nearest)),
                model.first().map(|entry| entry.0)
            );
            let mut below = vec![u32::MAX]; // what is there already stays
            edges.below(key, &mut below);
            below[1..].sort_unstable();
            let mut expected: Vec<u32> = model.iter().filter(|entry| entry.0 < key).map(|entry| entry.1).collect();
            expected.sort_unstable();
            assert_eq!((below[0], &below[1..]), (u32::MAX, expected.as_slice()));
        }
    }
}
