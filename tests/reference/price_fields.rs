//! The fields by which an instrument says how its prices come about: `index`,
//! `mark`, `funding`. Only form is checked here.

use super::input::{Fields, Json, Refusal, malformed};
use super::number::{Rat, int, rat};

#[derive(Clone)]
pub struct IndexFields {
    pub venues: Vec<(String, Rat)>,
    pub stale_after: Option<u64>,
    pub max_deviation: Option<Rat>,
    pub outlier: String,
    pub min_venues: u64,
    pub combine: String,
}

#[derive(Clone)]
pub struct MarkFields {
    pub rule: String,
    pub samples: Option<u64>,
    pub sample_every: Option<u64>,
    pub ema: Option<u64>,
    pub band: Option<Rat>,
    pub stale_after: Option<u64>,
}

#[derive(Clone, Default)]
pub struct FundingFields {
    pub interval: Option<u64>,
    pub anchor: Option<u64>,
    pub interest: Option<Rat>,
    pub clamp: Option<Rat>,
    pub cap: Option<Rat>,
    pub sample_every: Option<u64>,
    pub auto: bool,
    pub names_auto: bool,
    pub chunk: Option<u64>,
}

impl FundingFields {
    /// The size of chunks alone makes no rules for a rate.
    pub fn has_rules(&self) -> bool {
        let times = [self.interval, self.anchor, self.sample_every];
        let rates = [&self.interest, &self.clamp, &self.cap];
        times.iter().any(Option::is_some) || rates.iter().any(|rate| rate.is_some()) || self.names_auto
    }
}

/// The object `key`, with no other fields than those known.
fn object(f: &Fields, key: &str, known: &[&str]) -> Result<Option<Fields>, Refusal> {
    match f.get(key) {
        None => Ok(None),
        Some(Json::Object(entries)) => match entries.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => malformed(format!("{key} does not take {name:?}")),
            None => Ok(Some(Fields { entries: entries.clone() })),
        },
        Some(_) => malformed(format!("{key} is not an object")),
    }
}

pub fn parse_index(f: &Fields) -> Result<Option<IndexFields>, Refusal> {
    let known = ["venues", "stale_after", "max_deviation", "outlier", "min_venues", "combine"];
    let Some(index) = object(f, "index", &known)? else {
        return Ok(None);
    };
    let mut venues = Vec::new();
    if !index.has("venues") {
        venues.push(("index".to_string(), rat(&int(1))));
    }
    for item in index.maybe("venues", |index, key| index.list(key).cloned())?.unwrap_or_default() {
        let Json::Object(entries) = item else {
            return malformed("a venue of index is not an object");
        };
        let venue = Fields { entries };
        if venue.entries.iter().any(|(name, _)| name != "venue" && name != "weight") {
            return malformed("a venue of index takes only venue and weight");
        }
        venues.push((venue.name("venue")?, venue.decimal_or("weight", 1)?));
    }
    Ok(Some(IndexFields {
        venues,
        stale_after: index.maybe("stale_after", Fields::id)?,
        max_deviation: index.maybe("max_deviation", Fields::decimal)?,
        outlier: index.word_or("outlier", &["clamp", "drop"], "clamp")?,
        min_venues: index.maybe("min_venues", Fields::id)?.unwrap_or(1),
        combine: index.word_or("combine", &["mean", "median"], "mean")?,
    }))
}

pub fn parse_mark(f: &Fields) -> Result<Option<MarkFields>, Refusal> {
    let known = ["rule", "samples", "sample_every", "ema", "band", "stale_after"];
    let Some(mark) = object(f, "mark", &known)? else {
        return Ok(None);
    };
    Ok(Some(MarkFields {
        rule: mark.word("rule", &["external", "median", "fair_basis", "ema_basis"])?,
        samples: mark.maybe("samples", Fields::id)?,
        sample_every: mark.maybe("sample_every", Fields::id)?,
        ema: mark.maybe("ema", Fields::id)?,
        band: mark.maybe("band", Fields::decimal)?,
        stale_after: mark.maybe("stale_after", Fields::id)?,
    }))
}

pub fn parse_funding(f: &Fields) -> Result<Option<FundingFields>, Refusal> {
    let known = ["interval", "anchor", "interest", "clamp", "cap", "sample_every", "auto", "chunk"];
    let Some(funding) = object(f, "funding", &known)? else {
        return Ok(None);
    };
    Ok(Some(FundingFields {
        interval: funding.maybe("interval", Fields::id)?,
        anchor: funding.maybe("anchor", Fields::id)?,
        interest: funding.maybe("interest", Fields::decimal)?,
        clamp: funding.maybe("clamp", Fields::decimal)?,
        cap: funding.maybe("cap", Fields::decimal)?,
        sample_every: funding.maybe("sample_every", Fields::id)?,
        auto: funding.flag_or("auto", false)?,
        names_auto: funding.has("auto"),
        chunk: funding.maybe("chunk", Fields::id)?,
    }))
}
