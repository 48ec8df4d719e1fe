//! What waits for the venue, and since when (`get health`).

use super::state::{Cancelling, Owner, PoolId, State, VenueOrder};
use serde_json::{Value, json};

impl State {
    pub fn answer_health(&self) -> Value {
        let pools = self.all_pools();
        let locked = pools.iter().filter(|&&pool| self.is_locked(pool)).count();
        let mut waiting: Vec<Value> = pools.iter().filter_map(|&pool| self.show_waiting_pool(pool)).collect();
        let mut unwinding: Vec<&VenueOrder> = self.standing.iter().filter(|o| o.owner == Owner::Fund).collect();
        unwinding.sort_by_key(|order| order.at.i);
        for order in unwinding {
            let symbol = &self.instruments[order.at.i].symbol;
            waiting.push(self.show_waiting_order(json!("fund"), symbol, order));
        }
        json!({"locked": locked, "waiting": waiting})
    }

    fn show_waiting_pool(&self, pool: PoolId) -> Option<Value> {
        let name = self.pool_name(pool);
        if let Some(order) = self.standing.iter().find(|o| o.owner == Owner::Pool(pool)) {
            return Some(self.show_waiting_order(json!(pool.account), &name, order));
        }
        let (state, since) = match self.cancelling(pool) {
            Cancelling::Requested { since } => ("cancel_requested", since),
            Cancelling::Acknowledged { since, .. } => ("cancel_acknowledged", since),
            Cancelling::NotAsked | Cancelling::Done => return None,
        };
        Some(json!({
            "account": pool.account,
            "pool": name,
            "state": state,
            "liquidation": null,
            "since": since,
            "overdue": self.now - since >= self.venue.cancel_timeout,
        }))
    }

    fn show_waiting_order(&self, account: Value, pool: &str, order: &VenueOrder) -> Value {
        json!({
            "account": account,
            "pool": pool,
            "state": if order.unknown { "unknown" } else { "order_out" },
            "liquidation": order.id,
            "since": order.since,
            "overdue": self.now - order.since >= self.venue.order_timeout,
        })
    }
}
