//! The inline driver: sequencer, shards and arbiter as calls on one thread.
//!
//! [`Kernel::apply`] carries a command out completely, with all that follows from it, before it returns. The threaded
//! driver runs the same shards and the same arbiter; for the same sequence both emit the same events, whatever the
//! number of shards.

mod admit;
mod answers;
mod declare;
mod rounds;

pub use answers::{AssetTotals, FundView, InstrumentTotals, InventoryView, QueueEntry};

use crate::arbiter::Arbiter;
use crate::command::{Command, OffGrid};
use crate::event::{Cause, Event, Events};
use crate::map::Map;
use crate::market::{InstrumentId, Market};
use crate::refusal::Refusal;
use crate::shard::{Attention, BURST, Capacity, Findings, Shard, Strategy};
use crate::venue::{BookUpdate, Venue, VenueMode};

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
        Self { shards: 1, strategy: Strategy::Bands, capacity: Capacity::default() }
    }
}

/// Who waits for the answer to an order at the venue.
#[derive(Clone, Copy, Debug)]
enum Waiter {
    Pool { shard: u32, pool: u32 },
    Fund(InstrumentId),
}

/// The whole engine on one thread.
#[derive(Debug)]
pub struct Kernel {
    market: Market,
    shards: Vec<Shard>,
    arbiter: Arbiter,
    venue: Venue,
    /// Nanoseconds since the epoch, of the last input that told them.
    now_ns: u64,
    /// Inputs accepted so far.
    inputs: u64,
    liquidation_orders: u64,
    orders_accepted: u64,
    /// Orders that the venue has not answered yet; those that were cut to nothing stay until the table is cleared out.
    waiters: Map<u64, Waiter>,
    /// The size at which they are cleared out next.
    waiters_to_prune: usize,
    events: Events,
    findings: Findings,
    /// Pools to walk in the present round.
    walk: Vec<Attention>,
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
        let count = settings.shards as usize;
        let share = |total: usize| total.div_ceil(count) + total / 16;
        let capacity = Capacity {
            accounts: share(settings.capacity.accounts),
            positions: share(settings.capacity.positions),
            orders: share(settings.capacity.orders),
        };
        let burst = settings.capacity.accounts.min(BURST);
        Self {
            market: Market::default(),
            shards: (0..settings.shards).map(|number| Shard::new(number, settings.strategy, capacity)).collect(),
            arbiter: Arbiter::default(),
            venue: Venue::default(),
            now_ns: 0,
            inputs: 0,
            liquidation_orders: 0,
            orders_accepted: 0,
            waiters: Map::default(),
            waiters_to_prune: 0,
            events: Events::with_capacity(1 << 12),
            findings: Findings::with_capacity(burst),
            walk: Vec::with_capacity(burst),
        }
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
        self.admit_at(ts_ns, command, off_grid)?;
        self.settle(cause_of(command));
        Ok(())
    }

    /// The first half of [`Kernel::apply_at`]: checks the command, carries out what it says, and finds the pools that it
    /// could have put in breach. [`Kernel::settle_command`] must follow before the next command. In two halves the time
    /// of either can be measured.
    ///
    /// # Errors
    ///
    /// A refused command has changed nothing and caused no event.
    pub fn admit_at(&mut self, ts_ns: Option<u64>, command: &Command, off_grid: OffGrid) -> Result<(), Refusal> {
        self.events.clear();
        let command_ts = if let Command::Time { ts_ns } = command { Some(*ts_ns) } else { ts_ns };
        self.check_time(command_ts)?;
        self.admit(command, off_grid)?;
        self.accept(command_ts);
        Ok(())
    }

    /// The second half: liquidates, until no unlocked pool is in breach, and lets the funds act.
    pub fn settle_command(&mut self, command: &Command) {
        self.settle(cause_of(command));
    }

    /// Sets where liquidation and unwinding orders go from now on.
    ///
    /// # Errors
    ///
    /// [`Refusal::TimeReversed`].
    pub fn set_venue(&mut self, ts_ns: Option<u64>, mode: VenueMode) -> Result<(), Refusal> {
        self.events.clear();
        self.check_time(ts_ns)?;
        self.venue.set_mode(mode);
        self.accept(ts_ns);
        self.settle(Cause::Op("venue"));
        Ok(())
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
        self.events.clear();
        self.check_time(ts_ns)?;
        self.check_book(instrument, update)?;
        self.venue.update(instrument, update);
        self.accept(ts_ns);
        self.settle(Cause::Op("book"));
        Ok(())
    }

    /// What the last input led to, in order.
    #[must_use]
    #[inline]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Assets, funds, instruments and their marks.
    #[must_use]
    pub fn market(&self) -> &Market {
        &self.market
    }

    /// The present time, in nanoseconds since the epoch.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Exact evaluations of a pool so far, over all shards.
    #[must_use]
    pub fn evaluations(&self) -> u64 {
        self.shards.iter().map(Shard::evaluations).sum()
    }

    /// Moves the present time on without an input: a question was asked at this time. Earlier times are ignored.
    pub fn pass_time(&mut self, ts_ns: Option<u64>) {
        self.now_ns = self.now_ns.max(ts_ns.unwrap_or(0));
    }

    fn check_time(&self, ts_ns: Option<u64>) -> Result<(), Refusal> {
        match ts_ns {
            Some(given) if given < self.now_ns => Err(Refusal::TimeReversed { given, now: self.now_ns }),
            _ => Ok(()),
        }
    }

    fn accept(&mut self, ts_ns: Option<u64>) {
        self.inputs += 1;
        self.now_ns = ts_ns.unwrap_or(self.now_ns);
    }

    fn shard_of(&self, account: u64) -> usize {
        if self.shards.len() == 1 {
            return 0;
        }
        // Fibonacci hashing: neighbouring account numbers spread over the shards.
        let hash = account.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((u128::from(hash) * self.shards.len() as u128) >> 64) as usize
    }

    /// Lots of all long positions: accounts', inventory's and the external venue's.
    #[inline]
    fn open_interest(&self, instrument: InstrumentId) -> i64 {
        let accounts: i64 = self.shards.iter().map(|shard| shard.long_lots(instrument)).sum();
        accounts + self.arbiter.ledger.long_lots[instrument.index()]
    }
}

/// What a liquidation is said to be caused by, for the whole of an input.
fn cause_of(command: &Command) -> Cause {
    match command {
        Command::Mark { instrument, .. } => Cause::Instrument(*instrument),
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
        Command::FundDeposit { .. } => Cause::Op("fund_deposit"),
        Command::LiquidationFill { .. } => Cause::Op("liq_fill"),
        Command::LiquidationExpire { .. } => Cause::Op("liq_expire"),
        Command::Time { .. } => Cause::Op("time"),
    }
}
