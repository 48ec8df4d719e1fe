//! Socialised losses (model section 7): what counterparties did not reach and
//! left a fund below zero is charged to profits in its instruments.

use super::number::{Int, floor_div};
use super::state::{At, State, sum};
use num_traits::{Signed, Zero};
use serde_json::json;

struct Charged {
    rank: u64,
    at: At,
    short: bool,
    account: u64,
    upnl: Int,
}

impl State {
    pub fn socialise(&mut self, fund: usize) {
        let deficit = -self.fund_equity(fund);
        if !self.funds[fund].socialise || !deficit.is_positive() {
            return;
        }
        let mut list = self.profits_in(fund);
        list.sort_by_key(|c| (c.rank, c.at.i, c.short));
        let total = sum(list.iter().map(|c| c.upnl.clone()));
        let mut charges: Vec<Int> = if deficit >= total {
            list.iter().map(|c| c.upnl.clone()).collect()
        } else {
            list.iter().map(|c| floor_div(&(&deficit * &c.upnl), &total)).collect()
        };
        let mut rest = deficit.min(total) - sum(charges.iter().cloned());
        for charge in &mut charges {
            if rest.is_positive() {
                *charge += 1;
                rest -= 1;
            }
        }
        for (charged, amount) in list.iter().zip(&charges) {
            self.charge(charged, amount);
        }
        self.change_fund(fund, &sum(charges), "socialised");
        self.look_in_rounds(fund);
    }

    /// Positions of accounts with uPnL > 0, in instruments of the fund with a mark.
    fn profits_in(&self, fund: usize) -> Vec<Charged> {
        let mut list = Vec::new();
        for i in (0..self.instruments.len()).filter(|&i| self.instruments[i].fund == fund) {
            if self.instruments[i].mark.is_none() {
                continue;
            }
            for long in [true, false] {
                for ranked in self.adl_queue(i, long) {
                    let upnl = self.upnl(i, &self.position(ranked.account, ranked.at));
                    if upnl.is_positive() {
                        let (rank, at, account) = (ranked.rank, ranked.at, ranked.account);
                        list.push(Charged { rank, at, short: !long, account, upnl });
                    }
                }
            }
        }
        list
    }

    fn charge(&mut self, charged: &Charged, amount: &Int) {
        if amount.is_zero() {
            return;
        }
        let (account, at) = (charged.account, charged.at);
        self.catch_up(account);
        let pool = self.own_pool(account, at);
        *self.pool_money_mut(pool) -= amount;
        let asset = self.settle_of(at.i);
        let fields = json!({
            "account": account,
            "symbol": self.instruments[at.i].symbol,
            "amount": self.show_money(asset, amount),
        });
        self.emit("socialised", fields);
    }
}
