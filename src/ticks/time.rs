//! Times, all turned into nanoseconds since 1970-01-01 UTC.

use super::error::{Fault, Reason};

const NS_PER_S: u64 = 1_000_000_000;

/// A Binance time: milliseconds (13 digits) or, in newer spot files, microseconds (16 digits).
pub(super) fn binance(name: &str, text: &str) -> Result<u64, Fault> {
    let ns_per_unit = match text.len() {
        13 => Some(1_000_000),
        16 => Some(1_000),
        _ => None,
    };
    ns_per_unit
        .and_then(|unit| integer(text)?.checked_mul(unit))
        .ok_or_else(|| Fault::new(Reason::Time, format!("{name} as 13 digits (ms) or 16 digits (µs)"), text))
}

/// A time in microseconds.
pub(super) fn micros(name: &str, text: &str) -> Result<u64, Fault> {
    integer(text)
        .and_then(|micros| micros.checked_mul(1_000))
        .ok_or_else(|| Fault::new(Reason::Time, format!("{name} as an integer (µs)"), text))
}

/// A time in nanoseconds.
pub(super) fn nanos(name: &str, text: &str) -> Result<u64, Fault> {
    integer(text).ok_or_else(|| Fault::new(Reason::Time, format!("{name} as an integer (ns)"), text))
}

/// A time such as `2025-03-25T23:07:00.773684644Z`, with up to nine digits after the point, or none.
pub(super) fn rfc3339(name: &str, text: &str) -> Result<u64, Fault> {
    utc(text).ok_or_else(|| Fault::new(Reason::Time, format!("{name} as YYYY-MM-DDTHH:MM:SS.NNNNNNNNNZ"), text))
}

/// Digits only: no sign, which `u64::from_str` would allow.
fn integer(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn utc(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, fraction) = match time.split_once('.') {
        Some((time, fraction)) => (time, nanos_of_fraction(fraction)?),
        None => (time, 0),
    };
    let [year, month, day] = parts(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = parts(time, ':', [2, 2, 2])?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = ((days(year, month, day)? * 24 + hour) * 60 + minute) * 60 + second;
    seconds.checked_mul(NS_PER_S)?.checked_add(fraction)
}

/// Three integers of given widths.
fn parts(text: &str, separator: char, widths: [usize; 3]) -> Option<[u64; 3]> {
    let mut fields = text.split(separator);
    let mut values = [0; 3];
    for (value, width) in values.iter_mut().zip(widths) {
        let field = fields.next().filter(|field| field.len() == width)?;
        *value = integer(field)?;
    }
    fields.next().is_none().then_some(values)
}

fn nanos_of_fraction(digits: &str) -> Option<u64> {
    let missing = 9u32.checked_sub(u32::try_from(digits.len()).ok()?)?;
    if digits.is_empty() { None } else { Some(integer(digits)? * 10u64.pow(missing)) }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; none if there is no such date, or it is earlier.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    const BEFORE_MONTH: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    const IN_MONTH: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let index = usize::try_from(month.checked_sub(1)?).ok()?;
    let longest = IN_MONTH.get(index)? + u64::from(leap && month == 2);
    if year < 1970 || day == 0 || day > longest {
        return None;
    }
    let before = year - 1;
    // 1969 years before 1970 hold 477 leap days.
    let leap_days = before / 4 - before / 100 + before / 400 - 477 + u64::from(leap && month > 2);
    Some((year - 1970) * 365 + leap_days + BEFORE_MONTH.get(index)? + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_utc() {
        for (text, ns) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00.5Z", 951_825_600_500_000_000),
            ("2000-03-01T00:00:00Z", 951_868_800_000_000_000),
            ("2025-03-25T23:07:00.773684644Z", 1_742_944_020_773_684_644),
            ("2100-03-01T00:00:00Z", 4_107_542_400_000_000_000),
        ] {
            assert_eq!(utc(text), Some(ns), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_moment() {
        for text in [
            "",
            "Z",
            "2025-03-25",
            "2025-03-25T23:07:00",
            "2025-02-29T00:00:00Z",
            "2025-13-01T00:00:00Z",
            "2025-00-01T00:00:00Z",
            "2025-01-00T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2025-01-01T24:00:00Z",
            "2025-01-01T00:60:00Z",
            "2025-01-01T00:00:60Z",
            "2025-01-01T00:00:00.Z",
            "2025-01-01T00:00:00.1234567890Z",
            "2025-01-01T00:00:00.+1Z",
            "2025-1-01T00:00:00Z",
            "2025-01-01-01T00:00:00Z",
            "9999-01-01T00:00:00Z",
        ] {
            assert_eq!(utc(text), None, "{text}");
        }
    }

    #[test]
    fn tells_milliseconds_from_microseconds() {
        assert_eq!(binance("t", "1742860800005").unwrap(), 1_742_860_800_005_000_000);
        assert_eq!(binance("t", "1742860800005123").unwrap(), 1_742_860_800_005_123_000);
        for text in ["", "174286080000", "+742860800005", "17428608000051", "1742860800005.0"] {
            assert!(binance("t", text).is_err(), "{text}");
        }
    }
}
