//! Never late: after every tick, every pool is computed anew, in full and by other code than the kernel's, and none
//! that is in breach may be unlocked. Ticks step by one, oscillate and jump; units go down to one quantum.
//!
//! The snapshot of an account is read again only when an event names it, or the test itself touched it: so at the end
//! it also shows that nobody else was touched.

use std::collections::{BTreeMap, BTreeSet};
use terrace::command::{Command, Fill, Liquidity, MarginMode, PositionMode, PositionSide, Side};
use terrace::contract::Unit;
use terrace::decimal::Grid;
use terrace::event::{Event, Owner, PoolName};
use terrace::market::{AdlPolicy, AssetId, FundId, FundingRules, InstrumentId, InstrumentSpec, ReducePolicy};
use terrace::tiers::{TierRow, TierRule, TierTable};
use terrace::{Kernel, Settings, Strategy};

/// What a full run must check at least.
const CHECKS: u64 = 10_000_000;

const ACCOUNTS: u64 = 900;
const INSTRUMENTS: u32 = 3;
const ASSET: AssetId = AssetId(0);

/// A world: how coarse its money is, and how its marks move.
struct World {
    name: &'static str,
    unit: i64,
    start: i64,
    lots: i64,
    rule: TierRule,
    ticks: u64,
}

const WORLDS: [World; 6] = [
    World { name: "units of one quantum", unit: 1, start: 40, lots: 3, rule: TierRule::Marginal, ticks: 6_000 },
    World { name: "units of one quantum, step", unit: 1, start: 40, lots: 3, rule: TierRule::Step, ticks: 6_000 },
    World { name: "small prices", unit: 7, start: 12, lots: 50, rule: TierRule::Marginal, ticks: 6_000 },
    World { name: "small prices, step", unit: 7, start: 12, lots: 50, rule: TierRule::Step, ticks: 6_000 },
    World { name: "as at a venue", unit: 10_000, start: 872_320, lots: 20_000, rule: TierRule::Marginal, ticks: 6_000 },
    World {
        name: "as at a venue, step",
        unit: 10_000,
        start: 872_320,
        lots: 20_000,
        rule: TierRule::Step,
        ticks: 6_000,
    },
];

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    fn range(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as u64) as i64
    }
}

/// The rows of a table as the test knows them: cap, rate in parts per billion.
type Rows = Vec<(i128, u64)>;

/// A pool as the test knows it: collateral, and (instrument, size, cost).
#[derive(Clone, Debug, PartialEq)]
struct Pool {
    name: PoolName,
    collateral: i128,
    positions: Vec<(usize, i128, i128)>,
    locked: bool,
}

/// Maintenance margin, straight from the model.
fn maintenance(rule: TierRule, rows: &Rows, notional: i128) -> i128 {
    let billion = 1_000_000_000;
    let tier = rows.iter().position(|&(cap, _)| notional <= cap).unwrap_or(rows.len() - 1);
    let ceil = (notional * i128::from(rows[tier].1) + billion - 1) / billion;
    let exact: i128 = rows[..=tier].windows(2).map(|pair| pair[0].0 * i128::from(pair[1].1 - pair[0].1)).sum();
    if rule == TierRule::Marginal { ceil - exact / billion } else { ceil }
}

/// Every fifth account is in hedge mode; of these every fourth is isolated, as of the others.
fn hedges(account: u64) -> bool {
    account.is_multiple_of(5)
}

struct Test<'a> {
    world: &'a World,
    kernel: Kernel,
    rows: Vec<Rows>,
    marks: Vec<i64>,
    snapshot: BTreeMap<u64, Vec<Pool>>,
    stale: BTreeSet<u64>,
    checks: u64,
    liquidated: u64,
    dice: Dice,
}

impl<'a> Test<'a> {
    fn new(world: &'a World, shards: u32) -> Self {
        let mut kernel = Kernel::new(Settings { shards, strategy: Strategy::Bands, ..Settings::default() });
        kernel.declare_asset(None, "USDT", 8).unwrap();
        let mut dice = Dice(0x5DEE_CE66_D1CE_4E5B);
        let mut rows = Vec::new();
        for index in 0..INSTRUMENTS {
            let typical = i128::from(world.unit) * i128::from(world.start) * i128::from(world.lots);
            let table = vec![(typical / 3 + 1, 5_000_000), (typical + 2, 13_000_001), (typical * 4, 77_000_003)];
            let row = |&(cap, mmr_ppb): &(i128, u64)| TierRow { cap, mmr_ppb, max_leverage: 1_200, deduction: None };
            let tiers = TierTable::new(world.rule, &table.iter().map(row).collect::<Vec<_>>()).unwrap();
            rows.push(table);
            let spec = InstrumentSpec {
                symbol: format!("C{index}"),
                underlying: "C".to_owned(),
                prices: Default::default(),
                settle: ASSET,
                tick: Grid::decimals(0),
                lot: Grid::decimals(0),
                unit: Unit::Linear(world.unit),
                tiers,
                maker_fee_ppb: 0,
                taker_fee_ppb: 500_000,
                liquidation_fee_ppb: 2_000_000,
                close_fee_in_mm: false,
                reduce: ReducePolicy { tier: index != 1, fraction_ppb: 0, all: index != 2, pacing: None },
                adl: AdlPolicy::default(),
                fund: FundId(0),
                funding: FundingRules::default(),
                controls: terrace::controls::Controls::default(),
            };
            kernel.declare_instrument(None, spec).unwrap();
        }
        let mut test = Self {
            world,
            kernel,
            rows,
            marks: vec![world.start; INSTRUMENTS as usize],
            snapshot: BTreeMap::new(),
            stale: BTreeSet::new(),
            checks: 0,
            liquidated: 0,
            dice: Dice(dice.below(u64::MAX)),
        };
        for index in 0..INSTRUMENTS {
            test.apply(&Command::Mark { instrument: InstrumentId(index), price: world.start });
        }
        for account in 1..=ACCOUNTS {
            if hedges(account) {
                test.apply(&Command::Account { account, positions: PositionMode::Hedge });
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
        let typical = self.world.unit * self.world.start * self.world.lots;
        let amount = self.dice.range(1, typical / 6 + 2);
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

    fn read(&self, account: u64) -> Vec<Pool> {
        let view = self.kernel.account(account).unwrap();
        let pool = |pool: &terrace::PoolView| {
            let own = view.positions.iter().filter(|position| match pool.name {
                PoolName::Cross(_) => position.margin.is_none(),
                PoolName::Isolated(instrument, leg) => {
                    let of_leg = leg.is_none_or(|leg| (leg == PositionSide::Long) == (position.position.quantity > 0));
                    of_leg && position.instrument == instrument && position.margin.is_some()
                }
            });
            let positions: Vec<_> = own
                .clone()
                .map(|at| (at.instrument.index(), i128::from(at.position.quantity), at.position.cost))
                .collect();
            let collateral = match pool.name {
                PoolName::Cross(asset) => view.balances.iter().find(|&&(of, _)| of == asset).unwrap().1,
                PoolName::Isolated(..) => own.filter_map(|at| at.margin).sum(),
            };
            Pool { name: pool.name, collateral, positions, locked: pool.locked }
        };
        view.pools.iter().map(pool).collect()
    }

    /// Computes every pool in full.
    fn check(&mut self, number: u64) {
        while let Some(account) = self.stale.pop_first() {
            self.snapshot.insert(account, self.read(account));
        }
        for (account, pools) in &self.snapshot {
            for pool in pools.iter().filter(|pool| !pool.positions.is_empty()) {
                let (mut equity, mut required) = (pool.collateral, 0);
                for &(index, size, cost) in &pool.positions {
                    let value = size * i128::from(self.marks[index]) * i128::from(self.world.unit);
                    equity += value - cost;
                    required += maintenance(self.world.rule, &self.rows[index], value.abs());
                }
                self.checks += 1;
                let missed = equity <= required && !pool.locked;
                assert!(!missed, "{}: tick {number}: account {account} missed: {pool:?}", self.world.name);
            }
        }
    }
}

#[test]
fn no_pool_in_breach_is_ever_unlocked() {
    let (mut checks, mut liquidated) = (0, 0);
    for (index, world) in WORLDS.iter().enumerate() {
        let mut test = Test::new(world, 1 + index as u32 % 3);
        for number in 0..world.ticks {
            test.tick(number);
            test.check(number);
        }
        let untouched = |account: &u64| test.snapshot[account] == test.read(*account);
        assert!(test.snapshot.keys().all(untouched), "an account changed without an event");
        let evaluations = test.kernel.evaluations();
        println!("{}: {} checks, {} liquidations, {evaluations} evaluations", world.name, test.checks, test.liquidated);
        assert!(test.liquidated > 50, "{}: too quiet to show anything", world.name);
        assert!(test.kernel.asset_totals().iter().all(|totals| totals.difference() == 0));
        checks += test.checks;
        liquidated += test.liquidated;
    }
    println!("never late: {checks} pool checks, 0 misses, {liquidated} liquidations");
    assert!(checks >= CHECKS, "only {checks} checks");
}
