//! A shard: the accounts of one writer, their pools, and the bands that watch them.
//!
//! Plain single-threaded code without I/O, clock or lock. Which shard an account lives in never shows in an event:
//! whoever drives several of them merges their findings in the order of accounts.

mod adaptive;
mod answers;
mod bands;
mod booking;
mod calls;
mod carry_out;
mod commands;
mod corrections;
mod deleverage;
mod edges;
mod ended;
mod examine;
mod floor;
mod foresight;
mod groups;
mod holds;
mod jobs;
mod liq_price;
mod liquidation;
mod lookup;
mod margin;
mod mark_levels;
mod memory;
mod modes;
mod orders;
mod portfolios;
mod preview;
mod quiet;
mod reports;
mod score_bounds;
mod score_estimates;
mod score_rates;
mod scores;
#[cfg(feature = "journal")]
mod snapshot;
pub(crate) mod state_hash;
mod statement;
mod store;
mod sweep;
mod turns;
mod view;
mod work;

pub(crate) use booking::FillSide;
pub(crate) use calls::Called;
pub(crate) use carry_out::fees;
pub(crate) use deleverage::{Candidate, Grade, is_profitable};
pub(crate) use ended::ENDED_KEPT;
pub use foresight::Foresight;
pub(crate) use groups::{Place, locate};
pub(crate) use liquidation::{Advance, Claim, OrderRequest, Urgency};
pub use margin::Margin;
pub(crate) use mark_levels::{Bits, LEVELS, MarkLevels};
pub use memory::Memory;
pub(crate) use portfolios::Portfolios;
pub(crate) use preview::Breaches;
pub use preview::{Preview, PreviewPool};
pub(crate) use reports::{OrderFill, Outbox, Report};
pub(crate) use score_bounds::{Behind, Bounded, Edge, Ranked, Ranking};
#[cfg(feature = "journal")]
pub(crate) use snapshot::{Holds, SavedAccount, SavedJob, is_position};
pub use statement::Statement;
pub(crate) use statement::for_each_statement;
pub(crate) use store::AssetSums;
pub use view::{AccountView, LadderRung, OrderView, PoolView, PositionView};
pub use work::Work;

use crate::command::{PositionMode, PositionSide};
use crate::event::{Events, PoolName};
use crate::map::Map;
use crate::market::{AssetId, InstrumentId, Market};
use crate::number::Quantity;
use crate::position::Position;
use bands::Bands;
use ended::EndedOrders;
use floor::Ranges;
use foresight::Sight;
use groups::Groups;
use jobs::JobShare;
use liquidation::Liquidation;
use lookup::Lookup;
use margin::Leg;
use store::{Account, Holding, NONE, OpenOrder, OrderBook, Pool};
use sweep::Sweep;
use turns::Turns;

/// How a shard finds the pools that a mark puts in breach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// By the edges of trigger bands: work only where a mark crosses one.
    Bands,
    /// By a lower bound of every pool's excess, which each mark moves along a column of its holders: the strongest scan.
    Sweep,
    /// By evaluating every pool that holds the instrument at each of its marks: what other engines do, kept as reference and
    /// rival.
    Dense,
    /// By bands; pools that are crossed by the hundred are swept until it is calm again.
    #[default]
    Adaptive,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Bands, Self::Sweep, Self::Dense, Self::Adaptive];

    /// Its name, as it is given on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bands => "bands",
            Self::Sweep => "sweep",
            Self::Dense => "dense",
            Self::Adaptive => "adaptive",
        }
    }
}

/// How a shard finds breaches: by a strategy, or by being told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finder {
    Strategy(Strategy),
    Foresight,
}

impl Finder {
    /// Whether it sets edges.
    #[inline]
    fn sets_edges(self) -> bool {
        matches!(self, Self::Strategy(Strategy::Bands | Strategy::Adaptive))
    }

    /// Whether pools are swept.
    #[inline]
    fn sweeps(self) -> bool {
        matches!(self, Self::Strategy(Strategy::Sweep | Strategy::Adaptive))
    }

    /// There is room to sweep one in so many pools: what a storm crosses beyond that keeps its edges.
    #[inline]
    fn swept_part(self) -> usize {
        if self == Self::Strategy(Strategy::Adaptive) { SWEPT_PART } else { 1 }
    }
}

/// By `adaptive`: the storms of the benches sweep as many as with room for all, and it is a quarter of the memory.
const SWEPT_PART: usize = 4;

/// Pools that one input can put in breach before the lists for them grow.
pub(crate) const BURST: usize = 1 << 16;

/// How many records to make room for at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// Accounts, each with one pool: what more of them isolated positions and further assets need grows as they open.
    pub accounts: usize,
    /// Positions over all accounts.
    pub positions: usize,
    /// Open orders over all accounts.
    pub orders: usize,
}

/// All shards of a kernel. Each has an address of its own, so that it changes hands without being moved.
pub(crate) type Shards = Vec<Box<Shard>>;

/// A pool that needs attention in the present round, ordered as the rounds walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Attention {
    pub(crate) account: u64,
    pub(crate) name: PoolName,
    pub(crate) shard: u32,
    pub(crate) pool: u32,
}

/// An unlocked pool in breach, and what it was found to be worth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Breached {
    pub(crate) attention: Attention,
    pub(crate) margin: Margin,
}

/// What the touched pools of a shard turned out to need.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Unlocked, and in breach.
    pub(crate) breached: Vec<Breached>,
    /// Locked, and waiting for nothing.
    pub(crate) ready: Vec<Attention>,
    /// Unlocked, not in breach, and past a level of margin calls.
    pub(crate) called: Vec<Called>,
}

impl Findings {
    pub(crate) fn with_capacity(pools: usize) -> Self {
        Self { breached: Vec::with_capacity(pools), ready: Vec::with_capacity(pools), called: Vec::new() }
    }
}

/// The accounts of one writer.
#[derive(Debug)]
pub(crate) struct Shard {
    number: u32,
    /// How many shards there are.
    shards: u32,
    finder: Finder,
    sight: Sight,
    accounts: Vec<Account>,
    lookup: Lookup,
    turns: Turns,
    groups: Groups,
    /// As the market's jobs: what is kept of them here.
    jobs: Vec<JobShare>,
    pools: Vec<Pool>,
    ranges: Ranges,
    holdings: Vec<Holding>,
    books: Vec<OrderBook>,
    orders: Vec<OpenOrder>,
    /// Head of the list of order records that are free.
    free_order: u32,
    /// By instrument: the holdings with a position.
    holders: Vec<Vec<u32>>,
    /// By instrument: holdings, with a position or without.
    holdings_in: Vec<usize>,
    /// By instrument: lots of all long positions.
    long_lots: Vec<i64>,
    /// The same as it was at the last `time`.
    lots_at_time: Vec<i64>,
    /// By instrument: what the venue can still fill of liquidation orders, in lots.
    in_flight: Vec<i64>,
    bands: Bands,
    sweep: Sweep,
    /// Whether a mark has crossed so many edges that their pools are to be swept.
    storm: bool,
    /// Marks since one let more than a few pools be looked at.
    calm_marks: usize,
    /// Kept for their room: positions of the pool that was evaluated last, holdings whose edges a mark crossed, those of them that were left behind, pools whose
    /// bounds it let fall below zero.
    legs: Vec<Leg>,
    crossed: Vec<u32>,
    left_behind: Vec<u32>,
    below: Vec<u32>,
    liquidations: Vec<Liquidation>,
    free_liquidations: Vec<u32>,
    /// Orders that ended with lots that the venue may have filled.
    ended: EndedOrders,
    /// By account and id: money put aside.
    holds: Map<(u32, u64), (AssetId, i64)>,
    /// By asset.
    sums: Vec<AssetSums>,
    /// What balances, margins, positions and holds come to ([`state_hash`]), if that is kept.
    state: Option<u64>,
    /// Pools that wait for the fills before their cancellation.
    awaiting_executions: u32,
    /// Locked pools to walk at the next decision.
    undecided: Vec<u32>,
    /// Locked pools whose next step a mode holds back.
    held_back: Vec<u32>,
    /// Pools to look at before the next input.
    touched: Vec<u32>,
    /// Whether any pool was touched since the last decision.
    stirred: bool,
    /// Kept for their room.
    found: Findings,
    told: Events,
    /// Pools that changed since queues of deleveraging last heard of it, once each; noted while any queue lives.
    changed: Vec<u32>,
    notes_changes: bool,
    /// Exact evaluations of a pool so far.
    evaluations: u64,
    /// Orders that were decided by the exact computation.
    exact_orders: u64,
}

impl Shard {
    pub(crate) fn new(number: u32, shards: u32, strategy: Strategy, capacity: Capacity) -> Self {
        let burst = capacity.accounts.min(BURST);
        let mut shard = Self {
            number,
            shards,
            finder: Finder::Strategy(strategy),
            sight: Sight::default(),
            accounts: Vec::with_capacity(capacity.accounts),
            lookup: Lookup::with_capacity(capacity.accounts, capacity.positions, capacity.orders),
            turns: Turns::with_capacity(capacity.accounts),
            groups: Groups::default(),
            jobs: Vec::new(),
            pools: Vec::with_capacity(capacity.accounts),
            ranges: Ranges::default(),
            holdings: Vec::with_capacity(capacity.positions),
            books: Vec::with_capacity(capacity.orders),
            orders: Vec::with_capacity(capacity.orders),
            free_order: NONE,
            holders: Vec::new(),
            holdings_in: Vec::new(),
            long_lots: Vec::new(),
            lots_at_time: Vec::new(),
            in_flight: Vec::new(),
            bands: Bands::new(capacity.positions),
            sweep: Sweep::default(),
            storm: false,
            calm_marks: 0,
            legs: Vec::new(),
            crossed: Vec::new(),
            left_behind: Vec::new(),
            below: Vec::new(),
            liquidations: Vec::with_capacity(burst),
            free_liquidations: Vec::with_capacity(burst),
            ended: EndedOrders::with_capacity(burst),
            holds: Map::default(),
            sums: Vec::new(),
            state: None,
            awaiting_executions: 0,
            undecided: Vec::with_capacity(burst),
            held_back: Vec::new(),
            touched: Vec::with_capacity(capacity.accounts), // each pool once
            stirred: false,
            found: Findings::with_capacity(burst),
            told: Vec::with_capacity(16),
            changed: Vec::new(),
            notes_changes: false,
            evaluations: 0,
            exact_orders: 0,
        };
        if shard.finder.sweeps() {
            shard.sweep = Sweep::with_capacity(capacity.accounts.div_ceil(shard.finder.swept_part()));
        }
        shard
    }

    /// Makes room for one more asset.
    pub(crate) fn add_asset(&mut self) {
        self.sums.push(AssetSums::default());
    }

    /// What came in, left and is held, of an asset.
    pub(crate) fn sums(&self, asset: AssetId) -> AssetSums {
        self.sums[asset.index()]
    }

    /// Its number among the shards.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Whether any pool was touched since this was asked last.
    pub(crate) fn take_stirred(&mut self) -> bool {
        std::mem::take(&mut self.stirred)
    }

    /// Makes room for one more instrument.
    pub(crate) fn add_instrument(&mut self) {
        self.holders.push(Vec::new());
        self.holdings_in.push(0);
        self.long_lots.push(0);
        self.lots_at_time.push(0);
        self.in_flight.push(0);
        self.bands.add_instrument();
        self.sweep.add_instrument();
        self.legs.reserve(self.holders.len() * 2); // an account may hold both legs of each
        self.ranges.add_instrument();
    }

    /// Lots of all long positions in an instrument.
    #[inline]
    pub(crate) fn long_lots(&self, instrument: InstrumentId) -> i64 {
        self.long_lots[instrument.index()]
    }

    /// A `time` has come: the open interest that limits count is that of now.
    pub(crate) fn note_time(&mut self) {
        self.lots_at_time.copy_from_slice(&self.long_lots);
    }

    /// Lots of all long positions in an instrument at the last `time`.
    pub(crate) fn lots_at_time(&self, instrument: InstrumentId) -> i64 {
        self.lots_at_time[instrument.index()]
    }

    /// By how many lots a fill of signed `quantity` makes an account's long positions larger; negative: smaller. `first` is
    /// its first holding in the instrument.
    pub(crate) fn long_growth(&self, first: Option<u32>, side: Option<PositionSide>, quantity: Quantity) -> Quantity {
        let holding = first.map(|first| self.leg(first, side));
        let position = holding.map_or(Position::default(), |holding| self.holdings[holding as usize].position);
        let (closing, opening) = position.split(quantity);
        opening.max(0) - if position.quantity > 0 { closing } else { 0 }
    }

    /// Whether an account is in hedge mode.
    pub(crate) fn hedges(&self, account: u32) -> bool {
        self.accounts[account as usize].positions == PositionMode::Hedge
    }

    /// The account that a pool belongs to.
    pub(crate) fn account_of(&self, pool: u32) -> u64 {
        self.accounts[self.pools[pool as usize].account as usize].id
    }

    /// Orders that were decided by the exact computation of what is available, so far.
    pub(crate) fn exact_orders(&self) -> u64 {
        self.exact_orders
    }

    /// Whether any pool waits to be examined.
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        self.touched.is_empty()
    }

    fn attention(&self, pool: u32) -> Attention {
        let record = &self.pools[pool as usize];
        let account = self.accounts[record.account as usize].id;
        Attention { account, name: record.name, shard: self.number, pool }
    }

    fn evaluate_counted(&mut self, market: &Market, pool: u32) -> Margin {
        self.evaluations += 1;
        self.evaluate(market, pool)
    }

    /// Puts a pool on the list of those to look at before the next input.
    fn touch(&mut self, pool: u32) {
        self.stirred = true;
        let record = &mut self.pools[pool as usize];
        if !record.touched {
            record.touched = true;
            self.touched.push(pool);
        }
    }
}
