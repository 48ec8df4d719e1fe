//! `set`: other rules for an instrument from now on, or what they would lead to.

use super::Rejection;
use super::declarations::{ADL_PRICES, RANKINGS, Reduction, TIER_RULES, chunk_of, fees_of, reductions, tier_table};
use super::desk::{Answer, Desk};
use super::encode::{Encoder, Line, ratio};
use super::fields::{Fields, Json};
use crate::decimal::Decimal;
use crate::driver::Driver;
use crate::kernel::{Declaration, Overview};
use crate::market::{AdlPrice, AdlRank, InstrumentId, InstrumentSpec, ReducePolicy};
use crate::tiers::{TierRow, TierRule, TierTable};

/// What can change, in the order of the protocol.
const CHANGEABLE: &[&str] = &[
    "tiers",
    "tier_rule",
    "maker_fee",
    "taker_fee",
    "liquidation_fee",
    "close_fee_in_mm",
    "reduce",
    "adl_rank",
    "adl_price",
    "funding",
];

/// What positions, books and prices rest on.
const FIXED: &[&str] =
    &["kind", "underlying", "settle", "tick", "lot", "multiplier", "mark", "index", "fund", "margin_calls"];

/// A `set` line whose form is right.
struct RulesLine {
    symbol: String,
    ts_ns: Option<u64>,
    dry_run: bool,
    /// A field that cannot change.
    fixed: Option<&'static str>,
    /// A word or setting that this version does not build.
    unsupported: Option<&'static str>,
    tiers: Option<Vec<Json>>,
    tier_rule: Option<TierRule>,
    fees: [Option<Decimal>; 3],
    reduce: Option<ReducePolicy>,
    adl_rank: Option<AdlRank>,
    adl_price: Option<AdlPrice>,
    chunk: Option<u64>,
}

pub(super) fn set<D: Driver>(desk: &mut Desk<D>, fields: Fields) -> Result<Answer, Rejection> {
    let line = RulesLine::read(fields)?;
    desk.check_time(line.ts_ns)?;
    let instrument = desk.instrument(&line.symbol)?;
    let present = desk.kernel.market().instrument(instrument).spec.clone();
    let decimals = desk.kernel.market().asset(present.settle).decimals;
    let spec = line.change(present, decimals)?;
    if line.dry_run {
        let seq = desk.seq;
        let answer = desk.kernel.ask(move |overview| preview(overview.at(line.ts_ns), instrument, spec, seq))?;
        desk.kernel.pass_time(line.ts_ns);
        return Ok(Answer::Line(answer));
    }
    desk.kernel.declare(line.ts_ns, Declaration::Rules { instrument, spec: Box::new(spec) })?;
    Ok(Answer::Events)
}

impl RulesLine {
    fn read(mut fields: Fields) -> Result<Self, Rejection> {
        let known: Vec<&str> = ["ts", "symbol", "dry_run"].iter().chain(CHANGEABLE).chain(FIXED).copied().collect();
        fields.only(&known)?;
        let changes = CHANGEABLE.iter().chain(FIXED).any(|name| fields.has(name));
        let fixed = FIXED.iter().copied().find(|name| fields.has(name));
        let symbol = fields.name("symbol")?;
        let dry_run = fields.flag_or("dry_run", false)?;
        let fees = ["maker_fee", "taker_fee", "liquidation_fee"];
        let [maker, taker, liquidation] = fees.map(|name| fields.decimal_or_none(name));
        let tiers = fields.list_or_none("tiers")?;
        let tier_rule = fields.word_or("tier_rule", &optional(TIER_RULES), None)?;
        let reduce = fields.list_or_none("reduce")?.map(|list| reductions(Some(list))).transpose()?;
        let supported = [
            (tier_rule != Some(TierRule::Linear), "tier_rule: only \"marginal\" and \"step\" are supported"),
            (
                reduce.as_ref().is_none_or(|listed| !listed.contains(&Reduction::Fraction)),
                "reduce: only \"tier\" and \"all\" are supported",
            ),
            (!fields.flag_or("close_fee_in_mm", false)?, "close_fee_in_mm: only false is supported"),
        ];
        let line = Self {
            symbol,
            dry_run,
            fixed,
            unsupported: supported.iter().find(|(built, _)| !built).map(|&(_, what)| what),
            tiers,
            tier_rule,
            fees: [maker?, taker?, liquidation?],
            reduce: reduce.map(|listed| ReducePolicy {
                tier: listed.contains(&Reduction::Tier),
                fraction_ppb: 0,
                all: listed.contains(&Reduction::All),
                pacing: None,
            }),
            adl_rank: fields.word_or("adl_rank", &optional(RANKINGS), None)?,
            adl_price: fields.word_or("adl_price", &optional(ADL_PRICES), None)?,
            chunk: chunk_of(&mut fields)?,
            ts_ns: fields.id_or_none("ts")?,
        };
        if changes { Ok(line) } else { Err(Rejection::malformed("set names nothing that it would change")) }
    }

    /// The rules of an instrument with these changes.
    fn change(&self, present: InstrumentSpec, decimals: u32) -> Result<InstrumentSpec, Rejection> {
        if let Some(name) = self.fixed {
            return Err(Rejection::bad_value(format!("{name} of an instrument cannot be changed")));
        }
        if let Some(what) = self.unsupported {
            return Err(Rejection::bad_value(format!("{what} in this version")));
        }
        if present.tiers.slope().is_some() && (self.tiers.is_some() || self.tier_rule.is_some()) {
            let reason = "the tiers of an instrument under the rule \"linear\" cannot be changed in this version";
            return Err(Rejection::bad_value(reason));
        }
        let mut spec = present;
        if let Some(chunk) = self.chunk {
            spec.funding.chunk = super::declarations::chunk(chunk)?;
        }
        let given = self.fees.map(|fee| fee.unwrap_or(Decimal::ZERO));
        super::declarations::check_fees(given)?;
        match (&self.tiers, self.tier_rule) {
            (Some(rows), rule) => spec.tiers = tier_table(rule.unwrap_or(spec.tiers.rule()), rows, decimals)?,
            (None, Some(rule)) => spec.tiers = other_rule(rule, &spec.tiers)?,
            (None, None) => {}
        }
        let placed = fees_of(given)?;
        let fees = [&mut spec.maker_fee_ppb, &mut spec.taker_fee_ppb, &mut spec.liquidation_fee_ppb];
        for ((fee, given), placed) in fees.into_iter().zip(self.fees).zip(placed) {
            if given.is_some() {
                *fee = placed;
            }
        }
        spec.tiers =
            super::declarations::bad_tiers(spec.tiers.check_close_fee(spec.close_fee_ppb()).map(|()| spec.tiers))?;
        let reduce = self.reduce.unwrap_or(spec.reduce);
        spec.reduce = ReducePolicy { pacing: spec.reduce.pacing, ..reduce };
        spec.adl.rank = self.adl_rank.unwrap_or(spec.adl.rank);
        spec.adl.price = self.adl_price.unwrap_or(spec.adl.price);
        Ok(spec)
    }
}

/// The rows of a table under another rule.
fn other_rule(rule: TierRule, present: &TierTable) -> Result<TierTable, Rejection> {
    let rows: Vec<TierRow> = present.rows().map(|row| TierRow { deduction: None, ..row }).collect();
    super::declarations::bad_tiers(TierTable::new(rule, &rows))
}

/// The same words, for a field that may be missing.
fn optional<T: Copy>(words: &[(&'static str, T)]) -> Vec<(&'static str, Option<T>)> {
    words.iter().map(|&(word, meaning)| (word, Some(meaning))).collect()
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
