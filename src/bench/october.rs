//! The cascade of 10 October 2025, in outline: so many liquidations and deleveragings in its worst second and in the
//! twelve minutes around it as were published of the largest venue on a public ledger.
//!
//! What is public are counts, not accounts. So prices and depth are made: a world of as many accounts and instruments
//! is steered, second by second, by how far prices fall. Liquidation orders fill at the mark, but in the minutes about the
//! worst second every other instrument has no depth, and the fund has nothing to give: there positions go to deleveraging
//! at once. Steering looks at events alone, so the script is the same on every machine and under every
//! strategy; then it is played again, from a new world, and timed.

use super::error::BenchError;
use super::measure::Counts;
use super::world::{ASSET, Outline, World, WorldSettings};
use crate::command::Command;
use crate::kernel::Kernel;
use crate::market::{FundSpec, InstrumentId};
use crate::number::{LIMIT, Price, Quantity};
use crate::shard::Strategy;
use crate::venue::{BookUpdate, Level, VenueMode};
use std::hash::{Hash, Hasher};
use std::time::Instant;
use xxhash_rust::xxh3::Xxh3;

/// What was published.
pub const PUBLISHED: Outlined = Outlined {
    accounts: 437_723,
    instruments: 162,
    worst: Fills { liquidation: 11_279, adl: 11_279 },
    whole: Fills { liquidation: 63_637, adl: 34_983 },
};

/// Seconds of the cascade, and the worst of them.
pub const SECONDS: usize = 720;
const WORST: usize = 300;

/// Deleveraging lasts so many seconds about the worst.
const ADL_ABOUT: usize = 60;

/// How far pools are from liquidation, in percent of what other worlds have: prices fall by more than a tenth that way.
const DISTANCE_PERCENT: u64 = 500;

/// A step of prices, in parts per million, at first; at most; and how it grows, in percent, while too little happens.
const STEP_PPM: i64 = 20;
const MOST_PPM: i64 = 2_000;
const GROWS: i64 = 130;

/// Rounds of a second at most.
const ROUNDS: usize = 400;

/// What an instrument with depth has at the mark, in quanta: a thousand million USDT, more than anybody sells.
const DEPTH: i128 = 100_000_000_000_000_000;

/// Nanoseconds in a second.
const SECOND_NS: u64 = 1_000_000_000;

/// Fills of both kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fills {
    /// Of liquidation orders.
    pub liquidation: u64,
    /// Deleveraging trades.
    pub adl: u64,
}

impl Fills {
    fn of(counts: Counts) -> Self {
        Self { liquidation: counts.fills, adl: counts.deleveraged }
    }

    fn scaled(self, accounts: u64) -> Self {
        let part = |fills: u64| (fills * accounts).div_ceil(PUBLISHED.accounts);
        Self { liquidation: part(self.liquidation), adl: part(self.adl) }
    }
}

/// The outline of a cascade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlined {
    /// Accounts with positions.
    pub accounts: u64,
    /// Instruments that trade.
    pub instruments: u32,
    /// In the second with the most.
    pub worst: Fills,
    /// In twelve minutes.
    pub whole: Fills,
}

/// Something of the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// A mark.
    Mark { instrument: InstrumentId, price: Price },
    /// So many lots at the mark, on either side.
    Depth { instrument: InstrumentId, price: Price, quantity: Quantity },
}

/// The inputs of a cascade, by second.
#[derive(Clone, Debug)]
pub struct Script {
    settings: WorldSettings,
    seconds: Vec<Vec<Input>>,
    /// How far the marks fell at the lowest, in percent: the first instrument's, and the furthest.
    pub fallen: (f64, f64),
}

/// A cascade that was played.
#[derive(Clone, Debug)]
pub struct Played {
    /// Who found the breaches.
    pub strategy: Strategy,
    /// By second: the kernel's work, in nanoseconds.
    pub work_ns: Vec<u64>,
    /// By second: what happened.
    pub fills: Vec<Fills>,
    /// All that happened.
    pub counts: Counts,
    /// Inputs.
    pub inputs: u64,
    /// The longest single input, in nanoseconds.
    pub longest_ns: u64,
    /// Of all events, each with its input's number (XXH3).
    pub hash: u128,
}

impl Played {
    /// The second with the most fills of liquidation orders.
    #[must_use]
    pub fn worst(&self) -> usize {
        (0..self.fills.len()).max_by_key(|&second| (self.fills[second].liquidation, second)).unwrap_or(0)
    }

    /// The most work in a second, and all, in nanoseconds.
    #[must_use]
    pub fn work(&self) -> (u64, u64) {
        (self.work_ns.iter().copied().max().unwrap_or(0), self.work_ns.iter().sum())
    }
}

/// The world of a cascade of so many accounts; the published one has [`PUBLISHED`]'s.
#[must_use]
pub fn world(accounts: u64, instruments: u32, seed: u64) -> WorldSettings {
    WorldSettings {
        accounts,
        instruments,
        seed,
        fund_ppm: 0,
        venue: VenueMode::Book,
        distance_percent: DISTANCE_PERCENT,
        ..WorldSettings::default()
    }
}

/// What was published, in proportion to so many accounts.
#[must_use]
pub fn expected(accounts: u64) -> Outlined {
    Outlined { accounts, worst: PUBLISHED.worst.scaled(accounts), whole: PUBLISHED.whole.scaled(accounts), ..PUBLISHED }
}

/// Makes the script of a cascade: what was published, in proportion to the accounts.
///
/// # Errors
///
/// Settings out of range.
pub fn generate(settings: &WorldSettings) -> Result<Script, BenchError> {
    let (kernel, outline) = begin(settings)?;
    let lowest = outline.marks.clone();
    let mut steering = Steering {
        kernel,
        marks: outline.marks.clone(),
        lowest,
        counts: Counts::default(),
        inputs: Vec::new(),
        next: [0; 2],
    };
    let mut seconds = Vec::with_capacity(SECONDS);
    let Outlined { whole, worst, .. } = expected(settings.accounts);
    let mut goal = Fills::default();
    for second in 0..SECONDS {
        let due = due(second, whole, worst);
        goal = Fills { liquidation: goal.liquidation + due.liquidation, adl: goal.adl + due.adl };
        if second == WORST {
            // What came too early, or late, is no part of the worst second.
            let now = Fills::of(steering.counts);
            goal = Fills { liquidation: now.liquidation + due.liquidation, adl: now.adl + due.adl };
        }
        steering.second(second, goal)?;
        seconds.push(std::mem::take(&mut steering.inputs));
    }
    let fallen = |index: usize| 100.0 - steering.lowest[index] as f64 * 100.0 / outline.marks[index] as f64;
    let furthest = (0..outline.marks.len()).map(fallen).fold(0.0, f64::max);
    Ok(Script { settings: *settings, seconds, fallen: (fallen(0), furthest) })
}

/// Plays a script from a new world.
///
/// # Errors
///
/// A world that cannot be made, an input that is refused.
pub fn play(script: &Script, strategy: Strategy) -> Result<Played, BenchError> {
    let (mut kernel, _) = begin(&WorldSettings { strategy, ..script.settings })?;
    let mut played = Played {
        strategy,
        work_ns: Vec::with_capacity(SECONDS),
        fills: Vec::with_capacity(SECONDS),
        counts: Counts::default(),
        inputs: 0,
        longest_ns: 0,
        hash: 0,
    };
    let mut hash = Xxh3::new();
    for (second, inputs) in script.seconds.iter().enumerate() {
        let (mut work_ns, before) = (0, played.counts);
        for &input in inputs {
            let began = Instant::now();
            carry_out(&mut kernel, second, input)?;
            let ns = began.elapsed().as_nanos() as u64; // of a single input: far below 584 years
            work_ns += ns;
            played.longest_ns = played.longest_ns.max(ns);
            played.inputs += 1;
            if !kernel.events().is_empty() {
                hash.write_u64(played.inputs);
                kernel.events().iter().for_each(|event| event.hash(&mut hash));
                played.counts.add(kernel.events());
            }
        }
        let (now, before) = (Fills::of(played.counts), Fills::of(before));
        played.fills.push(Fills { liquidation: now.liquidation - before.liquidation, adl: now.adl - before.adl });
        played.work_ns.push(work_ns);
    }
    played.hash = hash.digest128();
    Ok(played)
}

/// A world whose fund has nothing to give.
fn begin(settings: &WorldSettings) -> Result<(Kernel, Outline), BenchError> {
    let World { mut kernel, outline } = World::build(settings, &mut |_, _| {})?;
    let name = kernel.market().asset(ASSET).name.clone();
    let spec = FundSpec { floor: LIMIT - 1, ..FundSpec::new(name, ASSET) };
    kernel.declare_fund(None, spec).map_err(BenchError::refused("the fund"))?;
    for (index, &price) in outline.marks.iter().enumerate() {
        let instrument = InstrumentId(index as u32);
        let quantity = depth(&kernel, 0, instrument, price);
        carry_out(&mut kernel, 0, Input::Depth { instrument, price, quantity })?;
    }
    Ok((kernel, outline))
}

fn carry_out(kernel: &mut Kernel, second: usize, input: Input) -> Result<(), BenchError> {
    let ts_ns = Some(second as u64 * SECOND_NS);
    match input {
        Input::Mark { instrument, price } => {
            let mark = Command::Mark { instrument, price };
            kernel.apply_at(ts_ns, &mark, crate::OffGrid::NONE).map_err(BenchError::refused("a mark"))
        }
        Input::Depth { instrument, price, quantity } => {
            let level = |price| [Level { price, quantity }];
            let (bids, asks) = (level(price), level(price + 1));
            let some = usize::from(quantity > 0);
            let update = BookUpdate { bids: Some(&bids[..some]), asks: Some(&asks[..some]), ..BookUpdate::default() };
            kernel.update_book(ts_ns, instrument, &update).map_err(BenchError::refused("depth"))
        }
    }
}

/// What liquidation orders of an instrument find in a second, in lots: nothing about the worst one, but in every other
/// instrument.
fn depth(kernel: &Kernel, second: usize, instrument: InstrumentId, price: Price) -> Quantity {
    if instrument.0.is_multiple_of(2) || !is_about(second) {
        kernel.market().instrument(instrument).lots_within(DEPTH, price + 1)
    } else {
        0
    }
}

/// Whether positions are deleveraged in a second.
fn is_about(second: usize) -> bool {
    second.abs_diff(WORST) <= ADL_ABOUT
}

/// What is due in a second: the worst as published, the others by how near it they are.
fn due(second: usize, whole: Fills, worst: Fills) -> Fills {
    if second == WORST {
        return worst;
    }
    let near = |second: usize| 100_000 / (10 + second.abs_diff(WORST) as u64);
    let in_adl = |second: &usize| is_about(*second);
    let others = || (0..SECONDS).filter(|&second| second != WORST);
    let (all, about): (u64, u64) = (others().map(near).sum(), others().filter(in_adl).map(near).sum());
    // Up to and with this second, less up to it: nothing is lost to rounding.
    let share = |rest: u64, of: u64, only_adl: bool| {
        let part = |to: usize| {
            let counted = others().filter(|&at| at < to && (!only_adl || in_adl(&at)));
            rest * counted.map(near).sum::<u64>() / of.max(1)
        };
        part(second + 1) - part(second)
    };
    Fills {
        liquidation: share(whole.liquidation - worst.liquidation, all, false),
        adl: share(whole.adl - worst.adl, about, true),
    }
}

/// A kernel that is driven to where enough happens.
struct Steering {
    kernel: Kernel,
    marks: Vec<Price>,
    lowest: Vec<Price>,
    counts: Counts,
    /// Of this second.
    inputs: Vec<Input>,
    /// Of the instruments with depth, and of those without: which ticks next.
    next: [usize; 2],
}

impl Steering {
    /// Lets prices fall until as much has happened as is due, always those of the kind that lags; then all instruments tick
    /// once more.
    fn second(&mut self, second: usize, goal: Fills) -> Result<(), BenchError> {
        let so_far = |counts| [Fills::of(counts).liquidation, Fills::of(counts).adl];
        let (goal, begin) = ([goal.liquidation, goal.adl], so_far(self.counts));
        let mut ticks = [0; 2];
        loop {
            let now = so_far(self.counts);
            // In thousandths of what is due.
            let progress =
                |group: usize| (now[group] - begin[group]) * 1_000 / goal[group].saturating_sub(begin[group]).max(1);
            let lags = |&group: &usize| {
                let size = self.group(group);
                now[group] < goal[group] && size > 0 && ticks[group] / size < ROUNDS
            };
            let Some(group) = (0..2).filter(lags).min_by_key(|&group| progress(group)) else { break };
            let size = self.group(group);
            let index = self.next[group] % size * 2 + group;
            self.next[group] += 1;
            let rounds = (ticks[group] / size) as u32;
            ticks[group] += 1;
            let step_ppm = (0..rounds).fold(STEP_PPM, |step, _| (step * GROWS / 100).min(MOST_PPM));
            self.tick(second, index, -step_ppm)?;
        }
        for index in 0..self.marks.len() {
            // A breath upward: by a tick at most.
            let mark = self.marks[index];
            self.put(second, index, if second.is_multiple_of(2) { mark + 1 } else { mark - 1 })?;
        }
        Ok(())
    }

    /// How many instruments have depth, or have none.
    fn group(&self, group: usize) -> usize {
        (self.marks.len() + 1 - group) / 2
    }

    fn tick(&mut self, second: usize, index: usize, by_ppm: i64) -> Result<(), BenchError> {
        let mark = self.marks[index];
        let step = (i128::from(mark) * i128::from(by_ppm) / 1_000_000) as Price; // smaller than the mark
        self.put(second, index, mark + step.min(-1))
    }

    fn put(&mut self, second: usize, index: usize, price: Price) -> Result<(), BenchError> {
        let (price, instrument) = (price.max(1), InstrumentId(index as u32));
        self.marks[index] = price;
        self.lowest[index] = self.lowest[index].min(price);
        let quantity = depth(&self.kernel, second, instrument, price);
        // What has none keeps none; at first it is taken away.
        let book =
            (quantity > 0 || second + ADL_ABOUT == WORST).then_some(Input::Depth { instrument, price, quantity });
        for input in book.into_iter().chain([Input::Mark { instrument, price }]) {
            carry_out(&mut self.kernel, second, input)?;
            self.counts.add(self.kernel.events());
            self.inputs.push(input);
        }
        Ok(())
    }
}
