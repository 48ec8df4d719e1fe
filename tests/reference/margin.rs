//! Valuation, pools, initial margin, `available`, shares and bankruptcy prices
//! (model sections 2, 3 and 5), each computed from scratch.

use super::number::{Int, Rat, ceil_div, floor_div, int, limit, pow10, rat, zero};
use super::rules::close_fee_rate;
use super::state::{At, Cancelling, PoolId, PoolKind, Position, Side, State, sum};
use num_traits::{Signed, Zero};

/// What a position, alone or with the orders of a side, comes to.
struct Reach {
    notional: Int,
    lots: Int,
}

impl State {
    // One position (model section 2).

    /// What closes or values: `V(q, p) = q · p · unit`, exact; inverse
    /// `−(q · unit) / p`, rounded down.
    pub fn value_at(&self, i: usize, q: &Int, price: &Int) -> Int {
        let instrument = &self.instruments[i];
        let (unit, per) = (instrument.unit.numer(), instrument.unit.denom());
        if instrument.inverse { floor_div(&-(q * unit), &(price * per)) } else { q * price * unit / per }
    }

    /// The cost of an opening fill: the same, inverse rounded up.
    pub fn cost_at(&self, i: usize, q: &Int, price: &Int) -> Int {
        -self.value_at(i, &-q, price)
    }

    /// `|V(k, p)|`, rounded up.
    pub fn notional_at(&self, i: usize, k: &Int, price: &Int) -> Int {
        let k = k.abs();
        self.value_at(i, &k, price).abs().max(self.cost_at(i, &k, price).abs())
    }

    /// Where a lot is worth more: the higher price, of an inverse contract the
    /// lower.
    pub fn dearer<'a>(&self, i: usize, a: &'a Int, b: &'a Int) -> &'a Int {
        if self.instruments[i].inverse { a.min(b) } else { a.max(b) }
    }

    /// At the mark; never marked: `uPnL` is 0, hence `V = C`.
    pub fn value(&self, i: usize, position: &Position) -> Int {
        match &self.instruments[i].mark {
            Some(mark) => self.value_at(i, &position.q, mark),
            None => position.cost.clone(),
        }
    }

    pub fn notional(&self, i: usize, position: &Position) -> Int {
        match &self.instruments[i].mark {
            Some(mark) => self.notional_at(i, &position.q, mark),
            None => position.cost.abs(),
        }
    }

    pub fn upnl(&self, i: usize, position: &Position) -> Int {
        self.value(i, position) - &position.cost
    }

    pub fn position_mm(&self, account: u64, at: At) -> Int {
        let position = self.position(account, at);
        if position.q.is_zero() {
            return zero();
        }
        self.mm_of(account, at.i, &position.size(), &self.notional(at.i, &position))
    }

    /// `MM` of `k` lots of that notional, under the rules that the account has.
    pub fn mm_of(&self, account: u64, i: usize, k: &Int, notional: &Int) -> Int {
        let rules = self.margin_rules(account, i);
        let fee = ceil_div(&(notional * rules.close_fee.numer()), rules.close_fee.denom());
        rules.tiers.mm(notional, || self.size_of(i, k, notional)) + fee
    }

    /// The size in the underlying, which the rule `linear` goes by: lots, or the
    /// notional of an inverse contract in its coin.
    pub fn size_of(&self, i: usize, k: &Int, notional: &Int) -> Rat {
        let instrument = &self.instruments[i];
        if instrument.inverse {
            Rat::new(notional.clone(), pow10(self.assets[instrument.settle].decimals))
        } else {
            rat(k) * &instrument.lot * &instrument.multiplier
        }
    }

    // Pools (model section 3).

    pub fn own_pool(&self, account: u64, at: At) -> PoolId {
        let isolated = self.accounts[&account].terms.get(&at.i).is_some_and(|terms| terms.isolated);
        let kind = if isolated { PoolKind::Isolated(at) } else { PoolKind::Cross(self.settle_of(at.i)) };
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
            for (&at, h) in &a.holdings {
                let marked = h.lock.locked || h.lock.suppressed;
                if self.terms(account, at.i).isolated && (!h.position.q.is_zero() || marked) {
                    pools.push(PoolId { account, kind: PoolKind::Isolated(at) });
                }
            }
        }
        pools.sort();
        pools
    }

    /// Where the pool holds a position.
    pub fn pool_positions(&self, pool: PoolId) -> Vec<At> {
        let holdings = &self.accounts[&pool.account].holdings;
        let held = holdings.iter().filter(|(_, h)| !h.position.q.is_zero()).map(|(&at, _)| at);
        held.filter(|&at| self.own_pool(pool.account, at) == pool).collect()
    }

    pub fn pool_asset(&self, pool: PoolId) -> usize {
        match pool.kind {
            PoolKind::Cross(asset) => asset,
            PoolKind::Isolated(at) => self.settle_of(at.i),
        }
    }

    /// The balance of a cross pool, the margin of an isolated one.
    pub fn pool_money(&self, pool: PoolId) -> Int {
        match pool.kind {
            PoolKind::Cross(asset) => self.cross(pool.account, asset).balance,
            PoolKind::Isolated(at) => self.holding(pool.account, at).margin,
        }
    }

    pub fn pool_money_mut(&mut self, pool: PoolId) -> &mut Int {
        match pool.kind {
            PoolKind::Cross(asset) => &mut self.cross_mut(pool.account, asset).balance,
            PoolKind::Isolated(at) => &mut self.holding_mut(pool.account, at).margin,
        }
    }

    fn pool_upnl(&self, pool: PoolId) -> Int {
        let list = self.pool_positions(pool);
        sum(list.iter().map(|&at| self.upnl(at.i, &self.position(pool.account, at))))
    }

    /// `min(0, Σ uPnL)`; where an instrument counts profits too, its own may make that so much more.
    fn counted_upnl(&self, pool: PoolId) -> Int {
        let list = self.pool_positions(pool);
        let counting = list.iter().filter(|at| self.instruments[at.i].count_profits);
        let profits = sum(counting.map(|&at| self.upnl(at.i, &self.position(pool.account, at)).max(zero())));
        self.pool_upnl(pool).min(profits)
    }

    pub fn equity(&self, pool: PoolId) -> Int {
        self.pool_money(pool) + self.pool_upnl(pool)
    }

    pub fn mm(&self, pool: PoolId) -> Int {
        let list = self.pool_positions(pool);
        sum(list.iter().map(|&at| self.position_mm(pool.account, at)))
    }

    /// A pool that holds a position is in breach when `equity ≤ MM`.
    pub fn in_breach(&self, pool: PoolId) -> bool {
        self.pool_checks.set(self.pool_checks.get() + 1);
        !self.pool_positions(pool).is_empty() && self.equity(pool) <= self.mm(pool)
    }

    /// Whether any of its marks lives.
    pub fn has_live_mark(&self, pool: PoolId) -> bool {
        self.pool_positions(pool).iter().any(|&at| self.lives(at.i))
    }

    pub fn is_locked(&self, pool: PoolId) -> bool {
        match pool.kind {
            PoolKind::Cross(asset) => self.cross(pool.account, asset).lock.locked,
            PoolKind::Isolated(at) => self.holding(pool.account, at).lock.locked,
        }
    }

    /// How far the cancelling of its orders is; of a pool that is not there, not
    /// begun.
    pub fn cancelling(&self, pool: PoolId) -> Cancelling {
        match pool.kind {
            PoolKind::Cross(asset) => self.cross(pool.account, asset).lock.cancelling,
            PoolKind::Isolated(at) => self.holding(pool.account, at).lock.cancelling,
        }
    }

    /// Whether its breach without a living mark was announced.
    pub fn is_suppressed(&self, pool: PoolId) -> bool {
        match pool.kind {
            PoolKind::Cross(asset) => self.cross(pool.account, asset).lock.suppressed,
            PoolKind::Isolated(at) => self.holding(pool.account, at).lock.suppressed,
        }
    }

    // Initial margin (model section 3).

    /// Hundredths; until set, the first row's maximum, under `linear` that of no
    /// size.
    pub fn leverage(&self, account: u64, i: usize) -> Int {
        let tiers = &self.instruments[i].tiers;
        self.terms(account, i).leverage.unwrap_or_else(|| tiers.shown_rows()[0].max_leverage.clone())
    }

    /// Of the present position, of the larger leg.
    pub fn max_leverage(&self, account: u64, i: usize) -> Int {
        let of_place = |at: At| {
            let reach = self.present(account, at);
            self.instruments[i].tiers.max_leverage(&reach.notional, || self.size_of(i, &reach.lots, &reach.notional))
        };
        self.places(account, i).into_iter().map(of_place).min().expect("an account has places")
    }

    fn present(&self, account: u64, at: At) -> Reach {
        let position = self.position(account, at);
        Reach { notional: self.notional(at.i, &position), lots: position.size() }
    }

    fn im(&self, account: u64, i: usize, reach: &Reach) -> Int {
        let size = || self.size_of(i, &reach.lots, &reach.notional);
        let rate = self.instruments[i].tiers.im_rate(&reach.notional, size, &self.leverage(account, i));
        (rat(&reach.notional) * self.scaled_by_interest(i, rate)).ceil().to_integer()
    }

    /// `IM(|S|)`
    pub fn position_im(&self, account: u64, at: At) -> Int {
        self.im(account, at.i, &self.present(account, at))
    }

    /// `|S + B|` and `|S − A|`, `S = sign(q) · N`, and the lots of each.
    fn reaches(&self, account: u64, at: At) -> [Reach; 2] {
        let position = self.position(account, at);
        let s = position.q.signum() * self.notional(at.i, &position);
        [Side::Buy, Side::Sell].map(|side| {
            let orders = self.accounts[&account].orders.iter();
            let counted = || orders.clone().filter(|o| o.at == at && o.side == side && !o.reduce_only);
            let notional = sum(counted().map(|o| self.notional_at(at.i, &o.rest, &o.price)));
            let lots = sum(counted().map(|o| o.rest.clone()));
            Reach { notional: (&s + side.signed(&notional)).abs(), lots: (&position.q + side.signed(&lots)).abs() }
        })
    }

    /// `N_io = max(|S + B|, |S − A|)`, whether that is beyond what is allowed, and
    /// by how many lots it is reached.
    pub fn reach_with_orders(&self, account: u64, at: At) -> (Int, Int, bool) {
        let reaches = self.reaches(account, at);
        let fee = close_fee_rate(&self.instruments[at.i]);
        let beyond = reaches.iter().any(|reach| {
            let size = || self.size_of(at.i, &reach.lots, &reach.notional);
            self.instruments[at.i].tiers.is_beyond(&reach.notional, size, &fee)
        });
        let [buys, sells] = reaches;
        (buys.notional.max(sells.notional), buys.lots.max(sells.lots), beyond)
    }

    /// `IM(N_io)`
    fn im_with_orders(&self, account: u64, at: At) -> Int {
        let [buys, sells] = self.reaches(account, at);
        self.im(account, at.i, &buys).max(self.im(account, at.i, &sells))
    }

    /// `IM(N_io)` of a cross position, in hedge mode the larger leg's; the
    /// reservations for isolated ones.
    fn im_in_cross_pool(&self, account: u64, i: usize) -> Int {
        let places = self.places(account, i);
        let with_orders = |at: &At| self.im_with_orders(account, *at);
        if !self.terms(account, i).isolated {
            return places.iter().map(with_orders).max().expect("an account has places");
        }
        sum(places.iter().map(|at| zero().max(with_orders(at) - self.position_im(account, *at))))
    }

    pub fn cross_im(&self, account: u64, asset: usize) -> Int {
        let settled = (0..self.instruments.len()).filter(|&i| self.settle_of(i) == asset);
        sum(settled.map(|i| self.im_in_cross_pool(account, i)))
    }

    /// `available = balance + min(0, Σ uPnL) − Σ IM`
    pub fn available(&self, account: u64, asset: usize) -> Int {
        let pool = PoolId { account, kind: PoolKind::Cross(asset) };
        self.pool_money(pool) + self.counted_upnl(pool) - self.cross_im(account, asset)
    }

    // Shares and bankruptcy prices (model section 5).

    /// `E_i = floor(E · MM_i / MM)`; isolated: all.
    pub fn share(&self, account: u64, at: At) -> Int {
        let pool = self.own_pool(account, at);
        let equity = self.equity(pool);
        if let PoolKind::Isolated(_) = pool.kind {
            return equity;
        }
        let mm_i = self.position_mm(account, at);
        let mm = self.mm(pool);
        // Without a mark, and opened for nothing, positions require nothing.
        if mm.is_zero() { equity } else { floor_div(&(equity * mm_i), &mm) }
    }

    /// The price solves `V(q, p) = V(q, mark) − E_i`; a long's rounded up to a
    /// tick, a short's down, never below one tick. None where no price does: of
    /// an inverse contract all prices give values of one sign.
    pub fn bankruptcy_price(&self, account: u64, at: At) -> Option<Int> {
        let position = self.position(account, at);
        let instrument = &self.instruments[at.i];
        let value = self.value(at.i, &position) - self.share(account, at);
        let exact = if instrument.inverse {
            if !(&value * &position.q).is_negative() {
                return None;
            }
            -rat(&position.q) * &instrument.unit / rat(&value)
        } else {
            rat(&value) / (rat(&position.q) * &instrument.unit)
        };
        let price = if position.q.is_positive() { exact.ceil() } else { exact.floor() };
        let price = price.to_integer().max(int(1));
        Some(if instrument.inverse { price.min(limit() - 1) } else { price })
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

    /// Of the mark, the mark kept behind it, and another price the one at which a lot is worth
    /// more.
    pub fn dearer_of_mark_and<'a>(&'a self, i: usize, price: &'a Int) -> &'a Int {
        let instrument = &self.instruments[i];
        let held = instrument.held.as_ref().map(|held| &held.price);
        let marks = [instrument.mark.as_ref(), instrument.kept_mark.as_ref(), held].into_iter().flatten();
        marks.fold(price, |most, mark| self.dearer(i, most, mark))
    }

    /// The signed sizes of all who can hold the instrument.
    pub fn all_sizes(&self, i: usize) -> Vec<Int> {
        let holdings = self.accounts.values().flat_map(|a| &a.holdings).filter(|(at, _)| at.i == i);
        let mut sizes: Vec<Int> = holdings.map(|(_, h)| h.position.q.clone()).collect();
        let inventories = self.funds.iter().filter_map(|f| f.inventory.get(&i));
        sizes.extend(inventories.map(|p| p.q.clone()));
        sizes.push(self.instruments[i].venue.q.clone());
        sizes
    }
}
