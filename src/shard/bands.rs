//! Trigger bands: why a tick costs nothing.
//!
//! Every position has an *edge*, a mark on its adverse side, and every pool a certificate over the corner of its edges.
//! A position's part of the excess, `V − C − MM`, falls (but for rounding) only while its mark moves to its adverse
//! side. So the excess with every position at its own edge bounds the excess from below as long as every mark is
//! inside its edge. While that bound, less what rounding can take ([`rounding_loss`]), stays above zero, no tick that
//! crosses none of the pool's edges can put it in breach: never late, exactly. `slack` is what is left of the bound.
//!
//! An edge is the last certified mark: crossed means beyond it. Under `step` a long's margin jumps up at a cap while
//! its mark rises, so it has an edge on that side too, and the corner is taken within the row.
//!
//! An inverse contract's notional falls where its price rises. Its longs then gain and its shorts lose, as everywhere;
//! but it is a long whose margin rises on its adverse side, and a short that meets the caps on its favourable one. A short
//! can lose no more than its value: where the budget covers that, it has no edge, and its corner is at the highest price.
//!
//! A fill or a payment moves `slack` by what it changes in the corner and touches no edge; only when the slack is used
//! up is the pool evaluated and its edges set anew.

use super::edges::{ABSENT, Edge, Edges, Places};
use super::margin::{excess_at, rounding_loss};
use super::memory::room;
use super::quiet::Reaches;
use super::store::{Holding, UNCERTIFIED, slack_of};
use super::{Finder, Shard, Strategy};
use crate::contract::{Unit, Valuation};
use crate::market::{Instrument, InstrumentId, InstrumentSpec, MarkChange, Market};
use crate::number::{LIMIT, PPB, Price, Quantity, div_ceil, div_floor, mul_div_ceil, ppb_ceil};
use crate::position::Position;
use crate::tiers::TierRule;

/// The part of the spare excess that stays in the certificate, for fills and payments to use up: one in fifty.
const RESERVE_DIVISOR: i128 = 50;

/// Kept back from every position's budget: what rounding can add to the fall between mark and edge.
const ROUNDING_MARGIN: u64 = 3;

/// Edges left behind that are taken out one by one; more go together, with all that the mark has crossed.
const TOGETHER: usize = 64;

/// Crossed edges whose records are asked for together.
const CHUNK: usize = 128;

/// The highest price that an inverse contract can have.
pub(super) const HIGHEST: Price = (LIMIT - 1) as Price;

/// The edges of all instruments, by side.
#[derive(Debug)]
pub(super) struct Bands {
    /// Crossed by a mark below; keyed by the negated price, so that the highest comes first.
    lower: Vec<Edges>,
    /// Crossed by a mark above.
    upper: Vec<Edges>,
    places: Places,
    pub(super) reaches: Reaches,
    /// Kept for its room: places of edges that were crossed.
    found: Vec<u32>,
    /// Edges set, moved or taken out so far.
    updates: u64,
}

/// The prices within which a position is certified; none where no price crosses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Band {
    pub(super) lower: Option<Price>,
    pub(super) upper: Option<Price>,
}

impl Bands {
    pub(super) fn new(positions: usize) -> Self {
        let places = Vec::with_capacity(positions);
        Self {
            lower: Vec::new(),
            upper: Vec::new(),
            places,
            reaches: Reaches::default(),
            found: Vec::new(),
            updates: 0,
        }
    }

    pub(super) fn add_instrument(&mut self) {
        self.lower.push(Edges::new(Edge::Lower));
        self.upper.push(Edges::new(Edge::Upper));
        self.reaches.add_instrument();
    }

    pub(super) fn add_holding(&mut self) {
        self.places.push([ABSENT; 2]);
    }

    /// Makes room for the edges of so many holdings on either side: one that is closed may leave its edge behind.
    pub(super) fn reserve(&mut self, instrument: InstrumentId, holdings: usize) {
        self.lower[instrument.index()].reserve(holdings);
        self.upper[instrument.index()].reserve(holdings);
        self.found.clear();
        self.found.reserve(holdings);
    }

    /// Bytes, with the spare room.
    pub(super) fn room(&self) -> usize {
        let room_of = |edges: &Vec<Edges>| room(edges) + edges.iter().map(Edges::room).sum::<usize>();
        room_of(&self.lower) + room_of(&self.upper) + room(&self.places) + room(&self.found)
    }

    pub(super) fn updates(&self) -> u64 {
        self.updates
    }

    pub(super) fn set(&mut self, instrument: InstrumentId, holding: u32, band: Band) {
        let index = instrument.index();
        let lower = self.lower[index].put_at(&mut self.places, holding, band.lower.map(|price| -price));
        let upper = self.upper[index].put_at(&mut self.places, holding, band.upper);
        self.updates += u64::from(lower) + u64::from(upper);
        self.reaches.narrow(instrument, band);
    }

    pub(super) fn remove(&mut self, instrument: InstrumentId, holding: u32) {
        self.set(instrument, holding, Band { lower: None, upper: None });
    }

    /// Whether a mark has crossed any edge.
    #[inline]
    pub(super) fn is_crossed(&self, instrument: InstrumentId, mark: Price) -> bool {
        let index = instrument.index();
        self.lower[index].has_below(-mark) || self.upper[index].has_below(mark)
    }

    /// Whether a mark has crossed no edge: then none does until it leaves `range` or comes to the nearest.
    #[inline]
    fn find_reach(&mut self, instrument: InstrumentId, mark: Price, range: [Price; 2]) -> bool {
        let calm = !self.is_crossed(instrument, mark);
        if calm {
            let index = instrument.index();
            let lower = self.lower[index].nearest().map(|key| -key);
            let nearest = Band { lower, upper: self.upper[index].nearest() };
            self.reaches.set(instrument, nearest, range);
        }
        calm
    }

    /// Adds the holdings whose edges a mark has crossed.
    fn collect(&mut self, instrument: InstrumentId, mark: Price, crossed: &mut Vec<u32>) {
        let Self { lower, upper, found, .. } = self;
        for (edges, key) in [(&lower[instrument.index()], -mark), (&upper[instrument.index()], mark)] {
            edges.find_below(key, found);
            crossed.extend(found.iter().map(|&place| edges.holding(place)));
        }
    }

    /// Takes out all edges that a mark has crossed.
    fn remove_crossed(&mut self, instrument: InstrumentId, mark: Price) {
        let Self { lower, upper, places, found, updates, .. } = self;
        for (edges, key) in [(&mut lower[instrument.index()], -mark), (&mut upper[instrument.index()], mark)] {
            edges.find_below(key, found);
            *updates += found.len() as u64;
            edges.remove_found(places, found);
        }
    }

    /// Where the edges of a holding stand: asked for in advance.
    #[inline]
    pub(super) fn place(&self, holding: u32) -> u32 {
        self.places[holding as usize][0]
    }

    /// The adverse edge of a certified position: its worst mark inside the band.
    fn adverse_edge(&self, instrument: InstrumentId, unit: Unit, holding: u32, long: bool) -> Option<Price> {
        if long {
            let key = self.lower[instrument.index()].key(&self.places, holding);
            adverse(unit, long, key.map(|key| -key), None)
        } else {
            adverse(unit, long, None, self.upper[instrument.index()].key(&self.places, holding))
        }
    }
}

/// The band over which a position's part of the excess falls by at most `budget` quanta.
fn band_for(instrument: &Instrument, position: &Position, mark: Price, budget: u64) -> Band {
    let budget = budget.saturating_sub(ROUNDING_MARGIN);
    match instrument.spec.unit {
        Unit::Linear(unit) => linear_band(&instrument.spec, position.quantity, unit, mark, budget),
        Unit::Inverse { numerator, denominator } => {
            let size = InverseSize { at_one: i128::from(position.quantity.abs()) * i128::from(numerator), denominator };
            inverse_band(&instrument.spec, position.quantity > 0, size, mark, i128::from(budget))
        }
    }
}

/// The rate at which the margin rises with the notional up to there, in parts per billion, rounded up; at most one.
#[inline]
fn rate_ppb(spec: &InstrumentSpec, quantity: Quantity, notional: i128) -> u64 {
    let own = match spec.tiers.slope() {
        None => spec.tiers.mmr_ppb(spec.tiers.tier(notional)),
        Some(slope) if spec.unit.is_inverse() => slope.marginal_rate(notional).ppb_up(PPB),
        Some(slope) => slope.maintenance_rate(i128::from(quantity.abs())).ppb_up(PPB),
    };
    (own + spec.close_fee_ppb()).min(PPB)
}

fn linear_band(spec: &InstrumentSpec, quantity: Quantity, unit: i64, mark: Price, budget: u64) -> Band {
    let tiers = &spec.tiers;
    let per_tick = (i128::from(quantity.abs()) * i128::from(unit)) as u64; // below 2^62
    let notional_at = |price: u64| i128::from(price) * i128::from(per_tick);
    // Under `step` no band leaves its row: there the margin jumps.
    let row = (tiers.rule() == TierRule::Step).then(|| {
        let tier = tiers.tier(notional_at(mark as u64));
        let first = tiers.floor(tier) as u64 / per_tick + 1;
        let last = tiers.ceiling(tier).map(|cap| (cap as u64 / per_tick) as Price);
        (first as Price, last)
    });
    if quantity > 0 {
        if tiers.rule() == TierRule::Linear && rate_ppb(spec, quantity, 0) >= PPB {
            return Band { lower: Some(mark), upper: Some(mark) }; // so large that its margin rises faster than its value
        }
        // The margin only falls with the price: at most one quantum is lost per quantum of value.
        let steps = Price::try_from(budget / per_tick).unwrap_or(Price::MAX);
        let first = row.map_or(1, |(first, _)| first);
        let lower = mark.saturating_sub(steps).max(first);
        Band { lower: (lower > 1).then_some(lower), upper: row.and_then(|(_, last)| last) }
    } else {
        // Value and margin both go against it; budget · (1 − mmr) is less than budget / (1 + mmr), without dividing twice.
        let highest = (LIMIT as u64 - 1) / per_tick;
        let edge_at = |rate_ppb: u64| {
            let room = budget - ppb_ceil(budget, rate_ppb).min(budget);
            (mark as u64).saturating_add(room / per_tick).min(highest)
        };
        let rate = rate_ppb(spec, quantity, notional_at(mark as u64));
        let mut edge = edge_at(rate);
        let reached = rate_ppb(spec, quantity, notional_at(edge));
        if reached != rate {
            edge = edge_at(reached); // the higher row's rate: nearer, so no row above it is reached
        }
        let last = row.and_then(|(_, last)| last).unwrap_or(Price::MAX);
        Band { lower: None, upper: Some((edge as Price).min(last).max(mark)) }
    }
}

/// The exact size of an inverse position: `at_one / (p · denominator)` quanta of its coin.
#[derive(Clone, Copy)]
struct InverseSize {
    at_one: i128,
    denominator: i64,
}

impl InverseSize {
    /// The lowest price at which the size is at most `quanta`, which is at least 1: below it the notional is more.
    fn lowest_within(self, quanta: i128) -> Price {
        let price = div_ceil(self.at_one, quanta.saturating_mul(i128::from(self.denominator)));
        Price::try_from(price).unwrap_or(Price::MAX)
    }

    /// The highest price at which the size is at least `quanta`, which is at least 1.
    fn highest_reaching(self, quanta: i128) -> Price {
        let price = div_floor(self.at_one, quanta.saturating_mul(i128::from(self.denominator)));
        Price::try_from(price).unwrap_or(Price::MAX)
    }

    /// Rounded down, and up.
    fn at(self, mark: Price) -> (i128, i128) {
        let divisor = i128::from(mark) * i128::from(self.denominator);
        (div_floor(self.at_one, divisor), div_ceil(self.at_one, divisor))
    }
}

/// As [`linear_band`], with the notional in the place of the price: it falls where the price rises.
fn inverse_band(spec: &InstrumentSpec, long: bool, size: InverseSize, mark: Price, budget: i128) -> Band {
    let tiers = &spec.tiers;
    let (floor, notional) = size.at(mark);
    let tier = tiers.tier(notional);
    let in_row = tiers.rule() == TierRule::Step;
    // The cap of the row, where the margin jumps up, lies at the lowest price of the row.
    let cap = if in_row { tiers.ceiling(tier) } else { None };
    if long {
        // Value and margin both go against it, as they do for a linear short.
        let reach = |rate_ppb: u64| {
            let room = budget - mul_div_ceil(budget, i128::from(rate_ppb), i128::from(PPB)).min(budget);
            (notional + room).min(LIMIT - 1)
        };
        let rate = rate_ppb(spec, 1, notional);
        let mut most = reach(rate);
        let reached = rate_ppb(spec, 1, most);
        if reached != rate {
            most = reach(reached);
        }
        let lower = size.lowest_within(most.min(cap.unwrap_or(most))).min(mark);
        Band { lower: (lower > 1).then_some(lower), upper: None }
    } else {
        // Where the rate rises with the notional, the margin must not come to rise faster than the value.
        let slowest = tiers.slope().map(|slope| slope.steps_below_one(2, spec.close_fee_ppb()).unwrap_or(0));
        if slowest.is_some_and(|most| most < notional) {
            return Band { lower: Some(mark), upper: Some(mark) };
        }
        // Its value falls with the price's rise, at most to nothing, and the margin only falls with it.
        let least = floor - budget;
        let upper = match (budget > 0, least > 0) {
            (false, _) => Some(mark),
            (true, true) => Some(size.highest_reaching(least).max(mark)),
            (true, false) => None,
        };
        // Of a row the notional is above its floor: the size is above what has that notional.
        let row_end = (in_row && tier > 0).then(|| (size.lowest_within(tiers.floor(tier)) - 1).max(mark));
        let upper = upper.into_iter().chain(row_end).min();
        let upper = upper.filter(|&upper| i128::from(upper) < LIMIT - 1);
        let lower = cap.or(slowest).map(|most| size.lowest_within(most));
        Band { lower: lower.filter(|&lower| lower > 1), upper }
    }
}

/// The worst mark inside a band, at which the corner is taken.
fn adverse(unit: Unit, long: bool, lower: Option<Price>, upper: Option<Price>) -> Option<Price> {
    match (unit, long) {
        (_, true) => Some(lower.unwrap_or(1)), // without an edge every positive price is inside
        (Unit::Linear(_), false) => upper,
        (Unit::Inverse { .. }, false) => Some(upper.unwrap_or(HIGHEST)),
    }
}

impl Shard {
    /// A mark changed: finds every pool that this could have put in breach and leaves it among the touched.
    ///
    /// While a mark is frozen it stands still, and so inside every edge: certificates hold, and edges fire not.
    #[inline]
    pub(crate) fn on_mark(&mut self, market: &Market, instrument: InstrumentId, change: MarkChange) {
        self.note_range(market, instrument);
        self.sight.pass_mark();
        let Some(mark) = market.instrument(instrument).living_mark() else { return };
        if change.revives() {
            self.revive(instrument);
            return;
        }
        if change != MarkChange::Moved {
            return;
        }
        if self.finder.sets_edges()
            && self.sweep.pools() == 0
            && self.bands.find_reach(instrument, mark, self.range(instrument))
        {
            return;
        }
        match self.finder {
            Finder::Strategy(Strategy::Bands) => {
                if self.bands.is_crossed(instrument, mark) {
                    self.cross(instrument, mark);
                }
            }
            Finder::Strategy(Strategy::Adaptive) => self.adapt(instrument, mark),
            Finder::Strategy(Strategy::Sweep) => {
                self.sweep(instrument, mark);
            }
            Finder::Strategy(Strategy::Dense) => self.scan(market, instrument),
            Finder::Foresight => self.follow_foresight(),
        }
    }

    /// Touches every pool with an edge that a mark has crossed, and returns how many edges those are. They stay where they
    /// are: who is certified anew moves its edge. Those of positions that are closed, and of pools that are locked or swept,
    /// were left behind when that began, and are taken out now.
    pub(super) fn cross(&mut self, instrument: InstrumentId, mark: Price) -> usize {
        let mut crossed = std::mem::take(&mut self.crossed);
        self.bands.collect(instrument, mark, &mut crossed);
        let mut left_behind = std::mem::take(&mut self.left_behind);
        for chunk in crossed.chunks(CHUNK) {
            if chunk.len() > 1 {
                self.warm_crossed(chunk);
            }
            for &holding in chunk {
                let Holding { pool, position, .. } = self.holdings[holding as usize];
                let record = &mut self.pools[pool as usize];
                if position.quantity == 0 || record.is_locked() || record.slot().is_some() {
                    left_behind.push(holding);
                } else {
                    record.slack = UNCERTIFIED;
                    self.touch(pool);
                }
            }
        }
        let live = crossed.len() - left_behind.len();
        if left_behind.len() > TOGETHER {
            self.bands.remove_crossed(instrument, mark);
        } else {
            for &holding in &left_behind {
                self.bands.remove(instrument, holding);
            }
        }
        crossed.clear();
        left_behind.clear();
        (self.crossed, self.left_behind) = (crossed, left_behind);
        live
    }

    /// Reads the records of holdings, then those of their pools: loads that do not depend on each other, in loops so short that
    /// many are under way at once.
    fn warm_crossed(&self, holdings: &[u32]) {
        let mut read = 0;
        for &holding in holdings {
            read ^= self.holdings[holding as usize].pool;
        }
        for &holding in holdings {
            read ^= self.pools[self.holdings[holding as usize].pool as usize].first_holding;
        }
        std::hint::black_box(read);
    }

    /// Evaluates every holder of an instrument.
    fn scan(&mut self, market: &Market, instrument: InstrumentId) {
        for at in 0..self.holders[instrument.index()].len() {
            let holding = self.holders[instrument.index()][at];
            let pool = self.holdings[holding as usize].pool;
            if self.pools[pool as usize].is_locked() {
                continue;
            }
            let margin = self.evaluate_counted(market, pool);
            if margin.in_breach() || self.level_changes(market, pool, &margin) {
                self.touch(pool);
            }
        }
    }

    /// The mark of an instrument came to life: every holder is looked at, the locked ones too.
    pub(super) fn revive(&mut self, instrument: InstrumentId) {
        for at in 0..self.holders[instrument.index()].len() {
            let holding = self.holders[instrument.index()][at];
            let pool = self.holdings[holding as usize].pool;
            self.void_certificate(pool);
            self.touch(pool);
        }
        self.sweep.clear(instrument);
    }

    /// Sets the edges and the slack of a pool that was just evaluated, with the legs that are noted, and is not in breach.
    pub(super) fn certify(&mut self, market: &Market, pool: u32, excess: i128) {
        debug_assert!(excess > 0, "certify a pool in breach: a kernel bug");
        let mut envelope = 1;
        let mut notional = 0;
        let mut live: u32 = 0;
        for leg in &self.legs {
            let holding = &self.holdings[leg.holding as usize];
            let instrument = self.rules(market, holding);
            if instrument.mark.is_some() {
                envelope += rounding_loss(instrument, &holding.position);
                notional += leg.notional;
                live += 1;
            }
        }
        let spare = excess - envelope;
        if spare < 0 {
            self.pin(market, pool);
            return;
        }
        let reserve = if live > 1 { spare / RESERVE_DIVISOR } else { 0 };
        let fall = self.spread(market, spare - reserve, notional);
        self.pools[pool as usize].slack = slack_of(spare - fall);
        if spare < fall {
            self.pin(market, pool);
        }
    }

    /// Splits a budget over the noted legs by notional, sets their edges, and returns how much they can fall.
    fn spread(&mut self, market: &Market, budget: i128, notional: i128) -> i128 {
        let mut fall = 0;
        for at in 0..self.legs.len() {
            let leg = self.legs[at];
            let holding = &self.holdings[leg.holding as usize];
            let instrument = self.rules(market, holding);
            if let Some(mark) = instrument.mark {
                let position = holding.position;
                let budget = if leg.notional == notional { budget } else { weighted(budget, leg.notional, notional) };
                let band = band_for(instrument, &position, mark, budget.min(LIMIT) as u64);
                self.bands.set(leg.instrument, leg.holding, band);
                let worst =
                    adverse(instrument.spec.unit, position.quantity > 0, band.lower, band.upper).unwrap_or(mark);
                fall += leg.excess - excess_at(instrument, &position, worst);
            }
        }
        fall
    }

    /// Both edges at the mark: too little is spare for any certificate, so every move of any mark is looked at.
    pub(super) fn pin(&mut self, market: &Market, pool: u32) {
        self.pools[pool as usize].slack = UNCERTIFIED;
        let mut at = self.pools[pool as usize].first_holding;
        while let Some(holding) = self.holdings.get(at as usize) {
            if let (Some(mark), true) = (market.instrument(holding.instrument).mark, holding.position.quantity != 0) {
                self.bands.set(holding.instrument, at, Band { lower: Some(mark), upper: Some(mark) });
            }
            at = holding.next;
        }
    }

    /// A pool is locked: it is not certified, nor swept. Its edges are left behind: many no mark will ever cross.
    pub(super) fn unwatch(&mut self, pool: u32) {
        self.leave_sweep(pool);
        self.pools[pool as usize].slack = UNCERTIFIED;
    }

    /// By how much the certificate of a pool changes with a position of it, in quanta: its part is its excess at its adverse
    /// edge, which stays where it is. None if that cannot be certified.
    pub(super) fn corner_change(
        &self,
        instrument: &Instrument,
        holding: u32,
        before: &Position,
        after: &Position,
    ) -> Option<i128> {
        if before.quantity.signum() != after.quantity.signum() && after.quantity != 0 {
            return None; // opened, or on the other side: it has no edge there yet
        }
        if before.quantity == 0 {
            return Some(0);
        }
        if instrument.mark.is_none() || instrument.spec.tiers.rule() != TierRule::Marginal {
            return None; // its row, its rate, or the absence of an edge, depends on the size: set anew after a change
        }
        let id = self.holdings[holding as usize].instrument;
        let edge = self.bands.adverse_edge(id, instrument.spec.unit, holding, before.quantity > 0)?;
        let part = |position: &Position| {
            let Valuation { value, notional } = instrument.valuation(position.quantity, edge);
            let margin = instrument.maintenance_margin(position.quantity, notional);
            (notional < LIMIT).then(|| value - position.cost - margin)
        };
        let to = if after.quantity == 0 { rounding_loss(instrument, before) } else { part(after)? };
        Some(to - part(before)?)
    }
}

/// `floor(budget · part / whole)` for positives: a weight, not money.
fn weighted(budget: i128, part: i128, whole: i128) -> i128 {
    crate::number::mul_div_floor(budget, part, whole)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::decimal::Grid;
    use crate::market::{AssetId, FundId, InstrumentSpec};
    use crate::slope::{SizeStep, Slope};
    use crate::tiers::{TierRow, TierTable};

    pub(in crate::shard) fn instrument(tiers: &TierTable, unit: Unit, fee: i64) -> Instrument {
        let grid = Grid::decimals(0);
        let mut spec = InstrumentSpec::new("X", AssetId(0), FundId(0), (grid, grid), unit, tiers.clone());
        (spec.close_fee_in_mm, spec.taker_fee_ppb) = (fee > 0, fee);
        Instrument::new(spec)
    }

    pub(in crate::shard) fn tables(rule: TierRule) -> Vec<TierTable> {
        let rates = [1, 100_000_000, 333_333_333, 500_000_000, 899_999_999];
        let mut tables = Vec::new();
        for (i, &first) in rates.iter().enumerate() {
            if rule == TierRule::Linear {
                for (slope_ppb, numerator) in [(0, 1), (1_000_000, 7), (90_000_000, 1), (400_000_000, 1)] {
                    let step = SizeStep { numerator, denominator: 2 };
                    let slope = Slope { base_ppb: first, slope_ppb, im_base_ppb: first + 1, step };
                    tables.push(TierTable::linear(slope).unwrap());
                }
                continue;
            }
            for &second in &rates[i..] {
                for cap in [1, 7, 20] {
                    let row = |cap, mmr_ppb| TierRow { cap, mmr_ppb, max_leverage: 100, deduction: None };
                    let rows = [row(cap, first), row(cap * 2, second), row(cap * 3, second)];
                    tables.push(TierTable::new(rule, &rows).unwrap());
                }
            }
        }
        tables
    }

    const UNITS: [Unit; 6] = [
        Unit::Linear(1),
        Unit::Linear(3),
        Unit::Inverse { numerator: 1, denominator: 1 },
        Unit::Inverse { numerator: 30, denominator: 1 },
        Unit::Inverse { numerator: 100, denominator: 7 },
        Unit::Inverse { numerator: 420, denominator: 1 },
    ];

    /// All small domains: rates, caps, sizes, units, marks, budgets. Inside its band no price is worse than the
    /// adverse edge by more than the rounding loss, and the fall to the edge stays within the budget. And the loss that
    /// is allowed for occurs.
    #[test]
    fn no_price_inside_a_band_is_worse_than_its_edge() {
        let mut checked = 0u64;
        for unit in UNITS {
            for rule in [TierRule::Marginal, TierRule::Step, TierRule::Linear] {
                for fee in [0, 77_000_001] {
                    let mut lost = [0; 2];
                    for table in tables(rule) {
                        checked += check_domain(&instrument(&table, unit, fee), &mut lost);
                    }
                    println!("{unit:?}, {rule:?}, fee {fee}: a short loses at most {}, a long {}", lost[0], lost[1]);
                }
            }
        }
        println!("{checked} prices checked");
        assert!(checked > 1_000_000);
    }

    /// However much a short may lose, its edge is no price at which its notional could not be told.
    #[test]
    fn no_edge_is_beyond_what_can_be_told() {
        let most = (LIMIT - 1) as u64;
        for unit in [1, 3] {
            for mark in [1, 10_000_000_000, (LIMIT / 3 - 1) as Price] {
                let short = Position { quantity: -1, cost: 0 };
                let instrument = instrument(&tables(TierRule::Marginal)[0], Unit::Linear(unit), 0);
                let edge = band_for(&instrument, &short, mark, most).upper.unwrap();
                assert!(i128::from(edge) * i128::from(unit) < LIMIT, "{edge} of {unit} at {mark}");
            }
        }
    }

    fn check_domain(instrument: &Instrument, lost: &mut [i128; 2]) -> u64 {
        let mut checked = 0;
        for quantity in [-3i64, -1, 1, 2] {
            let position = Position { quantity, cost: 0 };
            let loss = rounding_loss(instrument, &position);
            for mark in 1..24 {
                let here = excess_at(instrument, &position, mark);
                for budget in [0u64, 1, 3, 10, 40] {
                    let band = band_for(instrument, &position, mark, budget);
                    let long = quantity > 0;
                    let edge = adverse(instrument.spec.unit, long, band.lower, band.upper).unwrap();
                    let worst = excess_at(instrument, &position, edge);
                    assert!(here - worst <= i128::from(budget), "{position:?} {mark} {budget} {band:?}");
                    assert!(
                        band.lower.is_none_or(|lower| lower <= mark) && band.upper.is_none_or(|upper| upper >= mark)
                    );
                    for price in band.lower.unwrap_or(1)..=band.upper.unwrap_or(500).min(500) {
                        let below = worst - excess_at(instrument, &position, price);
                        assert!(below <= loss, "{:?} {position:?} {price} {band:?}", instrument.spec);
                        lost[usize::from(long)] = lost[usize::from(long)].max(below);
                        checked += 1;
                    }
                }
            }
        }
        checked
    }
}
