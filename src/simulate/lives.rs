//! Lives of the process: how one ends, and how the next goes on from what the disk has kept.

use super::Shown;
use super::clients::Who;
use super::faults::{End, Fate, flip_kept, flip_torn};
use super::invariants::Invariants;
use super::oracle::Seen;
use super::placed::Shape;
use super::process::{Held, Process, segments};
use super::run::{Act, Simulation};
use super::saving::flip_snapshot;
use crate::journal::Durability;
use crate::protocol::{DurableError, Recovery};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

/// What a life leaves to the next.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// How many bytes of each file the disk had been made to keep.
    forced_bytes: BTreeMap<PathBuf, usize>,
    pub(super) machine_stopped: bool,
    /// Whether a bit of the newest snapshot was turned.
    pub(super) flipped: bool,
    /// What was not told.
    pub(super) untold: VecDeque<Held>,
    /// Where answers do not wait for the disk: the last line that must be there, since the system was given it, and the last if the machine stops.
    pub(super) given: u64,
    pub(super) forced: u64,
}

impl Past {
    /// All up to this line is on the disk.
    pub(super) fn kept_all(&mut self, seq: u64) {
        (self.given, self.forced) = (seq, seq);
    }
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
        let Some(mut process) = self.process.take() else { return Ok(()) };
        self.life += 1;
        self.past.given = self.past.given.max(process.given());
        self.past.forced = self.past.forced.max(process.forced());
        if end == End::Machine {
            self.past.given = self.past.forced;
        }
        if self.fails_over(end) {
            return self.fail_over(process, end);
        }
        self.leave_disk();
        self.note_forced();
        self.past.machine_stopped = end == End::Machine;
        match end {
            End::Orderly if !process.has_failed() => {
                self.finish_in_order(process)?;
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

    /// Everything is put into the journal, and it ends.
    ///
    /// # Errors
    ///
    /// It cannot be ended, and nothing was to go wrong.
    pub(super) fn finish_in_order(&mut self, process: Process) -> Result<(), String> {
        match process.finish() {
            Ok(()) => self.past.kept_all(self.told_seq),
            Err(error) if !self.fate.has_faults() => return Err(format!("the journal cannot be ended: {error}")),
            Err(_) => {}
        }
        Ok(())
    }

    /// Notes how much of each file the disk has been made to keep.
    pub(super) fn note_forced(&mut self) {
        let forced = |file: PathBuf| Some((file.clone(), self.disk.forced_bytes(&file)?));
        self.past.forced_bytes = segments(&self.disk).into_iter().filter_map(forced).collect();
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
            let shape = Shape::draw(dice);
            if flip_kept(dice, &self.disk, &self.setup, shape)? {
                self.report.fault("bit: turned in what is kept, refused");
            }
        }
        self.past.flipped = dice.chance(10) && flip_snapshot(dice, &self.disk);
        if self.past.machine_stopped && dice.chance(25) {
            let forced = &self.past.forced_bytes;
            if flip_torn(dice, &self.disk, |file| forced.get(file).copied().unwrap_or(0)) {
                self.report.fault("bit: turned in what was never forced");
            }
        }
        self.fate = Fate::draw(dice, &self.disk, self.setup.journal.durability);
        self.set_faults();
        self.open()?;
        self.begin_life();
        Ok(())
    }

    /// Whether the machine may: where nothing is ever forced, nothing is promised of what that leaves.
    pub(super) fn may_stop(&self) -> bool {
        self.setup.journal.durability != Durability::None
    }

    /// What goes wrong with the disk in this life.
    pub(super) fn set_faults(&mut self) {
        self.disk.set_faults(self.settings.planted.among(self.fate.disk));
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
        let shape = Shape::draw(&mut self.draws.faults);
        let started = Process::start(&self.disk, &self.setup, shape);
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
            Ok((mut process, recovery)) => {
                self.report.on_workers += u64::from(process.is_on_workers());
                self.check_recovery(&mut process, recovery)?;
                self.process = Some(process);
                self.end_if_failed()
            }
            Err(error) if self.fate.has_faults() => {
                let stops = self.disk.has_crashed() || self.may_stop() && self.draws.faults.chance(50);
                self.note_forced();
                self.past.machine_stopped = stops;
                self.leave_disk();
                if stops {
                    self.past.given = self.past.forced;
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

    /// Where answers do not wait for the disk, the last of them may be gone: everybody goes back to where the journal ends.
    fn go_back(&mut self, found: u64) -> Result<(), String> {
        self.report.fault("crash: answers given before they were kept");
        self.report.undone += self.told_seq - found;
        self.past.untold.clear(); // it came later still
        self.clients.forget_behind(found);
        let mut invariants = Invariants::default();
        let left = self.oracle.go_back(found, &mut |answer| invariants.of_events(answer))?;
        self.invariants = invariants;
        (self.witness)(Shown::Left(left))
    }

    /// Everything that was told is there, and what is there comes to what the uninterrupted run comes to.
    fn check_recovery(&mut self, process: &mut Process, recovery: Option<Recovery>) -> Result<(), String> {
        let found = process.seq();
        let waits = self.setup.journal.durability == Durability::Sync;
        let must_have = if waits { self.told_seq } else { self.past.given };
        if found < must_have {
            self.report.lost += must_have - found;
            return Err(format!("line {must_have} was answered, and line {found} is the last that is there"));
        }
        if found < self.told_seq {
            self.go_back(found)?;
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
        self.past.kept_all(found);
        let Recovery { cut, completed, snapshot, passed, .. } = recovery.unwrap_or_default();
        self.report.from_snapshots += u64::from(snapshot.is_some());
        if std::mem::take(&mut self.past.flipped) {
            if passed.is_empty() {
                return Err("a bit turned in the newest snapshot is not seen".to_owned());
            }
            self.report.fault("bit: turned in a snapshot, passed over");
        }
        if cut.is_some() {
            self.report.fault("tail: torn, cut");
        }
        if completed > 0 {
            self.report.fault("tail: interrupted, completed");
        }
        process.ask(Invariants::of_state)??;
        self.oracle.compare(&process.ask(Seen::of)?)
    }
}
