//! The commands and their fields (protocol: "Commands"). Only form is checked
//! here: `malformed`, `unknown_op`, `unknown_field`.

use super::airlock::{self, AirlockFields, Source};
use super::calls;
use super::controls::{self, LimitFields, Mode};
use super::corrections::{self, Correction};
use super::health;
use super::input::{Fields, Json, Refusal, is_name, json_decimal, malformed, refuse};
use super::number::Rat;
use super::price_fields::{self, FundingFields, IndexFields, MarkFields};
use super::repeats;

pub struct Input {
    pub op: String,
    pub ts: Option<u64>,
    pub command: Command,
}

impl Input {
    /// What `liquidation_started` names: the symbol of a mark or a fill, else
    /// the op; see also `priced_symbol`.
    pub fn cause(&self) -> String {
        match &self.command {
            Command::Mark { symbol, .. } => symbol.clone(),
            Command::Fill(fill) => fill.symbol.clone(),
            _ => self.op.clone(),
        }
    }

    /// What a liquidation names where a mark passes the airlock: the symbol of any input of prices.
    pub fn symbol_of_prices(&self) -> Option<&str> {
        match &self.command {
            Command::Mark { symbol, .. } => Some(symbol),
            _ => self.priced_symbol(),
        }
    }

    /// The symbol of an input that a mark may be computed from.
    pub fn priced_symbol(&self) -> Option<&str> {
        match &self.command {
            Command::Index { symbol, .. } | Command::Last { symbol, .. } => Some(symbol),
            Command::Book(book) => Some(&book.symbol),
            _ => None,
        }
    }
}

pub enum Command {
    Asset {
        asset: String,
        decimals: u64,
    },
    Instrument(Box<InstrumentFields>),
    Fund(FundFields),
    FundDeposit {
        fund: String,
        amount: Rat,
    },
    Venue(VenueRules),
    RuleVersion {
        version: u64,
    },
    Account {
        account: u64,
        margin: String,
        positions: String,
        group: Option<u64>,
    },
    Deposit {
        account: u64,
        asset: String,
        amount: Rat,
    },
    Withdraw {
        account: u64,
        asset: String,
        amount: Rat,
    },
    Hold {
        account: u64,
        hold: u64,
        asset: String,
        amount: Rat,
    },
    Commit {
        account: u64,
        hold: u64,
    },
    Release {
        account: u64,
        hold: u64,
    },
    Leverage {
        account: u64,
        symbol: String,
        leverage: Rat,
    },
    MarginMode {
        account: u64,
        symbol: String,
        isolated: bool,
    },
    IsolatedMargin {
        account: u64,
        symbol: String,
        amount: Rat,
        leg: Option<String>,
    },
    Order(OrderFields),
    Cancel {
        account: u64,
        order: u64,
    },
    Fill(Box<FillFields>),
    Mark {
        symbol: String,
        price: Rat,
        source: Source,
    },
    AirlockRelease {
        symbol: String,
        accept: bool,
    },
    Last {
        symbol: String,
        price: Rat,
    },
    Book(Box<BookFields>),
    Index {
        symbol: String,
        venue: String,
        price: Rat,
    },
    Funding {
        symbol: String,
        rate: Option<Rat>,
    },
    Time,
    LiqFill {
        liquidation: u64,
        qty: Rat,
        price: Rat,
    },
    LiqExpire {
        liquidation: u64,
    },
    LiqUnknown {
        liquidation: u64,
    },
    CancelAck {
        account: u64,
        pool: PoolName,
        execution: u64,
    },
    Get(Get),
    /// What instruments declared later do not name.
    Defaults(Vec<(String, Json)>),
    /// The fields to change, as they were given.
    Set {
        symbol: String,
        fields: Vec<(String, Json)>,
        dry_run: bool,
    },
    Mode {
        symbol: Option<String>,
        account: Option<u64>,
        mode: Mode,
        dry_run: bool,
    },
    Health {
        /// Its place among all.
        state: usize,
        symbol: Option<String>,
        active: bool,
        mode: Mode,
    },
    Correct(Box<Correction>),
}

impl Command {
    /// Nothing follows from it.
    pub fn changes_nothing(&self) -> bool {
        matches!(
            self,
            Command::Get(_)
                | Command::Defaults(_)
                | Command::Set { dry_run: true, .. }
                | Command::Mode { dry_run: true, .. }
        )
    }
}

/// Where liquidation and unwind orders go, and how long the venue may take.
#[derive(Clone)]
pub struct VenueRules {
    pub mode: String,
    /// The venue says when it has cancelled.
    pub cancel_ack: bool,
    /// In nanoseconds.
    pub cancel_timeout: u64,
    pub order_timeout: u64,
}

impl VenueRules {
    pub fn new(mode: &str) -> VenueRules {
        let second = 1_000_000_000;
        VenueRules { mode: mode.to_string(), cancel_ack: false, cancel_timeout: second, order_timeout: second }
    }
}

/// A pool as commands name it: of an asset, of a symbol.
pub enum PoolName {
    Cross(String),
    /// Symbol, or symbol and leg.
    Isolated(String),
}

pub struct InstrumentFields {
    /// As they were given.
    pub entries: Vec<(String, Json)>,
    pub symbol: String,
    pub kind: String,
    pub settle: String,
    pub tick: Rat,
    pub lot: Rat,
    pub multiplier: Rat,
    pub tiers: Option<Vec<Json>>,
    pub tier_rule: String,
    /// Of the rule `linear`.
    pub base: Option<Rat>,
    pub slope: Option<Rat>,
    pub im_base: Option<Rat>,
    pub maker_fee: Rat,
    pub taker_fee: Rat,
    pub liquidation_fee: Rat,
    pub close_fee_in_mm: bool,
    pub reduce: Vec<String>,
    pub fraction: Option<Rat>,
    pub pacing: Option<PacingFields>,
    pub adl_rank: String,
    pub adl_price: String,
    pub index: Option<IndexFields>,
    pub mark: Option<MarkFields>,
    pub funding: Option<FundingFields>,
    pub margin_calls: Vec<Rat>,
    pub count_profits: bool,
    pub limits: LimitFields,
    pub airlock: Option<AirlockFields>,
    pub fund: Option<String>,
}

pub enum PacingFields {
    Lots(u64),
    DepthShare(Rat),
}

pub struct FundFields {
    pub fund: String,
    pub asset: String,
    pub floor: Rat,
    pub socialise: bool,
    pub drawdown: Option<DrawdownFields>,
    /// In nanoseconds.
    pub unwind_interval: u64,
    pub max_loss_per_minute: Option<Rat>,
}

pub struct DrawdownFields {
    pub start: Rat,
    pub stop: Rat,
    pub window: u64,
}

pub struct OrderFields {
    pub account: u64,
    pub order: u64,
    pub symbol: String,
    pub side: String,
    pub qty: Rat,
    pub price: Rat,
    pub reduce_only: bool,
    pub position_side: Option<String>,
}

pub struct FillFields {
    pub account: u64,
    pub symbol: String,
    pub side: String,
    pub qty: Rat,
    pub price: Rat,
    pub order: Option<u64>,
    pub counterparty: Option<u64>,
    pub counter_order: Option<u64>,
    pub liquidity: Option<String>,
    pub position_side: Option<String>,
    pub counter_position_side: Option<String>,
}

pub struct BookFields {
    pub symbol: String,
    pub bid: Option<Rat>,
    pub ask: Option<Rat>,
    pub impact_bid: Option<Rat>,
    pub impact_ask: Option<Rat>,
    pub bids: Option<Vec<(Rat, Rat)>>,
    pub asks: Option<Vec<(Rat, Rat)>>,
}

pub enum Get {
    Account(u64),
    Instrument(String),
    Fund(String),
    AdlQueue { symbol: String, side: String, limit: Option<u64> },
    Ladder(String),
    Totals,
    Health,
    NotBuilt(String),
}

/// Of `instrument`; of `defaults` all but the first.
const INSTRUMENT_FIELDS: &[&str] = &[
    "symbol",
    "kind",
    "underlying",
    "settle",
    "tick",
    "lot",
    "multiplier",
    "tiers",
    "tier_rule",
    "base",
    "slope",
    "im_base",
    "maker_fee",
    "taker_fee",
    "liquidation_fee",
    "close_fee_in_mm",
    "reduce",
    "fraction",
    "pacing",
    "adl_rank",
    "adl_price",
    "index",
    "mark",
    "funding",
    "margin_calls",
    "count_profits",
    "limits",
    "airlock",
    "fund",
];

/// The fields of each op beside those that any has.
fn known_fields(op: &str) -> Option<&'static [&'static str]> {
    Some(match op {
        "asset" => &["asset", "decimals"],
        "instrument" => INSTRUMENT_FIELDS,
        "defaults" => &INSTRUMENT_FIELDS[1..],
        "set" => &[],
        "mode" => &["symbol", "account", "mode", "dry_run"],
        "health" => &["state", "symbol", "active", "mode"],
        "bust" | "reprice" | "adjust" | "compensate" => &[],
        "fund" => &["fund", "asset", "floor", "drawdown", "socialise", "unwind_interval", "max_loss_per_minute"],
        "fund_deposit" => &["fund", "amount"],
        "rule_version" => &["version"],
        "venue" => &["mode", "cancel_ack", "cancel_timeout", "order_timeout"],
        "account" => &["account", "margin", "positions", "group"],
        "deposit" | "withdraw" => &["account", "asset", "amount"],
        "hold" => &["account", "hold", "asset", "amount"],
        "commit" | "release" => &["account", "hold"],
        "leverage" => &["account", "symbol", "leverage"],
        "margin_mode" => &["account", "symbol", "mode"],
        "isolated_margin" => &["account", "symbol", "amount", "position_side"],
        "order" => &["account", "order", "symbol", "side", "qty", "price", "reduce_only", "position_side"],
        "cancel" => &["account", "order"],
        "fill" => &[
            "account",
            "symbol",
            "side",
            "qty",
            "price",
            "order",
            "counterparty",
            "counter_order",
            "liquidity",
            "position_side",
            "counter_position_side",
        ],
        "mark" | "last" => &["symbol", "price"],
        "airlock_release" => &["symbol", "action"],
        "book" => &["symbol", "bid", "ask", "impact_bid", "impact_ask", "bids", "asks"],
        "index" => &["symbol", "venue", "price"],
        "funding" => &["symbol", "rate"],
        "time" => &[],
        "liq_fill" => &["liquidation", "qty", "price"],
        "liq_expire" | "liq_unknown" => &["liquidation"],
        "cancel_ack" => &["account", "pool", "execution"],
        "get" => &["what", "account", "symbol", "fund", "side", "limit"],
        _ => return None,
    })
}

/// Adds what is missing; of `index` and `funding` also what is missing inside.
pub fn fill(entries: &mut Vec<(String, Json)>, others: &[(String, Json)]) {
    for (key, other) in others {
        let Some((_, own)) = entries.iter_mut().find(|(known, _)| known == key) else {
            entries.push((key.clone(), other.clone()));
            continue;
        };
        if let (Json::Object(own), Json::Object(other), true) = (own, other, key == "index" || key == "funding") {
            let missing: Vec<_> =
                other.iter().filter(|(part, _)| own.iter().all(|(known, _)| known != part)).cloned().collect();
            own.extend(missing);
        }
    }
}

/// `defaults` fill in what an instrument does not name.
pub fn parse(fields: &Fields, defaults: &[(String, Json)]) -> Result<Input, Refusal> {
    let op = fields.text("op")?;
    let Some(known) = known_fields(&op) else {
        return refuse("unknown_op", format!("op {op:?} is unknown"));
    };
    for (key, _) in &fields.entries {
        let key = key.as_str();
        let of_set = op == "set" && (key == "dry_run" || INSTRUMENT_FIELDS.contains(&key));
        let of_correction = corrections::known_fields(&op).is_some_and(|known| known.contains(&key));
        if key != "op"
            && key != "ts"
            && !repeats::FIELDS.contains(&key)
            && !known.contains(&key)
            && !of_set
            && !of_correction
        {
            return refuse("unknown_field", format!("{op} does not take {key:?}"));
        }
    }
    let ts = fields.maybe("ts", Fields::id)?;
    let mut filled = Fields { entries: fields.entries.clone() };
    if op == "instrument" {
        fill(&mut filled.entries, defaults);
    }
    let command = parse_command(&op, &filled)?;
    Ok(Input { op, ts, command })
}

fn parse_command(op: &str, f: &Fields) -> Result<Command, Refusal> {
    Ok(match op {
        "asset" => Command::Asset { asset: f.name("asset")?, decimals: f.id("decimals")? },
        "instrument" => Command::Instrument(Box::new(parse_instrument(f)?)),
        "defaults" => Command::Defaults(parse_defaults(f)?),
        "set" => parse_set(f)?,
        "mode" => parse_mode(f)?,
        "health" => parse_health(f)?,
        "bust" | "reprice" | "adjust" | "compensate" => Command::Correct(Box::new(corrections::parse(op, f)?)),
        "fund" => parse_fund(f)?,
        "fund_deposit" => Command::FundDeposit { fund: f.name("fund")?, amount: f.decimal("amount")? },
        "venue" => Command::Venue(parse_venue(f)?),
        "rule_version" => Command::RuleVersion { version: f.id("version")? },
        "account" => Command::Account {
            account: f.id("account")?,
            margin: f.word_or("margin", &["single", "multi", "portfolio"], "single")?,
            positions: f.word_or("positions", &["one_way", "hedge"], "one_way")?,
            group: f.maybe("group", Fields::id)?,
        },
        "deposit" => {
            Command::Deposit { account: f.id("account")?, asset: f.name("asset")?, amount: f.decimal("amount")? }
        }
        "withdraw" => {
            Command::Withdraw { account: f.id("account")?, asset: f.name("asset")?, amount: f.decimal("amount")? }
        }
        "hold" => Command::Hold {
            account: f.id("account")?,
            hold: f.id("hold")?,
            asset: f.name("asset")?,
            amount: f.decimal("amount")?,
        },
        "commit" => Command::Commit { account: f.id("account")?, hold: f.id("hold")? },
        "release" => Command::Release { account: f.id("account")?, hold: f.id("hold")? },
        "leverage" => {
            Command::Leverage { account: f.id("account")?, symbol: f.name("symbol")?, leverage: f.decimal("leverage")? }
        }
        "margin_mode" => Command::MarginMode {
            account: f.id("account")?,
            symbol: f.name("symbol")?,
            isolated: f.word("mode", &["cross", "isolated"])? == "isolated",
        },
        "isolated_margin" => Command::IsolatedMargin {
            account: f.id("account")?,
            symbol: f.name("symbol")?,
            amount: f.decimal("amount")?,
            leg: parse_leg(f, "position_side")?,
        },
        "order" => Command::Order(parse_order(f)?),
        "cancel" => Command::Cancel { account: f.id("account")?, order: f.id("order")? },
        "fill" => Command::Fill(Box::new(parse_fill(f)?)),
        "mark" => Command::Mark {
            symbol: f.name("symbol")?,
            price: f.decimal("price")?,
            source: f.maybe("source", Fields::text)?.map_or(Source::Unnamed, Source::Named),
        },
        "airlock_release" => Command::AirlockRelease {
            symbol: f.name("symbol")?,
            accept: f.word("action", &["accept", "discard"])? == "accept",
        },
        "last" => Command::Last { symbol: f.name("symbol")?, price: f.decimal("price")? },
        "book" => Command::Book(Box::new(parse_book(f)?)),
        "index" => Command::Index {
            symbol: f.name("symbol")?,
            venue: f.maybe("venue", Fields::name)?.unwrap_or("index".to_string()),
            price: f.decimal("price")?,
        },
        "funding" => Command::Funding { symbol: f.name("symbol")?, rate: f.maybe("rate", Fields::decimal)? },
        "time" => {
            f.id("ts")?;
            Command::Time
        }
        "liq_fill" => {
            Command::LiqFill { liquidation: f.id("liquidation")?, qty: f.decimal("qty")?, price: f.decimal("price")? }
        }
        "liq_expire" => Command::LiqExpire { liquidation: f.id("liquidation")? },
        "liq_unknown" => Command::LiqUnknown { liquidation: f.id("liquidation")? },
        "cancel_ack" => Command::CancelAck {
            account: f.id("account")?,
            pool: parse_pool(f)?,
            execution: f.maybe("execution", Fields::id)?.unwrap_or(0),
        },
        "get" => Command::Get(parse_get(f)?),
        _ => unreachable!("known_fields has let {op} through"),
    })
}

fn parse_venue(f: &Fields) -> Result<VenueRules, Refusal> {
    let mode = f.word("mode", &["mark", "bankruptcy", "none", "manual", "book"])?;
    let default = VenueRules::new(&mode);
    Ok(VenueRules {
        mode,
        cancel_ack: f.flag_or("cancel_ack", default.cancel_ack)?,
        cancel_timeout: f.maybe("cancel_timeout", Fields::id)?.unwrap_or(default.cancel_timeout),
        order_timeout: f.maybe("order_timeout", Fields::id)?.unwrap_or(default.order_timeout),
    })
}

/// `cross:USDT`, `isolated:BTCUSDT`
fn parse_pool(f: &Fields) -> Result<PoolName, Refusal> {
    let text = f.text("pool")?;
    match text.split_once(':') {
        Some(("cross", asset)) if is_name(asset, 32) => Ok(PoolName::Cross(asset.to_string())),
        Some(("isolated", symbol)) if is_name(symbol, 32) => Ok(PoolName::Isolated(symbol.to_string())),
        _ => malformed(format!("pool {text:?} names no pool")),
    }
}

fn parse_defaults(f: &Fields) -> Result<Vec<(String, Json)>, Refusal> {
    let given = f.entries.iter().filter(|(key, _)| INSTRUMENT_FIELDS.contains(&key.as_str()));
    let given: Vec<(String, Json)> = given.cloned().collect();
    look_at_form(&given)?;
    Ok(given)
}

/// At least one field beside the symbol.
fn parse_set(f: &Fields) -> Result<Command, Refusal> {
    let (symbol, dry_run) = (f.name("symbol")?, f.flag_or("dry_run", false)?);
    let changes = |key: &str| INSTRUMENT_FIELDS[1..].contains(&key);
    let fields: Vec<(String, Json)> = f.entries.iter().filter(|(key, _)| changes(key)).cloned().collect();
    if fields.is_empty() {
        return malformed("set names nothing that it would change");
    }
    look_at_form(&fields)?;
    Ok(Command::Set { symbol, fields, dry_run })
}

/// Of an instrument, of an account, or, with neither, of everything.
fn parse_mode(f: &Fields) -> Result<Command, Refusal> {
    let (symbol, account) = (f.maybe("symbol", Fields::name)?, f.maybe("account", Fields::id)?);
    if symbol.is_some() && account.is_some() {
        return malformed("a mode is of a symbol or of an account, not of both");
    }
    let mode = Mode::read(&f.word("mode", Mode::WORDS)?);
    Ok(Command::Mode { symbol, account, mode, dry_run: f.flag_or("dry_run", false)? })
}

fn parse_health(f: &Fields) -> Result<Command, Refusal> {
    let word = f.word("state", health::STATES)?;
    let state = health::STATES.iter().position(|known| *known == word).expect("the form has been checked");
    let symbol = f.maybe("symbol", Fields::name)?;
    let active = f.flag_or("active", true)?;
    let mode = Mode::read(&f.word_or("mode", Mode::WORDS, "normal")?);
    if !active && mode != Mode::Normal {
        return malformed("what is no more holds no mode");
    }
    Ok(Command::Health { state, symbol, active, mode })
}

/// The form of some fields of an instrument is looked at in one that names what any must.
fn look_at_form(given: &[(String, Json)]) -> Result<(), Refusal> {
    let f = Fields { entries: given.to_vec() };
    let text = |text: &str| Json::Text(text.to_string());
    let needed = [
        ("symbol", text("X")),
        ("kind", text("linear_perp")),
        ("underlying", text("X")),
        ("settle", text("X")),
        ("tick", text("1")),
        ("lot", text("1")),
        ("tiers", Json::List(Vec::new())),
    ];
    let missing = needed.into_iter().filter(|(key, _)| !f.has(key)).map(|(key, json)| (key.to_string(), json));
    parse_instrument(&Fields { entries: given.iter().cloned().chain(missing).collect() })?;
    Ok(())
}

pub fn parse_instrument(f: &Fields) -> Result<InstrumentFields, Refusal> {
    let kinds = ["linear_perp", "inverse_perp", "linear_future", "inverse_future", "option", "spot"];
    let ranks = ["pnl_leverage", "pnl_margin_ratio", "profit_notional", "pro_rata"];
    f.name("underlying")?;
    Ok(InstrumentFields {
        entries: f.entries.clone(),
        symbol: f.name("symbol")?,
        kind: f.word("kind", &kinds)?,
        settle: f.name("settle")?,
        tick: f.decimal("tick")?,
        lot: f.decimal("lot")?,
        multiplier: f.decimal_or("multiplier", 1)?,
        tiers: parse_tiers(f)?,
        tier_rule: f.word_or("tier_rule", &["marginal", "step", "linear"], "marginal")?,
        base: f.maybe("base", Fields::decimal)?,
        slope: f.maybe("slope", Fields::decimal)?,
        im_base: f.maybe("im_base", Fields::decimal)?,
        maker_fee: f.decimal_or("maker_fee", 0)?,
        taker_fee: f.decimal_or("taker_fee", 0)?,
        liquidation_fee: f.decimal_or("liquidation_fee", 0)?,
        close_fee_in_mm: f.flag_or("close_fee_in_mm", false)?,
        fraction: parse_fraction(f)?,
        pacing: parse_pacing(f)?,
        reduce: parse_reduce(f)?,
        adl_rank: f.word_or("adl_rank", &ranks, "pnl_leverage")?,
        adl_price: f.word_or("adl_price", &["bankruptcy", "mark"], "bankruptcy")?,
        index: price_fields::parse_index(f)?,
        mark: price_fields::parse_mark(f)?,
        funding: price_fields::parse_funding(f)?,
        margin_calls: calls::parse_levels(f)?,
        count_profits: f.flag_or("count_profits", false)?,
        limits: controls::parse_limits(f)?,
        airlock: airlock::parse_airlock(f)?,
        fund: f.maybe("fund", Fields::name)?,
    })
}

/// Only the rule `linear` has none.
fn parse_tiers(f: &Fields) -> Result<Option<Vec<Json>>, Refusal> {
    let by_size = matches!(f.get("tier_rule"), Some(Json::Text(rule)) if rule == "linear");
    if by_size && !f.has("tiers") { Ok(None) } else { Ok(Some(f.list("tiers")?.clone())) }
}

/// Exactly one of `lots` and `depth_share`.
fn parse_pacing(f: &Fields) -> Result<Option<PacingFields>, Refusal> {
    let entries = match f.get("pacing") {
        None | Some(Json::Null) => return Ok(None),
        Some(Json::Object(entries)) => entries.clone(),
        Some(_) => return malformed("pacing is not an object"),
    };
    if entries.len() != 1 {
        return malformed("pacing takes one of lots and depth_share");
    }
    let f = Fields { entries };
    if f.has("lots") {
        return Ok(Some(PacingFields::Lots(f.id("lots")?)));
    }
    Ok(Some(PacingFields::DepthShare(f.decimal("depth_share")?)))
}

/// Needed where `reduce` lists it.
fn parse_fraction(f: &Fields) -> Result<Option<Rat>, Refusal> {
    let listed = parse_reduce(f)?.iter().any(|word| word == "fraction");
    if listed { f.decimal("fraction").map(Some) } else { f.maybe("fraction", Fields::decimal) }
}

fn parse_leg(f: &Fields, key: &str) -> Result<Option<String>, Refusal> {
    f.maybe(key, |f, k| f.word(k, &["long", "short"]))
}

/// A list of distinct words.
fn parse_reduce(f: &Fields) -> Result<Vec<String>, Refusal> {
    if !f.has("reduce") {
        return Ok(vec!["tier".to_string(), "all".to_string()]);
    }
    let mut words: Vec<String> = Vec::new();
    for item in f.list("reduce")? {
        match item {
            Json::Text(w) if ["tier", "all", "fraction"].contains(&w.as_str()) => {
                if words.contains(w) {
                    return malformed(format!("reduce names {w} twice"));
                }
                words.push(w.clone());
            }
            _ => return malformed("reduce is not a list of tier, all, fraction"),
        }
    }
    Ok(words)
}

fn parse_fund(f: &Fields) -> Result<Command, Refusal> {
    Ok(Command::Fund(FundFields {
        fund: f.name("fund")?,
        asset: f.name("asset")?,
        floor: f.decimal_or("floor", 0)?,
        socialise: f.flag_or("socialise", false)?,
        drawdown: parse_drawdown(f)?,
        unwind_interval: f.maybe("unwind_interval", Fields::id)?.unwrap_or(0),
        max_loss_per_minute: f.maybe("max_loss_per_minute", Fields::decimal)?,
    }))
}

/// `{start, stop, window}`, all of them.
fn parse_drawdown(f: &Fields) -> Result<Option<DrawdownFields>, Refusal> {
    let entries = match f.get("drawdown") {
        None => return Ok(None),
        Some(Json::Object(entries)) => entries.clone(),
        Some(_) => return malformed("drawdown is not an object"),
    };
    if let Some((key, _)) = entries.iter().find(|(key, _)| !["start", "stop", "window"].contains(&key.as_str())) {
        return malformed(format!("drawdown does not take {key:?}"));
    }
    let f = Fields { entries };
    Ok(Some(DrawdownFields { start: f.decimal("start")?, stop: f.decimal("stop")?, window: f.id("window")? }))
}

fn parse_order(f: &Fields) -> Result<OrderFields, Refusal> {
    Ok(OrderFields {
        account: f.id("account")?,
        order: f.id("order")?,
        symbol: f.name("symbol")?,
        side: f.word("side", &["buy", "sell"])?,
        qty: f.decimal("qty")?,
        price: f.decimal("price")?,
        reduce_only: f.flag_or("reduce_only", false)?,
        position_side: parse_leg(f, "position_side")?,
    })
}

fn parse_fill(f: &Fields) -> Result<FillFields, Refusal> {
    let fill = FillFields {
        account: f.id("account")?,
        symbol: f.name("symbol")?,
        side: f.word("side", &["buy", "sell"])?,
        qty: f.decimal("qty")?,
        price: f.decimal("price")?,
        order: f.maybe("order", Fields::id)?,
        counterparty: f.maybe("counterparty", Fields::id)?,
        counter_order: f.maybe("counter_order", Fields::id)?,
        liquidity: f.maybe("liquidity", |f, k| f.word(k, &["maker", "taker"]))?,
        position_side: parse_leg(f, "position_side")?,
        counter_position_side: parse_leg(f, "counter_position_side")?,
    };
    let of_counter = fill.counter_order.is_some() || fill.counter_position_side.is_some();
    if of_counter && fill.counterparty.is_none() {
        return malformed("counter_order or counter_position_side without counterparty");
    }
    Ok(fill)
}

fn parse_book(f: &Fields) -> Result<BookFields, Refusal> {
    let brought = ["bid", "ask", "impact_bid", "impact_ask", "bids", "asks"];
    if !brought.into_iter().any(|key| f.has(key)) {
        return malformed("book brings nothing");
    }
    Ok(BookFields {
        symbol: f.name("symbol")?,
        bid: f.maybe("bid", Fields::decimal)?,
        ask: f.maybe("ask", Fields::decimal)?,
        impact_bid: f.maybe("impact_bid", Fields::decimal)?,
        impact_ask: f.maybe("impact_ask", Fields::decimal)?,
        bids: f.maybe("bids", parse_levels)?,
        asks: f.maybe("asks", parse_levels)?,
    })
}

/// `[[price, qty], …]`
fn parse_levels(f: &Fields, key: &str) -> Result<Vec<(Rat, Rat)>, Refusal> {
    let mut levels = Vec::new();
    for item in f.list(key)? {
        let pair = match item {
            Json::List(pair) if pair.len() == 2 => pair,
            _ => return malformed(format!("a level of {key} is not [price, qty]")),
        };
        match (json_decimal(&pair[0]), json_decimal(&pair[1])) {
            (Some(price), Some(qty)) => levels.push((price, qty)),
            _ => return malformed(format!("a level of {key} is not made of decimals")),
        }
    }
    Ok(levels)
}

/// Every field that is given is read, needed or not.
fn parse_get(f: &Fields) -> Result<Get, Refusal> {
    let whats = ["account", "instrument", "fund", "adl_queue", "ladder", "totals", "health", "riskiest"];
    let what = f.word("what", &whats)?;
    f.maybe("account", Fields::id)?;
    f.maybe("symbol", Fields::name)?;
    f.maybe("fund", Fields::name)?;
    let sides = ["long", "short"];
    f.maybe("side", |f, k| f.word(k, &sides))?;
    let limit = f.maybe("limit", Fields::id)?;
    Ok(match what.as_str() {
        "account" => Get::Account(f.id("account")?),
        "instrument" => Get::Instrument(f.name("symbol")?),
        "fund" => Get::Fund(f.name("fund")?),
        "adl_queue" => {
            let side = f.word("side", &sides)?;
            Get::AdlQueue { symbol: f.name("symbol")?, side, limit }
        }
        "ladder" => Get::Ladder(f.name("symbol")?),
        "totals" => Get::Totals,
        "health" => Get::Health,
        _ => Get::NotBuilt(what),
    })
}
