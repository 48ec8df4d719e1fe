//! Unwinding: the funds close their inventory at the venue, one order per instrument at a time.

use super::Arbiter;
use crate::checks;
use crate::command::{OffGrid, OrderName, OrderOwner, Side};
use crate::event::{Event, Events, FundReason, Owner};
use crate::market::{InstrumentId, Market};
use crate::number::{Price, Quantity};
use crate::refusal::Refusal;
use crate::shard::ENDED_KEPT;

/// An unwinding order at the venue.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct UnwindOrder {
    /// The how-manieth of the instrument's inventory.
    pub(crate) nth: u32,
    pub(crate) side: Side,
    /// What of the inventory it still closes.
    pub(crate) rest: Quantity,
    /// What the venue can still fill.
    pub(crate) open: Quantity,
    pub(crate) limit: Price,
    /// Whether the venue answers it by commands, and may be late.
    manual: bool,
    /// Whether the venue said that it does not know.
    pub(crate) unknown: bool,
}

/// When inventory of an instrument may be unwound next.
#[derive(Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct UnwindState {
    pub(crate) order: Option<UnwindOrder>,
    /// Orders that stand no longer, though the venue may have filled more of them.
    ended: Vec<UnwindOrder>,
    orders_sent: u32,
    /// Whether the inventory changed or its mark was set since the last order.
    stale: bool,
    last_ns: Option<u64>,
    /// The input of the last order: at most one an input.
    last_input: u64,
}

impl Default for UnwindState {
    fn default() -> Self {
        Self {
            order: None,
            ended: Vec::with_capacity(ENDED_KEPT), // all that it ever holds
            orders_sent: 0,
            stale: false,
            last_ns: None,
            last_input: 0,
        }
    }
}

impl UnwindState {
    /// The order never exceeds the inventory: it is cut with it, and at zero it ends.
    pub(super) fn inventory_changed(&mut self, quantity: Quantity) {
        self.stale = true;
        if let Some(mut order) = self.order {
            let closable = if order.side == Side::closing(quantity) { quantity.abs() } else { 0 };
            order.rest = order.rest.min(closable);
            self.put_back(order);
        }
    }

    /// An order after a change: it stands on, or it has ended.
    fn put_back(&mut self, order: UnwindOrder) {
        self.order = (order.rest > 0).then_some(order);
        if order.rest == 0 {
            self.remember(order);
        }
    }

    /// Whether what was read is what inputs can have led to, where the inventory is so much.
    #[cfg(feature = "journal")]
    pub(super) fn is_sound(&self, quantity: Quantity) -> bool {
        let is_amount = |amount: i64| (1..crate::number::LIMIT).contains(&i128::from(amount));
        let known = |order: &UnwindOrder| {
            (1..=self.orders_sent).contains(&order.nth) && is_amount(order.open) && is_amount(order.limit)
        };
        let standing = self.order.is_none_or(|order| {
            let closes = order.side == Side::closing(quantity) && (1..=quantity.abs()).contains(&order.rest);
            closes && order.rest <= order.open
        });
        standing
            && self.orders_sent < 1 << 31
            && self.ended.len() <= ENDED_KEPT
            && self.order.iter().chain(&self.ended).all(known)
            && self.ended.iter().all(|order| is_amount(order.open) && order.rest >= 0)
    }

    /// Makes the room that it ever needs.
    #[cfg(feature = "journal")]
    pub(super) fn reserve(&mut self) {
        self.ended.reserve_exact(ENDED_KEPT - self.ended.len());
    }

    fn remember(&mut self, order: UnwindOrder) {
        if order.open == 0 || !order.manual {
            return;
        }
        if self.ended.len() == ENDED_KEPT {
            self.ended.remove(0);
        }
        self.ended.push(order);
    }

    fn known(&self, nth: u32) -> Option<&UnwindOrder> {
        self.order.iter().chain(&self.ended).find(|order| order.nth == nth)
    }
}

impl Arbiter {
    /// A mark of the instrument was set: its inventory may try again.
    #[inline]
    pub(crate) fn on_mark(&mut self, market: &Market, instrument: InstrumentId) {
        self.exhausted = false;
        if !self.held.is_empty() {
            self.on_mark_beside_inventory(market, instrument);
        } // what is taken over later is stale then
    }

    #[inline(never)]
    fn on_mark_beside_inventory(&mut self, market: &Market, instrument: InstrumentId) {
        let inventory = &mut self.inventory[instrument.index()];
        inventory.unwinding.stale = true;
        if inventory.position.quantity != 0 {
            self.recount(market, instrument.index());
            if self.watched {
                self.note_stale(market.instrument(instrument).spec.fund);
            }
        }
    }

    /// The order with which the inventory of an instrument is to be unwound now, if any: all of it, at the mark.
    pub(crate) fn unwind_request(
        &mut self,
        market: &Market,
        id: InstrumentId,
        input: u64,
        now_ns: u64,
    ) -> Option<(Side, Quantity, Price)> {
        let mark = market.instrument(id).living_mark().filter(|_| self.may_unwind(market, id, input, now_ns))?;
        let inventory = &mut self.inventory[id.index()];
        let quantity = inventory.position.quantity;
        let state = &mut inventory.unwinding;
        state.stale = false;
        state.last_ns = Some(now_ns);
        state.last_input = input;
        Some((Side::closing(quantity), quantity.abs(), mark))
    }

    /// The order went out; returns its number among the inventory's.
    pub(crate) fn unwind_sent(
        &mut self,
        market: &Market,
        id: InstrumentId,
        side: Side,
        quantity: Quantity,
        limit: Price,
    ) -> u32 {
        let state = &mut self.inventory[id.index()].unwinding;
        state.orders_sent += 1;
        let nth = state.orders_sent;
        let manual = market.venue.is_manual();
        state.order = Some(UnwindOrder { nth, side, rest: quantity, open: quantity, limit, manual, unknown: false });
        nth
    }

    /// The order that stands for an instrument's inventory.
    pub(crate) fn unwinding(&self, id: InstrumentId) -> Option<UnwindOrder> {
        self.inventory[id.index()].unwinding.order
    }

    /// Whether fills of an order can still be booked.
    pub(crate) fn knows_order(&self, id: InstrumentId, nth: u32) -> bool {
        self.inventory[id.index()].unwinding.known(nth).is_some()
    }

    /// Whether inventory of an instrument has an order to send at this input.
    pub(crate) fn may_unwind(&self, market: &Market, id: InstrumentId, input: u64, now_ns: u64) -> bool {
        self.inventory[id.index()].unwinding.last_input != input
            && self.unwinds_from(market, id).is_some_and(|from_ns| now_ns >= from_ns)
    }

    /// From when on, in nanoseconds, inventory of an instrument has an order to send as things stand; none: not yet.
    pub(super) fn unwinds_from(&self, market: &Market, id: InstrumentId) -> Option<u64> {
        let instrument = market.instrument(id);
        let inventory = &self.inventory[id.index()];
        let state = &inventory.unwinding;
        let interval_ns = market.fund(instrument.spec.fund).unwind_interval_ns;
        let idle = inventory.position.quantity == 0 || state.order.is_some();
        let ready = !idle && instrument.lives() && state.stale;
        ready.then(|| state.last_ns.map_or(0, |last_ns| last_ns.saturating_add(interval_ns)))
    }

    /// The venue will fill no more of the order.
    pub(crate) fn unwind_expired(&mut self, id: InstrumentId) {
        let state = &mut self.inventory[id.index()].unwinding;
        if let Some(order) = state.order.take() {
            state.remember(order);
        }
    }

    /// The venue will fill no more of order `nth`.
    ///
    /// # Errors
    ///
    /// It does not stand.
    pub(crate) fn expire_unwind(&mut self, id: InstrumentId, nth: u32) -> Result<(), Refusal> {
        self.standing(id, nth)?;
        self.unwind_expired(id);
        Ok(())
    }

    /// The venue does not know what became of order `nth`.
    ///
    /// # Errors
    ///
    /// It does not stand.
    pub(crate) fn unwind_unknown(&mut self, id: InstrumentId, nth: u32) -> Result<(), Refusal> {
        self.standing(id, nth)?.unknown = true;
        Ok(())
    }

    fn standing(&mut self, id: InstrumentId, nth: u32) -> Result<&mut UnwindOrder, Refusal> {
        let unknown = Refusal::UnknownLiquidation(OrderName { owner: OrderOwner::Fund(id), nth });
        self.inventory[id.index()].unwinding.order.as_mut().filter(|order| order.nth == nth).ok_or(unknown)
    }

    /// Checks a fill of order `nth` and returns its side.
    ///
    /// # Errors
    ///
    /// Unknown order, bad value, off grid, overflow.
    pub(crate) fn check_unwind_fill(
        &self,
        market: &Market,
        (id, nth): (InstrumentId, u32),
        (lots, price): (Quantity, Price),
        off_grid: OffGrid,
    ) -> Result<Side, Refusal> {
        let name = OrderName { owner: OrderOwner::Fund(id), nth };
        let order = *self.inventory[id.index()].unwinding.known(nth).ok_or(Refusal::UnknownLiquidation(name))?;
        checks::order_fill(name, (lots, price), off_grid, (order.side, order.open, order.limit))?;
        let value = market.instrument(id).admitted_value(lots, price);
        value.ok_or(Refusal::Overflow { what: "qty · price · unit" })?;
        Ok(order.side)
    }

    /// The venue filled `lots` of order `nth`, whether it still stands or not.
    pub(crate) fn book_unwind(
        &mut self,
        market: &Market,
        (id, nth): (InstrumentId, u32),
        (lots, price): (Quantity, Price),
        liquidation: u64,
        events: &mut Events,
    ) {
        let state = &mut self.inventory[id.index()].unwinding;
        let Some(&(mut order)) = state.known(nth) else { return };
        order.open -= lots;
        if state.order.is_some_and(|standing| standing.nth == nth) {
            order.rest -= order.rest.min(lots);
            state.put_back(order);
        } else {
            state.ended.iter_mut().filter(|ended| ended.nth == nth).for_each(|ended| *ended = order);
            state.ended.retain(|ended| ended.open > 0);
        }
        self.trade_inventory(market, id, order.side, (lots, price), liquidation, events);
    }

    /// The fund trades `lots` of an instrument with the external venue: closes first, then opens.
    pub(crate) fn trade_inventory(
        &mut self,
        market: &Market,
        id: InstrumentId,
        side: Side,
        (lots, price): (Quantity, Price),
        liquidation: u64,
        events: &mut Events,
    ) {
        let instrument = market.instrument(id);
        let change = side.signed(lots);
        let rounding = self.inventory[id.index()].position.rounding(change, price, instrument);
        let realised = self.change_inventory(market, id.index(), |position| position.fill(change, price, instrument));
        let rounding = rounding + self.ledger.book_venue(market, id, side, lots, price);
        events.push(Event::LiquidationFill {
            liquidation,
            owner: Owner::Fund,
            instrument: id,
            side,
            quantity: lots,
            price,
            fee: 0,
            realised,
        });
        self.credit(instrument.spec.fund, realised, FundReason::Unwind, events);
        self.credit(instrument.spec.fund, rounding, FundReason::Rounding, events);
        self.look(market, events);
    }
}

#[cfg(all(test, feature = "journal"))]
mod tests {
    use super::*;

    /// Of 10 lots long: the third order stands, the second may still be filled.
    fn sound() -> UnwindState {
        let order = |nth, rest, open| UnwindOrder {
            nth,
            side: Side::Sell,
            rest,
            open,
            limit: 90,
            manual: true,
            unknown: false,
        };
        UnwindState {
            order: Some(order(3, 10, 10)),
            ended: vec![order(2, 0, 4)],
            orders_sent: 3,
            ..UnwindState::default()
        }
    }

    #[test]
    fn what_is_read_is_what_can_have_been() {
        const MOST: i64 = crate::number::LIMIT as i64;
        assert!(sound().is_sound(10) && UnwindState::default().is_sound(0));
        assert!(!sound().is_sound(9), "more than there is");
        assert!(!sound().is_sound(-10), "on the other side");
        let standing = |change: fn(&mut UnwindOrder)| {
            let mut state = sound();
            state.order.iter_mut().for_each(change);
            state.is_sound(10)
        };
        assert!(standing(|order| order.rest = 1));
        assert!(standing(|order| (order.nth, order.open) = (1, MOST - 1)));
        assert!(!standing(|order| order.rest = 0) && !standing(|order| order.rest = 11));
        assert!(!standing(|order| order.side = Side::Buy));
        assert!(!standing(|order| order.open = 9), "it closes more than can be filled");
        assert!(!standing(|order| order.open = 0) && !standing(|order| order.open = MOST));
        assert!(!standing(|order| order.limit = 0) && !standing(|order| order.limit = MOST));
        assert!(!standing(|order| order.nth = 0) && !standing(|order| order.nth = 4));
        let ended = |change: fn(&mut UnwindOrder)| {
            let mut state = sound();
            state.ended.iter_mut().for_each(change);
            state.is_sound(10)
        };
        assert!(ended(|order| order.rest = 1));
        assert!(!ended(|order| order.rest = -1));
        assert!(!ended(|order| order.open = 0) && !ended(|order| order.limit = 0) && !ended(|order| order.nth = 4));
        let mut full = sound();
        full.ended = vec![full.ended[0]; ENDED_KEPT];
        assert!(full.is_sound(10));
        full.ended.push(full.ended[0]);
        assert!(!full.is_sound(10), "more than are kept");
        assert!(UnwindState { orders_sent: (1 << 31) - 1, ..sound() }.is_sound(10));
        assert!(!UnwindState { orders_sent: 1 << 31, ..sound() }.is_sound(10));
    }
}
