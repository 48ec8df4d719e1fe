//! What goes in: commands of fixed size, in whole ticks, lots and quanta.
//!
//! A command is plain data that fits a ring slot. Declarations (assets, funds, instruments) carry tables and are rare;
//! they have calls of their own on the [`Kernel`](crate::Kernel).

use crate::controls::{HealthState, Mode, Scope};
use crate::event::{Owner, PoolName};
use crate::jobs::{JobName, Part};
use crate::market::{AssetId, FundId, InstrumentId};
use crate::number::{Price, Quantity};
use crate::prices::PriceInput;

/// The side of an order or a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum Side {
    /// Bids; makes a position longer.
    Buy,
    /// Asks; makes a position shorter.
    Sell,
}

impl Side {
    /// The side that closes a position of signed `quantity`.
    #[must_use]
    pub fn closing(quantity: Quantity) -> Self {
        if quantity > 0 { Self::Sell } else { Self::Buy }
    }

    /// `lots` with the sign that this side gives a position.
    #[must_use]
    pub fn signed(self, lots: Quantity) -> Quantity {
        match self {
            Self::Buy => lots,
            Self::Sell => -lots,
        }
    }

    /// The counterparty's side.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

/// One of the two positions that an account in hedge mode has in an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum PositionSide {
    /// The long leg.
    Long,
    /// The short leg.
    Short,
}

impl PositionSide {
    /// The side whose fills open this leg; the other one closes it.
    #[must_use]
    pub fn opening(self) -> Side {
        match self {
            Self::Long => Side::Buy,
            Self::Short => Side::Sell,
        }
    }
}

/// Whether an account has one position in an instrument or two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum PositionMode {
    /// One, long or short.
    #[default]
    OneWay,
    /// A long and a short leg beside each other, each a position of its own.
    Hedge,
}

/// How a position is margined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum MarginMode {
    /// From the account's pool of the settlement asset.
    Cross,
    /// From a margin of its own.
    Isolated,
}

/// Which fee a fill charges the account; its counterparty pays the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum Liquidity {
    /// It rested in the book.
    Maker,
    /// It took from the book.
    Taker,
}

/// A fill of the matching engine: a fact, booked whatever it does to the accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct Fill {
    /// The account whose `side` is given.
    pub account: u64,
    /// The other side; none is the external venue account.
    pub counterparty: Option<u64>,
    /// The account's order that it fills.
    pub order: Option<u64>,
    /// The counterparty's order that it fills.
    pub counter_order: Option<u64>,
    /// The instrument.
    pub instrument: InstrumentId,
    /// The account's side.
    pub side: Side,
    /// In lots.
    pub quantity: Quantity,
    /// In ticks.
    pub price: Price,
    /// Which fee the account pays; none: no fee on either side.
    pub liquidity: Option<Liquidity>,
    /// Which of its legs it concerns, in hedge mode; none in one-way mode.
    pub position_side: Option<PositionSide>,
    /// The same of the counterparty.
    pub counter_position_side: Option<PositionSide>,
}

/// A limit order, for its margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct Order {
    /// The account.
    pub account: u64,
    /// Its id, unique among the account's open orders.
    pub order: u64,
    /// The instrument.
    pub instrument: InstrumentId,
    /// Its side.
    pub side: Side,
    /// In lots.
    pub quantity: Quantity,
    /// Limit, in ticks.
    pub price: Price,
    /// Whether it may only reduce the position; in hedge mode every order against its leg does.
    pub reduce_only: bool,
    /// Which leg it concerns, in hedge mode; none in one-way mode.
    pub position_side: Option<PositionSide>,
}

/// A liquidation or unwinding order as the venue knows it: whose it is, and its how-manieth.
///
/// Whoever sends the order can name it so at once; the number that events carry is known only when all shards' orders
/// have been put in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct OrderName {
    /// Whose: an account's, or the fund's that stands behind an instrument.
    pub owner: OrderOwner,
    /// From 1, over all orders of that owner.
    pub nth: u32,
}

/// Whose liquidation or unwinding order it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum OrderOwner {
    /// An account's.
    Account(u64),
    /// The inventory's of an instrument.
    Fund(InstrumentId),
}

impl OrderOwner {
    /// As events tell it.
    #[must_use]
    pub fn owner(self) -> Owner {
        match self {
            Self::Account(account) => Owner::Account(account),
            Self::Fund(_) => Owner::Fund,
        }
    }
}

/// Who gives a mark, as the airlock tells them apart: any number that stands for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct MarkSource(pub u64);

impl MarkSource {
    /// All marks whose source is not named.
    pub const UNNAMED: Self = Self(0);
    /// Of marks that the kernel computes.
    pub(crate) const KERNEL: Self = Self(u64::MAX);

    /// The source of this name: the same number everywhere, at any time.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(xxhash_rust::xxh3::xxh3_64(name.as_bytes()).clamp(1, u64::MAX - 1))
    }
}

/// Everything of fixed size that changes state.
///
/// Amounts are in quanta, positive and below 2^62 unless stated. The [`Kernel`](crate::Kernel) checks them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Command {
    /// A mark price.
    Mark {
        /// The instrument.
        instrument: InstrumentId,
        /// In ticks.
        price: Price,
    },
    /// A last traded price: shown, liquidates nobody.
    Last {
        /// The instrument.
        instrument: InstrumentId,
        /// In ticks.
        price: Price,
    },
    /// A price at a venue of the index.
    Index {
        /// The instrument.
        instrument: InstrumentId,
        /// The venue, by its place in the rules of the index.
        venue: u16,
        /// In steps of 10^-8.
        price: i64,
    },
    /// A fill.
    Fill(Fill),
    /// A new order.
    Order(Order),
    /// An order is gone.
    Cancel {
        /// The account.
        account: u64,
        /// The order.
        order: u64,
    },
    /// Declares an account before its first deposit.
    Account {
        /// The account.
        account: u64,
        /// Whether it has a long and a short position beside each other.
        positions: PositionMode,
        /// The group whose members count as one for `limits.position`; none: it counts alone.
        group: Option<u64>,
    },
    /// Money in.
    Deposit {
        /// The account; created if unknown.
        account: u64,
        /// The asset.
        asset: AssetId,
        /// In quanta.
        amount: i64,
    },
    /// Money out.
    Withdraw {
        /// The account.
        account: u64,
        /// The asset.
        asset: AssetId,
        /// In quanta.
        amount: i64,
    },
    /// The leverage of an account in an instrument.
    Leverage {
        /// The account.
        account: u64,
        /// The instrument.
        instrument: InstrumentId,
        /// In hundredths, from 100.
        leverage: u32,
    },
    /// Cross or isolated, for an account in an instrument.
    MarginMode {
        /// The account.
        account: u64,
        /// The instrument.
        instrument: InstrumentId,
        /// The mode.
        mode: MarginMode,
    },
    /// Moves money between the balance and an isolated margin.
    IsolatedMargin {
        /// The account.
        account: u64,
        /// The instrument.
        instrument: InstrumentId,
        /// In quanta, into the margin; negative out of it.
        amount: i64,
        /// Which leg's, in hedge mode; none in one-way mode.
        position_side: Option<PositionSide>,
    },
    /// Money put aside for a withdrawal: out of the balance, not yet out of the venue.
    Hold {
        /// The account.
        account: u64,
        /// Its id, unique among the account's open holds.
        hold: u64,
        /// The asset.
        asset: AssetId,
        /// In quanta.
        amount: i64,
    },
    /// A hold becomes a withdrawal.
    Commit {
        /// The account.
        account: u64,
        /// The hold.
        hold: u64,
    },
    /// A hold goes back to the balance.
    Release {
        /// The account.
        account: u64,
        /// The hold.
        hold: u64,
    },
    /// Money into a fund.
    FundDeposit {
        /// The fund.
        fund: FundId,
        /// In quanta.
        amount: i64,
    },
    /// The venue's answer to a liquidation order: a fill.
    LiquidationFill {
        /// The order.
        order: OrderName,
        /// Its instrument.
        instrument: InstrumentId,
        /// In lots.
        quantity: Quantity,
        /// In ticks.
        price: Price,
    },
    /// The venue's answer to a liquidation order: what is not filled will not be.
    LiquidationExpire {
        /// The order.
        order: OrderName,
    },
    /// The venue does not know what became of a liquidation order: its pool stays locked.
    LiquidationUnknown {
        /// The order.
        order: OrderName,
    },
    /// The venue has cancelled the orders of a pool in liquidation.
    CancelAck {
        /// The account.
        account: u64,
        /// The pool.
        pool: PoolName,
        /// The account's last execution before that, counted from 1 over the fills that name the account; 0: none to wait for.
        execution: u64,
    },
    /// The input time moves on.
    Time {
        /// In nanoseconds since the epoch.
        ts_ns: u64,
    },
    /// What an instrument, an account, or everything may do from now on.
    Mode {
        /// Of what.
        scope: Scope,
        /// The mode.
        mode: Mode,
    },
    /// Funding is settled now: the rate and the present mark are fixed here, and booked in pieces.
    Funding {
        /// The instrument.
        instrument: InstrumentId,
        /// What a long pays of its notional, in parts per billion, above −1 and below 1; negative: receives.
        rate_ppb: i64,
    },
    /// The next piece of the oldest job. The sequencer gives it; from anybody else it is refused.
    Chunk {
        /// Which job that is.
        job: JobName,
        /// Which piece.
        part: Part,
    },
    /// A mark price from a source that the airlock tells from others; [`Command::Mark`] is from an unnamed one.
    MarkFrom {
        /// The instrument.
        instrument: InstrumentId,
        /// In ticks.
        price: Price,
        /// Who gives it.
        source: MarkSource,
    },
    /// What the airlock of an instrument holds is let through, or dropped.
    AirlockRelease {
        /// The instrument.
        instrument: InstrumentId,
        /// Whether the held mark is taken; else it is forgotten.
        accept: bool,
    },
    /// A watchdog finds something wrong, or well again.
    Health {
        /// What.
        state: HealthState,
        /// Of which instrument; none: of everything.
        instrument: Option<InstrumentId>,
        /// Whether it is so; else it is no more.
        active: bool,
        /// The mode that holds as long as it is so.
        mode: Mode,
    },
}

impl Command {
    /// A mark that it gives.
    #[inline]
    pub(crate) fn given_mark(&self) -> Option<(InstrumentId, Price)> {
        match *self {
            Self::Mark { instrument, price } | Self::MarkFrom { instrument, price, .. } => Some((instrument, price)),
            _ => None,
        }
    }

    /// What it says of prices, and of which instrument; none: of all, that time has passed.
    #[inline]
    pub(crate) fn price_input(&self) -> Option<(Option<InstrumentId>, PriceInput)> {
        match *self {
            Self::Mark { instrument, price } => {
                Some((Some(instrument), PriceInput::Mark { price, source: MarkSource::UNNAMED }))
            }
            Self::MarkFrom { instrument, price, source } => {
                Some((Some(instrument), PriceInput::Mark { price, source }))
            }
            Self::AirlockRelease { instrument, accept } => Some((Some(instrument), PriceInput::Release { accept })),
            Self::Last { instrument, price } => Some((Some(instrument), PriceInput::Last(price))),
            Self::Index { instrument, venue, price } => Some((Some(instrument), PriceInput::Index { venue, price })),
            Self::Time { .. } => Some((None, PriceInput::Time)),
            _ => None,
        }
    }
}

/// Which of a command's numbers were finer than their grid.
///
/// The command then carries the whole steps below. The kernel still makes the checks of value first, on the exact
/// side of each limit, and refuses with `off_grid` after them: the order of refusals is part of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct OffGrid {
    /// The amount, quantity or leverage.
    pub amount: bool,
    /// The price.
    pub price: bool,
}

impl OffGrid {
    /// Nothing is off the grid.
    pub const NONE: Self = Self { amount: false, price: false };

    /// Whether anything is.
    #[must_use]
    pub fn any(self) -> bool {
        self.amount || self.price
    }
}
