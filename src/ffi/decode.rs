//! Events on the way back from C, to be written as lines: every number may be anything.

use super::command::{terrace_order_name, terrace_pool};
use super::event::{
    terrace_amount, terrace_cause, terrace_computed_mark, terrace_corrected, terrace_happening, terrace_owner,
};
use super::numbers::Word;
use super::words::{terrace_cause_kind, terrace_remedy};
use crate::command::Side;
use crate::controls::Scope;
use crate::event::{Cause, Corrected, Event, Owner, PoolName};
use crate::market::{AssetId, FundId, InstrumentId, Market};
use crate::prices::{MarkInputs, MarkRule};
use fixed::types::I64F64;

impl From<terrace_amount> for i128 {
    fn from(amount: terrace_amount) -> Self {
        Self::from(amount.high) << 64 | Self::from(amount.low)
    }
}

impl terrace_computed_mark {
    fn inputs(&self) -> Option<MarkInputs> {
        let (index, there) = (self.index, |price: i64| (price != 0).then_some(price));
        Some(match Word::read(self.rule)? {
            MarkRule::External => return None,
            MarkRule::Median => MarkInputs::Median { index, p1: self.p1, p2: there(self.p2), last: there(self.last) },
            MarkRule::FairBasis => MarkInputs::FairBasis { index, rate_ppb: self.rate },
            MarkRule::EmaBasis => MarkInputs::EmaBasis { index, ema: I64F64::from_bits(self.ema.into()) },
        })
    }
}

/// Reads back what C hands in, with every id looked up in the market.
pub(super) struct EventReader<'a>(pub(super) &'a Market);

impl EventReader<'_> {
    fn instrument(&self, id: u32) -> Option<InstrumentId> {
        ((id as usize) < self.0.instruments.len()).then_some(InstrumentId(id))
    }

    fn fund(&self, id: u32) -> Option<FundId> {
        ((id as usize) < self.0.funds.len()).then_some(FundId(id))
    }

    fn pool(&self, pool: terrace_pool) -> Option<PoolName> {
        pool.read().filter(|name| match name {
            PoolName::Cross(asset) => asset.index() < self.0.assets.len(),
            PoolName::Isolated(instrument, _) => instrument.index() < self.0.instruments.len(),
        })
    }

    fn cause(&self, cause: terrace_cause) -> Option<Cause> {
        match cause.kind {
            kind if kind == terrace_cause_kind::Instrument as u32 => self.instrument(cause.id).map(Cause::Instrument),
            kind if kind == terrace_cause_kind::Op as u32 => {
                Cause::OPS.get(cause.id as usize)?.to_str().ok().map(Cause::Op)
            }
            _ => None,
        }
    }

    fn corrected(&self, it: &terrace_corrected) -> Option<Corrected> {
        let (quantity, price, to, amount) = (it.quantity, it.price, it.to, it.amount);
        let trade = || Some((self.instrument(it.instrument)?, <Side as Word>::read(it.side)?));
        let asset = || ((it.asset as usize) < self.0.assets.len()).then_some(AssetId(it.asset));
        Some(match it.remedy {
            remedy if remedy == terrace_remedy::Bust as u32 => {
                let (instrument, side) = trade()?;
                Corrected::Bust { instrument, side, quantity, price }
            }
            remedy if remedy == terrace_remedy::Reprice as u32 => {
                let (instrument, side) = trade()?;
                Corrected::Reprice { instrument, side, quantity, price, to }
            }
            remedy if remedy == terrace_remedy::Adjust as u32 => Corrected::Adjust { asset: asset()?, amount },
            remedy if remedy == terrace_remedy::Compensate as u32 => Corrected::Compensate { asset: asset()?, amount },
            _ => return None,
        })
    }

    /// The event; none if it is a refusal, or if a number is none of those that its field takes.
    #[expect(clippy::too_many_lines, reason = "one arm for each happening")]
    pub(super) fn read(&self, what: &terrace_happening) -> Option<Event> {
        Some(match *what {
            terrace_happening::Refused(_) => return None,
            terrace_happening::LiquidationStarted(it) => Event::LiquidationStarted {
                account: it.account,
                pool: self.pool(it.pool)?,
                equity: it.equity.into(),
                maintenance_margin: it.maintenance_margin.into(),
                cause: self.cause(it.cause)?,
            },
            terrace_happening::LiquidationSuppressed(it) => {
                Event::LiquidationSuppressed { account: it.account, pool: self.pool(it.pool)? }
            }
            terrace_happening::CancelRequested(it) => Event::CancelRequested {
                account: it.account,
                pool: self.pool(it.pool)?,
                order: it.order,
                more: it.more,
            },
            terrace_happening::OrderCancelled(it) => {
                Event::OrderCancelled { account: it.account, pool: self.pool(it.pool)?, order: it.order, more: it.more }
            }
            terrace_happening::OrderCut(it) => Event::OrderCut {
                account: it.account,
                instrument: self.instrument(it.instrument)?,
                order: it.order,
                left: it.quantity,
            },
            terrace_happening::OrderMismatch(it) => Event::OrderMismatch {
                account: it.account,
                instrument: self.instrument(it.instrument)?,
                order: it.order,
                uncovered: it.quantity,
            },
            terrace_happening::Offset(it) => Event::Offset {
                account: it.account,
                instrument: self.instrument(it.instrument)?,
                quantity: it.quantity,
                price: it.price,
            },
            terrace_happening::LiquidationOrder(it) => Event::LiquidationOrder {
                liquidation: it.liquidation,
                owner: it.order.read()?.owner.owner(),
                nth: it.order.nth,
                instrument: self.instrument(it.instrument)?,
                side: Word::read(it.side)?,
                quantity: it.quantity,
                limit: it.limit,
                step: Word::read(it.step)?,
            },
            terrace_happening::LiquidationFilled(it) => Event::LiquidationFill {
                liquidation: it.liquidation,
                owner: read_owner(it.owner)?,
                instrument: self.instrument(it.instrument)?,
                side: Word::read(it.side)?,
                quantity: it.quantity,
                price: it.price,
                fee: it.fee.into(),
                realised: it.realised.into(),
            },
            terrace_happening::Takeover(it) => Event::Takeover {
                account: it.account,
                instrument: self.instrument(it.instrument)?,
                quantity: negatable(it.quantity)?,
                price: Some(it.price.into()).filter(|&price| price != 0),
                passed: it.passed.into(),
            },
            terrace_happening::Deleveraged(it) => Event::Deleveraged {
                owner: read_owner(it.owner)?,
                counter: it.counter,
                instrument: self.instrument(it.instrument)?,
                quantity: negatable(it.quantity)?,
                price: it.price.into(),
                realised: it.realised.into(),
                rank: it.rank,
            },
            terrace_happening::AdlReport(it) => Event::AdlReport {
                owner: read_owner(it.owner)?,
                instrument: self.instrument(it.instrument)?,
                needed: it.needed,
                reduced: it.reduced,
                counterparties: it.counterparties,
                largest: it.largest,
            },
            terrace_happening::LiquidationEnded(it) => Event::LiquidationEnded {
                account: it.account,
                pool: self.pool(it.pool)?,
                outcome: Word::read(it.outcome)?,
                equity: it.equity.into(),
            },
            terrace_happening::FundChange(it) => Event::Fund {
                fund: self.fund(it.fund)?,
                delta: it.delta.into(),
                balance: it.balance.into(),
                reason: Word::read(it.reason)?,
            },
            terrace_happening::FundDrawdown(it) => Event::FundDrawdown {
                fund: self.fund(it.fund)?,
                active: match it.active {
                    0 => false,
                    1 => true,
                    _ => return None,
                },
                equity: it.equity.into(),
                peak: it.peak.into(),
            },
            terrace_happening::Socialised(it) => Event::Socialised {
                account: it.account,
                instrument: self.instrument(it.instrument)?,
                amount: it.amount.into(),
            },
            terrace_happening::FundDeficit(it) => {
                let equity: i128 = it.equity.into();
                equity.checked_neg()?;
                Event::FundDeficit { fund: self.fund(it.fund)?, equity }
            }
            terrace_happening::IndexFrozen(it) => {
                Event::IndexFrozen { instrument: self.instrument(it.instrument)?, index: it.index }
            }
            terrace_happening::ComputedMark(it) => {
                Event::Mark { instrument: self.instrument(it.instrument)?, price: it.price, inputs: it.inputs()? }
            }
            terrace_happening::MarkFrozen(it) => {
                Event::MarkFrozen { instrument: self.instrument(it.instrument)?, cause: Word::read(it.cause)? }
            }
            terrace_happening::MarkLive(it) => {
                Event::MarkLive { instrument: self.instrument(it.instrument)?, cause: Word::read(it.cause)? }
            }
            terrace_happening::RulesSettled(id) => Event::RulesSettled { instrument: self.instrument(id)? },
            terrace_happening::FundingSettled(it) => {
                let (paid, received): (i128, i128) = (it.paid.into(), it.received.into());
                paid.checked_sub(received)?; // a line shows the difference
                let instrument = self.instrument(it.instrument)?;
                Event::FundingSettled { instrument, rate_ppb: it.rate_ppb, paid, received }
            }
            terrace_happening::ModeSet(it) => {
                let (scope, mode) = it.read()?;
                match scope {
                    Scope::Instrument(id) => drop(self.instrument(id.0)?),
                    Scope::Fund(id) => drop(self.fund(id.0)?),
                    Scope::All | Scope::Account(_) => {}
                }
                Event::Mode { scope, mode }
            }
            terrace_happening::HealthSet(it) => {
                let (state, instrument, active, mode) = it.read()?;
                if let Some(id) = instrument {
                    self.instrument(id.0)?;
                }
                Event::Health { state, instrument, active, mode }
            }
            terrace_happening::Corrected(it) => Event::Corrected {
                corrects: it.corrects,
                account: it.account,
                remark: self.0.remark(it.remark).map(|_| it.remark)?,
                what: self.corrected(&it)?,
            },
            terrace_happening::AirlockHeld(it) => Event::AirlockHeld {
                instrument: self.instrument(it.instrument)?,
                price: it.price,
                mark: it.mark,
                accounts: it.accounts,
                notional: it.notional.into(),
                fund_loss: it.fund_loss.into(),
            },
            terrace_happening::AirlockEnded(it) => Event::AirlockEnded {
                instrument: self.instrument(it.instrument)?,
                outcome: Word::read(it.outcome)?,
                price: it.price,
            },
            terrace_happening::MarginCall(it) => Event::MarginCall {
                account: it.account,
                pool: self.pool(it.pool)?,
                equity: it.equity.into(),
                maintenance_margin: it.maintenance_margin.into(),
                level_ppb: it.level,
            },
        })
    }
}

/// A line shows the absolute value, which the lowest number does not have.
fn negatable(quantity: i64) -> Option<i64> {
    quantity.checked_neg().map(|_| quantity)
}

fn read_owner(owner: terrace_owner) -> Option<Owner> {
    terrace_order_name { owner_kind: owner.kind, nth: 0, owner: owner.id }.read().map(|name| name.owner.owner())
}
