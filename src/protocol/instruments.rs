//! `instrument` and `defaults`: a contract with all its rules, and rules for those that come.

use super::Rejection;
use super::desk::{Answer, Desk};
use super::fields::Fields;
use super::instrument_fields::{ContractKind, InstrumentFields, names};
use super::tier_fields::bad_tiers;
use crate::contract::Unit;
use crate::decimal::{Decimal, Grid};
use crate::driver::Driver;
use crate::kernel::Declaration;
use crate::market::{InstrumentId, InstrumentSpec, ReducePolicy};
use crate::prices::PriceRules;
use crate::refusal::{Code, Refusal};
use crate::slope::SizeStep;
use crate::tiers::TierRule;

/// Fields that an instrument may name in part: the rest of them is as in the defaults.
const NAMED_IN_PART: &[&str] = &["index", "funding"];

/// Fields for instruments that are declared later. Their form is checked here, all else with the instrument.
pub(super) fn defaults<D: Driver>(desk: &mut Desk<D>, mut fields: Fields) -> Result<Answer, Rejection> {
    if fields.has("symbol") {
        return Err(Rejection::new(
            Code::UnknownField,
            "the field \"symbol\" belongs to one instrument, not to defaults",
        ));
    }
    fields.only(&names(&["ts"]))?;
    let mut read = fields.clone();
    InstrumentFields::read(&mut read)?;
    let ts_ns = read.id_or_none("ts")?;
    desk.check_time(ts_ns)?;
    desk.kernel.pass_time(ts_ns);
    fields.take("ts");
    fields.complete(&desk.defaults, NAMED_IN_PART);
    desk.defaults = fields;
    Ok(Answer::Line(String::new())) // no input of the kernel's
}

/// What an instrument must name.
struct Named {
    symbol: String,
    underlying: String,
    settle: String,
    kind: ContractKind,
    /// `tick`, `lot`, `multiplier`.
    steps: [Decimal; 3],
}

impl Named {
    fn take(symbol: String, line: &InstrumentFields) -> Result<Self, Rejection> {
        let missing = |name: &str| Rejection::malformed(format!("the field {name:?} is missing"));
        let [tick, lot, multiplier] = line.steps;
        let by_rates = line.tiers.rule == Some(TierRule::Linear);
        if line.tiers.rows.is_none() && !by_rates {
            return Err(missing("tiers"));
        }
        Ok(Self {
            symbol,
            underlying: line.underlying.clone().ok_or_else(|| missing("underlying"))?,
            settle: line.settle.clone().ok_or_else(|| missing("settle"))?,
            kind: line.kind.ok_or_else(|| missing("kind"))?,
            steps: [
                tick.ok_or_else(|| missing("tick"))?,
                lot.ok_or_else(|| missing("lot"))?,
                multiplier.unwrap_or(Decimal::new(1, 0)),
            ],
        })
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
    fn unit(
        &self,
        inverse: bool,
        [tick, lot, multiplier]: [Grid; 3],
        decimals: u32,
    ) -> Result<Option<Unit>, Rejection> {
        if inverse {
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

pub(super) fn instrument<D: Driver>(desk: &mut Desk<D>, mut fields: Fields) -> Result<(), Rejection> {
    fields.complete(&desk.defaults, NAMED_IN_PART);
    desk.complete_tiers(&mut fields);
    fields.only(&names(&["ts", "symbol"]))?;
    let line = InstrumentFields::read(&mut fields)?;
    let named = Named::take(fields.name("symbol")?, &line)?;
    let ts_ns = fields.id_or_none("ts")?;
    desk.check_time(ts_ns)?;
    let settle = desk.asset(&named.settle)?;
    let asset = desk.kernel.market().asset(settle);
    let fund = line.fund.as_deref().map_or(Ok(asset.fund), |name| desk.fund(name))?;
    if named.kind == ContractKind::NotBuilt {
        let what = "kind: only \"linear_perp\" and \"inverse_perp\" are supported in this version";
        return Err(Rejection::bad_value(what));
    }
    let inverse = named.kind == ContractKind::InversePerp;
    let grids = named.grids()?;
    let [tick, lot, _] = grids;
    let unit = named.unit(inverse, grids, asset.decimals)?;
    if desk.kernel.market().fund(fund).asset != settle {
        return Err(Rejection::bad_value(format!("the fund is not kept in {}", named.settle)));
    }
    line.check(&PriceRules::default(), ReducePolicy::default(), tick)?;
    let size = || unit.and_then(|unit| SizeStep::of(unit, tick, asset.decimals));
    let tiers = line.tiers.table(None, size, asset.decimals)?;
    if let Some(tiers) = &tiers {
        bad_tiers(tiers.check_close_fee(line.close_fee_ppb(false, 0)))?;
    }
    let placed = line.place(lot, Grid::decimals(asset.decimals))?;
    let what = if inverse { "lot · multiplier / tick, in lowest terms," } else { "tick · lot · multiplier" };
    let unit = unit.ok_or(Refusal::Overflow { what })?;
    let tiers = tiers.ok_or(Refusal::Overflow { what: "lot · multiplier, the size of a lot," })?;
    if desk.instruments.contains_key(&named.symbol) {
        return Err(Rejection::new(Code::Duplicate, format!("the instrument {:?} is declared already", named.symbol)));
    }
    let mut spec = InstrumentSpec::new(&named.symbol, settle, fund, (tick, lot), unit, tiers);
    spec.underlying = named.underlying;
    placed.enter(&mut spec)?;
    desk.kernel.declare(ts_ns, &Declaration::Instrument(Box::new(spec)))?;
    let id = InstrumentId(desk.kernel.market().instruments.len() as u32 - 1);
    desk.instruments.insert(named.symbol, id);
    Ok(())
}
