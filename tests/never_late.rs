//! Never late: after every tick, every pool is computed anew, in full and by other code than the kernel's, and none
//! that is in breach may be unlocked: over linear and inverse contracts, all tier rules, with and without the closing
//! fee, in one-way and in hedge mode. Ticks step by one, oscillate and jump; units go down to one quantum, positions to
//! one lot.
//!
//! The snapshot of an account is read again only when an event names it, or the test itself touched it: so at the end
//! it also shows that nobody else was touched.

mod worlds;

use std::collections::{BTreeMap, BTreeSet};
use terrace::command::{Command, Fill, Liquidity, MarginMode, PositionMode, PositionSide, Side};
use terrace::event::{Event, Owner};
use terrace::market::InstrumentId;
use terrace::{Kernel, Settings, Strategy};
use worlds::{ASSET, Dice, Pool, Rows, STEEP, World, pools, worlds};

/// What a full run must check at least.
const CHECKS: u64 = 10_000_000;

/// What each world must check at least.
const CHECKS_OF_A_WORLD: u64 = 100_000;

const ACCOUNTS: u64 = 900;
const INSTRUMENTS: u32 = 3;

const TICKS: u64 = 3_000;

/// Every fifth account is in hedge mode; of these every fourth is isolated, as of the others.
fn hedges(account: u64) -> bool {
    account.is_multiple_of(5)
}

/// How many pools were checked: all, of them accounts' in hedge mode, and those of positions of one lot.
#[derive(Clone, Copy, Default)]
struct Checks {
    all: u64,
    hedged: u64,
    one_lot: u64,
}

struct Test<'a> {
    world: &'a World,
    kernel: Kernel,
    rows: Vec<Rows>,
    marks: Vec<i64>,
    snapshot: BTreeMap<u64, Vec<Pool>>,
    stale: BTreeSet<u64>,
    checks: Checks,
    liquidated: u64,
    dice: Dice,
}

impl<'a> Test<'a> {
    fn new(world: &'a World, shards: u32, strategy: Strategy) -> Self {
        let mut kernel = Kernel::new(Settings { shards, strategy, ..Settings::default() });
        let mut dice = Dice(0x5DEE_CE66_D1CE_4E5B);
        let rows = world.declare(&mut kernel, INSTRUMENTS);
        let mut test = Self {
            world,
            kernel,
            rows,
            marks: vec![world.start; INSTRUMENTS as usize],
            snapshot: BTreeMap::new(),
            stale: BTreeSet::new(),
            checks: Checks::default(),
            liquidated: 0,
            dice: Dice(dice.below(u64::MAX)),
        };
        for index in 0..INSTRUMENTS {
            test.apply(&Command::Mark { instrument: InstrumentId(index), price: world.start });
        }
        for account in 1..=ACCOUNTS {
            if hedges(account) {
                test.apply(&Command::Account { account, positions: PositionMode::Hedge, group: None });
            }
            test.deposit(account);
            for index in 0..INSTRUMENTS {
                if account % 4 == 0 {
                    let (instrument, mode) = (InstrumentId(index), MarginMode::Isolated);
                    test.apply(&Command::MarginMode { account, instrument, mode });
                }
            }
        }
        (0..ACCOUNTS * 2).for_each(|_| test.trade());
        test
    }

    /// Applies a command and notes whom it touched.
    fn apply(&mut self, command: &Command) {
        self.kernel.apply(command).unwrap();
        for event in self.kernel.events() {
            match *event {
                Event::LiquidationStarted { account, .. } => {
                    self.liquidated += 1;
                    self.stale.insert(account);
                }
                Event::LiquidationEnded { account, .. }
                | Event::Takeover { account, .. }
                | Event::LiquidationFill { owner: Owner::Account(account), .. } => drop(self.stale.insert(account)),
                Event::Deleveraged { counter, .. } => drop(self.stale.insert(counter)),
                _ => {}
            }
        }
    }

    fn deposit(&mut self, account: u64) {
        // A few quanta more: where a lot is worth one, its fee and its margin are one each.
        let part = if self.world.rates == STEEP { 1 } else { 6 };
        let amount = self.dice.range(1, self.world.typical() as i64 / part + 12);
        self.apply(&Command::Deposit { account, asset: ASSET, amount });
        self.stale.insert(account);
    }

    /// A leg, of an account in hedge mode.
    fn leg(&mut self, account: u64) -> Option<PositionSide> {
        let side = if self.dice.below(2) == 0 { PositionSide::Long } else { PositionSide::Short };
        hedges(account).then_some(side)
    }

    fn trade(&mut self) {
        let account = 1 + self.dice.below(ACCOUNTS);
        let counterparty = 1 + self.dice.below(ACCOUNTS);
        if account == counterparty {
            return;
        }
        let instrument = InstrumentId(self.dice.below(u64::from(INSTRUMENTS)) as u32);
        let fill = Fill {
            account,
            counterparty: Some(counterparty),
            order: None,
            counter_order: None,
            instrument,
            side: if self.dice.below(2) == 0 { Side::Buy } else { Side::Sell },
            quantity: self.dice.range(1, self.world.lots / 3 + 1),
            price: self.marks[instrument.index()],
            liquidity: Some(Liquidity::Taker),
            position_side: self.leg(account),
            counter_position_side: self.leg(counterparty),
        };
        self.apply(&Command::Fill(fill));
        self.stale.extend([account, counterparty]);
    }

    /// One tick: mostly a step of one, at times back and forth, seldom a jump.
    fn tick(&mut self, number: u64) {
        let index = self.dice.below(u64::from(INSTRUMENTS)) as usize;
        let (mark, start) = (self.marks[index], self.world.start);
        let step = (mark / 3_000).max(1);
        let moved = match self.dice.below(100) {
            0 => mark * self.dice.range(90, 110) / 100,
            1..=3 => start,
            _ if number.is_multiple_of(2) => mark + self.dice.range(-step, step),
            _ => mark + self.dice.range(-1, 1),
        };
        self.marks[index] = moved.clamp(start / 2 + 1, start * 2);
        self.apply(&Command::Mark { instrument: InstrumentId(index as u32), price: self.marks[index] });
        if number.is_multiple_of(3) {
            self.trade();
        }
        if number.is_multiple_of(5) {
            let account = 1 + self.dice.below(ACCOUNTS);
            self.deposit(account);
        }
    }

    /// Computes every pool in full.
    fn check(&mut self, number: u64) {
        while let Some(account) = self.stale.pop_first() {
            self.snapshot.insert(account, pools(&self.kernel, account));
        }
        for (account, held) in &self.snapshot {
            for pool in held.iter().filter(|pool| !pool.positions.is_empty()) {
                let (equity, required) = pool.margin(self.world, &self.rows, |index| self.marks[index]);
                self.checks.all += 1;
                self.checks.hedged += u64::from(hedges(*account));
                self.checks.one_lot += u64::from(pool.positions.iter().all(|&(_, size, _)| size.abs() == 1));
                let missed = equity <= required && !pool.locked;
                assert!(
                    !missed,
                    "{}: tick {number}: account {account} missed at {:?}: {pool:?}",
                    self.world.name(),
                    self.marks
                );
            }
        }
    }
}

#[test]
fn no_pool_in_breach_is_ever_unlocked_by_bands() {
    no_pool_is_missed(Strategy::Bands);
}

#[test]
fn no_pool_in_breach_is_ever_unlocked_by_sweep() {
    no_pool_is_missed(Strategy::Sweep);
}

/// Of 900 accounts every leap is a storm: pools are swept, and go back to bands between them.
#[test]
fn no_pool_in_breach_is_ever_unlocked_by_adaptive() {
    no_pool_is_missed(Strategy::Adaptive);
}

fn no_pool_is_missed(strategy: Strategy) {
    let mut kinds: BTreeMap<String, Checks> = BTreeMap::new();
    let mut liquidated = 0;
    for (index, world) in worlds().enumerate() {
        let mut test = Test::new(&world, 1 + index as u32 % 3, strategy);
        for number in 0..TICKS {
            test.tick(number);
            test.check(number);
        }
        let untouched = |account: &u64| test.snapshot[account] == pools(&test.kernel, *account);
        assert!(test.snapshot.keys().all(untouched), "an account changed without an event");
        let (name, evaluations, Checks { all, hedged, one_lot }) =
            (world.name(), test.kernel.work().evaluations, test.checks);
        println!("{name}: {all} checks, {} liquidations, {evaluations} evaluations", test.liquidated);
        assert!(test.liquidated > 50, "{name}: too quiet to show anything");
        assert!(all >= CHECKS_OF_A_WORLD, "{name}: too empty to show anything");
        assert!(test.kernel.asset_totals().iter().all(|totals| totals.difference() == 0));
        let kind = kinds.entry(world.kind()).or_default();
        *kind = Checks { all: kind.all + all, hedged: kind.hedged + hedged, one_lot: kind.one_lot + one_lot };
        liquidated += test.liquidated;
    }
    for (kind, Checks { all, hedged, one_lot }) in &kinds {
        println!("{kind}: {all} pool checks, {hedged} in hedge mode, {one_lot} of one-lot positions");
        assert!(*hedged > 0 && *one_lot > 0, "{kind}: a kind of pool is missing");
    }
    let checks: u64 = kinds.values().map(|kind| kind.all).sum();
    println!("never late by {}: {checks} pool checks, 0 misses, {liquidated} liquidations", strategy.name());
    assert!(checks >= CHECKS, "only {checks} checks");
}
