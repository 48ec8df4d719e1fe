//! Reading: frame by frame, each checked before it is believed.

use super::error::JournalError;
use super::{CHECK, HEAD, HEADER, KIND, MAGIC, MAX_PAYLOAD, VERSION, file_in, number_at};
use crate::engine::{Decision, Entry};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// What a frame holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Frame {
    /// A place of the sequence.
    Entry(Entry),
    /// What the first decision before it that has no outcome yet came to.
    Outcome(Decision),
}

/// Where a file ends within a frame, or within its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Where the frame begins: whoever goes on writing must cut the file here.
    pub offset: u64,
    /// What is there of it.
    pub bytes: u64,
}

/// A journal, as read.
#[derive(Clone, Debug, Default)]
pub struct Sequence {
    /// Every whole place, with its outcome if it is a decision that was finished.
    pub entries: Vec<Entry>,
    /// What follows them and is not whole: the trace of a crash, or of a journal that is still being written.
    pub cut: Option<Cut>,
    file: PathBuf,
}

impl Sequence {
    /// The entries of a journal that was written to its end.
    ///
    /// # Errors
    ///
    /// [`JournalError::Cut`].
    pub fn whole(self) -> Result<Vec<Entry>, JournalError> {
        match self.cut {
            None => Ok(self.entries),
            Some(Cut { offset, bytes }) => Err(JournalError::Cut { file: self.file, offset, bytes }),
        }
    }
}

/// Reads the journal in a directory, and joins decisions with their outcomes.
///
/// # Errors
///
/// The first thing that is not as a [`Writer`](super::Writer) writes it, but for a cut end.
pub fn read(directory: impl AsRef<Path>) -> Result<Sequence, JournalError> {
    let mut reader = Reader::open(directory)?;
    let mut entries: Vec<Entry> = Vec::new();
    let mut undecided = VecDeque::new();
    while let Some(frame) = reader.frame()? {
        match frame {
            Frame::Entry(entry) => {
                if matches!(entry, Entry::Decide { outcome: None }) {
                    undecided.push_back(entries.len());
                }
                entries.push(entry);
            }
            Frame::Outcome(decision) => {
                let Some(at) = undecided.pop_front() else {
                    return Err(JournalError::OutcomeWithoutDecision { file: reader.file, offset: reader.frame });
                };
                entries[at] = Entry::Decide { outcome: Some(decision) };
            }
        }
    }
    Ok(Sequence { entries, cut: reader.cut, file: reader.file })
}

/// A journal that is being read.
#[derive(Debug)]
pub struct Reader<R = BufReader<File>> {
    source: R,
    file: PathBuf,
    /// The checksum so far.
    check: u32,
    /// Bytes read so far.
    offset: u64,
    /// Where the last frame began.
    frame: u64,
    cut: Option<Cut>,
    /// Whether there is no further frame, or none that could be trusted.
    ended: bool,
    /// Kept for its room.
    body: Vec<u8>,
}

impl Reader {
    /// Opens the journal in a directory.
    ///
    /// # Errors
    ///
    /// It is none, or none of this version, or the system refuses.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, JournalError> {
        let path = file_in(directory.as_ref());
        match File::open(&path) {
            Ok(file) => Self::new(BufReader::with_capacity(1 << 16, file), path),
            Err(source) => Err(JournalError::Io { file: path, what: "opened", source }),
        }
    }
}

impl<R: Read> Reader<R> {
    /// Reads from anything; `file` names it in errors.
    ///
    /// # Errors
    ///
    /// The header is none, or none of this version, or it cannot be read.
    pub fn new(source: R, file: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let file = file.into();
        let (check, offset, frame) = (0, 0, 0);
        let mut reader = Self { source, file, check, offset, frame, cut: None, ended: false, body: Vec::new() };
        let mut header = [0; HEADER];
        let read = reader.fill(&mut header)?;
        reader.check_header(&header, read)?;
        Ok(reader)
    }

    /// The next frame; none at the end, also where that is a cut.
    ///
    /// # Errors
    ///
    /// The frame is not as it was written, or cannot be read. There is none after it.
    pub fn frame(&mut self) -> Result<Option<Frame>, JournalError> {
        if self.ended {
            return Ok(None);
        }
        let frame = self.next_frame();
        self.ended = !matches!(frame, Ok(Some(_)));
        frame
    }

    /// Where the file ends within a frame, if it does; known when there is no further frame.
    #[must_use]
    pub fn cut(&self) -> Option<Cut> {
        self.cut
    }

    fn check_header(&mut self, header: &[u8; HEADER], read: usize) -> Result<(), JournalError> {
        let file = || self.file.clone();
        let there = read.min(MAGIC.len());
        if header[..there] != MAGIC[..there] {
            return Err(JournalError::NotAJournal { file: file() });
        }
        if read < HEADER {
            self.cut = Some(Cut { offset: 0, bytes: read as u64 });
            self.ended = true;
            return Ok(());
        }
        self.check = crc32c::crc32c(&header[..20]);
        if self.check != number_at(header, 20) {
            return Err(JournalError::Checksum { file: file(), offset: 0 });
        }
        if header[8..16] != KIND {
            let mut found = [0; 8];
            found.copy_from_slice(&header[8..16]);
            return Err(JournalError::Kind { file: file(), found });
        }
        match number_at(header, 16) {
            VERSION => Ok(()),
            found => Err(JournalError::Version { file: file(), found }),
        }
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, JournalError> {
        self.frame = self.offset;
        let mut head = [0; HEAD];
        let read = self.fill(&mut head)?;
        if read < HEAD {
            self.cut = (read > 0).then_some(Cut { offset: self.frame, bytes: read as u64 });
            return Ok(None);
        }
        let check = crc32c::crc32c_append(self.check, &head[..4]);
        if check != number_at(&head, 4) {
            return Err(self.checksum());
        }
        let bytes = number_at(&head, 0);
        if !(1..=MAX_PAYLOAD).contains(&(bytes as usize)) {
            return Err(JournalError::Length { file: self.file.clone(), offset: self.frame, bytes });
        }
        let mut body = std::mem::take(&mut self.body);
        body.resize(CHECK + bytes as usize, 0);
        let frame = self.body(check, &mut body);
        self.body = body;
        frame
    }

    /// The rest of a frame, of which the head is known.
    fn body(&mut self, check: u32, body: &mut [u8]) -> Result<Option<Frame>, JournalError> {
        let read = self.fill(body)?;
        if read < body.len() {
            self.cut = Some(Cut { offset: self.frame, bytes: (HEAD + read) as u64 });
            return Ok(None);
        }
        self.check = crc32c::crc32c_append(check, &body[CHECK..]);
        if self.check != number_at(body, 0) {
            return Err(self.checksum());
        }
        match decode(&body[CHECK..]) {
            Ok(frame) => Ok(Some(frame)),
            Err(reason) => Err(JournalError::Undecodable { file: self.file.clone(), offset: self.frame, reason }),
        }
    }

    /// Reads as many bytes as there are, up to the whole of `bytes`.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<usize, JournalError> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.source.read(&mut bytes[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(JournalError::Io { file: self.file.clone(), what: "read", source }),
            }
        }
        self.offset += filled as u64;
        Ok(filled)
    }

    fn checksum(&self) -> JournalError {
        JournalError::Checksum { file: self.file.clone(), offset: self.frame }
    }
}

/// The frame of a payload, with every invariant that needs no state.
fn decode(payload: &[u8]) -> Result<Frame, String> {
    let (frame, rest) = postcard::take_from_bytes(payload).map_err(|error| error.to_string())?;
    if !rest.is_empty() {
        return Err(format!("{} bytes are left over", rest.len()));
    }
    if let Frame::Entry(entry) = &frame {
        entry.check_alone().map_err(|refusal| refusal.to_string())?;
    }
    Ok(frame)
}
