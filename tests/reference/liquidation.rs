//! What follows from an input (model section 5): the phases, and the walk of a
//! locked pool.

use super::number::{Int, Rat, floor_div, show_rounded};
use super::state::{Begun, Cancelling, Owner, PoolId, PoolKind, Reduction, Side, State, Unfilled};
use num_traits::{Signed, Zero};
use serde_json::{Value, json};

impl State {
    /// Rounds of (a) to (c), then (d) the funds; if that led to ADL, again.
    pub fn follow_up(&mut self, cause: &str) {
        self.unwound.clear();
        loop {
            self.liquidate(cause);
            self.unwind_inventories();
            if !self.deleverage_inventories() && !self.marks_follow_fills() {
                break;
            }
        }
    }

    /// From (a) to (b), again as long as (a) has something to tell.
    fn liquidate(&mut self, cause: &str) {
        self.lock_and_announce(cause);
        loop {
            self.begin();
            self.walk_locked_pools();
            if !self.lock_and_announce(cause) {
                break;
            }
        }
    }

    /// The first unlocked pool in breach that has a living mark.
    pub fn unlocked_breach(&self) -> Option<PoolId> {
        let candidates = self.all_pools().into_iter().filter(|&pool| !self.is_locked(pool));
        candidates.into_iter().find(|&pool| self.has_live_mark(pool) && self.in_breach(pool))
    }

    /// Phase (a). True: something was told, or is to be.
    fn lock_and_announce(&mut self, cause: &str) -> bool {
        let mut told = false;
        self.forget_levels_of_empty_pools();
        for pool in self.all_pools() {
            let live = self.has_live_mark(pool);
            if live || self.pool_positions(pool).is_empty() {
                self.lock_mut(pool).suppressed = false;
            }
            if self.is_locked(pool) {
                continue;
            }
            if live && self.in_breach(pool) {
                self.settle_first(pool.account); // what it receives may cure it
            }
            if !self.in_breach(pool) {
                told |= self.call(pool);
            } else if live {
                self.lock_mut(pool).locked = true;
                self.note_above_all_levels(pool);
                self.announce(pool, cause);
                told = true;
            } else if !self.lock_mut(pool).suppressed {
                self.lock_mut(pool).suppressed = true;
                let fields = json!({"account": pool.account, "pool": self.pool_name(pool)});
                self.emit("liquidation_suppressed", fields);
                told = true;
            }
        }
        told || self.unlocked_breach().is_some()
    }

    fn announce(&mut self, pool: PoolId, cause: &str) {
        let asset = self.pool_asset(pool);
        let fields = json!({
            "account": pool.account,
            "pool": self.pool_name(pool),
            "equity": self.show_money(asset, &self.equity(pool)),
            "mm": self.show_money(asset, &self.mm(pool)),
            "ratio": self.show_ratio(pool),
            "cause": cause,
        });
        self.emit("liquidation_started", fields);
    }

    /// What concerns one pool only is settled for each before any of them walks:
    /// that its orders are cancelled, and its first order.
    fn begin(&mut self) {
        for pool in self.all_pools() {
            if self.is_locked(pool) && self.cancelling(pool) == Cancelling::NotAsked {
                let waits = self.venue.cancel_ack && !self.orders_of_pool(pool).is_empty();
                let largest = self.largest_position(pool).filter(|_| !waits);
                let order = largest.and_then(|i| self.reduction(pool, i));
                self.lock_mut(pool).begun = Some(Begun { order });
            }
        }
    }

    /// Phase (b): every locked pool that waits for nothing.
    fn walk_locked_pools(&mut self) {
        for pool in self.all_pools() {
            if self.is_locked(pool) && !self.waits(pool) {
                self.settle_first(pool.account);
                self.walk(pool);
            }
        }
    }

    fn waits(&self, pool: PoolId) -> bool {
        let cancelling = self.cancelling(pool);
        matches!(cancelling, Cancelling::Requested { .. } | Cancelling::Acknowledged { .. })
            || self.standing.iter().any(|order| order.owner == Owner::Pool(pool))
    }

    /// The steps, each followed by an evaluation, to the end or until the pool
    /// waits for the venue. Without a position whose mark lives it stays locked.
    fn walk(&mut self, pool: PoolId) {
        if let Some(Begun { order }) = self.lock_mut(pool).begun.take() {
            if self.cancel_orders(pool) {
                return;
            }
            if let Some(order) = order
                && self.send_liquidation(pool, &order)
            {
                return;
            }
        }
        loop {
            if self.pool_positions(pool).is_empty() {
                return self.end(pool, "closed");
            }
            if !self.in_breach(pool) {
                return self.end(pool, "cured");
            }
            if self.cancel_orders(pool) {
                return;
            }
            if let Some((i, k)) = self.take_unfilled(pool) {
                self.pass_on(pool, i, &k);
                continue;
            }
            let Some(i) = self.largest_position(pool) else {
                return;
            };
            if let Some(order) = self.reduction(pool, i) {
                if self.send_liquidation(pool, &order) {
                    return;
                }
            } else {
                let whole = self.holding(pool.account, i).position.size();
                self.pass_on(pool, i, &whole);
            }
        }
    }

    /// What the venue left of the last order, as far as the position reaches.
    fn take_unfilled(&mut self, pool: PoolId) -> Option<(usize, Int)> {
        let Unfilled { liquidation, instrument, lots } = self.lock_mut(pool).unfilled.take()?;
        let k = lots.min(self.holding(pool.account, instrument).position.size());
        if k.is_zero() || !self.lives(instrument) {
            return None;
        }
        self.note_claimed(liquidation);
        Some((instrument, k))
    }

    /// The position with the largest MM among those whose mark lives; ties: the
    /// lowest instrument.
    fn largest_position(&self, pool: PoolId) -> Option<usize> {
        let mut largest: Option<(Int, usize)> = None;
        for i in self.pool_positions(pool) {
            if !self.lives(i) {
                continue;
            }
            let mm = self.position_mm(i, &self.holding(pool.account, i).position);
            if largest.as_ref().is_none_or(|(most, _)| mm > *most) {
                largest = Some((mm, i));
            }
        }
        largest.map(|(_, i)| i)
    }

    /// Step 3: how many lots an order is to close, at the bankruptcy price; none:
    /// step 4 with the whole.
    fn reduction(&self, pool: PoolId, i: usize) -> Option<Reduction> {
        if self.equity(pool).is_negative() {
            return None;
        }
        let position = self.holding(pool.account, i).position;
        let instrument = &self.instruments[i];
        let limit = self.bankruptcy_price(pool.account, i);
        let row = instrument.tiers.row_of(&self.notional(i, &position));
        if instrument.reduce_tier && row > 0 {
            let cap = &instrument.tiers.rows[row - 1].cap;
            let mark = instrument.mark.as_ref().expect("only positions with a mark");
            let kept = floor_div(cap, &(mark * &instrument.unit));
            return Some(Reduction { instrument: i, lots: position.size() - kept, limit, step: "tier" });
        }
        instrument.reduce_all.then(|| Reduction { instrument: i, lots: position.size(), limit, step: "all" })
    }

    /// One immediate-or-cancel order. True: it stands.
    fn send_liquidation(&mut self, pool: PoolId, order: &Reduction) -> bool {
        let i = order.instrument;
        let side = Side::closing(&self.holding(pool.account, i).position.q);
        match self.send(Owner::Pool(pool), i, side, &order.lots, &order.limit, order.step) {
            None => true,
            Some(rest) => {
                if rest.is_positive() {
                    let unfilled = Unfilled { liquidation: self.liquidations, instrument: i, lots: rest };
                    self.lock_mut(pool).unfilled = Some(unfilled);
                }
                false
            }
        }
    }

    /// Steps 4 and 5: the fund takes `k` lots over if it can bear them, else
    /// counterparties are deleveraged.
    fn pass_on(&mut self, pool: PoolId, i: usize, k: &Int) {
        if self.fund_can_bear(pool.account, i, k) {
            self.take_over(pool.account, i, k);
        } else {
            self.deleverage_for(pool.account, i, k);
        }
    }

    /// The pool leaves. A closed one below zero is made good by the fund; what
    /// an isolated one has goes to the balance.
    fn end(&mut self, pool: PoolId, outcome: &str) {
        let asset = self.pool_asset(pool);
        let fields = json!({
            "account": pool.account,
            "pool": self.pool_name(pool),
            "outcome": outcome,
            "equity": self.show_money(asset, &self.equity(pool)),
        });
        self.emit("liquidation_ended", fields);
        *self.lock_mut(pool) = Default::default();
        if outcome == "cured" {
            return;
        }
        self.make_good(pool);
        if let PoolKind::Isolated(i) = pool.kind {
            let margin = std::mem::take(&mut self.holding_mut(pool.account, i).margin);
            self.cross_mut(pool.account, asset).balance += margin;
        }
    }

    /// A deficit is borne by the asset's fund (cross) or the instrument's.
    fn make_good(&mut self, pool: PoolId) {
        let money = self.pool_money(pool);
        if !money.is_negative() {
            return;
        }
        let fund = match pool.kind {
            PoolKind::Cross(asset) => self.assets[asset].fund,
            PoolKind::Isolated(i) => self.instruments[i].fund,
        };
        self.pool_money_mut(pool).set_zero();
        self.change_fund(fund, &money, "deficit");
        self.report_fund_deficit(fund);
    }

    pub fn pool_name(&self, pool: PoolId) -> String {
        match pool.kind {
            PoolKind::Cross(asset) => format!("cross:{}", self.assets[asset].name),
            PoolKind::Isolated(i) => format!("isolated:{}", self.instruments[i].symbol),
        }
    }

    /// `MM / equity`, half-even to 8 places; none if equity ≤ 0.
    pub fn show_ratio(&self, pool: PoolId) -> Value {
        let equity = self.equity(pool);
        if !equity.is_positive() {
            return Value::Null;
        }
        let ratio = Rat::new(self.mm(pool), equity);
        json!(show_rounded(&ratio, 8))
    }
}
