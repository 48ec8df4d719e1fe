//! The present prices of an instrument, and what was sampled of them.

use super::funding::{premium, rate};
use super::index::{Counted, Quote, index_of};
use super::marks::{Basis, MarkInputs, mark, smoothed};
use super::rules::{MarkRule, MarkRules, PriceRules, Venue};
use super::{INDEX_DECIMALS, INDEX_LIMIT};
use crate::airlock::AirlockStep;
use crate::command::MarkSource;
use crate::decimal::Grid;
use crate::market::MarkChange;
use crate::number::Price;
use crate::venue::Level;
use fixed::types::I64F64;

/// The best prices of a book, in ticks, as they are sent around: 0 is none, below 0 says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Top {
    pub(crate) bid: Price,
    pub(crate) ask: Price,
    pub(crate) impact_bid: Price,
    pub(crate) impact_ask: Price,
}

impl Top {
    /// It says nothing of a price.
    pub(crate) const SILENT: Price = -1;

    /// What is said of the best price of a side: given, or else the first of the levels, or else nothing.
    pub(crate) fn best(given: Option<Price>, levels: Option<&[Level]>) -> Price {
        given.or_else(|| levels.map(|levels| levels.first().map_or(0, |first| first.price))).unwrap_or(Self::SILENT)
    }
}

/// What comes in of an instrument's prices.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PriceInput {
    Mark {
        price: Price,
        source: MarkSource,
    },
    /// What the airlock holds is let through, or dropped.
    Release {
        accept: bool,
    },
    /// In steps of 10^-8.
    Index {
        venue: u16,
        price: i64,
    },
    Last(Price),
    Book(Top),
    /// The simulated venue filled there, and its best prices moved.
    Filled {
        last: Price,
        bid: Option<Price>,
        ask: Option<Price>,
    },
    Time,
}

/// What an input did to the prices of an instrument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) mark: MarkChange,
    /// Whether the index lived, and does no more.
    pub(crate) index_froze: bool,
    pub(crate) airlock: AirlockStep,
}

/// A fixed number of samples, the oldest making room.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
struct Window {
    samples: Vec<i64>,
    next: usize,
    sum: i128,
}

impl Window {
    /// An empty one, with room for what the rule of a mark takes.
    fn of(rules: &MarkRules) -> Self {
        let most = if rules.rule == MarkRule::Median { rules.samples as usize } else { 0 };
        Self { samples: Vec::with_capacity(most), ..Self::default() }
    }

    fn push(&mut self, sample: i64, most: usize) {
        if self.samples.len() < most {
            self.samples.push(sample);
            self.sum += i128::from(sample);
            return;
        }
        let oldest = std::mem::replace(&mut self.samples[self.next], sample);
        self.sum += i128::from(sample) - i128::from(oldest);
        self.next = (self.next + 1) % most;
    }
}

/// A tick in steps of 10^-8; 0 where prices in ticks are not compared with the index.
fn tick_in_steps(rules: &PriceRules, tick: Grid) -> i64 {
    let step = tick.step();
    let shift = INDEX_DECIMALS.checked_sub(step.scale()).filter(|_| rules.compares_with_index());
    shift.and_then(|shift| i64::try_from(step.mantissa() * 10i128.pow(shift)).ok()).unwrap_or(0)
}

/// The present prices of an instrument beside its mark, and what was sampled of them.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Prices {
    /// The tick in steps of 10^-8; 0 where prices in ticks are not compared with the index.
    #[cfg_attr(feature = "journal", serde(skip))]
    tick: i64,
    /// By venue of the index.
    quotes: Vec<Quote>,
    /// As many places as venues: room to put them in order.
    #[cfg_attr(feature = "journal", serde(skip))]
    room: Vec<Counted>,
    /// In steps of 10^-8; while it is frozen the last that lived.
    index: Option<i64>,
    index_lives: bool,
    last: Option<Price>,
    last_ns: u64,
    bid: Option<Price>,
    ask: Option<Price>,
    impact_bid: Option<Price>,
    impact_ask: Option<Price>,
    book_ns: u64,
    /// The time up to which samples were taken.
    now_ns: u64,
    /// Twice the mid, in steps of 10^-8, as it was found fresh last.
    twice_mid: Option<i128>,
    /// Twice the sampled bases, in steps of 10^-8.
    window: Window,
    ema: Option<I64F64>,
    /// Of the sampled premiums since the last funding, in parts per billion.
    premiums: i128,
    premium_count: u64,
    /// Of the last funding.
    rate_ppb: i64,
    /// When the first premium since then was sampled.
    first_premium_ns: Option<u64>,
    inputs: Option<MarkInputs>,
    /// The computed mark that was told last.
    pub(crate) told: Option<Price>,
}

impl Prices {
    pub(crate) fn new(rules: &PriceRules, tick: Grid) -> Self {
        let venues = rules.index.venues.len();
        Self {
            tick: tick_in_steps(rules, tick),
            quotes: vec![Quote::default(); venues],
            room: vec![Counted::NONE; venues],
            index: None,
            index_lives: false,
            last: None,
            last_ns: 0,
            bid: None,
            ask: None,
            impact_bid: None,
            impact_ask: None,
            book_ns: 0,
            now_ns: 0,
            twice_mid: None,
            window: Window::of(&rules.mark),
            ema: None,
            premiums: 0,
            premium_count: 0,
            rate_ppb: 0,
            first_premium_ns: None,
            inputs: None,
            told: None,
        }
    }

    /// The index, in steps of 10^-8.
    pub(crate) fn index(&self) -> Option<i64> {
        self.index
    }

    /// Whether enough of its venues are fresh.
    #[cfg(feature = "protocol")]
    pub(crate) fn index_lives(&self) -> bool {
        self.index_lives
    }

    /// What the mark was computed from last.
    pub(crate) fn inputs(&self) -> Option<MarkInputs> {
        self.inputs
    }

    /// The lowest and the highest price that the index can come to without further input.
    pub(crate) fn index_bounds(&self) -> Option<(i64, i64)> {
        let prices = || self.quotes.iter().map(|quote| quote.price).filter(|&price| price > 0).chain(self.index);
        prices().min().zip(prices().max())
    }

    /// The lowest and the highest mark, in ticks, that prices between these can lead to.
    pub(crate) fn mark_bounds(&self, low: i64, high: i64) -> (Price, Price) {
        let tick = self.tick.max(1);
        ((low / 2 / tick).max(1), (high + high.div_euclid(2)) / tick + 2)
    }

    /// Takes samples of what stood, then the input, and makes the index anew; whether the index froze.
    pub(crate) fn take(&mut self, rules: &PriceRules, input: PriceInput, now_ns: u64) -> bool {
        self.sample(rules, now_ns);
        match input {
            PriceInput::Index { venue, price } => {
                if let Some(quote) = self.quotes.get_mut(usize::from(venue)) {
                    *quote = Quote { price, at_ns: now_ns };
                }
            }
            PriceInput::Last(price) => (self.last, self.last_ns) = (Some(price), now_ns),
            PriceInput::Book(top) => self.take_top(top, now_ns),
            PriceInput::Filled { last, bid, ask } => {
                (self.last, self.last_ns) = (Some(last), now_ns);
                (self.bid, self.ask, self.book_ns) = (bid, ask, now_ns);
            }
            PriceInput::Mark { .. } | PriceInput::Time | PriceInput::Release { .. } => {}
        }
        let lived = self.index_lives;
        let index = index_of(&rules.index, &self.quotes, now_ns, &mut self.room);
        self.index_lives = index.is_some();
        self.index = index.or(self.index);
        self.twice_mid = self.fresh_mid(rules);
        lived && !self.index_lives
    }

    /// From now on prices come about by other rules. Venues that stay keep their latest price, and what was sampled is kept
    /// where the sampling stays as it was. The index is made anew; whether it froze with that.
    pub(crate) fn change_rules(&mut self, from: &PriceRules, to: &PriceRules, tick: Grid, now_ns: u64) -> bool {
        self.sample(from, now_ns); // what fell due until now was due under the old rules
        self.tick = tick_in_steps(to, tick);
        let quote_of = |venue: &Venue| {
            let at = from.index.venues.iter().position(|before| before.name == venue.name);
            at.and_then(|at| self.quotes.get(at)).copied().unwrap_or_default()
        };
        self.quotes = to.index.venues.iter().map(quote_of).collect();
        self.room = vec![Counted::NONE; to.index.venues.len()];
        let window = |rules: &MarkRules| (rules.rule, rules.sample_every_ns, rules.samples);
        if window(&from.mark) != window(&to.mark) {
            self.window = Window::of(&to.mark);
        }
        let smoothing = |rules: &MarkRules| (rules.rule, rules.sample_every_ns, rules.ema_ns);
        if smoothing(&from.mark) != smoothing(&to.mark) {
            self.ema = None;
        }
        let sampling = |rules: &PriceRules| rules.funding.map(|funding| (funding.interval_ns, funding.sample_every_ns));
        if sampling(from) != sampling(to) {
            (self.premiums, self.premium_count, self.first_premium_ns) = (0, 0, None);
        }
        let due = |rules: &PriceRules| {
            rules.funding.filter(|funding| funding.auto).map(|funding| (funding.interval_ns, funding.anchor_ns))
        };
        if due(from) != due(to) {
            self.first_premium_ns = self.first_premium_ns.map(|_| now_ns + 1); // the first is the next after this
        }
        if !from.mark.is_computed() && to.mark.is_computed() {
            self.told = None; // the first that is computed is told
        }
        self.take(to, PriceInput::Time, now_ns)
    }

    /// Makes what follows from the rules, of prices that were read.
    #[cfg(feature = "journal")]
    pub(crate) fn restore(&mut self, rules: &PriceRules, tick: Grid) {
        self.tick = tick_in_steps(rules, tick);
        self.room = vec![Counted::NONE; rules.index.venues.len()];
        let most = Window::of(&rules.mark).samples.capacity();
        self.window.samples.reserve_exact(most.saturating_sub(self.window.samples.len()));
    }

    /// Whether prices that were read are ones that inputs under these rules can have led to.
    #[cfg(feature = "journal")]
    pub(crate) fn is_sound(&self, rules: &PriceRules) -> bool {
        let is_price = |price: i64| (1..crate::number::LIMIT).contains(&i128::from(price));
        let most = if rules.mark.rule == MarkRule::Median { rules.mark.samples as usize } else { 0 };
        let Window { samples, next, sum } = &self.window;
        let window = samples.len() <= most
            && (*next == 0 || *next < samples.len() && samples.len() == most)
            && samples.iter().all(|sample| sample.unsigned_abs() < INDEX_LIMIT.unsigned_abs())
            && samples.iter().map(|&sample| i128::from(sample)).sum::<i128>() == *sum;
        let quotes = self.quotes.iter().all(|quote| (0..INDEX_LIMIT).contains(&quote.price));
        let index = self.index.is_none_or(|index| (1..=INDEX_LIMIT).contains(&index));
        let told = [self.last, self.bid, self.ask, self.impact_bid, self.impact_ask, self.told];
        let ema = self.ema.is_none_or(|ema| ema.to_num::<i64>().unsigned_abs() <= INDEX_LIMIT.unsigned_abs());
        let is_mid = |mid: i128| (0..=crate::number::LIMIT * crate::number::LIMIT).contains(&mid);
        let premiums = self.premiums.unsigned_abs() <= u128::from(self.premium_count) * u128::from(crate::number::PPB);
        let rate = self.rate_ppb.unsigned_abs() <= crate::number::PPB;
        let first = self.first_premium_ns.is_none_or(|first| first > 0);
        let lives = self.index.is_some() || !self.index_lives;
        self.quotes.len() == rules.index.venues.len()
            && window
            && quotes
            && index
            && told.into_iter().flatten().all(is_price)
            && ema
            && self.twice_mid.is_none_or(is_mid)
            && premiums
            && self.premium_count < 1 << 62
            && rate
            && first
            && lives
    }

    fn take_top(&mut self, top: Top, now_ns: u64) {
        let Self { bid, ask, impact_bid, impact_ask, .. } = self;
        for (price, said) in
            [(bid, top.bid), (ask, top.ask), (impact_bid, top.impact_bid), (impact_ask, top.impact_ask)]
        {
            if said >= 0 {
                *price = (said > 0).then_some(said);
            }
        }
        self.book_ns = now_ns;
    }

    fn is_fresh(&self, rules: &PriceRules, at_ns: u64) -> bool {
        rules.mark.stale_after_ns.is_none_or(|limit| self.now_ns.saturating_sub(at_ns) <= limit)
    }

    /// Whether the mark that was given last, at `given_ns`, is too old.
    pub(crate) fn given_mark_is_stale(&self, rules: &PriceRules, given_ns: u64) -> bool {
        !self.is_fresh(rules, given_ns)
    }

    fn fresh_mid(&self, rules: &PriceRules) -> Option<i128> {
        let (bid, ask) = self.bid.zip(self.ask)?;
        let fresh = self.tick > 0 && self.is_fresh(rules, self.book_ns);
        fresh.then(|| (i128::from(bid) + i128::from(ask)) * i128::from(self.tick))
    }

    /// Takes all samples that fell due since the last input, of the values that stood.
    fn sample(&mut self, rules: &PriceRules, now_ns: u64) {
        let before_ns = std::mem::replace(&mut self.now_ns, now_ns);
        let due = |every_ns: u64| now_ns / every_ns - before_ns / every_ns;
        let (Some(index), true) = (self.index, self.index_lives) else { return };
        if let (Some(twice_mid), true) = (self.twice_mid, rules.mark.is_computed()) {
            let twice_basis = twice_mid - 2 * i128::from(index);
            let twice_basis = twice_basis.clamp(-i128::from(index), i128::from(index)) as i64;
            self.sample_basis(rules, twice_basis, due(rules.mark.sample_every_ns));
        }
        if let (Some(funding), Some(premium)) = (rules.funding, self.premium()) {
            let count = due(funding.sample_every_ns);
            if self.first_premium_ns.is_none() && count > 0 {
                self.first_premium_ns = Some((before_ns / funding.sample_every_ns + 1) * funding.sample_every_ns);
            }
            self.premiums += i128::from(premium) * i128::from(count);
            self.premium_count += count;
        }
    }

    fn sample_basis(&mut self, rules: &PriceRules, twice_basis: i64, count: u64) {
        match rules.mark.rule {
            MarkRule::Median => {
                let most = rules.mark.samples as usize;
                for _ in 0..count.min(most as u64) {
                    self.window.push(twice_basis, most);
                }
            }
            MarkRule::EmaBasis => {
                for _ in 0..count {
                    let next = smoothed(self.ema, twice_basis, rules.mark.smoothing());
                    if self.ema.replace(next) == Some(next) {
                        break; // it has arrived, and stays
                    }
                }
            }
            MarkRule::External | MarkRule::FairBasis => {}
        }
    }

    /// The premium of the book over a living index; none without both impact prices.
    fn premium(&self) -> Option<i64> {
        let (bid, ask) = self.impact_bid.zip(self.impact_ask)?;
        let index = self.index.filter(|_| self.index_lives && self.tick > 0)?;
        let steps = |price: Price| i128::from(price) * i128::from(self.tick);
        Some(premium(index, steps(bid), steps(ask)))
    }

    /// The mark by its rule at the time of the last input, and what it was made of; none while the index is frozen.
    pub(crate) fn computed(&mut self, rules: &PriceRules) -> Option<Price> {
        let index = self.index.filter(|_| self.index_lives)?;
        let window = &self.window;
        let basis = Basis {
            index,
            tick: self.tick,
            window: self.twice_mid.and_then(|_| {
                let count = window.samples.len() as u32;
                (count > 0).then_some((window.sum, count))
            }),
            last: self.last.filter(|_| self.is_fresh(rules, self.last_ns)),
            ema: self.ema,
            rate_ppb: self.rate_ppb,
        };
        let (price, inputs) = mark(&rules.mark, rules.funding.as_ref(), &basis, self.now_ns)?;
        self.inputs = Some(inputs);
        Some(price)
    }

    /// The funding rate that a settlement at this time would have; none without funding rules or samples.
    pub(crate) fn rate_at(&self, rules: &PriceRules, now_ns: u64) -> Option<i64> {
        let funding = rules.funding.as_ref()?;
        let due = now_ns / funding.sample_every_ns - self.now_ns.min(now_ns) / funding.sample_every_ns;
        let (premium, due) = self.premium().map_or((0, 0), |premium| (premium, due));
        let (sum, count) = (self.premiums + i128::from(premium) * i128::from(due), self.premium_count + due);
        (count > 0).then(|| rate(funding, sum, count))
    }

    /// Whether, under `auto`, a funding has fallen due since a premium was sampled: without one it is passed over.
    pub(crate) fn is_due_at(&self, rules: &PriceRules, now_ns: u64) -> bool {
        let Some(funding) = rules.funding.filter(|funding| funding.auto) else { return false };
        let next = || (self.now_ns / funding.sample_every_ns + 1).checked_mul(funding.sample_every_ns);
        let Some(first) = self.first_premium_ns.or_else(|| self.premium().and_then(|_| next())) else { return false };
        let before = first - 1;
        now_ns >= first && now_ns - before >= funding.time_left(before)
    }

    /// A settlement is fixed: its rate is the last one from now on, and the next is averaged anew.
    pub(crate) fn note_funding(&mut self, rules: &PriceRules, rate_ppb: i64, now_ns: u64) {
        self.sample(rules, now_ns);
        (self.premiums, self.premium_count) = (0, 0);
        (self.rate_ppb, self.first_premium_ns) = (rate_ppb, None);
    }
}

const _: () = assert!(INDEX_LIMIT as i128 * 2 < i64::MAX as i128, "twice an index, and a basis, are 64 bits");
