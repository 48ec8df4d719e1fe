//! The good lines of a file, and what becomes of the bad ones.

use std::io;

use super::error::{BadLine, Fault, TickError};
use super::lines::{Lines, NoLine};
use super::skipped::Skipped;
use super::symbols::Symbols;
use super::unpack::{Packing, Unpacked};

/// What the files of a source share.
pub(super) struct Shared {
    pub symbols: Symbols,
    pub skipped: Skipped,
    pub skip_bad: bool,
}

impl Shared {
    /// Counts a bad line, or stops at it.
    pub fn skip(&mut self, line: BadLine) -> Result<(), TickError> {
        if !self.skip_bad {
            return Err(line.into());
        }
        self.skipped.add(line);
        Ok(())
    }
}

/// The lines of a file, of which [`Text::advance`] passes over the bad ones.
pub(super) struct Text {
    pub file: String,
    pub lines: Lines,
    packing: Packing,
    end: Option<End>,
}

/// How a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    /// In the middle, which was skipped.
    Truncated,
}

impl Text {
    pub fn new(file: String, unpacked: Unpacked) -> Self {
        Self { file, lines: Lines::new(unpacked.text), packing: unpacked.packing, end: None }
    }

    /// Goes to the next good line; whether there is one.
    pub fn advance(&mut self, shared: &mut Shared) -> Result<bool, TickError> {
        while self.end.is_none() {
            match self.lines.advance() {
                Ok(true) => return Ok(true),
                Ok(false) => self.end = Some(End::Whole),
                Err(NoLine::Bad(fault)) => shared.skip(self.bad(fault))?,
                Err(NoLine::Broken(source)) if source.kind() == io::ErrorKind::UnexpectedEof => {
                    self.end = Some(End::Truncated);
                    shared.skip(self.bad(self.packing.truncated()))?;
                }
                Err(NoLine::Broken(source)) => {
                    return Err(TickError::Read { file: self.file.clone(), line: self.lines.number(), source });
                }
            }
        }
        Ok(false)
    }

    /// Whether the file ended in the middle, and that was skipped.
    pub fn is_truncated(&self) -> bool {
        self.end == Some(End::Truncated)
    }

    /// The fault with its place: the line read last.
    pub fn bad(&self, fault: Fault) -> BadLine {
        fault.at(&self.file, self.lines.number())
    }
}
