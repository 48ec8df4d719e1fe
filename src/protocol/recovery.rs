//! A dialogue from its journal again: from the newest snapshot that is whole, or from the start.

use super::durable::DurableError;
use super::kept::{PRESET, Prepared, SavedSession};
use super::session::Session;
use super::{Rejection, declarations};
use crate::engine::Entry;
use crate::journal::{Disk, JournalError, Line, Passed, PlayError, Played, Player, SnapshotError, SnapshotFile, Start};
use crate::kernel::{Declaration, Settings};
use crate::refusal::Code;
use std::path::Path;

/// A session that is gone through again.
#[derive(Debug)]
pub(super) struct GoingThrough {
    pub(super) session: Session,
    pub(super) prepared: Prepared,
    pub(super) player: Player,
    /// Where it began, if not at the start of the journal.
    pub(super) snapshot: Option<SnapshotFile>,
    /// Places that were gone through.
    pub(super) places: u64,
    /// Whether nothing is kept at all.
    pub(super) is_empty: bool,
}

/// How a journal is gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// As far as it is known what came of each place, and no further than so many places: it may be written meanwhile.
    Follow { until: Option<u64> },
    /// The same as far as this line. That it is the last is seen when the next has gone by: so it is gone through again, as far as it is known to
    /// be then.
    UpTo { line: u64, again: Option<Again> },
}

/// How far the steps up to a line go, from which snapshot on: the newest of fewer places than these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Again {
    pub(super) steps: u64,
    pub(super) before: u64,
}

/// Snapshots to begin from: which were passed over, and before which place one is looked for.
#[derive(Debug, Default)]
pub(super) struct Beginnings {
    pub(super) passed: Vec<Passed>,
    before: Option<u64>,
}

impl Beginnings {
    /// What does not go on from its snapshot is tried from the one before; what is damaged in the journal is so wherever one begins.
    ///
    /// # Errors
    ///
    /// There is no other to begin from.
    pub(super) fn pass(&mut self, from: Option<&SnapshotFile>, error: DurableError) -> Result<(), DurableError> {
        match from {
            Some(SnapshotFile { places, file }) if !error.is_of_files() => {
                let error = SnapshotError::Diverged { file: file.clone(), reason: error.to_string() };
                self.passed.push(Passed { file: file.clone(), error });
                self.before = Some(*places);
                Ok(())
            }
            _ => Err(error),
        }
    }
}

impl GoingThrough {
    /// Begins at the newest snapshot of a journal that is not passed over, or at its start, with a kernel of these settings.
    ///
    /// # Errors
    ///
    /// There is no journal, or the system refuses.
    pub(super) fn begin(
        disk: &(impl Disk + Clone + 'static),
        directory: &Path,
        settings: Settings,
        beginnings: &mut Beginnings,
    ) -> Result<Self, DurableError> {
        loop {
            let start = Start::newest(disk, directory, settings, beginnings.before, &mut beginnings.passed)?;
            let snapshot = start.snapshot.clone();
            match Self::at(start) {
                Err(error) => beginnings.pass(snapshot.as_ref(), error)?,
                begun => return begun,
            }
        }
    }

    /// Goes through the journal in a directory, with a kernel of these settings. Snapshots that cannot be used are added to `passed`.
    pub(super) fn newest(
        disk: &(impl Disk + Clone + 'static),
        directory: &Path,
        settings: Settings,
        purpose: Purpose,
        passed: &mut Vec<Passed>,
    ) -> Result<(Self, Option<u64>), DurableError> {
        let mut before = match purpose {
            Purpose::Follow { until } => until.map(|until| until.saturating_add(1)),
            Purpose::UpTo { again, .. } => again.map(|again| again.before),
        };
        loop {
            let start = Start::newest(disk, directory, settings, before, passed)?;
            let snapshot = start.snapshot.clone();
            let begun = Self::at(start);
            if let (Ok(through), Some(SnapshotFile { places, .. }), Purpose::UpTo { line, .. }) =
                (&begun, &snapshot, purpose)
                && through.session.seq() > line
            {
                before = Some(*places);
                continue; // it is of later
            }
            let gone = begun.and_then(|mut through| {
                let rested = through.go_to_the_end(purpose)?;
                Ok((through, rested))
            });
            match (gone, snapshot) {
                // What is damaged in the journal is so wherever one begins.
                (Err(error), Some(SnapshotFile { places, file })) if !error.is_of_files() => {
                    let error = SnapshotError::Diverged { file: file.clone(), reason: error.to_string() };
                    passed.push(Passed { file, error });
                    before = Some(places);
                }
                (gone, _) => return gone,
            }
        }
    }

    fn at(start: Start) -> Result<Self, DurableError> {
        let Start { kernel, player, snapshot, session: kept } = start;
        let player = player.following();
        let (session, prepared) = (Session::over(kernel), Prepared::default());
        let is_empty = snapshot.is_none();
        let mut through = Self { session, prepared, player, snapshot, places: 0, is_empty };
        if let Some(kept) = kept {
            through.take_kept(&kept)?;
        }
        Ok(through)
    }

    /// Returns the last place after which the kernel was at rest, where that is asked for; of what goes up to a line, the step.
    fn go_to_the_end(&mut self, purpose: Purpose) -> Result<Option<u64>, DurableError> {
        let (mut rested, mut steps) = (None, 0);
        loop {
            match purpose {
                Purpose::Follow { until } => {
                    let stand = self.player.stand(self.session.kernel()).map(|stand| stand.places);
                    rested = stand.or(rested);
                    if until.is_some() && stand == until {
                        break;
                    }
                }
                Purpose::UpTo { line, again } => {
                    if self.session.seq() > line || again.is_some_and(|again| again.steps == steps) {
                        break;
                    }
                    let rests = self.player.stand(self.session.kernel()).is_some();
                    rested = rests.then_some(steps).or(rested);
                }
            }
            steps += 1;
            if !self.step()? {
                break;
            }
        }
        Ok(rested)
    }

    /// Goes one step further; whether there was one.
    pub(super) fn step(&mut self) -> Result<bool, DurableError> {
        let Some(played) = self.player.step(self.session.kernel_mut(), &mut |_| ())? else { return Ok(false) };
        self.is_empty = false;
        self.places += u64::from(matches!(played, Played::Place(..)));
        self.recover(played)?;
        Ok(true)
    }

    /// Goes to the very end of a journal whose term was taken, so that nobody else writes it any more.
    pub(super) fn take_over(&mut self) -> Result<(), DurableError> {
        loop {
            while self.step()? {}
            if !self.player.refresh()? {
                break;
            }
        }
        self.player.take_over(self.session.kernel_mut());
        while self.step()? {}
        Ok(())
    }

    /// Takes over what only the session knows.
    fn recover(&mut self, played: Played) -> Result<(), DurableError> {
        let Self { session, prepared, .. } = self;
        let (entry, line) = match played {
            Played::Place(entry, line) => (Some(entry), line),
            Played::Line(line) => (None, Some(line)),
            Played::Check(_) | Played::State(_) => return Ok(()),
        };
        if let Some(Entry::Declare { declaration: Declaration::Fund(spec), .. }) = &entry {
            session.know_declared_fund(&spec.name);
        }
        let Some(Line { seq, source, rejected, text }) = line else { return Ok(()) };
        let wrong = |reason: String| DurableError::Line { seq, reason };
        if let Some(name) = text.as_deref().and_then(|text| text.strip_prefix(PRESET)?.strip_suffix("\"}")) {
            prepared.name = Some(name.to_owned());
            return Ok(());
        }
        prepared.lines += usize::from(seq == 0);
        if seq > 0 {
            session.number_next_line(seq + 1);
        }
        if let Some(text) = text.filter(|_| entry.is_none()) {
            let taken = declarations::remember_defaults(session.desk_mut(), &text);
            if taken.map_err(|rejection| wrong(rejection.reason))? {
                prepared.defaults.push(text);
            }
        }
        if let Some((source, _)) = source {
            let rejection = match rejected {
                None => None,
                Some((code, reason)) => {
                    let code = Code::named(&code).ok_or_else(|| wrong(format!("there is no code {code:?}")))?;
                    Some(Rejection::new(code, reason))
                }
            };
            session.keep_answer(&source, seq, rejection);
        }
        Ok(())
    }

    /// What only the session knows.
    pub(super) fn kept(&self) -> SavedSession {
        SavedSession::of(&self.session, &self.prepared)
    }

    fn take_kept(&mut self, bytes: &[u8]) -> Result<(), DurableError> {
        let wrong = |reason: String| DurableError::Line { seq: 0, reason };
        let saved: SavedSession = postcard::from_bytes(bytes).map_err(|error| wrong(error.to_string()))?;
        self.prepared = saved.give_to(&mut self.session).map_err(wrong)?;
        Ok(())
    }
}

impl DurableError {
    /// Whether what was read is not what the journal goes on with, so that it is to be gone through anew.
    pub(super) fn is_overtaken(&self) -> bool {
        let (Self::Play(PlayError::Journal(error)) | Self::Journal(error)) = self else { return false };
        matches!(error, JournalError::Overtaken { .. })
    }

    /// Whether the files of the journal are to blame, and not what they say.
    fn is_of_files(&self) -> bool {
        matches!(self, Self::Play(PlayError::Journal(_)) | Self::Journal(_) | Self::Snapshot(_))
    }
}

/// Whether there is a journal to go on with.
pub(super) fn is_there(disk: &impl Disk, directory: &Path) -> Result<bool, DurableError> {
    match crate::journal::is_there(disk, directory) {
        Ok(true) => Ok(true),
        // Where snapshots are, the journal is missing: none is begun beside them.
        Ok(false) => Ok(!SnapshotFile::list(disk, directory)?.is_empty()),
        // Also where the directory is not there yet; what else is wrong with it, creating it says too.
        Err(JournalError::Io { what: "listed", .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
