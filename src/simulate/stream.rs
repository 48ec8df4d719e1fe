//! Streams: the inputs of a simulated session once more, as a matching engine sends them, through an engine with a journal of its own, which waits
//! for nothing. Decisions fall where workers, arbiter and journal happen to be, and the process ends anywhere.
//!
//! In half of the seeds snapshots are made by the way, and lives begin from them.
//!
//! What is checked, after each end: the journal can be gone through; what was acknowledged is in it; what the engine told is what the journal comes
//! to; where it ended in order the two kernels are in the same state, money and lots add up, and nobody is in breach who is not in liquidation.

use super::dice::Dice;
use super::faults::{End, Fate};
use super::invariants::Invariants;
use super::oracle::Seen;
use super::placed::{Shape, by_hand, kernel_settings};
use super::process::directory;
use super::report::Report;
use super::saving::{flip_snapshot, make_snapshot};
use super::{Kind, Planted, Settings, Shown};
use crate::correction::CorrectionOffGrid;
use crate::engine::{Engine, Entry, Failure, Output, SubmitError};
use crate::event::Event;
use crate::journal::{
    Chain, Durability, JournalSettings, Log, Played, Player, Reader, SimulatedDisk, Start, Writer, is_there,
};
use crate::kernel::{Kernel, Settings as KernelSettings};
use crate::presets::Preset;
use crate::protocol::{DurableError, Session};
use crate::rule_version::RuleVersion;

/// A stream under way.
pub(super) struct Stream<'a> {
    pub(super) report: &'a mut Report,
    pub(super) dice: Dice,
    pub(super) journal: JournalSettings,
    disk: SimulatedDisk,
    pub(super) inputs: Vec<Entry>,
    /// The input that comes next.
    next: usize,
    /// Those that were taken, in order: the number that each got, and which it was.
    taken: Vec<(u64, usize)>,
    /// Of the last that was acknowledged.
    acknowledged: u64,
    /// Everything since the journal began, as far as it was told.
    told: Vec<Output>,
    /// How many of them the life that is under way has not told: they were there.
    before: usize,
    planted: Planted,
    /// Whether snapshots are made by the way.
    saves: bool,
    /// Why the life that is under way has passed some over.
    passed: Vec<String>,
    /// In how many a bit was turned.
    flipped: usize,
}

/// What a journal comes to.
pub(super) struct Replayed {
    kernel: Kernel,
    outputs: Vec<Output>,
    /// How many of them do not follow from the last place, behind which a decision may be missing.
    settled: usize,
    pub(super) seq: u64,
}

/// Streams what a session with these settings carries out.
///
/// # Errors
///
/// What must not happen.
pub(super) fn run(settings: Settings, report: &mut Report) -> Result<(), String> {
    let (rules, inputs) = inputs(settings)?;
    let mut dice = Dice::new(settings.seed, 8);
    let journal = JournalSettings {
        durability: *dice.pick(&[Durability::Sync, Durability::Sync, Durability::Async, Durability::None]),
        segment_bytes: *dice.pick(&[600, 3_000, 40_000]),
        check_every: *dice.pick(&[1, 7, 100]),
        queue: *dice.pick(&[32, 64, 1_024]),
        rules,
    };
    let disk = SimulatedDisk::new(settings.seed);
    let saves = dice.chance(50);
    let mut stream = Stream {
        report,
        dice,
        journal,
        disk,
        inputs,
        next: 0,
        taken: Vec::new(),
        acknowledged: 0,
        told: Vec::new(),
        before: 0,
        saves,
        passed: Vec::new(),
        flipped: 0,
        planted: settings.planted,
    };
    while stream.next < stream.inputs.len() {
        let fate = Fate::draw(&mut stream.dice, &stream.disk, journal.durability);
        stream.live(&fate)?;
    }
    stream.live(&Fate::calm())?;
    let mut chain = Chain::default();
    stream.told.iter().for_each(|output| chain.add(output));
    stream.report.digest = chain.check().hash;
    Ok(())
}

/// What a session carries out without interruption, as inputs of a kernel, and the rules that it begins under.
fn inputs(settings: Settings) -> Result<(RuleVersion, Vec<Entry>), String> {
    let mut lines = Vec::new();
    let lines_of = Settings { kind: Kind::Lines, planted: Planted::Nothing, ..settings };
    let report = super::run(lines_of, &mut |shown| {
        match shown {
            Shown::Line(line, _) => lines.push(line.to_owned()),
            Shown::Left(left) => lines.truncate(left),
        }
        Ok(())
    });
    if let Some(violation) = report.violations.first() {
        return Err(format!("already of its lines: {}", violation.what));
    }
    let (rules, preset) = settings.begins_with();
    let mut session = Session::over(Kernel::new(KernelSettings::default()).under(rules));
    session.kernel_mut().keep_record();
    if let Some(preset) = preset.and_then(Preset::named) {
        preset.carry_out(&mut session).map_err(|rejection| rejection.reason)?;
    }
    for line in lines {
        let _ = session.line(line.as_bytes(), &mut String::new()); // refused inputs are inputs too
    }
    let mut last = 0;
    let mut inputs = session.kernel_mut().take_record();
    // What the kernel gave itself has the number of the input before it.
    inputs.retain(|entry| entry.seq().is_some_and(|seq| std::mem::replace(&mut last, seq) != seq));
    Ok((rules, inputs))
}

impl Stream<'_> {
    /// One life of a process: it goes on from the journal, streams, and ends.
    fn live(&mut self, fate: &Fate) -> Result<(), String> {
        let found = self.replay()?;
        self.check(&found)?;
        fate.fault.iter().for_each(|fault| self.report.fault(fault));
        self.disk.set_faults(self.planted.among(fate.disk));
        self.passed.clear();
        let flipped = self.saves && self.dice.chance(10) && flip_snapshot(&mut self.dice, &self.disk);
        self.flipped += usize::from(flipped);
        let opened = self.open(&found);
        if self.passed.len() > self.flipped {
            return Err(format!("snapshots are passed over in which nothing was turned: {:?}", self.passed));
        }
        match opened {
            Ok(_) if flipped && self.passed.is_empty() => {
                Err("a bit turned in the newest snapshot is not seen".to_owned())
            }
            Ok(engine) => {
                self.passed.iter().for_each(|_| self.report.fault("snapshot: passed over"));
                self.stream(engine, fate)
            }
            Err(_) if fate.has_faults() => {
                self.fail_to_open(fate);
                Ok(())
            }
            Err(error) => Err(format!("the journal cannot be gone on with: {error}")),
        }
    }

    /// It ends while it goes on from the journal: it has told nobody anything.
    pub(super) fn fail_to_open(&mut self, fate: &Fate) {
        self.report.fault("crash: while going on");
        self.told.clear();
        self.before = 0;
        self.end(fate.ends.1);
    }

    /// Goes on from the newest snapshot or from the start of the journal, which comes to this, or begins one, and puts the kernel on workers.
    pub(super) fn open(&mut self, found: &Replayed) -> Result<Engine, DurableError> {
        let disk = self.disk.of_another_process();
        let shape =
            Shape { kernel: kernel_settings(&mut self.dice), schedule: Some((self.dice.roll(), self.dice.chance(50))) };
        let mut kernel = Kernel::new(shape.kernel).under(self.journal.rules);
        self.told.clear();
        let (writer, chain) = if is_there(&disk, directory()).unwrap_or(false) {
            let mut passed = Vec::new();
            let start = Start::newest(&disk, directory(), shape.kernel, None, &mut passed)?;
            self.passed = passed.iter().map(|passed| passed.error.to_string()).collect();
            self.report.from_snapshots += u64::from(start.snapshot.is_some());
            kernel = start.kernel;
            let mut player = start.player.completing(&mut kernel);
            let known = found.outputs.get(..player.chain().check().outputs as usize);
            let ahead = || DurableError::Failed { reason: "a snapshot is of more than its journal".to_owned() };
            self.told.extend(known.ok_or_else(ahead)?);
            let mut tell = |output| self.told.push(output);
            while player.step(&mut kernel, &mut tell)?.is_some() {}
            if player.reader().rules().is_none() {
                kernel.begin_under(self.journal.rules); // not even a header was kept: it begins anew
            }
            let (end, frames) = player.complete(&mut kernel, &mut tell);
            let mut writer = Writer::resume(disk, directory(), self.journal, &end)?;
            frames.iter().try_for_each(|frame| writer.frame(frame))?;
            writer.sync()?;
            (writer, player.chain())
        } else {
            (Writer::create_on(disk, directory(), self.journal)?, Chain::default())
        };
        let seq = kernel.seq();
        self.taken.retain(|&(number, _)| number <= seq);
        self.next = self.taken.last().map_or(0, |&(_, input)| input + 1);
        self.acknowledged = seq; // from now on it must be there
        self.before = self.told.len();
        self.report.on_workers += 1;
        let ring = *self.dice.pick(&[2, 8, 64]);
        let engine = by_hand(kernel, shape, ring);
        let mut engine = engine.map_err(|error| DurableError::Failed { reason: error.to_string() })?;
        engine.keep_journal(Log::by_hand(writer, self.journal), chain);
        Ok(engine)
    }

    /// Inputs, workers, arbiter, journal and the caller who polls, one after the other as it is drawn, until the end.
    pub(super) fn stream(&mut self, mut engine: Engine, fate: &Fate) -> Result<(), String> {
        // An orderly end is one behind everything.
        let mut acts = match fate.ends.1 {
            End::Orderly if !fate.has_faults() => u64::MAX,
            _ => {
                let span = *self.dice.pick(&[100, 1_000, 10_000]);
                20 + self.dice.below(span)
            }
        };
        while acts > 0 && self.next < self.inputs.len() {
            acts -= 1;
            self.report.steps += 1;
            match self.dice.below(100) {
                0..40 => self.submit(&mut engine)?,
                40..75 => {
                    for _ in 0..self.dice.below(8) {
                        engine.go_on_by_hand();
                    }
                }
                75..90 => engine.poll(|_| (), |output| self.told.push(*output)),
                90..98 => drop(engine.step_journal()),
                98 if self.saves && self.dice.chance(20) => {
                    make_snapshot(&self.disk, &mut self.dice, fate, self.report)?;
                }
                98 => {}
                _ => self.settle(&mut engine)?,
            }
            self.acknowledge(engine.kept_seq().min(engine.told_seq()));
            match engine.failure() {
                None => {}
                Some(Failure::Journal(_)) if fate.has_faults() => break,
                Some(failure) => return Err(failure.to_string()),
            }
        }
        match fate.ends.1 {
            _ if engine.failure().is_some() => {}
            End::Orderly => return self.stop(engine, fate),
            End::Kill if self.dice.chance(40) => return self.take_over(engine, fate),
            End::Kill | End::Machine => {}
        }
        self.end(fate.ends.1);
        Ok(())
    }

    fn submit(&mut self, engine: &mut Engine) -> Result<(), String> {
        match Self::submit_to(engine, &self.inputs[self.next])? {
            Ok(seq) => {
                self.report.lines += 1;
                self.taken.push((seq, self.next));
            }
            Err(SubmitError::Full) => {
                self.report.fault("stream: back-pressure");
                return Ok(());
            }
            Err(SubmitError::Refused(_)) => {}
            Err(SubmitError::Stopped) => return Ok(()), // who asks sees why
        }
        self.next += 1;
        Ok(())
    }

    pub(super) fn submit_to(engine: &mut Engine, input: &Entry) -> Result<Result<u64, SubmitError>, String> {
        Ok(match input {
            Entry::Command { ts_ns, command, off_grid, .. } => engine.submit_at(*ts_ns, command, *off_grid),
            Entry::Book { ts_ns, instrument, book, .. } => engine.submit_book(*ts_ns, *instrument, &book.update()),
            Entry::Declare { ts_ns, declaration, .. } => engine.submit_declaration(*ts_ns, declaration),
            Entry::Correct { ts_ns, correction, .. } => {
                engine.submit_correction_at(*ts_ns, correction, CorrectionOffGrid::NONE, u64::MAX)
            }
            other => return Err(format!("no input: {other:?}")),
        })
    }

    /// Everything that was submitted is done, with what follows from it: then the state is sound.
    fn settle(&mut self, engine: &mut Engine) -> Result<(), String> {
        if engine.settle().is_err() {
            return Ok(()); // who asks sees why
        }
        match engine.ask(Invariants::of_state) {
            Ok(sound) => sound.map_err(|broken| format!("{broken}, after input {}", self.next)),
            Err(_) => Ok(()),
        }
    }

    /// The process ends in order.
    fn stop(&mut self, mut engine: Engine, fate: &Fate) -> Result<(), String> {
        self.settle(&mut engine)?;
        engine.poll(|_| (), |output| self.told.push(*output));
        let finished = engine.stop();
        self.told.extend(finished.log);
        self.report.fault(End::Orderly.name());
        match (finished.failure, finished.kernel) {
            (None, Some(kernel)) => {
                let found = self.replay()?;
                if found.outputs != self.told {
                    return Err(difference(&self.told, &found.outputs));
                }
                let (own, again) = (Seen::of(kernel.overview()), Seen::of(found.kernel.overview()));
                own.compare(&again)?;
                let last = self.taken.last().map_or(0, |&(seq, _)| seq);
                self.acknowledge(last);
            }
            (Some(Failure::Journal(_)), _) if fate.has_faults() => {}
            (failure, _) => return Err(format!("it does not end in order: {failure:?}")),
        }
        self.count();
        self.disk = self.disk.killed();
        Ok(())
    }

    /// Inputs up to this one are acknowledged.
    fn acknowledge(&mut self, seq: u64) {
        self.report.acknowledged += seq.saturating_sub(self.acknowledged);
        self.acknowledged = self.acknowledged.max(seq);
    }

    /// What this life has told.
    pub(super) fn count(&mut self) {
        let started =
            |output: &&Output| matches!(output, Output::Event { event: Event::LiquidationStarted { .. }, .. });
        let told = self.told.get(self.before..).unwrap_or_default();
        self.report.liquidations += told.iter().filter(started).count() as u64;
        self.report.events += told.len() as u64;
    }

    /// It ends without knowing.
    pub(super) fn end(&mut self, end: End) {
        self.count();
        let end = if self.disk.has_crashed() { End::Machine } else { end };
        self.report.fault(end.name());
        self.report.crashes += 1;
        self.disk = match end {
            End::Machine => self.disk.restarted(self.dice.roll()),
            End::Kill | End::Orderly => self.disk.killed(),
        };
    }

    /// What the journal comes to, with a kernel of its own.
    pub(super) fn replay(&mut self) -> Result<Replayed, String> {
        let disk = self.disk.killed();
        let mut kernel = Kernel::new(kernel_settings(&mut self.dice)).under(self.journal.rules);
        let (mut outputs, mut settled) = (Vec::new(), 0);
        if is_there(&disk, directory()).unwrap_or(false) {
            let unreadable = |error: &dyn std::fmt::Display| format!("the journal cannot be gone through: {error}");
            let reader = Reader::open_on(disk, directory()).map_err(|error| unreadable(&error))?;
            let mut player = Player::new(reader);
            loop {
                let before = outputs.len();
                let step = player.step(&mut kernel, &mut |output| outputs.push(output));
                match step.map_err(|error| unreadable(&error))? {
                    Some(Played::Place(..)) => settled = before,
                    Some(_) => {}
                    None => break,
                }
            }
            if player.cut().is_some() {
                self.report.fault("tail: torn, cut");
            }
        }
        let seq = kernel.seq();
        Ok(Replayed { kernel, outputs, settled, seq })
    }

    /// What was acknowledged is there, and what was told is what the journal comes to.
    pub(super) fn check(&mut self, found: &Replayed) -> Result<(), String> {
        if self.journal.durability == Durability::Sync && found.seq < self.acknowledged {
            self.report.lost += self.acknowledged - found.seq;
            let Self { acknowledged, .. } = self;
            return Err(format!("input {acknowledged} was acknowledged, and {} is the last in the journal", found.seq));
        }
        let common = found.settled.min(self.told.len());
        if found.outputs[..common] != self.told[..common] {
            return Err(difference(&self.told, &found.outputs));
        }
        Ok(())
    }
}

/// Where what was told and what the journal comes to part.
fn difference(told: &[Output], found: &[Output]) -> String {
    let at = told.iter().zip(found).take_while(|(told, found)| told == found).count();
    format!(
        "output {at} of {} was told as {:?}, and the journal comes to {:?}",
        told.len(),
        told.get(at),
        found.get(at)
    )
}
