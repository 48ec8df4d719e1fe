//! Tests of edges that positions leave behind when they are closed, and which a mark takes out when it comes to them.

use super::{Kernel, Settings};
use crate::command::{Command, Fill, Side};
use crate::contract::Unit;
use crate::decimal::Grid;
use crate::event::Event;
use crate::market::{AssetId, FundId, InstrumentId, InstrumentSpec};
use crate::shard::Strategy;
use crate::tiers::{TierRow, TierRule, TierTable};
use crate::venue::VenueMode;

const P: InstrumentId = InstrumentId(0);
const USD: AssetId = AssetId(0);
/// Half of them are more than are taken out one by one.
const CLOSED: u64 = 200;
const LONG: u64 = CLOSED + 1;
const SHORT: u64 = CLOSED + 2;

fn fill(kernel: &mut Kernel, account: u64, side: Side) {
    let fill = Fill {
        account,
        counterparty: None,
        order: None,
        counter_order: None,
        instrument: P,
        side,
        quantity: 10,
        price: 1_000,
        liquidity: None,
        position_side: None,
        counter_position_side: None,
    };
    kernel.apply(&Command::Fill(fill)).unwrap();
}

/// Half of those who close were long and half short, with edges near the mark; two stay, with more behind them.
/// Tick, lot and quantum are 1.
fn kernel(strategy: Strategy) -> Kernel {
    let mut kernel = Kernel::new(Settings { strategy, ..Settings::default() });
    kernel.declare_asset(None, "USD", 0).unwrap();
    let row = TierRow { cap: 1_000_000, mmr_ppb: 10_000_000, max_leverage: 5_000, deduction: None };
    let (grid, tiers) = (Grid::decimals(0), TierTable::new(TierRule::Marginal, &[row]).unwrap());
    let spec = InstrumentSpec::new("P", USD, FundId(0), (grid, grid), Unit::Linear(1), tiers);
    kernel.declare_instrument(None, spec).unwrap();
    kernel.set_venue(None, VenueMode::None).unwrap();
    kernel.apply(&Command::Mark { instrument: P, price: 1_000 }).unwrap();
    for account in 1..=SHORT {
        let amount = if account > CLOSED { 3_000 } else { 1_000 };
        kernel.apply(&Command::Deposit { account, asset: USD, amount }).unwrap();
    }
    let side = |account: u64| if account % 2 == 1 { Side::Buy } else { Side::Sell };
    (1..=SHORT).for_each(|account| fill(&mut kernel, account, side(account)));
    (1..=CLOSED).for_each(|account| fill(&mut kernel, account, side(account + 1)));
    kernel
}

fn mark(kernel: &mut Kernel, price: i64) -> Vec<u64> {
    kernel.apply(&Command::Mark { instrument: P, price }).unwrap();
    let started = |event: &Event| match event {
        Event::LiquidationStarted { account, .. } => Some(*account),
        _ => None,
    };
    kernel.events().iter().filter_map(started).collect()
}

/// Ten lots with 3000 behind them lose 10 a point, and must keep 1 % of what they are worth: the long is in breach at 707 (70 left, 70.7
/// asked for), the short at 1288 (120 left, 128.8 asked for).
#[test]
fn those_who_stay_are_found_where_they_would_have_been() {
    assert_eq!((LONG % 2, SHORT % 2), (1, 0), "a long and a short");
    let none: [Vec<u64>; 3] = Default::default();
    for strategy in Strategy::ALL {
        let mut falls = kernel(strategy);
        assert_eq!([890, 850, 708].map(|price| mark(&mut falls, price)), none, "{strategy:?}");
        assert_eq!(mark(&mut falls, 707), [LONG], "{strategy:?}");
        let mut rises = kernel(strategy);
        assert_eq!([1_110, 1_150, 1_287].map(|price| mark(&mut rises, price)), none, "{strategy:?}");
        assert_eq!(mark(&mut rises, 1_288), [SHORT], "{strategy:?}");
    }
}

/// The mark that comes to them takes each out, once.
#[test]
fn what_was_left_behind_is_taken_out_once() {
    for [first, second] in [[890, 850], [1_110, 1_150]] {
        let mut kernel = kernel(Strategy::Bands);
        let before = kernel.work();
        mark(&mut kernel, first);
        let between = kernel.work();
        assert_eq!((between - before).edge_updates, CLOSED / 2, "all on one side at {first}");
        mark(&mut kernel, second);
        assert_eq!((kernel.work() - between).edge_updates, 0, "none is left at {second}");
    }
}
