//! Events, refusals and requests on the way to C.

use super::command::{terrace_health, terrace_order_name, terrace_set_mode};
use super::event::{
    terrace_adl_report, terrace_airlock_ended, terrace_airlock_held, terrace_amount, terrace_cause,
    terrace_computed_mark, terrace_corrected, terrace_deleveraged, terrace_event, terrace_fund_change,
    terrace_fund_deficit, terrace_fund_drawdown, terrace_funding_settled, terrace_happening, terrace_index_frozen,
    terrace_liquidation_ended, terrace_liquidation_filled, terrace_liquidation_order, terrace_liquidation_started,
    terrace_margin_call, terrace_mark_life, terrace_offset, terrace_order_quantity, terrace_owner, terrace_pool_of,
    terrace_pool_order, terrace_request, terrace_request_kind, terrace_socialised, terrace_takeover,
    terrace_venue_order,
};
use super::numbers::Word;
use super::words::{terrace_cause_kind, terrace_code, terrace_owner_kind, terrace_remedy};
use crate::engine::{Output, VenueMessage};
use crate::event::{Cause, Corrected, Event, Owner};
use crate::market::{FreezeCause, InstrumentId};
use crate::prices::MarkInputs;
use crate::venue::VenueRequest;

impl From<i128> for terrace_amount {
    fn from(amount: i128) -> Self {
        Self { low: amount as u64, high: (amount >> 64) as i64 }
    }
}

impl From<&VenueMessage> for terrace_request {
    fn from(message: &VenueMessage) -> Self {
        let what = match message.request {
            VenueRequest::Order { order, instrument, side, quantity, limit, step } => {
                terrace_request_kind::Order(terrace_venue_order {
                    order: order.into(),
                    quantity,
                    limit,
                    instrument: instrument.0,
                    side: side.number(),
                    step: step.number(),
                })
            }
            VenueRequest::Cancel { account, pool } => {
                terrace_request_kind::Cancel(terrace_pool_of { account, pool: pool.into() })
            }
        };
        Self { place: message.place, decided_ns: message.decided_ns, what }
    }
}

fn computed_mark(instrument: InstrumentId, price: i64, inputs: MarkInputs) -> terrace_computed_mark {
    let empty = terrace_computed_mark {
        price,
        index: 0,
        p1: 0,
        p2: 0,
        last: 0,
        rate: 0,
        ema: 0.into(),
        instrument: instrument.0,
        rule: inputs.rule().number(),
    };
    match inputs {
        MarkInputs::Median { index, p1, p2, last } => {
            terrace_computed_mark { index, p1, p2: p2.unwrap_or(0), last: last.unwrap_or(0), ..empty }
        }
        MarkInputs::FairBasis { index, rate_ppb: rate } => terrace_computed_mark { index, rate, ..empty },
        MarkInputs::EmaBasis { index, ema } => terrace_computed_mark { index, ema: ema.to_bits().into(), ..empty },
    }
}

fn corrected(corrects: u64, account: u64, remark: u32, what: Corrected) -> terrace_corrected {
    let empty = terrace_corrected {
        corrects,
        account,
        quantity: 0,
        price: 0,
        to: 0,
        amount: 0,
        instrument: 0,
        side: 0,
        asset: 0,
        remedy: 0,
        remark,
    };
    match what {
        Corrected::Bust { instrument, side, quantity, price } => terrace_corrected {
            remedy: terrace_remedy::Bust as u32,
            instrument: instrument.0,
            side: side.number(),
            quantity,
            price,
            ..empty
        },
        Corrected::Reprice { instrument, side, quantity, price, to } => terrace_corrected {
            remedy: terrace_remedy::Reprice as u32,
            instrument: instrument.0,
            side: side.number(),
            quantity,
            price,
            to,
            ..empty
        },
        Corrected::Adjust { asset, amount } => {
            terrace_corrected { remedy: terrace_remedy::Adjust as u32, asset: asset.0, amount, ..empty }
        }
        Corrected::Compensate { asset, amount } => {
            terrace_corrected { remedy: terrace_remedy::Compensate as u32, asset: asset.0, amount, ..empty }
        }
    }
}

fn life(instrument: InstrumentId, cause: FreezeCause) -> terrace_mark_life {
    terrace_mark_life { instrument: instrument.0, cause: cause.number() }
}

fn owner(owner: Owner, instrument: InstrumentId) -> terrace_owner {
    match owner {
        Owner::Account(id) => terrace_owner { id, kind: terrace_owner_kind::Account as u32 },
        Owner::Fund => terrace_owner { id: u64::from(instrument.0), kind: terrace_owner_kind::Fund as u32 },
    }
}

fn cause(cause: Cause) -> terrace_cause {
    match cause {
        Cause::Instrument(InstrumentId(id)) => terrace_cause { kind: terrace_cause_kind::Instrument as u32, id },
        Cause::Op(op) => {
            let at = Cause::OPS.iter().position(|word| word.to_bytes() == op.as_bytes());
            debug_assert!(at.is_some(), "an op without a number: {op}");
            terrace_cause { kind: terrace_cause_kind::Op as u32, id: at.map_or(u32::MAX, |at| at as u32) }
        }
    }
}

impl From<&Output> for terrace_event {
    fn from(output: &Output) -> Self {
        match output {
            Output::Event { seq, event } => Self { seq: *seq, what: event.into() },
            Output::Refused { seq, refusal } => {
                Self { seq: *seq, what: terrace_happening::Refused(terrace_code::from(refusal.code()) as u32) }
            }
        }
    }
}

impl From<&Event> for terrace_happening {
    #[expect(clippy::too_many_lines, reason = "one arm for each event")]
    fn from(event: &Event) -> Self {
        match *event {
            Event::Health { state, instrument, active, mode } => {
                Self::HealthSet(terrace_health::of(state, instrument, active, mode))
            }
            Event::Mode { scope, mode } => Self::ModeSet(terrace_set_mode::of(scope, mode)),
            Event::Corrected { corrects, account, remark, what } => {
                Self::Corrected(corrected(corrects, account, remark, what))
            }
            Event::MarginCall { account, pool, equity, maintenance_margin, level_ppb } => {
                Self::MarginCall(terrace_margin_call {
                    account,
                    equity: equity.into(),
                    maintenance_margin: maintenance_margin.into(),
                    pool: pool.into(),
                    level: level_ppb,
                })
            }
            Event::LiquidationStarted { account, pool, equity, maintenance_margin, cause: led } => {
                Self::LiquidationStarted(terrace_liquidation_started {
                    account,
                    equity: equity.into(),
                    maintenance_margin: maintenance_margin.into(),
                    pool: pool.into(),
                    cause: cause(led),
                })
            }
            Event::LiquidationSuppressed { account, pool } => {
                Self::LiquidationSuppressed(terrace_pool_of { account, pool: pool.into() })
            }
            Event::CancelRequested { account, pool, order, more } => {
                Self::CancelRequested(terrace_pool_order { account, order, pool: pool.into(), more })
            }
            Event::OrderCancelled { account, pool, order, more } => {
                Self::OrderCancelled(terrace_pool_order { account, order, pool: pool.into(), more })
            }
            Event::OrderCut { account, instrument, order, left: quantity } => {
                Self::OrderCut(terrace_order_quantity { account, order, quantity, instrument: instrument.0 })
            }
            Event::OrderMismatch { account, instrument, order, uncovered: quantity } => {
                Self::OrderMismatch(terrace_order_quantity { account, order, quantity, instrument: instrument.0 })
            }
            Event::Offset { account, instrument, quantity, price } => {
                Self::Offset(terrace_offset { account, quantity, price, instrument: instrument.0 })
            }
            Event::LiquidationOrder { liquidation, owner: of, nth, instrument, side, quantity, limit, step } => {
                let terrace_owner { id, kind } = owner(of, instrument);
                Self::LiquidationOrder(terrace_liquidation_order {
                    liquidation,
                    order: terrace_order_name { owner_kind: kind, nth, owner: id },
                    quantity,
                    limit,
                    instrument: instrument.0,
                    side: side.number(),
                    step: step.number(),
                })
            }
            Event::LiquidationFill { liquidation, owner: of, instrument, side, quantity, price, fee, realised } => {
                Self::LiquidationFilled(terrace_liquidation_filled {
                    liquidation,
                    owner: owner(of, instrument),
                    quantity,
                    price,
                    fee: fee.into(),
                    realised: realised.into(),
                    instrument: instrument.0,
                    side: side.number(),
                })
            }
            Event::Takeover { account, instrument, quantity, price, passed } => Self::Takeover(terrace_takeover {
                account,
                quantity,
                price: price.unwrap_or(0).into(),
                passed: passed.into(),
                instrument: instrument.0,
            }),
            Event::Deleveraged { owner: of, counter, instrument, quantity, price, realised, rank } => {
                Self::Deleveraged(terrace_deleveraged {
                    owner: owner(of, instrument),
                    counter,
                    quantity,
                    price: price.into(),
                    realised: realised.into(),
                    instrument: instrument.0,
                    rank,
                })
            }
            Event::AdlReport { owner: of, instrument, needed, reduced, counterparties, largest } => {
                Self::AdlReport(terrace_adl_report {
                    owner: owner(of, instrument),
                    needed,
                    reduced,
                    largest,
                    instrument: instrument.0,
                    counterparties,
                })
            }
            Event::LiquidationEnded { account, pool, outcome, equity } => {
                Self::LiquidationEnded(terrace_liquidation_ended {
                    account,
                    equity: equity.into(),
                    pool: pool.into(),
                    outcome: outcome.number(),
                })
            }
            Event::Fund { fund, delta, balance, reason } => Self::FundChange(terrace_fund_change {
                delta: delta.into(),
                balance: balance.into(),
                fund: fund.0,
                reason: reason.number(),
            }),
            Event::FundDrawdown { fund, active, equity, peak } => Self::FundDrawdown(terrace_fund_drawdown {
                equity: equity.into(),
                peak: peak.into(),
                fund: fund.0,
                active: active.into(),
            }),
            Event::Socialised { account, instrument, amount } => {
                Self::Socialised(terrace_socialised { account, amount: amount.into(), instrument: instrument.0 })
            }
            Event::FundDeficit { fund, equity } => {
                Self::FundDeficit(terrace_fund_deficit { equity: equity.into(), fund: fund.0 })
            }
            Event::IndexFrozen { instrument, index } => {
                Self::IndexFrozen(terrace_index_frozen { index, instrument: instrument.0 })
            }
            Event::Mark { instrument, price, inputs } => Self::ComputedMark(computed_mark(instrument, price, inputs)),
            Event::MarkFrozen { instrument, cause } => Self::MarkFrozen(life(instrument, cause)),
            Event::MarkLive { instrument, cause } => Self::MarkLive(life(instrument, cause)),
            Event::RulesSettled { instrument } => Self::RulesSettled(instrument.0),
            Event::AirlockHeld { instrument, price, mark, accounts, notional, fund_loss } => {
                Self::AirlockHeld(terrace_airlock_held {
                    price,
                    mark,
                    accounts,
                    notional: notional.into(),
                    fund_loss: fund_loss.into(),
                    instrument: instrument.0,
                })
            }
            Event::AirlockEnded { instrument, outcome, price } => {
                Self::AirlockEnded(terrace_airlock_ended { price, instrument: instrument.0, outcome: outcome.number() })
            }
            Event::FundingSettled { instrument, rate_ppb, paid, received } => {
                Self::FundingSettled(terrace_funding_settled {
                    paid: paid.into(),
                    received: received.into(),
                    rate_ppb,
                    instrument: instrument.0,
                })
            }
        }
    }
}
