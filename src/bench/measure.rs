//! One kernel through one list of commands: how long each took, what came of it, and the hash of that.

use super::error::BenchError;
use crate::command::{Command, OffGrid};
use crate::event::{Event, Owner};
use crate::kernel::Kernel;
use crate::shard::Work;
use hdrhistogram::Histogram;
use std::hash::{Hash, Hasher};
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::Xxh3;

/// Rounds that a list of commands is cut into, for a median and a spread.
const ROUNDS: usize = 9;

/// Places in a list of commands at which runs are compared.
const CHECKPOINTS: usize = 64;

/// Inputs in a batch.
const BATCH: usize = 64;

/// How often the clock is read to know what a reading costs.
const READINGS: usize = 1_001;

/// The longest time that is told apart, in nanoseconds, and significant digits.
const LONGEST_NS: u64 = 600_000_000_000;
const DIGITS: u8 = 3;

/// How a run is made.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// A run that has worked for longer ends at the next place of comparison.
    pub budget: Duration,
    /// Whether every pool is evaluated in full at some of the places of comparison; not timed.
    pub audit: bool,
    /// Whether inputs may be refused.
    pub may_refuse: bool,
    /// Whether every other batch of inputs is timed as a whole: reading the clock would cost as much as a quiet tick.
    pub batches: bool,
}

/// What happened, by kind of event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pools locked.
    pub liquidations: u64,
    /// Liquidation orders of accounts.
    pub orders: u64,
    /// Fills of these.
    pub fills: u64,
    /// Positions that passed to a fund.
    pub takeovers: u64,
    /// Deleveraging trades.
    pub deleveraged: u64,
    /// Inputs that were refused.
    pub refused: u64,
}

impl Counts {
    /// Counts the events of one input.
    pub(super) fn add(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::LiquidationStarted { .. } => self.liquidations += 1,
                Event::LiquidationOrder { owner: Owner::Account(_), .. } => self.orders += 1,
                Event::LiquidationFill { owner: Owner::Account(_), .. } => self.fills += 1,
                Event::Takeover { .. } => self.takeovers += 1,
                Event::Deleveraged { .. } => self.deleveraged += 1,
                _ => {}
            }
        }
    }
}

/// How a run stood after some inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Inputs so far.
    pub inputs: u64,
    /// Work so far, in nanoseconds.
    pub work_ns: u64,
    /// Of all events so far, each with its input's number (XXH3).
    pub hash: u128,
}

/// When liquidation orders were there, in nanoseconds of work since the first input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderTimes {
    /// The first.
    pub first_ns: u64,
    /// The one in the middle.
    pub median_ns: u64,
    /// The last.
    pub last_ns: u64,
}

/// What a run showed. Times are of the kernel's work alone, without reading the clock.
#[derive(Clone, Debug)]
pub struct Run {
    /// Inputs carried out: all, unless the budget was used up.
    pub inputs: u64,
    /// Inputs of the whole list.
    pub of: u64,
    /// By round: nanoseconds an input.
    pub rounds: Vec<f64>,
    /// Single inputs, in nanoseconds; where batches are timed as a whole, of every other one.
    pub single: Histogram<u64>,
    /// Every input's time, in nanoseconds, where none were timed together.
    pub each_ns: Vec<u64>,
    /// Of liquidation orders; none if there were none.
    pub orders: Option<OrderTimes>,
    /// What happened.
    pub counts: Counts,
    /// What finding breaches took.
    pub work: Work,
    /// How it stood on the way; the last is the end.
    pub checkpoints: Vec<Checkpoint>,
    /// How often all pools were evaluated in full, none being missed.
    pub audits: u32,
}

impl Run {
    /// Of all inputs, in nanoseconds.
    #[must_use]
    pub fn total_ns(&self) -> u64 {
        self.end().work_ns
    }

    /// How it stood at the end.
    #[must_use]
    pub fn end(&self) -> Checkpoint {
        self.checkpoints.last().copied().unwrap_or(Checkpoint { inputs: 0, work_ns: 0, hash: 0 })
    }

    /// Whether the budget was used up before the end.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.inputs < self.of
    }

    /// The median over rounds, the least and the most, in nanoseconds an input.
    #[must_use]
    pub fn per_input(&self) -> [f64; 3] {
        spread(&self.rounds)
    }

    /// How it stood after so many inputs, if it was looked at there.
    #[must_use]
    pub fn at(&self, inputs: u64) -> Option<Checkpoint> {
        self.checkpoints.iter().copied().find(|checkpoint| checkpoint.inputs == inputs)
    }
}

/// Median, least and most; zeros of nothing.
pub(super) fn spread(values: &[f64]) -> [f64; 3] {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(0.0);
    [at(values.len() / 2), at(0), at(values.len().saturating_sub(1))]
}

/// Puts a kernel through commands.
///
/// # Errors
///
/// A command that is refused where none may be; a pool that an audit finds in breach and not in liquidation.
pub fn measure(kernel: &mut Kernel, commands: &[Command], how: &Measure) -> Result<Run, BenchError> {
    let histogram = Histogram::new_with_bounds(1, LONGEST_NS, DIGITS);
    let mut run = Run {
        inputs: 0,
        of: commands.len() as u64,
        rounds: Vec::with_capacity(ROUNDS),
        single: histogram.map_err(|error| BenchError::Setting(format!("a histogram: {error}")))?,
        each_ns: Vec::new(),
        orders: None,
        counts: Counts::default(),
        work: Work::default(),
        checkpoints: Vec::with_capacity(CHECKPOINTS + 1),
        audits: 0,
    };
    let before = kernel.work();
    let mut log = Log { hash: Xxh3::new(), counts: Counts::default(), orders: Vec::new() };
    let clock_ns = clock_ns();
    let round = commands.len().div_ceil(ROUNDS).max(1);
    let stretch = commands.len().div_ceil(CHECKPOINTS).max(1);
    let (mut work_ns, mut in_round) = (0, (0u64, 0u64));
    let batches = Batches { commands, stretch, round, at: 0 };
    for (index, batch) in batches {
        let together = how.batches && (index / BATCH).is_multiple_of(2);
        let mut batch_ns = 0;
        if together {
            batch_ns = through(kernel, index, batch, how, &mut log, work_ns)?.saturating_sub(clock_ns);
        } else {
            for (at, command) in batch.iter().enumerate() {
                let one = std::slice::from_ref(command);
                let ns = through(kernel, index + at, one, how, &mut log, work_ns + batch_ns)?.saturating_sub(clock_ns);
                run.single.saturating_record(ns);
                if !how.batches {
                    run.each_ns.push(ns);
                }
                batch_ns += ns;
            }
        }
        work_ns += batch_ns;
        if together || !how.batches {
            in_round = (in_round.0 + batch_ns, in_round.1 + batch.len() as u64);
        }
        run.inputs = (index + batch.len()) as u64;
        let ended = run.inputs == run.of;
        if (run.inputs as usize).is_multiple_of(round) || ended {
            if in_round.1 > 0 {
                run.rounds.push(in_round.0 as f64 / in_round.1 as f64);
            }
            in_round = (0, 0);
        }
        if (run.inputs as usize).is_multiple_of(stretch) || ended {
            run.checkpoints.push(Checkpoint { inputs: run.inputs, work_ns, hash: log.hash.digest128() });
            if how.audit && (ended || run.checkpoints.len().is_multiple_of(CHECKPOINTS / 4)) {
                audit(kernel)?;
                run.audits += 1;
            }
            if Duration::from_nanos(work_ns) > how.budget {
                if run.rounds.is_empty() && in_round.1 > 0 {
                    run.rounds.push(in_round.0 as f64 / in_round.1 as f64);
                }
                break;
            }
        }
    }
    run.counts = log.counts;
    run.work = kernel.work() - before;
    run.orders = log.order_times();
    Ok(run)
}

/// Commands in batches that end where a round or a stretch between two checkpoints ends.
struct Batches<'c> {
    commands: &'c [Command],
    stretch: usize,
    round: usize,
    at: usize,
}

impl<'c> Iterator for Batches<'c> {
    type Item = (usize, &'c [Command]);

    fn next(&mut self) -> Option<Self::Item> {
        let from = self.at;
        let end = |part: usize| (from / part + 1) * part;
        self.at = end(BATCH).min(end(self.stretch)).min(end(self.round)).min(self.commands.len());
        (from < self.at).then(|| (from, &self.commands[from..self.at]))
    }
}

/// The nanoseconds of work for some commands; looking at their events is not part of it.
fn through(
    kernel: &mut Kernel,
    index: usize,
    commands: &[Command],
    how: &Measure,
    log: &mut Log,
    work_ns: u64,
) -> Result<u64, BenchError> {
    let one = commands.len() == 1;
    let mut aside = Duration::ZERO;
    let began = Instant::now();
    for (at, command) in commands.iter().enumerate() {
        let admitted = kernel.admit_at(None, command, OffGrid::NONE);
        let first_orders = one.then(Instant::now);
        if admitted.is_ok() {
            kernel.decide();
            if kernel.events().is_empty() {
                continue;
            }
        }
        let pause = Instant::now();
        if let Err(refusal) = admitted {
            if !how.may_refuse {
                return Err(BenchError::Refused { what: format!("input {}", index + at + 1), refusal });
            }
            log.counts.refused += 1;
        }
        let since = |moment: Instant| work_ns + nanoseconds(moment.duration_since(began).saturating_sub(aside));
        log.add(index + at, kernel.events(), since(first_orders.unwrap_or(pause)), since(pause));
        aside += pause.elapsed();
    }
    Ok(nanoseconds(began.elapsed().saturating_sub(aside)))
}

fn audit(kernel: &Kernel) -> Result<(), BenchError> {
    match kernel.overview().audit(0, kernel.pools()) {
        0 => Ok(()),
        missed => Err(BenchError::World(format!("{missed} pools are in breach, and not in liquidation"))),
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// What a reading of the clock costs: the median.
fn clock_ns() -> u64 {
    let mut readings: Vec<u64> = (0..READINGS).map(|_| nanoseconds(Instant::now().elapsed())).collect();
    readings.sort_unstable();
    readings[READINGS / 2]
}

struct Log {
    hash: Xxh3,
    counts: Counts,
    /// Times, and how many orders were there then.
    orders: Vec<(u64, u64)>,
}

impl Log {
    fn add(&mut self, index: usize, events: &[Event], admitted_ns: u64, decided_ns: u64) {
        self.hash.write_u64(index as u64);
        let before = self.counts;
        self.counts.add(events);
        for event in events {
            event.hash(&mut self.hash);
        }
        let orders = self.counts.orders - before.orders;
        // Whoever an input puts in breach has its first order out before anything is decided.
        let first = orders.min(self.counts.liquidations - before.liquidations);
        self.orders.extend([(admitted_ns, first), (decided_ns, orders - first)].iter().filter(|(_, count)| *count > 0));
    }

    fn order_times(&self) -> Option<OrderTimes> {
        let half = self.orders.iter().map(|(_, count)| count).sum::<u64>() / 2;
        let mut so_far = 0;
        let middle = self.orders.iter().find(|(_, count)| {
            so_far += count;
            so_far > half
        });
        let (first_ns, last_ns) = (self.orders.first()?.0, self.orders.last()?.0);
        Some(OrderTimes { first_ns, median_ns: middle.map_or(last_ns, |&(ns, _)| ns), last_ns })
    }
}
