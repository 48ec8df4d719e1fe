//! What does not grow with the accounts, and what does: the cost of a tick that crosses nothing, and memory.

use super::error::BenchError;
use super::measure::spread;
use super::world::{World, WorldSettings};
use crate::command::Command;
use crate::market::InstrumentId;
use std::fs;
use std::hint::black_box;
use std::time::Instant;

/// Rounds of ticks without crossing, and ticks in each.
const ROUNDS: usize = 9;
const TICKS: usize = 20_000;

/// A world of one size.
#[derive(Clone, Debug)]
pub struct Scale {
    /// Its accounts and positions.
    pub accounts: u64,
    /// Positions of accounts.
    pub positions: u64,
    /// Nanoseconds a tick that crosses nothing, by round.
    pub quiet_ns: Vec<f64>,
    /// Instruments that ticked: all but those in which a pool is looked at whatever the mark does.
    pub instruments: usize,
    /// How much more memory the process held with the world than without it, in bytes; none where the system does not tell.
    pub resident: Option<u64>,
    /// How long it took to make, in seconds.
    pub seconds: f64,
}

impl Scale {
    /// The median over rounds, the least and the most, in nanoseconds a tick.
    #[must_use]
    pub fn quiet(&self) -> [f64; 3] {
        spread(&self.quiet_ns)
    }

    /// Bytes a position, everything counted: accounts, pools, positions, orders, edges, index heads.
    #[must_use]
    pub fn bytes_a_position(&self) -> Option<f64> {
        Some(self.resident? as f64 / self.positions as f64)
    }
}

/// Makes a world of this size, and ticks it without crossing anything: marks go a tick up and down again, each
/// instrument in turn.
///
/// # Errors
///
/// Settings out of range; a world in which no instrument is quiet.
pub fn scale(settings: &WorldSettings) -> Result<Scale, BenchError> {
    let before = resident();
    let began = Instant::now();
    let World { mut kernel, outline } = World::build(settings, &mut |_, _| {})?;
    let seconds = began.elapsed().as_secs_f64();
    let resident = resident().zip(before).map(|(after, before)| after.saturating_sub(before));
    let mut tick = |instrument: InstrumentId, price| {
        let before = kernel.work();
        kernel.apply(&Command::Mark { instrument, price }).map_err(BenchError::refused("a tick"))?;
        Ok::<_, BenchError>(kernel.work() == before && kernel.events().is_empty())
    };
    // A first time for whoever is in the way, and a second to see who still is.
    let mut quiet = Vec::new();
    for (index, &mark) in outline.marks.iter().enumerate() {
        let instrument = InstrumentId(index as u32);
        let mut passes = || Ok::<_, BenchError>(tick(instrument, mark + 1)? & tick(instrument, mark)?);
        passes()?;
        if passes()? {
            quiet.push((instrument, mark));
        }
    }
    if quiet.is_empty() {
        return Err(BenchError::World("a tick of any instrument is looked into".into()));
    }
    let up = quiet.iter().map(|&(instrument, mark)| Command::Mark { instrument, price: mark + 1 });
    let down = quiet.iter().map(|&(instrument, price)| Command::Mark { instrument, price });
    let ticks: Vec<Command> = up.chain(down).cycle().take(TICKS).collect();
    let mut quiet_ns = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for tick in &ticks {
            kernel.apply(black_box(tick)).map_err(BenchError::refused("a tick"))?;
        }
        quiet_ns.push(began.elapsed().as_nanos() as f64 / ticks.len() as f64);
    }
    let positions = outline.totals.positions;
    Ok(Scale { accounts: settings.accounts, positions, quiet_ns, instruments: quiet.len(), resident, seconds })
}

/// What the process holds in memory, in bytes; none where the system does not tell.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1_024)
}
