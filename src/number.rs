//! Whole numbers of money, and division with its rounding written out.
//!
//! Everything that is owed or owned is a whole number of quanta in an `i128`. Amounts, prices and sizes that come in
//! stay below [`LIMIT`], so no sum or single product here can overflow; the three-factor products go through
//! [`mul_div_floor`] and [`mul_div_ceil`], which widen to 256 bits when they must.

use ethnum::I256;

/// Every admitted amount, and `quantity · price · unit` of every position, stays below this.
pub const LIMIT: i128 = 1 << 62;

/// One, in parts per billion.
pub const PPB: u64 = 1_000_000_000;

/// One, in hundredths: the unit of leverage.
pub const LEVERAGE_ONE: u32 = 100;

/// A number of ticks of an instrument, at least 1.
pub type Price = i64;

/// A number of lots of an instrument; signed where it is a position's (long > 0).
pub type Quantity = i64;

/// `floor(a / b)` for `b > 0`.
#[must_use]
pub fn div_floor(a: i128, b: i128) -> i128 {
    debug_assert!(b > 0);
    a.div_euclid(b)
}

/// `ceil(a / b)` for `b > 0`.
#[must_use]
pub fn div_ceil(a: i128, b: i128) -> i128 {
    -div_floor(-a, b)
}

/// `floor(a · b / c)` for `c > 0`, exact for any `a` and `b` whose quotient fits.
#[must_use]
pub fn mul_div_floor(a: i128, b: i128, c: i128) -> i128 {
    if let (Ok(a), Ok(b), Ok(c)) = (i64::try_from(a), i64::try_from(b), i64::try_from(c)) {
        let product = i128::from(a) * i128::from(b);
        return match i64::try_from(product) {
            Ok(product) => i128::from(product.div_euclid(c)),
            Err(_) => div_floor(product, i128::from(c)),
        };
    }
    match a.checked_mul(b) {
        Some(product) => div_floor(product, c),
        None => (I256::from(a) * I256::from(b)).div_euclid(I256::from(c)).as_i128(),
    }
}

/// `a · b · c` of three whole numbers that come from outside: in one multiplication of 64 bits where the first two allow.
#[must_use]
#[inline]
pub(crate) fn product(a: i64, b: i64, c: i128) -> i128 {
    match (a.checked_mul(b), i64::try_from(c)) {
        (Some(ab), Ok(c)) => i128::from(ab) * i128::from(c),
        _ => i128::from(a) * i128::from(b) * c,
    }
}

/// `ceil(a · b / c)` for `c > 0`, exact for any `a` and `b` whose quotient fits.
#[must_use]
pub fn mul_div_ceil(a: i128, b: i128, c: i128) -> i128 {
    -mul_div_floor(-a, b, c)
}

/// `ceil(amount · rate)` for a rate in parts per billion: a charge rounds up, a rebate (negative rate) down in size.
#[must_use]
pub fn charge(amount: i128, rate_ppb: i64) -> i128 {
    debug_assert!(amount >= 0);
    match (u64::try_from(amount), rate_ppb.unsigned_abs()) {
        (Ok(amount), rate) if rate <= PPB => {
            if rate_ppb >= 0 {
                i128::from(ppb_ceil(amount, rate))
            } else {
                -i128::from(ppb_floor(amount, rate))
            }
        }
        _ => mul_div_ceil(amount, i128::from(rate_ppb), i128::from(PPB)),
    }
}

/// `ceil(amount · rate)` for a rate of at most one, in 64 bits: the hot path's way.
///
/// With `amount = a · 10^9 + b` the product is `a · rate + b · rate / 10^9`, and neither part overflows.
#[must_use]
#[inline]
pub fn ppb_ceil(amount: u64, rate_ppb: u64) -> u64 {
    debug_assert!(rate_ppb <= PPB);
    amount / PPB * rate_ppb + (amount % PPB * rate_ppb).div_ceil(PPB)
}

/// `floor(amount · rate)`, as [`ppb_ceil`].
#[must_use]
#[inline]
fn ppb_floor(amount: u64, rate_ppb: u64) -> u64 {
    debug_assert!(rate_ppb <= PPB);
    amount / PPB * rate_ppb + amount % PPB * rate_ppb / PPB
}

/// `a / b` rounded to the nearest whole number, ties to even, for `b > 0`: only for what is shown.
#[must_use]
pub fn div_half_even(a: I256, b: I256) -> I256 {
    let floor = a.div_euclid(b);
    let twice_rest = a.rem_euclid(b) * 2;
    let up = twice_rest > b || (twice_rest == b && floor % 2 != 0);
    if up { floor + 1 } else { floor }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_rounds_as_named() {
        for a in -20..=20i128 {
            for b in 1..=7 {
                assert!(div_floor(a, b) * b <= a && (div_floor(a, b) + 1) * b > a);
                assert!(div_ceil(a, b) * b >= a && (div_ceil(a, b) - 1) * b < a);
            }
        }
    }

    #[test]
    fn wide_products_are_exact() {
        let big = LIMIT * 1000 + 7;
        assert_eq!(mul_div_floor(big, big, big), big);
        assert_eq!(mul_div_ceil(-big, big, big), -big);
        assert_eq!(mul_div_floor(-big, big, big + 1), -big + 1 - 1);
        assert_eq!(mul_div_floor(7, 3, 2), 10);
        assert_eq!(mul_div_ceil(7, 3, 2), 11);
    }

    #[test]
    fn narrow_and_wide_quotients_and_products_agree() {
        let numbers = [-(1i64 << 61), -1_000_000_007, -3, -1, 0, 1, 2, 999_999_999, 1 << 31, 1 << 61, (1 << 62) - 1];
        for a in numbers {
            for b in numbers {
                let exact = |c: i64| (I256::from(a) * I256::from(b)).div_euclid(I256::from(c)).as_i128();
                for c in numbers.into_iter().filter(|&c| c > 0) {
                    assert_eq!(mul_div_floor(a.into(), b.into(), c.into()), exact(c), "{a} · {b} / {c}");
                }
                for c in
                    [1i128, -1, 7, 1 << 31].into_iter().filter(|_| a.unsigned_abs().max(b.unsigned_abs()) < 1 << 40)
                {
                    assert_eq!(product(a, b, c), i128::from(a) * i128::from(b) * c);
                }
            }
        }
        assert_eq!(product(1 << 40, 1 << 40, 1 << 40), 1 << 120);
        assert_eq!(product(3, 5, 1 << 80), 15 << 80);
    }

    #[test]
    fn both_ways_to_charge_agree() {
        for amount in [0u64, 1, 999_999_999, 1_000_000_000, 123_456_789_012_345, (1 << 62) - 1, u64::MAX] {
            for rate in [1u64, 4_000_000, 333_333_333, PPB - 1, PPB] {
                let wide = mul_div_ceil(i128::from(amount), i128::from(rate), i128::from(PPB));
                assert_eq!(i128::from(ppb_ceil(amount, rate)), wide, "{amount} · {rate}");
                let rebate = -mul_div_floor(i128::from(amount), i128::from(rate), i128::from(PPB));
                assert_eq!(charge(i128::from(amount), -(rate as i64)), rebate, "{amount} · -{rate}");
            }
        }
        assert_eq!(charge(3, -500_000_000), -1);
        assert_eq!([charge(7, 1_500_000_000), charge(7, -1_500_000_000)], [11, -10], "beyond the whole");
    }

    #[test]
    fn half_even() {
        let shown = |a: i32, b: i32| div_half_even(I256::from(a), I256::from(b)).as_i64();
        assert_eq!(
            [shown(1, 2), shown(3, 2), shown(5, 2), shown(-1, 2), shown(-3, 2), shown(7, 4)],
            [0, 2, 2, 0, -2, 2]
        );
    }
}
