//! Workloads: what a world is put through.
//!
//! A workload is an iterator of commands that follows from the world's seed. Prices begin at the world's marks.

use super::census::Census;
use super::error::BenchError;
use super::world::Outline;
use crate::command::{Command, Fill, Liquidity, Order, Side};
use crate::market::{InstrumentId, Market};
use crate::number::{PPB, Price, mul_div_floor};
use crate::replay::population::draw_notional;
use crate::replay::random::Random;
use std::collections::VecDeque;
use std::fmt::{self, Display, Formatter};
use std::iter;

/// One basis point: one in so many.
const BASIS_POINT: Price = 10_000;

/// Ticks between two changes of where the market as a whole goes, in the mean.
const COMMON: u64 = 64;

/// How many ticks of a hundred go where the market goes.
const TOGETHER: u64 = 75;

/// How far the marks fall, in percent: in a crash, in a gap of the head, in a burst.
const CRASH: i128 = 15;
const GAP: i128 = 20;
const BURST: i128 = 2;

/// Fills of the mixed workload are a tenth of what positions are made of.
const FILL_PART: i128 = 10;

/// Orders that stand before the oldest is cancelled.
const STANDING: usize = 1_024;

/// How far off the mark orders are, in parts per billion: 2 %.
const OFF_PPB: u64 = 20_000_000;

/// Streams of a seed, beside those of the world.
const WALK: u64 = 0x5741_4C4B_0000_0000;
const MIX: u64 = 0x4D49_5845_4400_0000;

/// What a world is put through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Workload {
    /// Steps of a basis point up or down, three of four where the market as a whole goes; an instrument ticks as often as
    /// it is held.
    Calm {
        /// So many.
        ticks: u64,
    },
    /// All instruments fall by 15 %, step by step, each once a step.
    Crash {
        /// So many.
        steps: u64,
    },
    /// The first instrument falls by 20 % in one tick.
    Gap,
    /// Every instrument falls by 2 % in one tick.
    Burst,
    /// Ticks as in calm, with fills, orders and cancellations of any accounts among them.
    Mixed {
        /// Ticks and others.
        inputs: u64,
        /// How many of a hundred are no ticks.
        percent: u64,
    },
    /// The embedded market data: three minutes of three symbols, one after the other without waiting.
    Embedded,
}

impl Workload {
    /// All, at their usual sizes.
    pub const ALL: [Self; 7] = [
        Self::Calm { ticks: 50_000 },
        Self::Embedded,
        Self::Mixed { inputs: 50_000, percent: 10 },
        Self::Mixed { inputs: 50_000, percent: 50 },
        Self::Burst,
        Self::Gap,
        Self::Crash { steps: 100 },
    ];

    /// Its name, such as `mixed50`.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Calm { .. } => "calm".into(),
            Self::Crash { .. } => "crash".into(),
            Self::Gap => "gap".into(),
            Self::Burst => "burst".into(),
            Self::Mixed { percent, .. } => format!("mixed{percent}"),
            Self::Embedded => "embedded".into(),
        }
    }

    /// The workload of this name, at its usual size.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|workload| workload.name() == name)
    }

    /// What it does over a world.
    ///
    /// # Errors
    ///
    /// [`Workload::Embedded`] over a world without its three symbols.
    pub fn commands(self, outline: &Outline) -> Result<Box<dyn Iterator<Item = Command> + '_>, BenchError> {
        let all = || (0..outline.marks.len()).map(|index| InstrumentId(index as u32));
        let fallen = |instrument: InstrumentId, share: i128, of: i128| Command::Mark {
            instrument,
            price: fall(outline.marks[instrument.index()], share, of),
        };
        Ok(match self {
            Self::Calm { ticks } => {
                let mut walk = Walk::new(outline);
                Box::new((0..ticks).map(move |_| walk.tick()))
            }
            Self::Crash { steps } => {
                let step = move |step: u64| {
                    all().map(move |instrument| fallen(instrument, i128::from(step) * CRASH, i128::from(steps) * 100))
                };
                Box::new((1..=steps).flat_map(step))
            }
            Self::Gap => Box::new(iter::once(fallen(InstrumentId(0), GAP, 100))),
            Self::Burst => Box::new(all().map(move |instrument| fallen(instrument, BURST, 100))),
            Self::Mixed { inputs, percent } => {
                let mut mix = Mix::new(outline, percent);
                Box::new((0..inputs).map(move |_| mix.input()))
            }
            Self::Embedded => {
                let (ticks, _) = crate::replay::embedded(&outline.market)
                    .map_err(|error| BenchError::Setting(format!("the embedded data: {error}")))?;
                Box::new(ticks.into_iter().flat_map(|tick| {
                    let instrument = InstrumentId(u32::from(tick.symbol));
                    let last = tick.last.map(|price| Command::Last { instrument, price });
                    let mark = tick.mark.map(|price| Command::Mark { instrument, price });
                    last.into_iter().chain(mark)
                }))
            }
        })
    }
}

impl Display for Workload {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calm { ticks } => write!(f, "{ticks} steps of 1 bp"),
            Self::Crash { steps } => write!(f, "all instruments -{CRASH}% in {steps} steps"),
            Self::Gap => write!(f, "the head -{GAP}% in one tick"),
            Self::Burst => write!(f, "all instruments -{BURST}%, one tick each"),
            Self::Mixed { inputs, percent } => write!(f, "{inputs} inputs, {percent}% fills and orders"),
            Self::Embedded => write!(f, "3 minutes of BTC, ETH and SOL"),
        }
    }
}

/// A mark less `share` of `of` parts, at least a tick.
fn fall(mark: Price, share: i128, of: i128) -> Price {
    mul_div_floor(i128::from(mark), of - share, of).max(1) as Price // below the mark
}

/// Marks that walk about together.
struct Walk<'w> {
    census: &'w Census,
    marks: Vec<Price>,
    steps: Vec<Price>,
    random: Random,
    /// Where the market as a whole goes.
    up: bool,
}

impl<'w> Walk<'w> {
    fn new(outline: &'w Outline) -> Self {
        Self {
            census: &outline.census,
            marks: outline.marks.clone(),
            steps: outline.marks.iter().map(|mark| (mark / BASIS_POINT).max(1)).collect(),
            random: Random::stream(outline.settings.seed ^ WALK, 0),
            up: true,
        }
    }

    fn tick(&mut self) -> Command {
        if self.random.below(COMMON) == 0 {
            self.up = self.random.below(2) == 0;
        }
        let instrument = InstrumentId(u32::from(self.census.instrument(&mut self.random)));
        let up = self.up == (self.random.below(100) < TOGETHER);
        let (mark, step) = (&mut self.marks[instrument.index()], self.steps[instrument.index()]);
        *mark = (*mark + if up { step } else { -step }).max(1);
        Command::Mark { instrument, price: *mark }
    }
}

/// Ticks, fills and orders.
struct Mix<'w> {
    walk: Walk<'w>,
    outline: &'w Outline,
    percent: u64,
    random: Random,
    /// By instrument: accounts that want it.
    holders: Vec<Vec<u32>>,
    /// Account and id of those that stand.
    orders: VecDeque<(u64, u64)>,
    /// The id of the last.
    order: u64,
}

impl<'w> Mix<'w> {
    fn new(outline: &'w Outline, percent: u64) -> Self {
        let mut holders = vec![Vec::new(); outline.marks.len()];
        let mut wishes = Vec::new();
        for account in 1..=outline.settings.accounts as u32 {
            wishes.clear();
            outline.census.account(account, &mut wishes);
            for wish in &wishes {
                holders[usize::from(wish.instrument)].push(account);
            }
        }
        Self {
            walk: Walk::new(outline),
            outline,
            percent,
            random: Random::stream(outline.settings.seed ^ MIX, 0),
            holders,
            orders: VecDeque::new(),
            order: 1,
        }
    }

    fn input(&mut self) -> Command {
        if self.random.below(100) >= self.percent {
            return self.walk.tick();
        }
        let account = 1 + self.random.below(self.outline.settings.accounts);
        let wishes = self.outline.wishes(account);
        let (instrument, _) = wishes[self.random.below(wishes.len() as u64) as usize];
        let side = if self.random.below(2) == 0 { Side::Buy } else { Side::Sell };
        match self.random.below(2) {
            0 => self.fill(account, instrument, side),
            _ if self.orders.len() >= STANDING => {
                let (account, order) = self.orders.pop_front().unwrap_or_default();
                Command::Cancel { account, order }
            }
            _ => self.order(account, instrument, side),
        }
    }

    /// A trade at the mark with another holder.
    fn fill(&mut self, account: u64, instrument: InstrumentId, side: Side) -> Command {
        let holders = &self.holders[instrument.index()];
        let met = u64::from(holders[self.random.below(holders.len() as u64) as usize]);
        let price = self.walk.marks[instrument.index()];
        let notional = draw_notional(&mut self.random) / FILL_PART;
        Command::Fill(Fill {
            account,
            counterparty: Some(met).filter(|&met| met != account),
            order: None,
            counter_order: None,
            instrument,
            side,
            quantity: lots(&self.outline.market, instrument, notional, price),
            price,
            liquidity: Some(Liquidity::Taker),
            position_side: None,
            counter_position_side: None,
        })
    }

    fn order(&mut self, account: u64, instrument: InstrumentId, side: Side) -> Command {
        self.order += 1;
        self.orders.push_back((account, self.order));
        let off = match side {
            Side::Buy => PPB - OFF_PPB,
            Side::Sell => PPB + OFF_PPB,
        };
        let mark = self.walk.marks[instrument.index()];
        let price = mul_div_floor(i128::from(mark), i128::from(off), i128::from(PPB)).max(1) as Price;
        let notional = draw_notional(&mut self.random) / FILL_PART;
        Command::Order(Order {
            account,
            order: self.order,
            instrument,
            side,
            quantity: lots(&self.outline.market, instrument, notional, price),
            price,
            reduce_only: false,
            position_side: None,
        })
    }
}

/// As many lots as a notional pays for, one at least.
fn lots(market: &Market, instrument: InstrumentId, notional: i128, price: Price) -> i64 {
    market.instrument(instrument).lots_within(notional, price).max(1)
}
