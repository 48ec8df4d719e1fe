//! Holds: made, committed, released, their ids used again.

use super::{Dice, Writer, decimal};
use crate::reference::Reference;
use serde_json::{Value, json};

impl Writer {
    pub(super) fn hold(&self, dice: &mut Dice, reference: &Reference) -> Value {
        let open = reference.open_holds();
        if dice.chance(if open.is_empty() { 10 } else { 50 }) {
            let op = *dice.pick(&["commit", "release"]);
            let any = (self.account(dice), dice.below(3));
            let (account, hold) = if open.is_empty() || dice.chance(10) { any } else { *dice.pick(&open) };
            return json!({"op":op,"account":account,"hold":hold});
        }
        let (asset, decimals) = dice.pick(&self.assets).clone();
        let typical = self.typical(&asset);
        let amount = decimal((typical * i128::from(dice.range(1, 200)) / 100).max(1), decimals);
        // Of ids in use one in a while, for which the margin must suffice all the same.
        let (account, hold) = match open.as_slice() {
            [] => (self.account(dice), dice.below(3)),
            open if dice.chance(15) => *dice.pick(open),
            _ => (self.account(dice), dice.below(3)),
        };
        json!({"op":"hold","account":account,"hold":hold,"asset":asset,"amount":amount})
    }
}
