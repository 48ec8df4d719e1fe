//! Margin rates in floats: what estimates and bounds of scores take a notional to require.
//!
//! Floats err by less than [`ERROR`] of an amount, and each term of a margin is rounded by itself; so there is a *most* and a
//! *least*, and the exact margin lies between them.

use crate::market::{Instrument, Market};
use crate::number::PPB;
use crate::tiers::TierTable;

/// More than all roundings of a few float operations together, each of 2^-53.
pub(super) const ERROR: f64 = 1.0 / (1u64 << 46) as f64;

/// By how much a margin can run against its notional, in quanta: its terms are rounded by themselves ([`rounded_terms`]).
///
/// [`rounded_terms`]: super::margin::rounded_terms
const ROUNDING: f64 = 3.0;

/// Near it a margin ends that rises with the size, in quanta: nothing is known of it there.
const HIGHEST: f64 = (1u128 << 98) as f64;

/// A row of a tier table: up to `cap` a notional `N` requires `N · rate − deduction`, closing fee included.
#[derive(Clone, Copy, Debug)]
struct Row {
    cap: f64,
    rate: f64,
    deduction: f64,
}

/// The rates of an instrument.
#[derive(Clone, Debug)]
pub(super) struct InstrumentRates {
    /// Most positions are in the first row.
    first: Row,
    others: Box<[Row]>,
    /// By how much the rate rises with each quantum of notional: where the size is the notional.
    slope: f64,
    /// How often the rules had been changed.
    changes: u32,
    /// Whether the value is a quotient by the price.
    pub(super) inverse: bool,
    /// Whether its rules are being changed: accounts are under different ones.
    pub(super) in_change: bool,
}

impl InstrumentRates {
    fn of(instrument: &Instrument) -> Self {
        let ppb = |ppb: u64| ppb as f64 / PPB as f64;
        let tiers = &instrument.spec.tiers;
        let fee = ppb(instrument.spec.close_fee_ppb());
        let row = |tier: usize| Row {
            cap: tiers.ceiling(tier).map_or(f64::INFINITY, |cap| cap as f64),
            rate: ppb(tiers.mmr_ppb(tier)) + fee,
            deduction: tiers.deduction(tier) as f64,
        };
        let inverse = instrument.spec.unit.is_inverse();
        Self {
            first: row(0),
            others: (1..tiers.tiers()).map(row).collect(),
            slope: if inverse { rate_of_size(tiers, 1.0) } else { 0.0 },
            changes: instrument.changes,
            inverse,
            in_change: instrument.before.is_some(),
        }
    }

    /// At a notional, with what the position's size adds to the rate.
    #[inline]
    fn required(&self, notional: f64, added: f64) -> f64 {
        let row = if notional <= self.first.cap { &self.first } else { self.further_row(notional) };
        notional * (row.rate + added + self.slope * notional) - row.deduction
    }

    fn further_row(&self, notional: f64) -> &Row {
        self.others.iter().find(|row| notional <= row.cap).unwrap_or(&self.first) // the cap of the last is infinite
    }

    /// No margin of a notional up to this one is higher.
    #[inline]
    pub(super) fn most(&self, notional: f64, added: f64) -> f64 {
        self.required(notional * (1.0 + ERROR) + 1.0, added) * (1.0 + ERROR) + ROUNDING
    }

    /// No margin of a notional from this one on is lower.
    #[inline]
    pub(super) fn least(&self, notional: f64, added: f64) -> f64 {
        let least = self.required((notional * (1.0 - ERROR) - 1.0).max(0.0), added) * (1.0 - ERROR) - ROUNDING;
        if least < HIGHEST { least } else { 0.0 }
    }
}

/// What so many steps of size add to a margin rate.
pub(super) fn rate_of_size(tiers: &TierTable, steps: f64) -> f64 {
    tiers.slope().map_or(0.0, |slope| {
        let step = slope.step.numerator as f64 / slope.step.denominator as f64;
        slope.slope_ppb as f64 / PPB as f64 * steps * step
    })
}

/// The rates of all instruments.
#[derive(Debug, Default)]
pub(super) struct Rates {
    by_instrument: Vec<InstrumentRates>,
}

impl Rates {
    /// Follows changes of rules.
    pub(super) fn follow(&mut self, market: &Market) {
        let known = self.by_instrument.len();
        for (rates, instrument) in self.by_instrument.iter_mut().zip(&market.instruments) {
            let in_change = instrument.before.is_some();
            if rates.changes != instrument.changes || rates.in_change != in_change {
                *rates = InstrumentRates::of(instrument);
            }
        }
        self.by_instrument.extend(market.instruments.iter().skip(known).map(InstrumentRates::of));
    }

    #[inline]
    pub(super) fn of(&self, instrument: u32) -> &InstrumentRates {
        &self.by_instrument[instrument as usize]
    }
}
