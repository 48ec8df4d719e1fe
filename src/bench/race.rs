//! A race: one workload through every strategy, from equal worlds.
//!
//! Their events must be equal, to the byte: all runs are compared by a running hash at up to 64 places. A strategy that
//! uses up its budget ends at one of them, and is compared with the others as they stood there. Beside the strategies
//! runs the clairvoyant, which is told beforehand which pools each tick puts in breach: no method can do less.

use super::error::BenchError;
use super::measure::{Measure, Run, measure};
use super::workloads::Workload;
use super::world::{World, WorldSettings};
use crate::command::Command;
use crate::shard::{Foresight, Strategy};
use std::time::Duration;

/// Up to so many accounts two worlds are made at a time.
const SIDE_BY_SIDE: u64 = 2_000_000;

/// What is raced.
#[derive(Clone, Debug)]
pub struct RaceSettings {
    /// The worlds; their strategy is set by the race.
    pub world: WorldSettings,
    /// What they are put through.
    pub workload: Workload,
    /// Who runs; the first one's events are the measure.
    pub strategies: Vec<Strategy>,
    /// Whether the clairvoyant runs too.
    pub clairvoyant: bool,
    /// How often each runs, each time from a new world.
    pub repeats: usize,
    /// How long each may work.
    pub budget: Duration,
}

/// Who runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rival {
    /// By itself.
    Strategy(Strategy),
    /// Told beforehand.
    Clairvoyant,
}

impl Rival {
    /// As it is shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Strategy(strategy) => strategy.name(),
            Self::Clairvoyant => "clairvoyant",
        }
    }
}

/// A rival and its runs.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Who.
    pub rival: Rival,
    /// Every time it ran, the fastest first.
    pub runs: Vec<Run>,
}

impl Entry {
    /// The run with the median time.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.runs[self.runs.len() / 2]
    }
}

/// What a race showed.
#[derive(Clone, Debug)]
pub struct Race {
    /// What it was.
    pub settings: RaceSettings,
    /// Of every rival, the strategies as they were named, the clairvoyant last.
    pub entries: Vec<Entry>,
}

impl Race {
    /// The entry of a rival.
    #[must_use]
    pub fn entry(&self, rival: Rival) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.rival == rival)
    }

    /// How much longer one takes than another, as far as both came.
    #[must_use]
    pub fn ratio(&self, of: &Run, to: &Run) -> Option<f64> {
        let inputs = of.inputs.min(to.inputs);
        let (of, to) = (of.at(inputs)?, to.at(inputs)?);
        (to.work_ns > 0).then(|| of.work_ns as f64 / to.work_ns as f64)
    }

    /// The fixed strategy that takes the least time.
    #[must_use]
    pub fn best(&self) -> Option<&Entry> {
        let fixed = |entry: &&Entry| matches!(entry.rival, Rival::Strategy(at) if at != Strategy::Adaptive);
        let slower = |a: &Run, b: &Run| self.ratio(a, b).unwrap_or(f64::MAX) > 1.0;
        self.entries.iter().filter(fixed).reduce(|best, next| if slower(best.run(), next.run()) { next } else { best })
    }
}

/// Races. `progress` hears who is about to run.
///
/// # Errors
///
/// Settings out of range; a workload that does not fit the world; strategies that disagree.
pub fn race(settings: &RaceSettings, progress: &mut dyn FnMut(&str)) -> Result<Race, BenchError> {
    let Some(&first) = settings.strategies.first() else {
        return Err(BenchError::Setting("a race without a strategy".into()));
    };
    let mut rivals: Vec<Rival> = settings.strategies.iter().copied().map(Rival::Strategy).collect();
    if settings.clairvoyant {
        rivals.push(Rival::Clairvoyant);
    }
    let mut entries: Vec<Entry> = rivals.iter().map(|&rival| Entry { rival, runs: Vec::new() }).collect();
    let mut stage = Stage { settings, commands: Vec::new(), foresight: None };
    let pair = if settings.world.accounts <= SIDE_BY_SIDE { 2 } else { 1 };
    for _ in 0..settings.repeats.max(1) {
        // Whom the budget has cut is shown in proportion, once.
        let whole = |entry: &Entry| entry.runs.first().is_none_or(|run| run.inputs == stage.commands.len() as u64);
        let starts: Vec<usize> = (0..rivals.len()).filter(|&at| whole(&entries[at])).collect();
        for pair in starts.chunks(pair) {
            let strategy = |at: usize| match rivals[at] {
                Rival::Strategy(strategy) => strategy,
                Rival::Clairvoyant => first,
            };
            let worlds = build(&settings.world, &pair.iter().map(|&at| strategy(at)).collect::<Vec<_>>())?;
            for (&at, world) in pair.iter().zip(worlds) {
                progress(rivals[at].name());
                let run = stage.run(world, rivals[at], entries[at].runs.is_empty())?;
                let measured_by = entries[0].runs.first().unwrap_or(&run);
                compare(measured_by, &run, rivals[at])?;
                entries[at].runs.push(run);
            }
        }
    }
    for entry in &mut entries {
        entry.runs.sort_by_key(Run::total_ns);
    }
    Ok(Race { settings: settings.clone(), entries })
}

/// Worlds that differ in their strategy alone, made at the same time.
fn build(settings: &WorldSettings, strategies: &[Strategy]) -> Result<Vec<World>, BenchError> {
    let world = |&strategy: &Strategy| World::build(&WorldSettings { strategy, ..*settings }, &mut |_, _| {});
    let broken = |_| BenchError::World("the thread that made it panicked".into());
    std::thread::scope(|scope| {
        let threads: Vec<_> = strategies.iter().map(|strategy| scope.spawn(move || world(strategy))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(broken)?).collect()
    })
}

struct Stage<'s> {
    settings: &'s RaceSettings,
    commands: Vec<Command>,
    /// What the first run foresaw.
    foresight: Option<Foresight>,
}

impl Stage<'_> {
    /// `first`: of its runs, which is audited too; that leaves nothing in the caches.
    fn run(&mut self, world: World, rival: Rival, first: bool) -> Result<Run, BenchError> {
        let World { mut kernel, outline } = world;
        let Self { settings, commands, foresight } = self;
        if commands.is_empty() {
            commands.extend(settings.workload.commands(&outline)?);
        }
        let notes = settings.clairvoyant && foresight.is_none();
        if notes {
            kernel.note_breaches();
        }
        if rival == Rival::Clairvoyant {
            kernel.foresee(foresight.clone().unwrap_or_default());
        }
        let how = Measure {
            // Scans alone are cut: figures compare the others whole.
            budget: match rival {
                Rival::Strategy(Strategy::Sweep | Strategy::Dense) if !notes => settings.budget,
                _ => Duration::MAX,
            },
            audit: notes || first && rival == Rival::Strategy(Strategy::Adaptive),
            may_refuse: matches!(settings.workload, Workload::Mixed { .. }),
            batches: matches!(settings.workload, Workload::Calm { .. } | Workload::Embedded | Workload::Mixed { .. }),
        };
        let run = measure(&mut kernel, commands, &how)?;
        if notes {
            *foresight = Some(kernel.take_foresight());
        }
        Ok(run)
    }
}

/// The same events, as far as both came.
fn compare(measure: &Run, run: &Run, rival: Rival) -> Result<(), BenchError> {
    let inputs = measure.inputs.min(run.inputs);
    let (expected, found) = (measure.at(inputs), run.at(inputs));
    match (expected, found) {
        (Some(expected), Some(found)) if expected.hash == found.hash => Ok(()),
        _ => Err(BenchError::Differ { rival: rival.name(), inputs }),
    }
}
