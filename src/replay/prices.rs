//! From market data to whole ticks: what a row says to the kernel.
//!
//! A row is one tick, whatever it changes. A quote sets the book and, at the middle of bid and ask, the mark; a trade
//! sets the last price; a mark price sets the mark. Where a symbol has no mark prices its mark comes from its quotes,
//! and where it has no quotes either, from its trades: once a better kind of row is seen, the lesser ones no longer set
//! the mark.

use super::shock::{Shock, UNSHOCKED_PPB, combined_ppb};
use crate::command::Command;
use crate::decimal::{Decimal, Grid};
use crate::market::{Instrument, InstrumentId, Market};
use crate::number::{LIMIT, Price, Quantity};
use crate::prices::INDEX_DECIMALS;
use crate::ticks::{Tick, TickKind};
use ethnum::I256;

/// What a tick sets, in ticks and lots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) quote: Option<Quote>,
    pub(super) last: Option<Price>,
    pub(super) mark: Option<Price>,
    /// What the mark would be without shocks: for reports only.
    pub(super) real_mark: Option<Price>,
}

/// The best bid and ask, in ticks and lots. A quantity may be 0: less than a lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quote {
    pub(super) bid: Price,
    pub(super) bid_lots: Quantity,
    pub(super) ask: Price,
    pub(super) ask_lots: Quantity,
}

/// What sets a mark in ticks: a price of the index where the mark is computed, else the mark itself.
pub(super) fn mark_command(market: &Market, instrument: InstrumentId, price: Price) -> Command {
    let spec = &market.instrument(instrument).spec;
    if !spec.prices.mark.is_computed() {
        return Command::Mark { instrument, price };
    }
    // The tick is whole steps of 10^-8; what is too high for an index is refused.
    let step = spec.tick.step();
    let steps = step.mantissa() * 10i128.pow(INDEX_DECIMALS.saturating_sub(step.scale()));
    let price = i64::try_from(i128::from(price).saturating_mul(steps)).unwrap_or(i64::MAX);
    Command::Index { instrument, venue: 0, price }
}

/// How good a source of marks a row is; later ones are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum MarkSource {
    Nothing,
    Trades,
    Quotes,
    Marks,
}

/// What the quantities of the data are counted in.
#[derive(Debug)]
pub(super) enum Sizes {
    /// What the instrument is counted in.
    Lots(Grid),
    /// The coin, for an inverse contract that stands for a linear one or for spot: worth so many contracts at a price.
    Coins {
        /// A quantum of it.
        quantum: Grid,
        contract: Box<Instrument>,
    },
}

/// The grids, shocks and mark source of a symbol.
#[derive(Debug)]
pub(super) struct SymbolPrices {
    tick: Grid,
    sizes: Sizes,
    shocks: Vec<Shock>,
    source: MarkSource,
}

/// Which neighbour on the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rounding {
    Down,
    Up,
    /// Halves up.
    Nearest,
}

impl SymbolPrices {
    pub(super) fn new(tick: Grid, sizes: Sizes, shocks: Vec<Shock>) -> Self {
        Self { tick, sizes, shocks, source: MarkSource::Nothing }
    }

    /// What the tick sets, `elapsed_ns` after the first one; none if a shocked price does not fit 63 bits of ticks.
    ///
    /// Every price is multiplied by the shock's factor before it is rounded: a bid down, an ask up, all others to the
    /// nearest tick, half up; a price is at least one tick.
    pub(super) fn change(&mut self, tick: &Tick, elapsed_ns: u64) -> Option<Change> {
        let factor = combined_ppb(&self.shocks, elapsed_ns);
        let price = |price: Decimal, rounding| self.ticks(price, factor, 1, rounding);
        let mut change = Change::default();
        let (source, marked, parts) = match tick.kind {
            TickKind::Mark { price } => (MarkSource::Marks, price, 1),
            TickKind::Trade { price: last, .. } => {
                change.last = Some(price(last, Rounding::Nearest)?);
                (MarkSource::Trades, last, 1)
            }
            TickKind::Quote { bid, bid_qty, ask, ask_qty } => {
                let best_bid = price(bid, Rounding::Down)?;
                // Below one tick both sides round to it.
                let best_ask = price(ask, Rounding::Up)?.max(best_bid.checked_add(1)?);
                change.quote = Some(Quote {
                    bid: best_bid,
                    bid_lots: self.lots(bid_qty, best_bid),
                    ask: best_ask,
                    ask_lots: self.lots(ask_qty, best_ask),
                });
                (MarkSource::Quotes, sum(bid, ask)?, 2)
            }
        };
        if source >= self.source {
            change.mark = Some(self.ticks(marked, factor, parts, Rounding::Nearest)?);
            change.real_mark = if factor == UNSHOCKED_PPB {
                change.mark
            } else {
                self.ticks(marked, UNSHOCKED_PPB, parts, Rounding::Nearest)
            };
            self.source = source;
        }
        Some(change)
    }

    /// The mark that a tick sets if it is the first of its symbol, without any shock.
    pub(super) fn first_mark(mut self, tick: &Tick) -> Option<Price> {
        self.shocks.clear();
        self.change(tick, 0)?.mark
    }

    /// `price · factor / (10^9 · parts)` in ticks, at least 1; none beyond 63 bits.
    fn ticks(&self, price: Decimal, factor_ppb: i128, parts: i128, rounding: Rounding) -> Option<Price> {
        // All factors are bounded (36 digits, 14, 18 and 12), so 256 bits hold the products.
        let step = self.tick.step();
        let ten = I256::from(10);
        let numerator = I256::from(price.mantissa()) * I256::from(factor_ppb) * ten.pow(step.scale());
        let denominator = ten.pow(price.scale() + 9) * I256::from(step.mantissa()) * I256::from(parts);
        let steps = match rounding {
            Rounding::Down => numerator.div_euclid(denominator),
            Rounding::Up => -(-numerator).div_euclid(denominator),
            Rounding::Nearest => (numerator * 2 + denominator).div_euclid(denominator * 2),
        };
        Price::try_from(steps.max(I256::ONE)).ok()
    }

    /// Whole lots of a quantity at a price, rounded down; what is too much to count is as much as can be counted.
    fn lots(&self, quantity: Decimal, price: Price) -> Quantity {
        match &self.sizes {
            Sizes::Lots(lot) => lot
                .place(quantity)
                .map_or(Quantity::MAX, |place| Quantity::try_from(place.floor()).unwrap_or(Quantity::MAX)),
            Sizes::Coins { quantum, contract } => {
                let coins = quantum.place(quantity).map_or(LIMIT, |place| place.floor().min(LIMIT));
                contract.lots_within(coins, price)
            }
        }
    }
}

/// The exact sum of two decimals.
fn sum(a: Decimal, b: Decimal) -> Option<Decimal> {
    let scale = a.scale().max(b.scale());
    let scaled = |decimal: Decimal| decimal.mantissa().checked_mul(10i128.checked_pow(scale - decimal.scale())?);
    Some(Decimal::new(scaled(a)?.checked_add(scaled(b)?)?, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn prices(shocks: &[&str]) -> SymbolPrices {
        let grid = |text| Grid::new(read(text)).unwrap();
        let shocks = shocks.iter().map(|shock| shock.parse().unwrap()).collect();
        SymbolPrices::new(grid("0.1"), Sizes::Lots(grid("0.001")), shocks)
    }

    #[test]
    fn coins_are_counted_in_contracts_at_the_price_of_their_level() {
        let mut kernel = crate::Kernel::new(crate::Settings::default());
        let terms = crate::replay::instruments::Terms { inverse: true, ..Default::default() };
        crate::replay::instruments::declare(&mut kernel, "BTCUSDT", read("87232"), terms).unwrap();
        let contract = Box::new(kernel.market().instruments[0].clone());
        let (tick, quantum) = (contract.spec.tick, Grid::decimals(8));
        let shocks = vec!["BTCUSDT:-50%@1s/0s".parse().unwrap()];
        let mut prices = SymbolPrices::new(tick, Sizes::Coins { quantum, contract }, shocks);
        let mut lots = |tick: &Tick, elapsed_ns| {
            let quote = prices.change(tick, elapsed_ns).unwrap().quote.unwrap();
            (quote.bid_lots, quote.ask_lots)
        };
        // 1.2345 BTC at 80 000.0 and 81 000.1: 98 760 and 99 994.6 USD in contracts of 100.
        assert_eq!(lots(&quote("80000", "81000.1"), 0), (987, 999));
        assert_eq!(lots(&quote("80000", "81000.1"), 1_000_000_000), (493, 499), "at half of the price");
        let huge = read("999999999999999999");
        let (bid, ask) = (read("80000"), read("80001"));
        let (most, _) = lots(&row(TickKind::Quote { bid, bid_qty: huge, ask, ask_qty: huge }), 0);
        assert_eq!(most, (LIMIT * 800_000 / 100_000_000_000) as Quantity, "no more than can be counted");
    }

    fn quote(bid: &str, ask: &str) -> Tick {
        let (bid, ask, qty) = (read(bid), read(ask), read("1.2345"));
        Tick { ts_ns: 0, symbol: 0, kind: TickKind::Quote { bid, bid_qty: qty, ask, ask_qty: qty } }
    }

    fn row(kind: TickKind) -> Tick {
        Tick { ts_ns: 0, symbol: 0, kind }
    }

    #[test]
    fn quotes_round_outward_and_their_middle_to_the_nearest() {
        let mut prices = prices(&[]);
        for (bid, ask, expected) in [
            ("87232", "87232.01", (872_320, 872_321, 872_320)),
            ("87232.04", "87232.06", (872_320, 872_321, 872_321)), // 87232.05: half up
            ("0.01", "0.02", (1, 2, 1)),
        ] {
            let change = prices.change(&quote(bid, ask), 0).unwrap();
            let found = change.quote.unwrap();
            assert_eq!((found.bid, found.ask, change.mark.unwrap()), expected, "{bid} {ask}");
            assert_eq!(found.bid_lots, 1_234);
        }
    }

    #[test]
    fn shocks_come_before_rounding() {
        let mut prices = prices(&["X:-12%@1s/2s"]);
        let marks: Vec<_> = [0, 1_000_000_000, 2_000_000_000, 3_000_000_000, 9_000_000_000]
            .map(|elapsed| prices.change(&quote("99.99", "100.01"), elapsed).unwrap().mark.unwrap())
            .into();
        assert_eq!(marks, [1_000, 1_000, 940, 880, 880]);
    }

    #[test]
    fn better_marks_silence_lesser_ones() {
        let mut prices = prices(&[]);
        let trade = row(TickKind::Trade { price: read("5"), qty: read("1") });
        let mark = row(TickKind::Mark { price: read("7") });
        let mut marks = |tick: &Tick| prices.change(tick, 0).unwrap().mark;
        assert_eq!(marks(&trade), Some(50));
        assert_eq!(marks(&quote("5.9", "6.1")), Some(60));
        assert_eq!(marks(&trade), None);
        assert_eq!(marks(&mark), Some(70));
        assert_eq!(marks(&quote("5.9", "6.1")), None);
        assert_eq!(marks(&mark), Some(70));
    }

    #[test]
    fn extremes_do_not_overflow() {
        let mut prices = prices(&["X:+99900%@0s/0s", "X:+99900%@0s/0s"]);
        let huge = "999999999999999999.999999999999999999";
        assert_eq!(prices.change(&row(TickKind::Mark { price: read(huge) }), 0), None);
        let tiny = "0.000000000000000001";
        assert_eq!(prices.change(&row(TickKind::Mark { price: read(tiny) }), 0).unwrap().mark, Some(1));
    }
}
