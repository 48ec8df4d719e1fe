//! The fields of an instrument: one table for `instrument`, `defaults` and `set`.
//!
//! A line is read into [`InstrumentFields`], form alone. Its values are checked over what they change: the rules that an
//! instrument has, or, where it is declared, those by default.

use super::Rejection;
use super::controls::{ControlFields, PacingLine, PlacedControls};
use super::desk::steps;
use super::fields::{Fields, Json, as_decimal, as_flag, as_list, as_name, as_word};
use super::price_rules::PriceFields;
use super::tier_fields::TierFields;
use crate::decimal::{Decimal, Grid};
use crate::market::{AdlPrice, AdlRank, InstrumentSpec, ReducePolicy};
use crate::prices::PriceRules;
use crate::refusal::Refusal;
use crate::tiers::TierRule;

/// What kind of contract it is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum ContractKind {
    LinearPerp,
    InversePerp,
    /// Of the protocol, and not built.
    NotBuilt,
}

const KINDS: &[(&str, ContractKind)] = &[
    ("linear_perp", ContractKind::LinearPerp),
    ("inverse_perp", ContractKind::InversePerp),
    ("linear_future", ContractKind::NotBuilt),
    ("inverse_future", ContractKind::NotBuilt),
    ("option", ContractKind::NotBuilt),
    ("spot", ContractKind::NotBuilt),
];
const TIER_RULES: &[(&str, TierRule)] =
    &[("marginal", TierRule::Marginal), ("step", TierRule::Step), ("linear", TierRule::Linear)];
const RANKINGS: &[(&str, AdlRank)] = &[
    ("pnl_leverage", AdlRank::PnlLeverage),
    ("pnl_margin_ratio", AdlRank::PnlMarginRatio),
    ("profit_notional", AdlRank::ProfitNotional),
    ("pro_rata", AdlRank::ProRata),
];
const ADL_PRICES: &[(&str, AdlPrice)] = &[("bankruptcy", AdlPrice::Bankruptcy), ("mark", AdlPrice::Mark)];

#[derive(Clone, Copy, PartialEq)]
enum Reduction {
    Tier,
    All,
    Fraction,
}

const REDUCTIONS: &[(&str, Reduction)] =
    &[("tier", Reduction::Tier), ("all", Reduction::All), ("fraction", Reduction::Fraction)];

/// A field: how its value is read, and whether it can change.
pub(super) struct Field {
    pub(super) name: &'static str,
    /// What cannot is what positions, books and grids rest on.
    pub(super) changes: bool,
    read: fn(&mut InstrumentFields, Json) -> Result<(), Rejection>,
}

const fn fixed(name: &'static str, read: fn(&mut InstrumentFields, Json) -> Result<(), Rejection>) -> Field {
    Field { name, changes: false, read }
}

const fn changing(name: &'static str, read: fn(&mut InstrumentFields, Json) -> Result<(), Rejection>) -> Field {
    Field { name, changes: true, read }
}

/// All of them, but `symbol`, in the order of the protocol.
pub(super) const FIELDS: &[Field] = &[
    fixed("kind", |line, value| put(&mut line.kind, as_word("kind", &value, KINDS))),
    fixed("underlying", |line, value| put(&mut line.underlying, as_name("underlying", value))),
    fixed("settle", |line, value| put(&mut line.settle, as_name("settle", value))),
    fixed("tick", |line, value| put(&mut line.steps[0], as_decimal("tick", &value))),
    fixed("lot", |line, value| put(&mut line.steps[1], as_decimal("lot", &value))),
    fixed("multiplier", |line, value| put(&mut line.steps[2], as_decimal("multiplier", &value))),
    changing("tiers", |line, value| put(&mut line.tiers.rows, as_list("tiers", value))),
    changing("tier_rule", |line, value| put(&mut line.tiers.rule, as_word("tier_rule", &value, TIER_RULES))),
    changing("maker_fee", |line, value| put(&mut line.fees[0], as_decimal("maker_fee", &value))),
    changing("taker_fee", |line, value| put(&mut line.fees[1], as_decimal("taker_fee", &value))),
    changing("liquidation_fee", |line, value| put(&mut line.fees[2], as_decimal("liquidation_fee", &value))),
    changing("base", |line, value| put(&mut line.tiers.base, as_decimal("base", &value))),
    changing("slope", |line, value| put(&mut line.tiers.slope, as_decimal("slope", &value))),
    changing("im_base", |line, value| put(&mut line.tiers.im_base, as_decimal("im_base", &value))),
    changing("close_fee_in_mm", |line, value| put(&mut line.close_fee_in_mm, as_flag("close_fee_in_mm", &value))),
    changing("reduce", |line, value| put(&mut line.reduce, reductions(value))),
    changing("fraction", |line, value| put(&mut line.fraction, as_decimal("fraction", &value))),
    changing("pacing", |line, value| line.pacing.put(value, PacingLine::read)),
    changing("adl_rank", |line, value| put(&mut line.adl_rank, as_word("adl_rank", &value, RANKINGS))),
    changing("adl_price", |line, value| put(&mut line.adl_price, as_word("adl_price", &value, ADL_PRICES))),
    changing("mark", |line, value| line.prices.read_mark(value)),
    changing("index", |line, value| line.prices.read_index(value)),
    changing("funding", |line, value| line.prices.read_funding(value)),
    fixed("fund", |line, value| put(&mut line.fund, as_name("fund", value))),
    changing("margin_calls", |line, value| line.controls.read_margin_calls(value)),
    changing("count_profits", |line, value| line.controls.read_count_profits(&value)),
    changing("limits", |line, value| line.controls.read_limits(value)),
    changing("airlock", |line, value| line.controls.read_airlock(value)),
];

/// What a line says of an instrument; none where it names no such field.
#[derive(Default)]
pub(super) struct InstrumentFields {
    pub(super) kind: Option<ContractKind>,
    pub(super) underlying: Option<String>,
    pub(super) settle: Option<String>,
    pub(super) fund: Option<String>,
    /// `tick`, `lot`, `multiplier`.
    pub(super) steps: [Option<Decimal>; 3],
    pub(super) tiers: TierFields,
    /// `maker_fee`, `taker_fee`, `liquidation_fee`.
    fees: [Option<Decimal>; 3],
    close_fee_in_mm: Option<bool>,
    reduce: Option<Vec<Reduction>>,
    fraction: Option<Decimal>,
    adl_rank: Option<AdlRank>,
    adl_price: Option<AdlPrice>,
    prices: PriceFields,
    controls: ControlFields,
    pacing: Removable<PacingLine>,
    /// The first field that cannot change.
    pub(super) fixed: Option<&'static str>,
    /// Whether it names any field.
    pub(super) any: bool,
}

/// What a line says, on its grids.
pub(super) struct Placed<'a> {
    line: &'a InstrumentFields,
    fees: [Option<i64>; 3],
    fraction_ppb: u64,
    controls: PlacedControls,
}

/// The names of all fields, beside those of the command.
pub(super) fn names(beside: &[&'static str]) -> Vec<&'static str> {
    beside.iter().copied().chain(FIELDS.iter().map(|field| field.name)).collect()
}

impl InstrumentFields {
    /// Takes what there is of an instrument out of a line, form alone.
    pub(super) fn read(fields: &mut Fields) -> Result<Self, Rejection> {
        let mut line = Self::default();
        for field in FIELDS {
            let Some(value) = fields.take(field.name) else { continue };
            (field.read)(&mut line, value)?;
            line.any = true;
            if !field.changes {
                line.fixed = line.fixed.or(Some(field.name));
            }
        }
        if line.fraction.is_none() && line.lists_fraction(false) {
            return Err(Rejection::malformed("the field \"fraction\" is missing"));
        }
        Ok(line)
    }

    fn lists_fraction(&self, present: bool) -> bool {
        self.reduce.as_ref().map_or(present, |listed| listed.contains(&Reduction::Fraction))
    }

    /// The checks of value, over the rules that there are: all but those of the margins.
    pub(super) fn check(&self, prices: &PriceRules, reduce: ReducePolicy, tick: Grid) -> Result<(), Rejection> {
        self.prices.chunk()?;
        check_fees(self.fees)?;
        self.prices.over(prices).check(tick)?;
        if let Some(fraction) = self.fraction {
            if !self.lists_fraction(reduce.fraction_ppb > 0) {
                return Err(Rejection::bad_value("fraction is given, but reduce does not list \"fraction\""));
            }
            check_range(fraction)?;
        }
        self.controls.check()?;
        self.pacing.given().map_or(Ok(()), PacingLine::check)
    }

    /// The fee that is part of the maintenance margin, in parts per billion: what lies below it if it is off the grid.
    pub(super) fn close_fee_ppb(&self, closes: bool, taker_fee_ppb: i64) -> u64 {
        let fee = self.fees[1].map_or(taker_fee_ppb, |fee| steps(Grid::ppb(), fee).0);
        if self.close_fee_in_mm.unwrap_or(closes) { u64::try_from(fee).unwrap_or(0) } else { 0 }
    }

    /// The checks of grids, and what they place there: those of lots and of the settlement asset.
    pub(super) fn place(&self, lot: Grid, quanta: Grid) -> Result<Placed<'_>, Rejection> {
        self.prices.check_grid()?;
        let mut fees = [None; 3];
        for (placed, given) in fees.iter_mut().zip(self.fees) {
            *placed = given.map(fee_ppb).transpose()?;
        }
        let fraction_ppb = match steps(Grid::ppb(), self.fraction.unwrap_or(Decimal::ZERO)) {
            (steps, false) => u64::try_from(steps).unwrap_or(0),
            _ => return Err(Refusal::OffGrid { what: "fraction" }.into()),
        };
        Ok(Placed { line: self, fees, fraction_ppb, controls: self.controls.place((lot, quanta), self.pacing)? })
    }
}

impl Placed<'_> {
    /// Enters what the line names, and leaves the rest as it is.
    pub(super) fn enter(self, spec: &mut InstrumentSpec) -> Result<(), Rejection> {
        let Self { line, fees, fraction_ppb, controls } = self;
        let own = [&mut spec.maker_fee_ppb, &mut spec.taker_fee_ppb, &mut spec.liquidation_fee_ppb];
        for (own, given) in own.into_iter().zip(fees) {
            *own = given.unwrap_or(*own);
        }
        spec.close_fee_in_mm = line.close_fee_in_mm.unwrap_or(spec.close_fee_in_mm);
        if let Some(listed) = &line.reduce {
            let lists = |step| listed.contains(&step);
            (spec.reduce.tier, spec.reduce.all) = (lists(Reduction::Tier), lists(Reduction::All));
            spec.reduce.fraction_ppb = fraction_ppb;
        } else if line.fraction.is_some() {
            spec.reduce.fraction_ppb = fraction_ppb;
        }
        spec.adl.rank = line.adl_rank.unwrap_or(spec.adl.rank);
        spec.adl.price = line.adl_price.unwrap_or(spec.adl.price);
        spec.prices = line.prices.over(&spec.prices);
        spec.funding.chunk = line.prices.chunk()?.unwrap_or(spec.funding.chunk);
        controls.enter(spec);
        Ok(())
    }
}

/// A field that `null` takes away.
#[derive(Clone, Copy, Default)]
pub(super) enum Removable<T> {
    /// The line does not name it.
    #[default]
    Unnamed,
    /// There is none from now on.
    Removed,
    /// There is this.
    Given(T),
}

impl<T: Copy> Removable<T> {
    pub(super) fn put(&mut self, value: Json, read: fn(Json) -> Result<T, Rejection>) -> Result<(), Rejection> {
        *self = if value == Json::Null { Self::Removed } else { Self::Given(read(value)?) };
        Ok(())
    }

    pub(super) fn given(self) -> Option<T> {
        if let Self::Given(value) = self { Some(value) } else { None }
    }

    /// The same of another form.
    pub(super) fn place<U>(self, place: impl FnOnce(T) -> Result<U, Rejection>) -> Result<Removable<U>, Rejection> {
        Ok(match self {
            Self::Unnamed => Removable::Unnamed,
            Self::Removed => Removable::Removed,
            Self::Given(value) => Removable::Given(place(value)?),
        })
    }

    /// What there is from now on, over what there was.
    pub(super) fn over(self, present: Option<T>) -> Option<T> {
        match self {
            Self::Unnamed => present,
            Self::Removed => None,
            Self::Given(value) => Some(value),
        }
    }
}

/// Keeps a value that could be read.
pub(super) fn put<T>(place: &mut Option<T>, read: Result<T, Rejection>) -> Result<(), Rejection> {
    *place = Some(read?);
    Ok(())
}

/// The reductions that are listed.
fn reductions(value: Json) -> Result<Vec<Reduction>, Rejection> {
    let list = as_list("reduce", value)?;
    let words = list.iter().map(|word| as_word("each of reduce", word, REDUCTIONS)).collect::<Result<Vec<_>, _>>()?;
    if (1..words.len()).any(|at| words[..at].contains(&words[at])) {
        return Err(Rejection::malformed("reduce names a step twice"));
    }
    Ok(words)
}

/// Whether a fraction may be one of `reduce`.
fn check_range(fraction: Decimal) -> Result<(), Rejection> {
    let in_range = fraction.mantissa() > 0 && (is_below_one(fraction) || fraction == Decimal::new(1, 0));
    let reason = || format!("fraction must be above 0 and at most 1, not {fraction}");
    if in_range { Ok(()) } else { Err(Rejection::bad_value(reason())) }
}

/// The values of maker, taker and liquidation fee.
fn check_fees(fees: [Option<Decimal>; 3]) -> Result<(), Rejection> {
    let liquidation = fees[2].unwrap_or(Decimal::ZERO);
    if fees.into_iter().flatten().any(|fee| !is_below_one(fee)) || liquidation.mantissa() < 0 {
        let range = "maker_fee and taker_fee must be above -1 and below 1, liquidation_fee from 0 to below 1";
        return Err(Rejection::bad_value(range));
    }
    Ok(())
}

fn fee_ppb(fee: Decimal) -> Result<i64, Rejection> {
    match steps(Grid::ppb(), fee) {
        (fee, false) => Ok(fee),
        _ => Err(Refusal::OffGrid { what: "a fee: finer than parts per billion, it" }.into()),
    }
}

fn is_below_one(rate: Decimal) -> bool {
    let whole = Grid::decimals(0).place(Decimal::new(rate.mantissa().abs(), rate.scale()));
    whole.is_some_and(|place| place.floor() == 0)
}
