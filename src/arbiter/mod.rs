//! The arbiter: the insurance funds, their inventory, and what the venue as a whole keeps.
//!
//! One writer. It decides what touches more than one pool: who bears a takeover ([`waterfall`]), who is deleveraged
//! ([`adl`]), when inventory is unwound ([`unwind`]).

mod adl;
mod drawdown;
mod ledger;
mod level_lists;
mod members;
mod pro_rata;
mod queue;
mod queues;
mod settlement;
#[cfg(feature = "journal")]
mod snapshot;
mod socialise;
mod unwind;
mod waterfall;

pub(crate) use ledger::Ledger;
pub(crate) use queue::rank;

use crate::controls::{Mode, Scope};
use crate::event::{Event, Events, FundReason};
use crate::market::{DrawdownRule, FundId, FundSpec, InstrumentId, Market};
use crate::number::Quantity;
use crate::position::Position;
use crate::refusal::Refusal;
use drawdown::{MinuteLoss, Turn, Watch};
use pro_rata::Allotment;
use queues::Queues;
use unwind::UnwindState;

/// What a fund holds of an instrument.
#[derive(Debug, Default)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Inventory {
    pub(crate) position: Position,
    pub(crate) unwinding: UnwindState,
    /// What of the unrealised result of its fund is its own, in quanta, as it was counted last.
    #[cfg_attr(feature = "journal", serde(skip))]
    gain: i128,
}

/// The funds and their inventory.
#[derive(Debug, Default)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Arbiter {
    /// By fund, in quanta.
    balances: Vec<i128>,
    /// By fund: the unrealised result of all inventory, in quanta. Each claim asks for it, and there may be hundreds of
    /// instruments.
    #[cfg_attr(feature = "journal", serde(skip))]
    gains: Vec<i128>,
    /// By instrument; each has one fund.
    inventory: Vec<Inventory>,
    /// The instruments that have inventory, in any order: none, and a tick has no business here.
    #[cfg_attr(feature = "journal", serde(skip))]
    held: Vec<InstrumentId>,
    /// Until when ticks of instruments without inventory have no business here either; none: to be found.
    #[cfg_attr(feature = "journal", serde(skip))]
    quiet_until_ns: Option<u64>,
    pub(crate) ledger: Ledger,
    /// Whether the last try to deleverage inventory reached nobody, and nothing has changed since that could matter.
    #[cfg_attr(feature = "journal", serde(skip))]
    exhausted: bool,
    /// By instrument: what inventory and external venue account held when funding was last ordered, in lots.
    to_settle: Vec<[Quantity; 2]>,
    #[cfg_attr(feature = "journal", serde(skip))]
    queues: Queues,
    /// Who is asked for a share; kept for its room.
    #[cfg_attr(feature = "journal", serde(skip))]
    asked: Vec<Allotment>,
    /// The number of the decision, from 1.
    #[cfg_attr(feature = "journal", serde(skip))]
    decision: u64,
    /// By fund: its equity over the window of its drawdown rule, if it has one.
    watches: Vec<Option<Watch>>,
    /// By fund: what it has lost within a minute, if that is bounded.
    losses: Vec<Option<MinuteLoss>>,
    /// Funds that came beyond their bound of losses, or back within, and whose instruments have not followed yet.
    #[cfg_attr(feature = "journal", serde(skip))]
    turned: Vec<(FundId, bool)>,
    /// Whether any fund has such a rule: none, and a tick has no business here.
    #[cfg_attr(feature = "journal", serde(skip))]
    watched: bool,
    /// The time of the decision that is under way; none between decisions.
    #[cfg_attr(feature = "journal", serde(skip))]
    deciding_ns: Option<u64>,
}

impl Arbiter {
    pub(crate) fn add_fund(&mut self, drawdown: Option<DrawdownRule>, max_loss: Option<i128>) {
        self.balances.push(0);
        self.gains.push(0);
        self.watches.push(drawdown.map(Watch::new));
        self.losses.push(max_loss.map(MinuteLoss::new));
        self.turned.reserve(self.losses.len());
        self.watched |= drawdown.is_some() || max_loss.is_some();
    }

    /// The rules of a fund were declared anew: what is known of its equity stays unless its rule of drawdown changed.
    pub(crate) fn set_bounds(&mut self, fund: FundId, spec: &FundSpec) {
        let watch = &mut self.watches[fund.index()];
        if watch.as_ref().map(Watch::rule) != spec.drawdown {
            *watch = spec.drawdown.map(Watch::new);
        }
        match (&mut self.losses[fund.index()], spec.max_loss_per_minute) {
            (Some(loss), most) => loss.bound(most.unwrap_or(i128::MAX)),
            (none, most) => *none = most.map(MinuteLoss::new),
        }
        self.watched = self.watches.iter().any(Option::is_some) || self.losses.iter().any(Option::is_some);
        self.exhausted = false;
    }

    /// Takes the funds that came beyond their bound of losses, or back within.
    pub(crate) fn take_turned(&mut self) -> std::vec::Drain<'_, (FundId, bool)> {
        self.turned.drain(..)
    }

    pub(crate) fn add_asset(&mut self) {
        self.ledger.add_asset();
    }

    pub(crate) fn add_instrument(&mut self) {
        self.inventory.push(Inventory::default());
        self.held.reserve(self.inventory.len() - self.held.len());
        self.queues.add_instrument();
        self.to_settle.push([0; 2]);
        self.ledger.add_instrument();
    }

    /// A decision begins: inputs before it may have moved a mark, and with it every score.
    pub(crate) fn new_decision(&mut self, now_ns: u64) {
        self.decision += 1;
        self.deciding_ns = Some(now_ns);
    }

    /// A decision ends.
    pub(crate) fn end_decision(&mut self) {
        self.deciding_ns = None;
        self.stir();
    }

    /// Whether a decision at this input would have anything to do with inventory: to unwind, or, where accounts or marks
    /// changed, to deleverage.
    pub(crate) fn has_business(&self, market: &Market, changed: bool, input: u64, now_ns: u64) -> bool {
        self.held.iter().any(|&id| {
            let fund = market.instrument(id).spec.fund;
            self.may_unwind(market, id, input, now_ns) || changed && self.must_shed(market, fund)
        })
    }

    /// Something changed that can make an attempt worth while that was not: an account, a mark, a fund.
    pub(crate) fn try_again(&mut self) {
        self.exhausted = false;
    }

    /// Whether marks can move without business here: no fund is watched.
    #[inline]
    pub(crate) fn is_calm(&self) -> bool {
        !self.watched && self.turned.is_empty() && !self.ledger.interest_due
    }

    /// Where it is calm, whether a mark of an instrument that moves at this time has no business here.
    #[inline]
    pub(crate) fn lets_pass(&mut self, market: &Market, instrument: InstrumentId, now_ns: u64) -> bool {
        self.held.is_empty() || self.is_no_matter_of_inventory(market, instrument, now_ns)
    }

    #[inline(never)]
    fn is_no_matter_of_inventory(&mut self, market: &Market, instrument: InstrumentId, now_ns: u64) -> bool {
        if self.inventory[instrument.index()].position.quantity != 0 {
            return false;
        }
        let until_ns = self.quiet_until_ns.unwrap_or_else(|| self.find_quiet_until(market));
        self.quiet_until_ns = Some(until_ns);
        now_ns < until_ns
    }

    /// Until when no fund sheds or unwinds anything as long as nothing moves but marks of instruments without inventory.
    #[cold]
    fn find_quiet_until(&self, market: &Market) -> u64 {
        let of = |&id: &InstrumentId| {
            let sheds = self.must_shed(market, market.instrument(id).spec.fund);
            if sheds { 0 } else { self.unwinds_from(market, id).unwrap_or(u64::MAX) }
        };
        self.held.iter().map(of).min().unwrap_or(u64::MAX)
    }

    /// Something happened, or may have: what ticks meet here is to be found anew.
    #[inline]
    pub(crate) fn stir(&mut self) {
        self.quiet_until_ns = None;
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
        !self.held.is_empty()
    }

    /// `balance + Σ uPnL(inventory)`, in quanta.
    pub(crate) fn equity(&self, market: &Market, fund: FundId) -> i128 {
        debug_assert_eq!(self.gains[fund.index()], self.count_gains(market, fund), "a mark went by: a kernel bug");
        self.balance(fund) + self.gains[fund.index()]
    }

    /// What is kept in `gains`, from scratch.
    fn count_gains(&self, market: &Market, fund: FundId) -> i128 {
        let inventory = self.inventory.iter().zip(&market.instruments);
        let of_fund = inventory.filter(|(_, instrument)| instrument.spec.fund == fund);
        of_fund.map(|(inventory, instrument)| inventory.position.unrealised(instrument)).sum()
    }

    /// The inventory of an instrument, or its mark, is another: counts its unrealised result anew.
    fn recount(&mut self, market: &Market, index: usize) {
        let (inventory, instrument) = (&mut self.inventory[index], &market.instruments[index]);
        let gain = inventory.position.unrealised(instrument);
        self.gains[instrument.spec.fund.index()] += gain - std::mem::replace(&mut inventory.gain, gain);
    }

    /// Whether a fund bears nothing more, because of what it has lost.
    pub(crate) fn in_drawdown(&self, fund: FundId) -> bool {
        self.watches[fund.index()].as_ref().is_some_and(|watch| watch.active)
    }

    /// Whether the inventory of a fund is to be deleveraged: it is below its floor, or in drawdown.
    fn must_shed(&self, market: &Market, fund: FundId) -> bool {
        self.in_drawdown(fund) || self.equity(market, fund) < market.fund(fund).floor
    }

    /// The largest equity of a fund over the window of its drawdown rule, in quanta; none without such a rule.
    pub(crate) fn peak(&self, fund: FundId, now_ns: u64) -> Option<i128> {
        self.watches[fund.index()].as_ref().map(|watch| watch.peak(now_ns))
    }

    /// After what an input itself booked: notes the equity of the funds that it or the time may have changed.
    #[inline]
    pub(crate) fn look_after_input(&mut self, market: &Market, now_ns: u64, events: &mut Events) {
        if self.watched {
            self.look_at_all(market, now_ns, events);
        }
    }

    /// After a change of a fund within a decision: notes its equity at once.
    pub(crate) fn look(&mut self, market: &Market, events: &mut Events) {
        if let Some(now_ns) = self.deciding_ns.filter(|_| self.watched) {
            self.look_at_all(market, now_ns, events);
        }
    }

    fn look_at_all(&mut self, market: &Market, now_ns: u64, events: &mut Events) {
        for index in 0..self.watches.len() {
            let fund = FundId(index as u32);
            let looks = self.watches[index].as_ref().is_some_and(|watch| watch.stale || watch.may_end(now_ns))
                || self.losses[index].as_ref().is_some_and(|loss| loss.stale || loss.may_end(now_ns));
            if !looks {
                continue;
            }
            let equity = self.equity(market, fund);
            let turn = self.watches[index].as_mut().and_then(|watch| watch.note(now_ns, equity));
            if let Some(Turn { active, equity, peak }) = turn {
                events.push(Event::FundDrawdown { fund, active, equity, peak });
            }
            if let Some(exceeded) = self.losses[index].as_mut().and_then(|loss| loss.note(now_ns, equity)) {
                let mode = if exceeded { Mode::LiquidationPaused } else { Mode::Normal };
                events.push(Event::Mode { scope: Scope::Fund(fund), mode });
                self.turned.push((fund, exceeded));
            }
        }
    }

    /// The equity of the fund behind an instrument, or of a fund, may be another now.
    fn note_stale(&mut self, fund: FundId) {
        if let Some(watch) = &mut self.watches[fund.index()] {
            watch.stale = true;
        }
        if let Some(loss) = &mut self.losses[fund.index()] {
            loss.stale = true;
        }
    }

    /// Changes a fund's balance and says so; a change by nothing is none.
    pub(crate) fn credit(&mut self, fund: FundId, delta: i128, reason: FundReason, events: &mut Events) {
        if delta != 0 {
            self.exhausted = false;
            self.stir();
            self.note_stale(fund);
            let balance = &mut self.balances[fund.index()];
            *balance += delta;
            events.push(Event::Fund { fund, delta, balance: *balance, reason });
        }
    }

    /// Whether a fund can pay an amount out and keep a balance, and its floor.
    ///
    /// # Errors
    ///
    /// [`Refusal::InsufficientFund`].
    pub(crate) fn check_payment(&self, market: &Market, fund: FundId, amount: i128) -> Result<(), Refusal> {
        let (balance, equity) = (self.balance(fund) - amount, self.equity(market, fund) - amount);
        if balance >= 0 && equity >= market.fund(fund).floor {
            return Ok(());
        }
        Err(Refusal::InsufficientFund { fund, balance, equity })
    }

    /// Makes good what a closed pool ended below zero, whatever the floor.
    pub(crate) fn make_good(&mut self, market: &Market, fund: FundId, deficit: i128, events: &mut Events) {
        self.credit(fund, -deficit, FundReason::Deficit, events);
        self.tell_deficit(market, fund, events);
        self.look(market, events);
    }

    fn tell_deficit(&self, market: &Market, fund: FundId, events: &mut Events) {
        let equity = self.equity(market, fund);
        if equity < 0 {
            events.push(Event::FundDeficit { fund, equity });
        }
    }

    /// Changes an inventory position, and with it what follows from its size.
    fn change_inventory<T>(&mut self, market: &Market, index: usize, change: impl FnOnce(&mut Position) -> T) -> T {
        self.exhausted = false;
        self.stir();
        self.note_stale(market.instruments[index].spec.fund);
        let inventory = &mut self.inventory[index];
        let before = inventory.position.quantity;
        let result = change(&mut inventory.position);
        let after = inventory.position.quantity;
        let id = InstrumentId(index as u32);
        match (before != 0, after != 0) {
            (false, true) => self.held.push(id),
            (true, false) => self.held.retain(|&held| held != id),
            _ => {}
        }
        self.ledger.long_lots[index] += after.max(0) - before.max(0);
        inventory.unwinding.inventory_changed(after);
        self.recount(market, index);
        result
    }
}
