//! `set`: other rules for an instrument from now on, or what they would lead to.

use super::Rejection;
use super::desk::{Answer, Desk};
use super::encode::{Encoder, Line, ratio};
use super::fields::Fields;
use super::instrument_fields::{InstrumentFields, names};
use super::tier_fields::bad_tiers;
use crate::driver::Driver;
use crate::kernel::{Declaration, Overview};
use crate::market::{InstrumentId, InstrumentSpec};
use crate::refusal::Refusal;
use crate::slope::SizeStep;

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
    desk.kernel.declare(ts_ns, Declaration::Rules { instrument, spec: Box::new(spec) })?;
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
    let placed = line.place(present.lot)?;
    let tiers = tiers.ok_or(Refusal::Overflow { what: "lot · multiplier, the size of a lot," })?;
    let mut spec = InstrumentSpec { tiers, ..present };
    placed.enter(&mut spec)?;
    Ok(spec)
}

/// Who would be in breach under other rules, as one line.
fn preview(overview: Overview<'_>, instrument: InstrumentId, spec: InstrumentSpec, seq: u64) -> String {
    let found = overview.preview_rules(instrument, spec);
    let encoder = Encoder::new(overview.market());
    let asset = encoder.settle(instrument);
    let mut out = String::new();
    Line::begin(&mut out, "dry_run", seq)
        .quoted("op", "set")
        .quoted("symbol", encoder.symbol(instrument))
        .list("pools", &found.pools, |out, pool| {
            Line::object(out)
                .bare("account", pool.account)
                .quoted("pool", encoder.pool(pool.name))
                .quoted("equity", encoder.amount(asset, pool.margin.equity))
                .quoted("mm", encoder.amount(asset, pool.margin.maintenance))
                .quoted_or_null("ratio", ratio(pool.margin.maintenance, pool.margin.equity))
                .close();
        })
        .quoted("notional", encoder.amount(asset, found.notional()))
        .quoted("fund_loss", encoder.amount(asset, found.fund_loss()))
        .end();
    out
}
