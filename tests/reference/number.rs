//! Exact arithmetic (model section 1). Money, prices and quantities are whole
//! numbers of quanta, ticks and lots; every division names its rounding.

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};
use std::cmp::Ordering;

pub type Int = BigInt;
pub type Rat = BigRational;

pub fn int(n: i64) -> Int {
    Int::from(n)
}

pub fn zero() -> Int {
    Int::zero()
}

pub fn pow10(n: u32) -> Int {
    int(10).pow(n)
}

/// Rates are parts per billion.
pub fn ppb() -> Int {
    pow10(9)
}

/// Amounts and values stay below this (model section 9).
pub fn limit() -> Int {
    int(1) << 62
}

/// Rounded toward minus infinity; the divisor is positive.
pub fn floor_div(a: &Int, b: &Int) -> Int {
    assert!(b.is_positive());
    a.div_floor(b)
}

/// Rounded toward plus infinity; the divisor is positive.
pub fn ceil_div(a: &Int, b: &Int) -> Int {
    assert!(b.is_positive());
    -((-a).div_floor(b))
}

/// Rounded toward zero; the divisor is positive.
pub fn trunc_div(a: &Int, b: &Int) -> Int {
    assert!(b.is_positive());
    if a.is_negative() { ceil_div(a, b) } else { floor_div(a, b) }
}

pub fn round_half_even(x: &Rat) -> Int {
    let below = x.floor().to_integer();
    let rest = x - Rat::from_integer(below.clone());
    let half = Rat::new(int(1), int(2));
    match rest.cmp(&half) {
        Ordering::Less => below,
        Ordering::Greater => below + 1,
        Ordering::Equal if below.is_even() => below,
        Ordering::Equal => below + 1,
    }
}

pub fn round_half_up(x: &Rat) -> Int {
    (x + Rat::new(int(1), int(2))).floor().to_integer()
}

/// `value / 10^decimals`, written minimally.
pub fn show_scaled(value: &Int, decimals: u32) -> String {
    let sign = if value.is_negative() { "-" } else { "" };
    let (whole, part) = value.abs().div_rem(&pow10(decimals));
    let digits = format!("{:0>width$}", part.to_string(), width = decimals as usize);
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{digits}") }
}

/// A number that ends after at most 60 decimals, exactly.
pub fn show_exact(x: &Rat) -> String {
    let scaled = x * Rat::from_integer(pow10(60));
    assert!(scaled.is_integer(), "{x} does not end");
    show_scaled(&scaled.to_integer(), 60)
}

/// Rounded half-even to `places` decimals.
pub fn show_rounded(x: &Rat, places: u32) -> String {
    let scaled = x * Rat::from_integer(pow10(places));
    show_scaled(&round_half_even(&scaled), places)
}

/// How many whole steps, if `x` is on the grid.
pub fn steps(x: &Rat, step: &Rat) -> Option<Int> {
    let n = x / step;
    n.is_integer().then(|| n.to_integer())
}

/// The number of decimals that `x` needs.
pub fn decimals_of(x: &Rat) -> u32 {
    let mut n = 0;
    let mut scaled = x.clone();
    while !scaled.is_integer() {
        scaled *= Rat::from_integer(int(10));
        n += 1;
        assert!(n <= 60, "{x} does not end");
    }
    n
}

/// The number of digits between the first and the last that is not zero.
pub fn significant_digits(x: &Rat) -> usize {
    let mut n = (x * Rat::from_integer(pow10(decimals_of(x)))).to_integer().abs();
    while !n.is_zero() && (&n % int(10)).is_zero() {
        n /= int(10);
    }
    n.to_string().len()
}

pub fn rat(n: &Int) -> Rat {
    Rat::from_integer(n.clone())
}

pub fn one() -> Rat {
    Rat::one()
}
