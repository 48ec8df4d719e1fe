//! The arbiter: the insurance funds, their inventory, and what the venue as a whole keeps.
//!
//! One writer. It decides what touches more than one pool: who bears a takeover ([`waterfall`]), who is deleveraged
//! ([`adl`]), when inventory is unwound ([`unwind`]).

mod adl;
mod ledger;
mod pro_rata;
mod queue;
mod rescored;
mod settlement;
mod unwind;
mod waterfall;

pub(crate) use ledger::Ledger;
pub(crate) use queue::rank;

use crate::event::{Event, Events, FundReason};
use crate::market::{FundId, InstrumentId, Market};
use crate::number::Quantity;
use crate::position::Position;
use crate::shard::Shard;
use pro_rata::Allotment;
use queue::Queue;
use unwind::UnwindState;

/// What a fund holds of an instrument.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    pub(crate) position: Position,
    pub(crate) unwinding: UnwindState,
}

/// The funds and their inventory.
#[derive(Debug, Default)]
pub(crate) struct Arbiter {
    /// By fund, in quanta.
    balances: Vec<i128>,
    /// By instrument; each has one fund.
    inventory: Vec<Inventory>,
    /// How many instruments have inventory: none, and a tick has no business here.
    held: usize,
    pub(crate) ledger: Ledger,
    /// Whether the last try to deleverage inventory reached nobody, and nothing has changed since that could matter.
    exhausted: bool,
    /// By instrument: what inventory and external venue account held when funding was last ordered, in lots.
    to_settle: Vec<[Quantity; 2]>,
    /// By instrument: the queues of the shorts and of the longs.
    queues: Vec<[Queue; 2]>,
    /// Who is asked for a share; kept for its room.
    asked: Vec<Allotment>,
    /// The number of the decision, from 1.
    decision: u64,
    /// Whether any queue was scored in this decision.
    scored_queues: bool,
}

impl Arbiter {
    pub(crate) fn add_fund(&mut self) {
        self.balances.push(0);
    }

    pub(crate) fn add_asset(&mut self) {
        self.ledger.add_asset();
    }

    pub(crate) fn add_instrument(&mut self) {
        self.inventory.push(Inventory::default());
        self.queues.push(Default::default());
        self.to_settle.push([0; 2]);
        self.ledger.add_instrument();
    }

    /// A decision begins: inputs before it may have moved a mark, and with it every score.
    pub(crate) fn new_decision(&mut self) {
        self.decision += 1;
    }

    /// A decision ends: what changes from now on is not noted, however long it is until the next.
    pub(crate) fn end_decision(&mut self, shards: &mut [Box<Shard>]) {
        if std::mem::take(&mut self.scored_queues) {
            for shard in shards {
                shard.forget_changes();
            }
        }
    }

    /// Whether a decision at this input would have anything to do with inventory: to unwind, or, where accounts or marks
    /// changed, to deleverage.
    pub(crate) fn has_business(&self, market: &Market, changed: bool, input: u64, now_ns: u64) -> bool {
        let business = |index: usize| {
            let (id, held) = (InstrumentId(index as u32), self.inventory[index].position.quantity != 0);
            let fund = market.instrument(id).spec.fund;
            let below = || changed && self.equity(market, fund) < market.fund(fund).floor;
            held && (self.may_unwind(market, id, input, now_ns) || below())
        };
        self.held > 0 && (0..self.inventory.len()).any(business)
    }

    /// Something changed that can make an attempt worth while that was not: an account, a mark, a fund.
    pub(crate) fn try_again(&mut self) {
        self.exhausted = false;
    }

    /// A fund's balance, in quanta.
    pub(crate) fn balance(&self, fund: FundId) -> i128 {
        self.balances[fund.index()]
    }

    /// The inventory, by instrument.
    pub(crate) fn inventory(&self) -> &[Inventory] {
        &self.inventory
    }

    /// Whether any fund holds inventory.
    #[inline]
    pub(crate) fn holds_inventory(&self) -> bool {
        self.held > 0
    }

    /// `balance + Σ uPnL(inventory)`, in quanta.
    pub(crate) fn equity(&self, market: &Market, fund: FundId) -> i128 {
        let unrealised = |(inventory, instrument): (&Inventory, &crate::market::Instrument)| {
            if instrument.spec.fund == fund { inventory.position.unrealised(instrument) } else { 0 }
        };
        self.balance(fund) + self.inventory.iter().zip(&market.instruments).map(unrealised).sum::<i128>()
    }

    /// Changes a fund's balance and says so; a change by nothing is none.
    pub(crate) fn credit(&mut self, fund: FundId, delta: i128, reason: FundReason, events: &mut Events) {
        if delta != 0 {
            self.exhausted = false;
            let balance = &mut self.balances[fund.index()];
            *balance += delta;
            events.push(Event::Fund { fund, delta, balance: *balance, reason });
        }
    }

    /// Makes good what a closed pool ended below zero, whatever the floor.
    pub(crate) fn make_good(&mut self, market: &Market, fund: FundId, deficit: i128, events: &mut Events) {
        self.credit(fund, -deficit, FundReason::Deficit, events);
        self.tell_deficit(market, fund, events);
    }

    fn tell_deficit(&self, market: &Market, fund: FundId, events: &mut Events) {
        let equity = self.equity(market, fund);
        if equity < 0 {
            events.push(Event::FundDeficit { fund, equity });
        }
    }

    /// Changes an inventory position, and with it what follows from its size.
    fn change_inventory<T>(&mut self, index: usize, change: impl FnOnce(&mut Position) -> T) -> T {
        self.exhausted = false;
        let inventory = &mut self.inventory[index];
        let before = inventory.position.quantity;
        let result = change(&mut inventory.position);
        let after = inventory.position.quantity;
        self.held = self.held + usize::from(after != 0) - usize::from(before != 0);
        self.ledger.long_lots[index] += after.max(0) - before.max(0);
        inventory.unwinding.inventory_changed(after);
        result
    }
}
