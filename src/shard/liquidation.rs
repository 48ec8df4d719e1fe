//! Liquidation of one pool, as far as it concerns that pool alone: lock, cancel, choose the next order.
//!
//! What touches a fund or other accounts leaves here as a [`Claim`], for the arbiter.

use super::margin::bankruptcy_price;
use super::store::{NO_LIQUIDATION, NONE};
use super::{Margin, Shard};
use crate::command::Side;
use crate::event::{Cause, Event, Events, Outcome, PoolName, Step};
use crate::market::{FundId, InstrumentId, Market};
use crate::number::{Price, Quantity, charge, mul_div_floor};

/// The state of a locked pool.
#[derive(Debug, Default)]
pub(super) struct Liquidation {
    /// The order that stands at the venue.
    standing: Option<Standing>,
    /// What the venue did not fill of the last order: the holding, and lots.
    unfilled: Option<(u32, Quantity)>,
    cancelled: bool,
}

/// A liquidation order at the venue.
#[derive(Clone, Copy, Debug)]
struct Standing {
    id: u64,
    holding: u32,
    rest: Quantity,
    limit: Price,
    side: Side,
}

/// An order for the venue, before it has its number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderRequest {
    pub(crate) instrument: InstrumentId,
    pub(crate) side: Side,
    pub(crate) quantity: Quantity,
    pub(crate) limit: Price,
    pub(crate) step: Step,
    holding: u32,
}

/// Lots of a bankrupt pool that somebody else must take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) account: u64,
    pub(crate) instrument: InstrumentId,
    /// Signed as the position: what the taker's position gains.
    pub(crate) quantity: Quantity,
    /// `E_k`: what passes of the pool's equity, in quanta.
    pub(crate) share: i128,
    /// In ticks; the bankruptcy price of the whole position.
    pub(crate) price: i128,
    holding: u32,
}

/// What a locked pool does next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Advance {
    /// It is over; if a deficit is left, the fund makes it good.
    Ended {
        /// Who bears the deficit, and how much, in quanta.
        deficit: Option<(FundId, i128)>,
    },
    /// It waits for a mark to come to life.
    Stuck,
    /// It sends an order.
    Order(OrderRequest),
    /// It gives lots up.
    Claim(Claim),
}

/// The order for which a pool waits, as the venue knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) id: u64,
    pub(crate) instrument: InstrumentId,
    pub(crate) rest: Quantity,
    pub(crate) limit: Price,
    pub(crate) side: Side,
}

impl Shard {
    /// Locks a pool in breach and announces it; if no mark of its positions lives, announces only that.
    pub(crate) fn announce(&mut self, market: &Market, pool: u32, cause: Cause, events: &mut Events) -> bool {
        let account = self.accounts[self.pools[pool as usize].account as usize].id;
        let name = self.pools[pool as usize].name;
        if !self.has_living_mark(market, pool) {
            if !std::mem::replace(&mut self.pools[pool as usize].suppressed, true) {
                events.push(Event::LiquidationSuppressed { account, pool: name });
            }
            return false;
        }
        let margin = self.evaluate(market, pool);
        self.unwatch(pool);
        let index = self.free_liquidations.pop().unwrap_or_else(|| {
            self.liquidations.push(Liquidation::default());
            self.liquidations.len() as u32 - 1
        });
        self.liquidations[index as usize] = Liquidation::default();
        self.pools[pool as usize].liquidation = index;
        events.push(Event::LiquidationStarted {
            account,
            pool: name,
            equity: margin.equity,
            maintenance_margin: margin.maintenance,
            cause,
        });
        true
    }

    /// Whether a locked pool waits for nothing.
    pub(super) fn is_ready(&self, pool: u32) -> bool {
        self.liquidation(pool).standing.is_none()
    }

    fn liquidation(&self, pool: u32) -> &Liquidation {
        &self.liquidations[self.pools[pool as usize].liquidation as usize]
    }

    fn liquidation_mut(&mut self, pool: u32) -> &mut Liquidation {
        &mut self.liquidations[self.pools[pool as usize].liquidation as usize]
    }

    /// Takes a locked pool that waits for nothing one step further.
    pub(crate) fn advance(&mut self, market: &Market, pool: u32, events: &mut Events) -> Advance {
        let margin = self.evaluate_counted(market, pool);
        if !margin.holds_position {
            return self.close_pool(market, pool, margin.equity, events);
        }
        if !margin.in_breach() {
            self.unlock(pool, Outcome::Cured, margin.equity, events);
            return Advance::Ended { deficit: None };
        }
        if !std::mem::replace(&mut self.liquidation_mut(pool).cancelled, true) {
            self.cancel_orders_of_pool(market, pool, events);
        }
        if let Some((holding, lots)) = self.liquidation_mut(pool).unfilled.take() {
            let left = lots.min(self.holdings[holding as usize].position.quantity.abs());
            if left > 0 {
                return Advance::Claim(self.claim(market, margin, holding, left));
            }
        }
        let Some(holding) = self.largest(market, pool) else { return Advance::Stuck };
        let request = if margin.equity < 0 { None } else { self.reduction(market, margin, holding) };
        request.map_or_else(
            || {
                let whole = self.holdings[holding as usize].position.quantity.abs();
                Advance::Claim(self.claim(market, margin, holding, whole))
            },
            Advance::Order,
        )
    }

    /// The holding with the largest maintenance margin among those with a mark, of equals the lowest instrument's.
    fn largest(&self, market: &Market, pool: u32) -> Option<u32> {
        let mut best: Option<(i128, u32)> = None;
        for at in self.holdings_of(pool) {
            let holding = &self.holdings[at as usize];
            if holding.position.quantity == 0 || market.instrument(holding.instrument).mark.is_none() {
                continue;
            }
            let maintenance = self.maintenance_of(market, at);
            if best.is_none_or(|(largest, _)| maintenance > largest) {
                best = Some((maintenance, at)); // holdings are in instrument order
            }
        }
        best.map(|(_, at)| at)
    }

    /// The order that the instrument's policy asks for; none: over to the takeover.
    fn reduction(&self, market: &Market, margin: Margin, at: u32) -> Option<OrderRequest> {
        let holding = &self.holdings[at as usize];
        let instrument = market.instrument(holding.instrument);
        let mark = instrument.mark?;
        let held = holding.position.quantity.abs();
        let tiers = &instrument.spec.tiers;
        let tier = tiers.tier(instrument.value(held, mark));
        let (step, quantity) = if instrument.spec.reduce.tier && tier > 0 {
            let kept = tiers.floor(tier) / instrument.value(1, mark); // rounds down: at most the cap stays
            (Step::Tier, held - kept as Quantity)
        } else if instrument.spec.reduce.all {
            (Step::All, held)
        } else {
            return None;
        };
        let share = margin.share(self.maintenance_of(market, at));
        let limit = bankruptcy_price(instrument, &holding.position, share);
        let side = Side::closing(holding.position.quantity);
        Some(OrderRequest { instrument: holding.instrument, side, quantity, limit: limit as Price, step, holding: at })
    }

    /// The claim over `lots` of a position, at its share of the pool's equity.
    fn claim(&self, market: &Market, margin: Margin, at: u32, lots: Quantity) -> Claim {
        let holding = &self.holdings[at as usize];
        let share = margin.share(self.maintenance_of(market, at));
        let held = holding.position.quantity;
        Claim {
            account: self.account_of(holding.pool),
            instrument: holding.instrument,
            quantity: lots * held.signum(),
            share: mul_div_floor(share, i128::from(lots), i128::from(held.abs())),
            price: bankruptcy_price(market.instrument(holding.instrument), &holding.position, share),
            holding: at,
        }
    }

    /// Books the lots of a claim out of the pool at the signed value `x`: it realises `X − C_k`.
    pub(crate) fn book_out(&mut self, market: &Market, pool: u32, claim: &Claim, x: i128) {
        let cost = self.reposition(market, claim.holding, |position| position.remove(claim.quantity.abs()));
        self.credit(pool, x - cost);
    }

    /// The order went out under this number: the pool waits for the venue.
    pub(crate) fn order_sent(&mut self, pool: u32, id: u64, request: &OrderRequest) {
        let OrderRequest { side, quantity, limit, holding, .. } = *request;
        self.liquidation_mut(pool).standing = Some(Standing { id, holding, rest: quantity, limit, side });
    }

    /// The order that a pool waits for.
    pub(crate) fn waiting(&self, pool: u32) -> Option<Waiting> {
        if !self.pools[pool as usize].is_locked() {
            return None;
        }
        self.liquidation(pool).standing.map(|standing| Waiting {
            id: standing.id,
            instrument: self.holdings[standing.holding as usize].instrument,
            rest: standing.rest,
            limit: standing.limit,
            side: standing.side,
        })
    }

    /// Books a fill of the order that the pool waits for; returns what it realised and the fee it paid.
    ///
    /// The fee is at most the pool's equity after the fill.
    pub(crate) fn book_liquidation_fill(
        &mut self,
        market: &Market,
        pool: u32,
        lots: Quantity,
        price: Price,
    ) -> (i128, i128) {
        let Some(mut standing) = self.liquidation(pool).standing else { return (0, 0) };
        let instrument = market.instrument(self.holdings[standing.holding as usize].instrument);
        let realised = self.reduce(market, standing.holding, lots, price);
        let fee = charge(instrument.value(lots, price), instrument.spec.liquidation_fee_ppb);
        let fee = fee.min(self.evaluate(market, pool).equity.max(0));
        self.credit(pool, -fee);
        standing.rest -= lots;
        self.liquidation_mut(pool).standing = (standing.rest > 0).then_some(standing);
        (realised, fee)
    }

    /// The venue will fill no more of the order: what is left of it is to be taken over.
    pub(crate) fn order_expired(&mut self, pool: u32) {
        let liquidation = self.liquidation_mut(pool);
        if let Some(standing) = liquidation.standing.take() {
            liquidation.unfilled = Some((standing.holding, standing.rest));
        }
        self.touch(pool);
    }

    /// A standing order never exceeds its position: it is cut with it, and at zero it ends.
    pub(super) fn cut_standing_order(&mut self, holding: u32) {
        let record = &self.holdings[holding as usize];
        let (pool, quantity) = (record.pool, record.position.quantity);
        if !self.pools[pool as usize].is_locked() {
            return;
        }
        let liquidation = self.liquidation_mut(pool);
        let Some(standing) = liquidation.standing.as_mut().filter(|standing| standing.holding == holding) else {
            return;
        };
        let closable = if standing.side == Side::closing(quantity) { quantity.abs() } else { 0 };
        standing.rest = standing.rest.min(closable);
        if standing.rest == 0 {
            liquidation.standing = None;
        }
    }

    /// A pool without positions leaves its liquidation; below zero, the fund makes it good.
    fn close_pool(&mut self, market: &Market, pool: u32, equity: i128, events: &mut Events) -> Advance {
        self.unlock(pool, Outcome::Closed, equity, events);
        let name = self.pools[pool as usize].name;
        let deficit = (equity < 0).then(|| {
            self.credit(pool, -equity);
            let fund = match name {
                PoolName::Cross(asset) => market.asset(asset).fund,
                PoolName::Isolated(instrument) => market.instrument(instrument).spec.fund,
            };
            (fund, -equity)
        });
        if let PoolName::Isolated(instrument) = name {
            let account = self.pools[pool as usize].account;
            let cross = self.cross_pool(account, market.instrument(instrument).spec.settle);
            let margin = self.pools[pool as usize].collateral;
            self.credit(pool, -margin);
            self.credit(cross, margin);
        }
        Advance::Ended { deficit }
    }

    fn unlock(&mut self, pool: u32, outcome: Outcome, equity: i128, events: &mut Events) {
        let record = &mut self.pools[pool as usize];
        self.free_liquidations.push(std::mem::replace(&mut record.liquidation, NO_LIQUIDATION));
        let (account, name) = (self.accounts[record.account as usize].id, record.name);
        debug_assert_ne!(record.account, NONE);
        events.push(Event::LiquidationEnded { account, pool: name, outcome, equity });
        self.touch(pool);
    }
}
