//! The inline driver: sequencer, shards and arbiter as calls on one thread.
//!
//! [`Kernel::apply`] carries a command out completely, with all that follows from it, before it returns: a decision follows
//! every input. The threaded driver runs the same shards and the same arbiter; for the same sequence both emit the same
//! events, whatever the number of shards.

mod answers;
mod correct;
mod declare;
#[cfg(test)]
mod floors;
#[cfg(test)]
mod freezing;
mod health;
#[cfg(test)]
mod left_behind;
mod overview;
#[cfg(feature = "journal")]
mod snapshot;
mod work;

pub(crate) use correct::correct;
pub use declare::Declaration;
pub(crate) use declare::declare;
#[cfg(feature = "journal")]
pub(crate) use declare::{check_declared, check_rules_before};
pub use health::{Health, WaitState, WaitingPool};
pub use overview::{AssetTotals, FundView, InstrumentTotals, InventoryView, Overview, QueueEntry};
#[cfg(feature = "journal")]
pub use snapshot::{AtRest, Decoded, Loading};

use crate::command::{Command, OffGrid, OrderName};
use crate::engine::{Decision, Depth, Entry, hash_of};
use crate::event::{Cause, Event};
use crate::jobs::Part;
use crate::market::{InstrumentId, Market};
use crate::number::Price;
use crate::refusal::Refusal;
use crate::rounds::{Rounds, VenueAnswer};
use crate::rule_version::RuleVersion;
use crate::sequencer::{self, Facts, Found, Known};
use crate::shard::{Capacity, Memory, Place, Report, Shard, Shards, Strategy, locate};
use crate::venue::{BookUpdate, VenueMode, VenueRules};

/// How a kernel is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Number of shards, at least 1. It never shows in an event.
    pub shards: u32,
    /// How breaches are found. It never shows in an event either.
    pub strategy: Strategy,
    /// Room made at the start, over all shards.
    pub capacity: Capacity,
}

impl Default for Settings {
    fn default() -> Self {
        Self { shards: 1, strategy: Strategy::default(), capacity: Capacity::default() }
    }
}

impl Settings {
    /// The shards of a kernel, empty.
    pub(crate) fn make_shards(&self) -> Shards {
        let count = self.shards as usize;
        // Ids do not spread evenly over several.
        let share = |total: usize| total.div_ceil(count) + if count > 1 { total / 16 } else { 0 };
        let capacity = Capacity {
            accounts: share(self.capacity.accounts),
            positions: share(self.capacity.positions),
            orders: share(self.capacity.orders),
        };
        (0..self.shards).map(|number| Box::new(Shard::new(number, self.shards, self.strategy, capacity))).collect()
    }
}

/// The whole engine on one thread.
#[derive(Debug)]
pub struct Kernel {
    rounds: Rounds,
    shards: Shards,
    /// Inputs that had their place so far: orders are accepted in this order.
    inputs: u64,
    /// Inputs since the log began.
    seq: u64,
    /// Kept for its room.
    reports: Vec<Report>,
    /// The sequence since it is kept.
    record: Option<Vec<Entry>>,
}

impl Kernel {
    /// An empty kernel: no asset, no instrument, no account.
    ///
    /// # Panics
    ///
    /// If `settings.shards` is 0.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        assert!(settings.shards > 0, "a kernel needs at least one shard: the caller's mistake");
        Self {
            rounds: Rounds::new(settings.capacity.accounts),
            shards: settings.make_shards(),
            inputs: 0,
            seq: 0,
            reports: Vec::with_capacity(64),
            record: None,
        }
    }

    /// A kernel to which nothing has happened begins under an earlier version of the rules, as the sequence did that it is to go through.
    ///
    /// # Panics
    ///
    /// If something has: it goes over to other rules at a place of its sequence ([`Declaration::RuleVersion`]).
    #[must_use]
    pub fn under(mut self, rules: RuleVersion) -> Self {
        assert_eq!(self.inputs, 0, "a kernel that has begun: the caller's mistake");
        self.begin_under(rules);
        self
    }

    pub(crate) fn begin_under(&mut self, rules: RuleVersion) {
        self.rounds.market.rules = rules;
    }

    /// From now on keeps the sequence of inputs and decisions.
    pub fn keep_record(&mut self) {
        self.record.get_or_insert_default();
        self.rounds.keeps_answers = true;
    }

    /// What came before prepared the kernel: the inputs of the record count from 1 from here on.
    pub fn begin_log(&mut self) {
        self.seq = 0;
        self.record.iter_mut().for_each(|record| record.push(Entry::Start));
    }

    /// The sequence since it is kept or was taken last; empty if it is not kept.
    pub fn take_record(&mut self) -> Vec<Entry> {
        self.record.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Carries out one command, with all that follows from it. The events are in [`Kernel::events`].
    ///
    /// # Errors
    ///
    /// A refused command has changed nothing and caused no event.
    #[inline]
    pub fn apply(&mut self, command: &Command) -> Result<(), Refusal> {
        self.apply_at(None, command, OffGrid::NONE)
    }

    /// As [`Kernel::apply`], at a time in nanoseconds since the epoch (none: the present one), with the marks of those
    /// numbers that were finer than their grid.
    ///
    /// # Errors
    ///
    /// A refused command has changed nothing and caused no event.
    pub fn apply_at(&mut self, ts_ns: Option<u64>, command: &Command, off_grid: OffGrid) -> Result<(), Refusal> {
        if self.rounds.market.may_have_pieces() {
            self.admit_at(ts_ns, command, off_grid)?;
        } else {
            self.rounds.events.clear();
            check_given(command)?;
            self.check_time(crate::rounds::time_of(ts_ns, command))?;
            if self.take_quiet_mark(ts_ns, command, off_grid) {
                return Ok(()); // there is nothing to decide
            }
            self.carry_out(ts_ns, command, off_grid, true)?;
        }
        self.decide();
        Ok(())
    }

    /// The first half of [`Kernel::apply_at`]: checks the command, books what it says, locks the pools that it puts in
    /// breach, and lets them begin what concerns them alone. [`Kernel::decide`] must follow before the next command. In
    /// two halves the time of either can be measured.
    ///
    /// # Errors
    ///
    /// A refused command has changed nothing and caused no event.
    pub fn admit_at(&mut self, ts_ns: Option<u64>, command: &Command, off_grid: OffGrid) -> Result<(), Refusal> {
        self.rounds.events.clear();
        check_given(command)?;
        self.input(ts_ns, command, off_grid)
    }

    /// The second half: liquidates, until no unlocked pool is in breach, and lets the funds act; then books what the
    /// command has ordered for all accounts, piece by piece, each with what follows from it.
    pub fn decide(&mut self) {
        self.decide_input();
        if self.rounds.market.may_have_pieces() {
            while self.book_piece() {}
        }
    }

    /// The second half of an input by itself, without what is ordered for all accounts. [`Kernel::book_piece`] must follow
    /// until nothing is left to book; other inputs may lie in between, so that none waits for more than one piece.
    pub fn decide_input(&mut self) {
        self.decide_if_needed();
    }

    /// Books the next piece of what was ordered for all accounts, with what follows from it; false if nothing is due.
    pub fn book_piece(&mut self) -> bool {
        let Some(piece) = self.next_piece() else { return false };
        let booked = self.place(None, &piece, OffGrid::NONE, false);
        debug_assert!(booked.is_ok(), "a piece that is due is refused: a kernel bug");
        if booked.is_err() {
            return false;
        }
        self.decide_if_needed();
        true
    }

    /// The next piece of the oldest job: the next accounts in order, or its end. Without any, a funding that has fallen due.
    fn next_piece(&self) -> Option<Command> {
        let Some(job) = self.rounds.market.jobs.first() else {
            return self.rounds.market.due_settlement(self.rounds.now_ns);
        };
        let chunk = self.rounds.market.instrument(job.name.instrument).spec.funding.chunk as usize;
        let last = match &self.shards[..] {
            [shard] => shard.ids_after(job.done).take(chunk).last(),
            shards => {
                let mut ids: Vec<u64> = Vec::new();
                for shard in shards {
                    ids.extend(shard.ids_after(job.done).take(chunk));
                }
                let last = chunk.min(ids.len());
                (last > 0).then(|| *ids.select_nth_unstable(last - 1).1)
            }
        };
        Some(Command::Chunk { job: job.name, part: last.map_or(Part::End, Part::UpTo) })
    }

    /// One decision, if there is anything to decide: most inputs leave nothing, and an engine passes over them too. A record
    /// names the place all the same.
    #[inline]
    fn decide_if_needed(&mut self) {
        if self.record.is_some() || self.rounds.needs_decision(true) {
            self.decide_once();
        } else {
            self.rounds.tell_begun();
        }
    }

    /// One decision.
    pub(crate) fn decide_once(&mut self) {
        let told = self.rounds.events.len();
        self.rounds.decide(&mut self.shards);
        if let Some(record) = &mut self.record {
            let (hash, answers) = (hash_of(&self.rounds.events[told..]), self.rounds.given.clone());
            record.push(Entry::Decide { outcome: Some(Decision { hash, answers }) });
        }
    }

    /// Checks and books a command, and lets the shards find what it puts in breach.
    pub(crate) fn input(&mut self, ts_ns: Option<u64>, command: &Command, off_grid: OffGrid) -> Result<(), Refusal> {
        self.place(ts_ns, command, off_grid, !matches!(command, Command::Chunk { .. }))
    }

    /// As [`Kernel::input`]; what the kernel gives itself (pieces of jobs, fundings that fall due) does not count.
    pub(crate) fn place(
        &mut self,
        ts_ns: Option<u64>,
        command: &Command,
        off_grid: OffGrid,
        counts: bool,
    ) -> Result<(), Refusal> {
        self.check_time(crate::rounds::time_of(ts_ns, command))?;
        if self.take_quiet_mark(ts_ns, command, off_grid) {
            return Ok(());
        }
        self.carry_out(ts_ns, command, off_grid, counts)
    }

    /// As [`Kernel::place`], of what is in time and no quiet mark.
    fn carry_out(
        &mut self,
        ts_ns: Option<u64>,
        command: &Command,
        off_grid: OffGrid,
        counts: bool,
    ) -> Result<(), Refusal> {
        let Self { rounds, shards, reports, inputs, seq, record, .. } = self;
        let mut facts = Inline { rounds, shards };
        let found = sequencer::check(&facts.rounds.market, &mut facts, command, off_grid)?;
        if counts {
            *inputs += 1;
            *seq += 1;
        }
        if let Some(record) = record {
            record.push(Entry::Command { seq: *seq, ts_ns, command: *command, off_grid });
        }
        rounds.market.see_time(crate::rounds::time_of(ts_ns, command));
        rounds.take_prices(command, ts_ns);
        if let Command::Time { .. } = command {
            for shard in &mut *shards {
                shard.note_time();
            }
        }
        rounds.wake(shards);
        match *command {
            Command::AirlockRelease { .. } => {
                let released = rounds.book(command, off_grid);
                self.unless_refused(command, released)?;
            }
            _ if command.price_input().is_some() => {}
            Command::Chunk { .. } => {
                for shard in &mut *shards {
                    shard.book(&rounds.market, (command, off_grid), &found, *inputs, reports)?;
                }
                reports.drain(..).for_each(|report| rounds.stage(&report));
                rounds.book(command, off_grid)?;
            }
            _ => {
                let input = (command, off_grid);
                let mut booked = rounds.book(command, off_grid);
                for shard in &mut *shards {
                    booked = booked.and_then(|()| shard.book(&rounds.market, input, &found, *inputs, reports));
                }
                self.unless_refused(command, booked)?;
            }
        }
        self.rounds.accept_command(ts_ns, command);
        let cause = self.rounds.cause_of(command);
        self.find_breaches(cause);
        Ok(())
    }

    /// Where a command with a place is refused while a job is under way: what that had still to book for an account may have been booked before the
    /// command was looked at, or at the last decision. Who is in breach is looked for all the same, as workers do, who know nothing of the refusal.
    fn unless_refused(&mut self, command: &Command, booked: Result<(), Refusal>) -> Result<(), Refusal> {
        if booked.is_err() && !self.rounds.market.jobs.is_empty() {
            self.find_breaches(crate::rounds::cause_of(command, false));
        }
        booked
    }

    /// Carries out a mark that concerns nobody, which is nearly all of them; false if it is not certain that it is one, and nothing
    /// was done.
    #[inline]
    fn take_quiet_mark(&mut self, ts_ns: Option<u64>, command: &Command, off_grid: OffGrid) -> bool {
        let Some((id, price)) = command.given_mark().filter(|&(_, price)| price > 0 && !off_grid.any()) else {
            return false;
        };
        let Self { rounds, shards, .. } = self;
        let Some(instrument) = rounds.market.instruments.get(id.index()).filter(|instrument| instrument.is_plain())
        else {
            return false;
        };
        let quiet = shards.iter().all(|shard| shard.is_quiet_at(id, price))
            && self.record.is_none()
            && rounds.is_calm()
            && instrument.admitted_value(sequencer::open_interest(shards, &rounds.arbiter, id).max(1), price).is_some()
            && rounds.take_quiet_mark(id, price, ts_ns);
        if quiet {
            for shard in shards.iter_mut() {
                shard.pass_quiet_mark();
            }
            self.inputs += 1;
            self.seq += 1;
        }
        quiet
    }

    fn find_breaches(&mut self, cause: Cause) {
        let Self { rounds, shards, reports, .. } = self;
        if !rounds.puts_off() {
            for shard in &mut *shards {
                shard.find_breaches(&rounds.market, cause, reports);
            }
        }
        if reports.is_empty() {
            rounds.look_at_funds();
        } else {
            reports.drain(..).for_each(|report| rounds.stage(&report));
            rounds.merge();
        }
    }

    /// Whether an engine asks for a decision after this input, which was the last.
    #[cfg(feature = "journal")]
    pub(crate) fn needs_decision(&self, input: &Entry) -> bool {
        let of_prices = match input {
            Entry::Command { command, .. } => command.price_input().is_some(),
            Entry::Book { .. } => true,
            _ => false,
        };
        self.rounds.needs_decision(!of_prices || !self.rounds.changes.is_empty())
    }

    /// The next input of a record follows without a decision in between.
    pub(crate) fn go_on(&mut self) {
        self.rounds.tell_begun();
    }

    /// Carries a decision of a record out, with the answers that the venue gave then; false if they do not fit.
    pub(crate) fn decide_as_recorded(&mut self, answers: &[VenueAnswer]) -> bool {
        self.rounds.answer_from(answers);
        self.decide_once();
        self.rounds.answers_fitted()
    }

    /// From now on keeps what the simulated venue answers within a decision.
    #[cfg(feature = "journal")]
    pub(crate) fn keep_answers(&mut self) {
        self.rounds.keeps_answers = true;
    }

    /// What the simulated venue answered within the last decision, if that is kept.
    pub(crate) fn given(&self) -> &[VenueAnswer] {
        &self.rounds.given
    }

    /// The number of the last input since the log began.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// How it was built, but for its room.
    #[cfg(feature = "journal")]
    #[must_use]
    pub fn settings(&self) -> Settings {
        let strategy = self.shards.first().map(|shard| shard.strategy()).unwrap_or_default();
        Settings { shards: self.shards.len() as u32, strategy, capacity: Capacity::default() }
    }

    /// Whether nothing has happened yet.
    #[cfg(feature = "journal")]
    pub(crate) fn is_empty(&self) -> bool {
        let market = &self.rounds.market;
        let none = market.assets.is_empty() && self.shards.iter().all(|shard| shard.counts() == [0; 3]);
        none && (self.inputs, self.rounds.now_ns, market.seen_ns) == (0, 0, 0)
    }

    /// Whether its sequence is kept.
    #[cfg(feature = "journal")]
    pub(crate) fn keeps_record(&self) -> bool {
        self.record.is_some()
    }

    /// The next input gets the number after this one.
    #[cfg(feature = "journal")]
    pub(crate) fn count_from(&mut self, seq: u64) {
        self.seq = seq;
    }

    /// Forgets the events so far: the caller has taken them.
    pub(crate) fn clear_events(&mut self) {
        self.rounds.events.clear();
    }

    /// Sets where liquidation and unwinding orders go from now on; cancelling is immediate.
    ///
    /// # Errors
    ///
    /// [`Refusal::TimeReversed`].
    pub fn set_venue(&mut self, ts_ns: Option<u64>, mode: VenueMode) -> Result<(), Refusal> {
        self.set_venue_rules(ts_ns, VenueRules::new(mode))
    }

    /// Sets where liquidation and unwinding orders go from now on, and how the venue cancels.
    ///
    /// # Errors
    ///
    /// [`Refusal::TimeReversed`].
    pub fn set_venue_rules(&mut self, ts_ns: Option<u64>, rules: VenueRules) -> Result<(), Refusal> {
        self.declare_and_decide(ts_ns, &Declaration::Venue(rules))
    }

    /// Gives new depth to the simulated venue.
    ///
    /// # Errors
    ///
    /// Unknown instrument, prices or quantities that are not positive, in the wrong order or too large.
    pub fn update_book(
        &mut self,
        ts_ns: Option<u64>,
        instrument: InstrumentId,
        update: &BookUpdate<'_>,
    ) -> Result<(), Refusal> {
        self.rounds.events.clear();
        self.input_book(ts_ns, instrument, update)?;
        self.decide();
        Ok(())
    }

    pub(crate) fn input_book(
        &mut self,
        ts_ns: Option<u64>,
        instrument: InstrumentId,
        update: &BookUpdate<'_>,
    ) -> Result<(), Refusal> {
        self.check_time(ts_ns)?;
        sequencer::check_book_update(&self.rounds.market, instrument, update)?;
        self.inputs += 1;
        self.seq += 1;
        if let Some(record) = &mut self.record {
            record.push(Entry::Book { seq: self.seq, ts_ns, instrument, book: Depth::new(update) });
        }
        let Self { rounds, shards, .. } = self;
        rounds.market.see_time(ts_ns);
        rounds.take_book(instrument, update, ts_ns);
        rounds.wake(shards);
        let cause = self.rounds.cause_of_book(instrument);
        self.find_breaches(cause);
        self.rounds.look_at_funds();
        Ok(())
    }

    /// What the last input led to, in order.
    #[must_use]
    #[inline]
    pub fn events(&self) -> &[Event] {
        &self.rounds.events
    }

    /// Assets, funds, instruments and their marks.
    #[must_use]
    pub fn market(&self) -> &Market {
        &self.rounds.market
    }

    /// The present time, in nanoseconds since the epoch.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.rounds.now_ns
    }

    /// What the records of all shards take of memory, in bytes.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let mut memory = Memory::default();
        self.shards.iter().for_each(|shard| memory.add(&shard.memory()));
        memory
    }

    /// Orders so far that the floor of what is available did not decide, over all shards: the exact computation did.
    #[must_use]
    pub fn exact_orders(&self) -> u64 {
        self.shards.iter().map(|shard| shard.exact_orders()).sum()
    }

    /// Moves the present time on without an input: a question was asked at this time. Earlier times are ignored.
    pub fn pass_time(&mut self, ts_ns: Option<u64>) {
        let Some(ts_ns) = ts_ns.filter(|&ts_ns| ts_ns > self.rounds.now_ns) else { return };
        self.rounds.now_ns = ts_ns;
        self.rounds.market.see_time(Some(ts_ns));
        self.record.iter_mut().for_each(|record| record.push(Entry::Pass { ts_ns }));
    }

    /// The order of that number, as long as it can still be filled, and its instrument.
    #[must_use]
    pub fn liquidation(&self, number: u64) -> Option<(OrderName, InstrumentId)> {
        self.overview().liquidation(number)
    }

    /// Everything, to look at.
    #[must_use]
    pub fn overview(&self) -> Overview<'_> {
        Overview::new(&self.rounds, &self.shards)
    }

    /// What the state comes to, as [`Overview::state_hash`].
    #[must_use]
    pub fn state_hash(&self) -> u64 {
        self.overview().state_hash()
    }

    /// From now on what the state comes to is kept as it changes, so that it can be asked for again and again: booking then costs a few
    /// instructions more, and asking no count of all accounts.
    pub fn keep_state_hash(&mut self) {
        self.shards.iter_mut().for_each(|shard| shard.keep_state_hash());
    }

    fn check_time(&self, ts_ns: Option<u64>) -> Result<(), Refusal> {
        match ts_ns {
            Some(given) if given < self.rounds.now_ns => Err(Refusal::TimeReversed { given, now: self.rounds.now_ns }),
            _ => Ok(()),
        }
    }
}

impl Kernel {
    /// Takes a kernel apart, for threads to run it.
    pub(crate) fn into_parts(self) -> (Rounds, Shards) {
        (self.rounds, self.shards)
    }

    /// Puts one together again; `inputs` is beyond the number of every input so far.
    pub(crate) fn from_parts(rounds: Rounds, shards: Shards, inputs: u64) -> Self {
        Self { rounds, shards, inputs, seq: 0, reports: Vec::with_capacity(64), record: None }
    }

    /// Number of shards.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Inputs so far, refused ones included.
    pub(crate) fn inputs(&self) -> u64 {
        self.inputs
    }
}

/// What the inline driver knows: everything, exactly.
struct Inline<'a> {
    rounds: &'a Rounds,
    shards: &'a [Box<Shard>],
}

impl Facts for Inline<'_> {
    #[inline]
    fn find(&self, account: u64, instrument: InstrumentId) -> Option<Known> {
        let place = Place::find(self.shards, account, instrument)?;
        Some(Known { hedges: self.shards[place.shard as usize].hedges(place.account), place: Some(place) })
    }

    fn knows(&self, account: u64) -> bool {
        locate(self.shards, account).is_some()
    }

    fn hedges(&self, account: u64) -> bool {
        locate(self.shards, account).is_some_and(|(shard, index)| self.shards[shard].hedges(index))
    }

    #[inline]
    fn open_interest_fits(
        &mut self,
        market: &Market,
        input: (&Command, OffGrid),
        found: &Found,
        instrument: InstrumentId,
        price: Price,
    ) -> bool {
        let lots = sequencer::open_interest_after(market, self.shards, &self.rounds.arbiter, input, found, instrument);
        lots.is_none_or(|lots| market.instrument(instrument).admitted_value(lots.max(1), price).is_some())
    }
}

/// Pieces of jobs the kernel gives itself.
fn check_given(command: &Command) -> Result<(), Refusal> {
    if matches!(command, Command::Chunk { .. }) { Err(Refusal::NotDue) } else { Ok(()) }
}
