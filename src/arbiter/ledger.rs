//! What the venue as a whole keeps: fees, payments in and out, and the external venue account.

use crate::command::Side;
use crate::market::{AssetId, InstrumentId, Market};
use crate::number::{Price, Quantity};
use crate::position::Position;

/// The sums that belong to no account, by asset or by instrument.
#[derive(Debug, Default)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Ledger {
    /// By asset, in quanta: payments into the funds.
    pub(crate) deposits: Vec<i128>,
    /// By asset, in quanta: the fee account.
    pub(crate) fees: Vec<i128>,
    /// By asset, in quanta: the external venue account's realised results.
    pub(crate) venue_balances: Vec<i128>,
    /// By instrument: the external venue account's positions.
    pub(crate) venue_positions: Vec<Position>,
    /// By instrument: long lots of the external venue account and of the inventory.
    #[cfg_attr(feature = "journal", serde(skip))]
    pub(crate) long_lots: Vec<i64>,
    /// The same as it was at the last `time`.
    pub(crate) lots_at_time: Vec<i64>,
    /// Whether the open interest is to be taken down at the next decision: a `time` has come.
    pub(crate) interest_due: bool,
}

impl Ledger {
    pub(super) fn add_asset(&mut self) {
        for column in [&mut self.deposits, &mut self.fees, &mut self.venue_balances] {
            column.push(0);
        }
    }

    pub(super) fn add_instrument(&mut self) {
        self.venue_positions.push(Position::default());
        self.long_lots.push(0);
        self.lots_at_time.push(0);
    }

    #[cfg(feature = "journal")]
    pub(super) fn has_lengths(&self, assets: usize, instruments: usize) -> bool {
        [&self.deposits, &self.fees, &self.venue_balances].into_iter().all(|column| column.len() == assets)
            && [self.venue_positions.len(), self.lots_at_time.len()] == [instruments; 2]
    }

    /// Whether what was read is what inputs can have led to.
    #[cfg(feature = "journal")]
    pub(super) fn is_sound(&self) -> bool {
        let sums = [&self.deposits, &self.fees, &self.venue_balances];
        sums.into_iter().flatten().all(|&sum| crate::snapshot::is_sum(sum))
            && self.venue_positions.iter().all(crate::shard::is_position)
            && self.lots_at_time.iter().all(|lots| (0..crate::number::LIMIT).contains(&i128::from(*lots)))
    }

    /// Counts the long lots of an instrument, of which the inventory has so many; in the order of instruments.
    #[cfg(feature = "journal")]
    pub(super) fn count_long(&mut self, id: InstrumentId, inventory: Quantity) {
        debug_assert_eq!(self.long_lots.len(), id.index(), "counted out of order: a kernel bug");
        self.long_lots.push(inventory + self.venue_positions[id.index()].quantity.max(0));
    }

    /// A `time` has come: the open interest that limits count is that of now.
    pub(crate) fn note_time(&mut self) {
        self.lots_at_time.copy_from_slice(&self.long_lots);
    }

    /// The external venue account takes the other side of `lots` that somebody traded on `side`; returns what rounding
    /// took from it.
    pub(crate) fn book_venue(
        &mut self,
        market: &Market,
        id: InstrumentId,
        side: Side,
        lots: Quantity,
        price: Price,
    ) -> i128 {
        let instrument = market.instrument(id);
        let position = &mut self.venue_positions[id.index()];
        let (before, change) = (position.quantity, side.opposite().signed(lots));
        let rounding = position.rounding(change, price, instrument);
        let realised = position.fill(change, price, instrument);
        self.long_lots[id.index()] += position.quantity.max(0) - before.max(0);
        self.venue_balances[instrument.spec.settle.index()] += realised;
        rounding
    }

    pub(crate) fn charge_fee(&mut self, asset: AssetId, fee: i128) {
        self.fees[asset.index()] += fee;
    }
}
