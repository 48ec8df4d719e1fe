//! Who is there, and how the marks move: the same for all.
//!
//! Accounts come in pairs, one long where the other is short, with 3 positions each in 10 instruments; leverage from 1 to
//! 125 by the table below, and of what it asks for each has put in 1 to 2 times as much. The shape is that of
//! `benches/strategies.rs`. It is made through the kernel's public commands; the peers get what the kernel shows.

use terrace::command::{Command, Fill, MarginMode, Side};
use terrace::contract::Unit;
use terrace::decimal::Grid;
use terrace::market::{AssetId, FundId, InstrumentId, InstrumentSpec};
use terrace::tiers::{TierRow, TierRule, TierTable};
use terrace::venue::VenueMode;
use terrace::{Capacity, Kernel, Settings, Strategy};

pub const INSTRUMENTS: u64 = 10;
pub const POSITIONS: u64 = 3;

/// The first mark, in ticks.
pub const START: i64 = 1_000_000;

/// Quanta for a lot and a tick.
pub const UNIT: i64 = 100;

pub const ASSET: AssetId = AssetId(0);

/// Leverage, and how many in a hundred accounts have it.
const LEVERAGES: [(i64, u64); 11] =
    [(1, 6), (2, 9), (3, 10), (5, 17), (10, 24), (20, 16), (25, 6), (50, 6), (75, 3), (100, 2), (125, 1)];

/// One in so many of the compared ticks is a leap that liquidates.
const LEAP: u64 = 7;

fn leverage(pair: u64) -> i64 {
    let mut percentile = pair.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 100;
    for (leverage, share) in LEVERAGES {
        if percentile < share {
            return leverage;
        }
        percentile -= share;
    }
    1
}

/// Caps, in quanta, rates in parts per billion, largest leverage in hundredths.
fn tiers() -> TierTable {
    let row = |cap: i128, mmr_ppb, max_leverage| TierRow { cap, mmr_ppb, max_leverage, deduction: None };
    let rows = [row(1 << 42, 4_000_000, 12_500), row(1 << 45, 5_000_000, 10_000), row(1 << 60, 10_000_000, 5_000)];
    TierTable::new(TierRule::Marginal, &rows).expect("a valid table")
}

/// A kernel over the accounts, whose orders nobody answers: who is found in breach stays locked, with all positions, so
/// that the books stay the same for all.
pub fn kernel(accounts: u64, mode: MarginMode) -> Kernel {
    let capacity = Capacity { accounts: accounts as usize, positions: (accounts * POSITIONS) as usize, orders: 0 };
    let mut kernel = Kernel::new(Settings { shards: 1, strategy: Strategy::Adaptive, capacity });
    kernel.declare_asset(None, "USDT", 8).expect("a new name");
    for index in 0..INSTRUMENTS {
        let grids = (Grid::decimals(1), Grid::decimals(3));
        let spec = InstrumentSpec::new(&format!("C{index}"), ASSET, FundId(0), grids, Unit::Linear(UNIT), tiers());
        kernel.declare_instrument(None, spec).expect("a new symbol");
        let mark = Command::Mark { instrument: InstrumentId(index as u32), price: START };
        kernel.apply(&mark).expect("a price");
    }
    kernel.set_venue(None, VenueMode::Manual).expect("no order is out");
    for pair in 0..accounts / 2 {
        load(&mut kernel, pair, mode);
    }
    kernel
}

fn load(kernel: &mut Kernel, pair: u64, mode: MarginMode) {
    let mut apply =
        |command: Command| kernel.apply(&command).unwrap_or_else(|refusal| panic!("{command:?}: {refusal}"));
    let (account, counterparty) = (pair * 2 + 1, pair * 2 + 2);
    let quantity = 1 + (pair % 97) as i64;
    let leverage = leverage(pair);
    let margin = quantity * START * UNIT * POSITIONS as i64 / leverage;
    // In thousandths of what the leverage asks for.
    let more = [pair % 1_009, pair % 1_013].map(|more| more as i64);
    for (account, more) in [account, counterparty].into_iter().zip(more) {
        // A little beside it, for what initial margin is rounded up by.
        apply(Command::Deposit { account, asset: ASSET, amount: margin + margin * more / 1_000 + 100 });
    }
    for position in 0..POSITIONS {
        let instrument = InstrumentId(((pair + position * 3) % INSTRUMENTS) as u32);
        if mode == MarginMode::Isolated {
            for account in [account, counterparty] {
                apply(Command::MarginMode { account, instrument, mode });
                apply(Command::Leverage { account, instrument, leverage: leverage as u32 * 100 });
            }
        }
        apply(Command::Fill(Fill {
            account,
            counterparty: Some(counterparty),
            order: None,
            counter_order: None,
            instrument,
            side: if (pair + position).is_multiple_of(3) { Side::Sell } else { Side::Buy },
            quantity,
            price: START,
            liquidity: None,
            position_side: None,
            counter_position_side: None,
        }));
        if mode == MarginMode::Isolated {
            for (account, more) in [account, counterparty].into_iter().zip(more) {
                let amount = margin / POSITIONS as i64 * more / 1_000;
                if amount > 0 {
                    apply(Command::IsolatedMargin { account, instrument, amount, position_side: None });
                }
            }
        }
    }
}

/// Marks that step by one basis point up or down, each instrument in turn.
#[derive(Clone)]
pub struct Walk {
    marks: [i64; INSTRUMENTS as usize],
    state: u64,
    ticks: u64,
}

impl Walk {
    pub fn new() -> Self {
        Self { marks: [START; INSTRUMENTS as usize], state: 0x9E37_79B9_7F4A_7C15, ticks: 0 }
    }

    /// A step: the instrument and its new mark.
    #[inline]
    pub fn step(&mut self) -> (usize, i64) {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let at = (self.ticks % INSTRUMENTS) as usize;
        let basis_point = self.marks[at] / 10_000;
        self.set(at, if self.state >> 63 == 0 { basis_point } else { -basis_point })
    }

    /// A step, or now and then a leap of 40 basis points either way, the same way three times.
    pub fn rough(&mut self) -> (usize, i64) {
        if self.ticks % LEAP != LEAP - 1 {
            return self.step();
        }
        let at = (self.ticks % INSTRUMENTS) as usize;
        let leap = self.marks[at] / 250;
        self.set(at, if self.ticks / LEAP % 6 < 3 { -leap } else { leap })
    }

    fn set(&mut self, at: usize, by: i64) -> (usize, i64) {
        self.ticks += 1;
        self.marks[at] += by;
        (at, self.marks[at])
    }
}
