//! A journal gone through to be looked at, and what is made of it: a snapshot, or a journal that begins with a state.

use super::durable::DurableError;
use super::kept::SavedSession;
use super::recovery::{Again, GoingThrough, Purpose};
use super::session::Session;
use crate::journal::{Disk, JournalSettings, Passed, SnapshotFile, SnapshotWriter, Stand};
use crate::kernel::{Kernel, Settings};
use crate::snapshot::Part;
use std::path::Path;

/// A dialogue at the last place of its journal of which it is known what it led to, to look at. Whoever writes the journal does not notice.
#[derive(Debug)]
pub struct Followed {
    through: GoingThrough,
    stand: Stand,
    passed: Vec<Passed>,
}

impl Followed {
    /// Goes through the journal in a directory, from the newest snapshot that is whole; it may be written meanwhile.
    ///
    /// # Errors
    ///
    /// The journal cannot be gone through, or nothing in it is decided yet.
    pub fn newest(
        disk: &(impl Disk + Clone + 'static),
        directory: &Path,
        settings: Settings,
    ) -> Result<Self, DurableError> {
        let mut passed = Vec::new();
        let follow = |until, passed: &mut Vec<Passed>| {
            GoingThrough::newest(disk, directory, settings, Purpose::Follow { until }, passed)
        };
        let (mut through, rested) = follow(None, &mut passed)?;
        let mut stand = through.player.stand(through.session.kernel());
        if stand.is_none() {
            // The last places wait for a decision that is not there yet: back to where all was decided.
            (through, _) = follow(rested, &mut Vec::new())?;
            stand = through.player.stand(through.session.kernel());
        }
        let stand = stand.ok_or(DurableError::NeverAtRest)?;
        Ok(Self { through, stand, passed })
    }

    /// As [`Followed::newest`], up to a line: at the last place before the next one where everything was decided.
    ///
    /// # Errors
    ///
    /// As [`Followed::newest`], or the journal does not go as far, or its places before are removed.
    pub fn up_to(
        disk: &(impl Disk + Clone + 'static),
        directory: &Path,
        settings: Settings,
        line: u64,
    ) -> Result<Self, DurableError> {
        let mut passed = Vec::new();
        let purpose = Purpose::UpTo { line, again: None };
        let (through, rested) = GoingThrough::newest(disk, directory, settings, purpose, &mut passed)?;
        let last = through.session.seq();
        if last < line {
            return Err(DurableError::NoSuchLine { line, last });
        }
        let before = through.snapshot.as_ref().map_or(0, |snapshot| snapshot.places + 1);
        drop(through); // it may have gone past the line
        let again = Again { steps: rested.ok_or(DurableError::NeverAtRest)?, before };
        let purpose = Purpose::UpTo { line, again: Some(again) };
        let (mut through, _) = GoingThrough::newest(disk, directory, settings, purpose, &mut Vec::new())?;
        let stand = through.player.stand(through.session.kernel()).ok_or(DurableError::NeverAtRest)?;
        Ok(Self { through, stand, passed })
    }

    /// The state there.
    #[must_use]
    pub fn kernel(&self) -> &Kernel {
        self.through.session.kernel()
    }

    /// The number of the last line.
    #[must_use]
    pub fn last_line(&self) -> u64 {
        self.through.session.seq()
    }

    /// What only the session knows.
    pub(super) fn saved_session(&self) -> SavedSession {
        self.through.kept()
    }

    /// Where it stands in the journal.
    #[must_use]
    pub fn stand(&self) -> &Stand {
        &self.stand
    }

    /// Places that were gone through, and the snapshot from which; none: from the start of the journal.
    #[must_use]
    pub fn gone_through(&self) -> (u64, Option<&SnapshotFile>) {
        (self.through.places, self.through.snapshot.as_ref())
    }

    /// Snapshots that could not be used.
    #[must_use]
    pub fn passed(&self) -> &[Passed] {
        &self.passed
    }
}

/// A snapshot that was made.
#[derive(Debug)]
pub struct Snapshot {
    /// Its file.
    pub snapshot: SnapshotFile,
    /// Its bytes; none: there was one of that place already.
    pub bytes: Option<u64>,
    /// Where it stands in the journal.
    pub stand: Stand,
    /// The number of the last line that went into it.
    pub last_line: u64,
    /// Places that were gone through for it.
    pub places: u64,
    /// The snapshot from which they were gone through; none: from the start of the journal.
    pub from: Option<SnapshotFile>,
    /// Snapshots that could not be used.
    pub passed: Vec<Passed>,
}

impl Snapshot {
    /// Makes a snapshot of the last place of a journal of which it is known what it led to. The journal may be written meanwhile, and
    /// whoever writes it does not notice.
    ///
    /// # Errors
    ///
    /// The journal cannot be gone through, or the system refuses.
    pub fn make(
        disk: &(impl Disk + Clone + 'static),
        directory: &Path,
        settings: Settings,
    ) -> Result<Self, DurableError> {
        let Followed { through, stand, passed } = Followed::newest(disk, directory, settings)?;
        let GoingThrough { ref session, ref snapshot, places, .. } = through;
        let made = |snapshot, bytes| Self {
            snapshot,
            bytes,
            stand,
            last_line: session.seq(),
            places,
            from: through.snapshot.clone(),
            passed,
        };
        if let Some(same) = snapshot.as_ref().filter(|snapshot| snapshot.places == stand.places) {
            return Ok(made(same.clone(), None));
        }
        let mut writer = SnapshotWriter::begin(disk, directory, stand)?;
        let resting = session.kernel().at_rest().ok_or(DurableError::NeverAtRest)?;
        resting.save(&mut |part, bytes| writer.part(part, bytes))?;
        writer.part(Part::Session, &through.kept().bytes())?;
        let (file, bytes) = writer.finish()?;
        Ok(made(file, Some(bytes)))
    }
}

/// A journal that was begun with a state from elsewhere.
#[derive(Debug)]
pub struct Imported {
    /// The snapshot that holds it.
    pub snapshot: SnapshotFile,
    /// Its bytes.
    pub bytes: u64,
    /// The number of the last line before it.
    pub last_line: u64,
}

impl Imported {
    /// Begins a journal in a directory, where there is none, with the state that lines have restored to a session, which ends. From then on it is one like
    /// any other: its places and its lines count on from those of the state.
    ///
    /// # Errors
    ///
    /// The session has restored nothing, or more than that has happened to it; or the system refuses.
    pub fn begin(
        disk: &(impl Disk + Clone + 'static),
        directory: &Path,
        settings: JournalSettings,
        mut session: Session,
    ) -> Result<Self, DurableError> {
        let (origin, kept) = session.take_restored().ok_or(DurableError::NothingRestored)?;
        let resting = session.kernel().at_rest().ok_or(DurableError::NeverAtRest)?;
        let settings = JournalSettings { rules: session.kernel().market().rules, ..settings };
        let mut writer = SnapshotWriter::begin_journal(disk, directory, settings, origin)?;
        resting.save(&mut |part, bytes| writer.part(part, bytes))?;
        writer.part(Part::Session, &kept)?;
        let (snapshot, bytes) = writer.finish()?;
        Ok(Self { snapshot, bytes, last_line: session.seq() })
    }
}
