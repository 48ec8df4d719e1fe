//! Prices that the kernel computes from: indexes of several venues, mark rules, premiums, funding.

use super::{Dice, Traded, Writer, decimal};
use serde_json::{Value, json};

/// What a script's instruments may have of it.
pub(super) struct Priced {
    pub venues: Vec<String>,
    /// Under a rule of its own; else marks come from outside.
    pub computed: bool,
    pub funded: bool,
}

pub(super) const VENUES: &[&str] = &["alpha", "beta", "gamma", "delta"];

impl Writer {
    /// Adds index, mark and funding rules to a declaration. Times are of the order of a script's steps.
    pub(super) fn price_rules(&self, dice: &mut Dice, line: &mut Value) -> Priced {
        let mut priced = Priced { venues: vec!["index".to_owned()], computed: false, funded: false };
        if self.features.funding && dice.chance(75) {
            line["funding"] = json!({"chunk":dice.range(1, 4)});
            priced.funded = true;
        }
        if !self.features.computed_prices || dice.chance(55) {
            return priced;
        }
        if dice.chance(75) {
            let venues = &VENUES[..*dice.pick(&[1, 1, 2, 3, 4])];
            line["index"] = Self::index_rules(dice, venues);
            priced.venues = venues.iter().map(|&venue| venue.to_owned()).collect();
        }
        if dice.chance(70) {
            line["mark"] = Self::mark_rule(dice);
            priced.computed = line["mark"]["rule"] != "external";
        }
        if dice.chance(70) || priced.computed {
            line["funding"] = self.funding_rule(dice);
            priced.funded = true;
        }
        priced
    }

    pub(super) fn index_rules(dice: &mut Dice, venues: &[&str]) -> Value {
        let weighted =
            |dice: &mut Dice, venue: &str| json!({"venue":venue,"weight":decimal(i128::from(dice.range(1, 400)), 2)});
        let mut rules = json!({"venues":venues.iter().map(|venue| weighted(dice, venue)).collect::<Vec<_>>()});
        if dice.chance(70) {
            rules["stale_after"] = json!(dice.range(1, 6_000));
        }
        if dice.chance(70) {
            rules["max_deviation"] = json!(*dice.pick(&["0.001", "0.03", "0.1", "0.5"]));
            rules["outlier"] = json!(*dice.pick(&["clamp", "drop"]));
        }
        if dice.chance(50) {
            rules["min_venues"] = json!(1 + dice.below(venues.len() as u64));
        }
        if dice.chance(60) {
            rules["combine"] = json!(*dice.pick(&["mean", "median"]));
        }
        rules
    }

    pub(super) fn mark_rule(dice: &mut Dice) -> Value {
        let mut rule =
            json!({"rule":*dice.pick(&["external", "median", "median", "fair_basis", "ema_basis", "ema_basis"])});
        let word = rule["rule"].as_str().unwrap_or_default().to_owned();
        if word == "median" && dice.chance(70) {
            rule["samples"] = json!(dice.range(1, 6));
        }
        if matches!(&*word, "median" | "ema_basis") {
            rule["sample_every"] = json!(dice.range(20, 900));
        }
        if word == "ema_basis" {
            rule["ema"] = json!(dice.range(20, 4_000));
            rule["band"] = json!(*dice.pick(&["0.005", "0.05", "0.2"]));
        }
        if word != "external" && dice.chance(50) {
            rule["stale_after"] = json!(dice.range(100, 6_000));
        }
        rule
    }

    pub(super) fn funding_rule(&self, dice: &mut Dice) -> Value {
        let mut rule = json!({
            "interval":dice.range(500, 6_000),"anchor":dice.range(0, 900),"sample_every":dice.range(20, 900),
            "interest":*dice.pick(&["0", "0.0001", "-0.02"]),"clamp":*dice.pick(&["0.0005", "0", "0.05"]),
            "cap":*dice.pick(&["0.00375", "0.03", "0.5"]),
        });
        if dice.chance(75) {
            rule["chunk"] = json!(dice.range(1, 4));
        }
        if self.features.auto && dice.chance(50) {
            rule["auto"] = json!(dice.chance(95));
        }
        rule
    }

    pub(super) fn has_computed_marks(&self) -> bool {
        self.instruments.iter().any(|at| at.priced.computed)
    }

    pub(super) fn input_of_marks(&self, dice: &mut Dice) -> Value {
        match dice.below(10) {
            0..=4 => self.index(dice),
            5..=6 => self.last(dice),
            _ => self.quotes(dice),
        }
    }

    /// Near the mark; at times one venue lies.
    fn index(&self, dice: &mut Dice) -> Value {
        let at = self.priced(dice);
        let venue = if dice.chance(4) { "nowhere" } else { dice.pick(&at.priced.venues) };
        let off = match dice.below(12) {
            0 => at.mark * dice.range(-40, 60) / 100,
            1..=3 => at.mark * dice.range(-6, 6) / 100,
            _ => dice.range(-2, 2),
        };
        let price = (at.mark + off).max(1);
        let finer = dice.chance(30); // an index has up to eight decimals
        let text = if finer {
            decimal(i128::from(price) * 1_000 + i128::from(dice.range(-999, 999)).max(-999), at.tick_scale + 3)
        } else {
            Self::price(at, price)
        };
        let mut line = json!({"op":"index","symbol":at.symbol,"price":text});
        if venue != "index" || dice.chance(50) {
            line["venue"] = json!(venue);
        }
        line
    }

    fn last(&self, dice: &mut Dice) -> Value {
        let at = self.priced(dice);
        // Wicks liquidate nobody.
        let off = if dice.chance(15) { at.mark * dice.range(-50, 80) / 100 } else { dice.range(-3, 3) };
        json!({"op":"last","symbol":at.symbol,"price":Self::price(at, (at.mark + off).max(1))})
    }

    /// Bid and ask, and the prices of an impact.
    fn quotes(&self, dice: &mut Dice) -> Value {
        let at = self.priced(dice);
        let middle = (at.mark + dice.range(-at.mark / 50 - 1, at.mark / 50 + 1)).max(2);
        let mut line = json!({"op":"book","symbol":at.symbol});
        let apart = if dice.chance(5) { -1 } else { 1 }; // or crossed
        for (name, direction) in [("bid", -1), ("ask", 1), ("impact_bid", -2), ("impact_ask", 2)] {
            if dice.chance(70) {
                line[name] =
                    json!(Self::price(at, (middle + apart * direction * dice.range(0, at.mark / 100 + 1)).max(1)));
            }
        }
        line
    }

    pub(super) fn funding(&self, dice: &mut Dice) -> Value {
        let at = self.priced(dice);
        let mut line = json!({"op":"funding","symbol":at.symbol});
        if !self.features.computed_prices || dice.chance(70) {
            let rate = match dice.below(8) {
                0 => dice.range(-900_000_000, 900_000_000),
                1 => dice.range(-3, 3),
                _ => dice.range(-20_000_000, 20_000_000),
            };
            line["rate"] = json!(decimal(i128::from(rate), 9));
        }
        line
    }

    /// Mostly an instrument that has such rules.
    fn priced(&self, dice: &mut Dice) -> &Traded {
        let with: Vec<&Traded> = self.instruments.iter().filter(|at| at.priced.computed || at.priced.funded).collect();
        if with.is_empty() || dice.chance(15) {
            return dice.pick(&self.instruments);
        }
        with[dice.below(with.len() as u64) as usize]
    }
}
