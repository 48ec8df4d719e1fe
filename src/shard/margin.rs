//! Exact evaluation: equity, maintenance and initial margin, and the prices derived from them.

use super::Shard;
use super::store::{Holding, OrderBook, leverage_of};
use crate::command::{MarginMode, PositionSide};
use crate::contract::{Unit, Valuation};
use crate::event::PoolName;
use crate::market::{AssetId, Instrument, InstrumentId, Market};
use crate::number::{LIMIT, Price, Quantity, div_ceil, div_floor, mul_div_floor};
use crate::position::Position;
use crate::tiers::TierRule;
use ethnum::I256;

/// A pool at the present marks, in quanta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Margin {
    /// Collateral and unrealised results.
    pub equity: i128,
    /// Maintenance margin.
    pub maintenance: i128,
    /// Whether there is any position.
    pub holds_position: bool,
}

impl Margin {
    /// Of a pool that holds nothing but its collateral.
    pub(super) fn of(collateral: i128) -> Self {
        Self { equity: collateral, ..Self::default() }
    }

    /// Whether the pool holds a position and its equity does not exceed its maintenance margin.
    #[must_use]
    #[inline]
    pub fn in_breach(&self) -> bool {
        self.holds_position && self.equity <= self.maintenance
    }

    /// The share of the equity of a position with maintenance margin `part`: `floor(E · MM_i / MM)`; all of it where nothing
    /// is required, which is so only of inverse positions without a mark that were opened for nothing.
    #[must_use]
    pub fn share(&self, part: i128) -> i128 {
        if self.maintenance == 0 {
            return self.equity;
        }
        mul_div_floor(self.equity, part, self.maintenance)
    }
}

/// What an account can dispose of in an asset, in quanta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Disposable {
    pub(super) initial: i128,
    pub(super) available: i128,
}

/// A position of the pool that was evaluated last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leg {
    pub(super) holding: u32,
    pub(super) instrument: InstrumentId,
    /// At the present mark, in quanta.
    pub(super) notional: i128,
    /// Its part of the pool's excess there.
    pub(super) excess: i128,
}

/// Maintenance margin of a position at the present mark.
#[inline]
pub(super) fn maintenance(instrument: &Instrument, position: &Position) -> i128 {
    instrument.maintenance_margin(position.quantity, position.notional(instrument))
}

/// A position's part of its pool's excess at `price`: `V(q, p) − C − MM`.
#[inline]
pub(super) fn excess_at(instrument: &Instrument, position: &Position, price: i64) -> i128 {
    let Valuation { value, notional } = instrument.valuation(position.quantity, price);
    value - position.cost - instrument.maintenance_margin(position.quantity, notional)
}

/// How far a position goes if all its orders of one side are filled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    /// Unsigned.
    pub(super) lots: i128,
    /// In quanta: the position at the mark, the orders at their limits.
    pub(super) notional: i128,
}

/// How far signed lots of this notional go with their buy orders, and with their sell orders: of the notionals the larger is
/// `N_io`.
pub(super) fn reaches_at(quantity: Quantity, notional: i128, book: &OrderBook) -> [Reach; 2] {
    let lots = i128::from(quantity);
    let signed = if quantity < 0 { -notional } else { notional };
    [
        Reach { lots: (lots + book.buy_lots).abs(), notional: (signed + book.buys).abs() },
        Reach { lots: (lots - book.sell_lots).abs(), notional: (signed - book.sells).abs() },
    ]
}

/// The farthest that signed lots of this notional go with their orders, in quanta.
///
/// What orders buy and sell is never negative, so of `|s + b|` and `|s − a|` the greater is `s + b` or `a − s`.
#[inline]
pub(super) fn farthest(quantity: Quantity, notional: i128, book: &OrderBook) -> i128 {
    debug_assert!(book.buys >= 0 && book.sells >= 0, "orders that reserve less than nothing: a kernel bug");
    let signed = if quantity < 0 { -notional } else { notional };
    (signed + book.buys).max(book.sells - signed)
}

/// The most that a position with its orders requires where its notional is one of two, the smaller one first, or between them;
/// none where that takes more than 64 bits.
///
/// The greatest of `|s + b|` and `|s − a|` is at an end of `s`, and what is required never falls as they rise.
#[inline]
pub(super) fn requirement_at(
    instrument: &Instrument,
    quantity: Quantity,
    notionals: [i64; 2],
    book: &OrderBook,
    leverage: u32,
) -> Option<i64> {
    if instrument.spec.tiers.slope().is_some() {
        let ends = notionals.map(|notional| reaches_at(quantity, notional.into(), book));
        let required = |reach: &Reach| instrument.initial_margin(reach.lots, reach.notional, leverage);
        return i64::try_from(ends.iter().flatten().map(required).max()?).ok();
    }
    // As `farthest`, in 64 bits.
    let [least, most] = notionals;
    let (lowest, highest) = if quantity < 0 { (-most, -least) } else { (least, most) };
    let bought = highest.checked_add(i64::try_from(book.buys).ok()?)?;
    let sold = i64::try_from(book.sells).ok()?.checked_sub(lowest)?;
    i64::try_from(instrument.initial_margin(quantity, bought.max(sold).into(), leverage)).ok()
}

/// What a holding takes from the cross pool's `available`: all of its initial margin, or, isolated, only the orders'.
pub(super) fn initial_requirement(
    instrument: &Instrument,
    position: &Position,
    book: &OrderBook,
    leverage: u32,
    mode: MarginMode,
) -> i128 {
    let required = |lots: i128, notional| instrument.initial_margin(lots, notional, leverage);
    // By notional alone a higher one requires more; where the lots count too, each way is asked.
    let notional = position.notional(instrument);
    let with_orders = if instrument.spec.tiers.slope().is_some() {
        let [buying, selling] = reaches_at(position.quantity, notional, book);
        required(buying.lots, buying.notional).max(required(selling.lots, selling.notional))
    } else {
        required(position.quantity.into(), farthest(position.quantity, notional, book))
    };
    match mode {
        MarginMode::Cross => with_orders,
        MarginMode::Isolated => (with_orders - required(position.quantity.into(), notional)).max(0),
    }
}

/// The price at which closing costs exactly the share, in ticks: a long's rounded up, a short's down, at least 1.
///
/// None where no price does: the value of an inverse contract keeps its sign, however far its price goes. An inverse
/// price stays below 2^62 ticks, like every price.
pub(super) fn bankruptcy_price(instrument: &Instrument, position: &Position, share: i128) -> Option<i128> {
    let value = position.value(instrument) - share;
    let lots = i128::from(position.quantity.abs());
    match instrument.spec.unit {
        Unit::Linear(unit) => {
            let per_tick = lots * i128::from(unit);
            let price = if position.quantity > 0 { div_ceil(value, per_tick) } else { div_floor(-value, per_tick) };
            Some(price.max(1))
        }
        Unit::Inverse { numerator, denominator } => {
            let size = if position.quantity > 0 { -value } else { value };
            if size <= 0 {
                return None;
            }
            let at_one = lots * i128::from(numerator);
            // A divisor beyond all numbers: the price is next to nothing.
            let divisor = size.saturating_mul(i128::from(denominator));
            let price = if position.quantity > 0 { div_ceil(at_one, divisor) } else { div_floor(at_one, divisor) };
            Some(price.clamp(1, LIMIT - 1))
        }
    }
}

/// The price at which the unrealised result is zero, rounded to the nearest tick, at least 1.
pub(super) fn entry_tick(instrument: &Instrument, position: &Position) -> Price {
    let (lots, cost) = (i128::from(position.quantity.abs()), position.cost.abs());
    let nearest = match instrument.spec.unit {
        Unit::Linear(unit) => {
            let per_tick = lots * i128::from(unit);
            div_floor(cost * 2 + per_tick, per_tick * 2)
        }
        Unit::Inverse { .. } if cost == 0 => i128::MAX,
        Unit::Inverse { numerator, denominator } => {
            let (at_one, cost) = (I256::from(lots * i128::from(numerator)), I256::from(cost) * I256::from(denominator));
            i128::try_from((at_one * 2 + cost).div_euclid(cost * 2)).unwrap_or(i128::MAX)
        }
    };
    Price::try_from(nearest.clamp(1, LIMIT - 1)).unwrap_or(Price::MAX)
}

/// How many terms of the maintenance margin are rounded by themselves: it is less than so many quanta above the exact one.
#[inline]
pub(super) fn rounded_terms(instrument: &Instrument) -> i128 {
    let deduction = i128::from(instrument.spec.tiers.rule() == TierRule::Marginal);
    1 + deduction + i128::from(instrument.spec.close_fee_ppb() > 0)
}

/// How much a position's excess can fall, in quanta, although its mark moves in its favour.
///
/// The exact margin `M*(N) = N · (mmr + fee) − D*` is continuous and rises more slowly than `N`. Rounding gives
/// `M* ≤ MM < M* + r`, where `r` is the number of terms that are rounded by themselves: `N · mmr`, under `marginal` the
/// deduction, and the fee if it is part of the margin.
///
/// *Its notional falls* (a linear short, an inverse long): `V = −N`. When `N` falls by 1, only `N · mmr − D*` can rise, at a
/// cap, since the fee is monotone by itself, and by less than 2, so by 1 at most. The whole quantum of `V` makes up for
/// that, and so for every further quantum: nothing is lost.
///
/// *Its notional rises* (a linear long): `V = N`, so `V − MM` lies less than `r` below a rising function, and, as a whole
/// number, can fall by `r − 1` at most.
///
/// *An inverse short*: `V` is the notional rounded down instead of up, so `V = N` or `V = N − 1`; between two marks
/// `N − V` can rise by 1, so one more is lost: `r`.
#[inline]
pub(super) fn rounding_loss(instrument: &Instrument, position: &Position) -> i128 {
    let rounded = rounded_terms(instrument);
    match (instrument.spec.unit, position.quantity > 0) {
        (Unit::Linear(_), true) => rounded - 1,
        (Unit::Linear(_), false) | (Unit::Inverse { .. }, true) => 0,
        (Unit::Inverse { .. }, false) => rounded,
    }
}

impl Shard {
    /// A pool's equity and maintenance margin at the present marks.
    pub(crate) fn evaluate(&self, market: &Market, pool: u32) -> Margin {
        let mut margin = Margin::of(self.pools[pool as usize].collateral);
        for holding in self.holdings_of(pool) {
            let holding = &self.holdings[holding as usize];
            if holding.position.quantity != 0 {
                self.add_position(market, holding, &mut margin);
            }
        }
        margin
    }

    /// As [`Shard::evaluate`], and notes the positions: who certifies the pool then has not to walk them again.
    pub(super) fn evaluate_legs(&mut self, market: &Market, pool: u32) -> Margin {
        self.evaluations += 1;
        let mut legs = std::mem::take(&mut self.legs);
        legs.clear();
        let record = &self.pools[pool as usize];
        let mut margin = Margin { equity: record.collateral, ..Margin::default() };
        for at in self.holdings_of(pool) {
            let holding = &self.holdings[at as usize];
            if holding.position.quantity == 0 {
                continue;
            }
            let (Valuation { value, notional }, required) = self.add_position(market, holding, &mut margin);
            let excess = value - holding.position.cost - required;
            legs.push(Leg { holding: at, instrument: holding.instrument, notional, excess });
        }
        self.legs = legs;
        margin
    }

    /// Adds a position to the margin of its pool; returns what it is worth and requires.
    #[inline]
    pub(super) fn add_position(&self, market: &Market, holding: &Holding, margin: &mut Margin) -> (Valuation, i128) {
        let instrument = self.rules(market, holding);
        let valuation = holding.position.valuation(instrument);
        let required = instrument.maintenance_margin(holding.position.quantity, valuation.notional);
        margin.equity += valuation.value - holding.position.cost;
        margin.maintenance += required;
        margin.holds_position = true;
        (valuation, required)
    }

    /// Initial margin and `available` of an account's cross pool: `balance + min(0, Σ uPnL) − Σ IM`; what instruments that count
    /// profits too have of them stands in place of the 0.
    pub(super) fn disposable(&self, market: &Market, account: u32, asset: AssetId) -> Disposable {
        let mut balance = 0;
        let mut unrealised = 0;
        let mut profits = 0; // of instruments that count them
        let mut initial = 0;
        for pool in self.pools_of(account) {
            let mode = match self.pools[pool as usize].name {
                PoolName::Cross(of) if of == asset => MarginMode::Cross,
                PoolName::Isolated(of, _) if market.instrument(of).spec.settle == asset => MarginMode::Isolated,
                _ => continue,
            };
            if mode == MarginMode::Cross {
                balance = self.pools[pool as usize].collateral;
            }
            // Of the legs of a cross pool, which stand side by side in its list, the larger one counts.
            let mut long_leg = 0;
            for index in self.holdings_of(pool) {
                let holding = &self.holdings[index as usize];
                let required = self.requirement_of(market, index, leverage_of(market, holding));
                initial += match (mode, holding.side) {
                    (MarginMode::Cross, Some(PositionSide::Long)) => {
                        long_leg = required;
                        required
                    }
                    (MarginMode::Cross, Some(PositionSide::Short)) => (required - long_leg).max(0),
                    _ => required,
                };
                if mode == MarginMode::Cross {
                    let instrument = market.instrument(holding.instrument);
                    let own = holding.position.unrealised(instrument);
                    unrealised += own;
                    if instrument.spec.controls.count_profits {
                        profits += own.max(0);
                    }
                }
            }
        }
        Disposable { initial, available: balance + unrealised.min(profits) - initial }
    }

    /// What a holding requires with its orders, at this leverage: see [`initial_requirement`].
    pub(super) fn requirement_of(&self, market: &Market, at: u32, leverage: u32) -> i128 {
        let holding = &self.holdings[at as usize];
        let (instrument, book) = (market.instrument(holding.instrument), self.order_book(at));
        initial_requirement(instrument, &holding.position, book, leverage, self.mode(at))
    }

    /// Whether any position of a pool has a mark that lives.
    pub(super) fn has_living_mark(&self, market: &Market, pool: u32) -> bool {
        self.holdings_of(pool).any(|holding| {
            let holding = &self.holdings[holding as usize];
            holding.position.quantity != 0 && market.instrument(holding.instrument).lives()
        })
    }
}
