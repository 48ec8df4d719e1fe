//! Scores of deleveraging: by what the positions of a side are ranked.
//!
//! Each score is a product, or a quotient, of two factors with 32 fractional bits, each truncated toward zero. The product
//! is exact, the quotient truncated; both saturate.

use crate::number::mul_div_floor;
use fixed::types::I64F64;

/// Fractional bits of the two factors of a score.
const FACTOR_BITS: u32 = 32;

/// `a / b` for `b > 0`, truncated toward zero.
fn factor(a: i128, b: i128) -> I64F64 {
    let size = mul_div_floor(a.abs(), 1 << FACTOR_BITS, b);
    let signed = if a < 0 { -size } else { size };
    I64F64::saturating_from_num(fixed::FixedI128::<fixed::types::extra::U32>::from_bits(signed))
}

/// The ranking of `BitMEX` and Bybit: return times effective leverage, or return divided by it for a loss.
///
/// `pnl = uPnL / max(|C|, 1)` and `lev = N / max(E_i, 1)`; a `lev` of 0 counts as 2^-32 in the quotient.
pub(super) fn pnl_leverage(unrealised: i128, cost: i128, notional: i128, share: i128) -> I64F64 {
    let pnl = factor(unrealised, cost.abs().max(1));
    let leverage = factor(notional, share.max(1));
    if unrealised > 0 {
        pnl.saturating_mul(leverage)
    } else {
        let smallest = I64F64::from_bits(1 << FACTOR_BITS);
        pnl.saturating_div(leverage.max(smallest))
    }
}

/// The ranking of Binance: profit by what stands behind the position, times the pool's margin ratio.
///
/// `max(0, uPnL) / max(one whole unit, balance or isolated margin) · MM / max(E, 1)`
pub(super) fn pnl_margin_ratio(
    unrealised: i128,
    (collateral, whole_unit): (i128, i128),
    maintenance: i128,
    equity: i128,
) -> I64F64 {
    let profit = factor(unrealised.max(0), collateral.max(whole_unit));
    profit.saturating_mul(factor(maintenance, equity.max(1)))
}

/// The ranking of Hyperliquid: how far the price has gone the position's way, times the account's leverage.
///
/// `(mark / entry, inverted for shorts) · N / max(E, 1)`. The quotient of the prices is that of value and cost: of a
/// linear long's or an inverse short's value by its cost, of the others' cost by value.
pub(super) fn profit_notional(gained: i128, given: i128, notional: i128, equity: i128) -> I64F64 {
    factor(gained.abs(), given.abs().max(1)).saturating_mul(factor(notional, equity.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigInt;

    const VALUES: [i128; 9] = [0, 1, 2, 3, 10, 1_000_003, 1 << 31, (1 << 40) + 7, (1 << 61) + 12_345];

    fn big(value: i128) -> BigInt {
        BigInt::from(value)
    }

    /// Every choice of four values and of a sign; returns how often the score was at an end of its range.
    fn for_all(mut bits: impl FnMut([i128; 4], i128) -> (i128, BigInt)) -> u32 {
        let mut saturated = 0;
        for &a in &VALUES {
            for &b in &VALUES {
                for &c in &VALUES {
                    for &d in &VALUES {
                        for sign in [1, -1] {
                            let (is, exact) = bits([a, b, c, d], sign);
                            let should = i128::try_from(exact.clamp(big(i128::MIN), big(i128::MAX))).unwrap();
                            assert_eq!(is, should, "{a} {b} {c} {d} {sign}");
                            saturated += u32::from(is == i128::MAX || is == i128::MIN);
                        }
                    }
                }
            }
        }
        saturated
    }

    #[test]
    fn pnl_leverage_is_its_definition() {
        let saturated = for_all(|[unrealised, cost, notional, share], sign| {
            let (unrealised, share) = (sign * unrealised, sign * share);
            let pnl = (big(unrealised) << 32u32) / big(cost.abs().max(1)); // BigInt division truncates
            let lev = (big(notional) << 32u32) / big(share.max(1));
            let exact = if unrealised > 0 { pnl * lev } else { (pnl << 64u32) / lev.max(big(1)) };
            (pnl_leverage(unrealised, cost, notional, share).to_bits(), exact)
        });
        assert!(saturated > 0);
    }

    #[test]
    fn pnl_margin_ratio_is_its_definition() {
        let saturated = for_all(|[unrealised, collateral, maintenance, equity], sign| {
            let (unrealised, collateral, equity) = (sign * unrealised, sign * collateral, sign * equity);
            let profit = (big(unrealised.max(0)) << 32u32) / big(collateral.max(100));
            let ratio = (big(maintenance) << 32u32) / big(equity.max(1));
            (pnl_margin_ratio(unrealised, (collateral, 100), maintenance, equity).to_bits(), profit * ratio)
        });
        assert!(saturated > 0);
    }

    #[test]
    fn profit_notional_is_its_definition() {
        let saturated = for_all(|[gained, given, notional, equity], sign| {
            let equity = sign * equity;
            let moved = (big(gained) << 32u32) / big(given.max(1));
            let leverage = (big(notional) << 32u32) / big(equity.max(1));
            let score = profit_notional(sign * gained, sign * given, notional, equity);
            (score.to_bits(), moved * leverage)
        });
        assert!(saturated > 0);
    }
}
