//! Valuation, pools, initial margin, `available`, shares and bankruptcy prices
//! (model sections 2, 3 and 5), each computed from scratch.

use super::number::{Int, ceil_div, floor_div, int, zero};
use super::state::{Cancelling, PoolId, PoolKind, Position, Side, State, sum};
use num_traits::{Signed, Zero};

impl State {
    // One position (model section 2).

    /// `V(q, p) = q · p · unit`
    pub fn value_at(&self, i: usize, q: &Int, price: &Int) -> Int {
        q * price * &self.instruments[i].unit
    }

    /// At the mark; never marked: `uPnL` is 0, hence `V = C`.
    pub fn value(&self, i: usize, position: &Position) -> Int {
        match &self.instruments[i].mark {
            Some(mark) => self.value_at(i, &position.q, mark),
            None => position.cost.clone(),
        }
    }

    pub fn notional(&self, i: usize, position: &Position) -> Int {
        self.value(i, position).abs()
    }

    pub fn upnl(&self, i: usize, position: &Position) -> Int {
        self.value(i, position) - &position.cost
    }

    pub fn position_mm(&self, i: usize, position: &Position) -> Int {
        if position.q.is_zero() {
            return zero();
        }
        self.instruments[i].tiers.mm(&self.notional(i, position))
    }

    // Pools (model section 3).

    pub fn own_pool(&self, account: u64, i: usize) -> PoolId {
        let kind =
            if self.holding(account, i).isolated { PoolKind::Isolated(i) } else { PoolKind::Cross(self.settle_of(i)) };
        PoolId { account, kind }
    }

    /// Every cross pool, and every isolated one that holds a position or has
    /// something of liquidation to end, in the order of announcements.
    pub fn all_pools(&self) -> Vec<PoolId> {
        let mut pools = Vec::new();
        for (&account, a) in &self.accounts {
            for &asset in a.pools.keys() {
                pools.push(PoolId { account, kind: PoolKind::Cross(asset) });
            }
            for (&i, h) in &a.holdings {
                let marked = h.lock.locked || h.lock.suppressed;
                if h.isolated && (!h.position.q.is_zero() || marked) {
                    pools.push(PoolId { account, kind: PoolKind::Isolated(i) });
                }
            }
        }
        pools.sort();
        pools
    }

    /// The instruments in which the pool holds a position.
    pub fn pool_positions(&self, pool: PoolId) -> Vec<usize> {
        let holdings = &self.accounts[&pool.account].holdings;
        let mut list = Vec::new();
        for (&i, h) in holdings {
            let belongs = match pool.kind {
                PoolKind::Cross(asset) => !h.isolated && self.settle_of(i) == asset,
                PoolKind::Isolated(only) => h.isolated && i == only,
            };
            if belongs && !h.position.q.is_zero() {
                list.push(i);
            }
        }
        list
    }

    pub fn pool_asset(&self, pool: PoolId) -> usize {
        match pool.kind {
            PoolKind::Cross(asset) => asset,
            PoolKind::Isolated(i) => self.settle_of(i),
        }
    }

    /// The balance of a cross pool, the margin of an isolated one.
    pub fn pool_money(&self, pool: PoolId) -> Int {
        match pool.kind {
            PoolKind::Cross(asset) => self.cross(pool.account, asset).balance,
            PoolKind::Isolated(i) => self.holding(pool.account, i).margin,
        }
    }

    pub fn pool_money_mut(&mut self, pool: PoolId) -> &mut Int {
        match pool.kind {
            PoolKind::Cross(asset) => &mut self.cross_mut(pool.account, asset).balance,
            PoolKind::Isolated(i) => &mut self.holding_mut(pool.account, i).margin,
        }
    }

    fn pool_upnl(&self, pool: PoolId) -> Int {
        let list = self.pool_positions(pool);
        sum(list.iter().map(|&i| self.upnl(i, &self.holding(pool.account, i).position)))
    }

    pub fn equity(&self, pool: PoolId) -> Int {
        self.pool_money(pool) + self.pool_upnl(pool)
    }

    pub fn mm(&self, pool: PoolId) -> Int {
        let list = self.pool_positions(pool);
        sum(list.iter().map(|&i| self.position_mm(i, &self.holding(pool.account, i).position)))
    }

    /// A pool that holds a position is in breach when `equity ≤ MM`.
    pub fn in_breach(&self, pool: PoolId) -> bool {
        self.pool_checks.set(self.pool_checks.get() + 1);
        !self.pool_positions(pool).is_empty() && self.equity(pool) <= self.mm(pool)
    }

    /// Whether any of its marks lives.
    pub fn has_live_mark(&self, pool: PoolId) -> bool {
        self.pool_positions(pool).iter().any(|&i| self.lives(i))
    }

    pub fn is_locked(&self, pool: PoolId) -> bool {
        match pool.kind {
            PoolKind::Cross(asset) => self.cross(pool.account, asset).lock.locked,
            PoolKind::Isolated(i) => self.holding(pool.account, i).lock.locked,
        }
    }

    /// How far the cancelling of its orders is; of a pool that is not there, not
    /// begun.
    pub fn cancelling(&self, pool: PoolId) -> Cancelling {
        match pool.kind {
            PoolKind::Cross(asset) => self.cross(pool.account, asset).lock.cancelling,
            PoolKind::Isolated(i) => self.holding(pool.account, i).lock.cancelling,
        }
    }

    /// Whether its breach without a living mark was announced.
    pub fn is_suppressed(&self, pool: PoolId) -> bool {
        match pool.kind {
            PoolKind::Cross(asset) => self.cross(pool.account, asset).lock.suppressed,
            PoolKind::Isolated(i) => self.holding(pool.account, i).lock.suppressed,
        }
    }

    // Initial margin (model section 3).

    /// Hundredths; until set, the first row's maximum.
    pub fn leverage(&self, account: u64, i: usize) -> Int {
        let first = &self.instruments[i].tiers.rows[0].max_leverage;
        self.holding(account, i).leverage.unwrap_or(first.clone())
    }

    pub fn im(&self, account: u64, i: usize, notional: &Int) -> Int {
        self.instruments[i].tiers.im(notional, &self.leverage(account, i))
    }

    /// `N_io = max(|S + B|, |S − A|)`
    pub fn notional_with_orders(&self, account: u64, i: usize) -> Int {
        let s = self.value(i, &self.holding(account, i).position);
        let orders = |side: Side| {
            let orders = self.accounts[&account].orders.iter();
            let counted = orders.filter(|o| o.instrument == i && o.side == side && !o.reduce_only);
            sum(counted.map(|o| self.value_at(i, &o.rest, &o.price)))
        };
        let buys = (&s + orders(Side::Buy)).abs();
        let sells = (&s - orders(Side::Sell)).abs();
        buys.max(sells)
    }

    /// `IM(N_io)` of a cross position, the reservation for an isolated one.
    fn im_in_cross_pool(&self, account: u64, i: usize) -> Int {
        let with_orders = self.im(account, i, &self.notional_with_orders(account, i));
        let holding = self.holding(account, i);
        if !holding.isolated {
            return with_orders;
        }
        let without = self.im(account, i, &self.notional(i, &holding.position));
        zero().max(with_orders - without)
    }

    pub fn cross_im(&self, account: u64, asset: usize) -> Int {
        let settled = (0..self.instruments.len()).filter(|&i| self.settle_of(i) == asset);
        sum(settled.map(|i| self.im_in_cross_pool(account, i)))
    }

    /// `available = balance + min(0, Σ uPnL) − Σ IM`
    pub fn available(&self, account: u64, asset: usize) -> Int {
        let pool = PoolId { account, kind: PoolKind::Cross(asset) };
        let upnl = self.pool_upnl(pool).min(zero());
        self.pool_money(pool) + upnl - self.cross_im(account, asset)
    }

    // Shares and bankruptcy prices (model section 5).

    /// `E_i = floor(E · MM_i / MM)`; isolated: all.
    pub fn share(&self, account: u64, i: usize) -> Int {
        let pool = self.own_pool(account, i);
        let equity = self.equity(pool);
        if let PoolKind::Isolated(_) = pool.kind {
            return equity;
        }
        let mm_i = self.position_mm(i, &self.holding(account, i).position);
        floor_div(&(equity * mm_i), &self.mm(pool))
    }

    /// The price solves `V(q, p) = V(q, mark) − E_i`; a long's rounded up to a
    /// tick, a short's down, never below one tick.
    pub fn bankruptcy_price(&self, account: u64, i: usize) -> Int {
        let position = self.holding(account, i).position;
        let value = self.value(i, &position) - self.share(account, i);
        let size_unit = position.size() * &self.instruments[i].unit;
        let price =
            if position.q.is_positive() { ceil_div(&value, &size_unit) } else { floor_div(&-value, &size_unit) };
        price.max(int(1))
    }

    // Open interest (model section 9).

    /// Long lots of accounts, the fund's inventory and the external venue.
    pub fn open_interest(&self, i: usize) -> Int {
        sum(self.all_sizes(i).into_iter().map(|q| q.max(zero())))
    }

    /// Where some of those sizes change, each by so much.
    pub fn open_interest_after(&self, i: usize, changes: &[(Int, Int)]) -> Int {
        let long = |q: &Int| q.clone().max(zero());
        let grown = changes.iter().map(|(q, change)| long(&(q + change)) - long(q));
        self.open_interest(i) + sum(grown)
    }

    pub fn higher_of_mark_and<'a>(&'a self, i: usize, price: &'a Int) -> &'a Int {
        let instrument = &self.instruments[i];
        [&instrument.mark, &instrument.kept_mark].into_iter().flatten().fold(price, |most, mark| most.max(mark))
    }

    /// The signed sizes of all who can hold the instrument.
    pub fn all_sizes(&self, i: usize) -> Vec<Int> {
        let accounts = self.accounts.values().filter_map(|a| a.holdings.get(&i));
        let mut sizes: Vec<Int> = accounts.map(|h| h.position.q.clone()).collect();
        let inventories = self.funds.iter().filter_map(|f| f.inventory.get(&i));
        sizes.extend(inventories.map(|p| p.q.clone()));
        sizes.push(self.instruments[i].venue.q.clone());
        sizes
    }
}
