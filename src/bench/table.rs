//! The report for people.

use super::plan::{October, Report};
use super::race::{Entry, Race, Rival};
use super::scale::Scale;
use super::{machine::Machine, october};
use crate::shard::Strategy;
use std::fmt::{self, Display, Formatter};

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.machine {
            Some(machine) => show_machine(f, machine)?,
            None => heading(f, "MACHINE", "not measured: it takes two cores to pin to")?,
        }
        if !self.scales.is_empty() {
            show_scales(f, &self.scales)?;
        }
        if !self.races.is_empty() {
            let accounts = self.settings.race_accounts();
            let what = format!("{accounts} accounts in 500 instruments; every strategy's events are equal");
            heading(f, "STRATEGIES", &what)?;
            self.races.iter().try_for_each(|race| show_race(f, race))?;
        }
        if let Some(october) = &self.october {
            show_october(f, october)?;
        }
        let (met, set): (usize, usize) = self.figures().iter().fold((0, 0), |(met, set), figure| {
            (met + usize::from(figure.met == Some(true)), set + usize::from(figure.met.is_some()))
        });
        writeln!(f, "\n{met} of {set} targets are met; --json FILE names each")
    }
}

fn heading(f: &mut Formatter<'_>, title: &str, what: &str) -> fmt::Result {
    writeln!(f, "\n{title:<12}{what}")
}

fn show_machine(f: &mut Formatter<'_>, machine: &Machine) -> fmt::Result {
    heading(f, "MACHINE", "what nothing that runs on it can go below")?;
    let hop = |quantile| Time(machine.hop.value_at_quantile(quantile) as f64);
    writeln!(f, "    hop         {} there and back between two cores, p99 {}", hop(0.5), hop(0.99))?;
    writeln!(f, "    ring        {:.1} million items/s through the bare ring", machine.ring / 1e6)?;
    writeln!(f, "    read        {:.1} GB/s from memory, by one thread", machine.read / 1e9)?;
    let clock = &machine.clock;
    writeln!(f, "    clock       {:.0} ns a reading, told apart from {} ns", clock.cost_ns, clock.resolution_ns)?;
    let stalls = &machine.stalls;
    let longest = Time(stalls.pauses.max() as f64);
    let (share, often) = (stalls.share() * 100.0, stalls.per_second());
    writeln!(f, "    stalls      {often:.0} a second take an idle loop {share:.2}% of its time, the longest {longest}")
}

fn show_scales(f: &mut Formatter<'_>, scales: &[Scale]) -> fmt::Result {
    heading(f, "SCALE", "inline, per tick that crosses no edge; memory with everything counted")?;
    writeln!(
        f,
        "    {:>10}{:>12}{:>12}{:>22}{:>16}",
        "accounts", "positions", "a tick", "least to most", "bytes/position"
    )?;
    for scale in scales {
        let [median, least, most] = scale.quiet().map(Time);
        let bytes = scale.bytes_a_position().map_or("-".to_owned(), |bytes| format!("{bytes:.0}"));
        let range = format!("{least} to {most}");
        writeln!(f, "    {:>10}{:>12}{median:>12}{range:>22}{bytes:>16}", scale.accounts, scale.positions)?;
    }
    Ok(())
}

fn show_race(f: &mut Formatter<'_>, race: &Race) -> fmt::Result {
    let Some(first) = race.entries.first() else { return Ok(()) };
    let counts = first.run().counts;
    let refused = if counts.refused > 0 { format!(", {} refused", counts.refused) } else { String::new() };
    writeln!(
        f,
        "\n    {}: {}; {} liquidations{refused}",
        race.settings.workload.name(),
        race.settings.workload,
        counts.liquidations
    )?;
    let columns = ["all of it", "an input", "the worst", "x best", "x bound", "evaluations", "edges"];
    write!(f, "    {:<12}", "")?;
    columns.iter().try_for_each(|column| write!(f, "{column:>12}"))?;
    writeln!(f)?;
    let best = race.best();
    let bound = race.entry(Rival::Clairvoyant);
    for entry in &race.entries {
        show_entry(f, race, entry, best, bound)?;
    }
    let adaptive = race.entry(Rival::Strategy(Strategy::Adaptive));
    if let Some(times) = adaptive.and_then(|entry| entry.run().orders).filter(|_| counts.orders > 1) {
        let [first, median, last] = [times.first_ns, times.median_ns, times.last_ns].map(|ns| Time(ns as f64));
        writeln!(
            f,
            "    of {} orders, adaptive: the first after {first}, the median {median}, the last {last}",
            counts.orders
        )?;
    }
    Ok(())
}

fn show_entry(
    f: &mut Formatter<'_>,
    race: &Race,
    entry: &Entry,
    best: Option<&Entry>,
    bound: Option<&Entry>,
) -> fmt::Result {
    let run = entry.run();
    let ratio = |to: Option<&Entry>| {
        to.and_then(|to| race.ratio(run, to.run())).map_or("-".to_owned(), |ratio| format!("{ratio:.2}"))
    };
    let [each, ..] = run.per_input().map(Time);
    let worst = Time(run.single.max() as f64);
    write!(f, "    {:<12}{:>12}{each:>12}{worst:>12}", entry.rival.name(), Time(run.total_ns() as f64))?;
    write!(f, "{:>12}{:>12}{:>12}{:>12}", ratio(best), ratio(bound), run.work.evaluations, run.work.edge_updates)?;
    if run.is_cut() {
        let share = run.inputs as f64 * 100.0 / run.of as f64;
        write!(f, "  stopped after {share:.0}% of the inputs, compared as far")?;
    }
    writeln!(f)
}

fn show_october(f: &mut Formatter<'_>, october: &October) -> fmt::Result {
    let published = october::PUBLISHED;
    heading(f, "OCTOBER", "a generated cascade in the outline of 10 October 2025")?;
    let (head, furthest) = october.script.fallen;
    writeln!(
        f,
        "    {} accounts (published: {}), {} instruments; the head falls by {head:.1}%, the furthest by {furthest:.1}%",
        october.accounts, published.accounts, published.instruments
    )?;
    let Some(played) = october.plays.first().and_then(|(_, plays)| plays.first()) else { return Ok(()) };
    let worst = played.fills[played.worst()];
    writeln!(f, "    {:<20}{:>22}{:>22}", "fills", "worst second", "twelve minutes")?;
    let row = |f: &mut Formatter<'_>, name: &str, [a, b, c, d]: [u64; 4]| {
        writeln!(f, "    {name:<20}{:>22}{:>22}", format!("{a} liq + {b} ADL"), format!("{c} liq + {d} ADL"))
    };
    let of = |outline: october::Outlined| {
        [outline.worst.liquidation, outline.worst.adl, outline.whole.liquidation, outline.whole.adl]
    };
    row(f, "published", of(published))?;
    if october.accounts != published.accounts {
        row(f, "for so many accounts", of(october::expected(october.accounts)))?;
    }
    row(f, "here", [worst.liquidation, worst.adl, played.counts.fills, played.counts.deleveraged])?;
    for (strategy, plays) in &october.plays {
        for played in plays {
            let (most, all) = played.work();
            let own = played.work_ns[played.worst()];
            writeln!(
                f,
                "    {:<12}{:>12} in the worst second, {} in the busiest; {} in all, {} inputs, the longest {}",
                strategy.name(),
                Time(own as f64).to_string(),
                Time(most as f64),
                Time(all as f64),
                played.inputs,
                Time(played.longest_ns as f64)
            )?;
        }
    }
    Ok(())
}

/// Nanoseconds in the unit that suits them.
struct Time(f64);

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (value, unit) = match self.0 {
            ns if ns < 1e3 => (ns, "ns"),
            ns if ns < 1e6 => (ns / 1e3, "us"),
            ns if ns < 1e9 => (ns / 1e6, "ms"),
            ns => (ns / 1e9, "s"),
        };
        f.pad(&format!("{value:.1} {unit}"))
    }
}
