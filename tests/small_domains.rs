//! Small domains, all of them: tiny tables, sizes, units and marks, pools a hair's breadth from breach.
//!
//! Every pair of marks is tried as one tick, from a pool that was certified at the first: favourable moves too, since
//! rounding can put a long in breach although its mark rises, and a `step` cap although it rises by one tick.

use terrace::command::{Command, Fill, Side};
use terrace::contract::Unit;
use terrace::decimal::Grid;
use terrace::market::{AdlPolicy, AssetId, FundId, FundingRules, InstrumentId, InstrumentSpec, ReducePolicy};
use terrace::tiers::{TierRow, TierRule, TierTable};
use terrace::venue::VenueMode;
use terrace::{Kernel, Settings};

const INSTRUMENT: InstrumentId = InstrumentId(0);
const RATES: [u64; 6] = [10_000_000, 100_000_000, 333_333_333, 500_000_000, 700_000_001, 950_000_000];
const SIZES: [i64; 4] = [1, 2, -1, -2];
const MARKS: std::ops::RangeInclusive<i64> = 1..=16;
const EXCESS: std::ops::RangeInclusive<i64> = 1..=3;

fn spec(table: &TierTable, unit: i64) -> InstrumentSpec {
    InstrumentSpec {
        symbol: "C".to_owned(),
        underlying: "C".to_owned(),
        prices: Default::default(),
        settle: AssetId(0),
        tick: Grid::decimals(0),
        lot: Grid::decimals(0),
        unit: Unit::Linear(unit),
        tiers: table.clone(),
        maker_fee_ppb: 0,
        taker_fee_ppb: 0,
        liquidation_fee_ppb: 0,
        close_fee_in_mm: false,
        reduce: ReducePolicy::default(),
        adl: AdlPolicy::default(),
        fund: FundId(0),
        funding: FundingRules::default(),
        controls: terrace::controls::Controls::default(),
    }
}

/// A kernel at `mark` with one account for each size and excess, whose only position was opened at the mark.
fn kernel(table: &TierTable, unit: i64, mark: i64) -> Kernel {
    let mut kernel = Kernel::new(Settings::default());
    let asset = kernel.declare_asset(None, "USDT", 0).unwrap();
    kernel.declare_instrument(None, spec(table, unit)).unwrap();
    kernel.set_venue(None, VenueMode::None).unwrap();
    kernel.apply(&Command::Mark { instrument: INSTRUMENT, price: mark }).unwrap();
    let mut account = 0;
    for size in SIZES {
        for excess in EXCESS {
            account += 1;
            let notional = i128::from(size.abs() * mark * unit);
            let amount = table.maintenance_margin(notional) as i64 + excess;
            kernel.apply(&Command::Deposit { account, asset, amount }).unwrap();
            let fill = Fill {
                account,
                counterparty: None,
                order: None,
                counter_order: None,
                instrument: INSTRUMENT,
                side: if size > 0 { Side::Buy } else { Side::Sell },
                quantity: size.abs(),
                price: mark,
                liquidity: None,
                position_side: None,
                counter_position_side: None,
            };
            kernel.apply(&Command::Fill(fill)).unwrap();
        }
    }
    kernel
}

#[test]
fn no_tick_between_any_two_marks_is_late() {
    let (mut ticks, mut favourable) = (0u64, 0u64);
    for rule in [TierRule::Marginal, TierRule::Step] {
        for (index, &first) in RATES.iter().enumerate() {
            for &second in &RATES[index..] {
                for cap in [3i128, 7] {
                    for unit in [1, 2] {
                        let row = |cap, mmr_ppb| TierRow { cap, mmr_ppb, max_leverage: 100, deduction: None };
                        let table = TierTable::new(rule, &[row(cap, first), row(cap * 3, second)]).unwrap();
                        let (all, lucky) = try_all(&table, unit);
                        ticks += all;
                        favourable += lucky;
                    }
                }
            }
        }
    }
    println!("{ticks} ticks from pools near breach, {favourable} breaches by favourable moves, none late");
    assert!(favourable > 100, "only {favourable} favourable moves that put a pool in breach: the domain is too tame");
}

/// Every tick from every mark; returns how many, and how many pools were in breach after a move in their favour.
fn try_all(table: &TierTable, unit: i64) -> (u64, u64) {
    let (mut ticks, mut favourable) = (0, 0);
    for from in MARKS {
        for to in MARKS {
            let mut kernel = kernel(table, unit, from);
            kernel.apply(&Command::Mark { instrument: INSTRUMENT, price: to }).unwrap();
            assert_eq!(kernel.audit(0, kernel.pools()), 0, "missed: {table:?}, unit {unit}, from {from} to {to}");
            ticks += 1;
            favourable += lucky_breaches(&kernel, to - from);
        }
    }
    (ticks, favourable)
}

/// Pools that a move in their favour put in breach, by the liquidations that were announced.
fn lucky_breaches(kernel: &Kernel, move_by: i64) -> u64 {
    let announced = |event: &&terrace::Event| match event {
        terrace::Event::LiquidationStarted { account, .. } => {
            let size = SIZES[(*account as usize - 1) / EXCESS.count()];
            size.signum() == move_by.signum()
        }
        _ => false,
    };
    kernel.events().iter().filter(announced).count() as u64
}
