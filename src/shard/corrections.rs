//! Corrections, as far as they concern the accounts of a shard.

use super::{Outbox, Shard};
use crate::command::{Fill, PositionSide};
use crate::market::{AssetId, InstrumentId, Market};
use crate::number::LIMIT;
use crate::refusal::Refusal;
use crate::sequencer::Found;

impl Shard {
    /// Books the fill that undoes another, on the sides that are here, and gives back what each was charged, in quanta.
    pub(crate) fn book_bust(
        &mut self,
        market: &Market,
        undone: &Fill,
        (fee, counter_fee): (i128, i128),
        outbox: &mut impl Outbox,
    ) {
        self.book_sides(market, undone, &Found::default(), ((-fee, -counter_fee), false), outbox);
    }

    /// Books money that a position should have brought, in quanta, as a funding payment is booked: on the margin of the
    /// position if it is isolated and open, else on the balance.
    pub(crate) fn pay_holder(
        &mut self,
        market: &Market,
        account: u32,
        (instrument, side): (InstrumentId, Option<PositionSide>),
        amount: i128,
    ) {
        let open = |holding: &u32| self.holdings[*holding as usize].position.quantity != 0;
        let pool = match self.holding(account, instrument, side).filter(open) {
            Some(holding) => self.holdings[holding as usize].pool,
            None => self.cross_pool(account, market.instrument(instrument).spec.settle),
        };
        self.credit(pool, amount);
    }

    /// Whether a balance may be changed by `amount`, in quanta: it may become negative.
    ///
    /// # Errors
    ///
    /// A balance of 2^62 and more.
    pub(crate) fn check_change(&self, account: u32, asset: AssetId, amount: i64) -> Result<(), Refusal> {
        let after = self.balance(account, asset) + i128::from(amount);
        if after < LIMIT { Ok(()) } else { Err(Refusal::Overflow { what: "the balance" }) }
    }

    /// Changes a balance by money that came from outside, or, negative, should never have come.
    pub(crate) fn adjust(&mut self, account: u32, asset: AssetId, amount: i64) {
        self.sums[asset.index()].deposits += i128::from(amount);
        self.change_balance(account, asset, amount);
    }

    /// Changes a balance by what somebody else at the venue gives.
    pub(crate) fn change_balance(&mut self, account: u32, asset: AssetId, amount: i64) {
        let pool = self.cross_pool(account, asset);
        self.credit(pool, i128::from(amount));
    }
}
