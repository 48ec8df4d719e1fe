//! `asset`, `fund` and `instrument`: the commands that bring names and tables.

use super::Rejection;
use super::controls::ControlsLine;
use super::desk::{Answer, Desk, steps};
use super::fields::{Fields, Json, as_word};
use super::price_rules::PriceLine;
use crate::contract::Unit;
use crate::decimal::{Decimal, Grid};
use crate::driver::Driver;
use crate::kernel::Declaration;
use crate::market::{
    AdlPolicy, AdlPrice, AdlRank, AssetId, DrawdownRule, FundId, FundSpec, FundingRules, InstrumentId, InstrumentSpec,
    Pacing, ReducePolicy,
};
use crate::number::{LIMIT, Quantity};
use crate::refusal::{Code, Refusal};
use crate::slope::{SizeStep, Slope};
use crate::tiers::{TierError, TierRow, TierRule, TierTable};

/// Whether a kind is inverse; none: it is not built.
const KINDS: &[(&str, Option<bool>)] = &[
    ("linear_perp", Some(false)),
    ("inverse_perp", Some(true)),
    ("linear_future", None),
    ("inverse_future", None),
    ("option", None),
    ("spot", None),
];
pub(super) const TIER_RULES: &[(&str, TierRule)] =
    &[("marginal", TierRule::Marginal), ("step", TierRule::Step), ("linear", TierRule::Linear)];
pub(super) const RANKINGS: &[(&str, AdlRank)] = &[
    ("pnl_leverage", AdlRank::PnlLeverage),
    ("pnl_margin_ratio", AdlRank::PnlMarginRatio),
    ("profit_notional", AdlRank::ProfitNotional),
    ("pro_rata", AdlRank::ProRata),
];
pub(super) const ADL_PRICES: &[(&str, AdlPrice)] = &[("bankruptcy", AdlPrice::Bankruptcy), ("mark", AdlPrice::Mark)];

/// The largest leverage a table may name: 1 000 000.
const MAX_LEVERAGE_HUNDREDTHS: i64 = 100_000_000;

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Reduction {
    Tier,
    All,
    Fraction,
}

const REDUCTIONS: &[(&str, Reduction)] =
    &[("tier", Reduction::Tier), ("all", Reduction::All), ("fraction", Reduction::Fraction)];

pub(super) fn carry_out<D: Driver>(desk: &mut Desk<D>, op: &str, fields: Fields) -> Result<Answer, Rejection> {
    match op {
        "asset" => asset(desk, fields),
        "fund" => fund(desk, fields),
        "defaults" => return defaults(desk, fields),
        _ => instrument(desk, fields),
    }?;
    Ok(Answer::Events)
}

fn asset<D: Driver>(desk: &mut Desk<D>, mut fields: Fields) -> Result<(), Rejection> {
    fields.only(&["ts", "asset", "decimals"])?;
    let (name, decimals) = (fields.name("asset")?, fields.id("decimals")?);
    let ts_ns = fields.id_or_none("ts")?;
    desk.check_time(ts_ns)?;
    let decimals = u32::try_from(decimals).unwrap_or(u32::MAX);
    desk.kernel.declare(ts_ns, Declaration::Asset { name: name.clone(), decimals })?;
    let asset = AssetId(desk.kernel.market().assets.len() as u32 - 1);
    desk.assets.insert(name.clone(), asset);
    desk.funds.insert(name, desk.kernel.market().asset(asset).fund);
    Ok(())
}

fn fund<D: Driver>(desk: &mut Desk<D>, mut fields: Fields) -> Result<(), Rejection> {
    fields.only(&["ts", "fund", "asset", "floor", "drawdown", "socialise", "unwind_interval"])?;
    let (name, asset) = (fields.name("fund")?, fields.name("asset")?);
    let floor = fields.decimal_or("floor", Decimal::ZERO)?;
    let drawdown = fields.take("drawdown").map(DrawdownLine::read).transpose()?;
    let socialise = fields.flag_or("socialise", false)?;
    let unwind_interval_ns = fields.id_or_none("unwind_interval")?.unwrap_or(0);
    let ts_ns = fields.id_or_none("ts")?;
    desk.check_time(ts_ns)?;
    let asset = desk.asset(&asset)?;
    drawdown.iter().try_for_each(DrawdownLine::check)?;
    let known = desk.funds.get(&name).copied();
    let declared = known.is_some_and(|known| desk.declared_funds.contains(&known));
    if known.is_some_and(|known| !declared && desk.kernel.market().fund(known).asset != asset) {
        return Err(Rejection::bad_value(format!("the fund {name:?} is kept in another asset")));
    }
    let (floor, off) = steps(desk.kernel.market().quanta(asset), floor);
    if off {
        return Err(Refusal::OffGrid { what: "floor" }.into());
    }
    let drawdown = drawdown.map(|line| line.rule()).transpose()?;
    if i128::from(floor).abs() >= LIMIT {
        return Err(Refusal::Overflow { what: "floor" }.into());
    }
    if declared {
        return Err(Rejection::new(Code::Duplicate, format!("the fund {name:?} is declared already")));
    }
    let (name_of, floor) = (name.clone(), i128::from(floor));
    let spec = FundSpec { name: name_of, asset, floor, unwind_interval_ns, drawdown, socialise };
    let fund = known.unwrap_or(FundId(desk.kernel.market().funds.len() as u32));
    desk.kernel.declare(ts_ns, Declaration::Fund(spec))?;
    desk.declared_funds.push(fund);
    desk.funds.insert(name, fund);
    Ok(())
}

/// A `drawdown` whose form is right.
struct DrawdownLine {
    start: Decimal,
    stop: Decimal,
    window_ns: u64,
}

impl DrawdownLine {
    fn read(value: Json) -> Result<Self, Rejection> {
        let mut fields = Fields::of(value, "drawdown")?;
        fields.only(&["start", "stop", "window"])?;
        let (start, stop) = (fields.decimal("start")?, fields.decimal("stop")?);
        Ok(Self { start, stop, window_ns: fields.id("window")? })
    }

    /// The values, as they stand in the line.
    fn check(&self) -> Result<(), Rejection> {
        let Self { start, stop, window_ns } = self;
        if start.is_nonpositive() || stop < start || *stop >= Decimal::new(1, 0) {
            let range = "start must be above 0, stop at least start and below 1";
            return Err(Rejection::bad_value(format!("drawdown: {range}, not {start} and {stop}")));
        }
        if *window_ns < 480 {
            let reason = format!("drawdown: the window must be at least 480 nanoseconds, not {window_ns}");
            return Err(Rejection::bad_value(reason));
        }
        Ok(())
    }

    fn rule(&self) -> Result<DrawdownRule, Rejection> {
        match [self.start, self.stop].map(|share| steps(Grid::ppb(), share)) {
            [(start, false), (stop, false)] => Ok(DrawdownRule {
                start_ppb: start as u64, // above zero and below one
                stop_ppb: stop as u64,
                window_ns: self.window_ns,
            }),
            _ => Err(Refusal::OffGrid { what: "drawdown: finer than parts per billion, it" }.into()),
        }
    }
}

/// A `pacing` whose form is right.
#[derive(Clone, Copy)]
pub(super) enum PacingLine {
    Lots(u64),
    DepthShare(Decimal),
}

impl PacingLine {
    pub(super) fn read(value: Json) -> Result<Self, Rejection> {
        let mut fields = Fields::of(value, "pacing")?;
        fields.only(&["lots", "depth_share"])?;
        match (fields.id_or_none("lots")?, fields.decimal_or_none("depth_share")?) {
            (Some(lots), None) => Ok(Self::Lots(lots)),
            (None, Some(share)) => Ok(Self::DepthShare(share)),
            _ => Err(Rejection::malformed("pacing takes either lots or depth_share")),
        }
    }

    /// The values, as they stand in the line.
    pub(super) fn check(self) -> Result<(), Rejection> {
        match self {
            Self::Lots(lots) if Quantity::try_from(lots).is_ok_and(|lots| lots > 0) => Ok(()),
            Self::Lots(lots) => {
                Err(Rejection::bad_value(format!("pacing: lots must be from 1 to {}, not {lots}", Quantity::MAX)))
            }
            Self::DepthShare(share) if share.is_nonpositive() || share > Decimal::new(1, 0) => {
                Err(Rejection::bad_value(format!("pacing: depth_share must be above 0 and at most 1, not {share}")))
            }
            Self::DepthShare(_) => Ok(()),
        }
    }

    pub(super) fn rule(self) -> Result<Pacing, Rejection> {
        match self {
            Self::Lots(lots) => Ok(Pacing::Lots(lots as Quantity)), // checked
            Self::DepthShare(share) => match steps(Grid::ppb(), share) {
                (share_ppb, false) => Ok(Pacing::DepthShare(share_ppb as u64)), // above zero, at most one
                _ => Err(Refusal::OffGrid { what: "depth_share: finer than parts per billion, it" }.into()),
            },
        }
    }
}

/// An `instrument` line whose form is right.
struct InstrumentLine {
    symbol: String,
    underlying: String,
    settle: String,
    fund: Option<String>,
    ts_ns: Option<u64>,
    /// A word or setting that this version does not build.
    unsupported: Option<&'static str>,
    inverse: bool,
    steps: [Decimal; 3],
    fees: [Decimal; 3],
    close_fee_in_mm: bool,
    tier_rule: TierRule,
    tiers: Option<Vec<Json>>,
    /// `base`, `slope`, `im_base`.
    slope: [Option<Decimal>; 3],
    reduce: Vec<Reduction>,
    fraction: Option<Decimal>,
    adl: AdlPolicy,
    pacing: Option<PacingLine>,
    prices: PriceLine,
    controls: ControlsLine,
}

/// What an instrument must name, for the checks of defaults that leave it open.
const NAMED: &str = r#"{"symbol":"X","kind":"linear_perp","underlying":"X","settle":"X","tick":1,"lot":1,"tiers":[]}"#;

/// Fields for instruments that are declared later. Their form is checked here, all else with the instrument.
fn defaults<D: Driver>(desk: &mut Desk<D>, mut fields: Fields) -> Result<Answer, Rejection> {
    if fields.has("symbol") {
        return Err(Rejection::new(
            Code::UnknownField,
            "the field \"symbol\" belongs to one instrument, not to defaults",
        ));
    }
    let mut whole = fields.clone();
    whole.complete(&Fields::read(NAMED)?);
    let ts_ns = InstrumentLine::read(whole)?.ts_ns;
    desk.check_time(ts_ns)?;
    desk.kernel.pass_time(ts_ns);
    fields.take("ts");
    fields.complete(&desk.defaults);
    desk.defaults = fields;
    Ok(Answer::Line(String::new())) // no input of the kernel's
}

fn instrument<D: Driver>(desk: &mut Desk<D>, mut fields: Fields) -> Result<(), Rejection> {
    fields.complete(&desk.defaults);
    desk.complete_tiers(&mut fields);
    let line = InstrumentLine::read(fields)?;
    desk.check_time(line.ts_ns)?;
    let settle = desk.asset(&line.settle)?;
    let asset = desk.kernel.market().asset(settle);
    let fund = line.fund.as_deref().map_or(Ok(asset.fund), |name| desk.fund(name))?;
    if let Some(what) = line.unsupported {
        return Err(Rejection::bad_value(format!("{what} in this version")));
    }
    let mut funding = FundingRules::default();
    if let Some(given) = line.prices.chunk {
        funding.chunk = chunk(given)?;
    }
    let [tick, lot, _] = line.grids()?;
    let unit = line.unit(asset.decimals)?;
    check_fees(line.fees)?;
    if desk.kernel.market().fund(fund).asset != settle {
        return Err(Rejection::bad_value(format!("the fund is not kept in {}", line.settle)));
    }
    line.prices.rules.check(tick)?;
    line.check_fraction()?;
    line.controls.check()?;
    line.pacing.map_or(Ok(()), PacingLine::check)?;
    let tiers = line.tier_table(unit, tick, asset.decimals)?;
    line.prices.check_grid()?;
    let [maker_fee_ppb, taker_fee_ppb, liquidation_fee_ppb] = fees_of(line.fees)?;
    let reduce = line.reduce_policy()?;
    let controls = line.controls.place(lot, desk.kernel.market().quanta(settle))?;
    let pacing = line.pacing.map(PacingLine::rule).transpose()?;
    let what = if line.inverse { "lot · multiplier / tick, in lowest terms," } else { "tick · lot · multiplier" };
    let unit = unit.ok_or(Refusal::Overflow { what })?;
    let tiers = tiers.ok_or(Refusal::Overflow { what: "lot · multiplier, the size of a lot," })?;
    if desk.instruments.contains_key(&line.symbol) {
        return Err(Rejection::new(Code::Duplicate, format!("the instrument {:?} is declared already", line.symbol)));
    }
    let spec = InstrumentSpec {
        symbol: line.symbol.clone(),
        underlying: line.underlying,
        settle,
        tick,
        lot,
        unit,
        tiers,
        maker_fee_ppb,
        taker_fee_ppb,
        liquidation_fee_ppb,
        close_fee_in_mm: line.close_fee_in_mm,
        reduce: ReducePolicy { pacing, ..reduce },
        adl: line.adl,
        fund,
        prices: line.prices.rules,
        funding,
        controls,
    };
    desk.kernel.declare(line.ts_ns, Declaration::Instrument(Box::new(spec)))?;
    let id = InstrumentId(desk.kernel.market().instruments.len() as u32 - 1);
    desk.instruments.insert(line.symbol, id);
    Ok(())
}

impl InstrumentLine {
    fn read(mut fields: Fields) -> Result<Self, Rejection> {
        fields.only(&[
            "ts",
            "symbol",
            "kind",
            "underlying",
            "settle",
            "tick",
            "lot",
            "multiplier",
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
            "adl_rank",
            "adl_price",
            "mark",
            "index",
            "funding",
            "fund",
            "margin_calls",
            "count_profits",
            "limits",
            "pacing",
            "airlock",
        ])?;
        let (symbol, underlying, settle) = (fields.name("symbol")?, fields.name("underlying")?, fields.name("settle")?);
        let one = Decimal::new(1, 0);
        let steps = [fields.decimal("tick")?, fields.decimal("lot")?, fields.decimal_or("multiplier", one)?];
        let mut fees = [Decimal::ZERO; 3];
        for (fee, name) in fees.iter_mut().zip(["maker_fee", "taker_fee", "liquidation_fee"]) {
            *fee = fields.decimal_or(name, Decimal::ZERO)?;
        }
        let tiers = fields.list_or_none("tiers")?;
        let tier_rule = fields.word_or("tier_rule", TIER_RULES, TierRule::Marginal)?;
        if tiers.is_none() && tier_rule != TierRule::Linear {
            return Err(Rejection::malformed("the field \"tiers\" is missing"));
        }
        let mut slope = [None; 3];
        for (rate, name) in slope.iter_mut().zip(["base", "slope", "im_base"]) {
            *rate = fields.decimal_or_none(name)?;
        }
        let reduce = reductions(fields.list_or_none("reduce")?)?;
        let fraction = fields.decimal_or_none("fraction")?;
        if fraction.is_none() && reduce.contains(&Reduction::Fraction) {
            return Err(Rejection::malformed("the field \"fraction\" is missing"));
        }
        let prices = PriceLine::read(&mut fields)?;
        let adl = AdlPolicy {
            rank: fields.word_or("adl_rank", RANKINGS, AdlRank::default())?,
            price: fields.word_or("adl_price", ADL_PRICES, AdlPrice::default())?,
        };
        let pacing = fields.take("pacing").map(PacingLine::read).transpose()?;
        let inverse = fields.word("kind", KINDS)?;
        let supported = [(inverse.is_some(), "kind: only \"linear_perp\" and \"inverse_perp\" are supported")];
        Ok(Self {
            symbol,
            underlying,
            settle,
            fund: fields.name_or_none("fund")?,
            ts_ns: fields.id_or_none("ts")?,
            unsupported: supported.iter().find(|(built, _)| !built).map(|&(_, what)| what),
            inverse: inverse.unwrap_or(false),
            steps,
            fees,
            close_fee_in_mm: fields.flag_or("close_fee_in_mm", false)?,
            tier_rule,
            tiers,
            slope,
            reduce,
            fraction,
            adl,
            pacing,
            prices,
            controls: ControlsLine::read(&mut fields)?,
        })
    }

    fn check_fraction(&self) -> Result<(), Rejection> {
        let Some(fraction) = self.fraction else { return Ok(()) };
        if !self.reduce.contains(&Reduction::Fraction) {
            return Err(Rejection::bad_value("fraction is given, but reduce does not list \"fraction\""));
        }
        check_range(fraction)
    }

    fn reduce_policy(&self) -> Result<ReducePolicy, Rejection> {
        let lists = |step| self.reduce.contains(&step);
        Ok(ReducePolicy {
            tier: lists(Reduction::Tier),
            fraction_ppb: fraction_of(self.fraction)?,
            all: lists(Reduction::All),
            pacing: None,
        })
    }

    /// The rows, or the rates of the rule `linear`; none if the size of a lot is not a fraction of 62-bit numbers.
    /// Anything wrong is `bad_tiers`.
    fn tier_table(&self, unit: Option<Unit>, tick: Grid, decimals: u32) -> Result<Option<TierTable>, Rejection> {
        let bad = |error: TierError| Rejection::new(Code::BadTiers, error.to_string());
        let table = match (self.tier_rule, &self.tiers, self.slope) {
            (TierRule::Linear, None, [Some(base), Some(slope), Some(im_base)]) => {
                let base_ppb = slope_rate("base", base)?;
                let slope_ppb = slope_rate("slope", slope)?;
                let im_base_ppb = slope_rate("im_base", im_base)?;
                let Some(step) = unit.and_then(|unit| SizeStep::of(unit, tick, decimals)) else { return Ok(None) };
                TierTable::linear(Slope { base_ppb, slope_ppb, im_base_ppb, step }).map_err(bad)?
            }
            (TierRule::Linear, _, _) | (_, _, [Some(_), ..] | [_, Some(_), _] | [.., Some(_)]) => {
                return Err(bad(TierError::RowsOrSlope));
            }
            (rule, rows, _) => tier_table(rule, rows.as_deref().unwrap_or_default(), decimals)?,
        };
        let (fee_ppb, _) = steps(Grid::ppb(), self.fees[1]);
        let fee_ppb = if self.close_fee_in_mm { u64::try_from(fee_ppb).unwrap_or(0) } else { 0 };
        table.check_close_fee(fee_ppb).map_err(bad)?;
        Ok(Some(table))
    }

    /// The grids of tick, lot and multiplier.
    fn grids(&self) -> Result<[Grid; 3], Rejection> {
        let grid = |name: &str, step: Decimal| {
            let reason =
                || format!("{name} must be above zero, below 10^12, of at most 12 digits and 18 decimals, not {step}");
            Grid::new(step).ok_or_else(|| Rejection::bad_value(reason()))
        };
        let [tick, lot, multiplier] = self.steps;
        Ok([grid("tick", tick)?, grid("lot", lot)?, grid("multiplier", multiplier)?])
    }

    /// The unit in quanta; none if it is too large.
    fn unit(&self, decimals: u32) -> Result<Option<Unit>, Rejection> {
        let [tick, lot, multiplier] = self.grids()?;
        if self.inverse {
            return Ok(Unit::inverse(tick, lot, multiplier, decimals));
        }
        let product = [lot, multiplier].iter().try_fold(tick.step(), |product, grid| {
            let mantissa = product.mantissa().checked_mul(grid.step().mantissa())?;
            Some(Decimal::new(mantissa, product.scale() + grid.step().scale()))
        });
        match product.map(|product| product.scale() <= decimals) {
            Some(false) => {
                let reason =
                    format!("tick · lot · multiplier must be whole quanta of {}, of {decimals} decimals", self.settle);
                Err(Rejection::bad_value(reason))
            }
            _ => Ok(Unit::linear(tick, lot, multiplier, decimals)),
        }
    }
}

/// A rate of the rule `linear`, in parts per billion.
pub(super) fn slope_rate(name: &str, rate: Decimal) -> Result<u64, Rejection> {
    let (steps, off) = steps(Grid::ppb(), rate);
    if off {
        let reason = format!("{name} {rate} is finer than {}", Grid::ppb().step());
        return Err(Rejection::new(Code::BadTiers, reason));
    }
    Ok(u64::try_from(steps).unwrap_or(u64::MAX)) // below zero is refused as what is too large is
}

/// Whether a fraction may be one of `reduce`.
pub(super) fn check_range(fraction: Decimal) -> Result<(), Rejection> {
    let in_range = fraction.mantissa() > 0 && (is_below_one(fraction) || fraction == Decimal::new(1, 0));
    let reason = || format!("fraction must be above 0 and at most 1, not {fraction}");
    if in_range { Ok(()) } else { Err(Rejection::bad_value(reason())) }
}

/// A fraction in parts per billion, 0 for none.
pub(super) fn fraction_of(fraction: Option<Decimal>) -> Result<u64, Rejection> {
    match steps(Grid::ppb(), fraction.unwrap_or(Decimal::ZERO)) {
        (steps, false) => Ok(u64::try_from(steps).unwrap_or(0)),
        _ => Err(Refusal::OffGrid { what: "fraction" }.into()),
    }
}

/// The chunk that a line names in `funding`.
pub(super) fn chunk_of(fields: &mut Fields) -> Result<Option<u64>, Rejection> {
    let Some(value) = fields.take("funding") else { return Ok(None) };
    let mut funding = Fields::of(value, "funding")?;
    funding.only(&["chunk"])?;
    funding.id_or_none("chunk")
}

pub(super) fn chunk(given: u64) -> Result<u32, Rejection> {
    let chunk = u32::try_from(given).ok().filter(|&chunk| chunk > 0);
    chunk.ok_or_else(|| Rejection::bad_value(format!("chunk must be from 1 to {}, not {given}", u32::MAX)))
}

/// The values of maker, taker and liquidation fee.
pub(super) fn check_fees([maker, taker, liquidation]: [Decimal; 3]) -> Result<(), Rejection> {
    if [maker, taker].iter().any(|&fee| !is_below_one(fee)) || !is_below_one(liquidation) || liquidation.mantissa() < 0
    {
        let range = "maker_fee and taker_fee must be above -1 and below 1, liquidation_fee from 0 to below 1";
        return Err(Rejection::bad_value(range));
    }
    Ok(())
}

/// Fees in parts per billion.
pub(super) fn fees_of(fees: [Decimal; 3]) -> Result<[i64; 3], Rejection> {
    let fees = fees.map(|fee| steps(Grid::ppb(), fee));
    if fees.iter().any(|&(_, off)| off) {
        return Err(Refusal::OffGrid { what: "a fee: finer than parts per billion, it" }.into());
    }
    Ok(fees.map(|(fee, _)| fee))
}

/// What is wrong with a table, as lines tell it.
pub(super) fn bad_tiers<T>(table: Result<T, TierError>) -> Result<T, Rejection> {
    table.map_err(|error| Rejection::new(Code::BadTiers, error.to_string()))
}

fn is_below_one(rate: Decimal) -> bool {
    let whole = Grid::decimals(0).place(Decimal::new(rate.mantissa().abs(), rate.scale()));
    whole.is_some_and(|place| place.floor() == 0)
}

/// The reductions that are listed.
pub(super) fn reductions(list: Option<Vec<Json>>) -> Result<Vec<Reduction>, Rejection> {
    let Some(list) = list else { return Ok(vec![Reduction::Tier, Reduction::All]) };
    let words = list.iter().map(|word| as_word("each of reduce", word, REDUCTIONS)).collect::<Result<Vec<_>, _>>()?;
    if (1..words.len()).any(|at| words[..at].contains(&words[at])) {
        return Err(Rejection::malformed("reduce names a step twice"));
    }
    Ok(words)
}

/// Reads a tier table; anything wrong in it is `bad_tiers` and names the row.
pub(super) fn tier_table(rule: TierRule, list: &[Json], decimals: u32) -> Result<TierTable, Rejection> {
    let bad = |reason: String| Rejection::new(Code::BadTiers, reason);
    let mut rows = Vec::with_capacity(list.len());
    for (index, row) in list.iter().enumerate() {
        let row =
            tier_row(row, decimals).map_err(|rejection| bad(format!("row {}: {}", index + 1, rejection.reason)))?;
        rows.push(row);
    }
    bad_tiers(TierTable::new(rule, &rows))
}

fn tier_row(row: &Json, decimals: u32) -> Result<TierRow, Rejection> {
    let mut fields = Fields::of(row.clone(), "a tier")?;
    fields.only(&["cap", "mmr", "max_leverage", "deduction"])?;
    let mut exact = |name: &str, grid: Grid| {
        let value = fields.decimal(name)?;
        match steps(grid, value) {
            (steps, false) => Ok(steps),
            _ => Err(Rejection::malformed(format!("{name} {value} is finer than {}", grid.step()))),
        }
    };
    let cap = exact("cap", Grid::decimals(decimals))?;
    let mmr_ppb = exact("mmr", Grid::ppb())?;
    let max_leverage = exact("max_leverage", Grid::decimals(2))?;
    if max_leverage > MAX_LEVERAGE_HUNDREDTHS {
        return Err(Rejection::malformed("max_leverage must be at most 1000000"));
    }
    let deduction = match fields.take("deduction") {
        None => None,
        Some(value) => {
            let mut one = Fields::of(Json::Object(vec![("deduction".to_owned(), value)]), "a deduction")?;
            let value = one.decimal("deduction")?;
            match steps(Grid::decimals(decimals), value) {
                (steps, false) => Some(i128::from(steps)),
                _ => return Err(Rejection::malformed(format!("deduction {value} is finer than a quantum"))),
            }
        }
    };
    Ok(TierRow {
        cap: i128::from(cap),
        mmr_ppb: u64::try_from(mmr_ppb).unwrap_or(0), // what is not above zero is refused with the table
        max_leverage: u32::try_from(max_leverage).unwrap_or(0),
        deduction,
    })
}
