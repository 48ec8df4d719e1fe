//! Market data: quotes, trades and mark prices, read from recorded files.
//!
//! A [`Source`] reads any number of files of any [`Format`] and yields their [`Tick`]s as one stream, ordered by
//! time. Files are read as they are consumed, never whole; they may be plain or packed with gzip, zstd or zip, which
//! is told by their first bytes.
//!
//! Prices and quantities are exact [`Decimal`]s, positive, with at most 18 digits on either side of the point. Times
//! are nanoseconds since 1970-01-01 UTC.
//!
//! ```no_run
//! # use terrace::ticks::{Input, Options, Source, TickError};
//! let inputs: Vec<Input> = vec!["BTCUSDT-aggTrades-2025-03-25.zip".into(), "ETHUSDT=eth.csv.gz".into()];
//! let mut source = Source::open(&inputs, Options::default())?;
//! while let Some(tick) = source.next() {
//!     let tick = tick?;
//!     println!("{} {} {:?}", tick.ts_ns, source.symbols()[usize::from(tick.symbol)], tick.kind);
//! }
//! # Ok::<(), TickError>(())
//! ```

mod binance;
mod embedded;
mod error;
mod feed;
mod fields;
mod format;
mod input;
mod json_lines;
mod lines;
mod order;
mod row;
mod skipped;
mod source;
mod symbols;
mod tardis;
mod text;
mod time;
mod unpack;
mod zipped;

use crate::decimal::Decimal;

pub use error::{BadLine, Reason, TickError};
pub use format::{Format, UnknownFormat};
pub use input::{Input, Options};
pub use skipped::{Skipped, Tally};
pub use source::Source;

/// Something that the market did at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// When, in nanoseconds since 1970-01-01 UTC: the recorder's clock where the format has one (Tardis, JSON lines,
    /// embedded), the exchange's otherwise (Binance).
    pub ts_ns: u64,
    /// Which symbol: an index into [`Source::symbols`].
    pub symbol: u16,
    /// What.
    pub kind: TickKind,
}

/// What a [`Tick`] says. Every price and quantity is positive, and a bid lies below its ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickKind {
    /// The best bid and ask changed.
    Quote {
        /// The best bid, in the quote currency.
        bid: Decimal,
        /// The quantity bid at it, in the base currency or in contracts, as the exchange gives it.
        bid_qty: Decimal,
        /// The best ask, in the quote currency.
        ask: Decimal,
        /// The quantity offered at it, in the unit of `bid_qty`.
        ask_qty: Decimal,
    },
    /// A trade took place.
    Trade {
        /// Its price, in the quote currency.
        price: Decimal,
        /// Its quantity, in the base currency or in contracts, as the exchange gives it.
        qty: Decimal,
    },
    /// The mark price, or the index price, changed.
    Mark {
        /// The price, in the quote currency.
        price: Decimal,
    },
}
