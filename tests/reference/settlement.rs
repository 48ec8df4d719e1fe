//! Funding settlements (model section 4): rate, mark and what inventory and
//! venue hold are fixed at the command; accounts are booked in chunks, each
//! followed by section 5; then inventory and venue, and the residue.

use super::chunks::Work;
use super::input::{Refusal, refuse};
use super::number::{Int, Rat, ceil_div, floor_div, int, one, pow10, ppb, show_scaled, zero};
use super::state::{Position, State, need, on_grid};
use num_traits::{Signed, Zero};
use serde_json::json;

#[derive(Clone)]
pub struct Settlement {
    /// Parts per billion.
    rate: Int,
    mark: Int,
    inventory: Position,
    venue: Position,
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
        self.instruments[i].pricing.first_premium = None;
        let settlement = Settlement {
            rate,
            mark: self.instruments[i].mark.clone().expect("it was checked"),
            inventory: self.inventory(i),
            venue: self.instruments[i].venue.clone(),
            paid: zero(),
            received: zero(),
        };
        self.begin_job(i, "funding", Work::Settlement(settlement));
    }

    fn settlement_mut(&mut self, n: usize) -> &mut Settlement {
        match &mut self.jobs[n].work {
            Work::Settlement(settlement) => settlement,
            Work::Change(_) => unreachable!("only settlements are settled"),
        }
    }

    pub fn settle(&mut self, n: usize, account: u64) {
        let i = self.jobs[n].instrument;
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
        let (i, settlement) = (self.jobs[n].instrument, self.settlement_mut(n).clone());
        let notional = self.notional_at(i, &position.q, &settlement.mark);
        let exact = notional * settlement.rate.abs();
        let pays = (position.q.signum() * settlement.rate.signum()).is_positive();
        let settlement = self.settlement_mut(n);
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
    pub fn end_settlement(&mut self) {
        let Settlement { inventory, venue, .. } = self.settlement_mut(0).clone();
        let to_fund = self.payment(0, &inventory);
        let to_venue = self.payment(0, &venue);
        let Settlement { rate, paid, received, .. } = self.settlement_mut(0).clone();
        let i = self.jobs.remove(0).instrument;
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
