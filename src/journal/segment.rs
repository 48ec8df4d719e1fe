//! The files of a journal: their names, and what each begins with.

use super::disk::Disk;
use super::error::JournalError;
use super::{HEADER, KIND, MAGIC, RULES, VERSION, number_at};
use std::path::{Path, PathBuf};

const PREFIX: &str = "sequence-";
const DIGITS: usize = 20;

/// The name of the one file of version 1.
const VERSION_1: &str = "sequence";

/// A file of a journal, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    /// Its first place.
    pub(super) first: u64,
    pub(super) file: PathBuf,
}

impl Segment {
    pub(super) fn new(directory: &Path, first: u64) -> Self {
        Self { first, file: directory.join(format!("{PREFIX}{first:020}")) }
    }

    /// The segments in a directory, in order; none if there is no journal in it.
    pub(super) fn list(disk: &dyn Disk, directory: &Path) -> Result<Vec<Self>, JournalError> {
        let names = disk.list(directory);
        let names = names.map_err(|source| JournalError::Io { file: directory.to_owned(), what: "listed", source })?;
        let mut segments = Vec::new();
        for name in names {
            let file = directory.join(&name);
            if name == VERSION_1 {
                return Err(JournalError::Version { file, found: 1 });
            }
            let Some(digits) = name.strip_prefix(PREFIX) else { continue };
            let is_number = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
            match digits.parse().ok().filter(|_| is_number) {
                Some(first) => segments.push(Self { first, file }),
                None => return Err(JournalError::Name { file }),
            }
        }
        segments.sort();
        Ok(segments)
    }
}

/// How much of the last segment its marks say is kept: what is changed there is damage.
#[cfg(feature = "cli")]
pub(crate) fn kept_before(file: &Path, bytes: &[u8]) -> usize {
    let name = file.file_name().and_then(|name| name.to_str());
    let first = name.and_then(|name| name.strip_prefix(PREFIX)?.parse().ok());
    let kept = first.and_then(|first| super::frame::Mark::furthest(first, bytes));
    kept.and_then(|kept| usize::try_from(kept).ok()).unwrap_or(0)
}

/// What a segment begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The rules under which the sequence comes to what it says.
    pub(super) rules: u32,
    /// The number of its first place.
    pub(super) first: u64,
    /// Who writes: it grows with every takeover.
    pub(super) term: u64,
    /// The checksum at the end of the segment before; 0 in the first.
    pub(super) before: u32,
}

impl Header {
    /// As it stands in the file, and its checksum, from which those of the frames go on.
    pub(super) fn bytes(&self) -> ([u8; HEADER], u32) {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..16].copy_from_slice(&KIND);
        bytes[16..20].copy_from_slice(&VERSION.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.rules.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.first.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.term.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.before.to_le_bytes());
        let check = crc32c::crc32c(&bytes[..44]);
        bytes[44..].copy_from_slice(&check.to_le_bytes());
        (bytes, check)
    }

    /// Reads what a file begins with; none if it ends within it, or what is there is not as it was written.
    pub(super) fn read(file: &Path, bytes: &[u8]) -> Result<Option<(Self, u32)>, JournalError> {
        let file = || file.to_owned();
        let there = bytes.len().min(MAGIC.len());
        if bytes[..there] != MAGIC[..there] && bytes[..there].iter().any(|&byte| byte != 0) {
            return Err(JournalError::NotAJournal { file: file() });
        }
        // Kind and version stand where every version has them, whatever follows.
        if there == MAGIC.len() && bytes[0] != 0 && bytes.len() >= 20 {
            let version = number_at(bytes, 16);
            if version != VERSION {
                return Err(JournalError::Version { file: file(), found: version });
            }
        }
        let Some(header) = bytes.get(..HEADER) else { return Ok(None) };
        let check = crc32c::crc32c(&header[..44]);
        if check != number_at(header, 44) {
            return Ok(None);
        }
        if header[8..16] != KIND {
            let mut found = [0; 8];
            found.copy_from_slice(&header[8..16]);
            return Err(JournalError::Kind { file: file(), found });
        }
        let rules = number_at(header, 20);
        if rules != RULES {
            return Err(JournalError::Rules { file: file(), found: rules });
        }
        let wide = |at: usize| u64::from(number_at(header, at)) | u64::from(number_at(header, at + 4)) << 32;
        Ok(Some((Self { rules, first: wide(24), term: wide(32), before: number_at(header, 40) }, check)))
    }
}
