//! Who wants what: the tables that a world is drawn from, one account at a time.
//!
//! Leverage, notional and share of cross accounts are those of the generated population of `terrace replay`
//! ([`crate::replay::population::describe`]); number, choice and age of positions, and distances, are here.

use crate::command::{MarginMode, Side};
use crate::number::PPB;
use crate::replay::population::{LEVERAGE, draw_mode};
use crate::replay::random::Random;
use std::fmt::Write;

/// Number of positions, with weights in thousandths: 3.4 in the mean.
const POSITIONS: [(usize, u32); 11] =
    [(1, 300), (2, 220), (3, 160), (4, 110), (5, 75), (6, 45), (8, 40), (10, 25), (15, 15), (25, 7), (40, 3)];

/// One account in so many holds many positions, and then of all instruments alike: a market maker.
const MAKERS: u64 = 4_000;

/// So many, from and to; never more than there are instruments.
const MAKER_POSITIONS: (u64, u64) = (100, 301);

/// Ages of positions, the oldest first: an account's positions come one age after the other, so that they lie apart in
/// memory, as after months of trading.
pub const AGES: usize = 6;

/// The largest step of an instrument's price from one age to the next, in parts per billion: 9 %.
const WALK_PPB: u64 = 90_000_000;

/// How an account leans, with weights: of a hundred of its positions so many are long.
const LEANING: [(u64, u32); 3] = [(85, 2), (15, 2), (50, 1)];

/// The distance from liquidation, what a pool has above its maintenance margin, in thousandths of what it had when it was
/// opened (initial less maintenance margin): the larger of two draws from 0 to one of these, with weights. As where prices
/// have walked about for long: the nearer, the fewer are left.
const DISTANCE: [(u64, u32); 4] = [(400, 1), (1_200, 3), (3_000, 4), (8_000, 2)];

/// A position that an account wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) account: u32,
    pub(super) instrument: u16,
    /// Whole, at most 125.
    pub(super) leverage: u8,
    pub(super) long: bool,
    pub(super) mode: MarginMode,
    /// From 0, the oldest.
    pub(super) age: u8,
}

impl Wish {
    pub(super) fn side(self) -> Side {
        if self.long { Side::Buy } else { Side::Sell }
    }
}

/// Draws accounts.
#[derive(Clone, Debug)]
pub(super) struct Census {
    seed: u64,
    /// By instrument: the sum of the weights up to it, its own included.
    weights: Vec<u64>,
}

impl Census {
    /// `instruments` from 1 to 65 536.
    pub(super) fn new(seed: u64, instruments: u32) -> Self {
        let mut sum = 0;
        let up_to = |at: u32| {
            sum += weight(at);
            sum
        };
        Self { seed, weights: (0..instruments).map(up_to).collect() }
    }

    /// An instrument, the head more often: by Zipf's law.
    pub(super) fn instrument(&self, random: &mut Random) -> u16 {
        let drawn = random.below(self.weights.last().copied().unwrap_or(1));
        self.weights.partition_point(|&sum| sum <= drawn) as u16
    }

    /// What an account wants, appended; how it margins its positions. It depends on seed and account alone.
    pub(super) fn account(&self, account: u32, wishes: &mut Vec<Wish>) -> MarginMode {
        let random = &mut Random::stream(self.seed, u64::from(account));
        let maker = random.below(MAKERS) == 0;
        let mode = if maker { MarginMode::Cross } else { draw_mode(random) };
        let leverage = random.pick(&LEVERAGE).unwrap_or(1) as u8; // at most 125
        let leaning = random.pick(&LEANING).unwrap_or(50);
        let wanted = if maker {
            random.between(MAKER_POSITIONS.0, MAKER_POSITIONS.1) as usize
        } else {
            random.pick(&POSITIONS).unwrap_or(1)
        };
        let wanted = wanted.min(self.weights.len());
        let from = wishes.len();
        let wish = |instrument: u16, random: &mut Random| {
            let long = random.below(100) < leaning;
            let age = random.below(AGES as u64) as u8;
            Wish { account, instrument, leverage, long, mode, age }
        };
        if maker || wanted * 4 > self.weights.len() {
            // Selection sampling: each subset of the wanted size is as likely as any other.
            let mut left = wanted as u64;
            for at in 0..self.weights.len() {
                if random.below((self.weights.len() - at) as u64) < left {
                    left -= 1;
                    wishes.push(wish(at as u16, random));
                }
            }
        } else {
            while wishes.len() < from + wanted {
                let instrument = self.instrument(random);
                if wishes[from..].iter().all(|wish| wish.instrument != instrument) {
                    wishes.push(wish(instrument, random));
                }
            }
        }
        mode
    }

    /// By age: how an instrument's price then stood to that of now, in parts per billion.
    pub(super) fn walk(&self, instrument: u32) -> [u64; AGES] {
        let mut random = Random::stream(!self.seed, u64::from(instrument));
        let mut walk = [PPB; AGES];
        for age in (0..AGES - 1).rev() {
            let step = PPB - WALK_PPB + random.below(2 * WALK_PPB + 1);
            walk[age] = (u128::from(walk[age + 1]) * u128::from(step) / u128::from(PPB)) as u64; // below 2 · 10^9
        }
        walk
    }
}

/// How far a pool is from liquidation, in thousandths of initial less maintenance margin.
pub(super) fn draw_distance(random: &mut Random) -> u64 {
    let reach = random.pick(&DISTANCE).unwrap_or(1_000);
    let draws = [random.below(reach), random.below(reach)];
    draws[0].max(draws[1])
}

/// Of the instrument with this number from 0.
fn weight(at: u32) -> u64 {
    1_000_000_000 / (u64::from(at) + 2)
}

/// The tables in words, one thing a line.
#[must_use]
pub fn describe() -> String {
    let list = |pairs: &mut dyn Iterator<Item = (String, u32)>| {
        let pairs: Vec<(String, u32)> = pairs.collect();
        let total: u32 = pairs.iter().map(|(_, weight)| weight).sum();
        let shown =
            |(what, weight): &(String, u32)| format!("{what} ({:.1}%)", f64::from(weight * 100) / f64::from(total));
        pairs.iter().map(shown).collect::<Vec<_>>().join(", ")
    };
    let positions = list(&mut POSITIONS.iter().map(|(count, weight)| (count.to_string(), *weight)));
    let leverage = list(&mut LEVERAGE.iter().map(|(leverage, weight)| (format!("{leverage}x"), *weight)));
    let leaning = list(&mut LEANING.iter().map(|(long, weight)| (format!("{long}% long"), *weight)));
    let distance = list(&mut DISTANCE.iter().map(|(reach, weight)| (reach.to_string(), *weight)));
    let (from, to) = MAKER_POSITIONS;
    let lines = [
        "accounts    1 to N; each draws from a stream of its own (SplitMix64 of seed and account)".to_owned(),
        format!("positions   {positions}; and one account in {MAKERS} is a market maker with {from} to {}", to - 1),
        "instruments by Zipf's law, the k-th with weight 1 / (k + 1); market makers any alike".to_owned(),
        format!("leverage    {leverage}; per account, at most the maximum of the position's tier"),
        format!("sides       {leaning}; of the account's positions"),
        format!(
            "age         one of {AGES}, even; from one to the next a price goes up or down by at most {}%, and positions are",
            WALK_PPB * 100 / PPB
        ),
        "            opened where it then was, 1% about; never further off than half of the margin of either side"
            .to_owned(),
        format!(
            "distance    to liquidation, in 0.1% of (initial - maintenance margin): the larger of two draws below {distance}"
        ),
        "the rest    margin mode, notional: as `terrace replay --describe-population` tells".to_owned(),
    ];
    let mut text = String::new();
    for line in lines {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line}");
    }
    text
}
