//! The fields of an instrument that hold it in.

use super::Rejection;
use super::airlock::AirlockLine;
use super::desk::steps;
use super::fields::{Fields, Json, as_decimal};
use crate::controls::{Controls, DEFAULT_LEVEL_PPB, Limits, MAX_LEVELS, OiMargin};
use crate::decimal::{Decimal, Grid};
use crate::number::LIMIT;
use crate::refusal::Refusal;

/// What a line says of them, before it is placed on a grid.
pub(super) struct ControlsLine {
    margin_calls: Vec<Decimal>,
    count_profits: bool,
    limits: LimitsLine,
    airlock: Option<AirlockLine>,
}

/// The object `limits`: three limits, and the bounds of `oi_im`.
#[derive(Default)]
struct LimitsLine {
    open_interest: Option<Decimal>,
    position: Option<Decimal>,
    collar: Option<Decimal>,
    oi_im: Option<(Decimal, Decimal)>,
}

impl LimitsLine {
    fn read(value: Option<Json>) -> Result<Self, Rejection> {
        let Some(value) = value else { return Ok(Self::default()) };
        let mut fields = Fields::of(value, "limits")?;
        fields.only(&["open_interest", "position", "collar", "oi_im"])?;
        let oi_im = match fields.take("oi_im") {
            None => None,
            Some(value) => {
                let mut fields = Fields::of(value, "oi_im")?;
                fields.only(&["lower", "upper"])?;
                Some((fields.decimal("lower")?, fields.decimal("upper")?))
            }
        };
        Ok(Self {
            open_interest: fields.decimal_or_none("open_interest")?,
            position: fields.decimal_or_none("position")?,
            collar: fields.decimal_or_none("collar")?,
            oi_im,
        })
    }

    fn check(&self) -> Result<(), Rejection> {
        let named = [
            ("open_interest", self.open_interest),
            ("position", self.position),
            ("collar", self.collar),
            ("upper", self.oi_im.map(|bounds| bounds.1)),
        ];
        for (name, value) in named {
            if let Some(value) = value.filter(|value| value.is_nonpositive()) {
                return Err(Rejection::bad_value(format!("limits: {name} must be above zero, not {value}")));
            }
        }
        match self.oi_im {
            Some((lower, upper)) if lower < Decimal::ZERO || lower >= upper => {
                let reason = format!("limits: oi_im needs 0 <= lower < upper, not {lower} and {upper}");
                Err(Rejection::bad_value(reason))
            }
            _ => Ok(()),
        }
    }

    fn place(&self, lot: Grid) -> Result<Limits, Rejection> {
        let on = |grid: Grid, what: &'static str, value: Decimal| match steps(grid, value) {
            (_, true) => Err(Rejection::from(Refusal::OffGrid { what })),
            (steps, false) if i128::from(steps) < LIMIT => Ok(steps),
            _ => Err(Refusal::Overflow { what }.into()),
        };
        let lots = |what, value: Option<Decimal>| value.map(|value| on(lot, what, value)).transpose();
        let collar = self.collar.map(|collar| on(Grid::ppb(), "collar", collar)).transpose()?;
        let oi_im = match self.oi_im {
            None => None,
            Some((lower, upper)) => Some(OiMargin { lower: on(lot, "lower", lower)?, upper: on(lot, "upper", upper)? }),
        };
        Ok(Limits {
            open_interest: lots("open_interest", self.open_interest)?,
            position: lots("position", self.position)?,
            collar_ppb: collar.map(|collar| collar as u64), // above zero
            oi_im,
        })
    }
}

impl ControlsLine {
    pub(super) fn read(fields: &mut Fields) -> Result<Self, Rejection> {
        Ok(Self {
            margin_calls: margin_calls(fields.take("margin_calls"))?,
            count_profits: fields.flag_or("count_profits", false)?,
            limits: LimitsLine::read(fields.take("limits"))?,
            airlock: fields.take("airlock").map_or(Ok(None), AirlockLine::read)?,
        })
    }

    /// The checks of value.
    pub(super) fn check(&self) -> Result<(), Rejection> {
        let (levels, one) = (&self.margin_calls, Decimal::new(1, 0));
        if let Some(level) = levels.iter().find(|level| level.is_nonpositive() || **level >= one) {
            return Err(Rejection::bad_value(format!(
                "margin_calls: a level must be above 0 and below 1, not {level}"
            )));
        }
        if levels.len() > MAX_LEVELS {
            return Err(Rejection::bad_value(format!("margin_calls: at most {MAX_LEVELS} levels")));
        }
        match levels.windows(2).find(|pair| pair[0] >= pair[1]) {
            Some(pair) => {
                let reason = format!("margin_calls: the levels must rise, and {} does not follow {}", pair[1], pair[0]);
                Err(Rejection::bad_value(reason))
            }
            None => self.limits.check(),
        }?;
        self.airlock.map_or(Ok(()), |airlock| airlock.check())
    }

    /// The controls, on their grids; `quanta` is that of the settlement asset.
    pub(super) fn place(&self, lot: Grid, quanta: Grid) -> Result<Controls, Rejection> {
        let mut margin_calls = Vec::with_capacity(self.margin_calls.len());
        for &level in &self.margin_calls {
            match steps(Grid::ppb(), level) {
                (level, false) => margin_calls.push(level as u32), // below one
                _ => {
                    return Err(
                        Refusal::OffGrid { what: "a level of margin_calls: finer than parts per billion, it" }.into()
                    );
                }
            }
        }
        let limits = self.limits.place(lot)?;
        let airlock = self.airlock.map(|airlock| airlock.place(quanta)).transpose()?;
        Ok(Controls { margin_calls, count_profits: self.count_profits, limits, airlock })
    }
}

/// A list of levels, or `true` for the one that is the default.
fn margin_calls(value: Option<Json>) -> Result<Vec<Decimal>, Rejection> {
    match value {
        None | Some(Json::Bool(false)) => Ok(Vec::new()),
        Some(Json::Bool(true)) => Ok(vec![Decimal::new(i128::from(DEFAULT_LEVEL_PPB), 9)]),
        Some(Json::List(levels)) => levels.iter().map(|level| as_decimal("each of margin_calls", level)).collect(),
        Some(other) => {
            Err(Rejection::malformed(format!("margin_calls must be a list of levels, true or false, not {other}")))
        }
    }
}
