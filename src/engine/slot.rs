//! What travels: inputs to the workers, reports to the arbiter, messages to the venue, the log to the caller.

use crate::command::{Command, OffGrid};
use crate::correction::Correction;
use crate::event::Event;
use crate::kernel::{Declaration, Overview};
use crate::market::InstrumentId;
use crate::number::Price;
use crate::prices::Top;
use crate::refusal::Refusal;
use crate::rounds::VenueAnswer;
use crate::shard::Report;
use crate::venue::{BookUpdate, Level, VenueRequest};

/// One place of the sequence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// The client command that this is, or that was the last before it.
    pub(super) seq: u64,
    pub(super) ts_ns: Option<u64>,
    pub(super) kind: Kind,
    pub(super) off_grid: OffGrid,
}

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
