//! The fields by which an instrument says how its prices come about: `index`, `mark`, `funding`.

use super::Rejection;
use super::desk::steps;
use super::fields::{Fields, Json};
use crate::decimal::{Decimal, Grid};
use crate::prices::{Combine, IndexRules, MarkRule, MarkRules, Outlier, PriceRules, RateRules, Venue};
use crate::refusal::Refusal;

const MARK_RULES: &[(&str, MarkRule)] = &[
    ("external", MarkRule::External),
    ("median", MarkRule::Median),
    ("fair_basis", MarkRule::FairBasis),
    ("ema_basis", MarkRule::EmaBasis),
];
const OUTLIERS: &[(&str, Outlier)] = &[("clamp", Outlier::Clamp), ("drop", Outlier::Drop)];
const COMBINATIONS: &[(&str, Combine)] = &[("mean", Combine::Mean), ("median", Combine::Median)];

/// What a line says of them, its form right; none where it names no such field.
#[derive(Debug, Default)]
pub(super) struct PriceFields {
    index: Option<IndexRules>,
    mark: Option<MarkRules>,
    rates: Option<RateRules>,
    /// Accounts that one place of a settlement books.
    chunk: Option<u64>,
    /// A rate or weight that is finer than a part per billion.
    off_grid: Option<&'static str>,
}

impl PriceFields {
    /// The rules that a line leads to, over those that there are: each field that it names is given anew as a whole.
    pub(super) fn over(&self, present: &PriceRules) -> PriceRules {
        PriceRules {
            index: self.index.clone().unwrap_or_else(|| present.index.clone()),
            mark: self.mark.unwrap_or(present.mark),
            funding: self.rates.or(present.funding),
        }
    }

    /// The accounts that one place of a settlement books, if it is named.
    pub(super) fn chunk(&self) -> Result<Option<u32>, Rejection> {
        let Some(given) = self.chunk else { return Ok(None) };
        let chunk = u32::try_from(given).ok().filter(|&chunk| chunk > 0);
        let reason = || format!("chunk must be from 1 to {}, not {given}", u32::MAX);
        chunk.map(Some).ok_or_else(|| Rejection::bad_value(reason()))
    }

    /// The last of the checks of value: on the grid of parts per billion.
    pub(super) fn check_grid(&self) -> Result<(), Rejection> {
        self.off_grid.map_or(Ok(()), |what| Err(Refusal::OffGrid { what }.into()))
    }

    /// A decimal in parts per billion. One above 0 stays so, though it is finer.
    fn ppb(&mut self, what: &'static str, value: Decimal) -> i64 {
        let (ppb, off) = steps(Grid::ppb(), value);
        if off {
            self.off_grid = Some(what);
        }
        if off && ppb == 0 { 1 } else { ppb }
    }

    pub(super) fn read_index(&mut self, value: Json) -> Result<(), Rejection> {
        let mut fields = Fields::of(value, "index")?;
        fields.only(&["venues", "stale_after", "max_deviation", "outlier", "min_venues", "combine"])?;
        let venues = match fields.list_or_none("venues")? {
            Some(list) => list.into_iter().map(|venue| self.read_venue(venue)).collect::<Result<Vec<_>, _>>()?,
            None => IndexRules::default().venues,
        };
        let deviation = fields.decimal_or_none("max_deviation")?;
        self.index = Some(IndexRules {
            venues,
            stale_after_ns: fields.id_or_none("stale_after")?,
            max_deviation_ppb: deviation.map(|part| unsigned(self.ppb("max_deviation", part))),
            outlier: fields.word_or("outlier", OUTLIERS, Outlier::Clamp)?,
            min_venues: fields.id_or_none("min_venues")?.map_or(1, narrow),
            combine: fields.word_or("combine", COMBINATIONS, Combine::Mean)?,
        });
        Ok(())
    }

    fn read_venue(&mut self, value: Json) -> Result<Venue, Rejection> {
        let mut fields = Fields::of(value, "a venue of index")?;
        fields.only(&["venue", "weight"])?;
        let weight = fields.decimal_or("weight", Decimal::new(1, 0))?;
        Ok(Venue { name: fields.name("venue")?, weight_ppb: unsigned(self.ppb("a weight", weight)) })
    }

    pub(super) fn read_mark(&mut self, value: Json) -> Result<(), Rejection> {
        let mut fields = Fields::of(value, "mark")?;
        fields.only(&["rule", "samples", "sample_every", "ema", "band", "stale_after"])?;
        let defaults = MarkRules::new(fields.word("rule", MARK_RULES)?);
        let band = fields.decimal_or_none("band")?;
        self.mark = Some(MarkRules {
            samples: fields.id_or_none("samples")?.map_or(defaults.samples, narrow),
            sample_every_ns: fields.id_or_none("sample_every")?.unwrap_or(defaults.sample_every_ns),
            ema_ns: fields.id_or_none("ema")?.unwrap_or(defaults.ema_ns),
            band_ppb: band.map_or(defaults.band_ppb, |band| unsigned(self.ppb("band", band))),
            stale_after_ns: fields.id_or_none("stale_after")?,
            ..defaults
        });
        Ok(())
    }

    pub(super) fn read_funding(&mut self, value: Json) -> Result<(), Rejection> {
        let mut fields = Fields::of(value, "funding")?;
        fields.only(&["interval", "anchor", "interest", "clamp", "cap", "sample_every", "auto", "chunk"])?;
        self.chunk = fields.id_or_none("chunk")?;
        if fields.is_empty() {
            return Ok(()); // how a settlement is booked, and nothing of its rate
        }
        let mut rules = RateRules::default();
        for (name, field) in [
            ("interval", &mut rules.interval_ns),
            ("anchor", &mut rules.anchor_ns),
            ("sample_every", &mut rules.sample_every_ns),
        ] {
            *field = fields.id_or_none(name)?.unwrap_or(*field);
        }
        for (name, field) in
            [("interest", &mut rules.interest_ppb), ("clamp", &mut rules.clamp_ppb), ("cap", &mut rules.cap_ppb)]
        {
            if let Some(value) = fields.decimal_or_none(name)? {
                *field = self.ppb(name, value);
            }
        }
        rules.auto = fields.flag_or("auto", false)?;
        self.rates = Some(rules);
        Ok(())
    }
}

fn unsigned(ppb: i64) -> u64 {
    u64::try_from(ppb).unwrap_or(0) // what is not above zero is refused
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
