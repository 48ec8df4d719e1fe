//! Index, computed marks and premiums of an instrument (model section 4).
//! Prices are whole hundred-millionths here; each rounding is spelled out.

use super::airlock::Source;
use super::command::InstrumentFields;
use super::funding_rate::{RateRules, funding_rate, premium};
use super::index::{IndexRules, Quote, index_of, median};
use super::input::{Refusal, refuse};
use super::number::{
    Int, Rat, floor_div, int, limit, one, pow10, rat, round_half_even, round_half_up, show_rounded, show_scaled, zero,
};
use super::price_fields::{FundingFields, IndexFields, MarkFields};
use super::state::{State, need, need_positive, on_grid};
use num_traits::{Signed, Zero};
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    External,
    Median,
    FairBasis,
    EmaBasis,
}

#[derive(Clone, PartialEq)]
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

#[derive(Clone, PartialEq)]
pub struct FundingRules {
    pub interval: u64,
    pub anchor: u64,
    pub sample_every: u64,
    pub auto: bool,
    pub rate: RateRules,
}

impl FundingRules {
    /// Until the next `anchor + n · interval` after now.
    fn time_to_funding(&self, now: u64) -> Int {
        let [now, anchor, interval] = [now, self.anchor, self.interval].map(Int::from);
        let since = ((now - anchor) % &interval + &interval) % &interval;
        interval - since
    }

    /// Whether any `anchor + n · interval` lies in `[first, now]`.
    fn falls_in(&self, first: u64, now: u64) -> bool {
        let [first, now, anchor, interval] = [first, now, self.anchor, self.interval].map(Int::from);
        floor_div(&(now - &anchor), &interval) > floor_div(&(first - 1 - &anchor), &interval)
    }
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
    /// When a mark was given.
    pub mark_at: Option<u64>,
    pub last_at: u64,
    /// When anything of the book was said.
    pub book_at: u64,
    /// A tick, in hundred-millionths.
    pub tick: Rat,
    /// In ticks.
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
    /// When the first of them was sampled.
    pub first_premium: Option<u64>,
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
        funding: f.funding.as_ref().filter(|funding| funding.has_rules()).map(funding_rules).transpose()?,
        quotes,
        index: None,
        index_lives: false,
        mark_at: None,
        last_at: 0,
        book_at: 0,
        tick: &f.tick * rat(&pow10(8)),
        impact_bid: None,
        impact_ask: None,
        twice_mid: None,
        sampled_through: now,
        window: Vec::new(),
        ema: None,
        premiums: (zero(), zero()),
        first_premium: None,
        last_rate: zero(),
    })
}

fn within(what: &str, x: &Rat, low: &Rat, high: &Rat) -> Result<(), Refusal> {
    need(x > low && x <= high, "bad_value", format!("{what} is out of range"))
}

fn index_rules(f: &IndexFields) -> Result<IndexRules, Refusal> {
    let named = |name: &str| f.venues.iter().filter(|(venue, _)| venue == name).count();
    need((1..=64).contains(&f.venues.len()), "bad_value", "not from 1 to 64 venues")?;
    need(f.venues.iter().all(|(venue, _)| named(venue) == 1), "bad_value", "a venue comes twice")?;
    for (_, weight) in &f.venues {
        need_positive("weight", weight)?;
    }
    need(f.stale_after != Some(0), "bad_value", "stale_after is 0")?;
    let fits = f.min_venues >= 1 && f.min_venues <= f.venues.len() as u64;
    need(fits, "bad_value", "min_venues is not from 1 to the number of venues")?;
    if let Some(deviation) = &f.max_deviation {
        need(deviation.is_positive() && *deviation < one(), "bad_value", "max_deviation is not between 0 and 1")?;
    }
    Ok(IndexRules {
        venues: f
            .venues
            .iter()
            .map(|(venue, weight)| (venue.clone(), (weight * rat(&pow10(9))).to_integer()))
            .collect(),
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
    let every = if rule == Rule::EmaBasis { second } else { 5 * second };
    let rules = MarkRules {
        rule,
        samples: f.and_then(|f| f.samples).unwrap_or(30),
        sample_every: f.and_then(|f| f.sample_every).unwrap_or(every),
        ema: f.and_then(|f| f.ema).unwrap_or(30 * second),
        band: f.and_then(|f| f.band.clone()).unwrap_or(Rat::new(int(1), int(2))),
        stale_after: f.and_then(|f| f.stale_after),
    };
    need((1..=4096).contains(&rules.samples), "bad_value", "samples is not from 1 to 4096")?;
    need(rules.stale_after != Some(0), "bad_value", "stale_after is 0")?;
    need(rules.sample_every > 0, "bad_value", "sample_every is 0")?;
    let longest = u128::from(rules.sample_every) * 10_000;
    need(rule != Rule::EmaBasis || u128::from(rules.ema) <= longest, "bad_value", "ema is out of range")?;
    within("band", &rules.band, &rat(&zero()), &Rat::new(int(1), int(2)))?;
    Ok(rules)
}

fn funding_rules(f: &FundingFields) -> Result<FundingRules, Refusal> {
    let ppb = |rate: &Option<Rat>, default: i64| match rate {
        Some(rate) => (rate * rat(&pow10(9))).to_integer(),
        None => int(default),
    };
    let rules = FundingRules {
        interval: f.interval.unwrap_or(8 * 3600 * 1_000_000_000),
        anchor: f.anchor.unwrap_or(0),
        sample_every: f.sample_every.unwrap_or(5_000_000_000),
        auto: f.auto,
        rate: RateRules {
            interest: ppb(&f.interest, 0),
            clamp: ppb(&f.clamp, 500_000),
            cap: Some(ppb(&f.cap, 1_000_000_000)),
        },
    };
    need(rules.interval > 0 && rules.interval < 1 << 56, "bad_value", "interval is out of range")?;
    need(rules.sample_every > 0, "bad_value", "sample_every is 0")?;
    Ok(rules)
}

/// Whether the instrument has any rules of prices that `get` tells of.
pub fn says_prices(f: &InstrumentFields) -> bool {
    let plain = |mark: &MarkFields| {
        let numbers = [mark.samples, mark.sample_every, mark.ema, mark.stale_after];
        mark.rule == "external" && numbers.iter().all(Option::is_none) && mark.band.is_none()
    };
    f.index.is_some() || f.mark.as_ref().is_some_and(|mark| !plain(mark)) || has_rate_rules(f)
}

fn has_rate_rules(f: &InstrumentFields) -> bool {
    f.funding.as_ref().is_some_and(FundingFields::has_rules)
}

/// What is compared with an index must be whole hundred-millionths.
pub fn need_tick_of_prices(f: &InstrumentFields) -> Result<(), Refusal> {
    let compared = f.mark.as_ref().is_some_and(|mark| mark.rule != "external") || has_rate_rules(f);
    let whole = &f.tick * rat(&pow10(8));
    let fits = whole.is_integer() && whole < rat(&(limit() >> 2));
    need(!compared || fits, "bad_value", "the tick is too fine or too large to be compared with an index")
}

/// Weights and rates that are finer than ppb, after the tier table.
pub fn need_price_grid(f: &InstrumentFields) -> Result<(), Refusal> {
    let step = Rat::new(int(1), pow10(9));
    let venues = f.index.iter().flat_map(|index| index.venues.iter().map(|(_, weight)| weight));
    let deviation = f.index.iter().filter_map(|index| index.max_deviation.as_ref());
    let band = f.mark.iter().filter_map(|mark| mark.band.as_ref());
    let funding = f.funding.iter().flat_map(|f| [&f.interest, &f.clamp, &f.cap].into_iter().flatten());
    for x in venues.chain(deviation).chain(band).chain(funding) {
        on_grid(x, &step, "billionth")?;
    }
    Ok(())
}

/// How many multiples of `every` lie in `(before, now]`.
fn multiples(every: u64, before: u64, now: u64) -> u64 {
    now / every - before / every
}

fn half(x: &Rat) -> Rat {
    x / rat(&int(2))
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
            let every = funding.sample_every;
            self.sample_premium(&index, multiples(every, before, now));
            if self.premiums.1.is_positive() && self.first_premium.is_none() {
                self.first_premium = Some((before / every + 1) * every);
            }
        }
    }

    fn sample_basis(&mut self, index: &Int, count: u64) {
        let Some(twice_mid) = &self.twice_mid else {
            return;
        };
        let basis = (twice_mid - index * int(2)).max(-index).min(index.clone()); // half of the index, twice
        for _ in 0..count.min(self.mark_rules.samples) {
            self.window.push(basis.clone());
        }
        let surplus = self.window.len().saturating_sub(self.mark_rules.samples as usize);
        self.window.drain(..surplus);
        if self.mark_rules.rule == Rule::EmaBasis {
            self.sample_ema(&basis, count); // of no other rule is the number of samples bounded
        }
    }

    /// `e += floor((x − e) · 2 / (N + 1))`, `N = max(1, floor(ema / sample_every))`; the first is x.
    fn sample_ema(&mut self, twice_basis: &Int, count: u64) {
        let x: Int = twice_basis << 63;
        let n = (self.mark_rules.ema / self.mark_rules.sample_every).max(1);
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
        let exact = premium(&rat(index), &(rat(bid) * &self.tick), &(rat(ask) * &self.tick));
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

    /// With the samples up to then.
    pub fn rate_at(&self, now: u64) -> Option<Int> {
        let mut pricing = self.clone();
        pricing.sample(now);
        pricing.rate()
    }

    /// Whether a funding has fallen due by itself since the first premium was sampled.
    fn funding_is_due(&self, now: u64) -> bool {
        let mut pricing = self.clone();
        pricing.sample(now);
        let funding = self.funding.as_ref().filter(|funding| funding.auto);
        funding.zip(pricing.first_premium).is_some_and(|(funding, first)| funding.falls_in(first, now))
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
        let left = funding.time_to_funding(now);
        let part = Rat::new(&self.last_rate * left, Int::from(funding.interval) * pow10(9));
        index + clamp(index * part, &half(index))
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
        Some(index + clamp(mean, &half(index)))
    }

    /// The EMA within its band; without a sample nothing.
    fn basis_by_ema(&self, index: &Rat) -> Rat {
        let exact = Rat::new(self.ema.clone().unwrap_or_else(zero), int(1) << 64);
        clamp(exact, &(&self.mark_rules.band * index))
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
            self.price_input(i, |state| {
                let pricing = &mut state.instruments[i].pricing;
                (pricing.last_at, pricing.book_at) = (state.now, state.now);
            });
            moved |= before != seen(self);
        }
        moved
    }

    /// The first instrument whose funding has fallen due by itself begins to settle. False: there is none. Without a
    /// mark it waits for the first.
    pub fn settle_by_itself(&mut self) -> bool {
        let due =
            |i: &usize| self.instruments[*i].mark.is_some() && self.instruments[*i].pricing.funding_is_due(self.now);
        let Some(i) = (0..self.instruments.len()).find(due) else {
            return false;
        };
        let rate = self.instruments[i].pricing.rate_at(self.now).expect("a premium was sampled");
        self.begin_settlement(i, rate);
        true
    }

    /// `time` is an input of all instruments.
    pub fn do_time(&mut self) {
        self.note_interest();
        for i in 0..self.instruments.len() {
            self.price_input(i, |_| ());
        }
    }

    /// What a symbol's mark is, and whether it lives.
    pub fn mark_of(&self, symbol: &str) -> (Option<Int>, bool) {
        let known = self.instrument_id(symbol).ok();
        known.map_or((None, false), |i| (self.instruments[i].mark.clone(), self.lives(i)))
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
            let index = self.instruments[i].pricing.index.clone().expect("it lived");
            let fields = json!({"symbol": self.instruments[i].symbol, "price": show_scaled(&index, 8)});
            self.emit("index_frozen", fields);
        }
        self.find_mid(i);
        if !self.has_computed_mark(i) {
            self.look_at_age(i);
            return self.thaw(i, "index"); // it was computed until now
        }
        if !self.instruments[i].pricing.index_lives {
            self.freeze(i, "index");
            return self.thaw(i, "stale"); // it was given until now
        }
        let before = self.instruments[i].mark.clone();
        let (exact, inputs) = self.computed_mark(i);
        let instrument = &mut self.instruments[i];
        let ticks = round_half_up(&(exact / (&instrument.tick * rat(&pow10(8))))).max(int(1));
        instrument.mark_inputs = inputs;
        if instrument.held.is_some() {
            self.thaw(i, "index"); // nothing lives by that: if the hold ends, it is by the airlock
            self.thaw(i, "stale");
        }
        let instrument = &self.instruments[i];
        if instrument.mark.as_ref() != Some(&ticks) || !instrument.frozen.is_empty() {
            self.mark_comes(i, ticks, Source::Kernel);
        }
        self.thaw(i, "index");
        self.thaw(i, "stale");
        if self.instruments[i].mark != before {
            self.tell_computed_mark(i);
        }
    }

    /// From now on its prices come about by other rules: what was sampled is kept where the sampling stays as it was.
    pub fn change_pricing(&mut self, i: usize, to: Pricing) {
        let now = self.now;
        let from = &mut self.instruments[i].pricing;
        let stays =
            from.index_rules == to.index_rules && from.mark_rules == to.mark_rules && from.funding == to.funding;
        if stays {
            return;
        }
        from.sample(now);
        let quote_of = |name: &String| {
            let at = from.index_rules.venues.iter().position(|(known, _)| known == name);
            at.and_then(|at| from.quotes[at].clone())
        };
        from.quotes = to.index_rules.venues.iter().map(|(name, _)| quote_of(name)).collect();
        let window = |rules: &MarkRules| (rules.rule, rules.sample_every, rules.samples);
        if window(&from.mark_rules) != window(&to.mark_rules) {
            from.window = Vec::new();
        }
        let smoothing = |rules: &MarkRules| (rules.rule, rules.sample_every, rules.ema);
        if smoothing(&from.mark_rules) != smoothing(&to.mark_rules) {
            from.ema = None;
        }
        let sampling = |rules: &Option<FundingRules>| rules.as_ref().map(|f| (f.interval, f.sample_every));
        if sampling(&from.funding) != sampling(&to.funding) {
            from.premiums = (zero(), zero());
            from.first_premium = None;
        }
        let due = |rules: &Option<FundingRules>| rules.as_ref().filter(|f| f.auto).map(|f| (f.interval, f.anchor));
        if due(&from.funding) != due(&to.funding) {
            from.first_premium = from.first_premium.map(|_| now + 1); // the first is the next after this
        }
        let (was, is) = (from.mark_rules.rule, to.mark_rules.rule);
        from.index_rules = to.index_rules;
        from.mark_rules = to.mark_rules;
        from.funding = to.funding;
        if was != Rule::External && is == Rule::External {
            from.mark_at = Some(now);
        }
        if was == Rule::External && is != Rule::External {
            self.instruments[i].told_mark = None;
        }
        self.compute_prices(i);
    }

    /// A given mark may get stale.
    fn look_at_age(&mut self, i: usize) {
        let pricing = &self.instruments[i].pricing;
        let Some(at) = pricing.mark_at else {
            return;
        };
        if pricing.fresh(at, self.now) {
            self.thaw(i, "stale");
        } else {
            self.freeze(i, "stale");
        }
    }

    /// Exact, in hundred-millionths, and what it was computed from.
    fn computed_mark(&self, i: usize) -> (Rat, Value) {
        let instrument = &self.instruments[i];
        let (now, pricing) = (self.now, &instrument.pricing);
        let whole = pricing.index.clone().expect("it lives");
        let (index, shown) = (rat(&whole), show_scaled(&whole, 8));
        match pricing.mark_rules.rule {
            Rule::External => unreachable!("it is given"),
            Rule::FairBasis => {
                let rate = show_scaled(&pricing.last_rate, 9);
                (pricing.fair(&index, now), json!({"index": shown, "rate": rate}))
            }
            Rule::EmaBasis => {
                let basis = pricing.basis_by_ema(&index);
                let ema = show_rounded(&(&basis / rat(&pow10(8))), 8);
                (index + basis, json!({"index": shown, "ema": ema}))
            }
            Rule::Median => {
                let fresh = pricing.fresh(pricing.last_at, now);
                let last = instrument.last.as_ref().filter(|_| fresh);
                let p1 = pricing.fair(&index, now);
                let p2 = pricing.with_mean_basis(&index);
                let mark = match (&p2, last) {
                    (Some(p2), Some(last)) => {
                        median(vec![p1.clone(), p2.clone(), rat(&self.hundred_millionths(i, last))])
                    }
                    (Some(p2), None) => median(vec![p1.clone(), p2.clone()]),
                    (None, _) => p1.clone(), // a last price alone never liquidates anyone
                };
                let tick = &instrument.tick * rat(&pow10(8));
                let show = |p: &Rat| self.show_price(i, &round_half_up(&(p / &tick)).max(int(1))); // as a mark would be
                let last = last.map(|last| self.show_price(i, last));
                let inputs = json!({"index": shown, "p1": show(&p1), "p2": p2.as_ref().map(show), "last": last});
                (mark, inputs)
            }
        }
    }

    /// A living computed mark that is another than the one told last.
    pub fn tell_computed_mark(&mut self, i: usize) {
        let instrument = &self.instruments[i];
        if !self.has_computed_mark(i) || !self.lives(i) || instrument.told_mark == instrument.mark {
            return;
        }
        let price = self.show_maybe_price(i, &instrument.mark);
        let (symbol, inputs) = (instrument.symbol.clone(), instrument.mark_inputs.clone());
        self.instruments[i].told_mark = self.instruments[i].mark.clone();
        self.emit("mark", json!({"symbol": symbol, "price": price, "rule": self.rule_word(i), "inputs": inputs}));
    }

    /// What `get instrument` says of prices.
    pub fn answer_prices(&self, i: usize) -> Vec<(&'static str, Value)> {
        let instrument = &self.instruments[i];
        let causes = ["index", "stale", "halted", "airlock"];
        let frozen: Vec<&str> = causes.into_iter().filter(|&cause| instrument.frozen.contains(cause)).collect();
        let airlock = self.answer_airlock(i).map(|held| ("airlock", held));
        if !instrument.says_prices {
            let frozen = Some(("frozen", json!(frozen))).filter(|_| !frozen.is_empty());
            return frozen.into_iter().chain(airlock).collect();
        }
        let pricing = &instrument.pricing;
        let mut said = vec![
            ("index", json!(pricing.index.as_ref().map(|index| show_scaled(index, 8)))),
            ("index_frozen", json!(!pricing.index_lives)),
            ("frozen", json!(frozen)),
        ];
        said.extend(airlock);
        if let Some(funding) = &pricing.funding {
            said.push(("funding_rate", json!(pricing.rate_at(self.now).map(|rate| show_scaled(&rate, 9)))));
            let left = funding.time_to_funding(self.now);
            said.push(("next_funding", json!(u64::try_from(left + self.now).expect("it fits"))));
        }
        said
    }

    pub fn set_impact(&mut self, i: usize, bid: Option<Int>, ask: Option<Int>) {
        let pricing = &mut self.instruments[i].pricing;
        pricing.impact_bid = bid.or(pricing.impact_bid.take());
        pricing.impact_ask = ask.or(pricing.impact_ask.take());
    }

    fn needs_prices(&self, i: usize) -> bool {
        self.has_computed_mark(i) || self.instruments[i].pricing.funding.is_some()
    }

    fn find_mid(&mut self, i: usize) {
        if !self.needs_prices(i) {
            self.instruments[i].pricing.twice_mid = None;
            return;
        }
        let instrument = &self.instruments[i];
        let (now, pricing) = (self.now, &instrument.pricing);
        let fresh = pricing.fresh(pricing.book_at, now);
        let twice_mid = match (&instrument.bid, &instrument.ask) {
            (Some(bid), Some(ask)) if fresh => Some(self.hundred_millionths(i, bid) + self.hundred_millionths(i, ask)),
            _ => None,
        };
        self.instruments[i].pricing.twice_mid = twice_mid;
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
