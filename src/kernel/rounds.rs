//! The rounds after each input: lock what is in breach, walk what is locked, until nothing is; then the funds.

use super::{Kernel, Waiter};
use crate::arbiter::UnwindOrder;
use crate::command::Side;
use crate::event::{Cause, Event, Owner, Step};
use crate::market::InstrumentId;
use crate::number::{Price, Quantity};
use crate::shard::{Advance, Attention, OrderRequest, Shard};
use crate::venue::VenueMode;

/// The table of those who wait for the venue is not cleared out below this size.
const MIN_PRUNED: usize = 1_024;

impl Kernel {
    /// Carries out all that follows from the input that was just admitted.
    pub(super) fn settle(&mut self, cause: Cause) {
        self.arbiter.new_input(self.inputs, &mut self.shards);
        loop {
            while self.lock_breached(cause) {
                self.walk_locked();
            }
            if !self.arbiter.holds_inventory() {
                return;
            }
            self.unwind_inventory();
            if !self.arbiter.deleverage_inventory(&self.market, &mut self.shards, &mut self.events) {
                return;
            }
        }
    }

    /// Phase (a): locks and announces all unlocked pools in breach, by account; false if there is nothing to walk.
    fn lock_breached(&mut self, cause: Cause) -> bool {
        if self.shards.iter().all(Shard::is_quiet) {
            return false;
        }
        self.arbiter.try_again();
        self.findings.breached.clear();
        self.findings.ready.clear();
        for shard in &mut self.shards {
            shard.examine(&self.market, &mut self.findings);
        }
        self.findings.breached.sort_unstable();
        self.walk.clear();
        for &found in &self.findings.breached {
            if self.shards[found.shard as usize].announce(&self.market, found.pool, cause, &mut self.events) {
                self.walk.push(found);
            }
        }
        self.walk.append(&mut self.findings.ready);
        self.walk.sort_unstable();
        !self.walk.is_empty()
    }

    /// Phase (b): walks every locked pool that waits for nothing, by account, to its end or until it waits.
    fn walk_locked(&mut self) {
        for at in 0..self.walk.len() {
            let found = self.walk[at];
            self.walk_pool(found);
        }
    }

    fn walk_pool(&mut self, found: Attention) {
        let Attention { shard, pool, .. } = found;
        loop {
            match self.shards[shard as usize].advance(&self.market, pool, &mut self.events) {
                Advance::Ended { deficit } => {
                    if let Some((fund, deficit)) = deficit {
                        self.arbiter.make_good(&self.market, fund, deficit, &mut self.events);
                    }
                    return;
                }
                Advance::Stuck => return,
                Advance::Order(request) => {
                    if !self.send_order(found, &request) {
                        return;
                    }
                }
                Advance::Claim(claim) => {
                    let place = (shard, pool);
                    self.arbiter.settle_claim(&self.market, &mut self.shards, place, &claim, &mut self.events);
                }
            }
        }
    }

    /// Sends a pool's order to the venue and books what comes back at once; false if the pool waits.
    fn send_order(&mut self, found: Attention, request: &OrderRequest) -> bool {
        let id = self.announce_order(
            Owner::Account(found.account),
            request.instrument,
            request.side,
            request.quantity,
            request.limit,
            request.step,
        );
        self.shards[found.shard as usize].order_sent(found.pool, id, request);
        if self.venue.mode() == VenueMode::Manual {
            self.await_answer(id, Waiter::Pool { shard: found.shard, pool: found.pool });
            return false;
        }
        while let Some(waiting) = self.shards[found.shard as usize].waiting(found.pool) {
            match self.fill_at_venue(request.instrument, waiting.side, waiting.rest, waiting.limit) {
                Some((lots, price)) => self.book_order_fill(found.account, found.shard, found.pool, lots, price),
                None => self.shards[found.shard as usize].order_expired(found.pool),
            }
        }
        true
    }

    /// Notes who waits for an order. Entries of orders that were cut to nothing are cleared out as the table doubles.
    fn await_answer(&mut self, id: u64, waiter: Waiter) {
        if self.waiters.len() >= self.waiters_to_prune {
            let mut waiters = std::mem::take(&mut self.waiters);
            waiters.retain(|&id, &mut waiter| self.answers_to(id, waiter).is_some());
            self.waiters_to_prune = (waiters.len() * 2).max(MIN_PRUNED);
            self.waiters = waiters;
        }
        self.waiters.insert(id, waiter);
    }

    fn announce_order(
        &mut self,
        owner: Owner,
        instrument: InstrumentId,
        side: Side,
        quantity: Quantity,
        limit: Price,
        step: Step,
    ) -> u64 {
        self.liquidation_orders += 1;
        let liquidation = self.liquidation_orders;
        self.events.push(Event::LiquidationOrder { liquidation, owner, instrument, side, quantity, limit, step });
        liquidation
    }

    fn fill_at_venue(
        &mut self,
        instrument: InstrumentId,
        side: Side,
        rest: Quantity,
        limit: Price,
    ) -> Option<(Quantity, Price)> {
        let fill = self.venue.fill(&self.market, instrument, side, rest, limit)?;
        if self.venue.mode() == VenueMode::Book {
            self.market.instruments[instrument.index()].last = Some(fill.1);
        }
        Some(fill)
    }

    /// Books a fill of the order that a pool waits for, on all sides.
    pub(super) fn book_order_fill(&mut self, account: u64, shard: u32, pool: u32, lots: Quantity, price: Price) {
        let Some(order) = self.shards[shard as usize].waiting(pool) else { return };
        let (realised, fee) = self.shards[shard as usize].book_liquidation_fill(&self.market, pool, lots, price);
        self.arbiter.ledger.book_venue(&self.market, order.instrument, order.side, lots, price);
        self.events.push(Event::LiquidationFill {
            liquidation: order.id,
            owner: Owner::Account(account),
            instrument: order.instrument,
            side: order.side,
            quantity: lots,
            price,
            fee,
            realised,
        });
        let fund = self.market.instrument(order.instrument).spec.fund;
        self.arbiter.credit(fund, fee, crate::event::FundReason::Fee, &mut self.events);
    }

    /// Phase (d), first half: one order for the inventory of each instrument that has cause to try.
    fn unwind_inventory(&mut self) {
        for index in 0..self.market.instruments.len() {
            let id = InstrumentId(index as u32);
            let request = self.arbiter.unwind_request(&self.market, id, self.inputs, self.now_ns);
            let Some((side, quantity, limit)) = request else { continue };
            let order = self.announce_order(Owner::Fund, id, side, quantity, limit, Step::Unwind);
            self.arbiter.unwind_sent(id, UnwindOrder { id: order, side, rest: quantity, limit });
            if self.venue.mode() == VenueMode::Manual {
                self.await_answer(order, Waiter::Fund(id));
                continue;
            }
            while let Some(order) = self.arbiter.unwinding(id) {
                match self.fill_at_venue(id, side, order.rest, limit) {
                    Some((lots, price)) => self.arbiter.book_unwind(&self.market, id, lots, price, &mut self.events),
                    None => self.arbiter.unwind_expired(id),
                }
            }
        }
    }
}
