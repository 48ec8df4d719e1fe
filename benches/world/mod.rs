//! A population for the benches of fills, orders and funding, and how their times are told.
//!
//! Cross accounts in pairs, one long where the other is short, with a number of positions each spread over 500 instruments, at
//! about five times leverage: nobody is near breach, so what is timed is the work of the operation itself.

#![allow(dead_code, reason = "each bench uses a part")]

#[path = "../contract/mod.rs"]
mod contract;

use hdrhistogram::Histogram;
use std::time::{Duration, Instant};
use terrace::command::{Command, Fill, Liquidity, Side};
use terrace::market::{AssetId, InstrumentId, InstrumentSpec};
use terrace::{Capacity, Kernel, Settings, Strategy};

pub const INSTRUMENTS: u64 = 500;
pub const START: i64 = 1_000_000;
pub const ASSET: AssetId = AssetId(0);

/// Rounds of which the median is told.
const ROUNDS: usize = 9;

fn spec(index: u64) -> InstrumentSpec {
    let mut spec = contract::spec(index);
    (spec.maker_fee_ppb, spec.taker_fee_ppb) = (-500_000, 500_000);
    spec.funding.chunk = 16; // no tick waits long
    spec
}

/// Accounts 1 to `accounts`, an even number, of so many positions each.
pub struct World {
    pub kernel: Kernel,
    pub accounts: u64,
    pub positions: u64,
    pub state: u64,
}

impl World {
    pub fn new(accounts: u64, positions: u64) -> Self {
        Self::with_room(accounts, positions, accounts * positions)
    }

    /// As [`World::new`], with room for more positions than there are.
    pub fn with_room(accounts: u64, positions: u64, room: u64) -> Self {
        let capacity = Capacity { accounts: accounts as usize, positions: room as usize, orders: 1 << 12 };
        let mut kernel = Kernel::new(Settings { shards: 1, strategy: Strategy::default(), capacity });
        kernel.declare_asset(None, "USDT", 8).unwrap();
        for index in 0..INSTRUMENTS {
            kernel.declare_instrument(None, spec(index)).unwrap();
            kernel.apply(&Command::Mark { instrument: InstrumentId(index as u32), price: START }).unwrap();
        }
        let mut world = Self { kernel, accounts, positions, state: 0x9E37_79B9_7F4A_7C15 };
        for account in 1..=accounts {
            let amount = 100 * 100 * START * positions.max(1) as i64 / 5;
            world.kernel.apply(&Command::Deposit { account, asset: ASSET, amount }).unwrap();
        }
        for pair in 0..accounts / 2 {
            for position in 0..positions {
                let fill = world.fill(pair, position, 100, 0);
                world.kernel.apply(&Command::Fill(fill)).unwrap();
            }
        }
        world
    }

    /// The instrument of a position of a pair.
    pub fn instrument(&self, pair: u64, position: u64) -> InstrumentId {
        InstrumentId(((pair.wrapping_mul(7_919) + position) % INSTRUMENTS) as u32)
    }

    /// A fill between a pair in one of its positions that makes it larger, or smaller. Who takes pays a fee, who makes is
    /// paid it: by turns, so that nobody's money runs out.
    pub fn fill(&self, pair: u64, position: u64, quantity: i64, turn: u64) -> Fill {
        let (larger, takes) = (turn.is_multiple_of(2), (turn / 2).is_multiple_of(2));
        Fill {
            account: pair * 2 + 1,
            counterparty: Some(pair * 2 + 2),
            order: None,
            counter_order: None,
            instrument: self.instrument(pair, position),
            side: if larger { Side::Buy } else { Side::Sell },
            quantity,
            price: START,
            liquidity: Some(if takes { Liquidity::Taker } else { Liquidity::Maker }),
            position_side: None,
            counter_position_side: None,
        }
    }

    /// The next number of a fixed sequence, below `end`.
    pub fn draw(&mut self, end: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % end
    }
}

/// Median, least and most.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [values[values.len() / 2], values[0], values[values.len() - 1]]
}

/// Tells what an operation takes: rounds of `many` of them, and each of `many` by itself, beside the same clock around nothing.
pub fn tell(name: &str, many: u64, mut run: impl FnMut(u64)) {
    run(many / 4 + 1);
    let rounds = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        run(many);
        start.elapsed().as_nanos() as f64 / many as f64
    });
    let [median, least, most] = spread(rounds.collect());
    println!("{name}: {median:.0} ns ({least:.0}–{most:.0}), each by itself {}", singly(many, || run(1)));
}

/// Each operation by itself, and the clock around nothing, in turn.
pub fn singly(many: u64, mut run: impl FnMut()) -> String {
    let (mut own, mut idle) = (histogram(), histogram());
    for _ in 0..many {
        let start = Instant::now();
        let between = Instant::now();
        run();
        let end = Instant::now();
        idle.record((between - start).as_nanos() as u64).unwrap();
        own.record((end - between).as_nanos() as u64).unwrap();
    }
    let shown = |of: &Histogram<u64>| {
        let [half, most] = [0.5, 0.9999].map(|quantile| of.value_at_quantile(quantile));
        format!("p50 {half} p99.99 {most} worst {}", of.max())
    };
    format!("{} (nothing: {})", shown(&own), shown(&idle))
}

fn histogram() -> Histogram<u64> {
    Histogram::new(3).unwrap()
}

/// For criterion: the time of so many.
pub fn time(count: u64, mut run: impl FnMut(u64)) -> Duration {
    let start = Instant::now();
    run(count);
    start.elapsed()
}

pub fn accounts() -> u64 {
    std::env::var("TERRACE_BENCH_ACCOUNTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000)
}
