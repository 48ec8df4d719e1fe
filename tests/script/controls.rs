//! Modes, limits, changes of rules in operation.

use super::prices::VENUES;
use super::{Dice, Traded, Writer, decimal};
use crate::reference::Reference;
use serde_json::{Value, json};

const MODES: &[&str] =
    &["reduce_only", "cancel_only", "halted", "liquidation_paused", "liquidation_paused", "adl_paused"];

impl Writer {
    /// What is not normal mostly becomes so soon; at times only who would be liquidated.
    pub(super) fn mode(&self, dice: &mut Dice, reference: &Reference) -> Value {
        if dice.chance(25) {
            return self.health(dice, reference);
        }
        let mut line = self.any_mode(dice, reference);
        if dice.chance(15) {
            line["dry_run"] = json!(dice.chance(90));
        }
        line
    }

    /// What is wrong is mostly well again soon.
    fn health(&self, dice: &mut Dice, reference: &Reference) -> Value {
        let ill = reference.ill();
        if !ill.is_empty() && dice.chance(75) {
            let (state, symbol) = dice.pick(&ill).clone();
            let mut line = json!({"op":"health","state":state,"active":false});
            if let Some(symbol) = symbol {
                line["symbol"] = json!(symbol);
            }
            if dice.chance(5) {
                line["mode"] = json!("normal");
            }
            return line;
        }
        let states =
            ["stalled_worker", "silent_feed", "silent_venue", "queue_near_full", "slow_journal", "standby_behind"];
        let mut line = json!({"op":"health","state":*dice.pick(&states)});
        if dice.chance(70) {
            line["symbol"] = json!(dice.pick(&self.instruments).symbol.clone());
        }
        if dice.chance(90) {
            line["mode"] = json!(*dice.pick(MODES));
        }
        if dice.chance(50) {
            line["active"] = json!(dice.chance(95)); // with a mode what is no more is refused
        }
        line
    }

    fn any_mode(&self, dice: &mut Dice, reference: &Reference) -> Value {
        let held = reference.modes();
        if !held.is_empty() && dice.chance(75) {
            let (symbol, account) = dice.pick(&held).clone();
            let mode = if dice.chance(90) { "normal" } else { *dice.pick(MODES) };
            return Self::mode_of(symbol, account, mode);
        }
        let mode = if dice.chance(5) { "normal" } else { *dice.pick(MODES) };
        match dice.below(10) {
            0..=5 => Self::mode_of(Some(dice.pick(&self.instruments).symbol.clone()), None, mode),
            6..=7 => Self::mode_of(None, Some(self.account(dice)), mode),
            _ => Self::mode_of(None, None, mode),
        }
    }

    fn mode_of(symbol: Option<String>, account: Option<u64>, mode: &str) -> Value {
        let mut line = json!({"op":"mode","mode":mode});
        if let Some(symbol) = symbol {
            line["symbol"] = json!(symbol);
        }
        if let Some(account) = account {
            line["account"] = json!(account);
        }
        line
    }

    /// Bounds that some lots reach.
    pub(super) fn limits(dice: &mut Dice, lot_scale: u32) -> Value {
        let lots = |n: i64| json!(decimal(i128::from(n), lot_scale));
        let mut limits = json!({});
        if dice.chance(50) {
            limits["position"] = lots(dice.range(3, 60));
        }
        if dice.chance(40) {
            limits["open_interest"] = lots(dice.range(2, 90));
        }
        if dice.chance(40) {
            limits["collar"] = json!(*dice.pick(&["0.01", "0.05", "0.08", "0.3", "0.000000001"]));
        }
        if dice.chance(50) {
            let lower = dice.range(0, 40);
            limits["oi_im"] = json!({"lower":lots(lower),"upper":lots(lower + dice.range(1, 80))});
        }
        limits
    }

    /// Some of the fields of an instrument are given by `defaults` before it.
    pub(super) fn give_by_defaults(dice: &mut Dice, line: &mut Value) -> Value {
        let mut defaults = json!({"op":"defaults"});
        let fields = line.as_object_mut().expect("a declaration is an object");
        let names: Vec<String> = fields.keys().cloned().collect();
        for name in names {
            if !["op", "symbol"].contains(&&*name) && dice.chance(50) {
                defaults[&name] = fields.remove(&name).expect("it was there");
            }
        }
        defaults
    }

    /// One to three changes; at times only what they would do.
    pub(super) fn set(&self, dice: &mut Dice) -> Value {
        let at = dice.pick(&self.instruments);
        let mut line = json!({"op":"set","symbol":at.symbol});
        for _ in 0..=dice.below(3) {
            self.change(dice, at, &mut line);
        }
        if dice.chance(30) {
            line["dry_run"] = json!(dice.chance(95));
        }
        line
    }

    /// Prices and controls, which change at the place of the line; margin calls do not.
    fn change_at_once(&self, dice: &mut Dice, at: &Traded, line: &mut Value) {
        match dice.below(10) {
            0..=2 if self.features.computed_prices => {
                line["mark"] = if dice.chance(40) { json!({"rule":"external"}) } else { Self::mark_rule(dice) };
                if line["mark"]["rule"] == "external" && dice.chance(50) {
                    line["mark"]["stale_after"] = json!(dice.range(100, 6_000));
                }
            }
            3..=4 if self.features.computed_prices => {
                let venues = &VENUES[..*dice.pick(&[1, 2, 2, 3, 4])];
                line["index"] = Self::index_rules(dice, venues);
            }
            5 if self.features.funding && self.features.computed_prices => line["funding"] = self.funding_rule(dice),
            6 if self.features.margin_calls => line["margin_calls"] = Self::margin_calls(dice),
            7 if self.features.count_profits => line["count_profits"] = json!(dice.chance(50)),
            8 if self.features.airlock && dice.chance(60) => {
                let rule = Self::airlock_rule(dice, at.lot_value, self.decimals_of(&at.asset));
                line["airlock"] = if dice.chance(30) { Value::Null } else { rule };
            }
            8 if self.features.pacing => line["pacing"] = Value::Null,
            _ if self.features.limits => line["limits"] = Self::limits(dice, at.lot_scale),
            _ => line["adl_price"] = json!("mark"),
        }
    }

    fn change(&self, dice: &mut Dice, at: &Traded, line: &mut Value) {
        let decimals = self.decimals_of(&at.asset);
        if self.features.set_prices && dice.chance(35) {
            return self.change_at_once(dice, at, line);
        }
        match dice.below(20) {
            0..=6 => {
                line["tiers"] = Self::tiers(dice, at.lot_value, decimals);
                if dice.chance(50) {
                    line["tier_rule"] = json!(*dice.pick(&["marginal", "step"]));
                }
            }
            7..=8 => line["tier_rule"] = json!(*dice.pick(&["marginal", "step"])),
            9 if self.features.linear_tiers => {
                let base = dice.range(1, 200) * 100_000;
                line["tier_rule"] = json!("linear");
                line["base"] = json!(decimal(i128::from(base), 9));
                line["slope"] = json!(decimal(i128::from(dice.range(0, base)), 9));
                line["im_base"] = json!(decimal(i128::from(base * 2 + dice.range(0, 77)), 9));
            }
            9..=11 => {
                let fee = *dice.pick(&["maker_fee", "taker_fee", "taker_fee", "liquidation_fee"]);
                line[fee] = json!(*dice.pick(&["0", "0.0005", "0.01", "0.05", "0.3"]));
            }
            12..=13 if self.features.close_fee => line["close_fee_in_mm"] = json!(dice.chance(60)),
            12..=14 => {
                let reductions: &[&[&str]] = &[&["tier", "all"], &["all"], &["tier"], &[], &["all", "fraction"]];
                line["reduce"] = json!(*dice.pick(reductions));
                if dice.chance(30) {
                    line["fraction"] = json!(*dice.pick(&["0.25", "1", "0.000000001"]));
                }
            }
            15 if self.features.pacing => line["pacing"] = Self::pacing(dice),
            16 if self.features.rankings => line["adl_price"] = json!(*dice.pick(&["bankruptcy", "mark"])),
            17 if self.features.rankings => {
                let ranks = ["pnl_leverage", "pnl_margin_ratio", "profit_notional", "pro_rata"];
                line["adl_rank"] = json!(*dice.pick(&ranks));
            }
            18 => {
                let (field, value) = *dice.pick(&[("lot", "2"), ("fund", "reserve"), ("kind", "linear_perp")]);
                line[field] = json!(value);
            }
            _ => line["funding"] = json!({"chunk":dice.range(1, 4)}),
        }
    }
}
