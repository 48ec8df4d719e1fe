//! The rivals: each takes the same books, and is told the same marks and fills.

pub mod column;
pub mod decimal;
pub mod dense;
pub mod ordered;
pub mod trigger;

use terrace::Kernel;
use terrace::command::{Command, Fill, Side};
use terrace::event::{Event, PoolName};
use terrace::market::InstrumentId;

/// A pool that was found in breach.
pub type Found = (u64, PoolName);

/// One that finds pools in breach.
pub trait Engine {
    /// What it is called, in a table.
    fn name(&self) -> String;

    /// Whether it finds every pool at the very tick that puts it in breach.
    fn is_exact(&self) -> bool;

    /// An instrument has a new mark: who is in breach, and has not been found before?
    fn mark(&mut self, instrument: usize, price: i64, found: &mut Vec<Found>);

    /// A position of the books has grown by so many lots, which may be negative but never turn it, at a price: is its pool in
    /// breach now?
    fn fill(&mut self, position: u32, lots: i64, price: i64, found: &mut Vec<Found>);
}

/// The kernel itself.
pub struct Terrace {
    pub kernel: Kernel,
    /// By position of the books: its account and instrument.
    pub positions: Vec<(u64, InstrumentId)>,
}

impl Terrace {
    #[inline]
    fn tell(&self, found: &mut Vec<Found>) {
        for event in self.kernel.events() {
            if let Event::LiquidationStarted { account, pool, .. } = *event {
                found.push((account, pool));
            }
        }
    }
}

impl Engine for Terrace {
    fn name(&self) -> String {
        "Terrace, adaptive".into()
    }

    fn is_exact(&self) -> bool {
        true
    }

    #[inline]
    fn mark(&mut self, instrument: usize, price: i64, found: &mut Vec<Found>) {
        let command = Command::Mark { instrument: InstrumentId(instrument as u32), price };
        self.kernel.apply(&command).expect("a price");
        self.tell(found);
    }

    #[inline]
    fn fill(&mut self, position: u32, lots: i64, price: i64, found: &mut Vec<Found>) {
        let (account, instrument) = self.positions[position as usize];
        let side = if lots > 0 { Side::Buy } else { Side::Sell };
        let fill = Fill {
            account,
            counterparty: None,
            order: None,
            counter_order: None,
            instrument,
            side,
            quantity: lots.abs(),
            price,
            liquidity: None,
            position_side: None,
            counter_position_side: None,
        };
        self.kernel.apply(&Command::Fill(fill)).expect("a fact");
        self.tell(found);
    }
}
