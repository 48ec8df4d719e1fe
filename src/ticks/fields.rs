//! The fields of a line: columns, prices and quantities.

use std::cmp::Ordering;

use crate::decimal::Decimal;

use super::TickKind;
use super::error::{Fault, Reason};

/// The most digits of a price or quantity on either side of the point.
const DIGITS: u32 = 18;

/// More digits after the point than any value that fits is written with: 18, and 36 zeros to cut.
const MAX_SCALE: u32 = 54;

/// Splits a line at its commas; none unless it has `N` columns. None of the formats quotes a field, so a quotation mark
/// is just a wrong character.
pub(super) fn split<const N: usize>(line: &str) -> Option<[&str; N]> {
    let mut fields = line.split(',');
    let mut columns = [""; N];
    for column in &mut columns {
        *column = fields.next()?;
    }
    fields.next().is_none().then_some(columns)
}

/// Splits a line that must have `N` columns.
pub(super) fn columns<const N: usize>(line: &str) -> Result<[&str; N], Fault> {
    split(line).ok_or_else(|| wrong_columns(&N.to_string(), line))
}

/// The fault of a line that has not `expected` columns.
pub(super) fn wrong_columns(expected: &str, line: &str) -> Fault {
    let found = line.split(',').count();
    let mut fault = Fault::new(Reason::Columns, format!("{expected} columns"), line);
    fault.found = format!("{found} in {}", fault.found);
    fault
}

/// A price or a quantity. `name` is that of its column, for the error.
pub(super) fn positive(name: &str, text: &str) -> Result<Decimal, Fault> {
    let value = decimal(text).filter(|value| !value.is_nonpositive() && fits(*value));
    value.ok_or_else(|| {
        let expected = format!("{name} as a positive decimal of at most {DIGITS}+{DIGITS} digits");
        Fault::new(Reason::Number, expected, text)
    })
}

/// A decimal, possibly with an exponent, which writers of JSON and JavaScript give small numbers such as `1e-7`.
fn decimal(text: &str) -> Option<Decimal> {
    let Some((text, exponent)) = text.split_once(['e', 'E']) else { return text.parse().ok() };
    let (value, exponent) = (text.parse::<Decimal>().ok()?, exponent.parse::<i32>().ok()?);
    let scale = i64::from(value.scale()) - i64::from(exponent);
    if scale < 0 {
        let factor = 10i128.checked_pow(u32::try_from(-scale).ok()?)?;
        return Some(Decimal::new(value.mantissa().checked_mul(factor)?, 0));
    }
    let scale = u32::try_from(scale).ok().filter(|scale| *scale <= MAX_SCALE)?;
    Some(Decimal::new(value.mantissa(), scale))
}

/// Whether a positive decimal keeps to the digits allowed, so that [`units`] is exact and cannot overflow.
fn fits(value: Decimal) -> bool {
    value.scale() <= DIGITS && value.mantissa() < 10i128.pow(DIGITS + value.scale())
}

/// The value in units of 10⁻¹⁸: below 10³⁶ for every value that [`fits`].
pub(super) fn units(value: Decimal) -> i128 {
    value.mantissa().saturating_mul(10i128.pow(DIGITS.saturating_sub(value.scale())))
}

/// Compares two values that fit.
fn compare(left: Decimal, right: Decimal) -> Ordering {
    if left.scale() == right.scale() {
        return left.mantissa().cmp(&right.mantissa());
    }
    units(left).cmp(&units(right))
}

/// A quote, whose bid must lie below its ask.
pub(super) fn quote(bid: Decimal, bid_qty: Decimal, ask: Decimal, ask_qty: Decimal) -> Result<TickKind, Fault> {
    if compare(bid, ask) == Ordering::Less {
        return Ok(TickKind::Quote { bid, bid_qty, ask, ask_qty });
    }
    Err(Fault {
        reason: Reason::Crossed,
        expected: "a bid below the ask".to_owned(),
        found: format!("bid {bid}, ask {ask}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_into_exactly_so_many_columns() {
        assert_eq!(split("a,,b"), Some(["a", "", "b"]));
        assert_eq!(split::<2>("a,b,c"), None);
        assert_eq!(split::<2>("a"), None);
    }

    #[test]
    fn reads_exponents_exactly() {
        for (text, value) in [("1e-7", "0.0000001"), ("1.25E1", "12.5"), ("12.5e+3", "12500"), ("100e-1", "10")] {
            assert_eq!(decimal(text), value.parse().ok(), "{text}");
        }
        for text in ["1e", "1e1.5", "e5", "1e40", "1e-2147483648", "1e99999999999"] {
            assert_eq!(decimal(text), None, "{text}");
        }
    }

    #[test]
    fn takes_positive_numbers_of_18_digits_on_either_side() {
        for text in ["999999999999999999.999999999999999999", "0.000000000000000001", "1e17", "1e-18", "007.10"] {
            assert!(positive("price", text).is_ok(), "{text}");
        }
        for text in
            ["0", "0.00", "-1", "1e18", "1e-19", "1000000000000000000", "0.0000000000000000001", "", "NaN", " 1"]
        {
            assert!(positive("price", text).is_err(), "{text}");
        }
    }

    #[test]
    fn compares_across_scales() {
        let read = |text: &str| positive("price", text).unwrap();
        assert_eq!(compare(read("10"), read("9.99")), Ordering::Greater);
        assert_eq!(compare(read("1.5"), read("1.50")), Ordering::Equal);
        assert_eq!(
            compare(read("999999999999999999"), read("999999999999999998.999999999999999999")),
            Ordering::Greater
        );
    }
}
