//! Two-phase withdrawals (model section 10, "Holds").

use super::input::{Refusal, refuse};
use super::number::{Int, Rat};
use super::state::{Hold, State, need, sum};

impl State {
    /// Refused as a withdrawal would be; then for an id that is taken.
    pub fn do_hold(&mut self, account: u64, hold: u64, asset: &str, amount: &Rat) -> Result<(), Refusal> {
        let (asset, amount) = self.withdrawable(account, asset, amount)?;
        let taken = self.accounts[&account].holds.contains_key(&hold);
        need(!taken, "duplicate", format!("hold {hold} is open"))?;
        self.cross_mut(account, asset).balance -= &amount;
        self.holds_mut(account).insert(hold, Hold { asset, amount });
        Ok(())
    }

    /// The amount becomes a withdrawal.
    pub fn do_commit(&mut self, account: u64, hold: u64) -> Result<(), Refusal> {
        let Hold { asset, amount } = self.end_hold(account, hold)?;
        self.assets[asset].withdrawals += amount;
        Ok(())
    }

    /// The amount goes back to the balance, as welcome as a deposit.
    pub fn do_release(&mut self, account: u64, hold: u64) -> Result<(), Refusal> {
        let Hold { asset, amount } = self.end_hold(account, hold)?;
        self.cross_mut(account, asset).balance += amount;
        Ok(())
    }

    fn end_hold(&mut self, account: u64, hold: u64) -> Result<Hold, Refusal> {
        self.need_account(account)?;
        match self.holds_mut(account).remove(&hold) {
            Some(ended) => Ok(ended),
            None => refuse("bad_value", format!("hold {hold} is not open")),
        }
    }

    /// What all accounts have on hold of an asset.
    pub fn held(&self, asset: usize) -> Int {
        let holds = self.accounts.values().flat_map(|a| a.holds.values());
        sum(holds.filter(|h| h.asset == asset).map(|h| h.amount.clone()))
    }
}
