//! The reference implementation of the risk model: slow, plain, exact. It is
//! the oracle that tests hold the fast kernel against.
//!
//! Everything is recomputed from scratch wherever it is needed. The state is
//! balances, positions (size, cost, margin), orders, marks, settings, funds and
//! totals; equity, margin, open interest and ranks are never kept.
//!
//! The files, in the order in which an input line flows through them:
//!
//! - `number`       exact arithmetic, each rounding spelled out
//! - `input`        JSON to fields, and the refusals of form
//! - `command`      fields to commands
//! - `state`        what is remembered
//! - `tiers`        tier tables: maintenance margin, greatest leverage
//! - `declare`      asset, instrument, fund, account, venue
//! - `margin`       valuation, pools, initial margin, share, bankruptcy price
//! - `liq_price`    the liquidation price
//! - `trading`      deposits, leverage, margin, orders: what may be refused
//! - `fills`        booking of fills
//! - `market`       mark, last, book
//! - `liquidation`  the phases after each input, and the walk of a pool
//! - `venue`        where liquidation and unwind orders go
//! - `funds`        takeover, netting, deficits, unwinding, deleveraging
//! - `adl`          ranking and deleveraging of counterparties
//! - `answers`      get
//! - `check`        the invariants

// A test that includes this module may use only a part of its accessors.
#![allow(dead_code)]

mod adl;
mod answers;
mod check;
mod command;
mod declare;
mod fills;
mod funds;
mod input;
mod liq_price;
mod liquidation;
mod margin;
mod market;
mod number;
mod state;
mod tiers;
mod trading;
mod venue;

use self::command::Command;
use self::input::{Refusal, refuse};
use self::state::State;
use serde_json::{Value, json};

#[derive(Clone)]
pub struct Reference {
    state: State,
}

/// An open order, as a test generator wants to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    pub account: u64,
    pub order: u64,
    pub symbol: String,
    pub side: &'static str,
    pub qty: String,
    pub price: String,
    pub reduce_only: bool,
}

/// A liquidation or unwind order that waits for the venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenLiquidation {
    pub id: u64,
    pub symbol: String,
    pub side: &'static str,
    pub rest: String,
    pub limit: String,
}

impl Default for Reference {
    fn default() -> Self {
        Self::new()
    }
}

impl Reference {
    pub fn new() -> Self {
        Reference { state: State::new() }
    }

    /// Carries out one input line completely and returns its events in order.
    pub fn line(&mut self, line: &str) -> Vec<Value> {
        self.state.seq += 1;
        if line.trim_matches([' ', '\t', '\r', '\n']).is_empty() {
            return Vec::new();
        }
        if let Err(refusal) = self.try_line(line) {
            assert!(self.state.events.is_empty(), "a refused command has left events");
            self.state.emit("rejected", json!({"code": refusal.code, "reason": refusal.reason}));
        }
        std::mem::take(&mut self.state.events)
    }

    /// Form first, `time_reversed` last of it; then the command; then what
    /// follows from it (model section 5). `get` is no input.
    fn try_line(&mut self, line: &str) -> Result<(), Refusal> {
        let input = command::parse(line)?;
        let ts = input.ts.unwrap_or(self.state.now);
        if ts < self.state.now {
            return refuse("time_reversed", format!("ts {} is before {}", ts, self.state.now));
        }
        self.state.execute(&input.command)?;
        self.state.now = ts;
        if !matches!(input.command, Command::Get(_)) {
            self.state.follow_up(&input.cause());
        }
        Ok(())
    }

    /// How many times a pool was evaluated against a breach so far.
    pub fn pool_checks(&self) -> u64 {
        self.state.pool_checks.get()
    }

    /// Invariants 1, 2 and 3 of model section 8.
    pub fn check(&self) -> Result<(), String> {
        self.state.check()
    }

    pub fn accounts(&self) -> Vec<u64> {
        self.state.accounts.keys().copied().collect()
    }

    pub fn open_liquidations(&self) -> Vec<OpenLiquidation> {
        let state = &self.state;
        let show = |o: &state::Standing| OpenLiquidation {
            id: o.id,
            symbol: state.instruments[o.instrument].symbol.clone(),
            side: o.side.word(),
            rest: state.show_qty(o.instrument, &o.rest),
            limit: state.show_price(o.instrument, &o.limit),
        };
        state.standing.iter().map(show).collect()
    }

    pub fn open_orders(&self) -> Vec<OpenOrder> {
        let state = &self.state;
        let mut list = Vec::new();
        for (&account, a) in &state.accounts {
            for o in &a.orders {
                list.push(OpenOrder {
                    account,
                    order: o.id,
                    symbol: state.instruments[o.instrument].symbol.clone(),
                    side: o.side.word(),
                    qty: state.show_qty(o.instrument, &o.rest),
                    price: state.show_price(o.instrument, &o.price),
                    reduce_only: o.reduce_only,
                });
            }
        }
        list
    }

    /// The signed size of an account's position, in lots as text ("0": none).
    pub fn position_lots(&self, account: u64, symbol: &str) -> String {
        match self.state.instrument_id(symbol) {
            Ok(i) => self.state.holding(account, i).position.q.to_string(),
            Err(_) => "0".to_string(),
        }
    }
}
