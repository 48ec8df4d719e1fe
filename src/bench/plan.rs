//! What is measured, and in which order.

use super::error::BenchError;
use super::machine::{Cores, Machine};
use super::october::{self, Played, Script};
use super::race::{Race, RaceSettings, race};
use super::scale::{Scale, scale};
use super::workloads::Workload;
use super::world::WorldSettings;
use crate::shard::Strategy;
use std::time::Duration;

/// How long each limit of the machine is measured.
const MACHINE: Duration = Duration::from_millis(400);

/// A cascade is played by the scans too up to so many accounts: beyond, its hundreds of thousands of ticks take them minutes.
const SCANNED_CASCADE: u64 = 5_000;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Some seconds.
    Quick,
    /// A minute.
    Usual,
    /// All figures, in a quarter of an hour.
    Full,
}

/// A part of what is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Ticks and memory over accounts.
    Scale,
    /// The races of strategies.
    Strategies,
    /// The cascade of 10 October 2025.
    October,
}

/// What is measured.
#[derive(Clone, Debug)]
pub struct BenchSettings {
    /// How much.
    pub extent: Extent,
    /// Accounts of the races; none: as the extent says.
    pub accounts: Option<u64>,
    /// Of all draws.
    pub seed: u64,
    /// What is raced; empty: everything, and the rest of the figures too.
    pub workloads: Vec<Workload>,
    /// This part alone, beside the machine; the cascade then has the published size, unless accounts are named.
    pub only: Option<Part>,
}

impl BenchSettings {
    /// Accounts of the races.
    #[must_use]
    pub fn race_accounts(&self) -> u64 {
        self.accounts.unwrap_or(match self.extent {
            Extent::Quick => 20_000,
            Extent::Usual => 100_000,
            Extent::Full => 1_000_000,
        })
    }

    /// The sizes over which a tick that crosses nothing is measured.
    fn scales(&self) -> Vec<u64> {
        let most = match self.extent {
            Extent::Full if self.accounts.is_none() => 10_000_000,
            _ => self.race_accounts(),
        };
        let sizes = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
        sizes.into_iter().filter(|&size| size < most).chain([most]).collect()
    }

    /// Accounts of the cascade.
    fn cascade_accounts(&self) -> u64 {
        let published = self.extent == Extent::Full || self.only == Some(Part::October);
        match self.accounts {
            None if published => october::PUBLISHED.accounts,
            _ => self.race_accounts().min(october::PUBLISHED.accounts),
        }
    }

    /// Whether a part is measured: whoever names workloads wants them alone.
    fn has(&self, part: Part) -> bool {
        match self.only {
            Some(only) => only == part,
            None => self.workloads.is_empty() || part == Part::Strategies,
        }
    }

    /// How often each strategy runs that comes to the end: of what takes a second or more one run shows enough.
    fn repeats(&self, workload: Workload) -> usize {
        match (self.extent, workload) {
            (Extent::Quick, _)
            | (_, Workload::Calm { .. } | Workload::Crash { .. })
            | (Extent::Usual, Workload::Mixed { .. }) => 1,
            _ => 3,
        }
    }

    /// How long a strategy may work at a workload.
    fn budget(&self) -> Duration {
        match self.extent {
            Extent::Quick => Duration::from_millis(500),
            Extent::Usual => Duration::from_secs(2),
            Extent::Full => Duration::from_secs(12),
        }
    }
}

/// The cascade, as it went.
#[derive(Clone, Debug)]
pub struct October {
    /// Of the population.
    pub accounts: u64,
    /// The script that was played.
    pub script: Script,
    /// By strategy: every time it played.
    pub plays: Vec<(Strategy, Vec<Played>)>,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was asked for.
    pub settings: BenchSettings,
    /// The limits of the machine; none where it has a single core, or does not let threads be pinned.
    pub machine: Option<Machine>,
    /// By accounts, ascending.
    pub scales: Vec<Scale>,
    /// By workload.
    pub races: Vec<Race>,
    /// The cascade, unless workloads were named.
    pub october: Option<October>,
}

/// Measures. `progress` hears what is under way.
///
/// # Errors
///
/// Settings out of range; strategies that disagree.
pub fn run(settings: &BenchSettings, progress: &mut dyn FnMut(&str)) -> Result<Report, BenchError> {
    let world = WorldSettings { accounts: settings.race_accounts(), seed: settings.seed, ..WorldSettings::default() };
    super::world::check(&world)?; // before the first minute, not after it
    progress("the machine");
    let machine = Cores::first_two().and_then(|cores| Machine::measure(cores, MACHINE).ok());
    let mut scales = Vec::new();
    for accounts in settings.scales().into_iter().filter(|_| settings.has(Part::Scale)) {
        progress(&format!("ticks without crossing, {accounts} accounts"));
        scales.push(scale(&WorldSettings { accounts, strategy: Strategy::Adaptive, ..world })?);
    }
    let all = settings.workloads.is_empty();
    let workloads = if all { Workload::ALL.to_vec() } else { settings.workloads.clone() };
    let mut races = Vec::with_capacity(workloads.len());
    for workload in workloads.into_iter().filter(|_| settings.has(Part::Strategies)) {
        let race_settings = RaceSettings {
            world,
            workload,
            strategies: Strategy::ALL.to_vec(),
            clairvoyant: true,
            repeats: settings.repeats(workload),
            budget: settings.budget(),
        };
        let name = workload.name();
        races.push(race(&race_settings, &mut |rival| progress(&format!("{name}, {rival}")))?);
    }
    let october = if settings.has(Part::October) { Some(cascade(settings, progress)?) } else { None };
    Ok(Report { settings: settings.clone(), machine, scales, races, october })
}

fn cascade(settings: &BenchSettings, progress: &mut dyn FnMut(&str)) -> Result<October, BenchError> {
    let accounts = settings.cascade_accounts();
    progress("10 October 2025, the script");
    let script = october::generate(&october::world(accounts, october::PUBLISHED.instruments, settings.seed))?;
    let repeats = if settings.extent == Extent::Full { 3 } else { 1 };
    let mut plays: Vec<(Strategy, Vec<Played>)> = Vec::new();
    for strategy in Strategy::ALL {
        if matches!(strategy, Strategy::Sweep | Strategy::Dense) && accounts > SCANNED_CASCADE {
            continue;
        }
        let repeats = if strategy == Strategy::Adaptive { repeats } else { 1 };
        let mut own = Vec::with_capacity(repeats);
        for _ in 0..repeats {
            progress(&format!("10 October 2025, {}", strategy.name()));
            let played = october::play(&script, strategy)?;
            let first = plays.first().and_then(|(_, plays)| plays.first()).unwrap_or(&played);
            if first.hash != played.hash {
                return Err(BenchError::Differ { rival: strategy.name(), inputs: played.inputs });
            }
            own.push(played);
        }
        plays.push((strategy, own));
    }
    Ok(October { accounts, script, plays })
}
