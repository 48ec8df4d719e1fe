//! The fields of an instrument that hold it in.

use super::Rejection;
use super::airlock::AirlockLine;
use super::desk::steps;
use super::fields::{Fields, Json, as_decimal, as_flag};
use super::instrument_fields::{Removable, put};
use crate::controls::{AirlockRule, Controls, DEFAULT_LEVEL_PPB, Limits, MAX_LEVELS, OiMargin};
use crate::decimal::{Decimal, Grid};
use crate::market::{InstrumentSpec, Pacing};
use crate::number::{LIMIT, Quantity};
use crate::refusal::Refusal;

/// What a line says of them, before it is placed on a grid; none where it names no such field.
#[derive(Default)]
pub(super) struct ControlFields {
    margin_calls: Option<Vec<Decimal>>,
    count_profits: Option<bool>,
    limits: Option<LimitsLine>,
    airlock: Removable<AirlockLine>,
}

/// The same on its grids.
pub(super) struct PlacedControls {
    margin_calls: Option<Vec<u32>>,
    count_profits: Option<bool>,
    limits: Option<Limits>,
    pacing: Removable<Pacing>,
    airlock: Removable<AirlockRule>,
}

impl PlacedControls {
    /// Enters what the line names, and leaves the rest as it is.
    pub(super) fn enter(self, spec: &mut InstrumentSpec) {
        let Controls { margin_calls, count_profits, limits, airlock } = &mut spec.controls;
        *margin_calls = self.margin_calls.unwrap_or_else(|| std::mem::take(margin_calls));
        *count_profits = self.count_profits.unwrap_or(*count_profits);
        *limits = self.limits.unwrap_or(*limits);
        *airlock = self.airlock.over(*airlock);
        spec.reduce.pacing = self.pacing.over(spec.reduce.pacing);
    }
}

/// The object `limits`: three limits, and the bounds of `oi_im`.
struct LimitsLine {
    open_interest: Option<Decimal>,
    position: Option<Decimal>,
    collar: Option<Decimal>,
    oi_im: Option<(Decimal, Decimal)>,
}

impl LimitsLine {
    fn read(value: Json) -> Result<Self, Rejection> {
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

impl ControlFields {
    pub(super) fn read_margin_calls(&mut self, value: Json) -> Result<(), Rejection> {
        put(&mut self.margin_calls, margin_calls(value))
    }

    pub(super) fn read_count_profits(&mut self, value: &Json) -> Result<(), Rejection> {
        put(&mut self.count_profits, as_flag("count_profits", value))
    }

    pub(super) fn read_limits(&mut self, value: Json) -> Result<(), Rejection> {
        put(&mut self.limits, LimitsLine::read(value))
    }

    pub(super) fn read_airlock(&mut self, value: Json) -> Result<(), Rejection> {
        self.airlock.put(value, AirlockLine::read)
    }

    /// The checks of value.
    pub(super) fn check(&self) -> Result<(), Rejection> {
        let (levels, one) = (self.margin_calls.as_deref().unwrap_or_default(), Decimal::new(1, 0));
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
            None => self.limits.as_ref().map_or(Ok(()), LimitsLine::check),
        }?;
        self.airlock.given().map_or(Ok(()), |airlock| airlock.check())
    }

    /// The same on its grids, of lots and of the settlement asset; pacing with it.
    pub(super) fn place(
        &self,
        (lot, quanta): (Grid, Grid),
        pacing: Removable<PacingLine>,
    ) -> Result<PlacedControls, Rejection> {
        let level_ppb = |&level: &Decimal| match steps(Grid::ppb(), level) {
            (level, false) => Ok(level as u32), // below one
            _ => Err(Refusal::OffGrid { what: "a level of margin_calls: finer than parts per billion, it" }),
        };
        let levels = self.margin_calls.as_ref().map(|levels| levels.iter().map(level_ppb).collect());
        Ok(PlacedControls {
            margin_calls: levels.transpose()?,
            count_profits: self.count_profits,
            limits: self.limits.as_ref().map(|limits| limits.place(lot)).transpose()?,
            pacing: pacing.place(PacingLine::rule)?,
            airlock: self.airlock.place(|airlock| airlock.place(quanta))?,
        })
    }
}

/// A list of levels, or `true` for the one that is the default.
fn margin_calls(value: Json) -> Result<Vec<Decimal>, Rejection> {
    match value {
        Json::Bool(false) => Ok(Vec::new()),
        Json::Bool(true) => Ok(vec![Decimal::new(i128::from(DEFAULT_LEVEL_PPB), 9)]),
        Json::List(levels) => levels.iter().map(|level| as_decimal("each of margin_calls", level)).collect(),
        other => {
            Err(Rejection::malformed(format!("margin_calls must be a list of levels, true or false, not {other}")))
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

    fn rule(self) -> Result<Pacing, Rejection> {
        match self {
            Self::Lots(lots) => Ok(Pacing::Lots(lots as Quantity)), // checked
            Self::DepthShare(share) => match steps(Grid::ppb(), share) {
                (share_ppb, false) => Ok(Pacing::DepthShare(share_ppb as u64)), // above zero, at most one
                _ => Err(Refusal::OffGrid { what: "depth_share: finer than parts per billion, it" }.into()),
            },
        }
    }
}
