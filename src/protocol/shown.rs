//! How numbers and names are shown in lines: in the decimals and words of the protocol.

use super::encode::Encoder;
use crate::command::{PositionSide, Side};
use crate::contract::Unit;
use crate::decimal::Grid;
use crate::event::{Cause, FundReason, Outcome, PoolName, Step};
use crate::market::{AssetId, InstrumentId};
use crate::number::div_half_even;
use crate::position::Position;
use crate::prices::INDEX_DECIMALS;
use ethnum::I256;
use std::fmt::Display;

/// Decimal places of ratios and scores.
const RATIO_DECIMALS: u32 = 8;

/// Decimal places of an entry price beyond the tick's.
const ENTRY_DECIMALS: u32 = 4;

impl<'a> Encoder<'a> {
    pub(super) fn amount(self, asset: AssetId, quanta: i128) -> impl Display {
        self.market.quanta(asset).value(quanta)
    }

    pub(super) fn price(self, instrument: InstrumentId, ticks: impl Into<i128>) -> impl Display {
        self.market.instrument(instrument).spec.tick.value(ticks.into())
    }

    pub(super) fn quantity(self, instrument: InstrumentId, lots: impl Into<i128>) -> impl Display {
        self.market.instrument(instrument).spec.lot.value(lots.into())
    }

    pub(super) fn symbol(self, instrument: InstrumentId) -> &'a str {
        &self.market.instrument(instrument).spec.symbol
    }

    pub(super) fn settle(self, instrument: InstrumentId) -> AssetId {
        self.market.instrument(instrument).spec.settle
    }

    pub(super) fn pool_asset(self, pool: PoolName) -> AssetId {
        match pool {
            PoolName::Cross(asset) => asset,
            PoolName::Isolated(instrument, _) => self.settle(instrument),
        }
    }

    pub(super) fn pool(self, pool: PoolName) -> String {
        match pool {
            PoolName::Cross(asset) => format!("cross:{}", self.market.asset(asset).name),
            PoolName::Isolated(instrument, None) => format!("isolated:{}", self.symbol(instrument)),
            PoolName::Isolated(instrument, Some(side)) => {
                format!("isolated:{}:{}", self.symbol(instrument), position_side_word(side))
            }
        }
    }

    pub(super) fn cause(self, cause: Cause) -> &'a str {
        match cause {
            Cause::Instrument(instrument) => self.symbol(instrument),
            Cause::Op(op) => op,
        }
    }

    /// The price at which a position's unrealised result is zero, to four places more than the tick has; none for an
    /// inverse position that cost nothing.
    pub(super) fn entry(self, instrument: InstrumentId, position: &Position) -> Option<impl Display + use<>> {
        let spec = &self.market.instrument(instrument).spec;
        let tick = spec.tick.step();
        let scale = tick.scale() + ENTRY_DECIMALS;
        let tick_in_places = I256::from(tick.mantissa()) * I256::from(10i128.pow(ENTRY_DECIMALS));
        let lots = I256::from(position.quantity.unsigned_abs());
        let signed_cost = I256::from(position.cost * i128::from(position.quantity.signum()));
        let (numerator, denominator) = match spec.unit {
            Unit::Linear(unit) => (signed_cost * tick_in_places, lots * I256::from(unit)),
            Unit::Inverse { .. } if position.cost == 0 => return None,
            Unit::Inverse { numerator, denominator } => {
                let at_one = lots * I256::from(numerator) * tick_in_places * -signed_cost.signum();
                (at_one, signed_cost.abs() * I256::from(denominator))
            }
        };
        let entry = div_half_even(numerator, denominator);
        Some(Grid::decimals(scale).value(i128::try_from(entry).unwrap_or(i128::MAX)))
    }
}

/// `numerator / denominator` to eight places, half-even; none unless the denominator is positive.
pub(super) fn ratio(numerator: i128, denominator: i128) -> Option<impl Display> {
    (denominator > 0).then(|| {
        let scaled = I256::from(numerator) * I256::from(10i128.pow(RATIO_DECIMALS));
        Grid::decimals(RATIO_DECIMALS).value(div_half_even(scaled, I256::from(denominator)).as_i128())
    })
}

/// An index, in steps of 10^-8.
pub(super) fn index(steps: i64) -> impl Display {
    Grid::decimals(INDEX_DECIMALS).value(i128::from(steps))
}

/// A rate, in parts per billion.
pub(super) fn rate(ppb: i64) -> impl Display {
    Grid::ppb().value(i128::from(ppb))
}

/// A smoothed basis, in 2^-64 steps of 10^-8, to eight places, half-even.
pub(super) fn smoothed_basis(ema: fixed::types::I64F64) -> impl Display {
    let steps = div_half_even(I256::from(ema.to_bits()), I256::from(1i128 << 64));
    Grid::decimals(INDEX_DECIMALS).value(steps.as_i128())
}

/// A score to eight places, half-even.
pub(super) fn score(score: fixed::types::I64F64) -> impl Display {
    let scaled = I256::from(score.to_bits()) * I256::from(10i128.pow(RATIO_DECIMALS));
    Grid::decimals(RATIO_DECIMALS).value(div_half_even(scaled, I256::from(1i128 << 64)).as_i128())
}

pub(super) fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

pub(super) fn kind_word(unit: Unit) -> &'static str {
    match unit {
        Unit::Linear(_) => "linear_perp",
        Unit::Inverse { .. } => "inverse_perp",
    }
}

pub(super) fn position_side_word(side: PositionSide) -> &'static str {
    match side {
        PositionSide::Long => "long",
        PositionSide::Short => "short",
    }
}

/// The side of a position of signed size.
pub(super) fn position_word(quantity: i64) -> &'static str {
    if quantity > 0 { "long" } else { "short" }
}

pub(super) fn step_word(step: Step) -> &'static str {
    match step {
        Step::Tier => "tier",
        Step::Fraction => "fraction",
        Step::All => "all",
        Step::Unwind => "unwind",
    }
}

pub(super) fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Cured => "cured",
        Outcome::Closed => "closed",
    }
}

pub(super) fn reason_word(reason: FundReason) -> &'static str {
    match reason {
        FundReason::Fee => "fee",
        FundReason::Unwind => "unwind",
        FundReason::Netting => "netting",
        FundReason::Rounding => "rounding",
        FundReason::Adl => "adl",
        FundReason::AdlResidue => "adl_residue",
        FundReason::Deficit => "deficit",
        FundReason::Socialised => "socialised",
        FundReason::Deposit => "deposit",
        FundReason::Funding => "funding",
        FundReason::Compensation => "compensation",
    }
}
