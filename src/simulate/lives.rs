//! Lives of the process: how one ends, and how the next goes on from what the disk has kept.

use super::Planted;
use super::clients::Who;
use super::faults::{End, Fate, flip_kept, flip_torn};
use super::invariants::Invariants;
use super::process::{Held, Process, segments};
use super::run::{Act, Simulation, kernel_settings};
use crate::journal::Faults;
use crate::protocol::{DurableError, Recovery};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

/// What a life leaves to the next.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// How many bytes of each file the disk had been made to keep.
    forced: BTreeMap<PathBuf, usize>,
    pub(super) machine_stopped: bool,
    /// What was not told.
    pub(super) untold: VecDeque<Held>,
}

impl Simulation<'_> {
    /// A life ends.
    ///
    /// # Errors
    ///
    /// Where it ends in order: not everything was kept.
    pub(super) fn end(&mut self, end: End) -> Result<(), String> {
        if end == End::Orderly
            && let Some(process) = &mut self.process
        {
            process.wait();
            if !process.has_failed() {
                self.tell_what_is_kept()?;
            }
        }
        let Some(process) = self.process.take() else { return Ok(()) };
        self.life += 1;
        if self.fails_over(end) {
            return self.fail_over(process, end);
        }
        self.leave_disk();
        self.note_forced();
        self.past.machine_stopped = end == End::Machine;
        match end {
            End::Orderly if !process.has_failed() => {
                let finished = process.finish();
                if let (Err(error), false) = (finished, self.fate.has_faults()) {
                    return Err(format!("the journal cannot be ended: {error}"));
                }
                self.disk = self.disk.killed();
            }
            End::Machine => {
                // What is done while the process is taken apart never happened.
                self.disk = self.disk.restarted(self.draws.faults.roll());
                self.past.untold = process.into_held();
            }
            End::Kill | End::Orderly => {
                self.disk = self.disk.killed();
                self.past.untold = process.into_held();
            }
        }
        self.report.fault(end.name());
        self.report.crashes += u64::from(end != End::Orderly);
        self.agenda.after(1_000_000 + self.draws.faults.below(9_000_000), Act::Start);
        Ok(())
    }

    /// Notes how much of each file the disk has been made to keep.
    pub(super) fn note_forced(&mut self) {
        let forced = |file: PathBuf| Some((file.clone(), self.disk.forced_bytes(&file)?));
        self.past.forced = segments(&self.disk).into_iter().filter_map(forced).collect();
    }

    /// The next life begins, unless its disk fails at once.
    ///
    /// # Errors
    ///
    /// What was answered is not there any more, or it is not as it was.
    pub(super) fn start(&mut self) -> Result<(), String> {
        if self.process.is_some() {
            return Ok(());
        }
        let dice = &mut self.draws.faults;
        if dice.chance(15) {
            let kernel = kernel_settings(dice);
            if flip_kept(dice, &self.disk, &self.setup, kernel)? {
                self.report.fault("bit: turned in what is kept, refused");
            }
        }
        if self.past.machine_stopped && dice.chance(25) {
            let forced = &self.past.forced;
            if flip_torn(dice, &self.disk, |file| forced.get(file).copied().unwrap_or(0)) {
                self.report.fault("bit: turned in what was never forced");
            }
        }
        self.fate = Fate::draw(dice, &self.disk);
        self.set_faults();
        self.open()?;
        self.begin_life();
        Ok(())
    }

    /// What goes wrong with the disk in this life.
    pub(super) fn set_faults(&mut self) {
        let lies = self.settings.planted == Planted::LyingDisk;
        let stale_names = self.settings.planted == Planted::StaleNames;
        self.disk.set_faults(Faults { lies, stale_names, ..self.fate.disk });
        self.fate.fault.iter().for_each(|fault| self.report.fault(fault));
    }

    /// When it ends, and who hears of it.
    pub(super) fn begin_life(&mut self) {
        if self.process.is_some() {
            let (after_ns, end) = self.fate.ends;
            self.agenda.after(after_ns, Act::End(self.life, end));
            for who in Who::ALL {
                self.connect(who);
            }
        }
    }

    /// Goes on from what the disk has kept; if it refuses, or the machine stops meanwhile, somebody tries again later.
    ///
    /// # Errors
    ///
    /// As [`Simulation::start`].
    pub(super) fn open(&mut self) -> Result<(), String> {
        let kernel = kernel_settings(&mut self.draws.faults);
        let started = Process::start(&self.disk, &self.setup, kernel);
        self.go_on_with(started)
    }

    /// Goes on with a process that has started, or is to be started again.
    ///
    /// # Errors
    ///
    /// As [`Simulation::start`].
    pub(super) fn go_on_with(
        &mut self,
        started: Result<(Process, Option<Recovery>), DurableError>,
    ) -> Result<(), String> {
        match started {
            Ok((process, recovery)) => {
                self.check_recovery(&process, recovery)?;
                self.process = Some(process);
                self.end_if_failed()
            }
            Err(error) if self.fate.has_faults() => {
                let stops = self.disk.has_crashed() || self.draws.faults.chance(50);
                self.note_forced();
                self.past.machine_stopped = stops;
                self.leave_disk();
                if stops {
                    self.disk = self.disk.restarted(self.draws.faults.roll());
                } else {
                    self.disk = self.disk.killed();
                }
                drop(error);
                self.report.fault("crash: while going on");
                self.report.crashes += 1;
                self.agenda.after(1_000_000, Act::Start);
                Ok(())
            }
            Err(error) => {
                self.report.lost += self.told_seq;
                Err(format!("{} lines were answered, and the journal cannot be gone on with: {error}", self.told_seq))
            }
        }
    }

    /// Everything that was told is there, and what is there comes to what the uninterrupted run comes to.
    fn check_recovery(&mut self, process: &Process, recovery: Option<Recovery>) -> Result<(), String> {
        let found = process.seq();
        if found < self.told_seq {
            self.report.lost += self.told_seq - found;
            return Err(format!("line {} was answered, and line {found} is the last that is there", self.told_seq));
        }
        for held in std::mem::take(&mut self.past.untold) {
            if held.seq <= found {
                self.accept(&held, false)?;
            }
        }
        if self.oracle.seq() != found {
            return Err(format!(
                "line {found} is the last in the journal, and line {} the last sent",
                self.oracle.seq()
            ));
        }
        self.told_seq = found; // from now on it must be there
        let Recovery { cut, completed, .. } = recovery.unwrap_or_default();
        if cut.is_some() {
            self.report.fault("tail: torn, cut");
        }
        if completed > 0 {
            self.report.fault("tail: interrupted, completed");
        }
        Invariants::of_state(process.kernel())?;
        self.oracle.compare(process.kernel())
    }
}
