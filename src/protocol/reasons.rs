//! Refusals of the kernel as sentences, in the decimals that people write.

use super::Rejection;
use crate::command::{Command, Fill, Order};
use crate::controls::Limited;
use crate::decimal::{Decimal, Grid};
use crate::market::{AssetId, InstrumentId, Market};
use crate::number::{Price, Quantity};
use crate::prices::INDEX_DECIMALS;
use crate::refusal::Refusal;

/// What a line named, for the sentence that refuses it.
#[derive(Debug, Default)]
pub(super) struct Context {
    pub(super) instrument: Option<InstrumentId>,
    pub(super) asset: Option<AssetId>,
    /// The number by which it named a liquidation order.
    pub(super) liquidation: Option<u64>,
    /// Each number of the line: its field, its value, and the grid it must lie on.
    pub(super) numbers: Vec<(&'static str, Decimal, Grid)>,
}

impl Context {
    /// What a line would have named that says the same as this command. Ids that the market does not have name nothing.
    pub(super) fn of_command(market: &Market, command: &Command) -> Self {
        let mut context = Self::default();
        match *command {
            Command::Mark { instrument, price }
            | Command::MarkFrom { instrument, price, .. }
            | Command::Last { instrument, price } => {
                context.place(market, instrument, None, Some(price));
            }
            Command::Index { instrument, price, .. } => {
                context.place(market, instrument, None, None);
                context.note("price", price, Grid::decimals(INDEX_DECIMALS));
            }
            Command::Fill(Fill { instrument, quantity, price, .. })
            | Command::Order(Order { instrument, quantity, price, .. })
            | Command::LiquidationFill { instrument, quantity, price, .. } => {
                context.place(market, instrument, Some(quantity), Some(price));
            }
            Command::Deposit { asset, amount, .. }
            | Command::Withdraw { asset, amount, .. }
            | Command::Hold { asset, amount, .. } => context.pay(market, asset, amount),
            Command::Leverage { instrument, leverage, .. } => {
                context.place(market, instrument, None, None);
                context.note("leverage", i64::from(leverage), Grid::decimals(2));
            }
            Command::MarginMode { instrument, .. } | Command::AirlockRelease { instrument, .. } => {
                context.place(market, instrument, None, None);
            }
            Command::Funding { instrument, rate_ppb } => {
                context.place(market, instrument, None, None);
                context.note("rate", rate_ppb, Grid::ppb());
            }
            Command::IsolatedMargin { instrument, amount, .. } => {
                context.place(market, instrument, None, None);
                if context.instrument.is_some() {
                    context.pay(market, market.instrument(instrument).spec.settle, amount);
                }
            }
            Command::FundDeposit { fund, amount } => {
                if let Some(fund) = market.funds.get(fund.index()) {
                    context.pay(market, fund.asset, amount);
                }
            }
            _ => {}
        }
        context
    }

    fn place(&mut self, market: &Market, id: InstrumentId, lots: Option<Quantity>, ticks: Option<Price>) {
        let Some(at) = market.instruments.get(id.index()) else { return };
        self.instrument = Some(id);
        if let Some(lots) = lots {
            self.note("qty", lots, at.spec.lot);
        }
        if let Some(ticks) = ticks {
            self.note("price", ticks, at.spec.tick);
        }
    }

    fn pay(&mut self, market: &Market, id: AssetId, amount: i64) {
        if id.index() < market.assets.len() {
            self.asset = Some(id);
            self.note("amount", amount, market.quanta(id));
        }
    }

    fn note(&mut self, field: &'static str, steps: i64, grid: Grid) {
        self.numbers.push((field, grid.value(i128::from(steps)), grid));
    }

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
            Refusal::RateBeyondOne => format!("rate must be above -1 and below 1, not {}", self.number("rate")?.0),
            Refusal::NoMark => format!("{} never had a mark", instrument?.symbol),
            Refusal::NotPositive { what } => format!("{what} must be above zero, not {}", self.number(what)?.0),
            Refusal::OffGrid { what } => {
                let (value, grid) = self.number(what)?;
                format!("{what} {value} is not a multiple of {}", grid.step())
            }
            Refusal::InsufficientMargin { after } => format!("available would be {}", money(after)?),
            Refusal::InsufficientFund { fund, balance, equity } => {
                let spec = market.funds.get(fund.index())?;
                let amount = |quanta| market.quanta(spec.asset).value(quanta);
                format!(
                    "fund {} would be left with a balance of {} and an equity of {}, which must be at least 0 and its floor of {}",
                    spec.name,
                    amount(balance),
                    amount(equity),
                    amount(spec.floor)
                )
            }
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
            Refusal::Limit(Limited::OpenInterest(limit)) => {
                format!("open_interest: the order could lead beyond the limit of {}", lots(limit)?)
            }
            Refusal::Limit(Limited::Position(limit)) => {
                format!("position: the order could take the position beyond the limit of {}", lots(limit)?)
            }
            Refusal::Limit(Limited::Group { group, limit }) => {
                format!(
                    "position: the order could take the positions of group {group} beyond the limit of {}",
                    lots(limit)?
                )
            }
            Refusal::Limit(Limited::Collar(collar)) => {
                let collar = Grid::ppb().value(i128::from(collar));
                format!("collar: the price is further from the mark than {collar} of it")
            }
            Refusal::UnknownLiquidation(_) => unknown_liquidation(self.liquidation?),
            Refusal::BeyondOpen { open, .. } => {
                format!("of liquidation order {} only {} can still be filled", self.liquidation?, lots(open)?)
            }
            Refusal::BeyondLimit { limit, .. } => {
                let (limit, liquidation) = (instrument?.tick.value(i128::from(limit)), self.liquidation?);
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

/// No order of that number can be answered.
pub(super) fn unknown_liquidation(number: u64) -> String {
    format!("there is no open liquidation order {number}")
}
