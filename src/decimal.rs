//! Exact decimals, as they stand in scripts, tick files and reports.
//!
//! A [`Decimal`] is what was written; a [`Grid`] turns it into whole ticks, lots, quanta or parts per billion and
//! back. Nothing here rounds silently: what does not lie on the grid says so.

use ethnum::I256;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// The most digits a decimal may be written with; more cannot be read.
const MAX_DIGITS: usize = 36;

/// `mantissa / 10^scale`, normalised: no trailing zero in the fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    mantissa: i128,
    scale: u32,
}

/// A text that is not a decimal of at most 36 digits: `-?[0-9]+(\.[0-9]+)?`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotADecimal;

impl fmt::Display for NotADecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a decimal of at most 36 digits")
    }
}

impl std::error::Error for NotADecimal {}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };

    /// `mantissa / 10^scale`, with the trailing zeros of the fraction removed.
    #[must_use]
    pub fn new(mut mantissa: i128, mut scale: u32) -> Self {
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        Self { mantissa, scale }
    }

    /// The digits without the point, signed.
    #[must_use]
    pub fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// The number of digits after the point, without trailing zeros.
    #[must_use]
    pub fn scale(self) -> u32 {
        self.scale
    }

    /// Whether it is below zero or zero.
    #[must_use]
    pub fn is_nonpositive(self) -> bool {
        self.mantissa <= 0
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let common = self.scale.max(other.scale);
        let scaled = |decimal: &Self| I256::from(decimal.mantissa) * I256::from(10).pow(common - decimal.scale);
        scaled(self).cmp(&scaled(other))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Decimal {
    type Err = NotADecimal;

    fn from_str(text: &str) -> Result<Self, NotADecimal> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, "")) => return Err(NotADecimal),
            Some((whole, fraction)) => (whole, fraction),
            None => (digits, ""),
        };
        if whole.is_empty() || whole.len() + fraction.len() > MAX_DIGITS {
            return Err(NotADecimal);
        }
        let mut mantissa: i128 = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return Err(NotADecimal);
            }
            mantissa = mantissa * 10 + i128::from(byte - b'0');
        }
        Ok(Self::new(if negative { -mantissa } else { mantissa }, fraction.len() as u32))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs();
        if self.scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let unit = 10u128.pow(self.scale);
        write!(f, "{sign}{}.{:0width$}", digits / unit, digits % unit, width = self.scale as usize)
    }
}

/// A number of grid steps, or the two steps that a value lies between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnGrid {
    /// Exactly this many steps.
    Exact(i128),
    /// More than this many steps, and fewer than one more.
    Above(i128),
}

impl OnGrid {
    /// The whole steps at or below the value.
    #[must_use]
    pub fn floor(self) -> i128 {
        match self {
            Self::Exact(steps) | Self::Above(steps) => steps,
        }
    }

    /// Whether the value is not a whole number of steps.
    #[must_use]
    pub fn is_off(self) -> bool {
        matches!(self, Self::Above(_))
    }
}

/// A grid of multiples of `step`: the ticks, lots, quanta or parts per billion of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "journal", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "journal", serde(try_from = "crate::journal::StoredGrid", into = "crate::journal::StoredGrid"))]
pub struct Grid {
    step: Decimal,
}

impl Grid {
    /// The most digits of a step, trailing zeros of a whole one included, and the most after its point.
    pub const MAX_STEP_DIGITS: (u32, u32) = (12, 18);

    /// The grid of parts per billion.
    #[must_use]
    pub fn ppb() -> Self {
        Self::decimals(9)
    }

    /// The grid of `10^-decimals`.
    #[must_use]
    pub fn decimals(decimals: u32) -> Self {
        Self { step: Decimal { mantissa: 1, scale: decimals } }
    }

    /// A grid of multiples of `step`; none if `step` is not positive or has too many digits.
    #[must_use]
    pub fn new(step: Decimal) -> Option<Self> {
        let (digits, scale) = Self::MAX_STEP_DIGITS;
        let fits = step.mantissa > 0 && step.mantissa < 10i128.pow(digits) && step.scale <= scale;
        fits.then_some(Self { step })
    }

    /// The distance between two neighbours.
    #[must_use]
    pub fn step(self) -> Decimal {
        self.step
    }

    /// Where `value` lies; none if it is too far out to be counted in 128 bits.
    #[must_use]
    pub fn place(self, value: Decimal) -> Option<OnGrid> {
        // At most 36 digits on one side and 12 on the other, shifted by at most 36: far below 256 bits.
        let common = self.step.scale.max(value.scale);
        let scaled = |decimal: Decimal| I256::from(decimal.mantissa) * I256::from(10).pow(common - decimal.scale);
        let (numerator, denominator) = (scaled(value), scaled(self.step));
        let steps = i128::try_from(numerator.div_euclid(denominator)).ok()?;
        let exact = numerator.rem_euclid(denominator) == 0;
        Some(if exact { OnGrid::Exact(steps) } else { OnGrid::Above(steps) })
    }

    /// The grid step nearest to `value`, halves up; none if it is too far out.
    #[must_use]
    pub fn nearest(self, value: Decimal) -> Option<i128> {
        let doubled = Decimal::new(value.mantissa.checked_mul(2)?, value.scale);
        Some((self.place(doubled)?.floor() + 1).div_euclid(2))
    }

    /// The value of `steps` steps; what no 128 bits can hold, as only a derived price of a position can be that was
    /// driven millions of times to the limits, is shown as the largest that they can.
    #[must_use]
    pub fn value(self, steps: i128) -> Decimal {
        Decimal::new(steps.saturating_mul(self.step.mantissa), self.step.scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn reads_and_writes_minimally() {
        for (text, written) in
            [("0", "0"), ("-0", "0"), ("007", "7"), ("1.50", "1.5"), ("-0.10", "-0.1"), ("12.00", "12")]
        {
            assert_eq!(read(text).to_string(), written);
        }
    }

    #[test]
    fn refuses_what_is_no_decimal() {
        let long = "1".repeat(37);
        for text in ["", "-", "+1", ".5", "5.", "1e3", "1_0", " 1", "1.2.3", "--1", "NaN", &long] {
            assert_eq!(text.parse::<Decimal>(), Err(NotADecimal), "{text}");
        }
    }

    #[test]
    fn places_on_a_grid_exactly() {
        let ticks = Grid::new(read("0.25")).unwrap();
        assert_eq!(ticks.place(read("1.5")), Some(OnGrid::Exact(6)));
        assert_eq!(ticks.place(read("1.6")), Some(OnGrid::Above(6)));
        assert_eq!(ticks.place(read("-0.1")), Some(OnGrid::Above(-1)));
        assert_eq!(ticks.value(7).to_string(), "1.75");
        assert_eq!(ticks.nearest(read("1.625")), Some(7));
        assert_eq!(ticks.nearest(read("1.62")), Some(6));
        assert_eq!(Grid::new(read("0")), None);
    }
}
