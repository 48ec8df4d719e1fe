//! Auto-deleveraging (model section 7).

use super::number::{Int, Rat, ceil_div, floor_div, int, pow10, show_rounded, trunc_div, zero};
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

    /// By the instrument's ranking, of `pro_rata` by `pnl_leverage`: a product of two factors with 32
    /// fractional bits, with 64, saturating.
    fn adl_score(&self, account: u64, at: At) -> Int {
        let score = match self.instruments[at.i].adl_rank.as_str() {
            "pnl_margin_ratio" => self.pnl_margin_ratio(account, at),
            "profit_notional" => self.profit_notional(account, at),
            _ => self.pnl_leverage(account, at),
        };
        let end: Int = int(1) << 127;
        let (most, least) = (&end - 1, -&end);
        score.min(most).max(least)
    }

    /// `pnl = uPnL / max(|C|, 1)` and `lev = N / max(E_i, 1)`; `pnl · lev` if
    /// uPnL > 0, else `pnl / lev`.
    fn pnl_leverage(&self, account: u64, at: At) -> Int {
        let position = self.position(account, at);
        let upnl = self.upnl(at.i, &position);
        let pnl = factor(&upnl, &position.cost.abs());
        let lev = factor(&self.notional(at.i, &position), &self.share(account, at));
        if upnl.is_positive() { pnl * lev } else { trunc_div(&(pnl << 64), &lev.max(int(1))) }
    }

    /// `max(0, uPnL) / max(1 whole unit, balance or isolated margin) · MM / equity`
    fn pnl_margin_ratio(&self, account: u64, at: At) -> Int {
        let pool = self.own_pool(account, at);
        let upnl = self.upnl(at.i, &self.position(account, at));
        let whole_unit = pow10(self.assets[self.settle_of(at.i)].decimals);
        let money = self.pool_money(pool).max(whole_unit);
        factor(&upnl.max(zero()), &money) * factor(&self.mm(pool), &self.equity(pool))
    }

    /// `(mark / entry, inverted for shorts) · (N / equity)`. The ratio of the
    /// prices is that of the values, of an inverse contract turned over.
    fn profit_notional(&self, account: u64, at: At) -> Int {
        let position = self.position(account, at);
        let (value, cost) = (self.value(at.i, &position).abs(), position.cost.abs());
        let turned = position.q.is_negative() != self.instruments[at.i].inverse;
        let ratio = if turned { factor(&cost, &value) } else { factor(&value, &cost) };
        ratio * factor(&self.notional(at.i, &position), &self.equity(self.own_pool(account, at)))
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
    /// price, ranked once. Returns how many were traded, and the sum of the
    /// values at which they were booked on the counterparties.
    pub fn trade_with_counters(&mut self, bankrupt: &Value, i: usize, q: &Int, price: &Int) -> (Int, Int) {
        let (mut left, mut booked) = (q.abs(), zero());
        let mut trades: Vec<Int> = Vec::new();
        let queue = self.adl_queue(i, q.is_negative());
        let allotted = match self.instruments[i].adl_rank.as_str() {
            "pro_rata" => {
                self.settle_for_shares(&queue);
                self.allot(&queue, i, &left, price)
            }
            _ => None,
        };
        for (n, counter) in queue.iter().enumerate() {
            if left.is_zero() {
                break;
            }
            let k = match &allotted {
                Some(allotted) if counter.profitable => allotted[n].clone(),
                _ => counter.qty.clone().min(left.clone()),
            };
            if k.is_zero() || !self.may_be_deleveraged(counter.account, counter.at, &k, price) {
                continue;
            }
            self.catch_up(counter.account);
            if !self.may_be_deleveraged(counter.account, counter.at, &k, price) {
                continue;
            }
            booked += self.deleverage(bankrupt, counter, &k, price);
            left -= &k;
            trades.push(k);
        }
        self.report_adl(bankrupt, i, &q.abs(), &trades);
        (q.abs() - left, booked)
    }

    /// One counterparty: an ordinary reduction. Returns the value at which it
    /// was booked.
    fn deleverage(&mut self, bankrupt: &Value, counter: &Ranked, k: &Int, price: &Int) -> Int {
        let (account, at) = (counter.account, counter.at);
        let position = self.position(account, at);
        let side = Side::closing(&position.q);
        let value = self.value_at(at.i, &position.part(k), price);
        let realised = self.reduce(account, at, k, &value);
        let fields = json!({
            "account": bankrupt,
            "counter": account,
            "symbol": self.instruments[at.i].symbol,
            "side": side.word(),
            "qty": self.show_qty(at.i, k),
            "price": self.show_price(at.i, price),
            "realised": self.show_money(self.settle_of(at.i), &realised),
            "rank": counter.rank,
        });
        self.emit("adl", fields);
        self.cut_reduce_only(account, at);
        value
    }

    /// Shares are taken once, of pools as they are when all is booked that is under way.
    fn settle_for_shares(&mut self, queue: &[Ranked]) {
        for counter in queue.iter().filter(|counter| counter.profitable) {
            let pool = self.own_pool(counter.account, counter.at);
            if !self.is_locked(pool) && !self.in_breach(pool) {
                self.catch_up(counter.account);
            }
        }
    }

    /// `pro_rata`: the profitable positions by the same share of their size, what
    /// the floors leave by rank; those that it would leave with negative equity
    /// are out of it. In the order of the queue.
    fn allot(&self, queue: &[Ranked], i: usize, needed: &Int, price: &Int) -> Option<Vec<Int>> {
        assert!(queue.iter().all(|r| r.at.i == i));
        let able = |r: &Ranked| {
            let pool = self.own_pool(r.account, r.at);
            r.profitable && !self.is_locked(pool) && !self.in_breach(pool)
        };
        let mut inside: Vec<bool> = queue.iter().map(able).collect();
        loop {
            let allotted = shares(queue, &inside, needed);
            let falls = |n: &usize| {
                let counter = &queue[*n];
                allotted[*n].is_positive()
                    && !self.may_be_deleveraged(counter.account, counter.at, &allotted[*n], price)
            };
            let out: Vec<usize> = (0..queue.len()).filter(falls).collect();
            if out.is_empty() {
                return Some(allotted);
            }
            for n in out {
                inside[n] = false;
            }
        }
    }

    /// Per deleveraging: needed, reduced, by how many, and the share of the
    /// largest. Of inventory, only where somebody traded.
    fn report_adl(&mut self, bankrupt: &Value, i: usize, needed: &Int, trades: &[Int]) {
        if trades.is_empty() && bankrupt.is_string() {
            return;
        }
        let reduced = sum(trades.iter().cloned());
        let largest = trades.iter().max().map(|most| show_rounded(&Rat::new(most.clone(), reduced.clone()), 8));
        let fields = json!({
            "account": bankrupt,
            "symbol": self.instruments[i].symbol,
            "needed": self.show_qty(i, needed),
            "reduced": self.show_qty(i, &reduced),
            "counterparties": trades.len(),
            "largest": largest,
        });
        self.emit("adl_report", fields);
    }

    /// Step 5: the pool is booked out at `X` as in step 4; counterparties take
    /// the lots at the bankruptcy price, or at the mark; the fund takes the
    /// residue and what they do not reach. Without a bankruptcy price nobody is
    /// deleveraged.
    pub fn deleverage_for(&mut self, account: u64, at: At, k: &Int) {
        let i = at.i;
        let passing = self.passing(account, at, k);
        let Some(bankruptcy) = passing.price.clone() else {
            return self.take_over(account, at, k);
        };
        let mark = self.instruments[i].mark.clone().expect("only positions with a mark");
        let price = if self.instruments[i].adl_price == "mark" { mark.clone() } else { bankruptcy };
        let q = self.position(account, at).part(k);
        let x = &passing.value - &passing.share;
        self.reduce(account, at, k, &x);
        let (traded, booked) = self.trade_with_counters(&json!(account), i, &q, &price);
        self.cut_standing(i);

        // The rest: k' lots at V(k', mark) − floor(E_k · k' / k).
        let left = k - &traded;
        let left_q = q.signum() * &left;
        let left_share = floor_div(&(&passing.share * &left), k);
        let left_x = self.value_at(i, &left_q, &mark) - &left_share;

        // What counterparties paid, against the part of X that is theirs.
        let residue = -booked - (x - &left_x);
        let fund = self.instruments[i].fund;
        if !residue.is_zero() {
            self.change_fund(fund, &residue, "adl_residue");
            self.report_fund_deficit(fund);
            self.look_in_rounds(fund);
        }
        if left.is_positive() {
            self.enter_inventory(account, at, &left_q, &left_x, &left_share, &passing.price);
            self.socialise(fund);
        }
    }
}

/// `a / max(b, 1)` with 32 fractional bits, truncated toward zero.
fn factor(a: &Int, b: &Int) -> Int {
    trunc_div(&(a << 32), &b.clone().max(int(1)))
}

/// The lots of each of those inside: `floor(needed · size / Σ size)`, and one
/// each of what that leaves, by rank; all of them, if all are needed.
fn shares(queue: &[Ranked], inside: &[bool], needed: &Int) -> Vec<Int> {
    let size = |n: usize| if inside[n] { queue[n].qty.clone() } else { zero() };
    let total = sum((0..queue.len()).map(size));
    if *needed >= total {
        return (0..queue.len()).map(size).collect();
    }
    let mut lots: Vec<Int> = (0..queue.len()).map(|n| floor_div(&(needed * size(n)), &total)).collect();
    let mut rest = needed - sum(lots.iter().cloned());
    for n in (0..queue.len()).filter(|&n| inside[n]) {
        if rest.is_positive() {
            lots[n] += 1;
            rest -= 1;
        }
    }
    assert!(rest.is_zero());
    lots
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
