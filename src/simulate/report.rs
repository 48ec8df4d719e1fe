//! What a simulation came to.

use super::Kind;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// What must not happen, and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Through what.
    pub kind: Kind,
    /// Of which seed.
    pub seed: u64,
    /// At which step; so many steps show it again. Of a stream all steps of the lines whose inputs it is made of.
    pub step: u64,
    /// What.
    pub what: String,
}

impl fmt::Display for Violation {
    /// With the command that shows it again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let streams = if self.kind == Kind::Stream { " --streams" } else { "" };
        write!(f, "terrace simulate{streams} --seed {} --steps {}\n  {}", self.seed, self.step, self.what)
    }
}

/// What one or more simulations came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many.
    pub seeds: u64,
    /// Things that happened by the simulated clock.
    pub steps: u64,
    /// Lines that a process carried out, over all lives.
    pub lines: u64,
    /// Events that lines led to.
    pub events: u64,
    /// Liquidations that began among them.
    pub liquidations: u64,
    /// What went wrong on purpose, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Ends of a life that were none of its own.
    pub crashes: u64,
    /// Lives with the kernel on workers and an arbiter of their own, which the schedule moved.
    pub on_workers: u64,
    /// Snapshots that were made by the way.
    pub snapshots: u64,
    /// Lives that began from one.
    pub from_snapshots: u64,
    /// Times that a standby took over.
    pub failovers: u64,
    /// Processes that woke after another had taken over, and found that they were fenced.
    pub fenced: u64,
    /// Lines that were answered.
    pub acknowledged: u64,
    /// Those of them that were gone later.
    pub lost: u64,
    /// Lines that were answered where answers do not wait for the disk, and that a crash undid.
    pub undone: u64,
    /// Lines that were sent again and got their first answer.
    pub repeated: u64,
    /// Simulated time, in nanoseconds.
    pub simulated_ns: u64,
    /// All answers, hashed: the same for the same seed.
    pub digest: u64,
    /// What must not happen, and did.
    pub violations: Vec<Violation>,
}

impl Report {
    /// Counts a fault.
    pub(super) fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    /// Takes another one in.
    pub fn add(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.lines += other.lines;
        self.events += other.events;
        self.liquidations += other.liquidations;
        for (kind, times) in other.faults {
            *self.faults.entry(kind).or_default() += times;
        }
        self.crashes += other.crashes;
        self.on_workers += other.on_workers;
        self.snapshots += other.snapshots;
        self.from_snapshots += other.from_snapshots;
        self.failovers += other.failovers;
        self.fenced += other.fenced;
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
        self.undone += other.undone;
        self.repeated += other.repeated;
        self.simulated_ns += other.simulated_ns;
        self.digest = self.digest.rotate_left(1) ^ other.digest;
        self.violations.extend(other.violations);
    }

    /// As a JSON object, with a line's end.
    #[must_use]
    pub fn json(&self) -> String {
        let violations: Vec<Value> = self
            .violations
            .iter()
            .map(|violation| json!({"seed":violation.seed,"step":violation.step,"what":violation.what}))
            .collect();
        let report = json!({"seeds":self.seeds,"steps":self.steps,"lines":self.lines,"events":self.events,
            "liquidations":self.liquidations,"faults":self.faults,"crashes":self.crashes,"on_workers":self.on_workers,"snapshots":self.snapshots,"from_snapshots":self.from_snapshots,"failovers":self.failovers,"fenced":self.fenced,"acknowledged":self.acknowledged,
            "lost":self.lost,"undone":self.undone,"repeated":self.repeated,"simulated_ns":self.simulated_ns,
            "digest":format!("{:016x}", self.digest),"violations":violations});
        format!("{report}\n")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seeds, steps, lines, events, liquidations, crashes, acknowledged, lost, repeated, .. } = self;
        let seconds = self.simulated_ns as f64 / 1e9;
        writeln!(f, "seeds         {seeds}")?;
        writeln!(f, "steps         {steps} in {seconds:.1} simulated seconds")?;
        writeln!(f, "lines         {lines}, with {events} events and {liquidations} liquidations")?;
        writeln!(f, "acknowledged  {acknowledged}, lost {lost}, repeated {repeated}")?;
        writeln!(
            f,
            "undone        {} that were answered before the disk had them, as async and none allow",
            self.undone
        )?;
        writeln!(f, "crashes       {crashes}")?;
        writeln!(f, "on workers    {} lives", self.on_workers)?;
        writeln!(f, "snapshots     {}, {} lives from one", self.snapshots, self.from_snapshots)?;
        writeln!(f, "failovers     {}, {} of a process that was fenced", self.failovers, self.fenced)?;
        for (kind, times) in &self.faults {
            writeln!(f, "  {kind:<40} {times:>9}")?;
        }
        writeln!(f, "violations    {}", self.violations.len())?;
        writeln!(f, "digest        {:016x}", self.digest)
    }
}
