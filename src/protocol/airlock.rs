//! The field `airlock` of an instrument: which marks are held back.

use super::Rejection;
use super::desk::steps;
use super::fields::{Fields, Json};
use crate::controls::AirlockRule;
use crate::decimal::{Decimal, Grid};
use crate::number::LIMIT;
use crate::refusal::Refusal;

/// What a line says of it, before it is placed on a grid.
#[derive(Clone, Copy)]
pub(super) struct AirlockLine {
    max_jump: Option<Decimal>,
    max_liquidation: Option<Decimal>,
    preview_jump: Option<Decimal>,
    timeout_ns: Option<u64>,
}

impl AirlockLine {
    pub(super) fn read(value: Json) -> Result<Self, Rejection> {
        let mut fields = Fields::of(value, "airlock")?;
        fields.only(&["max_jump", "max_liquidation", "preview_jump", "timeout"])?;
        Ok(Self {
            max_jump: fields.decimal_or_none("max_jump")?,
            max_liquidation: fields.decimal_or_none("max_liquidation")?,
            preview_jump: fields.decimal_or_none("preview_jump")?,
            timeout_ns: fields.id_or_none("timeout")?,
        })
    }

    /// The checks of value.
    pub(super) fn check(&self) -> Result<(), Rejection> {
        let Self { max_jump, max_liquidation, preview_jump, timeout_ns } = *self;
        let bad = |reason: String| Err(Rejection::bad_value(format!("airlock: {reason}")));
        let named = [("max_jump", max_jump), ("max_liquidation", max_liquidation), ("preview_jump", preview_jump)];
        for (name, value) in named {
            if let Some(value) = value.filter(|value| value.is_nonpositive()) {
                return bad(format!("{name} must be above zero, not {value}"));
            }
        }
        match (preview_jump, max_liquidation) {
            (Some(_), None) => return bad("preview_jump needs max_liquidation".to_owned()),
            (None, Some(_)) => return bad("max_liquidation needs preview_jump".to_owned()),
            (None, None) if max_jump.is_none() => {
                return bad("it needs max_jump, or preview_jump and max_liquidation, or all of them".to_owned());
            }
            _ => {}
        }
        match (preview_jump, max_jump) {
            (Some(preview), Some(jump)) if preview >= jump => {
                bad(format!("preview_jump must be below max_jump, and {preview} is not below {jump}"))
            }
            _ if timeout_ns == Some(0) => bad("timeout must be above zero, not 0".to_owned()),
            _ => Ok(()),
        }
    }

    /// The rule, with `quanta` the grid of the settlement asset.
    pub(super) fn place(&self, quanta: Grid) -> Result<AirlockRule, Rejection> {
        let on = |grid: Grid, what: &'static str, value: Option<Decimal>| match value.map(|value| steps(grid, value)) {
            None => Ok(None),
            Some((_, true)) => Err(Rejection::from(Refusal::OffGrid { what })),
            Some((steps, false)) if i128::from(steps) < LIMIT => Ok(Some(steps)),
            Some(_) => Err(Refusal::Overflow { what }.into()),
        };
        let max_jump = on(Grid::ppb(), "max_jump", self.max_jump)?;
        let preview_jump = on(Grid::ppb(), "preview_jump", self.preview_jump)?;
        let max_liquidation = on(quanta, "max_liquidation", self.max_liquidation)?;
        let ppb = |rate: Option<i64>| rate.map(|rate| rate as u64); // above zero
        let (max_jump_ppb, preview_jump_ppb) = (ppb(max_jump), ppb(preview_jump));
        Ok(AirlockRule { max_jump_ppb, preview_jump_ppb, max_liquidation, timeout_ns: self.timeout_ns })
    }
}
