//! The state before the first tick: instruments, accounts, funds, venue and starting prices.

use super::error::ReplayError;
use super::import::{Rejected, import};
use super::outcome::PopulationReport;
use super::population::{self, FUND_PPM, POSITIONS_PER_ACCOUNT};
use super::prices::SymbolPrices;
use super::prices::mark_command;
use super::settings::{Population, Settings, Venue};
use super::survey::{Survey, survey};
use super::{Progress, instruments};
use crate::command::Command;
use crate::event::Event;
use crate::kernel::{self, Kernel};
use crate::market::{FundId, InstrumentId};
use crate::number::{Price, mul_div_floor};
use crate::refusal::Refusal;
use crate::shard::Capacity;
use crate::ticks::{Tick, TickKind};
use crate::venue::VenueMode;
use std::path::Path;

/// A fund unwinds an instrument at most once a second.
const UNWIND_INTERVAL_NS: u64 = 1_000_000_000;

/// Ready for the first tick.
pub(super) struct Start {
    pub(super) kernel: Kernel,
    /// The symbols that may occur, by instrument.
    pub(super) names: Vec<String>,
    pub(super) population: PopulationReport,
}

/// Makes or reads the population.
///
/// # Errors
///
/// Market data that cannot be read or holds nothing, a shock of an unknown symbol, a population that does not fit.
pub(super) fn start(settings: &Settings, progress: &mut dyn FnMut(Progress)) -> Result<Start, ReplayError> {
    if settings.shards == 0 {
        return Err(ReplayError::Setting("--shards 0: expected at least 1".into()));
    }
    let mut start = match &settings.population {
        Population::Generated { accounts, seed, hedge_percent } => {
            generate(settings, *accounts, (*seed, *hedge_percent), progress)?
        }
        Population::File(path) => read(settings, path, progress)?,
    };
    let refused = |refusal| ReplayError::Refused { what: "the venue".into(), refusal };
    let mode = match settings.venue {
        Venue::Book => VenueMode::Book,
        Venue::Mark => VenueMode::Mark,
    };
    start.kernel.set_venue(None, mode).map_err(refused)?;
    let market = start.kernel.market();
    start.population.open_interest = vec![0; market.assets.len()];
    for (index, instrument) in market.instruments.iter().enumerate() {
        let lots = start.kernel.open_interest_of(InstrumentId(index as u32));
        let notional = instrument.mark.map_or(0, |mark| instrument.notional(lots, mark));
        start.population.open_interest[instrument.spec.settle.index()] += notional;
    }
    start.population.accounts = start.kernel.accounts().len() as u64;
    start.population.pools = start.kernel.pools() as u64;
    start.population.positions = start.kernel.positions() as u64;
    Ok(start)
}

/// Contracts by the symbols of the market data, and a population from a seed.
fn generate(
    settings: &Settings,
    accounts: u64,
    drawn: (u64, u64),
    progress: &mut dyn FnMut(Progress),
) -> Result<Start, ReplayError> {
    let survey = survey(&settings.data, None, settings.skip_bad)?;
    check_shocks(settings, &survey)?;
    let mut kernel = Kernel::new(kernel_settings(settings, accounts));
    if settings.journal.is_some() {
        kernel.keep_record();
    }
    let refused = |what: &str| {
        let what = what.to_owned();
        move |refusal: Refusal| ReplayError::Refused { what, refusal }
    };
    let asset = kernel
        .declare_asset(None, instruments::ASSET, instruments::ASSET_DECIMALS)
        .map_err(refused("the settlement asset"))?;
    slow_unwinding(&mut kernel)?;
    let mut starts = Vec::new();
    let mut names = Vec::new();
    for (symbol, first) in survey.symbols {
        let unseen = || ReplayError::Setting(format!("{symbol}: expected at least one tick, found none"));
        let first = first.ok_or_else(unseen)?;
        let id = instruments::declare(&mut kernel, asset, &symbol, level(&first), settings.computed_marks)?;
        starts.push(starting_price(&kernel, id, &first)?);
        names.push(symbol);
    }
    let loading = &mut |done| progress(Progress::Loading { done, total: Some(accounts) });
    population::load(&mut kernel, asset, accounts, drawn, &starts, loading)?;
    endow_fund(&mut kernel, &starts).map_err(refused("the fund's deposit"))?;
    let mut liquidated_at_start = 0;
    for (index, &price) in starts.iter().enumerate() {
        let mark = mark_command(kernel.market(), InstrumentId(index as u32), price);
        kernel.apply(&mark).map_err(refused("a starting price"))?;
        let started = |event: &&Event| matches!(event, Event::LiquidationStarted { .. });
        liquidated_at_start += kernel.events().iter().filter(started).count() as u64;
    }
    Ok(Start { kernel, names, population: PopulationReport { liquidated_at_start, ..PopulationReport::default() } })
}

/// Instruments and population from a file.
fn read(settings: &Settings, path: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Start, ReplayError> {
    let loading = &mut |done| progress(Progress::Loading { done, total: None });
    let (mut kernel, rejected) =
        import(path, kernel_settings(settings, 0), (settings.skip_bad, settings.journal.is_some()), loading)?;
    let Rejected { count, examples } = rejected;
    let names: Vec<String> = kernel.market().instruments.iter().map(|at| at.spec.symbol.clone()).collect();
    let survey = survey(&settings.data, Some(names.clone()), settings.skip_bad)?;
    check_shocks(settings, &survey)?;
    if survey.first_ns < kernel.now_ns() {
        let problem = format!(
            "expected the market data to begin at or after the last ts, {} ns, found its first tick at {} ns",
            kernel.now_ns(),
            survey.first_ns
        );
        return Err(ReplayError::Accounts { file: path.display().to_string(), problem });
    }
    slow_unwinding(&mut kernel)?;
    let population = PopulationReport { rejected: count, rejected_examples: examples, ..PopulationReport::default() };
    Ok(Start { kernel, names, population })
}

fn kernel_settings(settings: &Settings, accounts: u64) -> kernel::Settings {
    let accounts = usize::try_from(accounts).unwrap_or(0).min(1 << 26); // beyond that the columns may as well grow
    let capacity = Capacity { accounts, positions: accounts * POSITIONS_PER_ACCOUNT, orders: 0 };
    kernel::Settings { shards: settings.shards, strategy: settings.strategy, capacity }
}

/// Every shock must concern something.
fn check_shocks(settings: &Settings, survey: &Survey) -> Result<(), ReplayError> {
    let seen: Vec<&str> =
        survey.symbols.iter().filter(|(_, first)| first.is_some()).map(|(name, _)| name.as_str()).collect();
    match settings.shocks.iter().find(|shock| !seen.contains(&shock.symbol.as_str())) {
        Some(shock) => Err(ReplayError::ShockSymbol { symbol: shock.symbol.clone(), known: seen.join(", ") }),
        None => Ok(()),
    }
}

fn slow_unwinding(kernel: &mut Kernel) -> Result<(), ReplayError> {
    for index in 0..kernel.market().funds.len() {
        let mut spec = kernel.market().fund(FundId(index as u32)).clone();
        if spec.unwind_interval_ns > 0 {
            continue; // its own setting
        }
        spec.unwind_interval_ns = UNWIND_INTERVAL_NS;
        let what = format!("the fund {}", spec.name);
        kernel.declare_fund(None, spec).map_err(|refusal| ReplayError::Refused { what, refusal })?;
    }
    Ok(())
}

/// The price level of a tick, in the quote currency.
fn level(tick: &Tick) -> crate::decimal::Decimal {
    match tick.kind {
        TickKind::Quote { bid: price, .. } | TickKind::Trade { price, .. } | TickKind::Mark { price } => price,
    }
}

/// The mark that the first tick of a symbol sets, in ticks.
fn starting_price(kernel: &Kernel, id: InstrumentId, first: &Tick) -> Result<Price, ReplayError> {
    let spec = &kernel.market().instrument(id).spec;
    let price = SymbolPrices::new(spec.tick, spec.lot, Vec::new()).first_mark(first);
    let level = || ReplayError::PriceLevel { symbol: spec.symbol.clone(), price: level(first).to_string() };
    price.ok_or_else(level)
}

/// Pays into the fund its part of the open interest at the starting prices.
fn endow_fund(kernel: &mut Kernel, starts: &[Price]) -> Result<(), Refusal> {
    let mut notional: i128 = 0;
    for (index, (instrument, &start)) in kernel.market().instruments.iter().zip(starts).enumerate() {
        notional += instrument.notional(kernel.open_interest_of(InstrumentId(index as u32)), start);
    }
    let amount = mul_div_floor(notional, i128::from(FUND_PPM), 1_000_000).max(1);
    let amount = i64::try_from(amount).map_err(|_| Refusal::Overflow { what: "the fund's deposit" })?;
    kernel.apply(&Command::FundDeposit { fund: FundId(0), amount })
}
