//! The invariants 1, 2 and 3 of model section 8.

use super::number::{Int, zero};
use super::state::{Cancelling, Owner, State, sum};
use num_traits::{Signed, Zero};

impl State {
    pub fn check(&self) -> Result<(), String> {
        for asset in 0..self.assets.len() {
            let totals = self.asset_totals(asset);
            let difference = &totals[totals.len() - 1].1;
            if !difference.is_zero() {
                return Err(format!("books of {}: {totals:?}", self.assets[asset].name));
            }
        }
        for i in 0..self.instruments.len() {
            let net = sum(self.all_sizes(i));
            if !net.is_zero() {
                return Err(format!("{}: sizes sum to {net}", self.instruments[i].symbol));
            }
        }
        self.check_venue_orders()?;
        let checks = self.pool_checks.get();
        let late = self.unlocked_breach();
        self.pool_checks.set(checks); // this one is not the engine's
        match late {
            Some(pool) => Err(format!("account {}: {} is in breach", pool.account, self.pool_name(pool))),
            None => Ok(()),
        }
    }

    /// A standing order wants no more than it has open and its position has; its
    /// pool is locked, and waits for nothing else.
    fn check_venue_orders(&self) -> Result<(), String> {
        for order in &self.standing {
            let id = order.id;
            let sane = match order.owner {
                Owner::Pool(pool) => {
                    let position = self.position(pool.account, order.at);
                    let alone = self.standing.iter().filter(|o| o.owner == order.owner).count() == 1;
                    let cancelled = self.cancelling(pool) == Cancelling::Done;
                    self.is_locked(pool)
                        && alone
                        && cancelled
                        && position.closed_by(order.side, &order.rest) == order.rest
                }
                Owner::Fund => self.inventory(order.at.i).closed_by(order.side, &order.rest) == order.rest,
            };
            if !sane || !order.rest.is_positive() || order.rest > order.open {
                return Err(format!("liquidation {id}: rest {}, open {}", order.rest, order.open));
            }
        }
        match self.ended.iter().find(|order| !order.open.is_positive()) {
            Some(order) => Err(format!("liquidation {} is kept with nothing open", order.id)),
            None => Ok(()),
        }
    }

    /// `balances + isolated + held + funds + fees + venue − Σ C` against deposits less
    /// withdrawals; the difference comes last.
    pub fn asset_totals(&self, asset: usize) -> Vec<(&'static str, Int)> {
        let a = &self.assets[asset];
        let settled = |i: usize| self.settle_of(i) == asset;
        let accounts = || self.accounts.values();
        let balances = sum(accounts().filter_map(|c| c.pools.get(&asset)).map(|p| p.balance.clone()));
        let holdings = || accounts().flat_map(|c| c.holdings.iter()).filter(|(at, _)| settled(at.i));
        let isolated = sum(holdings().map(|(_, h)| h.margin.clone()));
        let own_funds = || self.funds.iter().filter(|f| f.asset == asset);
        let funds = sum(own_funds().map(|f| f.balance.clone()));
        let held = self.held(asset);
        let positions = sum(holdings().map(|(_, h)| h.position.cost.clone()));
        let inventories = sum(own_funds().flat_map(|f| f.inventory.values()).map(|p| p.cost.clone()));
        let at_venue = self.instruments.iter().filter(|i| i.settle == asset);
        let open_cost = positions + inventories + sum(at_venue.map(|i| i.venue.cost.clone()));
        let difference =
            &balances + &isolated + &held + &funds + &a.fees + &a.venue - &open_cost - (&a.deposits - &a.withdrawals);
        vec![
            ("deposits", a.deposits.clone()),
            ("withdrawals", a.withdrawals.clone()),
            ("balances", balances),
            ("isolated", isolated),
            ("held", held),
            ("settling", zero()), // no settlement runs between lines
            ("funds", funds),
            ("fees", a.fees.clone()),
            ("venue", a.venue.clone()),
            ("open_cost", open_cost),
            ("difference", difference),
        ]
    }
}
