//! The incremental sweep: the strongest scan, and where pools go that storms cross by the hundred.
//!
//! A pool that is swept has one number, `x`: a lower bound of its excess. Each of its positions has an entry in the column of
//! its instrument, and a mark that moves by `d` adds `slope · d` to the `x` of every entry in turn: two loads, one
//! multiplication. While `x` is not negative the pool is not in breach; where it is, the pool is evaluated exactly, at each
//! of its marks, as long as that lasts. Never late, exactly, as bands are.
//!
//! **The bound.** With every rounding left out a position's part of the excess, `V − C − MM*`, is concave in the mark of a
//! linear contract: `V` is a straight line, and under `marginal` the margin's rate only rises with the notional; under
//! `linear` it depends on the size alone. So over the interval of its column (from half to one and a half times the mark
//! at which the column began) it lies above the chord between the ends. `step` jumps at its caps; there the chord is that
//! of the highest rate that the interval reaches. The ends are computed exactly, with their rounding against the account,
//! so they lie on or below the curve. What rounding can take anywhere between ([`rounded_terms`]) is kept back from `x`, and
//! a quantum more. The slope is rounded down and anchored at the lower end: the line only gets flatter, and stays below.
//! Within one row `x` is the excess itself but for those quanta; where a table's caps lie inside the interval it may be
//! less by the sag of the chord, and some pools are then evaluated more often than they need.
//!
//! `x` and the slopes are counted in `2^-shift` quanta, by a shift that makes most of 64 bits of each pool; sums saturate,
//! which is sound at either end.
//!
//! **What is not swept.** Inverse contracts, pools that watch levels of margin calls, and pools that hold an instrument
//! whose rules change: by the strategy `sweep` they are evaluated exactly at each of their marks (an entry of slope 0 under
//! an `x` below zero); under `adaptive` they keep their edges. A mark that is frozen stands still and has no entry; with
//! life every holder is evaluated and enters anew.
//!
//! **Changes.** A payment moves `x`. Whatever changes a position voids the slot: its entries carry an epoch, are out of date
//! from then on, and go when a mark next passes them. A mark that leaves its column's interval voids all in it.

use super::margin::{Leg, Margin, excess_at, rounded_terms};
use super::memory::room;
use super::store::{NONE, UNCERTIFIED};
use super::{Finder, Shard, Strategy};
use crate::contract::Unit;
use crate::market::{Instrument, InstrumentId, Market};
use crate::number::{LIMIT, PPB, Price, charge, div_floor, mul_div_ceil};
use crate::position::Position;
use crate::tiers::TierRule;

/// Bits of what a pool's numbers may come to, so that no sum of a few of them overflows.
const BITS: u32 = 57;

/// The finest that `x` is counted.
const MOST_SHIFT: u32 = 24;

/// In place of a shift: nothing is known, the pool is to enter anew.
const VOID: u8 = 254;

/// In place of a shift: the pool cannot be swept, and is evaluated at each of its marks.
const IRREGULAR: u8 = 255;

/// A position in the column of its instrument.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// What `x` gains with each tick of the mark.
    slope: i64,
    slot: u32,
    epoch: u32,
}

/// The entries of one instrument, and the marks within which their lines hold.
#[derive(Debug, Default)]
struct Column {
    entries: Vec<Entry>,
    low: Price,
    high: Price,
    /// The mark at which every `x` stands.
    mark: Price,
}

/// A pool that is swept.
#[derive(Clone, Copy, Debug)]
struct Slot {
    x: i64,
    /// Entries of another epoch are out of date.
    epoch: u32,
    /// [`NONE`]: the slot is free.
    pool: u32,
}

/// The columns, and the pools that stand in them.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    columns: Vec<Column>,
    slots: Vec<Slot>,
    /// Beside the slots, for those that change `x` otherwise than by a mark.
    shifts: Vec<u8>,
    free: Vec<u32>,
    /// Slots before this one are still to be asked whether they can go back to bands.
    cooling: usize,
    /// Kept for its room: slopes of the pool that enters.
    slopes: Vec<(InstrumentId, i64)>,
    swept: u64,
}

/// A straight line below a position's part of the excess, as long as its mark stays in the column's interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    slope: i64,
    /// At the lower end of the interval, less what rounding takes.
    at_low: i128,
}

impl Column {
    /// Without entries there is nothing to be kept: lines are drawn around the present mark.
    fn begin(&mut self, mark: Price) {
        self.entries.clear();
        (self.low, self.high, self.mark) = ((mark / 2).max(1), mark.saturating_add(mark / 2 + 1), mark);
    }
}

impl Sweep {
    pub(super) fn with_capacity(pools: usize) -> Self {
        Self {
            slots: Vec::with_capacity(pools),
            shifts: Vec::with_capacity(pools),
            free: Vec::with_capacity(pools),
            ..Self::default()
        }
    }

    /// Makes room for one more instrument, of which a pool may hold both legs.
    pub(super) fn add_instrument(&mut self) {
        self.columns.push(Column::default());
        self.slopes.reserve(self.columns.len() * 2);
    }

    /// Makes room for the entries of so many positions, with some that are out of date among them.
    pub(super) fn reserve(&mut self, instrument: InstrumentId, holders: usize) {
        let entries = &mut self.columns[instrument.index()].entries;
        if entries.capacity() < holders + holders / 16 + 16 {
            entries.reserve_exact(holders + holders / 8 + 32 - entries.len());
        }
    }

    /// Makes room for so many pools.
    pub(super) fn reserve_slots(&mut self, pools: usize) {
        if self.slots.capacity().min(self.shifts.capacity()).min(self.free.capacity()) < pools {
            let room = pools + pools / 8 + 8;
            self.slots.reserve_exact(room - self.slots.len());
            self.shifts.reserve_exact(room - self.shifts.len());
            self.free.reserve_exact(room - self.free.len());
        }
    }

    /// Bytes, with the spare room.
    pub(super) fn room(&self) -> usize {
        let entries: usize = self.columns.iter().map(|column| room(&column.entries)).sum();
        entries + room(&self.columns) + room(&self.slots) + room(&self.shifts) + room(&self.free)
    }

    /// Entries that marks have moved so far.
    pub(super) fn swept(&self) -> u64 {
        self.swept
    }

    /// Pools that are swept.
    #[inline]
    pub(super) fn pools(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Entries of an instrument, with those that are out of date.
    #[inline]
    pub(super) fn entries(&self, instrument: InstrumentId) -> usize {
        self.columns[instrument.index()].entries.len()
    }

    /// Whether the pool of a slot is certified.
    #[inline]
    pub(super) fn is_certified(&self, slot: u32) -> bool {
        self.slots[slot as usize].x >= 0
    }

    /// The column of an instrument, which begins at the present mark if it has no entries.
    fn column(&mut self, instrument: InstrumentId, mark: Price) -> &Column {
        let column = &mut self.columns[instrument.index()];
        if column.entries.is_empty() {
            column.begin(mark);
        }
        column
    }

    /// Moves every `x` of a column to a new mark; the pools that are to be looked at are added to `below`.
    fn pass(&mut self, instrument: InstrumentId, mark: Price, below: &mut Vec<u32>) {
        let column = &mut self.columns[instrument.index()];
        self.swept += column.entries.len() as u64;
        if mark < column.low || mark > column.high {
            let mut entries = std::mem::take(&mut column.entries);
            for entry in entries.drain(..) {
                if self.slots[entry.slot as usize].epoch == entry.epoch {
                    below.push(self.slots[entry.slot as usize].pool);
                    self.void(entry.slot);
                }
            }
            self.columns[instrument.index()].entries = entries;
            return;
        }
        let moved = mark - std::mem::replace(&mut column.mark, mark);
        let mut at = 0;
        while let Some(&Entry { slope, slot, epoch }) = column.entries.get(at) {
            let slot = &mut self.slots[slot as usize];
            if slot.epoch != epoch {
                column.entries.swap_remove(at);
                continue;
            }
            slot.x = slot.x.saturating_add(slope.saturating_mul(moved));
            if slot.x < 0 {
                below.push(slot.pool);
            }
            at += 1;
        }
    }

    /// Nothing is known of a pool any more: it is evaluated when it is looked at.
    fn void(&mut self, slot: u32) {
        let record = &mut self.slots[slot as usize];
        record.x = i64::MIN;
        self.shifts[slot as usize] = VOID;
        if let Some(next) = record.epoch.checked_add(1) {
            record.epoch = next;
        } else {
            self.begin_epochs_anew(slot);
        }
    }

    /// Epochs are used up: an entry that is out of date could come to be taken for a live one.
    #[cold]
    fn begin_epochs_anew(&mut self, slot: u32) {
        self.slots[slot as usize].epoch = 0;
        self.columns.iter_mut().for_each(|column| column.entries.retain(|entry| entry.slot != slot));
    }

    /// Takes all entries of an instrument out: whoever holds it is voided too.
    pub(super) fn clear(&mut self, instrument: InstrumentId) {
        self.columns[instrument.index()].entries.clear();
    }

    /// A payment of a pool's.
    fn pay(&mut self, slot: u32, amount: i128) {
        let shift = self.shifts[slot as usize];
        if shift == VOID || shift == IRREGULAR {
            return;
        }
        let x = &mut self.slots[slot as usize].x;
        let sum = i128::from(*x) + amount * (1 << shift);
        *x = sum.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    }

    fn take_slot(&mut self, pool: u32) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { x: 0, epoch: 0, pool: NONE });
            self.shifts.push(VOID);
            self.slots.len() as u32 - 1
        });
        self.slots[slot as usize].pool = pool;
        slot
    }

    fn release(&mut self, slot: u32) {
        self.void(slot);
        self.slots[slot as usize].pool = NONE;
        self.free.push(slot);
        if self.pools() == 0 {
            // From now on marks go by without a sweep, and the marks at which the columns stand are those of no `x`.
            self.columns.iter_mut().for_each(|column| column.entries.clear());
        }
    }

    /// Whether a pool with these positions can enter without making room.
    fn has_room(&self, legs: &[Leg]) -> bool {
        let slots = self.slots.capacity().min(self.shifts.capacity()).min(self.free.capacity());
        let has_two = |leg: &Leg| {
            let entries = &self.columns[leg.instrument.index()].entries; // both legs of a hedge may be in it
            entries.len() + 1 < entries.capacity()
        };
        self.pools() < slots && legs.iter().all(has_two)
    }

    /// Sets a pool's `x` and its entries, those in `slopes`.
    fn enter(&mut self, slot: u32, x: i64, shift: u8) {
        self.void(slot);
        self.slots[slot as usize].x = x;
        self.shifts[slot as usize] = shift;
        let epoch = self.slots[slot as usize].epoch;
        for &(instrument, slope) in &self.slopes {
            let entries = &mut self.columns[instrument.index()].entries;
            if entries.len() == entries.capacity() {
                entries.retain(|entry| self.slots[entry.slot as usize].epoch == entry.epoch);
            }
            entries.push(Entry { slope, slot, epoch });
        }
    }

    /// The next pool, from the end round and round, of `within` slots.
    fn next_to_cool(&mut self, within: usize) -> Option<u32> {
        for _ in 0..within {
            self.cooling = if self.cooling == 0 { self.slots.len() } else { self.cooling } - 1;
            let pool = self.slots[self.cooling].pool;
            if pool != NONE {
                return Some(pool);
            }
        }
        None
    }
}

/// The line of a position of a linear contract over an interval, in `2^-shift` quanta; none of an inverse one, or where its
/// numbers are too large.
fn line(instrument: &Instrument, position: &Position, (low, high): (Price, Price), shift: u32) -> Option<Line> {
    let Unit::Linear(_) = instrument.spec.unit else { return None };
    let tiers = &instrument.spec.tiers;
    let [at_low, at_high] = if tiers.rule() == TierRule::Step {
        let rate = tiers.mmr_ppb(tiers.tier(instrument.notional(position.quantity, high)));
        [low, high].map(|price| excess_at_rate(instrument, position, price, rate))
    } else {
        [low, high].map(|price| excess_at(instrument, position, price))
    };
    if at_low.abs() >= LIMIT * 2 || at_high.abs() >= LIMIT * 2 {
        return None;
    }
    let (rise, run) = ((at_high - at_low) << shift, high - low);
    let slope = match i64::try_from(rise) {
        Ok(rise) => rise.div_euclid(run),
        Err(_) => i64::try_from(div_floor(rise, run.into())).ok()?,
    };
    Some(Line { slope, at_low: (at_low - rounded_terms(instrument)) << shift })
}

/// As [`excess_at`], with all of the notional at one rate, in parts per billion.
fn excess_at_rate(instrument: &Instrument, position: &Position, price: Price, rate_ppb: u64) -> i128 {
    let valuation = instrument.valuation(position.quantity, price);
    let fee = charge(valuation.notional, instrument.spec.close_fee_ppb() as i64);
    valuation.value - position.cost - mul_div_ceil(valuation.notional, rate_ppb.into(), PPB.into()) - fee
}

impl Shard {
    /// A mark moved: moves the bound of every pool in its column, and touches those that are to be looked at. Returns how
    /// many those are.
    pub(super) fn sweep(&mut self, instrument: InstrumentId, mark: Price) -> usize {
        let mut below = std::mem::take(&mut self.below);
        self.sweep.pass(instrument, mark, &mut below);
        let count = below.len();
        for pool in below.drain(..) {
            self.touch(pool);
        }
        self.below = below;
        count
    }

    /// Nothing is certified of a pool any more.
    pub(super) fn void_certificate(&mut self, pool: u32) {
        let record = &mut self.pools[pool as usize];
        match record.slot() {
            Some(slot) => self.sweep.void(slot),
            None => record.slack = UNCERTIFIED,
        }
    }

    /// The lines of a pool, if it is swept, hold no more.
    pub(super) fn void_lines(&mut self, pool: u32) {
        if let Some(slot) = self.pools[pool as usize].slot() {
            self.sweep.void(slot);
        }
    }

    /// A payment moves the bound of a pool that is swept.
    #[inline]
    pub(super) fn pay_into_sweep(&mut self, pool: u32, amount: i128) {
        if let Some(slot) = self.pools[pool as usize].slot() {
            self.sweep.pay(slot, amount);
        }
    }

    /// A pool is swept no more.
    pub(super) fn leave_sweep(&mut self, pool: u32) {
        let record = &mut self.pools[pool as usize];
        if let Some(slot) = record.slot() {
            record.slack = UNCERTIFIED;
            self.sweep.release(slot);
        }
    }

    /// Whether a pool is swept by lines that hold.
    pub(super) fn has_lines(&self, pool: u32) -> bool {
        let of_lines = |slot: u32| !matches!(self.sweep.shifts[slot as usize], VOID | IRREGULAR);
        self.pools[pool as usize].slot().is_some_and(of_lines)
    }

    /// A pool that was just evaluated, with the legs that are noted, is swept from now on; false if it cannot be, or there is no
    /// room: by the strategy `sweep` it can always.
    pub(super) fn enter_sweep(&mut self, market: &Market, pool: u32, margin: &Margin) -> bool {
        let always = self.finder == Finder::Strategy(Strategy::Sweep);
        let fits = always || self.sweep.has_room(&self.legs);
        let bound = if fits { self.draw_lines(market, pool, margin) } else { None };
        let (x, shift) = match bound {
            Some((x, shift)) if always || x >= 0 => (x.clamp(i64::MIN.into(), i64::MAX.into()) as i64, shift as u8),
            None if always && self.is_irregular(pool) => return true,
            None if always => {
                self.draw_nothing(market);
                (i64::MIN, IRREGULAR)
            }
            _ => {
                self.leave_sweep(pool);
                return false;
            }
        };
        let record = &mut self.pools[pool as usize];
        let slot = record.slot().unwrap_or_else(|| self.sweep.take_slot(pool));
        record.enter_slot(slot);
        self.sweep.enter(slot, x, shift);
        true
    }

    fn is_irregular(&self, pool: u32) -> bool {
        let slot = self.pools[pool as usize].slot();
        slot.is_some_and(|slot| self.sweep.shifts[slot as usize] == IRREGULAR)
    }

    /// The bound of a pool and the slopes of its positions, which are noted; none if it cannot be swept.
    fn draw_lines(&mut self, market: &Market, pool: u32, margin: &Margin) -> Option<(i128, u32)> {
        let Self { sweep, legs, holdings, pools, .. } = self;
        let notional: i128 = legs.iter().map(|leg| leg.notional).sum();
        let magnitude = margin.equity.abs() + notional * 2;
        let shift = BITS.saturating_sub(i128::BITS - magnitude.leading_zeros()).min(MOST_SHIFT);
        let record = &pools[pool as usize];
        if record.level.is_some() {
            return None;
        }
        let mut x = (record.collateral - 1) << shift;
        sweep.slopes.clear();
        for leg in &*legs {
            let instrument = market.instrument(leg.instrument);
            if instrument.before.is_some() {
                return None;
            }
            let Some(mark) = instrument.living_mark() else {
                x += leg.excess << shift; // it stands still
                continue;
            };
            let column = sweep.column(leg.instrument, mark);
            let line = line(instrument, &holdings[leg.holding as usize].position, (column.low, column.high), shift)?;
            x += line.at_low + i128::from(line.slope) * i128::from(column.mark - column.low);
            sweep.slopes.push((leg.instrument, line.slope));
        }
        Some((x, shift))
    }

    /// As [`Shard::draw_lines`], of a pool that cannot be swept: entries that change nothing, so that its marks find it.
    fn draw_nothing(&mut self, market: &Market) {
        let Self { sweep, legs, .. } = self;
        sweep.slopes.clear();
        for leg in &*legs {
            if let Some(mark) = market.instrument(leg.instrument).living_mark() {
                sweep.column(leg.instrument, mark);
                sweep.slopes.push((leg.instrument, 0));
            }
        }
    }

    /// Lets some swept pools go back to bands: they are touched, and certified when they are looked at.
    pub(super) fn cool(&mut self, pools: usize) {
        for _ in 0..pools.min(self.sweep.pools()) {
            let Some(pool) = self.sweep.next_to_cool(16) else { return };
            self.leave_sweep(pool);
            self.touch(pool);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::bands::tests::{instrument, tables};
    use super::*;

    /// All small domains: rates, caps, sizes, units, intervals. Nowhere in its interval is a line above the excess, and in one
    /// row it is below by no more than the quanta that are kept back and the slope's rounding.
    #[test]
    fn no_price_in_its_interval_is_worse_than_the_line() {
        let (mut checked, mut tight) = (0u64, 0u64);
        for rule in [TierRule::Marginal, TierRule::Step, TierRule::Linear] {
            for (unit, fee) in [(1, 0), (3, 0), (1, 77_000_001), (3, 77_000_001)] {
                for table in tables(rule) {
                    let instrument = instrument(&table, Unit::Linear(unit), fee);
                    for quantity in [-3i64, -1, 1, 2] {
                        for mark in 1..24 {
                            for shift in [0, 7] {
                                let (all, near) = check_line(&instrument, quantity, mark, shift);
                                (checked, tight) = (checked + all, tight + near);
                            }
                        }
                    }
                }
            }
        }
        println!("{checked} prices checked, at {tight} the line is all but met");
        assert!(checked > 1_000_000 && tight > checked / 4);
    }

    fn check_line(instrument: &Instrument, quantity: i64, mark: Price, shift: u32) -> (u64, u64) {
        let position = Position { quantity, cost: 5 };
        let mut column = Column::default();
        column.begin(mark);
        let (low, high) = (column.low, column.high);
        assert!(low <= mark && mark < high && low < high);
        let Line { slope, at_low } = line(instrument, &position, (low, high), shift).unwrap();
        let mut tight = 0;
        for price in low..=high {
            let (bound, exact) = (
                at_low + i128::from(slope) * i128::from(price - low),
                excess_at(instrument, &position, price) << shift,
            );
            assert!(bound <= exact, "{:?} {position:?} {price} in {low}–{high}: {bound} > {exact}", instrument.spec);
            tight += u64::from(exact - bound <= ((rounded_terms(instrument) + 1) << shift) + i128::from(high - low));
        }
        ((high - low + 1) as u64, tight)
    }

    /// An entry whose pool left, or came back with others, moves nothing, and goes; epochs that are used up confuse nobody.
    #[test]
    fn entries_that_are_out_of_date_go() {
        let mut sweep = Sweep::default();
        let id = InstrumentId(0);
        sweep.add_instrument();
        sweep.columns[0].begin(100);
        let mut below = Vec::new();
        let slot = sweep.take_slot(7);
        let enter = |sweep: &mut Sweep, slope, x| {
            sweep.slopes.clear();
            sweep.slopes.push((id, slope));
            sweep.enter(slot, x, 3);
        };
        enter(&mut sweep, 5, 100);
        enter(&mut sweep, -1, 10);
        assert_eq!(sweep.entries(id), 2);
        sweep.pass(id, 108, &mut below);
        assert_eq!((sweep.slots[0].x, sweep.entries(id), below.len()), (2, 1, 0));
        sweep.pay(slot, 1);
        assert_eq!(sweep.slots[0].x, 10, "a quantum is eight of its units");
        sweep.slots[0].epoch = u32::MAX;
        sweep.columns[0].entries[0].epoch = 0; // as old as can be
        enter(&mut sweep, -3, 10);
        assert_eq!((sweep.slots[0].epoch, sweep.entries(id)), (0, 1));
        sweep.pass(id, 112, &mut below);
        assert_eq!((sweep.slots[0].x, below.as_slice()), (-2, &[7][..]));
        below.clear();
        sweep.pass(id, 152, &mut below);
        assert_eq!((below.as_slice(), sweep.entries(id), sweep.is_certified(slot)), (&[7][..], 0, false));
        enter(&mut sweep, 1, 10);
        sweep.release(slot);
        assert_eq!(
            (sweep.pools(), sweep.entries(id), sweep.take_slot(9)),
            (0, 0, slot),
            "the next to enter begins a column"
        );
    }
}
