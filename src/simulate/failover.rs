//! A second process on the same disk: it follows, and takes over from one that has ended, or only seems to have.

use super::faults::{End, Fate};
use super::placed::{Shape, kernel_settings};
use super::process::{Process, directory};
use super::run::{Act, Simulation};
use crate::journal::Durability;
use crate::protocol::Standby;

impl Simulation<'_> {
    /// The standby follows by some entries; at times one begins where there is none.
    pub(super) fn follow(&mut self) -> Result<(), String> {
        let dice = &mut self.draws.schedule;
        self.agenda.after(100_000 + dice.below(2_000_000), Act::Follow);
        let Some(standby) = &mut self.standby else {
            if self.process.is_some() && dice.chance(60) {
                let disk = self.disk.of_another_process();
                self.standby = Standby::open(disk, directory(), kernel_settings(dice)).ok(); // else there is no journal yet
            }
            return Ok(());
        };
        let entries = dice.below(40) as usize;
        match standby.step(entries) {
            Err(error) if !self.disk.has_crashed() => Err(format!("the standby cannot follow: {error}")),
            _ => Ok(()),
        }
    }

    /// Whether the standby is to go on where this life ends.
    pub(super) fn fails_over(&mut self, end: End) -> bool {
        self.standby.is_some() && end != End::Machine && !self.disk.has_crashed() && self.draws.faults.chance(75)
    }

    /// The process has ended, or is stalled, and the standby is to take over.
    ///
    /// # Errors
    ///
    /// It ends in order, and not everything was kept.
    pub(super) fn fail_over(&mut self, process: Process, end: End) -> Result<(), String> {
        self.past.machine_stopped = false;
        let dice = &mut self.draws.faults;
        self.agenda.after(50_000 + dice.below(2_000_000), Act::TakeOver);
        if end == End::Kill && !process.has_failed() && dice.chance(60) {
            self.report.fault("stall: process");
            self.past.untold = process.held().cloned().collect();
            self.leave_stalled();
            self.stalled = Some((process, 0));
            return Ok(());
        }
        self.report.fault(end.name());
        self.report.crashes += u64::from(end != End::Orderly);
        if end == End::Orderly && !process.has_failed() {
            return self.finish_in_order(process);
        }
        process.kill();
        self.past.untold = process.into_held();
        Ok(())
    }

    /// The standby takes over, unless its disk fails at once.
    ///
    /// # Errors
    ///
    /// What was answered is not there any more, or it is not as it was.
    pub(super) fn take_over(&mut self) -> Result<(), String> {
        if self.process.is_some() {
            return Ok(());
        }
        let Some(standby) = self.standby.take().filter(|_| !self.disk.has_crashed()) else {
            self.restart();
            return Ok(());
        };
        self.fate =
            Fate::draw(&mut self.draws.faults, &self.disk, self.setup.journal.durability).after(self.disk.operations());
        self.set_faults();
        let shape = Shape::draw(&mut self.draws.faults);
        let taken = Process::take_over(standby, &self.setup, shape);
        self.report.failovers += u64::from(taken.is_ok());
        let found = taken.as_ref().map_or(0, |(process, _)| process.seq());
        self.go_on_with(taken)?;
        if let Some((_, last)) = &mut self.stalled {
            *last = found;
            self.agenda.after(self.draws.faults.below(4_000_000), Act::Wake(self.life));
        }
        self.begin_life();
        Ok(())
    }

    /// There is no standby any more, and the machine may have stopped: the process is started again.
    fn restart(&mut self) {
        self.leave_disk();
        self.note_forced();
        if self.disk.has_crashed() {
            self.past.machine_stopped = true;
            self.past.given = self.past.forced;
            self.disk = self.disk.restarted(self.draws.faults.roll());
        } else {
            self.disk = self.disk.killed();
        }
        self.agenda.after(1_000_000, Act::Start);
    }

    /// A process that was stalled goes on as if nothing had happened.
    ///
    /// # Errors
    ///
    /// It tells what the one that took over does not have, or does not find out that there is one.
    pub(super) fn wake(&mut self, life: u64) -> Result<(), String> {
        let stalled = self.stalled.take_if(|_| life == self.life);
        let Some((mut process, found)) = stalled else { return Ok(()) };
        let mut told = told_beyond(&mut process, found);
        for _ in 0..=self.draws.faults.below(4) {
            process.line("{\"op\":\"get\",\"what\":\"totals\"}".to_owned(), None);
        }
        process.wait();
        while self.setup.journal.durability != Durability::Sync && process.step_journal() {}
        told = told.or(told_beyond(&mut process, found));
        let may_fail = self.fate.has_faults() || self.disk.has_crashed();
        let is_fenced = process.is_fenced();
        let has_failed = process.has_failed() && may_fail;
        process.kill();
        self.report.fenced += u64::from(is_fenced);
        if let (Some(seq), Durability::Sync) = (told, self.setup.journal.durability) {
            self.report.lost += 1;
            return Err(format!("a process that was taken over from after line {found} has answered line {seq}"));
        }
        if !is_fenced && !has_failed {
            return Err("a process that was taken over from does not find out".to_owned());
        }
        self.end_if_failed()
    }

    /// Whoever is still on this disk is there no more.
    pub(super) fn leave_disk(&mut self) {
        self.standby = None;
        self.leave_stalled();
    }

    fn leave_stalled(&mut self) {
        if let Some((process, _)) = self.stalled.take() {
            process.kill();
        }
    }
}

/// The first line behind the last that is there for good which a process tells the answer to.
fn told_beyond(process: &mut Process, found: u64) -> Option<u64> {
    let told = std::iter::from_fn(|| process.tell());
    told.map(|held| held.seq).filter(|&seq| seq > found).last()
}
