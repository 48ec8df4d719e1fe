//! Small domains, all of them: tiny tables, sizes, units and marks, pools a hair's breadth from breach.
//!
//! Every pair of marks is tried as one tick, from a pool that was certified at the first: favourable moves too, since
//! rounding can put a long in breach although its mark rises, and a `step` cap although it rises by one tick.

use terrace::command::{Command, Fill, PositionMode, PositionSide, Side};
use terrace::contract::Unit;
use terrace::decimal::Grid;
use terrace::market::{AssetId, FundId, Instrument, InstrumentId, InstrumentSpec};
use terrace::slope::{SizeStep, Slope};
use terrace::tiers::{TierRow, TierRule, TierTable};
use terrace::venue::VenueMode;
use terrace::{Kernel, Settings, Strategy};

const INSTRUMENT: InstrumentId = InstrumentId(0);
const RATES: [u64; 6] = [10_000_000, 100_000_000, 333_333_333, 500_000_000, 700_000_001, 950_000_000];
const SIZES: [i64; 4] = [1, 2, -1, -2];
/// Of accounts in hedge mode: lots of the long leg and of the short one.
const LEGS: [(i64, i64); 3] = [(1, 1), (2, 1), (1, 3)];
const MARKS: std::ops::RangeInclusive<i64> = 1..=16;
const EXCESS: std::ops::RangeInclusive<i64> = 1..=3;

/// Linear and inverse; of the inverse ones a lot is worth from less than a quantum to 26 of them.
const UNITS: [Unit; 5] = [
    Unit::Linear(1),
    Unit::Linear(2),
    Unit::Inverse { numerator: 3, denominator: 1 },
    Unit::Inverse { numerator: 40, denominator: 3 },
    Unit::Inverse { numerator: 26, denominator: 1 },
];

/// In parts per billion: none, and one that is part of the maintenance margin.
const FEES: [i64; 2] = [0, 37_000_001];

fn instrument(tiers: &TierTable, unit: Unit, fee: i64) -> Instrument {
    let grid = Grid::decimals(0);
    Instrument::new(InstrumentSpec {
        taker_fee_ppb: fee,
        close_fee_in_mm: true,
        ..InstrumentSpec::new("C", AssetId(0), FundId(0), (grid, grid), unit, tiers.clone())
    })
}

/// A kernel at `mark` with one account for each size and excess, whose only position was opened at the mark; and one in
/// hedge mode for each pair of legs and excess.
fn kernel(instrument: &Instrument, mark: i64, strategy: Strategy) -> Kernel {
    let mut kernel = Kernel::new(Settings { strategy, ..Settings::default() });
    let asset = kernel.declare_asset(None, "USDT", 0).unwrap();
    kernel.declare_instrument(None, instrument.spec.clone()).unwrap();
    kernel.set_venue(None, VenueMode::None).unwrap();
    kernel.apply(&Command::Mark { instrument: INSTRUMENT, price: mark }).unwrap();
    // Opened at the mark, an inverse position may stand a quantum below its cost.
    let required = |size: i64| {
        let value = instrument.valuation(size, mark);
        let lost = instrument.cost(size, mark) - value.value;
        (instrument.maintenance_margin(size, value.notional) + lost) as i64
    };
    let fill = |account: u64, size: i64, leg: Option<PositionSide>| {
        Command::Fill(Fill {
            account,
            counterparty: None,
            order: None,
            counter_order: None,
            instrument: INSTRUMENT,
            side: if size > 0 { Side::Buy } else { Side::Sell },
            quantity: size.abs(),
            price: mark,
            liquidity: None,
            position_side: leg,
            counter_position_side: None,
        })
    };
    let mut account = 0;
    for (size, excess) in SIZES.into_iter().flat_map(|size| EXCESS.map(move |excess| (size, excess))) {
        account += 1;
        kernel.apply(&Command::Deposit { account, asset, amount: required(size) + excess }).unwrap();
        kernel.apply(&fill(account, size, None)).unwrap();
    }
    for ((long, short), excess) in LEGS.into_iter().flat_map(|legs| EXCESS.map(move |excess| (legs, excess))) {
        account += 1;
        kernel.apply(&Command::Account { account, positions: PositionMode::Hedge, group: None }).unwrap();
        let amount = required(long) + required(-short) + excess;
        kernel.apply(&Command::Deposit { account, asset, amount }).unwrap();
        kernel.apply(&fill(account, long, Some(PositionSide::Long))).unwrap();
        kernel.apply(&fill(account, -short, Some(PositionSide::Short))).unwrap();
    }
    kernel
}

#[test]
fn no_tick_between_any_two_marks_is_late_by_bands() {
    no_tick_is_late(Strategy::Bands);
}

#[test]
fn no_tick_between_any_two_marks_is_late_by_sweep() {
    no_tick_is_late(Strategy::Sweep);
}

fn no_tick_is_late(strategy: Strategy) {
    let (mut ticks, mut favourable, mut hedged) = (0u64, 0u64, 0u64);
    for (unit, fee) in UNITS.into_iter().flat_map(|unit| FEES.map(|fee| (unit, fee))) {
        let mut here = 0;
        for table in tables() {
            if table.rows().any(|row| row.mmr_ppb + fee as u64 >= 1_000_000_000) {
                continue;
            }
            let (all, lucky, legs) = try_all(&instrument(&table, unit, fee), strategy);
            ticks += all;
            hedged += legs;
            here += lucky;
        }
        println!("{unit:?}, fee {fee}: {here} breaches by favourable moves");
        favourable += here;
    }
    println!("{ticks} ticks from pools near breach, {favourable} breaches by favourable moves, none late");
    println!("{hedged} breaches of pools with both legs");
    assert!(hedged > 1_000, "only {hedged} breaches of pools with both legs");
    assert!(favourable > 100, "only {favourable} favourable moves that put a pool in breach: the domain is too tame");
}

fn tables() -> Vec<TierTable> {
    let row = |cap, mmr_ppb| TierRow { cap, mmr_ppb, max_leverage: 100, deduction: None };
    let mut tables = Vec::new();
    for (index, &first) in RATES.iter().enumerate() {
        for &second in &RATES[index..] {
            for cap in [3i128, 7] {
                for rule in [TierRule::Marginal, TierRule::Step] {
                    tables.push(TierTable::new(rule, &[row(cap, first), row(cap * 3, second)]).unwrap());
                }
            }
        }
        // Rates that rise with the size, also to the whole of the notional and beyond.
        for slope_ppb in [0, 5_000_000, 130_000_000] {
            let step = SizeStep { numerator: 1, denominator: 1 };
            let slope = Slope { base_ppb: first, slope_ppb, im_base_ppb: first + 1, step };
            tables.push(TierTable::linear(slope).unwrap());
        }
    }
    tables
}

/// Every tick from every mark; returns how many, how many pools were in breach after a move in their favour, and how
/// many with both legs.
fn try_all(instrument: &Instrument, strategy: Strategy) -> (u64, u64, u64) {
    let (mut ticks, mut favourable, mut hedged) = (0, 0, 0);
    for from in MARKS {
        for to in MARKS {
            let mut kernel = kernel(instrument, from, strategy);
            kernel.apply(&Command::Mark { instrument: INSTRUMENT, price: to }).unwrap();
            assert_eq!(kernel.audit(0, kernel.pools()), 0, "missed: {:?}, from {from} to {to}", instrument.spec);
            ticks += 1;
            favourable += lucky_breaches(&kernel, to - from);
            hedged += breaches(&kernel).filter(|&account| account > one_way_accounts()).count() as u64;
        }
    }
    (ticks, favourable, hedged)
}

/// Pools that a move in their favour put in breach, by the liquidations that were announced.
fn lucky_breaches(kernel: &Kernel, move_by: i64) -> u64 {
    let lucky = |&account: &u64| SIZES[(account as usize - 1) / EXCESS.count()].signum() == move_by.signum();
    breaches(kernel).filter(|&account| account <= one_way_accounts()).filter(lucky).count() as u64
}

fn one_way_accounts() -> u64 {
    (SIZES.len() * EXCESS.count()) as u64
}

/// The accounts whose liquidation was announced.
fn breaches(kernel: &Kernel) -> impl Iterator<Item = u64> {
    kernel.events().iter().filter_map(|event| match event {
        terrace::Event::LiquidationStarted { account, .. } => Some(*account),
        _ => None,
    })
}
