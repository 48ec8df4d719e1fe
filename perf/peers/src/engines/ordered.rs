//! Triggers in order of price: the nearest is looked at, and the tick is done. By `BTreeMap`, and by a binary heap.

use super::dense::apply;
use super::trigger::trigger;
use super::{Engine, Found};
use crate::book::Book;
use std::collections::{BTreeSet, BinaryHeap};

/// Triggers of an instrument and side, of which shorts' are negated: the highest is hit first.
pub trait Order: Default {
    const NAME: &'static str;

    /// Puts a trigger in, which takes the place of the one of the same position, if it had one.
    fn put(&mut self, position: u32, trigger: i64, old: Option<i64>);

    /// Takes one out.
    fn take(&mut self, position: u32, trigger: i64);

    /// Takes out the nearest that is at the price or beyond; what `is` says is no longer a position's trigger is none.
    fn pop(&mut self, price: i64, is: impl Fn(u32, i64) -> bool) -> Option<u32>;
}

#[derive(Default)]
pub struct Tree(BTreeSet<(i64, u32)>);

impl Order for Tree {
    const NAME: &'static str = "BTreeSet of triggers";

    fn put(&mut self, position: u32, trigger: i64, old: Option<i64>) {
        if let Some(old) = old {
            self.0.remove(&(old, position));
        }
        self.0.insert((trigger, position));
    }

    fn take(&mut self, position: u32, trigger: i64) {
        self.0.remove(&(trigger, position));
    }

    #[inline]
    fn pop(&mut self, price: i64, _: impl Fn(u32, i64) -> bool) -> Option<u32> {
        let &(trigger, position) = self.0.last()?;
        (trigger >= price).then(|| {
            self.0.pop_last();
            position
        })
    }
}

/// Nothing is taken out of the middle of a heap: what is no longer true is passed over when it comes up.
#[derive(Default)]
pub struct Heap {
    heap: BinaryHeap<(i64, u32)>,
    /// How many are true.
    live: usize,
}

impl Order for Heap {
    const NAME: &'static str = "binary heap of triggers";

    fn put(&mut self, position: u32, trigger: i64, old: Option<i64>) {
        if old == Some(trigger) {
            return; // it is there
        }
        self.live += usize::from(old.is_none());
        self.heap.push((trigger, position));
    }

    fn take(&mut self, _: u32, _: i64) {
        self.live -= 1;
    }

    #[inline]
    fn pop(&mut self, price: i64, is: impl Fn(u32, i64) -> bool) -> Option<u32> {
        // Rubbish is thrown out when it is most of the heap; else it would grow for ever.
        if self.heap.len() > 64 && self.heap.len() > self.live * 2 {
            self.heap.retain(|&(trigger, position)| is(position, trigger));
        }
        while let Some(&(trigger, position)) = self.heap.peek() {
            if trigger < price {
                return None;
            }
            self.heap.pop();
            if is(position, trigger) {
                self.live -= 1;
                return Some(position);
            }
        }
        None
    }
}

pub struct Ordered<O> {
    book: Book,
    /// By instrument: longs, shorts.
    orders: Vec<[O; 2]>,
    /// By position: what is in order for it.
    triggers: Vec<Option<i64>>,
    holders: Vec<Vec<u32>>,
    locked: Vec<bool>,
    /// Whether the triggers that another mark makes stale are computed anew at once.
    fresh: bool,
    /// Whether pools have one position each: then no trigger is ever stale.
    isolated: bool,
    hits: Vec<u32>,
}

impl<O: Order> Ordered<O> {
    pub fn new(book: Book, fresh: bool) -> Self {
        let mut own = Self {
            orders: book.marks.iter().map(|_| Default::default()).collect(),
            triggers: vec![None; book.positions.len()],
            holders: book.holders(),
            locked: vec![false; book.pools.len()],
            isolated: book.pools.iter().all(|pool| pool.positions.len() == 1),
            book,
            fresh,
            hits: Vec::new(),
        };
        for pool in 0..own.book.pools.len() as u32 {
            own.set(pool);
        }
        own
    }

    /// Computes the triggers of a pool.
    fn set(&mut self, pool: u32) {
        let excess = self.book.excess(pool);
        for at in self.book.pools[pool as usize].positions.clone() {
            let position = &self.book.positions[at as usize];
            let short = position.quantity < 0;
            let price = trigger(&self.book, position, excess);
            let key = if short { -price } else { price };
            let old = self.triggers[at as usize].replace(key);
            if old != Some(key) {
                self.orders[position.instrument as usize][usize::from(short)].put(at, key, old);
            }
        }
    }

    /// Evaluates a pool: in breach it is found and taken out, else its triggers are computed.
    fn look(&mut self, pool: u32, found: &mut Vec<Found>) {
        if self.book.excess(pool) <= 0 {
            self.lock(pool);
            found.push(self.book.owners[pool as usize]);
        } else {
            self.set(pool);
        }
    }

    /// Takes a pool out.
    fn lock(&mut self, pool: u32) {
        self.locked[pool as usize] = true;
        for at in self.book.pools[pool as usize].positions.clone() {
            let position = &self.book.positions[at as usize];
            if let Some(key) = self.triggers[at as usize].take() {
                self.orders[position.instrument as usize][usize::from(position.quantity < 0)].take(at, key);
            }
        }
    }
}

impl<O: Order> Engine for Ordered<O> {
    fn name(&self) -> String {
        let when = if self.fresh { ", all that are stale anew at each tick" } else { "" };
        format!("{}{when}", O::NAME)
    }

    fn is_exact(&self) -> bool {
        self.fresh || self.isolated
    }

    #[inline]
    fn mark(&mut self, instrument: usize, price: i64, found: &mut Vec<Found>) {
        self.book.marks[instrument] = price;
        self.hits.clear();
        for (order, bound) in self.orders[instrument].iter_mut().zip([price, -price]) {
            let triggers = &self.triggers;
            while let Some(at) = order.pop(bound, |at, trigger| triggers[at as usize] == Some(trigger)) {
                self.hits.push(at);
            }
        }
        if !self.hits.is_empty() {
            self.hits.iter().for_each(|&at| self.triggers[at as usize] = None);
            self.hits.sort_unstable(); // by pool
            for index in 0..self.hits.len() {
                let pool = self.book.positions[self.hits[index] as usize].pool;
                if self.locked[pool as usize] {
                    continue;
                }
                self.look(pool, found);
            }
        }
        if self.fresh && !self.isolated {
            for row in 0..self.holders[instrument].len() {
                let pool = self.book.positions[self.holders[instrument][row] as usize].pool;
                if !self.locked[pool as usize] {
                    self.set(pool);
                }
            }
        }
    }

    fn fill(&mut self, position: u32, lots: i64, price: i64, found: &mut Vec<Found>) {
        apply(&mut self.book, position, lots, price);
        let pool = self.book.positions[position as usize].pool;
        if !self.locked[pool as usize] {
            self.look(pool, found);
        }
    }
}
