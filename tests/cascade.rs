//! The cascade: liquidations that move the price that leads to further liquidations.
//!
//! The venue has a book whose makers come back, step by step, around where the price was left and what the contract is
//! worth; the mark follows the last trade. Liquidated all at once the longs push the price through the book far below what the
//! contract is worth, and the fund bears what they lack. Reduced tier by tier, and only so much at a time, they do not.

use terrace::command::{Command, Fill, Side};
use terrace::contract::Unit;
use terrace::decimal::Grid;
use terrace::event::Event;
use terrace::market::{AssetId, FundId, InstrumentId, InstrumentSpec, Pacing, ReducePolicy};
use terrace::tiers::{TierRow, TierRule, TierTable};
use terrace::venue::{BookUpdate, Level, VenueMode};
use terrace::{Kernel, Settings};

const ID: InstrumentId = InstrumentId(0);
const START: i64 = 10_000;
/// What the contract is worth after the shock.
const WORTH: i64 = 9_800;
/// Lots on each level of the book when the makers are back.
const DEPTH: i64 = 30;
const LEVELS: i64 = 2_000;
const STEPS: u32 = 400;
const FUND: i64 = 2_000_000;

/// What a run came to.
#[derive(Debug)]
struct Course {
    deepest: i64,
    /// What the fund lacks, at the end, of what it had.
    loss: i128,
    liquidated: u32,
    locked: usize,
}

fn instrument(reduce: ReducePolicy) -> InstrumentSpec {
    let row = |cap, mmr_ppb, max_leverage| TierRow { cap, mmr_ppb, max_leverage, deduction: None };
    let rows =
        [row(1_000_000, 5_000_000, 10_000), row(4_000_000, 15_000_000, 5_000), row(100_000_000, 40_000_000, 2_000)];
    let tiers = TierTable::new(TierRule::Marginal, &rows).unwrap();
    let grids = (Grid::decimals(0), Grid::decimals(0));
    InstrumentSpec {
        liquidation_fee_ppb: 2_000_000,
        reduce,
        ..InstrumentSpec::new("P", AssetId(0), FundId(0), grids, Unit::Linear(1), tiers)
    }
}

/// The makers are back around `mid`.
fn fill_book(kernel: &mut Kernel, mid: i64) {
    let side = |sign: i64| -> Vec<Level> {
        let levels = (1..LEVELS).map(|n| Level { price: mid + sign * n, quantity: DEPTH });
        levels.filter(|level| level.price > 0).collect()
    };
    let (bids, asks) = (side(-1), side(1));
    kernel
        .update_book(None, ID, &BookUpdate { bids: Some(&bids), asks: Some(&asks), ..BookUpdate::default() })
        .unwrap();
}

fn run(reduce: ReducePolicy) -> Course {
    let mut kernel = Kernel::new(Settings::default());
    let asset = kernel.declare_asset(None, "USDT", 0).unwrap();
    kernel.declare_instrument(None, instrument(reduce)).unwrap();
    kernel.set_venue(None, VenueMode::Book).unwrap();
    kernel.apply(&Command::FundDeposit { fund: FundId(0), amount: FUND }).unwrap();
    kernel.apply(&Command::Mark { instrument: ID, price: START }).unwrap();
    for account in 1..=200u64 {
        // Sizes from 20 to 415 lots, at 15 to 54 times their margin.
        let lots = 20 + (account as i64 * 37) % 396;
        let leverage = 15 + (account as i64 * 17) % 40;
        kernel.apply(&Command::Deposit { account, asset, amount: lots * START / leverage }).unwrap();
        let fill = Fill {
            account,
            side: Side::Buy,
            quantity: lots,
            price: START,
            counterparty: None,
            order: None,
            counter_order: None,
            instrument: ID,
            liquidity: None,
            position_side: None,
            counter_position_side: None,
        };
        kernel.apply(&Command::Fill(fill)).unwrap();
    }
    let mut course = Course { deepest: START, loss: 0, liquidated: 0, locked: 0 };
    let mut last = WORTH;
    for _ in 0..STEPS {
        // Half of the way back to what it is worth.
        fill_book(&mut kernel, last + (WORTH - last) / 2);
        observe(&kernel, &mut course, &mut last);
        let traded = last;
        kernel.apply(&Command::Mark { instrument: ID, price: traded }).unwrap();
        observe(&kernel, &mut course, &mut last);
        if last == traded {
            last += (WORTH - last) / 2; // nobody had to trade: the makers do
        }
    }
    let fund = kernel.fund(FundId(0)).unwrap();
    course.loss = i128::from(FUND) - fund.equity;
    course.locked = kernel.overview().health().locked;
    assert!(kernel.asset_totals().iter().all(|totals| totals.difference() == 0));
    course
}

/// The deepest price, and the last one.
fn observe(kernel: &Kernel, course: &mut Course, last: &mut i64) {
    for event in kernel.events() {
        match *event {
            Event::LiquidationStarted { .. } => course.liquidated += 1,
            Event::LiquidationFill { price, .. } => {
                course.deepest = course.deepest.min(price);
                *last = price;
            }
            _ => {}
        }
    }
}

#[test]
fn tiers_and_pacing_turn_the_cascade_into_a_stream() {
    let at_once = run(ReducePolicy { tier: false, all: true, ..ReducePolicy::default() });
    let paced = run(ReducePolicy { pacing: Some(Pacing::Lots(300)), ..ReducePolicy::default() });
    let by_depth = run(ReducePolicy { pacing: Some(Pacing::DepthShare(5_000_000)), ..ReducePolicy::default() });
    println!("all at once:                  {at_once:?}");
    println!("tiers, 300 lots at a time:    {paced:?}");
    println!("tiers, 0.5 % of the depth:    {by_depth:?}");
    for stream in [&paced, &by_depth] {
        assert_eq!(stream.locked, 0, "nobody waits for ever");
        assert!(stream.deepest > at_once.deepest, "{stream:?} against {at_once:?}");
        assert!(stream.loss < at_once.loss, "{stream:?} against {at_once:?}");
    }
    assert!(at_once.liquidated > 20 && at_once.loss > 0, "too calm to show anything: {at_once:?}");
}
