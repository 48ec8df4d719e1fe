//! What a shard has to tell the arbiter about an input: what happened in its accounts, and what it cannot settle alone.

use super::{Attention, OrderRequest};
use crate::command::{OrderName, OrderOwner, Side};
use crate::event::Event;
use crate::market::InstrumentId;
use crate::number::{Price, Quantity};
use crate::venue::VenueRequest;

/// One thing that a shard tells. Of fixed size: it travels through a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Report {
    /// It happened as the input was booked; on the second side of a fill, after all of the first.
    Booked { counter_side: bool, event: Event },
    /// The venue's fill of a liquidation order was booked, as far as it is the account's.
    Filled(OrderFill),
    /// Rounding took so much, in quanta, from a side of a fill.
    Rounded { instrument: InstrumentId, amount: i128 },
    /// A pool was locked, is in breach without a living mark, or rose past a level of margin calls.
    Announced { attention: Attention, event: Event },
    /// A locked pool has cancelled its orders, or asked for it.
    Begun { attention: Attention, event: Event },
    /// The first order of a locked pool went out.
    Order { attention: Attention, nth: u32, request: OrderRequest },
    /// A locked pool waits for a decision.
    Undecided,
    /// A settlement is over: what its accounts paid and received, in quanta.
    Settled { paid: i128, received: i128 },
}

impl Report {
    /// What it asks of the venue.
    #[inline]
    pub(crate) fn request(&self) -> Option<VenueRequest> {
        match *self {
            Self::Order { attention, nth, request } => Some(first_order(attention, nth, &request)),
            Self::Begun { event, .. } => cancellation(event),
            _ => None,
        }
    }
}

/// What the venue is asked by the first order of a locked pool, the how-manieth of its account.
#[inline]
pub(super) fn first_order(attention: Attention, nth: u32, request: &OrderRequest) -> VenueRequest {
    VenueRequest::Order {
        order: OrderName { owner: OrderOwner::Account(attention.account), nth },
        instrument: request.instrument,
        side: request.side,
        quantity: request.quantity,
        limit: request.limit,
        step: request.step,
    }
}

/// What the venue is asked by a cancellation: once, with the last of the orders.
#[inline]
pub(super) fn cancellation(event: Event) -> Option<VenueRequest> {
    match event {
        Event::CancelRequested { account, pool, more: 0, .. } => Some(VenueRequest::Cancel { account, pool }),
        _ => None,
    }
}

/// A fill of a liquidation order, divided between the account and the fund.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderFill {
    pub(crate) order: OrderName,
    pub(crate) instrument: InstrumentId,
    pub(crate) side: Side,
    pub(crate) price: Price,
    /// What the account's position took.
    pub(crate) lots: Quantity,
    pub(crate) realised: i128,
    pub(crate) fee: i128,
    /// What the account no longer holds: the fund's, who stands behind its orders.
    pub(crate) fund_lots: Quantity,
}

/// Where the reports of a shard go.
pub(crate) trait Outbox {
    /// Takes the next report.
    fn put(&mut self, report: Report);

    /// Asks the venue, before any report of the pool whose request it is: the log can wait. What it asks is in a report too.
    fn ask(&mut self, _request: VenueRequest) {}
}

impl Outbox for Vec<Report> {
    fn put(&mut self, report: Report) {
        self.push(report);
    }
}
