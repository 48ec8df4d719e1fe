//! Changes of rules (`set`, model section 4): orders, fees and policies go by
//! the new ones at once, maintenance margin account by account, in chunks.

use super::chunks::Work;
use super::command::parse_instrument;
use super::input::{Fields, Json, Refusal};
use super::number::{Int, Rat, ppb, zero};
use super::state::{Instrument, PoolId, State, need, sum};
use super::tiers::Table;
use num_traits::Signed;
use serde_json::{Value, json};

/// What a position's requirement follows from.
#[derive(Clone)]
pub struct MarginRules {
    pub tiers: Table,
    pub close_fee: Rat,
    pub margin_calls: Vec<Int>,
}

/// The old rules, which hold for those that it has not reached.
#[derive(Clone)]
pub struct Change {
    before: MarginRules,
}

/// What an instrument is cannot change.
const FIXED: &[&str] = &["kind", "underlying", "settle", "tick", "lot", "multiplier", "fund"];

/// `close_fee_in_mm`: the taker fee; a rebate lowers nothing.
pub fn close_fee_rate(instrument: &Instrument) -> Rat {
    let fee = if instrument.close_fee_in_mm { instrument.taker_fee.clone().max(zero()) } else { zero() };
    Rat::new(fee, ppb())
}

fn margin_rules_of(instrument: &Instrument) -> MarginRules {
    MarginRules {
        tiers: instrument.tiers.clone(),
        close_fee: close_fee_rate(instrument),
        margin_calls: instrument.margin_calls.clone(),
    }
}

impl State {
    /// Those that hold for an account.
    pub fn margin_rules(&self, account: u64, i: usize) -> MarginRules {
        match self.change_before(account, i) {
            Some(change) => change.before.clone(),
            None => margin_rules_of(&self.instruments[i]),
        }
    }

    pub fn do_set(&mut self, symbol: &str, fields: &[(String, Json)], dry_run: bool) -> Result<(), Refusal> {
        let i = self.instrument_id(symbol)?;
        for (key, _) in fields {
            need(!FIXED.contains(&key.as_str()), "bad_value", format!("{key} cannot be changed"))?;
        }
        let changed = self.changed(i, fields)?;
        if dry_run {
            self.preview_set(i, changed);
            return Ok(());
        }
        let change = Change { before: margin_rules_of(&self.instruments[i]) };
        self.take_rules(i, changed);
        self.begin_job(i, "set", Work::Change(change));
        Ok(())
    }

    /// The instrument as if it had been declared so.
    fn changed(&self, i: usize, fields: &[(String, Json)]) -> Result<Instrument, Refusal> {
        let named = |key: &str| fields.iter().find(|(k, _)| k == key).map(|(_, json)| json);
        let was_by_size = self.instruments[i].tiers.rows.is_empty();
        let is_by_size = match named("tier_rule") {
            Some(Json::Text(rule)) => rule == "linear",
            _ => was_by_size,
        };
        let mut merged: Vec<(String, Json)> = Vec::new();
        for (key, json) in &self.instruments[i].entries {
            let of_old_rule = ["tiers", "base", "slope", "im_base"].contains(&key.as_str());
            let dropped = of_old_rule && was_by_size != is_by_size;
            let unlisted = key == "fraction" && named("reduce").is_some(); // with it would come its own
            if named(key).is_none() && !dropped && !unlisted {
                merged.push((key.clone(), if key == "tiers" { without_deductions(json) } else { json.clone() }));
            }
        }
        for (key, json) in fields {
            let old = self.instruments[i].entries.iter().find(|(k, _)| k == key).map(|(_, old)| old);
            merged.push((key.clone(), if key == "funding" { changed_funding(old, json) } else { json.clone() }));
        }
        let rows = merged.iter().any(|(key, _)| key == "tiers");
        if !is_by_size && !rows {
            merged.push(("tiers".to_string(), Json::List(Vec::new()))); // a table without a row
        }
        self.instrument_of(&parse_instrument(&Fields { entries: merged })?)
    }

    /// What can change; all else stays.
    fn take_rules(&mut self, i: usize, changed: Instrument) {
        let instrument = &mut self.instruments[i];
        instrument.entries = changed.entries;
        instrument.tiers = changed.tiers;
        instrument.maker_fee = changed.maker_fee;
        instrument.taker_fee = changed.taker_fee;
        instrument.liquidation_fee = changed.liquidation_fee;
        instrument.close_fee_in_mm = changed.close_fee_in_mm;
        instrument.reduce = changed.reduce;
        instrument.fraction = changed.fraction;
        instrument.adl_rank = changed.adl_rank;
        instrument.adl_price = changed.adl_price;
        instrument.pacing = changed.pacing;
        instrument.chunk = changed.chunk;
        instrument.margin_calls = changed.margin_calls;
        instrument.count_profits = changed.count_profits;
        instrument.limits = changed.limits;
        instrument.airlock = changed.airlock;
        instrument.says_prices = changed.says_prices;
        self.change_pricing(i, changed.pricing);
    }

    pub fn end_change(&mut self) {
        let i = self.jobs.remove(0).instrument;
        self.emit("settled", json!({"symbol": self.instruments[i].symbol, "what": "set"}));
    }

    /// Who would be in breach if all were under the new rules.
    fn preview_set(&mut self, i: usize, changed: Instrument) {
        let mut then = self.clone();
        then.take_rules(i, changed);
        let pools = then.all_pools().into_iter();
        let pools: Vec<PoolId> = pools
            .filter(|&pool| !then.is_locked(pool) && then.pool_positions(pool).iter().any(|at| at.i == i))
            .filter(|&pool| then.in_breach(pool))
            .collect();
        let asset = self.settle_of(i);
        let fields = json!({
            "op": "set",
            "symbol": self.instruments[i].symbol,
            "pools": then.show_pools(&pools),
            "notional": self.show_money(asset, &sum(pools.iter().map(|&pool| then.pool_notional(pool)))),
            "fund_loss": self.show_money(asset, &sum(pools.iter().map(|&pool| then.loss_of(pool)))),
        });
        self.emit("dry_run", fields);
    }

    pub fn show_pools(&self, pools: &[PoolId]) -> Vec<Value> {
        let show = |&pool: &PoolId| {
            let asset = self.pool_asset(pool);
            json!({
                "account": pool.account,
                "pool": self.pool_name(pool),
                "equity": self.show_money(asset, &self.equity(pool)),
                "mm": self.show_money(asset, &self.mm(pool)),
                "ratio": self.show_ratio(pool),
            })
        };
        pools.iter().map(show).collect()
    }

    /// Of all its positions.
    pub fn pool_notional(&self, pool: PoolId) -> Int {
        let list = self.pool_positions(pool).into_iter();
        sum(list.map(|at| self.notional(at.i, &self.position(pool.account, at))))
    }

    /// What the fund would lose by the pool: what it is below zero.
    pub fn loss_of(&self, pool: PoolId) -> Int {
        let equity = self.equity(pool);
        if equity.is_negative() { -equity } else { zero() }
    }
}

/// They were checked when they came.
fn without_deductions(tiers: &Json) -> Json {
    let Json::List(rows) = tiers else {
        return tiers.clone();
    };
    let stripped = |row: &Json| match row {
        Json::Object(entries) => Json::Object(entries.iter().filter(|(key, _)| key != "deduction").cloned().collect()),
        other => other.clone(),
    };
    Json::List(rows.iter().map(stripped).collect())
}

/// The rate is given anew as a whole; a chunk alone leaves it, and is left where it is not named.
fn changed_funding(old: Option<&Json>, new: &Json) -> Json {
    let (Some(Json::Object(old)), Json::Object(new)) = (old, new) else {
        return new.clone();
    };
    let chunk_alone = new.iter().all(|(key, _)| key == "chunk");
    let named = |key: &String| new.iter().any(|(k, _)| k == key);
    let kept = old.iter().filter(|(key, _)| !named(key) && (chunk_alone || key == "chunk"));
    Json::Object(kept.chain(new).cloned().collect())
}
