//! The whole system on a simulated clock, disk, network and venue, in one thread, from one seed, with everything going wrong that may.
//!
//! ```text
//!            ┌───────────────────────── Agenda: what happens when ─────────────────────────┐
//!  Clients ──┴─► network ─► [ DurableSession ─► Log ─► Writer ] ─► SimulatedDisk           │
//!     ▲  late, twice, lost        production code       torn, lost, full, failing          │
//!     │                               │ held back until kept                               │
//!     └──────── answers ◄─────────────┴──────► Oracle: never interrupted ──► invariants ───┘
//! ```
//!
//! A **step** is one thing that happens: a client speaks, a line arrives, the journal writes, answers are told, the process ends or
//! starts. Everything is drawn from the seed; there is no other clock, no thread and no other source of chance, so a seed and a number of steps say
//! all of a run.
//!
//! **What is checked.** After each line, on the state of the process: money and lots add up, nobody is in breach who is not in liquidation, nobody was
//! touched who was never in breach. Of each line that is answered, and of each that survived a crash unanswered, that a session that was never interrupted says the same, byte for byte, with another number of shards and another
//! strategy. After each crash: every answered line is there; the state is that of the uninterrupted session; whoever sends a line again that
//! has taken effect gets its first answer. Turned bits are refused where they were kept, with the name of the file, and cut where they were
//! not. The slow reference model stands beside it in the tests (`tests/simulate.rs`).
//!
//! **Failovers.** A second process follows on the same disk, and takes over: after the first was killed or its disk has failed under it, and while that is only stalled. A stalled one wakes later,
//! goes on as if nothing had happened, and must find that it is fenced, without having told anything that the new one does not have.
//!
//! **Workers.** In two lives of five the kernel is on workers with an arbiter ([`Engine::by_hand`](crate::engine::Engine::by_hand)), moved one place at a time in an order that is
//! drawn, with somebody stalled for a while. **Snapshots** are made by the way in half of the seeds, and some have a bit turned.
//!
//! **Streams** ([`Kind::Stream`]) are the same inputs once more, submitted without waiting to an engine that keeps a journal: decisions fall where workers, arbiter and
//! journal happen to be. After each end the journal must be readable, hold what was acknowledged, and come to what was told; an orderly one leaves the state that it comes to.
//!
//! **What is not simulated**: snapshots and failovers of streams; threads that run at the same time (`scripts/shuttle`, `scripts/loom`).

mod agenda;
mod clients;
mod dice;
mod failover;
mod faults;
mod feed;
mod fenced;
mod invariants;
mod lines;
mod lives;
mod oracle;
mod placed;
mod process;
mod report;
mod run;
mod saving;
mod scene;
mod send;
mod stream;
mod traffic;
mod venue;
mod world;

pub use report::{Report, Violation};

use crate::journal::{Durability, Faults};
use crate::rule_version::RuleVersion;
use dice::Dice;
use run::Simulation;
use std::panic::{AssertUnwindSafe, catch_unwind};
use world::World;

/// What goes through what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Lines of clients, through a session with a journal, whose answers are held back.
    #[default]
    Lines,
    /// Their inputs, as a matching engine streams them, through an engine with a journal.
    Stream,
}

/// What is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Through what.
    pub kind: Kind,
    /// From which everything is drawn.
    pub seed: u64,
    /// So many things happen.
    pub steps: u64,
    /// Whether some worlds have the rules of a venue, as `exec --preset` gives them.
    pub presets: bool,
    /// The rules that it begins under; none: drawn.
    pub rules: Option<RuleVersion>,
    /// When the journal is forced to the disk; none: drawn.
    pub durability: Option<Durability>,
    /// A fault that nothing can withstand, to see that it is seen.
    pub planted: Planted,
}

/// Steps of a simulation, unless asked otherwise.
pub const STEPS: u64 = 4_000;

impl Settings {
    /// What its lines are to be carried out over: the rules that they begin under, and the preset.
    #[must_use]
    pub fn begins_with(&self) -> (RuleVersion, Option<&'static str>) {
        let world = World::new(&mut Dice::new(self.seed, 1), self.presets);
        (self.rules.unwrap_or(world.rules), world.preset.map(|preset| preset.name))
    }

    /// As usual, from a seed.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        Self {
            kind: Kind::Lines,
            seed,
            steps: STEPS,
            presets: true,
            rules: None,
            durability: None,
            planted: Planted::Nothing,
        }
    }
}

/// What is wrong on purpose and must be reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Planted {
    /// Nothing.
    #[default]
    Nothing,
    /// The disk says that it has forced files, and has not.
    LyingDisk,
    /// The disk remembers names that are gone: a process that was taken over from does not find out.
    StaleNames,
}

impl Planted {
    /// The faults of a disk, with this one.
    fn among(self, faults: Faults) -> Faults {
        Faults { lies: self == Self::LyingDisk, stale_names: self == Self::StaleNames, ..faults }
    }
}

/// What a witness is shown.
#[derive(Clone, Copy, Debug)]
pub enum Shown<'a> {
    /// A line that took effect, and what it led to.
    Line(&'a str, &'a str),
    /// Where answers do not wait for the disk: a crash has left so many of the lines that took effect, the first of them.
    Left(usize),
}

/// Who is shown every line that took effect, in order, and what it led to; an error is a violation. After a violation it is shown what the process had carried
/// out and not told, too.
pub type Witness<'a> = &'a mut dyn FnMut(Shown<'_>) -> Result<(), String>;

/// Simulates until the steps are done or something is violated, and says what it came to.
pub fn run(settings: Settings, witness: Witness<'_>) -> Report {
    let mut report = Report { seeds: 1, ..Report::default() };
    let ended = catch_unwind(AssertUnwindSafe(|| {
        if settings.kind == Kind::Stream {
            return stream::run(settings, &mut report);
        }
        let mut simulation = Simulation::new(settings, &mut report, witness)?;
        let done = simulation.go_on_to(settings.steps);
        if done.is_err() {
            simulation.show_held();
        }
        done
    }));
    let violated = match ended {
        Ok(ended) => ended.err(),
        Err(panic) => Some(format!("a panic: {}", message(&*panic))),
    };
    let (kind, seed) = (settings.kind, settings.seed);
    let step = if kind == Kind::Stream { settings.steps } else { report.steps };
    report.violations.extend(violated.map(|what| Violation { kind, seed, step, what }));
    report
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word")
}
