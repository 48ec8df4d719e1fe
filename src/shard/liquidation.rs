//! Liquidation of one pool, as far as it concerns that pool alone: lock, cancel, choose the next order.
//!
//! ```text
//!  locked ─► cancel requested ─► acknowledged ─► order out ─► filled / expired / unknown
//!              (or cancelled at once)            ▲               │ still in breach
//!                                                └───────────────┴──► claim
//! ```
//!
//! What touches a fund or other accounts leaves here as a [`Claim`], for the arbiter. A pool has at most one order out.

use super::margin::bankruptcy_price;
use super::store::{NO_LIQUIDATION, NONE};
use super::{Attention, Breached, Margin, Shard};
use crate::command::{OrderName, OrderOwner, PositionSide, Side};
use crate::controls::Mode;
use crate::event::{Cause, Event, Events, Outcome, PoolName, Step};
use crate::market::{FundId, InstrumentId, Market};
use crate::number::{PPB, Price, Quantity, mul_div_ceil, mul_div_floor};
use ethnum::I256;
use std::cmp::Ordering;

/// The state of a locked pool.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Liquidation {
    /// The order that stands at the venue.
    pub(super) standing: Option<Standing>,
    /// What the venue did not fill of the last order.
    pub(super) unfilled: Option<Unfilled>,
    pub(super) cancelling: Cancelling,
    /// Whether it stands in the list of those to walk at the next decision.
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(super) undecided: bool,
    /// Whether it waits for room at the venue.
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(super) queued: bool,
    /// Whether a mode held its next step back: it is looked at again with the next input or round.
    pub(super) held_back: bool,
    /// As it was when the pool was locked.
    pub(super) urgency: Urgency,
}

/// In which order pools wait for room, fixed when they are locked: equity at or below zero first, the largest deficit
/// before all, then by the ratio of maintenance margin to equity, the highest first.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Urgency {
    equity: i128,
    maintenance: i128,
}

#[cfg(feature = "journal")]
impl Urgency {
    /// Whether both amounts are ones that commands can have led to.
    pub(super) fn is_sound(&self) -> bool {
        crate::snapshot::is_sum(self.equity) && crate::snapshot::is_sum(self.maintenance)
    }
}

impl Ord for Urgency {
    /// The more urgent is the less.
    fn cmp(&self, other: &Self) -> Ordering {
        let product = |a: i128, b: i128| I256::from(a) * I256::from(b);
        match (self.equity <= 0, other.equity <= 0) {
            (true, true) => self.equity.cmp(&other.equity),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => product(other.maintenance, self.equity).cmp(&product(self.maintenance, other.equity)),
        }
    }
}

impl PartialOrd for Urgency {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Urgency {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Urgency {}

/// How far the cancelling of a locked pool's orders is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Cancelling {
    #[default]
    NotYet,
    /// The venue has been asked.
    Requested,
    /// It is done at the venue; the account's fills up to this one must be booked first.
    Acknowledged {
        execution: u64,
    },
    Done,
}

/// A liquidation order at the venue.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Standing {
    /// The how-manieth of its account.
    pub(super) nth: u32,
    pub(super) holding: u32,
    /// What of the position it still closes: it is cut with the position.
    pub(super) rest: Quantity,
    /// What the venue can still fill.
    pub(super) open: Quantity,
    pub(super) limit: Price,
    pub(super) side: Side,
    /// Whether the venue answers it by commands, and may be late: the simulated venue never is.
    pub(super) manual: bool,
    /// Whether the venue said that it does not know.
    pub(super) unknown: bool,
}

/// What was left of an order that expired.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Unfilled {
    pub(super) nth: u32,
    pub(super) holding: u32,
    pub(super) lots: Quantity,
}

/// How far a pool came on its own after it was locked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Begun {
    /// It waits for the venue to cancel.
    Waits,
    /// An order went out, the how-manieth of its account.
    Order(u32, OrderRequest),
    /// The next step is not its own.
    Undecided,
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
    /// In ticks; the bankruptcy price of the whole position. Where there is none, nobody but the fund can take it.
    pub(crate) price: Option<i128>,
    holding: u32,
    /// The order whose rest it is; none: no order went out.
    pub(super) unfilled: Option<Unfilled>,
    /// Whether the account's mode keeps others from being deleveraged against it.
    pub(crate) adl_paused: bool,
}

/// What a locked pool does next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Advance {
    /// It is over; if a deficit is left, the fund makes it good.
    Ended {
        /// Who bears the deficit, and how much, in quanta.
        deficit: Option<(FundId, i128)>,
    },
    /// It waits: for a mark to come to life, or for the venue to cancel.
    Waits,
    /// It sends an order.
    Order(OrderRequest),
    /// It gives lots up.
    Claim(Claim),
    /// It has closed legs of an instrument against each other, and is to be evaluated again.
    Offset {
        /// The instrument's fund, and what rounding left to it, in quanta.
        rounding: (FundId, i128),
    },
}

/// The order for which a pool waits, as the venue knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) order: OrderName,
    pub(crate) instrument: InstrumentId,
    pub(crate) rest: Quantity,
    pub(crate) limit: Price,
    pub(crate) side: Side,
}

impl Shard {
    /// Locks a pool in breach and announces it; false if no mark of its positions lives: then it announces only that.
    pub(crate) fn announce(&mut self, market: &Market, found: &Breached, cause: Cause, events: &mut Events) -> bool {
        let locked = self.lock(market, found, cause, events);
        if locked {
            self.unwatch(found.attention.pool);
        }
        locked
    }

    /// As [`Shard::announce`], without taking the pool's edges out: that can wait until its order is on its way.
    pub(super) fn lock(&mut self, market: &Market, found: &Breached, cause: Cause, events: &mut Events) -> bool {
        let Breached { attention: Attention { account, name, pool, .. }, margin } = *found;
        debug_assert_eq!(margin, self.evaluate(market, pool), "the pool changed since it was looked at: a kernel bug");
        if !self.has_living_mark(market, pool) {
            if !std::mem::replace(&mut self.pools[pool as usize].suppressed, true) {
                events.push(Event::LiquidationSuppressed { account, pool: name });
            }
            return false;
        }
        self.raise_level(pool);
        let index = self.free_liquidations.pop().unwrap_or_else(|| {
            self.liquidations.push(Liquidation::default());
            self.liquidations.len() as u32 - 1
        });
        let urgency = Urgency { equity: margin.equity, maintenance: margin.maintenance };
        self.liquidations[index as usize] = Liquidation { urgency, ..Liquidation::default() };
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

    /// The first steps of a pool that was just locked with this margin: those that concern it alone.
    pub(super) fn begin(&mut self, market: &Market, pool: u32, margin: Margin, events: &mut Events) -> Begun {
        if !self.cancel_step(market, pool, events) {
            return Begun::Waits;
        }
        if self.to_offset(market, pool).is_some() {
            return Begun::Undecided;
        }
        match self.largest(market, pool).and_then(|holding| self.reduction(market, margin, holding)) {
            Some(request) if !market.orders_by_decision(request.instrument) => {
                Begun::Order(self.order_sent(market, pool, &request), request)
            }
            _ => Begun::Undecided,
        }
    }

    /// Notes that a pool is to be walked at the next decision.
    pub(super) fn leave_undecided(&mut self, pool: u32) {
        if !std::mem::replace(&mut self.liquidation_mut(pool).undecided, true) {
            self.undecided.push(pool);
        }
    }

    /// Moves the pools that wait for a decision to `walk`.
    pub(crate) fn take_undecided(&mut self, walk: &mut Vec<Attention>) {
        while let Some(pool) = self.undecided.pop() {
            if self.pools[pool as usize].is_locked() {
                self.liquidation_mut(pool).undecided = false;
                walk.push(self.attention(pool));
            }
        }
    }

    /// Whether a locked pool waits for nothing.
    pub(super) fn is_ready(&self, pool: u32) -> bool {
        let liquidation = self.liquidation(pool);
        let waits = liquidation.standing.is_some() || liquidation.queued || liquidation.held_back;
        !waits && matches!(liquidation.cancelling, Cancelling::NotYet | Cancelling::Done)
    }

    pub(super) fn liquidation(&self, pool: u32) -> &Liquidation {
        &self.liquidations[self.pools[pool as usize].liquidation as usize]
    }

    pub(super) fn liquidation_mut(&mut self, pool: u32) -> &mut Liquidation {
        &mut self.liquidations[self.pools[pool as usize].liquidation as usize]
    }

    pub(super) fn standing(&self, pool: u32) -> Option<Standing> {
        if self.pools[pool as usize].is_locked() { self.liquidation(pool).standing } else { None }
    }

    pub(super) fn cancelling(&self, pool: u32) -> Cancelling {
        self.liquidation(pool).cancelling
    }

    /// Step 1: cancels a pool's orders, once, or asks the venue to; false if it waits for the venue.
    fn cancel_step(&mut self, market: &Market, pool: u32, events: &mut Events) -> bool {
        match self.cancelling(pool) {
            Cancelling::Done => return true,
            Cancelling::Requested | Cancelling::Acknowledged { .. } => return false,
            Cancelling::NotYet => {}
        }
        let asked = market.venue.cancel_ack && self.request_cancellation(market, pool, events);
        if !asked {
            self.cancel_orders_of_pool(market, pool, events);
        }
        self.liquidation_mut(pool).cancelling = if asked { Cancelling::Requested } else { Cancelling::Done };
        !asked
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
        if !self.cancel_step(market, pool, events) {
            return Advance::Waits;
        }
        if let Some(unfilled) = self.liquidation_mut(pool).unfilled.take() {
            let holding = &self.holdings[unfilled.holding as usize];
            let left = unfilled.lots.min(holding.position.quantity.abs());
            if left > 0 && self.liquidation_is_paused(market, pool, holding.instrument) {
                self.liquidation_mut(pool).unfilled = Some(unfilled);
                self.hold_back(pool);
                return Advance::Waits;
            }
            // What froze meanwhile is passed over: when it lives again, it is asked for anew.
            if left > 0 && market.instrument(holding.instrument).lives() {
                let claim = self.claim(market, margin, unfilled.holding, left);
                return Advance::Claim(Claim { unfilled: Some(unfilled), ..claim });
            }
        }
        if let Some((long, short)) = self.to_offset(market, pool) {
            return Advance::Offset { rounding: self.offset(market, long, short, events) };
        }
        let Some(holding) = self.largest(market, pool) else {
            if self.is_held_by_mode(market, pool) {
                self.hold_back(pool);
            }
            return Advance::Waits;
        };
        self.reduction(market, margin, holding).map_or_else(
            || {
                let whole = self.holdings[holding as usize].position.quantity.abs();
                Advance::Claim(self.claim(market, margin, holding, whole))
            },
            Advance::Order,
        )
    }

    /// The legs to offset: of the lowest instrument whose mark lives and of which a cross pool in hedge mode holds both.
    fn to_offset(&self, market: &Market, pool: u32) -> Option<(u32, u32)> {
        if !self.hedges(self.pools[pool as usize].account) {
            return None;
        }
        let held = |at: u32| {
            let holding = &self.holdings[at as usize];
            holding.pool == pool && holding.position.quantity != 0
        };
        let both = |at: u32| {
            let holding = &self.holdings[at as usize];
            let lives = market.instrument(holding.instrument).lives();
            let is_long = holding.side == Some(PositionSide::Long);
            let short = self.other_leg(at).filter(|&short| lives && is_long && held(at) && held(short))?;
            Some((at, short))
        };
        self.holdings_of(pool).find_map(both)
    }

    /// Step 2: closes a long leg and the short one beside it against each other at the mark, as far as both reach.
    /// Returns what rounding of the two values leaves to the instrument's fund.
    fn offset(&mut self, market: &Market, long: u32, short: u32, events: &mut Events) -> (FundId, i128) {
        let id = self.holdings[long as usize].instrument;
        let instrument = market.instrument(id);
        let fund = instrument.spec.fund;
        let Some(price) = instrument.mark else { return (fund, 0) };
        let held = |at: u32| self.holdings[at as usize].position.quantity.abs();
        let quantity = held(long).min(held(short));
        let rounding = -(instrument.value(quantity, price) + instrument.value(-quantity, price));
        self.reduce(market, long, quantity, price);
        self.reduce(market, short, quantity, price);
        let account = self.account_of(self.holdings[long as usize].pool);
        events.push(Event::Offset { account, instrument: id, quantity, price });
        (fund, rounding)
    }

    /// The holding with the largest maintenance margin among those whose mark lives, of equals the lowest instrument's, and its long leg.
    fn largest(&self, market: &Market, pool: u32) -> Option<u32> {
        let mut best: Option<(i128, u32)> = None;
        for at in self.holdings_of(pool) {
            let holding = &self.holdings[at as usize];
            if holding.position.quantity == 0
                || !market.instrument(holding.instrument).lives()
                || self.liquidation_is_paused(market, pool, holding.instrument)
            {
                continue;
            }
            let maintenance = self.maintenance_of(market, at);
            if best.is_none_or(|(largest, _)| maintenance > largest) {
                best = Some((maintenance, at)); // holdings are in instrument order, the long leg first
            }
        }
        best.map(|(_, at)| at)
    }

    /// The order that the instrument's policy asks for; none, an equity below zero, or no price that could be its limit:
    /// over to the takeover.
    fn reduction(&self, market: &Market, margin: Margin, at: u32) -> Option<OrderRequest> {
        if margin.equity < 0 {
            return None;
        }
        let holding = &self.holdings[at as usize];
        let instrument = self.rules(market, holding);
        let mark = instrument.living_mark()?;
        let held = holding.position.quantity.abs();
        let tiers = &instrument.spec.tiers;
        let tier = tiers.tier(instrument.notional(held, mark));
        let (step, quantity) = if instrument.spec.reduce.tier && tier > 0 {
            let kept = instrument.lots_within(tiers.floor(tier), mark); // fewer than are held
            (Step::Tier, held - kept)
        } else if instrument.spec.reduce.fraction_ppb > 0 {
            let part = mul_div_ceil(i128::from(held), i128::from(instrument.spec.reduce.fraction_ppb), i128::from(PPB));
            (Step::Fraction, part as Quantity) // at most all
        } else if instrument.spec.reduce.all {
            (Step::All, held)
        } else {
            return None;
        };
        let share = margin.share(self.maintenance_of(market, at));
        let limit = bankruptcy_price(instrument, &holding.position, share)?;
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
            price: bankruptcy_price(self.rules(market, holding), &holding.position, share),
            holding: at,
            unfilled: None,
            adl_paused: self.mode_of(holding.pool) == Mode::AdlPaused,
        }
    }

    /// Books the lots of a claim out of the pool at the signed value `x`: it realises `X − C_k`.
    pub(crate) fn book_out(&mut self, market: &Market, pool: u32, claim: &Claim, x: i128) {
        if let Some(unfilled) = claim.unfilled {
            self.note_claimed(self.pools[pool as usize].account, unfilled.nth);
        }
        let cost = self.reposition(market, claim.holding, |position| position.remove(claim.quantity.abs()));
        self.credit(pool, x - cost);
    }

    /// The order went out: the pool waits for the venue. Returns its number among its account's.
    pub(crate) fn order_sent(&mut self, market: &Market, pool: u32, request: &OrderRequest) -> u32 {
        let account = &mut self.accounts[self.pools[pool as usize].account as usize];
        account.orders_sent += 1;
        let nth = account.orders_sent;
        let OrderRequest { side, quantity, limit, holding, .. } = *request;
        let manual = market.venue.is_manual();
        let standing = Standing { nth, holding, rest: quantity, open: quantity, limit, side, manual, unknown: false };
        self.set_standing(pool, Some(standing));
        nth
    }

    /// Every change of the order that stands goes through here: what is in flight is counted.
    pub(super) fn set_standing(&mut self, pool: u32, standing: Option<Standing>) -> Option<Standing> {
        let before = std::mem::replace(&mut self.liquidation_mut(pool).standing, standing);
        for (order, sign) in before.iter().map(|order| (order, -1)).chain(standing.iter().map(|order| (order, 1))) {
            let instrument = self.holdings[order.holding as usize].instrument;
            self.in_flight[instrument.index()] += sign * order.open;
        }
        before
    }

    /// What the venue can still fill of the orders that stand in an instrument, in lots.
    pub(crate) fn in_flight(&self, instrument: InstrumentId) -> Quantity {
        self.in_flight[instrument.index()]
    }

    /// A pool has to wait for room; returns how urgent it is.
    pub(crate) fn enter_queue(&mut self, pool: u32) -> Urgency {
        let liquidation = self.liquidation_mut(pool);
        liquidation.queued = true;
        liquidation.urgency
    }

    /// A pool waits for room no longer.
    pub(crate) fn leave_queue(&mut self, pool: u32) {
        self.liquidation_mut(pool).queued = false;
    }

    /// The order that a pool waits for.
    pub(crate) fn waiting(&self, pool: u32) -> Option<Waiting> {
        self.standing(pool).map(|standing| Waiting {
            order: OrderName { owner: OrderOwner::Account(self.account_of(pool)), nth: standing.nth },
            instrument: self.holdings[standing.holding as usize].instrument,
            rest: standing.rest,
            limit: standing.limit,
            side: standing.side,
        })
    }

    /// A standing order never exceeds its position: it is cut with it, and at zero it ends.
    pub(super) fn cut_standing_order(&mut self, holding: u32) {
        let record = &self.holdings[holding as usize];
        let (pool, quantity) = (record.pool, record.position.quantity);
        let Some(mut standing) = self.standing(pool).filter(|standing| standing.holding == holding) else { return };
        let closable = if standing.side == Side::closing(quantity) { quantity.abs() } else { 0 };
        standing.rest = standing.rest.min(closable);
        if standing.rest == 0 {
            self.remember(pool, standing);
        }
        self.set_standing(pool, (standing.rest > 0).then_some(standing));
    }

    /// A pool without positions leaves its liquidation; below zero, the fund makes it good.
    fn close_pool(&mut self, market: &Market, pool: u32, equity: i128, events: &mut Events) -> Advance {
        self.unlock(pool, Outcome::Closed, equity, events);
        let name = self.pools[pool as usize].name;
        let deficit = (equity < 0).then(|| {
            self.credit(pool, -equity);
            let fund = match name {
                PoolName::Cross(asset) => market.asset(asset).fund,
                PoolName::Isolated(instrument, _) => market.instrument(instrument).spec.fund,
            };
            (fund, -equity)
        });
        if let PoolName::Isolated(instrument, _) = name {
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

#[cfg(all(test, feature = "journal"))]
mod tests {
    use super::*;

    #[test]
    fn an_urgency_is_of_two_amounts_that_can_be() {
        let (most, beyond) = (1i128 << 90, (1i128 << 90) + 1);
        let is_sound = |equity, maintenance| Urgency { equity, maintenance }.is_sound();
        assert!(is_sound(-most, most) && is_sound(0, 0));
        assert!(!is_sound(-beyond, 0) && !is_sound(0, beyond) && !is_sound(beyond, beyond));
    }
}
