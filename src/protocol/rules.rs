//! `set`: other rules for an instrument from now on, or what they would lead to.

use super::Rejection;
use super::airlock::AirlockLine;
use super::declarations::{
    ADL_PRICES, PacingLine, RANKINGS, Reduction, TIER_RULES, bad_tiers, check_fees, check_range, chunk, chunk_of,
    fees_of, fraction_of, reductions, slope_rate, tier_table,
};
use super::desk::{Answer, Desk};
use super::encode::{Encoder, Line, ratio};
use super::fields::{Fields, Json};
use crate::decimal::{Decimal, Grid};
use crate::driver::Driver;
use crate::kernel::{Declaration, Overview};
use crate::market::{AdlPrice, AdlRank, InstrumentId, InstrumentSpec, ReducePolicy};
use crate::refusal::Refusal;
use crate::slope::{SizeStep, Slope};
use crate::tiers::{TierError, TierRow, TierRule, TierTable};

/// What can change, in the order of the protocol.
const CHANGEABLE: &[&str] = &[
    "tiers",
    "tier_rule",
    "maker_fee",
    "taker_fee",
    "liquidation_fee",
    "base",
    "slope",
    "im_base",
    "close_fee_in_mm",
    "reduce",
    "fraction",
    "pacing",
    "adl_rank",
    "adl_price",
    "funding",
    "airlock",
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
    tiers: Option<Vec<Json>>,
    tier_rule: Option<TierRule>,
    /// `base`, `slope`, `im_base`.
    slope: [Option<Decimal>; 3],
    fees: [Option<Decimal>; 3],
    close_fee_in_mm: Option<bool>,
    reduce: Option<Vec<Reduction>>,
    fraction: Option<Decimal>,
    pacing: Option<PacingLine>,
    adl_rank: Option<AdlRank>,
    adl_price: Option<AdlPrice>,
    chunk: Option<u64>,
    /// Given as `null`: none from now on.
    airlock: Option<Option<AirlockLine>>,
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
        let [maker, taker, liquidation] =
            ["maker_fee", "taker_fee", "liquidation_fee"].map(|name| fields.decimal_or_none(name));
        let [base, slope, im_base] = ["base", "slope", "im_base"].map(|name| fields.decimal_or_none(name));
        let reduce = fields.list_or_none("reduce")?.map(|list| reductions(Some(list))).transpose()?;
        let fraction = fields.decimal_or_none("fraction")?;
        if fraction.is_none() && reduce.as_ref().is_some_and(|listed| listed.contains(&Reduction::Fraction)) {
            return Err(Rejection::malformed("the field \"fraction\" is missing"));
        }
        let line = Self {
            symbol,
            dry_run,
            fixed,
            tiers: fields.list_or_none("tiers")?,
            tier_rule: fields.word_or("tier_rule", &optional(TIER_RULES), None)?,
            slope: [base?, slope?, im_base?],
            fees: [maker?, taker?, liquidation?],
            close_fee_in_mm: if fields.has("close_fee_in_mm") {
                Some(fields.flag_or("close_fee_in_mm", false)?)
            } else {
                None
            },
            reduce,
            fraction,
            pacing: fields.take("pacing").map(PacingLine::read).transpose()?,
            adl_rank: fields.word_or("adl_rank", &optional(RANKINGS), None)?,
            adl_price: fields.word_or("adl_price", &optional(ADL_PRICES), None)?,
            chunk: chunk_of(&mut fields)?,
            airlock: fields.take("airlock").map(AirlockLine::read).transpose()?,
            ts_ns: fields.id_or_none("ts")?,
        };
        if changes { Ok(line) } else { Err(Rejection::malformed("set names nothing that it would change")) }
    }

    /// The rules of an instrument with these changes.
    fn change(&self, present: InstrumentSpec, decimals: u32) -> Result<InstrumentSpec, Rejection> {
        if let Some(name) = self.fixed {
            return Err(Rejection::bad_value(format!("{name} of an instrument cannot be changed")));
        }
        let mut spec = present;
        if let Some(given) = self.chunk {
            spec.funding.chunk = chunk(given)?;
        }
        let given = self.fees.map(|fee| fee.unwrap_or(Decimal::ZERO));
        check_fees(given)?;
        self.check_reductions(&spec)?;
        self.airlock.flatten().map_or(Ok(()), |airlock| airlock.check())?;
        spec.tiers = self.tiers(&spec, decimals)?;
        spec.close_fee_in_mm = self.close_fee_in_mm.unwrap_or(spec.close_fee_in_mm);
        let placed = fees_of(given);
        // A fee off the grid is refused after the table, which is checked with what lies below it.
        if let Ok([_, taker, _]) = placed {
            spec.taker_fee_ppb = if self.fees[1].is_some() { taker } else { spec.taker_fee_ppb };
        }
        bad_tiers(spec.tiers.check_close_fee(spec.close_fee_ppb()))?;
        let placed = placed?;
        let fees = [&mut spec.maker_fee_ppb, &mut spec.taker_fee_ppb, &mut spec.liquidation_fee_ppb];
        for ((fee, given), placed) in fees.into_iter().zip(self.fees).zip(placed) {
            if given.is_some() {
                *fee = placed;
            }
        }
        spec.reduce = self.reductions(spec.reduce)?;
        if let Some(airlock) = self.airlock {
            let rule = airlock.map(|airlock| airlock.place(Grid::decimals(decimals))).transpose()?;
            spec.controls.airlock = rule;
        }
        spec.adl.rank = self.adl_rank.unwrap_or(spec.adl.rank);
        spec.adl.price = self.adl_price.unwrap_or(spec.adl.price);
        Ok(spec)
    }

    fn check_reductions(&self, present: &InstrumentSpec) -> Result<(), Rejection> {
        self.pacing.map_or(Ok(()), PacingLine::check)?;
        let Some(fraction) = self.fraction else { return Ok(()) };
        let listed = match &self.reduce {
            Some(listed) => listed.contains(&Reduction::Fraction),
            None => present.reduce.fraction_ppb > 0,
        };
        if !listed {
            return Err(Rejection::bad_value("fraction is given, but reduce does not list \"fraction\""));
        }
        check_range(fraction)
    }

    fn reductions(&self, present: ReducePolicy) -> Result<ReducePolicy, Rejection> {
        let fraction_ppb = fraction_of(self.fraction)?;
        let pacing = self.pacing.map(PacingLine::rule).transpose()?.or(present.pacing);
        Ok(match &self.reduce {
            Some(listed) => ReducePolicy {
                tier: listed.contains(&Reduction::Tier),
                fraction_ppb,
                all: listed.contains(&Reduction::All),
                pacing,
            },
            None if self.fraction.is_some() => ReducePolicy { fraction_ppb, pacing, ..present },
            None => ReducePolicy { pacing, ..present },
        })
    }

    /// The table with what is given, and for the rest as it is: rows under another rule, rates beside other rates.
    fn tiers(&self, present: &InstrumentSpec, decimals: u32) -> Result<TierTable, Rejection> {
        let rates_given = self.slope.iter().any(Option::is_some);
        if self.tiers.is_none() && self.tier_rule.is_none() && !rates_given {
            return Ok(present.tiers.clone());
        }
        let rule = self.tier_rule.unwrap_or(present.tiers.rule());
        if rule == TierRule::Linear {
            return if self.tiers.is_some() {
                bad_tiers(Err(TierError::RowsOrSlope))
            } else {
                self.slope(present, decimals)
            };
        }
        match &self.tiers {
            _ if rates_given => bad_tiers(Err(TierError::RowsOrSlope)),
            Some(rows) => tier_table(rule, rows, decimals),
            None if present.tiers.slope().is_some() => bad_tiers(Err(TierError::RowsOrSlope)),
            None => {
                let rows: Vec<TierRow> = present.tiers.rows().map(|row| TierRow { deduction: None, ..row }).collect();
                bad_tiers(TierTable::new(rule, &rows))
            }
        }
    }

    fn slope(&self, present: &InstrumentSpec, decimals: u32) -> Result<TierTable, Rejection> {
        let before = present.tiers.slope();
        let rate = |at: usize, name, before: Option<u64>| match (self.slope[at], before) {
            (Some(rate), _) => slope_rate(name, rate),
            (None, Some(before)) => Ok(before),
            (None, None) => bad_tiers(Err(TierError::RowsOrSlope)),
        };
        let base_ppb = rate(0, "base", before.map(|slope| slope.base_ppb))?;
        let slope_ppb = rate(1, "slope", before.map(|slope| slope.slope_ppb))?;
        let im_base_ppb = rate(2, "im_base", before.map(|slope| slope.im_base_ppb))?;
        let step = SizeStep::of(present.unit, present.tick, decimals);
        let step = step.ok_or(Refusal::Overflow { what: "lot · multiplier, the size of a lot," })?;
        bad_tiers(TierTable::linear(Slope { base_ppb, slope_ppb, im_base_ppb, step }))
    }
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
