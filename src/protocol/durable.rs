//! A session that outlives its process: every line is in a journal before anybody is told what it led to.
//!
//! ```text
//!  line ─► Session ─► answer, held back ───────────────► caller, once the journal keeps the line
//!             └─ record ─► Frame::Line, entries ─► Log ──┘
//! ```
//!
//! A line and the place that it got stand in one frame; so after a restart a repeat is known for one exactly if its first time has
//! taken effect.

use super::kept::{PRESET, Prepared};
use super::recovery::{self, Beginnings, GoingThrough, Purpose};
use super::session::{Noted, Session};
use super::{Rejection, TierTables};
use crate::command::Command;
use crate::driver::{Driver, Recorder};
use crate::engine::Entry;
use crate::journal::{
    Chain, Cut, Disk, Frame, JournalError, JournalSettings, Line, Log, NotLogged, PlayError, SnapshotError,
    SnapshotFile, Term, Writer,
};
use crate::kernel::{Kernel, Overview};
use crate::presets::Preset;
use crate::refusal::Refusal;
use crate::rule_version::RuleVersion;
use std::path::Path;

/// Why a session could not be begun or gone on with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DurableError {
    /// The journal cannot be gone through.
    #[error(transparent)]
    Play(#[from] PlayError),
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A snapshot cannot be written.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// There is no place yet after which everything was decided.
    #[error("there is no place in the journal yet after which everything was decided")]
    NeverAtRest,
    /// The journal ends before a line.
    #[error("the journal goes up to line {last}, and not to {line}")]
    NoSuchLine {
        /// The line that was asked for.
        line: u64,
        /// Its last.
        last: u64,
    },
    /// No state was restored, or lines have followed it.
    #[error("it holds no whole state, or more than one")]
    NothingRestored,
    /// The journal has failed while it was written.
    #[error("{reason}")]
    Failed {
        /// Why.
        reason: String,
    },
    /// The journal was begun under other rules.
    #[error("the journal was begun {}, and goes on only so, not with the preset {asked}", begun_with(found.as_deref()))]
    Preset {
        /// The preset that was asked for.
        asked: String,
        /// The one that it was begun with.
        found: Option<String>,
    },
    /// The preset is refused.
    #[error("preset {name}: {}: {}", rejection.code, rejection.reason)]
    Refused {
        /// Its name.
        name: &'static str,
        /// Why.
        rejection: Rejection,
    },
    /// A line in the journal that no session wrote.
    #[error("line {seq} in the journal cannot be understood: {reason}")]
    Line {
        /// Its number.
        seq: u64,
        /// What is wrong with it.
        reason: String,
    },
}

fn begun_with(preset: Option<&str>) -> String {
    preset.map_or_else(|| "without a preset".to_owned(), |name| format!("with the preset {name}"))
}

/// What was found in a journal.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    /// Places of the sequence that were gone through.
    pub places: u64,
    /// The number of the last line.
    pub last_line: u64,
    /// Frames that were added: what the crash had interrupted.
    pub completed: u64,
    /// What followed the last whole frame, and is passed over.
    pub cut: Option<Cut>,
    /// The snapshot that was begun from; none: the start of the journal.
    pub snapshot: Option<SnapshotFile>,
    /// Why newer snapshots were passed over.
    pub passed: Vec<String>,
    /// The rules that are in force at its end.
    pub rules: RuleVersion,
}

/// A session over its journal that is open and not under way yet: the kernel may still be put on threads.
#[derive(Debug)]
pub struct Opened<D = Kernel> {
    session: Session<D>,
    writer: Writer,
    settings: JournalSettings,
    chain: Chain,
    /// Places of the journal that no state stands behind.
    unchecked: u64,
    recovery: Option<Recovery>,
    preset: Prepared,
}

impl Opened {
    /// Opens the journal in a directory and goes through it, or begins one if there is none; `kernel` is empty.
    ///
    /// # Errors
    ///
    /// The journal cannot be read or written, comes to something else, or was begun under another preset than the one asked for.
    pub fn open(
        disk: impl Disk + Clone + 'static,
        directory: &Path,
        settings: JournalSettings,
        kernel: Kernel,
        preset: Option<&'static Preset>,
    ) -> Result<Self, DurableError> {
        if !recovery::is_there(&disk, directory)? {
            let mut session = Session::over(kernel);
            session.kernel_mut().keep_record();
            session.kernel_mut().keep_state_hash();
            let settings = JournalSettings { rules: session.kernel().market().rules, ..settings };
            let writer = Writer::create_on(disk, directory, settings)?;
            let preset = Prepared { rest: preset.map(|preset| (preset, true)), ..Prepared::default() };
            let (chain, unchecked) = (Chain::default(), 0);
            return Ok(Self { session, writer, settings, chain, unchecked, recovery: None, preset });
        }
        let mut beginnings = Beginnings::default();
        let (passed, purpose) = (&mut beginnings.passed, Purpose::Follow { until: None });
        let (through, _) = GoingThrough::newest(&disk, directory, kernel.settings(), purpose, passed)?;
        Self::take_over(disk, directory, settings, preset, through, beginnings)
    }

    /// Takes the next term, so that nobody else writes the journal any more, goes through the rest of it, and carries out what was interrupted.
    pub(super) fn take_over(
        disk: impl Disk + Clone + 'static,
        directory: &Path,
        settings: JournalSettings,
        preset: Option<&'static Preset>,
        mut through: GoingThrough,
        mut beginnings: Beginnings,
    ) -> Result<Self, DurableError> {
        let of_kernel = through.session.kernel().settings();
        let term = Term::claim(&disk, directory)?;
        while let Err(error) = through.take_over() {
            if !error.is_overtaken() {
                beginnings.pass(through.snapshot.as_ref(), error)?;
            }
            through = GoingThrough::begin(&disk, directory, of_kernel, &mut beginnings)?;
        }
        let GoingThrough { mut session, mut prepared, mut player, snapshot, places, is_empty } = through;
        if player.reader().rules().is_none() {
            session.kernel_mut().begin_under(settings.rules); // not even a header was kept: it begins anew
        }
        let (end, frames) = player.complete(session.kernel_mut(), &mut |_| ());
        session.kernel_mut().keep_state_hash();
        session.learn_names();
        if is_empty {
            prepared.rest = preset.map(|preset| (preset, true)); // it ended before anything was kept: it begins anew
        } else {
            check_preset(&mut prepared, preset)?;
        }
        let mut writer = Writer::go_on(disk, directory, settings, term, &end)?;
        for frame in &frames {
            writer.frame(frame)?;
        }
        writer.sync()?;
        let recovery = Recovery {
            places,
            last_line: session.seq(),
            completed: frames.len() as u64,
            cut: player.cut().cloned(),
            snapshot,
            passed: beginnings.passed.iter().map(|passed| passed.error.to_string()).collect(),
            rules: session.kernel().market().rules,
        };
        // What one process left unchecked counts on in the next: else a journal of short ones would hold no check at all.
        let added = frames.iter().filter(|frame| matches!(frame, Frame::Entry(_))).count();
        let unchecked = player.unstated() + added as u64;
        let (chain, recovery) = (player.chain(), Some(recovery));
        Ok(Self { session, writer, settings, chain, unchecked, recovery, preset: prepared })
    }

    /// Puts the kernel elsewhere, as on threads; what is there must keep its record and count on.
    ///
    /// # Errors
    ///
    /// Those of `place`.
    pub fn place<D: Driver, E>(self, place: impl FnOnce(Kernel) -> Result<D, E>) -> Result<Opened<D>, E> {
        let Self { session, writer, settings, chain, unchecked, recovery, preset } = self;
        Ok(Opened { session: session.place(place)?, writer, settings, chain, unchecked, recovery, preset })
    }
}

impl<D: Driver + Recorder> Opened<D> {
    /// What was found in the journal, if there was one.
    #[must_use]
    pub fn recovery(&self) -> Option<&Recovery> {
        self.recovery.as_ref()
    }

    /// Ends without a line: everything is in the journal.
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub fn close(self) -> Result<(), JournalError> {
        self.writer.finish()
    }

    /// Starts the thread that writes, and carries out what is left of the preset.
    ///
    /// # Errors
    ///
    /// The system starts no thread, the disk refuses, or the kernel refuses the preset.
    pub fn start(self, tables: TierTables) -> Result<DurableSession<D>, DurableError> {
        self.start_with(tables, Log::start)
    }

    /// As [`Opened::start`], with a log [by hand](Log::by_hand) in place of the thread: [`DurableSession::step_journal`] says when it writes.
    ///
    /// # Errors
    ///
    /// The disk refuses, or the kernel refuses the preset.
    pub fn start_by_hand(self, tables: TierTables) -> Result<DurableSession<D>, DurableError> {
        self.start_with(tables, |writer, settings| Ok(Log::by_hand(writer, settings)))
    }

    fn start_with(
        self,
        tables: TierTables,
        log: impl FnOnce(Writer, JournalSettings) -> Result<Log, JournalError>,
    ) -> Result<DurableSession<D>, DurableError> {
        let Self { mut session, writer, settings, chain, unchecked, preset, .. } = self;
        session.use_tier_tables(tables);
        let began_at = writer.place();
        let log = log(writer, settings)?;
        let every = settings.check_every;
        let mut session = DurableSession { session, log, chain, every, unchecked, began_at, places: 0, failed: false };
        if let Some((rules, begins)) = preset.rest {
            session.prepare(rules, begins, preset.lines)?;
        }
        Ok(session)
    }
}

/// The longest line that a journal keeps, in bytes: with the place that it got it must fit into a frame.
pub const MAX_LINE: usize = crate::journal::MAX_PAYLOAD / 2;

/// A session whose answers are told when its journal keeps what led to them.
#[derive(Debug)]
pub struct DurableSession<D = Kernel> {
    session: Session<D>,
    log: Log,
    chain: Chain,
    /// After so many places what events and state come to is written; 0: never.
    every: u64,
    /// Places since that was written, by whichever process.
    unchecked: u64,
    /// Places of the journal when it was started.
    began_at: u64,
    /// Those that were appended since.
    places: u64,
    failed: bool,
}

impl<D: Driver + Recorder> DurableSession<D> {
    /// Carries out one line, as [`Session::line`]. What it appends is to be held back until [`DurableSession::wait`] has returned.
    ///
    /// # Errors
    ///
    /// The rejection; [`Rejection::has_stopped`] once the journal has failed: the line was not carried out then, or nobody may be told.
    pub fn line(&mut self, line: &[u8], out: &mut String) -> Result<(), Rejection> {
        let stopped = || Rejection::from(Refusal::Stopped);
        if self.has_failed() {
            return Err(stopped());
        }
        let before = out.len();
        if line.len() > MAX_LINE {
            let seq = self.count_line().map_err(|_| stopped())?;
            let rejection = Rejection::malformed(format!("the line is longer than {MAX_LINE} bytes"));
            rejection.line(seq, out);
            return Err(rejection);
        }
        let mut noted = Noted::default();
        let done = self.session.line_noted(line, out, &mut noted);
        let seq = self.session.seq();
        if done.as_ref().is_err_and(Rejection::has_stopped) {
            return done; // it was not carried out: whoever repeats it later is to be heard
        }
        if self.keep(seq, line, noted, done.as_ref().err()).is_err() {
            out.truncate(before); // it is not known to be kept
            self.failed = true;
            return Err(stopped());
        }
        done
    }

    /// As [`Session::tell_latest`].
    pub fn tell_latest(&mut self, latest_ns: u64) {
        self.session.tell_latest(latest_ns);
    }

    /// Counts a line that is not carried out, as a blank one, and says its number.
    ///
    /// # Errors
    ///
    /// The journal has failed.
    pub fn count_line(&mut self) -> Result<u64, NotLogged> {
        if self.has_failed() {
            return Err(NotLogged::Failed);
        }
        let seq = self.session.count_line();
        let kept = self.keep(seq, b"", Noted::default(), None);
        self.failed = kept.is_err();
        kept.map(|()| seq)
    }

    /// Looks at the whole state.
    ///
    /// # Errors
    ///
    /// [`Refusal::Stopped`].
    pub fn ask<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(Overview<'_>) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        self.session.kernel_mut().ask(question)
    }

    /// All frames up to this one are kept: under [`Durability::Sync`](crate::journal::Durability::Sync) on the disk, under the others
    /// given to the system.
    #[must_use]
    pub fn kept(&self) -> u64 {
        self.log.kept()
    }

    /// Waits until the journal keeps all lines so far as safely as asked: then their answers may be told.
    ///
    /// # Errors
    ///
    /// The journal has failed, and may not keep them.
    pub fn wait(&mut self) -> Result<(), NotLogged> {
        self.log.wait(self.log.appended())
    }

    /// The number of the last frame: what a line led to may be told once the journal keeps all up to here
    /// ([`DurableSession::may_acknowledge`]).
    #[must_use]
    pub fn appended(&self) -> u64 {
        self.log.appended()
    }

    /// Whether the journal keeps all frames up to this one as safely as asked.
    #[must_use]
    pub fn may_acknowledge(&self, frame: u64) -> bool {
        self.log.may_acknowledge(frame)
    }

    /// Where the log is by hand: it writes what is there; whether there was anything.
    pub fn step_journal(&mut self) -> bool {
        self.log.step()
    }

    /// The number of the last line.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.session.seq()
    }

    /// Places of the journal, from its start.
    #[must_use]
    pub fn journal_places(&self) -> u64 {
        self.began_at + self.places
    }

    /// Places that it has appended to the journal since it was started.
    #[must_use]
    pub fn places(&self) -> u64 {
        self.places
    }

    /// The kernel behind it.
    #[must_use]
    pub fn kernel(&self) -> &D {
        self.session.kernel()
    }

    /// Whether the journal has failed: no line is carried out any more.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed || self.log.has_failed()
    }

    /// Why the journal has failed, if it has.
    #[must_use]
    pub fn failure(&self) -> Option<&JournalError> {
        self.log.failure()
    }

    /// Ends the session, with everything in the journal.
    ///
    /// # Errors
    ///
    /// The journal has failed, now or before.
    pub fn finish(mut self) -> Result<(), JournalError> {
        if self.every > 0 && self.unchecked > 0 && !self.has_failed() {
            let _ = self.check(); // why the log takes nothing it says at its end
        }
        self.log.finish()
    }

    /// Carries out what comes before the first line; `done` of it is in the journal already.
    fn prepare(&mut self, preset: &'static Preset, begins: bool, done: usize) -> Result<(), DurableError> {
        let next = self.session.seq() + 1;
        if begins {
            let text = Some(format!("{PRESET}{}\"}}", preset.name));
            let appended = self.log.append(Frame::Line(Line { text, ..Line::default() }, None));
            appended.map_err(|_| self.failed_with())?;
        }
        for line in preset.lines().skip(done) {
            let (mut said, mut noted) = (String::new(), Noted::default());
            self.session.number_next_line(0);
            let carried = self.session.line_noted(line.as_bytes(), &mut said, &mut noted);
            carried.map_err(|rejection| DurableError::Refused { name: preset.name, rejection })?;
            let kept = self.keep(0, line.as_bytes(), noted, None);
            kept.map_err(|_| self.failed_with())?;
        }
        self.session.number_next_line(next);
        Ok(())
    }

    fn failed_with(&self) -> DurableError {
        let reason = self.log.failure().map_or_else(String::new, ToString::to_string);
        DurableError::Failed { reason }
    }

    /// Appends a line with all its places.
    fn keep(&mut self, seq: u64, line: &[u8], noted: Noted, rejection: Option<&Rejection>) -> Result<(), NotLogged> {
        let mut entries = self.session.kernel_mut().take_record();
        let own = entries.iter().position(|entry| number_of(entry).is_some());
        // A question that told a time has no number, and a place all the same.
        let own = own.or_else(|| entries.iter().position(|entry| matches!(entry, Entry::Pass { .. })));
        self.unchecked += entries.len() as u64;
        self.places += entries.len() as u64;
        if let Some(number) = own.and_then(|own| number_of(&entries[own])) {
            if rejection.is_some() {
                self.chain.refused(number);
            }
            for event in self.session.kernel().events() {
                self.chain.event(number, event);
            }
        }
        let text = noted.keeps_text.then(|| String::from_utf8_lossy(line).into_owned());
        let rejected = rejection.map(|rejection| (rejection.code.to_string(), rejection.reason.clone()));
        let rejected = rejected.filter(|_| noted.source.is_some());
        let line = Line { seq, source: noted.source, rejected, text };
        let rest = own.map_or(Vec::new(), |own| entries.split_off(own + 1));
        let own = own.and_then(|_| entries.pop());
        for entry in entries {
            self.log.append(Frame::Entry(entry))?;
        }
        self.log.append(Frame::Line(line, own))?;
        for entry in rest {
            self.log.append(Frame::Entry(entry))?;
        }
        if self.every > 0 && self.unchecked >= self.every {
            self.check()?;
        }
        Ok(())
    }

    /// Appends what events and state come to.
    fn check(&mut self) -> Result<(), NotLogged> {
        self.unchecked = 0;
        self.log.append(Frame::Check(self.chain.check()))?;
        match self.session.kernel_mut().ask(|overview| overview.state_hash()) {
            Ok(hash) => self.log.append(Frame::State(hash)).map(drop),
            Err(_) => Ok(()), // the kernel has stopped, and says so to the next line
        }
    }
}

/// The number of an input, if the entry is one.
fn number_of(entry: &Entry) -> Option<u64> {
    let is_piece = matches!(entry, Entry::Command { command: Command::Chunk { .. }, .. });
    if is_piece { None } else { entry.seq() }
}

/// Whether the preset asked for is the one that the journal was begun with, and what of that is still to be carried out.
fn check_preset(prepared: &mut Prepared, asked: Option<&'static Preset>) -> Result<(), DurableError> {
    let found = prepared.name.clone();
    if let Some(asked) = asked.filter(|asked| found.as_deref() != Some(asked.name)) {
        return Err(DurableError::Preset { asked: asked.name.to_owned(), found });
    }
    if let Some(name) = &found {
        let unknown = || DurableError::Line { seq: 0, reason: format!("there is no preset {name:?}") };
        let preset = Preset::named(name).ok_or_else(unknown)?;
        prepared.rest = (prepared.lines < preset.lines().count()).then_some((preset, false));
    }
    Ok(())
}
