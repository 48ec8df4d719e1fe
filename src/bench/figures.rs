//! Figures: what was measured, each beside what it is measured against, as rows for machines.

use super::measure::spread;
use super::october::PUBLISHED;
use super::plan::Report;
use super::race::{Entry, Race, Rival};
use super::workloads::Workload;
use crate::shard::Strategy;
use serde::Serialize;

/// Nanoseconds in a millisecond.
const MS: f64 = 1e6;

/// A row. The spread is the least and the most of what `value` is the median of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Its number in the table of `perf/README.md`.
    pub figure: String,
    /// What was measured, and against what.
    pub what: String,
    /// The median.
    pub value: f64,
    /// Of `value`, `reference` and `spread`.
    pub unit: String,
    /// What it is measured against, in the same run; none: it stands alone.
    pub reference: Option<f64>,
    /// `value` over `reference`, or the other way where `what` says "times".
    pub ratio: Option<f64>,
    /// What was to be reached; none: nothing was set.
    pub target: Option<String>,
    /// Whether it was.
    pub met: Option<bool>,
    /// Least and most.
    pub spread: [f64; 2],
}

/// What is to be reached.
#[derive(Clone, Copy)]
enum Target {
    None,
    /// A ratio, at most and at least.
    RatioBelow(f64),
    RatioAbove(f64),
    /// A value, at most.
    Below(f64),
}

fn figure(number: &str, what: String, unit: &str, [value, least, most]: [f64; 3]) -> Figure {
    let (figure, unit) = (number.to_owned(), unit.to_owned());
    Figure { figure, what, value, unit, reference: None, ratio: None, target: None, met: None, spread: [least, most] }
}

impl Figure {
    fn against(self, reference: f64) -> Self {
        let ratio = (reference > 0.0).then(|| self.value / reference);
        Self { reference: Some(reference), ratio, ..self }
    }

    /// How many times as much the reference is.
    fn times(self, reference: f64) -> Self {
        let ratio = (self.value > 0.0).then(|| reference / self.value);
        Self { reference: Some(reference), ratio, ..self }
    }

    fn target(self, target: Target) -> Self {
        let ratio = |holds: fn(f64, f64) -> bool, bound| self.ratio.map(|ratio| holds(ratio, bound));
        let (text, met) = match target {
            Target::None => (None, None),
            Target::RatioBelow(most) => (Some(format!("ratio <= {most}")), ratio(|ratio, most| ratio <= most, most)),
            Target::RatioAbove(least) => {
                (Some(format!("ratio >= {least}")), ratio(|ratio, least| ratio >= least, least))
            }
            Target::Below(most) => (Some(format!("value <= {most}")), Some(self.value <= most)),
        };
        Self { target: text, met, ..self }
    }
}

impl Report {
    /// All rows, in the order of the table.
    #[must_use]
    pub fn figures(&self) -> Vec<Figure> {
        let mut rows = self.flat();
        self.races.iter().for_each(|race| regret(race, &mut rows));
        self.races.iter().for_each(|race| clairvoyance(race, &mut rows));
        self.races
            .iter()
            .filter(|race| race.settings.workload == Workload::Burst)
            .for_each(|race| burst(race, &mut rows));
        self.memory(&mut rows);
        self.cascade(&mut rows);
        rows
    }

    /// 2: what a tick without crossing costs, over accounts.
    fn flat(&self) -> Vec<Figure> {
        let reference = self.scales.first().map_or(0.0, |scale| scale.quiet()[0]);
        let first = self.scales.first().map_or(0, |scale| scale.accounts);
        let row = |scale: &super::scale::Scale| {
            let what = format!("inline tick without crossing, {} accounts, against {first}", scale.accounts);
            figure("2", what, "ns", scale.quiet()).against(reference).target(Target::RatioBelow(1.05))
        };
        self.scales.iter().map(row).collect()
    }

    /// 9: memory.
    fn memory(&self, rows: &mut Vec<Figure>) {
        for scale in &self.scales {
            let Some(bytes) = scale.bytes_a_position().filter(|_| scale.accounts >= MEMORY_FROM) else { continue };
            let what = format!("memory a position, {} accounts, {} positions", scale.accounts, scale.positions);
            rows.push(figure("9", what, "bytes", [bytes; 3]).target(Target::Below(160.0)));
            let what = format!("time to make {} accounts", scale.accounts);
            rows.push(figure("9", what, "s", [scale.seconds; 3]));
        }
    }

    /// 10: the cascade.
    fn cascade(&self, rows: &mut Vec<Figure>) {
        let Some(october) = &self.october else { return };
        let whole_size = october.accounts == PUBLISHED.accounts;
        let bound = |ms: f64| if whole_size { Target::Below(ms) } else { Target::None };
        for (strategy, plays) in &october.plays {
            let of = |work: fn(&super::october::Played) -> u64| {
                let mut values: Vec<f64> = plays.iter().map(|played| work(played) as f64 / MS).collect();
                values.sort_by(f64::total_cmp);
                spread(&values)
            };
            let name = strategy.name();
            let worst = of(|played| played.work_ns.get(played.worst()).copied().unwrap_or(0));
            rows.push(
                figure("10", format!("10 October 2025, the second with the most fills, {name}"), "ms", worst)
                    .target(bound(50.0)),
            );
            let what = format!("10 October 2025, the second with the most work, {name}");
            rows.push(figure("10", what, "ms", of(|played| played.work().0)).target(bound(50.0)));
            let what = format!("10 October 2025, twelve minutes, {name}");
            rows.push(figure("10", what, "ms", of(|played| played.work().1)).target(bound(1_000.0)));
        }
        if let Some(played) = october.plays.first().and_then(|(_, plays)| plays.first()) {
            let fills = played.fills[played.worst()];
            let expected = super::october::expected(october.accounts);
            for (what, found, published) in [
                ("liquidation fills in the worst second", fills.liquidation, expected.worst.liquidation),
                ("ADL fills in the worst second", fills.adl, expected.worst.adl),
                ("liquidation fills in twelve minutes", played.counts.fills, expected.whole.liquidation),
                ("ADL fills in twelve minutes", played.counts.deleveraged, expected.whole.adl),
            ] {
                let what = format!("10 October 2025, {what}, against those published for so many accounts");
                rows.push(figure("10", what, "fills", [found as f64; 3]).against(published as f64));
            }
        }
    }
}

/// Below, what the process keeps beside the world would count too much.
const MEMORY_FROM: u64 = 100_000;

/// Times of all inputs, in milliseconds: the median, the least and the most.
fn total(entry: &Entry) -> [f64; 3] {
    spread(&entry.runs.iter().map(|run| run.total_ns() as f64 / MS).collect::<Vec<_>>())
}

fn regret(race: &Race, rows: &mut Vec<Figure>) {
    let name = race.settings.workload.name();
    let Some(adaptive) = race.entry(Rival::Strategy(Strategy::Adaptive)) else { return };
    if let Some(best) = race.best() {
        let what = format!("{name}: all of it, adaptive, against {}, the best fixed strategy", best.rival.name());
        let reference = total(best)[0];
        rows.push(figure("3", what, "ms", total(adaptive)).against(reference).target(Target::RatioBelow(1.2)));
    }
    if let (Workload::Calm { .. }, Some(sweep)) = (race.settings.workload, race.entry(Rival::Strategy(Strategy::Sweep)))
    {
        let target = if race.settings.world.accounts >= 1_000_000 { Target::RatioAbove(300.0) } else { Target::None };
        let what = "calm: a tick, adaptive; how many times cheaper than sweep".to_owned();
        rows.push(figure("3", what, "ns", adaptive.run().per_input()).times(sweep.run().per_input()[0]).target(target));
    }
}

fn clairvoyance(race: &Race, rows: &mut Vec<Figure>) {
    let name = race.settings.workload.name();
    let Some(clairvoyant) = race.entry(Rival::Clairvoyant) else { return };
    let bounded = matches!(
        race.settings.workload,
        Workload::Calm { .. } | Workload::Crash { .. } | Workload::Gap | Workload::Burst
    );
    for entry in race.entries.iter().filter(|entry| entry.rival == Rival::Strategy(Strategy::Adaptive)) {
        let what = format!("{name}: all of it, adaptive, against the clairvoyant");
        let target = if bounded { Target::RatioBelow(2.0) } else { Target::None };
        rows.push(figure("4", what, "ms", total(entry)).against(total(clairvoyant)[0]).target(target));
    }
    for entry in &race.entries {
        let (run, rival) = (entry.run(), entry.rival.name());
        for (what, count) in [("evaluations", run.work.evaluations), ("edge updates", run.work.edge_updates)] {
            for (each, of) in [("liquidation", run.counts.liquidations), ("input", run.inputs)] {
                if of > 0 {
                    let value = count as f64 / of as f64;
                    rows.push(figure("4", format!("{name}: {what} per {each}, {rival}"), what, [value; 3]));
                }
            }
        }
    }
}

fn burst(race: &Race, rows: &mut Vec<Figure>) {
    let of = |strategy| race.entry(Rival::Strategy(strategy));
    let Some(adaptive) = of(Strategy::Adaptive) else { return };
    if let Some(times) = adaptive.run().orders {
        for (which, ns) in [("first", times.first_ns), ("median", times.median_ns), ("last", times.last_ns)] {
            rows.push(figure("5", format!("burst: the {which} order, adaptive"), "ms", [ns as f64 / MS; 3]));
        }
    }
    if let Some(bands) = of(Strategy::Bands) {
        let what = "burst: all of it, adaptive, against bands".to_owned();
        rows.push(figure("5", what, "ms", total(adaptive)).against(total(bands)[0]).target(Target::RatioBelow(0.5)));
    }
    if let Some(clairvoyant) = race.entry(Rival::Clairvoyant) {
        let (own, least) = (&adaptive.run().each_ns, &clairvoyant.run().each_ns);
        if let Some((worst, share)) = own.iter().zip(least).max() {
            let what = "burst: the worst tick, adaptive, against the clairvoyant's time for it".to_owned();
            let value = *worst as f64 / 1e3;
            rows.push(figure("5", what, "us", [value; 3]).against(*share as f64 / 1e3).target(Target::RatioBelow(4.0)));
        }
    }
}
