//! Writing: frames are made in one buffer, which goes to the file when it is full; a full file is followed by the next.

use super::disk::{Disk, DiskFile, RealDisk};
use super::error::JournalError;
use super::frame::{Check, Frame, Line, Mark};
use super::reader::Position;
use super::segment::{Header, Segment, lineage};
use super::term::Term;
use super::{CHECK, Durability, HEAD, HEADER, JournalSettings, MAX_PAYLOAD};
use crate::engine::{Decision, Entry};
use crate::kernel::Declaration;
use crate::rule_version::RuleVersion;
use postcard::ser_flavors::Flavor;
use serde::Serialize;
use std::io;
use std::path::{Path, PathBuf};

/// From so many bytes on the buffer goes to the file.
const SPILL: usize = 1 << 16;

/// A journal that is being written.
///
/// What is appended lies in a buffer until that is full, [`Writer::flush`], [`Writer::sync`] or the end; dropping a writer flushes
/// too, but cannot say whether it could. No entry is allocated for once the buffer has grown to the longest. Nothing but
/// [`Writer::sync`] and the end of a segment forces anything to the disk, and that not under [`Durability::None`].
///
/// After a failure nothing is written any more: how the file ends is not known, and forcing it again could succeed without
/// meaning anything. It is the same once another process has taken the journal over, which is looked for after everything that was written.
#[derive(Debug)]
pub struct Writer {
    disk: Box<dyn Disk>,
    directory: PathBuf,
    settings: JournalSettings,
    term: Term,
    /// The term that it went on from.
    from: u64,
    file: Box<dyn DiskFile>,
    segment: Segment,
    /// Bytes of the segment that the system has.
    written: u64,
    /// What it had when it was last marked, the mark included.
    marked: u64,
    buffer: Vec<u8>,
    /// The checksum so far.
    check: u32,
    /// The next place.
    place: u64,
    /// Decisions whose outcome is still to come.
    undecided: u64,
    /// The system refused something: the file may end anywhere.
    failed: bool,
}

/// Where a journal ends that was read: where a writer goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Who wrote it until there; 0: nobody.
    pub(super) from: u64,
    /// The segment that was read there: its file, its first place, and what of it is whole; none if that was forced already.
    pub(super) read: Option<(PathBuf, u64, u64)>,
    /// The last segment that there was: who made it, and its first place.
    pub(super) last: (u64, u64),
    pub(super) check: u32,
    pub(super) place: u64,
    pub(super) undecided: u64,
    /// The rules that are in force there.
    pub(super) rules: RuleVersion,
}

/// A [`Frame`], borrowed: the two are the same in bytes.
#[derive(Serialize)]
enum FrameRef<'a> {
    Entry(&'a Entry),
    Outcome(&'a Decision),
    Line(&'a Line, Option<&'a Entry>),
    Check(Check),
    Mark(Mark),
    State(u64),
}

impl Writer {
    /// Begins a journal in a directory, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// There is one already, or the system refuses.
    pub fn create(directory: impl AsRef<Path>) -> Result<Self, JournalError> {
        Self::create_on(RealDisk, directory, JournalSettings::default())
    }

    /// As [`Writer::create`], on any disk, with settings.
    ///
    /// # Errors
    ///
    /// As [`Writer::create`].
    pub fn create_on(
        disk: impl Disk + 'static,
        directory: impl AsRef<Path>,
        settings: JournalSettings,
    ) -> Result<Self, JournalError> {
        Self::create_at(disk, directory.as_ref(), settings, 0)
    }

    /// As [`Writer::create_on`], of a journal whose first place is this one: a snapshot holds what came before.
    pub(super) fn create_at(
        disk: impl Disk + 'static,
        directory: &Path,
        settings: JournalSettings,
        place: u64,
    ) -> Result<Self, JournalError> {
        let created = disk.create_directory(directory);
        created.map_err(|source| JournalError::Io { file: directory.to_owned(), what: "created", source })?;
        if settings.durability != Durability::None
            && let Some(parent) = directory.parent()
        {
            // So that the directory itself is still there after a crash.
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            let synced = disk.sync_directory(parent);
            synced.map_err(|source| JournalError::Io {
                file: parent.to_owned(),
                what: "forced to the disk",
                source,
            })?;
        }
        if let Some(Segment { file, .. }) = Segment::list(&disk, directory)?.into_iter().next() {
            return Err(JournalError::Exists { file });
        }
        let term = Term::claim(&disk, directory)?;
        Self::begin(Box::new(disk), directory.to_owned(), settings, (term, 0), (place, 0), 0)
    }

    /// Where it begins, if nothing was written yet.
    pub(super) fn origin(&self) -> Position {
        let Segment { term, first, .. } = self.segment;
        Position { term, segment: first, offset: HEADER as u64, check: self.check, place: self.place }
    }

    /// Goes on with a journal that was read to its end, in a segment of its own, behind what is torn there. Whoever wrote it before must have ended: where that is not
    /// certain, it is read [after its term was taken](super::Player::take_over).
    ///
    /// # Errors
    ///
    /// Somebody has gone on with it since it was read, or the system refuses.
    pub fn resume(
        disk: impl Disk + 'static,
        directory: impl AsRef<Path>,
        settings: JournalSettings,
        end: &End,
    ) -> Result<Self, JournalError> {
        let directory = directory.as_ref();
        let term = Term::claim(&disk, directory)?;
        let spans = lineage(&disk, directory)?;
        let last = spans.back().and_then(|span| Some((span.term(), span.segments.back()?.first)));
        if last != Some(end.last) {
            return Err(JournalError::InUse { directory: directory.to_owned() });
        }
        Self::go_on(disk, directory, settings, term, end)
    }

    /// Goes on with a journal that was read to its end after its term was taken.
    pub(crate) fn go_on(
        disk: impl Disk + 'static,
        directory: &Path,
        settings: JournalSettings,
        term: Term,
        end: &End,
    ) -> Result<Self, JournalError> {
        let read = end.read.as_ref().filter(|_| settings.durability != Durability::None);
        if let Some((file, first, whole)) = read {
            force_what_was_read(&disk, directory, (file, *first, *whole))?;
        }
        let End { from, check, place, undecided, rules, .. } = *end;
        let settings = JournalSettings { rules, ..settings };
        Self::begin(Box::new(disk), directory.to_owned(), settings, (term, from), (place, check), undecided)
    }

    /// Begins a segment that goes on from a place and a checksum.
    fn begin(
        disk: Box<dyn Disk>,
        directory: PathBuf,
        settings: JournalSettings,
        (term, from): (Term, u64),
        (place, before): (u64, u32),
        undecided: u64,
    ) -> Result<Self, JournalError> {
        let segment = Segment::new(&directory, place, term.number, from);
        let (file, check) = new_segment(&*disk, &directory, &segment, &settings, before)?;
        Ok(Self {
            disk,
            directory,
            settings,
            term,
            from,
            file,
            segment,
            written: HEADER as u64,
            marked: HEADER as u64,
            buffer: Vec::with_capacity(2 * SPILL),
            check,
            place,
            undecided,
            failed: false,
        })
    }

    /// The place that the next entry gets.
    #[must_use]
    pub fn place(&self) -> u64 {
        self.place
    }

    /// Writes one place of the sequence. The outcome of a decision, if it is not known yet, comes by
    /// [`Writer::outcome`].
    ///
    /// # Errors
    ///
    /// The entry is none that can be read again, or too long: nothing has changed then. Or the system refuses: the journal
    /// has ended.
    pub fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        self.check_entry(entry)?;
        self.write(&FrameRef::Entry(entry))?;
        self.note(entry);
        self.spill()
    }

    /// Writes a line of a session, with the place that it got, if it got one.
    ///
    /// # Errors
    ///
    /// As [`Writer::append`].
    pub fn line(&mut self, line: &Line, entry: Option<&Entry>) -> Result<(), JournalError> {
        entry.map_or(Ok(()), |entry| self.check_entry(entry))?;
        self.write(&FrameRef::Line(line, entry))?;
        if let Some(entry) = entry {
            self.note(entry);
        }
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
            return Err(JournalError::NoDecision { file: self.segment.file.clone() });
        }
        self.write(&FrameRef::Outcome(decision))?;
        self.undecided -= 1;
        self.spill()
    }

    /// Writes what the events so far come to.
    ///
    /// # Errors
    ///
    /// The system refuses: the journal has ended.
    pub fn check(&mut self, check: Check) -> Result<(), JournalError> {
        self.write(&FrameRef::Check(check))?;
        self.spill()
    }

    /// Writes what the state comes to behind the last place.
    ///
    /// # Errors
    ///
    /// The system refuses: the journal has ended.
    pub fn state(&mut self, hash: u64) -> Result<(), JournalError> {
        self.write(&FrameRef::State(hash))?;
        self.spill()
    }

    /// Writes a frame. Marks are the writer's own and are left out.
    ///
    /// # Errors
    ///
    /// As the method for what it holds.
    pub fn frame(&mut self, frame: &Frame) -> Result<(), JournalError> {
        match frame {
            Frame::Entry(entry) => self.append(entry),
            Frame::Outcome(decision) => self.outcome(decision),
            Frame::Line(line, entry) => self.line(line, entry.as_ref()),
            Frame::Check(check) => self.check(*check),
            Frame::Mark(_) => Ok(()),
            Frame::State(hash) => self.state(*hash),
        }
    }

    /// Gives everything so far to the system.
    ///
    /// # Errors
    ///
    /// The system refuses, or another process has [taken over](JournalError::Fenced): the journal has ended.
    pub fn flush(&mut self) -> Result<(), JournalError> {
        self.write_out()?;
        if self.settings.durability == Durability::None {
            self.mark()?;
        }
        self.check_term()
    }

    /// Gives everything so far to the system and forces it to the disk; under [`Durability::None`] it does not force it.
    ///
    /// # Errors
    ///
    /// As [`Writer::flush`].
    pub fn sync(&mut self) -> Result<(), JournalError> {
        if self.settings.durability == Durability::None {
            return self.flush();
        }
        self.write_out()?;
        if self.written == self.marked {
            return Ok(());
        }
        self.force()?;
        self.mark()?;
        self.check_term()
    }

    /// Syncs and closes. The journal ends with a mark.
    ///
    /// # Errors
    ///
    /// As [`Writer::flush`].
    pub fn finish(mut self) -> Result<(), JournalError> {
        self.sync()?;
        if self.settings.durability != Durability::None {
            self.force()?;
        }
        self.check_term()
    }

    /// The last thing before anybody is told of what was written: whether it counts.
    fn check_term(&mut self) -> Result<(), JournalError> {
        let checked = self.term.check(&*self.disk);
        if checked.is_err() {
            self.failed = true;
            self.buffer.clear();
        }
        checked
    }

    fn force(&mut self) -> Result<(), JournalError> {
        let synced = self.file.sync();
        self.or_fail("forced to the disk", synced)
    }

    fn write_out(&mut self) -> Result<(), JournalError> {
        self.check_open()?;
        let written = self.file.append_all(&self.buffer);
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        self.or_fail("written", written)
    }

    /// Says in the file that all that it holds is kept.
    fn mark(&mut self) -> Result<(), JournalError> {
        if self.written == self.marked {
            return Ok(());
        }
        self.put(&FrameRef::Mark(Mark::new(self.segment.first, self.written)))?;
        self.write_out()?;
        self.marked = self.written;
        Ok(())
    }

    fn or_fail<T>(&mut self, what: &'static str, done: io::Result<T>) -> Result<T, JournalError> {
        done.map_err(|source| {
            self.failed = true;
            self.buffer.clear();
            JournalError::Io { file: self.segment.file.clone(), what, source }
        })
    }

    fn check_entry(&self, entry: &Entry) -> Result<(), JournalError> {
        entry.check_alone().map_err(|refusal| self.unreadable(&refusal))
    }

    fn note(&mut self, entry: &Entry) {
        self.place += 1;
        match entry {
            Entry::Decide { outcome: None } => self.undecided += 1,
            Entry::Declare { declaration: Declaration::RuleVersion(later), .. } => self.settings.rules = *later,
            _ => {}
        }
    }

    /// Makes a frame at the end of the buffer, in the next segment if this one is full.
    fn write(&mut self, frame: &FrameRef<'_>) -> Result<(), JournalError> {
        self.check_open()?;
        // A segment is named after its first place, so each has one.
        let is_full = self.written + self.buffer.len() as u64 >= self.settings.segment_bytes;
        if is_full && self.place > self.segment.first {
            self.next_segment()?;
        }
        self.put(frame)
    }

    fn next_segment(&mut self) -> Result<(), JournalError> {
        self.write_out()?;
        if self.settings.durability != Durability::None {
            self.force()?;
        }
        self.check_term()?;
        let segment = Segment::new(&self.directory, self.place, self.term.number, self.from);
        let begun = new_segment(&*self.disk, &self.directory, &segment, &self.settings, self.check);
        self.failed = begun.is_err();
        (self.file, self.check) = begun?;
        self.segment = segment;
        (self.written, self.marked) = (HEADER as u64, HEADER as u64);
        Ok(())
    }

    fn put(&mut self, frame: &FrameRef<'_>) -> Result<(), JournalError> {
        let start = self.buffer.len();
        let payload = start + HEAD + CHECK;
        self.buffer.resize(payload, 0);
        if let Err(error) = postcard::serialize_with_flavor(frame, AtEnd(&mut self.buffer)) {
            self.buffer.truncate(start);
            return Err(self.unreadable(&error));
        }
        let bytes = self.buffer.len() - payload;
        if bytes > MAX_PAYLOAD {
            self.buffer.truncate(start);
            return Err(JournalError::TooLong { file: self.segment.file.clone(), bytes });
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
        if self.failed { Err(JournalError::Failed { file: self.segment.file.clone() }) } else { Ok(()) }
    }

    fn unreadable(&self, reason: &impl ToString) -> JournalError {
        JournalError::Unreadable { file: self.segment.file.clone(), reason: reason.to_string() }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.failed {
            let _ = self.flush(); // whoever wants to know calls `finish`
        }
    }
}

/// What was read may never have been forced to the disk, nor its name; from now on it is relied on. Where forcing it failed before, the system takes
/// it for written: it is forced only if it is written again. Whoever still writes there appends, and is not disturbed.
fn force_what_was_read(
    disk: &dyn Disk,
    directory: &Path,
    (file, first, whole): (&Path, u64, u64),
) -> Result<(), JournalError> {
    let failed = |what| move |source| JournalError::Io { file: file.to_owned(), what, source };
    let mut opened = disk.open_to_append(file).map_err(failed("opened"))?;
    let mut bytes = opened.read_all().map_err(failed("read"))?;
    bytes.truncate(usize::try_from(whole).unwrap_or(usize::MAX));
    let kept = Mark::furthest(first, &bytes).and_then(|kept| usize::try_from(kept).ok()).unwrap_or(0);
    let doubtful = bytes.get(kept..).unwrap_or_default();
    disk.write_again(file, kept as u64, doubtful).map_err(failed("written"))?;
    opened.sync().map_err(failed("forced to the disk"))?;
    disk.sync_directory(directory).map_err(failed("forced to the disk"))
}

/// Makes a segment with its header; it is there after a crash, unless nothing is to be.
fn new_segment(
    disk: &dyn Disk,
    directory: &Path,
    segment: &Segment,
    settings: &JournalSettings,
    before: u32,
) -> Result<(Box<dyn DiskFile>, u32), JournalError> {
    let failed = |what| move |source| JournalError::Io { file: segment.file.clone(), what, source };
    let mut file = match disk.create(&segment.file) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(JournalError::Exists { file: segment.file.clone() });
        }
        created => created.map_err(failed("created"))?,
    };
    let (header, check) = Header { rules: settings.rules, first: segment.first, term: segment.term, before }.bytes();
    file.append_all(&header).map_err(failed("written"))?;
    if settings.durability != Durability::None {
        file.sync().map_err(failed("forced to the disk"))?;
        disk.sync_directory(directory).map_err(failed("forced to the disk"))?;
    }
    Ok((file, check))
}

/// Puts what is encoded at the end of a buffer.
struct AtEnd<'a>(&'a mut Vec<u8>);

impl Flavor for AtEnd<'_> {
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
