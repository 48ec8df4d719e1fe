//! What clients send next, beside market data and the venue's answers.

use super::clients::Who;
use super::dice::Dice;
use super::feed::Feed;
use super::scene::Scene;
use super::world::{decimal, fund_rules, tiers, venue_rules};
use crate::rule_version::RuleVersion;
use serde_json::{Value, json};
use std::collections::VecDeque;

/// What was sent before that later lines refer to.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// The last fills.
    fills: VecDeque<Value>,
    /// Whether something may be in a mode that is not normal.
    modes: VecDeque<Value>,
}

impl Traffic {
    /// The next line of a client.
    pub(super) fn line(&mut self, who: Who, dice: &mut Dice, scene: &Scene<'_>, feed: &Feed) -> Value {
        match who {
            Who::Operator => self.operate(dice, scene, feed),
            Who::Desk => desk(dice, scene),
            Who::Engine if dice.chance(55) => self.fill(dice, scene, feed),
            Who::Engine => order_or_cancel(dice, scene, feed),
            _ => question(dice, scene),
        }
    }

    fn fill(&mut self, dice: &mut Dice, scene: &Scene<'_>, feed: &Feed) -> Value {
        let index = dice.below(scene.world.instruments.len() as u64) as usize;
        let at = &scene.world.instruments[index];
        let account = scene.account(dice);
        let (held, leg) = scene.leg(dice, account, index);
        let closes = held != 0 && dice.chance(35);
        let lots = if closes { dice.range(1, held.abs()) } else { dice.range(1, 25) };
        let buys = match leg {
            _ if closes => held < 0,
            Some(leg) if dice.chance(85) => leg == "long",
            _ => dice.chance(50),
        };
        let mark = feed.price(index);
        let price = (mark + dice.range(-mark / 50 - 1, mark / 50 + 1)).max(1);
        let mut line = json!({"op":"fill","account":account,"symbol":at.symbol,"side":if buys {"buy"} else {"sell"},
            "qty":decimal(i128::from(lots), at.lot_scale),"price":decimal(i128::from(price), at.tick_scale)});
        if let Some(leg) = leg {
            line["position_side"] = json!(leg);
        }
        if dice.chance(80) {
            let counter = scene.account(dice);
            line["counterparty"] = json!(counter);
            if let (_, Some(leg)) = scene.leg(dice, counter, index) {
                line["counter_position_side"] = json!(leg);
            }
        }
        if dice.chance(25) {
            line["order"] = json!(open_order(dice, scene, account));
        }
        if dice.chance(50) {
            line["liquidity"] = json!(*dice.pick(&["maker", "taker"]));
        }
        self.fills.push_back(line.clone());
        if self.fills.len() > 8 {
            self.fills.pop_front();
        }
        line
    }

    fn operate(&mut self, dice: &mut Dice, scene: &Scene<'_>, feed: &Feed) -> Value {
        let world = scene.world;
        let at = dice.pick(&world.instruments);
        match dice.below(20) {
            0..=3 => {
                let back = if dice.chance(60) { self.modes.pop_front() } else { None };
                back.unwrap_or_else(|| self.mode(dice, scene))
            }
            4..=6 => change(dice, scene),
            7..=9 => {
                let mut line = json!({"op":"funding","symbol":at.symbol});
                if dice.chance(70) {
                    line["rate"] = json!(decimal(i128::from(dice.range(-20_000, 20_000)), 6));
                }
                line
            }
            10..=13 => self.correct(dice, scene, feed),
            14..=15 => {
                let &(fund, asset) = dice.pick(&world.funds);
                let amount =
                    decimal(world.typical(asset) * i128::from(dice.range(1, 900)) / 100 + 1, world.decimals(asset));
                json!({"op":"fund_deposit","fund":fund,"amount":amount})
            }
            16 => {
                let &(fund, asset) = dice.pick(&world.funds);
                let mut line = json!({"op":"fund","fund":fund,"asset":asset});
                fund_rules(dice, &mut line);
                line
            }
            17..=18 => {
                json!({"op":"airlock_release","symbol":at.symbol,"action":*dice.pick(&["accept", "discard"])})
            }
            _ if dice.chance(50) => json!({"op":"rule_version","version":RuleVersion::NEWEST.number()}),
            _ => venue_rules(dice),
        }
    }

    /// A mode, and later the normal one again.
    fn mode(&mut self, dice: &mut Dice, scene: &Scene<'_>) -> Value {
        let modes = ["reduce_only", "cancel_only", "halted", "liquidation_paused", "adl_paused"];
        let mut line = json!({"op":"mode","mode":"normal"});
        if dice.chance(20) {
            // Found wrong by a watchdog, and later well again.
            let states = ["stalled_worker", "silent_feed", "silent_venue", "queue_near_full", "slow_journal"];
            let mut line = json!({"op":"health","state":*dice.pick(&states),"active":false});
            if dice.chance(70) {
                line["symbol"] = json!(dice.pick(&scene.world.instruments).symbol);
            }
            self.modes.push_back(line.clone());
            line["active"] = json!(true);
            line["mode"] = json!(*dice.pick(&modes));
            return line;
        }
        match dice.below(4) {
            0 => line["account"] = json!(scene.account(dice)),
            1 => {}
            _ => line["symbol"] = json!(dice.pick(&scene.world.instruments).symbol),
        }
        self.modes.push_back(line.clone());
        line["mode"] = json!(*dice.pick(&modes));
        line
    }

    fn correct(&self, dice: &mut Dice, scene: &Scene<'_>, feed: &Feed) -> Value {
        let world = scene.world;
        let mut line = json!({"corrects":1 + dice.below(scene.seq + 1),"reason":"erroneous","principal":"ops"});
        if self.fills.is_empty() || dice.chance(50) {
            let &(asset, decimals) = dice.pick(&world.assets);
            let amount = world.typical(asset) * i128::from(dice.range(-200, 300)) / 100;
            let op = if dice.chance(60) { "adjust" } else { "compensate" };
            let amount = if op == "adjust" { amount } else { amount.abs() + 1 };
            line["op"] = json!(op);
            line["account"] = json!(scene.account(dice));
            line["asset"] = json!(asset);
            line["amount"] = json!(decimal(amount, decimals));
            return line;
        }
        let at = dice.below(self.fills.len() as u64) as usize;
        let fill = &self.fills[at];
        let names =
            ["account", "symbol", "side", "qty", "price", "counterparty", "position_side", "counter_position_side"];
        for name in names.into_iter().filter(|&name| !fill[name].is_null()) {
            line[name] = fill[name].clone();
        }
        line["op"] = json!("bust");
        let index = world.instruments.iter().position(|at| fill["symbol"] == at.symbol.as_str());
        if let Some(index) = index.filter(|_| dice.chance(40)) {
            line["op"] = json!("reprice");
            line["to"] = json!(decimal(i128::from(feed.price(index)), world.instruments[index].tick_scale));
        }
        line
    }
}

/// An open order of the account, or any.
fn open_order(dice: &mut Dice, scene: &Scene<'_>, account: u64) -> u64 {
    let open: Vec<u64> =
        scene.overview.account(account).iter().flat_map(|view| &view.orders).map(|order| order.order).collect();
    if open.is_empty() || dice.chance(10) { dice.below(6) } else { *dice.pick(&open) }
}

fn order_or_cancel(dice: &mut Dice, scene: &Scene<'_>, feed: &Feed) -> Value {
    let account = scene.account(dice);
    if dice.chance(30) {
        return json!({"op":"cancel","account":account,"order":open_order(dice, scene, account)});
    }
    let index = dice.below(scene.world.instruments.len() as u64) as usize;
    let at = &scene.world.instruments[index];
    let (held, leg) = scene.leg(dice, account, index);
    let reduces = held != 0 && dice.chance(35);
    let buys = if reduces { held < 0 } else { leg.map_or_else(|| dice.chance(50), |leg| leg == "long") };
    let lots = if reduces { dice.range(1, held.abs()) } else { dice.range(1, 12) };
    let mark = feed.price(index);
    let price = (mark + dice.range(-mark / 15 - 1, mark / 15 + 1)).max(1);
    let mut line = json!({"op":"order","account":account,"order":dice.below(6),"symbol":at.symbol,
        "side":if buys {"buy"} else {"sell"},"qty":decimal(i128::from(lots), at.lot_scale),
        "price":decimal(i128::from(price), at.tick_scale),"reduce_only":reduces});
    if let Some(leg) = leg {
        line["position_side"] = json!(leg);
    }
    line
}

/// Payments and settings.
fn desk(dice: &mut Dice, scene: &Scene<'_>) -> Value {
    let world = scene.world;
    let account = scene.account(dice);
    let &(asset, decimals) = dice.pick(&world.assets);
    let index = dice.below(world.instruments.len() as u64) as usize;
    let at = &world.instruments[index];
    let amount = decimal(world.typical(asset) * i128::from(dice.range(1, 500)) / 100 + 1, decimals);
    match dice.below(20) {
        0..=6 => json!({"op":"deposit","account":account,"asset":asset,"amount":amount}),
        7..=9 => json!({"op":"withdraw","account":account,"asset":asset,"amount":amount}),
        10..=11 => json!({"op":"hold","account":account,"hold":dice.below(3),"asset":asset,"amount":amount}),
        12..=13 => json!({"op":*dice.pick(&["commit", "release"]),"account":account,"hold":dice.below(3)}),
        14..=15 => json!({"op":"leverage","account":account,"symbol":at.symbol,"leverage":dice.range(1, 50)}),
        16..=17 => {
            json!({"op":"margin_mode","account":account,"symbol":at.symbol,"mode":*dice.pick(&["isolated", "cross"])})
        }
        _ => {
            let amount = decimal(at.lot_value * i128::from(dice.range(-60, 100)) / 100, world.decimals(at.asset));
            let mut line = json!({"op":"isolated_margin","account":account,"symbol":at.symbol,"amount":amount});
            if let (_, Some(leg)) = scene.leg(dice, account, index) {
                line["position_side"] = json!(leg);
            }
            line
        }
    }
}

/// Rules that change in operation.
fn change(dice: &mut Dice, scene: &Scene<'_>) -> Value {
    let at = dice.pick(&scene.world.instruments);
    let mut line = json!({"op":"set","symbol":at.symbol});
    match dice.below(6) {
        0..=2 => line["tiers"] = tiers(dice, at.lot_value, scene.world.decimals(at.asset)),
        3 => line["taker_fee"] = json!(*dice.pick(&["0", "0.0005", "0.01"])),
        4 => line["liquidation_fee"] = json!(*dice.pick(&["0", "0.02"])),
        _ => line["adl_price"] = json!(*dice.pick(&["bankruptcy", "mark"])),
    }
    if dice.chance(25) {
        line["dry_run"] = json!(true);
    }
    line
}

/// A question, and what is none: unknown, incomplete, too large.
fn question(dice: &mut Dice, scene: &Scene<'_>) -> Value {
    let at = dice.pick(&scene.world.instruments);
    match dice.below(10) {
        0..=2 => json!({"op":"get","what":"account","account":scene.account(dice)}),
        3 => json!({"op":"get","what":"fund","fund":dice.pick(&scene.world.funds).0}),
        4 => json!({"op":"get","what":"adl_queue","symbol":at.symbol,"side":*dice.pick(&["long", "short"])}),
        5 => json!({"op":"get","what":*dice.pick(&["instrument", "ladder"]),"symbol":at.symbol}),
        6..=7 => json!({"op":"get","what":*dice.pick(&["totals", "health"])}),
        8 => json!({"op":"deposit","account":scene.account(dice),"asset":"NONE","amount":"99999999999999999999999"}),
        _ => json!({"op":*dice.pick(&["mark", "nothing", "fill"]),"symbol":at.symbol,"price":1.5}),
    }
}
