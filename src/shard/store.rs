//! The records of a shard: accounts, their pools, their holdings and open orders.
//!
//! Records lie in growing columns and name each other by index; nothing on the way of a tick allocates.

use super::Shard;
use super::edges::ABSENT;
use super::floor::NO_EPOCH;
use crate::command::{MarginMode, PositionMode, PositionSide, Side};
use crate::controls::Mode;
use crate::event::PoolName;
use crate::market::{AssetId, InstrumentId, Market};
use crate::number::{Price, Quantity};
use crate::position::Position;
use std::num::NonZeroU32;

/// The end of a list of indices.
pub(super) const NONE: u32 = u32::MAX;

/// A pool that is not in liquidation.
pub(super) const NO_LIQUIDATION: u32 = u32::MAX;

/// The leverage of a holding whose account never set it: the first row's maximum of the rules in force.
pub(super) const NOT_SET: u32 = 0;

/// The slack of a pool without a certificate.
pub(super) const UNCERTIFIED: i64 = -1;

/// What is left of a certificate: none below zero, and no more of what 64 bits cannot hold, which is as well certified.
#[inline]
pub(super) fn slack_of(left: i128) -> i64 {
    left.clamp(i128::from(UNCERTIFIED), i128::from(i64::MAX)) as i64
}

/// A level of margin calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Level(NonZeroU32);

impl Level {
    /// Of parts per billion, at most one.
    pub(super) fn of(ppb: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(ppb))
    }

    /// In parts per billion.
    pub(super) fn ppb(self) -> u32 {
        self.0.get() - 1
    }
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Account {
    pub(super) id: u64,
    /// Head of its pools, in the order of [`PoolName`].
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(super) first_pool: u32,
    /// What it may do.
    pub(super) mode: Mode,
    /// Liquidation orders so far.
    pub(super) orders_sent: u32,
    /// Fills that named it so far.
    pub(super) executions: u64,
    /// Set for good when it is made.
    pub(super) positions: PositionMode,
    /// Its group, by place among those of the shard, or [`NONE`].
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(super) group: u32,
}

/// What is evaluated as one: a cross pool or an isolated position.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Pool {
    /// The balance of a cross pool, the margin of an isolated one; in quanta.
    pub(super) collateral: i128,
    /// What the certificate has left above the rounding envelope; negative: there is none. Below [`UNCERTIFIED`] it tells the
    /// slot where the pool is swept instead.
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(super) slack: i64,
    /// Of a cross pool: what its holdings take at worst while marks stay in their ranges ([`super::floor`]), in quanta.
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(super) floor_unrealised: i64,
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(super) floor_required: i64,
    /// The epoch that these are of.
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(super) floor_epoch: u32,
    pub(super) name: PoolName,
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(super) account: u32,
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(super) next: u32,
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(super) first_holding: u32,
    /// Its liquidation, while it is locked.
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(super) liquidation: u32,
    /// Whether it stands in the list of touched pools.
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(super) touched: bool,
    /// Whether it stands in the list of changed pools.
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(super) changed: bool,
    /// Whether its breach without a living mark has been announced.
    pub(super) suppressed: bool,
    /// The highest level of margin calls that its ratio has reached, in parts per billion; none: it watches no levels.
    pub(super) level: Option<Level>,
}

impl Pool {
    pub(super) fn is_locked(&self) -> bool {
        self.liquidation != NO_LIQUIDATION
    }

    /// Where it is swept.
    #[inline]
    pub(super) fn slot(&self) -> Option<u32> {
        (self.slack < UNCERTIFIED).then(|| (UNCERTIFIED - 1 - self.slack) as u32)
    }

    /// It is swept from now on, and has no edges that count.
    pub(super) fn enter_slot(&mut self, slot: u32) {
        self.slack = UNCERTIFIED - 1 - i64::from(slot);
    }
}

/// An account in an instrument: its position, if any, and its settings. In hedge mode there is one for each leg: both are
/// made together, the long one first, and lie side by side. Each is one cache line.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Holding {
    pub(super) position: Position,
    pub(super) account: u32,
    pub(super) pool: u32,
    /// Next of the same pool.
    pub(super) next: u32,
    pub(super) instrument: InstrumentId,
    /// Which leg it is; none in one-way mode.
    pub(super) side: Option<PositionSide>,
    /// In hundredths, or [`NOT_SET`]; the same of both legs. Ask [`leverage_of`].
    pub(super) leverage: u32,
    /// Its place among the holders of the instrument, while it has a position.
    pub(super) holder: u32,
    /// Its open orders, once it had any.
    pub(super) book: u32,
}

/// The open orders of a holding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OrderBook {
    /// Head of its orders, first accepted first.
    pub(super) first: u32,
    /// The order accepted last.
    pub(super) last: u32,
    /// `Σ notional at limit price` of the buy orders that are not reduce-only, in quanta.
    pub(super) buys: i128,
    /// The same of the sell orders.
    pub(super) sells: i128,
    /// Lots of the buy orders that are not reduce-only, and of the sell orders: there may be any number of them.
    pub(super) buy_lots: i128,
    pub(super) sell_lots: i128,
    /// Lots of the reduce-only orders.
    pub(super) reducing: Quantity,
}

impl OrderBook {
    pub(super) const EMPTY: Self =
        Self { first: NONE, last: NONE, buys: 0, sells: 0, buy_lots: 0, sell_lots: 0, reducing: 0 };
}

/// What came into the accounts of a shard, left them, and is put aside; of an asset, in quanta.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct AssetSums {
    pub(crate) deposits: i128,
    pub(crate) withdrawals: i128,
    pub(crate) held: i128,
}

#[cfg(feature = "journal")]
impl AssetSums {
    pub(crate) fn add(&mut self, other: &Self) {
        let Self { deposits, withdrawals, held } = other;
        self.deposits += deposits;
        self.withdrawals += withdrawals;
        self.held += held;
    }

    /// Whether what was read is what commands can have led to.
    pub(crate) fn is_sound(&self) -> bool {
        [self.deposits, self.withdrawals, self.held].into_iter().all(crate::snapshot::is_sum)
    }
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct OpenOrder {
    pub(super) id: u64,
    /// Number of the acceptance: orders of an account are shown and cancelled in this order.
    pub(super) accepted: u64,
    pub(super) price: Price,
    pub(super) rest: Quantity,
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(super) holding: u32,
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(super) previous: u32,
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(super) next: u32,
    pub(super) side: Side,
    pub(super) reduce_only: bool,
}

/// The leverage of a holding, in hundredths.
pub(super) fn leverage_of(market: &Market, holding: &Holding) -> u32 {
    match holding.leverage {
        NOT_SET => market.instrument(holding.instrument).spec.tiers.max_leverage(0),
        set => set,
    }
}

impl Shard {
    /// Adds an account without any pool.
    pub(crate) fn add_account(&mut self, id: u64, positions: PositionMode) -> u32 {
        let index = self.push_account(id, positions);
        self.enter_account(index);
        index
    }

    /// As [`Shard::add_account`], but that it is not entered in the table of ids.
    pub(super) fn push_account(&mut self, id: u64, positions: PositionMode) -> u32 {
        let index = self.accounts.len() as u32;
        self.accounts.push(Account {
            id,
            mode: Mode::Normal,
            first_pool: NONE,
            orders_sent: 0,
            executions: 0,
            positions,
            group: NONE,
        });
        self.turns.enter(&self.accounts, index);
        self.enter_jobs(index);
        index
    }

    /// The holding of an account in an instrument, in hedge mode of the leg that is named.
    pub(super) fn holding(&self, account: u32, instrument: InstrumentId, side: Option<PositionSide>) -> Option<u32> {
        Some(self.leg(self.first_holding(account, instrument)?, side))
    }

    /// The leg that is named, by the first holding of its account and instrument.
    #[inline]
    pub(super) fn leg(&self, first: u32, side: Option<PositionSide>) -> u32 {
        let holding = first + u32::from(side == Some(PositionSide::Short));
        debug_assert_eq!(
            self.holdings[holding as usize].side, side,
            "a leg that the account does not have: a kernel bug"
        );
        holding
    }

    /// The holdings of an account in an instrument: one, in hedge mode the long leg and the short one.
    pub(super) fn legs(&self, account: u32, instrument: InstrumentId) -> std::ops::Range<u32> {
        let count = match self.accounts[account as usize].positions {
            PositionMode::OneWay => 1,
            PositionMode::Hedge => 2,
        };
        self.first_holding(account, instrument).map_or(0..0, |first| first..first + count)
    }

    /// The other leg of a leg.
    pub(super) fn other_leg(&self, holding: u32) -> Option<u32> {
        self.holdings[holding as usize].side.map(|side| match side {
            PositionSide::Long => holding + 1,
            PositionSide::Short => holding - 1,
        })
    }

    /// The first holding of an account in an instrument: both legs are made, cross and at the default leverage, if there is
    /// none.
    pub(super) fn ensure_holdings(&mut self, market: &Market, account: u32, instrument: InstrumentId) -> u32 {
        match self.first_holding(account, instrument) {
            Some(first) => first,
            None => self.add_holdings(market, account, instrument),
        }
    }

    /// Makes the holding of an account in an instrument, in hedge mode both legs.
    pub(super) fn add_holdings(&mut self, market: &Market, account: u32, instrument: InstrumentId) -> u32 {
        let first = self.place_holdings(market, account, instrument);
        self.make_room(instrument);
        self.enter_holding(first);
        first
    }

    /// As [`Shard::add_holdings`], but that no room is made for what derives of them, and they are not entered in the table of who has what.
    pub(super) fn place_holdings(&mut self, market: &Market, account: u32, instrument: InstrumentId) -> u32 {
        match self.accounts[account as usize].positions {
            PositionMode::OneWay => self.add_holding(market, account, instrument, None),
            PositionMode::Hedge => {
                let long = self.add_holding(market, account, instrument, Some(PositionSide::Long));
                self.add_holding(market, account, instrument, Some(PositionSide::Short));
                long
            }
        }
    }

    fn add_holding(
        &mut self,
        market: &Market,
        account: u32,
        instrument: InstrumentId,
        side: Option<PositionSide>,
    ) -> u32 {
        let spec = &market.instrument(instrument).spec;
        let pool = self.ensure_pool(account, PoolName::Cross(spec.settle));
        let index = self.holdings.len() as u32;
        self.holdings.push(Holding {
            position: Position::default(),
            account,
            pool: NONE,
            next: NONE,
            instrument,
            side,
            leverage: NOT_SET,
            holder: ABSENT,
            book: NONE,
        });
        self.bands.add_holding();
        self.holdings_in[instrument.index()] += 1;
        self.enter_pool(index, pool);
        index
    }

    /// Makes room for the edges of all holdings in an instrument.
    pub(super) fn make_room(&mut self, instrument: InstrumentId) {
        if self.finder.sets_edges() {
            let holdings = self.holdings_in[instrument.index()];
            self.bands.reserve(instrument, holdings);
            self.crossed.reserve(holdings);
            self.left_behind.reserve(holdings);
        }
    }

    /// A pool of an account by name; made if there is none, at its place in the order of announcement.
    pub(super) fn ensure_pool(&mut self, account: u32, name: PoolName) -> u32 {
        let mut before = NONE;
        let mut at = self.accounts[account as usize].first_pool;
        while at != NONE {
            let pool = &self.pools[at as usize];
            if pool.name == name {
                return at;
            }
            if pool.name > name {
                break;
            }
            (before, at) = (at, pool.next);
        }
        let index = self.pools.len() as u32;
        self.pools.push(Pool {
            collateral: 0,
            slack: UNCERTIFIED,
            floor_unrealised: 0,
            floor_required: 0,
            floor_epoch: NO_EPOCH,
            name,
            account,
            next: at,
            first_holding: NONE,
            liquidation: NO_LIQUIDATION,
            touched: false,
            changed: false,
            suppressed: false,
            level: None,
        });
        if self.finder.sweeps() {
            self.sweep.reserve_slots(self.pools.len().div_ceil(self.finder.swept_part()));
        }
        // So that no tick has to make room for it.
        if self.touched.capacity() < self.pools.len() {
            self.touched.reserve(self.pools.capacity() - self.touched.len());
        }
        match before {
            NONE => self.accounts[account as usize].first_pool = index,
            before => self.pools[before as usize].next = index,
        }
        index
    }

    pub(super) fn find_pool(&self, account: u32, name: PoolName) -> Option<u32> {
        self.pools_of(account).find(|&pool| self.pools[pool as usize].name == name)
    }

    /// The cross pool that stands behind a holding: for its fees, its released margin and its orders.
    pub(super) fn cross_pool(&mut self, account: u32, asset: AssetId) -> u32 {
        self.ensure_pool(account, PoolName::Cross(asset))
    }

    /// As [`Shard::cross_pool`], by the holding.
    #[inline]
    pub(super) fn cross_pool_of(&mut self, market: &Market, holding: u32) -> u32 {
        let Holding { pool, account, instrument, .. } = self.holdings[holding as usize];
        match self.pools[pool as usize].name {
            PoolName::Cross(_) => pool,
            PoolName::Isolated(..) => self.cross_pool(account, market.instrument(instrument).spec.settle),
        }
    }

    pub(super) fn pools_of(&self, account: u32) -> impl Iterator<Item = u32> + '_ {
        let first = self.accounts[account as usize].first_pool;
        std::iter::successors((first != NONE).then_some(first), |&at| {
            let next = self.pools[at as usize].next;
            (next != NONE).then_some(next)
        })
    }

    pub(super) fn holdings_of(&self, pool: u32) -> impl Iterator<Item = u32> + '_ {
        let first = self.pools[pool as usize].first_holding;
        std::iter::successors((first != NONE).then_some(first), |&at| {
            let next = self.holdings[at as usize].next;
            (next != NONE).then_some(next)
        })
    }

    pub(super) fn mode(&self, holding: u32) -> MarginMode {
        match self.pools[self.holdings[holding as usize].pool as usize].name {
            PoolName::Cross(_) => MarginMode::Cross,
            PoolName::Isolated(..) => MarginMode::Isolated,
        }
    }

    #[inline]
    pub(super) fn order_book(&self, holding: u32) -> &OrderBook {
        match self.holdings[holding as usize].book {
            NONE => &OrderBook::EMPTY,
            book => &self.books[book as usize],
        }
    }

    pub(super) fn order_book_mut(&mut self, holding: u32) -> &mut OrderBook {
        let holding = &mut self.holdings[holding as usize];
        if holding.book == NONE {
            holding.book = self.books.len() as u32;
            self.books.push(OrderBook::EMPTY);
        }
        &mut self.books[holding.book as usize]
    }

    /// Moves a holding without position or orders to another pool of its account.
    pub(super) fn move_holding(&mut self, holding: u32, pool: u32) {
        let from = self.holdings[holding as usize].pool;
        let next = self.holdings[holding as usize].next;
        let before = self.holdings_of(from).find(|&other| self.holdings[other as usize].next == holding);
        match before {
            Some(before) => self.holdings[before as usize].next = next,
            None => self.pools[from as usize].first_holding = next,
        }
        self.enter_pool(holding, pool);
        self.note_change(pool); // what changed of the holding before is looked for in the pool that it is in now
    }

    /// Enters a holding into the list of a pool, which is in instrument order, the long leg before the short.
    fn enter_pool(&mut self, holding: u32, pool: u32) {
        let place = |holding: u32| {
            let record = &self.holdings[holding as usize];
            (record.instrument, record.side)
        };
        let before = self.holdings_of(pool).take_while(|&at| place(at) < place(holding)).last();
        let next = match before {
            Some(before) => std::mem::replace(&mut self.holdings[before as usize].next, holding),
            None => std::mem::replace(&mut self.pools[pool as usize].first_holding, holding),
        };
        let record = &mut self.holdings[holding as usize];
        record.next = next;
        record.pool = pool;
    }
}
