//! The files of snapshots, by their names.

use super::SnapshotError;
use crate::journal::segment::{Segment, lineage};
use crate::journal::{Disk, JournalError};
use std::path::{Path, PathBuf};

const PREFIX: &str = "snapshot-";
const DIGITS: usize = 20;
/// How a file ends that is not whole yet.
const UNFINISHED: &str = ".new";

/// Snapshots that may go, and the first segment that is needed still: its term, and its first place.
type Older = (Vec<PathBuf>, (u64, u64));

/// A snapshot, by the name of its file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotFile {
    /// Places that went into it.
    pub places: u64,
    /// The file.
    pub file: PathBuf,
}

impl SnapshotFile {
    pub(super) fn new(directory: &Path, places: u64) -> Self {
        Self { places, file: directory.join(format!("{PREFIX}{places:0DIGITS$}")) }
    }

    /// Its name while it is written.
    pub(super) fn unfinished(&self) -> PathBuf {
        let mut name = self.file.clone().into_os_string();
        name.push(UNFINISHED);
        name.into()
    }

    /// All in a directory, the newest first; what is named otherwise is none.
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub fn list(disk: &dyn Disk, directory: &Path) -> Result<Vec<Self>, SnapshotError> {
        let named = |name: &String| {
            let digits = name.strip_prefix(PREFIX)?;
            let is_number = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
            let places = digits.parse().ok().filter(|_| is_number)?;
            Some(Self { places, file: directory.join(name) })
        };
        let mut files: Vec<Self> = names(disk, directory)?.iter().filter_map(named).collect();
        files.sort_unstable_by(|one, other| other.cmp(one));
        Ok(files)
    }

    /// Removes all snapshots but so many of the newest that are whole, at least one, and the segments that none of those goes on with;
    /// returns what was removed. Where fewer are whole, nothing is.
    ///
    /// # Errors
    ///
    /// The system refuses; some may be removed.
    pub fn prune(disk: &dyn Disk, directory: &Path, kept: usize) -> Result<Vec<PathBuf>, SnapshotError> {
        let Some((mut old, needed)) = Self::older(disk, directory, kept)? else { return Ok(Vec::new()) };
        let segments = Segment::list(disk, directory)?;
        old.extend(
            segments.into_iter().filter(|segment| (segment.term, segment.first) < needed).map(|segment| segment.file),
        );
        remove(disk, directory, old)
    }

    /// As [`SnapshotFile::prune`], and leaves all segments: the journal can be gone through from its start.
    ///
    /// # Errors
    ///
    /// The system refuses; some may be removed.
    pub fn thin(disk: &dyn Disk, directory: &Path, kept: usize) -> Result<Vec<PathBuf>, SnapshotError> {
        let Some((old, _)) = Self::older(disk, directory, kept)? else { return Ok(Vec::new()) };
        remove(disk, directory, old)
    }

    /// The snapshots behind so many of the newest that are whole, and the first segment that those go on with; none if fewer are whole.
    fn older(disk: &dyn Disk, directory: &Path, kept: usize) -> Result<Option<Older>, SnapshotError> {
        let (mut whole, mut needed, mut old) = (0, (u64::MAX, u64::MAX), Vec::new());
        let spans = lineage(disk, directory)?;
        let is_believed = |term| spans.iter().any(|span| span.term() == term);
        for snapshot in Self::list(disk, directory)? {
            if whole >= kept.max(1) {
                old.push(snapshot.file);
            } else if let Ok((stand, _)) = snapshot.verify(disk)
                && is_believed(stand.term)
            {
                whole += 1;
                needed = needed.min((stand.term, stand.position.segment));
            }
        }
        Ok((whole >= kept.max(1)).then_some((old, needed)))
    }

    /// Removes what is left of snapshots that were never finished.
    pub(super) fn clear_unfinished(disk: &dyn Disk, directory: &Path) -> Result<(), SnapshotError> {
        for name in names(disk, directory)? {
            if name.starts_with(PREFIX) && name.ends_with(UNFINISHED) {
                let file = directory.join(name);
                let removed = disk.remove(&file);
                removed.map_err(|source| JournalError::Io { file, what: "removed", source })?;
            }
        }
        Ok(())
    }
}

fn remove(disk: &dyn Disk, directory: &Path, old: Vec<PathBuf>) -> Result<Vec<PathBuf>, SnapshotError> {
    for file in &old {
        let removed = disk.remove(file);
        removed.map_err(|source| JournalError::Io { file: file.clone(), what: "removed", source })?;
    }
    let synced = disk.sync_directory(directory);
    synced.map_err(|source| JournalError::Io { file: directory.to_owned(), what: "forced to the disk", source })?;
    Ok(old)
}

fn names(disk: &dyn Disk, directory: &Path) -> Result<Vec<String>, SnapshotError> {
    let failed = |source| JournalError::Io { file: directory.to_owned(), what: "listed", source };
    Ok(disk.list(directory).map_err(failed)?)
}
