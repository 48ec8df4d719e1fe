//! Opens a file and unpacks it, by what its first bytes say it is.

use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::error::{Fault, Reason, TickError};
use super::zipped;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
    Zip,
}

impl Packing {
    /// Tells the packing by the first four bytes of a file.
    fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] => Self::Zstd,
            // A first entry, or the end of an archive without any.
            [b'P', b'K', 3, 4] | [b'P', b'K', 5, 6] => Self::Zip,
            _ => Self::Plain,
        }
    }

    /// The fault of a file that ends too early.
    pub fn truncated(self) -> Fault {
        Fault { reason: Reason::Truncated, expected: format!("the rest of the {self}"), found: "its end".to_owned() }
    }
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "file",
            Self::Gzip => "gzip stream",
            Self::Zstd => "zstd stream",
            Self::Zip => "zip archive",
        })
    }
}

/// The unpacked text of a file.
pub(super) struct Unpacked {
    pub text: Box<dyn Read + Send>,
    pub packing: Packing,
}

/// Opens the file at `path`, called `file` in errors.
pub(super) fn open(path: &Path, file: &str) -> Result<Unpacked, TickError> {
    let cannot_open = |source| TickError::Open { file: file.to_owned(), source };
    let mut input = File::open(path).map_err(cannot_open)?;
    let mut head = Vec::new();
    input.by_ref().take(4).read_to_end(&mut head).map_err(cannot_open)?;
    let packing = Packing::of(&head);
    if packing == Packing::Zip {
        return Ok(Unpacked { text: Box::new(zipped::open(input, file)?), packing });
    }
    // Chained, not rewound: a pipe cannot be.
    let text = unpack(packing, Cursor::new(head).chain(input)).map_err(cannot_open)?;
    Ok(Unpacked { text, packing })
}

/// Unpacks data in memory, which is no zip archive.
pub(super) fn open_bytes(bytes: &'static [u8], file: &str) -> Result<Unpacked, TickError> {
    let packing = Packing::of(bytes.get(..4).unwrap_or(bytes));
    let text = unpack(packing, bytes).map_err(|source| TickError::Open { file: file.to_owned(), source })?;
    Ok(Unpacked { text, packing })
}

fn unpack(packing: Packing, input: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    Ok(match packing {
        Packing::Plain | Packing::Zip => Box::new(input),
        Packing::Gzip => Box::new(MultiGzDecoder::new(input)),
        Packing::Zstd => Box::new(zstd::Decoder::new(input)?),
    })
}
