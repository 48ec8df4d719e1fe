//! What can be wrong with market data.

use std::fmt;
use std::io;

use super::format::{Format, UnknownFormat};

/// The most characters of a value that an error shows.
const MAX_SHOWN: usize = 60;

/// Why a file of market data, or a line of it, could not be read.
///
/// Only [`TickError::Line`] concerns less than a whole file; it is what [`Options::skip_bad`] passes over.
///
/// [`Options::skip_bad`]: super::Options::skip_bad
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    /// The file could not be opened.
    #[error("{file}: cannot be opened: {source}")]
    Open {
        /// The file, as it was given.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file could not be read on: the medium failed or the packed data is corrupt.
    #[error("{file}:{line}: cannot be read: {source}")]
    Read {
        /// The file, as it was given.
        file: String,
        /// The line (1-based, unpacked) that was being read.
        line: u64,
        /// What the system or the unpacker said.
        source: io::Error,
    },
    /// The file, unpacked, holds no line.
    #[error("{file}: empty: expected {expected}, found nothing")]
    Empty {
        /// The file, as it was given.
        file: String,
        /// What should be there.
        expected: &'static str,
    },
    /// The file ends after its header.
    #[error("{file}: expected rows after the header, found none")]
    HeaderOnly {
        /// The file, as it was given.
        file: String,
    },
    /// The first line is not the header of the file's format.
    #[error("{file}: wrong header for {format}: expected \"{expected}\", found {found}")]
    Header {
        /// The file, as it was given.
        file: String,
        /// The format that was asked for.
        format: Format,
        /// The header of that format.
        expected: &'static str,
        /// The first line.
        found: String,
    },
    /// Neither the first line nor the file's name tells the format.
    #[error("{file}: {source}")]
    Format {
        /// The file, as it was given.
        file: String,
        /// What was found, and the formats that there are.
        source: UnknownFormat,
    },
    /// The format has no symbol column, and the symbol was not given.
    #[error(
        "{file}: {format} rows do not name their symbol: \
         expected it at the start of the file's name (BTCUSDT-...) or as SYMBOL={file}, found neither"
    )]
    NoSymbol {
        /// The file, as it was given.
        file: String,
        /// Its format.
        format: Format,
    },
    /// A symbol was given for a format with a symbol column.
    #[error("{file}: {format} rows name their symbol: expected the path alone, found {symbol}=")]
    NeedlessSymbol {
        /// The file, as it was given.
        file: String,
        /// Its format.
        format: Format,
        /// The symbol that was given.
        symbol: String,
    },
    /// The symbol of the whole file is not among those accepted.
    #[error("{file}: unknown symbol: expected {expected}, found {found}")]
    FileSymbol {
        /// The file, as it was given.
        file: String,
        /// The symbols accepted.
        expected: String,
        /// The symbol of the file.
        found: String,
    },
    /// More symbols are accepted than a [`Tick`](super::Tick) can tell apart.
    #[error("expected at most 65536 symbols, found {found}")]
    TooManySymbols {
        /// How many symbols.
        found: usize,
    },
    /// A zip archive that does not hold exactly one file that can be unpacked.
    #[error("{file}: expected a zip archive of one deflated or stored file, found {found}")]
    Zip {
        /// The file, as it was given.
        file: String,
        /// What the archive holds instead, by name.
        found: String,
    },
    /// A line, or what should follow it, is bad.
    #[error(transparent)]
    Line(#[from] BadLine),
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {reason}: expected {expected}, found {found}")]
pub struct BadLine {
    /// The file, as it was given.
    pub file: String,
    /// The line, counted from 1, in the unpacked text.
    pub line: u64,
    /// What kind of mistake it is.
    pub reason: Reason,
    /// What should stand there.
    pub expected: String,
    /// What stands there, cut to a readable length.
    pub found: String,
}

/// The kinds of mistakes in lines, by which skipped lines are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Too few or too many columns.
    Columns,
    /// Not JSON, or not an event in JSON.
    Json,
    /// A price or quantity that is not a positive decimal of at most 18 digits before and 18 after the point.
    Number,
    /// A time that is not an integer of the format's unit, or not a moment at all.
    Time,
    /// A bid at or above its ask.
    Crossed,
    /// A bar whose high or low is not its extreme, or that ends before it begins.
    Bar,
    /// An instrument, a kind of event or a symbol that is not known.
    Unknown,
    /// A time before that of an earlier row.
    OutOfOrder,
    /// A line of more than 64 KiB.
    TooLong,
    /// A line that is not UTF-8.
    NotUtf8,
    /// The packed data ends in the middle.
    Truncated,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Columns => "wrong number of columns",
            Self::Json => "not a market event in JSON",
            Self::Number => "bad price or quantity",
            Self::Time => "bad time",
            Self::Crossed => "crossed quote",
            Self::Bar => "impossible bar",
            Self::Unknown => "unknown name",
            Self::OutOfOrder => "out of order",
            Self::TooLong => "line too long",
            Self::NotUtf8 => "not UTF-8",
            Self::Truncated => "truncated",
        })
    }
}

/// What is wrong with a line, before it is known which line of which file it is.
#[derive(Debug)]
pub(super) struct Fault {
    pub reason: Reason,
    pub expected: String,
    pub found: String,
}

impl Fault {
    /// A fault that shows `found` quoted and cut.
    pub fn new(reason: Reason, expected: impl Into<String>, found: &str) -> Self {
        Self { reason, expected: expected.into(), found: quoted(found) }
    }

    /// The fault with its place.
    pub fn at(self, file: &str, line: u64) -> BadLine {
        BadLine { file: file.to_owned(), line, reason: self.reason, expected: self.expected, found: self.found }
    }
}

/// `text` in quotes, control characters escaped, cut to a readable length.
pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", cut(text))
}

/// `text`, cut to a readable length.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
