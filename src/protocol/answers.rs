//! `get`: what is asked, and the answer as one line.

use super::Rejection;
use super::desk::{Answer, Desk};
use super::encode::Encoder;
use super::fields::Fields;
use super::line::Line;
use super::shown::{index, kind_word, position_side_word, position_word, rate, ratio, score, side_word};
use crate::driver::Driver;
use crate::event::{Owner, PoolName};
use crate::kernel::{Overview, WaitState, WaitingPool};
use crate::market::{AssetId, FundId, Instrument, InstrumentId};
use crate::number::Quantity;
use crate::prices::PriceRules;
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
    Health,
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
    ("health", What::Health),
    ("riskiest", What::Later),
];

/// A question whose form is right.
enum Question {
    Account(u64),
    Instrument(InstrumentId),
    Fund(FundId),
    AdlQueue { instrument: InstrumentId, long: bool, limit: usize },
    Ladder(InstrumentId),
    Totals,
    Health,
}

pub(super) fn carry_out<D: Driver>(desk: &mut Desk<D>, fields: Fields) -> Result<Answer, Rejection> {
    let seq = desk.seq;
    let (answer, ts_ns) = ask(desk, fields, seq)?;
    desk.kernel.pass_time(ts_ns);
    Ok(Answer::Line(answer))
}

/// The answer to a question, as the one of this number, and the time that it tells; nothing changes by it.
pub(super) fn ask<D: Driver>(
    desk: &mut Desk<D>,
    mut fields: Fields,
    seq: u64,
) -> Result<(String, Option<u64>), Rejection> {
    // `what` decides which fields are known, so it is read before them.
    let what = fields.word("what", WHATS)?;
    let known: &[&str] = match what {
        What::Account => &["ts", "account"],
        What::Instrument | What::Ladder => &["ts", "symbol"],
        What::Fund => &["ts", "fund"],
        What::AdlQueue => &["ts", "symbol", "side", "limit"],
        What::Totals | What::Health => &["ts"],
        What::Later => &["ts", "account", "symbol", "limit"],
    };
    fields.only(known)?;
    let ts_ns = fields.id_or_none("ts")?;
    let question = read(desk, what, fields, ts_ns)?;
    let answer = desk.kernel.ask(move |overview| question.answer(overview.at(ts_ns), seq))??;
    Ok((answer, ts_ns))
}

fn read<D: Driver>(desk: &Desk<D>, what: What, mut fields: Fields, ts_ns: Option<u64>) -> Result<Question, Rejection> {
    let symbol = |mut fields: Fields| {
        let symbol = fields.name("symbol")?;
        desk.check_time(ts_ns)?;
        desk.instrument(&symbol)
    };
    match what {
        What::Account => {
            let account = fields.id("account")?;
            desk.check_time(ts_ns)?;
            Ok(Question::Account(account))
        }
        What::Instrument => symbol(fields).map(Question::Instrument),
        What::Ladder => symbol(fields).map(Question::Ladder),
        What::Fund => {
            let name = fields.name("fund")?;
            desk.check_time(ts_ns)?;
            desk.fund(&name).map(Question::Fund)
        }
        What::AdlQueue => {
            let long = fields.word("side", &[("long", true), ("short", false)])?;
            let limit = fields.id_or_none("limit")?.and_then(|limit| usize::try_from(limit).ok());
            let instrument = symbol(fields)?;
            Ok(Question::AdlQueue { instrument, long, limit: limit.unwrap_or(usize::MAX) })
        }
        What::Totals => desk.check_time(ts_ns).map(|()| Question::Totals),
        What::Health => desk.check_time(ts_ns).map(|()| Question::Health),
        What::Later => {
            desk.check_time(ts_ns)?;
            Err(Rejection::bad_value("this \"what\" is not supported in this version"))
        }
    }
}

impl Question {
    fn answer(&self, overview: Overview<'_>, seq: u64) -> Result<String, Rejection> {
        let mut out = String::new();
        match *self {
            Self::Account(id) => account(overview, id, seq, &mut out)?,
            Self::Instrument(id) => instrument(overview, id, seq, &mut out),
            Self::Fund(id) => fund(overview, id, seq, &mut out)?,
            Self::AdlQueue { instrument, long, limit } => {
                adl_queue(overview, (instrument, long, limit), seq, &mut out);
            }
            Self::Ladder(id) => ladder(overview, id, seq, &mut out)?,
            Self::Totals => totals(overview, seq, &mut out),
            Self::Health => health(overview, seq, &mut out),
        }
        Ok(out)
    }
}

fn account(overview: Overview<'_>, account: u64, seq: u64, out: &mut String) -> Result<(), Rejection> {
    let view = overview.account(account)?;
    let market = overview.market();
    let encoder = Encoder::new(market);
    Line::begin(out, "account", seq)
        .bare("account", account)
        .nested("balances", |line| {
            for &(asset, amount) in &view.balances {
                line.quoted(&market.asset(asset).name, encoder.amount(asset, amount));
            }
        })
        .list("pools", &view.pools, |out, pool| encoder.pool_view(out, pool))
        .list("positions", &view.positions, |out, position| {
            let lights = lights(overview, account, position);
            encoder.position_view(out, position, market.instrument(position.instrument).mark, lights);
        })
        .list("orders", &view.orders, |out, order| encoder.order_view(out, order))
        .end();
    Ok(())
}

/// The lights of an account's position: its place in the queue of its side.
fn lights(overview: Overview<'_>, account: u64, position: &PositionView) -> u8 {
    let queue = overview.adl_queue(position.instrument, position.position.quantity > 0);
    queue.iter().find(|entry| entry.account == account).map_or(0, |entry| entry.lights)
}

impl Encoder<'_> {
    fn pool_view(self, out: &mut String, view: &PoolView) {
        let asset = self.pool_asset(view.name);
        let kind = match view.name {
            PoolName::Cross(_) => "cross",
            PoolName::Isolated(..) => "isolated",
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
            .quoted_or_null("entry", self.entry(id, &view.position))
            .quoted_or_null("mark", mark.map(|mark| self.price(id, mark)))
            .quoted("notional", self.amount(asset, view.notional))
            .quoted("upnl", self.amount(asset, view.unrealised))
            .quoted_or_null("margin", view.margin.map(|margin| self.amount(asset, margin)))
            .quoted("leverage", crate::decimal::Decimal::new(i128::from(view.leverage), 2))
            .quoted("im", self.amount(asset, view.initial))
            .quoted("mm", self.amount(asset, view.maintenance))
            .bare("tier", view.tier + 1)
            .quoted_or_null("liq_price", view.liquidation_price.map(|price| self.price(id, price)))
            .quoted_or_null("bankruptcy_price", view.bankruptcy_price.map(|price| self.price(id, price)))
            .bare("lights", lights)
            .close();
    }

    fn order_view(self, out: &mut String, view: &OrderView) {
        let mut line = Line::object(out);
        line.bare("order", view.order)
            .quoted("symbol", self.symbol(view.instrument))
            .quoted("side", side_word(view.side));
        if let Some(side) = view.position_side {
            line.quoted("position_side", position_side_word(side));
        }
        line.quoted("qty", self.quantity(view.instrument, view.rest))
            .quoted("price", self.price(view.instrument, view.price))
            .bare("reduce_only", view.reduce_only)
            .close();
    }
}

/// Index, freezing, airlock and funding rate: where the instrument has rules for them, or something keeps its mark frozen.
fn prices(line: &mut Line<'_>, at: &Instrument, funding: Option<(Option<i64>, u64)>) {
    let rules = &at.spec.prices;
    if *rules != PriceRules::default() {
        line.quoted_or_null("index", at.prices.index().map(index)).bare("index_frozen", !at.prices.index_lives());
    }
    if *rules != PriceRules::default() || !at.frozen.is_empty() {
        line.list("frozen", at.frozen.causes(), |out, cause| {
            let _ = write!(out, "\"{}\"", cause.as_str());
        });
    }
    if at.has_airlock() {
        match at.held_mark() {
            Some((price, since_ns)) => line.nested("airlock", |line| {
                line.quoted("price", at.spec.tick.value(i128::from(price))).bare("since", since_ns);
            }),
            None => line.bare("airlock", "null"),
        };
    }
    if let Some((computed, next_ns)) = funding {
        line.quoted_or_null("funding_rate", computed.map(rate)).bare("next_funding", next_ns);
    }
}

fn instrument(overview: Overview<'_>, id: InstrumentId, seq: u64, out: &mut String) {
    let market = overview.market();
    let encoder = Encoder::new(market);
    let at = market.instrument(id);
    let (bid, ask) = overview.top_of_book(id);
    let price = |price: Option<i64>| price.map(|price| encoder.price(id, price));
    Line::begin(out, "instrument", seq)
        .quoted("symbol", &at.spec.symbol)
        .quoted("kind", kind_word(at.spec.unit))
        .quoted_or_null("mark", price(at.mark))
        .quoted_or_null("last", price(at.last))
        .quoted_or_null("bid", price(bid))
        .quoted_or_null("ask", price(ask))
        .quoted("open_interest", encoder.quantity(id, overview.open_interest_of(id)))
        .quoted("fund", &market.fund(at.spec.fund).name)
        .with(|line| prices(line, at, overview.funding(id)))
        .list("tiers", at.spec.tiers.rows(), |out, row| {
            Line::object(out)
                .quoted("cap", encoder.amount(at.spec.settle, row.cap))
                .quoted("mmr", crate::decimal::Decimal::new(i128::from(row.mmr_ppb), 9))
                .quoted("max_leverage", crate::decimal::Decimal::new(i128::from(row.max_leverage), 2))
                .quoted("deduction", encoder.amount(at.spec.settle, row.deduction.unwrap_or(0)))
                .close();
        })
        .end();
}

fn fund(overview: Overview<'_>, id: FundId, seq: u64, out: &mut String) -> Result<(), Rejection> {
    let market = overview.market();
    let encoder = Encoder::new(market);
    let (spec, view) = (market.fund(id), overview.fund(id)?);
    let asset = &market.asset(spec.asset).name;
    Line::begin(out, "fund", seq)
        .quoted("fund", &spec.name)
        .quoted("asset", asset)
        .quoted("balance", encoder.amount(spec.asset, view.balance))
        .quoted("equity", encoder.amount(spec.asset, view.equity))
        .quoted("floor", encoder.amount(spec.asset, spec.floor))
        .quoted_or_null("peak", view.peak.map(|peak| encoder.amount(spec.asset, peak)))
        .list("inventory", &view.inventory, |out, held| {
            Line::object(out)
                .quoted("symbol", encoder.symbol(held.instrument))
                .quoted("side", position_word(held.position.quantity))
                .quoted("qty", encoder.quantity(held.instrument, held.position.quantity.abs()))
                .quoted_or_null("entry", encoder.entry(held.instrument, &held.position))
                .quoted("upnl", encoder.amount(spec.asset, held.unrealised))
                .close();
        })
        .end();
    Ok(())
}

fn adl_queue(overview: Overview<'_>, (id, long, limit): (InstrumentId, bool, usize), seq: u64, out: &mut String) {
    let encoder = Encoder::new(overview.market());
    let queue = overview.adl_queue(id, long);
    Line::begin(out, "adl_queue", seq)
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
}

fn ladder(overview: Overview<'_>, id: InstrumentId, seq: u64, out: &mut String) -> Result<(), Rejection> {
    let encoder = Encoder::new(overview.market());
    let none = || Rejection::new(Code::NoPrice, format!("{} never had a mark", encoder.symbol(id)));
    let rungs = overview.ladder(id).ok_or_else(none)?;
    let at = overview.market().instrument(id);
    Line::begin(out, "ladder", seq)
        .quoted("symbol", encoder.symbol(id))
        .list("rungs", rungs, |out, (price, rung)| {
            let lots = Quantity::try_from(rung.long_lots + rung.short_lots).unwrap_or(Quantity::MAX);
            let notional = at.notional(lots, price);
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

fn totals(overview: Overview<'_>, seq: u64, out: &mut String) {
    let market = overview.market();
    let encoder = Encoder::new(market);
    let mut assets = String::new();
    let mut symbols = String::new();
    for (index, (asset, totals)) in market.assets.iter().zip(overview.asset_totals()).enumerate() {
        let id = AssetId(index as u32);
        let rows = [
            ("deposits", totals.deposits),
            ("withdrawals", totals.withdrawals),
            ("balances", totals.balances),
            ("isolated", totals.isolated),
            ("held", totals.held),
            ("settling", totals.settling),
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
    for (index, totals) in overview.instrument_totals().into_iter().enumerate() {
        let id = InstrumentId(index as u32);
        keyed(&mut symbols, encoder.symbol(id), |line| {
            line.quoted("long", encoder.quantity(id, totals.long))
                .quoted("short", encoder.quantity(id, totals.short))
                .quoted("difference", encoder.quantity(id, totals.long - totals.short));
        });
    }
    Line::begin(out, "totals", seq)
        .bare("assets", format_args!("{{{assets}}}"))
        .bare("symbols", format_args!("{{{symbols}}}"))
        .end();
}

fn health(overview: Overview<'_>, seq: u64, out: &mut String) {
    let encoder = Encoder::new(overview.market());
    let health = overview.health();
    Line::begin(out, "health", seq)
        .bare("locked", health.locked)
        .list("waiting", &health.waiting, |out, waiting| encoder.waiting(out, waiting))
        .with(|line| {
            let ill = &overview.market().health;
            if !ill.is_empty() {
                line.list("states", ill, |out, at| {
                    encoder.health(&mut Line::object(out), (at.state, at.instrument), true, at.mode).close();
                });
            }
        })
        .end();
}

impl Encoder<'_> {
    fn waiting(self, out: &mut String, waiting: &WaitingPool) {
        let state = match waiting.state {
            WaitState::CancelRequested => "cancel_requested",
            WaitState::CancelAcknowledged => "cancel_acknowledged",
            WaitState::OrderOut => "order_out",
            WaitState::Unknown => "unknown",
        };
        let mut line = Line::object(out);
        match (waiting.owner, waiting.pool) {
            (Owner::Fund, PoolName::Isolated(instrument, _)) => {
                line.quoted("account", "fund").quoted("pool", self.symbol(instrument))
            }
            (Owner::Account(account), pool) => line.bare("account", account).quoted("pool", self.pool(pool)),
            (Owner::Fund, pool) => line.quoted("account", "fund").quoted("pool", self.pool(pool)),
        };
        line.quoted("state", state);
        match waiting.liquidation {
            Some(liquidation) => line.bare("liquidation", liquidation),
            None => line.bare("liquidation", "null"),
        };
        line.bare("since", waiting.since_ns).bare("overdue", waiting.overdue).close();
    }
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
