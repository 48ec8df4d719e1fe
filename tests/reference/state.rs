//! What is remembered between two inputs, and nothing else.

use super::airlock::{AirlockRules, Held};
use super::chunks::Job;
use super::command::{Command, VenueRules};
use super::controls::{Limits, Mode};
use super::input::{Json, Refusal, refuse};
use super::marks::Pricing;
use super::number::{Int, Rat, ceil_div, int, limit, pow10, show_exact, show_scaled, steps, zero};
use super::pacing::Pacing;
use super::repeats::Answer;
use super::tiers::Table;
use num_traits::{Signed, Zero};
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Buy,
    Sell,
}

impl Side {
    pub fn read(word: &str) -> Side {
        if word == "buy" { Side::Buy } else { Side::Sell }
    }

    pub fn word(self) -> &'static str {
        match self {
            Side::Buy => "buy",
            Side::Sell => "sell",
        }
    }

    pub fn other(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }

    /// `qty` lots, signed.
    pub fn signed(self, qty: &Int) -> Int {
        match self {
            Side::Buy => qty.clone(),
            Side::Sell => -qty,
        }
    }

    /// The side that closes a position of signed size `q`.
    pub fn closing(q: &Int) -> Side {
        if q.is_positive() { Side::Sell } else { Side::Buy }
    }
}

/// Which position in an instrument: the only one of a one-way account, or a leg
/// of one in hedge mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leg {
    Net,
    Long,
    Short,
}

impl Leg {
    pub fn read(word: &str) -> Leg {
        if word == "long" { Leg::Long } else { Leg::Short }
    }

    pub fn other(self) -> Leg {
        match self {
            Leg::Net => Leg::Net,
            Leg::Long => Leg::Short,
            Leg::Short => Leg::Long,
        }
    }

    pub fn word(self) -> Option<&'static str> {
        match self {
            Leg::Net => None,
            Leg::Long => Some("long"),
            Leg::Short => Some("short"),
        }
    }

    /// Whether a position here may have that sign.
    pub fn allows(self, side: Side) -> bool {
        match self {
            Leg::Net => true,
            Leg::Long => side == Side::Buy,
            Leg::Short => side == Side::Sell,
        }
    }
}

/// The place of a position in an account: its instrument and leg. Sorts as
/// positions are shown and pools walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    pub i: usize,
    pub leg: Leg,
}

/// Signed size and signed cost (model section 2).
#[derive(Clone, Debug, Default)]
pub struct Position {
    pub q: Int,
    pub cost: Int,
}

impl Position {
    pub fn size(&self) -> Int {
        self.q.abs()
    }

    pub fn word(&self) -> &'static str {
        if self.q.is_positive() { "long" } else { "short" }
    }

    /// `k` lots with the sign of the position.
    pub fn part(&self, k: &Int) -> Int {
        self.q.signum() * k
    }

    /// How many of `qty` lots on `side` close the position; the rest opens.
    pub fn closed_by(&self, side: Side, qty: &Int) -> Int {
        if (self.q.signum() * side.signed(qty)).is_negative() { self.size().min(qty.clone()) } else { zero() }
    }

    /// Takes `k` lots out and returns their cost, `ceil(C · k / |q|)`.
    pub fn remove(&mut self, k: &Int) -> Int {
        assert!(k.is_positive() && *k <= self.size());
        let part_cost = ceil_div(&(&self.cost * k), &self.size());
        self.q -= self.part(k);
        self.cost -= &part_cost;
        part_cost
    }

    pub fn add(&mut self, q: &Int, cost: &Int) {
        assert!(!(&self.q * q).is_negative());
        self.q += q;
        self.cost += cost;
    }
}

#[derive(Clone)]
pub struct Asset {
    pub name: String,
    pub decimals: u32,
    /// The fund of the asset's name.
    pub fund: usize,
    pub deposits: Int,
    pub withdrawals: Int,
    /// The fee account.
    pub fees: Int,
    /// The external venue account's balance.
    pub venue: Int,
}

#[derive(Clone)]
pub struct Fund {
    pub name: String,
    pub asset: usize,
    pub balance: Int,
    pub floor: Int,
    /// Whether `fund` has set or declared it: a second time is a duplicate.
    pub declared: bool,
    pub inventory: BTreeMap<usize, Position>,
    pub drawdown: Option<Drawdown>,
    pub socialise: bool,
    /// In nanoseconds.
    pub unwind_interval: u64,
    /// All values of its equity that were noted: when, and what; in order.
    pub noted: Vec<(u64, Int)>,
    pub max_loss_per_minute: Option<Int>,
    /// It has lost more than that.
    pub paused: bool,
}

/// The setting, and whether it is so.
#[derive(Clone)]
pub struct Drawdown {
    pub start: Rat,
    pub stop: Rat,
    /// In nanoseconds.
    pub bucket: u64,
    pub active: bool,
}

#[derive(Clone)]
pub struct Instrument {
    /// As it was declared, and since changed.
    pub entries: Vec<(String, Json)>,
    pub symbol: String,
    pub kind: String,
    pub settle: usize,
    pub fund: usize,
    pub tick: Rat,
    pub lot: Rat,
    pub multiplier: Rat,
    /// Linear: quanta of one lot at one tick. Inverse: of one lot at a price of
    /// one tick, that is `lot · multiplier · 10^decimals / tick`, exact.
    pub unit: Rat,
    pub inverse: bool,
    pub tiers: Table,
    pub maker_fee: Int,
    pub taker_fee: Int,
    pub liquidation_fee: Int,
    pub close_fee_in_mm: bool,
    /// The words listed; their order means nothing.
    pub reduce: Vec<String>,
    /// Of `fraction`.
    pub fraction: Option<Rat>,
    pub adl_rank: String,
    pub adl_price: String,
    pub pacing: Option<Pacing>,
    pub mark: Option<Int>,
    /// What keeps the mark from living.
    pub frozen: BTreeSet<&'static str>,
    /// `mark_frozen` was told, and no `mark_live` since.
    pub told_frozen: bool,
    /// What came while it was frozen.
    pub kept_mark: Option<Int>,
    /// Accounts in a chunk of a settlement or a change of rules.
    pub chunk: usize,
    /// Rising, in ppb.
    pub margin_calls: Vec<Int>,
    /// `available` counts profits here, too.
    pub count_profits: bool,
    pub limits: Limits,
    pub airlock: Option<AirlockRules>,
    pub held: Option<Held>,
    pub mode: Mode,
    /// The open interest as of the last `time`.
    pub noted_interest: Int,
    pub pricing: Pricing,
    /// The computed mark that was told last, and what the present one was computed from.
    pub told_mark: Option<Int>,
    pub mark_inputs: Value,
    /// Whether `get` says something of prices.
    pub says_prices: bool,
    pub last: Option<Int>,
    pub bid: Option<Int>,
    pub ask: Option<Int>,
    /// `(price, qty)`, best first.
    pub bids: Vec<(Int, Int)>,
    pub asks: Vec<(Int, Int)>,
    /// The fund's inventory changed, or the mark was set, since the last
    /// unwind order.
    pub unwind_due: bool,
    /// When the last unwind order went out.
    pub unwound_at: Option<u64>,
    /// The external venue account's position.
    pub venue: Position,
}

impl Instrument {
    pub fn reduces(&self, word: &str) -> bool {
        self.reduce.iter().any(|listed| listed == word)
    }
}

/// The part of a pool's state that liquidation adds.
#[derive(Clone, Debug, Default)]
pub struct Lock {
    pub locked: bool,
    /// `liquidation_suppressed` was announced.
    pub suppressed: bool,
    pub cancelling: Cancelling,
    /// The first steps were settled when it was locked, and are yet to be told.
    pub begun: Option<Begun>,
    /// Equity and MM when it was announced.
    pub figures: Option<(Int, Int)>,
    /// The instrument in which it waits for room.
    pub waits_in: Option<usize>,
    /// What the venue left unfilled of the last liquidation order.
    pub unfilled: Option<Unfilled>,
}

/// How far step 1 of a liquidation is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cancelling {
    #[default]
    NotAsked,
    /// The venue was asked to cancel.
    Requested {
        since: u64,
    },
    /// It has, after that many executions of the account.
    Acknowledged {
        since: u64,
        execution: u64,
    },
    Done,
}

/// The first steps of a pool, as of the moment at which it was locked.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The first order, if there is one to send before the pool's walk goes on.
    pub order: Option<Reduction>,
}

/// What an order of step 3 is to be.
#[derive(Clone, Debug)]
pub struct Reduction {
    pub at: At,
    pub lots: Int,
    pub limit: Int,
    pub step: &'static str,
}

#[derive(Clone, Debug)]
pub struct Unfilled {
    pub liquidation: u64,
    pub at: At,
    pub lots: Int,
}

#[derive(Clone, Debug, Default)]
pub struct CrossPool {
    pub balance: Int,
    pub lock: Lock,
}

/// What an account has set for one instrument, for both legs.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    pub isolated: bool,
    /// Hundredths; none until set: the first row's maximum.
    pub leverage: Option<Int>,
}

/// What an account has at one place.
#[derive(Clone, Debug, Default)]
pub struct Holding {
    pub position: Position,
    pub margin: Int,
    /// Of the isolated pool.
    pub lock: Lock,
}

#[derive(Clone)]
pub struct Order {
    pub id: u64,
    pub at: At,
    pub side: Side,
    pub rest: Int,
    pub price: Int,
    pub reduce_only: bool,
}

/// An amount that has left the balance and is not yet withdrawn.
#[derive(Clone)]
pub struct Hold {
    pub asset: usize,
    pub amount: Int,
}

#[derive(Clone, Default)]
pub struct Account {
    /// Two legs an instrument.
    pub hedge: bool,
    /// By asset.
    pub pools: BTreeMap<usize, CrossPool>,
    pub holdings: BTreeMap<At, Holding>,
    /// By instrument.
    pub terms: BTreeMap<usize, Terms>,
    /// In order of acceptance.
    pub orders: Vec<Order>,
    /// Open ones, by id.
    pub holds: BTreeMap<u64, Hold>,
    /// How many fills were booked on it.
    pub executions: u64,
    pub mode: Mode,
    pub group: Option<u64>,
}

/// Sorts as pools are announced and walked: by account, then cross pools by
/// asset, then isolated ones by instrument (model section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PoolId {
    pub account: u64,
    pub kind: PoolKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PoolKind {
    Cross(usize),
    Isolated(At),
}

/// Whose liquidation or unwind order it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Pool(PoolId),
    Fund,
}

/// A liquidation or unwind order.
#[derive(Clone)]
pub struct VenueOrder {
    pub id: u64,
    pub owner: Owner,
    /// Of the fund: where an inventory lies, without legs.
    pub at: At,
    pub side: Side,
    /// What the venue has not filled of it, and may yet fill.
    pub open: Int,
    /// What of that is still wanted: cut with the position.
    pub rest: Int,
    pub limit: Int,
    /// When it went out.
    pub since: u64,
    /// The venue does not know what became of it.
    pub unknown: bool,
    /// What it left unfilled has gone to the fund or to counterparties.
    pub claimed: bool,
}

#[derive(Clone)]
pub struct State {
    pub seq: u64,
    pub now: u64,
    pub events: Vec<Value>,
    pub assets: Vec<Asset>,
    pub funds: Vec<Fund>,
    pub instruments: Vec<Instrument>,
    pub accounts: BTreeMap<u64, Account>,
    pub venue: VenueRules,
    /// The version of the rules that is in force.
    pub rules: u64,
    /// The answers of each source, by `client_seq` from 1.
    pub sources: BTreeMap<String, Vec<Answer>>,
    /// Orders that wait for the manual venue.
    pub standing: Vec<VenueOrder>,
    /// Its orders that may yet have late fills, in order of ending.
    pub ended: Vec<VenueOrder>,
    pub liquidations: u64,
    /// Instruments that had their unwind order in this input.
    pub unwound: BTreeSet<usize>,
    /// Whether what happens follows from an input, and is not its own booking.
    pub in_rounds: bool,
    /// By instrument, in this decision: lots sent to the simulated venue, and the
    /// depth that a bound goes by.
    pub sent: BTreeMap<usize, Int>,
    pub depths: BTreeMap<usize, Int>,
    /// Instruments whose depth liquidation has met, since their marks were computed.
    pub moved_by_fills: BTreeSet<usize>,
    /// The highest level of margin calls that each pool has reached, in ppb.
    pub levels: BTreeMap<PoolId, Int>,
    /// Fields of instruments declared later.
    pub defaults: Vec<(String, Json)>,
    /// Of everything.
    pub mode: Mode,
    /// What is wrong, of which instrument, and the mode that holds with it.
    pub ill: BTreeMap<(usize, Option<usize>), Mode>,
    /// What is booked in chunks: those under way, in order.
    pub jobs: Vec<Job>,
    pub pool_checks: Cell<u64>,
    /// What a liquidation names where a mark passes the airlock in this input.
    pub cause_of_verdict: String,
}

/// The version that everything begins under: 2 refuses crossed books.
const NEWEST_RULES: u64 = 2;

impl State {
    pub fn new() -> State {
        State {
            seq: 0,
            now: 0,
            events: Vec::new(),
            assets: Vec::new(),
            funds: Vec::new(),
            instruments: Vec::new(),
            accounts: BTreeMap::new(),
            venue: VenueRules::new("mark"),
            rules: NEWEST_RULES,
            sources: BTreeMap::new(),
            standing: Vec::new(),
            ended: Vec::new(),
            liquidations: 0,
            unwound: BTreeSet::new(),
            in_rounds: false,
            sent: BTreeMap::new(),
            depths: BTreeMap::new(),
            moved_by_fills: BTreeSet::new(),
            levels: BTreeMap::new(),
            defaults: Vec::new(),
            mode: Mode::Normal,
            ill: BTreeMap::new(),
            jobs: Vec::new(),
            pool_checks: Cell::new(0),
            cause_of_verdict: String::new(),
        }
    }

    fn do_rule_version(&mut self, version: u64) -> Result<(), Refusal> {
        need((1..=NEWEST_RULES).contains(&version), "bad_value", "no such version of the rules")?;
        need(version > self.rules, "bad_value", "the rules go over to a later version only")?;
        self.rules = version;
        Ok(())
    }

    /// Every command checks all that may refuse it before it changes anything.
    pub fn execute(&mut self, command: &Command) -> Result<(), Refusal> {
        match command {
            Command::Asset { asset, decimals } => self.do_asset(asset, *decimals),
            Command::Instrument(fields) => self.do_instrument(fields),
            Command::Fund(fields) => self.do_fund(fields),
            Command::FundDeposit { fund, amount } => self.do_fund_deposit(fund, amount),
            Command::Venue(rules) => self.do_venue(rules),
            Command::RuleVersion { version } => self.do_rule_version(*version),
            Command::Account { account, margin, positions, group } => {
                self.do_account(*account, margin, positions, *group)
            }
            Command::Deposit { account, asset, amount } => self.do_deposit(*account, asset, amount),
            Command::Withdraw { account, asset, amount } => self.do_withdraw(*account, asset, amount),
            Command::Hold { account, hold, asset, amount } => self.do_hold(*account, *hold, asset, amount),
            Command::Commit { account, hold } => self.do_commit(*account, *hold),
            Command::Release { account, hold } => self.do_release(*account, *hold),
            Command::Leverage { account, symbol, leverage } => self.do_leverage(*account, symbol, leverage),
            Command::MarginMode { account, symbol, isolated } => self.do_margin_mode(*account, symbol, *isolated),
            Command::IsolatedMargin { account, symbol, amount, leg } => {
                self.do_isolated_margin(*account, symbol, amount, leg)
            }
            Command::Order(fields) => self.do_order(fields),
            Command::Cancel { account, order } => self.do_cancel(*account, *order),
            Command::Fill(fields) => self.do_fill(fields),
            Command::Mark { symbol, price, source } => self.do_mark(symbol, price, source),
            Command::AirlockRelease { symbol, accept } => self.do_airlock_release(symbol, *accept),
            Command::Last { symbol, price } => self.do_last(symbol, price),
            Command::Book(fields) => self.do_book(fields),
            Command::Index { symbol, venue, price } => self.do_index(symbol, venue, price),
            Command::Funding { symbol, rate } => self.do_funding(symbol, rate.as_ref()),
            Command::Time => {
                self.do_time();
                Ok(())
            }
            Command::LiqFill { liquidation, qty, price } => self.do_liq_fill(*liquidation, qty, price),
            Command::LiqExpire { liquidation } => self.do_liq_expire(*liquidation),
            Command::LiqUnknown { liquidation } => self.do_liq_unknown(*liquidation),
            Command::CancelAck { account, pool, execution } => self.do_cancel_ack(*account, pool, *execution),
            Command::Get(get) => self.do_get(get),
            Command::Set { symbol, fields, dry_run } => self.do_set(symbol, fields, *dry_run),
            Command::Mode { symbol, account, mode, dry_run } => {
                self.do_mode(symbol.as_deref(), *account, *mode, *dry_run)
            }
            Command::Health { state, symbol, active, mode } => {
                self.do_health(*state, symbol.as_deref(), *active, *mode)
            }
            Command::Correct(correction) => self.do_correction(correction),
            Command::Defaults(fields) => {
                let before = std::mem::replace(&mut self.defaults, fields.clone());
                super::command::fill(&mut self.defaults, &before);
                Ok(())
            }
        }
    }

    /// Adds an event; `fields` is an object.
    pub fn emit(&mut self, ev: &str, fields: Value) {
        let mut event = fields;
        event["ev"] = json!(ev);
        event["seq"] = json!(self.seq);
        self.events.push(event);
    }

    // Names to numbers.

    pub fn asset_id(&self, name: &str) -> Result<usize, Refusal> {
        match self.assets.iter().position(|a| a.name == name) {
            Some(id) => Ok(id),
            None => refuse("unknown_asset", format!("asset {name} is unknown")),
        }
    }

    pub fn fund_id(&self, name: &str) -> Result<usize, Refusal> {
        match self.funds.iter().position(|f| f.name == name) {
            Some(id) => Ok(id),
            None => refuse("unknown_fund", format!("fund {name} is unknown")),
        }
    }

    pub fn instrument_id(&self, symbol: &str) -> Result<usize, Refusal> {
        match self.instruments.iter().position(|i| i.symbol == symbol) {
            Some(id) => Ok(id),
            None => refuse("unknown_symbol", format!("symbol {symbol} is unknown")),
        }
    }

    pub fn need_account(&self, account: u64) -> Result<(), Refusal> {
        if self.accounts.contains_key(&account) {
            Ok(())
        } else {
            refuse("unknown_account", format!("account {account} is unknown"))
        }
    }

    // Decimals to whole numbers of the grid (model section 9, grid).

    pub fn quanta(&self, asset: usize, amount: &Rat) -> Result<Int, Refusal> {
        let quantum = Rat::new(int(1), pow10(self.assets[asset].decimals));
        on_grid(amount, &quantum, "quantum")
    }

    pub fn ticks(&self, i: usize, price: &Rat) -> Result<Int, Refusal> {
        on_grid(price, &self.instruments[i].tick, "tick")
    }

    pub fn lots(&self, i: usize, qty: &Rat) -> Result<Int, Refusal> {
        on_grid(qty, &self.instruments[i].lot, "lot")
    }

    // Whole numbers to text.

    pub fn show_money(&self, asset: usize, amount: &Int) -> String {
        show_scaled(amount, self.assets[asset].decimals)
    }

    pub fn show_price(&self, i: usize, ticks: &Int) -> String {
        show_exact(&(&self.instruments[i].tick * ticks))
    }

    pub fn show_qty(&self, i: usize, lots: &Int) -> String {
        show_exact(&(&self.instruments[i].lot * lots))
    }

    // Parts of the state.

    /// A copy; a default one where the account never had anything there.
    pub fn holding(&self, account: u64, at: At) -> Holding {
        self.accounts[&account].holdings.get(&at).cloned().unwrap_or_default()
    }

    pub fn position(&self, account: u64, at: At) -> Position {
        self.accounts[&account].holdings.get(&at).map(|h| h.position.clone()).unwrap_or_default()
    }

    pub fn holding_mut(&mut self, account: u64, at: At) -> &mut Holding {
        let account = self.accounts.get_mut(&account).expect("account was checked");
        account.holdings.entry(at).or_default()
    }

    /// A copy; the default where nothing was set.
    pub fn terms(&self, account: u64, i: usize) -> Terms {
        self.accounts[&account].terms.get(&i).cloned().unwrap_or_default()
    }

    pub fn terms_mut(&mut self, account: u64, i: usize) -> &mut Terms {
        let account = self.accounts.get_mut(&account).expect("account was checked");
        account.terms.entry(i).or_default()
    }

    /// The places that the account may have positions in.
    pub fn places(&self, account: u64, i: usize) -> Vec<At> {
        let legs: &[Leg] = if self.accounts[&account].hedge { &[Leg::Long, Leg::Short] } else { &[Leg::Net] };
        legs.iter().map(|&leg| At { i, leg }).collect()
    }

    /// A copy; an empty one where there is none.
    pub fn cross(&self, account: u64, asset: usize) -> CrossPool {
        self.accounts[&account].pools.get(&asset).cloned().unwrap_or_default()
    }

    /// From here on the cross pool exists.
    pub fn cross_mut(&mut self, account: u64, asset: usize) -> &mut CrossPool {
        let account = self.accounts.get_mut(&account).expect("account was checked");
        account.pools.entry(asset).or_default()
    }

    pub fn holds_mut(&mut self, account: u64) -> &mut BTreeMap<u64, Hold> {
        &mut self.accounts.get_mut(&account).expect("account was checked").holds
    }

    pub fn settle_of(&self, i: usize) -> usize {
        self.instruments[i].settle
    }
}

pub fn on_grid(x: &Rat, step: &Rat, what: &str) -> Result<Int, Refusal> {
    match steps(x, step) {
        Some(n) => Ok(n),
        None => refuse("off_grid", format!("{} is finer than the {what}", show_exact(x))),
    }
}

// Checks that several commands share (model section 9).

pub fn need_positive(what: &str, x: &Rat) -> Result<(), Refusal> {
    if x.is_positive() { Ok(()) } else { refuse("bad_value", format!("{what} {} is not positive", show_exact(x))) }
}

/// `overflow` where the absolute value reaches 2^62.
pub fn need_below_limit(what: &str, x: &Int) -> Result<(), Refusal> {
    if x.abs() < limit() { Ok(()) } else { refuse("overflow", format!("{what} {x} is 2^62 or more")) }
}

pub fn need(condition: bool, code: &'static str, reason: impl Into<String>) -> Result<(), Refusal> {
    if condition { Ok(()) } else { refuse(code, reason) }
}

pub fn sum<I: IntoIterator<Item = Int>>(items: I) -> Int {
    items.into_iter().fold(Int::zero(), |a, b| a + b)
}
