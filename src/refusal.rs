//! Why a command was refused. A refused command changes nothing.

use crate::command::{OrderName, OrderOwner};
use crate::controls::Limited;
use crate::decimal::Decimal;
use crate::market::FundId;
use crate::number::Quantity;
use std::fmt;

/// The protocol's word for the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is its own word; the protocol section of README says when it comes")]
pub enum Code {
    Malformed,
    UnknownOp,
    UnknownField,
    UnknownSymbol,
    UnknownAccount,
    UnknownAsset,
    UnknownFund,
    UnknownOrder,
    UnknownLiquidation,
    TimeReversed,
    BadValue,
    BadTiers,
    OffGrid,
    Overflow,
    Locked,
    InsufficientMargin,
    NoPrice,
    Duplicate,
    Busy,
    Limit,
    ReduceOnly,
    Gap,
    Expired,
    Halted,
}

impl Code {
    /// In no particular order.
    const EVERY: [Self; 24] = [
        Self::Malformed,
        Self::UnknownOp,
        Self::UnknownField,
        Self::UnknownSymbol,
        Self::UnknownAccount,
        Self::UnknownAsset,
        Self::UnknownFund,
        Self::UnknownOrder,
        Self::UnknownLiquidation,
        Self::TimeReversed,
        Self::BadValue,
        Self::BadTiers,
        Self::OffGrid,
        Self::Overflow,
        Self::Locked,
        Self::InsufficientMargin,
        Self::NoPrice,
        Self::Duplicate,
        Self::Busy,
        Self::Limit,
        Self::ReduceOnly,
        Self::Gap,
        Self::Expired,
        Self::Halted,
    ];

    /// The code of this word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|code| code.as_str() == word)
    }

    /// As it stands in a `rejected` line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownOp => "unknown_op",
            Self::UnknownField => "unknown_field",
            Self::UnknownSymbol => "unknown_symbol",
            Self::UnknownAccount => "unknown_account",
            Self::UnknownAsset => "unknown_asset",
            Self::UnknownFund => "unknown_fund",
            Self::UnknownOrder => "unknown_order",
            Self::UnknownLiquidation => "unknown_liquidation",
            Self::TimeReversed => "time_reversed",
            Self::BadValue => "bad_value",
            Self::BadTiers => "bad_tiers",
            Self::OffGrid => "off_grid",
            Self::Overflow => "overflow",
            Self::Locked => "locked",
            Self::InsufficientMargin => "insufficient_margin",
            Self::NoPrice => "no_price",
            Self::Duplicate => "duplicate",
            Self::Busy => "busy",
            Self::Limit => "limit",
            Self::ReduceOnly => "reduce_only",
            Self::Gap => "gap",
            Self::Expired => "expired",
            Self::Halted => "halted",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why the kernel refused a command. Amounts are in quanta, quantities in lots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the message of each variant says what it is")]
pub enum Refusal {
    #[error("no instrument has the id {0}")]
    UnknownInstrument(u32),
    #[error("no asset has the id {0}")]
    UnknownAsset(u32),
    #[error("no fund has the id {0}")]
    UnknownFund(u32),
    #[error("account {0} is not known: it has neither been declared nor had a deposit")]
    UnknownAccount(u64),
    #[error("account {account} has no open order {order}")]
    UnknownOrder { account: u64, order: u64 },
    #[error("there is no open liquidation order {}", Named(*.0))]
    UnknownLiquidation(OrderName),
    #[error("account {account} has no open hold {hold}")]
    UnknownHold { account: u64, hold: u64 },
    #[error("no pool of account {account} by that name waits for a cancellation")]
    NotCancelling { account: u64 },
    #[error("ts {given} is before the present time {now}")]
    TimeReversed { given: u64, now: u64 },
    #[error("{what} must be above zero")]
    NotPositive { what: &'static str },
    #[error("rate must be above -1 and below 1")]
    RateBeyondOne,
    #[error("{what} of the instrument is still under way")]
    Busy { what: &'static str },
    #[error("the instrument never had a mark")]
    NoMark,
    #[error("no such piece of a job is due")]
    NotDue,
    #[error("amount must not be zero")]
    ZeroAmount,
    #[error("leverage must be from 1 to {}, the maximum of the present tier", Decimal::new(i128::from(*maximum), 2))]
    Leverage { maximum: u32 },
    #[error("account {account} has a position or open orders in the instrument, so its margin mode cannot be set")]
    ModeInUse { account: u64 },
    #[error("account {account} has no isolated position in the instrument")]
    NoIsolatedPosition { account: u64 },
    #[error("corrects must be at least 1, the number of an earlier input, not 0")]
    CorrectsNothing,
    #[error("corrects must be below {present}, the number of this input, not {corrects}")]
    CorrectsFuture { corrects: u64, present: u64 },
    #[error("{what} must be a text of 1 to {most} bytes, not of {bytes}", most = crate::correction::MAX_TEXT)]
    TextLength { what: &'static str, bytes: usize },
    #[error("account {0} cannot fill against itself")]
    SelfFill(u64),
    #[error("account {account} is in hedge mode, so position_side must say which leg is meant")]
    LegMissing { account: u64 },
    #[error("account {account} is in one-way mode, so position_side must not be given")]
    LegInOneWay { account: u64 },
    #[error("a reduce-only order must be on the side that closes the position")]
    ReduceOnlySide,
    #[error("no orders are taken there: the mode is {0}")]
    NoOrders(&'static str),
    #[error("only reduce-only orders are taken there: the mode is reduce_only")]
    OnlyReducing,
    #[error("the order is beyond a limit: {0:?}")]
    Limit(Limited),
    #[error("reduce-only orders may close at most {position} lots, {ordered} of which are ordered already")]
    ReduceOnlySize { position: Quantity, ordered: Quantity },
    #[error("of liquidation order {} {open} lots can still be filled", Named(*.order))]
    BeyondOpen { order: OrderName, open: Quantity },
    #[error("the price is worse than the limit of liquidation order {}, {limit} ticks", Named(*.order))]
    BeyondLimit { order: OrderName, limit: i64 },
    #[error("{what} is finer than its grid")]
    OffGrid { what: &'static str },
    #[error("{what} would reach 2^62 quanta")]
    Overflow { what: &'static str },
    #[error("account {account} is in liquidation there")]
    Locked { account: u64 },
    #[error("available would be {after} quanta")]
    InsufficientMargin { after: i128 },
    #[error("fund {} would be left with a balance of {balance} and an equity of {equity} quanta: too little", fund.0)]
    InsufficientFund { fund: FundId, balance: i128, equity: i128 },
    #[error("the margin left would be {margin} quanta, and {needed} are needed")]
    InsufficientIsolatedMargin { margin: i128, needed: i128 },
    #[error("the position could reach a notional of {notional} quanta, beyond the last tier's cap of {cap}")]
    BeyondLastTier { notional: i128, cap: i128 },
    #[error("the position could reach a size at which its maintenance margin takes all of its notional")]
    BeyondWholeMargin,
    #[error("account {account} has an open order {order} already")]
    DuplicateOrder { account: u64, order: u64 },
    #[error("account {account} has an open hold {hold} already")]
    DuplicateHold { account: u64, hold: u64 },
    #[error("account {0} exists already")]
    DuplicateAccount(u64),
    #[error("the name {what} is taken already")]
    DuplicateName { what: &'static str },
    #[error("the kernel has stopped and takes no more input")]
    Stopped,
    #[error("{what}")]
    BadDeclaration { what: &'static str },
}

/// An order as a person reads it.
struct Named(OrderName);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OrderName { owner, nth } = self.0;
        match owner {
            OrderOwner::Account(account) => write!(f, "{nth} of account {account}"),
            OrderOwner::Fund(instrument) => write!(f, "{nth} of the inventory of instrument {}", instrument.0),
        }
    }
}

impl Refusal {
    /// The protocol's word for it.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::UnknownInstrument(_) => Code::UnknownSymbol,
            Self::UnknownAsset(_) => Code::UnknownAsset,
            Self::UnknownFund(_) => Code::UnknownFund,
            Self::UnknownAccount(_) => Code::UnknownAccount,
            Self::UnknownOrder { .. } => Code::UnknownOrder,
            Self::UnknownLiquidation(_) => Code::UnknownLiquidation,
            Self::TimeReversed { .. } => Code::TimeReversed,
            Self::Busy { .. } => Code::Busy,
            Self::OnlyReducing => Code::ReduceOnly,
            Self::Limit(_) => Code::Limit,
            Self::NoMark => Code::NoPrice,
            Self::NotPositive { .. }
            | Self::RateBeyondOne
            | Self::NotDue
            | Self::ZeroAmount
            | Self::Leverage { .. }
            | Self::ModeInUse { .. }
            | Self::NoIsolatedPosition { .. }
            | Self::CorrectsNothing
            | Self::CorrectsFuture { .. }
            | Self::TextLength { .. }
            | Self::SelfFill(_)
            | Self::LegMissing { .. }
            | Self::LegInOneWay { .. }
            | Self::ReduceOnlySide
            | Self::ReduceOnlySize { .. }
            | Self::BeyondOpen { .. }
            | Self::BeyondLimit { .. }
            | Self::UnknownHold { .. }
            | Self::NotCancelling { .. }
            | Self::BadDeclaration { .. } => Code::BadValue,
            Self::NoOrders(_) | Self::Stopped => Code::Halted,
            Self::OffGrid { .. } => Code::OffGrid,
            Self::Overflow { .. } => Code::Overflow,
            Self::Locked { .. } => Code::Locked,
            Self::InsufficientMargin { .. }
            | Self::InsufficientFund { .. }
            | Self::InsufficientIsolatedMargin { .. }
            | Self::BeyondLastTier { .. }
            | Self::BeyondWholeMargin => Code::InsufficientMargin,
            Self::DuplicateOrder { .. }
            | Self::DuplicateHold { .. }
            | Self::DuplicateAccount(_)
            | Self::DuplicateName { .. } => Code::Duplicate,
        }
    }
}
