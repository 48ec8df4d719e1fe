//! The book that liquidation orders meet: its best level real, the deeper ones made.
//!
//! Market data has one level a side, and a crash needs more. Behind the best level, real in price and size, stand
//! [`MADE_LEVELS`] more, [`SPACING_PPB`] of the best price apart, each of [`LEVEL_PPB`] of the instrument's open
//! interest at the start. What orders take out of a side is gone from its best level outward and comes back evenly, a
//! whole side within [`REFILL_NS`]: the next row of the recording does not bring it back, since on the real market
//! nobody had taken it. Where a symbol has no quotes, the best level is made too, half the spacing away from the mark.

use super::prices::{Change, Quote};
use super::settings::Venue;
use crate::command::Side;
use crate::event::Event;
use crate::kernel::Kernel;
use crate::market::{Instrument, InstrumentId};
use crate::number::{LIMIT, PPB, Price, Quantity, div_ceil, mul_div_floor};
use crate::venue::{BookUpdate, Level};

/// Levels behind the best one.
pub const MADE_LEVELS: usize = 9;

/// From level to level, in parts per billion of the best price: 2 bp, at least one tick.
pub const SPACING_PPB: i128 = 200_000;

/// What a made level holds, in parts per billion of the open interest at the start: 0.3 %, at least one lot.
pub const LEVEL_PPB: i128 = 3_000_000;

/// How long it takes until a whole made side is back, in nanoseconds of input time: 5 s.
pub const REFILL_NS: u64 = 5_000_000_000;

/// The made book of one instrument.
#[derive(Debug)]
pub(super) struct Depth {
    /// Lots of a made level.
    level: Quantity,
    bids: Taken,
    asks: Taken,
    /// When the book was last made, in nanoseconds since the epoch.
    last_ns: u64,
    /// Scratch, so that a tick allocates nothing.
    bid_levels: Vec<Level>,
    ask_levels: Vec<Level>,
}

/// What has been taken out of a side and is not back yet, in lots times [`REFILL_NS`]: refilling divides nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Taken(i128);

impl Taken {
    fn take(&mut self, lots: Quantity) {
        self.0 += i128::from(lots) * i128::from(REFILL_NS);
    }

    /// `side` lots come back within [`REFILL_NS`].
    fn refill(&mut self, side: i128, elapsed_ns: u64) {
        self.0 = (self.0 - side.saturating_mul(i128::from(elapsed_ns))).max(0);
    }

    fn lots(self) -> i128 {
        div_ceil(self.0, i128::from(REFILL_NS))
    }
}

impl Depth {
    /// A book for an instrument with so many lots of open interest.
    pub(super) fn new(open_interest: Quantity) -> Self {
        let level = mul_div_floor(i128::from(open_interest), LEVEL_PPB, i128::from(PPB));
        Self {
            level: Quantity::try_from(level).unwrap_or(Quantity::MAX).max(1),
            bids: Taken::default(),
            asks: Taken::default(),
            last_ns: 0,
            bid_levels: Vec::with_capacity(MADE_LEVELS + 1),
            ask_levels: Vec::with_capacity(MADE_LEVELS + 1),
        }
    }

    /// Notes that a liquidation or unwinding order of `side` took `lots`.
    pub(super) fn take(&mut self, side: Side, lots: Quantity) {
        match side {
            Side::Sell => self.bids.take(lots),
            Side::Buy => self.asks.take(lots),
        }
    }

    /// The book of this moment: bids and asks, best first.
    pub(super) fn levels(&mut self, instrument: &Instrument, quote: &Quote, now_ns: u64) -> (&[Level], &[Level]) {
        let elapsed_ns = now_ns.saturating_sub(self.last_ns);
        self.last_ns = now_ns;
        let side = i128::from(self.level) * MADE_LEVELS as i128;
        self.bids.refill(side, elapsed_ns);
        self.asks.refill(side, elapsed_ns);
        fill(&mut self.bid_levels, (quote.bid, quote.bid_lots, -1), self.level, self.bids.lots(), instrument);
        fill(&mut self.ask_levels, (quote.ask, quote.ask_lots, 1), self.level, self.asks.lots(), instrument);
        (&self.bid_levels, &self.ask_levels)
    }

    /// The best level of a symbol without quotes, made around its mark.
    pub(super) fn quote_around(&self, mark: Price) -> Quote {
        let half = (spacing(mark) / 2).max(1);
        let bid = mark.saturating_sub(half).max(1);
        Quote { bid, bid_lots: self.level, ask: mark.saturating_add(half).max(bid + 1), ask_lots: self.level }
    }
}

/// The distance between two levels, in ticks.
fn spacing(price: Price) -> Price {
    let ticks = mul_div_floor(i128::from(price), SPACING_PPB, i128::from(PPB));
    Price::try_from(ticks).unwrap_or(Price::MAX).max(1)
}

/// Writes the levels of a side, best first, without the `taken` lots.
fn fill(
    levels: &mut Vec<Level>,
    best: (Price, Quantity, Price),
    made: Quantity,
    mut taken: i128,
    instrument: &Instrument,
) {
    let (price, lots, outward) = best;
    let step = spacing(price);
    levels.clear();
    for number in 0..=MADE_LEVELS {
        let away = step.saturating_mul(number as Price).saturating_mul(outward);
        let at = price.saturating_add(away);
        let offered = admitted(if number == 0 { lots } else { made }, at.max(1), instrument);
        let left = (offered - taken).max(0);
        taken = (taken - offered).max(0);
        if let (Ok(quantity @ 1..), true) = (Quantity::try_from(left), at > 0) {
            levels.push(Level { price: at, quantity });
        }
    }
}

/// As many of the lots as the kernel admits in a level, which is less than 2^62 quanta and lots: recorded quantities may
/// be anything.
fn admitted(lots: Quantity, price: Price, instrument: &Instrument) -> i128 {
    let all = instrument.admitted_value(lots, price).map(|_| lots);
    let most = || instrument.admitted_value(1, price).map_or(0, |_| instrument.lots_within(LIMIT - 1, price));
    i128::from(all.unwrap_or_else(most)).min(LIMIT - 1)
}

/// The depth of all instruments.
pub(super) struct Books {
    venue: Venue,
    /// By instrument.
    depths: Vec<Depth>,
    /// By instrument: whether its market data has quotes.
    quoted: Vec<bool>,
}

impl Books {
    pub(super) fn new(kernel: &Kernel, venue: Venue) -> Self {
        let instruments = kernel.market().instruments.len();
        let open_interest = |index| kernel.open_interest_of(InstrumentId(index as u32));
        let depths = (0..instruments).map(|index| Depth::new(open_interest(index))).collect();
        Self { venue, depths, quoted: vec![false; instruments] }
    }

    /// The depth that a change brings, if the venue has any.
    pub(super) fn update(
        &mut self,
        instrument: &Instrument,
        id: InstrumentId,
        change: &Change,
        ts_ns: u64,
    ) -> Option<BookUpdate<'_>> {
        self.quoted[id.index()] |= change.quote.is_some();
        if self.venue != Venue::Book {
            return None;
        }
        let depth = &mut self.depths[id.index()];
        let made = change.mark.filter(|_| !self.quoted[id.index()]).map(|mark| depth.quote_around(mark));
        let quote = change.quote.or(made)?;
        let (bids, asks) = depth.levels(instrument, &quote, ts_ns);
        Some(BookUpdate { bids: Some(bids), asks: Some(asks), ..BookUpdate::default() })
    }

    /// Takes what orders filled.
    pub(super) fn note(&mut self, events: &[Event]) {
        for event in events {
            if let Event::LiquidationFill { instrument, side, quantity, .. } = *event {
                self.depths[instrument.index()].take(side, quantity);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Kernel, Settings};
    use crate::replay::instruments;

    /// BTCUSDT with ticks of 0.1 and lots of 0.001.
    fn kernel() -> Kernel {
        let mut kernel = Kernel::new(Settings::default());
        instruments::declare(&mut kernel, "BTCUSDT", "87232".parse().unwrap(), instruments::Terms::default()).unwrap();
        kernel
    }

    const QUOTE: Quote = Quote { bid: 500_000, bid_lots: 7, ask: 500_001, ask_lots: 0 };

    #[test]
    fn the_best_level_is_real_and_the_others_stand_2_bp_apart() {
        let kernel = kernel();
        let mut depth = Depth::new(1_000_000);
        let (bids, asks) = depth.levels(&kernel.market().instruments[0], &QUOTE, 1);
        assert_eq!(bids.len(), 10);
        assert_eq!([bids[0].price, bids[1].price, bids[9].price], [500_000, 499_900, 499_100]);
        assert_eq!([bids[0].quantity, bids[1].quantity], [7, 3_000]);
        assert_eq!(
            asks.first().map(|level| (level.price, level.quantity)),
            Some((500_101, 3_000)),
            "nothing at the best"
        );
    }

    #[test]
    fn more_lots_than_can_be_counted_are_cut_and_admitted() {
        let mut kernel = kernel();
        let mut spec = kernel.market().instruments[0].spec.clone();
        spec.symbol = "X".into();
        spec.unit = crate::contract::Unit::Inverse { numerator: 1, denominator: 1 };
        let id = kernel.declare_instrument(None, spec).unwrap();
        let quote = Quote { bid: 50, bid_lots: Quantity::MAX, ask: 51, ask_lots: Quantity::MAX };
        let mut depth = Depth::new(Quantity::MAX);
        let (bids, asks) = depth.levels(&kernel.market().instruments[1], &quote, 1);
        assert_eq!((bids[0].quantity, asks[0].quantity), ((LIMIT - 1) as Quantity, (LIMIT - 1) as Quantity));
        kernel
            .update_book(None, id, &BookUpdate { bids: Some(bids), asks: Some(asks), ..BookUpdate::default() })
            .unwrap();
    }

    #[test]
    fn what_is_taken_comes_back_in_time() {
        let kernel = kernel();
        let instrument = &kernel.market().instruments[0];
        let mut depth = Depth::new(1_000_000);
        let sizes = |depth: &mut Depth, now_ns| -> Vec<i64> {
            depth.levels(instrument, &QUOTE, now_ns).0.iter().take(2).map(|level| level.quantity).collect()
        };
        assert_eq!(sizes(&mut depth, 1), [7, 3_000]);
        depth.take(Side::Sell, 3_000);
        assert_eq!(sizes(&mut depth, 1), [7, 3_000], "the best level is gone, and all but 7 of the next");
        // 27 000 lots come back in 5 s.
        assert_eq!(sizes(&mut depth, 1 + 500_000_000), [2_707, 3_000], "of the second level, 293 are still gone");
        assert_eq!(sizes(&mut depth, 1 + 2_000_000_000), [7, 3_000]);
    }
}
