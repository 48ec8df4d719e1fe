//! The airlock (model section 10): a mark too far from the one in force is held
//! back until another source confirms it, it is withdrawn, or somebody decides.

use super::input::{Fields, Json, Refusal, malformed, refuse};
use super::number::{Int, Rat, int, one, pow10, zero};
use super::state::{PoolId, State, need, need_below_limit, need_positive, on_grid, sum};
use num_traits::Signed;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// As they are given.
#[derive(Clone, Default)]
pub struct AirlockFields {
    pub max_jump: Option<Rat>,
    pub preview_jump: Option<Rat>,
    pub max_liquidation: Option<Rat>,
    pub timeout: Option<u64>,
}

/// Jumps in parts per billion, the amount in quanta, the time in nanoseconds.
#[derive(Clone)]
pub struct AirlockRules {
    pub max_jump: Option<Int>,
    pub preview_jump: Option<Int>,
    pub max_liquidation: Option<Int>,
    pub timeout: Option<u64>,
}

/// Who gives a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Without a name: one source of its own.
    Unnamed,
    Named(String),
    Kernel,
}

#[derive(Clone)]
pub struct Held {
    pub price: Int,
    pub source: Source,
    /// When it was first held.
    pub since: u64,
    /// A verdict is to be taken on it.
    pub undecided: bool,
    /// That it is held was told.
    pub told: bool,
    /// What else froze the mark until the input that brought it.
    pub ended: Option<&'static str>,
}

pub fn parse_airlock(f: &Fields) -> Result<Option<AirlockFields>, Refusal> {
    let known = ["max_jump", "preview_jump", "max_liquidation", "timeout"];
    let entries = match f.get("airlock") {
        None | Some(Json::Null) => return Ok(None),
        Some(Json::Object(entries)) => entries,
        Some(_) => return malformed("airlock is not an object"),
    };
    if let Some((name, _)) = entries.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        return refuse("unknown_field", format!("airlock does not take {name:?}"));
    }
    let f = Fields { entries: entries.clone() };
    Ok(Some(AirlockFields {
        max_jump: f.maybe("max_jump", Fields::decimal)?,
        preview_jump: f.maybe("preview_jump", Fields::decimal)?,
        max_liquidation: f.maybe("max_liquidation", Fields::decimal)?,
        timeout: f.maybe("timeout", Fields::id)?,
    }))
}

impl AirlockFields {
    pub fn need_values(&self) -> Result<(), Refusal> {
        let amounts = [&self.max_jump, &self.preview_jump, &self.max_liquidation];
        for x in amounts.into_iter().flatten() {
            need_positive("a field of airlock", x)?;
        }
        need(self.timeout != Some(0), "bad_value", "timeout is 0")?;
        let paired = self.preview_jump.is_some() == self.max_liquidation.is_some();
        need(paired, "bad_value", "preview_jump and max_liquidation go together")?;
        need(self.max_jump.is_some() || self.preview_jump.is_some(), "bad_value", "airlock holds nothing")?;
        let below = match (&self.preview_jump, &self.max_jump) {
            (Some(preview), Some(max)) => preview < max,
            _ => true,
        };
        need(below, "bad_value", "preview_jump is not below max_jump")
    }

    pub fn on_grid(&self, decimals: u32) -> Result<AirlockRules, Refusal> {
        let rate =
            |x: &Option<Rat>| x.as_ref().map(|x| on_grid(x, &Rat::new(int(1), pow10(9)), "billionth")).transpose();
        let quantum = one() / Rat::from_integer(pow10(decimals));
        let amount = self.max_liquidation.as_ref().map(|x| on_grid(x, &quantum, "quantum")).transpose()?;
        let rules = AirlockRules {
            max_jump: rate(&self.max_jump)?,
            preview_jump: rate(&self.preview_jump)?,
            max_liquidation: amount,
            timeout: self.timeout,
        };
        for x in [&rules.max_jump, &rules.preview_jump, &rules.max_liquidation].into_iter().flatten() {
            need_below_limit("a field of airlock", x)?;
        }
        Ok(rules)
    }
}

/// `|p − from| > bound · from`; without a bound never.
fn is_beyond(bound: Option<&Int>, p: &Int, from: &Int) -> bool {
    bound.is_some_and(|bound| (p - from).abs() * pow10(9) > bound * from)
}

impl State {
    fn jumps(&self, i: usize, p: &Int, from: &Int) -> bool {
        let rules = self.instruments[i].airlock.as_ref();
        is_beyond(rules.and_then(|rules| rules.max_jump.as_ref()), p, from)
    }

    fn is_doubtful(&self, i: usize, p: &Int, from: &Int) -> bool {
        let rules = self.instruments[i].airlock.as_ref();
        !self.jumps(i, p, from) && is_beyond(rules.and_then(|rules| rules.preview_jump.as_ref()), p, from)
    }

    /// A new mark, given or computed. The first ever passes.
    pub fn mark_comes(&mut self, i: usize, p: Int, source: Source) {
        let Some(live) = self.instruments[i].mark.clone() else {
            return self.set_mark(i, p);
        };
        let (jumps, doubtful) = (self.jumps(i, &p, &live), self.is_doubtful(i, &p, &live));
        let Some(held) = self.instruments[i].held.clone() else {
            if !jumps && !doubtful {
                return self.set_mark(i, p);
            }
            let since = self.now;
            let held = Held { price: p, source, since, undecided: true, told: false, ended: None };
            self.instruments[i].held = Some(held);
            self.instruments[i].frozen.insert("airlock"); // nobody is told yet
            return;
        };
        if held.source != source && self.confirms(i, &p, &held.price) {
            return self.end_airlock(i, "confirmed", Some(p));
        }
        if !jumps && !doubtful {
            return self.end_airlock(i, "withdrawn", Some(p));
        }
        self.instruments[i].held = Some(Held { price: p, source, undecided: doubtful, ..held });
    }

    /// Within `max_jump` of what is held, without one within `preview_jump`.
    fn confirms(&self, i: usize, p: &Int, held: &Int) -> bool {
        let Some(rules) = &self.instruments[i].airlock else {
            return false;
        };
        let bound = rules.max_jump.as_ref().or(rules.preview_jump.as_ref());
        bound.is_some() && !is_beyond(bound, p, held)
    }

    /// The hold is over; what is taken is kept where something else freezes the mark.
    fn end_airlock(&mut self, i: usize, outcome: &str, taken: Option<Int>) {
        self.instruments[i].held = None;
        let frozen = &self.instruments[i].frozen;
        let alone = frozen.len() == 1;
        let kept = taken.or(self.instruments[i].kept_mark.take());
        if let (Some(price), true) = (&kept, alone) {
            self.instruments[i].mark = Some(price.clone());
            self.instruments[i].unwind_due = true;
        } else {
            self.instruments[i].kept_mark = kept;
        }
        let price = self.show_maybe_price(i, &self.instruments[i].mark);
        let symbol = self.instruments[i].symbol.clone();
        self.emit("airlock", json!({"symbol": symbol, "outcome": outcome, "price": price}));
        self.thaw(i, "airlock");
    }

    /// After the input's own effects: holds that have lasted long enough.
    pub fn end_timed_out_holds(&mut self) {
        for i in 0..self.instruments.len() {
            let timeout = self.instruments[i].airlock.as_ref().and_then(|rules| rules.timeout);
            if let (Some(held), Some(timeout)) = (self.instruments[i].held.clone(), timeout)
                && self.now - held.since >= timeout
            {
                self.look_at_all_funds(); // as the input left them
                self.end_airlock(i, "timeout", Some(held.price));
            }
        }
    }

    pub fn do_airlock_release(&mut self, symbol: &str, accept: bool) -> Result<(), Refusal> {
        let i = self.instrument_id(symbol)?;
        let Some(held) = self.instruments[i].held.clone() else {
            return refuse("bad_value", format!("the airlock of {symbol} holds nothing"));
        };
        if accept {
            self.end_airlock(i, "accepted", Some(held.price));
        } else {
            self.end_airlock(i, "discarded", None);
        }
        Ok(())
    }

    /// The next verdict that is due, lowest instrument first: a jump is held, a doubtful mark if it would liquidate too much.
    /// None: there is none; else whether it passed.
    pub fn next_verdict(&mut self) -> Option<bool> {
        let undecided = |i: &usize| self.instruments[*i].held.as_ref().is_some_and(|held| held.undecided);
        let i = (0..self.instruments.len()).find(undecided)?;
        let mut held = self.instruments[i].held.clone().expect("it is undecided");
        held.undecided = false;
        let live = self.instruments[i].mark.clone().expect("only what follows a mark is held");
        let (pools, then) = self.preview_mark(i, &held.price);
        let notional = sum(pools.iter().map(|&pool| then.living_notional(pool)));
        let most = self.instruments[i].airlock.as_ref().and_then(|rules| rules.max_liquidation.clone());
        let holds = self.jumps(i, &held.price, &live) || most.is_some_and(|most| notional > most);
        if !holds {
            self.let_pass(i, held);
            return Some(true);
        }
        if !std::mem::replace(&mut held.told, true) {
            let asset = self.settle_of(i);
            let accounts: BTreeSet<u64> = pools.iter().map(|pool| pool.account).collect();
            let fields = json!({
                "symbol": self.instruments[i].symbol,
                "outcome": "held",
                "price": self.show_price(i, &held.price),
                "mark": self.show_price(i, &live),
                "accounts": accounts.len(),
                "notional": self.show_money(asset, &notional),
                "fund_loss": self.show_money(asset, &sum(pools.iter().map(|&pool| then.loss_of(pool)))),
            });
            self.emit("airlock", fields);
            if self.instruments[i].frozen.len() == 1 {
                self.instruments[i].told_frozen = true;
                let symbol = self.instruments[i].symbol.clone();
                self.emit("mark_frozen", json!({"symbol": symbol, "cause": "airlock"}));
            }
        }
        self.instruments[i].held = Some(held);
        Some(false)
    }

    /// As if it had just come; where it was held before, the hold is withdrawn.
    fn let_pass(&mut self, i: usize, held: Held) {
        if held.told {
            return self.end_airlock(i, "withdrawn", Some(held.price));
        }
        let instrument = &mut self.instruments[i];
        instrument.held = None;
        instrument.frozen.remove("airlock");
        self.set_mark(i, held.price);
        if let (Some(cause), true) = (held.ended, self.instruments[i].frozen.is_empty()) {
            self.tell_living(i, cause);
        }
        self.tell_computed_mark(i);
    }

    /// The pools that hold the instrument, are not locked, and would be in breach with its mark at `p`; and how all would be.
    fn preview_mark(&self, i: usize, p: &Int) -> (Vec<PoolId>, State) {
        let mut then = self.clone();
        then.instruments[i].mark = Some(p.clone());
        then.instruments[i].frozen.clear();
        let holds = |pool: &PoolId| then.pool_positions(*pool).iter().any(|at| at.i == i);
        let all = then.all_pools().into_iter();
        let pools = all.filter(|pool| holds(pool) && !then.is_locked(*pool) && then.in_breach(*pool)).collect();
        (pools, then)
    }

    /// Of the positions whose mark lives.
    fn living_notional(&self, pool: PoolId) -> Int {
        let living = self.pool_positions(pool).into_iter().filter(|at| self.lives(at.i));
        let notional = living.map(|at| self.notional(at.i, &self.position(pool.account, at)));
        notional.fold(zero(), |all, one| all + one)
    }

    /// Where there is a rule, or something is held.
    pub fn answer_airlock(&self, i: usize) -> Option<Value> {
        let instrument = &self.instruments[i];
        let held = instrument.held.as_ref().map(|held| {
            let price = self.show_price(i, &held.price);
            json!({"price": price, "since": held.since})
        });
        (instrument.airlock.is_some() || held.is_some()).then(|| json!(held))
    }
}
