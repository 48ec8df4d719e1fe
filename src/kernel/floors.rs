//! Tests of the floor of what is available, through the kernel's own parts: it is never above the exact amount, whatever
//! marks, fills, orders and payments do; and it decides most orders.

use super::{Kernel, Settings};
use crate::command::{Command, Fill, Liquidity, MarginMode, Order, PositionMode, PositionSide, Side};
use crate::contract::Unit;
use crate::decimal::Grid;
use crate::kernel::Declaration;
use crate::market::{AssetId, FundId, InstrumentId, InstrumentSpec};
use crate::slope::{SizeStep, Slope};
use crate::tiers::{TierRow, TierRule, TierTable};
use proptest::prelude::*;

const INSTRUMENTS: u32 = 6;
const ACCOUNTS: u64 = 6;

/// From here on accounts are in hedge mode.
const HEDGE: u64 = 5;

/// All tier rules, linear and inverse, profits that count, and margin that rises with open interest; tiny caps, so that sizes reach beyond them.
fn specs() -> Vec<InstrumentSpec> {
    let row = |cap, mmr_ppb, max_leverage| TierRow { cap, mmr_ppb, max_leverage, deduction: None };
    let rows = [row(4_000, 10_000_000, 5_000), row(9_000, 50_000_000, 1_000), row(1 << 40, 100_000_000, 300)];
    let table = |rule| TierTable::new(rule, &rows).unwrap();
    let slope =
        |step| TierTable::linear(Slope { base_ppb: 10_000_000, slope_ppb: 900_000, im_base_ppb: 20_000_000, step });
    let linear = slope(SizeStep { numerator: 1, denominator: 1 }).unwrap();
    let by_notional = slope(SizeStep { numerator: 1, denominator: 100 }).unwrap();
    let inverse = Unit::Inverse { numerator: 300_000, denominator: 1 };
    let kinds = [
        (Unit::Linear(1), table(TierRule::Marginal)),
        (Unit::Linear(2), table(TierRule::Step)),
        (Unit::Linear(1), linear),
        (inverse, table(TierRule::Marginal)),
        (inverse, by_notional),
        (Unit::Linear(1), table(TierRule::Marginal)),
    ];
    let grid = Grid::decimals(0);
    let spec = |(at, (unit, tiers)): (usize, (Unit, TierTable))| {
        let mut spec = InstrumentSpec::new(&format!("C{at}"), AssetId(0), FundId(0), (grid, grid), unit, tiers);
        (spec.maker_fee_ppb, spec.taker_fee_ppb) = (-1_000_000, 3_000_000);
        spec.controls.count_profits = at == 1;
        spec.controls.limits.oi_im = (at == 5).then_some(crate::controls::OiMargin { lower: 10, upper: 1_000 });
        spec
    };
    kinds.into_iter().enumerate().map(spec).collect()
}

fn kernel() -> Kernel {
    let mut kernel = Kernel::new(Settings { shards: 2, ..Settings::default() });
    kernel.declare_asset(None, "USD", 0).unwrap();
    for spec in specs() {
        kernel.declare_instrument(None, spec).unwrap();
    }
    kernel.apply(&Command::FundDeposit { fund: FundId(0), amount: 1_000_000 }).unwrap();
    for id in 0..INSTRUMENTS - 1 {
        kernel.apply(&Command::Mark { instrument: InstrumentId(id), price: 1_000 }).unwrap();
    }
    for account in HEDGE..=ACCOUNTS {
        kernel.apply(&Command::Account { account, positions: PositionMode::Hedge, group: None }).unwrap();
    }
    for account in 1..=ACCOUNTS {
        kernel.apply(&Command::Deposit { account, asset: AssetId(0), amount: 12_000 }).unwrap();
    }
    kernel
}

/// What numbers make of a command, and how many orders it may be.
fn commands(kind: u8, account: u64, id: u32, number: u64, up: bool) -> Vec<Command> {
    let instrument = InstrumentId(id);
    let position_side = |number: u64| {
        let side = if number.is_multiple_of(2) { PositionSide::Long } else { PositionSide::Short };
        (account >= HEDGE).then_some(side)
    };
    let side = if up { Side::Buy } else { Side::Sell };
    let near = 985 + (number % 31) as i64;
    match kind {
        // Bursts of orders, some of which are cancelled.
        0..4 => (0..12)
            .flat_map(|n| {
                let order = Order {
                    account,
                    order: number / 7 % 50 + n,
                    instrument: InstrumentId((id + n as u32 / 6) % INSTRUMENTS),
                    side: if (number + n).is_multiple_of(3) { side.opposite() } else { side },
                    quantity: 1 + (number / 3 + n) as i64 % 3,
                    price: near,
                    reduce_only: n == 11,
                    position_side: position_side(number + n),
                };
                let cancel = Command::Cancel { account, order: number / 7 % 50 + n / 2 };
                [Command::Order(order)].into_iter().chain((n % 3 == 2).then_some(cancel))
            })
            .collect(),
        4 | 5 => vec![Command::Fill(Fill {
            account,
            counterparty: None,
            order: number.is_multiple_of(2).then_some(number / 7 % 50),
            counter_order: None,
            instrument,
            side,
            quantity: 1 + (number % 6) as i64,
            price: near,
            liquidity: Some(if number.is_multiple_of(3) { Liquidity::Maker } else { Liquidity::Taker }),
            position_side: position_side(number),
            counter_position_side: None,
        })],
        6 => vec![Command::Mark { instrument, price: near }],
        7 => vec![Command::Mark { instrument, price: 700 + (number % 600) as i64 }],
        8 if up => vec![Command::Deposit { account, asset: AssetId(0), amount: 1 + (number % 900) as i64 }],
        8 => vec![Command::Withdraw { account, asset: AssetId(0), amount: 1 + (number % 900) as i64 }],
        9 => vec![Command::Leverage { account, instrument, leverage: 100 + (number % 2_000) as u32 }],
        10 => {
            let mode = if up { MarginMode::Cross } else { MarginMode::Isolated };
            let amount = (number % 300) as i64 - 100;
            vec![
                Command::MarginMode { account, instrument, mode },
                Command::IsolatedMargin { account, instrument, amount, position_side: position_side(number) },
            ]
        }
        11 => vec![Command::Funding { instrument, rate_ppb: (number % 4_000_000) as i64 - 2_000_000 }],
        _ => vec![Command::Time { ts_ns: number % 1_000 }],
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_floor_is_above_what_is_available(
        steps in proptest::collection::vec((0u8..13, 1..=ACCOUNTS, 0..INSTRUMENTS, any::<u64>(), any::<bool>()), 1..120),
        rules in any::<proptest::sample::Index>(),
    ) {
        let mut kernel = kernel();
        let change_at = rules.index(steps.len() * 3);
        for (at, &(kind, account, id, number, up)) in steps.iter().enumerate() {
            for command in commands(kind, account, id, number, up) {
                let _ = kernel.apply(&command);
                for shard in &kernel.shards {
                    let (sound, _) = shard.sound_floors(&kernel.rounds.market);
                    prop_assert!(sound, "{command:?} at {at}");
                }
            }
            if at == change_at {
                let mut spec = specs().swap_remove(id as usize);
                spec.tiers = specs().swap_remove(0).tiers;
                if id != 2 && id != 4 {
                    let change = Declaration::Rules { instrument: InstrumentId(id), spec: Box::new(spec) };
                    let _ = kernel.declare_and_decide(None, &change);
                }
            }
        }
    }
}

/// An account with a position in each of many instruments: after the first order no other is decided by walking them, while
/// marks move in their ranges, fills use the orders up, and money comes and goes.
#[test]
fn bursts_of_orders_are_decided_by_the_floor() {
    let mut kernel = Kernel::new(Settings::default());
    kernel.declare_asset(None, "USD", 0).unwrap();
    for at in 0..40 {
        let mut spec = specs().swap_remove([0, 1, 3][at % 3]);
        spec.symbol = format!("C{at}");
        let instrument = kernel.declare_instrument(None, spec).unwrap();
        kernel.apply(&Command::Mark { instrument, price: 1_000 }).unwrap();
    }
    kernel.apply(&Command::Deposit { account: 1, asset: AssetId(0), amount: 1_000_000 }).unwrap();
    let mut orders = 0;
    for round in 0..200u64 {
        let instrument = InstrumentId((round % 40) as u32);
        for n in 0..4 {
            kernel.apply(&ordered(instrument.0, n)).unwrap();
            orders += 1;
        }
        for n in 0..3 {
            kernel.apply(&Command::Cancel { account: 1, order: n }).unwrap();
        }
        let Command::Fill(fill) = bought(instrument.0, 1) else { unreachable!("a fill") };
        kernel.apply(&Command::Fill(Fill { order: Some(3), ..fill })).unwrap();
        kernel.apply(&Command::Mark { instrument, price: 981 + (round % 39) as i64 }).unwrap();
        kernel.apply(&Command::Withdraw { account: 1, asset: AssetId(0), amount: 10 }).unwrap();
    }
    assert_eq!((orders, kernel.exact_orders()), (800, 0));
    let (sound, floors) = kernel.shards[0].sound_floors(&kernel.rounds.market);
    assert_eq!((sound, floors), (true, 1));
}

/// A kernel with two instruments, marked, and an account with a position in the first, whose sums an order in the second has made.
fn with_sums() -> Kernel {
    let mut kernel = Kernel::new(Settings::default());
    kernel.declare_asset(None, "USD", 0).unwrap();
    for symbol in ["C0", "C1"] {
        let mut spec = specs().swap_remove(0);
        spec.symbol = symbol.to_owned();
        let instrument = kernel.declare_instrument(None, spec).unwrap();
        kernel.apply(&Command::Mark { instrument, price: 1_000 }).unwrap();
    }
    for command in [Command::Deposit { account: 1, asset: AssetId(0), amount: 100_000 }, bought(0, 5), ordered(1, 1)] {
        kernel.apply(&command).unwrap();
    }
    assert_eq!(kernel.shards[0].sound_floors(&kernel.rounds.market), (true, 1));
    kernel
}

fn bought(id: u32, quantity: i64) -> Command {
    Command::Fill(Fill {
        account: 1,
        counterparty: None,
        order: None,
        counter_order: None,
        instrument: InstrumentId(id),
        side: Side::Buy,
        quantity,
        price: 1_000,
        liquidity: Some(Liquidity::Taker),
        position_side: None,
        counter_position_side: None,
    })
}

fn ordered(id: u32, order: u64) -> Command {
    Command::Order(Order {
        account: 1,
        order,
        instrument: InstrumentId(id),
        side: Side::Buy,
        quantity: 1,
        price: 1_000,
        reduce_only: false,
        position_side: None,
    })
}

/// Sums that were made before two ranges of one instrument are followed from the first of them to the last, once.
#[test]
fn ranges_that_are_left_again_and_again_are_followed_once() {
    let mut kernel = with_sums();
    for price in [1_100, 1_250, 900] {
        kernel.apply(&Command::Mark { instrument: InstrumentId(0), price }).unwrap();
    }
    kernel.apply(&ordered(1, 2)).unwrap(); // in builds that assert, sums that follow are held to sums made anew
    let floor = kernel.shards[0].sound_floors(&kernel.rounds.market);
    assert_eq!((floor, kernel.exact_orders()), ((true, 1), 0));
}

/// Orders are checked by other rules from their place in the sequence on, before the turn of the account comes.
#[test]
fn sums_end_with_the_rules_that_they_were_made_by() {
    let mut kernel = with_sums();
    let mut spec = specs().swap_remove(0);
    spec.symbol = "C0".to_owned();
    let row = TierRow { cap: 1 << 40, mmr_ppb: 600_000_000, max_leverage: 100, deduction: None };
    spec.tiers = TierTable::new(TierRule::Marginal, &[row]).unwrap();
    let rules = Declaration::Rules { instrument: InstrumentId(0), spec: Box::new(spec) };
    kernel.input_declaration(None, &rules).unwrap();
    assert_eq!(kernel.shards[0].sound_floors(&kernel.rounds.market), (true, 0));
}

/// A position opened before the first mark of its instrument is valued at its cost; by the time it has a mark its part of the sums is not
/// what any range made of it.
#[test]
fn a_first_mark_leaves_no_range() {
    let mut kernel = Kernel::new(Settings::default());
    kernel.declare_asset(None, "USD", 0).unwrap();
    let [unmarked, marked] = ["C0", "C1"].map(|symbol| {
        let mut spec = specs().swap_remove(0);
        spec.symbol = symbol.to_owned();
        kernel.declare_instrument(None, spec).unwrap()
    });
    for command in [
        Command::Mark { instrument: marked, price: 1_000 },
        Command::Deposit { account: 1, asset: AssetId(0), amount: 1_000_000 },
        bought(unmarked.0, 1),
        ordered(marked.0, 1),
        Command::Mark { instrument: unmarked, price: 500 },
        ordered(marked.0, 2),
    ] {
        kernel.apply(&command).unwrap();
        assert!(kernel.shards[0].sound_floors(&kernel.rounds.market).0, "{command:?}");
    }
    assert_eq!(kernel.shards[0].sound_floors(&kernel.rounds.market), (true, 1));
}
