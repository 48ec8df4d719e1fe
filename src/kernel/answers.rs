//! What the inline kernel answers when asked: all of it from its [`Overview`](super::Overview).

use super::{AssetTotals, FundView, InstrumentTotals, Kernel, QueueEntry};
use crate::market::{FundId, InstrumentId};
use crate::number::{Price, Quantity};
use crate::refusal::Refusal;
use crate::shard::{AccountView, LadderRung};

impl Kernel {
    /// The ids of all accounts, ascending.
    #[must_use]
    pub fn accounts(&self) -> Vec<u64> {
        self.overview().accounts()
    }

    /// The ids of the accounts in hedge mode, in no particular order.
    pub(crate) fn hedging(&self) -> Vec<u64> {
        self.shards.iter().flat_map(|shard| shard.hedging()).collect()
    }

    /// Everything of an account.
    ///
    /// # Errors
    ///
    /// [`Refusal::UnknownAccount`].
    pub fn account(&self, account: u64) -> Result<AccountView, Refusal> {
        self.overview().account(account)
    }

    /// A fund.
    ///
    /// # Errors
    ///
    /// [`Refusal::UnknownFund`].
    pub fn fund(&self, fund: FundId) -> Result<FundView, Refusal> {
        self.overview().fund(fund)
    }

    /// Best bid and ask of the simulated venue, in ticks.
    #[must_use]
    pub fn top_of_book(&self, instrument: InstrumentId) -> (Option<Price>, Option<Price>) {
        self.overview().top_of_book(instrument)
    }

    /// Long lots over accounts, funds and the external venue account.
    #[must_use]
    pub fn open_interest_of(&self, instrument: InstrumentId) -> Quantity {
        self.overview().open_interest_of(instrument)
    }

    /// The queue of deleveraging of one side, first to be deleveraged first.
    #[must_use]
    pub fn adl_queue(&self, instrument: InstrumentId, long: bool) -> Vec<QueueEntry> {
        self.overview().adl_queue(instrument, long)
    }

    /// What would be liquidated at which price, from the mark outward; none without a mark.
    #[must_use]
    pub fn ladder(&self, instrument: InstrumentId) -> Option<Vec<(i128, LadderRung)>> {
        self.overview().ladder(instrument)
    }

    /// The books of every asset, in asset order.
    #[must_use]
    pub fn asset_totals(&self) -> Vec<AssetTotals> {
        self.overview().asset_totals()
    }

    /// The positions of every instrument, in instrument order.
    #[must_use]
    pub fn instrument_totals(&self) -> Vec<InstrumentTotals> {
        self.overview().instrument_totals()
    }

    /// Number of positions of accounts.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.overview().positions()
    }

    /// Number of pools, those without a position included.
    #[must_use]
    pub fn pools(&self) -> usize {
        self.overview().pools()
    }

    /// Evaluates `count` pools in full, from the `from`-th on and round again, whatever their certificates say.
    ///
    /// Returns how many of them are missed: in breach at a living mark, and not in liquidation. Always 0.
    #[must_use]
    pub fn audit(&self, from: usize, count: usize) -> usize {
        self.overview().audit(from, count)
    }
}
