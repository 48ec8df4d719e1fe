//! Bench: what the kernel costs at the scale of a large venue, beside the limits of the machine.
//!
//! ```text
//!  seed ──► census ──► world ──► workload ──► every strategy ──► figures
//!          (who wants  (an aged  (commands     (race.rs: equal     beside
//!           what)       kernel)   over it)      events, or error)   machine.rs
//! ```
//!
//! What goes in follows from a seed alone, by integer arithmetic, so that everybody measures the same work. Times are
//! measured and belong to the machine; events, counts and hashes do not.

mod census;
mod error;
mod figures;
pub mod latency;
pub mod machine;
mod measure;
pub mod october;
mod plan;
mod race;
mod samples;
mod scale;
mod table;
mod workloads;
mod world;

pub use census::{AGES, describe};
pub use error::BenchError;
pub use figures::Figure;
pub use measure::{Checkpoint, Counts, Measure, OrderTimes, Run, measure};
pub use plan::{BenchSettings, Extent, October, Part, Report, run};
pub use race::{Entry, Race, RaceSettings, Rival, race};
pub use scale::{Scale, scale};
pub use workloads::Workload;
pub use world::{MAX_ACCOUNTS, MAX_INSTRUMENTS, Outline, World, WorldSettings, WorldTotals};
