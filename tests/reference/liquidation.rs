//! What follows from an input (model section 5): the phases, and the walk of a
//! locked pool.

use super::number::{Int, Rat, int, rat, show_rounded, zero};
use super::state::{At, Begun, Cancelling, Leg, Owner, PoolId, PoolKind, Reduction, Side, State, Unfilled};
use num_traits::{Signed, Zero};
use serde_json::{Value, json};

impl State {
    /// Rounds of (a) to (c), then (d) the funds; if that led to ADL, again.
    pub fn follow_up(&mut self, cause: &str) {
        self.unwound.clear();
        self.look_at_all_funds();
        self.in_rounds = true;
        self.forget_pace();
        let mut cause = cause.to_string();
        loop {
            self.liquidate(&mut cause);
            self.unwind_inventories();
            if !self.deleverage_inventories() && !self.marks_follow_fills() {
                break;
            }
        }
        self.in_rounds = false;
    }

    /// From (a) to (b), again as long as either has something to tell.
    /// A mark that passes the airlock is the cause from then on.
    fn liquidate(&mut self, cause: &mut String) {
        self.lock_and_announce(cause);
        while let Some(passed) = self.next_verdict() {
            if passed {
                self.look_at_all_funds();
                *cause = self.cause_of_verdict.clone();
                self.lock_and_announce(cause);
            }
        }
        self.begin();
        loop {
            let told = self.events.len();
            self.walk_locked_pools();
            self.let_waiting_pools_go();
            let walked = self.events.len() > told;
            if !self.lock_and_announce(cause) && !walked {
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
        self.catch_up_those_in_breach();
        for pool in self.all_pools() {
            let live = self.has_live_mark(pool);
            if live || self.pool_positions(pool).is_empty() {
                self.lock_mut(pool).suppressed = false;
            }
            if self.is_locked(pool) {
                continue;
            }
            if !self.in_breach(pool) {
                told |= self.call(pool);
            } else if live {
                self.lock_mut(pool).locked = true;
                self.lock_mut(pool).figures = Some((self.equity(pool), self.mm(pool)));
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

    /// Before they are locked; what is paid may cure, and put other pools of the account in breach.
    fn catch_up_those_in_breach(&mut self) {
        loop {
            let found = self.all_pools().into_iter().find(|&pool| {
                self.is_behind(pool.account)
                    && !self.is_locked(pool)
                    && self.has_live_mark(pool)
                    && self.in_breach(pool)
            });
            match found {
                Some(pool) => self.catch_up(pool.account),
                None => return,
            }
        }
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
    /// that its orders are cancelled, and its first order; where it has legs to
    /// offset first, that comes in its walk.
    fn begin(&mut self) {
        for pool in self.all_pools() {
            if self.is_locked(pool) && self.cancelling(pool) == Cancelling::NotAsked {
                let waits = self.venue.cancel_ack && !self.orders_of_pool(pool).is_empty();
                let largest = self.largest_position(pool).filter(|_| !waits && self.to_offset(pool).is_none());
                let order = largest.and_then(|at| self.reduction(pool, at));
                let order = order.filter(|order| self.is_sent_at_once(order.at.i));
                self.lock_mut(pool).begun = Some(Begun { order });
            }
        }
    }

    /// Where nothing bounds what is in flight or what the fund may lose: that is looked at in the walk.
    fn is_sent_at_once(&self, i: usize) -> bool {
        let instrument = &self.instruments[i];
        instrument.pacing.is_none() && self.funds[instrument.fund].max_loss_per_minute.is_none()
    }

    /// Phase (b): every locked pool that waits for nothing.
    fn walk_locked_pools(&mut self) {
        for pool in self.all_pools() {
            if self.is_locked(pool) && !self.waits(pool) {
                self.catch_up(pool.account);
                self.walk(pool, None);
            }
        }
    }

    fn waits(&self, pool: PoolId) -> bool {
        let cancelling = self.cancelling(pool);
        matches!(cancelling, Cancelling::Requested { .. } | Cancelling::Acknowledged { .. })
            || self.standing.iter().any(|order| order.owner == Owner::Pool(pool))
            || self.lock(pool).waits_in.is_some()
    }

    /// The steps, each followed by an evaluation, to the end or until the pool
    /// waits for the venue. Without a position whose mark lives it stays locked.
    /// Where orders are paced, it waits, or, in the instrument in which it is its
    /// turn, sends what there is room for.
    pub fn walk(&mut self, pool: PoolId, released: Option<usize>) {
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
            if self.claim_waits(pool) {
                return;
            }
            if let Some((at, k)) = self.take_unfilled(pool) {
                self.pass_on(pool, at, &k);
                continue;
            }
            if let Some(i) = self.to_offset(pool) {
                self.offset(pool.account, i);
                continue;
            }
            let Some(at) = self.largest_position(pool) else {
                return;
            };
            if let Some(mut order) = self.reduction(pool, at) {
                match self.cut_to_room(at.i, &order.lots, released) {
                    Some(lots) => order.lots = lots,
                    None => {
                        self.lock_mut(pool).waits_in = Some(at.i);
                        return;
                    }
                }
                if self.send_liquidation(pool, &order) {
                    return;
                }
            } else {
                let whole = self.position(pool.account, at).size();
                if self.adl_waits(pool.account, at, &whole) {
                    return;
                }
                self.pass_on(pool, at, &whole);
            }
        }
    }

    /// Step 2: the lowest instrument of which a cross pool holds both legs, and
    /// whose mark lives.
    fn to_offset(&self, pool: PoolId) -> Option<usize> {
        let PoolKind::Cross(_) = pool.kind else {
            return None;
        };
        let list = self.pool_positions(pool);
        let both = |at: &&At| at.leg == Leg::Long && list.contains(&At { leg: Leg::Short, ..**at });
        list.iter().filter(both).map(|at| at.i).find(|&i| self.lives(i))
    }

    /// Closes the shorter of the legs against the other at mark, the long first.
    fn offset(&mut self, account: u64, i: usize) {
        let (long, short) = (At { i, leg: Leg::Long }, At { i, leg: Leg::Short });
        let k = self.position(account, long).size().min(self.position(account, short).size());
        let mark = self.instruments[i].mark.clone().expect("it lives");
        let mut booked = zero();
        for at in [long, short] {
            let value = self.value_at(i, &self.position(account, at).part(&k), &mark);
            self.reduce(account, at, &k, &value);
            booked += value;
        }
        let fields = json!({
            "account": account,
            "symbol": self.instruments[i].symbol,
            "qty": self.show_qty(i, &k),
            "price": self.show_price(i, &mark),
        });
        self.emit("offset", fields);
        self.book_rounding(i, &booked);
        self.look_after_changes(self.instruments[i].fund, &[booked]);
    }

    /// Whether what the venue left of the last order waits for a mode to end.
    fn claim_waits(&self, pool: PoolId) -> bool {
        let Some(Unfilled { at, lots, .. }) = self.lock(pool).unfilled else {
            return false;
        };
        let k = lots.min(self.position(pool.account, at).size());
        let adl_waits = || self.lives(at.i) && self.adl_waits(pool.account, at, &k);
        k.is_positive() && (self.liquidation_paused(pool.account, at.i) || adl_waits())
    }

    /// Step 5 would follow, and is paused. Without a bankruptcy price nobody is deleveraged anyway.
    fn adl_waits(&self, account: u64, at: At, k: &Int) -> bool {
        let deleverages = self.bankruptcy_price(account, at).is_some() && !self.fund_can_bear(account, at, k);
        self.adl_paused(account, at.i) && deleverages
    }

    /// What the venue left of the last order, as far as the position reaches.
    fn take_unfilled(&mut self, pool: PoolId) -> Option<(At, Int)> {
        let Unfilled { liquidation, at, lots } = self.lock_mut(pool).unfilled.take()?;
        let k = lots.min(self.position(pool.account, at).size());
        if k.is_zero() || !self.lives(at.i) {
            return None;
        }
        self.note_claimed(liquidation);
        Some((at, k))
    }

    /// The position with the largest MM among those whose mark lives and whose
    /// liquidation is not paused; ties: the lowest instrument, the long leg.
    fn largest_position(&self, pool: PoolId) -> Option<At> {
        let mut largest: Option<(Int, At)> = None;
        for at in self.pool_positions(pool) {
            if !self.lives(at.i) || self.liquidation_paused(pool.account, at.i) {
                continue;
            }
            let mm = self.position_mm(pool.account, at);
            if largest.as_ref().is_none_or(|(most, _)| mm > *most) {
                largest = Some((mm, at));
            }
        }
        largest.map(|(_, at)| at)
    }

    /// Step 3: how many lots an order is to close, at the bankruptcy price; none:
    /// step 4 with the whole.
    fn reduction(&self, pool: PoolId, at: At) -> Option<Reduction> {
        if self.equity(pool).is_negative() {
            return None;
        }
        let position = self.position(pool.account, at);
        let instrument = &self.instruments[at.i];
        let limit = self.bankruptcy_price(pool.account, at)?;
        let order = |lots: Int, step: &'static str| Some(Reduction { at, lots, limit: limit.clone(), step });
        let row = instrument.tiers.row_of(&self.notional(at.i, &position));
        if instrument.reduces("tier") && row > 0 {
            let kept = self.lots_within(at.i, &instrument.tiers.rows[row - 1].cap);
            return order(position.size() - kept, "tier");
        }
        if let Some(fraction) = instrument.fraction.as_ref().filter(|_| instrument.reduces("fraction")) {
            return order((rat(&position.size()) * fraction).ceil().to_integer(), "fraction");
        }
        instrument.reduces("all").then(|| order(position.size(), "all")).flatten()
    }

    /// The most lots whose notional at mark is within the cap.
    fn lots_within(&self, i: usize, cap: &Int) -> Int {
        let mark = self.instruments[i].mark.as_ref().expect("only positions with a mark");
        let unit = &self.instruments[i].unit;
        let a_lot = if self.instruments[i].inverse { unit / rat(mark) } else { unit * rat(mark) };
        let lots = (rat(cap) / a_lot).floor().to_integer();
        assert!(self.notional_at(i, &lots, mark) <= *cap && self.notional_at(i, &(&lots + int(1)), mark) > *cap);
        lots
    }

    /// One immediate-or-cancel order. True: it stands.
    fn send_liquidation(&mut self, pool: PoolId, order: &Reduction) -> bool {
        let at = order.at;
        let side = Side::closing(&self.position(pool.account, at).q);
        if self.is_simulated() {
            self.note_sent(at.i, &order.lots);
        }
        match self.send(Owner::Pool(pool), at, side, &order.lots, &order.limit, order.step) {
            None => true,
            Some(rest) => {
                if rest.is_positive() {
                    let unfilled = Unfilled { liquidation: self.liquidations, at, lots: rest };
                    self.lock_mut(pool).unfilled = Some(unfilled);
                }
                false
            }
        }
    }

    /// Steps 4 and 5: the fund takes `k` lots over if it can bear them, else
    /// counterparties are deleveraged.
    fn pass_on(&mut self, pool: PoolId, at: At, k: &Int) {
        if self.fund_can_bear(pool.account, at, k) {
            self.take_over(pool.account, at, k);
        } else {
            self.deleverage_for(pool.account, at, k);
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
        if let PoolKind::Isolated(at) = pool.kind {
            let margin = std::mem::take(&mut self.holding_mut(pool.account, at).margin);
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
            PoolKind::Isolated(at) => self.instruments[at.i].fund,
        };
        self.pool_money_mut(pool).set_zero();
        self.change_fund(fund, &money, "deficit");
        self.report_fund_deficit(fund);
        self.look_in_rounds(fund);
    }

    pub fn pool_name(&self, pool: PoolId) -> String {
        match pool.kind {
            PoolKind::Cross(asset) => format!("cross:{}", self.assets[asset].name),
            PoolKind::Isolated(At { i, leg }) => {
                let suffix = leg.word().map(|word| format!(":{word}")).unwrap_or_default();
                format!("isolated:{}{suffix}", self.instruments[i].symbol)
            }
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
