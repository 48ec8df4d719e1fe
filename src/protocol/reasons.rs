//! Refusals of the kernel as sentences, in the decimals that people write.

use super::Rejection;
use crate::decimal::{Decimal, Grid};
use crate::market::{AssetId, InstrumentId, Market};
use crate::refusal::Refusal;

/// What a line named, for the sentence that refuses it.
#[derive(Debug, Default)]
pub(super) struct Context {
    pub(super) instrument: Option<InstrumentId>,
    pub(super) asset: Option<AssetId>,
    /// Each number of the line: its field, its value, and the grid it must lie on.
    pub(super) numbers: Vec<(&'static str, Decimal, Grid)>,
}

impl Context {
    /// The rejection for a refusal.
    pub(super) fn explain(&self, market: &Market, refusal: Refusal) -> Rejection {
        let reason = self.sentence(market, refusal).unwrap_or_else(|| refusal.to_string());
        Rejection::new(refusal.code(), reason)
    }

    fn sentence(&self, market: &Market, refusal: Refusal) -> Option<String> {
        let instrument = self.instrument.map(|id| &market.instrument(id).spec);
        let asset = self.asset.or(instrument.map(|spec| spec.settle));
        let money = |quanta: i128| {
            asset.map(|asset| format!("{} {}", market.quanta(asset).value(quanta), market.asset(asset).name))
        };
        let lots = |lots: i64| instrument.map(|spec| spec.lot.value(i128::from(lots)));
        Some(match refusal {
            Refusal::NotPositive { what } => format!("{what} must be above zero, not {}", self.number(what)?.0),
            Refusal::OffGrid { what } => {
                let (value, grid) = self.number(what)?;
                format!("{what} {value} is not a multiple of {}", grid.step())
            }
            Refusal::InsufficientMargin { after } => format!("available would be {}", money(after)?),
            Refusal::InsufficientIsolatedMargin { margin, needed } => {
                format!("the margin left would be {}, and {} is needed", money(margin)?, money(needed)?)
            }
            Refusal::BeyondLastTier { notional, cap } => {
                let (notional, cap) = (money(notional)?, money(cap)?);
                format!("the position could reach a notional of {notional}, beyond the last tier's cap of {cap}")
            }
            Refusal::ReduceOnlySize { position, ordered } => {
                let (position, ordered) = (lots(position)?, lots(ordered)?);
                format!(
                    "reduce-only orders may close at most the position of {position}, and {ordered} is ordered already"
                )
            }
            Refusal::BeyondRest { liquidation, rest } => {
                format!("of liquidation order {liquidation} {} is left", lots(rest)?)
            }
            Refusal::BeyondLimit { liquidation, limit } => {
                let limit = instrument?.tick.value(i128::from(limit));
                format!("the price is worse than the limit of liquidation order {liquidation}, {limit}")
            }
            _ => return None,
        })
    }

    /// A number of the line by its field.
    fn number(&self, field: &str) -> Option<(Decimal, Grid)> {
        self.numbers.iter().find(|(name, ..)| *name == field).map(|&(_, value, grid)| (value, grid))
    }
}
