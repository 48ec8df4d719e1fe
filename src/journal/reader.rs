//! Reading: segment by segment, frame by frame, each checked before it is believed.

use super::disk::{Disk, RealDisk};
use super::error::JournalError;
use super::frame::{Frame, Line, Mark};
use super::segment::{Header, Segment, Span, lineage};
use super::writer::End;
use super::{CHECK, HEAD, HEADER, MAX_PAYLOAD, number_at};
use crate::engine::Entry;
use crate::rule_version::RuleVersion;
use std::collections::VecDeque;
use std::io;
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
    /// The rules that it begins under.
    pub rules: RuleVersion,
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
            Frame::Check(_) | Frame::State(_) | Frame::Mark(_) => {}
        }
    }
    let rules = reader.rules().unwrap_or_default();
    Ok(Sequence { rules, entries, lines, cut: reader.cut })
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

/// The segments that are believed, in order, and how many bytes of each are gone through, as far as they can be read.
#[cfg(feature = "cli")]
pub(crate) fn believed(disk: &(impl Disk + Clone + 'static), directory: &Path) -> Vec<(PathBuf, u64)> {
    let mut files: Vec<(PathBuf, u64)> = Vec::new();
    let Ok(mut reader) = Reader::open_on(disk.clone(), directory) else { return files };
    loop {
        let Left { segment, offset, .. } = reader.here();
        match files.last_mut().filter(|(file, _)| *file == segment.file) {
            Some((_, bytes)) => *bytes = offset,
            None => files.push((segment.file, offset)),
        }
        if reader.ended || reader.step().is_err() {
            return files;
        }
    }
}

/// A journal that is being read.
#[derive(Debug)]
pub struct Reader {
    disk: Box<dyn Disk>,
    directory: PathBuf,
    /// Those of the same writer that are still to be read, in order.
    segments: VecDeque<Segment>,
    /// Those of later terms, in order.
    later: VecDeque<Span>,
    /// The one at hand, and all that is in it.
    segment: Segment,
    bytes: Vec<u8>,
    /// The one before it.
    before: Option<PathBuf>,
    /// Where the last frame before the term at hand ends, until that has a frame of its own.
    left: Option<Left>,
    /// Bytes of it that are read.
    offset: usize,
    /// Where its last frame began.
    frame: usize,
    /// The checksum so far.
    check: u32,
    /// Places so far.
    place: u64,
    /// The rules at the first place, and at that of the segment at hand; none before a header was read.
    rules: Option<(RuleVersion, RuleVersion)>,
    read: Totals,
    cut: Option<Cut>,
    /// Whether there is no further frame, or none that could be trusted.
    ended: bool,
    /// Whether it was looked for more than there was.
    follows: bool,
}

/// The end of what a term has written, where another goes on.
#[derive(Clone, Debug)]
struct Left {
    segment: Segment,
    offset: u64,
    check: u32,
}

/// A place in a journal between two frames: what was read before it is not needed to go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// Who wrote the segment.
    pub(crate) term: u64,
    /// Its first place.
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
        let spans = lineage(&*disk, directory)?;
        let Some(mut reader) = Self::of_spans(disk, directory, spans) else {
            return Err(JournalError::NoJournal { directory: directory.to_owned() });
        };
        reader.bytes = reader.load()?;
        reader.begin_segment()?;
        Ok(reader)
    }

    /// At the first segment of these.
    fn of_spans(disk: Box<dyn Disk>, directory: &Path, mut spans: VecDeque<Span>) -> Option<Self> {
        let mut segments = spans.pop_front()?.segments;
        let segment = segments.pop_front()?;
        Some(Self { segments, later: spans, ..Self::new(disk, directory.to_owned(), segment, Vec::new()) })
    }

    /// Opens the journal in a directory at a position, to which its segment is gone through by its checksums alone.
    ///
    /// # Errors
    ///
    /// As [`Reader::open`], or the journal is another or does not reach there.
    pub(super) fn open_at(disk: Box<dyn Disk>, directory: &Path, position: &Position) -> Result<Self, JournalError> {
        let mut spans = lineage(&*disk, directory)?;
        spans.retain(|span| span.term() >= position.term);
        if let Some(span) = spans.front_mut().filter(|span| span.term() == position.term) {
            span.segments.retain(|segment| segment.first >= position.segment);
        }
        let (file, offset) = (Segment::new(directory, position.segment, position.term, 0).file, position.offset);
        let elsewhere = || JournalError::Elsewhere { file: file.clone(), offset };
        let is_there = |reader: &Self| (reader.segment.term, reader.segment.first) == (position.term, position.segment);
        let reader = Self::of_spans(disk, directory, spans).filter(is_there);
        let mut reader = reader.ok_or_else(elsewhere)?;
        reader.bytes = reader.load()?;
        let header = Header::read(&reader.segment.file, &reader.bytes)?.map(|(header, _)| header);
        reader.check = header.ok_or_else(elsewhere)?.before;
        reader.place = position.segment;
        let mut is_left = reader.leaves();
        reader.begin_segment()?;
        while (reader.offset as u64) < offset && !is_left {
            is_left = reader.leaves();
            let length = reader.frame_length().ok_or_else(elsewhere)?;
            reader.check = reader.frame_check(length).ok_or_else(elsewhere)?;
            reader.offset += length;
        }
        if is_left || (reader.offset as u64, reader.check) != (offset, position.check) {
            return Err(elsewhere());
        }
        (reader.frame, reader.place, reader.read) = (reader.offset, position.place, Totals::default());
        Ok(reader)
    }

    /// Whether the next term goes on from here, by the checksum.
    fn leaves(&self) -> bool {
        self.later.front().is_some_and(|span| span.before == Some(self.check))
    }

    /// Where the next frame begins.
    pub(super) fn position(&self) -> Position {
        let Segment { first, term, .. } = self.segment;
        Position { term, segment: first, offset: self.offset as u64, check: self.check, place: self.place }
    }

    /// Looks whether more was written since the end was reached, and whether another has taken over; whether there may be more.
    ///
    /// # Errors
    ///
    /// [`JournalError::Overtaken`]: the journal is to be read anew; or the system refuses.
    pub(super) fn refresh(&mut self) -> Result<bool, JournalError> {
        self.follows = true;
        let mut more = self.read_on()?;
        if !more {
            more = self.look_for_segments()?;
            more |= self.read_on()?; // what was written before the next segment was made
        }
        if more {
            (self.ended, self.cut) = (false, None);
        }
        Ok(more)
    }

    /// Reads what was appended to the segment at hand, or completed there.
    fn read_on(&mut self) -> Result<bool, JournalError> {
        let file = &self.segment.file;
        let failed = |what| move |source| JournalError::Io { file: file.clone(), what, source };
        let mut opened = match self.disk.open(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false), // whether it was left, its directory says
            opened => opened.map_err(failed("opened"))?,
        };
        let rest = opened.read_from(self.offset as u64).map_err(failed("read"))?;
        if rest == self.bytes[self.offset..] {
            return Ok(false);
        }
        self.bytes.truncate(self.offset);
        self.bytes.extend(rest);
        Ok(true)
    }

    /// Looks for segments that were made meanwhile.
    fn look_for_segments(&mut self) -> Result<bool, JournalError> {
        let mut spans = lineage(&*self.disk, &self.directory)?;
        spans.retain(|span| span.term() >= self.segment.term);
        let mut segments = spans.pop_front().map(|span| span.segments).unwrap_or_default();
        while segments.pop_front_if(|segment| *segment < self.segment).is_some() {}
        let is_passed = spans.front().is_some_and(|span| span.first() < self.place);
        if segments.pop_front().as_ref() != Some(&self.segment) || is_passed {
            return Err(self.overtaken());
        }
        let newest = |spans: &VecDeque<Span>| spans.back().map(Span::term);
        let more = segments.len() != self.segments.len() || newest(&spans) != newest(&self.later);
        (self.segments, self.later) = (segments, spans);
        Ok(more)
    }

    fn overtaken(&self) -> JournalError {
        JournalError::Overtaken { file: self.segment.file.clone(), offset: self.offset as u64 }
    }

    /// Reads bytes as the only segment of a journal; `file` names it in errors.
    ///
    /// # Errors
    ///
    /// The header is none, or none of this version.
    pub fn of_bytes(bytes: impl Into<Vec<u8>>, file: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let segment = Segment { term: 0, first: 0, from: 0, file: file.into() };
        let mut reader = Self::new(Box::new(RealDisk), PathBuf::new(), segment, bytes.into());
        reader.begin_segment()?;
        Ok(reader)
    }

    fn new(disk: Box<dyn Disk>, directory: PathBuf, segment: Segment, bytes: Vec<u8>) -> Self {
        Self {
            disk,
            directory,
            segments: VecDeque::new(),
            later: VecDeque::new(),
            segment,
            bytes,
            before: None,
            left: None,
            offset: 0,
            frame: 0,
            check: 0,
            place: 0,
            rules: None,
            read: Totals::default(),
            cut: None,
            ended: false,
            follows: false,
        }
    }

    /// The next frame but marks; none at the end, also where that is a torn tail.
    ///
    /// # Errors
    ///
    /// The frame is not as it was written, or cannot be read. There is none after it.
    pub fn frame(&mut self) -> Result<Option<Frame>, JournalError> {
        while !self.ended {
            let frame = self.step();
            self.ended |= frame.is_err();
            if let Some(frame) = frame? {
                self.left = None;
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    /// The next frame, if it is one and no mark; goes over to the next segment.
    fn step(&mut self) -> Result<Option<Frame>, JournalError> {
        let (place, check) = (self.place, self.check);
        if self.later.front().is_some_and(|span| span.goes_on(place, check)) {
            self.next_term()?;
        } else if self.offset == 0 && self.cut.is_none() {
            self.begin_segment()?;
        } else {
            match self.next_frame()? {
                Some(Frame::Mark(mark)) => self.check_mark(mark)?,
                Some(frame) => return Ok(Some(frame)),
                None if self.cut.is_some() => self.ended = true,
                None if !self.segments.is_empty() => self.next_segment()?,
                None if self.later.is_empty() => self.ended = true,
                None if self.follows => return Err(self.overtaken()),
                None => self.next_term()?,
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

    /// The rules under which the first place that is read was carried out; none before a header was read.
    #[must_use]
    pub fn rules(&self) -> Option<RuleVersion> {
        self.rules.map(|(first, _)| first)
    }

    /// What was read so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.read
    }

    /// Bytes of the segments at hand and behind it that are not read, as far as it was looked.
    ///
    /// # Errors
    ///
    /// The system does not say how long a file is.
    pub fn unread(&self) -> Result<u64, JournalError> {
        let behind = self.segments.iter().chain(self.later.iter().flat_map(|span| &span.segments));
        let mut bytes = 0;
        for segment in [&self.segment].into_iter().chain(behind) {
            let failed = |what| move |source| JournalError::Io { file: segment.file.clone(), what, source };
            let mut file = self.disk.open(&segment.file).map_err(failed("opened"))?;
            bytes += file.length().map_err(failed("read"))?;
        }
        Ok(bytes.saturating_sub(self.offset as u64))
    }

    /// Where the last frame begins: its segment, and the offset there.
    #[must_use]
    pub fn at(&self) -> (&Path, u64) {
        (&self.segment.file, self.frame as u64)
    }

    /// Where a writer goes on under these rules, once there is no further frame. `undecided` decisions have no outcome.
    pub(super) fn end(&self, undecided: u64, rules: RuleVersion) -> End {
        let last = (self.segment.term, self.segment.first);
        let Left { segment, offset, check } = self.left.clone().unwrap_or_else(|| self.here());
        let is_begun = offset > 0 || self.before.is_some();
        End {
            from: if is_begun { segment.term } else { 0 },
            read: (offset > 0).then_some((segment.file, segment.first, offset)),
            last,
            check,
            place: self.place,
            undecided,
            rules,
        }
    }

    fn here(&self) -> Left {
        Left { segment: self.segment.clone(), offset: self.offset as u64, check: self.check }
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

    /// Goes over to the next segment.
    fn next_segment(&mut self) -> Result<(), JournalError> {
        let Some(next) = self.segments.pop_front() else { return Ok(()) };
        let before = std::mem::replace(&mut self.segment, next);
        self.before = Some(before.file);
        (self.offset, self.frame) = (0, 0);
        self.bytes = self.load()?;
        self.begin_segment()
    }

    /// Goes over to the next term.
    fn next_term(&mut self) -> Result<(), JournalError> {
        let here = self.here();
        self.left.get_or_insert(here);
        self.segments = self.later.pop_front().map(|span| span.segments).unwrap_or_default();
        self.next_segment()
    }

    /// Reads the header of the segment at hand, and whether it follows on the one before it.
    fn begin_segment(&mut self) -> Result<(), JournalError> {
        let Segment { term, first, from, file } = self.segment.clone();
        let before = &self.before;
        if first > self.place {
            let directory = file.parent().unwrap_or(Path::new(""));
            let (term, from) = if before.is_some() { (term, from) } else { (1, 0) };
            return Err(JournalError::Missing {
                file: Segment::new(directory, self.place, term, from).file,
                next: file,
            });
        }
        if let (true, Some(before)) = (first < self.place, before) {
            return Err(JournalError::Doubled { file, before: before.clone() });
        }
        let Some((header, check)) = Header::read(&file, &self.bytes)? else {
            return self.torn();
        };
        if header.first != first {
            return Err(JournalError::Misplaced { file, expected: first, found: header.first });
        }
        if header.term != term && term != 0 {
            return Err(JournalError::Term { file, expected: term, found: header.term });
        }
        if header.before != self.check {
            return Err(JournalError::NotFollowing { before: before.clone().unwrap_or_else(|| file.clone()), file });
        }
        let (first, known) = self.rules.unwrap_or((header.rules, header.rules));
        if let (true, Some(before)) = (header.rules < known, before) {
            return Err(JournalError::EarlierRules { file, found: header.rules, before: before.clone(), known });
        }
        self.rules = Some((first, header.rules));
        (self.check, self.segment.term) = (check, header.term);
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
        if !self.segments.is_empty() || !self.later.is_empty() {
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
