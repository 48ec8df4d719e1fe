//! The outcome for programs: one JSON object.
//!
//! Money, notionals and prices are decimals in strings, as in the protocol; counts and nanoseconds are integers. The
//! only floating-point number is `ticks_per_second`.

use super::outcome::{Outcome, PriceRange};
use super::settings::{Data, Population};
use super::{FundPoint, FundTrack, QUANTILES, population};
use crate::decimal::Decimal;
use crate::market::{AssetId, InstrumentId};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Report<'a> {
    settings: Settings,
    input: Input<'a>,
    ticks: u64,
    ticks_per_second: f64,
    inputs: u64,
    accounts: u64,
    pools: u64,
    positions: u64,
    positions_left: u64,
    liquidated_at_start: u64,
    rejected_lines: u64,
    liquidations: Liquidations,
    takeovers: u64,
    adl: u64,
    money: BTreeMap<&'a str, Money>,
    fund: BTreeMap<&'a str, Fund>,
    difference: BTreeMap<&'a str, String>,
    checks: u64,
    misses: u64,
    evaluations: u64,
    latency_ns: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    clock_ns: u64,
    loading_ns: u64,
    replaying_ns: u64,
    kernel_ns: u64,
    events: u64,
    hash: String,
}

#[derive(Serialize)]
struct Settings {
    data: Vec<String>,
    population: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    venue: String,
    shocks: Vec<String>,
    shards: u32,
    strategy: &'static str,
    speed: String,
    skip_bad: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    distributions: Vec<String>,
}

#[derive(Serialize)]
struct Input<'a> {
    first_ns: u64,
    last_ns: u64,
    quotes: u64,
    trades: u64,
    marks: u64,
    symbols: BTreeMap<&'a str, Symbol<'a>>,
    skipped: BTreeMap<String, u64>,
    refused: u64,
}

#[derive(Serialize)]
struct Symbol<'a> {
    kind: &'static str,
    settle: &'a str,
    ticks: u64,
    real: Range,
    shocked: Range,
}

#[derive(Serialize)]
struct Range {
    first: String,
    low: String,
    high: String,
    last: String,
}

#[derive(Serialize)]
struct Liquidations {
    started: u64,
    cured: u64,
    closed: u64,
    tier: u64,
    fraction: u64,
    all: u64,
    takeover: u64,
    adl: u64,
    adl_inventory: u64,
    unwind: u64,
    deficits: u64,
}

#[derive(Serialize)]
struct Money {
    open_interest_at_start: String,
    filled_tier: String,
    filled_fraction: String,
    filled_all: String,
    taken_over: String,
    deleveraged: String,
    deleveraged_inventory: String,
    unwound: String,
    fees: String,
    deficits: String,
}

#[derive(Serialize)]
struct Fund {
    start: Point,
    end: Point,
    lowest: Point,
    track: Vec<Point>,
}

#[derive(Serialize)]
struct Point {
    elapsed_ns: u64,
    balance: String,
    equity: String,
    inventory: String,
}

impl Outcome {
    /// Ticks a second of the kernel's own work.
    #[must_use]
    pub fn ticks_per_second(&self) -> f64 {
        self.input.ticks as f64 * 1e9 / self.latency.total_ns.max(1) as f64
    }

    /// The outcome as a JSON object, ended by a newline.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings, integers and string keys: nothing here that JSON cannot hold.
        let mut text = serde_json::to_string_pretty(&self.report()).unwrap_or_else(|error| error.to_string());
        text.push('\n');
        text
    }

    fn report(&self) -> Report<'_> {
        let assets = || self.market.assets.iter().enumerate();
        let amount = |asset: usize, quanta: i128| self.amount(AssetId(asset as u32), quanta).to_string();
        let tally = &self.tally;
        let money = |asset: usize| {
            let sums = tally.money.get(asset).copied().unwrap_or_default();
            Money {
                open_interest_at_start: amount(asset, self.population.open_interest.get(asset).copied().unwrap_or(0)),
                filled_tier: amount(asset, sums.tier),
                filled_fraction: amount(asset, sums.fraction),
                filled_all: amount(asset, sums.all),
                taken_over: amount(asset, sums.taken_over),
                deleveraged: amount(asset, sums.deleveraged),
                deleveraged_inventory: amount(asset, sums.deleveraged_inventory),
                unwound: amount(asset, sums.unwound),
                fees: amount(asset, sums.fees),
                deficits: amount(asset, sums.deficits),
            }
        };
        let quantiles = |histogram: &hdrhistogram::Histogram<u64>| {
            QUANTILES.iter().map(|(name, quantile)| (*name, histogram.value_at_quantile(*quantile))).collect()
        };
        let fund = |(track, spec): (&FundTrack, &crate::market::FundSpec)| self.fund(track, spec.asset);
        let differences = self.differences.iter().enumerate();
        Report {
            settings: self.settings_report(),
            input: self.input_report(),
            ticks: self.input.ticks,
            ticks_per_second: self.ticks_per_second().round(),
            inputs: self.inputs,
            accounts: self.population.accounts,
            pools: self.population.pools,
            positions: self.population.positions,
            positions_left: self.population.positions_left,
            liquidated_at_start: self.population.liquidated_at_start,
            rejected_lines: self.population.rejected,
            liquidations: Liquidations {
                started: tally.started,
                cured: tally.cured,
                closed: tally.closed,
                tier: tally.tier,
                fraction: tally.fraction,
                all: tally.all,
                takeover: tally.takeovers,
                adl: tally.adl,
                adl_inventory: tally.adl_inventory,
                unwind: tally.unwinds,
                deficits: tally.deficits,
            },
            takeovers: tally.takeovers,
            adl: tally.adl + tally.adl_inventory,
            money: assets().map(|(index, asset)| (asset.name.as_str(), money(index))).collect(),
            fund: self.funds.iter().zip(&self.market.funds).map(|pair| (pair.0.name.as_str(), fund(pair))).collect(),
            difference: assets()
                .zip(differences)
                .map(|((at, asset), (_, &sum))| (asset.name.as_str(), amount(at, sum)))
                .collect(),
            checks: self.audit.checks,
            misses: self.audit.misses,
            evaluations: self.evaluations,
            latency_ns: self.latency.stages().into_iter().map(|(name, stage)| (name, quantiles(stage))).collect(),
            clock_ns: self.latency.clock_ns,
            loading_ns: u64::try_from(self.loading.as_nanos()).unwrap_or(u64::MAX),
            replaying_ns: u64::try_from(self.replaying.as_nanos()).unwrap_or(u64::MAX),
            kernel_ns: self.latency.total_ns,
            events: self.event_lines,
            hash: format!("{:032x}", self.hash),
        }
    }

    fn settings_report(&self) -> Settings {
        let asked = &self.settings;
        let (population, seed) = match &asked.population {
            Population::Generated { accounts, seed, hedge_percent, inverse_percent } => {
                let share = |percent: u64, what: &str| match percent {
                    0 => String::new(),
                    percent => format!(", {percent}% {what}"),
                };
                let hedge = share(*hedge_percent, "in hedge mode");
                let inverse = share(*inverse_percent, "of the instruments inverse");
                let words = format!("{accounts} generated{hedge}{inverse}");
                (words, Some(*seed))
            }
            Population::File(path) => (path.display().to_string(), None),
        };
        Settings {
            data: match &asked.data {
                Data::Embedded => vec!["embedded".into()],
                Data::Files(inputs) => inputs.iter().map(|input| input.path.display().to_string()).collect(),
            },
            population,
            seed,
            venue: asked.venue.to_string(),
            shocks: asked.shocks.iter().map(ToString::to_string).collect(),
            shards: asked.shards,
            strategy: asked.strategy_word(),
            speed: asked.speed.to_string(),
            skip_bad: asked.skip_bad,
            distributions: seed.map_or_else(Vec::new, |_| population::describe().lines().map(str::to_owned).collect()),
        }
    }

    fn input_report(&self) -> Input<'_> {
        let input = &self.input;
        let symbols = self.market.instruments.iter().zip(&input.symbols).enumerate();
        let range = |at: usize, range: &PriceRange| {
            let price = |ticks| self.price(InstrumentId(at as u32), ticks).to_string();
            Range { first: price(range.first), low: price(range.low), high: price(range.high), last: price(range.last) }
        };
        Input {
            first_ns: input.first_ns,
            last_ns: input.last_ns,
            quotes: input.quotes,
            trades: input.trades,
            marks: input.marks,
            symbols: symbols
                .map(|(at, (instrument, symbol))| {
                    let inverse = instrument.spec.unit.is_inverse();
                    let report = Symbol {
                        kind: if inverse { "inverse_perp" } else { "linear_perp" },
                        settle: &self.market.asset(instrument.spec.settle).name,
                        ticks: symbol.ticks,
                        real: range(at, &symbol.real),
                        shocked: range(at, &symbol.shocked),
                    };
                    (instrument.spec.symbol.as_str(), report)
                })
                .collect(),
            skipped: input.skipped.by_reason().map(|(reason, tally)| (reason.to_string(), tally.count)).collect(),
            refused: input.refused,
        }
    }

    fn fund(&self, track: &FundTrack, asset: AssetId) -> Fund {
        let point = |point: &FundPoint| Point {
            elapsed_ns: point.elapsed_ns,
            balance: self.amount(asset, point.balance).to_string(),
            equity: self.amount(asset, point.equity).to_string(),
            inventory: self.amount(asset, point.inventory).to_string(),
        };
        Fund {
            start: point(&track.start),
            end: point(track.points.last().unwrap_or(&track.start)),
            lowest: point(&track.lowest),
            track: track.points.iter().map(point).collect(),
        }
    }

    /// An amount of quanta, in whole units of the asset.
    pub(super) fn amount(&self, asset: AssetId, quanta: i128) -> Decimal {
        self.market.quanta(asset).value(quanta)
    }

    /// A price of ticks, in the quote currency.
    pub(super) fn price(&self, instrument: InstrumentId, ticks: i64) -> Decimal {
        self.market.instrument(instrument).spec.tick.value(i128::from(ticks))
    }
}
