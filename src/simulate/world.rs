//! What there is: assets, funds, instruments, accounts, the venue, as declared by lines of the protocol.

use super::dice::Dice;
use crate::journal::Durability;
use crate::presets::{PRESETS, Preset};
use crate::rule_version::RuleVersion;
use serde_json::{Value, json};

/// The world of a seed.
#[derive(Debug)]
pub(super) struct World {
    /// The rules that hold for what an instrument does not name.
    pub(super) preset: Option<&'static Preset>,
    /// When its journal is forced to the disk.
    pub(super) durability: Durability,
    /// The version of the kernel's rules that the sequence begins under.
    pub(super) rules: RuleVersion,
    /// What declares the rest, and opens the accounts.
    pub(super) prologue: Vec<Value>,
    pub(super) assets: Vec<(&'static str, u32)>,
    /// By name and asset.
    pub(super) funds: Vec<(&'static str, &'static str)>,
    pub(super) instruments: Vec<Listed>,
    /// Numbered from 1.
    pub(super) accounts: u64,
}

/// An instrument as its clients know it.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) symbol: String,
    pub(super) asset: &'static str,
    pub(super) tick_scale: u32,
    pub(super) lot_scale: u32,
    /// About what a lot is worth at the first price, in quanta.
    pub(super) lot_value: i128,
    /// The first price, in ticks.
    pub(super) start: i64,
    /// Whether marks come from an index.
    pub(super) computed: bool,
    /// Venues of the index.
    pub(super) venues: &'static [&'static str],
}

/// `steps / 10^scale`, as a decimal.
pub(super) fn decimal(steps: i128, scale: u32) -> String {
    let mut value = crate::decimal::Decimal::new(steps, scale).to_string();
    if value.contains('.') {
        value.truncate(value.trim_end_matches('0').trim_end_matches('.').len());
    }
    value
}

const VENUES: &[&str] = &["alpha", "beta", "gamma"];

impl World {
    pub(super) fn new(dice: &mut Dice, presets: bool) -> Self {
        let mut world = Self {
            preset: (dice.chance(12) && presets).then(|| dice.pick(PRESETS)),
            prologue: Vec::new(),
            assets: Vec::new(),
            funds: Vec::new(),
            instruments: Vec::new(),
            accounts: 3 + dice.below(9),
            durability: match dice.below(10) {
                0 => Durability::None,
                1..=2 => Durability::Async,
                _ => Durability::Sync,
            },
            rules: *dice.pick(&[RuleVersion::NEWEST, RuleVersion::NEWEST, RuleVersion::OLDEST]),
        };
        world.declare_assets(dice);
        let instruments = 1 + dice.below(4);
        (0..instruments).for_each(|index| world.declare_instrument(dice, index));
        world.prologue.push(venue_rules(dice));
        world.open_accounts(dice);
        world
    }

    fn declare_assets(&mut self, dice: &mut Dice) {
        for name in ["USDT", "USDC"].into_iter().take(1 + usize::from(dice.chance(25))) {
            let decimals = *dice.pick(&[2, 6, 8]);
            self.prologue.push(json!({"op":"asset","asset":name,"decimals":decimals}));
            self.assets.push((name, decimals));
            self.funds.push((name, name));
        }
        if dice.chance(30) {
            let mut line = json!({"op":"fund","fund":"reserve","asset":"USDT"});
            fund_rules(dice, &mut line);
            self.prologue.push(line);
            self.funds.push(("reserve", "USDT"));
        }
    }

    fn declare_instrument(&mut self, dice: &mut Dice, index: u64) {
        let (asset, decimals) = *dice.pick(&self.assets);
        let tick_scale = dice.below(3) as u32;
        let lot_scale = dice.below(u64::from(decimals - tick_scale.min(decimals)).min(3) + 1) as u32;
        let start = *dice.pick(&[90, 1_000, 100_000]);
        let inverse = self.preset.is_none() && dice.chance(20);
        let lot_value = if inverse {
            10i128.pow(decimals + tick_scale) / i128::from(start) // a coin's worth of contracts of one
        } else {
            10i128.pow(decimals.saturating_sub(tick_scale + lot_scale)) * i128::from(start)
        }
        .max(1);
        let (kind, lot_scale) = if inverse { ("inverse_perp", 0) } else { ("linear_perp", lot_scale) };
        let symbol = format!("{}{index}", if inverse { "INV" } else { "LIN" });
        let mut line = json!({"op":"instrument","symbol":symbol,"kind":kind,"underlying":"C","settle":asset,
            "tick":decimal(1, tick_scale),"lot":decimal(1, lot_scale),"tiers":tiers(dice, lot_value, decimals)});
        let mut listed =
            Listed { symbol, asset, tick_scale, lot_scale, lot_value, start, computed: false, venues: &["index"] };
        if self.preset.is_none() {
            self.rules(dice, &mut line, &mut listed);
        }
        self.prologue.push(line);
        self.instruments.push(listed);
    }

    fn rules(&self, dice: &mut Dice, line: &mut Value, listed: &mut Listed) {
        line["tier_rule"] = json!(*dice.pick(&["marginal", "marginal", "step"]));
        line["maker_fee"] = json!(*dice.pick(&["0", "0.0002", "-0.0001"]));
        line["taker_fee"] = json!(*dice.pick(&["0", "0.0005"]));
        line["liquidation_fee"] = json!(*dice.pick(&["0", "0.0125"]));
        line["reduce"] = json!(*dice.pick(&[&["tier", "all"][..], &["all"], &["tier", "all"], &[]]));
        line["adl_rank"] =
            json!(*dice.pick(&["pnl_leverage", "pnl_leverage", "pnl_margin_ratio", "profit_notional", "pro_rata"]));
        if dice.chance(25) {
            line["pacing"] = json!({"lots":decimal(i128::from(dice.range(1, 9)), listed.lot_scale)});
        }
        if dice.chance(25) {
            line["margin_calls"] = json!(["0.6", "0.9"]);
        }
        if dice.chance(20) {
            line["limits"] = json!({"collar":"0.3","position":decimal(60, listed.lot_scale)});
        }
        if self.funds.len() > self.assets.len() && listed.asset == "USDT" && dice.chance(40) {
            line["fund"] = json!("reserve");
        }
        if dice.chance(30) {
            line["airlock"] = json!({"max_jump":*dice.pick(&["0.1", "0.25"]),"timeout":milliseconds(dice, 1, 40)});
        }
        if dice.chance(40) {
            let venues = &VENUES[..=dice.below(3) as usize];
            let weighted: Vec<Value> = venues.iter().map(|venue| json!({"venue":venue,"weight":"1"})).collect();
            line["index"] = json!({"venues":weighted,"stale_after":milliseconds(dice, 20, 400),
                "max_deviation":"0.05","outlier":*dice.pick(&["clamp", "drop"])});
            listed.venues = venues;
            listed.computed = dice.chance(75);
            if listed.computed {
                let rule = *dice.pick(&["median", "fair_basis", "ema_basis"]);
                line["mark"] = json!({"rule":rule});
                match rule {
                    "median" => line["mark"]["sample_every"] = milliseconds(dice, 1, 9),
                    "ema_basis" => {
                        line["mark"]["sample_every"] = milliseconds(dice, 1, 9);
                        line["mark"]["ema"] = milliseconds(dice, 10, 90);
                        line["mark"]["band"] = json!("0.05");
                    }
                    _ => {}
                }
            }
        }
        line["funding"] = if listed.computed || dice.chance(40) {
            json!({"interval":milliseconds(dice, 50, 400),"sample_every":milliseconds(dice, 1, 9),"interest":"0.0001",
                "clamp":"0.0005","cap":"0.03","chunk":dice.range(1, 5),"auto":dice.chance(60)})
        } else {
            json!({"chunk":dice.range(1, 5)})
        };
    }

    fn open_accounts(&mut self, dice: &mut Dice) {
        for account in 1..=self.accounts {
            if dice.chance(25) {
                self.prologue.push(json!({"op":"account","account":account,"positions":"hedge"}));
            }
            for &(asset, decimals) in &self.assets {
                let amount = decimal(self.typical(asset) * i128::from(dice.range(50, 1_500)) / 100, decimals);
                self.prologue.push(json!({"op":"deposit","account":account,"asset":asset,"amount":amount}));
            }
        }
        for &(fund, asset) in &self.funds {
            if dice.chance(60) {
                let amount = decimal(self.typical(asset) * i128::from(dice.range(10, 900)) / 100, self.decimals(asset));
                self.prologue.push(json!({"op":"fund_deposit","fund":fund,"amount":amount}));
            }
        }
    }

    /// About what a lot is worth of what is settled in an asset, in quanta.
    pub(super) fn typical(&self, asset: &str) -> i128 {
        self.instruments.iter().find(|at| at.asset == asset).map_or(1_000, |at| at.lot_value)
    }

    pub(super) fn decimals(&self, asset: &str) -> u32 {
        self.assets.iter().find(|(name, _)| *name == asset).map_or(0, |(_, decimals)| *decimals)
    }
}

/// Where orders go: most venues answer by themselves, late and out of order.
pub(super) fn venue_rules(dice: &mut Dice) -> Value {
    let mode = *dice.pick(&["manual", "manual", "manual", "manual", "mark", "bankruptcy", "book"]);
    json!({"op":"venue","mode":mode,"cancel_ack":mode == "manual" && dice.chance(60),
        "cancel_timeout":milliseconds(dice, 5, 80),"order_timeout":milliseconds(dice, 5, 80)})
}

pub(super) fn fund_rules(dice: &mut Dice, line: &mut Value) {
    if dice.chance(40) {
        line["drawdown"] = json!({"start":"0.7","stop":"0.75","window":milliseconds(dice, 100, 900)});
    }
    line["socialise"] = json!(dice.chance(40));
    line["unwind_interval"] = milliseconds(dice, 0, 30);
}

/// Some rows, of which some lots reach the next.
pub(super) fn tiers(dice: &mut Dice, lot_value: i128, decimals: u32) -> Value {
    let (mut cap, mut mmr, mut leverage) = (0, dice.range(4, 20), 50);
    let mut rows = Vec::new();
    for _ in 0..=dice.below(3) {
        cap += lot_value * i128::from(dice.range(20, 400));
        leverage = leverage.min(900 / mmr);
        rows.push(json!({"cap":decimal(cap, decimals),"mmr":decimal(i128::from(mmr), 3),"max_leverage":leverage}));
        mmr += dice.range(1, 30);
    }
    json!(rows)
}

/// In nanoseconds.
fn milliseconds(dice: &mut Dice, low: i64, high: i64) -> Value {
    json!(dice.range(low, high) * 1_000_000)
}
