//! What would be: who is in breach in a market that is not there yet.

use super::store::Holding;
use super::{Margin, Shard};
use crate::controls::{Mode, Scope};
use crate::event::PoolName;
use crate::market::{InstrumentId, Market};

/// A pool that would be in breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreviewPool {
    /// Whose.
    pub account: u64,
    /// Which.
    pub name: PoolName,
    /// Its margin then.
    pub margin: Margin,
    /// The notional of all its positions then, in quanta.
    pub notional: i128,
}

/// All pools that would be in breach, by account and pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// Each of them.
    pub pools: Vec<PreviewPool>,
}

impl Preview {
    /// What all of them hold, in quanta.
    #[must_use]
    pub fn notional(&self) -> i128 {
        self.pools.iter().map(|pool| pool.notional).sum()
    }

    /// What they lack, in quanta: the fund's to bear.
    #[must_use]
    pub fn fund_loss(&self) -> i128 {
        self.pools.iter().map(|pool| -pool.margin.equity.min(0)).sum()
    }

    /// Puts what several shards found in order.
    pub(crate) fn sort(&mut self) {
        self.pools.sort_unstable_by_key(|pool| (pool.account, pool.name));
    }
}

/// What pools that would be in breach come to, without their names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Breaches {
    /// Whose they are: accounts, each once.
    pub(crate) accounts: u64,
    /// Of their positions with a living mark, in quanta.
    pub(crate) notional: i128,
    /// What they lack, in quanta.
    pub(crate) fund_loss: i128,
}

impl Shard {
    /// Adds the pools that hold an instrument, are not in liquidation, and would be in breach in this market: as [`Shard::preview`],
    /// without a list of them.
    pub(crate) fn count_breaches(&self, market: &Market, instrument: InstrumentId, found: &mut Breaches) {
        let holds = |at: u32| {
            let holding = &self.holdings[at as usize];
            holding.instrument == instrument && holding.position.quantity != 0
        };
        for &holding in &self.holders[instrument.index()] {
            let pool = self.holdings[holding as usize].pool;
            // Both legs may be in one pool: it counts with the first.
            if self.holdings_of(pool).find(|&at| holds(at)) != Some(holding) {
                continue;
            }
            let Some(margin) = self.breach_in(market, pool) else { continue };
            // Or each in its own: the account counts with the first.
            let counted = self
                .pools_of(self.pools[pool as usize].account)
                .take_while(|&other| other != pool)
                .any(|other| self.holdings_of(other).any(holds) && self.breach_in(market, other).is_some());
            found.accounts += u64::from(!counted);
            found.fund_loss -= margin.equity.min(0);
            let notional = self.holdings_of(pool).map(|at| {
                let holding = &self.holdings[at as usize];
                let instrument = market.instrument(holding.instrument);
                if instrument.lives() { holding.position.notional(instrument) } else { 0 }
            });
            found.notional += notional.sum::<i128>();
        }
    }

    /// The margin of a pool, if it is not in liquidation and would be in breach.
    fn breach_in(&self, market: &Market, pool: u32) -> Option<Margin> {
        let margin = self.evaluate(market, pool);
        (!self.pools[pool as usize].is_locked() && margin.in_breach()).then_some(margin)
    }

    /// Adds the pools that hold an instrument, are not in liquidation, and would be in breach in this market.
    pub(crate) fn preview(&self, market: &Market, instrument: InstrumentId, preview: &mut Preview) {
        let mut pools: Vec<u32> =
            self.holders[instrument.index()].iter().map(|&at| self.holdings[at as usize].pool).collect();
        pools.sort_unstable();
        pools.dedup();
        for pool in pools {
            let margin = self.evaluate(market, pool);
            if !self.pools[pool as usize].is_locked() && margin.in_breach() {
                self.add_to(preview, market, pool, margin);
            }
        }
    }

    /// Adds the pools of a scope that are in breach, those in liquidation too, and would be reduced or taken over under
    /// another mode of it: `after` is the market as it would be.
    pub(crate) fn preview_mode(
        &self,
        market: &Market,
        after: &Market,
        (scope, mode): (Scope, Mode),
        preview: &mut Preview,
    ) {
        let mut pools: Vec<u32> = match scope {
            Scope::All | Scope::Fund(_) => (0..self.pools.len() as u32).collect(),
            Scope::Instrument(id) => {
                self.holders[id.index()].iter().map(|&at| self.holdings[at as usize].pool).collect()
            }
            Scope::Account(account) => self.find(account).into_iter().flat_map(|at| self.pools_of(at)).collect(),
        };
        pools.sort_unstable();
        pools.dedup();
        for pool in pools {
            let margin = self.evaluate(market, pool);
            let of_account = if let Scope::Account(_) = scope { mode } else { self.mode_of(pool) };
            let goes_on = |holding: u32| {
                let Holding { position, instrument: id, .. } = self.holdings[holding as usize];
                let paused = after.has_mode(id, Mode::LiquidationPaused) || of_account == Mode::LiquidationPaused;
                position.quantity != 0 && after.instrument(id).lives() && !paused
            };
            if margin.in_breach() && self.holdings_of(pool).any(goes_on) {
                self.add_to(preview, market, pool, margin);
            }
        }
    }

    fn add_to(&self, preview: &mut Preview, market: &Market, pool: u32, margin: Margin) {
        let notional = self.holdings_of(pool).map(|at| {
            let holding = &self.holdings[at as usize];
            holding.position.notional(market.instrument(holding.instrument))
        });
        let (account, name) = (self.account_of(pool), self.pools[pool as usize].name);
        preview.pools.push(PreviewPool { account, name, margin, notional: notional.sum() });
    }
}
