//! One input, as far as it concerns the accounts of a shard: book it, find who is in breach, begin their liquidation.

use super::liquidation::Begun;
use super::reports::{cancellation, first_order};
use super::{Attention, Breached, FillSide, Outbox, Place, Report, Shard};
use crate::command::{Command, Fill, Liquidity, OffGrid, OrderName, OrderOwner, Side};
use crate::controls::Scope;
use crate::event::{Cause, Events};
use crate::jobs::{JobKind, JobName};
use crate::market::{InstrumentId, Market};
use crate::number::charge;
use crate::refusal::Refusal;
use crate::sequencer::Found;

/// Where the id of an account or a group leads, among `shards`.
#[inline]
pub(super) fn shard_of(id: u64, shards: u32) -> u32 {
    // Fibonacci hashing: neighbouring account numbers spread over the shards.
    let hash = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((u128::from(hash) * u128::from(shards)) >> 64) as u32
}

impl Shard {
    /// Books what a command says of this shard's accounts; `accepted` rises from input to input.
    ///
    /// # Errors
    ///
    /// The refusals that depend on the account; the sequencer has made the other checks. Nothing has changed then.
    pub(crate) fn book(
        &mut self,
        market: &Market,
        (command, off_grid): (&Command, OffGrid),
        found: &Found,
        accepted: u64,
        outbox: &mut impl Outbox,
    ) -> Result<(), Refusal> {
        match *command {
            Command::Fill(ref fill) => {
                self.book_sides(market, fill, found, (fees(market, fill), true), outbox);
                Ok(())
            }
            Command::Order(ref order) => match self.place_of_input(found.own, order.account, order.instrument) {
                Some((account, first)) => {
                    self.catch_up(market, account);
                    self.place_order(market, (account, first), order, off_grid, accepted)
                }
                None if self.owns(order.account) => Err(Refusal::UnknownAccount(order.account)),
                None => Ok(()),
            },
            Command::Deposit { account, asset, amount } if self.owns(account) => {
                if let Some(index) = self.find(account) {
                    self.catch_up(market, index);
                }
                self.deposit(account, asset, amount, off_grid)
            }
            Command::Account { account, positions, group } => {
                self.declare_account(account, positions, group);
                Ok(())
            }
            Command::Funding { instrument, .. } => {
                self.begin_job(JobName { instrument, kind: JobKind::Settlement });
                Ok(())
            }
            Command::Chunk { part, .. } => {
                self.book_part(market, part, outbox);
                Ok(())
            }
            Command::Mode { scope: scope @ (Scope::All | Scope::Instrument(_)), .. } => {
                self.follow_mode(market, scope);
                Ok(())
            }
            Command::Health { instrument, .. } => {
                self.follow_mode(market, instrument.map_or(Scope::All, Scope::Instrument));
                Ok(())
            }
            _ => self.book_settings(market, command, off_grid, outbox),
        }
    }

    fn book_settings(
        &mut self,
        market: &Market,
        command: &Command,
        off_grid: OffGrid,
        outbox: &mut impl Outbox,
    ) -> Result<(), Refusal> {
        let (Command::Cancel { account, .. }
        | Command::Mode { scope: Scope::Account(account), .. }
        | Command::Withdraw { account, .. }
        | Command::Leverage { account, .. }
        | Command::MarginMode { account, .. }
        | Command::IsolatedMargin { account, .. }
        | Command::Hold { account, .. }
        | Command::Commit { account, .. }
        | Command::Release { account, .. }
        | Command::CancelAck { account, .. }
        | Command::LiquidationFill { order: OrderName { owner: OrderOwner::Account(account), .. }, .. }
        | Command::LiquidationExpire { order: OrderName { owner: OrderOwner::Account(account), .. } }
        | Command::LiquidationUnknown { order: OrderName { owner: OrderOwner::Account(account), .. } }) = *command
        else {
            return Ok(());
        };
        let Some(index) = self.own(market, account)? else { return Ok(()) };
        match *command {
            Command::Cancel { order, .. } => self.cancel_order(market, index, order),
            Command::Mode { mode, .. } => {
                self.telling(outbox, false, |shard, events| shard.set_account_mode(index, mode, events));
                Ok(())
            }
            Command::Withdraw { asset, amount, .. } => self.withdraw(market, index, asset, amount, off_grid),
            Command::Leverage { instrument, leverage, .. } => {
                self.set_leverage(market, index, instrument, leverage, off_grid)
            }
            Command::MarginMode { instrument, mode, .. } => self.set_margin_mode(market, index, instrument, mode),
            Command::IsolatedMargin { instrument, amount, position_side, .. } => {
                self.move_margin(market, index, (instrument, position_side), amount, off_grid)
            }
            Command::Hold { hold, asset, amount, .. } => self.hold(market, index, hold, (asset, amount), off_grid),
            Command::Commit { hold, .. } => self.commit(index, hold),
            Command::Release { hold, .. } => self.release(index, hold),
            Command::CancelAck { pool, execution, .. } => self.telling(outbox, false, |shard, events| {
                shard.acknowledge_cancel(market, index, pool, execution, events)
            }),
            Command::LiquidationFill { order, instrument, quantity, price } => {
                let fill = self.fill_order(market, index, (order, instrument), (quantity, price), off_grid)?;
                outbox.put(Report::Filled(fill.told));
                if let Some(holding) = fill.to_cut {
                    self.telling(outbox, false, |shard, events| shard.cut_reduce_only(market, holding, events));
                }
                Ok(())
            }
            Command::LiquidationExpire { order } => self.expire_order(index, order),
            Command::LiquidationUnknown { order } => self.order_unknown(index, order),
            _ => Ok(()),
        }
    }

    /// Both sides of a fill, as far as they are here; with the fees of both, and whether it is an execution of the venue's.
    pub(super) fn book_sides(
        &mut self,
        market: &Market,
        fill: &Fill,
        found: &Found,
        ((fee, counter_fee), executed): ((i128, i128), bool),
        outbox: &mut impl Outbox,
    ) {
        let side = |order, side: Side, position_side, fee| FillSide {
            order,
            instrument: fill.instrument,
            position_side,
            quantity: side.signed(fill.quantity),
            price: fill.price,
            fee,
            executed,
        };
        let own = side(fill.order, fill.side, fill.position_side, fee);
        let counter = side(fill.counter_order, fill.side.opposite(), fill.counter_position_side, counter_fee);
        let own = (Some(fill.account), found.own, own, false);
        let counter = (fill.counterparty, found.counter, counter, true);
        for (account, place, side, counter_side) in [own, counter] {
            let Some((index, first)) = account.and_then(|account| self.place_of_input(place, account, fill.instrument))
            else {
                continue;
            };
            let first = first.unwrap_or_else(|| self.add_holdings(market, index, fill.instrument));
            let holding = self.leg(first, side.position_side);
            let rounding = self.rounding_of(market, holding, &side);
            self.catch_up(market, index);
            self.telling(outbox, counter_side, |shard, events| shard.book_fill(market, holding, &side, events));
            if rounding != 0 {
                outbox.put(Report::Rounded { instrument: fill.instrument, amount: rounding });
            }
        }
    }

    /// An account of an input, if it is here, and its first holding in an instrument: as the checks found them, or found now.
    #[inline]
    fn place_of_input(
        &self,
        found: Option<Place>,
        account: u64,
        instrument: InstrumentId,
    ) -> Option<(u32, Option<u32>)> {
        match found {
            Some(place) => (place.shard == self.number).then_some((place.account, place.first)),
            None if self.owns(account) => match self.find_holding(account, instrument) {
                Some((index, first)) => Some((index, Some(first))),
                None => Some((self.find(account)?, None)),
            },
            None => None,
        }
    }

    /// Runs something that tells events, and reports them.
    fn telling<T>(
        &mut self,
        outbox: &mut impl Outbox,
        counter_side: bool,
        tell: impl FnOnce(&mut Self, &mut Vec<crate::event::Event>) -> T,
    ) -> T {
        let mut told = std::mem::take(&mut self.told);
        let result = tell(self, &mut told);
        told.drain(..).for_each(|event| outbox.put(Report::Booked { counter_side, event }));
        self.told = told;
        result
    }

    /// Looks at every pool that the input touched: locks and announces those in breach, in order, and begins their
    /// liquidation as far as that concerns one pool alone. What is left to decide is kept for the next decision.
    pub(crate) fn find_breaches(&mut self, market: &Market, cause: Cause, outbox: &mut impl Outbox) {
        self.look_at_held_back();
        if self.is_quiet() {
            return;
        }
        let mut found = std::mem::take(&mut self.found);
        self.examine(market, &mut found);
        found.breached.sort_unstable_by_key(|breached| breached.attention);
        let mut told = std::mem::take(&mut self.told);
        for breached in found.breached.drain(..) {
            self.begin_liquidation(market, &breached, cause, &mut told, outbox);
        }
        for attention in found.ready.drain(..) {
            self.leave_undecided(attention.pool);
            outbox.put(Report::Undecided);
        }
        for called in found.called.drain(..) {
            let attention = called.attention;
            self.tell_calls(market, &called, |event| outbox.put(Report::Announced { attention, event }));
        }
        self.told = told;
        self.found = found;
    }

    /// Locks a pool in breach. Its order goes out first; taking its edges out and telling what happened come afterwards.
    fn begin_liquidation(
        &mut self,
        market: &Market,
        breached: &Breached,
        cause: Cause,
        told: &mut Events,
        outbox: &mut impl Outbox,
    ) {
        let (attention, pool) = (breached.attention, breached.attention.pool);
        let locked = self.lock(market, breached, cause, told);
        let announced = told.len();
        let begun = locked.then(|| self.begin(market, pool, breached.margin, told));
        match begun {
            Some(Begun::Order(nth, ref request)) => outbox.ask(first_order(attention, nth, request)),
            Some(Begun::Waits) => told.iter().copied().filter_map(cancellation).for_each(|asked| outbox.ask(asked)),
            Some(Begun::Undecided) | None => {}
        }
        let mut events = told.drain(..);
        events.by_ref().take(announced).for_each(|event| outbox.put(Report::Announced { attention, event }));
        events.for_each(|event| outbox.put(Report::Begun { attention, event }));
        if let Some(begun) = begun {
            self.unwatch(pool);
            self.tell_begun(market, attention, begun, outbox);
        }
    }

    fn tell_begun(&mut self, market: &Market, attention: Attention, begun: Begun, outbox: &mut impl Outbox) {
        let decided = match begun {
            Begun::Waits => true,
            Begun::Order(nth, request) => {
                outbox.put(Report::Order { attention, nth, request });
                market.venue.is_manual()
            }
            Begun::Undecided => false,
        };
        if !decided {
            self.leave_undecided(attention.pool);
            outbox.put(Report::Undecided);
        }
    }

    /// The index of an account that is known, if it is this shard's; jobs have caught up with it.
    fn own(&mut self, market: &Market, account: u64) -> Result<Option<u32>, Refusal> {
        if !self.owns(account) {
            return Ok(None);
        }
        let index = self.find(account).ok_or(Refusal::UnknownAccount(account))?;
        self.catch_up(market, index);
        Ok(Some(index))
    }
}

/// The fees of the two sides of a fill, in quanta.
pub(crate) fn fees(market: &Market, fill: &Fill) -> (i128, i128) {
    let instrument = market.instrument(fill.instrument);
    let spec = &instrument.spec;
    let (own, counter) = match fill.liquidity {
        Some(Liquidity::Maker) => (spec.maker_fee_ppb, spec.taker_fee_ppb),
        Some(Liquidity::Taker) => (spec.taker_fee_ppb, spec.maker_fee_ppb),
        None => return (0, 0),
    };
    let notional = instrument.notional(fill.quantity, fill.price);
    (charge(notional, own), charge(notional, counter))
}
