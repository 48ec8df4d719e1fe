//! The axis of time: where its marks stand, and what is written there.

use jiff::Timestamp;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use std::ops::Range;

const SECOND_NS: u64 = 1_000_000_000;

/// Distances between two marks, in nanoseconds; beyond the last, multiples of it.
const STEPS_NS: [u64; 25] = [
    SECOND_NS / 1_000,
    SECOND_NS / 500,
    SECOND_NS / 200,
    SECOND_NS / 100,
    SECOND_NS / 50,
    SECOND_NS / 20,
    SECOND_NS / 10,
    SECOND_NS / 5,
    SECOND_NS / 2,
    SECOND_NS,
    2 * SECOND_NS,
    5 * SECOND_NS,
    10 * SECOND_NS,
    20 * SECOND_NS,
    30 * SECOND_NS,
    60 * SECOND_NS,
    120 * SECOND_NS,
    300 * SECOND_NS,
    600 * SECOND_NS,
    1_800 * SECOND_NS,
    3_600 * SECOND_NS,
    7_200 * SECOND_NS,
    21_600 * SECOND_NS,
    43_200 * SECOND_NS,
    DAY_NS,
];

const DAY_NS: u64 = 86_400 * SECOND_NS;

/// Room that a label needs, in pixels.
const LABEL_WIDTH: u64 = 90;

/// Time after the first tick, in nanoseconds, marked at whole times of the day in UTC.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeAxis {
    origin_ns: u64,
    length_ns: u64,
}

impl TimeAxis {
    /// From the first tick on; times in nanoseconds since the epoch.
    pub(super) fn new(first_ns: u64, last_ns: u64) -> Self {
        Self { origin_ns: first_ns, length_ns: last_ns.saturating_sub(first_ns).max(1) }
    }

    /// The last moment that is shown, in nanoseconds after the first tick.
    pub(super) fn length_ns(&self) -> u64 {
        self.length_ns
    }

    fn step_ns(&self, marks: usize) -> u64 {
        let fits = |step: u64| self.length_ns / step < marks.max(2) as u64;
        let days = || (1..=u64::MAX / DAY_NS).map(|days| days * DAY_NS).find(|&step| fits(step));
        STEPS_NS.into_iter().find(|&step| fits(step)).or_else(days).unwrap_or(DAY_NS)
    }

    /// A moment to the millisecond.
    pub(super) fn label_exactly(&self, elapsed_ns: u64) -> String {
        let shape = if self.length_ns > DAY_NS { "%m-%d %H:%M:%S%.3f" } else { "%H:%M:%S%.3f" };
        utc(self.origin_ns.saturating_add(elapsed_ns), shape)
    }

    /// What is written at a moment: a date at midnight of a run of days, else a time as fine as needed.
    pub(super) fn label(&self, elapsed_ns: u64) -> String {
        let at_ns = self.origin_ns.saturating_add(elapsed_ns);
        let shape = match (at_ns % SECOND_NS, self.length_ns > DAY_NS) {
            (0, true) if at_ns.is_multiple_of(DAY_NS) => "%m-%d",
            (0, true) => "%m-%d %H:%M",
            (0, false) => "%H:%M:%S",
            _ => "%H:%M:%S%.3f",
        };
        utc(at_ns, shape)
    }
}

/// A time in nanoseconds since the epoch, in UTC.
pub(super) fn utc(ns: u64, shape: &str) -> String {
    Timestamp::from_nanosecond(i128::from(ns)).map_or_else(|_| format!("{ns} ns"), |at| at.strftime(shape).to_string())
}

impl Ranged for TimeAxis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = u64;

    fn map(&self, value: &u64, limit: (i32, i32)) -> i32 {
        let width = f64::from(limit.1 - limit.0);
        limit.0 + (*value as f64 / self.length_ns as f64 * width).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, hint: H) -> Vec<u64> {
        let step = self.step_ns(hint.max_num_points());
        let first = self.origin_ns.next_multiple_of(step) - self.origin_ns;
        (first..=self.length_ns).step_by(step as usize).collect()
    }

    fn range(&self) -> Range<u64> {
        0..self.length_ns
    }
}

impl ValueFormatter<u64> for TimeAxis {
    fn format_ext(&self, value: &u64) -> String {
        self.label(*value)
    }
}

/// How many marks fit into so many pixels.
pub(super) fn marks(width: u32) -> usize {
    (u64::from(width) / LABEL_WIDTH) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST_NS: u64 = 1_742_944_042_518_000_000; // 2025-03-25 23:07:22.518 UTC

    #[test]
    fn marks_stand_at_whole_times() {
        let labels = |seconds_tenths: u64| -> Vec<String> {
            let axis = TimeAxis::new(FIRST_NS, FIRST_NS + seconds_tenths * (SECOND_NS / 10));
            axis.key_points(6usize).into_iter().map(|at| axis.label(at)).collect()
        };
        assert_eq!(labels(1_844), ["23:08:00", "23:09:00", "23:10:00"]);
        assert_eq!(labels(100), ["23:07:24", "23:07:26", "23:07:28", "23:07:30", "23:07:32"]);
        assert_eq!(labels(1), ["23:07:22.520", "23:07:22.540", "23:07:22.560", "23:07:22.580", "23:07:22.600"]);
        assert_eq!(labels(864_000 * 4), ["03-26", "03-27", "03-28", "03-29"]);
        assert!(labels(864_000 * 10_000).len() <= 7);
        assert!(TimeAxis::new(5, 5).key_points(6usize).len() <= 1);
    }
}
