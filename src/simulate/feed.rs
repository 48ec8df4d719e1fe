//! Market data: prices that wander, crash and come back, from two feeds that are late, say things twice, and lie.

use super::clients::Who;
use super::dice::Dice;
use super::scene::Scene;
use super::world::{Listed, decimal};
use serde_json::{Value, json};

/// What a feed sends, and how late.
#[derive(Debug)]
pub(super) struct Quote {
    pub(super) who: Who,
    pub(super) line: Value,
    pub(super) late_ns: u64,
    pub(super) fault: Option<&'static str>,
}

/// Where the prices stand.
#[derive(Debug)]
pub(super) struct Feed {
    /// By instrument, in ticks.
    prices: Vec<i64>,
    /// How far a price moves with every quote, in ten-thousandths of it, and for how many quotes.
    drift: (i64, u64),
}

impl Feed {
    pub(super) fn new(instruments: &[Listed]) -> Self {
        Self { prices: instruments.iter().map(|at| at.start).collect(), drift: (0, 0) }
    }

    /// The price of an instrument, in ticks.
    pub(super) fn price(&self, index: usize) -> i64 {
        self.prices[index]
    }

    /// The next quote.
    pub(super) fn quote(&mut self, dice: &mut Dice, scene: &Scene<'_>) -> Quote {
        if self.drift.1 == 0 {
            // Mostly calm; then all prices run one way for a while.
            self.drift = match dice.below(8) {
                0 => (-dice.range(50, 400), 5 + dice.below(30)),
                1 => (dice.range(50, 400), 5 + dice.below(30)),
                _ => (0, 10 + dice.below(60)),
            };
        }
        self.drift.1 -= 1;
        let index = dice.below(self.prices.len() as u64) as usize;
        let at = &scene.world.instruments[index];
        let near = if dice.chance(20) { near_liquidation(dice, scene, index) } else { None };
        let before = self.prices[index];
        let step = before * self.drift.0 / 10_000 + dice.range(-before / 200 - 1, before / 200 + 1);
        let home = if dice.chance(2) { at.start } else { before + step };
        self.prices[index] = near.unwrap_or(home).clamp(at.start / 20 + 1, at.start * 6);
        let who = *dice.pick(&[Who::FeedA, Who::FeedA, Who::FeedB]);
        let (mut fault, mut late_ns, mut price) = (None, 0, self.prices[index]);
        match dice.below(40) {
            0..=2 => (late_ns, fault) = (dice.below(40_000_000), Some("feed: late")),
            3 => (price, fault) = (price * *dice.pick(&[50, 70, 130, 180]) / 100, Some("feed: lying")),
            _ => {}
        }
        Quote { who, line: line(dice, at, price.max(1)), late_ns, fault }
    }
}

/// A mark or what one is computed from.
fn line(dice: &mut Dice, at: &Listed, price: i64) -> Value {
    let shown = |ticks: i64| decimal(i128::from(ticks.max(1)), at.tick_scale);
    let near = |dice: &mut Dice| price + dice.range(-2, 2);
    let of_index = at.computed || at.venues.len() > 1 && dice.chance(20) || dice.chance(5);
    match dice.below(10) {
        0 => json!({"op":"last","symbol":at.symbol,"price":shown(near(dice))}),
        1..=2 => {
            let quantity = |dice: &mut Dice| decimal(i128::from(dice.range(1, 30)), at.lot_scale);
            let (bids, asks) = (quantity(dice), quantity(dice));
            let apart = if dice.chance(4) { -1 } else { 1 }; // crossed: which rules are in force decides whether that is taken
            json!({"op":"book","symbol":at.symbol,"bids":[[shown(price - apart),bids]],"asks":[[shown(price + apart),asks]],
                "impact_bid":shown(price - 2),"impact_ask":shown(price + 2)})
        }
        _ if of_index => {
            json!({"op":"index","symbol":at.symbol,"venue":*dice.pick(at.venues),"price":shown(near(dice))})
        }
        _ => json!({"op":"mark","symbol":at.symbol,"price":shown(price)}),
    }
}

/// A price at which somebody is liquidated, or nearly so.
fn near_liquidation(dice: &mut Dice, scene: &Scene<'_>, index: usize) -> Option<i64> {
    let positions = scene.overview.account(scene.account(dice)).ok()?.positions;
    let at = positions.iter().find(|at| at.instrument.index() == index)?;
    let price = i64::try_from(at.liquidation_price?).ok()?;
    Some(price.saturating_add(dice.range(-1, 1)))
}
