//! Writing a snapshot: aside, forced, then named.

use super::list::SnapshotFile;
use super::{END, Origin, SnapshotError, Stand};
use crate::journal::segment::Segment;
use crate::journal::writer::Writer;
use crate::journal::{Disk, DiskFile, JournalError, JournalSettings};
use crate::snapshot::Part;
use std::io;
use std::path::Path;
use xxhash_rust::xxh3::Xxh3Default;

/// A snapshot that is being written. Unless it is [finished](SnapshotWriter::finish) there is none.
#[derive(Debug)]
pub struct SnapshotWriter<'a> {
    disk: &'a dyn Disk,
    directory: &'a Path,
    named: SnapshotFile,
    file: Box<dyn DiskFile>,
    stand: Stand,
    /// The checksum so far.
    check: u32,
    whole: Hasher,
    bytes: u64,
}

/// Hashes all that is written.
struct Hasher(Box<Xxh3Default>);

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hasher")
    }
}

impl<'a> SnapshotWriter<'a> {
    /// Begins the snapshot of a kernel that stands there in the journal of the directory.
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub fn begin(disk: &'a dyn Disk, directory: &'a Path, stand: Stand) -> Result<Self, SnapshotError> {
        SnapshotFile::clear_unfinished(disk, directory)?;
        let named = SnapshotFile::new(directory, stand.places);
        let unfinished = named.unfinished();
        let made = disk.create(&unfinished);
        let file = made.map_err(|source| JournalError::Io { file: unfinished, what: "created", source })?;
        let whole = Hasher(Box::default());
        let (header, check) = stand.bytes();
        let mut writer = Self { disk, directory, named, file, stand, check, whole, bytes: 0 };
        writer.append(&header)?;
        Ok(writer)
    }

    /// Begins a journal, in a directory without any, whose places follow those of a state that comes from elsewhere, and the snapshot of that state. Before
    /// it is [finished](SnapshotWriter::finish) nothing goes on from it.
    ///
    /// # Errors
    ///
    /// There is a journal, or a snapshot, or the system refuses.
    pub fn begin_journal(
        disk: &'a (impl Disk + Clone + 'static),
        directory: &'a Path,
        settings: JournalSettings,
        origin: Origin,
    ) -> Result<Self, SnapshotError> {
        // Before the directory is there nothing can be listed.
        if let Some(SnapshotFile { file, .. }) = SnapshotFile::list(disk, directory).unwrap_or_default().pop() {
            return Err(JournalError::Exists { file }.into());
        }
        let writer = Writer::create_at(disk.clone(), directory, settings, origin.places)?;
        let Origin { places, seq, check, decided, lacks_decision } = origin;
        let position = writer.origin();
        writer.finish()?;
        Self::begin(
            disk,
            directory,
            Stand {
                places,
                seq,
                term: position.term,
                check,
                position,
                owed: 0,
                decided,
                lacks_decision,
                rules: settings.rules,
            },
        )
    }

    /// Appends a part.
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub fn part(&mut self, part: Part, payload: &[u8]) -> Result<(), SnapshotError> {
        self.write(part as u32, payload)
    }

    /// Ends it: everything is forced to the disk, the segments before it included, and it gets its name. Its bytes are returned.
    ///
    /// # Errors
    ///
    /// The system refuses; there is no such snapshot then, but for one that was there before.
    pub fn finish(mut self) -> Result<(SnapshotFile, u64), SnapshotError> {
        let whole = self.whole.0.digest();
        self.write(END, &whole.to_le_bytes())?;
        let Self { disk, directory, named, mut file, stand, bytes, .. } = self;
        let failed = |file: &Path, what| {
            let file = file.to_owned();
            move |source| JournalError::Io { file, what, source }
        };
        let unfinished = named.unfinished();
        file.sync().map_err(failed(&unfinished, "forced to the disk"))?;
        drop(file);
        // What went into it must not be lost while it stays: the segment at hand, and those behind it that hold outcomes. All
        // before were forced when the next was begun, unless nothing of the journal ever is.
        let behind = |at: &Segment| (at.term, at.first) >= (stand.term, stand.position.segment);
        for segment in Segment::list(disk, directory)?.into_iter().filter(behind) {
            let opened = disk.open_to_append(&segment.file);
            let mut opened = opened.map_err(failed(&segment.file, "opened"))?;
            opened.sync().map_err(failed(&segment.file, "forced to the disk"))?;
        }
        disk.rename(&unfinished, &named.file).map_err(failed(&unfinished, "renamed"))?;
        disk.sync_directory(directory).map_err(failed(directory, "forced to the disk"))?;
        Ok((named, bytes))
    }

    fn write(&mut self, what: u32, payload: &[u8]) -> Result<(), SnapshotError> {
        let length = u32::try_from(payload.len())
            .map_err(|_| JournalError::TooLong { file: self.named.unfinished(), bytes: payload.len() })?;
        let mut head = [0; 16];
        head[..4].copy_from_slice(&what.to_le_bytes());
        head[4..8].copy_from_slice(&length.to_le_bytes());
        let check = crc32c::crc32c_append(self.check, &head[..8]);
        self.check = crc32c::crc32c_append(check, payload);
        head[8..12].copy_from_slice(&check.to_le_bytes());
        head[12..].copy_from_slice(&self.check.to_le_bytes());
        self.append(&head)?;
        self.append(payload)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        self.whole.0.update(bytes);
        self.bytes += bytes.len() as u64;
        let written: io::Result<()> = self.file.append_all(bytes);
        let failed = |source| JournalError::Io { file: self.named.unfinished(), what: "written", source };
        Ok(written.map_err(failed)?)
    }
}
