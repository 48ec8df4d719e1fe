//! The price of a position at which its pool is in breach, as long as no other mark moves.

use crate::book::{Book, Position};
use crate::population::UNIT;

/// No price is that far.
pub const NEVER_BELOW: i64 = 0;
pub const NEVER_ABOVE: i64 = i32::MAX as i64;

/// Steps of Newton's method: more than there are rows in a table.
const STEPS: usize = 6;

/// Of a long the highest price in breach, of a short the lowest, in ticks; exact.
pub fn trigger(book: &Book, position: &Position, excess: i64) -> i64 {
    let mark = book.marks[position.instrument as usize];
    let rest = excess - book.part(position, mark);
    let at = |price: i64| rest + book.part(position, price);
    let long = position.quantity > 0;
    if long && at(1) > 0 {
        return NEVER_BELOW;
    }
    // Where the straight line of the present row meets zero, and again from there, since the rows bend it.
    let mut price = mark;
    for _ in 0..STEPS {
        let notional = (position.quantity * price * UNIT).abs();
        let tier = book.tiers.iter().rev().find(|tier| notional > tier.from).unwrap_or(&book.tiers[0]);
        let rate = tier.mmr_ppb as f64 / 1e9;
        let slope = position.quantity as f64 * UNIT as f64 - position.quantity.abs() as f64 * UNIT as f64 * rate;
        let next = (price as f64 - at(price) as f64 / slope).round() as i64;
        let next = next.clamp(1, NEVER_ABOVE - 1);
        if next == price {
            break;
        }
        price = next;
    }
    // Now exactly: a tick is worth more than what rounding can be wrong by.
    let outward = if long { 1 } else { -1 };
    while price > 1 && price < NEVER_ABOVE - 1 && at(price) <= 0 {
        price += outward;
    }
    while price > 0 && price < NEVER_ABOVE && at(price) > 0 {
        price -= outward;
    }
    price
}
