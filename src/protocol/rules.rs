//! `set`: other rules for an instrument from now on, or what they would lead to.

use super::Rejection;
use super::desk::{Answer, Desk};
use super::encode::Encoder;
use super::fields::Fields;
use super::instrument_fields::{InstrumentFields, names};
use super::line::Line;
use super::shown::ratio;
use super::tier_fields::bad_tiers;
use crate::controls::Scope;
use crate::decimal::Grid;
use crate::driver::Driver;
use crate::kernel::{Declaration, Overview};
use crate::market::{AssetId, InstrumentId, InstrumentSpec, Market};
use crate::refusal::Refusal;
use crate::shard::Preview;
use crate::slope::SizeStep;
use std::collections::BTreeMap;

pub(super) fn set<D: Driver>(desk: &mut Desk<D>, mut fields: Fields) -> Result<Answer, Rejection> {
    fields.only(&names(&["ts", "symbol", "dry_run"]))?;
    let line = InstrumentFields::read(&mut fields)?;
    let (symbol, dry_run) = (fields.name("symbol")?, fields.flag_or("dry_run", false)?);
    let ts_ns = fields.id_or_none("ts")?;
    if !line.any {
        return Err(Rejection::malformed("set names nothing that it would change"));
    }
    desk.check_time(ts_ns)?;
    let instrument = desk.instrument(&symbol)?;
    let present = desk.kernel.market().instrument(instrument).spec.clone();
    let decimals = desk.kernel.market().asset(present.settle).decimals;
    let spec = changed(&line, present, decimals)?;
    if dry_run {
        let seq = desk.seq;
        let answer = desk.kernel.ask(move |overview| preview(overview.at(ts_ns), instrument, spec, seq))?;
        desk.kernel.pass_time(ts_ns);
        return Ok(Answer::Line(answer));
    }
    desk.kernel.declare(ts_ns, &Declaration::Rules { instrument, spec: Box::new(spec) })?;
    Ok(Answer::Events)
}

/// The rules of an instrument with what a line changes.
fn changed(line: &InstrumentFields, present: InstrumentSpec, decimals: u32) -> Result<InstrumentSpec, Rejection> {
    if let Some(name) = line.fixed {
        return Err(Rejection::bad_value(format!("{name} of an instrument cannot be changed")));
    }
    line.check(&present.prices, present.reduce, present.tick)?;
    let size = || SizeStep::of(present.unit, present.tick, decimals);
    let tiers = line.tiers.table(Some(&present.tiers), size, decimals)?;
    if let Some(tiers) = &tiers {
        let fee_ppb = line.close_fee_ppb(present.close_fee_in_mm, present.taker_fee_ppb);
        bad_tiers(tiers.check_close_fee(fee_ppb))?;
    }
    let placed = line.place(present.lot, Grid::decimals(decimals))?;
    let tiers = tiers.ok_or(Refusal::Overflow { what: "lot · multiplier, the size of a lot," })?;
    let mut spec = InstrumentSpec { tiers, ..present };
    placed.enter(&mut spec)?;
    Ok(spec)
}

/// Who would be in breach under other rules, as one line.
fn preview(overview: Overview<'_>, instrument: InstrumentId, spec: InstrumentSpec, seq: u64) -> String {
    let found = overview.preview_rules(instrument, spec);
    dry_run(overview.market(), ("set", Scope::Instrument(instrument)), &found, seq)
}

/// What a command would lead to, as one line. Of an instrument all is in one asset; else sums are told by asset.
pub(super) fn dry_run(market: &Market, (op, scope): (&str, Scope), found: &Preview, seq: u64) -> String {
    let encoder = Encoder::new(market);
    let mut out = String::new();
    let mut line = Line::begin(&mut out, "dry_run", seq);
    line.quoted("op", op);
    match scope {
        Scope::All => &mut line,
        Scope::Instrument(instrument) => line.quoted("symbol", encoder.symbol(instrument)),
        Scope::Account(account) => line.bare("account", account),
        Scope::Fund(id) => line.quoted("fund", &market.fund(id).name),
    };
    line.list("pools", &found.pools, |out, pool| {
        let asset = encoder.pool_asset(pool.name);
        Line::object(out)
            .bare("account", pool.account)
            .quoted("pool", encoder.pool(pool.name))
            .quoted("equity", encoder.amount(asset, pool.margin.equity))
            .quoted("mm", encoder.amount(asset, pool.margin.maintenance))
            .quoted_or_null("ratio", ratio(pool.margin.maintenance, pool.margin.equity))
            .close();
    });
    if let Scope::Instrument(instrument) = scope {
        let asset = encoder.settle(instrument);
        line.quoted("notional", encoder.amount(asset, found.notional()));
        line.quoted("fund_loss", encoder.amount(asset, found.fund_loss()));
    } else {
        let mut by_asset: BTreeMap<AssetId, Preview> = BTreeMap::new();
        for &pool in &found.pools {
            by_asset.entry(encoder.pool_asset(pool.name)).or_default().pools.push(pool);
        }
        for (name, sum) in [("notional", Preview::notional as fn(&Preview) -> i128), ("fund_loss", Preview::fund_loss)]
        {
            line.nested(name, |line| {
                for (&asset, found) in &by_asset {
                    line.quoted(&market.asset(asset).name, encoder.amount(asset, sum(found)));
                }
            });
        }
    }
    line.end();
    out
}
