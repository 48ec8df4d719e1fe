//! The process under test: a durable session on the simulated disk, with what it holds back until the journal keeps it.

use super::clients::Sender;
use super::placed::{Placed, Shape};
use crate::journal::{Disk, JournalError, JournalSettings, SimulatedDisk};
use crate::kernel::{Kernel, Overview};
use crate::presets::Preset;
use crate::protocol::{DurableError, DurableSession, Opened, Recovery, Standby, TierTables};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// Where the journal lies on the simulated disk.
pub(super) fn directory() -> &'static Path {
    Path::new("/journal")
}

/// A line that was carried out and not yet answered.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) line: String,
    pub(super) sender: Sender,
    pub(super) seq: u64,
    /// Unknown where the process failed over it.
    pub(super) answer: Option<String>,
    /// What the journal must keep before it is answered.
    frame: u64,
}

/// How it is run: the same in all its lives but for what never shows.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) journal: JournalSettings,
    pub(super) preset: Option<&'static Preset>,
}

/// One life of the process.
pub(super) struct Process {
    session: DurableSession<Placed>,
    held: VecDeque<Held>,
    /// Lines that were answered before the journal had them, each with what it must have; the last of which the system was given everything, and
    /// the last of which the disk was.
    ahead: VecDeque<(u64, u64)>,
    given: u64,
    forced: u64,
    /// The disk as this process has it.
    disk: SimulatedDisk,
}

impl Process {
    /// Begins a journal, or goes on from it; and what it found.
    pub(super) fn start(
        disk: &SimulatedDisk,
        setup: &Setup,
        shape: Shape,
    ) -> Result<(Self, Option<Recovery>), DurableError> {
        let disk = disk.of_another_process();
        let opened = Opened::open(
            disk.clone(),
            directory(),
            setup.journal,
            Kernel::new(shape.kernel).under(setup.journal.rules),
            setup.preset,
        )?;
        Self::of(opened, disk, shape)
    }

    /// A standby takes over; and what it found.
    pub(super) fn take_over(
        standby: Standby<SimulatedDisk>,
        setup: &Setup,
        shape: Shape,
    ) -> Result<(Self, Option<Recovery>), DurableError> {
        let disk = standby.disk().clone();
        Self::of(standby.take_over(setup.journal, setup.preset)?, disk, shape)
    }

    fn of(opened: Opened, disk: SimulatedDisk, shape: Shape) -> Result<(Self, Option<Recovery>), DurableError> {
        let recovery = opened.recovery().cloned();
        let opened = opened.place(|kernel| Placed::place(kernel, shape));
        let opened = opened.map_err(|error| DurableError::Failed { reason: error.to_string() })?;
        let session = opened.start_by_hand(TierTables::default())?;
        Ok((Self { session, held: VecDeque::new(), ahead: VecDeque::new(), given: 0, forced: 0, disk }, recovery))
    }

    /// It is killed: from now on it does nothing, whatever is called.
    pub(super) fn kill(&self) {
        self.disk.end_process();
    }

    /// Whether it has found that another has taken over.
    pub(super) fn is_fenced(&self) -> bool {
        matches!(self.session.failure(), Some(JournalError::Fenced { .. }))
    }

    pub(super) fn is_on_workers(&self) -> bool {
        matches!(self.session.kernel(), Placed::Engine(_))
    }

    /// Looks at its state.
    ///
    /// # Errors
    ///
    /// Its engine has failed.
    pub(super) fn ask<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(Overview<'_>) -> T + Send + 'static,
    ) -> Result<T, String> {
        self.session.ask(question).map_err(|_| self.session.kernel().failure())
    }

    /// The number of the last line.
    pub(super) fn seq(&self) -> u64 {
        self.session.seq()
    }

    /// Whether its journal has failed: it carries out nothing more and is about to end.
    pub(super) fn has_failed(&self) -> bool {
        self.session.has_failed()
    }

    /// Carries a line out, and holds its answer back; none if it has failed before.
    pub(super) fn line(&mut self, line: String, sender: Sender) -> Option<&Held> {
        if self.session.has_failed() {
            return None;
        }
        let mut answer = String::new();
        let refused = self.session.line(line.as_bytes(), &mut answer).err();
        let stopped = refused.is_some_and(|rejection| rejection.has_stopped());
        let (answer, frame) = ((!stopped).then_some(answer), self.session.appended());
        self.held.push_back(Held { line, sender, seq: self.session.seq(), answer, frame });
        self.held.back()
    }

    /// The journal writes what is there; where nothing is, it forces what it has written, unless nothing ever is. Whether there was anything.
    pub(super) fn step_journal(&mut self) -> bool {
        let wrote = self.session.step_journal();
        if !wrote && !self.session.has_failed() {
            self.forced = self.given();
        }
        wrote
    }

    /// The last line that was answered and of which the system has everything: it is there after the process is killed.
    pub(super) fn given(&mut self) -> u64 {
        let kept = self.session.kept();
        while let Some((seq, _)) = self.ahead.pop_front_if(|(_, frame)| *frame <= kept) {
            self.given = seq;
        }
        self.given
    }

    /// The last line that was answered and of which the disk has everything: it is there after the machine stops.
    pub(super) fn forced(&self) -> u64 {
        self.forced
    }

    /// Waits until the journal keeps everything.
    pub(super) fn wait(&mut self) {
        let _ = self.session.wait(); // who asks sees that it has failed
    }

    /// The next answer that may be told.
    pub(super) fn tell(&mut self) -> Option<Held> {
        let told = self.held.pop_front_if(|held| held.answer.is_some() && self.session.may_acknowledge(held.frame))?;
        self.ahead.push_back((told.seq, told.frame));
        Some(told)
    }

    /// What it has carried out and not told.
    pub(super) fn held(&self) -> impl Iterator<Item = &Held> {
        self.held.iter()
    }

    /// What was not told when it ended.
    pub(super) fn into_held(self) -> VecDeque<Held> {
        self.held
    }

    /// Ends it with everything in the journal; whether that succeeded.
    pub(super) fn finish(self) -> Result<(), JournalError> {
        self.session.finish()
    }
}

/// The files of the journal, in their order.
pub(super) fn segments(disk: &SimulatedDisk) -> Vec<PathBuf> {
    let mut files = disk.list(directory()).unwrap_or_default();
    files.retain(|name| name.starts_with("sequence-"));
    files.sort_unstable();
    files.into_iter().map(|name| directory().join(name)).collect()
}
