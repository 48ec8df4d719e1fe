//! Grades of scores in floats, rounded up by more than floats can err: never below the score's.

use super::Grade;
use super::deleverage::{grade, is_profitable, signed_grade};
use fixed::types::I64F64;

/// So many bits has a grade for the leading bits of a score, one more than a float.
const KEPT: u32 = 54;

/// The grade of the highest score that is not above a number of at least zero.
#[inline]
pub(super) fn grade_of_most(profitable: bool, score: f64) -> Grade {
    let bits = (score * 2f64.powi(I64F64::FRAC_NBITS as i32)).to_bits();
    let exponent = (bits >> (f64::MANTISSA_DIGITS - 1)) as i64 - 1023;
    if exponent < 0 {
        return grade(profitable, I64F64::ZERO);
    }
    if exponent >= 127 {
        return grade(profitable, I64F64::MAX);
    }
    let leading = (bits << 1 & ((1 << (KEPT - 1)) - 1)) | 1 << (KEPT - 1);
    signed_grade(profitable, ((exponent + 1) << KEPT) | leading as i64)
}

/// About the score that a grade is of, if it is of a profitable position.
pub(super) fn profitable_score(of: Grade) -> Option<f64> {
    if !is_profitable(of) {
        return None;
    }
    let graded = of - signed_grade(true, 0);
    let leading = (graded & ((1 << KEPT) - 1)) as f64;
    Some(leading * 2f64.powi((graded >> KEPT) as i32 - KEPT as i32 - I64F64::FRAC_NBITS as i32))
}

/// The grade of the highest score that is not above a loss, a number of at least zero, taken off.
#[inline]
pub(super) fn grade_of_loss(lost: f64) -> Grade {
    let bits = (lost * 2f64.powi(I64F64::FRAC_NBITS as i32)) as i128; // truncated, and saturated
    grade(false, I64F64::from_bits(-bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grades_of_floats_are_those_of_the_scores_that_they_are() {
        let exact = [0, 1, 2, 3, 5, 1 << 20, (1 << 53) - 1, 1 << 64, 3 << 64, ((1 << 53) - 1) << 70, 1 << 126];
        for bits in exact {
            let score = I64F64::from_bits(bits);
            for profitable in [false, true] {
                let graded = grade_of_most(profitable, score.to_num::<f64>());
                assert_eq!(graded, grade(profitable, score), "{bits}");
                let shown = profitable_score(graded);
                assert_eq!(shown, profitable.then(|| score.to_num::<f64>()), "{bits}");
            }
        }
        assert_eq!(grade_of_most(true, 1e300), grade(true, I64F64::MAX));
        assert_eq!(grade_of_most(true, 1e-30), grade(true, I64F64::ZERO));
        assert!(grade_of_most(true, 0.1) > grade_of_most(true, 0.1 - 1e-15));
    }
}
