//! Unwinding: the funds close their inventory at the venue, one order per instrument at a time.

use super::Arbiter;
use crate::command::Side;
use crate::event::{Event, Events, FundReason, Owner};
use crate::market::{InstrumentId, Market};
use crate::number::{Price, Quantity};

/// An unwinding order at the venue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnwindOrder {
    pub(crate) id: u64,
    pub(crate) side: Side,
    pub(crate) rest: Quantity,
    pub(crate) limit: Price,
}

/// When inventory of an instrument may be unwound next.
#[derive(Debug, Default)]
pub(crate) struct UnwindState {
    pub(crate) order: Option<UnwindOrder>,
    /// Whether the inventory changed or its mark was set since the last order.
    stale: bool,
    last_ns: Option<u64>,
    /// The input of the last order: at most one an input.
    last_input: u64,
}

impl UnwindState {
    /// The order never exceeds the inventory: it is cut with it, and at zero it ends.
    pub(super) fn inventory_changed(&mut self, quantity: Quantity) {
        self.stale = true;
        if let Some(order) = &mut self.order {
            let closable = if order.side == Side::closing(quantity) { quantity.abs() } else { 0 };
            order.rest = order.rest.min(closable);
            if order.rest == 0 {
                self.order = None;
            }
        }
    }
}

impl Arbiter {
    /// A mark of the instrument was set: its inventory may try again.
    #[inline]
    pub(crate) fn on_mark(&mut self, instrument: InstrumentId) {
        self.inventory[instrument.index()].unwinding.stale = true;
        self.exhausted = false;
    }

    /// The order with which the inventory of an instrument is to be unwound now, if any: all of it, at the mark.
    pub(crate) fn unwind_request(
        &mut self,
        market: &Market,
        id: InstrumentId,
        input: u64,
        now_ns: u64,
    ) -> Option<(Side, Quantity, Price)> {
        let instrument = market.instrument(id);
        let mark = instrument.mark?;
        let inventory = &mut self.inventory[id.index()];
        let quantity = inventory.position.quantity;
        let state = &mut inventory.unwinding;
        let interval_ns = market.fund(instrument.spec.fund).unwind_interval_ns;
        let early = state.last_ns.is_some_and(|last| now_ns - last < interval_ns);
        if quantity == 0 || state.order.is_some() || !state.stale || state.last_input == input || early {
            return None;
        }
        state.stale = false;
        state.last_ns = Some(now_ns);
        state.last_input = input;
        Some((Side::closing(quantity), quantity.abs(), mark))
    }

    /// The order went out.
    pub(crate) fn unwind_sent(&mut self, id: InstrumentId, order: UnwindOrder) {
        self.inventory[id.index()].unwinding.order = Some(order);
    }

    /// The order that stands for an instrument's inventory.
    pub(crate) fn unwinding(&self, id: InstrumentId) -> Option<UnwindOrder> {
        self.inventory[id.index()].unwinding.order
    }

    /// The venue will fill no more of the order.
    pub(crate) fn unwind_expired(&mut self, id: InstrumentId) {
        self.inventory[id.index()].unwinding.order = None;
    }

    /// The venue filled `lots` of the order.
    pub(crate) fn book_unwind(
        &mut self,
        market: &Market,
        id: InstrumentId,
        lots: Quantity,
        price: Price,
        events: &mut Events,
    ) {
        let instrument = market.instrument(id);
        let Some(mut order) = self.unwinding(id) else { return };
        order.rest -= lots;
        self.inventory[id.index()].unwinding.order = (order.rest > 0).then_some(order);
        let realised = self.change_inventory(id.index(), |position| position.close(lots, price, instrument));
        self.ledger.book_venue(market, id, order.side, lots, price);
        events.push(Event::LiquidationFill {
            liquidation: order.id,
            owner: Owner::Fund,
            instrument: id,
            side: order.side,
            quantity: lots,
            price,
            fee: 0,
            realised,
        });
        self.credit(instrument.spec.fund, realised, FundReason::Unwind, events);
    }
}
