//! Two-phase withdrawals: money is put aside, then leaves or returns.

use super::Shard;
use crate::command::OffGrid;
use crate::market::{AssetId, Market};
use crate::refusal::Refusal;

impl Shard {
    /// Puts an amount aside, as far as it could be withdrawn.
    ///
    /// # Errors
    ///
    /// Those of a withdrawal, or an id in use.
    pub(crate) fn hold(
        &mut self,
        market: &Market,
        account: u32,
        hold: u64,
        (asset, amount): (AssetId, i64),
        off_grid: OffGrid,
    ) -> Result<(), Refusal> {
        let pool = self.check_withdrawal(market, account, asset, amount, off_grid)?;
        if self.holds.contains_key(&(account, hold)) {
            return Err(Refusal::DuplicateHold { account: self.accounts[account as usize].id, hold });
        }
        self.holds.insert((account, hold), (asset, amount));
        self.note_hold((account, hold), (asset, amount), true);
        self.sums[asset.index()].held += i128::from(amount);
        self.credit(pool, -i128::from(amount));
        Ok(())
    }

    /// A hold leaves the venue.
    ///
    /// # Errors
    ///
    /// No such hold.
    pub(crate) fn commit(&mut self, account: u32, hold: u64) -> Result<(), Refusal> {
        let (asset, amount) = self.take_hold(account, hold)?;
        self.sums[asset.index()].withdrawals += amount;
        Ok(())
    }

    /// A hold returns to the balance: welcome in a liquidation too, as a deposit is.
    ///
    /// # Errors
    ///
    /// No such hold.
    pub(crate) fn release(&mut self, account: u32, hold: u64) -> Result<(), Refusal> {
        let (asset, amount) = self.take_hold(account, hold)?;
        let pool = self.cross_pool(account, asset);
        self.credit(pool, amount);
        Ok(())
    }

    fn take_hold(&mut self, account: u32, hold: u64) -> Result<(AssetId, i128), Refusal> {
        let unknown = Refusal::UnknownHold { account: self.accounts[account as usize].id, hold };
        let (asset, amount) = self.holds.remove(&(account, hold)).ok_or(unknown)?;
        self.note_hold((account, hold), (asset, amount), false);
        let amount = i128::from(amount);
        self.sums[asset.index()].held -= amount;
        Ok((asset, amount))
    }
}
