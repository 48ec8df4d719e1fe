//! What holds the market in: margin calls against plain recomputation after every input, and modes among everything else.

#[path = "worlds/dice.rs"]
mod dice;

use dice::Dice;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use terrace::command::{Command, Fill, MarginMode, OffGrid, Order, PositionMode, Side};
use terrace::controls::{Limited, Mode, Scope};
use terrace::engine::{Engine, EngineSettings, Layout, Pinning};
use terrace::event::{Event, PoolName};
use terrace::market::{AssetId, InstrumentId};
use terrace::protocol::Session;
use terrace::{Declaration, Driver, Kernel, Refusal, Settings, Strategy, Wait};

const ASSET: AssetId = AssetId(0);
const PPB: i128 = 1_000_000_000;
const ACCOUNTS: u64 = 60;

/// How coarse the money is, and at which levels the instruments call.
struct World {
    unit: i64,
    start: i64,
    lots: i64,
    rule: &'static str,
    levels: [&'static [u32]; 2],
}

/// The second levels of the last world lie below rates of their tables: no band proves anything there.
const WORLDS: [World; 6] = [
    World { unit: 1, start: 40, lots: 3, rule: "marginal", levels: [&[300_000_000, 800_000_000], &[]] },
    World { unit: 1, start: 40, lots: 3, rule: "step", levels: [&[300_000_000, 800_000_000], &[500_000_000]] },
    World { unit: 7, start: 12, lots: 50, rule: "step", levels: [&[], &[500_000_001, 999_999_999]] },
    World { unit: 7, start: 30, lots: 50, rule: "marginal", levels: [&[800_000_000], &[800_000_000]] },
    World {
        unit: 10_000,
        start: 872_320,
        lots: 20_000,
        rule: "marginal",
        levels: [&[250_000_000, 500_000_000, 800_000_000], &[]],
    },
    World { unit: 3, start: 90, lots: 9, rule: "marginal", levels: [&[700_000_000], &[50_000_000]] },
];

/// Levels that instruments may come to have.
const LEVELS: [&[u32]; 4] =
    [&[], &[300_000_000, 800_000_000], &[200_000_000], &[250_000_000, 500_000_000, 800_000_000]];

/// A kernel with an asset of 8 decimals and two instruments, declared as lines: units are whole quanta.
fn kernel(world: &World, shards: u32, strategy: Strategy) -> Kernel {
    let mut session = Session::new(Settings { shards, strategy, ..Settings::default() });
    let mut say = |line: Value| {
        let mut answer = String::new();
        session.line(line.to_string().as_bytes(), &mut answer).expect("a line that is right");
    };
    let quanta = |quanta: i128| terrace::decimal::Decimal::new(quanta, 8).to_string();
    let ppb = |ppb: u32| terrace::decimal::Decimal::new(i128::from(ppb), 9).to_string();
    say(json!({"op":"asset","asset":"USDT","decimals":8}));
    let typical = i128::from(world.unit) * i128::from(world.start) * i128::from(world.lots);
    let rows = [(typical / 3 + 1, 15_000_000), (typical + 2, 43_000_001), (typical * 4, 77_000_003)];
    let tiers = rows.map(|(cap, mmr)| json!({"cap":quanta(cap),"mmr":ppb(mmr),"max_leverage":12}));
    for (index, levels) in world.levels.iter().enumerate() {
        let symbol = format!("C{index}");
        let levels: Vec<String> = levels.iter().map(|&level| ppb(level)).collect();
        say(
            json!({"op":"instrument","symbol":symbol,"kind":"linear_perp","underlying":"C","settle":"USDT","tick":"1","lot":"1",
            "multiplier":quanta(i128::from(world.unit)),"tiers":tiers,"tier_rule":world.rule,"margin_calls":levels,"taker_fee":"0.0005","close_fee_in_mm":world.unit < 7}),
        );
        say(json!({"op":"mark","symbol":symbol,"price":world.start}));
    }
    session.into_kernel()
}

/// The states of all pools, as the model has them: the highest level reached.
#[derive(Default)]
struct States(BTreeMap<(u64, PoolName), u32>);

impl States {
    /// What must have been told after an input: by the state before and the margin now.
    fn expect(&mut self, kernel: &Kernel, events: &[Event]) -> Vec<(u64, PoolName, u32)> {
        let mut unsure = Vec::new();
        for event in events {
            match *event {
                Event::LiquidationStarted { account, pool, .. } => drop(self.0.insert((account, pool), PPB as u32)),
                // It may have been called before it was deleveraged, in the same input.
                Event::Deleveraged { counter, .. } => unsure.push(counter),
                _ => {}
            }
        }
        let mut expected = Vec::new();
        for account in kernel.accounts() {
            let view = kernel.account(account).unwrap();
            // A pool without a position has reached nothing.
            let shown = |name: &PoolName| view.pools.iter().any(|pool| pool.name == *name);
            self.0.retain(|(of, name), _| *of != account || shown(name));
            for pool in &view.pools {
                let held = view.positions.iter().filter(|position| match pool.name {
                    PoolName::Cross(_) => position.margin.is_none(),
                    PoolName::Isolated(id, _) => position.margin.is_some() && position.instrument == id,
                });
                let levels =
                    |id: InstrumentId| kernel.market().instrument(id).spec.controls.margin_calls.iter().copied();
                let mut levels: Vec<u32> = held.flat_map(|position| levels(position.instrument)).collect();
                levels.sort_unstable();
                levels.dedup();
                let state = self.0.entry((account, pool.name)).or_default();
                if pool.locked {
                    continue;
                }
                let reached = |level: &&u32| pool.margin.maintenance * PPB >= i128::from(**level) * pool.margin.equity;
                let now = levels.iter().filter(reached).max().copied().unwrap_or(0);
                let rises = levels.iter().filter(|&&level| (*state + 1..=now).contains(&level));
                expected.extend(rises.map(|&level| (account, pool.name, level)));
                *state = now;
            }
        }
        expected.retain(|(account, ..)| !unsure.contains(account));
        expected
    }
}

fn told(kernel: &Kernel) -> (Vec<Event>, Vec<(u64, PoolName, u32)>) {
    let unsure = |account| {
        let same = |event: &Event| matches!(event, Event::Deleveraged { counter, .. } if *counter == account);
        kernel.events().iter().any(same)
    };
    let calls = kernel.events().iter().filter_map(|event| match *event {
        Event::MarginCall { account, pool, level_ppb, .. } if !unsure(account) => Some((account, pool, level_ppb)),
        _ => None,
    });
    (kernel.events().to_vec(), calls.collect())
}

fn command(dice: &mut Dice, world: &World, marks: &mut [i64; 2]) -> Command {
    let instrument = InstrumentId(dice.below(2) as u32);
    let account = 1 + dice.below(ACCOUNTS);
    let mark = &mut marks[instrument.index()];
    match dice.below(24) {
        0..=17 => {
            let wide = (world.start / 400).max(1);
            *mark = (*mark + dice.range(-wide, wide)).clamp(world.start / 2, world.start * 2);
            Command::Mark { instrument, price: *mark }
        }
        18 => Command::Mark { instrument, price: (*mark * dice.range(95, 105) / 100).max(1) },
        19 => Command::Deposit { account, asset: ASSET, amount: dice.range(1, world.unit * world.start) },
        _ => Command::Fill(Fill {
            account,
            counterparty: None,
            order: None,
            counter_order: None,
            instrument,
            side: if dice.below(2) == 0 { Side::Buy } else { Side::Sell },
            quantity: dice.range(1, world.lots),
            price: *mark,
            liquidity: None,
            position_side: None,
            counter_position_side: None,
        }),
    }
}

/// Every call is told at the input that moves the ratio, once, whatever the number of shards and the way of looking.
#[test]
fn a_margin_call_is_never_late_and_never_twice() {
    let mut told_in_all = 0;
    for (number, world) in WORLDS.iter().enumerate() {
        let mut kernels = [(1, Strategy::Bands), (3, Strategy::Adaptive), (2, Strategy::Dense), (4, Strategy::Sweep)]
            .map(|(shards, strategy)| kernel(world, shards, strategy));
        let mut dice = Dice(0x5DEE_CE66_D1CE_4E5B + number as u64);
        let mut marks = [world.start; 2];
        let mut states = States::default();
        let mut calls = 0;
        for step in 0..2_500 {
            let all = ACCOUNTS as i32;
            let command = if step < all {
                let rich = i128::from(world.unit) * i128::from(world.start) * i128::from(world.lots) / 10;
                Command::Deposit { account: 1 + step as u64, asset: ASSET, amount: rich as i64 + 1 }
            } else if step < all + 15 {
                let account = 1 + (step - all) as u64;
                Command::MarginMode { account, instrument: InstrumentId(0), mode: MarginMode::Isolated }
            } else {
                command(&mut dice, world, &mut marks)
            };
            // From time to time other levels come in place of a command: they are those of another world, or none.
            let results = if step % 150 == 149 {
                let (id, levels) = (InstrumentId(dice.below(2) as u32), LEVELS[dice.below(4) as usize]);
                kernels.each_mut().map(|kernel| {
                    let mut spec = kernel.market().instrument(id).spec.clone();
                    spec.controls.margin_calls = levels.to_vec();
                    kernel.declare_and_decide(None, &Declaration::Rules { instrument: id, spec: Box::new(spec) })
                })
            } else {
                kernels.each_mut().map(|kernel| kernel.apply(&command))
            };
            assert!(results.iter().all(|result| *result == results[0]), "{command:?}: {results:?}");
            if results[0].is_err() {
                continue;
            }
            let (events, said) = told(&kernels[0]);
            for other in &kernels[1..] {
                assert_eq!(other.events(), events, "world {number}, step {step}: {command:?}");
            }
            let expected = states.expect(&kernels[0], &events);
            assert_eq!(said, expected, "world {number}, step {step}: {command:?} {events:?}");
            calls += said.len();
        }
        println!(
            "world {number}: {calls} calls, {} evaluations by bands, {} by dense",
            kernels[0].work().evaluations,
            kernels[2].work().evaluations
        );
        assert!(calls > 20, "world {number}: {calls}");
        told_in_all += calls;
    }
    println!("{told_in_all} calls");
}

/// Modes come and go among everything else: shards and strategy do not show, the books balance, no breach is missed, and
/// when all is normal again nobody is left waiting.
#[test]
fn modes_come_and_go_and_leave_nobody_behind() {
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for (number, world) in WORLDS.iter().enumerate() {
        let mut kernels = [(1, Strategy::Bands), (3, Strategy::Adaptive), (2, Strategy::Dense), (4, Strategy::Sweep)]
            .map(|(shards, strategy)| kernel(world, shards, strategy));
        let mut dice = Dice(0x2545_F491_4F6C_DD1D + number as u64);
        let mut marks = [world.start; 2];
        let mut apply = |command: &Command, step: u64| {
            let results = kernels.each_mut().map(|kernel| kernel.apply(command));
            assert!(results.iter().all(|result| *result == results[0]), "{command:?}: {results:?}");
            if results[0].is_err() {
                return;
            }
            let events = kernels[0].events();
            for other in &kernels[1..] {
                assert_eq!(other.events(), events, "world {number}, step {step}: {command:?}");
            }
            for event in events {
                let word = match event {
                    Event::Mode { mode, .. } => mode.as_str(),
                    Event::LiquidationStarted { .. } => "started",
                    Event::LiquidationEnded { .. } => "ended",
                    Event::Deleveraged { .. } => "deleveraged",
                    _ => continue,
                };
                *seen.entry(word).or_default() += 1;
            }
            assert!(kernels[0].asset_totals().iter().all(|totals| totals.difference() == 0), "{command:?}");
            assert_eq!(kernels[0].audit(0, kernels[0].pools()), 0, "world {number}, step {step}: {command:?}");
        };
        let rich = i128::from(world.unit) * i128::from(world.start) * i128::from(world.lots) / 10;
        for account in 1..=ACCOUNTS {
            apply(&Command::Deposit { account, asset: ASSET, amount: rich as i64 + 1 }, 0);
        }
        for step in 0..1_500 {
            let command = if dice.below(12) == 0 {
                let scope = match dice.below(3) {
                    0 => Scope::All,
                    1 => Scope::Instrument(InstrumentId(dice.below(2) as u32)),
                    _ => Scope::Account(1 + dice.below(ACCOUNTS)),
                };
                Command::Mode { scope, mode: Mode::ALL[dice.below(6) as usize] }
            } else {
                command(&mut dice, world, &mut marks)
            };
            apply(&command, step);
        }
        for account in 1..=ACCOUNTS {
            apply(&Command::Mode { scope: Scope::Account(account), mode: Mode::Normal }, 1_500);
        }
        for scope in [Scope::Instrument(InstrumentId(0)), Scope::Instrument(InstrumentId(1)), Scope::All] {
            apply(&Command::Mode { scope, mode: Mode::Normal }, 1_500);
        }
        let locked = |account: u64| kernels[0].account(account).unwrap().pools.iter().any(|pool| pool.locked);
        assert_eq!(kernels[0].accounts().into_iter().filter(|&account| locked(account)).count(), 0, "world {number}");
    }
    println!("{seen:?}");
    let words = ["halted", "liquidation_paused", "adl_paused", "normal", "deleveraged"];
    assert!(words.iter().all(|word| seen.contains_key(word)), "{seen:?}");
    assert_eq!(seen["started"], seen["ended"]);
}

/// The group of an account, by its number: two groups, and some who have none.
fn group_of(account: u64) -> Option<u64> {
    [None, Some(77), Some(account % 2 * 1_000_000_007), None][(account % 4) as usize]
}

/// What an account and its group have in an instrument, as the views show it: signed lots, and lots of the orders of a side
/// that do not only reduce.
fn reach(kernel: &Kernel, account: u64, instrument: InstrumentId, side: Side) -> [i64; 2] {
    let group = group_of(account);
    let members =
        (1..=ACCOUNTS).filter(|&other| if group.is_some() { group_of(other) == group } else { other == account });
    let mut reach = [0, 0];
    for view in members.map(|account| kernel.account(account).unwrap()) {
        let of = |other: InstrumentId| other == instrument;
        reach[0] += view.positions.iter().filter(|at| of(at.instrument)).map(|at| at.position.quantity).sum::<i64>();
        let orders = view.orders.iter().filter(|at| of(at.instrument) && at.side == side && !at.reduce_only);
        reach[1] += orders.map(|at| at.rest).sum::<i64>();
    }
    reach
}

/// The same kernel with 1, 2, 3 and 8 shards, and on three threads.
struct Everywhere {
    kernels: [Kernel; 4],
    engine: Engine,
}

impl Everywhere {
    fn new(world: &World, limit: i64) -> Self {
        let limited = |shards| {
            let mut kernel = kernel(world, shards, Strategy::Bands);
            for instrument in [InstrumentId(0), InstrumentId(1)] {
                let mut spec = kernel.market().instrument(instrument).spec.clone();
                spec.controls.limits.position = Some(limit);
                kernel.declare_and_decide(None, &Declaration::Rules { instrument, spec: Box::new(spec) }).unwrap();
            }
            kernel.apply(&Command::Time { ts_ns: 0 }).unwrap(); // what was told until now is no matter of threads
            kernel
        };
        let layout = Layout { workers: Some(3), apart: Some(false), wait: Some(Wait::Yield), pinning: Pinning::Off };
        let engine = Engine::start(limited(3), &EngineSettings { layout, ring: 64, ..EngineSettings::default() });
        Self { kernels: [1, 2, 3, 8].map(limited), engine: engine.unwrap() }
    }

    /// What all of them say to a command; they tell the same.
    fn apply(&mut self, command: &Command) -> Result<(), Refusal> {
        let results = self.kernels.each_mut().map(|kernel| kernel.apply(command));
        assert!(results.iter().all(|result| *result == results[0]), "{command:?}: {results:?}");
        assert_eq!(Driver::command(&mut self.engine, None, command, OffGrid::NONE), results[0], "{command:?}");
        if results[0].is_ok() {
            let events = self.kernels[0].events();
            assert!(self.kernels.iter().all(|kernel| kernel.events() == events), "{command:?}");
            assert_eq!(Driver::events(&self.engine), events, "{command:?}");
        }
        results[0]
    }
}

/// A group is as one account for the limit of a position, wherever its members would live by themselves.
#[test]
fn a_group_has_one_limit_on_any_number_of_shards() {
    const LIMIT: i64 = 60;
    let (mut refused, mut taken, mut alone) = (0, 0, 0);
    let world = &WORLDS[3];
    let mut everywhere = Everywhere::new(world, LIMIT);
    let mut dice = Dice(0x1234_5678_9ABC_DEF1);
    let mut marks = [world.start; 2];
    let rich = 20 * i128::from(world.unit) * i128::from(world.start) * i128::from(world.lots);
    for account in 1..=ACCOUNTS {
        let group = group_of(account);
        everywhere.apply(&Command::Account { account, positions: PositionMode::OneWay, group }).unwrap();
        everywhere.apply(&Command::Deposit { account, asset: ASSET, amount: rich as i64 }).unwrap();
    }
    for step in 0..4_000u64 {
        if dice.below(5) < 2 {
            let _ = everywhere.apply(&command(&mut dice, world, &mut marks)); // refused alike
            continue;
        }
        let (account, instrument) = (1 + dice.below(ACCOUNTS), InstrumentId(dice.below(2) as u32));
        if dice.below(3) == 0 {
            let order = everywhere.kernels[0].account(account).unwrap().orders.first().map_or(0, |order| order.order);
            let _ = everywhere.apply(&Command::Cancel { account, order });
            continue;
        }
        let side = if dice.below(2) == 0 { Side::Buy } else { Side::Sell };
        let (quantity, price) = (dice.range(1, 30), marks[instrument.index()]);
        let [held, ordered] = reach(&everywhere.kernels[0], account, instrument, side);
        let (before, after) = ((held + side.signed(ordered)).abs(), (held + side.signed(ordered + quantity)).abs());
        let (reduce_only, position_side) = (false, None);
        let order = Order { account, order: step, instrument, side, quantity, price, reduce_only, position_side };
        let result = everywhere.apply(&Command::Order(order));
        let beyond = after > LIMIT && after > before;
        match (result, group_of(account)) {
            (Err(Refusal::Limit(limited)), Some(group)) => {
                assert_eq!((limited, beyond), (Limited::Group { group, limit: LIMIT }, true));
                refused += 1;
            }
            (Err(Refusal::Limit(limited)), None) => {
                assert_eq!((limited, beyond), (Limited::Position(LIMIT), true));
                alone += 1;
            }
            (Ok(()), group) => {
                assert!(!beyond, "{order:?}: {held}, {ordered}");
                taken += i32::from(group.is_some());
            }
            _ => {} // for another reason
        }
    }
    println!("{refused} refused, {taken} taken; {alone} without a group refused");
    assert!(refused > 100 && taken > 100 && alone > 0);
}
