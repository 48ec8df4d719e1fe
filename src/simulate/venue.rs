//! The venue: it answers liquidation orders and cancellations slowly, out of order, twice, or not at all.

use super::dice::Dice;
use super::scene::Scene;
use super::world::{Listed, decimal};
use crate::decimal::{Decimal, Grid};
use serde_json::{Value, json};

/// An answer, and when it comes.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) line: Value,
    pub(super) after_ns: u64,
    /// Sent again as something new, as by a venue that does not know what it has said.
    pub(super) twice: bool,
}

/// What a venue answers to what the events of a line ask of it, and what goes wrong with that.
pub(super) fn answers(
    dice: &mut Dice,
    scene: &Scene<'_>,
    events: &str,
    fault: &mut impl FnMut(&'static str),
) -> Vec<Answer> {
    let asks = |line: &&str| {
        line.starts_with("{\"ev\":\"liquidation_order\"") || line.starts_with("{\"ev\":\"cancel_requested\"")
    };
    let mut answers = Vec::new();
    for line in events.lines().filter(asks) {
        let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
        if event["ev"] == "cancel_requested" {
            answers.extend(acknowledge(dice, &event, fault));
        } else {
            answer_order(dice, scene, &event, fault, &mut answers);
        }
    }
    for answer in &mut answers {
        if dice.chance(7) {
            fault("venue: an answer twice");
            answer.twice = true;
        }
    }
    answers
}

/// In part, in full, not at all; it says when an order is over, or that it does not know.
fn answer_order(
    dice: &mut Dice,
    scene: &Scene<'_>,
    event: &Value,
    fault: &mut impl FnMut(&'static str),
    answers: &mut Vec<Answer>,
) {
    let id = &event["liquidation"];
    let expire = json!({"op":"liq_expire","liquidation":id});
    if dice.chance(5) {
        fault("venue: no answer");
        if dice.chance(60) {
            answers.push(Answer { line: expire, after_ns: 300_000_000, twice: false }); // somebody looks after it
        }
        return;
    }
    let slow = dice.chance(10);
    if slow {
        fault("venue: slow");
    }
    let takes =
        |dice: &mut Dice| if slow { 20_000_000 + dice.below(150_000_000) } else { 20_000 + dice.below(4_000_000) };
    if dice.chance(6) {
        fault("venue: unknown");
        answers.push(Answer {
            line: json!({"op":"liq_unknown","liquidation":id}),
            after_ns: takes(dice),
            twice: false,
        });
    }
    let at = scene.world.instruments.iter().find(|at| event["symbol"] == at.symbol.as_str());
    let fill = at.filter(|_| dice.chance(75)).and_then(|at| fill(dice, at, event));
    let mut last = 0;
    for line in fill.into_iter().flatten() {
        let after_ns = takes(dice);
        if after_ns < last {
            fault("venue: out of order");
        }
        last = last.max(after_ns);
        answers.push(Answer { line, after_ns, twice: false });
    }
    // At times before its last fill arrives.
    let after_ns = takes(dice);
    if after_ns < last {
        fault("venue: out of order");
    }
    answers.push(Answer { line: expire, after_ns, twice: false });
}

/// One or two fills, together the order or a part of it, at its limit or better.
fn fill(dice: &mut Dice, at: &Listed, event: &Value) -> Option<Vec<Value>> {
    let steps = |name: &str, scale: u32| {
        let value: Decimal = event[name].as_str()?.parse().ok()?;
        i64::try_from(Grid::decimals(scale).place(value)?.floor()).ok()
    };
    let (lots, limit) = (steps("qty", at.lot_scale)?, steps("limit", at.tick_scale)?);
    let better = if event["side"] == "sell" { 1 } else { -1 };
    let mut left = if dice.chance(60) { lots } else { dice.range(1, lots) };
    let mut fills = Vec::new();
    while left > 0 && fills.len() < 2 {
        let part = if dice.chance(60) || fills.len() == 1 { left } else { dice.range(1, left) };
        let price = (limit + better * dice.range(0, 3)).max(1);
        fills.push(json!({"op":"liq_fill","liquidation":event["liquidation"],
            "qty":decimal(i128::from(part), at.lot_scale),"price":decimal(i128::from(price), at.tick_scale)}));
        left -= part;
    }
    Some(fills)
}

fn acknowledge(dice: &mut Dice, event: &Value, fault: &mut impl FnMut(&'static str)) -> Option<Answer> {
    if dice.chance(4) {
        fault("venue: no answer");
        return None;
    }
    let mut line = json!({"op":"cancel_ack","account":event["account"],"pool":event["pool"]});
    if dice.chance(25) {
        line["execution"] = json!(dice.below(12)); // a fill that came before may still be under way
    }
    Some(Answer { line, after_ns: 20_000 + dice.below(6_000_000), twice: false })
}
