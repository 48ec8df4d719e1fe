//! The edges of one instrument on one side, nearest to the mark first: an indexed 4-ary heap.
//!
//! A tick looks at the nearest edge and is done. Moving an edge costs a few comparisons of neighbouring keys.

use super::memory::room;
use super::store::Holding;

const ARITY: usize = 4;

/// Entries that are taken out together: of more than one in so many the heap is made anew.
const MANY: usize = 8;

/// A heap grows by a part of its size: one in eight, since there are two for each instrument.
const SPARE_DIVISOR: usize = 8;

/// No place in the heap.
pub(super) const ABSENT: u32 = u32::MAX;

/// What stands in heaps, and knows where.
pub(super) trait Placed {
    /// Its places in the heaps of its instrument, below and above.
    fn places(&self) -> &[u32; 2];

    fn places_mut(&mut self) -> &mut [u32; 2];
}

impl Placed for Holding {
    #[inline]
    fn places(&self) -> &[u32; 2] {
        &self.edges
    }

    #[inline]
    fn places_mut(&mut self) -> &mut [u32; 2] {
        &mut self.edges
    }
}

/// A side of a band.
#[derive(Clone, Copy, Debug)]
pub(super) enum Edge {
    Lower,
    Upper,
}

/// A heap of (key, holding), smallest key first.
#[derive(Debug)]
pub(super) struct Edges {
    keys: Vec<i64>,
    holdings: Vec<u32>,
    edge: Edge,
}

impl Edges {
    pub(super) fn new(edge: Edge) -> Self {
        Self { keys: Vec::new(), holdings: Vec::new(), edge }
    }

    fn place<'a>(&self, places: &'a mut [impl Placed], holding: u32) -> &'a mut u32 {
        &mut places[holding as usize].places_mut()[self.edge as usize]
    }

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

    /// Whether any key is below `key`.
    #[inline]
    pub(super) fn has_below(&self, key: i64) -> bool {
        matches!(self.keys.first(), Some(&first) if first < key)
    }

    /// The smallest key.
    #[inline]
    pub(super) fn nearest(&self) -> Option<i64> {
        self.keys.first().copied()
    }

    /// The places of all keys below `key`, in rising order: they are the top of the heap, walked level by level.
    pub(super) fn find_below(&self, key: i64, found: &mut Vec<u32>) {
        found.clear();
        if self.has_below(key) {
            found.push(0);
        }
        let mut at = 0;
        while let Some(&place) = found.get(at) {
            let first = place as usize * ARITY + 1;
            let last = (first + ARITY).min(self.keys.len());
            found.extend((first..last).filter(|&child| self.keys[child] < key).map(|child| child as u32));
            at += 1;
        }
    }

    /// The holding at a place.
    #[inline]
    pub(super) fn holding(&self, place: u32) -> u32 {
        self.holdings[place as usize]
    }

    /// Takes out what [`Edges::find_below`] has found: from the last place on, so that what comes into one from the end is
    /// never less than what stands above it in the end.
    pub(super) fn remove_found(&mut self, places: &mut [impl Placed], found: &[u32]) {
        if found.len() * MANY > self.keys.len() {
            self.rebuild_without(places, found);
            return;
        }
        for &place in found.iter().rev() {
            let place = place as usize;
            *self.place(places, self.holdings[place]) = ABSENT;
            self.keys.swap_remove(place);
            self.holdings.swap_remove(place);
            if place < self.keys.len() {
                self.sink(places, place);
            }
        }
    }

    /// Takes out what was found, by putting all others in order anew.
    fn rebuild_without(&mut self, places: &mut [impl Placed], found: &[u32]) {
        for &place in found {
            *self.place(places, self.holdings[place as usize]) = ABSENT;
        }
        let mut taken = found.iter().peekable();
        let mut kept = 0;
        for place in 0..self.keys.len() {
            if taken.next_if(|&&taken| taken as usize == place).is_none() {
                self.put(places, kept, self.keys[place], self.holdings[place]);
                kept += 1;
            }
        }
        self.keys.truncate(kept);
        self.holdings.truncate(kept);
        for place in (0..kept.div_ceil(ARITY)).rev() {
            self.sink(places, place);
        }
    }

    /// The key of a holding.
    pub(super) fn key(&self, places: &[impl Placed], holding: u32) -> Option<i64> {
        match places[holding as usize].places()[self.edge as usize] {
            ABSENT => None,
            place => Some(self.keys[place as usize]),
        }
    }

    /// Inserts a holding, or moves it to another key.
    pub(super) fn set(&mut self, places: &mut [impl Placed], holding: u32, key: i64) {
        let place = *self.place(places, holding);
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
    pub(super) fn put_at(&mut self, places: &mut [impl Placed], holding: u32, key: Option<i64>) -> bool {
        match key {
            Some(key) => {
                self.set(places, holding, key);
                true
            }
            None => self.remove(places, holding),
        }
    }

    /// Takes a holding out, if it is there; whether it was.
    pub(super) fn remove(&mut self, places: &mut [impl Placed], holding: u32) -> bool {
        let place = *self.place(places, holding);
        if place == ABSENT {
            return false;
        }
        *self.place(places, holding) = ABSENT;
        let place = place as usize;
        self.keys.swap_remove(place);
        self.holdings.swap_remove(place);
        if place < self.keys.len() {
            self.rise(places, place);
            let moved = self.holdings[place];
            let risen = *self.place(places, moved) as usize;
            self.sink(places, risen);
        }
        true
    }

    fn rise(&mut self, places: &mut [impl Placed], mut place: usize) {
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

    fn sink(&mut self, places: &mut [impl Placed], mut place: usize) {
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

    fn put(&mut self, places: &mut [impl Placed], place: usize, key: i64, holding: u32) {
        self.keys[place] = key;
        self.holdings[place] = holding;
        *self.place(places, holding) = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    impl Placed for [u32; 2] {
        fn places(&self) -> &[u32; 2] {
            self
        }

        fn places_mut(&mut self) -> &mut [u32; 2] {
            self
        }
    }

    #[test]
    fn behaves_as_an_ordered_set() {
        const HOLDINGS: u64 = 50;
        for edge in [Edge::Lower, Edge::Upper] {
            let (mut edges, mut places) = (Edges::new(edge), vec![[ABSENT; 2]; HOLDINGS as usize]);
            let mut model: BTreeSet<(i64, u32)> = BTreeSet::new();
            let mut state = 1u64;
            let mut found = Vec::new();
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
                edges.find_below(key, &mut found);
                assert!(found.is_sorted());
                let below: BTreeSet<(i64, u32)> =
                    found.iter().map(|&place| (edges.keys[place as usize], edges.holding(place))).collect();
                assert_eq!(below.len(), found.len());
                assert_eq!(below, model.range(..(key, 0)).copied().collect());
                assert_eq!(edges.has_below(key), !below.is_empty());
                if state >> 58 & 7 == 1 {
                    edges.remove_found(&mut places, &found);
                    model.retain(|entry| entry.0 >= key);
                    assert!(!edges.has_below(key) && edges.keys.len() == model.len());
                }
            }
        }
    }
}
