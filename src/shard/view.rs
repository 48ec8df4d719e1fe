//! What a shard shows: accounts, positions, ladders, totals. Read only, exact, and off the hot path.

use super::liq_price::{liquidation_price, liquidation_price_of_legs};
use super::liquidation::Cancelling;
use super::margin::{bankruptcy_price, entry_tick, maintenance};
use super::store::leverage_of;
use super::{Margin, Shard};
use crate::command::{MarginMode, PositionMode, PositionSide, Side};
use crate::event::PoolName;
use crate::market::{AssetId, InstrumentId, Market};
use crate::number::{Price, Quantity};
use crate::position::Position;

/// A pool at the present marks; amounts in quanta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolView {
    /// What it holds.
    pub name: PoolName,
    /// Equity and maintenance margin.
    pub margin: Margin,
    /// Initial margin; of a cross pool with its orders and with what it reserves for isolated instruments.
    pub initial: i128,
    /// `balance + min(0, Σ uPnL) − Σ IM`; none for an isolated pool.
    pub available: Option<i128>,
    /// Whether it is in liquidation.
    pub locked: bool,
}

/// A position at the present mark; amounts in quanta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionView {
    /// The instrument.
    pub instrument: InstrumentId,
    /// Size and cost.
    pub position: Position,
    /// `|V(q, mark)|`.
    pub notional: i128,
    /// `V(q, mark) − C`.
    pub unrealised: i128,
    /// The margin of an isolated position.
    pub margin: Option<i128>,
    /// In hundredths.
    pub leverage: u32,
    /// Initial margin of the position alone.
    pub initial: i128,
    /// Maintenance margin.
    pub maintenance: i128,
    /// The index of its tier, from 0.
    pub tier: usize,
    /// The mark nearest to the present one at which its pool is in breach if no other price moves, in ticks.
    pub liquidation_price: Option<i128>,
    /// The price at which closing costs exactly its share of the equity, in ticks; of an inverse contract there may be none.
    pub bankruptcy_price: Option<i128>,
}

/// An open order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderView {
    /// Its id.
    pub order: u64,
    /// The number of its acceptance.
    pub accepted: u64,
    /// The instrument.
    pub instrument: InstrumentId,
    /// Its side.
    pub side: Side,
    /// Lots left.
    pub rest: Quantity,
    /// Limit, in ticks.
    pub price: Price,
    /// Whether it may only reduce the position.
    pub reduce_only: bool,
    /// Which leg it concerns, in hedge mode.
    pub position_side: Option<PositionSide>,
}

/// Everything of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountView {
    /// Its id.
    pub account: u64,
    /// Balance by asset, in asset order, in quanta.
    pub balances: Vec<(AssetId, i128)>,
    /// Cross pools by asset, then isolated pools with a position by instrument.
    pub pools: Vec<PoolView>,
    /// Positions in instrument order, a long leg before its short one.
    pub positions: Vec<PositionView>,
    /// Open orders in order of acceptance.
    pub orders: Vec<OrderView>,
}

/// What would be liquidated at a price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LadderRung {
    /// Lots of long positions.
    pub long_lots: i128,
    /// Lots of short positions.
    pub short_lots: i128,
    /// Number of accounts.
    pub accounts: u64,
}

impl Shard {
    /// Visits every locked pool: its account, its name, whether its cancellation was acknowledged (none: it waits for
    /// none), and its order with whether the venue knows of it.
    pub(crate) fn for_each_locked(&self, mut visit: impl FnMut(u64, PoolName, Option<bool>, Option<(u32, bool)>)) {
        for (index, record) in self.pools.iter().enumerate().filter(|(_, record)| record.is_locked()) {
            let acknowledged = match self.cancelling(index as u32) {
                Cancelling::Requested => Some(false),
                Cancelling::Acknowledged { .. } => Some(true),
                Cancelling::NotYet | Cancelling::Done => None,
            };
            let standing = self.standing(index as u32).map(|standing| (standing.nth, standing.unknown));
            visit(self.accounts[record.account as usize].id, record.name, acknowledged, standing);
        }
    }

    /// The ids of all accounts, in order of creation.
    pub(crate) fn account_ids(&self) -> impl Iterator<Item = u64> + '_ {
        self.accounts.iter().map(|account| account.id)
    }

    /// The ids of the accounts in hedge mode.
    pub(crate) fn hedging(&self) -> impl Iterator<Item = u64> + '_ {
        let hedging = self.accounts.iter().filter(|account| account.positions == PositionMode::Hedge);
        hedging.map(|account| account.id)
    }

    /// Everything of an account.
    pub(crate) fn account_view(&self, market: &Market, account: u32) -> AccountView {
        let mut view = AccountView {
            account: self.accounts[account as usize].id,
            balances: Vec::new(),
            pools: Vec::new(),
            positions: Vec::new(),
            orders: Vec::new(),
        };
        for pool in self.pools_of(account) {
            if let PoolName::Cross(asset) = self.pools[pool as usize].name {
                view.balances.push((asset, self.pools[pool as usize].collateral));
            }
            view.pools.extend(self.pool_view(market, account, pool));
            for holding in self.holdings_of(pool) {
                view.positions.extend(self.position_view(market, holding));
                view.orders.extend(self.orders_of(holding).map(|order| self.order_view(holding, order)));
            }
        }
        view.positions.sort_unstable_by_key(|at| (at.instrument, at.position.quantity < 0));
        view.orders.sort_unstable_by_key(|order| order.accepted);
        view
    }

    fn pool_view(&self, market: &Market, account: u32, pool: u32) -> Option<PoolView> {
        let record = &self.pools[pool as usize];
        let margin = self.evaluate(market, pool);
        let (initial, available) = match record.name {
            PoolName::Cross(asset) => {
                let disposable = self.disposable(market, account, asset);
                (disposable.initial, Some(disposable.available))
            }
            PoolName::Isolated(..) if !margin.holds_position => return None,
            PoolName::Isolated(..) => {
                (self.holdings_of(pool).map(|holding| self.initial_of(market, holding)).sum(), None)
            }
        };
        Some(PoolView { name: record.name, margin, initial, available, locked: record.is_locked() })
    }

    /// Initial margin of a position alone, without orders.
    fn initial_of(&self, market: &Market, holding: u32) -> i128 {
        let holding = &self.holdings[holding as usize];
        let instrument = market.instrument(holding.instrument);
        let position = &holding.position;
        instrument.initial_margin(position.quantity, position.notional(instrument), leverage_of(market, holding))
    }

    fn position_view(&self, market: &Market, at: u32) -> Option<PositionView> {
        let holding = &self.holdings[at as usize];
        let position = holding.position;
        if position.quantity == 0 {
            return None;
        }
        let instrument = self.rules(market, holding);
        let margin = self.evaluate(market, holding.pool);
        let own = maintenance(instrument, &position);
        let notional = position.notional(instrument);
        Some(PositionView {
            instrument: holding.instrument,
            position,
            notional,
            unrealised: position.unrealised(instrument),
            margin: (self.mode(at) == MarginMode::Isolated).then(|| self.pools[holding.pool as usize].collateral),
            leverage: leverage_of(market, holding),
            initial: self.initial_of(market, at),
            maintenance: own,
            tier: instrument.spec.tiers.tier(notional),
            liquidation_price: self.liquidation_price_of(market, at),
            bankruptcy_price: bankruptcy_price(instrument, &position, margin.share(own)),
        })
    }

    fn liquidation_price_of(&self, market: &Market, at: u32) -> Option<i128> {
        let holding = &self.holdings[at as usize];
        let position = &holding.position;
        let instrument = self.rules(market, holding);
        let margin = self.evaluate(market, holding.pool);
        let part = |position: &Position| position.unrealised(instrument) - maintenance(instrument, position);
        let rest = margin.equity - margin.maintenance - part(position);
        let from = instrument.mark.unwrap_or_else(|| entry_tick(instrument, position));
        match self.leg_beside(at) {
            None => liquidation_price(instrument, position, rest, from),
            Some(leg) => {
                let other = &self.holdings[leg as usize].position;
                liquidation_price_of_legs(instrument, [position, other], rest - part(other), from)
            }
        }
    }

    /// The other leg of the same instrument, if the same pool holds it.
    fn leg_beside(&self, at: u32) -> Option<u32> {
        let pool = self.holdings[at as usize].pool;
        self.other_leg(at).filter(|&leg| {
            let leg = &self.holdings[leg as usize];
            leg.pool == pool && leg.position.quantity != 0
        })
    }

    fn order_view(&self, holding: u32, order: u32) -> OrderView {
        let record = &self.orders[order as usize];
        OrderView {
            order: record.id,
            accepted: record.accepted,
            instrument: self.holdings[holding as usize].instrument,
            side: record.side,
            rest: record.rest,
            price: record.price,
            reduce_only: record.reduce_only,
            position_side: self.holdings[holding as usize].side,
        }
    }

    /// Liquidation price and signed size of every position of an instrument whose pool is not in liquidation, and whether
    /// it counts as an account: of two legs with the same price only the long one does.
    pub(crate) fn rungs<'a>(
        &'a self,
        market: &'a Market,
        instrument: InstrumentId,
    ) -> impl Iterator<Item = (i128, Quantity, bool)> + 'a {
        self.holders[instrument.index()].iter().filter_map(move |&at| {
            let holding = &self.holdings[at as usize];
            if self.pools[holding.pool as usize].is_locked() {
                return None;
            }
            let price = self.liquidation_price_of(market, at)?;
            let long = self.other_leg(at).filter(|&leg| {
                let leg = &self.holdings[leg as usize];
                leg.position.quantity > 0 && !self.pools[leg.pool as usize].is_locked()
            });
            let counts = long.is_none_or(|long| self.liquidation_price_of(market, long) != Some(price));
            Some((price, holding.position.quantity, counts))
        })
    }

    /// Calls back with every pool's name and collateral.
    pub(crate) fn for_each_pool(&self, mut visit: impl FnMut(PoolName, i128)) {
        for pool in &self.pools {
            visit(pool.name, pool.collateral);
        }
    }

    /// Calls back with every position.
    pub(crate) fn for_each_position(&self, mut visit: impl FnMut(InstrumentId, &Position)) {
        for holding in self.holdings.iter().filter(|holding| holding.position.quantity != 0) {
            visit(holding.instrument, &holding.position);
        }
    }

    /// Calls back with the margin of every pool that holds a position, and whether it is in liquidation.
    pub(crate) fn for_each_margin(&self, market: &Market, mut visit: impl FnMut(&Margin, bool)) {
        for (index, record) in self.pools.iter().enumerate() {
            let margin = self.evaluate(market, index as u32);
            if margin.holds_position {
                visit(&margin, record.is_locked());
            }
        }
    }

    /// Number of pools.
    pub(crate) fn pools(&self) -> usize {
        self.pools.len()
    }

    /// Evaluates a pool in full, whatever its certificate says; true if it is in breach, has a living mark and is not
    /// locked: a miss, if it is asked between inputs.
    pub(crate) fn is_missed(&self, market: &Market, pool: usize) -> bool {
        let index = pool as u32;
        let unlocked = !self.pools[pool].is_locked();
        unlocked && self.evaluate(market, index).in_breach() && self.has_living_mark(market, index)
    }
}
