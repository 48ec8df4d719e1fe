//! Writing: frames are made in one buffer, which goes to the file when it is full.

use super::error::JournalError;
use super::{CHECK, HEAD, MAX_PAYLOAD, file_in, header};
use crate::engine::{Decision, Entry};
use postcard::ser_flavors::Flavor;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// From so many bytes on the buffer goes to the file.
const SPILL: usize = 1 << 16;

/// A journal that is being written.
///
/// What is appended lies in a buffer until that is full, [`Writer::flush`] or the end; dropping a writer flushes too,
/// but cannot say whether it could. No entry is allocated for once the buffer has grown to the longest.
///
/// Nothing is forced to the disk yet, so a crash of the machine may take what was flushed; part 5 will.
#[derive(Debug)]
pub struct Writer {
    file: File,
    path: PathBuf,
    buffer: Vec<u8>,
    /// The checksum so far.
    check: u32,
    /// Decisions whose outcome is still to come.
    undecided: u64,
    /// A write failed: the file may end anywhere.
    failed: bool,
}

/// A [`Frame`](super::Frame), borrowed: the two are the same in bytes.
#[derive(Serialize)]
enum FrameRef<'a> {
    Entry(&'a Entry),
    Outcome(&'a Decision),
}

impl Writer {
    /// Begins a journal in a directory, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// There is one already, or the system refuses.
    pub fn create(directory: impl AsRef<Path>) -> Result<Self, JournalError> {
        let directory = directory.as_ref();
        let failed = |file: &Path| {
            let file = file.to_owned();
            move |source| JournalError::Io { file, what: "created", source }
        };
        fs::create_dir_all(directory).map_err(failed(directory))?;
        let path = file_in(directory);
        let file = match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(JournalError::Exists { file: path });
            }
            opened => opened.map_err(failed(&path))?,
        };
        let (header, check) = header();
        let mut buffer = Vec::with_capacity(2 * SPILL);
        buffer.extend_from_slice(&header);
        let mut writer = Self { file, path, buffer, check, undecided: 0, failed: false };
        writer.flush()?;
        Ok(writer)
    }

    /// Writes one place of the sequence. The outcome of a decision, if it is not known yet, comes by
    /// [`Writer::outcome`].
    ///
    /// # Errors
    ///
    /// The entry is none that can be read again, or too long: nothing has changed then. Or the system refuses: the journal
    /// has ended.
    pub fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        entry.check_alone().map_err(|refusal| self.unreadable(&refusal))?;
        self.write(&FrameRef::Entry(entry))?;
        self.undecided += u64::from(matches!(entry, Entry::Decide { outcome: None }));
        self.spill()
    }

    /// Writes what the first of the decisions that have no outcome yet came to.
    ///
    /// # Errors
    ///
    /// There is no such decision, or the outcome is too long: nothing has changed then. Or the system refuses: the
    /// journal has ended.
    pub fn outcome(&mut self, decision: &Decision) -> Result<(), JournalError> {
        if self.undecided == 0 {
            return Err(JournalError::NoDecision { file: self.path.clone() });
        }
        self.write(&FrameRef::Outcome(decision))?;
        self.undecided -= 1;
        self.spill()
    }

    /// Gives everything so far to the system.
    ///
    /// # Errors
    ///
    /// The system refuses: the journal has ended.
    pub fn flush(&mut self) -> Result<(), JournalError> {
        self.check_open()?;
        let written = self.file.write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(|source| {
            self.failed = true;
            JournalError::Io { file: self.path.clone(), what: "written", source }
        })
    }

    /// Flushes and closes.
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub fn finish(mut self) -> Result<(), JournalError> {
        self.flush()
    }

    /// Makes a frame at the end of the buffer.
    fn write(&mut self, frame: &FrameRef<'_>) -> Result<(), JournalError> {
        self.check_open()?;
        let start = self.buffer.len();
        let payload = start + HEAD + CHECK;
        self.buffer.resize(payload, 0);
        if let Err(error) = postcard::serialize_with_flavor(frame, End(&mut self.buffer)) {
            self.buffer.truncate(start);
            return Err(self.unreadable(&error));
        }
        let bytes = self.buffer.len() - payload;
        if bytes > MAX_PAYLOAD {
            self.buffer.truncate(start);
            return Err(JournalError::TooLong { file: self.path.clone(), bytes });
        }
        let length = (bytes as u32).to_le_bytes();
        let head = crc32c::crc32c_append(self.check, &length);
        self.check = crc32c::crc32c_append(head, &self.buffer[payload..]);
        self.buffer[start..start + 4].copy_from_slice(&length);
        self.buffer[start + 4..start + HEAD].copy_from_slice(&head.to_le_bytes());
        self.buffer[start + HEAD..payload].copy_from_slice(&self.check.to_le_bytes());
        Ok(())
    }

    fn spill(&mut self) -> Result<(), JournalError> {
        if self.buffer.len() >= SPILL { self.flush() } else { Ok(()) }
    }

    fn check_open(&self) -> Result<(), JournalError> {
        if self.failed { Err(JournalError::Failed { file: self.path.clone() }) } else { Ok(()) }
    }

    fn unreadable(&self, reason: &impl ToString) -> JournalError {
        JournalError::Unreadable { file: self.path.clone(), reason: reason.to_string() }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.failed {
            let _ = self.flush(); // whoever wants to know calls `finish`
        }
    }
}

/// Puts what is encoded at the end of a buffer.
struct End<'a>(&'a mut Vec<u8>);

impl Flavor for End<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
