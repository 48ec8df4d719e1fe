//! The course of a replay: what a report shows over time, kept in bounded memory however long the replay is.
//!
//! Prices and funds are kept as first, lowest, highest and last of each bucket of time, counts as sums; of the single
//! steps of liquidation the largest are kept. It is taken where the events are: inline while the ticks are carried out,
//! with threads while their record is gone through.

mod buckets;
mod largest;
mod ratios;

pub(crate) use buckets::{Buckets, Extremes};
pub(crate) use largest::{Largest, Marked};
pub use ratios::Ratios;
pub(crate) use ratios::TENTHS;

use crate::command::Side;
use crate::event::{Event, FundReason, Owner, Step};
use crate::kernel::Kernel;
use crate::market::{FundId, InstrumentId, Market};
use crate::number::{Price, Quantity};

/// What is counted over time, in the order of the terrace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tier,
    Fraction,
    All,
    Takeover,
    Adl,
    AdlInventory,
    Unwind,
    Deficit,
}

/// All kinds, with their words.
pub(crate) const KINDS: [(Kind, &str); 8] = [
    (Kind::Tier, "orders to the tier below"),
    (Kind::Fraction, "orders for a part"),
    (Kind::All, "orders for the rest"),
    (Kind::Takeover, "takeovers by the fund"),
    (Kind::Adl, "ADL trades for bankrupt pools"),
    (Kind::AdlInventory, "ADL trades for the fund"),
    (Kind::Unwind, "unwinding orders of the fund"),
    (Kind::Deficit, "deficits made good by the fund"),
];

/// The course of a replay.
#[derive(Clone, Debug)]
pub struct Course {
    /// The first tick, in nanoseconds since the epoch.
    origin_ns: Option<u64>,
    /// By [`Kind`].
    pub(crate) steps: Buckets<[u64; KINDS.len()]>,
    /// By instrument.
    pub(crate) instruments: Vec<InstrumentCourse>,
    /// By fund.
    pub(crate) funds: Vec<FundCourse>,
    /// Before the first tick, and after the last.
    pub(crate) ratios: [Ratios; 2],
}

/// The course of an instrument.
#[derive(Clone, Debug, Default)]
pub(crate) struct InstrumentCourse {
    /// In ticks: the mark in force.
    pub(crate) marks: Buckets<Extremes<Price>>,
    /// In ticks: what the mark would be without shocks.
    pub(crate) real: Buckets<Extremes<Price>>,
    /// Orders and takeovers of long pools, and of short ones.
    pub(crate) liquidated: Buckets<[u64; 2]>,
    /// The largest of these.
    pub(crate) largest: Largest,
    /// Deleveraging trades, and their lots.
    pub(crate) adl: Buckets<[u64; 2]>,
    pub(crate) adl_total: AdlTotal,
}

/// All deleveraging in an instrument; quantities in lots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AdlTotal {
    /// Deleveragings: bankrupt positions, or inventory, for which counterparties were looked for.
    pub(crate) claims: u64,
    pub(crate) trades: u64,
    pub(crate) needed: i128,
    pub(crate) reduced: i128,
    /// The largest that one counterparty gave.
    pub(crate) largest: Quantity,
}

/// The course of a fund, in quanta.
#[derive(Clone, Debug, Default)]
pub(crate) struct FundCourse {
    pub(crate) balance: Buckets<Extremes<i128>>,
    pub(crate) equity: Buckets<Extremes<i128>>,
}

impl Course {
    /// Before the first tick.
    pub(super) fn new(kernel: &Kernel) -> Self {
        let market = kernel.market();
        let mut course = Self {
            origin_ns: None,
            steps: Buckets::default(),
            instruments: vec![InstrumentCourse::default(); market.instruments.len()],
            funds: vec![FundCourse::default(); market.funds.len()],
            ratios: [Ratios::of(kernel.overview()); 2],
        };
        course.look_at_funds(kernel, 0);
        course
    }

    /// Nanoseconds after the first tick; the first time that is asked for is the first tick's.
    fn elapsed(&mut self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(*self.origin_ns.get_or_insert(now_ns))
    }

    /// What one input led to. `market` is as after it.
    pub(super) fn take(&mut self, market: &Market, now_ns: u64, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        let elapsed_ns = self.elapsed(now_ns);
        for event in events {
            if let Some(kind) = kind(event) {
                self.steps.at(elapsed_ns)[kind as usize] += 1;
            }
            if let Some((instrument, marked)) = marked(market, event, elapsed_ns) {
                let course = &mut self.instruments[instrument.index()];
                course.liquidated.at(elapsed_ns)[usize::from(!marked.long)] += 1;
                course.largest.add(marked);
            }
            match *event {
                Event::Mark { instrument, price, .. } => {
                    self.instruments[instrument.index()].marks.at(elapsed_ns).add(price);
                }
                Event::Deleveraged { instrument, quantity, .. } => {
                    let course = &mut self.instruments[instrument.index()];
                    course.adl_total.trades += 1;
                    let [trades, lots] = course.adl.at(elapsed_ns);
                    *trades += 1;
                    *lots = lots.saturating_add(quantity.unsigned_abs());
                }
                Event::AdlReport { instrument, needed, reduced, largest, .. } => {
                    let total = &mut self.instruments[instrument.index()].adl_total;
                    total.claims += 1;
                    total.needed += i128::from(needed);
                    total.reduced += i128::from(reduced);
                    total.largest = total.largest.max(largest);
                }
                _ => {}
            }
        }
    }

    /// Looks at an instrument's mark and at all funds after an input.
    pub(super) fn look(&mut self, kernel: &Kernel, now_ns: u64, instrument: Option<InstrumentId>) {
        let elapsed_ns = self.elapsed(now_ns);
        if let Some(id) = instrument
            && let Some(mark) = kernel.market().instrument(id).mark
        {
            self.instruments[id.index()].marks.at(elapsed_ns).add(mark);
        }
        self.look_at_funds(kernel, elapsed_ns);
    }

    fn look_at_funds(&mut self, kernel: &Kernel, elapsed_ns: u64) {
        for (index, course) in self.funds.iter_mut().enumerate() {
            if let Ok(view) = kernel.fund(FundId(index as u32)) {
                course.balance.at(elapsed_ns).add(view.balance);
                course.equity.at(elapsed_ns).add(view.equity);
            }
        }
    }

    /// After the last tick; `real` are the marks without shocks by instrument, of those that have any.
    pub(super) fn finish(mut self, kernel: &Kernel, real: RealMarks) -> Self {
        self.ratios[1] = Ratios::of(kernel.overview());
        for (course, real) in self.instruments.iter_mut().zip(real.0) {
            course.real = real;
        }
        self
    }
}

/// The marks without shocks, by instrument. They are taken where the data are read, since the kernel never sees them.
#[derive(Clone, Debug, Default)]
pub(super) struct RealMarks(Vec<Buckets<Extremes<Price>>>);

impl RealMarks {
    pub(super) fn new(instruments: usize) -> Self {
        Self(vec![Buckets::default(); instruments])
    }

    pub(super) fn add(&mut self, instrument: usize, elapsed_ns: u64, mark: Price) {
        self.0[instrument].at(elapsed_ns).add(mark);
    }
}

fn kind(event: &Event) -> Option<Kind> {
    Some(match *event {
        Event::LiquidationOrder { step: Step::Tier, .. } => Kind::Tier,
        Event::LiquidationOrder { step: Step::Fraction, .. } => Kind::Fraction,
        Event::LiquidationOrder { step: Step::All, .. } => Kind::All,
        Event::LiquidationOrder { step: Step::Unwind, .. } => Kind::Unwind,
        Event::Takeover { .. } => Kind::Takeover,
        Event::Deleveraged { owner: Owner::Account(_), .. } => Kind::Adl,
        Event::Deleveraged { owner: Owner::Fund, .. } => Kind::AdlInventory,
        Event::Fund { reason: FundReason::Deficit, .. } => Kind::Deficit,
        _ => return None,
    })
}

/// An order or a takeover of an account's position, as it is marked beside the price.
fn marked(market: &Market, event: &Event, elapsed_ns: u64) -> Option<(InstrumentId, Marked)> {
    let (instrument, account, long, quantity, step) = match *event {
        Event::LiquidationOrder { owner: Owner::Account(account), instrument, side, quantity, step, .. } => {
            (instrument, account, side == Side::Sell, quantity, Some(step))
        }
        Event::Takeover { account, instrument, quantity, .. } => {
            (instrument, account, quantity > 0, quantity.abs(), None)
        }
        _ => return None,
    };
    let at = market.instrument(instrument);
    let mark = at.mark?;
    let notional = at.notional(quantity, mark);
    Some((instrument, Marked { notional, elapsed_ns, account, long, quantity, mark, step }))
}
