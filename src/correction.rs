//! Corrections: what an operator books to put right an event that should have been another.
//!
//! Nothing is rewritten: a correction is an entry of its own, which books the opposite or the difference, and says which event
//! it corrects, why, and on whose account. It brings texts, so it travels like a declaration, and it concerns several
//! parties at once, so it is carried out with all shards at hand. It is a fact: no margin is asked for, and locked pools
//! are booked too.

use crate::command::{Fill, PositionSide, Side};
use crate::event::{Cause, Corrected};
use crate::market::{AssetId, FundId, InstrumentId, Market};
use crate::number::{Price, Quantity};
use crate::refusal::Refusal;
use std::sync::Arc;

/// Most bytes of a reason or a principal.
pub const MAX_TEXT: usize = 128;

/// What is put right, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct Correction {
    /// The number of the input whose event is corrected, from 1: told again, and looked up nowhere.
    pub corrects: u64,
    /// Why: from 1 to 128 bytes.
    pub reason: String,
    /// Who ordered it: from 1 to 128 bytes.
    pub principal: String,
    /// What is booked.
    pub remedy: Remedy,
}

/// What a correction books. Amounts are in quanta, positive and below 2^62 unless stated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum Remedy {
    /// A fill is undone: the opposite one is booked between the same two, without orders, and the fees come back.
    Bust {
        /// As it was.
        trade: Trade,
        /// What the account was charged; negative: a rebate.
        fee: i64,
        /// What the counterparty was charged.
        counter_fee: i64,
    },
    /// A fill should have had another price: the difference passes as money. Positions and their costs stay.
    Reprice {
        /// As it was.
        trade: Trade,
        /// The price that it should have had, in ticks.
        to: Price,
    },
    /// A balance was wrong.
    Adjust {
        /// Whose.
        account: u64,
        /// The asset.
        asset: AssetId,
        /// What is added; negative: taken away, also below zero.
        amount: i64,
    },
    /// A fund makes good what an account lost.
    Compensate {
        /// The account.
        account: u64,
        /// The asset.
        asset: AssetId,
        /// What it gets.
        amount: i64,
        /// Who pays: a fund of that asset.
        fund: FundId,
    },
}

/// A fill as it was booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct Trade {
    /// The account whose `side` is given.
    pub account: u64,
    /// The other side; none is the external venue account.
    pub counterparty: Option<u64>,
    /// The instrument.
    pub instrument: InstrumentId,
    /// The account's side.
    pub side: Side,
    /// In lots.
    pub quantity: Quantity,
    /// In ticks.
    pub price: Price,
    /// Which of its legs it concerned, in hedge mode; none in one-way mode.
    pub position_side: Option<PositionSide>,
    /// The same of the counterparty.
    pub counter_position_side: Option<PositionSide>,
}

impl Trade {
    /// The fill that undoes it.
    #[must_use]
    pub fn undone(&self) -> Fill {
        Fill {
            account: self.account,
            counterparty: self.counterparty,
            order: None,
            counter_order: None,
            instrument: self.instrument,
            side: self.side.opposite(),
            quantity: self.quantity,
            price: self.price,
            liquidity: None,
            position_side: self.position_side,
            counter_position_side: self.counter_position_side,
        }
    }

    /// What its two sides get when its price becomes another, in quanta, the account's first; and what they differ by, which
    /// is the fund's. `V(q, price) − V(q, to)`, each value rounded up, as the cost of an opening fill.
    #[must_use]
    pub fn differences(&self, market: &Market, to: Price) -> ([i128; 2], i128) {
        let instrument = market.instrument(self.instrument);
        let own = self.side.signed(self.quantity);
        let sides = [own, -own].map(|lots| instrument.cost(lots, self.price) - instrument.cost(lots, to));
        (sides, -(sides[0] + sides[1]))
    }
}

impl Correction {
    /// The account that it is about.
    #[must_use]
    pub fn account(&self) -> u64 {
        match self.remedy {
            Remedy::Bust { trade, .. } | Remedy::Reprice { trade, .. } => trade.account,
            Remedy::Adjust { account, .. } | Remedy::Compensate { account, .. } => account,
        }
    }

    /// The other account that it is about, if there is one.
    #[must_use]
    pub fn counterparty(&self) -> Option<u64> {
        match self.remedy {
            Remedy::Bust { trade, .. } | Remedy::Reprice { trade, .. } => trade.counterparty,
            Remedy::Adjust { .. } | Remedy::Compensate { .. } => None,
        }
    }

    /// What a liquidation in its wake is caused by.
    pub(crate) fn cause(&self) -> Cause {
        Cause::Op(self.corrected().op())
    }

    /// What the event tells of it.
    pub(crate) fn corrected(&self) -> Corrected {
        match self.remedy {
            Remedy::Bust { trade: Trade { instrument, side, quantity, price, .. }, .. } => {
                Corrected::Bust { instrument, side, quantity, price }
            }
            Remedy::Reprice { trade: Trade { instrument, side, quantity, price, .. }, to } => {
                Corrected::Reprice { instrument, side, quantity, price, to }
            }
            Remedy::Adjust { asset, amount, .. } => Corrected::Adjust { asset, amount },
            Remedy::Compensate { asset, amount, .. } => Corrected::Compensate { asset, amount },
        }
    }

    /// The fill that it books, if it is a bust.
    pub(crate) fn fill(&self) -> Option<Fill> {
        match self.remedy {
            Remedy::Bust { trade, .. } => Some(trade.undone()),
            _ => None,
        }
    }

    /// The checks that need nothing but itself: what a file may hold at all.
    ///
    /// # Errors
    ///
    /// `corrects` is 0, or a text is empty or longer than 128 bytes.
    pub(crate) fn check_alone(&self) -> Result<(), Refusal> {
        if self.corrects == 0 {
            return Err(Refusal::CorrectsNothing);
        }
        for (what, text) in [("reason", &self.reason), ("principal", &self.principal)] {
            if !(1..=MAX_TEXT).contains(&text.len()) {
                return Err(Refusal::TextLength { what, bytes: text.len() });
            }
        }
        Ok(())
    }
}

/// Which of a correction's numbers were finer than their grid: as [`OffGrid`](crate::OffGrid).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one for each number, each by itself")]
pub struct CorrectionOffGrid {
    /// The quantity or the amount.
    pub amount: bool,
    /// The price that the trade had.
    pub price: bool,
    /// The price that it should have had.
    pub to: bool,
    /// The account's fee.
    pub fee: bool,
    /// The counterparty's.
    pub counter_fee: bool,
}

impl CorrectionOffGrid {
    /// Nothing is off the grid.
    pub const NONE: Self = Self { amount: false, price: false, to: false, fee: false, counter_fee: false };
}

/// The texts of a correction that has its place: its event names them by number, since events are of fixed size.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct Remark {
    /// Why it was made.
    pub reason: String,
    /// Who ordered it.
    pub principal: String,
}

impl Market {
    /// Keeps the texts of a correction, and returns their number, from 0.
    pub(crate) fn note_remark(&mut self, correction: &Correction) -> u32 {
        let Correction { reason, principal, .. } = correction.clone();
        self.remarks.push(Arc::new(Remark { reason, principal }));
        self.remarks.len() as u32 - 1
    }

    /// The texts of that number.
    #[must_use]
    pub fn remark(&self, number: u32) -> Option<&Remark> {
        self.remarks.get(number as usize).map(Arc::as_ref)
    }
}
