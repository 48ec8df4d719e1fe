//! `asset` and `fund`: the commands that bring names, and where those of `instrument` lead.

use super::desk::{Answer, Desk, steps};
use super::fields::{Fields, Json};
use super::{Rejection, instruments};
use crate::decimal::{Decimal, Grid};
use crate::driver::Driver;
use crate::kernel::Declaration;
use crate::market::{AssetId, DrawdownRule, FundId, FundSpec};
use crate::number::LIMIT;
use crate::refusal::{Code, Refusal};

pub(super) fn carry_out<D: Driver>(desk: &mut Desk<D>, op: &str, fields: Fields) -> Result<Answer, Rejection> {
    match op {
        "asset" => asset(desk, fields),
        "fund" => fund(desk, fields),
        "defaults" => return instruments::defaults(desk, fields),
        _ => instruments::instrument(desk, fields),
    }?;
    Ok(Answer::Events)
}

/// Takes over `defaults` that were accepted before a restart; false: it is another line.
#[cfg(feature = "journal")]
pub(super) fn remember_defaults<D: Driver>(desk: &mut Desk<D>, text: &str) -> Result<bool, Rejection> {
    let mut fields = Fields::read(text)?;
    if fields.peek("op") != Some("defaults") {
        return Ok(false); // it has left its trace in the kernel
    }
    for name in ["op", "source", "client_seq", "ack"] {
        fields.take(name);
    }
    instruments::defaults(desk, fields).map(|_| true)
}

fn asset<D: Driver>(desk: &mut Desk<D>, mut fields: Fields) -> Result<(), Rejection> {
    fields.only(&["ts", "asset", "decimals"])?;
    let (name, decimals) = (fields.name("asset")?, fields.id("decimals")?);
    let ts_ns = fields.id_or_none("ts")?;
    desk.check_time(ts_ns)?;
    let decimals = u32::try_from(decimals).unwrap_or(u32::MAX);
    desk.kernel.declare(ts_ns, &Declaration::Asset { name: name.clone(), decimals })?;
    let asset = AssetId(desk.kernel.market().assets.len() as u32 - 1);
    desk.assets.insert(name.clone(), asset);
    desk.funds.insert(name, desk.kernel.market().asset(asset).fund);
    Ok(())
}

fn fund<D: Driver>(desk: &mut Desk<D>, mut fields: Fields) -> Result<(), Rejection> {
    fields.only(&[
        "ts",
        "fund",
        "asset",
        "floor",
        "drawdown",
        "socialise",
        "unwind_interval",
        "max_loss_per_minute",
    ])?;
    let (name, asset) = (fields.name("fund")?, fields.name("asset")?);
    let floor = fields.decimal_or("floor", Decimal::ZERO)?;
    let drawdown = fields.take("drawdown").map(DrawdownLine::read).transpose()?;
    let socialise = fields.flag_or("socialise", false)?;
    let max_loss = fields.decimal_or_none("max_loss_per_minute")?;
    let unwind_interval_ns = fields.id_or_none("unwind_interval")?.unwrap_or(0);
    let ts_ns = fields.id_or_none("ts")?;
    desk.check_time(ts_ns)?;
    let asset = desk.asset(&asset)?;
    drawdown.iter().try_for_each(DrawdownLine::check)?;
    if let Some(loss) = max_loss.filter(|loss| loss.is_nonpositive()) {
        return Err(Rejection::bad_value(format!("max_loss_per_minute must be above zero, not {loss}")));
    }
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
    let max_loss = max_loss.map(|loss| steps(desk.kernel.market().quanta(asset), loss));
    if max_loss.is_some_and(|(_, off)| off) {
        return Err(Refusal::OffGrid { what: "max_loss_per_minute" }.into());
    }
    let max_loss_per_minute = max_loss.map(|(loss, _)| i128::from(loss));
    if max_loss_per_minute.is_some_and(|loss| loss >= LIMIT) {
        return Err(Refusal::Overflow { what: "max_loss_per_minute" }.into());
    }
    if i128::from(floor).abs() >= LIMIT {
        return Err(Refusal::Overflow { what: "floor" }.into());
    }
    if declared {
        return Err(Rejection::new(Code::Duplicate, format!("the fund {name:?} is declared already")));
    }
    let (name_of, floor) = (name.clone(), i128::from(floor));
    let spec = FundSpec { name: name_of, asset, floor, unwind_interval_ns, drawdown, socialise, max_loss_per_minute };
    let fund = known.unwrap_or(FundId(desk.kernel.market().funds.len() as u32));
    desk.kernel.declare(ts_ns, &Declaration::Fund(spec))?;
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
