//! What comes out: events of fixed size, in the order in which things happened.

pub use crate::airlock::AirlockOutcome;

use crate::command::{OrderName, OrderOwner, PositionSide, Side};
use crate::controls::{HealthState, Mode, Scope};
use crate::market::{AssetId, FreezeCause, FundId, InstrumentId};
use crate::number::{Price, Quantity};
use crate::prices::MarkInputs;
use std::ffi::CStr;

/// A pool, by what it holds. Ordered as pools of an account are announced: cross by asset, then isolated by instrument,
/// the long leg before the short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum PoolName {
    /// The account's balance of an asset and the positions margined by it.
    Cross(AssetId),
    /// One position with its own margin; in hedge mode one leg.
    Isolated(InstrumentId, Option<PositionSide>),
}

/// Whose liquidation order or deleveraging it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// An account's.
    Account(u64),
    /// The fund's that stands behind the instrument.
    Fund,
}

/// What led to a liquidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A mark or a fill of the instrument.
    Instrument(InstrumentId),
    /// Another command, by its name in the protocol.
    Op(&'static str),
}

impl Cause {
    /// All names that it may have. The C API tells their places: new ones come at the end.
    pub(crate) const OPS: [&CStr; 35] = [
        c"last",
        c"order",
        c"cancel",
        c"account",
        c"deposit",
        c"withdraw",
        c"leverage",
        c"margin_mode",
        c"isolated_margin",
        c"hold",
        c"commit",
        c"release",
        c"fund_deposit",
        c"liq_fill",
        c"liq_expire",
        c"liq_unknown",
        c"cancel_ack",
        c"time",
        c"book",
        c"asset",
        c"fund",
        c"instrument",
        c"venue",
        c"decide",
        c"funding",
        c"set",
        c"mode",
        c"bust",
        c"reprice",
        c"adjust",
        c"compensate",
        c"airlock_release",
        c"health",
        c"index",
        c"rule_version",
    ];

    /// The op of that name, if it can cause anything.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::OPS.iter().filter_map(|op| op.to_str().ok()).find(|&op| op == name).map(Self::Op)
    }
}

/// Which step a liquidation order belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Reduction to the cap of the tier below.
    Tier,
    /// Closing of a fixed part of the position.
    Fraction,
    /// Closing of the whole position.
    All,
    /// A fund closes its inventory.
    Unwind,
}

/// How a liquidation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The pool is no longer in breach.
    Cured,
    /// The pool holds no position any more.
    Closed,
}

/// Why a fund's balance changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FundReason {
    /// A liquidation fee came in.
    Fee,
    /// Inventory was closed at the venue.
    Unwind,
    /// A takeover met inventory of the other side.
    Netting,
    /// What two sides exchanged was rounded on each.
    Rounding,
    /// Inventory was deleveraged.
    Adl,
    /// What counterparties of a deleveraging paid differs from what the bankrupt pool was booked out at.
    AdlResidue,
    /// A pool that ended below zero was made good.
    Deficit,
    /// Positions that gained made good a deficit.
    Socialised,
    /// Money was paid in.
    Deposit,
    /// Its inventory paid or received funding, or the rest of a settlement is its.
    Funding,
    /// It made good what an account lost by somebody's mistake.
    Compensation,
}

/// What a correction put right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub enum Corrected {
    /// A fill was undone.
    Bust { instrument: InstrumentId, side: Side, quantity: Quantity, price: Price },
    /// A fill got another price.
    Reprice { instrument: InstrumentId, side: Side, quantity: Quantity, price: Price, to: Price },
    /// A balance was changed.
    Adjust { asset: AssetId, amount: i64 },
    /// A fund made good what an account lost.
    Compensate { asset: AssetId, amount: i64 },
}

impl Corrected {
    /// The protocol's word for it.
    #[must_use]
    pub fn op(self) -> &'static str {
        match self {
            Self::Bust { .. } => "bust",
            Self::Reprice { .. } => "reprice",
            Self::Adjust { .. } => "adjust",
            Self::Compensate { .. } => "compensate",
        }
    }
}

/// Something happened. Amounts are in quanta, prices in ticks, quantities in lots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are those of the protocol, under their names, in whole units")]
pub enum Event {
    /// A mode comes, or, where it is `normal`, goes.
    Mode { scope: Scope, mode: Mode },
    /// A watchdog found something wrong, or well again; `mode` holds as long as it is so.
    Health { state: HealthState, instrument: Option<InstrumentId>, active: bool, mode: Mode },
    /// The margin ratio of a pool rose past a level.
    MarginCall { account: u64, pool: PoolName, equity: i128, maintenance_margin: i128, level_ppb: u32 },
    /// A pool in breach was locked.
    LiquidationStarted { account: u64, pool: PoolName, equity: i128, maintenance_margin: i128, cause: Cause },
    /// A mark lived, and does no more: nothing is liquidated at it.
    MarkFrozen { instrument: InstrumentId, cause: FreezeCause },
    /// A frozen mark lives again; `cause` was the last to go.
    MarkLive { instrument: InstrumentId, cause: FreezeCause },
    /// The index of an instrument lived, and does no more: too few venues are left. It stays what it was.
    IndexFrozen { instrument: InstrumentId, index: i64 },
    /// A computed mark is another than before.
    Mark { instrument: InstrumentId, price: Price, inputs: MarkInputs },
    /// A pool is in breach, but no mark of its positions lives.
    LiquidationSuppressed { account: u64, pool: PoolName },
    /// The venue is asked to cancel an order of a locked pool; `more` others of the same pool follow.
    CancelRequested { account: u64, pool: PoolName, order: u64, more: u32 },
    /// An order of a locked pool was cancelled; `more` others of the same pool follow.
    OrderCancelled { account: u64, pool: PoolName, order: u64, more: u32 },
    /// A reduce-only order was cut to `left`, because the position shrank below it.
    OrderCut { account: u64, instrument: InstrumentId, order: u64, left: Quantity },
    /// A fill named an order that does not cover `uncovered` of it.
    OrderMismatch { account: u64, instrument: InstrumentId, order: u64, uncovered: Quantity },
    /// A locked pool closed as many lots of its long leg as of its short one, at the mark.
    Offset { account: u64, instrument: InstrumentId, quantity: Quantity, price: Price },
    /// An order for the venue: immediate or cancel. `nth` counts the orders of its owner, from 1.
    LiquidationOrder {
        liquidation: u64,
        owner: Owner,
        nth: u32,
        instrument: InstrumentId,
        side: Side,
        quantity: Quantity,
        limit: Price,
        step: Step,
    },
    /// The venue filled a liquidation order, wholly or in part.
    LiquidationFill {
        liquidation: u64,
        owner: Owner,
        instrument: InstrumentId,
        side: Side,
        quantity: Quantity,
        price: Price,
        fee: i128,
        realised: i128,
    },
    /// Signed `quantity` of a pool's position passed to the fund, and with it the share `passed` of the equity.
    Takeover { account: u64, instrument: InstrumentId, quantity: Quantity, price: Option<i128>, passed: i128 },
    /// A counterparty was deleveraged; `quantity` is signed as its trade.
    Deleveraged {
        owner: Owner,
        counter: u64,
        instrument: InstrumentId,
        quantity: Quantity,
        price: i128,
        realised: i128,
        rank: u32,
    },
    /// How a deleveraging went: lots needed, and reduced by so many counterparties, the largest of which gave `largest`.
    AdlReport {
        owner: Owner,
        instrument: InstrumentId,
        needed: Quantity,
        reduced: Quantity,
        counterparties: u32,
        largest: Quantity,
    },
    /// A liquidation ended, with this equity of the pool.
    LiquidationEnded { account: u64, pool: PoolName, outcome: Outcome, equity: i128 },
    /// A fund's balance changed.
    Fund { fund: FundId, delta: i128, balance: i128, reason: FundReason },
    /// A fund came into drawdown, or out of it.
    FundDrawdown { fund: FundId, active: bool, equity: i128, peak: i128 },
    /// A position that gained was charged with a part of a fund's deficit.
    Socialised { account: u64, instrument: InstrumentId, amount: i128 },
    /// A takeover, residue or deficit left a fund's equity below zero.
    FundDeficit { fund: FundId, equity: i128 },
    /// All accounts have gone over to an instrument's changed rules.
    RulesSettled { instrument: InstrumentId },
    /// A settlement of funding is done: what all payers paid and all receivers received. The rest is the fund's.
    FundingSettled { instrument: InstrumentId, rate_ppb: i64, paid: i128, received: i128 },
    /// Something was put right that the input `corrects` led to; why, and on whose order, the market keeps under `remark`.
    Corrected { corrects: u64, account: u64, remark: u32, what: Corrected },
    /// The airlock holds `price` back; `mark` stays in force. At `price` the pools of so many accounts, of this notional together, would
    /// be in breach, and `fund_loss` below zero.
    AirlockHeld { instrument: InstrumentId, price: Price, mark: Price, accounts: u64, notional: i128, fund_loss: i128 },
    /// A hold of the airlock ended; `price` is the mark in force from now on.
    AirlockEnded { instrument: InstrumentId, outcome: AirlockOutcome, price: Price },
}

/// The events of an input, in order.
pub type Events = Vec<Event>;

impl Event {
    /// The name of the order that a [`Event::LiquidationOrder`] tells of.
    #[must_use]
    pub fn order_name(&self) -> Option<OrderName> {
        match *self {
            Self::LiquidationOrder { owner: Owner::Account(account), nth, .. } => {
                Some(OrderName { owner: OrderOwner::Account(account), nth })
            }
            Self::LiquidationOrder { owner: Owner::Fund, instrument, nth, .. } => {
                Some(OrderName { owner: OrderOwner::Fund(instrument), nth })
            }
            _ => None,
        }
    }
}
