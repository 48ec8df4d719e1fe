//! Random scripts in the protocol, drawn against the state of the reference so that most lines mean something.
//!
//! A script is a number for its world (assets, instruments, tiers, funds) and a number for every line; a shorter list
//! of numbers is a shorter script, which is what shrinking needs.

mod airlock;
mod contracts;
mod controls;
mod corrections;
#[allow(dead_code, reason = "not every test that draws scripts counts what they lead to")]
pub mod coverage;
mod dice;
mod holds;
mod prices;
mod senders;
mod venue;

pub use dice::Dice;

use crate::reference::Reference;
use serde_json::{Value, json};

/// What scripts may make use of.
#[derive(Clone, Copy)]
pub struct Features {
    pub funding: bool,
    pub computed_prices: bool,
    pub margin_calls: bool,
    pub inverse: bool,
    pub close_fee: bool,
    pub linear_tiers: bool,
    pub fraction: bool,
    pub rankings: bool,
    pub fund_rules: bool,
    pub hedge: bool,
    pub pacing: bool,
    pub set: bool,
    pub set_prices: bool,
    pub loss_limit: bool,
    pub airlock: bool,
    pub groups: bool,
    pub corrections: bool,
    pub modes: bool,
    pub limits: bool,
    pub count_profits: bool,
    pub auto: bool,
    pub defaults: bool,
}

impl Features {
    /// Without those that are named, by a comma between them: to find out what a difference is about.
    #[allow(dead_code, reason = "not every test leaves something out")]
    pub fn without(mut self, names: &str) -> Self {
        for name in names.split(',').filter(|name| !name.is_empty()) {
            *match name {
                "funding" => &mut self.funding,
                "computed_prices" => &mut self.computed_prices,
                "margin_calls" => &mut self.margin_calls,
                "inverse" => &mut self.inverse,
                "close_fee" => &mut self.close_fee,
                "linear_tiers" => &mut self.linear_tiers,
                "fraction" => &mut self.fraction,
                "rankings" => &mut self.rankings,
                "fund_rules" => &mut self.fund_rules,
                "hedge" => &mut self.hedge,
                "pacing" => &mut self.pacing,
                "set" => &mut self.set,
                "set_prices" => &mut self.set_prices,
                "loss_limit" => &mut self.loss_limit,
                "airlock" => &mut self.airlock,
                "groups" => &mut self.groups,
                "corrections" => &mut self.corrections,
                "modes" => &mut self.modes,
                "limits" => &mut self.limits,
                "count_profits" => &mut self.count_profits,
                "auto" => &mut self.auto,
                "defaults" => &mut self.defaults,
                _ => panic!("scripts have no {name}"),
            } = false;
        }
        self
    }
}

/// What kernel and reference have.
pub const BUILT: Features = Features {
    funding: true,
    computed_prices: true,
    margin_calls: true,
    inverse: true,
    close_fee: true,
    linear_tiers: true,
    fraction: true,
    rankings: true,
    fund_rules: true,
    hedge: true,
    pacing: true,
    set: true,
    set_prices: true,
    loss_limit: true,
    airlock: true,
    groups: true,
    corrections: true,
    modes: true,
    limits: true,
    count_profits: true,
    auto: true,
    defaults: true,
};

/// An instrument as the writer of scripts knows it; prices in ticks, quantities in lots.
struct Traded {
    symbol: String,
    asset: String,
    tick_scale: u32,
    lot_scale: u32,
    /// Money of one lot at the starting price, in quanta.
    lot_value: i128,
    start: i64,
    mark: i64,
    priced: prices::Priced,
}

/// The world of a script, and where its prices stand.
pub struct Writer {
    prologue: Vec<String>,
    instruments: Vec<Traded>,
    assets: Vec<(String, u32)>,
    funds: Vec<(String, String)>,
    accounts: u64,
    now: u64,
    /// The last fills that were drawn.
    fills: Vec<Value>,
    /// Whether lines have a source and a number.
    numbered: bool,
    features: Features,
}

/// `steps / 10^scale` as a decimal.
fn decimal(steps: i128, scale: u32) -> String {
    if scale == 0 {
        return steps.to_string();
    }
    let unit = 10i128.pow(scale);
    let sign = if steps < 0 { "-" } else { "" };
    format!("{sign}{}.{:0width$}", steps.abs() / unit, steps.abs() % unit, width = scale as usize)
}

impl Writer {
    pub fn new(world: u64, features: Features) -> Self {
        let mut dice = Dice(world);
        let mut writer = Self {
            prologue: Vec::new(),
            instruments: Vec::new(),
            assets: Vec::new(),
            funds: Vec::new(),
            accounts: if dice.chance(10) { 20 } else { 3 + dice.below(6) },
            now: 1,
            fills: Vec::new(),
            numbered: dice.chance(40),
            features,
        };
        writer.declare_assets(&mut dice);
        let instruments = 1 + dice.below(4);
        for index in 0..instruments {
            writer.declare_instrument(&mut dice, index, index + 1 == instruments);
        }
        if dice.chance(80) {
            writer.prologue.push(Self::venue(&mut dice).to_string());
        }
        writer.open_accounts(&mut dice);
        writer.prologue.reverse(); // taken from the end
        writer
    }

    fn declare_assets(&mut self, dice: &mut Dice) {
        for name in ["USDT", "USDC"].into_iter().take(1 + usize::from(dice.chance(30))) {
            let decimals = *dice.pick(&[0, 2, 8]);
            self.prologue.push(json!({"op":"asset","asset":name,"decimals":decimals}).to_string());
            self.assets.push((name.to_owned(), decimals));
            self.funds.push((name.to_owned(), name.to_owned()));
            if dice.chance(if self.features.fund_rules { 50 } else { 25 }) {
                let floor = decimal(i128::from(dice.range(-5_000, 5_000)), decimals);
                let mut line = json!({"op":"fund","fund":name,"asset":name,"floor":floor});
                self.fund_rules(dice, &mut line);
                self.prologue.push(line.to_string());
            }
        }
        if dice.chance(30) {
            let mut line = json!({"op":"fund","fund":"reserve","asset":"USDT"});
            self.fund_rules(dice, &mut line);
            self.prologue.push(line.to_string());
            self.funds.push(("reserve".to_owned(), "USDT".to_owned()));
        }
    }

    fn declare_instrument(&mut self, dice: &mut Dice, index: u64, last: bool) {
        let (asset, decimals) = dice.pick(&self.assets).clone();
        let tick_scale = dice.below(u64::from(decimals.min(2)) + 1) as u32;
        let lot_scale = dice.below(u64::from(decimals - tick_scale).min(3) + 1) as u32;
        // From units of one quantum and prices of a few ticks to those of real venues.
        let start = *dice.pick(&[7, 30, 200, 1_000, 100_000]);
        let multiplier = *dice.pick(&["1", "1", "1", "3", "10"]);
        let unit = 10i128.pow(decimals - tick_scale - lot_scale) * multiplier.parse::<i128>().unwrap();
        let lot_value = unit * i128::from(start);
        let rule = *dice.pick(&["marginal", "marginal", "step"]);
        let tiers = Self::tiers(dice, lot_value, decimals);
        let mut line = json!({
            "op":"instrument","kind":"linear_perp","underlying":"C","settle":asset,"multiplier":multiplier,
            "tick":decimal(1, tick_scale),"lot":decimal(1, lot_scale),"tiers":tiers,"tier_rule":rule,
            "maker_fee":*dice.pick(&["0", "0.0002", "-0.0001", "-0.999999999"]),"taker_fee":*dice.pick(&["0", "0.0005", "0.01", "0.999999999"]),
            "liquidation_fee":*dice.pick(&["0", "0.0125", "0.2", "0.999999999"]),
            "reduce":*dice.pick(&[&["tier", "all"][..], &["tier", "all"], &["all"], &["tier"], &[]]),
        });
        if asset == "USDT" && dice.chance(30) && self.funds.iter().any(|(name, _)| name == "reserve") {
            line["fund"] = json!("reserve");
        }
        let scales = (tick_scale, lot_scale);
        let (letters, inverse_lot) = self.contract_rules(dice, &mut line, start, decimals, scales);
        let lot_value = inverse_lot.unwrap_or(lot_value);
        let priced = self.price_rules(dice, &mut line);
        let by_itself = if line["funding"]["auto"] == json!(true) { "A" } else { "" };
        let symbol = format!("{index}{letters}{by_itself}.{asset}");
        line["symbol"] = json!(symbol);
        if self.features.margin_calls && dice.chance(40) {
            line["margin_calls"] = Self::margin_calls(dice);
        }
        if self.features.count_profits && dice.chance(30) {
            line["count_profits"] = json!(dice.chance(90));
        }
        if self.features.limits && dice.chance(40) {
            line["limits"] = Self::limits(dice, lot_scale);
        }
        let has_airlock = self.features.airlock && dice.chance(30);
        if has_airlock {
            line["airlock"] = Self::airlock_rule(dice, lot_value, decimals);
        }
        if self.features.defaults && last && dice.chance(25) {
            self.prologue.push(Self::give_by_defaults(dice, &mut line).to_string());
        }
        self.prologue.push(line.to_string());
        self.instruments.push(Traded { symbol, asset, tick_scale, lot_scale, lot_value, start, mark: start, priced });
    }

    /// Most accounts have money, most instruments a mark, most funds something: else little happens.
    fn open_accounts(&mut self, dice: &mut Dice) {
        for account in 1..=self.accounts {
            let hedged = self.features.hedge && dice.chance(40);
            let grouped = self.features.groups && dice.chance(25);
            if hedged || grouped {
                let positions = if hedged { "hedge" } else { "one_way" };
                let mut line = json!({"op":"account","account":account,"positions":positions});
                if grouped {
                    line["group"] = json!(dice.below(3));
                }
                self.prologue.push(line.to_string());
            }
            for (asset, decimals) in self.assets.clone() {
                if dice.chance(85) {
                    let amount = (self.typical(&asset) * i128::from(dice.range(1, 1_200)) / 100).max(1);
                    let amount = decimal(amount, decimals);
                    let line = json!({"op":"deposit","account":account,"asset":asset,"amount":amount});
                    self.prologue.push(line.to_string());
                }
            }
            for at in &self.instruments {
                if dice.chance(35) {
                    let line = json!({"op":"margin_mode","account":account,"symbol":at.symbol,"mode":"isolated"});
                    self.prologue.push(line.to_string());
                }
            }
        }
        for at in &self.instruments {
            for venue in at.priced.venues.iter().filter(|_| at.priced.computed) {
                let line = json!({"op":"index","symbol":at.symbol,"venue":venue,"price":Self::price(at, at.start)});
                self.prologue.push(line.to_string());
            }
            if dice.chance(85) && !at.priced.computed {
                let line = json!({"op":"mark","symbol":at.symbol,"price":Self::price(at, at.start)});
                self.prologue.push(line.to_string());
            }
        }
    }

    fn margin_calls(dice: &mut Dice) -> Value {
        let mut levels: Vec<i64> = (0..=dice.below(3)).map(|_| dice.range(1, 999)).collect();
        levels.sort_unstable();
        levels.dedup();
        let levels: Vec<String> = levels.into_iter().map(|level| decimal(i128::from(level), 3)).collect();
        if dice.chance(40) { json!(dice.chance(90)) } else { json!(levels) }
    }

    fn tiers(dice: &mut Dice, lot_value: i128, decimals: u32) -> Value {
        let mut cap = 0;
        // 0.01 % to 2 %, at times the least and the most that there is.
        let mut mmr = if dice.chance(10) { *dice.pick(&[1, 999_999_999]) } else { dice.range(1, 200) * 100_000 };
        let mut leverage = (1_000_000_000 / mmr - 1).clamp(1, 125);
        let mut rows = Vec::new();
        for _ in 0..=dice.below(4) {
            cap += lot_value * i128::from(dice.range(1, 30)) + i128::from(dice.range(0, 3));
            rows.push(json!({"cap":decimal(cap, decimals),"mmr":decimal(i128::from(mmr), 9),"max_leverage":leverage}));
            mmr = (mmr * dice.range(1, 4) + dice.range(0, 77)).clamp(mmr, mmr.max(900_000_000));
            leverage = (1_000_000_000 / mmr - 1).clamp(1, leverage);
            if mmr * leverage >= 1_000_000_000 {
                break;
            }
        }
        json!(rows)
    }

    /// The next line: of the prologue as long as there is one, else what the number says.
    pub fn next(&mut self, choice: u64, reference: &Reference) -> String {
        if let Some(line) = self.prologue.pop() {
            return line;
        }
        for at in &mut self.instruments {
            if let Some((computed, venues)) = reference.prices_of(&at.symbol) {
                (at.priced.computed, at.priced.venues) = (computed, venues);
            }
        }
        let mut dice = Dice(choice);
        let mut line = self.draw(&mut dice, reference);
        self.sign(&mut dice, reference, &mut line);
        if dice.chance(3) { self.spoil(&mut dice, &line) } else { line.to_string() }
    }

    fn draw(&mut self, dice: &mut Dice, reference: &Reference) -> Value {
        let waiting = !reference.standing_orders().is_empty() || !reference.awaited_cancels().is_empty();
        if waiting && dice.chance(18) {
            return self.answer_of_venue(dice, reference);
        }
        if self.features.funding && dice.chance(4) {
            return self.funding(dice);
        }
        if self.features.computed_prices && self.has_computed_marks() && dice.chance(25) {
            return self.input_of_marks(dice);
        }
        if self.features.modes && dice.chance(3) {
            return self.mode(dice, reference);
        }
        if self.features.corrections && dice.chance(3) {
            return self.correction(dice, reference);
        }
        if reference.any_fund_pauses() && dice.chance(8) {
            self.now += dice.below(70) * 1_000_000_000; // the loss of a minute ago does not count
            return json!({"op":"time","ts":self.now});
        }
        let holds = !reference.held_marks().is_empty();
        if self.features.airlock && (holds && dice.chance(25) || dice.chance(1)) {
            return self.airlock(dice, reference);
        }
        if self.features.set && dice.chance(3) {
            return self.set(dice);
        }
        match dice.below(100) {
            0..=30 => self.mark(dice, reference),
            31..=49 => self.fill(dice, reference),
            50..=57 => self.payment(dice, reference),
            58..=61 => self.hold(dice, reference),
            62..=73 => self.order(dice, reference),
            74..=76 => self.cancel(dice, reference),
            77..=80 => self.settings(dice),
            81..=83 => self.isolated_margin(dice, reference),
            84..=89 => self.answer_of_venue(dice, reference),
            90..=92 => self.book(dice),
            93..=94 if dice.chance(8) => json!({"op":"rule_version","version":*dice.pick(&[2, 2, 2, 1, 3])}),
            93..=94 => Self::venue(dice),
            95 => self.fund(dice),
            96..=97 => {
                self.now += dice.below(1_000);
                json!({"op":"time","ts":self.now})
            }
            98 => {
                let question = dice.pick(&self.questions()).clone();
                serde_json::from_str(&question).expect("questions are JSON")
            }
            _ => {
                let account = dice.below(self.accounts + 1);
                let positions = if self.features.hedge && dice.chance(30) { "hedge" } else { "one_way" };
                json!({"op":"account","account":account,"positions":positions})
            }
        }
    }

    /// What one lot of something settled in the asset is worth.
    fn typical(&self, asset: &str) -> i128 {
        self.instruments.iter().find(|at| at.asset == asset).map_or(1_000, |at| at.lot_value)
    }

    fn decimals_of(&self, asset: &str) -> u32 {
        self.assets.iter().find(|(name, _)| name == asset).map_or(0, |&(_, decimals)| decimals)
    }

    fn account(&self, dice: &mut Dice) -> u64 {
        1 + dice.below(self.accounts)
    }

    fn price(at: &Traded, ticks: i64) -> String {
        decimal(i128::from(ticks), at.tick_scale)
    }

    /// A small step, a jump, or a price at and around which some pool is liquidated.
    fn mark(&mut self, dice: &mut Dice, reference: &Reference) -> Value {
        let index = dice.below(self.instruments.len() as u64) as usize;
        let relief = if dice.chance(20) { self.relief(dice, reference, index) } else { None };
        let near = if dice.chance(50) { self.near_liquidation(dice, reference, index) } else { None };
        let edge = relief.or(near);
        let at = &mut self.instruments[index];
        at.mark = edge.unwrap_or_else(|| match dice.below(10) {
            0 => at.mark * dice.range(60, 140) / 100,
            1 => at.start,
            2..=4 => at.mark + (at.mark / 100 + 1) * dice.range(-3, 3),
            _ => at.mark + dice.range(-2, 2),
        });
        at.mark = at.mark.clamp(1, at.start * 8);
        if at.priced.computed && dice.chance(95) {
            let venue = dice.pick(&at.priced.venues);
            return json!({"op":"index","symbol":at.symbol,"venue":venue,"price":Self::price(at, at.mark)});
        }
        json!({"op":"mark","symbol":at.symbol,"price":Self::price(at, at.mark)})
    }

    /// A price at which a pool whose liquidation order stands may be cured.
    fn relief(&self, dice: &mut Dice, reference: &Reference, index: usize) -> Option<i64> {
        let at = &self.instruments[index];
        let order = reference.standing_orders().into_iter().find(|order| order.symbol == at.symbol)?;
        let step = at.mark * dice.range(1, 30) / 100 + 1;
        Some(if order.side == "sell" { at.mark + step } else { at.mark - step })
    }

    fn near_liquidation(&self, dice: &mut Dice, reference: &Reference, index: usize) -> Option<i64> {
        let account = self.account(dice);
        let mut copy = reference.clone();
        let answer = copy.line(&json!({"op":"get","what":"account","account":account}).to_string());
        let positions = answer.first()?.get("positions")?.as_array()?.clone();
        let at = &self.instruments[index];
        let position = positions.iter().find(|position| position["symbol"] == at.symbol.as_str())?;
        let price = position["liq_price"].as_str()?;
        let ticks = ticks_of(price, at.tick_scale)?;
        i64::try_from(ticks).ok().map(|ticks| ticks.saturating_add(dice.range(-1, 1)))
    }

    fn fill(&mut self, dice: &mut Dice, reference: &Reference) -> Value {
        let mut at = dice.pick(&self.instruments);
        let mut account = self.account(dice);
        // The execution that a cancellation waits for; the position that a liquidation order stands or stood for.
        let acknowledged = reference.awaited_cancels().into_iter().filter(|pool| pool.acknowledged);
        let awaited: Vec<u64> = acknowledged.map(|pool| pool.account).collect();
        let sent = reference.standing_orders().into_iter().chain(reference.ended_orders());
        let sent: Vec<(u64, String)> = sent.filter_map(|order| Some((order.account?, order.symbol))).collect();
        let mut in_part = false;
        if !awaited.is_empty() && dice.chance(25) {
            account = *dice.pick(&awaited);
        } else if !sent.is_empty() && dice.chance(40) {
            let (owner, symbol) = dice.pick(&sent);
            account = *owner;
            at = self.instruments.iter().find(|at| at.symbol == *symbol).expect("it was declared");
            in_part = dice.chance(70);
        }
        let near = at.mark + dice.range(-at.mark / 20 - 1, at.mark / 20 + 1);
        // Far off the mark: a fact all the same, and how a pool comes to end below zero.
        let price = if dice.chance(8) { dice.range(1, at.start * 3) } else { near.max(1) };
        let mut lots = if dice.chance(50) { dice.range(1, 4) } else { dice.range(1, 40) };
        let leg = Self::leg(dice, reference, account, at);
        let held = leg.lots;
        if held != 0 && dice.chance(30) {
            lots = held.abs() + if dice.chance(30) { dice.range(0, 3) } else { 0 };
        }
        if in_part && held != 0 {
            lots = dice.range(1, held.abs());
        }
        let side = if held != 0 && (in_part || dice.chance(50)) {
            if held > 0 { "sell" } else { "buy" }
        } else {
            *dice.pick(&["buy", "sell"])
        };
        let mut line = json!({"op":"fill","account":account,"symbol":at.symbol,"side":side,
            "qty":decimal(i128::from(lots), at.lot_scale),"price":Self::price(at, price)});
        self.name_leg(dice, &mut line, "position_side", &leg);
        if dice.chance(75) {
            let counter = self.account(dice);
            line["counterparty"] = json!(counter);
            let leg = Self::leg(dice, reference, counter, at);
            self.name_leg(dice, &mut line, "counter_position_side", &leg);
            if dice.chance(10) {
                line["counter_order"] = json!(dice.below(6));
            }
        }
        if dice.chance(30) {
            let own =
                reference.open_orders().into_iter().filter(|order| order.account == account).map(|order| order.order);
            let ids: Vec<u64> = own.chain([dice.below(6)]).collect();
            line["order"] = json!(dice.pick(&ids));
        }
        if dice.chance(50) {
            line["liquidity"] = json!(dice.pick(&["maker", "taker"]));
        }
        if self.fills.len() == 10 {
            self.fills.remove(0);
        }
        self.fills.push(line.clone());
        line
    }

    /// At times to an account whose liquidation waits for the venue.
    fn payment(&mut self, dice: &mut Dice, reference: &Reference) -> Value {
        let (asset, decimals) = dice.pick(&self.assets).clone();
        let amount = (self.typical(&asset) * i128::from(dice.range(1, 600)) / 100).max(1);
        let op = if dice.chance(75) { "deposit" } else { "withdraw" };
        let waiting: Vec<u64> = reference.standing_orders().iter().filter_map(|order| order.account).collect();
        let account = if waiting.is_empty() || dice.chance(75) { self.account(dice) } else { *dice.pick(&waiting) };
        json!({"op":op,"account":account,"asset":asset,"amount":decimal(amount, decimals)})
    }

    fn order(&mut self, dice: &mut Dice, reference: &Reference) -> Value {
        let at = dice.pick(&self.instruments);
        let holders: Vec<u64> = (1..=self.accounts).filter(|&any| holds(reference, any, &at.symbol)).collect();
        let account = if holders.is_empty() || dice.chance(40) { self.account(dice) } else { *dice.pick(&holders) };
        let leg = Self::leg(dice, reference, account, at);
        let held = leg.lots;
        let reduce_only = dice.chance(40);
        let opening = match leg.side {
            Some("long") => Some("buy"),
            Some(_) => Some("sell"),
            None => None,
        };
        let side = if let Some(side) = opening.filter(|_| !reduce_only && dice.chance(80)) {
            side
        } else if reduce_only && dice.chance(90) {
            if held > 0 { "sell" } else { "buy" }
        } else {
            *dice.pick(&["buy", "sell"])
        };
        let lots = if reduce_only { dice.range(1, held.abs() / 2 + 1) } else { dice.range(1, 12) };
        let price = (at.mark + dice.range(-at.mark / 10 - 1, at.mark / 10 + 1)).max(1);
        let mut line = json!({"op":"order","account":account,"order":dice.below(6),"symbol":at.symbol,"side":side,
            "qty":decimal(i128::from(lots), at.lot_scale),"price":Self::price(at, price),"reduce_only":reduce_only});
        self.name_leg(dice, &mut line, "position_side", &leg);
        line
    }

    fn cancel(&mut self, dice: &mut Dice, reference: &Reference) -> Value {
        let mut open = reference.open_orders();
        let waiting: Vec<u64> = reference.awaited_cancels().iter().map(|pool| pool.account).collect();
        if !waiting.is_empty() && dice.chance(40) {
            open.retain(|order| waiting.contains(&order.account));
        }
        if open.is_empty() {
            return json!({"op":"cancel","account":self.account(dice),"order":dice.below(6)});
        }
        let order = dice.pick(&open);
        json!({"op":"cancel","account":order.account,"order":order.order})
    }

    fn settings(&mut self, dice: &mut Dice) -> Value {
        let (account, symbol) = (self.account(dice), dice.pick(&self.instruments).symbol.clone());
        if dice.chance(50) {
            let mode = *dice.pick(&["isolated", "isolated", "cross"]);
            return json!({"op":"margin_mode","account":account,"symbol":symbol,"mode":mode});
        }
        let leverage = decimal(i128::from(*dice.pick(&[100, 133, 200, 500, 1_000, 2_000, 5_000, 12_500])), 2);
        json!({"op":"leverage","account":account,"symbol":symbol,"leverage":leverage})
    }

    fn isolated_margin(&mut self, dice: &mut Dice, reference: &Reference) -> Value {
        let at = dice.pick(&self.instruments);
        let decimals = self.decimals_of(&at.asset);
        let amount = at.lot_value * i128::from(dice.range(-100, 100)) / 100;
        let account = self.account(dice);
        let mut line =
            json!({"op":"isolated_margin","account":account,"symbol":at.symbol,"amount":decimal(amount, decimals)});
        let leg = Self::leg(dice, reference, account, at);
        self.name_leg(dice, &mut line, "position_side", &leg);
        line
    }

    fn book(&mut self, dice: &mut Dice) -> Value {
        let at = dice.pick(&self.instruments);
        let mut side = |direction: i64| -> Value {
            let mut price = at.mark + direction * dice.range(0, 1);
            let mut levels = Vec::new();
            for _ in 0..dice.below(4) {
                if price > 0 {
                    levels.push(json!([Self::price(at, price), decimal(i128::from(dice.range(1, 9)), at.lot_scale)]));
                }
                price += direction * dice.range(1, at.mark / 20 + 1);
            }
            json!(levels)
        };
        let (bids, asks) = (side(-1), side(1));
        let mut line = json!({"op":"book","symbol":at.symbol,"bids":bids,"asks":asks});
        match dice.below(9) {
            8 => line["bid"] = json!(Self::price(at, at.mark + 2)), // at times above the first ask
            0 => drop(line.as_object_mut().and_then(|fields| fields.remove("bids"))),
            1 => line["bid"] = json!(Self::price(at, at.mark)),
            2 => line["impact_ask"] = json!(Self::price(at, at.mark + 1)),
            _ => {}
        }
        line
    }

    fn fund(&mut self, dice: &mut Dice) -> Value {
        let (fund, asset) = dice.pick(&self.funds).clone();
        let decimals = self.decimals_of(&asset);
        let typical = self.typical(&asset);
        let amount = (typical * i128::from(dice.range(1, 3_000)) / 100).max(1);
        if dice.chance(10) {
            let floor = decimal(amount - typical * 5, decimals);
            let mut line = json!({"op":"fund","fund":fund,"asset":asset,"floor":floor});
            self.fund_rules(dice, &mut line);
            return line;
        }
        json!({"op":"fund_deposit","fund":fund,"amount":decimal(amount, decimals)})
    }

    /// Makes a line bad in one of the ways that callers do.
    fn spoil(&mut self, dice: &mut Dice, line: &Value) -> String {
        let mut bad = line.clone();
        let fields: Vec<String> = bad.as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default();
        let field = dice.pick(&fields).clone();
        match dice.below(9) {
            0 => drop(bad.as_object_mut().and_then(|fields| fields.remove(&field))),
            1 => bad[&field] = json!(1.5),
            2 => bad[&field] = Value::Null,
            3 => bad["surplus"] = json!(1),
            4 => bad[&field] = json!("-1"),
            5 => bad[&field] = json!("0"),
            6 => bad[&field] = json!("99999999999999999999999999"),
            7 => bad[&field] = json!("1.00000000000001"),
            _ => return bad.to_string()[..bad.to_string().len() / 2].to_owned(),
        }
        bad.to_string()
    }

    /// Every question that there is.
    pub fn questions(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut ask = |line: Value| lines.push(line.to_string());
        for account in 1..=self.accounts {
            ask(json!({"op":"get","what":"account","account":account}));
        }
        for (fund, _) in &self.funds {
            ask(json!({"op":"get","what":"fund","fund":fund}));
        }
        for at in &self.instruments {
            for side in ["long", "short"] {
                ask(json!({"op":"get","what":"adl_queue","symbol":at.symbol,"side":side}));
            }
            ask(json!({"op":"get","what":"ladder","symbol":at.symbol}));
            ask(json!({"op":"get","what":"instrument","symbol":at.symbol}));
        }
        ask(json!({"op":"get","what":"totals"}));
        ask(json!({"op":"get","what":"health"}));
        lines
    }

    pub fn prologue_left(&self) -> usize {
        self.prologue.len()
    }
}

/// Whether the account has a position in the instrument.
fn holds(reference: &Reference, account: u64, symbol: &str) -> bool {
    reference.accounts().contains(&account) && reference.position_lots(account, symbol).iter().any(|lots| lots != "0")
}

/// A decimal as steps of `10^-scale`; none if it is finer.
fn ticks_of(text: &str, scale: u32) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let padded = format!("{whole}{fraction:0<width$}", width = scale as usize);
    if fraction.len() > scale as usize { None } else { padded.parse().ok() }
}
