//! Corrections (model section 10): the opposite or the difference is booked as
//! a new entry that names the event corrected, a reason and a principal.

use super::input::{Fields, Refusal, malformed, refuse};
use super::number::{Int, Rat, limit, zero};
use super::state::{At, Side, State, need, need_below_limit, need_positive};
use num_traits::{Signed, Zero};
use serde_json::{Value, json};

/// Names, price and quantity of the fill that is corrected.
pub struct Corrected {
    pub account: u64,
    pub symbol: String,
    pub side: String,
    pub qty: Rat,
    pub price: Rat,
    pub counterparty: Option<u64>,
    pub position_side: Option<String>,
    pub counter_position_side: Option<String>,
}

pub enum Work {
    Bust { fill: Corrected, fee: Rat, counter_fee: Rat },
    Reprice { fill: Corrected, to: Rat },
    Adjust { account: u64, asset: String, amount: Rat },
    Compensate { account: u64, asset: String, amount: Rat, fund: Option<String> },
}

pub struct Correction {
    pub op: String,
    pub corrects: u64,
    pub reason: String,
    pub principal: String,
    pub work: Work,
}

pub fn known_fields(op: &str) -> Option<Vec<&'static str>> {
    let fill = ["symbol", "side", "qty", "price", "counterparty", "position_side", "counter_position_side"];
    let own: Vec<&'static str> = match op {
        "bust" => [&fill[..], &["fee", "counter_fee"]].concat(),
        "reprice" => [&fill[..], &["to"]].concat(),
        "adjust" => vec!["asset", "amount"],
        "compensate" => vec!["asset", "amount", "fund"],
        _ => return None,
    };
    Some([&["corrects", "reason", "principal", "account"][..], &own].concat())
}

pub fn parse(op: &str, f: &Fields) -> Result<Correction, Refusal> {
    let work = match op {
        "bust" => {
            let (fee, counter_fee) = (f.decimal_or("fee", 0)?, f.decimal_or("counter_fee", 0)?);
            if f.has("counter_fee") && !f.has("counterparty") {
                return malformed("counter_fee without counterparty");
            }
            Work::Bust { fill: parse_fill(f)?, fee, counter_fee }
        }
        "reprice" => Work::Reprice { fill: parse_fill(f)?, to: f.decimal("to")? },
        "adjust" => Work::Adjust { account: f.id("account")?, asset: f.name("asset")?, amount: f.decimal("amount")? },
        _ => Work::Compensate {
            account: f.id("account")?,
            asset: f.name("asset")?,
            amount: f.decimal("amount")?,
            fund: f.maybe("fund", Fields::name)?,
        },
    };
    let (corrects, reason, principal) = (f.id("corrects")?, f.text("reason")?, f.text("principal")?);
    Ok(Correction { op: op.to_string(), corrects, reason, principal, work })
}

fn parse_fill(f: &Fields) -> Result<Corrected, Refusal> {
    let leg = |key: &str| f.maybe(key, |f, k| f.word(k, &["long", "short"]));
    let fill = Corrected {
        account: f.id("account")?,
        symbol: f.name("symbol")?,
        side: f.word("side", &["buy", "sell"])?,
        qty: f.decimal("qty")?,
        price: f.decimal("price")?,
        counterparty: f.maybe("counterparty", Fields::id)?,
        position_side: leg("position_side")?,
        counter_position_side: leg("counter_position_side")?,
    };
    if fill.counter_position_side.is_some() && fill.counterparty.is_none() {
        return malformed("counter_position_side without counterparty");
    }
    Ok(fill)
}

/// A corrected fill on the grid.
struct Placed {
    i: usize,
    own: (u64, At),
    counter: Option<(u64, At)>,
    side: Side,
    qty: Int,
    price: Int,
}

impl State {
    pub fn do_correction(&mut self, c: &Correction) -> Result<(), Refusal> {
        match &c.work {
            Work::Bust { fill, fee, counter_fee } => self.do_bust(c, fill, fee, counter_fee),
            Work::Reprice { fill, to } => self.do_reprice(c, fill, to),
            Work::Adjust { account, asset, amount } => self.do_adjust(c, *account, asset, amount),
            Work::Compensate { account, asset, amount, fund } => {
                self.do_compensate(c, *account, asset, amount, fund.as_deref())
            }
        }
    }

    /// An earlier line, and texts of 1 to 128 bytes.
    fn need_references(&self, c: &Correction) -> Result<(), Refusal> {
        need((1..self.seq).contains(&c.corrects), "bad_value", format!("corrects {} is no earlier line", c.corrects))?;
        for (what, text) in [("reason", &c.reason), ("principal", &c.principal)] {
            need((1..=128).contains(&text.len()), "bad_value", format!("{what} is not from 1 to 128 bytes"))?;
        }
        Ok(())
    }

    /// Names, then values, then the grid.
    fn placed(&self, c: &Correction, fill: &Corrected, to: Option<&Rat>) -> Result<Placed, Refusal> {
        let i = self.instrument_id(&fill.symbol)?;
        for account in [Some(fill.account), fill.counterparty].into_iter().flatten() {
            self.need_account(account)?;
        }
        self.need_references(c)?;
        let own = (fill.account, self.place(fill.account, i, &fill.position_side)?);
        let counter = match fill.counterparty {
            Some(counter) => Some((counter, self.place(counter, i, &fill.counter_position_side)?)),
            None => None,
        };
        need_positive("qty", &fill.qty)?;
        need_positive("price", &fill.price)?;
        if let Some(to) = to {
            need_positive("to", to)?;
        }
        need(fill.counterparty != Some(fill.account), "bad_value", "a fill with itself")?;
        let (price, qty) = (self.ticks(i, &fill.price)?, self.lots(i, &fill.qty)?);
        Ok(Placed { i, own, counter, side: Side::read(&fill.side), qty, price })
    }

    fn emit_corrected(&mut self, c: &Correction, account: u64, more: Vec<(&'static str, Value)>) {
        let mut fields = json!({
            "op": c.op,
            "corrects": c.corrects,
            "account": account,
            "reason": c.reason,
            "principal": c.principal,
        });
        for (key, value) in more {
            fields[key] = value;
        }
        self.emit("corrected", fields);
    }

    fn show_fill(&self, p: &Placed) -> Vec<(&'static str, Value)> {
        vec![
            ("symbol", json!(self.instruments[p.i].symbol)),
            ("side", json!(p.side.word())),
            ("qty", json!(self.show_qty(p.i, &p.qty))),
            ("price", json!(self.show_price(p.i, &p.price))),
        ]
    }

    /// The opposite fill between the same two, without order or fee; the fees that were charged go back.
    fn do_bust(&mut self, c: &Correction, fill: &Corrected, fee: &Rat, counter_fee: &Rat) -> Result<(), Refusal> {
        let p = self.placed(c, fill, None)?;
        let asset = self.settle_of(p.i);
        let (fee, counter_fee) = (self.quanta(asset, fee)?, self.quanta(asset, counter_fee)?);
        for (what, x) in [("price", &p.price), ("qty", &p.qty), ("fee", &fee), ("counter_fee", &counter_fee)] {
            need_below_limit(what, x)?;
        }
        let undoing = p.side.other();
        self.need_bookable(p.own, p.counter, undoing, &p.qty, &p.price)?;
        let shown = self.show_fill(&p);
        self.emit_corrected(c, fill.account, shown);
        let own = self.book_trade(p.own.0, p.own.1, undoing, &p.qty, &p.price);
        let others = match p.counter {
            Some((counter, at)) => self.book_trade(counter, at, undoing.other(), &p.qty, &p.price),
            None => self.book_venue_fill(p.i, undoing.other(), &p.qty, &p.price),
        };
        self.book_rounding(p.i, &(own + others));
        self.give_back(fill.account, asset, &fee);
        if let Some((counter, _)) = p.counter {
            self.give_back(counter, asset, &counter_fee);
        }
        Ok(())
    }

    fn give_back(&mut self, account: u64, asset: usize, fee: &Int) {
        self.cross_mut(account, asset).balance += fee;
        self.assets[asset].fees -= fee;
    }

    /// `V(q, price) − V(q, to)`, each side's rounded as the cost of an opening fill; what they differ by is the fund's.
    fn do_reprice(&mut self, c: &Correction, fill: &Corrected, to: &Rat) -> Result<(), Refusal> {
        let p = self.placed(c, fill, Some(to))?;
        let to = self.ticks(p.i, to)?;
        for (what, x) in [("price", &p.price), ("to", &to), ("qty", &p.qty)] {
            need_below_limit(what, x)?;
        }
        let dearest = self.dearer_of_mark_and(p.i, self.dearer(p.i, &p.price, &to));
        need_below_limit("qty · price · unit", &self.notional_at(p.i, &p.qty, dearest))?;
        let mut shown = self.show_fill(&p);
        shown.push(("to", json!(self.show_price(p.i, &to))));
        self.emit_corrected(c, fill.account, shown);
        let q = p.side.signed(&p.qty);
        let difference = |q: &Int| self.cost_at(p.i, q, &p.price) - self.cost_at(p.i, q, &to);
        let (own, others) = (difference(&q), difference(&-&q));
        self.pay_like_funding(p.own.0, p.own.1, &own);
        match p.counter {
            Some((counter, at)) => self.pay_like_funding(counter, at, &others),
            None => {
                let asset = self.settle_of(p.i);
                self.assets[asset].venue += &others;
            }
        }
        let fund = self.instruments[p.i].fund;
        self.change_fund(fund, &-(own + others), "rounding");
        Ok(())
    }

    /// Into the margin where the position is isolated and open, else into the balance.
    fn pay_like_funding(&mut self, account: u64, at: At, payment: &Int) {
        let asset = self.settle_of(at.i);
        self.cross_mut(account, asset);
        if self.terms(account, at.i).isolated && !self.position(account, at).q.is_zero() {
            self.holding_mut(account, at).margin += payment;
        } else {
            self.cross_mut(account, asset).balance += payment;
        }
    }

    /// As if it had come, or left: counted in the deposits. The balance may become negative.
    fn do_adjust(&mut self, c: &Correction, account: u64, asset: &str, amount: &Rat) -> Result<(), Refusal> {
        let asset = self.asset_id(asset)?;
        self.need_account(account)?;
        self.need_references(c)?;
        need(!amount.is_zero(), "bad_value", "amount is 0")?;
        let amount = self.quanta(asset, amount)?;
        self.need_room_for(account, asset, &amount)?;
        self.emit_amount(c, account, asset, &amount);
        self.cross_mut(account, asset).balance += &amount;
        self.assets[asset].deposits += &amount;
        Ok(())
    }

    fn do_compensate(
        &mut self,
        c: &Correction,
        account: u64,
        asset: &str,
        amount: &Rat,
        fund: Option<&str>,
    ) -> Result<(), Refusal> {
        let asset = self.asset_id(asset)?;
        let fund = match fund {
            Some(name) => self.fund_id(name)?,
            None => self.assets[asset].fund,
        };
        self.need_account(account)?;
        self.need_references(c)?;
        need_positive("amount", amount)?;
        need(self.funds[fund].asset == asset, "bad_value", format!("{} is of another asset", self.funds[fund].name))?;
        let amount = self.quanta(asset, amount)?;
        self.need_room_for(account, asset, &amount)?;
        let left = &self.funds[fund].balance - &amount;
        let equity = self.fund_equity(fund) - &amount;
        if left.is_negative() || equity < self.funds[fund].floor {
            return refuse("insufficient_margin", format!("fund {} has not so much", self.funds[fund].name));
        }
        self.emit_amount(c, account, asset, &amount);
        self.cross_mut(account, asset).balance += &amount;
        self.change_fund(fund, &-amount, "compensation");
        Ok(())
    }

    /// The amount and the balance after it stay below 2^62; the balance may become as low as it will.
    fn need_room_for(&self, account: u64, asset: usize, amount: &Int) -> Result<(), Refusal> {
        need_below_limit("amount", amount)?;
        let after = self.cross(account, asset).balance + amount;
        need(after < limit(), "overflow", "the balance is 2^62 or more")
    }

    fn emit_amount(&mut self, c: &Correction, account: u64, asset: usize, amount: &Int) {
        let name = json!(self.assets[asset].name);
        let amount = json!(self.show_money(asset, amount));
        self.emit_corrected(c, account, vec![("asset", name), ("amount", amount)]);
    }

    /// One side of a trade by the ordinary rules of a fill, without order or fee; no execution.
    fn book_trade(&mut self, account: u64, at: At, side: Side, qty: &Int, price: &Int) -> Int {
        self.book_account_fill(account, at, side, qty, price, None, &zero())
    }
}
