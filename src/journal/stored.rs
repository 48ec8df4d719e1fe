//! Types with invariants, as they are stored: what is read goes through their own constructors again.

use crate::decimal::{Decimal, Grid};
use crate::slope::Slope;
use crate::tiers::{TierError, TierRow, TierRule, TierTable};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

/// The step of a [`Grid`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoredGrid {
    mantissa: i128,
    scale: u32,
}

impl From<Grid> for StoredGrid {
    fn from(grid: Grid) -> Self {
        Self { mantissa: grid.step().mantissa(), scale: grid.step().scale() }
    }
}

impl TryFrom<StoredGrid> for Grid {
    type Error = &'static str;

    fn try_from(stored: StoredGrid) -> Result<Self, Self::Error> {
        let StoredGrid { mantissa, scale } = stored;
        // The scale first: removing the zeros of a fraction takes as long as there are.
        let step = (scale <= Self::MAX_STEP_DIGITS.1).then(|| Decimal::new(mantissa, scale));
        let step = step.filter(|step| step.scale() == scale);
        step.and_then(Self::new).ok_or("not the step of a grid")
    }
}

/// The rule and rows of a [`TierTable`]; the deductions follow from them.
#[derive(Debug, Deserialize)]
pub(crate) struct StoredTiers {
    rule: TierRule,
    rows: Vec<StoredRow>,
    slope: Option<Slope>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredRow {
    cap: u64,
    mmr_ppb: u64,
    max_leverage: u32,
}

impl From<TierRow> for StoredRow {
    fn from(row: TierRow) -> Self {
        let cap = row.cap as u64; // checked to be positive and below 2^62
        Self { cap, mmr_ppb: row.mmr_ppb, max_leverage: row.max_leverage }
    }
}

/// As `StoredTiers`, without copying the rows.
impl Serialize for TierTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("StoredTiers", 3)?;
        fields.serialize_field("rule", &self.rule())?;
        fields.serialize_field("rows", &RowsOf(self))?;
        fields.serialize_field("slope", &self.slope())?;
        fields.end()
    }
}

struct RowsOf<'a>(&'a TierTable);

impl Serialize for RowsOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Under `linear` there are none but the one that stands for all.
        let count = if self.0.slope().is_some() { 0 } else { self.0.tiers() };
        serializer.collect_seq(self.0.rows().take(count).map(StoredRow::from))
    }
}

impl TryFrom<StoredTiers> for TierTable {
    type Error = TierError;

    fn try_from(stored: StoredTiers) -> Result<Self, TierError> {
        if let Some(slope) = stored.slope {
            let alone = stored.rows.is_empty() && stored.rule == TierRule::Linear;
            return if alone { Self::linear(slope) } else { Err(TierError::RowsOrSlope) };
        }
        let row = |row: &StoredRow| TierRow {
            cap: i128::from(row.cap),
            mmr_ppb: row.mmr_ppb,
            max_leverage: row.max_leverage,
            deduction: None,
        };
        Self::new(stored.rule, &stored.rows.iter().map(row).collect::<Vec<_>>())
    }
}
