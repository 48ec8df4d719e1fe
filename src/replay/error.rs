//! Why a replay could not be carried out.

use crate::refusal::{Code, Refusal};
use crate::ticks::TickError;
use std::io;

/// Why a replay was not started, or did not come to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The market data cannot be read.
    #[error(transparent)]
    Ticks(#[from] TickError),
    /// There is market data, but no price in it.
    #[error("the market data holds no price: expected at least one quote, trade or mark")]
    NoPrice,
    /// A shock names a symbol that nothing is known of.
    #[error("--shock {symbol}: expected a symbol of the market data ({known}), found {symbol:?}")]
    ShockSymbol {
        /// The symbol named.
        symbol: String,
        /// The symbols that there are.
        known: String,
    },
    /// A setting cannot be carried out.
    #[error("{0}")]
    Setting(String),
    /// A price level for which no sensible tick and lot can be derived.
    #[error(
        "{symbol}: no tick and lot can be derived for a price of {price}: expected 0.000000000001 to 1000000000000"
    )]
    PriceLevel {
        /// The symbol.
        symbol: String,
        /// Its first price, in the quote currency.
        price: String,
    },
    /// A file, other than market data, cannot be opened or read on.
    #[error("{file}: cannot be read: {source}")]
    Read {
        /// The file, as it was given.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// The event log cannot be written.
    #[error("the event log cannot be written: {0}")]
    Write(io::Error),
    /// A line of the accounts file was refused.
    #[error("{file}:{line}: {code}: {reason}")]
    AccountsLine {
        /// The file, as it was given.
        file: String,
        /// The line, from 1.
        line: u64,
        /// The protocol's word.
        code: Code,
        /// What was expected, and what was found.
        reason: String,
    },
    /// The accounts file as a whole does not fit.
    #[error("{file}: {problem}")]
    Accounts {
        /// The file, as it was given.
        file: String,
        /// What was expected, and what was found.
        problem: String,
    },
    /// The kernel refused what was generated or read.
    #[error("{what}: {refusal}")]
    Refused {
        /// What was to be carried out.
        what: String,
        /// Why it was not.
        refusal: Refusal,
    },
}
