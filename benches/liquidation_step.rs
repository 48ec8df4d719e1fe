//! What does a liquidation cost inline, from the breach to its end?
//!
//! 2 000 accounts among 200 000 that hold still; one tick puts them all in breach. By venue and by number of positions: an
//! order that the simulated venue fills at the mark, or against depth, or claims that the fund bears. The tick is timed, and
//! divided by the liquidations that it ended.

mod contract;

use std::time::{Duration, Instant};
use terrace::command::{Command, Fill, Side};
use terrace::event::Event;
use terrace::market::{AssetId, FundId, InstrumentId, InstrumentSpec};
use terrace::venue::{BookUpdate, Level, VenueMode};
use terrace::{Capacity, Kernel, Settings, Strategy};

const INSTRUMENTS: u32 = 20;
const START: i64 = 1_000_000;
const ASSET: AssetId = AssetId(0);
const STILL: u64 = 200_000;
const BREACHED: u64 = 2_000;
const MOVED: InstrumentId = InstrumentId(0);
/// Falls, of which the median is told.
const ROUNDS: usize = 11;
/// To what the mark falls: a loss of 0.7 %, where accounts have put in 1 %.
const FALLEN: i64 = START - START * 7 / 1_000;

fn spec(index: u32) -> InstrumentSpec {
    InstrumentSpec { liquidation_fee_ppb: 1_000_000, ..contract::spec(u64::from(index)) }
}

fn buy(account: u64, instrument: InstrumentId, quantity: i64) -> Command {
    Command::Fill(Fill {
        account,
        counterparty: None,
        order: None,
        counter_order: None,
        instrument,
        side: Side::Buy,
        quantity,
        price: START,
        liquidity: None,
        position_side: None,
        counter_position_side: None,
    })
}

struct World {
    kernel: Kernel,
    positions: u64,
    next: u64,
}

impl World {
    fn new(venue: VenueMode, positions: u64) -> Self {
        let accounts = (STILL + 2 * BREACHED * ROUNDS as u64) as usize;
        let capacity = Capacity { accounts, positions: accounts * positions as usize, orders: 0 };
        let mut kernel = Kernel::new(Settings { shards: 1, strategy: Strategy::default(), capacity });
        kernel.declare_asset(None, "USDT", 8).unwrap();
        for index in 0..INSTRUMENTS {
            kernel.declare_instrument(None, spec(index)).unwrap();
            kernel.apply(&Command::Mark { instrument: InstrumentId(index), price: START }).unwrap();
        }
        kernel.apply(&Command::FundDeposit { fund: FundId(0), amount: 1 << 61 }).unwrap();
        kernel.set_venue(None, venue).unwrap();
        let mut world = Self { kernel, positions, next: 1 };
        world.open(STILL, 2);
        world
    }

    /// So many accounts, of this leverage.
    fn open(&mut self, count: u64, leverage: i64) {
        for account in self.next..self.next + count {
            let quantity = 100 + (account % 97) as i64;
            // Only the first position moves, and the others must not make up for its loss.
            let others = if leverage > 2 { 1 } else { quantity };
            let notional = (quantity + others * (self.positions as i64 - 1)) * START * 100;
            self.kernel.apply(&Command::Deposit { account, asset: ASSET, amount: notional / leverage }).unwrap();
            self.kernel.apply(&buy(account, MOVED, quantity)).unwrap();
            for nth in 1..self.positions {
                let instrument = InstrumentId(((account * 7 + nth) % u64::from(INSTRUMENTS - 1)) as u32 + 1);
                self.kernel.apply(&buy(account, instrument, others)).unwrap();
            }
        }
        self.next += count;
    }

    /// One fall: how long the tick took, how many liquidations ended, how many events there were.
    fn fall(&mut self) -> (Duration, usize, usize) {
        self.kernel.apply(&Command::Mark { instrument: MOVED, price: START }).unwrap();
        self.open(BREACHED, 100);
        let bids: Vec<Level> = (0..50).map(|n| Level { price: FALLEN - n, quantity: 1 << 30 }).collect();
        self.kernel.update_book(None, MOVED, &BookUpdate { bids: Some(&bids), ..BookUpdate::default() }).unwrap();
        let begun = Instant::now();
        self.kernel.apply(&Command::Mark { instrument: MOVED, price: FALLEN }).unwrap();
        let took = begun.elapsed();
        let events = self.kernel.events();
        let ended = events.iter().filter(|event| matches!(event, Event::LiquidationEnded { .. })).count();
        assert!(ended as u64 >= BREACHED, "only {ended} liquidations ended");
        (took, ended, events.len())
    }
}

fn main() {
    for (name, venue) in [("mark", VenueMode::Mark), ("book", VenueMode::Book), ("claim", VenueMode::None)] {
        for positions in [1, 3] {
            let mut world = World::new(venue, positions);
            let mut each: Vec<f64> = Vec::new();
            let mut told = (0, 0);
            for _ in 0..ROUNDS {
                let (took, ended, events) = world.fall();
                each.push(took.as_nanos() as f64 / ended as f64);
                told = (ended, events);
            }
            each.sort_by(f64::total_cmp);
            let (median, events) = (each[ROUNDS / 2], told.1 as f64 / told.0 as f64);
            println!(
                "{name}, {positions} positions: {median:.0} ns a liquidation ({:.0}–{:.0}), {events:.1} events each",
                each[0],
                each[ROUNDS - 1]
            );
        }
    }
}
