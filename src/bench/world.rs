//! A world: a kernel full of accounts that have been trading for months.
//!
//! It is made through the kernel's public commands alone, so that what it costs later is what a venue's would:
//!
//! 1. Assets, instruments and accounts are declared while everything is halted: no mark lives, so nothing is in breach.
//! 2. Age by age, positions are filled at the prices of their time, each against somebody who wants the other side: as
//!    many lots are long as are short, and an account's positions lie apart in memory.
//! 3. Collateral puts every pool at its drawn distance from liquidation at the present marks, from tight to far.
//! 4. The halt ends: all marks live at once, and every pool is evaluated.
//!
//! What is drawn from which distribution: [`describe`](super::describe). Instruments are those of `terrace replay`:
//! linear, settled in USDT, with `marginal` margin tables of 11 and 12 rows, up to 125×.

use super::census::{AGES, Census, Wish, draw_distance};
use super::error::BenchError;
use crate::command::{Command, Fill, MarginMode, Order, PositionMode, Side};
use crate::controls::{Mode, Scope};
use crate::decimal::{Decimal, OnGrid};
use crate::event::Event;
use crate::kernel::{self, Kernel};
use crate::market::{AssetId, FundId, InstrumentId, Market};
use crate::number::{LEVERAGE_ONE, LIMIT, PPB, Price, Quantity, mul_div_floor};
use crate::refusal::Refusal;
use crate::replay::instruments::{Terms, declare};
use crate::replay::population::{FREE_PERCENT, Need, draw_notional};
use crate::replay::random::Random;
use crate::shard::{Capacity, Strategy};
use crate::venue::VenueMode;
use std::collections::VecDeque;

/// The asset that everything settles in, and its fund.
pub(super) const ASSET: AssetId = AssetId(0);
const FUND: FundId = FundId(0);

/// The most accounts: beyond it no machine of today has the memory.
pub const MAX_ACCOUNTS: u64 = 50_000_000;

/// The most instruments.
pub const MAX_INSTRUMENTS: u32 = 4_096;

/// The largest part of the drawn distances.
const MAX_DISTANCE_PERCENT: u64 = 100_000;

/// The head, by the names whose contracts `terrace replay` knows, with prices of early 2025.
const HEAD: [(&str, u64); 3] = [("BTCUSDT", 87_232), ("ETHUSDT", 2_059), ("SOLUSDT", 143)];

/// Entry prices lie so far about the price of their time, in parts per billion: 1 %.
const ABOUT_PPB: u64 = 10_000_000;

/// And at most so far from the present one, over the higher leverage of the two sides: half of the margin of either.
const OVER_LEVERAGE_PPB: u64 = 500_000_000;

/// One account in so many has an open order, so far from the mark, in parts per billion: 3 %.
const ORDERS: u64 = 8;
const ORDER_PPB: u64 = 30_000_000;

/// Positions between two reports of progress.
const PROGRESS: u64 = 1 << 16;

/// Streams beside those of the accounts.
const TRADES: u64 = 0x5452_4144_4553_0000;
const ORDER_STREAM: u64 = 0x4F52_4445_5253_0000;

/// What a world is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorldSettings {
    /// Accounts 1 to this; at most [`MAX_ACCOUNTS`].
    pub accounts: u64,
    /// From 1 to [`MAX_INSTRUMENTS`].
    pub instruments: u32,
    /// Of all draws.
    pub seed: u64,
    /// What the fund has, in parts per million of the open interest at the marks; at most 2^61 quanta.
    pub fund_ppm: u64,
    /// How far pools are from liquidation, in percent of what is drawn.
    pub distance_percent: u64,
    /// Where liquidation orders go.
    pub venue: VenueMode,
    /// Accounts that a settlement books at a time, at least 1: a tick waits for so many.
    pub chunk: u32,
    /// Shards of the kernel.
    pub shards: u32,
    /// How the kernel finds breaches. No event depends on it.
    pub strategy: Strategy,
}

impl Default for WorldSettings {
    /// 100 000 accounts in 500 instruments behind a fund that bears all: what is measured is who is found and closed.
    fn default() -> Self {
        Self {
            accounts: 100_000,
            instruments: 500,
            seed: 1,
            fund_ppm: 1_000_000,
            distance_percent: 100,
            venue: VenueMode::Mark,
            chunk: 16,
            shards: 1,
            strategy: Strategy::default(),
        }
    }
}

impl WorldSettings {
    /// A drawn distance from liquidation, as these settings would have it.
    fn scaled(&self, distance: u64) -> u64 {
        distance * self.distance_percent / 100
    }
}

/// What came out of the draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorldTotals {
    /// Positions of accounts.
    pub positions: u64,
    /// Of these, with a margin of their own.
    pub isolated: u64,
    /// Accounts that hold the first instrument.
    pub head: u64,
    /// The most positions of an account.
    pub most: u64,
    /// Open orders.
    pub orders: u64,
    /// Notional of all long positions at the marks, in quanta.
    pub open_interest: i128,
}

/// What is known of a world from outside: enough to draw commands over it.
#[derive(Clone, Debug)]
pub struct Outline {
    /// What it was made from.
    pub settings: WorldSettings,
    /// By instrument: its mark at the start, in ticks.
    pub marks: Vec<Price>,
    /// What it holds.
    pub totals: WorldTotals,
    pub(super) census: Census,
    pub(super) market: Market,
}

impl Outline {
    /// The instruments that an account wants positions in, with the side of each; nearly all of them it has.
    #[must_use]
    pub fn wishes(&self, account: u64) -> Vec<(InstrumentId, Side)> {
        let mut wishes = Vec::new();
        self.census.account(account as u32, &mut wishes); // accounts are fewer than 2^32
        wishes.iter().map(|wish| (InstrumentId(u32::from(wish.instrument)), wish.side())).collect()
    }
}

/// A kernel full of accounts.
#[derive(Debug)]
pub struct World {
    /// The kernel, before any tick: to be run inline, or by an [`Engine`](crate::engine::Engine).
    pub kernel: Kernel,
    /// What is known of it from outside.
    pub outline: Outline,
}

impl World {
    /// Makes a world. `progress` hears how many positions are done, of all.
    ///
    /// # Errors
    ///
    /// Settings out of range; a world that is too large for its numbers.
    pub fn build(settings: &WorldSettings, progress: &mut dyn FnMut(u64, u64)) -> Result<Self, BenchError> {
        check(settings)?;
        let (mut loader, wishes) = Loader::new(settings)?;
        let all = wishes.iter().map(|age| age.len() as u64).sum();
        let mut done = 0;
        for age in wishes {
            for wish in age {
                loader.meet(wish).map_err(BenchError::refused("a position"))?;
                done += 1;
                if done % PROGRESS == 0 {
                    progress(done, all);
                }
            }
        }
        loader.endow().map_err(BenchError::refused("collateral"))?;
        loader.come_to_life()?;
        loader.order()?;
        progress(all, all);
        let Loader { kernel, settings, marks, totals, census, .. } = loader;
        let market = kernel.market().clone();
        Ok(Self { kernel, outline: Outline { settings, marks, totals, census, market } })
    }
}

pub(super) fn check(settings: &WorldSettings) -> Result<(), BenchError> {
    let setting = |what: String| Err(BenchError::Setting(what));
    if !(2..=MAX_ACCOUNTS).contains(&settings.accounts) {
        return setting(format!("{} accounts: expected from 2 to {MAX_ACCOUNTS}", settings.accounts));
    }
    if !(1..=MAX_INSTRUMENTS).contains(&settings.instruments) {
        return setting(format!("{} instruments: expected from 1 to {MAX_INSTRUMENTS}", settings.instruments));
    }
    if settings.distance_percent > MAX_DISTANCE_PERCENT {
        return setting(format!("{}% distance: expected at most {MAX_DISTANCE_PERCENT}%", settings.distance_percent));
    }
    if settings.chunk == 0 {
        return setting("0 accounts a piece of a settlement: expected at least 1".into());
    }
    if settings.shards == 0 {
        return setting("0 shards: expected at least 1".into());
    }
    Ok(())
}

/// What an account's cross positions need together, in quanta. Kept narrow: there are as many as accounts.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    maintenance: i64,
    initial: i64,
    unrealised: i64,
}

struct Loader {
    kernel: Kernel,
    settings: WorldSettings,
    census: Census,
    marks: Vec<Price>,
    /// By instrument and age, in parts per billion of the mark.
    walks: Vec<[u64; AGES]>,
    /// By instrument: who lacks a counterparty, all of one side, first come first served.
    waiting: Vec<VecDeque<Wish>>,
    /// By account, from account 1 on.
    sums: Vec<Sum>,
    random: Random,
    totals: WorldTotals,
}

impl Loader {
    /// Draws what everybody wants, by age, and makes a kernel that has room for it.
    fn new(settings: &WorldSettings) -> Result<(Self, [Vec<Wish>; AGES]), BenchError> {
        let census = Census::new(settings.seed, settings.instruments);
        let mut wishes = [const { Vec::new() }; AGES];
        let mut own = Vec::new();
        let mut totals = WorldTotals::default();
        for account in 1..=settings.accounts as u32 {
            own.clear();
            census.account(account, &mut own);
            totals.most = totals.most.max(own.len() as u64);
            for wish in &own {
                wishes[usize::from(wish.age)].push(*wish);
            }
        }
        let capacity = Capacity {
            accounts: settings.accounts as usize,
            positions: wishes.iter().map(Vec::len).sum(),
            orders: (settings.accounts / ORDERS) as usize,
        };
        let mut kernel =
            Kernel::new(kernel::Settings { shards: settings.shards, strategy: settings.strategy, capacity });
        let marks = declare_all(&mut kernel, settings)?;
        let loader = Self {
            kernel,
            settings: *settings,
            walks: (0..settings.instruments).map(|at| census.walk(at)).collect(),
            waiting: vec![VecDeque::new(); marks.len()],
            marks,
            sums: vec![Sum::default(); settings.accounts as usize],
            random: Random::stream(settings.seed ^ TRADES, 0),
            totals,
            census,
        };
        Ok((loader, wishes))
    }

    /// Fills what is wanted, if somebody wants the other side; else it waits.
    fn meet(&mut self, wish: Wish) -> Result<(), Refusal> {
        let waiting = &mut self.waiting[usize::from(wish.instrument)];
        match waiting.front().copied().filter(|first| first.long != wish.long) {
            None => waiting.push_back(wish),
            Some(first) => {
                waiting.pop_front();
                self.trade(wish, first)?;
            }
        }
        Ok(())
    }

    fn trade(&mut self, taker: Wish, maker: Wish) -> Result<(), Refusal> {
        let id = InstrumentId(u32::from(taker.instrument));
        let mark = self.marks[id.index()];
        let notional = draw_notional(&mut self.random);
        let instrument = self.kernel.market().instrument(id);
        let quantity = instrument.lots_within(notional, mark).max(1);
        let most = instrument.max_leverage(quantity, instrument.notional(quantity, mark));
        let leverage = |wish: Wish| (u32::from(wish.leverage) * LEVERAGE_ONE).min(most);
        let price = self.entry(taker, leverage(taker).max(leverage(maker)));
        for wish in [taker, maker] {
            let account = u64::from(wish.account);
            if wish.mode == MarginMode::Isolated {
                self.kernel.apply(&Command::MarginMode { account, instrument: id, mode: wish.mode })?;
                self.totals.isolated += 1;
            }
            self.kernel.apply(&Command::Leverage { account, instrument: id, leverage: leverage(wish) })?;
        }
        self.kernel.apply(&Command::Fill(Fill {
            account: u64::from(taker.account),
            counterparty: Some(u64::from(maker.account)),
            order: None,
            counter_order: None,
            instrument: id,
            side: taker.side(),
            quantity,
            price,
            liquidity: None,
            position_side: None,
            counter_position_side: None,
        }))?;
        self.totals.positions += 2;
        self.totals.head += if id.0 == 0 { 2 } else { 0 };
        self.totals.open_interest += self.kernel.market().instrument(id).notional(quantity, mark);
        for wish in [taker, maker] {
            let need = self.need(id, wish.side().signed(quantity), price, leverage(wish));
            match wish.mode {
                MarginMode::Isolated => self.margin(wish.account, id, need)?,
                MarginMode::Cross => {
                    let sum = &mut self.sums[wish.account as usize - 1];
                    sum.maintenance += need.maintenance as i64; // of at most 300 positions of some millions each
                    sum.initial += need.initial as i64;
                    sum.unrealised += need.unrealised as i64;
                }
            }
        }
        Ok(())
    }

    /// A price of the taker's age, in ticks; where the higher leverage would not have borne it, one nearer to the mark.
    fn entry(&mut self, taker: Wish, leverage: u32) -> Price {
        let then = self.walks[usize::from(taker.instrument)][usize::from(taker.age)];
        let drawn = then * (PPB - ABOUT_PPB + self.random.below(2 * ABOUT_PPB + 1)) / PPB; // `then` is below 2 · 10^9
        let bound = OVER_LEVERAGE_PPB * u64::from(LEVERAGE_ONE) / u64::from(leverage.max(LEVERAGE_ONE));
        let factor = if drawn.abs_diff(PPB) > bound { PPB - bound + self.random.below(2 * bound + 1) } else { drawn };
        let mark = self.marks[usize::from(taker.instrument)];
        mul_div_floor(i128::from(mark), i128::from(factor), i128::from(PPB)).max(1) as Price
    }

    /// What a position needs at the mark.
    fn need(&self, id: InstrumentId, quantity: Quantity, price: Price, leverage: u32) -> Need {
        let instrument = self.kernel.market().instrument(id);
        let at_mark = instrument.valuation(quantity, self.marks[id.index()]);
        Need {
            maintenance: instrument.maintenance_margin(quantity, at_mark.notional),
            initial: instrument.initial_margin(quantity, at_mark.notional, leverage),
            unrealised: at_mark.value - instrument.cost(quantity, price),
            frozen: 0,
        }
    }

    /// The margin of an isolated position, and a balance beside it.
    fn margin(&mut self, account: u32, instrument: InstrumentId, need: Need) -> Result<(), Refusal> {
        let account = u64::from(account);
        let margin = need.at_distance(self.settings.scaled(draw_distance(&mut self.random)));
        let free = mul_div_floor(margin, i128::from(self.random.below(FREE_PERCENT + 1)), 100);
        self.kernel.apply(&Command::Deposit { account, asset: ASSET, amount: amount(margin + free)? })?;
        let amount = amount(margin)?;
        self.kernel.apply(&Command::IsolatedMargin { account, instrument, amount, position_side: None })
    }

    /// Pays in what every cross pool needs to stand at its drawn distance from liquidation.
    fn endow(&mut self) -> Result<(), Refusal> {
        for (index, sum) in self.sums.iter().enumerate().filter(|(_, sum)| sum.maintenance > 0) {
            let account = index as u64 + 1;
            let [maintenance, initial, unrealised] = [sum.maintenance, sum.initial, sum.unrealised].map(i128::from);
            let need = Need { maintenance, initial, unrealised, frozen: 0 };
            let collateral = need
                .at_distance(self.settings.scaled(draw_distance(&mut Random::stream(!self.settings.seed, account))));
            let amount = amount(collateral)?;
            self.kernel.apply(&Command::Deposit { account, asset: ASSET, amount })?;
        }
        Ok(())
    }

    /// Marks, funds, and the end of the halt.
    fn come_to_life(&mut self) -> Result<(), BenchError> {
        for (index, &price) in self.marks.iter().enumerate() {
            let mark = Command::Mark { instrument: InstrumentId(index as u32), price };
            self.kernel.apply(&mark).map_err(BenchError::refused("a mark"))?;
        }
        let funds = mul_div_floor(self.totals.open_interest, i128::from(self.settings.fund_ppm), 1_000_000);
        let funds = funds.min(LIMIT / 2); // a balance is below the limit, also with what it earns
        if funds > 0 {
            let amount = amount(funds).map_err(BenchError::refused("the fund"))?;
            let deposit = Command::FundDeposit { fund: FUND, amount };
            self.kernel.apply(&deposit).map_err(BenchError::refused("the fund"))?;
        }
        let begin = Command::Mode { scope: Scope::All, mode: Mode::Normal };
        self.kernel.apply(&begin).map_err(BenchError::refused("the end of the halt"))?;
        let started = |event: &&Event| matches!(event, Event::LiquidationStarted { .. });
        match self.kernel.events().iter().filter(started).count() {
            0 => self.kernel.set_venue(None, self.settings.venue).map_err(BenchError::refused("the venue")),
            count => Err(BenchError::World(format!("{count} pools begin in liquidation"))),
        }
    }

    /// Open orders off the marks, of those who can pay for them.
    fn order(&mut self) -> Result<(), BenchError> {
        let mut own = Vec::new();
        for account in (1..=self.settings.accounts as u32).step_by(ORDERS as usize) {
            let mut random = Random::stream(self.settings.seed ^ ORDER_STREAM, u64::from(account));
            own.clear();
            self.census.account(account, &mut own);
            let wish = own[random.below(own.len() as u64) as usize];
            let id = InstrumentId(u32::from(wish.instrument));
            let instrument = self.kernel.market().instrument(id);
            let off = if wish.long { PPB - ORDER_PPB } else { PPB + ORDER_PPB };
            let mark = i128::from(self.marks[id.index()]);
            let price = mul_div_floor(mark, i128::from(off), i128::from(PPB)).max(1) as Price;
            let order = Command::Order(Order {
                account: u64::from(account),
                order: 1,
                instrument: id,
                side: wish.side(),
                quantity: instrument.lots_within(draw_notional(&mut random), price).max(1),
                price,
                reduce_only: false,
                position_side: None,
            });
            match self.kernel.apply(&order) {
                Ok(()) => self.totals.orders += 1,
                Err(Refusal::InsufficientMargin { .. } | Refusal::BeyondLastTier { .. }) => {}
                Err(refusal) => return Err(BenchError::refused("an order")(refusal)),
            }
        }
        Ok(())
    }
}

/// The asset, the instruments, which are halted, and the accounts, without anything; the marks to come.
fn declare_all(kernel: &mut Kernel, settings: &WorldSettings) -> Result<Vec<Price>, BenchError> {
    let halt = Command::Mode { scope: Scope::All, mode: Mode::Halted };
    kernel.apply(&halt).map_err(BenchError::refused("the halt"))?;
    let mut marks = Vec::with_capacity(settings.instruments as usize);
    for number in 0..settings.instruments {
        let mut random = Random::stream(settings.seed ^ TRADES, u64::from(number) + 1);
        let (symbol, price) = if let Some((symbol, price)) = HEAD.get(number as usize) {
            ((*symbol).to_owned(), Decimal::new(i128::from(*price), 0))
        } else {
            let (digits, scale) = (random.between(100_000, 1_000_000), random.between(3, 9));
            (format!("C{number:04}USDT"), Decimal::new(i128::from(digits), scale as u32))
        };
        let terms = Terms { chunk: Some(settings.chunk), ..Terms::default() };
        let contract =
            declare(kernel, &symbol, price, terms).map_err(|error| BenchError::Setting(error.to_string()))?;
        let tick = kernel.market().instrument(contract.id).spec.tick;
        marks.push(tick.place(price).map_or(1, OnGrid::floor).max(1) as Price);
    }
    for account in 1..=settings.accounts {
        let declared = Command::Account { account, positions: PositionMode::OneWay, group: None };
        kernel.apply(&declared).map_err(BenchError::refused("an account"))?;
    }
    Ok(marks)
}

fn amount(quanta: i128) -> Result<i64, Refusal> {
    i64::try_from(quanta).map_err(|_| Refusal::Overflow { what: "a deposit" })
}
