//! Events, refusals and requests as C gets them; events also the way back, to be written as lines.

use super::command::{terrace_order_name, terrace_pool, terrace_set_mode};
use super::words::{OPS, Word, code_number, terrace_cause_kind, terrace_owner_kind, terrace_remedy};
use crate::command::Side;
use crate::controls::Scope;
use crate::engine::{Output, VenueMessage};
use crate::event::{Cause, Corrected, Event, Owner, PoolName};
use crate::market::{AssetId, FreezeCause, FundId, InstrumentId, Market};
use crate::prices::{MarkInputs, MarkRule};
use crate::venue::VenueRequest;
use fixed::types::I64F64;

/// A signed amount of 128 bits in two's complement. Where `high == (int64_t)low >> 63` the amount is `(int64_t)low`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct terrace_amount {
    /// The lower half.
    pub low: u64,
    /// The upper half, with the sign.
    pub high: i64,
}

impl From<i128> for terrace_amount {
    fn from(amount: i128) -> Self {
        Self { low: amount as u64, high: (amount >> 64) as i64 }
    }
}

impl From<terrace_amount> for i128 {
    fn from(amount: terrace_amount) -> Self {
        Self::from(amount.high) << 64 | Self::from(amount.low)
    }
}

/// Whose a liquidation order or deleveraging is.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct terrace_owner {
    /// The account, or the instrument that the fund stands behind.
    pub id: u64,
    /// A `terrace_owner_kind`.
    pub kind: u32,
}

/// What led to a liquidation.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct terrace_cause {
    /// A `terrace_cause_kind`.
    pub kind: u32,
    /// Of the instrument, or for `terrace_op_word`.
    pub id: u32,
}

/// A pool in breach was locked.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_liquidation_started {
    pub account: u64,
    pub equity: terrace_amount,
    pub maintenance_margin: terrace_amount,
    pub pool: terrace_pool,
    pub cause: terrace_cause,
}

/// The margin ratio of a pool, `maintenance_margin / equity`, rose past a level.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_margin_call {
    pub account: u64,
    pub equity: terrace_amount,
    pub maintenance_margin: terrace_amount,
    pub pool: terrace_pool,
    /// In parts per billion.
    pub level: u32,
}

/// A pool of an account.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_pool_of {
    pub account: u64,
    pub pool: terrace_pool,
}

/// An order of a locked pool; `more` others of the same pool follow. The protocol tells all of them in one line.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_pool_order {
    pub account: u64,
    pub order: u64,
    pub pool: terrace_pool,
    pub more: u32,
}

/// An order and a quantity: what is left of it, or what it did not cover.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_order_quantity {
    pub account: u64,
    pub order: u64,
    pub quantity: i64,
    pub instrument: u32,
}

/// An order for the venue: immediate or cancel. `liquidation` is the number that lines know it by.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_liquidation_order {
    pub liquidation: u64,
    pub order: terrace_order_name,
    pub quantity: i64,
    pub limit: i64,
    pub instrument: u32,
    /// A `terrace_side`.
    pub side: u32,
    /// A `terrace_step`.
    pub step: u32,
}

/// The venue filled a liquidation order, wholly or in part.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_liquidation_filled {
    pub liquidation: u64,
    pub owner: terrace_owner,
    pub quantity: i64,
    pub price: i64,
    pub fee: terrace_amount,
    pub realised: terrace_amount,
    pub instrument: u32,
    /// A `terrace_side`.
    pub side: u32,
}

/// Signed `quantity` of a pool's position passed to the fund, and with it the share `passed` of the equity.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_takeover {
    pub account: u64,
    pub quantity: i64,
    /// Zero where no price is the bankruptcy price.
    pub price: terrace_amount,
    pub passed: terrace_amount,
    pub instrument: u32,
}

/// A counterparty was deleveraged; `quantity` is signed as its trade.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_deleveraged {
    pub owner: terrace_owner,
    pub counter: u64,
    pub quantity: i64,
    pub price: terrace_amount,
    pub realised: terrace_amount,
    pub instrument: u32,
    pub rank: u32,
}

/// How a deleveraging went: lots needed, and reduced by so many counterparties, the largest of which gave `largest`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_adl_report {
    pub owner: terrace_owner,
    pub needed: i64,
    pub reduced: i64,
    pub largest: i64,
    pub instrument: u32,
    pub counterparties: u32,
}

/// A locked pool closed as many lots of its long leg as of its short one, at the mark.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_offset {
    pub account: u64,
    pub quantity: i64,
    pub price: i64,
    pub instrument: u32,
}

/// A liquidation ended, with this equity of the pool.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_liquidation_ended {
    pub account: u64,
    pub equity: terrace_amount,
    pub pool: terrace_pool,
    /// A `terrace_outcome`.
    pub outcome: u32,
}

/// A fund's balance changed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_fund_change {
    pub delta: terrace_amount,
    pub balance: terrace_amount,
    pub fund: u32,
    /// A `terrace_fund_reason`.
    pub reason: u32,
}

/// A fund came into drawdown, or out of it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_fund_drawdown {
    pub equity: terrace_amount,
    pub peak: terrace_amount,
    pub fund: u32,
    /// 1: it begins; 0: it ends.
    pub active: u32,
}

/// A position that gained was charged with a part of a fund's deficit.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_socialised {
    pub account: u64,
    pub amount: terrace_amount,
    pub instrument: u32,
}

/// A takeover, residue or deficit left a fund's equity below zero.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_fund_deficit {
    pub equity: terrace_amount,
    pub fund: u32,
}

/// The index of an instrument froze at this price, in steps of 10^-8.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_index_frozen {
    pub index: i64,
    pub instrument: u32,
}

/// A computed mark changed. What it was made of depends on the rule; a price of 0 was missing.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_computed_mark {
    /// In ticks.
    pub price: i64,
    /// In steps of 10^-8.
    pub index: i64,
    /// `median`: in ticks.
    pub p1: i64,
    /// `median`: in ticks.
    pub p2: i64,
    /// `median`: in ticks.
    pub last: i64,
    /// `fair_basis`: in parts per billion.
    pub rate: i64,
    /// `ema_basis`: in 2^-64 steps of 10^-8.
    pub ema: terrace_amount,
    pub instrument: u32,
    /// A `terrace_mark_rule`.
    pub rule: u32,
}

/// Why a mark froze, or lives again.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_mark_life {
    pub instrument: u32,
    /// A `terrace_freeze_cause`.
    pub cause: u32,
}

/// A settlement of funding is done. What `paid` exceeds `received` by is the fund's.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_funding_settled {
    pub paid: terrace_amount,
    pub received: terrace_amount,
    pub rate_ppb: i64,
    pub instrument: u32,
}

/// Something was put right. Of a bust or a repricing `amount` and `asset` are 0, of money `quantity`, `price`, `instrument` and
/// `side`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_corrected {
    pub corrects: u64,
    pub account: u64,
    pub quantity: i64,
    pub price: i64,
    /// Of a repricing; else 0.
    pub to: i64,
    pub amount: i64,
    pub instrument: u32,
    /// A `terrace_side`.
    pub side: u32,
    pub asset: u32,
    /// A `terrace_remedy`.
    pub remedy: u32,
    /// By this number the engine knows reason and principal: `terrace_format_events` writes them.
    pub remark: u32,
}

/// The airlock holds `price` back; `mark` stays in force. At `price` pools of so many accounts would be in breach.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_airlock_held {
    pub price: i64,
    pub mark: i64,
    pub accounts: u64,
    pub notional: terrace_amount,
    pub fund_loss: terrace_amount,
    pub instrument: u32,
}

/// A hold of the airlock ended; `price` is the mark in force from now on.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub struct terrace_airlock_ended {
    pub price: i64,
    pub instrument: u32,
    /// A `terrace_airlock_outcome`.
    pub outcome: u32,
}

/// What happened. Amounts are in quanta, prices in ticks, quantities in lots.
#[repr(C, u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_happening {
    /// A command that had been submitted was refused by the shard of its account, for this `terrace_code`.
    Refused(u32),
    /// A pool in breach was locked.
    LiquidationStarted(terrace_liquidation_started),
    /// A pool is in breach, but no mark of its positions lives.
    LiquidationSuppressed(terrace_pool_of),
    /// The venue is asked to cancel an order.
    CancelRequested(terrace_pool_order),
    /// An order was cancelled.
    OrderCancelled(terrace_pool_order),
    /// A reduce-only order was cut to `quantity`, because the position shrank below it.
    OrderCut(terrace_order_quantity),
    /// A fill named an order that does not cover `quantity` of it.
    OrderMismatch(terrace_order_quantity),
    /// An order for the venue.
    LiquidationOrder(terrace_liquidation_order),
    /// The venue filled such an order.
    LiquidationFilled(terrace_liquidation_filled),
    /// The fund took a position over.
    Takeover(terrace_takeover),
    /// A counterparty was deleveraged.
    Deleveraged(terrace_deleveraged),
    /// How a deleveraging went.
    AdlReport(terrace_adl_report),
    /// A liquidation ended.
    LiquidationEnded(terrace_liquidation_ended),
    /// A fund's balance changed.
    FundChange(terrace_fund_change),
    /// Too few venues of an index are left.
    IndexFrozen(terrace_index_frozen),
    /// A computed mark changed.
    ComputedMark(terrace_computed_mark),
    /// A mark lived, and does no more: nothing is liquidated at it.
    MarkFrozen(terrace_mark_life),
    /// A frozen mark lives again; the cause was the last to go.
    MarkLive(terrace_mark_life),
    /// A pool closed its own legs against each other.
    Offset(terrace_offset),
    /// A fund came into drawdown, or out of it.
    FundDrawdown(terrace_fund_drawdown),
    /// A position made good a part of a fund's deficit.
    Socialised(terrace_socialised),
    /// All accounts have gone over to the changed rules of this instrument.
    RulesSettled(u32),
    /// A settlement of funding is done.
    FundingSettled(terrace_funding_settled),
    /// A fund's equity is below zero. Always the last of them.
    FundDeficit(terrace_fund_deficit),
    /// A pool's margin ratio rose past a level.
    MarginCall(terrace_margin_call),
    /// A mode came, or, where it is normal, went.
    ModeSet(terrace_set_mode),
    /// Something was put right.
    Corrected(terrace_corrected),
    /// The airlock holds a mark back.
    AirlockHeld(terrace_airlock_held),
    /// A hold of the airlock ended.
    AirlockEnded(terrace_airlock_ended),
}

/// Number of happenings.
pub(super) const HAPPENINGS: u32 = 29;

/// One entry of the log.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_event {
    /// The number of the last command before it, as `terrace_submit` gave it. Whoever writes lines may put the number of
    /// the line in its place.
    pub seq: u64,
    /// What happened.
    pub what: terrace_happening,
}

/// Fill this immediately, as far as the limit allows, and answer with fills and, if a rest is left, an expiry.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_venue_order {
    /// By this name it is answered.
    pub order: terrace_order_name,
    /// In lots.
    pub quantity: i64,
    /// In ticks.
    pub limit: i64,
    /// The instrument's id.
    pub instrument: u32,
    /// A `terrace_side`.
    pub side: u32,
    /// A `terrace_step`: why.
    pub step: u32,
}

/// What the venue is to do.
#[repr(C, u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_request_kind {
    /// A liquidation or unwinding order.
    Order(terrace_venue_order),
    /// Cancel the account's open orders that reserve on this pool, and answer with a `cancel_ack`. A cross pool's orders
    /// include those on isolated instruments of its asset.
    Cancel(terrace_pool_of),
}

/// A request to the venue.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_request {
    /// The place in the sequence of the input that led to it.
    pub place: u64,
    /// When it was decided, in nanoseconds since the engine started; 0 if it takes no stamps.
    pub decided_ns: u64,
    /// What is to be done.
    pub what: terrace_request_kind,
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
            let at = OPS.iter().position(|word| word.to_bytes() == op.as_bytes());
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
                Self { seq: *seq, what: terrace_happening::Refused(code_number(refusal.code()) as u32) }
            }
        }
    }
}

impl From<&Event> for terrace_happening {
    #[expect(clippy::too_many_lines, reason = "one arm for each event")]
    fn from(event: &Event) -> Self {
        match *event {
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
            kind if kind == terrace_cause_kind::Op as u32 => OPS.get(cause.id as usize)?.to_str().ok().map(Cause::Op),
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
                if let Scope::Instrument(id) = scope {
                    self.instrument(id.0)?;
                }
                Event::Mode { scope, mode }
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
