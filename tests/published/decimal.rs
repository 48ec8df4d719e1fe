//! Decimals as whole numbers of 10^-12: what is compared here is compared exactly.

use serde_json::Value;
use std::fmt;
use std::ops::{Add, Mul, Neg, Sub};

const PLACES: usize = 12;
const ONE: i128 = 10i128.pow(PLACES as u32);

/// An exact decimal of at most twelve places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(i128);

impl Decimal {
    pub const ZERO: Self = Self(0);

    pub fn whole(value: i128) -> Self {
        Self(value * ONE)
    }

    /// Reads `[-]digits[.digits][e[-]digits]`; more than twelve places are a mistake of the test.
    pub fn parse(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or_else(|_| panic!("{text} is no decimal"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: i128 = format!("{whole}{fraction}").parse().unwrap_or_else(|_| panic!("{text} is no decimal"));
        let shift = PLACES as i32 + exponent - fraction.len() as i32;
        let power = 10i128.pow(shift.unsigned_abs());
        if shift >= 0 {
            return Self(digits * power);
        }
        assert!(digits % power == 0, "{text} has more than {PLACES} places");
        Self(digits / power)
    }

    /// A number of a record or a decimal of an answer.
    ///
    /// A JSON number goes through a binary float: with at most 15 digits its shortest form is what was written.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::parse(text),
            Value::Number(number) => Self::parse(&number.to_string()),
            other => panic!("{other} is no number"),
        }
    }

    pub fn abs(self) -> Self {
        Self(self.0.abs())
    }

    pub fn signum(self) -> Self {
        Self::whole(self.0.signum())
    }

    /// The quotient, rounded down to a whole number.
    pub fn floored_by(self, divisor: Self) -> Self {
        Self::whole(self.0.div_euclid(divisor.0))
    }

    /// A quotient, rounded toward zero to twelve places.
    pub fn about_by(self, divisor: Self) -> Self {
        Self(self.0 * ONE / divisor.0)
    }

    /// A quotient that must be exact.
    pub fn exactly_by(self, divisor: Self) -> Self {
        let numerator = self.0 * ONE;
        assert!(numerator % divisor.0 == 0, "{self} / {divisor} has more than {PLACES} places");
        Self(numerator / divisor.0)
    }
}

impl Add for Decimal {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Decimal {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Decimal {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Mul for Decimal {
    type Output = Self;
    /// A product that must be exact.
    fn mul(self, other: Self) -> Self {
        let product = self.0 * other.0;
        assert!(product % ONE == 0, "{self} · {other} has more than {PLACES} places");
        Self(product / ONE)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, fraction) = (self.0.abs() / ONE, self.0.abs() % ONE);
        let text = format!("{sign}{whole}.{fraction:012}");
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}
