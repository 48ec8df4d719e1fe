//! Where liquidation and unwinding orders go: a simulated venue for scripts, tests and replays.
//!
//! Beside a real matching engine the mode is [`VenueMode::Manual`]: the engine answers with commands.

use crate::command::{OrderName, Side};
use crate::event::{PoolName, Step};
use crate::market::{InstrumentId, Market};
use crate::number::{Price, Quantity};
use crate::prices::Top;

/// How orders are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum VenueMode {
    /// Filled in full at the mark if the limit allows it, else not at all.
    #[default]
    Mark,
    /// Filled in full at the limit.
    Bankruptcy,
    /// Never filled.
    None,
    /// Answered by commands.
    Manual,
    /// Filled against the depth given, best price first down to the limit; the rest expires.
    Book,
}

/// How the venue answers, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct VenueRules {
    /// Who answers liquidation orders.
    pub mode: VenueMode,
    /// Whether a pool in liquidation waits until the venue says that its orders are cancelled.
    pub cancel_ack: bool,
    /// Input time after which a cancellation that is not acknowledged is overdue, in nanoseconds.
    pub cancel_timeout_ns: u64,
    /// Input time after which an order that is not answered is overdue, in nanoseconds.
    pub order_timeout_ns: u64,
}

impl VenueRules {
    /// One second.
    pub const DEFAULT_TIMEOUT_NS: u64 = 1_000_000_000;

    /// Cancelling is immediate.
    #[must_use]
    pub fn new(mode: VenueMode) -> Self {
        let timeout = Self::DEFAULT_TIMEOUT_NS;
        Self { mode, cancel_ack: false, cancel_timeout_ns: timeout, order_timeout_ns: timeout }
    }

    /// Whether orders are answered by commands, and not by the simulated venue.
    #[must_use]
    #[inline]
    pub fn is_manual(&self) -> bool {
        self.mode == VenueMode::Manual
    }
}

impl Default for VenueRules {
    fn default() -> Self {
        Self::new(VenueMode::default())
    }
}

/// What the venue is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VenueRequest {
    /// Fill this immediately, as far as the limit allows, and answer with [`crate::Command::LiquidationFill`] and
    /// [`crate::Command::LiquidationExpire`].
    Order {
        /// By this name it is answered.
        order: OrderName,
        /// The instrument.
        instrument: InstrumentId,
        /// The side.
        side: Side,
        /// In lots.
        quantity: Quantity,
        /// In ticks.
        limit: Price,
        /// Why.
        step: Step,
    },
    /// Cancel the account's open orders that reserve on this pool, and answer with [`crate::Command::CancelAck`].
    Cancel {
        /// The account.
        account: u64,
        /// The pool: a cross pool's orders include those on isolated instruments of its asset.
        pool: PoolName,
    },
}

/// A price and what is offered there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct Level {
    /// In ticks.
    pub price: Price,
    /// In lots.
    pub quantity: Quantity,
}

/// New depth or prices of an instrument; what is not given stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct BookUpdate<'a> {
    /// Best bid, in ticks; if only the bids are given, their first.
    pub bid: Option<Price>,
    /// Best ask, in ticks; if only the asks are given, their first.
    pub ask: Option<Price>,
    /// What a sale of the impact notional would fetch, in ticks: for the premium.
    pub impact_bid: Option<Price>,
    /// What a purchase of the impact notional would cost, in ticks: for the premium.
    pub impact_ask: Option<Price>,
    /// Bids, best first, falling.
    pub bids: Option<&'a [Level]>,
    /// Asks, best first, rising.
    pub asks: Option<&'a [Level]>,
}

impl BookUpdate<'_> {
    /// Whether it brings both sides, and a buyer who would pay more than a seller asks.
    pub(crate) fn is_crossed(&self) -> bool {
        let first = |levels: Option<&[Level]>| levels.and_then(<[Level]>::first).map(|level| level.price);
        let bid = self.bid.into_iter().chain(first(self.bids)).max();
        let ask = self.ask.into_iter().chain(first(self.asks)).min();
        let above = |(bid, ask)| bid > ask;
        bid.zip(ask).is_some_and(above) || self.impact_bid.zip(self.impact_ask).is_some_and(above)
    }

    /// What it says of the best prices.
    pub(crate) fn top(&self) -> Top {
        Top {
            bid: Top::best(self.bid, self.bids),
            ask: Top::best(self.ask, self.asks),
            impact_bid: self.impact_bid.unwrap_or(Top::SILENT),
            impact_ask: self.impact_ask.unwrap_or(Top::SILENT),
        }
    }
}

#[derive(Debug, Default)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
struct Book {
    bid: Option<Price>,
    ask: Option<Price>,
    /// Best last, so that taking the best moves nothing.
    bids: Vec<Level>,
    asks: Vec<Level>,
}

/// The simulated venue.
#[derive(Debug, Default)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Venue {
    books: Vec<Book>,
}

impl Venue {
    pub(crate) fn add_instrument(&mut self) {
        self.books.push(Book::default());
    }

    /// How many instruments have a book.
    #[cfg(feature = "journal")]
    pub(crate) fn len(&self) -> usize {
        self.books.len()
    }

    /// Bids and asks of an instrument, best first.
    #[cfg(feature = "journal")]
    pub(crate) fn levels(&self, instrument: InstrumentId) -> [Vec<Level>; 2] {
        let book = &self.books[instrument.index()];
        [&book.bids, &book.asks].map(|levels| levels.iter().rev().copied().collect())
    }

    /// Best bid and ask, in ticks.
    pub(crate) fn top(&self, instrument: InstrumentId) -> (Option<Price>, Option<Price>) {
        let book = &self.books[instrument.index()];
        (book.bid, book.ask)
    }

    pub(crate) fn update(&mut self, instrument: InstrumentId, update: &BookUpdate<'_>) {
        let book = &mut self.books[instrument.index()];
        let replace =
            |side: &mut Vec<Level>, best: &mut Option<Price>, levels: Option<&[Level]>, price: Option<Price>| {
                if let Some(levels) = levels {
                    side.clear();
                    side.extend(levels.iter().rev());
                    *best = levels.first().map(|level| level.price);
                }
                if price.is_some() {
                    *best = price;
                }
            };
        replace(&mut book.bids, &mut book.bid, update.bids, update.bid);
        replace(&mut book.asks, &mut book.ask, update.asks, update.ask);
    }

    /// The visible depth, in lots: that of the thinner side.
    pub(crate) fn visible(&self, instrument: InstrumentId) -> i128 {
        let lots = |levels: &[Level]| levels.iter().map(|level| i128::from(level.quantity)).sum::<i128>();
        let book = &self.books[instrument.index()];
        lots(&book.bids).min(lots(&book.asks))
    }

    /// The next fill of an order of which `rest` lots are left, and takes it from the depth; none: the rest expires.
    pub(crate) fn fill(
        &mut self,
        market: &Market,
        instrument: InstrumentId,
        side: Side,
        rest: Quantity,
        limit: Price,
    ) -> Option<(Quantity, Price)> {
        let allows = |price: Price| match side {
            Side::Sell => price >= limit,
            Side::Buy => price <= limit,
        };
        match market.venue.mode {
            VenueMode::Mark => {
                let mark = market.instrument(instrument).mark?;
                allows(mark).then_some((rest, mark))
            }
            VenueMode::Bankruptcy => Some((rest, limit)),
            VenueMode::None | VenueMode::Manual => None,
            VenueMode::Book => {
                let book = &mut self.books[instrument.index()];
                let (levels, best) = match side {
                    Side::Sell => (&mut book.bids, &mut book.bid),
                    Side::Buy => (&mut book.asks, &mut book.ask),
                };
                let level = levels.last_mut().filter(|level| allows(level.price))?;
                let (lots, price) = (level.quantity.min(rest), level.price);
                level.quantity -= lots;
                if level.quantity == 0 {
                    levels.pop();
                }
                *best = levels.last().map(|level| level.price);
                Some((lots, price))
            }
        }
    }
}
