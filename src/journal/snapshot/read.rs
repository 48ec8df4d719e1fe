//! Reading snapshots: the newest that is whole, and the journal from there on.

use super::list::SnapshotFile;
use super::{END, HEADER, KIND, PART_HEAD, SNAPSHOT_VERSION, SnapshotError, Stand};
use crate::journal::player::Player;
use crate::journal::reader::Reader;
use crate::journal::{Disk, DiskFile, JournalError, MAGIC, number_at};
use crate::kernel::{Decoded, Kernel, Loading, Settings};
use crate::rule_version::RuleVersion;
use crate::snapshot::{Part, Unfit};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{channel, sync_channel};
use xxhash_rust::xxh3::Xxh3Default;

/// From so many bytes on a second thread is worth it.
const BESIDE: u64 = 1 << 20;

/// Parts that it may be ahead.
const AHEAD: usize = 2;

/// A snapshot that was passed over.
#[derive(Debug)]
pub struct Passed {
    /// The file.
    pub file: PathBuf,
    /// Why.
    pub error: SnapshotError,
}

/// Where going through a journal begins.
#[derive(Debug)]
pub struct Start {
    /// The state there.
    pub kernel: Kernel,
    /// What goes on from there.
    pub player: Player,
    /// The snapshot that it is from; none: the journal from its start.
    pub snapshot: Option<SnapshotFile>,
    /// What is kept of a dialogue there, if it is from a snapshot of one.
    pub session: Option<Vec<u8>>,
}

impl Start {
    /// Begins at the newest snapshot of a journal that is whole and fits it, older than `before` if that is given; else at the start of
    /// the journal, with a kernel of these settings. Those that cannot be used are added to `passed`.
    ///
    /// # Errors
    ///
    /// There is no journal, or none of this version, or the system refuses.
    pub fn newest(
        disk: &(impl Disk + Clone + 'static),
        directory: &Path,
        settings: Settings,
        before: Option<u64>,
        passed: &mut Vec<Passed>,
    ) -> Result<Self, JournalError> {
        let files = SnapshotFile::list(disk, directory).unwrap_or_default(); // where none are listed, there is no journal either
        for snapshot in files.into_iter().filter(|file| before.is_none_or(|before| file.places < before)) {
            match Self::at(disk, directory, settings, &snapshot) {
                Ok(start) => return Ok(start),
                Err(error) => passed.push(Passed { file: snapshot.file, error }),
            }
        }
        Ok(Self::of_all(Reader::open_on(disk.clone(), directory)?, settings))
    }

    /// Begins at the start of a journal; where that was removed, or stands elsewhere, at the oldest snapshot that is whole and fits it. Those
    /// that cannot be used are added to `passed`.
    ///
    /// # Errors
    ///
    /// There is no journal, or none of this version, or nothing to begin from; or the system refuses.
    pub fn oldest(
        disk: &(impl Disk + Clone + 'static),
        directory: &Path,
        settings: Settings,
        passed: &mut Vec<Passed>,
    ) -> Result<Self, JournalError> {
        let missing = match Reader::open_on(disk.clone(), directory) {
            Err(missing @ JournalError::Missing { .. }) => missing,
            reader => return Ok(Self::of_all(reader?, settings)),
        };
        for snapshot in SnapshotFile::list(disk, directory).unwrap_or_default().into_iter().rev() {
            match Self::at(disk, directory, settings, &snapshot) {
                Ok(start) => return Ok(start),
                Err(error) => passed.push(Passed { file: snapshot.file, error }),
            }
        }
        Err(missing)
    }

    /// All of a journal, with a kernel of these settings.
    fn of_all(reader: Reader, settings: Settings) -> Self {
        let player = Player::new(reader);
        let kernel = Kernel::new(settings).under(player.reader().rules().unwrap_or_default());
        Self { kernel, player, snapshot: None, session: None }
    }

    /// Begins at a snapshot.
    ///
    /// # Errors
    ///
    /// It is damaged, no state of a kernel, or not of this journal.
    pub fn at(
        disk: &(impl Disk + Clone + 'static),
        directory: &Path,
        settings: Settings,
        snapshot: &SnapshotFile,
    ) -> Result<Self, SnapshotError> {
        let mut file = SnapshotReader::open(disk, &snapshot.file)?;
        let stand = file.stand;
        if stand.places != snapshot.places {
            return Err(file.damaged("it stands under the name of another"));
        }
        // First whether the journal goes on there: that is cheap to find out.
        let reader = Reader::open_at(Box::new(disk.clone()), directory, &stand.position)?;
        let mut loading = Loading::new(settings, file.length);
        let session = if file.length < BESIDE { file.load(&mut loading) } else { file.load_beside(&mut loading) }?;
        let mut kernel = loading.finish().map_err(|unfit| file.unfit(unfit))?;
        if kernel.market().rules != stand.rules {
            return Err(file.damaged("its state is under other rules than it says"));
        }
        kernel.count_from(stand.seq);
        let player = Player::from(reader, &stand);
        Ok(Self { kernel, player, snapshot: Some(snapshot.clone()), session })
    }
}

impl SnapshotFile {
    /// Where its kernel stands in the journal, and its bytes, if it is whole.
    ///
    /// # Errors
    ///
    /// It is damaged, or the system refuses.
    pub fn verify(&self, disk: &dyn Disk) -> Result<(Stand, u64), SnapshotError> {
        let mut file = SnapshotReader::open(disk, &self.file)?;
        let mut payload = Vec::new();
        while file.part(&mut payload)?.is_some() {}
        Ok((file.stand, file.length))
    }
}

/// A file that is being read, part by part.
struct SnapshotReader {
    name: PathBuf,
    file: Box<dyn DiskFile>,
    length: u64,
    stand: Stand,
    /// Where the part at hand begins.
    offset: u64,
    check: u32,
    whole: Box<Xxh3Default>,
    ended: bool,
}

impl SnapshotReader {
    fn open(disk: &dyn Disk, name: &Path) -> Result<Self, SnapshotError> {
        let failed = |what| move |source| JournalError::Io { file: name.to_owned(), what, source };
        let mut file = disk.open(name).map_err(failed("opened"))?;
        let length = file.length().map_err(failed("read"))?;
        let mut header = [0; HEADER];
        let mut reader = Self {
            name: name.to_owned(),
            file,
            length,
            stand: Stand::default(),
            offset: 0,
            check: 0,
            whole: Box::default(),
            ended: false,
        };
        reader.read(0, &mut header)?;
        let expected = |offset, expected: String, found: String| SnapshotError::Other {
            file: name.to_owned(),
            offset,
            expected,
            found,
        };
        if header[..8] != MAGIC || header[8..16] != KIND {
            return Err(reader.damaged("it begins like no snapshot"));
        }
        let (version, rules) = (number_at(&header, 16), number_at(&header, 20));
        if version != SNAPSHOT_VERSION {
            return Err(expected(16, format!("version {SNAPSHOT_VERSION} of snapshots"), version.to_string()));
        }
        reader.check = crc32c::crc32c(&header[..HEADER - 4]);
        if reader.check != number_at(&header, HEADER - 4) {
            return Err(reader.damaged("the checksum of the header is wrong"));
        }
        let (oldest, newest) = (RuleVersion::OLDEST, RuleVersion::NEWEST);
        let known = RuleVersion::try_from(rules);
        let known =
            known.map_err(|unknown| expected(20, format!("rules {oldest} to {newest}"), unknown.0.to_string()))?;
        reader.stand = Stand::of(&header, known);
        reader.whole.update(&header);
        reader.offset = HEADER as u64;
        Ok(reader)
    }

    /// Reads the next part; none at the end, with everything as it was written.
    fn part(&mut self, payload: &mut Vec<u8>) -> Result<Option<Part>, SnapshotError> {
        if self.ended {
            return Ok(None);
        }
        let mut head = [0; PART_HEAD];
        self.read(self.offset, &mut head)?;
        let (what, length) = (number_at(&head, 0), number_at(&head, 4));
        let check = crc32c::crc32c_append(self.check, &head[..8]);
        let end = self.offset + PART_HEAD as u64 + u64::from(length);
        if check != number_at(&head, 8) {
            return Err(self.damaged("the checksum of a part's head is wrong"));
        }
        if end > self.length {
            return Err(self.damaged("it ends within a part"));
        }
        payload.resize(length as usize, 0);
        self.read(self.offset + PART_HEAD as u64, payload)?;
        let check = crc32c::crc32c_append(check, payload);
        if check != number_at(&head, 12) {
            return Err(self.damaged("the checksum of a part is wrong"));
        }
        if what == END {
            let whole = self.whole.digest().to_le_bytes();
            if payload[..] != whole || end != self.length {
                return Err(self.damaged("it does not end where and as it was written"));
            }
            self.ended = true;
            return Ok(None);
        }
        let part = Part::numbered(what).ok_or_else(|| self.damaged("a part of no kind that there is"))?;
        self.whole.update(&head);
        self.whole.update(payload);
        (self.offset, self.check) = (end, check);
        Ok(Some(part))
    }

    /// Gives all parts to a kernel, but for what is kept of a dialogue, which is returned.
    fn load(&mut self, loading: &mut Loading) -> Result<Option<Vec<u8>>, SnapshotError> {
        let (mut session, mut payload) = (None, Vec::new());
        while let Some(part) = self.part(&mut payload)? {
            if part == Part::Session {
                session = Some(payload.clone());
            } else {
                loading.part(part, &payload).map_err(|unfit| self.unfit(unfit))?;
            }
        }
        Ok(session)
    }

    /// As [`SnapshotReader::load`], with a thread beside that reads, checks and decodes what comes next.
    fn load_beside(&mut self, loading: &mut Loading) -> Result<Option<Vec<u8>>, SnapshotError> {
        let name = self.name.clone();
        let unfit = |unfit| SnapshotError::Unfit { file: name.clone(), unfit };
        std::thread::scope(|scope| -> Result<Option<Vec<u8>>, SnapshotError> {
            let (sender, receiver) = sync_channel(AHEAD);
            let (loaded, done_with) = channel();
            let read = move || -> Result<Option<Vec<u8>>, SnapshotError> {
                let (mut session, mut payload) = (None, Vec::new());
                while let Some(part) = self.part(&mut payload)? {
                    if part == Part::Session {
                        session = Some(payload.clone());
                    } else if sender.send(Decoded::of(part, &payload)).is_err() {
                        break; // what came before is refused
                    }
                    done_with.try_iter().for_each(drop::<Decoded>);
                }
                drop(sender);
                Ok(session)
            };
            let reading = std::thread::Builder::new().name("snapshot".to_owned()).spawn_scoped(scope, read);
            let started = |source| JournalError::Io { file: name.clone(), what: "read by a thread", source };
            let reading = reading.map_err(started)?;
            for decoded in receiver {
                let decoded = decoded.map_err(unfit)?;
                loading.decoded(&decoded).map_err(unfit)?;
                _ = loaded.send(decoded); // freed by the thread that has more time
            }
            reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), SnapshotError> {
        let mut filled = 0;
        while filled < into.len() {
            match self.file.read(offset + filled as u64, &mut into[filled..]) {
                Ok(0) => return Err(self.damaged("it ends too early")),
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(JournalError::Io { file: self.name.clone(), what: "read", source }.into());
                }
            }
        }
        Ok(())
    }

    fn damaged(&self, what: &'static str) -> SnapshotError {
        SnapshotError::Damaged { file: self.name.clone(), offset: self.offset, what }
    }

    fn unfit(&self, unfit: Unfit) -> SnapshotError {
        SnapshotError::Unfit { file: self.name.clone(), unfit }
    }
}
