//! Events, refusals and requests as C gets them.

use super::command::{terrace_health, terrace_order_name, terrace_pool, terrace_set_mode};

/// A signed amount of 128 bits in two's complement. Where `high == (int64_t)low >> 63` the amount is `(int64_t)low`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct terrace_amount {
    /// The lower half.
    pub low: u64,
    /// The upper half, with the sign.
    pub high: i64,
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
    /// Something was found wrong around the kernel, or well again.
    HealthSet(terrace_health),
}

/// Number of happenings.
pub(super) const HAPPENINGS: u32 = 30;

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
