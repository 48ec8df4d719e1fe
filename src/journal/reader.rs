//! Reading: segment by segment, frame by frame, each checked before it is believed.

use super::disk::{Disk, RealDisk};
use super::error::JournalError;
use super::frame::{Frame, Line, Mark};
use super::segment::{Header, Segment};
use super::writer::End;
use super::{CHECK, HEAD, HEADER, MAX_PAYLOAD, number_at};
use crate::engine::Entry;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// Where the last segment ends in something that was not kept: the trace of a crash, or of a journal that is still being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The segment.
    pub file: PathBuf,
    /// Where the first frame begins that is not whole: whoever goes on writing must cut the file here. 0: not even its
    /// header is whole.
    pub offset: u64,
    /// What follows there.
    pub bytes: u64,
}

/// A journal, as read.
#[derive(Clone, Debug, Default)]
pub struct Sequence {
    /// Every whole place, with its outcome if it is a decision that was finished.
    pub entries: Vec<Entry>,
    /// Lines of sessions, each with the number of places before its own.
    pub lines: Vec<(u64, Line)>,
    /// What follows them and is not whole.
    pub cut: Option<Cut>,
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
            Some(Cut { file, offset, bytes }) => Err(JournalError::Cut { file, offset, bytes }),
        }
    }
}

/// Reads the journal in a directory, and joins decisions with their outcomes.
///
/// # Errors
///
/// The first thing that is not as a [`Writer`](super::Writer) writes it, but for a torn tail.
pub fn read(directory: impl AsRef<Path>) -> Result<Sequence, JournalError> {
    read_from(Reader::open(directory)?)
}

/// As [`read`], from any reader.
///
/// # Errors
///
/// As [`read`].
pub fn read_from(mut reader: Reader) -> Result<Sequence, JournalError> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut lines = Vec::new();
    let mut undecided = VecDeque::new();
    while let Some(frame) = reader.frame()? {
        match frame {
            Frame::Line(line, entry) => {
                lines.push((entries.len() as u64, line));
                entries.extend(entry);
            }
            Frame::Entry(entry) => {
                if matches!(entry, Entry::Decide { outcome: None }) {
                    undecided.push_back(entries.len());
                }
                entries.push(entry);
            }
            Frame::Outcome(decision) => {
                let Some(at) = undecided.pop_front() else { return Err(reader.outcome_without_decision()) };
                entries[at] = Entry::Decide { outcome: Some(decision) };
            }
            Frame::Check(_) | Frame::Mark(_) => {}
        }
    }
    Ok(Sequence { entries, lines, cut: reader.cut })
}

/// Whether there is a journal in a directory, or what goes on from one.
///
/// # Errors
///
/// The system refuses to list it, or there is one of an earlier version.
#[cfg(feature = "protocol")]
pub(crate) fn is_there(disk: &dyn Disk, directory: &Path) -> Result<bool, JournalError> {
    Ok(!Segment::list(disk, directory)?.is_empty())
}

/// A journal that is being read.
#[derive(Debug)]
pub struct Reader {
    disk: Box<dyn Disk>,
    /// Those that are still to be read, in order.
    segments: VecDeque<Segment>,
    /// The one at hand, and all that is in it.
    segment: Segment,
    bytes: Vec<u8>,
    /// Bytes of it that are read.
    offset: usize,
    /// Where its last frame began.
    frame: usize,
    /// Who wrote it.
    term: u64,
    /// The checksum so far.
    check: u32,
    /// Places so far.
    place: u64,
    read: Totals,
    cut: Option<Cut>,
    /// Whether there is no further frame, or none that could be trusted.
    ended: bool,
}

/// A place in a journal between two frames: what was read before it is not needed to go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The first place of the segment.
    pub(crate) segment: u64,
    /// Bytes of it before the next frame.
    pub(crate) offset: u64,
    /// The checksum so far.
    pub(crate) check: u32,
    /// Places so far.
    pub(crate) place: u64,
}

/// What was read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Segments, the one at hand included.
    pub segments: u64,
    /// Bytes of whole frames and headers.
    pub bytes: u64,
    /// Marks.
    pub marks: u64,
}

impl Reader {
    /// Opens the journal in a directory.
    ///
    /// # Errors
    ///
    /// There is none, or none of this version, or the system refuses.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, JournalError> {
        Self::open_on(RealDisk, directory)
    }

    /// As [`Reader::open`], on any disk.
    ///
    /// # Errors
    ///
    /// As [`Reader::open`].
    pub fn open_on(disk: impl Disk + 'static, directory: impl AsRef<Path>) -> Result<Self, JournalError> {
        Self::over(Box::new(disk), directory.as_ref())
    }

    pub(super) fn over(disk: Box<dyn Disk>, directory: &Path) -> Result<Self, JournalError> {
        let mut segments = VecDeque::from(Segment::list(&*disk, directory)?);
        let Some(segment) = segments.pop_front() else {
            return Err(JournalError::NoJournal { directory: directory.to_owned() });
        };
        let mut reader = Self::new(disk, segments, segment, Vec::new());
        reader.bytes = reader.load()?;
        reader.begin_segment(None)?;
        Ok(reader)
    }

    /// Opens the journal in a directory at a position, to which its segment is gone through by its checksums alone.
    ///
    /// # Errors
    ///
    /// As [`Reader::open`], or the journal is another or does not reach there.
    pub(super) fn open_at(disk: Box<dyn Disk>, directory: &Path, position: &Position) -> Result<Self, JournalError> {
        let mut segments = VecDeque::from(Segment::list(&*disk, directory)?);
        segments.retain(|segment| segment.first >= position.segment);
        let (file, offset) = (Segment::new(directory, position.segment).file, position.offset);
        let elsewhere = || JournalError::Elsewhere { file: file.clone(), offset };
        let segment = segments.pop_front().filter(|segment| segment.first == position.segment);
        let mut reader = Self::new(disk, segments, segment.ok_or_else(elsewhere)?, Vec::new());
        reader.bytes = reader.load()?;
        let header = Header::read(&reader.segment.file, &reader.bytes)?.map(|(header, _)| header);
        reader.check = header.ok_or_else(elsewhere)?.before;
        reader.place = position.segment;
        reader.begin_segment(None)?;
        while (reader.offset as u64) < offset {
            let length = reader.frame_length().ok_or_else(elsewhere)?;
            reader.check = reader.frame_check(length).ok_or_else(elsewhere)?;
            reader.offset += length;
        }
        if (reader.offset as u64, reader.check) != (offset, position.check) {
            return Err(elsewhere());
        }
        (reader.frame, reader.place, reader.read) = (reader.offset, position.place, Totals::default());
        Ok(reader)
    }

    /// Where the next frame begins, and who wrote what comes before it.
    pub(super) fn position(&self) -> (Position, u64) {
        let (segment, offset) = (self.segment.first, self.offset as u64);
        (Position { segment, offset, check: self.check, place: self.place }, self.term)
    }

    /// Reads bytes as the only segment of a journal; `file` names it in errors.
    ///
    /// # Errors
    ///
    /// The header is none, or none of this version.
    pub fn of_bytes(bytes: impl Into<Vec<u8>>, file: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let segment = Segment { first: 0, file: file.into() };
        let mut reader = Self::new(Box::new(RealDisk), VecDeque::new(), segment, bytes.into());
        reader.begin_segment(None)?;
        Ok(reader)
    }

    fn new(disk: Box<dyn Disk>, segments: VecDeque<Segment>, segment: Segment, bytes: Vec<u8>) -> Self {
        Self {
            disk,
            segments,
            segment,
            bytes,
            offset: 0,
            frame: 0,
            term: 0,
            check: 0,
            place: 0,
            read: Totals::default(),
            cut: None,
            ended: false,
        }
    }

    /// The next frame but marks; none at the end, also where that is a torn tail.
    ///
    /// # Errors
    ///
    /// The frame is not as it was written, or cannot be read. There is none after it.
    pub fn frame(&mut self) -> Result<Option<Frame>, JournalError> {
        while !self.ended {
            let frame = self.next_frame();
            self.ended |= frame.is_err();
            match frame? {
                Some(Frame::Mark(mark)) => self.check_mark(mark)?,
                Some(frame) => return Ok(Some(frame)),
                None if self.cut.is_some() => self.ended = true,
                None => {
                    let next = self.next_segment();
                    self.ended |= !matches!(next, Ok(true));
                    next?;
                }
            }
        }
        Ok(None)
    }

    /// Where the journal ends in something that was not kept, if it does; known when there is no further frame.
    #[must_use]
    pub fn cut(&self) -> Option<&Cut> {
        self.cut.as_ref()
    }

    /// Places so far.
    #[must_use]
    pub fn place(&self) -> u64 {
        self.place
    }

    /// What was read so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.read
    }

    /// Where the last frame begins: its segment, and the offset there.
    #[must_use]
    pub fn at(&self) -> (&Path, u64) {
        (&self.segment.file, self.frame as u64)
    }

    /// Where a writer goes on, once there is no further frame. `undecided` decisions have no outcome.
    pub(super) fn end(&self, undecided: u64) -> End {
        let has_header = self.cut.as_ref().is_none_or(|cut| cut.offset > 0);
        End {
            first: self.segment.first,
            length: has_header.then_some(self.offset as u64),
            is_cut: self.cut.is_some(),
            check: self.check,
            place: self.place,
            term: self.term,
            undecided,
        }
    }

    pub(super) fn outcome_without_decision(&self) -> JournalError {
        JournalError::OutcomeWithoutDecision { file: self.segment.file.clone(), offset: self.frame as u64 }
    }

    fn load(&self) -> Result<Vec<u8>, JournalError> {
        let file = &self.segment.file;
        let failed = |what| move |source| JournalError::Io { file: file.clone(), what, source };
        let mut opened = self.disk.open(file).map_err(failed("opened"))?;
        opened.read_all().map_err(failed("read"))
    }

    /// Goes over to the next segment; false if there is none.
    fn next_segment(&mut self) -> Result<bool, JournalError> {
        let Some(next) = self.segments.pop_front() else { return Ok(false) };
        let before = std::mem::replace(&mut self.segment, next);
        self.bytes = self.load()?;
        (self.offset, self.frame) = (0, 0);
        self.begin_segment(Some(before.file))?;
        Ok(true)
    }

    /// Reads the header of the segment at hand, and whether it follows on the one before it.
    fn begin_segment(&mut self, before: Option<PathBuf>) -> Result<(), JournalError> {
        let Segment { first, file } = self.segment.clone();
        if first > self.place {
            let directory = file.parent().unwrap_or(Path::new(""));
            return Err(JournalError::Missing { file: Segment::new(directory, self.place).file, next: file });
        }
        if let (true, Some(before)) = (first < self.place, &before) {
            return Err(JournalError::Doubled { file, before: before.clone() });
        }
        let Some((header, check)) = Header::read(&file, &self.bytes)? else {
            return self.torn();
        };
        if header.first != first {
            return Err(JournalError::Misplaced { file, expected: first, found: header.first });
        }
        if header.before != self.check {
            return Err(JournalError::NotFollowing { before: before.unwrap_or_else(|| file.clone()), file });
        }
        (self.check, self.term) = (check, header.term);
        self.read.segments += 1;
        self.go_on(HEADER);
        Ok(())
    }

    fn go_on(&mut self, bytes: usize) {
        self.offset += bytes;
        self.read.bytes += bytes as u64;
    }

    /// What begins here is not as it was written: the torn tail, or damage.
    fn torn(&mut self) -> Result<(), JournalError> {
        let (file, offset) = (self.segment.file.clone(), self.offset as u64);
        let rest = &self.bytes[self.offset..];
        if !self.segments.is_empty() {
            let needed = if offset == 0 { HEADER } else { self.frame_length().unwrap_or(HEAD) };
            let is_short = rest.len() < needed;
            return Err(if is_short {
                JournalError::Short { file, offset }
            } else {
                JournalError::Checksum { file, offset }
            });
        }
        if Mark::furthest(self.segment.first, rest).is_some_and(|kept| kept > offset) {
            return Err(JournalError::Checksum { file, offset });
        }
        self.cut = Some(Cut { file, offset, bytes: rest.len() as u64 });
        Ok(())
    }

    /// How long the frame at hand says that it is, if that much is there and right.
    fn frame_length(&self) -> Option<usize> {
        let head = self.bytes[self.offset..].get(..HEAD).filter(|_| self.offset > 0)?;
        let right = crc32c::crc32c_append(self.check, &head[..4]) == number_at(head, 4);
        right.then(|| HEAD + CHECK + number_at(head, 0) as usize)
    }

    /// The checksum after the frame at hand, if that is there and right.
    fn frame_check(&self, length: usize) -> Option<u32> {
        let frame = self.bytes.get(self.offset..self.offset + length)?;
        let head = crc32c::crc32c_append(self.check, &frame[..4]);
        let check = crc32c::crc32c_append(head, &frame[HEAD + CHECK..]);
        (check == number_at(frame, HEAD)).then_some(check)
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, JournalError> {
        self.frame = self.offset;
        if self.cut.is_some() || self.offset == self.bytes.len() {
            return Ok(None);
        }
        let Some(length) = self.frame_length() else {
            self.torn()?;
            return Ok(None);
        };
        let bytes = length - HEAD - CHECK;
        if !(1..=MAX_PAYLOAD).contains(&bytes) {
            let (file, offset) = (self.segment.file.clone(), self.frame as u64);
            return Err(JournalError::Length { file, offset, bytes: bytes as u32 });
        }
        let Some(check) = self.frame_check(length) else {
            self.torn()?;
            return Ok(None);
        };
        let frame = decode(&self.bytes[self.offset + HEAD + CHECK..self.offset + length]);
        let frame = frame.map_err(|reason| self.undecodable(reason))?;
        self.check = check;
        self.place += u64::from(matches!(frame, Frame::Entry(_) | Frame::Line(_, Some(_))));
        self.go_on(length);
        Ok(Some(frame))
    }

    fn check_mark(&mut self, mark: Mark) -> Result<(), JournalError> {
        self.read.marks += 1;
        if mark.is_sealed(self.segment.first) {
            return Ok(());
        }
        self.ended = true;
        Err(self.undecodable("a mark of another segment".to_owned()))
    }

    fn undecodable(&self, reason: String) -> JournalError {
        JournalError::Undecodable { file: self.segment.file.clone(), offset: self.frame as u64, reason }
    }
}

/// The frame of a payload, with every invariant that needs no state.
fn decode(payload: &[u8]) -> Result<Frame, String> {
    let (frame, rest) = postcard::take_from_bytes(payload).map_err(|error| error.to_string())?;
    if !rest.is_empty() {
        return Err(format!("{} bytes are left over", rest.len()));
    }
    if let Frame::Entry(entry) | Frame::Line(_, Some(entry)) = &frame {
        entry.check_alone().map_err(|refusal| refusal.to_string())?;
    }
    Ok(frame)
}
