//! A position: signed size and signed cost, and how fills change them.
//!
//! The same three operations serve the accounts' positions, the funds' inventory and the external venue account, so
//! that the books balance by construction: what leaves one cost enters another, or a balance.

use crate::contract::Valuation;
use crate::market::Instrument;
use crate::number::{Price, Quantity, mul_div_ceil};

/// Signed size and signed cost; long is positive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
pub struct Position {
    /// `Σ V(fill)` of what is held, in quanta.
    pub cost: i128,
    /// In lots.
    pub quantity: Quantity,
}

impl Position {
    /// Adds `quantity` lots, on the side already held or to nothing, at a signed `cost`.
    pub fn add(&mut self, quantity: Quantity, cost: i128) {
        debug_assert!(
            self.quantity == 0 || (self.quantity > 0) == (quantity > 0),
            "add to the other side: a kernel bug"
        );
        self.quantity += quantity;
        self.cost += cost;
    }

    /// Removes `lots` of the size and returns the cost that goes with them: `C_k = ceil(C · k / |q|)`.
    pub fn remove(&mut self, lots: Quantity) -> i128 {
        debug_assert!(lots > 0 && lots <= self.quantity.abs(), "remove more than is held: a kernel bug");
        let cost = mul_div_ceil(self.cost, i128::from(lots), i128::from(self.quantity.abs()));
        self.quantity -= lots * self.quantity.signum();
        self.cost -= cost;
        cost
    }

    /// Closes `lots` at `price` and returns what that realises: `V(closed part, price) − C_k`.
    pub fn close(&mut self, lots: Quantity, price: impl Into<i128>, instrument: &Instrument) -> i128 {
        let value = instrument.value(lots * self.quantity.signum(), price);
        value - self.remove(lots)
    }

    /// Books a fill of signed `quantity` at `price`: closes first, then opens. Returns what was realised.
    pub fn fill(&mut self, quantity: Quantity, price: Price, instrument: &Instrument) -> i128 {
        let (closing, opening) = self.split(quantity);
        let realised = if closing > 0 { self.close(closing, price, instrument) } else { 0 };
        if opening != 0 {
            self.add(opening, instrument.cost(opening, price));
        }
        realised
    }

    /// How a signed fill divides: lots that it closes (unsigned), and signed lots that it opens.
    #[must_use]
    pub fn split(&self, quantity: Quantity) -> (Quantity, Quantity) {
        if self.quantity != 0 && (self.quantity > 0) != (quantity > 0) {
            let closing = quantity.abs().min(self.quantity.abs());
            (closing, quantity - closing * quantity.signum())
        } else {
            (0, quantity)
        }
    }

    /// Takes over signed `quantity` lots at signed cost `x`, netting against what is held on the other side.
    ///
    /// Closing `n` of the `k` incoming lots realises `−ceil(X · n / k) − C_n`.
    pub fn take_over(&mut self, quantity: Quantity, x: i128) -> i128 {
        let (closing, opening) = self.split(quantity);
        if closing == 0 {
            self.add(quantity, x);
            return 0;
        }
        let incoming = mul_div_ceil(x, i128::from(closing), i128::from(quantity.abs()));
        let realised = -incoming - self.remove(closing);
        if opening != 0 {
            self.add(opening, x - incoming);
        }
        realised
    }

    /// Its value and notional in quanta: at the mark, or by its cost as long as the instrument never had one.
    #[must_use]
    #[inline]
    pub fn valuation(&self, instrument: &Instrument) -> Valuation {
        match instrument.mark {
            Some(mark) => instrument.valuation(self.quantity, mark),
            None => Valuation { value: self.cost, notional: self.cost.abs() },
        }
    }

    /// Its value in quanta, as in [`Position::valuation`].
    #[must_use]
    #[inline]
    pub fn value(&self, instrument: &Instrument) -> i128 {
        self.valuation(instrument).value
    }

    /// Its notional in quanta, as in [`Position::valuation`].
    #[must_use]
    #[inline]
    pub fn notional(&self, instrument: &Instrument) -> i128 {
        self.valuation(instrument).notional
    }

    /// What rounding takes from this side of a fill of signed `quantity` at `price`: see [`Instrument::rounding`].
    #[must_use]
    pub fn rounding(&self, quantity: Quantity, price: Price, instrument: &Instrument) -> i128 {
        let (_, opening) = self.split(quantity);
        instrument.rounding([quantity - opening, opening], price)
    }

    /// `V(q, mark) − C`, in quanta.
    #[must_use]
    #[inline]
    pub fn unrealised(&self, instrument: &Instrument) -> i128 {
        self.value(instrument) - self.cost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_over_moves_exactly_the_cost() {
        for held in [-7i64, -3, 0, 4] {
            for incoming in [-5i64, -1, 2, 9] {
                for x in [-101i128, -1, 0, 1, 50, 103] {
                    let mut position = Position { quantity: held, cost: i128::from(held) * 13 };
                    let before = position.cost;
                    let realised = position.take_over(incoming, x);
                    assert_eq!(position.quantity, held + incoming);
                    assert_eq!(realised - position.cost, -before - x, "balance − cost changes by −X");
                }
            }
        }
    }

    #[test]
    fn reducing_in_steps_leaves_no_cost_behind() {
        let mut position = Position { quantity: -3, cost: -100 };
        assert_eq!([position.remove(1), position.remove(1), position.remove(1)], [-33, -33, -34]);
        assert_eq!(position, Position::default());
    }
}
