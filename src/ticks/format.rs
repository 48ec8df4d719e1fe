//! The formats of market data, and how to tell them apart.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::error::{Fault, quoted};
use super::row::Row;
use super::{binance, embedded, json_lines, tardis};

/// How the rows of a file are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `binance-agg-trades`: Binance's public `aggTrades` (times in ms, or µs in newer spot files; header optional).
    BinanceAggTrades,
    /// `binance-book-ticker`: Binance's public `bookTicker` (ms, by transaction time; header optional). These files
    /// are known for rows out of order.
    BinanceBookTicker,
    /// `binance-mark-price-klines`: Binance's public `markPriceKlines` or `indexPriceKlines` (ms or µs; header
    /// optional). A bar is four marks, spread over its time: open, the nearer extreme, the farther one (of equally
    /// near ones the low comes first), close. Trade-price `klines` have the same columns and read the same way.
    BinanceMarkPriceKlines,
    /// `tardis-trades`: Tardis `trades` (µs, by local time; header required).
    TardisTrades,
    /// `tardis-quotes`: Tardis `quotes` (µs, by local time; header required). A row with an empty side gives no tick.
    TardisQuotes,
    /// `tardis-derivative-ticker`: Tardis `derivative_ticker` (µs, by local time; header required). A row with an
    /// empty mark price gives no tick.
    TardisDerivativeTicker,
    /// `jsonl`: market events of the `barter` crates, one JSON object to a line, by time received. Its trades and its
    /// quotes are two recordings woven into one, so rows may come up to 4096 rows late and are put in order; in every
    /// other format time must not go backward.
    JsonLines,
    /// `embedded`: the columns of the data that is built in, `ts_ns,symbol,kind,price|bid,qty|bid_qty,ask,ask_qty`
    /// (ns; header required), where `kind` is `t` for a trade, which ends after `qty`, and `q` for a quote.
    Embedded,
}

/// A format that is not known, or could not be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown format: expected one of {}, found {found}", names())]
pub struct UnknownFormat {
    /// What was found instead.
    pub found: String,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 8] = [
        Self::BinanceAggTrades,
        Self::BinanceBookTicker,
        Self::BinanceMarkPriceKlines,
        Self::TardisTrades,
        Self::TardisQuotes,
        Self::TardisDerivativeTicker,
        Self::JsonLines,
        Self::Embedded,
    ];

    /// The format's name, as it is given on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BinanceAggTrades => "binance-agg-trades",
            Self::BinanceBookTicker => "binance-book-ticker",
            Self::BinanceMarkPriceKlines => "binance-mark-price-klines",
            Self::TardisTrades => "tardis-trades",
            Self::TardisQuotes => "tardis-quotes",
            Self::TardisDerivativeTicker => "tardis-derivative-ticker",
            Self::JsonLines => "jsonl",
            Self::Embedded => "embedded",
        }
    }

    /// Tells the format of a file by its first line or, if that is no header, by its name, such as
    /// `BTCUSDT-aggTrades-2025-03-25.csv`. Only the last component of `path` counts.
    ///
    /// # Errors
    ///
    /// [`UnknownFormat`] if neither tells. That includes Tardis `liquidations`, which have the columns of `trades`
    /// and would be taken for them.
    pub fn detect(path: &Path, first_line: &str) -> Result<Self, UnknownFormat> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let found = if first_line.starts_with('{') {
            Some(Self::JsonLines)
        } else {
            Self::ALL.into_iter().find(|format| format.headers().contains(&first_line)).or_else(|| Self::of_name(&name))
        };
        let liquidations = found == Some(Self::TardisTrades) && name.contains("liquidations");
        found.filter(|_| !liquidations).ok_or_else(|| UnknownFormat {
            found: format!("a file named {} that begins with {}", quoted(&name), quoted(first_line)),
        })
    }

    /// The format of Binance's public files with this name: `SYMBOL-KIND-...`, where the kind of klines is their
    /// interval.
    fn of_name(name: &str) -> Option<Self> {
        match name.split('-').nth(1)? {
            "aggTrades" => Some(Self::BinanceAggTrades),
            "bookTicker" => Some(Self::BinanceBookTicker),
            "markPriceKlines" | "indexPriceKlines" => Some(Self::BinanceMarkPriceKlines),
            kind => is_interval(kind).then_some(Self::BinanceMarkPriceKlines),
        }
    }

    /// The headers that a file of this format may have, the usual one first.
    fn headers(self) -> &'static [&'static str] {
        match self {
            Self::BinanceAggTrades => &binance::AGG_TRADES,
            Self::BinanceBookTicker => &binance::BOOK_TICKER,
            Self::BinanceMarkPriceKlines => &binance::KLINES,
            Self::TardisTrades => &tardis::TRADES,
            Self::TardisQuotes => &tardis::QUOTES,
            Self::TardisDerivativeTicker => &tardis::DERIVATIVE_TICKER,
            Self::JsonLines => &[],
            Self::Embedded => &embedded::HEADERS,
        }
    }

    /// Whether `first_line` is a header; the header it should be if it is neither that nor, where a file may begin
    /// with one, a row.
    pub(super) fn has_header(self, first_line: &str) -> Result<bool, &'static str> {
        let Some(usual) = self.headers().first() else { return Ok(false) };
        if self.headers().contains(&first_line) {
            Ok(true)
        } else if !self.names_symbols() && first_line.starts_with(|first: char| first.is_ascii_digit()) {
            Ok(false)
        } else {
            Err(usual)
        }
    }

    /// Whether the rows name their symbols.
    pub(super) fn names_symbols(self) -> bool {
        !matches!(self, Self::BinanceAggTrades | Self::BinanceBookTicker | Self::BinanceMarkPriceKlines)
    }

    /// How many rows late a row may come.
    pub(super) fn rows_late(self) -> usize {
        if self == Self::JsonLines { json_lines::ROWS_LATE } else { 0 }
    }

    /// Reads a row.
    pub(super) fn row(self, line: &str) -> Result<Row<'_>, Fault> {
        match self {
            Self::BinanceAggTrades => binance::agg_trade(line),
            Self::BinanceBookTicker => binance::book_ticker(line),
            Self::BinanceMarkPriceKlines => binance::kline(line),
            Self::TardisTrades => tardis::trade(line),
            Self::TardisQuotes => tardis::quote(line),
            Self::TardisDerivativeTicker => tardis::derivative_ticker(line),
            Self::JsonLines => json_lines::event(line),
            Self::Embedded => embedded::event(line),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let found = Self::ALL.into_iter().find(|format| format.name() == name);
        found.ok_or_else(|| UnknownFormat { found: quoted(name) })
    }
}

fn names() -> String {
    Format::ALL.map(Format::name).join(", ")
}

/// Whether a kind is an interval of klines: `1s`, `15m`, `4h`, `1d`, `1w`, `1mo`.
fn is_interval(kind: &str) -> bool {
    let unit = kind.trim_start_matches(|digit: char| digit.is_ascii_digit());
    unit.len() < kind.len() && matches!(unit, "s" | "m" | "h" | "d" | "w" | "mo")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
    }

    #[test]
    fn every_header_tells_its_format() {
        for format in Format::ALL {
            for header in format.headers() {
                assert_eq!(Format::detect(Path::new("x"), header), Ok(format));
            }
        }
    }

    #[test]
    fn the_name_tells_where_there_is_no_header() {
        for (name, format) in [
            ("a-b/BTCUSDT-aggTrades-2025-03-25.zip", Some(Format::BinanceAggTrades)),
            ("BTCUSDT-bookTicker-2024-03-01.csv", Some(Format::BinanceBookTicker)),
            ("BTCUSDT-1m-2025-03-25.csv", Some(Format::BinanceMarkPriceKlines)),
            ("BTCUSDT-1mo-2025-03.csv.gz", Some(Format::BinanceMarkPriceKlines)),
            ("BTCUSDT-indexPriceKlines-1h-2025-03.csv", Some(Format::BinanceMarkPriceKlines)),
            ("BTCUSDT-trades-2025-03-25.csv", None),
            ("BTCUSDT-m-2025-03-25.csv", None),
            ("aggTrades.csv", None),
            ("", None),
        ] {
            assert_eq!(Format::detect(Path::new(name), "1,2,3").ok(), format, "{name}");
        }
    }

    #[test]
    fn liquidations_are_not_taken_for_trades() {
        let path = Path::new("binance-futures_liquidations_2025-03-25_BTCUSDT.csv.gz");
        assert!(Format::detect(path, tardis::TRADES[0]).is_err());
    }
}
