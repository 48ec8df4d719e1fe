//! The files of a journal: their names, and what each begins with.

use super::disk::Disk;
use super::error::JournalError;
use super::{HEADER, KIND, MAGIC, VERSION, number_at};
use crate::rule_version::RuleVersion;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

const PREFIX: &str = "sequence-";
const DIGITS: usize = 20;

/// The name of the one file of version 1.
const VERSION_1: &str = "sequence";

/// A file of a journal, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    /// Who wrote it.
    pub(super) term: u64,
    /// Its first place.
    pub(super) first: u64,
    /// The term that the writer went on from; 0: from nothing.
    pub(super) from: u64,
    pub(super) file: PathBuf,
}

impl Segment {
    pub(super) fn new(directory: &Path, first: u64, term: u64, from: u64) -> Self {
        let name = match term {
            1 => format!("{PREFIX}{first:0DIGITS$}"),
            _ => format!("{PREFIX}{first:0DIGITS$}.{term}.{from}"),
        };
        Self { term, first, from, file: directory.join(name) }
    }

    /// The segments in a directory, by term and first place; none if there is no journal in it.
    pub(super) fn list(disk: &dyn Disk, directory: &Path) -> Result<Vec<Self>, JournalError> {
        let names = disk.list(directory);
        let names = names.map_err(|source| JournalError::Io { file: directory.to_owned(), what: "listed", source })?;
        let mut segments = Vec::new();
        for name in names {
            if name == VERSION_1 {
                return Err(JournalError::Version { file: directory.join(name), found: 1 });
            }
            if name.starts_with(PREFIX) {
                let segment = Self::named(directory, &name);
                segments.push(segment.ok_or_else(|| JournalError::Name { file: directory.join(name) })?);
            }
        }
        segments.sort();
        Ok(segments)
    }

    /// The one of this name, if it is the name of one.
    fn named(directory: &Path, name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix(PREFIX)?.split('.').map(|digits| digits.parse().ok());
        let first = parts.next()??;
        let (term, from) = match (parts.next(), parts.next()) {
            (None, None) => (1, 0),
            (Some(term), Some(from)) => (term?, from?),
            _ => return None,
        };
        let segment = Self::new(directory, first, term, from);
        let is_named_so = segment.file.file_name().is_some_and(|own| own == name);
        (is_named_so && from < term && parts.next().is_none()).then_some(segment)
    }

    /// What it begins with, if that is whole; else whether anything says that what follows was kept.
    fn begins(&self, disk: &dyn Disk) -> Result<Result<Header, bool>, JournalError> {
        let failed = |what| move |source| JournalError::Io { file: self.file.clone(), what, source };
        let mut file = disk.open(&self.file).map_err(failed("opened"))?;
        let mut bytes = vec![0; HEADER];
        let read = file.fill(0, &mut bytes).map_err(failed("read"))?;
        bytes.truncate(read);
        if let Some((header, _)) = Header::read(&self.file, &bytes)? {
            return Ok(Ok(header));
        }
        let bytes = file.read_all().map_err(failed("read"))?;
        Ok(Err(super::frame::Mark::furthest(self.first, &bytes).is_some()))
    }
}

/// The segments of one writer, in order.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) segments: VecDeque<Segment>,
    /// The checksum that its first goes on from; none if its header is damaged.
    pub(super) before: Option<u32>,
}

impl Span {
    pub(super) fn term(&self) -> u64 {
        self.segments.front().map_or(0, |segment| segment.term)
    }

    pub(super) fn first(&self) -> u64 {
        self.segments.front().map_or(0, |segment| segment.first)
    }

    /// Whether it goes on from here.
    pub(super) fn goes_on(&self, place: u64, check: u32) -> bool {
        self.segments.front().is_some_and(|segment| segment.first == place) && self.before == Some(check)
    }
}

/// What of a directory is believed: the newest term and those that it goes on from, oldest first. What others wrote, they wrote after they were fenced,
/// and told nobody of it. A term that ended before its first header was whole is none.
pub(super) fn lineage(disk: &dyn Disk, directory: &Path) -> Result<VecDeque<Span>, JournalError> {
    let mut by_term: BTreeMap<u64, VecDeque<Segment>> = BTreeMap::new();
    for segment in Segment::list(disk, directory)? {
        by_term.entry(segment.term).or_default().push_back(segment);
    }
    let mut spans = VecDeque::new();
    let mut next = by_term.keys().next_back().copied();
    while let Some((term, segments)) = next.and_then(|term| by_term.remove_entry(&term)) {
        let Some(first) = segments.front() else { break };
        let (from, begins) = (first.from, first.begins(disk)?);
        if begins == Err(false) && spans.is_empty() && segments.len() == 1 && !by_term.is_empty() {
            next = by_term.keys().next_back().copied();
            continue;
        }
        debug_assert!(from < term, "as it is named");
        // Or it was the first to get so far: the one before it did not even have its name on the disk, so nobody was told of anything by either.
        let begins_anew = begins == Err(false) && first.first == 0 && spans.is_empty() && segments.len() == 1;
        if from > 0 && begins.is_err() && !begins_anew {
            return Err(JournalError::Checksum { file: first.file.clone(), offset: 0 });
        }
        spans.push_front(Span { segments, before: begins.ok().map(|header| header.before) });
        next = Some(from);
    }
    Ok(spans)
}

/// How much of the last segment its marks say is kept: what is changed there is damage.
#[cfg(feature = "cli")]
pub(crate) fn kept_before(file: &Path, bytes: &[u8]) -> usize {
    let name = file.file_name().and_then(|name| name.to_str());
    let segment = name.and_then(|name| Segment::named(Path::new(""), name));
    let kept = segment.and_then(|segment| super::frame::Mark::furthest(segment.first, bytes));
    kept.and_then(|kept| usize::try_from(kept).ok()).unwrap_or(0)
}

/// What a segment begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The rules that are in force at its first place.
    pub(super) rules: RuleVersion,
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
        bytes[20..24].copy_from_slice(&self.rules.number().to_le_bytes());
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
        let rules = RuleVersion::try_from(number_at(header, 20));
        let rules = rules.map_err(|source| JournalError::Rules { file: file(), source })?;
        let wide = |at: usize| u64::from(number_at(header, at)) | u64::from(number_at(header, at + 4)) << 32;
        Ok(Some((Self { rules, first: wide(24), term: wide(32), before: number_at(header, 40) }, check)))
    }
}
