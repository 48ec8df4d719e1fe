//! Funding settlements (model section 4): rate, mark and what inventory and
//! venue hold are fixed at the command; accounts are booked in chunks, each
//! followed by section 5; then inventory and venue, and the residue.

use super::input::{Refusal, refuse};
use super::number::{Int, Rat, ceil_div, floor_div, int, one, pow10, ppb, show_scaled, zero};
use super::state::{Position, State, need, on_grid};
use num_traits::{Signed, Zero};
use serde_json::json;
use std::collections::BTreeSet;

#[derive(Clone)]
pub struct Settlement {
    instrument: usize,
    /// Parts per billion.
    rate: Int,
    mark: Int,
    inventory: Position,
    venue: Position,
    /// The last account of the last chunk.
    through: Option<u64>,
    /// Those that were settled before their chunk, too.
    settled: BTreeSet<u64>,
    paid: Int,
    received: Int,
}

impl State {
    pub fn do_funding(&mut self, symbol: &str, rate: Option<&Rat>) -> Result<(), Refusal> {
        let i = self.instrument_id(symbol)?;
        let given = match rate {
            Some(rate) => {
                need(rate.abs() < one(), "bad_value", "the rate is not between -1 and 1")?;
                Some(on_grid(rate, &Rat::new(int(1), pow10(9)), "billionth")?)
            }
            None => None,
        };
        need(self.instruments[i].mark.is_some(), "no_price", format!("{symbol} has no mark"))?;
        let rate = match given {
            Some(rate) => rate,
            None => match self.instruments[i].pricing.rate_at(self.now) {
                Some(rate) => rate,
                None => return refuse("no_price", format!("{symbol} has no premium to compute a rate from")),
            },
        };
        self.begin_settlement(i, rate);
        Ok(())
    }

    pub fn begin_settlement(&mut self, i: usize, rate: Int) {
        let now = self.now;
        self.instruments[i].pricing.sample(now);
        self.instruments[i].pricing.last_rate = rate.clone();
        self.instruments[i].pricing.premiums = (zero(), zero());
        self.settlements.push(Settlement {
            instrument: i,
            rate,
            mark: self.instruments[i].mark.clone().expect("it was checked"),
            inventory: self.inventory(i),
            venue: self.instruments[i].venue.clone(),
            through: None,
            settled: BTreeSet::new(),
            paid: zero(),
            received: zero(),
        });
    }

    /// The next place of the settlement that began first: a chunk, or its end. False: none runs.
    pub fn settle_on(&mut self) -> bool {
        let Some(settlement) = self.settlements.first() else {
            return false;
        };
        let size = self.instruments[settlement.instrument].chunk;
        let through = settlement.through;
        let left = self.accounts.keys().copied().filter(|&account| through.is_none_or(|through| account > through));
        let chunk: Vec<u64> = left.take(size).collect();
        let Some(&last) = chunk.last() else {
            self.end_settlement();
            return true;
        };
        for account in chunk {
            self.settle(0, account);
        }
        self.settlements[0].through = Some(last);
        true
    }

    /// Before an account is changed it is settled wherever it is not yet.
    pub fn settle_first(&mut self, account: u64) {
        for n in 0..self.settlements.len() {
            self.settle(n, account);
        }
    }

    pub fn is_unsettled(&self, account: u64) -> bool {
        self.settlements.iter().any(|settlement| !settlement.settled.contains(&account))
    }

    fn settle(&mut self, n: usize, account: u64) {
        if !self.settlements[n].settled.insert(account) {
            return;
        }
        let i = self.settlements[n].instrument;
        let asset = self.settle_of(i);
        for at in self.places(account, i) {
            let payment = self.payment(n, &self.position(account, at));
            if payment.is_zero() {
                continue;
            }
            if self.terms(account, i).isolated {
                self.holding_mut(account, at).margin += payment;
            } else {
                self.cross_mut(account, asset).balance += payment;
            }
        }
    }

    /// `sign(q) · N · rate` at the fixed mark, counted as paid or received; what the holder gains by
    /// it: the payer's is rounded up, the receiver's down.
    fn payment(&mut self, n: usize, position: &Position) -> Int {
        let settlement = &self.settlements[n];
        let notional = self.notional_at(settlement.instrument, &position.q, &settlement.mark);
        let exact = notional * settlement.rate.abs();
        let pays = (position.q.signum() * settlement.rate.signum()).is_positive();
        let settlement = &mut self.settlements[n];
        if pays {
            let amount = ceil_div(&exact, &ppb());
            settlement.paid += &amount;
            -amount
        } else {
            let amount = floor_div(&exact, &ppb());
            settlement.received += &amount;
            amount
        }
    }

    /// The fund's inventory, then the external venue; the residue is the fund's.
    fn end_settlement(&mut self) {
        let (inventory, venue) = (self.settlements[0].inventory.clone(), self.settlements[0].venue.clone());
        let to_fund = self.payment(0, &inventory);
        let to_venue = self.payment(0, &venue);
        let Settlement { instrument: i, rate, paid, received, .. } = self.settlements.remove(0);
        let (asset, fund) = (self.settle_of(i), self.instruments[i].fund);
        self.assets[asset].venue += to_venue;
        self.change_fund(fund, &to_fund, "funding");
        let residue = &paid - &received;
        let fields = json!({
            "symbol": self.instruments[i].symbol,
            "rate": show_scaled(&rate, 9),
            "paid": self.show_money(asset, &paid),
            "received": self.show_money(asset, &received),
            "residue": self.show_money(asset, &residue),
        });
        self.change_fund(fund, &residue, "funding");
        self.emit("funding", fields);
    }
}

#[cfg(test)]
mod tests {
    use crate::reference::Reference;
    use serde_json::{Value, json};

    /// 3 long against 1 and 2 short at a mark of 101 and 0.1 %: 0.303 is paid as 0.31, 0.101 and 0.202 are received as
    /// 0.10 and 0.20 (the venue's); the rest is the fund's.
    #[test]
    fn what_is_paid_is_rounded_up_what_is_received_down() {
        let mut reference = Reference::new();
        let mut said: Vec<Value> = Vec::new();
        for line in [
            json!({"op":"asset","asset":"USDT","decimals":2}),
            json!({"op":"instrument","symbol":"P","kind":"linear_perp","underlying":"P","settle":"USDT","tick":"1","lot":"1",
                "tiers":[{"cap":"1000000","mmr":"0.05","max_leverage":10}],"funding":{"chunk":1}}),
            json!({"op":"deposit","account":1,"asset":"USDT","amount":"100"}),
            json!({"op":"deposit","account":2,"asset":"USDT","amount":"100"}),
            json!({"op":"fill","account":1,"symbol":"P","side":"buy","qty":"3","price":"100"}),
            json!({"op":"fill","account":2,"symbol":"P","side":"sell","qty":"1","price":"100"}),
            json!({"op":"mark","symbol":"P","price":"101"}),
            json!({"op":"funding","symbol":"P","rate":"0.001"}),
            json!({"op":"get","what":"account","account":1}),
            json!({"op":"get","what":"account","account":2}),
        ] {
            said.extend(reference.line(&line.to_string()));
        }
        let fund = json!({"ev":"fund","seq":8,"fund":"USDT","delta":"0.01","balance":"0.01","reason":"funding"});
        assert_eq!(said[0], fund);
        let paid =
            json!({"ev":"funding","seq":8,"symbol":"P","rate":"0.001","paid":"0.31","received":"0.3","residue":"0.01"});
        assert_eq!(said[1], paid);
        assert_eq!(said[2]["balances"]["USDT"], "99.69");
        assert_eq!(said[3]["balances"]["USDT"], "100.1");
        assert_eq!(reference.check(), Ok(()));
    }
}
