//! Margin calls: levels of the margin ratio that are told as it rises past them.
//!
//! A pool watches the levels of every instrument in which it holds a position. Its state is one number: the highest of
//! them that its ratio has reached, `MM ≥ level · equity`. It changes after the input that moves the ratio, never later,
//! so a level is an edge as breach is: with `T = level · equity − MM`, a pool below its next level has `T > 0` there, and
//! one at or above a level has `T ≤ 0` there. Each position's part `level · (V − C) − MM` falls, but for rounding, as its
//! mark moves to its adverse side, as long as no rate of its tiers reaches the level. So a box of marks is certified by
//! two of its corners: the adverse one for the next level (breach itself after the last), and, for a pool that has reached
//! a level, the favourable one for that. Every price that leaves the box is looked at.
//!
//! A pool without levels pays one flag. One with levels keeps no slack: what changes it has it evaluated anew.

use super::bands::{Band, HIGHEST};
use super::margin::{Margin, excess_at};
use super::store::{Level, UNCERTIFIED};
use super::{Attention, Shard};
use crate::event::Event;
use crate::market::{Instrument, Market};
use crate::number::{PPB, Price, mul_div_floor};
use crate::position::Position;
use crate::tiers::TierRule;

/// One, as a level.
const ONE: u32 = PPB as u32;

/// How far rounding can push a position's part from a monotone function, in quanta: `V` is rounded by less than one
/// quantum, `N`, `MM`, its deduction and the closing fee by less than one each, at either end.
const ROUNDING: i128 = 10;

/// A pool whose ratio has risen past a level, or past several.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Called {
    pub(crate) attention: Attention,
    pub(crate) margin: Margin,
    /// The state before.
    from: u32,
    /// The state now.
    to: u32,
}

/// A position's part of `level · equity − MM` at a price, times 10^9.
fn part_at(instrument: &Instrument, position: &Position, price: Price, level: u32) -> i128 {
    let result = instrument.value(position.quantity, price) - position.cost;
    // excess = result − MM
    i128::from(PPB) * excess_at(instrument, position, price) - i128::from(ONE - level) * result
}

/// The tier of a position at a price; none where no mark can be.
fn tier_at(instrument: &Instrument, position: &Position, price: Price) -> Option<usize> {
    let notional = instrument.admitted_value(position.quantity.abs(), price);
    notional.map(|notional| instrument.spec.tiers.tier(notional))
}

/// The price farthest from the mark, up to `last`, that `holds`; the mark itself is taken to hold.
fn farthest(mark: Price, last: Price, holds: impl Fn(Price) -> bool) -> Price {
    if holds(last) {
        return last;
    }
    let (mut inside, mut outside) = (mark, last);
    while (outside - inside).abs() > 1 {
        let middle = inside + (outside - inside) / 2;
        if holds(middle) {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    inside
}

/// What a pool has left until its state changes, times 10^9: for all its positions, or for one.
#[derive(Clone, Copy, Debug)]
struct Room {
    /// The next level, and how far `level · equity − MM` is above it.
    next: u32,
    above: i128,
    /// The level reached, and how far it is below; none reached: 0.
    reached: u32,
    below: i128,
}

impl Room {
    /// The band of a position in which it uses up no more than this room.
    fn band(self, instrument: &Instrument, position: &Position, mark: Price) -> Band {
        let tiers = &instrument.spec.tiers;
        let tier = tier_at(instrument, position, mark);
        // Under `step` no band leaves its row: there the margin jumps.
        let in_row = |price| {
            let there = tier_at(instrument, position, price);
            there.is_some() && (tiers.rule() != TierRule::Step || there == tier)
        };
        let [next, reached] = [self.next, self.reached].map(|level| part_at(instrument, position, mark, level));
        let adverse = |price| in_row(price) && next - part_at(instrument, position, price, self.next) <= self.above;
        let favourable = |price| {
            let within = |below| part_at(instrument, position, price, self.reached) - reached <= below;
            in_row(price) && (self.reached == 0 || within(self.below))
        };
        let (lower, upper) = if position.quantity > 0 {
            (farthest(mark, 1, adverse), farthest(mark, HIGHEST, favourable))
        } else {
            (farthest(mark, 1, favourable), farthest(mark, HIGHEST, adverse))
        };
        Band { lower: (lower > 1).then_some(lower), upper: (upper < HIGHEST).then_some(upper) }
    }

    /// What a position of `part` of the notional `whole` may use up.
    fn share(self, part: i128, whole: i128) -> Self {
        let share = |room| mul_div_floor(room, part, whole);
        Self { above: share(self.above), below: share(self.below), ..self }
    }
}

impl Shard {
    /// The levels that a pool watches.
    pub(super) fn levels<'a>(&'a self, market: &'a Market, pool: u32) -> impl Iterator<Item = u32> + 'a {
        self.holdings_of(pool).flat_map(move |at| {
            let holding = &self.holdings[at as usize];
            let levels = &self.rules(market, holding).spec.controls.margin_calls;
            let watched = if holding.position.quantity == 0 { &[][..] } else { levels.as_slice() };
            watched.iter().copied()
        })
    }

    /// Whether a pool may hold a position in an instrument with levels.
    pub(super) fn watches_levels(&self, pool: u32) -> bool {
        self.pools[pool as usize].level.is_some()
    }

    /// The highest level that a pool has reached, 0 for none.
    pub(super) fn level_reached(&self, market: &Market, pool: u32, margin: &Margin) -> u32 {
        let maintenance = margin.maintenance * i128::from(PPB);
        let reached = |level: &u32| maintenance >= i128::from(*level) * margin.equity;
        self.levels(market, pool).filter(reached).max().unwrap_or(0)
    }

    /// Whether a pool's state is no longer what its margin says; a pool none of whose marks lives keeps its state.
    pub(super) fn level_changes(&self, market: &Market, pool: u32, margin: &Margin) -> bool {
        let moved = |level| self.level_reached(market, pool, margin) != level;
        let moved = self.pools[pool as usize].level.is_some_and(|level| moved(level.ppb()));
        moved && (self.has_living_mark(market, pool) || !margin.holds_position)
    }

    /// Sets the state of an unlocked pool that is not in breach; what it rose past is to be told.
    pub(super) fn note_level(&mut self, market: &Market, pool: u32, margin: Margin) -> Option<Called> {
        if !self.level_changes(market, pool, &margin) {
            return None;
        }
        let to = self.level_reached(market, pool, &margin);
        let from = self.pools[pool as usize].level.replace(Level::of(to)).map_or(0, Level::ppb);
        (from < to).then(|| Called { attention: self.attention(pool), margin, from, to })
    }

    /// A pool in liquidation is above every level: none is told when it is cured.
    pub(super) fn raise_level(&mut self, pool: u32) {
        self.pools[pool as usize].level = Some(Level::of(ONE)); // until it is looked at again
    }

    /// Tells every level that a pool has risen past, the lowest first.
    pub(crate) fn tell_calls(&self, market: &Market, called: &Called, mut tell: impl FnMut(Event)) {
        let Called { attention: Attention { account, name, pool, .. }, margin, from, to } = *called;
        let mut last = from;
        while let Some(level) = self.levels(market, pool).filter(|level| (last + 1..=to).contains(level)).min() {
            tell(Event::MarginCall {
                account,
                pool: name,
                equity: margin.equity,
                maintenance_margin: margin.maintenance,
                level_ppb: level,
            });
            last = level;
        }
    }

    /// Whether a pool that watches levels still has any; if not, it watches none from now on.
    pub(super) fn still_watches_levels(&mut self, market: &Market, pool: u32) -> bool {
        let any = self.levels(market, pool).next().is_some();
        if !any {
            // What it has reached is kept as long as none of its marks lives.
            let level = &mut self.pools[pool as usize].level;
            *level = level.filter(|reached| reached.ppb() > 0);
        }
        any
    }

    /// Sets the edges of a pool that watches levels, from its margin.
    pub(super) fn certify_levels(&mut self, market: &Market, pool: u32, margin: &Margin) {
        match self.room_of(market, pool, margin) {
            Some((room, notional)) => self.set_level_edges(market, pool, room, notional),
            None => self.pin(market, pool),
        }
    }

    /// How far a pool is from the next change of its state, and the notional of its positions with a mark; none if too
    /// little is left for any certificate, or a rate is not below the level.
    fn room_of(&self, market: &Market, pool: u32, margin: &Margin) -> Option<(Room, i128)> {
        let reached = self.pools[pool as usize].level.map_or(0, Level::ppb);
        let next = self.levels(market, pool).filter(|&level| level > reached).min().unwrap_or(ONE);
        let lowest = if reached > 0 { reached } else { next };
        let (mut envelope, mut notional) = (1, 0);
        for at in self.holdings_of(pool) {
            let holding = &self.holdings[at as usize];
            let instrument = self.rules(market, holding);
            if let (Some(mark), true) = (instrument.mark, holding.position.quantity != 0) {
                let tiers = &instrument.spec.tiers;
                // A rate by size has no row that is the highest: such a pool is looked at on every tick.
                let highest = tiers.mmr_ppb(tiers.tiers() - 1) + instrument.spec.close_fee_ppb();
                if tiers.slope().is_some() || highest >= u64::from(lowest) {
                    return None;
                }
                envelope += ROUNDING * i128::from(PPB);
                notional += instrument.notional(holding.position.quantity, mark);
            }
        }
        let at = |level: u32| i128::from(level) * margin.equity - margin.maintenance * i128::from(PPB);
        let room = Room { next, above: at(next) - envelope, reached, below: -at(reached) - envelope };
        (room.above >= 0 && (reached == 0 || room.below >= 0)).then_some((room, notional))
    }

    fn set_level_edges(&mut self, market: &Market, pool: u32, room: Room, notional: i128) {
        // Certified, with nothing to spare: whatever changes the pool uses it up.
        self.pools[pool as usize].slack = 0;
        let mut at = self.pools[pool as usize].first_holding;
        while let Some(holding) = self.holdings.get(at as usize) {
            let instrument = self.rules(market, holding);
            if let (Some(mark), true) = (instrument.mark, holding.position.quantity != 0) {
                let (position, id, next) = (holding.position, holding.instrument, holding.next);
                let part = instrument.notional(position.quantity, mark);
                let band = room.share(part, notional).band(instrument, &position, mark);
                self.bands.set(id, at, band);
                at = next;
            } else {
                at = holding.next;
            }
        }
    }

    /// A pool that watches levels keeps no slack through a change.
    pub(super) fn spend_slack(&mut self, pool: u32) {
        let record = &mut self.pools[pool as usize];
        if record.level.is_some() {
            record.slack = record.slack.min(UNCERTIFIED);
        }
    }

    /// A position in an instrument with levels was opened: its pool watches them.
    pub(super) fn watch_levels(&mut self, pool: u32, instrument: &Instrument) {
        if !instrument.spec.controls.margin_calls.is_empty() {
            self.pools[pool as usize].level.get_or_insert(Level::of(0));
        }
    }
}
