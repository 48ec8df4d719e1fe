//! What every shard and the arbiter know alike: the assets, funds and instruments, and their present marks.
//!
//! A [`Market`] is plain replicated data: each worker may hold a copy of its own, kept equal by the same inputs.

use crate::airlock::{AirlockStep, Held};
use crate::command::{Command, MarkSource};
use crate::contract::Unit;
use crate::controls::{Controls, Mode, Scope};
use crate::correction::Remark;
use crate::decimal::Grid;
use crate::jobs::{DEFAULT_CHUNK, Job};
use crate::number::{PPB, Price, Quantity};
use crate::prices::{Change, PriceInput, PriceRules, Prices};
use crate::refusal::Refusal;
use crate::tiers::TierTable;
use crate::venue::VenueRules;
use std::sync::Arc;

/// Most characters of a name.
pub const MAX_NAME: usize = 32;

/// Whether a text may name an asset, a fund or an instrument.
pub(crate) fn is_name(text: &str) -> bool {
    is_word(text, MAX_NAME)
}

/// From 1 to `longest` characters of `A-Z`, `a-z`, `0-9`, `_ . : / -`: such a text stands in a line without escapes.
pub(crate) fn is_word(text: &str, longest: usize) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte);
    (1..=longest).contains(&text.len()) && text.bytes().all(allowed)
}

/// An asset, by order of declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct AssetId(pub u32);

/// An insurance fund, by order of declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct FundId(pub u32);

/// An instrument, by order of declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct InstrumentId(pub u32);

impl AssetId {
    /// As an index into a column by asset.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl FundId {
    /// As an index into a column by fund.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl InstrumentId {
    /// As an index into a column by instrument.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// An asset in which money is kept.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Its name, such as `USDT`.
    pub name: String,
    /// One unit is `10^decimals` quanta.
    pub decimals: u32,
    /// The fund that bears the deficits of its cross pools.
    pub fund: FundId,
}

/// When a fund counts as in drawdown: shares of the largest equity of the window, in parts per billion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct DrawdownRule {
    /// It begins at or below.
    pub start_ppb: u64,
    /// It ends above; at least `start_ppb`, below one.
    pub stop_ppb: u64,
    /// In nanoseconds of input time; at least 480.
    pub window_ns: u64,
}

impl DrawdownRule {
    /// Checks the shares and the window.
    ///
    /// # Errors
    ///
    /// Not `0 < start ≤ stop < 1`, or a window of less than 480 nanoseconds.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.start_ppb == 0 || self.stop_ppb < self.start_ppb || self.stop_ppb >= PPB {
            return Err(Refusal::BadDeclaration {
                what: "drawdown: start must be above 0, stop at least start and below 1",
            });
        }
        if self.window_ns < 480 {
            return Err(Refusal::BadDeclaration { what: "drawdown: the window must be at least 480 nanoseconds" });
        }
        Ok(())
    }
}

/// The settings of an insurance fund.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct FundSpec {
    /// Its name; an asset's own fund has the asset's.
    pub name: String,
    /// The asset it is kept in.
    pub asset: AssetId,
    /// The equity below which it takes no position over, in quanta.
    pub floor: i128,
    /// At least so many nanoseconds of input time lie between two unwinding orders of an instrument.
    pub unwind_interval_ns: u64,
    /// When it bears nothing more because of what it has lost; none: never.
    pub drawdown: Option<DrawdownRule>,
    /// Whether positions that gained make good what a deleveraging left it below zero.
    pub socialise: bool,
    /// While it has lost more than this within a minute, in quanta, the liquidation of its instruments is paused; none: never.
    pub max_loss_per_minute: Option<i128>,
}

impl FundSpec {
    /// A fund that has nothing but a name, with floor 0.
    #[must_use]
    pub fn new(name: String, asset: AssetId) -> Self {
        Self {
            name,
            asset,
            floor: 0,
            unwind_interval_ns: 0,
            drawdown: None,
            socialise: false,
            max_loss_per_minute: None,
        }
    }
}

/// Which reductions are tried before a takeover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct ReducePolicy {
    /// Close just enough to reach the tier below.
    pub tier: bool,
    /// Close this part, in parts per billion, of what there is; 0: do not.
    pub fraction_ppb: u64,
    /// Close all.
    pub all: bool,
    /// How much of it may be in flight at once; none: all of it.
    pub pacing: Option<Pacing>,
}

impl Default for ReducePolicy {
    fn default() -> Self {
        Self { tier: true, fraction_ppb: 0, all: true, pacing: None }
    }
}

/// How much liquidation quantity may be in flight at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum Pacing {
    /// So many lots.
    Lots(Quantity),
    /// A share of the visible depth, that of the thinner side, in parts per billion; at least one lot.
    DepthShare(u64),
}

impl Pacing {
    fn check(self) -> Result<(), Refusal> {
        match self {
            Self::Lots(lots) if lots < 1 => Err(Refusal::BadDeclaration { what: "pacing: lots must be at least 1" }),
            Self::DepthShare(share) if !(1..=PPB).contains(&share) => {
                Err(Refusal::BadDeclaration { what: "pacing: depth_share must be above 0 and at most 1" })
            }
            _ => Ok(()),
        }
    }
}

/// By what the other side is ranked for deleveraging; profitable positions always come before losing ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum AdlRank {
    /// Return times effective leverage (`BitMEX`, Bybit).
    #[default]
    PnlLeverage,
    /// Profit by balance or isolated margin, times the margin ratio (Binance).
    PnlMarginRatio,
    /// Mark by entry price, times notional by equity (Hyperliquid).
    ProfitNotional,
    /// Every profitable position gives the same share of its size.
    ProRata,
}

/// The price at which counterparties are deleveraged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub enum AdlPrice {
    /// Where closing costs the bankrupt pool exactly its equity.
    #[default]
    Bankruptcy,
    /// The mark: what the bankrupt pool has, or lacks, is the fund's.
    Mark,
}

/// How the other side is deleveraged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct AdlPolicy {
    /// In which order, or in which shares.
    pub rank: AdlRank,
    /// At which price.
    pub price: AdlPrice,
}

/// How funding is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct FundingRules {
    /// So many accounts are booked at one place of the sequence, in settlements and in changes of rules; at least 1.
    pub chunk: u32,
}

impl Default for FundingRules {
    fn default() -> Self {
        Self { chunk: DEFAULT_CHUNK }
    }
}

/// The rules of an instrument: a linear or inverse perpetual contract.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct InstrumentSpec {
    /// Its name, such as `BTCUSDT`.
    pub symbol: String,
    /// What its price is the price of, such as `BTC`.
    pub underlying: String,
    /// The asset in which it is margined and settled.
    pub settle: AssetId,
    /// The grid of prices.
    pub tick: Grid,
    /// The grid of quantities.
    pub lot: Grid,
    /// What one lot is worth at a price of one tick, and so what kind of contract it is.
    pub unit: Unit,
    /// Margin by notional.
    pub tiers: TierTable,
    /// In parts per billion; negative is a rebate.
    pub maker_fee_ppb: i64,
    /// In parts per billion; negative is a rebate.
    pub taker_fee_ppb: i64,
    /// Charged on liquidation fills, in parts per billion.
    pub liquidation_fee_ppb: i64,
    /// Whether the taker fee of closing is part of the maintenance margin.
    pub close_fee_in_mm: bool,
    /// How positions are reduced in a liquidation.
    pub reduce: ReducePolicy,
    /// How the other side is deleveraged.
    pub adl: AdlPolicy,
    /// The fund behind it, kept in the settlement asset.
    pub fund: FundId,
    /// How its index, its mark and its funding rate come about.
    pub prices: PriceRules,
    /// How funding is settled.
    pub funding: FundingRules,
    /// What holds it in.
    pub controls: Controls,
}

impl InstrumentSpec {
    /// A contract of `tick` and `lot` with these margins: no fees, all other rules as they are by default.
    #[must_use]
    pub fn new(
        symbol: &str,
        settle: AssetId,
        fund: FundId,
        (tick, lot): (Grid, Grid),
        unit: Unit,
        tiers: TierTable,
    ) -> Self {
        Self {
            symbol: symbol.to_owned(),
            underlying: symbol.to_owned(),
            settle,
            tick,
            lot,
            unit,
            tiers,
            maker_fee_ppb: 0,
            taker_fee_ppb: 0,
            liquidation_fee_ppb: 0,
            close_fee_in_mm: false,
            reduce: ReducePolicy::default(),
            adl: AdlPolicy::default(),
            fund,
            prices: PriceRules::default(),
            funding: FundingRules::default(),
            controls: Controls::default(),
        }
    }

    /// The fee that is part of the maintenance margin, in parts per billion: a rebate lowers none.
    #[must_use]
    #[inline]
    pub fn close_fee_ppb(&self) -> u64 {
        if self.close_fee_in_mm { u64::try_from(self.taker_fee_ppb).unwrap_or(0) } else { 0 }
    }

    /// Checks the numbers that no other type has checked.
    ///
    /// # Errors
    ///
    /// A grid finer or coarser than [`Grid::new`] makes them, a unit with a part below 1 or of 2^62 and more, a trading fee outside
    /// (−1, 1), a liquidation fee outside [0, 1), a fraction above 1, a margin that takes all of the notional with the fee
    /// that is part of it.
    pub fn check(&self) -> Result<(), Refusal> {
        let one = PPB as i64;
        if [self.tick, self.lot].iter().any(|grid| Grid::new(grid.step()).is_none()) {
            return Err(Refusal::BadDeclaration { what: "tick and lot must have at most 12 digits and 18 decimals" });
        }
        if !self.unit.is_valid() {
            return Err(Refusal::BadDeclaration { what: "the unit must be at least 1 and below 2^62 quanta" });
        }
        if [self.maker_fee_ppb, self.taker_fee_ppb].iter().any(|fee| fee.unsigned_abs() >= PPB) {
            return Err(Refusal::BadDeclaration { what: "maker_fee and taker_fee must be above -1 and below 1" });
        }
        if !(0..one).contains(&self.liquidation_fee_ppb) {
            return Err(Refusal::BadDeclaration { what: "liquidation_fee must be at least 0 and below 1" });
        }
        if self.reduce.fraction_ppb > PPB {
            return Err(Refusal::BadDeclaration { what: "fraction must be above 0 and at most 1" });
        }
        if self.tiers.check_close_fee(self.close_fee_ppb()).is_err() {
            return Err(Refusal::BadDeclaration {
                what: "the maintenance margin rate and the taker fee must be below 1",
            });
        }
        if self.funding.chunk == 0 {
            return Err(Refusal::BadDeclaration { what: "chunk must be at least 1" });
        }
        self.reduce.pacing.map_or(Ok(()), Pacing::check)?;
        self.controls.check()?;
        self.prices.check(self.tick)
    }
}

/// An instrument and what is known of its prices.
#[derive(Clone, Debug)]
pub struct Instrument {
    /// Its rules.
    pub spec: InstrumentSpec,
    /// The mark price at which positions are valued; none until the first, and as long the instrument counts as frozen.
    /// While it is frozen it is the last that lived.
    pub mark: Option<Price>,
    /// The last traded price: it liquidates nobody by itself.
    pub last: Option<Price>,
    /// What keeps the mark frozen.
    pub frozen: Frozen,
    /// The newest mark that came while it was frozen: taken when it lives.
    pub(crate) awaited: Option<Price>,
    /// The mark that waits in the airlock.
    pub(crate) held: Option<Held>,
    /// In the copy of who learns no verdict, the sequencer's: all marks that may be in force or wait lie between these.
    pub(crate) bounds: Option<(Price, Price)>,
    /// What may be done in it.
    pub mode: Mode,
    /// Its open interest in lots as of the last `time`, where its limits ask for it.
    pub(crate) open_interest: Quantity,
    /// While its rules change: the same under those that go, for accounts that have not gone over yet.
    pub(crate) before: Option<Box<Self>>,
    /// What its index and a computed mark are made of.
    pub(crate) prices: Prices,
}

impl Instrument {
    /// An instrument that has no price yet.
    #[must_use]
    pub fn new(spec: InstrumentSpec) -> Self {
        let prices = Prices::new(&spec.prices, spec.tick);
        // A computed mark waits for its index from the start.
        let frozen = if spec.prices.mark.is_computed() { Frozen(FreezeCause::Index as u8) } else { Frozen::default() };
        Self {
            spec,
            mark: None,
            last: None,
            frozen,
            awaited: None,
            held: None,
            bounds: None,
            before: None,
            prices,
            mode: Mode::Normal,
            open_interest: 0,
        }
    }

    /// The mark, if it lives: there is one, and nothing keeps it frozen. Nothing is liquidated at any other.
    #[must_use]
    #[inline]
    pub fn living_mark(&self) -> Option<Price> {
        if self.frozen.is_empty() { self.mark } else { None }
    }

    /// Whether its mark lives.
    #[must_use]
    #[inline]
    pub fn lives(&self) -> bool {
        self.living_mark().is_some()
    }

    /// From now on it has other rules; accounts go over to them one by one.
    ///
    /// How its prices come about changes for all at once; whether its index froze with that.
    pub(crate) fn change_rules(&mut self, spec: InstrumentSpec, now_ns: u64) -> bool {
        let before = Box::new(Self { before: None, ..self.clone() });
        self.spec = spec;
        let (from, to) = (&before.spec.prices, &self.spec.prices);
        let froze = from != to && self.prices.change_rules(from, to, self.spec.tick, now_ns);
        self.before = Some(before);
        froze
    }

    /// Takes the open interest down.
    pub(crate) fn set_open_interest(&mut self, lots: Quantity) {
        self.open_interest = lots;
        if let Some(before) = &mut self.before {
            before.open_interest = lots;
        }
    }

    /// What positions are valued by is the same before and after a change of rules.
    #[inline]
    pub(crate) fn carry_over(&mut self) {
        if let Some(before) = &mut self.before {
            (before.mark, before.frozen) = (self.mark, self.frozen);
        }
    }

    /// Of a price and the marks that positions may be valued at next, the one at which a lot is worth most: sizes are
    /// bounded there.
    #[must_use]
    pub(crate) fn dearest(&self, price: Price) -> Price {
        let mut given = self.dearer(self.dearer(price, self.mark), self.awaited);
        if self.held.is_some() || self.bounds.is_some() {
            let (low, high) = self.bounds.unzip();
            let held = self.held.map(|held| held.price);
            given = [held, low, high].into_iter().fold(given, |dearest, price| self.dearer(dearest, price));
        }
        match self.prices.index_bounds().filter(|_| self.spec.prices.mark.is_computed()) {
            None => given,
            Some((low, high)) => self.dearest_between(given, low, high),
        }
    }

    /// As [`Instrument::dearest`], also of all marks that may be computed from an index price, in steps of 10^-8.
    #[must_use]
    pub(crate) fn dearest_with_index(&self, price: i64) -> Price {
        let (low, high) = self.prices.index_bounds().unwrap_or((price, price));
        let (low, high) = (low.min(price), high.max(price));
        self.dearest_between(self.prices.mark_bounds(low, high).0, low, high)
    }

    /// Of the marks that positions may be valued at next under other rules, the one at which a lot is worth most; none
    /// where it has no mark and no index.
    pub(crate) fn dearest_under(&self, spec: &InstrumentSpec, now_ns: u64) -> Option<Price> {
        let mut changed = Self { before: None, ..self.clone() };
        changed.change_rules(spec.clone(), now_ns);
        let low = changed.prices.index_bounds().map(|(low, high)| changed.prices.mark_bounds(low, high).0);
        Some(changed.dearest(changed.mark.or(changed.awaited).or(low)?))
    }

    fn dearest_between(&self, price: Price, low: i64, high: i64) -> Price {
        let (lowest, highest) = self.prices.mark_bounds(low, high);
        self.dearer(self.dearer(price, Some(lowest)), Some(highest))
    }
}

/// Why a mark is frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FreezeCause {
    /// Its index is: too few venues are left.
    Index = 1,
    /// What it is made of is too old.
    Stale = 2,
    /// The instrument is halted.
    Halted = 4,
    /// A mark is held back by the airlock.
    Airlock = 8,
}

impl FreezeCause {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Index, Self::Stale, Self::Halted, Self::Airlock];

    /// The protocol's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Stale => "stale",
            Self::Halted => "halted",
            Self::Airlock => "airlock",
        }
    }
}

/// What keeps a mark frozen; several causes may hold at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frozen(u8);

impl Frozen {
    /// Whether nothing does.
    #[must_use]
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this does.
    #[must_use]
    pub fn has(self, cause: FreezeCause) -> bool {
        self.0 & cause as u8 != 0
    }

    pub(crate) fn with(self, cause: FreezeCause) -> Self {
        Self(self.0 | cause as u8)
    }

    pub(crate) fn without(self, cause: FreezeCause) -> Self {
        Self(self.0 & !(cause as u8))
    }

    /// The causes that hold.
    pub fn causes(self) -> impl Iterator<Item = FreezeCause> {
        FreezeCause::ALL.into_iter().filter(move |&cause| self.has(cause))
    }
}

/// What an input did to the mark of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MarkChange {
    /// Nothing that anybody could see: a frozen mark moves not.
    None,
    /// It was set, and lived before.
    Moved,
    /// It lives for the first time.
    First,
    /// It lives again: the last of the causes is gone.
    Live(FreezeCause),
    /// It lives again after a freeze that nobody was told of.
    Resumed,
    /// It lived, and does no more.
    Frozen(FreezeCause),
}

impl MarkChange {
    /// Whether everybody who holds the instrument is to be looked at, the locked ones too.
    pub(crate) fn revives(self) -> bool {
        matches!(self, Self::First | Self::Live(_) | Self::Resumed)
    }
}

/// All assets, funds and instruments, and how the venue answers.
#[derive(Clone, Debug, Default)]
pub struct Market {
    /// What may be done anywhere.
    pub mode: Mode,
    /// By [`AssetId`].
    pub assets: Vec<Asset>,
    /// By [`FundId`].
    pub funds: Vec<FundSpec>,
    /// By [`InstrumentId`].
    pub instruments: Vec<Instrument>,
    /// The instruments whose funding happens by itself.
    pub(crate) self_funding: Vec<InstrumentId>,
    /// Where liquidation orders go.
    pub venue: VenueRules,
    /// The funds that have lost more within a minute than they may. Only the arbiter's copy knows: no shard goes on by itself
    /// in an instrument of a fund with such a bound.
    pub(crate) paused_funds: Vec<FundId>,
    /// What is being booked in pieces, oldest first.
    pub(crate) jobs: Vec<Job>,
    /// The texts of corrections, by the number that their events tell. Workers' copies are not given any.
    pub(crate) remarks: Vec<Arc<Remark>>,
    /// Whether this is the sequencer's copy, which learns no verdict and knows marks behind an airlock within bounds only.
    pub(crate) only_bounds: bool,
    /// Where a mark in an airlock waits for its verdict.
    pub(crate) undecided: Vec<InstrumentId>,
    /// When the first of the held marks times out; none: none does.
    pub(crate) timeout_ns: Option<u64>,
    /// The latest time that any place of the sequence told.
    pub(crate) seen_ns: u64,
}

impl Market {
    /// The asset `id`.
    #[must_use]
    pub fn asset(&self, id: AssetId) -> &Asset {
        &self.assets[id.index()]
    }

    /// The fund `id`.
    #[must_use]
    pub fn fund(&self, id: FundId) -> &FundSpec {
        &self.funds[id.index()]
    }

    /// The instrument `id`.
    #[must_use]
    #[inline]
    pub fn instrument(&self, id: InstrumentId) -> &Instrument {
        &self.instruments[id.index()]
    }

    /// The asset of this name.
    #[must_use]
    pub fn asset_id(&self, name: &str) -> Option<AssetId> {
        self.assets.iter().position(|asset| asset.name == name).map(|at| AssetId(at as u32))
    }

    /// The fund of this name.
    #[must_use]
    pub fn fund_id(&self, name: &str) -> Option<FundId> {
        self.funds.iter().position(|fund| fund.name == name).map(|at| FundId(at as u32))
    }

    /// The instrument of this symbol.
    #[must_use]
    pub fn instrument_id(&self, symbol: &str) -> Option<InstrumentId> {
        self.instruments.iter().position(|at| at.spec.symbol == symbol).map(|at| InstrumentId(at as u32))
    }

    /// Sets a mark, or has it wait in the airlock of its instrument.
    #[inline]
    fn set_mark(
        &mut self,
        id: InstrumentId,
        price: Price,
        source: MarkSource,
        now_ns: u64,
    ) -> (MarkChange, AirlockStep) {
        let instrument = &self.instruments[id.index()];
        if instrument.has_airlock() && (self.only_bounds || !instrument.passes_airlock(price)) {
            return self.enter_airlock(id, (price, source), now_ns);
        }
        (self.put_mark(id, price), AirlockStep::None)
    }

    /// Puts a mark in force. One that comes while the instrument is frozen is kept until it lives.
    #[inline]
    pub(crate) fn put_mark(&mut self, id: InstrumentId, price: Price) -> MarkChange {
        let instrument = &mut self.instruments[id.index()];
        if !instrument.frozen.is_empty() {
            instrument.awaited = Some(price);
            return MarkChange::None;
        }
        let first = instrument.mark.replace(price).is_none();
        instrument.carry_over();
        if first { MarkChange::First } else { MarkChange::Moved }
    }

    /// Takes what came in of an instrument's prices, at this time, and makes index and mark anew.
    pub(crate) fn reprice(&mut self, id: InstrumentId, input: PriceInput, now_ns: u64) -> Change {
        let instrument = &mut self.instruments[id.index()];
        let rules = &instrument.spec.prices;
        let (computed, has_age) = (rules.mark.is_computed(), rules.mark.stale_after_ns.is_some());
        if let (PriceInput::Mark { price, source }, false) = (input, has_age) {
            instrument.prices.note_given_mark(now_ns);
            let (mark, airlock) = self.set_mark(id, price, source, now_ns);
            return Change { mark, index_froze: false, airlock };
        }
        if let PriceInput::Release { accept } = input {
            let (mark, airlock) = self.release_airlock(id, accept);
            return Change { mark, index_froze: false, airlock };
        }
        let index_froze = instrument.prices.take(rules, input, now_ns);
        if let PriceInput::Last(price) | PriceInput::Filled { last: price, .. } = input {
            instrument.last = Some(price);
        }
        let (mark, airlock) = if computed {
            self.recompute_mark(id, now_ns)
        } else if let PriceInput::Mark { price, source } = input {
            let set = self.set_mark(id, price, source, now_ns);
            self.thaw_after(id, FreezeCause::Stale, set)
        } else if instrument.mark.is_some() && instrument.prices.given_mark_is_stale(rules) {
            (self.freeze(id, FreezeCause::Stale), AirlockStep::None)
        } else {
            (MarkChange::None, AirlockStep::None)
        };
        Change { mark, index_froze, airlock }
    }

    /// A mark was set, and with that a cause of freezing went. Where a hold ended too, it is said to live again for that.
    fn thaw_after(
        &mut self,
        id: InstrumentId,
        cause: FreezeCause,
        (set, airlock): (MarkChange, AirlockStep),
    ) -> (MarkChange, AirlockStep) {
        let change = match (self.thaw(id, cause), airlock) {
            (MarkChange::None, _) => set,
            (MarkChange::Live(_), AirlockStep::Ended(_)) => MarkChange::Live(FreezeCause::Airlock),
            (revived, _) => revived,
        };
        (change, airlock)
    }

    /// Time has passed, for a copy that nobody is told of.
    pub(crate) fn reprice_all(&mut self, now_ns: u64) {
        for index in 0..self.instruments.len() {
            if self.instruments[index].spec.prices.age() {
                self.reprice(InstrumentId(index as u32), PriceInput::Time, now_ns);
            }
        }
    }

    /// A computed mark follows its inputs; one that comes to what it was is not set.
    fn recompute_mark(&mut self, id: InstrumentId, now_ns: u64) -> (MarkChange, AirlockStep) {
        let instrument = &mut self.instruments[id.index()];
        let Some(price) = instrument.prices.computed(&instrument.spec.prices) else {
            return (self.freeze(id, FreezeCause::Index), AirlockStep::None);
        };
        if instrument.living_mark() == Some(price) {
            return (MarkChange::None, AirlockStep::None);
        }
        let set = self.set_mark(id, price, MarkSource::KERNEL, now_ns);
        self.thaw_after(id, FreezeCause::Index, set)
    }

    /// The mark of an instrument follows other rules of its prices: a computed one is made anew, one that is given from now
    /// on stays as it is.
    pub(crate) fn follow_price_rules(&mut self, id: InstrumentId, now_ns: u64) -> (MarkChange, AirlockStep) {
        let instrument = self.instrument(id);
        let rules = &instrument.spec.prices;
        // What holds comes before what goes, so that a mark that stays frozen does not live in between.
        let (first, goes) = if rules.mark.is_computed() {
            (self.recompute_mark(id, now_ns), FreezeCause::Stale)
        } else if instrument.mark.is_some() && instrument.prices.given_mark_is_stale(rules) {
            ((self.freeze(id, FreezeCause::Stale), AirlockStep::None), FreezeCause::Index)
        } else {
            ((self.thaw(id, FreezeCause::Stale), AirlockStep::None), FreezeCause::Index)
        };
        self.thaw_after(id, goes, first)
    }

    /// The funding rate of an instrument, in parts per billion, as a settlement at this time would compute it; none
    /// without funding rules, or without any sample of the premium.
    #[must_use]
    pub fn funding_rate(&self, id: InstrumentId, now_ns: u64) -> Option<i64> {
        let instrument = self.instrument(id);
        instrument.prices.rate_at(&instrument.spec.prices, now_ns)
    }

    /// Whether a funding that happens by itself has fallen due since the last.
    #[must_use]
    pub fn funding_due(&self, id: InstrumentId, now_ns: u64) -> bool {
        let instrument = self.instrument(id);
        instrument.prices.is_due_at(&instrument.spec.prices, now_ns)
    }

    /// The settlement that falls due by itself at this time, of the first such instrument.
    pub(crate) fn due_settlement(&self, now_ns: u64) -> Option<Command> {
        self.self_funding.iter().find_map(|&instrument| {
            let due = self.funding_due(instrument, now_ns) && self.instrument(instrument).mark.is_some();
            let rate_ppb = due.then(|| self.funding_rate(instrument, now_ns))??;
            Some(Command::Funding { instrument, rate_ppb })
        })
    }

    /// A settlement is fixed: its rate counts as the last one, and the next is averaged anew. In every copy of the market.
    pub(crate) fn note_funding(&mut self, id: InstrumentId, rate_ppb: i64, now_ns: u64) {
        let instrument = &mut self.instruments[id.index()];
        instrument.prices.note_funding(&instrument.spec.prices, rate_ppb, now_ns);
    }

    /// Sets the mode of everything or of an instrument; false if it was that already. Of accounts their shards know.
    pub(crate) fn set_mode(&mut self, scope: Scope, mode: Mode) -> bool {
        let place = match scope {
            Scope::All => &mut self.mode,
            Scope::Instrument(id) => &mut self.instruments[id.index()].mode,
            Scope::Account(_) | Scope::Fund(_) => return false,
        };
        std::mem::replace(place, mode) != mode
    }

    /// The instruments that a scope is about.
    pub(crate) fn in_scope(&self, scope: Scope) -> impl Iterator<Item = InstrumentId> + use<> {
        let all = 0..self.instruments.len() as u32;
        let one = |id: InstrumentId| id.0..id.0 + 1;
        let ids = match scope {
            Scope::All => all,
            Scope::Instrument(id) => one(id),
            Scope::Account(_) | Scope::Fund(_) => 0..0,
        };
        ids.map(InstrumentId)
    }

    /// Freezes the mark of an instrument if it is halted, and else takes that cause away.
    pub(crate) fn follow_mode(&mut self, id: InstrumentId) -> MarkChange {
        let halted = [self.mode, self.instrument(id).mode].contains(&Mode::Halted);
        if halted { self.freeze(id, FreezeCause::Halted) } else { self.thaw(id, FreezeCause::Halted) }
    }

    /// Takes in a command that changes a mode.
    pub(crate) fn note_mode(&mut self, command: &Command) {
        if let Command::Mode { scope, mode } = *command {
            self.set_mode(scope, mode);
            for id in self.in_scope(scope) {
                self.follow_mode(id);
            }
        }
    }

    /// Whether a mode holds for an instrument, for everything, or for its fund.
    pub(crate) fn has_mode(&self, id: InstrumentId, mode: Mode) -> bool {
        let by_fund = || self.paused_funds.contains(&self.instrument(id).spec.fund);
        [self.mode, self.instrument(id).mode].contains(&mode) || (mode == Mode::LiquidationPaused && by_fund())
    }

    /// Whether a liquidation order in an instrument waits for a decision, though it concerns one pool alone: what may be in
    /// flight is bounded, or what its fund may lose.
    pub(crate) fn orders_by_decision(&self, id: InstrumentId) -> bool {
        let spec = &self.instrument(id).spec;
        spec.reduce.pacing.is_some() || self.fund(spec.fund).max_loss_per_minute.is_some()
    }

    /// Takes over the open interest as another copy knows it.
    pub(crate) fn copy_interest(&mut self, from: &Self) {
        for (own, other) in self.instruments.iter_mut().zip(&from.instruments) {
            own.set_open_interest(other.open_interest);
        }
    }

    /// Whether any limit depends on the open interest.
    pub(crate) fn watches_interest(&self) -> bool {
        self.instruments.iter().any(|instrument| instrument.spec.controls.limits.watches_interest())
    }

    /// A cause of freezing comes.
    pub(crate) fn freeze(&mut self, id: InstrumentId, cause: FreezeCause) -> MarkChange {
        let instrument = &mut self.instruments[id.index()];
        let lived = instrument.is_said_to_live();
        instrument.frozen = instrument.frozen.with(cause);
        if let Some(held) = &mut instrument.held {
            held.forget_gone();
        }
        instrument.carry_over();
        if lived { MarkChange::Frozen(cause) } else { MarkChange::None }
    }

    /// A cause of freezing goes. With the last of them, the mark that came meanwhile is taken.
    pub(crate) fn thaw(&mut self, id: InstrumentId, cause: FreezeCause) -> MarkChange {
        let instrument = &mut self.instruments[id.index()];
        if !instrument.frozen.has(cause) {
            return MarkChange::None;
        }
        instrument.frozen = instrument.frozen.without(cause);
        instrument.carry_over();
        if !instrument.frozen.is_empty() {
            instrument.note_gone(cause);
            return MarkChange::None;
        }
        let had_one = instrument.mark.is_some();
        instrument.mark = instrument.awaited.take().or(instrument.mark);
        instrument.carry_over();
        match (had_one, instrument.mark) {
            (_, None) => MarkChange::None,
            (false, Some(_)) => MarkChange::First,
            (true, Some(_)) => MarkChange::Live(cause),
        }
    }

    /// The grid of quanta of an asset.
    #[must_use]
    pub fn quanta(&self, id: AssetId) -> Grid {
        Grid::decimals(self.asset(id).decimals)
    }
}
