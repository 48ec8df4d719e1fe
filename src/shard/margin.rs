//! Exact evaluation: equity, maintenance and initial margin, and the prices derived from them.

use super::Shard;
use super::store::OrderBook;
use crate::command::MarginMode;
use crate::event::PoolName;
use crate::market::{AssetId, Instrument, Market};
use crate::number::{PPB, Price, div_ceil, div_floor, mul_div_floor};
use crate::position::Position;
use crate::tiers::TierRule;

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
    /// Whether the pool holds a position and its equity does not exceed its maintenance margin.
    #[must_use]
    #[inline]
    pub fn in_breach(&self) -> bool {
        self.holds_position && self.equity <= self.maintenance
    }

    /// The share of the equity of a position with maintenance margin `part`: `floor(E · MM_i / MM)`.
    #[must_use]
    pub fn share(&self, part: i128) -> i128 {
        mul_div_floor(self.equity, part, self.maintenance)
    }
}

/// What an account can dispose of in an asset, in quanta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Disposable {
    pub(super) initial: i128,
    pub(super) available: i128,
}

/// Maintenance margin of a position at the present mark.
#[inline]
pub(super) fn maintenance(instrument: &Instrument, position: &Position) -> i128 {
    instrument.spec.tiers.maintenance_margin(position.value(instrument).abs())
}

/// A position's part of its pool's excess at `price`: `V(q, p) − C − MM`.
#[inline]
pub(super) fn excess_at(instrument: &Instrument, position: &Position, price: i64) -> i128 {
    let value = instrument.value(position.quantity, price);
    value - position.cost - instrument.spec.tiers.maintenance_margin(value.abs())
}

/// What a position and its orders require, whichever way the orders go: `IM(N_io)`.
pub(super) fn order_notional(instrument: &Instrument, position: &Position, book: &OrderBook) -> i128 {
    let signed = position.value(instrument).abs() * i128::from(position.quantity.signum());
    (signed + book.buys).abs().max((signed - book.sells).abs())
}

/// What a holding takes from the cross pool's `available`: all of its initial margin, or, isolated, only the orders'.
pub(super) fn initial_requirement(
    instrument: &Instrument,
    position: &Position,
    book: &OrderBook,
    leverage: u32,
    mode: MarginMode,
) -> i128 {
    let tiers = &instrument.spec.tiers;
    let with_orders = tiers.initial_margin(order_notional(instrument, position, book), leverage);
    match mode {
        MarginMode::Cross => with_orders,
        MarginMode::Isolated => {
            let own = tiers.initial_margin(position.value(instrument).abs(), leverage);
            (with_orders - own).max(0)
        }
    }
}

/// The price at which closing costs exactly the share, in ticks: a long's rounded up, a short's down, at least 1.
pub(super) fn bankruptcy_price(instrument: &Instrument, position: &Position, share: i128) -> i128 {
    let per_tick = i128::from(position.quantity.abs()) * i128::from(instrument.spec.unit);
    let value = position.value(instrument) - share;
    let price = if position.quantity > 0 { div_ceil(value, per_tick) } else { div_floor(-value, per_tick) };
    price.max(1)
}

/// The price at which the unrealised result is zero, rounded to the nearest tick, at least 1.
pub(super) fn entry_tick(instrument: &Instrument, position: &Position) -> Price {
    let per_tick = i128::from(position.quantity.abs()) * i128::from(instrument.spec.unit);
    let nearest = div_floor(position.cost.abs() * 2 + per_tick, per_tick * 2);
    Price::try_from(nearest.max(1)).unwrap_or(Price::MAX)
}

/// The tick nearest to `from` at which `rest + V(q, p) − C ≤ MM`: `rest` is what the pool has besides the position.
///
/// Within one tier row the excess is monotone in the price, so each row yields one interval of breaching prices, by
/// one division; across rows rounded deductions may break monotony, so every row is asked. Of two equally near
/// the lower; none if no positive price breaches.
pub(super) fn liquidation_price(instrument: &Instrument, position: &Position, rest: i128, from: Price) -> Option<i128> {
    let tiers = &instrument.spec.tiers;
    let per_tick = i128::from(position.quantity.abs()) * i128::from(instrument.spec.unit);
    let from = i128::from(from);
    let mut best: Option<i128> = None;
    for tier in 0..tiers.tiers() {
        let first = tiers.floor(tier) / per_tick + 1; // whole division of positives rounds down
        let last = tiers.ceiling(tier).map_or(i128::MAX, |cap| cap / per_tick);
        let base = rest - position.cost + tiers.deduction(tier);
        let rate = i128::from(tiers.mmr_ppb(tier));
        let ppb = i128::from(PPB);
        let (low, high) = if position.quantity > 0 {
            // base + floor(N · (1 − mmr)) ≤ 0
            (first, last.min(div_floor((1 - base) * ppb - 1, per_tick * (ppb - rate))))
        } else {
            // base − ceil(N · (1 + mmr)) ≤ 0
            (first.max(div_floor((base - 1) * ppb, per_tick * (ppb + rate)) + 1), last)
        };
        if low > high {
            continue;
        }
        let candidate = from.clamp(low, high);
        let nearer = best.is_none_or(|best| {
            let (new, old) = ((candidate - from).abs(), (best - from).abs());
            new < old || (new == old && candidate < best)
        });
        if nearer {
            best = Some(candidate);
        }
    }
    best
}

/// How much a position's excess can fall, in quanta, although its mark moves in its favour.
///
/// With the exact margin `M*(N) = N · mmr − D*`, which is continuous and rises more slowly than `N`, rounding gives
/// `M* ≤ MM < M* + 2` under `marginal`: a long's `V − MM` falls short of a rising function by less than 2, so it can
/// fall by 1. A short's `V` alone gains a whole quantum per tick, which makes up for it. Under `step`, where there is no
/// deduction and a band stays in its row, `M* ≤ MM < M* + 1`: nothing is lost.
#[inline]
pub(super) fn rounding_loss(instrument: &Instrument, position: &Position) -> i128 {
    i128::from(position.quantity > 0 && instrument.spec.tiers.rule() == TierRule::Marginal)
}

impl Shard {
    /// A pool's equity and maintenance margin at the present marks.
    pub(crate) fn evaluate(&self, market: &Market, pool: u32) -> Margin {
        let record = &self.pools[pool as usize];
        let mut margin = Margin { equity: record.collateral, ..Margin::default() };
        for holding in self.holdings_of(pool) {
            let holding = &self.holdings[holding as usize];
            if holding.position.quantity == 0 {
                continue;
            }
            let instrument = market.instrument(holding.instrument);
            let value = holding.position.value(instrument);
            margin.equity += value - holding.position.cost;
            margin.maintenance += instrument.spec.tiers.maintenance_margin(value.abs());
            margin.holds_position = true;
        }
        margin
    }

    /// Initial margin and `available` of an account's cross pool: `balance + min(0, Σ uPnL) − Σ IM`.
    pub(super) fn disposable(&self, market: &Market, account: u32, asset: AssetId) -> Disposable {
        let mut balance = 0;
        let mut unrealised = 0;
        let mut initial = 0;
        for pool in self.pools_of(account) {
            let mode = match self.pools[pool as usize].name {
                PoolName::Cross(of) if of == asset => MarginMode::Cross,
                PoolName::Isolated(of) if market.instrument(of).spec.settle == asset => MarginMode::Isolated,
                _ => continue,
            };
            if mode == MarginMode::Cross {
                balance = self.pools[pool as usize].collateral;
            }
            for index in self.holdings_of(pool) {
                let holding = &self.holdings[index as usize];
                let instrument = market.instrument(holding.instrument);
                let book = self.order_book(index);
                initial += initial_requirement(instrument, &holding.position, &book, holding.leverage, mode);
                if mode == MarginMode::Cross {
                    unrealised += holding.position.unrealised(instrument);
                }
            }
        }
        Disposable { initial, available: balance + unrealised.min(0) - initial }
    }

    /// Whether any position of a pool has a mark.
    pub(super) fn has_living_mark(&self, market: &Market, pool: u32) -> bool {
        self.holdings_of(pool).any(|holding| {
            let holding = &self.holdings[holding as usize];
            holding.position.quantity != 0 && market.instrument(holding.instrument).mark.is_some()
        })
    }
}
