//! What waits for the venue, and since when (`get health`); what a watchdog finds wrong (`health`).

use super::controls::Mode;
use super::input::Refusal;
use super::state::{Cancelling, Owner, PoolId, State, VenueOrder};
use serde_json::{Value, json};

pub const STATES: &[&str] =
    &["stalled_worker", "silent_feed", "silent_venue", "queue_near_full", "slow_journal", "standby_behind"];

impl State {
    /// Something is wrong, or no more: told where that was not so before. Its mode holds as long, beside all others.
    pub fn do_health(&mut self, state: usize, symbol: Option<&str>, active: bool, mode: Mode) -> Result<(), Refusal> {
        let i = symbol.map(|symbol| self.instrument_id(symbol)).transpose()?;
        let before = if active { self.ill.insert((state, i), mode) } else { self.ill.remove(&(state, i)) };
        if before == active.then_some(mode) {
            return Ok(());
        }
        let mut fields = self.show_ill(state, i, mode);
        fields["active"] = json!(active);
        if !active {
            fields.as_object_mut().expect("an object").remove("mode");
        }
        self.emit("health", fields);
        for i in 0..self.instruments.len() {
            self.follow_mode(i);
        }
        Ok(())
    }

    pub fn holds_by_health(&self, i: usize, mode: Mode) -> bool {
        self.ill.iter().any(|(&(_, of), &by)| by == mode && of.is_none_or(|of| of == i))
    }

    fn show_ill(&self, state: usize, i: Option<usize>, mode: Mode) -> Value {
        let mut shown = json!({"state": STATES[state], "active": true, "mode": mode.word()});
        if let Some(i) = i {
            shown["symbol"] = json!(self.instruments[i].symbol);
        }
        shown
    }

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
        let mut answer = json!({"locked": locked, "waiting": waiting});
        if !self.ill.is_empty() {
            let states = self.ill.iter().map(|(&(state, i), &mode)| self.show_ill(state, i, mode));
            answer["states"] = states.collect();
        }
        answer
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
