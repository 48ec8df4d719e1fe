//! A dialogue from its journal again: from the newest snapshot that is whole, or from the start.

use super::durable::DurableError;
use super::session::Session;
use super::sources::SavedSource;
use super::{Rejection, declarations};
use crate::driver::Driver;
use crate::engine::Entry;
use crate::journal::{
    Disk, JournalError, JournalSettings, Line, Origin, Passed, PlayError, Played, Player, SnapshotError, SnapshotFile,
    SnapshotWriter, Stand, Start,
};
use crate::kernel::{Declaration, Kernel, Settings};
use crate::market::FundId;
use crate::presets::Preset;
use crate::refusal::Code;
use crate::snapshot::Part;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// How the first frame begins where there is a preset.
pub(super) const PRESET: &str = "{\"op\":\"preset\",\"preset\":\"";

/// How far the lines of a preset are carried out.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    pub(super) name: Option<String>,
    pub(super) lines: usize,
    /// Its lines that are still to be carried out.
    pub(super) rest: Option<(&'static Preset, bool)>,
    /// The lines of `defaults` so far.
    pub(super) defaults: Vec<String>,
}

/// What only the session knows, as it is saved.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct SavedSession {
    /// The number of the last line.
    seq: u64,
    preset: Option<String>,
    preset_lines: u64,
    declared_funds: Vec<FundId>,
    defaults: Vec<String>,
    sources: Vec<SavedSource>,
}

/// Where a restored state stood in its sequence, and what only its session knew, as it is kept.
pub(super) type RestoredFrom = (Origin, Vec<u8>);

impl SavedSession {
    pub(super) fn bytes(&self) -> Vec<u8> {
        postcard::to_stdvec(self).unwrap_or_default() // into memory: nothing that can fail
    }

    /// A session over a kernel that it fits takes it over; what is wrong with it, if it cannot be.
    pub(super) fn give_to<D: Driver>(self, session: &mut Session<D>) -> Result<Prepared, String> {
        let Self { seq, preset, preset_lines, declared_funds, defaults, sources } = self;
        let funds = session.kernel().market().funds.len();
        if declared_funds.iter().any(|fund| fund.index() >= funds) {
            return Err("an unknown fund was declared".to_owned());
        }
        session.number_next_line(seq.saturating_add(1));
        session.learn_names(); // which `defaults` may name
        for text in &defaults {
            let taken = declarations::remember_defaults(session.desk_mut(), text);
            taken.map_err(|rejection| rejection.reason)?;
        }
        let kept = session.take_kept(declared_funds, sources);
        kept.ok_or("an answer with an unknown code")?;
        Ok(Prepared { name: preset, lines: usize::try_from(preset_lines).unwrap_or(0), rest: None, defaults })
    }
}

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
    steps: u64,
    before: u64,
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
            Played::Check(_) => return Ok(()),
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
    fn kept(&self) -> SavedSession {
        let Self { session, prepared, .. } = self;
        let Prepared { name, lines, rest: _, defaults } = prepared;
        let (declared_funds, sources) = session.to_be_kept();
        SavedSession {
            seq: session.seq(),
            preset: name.clone(),
            preset_lines: *lines as u64,
            declared_funds,
            defaults: defaults.clone(),
            sources,
        }
    }

    fn take_kept(&mut self, bytes: &[u8]) -> Result<(), DurableError> {
        let wrong = |reason: String| DurableError::Line { seq: 0, reason };
        let saved: SavedSession = postcard::from_bytes(bytes).map_err(|error| wrong(error.to_string()))?;
        self.prepared = saved.give_to(&mut self.session).map_err(wrong)?;
        Ok(())
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
