//! The process at work: lines arrive, the journal writes, answers are told, and each is held against the uninterrupted run.

use super::Shown;
use super::clients::{Sender, Who};
use super::faults::End;
use super::invariants::Invariants;
use super::process::Held;
use super::run::{Act, Simulation};
use super::scene::Scene;
use super::venue;
use xxhash_rust::xxh3::xxh3_64_with_seed;

impl Simulation<'_> {
    /// A numbered line reaches the process, if there is one.
    pub(super) fn arrive(&mut self, who: Who, number: u64) -> Result<(), String> {
        let line = self.clients.line(who, number).map(str::to_owned);
        line.map_or(Ok(()), |line| self.carry_out(line, Some((who, number))))
    }

    /// It is carried out, and its answer held back.
    pub(super) fn carry_out(&mut self, line: String, sender: Sender) -> Result<(), String> {
        let Some(process) = &mut self.process else { return Ok(()) };
        let Some(held) = process.line(line, sender).cloned() else { return self.end_if_failed() };
        let after = format!("after line {} {}", held.seq, held.line);
        self.report.lines += 1;
        let answer = held.answer.as_deref().unwrap_or_default();
        self.report.events += answer.lines().filter(|line| !line.starts_with("{\"ev\":\"rejected\"")).count() as u64;
        self.report.liquidations += answer.matches("{\"ev\":\"liquidation_started\"").count() as u64;
        process.ask(Invariants::of_state).flatten().map_err(|broken| format!("{broken}, {after}"))?;
        self.end_if_failed()
    }

    /// The journal's turn; at times it is stalled.
    pub(super) fn write_journal(&mut self) -> Result<(), String> {
        let dice = &mut self.draws.schedule;
        let mut pause = 30_000 + dice.below(300_000);
        if dice.chance(1) {
            self.report.fault("journal: stalled");
            pause += 20_000_000;
        }
        self.agenda.after(pause, Act::WriteJournal);
        if let Some(process) = &mut self.process {
            process.step_journal();
        }
        self.end_if_failed()
    }

    /// The process tells what it may; at times it waits until that is all.
    pub(super) fn tell(&mut self) -> Result<(), String> {
        let dice = &mut self.draws.schedule;
        let waits = dice.chance(40);
        self.agenda.after(100_000 + dice.below(400_000), Act::Tell);
        if let Some(process) = self.process.as_mut().filter(|_| waits) {
            process.wait();
        }
        self.tell_what_is_kept()?;
        self.end_if_failed()
    }

    pub(super) fn tell_what_is_kept(&mut self) -> Result<(), String> {
        while let Some(held) = self.process.as_mut().and_then(super::process::Process::tell) {
            self.told_seq = held.seq;
            self.report.acknowledged += 1;
            self.accept(&held, true)?;
        }
        Ok(())
    }

    /// A line took effect: the uninterrupted run comes to the same, its sender knows it or will, and the venue hears of it.
    pub(super) fn accept(&mut self, held: &Held, told: bool) -> Result<(), String> {
        let answer = self.oracle.line(held)?;
        self.report.digest = xxh3_64_with_seed(answer.as_bytes(), self.report.digest);
        self.invariants.of_events(&answer)?;
        (self.witness)(Shown::Line(&held.line, &answer))?;
        if let Some(sender) = held.sender
            && self.clients.note(sender, held.seq, &answer, told)?
        {
            self.report.repeated += 1;
        }
        let Self { draws, world, oracle, report, .. } = self;
        let scene = Scene { world, overview: oracle.kernel().overview(), seq: oracle.seq() };
        let answers = venue::answers(&mut draws.venue, &scene, &answer, &mut |fault| report.fault(fault));
        for venue::Answer { line, after_ns, twice } in answers {
            if twice {
                self.agenda.after(after_ns + after_ns / 3, Act::Send(Who::Venue, line.clone()));
            }
            self.agenda.after(after_ns, Act::Send(Who::Venue, line));
        }
        Ok(())
    }

    /// A process whose disk has failed under it ends.
    pub(super) fn end_if_failed(&mut self) -> Result<(), String> {
        if self.process.is_none() {
            return Ok(());
        }
        if self.disk.has_crashed() {
            return self.end(End::Machine);
        }
        if self.process.as_ref().is_some_and(super::process::Process::has_failed) {
            let end = if self.may_stop() && self.draws.faults.chance(50) { End::Machine } else { End::Kill };
            return self.end(end);
        }
        Ok(())
    }
}
