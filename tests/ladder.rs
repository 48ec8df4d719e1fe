//! The ladder against a search: for every pool, every tick is tried, from the mark outward, by the test's own arithmetic.

mod worlds;

use std::collections::{BTreeMap, BTreeSet};
use terrace::command::{Command, Fill, MarginMode, PositionMode, PositionSide, Side};
use terrace::market::InstrumentId;
use terrace::{Kernel, LadderRung, Settings, Strategy};
use worlds::{ASSET, Dice, Pool, Rows, World, pools, worlds};

const ACCOUNTS: u64 = 60;
const INSTRUMENTS: u32 = 2;

/// The search goes up to so many times the first mark; worlds whose prices are higher are left out.
const REACH: i64 = 30;
const HIGHEST_START: i64 = 1_000;

fn apply(kernel: &mut Kernel, command: &Command) {
    kernel.apply(command).unwrap_or_else(|refusal| panic!("{command:?}: {refusal:?}"));
}

/// Accounts of all kinds with positions in both instruments, and a mark that has moved.
fn market(world: &World, dice: &mut Dice, shards: u32) -> (Kernel, Vec<Rows>, Vec<i64>) {
    let mut kernel = Kernel::new(Settings { shards, strategy: Strategy::Bands, ..Settings::default() });
    let rows = world.declare(&mut kernel, INSTRUMENTS);
    let mut marks = vec![world.start; INSTRUMENTS as usize];
    for (index, &price) in marks.iter().enumerate() {
        apply(&mut kernel, &Command::Mark { instrument: InstrumentId(index as u32), price });
    }
    for account in 1..=ACCOUNTS {
        if account % 5 == 0 {
            apply(&mut kernel, &Command::Account { account, positions: PositionMode::Hedge, group: None });
        }
        let amount = dice.range(1, world.typical() as i64) + 12;
        apply(&mut kernel, &Command::Deposit { account, asset: ASSET, amount });
        let (instrument, mode) = (InstrumentId(0), MarginMode::Isolated);
        if account % 4 == 0 {
            apply(&mut kernel, &Command::MarginMode { account, instrument, mode });
        }
    }
    for _ in 0..ACCOUNTS * 3 {
        let (account, counterparty) = (1 + dice.below(ACCOUNTS), 1 + dice.below(ACCOUNTS));
        if account == counterparty {
            continue;
        }
        let instrument = InstrumentId(dice.below(u64::from(INSTRUMENTS)) as u32);
        let mut leg = |account: u64| {
            let side = if dice.below(2) == 0 { PositionSide::Long } else { PositionSide::Short };
            account.is_multiple_of(5).then_some(side)
        };
        let (position_side, counter_position_side) = (leg(account), leg(counterparty));
        let fill = Fill {
            account,
            counterparty: Some(counterparty),
            order: None,
            counter_order: None,
            instrument,
            side: if dice.below(2) == 0 { Side::Buy } else { Side::Sell },
            quantity: dice.range(1, world.lots),
            price: marks[instrument.index()],
            liquidity: None,
            position_side,
            counter_position_side,
        };
        apply(&mut kernel, &Command::Fill(fill));
    }
    for (index, mark) in marks.iter_mut().enumerate() {
        *mark = dice.range(world.start - world.start / 10, world.start + world.start / 10);
        apply(&mut kernel, &Command::Mark { instrument: InstrumentId(index as u32), price: *mark });
    }
    (kernel, rows, marks)
}

/// The nearest price at which a pool is in breach if no other mark moves; of two equally near the lower.
fn search(pool: &Pool, world: &World, rows: &[Rows], marks: &[i64], of: usize) -> Option<i64> {
    let breaches = |price: &i64| {
        let (equity, required) = pool.margin(world, rows, |index| if index == of { *price } else { marks[index] });
        equity <= required
    };
    let mark = marks[of];
    let outward = (1..=world.start * REACH).flat_map(|distance| [mark - distance, mark + distance]);
    outward.filter(|&price| price >= 1 && price <= world.start * REACH).find(breaches)
}

#[test]
fn every_rung_is_the_first_tick_that_breaches() {
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    let (mut rungs_in_all, mut favourable, mut without) = (0, 0, 0);
    for (number, world) in worlds().enumerate().filter(|(_, world)| world.start <= HIGHEST_START) {
        let (kernel, rows, marks) = market(&world, &mut dice, 1 + number as u32 % 3);
        let mut rungs = 0;
        for (of, &mark) in marks.iter().enumerate() {
            let mut expected: BTreeMap<(i64, i64), (LadderRung, BTreeSet<u64>)> = BTreeMap::new();
            for account in kernel.accounts() {
                for pool in pools(&kernel, account).iter().filter(|pool| !pool.locked) {
                    let sizes: Vec<i128> = pool.positions.iter().filter(|at| at.0 == of).map(|at| at.1).collect();
                    if sizes.is_empty() {
                        continue;
                    }
                    let Some(price) = search(pool, &world, &rows, &marks, of) else {
                        without += 1;
                        continue;
                    };
                    let (rung, accounts) = expected.entry(((price - mark).abs(), price)).or_default();
                    rung.long_lots += sizes.iter().map(|&size| size.max(0)).sum::<i128>();
                    rung.short_lots += sizes.iter().map(|&size| (-size).max(0)).sum::<i128>();
                    accounts.insert(account);
                    favourable += u32::from(sizes.iter().all(|&size| (size > 0) == (price > mark)));
                }
            }
            let expected: Vec<(i128, LadderRung)> = expected
                .into_iter()
                .map(|((_, price), (rung, accounts))| {
                    (i128::from(price), LadderRung { accounts: accounts.len() as u64, ..rung })
                })
                .collect();
            let mut shown = kernel.ladder(InstrumentId(of as u32)).expect("it has a mark");
            shown.retain(|&(price, _)| price <= i128::from(world.start * REACH));
            assert_eq!(shown, expected, "{}: marks {marks:?}, instrument {of}", world.name());
            rungs += shown.len();
        }
        assert!(rungs > 10, "{}: {rungs} rungs show nothing", world.name());
        rungs_in_all += rungs;
    }
    println!("{rungs_in_all} rungs, {favourable} pools that breach on a favourable move, {without} that never do");
    assert!(favourable > 0 && without > 0, "both were to be seen");
}
