//! What scripts have led to: events by kind, and situations that only the state before a line tells apart.

use super::contracts::LETTERS;
use crate::reference::Reference;
use crate::reference::view::{AwaitedCancel, SentOrder};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How often each kind was seen.
#[derive(Default)]
pub struct Coverage(BTreeMap<String, u64>);

/// What was under way before a line.
pub struct Before {
    op: String,
    standing: Vec<SentOrder>,
    ended: Vec<SentOrder>,
    awaited: Vec<AwaitedCancel>,
    /// Whether the line is a book whose bid is above its ask.
    crossed: bool,
}

impl Before {
    pub fn of(reference: &Reference, line: &str) -> Self {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        Self {
            op: line["op"].as_str().unwrap_or_default().to_owned(),
            standing: reference.standing_orders(),
            ended: reference.ended_orders(),
            awaited: reference.awaited_cancels(),
            crossed: line["op"] == "book" && is_crossed(&line),
        }
    }
}

fn is_crossed(book: &Value) -> bool {
    let price = |name: &str| book[name].as_str().and_then(|price| price.parse::<f64>().ok());
    let above = |bid, ask| matches!((price(bid), price(ask)), (Some(bid), Some(ask)) if bid > ask);
    above("bid", "ask") || above("impact_bid", "impact_ask")
}

impl Coverage {
    /// Counts the events of line `seq`.
    pub fn count(&mut self, before: &Before, seq: u64, events: &[Value]) {
        if before.crossed && events.iter().all(|event| event["ev"] != "rejected") {
            self.saw("crossed book taken");
        }
        for event in events {
            let word = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            let reason = if word("ev") == "fund" { word("reason") } else { String::new() };
            let detail = [word("code"), reason, word("outcome"), word("step")].concat();
            self.saw(&format!("{} {detail}", word("ev")));
            self.count_contract(event);
            if event["seq"] != seq {
                self.saw(&format!("{} again", word("ev")));
            }
            match &*word("ev") {
                "liquidation_fill" => self.count_fill(before, event),
                "orders_cancelled" => self.count_cancelled(before, event),
                "health" => self.count_health(event),
                "fund_drawdown" if event["active"] == json!(true) => self.saw("fund_drawdown begins"),
                "fund_drawdown" => self.saw("fund_drawdown ends"),
                "adl_report" if event["largest"].is_null() => self.saw("adl_report of none"),
                "liquidation_started" => self.count_start(event),
                "mark_frozen" if event["cause"] == "halted" => self.saw("mark_frozen by a mode"),
                "mode" => self.count_mode(event),
                "dry_run" if event["pools"] != json!([]) => {
                    self.saw(&format!("dry_run of {} finds somebody", event["op"].as_str().unwrap_or_default()));
                }
                "corrected" => self.saw(&format!("corrected by {}", event["op"].as_str().unwrap_or_default())),
                "funding" if before.op != "funding" => self.saw("funding by itself"),
                "rejected" if before.crossed && event["reason"] == "crossed" => self.saw("crossed book refused"),
                "rejected" if event["code"] == "limit" => {
                    // The reference begins the reason with the name of the limit.
                    let name = word("reason").split(':').next().unwrap_or_default().to_owned();
                    self.saw(&format!("rejected limit of {name}"));
                    if word("reason").contains("group") {
                        self.saw("rejected limit of a group");
                    }
                }
                _ => {}
            }
        }
    }

    /// What happened to which contracts: their symbols say what they are.
    fn count_contract(&mut self, event: &Value) {
        let ev = event["ev"].as_str().unwrap_or_default();
        if !["takeover", "adl", "liquidation_order", "liquidation_fill", "offset", "socialised"].contains(&ev) {
            return;
        }
        let symbol = event["symbol"].as_str().unwrap_or_default();
        let letters = symbol.split('.').next().unwrap_or_default();
        for (letter, meaning) in LETTERS {
            if letters.contains(*letter) {
                self.saw(&format!("{ev}: {meaning}"));
            }
        }
        if ev == "takeover" && event["price"].is_null() {
            self.saw("takeover without a price");
        }
        if ev == "adl" && event["account"] == "fund" {
            self.saw("adl of inventory");
        }
    }

    fn count_fill(&mut self, before: &Before, event: &Value) {
        let is = |order: &&SentOrder| event["liquidation"] == order.id;
        let for_fund = event["account"] == "fund";
        if let Some(order) = before.ended.iter().find(is) {
            self.saw(match order {
                SentOrder { account: None, .. } => "late fill of an unwind order",
                SentOrder { claimed: true, .. } => "late fill of a claimed order",
                _ if for_fund => "late fill of an account's order, for the fund",
                _ => "late fill of an account's order, for the account",
            });
        } else if before.standing.iter().any(|order| is(&order) && order.account.is_some() && for_fund) {
            self.saw("fill beyond the rest");
        }
    }

    fn count_cancelled(&mut self, before: &Before, event: &Value) {
        let is = |pool: &&AwaitedCancel| event["account"] == pool.account && event["pool"] == pool.pool.as_str();
        match before.awaited.iter().find(is) {
            Some(pool) if pool.acknowledged => self.saw("cancelled by a fill"),
            Some(_) => self.saw("cancelled by an acknowledgement"),
            None => self.saw("cancelled at once"),
        }
    }

    fn count_mode(&mut self, event: &Value) {
        let scope =
            ["symbol", "account", "fund"].into_iter().find(|&scope| !event[scope].is_null()).unwrap_or("everything");
        self.saw(&format!("mode {}", event["mode"].as_str().unwrap_or_default()));
        self.saw(&format!("mode of {scope}"));
    }

    fn count_start(&mut self, event: &Value) {
        let cause = event["cause"].as_str().unwrap_or_default();
        if ["set", "mode", "funding"].contains(&cause) {
            self.saw(&format!("liquidation_started by {cause}"));
        }
        let pool = event["pool"].as_str().unwrap_or_default();
        if pool.ends_with(":long") || pool.ends_with(":short") {
            self.saw("liquidation_started of a leg");
        }
    }

    fn count_health(&mut self, event: &Value) {
        match event["active"].as_bool() {
            Some(true) => self.saw("health active"),
            Some(false) => self.saw("health gone"),
            None => {}
        }
        for pool in event["waiting"].as_array().into_iter().flatten() {
            self.saw(&format!("health {}", pool["state"].as_str().unwrap_or_default()));
            if pool["overdue"] == json!(true) {
                self.saw("health overdue");
            }
        }
    }

    fn saw(&mut self, kind: &str) {
        *self.0.entry(kind.to_owned()).or_default() += 1;
    }

    pub fn add(&mut self, other: Self) {
        for (kind, count) in other.0 {
            *self.0.entry(kind).or_default() += count;
        }
    }

    /// Shows everything; fails where something was never seen.
    pub fn demand(&self, kinds: &[&str]) {
        for (kind, count) in &self.0 {
            println!("{count:>9} {kind}");
        }
        let missing: Vec<&&str> = kinds.iter().filter(|&&kind| !self.0.contains_key(kind)).collect();
        assert!(missing.is_empty(), "no script led to {missing:?}: the generator has gone blind");
    }
}
