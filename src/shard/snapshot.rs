//! The accounts of a shard in a snapshot: each with its pools, holdings, orders, liquidations and holds, which name each other by their
//! places among those of the account.

use super::ended::{ENDED_KEPT, Ended};
use super::jobs::JobShare;
use super::liquidation::{Cancelling, Liquidation, Standing, Unfilled};
use super::store::{
    Account, AssetSums, Holding, NO_LIQUIDATION, NONE, NOT_SET, OpenOrder, OrderBook, Pool, UNCERTIFIED,
};
use super::{Attention, Finder, Findings, Shard, Strategy};
use crate::command::{PositionSide, Side};
use crate::event::PoolName;
use crate::jobs::JobName;
use crate::map::Set;
use crate::market::{AssetId, InstrumentId, Market};
use crate::number::{LEVERAGE_ONE, LIMIT, Quantity};
use crate::position::Position;
use crate::snapshot::{Part, Unfit, is_sum};

/// What an account's liquidation orders and executions may have been counted up to.
const MOST_COUNTED: u64 = 1 << 31;

/// A number of lots, or a price.
fn is_amount(amount: i64) -> bool {
    amount > 0 && i128::from(amount) < LIMIT
}

/// Whether a position is one that commands can have led to.
pub(crate) fn is_position(position: &Position) -> bool {
    let sound = i128::from(position.quantity).abs() < LIMIT && is_sum(position.cost);
    sound && (position.quantity != 0 || position.cost == 0)
}

/// What a shard has of its holds, by account and id.
pub(crate) type Holds = Vec<((u32, u64), (AssetId, i64))>;

/// Money put aside, by id.
type SavedHold = (u64, (AssetId, i64));

/// A pool, and its liquidation.
type SavedPool = (Pool, Option<Box<Liquidation>>);

/// What of a holding is not derived.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
struct SavedHolding {
    position: Position,
    /// The place of its pool among those of its account.
    pool: u32,
    instrument: InstrumentId,
    side: Option<PositionSide>,
    leverage: u32,
}

/// An account with all that is its own, as it is saved; pools and holdings are named by their places here.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct SavedAccount {
    account: Account,
    group: Option<u64>,
    pools: Vec<SavedPool>,
    holdings: Vec<(SavedHolding, Vec<OpenOrder>)>,
    ended: Vec<Ended>,
    holds: Vec<SavedHold>,
}

impl SavedAccount {
    pub(crate) fn id(&self) -> u64 {
        self.account.id
    }

    /// Places it in the shard in which it lives, with what it has, and tells all others. It is not in the tables of names yet. None: it
    /// lives nowhere.
    pub(crate) fn load(&self, market: &Market, shards: &mut [Box<Shard>]) -> Option<Result<(), Unfit>> {
        let mut loaded = None;
        for shard in shards {
            if let Some(at) = shard.place_account(self.account.id, self.account.positions, self.group) {
                loaded = Some(shard.load_account(market, at, self));
            }
        }
        loaded
    }
}

fn unfit(reason: &str) -> Unfit {
    Unfit::new(Part::Accounts, reason)
}

fn expect(holds: bool, otherwise: &str) -> Result<(), Unfit> {
    if holds { Ok(()) } else { Err(unfit(otherwise)) }
}

/// A job as it is saved.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct SavedJob {
    pub(crate) name: JobName,
    pub(crate) paid: i128,
    pub(crate) received: i128,
    /// The ids of those who were booked before their turn, rising.
    pub(crate) early: Vec<u64>,
}

impl Shard {
    /// How breaches are found.
    pub(crate) fn strategy(&self) -> Strategy {
        match self.finder {
            Finder::Strategy(strategy) => strategy,
            Finder::Foresight => Strategy::default(),
        }
    }

    /// Whether nothing waits for the next decision, or to be looked at.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.touched.is_empty() && self.undecided.is_empty()
    }

    pub(crate) fn account_count(&self) -> usize {
        self.accounts.len()
    }

    /// Accounts, holdings, and open orders.
    pub(crate) fn counts(&self) -> [usize; 3] {
        let orders = self.books.iter().map(|book| self.list_of(book).count()).sum();
        [self.account_count(), self.holdings.len(), orders]
    }

    fn list_of(&self, book: &OrderBook) -> impl Iterator<Item = u32> + '_ {
        let exists = |at: u32| (at != NONE).then_some(at);
        std::iter::successors(exists(book.first), move |&at| exists(self.orders[at as usize].next))
    }

    /// The accounts by their ids.
    pub(crate) fn turns(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.turns.after(&self.accounts, None).map(|at| (self.accounts[at as usize].id, at))
    }

    /// All holds, by account and id.
    pub(crate) fn holds(&self) -> Holds {
        let mut holds: Holds = self.holds.iter().map(|(&name, &hold)| (name, hold)).collect();
        holds.sort_unstable_by_key(|&(name, _)| name);
        holds
    }

    /// An account with all that is its own; `holds` are those of the shard.
    pub(crate) fn saved_account(&self, market: &Market, account: u32, holds: &Holds) -> SavedAccount {
        let pools: Vec<u32> = self.pools_of(account).collect();
        let mut holdings: Vec<u32> = pools.iter().flat_map(|&pool| self.holdings_of(pool)).collect();
        holdings.sort_unstable_by_key(|&at| {
            let holding = &self.holdings[at as usize];
            (holding.instrument, holding.side)
        });
        let place = |list: &[u32], at: u32| list.iter().position(|&other| other == at).map_or(NONE, |at| at as u32);
        let saved_pool = |&pool: &u32| {
            let record = &self.pools[pool as usize];
            let liquidation = record.is_locked().then(|| {
                let of = self.liquidation(pool);
                let standing = of.standing.map(|order| Standing { holding: place(&holdings, order.holding), ..order });
                let unfilled = of.unfilled.map(|rest| Unfilled { holding: place(&holdings, rest.holding), ..rest });
                Box::new(Liquidation { standing, unfilled, ..*of })
            });
            // That none is reached of none is noticed when the pool is looked at next.
            let level = record.level.filter(|level| level.ppb() > 0 || self.has_levels(market, pool));
            (Pool { level, ..*record }, liquidation)
        };
        let saved_holding = |&holding: &u32| {
            let record = &self.holdings[holding as usize];
            let Holding { position, account: _, pool, next: _, instrument, side, leverage, holder: _, book: _ } =
                *record;
            let orders = self.orders_of(holding).map(|order| self.orders[order as usize]);
            (SavedHolding { position, pool: place(&pools, pool), instrument, side, leverage }, orders.collect())
        };
        let ended = |ended: &Ended| Ended { holding: place(&holdings, ended.holding), ..*ended };
        let from = holds.partition_point(|&((of, _), _)| of < account);
        let own = holds[from..].iter().take_while(|((of, _), _)| *of == account);
        SavedAccount {
            account: Account { ..self.accounts[account as usize] },
            group: self.group_of(account),
            pools: pools.iter().map(saved_pool).collect(),
            holdings: holdings.iter().map(saved_holding).collect(),
            ended: self.ended.of(account).map(ended).collect(),
            holds: own.map(|&((_, id), hold)| (id, hold)).collect(),
        }
    }

    /// All accounts are there: what is entered by name or by instrument is so at once, with room for as many as there are.
    pub(crate) fn enter_all(&mut self) {
        self.fill_tables();
        (0..self.holdings_in.len()).for_each(|index| self.make_room(InstrumentId(index as u32)));
        self.enter_all_holders();
    }

    /// Takes over what an account has that was just placed here.
    fn load_account(&mut self, market: &Market, account: u32, saved: &SavedAccount) -> Result<(), Unfit> {
        let SavedAccount { account: read, group: _, pools: saved_pools, holdings: saved_holdings, ended, holds } =
            saved;
        let counted = u64::from(read.orders_sent).max(read.executions);
        expect(counted < MOST_COUNTED, "more orders or executions than can be")?;
        let Account { first_pool, group, .. } = self.accounts[account as usize];
        self.accounts[account as usize] = Account { first_pool, group, ..*read };
        let pools = self.pools.len();
        let liquidations = self.load_pools(market, account, saved_pools)?;
        let (first, last) = (self.holdings.len(), self.pools.len());
        self.load_holdings(market, account, pools, saved_holdings)?;
        expect(self.pools.len() == last, "a holding without the cross pool of its asset")?;
        let holdings = self.holdings.len() - first;
        let place = |place: u32| ((place as usize) < holdings).then(|| first as u32 + place);
        for ended in ended {
            let count = self.ended.of(account).count();
            let sound = is_amount(ended.limit) && (0..=i64::MAX >> 1).contains(&ended.open);
            let sound = sound && count < ENDED_KEPT && self.ended.find(account, ended.nth).is_none();
            let holding = place(ended.holding).filter(|_| sound && self.has_sent(account, ended.nth));
            let holding = holding.ok_or_else(|| unfit("an order that cannot have ended"))?;
            self.ended.push(account, Ended { holding, ..*ended });
        }
        self.load_holds(market, account, holds)?;
        for (pool, liquidation) in liquidations {
            let loaded = self.load_liquidation(account, pool, liquidation, place);
            loaded.ok_or_else(|| unfit("a liquidation that cannot be"))?;
        }
        Ok(())
    }

    fn has_sent(&self, account: u32, nth: u32) -> bool {
        (1..=self.accounts[account as usize].orders_sent).contains(&nth)
    }

    fn load_pools(
        &mut self,
        market: &Market,
        account: u32,
        saved: &[SavedPool],
    ) -> Result<Vec<(u32, Liquidation)>, Unfit> {
        let mut locked = Vec::new();
        let mut before = None;
        for (read, liquidation) in saved {
            let hedges = self.hedges(account);
            let sound = match read.name {
                PoolName::Cross(asset) => asset.index() < market.assets.len(),
                PoolName::Isolated(id, side) => id.index() < market.instruments.len() && side.is_some() == hedges,
            };
            let sound = sound && is_sum(read.collateral) && before.is_none_or(|before| before < read.name);
            expect(sound, "a pool that cannot be")?;
            before = Some(read.name);
            let pool = self.ensure_pool(account, read.name);
            let made = &self.pools[pool as usize];
            let Pool { account, next, first_holding, floor_epoch, .. } = *made;
            let (slack, liquidation_at) = (UNCERTIFIED, NO_LIQUIDATION);
            let links = Pool { account, next, first_holding, floor_epoch, slack, liquidation: liquidation_at, ..*read };
            self.pools[pool as usize] = links;
            locked.extend(liquidation.as_deref().map(|&liquidation| (pool, liquidation)));
        }
        Ok(locked)
    }

    /// `pools` is the index of the account's first pool: they lie side by side.
    fn load_holdings(
        &mut self,
        market: &Market,
        account: u32,
        pools: usize,
        saved: &[(SavedHolding, Vec<OpenOrder>)],
    ) -> Result<(), Unfit> {
        let hedges = self.hedges(account);
        let mut before = None;
        for (read, orders) in saved {
            let (id, side) = (read.instrument, read.side);
            let instrument = market.instruments.get(id.index()).ok_or_else(|| unfit("an unknown instrument"))?;
            let expected = match before {
                _ if !hedges => None,
                Some((of, Some(PositionSide::Long))) if of == id => Some(PositionSide::Short),
                _ => Some(PositionSide::Long),
            };
            let follows = before.is_none_or(|before| before < (id, side));
            expect(follows && side == expected, "the legs of an account are not in order")?;
            let pool = pools + read.pool as usize;
            let name = self.pools.get(pool).map(|pool| pool.name);
            let is_own = name == Some(PoolName::Isolated(id, side));
            expect(is_own || name == Some(PoolName::Cross(instrument.spec.settle)), "a holding in no pool of it")?;
            expect(is_position(&read.position), "a position that cannot be")?;
            let leverage = read.leverage == NOT_SET || read.leverage >= LEVERAGE_ONE;
            expect(leverage, "a leverage below 1")?;
            let holding = match side {
                None | Some(PositionSide::Long) => self.place_holdings(market, account, id),
                Some(PositionSide::Short) => self.holdings.len() as u32 - 1,
            };
            if is_own {
                self.move_holding(holding, pool as u32);
            }
            let SavedHolding { position, leverage, .. } = *read;
            let record = &mut self.holdings[holding as usize];
            (record.position, record.leverage) = (position, leverage);
            let pool = record.pool;
            if position.quantity != 0 {
                let long = position.quantity.max(0);
                let lots = self.long_lots[id.index()].checked_add(long);
                self.long_lots[id.index()] = lots.ok_or_else(|| unfit("more lots than can be"))?;
                self.touch(pool);
            }
            self.load_orders(market, account, holding, orders)?;
            before = Some((id, side));
        }
        let whole = !matches!(before, Some((_, Some(PositionSide::Long))));
        expect(whole, "one leg of two")
    }

    fn load_orders(&mut self, market: &Market, account: u32, holding: u32, saved: &[OpenOrder]) -> Result<(), Unfit> {
        let Holding { position, instrument, .. } = self.holdings[holding as usize];
        let instrument = market.instrument(instrument);
        let mut accepted = None;
        for read in saved {
            let notional = instrument.admitted_value(read.rest, read.price);
            let notional = notional.filter(|_| is_amount(read.rest) && is_amount(read.price));
            let notional = notional.filter(|_| accepted.is_none_or(|before| before < read.accepted));
            let notional = notional.ok_or_else(|| unfit("an order that cannot be"))?;
            accepted = Some(read.accepted);
            let room = position.quantity.abs() - self.order_book(holding).reducing;
            let closes = read.side == Side::closing(position.quantity) && read.rest <= room;
            expect(closes || !read.reduce_only, "orders that reduce what is not there")?;
            let index = self.orders.len() as u32;
            expect(self.enter_order(account, read.id, index), "two orders of the same id")?;
            self.append_read_order(index, holding, *read, notional);
        }
        Ok(())
    }

    fn load_holds(&mut self, market: &Market, account: u32, saved: &[SavedHold]) -> Result<(), Unfit> {
        for &(id, (asset, amount)) in saved {
            let sound = asset.index() < market.assets.len() && is_amount(amount);
            let sound = sound && self.holds.insert((account, id), (asset, amount)).is_none();
            expect(sound, "money put aside that cannot be")?;
        }
        Ok(())
    }

    /// None if it cannot be.
    fn load_liquidation(
        &mut self,
        account: u32,
        pool: u32,
        read: Liquidation,
        place: impl Fn(u32) -> Option<u32>,
    ) -> Option<()> {
        let own = |at: u32| place(at).filter(|&holding| self.holdings[holding as usize].pool == pool);
        let standing = match read.standing {
            None => None,
            Some(order) => {
                let holding = own(order.holding)?;
                let quantity = self.holdings[holding as usize].position.quantity;
                let closes = (1..=quantity.abs()).contains(&order.rest) && order.side == Side::closing(quantity);
                let sound = closes && is_amount(order.open) && order.rest <= order.open && is_amount(order.limit);
                Some(Standing { holding, ..order }).filter(|_| sound && self.has_sent(account, order.nth))?.into()
            }
        };
        let unfilled = match read.unfilled {
            None => None,
            Some(rest) => {
                let sound = is_amount(rest.lots) && self.has_sent(account, rest.nth);
                Some(Unfilled { holding: own(rest.holding).filter(|_| sound)?, ..rest })
            }
        };
        if !read.urgency.is_sound() {
            return None;
        }
        self.awaiting_executions += u32::from(matches!(read.cancelling, Cancelling::Acknowledged { .. }));
        if read.held_back {
            self.held_back.push(pool);
        }
        self.pools[pool as usize].liquidation = self.liquidations.len() as u32;
        self.liquidations.push(Liquidation { standing: None, unfilled, ..read });
        let instrument = standing.map(|order| self.holdings[order.holding as usize].instrument);
        if let (Some(order), Some(id)) = (standing, instrument) {
            self.in_flight[id.index()].checked_add(order.open)?;
            self.set_standing(pool, standing);
        }
        Some(())
    }

    /// What came in, left and is held of each asset, and all long lots at the last `time`: of one shard, for all.
    pub(crate) fn load_sums(&mut self, sums: Vec<AssetSums>, lots_at_time: Vec<Quantity>) {
        (self.sums, self.lots_at_time) = (sums, lots_at_time);
    }

    /// What is held of each asset.
    pub(crate) fn count_held(&self, held: &mut [i128]) {
        for (asset, amount) in self.holds.values() {
            held[asset.index()] += i128::from(*amount);
        }
    }

    /// What is kept of the jobs under way.
    pub(crate) fn saved_jobs(&self) -> impl Iterator<Item = SavedJob> + '_ {
        self.jobs.iter().map(|share| {
            let JobShare { name, early, paid, received } = share;
            let early = early.iter().map(|&at| self.accounts[at as usize].id).collect();
            SavedJob { name: *name, paid: *paid, received: *received, early }
        })
    }

    /// Takes its part in a job over: who of its accounts was booked before its turn. `first`: what was paid counts here.
    pub(crate) fn load_job(&mut self, job: &SavedJob, first: bool) {
        self.begin_job(job.name);
        let early: Set<u32> = job.early.iter().filter_map(|&id| self.find(id)).collect();
        if let Some(share) = self.jobs.last_mut() {
            share.early.extend(early);
            if first {
                (share.paid, share.received) = (job.paid, job.received);
            }
        }
    }

    /// Whether a pool of an account waits for its cancellation.
    pub(crate) fn is_cancelling(&self, account: u64, name: PoolName) -> bool {
        let pool = self.find(account).and_then(|account| self.find_pool(account, name));
        pool.is_some_and(|pool| {
            let waits = |state| matches!(state, Cancelling::Requested | Cancelling::Acknowledged { .. });
            self.pools[pool as usize].is_locked() && waits(self.cancelling(pool))
        })
    }

    /// A pool of an account that is in liquidation and waits for nothing yet.
    pub(crate) fn locked_pool(&self, account: u32, name: PoolName) -> Option<Attention> {
        let pool = self.find_pool(account, name).filter(|&pool| self.pools[pool as usize].is_locked())?;
        self.is_ready(pool).then(|| self.attention(pool))
    }

    /// Looks at every pool, as at an input, so that all have their edges; none is in breach, and none is to be told anything.
    pub(crate) fn begin_watching(&mut self, market: &Market) -> Result<(), &'static str> {
        for index in 0..market.instruments.len() {
            self.note_range(market, InstrumentId(index as u32));
        }
        let mut found = Findings::default();
        self.examine(market, &mut found);
        self.stirred = false;
        self.evaluations = 0;
        let in_breach = found.breached.iter().any(|breached| self.has_living_mark(market, breached.attention.pool));
        if in_breach {
            return Err("a pool is in breach that is not in liquidation");
        }
        if found.called.is_empty() { Ok(()) } else { Err("a pool is past a level of margin calls that was not told") }
    }
}

impl Shard {
    /// Whether a pool watches levels of margin calls at present.
    fn has_levels(&self, market: &Market, pool: u32) -> bool {
        self.pools[pool as usize].level.is_some() && self.levels(market, pool).next().is_some()
    }

    /// The group of an account, by its id.
    fn group_of(&self, account: u32) -> Option<u64> {
        self.groups.id(self.accounts[account as usize].group)
    }
}
