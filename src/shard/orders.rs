//! Open orders: what they reserve, how fills use them up, and how reduce-only orders are cut.

use super::Shard;
use super::floor::Worst;
use super::margin::{Reach, farthest, initial_requirement, reaches_at};
use super::store::leverage_of;
use super::store::{NONE, OpenOrder, OrderBook};
use crate::checks;
use crate::command::{MarginMode, OffGrid, Order, Side};
use crate::event::{Event, Events, PoolName};
use crate::market::{Instrument, InstrumentId, Market};
use crate::number::Quantity;
use crate::position::Position;
use crate::refusal::Refusal;

impl Shard {
    /// Accepts an order, number `accepted`, or says why not.
    ///
    /// # Errors
    ///
    /// Every refusal of section "orders" of the protocol; nothing is changed then.
    pub(crate) fn place_order(
        &mut self,
        market: &Market,
        (account, first): (u32, Option<u32>),
        order: &Order,
        off_grid: OffGrid,
        accepted: u64,
    ) -> Result<(), Refusal> {
        checks::position_side(order.account, order.position_side, self.hedges(account))?;
        let instrument = market.instrument(order.instrument);
        let holding = first.map(|first| self.leg(first, order.position_side));
        // Against its leg an order can only close, whether it says so or not.
        let closes = order.position_side.is_some_and(|side| side.opening() != order.side);
        let order = &Order { reduce_only: order.reduce_only || closes, ..*order };
        let position = holding.map_or(Position::default(), |at| self.holdings[at as usize].position);
        let before = holding.map_or(&OrderBook::EMPTY, |at| self.order_book(at));
        checks::positive("qty", order.quantity, off_grid.amount)?;
        checks::positive("price", order.price, off_grid.price)?;
        if order.reduce_only {
            check_reduce_only(order, off_grid, &position, before)?;
        }
        checks::on_grid(off_grid, "qty")?;
        let notional = instrument.admitted_value(order.quantity, order.price);
        let notional = notional.ok_or(Refusal::Overflow { what: "qty · price · unit" })?;
        self.check_mode(market, account, order)?;
        let own = holding.map(|at| self.holdings[at as usize].pool);
        let is_cross = |pool: &u32| matches!(self.pools[*pool as usize].name, PoolName::Cross(_));
        let cross = own.filter(is_cross).or_else(|| self.find_pool(account, PoolName::Cross(instrument.spec.settle)));
        let is_locked = |pool: u32| self.pools[pool as usize].is_locked();
        if own.is_some_and(is_locked) || cross.is_some_and(is_locked) {
            return Err(Refusal::Locked { account: order.account });
        }
        self.check_limits(instrument, account, holding, &position, order)?;
        let mut after = *before;
        reserve(&mut after, order.side, order.reduce_only, order.quantity, notional);
        let mut sums = None;
        if !order.reduce_only {
            // One that only reduces reserves nothing.
            let beyond = check_reach(instrument, &position, [before, &after]);
            sums = self.sums_after(market, (account, cross), (holding, order.instrument), &after);
            let covered = cross.zip(sums).is_some_and(|(cross, sums)| self.floor_by(cross, sums) >= 0);
            if covered {
                let exact = || self.check_margin_for_order(market, account, holding, (order, &after));
                debug_assert!(exact().is_ok(), "the floor covers what the margin does not: a kernel bug");
            } else {
                self.exact_orders += 1;
                self.check_margin_for_order(market, account, holding, (order, &after))?;
            }
            beyond?;
        }
        let index = if self.free_order == NONE { self.orders.len() as u32 } else { self.free_order };
        if !self.enter_order(account, order.order, index) {
            return Err(Refusal::DuplicateOrder { account: order.account, order: order.order });
        }
        let first = first.unwrap_or_else(|| self.add_holdings(market, account, order.instrument));
        let holding = self.leg(first, order.position_side);
        self.append_order(index, holding, (order, after), accepted);
        match cross.zip(sums) {
            Some((cross, sums)) => self.set_sums(market, cross, Some(sums)),
            None if !order.reduce_only => self.drop_floor(market, holding),
            None => {}
        }
        Ok(())
    }

    /// What the sums of a cross pool will be with other orders of a holding, or of one that its account is yet to get.
    #[inline]
    fn sums_after(
        &mut self,
        market: &Market,
        (account, cross): (u32, Option<u32>),
        holding: (Option<u32>, InstrumentId),
        after: &OrderBook,
    ) -> Option<Worst> {
        let sums = self.ensure_sums(market, account, cross?)?;
        self.sums_with_order(market, sums, holding, after)
    }

    /// Decides by the exact computation whether an account can pay for an order.
    fn check_margin_for_order(
        &self,
        market: &Market,
        account: u32,
        holding: Option<u32>,
        (order, after): (&Order, &OrderBook),
    ) -> Result<(), Refusal> {
        let instrument = market.instrument(order.instrument);
        let (position, before, leverage, mode) = match holding {
            Some(at) => {
                let holding = &self.holdings[at as usize];
                (holding.position, self.order_book(at), leverage_of(market, holding), self.mode(at))
            }
            None => (Position::default(), &OrderBook::EMPTY, instrument.spec.tiers.max_leverage(0), MarginMode::Cross),
        };
        // Of the legs of a cross pool the larger one counts.
        let beside = holding.filter(|_| mode == MarginMode::Cross).and_then(|at| self.other_leg(at));
        let beside = beside.map_or(0, |leg| self.requirement_of(market, leg, leverage));
        let requirement = |book| initial_requirement(instrument, &position, book, leverage, mode).max(beside);
        let rise = requirement(after) - requirement(before);
        let available = self.disposable(market, account, instrument.spec.settle).available;
        if available - rise < 0 && rise > 0 {
            return Err(Refusal::InsufficientMargin { after: available - rise });
        }
        Ok(())
    }

    /// Enters an order, the last of its holding, whose book then is `after` but for the list.
    #[inline]
    fn append_order(&mut self, index: u32, holding: u32, (order, after): (&Order, OrderBook), accepted: u64) {
        let previous = after.last;
        let record = OpenOrder {
            id: order.order,
            accepted,
            price: order.price,
            rest: order.quantity,
            holding,
            previous,
            next: NONE,
            side: order.side,
            reduce_only: order.reduce_only,
        };
        match self.orders.get_mut(index as usize) {
            None => self.orders.push(record),
            Some(free) => {
                self.free_order = free.next;
                *free = record;
            }
        }
        let first = match previous {
            NONE => index,
            previous => {
                self.orders[previous as usize].next = index;
                after.first
            }
        };
        *self.order_book_mut(holding) = OrderBook { first, last: index, ..after };
    }

    /// Enters an order that was read, the last of its holding, with its notional at its price.
    #[cfg(feature = "journal")]
    pub(super) fn append_read_order(&mut self, index: u32, holding: u32, read: OpenOrder, notional: i128) {
        let mut after = *self.order_book(holding);
        reserve(&mut after, read.side, read.reduce_only, read.rest, notional);
        let previous = std::mem::replace(&mut after.last, index);
        match self.orders.get_mut(previous as usize) {
            None => after.first = index,
            Some(previous) => previous.next = index,
        }
        self.orders.push(OpenOrder { holding, previous, next: NONE, ..read });
        *self.order_book_mut(holding) = after;
    }

    /// Takes an order off the list of its holding and off the books.
    fn remove_order(&mut self, account: u32, index: u32) {
        let OpenOrder { id, holding, previous, next, .. } = self.orders[index as usize];
        match previous {
            NONE => self.order_book_mut(holding).first = next,
            previous => self.orders[previous as usize].next = next,
        }
        match next {
            NONE => self.order_book_mut(holding).last = previous,
            next => self.orders[next as usize].previous = previous,
        }
        self.leave_order(account, id);
        self.orders[index as usize].next = self.free_order;
        self.free_order = index;
    }

    /// Removes an open order at its owner's wish.
    ///
    /// # Errors
    ///
    /// [`Refusal::UnknownOrder`].
    pub(crate) fn cancel_order(&mut self, market: &Market, account: u32, order: u64) -> Result<(), Refusal> {
        let unknown = Refusal::UnknownOrder { account: self.accounts[account as usize].id, order };
        let index = self.find_order(account, order).ok_or(unknown)?;
        let OpenOrder { holding, rest, reduce_only, .. } = self.orders[index as usize];
        let cross = self.cross_pool_of(market, holding);
        let floor = if reduce_only { None } else { self.keep_floor(market, cross, holding) };
        self.shrink_order(market, account, index, rest);
        self.put_floor(market, floor, holding);
        Ok(())
    }

    /// The open orders of a holding, first accepted first.
    pub(super) fn orders_of(&self, holding: u32) -> impl Iterator<Item = u32> + '_ {
        let first = self.order_book(holding).first;
        std::iter::successors((first != NONE).then_some(first), |&at| {
            let next = self.orders[at as usize].next;
            (next != NONE).then_some(next)
        })
    }

    /// Takes `lots` off an order, and the order off the books when nothing is left.
    fn shrink_order(&mut self, market: &Market, account: u32, index: u32, lots: Quantity) {
        let order = &mut self.orders[index as usize];
        let before = order.rest;
        order.rest -= lots;
        let OpenOrder { holding, side, reduce_only, price, rest, .. } = *order;
        let instrument = market.instrument(self.holdings[holding as usize].instrument);
        let freed = instrument.notional(before, price) - instrument.notional(rest, price);
        reserve(self.order_book_mut(holding), side, reduce_only, -lots, -freed);
        if !reduce_only {
            self.drop_floor(market, holding);
        }
        if rest == 0 {
            self.remove_order(account, index);
        }
    }

    /// A fill of signed `quantity` uses up the order that it names, as far as that covers it.
    pub(super) fn use_order(
        &mut self,
        market: &Market,
        account: u32,
        holding: u32,
        order: u64,
        quantity: Quantity,
        events: &mut Events,
    ) {
        let covering = self.find_order(account, order).filter(|&index| {
            let order = &self.orders[index as usize];
            order.side.signed(1) == quantity.signum() && order.holding == holding
        });
        let covered = covering.map_or(0, |index| {
            let lots = self.orders[index as usize].rest.min(quantity.abs());
            self.shrink_order(market, account, index, lots);
            lots
        });
        if covered < quantity.abs() {
            let instrument = self.holdings[holding as usize].instrument;
            let account = self.accounts[account as usize].id;
            events.push(Event::OrderMismatch { account, instrument, order, uncovered: quantity.abs() - covered });
        }
    }

    /// Cuts reduce-only orders, the last accepted first, to what is left of the position.
    pub(super) fn cut_reduce_only(&mut self, market: &Market, holding: u32, events: &mut Events) {
        if self.order_book(holding).reducing == 0 {
            return;
        }
        let (account, instrument) = {
            let record = &self.holdings[holding as usize];
            (self.pools[record.pool as usize].account, record.instrument)
        };
        let position = self.holdings[holding as usize].position.quantity;
        let mut at = self.order_book(holding).last;
        while let Some(order) = self.orders.get(at as usize) {
            let (index, id, rest) = (at, order.id, order.rest);
            at = order.previous;
            if !order.reduce_only {
                continue;
            }
            // All reduce-only orders of a holding are on one side; after a change of sign it is the wrong one.
            let room = if order.side == Side::closing(position) { position.abs() } else { 0 };
            let excess = self.order_book(holding).reducing - room;
            if excess <= 0 {
                return;
            }
            let cut = excess.min(rest);
            self.shrink_order(market, account, index, cut);
            let account = self.accounts[account as usize].id;
            events.push(Event::OrderCut { account, instrument, order: id, left: rest - cut });
        }
    }

    /// Cancels all orders that reserve on a pool: its own and, for a cross pool, those on isolated instruments of its asset.
    pub(super) fn cancel_orders_of_pool(&mut self, market: &Market, pool: u32, events: &mut Events) {
        let record = &self.pools[pool as usize];
        let (account, name) = (record.account, record.name);
        let reserves = |of: PoolName| reserves(market, name, of);
        let mut remaining = self.count_orders(account, reserves);
        while remaining > 0 {
            let next = self
                .holdings_where(account, reserves)
                .filter_map(|holding| self.orders_of(holding).next())
                .min_by_key(|&order| self.orders[order as usize].accepted);
            let Some(index) = next else { return };
            let (id, rest) = (self.orders[index as usize].id, self.orders[index as usize].rest);
            remaining -= 1;
            events.push(Event::OrderCancelled {
                account: self.accounts[account as usize].id,
                pool: name,
                order: id,
                more: remaining,
            });
            self.shrink_order(market, account, index, rest);
        }
    }

    /// Asks the venue to cancel the orders that reserve on a pool, in the order of acceptance; false if there is none.
    pub(super) fn request_cancellation(&mut self, market: &Market, pool: u32, events: &mut Events) -> bool {
        let record = &self.pools[pool as usize];
        let (account, name) = (record.account, record.name);
        let mut orders: Vec<u32> = self
            .holdings_where(account, |of| reserves(market, name, of))
            .flat_map(|holding| self.orders_of(holding))
            .collect();
        orders.sort_unstable_by_key(|&order| self.orders[order as usize].accepted);
        let account = self.accounts[account as usize].id;
        for (at, &order) in orders.iter().enumerate() {
            let more = (orders.len() - 1 - at) as u32;
            events.push(Event::CancelRequested { account, pool: name, order: self.orders[order as usize].id, more });
        }
        !orders.is_empty()
    }

    fn holdings_where<'a>(
        &'a self,
        account: u32,
        reserves: impl Fn(PoolName) -> bool + 'a,
    ) -> impl Iterator<Item = u32> + 'a {
        self.pools_of(account)
            .filter(move |&at| reserves(self.pools[at as usize].name))
            .flat_map(|at| self.holdings_of(at))
    }

    fn count_orders(&self, account: u32, reserves: impl Fn(PoolName) -> bool) -> u32 {
        self.holdings_where(account, reserves).map(|holding| self.orders_of(holding).count() as u32).sum()
    }
}

/// An order may not take a position beyond the last cap, or to a size whose margin takes all of the notional.
fn check_reach(instrument: &Instrument, position: &Position, [before, after]: [&OrderBook; 2]) -> Result<(), Refusal> {
    let tiers = &instrument.spec.tiers;
    let notional = position.notional(instrument);
    let Some(slope) = tiers.slope() else {
        let most = |book| farthest(position.quantity, notional, book);
        let (reach, cap) = (most(after), tiers.last_cap());
        let beyond = reach > cap && reach > most(before);
        return if beyond { Err(Refusal::BeyondLastTier { notional: reach, cap }) } else { Ok(()) };
    };
    let most = slope.steps_below_one(1, instrument.spec.close_fee_ppb());
    let steps = |reach: &Reach| instrument.size_steps(reach.lots, reach.notional);
    let [before, after] = [before, after].map(|book| reaches_at(position.quantity, notional, book));
    let beyond = before.iter().zip(&after).any(|(before, after)| {
        let reached = steps(after);
        reached > steps(before) && most.is_none_or(|most| reached > most)
    });
    if beyond { Err(Refusal::BeyondWholeMargin) } else { Ok(()) }
}

/// Whether orders of a holding margined by pool `of` reserve on pool `name` of the same account.
fn reserves(market: &Market, name: PoolName, of: PoolName) -> bool {
    match (name, of) {
        (PoolName::Cross(asset), PoolName::Isolated(of, _)) => market.instrument(of).spec.settle == asset,
        (own, of) => own == of,
    }
}

/// Adds an order's lots and notional to what a holding has reserved; negative takes them off.
fn reserve(book: &mut OrderBook, side: Side, reduce_only: bool, lots: Quantity, notional: i128) {
    match (reduce_only, side) {
        (true, _) => book.reducing += lots,
        (false, Side::Buy) => {
            book.buys += notional;
            book.buy_lots += i128::from(lots);
        }
        (false, Side::Sell) => {
            book.sells += notional;
            book.sell_lots += i128::from(lots);
        }
    }
}

fn check_reduce_only(order: &Order, off_grid: OffGrid, position: &Position, book: &OrderBook) -> Result<(), Refusal> {
    let opens = order.position_side.is_some_and(|side| side.opening() == order.side);
    if opens || (position.quantity != 0 && order.side != Side::closing(position.quantity)) {
        return Err(Refusal::ReduceOnlySide);
    }
    let room = position.quantity.abs() - book.reducing;
    if order.quantity > room || (off_grid.amount && order.quantity == room) {
        return Err(Refusal::ReduceOnlySize { position: position.quantity.abs(), ordered: book.reducing });
    }
    Ok(())
}
