//! Step 1 of a liquidation: its orders are cancelled, at once or by a
//! handshake with the venue.

use super::command::PoolName;
use super::input::Refusal;
use super::state::{At, Cancelling, Leg, PoolId, PoolKind, State, need};
use serde_json::json;

impl State {
    /// Asked once a liquidation. True: the pool waits for the venue.
    pub fn cancel_orders(&mut self, pool: PoolId) -> bool {
        if self.cancelling(pool) != Cancelling::NotAsked {
            return false;
        }
        let ids = self.orders_of_pool(pool);
        if ids.is_empty() || !self.venue.cancel_ack {
            self.complete_cancelling(pool);
            return false;
        }
        self.lock_mut(pool).cancelling = Cancelling::Requested { since: self.now };
        let fields = json!({"account": pool.account, "pool": self.pool_name(pool), "orders": ids});
        self.emit("cancel_requested", fields);
        true
    }

    /// What is still open is cancelled.
    fn complete_cancelling(&mut self, pool: PoolId) {
        self.lock_mut(pool).cancelling = Cancelling::Done;
        let ids = self.orders_of_pool(pool);
        if ids.is_empty() {
            return;
        }
        self.orders_mut(pool.account).retain(|o| !ids.contains(&o.id));
        let fields = json!({"account": pool.account, "pool": self.pool_name(pool), "orders": ids});
        self.emit("orders_cancelled", fields);
    }

    /// A cross pool's include those on isolated instruments of its asset.
    pub fn orders_of_pool(&self, pool: PoolId) -> Vec<u64> {
        let belongs = |at: At| match pool.kind {
            PoolKind::Cross(asset) => self.settle_of(at.i) == asset,
            PoolKind::Isolated(only) => at == only,
        };
        let orders = self.accounts[&pool.account].orders.iter();
        orders.filter(|o| belongs(o.at)).map(|o| o.id).collect()
    }

    /// The venue has cancelled, after that many executions of the account.
    pub fn do_cancel_ack(&mut self, account: u64, name: &PoolName, execution: u64) -> Result<(), Refusal> {
        let kind = match name {
            PoolName::Cross(asset) => PoolKind::Cross(self.asset_id(asset)?),
            PoolName::Isolated(name) => PoolKind::Isolated(self.named_place(name)?),
        };
        self.need_account(account)?;
        let pool = PoolId { account, kind };
        let asked = matches!(self.cancelling(pool), Cancelling::Requested { .. });
        need(asked, "bad_value", format!("{} waits for no cancellation", self.pool_name(pool)))?;
        self.lock_mut(pool).cancelling = Cancelling::Acknowledged { since: self.now, execution };
        self.complete_due_cancelling(account);
        Ok(())
    }

    /// `BTCUSDT`, `BTCUSDT:long`: a symbol may have colons of its own.
    fn named_place(&self, name: &str) -> Result<At, Refusal> {
        let (symbol, leg) = match name.rsplit_once(':') {
            Some((symbol, word)) if word == "long" || word == "short" => (symbol, Leg::read(word)),
            _ => (name, Leg::Net),
        };
        Ok(At { i: self.instrument_id(symbol)?, leg })
    }

    /// One more execution of the account is booked.
    pub fn count_execution(&mut self, account: u64) {
        self.accounts.get_mut(&account).expect("account was checked").executions += 1;
        self.complete_due_cancelling(account);
    }

    /// Pools that were acknowledged, and whose execution is booked.
    fn complete_due_cancelling(&mut self, account: u64) {
        let booked = self.accounts[&account].executions;
        for pool in self.all_pools().into_iter().filter(|pool| pool.account == account) {
            if let Cancelling::Acknowledged { execution, .. } = self.cancelling(pool)
                && execution <= booked
            {
                self.complete_cancelling(pool);
            }
        }
    }
}
