//! Modes and limits, as far as they concern one shard: what orders they refuse, and what of a liquidation waits.

use super::Shard;
use super::liquidation::Claim;
use super::store::OrderBook;
use crate::command::{Order, Side};
use crate::controls::{Limited, Mode, Scope};
use crate::event::{Event, Events};
use crate::market::{Instrument, InstrumentId, Market};
use crate::number::Quantity;
use crate::position::Position;
use crate::refusal::Refusal;

impl Shard {
    /// The mode of the account that a pool belongs to.
    pub(super) fn mode_of(&self, pool: u32) -> Mode {
        self.accounts[self.pools[pool as usize].account as usize].mode
    }

    /// Sets an account's mode, and says so if it is another.
    pub(super) fn set_account_mode(&mut self, account: u32, mode: Mode, events: &mut Events) {
        let record = &mut self.accounts[account as usize];
        if std::mem::replace(&mut record.mode, mode) != mode {
            events.push(Event::Mode { scope: Scope::Account(record.id), mode });
        }
        let pools: Vec<u32> = self.pools_of(account).collect();
        for pool in pools {
            self.touch(pool);
        }
    }

    /// The mode of everything or of an instrument was set: whoever holds what lives is looked at, the locked ones too.
    pub(super) fn follow_mode(&mut self, market: &Market, scope: Scope) {
        for id in market.in_scope(scope) {
            self.note_range(market, id); // the mark that came meanwhile
            if market.instrument(id).lives() {
                self.revive(id);
            }
        }
    }

    /// Whether a position of a pool is neither reduced nor taken over at present.
    pub(super) fn liquidation_is_paused(&self, market: &Market, pool: u32, id: InstrumentId) -> bool {
        market.has_mode(id, Mode::LiquidationPaused) || self.mode_of(pool) == Mode::LiquidationPaused
    }

    /// Nobody can take the lots of a claim at present: the pool waits, as it was.
    pub(crate) fn put_back(&mut self, pool: u32, claim: &Claim) {
        self.liquidation_mut(pool).unfilled = claim.unfilled;
        self.hold_back(pool);
    }

    /// Whether a position of a pool whose mark lives is passed over because of a mode.
    pub(super) fn is_held_by_mode(&self, market: &Market, pool: u32) -> bool {
        self.holdings_of(pool).any(|at| {
            let holding = &self.holdings[at as usize];
            let lives = market.instrument(holding.instrument).lives();
            holding.position.quantity != 0 && lives && self.liquidation_is_paused(market, pool, holding.instrument)
        })
    }

    /// A mode keeps a locked pool from its next step, until the next input or round.
    pub(super) fn hold_back(&mut self, pool: u32) {
        if !std::mem::replace(&mut self.liquidation_mut(pool).held_back, true) {
            self.held_back.push(pool);
        }
    }

    /// Marks, payments and funds may have changed what the pools that were held back can do: they are looked at again.
    pub(crate) fn look_at_held_back(&mut self) {
        while let Some(pool) = self.held_back.pop() {
            if self.pools[pool as usize].is_locked() && self.liquidation(pool).held_back {
                self.liquidation_mut(pool).held_back = false;
                self.touch(pool);
            }
        }
    }

    /// Refuses an order that the modes of everything, its instrument or its account refuse; the strictest holds.
    pub(super) fn check_mode(&self, market: &Market, account: u32, order: &Order) -> Result<(), Refusal> {
        let modes = [market.mode, market.instrument(order.instrument).mode, self.accounts[account as usize].mode];
        if modes == [Mode::Normal; 3] && market.health.is_empty() {
            return Ok(());
        }
        let holds = |mode: Mode| modes[2] == mode || market.has_mode(order.instrument, mode);
        for refusing in [Mode::Halted, Mode::CancelOnly] {
            if holds(refusing) {
                return Err(Refusal::NoOrders(refusing.as_str()));
            }
        }
        if holds(Mode::ReduceOnly) && !order.reduce_only {
            return Err(Refusal::OnlyReducing);
        }
        Ok(())
    }

    /// Refuses an order that leads beyond a limit of its instrument.
    pub(super) fn check_limits(
        &self,
        instrument: &Instrument,
        account: u32,
        holding: Option<u32>,
        position: &Position,
        order: &Order,
    ) -> Result<(), Refusal> {
        let limits = &instrument.spec.controls.limits;
        if let Some((collar, mark)) = limits.collar_ppb.zip(instrument.mark)
            && limits.is_beyond_collar(order.price, mark)
        {
            return Err(Refusal::Limit(Limited::Collar(collar)));
        }
        if order.reduce_only {
            return Ok(());
        }
        if let Some(limit) = limits.position {
            self.check_position_limit(account, holding, position, order, limit)?;
        }
        let opened = || {
            let toward = i128::from(order.side.signed(1)) * i128::from(position.quantity);
            i128::from(order.quantity) + toward.min(0)
        };
        if let Some(limit) = limits.open_interest
            && let opened = opened()
            && opened > 0
            && i128::from(instrument.open_interest) + opened > i128::from(limit)
        {
            return Err(Refusal::Limit(Limited::OpenInterest(limit)));
        }
        Ok(())
    }

    /// Refuses an order that takes the position of its account, or those of its group together, beyond a limit: where all
    /// open orders of its side and this one fill, and nothing else.
    fn check_position_limit(
        &self,
        account: u32,
        holding: Option<u32>,
        position: &Position,
        order: &Order,
        limit: Quantity,
    ) -> Result<(), Refusal> {
        let of_group = self.group_reach(account, order.instrument, order.side);
        let [held, ordered] = of_group.map_or_else(
            || {
                let book = holding.map_or(&OrderBook::EMPTY, |at| self.order_book(at));
                let ordered = if order.side == Side::Buy { book.buy_lots } else { book.sell_lots };
                [i128::from(position.quantity), ordered]
            },
            |(_, reach)| reach,
        );
        let reach = i128::from(order.side.signed(1)) * held + ordered + i128::from(order.quantity);
        if reach <= i128::from(limit) {
            return Ok(());
        }
        let group = of_group.map(|(group, _)| group);
        Err(Refusal::Limit(group.map_or(Limited::Position(limit), |group| Limited::Group { group, limit })))
    }
}
