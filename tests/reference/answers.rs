//! The answers to `get` (protocol, "Events").

use super::adl::Ranked;
use super::command::Get;
use super::input::{Refusal, refuse};
use super::number::{Int, Rat, decimals_of, int, show_rounded, show_scaled, zero};
use super::state::{At, Holding, Order, PoolId, PoolKind, Position, State, sum};
use super::tiers::Row;
use num_traits::{Signed, Zero};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

impl State {
    pub fn do_get(&mut self, get: &Get) -> Result<(), Refusal> {
        let (ev, fields) = match get {
            Get::Account(account) => {
                self.need_account(*account)?;
                ("account", self.answer_account(*account))
            }
            Get::Instrument(symbol) => ("instrument", self.answer_instrument(self.instrument_id(symbol)?)),
            Get::Fund(fund) => ("fund", self.answer_fund(self.fund_id(fund)?)),
            Get::AdlQueue { symbol, side, limit } => {
                let i = self.instrument_id(symbol)?;
                ("adl_queue", self.answer_adl_queue(i, side, *limit))
            }
            Get::Ladder(symbol) => ("ladder", self.answer_ladder(self.instrument_id(symbol)?)?),
            Get::Totals => ("totals", self.answer_totals()),
            Get::Health => ("health", self.answer_health()),
            Get::NotBuilt(what) => {
                return refuse("bad_value", format!("get {what} is not built"));
            }
        };
        self.emit(ev, fields);
        Ok(())
    }

    fn answer_account(&self, account: u64) -> Value {
        let a = &self.accounts[&account];
        let mut balances = Map::new();
        for (&asset, pool) in &a.pools {
            let name = self.assets[asset].name.clone();
            balances.insert(name, json!(self.show_money(asset, &pool.balance)));
        }
        let held = |h: &Holding| !h.position.q.is_zero();
        let mut pools: Vec<Value> = Vec::new();
        for &asset in a.pools.keys() {
            pools.push(self.show_pool(PoolId { account, kind: PoolKind::Cross(asset) }));
        }
        for (&at, _) in a.holdings.iter().filter(|(at, h)| self.terms(account, at.i).isolated && held(h)) {
            pools.push(self.show_pool(PoolId { account, kind: PoolKind::Isolated(at) }));
        }
        let holdings = a.holdings.iter().filter(|(_, h)| held(h));
        let positions: Vec<Value> = holdings.map(|(&at, _)| self.show_position(account, at)).collect();
        json!({
            "account": account,
            "balances": balances,
            "pools": pools,
            "positions": positions,
            "orders": self.show_orders(account),
        })
    }

    fn show_pool(&self, pool: PoolId) -> Value {
        let asset = self.pool_asset(pool);
        let (kind, im, available) = match pool.kind {
            PoolKind::Cross(asset) => {
                let available = self.available(pool.account, asset);
                let im = self.cross_im(pool.account, asset);
                ("cross", im, json!(self.show_money(asset, &available)))
            }
            PoolKind::Isolated(at) => ("isolated", self.position_im(pool.account, at), Value::Null),
        };
        json!({
            "pool": self.pool_name(pool),
            "kind": kind,
            "equity": self.show_money(asset, &self.equity(pool)),
            "im": self.show_money(asset, &im),
            "mm": self.show_money(asset, &self.mm(pool)),
            "ratio": self.show_ratio(pool),
            "available": available,
            "locked": self.is_locked(pool),
        })
    }

    fn show_position(&self, account: u64, at: At) -> Value {
        let i = at.i;
        let asset = self.settle_of(i);
        let instrument = &self.instruments[i];
        let holding = self.holding(account, at);
        let position = &holding.position;
        let notional = self.notional(i, position);
        let money = |x: &Int| self.show_money(asset, x);
        let margin = if self.terms(account, i).isolated { json!(money(&holding.margin)) } else { Value::Null };
        let queue = self.adl_queue(i, position.q.is_positive());
        json!({
            "symbol": instrument.symbol,
            "side": position.word(),
            "qty": self.show_qty(i, &position.size()),
            "entry": self.show_entry(i, position),
            "mark": self.show_maybe_price(i, &instrument.mark),
            "notional": money(&notional),
            "upnl": money(&self.upnl(i, position)),
            "margin": margin,
            "leverage": show_scaled(&self.leverage(account, i), 2),
            "im": money(&self.position_im(account, at)),
            "mm": money(&self.position_mm(account, at)),
            "tier": instrument.tiers.row_of(&notional) + 1,
            "liq_price": self.show_maybe_price(i, &self.liq_price(account, at)),
            "bankruptcy_price": self.show_maybe_price(i, &self.bankruptcy_price(account, at)),
            "lights": Ranked::lights_of(&queue, account, at),
        })
    }

    /// Half-even to four places more than the tick has.
    fn show_entry(&self, i: usize, position: &Position) -> Value {
        let tick = &self.instruments[i].tick;
        match self.entry(i, &position.q, &position.cost) {
            Some(entry) => json!(show_rounded(&(entry * tick), decimals_of(tick) + 4)),
            None => Value::Null,
        }
    }

    pub fn show_maybe_price(&self, i: usize, price: &Option<Int>) -> Value {
        match price {
            Some(price) => json!(self.show_price(i, price)),
            None => Value::Null,
        }
    }

    fn show_orders(&self, account: u64) -> Vec<Value> {
        let show = |o: &Order| {
            let i = o.at.i;
            let mut shown = json!({
                "order": o.id,
                "symbol": self.instruments[i].symbol,
                "side": o.side.word(),
                "qty": self.show_qty(i, &o.rest),
                "price": self.show_price(i, &o.price),
                "reduce_only": o.reduce_only,
            });
            if let Some(leg) = o.at.leg.word() {
                shown["position_side"] = json!(leg);
            }
            shown
        };
        self.accounts[&account].orders.iter().map(show).collect()
    }

    fn answer_instrument(&self, i: usize) -> Value {
        let instrument = &self.instruments[i];
        let show = |row: &Row| {
            json!({
                "cap": self.show_money(instrument.settle, &row.cap),
                "mmr": show_scaled(&row.mmr, 9),
                "max_leverage": show_scaled(&row.max_leverage, 2),
                "deduction": self.show_money(instrument.settle, &row.deduction),
            })
        };
        let mut answer = json!({
            "symbol": instrument.symbol,
            "kind": instrument.kind,
            "mark": self.show_maybe_price(i, &instrument.mark),
            "last": self.show_maybe_price(i, &instrument.last),
            "bid": self.show_maybe_price(i, &instrument.bid),
            "ask": self.show_maybe_price(i, &instrument.ask),
            "open_interest": self.show_qty(i, &self.open_interest(i)),
            "fund": self.funds[instrument.fund].name,
            "tiers": instrument.tiers.shown_rows().iter().map(show).collect::<Vec<_>>(),
        });
        for (name, value) in self.answer_prices(i) {
            answer[name] = value;
        }
        answer
    }

    fn answer_fund(&self, fund: usize) -> Value {
        let f = &self.funds[fund];
        let held = f.inventory.iter().filter(|(_, p)| !p.q.is_zero());
        let show = |(&i, p): (&usize, &Position)| {
            json!({
                "symbol": self.instruments[i].symbol,
                "side": p.word(),
                "qty": self.show_qty(i, &p.size()),
                "entry": self.show_entry(i, p),
                "upnl": self.show_money(f.asset, &self.upnl(i, p)),
            })
        };
        json!({
            "fund": f.name,
            "asset": self.assets[f.asset].name,
            "balance": self.show_money(f.asset, &f.balance),
            "equity": self.show_money(f.asset, &self.fund_equity(fund)),
            "floor": self.show_money(f.asset, &f.floor),
            "peak": self.fund_peak(fund).map(|peak| self.show_money(f.asset, &peak)),
            "inventory": held.map(show).collect::<Vec<_>>(),
        })
    }

    fn answer_adl_queue(&self, i: usize, side: &str, limit: Option<u64>) -> Value {
        let queue = self.adl_queue(i, side == "long");
        let limit = limit.unwrap_or(u64::MAX);
        let shown = queue.iter().filter(|r| r.rank <= limit);
        let show = |r: &Ranked| {
            json!({
                "account": r.account,
                "qty": self.show_qty(i, &r.qty),
                "score": show_rounded(&Rat::new(r.score.clone(), int(1) << 64), 8),
                "rank": r.rank,
                "lights": r.lights,
            })
        };
        json!({
            "symbol": self.instruments[i].symbol,
            "side": side,
            "queue": shown.map(show).collect::<Vec<_>>(),
        })
    }

    /// Rungs by liquidation price, from the mark outward; of two equally far
    /// the lower first.
    fn answer_ladder(&self, i: usize) -> Result<Value, Refusal> {
        let symbol = &self.instruments[i].symbol;
        let Some(mark) = &self.instruments[i].mark else {
            return refuse("no_price", format!("{symbol} has no mark"));
        };
        let mut rungs: BTreeMap<(Int, Int), Vec<(u64, Position)>> = BTreeMap::new();
        for &account in self.accounts.keys() {
            for at in self.places(account, i) {
                let position = self.position(account, at);
                if position.q.is_zero() || self.is_locked(self.own_pool(account, at)) {
                    continue;
                }
                if let Some(price) = self.liq_price(account, at) {
                    let distance = (&price - mark).abs();
                    rungs.entry((distance, price)).or_default().push((account, position));
                }
            }
        }
        let show = |((_, price), positions): (&(Int, Int), &Vec<(u64, Position)>)| {
            let long = sum(positions.iter().map(|(_, p)| p.q.clone().max(zero())));
            let short = sum(positions.iter().map(|(_, p)| (-&p.q).max(zero())));
            let accounts: BTreeSet<u64> = positions.iter().map(|(account, _)| *account).collect();
            let notional = self.notional_at(i, &(&long + &short), price);
            json!({
                "price": self.show_price(i, price),
                "long_qty": self.show_qty(i, &long),
                "short_qty": self.show_qty(i, &short),
                "accounts": accounts.len(),
                "notional": self.show_money(self.settle_of(i), &notional),
            })
        };
        Ok(json!({"symbol": symbol, "rungs": rungs.iter().map(show).collect::<Vec<_>>()}))
    }

    fn answer_totals(&self) -> Value {
        let mut assets = Map::new();
        for asset in 0..self.assets.len() {
            let shown: Map<String, Value> = self
                .asset_totals(asset)
                .into_iter()
                .map(|(key, amount)| (key.to_string(), json!(self.show_money(asset, &amount))))
                .collect();
            assets.insert(self.assets[asset].name.clone(), Value::Object(shown));
        }
        let mut symbols = Map::new();
        for i in 0..self.instruments.len() {
            let long = self.open_interest(i);
            let difference = sum(self.all_sizes(i));
            let shown = json!({
                "long": self.show_qty(i, &long),
                "short": self.show_qty(i, &(&long - &difference)),
                "difference": self.show_qty(i, &difference),
            });
            symbols.insert(self.instruments[i].symbol.clone(), shown);
        }
        json!({"assets": assets, "symbols": symbols})
    }
}
