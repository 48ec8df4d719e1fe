//! Never late: after every tick, every pool is computed anew, in full and by other code than the kernel's, and none
//! that is in breach may be unlocked: over linear and inverse contracts, all tier rules, with and without the closing
//! fee, in one-way and in hedge mode. Ticks step by one, oscillate and jump; units go down to one quantum, positions to
//! one lot.
//!
//! The snapshot of an account is read again only when an event names it, or the test itself touched it: so at the end
//! it also shows that nobody else was touched.

use std::collections::{BTreeMap, BTreeSet};
use terrace::command::{Command, Fill, Liquidity, MarginMode, PositionMode, PositionSide, Side};
use terrace::contract::Unit;
use terrace::decimal::Grid;
use terrace::event::{Event, Owner, PoolName};
use terrace::market::{AssetId, FundId, InstrumentId, InstrumentSpec, ReducePolicy};
use terrace::slope::{SizeStep, Slope};
use terrace::tiers::{TierRow, TierRule, TierTable};
use terrace::{Kernel, Settings, Strategy};

/// What a full run must check at least.
const CHECKS: u64 = 10_000_000;

/// What each world must check at least.
const CHECKS_OF_A_WORLD: u64 = 100_000;

const ACCOUNTS: u64 = 900;
const INSTRUMENTS: u32 = 3;
const ASSET: AssetId = AssetId(0);

/// A world: what a lot is worth, how its margin rises, and how its marks move.
struct World {
    coarseness: &'static str,
    unit: Unit,
    start: i64,
    lots: i64,
    /// Of the three rows, in parts per billion; of `linear` the second is the base.
    rates: [u64; 3],
    rule: TierRule,
    /// Part of the maintenance margin; the taker fee in any case.
    close_fee: bool,
}

const TICKS: u64 = 3_000;

const TAKER_FEE_PPB: i64 = 500_000;

/// Rates as venues have them, and such that nearly every quantum of notional counts: only with these does a pool fall into
/// breach by rounding alone, on a favourable tick, so that leaving out what rounding can take is found out.
const USUAL: [u64; 3] = [5_000_000, 13_000_001, 77_000_003];
const STEEP: [u64; 3] = [121_950_000, 730_000_007, 790_000_003];

/// Every one of them under every rule, with and without the closing fee: how coarse, the unit, the first mark, the
/// lots of a large position, and the rates.
const CONTRACTS: [(&str, Unit, i64, i64, [u64; 3]); 10] = [
    ("lots of one quantum", Unit::Linear(1), 40, 3, USUAL),
    ("one lot", Unit::Linear(3), 400, 1, USUAL),
    ("small prices", Unit::Linear(7), 12, 50, USUAL),
    ("as at a venue", Unit::Linear(10_000), 872_320, 20_000, USUAL),
    // Its margin rises by two at the first cap, 41, while the price rises by one.
    ("steep", Unit::Linear(1), 40, 3, STEEP),
    // At a price of 40 a lot is worth a quantum, and at a slightly higher one, rounded up, as much.
    ("lots of one quantum", Unit::Inverse { numerator: 40, denominator: 1 }, 40, 3, USUAL),
    ("one lot", Unit::Inverse { numerator: 400_000, denominator: 1 }, 400, 1, USUAL),
    ("small prices", Unit::Inverse { numerator: 2_000, denominator: 3 }, 12, 50, USUAL),
    // A tick of 0.1 dollars, a lot of one dollar, in 10^-8 coins.
    ("as at a venue", Unit::Inverse { numerator: 1_000_000_000, denominator: 1 }, 872_320, 20_000, USUAL),
    // At 10,000 a lot is worth four quanta, and a tick lower, rounded up, five: the margin rises and the value does not.
    ("steep", Unit::Inverse { numerator: 40_000, denominator: 1 }, 10_000, 3, STEEP),
];

const RULES: [TierRule; 3] = [TierRule::Marginal, TierRule::Step, TierRule::Linear];

fn worlds() -> impl Iterator<Item = World> {
    CONTRACTS.into_iter().flat_map(|(coarseness, unit, start, lots, rates)| {
        let of_rule =
            move |rule| [false, true].map(|close_fee| World { coarseness, unit, start, lots, rates, rule, close_fee });
        RULES.into_iter().flat_map(of_rule)
    })
}

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

const BILLION: i128 = 1_000_000_000;

fn ceil(a: i128, b: i128) -> i128 {
    -(-a).div_euclid(b)
}

impl World {
    /// What the margin depends on.
    fn kind(&self) -> String {
        let contract = if self.unit.is_inverse() { "inverse" } else { "linear" };
        let fee = if self.close_fee { ", closing fee" } else { "" };
        format!("{contract}, {:?}{fee}", self.rule).to_lowercase()
    }

    fn name(&self) -> String {
        format!("{}, {}", self.kind(), self.coarseness)
    }

    /// `V(q, p)` and `|V(q, p)|`, straight from the model.
    fn value(&self, size: i128, mark: i64) -> (i128, i128) {
        let mark = i128::from(mark);
        match self.unit {
            Unit::Linear(unit) => (size * mark * i128::from(unit), size.abs() * mark * i128::from(unit)),
            Unit::Inverse { numerator, denominator } => {
                let (above, below) = (size * i128::from(numerator), mark * i128::from(denominator));
                ((-above).div_euclid(below), ceil(above.abs(), below))
            }
        }
    }

    /// The notional of a large position.
    fn typical(&self) -> i128 {
        self.value(i128::from(self.lots), self.start).1
    }

    /// How fast the rates of `linear` rise, a quantum of notional or a lot being a thousandth: at a large position by 5 %.
    fn slope(&self) -> Slope {
        let large = if self.unit.is_inverse() { self.typical() } else { i128::from(self.lots) };
        let slope_ppb = 50_000_000_000 / large as u64;
        let step = SizeStep { numerator: 1, denominator: 1_000 };
        let base_ppb = self.rates[1];
        Slope { base_ppb, slope_ppb: slope_ppb.min(999_999_999), im_base_ppb: base_ppb + 70_000_000, step }
    }

    /// Maintenance margin, straight from the model.
    fn maintenance(&self, rows: &Rows, size: i128, notional: i128) -> i128 {
        let fee = if self.close_fee { ceil(notional * i128::from(TAKER_FEE_PPB), BILLION) } else { 0 };
        if self.rule == TierRule::Linear {
            let Slope { base_ppb, slope_ppb, .. } = self.slope();
            let large = if self.unit.is_inverse() { notional } else { size.abs() };
            let rate = i128::from(base_ppb) * 1_000 + i128::from(slope_ppb) * large;
            return ceil(notional * rate, BILLION * 1_000) + fee;
        }
        let tier = rows.iter().position(|&(cap, _)| notional <= cap).unwrap_or(rows.len() - 1);
        let exact: i128 = rows[..=tier].windows(2).map(|pair| pair[0].0 * i128::from(pair[1].1 - pair[0].1)).sum();
        let deduction = if self.rule == TierRule::Marginal { exact / BILLION } else { 0 };
        ceil(notional * i128::from(rows[tier].1), BILLION) - deduction + fee
    }
}

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
    fn new(world: &'a World, shards: u32) -> Self {
        let mut kernel = Kernel::new(Settings { shards, strategy: Strategy::Bands, ..Settings::default() });
        kernel.declare_asset(None, "USDT", 8).unwrap();
        let mut dice = Dice(0x5DEE_CE66_D1CE_4E5B);
        let mut rows = Vec::new();
        for index in 0..INSTRUMENTS {
            let typical = world.typical();
            let [first, second, last] = world.rates;
            let table = vec![(typical / 3 + 1, first), (typical + 2, second), (typical * 4, last)];
            let max_leverage = (100_000_000_000 / last) as u32;
            let row = |&(cap, mmr_ppb): &(i128, u64)| TierRow { cap, mmr_ppb, max_leverage, deduction: None };
            let tiers = match world.rule {
                TierRule::Linear => TierTable::linear(world.slope()).unwrap(),
                rule => TierTable::new(rule, &table.iter().map(row).collect::<Vec<_>>()).unwrap(),
            };
            rows.push(table);
            let grid = Grid::decimals(0);
            let spec = InstrumentSpec {
                taker_fee_ppb: TAKER_FEE_PPB,
                liquidation_fee_ppb: 2_000_000,
                close_fee_in_mm: world.close_fee,
                reduce: ReducePolicy {
                    tier: index != 1,
                    fraction_ppb: if index == 1 { 300_000_000 } else { 0 },
                    all: index != 2,
                    ..ReducePolicy::default()
                },
                ..InstrumentSpec::new(&format!("C{index}"), ASSET, FundId(0), (grid, grid), world.unit, tiers)
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
                    let (value, notional) = self.world.value(size, self.marks[index]);
                    equity += value - cost;
                    required += self.world.maintenance(&self.rows[index], size, notional);
                }
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
fn no_pool_in_breach_is_ever_unlocked() {
    let mut kinds: BTreeMap<String, Checks> = BTreeMap::new();
    let mut liquidated = 0;
    for (index, world) in worlds().enumerate() {
        let mut test = Test::new(&world, 1 + index as u32 % 3);
        for number in 0..TICKS {
            test.tick(number);
            test.check(number);
        }
        let untouched = |account: &u64| test.snapshot[account] == test.read(*account);
        assert!(test.snapshot.keys().all(untouched), "an account changed without an event");
        let (name, evaluations, Checks { all, hedged, one_lot }) =
            (world.name(), test.kernel.evaluations(), test.checks);
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
    println!("never late: {checks} pool checks, 0 misses, {liquidated} liquidations");
    assert!(checks >= CHECKS, "only {checks} checks");
}
