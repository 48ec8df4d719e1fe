//! Commands as C gives them.

use super::numbers::Word;
use super::words::{terrace_owner_kind, terrace_pool_kind, terrace_scope};
use crate::command::{Command, Fill, MarkSource, Order, OrderName, OrderOwner, PositionSide};
use crate::controls::{HealthState, Mode, Scope};
use crate::event::PoolName;
use crate::market::{AssetId, FundId, InstrumentId};

/// In `terrace_fill.given`: `counterparty` is given; else the other side is the external venue account.
pub const TERRACE_GIVEN_COUNTERPARTY: u32 = 1;
/// In `terrace_fill.given`: `order` is given.
pub const TERRACE_GIVEN_ORDER: u32 = 2;
/// In `terrace_fill.given`: `counter_order` is given.
pub const TERRACE_GIVEN_COUNTER_ORDER: u32 = 4;
/// In `terrace_account.given`: `group` is given.
pub const TERRACE_GIVEN_GROUP: u32 = 1;

/// A pool of an account, by what it holds.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct terrace_pool {
    /// A `terrace_pool_kind`.
    pub kind: u32,
    /// Of the asset or the instrument.
    pub id: u32,
}

/// A liquidation or unwinding order as the venue knows it: whose it is, and its how-manieth.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct terrace_order_name {
    /// A `terrace_owner_kind`.
    pub owner_kind: u32,
    /// From 1, over all orders of that owner.
    pub nth: u32,
    /// The account, or the instrument that the fund stands behind.
    pub owner: u64,
}

/// A price of an instrument.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_price {
    /// In ticks.
    pub price: i64,
    /// Its id.
    pub instrument: u32,
}

/// A mark price of an instrument, from a source.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_sourced_price {
    /// In ticks.
    pub price: i64,
    /// Who gives it: any number that stands for one; 0: not named.
    pub source: u64,
    /// Its id.
    pub instrument: u32,
}

/// A decision about the mark that the airlock of an instrument holds.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_airlock_release {
    /// The instrument's id.
    pub instrument: u32,
    /// 1: it is taken; 0: it is forgotten.
    pub accept: u32,
}

/// A fill of the matching engine: a fact, booked whatever it does to the accounts.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_fill {
    /// The account whose side is given.
    pub account: u64,
    /// The other side, if given.
    pub counterparty: u64,
    /// The account's order that it fills, if given.
    pub order: u64,
    /// The counterparty's order that it fills, if given.
    pub counter_order: u64,
    /// In lots.
    pub quantity: i64,
    /// In ticks.
    pub price: i64,
    /// The instrument's id.
    pub instrument: u32,
    /// The account's `terrace_side`.
    pub side: u32,
    /// A `terrace_liquidity`: the account's.
    pub liquidity: u32,
    /// Which of the optional fields are given: `TERRACE_GIVEN_…`, added up.
    pub given: u32,
    /// The account's `terrace_position_side`.
    pub position_side: u32,
    /// The counterparty's.
    pub counter_position_side: u32,
}

/// A limit order, for its margin.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_order {
    /// The account.
    pub account: u64,
    /// Its id, unique among the account's open orders.
    pub order: u64,
    /// In lots.
    pub quantity: i64,
    /// Limit, in ticks.
    pub price: i64,
    /// The instrument's id.
    pub instrument: u32,
    /// A `terrace_side`.
    pub side: u32,
    /// 1: it may only reduce the position; else 0.
    pub reduce_only: u32,
    /// A `terrace_position_side`.
    pub position_side: u32,
}

/// An account before its first deposit.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_account {
    /// Its id.
    pub account: u64,
    /// A `terrace_position_mode`.
    pub positions: u32,
    /// Whether it has a group: `TERRACE_GIVEN_GROUP`, or 0.
    pub given: u32,
    /// The group whose members count as one for `limits.position`, if given.
    pub group: u64,
}

/// An order, or a hold, of an account.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_item {
    /// The account.
    pub account: u64,
    /// The order's id, or the hold's.
    pub id: u64,
}

/// Money of an account.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_payment {
    /// The account.
    pub account: u64,
    /// In quanta.
    pub amount: i64,
    /// The asset's id.
    pub asset: u32,
}

/// The leverage of an account in an instrument.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_leverage {
    /// The account.
    pub account: u64,
    /// The instrument's id.
    pub instrument: u32,
    /// In hundredths, from 100.
    pub leverage: u32,
}

/// How an account is margined in an instrument.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_mode {
    /// The account.
    pub account: u64,
    /// The instrument's id.
    pub instrument: u32,
    /// A `terrace_margin_mode`.
    pub mode: u32,
}

/// Money between the balance and an isolated margin.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_isolated_margin {
    /// The account.
    pub account: u64,
    /// In quanta, into the margin; negative out of it.
    pub amount: i64,
    /// The instrument's id.
    pub instrument: u32,
    /// A `terrace_position_side`.
    pub position_side: u32,
}

/// A price at a venue of the index.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_index {
    /// In steps of 10^-8.
    pub price: i64,
    /// The instrument's id.
    pub instrument: u32,
    /// The venue, by its place in the rules of the index, from 0.
    pub venue: u32,
}

/// Money put aside for a withdrawal.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_hold {
    /// The account.
    pub account: u64,
    /// Its id, unique among the account's open holds.
    pub hold: u64,
    /// In quanta.
    pub amount: i64,
    /// The asset's id.
    pub asset: u32,
}

/// What an instrument, an account, or everything may do from now on.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct terrace_set_mode {
    /// The instrument's, the account, or the fund's.
    pub id: u64,
    /// A `terrace_scope`.
    pub scope: u32,
    /// A `terrace_mode_word`.
    pub mode: u32,
}

impl terrace_set_mode {
    pub(super) fn of(scope: Scope, mode: Mode) -> Self {
        let (kind, id) = match scope {
            Scope::All => (terrace_scope::All, 0),
            Scope::Instrument(InstrumentId(id)) => (terrace_scope::Instrument, u64::from(id)),
            Scope::Account(account) => (terrace_scope::Account, account),
            Scope::Fund(FundId(id)) => (terrace_scope::Fund, u64::from(id)),
        };
        Self { id, scope: kind as u32, mode: mode.number() }
    }

    pub(super) fn read(self) -> Option<(Scope, Mode)> {
        let scope = match self.scope {
            kind if kind == terrace_scope::All as u32 && self.id == 0 => Scope::All,
            kind if kind == terrace_scope::Instrument as u32 => {
                Scope::Instrument(InstrumentId(u32::try_from(self.id).ok()?))
            }
            kind if kind == terrace_scope::Account as u32 => Scope::Account(self.id),
            kind if kind == terrace_scope::Fund as u32 => Scope::Fund(FundId(u32::try_from(self.id).ok()?)),
            _ => return None,
        };
        Some((scope, Word::read(self.mode)?))
    }
}

/// Something is wrong around the kernel, or well again.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct terrace_health {
    /// The instrument's, or 0.
    pub id: u64,
    /// A `terrace_scope`: of an instrument, or of everything.
    pub scope: u32,
    /// A `terrace_health_state`.
    pub state: u32,
    /// 1: it is so; 0: it is no more.
    pub active: u32,
    /// A `terrace_mode_word`, which holds as long as it is so; normal where it is no more.
    pub mode: u32,
}

impl terrace_health {
    pub(super) fn of(state: HealthState, instrument: Option<InstrumentId>, active: bool, mode: Mode) -> Self {
        let terrace_set_mode { id, scope, mode } =
            terrace_set_mode::of(instrument.map_or(Scope::All, Scope::Instrument), mode);
        Self { id, scope, state: state.number(), active: u32::from(active), mode }
    }

    pub(super) fn read(self) -> Option<(HealthState, Option<InstrumentId>, bool, Mode)> {
        let Self { id, scope, state, active, mode } = self;
        let (scope, mode) = terrace_set_mode { id, scope, mode }.read()?;
        let instrument = match scope {
            Scope::All => None,
            Scope::Instrument(id) => Some(id),
            Scope::Account(_) | Scope::Fund(_) => return None,
        };
        let active = match active {
            0 if mode == Mode::Normal => false,
            1 => true,
            _ => return None,
        };
        Some((Word::read(state)?, instrument, active, mode))
    }
}

/// Funding is settled at a rate.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_funding {
    /// What a long pays of its notional, in parts per billion, above -1 and below 1; negative: receives.
    pub rate_ppb: i64,
    /// The instrument's id.
    pub instrument: u32,
}

/// Money into a fund.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_fund_deposit {
    /// In quanta.
    pub amount: i64,
    /// The fund's id.
    pub fund: u32,
}

/// The venue filled a liquidation order, wholly or in part.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_liquidation_fill {
    /// As the request named it.
    pub order: terrace_order_name,
    /// In lots.
    pub quantity: i64,
    /// In ticks.
    pub price: i64,
    /// The instrument's id.
    pub instrument: u32,
}

/// The venue has cancelled the orders of a pool in liquidation.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_cancel_ack {
    /// The account.
    pub account: u64,
    /// The account's last execution before that, counted from 1 over the fills that name the account; 0: none to wait for.
    pub execution: u64,
    /// The pool.
    pub pool: terrace_pool,
}

/// Everything of fixed size that changes state. Quantities are in lots, prices in ticks, amounts in quanta, all positive
/// and below 2^62 unless stated. Every number is checked; what does not fit is refused.
#[repr(C, u32)]
#[derive(Clone, Copy, Debug)]
pub enum terrace_action {
    /// A mark price.
    Mark(terrace_price),
    /// A last traded price: shown, liquidates nobody.
    Last(terrace_price),
    /// A fill.
    Fill(terrace_fill),
    /// A new order.
    Order(terrace_order),
    /// An order is gone.
    Cancel(terrace_item),
    /// Declares an account before its first deposit.
    Account(terrace_account),
    /// Money in.
    Deposit(terrace_payment),
    /// Money out.
    Withdraw(terrace_payment),
    /// The leverage of an account in an instrument.
    Leverage(terrace_leverage),
    /// Cross or isolated, for an account in an instrument.
    MarginMode(terrace_mode),
    /// Moves money between the balance and an isolated margin.
    IsolatedMargin(terrace_isolated_margin),
    /// Money put aside for a withdrawal.
    Hold(terrace_hold),
    /// A hold becomes a withdrawal.
    Commit(terrace_item),
    /// A hold goes back to the balance.
    Release(terrace_item),
    /// Money into a fund.
    FundDeposit(terrace_fund_deposit),
    /// The venue's answer to a liquidation order: a fill.
    LiquidationFill(terrace_liquidation_fill),
    /// The venue's answer to a liquidation order: what is not filled will not be.
    LiquidationExpire(terrace_order_name),
    /// The venue does not know what became of a liquidation order: its pool stays locked.
    LiquidationUnknown(terrace_order_name),
    /// The venue's answer to a request to cancel.
    CancelAck(terrace_cancel_ack),
    /// A price at a venue of the index, in steps of 10^-8.
    Index(terrace_index),
    /// Funding is settled now, at the present mark.
    Funding(terrace_funding),
    /// What may be done from now on.
    SetMode(terrace_set_mode),
    /// A mark price from a source that the airlock tells from others.
    MarkFrom(terrace_sourced_price),
    /// What the airlock of an instrument holds is let through, or dropped.
    AirlockRelease(terrace_airlock_release),
    /// Something is wrong around the kernel, or well again.
    Health(terrace_health),
    /// The input time moves on to this, in nanoseconds since the epoch.
    Time(u64),
}

/// Number of actions.
pub(super) const ACTIONS: u32 = 26;

/// An action at a time.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct terrace_command {
    /// In nanoseconds since the epoch, never running backward; 0: the present time.
    pub ts_ns: u64,
    /// What is to be done.
    pub action: terrace_action,
}

impl From<PoolName> for terrace_pool {
    fn from(pool: PoolName) -> Self {
        match pool {
            PoolName::Cross(AssetId(id)) => Self { kind: terrace_pool_kind::Cross as u32, id },
            PoolName::Isolated(InstrumentId(id), side) => {
                let kind = match side {
                    None => terrace_pool_kind::Isolated,
                    Some(PositionSide::Long) => terrace_pool_kind::IsolatedLong,
                    Some(PositionSide::Short) => terrace_pool_kind::IsolatedShort,
                };
                Self { kind: kind as u32, id }
            }
        }
    }
}

impl terrace_pool {
    pub(super) fn read(self) -> Option<PoolName> {
        let isolated = |side| Some(PoolName::Isolated(InstrumentId(self.id), side));
        match self.kind {
            kind if kind == terrace_pool_kind::Cross as u32 => Some(PoolName::Cross(AssetId(self.id))),
            kind if kind == terrace_pool_kind::Isolated as u32 => isolated(None),
            kind if kind == terrace_pool_kind::IsolatedLong as u32 => isolated(Some(PositionSide::Long)),
            kind if kind == terrace_pool_kind::IsolatedShort as u32 => isolated(Some(PositionSide::Short)),
            _ => None,
        }
    }
}

impl From<OrderName> for terrace_order_name {
    fn from(name: OrderName) -> Self {
        let (owner_kind, owner) = match name.owner {
            OrderOwner::Account(account) => (terrace_owner_kind::Account, account),
            OrderOwner::Fund(instrument) => (terrace_owner_kind::Fund, u64::from(instrument.0)),
        };
        Self { owner_kind: owner_kind as u32, nth: name.nth, owner }
    }
}

impl terrace_order_name {
    pub(super) fn read(self) -> Option<OrderName> {
        let owner = match self.owner_kind {
            kind if kind == terrace_owner_kind::Account as u32 => OrderOwner::Account(self.owner),
            kind if kind == terrace_owner_kind::Fund as u32 => {
                OrderOwner::Fund(InstrumentId(u32::try_from(self.owner).ok()?))
            }
            _ => return None,
        };
        Some(OrderName { owner, nth: self.nth })
    }
}

impl terrace_fill {
    fn read(self) -> Option<Fill> {
        let all = TERRACE_GIVEN_COUNTERPARTY | TERRACE_GIVEN_ORDER | TERRACE_GIVEN_COUNTER_ORDER;
        let given = |bit, value| (self.given & bit != 0).then_some(value);
        let counterparty = given(TERRACE_GIVEN_COUNTERPARTY, self.counterparty);
        let counter_order = given(TERRACE_GIVEN_COUNTER_ORDER, self.counter_order);
        let counter_position_side: Option<PositionSide> = Word::read(self.counter_position_side)?;
        let of_nobody = (counter_order.is_some() || counter_position_side.is_some()) && counterparty.is_none();
        if self.given & !all != 0 || of_nobody {
            return None;
        }
        Some(Fill {
            account: self.account,
            counterparty,
            order: given(TERRACE_GIVEN_ORDER, self.order),
            counter_order,
            instrument: InstrumentId(self.instrument),
            side: Word::read(self.side)?,
            quantity: self.quantity,
            price: self.price,
            liquidity: Word::read(self.liquidity)?,
            position_side: Word::read(self.position_side)?,
            counter_position_side,
        })
    }
}

impl terrace_order {
    fn read(self) -> Option<Order> {
        let Self { account, order, instrument, side, quantity, price, reduce_only, position_side } = self;
        let reduce_only = match reduce_only {
            0 => false,
            1 => true,
            _ => return None,
        };
        let (instrument, side, position_side) =
            (InstrumentId(instrument), Word::read(side)?, Word::read(position_side)?);
        Some(Order { account, order, instrument, side, quantity, price, reduce_only, position_side })
    }
}

impl terrace_action {
    /// The command; none if a number is none of those that its field takes.
    #[inline]
    pub(super) fn read(&self) -> Option<Command> {
        Some(match *self {
            Self::Mark(at) => Command::Mark { instrument: InstrumentId(at.instrument), price: at.price },
            Self::Last(at) => Command::Last { instrument: InstrumentId(at.instrument), price: at.price },
            Self::Fill(fill) => Command::Fill(fill.read()?),
            Self::Order(order) => Command::Order(order.read()?),
            Self::Cancel(terrace_item { account, id }) => Command::Cancel { account, order: id },
            Self::Account(terrace_account { account, positions, given, group }) => {
                let group = match given {
                    0 => None,
                    TERRACE_GIVEN_GROUP => Some(group),
                    _ => return None,
                };
                Command::Account { account, positions: Word::read(positions)?, group }
            }
            Self::Deposit(terrace_payment { account, amount, asset }) => {
                Command::Deposit { account, asset: AssetId(asset), amount }
            }
            Self::Withdraw(terrace_payment { account, amount, asset }) => {
                Command::Withdraw { account, asset: AssetId(asset), amount }
            }
            Self::Leverage(terrace_leverage { account, instrument, leverage }) => {
                Command::Leverage { account, instrument: InstrumentId(instrument), leverage }
            }
            Self::MarginMode(terrace_mode { account, instrument, mode }) => {
                Command::MarginMode { account, instrument: InstrumentId(instrument), mode: Word::read(mode)? }
            }
            Self::IsolatedMargin(terrace_isolated_margin { account, amount, instrument, position_side }) => {
                let (instrument, position_side) = (InstrumentId(instrument), Word::read(position_side)?);
                Command::IsolatedMargin { account, instrument, amount, position_side }
            }
            Self::Hold(terrace_hold { account, hold, amount, asset }) => {
                Command::Hold { account, hold, asset: AssetId(asset), amount }
            }
            Self::Commit(terrace_item { account, id }) => Command::Commit { account, hold: id },
            Self::Release(terrace_item { account, id }) => Command::Release { account, hold: id },
            Self::FundDeposit(terrace_fund_deposit { amount, fund }) => {
                Command::FundDeposit { fund: FundId(fund), amount }
            }
            Self::LiquidationFill(terrace_liquidation_fill { order, quantity, price, instrument }) => {
                let (order, instrument) = (order.read()?, InstrumentId(instrument));
                Command::LiquidationFill { order, instrument, quantity, price }
            }
            Self::LiquidationExpire(order) => Command::LiquidationExpire { order: order.read()? },
            Self::LiquidationUnknown(order) => Command::LiquidationUnknown { order: order.read()? },
            Self::CancelAck(terrace_cancel_ack { account, execution, pool }) => {
                Command::CancelAck { account, pool: pool.read()?, execution }
            }
            Self::SetMode(set) => {
                let (scope, mode) = set.read()?;
                Command::Mode { scope, mode }
            }
            Self::Index(terrace_index { price, instrument, venue }) => {
                let venue = u16::try_from(venue).unwrap_or(u16::MAX);
                Command::Index { instrument: InstrumentId(instrument), venue, price }
            }
            Self::Time(ts_ns) => Command::Time { ts_ns },
            Self::MarkFrom(terrace_sourced_price { price, source, instrument }) => {
                Command::MarkFrom { instrument: InstrumentId(instrument), price, source: MarkSource(source) }
            }
            Self::AirlockRelease(terrace_airlock_release { instrument, accept }) => {
                let accept = match accept {
                    0 => false,
                    1 => true,
                    _ => return None,
                };
                Command::AirlockRelease { instrument: InstrumentId(instrument), accept }
            }
            Self::Health(health) => {
                let (state, instrument, active, mode) = health.read()?;
                Command::Health { state, instrument, active, mode }
            }
            Self::Funding(terrace_funding { rate_ppb, instrument }) => {
                Command::Funding { instrument: InstrumentId(instrument), rate_ppb }
            }
        })
    }
}
