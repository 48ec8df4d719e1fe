//! Holding ticks back until their time.

use super::settings::Speed;
use crate::number::PPB;
use std::time::{Duration, Instant};

/// Waits between ticks, so that they come as far apart as recorded, or a factor of it.
#[derive(Debug)]
pub(super) struct Pace {
    speed: Speed,
    start: Instant,
}

impl Pace {
    /// Begins now.
    pub(super) fn new(speed: Speed) -> Self {
        Self { speed, start: Instant::now() }
    }

    /// Sleeps until it is time for what was recorded `elapsed_ns` after the first tick.
    pub(super) fn wait(&self, elapsed_ns: u64) {
        std::thread::sleep(self.left(elapsed_ns));
    }

    /// How long it is until then.
    pub(super) fn left(&self, elapsed_ns: u64) -> Duration {
        let Speed::Paced { ppb } = self.speed else { return Duration::ZERO };
        let due_ns = u128::from(elapsed_ns) * u128::from(PPB) / u128::from(ppb.max(1));
        let due = Duration::from_nanos(u64::try_from(due_ns).unwrap_or(u64::MAX));
        due.saturating_sub(self.start.elapsed())
    }
}
