//! Contracts, hedge mode, rankings, and rules of funds. A symbol says what it is: its letters are counted by what a run
//! has led to.

use super::{Dice, Traded, Writer, decimal};
use crate::reference::Reference;
use serde_json::{Value, json};

/// The letters of a symbol.
pub const LETTERS: &[(char, &str)] = &[
    ('I', "inverse"),
    ('S', "step"),
    ('L', "linear tiers"),
    ('F', "close fee"),
    ('m', "pnl_margin_ratio"),
    ('n', "profit_notional"),
    ('p', "pro_rata"),
    ('k', "at mark"),
    ('P', "paced"),
    ('A', "funded by itself"),
];

/// The leg of an account in an instrument, and what it holds there.
pub struct Leg {
    pub side: Option<&'static str>,
    pub lots: i64,
}

impl Writer {
    /// Turns a linear contract with rows into another one, at times; the letters of what it is, and the money of one lot
    /// at the starting price.
    pub(super) fn contract_rules(
        &self,
        dice: &mut Dice,
        line: &mut Value,
        start: i64,
        decimals: u32,
        scales: (u32, u32),
    ) -> (String, Option<i128>) {
        let mut letters = String::new();
        let mut lot_value = None;
        if self.features.inverse && dice.chance(40) {
            let (tick_scale, lot_scale) = scales;
            // One lot is worth from one quantum to many, with and without a rest in the division by the price.
            let value = *dice.pick(&[1, 1, 2, 7, 1_000, 1_000_000]);
            let jitter = if dice.chance(60) { dice.range(0, start) } else { 0 };
            let multiplier = decimal(i128::from(value * start + jitter), decimals + tick_scale - lot_scale);
            line["kind"] = json!("inverse_perp");
            line["multiplier"] = json!(multiplier);
            letters.push('I');
            lot_value = Some(i128::from(value));
            line["tiers"] = Self::tiers(dice, i128::from(value), decimals);
        }
        if line["tier_rule"] == "step" {
            letters.push('S');
        }
        if self.features.close_fee && dice.chance(35) {
            line["taker_fee"] = json!(*dice.pick(&["0.0005", "0.01", "0.05", "0.3", "-0.0001"]));
            line["close_fee_in_mm"] = json!(true);
            letters.push('F');
            let highest = line["tiers"].as_array().and_then(|rows| rows.last()?["mmr"].as_str()?.parse::<f64>().ok());
            let fee: f64 = line["taker_fee"].as_str().and_then(|fee| fee.parse().ok()).unwrap_or(0.0);
            if highest.unwrap_or(0.0) + fee >= 1.0 && dice.chance(90) {
                line["taker_fee"] = json!("0");
            }
        }
        if self.features.linear_tiers && dice.chance(25) {
            letters.retain(|letter| letter != 'S');
            letters.push('L');
            self.tiers_by_size(dice, line, decimals, scales, lot_value);
        }
        if self.features.fraction && dice.chance(30) {
            line["reduce"] = json!(*dice.pick(&[&["tier", "fraction"][..], &["fraction"], &["all", "fraction"]]));
            line["fraction"] = json!(*dice.pick(&["0.1", "0.25", "0.333333333", "1", "0.000000001"]));
        }
        if self.features.pacing && dice.chance(30) {
            line["pacing"] = Self::pacing(dice);
            letters.push('P');
        }
        if self.features.rankings {
            let (rank, letter) = *dice.pick(&[
                ("pnl_leverage", None),
                ("pnl_leverage", None),
                ("pnl_margin_ratio", Some('m')),
                ("profit_notional", Some('n')),
                ("pro_rata", Some('p')),
                ("pro_rata", Some('p')),
            ]);
            line["adl_rank"] = json!(rank);
            letters.extend(letter);
            if dice.chance(25) {
                line["adl_price"] = json!("mark");
                letters.push('k');
            }
        }
        (letters, lot_value)
    }

    pub(super) fn pacing(dice: &mut Dice) -> Value {
        if dice.chance(60) {
            return json!({"lots":dice.range(1, 6)});
        }
        json!({"depth_share":*dice.pick(&["0.1", "0.35", "1"])})
    }

    /// Rates that some lots change as much as they are.
    fn tiers_by_size(
        &self,
        dice: &mut Dice,
        line: &mut Value,
        decimals: u32,
        (_, lot_scale): (u32, u32),
        inverse_lot: Option<i128>,
    ) {
        let base = i128::from(dice.range(1, 200)) * 100_000;
        let im_base = base * i128::from(dice.range(1, 3)) + i128::from(dice.range(1, 77));
        // Of some lots, in the underlying, as `above / below`.
        let lots = i128::from(dice.range(3, 300));
        let (above, below) = match inverse_lot {
            Some(value) => (lots * value, 10i128.pow(decimals)),
            None => {
                let multiplier: i128 = line["multiplier"].as_str().and_then(|text| text.parse().ok()).unwrap_or(1);
                (lots * multiplier, 10i128.pow(lot_scale))
            }
        };
        let slope = (base * below / above).min(999_999_999);
        line["tier_rule"] = json!("linear");
        line["base"] = json!(decimal(base, 9));
        line["slope"] = json!(decimal(slope, 9));
        line["im_base"] = json!(decimal(im_base.min(1_000_000_000), 9));
        if dice.chance(97) {
            line.as_object_mut().and_then(|fields| fields.remove("tiers"));
        }
    }

    /// Drawdown, socialised losses, the pace of unwinding.
    pub(super) fn fund_rules(&self, dice: &mut Dice, line: &mut Value) {
        if self.features.fund_rules && dice.chance(50) {
            let (start, stop) = *dice.pick(&[("0.7", "0.75"), ("0.7", "0.75"), ("0.95", "0.96"), ("0.5", "0.5")]);
            let window = *dice.pick(&[480, 4_000, 96_000]);
            line["drawdown"] = json!({"start":start,"stop":stop,"window":window});
        }
        if self.features.fund_rules && dice.chance(50) {
            line["socialise"] = json!(dice.chance(90));
        }
        if self.features.fund_rules && dice.chance(40) {
            line["unwind_interval"] = json!(dice.range(0, 2_000));
        }
        if self.features.loss_limit && dice.chance(20) {
            let asset = line["asset"].as_str().unwrap_or_default().to_owned();
            let lost = i128::from(*dice.pick(&[1, 300, 5_000, 100_000]));
            line["max_loss_per_minute"] = json!(decimal(lost, self.decimals_of(&asset)));
        }
    }

    /// The account's only position in an instrument, or one of its legs.
    pub(super) fn leg(dice: &mut Dice, reference: &Reference, account: u64, at: &Traded) -> Leg {
        if !reference.accounts().contains(&account) {
            return Leg { side: None, lots: 0 };
        }
        let lots = reference.position_lots(account, &at.symbol);
        let n = dice.below(lots.len() as u64) as usize;
        let side = (lots.len() == 2).then(|| ["long", "short"][n]);
        Leg { side, lots: lots[n].parse().unwrap_or(0) }
    }

    /// Names the leg of an account in hedge mode; at times it does not, or does for another.
    pub(super) fn name_leg(&self, dice: &mut Dice, line: &mut Value, field: &str, leg: &Leg) {
        if !self.features.hedge {
            return;
        }
        let named = if dice.chance(2) { *dice.pick(&[None, Some("long")]) } else { leg.side };
        if let Some(side) = named {
            line[field] = json!(side);
        }
    }
}
