//! What a line of a file says, whatever its format.

use crate::decimal::Decimal;

use super::TickKind;

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row<'a> {
    /// Nothing about a price: a field that did not change, a book with one side, a reconnection.
    Nothing,
    /// One tick.
    Tick {
        /// The symbol, if the row has one.
        symbol: Option<&'a str>,
        /// Nanoseconds since 1970.
        ts_ns: u64,
        kind: TickKind,
    },
    /// A bar of mark prices, without a symbol: time in nanoseconds since 1970 and price, in order of time.
    Bar([(u64, Decimal); 4]),
}
