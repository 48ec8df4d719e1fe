//! The fields of an instrument that hold it in.

use super::Rejection;
use super::desk::steps;
use super::fields::{Fields, Json, as_decimal};
use crate::controls::{Controls, DEFAULT_LEVEL_PPB, MAX_LEVELS};
use crate::decimal::{Decimal, Grid};
use crate::refusal::Refusal;

/// What a line says of them, before it is placed on a grid.
pub(super) struct ControlsLine {
    margin_calls: Vec<Decimal>,
}

impl ControlsLine {
    pub(super) fn read(fields: &mut Fields) -> Result<Self, Rejection> {
        Ok(Self { margin_calls: margin_calls(fields.take("margin_calls"))? })
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
            None => Ok(()),
        }
    }

    /// The controls, on their grids.
    pub(super) fn place(&self) -> Result<Controls, Rejection> {
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
        Ok(Controls { margin_calls })
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
