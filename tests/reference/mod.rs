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
//! - `repeats`      who sends a line, its number, answers to repeats
//! - `command`      fields to commands
//! - `state`        what is remembered
//! - `tiers`        tier tables: maintenance margin, greatest leverage
//! - `declare`      asset, instrument, fund, account, venue
//! - `margin`       valuation, pools, initial margin, share, bankruptcy price
//! - `liq_price`    the liquidation price
//! - `trading`      deposits, leverage, margin, orders: what may be refused
//! - `holds`        two-phase withdrawals
//! - `fills`        booking of fills
//! - `market`       mark, last, book
//! - `freezing`     frozen marks
//! - `price_fields` what an instrument says of its prices
//! - `index`        the index of several venues
//! - `funding_rate` premium and rate
//! - `marks`        what an instrument computes from its prices
//! - `chunks`       what reaches everybody in pieces
//! - `settlement`   funding settlements
//! - `rules`        changes of rules
//! - `controls`     modes and limits
//! - `airlock`      marks that are held back
//! - `corrections`  bust, reprice, adjust, compensate
//! - `liquidation`  the phases after each input, and the walk of a pool
//! - `calls`        margin calls
//! - `pacing`       how many lots may be in flight
//! - `cancelling`   cancelling the orders of a pool, and the venue's word on it
//! - `venue`        where liquidation and unwind orders go
//! - `manual`       the manual venue's answers, late ones too
//! - `liq_fills`    booking of what the venue fills of such orders
//! - `funds`        takeover, netting, deficits, unwinding, deleveraging
//! - `drawdown`     whether a fund is in drawdown
//! - `adl`          ranking and deleveraging of counterparties
//! - `socialise`    what no fund can bear, charged to profits
//! - `answers`      get
//! - `health`       what waits for the venue
//! - `check`        the invariants
//! - `view`         what a writer of scripts may see

// A test that includes this module may use only a part of its accessors.
#![allow(dead_code)]

mod adl;
mod airlock;
mod answers;
mod calls;
mod cancelling;
mod check;
mod chunks;
mod command;
mod controls;
mod corrections;
mod declare;
mod drawdown;
mod fills;
mod freezing;
mod funding_rate;
mod funds;
mod health;
mod holds;
mod index;
mod input;
mod liq_fills;
mod liq_price;
mod liquidation;
mod manual;
mod margin;
mod market;
mod marks;
mod number;
mod pacing;
mod price_fields;
mod repeats;
mod rules;
mod settlement;
mod socialise;
mod state;
mod tiers;
mod trading;
mod venue;
pub mod view;

use self::input::{Fields, Refusal, refuse};
use self::repeats::{Answer, Sender, Turn};
use self::state::State;
use serde_json::{Value, json};

#[derive(Clone)]
pub struct Reference {
    state: State,
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

    /// One that begins under an earlier version of the rules.
    #[allow(dead_code, reason = "not every test goes back")]
    pub fn under(rules: u64) -> Self {
        let mut reference = Self::new();
        reference.state.rules = rules;
        reference
    }

    /// Carries out one input line completely and returns its events in order.
    pub fn line(&mut self, line: &str) -> Vec<Value> {
        self.state.seq += 1;
        if line.trim_matches([' ', '\t', '\r', '\n']).is_empty() {
            return Vec::new();
        }
        if let Err(refusal) = self.take_turn(line) {
            self.reject(refusal);
        }
        std::mem::take(&mut self.state.events)
    }

    /// Who sends the line comes first: a repeat is answered as before, a new
    /// line is carried out, and its answer remembered.
    fn take_turn(&mut self, line: &str) -> Result<(), Refusal> {
        let fields = input::read_object(line)?;
        let sender = Sender::read(&fields)?;
        if let Turn::Repeat(first) = self.state.turn(&sender.number)? {
            self.state.answer_again(&sender, first);
            return Ok(());
        }
        match self.carry_out(&fields) {
            Ok(()) => {
                let seq = self.state.seq;
                self.state.remember(&sender.number, Answer::Accepted(seq));
                self.state.acknowledge(&sender, seq);
            }
            Err(refusal) => {
                let event = self.reject(refusal);
                self.state.remember(&sender.number, Answer::Rejected(event));
            }
        }
        Ok(())
    }

    /// Says why the line was refused.
    fn reject(&mut self, refusal: Refusal) -> Value {
        assert!(self.state.events.is_empty(), "a refused command has left events");
        self.state.emit("rejected", json!({"code": refusal.code, "reason": refusal.reason}));
        self.state.events[0].clone()
    }

    /// Form first, `time_reversed` last of it; then the command; then what
    /// follows from it (model section 5). `get` is no input.
    fn carry_out(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let input = command::parse(fields, &self.state.defaults)?;
        let before = self.state.now;
        let ts = input.ts.unwrap_or(before);
        if ts < before {
            return refuse("time_reversed", format!("ts {ts} is before {before}"));
        }
        self.state.now = ts;
        let mark_before = input.priced_symbol().map(|symbol| self.state.mark_of(symbol)).unwrap_or_default();
        if let Err(refusal) = self.state.execute(&input.command) {
            self.state.now = before;
            return Err(refusal);
        }
        if !input.command.changes_nothing() {
            let moved = input.priced_symbol().filter(|symbol| self.state.mark_of(symbol) != mark_before);
            let cause = moved.map_or_else(|| input.cause(), str::to_string);
            self.state.end_timed_out_holds();
            self.state.cause_of_verdict = input.symbol_of_prices().map_or_else(|| input.op.clone(), str::to_string);
            self.state.follow_up(&cause);
            self.state.finish_jobs();
            while self.state.settle_by_itself() {
                self.state.follow_up("funding");
                self.state.finish_jobs();
            }
        }
        Ok(())
    }

    /// How many times a pool was evaluated against a breach so far.
    pub fn pool_checks(&self) -> u64 {
        self.state.pool_checks.get()
    }

    /// Invariants 1, 2 and 3 of model section 8, and what orders at the venue
    /// must be.
    pub fn check(&self) -> Result<(), String> {
        self.state.check()
    }
}
