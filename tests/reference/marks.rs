//! Index, computed marks and premiums of an instrument (model section 4).
//! Prices are whole hundred-millionths here; each rounding is spelled out.

use super::command::InstrumentFields;
use super::funding_rate::{RateRules, funding_rate, premium};
use super::index::{IndexRules, Quote, index_of, median};
use super::input::{Refusal, refuse};
use super::number::{Int, Rat, floor_div, int, limit, one, pow10, rat, round_half_even, round_half_up, zero};
use super::price_fields::{FundingFields, IndexFields, MarkFields};
use super::state::{State, need, need_positive, on_grid};
use num_traits::Zero;
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    External,
    Median,
    FairBasis,
    EmaBasis,
}

#[derive(Clone)]
pub struct MarkRules {
    pub rule: Rule,
    /// How many samples the window has.
    pub samples: u64,
    pub sample_every: u64,
    /// In nanoseconds.
    pub ema: u64,
    /// A part of the index.
    pub band: Rat,
    /// None: an input never gets stale.
    pub stale_after: Option<u64>,
}

#[derive(Clone)]
pub struct FundingRules {
    pub interval: u64,
    pub anchor: u64,
    pub sample_every: u64,
    pub auto: bool,
    pub rate: RateRules,
}

/// What prices of an instrument are computed from.
#[derive(Clone)]
pub struct Pricing {
    pub index_rules: IndexRules,
    pub mark_rules: MarkRules,
    pub funding: Option<FundingRules>,
    pub quotes: Vec<Option<Quote>>,
    /// The last value, and whether it lives.
    pub index: Option<Int>,
    pub index_lives: bool,
    pub last_at: u64,
    pub bid_at: u64,
    pub ask_at: u64,
    pub impact_bid: Option<Int>,
    pub impact_ask: Option<Int>,
    /// `bid + ask`, as it was last found fresh.
    pub twice_mid: Option<Int>,
    pub sampled_through: u64,
    /// `2 · (mid − index)`, oldest first.
    pub window: Vec<Int>,
    /// Of `mid − index`, with 64 fractional bits.
    pub ema: Option<Int>,
    /// The sum of the premiums since the last settlement in ppb, and how many.
    pub premiums: (Int, Int),
    /// Of the last settlement.
    pub last_rate: Int,
}

/// Rules as they were given, or their defaults.
pub fn pricing_of(f: &InstrumentFields, now: u64) -> Result<Pricing, Refusal> {
    let index_rules = match &f.index {
        Some(index) => index_rules(index)?,
        None => IndexRules {
            venues: vec![("index".to_string(), int(1))],
            stale_after: None,
            max_deviation: None,
            drop_outliers: false,
            min_venues: 1,
            by_median: false,
        },
    };
    let quotes = vec![None; index_rules.venues.len()];
    Ok(Pricing {
        index_rules,
        mark_rules: mark_rules(f.mark.as_ref())?,
        funding: f.funding.as_ref().filter(|funding| funding.interval.is_some()).map(funding_rules).transpose()?,
        quotes,
        index: None,
        index_lives: false,
        last_at: 0,
        bid_at: 0,
        ask_at: 0,
        impact_bid: None,
        impact_ask: None,
        twice_mid: None,
        sampled_through: now,
        window: Vec::new(),
        ema: None,
        premiums: (zero(), zero()),
        last_rate: zero(),
    })
}

fn index_rules(f: &IndexFields) -> Result<IndexRules, Refusal> {
    let named = |name: &str| f.venues.iter().filter(|(venue, _)| venue == name).count();
    need(!f.venues.is_empty(), "bad_value", "the index has no venues")?;
    need(f.venues.iter().all(|(venue, _)| named(venue) == 1), "bad_value", "a venue comes twice")?;
    let mut venues = Vec::new();
    for (venue, weight) in &f.venues {
        need_positive("weight", weight)?;
        venues.push((venue.clone(), on_grid(weight, &Rat::new(int(1), pow10(9)), "billionth")?));
    }
    let fits = f.min_venues >= 1 && f.min_venues <= venues.len() as u64;
    need(fits, "bad_value", "min_venues is not from 1 to the number of venues")?;
    Ok(IndexRules {
        venues,
        stale_after: f.stale_after,
        max_deviation: f.max_deviation.clone(),
        drop_outliers: f.outlier == "drop",
        min_venues: f.min_venues,
        by_median: f.combine == "median",
    })
}

fn mark_rules(f: Option<&MarkFields>) -> Result<MarkRules, Refusal> {
    let second = 1_000_000_000;
    let rule = match f.map_or("external", |f| &f.rule) {
        "median" => Rule::Median,
        "fair_basis" => Rule::FairBasis,
        "ema_basis" => Rule::EmaBasis,
        _ => Rule::External,
    };
    Ok(MarkRules {
        rule,
        samples: f.and_then(|f| f.samples).unwrap_or(30),
        sample_every: f.and_then(|f| f.sample_every).unwrap_or(5 * second),
        ema: f.and_then(|f| f.ema).unwrap_or(30 * second),
        band: f.and_then(|f| f.band.clone()).unwrap_or(Rat::new(int(5), int(1000))),
        stale_after: f.and_then(|f| f.stale_after),
    })
}

fn funding_rules(f: &FundingFields) -> Result<FundingRules, Refusal> {
    let rate = |rate: &Option<Rat>, default: Int| match rate {
        Some(rate) => on_grid(rate, &Rat::new(int(1), pow10(9)), "billionth"),
        None => Ok(default),
    };
    Ok(FundingRules {
        interval: f.interval.unwrap_or(8 * 3600 * 1_000_000_000),
        anchor: f.anchor.unwrap_or(0),
        sample_every: f.sample_every.unwrap_or(5_000_000_000),
        auto: f.auto,
        rate: RateRules {
            interest: rate(&f.interest, zero())?,
            clamp: rate(&f.clamp, int(500_000))?,
            cap: f.cap.as_ref().map(|cap| rate(&Some(cap.clone()), zero())).transpose()?,
        },
    })
}

/// How many multiples of `every` lie in `(before, now]`.
fn multiples(every: u64, before: u64, now: u64) -> u64 {
    now / every - before / every
}

fn clamp(x: Rat, bound: &Rat) -> Rat {
    x.max(-bound.clone()).min(bound.clone())
}

impl Pricing {
    /// The samples that time has passed, with the values that stood.
    pub fn sample(&mut self, now: u64) {
        let before = std::mem::replace(&mut self.sampled_through, now);
        if !self.index_lives {
            return;
        }
        let index = self.index.clone().expect("it lives");
        self.sample_basis(&index, multiples(self.mark_rules.sample_every, before, now));
        if let Some(funding) = &self.funding {
            let count = multiples(funding.sample_every, before, now);
            self.sample_premium(&index, count);
        }
    }

    fn sample_basis(&mut self, index: &Int, count: u64) {
        let Some(twice_mid) = &self.twice_mid else {
            return;
        };
        let bound = index * int(2);
        let basis = (twice_mid - index * int(2)).max(-&bound).min(bound);
        for _ in 0..count.min(self.mark_rules.samples) {
            self.window.push(basis.clone());
        }
        let surplus = self.window.len().saturating_sub(self.mark_rules.samples as usize);
        self.window.drain(..surplus);
        self.sample_ema(&basis, count);
    }

    /// `e += floor((x − e) · 2 / (N + 1))`, `N = floor(ema / sample_every)`; the first is x.
    fn sample_ema(&mut self, twice_basis: &Int, count: u64) {
        let x: Int = twice_basis << 63;
        let n = self.mark_rules.ema / self.mark_rules.sample_every;
        for _ in 0..count {
            let next = match &self.ema {
                None => x.clone(),
                Some(e) => e + floor_div(&((&x - e) * int(2)), &(Int::from(n) + 1)),
            };
            if self.ema.as_ref() == Some(&next) {
                return; // nor will it change any more
            }
            self.ema = Some(next);
        }
    }

    /// In whole ppb, half-even, between −1 and 1.
    fn sample_premium(&mut self, index: &Int, count: u64) {
        let (Some(bid), Some(ask)) = (&self.impact_bid, &self.impact_ask) else {
            return;
        };
        let exact = premium(&rat(index), &rat(bid), &rat(ask));
        let premium = round_half_even(&(clamp(exact, &one()) * rat(&pow10(9))));
        self.premiums.0 += premium * Int::from(count);
        self.premiums.1 += Int::from(count);
    }

    /// The rate that a settlement would have now; none without a sample.
    pub fn rate(&self) -> Option<Int> {
        let rules = self.funding.as_ref()?;
        let (sum, count) = &self.premiums;
        if count.is_zero() {
            return None;
        }
        let average = round_half_even(&Rat::new(sum.clone(), count.clone()));
        Some(funding_rate(&rules.rate, &Rat::new(average, pow10(9))))
    }

    /// The index anew. True: it was live, and is frozen now.
    pub fn compute_index(&mut self, now: u64) -> bool {
        let lived = self.index_lives;
        match index_of(&self.index_rules, &self.quotes, now) {
            Some(index) => {
                self.index = Some(round_half_even(&index));
                self.index_lives = true;
            }
            None => self.index_lives = false,
        }
        lived && !self.index_lives
    }

    /// `index · (1 + last_rate · time_to_funding / interval)`, the second term at most the index.
    fn fair(&self, index: &Rat, now: u64) -> Rat {
        let Some(funding) = &self.funding else {
            return index.clone();
        };
        let [now, anchor, interval] = [now, funding.anchor, funding.interval].map(Int::from);
        let into = ((now - anchor) % &interval + &interval) % &interval; // since the last settlement time
        let left = &interval - into;
        let part = Rat::new(&self.last_rate * left, interval * pow10(9));
        index + clamp(index * part, index)
    }

    /// `index + mean over the window of (mid − index)`
    fn with_mean_basis(&self, index: &Rat) -> Option<Rat> {
        if self.window.is_empty() || self.twice_mid.is_none() {
            return None;
        }
        let mut sum = zero();
        for basis in &self.window {
            sum += basis;
        }
        let mean = Rat::new(sum, Int::from(self.window.len()) * 2);
        Some(index + clamp(mean, index))
    }

    fn with_ema_basis(&self, index: &Rat) -> Rat {
        let Some(ema) = &self.ema else {
            return index.clone();
        };
        let band = self.mark_rules.band.clone().min(one()) * index;
        index + clamp(Rat::new(ema.clone(), int(1) << 64), &band)
    }

    /// The mark in hundred-millionths, exact, and the inputs it was computed from.
    pub fn mark(&self, last: Option<&Int>, now: u64) -> Rat {
        let index = rat(self.index.as_ref().expect("it lives"));
        match self.mark_rules.rule {
            Rule::External => unreachable!("it is given"),
            Rule::FairBasis => self.fair(&index, now),
            Rule::EmaBasis => self.with_ema_basis(&index),
            Rule::Median => {
                let fair = self.fair(&index, now);
                let with_basis = self.with_mean_basis(&index);
                match (with_basis, last.map(rat)) {
                    (Some(p2), Some(last)) => median(vec![fair, p2, last]),
                    (Some(p2), None) => median(vec![fair, p2]),
                    (None, _) => fair, // a last price alone never liquidates anyone
                }
            }
        }
    }

    fn fresh(&self, at: u64, now: u64) -> bool {
        self.mark_rules.stale_after.is_none_or(|limit| now - at <= limit)
    }
}

impl State {
    pub fn do_index(&mut self, symbol: &str, venue: &str, price: &Rat) -> Result<(), Refusal> {
        let i = self.instrument_id(symbol)?;
        let venues = &self.instruments[i].pricing.index_rules.venues;
        let Some(v) = venues.iter().position(|(name, _)| name == venue) else {
            return refuse("bad_value", format!("{venue} is no venue of {symbol}'s index"));
        };
        need_positive("price", price)?;
        let whole = on_grid(price, &Rat::new(int(1), pow10(8)), "hundred-millionth")?;
        need(whole < limit() >> 2, "overflow", "the price is too large")?;
        let quote = Quote { price: rat(&whole), at: self.now };
        self.price_input(i, |state| state.instruments[i].pricing.quotes[v] = Some(quote));
        Ok(())
    }

    /// Samples first, then the input, then index and mark anew.
    pub fn price_input(&mut self, i: usize, input: impl FnOnce(&mut State)) {
        let now = self.now;
        self.instruments[i].pricing.sample(now);
        input(self);
        self.compute_prices(i);
    }

    /// What liquidation met of the depth is an input of its instruments. True: a mark moved, or lives or no more.
    pub fn marks_follow_fills(&mut self) -> bool {
        let mut moved = false;
        for i in std::mem::take(&mut self.moved_by_fills) {
            let seen = |state: &State| (state.instruments[i].mark.clone(), state.lives(i));
            let before = seen(self);
            self.price_input(i, |_| ());
            moved |= before != seen(self);
        }
        moved
    }

    /// `time` is an input of all instruments.
    pub fn do_time(&mut self) {
        for i in 0..self.instruments.len() {
            self.price_input(i, |_| ());
        }
    }

    /// `ticks` in hundred-millionths.
    fn hundred_millionths(&self, i: usize, ticks: &Int) -> Int {
        let exact = &self.instruments[i].tick * ticks * rat(&pow10(8));
        assert!(exact.is_integer());
        exact.to_integer()
    }

    pub fn has_computed_mark(&self, i: usize) -> bool {
        self.instruments[i].pricing.mark_rules.rule != Rule::External
    }

    fn compute_prices(&mut self, i: usize) {
        let now = self.now;
        if self.instruments[i].pricing.compute_index(now) {
            let fields = json!({"symbol": self.instruments[i].symbol});
            self.emit("index_frozen", fields);
        }
        self.find_mid(i);
        if !self.has_computed_mark(i) {
            return;
        }
        if !self.instruments[i].pricing.index_lives {
            self.freeze(i, "index");
            return;
        }
        self.thaw(i, "index");
        let instrument = &self.instruments[i];
        let fresh = instrument.pricing.fresh(instrument.pricing.last_at, now);
        let last = instrument.last.as_ref().filter(|_| fresh).map(|last| self.hundred_millionths(i, last));
        let exact = instrument.pricing.mark(last.as_ref(), now);
        let ticks = round_half_up(&(exact / (&instrument.tick * rat(&pow10(8))))).max(int(1));
        self.take_computed_mark(i, ticks);
    }

    pub fn set_impact(&mut self, i: usize, bid: Option<Int>, ask: Option<Int>) {
        if !self.needs_prices(i) {
            return;
        }
        if let Some(bid) = bid {
            self.instruments[i].pricing.impact_bid = Some(self.hundred_millionths(i, &bid));
        }
        if let Some(ask) = ask {
            self.instruments[i].pricing.impact_ask = Some(self.hundred_millionths(i, &ask));
        }
    }

    fn needs_prices(&self, i: usize) -> bool {
        self.has_computed_mark(i) || self.instruments[i].pricing.funding.is_some()
    }

    fn find_mid(&mut self, i: usize) {
        if !self.needs_prices(i) {
            return;
        }
        let instrument = &self.instruments[i];
        let (now, pricing) = (self.now, &instrument.pricing);
        let fresh = pricing.fresh(pricing.bid_at, now) && pricing.fresh(pricing.ask_at, now);
        let twice_mid = match (&instrument.bid, &instrument.ask) {
            (Some(bid), Some(ask)) if fresh => Some(self.hundred_millionths(i, bid) + self.hundred_millionths(i, ask)),
            _ => None,
        };
        self.instruments[i].pricing.twice_mid = twice_mid;
    }

    fn take_computed_mark(&mut self, i: usize, ticks: Int) {
        let instrument = &self.instruments[i];
        let newest = instrument.kept_mark.as_ref().or(instrument.mark.as_ref());
        if newest == Some(&ticks) {
            return;
        }
        let price = self.show_price(i, &ticks);
        let fields = json!({"symbol": self.instruments[i].symbol, "price": price, "rule": self.rule_word(i), "inputs": Value::Null});
        self.emit("mark", fields);
        self.set_mark(i, ticks);
    }

    fn rule_word(&self, i: usize) -> &'static str {
        match self.instruments[i].pricing.mark_rules.rule {
            Rule::External => "external",
            Rule::Median => "median",
            Rule::FairBasis => "fair_basis",
            Rule::EmaBasis => "ema_basis",
        }
    }
}
