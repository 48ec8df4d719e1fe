//! What is counted and shown: plain data, filled by whoever knows it, read by whoever shows it.

use crate::controls::HealthState;
use std::collections::BTreeMap;

/// Upper ends of the buckets of times, in nanoseconds, as they are shown, in seconds.
pub(super) const BUCKETS: [(u64, &str); 22] = [
    (1_000, "0.000001"),
    (2_000, "0.000002"),
    (5_000, "0.000005"),
    (10_000, "0.00001"),
    (20_000, "0.00002"),
    (50_000, "0.00005"),
    (100_000, "0.0001"),
    (200_000, "0.0002"),
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_000_000, "0.002"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (20_000_000, "0.02"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (200_000_000, "0.2"),
    (500_000_000, "0.5"),
    (1_000_000_000, "1"),
    (2_000_000_000, "2"),
    (5_000_000_000, "5"),
    (10_000_000_000, "10"),
];

/// Times in buckets.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    /// The last: longer than all.
    pub(super) counts: [u64; BUCKETS.len() + 1],
    pub(super) sum_ns: u128,
}

impl Times {
    pub(super) fn note(&mut self, ns: u64) {
        self.counts[BUCKETS.partition_point(|&(end, _)| end < ns)] += 1;
        self.sum_ns += u128::from(ns);
    }
}

/// A fund, in whole units of its asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FundGauge {
    pub(super) fund: String,
    pub(super) balance: String,
    /// Where it is known.
    pub(super) equity: Option<String>,
}

/// What is wrong: which state, and of which instrument if it is of one.
pub(super) type Ill = (HealthState, Option<String>);

/// Everything that is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Board {
    /// Lines by op and outcome.
    pub(super) lines: BTreeMap<(&'static str, &'static str), u64>,
    /// Events by name.
    pub(super) events: BTreeMap<String, u64>,
    /// From a line's arrival to its answer.
    pub(super) answered: Times,
    /// What waits, by lane.
    pub(super) lanes: Vec<(&'static str, usize)>,
    pub(super) conflated: u64,
    pub(super) connections: usize,
    pub(super) hearers: usize,
    /// Who was cut off.
    pub(super) cut: u64,
    /// Frames that the journal does not keep yet.
    pub(super) journal_behind: u64,
    /// Places that a standby has not followed yet; none: there is none.
    pub(super) standby_behind: Option<u64>,
    pub(super) funds: Vec<FundGauge>,
    pub(super) locked: usize,
    /// Pools that wait for the venue.
    pub(super) waiting: usize,
    /// States that are watched for, and since when they hold, in nanoseconds since the start.
    pub(super) watched: Vec<HealthState>,
    pub(super) ill: BTreeMap<Ill, u64>,
    /// Of a replay: rows that are done, and all of them if that is known.
    pub(super) rows: Option<(u64, Option<u64>)>,
    /// Nanoseconds since the start.
    pub(super) now_ns: u64,
}

impl Board {
    /// Counts the events of an answer, by their names.
    pub(super) fn count_events(&mut self, said: &str) {
        for line in said.lines() {
            let Some(name) = line.strip_prefix("{\"ev\":\"").and_then(|rest| rest.split('"').next()) else { continue };
            if let Some(count) = self.events.get_mut(name) {
                *count += 1;
            } else {
                self.events.insert(name.to_owned(), 1);
            }
        }
    }

    /// Takes balances of funds out of the events that tell them.
    pub(super) fn note_balances(&mut self, said: &str) {
        for line in said.lines().filter(|line| line.starts_with("{\"ev\":\"fund\"")) {
            let field = |name: &str| Some(line.split_once(&format!("\"{name}\":\""))?.1.split('"').next()?.to_owned());
            let Some((fund, balance)) = field("fund").zip(field("balance")) else { continue };
            match self.funds.iter_mut().find(|gauge| gauge.fund == fund) {
                Some(gauge) => gauge.balance = balance,
                None => self.funds.push(FundGauge { fund, balance, equity: None }),
            }
        }
    }

    pub(super) fn count_line(&mut self, op: &'static str, outcome: &'static str) {
        *self.lines.entry((op, outcome)).or_default() += 1;
    }
}
