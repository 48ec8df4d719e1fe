//! Tests of frozen marks, through the kernel's own parts.

use super::{Kernel, Settings};
use crate::command::{Command, Fill, MarginMode, Side};
use crate::contract::Unit;
use crate::decimal::Grid;
use crate::event::{Cause, Event, Outcome, PoolName};
use crate::market::{AssetId, FreezeCause, FundId, InstrumentId, InstrumentSpec};
use crate::shard::Strategy;
use crate::tiers::{TierRow, TierRule, TierTable};

const BTC: InstrumentId = InstrumentId(0);
const ETH: InstrumentId = InstrumentId(1);
const USD: AssetId = AssetId(0);

/// Two instruments of tick, lot and quantum 1, with 10 % margin; each account long 10 of both at 100.
fn kernel(strategy: Strategy, shards: u32) -> Kernel {
    let mut kernel = Kernel::new(Settings { shards, strategy, ..Settings::default() });
    kernel.declare_asset(None, "USD", 0).unwrap();
    for symbol in ["BTC", "ETH"] {
        let row = TierRow { cap: 1_000_000, mmr_ppb: 100_000_000, max_leverage: 500, deduction: None };
        let (grid, tiers) = (Grid::decimals(0), TierTable::new(TierRule::Marginal, &[row]).unwrap());
        let spec = InstrumentSpec::new(symbol, USD, FundId(0), (grid, grid), Unit::Linear(1), tiers);
        kernel.declare_instrument(None, spec).unwrap();
    }
    kernel.apply(&Command::FundDeposit { fund: FundId(0), amount: 10_000 }).unwrap();
    mark(&mut kernel, BTC, 100);
    mark(&mut kernel, ETH, 100);
    kernel
}

fn mark(kernel: &mut Kernel, instrument: InstrumentId, price: i64) -> Vec<Event> {
    kernel.apply(&Command::Mark { instrument, price }).unwrap();
    kernel.events().to_vec()
}

fn long(kernel: &mut Kernel, account: u64, instrument: InstrumentId, quantity: i64) {
    let fill = Fill {
        account,
        counterparty: None,
        order: None,
        counter_order: None,
        instrument,
        side: Side::Buy,
        quantity,
        price: 100,
        liquidity: None,
        position_side: None,
        counter_position_side: None,
    };
    kernel.apply(&Command::Fill(fill)).unwrap();
}

/// As an input does it that brings a cause, or takes it away.
fn set_life(kernel: &mut Kernel, instrument: InstrumentId, cause: FreezeCause, frozen: bool) -> Vec<Event> {
    kernel.rounds.events.clear();
    let market = &mut kernel.rounds.market;
    let change = if frozen { market.freeze(instrument, cause) } else { market.thaw(instrument, cause) };
    kernel.rounds.tell_mark(instrument, change);
    for shard in &mut kernel.shards {
        shard.on_mark(&kernel.rounds.market, instrument, change);
    }
    kernel.rounds.accept(None, Cause::Op("mode"));
    kernel.find_breaches(Cause::Op("mode"));
    kernel.decide();
    kernel.events().to_vec()
}

fn suppressed(events: &[Event]) -> Vec<u64> {
    let of = |event: &Event| match event {
        Event::LiquidationSuppressed { account, .. } => Some(*account),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

fn started(events: &[Event]) -> Vec<u64> {
    let of = |event: &Event| match event {
        Event::LiquidationStarted { account, .. } => Some(*account),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

fn every_way(test: impl Fn(Kernel)) {
    for strategy in Strategy::ALL {
        for shards in [1, 3] {
            test(kernel(strategy, shards));
        }
    }
}

#[test]
fn nothing_happens_at_a_frozen_mark_and_all_of_it_when_it_lives() {
    every_way(|mut kernel| {
        for account in 1..=20 {
            kernel.apply(&Command::Deposit { account, asset: USD, amount: 300 + 10 * account as i64 }).unwrap();
            long(&mut kernel, account, BTC, 10);
        }
        let frozen = Event::MarkFrozen { instrument: BTC, cause: FreezeCause::Halted };
        assert_eq!(set_life(&mut kernel, BTC, FreezeCause::Halted, true), [frozen]);
        assert_eq!(set_life(&mut kernel, BTC, FreezeCause::Airlock, true), [], "the first cause was told");
        for price in [50, 2, 70, 68] {
            assert_eq!(mark(&mut kernel, BTC, price), []);
            assert_eq!(kernel.market().instrument(BTC).mark, Some(100), "valued at the last that lived");
        }
        // In breach by a payment: suppressed, once.
        let withdraw = Command::Withdraw { account: 1, asset: USD, amount: 10 };
        kernel.apply(&withdraw).unwrap();
        assert_eq!(kernel.events(), []);
        assert_eq!(set_life(&mut kernel, BTC, FreezeCause::Halted, false), [], "another cause still holds");
        // At 68 an equity of 300 + 10a − 10 − 320 against 68: 1 to 8 are in breach.
        let events = set_life(&mut kernel, BTC, FreezeCause::Airlock, false);
        assert_eq!(events[0], Event::MarkLive { instrument: BTC, cause: FreezeCause::Airlock });
        assert_eq!(started(&events), (1..=8).collect::<Vec<_>>());
        assert_eq!(kernel.audit(0, kernel.pools()), 0);
        // The edges are right again: at 67 the next two (330 + 10a … ≤ 67).
        assert_eq!(started(&mark(&mut kernel, BTC, 67)), [9]);
        assert_eq!(started(&mark(&mut kernel, BTC, 66)), [10]);
    });
}

#[test]
fn a_breach_without_a_living_mark_is_told_once_a_freeze() {
    every_way(|mut kernel| {
        kernel.apply(&Command::Deposit { account: 7, asset: USD, amount: 400 }).unwrap();
        long(&mut kernel, 7, BTC, 10);
        for lots in [30, 499] {
            set_life(&mut kernel, BTC, FreezeCause::Index, true);
            long(&mut kernel, 7, BTC, lots); // 40 · 100 · 10 % = 400, and 540 · 100 · 10 % = 5400
            assert_eq!(suppressed(kernel.events()), [7]);
            long(&mut kernel, 7, BTC, 1);
            assert_eq!(kernel.events(), []);
            kernel.apply(&Command::Deposit { account: 7, asset: USD, amount: 5_000 }).unwrap();
            assert_eq!(kernel.events(), []);
            let live = Event::MarkLive { instrument: BTC, cause: FreezeCause::Index };
            assert_eq!(set_life(&mut kernel, BTC, FreezeCause::Index, false), [live], "cured meanwhile");
        }
    });
}

#[test]
fn a_pool_with_one_living_mark_is_locked_and_the_frozen_position_passed_over() {
    every_way(|mut kernel| {
        kernel.apply(&Command::Deposit { account: 5, asset: USD, amount: 1_000 }).unwrap();
        long(&mut kernel, 5, BTC, 20);
        long(&mut kernel, 5, ETH, 10);
        set_life(&mut kernel, BTC, FreezeCause::Stale, true);
        mark(&mut kernel, BTC, 90); // awaited
        let events = mark(&mut kernel, ETH, 20);
        // E = 1000 − 800 = 200 ≤ 200 + 20: ETH goes first, though BTC has the larger margin.
        assert_eq!(started(&events), [5]);
        let orders: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::LiquidationOrder { instrument, .. } => Some(*instrument),
                _ => None,
            })
            .collect();
        assert_eq!(orders, [ETH]);
        // E = 200 ≤ 200: still in breach, and waits for BTC, valued at 100.
        assert!(!events.iter().any(|event| matches!(event, Event::LiquidationEnded { .. })));
        let events = set_life(&mut kernel, BTC, FreezeCause::Stale, false);
        // At 90: E = 0 ≤ 180: it is closed at the mark, its limit.
        let ended =
            Event::LiquidationEnded { account: 5, pool: PoolName::Cross(USD), outcome: Outcome::Closed, equity: 0 };
        assert!(events.contains(&ended), "{events:?}");
    });
}

#[test]
fn a_halted_instrument_gets_its_first_mark_without_a_word() {
    every_way(|mut kernel| {
        let spec = InstrumentSpec { symbol: "SOL".into(), ..kernel.market().instrument(BTC).spec.clone() };
        let sol = kernel.declare_instrument(None, spec).unwrap();
        kernel.apply(&Command::Deposit { account: 3, asset: USD, amount: 300 }).unwrap();
        kernel.apply(&Command::MarginMode { account: 3, instrument: sol, mode: MarginMode::Cross }).unwrap();
        long(&mut kernel, 3, sol, 10);
        assert_eq!(set_life(&mut kernel, sol, FreezeCause::Halted, true), []);
        assert_eq!(mark(&mut kernel, sol, 70), []);
        assert_eq!(started(&set_life(&mut kernel, sol, FreezeCause::Halted, false)), [3]);
    });
}
