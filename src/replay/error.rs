//! Why a replay could not be carried out.

use crate::engine::{Divergence, Failure, StartError};
use crate::journal::JournalError;
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
    /// A price level at which no coin can be counted that an inverse contract settles in.
    #[error(
        "--inverse: {symbol}: no coin to settle in can be counted at a price of {price}: expected 0.00000001 to below 10000000000"
    )]
    CoinPrice {
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
    /// The threads could not be started.
    #[error("the threads cannot be started: {0}")]
    Start(#[from] StartError),
    /// The threaded kernel stopped by itself.
    #[error("the threaded kernel stopped: {0}")]
    Stopped(Failure),
    /// What was recorded, gone through inline, comes to something else: a bug.
    #[error("the record, gone through inline, comes to something else: {0}")]
    Diverged(#[from] Divergence),
    /// The log of the threads and that of their record differ: a bug.
    #[error("the log of the threads has the hash {threaded:032x}, that of their record {inline:032x}")]
    LogsDiffer {
        /// Of the threads' log.
        threaded: u128,
        /// Of the record's.
        inline: u128,
    },
    /// The journal cannot be written, or read.
    #[error(transparent)]
    Journal(#[from] JournalError),
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
