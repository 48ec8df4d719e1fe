//! Shocks: stated price paths that are laid over the real one.

use crate::decimal::{Decimal, Grid};
use crate::number::{PPB, div_floor};
use std::fmt;
use std::str::FromStr;

/// One, in parts per billion, as a factor of prices.
pub const UNSHOCKED_PPB: i128 = PPB as i128;

/// The largest rise: a thousandfold price.
const MAX_DEPTH_PPB: i128 = 999 * UNSHOCKED_PPB;

/// A price path of one symbol, as a factor of its real prices: 1 until the start, then linearly to the depth, and there
/// it stays.
///
/// Written `BTCUSDT:-12%@30s/20s`: from 30 s after the first tick, over 20 s, to 12 % below the real price. Durations
/// have the unit `ns`, `us`, `ms`, `s`, `m` or `h`; a duration of `0s` is a jump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shock {
    /// The symbol whose prices are shocked.
    pub symbol: String,
    /// How far the price goes in the end, in parts per billion of the real one; above −1.
    pub depth_ppb: i128,
    /// When it begins, in nanoseconds after the first tick.
    pub start_ns: u64,
    /// How long it takes, in nanoseconds.
    pub duration_ns: u64,
}

/// What is wrong with a written shock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected SYMBOL:PERCENT%@START/DURATION, such as BTCUSDT:-12%@30s/20s: {0}")]
pub struct BadShock(String);

impl Shock {
    /// The factor, in parts per billion, `elapsed_ns` after the first tick: by linear interpolation, the change rounded
    /// down.
    #[must_use]
    pub fn factor_ppb(&self, elapsed_ns: u64) -> i128 {
        let since = elapsed_ns.saturating_sub(self.start_ns);
        if elapsed_ns < self.start_ns {
            UNSHOCKED_PPB
        } else if since >= self.duration_ns {
            UNSHOCKED_PPB + self.depth_ppb
        } else {
            UNSHOCKED_PPB + div_floor(self.depth_ppb * i128::from(since), i128::from(self.duration_ns))
        }
    }
}

/// The factor of several shocks of a symbol, each laid over the ones before, in parts per billion, rounded down but at
/// least 1 so that a price stays a price.
pub(super) fn combined_ppb<'a>(shocks: impl IntoIterator<Item = &'a Shock>, elapsed_ns: u64) -> i128 {
    shocks.into_iter().fold(UNSHOCKED_PPB, |factor, shock| {
        // Bounded: a kernel price has 62 bits, so what goes beyond a thousandfold a thousand times is refused later.
        let product = factor.saturating_mul(shock.factor_ppb(elapsed_ns));
        div_floor(product, UNSHOCKED_PPB).clamp(1, MAX_DEPTH_PPB * 1_000)
    })
}

impl FromStr for Shock {
    type Err = BadShock;

    fn from_str(text: &str) -> Result<Self, BadShock> {
        let bad = |what: String| BadShock(what);
        let (symbol, path) = text.split_once(':').ok_or_else(|| bad(format!("no ':' in {text:?}")))?;
        if symbol.is_empty() {
            return Err(bad(format!("no symbol before the ':' in {text:?}")));
        }
        let (depth, times) = path.split_once('@').ok_or_else(|| bad(format!("no '@' in {path:?}")))?;
        let (start, duration) = times.split_once('/').ok_or_else(|| bad(format!("no '/' in {times:?}")))?;
        Ok(Self {
            symbol: symbol.to_owned(),
            depth_ppb: depth_ppb(depth).map_err(bad)?,
            start_ns: duration_ns(start).map_err(bad)?,
            duration_ns: duration_ns(duration).map_err(bad)?,
        })
    }
}

impl fmt::Display for Shock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = Grid::decimals(7).value(self.depth_ppb);
        let sign = if self.depth_ppb > 0 { "+" } else { "" };
        let (start, duration) = (Nanoseconds(self.start_ns), Nanoseconds(self.duration_ns));
        write!(f, "{}:{sign}{percent}%@{start}/{duration}", self.symbol)
    }
}

/// A percentage, signed with `-`, `+` or nothing, in parts per billion.
fn depth_ppb(text: &str) -> Result<i128, String> {
    let number = text.strip_suffix('%').ok_or_else(|| format!("no '%' after {text:?}"))?;
    let number = number.strip_prefix('+').unwrap_or(number);
    let percent: Decimal = number.parse().map_err(|_| format!("{number:?} is not a decimal number"))?;
    let place = Grid::decimals(7).place(percent).filter(|place| !place.is_off());
    let ppb = place.ok_or_else(|| format!("{number}% has more than 7 decimals"))?.floor();
    if ppb <= -UNSHOCKED_PPB || ppb > MAX_DEPTH_PPB {
        return Err(format!("{number}% is not above -100% and at most +99900%"));
    }
    Ok(ppb)
}

/// The units of durations, largest first, with their nanoseconds.
const UNITS: [(&str, u64); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// A duration such as `1.5s`, in whole nanoseconds.
fn duration_ns(text: &str) -> Result<u64, String> {
    let expected = || format!("{text:?} is not a duration such as 30s, 500ms or 2m, in whole nanoseconds");
    let at = text.find(|letter: char| letter.is_ascii_alphabetic()).ok_or_else(expected)?;
    let (number, unit) = text.split_at(at);
    let (_, unit_ns) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(expected)?;
    let number: Decimal = number.parse().map_err(|_| expected())?;
    let scaled = number.mantissa().checked_mul(i128::from(*unit_ns)).ok_or_else(expected)?;
    let place = Grid::decimals(0).place(Decimal::new(scaled, number.scale())).filter(|place| !place.is_off());
    u64::try_from(place.ok_or_else(expected)?.floor()).map_err(|_| expected())
}

/// A duration for people: in the largest unit of which it is a whole number.
struct Nanoseconds(u64);

impl fmt::Display for Nanoseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().find(|(_, unit_ns)| self.0 != 0 && self.0.is_multiple_of(*unit_ns));
        match whole {
            Some((name, unit_ns)) => write!(f, "{}{name}", self.0 / unit_ns),
            None => f.write_str("0s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shock(text: &str) -> Shock {
        text.parse().unwrap()
    }

    #[test]
    fn is_written_as_it_is_read() {
        for text in ["BTCUSDT:-12%@30s/20s", "X:+0.0000001%@0s/1ns", "A:B:+5%@1500ms/2m"] {
            if text.starts_with("A:B") {
                assert!(text.parse::<Shock>().is_err(), "a symbol has no colon");
            } else {
                assert_eq!(shock(text).to_string(), text);
            }
        }
        assert_eq!(shock("X:7%@0.5s/1h").to_string(), "X:+7%@500ms/1h");
    }

    #[test]
    fn is_exact_on_its_whole_path() {
        let fall = shock("BTCUSDT:-12%@30s/20s");
        let second = 1_000_000_000;
        for (elapsed, factor) in [
            (0, UNSHOCKED_PPB),
            (30 * second, UNSHOCKED_PPB),
            (30 * second + 1, UNSHOCKED_PPB - 1),
            (40 * second, 940_000_000),
            (50 * second - 1, 880_000_000),
            (50 * second, 880_000_000),
            (u64::MAX, 880_000_000),
        ] {
            assert_eq!(fall.factor_ppb(elapsed), factor, "{elapsed}");
        }
        assert_eq!(shock("X:+50%@1s/0s").factor_ppb(second), 1_500_000_000, "a jump");
        assert_eq!(combined_ppb(&[shock("X:-50%@0s/0s"), shock("X:+10%@0s/0s")], 0), 550_000_000);
        assert_eq!(combined_ppb(&[shock("X:-99.9999999%@0s/0s"), shock("X:-99.9999999%@0s/0s")], 0), 1);
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, part) in [
            ("BTCUSDT", "no ':'"),
            (":-1%@0s/0s", "no symbol"),
            ("X:-1%", "no '@'"),
            ("X:-1%@3s", "no '/'"),
            ("X:-1@3s/1s", "no '%'"),
            ("X:-100%@3s/1s", "not above -100%"),
            ("X:--1%@3s/1s", "not a decimal"),
            ("X:-0.00000001%@3s/1s", "more than 7 decimals"),
            ("X:-1%@3/1s", "not a duration"),
            ("X:-1%@3s/1.5ns", "not a duration"),
            ("X:-1%@3s/99999999999999999999h", "not a duration"),
        ] {
            let message = text.parse::<Shock>().unwrap_err().to_string();
            assert!(message.contains(part) && message.contains("BTCUSDT:-12%@30s/20s"), "{text}: {message}");
        }
    }
}
