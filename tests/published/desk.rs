//! A session under a venue's preset, with the few sentences that the examples need.

use crate::decimal::Decimal;
use serde_json::{Value, json};
use terrace::Settings;
use terrace::presets::Preset;
use terrace::protocol::Session;

/// Finer than every published tolerance that is not zero, so that the first tick that breaches is as good as the
/// venue's real number; and every published price and size lies on it.
const STEP: &str = "0.001";

/// A row of a tier table: its cap and its rate.
pub type Row = (Decimal, Decimal);

/// The fields that say what a contract is; all others are the venue's rules.
const CONTRACT: &[&str] = &["op", "symbol", "kind", "underlying", "settle", "tick", "lot", "tiers"];

/// What an example is carried out under.
#[derive(Clone)]
pub struct Rules {
    /// None: the venue has no preset, and what is not stated is as the protocol says.
    pub preset: Option<&'static str>,
    /// Rules that the example states itself.
    pub stated: Vec<&'static str>,
}

/// A kernel behind the protocol, with the rules of a venue, and one asset that its instruments settle in.
pub struct Desk {
    session: Session,
    asset: &'static str,
    stated: Vec<&'static str>,
    /// Marks are given; else they are computed, and follow the index.
    marks_are_given: bool,
}

impl Desk {
    pub fn new(asset: &'static str, rules: Rules) -> Self {
        let mut session = Session::new(Settings::default());
        let preset = rules.preset.map(|name| Preset::named(name).unwrap_or_else(|| panic!("no preset {name}")));
        let mut marks_are_given = true;
        if let Some(preset) = preset {
            preset.carry_out(&mut session).expect("a preset is accepted");
            marks_are_given = preset.text().contains(r#""mark":{"rule":"external"}"#);
        }
        let mut desk = Self { session, asset, stated: rules.stated, marks_are_given };
        if preset.is_none() {
            desk.say(json!({"op": "asset", "asset": asset, "decimals": 8}));
        }
        desk
    }

    /// A command's events, or its refusal.
    pub fn attempt(&mut self, command: &Value) -> Result<Vec<Value>, Value> {
        let mut out = String::new();
        let accepted = self.session.line(command.to_string().as_bytes(), &mut out).is_ok();
        let mut events = out.lines().map(|line| serde_json::from_str(line).expect("the kernel writes JSON"));
        if accepted { Ok(events.collect()) } else { Err(events.next().expect("a refusal is answered")) }
    }

    /// A command that must be accepted, and its events.
    pub fn say(&mut self, command: Value) -> Vec<Value> {
        self.attempt(&command).unwrap_or_else(|refusal| panic!("{command} was refused: {refusal}"))
    }

    /// The answer to a `get`.
    pub fn ask(&mut self, command: Value) -> Value {
        self.say(command).into_iter().next().expect("a question is answered")
    }

    /// An instrument with these tiers.
    pub fn list(&mut self, symbol: &str, rows: &[Row]) {
        self.list_with(symbol, rows, json!({}));
    }

    /// As [`Desk::list`], with further fields.
    pub fn list_with(&mut self, symbol: &str, rows: &[Row], more: Value) {
        let mut command = self.listing(symbol, rows.iter().map(|&row| tier(row)).collect());
        let fields = command.as_object_mut().expect("an object");
        let Value::Object(more) = more else { panic!("{more}: not an object") };
        fields.extend(more);
        self.declare(command);
    }

    /// Declares an instrument, whose line names the contract and the rules that the example states, and no other.
    pub fn declare(&mut self, command: Value) {
        for field in command.as_object().expect("an object").keys() {
            let field = field.as_str();
            assert!(CONTRACT.contains(&field) || self.stated.contains(&field), "{field} is the preset's: {command}");
        }
        assert!(self.stated.iter().all(|&field| command.get(field).is_some()), "less is stated: {command}");
        self.say(command);
    }

    /// An order for `quantity` (signed: a buy order is positive).
    pub fn order(&mut self, account: u64, order: u64, symbol: &str, quantity: Decimal, price: Decimal) {
        let side = if quantity > Decimal::ZERO { "buy" } else { "sell" };
        self.say(json!({"op": "order", "account": account, "order": order, "symbol": symbol, "side": side,
            "qty": quantity.abs().to_string(), "price": price.to_string()}));
    }

    /// The line that declares a linear instrument.
    pub fn listing(&self, symbol: &str, tiers: Vec<Value>) -> Value {
        json!({"op": "instrument", "symbol": symbol, "kind": "linear_perp", "underlying": symbol,
            "settle": self.asset, "tick": STEP, "lot": STEP, "tiers": tiers})
    }

    pub fn deposit(&mut self, account: u64, amount: Decimal) {
        self.say(json!({"op": "deposit", "account": account, "asset": self.asset, "amount": amount.to_string()}));
    }

    pub fn leverage(&mut self, account: u64, symbol: &str, leverage: Decimal) {
        self.say(json!({"op": "leverage", "account": account, "symbol": symbol, "leverage": leverage.to_string()}));
    }

    /// The leverage of account 1, before its first deposit.
    pub fn leverage_of_new(&mut self, symbol: &str, leverage: Decimal) {
        self.say(json!({"op": "account", "account": 1}));
        self.leverage(1, symbol, leverage);
    }

    /// Fills `quantity` (signed: a long is positive) against the external venue.
    pub fn fill(&mut self, account: u64, symbol: &str, quantity: Decimal, price: Decimal) {
        let side = if quantity > Decimal::ZERO { "buy" } else { "sell" };
        let (quantity, price) = (quantity.abs().to_string(), price.to_string());
        self.say(
            json!({"op": "fill", "account": account, "symbol": symbol, "side": side, "qty": quantity, "price": price}),
        );
    }

    /// Brings the mark to a price: where the venue computes it, by an index from which no basis takes it away.
    pub fn mark(&mut self, symbol: &str, price: Decimal) -> Vec<Value> {
        let op = if self.marks_are_given { "mark" } else { "index" };
        let events = self.say(json!({"op": op, "symbol": symbol, "price": price.to_string()}));
        let shown = self.ask(json!({"op": "get", "what": "instrument", "symbol": symbol}));
        assert_eq!(Decimal::of(&shown["mark"]), price, "the mark that the example states");
        events
    }

    pub fn account(&mut self, account: u64) -> Value {
        self.ask(json!({"op": "get", "what": "account", "account": account}))
    }

    /// An account's position; it must have one.
    pub fn position(&mut self, account: u64, symbol: &str) -> Value {
        let view = self.account(account);
        let positions = view["positions"].as_array().expect("positions");
        let found = positions.iter().find(|position| position["symbol"] == symbol);
        found.unwrap_or_else(|| panic!("no position in {symbol}: {view}")).clone()
    }

    /// A cross position of account 1 at a mark that is its entry price.
    pub fn open_cross(&mut self, symbol: &str, quantity: Decimal, entry: Decimal) -> Value {
        self.mark(symbol, entry);
        self.fill(1, symbol, quantity, entry);
        self.position(1, symbol)
    }

    /// An isolated position of account 1 with exactly this margin, at a mark that is its entry price.
    pub fn open_isolated(&mut self, symbol: &str, quantity: Decimal, entry: Decimal, margin: Decimal) -> Value {
        self.deposit(1, margin);
        self.say(json!({"op": "margin_mode", "account": 1, "symbol": symbol, "mode": "isolated"}));
        let opened = self.open_cross(symbol, quantity, entry);
        let rest = margin - Decimal::of(&opened["margin"]);
        if rest > Decimal::ZERO {
            self.say(json!({"op": "isolated_margin", "account": 1, "symbol": symbol, "amount": rest.to_string()}));
        }
        let position = self.position(1, symbol);
        assert_eq!(Decimal::of(&position["margin"]), margin, "all that was paid in is the position's margin");
        position
    }

    /// The deductions of an instrument's tiers, as the kernel computed them.
    pub fn deductions(&mut self, symbol: &str) -> Vec<Decimal> {
        let view = self.ask(json!({"op": "get", "what": "instrument", "symbol": symbol}));
        view["tiers"].as_array().expect("tiers").iter().map(|row| Decimal::of(&row["deduction"])).collect()
    }
}

/// A row as the protocol takes it; the largest leverage is half of what the rate would allow.
pub fn tier((cap, mmr): Row) -> Value {
    let leverage = Decimal::parse("0.5").floored_by(mmr);
    json!({"cap": cap.to_string(), "mmr": mmr.to_string(), "max_leverage": leverage.to_string()})
}

/// One row for all sizes.
pub fn flat(mmr: Decimal) -> Vec<Row> {
    vec![(Decimal::whole(10_000_000_000), mmr)]
}

/// A table whose second row has this rate and this deduction: one row before it, at half the rate.
pub fn with_deduction(mmr: Decimal, deduction: Decimal) -> Vec<Row> {
    if deduction == Decimal::ZERO {
        return flat(mmr);
    }
    let half = mmr * Decimal::parse("0.5");
    let mut rows = vec![(deduction.exactly_by(half), half)];
    rows.extend(flat(mmr));
    rows
}
