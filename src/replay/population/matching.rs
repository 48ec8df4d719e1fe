//! Who trades with whom, and at which price.

use super::Listing;
use super::tables::{AGE_OVER_LEVERAGE_PPB, AGE_PPB};
use crate::command::{PositionSide, Side};
use crate::market::{Instrument, InstrumentId};
use crate::number::{LEVERAGE_ONE, PPB, Price, Quantity, mul_div_floor};
use crate::replay::random::Random;
use std::collections::VecDeque;

/// A position in the making.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    pub(super) account: u64,
    pub(super) instrument: InstrumentId,
    pub(super) side: Side,
    /// Whether it is a leg of an account in hedge mode.
    pub(super) leg: bool,
    /// In hundredths.
    pub(super) leverage: u32,
    /// Lots that it wants, and has; neither signed.
    pub(super) wanted: Quantity,
    pub(super) filled: Quantity,
    /// Signed, in quanta.
    pub(super) cost: i128,
}

impl Default for Holder {
    fn default() -> Self {
        Self {
            account: 0,
            instrument: InstrumentId(0),
            side: Side::Buy,
            leg: false,
            leverage: LEVERAGE_ONE,
            wanted: 0,
            filled: 0,
            cost: 0,
        }
    }
}

impl Holder {
    /// Which leg it is, of an account in hedge mode.
    pub(super) fn position_side(&self) -> Option<PositionSide> {
        self.leg.then_some(match self.side {
            Side::Buy => PositionSide::Long,
            Side::Sell => PositionSide::Short,
        })
    }
}

/// A fill to be booked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trade {
    pub(super) counterparty: u64,
    pub(super) counter_position_side: Option<PositionSide>,
    pub(super) lots: Quantity,
    pub(super) price: Price,
    /// The counterparty's place among the holders.
    place: usize,
}

/// All positions so far, and those that still lack a counterparty.
#[derive(Debug)]
pub(super) struct Matching {
    pub(super) holders: Vec<Holder>,
    /// By instrument: places of holders with lots to fill, all of one side, first come first served.
    waiting: Vec<VecDeque<usize>>,
    /// By instrument, in ticks.
    starts: Vec<Price>,
}

impl Matching {
    pub(super) fn new(listings: &[Listing]) -> Self {
        let starts: Vec<Price> = listings.iter().map(|listing| listing.start).collect();
        Self { holders: Vec::new(), waiting: vec![VecDeque::new(); starts.len()], starts }
    }

    /// The side that would find a counterparty at once.
    pub(super) fn lacking(&self, instrument: InstrumentId) -> Option<Side> {
        self.waiting[instrument.index()].front().map(|&place| self.holders[place].side.opposite())
    }

    /// Adds a position that has nothing yet; returns its place.
    pub(super) fn add(&mut self, holder: Holder) -> usize {
        self.holders.push(holder);
        self.holders.len() - 1
    }

    /// The next trade of the holder that was added last; none when it has all, or waits from now on. What would meet the
    /// other leg of its own account goes without.
    pub(super) fn next(&mut self, place: usize, random: &mut Random) -> Option<Trade> {
        let holder = self.holders[place];
        let rest = holder.wanted - holder.filled;
        if rest == 0 {
            return None;
        }
        let waiting = &mut self.waiting[holder.instrument.index()];
        let first = waiting.front().map(|&at| (at, self.holders[at])).filter(|(_, first)| first.side != holder.side);
        let Some((at, counter)) = first else {
            waiting.push_back(place);
            return None;
        };
        if counter.account == holder.account {
            return None;
        }
        let lots = rest.min(counter.wanted - counter.filled);
        let price = entry(self.starts[holder.instrument.index()], holder.leverage.max(counter.leverage), random);
        let counter_position_side = counter.position_side();
        Some(Trade { counterparty: counter.account, counter_position_side, lots, price, place: at })
    }

    /// Notes that the trade was booked.
    pub(super) fn book(&mut self, place: usize, trade: &Trade, instruments: &[Instrument]) {
        for at in [place, trade.place] {
            let holder = &mut self.holders[at];
            holder.filled += trade.lots;
            holder.cost += instruments[holder.instrument.index()].cost(holder.side.signed(trade.lots), trade.price);
        }
        let counter = &self.holders[trade.place];
        if counter.filled == counter.wanted {
            self.waiting[counter.instrument.index()].pop_front();
        }
    }
}

/// An entry price some way off the starting price, in ticks; the higher the leverage, the nearer.
fn entry(start: Price, leverage: u32, random: &mut Random) -> Price {
    let bound = AGE_PPB.min(AGE_OVER_LEVERAGE_PPB * u64::from(LEVERAGE_ONE) / u64::from(leverage.max(LEVERAGE_ONE)));
    let factor = PPB - bound + random.below(2 * bound + 1);
    let price = mul_div_floor(i128::from(start), i128::from(factor), i128::from(PPB));
    Price::try_from(price).unwrap_or(start).max(1)
}
