//! The outcome for people: what went in, what happened, what it cost, and whether the books balance.

use super::depth::{LEVEL_PPB, MADE_LEVELS, REFILL_NS, SPACING_PPB};
use super::figures::{Seconds, grouped, whole, with_digits};
use super::outcome::Outcome;
use super::population::FUND_PPM;
use super::settings::{Data, Population, Speed, Venue};
use super::{FundPoint, FundTrack, QUANTILES};
use crate::market::{AssetId, Instrument, InstrumentId};
use std::fmt::{self, Display, Formatter};

/// Rows of the funds' tables.
const FUND_ROWS: usize = 10;

/// Columns of notional beside each other; more assets have tables of their own.
const ASSET_COLUMNS: usize = 2;

/// Decimals in which amounts of a coin are shown, of which a whole one is worth too much.
const COIN_DIGITS: u32 = 4;

/// How many skipped lines are shown.
const EXAMPLES: usize = 3;

/// Which part of the money moved a row shows.
type PartOfMoney = fn(&super::Money) -> i128;

impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.input_section(f)?;
        self.population_section(f)?;
        self.events_section(f)?;
        for (track, spec) in self.funds.iter().zip(&self.market.funds) {
            self.fund_section(f, track, spec.asset)?;
        }
        self.books_section(f)?;
        self.threads_section(f)?;
        self.speed_section(f)
    }
}

impl Outcome {
    fn input_section(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let input = &self.input;
        let span_ns = input.last_ns.saturating_sub(input.first_ns);
        heading(f, "INPUT")?;
        row(f, "real", format_args!("{}", self.data_words()))?;
        row(
            f,
            "",
            format_args!(
                "{} ticks in {}: {} quotes, {} trades, {} marks",
                grouped(input.ticks),
                Seconds(span_ns),
                grouped(input.quotes),
                grouped(input.trades),
                grouped(input.marks)
            ),
        )?;
        match self.settings.shocks.as_slice() {
            [] => row(f, "shock", format_args!("none: all prices are real"))?,
            shocks => {
                for (index, shock) in shocks.iter().enumerate() {
                    row(f, if index == 0 { "shock" } else { "" }, format_args!("{shock}, laid over the real prices"))?;
                }
            }
        }
        writeln!(f, "    {:<12}{:>9}  {:>12}{:>12}{:>12}{:>12}", "mark", "ticks", "first", "low", "high", "last")?;
        for (index, (instrument, symbol)) in self.market.instruments.iter().zip(&input.symbols).enumerate() {
            let name = &instrument.spec.symbol;
            let price = |ticks| self.price(InstrumentId(index as u32), ticks).to_string();
            let mut line = |name: &str, ticks: &str, range: &super::PriceRange| {
                let [first, low, high, last] = [range.first, range.low, range.high, range.last].map(price);
                writeln!(f, "    {name:<12}{ticks:>9}  {first:>12}{low:>12}{high:>12}{last:>12}")
            };
            line(name, &grouped(symbol.ticks), &symbol.real)?;
            if symbol.real != symbol.shocked {
                line("  shocked", "", &symbol.shocked)?;
            }
        }
        self.skipped_rows(f)
    }

    fn skipped_rows(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let input = &self.input;
        for (reason, tally) in input.skipped.by_reason() {
            row(f, "skipped", format_args!("{} {reason}", grouped(tally.count)))?;
            for example in tally.examples.iter().take(EXAMPLES) {
                row(f, "", format_args!("{example}"))?;
            }
        }
        let others = [
            (input.refused, "ticks refused by the kernel", &input.refused_examples),
            (self.population.rejected, "lines of the accounts file rejected", &self.population.rejected_examples),
        ];
        for (count, what, examples) in others.into_iter().filter(|(count, ..)| *count > 0) {
            row(f, "skipped", format_args!("{} {what}", grouped(count)))?;
            for example in examples {
                row(f, "", format_args!("{example}"))?;
            }
        }
        Ok(())
    }

    fn population_section(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let population = &self.population;
        heading(f, "POPULATION")?;
        match &self.settings.population {
            Population::Generated { seed, hedge_percent, .. } => {
                let tables = format_args!("generated from seed {seed}; tables: terrace replay --describe-population");
                row(f, "accounts", format_args!("{}, {tables}", grouped(population.accounts)))?;
                if *hedge_percent > 0 {
                    row(f, "hedge mode", format_args!("{hedge_percent} % of the accounts"))?;
                }
                let inverse = self.market.instruments.iter().filter(|instrument| instrument.spec.unit.is_inverse());
                for spec in inverse.map(|instrument| &instrument.spec) {
                    let coin = &self.market.asset(spec.settle).name;
                    row(f, "inverse", format_args!("{}, margined and settled in {coin}", spec.symbol))?;
                }
            }
            Population::File(path) => {
                row(f, "accounts", format_args!("{} from {}", grouped(population.accounts), path.display()))?;
            }
        }
        let (before, left) = (grouped(population.positions), grouped(population.positions_left));
        row(f, "positions", format_args!("{before} in {} pools; {left} left at the end", grouped(population.pools)))?;
        for (asset, notional) in self.assets().zip(&population.open_interest) {
            if *notional == 0 {
                continue; // an accounts file without marks: its interest has no value yet
            }
            let name = &self.market.asset(asset).name;
            row(f, "interest", format_args!("{} {name} open at the first marks", self.shown(asset, *notional)))?;
        }
        if matches!(self.settings.population, Population::Generated { .. }) {
            let fund = format_args!("{}.{}", FUND_PPM / 10_000, FUND_PPM / 1_000 % 10);
            row(f, "fund", format_args!("{fund} % of the open interest"))?;
            let started = grouped(population.liquidated_at_start);
            row(f, "at start", format_args!("{started} pools in breach at the first marks"))?;
        }
        match self.settings.venue {
            Venue::Mark => row(f, "venue", format_args!("mark: orders fill in full at the mark")),
            Venue::Book => {
                let percent = format_args!("{}.{}", LEVEL_PPB / 10_000_000, LEVEL_PPB / 1_000_000 % 10);
                let (spacing, refill) = (SPACING_PPB / 100_000, REFILL_NS / 1_000_000_000);
                row(
                    f,
                    "venue",
                    format_args!("book: best level real; behind it {MADE_LEVELS} made ones {spacing} bp apart,"),
                )?;
                row(f, "", format_args!("each {percent} % of open interest; what is taken is back within {refill} s"))
            }
        }
    }

    fn events_section(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let tally = &self.tally;
        heading(f, "WHAT HAPPENED")?;
        row(
            f,
            "liquidated",
            format_args!(
                "{} pools: {} cured, {} closed",
                grouped(tally.started),
                grouped(tally.cured),
                grouped(tally.closed)
            ),
        )?;
        let steps: [(&str, u64, PartOfMoney); 8] = [
            ("1 tier      order to the tier below", tally.tier, |money| money.tier),
            ("2 fraction  order for a part", tally.fraction, |money| money.fraction),
            ("2 all       order for the rest", tally.all, |money| money.all),
            ("3 takeover  by the fund, at mark", tally.takeovers, |money| money.taken_over),
            ("4 adl       trades for pools", tally.adl, |money| money.deleveraged - money.deleveraged_inventory),
            ("            trades for the fund", tally.adl_inventory, |money| money.deleveraged_inventory),
            ("  unwind    orders of the fund", tally.unwinds, |money| money.unwound),
            ("  deficits  made good by the fund", tally.deficits, |money| money.deficits),
        ];
        // Counts are over all assets, and so stand in the first table alone.
        let assets: Vec<AssetId> = self.assets().collect();
        for (table, assets) in assets.chunks(ASSET_COLUMNS).enumerate() {
            write!(f, "    {:<36}{:>10}", "step", if table == 0 { "count" } else { "" })?;
            for asset in assets {
                write!(f, "{:>22}", format!("notional, {}", self.market.asset(*asset).name))?;
            }
            writeln!(f)?;
            for (name, count, part) in &steps {
                write!(f, "    {name:<36}{:>10}", if table == 0 { grouped(*count) } else { String::new() })?;
                for asset in assets {
                    write!(f, "{:>22}", self.shown(*asset, part(&tally.money[asset.index()])))?;
                }
                writeln!(f)?;
            }
        }
        for (asset, money) in self.assets().zip(&tally.money) {
            let name = &self.market.asset(asset).name;
            row(f, "fees", format_args!("{} {name} of liquidation fees to the fund", self.shown(asset, money.fees)))?;
        }
        Ok(())
    }

    fn fund_section(&self, f: &mut Formatter<'_>, track: &FundTrack, asset: AssetId) -> fmt::Result {
        let unit = &self.market.asset(asset).name;
        heading(f, &format!("FUND {}", track.name))?;
        writeln!(f, "    {:>10}{:>20}{:>20}{:>24}", "time", "balance", "equity", format!("inventory, {unit}"))?;
        let mut line = |point: &FundPoint, note: &str| {
            let [balance, equity, inventory] =
                [point.balance, point.equity, point.inventory].map(|quanta| self.shown(asset, quanta));
            writeln!(
                f,
                "    {:>10}{balance:>20}{equity:>20}{inventory:>24}{note}",
                Seconds(point.elapsed_ns).to_string()
            )
        };
        line(&track.start, "  start")?;
        let chosen = chosen_points(&track.points);
        let mut lowest = Some(&track.lowest);
        for (index, point) in chosen.iter().enumerate() {
            let low = lowest.take_if(|low| low.elapsed_ns <= point.elapsed_ns);
            if let Some(low) = low.filter(|low| low != point && low.elapsed_ns > 0) {
                line(low, "  lowest")?;
            }
            line(point, if index + 1 == chosen.len() { "  end" } else { "" })?;
        }
        Ok(())
    }

    fn books_section(&self, f: &mut Formatter<'_>) -> fmt::Result {
        heading(f, "BOOKS")?;
        for (index, (asset, difference)) in self.market.assets.iter().zip(&self.differences).enumerate() {
            let amount = self.amount(AssetId(index as u32), *difference);
            row(f, &asset.name, format_args!("difference {amount}: {}", verdict(*difference == 0)))?;
        }
        let open = |sides: &&crate::kernel::InstrumentTotals| sides.long != sides.short;
        let unequal = self.sides.iter().filter(open).count();
        row(
            f,
            "positions",
            format_args!("{unequal} instruments with long and short unequal: {}", verdict(unequal == 0)),
        )?;
        let (checks, misses) = (grouped(self.audit.checks), grouped(self.audit.misses));
        let verdict = if self.audit.misses == 0 { "never late" } else { "A BUG" };
        row(f, "misses", format_args!("{misses} of {checks} pools recomputed in full: {verdict}"))?;
        row(f, "hash", format_args!("{:032x}", self.hash))?;
        row(
            f,
            "",
            format_args!("xxh3-128 of {} event lines from {} inputs", grouped(self.event_lines), grouped(self.inputs)),
        )
    }

    /// Where the market data come from.
    pub(super) fn data_words(&self) -> String {
        match &self.settings.data {
            Data::Embedded => "embedded: Binance spot, 2025-03-25 23:07 UTC".to_owned(),
            Data::Files(inputs) => {
                inputs.iter().map(|input| input.path.display().to_string()).collect::<Vec<_>>().join(", ")
            }
        }
    }

    pub(super) fn assets(&self) -> impl Iterator<Item = AssetId> {
        (0..self.market.assets.len()).map(|index| AssetId(index as u32))
    }

    /// An amount of quanta for people: in whole units, of a coin with some decimals; rounded toward zero.
    pub(super) fn shown(&self, asset: AssetId, quanta: i128) -> String {
        let coin = |instrument: &Instrument| instrument.spec.settle == asset && instrument.spec.unit.is_inverse();
        let decimals = self.market.asset(asset).decimals;
        if self.market.instruments.iter().any(coin) {
            with_digits(quanta, decimals, COIN_DIGITS.min(decimals))
        } else {
            whole(quanta, decimals)
        }
    }

    /// What the threads did, if there were any.
    fn threads_section(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(threads) = &self.threads else { return Ok(()) };
        heading(f, "THREADS")?;
        row(f, "shape", format_args!("{}", threads.shape))?;
        let (places, decisions) = (grouped(threads.places), grouped(threads.decisions));
        row(f, "sequence", format_args!("{places} places, {decisions} of them decisions"))?;
        let seconds = threads.running.as_secs_f64();
        let rate = grouped((self.input.ticks as f64 / seconds.max(1e-9)) as u64);
        row(f, "ran", format_args!("{rate} ticks/s ({seconds:.3} s with reading and making the book)"))?;
        row(f, "record", format_args!("gone through inline: the logs are equal, {:032x}", threads.hash))?;
        quantile_heading(f, "latency, ns")?;
        for (name, stage) in [("decided", &threads.decided), ("order out", &threads.order_out)] {
            quantile_row(f, name, stage)?;
        }
        let orders = grouped(threads.decided.len());
        row(f, "", format_args!("tick published → first order decided by its worker, and → received by the"))?;
        row(f, "", format_args!("publishing thread; {orders} orders"))?;
        if self.settings.speed == Speed::Max {
            row(f, "", format_args!("at full speed the ring is full: most of it is the work for the ticks before"))?;
        }
        Ok(())
    }

    fn speed_section(&self, f: &mut Formatter<'_>) -> fmt::Result {
        heading(f, if self.threads.is_some() { "SPEED OF THE RECORD, INLINE" } else { "SPEED" })?;
        let whole_run = self.input.ticks as f64 / self.replaying.as_secs_f64().max(1e-9);
        row(
            f,
            "kernel",
            format_args!(
                "{} ticks/s ({:.3} s of work, {} exact evaluations)",
                grouped(self.ticks_per_second() as u64),
                self.latency.total_ns as f64 / 1e9,
                grouped(self.evaluations)
            ),
        )?;
        let seconds = self.replaying.as_secs_f64();
        let rate = grouped(whole_run as u64);
        row(f, "whole run", format_args!("{rate} ticks/s ({seconds:.3} s with reading, encoding and audits)"))?;
        let seconds = self.loading.as_secs_f64();
        row(f, "before it", format_args!("{seconds:.3} s to make or read the population"))?;
        let asked = &self.settings;
        let (shards, strategy, speed) = (asked.shards, asked.strategy_word(), asked.speed);
        row(f, "settings", format_args!("--shards {shards} --strategy {strategy} --speed {speed}"))?;
        quantile_heading(f, "work, ns")?;
        for (name, stage) in self.latency.stages().into_iter().filter(|(_, stage)| !stage.is_empty()) {
            quantile_row(f, name, stage)?;
        }
        row(f, "", format_args!("tick: all work for a row, of which book: new depth; trigger: a mark, up to"))?;
        row(
            f,
            "",
            format_args!(
                "first orders; settle: what follows. A reading of the clock, {} ns, is included",
                self.latency.clock_ns
            ),
        )
    }
}

fn quantile_heading(f: &mut Formatter<'_>, name: &str) -> fmt::Result {
    write!(f, "    {name:<12}")?;
    for (name, _) in QUANTILES {
        write!(f, "{name:>14}")?;
    }
    writeln!(f)
}

fn quantile_row(f: &mut Formatter<'_>, name: &str, stage: &hdrhistogram::Histogram<u64>) -> fmt::Result {
    write!(f, "    {name:<12}")?;
    for (_, quantile) in QUANTILES {
        write!(f, "{:>14}", grouped(stage.value_at_quantile(quantile)))?;
    }
    writeln!(f)
}

fn verdict(holds: bool) -> &'static str {
    if holds { "balanced" } else { "A BUG" }
}

/// A few points, the last one always among them: half of them evenly spread over the time, half over the way that the
/// equity went, so that a crash of seconds shows in hours of quiet.
fn chosen_points(points: &[FundPoint]) -> Vec<&FundPoint> {
    let Some(last) = points.last() else { return Vec::new() };
    let mut way: i128 = 0;
    let mut ways = Vec::with_capacity(points.len());
    for (index, point) in points.iter().enumerate() {
        let before = if index == 0 { point } else { &points[index - 1] };
        way += (point.equity - before.equity).abs();
        ways.push(way);
    }
    let half = (FUND_ROWS / 2) as i128;
    // How many of the even parts of a whole are done: a row wherever one more is.
    let part = |done: i128, whole: i128| if whole == 0 { 0 } else { done * half / whole };
    let time = |point: &FundPoint| i128::from(point.elapsed_ns);
    let parts = |at: usize| (part(time(&points[at]), time(last)), part(ways[at], way));
    (1..points.len()).filter(|&at| parts(at) != parts(at - 1)).map(|at| &points[at]).chain(only(points)).collect()
}

/// The point, if it is the only one.
fn only(points: &[FundPoint]) -> Option<&FundPoint> {
    if let [point] = points { Some(point) } else { None }
}

fn heading(f: &mut Formatter<'_>, title: &str) -> fmt::Result {
    writeln!(f, "\n{title}")
}

fn row(f: &mut Formatter<'_>, name: &str, text: fmt::Arguments<'_>) -> fmt::Result {
    writeln!(f, "    {name:<12}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_chosen_by_time_and_by_way() {
        let point = |elapsed_ns, equity| FundPoint { elapsed_ns, balance: equity, equity, inventory: 0 };
        let mut points: Vec<FundPoint> = (0..100).map(|at| point(at, 500)).collect();
        for (at, equity) in [(40, 400), (41, 300), (42, 200), (43, 100), (44, 0)] {
            points[at].equity = equity;
        }
        points[45..].iter_mut().for_each(|point| point.equity = 0);
        let times: Vec<u64> = chosen_points(&points).iter().map(|point| point.elapsed_ns).collect();
        assert_eq!(times, [20, 40, 41, 42, 43, 44, 60, 80, 99]);
        assert_eq!(chosen_points(&points[..1]).len(), 1);
        assert!(chosen_points(&[]).is_empty());
    }
}
