//! What travels: inputs to the workers, reports to the arbiter, messages to the venue, the log to the caller.

use crate::command::{Command, OffGrid, OrderName, OrderOwner, Side};
use crate::correction::Correction;
use crate::event::{Event, PoolName, Step};
use crate::kernel::{Declaration, Overview};
use crate::market::InstrumentId;
use crate::number::{Price, Quantity};
use crate::prices::Top;
use crate::refusal::Refusal;
use crate::rounds::VenueAnswer;
use crate::shard::Report;
use crate::venue::{BookUpdate, Level, VenueRequest};

/// One place of the sequence. In this order a price lies in the first cache line of its slot, with the sequence number.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Slot {
    /// The client command that this is, or that was the last before it.
    pub(super) seq: u64,
    pub(super) ts_ns: Option<u64>,
    pub(super) off_grid: OffGrid,
    pub(super) kind: Kind,
}

// A slot of the ring is two cache lines, its number of eight bytes included.
const _: () = assert!(size_of::<Slot>() <= 120);

/// What happens at a place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Every shard does its part.
    Command(Command),
    /// The venue's best prices for every shard, and its depth for the arbiter: that lies aside.
    Book { instrument: InstrumentId, top: Top },
    /// Time passes without an input: somebody asked at a time.
    Pass,
    /// The shards halt, and the arbiter decides.
    Decide,
    /// The shards halt, and something is declared that lies aside.
    Declare,
    /// The shards halt, and a correction is booked that lies aside.
    Correct,
    /// The shards halt, and somebody looks at everything.
    Ask,
    /// The end.
    Stop,
}

/// What does not fit a slot.
pub(super) enum Aside {
    Book(InstrumentId, OwnedBook),
    Declare(Declaration),
    Correct(Correction),
    Ask(Box<dyn FnOnce(Overview<'_>) + Send>),
}

/// A [`BookUpdate`] that owns its levels.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct OwnedBook {
    bid: Option<Price>,
    ask: Option<Price>,
    impact_bid: Option<Price>,
    impact_ask: Option<Price>,
    bids: Option<Vec<Level>>,
    asks: Option<Vec<Level>>,
}

impl OwnedBook {
    pub(crate) fn of(update: &BookUpdate<'_>) -> Self {
        let owned = |levels: Option<&[Level]>| levels.map(<[Level]>::to_vec);
        let &BookUpdate { bid, ask, impact_bid, impact_ask, bids, asks } = update;
        Self { bid, ask, impact_bid, impact_ask, bids: owned(bids), asks: owned(asks) }
    }

    pub(crate) fn update(&self) -> BookUpdate<'_> {
        let &Self { bid, ask, impact_bid, impact_ask, .. } = self;
        BookUpdate { bid, ask, impact_bid, impact_ask, bids: self.bids.as_deref(), asks: self.asks.as_deref() }
    }
}

/// What a worker tells the arbiter about a place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) place: u64,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Report(Report),
    Refused(Refusal),
}

/// For the venue: sent by a worker as soon as it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueMessage {
    /// The place of the input that led to it.
    pub place: u64,
    /// When it was decided, in nanoseconds since the engine started; 0 if the engine takes no stamps.
    pub decided_ns: u64,
    /// What the venue is to do.
    pub request: VenueRequest,
}

/// A [`VenueMessage`] as it crosses: in one cache line, with its sequence number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    place: u64,
    decided_ns: u64,
    request: Request,
}

const _: () = assert!(size_of::<Asked>() <= 56);

/// A [`VenueRequest`], its fields side by side.
#[derive(Clone, Copy, Debug)]
enum Request {
    Account {
        account: u64,
        nth: u32,
        instrument: InstrumentId,
        quantity: Quantity,
        limit: Price,
        side: Side,
        step: Step,
    },
    Fund {
        of: InstrumentId,
        nth: u32,
        instrument: InstrumentId,
        quantity: Quantity,
        limit: Price,
        side: Side,
        step: Step,
    },
    Cancel {
        account: u64,
        pool: PoolName,
    },
}

impl Asked {
    #[inline]
    pub(super) fn of(place: u64, decided_ns: u64, request: VenueRequest) -> Self {
        let request = match request {
            VenueRequest::Order { order: OrderName { owner, nth }, instrument, side, quantity, limit, step } => {
                match owner {
                    OrderOwner::Account(account) => {
                        Request::Account { account, nth, instrument, quantity, limit, side, step }
                    }
                    OrderOwner::Fund(of) => Request::Fund { of, nth, instrument, quantity, limit, side, step },
                }
            }
            VenueRequest::Cancel { account, pool } => Request::Cancel { account, pool },
        };
        Self { place, decided_ns, request }
    }

    #[inline]
    pub(super) fn message(self) -> VenueMessage {
        let Self { place, decided_ns, request } = self;
        let request = match request {
            Request::Account { account, nth, instrument, quantity, limit, side, step } => {
                let order = OrderName { owner: OrderOwner::Account(account), nth };
                VenueRequest::Order { order, instrument, side, quantity, limit, step }
            }
            Request::Fund { of, nth, instrument, quantity, limit, side, step } => {
                let order = OrderName { owner: OrderOwner::Fund(of), nth };
                VenueRequest::Order { order, instrument, side, quantity, limit, step }
            }
            Request::Cancel { account, pool } => VenueRequest::Cancel { account, pool },
        };
        VenueMessage { place, decided_ns, request }
    }
}

/// What comes out of an engine, in the order of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Something happened.
    Event {
        /// The last client command before it.
        seq: u64,
        /// What.
        event: Event,
    },
    /// A command that had its place was refused by the shard of its account, or by the arbiter; it has changed nothing.
    Refused {
        /// The command.
        seq: u64,
        /// Why.
        refusal: Refusal,
    },
}

/// What the arbiter sends to the caller.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outgoing {
    Output(Output),
    /// A further order, sent at a decision.
    Venue(VenueMessage),
    /// The simulated venue answered within a decision.
    Answer(VenueAnswer),
    /// A decision is done.
    Decided {
        hash: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::AssetId;

    #[test]
    fn every_request_crosses_as_it_is() {
        let owners = [OrderOwner::Account(u64::MAX), OrderOwner::Fund(InstrumentId(7))];
        let order = |owner| VenueRequest::Order {
            order: OrderName { owner, nth: u32::MAX },
            instrument: InstrumentId(3),
            side: Side::Sell,
            quantity: 1 << 61,
            limit: (1 << 61) + 1,
            step: Step::Fraction,
        };
        let pools = [PoolName::Cross(AssetId(5)), PoolName::Isolated(InstrumentId(6), None)];
        let cancel = |pool| VenueRequest::Cancel { account: 9, pool };
        for request in owners.map(order).into_iter().chain(pools.map(cancel)) {
            assert_eq!(Asked::of(11, 12, request).message(), VenueMessage { place: 11, decided_ns: 12, request });
        }
    }
}
