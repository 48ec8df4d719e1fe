//! `get`: what is asked, and the answer as one line.

use super::Rejection;
use super::desk::{Answer, Desk};
use super::encode::{Encoder, Line, position_word, ratio, score, side_word};
use super::fields::Fields;
use crate::event::PoolName;
use crate::market::{FundId, InstrumentId};
use crate::refusal::Code;
use crate::shard::{OrderView, PoolView, PositionView};
use std::fmt::Write;

#[derive(Clone, Copy)]
enum What {
    Account,
    Instrument,
    Fund,
    AdlQueue,
    Ladder,
    Totals,
    /// A word of the protocol that is not built.
    Later,
}

const WHATS: &[(&str, What)] = &[
    ("account", What::Account),
    ("instrument", What::Instrument),
    ("fund", What::Fund),
    ("adl_queue", What::AdlQueue),
    ("ladder", What::Ladder),
    ("totals", What::Totals),
    ("health", What::Later),
    ("riskiest", What::Later),
];

pub(super) fn carry_out(desk: &mut Desk, mut fields: Fields) -> Result<Answer, Rejection> {
    // `what` decides which fields are known, so it is read before them.
    let what = fields.word("what", WHATS)?;
    let known: &[&str] = match what {
        What::Account => &["ts", "account"],
        What::Instrument | What::Ladder => &["ts", "symbol"],
        What::Fund => &["ts", "fund"],
        What::AdlQueue => &["ts", "symbol", "side", "limit"],
        What::Totals => &["ts"],
        What::Later => &["ts", "account", "symbol", "limit"],
    };
    fields.only(known)?;
    let ts_ns = fields.id_or_none("ts")?;
    let mut out = String::new();
    match what {
        What::Account => account(desk, fields, ts_ns, &mut out)?,
        What::Instrument => instrument(desk, fields, ts_ns, &mut out)?,
        What::Fund => fund(desk, fields, ts_ns, &mut out)?,
        What::AdlQueue => adl_queue(desk, fields, ts_ns, &mut out)?,
        What::Ladder => ladder(desk, fields, ts_ns, &mut out)?,
        What::Totals => {
            desk.check_time(ts_ns)?;
            totals(desk, &mut out);
        }
        What::Later => {
            desk.check_time(ts_ns)?;
            return Err(Rejection::bad_value("this \"what\" is not supported in this version"));
        }
    }
    desk.kernel.pass_time(ts_ns);
    Ok(Answer::Line(out))
}

fn symbol(desk: &Desk, fields: &mut Fields, ts_ns: Option<u64>) -> Result<InstrumentId, Rejection> {
    let symbol = fields.name("symbol")?;
    desk.check_time(ts_ns)?;
    desk.instrument(&symbol)
}

fn account(desk: &Desk, mut fields: Fields, ts_ns: Option<u64>, out: &mut String) -> Result<(), Rejection> {
    let account = fields.id("account")?;
    desk.check_time(ts_ns)?;
    let view = desk.kernel.account(account)?;
    let encoder = Encoder::new(desk.kernel.market());
    Line::begin(out, "account", desk.seq)
        .bare("account", account)
        .nested("balances", |line| {
            for &(asset, amount) in &view.balances {
                line.quoted(&desk.kernel.market().asset(asset).name, encoder.amount(asset, amount));
            }
        })
        .list("pools", &view.pools, |out, pool| encoder.pool_view(out, pool))
        .list("positions", &view.positions, |out, position| {
            let lights = lights(desk, account, position);
            encoder.position_view(out, position, desk.kernel.market().instrument(position.instrument).mark, lights);
        })
        .list("orders", &view.orders, |out, order| encoder.order_view(out, order))
        .end();
    Ok(())
}

/// The lights of an account's position: its place in the queue of its side.
fn lights(desk: &Desk, account: u64, position: &PositionView) -> u8 {
    let queue = desk.kernel.adl_queue(position.instrument, position.position.quantity > 0);
    queue.iter().find(|entry| entry.account == account).map_or(0, |entry| entry.lights)
}

impl Encoder<'_> {
    fn pool_view(self, out: &mut String, view: &PoolView) {
        let asset = self.pool_asset(view.name);
        let kind = match view.name {
            PoolName::Cross(_) => "cross",
            PoolName::Isolated(_) => "isolated",
        };
        Line::object(out)
            .quoted("pool", self.pool(view.name))
            .quoted("kind", kind)
            .quoted("equity", self.amount(asset, view.margin.equity))
            .quoted("im", self.amount(asset, view.initial))
            .quoted("mm", self.amount(asset, view.margin.maintenance))
            .quoted_or_null("ratio", ratio(view.margin.maintenance, view.margin.equity))
            .quoted_or_null("available", view.available.map(|amount| self.amount(asset, amount)))
            .bare("locked", view.locked)
            .close();
    }

    fn position_view(self, out: &mut String, view: &PositionView, mark: Option<i64>, lights: u8) {
        let id = view.instrument;
        let asset = self.settle(id);
        Line::object(out)
            .quoted("symbol", self.symbol(id))
            .quoted("side", position_word(view.position.quantity))
            .quoted("qty", self.quantity(id, view.position.quantity.abs()))
            .quoted("entry", self.entry(id, &view.position))
            .quoted_or_null("mark", mark.map(|mark| self.price(id, mark)))
            .quoted("notional", self.amount(asset, view.notional))
            .quoted("upnl", self.amount(asset, view.unrealised))
            .quoted_or_null("margin", view.margin.map(|margin| self.amount(asset, margin)))
            .quoted("leverage", crate::decimal::Decimal::new(i128::from(view.leverage), 2))
            .quoted("im", self.amount(asset, view.initial))
            .quoted("mm", self.amount(asset, view.maintenance))
            .bare("tier", view.tier + 1)
            .quoted_or_null("liq_price", view.liquidation_price.map(|price| self.price(id, price)))
            .quoted("bankruptcy_price", self.price(id, view.bankruptcy_price))
            .bare("lights", lights)
            .close();
    }

    fn order_view(self, out: &mut String, view: &OrderView) {
        Line::object(out)
            .bare("order", view.order)
            .quoted("symbol", self.symbol(view.instrument))
            .quoted("side", side_word(view.side))
            .quoted("qty", self.quantity(view.instrument, view.rest))
            .quoted("price", self.price(view.instrument, view.price))
            .bare("reduce_only", view.reduce_only)
            .close();
    }
}

fn instrument(desk: &Desk, mut fields: Fields, ts_ns: Option<u64>, out: &mut String) -> Result<(), Rejection> {
    let id = symbol(desk, &mut fields, ts_ns)?;
    let market = desk.kernel.market();
    let encoder = Encoder::new(market);
    let at = market.instrument(id);
    let (bid, ask) = desk.kernel.top_of_book(id);
    let price = |price: Option<i64>| price.map(|price| encoder.price(id, price));
    Line::begin(out, "instrument", desk.seq)
        .quoted("symbol", &at.spec.symbol)
        .quoted("kind", "linear_perp")
        .quoted_or_null("mark", price(at.mark))
        .quoted_or_null("last", price(at.last))
        .quoted_or_null("bid", price(bid))
        .quoted_or_null("ask", price(ask))
        .quoted("open_interest", encoder.quantity(id, desk.kernel.open_interest_of(id)))
        .quoted("fund", &market.fund(at.spec.fund).name)
        .list("tiers", at.spec.tiers.rows(), |out, row| {
            Line::object(out)
                .quoted("cap", encoder.amount(at.spec.settle, row.cap))
                .quoted("mmr", crate::decimal::Decimal::new(i128::from(row.mmr_ppb), 9))
                .quoted("max_leverage", crate::decimal::Decimal::new(i128::from(row.max_leverage), 2))
                .quoted("deduction", encoder.amount(at.spec.settle, row.deduction.unwrap_or(0)))
                .close();
        })
        .end();
    Ok(())
}

fn fund(desk: &Desk, mut fields: Fields, ts_ns: Option<u64>, out: &mut String) -> Result<(), Rejection> {
    let name = fields.name("fund")?;
    desk.check_time(ts_ns)?;
    let id: FundId = desk.fund(&name)?;
    let market = desk.kernel.market();
    let encoder = Encoder::new(market);
    let (spec, view) = (market.fund(id), desk.kernel.fund(id)?);
    let asset = &market.asset(spec.asset).name;
    Line::begin(out, "fund", desk.seq)
        .quoted("fund", &spec.name)
        .quoted("asset", asset)
        .quoted("balance", encoder.amount(spec.asset, view.balance))
        .quoted("equity", encoder.amount(spec.asset, view.equity))
        .quoted("floor", encoder.amount(spec.asset, spec.floor))
        .bare("peak", "null")
        .list("inventory", &view.inventory, |out, held| {
            Line::object(out)
                .quoted("symbol", encoder.symbol(held.instrument))
                .quoted("side", position_word(held.position.quantity))
                .quoted("qty", encoder.quantity(held.instrument, held.position.quantity.abs()))
                .quoted("entry", encoder.entry(held.instrument, &held.position))
                .quoted("upnl", encoder.amount(spec.asset, held.unrealised))
                .close();
        })
        .end();
    Ok(())
}

fn adl_queue(desk: &Desk, mut fields: Fields, ts_ns: Option<u64>, out: &mut String) -> Result<(), Rejection> {
    let long = fields.word("side", &[("long", true), ("short", false)])?;
    let limit = fields.id_or_none("limit")?.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let id = symbol(desk, &mut fields, ts_ns)?;
    let encoder = Encoder::new(desk.kernel.market());
    let queue = desk.kernel.adl_queue(id, long);
    Line::begin(out, "adl_queue", desk.seq)
        .quoted("symbol", encoder.symbol(id))
        .quoted("side", if long { "long" } else { "short" })
        .list("queue", queue.iter().take(limit), |out, entry| {
            Line::object(out)
                .bare("account", entry.account)
                .quoted("qty", encoder.quantity(id, entry.quantity))
                .quoted("score", score(entry.score))
                .bare("rank", entry.rank)
                .bare("lights", entry.lights)
                .close();
        })
        .end();
    Ok(())
}

fn ladder(desk: &Desk, mut fields: Fields, ts_ns: Option<u64>, out: &mut String) -> Result<(), Rejection> {
    let id = symbol(desk, &mut fields, ts_ns)?;
    let encoder = Encoder::new(desk.kernel.market());
    let none = || Rejection::new(Code::NoPrice, format!("{} never had a mark", encoder.symbol(id)));
    let rungs = desk.kernel.ladder(id).ok_or_else(none)?;
    let unit = i128::from(desk.kernel.market().instrument(id).spec.unit);
    Line::begin(out, "ladder", desk.seq)
        .quoted("symbol", encoder.symbol(id))
        .list("rungs", rungs, |out, (price, rung)| {
            let notional = (rung.long_lots + rung.short_lots) * price * unit;
            Line::object(out)
                .quoted("price", encoder.price(id, price))
                .quoted("long_qty", encoder.quantity(id, rung.long_lots))
                .quoted("short_qty", encoder.quantity(id, rung.short_lots))
                .bare("accounts", rung.accounts)
                .quoted("notional", encoder.amount(encoder.settle(id), notional))
                .close();
        })
        .end();
    Ok(())
}

fn totals(desk: &Desk, out: &mut String) {
    let kernel = &desk.kernel;
    let market = kernel.market();
    let encoder = Encoder::new(market);
    let mut assets = String::new();
    let mut symbols = String::new();
    for (asset, totals) in market.assets.iter().zip(kernel.asset_totals()) {
        let id = desk.assets[&asset.name];
        let rows = [
            ("deposits", totals.deposits),
            ("withdrawals", totals.withdrawals),
            ("balances", totals.balances),
            ("isolated", totals.isolated),
            ("funds", totals.funds),
            ("fees", totals.fees),
            ("venue", totals.venue),
            ("open_cost", totals.open_cost),
            ("difference", totals.difference()),
        ];
        keyed(&mut assets, &asset.name, |line| {
            for (name, amount) in rows {
                line.quoted(name, encoder.amount(id, amount));
            }
        });
    }
    for (index, totals) in kernel.instrument_totals().into_iter().enumerate() {
        let id = InstrumentId(index as u32);
        keyed(&mut symbols, encoder.symbol(id), |line| {
            line.quoted("long", encoder.quantity(id, totals.long))
                .quoted("short", encoder.quantity(id, totals.short))
                .quoted("difference", encoder.quantity(id, totals.long - totals.short));
        });
    }
    Line::begin(out, "totals", desk.seq)
        .bare("assets", format_args!("{{{assets}}}"))
        .bare("symbols", format_args!("{{{symbols}}}"))
        .end();
}

/// Appends `"key":{…}` to the fields of an object.
fn keyed(out: &mut String, key: &str, fill: impl FnOnce(&mut Line<'_>)) {
    if !out.is_empty() {
        out.push(',');
    }
    let _ = write!(out, "\"{key}\":"); // writing to a String cannot fail
    let mut line = Line::object(out);
    fill(&mut line);
    line.close();
}
