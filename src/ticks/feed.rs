//! The ticks of one file.

use super::error::{Fault, Reason, TickError, quoted};
use super::format::Format;
use super::input::Input;
use super::order::Window;
use super::row::Row;
use super::symbols::Symbols;
use super::text::{Shared, Text};
use super::unpack;
use super::{Tick, TickKind};

/// A file being read.
pub(super) struct Feed {
    text: Text,
    format: Format,
    /// The symbol of every row, if the rows do not name theirs.
    symbol: Option<u16>,
    window: Window,
    /// Whether there was a header and no row yet.
    bare: bool,
}

impl Feed {
    /// Opens a file and reads its header; none if it is truncated so early that it has not even that, and truncated
    /// files are skipped.
    pub fn open(input: &Input, shared: &mut Shared) -> Result<Option<Self>, TickError> {
        let file = input.path.display().to_string();
        match unpack::open(&input.path, &file) {
            Ok(unpacked) => Self::new(input, Text::new(file, unpacked), shared),
            Err(TickError::Line(truncated)) => shared.skip(truncated).map(|()| None),
            Err(error) => Err(error),
        }
    }

    /// Reads data in memory, called `file` in errors.
    pub fn embedded(bytes: &'static [u8], file: &str, shared: &mut Shared) -> Result<Option<Self>, TickError> {
        let input = Input { path: file.into(), symbol: None, format: Some(Format::Embedded) };
        Self::new(&input, Text::new(file.to_owned(), unpack::open_bytes(bytes, file)?), shared)
    }

    fn new(input: &Input, mut text: Text, shared: &mut Shared) -> Result<Option<Self>, TickError> {
        let bad_before = shared.skipped.total();
        let file = text.file.clone();
        if !text.advance(shared)? {
            // If what there was has been skipped, the file is not empty.
            let skipped = shared.skipped.total() > bad_before;
            return if skipped { Ok(None) } else { Err(TickError::Empty { file, expected: "lines" }) };
        }
        let first = text.lines.line();
        let format = match input.format {
            Some(format) => format,
            None => {
                Format::detect(&input.path, first).map_err(|source| TickError::Format { file: file.clone(), source })?
            }
        };
        let has_header = format.has_header(first).map_err(|expected| TickError::Header {
            file: file.clone(),
            format,
            expected,
            found: quoted(first),
        })?;
        if !has_header {
            text.lines.stay();
        }
        let symbol = file_symbol(input, file, format, &mut shared.symbols)?;
        Ok(Some(Self { text, format, symbol, window: Window::new(format.rows_late()), bare: has_header }))
    }

    /// The next tick, in order of time.
    pub fn next(&mut self, shared: &mut Shared) -> Result<Option<Tick>, TickError> {
        while !self.window.is_full() {
            if !self.text.advance(shared)? {
                break;
            }
            self.bare = false;
            let pushed = match self.format.row(self.text.lines.line()) {
                Ok(row) => push(row, self.format, self.symbol, &mut self.window, &mut shared.symbols),
                Err(fault) => Err(fault),
            };
            if let Err(fault) = pushed {
                shared.skip(self.text.bad(fault))?;
            }
        }
        let tick = self.window.pop();
        if tick.is_none() && self.bare && !self.text.is_truncated() {
            return Err(TickError::HeaderOnly { file: self.text.file.clone() });
        }
        Ok(tick)
    }
}

/// Adds the ticks of a row to those held back.
fn push(
    row: Row<'_>,
    format: Format,
    file_symbol: Option<u16>,
    window: &mut Window,
    symbols: &mut Symbols,
) -> Result<(), Fault> {
    let (symbol, start) = match &row {
        Row::Nothing => return Ok(()),
        Row::Tick { symbol, ts_ns, .. } => (*symbol, *ts_ns),
        Row::Bar([(start, _), ..]) => (None, *start),
    };
    if start < window.earliest() {
        return Err(out_of_order(format, start, window.earliest()));
    }
    let symbol = match file_symbol {
        Some(symbol) => symbol,
        None => symbols.number(symbol.unwrap_or_default())?,
    };
    match row {
        Row::Nothing => {}
        Row::Tick { ts_ns, kind, .. } => window.push(Tick { ts_ns, symbol, kind }),
        Row::Bar(path) => {
            for (ts_ns, price) in path {
                window.push(Tick { ts_ns, symbol, kind: TickKind::Mark { price } });
            }
        }
    }
    Ok(())
}

fn out_of_order(format: Format, found: u64, earliest: u64) -> Fault {
    let hint = match format {
        Format::BinanceBookTicker => "bookTicker files are known for such rows; ".to_owned(),
        Format::JsonLines => format!("rows may be {} rows late, no more; ", format.rows_late()),
        _ => String::new(),
    };
    Fault {
        reason: Reason::OutOfOrder,
        expected: format!("a time from {earliest} ns on ({hint}--skip-bad drops them)"),
        found: format!("{found} ns"),
    }
}

/// The symbol of every row of a file, where the rows do not name theirs.
fn file_symbol(input: &Input, file: String, format: Format, symbols: &mut Symbols) -> Result<Option<u16>, TickError> {
    if format.names_symbols() {
        return match &input.symbol {
            Some(symbol) => Err(TickError::NeedlessSymbol { file, format, symbol: symbol.clone() }),
            None => Ok(None),
        };
    }
    let Some(symbol) = input.symbol.as_deref().or_else(|| input.symbol_of_name()) else {
        return Err(TickError::NoSymbol { file, format });
    };
    let number = symbols.number(symbol);
    number.map(Some).map_err(|Fault { expected, found, .. }| TickError::FileSymbol { file, expected, found })
}
