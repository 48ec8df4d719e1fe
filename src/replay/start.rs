//! The state before the first tick: instruments, accounts, funds, venue and starting prices.

use super::error::ReplayError;
use super::import::{Rejected, import};
use super::instruments::Terms;
use super::outcome::PopulationReport;
use super::population::{self, Drawn, FUND_PPM, Listing, POSITIONS_PER_ACCOUNT};
use super::prices::mark_command;
use super::prices::{Sizes, SymbolPrices};
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
        Population::Generated { accounts, seed, hedge_percent, inverse_percent } => {
            let drawn = Drawn { accounts: *accounts, seed: *seed, hedge_percent: *hedge_percent };
            generate(settings, drawn, *inverse_percent, progress)?
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
    drawn: Drawn,
    inverse_percent: u64,
    progress: &mut dyn FnMut(Progress),
) -> Result<Start, ReplayError> {
    if inverse_percent > 100 {
        return Err(ReplayError::Setting(format!("--inverse {inverse_percent}: expected 0 to 100 percent")));
    }
    let survey = survey(&settings.data, None, settings.skip_bad)?;
    check_shocks(settings, &survey)?;
    let mut kernel = Kernel::new(kernel_settings(settings, drawn.accounts));
    if settings.journal.is_some() {
        kernel.keep_record();
    }
    let refused = |what: &str| {
        let what = what.to_owned();
        move |refusal: Refusal| ReplayError::Refused { what, refusal }
    };
    let inverse = inverse_symbols(&survey, inverse_percent);
    let mut listings = Vec::new();
    let mut names = Vec::new();
    for (symbol, first) in survey.symbols {
        let unseen = || ReplayError::Setting(format!("{symbol}: expected at least one tick, found none"));
        let first = first.ok_or_else(unseen)?;
        let terms =
            Terms { inverse: inverse.contains(&symbol), computed_mark: settings.computed_marks, ..Terms::default() };
        let contract = instruments::declare(&mut kernel, &symbol, level(&first), terms)?;
        listings.push(Listing { start: starting_price(&kernel, contract.id, &first)?, face: contract.face });
        names.push(symbol);
    }
    slow_unwinding(&mut kernel)?;
    let loading = &mut |done| progress(Progress::Loading { done, total: Some(drawn.accounts) });
    population::load(&mut kernel, drawn, &listings, loading)?;
    endow_funds(&mut kernel, &listings).map_err(refused("a fund's deposit"))?;
    let mut liquidated_at_start = 0;
    for (index, listing) in listings.iter().enumerate() {
        let mark = mark_command(kernel.market(), InstrumentId(index as u32), listing.start);
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

/// The symbols whose contracts are inverse: the first ones in alphabetical order, so that it does not matter whose row
/// comes first.
fn inverse_symbols(survey: &Survey, percent: u64) -> Vec<String> {
    let mut symbols: Vec<String> = survey.symbols.iter().map(|(symbol, _)| symbol.clone()).collect();
    symbols.sort_unstable();
    let count = (symbols.len() as u64 * percent).div_ceil(100);
    symbols.truncate(count as usize); // at most the length
    symbols
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
    let price = SymbolPrices::new(spec.tick, Sizes::Lots(spec.lot), Vec::new()).first_mark(first);
    let level = || ReplayError::PriceLevel { symbol: spec.symbol.clone(), price: level(first).to_string() };
    price.ok_or_else(level)
}

/// Pays into each fund its part of the open interest that it stands for, at the starting prices.
fn endow_funds(kernel: &mut Kernel, listings: &[Listing]) -> Result<(), Refusal> {
    let mut notionals: Vec<i128> = vec![0; kernel.market().funds.len()];
    for (index, (instrument, listing)) in kernel.market().instruments.iter().zip(listings).enumerate() {
        let lots = kernel.open_interest_of(InstrumentId(index as u32));
        notionals[instrument.spec.fund.index()] += instrument.notional(lots, listing.start);
    }
    for (index, notional) in notionals.into_iter().enumerate() {
        let amount = mul_div_floor(notional, i128::from(FUND_PPM), 1_000_000).max(1);
        let amount = i64::try_from(amount).map_err(|_| Refusal::Overflow { what: "a fund's deposit" })?;
        kernel.apply(&Command::FundDeposit { fund: FundId(index as u32), amount })?;
    }
    Ok(())
}
