//! A crowd of accounts, and marks that move: what the benches of strategies run over.
//!
//! Cross accounts with 3 positions each, in 10 instruments; leverage from 1 to 125 by the table below, and of what it asks
//! for each account has put in 1 to 2 times as much. `TERRACE_BENCH_ACCOUNTS` sets another number of accounts than 1 000 000.

#![allow(dead_code, reason = "each bench uses its part")]

#[path = "../contract/mod.rs"]
mod contract;

use contract::spec;
use terrace::command::{Command, Fill, Side};
use terrace::market::{AssetId, InstrumentId};
use terrace::{Capacity, Kernel, Settings, Strategy};

pub const INSTRUMENTS: u64 = 10;
pub const POSITIONS: u64 = 3;
pub const START: i64 = 1_000_000;
pub const ASSET: AssetId = AssetId(0);

/// Leverage, and how many in a hundred accounts have it.
pub const LEVERAGES: [(i64, u64); 11] =
    [(1, 6), (2, 9), (3, 10), (5, 17), (10, 24), (20, 16), (25, 6), (50, 6), (75, 3), (100, 2), (125, 1)];

/// The leverage of the pair with this number.
pub fn leverage(pair: u64) -> i64 {
    let mut percentile = pair.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 100;
    for (leverage, share) in LEVERAGES {
        if percentile < share {
            return leverage;
        }
        percentile -= share;
    }
    1
}

pub fn accounts() -> u64 {
    std::env::var("TERRACE_BENCH_ACCOUNTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000)
}

/// Accounts in pairs, one long where the other is short, with money for their leverage.
pub fn build(strategy: Strategy) -> Kernel {
    let accounts = accounts();
    let capacity = Capacity { accounts: accounts as usize, positions: (accounts * POSITIONS) as usize, orders: 0 };
    let mut kernel = Kernel::new(Settings { shards: 1, strategy, capacity });
    kernel.declare_asset(None, "USDT", 8).unwrap();
    for index in 0..INSTRUMENTS {
        kernel.declare_instrument(None, spec(index)).unwrap();
        kernel.apply(&Command::Mark { instrument: InstrumentId(index as u32), price: START }).unwrap();
    }
    for pair in 0..accounts / 2 {
        let (account, counterparty) = (pair * 2 + 1, pair * 2 + 2);
        let quantity = 1 + (pair % 97) as i64;
        let margin = quantity * START * 100 * POSITIONS as i64 / leverage(pair);
        for (account, more) in [(account, pair % 1_009), (counterparty, pair % 1_013)] {
            let amount = margin + margin * more as i64 / 1_000;
            kernel.apply(&Command::Deposit { account, asset: ASSET, amount }).unwrap();
        }
        for position in 0..POSITIONS {
            let side = if (pair + position) % 3 == 0 { Side::Sell } else { Side::Buy };
            let fill = Fill {
                account,
                counterparty: Some(counterparty),
                order: None,
                counter_order: None,
                instrument: InstrumentId(((pair + position * 3) % INSTRUMENTS) as u32),
                side,
                quantity,
                price: START,
                liquidity: None,
                position_side: None,
                counter_position_side: None,
            };
            kernel.apply(&Command::Fill(fill)).unwrap();
        }
    }
    kernel
}

/// Marks that step by one basis point up or down, each instrument in turn.
#[derive(Clone)]
pub struct Walk {
    pub marks: Vec<i64>,
    state: u64,
    next: usize,
}

impl Walk {
    pub fn new() -> Self {
        Self { marks: vec![START; INSTRUMENTS as usize], state: 0x9E37_79B9_7F4A_7C15, next: 0 }
    }

    pub fn tick(&mut self) -> Command {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.next = (self.next + 1) % self.marks.len();
        let step = self.marks[self.next] / 10_000;
        self.step(if self.state >> 63 == 0 { step } else { -step })
    }

    /// A fall of 40 basis points: some of the most leveraged are liquidated.
    pub fn leap(&mut self) -> Command {
        self.next = (self.next + 1) % self.marks.len();
        self.step(-self.marks[self.next] / 250)
    }

    pub fn step(&mut self, by: i64) -> Command {
        self.marks[self.next] += by;
        Command::Mark { instrument: InstrumentId(self.next as u32), price: self.marks[self.next] }
    }
}
