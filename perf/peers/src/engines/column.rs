//! A column of trigger prices, four bytes a position, scanned as fast as the machine reads.

use super::dense::apply;
use super::trigger::trigger;
use super::{Engine, Found};
use crate::book::Book;
use multiversion::multiversion;

/// So many are compared before it is asked whether any was hit.
const BLOCK: usize = 1_024;

/// The positions of an instrument and side. Triggers of shorts are kept negated, so that every hit is `trigger >= price`.
#[derive(Default)]
struct Column {
    triggers: Vec<i32>,
    positions: Vec<u32>,
}

pub struct Columns {
    book: Book,
    /// By instrument: longs, shorts.
    columns: Vec<[Column; 2]>,
    /// By position: its row in its column.
    rows: Vec<u32>,
    locked: Vec<bool>,
    /// Whether the triggers that another mark makes stale are computed anew at once.
    fresh: bool,
    /// Whether pools have one position each: then no trigger is ever stale.
    isolated: bool,
    hits: Vec<u32>,
}

/// Is any at the price or beyond? Written so that the compiler makes vectors of it, as wide as the machine has.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn any_hit(triggers: &[i32], price: i32) -> bool {
    triggers.iter().fold(false, |hit, &trigger| hit | (trigger >= price))
}

/// No trigger: below every price.
const NONE: i32 = i32::MIN;

impl Columns {
    pub fn new(book: Book, fresh: bool) -> Self {
        let mut columns: Vec<[Column; 2]> = book.marks.iter().map(|_| Default::default()).collect();
        let mut rows = vec![0; book.positions.len()];
        for (at, position) in book.positions.iter().enumerate() {
            let column = &mut columns[position.instrument as usize][usize::from(position.quantity < 0)];
            rows[at] = column.positions.len() as u32;
            column.positions.push(at as u32);
            column.triggers.push(NONE);
        }
        let isolated = book.pools.iter().all(|pool| pool.positions.len() == 1);
        let locked = vec![false; book.pools.len()];
        let mut own = Self { book, columns, rows, locked, fresh, isolated, hits: Vec::new() };
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
            let price = trigger(&self.book, position, excess) as i32;
            let column = &mut self.columns[position.instrument as usize][usize::from(short)];
            column.triggers[self.rows[at as usize] as usize] = if short { -price } else { price };
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
            let column = &mut self.columns[position.instrument as usize][usize::from(position.quantity < 0)];
            column.triggers[self.rows[at as usize] as usize] = NONE;
        }
    }
}

impl Engine for Columns {
    fn name(&self) -> String {
        let when = if self.fresh { ", all that are stale anew at each tick" } else { "" };
        format!("4-byte trigger column{when}")
    }

    fn is_exact(&self) -> bool {
        self.fresh || self.isolated
    }

    fn mark(&mut self, instrument: usize, price: i64, found: &mut Vec<Found>) {
        self.book.marks[instrument] = price;
        self.hits.clear();
        for (column, bound) in self.columns[instrument].iter().zip([price as i32, -price as i32]) {
            for (block, triggers) in column.triggers.chunks(BLOCK).enumerate() {
                if any_hit(triggers, bound) {
                    let first = block * BLOCK;
                    let hit = triggers.iter().enumerate().filter(|&(_, &trigger)| trigger >= bound);
                    self.hits.extend(hit.map(|(row, _)| column.positions[first + row]));
                }
            }
        }
        self.hits.sort_unstable(); // by pool
        for index in 0..self.hits.len() {
            let pool = self.book.positions[self.hits[index] as usize].pool;
            if self.locked[pool as usize] {
                continue;
            }
            self.look(pool, found);
        }
        if self.fresh && !self.isolated {
            for side in 0..2 {
                for row in 0..self.columns[instrument][side].positions.len() {
                    let at = self.columns[instrument][side].positions[row];
                    let pool = self.book.positions[at as usize].pool;
                    if !self.locked[pool as usize] {
                        self.set(pool);
                    }
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
