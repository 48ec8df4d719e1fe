//! Checks of the numbers that a command brings, in the order of the protocol: value first, then grid, then size.

use crate::command::{OffGrid, OrderName, PositionSide, Side};
use crate::number::{LIMIT, Price, Quantity};
use crate::refusal::Refusal;

/// A number above zero; `off` says that it lies between `steps` and the next step.
pub(crate) fn positive(what: &'static str, steps: i64, off: bool) -> Result<(), Refusal> {
    if steps > 0 || (steps == 0 && off) { Ok(()) } else { Err(Refusal::NotPositive { what }) }
}

/// Nothing finer than its grid; `amount` is what the command calls its amount, quantity or leverage.
pub(crate) fn on_grid(off_grid: OffGrid, amount: &'static str) -> Result<(), Refusal> {
    match off_grid {
        OffGrid { amount: true, .. } => Err(Refusal::OffGrid { what: amount }),
        OffGrid { price: true, .. } => Err(Refusal::OffGrid { what: "price" }),
        OffGrid::NONE => Ok(()),
    }
}

/// An account in hedge mode names the leg, any other one names none.
pub(crate) fn position_side(account: u64, side: Option<PositionSide>, hedges: bool) -> Result<(), Refusal> {
    match side {
        None if hedges => Err(Refusal::LegMissing { account }),
        Some(_) if !hedges => Err(Refusal::LegInOneWay { account }),
        _ => Ok(()),
    }
}

/// An amount of money: above zero, on the grid, below 2^62 quanta.
pub(crate) fn amount(amount: i64, off_grid: OffGrid) -> Result<(), Refusal> {
    positive("amount", amount, off_grid.amount)?;
    on_grid(off_grid, "amount")?;
    if i128::from(amount) < LIMIT { Ok(()) } else { Err(Refusal::Overflow { what: "the amount" }) }
}

/// A fill of a liquidation order: at most what is open, at the limit or better.
pub(crate) fn order_fill(
    order: OrderName,
    (lots, price): (Quantity, Price),
    off_grid: OffGrid,
    (side, open, limit): (Side, Quantity, Price),
) -> Result<(), Refusal> {
    positive("qty", lots, off_grid.amount)?;
    positive("price", price, off_grid.price)?;
    if lots > open || (off_grid.amount && lots == open) {
        return Err(Refusal::BeyondOpen { order, open });
    }
    let worse = match side {
        Side::Sell => price < limit,
        Side::Buy => price > limit || (off_grid.price && price == limit),
    };
    if worse {
        return Err(Refusal::BeyondLimit { order, limit });
    }
    on_grid(off_grid, "qty")
}
