//! The checks of a correction before it gets its place, in the order of the protocol.

use super::gate::{Facts, Found, check_account, check_asset, check_instrument};
use crate::checks;
use crate::command::{Command, OffGrid};
use crate::correction::{Correction, CorrectionOffGrid, Remedy, Trade};
use crate::market::{FundId, Market};
use crate::number::{LIMIT, Price};
use crate::refusal::Refusal;

/// Checks a correction as far as that needs no shard; `present` is its number, which `corrects` must lie below.
///
/// # Errors
///
/// The refusal; nothing has changed.
pub(crate) fn check_correction(
    market: &Market,
    facts: &mut impl Facts,
    correction: &Correction,
    off_grid: CorrectionOffGrid,
    present: u64,
) -> Result<(), Refusal> {
    check_names(market, facts, correction)?;
    correction.check_alone()?;
    if correction.corrects >= present {
        return Err(Refusal::CorrectsFuture { corrects: correction.corrects, present });
    }
    let CorrectionOffGrid { amount, price, .. } = off_grid;
    match &correction.remedy {
        Remedy::Bust { trade, fee, counter_fee } => {
            check_trade(facts, trade, off_grid)?;
            check_grids(off_grid)?;
            check_fee("fee", *fee)?;
            check_fee("counter_fee", *counter_fee)?;
            check_sizes(market, trade, trade.price)?;
            let undone = Command::Fill(trade.undone());
            let dearest = market.instrument(trade.instrument).dearest(trade.price);
            let fits = facts.open_interest_fits(
                market,
                (&undone, OffGrid::NONE),
                &Found::default(),
                trade.instrument,
                dearest,
            );
            if fits { Ok(()) } else { Err(too_large()) }
        }
        Remedy::Reprice { trade, to } => {
            check_trade(facts, trade, off_grid)?;
            checks::positive("to", *to, off_grid.to)?;
            check_grids(off_grid)?;
            check_sizes(market, trade, trade.price)?;
            check_sizes(market, trade, *to)
        }
        Remedy::Adjust { amount: change, .. } => {
            if *change == 0 && !amount {
                return Err(Refusal::ZeroAmount);
            }
            checks::on_grid(OffGrid { amount, price }, "amount")?;
            let fits = i128::from(*change).abs() < LIMIT;
            if fits { Ok(()) } else { Err(Refusal::Overflow { what: "the amount" }) }
        }
        Remedy::Compensate { asset, amount: given, fund, .. } => {
            if market.fund(*fund).asset != *asset {
                return Err(Refusal::BadDeclaration { what: "the fund is kept in another asset" });
            }
            checks::amount(*given, OffGrid { amount, price })
        }
    }
}

/// Instruments, assets and funds first, then accounts.
fn check_names(market: &Market, facts: &impl Facts, correction: &Correction) -> Result<(), Refusal> {
    match &correction.remedy {
        Remedy::Bust { trade, .. } | Remedy::Reprice { trade, .. } => check_instrument(market, trade.instrument)?,
        Remedy::Adjust { asset, .. } => check_asset(market, *asset)?,
        Remedy::Compensate { asset, fund, .. } => {
            check_asset(market, *asset)?;
            check_fund(market, *fund)?;
        }
    }
    check_account(facts, correction.account())?;
    correction.counterparty().map_or(Ok(()), |account| check_account(facts, account))
}

fn check_fund(market: &Market, id: FundId) -> Result<(), Refusal> {
    market.funds.get(id.index()).map(drop).ok_or(Refusal::UnknownFund(id.0))
}

/// The values of a trade, as those of a fill.
fn check_trade(facts: &impl Facts, trade: &Trade, off_grid: CorrectionOffGrid) -> Result<(), Refusal> {
    checks::position_side(trade.account, trade.position_side, facts.hedges(trade.account))?;
    if let Some(counterparty) = trade.counterparty {
        checks::position_side(counterparty, trade.counter_position_side, facts.hedges(counterparty))?;
    }
    if trade.counterparty == Some(trade.account) {
        return Err(Refusal::SelfFill(trade.account));
    }
    checks::positive("qty", trade.quantity, off_grid.amount)?;
    checks::positive("price", trade.price, off_grid.price)
}

fn check_grids(off_grid: CorrectionOffGrid) -> Result<(), Refusal> {
    let CorrectionOffGrid { amount, price, to, fee, counter_fee } = off_grid;
    let named = [(amount, "qty"), (price, "price"), (to, "to"), (fee, "fee"), (counter_fee, "counter_fee")];
    match named.into_iter().find(|(off, _)| *off) {
        Some((_, what)) => Err(Refusal::OffGrid { what }),
        None => Ok(()),
    }
}

fn check_fee(what: &'static str, fee: i64) -> Result<(), Refusal> {
    if i128::from(fee).abs() < LIMIT { Ok(()) } else { Err(Refusal::Overflow { what }) }
}

/// What is traded, at a price of the trade and at the mark, whichever is dearer.
fn check_sizes(market: &Market, trade: &Trade, price: Price) -> Result<(), Refusal> {
    let instrument = market.instrument(trade.instrument);
    instrument.admitted_value(trade.quantity, price).ok_or(too_large())?;
    instrument.admitted_value(trade.quantity, instrument.dearest(price)).map(drop).ok_or(too_large())
}

fn too_large() -> Refusal {
    Refusal::Overflow { what: "quantity · price · unit" }
}
