//! What to read, and how.

use std::path::PathBuf;

use super::format::Format;

/// A file to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The file: plain, gzip, zstd or zip, whatever it is called.
    pub path: PathBuf,
    /// The symbol of its rows, for formats without a symbol column; by default the leading part of the file's name.
    pub symbol: Option<String>,
    /// Its format; by default what [`Format::detect`] finds.
    pub format: Option<Format>,
}

/// `PATH` or `SYMBOL=PATH`: what stands before the first `=` is a symbol unless it looks like a path, that is unless
/// it has a `/`, `\` or `.` in it.
impl From<&str> for Input {
    fn from(argument: &str) -> Self {
        let (symbol, path) = match argument.split_once('=') {
            Some((symbol, path)) if !symbol.is_empty() && !symbol.contains(['/', '\\', '.']) => (Some(symbol), path),
            _ => (None, argument),
        };
        Self { path: path.into(), symbol: symbol.map(str::to_owned), format: None }
    }
}

impl Input {
    /// The leading part of a name such as `BTCUSDT-aggTrades-2025-03-25.csv`.
    pub(super) fn symbol_of_name(&self) -> Option<&str> {
        let (symbol, _) = self.path.file_name()?.to_str()?.split_once('-')?;
        let in_symbols = |letter: char| letter == '_' || letter.is_alphanumeric() && !letter.is_lowercase();
        (!symbol.is_empty() && symbol.chars().all(in_symbols)).then_some(symbol)
    }
}

/// How to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Skip and count bad lines instead of stopping at the first; a truncated file then ends where it was cut off.
    pub skip_bad: bool,
    /// The only symbols that may occur, which are then numbered in this order; by default any, numbered in order of
    /// appearance.
    pub symbols: Option<Vec<String>>,
}
