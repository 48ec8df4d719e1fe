//! From a tick to its liquidation orders nothing is allocated, after warm-up.

use terrace::command::{Command, Fill, Side};
use terrace::contract::Unit;
use terrace::decimal::Grid;
use terrace::event::Event;
use terrace::market::{AssetId, FundId, InstrumentId, InstrumentSpec};
use terrace::tiers::{TierRow, TierRule, TierTable};
use terrace::venue::VenueMode;
use terrace::{Capacity, Kernel, Settings, Strategy};

/// Wide enough for all marks to pass: looking at them allocates nothing.
const AIRLOCK: terrace::controls::AirlockRule = terrace::controls::AirlockRule {
    max_jump_ppb: Some(900_000_000),
    preview_jump_ppb: None,
    max_liquidation: None,
    timeout_ns: Some(1_000),
};

const ACCOUNTS: u64 = 2_000;
const START: i64 = 100_000;
const INSTRUMENT: InstrumentId = InstrumentId(0);

/// Accounts in pairs, long against short, the longs with little money and the shorts with much; every third is isolated.
fn kernel(shards: u32, strategy: Strategy) -> Kernel {
    let accounts = ACCOUNTS as usize;
    let capacity = Capacity { accounts, positions: accounts, orders: 16 };
    let mut kernel = Kernel::new(Settings { shards, strategy, capacity });
    let asset = kernel.declare_asset(None, "USDT", 8).unwrap();
    let row = |cap: i128, mmr_ppb, max_leverage| TierRow { cap, mmr_ppb, max_leverage, deduction: None };
    let rows = [row(5_000_000_000, 4_000_000, 12_500), row(500_000_000_000, 10_000_000, 5_000)];
    let spec = InstrumentSpec {
        liquidation_fee_ppb: 12_500_000,
        controls: terrace::controls::Controls { airlock: Some(AIRLOCK), ..Default::default() },
        ..InstrumentSpec::new(
            "BTCUSDT",
            AssetId(0),
            FundId(0),
            (Grid::decimals(1), Grid::decimals(3)),
            Unit::Linear(10_000),
            TierTable::new(TierRule::Marginal, &rows).unwrap(),
        )
    };
    kernel.declare_instrument(None, spec).unwrap();
    for account in 1..=ACCOUNTS {
        let amount = if account % 2 == 0 { 1 << 60 } else { 20_000_000 + account as i64 * 40_000 };
        kernel.apply(&Command::Deposit { account, asset, amount }).unwrap();
        if account % 3 == 0 {
            let mode = terrace::command::MarginMode::Isolated;
            kernel.apply(&Command::MarginMode { account, instrument: INSTRUMENT, mode }).unwrap();
        }
    }
    kernel.apply(&Command::Mark { instrument: INSTRUMENT, price: START }).unwrap();
    open(&mut kernel);
    kernel
}

/// Every odd account that has no position buys from the next one.
fn open(kernel: &mut Kernel) {
    for account in (1..ACCOUNTS).step_by(2) {
        if !kernel.account(account).unwrap().positions.is_empty() {
            continue;
        }
        kernel
            .apply(&Command::Deposit { account, asset: AssetId(0), amount: 20_000_000 + account as i64 * 40_000 })
            .unwrap();
        let fill = Fill {
            account,
            counterparty: Some(account + 1),
            order: None,
            counter_order: None,
            instrument: INSTRUMENT,
            side: Side::Buy,
            quantity: 1 + account as i64 % 9,
            price: START,
            liquidity: None,
            position_side: None,
            counter_position_side: None,
        };
        kernel.apply(&Command::Fill(fill)).unwrap();
    }
}

/// A fall in small steps, and back; returns how many liquidation orders went out.
fn crash(kernel: &mut Kernel) -> u64 {
    let mut orders = 0;
    for step in 0..600 {
        let price = START - if step < 300 { step * 80 } else { (600 - step) * 80 };
        kernel.apply(&Command::Mark { instrument: INSTRUMENT, price }).unwrap();
        let is_order = |event: &&Event| matches!(event, Event::LiquidationOrder { .. });
        orders += kernel.events().iter().filter(is_order).count() as u64;
    }
    orders
}

#[test]
fn nothing_is_allocated_between_a_tick_and_its_orders() {
    for (shards, strategy) in
        [(1, Strategy::Bands), (3, Strategy::Adaptive), (2, Strategy::Dense), (2, Strategy::Sweep)]
    {
        for venue in [VenueMode::Mark, VenueMode::None] {
            let mut kernel = kernel(shards, strategy);
            kernel.set_venue(None, venue).unwrap();
            crash(&mut kernel); // the warm-up
            kernel.apply(&Command::Mark { instrument: INSTRUMENT, price: START }).unwrap();
            open(&mut kernel);
            let mut orders = 0;
            let counted = allocation_counter::measure(|| orders = crash(&mut kernel));
            println!("{shards} shards, {strategy:?}, {venue:?}: {orders} orders, {} allocations", counted.count_total);
            assert!(orders > 100, "only {orders} liquidation orders: too few to show anything");
            assert_eq!(counted.count_total, 0);
        }
    }
}
