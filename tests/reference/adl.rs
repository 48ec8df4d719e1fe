//! Auto-deleveraging (model section 7).

use super::number::{Int, ceil_div, floor_div, int, trunc_div, zero};
use super::state::{At, Side, State, sum};
use num_traits::{Signed, Zero};
use serde_json::{Value, json};

/// A position in the queue of its side.
pub struct Ranked {
    pub account: u64,
    pub at: At,
    pub qty: Int,
    /// With 64 fractional bits.
    pub score: Int,
    pub rank: u64,
    pub lights: u64,
    profitable: bool,
}

impl State {
    /// All positions of one side of an instrument, highest rank first.
    pub fn adl_queue(&self, i: usize, long: bool) -> Vec<Ranked> {
        let mut queue: Vec<Ranked> = Vec::new();
        for &account in self.accounts.keys() {
            for at in self.places(account, i) {
                let position = self.position(account, at);
                if position.q.is_zero() || position.q.is_positive() != long {
                    continue;
                }
                let profitable = self.upnl(i, &position).is_positive();
                let (qty, score) = (position.size(), self.adl_score(account, at));
                queue.push(Ranked { account, at, qty, score, rank: 0, lights: 0, profitable });
            }
        }
        queue.sort_by(|a, b| {
            let profitable = b.profitable.cmp(&a.profitable);
            profitable.then(b.score.cmp(&a.score)).then(a.account.cmp(&b.account))
        });
        number_queue(&mut queue);
        queue
    }

    /// `pnl_leverage`: `pnl = uPnL / max(|C|, 1)` and `lev = N / max(E_i, 1)`
    /// with 32 fractional bits; `pnl · lev` if uPnL > 0, else `pnl / lev`, with
    /// 64, saturating.
    fn adl_score(&self, account: u64, at: At) -> Int {
        let position = self.position(account, at);
        let upnl = self.upnl(at.i, &position);
        let pnl = trunc_div(&(&upnl << 32), &position.cost.abs().max(int(1)));
        let share = self.share(account, at).max(int(1));
        let lev = trunc_div(&(self.notional(at.i, &position) << 32), &share);
        let score = if upnl.is_positive() { pnl * lev } else { trunc_div(&(pnl << 64), &lev.max(int(1))) };
        let end: Int = int(1) << 127;
        let (most, least) = (&end - 1, -&end);
        score.min(most).max(least)
    }

    /// Passed over: locked pools, pools in breach, pools that the trade would
    /// leave with negative equity.
    fn may_be_deleveraged(&self, account: u64, at: At, k: &Int, price: &Int) -> bool {
        let (i, pool) = (at.i, self.own_pool(account, at));
        if self.is_locked(pool) || self.in_breach(pool) {
            return false;
        }
        let mark = self.instruments[i].mark.clone().expect("only instruments with a mark");
        // What the pool has after it: the part leaves at the price, the rest stays at mark.
        let position = self.position(account, at);
        let part = position.part(k);
        let rest = self.value_at(i, &(&position.q - &part), &mark);
        let change = self.value_at(i, &part, price) + rest - self.value(i, &position);
        !(self.equity(pool) + change).is_negative()
    }

    /// The opposite positions take up to `|q|` lots of the signed `q` at the
    /// price, in order of rank, ranked once. Returns how many were traded, and
    /// the sum of the values at which they were booked on the counterparties.
    pub fn trade_with_counters(&mut self, bankrupt: &Value, i: usize, q: &Int, price: &Int) -> (Int, Int) {
        let side = if q.is_positive() { Side::Buy } else { Side::Sell };
        let (mut left, mut booked) = (q.abs(), zero());
        for counter in self.adl_queue(i, q.is_negative()) {
            if left.is_zero() {
                break;
            }
            let k = counter.qty.clone().min(left.clone());
            if !self.may_be_deleveraged(counter.account, counter.at, &k, price) {
                continue;
            }
            self.settle_first(counter.account);
            if !self.may_be_deleveraged(counter.account, counter.at, &k, price) {
                continue;
            }
            let part = self.position(counter.account, counter.at).part(&k);
            let value = self.value_at(i, &part, price);
            let realised = self.reduce(counter.account, counter.at, &k, &value);
            booked += value;
            let fields = json!({
                "account": bankrupt,
                "counter": counter.account,
                "symbol": self.instruments[i].symbol,
                "side": side.word(),
                "qty": self.show_qty(i, &k),
                "price": self.show_price(i, price),
                "realised": self.show_money(self.settle_of(i), &realised),
                "rank": counter.rank,
            });
            self.emit("adl", fields);
            self.cut_reduce_only(counter.account, counter.at);
            left -= k;
        }
        (q.abs() - left, booked)
    }

    /// Step 5: the pool is booked out at `X` as in step 4; counterparties take
    /// the lots at the bankruptcy price; the fund takes the residue and what
    /// they do not reach. Without such a price nobody is deleveraged.
    pub fn deleverage_for(&mut self, account: u64, at: At, k: &Int) {
        let i = at.i;
        let passing = self.passing(account, at, k);
        let Some(price) = passing.price.clone() else {
            return self.take_over(account, at, k);
        };
        let q = self.position(account, at).part(k);
        let x = &passing.value - &passing.share;
        self.reduce(account, at, k, &x);
        let (traded, booked) = self.trade_with_counters(&json!(account), i, &q, &price);
        self.cut_standing(i);

        // The rest: k' lots at V(k', mark) − floor(E_k · k' / k).
        let left = k - &traded;
        let mark = self.instruments[i].mark.clone().expect("only positions with a mark");
        let left_q = q.signum() * &left;
        let left_share = floor_div(&(&passing.share * &left), k);
        let left_x = self.value_at(i, &left_q, &mark) - &left_share;

        // What counterparties paid, against the part of X that is theirs.
        let residue = -booked - (x - &left_x);
        let fund = self.instruments[i].fund;
        if !residue.is_zero() {
            self.change_fund(fund, &residue, "adl_residue");
            self.report_fund_deficit(fund);
        }
        if left.is_positive() {
            self.enter_inventory(account, at, &left_q, &left_x, &left_share, &passing.price);
        }
    }
}

/// Ranks from 1; lights `6 − ceil(5 · Q / side)`.
fn number_queue(queue: &mut [Ranked]) {
    let side = sum(queue.iter().map(|r| r.qty.clone()));
    let mut up_to = zero();
    for (n, ranked) in queue.iter_mut().enumerate() {
        up_to += &ranked.qty;
        let fifths = ceil_div(&(&up_to * 5), &side);
        ranked.rank = n as u64 + 1;
        ranked.lights = u64::try_from(int(6) - fifths).expect("from 1 to 5");
    }
}

impl Ranked {
    /// Of one account's position.
    pub fn lights_of(queue: &[Ranked], account: u64, at: At) -> u64 {
        let ranked = queue.iter().find(|r| r.account == account && r.at == at);
        ranked.expect("the position is in its queue").lights
    }
}
