//! Numbers for people.

use std::fmt::{self, Display, Formatter};

/// Nanoseconds as seconds with one decimal.
pub(super) struct Seconds(pub(super) u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let tenths = self.0 / 100_000_000;
        write!(f, "{}.{} s", grouped(tenths / 10), tenths % 10)
    }
}

/// Quanta as whole units, rounded toward zero, with thousands separators.
pub(super) fn whole(quanta: i128, decimals: u32) -> String {
    with_digits(quanta, decimals, 0)
}

/// Quanta as units with so many of their decimals, rounded toward zero, with thousands separators.
pub(super) fn with_digits(quanta: i128, decimals: u32, digits: u32) -> String {
    let steps = quanta.unsigned_abs() / 10u128.pow(decimals - digits);
    let (units, part) = (steps / 10u128.pow(digits), steps % 10u128.pow(digits));
    let sign = if quanta < 0 { "-" } else { "" };
    let point = if digits > 0 { format!(".{part:0width$}", width = digits as usize) } else { String::new() };
    format!("{sign}{}{point}", grouped_digits(&units.to_string()))
}

/// A count with thousands separators.
pub(super) fn grouped(number: u64) -> String {
    grouped_digits(&number.to_string())
}

/// Digits with a comma before every third from the end.
pub(super) fn grouped_digits(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(["0", "999", "1000", "1234567"].map(grouped_digits), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([whole(-150_000_000_000, 8), whole(99, 2), whole(-5, 0)], ["-1,500", "0", "-5"]);
        let coins = [123_456_789_012, -5, -12_345_000].map(|quanta| with_digits(quanta, 8, 4));
        assert_eq!(coins, ["1,234.5678", "-0.0000", "-0.1234"]);
        assert_eq!(Seconds(184_490_285_452).to_string(), "184.4 s");
    }
}
