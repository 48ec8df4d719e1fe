//! The rounds after each input, on the arbiter's side: what the shards report is put in one order, and at a decision the
//! waiting pools are walked.
//!
//! ```text
//!  (a) breaches are locked and announced     by the shards, at the input itself
//!  (b) orders are cancelled, the first goes out   by the shards;  every further step: here, at a decision
//!  (c) again from (a)                         here
//!  (d) the funds unwind and deleverage        here
//! ```
//!
//! Both drivers run this: the inline one decides after every input; the threaded one at a place of the sequence of its
//! own, with the shards halted. Where a decision follows its input directly, the events of both are told pool by pool,
//! so that the log does not show where the work was done.

mod airlock;
mod decide;
mod numbers;
mod pacing;
mod quiet;
#[cfg(feature = "journal")]
mod snapshot;

pub(crate) use airlock::Airlocks;
pub use decide::VenueAnswer;
pub(crate) use numbers::Numbered;

use crate::airlock::AirlockStep;
use crate::arbiter::Arbiter;
use crate::command::{Command, Fill, OffGrid, OrderName, OrderOwner, Side};
use crate::controls::{Condition, Mode, Scope};
use crate::correction::Trade;
use crate::event::{Cause, Event, Events, FundReason, Step};
use crate::jobs::{JobKind, JobName, Part};
use crate::market::{DrawdownRule, InstrumentId, MarkChange, Market};
use crate::number::{LIMIT, Price, Quantity};
use crate::prices::{Change, PriceInput};
use crate::refusal::Refusal;
use crate::shard::{Attention, BURST, Findings, OrderFill, OrderRequest, Report, Shard, fees};
use crate::venue::{BookUpdate, Venue, VenueRequest};
use numbers::OrderNumbers;
use pacing::Pace;
use std::collections::VecDeque;

/// What a shard told of its own steps, until its place in the log is known.
#[derive(Clone, Copy, Debug)]
struct Begun {
    attention: Attention,
    /// Keeps what is told of one pool in its order.
    n: u32,
    told: BegunTold,
}

#[derive(Clone, Copy, Debug)]
enum BegunTold {
    Event(Event),
    Order { nth: u32, request: OrderRequest },
}

/// What was booked on a side of an input.
#[derive(Clone, Copy, Debug)]
enum Booked {
    Event(Event),
    Filled(OrderFill),
}

/// The arbiter with all that it knows, and the log that it writes.
#[derive(Debug)]
pub(crate) struct Rounds {
    pub(crate) market: Market,
    pub(crate) arbiter: Arbiter,
    pub(crate) venue: Venue,
    /// Nanoseconds since the epoch, of the last input that told them.
    pub(crate) now_ns: u64,
    /// Inputs accepted so far.
    inputs: u64,
    /// What a liquidation is said to be caused by.
    cause: Cause,
    numbers: OrderNumbers,
    /// What happened, in order, since the caller last took it.
    pub(crate) events: Events,
    /// Kept for its room.
    reports: Vec<Report>,
    /// What the present input did to marks.
    pub(crate) changes: Vec<(InstrumentId, MarkChange)>,
    /// Where the simulated venue filled against depth in this decision.
    filled: Vec<InstrumentId>,
    /// What computed marks then followed, for the other copies of the market.
    pub(crate) followed: Vec<(InstrumentId, PriceInput)>,
    pub(crate) airlocks: Airlocks,
    booked: [Vec<Booked>; 2],
    /// What rounding took from the sides of the present fill.
    rounding: Option<(InstrumentId, i128)>,
    /// Numbered, to keep what is told of one pool in its order.
    announced: Vec<(Attention, u32, Event)>,
    begun: Vec<Begun>,
    /// What the accounts paid and received in the settlement that is about to end.
    settled: (i128, i128),
    /// Whether a decision has something to do.
    undecided: bool,
    findings: Findings,
    /// Pools that wait for room at the venue.
    pace: Pace,
    /// Pools to walk in the present round.
    walk: Vec<Attention>,
    /// Answers to give instead of simulating them; none: simulate.
    recorded: Option<VecDeque<VenueAnswer>>,
    /// Whether what the simulated venue answers is kept in `given`.
    pub(crate) keeps_answers: bool,
    pub(crate) given: Vec<VenueAnswer>,
    /// What the last decision itself asked of the venue, if that is answered by commands.
    pub(crate) sent: Vec<VenueRequest>,
    /// Whether a recorded answer did not fit the order that asked for it.
    pub(crate) diverged: bool,
}

impl Rounds {
    pub(crate) fn new(accounts: usize) -> Self {
        let burst = accounts.min(BURST);
        Self {
            market: Market::default(),
            arbiter: Arbiter::default(),
            venue: Venue::default(),
            now_ns: 0,
            inputs: 0,
            cause: Cause::Op("time"),
            numbers: OrderNumbers::with_capacity(burst),
            events: Events::with_capacity(1 << 12),
            reports: Vec::with_capacity(64),
            changes: Vec::with_capacity(16),
            filled: Vec::new(),
            followed: Vec::new(),
            airlocks: Airlocks::default(),
            booked: [Vec::with_capacity(16), Vec::with_capacity(16)],
            rounding: None,
            announced: Vec::with_capacity(burst),
            begun: Vec::with_capacity(burst),
            settled: (0, 0),
            undecided: false,
            findings: Findings::with_capacity(burst),
            pace: Pace::default(),
            walk: Vec::with_capacity(burst),
            recorded: None,
            keeps_answers: false,
            given: Vec::new(),
            sent: Vec::with_capacity(16),
            diverged: false,
        }
    }

    /// Takes the prices that a command brings; `changes` then holds the marks that it moved, froze or brought to life.
    #[inline]
    pub(crate) fn take_prices(&mut self, command: &Command, ts_ns: Option<u64>) {
        self.changes.clear();
        self.forget_release();
        let Some((instrument, input)) = command.price_input() else { return };
        let now_ns = time_of(ts_ns, command).unwrap_or(self.now_ns);
        match instrument {
            Some(instrument) => self.reprice(instrument, input, now_ns),
            None => self.reprice_all(now_ns),
        }
    }

    /// Time has passed: for what grows old, what is sampled, and what decays.
    fn reprice_all(&mut self, now_ns: u64) {
        for index in 0..self.market.instruments.len() {
            if self.market.instruments[index].spec.prices.age() {
                self.reprice(InstrumentId(index as u32), PriceInput::Time, now_ns);
            }
        }
    }

    /// Takes what came in of an instrument's prices, and tells what that did.
    #[inline]
    pub(crate) fn reprice(&mut self, instrument: InstrumentId, input: PriceInput, now_ns: u64) {
        let change = self.market.reprice(instrument, input, now_ns);
        self.tell_change(instrument, change);
    }

    /// Tells what became of an instrument's prices, and keeps what became of its mark.
    #[inline]
    pub(crate) fn tell_change(&mut self, instrument: InstrumentId, change: Change) {
        if change.index_froze {
            let index = self.market.instrument(instrument).prices.index().unwrap_or(0);
            self.events.push(Event::IndexFrozen { instrument, index });
        }
        if change.airlock != AirlockStep::None {
            self.note_airlock(instrument, change.airlock);
        }
        if change.mark != MarkChange::None {
            self.tell_mark(instrument, change.mark);
            self.changes.push((instrument, change.mark));
        }
    }

    /// Takes new depth of the simulated venue, and with it the best prices.
    pub(crate) fn take_book(&mut self, instrument: InstrumentId, update: &BookUpdate<'_>, ts_ns: Option<u64>) {
        self.changes.clear();
        self.venue.update(instrument, update);
        self.reprice(instrument, PriceInput::Book(update.top()), ts_ns.unwrap_or(self.now_ns));
        self.accept(ts_ns, self.cause_of_book(instrument));
    }

    /// What a liquidation is said to be caused by that new depth led to.
    pub(crate) fn cause_of_book(&self, instrument: InstrumentId) -> Cause {
        if self.changes.is_empty() { Cause::Op("book") } else { Cause::Instrument(instrument) }
    }

    /// What a liquidation is said to be caused by, for the whole of an input.
    pub(crate) fn cause_of(&self, command: &Command) -> Cause {
        cause_of(command, !self.changes.is_empty())
    }

    /// What the arbiter and the log make of a change of a mark.
    #[inline]
    pub(crate) fn tell_mark(&mut self, instrument: InstrumentId, change: MarkChange) {
        match change {
            MarkChange::None => {}
            MarkChange::Moved | MarkChange::First | MarkChange::Resumed => {
                self.arbiter.on_mark(&self.market, instrument);
            }
            MarkChange::Live(cause) => {
                self.arbiter.on_mark(&self.market, instrument);
                self.events.push(Event::MarkLive { instrument, cause });
            }
            MarkChange::Frozen(cause) => self.events.push(Event::MarkFrozen { instrument, cause }),
        }
        if self.market.instrument(instrument).spec.prices.mark.is_computed() {
            self.tell_computed(instrument);
        }
    }

    /// Tells a computed mark that lives, if it is not the one that was told last.
    fn tell_computed(&mut self, id: InstrumentId) {
        let instrument = &mut self.market.instruments[id.index()];
        let (Some(price), Some(inputs)) = (instrument.living_mark(), instrument.prices.inputs()) else { return };
        if instrument.prices.told.replace(price) != Some(price) {
            self.events.push(Event::Mark { instrument: id, price, inputs });
        }
    }

    /// Sets the mode of everything or of an instrument, freezes and thaws marks with it, and says so. Accounts' modes are
    /// their shards'.
    fn set_mode(&mut self, scope: Scope, mode: Mode) {
        if self.market.set_mode(scope, mode) {
            self.events.push(Event::Mode { scope, mode });
            for id in self.market.in_scope(scope) {
                let change = self.market.follow_mode(id);
                self.tell_mark(id, change);
            }
        }
        self.arbiter.try_again();
    }

    /// Something is wrong, or no more: says so, and freezes and thaws marks with the mode that holds with it.
    fn set_health(&mut self, condition: Condition, active: bool) {
        if self.market.set_health(condition, active) {
            let Condition { state, instrument, mode } = condition;
            self.events.push(Event::Health { state, instrument, active, mode });
            for id in self.market.in_scope(condition.scope()) {
                let change = self.market.follow_mode(id);
                self.tell_mark(id, change);
            }
        }
        self.arbiter.try_again();
    }

    /// Tells all shards what became of marks.
    #[inline]
    pub(crate) fn wake(&self, shards: &mut [Box<Shard>]) {
        for &(instrument, change) in &self.changes {
            for shard in &mut *shards {
                shard.on_mark(&self.market, instrument, change);
            }
        }
    }

    /// Locks and announces whom an input put in breach, where all shards are at hand; what is asked of the venue is kept in
    /// `sent` if it answers by commands.
    pub(crate) fn find_breaches(&mut self, shards: &mut [Box<Shard>], cause: Cause) {
        let mut reports = std::mem::take(&mut self.reports);
        for shard in shards {
            shard.find_breaches(&self.market, cause, &mut reports);
        }
        for report in reports.drain(..) {
            self.stage(&report);
            if let Some(request) = report.request().filter(|_| self.market.venue.is_manual()) {
                self.sent.push(request);
            }
        }
        self.reports = reports;
        self.merge();
    }

    /// Takes down the open interest as it was at the last `time`: an instrument is watched from now on that was not.
    pub(crate) fn take_interest_of_last_time(&mut self, shards: &[Box<Shard>], instrument: InstrumentId) {
        let accounts: Quantity = shards.iter().map(|shard| shard.lots_at_time(instrument)).sum();
        let lots = accounts + self.arbiter.ledger.lots_at_time[instrument.index()];
        self.market.instruments[instrument.index()].set_open_interest(lots);
    }

    /// Takes the open interest down, of the instruments whose limits ask for it, if a `time` has come since.
    fn note_open_interest(&mut self, shards: &[Box<Shard>]) {
        if !std::mem::take(&mut self.arbiter.ledger.interest_due) {
            return;
        }
        for index in 0..self.market.instruments.len() {
            if self.market.instruments[index].spec.controls.limits.watches_interest() {
                let lots = crate::sequencer::open_interest(shards, &self.arbiter, InstrumentId(index as u32));
                self.market.instruments[index].set_open_interest(lots);
            }
        }
    }

    /// Books what a command says of funds, fees and the external venue account.
    ///
    /// # Errors
    ///
    /// The refusals that depend on a fund. Nothing has changed then.
    pub(crate) fn book(&mut self, command: &Command, off_grid: OffGrid) -> Result<(), Refusal> {
        match *command {
            Command::Fill(ref fill) => {
                let (fee, counter_fee) = fees(&self.market, fill);
                self.book_fill(fill, if fill.counterparty.is_some() { fee + counter_fee } else { fee });
                Ok(())
            }
            Command::Mode { scope, mode } => {
                self.set_mode(scope, mode);
                Ok(())
            }
            Command::Health { state, instrument, active, mode } => {
                self.set_health(Condition { state, instrument, mode }, active);
                Ok(())
            }
            Command::AirlockRelease { .. } => self.check_release(),
            Command::FundDeposit { fund, amount } => {
                crate::checks::amount(amount, off_grid)?;
                let amount = i128::from(amount);
                if self.arbiter.balance(fund) + amount >= LIMIT {
                    return Err(Refusal::Overflow { what: "the fund's balance" });
                }
                self.arbiter.ledger.deposits[self.market.fund(fund).asset.index()] += amount;
                self.arbiter.credit(fund, amount, FundReason::Deposit, &mut self.events);
                Ok(())
            }
            Command::LiquidationFill { order, instrument, quantity, price } => match order.owner {
                OrderOwner::Fund(id) if id == instrument => {
                    self.book_unwind_fill(order, id, (quantity, price), off_grid)
                }
                OrderOwner::Fund(_) => Err(Refusal::UnknownLiquidation(order)),
                OrderOwner::Account(_) => Ok(()),
            },
            Command::Funding { instrument, .. } => {
                self.arbiter.begin_settlement(instrument);
                Ok(())
            }
            Command::Chunk { job, part: Part::End } => {
                self.end_job(job);
                Ok(())
            }
            Command::LiquidationExpire { order: OrderName { owner: OrderOwner::Fund(id), nth } } => {
                self.arbiter.expire_unwind(id, nth)
            }
            Command::LiquidationUnknown { order: OrderName { owner: OrderOwner::Fund(id), nth } } => {
                self.arbiter.unwind_unknown(id, nth)
            }
            _ => Ok(()),
        }
    }

    /// What of a fill is no account's: its fees, and the external venue account's side.
    fn book_fill(&mut self, fill: &Fill, fees: i128) {
        let settle = self.market.instrument(fill.instrument).spec.settle;
        self.arbiter.ledger.charge_fee(settle, fees);
        if fill.counterparty.is_none() {
            let (lots, price) = (fill.quantity, fill.price);
            let venues = self.arbiter.ledger.book_venue(&self.market, fill.instrument, fill.side, lots, price);
            self.note_rounding(fill.instrument, venues);
        }
    }

    /// The same of the fill that undoes another; the fee account gives the fees back.
    pub(crate) fn book_bust(&mut self, undone: &Fill, fees: i128) {
        self.book_fill(undone, -fees);
    }

    /// What of a repricing is no account's: the other side's part if that is the external venue account, and what rounding
    /// leaves, which is the fund's.
    pub(crate) fn book_reprice(&mut self, trade: &Trade, counter: i128, rounding: i128) {
        if trade.counterparty.is_none() {
            let settle = self.market.instrument(trade.instrument).spec.settle;
            self.arbiter.ledger.venue_balances[settle.index()] += counter;
        }
        self.note_rounding(trade.instrument, rounding);
    }

    /// All accounts are done: what belongs to none of them, and the event.
    fn end_job(&mut self, name: JobName) {
        let accounts = std::mem::take(&mut self.settled);
        let Some(job) = self.market.jobs.first().filter(|job| job.name == name) else { return };
        match name.kind {
            JobKind::Settlement => self.arbiter.end_settlement(&self.market, job, accounts, &mut self.events),
            JobKind::Rules => self.events.push(Event::RulesSettled { instrument: name.instrument }),
        }
    }

    fn book_unwind_fill(
        &mut self,
        order: OrderName,
        id: InstrumentId,
        (lots, price): (Quantity, Price),
        off_grid: OffGrid,
    ) -> Result<(), Refusal> {
        self.arbiter.check_unwind_fill(&self.market, (id, order.nth), (lots, price), off_grid)?;
        let number = self.numbers.number(order).ok_or(Refusal::UnknownLiquidation(order))?;
        self.arbiter.book_unwind(&self.market, (id, order.nth), (lots, price), number, &mut self.events);
        Ok(())
    }

    /// The input is accepted: it counts, and its time is the present one.
    pub(crate) fn accept(&mut self, ts_ns: Option<u64>, cause: Cause) {
        if let Cause::Op(op) = cause {
            debug_assert!(Cause::named(op).is_some(), "{op} is not among the causes: a kernel bug");
        }
        self.inputs += 1;
        self.arbiter.stir();
        self.now_ns = ts_ns.unwrap_or(self.now_ns);
        self.cause = cause;
        self.pace.freed = true;
        if self.market.timeout_ns.is_some_and(|at_ns| at_ns <= self.now_ns) {
            self.undecided = true;
        }
    }

    /// One more instrument has been declared: the arbiter and the venue keep it too.
    pub(crate) fn add_instrument(&mut self, paced: bool) {
        self.arbiter.add_instrument();
        self.venue.add_instrument();
        self.pace.add_instrument(if paced { self.walk.capacity() } else { 0 });
    }

    /// Whether pools may have to wait in an instrument from now on; those that wait already go on when there is room.
    pub(crate) fn pace_instrument(&mut self, instrument: InstrumentId, paced: bool) {
        self.pace.reserve(instrument, if paced { self.walk.capacity() } else { 0 });
    }

    /// As [`Rounds::accept`], for a command.
    pub(crate) fn accept_command(&mut self, ts_ns: Option<u64>, command: &Command) {
        if let Command::Time { .. } = command {
            self.arbiter.ledger.interest_due = self.market.watches_interest();
            self.arbiter.ledger.note_time();
        }
        let freed = self.pace.freed;
        let cause = self.cause_of(command);
        self.accept(time_of(ts_ns, command), cause);
        if matches!(
            command,
            Command::Mark { .. } | Command::MarkFrom { .. } | Command::Last { .. } | Command::Time { .. }
        ) {
            self.pace.freed = freed;
        }
        match *command {
            Command::CancelAck { account, pool, .. } => self.numbers.note_cancelling(account, pool, self.now_ns),
            Command::Funding { .. } | Command::Chunk { .. } => self.market.note_job(command, self.now_ns),
            _ => {}
        }
    }

    /// Takes in what a shard reported of the present input.
    pub(crate) fn stage(&mut self, report: &Report) {
        match *report {
            Report::Booked { counter_side, event } => {
                self.booked[usize::from(counter_side)].push(Booked::Event(event));
            }
            Report::Filled(fill) => self.booked[0].push(Booked::Filled(fill)),
            Report::Rounded { instrument, amount } => self.note_rounding(instrument, amount),
            Report::Announced { attention, event } => {
                self.announced.push((attention, self.announced.len() as u32, event));
            }
            Report::Begun { attention, event } => self.stage_begun(attention, BegunTold::Event(event)),
            Report::Order { attention, nth, request } => {
                self.stage_begun(attention, BegunTold::Order { nth, request });
            }
            Report::Undecided => self.undecided = true,
            Report::Settled { paid, received } => {
                self.settled.0 += paid;
                self.settled.1 += received;
            }
        }
    }

    /// Adds to what rounding takes from the sides of the present fill: it is told, and the fund's, when both are booked.
    fn note_rounding(&mut self, instrument: InstrumentId, amount: i128) {
        let before = self.rounding.map_or(0, |(_, amount)| amount);
        self.rounding = Some((instrument, before + amount));
    }

    fn stage_begun(&mut self, attention: Attention, told: BegunTold) {
        let n = self.begun.len() as u32;
        self.begun.push(Begun { attention, n, told });
    }

    /// Tells what was booked and who was locked, in order. What the pools began on their own is told by
    /// [`Rounds::tell_begun`], or, where a decision follows directly, in it.
    pub(crate) fn merge(&mut self) {
        for side in 0..2 {
            for at in 0..self.booked[side].len() {
                match self.booked[side][at] {
                    Booked::Event(event) => self.events.push(event),
                    Booked::Filled(fill) => self.tell_filled(&fill),
                }
            }
            self.booked[side].clear();
        }
        self.look_at_funds();
        self.announced.sort_unstable_by_key(|&(attention, n, _)| (attention, n));
        self.events.extend(self.announced.drain(..).map(|(.., event)| event));
        self.begun.sort_unstable_by_key(|begun| (begun.attention, begun.n));
    }

    /// All that the input itself does is booked: what rounding took is the fund's, and whether a fund comes into drawdown
    /// or out of it.
    #[inline]
    pub(crate) fn look_at_funds(&mut self) {
        if let Some((instrument, amount)) = self.rounding.take() {
            let fund = self.market.instrument(instrument).spec.fund;
            self.arbiter.credit(fund, amount, FundReason::Rounding, &mut self.events);
        }
        self.arbiter.look_after_input(&self.market, self.now_ns, &mut self.events);
        self.follow_losses();
    }

    /// The liquidation of the instruments of a fund is paused when it has lost too much within a minute, and goes on later:
    /// whom that held back is looked at after every input and in every round.
    #[inline]
    pub(crate) fn follow_losses(&mut self) {
        for (fund, exceeded) in self.arbiter.take_turned() {
            if exceeded {
                self.market.paused_funds.push(fund);
            } else {
                self.market.paused_funds.retain(|&paused| paused != fund);
            }
        }
    }

    /// One more fund has been declared.
    pub(crate) fn add_fund(&mut self, drawdown: Option<DrawdownRule>, max_loss: Option<i128>) {
        self.arbiter.add_fund(drawdown, max_loss);
        self.market.paused_funds.reserve(self.market.funds.len() + 1);
    }

    /// Whether what pools began on their own is still to be told.
    pub(crate) fn has_begun(&self) -> bool {
        !self.begun.is_empty()
    }

    /// Tells what the pools began on their own.
    pub(crate) fn tell_begun(&mut self) {
        for at in 0..self.begun.len() {
            self.tell_step(at);
        }
        self.begun.clear();
    }

    fn tell_step(&mut self, at: usize) {
        let Begun { attention, told, .. } = self.begun[at];
        match told {
            BegunTold::Event(event) => self.tell_cancelling(event),
            BegunTold::Order { nth, request } => {
                let owner = OrderOwner::Account(attention.account);
                self.tell_order(OrderName { owner, nth }, &request);
            }
        }
    }

    /// Tells an event of step 1, and notes when a cancellation was asked for.
    fn tell_cancelling(&mut self, event: Event) {
        if let Event::CancelRequested { account, pool, .. } = event {
            self.numbers.note_cancelling(account, pool, self.now_ns);
        }
        self.events.push(event);
    }

    fn tell_order(&mut self, order: OrderName, request: &OrderRequest) {
        let OrderRequest { instrument, side, quantity, limit, step, .. } = *request;
        self.announce_order(order, instrument, side, quantity, limit, step);
    }

    /// An order went out: it gets its number.
    fn announce_order(
        &mut self,
        order: OrderName,
        instrument: InstrumentId,
        side: Side,
        quantity: Quantity,
        limit: Price,
        step: Step,
    ) -> u64 {
        let liquidation = self.numbers.add(order, instrument, self.now_ns);
        let (owner, nth) = (order.owner.owner(), order.nth);
        self.events.push(Event::LiquidationOrder { liquidation, owner, nth, instrument, side, quantity, limit, step });
        liquidation
    }

    /// Tells the fill of an account's order, and books the other sides: the venue's, the fee, the fund's part.
    fn tell_filled(&mut self, fill: &OrderFill) {
        let liquidation = self.numbers.number(fill.order).unwrap_or(0);
        let OrderFill { instrument, side, price, lots, fund_lots, .. } = *fill;
        if lots > 0 {
            let venues = self.arbiter.ledger.book_venue(&self.market, instrument, side, lots, price);
            self.events.push(Event::LiquidationFill {
                liquidation,
                owner: fill.order.owner.owner(),
                instrument,
                side,
                quantity: lots,
                price,
                fee: fill.fee,
                realised: fill.realised,
            });
            let fund = self.market.instrument(instrument).spec.fund;
            self.arbiter.credit(fund, fill.fee, FundReason::Fee, &mut self.events);
            let own = self.market.instrument(instrument).rounding([side.signed(lots), 0], price);
            self.arbiter.credit(fund, own + venues, FundReason::Rounding, &mut self.events);
            self.arbiter.look(&self.market, &mut self.events);
        }
        if fund_lots > 0 {
            let traded = (fund_lots, price);
            self.arbiter.trade_inventory(&self.market, instrument, side, traded, liquidation, &mut self.events);
        }
    }

    /// Whether a decision after the present input would have anything to do.
    ///
    /// `changed` says whether the input could have changed an account or a mark.
    pub(crate) fn needs_decision(&self, changed: bool) -> bool {
        self.undecided
            || self.arbiter.ledger.interest_due
            || self.pace.has_business(self.market.venue.is_manual())
            || self.arbiter.has_business(&self.market, changed, self.inputs, self.now_ns)
    }

    /// In the next decision these are the venue's answers, and none is simulated.
    pub(crate) fn answer_from(&mut self, answers: &[VenueAnswer]) {
        self.recorded = Some(answers.iter().copied().collect());
        self.diverged = false;
    }

    /// Whether each answer given for the last decision was asked for; from now on they are simulated again.
    pub(crate) fn answers_fitted(&mut self) -> bool {
        let left = self.recorded.take().is_some_and(|recorded| !recorded.is_empty());
        !left && !self.diverged
    }

    /// The number and the time of an order that can still be filled.
    pub(crate) fn numbered(&self, order: OrderName) -> Option<Numbered> {
        self.numbers.get(order)
    }

    /// The order of that number, as long as it can still be filled.
    pub(crate) fn order_name(&self, number: u64) -> Option<OrderName> {
        self.numbers.name(number)
    }

    /// When a pool asked for, or got, its cancellation.
    pub(crate) fn cancelling_since(&self, account: u64, pool: crate::event::PoolName) -> u64 {
        self.numbers.cancelling_since(account, pool)
    }
}

/// The time that a command tells.
pub(crate) fn time_of(ts_ns: Option<u64>, command: &Command) -> Option<u64> {
    if let Command::Time { ts_ns } = command { Some(*ts_ns) } else { ts_ns }
}

/// What a liquidation is said to be caused by, for the whole of an input; `moved`: it moved a mark, froze it or brought it
/// to life.
pub(crate) fn cause_of(command: &Command, moved: bool) -> Cause {
    match command {
        Command::Last { instrument, .. } | Command::Index { instrument, .. } if moved => Cause::Instrument(*instrument),
        Command::Index { .. } => Cause::Op("index"),
        Command::Mark { instrument, .. } | Command::MarkFrom { instrument, .. } => Cause::Instrument(*instrument),
        Command::Fill(fill) => Cause::Instrument(fill.instrument),
        Command::Last { .. } => Cause::Op("last"),
        Command::Order(_) => Cause::Op("order"),
        Command::Cancel { .. } => Cause::Op("cancel"),
        Command::Account { .. } => Cause::Op("account"),
        Command::Deposit { .. } => Cause::Op("deposit"),
        Command::Withdraw { .. } => Cause::Op("withdraw"),
        Command::Leverage { .. } => Cause::Op("leverage"),
        Command::MarginMode { .. } => Cause::Op("margin_mode"),
        Command::IsolatedMargin { .. } => Cause::Op("isolated_margin"),
        Command::Hold { .. } => Cause::Op("hold"),
        Command::Commit { .. } => Cause::Op("commit"),
        Command::Release { .. } => Cause::Op("release"),
        Command::FundDeposit { .. } => Cause::Op("fund_deposit"),
        Command::LiquidationFill { .. } => Cause::Op("liq_fill"),
        Command::LiquidationExpire { .. } => Cause::Op("liq_expire"),
        Command::LiquidationUnknown { .. } => Cause::Op("liq_unknown"),
        Command::CancelAck { .. } => Cause::Op("cancel_ack"),
        Command::Funding { .. } | Command::Chunk { job: JobName { kind: JobKind::Settlement, .. }, .. } => {
            Cause::Op("funding")
        }
        Command::Chunk { job: JobName { kind: JobKind::Rules, .. }, .. } => Cause::Op("set"),
        Command::Mode { .. } => Cause::Op("mode"),
        Command::Health { .. } => Cause::Op("health"),
        Command::AirlockRelease { .. } => Cause::Op("airlock_release"),
        Command::Time { .. } => Cause::Op("time"),
    }
}
