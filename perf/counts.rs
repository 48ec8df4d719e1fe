//! What does an operation cost in instructions? A figure that depends on the code alone, not on the machine's mood.
//!
//! `counts CASE` prepares a kernel, carries the operations of the case out inside [`measured`], and prints how many there
//! were, with how many exact evaluations of a pool and updates of edges. `scripts/counts` runs each case under callgrind, which counts only
//! what happens below that function, divides, and compares with `perf/counts.tsv`. `counts` alone lists the cases.

use std::hint::black_box;
use terrace::command::{Fill, MarginMode, Order, Side};
use terrace::contract::Unit;
use terrace::decimal::Grid;
use terrace::market::{AssetId, FundId, InstrumentId, InstrumentSpec};
use terrace::tiers::{TierRow, TierRule, TierTable};
use terrace::venue::VenueMode;
use terrace::{Capacity, Command, Event, Kernel, Settings};

const START: i64 = 1_000_000;
/// Quanta that one lot is worth at one tick.
const UNIT: i64 = 100;
const LOTS: i64 = 10;
const ASSET: AssetId = AssetId(0);
const HEAD: InstrumentId = InstrumentId(0);
const INSTRUMENTS: u32 = 128;

/// Accounts that only stand around: with one position in the head instrument, far from breach.
const CROWD: u64 = 2_000;

/// The one that the fills and orders are of.
const TRADER: u64 = 1_000_000;
/// Who is on the other side of what is opened: with more money than any mark can take.
const MAKER: u64 = 1_000_001;

type Case = fn() -> Done;

const CASES: [(&str, Case); 11] = [
    ("tick without crossing", calm),
    ("tick with one crossing", crossing),
    ("tick with one liquidation", liquidation),
    ("order check, 1 position", || orders(1)),
    ("order check, 10 positions", || orders(10)),
    ("order check, 100 positions", || orders(100)),
    ("fill, 1 position", || fills(1)),
    ("fill, 10 positions", || fills(10)),
    ("fill, 100 positions", || fills(100)),
    ("fill of two accounts", two_sided),
    ("ADL of 1000 counterparties", deleveraging),
];

/// What was done inside [`measured`].
#[derive(Default)]
struct Done {
    operations: u64,
    evaluations: u64,
    edge_updates: u64,
}

impl Done {
    fn carry_out(&mut self, kernel: &mut Kernel, command: &Command) {
        let before = kernel.work();
        measured(kernel, command);
        let after = kernel.work();
        self.operations += 1;
        self.evaluations += after.evaluations - before.evaluations;
        self.edge_updates += after.edge_updates - before.edge_updates;
    }
}

/// The one function whose instructions count.
#[inline(never)]
fn measured(kernel: &mut Kernel, command: &Command) {
    apply(kernel, black_box(command));
}

fn apply(kernel: &mut Kernel, command: &Command) {
    kernel.apply(command).unwrap_or_else(|refusal| panic!("{command:?}: {refusal}"));
}

fn kernel() -> Kernel {
    let accounts = CROWD as usize * 2;
    let capacity = Capacity { accounts, positions: accounts * 4, orders: accounts };
    let mut kernel = Kernel::new(Settings { capacity, ..Settings::default() });
    kernel.declare_asset(None, "USDT", 8).expect("a new name");
    for index in 0..INSTRUMENTS {
        let row = |cap: i128, mmr_ppb, max_leverage| TierRow { cap, mmr_ppb, max_leverage, deduction: None };
        let rows = [row(1 << 42, 4_000_000, 12_500), row(1 << 45, 5_000_000, 10_000), row(1 << 60, 10_000_000, 5_000)];
        let spec = InstrumentSpec::new(
            &format!("C{index}"),
            ASSET,
            FundId(0),
            (Grid::decimals(1), Grid::decimals(3)),
            Unit::Linear(UNIT),
            TierTable::new(TierRule::Marginal, &rows).expect("rows in order"),
        );
        kernel.declare_instrument(None, spec).expect("a new symbol");
        apply(&mut kernel, &Command::Mark { instrument: InstrumentId(index), price: START });
    }
    kernel.set_venue(None, VenueMode::Mark).expect("no order is out");
    deposit(&mut kernel, MAKER, START * UNIT * LOTS * CROWD as i64);
    kernel
}

fn deposit(kernel: &mut Kernel, account: u64, amount: i64) {
    apply(kernel, &Command::Deposit { account, asset: ASSET, amount });
}

fn trade(account: u64, counterparty: Option<u64>, instrument: InstrumentId, quantity: i64, price: i64) -> Command {
    Command::Fill(Fill {
        account,
        counterparty,
        order: None,
        counter_order: None,
        instrument,
        side: if quantity > 0 { Side::Buy } else { Side::Sell },
        quantity: quantity.abs(),
        price,
        liquidity: None,
        position_side: None,
        counter_position_side: None,
    })
}

/// A kernel with the crowd in the head instrument, half long and half short.
fn crowded() -> Kernel {
    let mut kernel = kernel();
    for account in 1..=CROWD {
        deposit(&mut kernel, account, START * UNIT * LOTS);
        let quantity = if account % 2 == 0 { LOTS } else { -LOTS };
        apply(&mut kernel, &trade(account, Some(MAKER), HEAD, quantity, START));
    }
    kernel
}

fn mark(price: i64) -> Command {
    Command::Mark { instrument: HEAD, price }
}

fn calm() -> Done {
    let (mut kernel, mut done) = (crowded(), Done::default());
    for tick in 0..200 {
        done.carry_out(&mut kernel, &mark(START + tick % 2));
    }
    assert_eq!(done.evaluations, 0, "a calm tick crosses nothing");
    done
}

/// Cross accounts with two positions and ever more money: the head's mark crosses their edges one by one, and none is in
/// breach, since the other mark stands.
fn ladder_of_edges() -> Kernel {
    let mut kernel = crowded();
    for rung in 0..400 {
        let account = CROWD + 1 + rung;
        deposit(&mut kernel, account, START * UNIT * LOTS / 20 + rung as i64 * 40 * UNIT * LOTS);
        apply(&mut kernel, &trade(account, Some(MAKER), HEAD, LOTS, START));
        apply(&mut kernel, &trade(account, Some(MAKER), InstrumentId(1), LOTS, START));
    }
    kernel
}

fn crossing() -> Done {
    const STEPS: i64 = 1_500;
    let prices = || (1..STEPS).map(|step| START - START / 50 - step * 7);
    // Which of the ticks cross exactly one edge is found by one kernel and measured with another.
    let mut scout = ladder_of_edges();
    let mut single = Vec::new();
    for price in prices() {
        let before = scout.work().evaluations;
        apply(&mut scout, &mark(price));
        single.push(scout.work().evaluations - before == 1 && scout.events().is_empty());
    }
    let (mut kernel, mut done) = (ladder_of_edges(), Done::default());
    for (price, single) in prices().zip(single) {
        if single {
            done.carry_out(&mut kernel, &mark(price));
        } else {
            apply(&mut kernel, &mark(price));
        }
    }
    assert_eq!(done.operations, done.evaluations, "each of the measured ticks evaluates one pool");
    done
}

/// Isolated longs whose margins rise from rung to rung: each tick puts one in breach, which is closed at the mark.
fn liquidation() -> Done {
    const RUNG: i64 = 8;
    const LEVERAGE: i64 = 100;
    let (mut kernel, mut done) = (crowded(), Done::default());
    for rung in 0..200 {
        let account = CROWD + 1 + rung as u64;
        deposit(&mut kernel, account, START * UNIT * LOTS);
        apply(&mut kernel, &Command::MarginMode { account, instrument: HEAD, mode: MarginMode::Isolated });
        apply(&mut kernel, &Command::Leverage { account, instrument: HEAD, leverage: LEVERAGE as u32 * 100 });
        apply(&mut kernel, &trade(account, Some(MAKER), HEAD, LOTS, START));
        if rung > 0 {
            let amount = rung * RUNG * UNIT * LOTS * 996 / 1_000;
            apply(&mut kernel, &Command::IsolatedMargin { account, instrument: HEAD, amount, position_side: None });
        }
    }
    let first = START * (1_000 - 1_000 / LEVERAGE) / 996;
    for rung in 0..200 {
        done.carry_out(&mut kernel, &mark(first - rung * RUNG - RUNG / 2));
        let ended = |event: &&Event| matches!(event, Event::LiquidationEnded { .. });
        assert_eq!(kernel.events().iter().filter(ended).count(), 1, "each tick liquidates one pool");
    }
    done
}

/// The trader with so many positions, and money for more.
fn trader(positions: u32) -> Kernel {
    let mut kernel = crowded();
    deposit(&mut kernel, TRADER, START * UNIT * LOTS * i64::from(positions) * 10);
    for index in 0..positions {
        apply(&mut kernel, &trade(TRADER, Some(MAKER), InstrumentId(index), LOTS, START));
    }
    kernel
}

fn orders(positions: u32) -> Done {
    let (mut kernel, mut done) = (trader(positions), Done::default());
    for order in 1..=200 {
        let check = Command::Order(Order {
            account: TRADER,
            order,
            instrument: InstrumentId(order as u32 % positions),
            side: Side::Buy,
            quantity: 1,
            price: START - 10,
            reduce_only: false,
            position_side: None,
        });
        done.carry_out(&mut kernel, &check);
        apply(&mut kernel, &Command::Cancel { account: TRADER, order });
    }
    done
}

fn fills(positions: u32) -> Done {
    let (mut kernel, mut done) = (trader(positions), Done::default());
    for n in 0..200 {
        let quantity = if n / i64::from(positions) % 2 == 0 { 1 } else { -1 };
        let instrument = InstrumentId(n as u32 % positions);
        done.carry_out(&mut kernel, &trade(TRADER, None, instrument, quantity, START + n % 3));
    }
    done
}

fn two_sided() -> Done {
    let (mut kernel, mut done) = (crowded(), Done::default());
    for n in 0..200 {
        let account = 1 + (n as u64 * 7) % (CROWD - 2);
        done.carry_out(&mut kernel, &trade(account, Some(account + 2), HEAD, 1, START + n % 3));
    }
    done
}

/// One long is bankrupt at once, the fund is empty, and a thousand shorts are closed against it.
fn deleveraging() -> Done {
    const SHORTS: u64 = 1_000;
    const LONG: u64 = 2_000_000;
    let (mut kernel, mut done) = (kernel(), Done::default());
    deposit(&mut kernel, LONG, START * UNIT * SHORTS as i64 / 100);
    for account in 1..=SHORTS {
        deposit(&mut kernel, account, START * UNIT + account as i64);
        apply(&mut kernel, &trade(LONG, Some(account), HEAD, 1, START));
    }
    done.carry_out(&mut kernel, &mark(START * 9 / 10));
    let closed = |event: &&Event| matches!(event, Event::Deleveraged { .. });
    assert_eq!(kernel.events().iter().filter(closed).count() as u64, SHORTS, "all of them are needed");
    done
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [name] = arguments.as_slice() else {
        CASES.iter().for_each(|(name, _)| println!("{name}"));
        return;
    };
    let Some((_, case)) = CASES.iter().find(|(case, _)| case == name) else {
        eprintln!("counts: no case {name:?}; without a name it lists them");
        std::process::exit(2);
    };
    let Done { operations, evaluations, edge_updates } = case();
    println!("{operations}\t{evaluations}\t{edge_updates}");
}
